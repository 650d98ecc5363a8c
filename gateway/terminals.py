"""From Odoo's description of a terminal to a driver that may touch it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from . import clock
from .viva import drivers, local, tcp, transport

#: The device has that long for its answer; what comes later is still taken, see :mod:`work`.
ANSWER_S = 180.0
CONNECT_S = 2.0
READ_S = 3.0
#: How long one read of the TCP driver waits: the thread has other things to do.
POLL_S = 0.2
#: No payment on a TCP terminal has ended sooner than that after it was asked for.
QUICKEST_S = 1.0

_SHOP = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]
#: Where hosters have the service that tells a machine about itself.
_CLOUD = ipaddress.ip_network("fd00:ec2::/32")

_CHOICES = {
    "protocol": ("local", "tcp"),
    "scheme": ("https", "http"),
    "ready_mode": ("auto", "wait", "send_first"),
    "cancel_layout": ("off", "C1", "C2", "C3"),
    "capture_link": ("transaction_id", "parent_session_id"),
    "platform": ("paydroid", "prolin"),
}


@dataclass(frozen=True)
class Terminal:
    """One terminal of the last signed answer.

    :param fingerprint: SHA-256 of the certificate that a person has confirmed, ``""``: none yet
    :param loopback: it is a simulator on this machine
    :param look: raised when a person wants it to be looked at anew
    """

    viva_id: str
    protocol: str
    host: str
    port: int
    scheme: str = "https"
    fingerprint: str = ""
    ready_mode: str = "auto"
    cancel_layout: str = "off"
    capture_link: str = "transaction_id"
    platform: str = "prolin"
    loopback: bool = False
    look: int = 0

    @property
    def pinned(self) -> bool:
        """Does it have a certificate that has to be the confirmed one?"""
        return self.protocol == "local" and self.scheme == "https"

    @property
    def recalls(self) -> bool:
        """Can a session be read by another driver object than the one that started it?"""
        return self.protocol == "local"


def read(data: Any) -> Terminal:
    """Return the terminal that Odoo describes. :raises ValueError: it is not understood"""
    if not isinstance(data, Mapping):
        raise ValueError("A terminal is an object.")
    values: dict[str, Any] = {}
    for name, choices in _CHOICES.items():
        # Odoo sends false or nothing for what does not concern the protocol.
        if value := data.get(name):
            if value not in choices:
                raise ValueError(f"{name} {value!r} is not known; is this gateway older than Odoo?")
            values[name] = value
    viva_id, host, port = data.get("viva_id"), data.get("host"), data.get("port")
    if not isinstance(viva_id, str) or not viva_id or "protocol" not in values:
        raise ValueError("A terminal has an id and a protocol.")
    if not isinstance(host, str) or not host or host != host.strip():
        raise ValueError("it has no address yet")
    if type(port) is not int or not 0 < port < 65536:
        raise ValueError("it has no port yet")
    fingerprint = data.get("fingerprint") or ""
    if not isinstance(fingerprint, str):
        raise ValueError("its fingerprint is not a text")
    return Terminal(
        *(viva_id, values.pop("protocol"), host, port),
        fingerprint=fingerprint.replace(":", "").lower(),
        loopback=data.get("loopback") is True,
        look=look if type(look := data.get("look")) is int else 0,
        **values,
    )


def resolve(terminal: Terminal) -> str:
    """Return the address to connect to: one in the shop's network.

    :raises drivers.Unreachable: the name is not known
    :raises drivers.BadRequest: it is an address elsewhere, or this machine
    """
    try:
        found = socket.getaddrinfo(terminal.host, terminal.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise drivers.Unreachable(f"The name {terminal.host} is not known here.") from error
    address = str(found[0][4][0])
    ip = ipaddress.ip_address(address.partition("%")[0])
    allowed = terminal.loopback if ip.is_loopback else _is_of_a_shop(ip)
    if not allowed:
        raise drivers.BadRequest(
            f"{terminal.host} ({address}) is not an address in the shop's network."
        )
    return address


def _is_of_a_shop(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """A positive list: a name may lead anywhere, to what serves a machine its own secrets, too."""
    return any(ip in network for network in _SHOP) and ip not in _CLOUD


def driver(terminal: Terminal, may_send: Callable[[], bool]) -> drivers.TerminalDriver:
    """Return the driver of a terminal. Nothing is sent.

    :param may_send: asked right before the first byte of a start

    :raises drivers.DefiniteError: it must not be touched
    :raises drivers.RetryableError: its name is not known
    """
    address = resolve(terminal)
    if terminal.protocol == "tcp":
        return tcp.TcpDriver(
            address,
            terminal.port,
            ready_mode=cast("Literal['auto', 'wait', 'send_first']", terminal.ready_mode),
            cancel_layout=cast("Literal['off', 'C1', 'C2', 'C3']", terminal.cancel_layout),
            platform=cast("Literal['prolin', 'paydroid']", terminal.platform),
            connect_timeout=CONNECT_S,
            answer_timeout=ANSWER_S,
            poll=POLL_S,
            may_send=may_send,
            quickest=0.0
            if terminal.loopback
            else QUICKEST_S,  # a simulator's customer has no hands
            clock=clock.now,
        )
    if terminal.pinned and not terminal.fingerprint:
        raise drivers.BadRequest(
            "The terminal's certificate is not confirmed: confirm its fingerprint in Odoo."
        )
    carrier = (
        transport.PinnedTransport(terminal.fingerprint)
        if terminal.pinned
        else transport.DirectTransport()
    )
    return local.LocalDriver(
        carrier,
        local.LocalAddress(terminal.scheme, address, terminal.port),
        capture_link=cast("Literal['transaction_id', 'parent_session_id']", terminal.capture_link),
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        may_send=may_send,
    )
