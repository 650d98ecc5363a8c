"""Calls to Odoo as a logged-in browser makes them (JSON-RPC with a session cookie)."""

import http.client
import http.cookiejar
import itertools
import json
import urllib.request
from typing import Any


class RpcError(Exception):
    """Odoo refused. ``name`` is the exception's class there, e.g. odoo.exceptions.UserError."""

    def __init__(self, error: dict):
        data = error.get("data") or {}
        self.name = data.get("name", "")
        self.message = data.get("message") or error.get("message", "")
        self.debug = data.get("debug", "")
        super().__init__(f"{self.name}: {self.message}")


class Lost(Exception):
    """No answer: Odoo is away, died on the way, or took longer than the time-out."""


class Client:
    """One login. Not for several threads at once: use a client for each."""

    def __init__(
        self, url: str, database: str, login: str, password: str = "", timeout: float = 60
    ):
        self.url = url
        self.timeout = timeout
        self._ids = itertools.count(1)
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        answer = self.post(
            "/web/session/authenticate",
            {"db": database, "login": login, "password": password or login},
        )
        self.uid: int = answer["uid"]

    def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """``model.method(*args, **kwargs)``; the first argument of a record method is its ids."""
        body = {"model": model, "method": method, "args": args, "kwargs": kwargs}
        return self.post(f"/web/dataset/call_kw/{model}/{method}", body)

    def post(self, path: str, params: dict) -> Any:
        body = {"jsonrpc": "2.0", "method": "call", "params": params, "id": next(self._ids)}
        request = urllib.request.Request(
            self.url + path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with self._opener.open(request, timeout=self.timeout) as answer:
                result = json.load(answer)
        except (OSError, http.client.HTTPException) as error:
            raise Lost(str(error)) from error
        if "error" in result:
            raise RpcError(result["error"])
        return result.get("result")
