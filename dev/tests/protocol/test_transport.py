"""Was anything sent? Against real sockets, because that is where the answer lies."""

import datetime
import ipaddress
import os
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from doubles import SocketServer, http_answer

from drivers import (
    ConnectFailed,
    DirectTransport,
    HttpRequest,
    PinnedTransport,
    RequestsTransport,
    ResponseLost,
    WrongCertificate,
    fingerprint_of,
)


@pytest.fixture
def transport():
    transport = RequestsTransport(largest=100_000)
    yield transport
    transport.close()


@pytest.fixture(params=[RequestsTransport, DirectTransport])
def either(request):
    """To Viva, or to a device of the own network."""
    transport = request.param(largest=100_000)
    yield transport
    if isinstance(transport, RequestsTransport):
        transport.close()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))


def post(url, **changes):
    values = {"json": {"amount": 1250}, "connect_timeout": 1, "read_timeout": 1, **changes}
    return HttpRequest("POST", url, **values)


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


# -- nothing was sent ---------------------------------------------------------


def test_refused_port(either):
    with pytest.raises(ConnectFailed):
        either.send(post(f"http://127.0.0.1:{closed_port()}/"))


def test_refused_port_tls(transport):
    with pytest.raises(ConnectFailed):
        transport.send(post(f"https://127.0.0.1:{closed_port()}/"))


def test_name_that_does_not_exist(either):
    with pytest.raises(ConnectFailed):
        either.send(post("http://no-such-host.invalid/"))


