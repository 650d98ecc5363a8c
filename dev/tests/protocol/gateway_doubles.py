"""What gateway tests hand in: an Odoo that speaks the signed call, and a terminal with the Local API.

Written from the contract, not with the gateway's own functions: a mistake must not hide in both.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from doubles import SocketServer

from gateway import service
from gateway.config import Config
from gateway.problems import Problem
from gateway.store import Identity, Store

ROOT = Path(__file__).resolve().parents[3]
RAW = serialization.Encoding.Raw
CODE = "7KQ4-2M8P-XW3T"
TERMINAL = "16000010"
REFERENCE = "5f0d3c1e8f524d0b9c3c0c1b7c2a9b11"


def until(check, seconds=5.0):
    """Wait for ``check()`` to answer something true, and answer that."""
    end = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
    return value


def public_bytes(private):
    return private.public_key().public_bytes(RAW, serialization.PublicFormat.Raw)


def sale(**more):
    return {
        "kind": "sale",
        "session_id": str(uuid.uuid4()),
        "terminal_id": TERMINAL,
        "cash_register_id": "till-1",
        "amount": 2550,
        "currency": "EUR",
        "merchant_reference": "POS-00042-001",
        **more,
    }


def introduce(folder, odoo):
    """Write an identity that ``odoo`` knows, as pairing does."""
    private = Ed25519PrivateKey.generate()
    odoo.gateway_key = private.public_key()
    raw = private.private_bytes(
        serialization.Encoding.Raw,
        serialization.PrivateFormat.Raw,
        serialization.NoEncryption(),
    )
    journal = Store(folder / "gateway.sqlite")
    journal.pair(
        Identity(odoo.url, "", odoo.uid, odoo.channel, "Shop A", raw, public_bytes(odoo.private))
    )
    journal.close()


class _Server:
    """An HTTP server on this machine; ``handle(handler, body)`` answers everything."""

    def __init__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def _serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    outer.handle(self, body)

            do_GET = do_POST = _serve

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

        self.http = Server(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.http.shutdown()
        self.http.server_close()

    @staticmethod
    def answer(handler, status, body=b"", headers=()):
        handler.send_response_only(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    @staticmethod
    def drop(handler):
        handler.close_connection = True
        with contextlib.suppress(OSError):
            handler.connection.shutdown(socket.SHUT_RDWR)


class Odoo(_Server):
    """Odoo's side of the contract for one gateway. ``commands`` are offered until heard of.

    ``lose``: that many answers are lost after everything was taken in. ``half``: cut off.
    ``away``: every request is dropped unread. ``spoil(status, body, headers)`` may change an answer.
    """

    def __init__(self, websocket=True):
        self.private = Ed25519PrivateKey.generate()
        self.uid, self.channel = "gw-1", "viva_gateway-secret"
        self.gateway_key = None
        self.last, self.journal = 0, {}
        self.code = CODE
        self.terminals, self.commands, self.asked = [], [], []
        self.scan, self.idle_s = None, 30
        self.reports, self.calls, self.seen = {}, [], {}
        self.scans = []
        self.lose = self.half = 0
        self.confirm = True
        self.away = False
        self.error = None
        self.spoil = None
        self.websocket = websocket
        self.lines = []
        self.handshakes = []
        self.subscriptions = []
        self.lock = threading.Lock()
        super().__init__()

    # -- what a test asks ---------------------------------------------------------

    def kinds(self, session_id):
        return [
            report["kind"]
            for _number, report in sorted(self.reports.items())
            if report["session_id"] == session_id
        ]

    def wait(self, session_id, kind, seconds=5.0):
        """Wait for a report of this kind; return its data."""

        def found():
            return [
                report
                for report in list(self.reports.values())
                if report["session_id"] == session_id and report["kind"] == kind
            ]

        return until(found, seconds)[-1]["data"]

    def order(self, request, viva_id="16000010", valid_s=10.0, hint=True):
        """Offer a start."""
        command = {"kind": "start", "session_id": request["session_id"], "viva_id": viva_id}
        self.commands.append({**command, "valid_s": valid_s, "request": request})
        if hint:
            self.hint()

    def abort(self, session_id, register="till-1"):
        command = {"kind": "abort", "session_id": session_id, "cash_register_id": register}
        self.commands.append(command)
        self.hint()

    def hint(self):
        message = {
            "id": int(time.time() * 1000),
            "message": {"type": "viva_gateway", "payload": {}},
        }
        for line in list(self.lines):
            with contextlib.suppress(OSError):
                line.sendall(_frame(json.dumps([message]).encode()))

    # -- the server ---------------------------------------------------------------

    def handle(self, handler, body):
        if self.away:
            return self.drop(handler)
        if handler.path == "/websocket":
            return self._websocket(handler)
        with self.lock:
            if handler.path == "/viva/gateway/pair":
                return self._pair(handler, json.loads(body))
            if handler.path == "/viva/gateway/sync":
                return self._sync(handler, body)
        return self.answer(handler, 404, b"<html>not here</html>")

    def _pair(self, handler, data):
        code = self.code.replace("-", "")
        if data["code_id"] != code[:3]:
            return self.answer(handler, 403, b'{"error": "code"}')
        hkdf = HKDF(hashes.SHA256(), 32, salt=None, info=b"viva-gateway-pairing")
        key = hkdf.derive(code[3:].encode())

        def proof(text):
            return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()

        public = base64.b64decode(data["public_key"])
        if data["proof"] != proof(b"viva-pair/1\n" + public):
            return self.answer(handler, 403, b'{"error": "code"}')
        self.gateway_key = Ed25519PublicKey.from_public_bytes(public)
        mine = public_bytes(self.private)
        told = {
            "uid": self.uid,
            "public_key": base64.b64encode(mine).decode(),
            "channel": self.channel,
            "name": "Shop A",
            "database": "shop",
            "proof": proof(b"viva-paired/1\n" + mine + public + self.uid.encode()),
        }
        return self._send(handler, 200, json.dumps(told).encode(), [])

    def _sync(self, handler, body):
        headers = handler.headers
        sequence = int(headers["X-Viva-Sequence"])
        digest = hashlib.sha256(body).hexdigest()
        signed = f"viva-gateway/1\n{self.uid}\n{sequence}\n{digest}".encode()
        try:
            self.gateway_key.verify(base64.b64decode(headers["X-Viva-Signature"]), signed)
        except InvalidSignature:
            return self.answer(handler, 401, b'{"error": "signature"}')
        if sequence <= self.last:
            answer = {"error": "sequence", "last": self.last}
            return self._signed(handler, sequence, 409, answer)
        data = json.loads(body)
        if any(count < self.journal.get(name, 0) for name, count in data["journal"].items()):
            answer = {"error": "sequence", "last": self.last}
            return self._signed(handler, sequence, 409, answer)
        self.last, self.journal = sequence, data["journal"]
        if self.error is not None:
            return self._signed(handler, sequence, 403, {"error": self.error})
        self.calls.append(data)
        if data["scan"]:
            self.scans.append(data["scan"])
        self.seen = {item["viva_id"]: item for item in data["terminals"]}
        confirmed = []
        for report in data["reports"]:
            known = self.reports.setdefault(report["id"], report)
            assert {**known, "age_s": 0} == {**report, "age_s": 0}, "one id, two reports"
            self._heard(report)
            confirmed.append(report["id"])
        answer = {
            "confirmed": confirmed if self.confirm else [],
            "terminals": self.terminals,
            "commands": self.commands,
            "asked": self.asked,
            "scan": self.scan,
            "idle_s": self.idle_s,
        }
        return self._signed(handler, sequence, 200, answer)

    def _heard(self, report):
        over = {"received": "start", "refused": "start", "not_started": "start"}
        over["aborting"] = "abort"
        kind = over.get(report["kind"])
        self.commands = [
            command
            for command in self.commands
            if not (command["session_id"] == report["session_id"] and command["kind"] == kind)
        ]
        if report["kind"] in ("outcome", "not_started", "lost", "refused"):
            self.asked = [name for name in self.asked if name != report["session_id"]]

    def _signed(self, handler, sequence, status, data):
        body = json.dumps(data).encode()
        digest = hashlib.sha256(body).hexdigest()
        text = f"viva-server/1\n{self.uid}\n{sequence}\n{status}\n{digest}".encode()
        signature = base64.b64encode(self.private.sign(text)).decode()
        return self._send(handler, status, body, [("X-Viva-Signature", signature)])

    def _send(self, handler, status, body, headers):
        if self.spoil is not None:
            status, body, headers = self.spoil(status, body, headers)
        if self.lose > 0:
            self.lose -= 1
            return self.drop(handler)
        if self.half > 0:
            self.half -= 1
            handler.send_response_only(status)
            for name, value in headers:
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[: len(body) // 2])
            handler.wfile.flush()
            return self.drop(handler)
        return self.answer(handler, status, body, headers)

    def _websocket(self, handler):
        self.handshakes.append(dict(handler.headers))
        if not self.websocket:
            return self.answer(handler, 503)
        key = handler.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        handler.send_response_only(101)
        for name, value in (
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", accept),
        ):
            handler.send_header(name, value)
        handler.end_headers()
        line = handler.connection
        try:
            while (message := _read_frame(handler.rfile)) is not None:
                self.subscriptions.append(json.loads(message))
                self.lines.append(line)
        finally:
            if line in self.lines:
                self.lines.remove(line)
            handler.close_connection = True
        return None

    def hang_up(self):
        """Close every websocket."""
        for line in list(self.lines):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)


def _frame(data):
    size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
    return b"\x81" + size + data


def _read_frame(file):
    head = file.read(2)
    if len(head) < 2 or head[0] & 15 == 8:
        return None
    size = head[1] & 127
    if size == 126:
        (size,) = struct.unpack(">H", file.read(2))
    mask = file.read(4)
    return bytes(byte ^ mask[place % 4] for place, byte in enumerate(file.read(size)))


class Device(_Server):
    """A terminal with the Local API, by plain http. ``charges`` is what the customer pays for.

    :ivar hold: sessions stay PROCESSING until it is false
    :ivar drop_post: ``"before"`` the request is taken in, or ``"after"`` it: no answer
    :ivar mute: no answer to anything
    """

    def __init__(self, tid="16000010"):
        self.tid = tid
        self.sessions = {}
        self.charges = []
        self.posts, self.gets = [], []
        self.hold = False
        self.drop_post = ""
        self.mute = False
        self.aborted = []
        super().__init__()

    def handle(self, handler, body):
        path = handler.path
        if self.mute:
            return self.drop(handler)
        if handler.command == "GET":
            self.gets.append(path)
            return self._json(handler, self._state(path.rsplit("/", 1)[1]))
        data = json.loads(body)
        if path.endswith("/abort"):
            self.aborted.append(data["sessionId"])
            if data["sessionId"] in self.sessions:
                self.sessions[data["sessionId"]]["aborted"] = True
            return self._json(handler, {"state": "PROCESSING", "sessionId": data["sessionId"]})
        self.posts.append((time.monotonic(), path, data))
        if self.drop_post == "before":
            return self.drop(handler)
        session_id = data["sessionId"]
        self.sessions[session_id] = data
        self.charges.append(session_id)
        if self.drop_post == "after":
            return self.drop(handler)
        state = {"state": "PROCESSING", "sessionId": session_id, "sessionType": "SALE"}
        return self._json(handler, state)

    def _state(self, session_id):
        data = self.sessions.get(session_id)
        if data is None:
            return {"state": "SESSION_NOT_FOUND_ERROR", "sessionId": session_id}
        state = {"sessionId": session_id, "sessionType": "SALE"}
        if data.get("aborted"):
            told = {"tid": self.tid, "amount": data["amount"], "eventId": 1016, "isSuccess": False}
            told["isAbortRequested"] = True
            return {**state, "state": "FAILURE", "payloadData": {"saleResponse": told}}
        if self.hold:
            return {**state, "state": "PROCESSING"}
        told = {
            "transactionId": f"b1b2c3d4-0000-4000-8000-{len(self.charges):012d}",
            "tid": self.tid,
            "amount": data["amount"],
            "tipAmount": 0,
            "eventId": 0,
            "isSuccess": True,
            "transactionTypeId": 5,
            "message": "Transaction successful",
        }
        return {**state, "state": "SUCCESS", "payloadData": {"saleResponse": told}}

    def _json(self, handler, data):
        self.answer(handler, 200, json.dumps(data).encode(), [("Content-Type", "application/json")])

    def entry(self, **more):
        """This terminal as Odoo lists it."""
        return {
            "viva_id": "16000010",
            "protocol": "local",
            "host": "127.0.0.1",
            "port": self.port,
            "scheme": "http",
            "fingerprint": "",
            "ready_mode": "auto",
            "cancel_layout": "off",
            "capture_link": "transaction_id",
            "platform": "paydroid",
            "loopback": True,
            **more,
        }


class TcpDevice(SocketServer):
    """A terminal of the TCP/IP protocol: greets, takes a sale, answers when ``release`` is set.

    :ivar counts: each answer has numbers of its own; else it is always the same one
    :ivar greeting_s: seconds until it greets
    """

    counts = True
    greeting_s = 0.0

    def __init__(self, tid="16000010"):
        self.tid = tid
        self.charges = []
        self.release = threading.Event()
        self.release.set()
        super().__init__(self._talk)

    def _talk(self, line, number):
        time.sleep(self.greeting_s)
        line.sendall(b"0014|810|00|000032")
        head = line.recv(4, socket.MSG_WAITALL)
        if not head:
            return  # only a look
        fields = line.recv(int(head), socket.MSG_WAITALL).decode().split("|")
        self.charges.append(fields[4])
        stan = f"{122 + len(self.charges):06d}" if self.counts else "000123"
        while not self.release.wait(0.02):
            if self.finished.is_set():
                return
        fields = [
            *("000065", "210", "00", "00", f"Contactless/None~RRN:432910{stan}", "VISA"),
            *("400000******0002", stan, "181644", "000001", fields[5], "1010"),
            *("00", "00", "00", "00", "00", "00", f"{self.tid:>12}"),
        ]
        body = "".join("|" + field for field in fields)
        line.sendall(f"{len(body):04d}{body}".encode())

    def cut(self):
        """Somebody pulls the cable of every connection."""
        for line in list(self._open):
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def entry(self, **more):
        """This terminal as Odoo lists it."""
        entry = Device.entry(self, scheme="", platform="prolin")
        return {**entry, "protocol": "tcp", **more}


class Process:
    """``python -m gateway`` with a state folder of its own."""

    def __init__(self, state, *words, die_at="", **environment):
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith("VIVA_GATEWAY")
        }
        if die_at:
            clean["VIVA_GATEWAY_DIE_AT"] = die_at
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "--state", str(state), *words],
            cwd=ROOT,
            env={**clean, "NO_PROXY": "127.0.0.1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *args):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def end(self, seconds=20):
        """Wait for its end; return exit code and everything that it said."""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out + err

    def stop(self, seconds=20):
        self.process.terminate()
        return self.end(seconds)


class Running:
    """A gateway in a thread of this process."""

    def __init__(self, folder):
        self.service = service.Service(Config(state=folder))
        self.problem = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            self.service.run()
        except Problem as problem:
            self.problem = problem

    def stop(self):
        self.service.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.stop()
