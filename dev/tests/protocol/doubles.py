"""What tests hand in instead of Viva: a server made of a script, and a transport made of answers."""

import contextlib
import json
import socket
import threading

from drivers import HttpResponse


class SocketServer:
    """A TCP server on this machine; ``script(connection, number)`` serves each connection.

    ``number`` counts connections from 1. ``received`` holds what :meth:`request` has read.
    """

    def __init__(self, script):
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = []
        self.connections = 0
        self.received = []
        self.finished = threading.Event()
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.finished.set()
        # shutdown first: close alone does not wake the thread in accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self):
        while True:
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            self.connections += 1
            arguments = (connection, self.connections)
            threading.Thread(target=self._serve, args=arguments, daemon=True).start()

    def _serve(self, connection, number):
        with contextlib.suppress(OSError):
            self._script(connection, number)
        connection.close()

    def request(self, connection):
        """Read one whole request and return it; ``b""`` when the client has gone."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        while len(body) < length:
            body += connection.recv(65536)
        whole = head + b"\r\n\r\n" + body
        self.received.append(whole)
        return whole


def http_answer(status="200 OK", body=b"{}", *headers):
    """Bytes of an HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answer(status, data=None, **headers):
    """An :class:`HttpResponse`; ``data`` is bytes, or becomes JSON; ``x_y`` becomes ``x-y``."""
    body = data if isinstance(data, bytes) else b"" if data is None else json.dumps(data).encode()
    return HttpResponse(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, body
    )


class ScriptedTransport:
    """Gives prepared answers in turn (or raises them) and keeps the requests."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def send(self, request):
        self.requests.append(request)
        item = self.answers.pop(0)
        if callable(item):
            item = item(request)
        if isinstance(item, Exception):
            raise item
        return item
