"""Send: one short exchange with Viva for a recorded attempt, and the request to cancel it."""

import time

from odoo import api, fields, models

from ..drivers import (
    AbortRequest,
    ActionDisabled,
    AlreadyUsed,
    AnswerLost,
    BadRequest,
    Busy,
    CaptureRequest,
    CredentialsError,
    DefiniteError,
    IndeterminateError,
    InsufficientFunds,
    LoginUnavailable,
    NotFound,
    NotReversible,
    PartialTooEarly,
    PermissionDenied,
    RefundRequest,
    RetryableError,
    SaleRequest,
    Unavailable,
    Unreachable,
    UnreferencedRefundRequest,
    VivaError,
    to_minor,
)
from .ledger import in_ledger
from .viva_transaction import FINAL_NO
from .ways import APP, LAN

# Times in seconds (cloud-terminal-api.md, sections 5.5, 8 and 10).
REPEAT_BUDGET = 5  # within it, repeats of what surely did not arrive
REPEAT_PAUSE = 0.7
SEND_WITHIN = 10  # after its recording an attempt is sent at once or never
TOKEN_WAIT = 2.5  # a request waits so long for a token that somebody else is fetching

# The most telling class first.
_REASONS = (
    (ActionDisabled, "action_disabled"),
    (PartialTooEarly, "partial_too_early"),
    (InsufficientFunds, "insufficient_funds_account"),
    (NotReversible, "not_reversible"),
    (CredentialsError, "credentials"),
    (PermissionDenied, "permission"),
    (BadRequest, "bad_request"),
    (NotFound, "not_found"),
    (Busy, "terminal_busy"),
)


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    @api.model
    def _terminal_request(self, values):
        """The driver's request for what a transaction with these values asks of a terminal."""
        currency = self.env["res.currency"].browse(values["currency_id"]).name
        common = {
            "session_id": values["session_id"],
            "terminal_id": values["terminal_viva_id"],
            "cash_register_id": values["cash_register_id"],
            "amount": to_minor(values["amount"], currency),
            "currency": currency,
            "merchant_reference": values["merchant_reference"],
            "customer_text": values["order_reference"] or "",
        }
        operation = values["operation"]
        if operation in ("sale", "preauth"):
            return SaleRequest(
                **common,
                preauth=operation == "preauth",
                max_installments=values.get("max_installments", 0),
            )
        if not values["parent_id"]:
            return UnreferencedRefundRequest(**common)
        kind = CaptureRequest if operation == "capture" else RefundRequest
        parent = self.sudo().browse(values["parent_id"])
        common["parent_session_id"] = parent.session_id
        if values.get("protocol") in (*LAN, APP):
            common |= {
                "parent_transaction_id": parent.viva_transaction_id or "",
                "parent_order_code": parent.order_code or "",
                "parent_stan": parent.stan or "",
            }
        return kind(**common)

    @api.model
    def _send(self, recorded):
        """Send a recorded attempt once. The caller holds no row of ours; the outcome is in the ledger afterwards.

        :return: Status when Viva took it, else None: it is to be read from the ledger
        """
        protocol = recorded.values.get("protocol")
        if protocol in LAN:
            # The row itself is the message: released now, a gateway takes it within its own time, or never.
            return self._send_by_gateway(recorded)
        if time.time() - recorded.at > SEND_WITHIN:
            # This process was asleep: the attempt may have been given up meanwhile, the customer gone.
            late = Unreachable("The request was not sent in time.")
            return self._settle_error(recorded.id, late, "failed", "unreachable")
        account = self.env["viva.account"].browse(recorded.values["account_id"])
        if not protocol:
            return self._send_by_api(recorded, account._transactions_api())
        if protocol == APP:
            return self._send_by_app(recorded)
        driver = account._driver(recorded.connection, token_wait=TOKEN_WAIT)
        request = self._terminal_request(recorded.values)
        began = time.monotonic()
        sent_before = False
        while True:
            try:
                accepted = driver.start(request)
            except AlreadyUsed as error:
                if not sent_before:
                    return self._settle_error(recorded.id, error, "unknown", "session_used")
                return self._settle_accepted(recorded, error.correlation_id)
            except RetryableError as error:
                refused = isinstance(error, Unavailable) and not isinstance(error, LoginUnavailable)
                sent_before = sent_before or refused
                if refused and time.monotonic() - began + REPEAT_PAUSE < REPEAT_BUDGET:
                    time.sleep(REPEAT_PAUSE)
                    continue
                if sent_before:
                    return self._settle_error(recorded.id, error, "unknown", "no_answer")
                self._note_silence(recorded.connection, error)
                return self._settle_error(recorded.id, error, "failed", "unreachable")
            except IndeterminateError as error:
                self._note_silence(recorded.connection, error)
                return self._settle_error(recorded.id, error, "unknown", "no_answer")
            except DefiniteError as error:
                recorded.connection.heard()
                if sent_before:
                    return self._settle_error(recorded.id, error, "unknown", "no_answer")
                return self._settle_error(recorded.id, error, "failed", self._reason_of(error))
            return self._settle_accepted(recorded, accepted.correlation_id)

    @staticmethod
    def _reason_of(error):
        return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "bad_request")

    @staticmethod
    def _note_silence(connection, error):
        """Count a call that got no answer at all; an error that Viva itself sends is an answer."""
        if isinstance(error, Unreachable | AnswerLost) or (
            isinstance(error, Unavailable) and error.status is None
        ):
            connection.unheard()

    @api.model
    def _settle_accepted(self, recorded, correlation_id):
        """Viva took the request. Returns the Status, as committed."""
        may_decide = self._can_decide()

        def work(env):
            recorded.connection.heard(env)
            transaction = env["viva.transaction"].browse(recorded.id)._lock()
            values = {"acknowledged": True}
            if transaction.state == "sent":
                transaction._move(
                    "pending", kind="accepted", correlation_id=correlation_id, values=values
                )
                return transaction._status(False, may_decide)
            # The card was faster than the answer to our request; or it counted as never arrived.
            is_late = transaction.state in FINAL_NO
            if is_late:
                values["recheck_at"] = fields.Datetime.now()
            transaction.write(values)
            transaction._step("accepted", correlation_id=correlation_id)
            if not is_late:
                return transaction._status(False, may_decide)
            transaction._alarm(
                self.env._("On the terminal after it was given up"),
                self.env._(
                    "Viva took the request after it had counted as never arrived. It is being cancelled; look at "
                    "terminal %s.",
                    transaction.terminal_id.display_name,
                ),
            )
            return None

        status = in_ledger(self.env, work)
        if status is None:
            self._abort(recorded.id, given_up=True)
        return status

    @api.model
    def _settle_error(self, transaction_id, error, state, reason):
        def work(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            if transaction.state not in ("sent", "pending"):
                transaction._step(
                    "error", note=str(error), raw=error.raw, correlation_id=error.correlation_id
                )
                return
            transaction._move(
                state,
                kind="error",
                note=str(error),
                raw=error.raw,
                correlation_id=error.correlation_id,
                values={"reason": reason, "viva_message": error.status and error.detail},
            )

        in_ledger(self.env, work)

    # -- cancel ----------------------------------------------------------------------------------

    @api.model
    def _abort(self, transaction_id, *, given_up=False):
        """Ask Viva to cancel the request on the terminal. Only a hope: the card may win, so it is watched on.

        :param given_up: also when the payment counts as failed already
        """

        def note(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            if transaction.via == "api" or transaction._obstacle_to_cancel():
                return None
            if transaction.state not in ("sent", "pending", "unknown") and not given_up:
                return None
            if transaction.account_id.is_foreign_database:
                return None
            by_cloud = transaction._is_by_cloud()
            connection = env["viva.connection"]._store(transaction.account_id)
            if by_cloud and not connection.may_ask(env):
                return None
            if not transaction.abort_asked_at:
                transaction.write({"abort_asked_at": fields.Datetime.now()})
            transaction._step("abort", note=self.env._("Asked to cancel."))
            if not by_cloud:
                return None, transaction.protocol, None
            request = AbortRequest(transaction.session_id, transaction.cash_register_id)
            return connection, transaction.account_id._driver(), request

        prepared = in_ledger(self.env, note)
        if prepared is None:
            return
        connection, driver, request = prepared
        if connection is None:
            # The app is told by the till that has it on its device, a terminal in the shop by the gateway.
            if driver in LAN:
                self._abort_by_gateway(transaction_id)
            return
        correlation_id, raw, refused = "", None, True
        try:
            accepted = driver.abort(request)
            refused = False
            connection.heard()
            words, correlation_id = (
                self.env._("Viva passes it on to the terminal."),
                accepted.correlation_id,
            )
            if accepted.repeated:
                words = self.env._("Cancelling is under way already.")
        except NotFound as error:
            words, raw = self.env._("Viva has nothing to cancel."), error.raw
        except VivaError as error:
            self._note_silence(connection, error)
            refused = not isinstance(error, AnswerLost)
            words, correlation_id, raw = str(error), error.correlation_id, error.raw

        def answer(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            if transaction.abort_refused != refused:
                transaction.write({"abort_refused": refused})
            transaction._step("abort", note=words, correlation_id=correlation_id, raw=raw)

        in_ledger(self.env, answer)
