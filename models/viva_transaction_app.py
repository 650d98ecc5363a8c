"""App-to-App: the viva.com | Terminal app on the till's own device.

The browser opens an address that Odoo has made, and the app returns to another one. Neither proves anything: whoever
has the address can open it. So what the app says is a hint; Viva's list decides (`viva_transaction_lookup`). The
address that charges is in one answer only, that of the request which has recorded the attempt: whoever asks again
gets the ways to look and to cancel, and never one to charge.
"""

import logging
import re
from datetime import timedelta
from urllib.parse import urlencode

from odoo import api, fields, models

from ..drivers import BadRequest, UnreferencedRefundRequest, app
from .ledger import in_ledger, own_cursor
from .viva_transaction import FINAL_NO, UNSETTLED
from .viva_transaction_api import API_MISSING_AFTER
from .viva_transaction_settle import DEADLINE
from .ways import APP

_logger = logging.getLogger(__name__)

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,64}")

KINDS = ("", "abort", "details")
MOST_CALLS = 12  # returns of the app that are kept of one operation; more is somebody's game
# So long (seconds) after the answer a till may open the address that charges; then it forgets it.
OPEN_WITHIN = 45
# After a no the app may still tell of a success for so long.
LATE = timedelta(days=1)

ABORTED = -57  # the app's code (app-to-app.md, 4)
# What of the app's answers counts until another one outweighs it.
_KEPT = ("status", "code", "transaction_id", "message")
# What opens the app for each operation; a refund without an original has its own.
_URI = {
    "sale": app.sale_uri,
    "preauth": app.preauth_uri,
    "capture": app.capture_uri,
    "void": app.cancel_uri,
    "refund": app.cancel_uri,
}


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    app_base = fields.Char(
        readonly=True,
        copy=False,
        groups="viva_payments.group_viva_manager",
        help="The address by which the till has reached Odoo: the app returns there.",
    )
    app_answer = fields.Json(
        readonly=True,
        copy=False,
        groups="viva_payments.group_viva_manager",
        help="What the app has said last: a hint, never a proof.",
    )
    app_told_at = fields.Datetime("The app returned at", readonly=True, copy=False)
    app_calls = fields.Integer(readonly=True, copy=False)

    # -- start -----------------------------------------------------------------------------------

    @api.model
    def _send_by_app(self, recorded):
        """Hand the operation to the till, which opens the app. Returns the Status, the only one with its address."""
        account = self.env["viva.account"].browse(recorded.values["account_id"])
        callback = self._app_callback(recorded.values["app_base"], recorded.values["app_token"])
        request = self._terminal_request(recorded.values)
        try:
            is_unreferenced = isinstance(request, UnreferencedRefundRequest)
            build = app.unreferenced_uri if is_unreferenced else _URI[recorded.values["operation"]]
            uri = build(request, callback=callback)
        except ValueError as error:
            wrong = BadRequest(str(error))
            return self._settle_error(recorded.id, wrong, "failed", "bad_request")
        may_decide = self._can_decide()

        def work(env):
            transaction = env["viva.transaction"].browse(recorded.id)._lock()
            if transaction.state != "sent":
                return None  # it was given up meanwhile
            transaction._move(
                "pending",
                kind="accepted",
                note=env._("Handed to the app on the till's own device."),
                values={"offered_at": fields.Datetime.now()},
            )
            return transaction._status(False, may_decide)

        status = in_ledger(self.env, work)
        if status:
            status["app"]["uri"] = self._on_device(
                account, uri, recorded.values["terminal_viva_id"]
            )
        return status

    @api.model
    def _on_device(self, account, uri, terminal_viva_id):
        """What the till opens: the app itself, or with custom addresses the page that plays it."""
        account = account.sudo()
        if account.environment != "custom":
            return uri
        return f"{account.www_url}/app?{urlencode({'uri': uri, 'terminal': terminal_viva_id})}"

    @api.model
    def _app_callback(self, base, token, kind=""):
        return "/".join(filter(None, [base.rstrip("/"), "viva/app", token, kind]))

    def _app_addresses(self):
        """What the till may open on its own device for this operation: nothing that charges. None: not by the app."""
        self.ensure_one()
        if self.protocol != APP or not self.app_token:
            return None
        addresses = {"uri": "", "foreground": app.foreground_uri(), "details": "", "abort": ""}
        if self.app_side_token and self.user_id.id == self.env.uid:
            # Nobody else is told to which address the app answers.
            addresses |= self._side_addresses()
        shown = {
            name: uri and self._on_device(self.account_id, uri, self.terminal_viva_id)
            for name, uri in addresses.items()
        }
        return {**shown, "open_s": OPEN_WITHIN}

    def _side_addresses(self):
        base = self.app_base or self.account_id.get_base_url()
        callbacks = {
            kind: self._app_callback(base, self.app_side_token, kind)
            for kind in ("details", "abort")
        }
        try:
            return {
                "details": app.details_uri(self.merchant_reference, callback=callbacks["details"]),
                "abort": app.abort_uri(callback=callbacks["abort"]),
            }
        except ValueError as error:
            # The server's address was changed under an open payment: the app would not return to it.
            _logger.warning("viva: no address for the app to return to: %s", error)
            return {}

    # -- return ----------------------------------------------------------------------------------

    @api.model
    def _by_app_token(self, token, kind):
        """The operation whose address this is, or none. In superuser mode."""
        transactions = self.sudo()
        if not _TOKEN.fullmatch(token) or kind not in KINDS:
            return transactions.browse()
        name = "app_side_token" if kind else "app_token"
        return transactions.search([(name, "=", token)], limit=1)

    @api.model
    def _note_app_return(self, transaction_id, answer, kind):
        """Keep what the app says. It decides nothing; told twice, it is kept once. Returns whether it was news."""

        def work(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            said = transaction._read_app_answer(answer, kind)
            known = transaction.app_answer or {}
            before = {name: known.get(name, "") for name in _KEPT}
            is_own = not said["foreign"]
            kept = before
            if is_own and transaction._outweighs(said, before):
                kept = {name: said[name] for name in _KEPT}
            is_new = said != known.get("last") or kept != before
            # The first success is kept however often the app has come before.
            adds = kept != before and before["status"] != "success"
            is_capped = transaction.app_calls >= MOST_CALLS and not adds
            if not is_new or is_capped:
                return False
            is_second = is_own and transaction._names_another(said)
            values = {
                "app_calls": transaction.app_calls + 1,
                "app_answer": {**kept, "last": said},
                "app_told_at": fields.Datetime.now(),
            }
            if is_own and kind == "abort" and said["status"] == "fail" and said["code"] != ABORTED:
                values["abort_refused"] = True
            late = transaction.state in FINAL_NO and said["status"] == "success" and is_own
            if is_second or (late and transaction._age() < LATE.total_seconds()):
                values["recheck_at"] = fields.Datetime.now()
            transaction.write(values)
            words = env._("The app says: %s", said["message"] or said["status"] or "-")
            if not is_own:
                words = env._("The app has answered with another payment: not believed.")
            transaction._step("app", note=words, raw=dict(answer.raw))
            if is_second:
                transaction._alarm_second_id()
            if transaction.state not in UNSETTLED and not late and not is_second:
                return False
            transaction._tell()
            env.ref("viva_payments.cron_settle")._trigger()
            return True

        return in_ledger(self.env, work)

    def _read_app_answer(self, answer, kind):
        status = answer.status
        if kind == "abort" and status == "success" and answer.action == "abort":
            status = "fail"  # what succeeded is the cancellation
        code = ABORTED if status == "fail" and answer.status == "success" else answer.code
        return {
            "kind": kind,
            "status": status if status in ("success", "fail") else "",
            "code": code,
            "transaction_id": answer.transaction_id if status == "success" else "",
            "message": (answer.message or "")[:200],
            "foreign": not self._may_be_own(answer.reference),
        }

    def _may_be_own(self, reference):
        """Money back and a capture have no place for our reference: the app may tell that of the original."""
        names = {"", self.merchant_reference, self.parent_id.merchant_reference or ""}
        return reference in names

    def _names_another(self, said):
        """A success with another id than the one that is booked: two payments under one reference?"""
        told, booked = said["transaction_id"], (self.viva_transaction_id or "").lower()
        told = told.lower() if isinstance(told, str) else ""
        return self.state == "approved" and bool(told and booked) and told != booked

    def _is_another(self, data):
        """The same about an event, where Viva's list is the only witness."""
        return self._is_looked_up() and self._names_another(
            {"transaction_id": data.get("TransactionId")}
        )

    def _alarm_second_id(self):
        self._alarm(
            self.env._("Paid twice?"),
            self.env._(
                "A payment is reported that is not the one that is booked (%(payment)s). Look into Viva's portal for "
                "reference %(reference)s; if there are two, give one back.",
                payment=self._headline(),
                reference=self.merchant_reference,
            ),
        )

    def _outweighs(self, said, kept):
        """Whether a new answer of the app replaces an older one. A success outlives every later no."""
        if said["status"] == "success":
            return True
        if said["status"] != "fail" or kept["status"] == "success":
            return False
        # That a payment cannot be cancelled, or is not found, is no end of it.
        if said["kind"] == "abort":
            return said["code"] == ABORTED and bool(self.abort_asked_at)
        return said["kind"] == ""

    def _is_app_time_over(self):
        """Whether Viva would list by now what was paid, though the app was opened at the last moment."""
        return self._age() > API_MISSING_AFTER + OPEN_WITHIN

    def _is_app_done(self):
        """Whether the app itself says that this operation has ended without success."""
        return (self.app_answer or {}).get("status") == "fail"

    # -- settle ----------------------------------------------------------------------------------

    def _settle_app_in_vain(self, complete, began):
        """Viva lists nothing of an open operation of the app.

        * The app says no, and the list, read after that, has nothing: no. It is compared again for a day.
        * The app says yes: never a no. A person decides, if Viva does not.
        * The app says nothing. The address was opened within `OPEN_WITHIN` or never (the till forgets it by its own
          clock), the app's screen closes a minute or, with a code to scan, some minutes later. What Viva does not list
          by `API_MISSING_AFTER` was not carried out; it is compared again for a day.
        """
        said = self.app_answer or {}
        if self._has_success_event():
            self._doubt("contradiction" if self._is_app_done() else "no_callback")
        elif said.get("status") == "success":
            self._doubt("app_unconfirmed")
        elif said.get("status") == "fail" and complete and self.app_told_at <= began:
            state, reason = app.AppAnswer(code=said.get("code")).words
            self._give_up(state, reason, said.get("message") or "")
        elif complete and self._is_app_time_over():
            self._give_up("failed", "app_never_paid", "")
        else:
            self._doubt("no_callback")

    def _doubt(self, reason):
        if self._age() > DEADLINE and (self.state, self.reason) != ("unknown", reason):
            self._move("unknown", kind="read", values={"reason": reason, "holds_terminal": False})

    def _give_up(self, state, reason, message):
        self._move(
            state,
            kind="read",
            note=self.env._("Viva lists nothing of it."),
            values={"reason": reason, "viva_message": message, "recheck_at": self._next_recheck()},
        )

    @api.model
    def _may_be_unopened(self, transaction_id):
        with own_cursor(self.env) as env:
            return env["viva.transaction"].browse(transaction_id)._is_unopened()

    def _is_unopened(self):
        """Whether the word of who began it, that the app was never opened, is believed."""
        return (
            self.protocol == APP
            and self.state in ("sent", "pending")
            and self.user_id.id == self.env.uid
            and not self.app_calls
            and not self._has_success_event()
        )

    @api.model
    def _never_opened(self, transaction_id):
        """The till that was to open the app has not, and forgets the address: nobody else has it. Viva's list is still
        compared with that for a day."""

        def work(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            if not transaction._is_unopened():
                return
            transaction._step("person", note=env._("The till has not opened the app."))
            transaction._move(
                "cancelled",
                kind="abort",
                values={"reason": "never_sent", "recheck_at": transaction._next_recheck()},
            )

        in_ledger(self.env, work)
