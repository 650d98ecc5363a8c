"""HTTP, handed into the drivers, with one promise: it says whether anything was sent.

:class:`RequestsTransport` goes to Viva; :class:`DirectTransport` and :class:`PinnedTransport` to
a device of the own network.

A payment request that certainly never left may be repeated; one that may have
arrived must be read back instead. So a transport raises :class:`ConnectFailed`
only when not one byte of the request was sent, and :class:`ResponseLost` for
everything that goes wrong afterwards. In doubt it is the second.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import io
import json
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

import requests
import requests.adapters
import urllib3
import urllib3.connection
import urllib3.connectionpool


class ConnectFailed(Exception):
    """No connection; nothing was sent.

    Not an ``OSError``, so that it passes through the layers below unchanged.
    """


class WrongCertificate(ConnectFailed):
    """The device at the address has another certificate than the one that was confirmed."""


class NotInTime(ConnectFailed):
    """There was a connection, but ``may_send`` has said no; nothing was sent."""


class ResponseLost(Exception):
    """Something may have been sent, and there is no answer that can be used."""


@dataclass(frozen=True)
class HttpRequest:
    """One request. Times are in seconds.

    :param url: without a query; its path is percent-encoded already
    :param params: query values, in plain text
    :param json: body as JSON, or
    :param form: body as form fields
    :param basic: user and password of HTTP Basic
    :param connect_timeout: for each address of the host
    :param read_timeout: for the whole answer, headers and body
    :param may_send: asked by :class:`DirectTransport` when the connection stands, right before the
        first byte; the program may have been frozen until then
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict)
    json: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = field(default=None, repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    connect_timeout: float = 2.0
    read_timeout: float = 3.0
    may_send: Callable[[], bool] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class HttpResponse:
    """One answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Transport(Protocol):
    """Whatever carries a request to Viva: the network, or a double in a test."""

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return the answer, whatever its status.

        :raises ConnectFailed: nothing was sent
        :raises ResponseLost: something may have been sent
        """
        ...


class RequestsTransport:
    """The network, by the ``requests`` library.

    Connections are kept for the next request. Nothing is repeated, no redirect is
    followed, no cookie kept, no ``.netrc`` read; proxies and certificate bundles of
    the environment are respected. May be used from many threads, and survives
    a fork (each process gets connections of its own).

    :param largest: answers with more bytes count as lost
    """

    def __init__(self, largest: int = 8 * 1024 * 1024) -> None:
        self._largest = largest
        self._lock = threading.Lock()
        self._session: requests.Session | None = None
        self._process = 0

    def send(self, request: HttpRequest) -> HttpResponse:
        session = self._open()
        try:
            prepared = session.prepare_request(_to_requests(request))
            settings = session.merge_environment_settings(prepared.url, {}, True, None, None)
        except (requests.RequestException, ValueError, TypeError) as error:
            raise ConnectFailed(f"The request cannot be written: {error}") from error
        timeout = (request.connect_timeout, request.read_timeout)
        try:
            response = session.send(prepared, timeout=timeout, allow_redirects=False, **settings)
            try:
                body = self._read(response)
            finally:
                response.close()
        except (
            requests.exceptions.InvalidSchema,
            requests.exceptions.InvalidURL,
        ) as error:
            raise ConnectFailed(f"The address cannot be used: {error}") from error
        except (ConnectFailed, ResponseLost):
            raise
        except Exception as error:
            # Whatever broke, broke after the connection stood: the request may have arrived.
            raise ResponseLost(f"{type(error).__name__}: {error}") from error
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(response.status_code, headers, body)

    def close(self) -> None:
        """Close the connections that are kept."""
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def _open(self) -> requests.Session:
        with self._lock:
            if self._session is None or self._process != os.getpid():
                self._session = _new_session()
                self._process = os.getpid()
            return self._session

    def _read(self, response: requests.Response) -> bytes:
        body = bytearray()
        while chunk := response.raw.read(65536, decode_content=True):
            body += chunk
            _limit(body, self._largest)
        # urllib3 1.26, which Debian ships, takes a body that was cut off for a whole one.
        declared = response.headers.get("Content-Length", "")
        whole = "Content-Encoding" in response.headers or not declared.isdecimal()
        if not whole and len(body) < int(declared):
            raise ResponseLost("The answer was cut off.")
        return bytes(body)


class DirectTransport:
    """http to a device of the own network: no proxy, whatever the environment says.

    A connection for each request: one that is kept may have been closed meanwhile, and then
    nobody knows whether a start had arrived. May be used from many threads.

    :param largest: answers with more bytes count as lost
    """

    scheme = "http"
    port = 80

    def __init__(self, largest: int = 256 * 1024) -> None:
        self._largest = largest

    def send(self, request: HttpRequest) -> HttpResponse:
        with _connecting():
            address = urlsplit(request.url)
            if address.scheme != self.scheme or not address.hostname:
                raise ConnectFailed(f"{request.url!r} is not an address of {self.scheme}.")
            if request.basic is not None:
                raise ConnectFailed("A password is not for a device of the own network.")
            headers, data = _content(request)
            if data is not None:
                headers["Content-Length"] = str(len(data))
            headers.update({"Connection": "close", "User-Agent": "viva_payments"})
            connection = http.client.HTTPConnection(
                address.hostname, address.port or self.port, timeout=request.connect_timeout
            )
            connection.response_class = _TimedResponse
            # Written into the connection's buffer, so that a bad header is found beforehand.
            target = (address.path or "/") + _query(request)
            connection.putrequest(request.method, target, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            try:
                connection.connect()
                self._secure(connection, address.hostname)
                if request.may_send is not None and not request.may_send():
                    raise NotInTime("The order is not valid any more.")
            except BaseException:
                connection.close()
                raise
        try:
            connection.sock.settimeout(request.read_timeout)
            connection.endheaders(data)
            response = connection.getresponse()
            body = bytearray()
            while chunk := response.read(65536):
                body += chunk
                _limit(body, self._largest)
            if response.length:
                raise ResponseLost("The answer was cut off.")
        except ResponseLost:
            raise
        except Exception as error:
            raise ResponseLost(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()
        told = {name.lower(): value for name, value in response.getheaders()}
        return HttpResponse(response.status, told, bytes(body))

    def _secure(self, connection: http.client.HTTPConnection, host: str) -> None:
        """Make the connection one that may carry the request."""


class PinnedTransport(DirectTransport):
    """https to a device whose certificate nobody has signed but a person has confirmed.

    Not one byte of a request is sent to a device with another certificate.

    :param fingerprint: SHA-256 of the certificate, 64 hexadecimal digits, colons allowed
    """

    scheme = "https"
    port = 443

    def __init__(self, fingerprint: str, largest: int = 256 * 1024) -> None:
        super().__init__(largest)
        self._fingerprint = fingerprint.replace(":", "").strip().lower()
        if not re.fullmatch(r"[0-9a-f]{64}", self._fingerprint):
            raise ValueError("A fingerprint has 64 hexadecimal digits.")

    def _secure(self, connection: http.client.HTTPConnection, host: str) -> None:
        connection.sock = _secured(connection.sock, host)
        found = _fingerprint(connection.sock)
        if not hmac.compare_digest(found, self._fingerprint):
            raise WrongCertificate(f"Its certificate is {found}, not {self._fingerprint}.")


def fingerprint_of(host: str, port: int, timeout: float = 3.0) -> str:
    """Return the SHA-256 of the certificate that a device shows: 64 digits in lower case.

    :raises ConnectFailed: nobody there, or nobody who speaks TLS
    """
    with (
        _connecting(),
        socket.create_connection((host, port), timeout) as plain,
        _secured(plain, host) as secured,
    ):
        return _fingerprint(secured)


def _secured(sock: socket.socket, host: str) -> ssl.SSLSocket:
    """TLS that believes every certificate: who calls this compares the fingerprint."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock, server_hostname=host)


def _fingerprint(sock: ssl.SSLSocket) -> str:
    return hashlib.sha256(sock.getpeercert(binary_form=True) or b"").hexdigest()


def _limit(body: bytearray, largest: int) -> None:
    if len(body) > largest:
        raise ResponseLost(f"The answer has more than {largest} bytes.")


def _to_requests(request: HttpRequest) -> requests.Request:
    headers, data = _content(request)
    return requests.Request(
        request.method,
        request.url + _query(request),
        headers=headers,
        data=data,
        auth=_Authorise(request.basic),
    )


def _query(request: HttpRequest) -> str:
    return "?" + urlencode(request.params, quote_via=quote) if request.params else ""


def _content(request: HttpRequest) -> tuple[dict[str, str], bytes | None]:
    """Return the headers that say what is wanted and what is sent, and the body."""
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", **request.headers}
    data: bytes | None = None
    if request.json is not None:
        data = json.dumps(request.json, allow_nan=False).encode()
        headers["Content-Type"] = "application/json"
    elif request.form is not None:
        data = urlencode(request.form).encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    return headers, data


class _Authorise(requests.auth.AuthBase):
    """HTTP Basic in UTF-8, or nothing at all: ``.netrc`` would replace the access token."""

    def __init__(self, basic: tuple[str, str] | None) -> None:
        self._basic = basic

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._basic is not None:
            user, password = (part.encode() for part in self._basic)
            requests.auth.HTTPBasicAuth(user, password)(prepared)
        return prepared


def _new_session() -> requests.Session:
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers["User-Agent"] = "viva_payments"
    adapter = Adapter(pool_connections=16, pool_maxsize=32, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


# Below: connections that tell a failed connect from a lost answer at the place where
# it is known, and that give an answer one time limit instead of one per packet.


@contextmanager
def _connecting() -> Iterator[None]:
    try:
        yield
    except ConnectFailed:
        raise
    except Exception as error:
        raise ConnectFailed(f"{type(error).__name__}: {error}") from error


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a moment in time, however slowly the bytes come."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        limit = sock.gettimeout()
        self._end = None if limit is None else time.monotonic() + limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._end is not None:
            left = self._end - time.monotonic()
            if left <= 0:
                raise TimeoutError("The answer did not end in time.")
            self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedSocket:
    """What :class:`http.client.HTTPResponse` wants of a socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._sock))


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(_TimedSocket(sock), *args, **kwargs)  # type: ignore[arg-type]


class _HTTPConnection(urllib3.connection.HTTPConnection):
    response_class = _TimedResponse

    def connect(self) -> None:
        with _connecting():
            super().connect()


class _HTTPSConnection(urllib3.connection.HTTPSConnection):
    response_class = _TimedResponse

    def connect(self) -> None:
        with _connecting():
            super().connect()


class _HTTPPool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


_POOLS = {"http": _HTTPPool, "https": _HTTPSPool}


class Adapter(requests.adapters.HTTPAdapter):
    """For a session of ``requests`` that has to know :class:`ConnectFailed` from a lost answer."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.PoolManager:
        manager: urllib3.PoolManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = dict(_POOLS)
        return manager