def test_connect_timeout(either):
    """A listener whose queue is full does not answer to a connect."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        started = time.monotonic()
        with pytest.raises(ConnectFailed):
            either.send(post(f"http://127.0.0.1:{listener.getsockname()[1]}/", connect_timeout=0.3))
        assert time.monotonic() - started < 2
        for filler in fillers:
            filler.close()


def test_server_that_does_not_speak_tls(transport):
    def script(connection, number):
        connection.sendall(b"hello\r\n")

    with SocketServer(script) as server, pytest.raises(ConnectFailed):
        transport.send(post(f"https://127.0.0.1:{server.port}/"))


def test_server_that_is_silent_in_the_tls_handshake(transport):
    with SocketServer(lambda connection, number: server.finished.wait(5)) as server:
        started = time.monotonic()
        with pytest.raises(ConnectFailed):
            transport.send(post(f"https://127.0.0.1:{server.port}/", connect_timeout=0.4))
        assert time.monotonic() - started < 2


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1/", "http://", "http://[::1/"])
def test_address_that_is_none(either, url):
    with pytest.raises(ConnectFailed):
        either.send(post(url))


def test_request_that_cannot_be_written(either):
    with SocketServer(lambda connection, number: None) as server:
        with pytest.raises(ConnectFailed):
            either.send(post(server.url, json={"amount": float("nan")}))
        with pytest.raises(ConnectFailed):
            either.send(post(server.url, headers={"Authorization": "Bearer a\r\nEvil: b"}))
        assert server.connections == 0


def test_proxy_that_is_down(transport, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(ConnectFailed):
        transport.send(post("http://viva.example/"))


# -- something may have been sent ---------------------------------------------


def test_closed_before_reading(either):
    with SocketServer(lambda connection, number: None) as server, pytest.raises(ResponseLost):
        either.send(post(server.url))


def test_reset_before_reading(either):
    def script(connection, number):
        connection.recv(1, socket.MSG_PEEK)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with SocketServer(script) as server, pytest.raises(ResponseLost):
        either.send(post(server.url))


def test_closed_after_reading(either):
    with SocketServer(lambda connection, number: server.request(connection)) as server:
        with pytest.raises(ResponseLost):
            either.send(post(server.url))
        assert b'{"amount": 1250}' in server.received[0]


@pytest.mark.parametrize(
    "part",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"SMTP ready\r\n\r\n",
        b"\0\1\2\3",
    ],
)
def test_half_an_answer(either, part):
    def script(connection, number):
        server.request(connection)
        connection.sendall(part)

    with SocketServer(script) as server, pytest.raises(ResponseLost):
        either.send(post(server.url))


def test_server_that_never_answers(either):
    def script(connection, number):
        server.request(connection)
        server.finished.wait(5)

    with SocketServer(script) as server:
        started = time.monotonic()
        with pytest.raises(ResponseLost):
            either.send(post(server.url, read_timeout=0.4))
        assert 0.3 < time.monotonic() - started < 1.2


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX: ", http_answer(body=b"x" * 500)[:-500]])
def test_dribbling_server(either, head):
    """One byte at a time, within the headers or within the body: one limit for all of it."""

    def script(connection, number):
        server.request(connection)
        connection.sendall(head)
        while not server.finished.wait(0.05):
            connection.sendall(b"x")

    with SocketServer(script) as server:
        started = time.monotonic()
        with pytest.raises(ResponseLost):
            either.send(post(server.url, read_timeout=0.6))
        assert 0.5 < time.monotonic() - started < 1.2


def test_server_that_dribbles_and_falls_silent(either):
    """The silence after a late byte has what is left of the limit, not a limit of its own."""

    def script(connection, number):
        server.request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        server.finished.wait(0.5)
        connection.sendall(b"X")
        server.finished.wait(5)

    with SocketServer(script) as server:
        started = time.monotonic()
        with pytest.raises(ResponseLost):
            either.send(post(server.url, read_timeout=0.7))
        assert 0.6 < time.monotonic() - started < 1.15


@pytest.mark.parametrize("declared", [True, False])
def test_huge_body(either, declared):
    def script(connection, number):
        server.request(connection)
        length = b"Content-Length: 1000000000\r\n" if declared else b""
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        sent = 0
        while sent < 1_000_000_000:
            connection.sendall(b"x" * 65536)
            sent += 65536

    with (
        SocketServer(script) as server,
        pytest.raises(ResponseLost, match="more than 100000 bytes"),
    ):
        either.send(post(server.url))


def test_connection_that_died_while_it_was_kept(transport):
    """Told apart from a failed connect even then: nobody knows whether the request got through."""

    def script(connection, number):
        server.request(connection)
        connection.sendall(http_answer())
        server.request(connection)

    with SocketServer(script) as server:
        transport.send(post(server.url))
        with pytest.raises(ResponseLost):
            transport.send(post(server.url))
        assert server.connections == 1


def test_nothing_is_repeated(either):
    with SocketServer(lambda connection, number: server.request(connection)) as server:
        for _ in range(3):
            with pytest.raises(ResponseLost):
                either.send(HttpRequest("GET", server.url))
        assert server.connections == 3


# -- TLS ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Key and certificate of 127.0.0.1, signed by itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def script(connection, number):
        with context.wrap_socket(connection, server_side=True) as secured:
            while server.request(secured):
                secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n")
                for _ in range(40):
                    secured.sendall(b"x" * 10)
                    if server.slowly:
                        server.finished.wait(0.05)

    with SocketServer(script) as server:
        server.slowly = False
        server.https = f"https://127.0.0.1:{server.port}/"
        yield server


def test_certificate_that_is_not_trusted(transport, tls):
    with pytest.raises(ConnectFailed, match="CERTIFICATE_VERIFY_FAILED"):
        transport.send(post(tls.https))
    assert tls.received == []


def test_certificate_bundle_of_the_environment(transport, tls, certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    for _ in range(2):
        assert len(transport.send(post(tls.https)).body) == 400
    assert tls.connections == 1


def test_dribbling_over_tls(transport, tls, certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    tls.slowly = True
    started = time.monotonic()
    with pytest.raises(ResponseLost):
        transport.send(post(tls.https, read_timeout=0.5))
    assert 0.4 < time.monotonic() - started < 1.2


# -- to a device of the own network ----------------------------------------------


def digest(certificate):
    """What ``openssl x509 -fingerprint -sha256`` tells, without colons."""
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    return found.fingerprint(hashes.SHA256()).hex()


@pytest.fixture
def pinned(certificate):
    return PinnedTransport(digest(certificate), largest=100_000)


def test_the_confirmed_certificate(pinned, tls):
    for _ in range(2):
        response = pinned.send(post(tls.https))
        assert (response.status, len(response.body)) == (200, 400)
    assert tls.connections == 2, "never a kept connection"


def test_a_fingerprint_in_another_form(tls, certificate):
    found = digest(certificate).upper()
    colons = ":".join(found[place : place + 2] for place in range(0, 64, 2))
    assert PinnedTransport(colons).send(post(tls.https)).status == 200


@pytest.mark.parametrize("fingerprint", ["", "ab", "x" * 64, "0" * 63, "0" * 65])
def test_what_is_no_fingerprint(fingerprint):
    with pytest.raises(ValueError):
        PinnedTransport(fingerprint)


def test_not_a_byte_to_a_device_with_another_certificate(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    came = []

    def script(connection, number):
        with context.wrap_socket(connection, server_side=True) as secured:
            came.append(secured.recv(65536))
        server.finished.set()

    with SocketServer(script) as server:
        with pytest.raises(WrongCertificate, match=digest(certificate)):
            PinnedTransport("0" * 64).send(post(f"https://127.0.0.1:{server.port}/"))
        assert server.finished.wait(2)
    assert b"".join(came) == b""


def test_pinned_is_never_http(pinned):
    with one_answer(http_answer()) as server, pytest.raises(ConnectFailed):
        pinned.send(post(server.url))
    assert server.connections == 0


def test_direct_is_never_https_and_takes_no_password(tls):
    with pytest.raises(ConnectFailed):
        DirectTransport().send(post(tls.https))
    with pytest.raises(ConnectFailed):
        DirectTransport().send(post("http://127.0.0.1/", basic=("me", "hush")))


def test_pinned_to_a_device_without_tls(pinned):
    with (
        SocketServer(lambda connection, number: connection.sendall(b"hello\r\n")) as server,
        pytest.raises(ConnectFailed),
    ):
        pinned.send(post(f"https://127.0.0.1:{server.port}/"))


def test_pinned_to_a_device_that_is_silent_in_the_handshake(pinned):
    with SocketServer(lambda connection, number: server.finished.wait(5)) as server:
        started = time.monotonic()
        with pytest.raises(ConnectFailed):
            pinned.send(post(f"https://127.0.0.1:{server.port}/", connect_timeout=0.4))
        with pytest.raises(ConnectFailed):
            fingerprint_of("127.0.0.1", server.port, 0.4)
        assert time.monotonic() - started < 2


def test_pinned_and_dribbling(pinned, tls):
    tls.slowly = True
    started = time.monotonic()
    with pytest.raises(ResponseLost):
        pinned.send(post(tls.https, read_timeout=0.5))
    assert 0.4 < time.monotonic() - started < 1.2


def test_pinned_and_no_answer(pinned, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def script(connection, number):
        with context.wrap_socket(connection, server_side=True) as secured:
            server.request(secured)

    with SocketServer(script) as server:
        with pytest.raises(ResponseLost):
            pinned.send(post(f"https://127.0.0.1:{server.port}/"))
        assert len(server.received) == 1


def test_the_environment_has_no_say_on_the_own_network(pinned, tls, monkeypatch):
    with one_answer(http_answer()) as proxy, one_answer(http_answer()) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert pinned.send(post(tls.https)).status == 200
        assert DirectTransport().send(post(server.url)).status == 200
        assert proxy.connections == 0


def test_fingerprint_of(tls, certificate):
    assert fingerprint_of("127.0.0.1", tls.port) == digest(certificate)
    with pytest.raises(ConnectFailed):
        fingerprint_of("127.0.0.1", closed_port())
    with one_answer(http_answer()) as server, pytest.raises(ConnectFailed):
        fingerprint_of("127.0.0.1", server.port, 0.5)


# -- answers ------------------------------------------------------------------


def one_answer(data):
    def script(connection, number):
        while script.server.request(connection):
            connection.sendall(data)

    server = SocketServer(script)
    script.server = server
    return server


@pytest.mark.parametrize("status", ["200 OK", "202 Accepted", "401 No", "409 Conflict", "503 No"])
def test_every_status_is_an_answer(either, status):
    body = b'{"detail": "x"}'
    with one_answer(http_answer(status, body, "X-Viva-CorrelationId: 26-104-A")) as server:
        response = either.send(post(server.url))
    assert response.status == int(status[:3])
    assert response.body == body
    assert response.headers["x-viva-correlationid"] == "26-104-A"


def test_empty_answer_and_body_that_is_no_json(either):
    with one_answer(http_answer(body=b"")) as server:
        assert either.send(post(server.url)).body == b""
    with one_answer(http_answer(body=b"<html>\xff")) as server:
        assert either.send(post(server.url)).body == b"<html>\xff"


def test_redirect_is_not_followed(either):
    with one_answer(http_answer()) as other:
        moved = http_answer("302 Found", b"", f"Location: {other.url}/")
        with one_answer(moved) as server:
            assert either.send(post(server.url)).status == 302
        assert other.connections == 0


def test_connections_are_kept(transport):
    with one_answer(http_answer(body=b"{}")) as server:
        for _ in range(5):
            transport.send(post(server.url))
        assert server.connections == 1


def test_time_limit_starts_anew_on_a_kept_connection(transport):
    def script(connection, number):
        while server.request(connection):
            time.sleep(0.3)
            connection.sendall(http_answer())

    with SocketServer(script) as server:
        for _ in range(3):
            assert transport.send(post(server.url, read_timeout=0.5)).status == 200
        assert server.connections == 1


def test_request_as_written(either):
    with one_answer(http_answer()) as server:
        either.send(
            post(
                server.url + "/ecr/v1/sessions/a%2Fb",
                params={"cashRegisterId": "till #2 & co"},
                headers={"Authorization": "Bearer abc"},
                json={"customerTrns": "Καφές", "amount": 1250},
            )
        )
        head, _, body = server.received[0].partition(b"\r\n\r\n")
    assert head.startswith(
        b"POST /ecr/v1/sessions/a%2Fb?cashRegisterId=till%20%232%20%26%20co HTTP"
    )
    assert b"\r\nAuthorization: Bearer abc" in head
    assert b"\r\nContent-Type: application/json" in head
    assert body == b'{"customerTrns": "\\u039a\\u03b1\\u03c6\\u03ad\\u03c2", "amount": 1250}'


def test_form_and_basic_in_utf_8(transport):
    with one_answer(http_answer()) as server:
        form = {"grant_type": "client_credentials"}
        transport.send(post(server.url, json=None, form=form, basic=("idé", "κωδικός")))
        head, _, body = server.received[0].partition(b"\r\n\r\n")
    assert b"\r\nAuthorization: Basic aWTDqTrOus+JzrTOuc66z4zPgg==" in head
    assert b"\r\nContent-Type: application/x-www-form-urlencoded" in head
    assert body == b"grant_type=client_credentials"


def test_cookies_and_netrc_are_left_alone(transport, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login evil password evil\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with one_answer(http_answer("200 OK", b"", "Set-Cookie: a=b")) as server:
        for _ in range(2):
            transport.send(post(server.url, headers={"Authorization": "Bearer abc"}))
        assert b"Cookie:" not in server.received[1]
        assert b"Authorization: Bearer abc" in server.received[1]


def test_through_a_proxy(transport, monkeypatch):
    with one_answer(http_answer()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert transport.send(post("http://viva.example/x")).status == 200
        assert proxy.received[0].startswith(b"POST http://viva.example/x HTTP")


def test_proxy_that_refuses_a_tunnel(transport, monkeypatch):
    """The request itself is never sent before the tunnel stands."""
    with one_answer(http_answer("403 Forbidden", b"")) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(ConnectFailed):
            transport.send(post("https://viva.example/x"))
        assert proxy.received[0].startswith(b"CONNECT viva.example:443")


def test_from_many_threads(transport):
    wrong = []

    def script(connection, number):
        while data := server.request(connection):
            connection.sendall(http_answer(body=data.partition(b"\r\n\r\n")[2]))

    def work(mine):
        for turn in range(20):
            body = transport.send(post(server.url, json={"n": mine * 1000 + turn})).body
            if body != b'{"n": %d}' % (mine * 1000 + turn):
                wrong.append(body)

    with SocketServer(script) as server:
        threads = [threading.Thread(target=work, args=(mine,)) for mine in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.connections <= 8
    assert not wrong


def test_a_forked_process_gets_connections_of_its_own(transport):
    with one_answer(http_answer()) as server:
        transport.send(post(server.url))
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if transport.send(post(server.url)).status == 200 else 1
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert server.connections == 2


def test_secrets_do_not_show():
    request = post(
        "http://x/",
        headers={"Authorization": "Bearer hush"},
        form={"client_secret": "hush"},
        basic=("me", "hush"),
    )
    assert "hush" not in repr(request)
