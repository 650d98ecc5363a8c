"""Finds terminals in the shop's network, when a person has asked for it.

It only connects, reads a greeting, and asks for a session that cannot exist: a payment is
neither started nor disturbed by that. Addresses outside private networks are never tried.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from .problems import Problem
from .viva import drivers, local, transport

#: Ports that the references name: Viva's default for TCP, and those seen for the Local API.
PORTS = (8080, 9564)
CONNECT_S = 0.6
READY_S = 3.0
LARGEST_NETWORK = 1024
MOST_NETWORKS = 8
_AT_ONCE = 64

Network = ipaddress.IPv4Network

#: What a shop's network is when nobody has named it.
_SHOPS = tuple(map(Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


@dataclass(frozen=True)
class Found:
    """A terminal, as far as it can be told without starting anything."""

    host: str
    port: int
    protocol: str
    scheme: str = ""
    fingerprint: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def networks(texts: Iterable[str], also: Iterable[str] = ()) -> list[Network]:
    """Return the networks to look into: those that are named, or else our own of 256 addresses.

    :param also: addresses of terminals; their networks are looked into too
    :raises Problem: one that is not private, or too large
    """
    found: list[Network] = []
    texts = list(texts)
    for text in texts:
        try:
            network = ipaddress.IPv4Network(text.strip(), strict=False)
        except ValueError as error:
            raise Problem(f"{text!r} is not a network. Write it like 192.168.1.0/24.") from error
        allowed = network.is_loopback or any(network.subnet_of(shop) for shop in _SHOPS)
        if not allowed or network.num_addresses > LARGEST_NETWORK:
            raise Problem(
                f"{text} is not looked through: only private networks of at most "
                f"{LARGEST_NETWORK} addresses are."
            )
        found.append(network)
    if not texts:
        for address in (*own_addresses(), *also):
            with contextlib.suppress(ValueError):
                network = ipaddress.IPv4Network(f"{address}/24", strict=False)
                if any(network.subnet_of(shop) for shop in _SHOPS):
                    found.append(network)
    return list(dict.fromkeys(found))[:MOST_NETWORKS]


def own_addresses() -> list[str]:
    """Return our addresses as far as they can be told without asking the network."""
    found = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.connect(("192.0.2.1", 9))  # chooses a way; a datagram socket sends nothing by that
        found.append(line.getsockname()[0])
    with contextlib.suppress(OSError):
        found += [str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), 0)]
    return [address for address in dict.fromkeys(found) if not address.startswith("127.")]


def scan(
    where: Iterable[Network],
    skip: Iterable[tuple[str, int]] = (),
    ports: Iterable[int] = (),
    found: Callable[[Found], None] = lambda item: None,
    over: threading.Event | None = None,
) -> list[Found]:
    """Look at every address of the networks.

    :param skip: where a payment is under way
    :param ports: none: :data:`PORTS`
    :param found: called with each terminal as it is found, from other threads
    :param over: set to end early
    """
    skip, ports = set(skip), list(ports) or list(PORTS)
    result: list[Found] = []
    lock = threading.Lock()

    def one(host: str, port: int) -> None:
        if over is not None and over.is_set():
            return
        item = probe(host, port)
        if item is not None:
            with lock:
                result.append(item)
            found(item)

    with ThreadPoolExecutor(_AT_ONCE, "scan") as pool:
        for network in where:
            for address in network.hosts():
                for port in ports:
                    if (str(address), port) not in skip:
                        pool.submit(one, str(address), port)
    return sorted(result, key=lambda item: (ipaddress.ip_address(item.host), item.port))


def probe(host: str, port: int) -> Found | None:
    """Return what listens there if it is a terminal."""
    try:
        with socket.create_connection((host, port), CONNECT_S) as line:
            line.settimeout(READY_S)
            try:
                greeting = line.recv(64)
            except TimeoutError:
                greeting = b""
    except OSError:
        return None
    if greeting:
        ready = greeting[:4].isdigit() and greeting[4:9] == b"|810|"
        return Found(host, port, "tcp") if ready else None
    return _local("https", host, port) or _local("http", host, port)


def _local(scheme: str, host: str, port: int) -> Found | None:
    """Does it answer like the Local API about a session that cannot exist?"""
    try:
        fingerprint = ""
        carrier = transport.DirectTransport()
        if scheme == "https":
            fingerprint = transport.fingerprint_of(host, port, READY_S)
            carrier = transport.PinnedTransport(fingerprint)
        address = local.LocalAddress(scheme, host, port)
        if not local.LocalDriver(carrier, address, read_timeout=READY_S).probe():
            return None  # a web server of another kind, which answers 404 as well
    except (drivers.VivaError, transport.ConnectFailed, ValueError):
        return None
    return Found(host, port, "local", scheme, fingerprint)
