"""A bare client of the pretend Viva, so that the simulator is tested without the drivers."""

import uuid
from typing import Any

import httpx
from simulator_process import MERCHANT, TERMINAL, SimulatorProcess, until


class VivaClient:
    def __init__(
        self, simulator: SimulatorProcess, prefix: str = "sim", client: str = "client"
    ) -> None:
        self.simulator = simulator
        self.http = httpx.Client(base_url=simulator.url, trust_env=False, verify=False, timeout=10)
        secret = "secret" if client == "client" else f"{client}-secret"
        self.credentials = (f"{prefix}-{client}.apps.vivapayments.com", f"{prefix}-{secret}")
        self.basic = (MERCHANT, "sim-api-key")
        self.root = "/ecr/v1"
        self.renew()

    def renew(self) -> httpx.Response:
        response = self.http.post(
            "/connect/token", data={"grant_type": "client_credentials"}, auth=self.credentials
        )
        if response.status_code == 200:
            self.http.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
        return response

    @staticmethod
    def sale_body(**changes: Any) -> dict[str, Any]:
        body = {
            "sessionId": str(uuid.uuid4()),
            "terminalId": TERMINAL,
            "cashRegisterId": "till-1",
            "amount": 1250,
            "currencyCode": "978",
            "merchantReference": "POS/0042/1",
            "customerTrns": "Table 7",
            "preauth": False,
            "maxInstalments": 0,
            "tipAmount": 0,
        }
        body.update(changes)
        return {name: value for name, value in body.items() if value is not ...}

    def post(self, operation: str, body: dict[str, Any]) -> httpx.Response:
        return self.http.post(f"{self.root}/transactions:{operation}", json=body)

    def sale(self, **changes: Any) -> str:
        """Start a sale that is accepted; answers its session id."""
        body = self.sale_body(**changes)
        response = self.post("sale", body)
        assert (response.status_code, response.content) == (200, b""), response.text
        return str(body["sessionId"])

    def paid(self, **changes: Any) -> dict[str, Any]:
        """A sale that is paid by a contactless card; answers the session object."""
        session_id = self.sale(**changes)
        self.simulator.act("tap", changes.get("terminalId", TERMINAL))
        return self.final(session_id)

    def follow_up(self, operation: str, parent: str, amount: int, **changes: Any) -> httpx.Response:
        body = {
            "sessionId": str(uuid.uuid4()),
            "parentSessionId": parent,
            "terminalId": TERMINAL,
            "cashRegisterId": "till-1",
            "amount": amount,
            "currencyCode": "978",
            **changes,
        }
        self.last_session = str(body["sessionId"])
        return self.post(operation, body)

    def follow_up_result(
        self, operation: str, parent: str, amount: int, **changes: Any
    ) -> dict[str, Any]:
        response = self.follow_up(operation, parent, amount, **changes)
        assert response.status_code == 200, response.text
        return self.final(self.last_session)

    def get(self, session_id: str) -> httpx.Response:
        return self.http.get(f"{self.root}/sessions/{session_id}")

    def final(self, session_id: str) -> dict[str, Any]:
        def check() -> dict[str, Any] | None:
            response = self.get(session_id)
            return response.json() if response.status_code == 200 else None

        return until(check)

    def abort(self, session_id: str, register: str | None = "till-1") -> httpx.Response:
        params = {"cashRegisterId": register} if register else {}
        return self.http.delete(f"{self.root}/sessions/{session_id}", params=params)
