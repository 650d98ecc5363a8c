"""What Viva sends to us: the key handshake and the events (viva/webhooks.md)."""

import json

from odoo import SUPERUSER_ID, http
from odoo.http import request

from ..models.ledger import in_ledger
from .hidden_paths import hide

MAX_BYTES = 256 * 1024
hide("/viva/webhook/", r"[^\s/?\"]+")


class VivaWebhook(http.Controller):
    @http.route(
        "/viva/webhook/<string:path>",
        type="http",
        auth="none",
        methods=["GET", "POST"],
        csrf=False,
        save_session=False,
        readonly=False,
        max_content_length=MAX_BYTES + 1,  # a body of unknown length is cut off there
    )
    def webhook(self, path, **_query):
        env = request.env(user=SUPERUSER_ID, su=True)
        account = env["viva.account"]._by_webhook_path(path)
        if not account:
            return request.make_json_response({"error": "not found"}, status=404)
        if request.httprequest.method == "POST":
            return self._event(account)
        return self._handshake(account)

    def _handshake(self, account):
        """Viva's Verify button asks for the key of the merchant."""
        if not account.webhook_key:
            return request.make_json_response(
                {"error": "press Check on the Viva account first"}, status=404
            )
        account._webhook_verified()
        return request.make_json_response({"Key": account.webhook_key})

    def _event(self, account):
        """Store, ping the till, acknowledge. No outgoing call, and no 500: Viva would repeat it for a day."""
        body = request.httprequest.get_data()
        if len(body) > MAX_BYTES:
            return request.make_json_response({"error": "too large"}, status=413)
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            return request.make_json_response({"error": "not JSON"}, status=400)
        if not isinstance(message, dict):
            return request.make_json_response({"error": "not an object"}, status=400)
        # A cursor of its own: a lost race against a till that asks is repeated at once, not by Odoo in seconds.
        in_ledger(
            account.env,
            lambda env: env["viva.event"]._receive(account, message),
        )
        return request.make_json_response({"ok": True})
