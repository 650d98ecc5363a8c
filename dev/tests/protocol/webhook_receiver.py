"""A small web server in a thread that receives webhooks."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = ("73696D" + "B3248222A0C9D1E7F5" * 3)[:40]


class Receiver:
    """``answers`` are the statuses of the next POSTs; after that every POST is answered 200."""

    def __init__(self) -> None:
        self.key: Any = KEY
        self.key_field = "Key"
        self.get_status = 200
        self.answers: list[int] = []
        self.received: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.url = ""

    def types(self) -> list[int]:
        return [message["EventTypeId"] for message in list(self.received)]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(
                receiver.get_status, json.dumps({receiver.key_field: receiver.key}).encode()
            )

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.raw.append(content)
            assert self.headers["Content-Type"] == "application/json"
            if content.startswith(b"{"):
                receiver.received.append(json.loads(content))
            self._answer(receiver.answers.pop(0) if receiver.answers else 200, b"thank you")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/viva/hook?t=1"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
