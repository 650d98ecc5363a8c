"""Talks to Odoo as a browser tab does: JSON-RPC in a session with a cookie."""

from typing import Any

import httpx


class OdooError(Exception):
    """What the tab would show; ``name`` is the class of the exception on the server."""

    def __init__(self, error: dict[str, Any]) -> None:
        data = error.get("data") or {}
        super().__init__(data.get("message") or error.get("message"))
        self.name = data.get("name", "")


class Client:
    """One logged-in person; may be used by several threads, like a tab with several requests.

    Every call opens a connection: a kept one would always reach the same worker.
    """

    def __init__(self, url: str, database: str, login: str, password: str) -> None:
        self._http = httpx.Client(
            base_url=url,
            trust_env=False,
            verify=False,
            timeout=60,
            limits=httpx.Limits(max_keepalive_connections=0),
        )
        found = self._post(
            "/web/session/authenticate", db=database, login=login, password=password
        )
        self.user_id: int = found["uid"]

    def call(
        self, model: str, method: str, *args: Any, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Call a public method. ``timeout`` in seconds; :raises httpx.HTTPError: no answer."""
        return self._post(
            f"/web/dataset/call_kw/{model}/{method}",
            timeout,
            model=model,
            method=method,
            args=list(args),
            kwargs=kwargs,
        )

    def close(self) -> None:
        self._http.close()

    def _post(self, path: str, timeout: float | None = None, **params: Any) -> Any:
        response = self._http.post(
            path,
            json={"jsonrpc": "2.0", "method": "call", "params": params},
            timeout=timeout or 60,
        )
        response.raise_for_status()
        answer = response.json()
        if "error" in answer:
            raise OdooError(answer["error"])
        return answer.get("result")
