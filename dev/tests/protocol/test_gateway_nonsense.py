"""Nonsense from the network and from Odoo: no crash, and nothing is touched because of it."""

import contextlib
import socket
import threading

import pytest
from doubles import SocketServer, http_answer
from gateway_doubles import Device, TcpDevice, sale
from hypothesis import given
from hypothesis import strategies as st

from drivers import VivaError
from gateway import hints, scan, service, terminals
from gateway.problems import Problem
from gateway.terminals import Terminal

ENTRY = {
    "viva_id": "16000010",
    "protocol": "local",
    "host": "192.168.1.7",
    "port": 8080,
    "scheme": "https",
    "fingerprint": "AB:CD",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = ["viva_id", "protocol", "host", "port", "scheme", "fingerprint", "platform", "loopback"]


@given(st.dictionaries(st.sampled_from(KEYS), JSON) | JSON)
def test_terminals(data):
    entry = {**ENTRY, **data} if isinstance(data, dict) else data
    with contextlib.suppress(ValueError):
        terminal = terminals.read(entry)
        assert terminal.protocol in ("local", "tcp")
        assert 0 < terminal.port < 65536


def test_a_terminal_as_odoo_describes_it():
    assert terminals.read(ENTRY) == Terminal(
        "16000010", "local", "192.168.1.7", 8080, "https", "abcd"
    )
    more = {"ready_mode": False, "cancel_layout": None, "platform": "paydroid", "new": 1}
    assert terminals.read({**ENTRY, **more}).platform == "paydroid"


@given(st.lists(JSON | st.dictionaries(st.sampled_from(["kind", "session_id", "viva_id"]), JSON)))
def test_commands(items):
    starts, aborts = service._commands(items, 100.0)
    assert all(start.until <= 160 for start in starts)
    assert all(isinstance(name, str) for name in aborts)


@pytest.mark.parametrize(
    ("valid", "until"), [(8.5, 108.5), (0, 100), (1e9, 160), ("x", 100), (True, 100), (None, 100)]
)
def test_how_long_a_start_is_valid(valid, until):
    item = {"kind": "start", "session_id": "s", "viva_id": "1", "valid_s": valid, "request": sale()}
    ((start,), _aborts) = service._commands([item], 100.0)
    assert start.until == until


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_hints(content):
    hints._notifications(content)


@given(st.text(max_size=30))
def test_networks(text):
    with contextlib.suppress(Problem):
        for network in scan.networks([text]):
            assert network.is_private


# -- what listens in the network ----------------------------------------------------------


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(scan, "READY_S", 0.3)


def test_terminals_are_found():
    with Device() as local, TcpDevice() as tcp:
        found = scan.scan(scan.networks(["127.0.0.1/32"]), ports=[local.port, tcp.port])
    assert {(item.protocol, item.port) for item in found} == {
        ("local", local.port),
        ("tcp", tcp.port),
    }
    assert not local.posts
    assert not tcp.charges


def test_where_a_payment_runs_is_left_alone():
    with Device() as local:
        where = scan.networks(["127.0.0.1/32"])
        assert not scan.scan(where, skip=[("127.0.0.1", local.port)], ports=[local.port])
        assert not local.gets


@pytest.mark.parametrize(
    "script",
    [
        b"",
        b"SSH-2.0-x\r\n",
        b"0014|999|00|000032",
        http_answer("404 Not Found", b"<html>"),
        http_answer("200 OK", b"{}"),
        http_answer("200 OK", b"[]"),
        http_answer("200 OK", b'{"state": 7}'),
        b"\0\xff" * 40,
    ],
)
def test_other_devices_are_not_terminals(script):
    def talk(connection, number):
        if script[:4] != b"HTTP":
            connection.sendall(script)
        server.request(connection)
        connection.sendall(script)

    with SocketServer(talk) as server:
        assert scan.probe("127.0.0.1", server.port) is None
        assert all(
            b"GET /pos/v1/sessions/" in asked for asked in server.received if asked[:1] == b"G"
        )


def test_a_silent_device_costs_little():
    with SocketServer(lambda connection, number: server.finished.wait(3)) as server:
        assert scan.probe("127.0.0.1", server.port) is None


def test_nobody():
    assert scan.probe("127.0.0.1", 1) is None


def test_networks_that_nobody_has_named(monkeypatch):
    """Our own, and those of terminals; only such as shops have."""
    monkeypatch.setattr(scan, "own_addresses", lambda: ["192.168.1.9", "192.0.2.7", "127.0.0.1"])
    found = scan.networks([], ["10.1.2.3", "192.168.1.3", "name.local", "8.8.8.8", "127.0.0.2"])
    assert [str(network) for network in found] == ["192.168.1.0/24", "10.1.2.0/24"]


@pytest.mark.parametrize(
    "text",
    ["8.8.8.0/24", "10.0.0.0/8", "::1/128", "0.0.0.0/0", "169.254.169.0/24", "192.0.2.0/24", "x"],
)
def test_networks_that_are_not_looked_through(text):
    with pytest.raises(Problem):
        scan.networks([text])


@pytest.mark.parametrize(
    ("host", "loopback", "good"),
    [
        ("192.168.1.7", False, True),
        ("10.0.0.1", False, True),
        ("127.0.0.1", True, True),
        ("127.0.0.1", False, False),
        ("localhost", False, False),
        ("8.8.8.8", True, False),
        ("0.0.0.0", False, False),
        ("224.0.0.1", False, False),
        ("no-such-name.invalid", False, False),
        ("172.31.0.9", False, True),
        ("fd12:3456::1", False, True),
        ("169.254.169.254", False, False),
        ("100.64.0.1", False, False),
        ("192.0.2.1", False, False),
        ("198.18.0.1", False, False),
        ("fe80::1", False, False),
        ("fd00:ec2::254", False, False),
        ("::ffff:8.8.8.8", False, False),
        ("::ffff:127.0.0.1", False, False),
        ("64:ff9b::808:808", False, False),
    ],
)
def test_addresses(host, loopback, good):
    terminal = Terminal("16000010", "local", host, 8080, "http", loopback=loopback)
    try:
        assert terminals.resolve(terminal)
    except VivaError:
        assert not good
    else:
        assert good


def test_a_scan_can_be_ended():
    over = threading.Event()
    over.set()
    assert scan.scan(scan.networks(["127.0.0.0/28"]), ports=[1], over=over) == []


def test_no_listening_socket():
    """The gateway only calls others."""
    source = "".join(path.read_text() for path in scan_home().glob("*.py"))
    for word in (".bind(", ".listen(", "create_server", "HTTPServer"):
        assert word not in source
    assert socket.socket  # the check above is about the text of the program


def scan_home():
    from pathlib import Path

    return Path(scan.__file__).parent
