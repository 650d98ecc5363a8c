"""What a gateway in a shop's network calls: pairing, and the one call that it repeats (`models/viva_gateway_sync.py`)."""

import json

from odoo import SUPERUSER_ID, http
from odoo.http import request

MAX_PAIR_BYTES = 4 * 1024
MAX_SYNC_BYTES = 512 * 1024
_ROUTE = {
    "type": "http",
    "auth": "none",
    "methods": ["POST"],
    "csrf": False,
    "save_session": False,
    "readonly": False,
}


class VivaGateway(http.Controller):
    @http.route("/viva/gateway/pair", max_content_length=MAX_PAIR_BYTES + 1, **_ROUTE)
    def pair(self, **_query):
        body = request.httprequest.get_data()
        if len(body) > MAX_PAIR_BYTES:
            return self._answer(413, b'{"error":"too large"}')
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            message = None
        status, answer = self._gateways()._pair(message, request.httprequest.remote_addr or "")
        return self._answer(status, json.dumps(answer).encode())

    @http.route("/viva/gateway/sync", max_content_length=MAX_SYNC_BYTES + 1, **_ROUTE)
    def sync(self, **_query):
        body = request.httprequest.get_data()
        if len(body) > MAX_SYNC_BYTES:
            return self._answer(413, b'{"error":"too large"}')
        headers = request.httprequest.headers
        status, answer, signature = self._gateways()._sync(
            headers.get("X-Viva-Gateway", ""),
            headers.get("X-Viva-Sequence", ""),
            headers.get("X-Viva-Signature", ""),
            body,
        )
        return self._answer(status, answer, signature)

    @staticmethod
    def _gateways():
        return request.env(user=SUPERUSER_ID, su=True)["viva.gateway"]

    @staticmethod
    def _answer(status, body, signature=None):
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        if signature:
            headers.append(("X-Viva-Signature", signature))
        return request.make_response(body, headers=headers, status=status)
