"""Odoo's websocket: an empty message there means "come and ask". Nothing else is taken from it.

It is only a faster way to the next call: without it the gateway asks by itself.
"""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import requests
import websocket

from .config import Config
from .log import get
from .store import Identity

TYPE = "viva_gateway"
#: Odoo pings after 40 s without traffic, 55 s at the latest. Longer silence: the line is dead.
SILENCE_S = 75.0
LONGEST_WAIT_S = 60.0
_dice = random.Random()


class Hints(threading.Thread):
    """Calls ``hint()`` for each message, and after each (re)connection."""

    def __init__(self, identity: Identity, config: Config, hint: Callable[[], None]) -> None:
        super().__init__(name="hints", daemon=True)
        self._odoo = config.odoo or identity.odoo
        self._database = config.database or identity.database
        self._ca_bundle = config.ca_bundle
        self._channel = identity.channel
        self._hint = hint
        self._last = 0
        self._over = threading.Event()
        self._socket: Any = None  # a WebSocket; parts of the library have no types
        self.connected = False

    def stop(self) -> None:
        self._over.set()
        line = self._socket
        if line is not None:
            with contextlib.suppress(Exception):
                line.shutdown()

    def run(self) -> None:
        failed = 0
        while not self._over.is_set():
            began = time.monotonic()
            try:
                self._listen()
            except Exception as error:
                get().debug("No hints from Odoo: %s: %s", type(error).__name__, error)
            if self.connected:
                get().info("Odoo's websocket is closed; asking from time to time instead.")
            self.connected = False
            failed = 0 if time.monotonic() - began > SILENCE_S else failed + 1
            longest = min(LONGEST_WAIT_S, 2.0 ** min(failed, 10))
            self._over.wait(longest * _dice.uniform(0.5, 1))

    def _listen(self) -> None:
        # No User-Agent: a browser's connection would need the version of Odoo's own worker.
        line: Any = websocket.create_connection(
            "ws" + self._odoo[4:] + "/websocket",
            origin=self._odoo,
            cookie=self._cookie() or None,
            timeout=10,
            sslopt={"ca_certs": self._ca_bundle} if self._ca_bundle else {},
            enable_multithread=True,
        )
        self._socket = line
        try:
            line.settimeout(SILENCE_S)
            data = {"channels": [self._channel], "last": self._last}
            line.send(json.dumps({"event_name": "subscribe", "data": data}))
            self.connected = True
            get().info("Odoo's websocket is open.")
            self._hint()
            while not self._over.is_set():
                code, content = line.recv_data(control_frame=True)
                if code == websocket.ABNF.OPCODE_CLOSE:
                    return
                if code == websocket.ABNF.OPCODE_TEXT and self._is_hint(content):
                    self._hint()
        finally:
            self._socket = None
            line.shutdown()

    def _is_hint(self, content: bytes) -> bool:
        found = False
        for item in _notifications(content):
            number = item.get("id")
            if isinstance(number, int):
                self._last = max(self._last, number)
            message = item.get("message")
            found = found or (isinstance(message, dict) and message.get("type") == TYPE)
        return found

    def _cookie(self) -> str:
        """With several databases Odoo's websocket needs a session that names one."""
        if not self._database:
            return ""
        try:
            with requests.Session() as session:
                session.get(
                    f"{self._odoo}/web/login",
                    params={"db": self._database},
                    timeout=10,
                    verify=self._ca_bundle or True,
                )
                found = session.cookies.get("session_id")
        except requests.RequestException:
            return ""
        return f"session_id={found}" if found else ""


def _notifications(content: bytes) -> list[dict[str, Any]]:
    try:
        data = json.loads(content)
    except ValueError:
        return []
    return [item for item in data if isinstance(item, dict)] if isinstance(data, list) else []
