"""The one way that every card operation takes: record, send, watch, settle (`design.md`)."""

import logging
import time
import uuid
from contextlib import contextmanager
from datetime import timedelta

from psycopg2 import errors

from odoo import api, fields, models
from odoo.tools import config

from ..drivers import (
    AbortRequest,
    AlreadyUsed,
    AnswerLost,
    Asked,
    BadRequest,
    Busy,
    CredentialsError,
    DefiniteError,
    IndeterminateError,
    LoginUnavailable,
    NotFound,
    Operation,
    Outcome,
    Pending,
    PermissionDenied,
    RetryableError,
    SaleRequest,
    SessionMissing,
    Unavailable,
    Unreachable,
    VivaError,
    final_no_needs_list,
    judge,
    judge_listed,
    judge_no,
    states,
    to_major,
    to_minor,
)
from .ledger import LOCK_READ, LOCK_SLOT, in_ledger, own_cursor
from .viva_event import SUCCESSES
from .viva_transaction import FINAL_NO

_logger = logging.getLogger(__name__)

# Times in seconds (cloud-terminal-api.md, sections 5.5, 8 and 10).
REPEAT_BUDGET = 5  # within it, repeats of what surely did not arrive
REPEAT_PAUSE = 0.7
SEND_WITHIN = 10  # after its recording an attempt is sent at once or never
TOKEN_WAIT = 2.5  # a sale waits so long for a token that somebody else is fetching
CHECK_BUDGET = 6  # a request of the till asks about no further payment after so long
MISSING_AFTER = 30  # Viva does not know an unacknowledged session for so long: it never arrived
DEADLINE = 150  # a request without an end: ask to cancel it
RECHECK_AFTER = (
    90  # a customer may pay within a request that already ended with a no: look into the list again
)
CONTRADICTION_SECONDS = (
    24 * 3600
)  # so long a no is compared again with an event that reported a success
AFTER_ABORT = 30  # … and wait so long for the answer to that
TERMINAL_FREE_AFTER_ABORT = (
    150  # the device forgets a request after about a minute; UNVERIFIED, hence generous
)
# Whether a terminal is given free although its request has no known end (see above).
FREE_UNKNOWN_TERMINAL = True


# What a request to Viva is made of; a transaction has five times as many columns.
_REQUEST_FIELDS = (
    "account_id",
    "amount",
    "cash_register_id",
    "currency_id",
    "merchant_reference",
    "order_reference",
    "sent_at",
    "session_id",
    "terminal_viva_id",
)

_REASONS = {
    CredentialsError: "credentials",
    PermissionDenied: "permission",
    BadRequest: "bad_request",
    NotFound: "not_found",
    Busy: "terminal_busy",
}


class Refused(Exception):
    """Nothing was recorded and nothing sent. `args[0]` says what to do; `blocking` is the payment in the way."""

    def __init__(self, message, reason, blocking=None):
        super().__init__(message)
        self.reason = reason
        self.blocking = blocking


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    # -- record ----------------------------------------------------------------------------------

    @api.model
    def _record(self, values, limit_minor, *, abandoned=False):
        """Write a new attempt in state `sent` and commit it, before the first byte leaves.

        :param dict values: fields of the transaction without the ones made here
        :param int limit_minor: the most that cards may bring in for this document, in minor units
        :param abandoned: it will never be sent: written as cancelled, so that a late request finds it so
        :return: (id, True) or, when the attempt is in the ledger already, (its id, False)
        :raise Refused: another payment holds the terminal or the order
        """

        def work(env):
            transactions = env["viva.transaction"]
            known = transactions.search([("attempt", "=", values["attempt"])])
            if known and known.payment_uuid == values["payment_uuid"]:
                return known.id, False
            if known:
                raise Refused(
                    self.env._("The till has sent an unreadable request. Reload the page."),
                    "attempt",
                )
            terminal = env["viva.terminal"].browse(values["terminal_id"])
            if not abandoned:
                transactions._free_terminal(terminal)
                transactions._refuse_if_blocked(terminal, values)
                transactions._refuse_beyond(limit_minor, values)
            name, reference = transactions._new_reference()
            transaction = transactions.create(
                {
                    **values,
                    "name": name,
                    "merchant_reference": reference,
                    "session_id": str(uuid.uuid4()),
                    "environment": terminal.environment_key,
                    "account_id": terminal.account_id.id,
                    "company_id": terminal.company_id.id,
                    "terminal_viva_id": terminal.viva_id,
                    "user_id": env.uid,
                    "state": "cancelled" if abandoned else "sent",
                    "reason": "never_sent" if abandoned else False,
                    "sent_at": fields.Datetime.now(),
                    "holds_terminal": not abandoned,
                }
            )
            transaction._step("asked")
            return transaction.id, True

        for _attempt in range(3):
            try:
                return in_ledger(self.env, work)
            except errors.UniqueViolation:
                # Another till was faster by a hair: look again, now its record can be seen.
                continue
        raise Refused(self.env._("Another payment has just been started. Try again."), "busy")

    @api.model
    def _refuse_if_blocked(self, terminal, values):
        order = self.search(
            [
                ("document_key", "=", values["document_key"]),
                ("is_unsettled", "=", True),
                ("operation", "in", ("sale", "preauth")),
            ],
            limit=1,
        )
        if order:
            raise Refused(
                self.env._(
                    "A card payment of this order is still open. Wait for its result, or check it again."
                ),
                "order_open",
                order.id,
            )
        busy = self.search(
            [("terminal_id", "=", terminal.id), ("holds_terminal", "=", True)], limit=1
        )
        if busy:
            raise Refused(
                self.env._(
                    "Terminal %(terminal)s is busy with order %(order)s. Wait until it is free, or choose another one.",
                    terminal=terminal.display_name,
                    order=busy.order_reference or busy.name,
                ),
                "terminal_busy",
                busy.id,
            )

    @api.model
    def _refuse_beyond(self, limit_minor, values):
        """Never more by card than the order costs: what is approved already counts, whatever the tab remembers.

        In the same database transaction as the locks: what was open a moment ago is either still open or counted.
        """
        approved = self.search(
            [
                ("document_key", "=", values["document_key"]),
                ("state", "=", "approved"),
                ("operation", "=", "sale"),
            ]
        )
        currency = self.env["res.currency"].browse(values["currency_id"]).name
        charged = sum(to_minor(transaction._net_amount(), currency) for transaction in approved)
        if charged + to_minor(values["amount"], currency) <= limit_minor:
            return
        if charged:
            raise Refused(
                self.env._(
                    "This order has an approved card payment already. Nothing more was charged."
                ),
                "already_paid",
                approved[:1].id,
            )
        raise Refused(
            self.env._(
                "The amount is higher than the order. Nothing was charged. Correct the amount."
            ),
            "amount",
        )

    @api.model
    def _free_terminal(self, terminal):
        """Give a terminal free whose request is unknown and was cancelled long enough ago."""
        if not FREE_UNKNOWN_TERMINAL:
            return
        limit = fields.Datetime.now() - timedelta(seconds=TERMINAL_FREE_AFTER_ABORT)
        stale = self.search(
            [
                ("terminal_id", "=", terminal.id),
                ("holds_terminal", "=", True),
                ("state", "=", "unknown"),
                ("abort_asked_at", "<", limit),
            ]
        )
        for transaction in stale:
            transaction.write({"holds_terminal": False})
            transaction._step(
                "alarm", note=self.env._("The terminal is given free; the payment stays unknown.")
            )

    # -- send ------------------------------------------------------------------------------------

    @api.model
    def _send(self, transaction_id):
        """Send a recorded sale once. The caller holds no row of ours; its outcome is in the ledger afterwards."""
        driver, connection, request, age = self._prepare_sale(transaction_id)
        if age > SEND_WITHIN:
            # This process was asleep: the attempt may have been given up meanwhile, the customer gone.
            late = Unreachable("The request was not sent in time.")
            return self._settle_error(transaction_id, late, "failed", "unreachable")
        began = time.monotonic()
        sent_before = False
        while True:
            try:
                accepted = driver.start(request)
            except AlreadyUsed as error:
                if not sent_before:
                    return self._settle_error(transaction_id, error, "unknown", "session_used")
                connection.heard()
                return self._settle_accepted(transaction_id, error.correlation_id)
            except RetryableError as error:
                refused = isinstance(error, Unavailable) and not isinstance(error, LoginUnavailable)
                sent_before = sent_before or refused
                if refused and time.monotonic() - began + REPEAT_PAUSE < REPEAT_BUDGET:
                    time.sleep(REPEAT_PAUSE)
                    continue
                if sent_before:
                    return self._settle_error(transaction_id, error, "unknown", "no_answer")
                self._note_silence(connection, error)
                return self._settle_error(transaction_id, error, "failed", "unreachable")
            except IndeterminateError as error:
                self._note_silence(connection, error)
                return self._settle_error(transaction_id, error, "unknown", "no_answer")
            except DefiniteError as error:
                connection.heard()
                if sent_before:
                    return self._settle_error(transaction_id, error, "unknown", "no_answer")
                return self._settle_error(
                    transaction_id, error, "failed", _REASONS.get(type(error), "bad_request")
                )
            connection.heard()
            return self._settle_accepted(transaction_id, accepted.correlation_id)

    @api.model
    def _prepare_sale(self, transaction_id):
        with own_cursor(self.env) as env:
            transaction = env["viva.transaction"].browse(transaction_id)
            transaction.fetch(_REQUEST_FIELDS)
            currency = transaction.currency_id.name
            request = SaleRequest(
                session_id=transaction.session_id,
                terminal_id=transaction.terminal_viva_id,
                cash_register_id=transaction.cash_register_id,
                amount=to_minor(transaction.amount, currency),
                currency=currency,
                merchant_reference=transaction.merchant_reference,
                customer_text=transaction.order_reference or "",
            )
            driver = transaction.account_id._driver(token_wait=TOKEN_WAIT)
            connection = self.env["viva.connection"]._store(transaction.account_id)
            age = transaction._age()
        return driver, connection, request, age

    @staticmethod
    def _note_silence(connection, error):
        """Count a call that got no answer at all; an error that Viva itself sends is an answer."""
        if isinstance(error, Unreachable | AnswerLost) or (
            isinstance(error, Unavailable) and error.status is None
        ):
            connection.unheard()

    @api.model
    def _settle_accepted(self, transaction_id, correlation_id):
        def work(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            transaction.fetch(["state", "company_id"])
            values = {"acknowledged": True}
            if transaction.state == "sent":
                transaction._move(
                    "pending", kind="accepted", correlation_id=correlation_id, values=values
                )
            else:
                # The card was faster than the answer to our request; or it counted as never arrived.
                is_late = transaction.state in FINAL_NO
                if is_late:
                    values["recheck_at"] = fields.Datetime.now()
                transaction.write(values)
                transaction._step("accepted", correlation_id=correlation_id)
                if is_late:
                    transaction._alarm(
                        self.env._("On the terminal after it was given up"),
                        self.env._(
                            "Viva took the request after it had counted as never arrived. It is being cancelled; look "
                            "at terminal %s.",
                            transaction.terminal_id.display_name,
                        ),
                    )
                    return True
            return False

        if in_ledger(self.env, work):
            self._abort(transaction_id, given_up=True)

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

    # -- watch -----------------------------------------------------------------------------------

    @api.model
    def _check(self, transaction_ids, *, thorough=False):
        """Ask Viva about transactions that need it, and settle them. Network trouble is not an error here.

        :param thorough: also look into the list of sessions when the session itself says nothing final
        """
        end = time.monotonic() + CHECK_BUDGET
        for transaction_id in transaction_ids:
            if time.monotonic() < end:
                self._check_one(transaction_id, thorough)

    @api.model
    def _check_one(self, transaction_id, thorough):
        with own_cursor(self.env) as env:
            transaction = env["viva.transaction"].browse(transaction_id)
            if not transaction._needs_check():
                return
            account = transaction.account_id
            if account.is_foreign_database:
                return
            session_id, account_id = transaction.session_id, account.id
            driver = account._driver()
            days = transaction._session_days()
            thorough = thorough or bool(transaction.recheck_at)
        connection = self.env["viva.connection"]._store(self.env["viva.account"].browse(account_id))
        if connection.is_silent():
            return
        with self._read_slot(transaction_id, account_id) as free:
            if not free or not connection.may_ask():
                return
            answer = self._ask(driver, connection, session_id, days, thorough)
        if answer is not None:
            abort = self._settle(transaction_id, *answer)
            # A reversal that was faster than the sale waits for it.
            self.env["viva.event"]._process([transaction_id])
            if abort:
                self._abort(transaction_id)

    @api.model
    def _ask(self, driver, connection, session_id, days, thorough):
        """The session and, before a final no, what the list of its days says: `(answer, listed)`, or None."""
        try:
            answer = driver.read(session_id)
            connection.heard()
            listed = []
            if (isinstance(answer, Outcome) and final_no_needs_list(answer)) or (
                thorough and not (isinstance(answer, Outcome) and answer.success)
            ):
                for day in days:
                    listed += driver.sessions(day)
        except (IndeterminateError, RetryableError) as error:
            self._note_silence(connection, error)
            _logger.info("viva: no answer about session %s: %s", session_id, error)
            return None
        except VivaError as error:
            _logger.warning("viva: session %s could not be read: %s", session_id, error)
            return None
        return answer, listed

    def _needs_check(self):
        self.ensure_one()
        if not self.exists() or self.origin != "odoo":
            return False
        is_due = bool(self.recheck_at and self.recheck_at <= fields.Datetime.now())
        return self.state in ("sent", "pending", "unknown") or is_due or self.is_forced

    def _session_days(self):
        """The UTC days in whose list the session may be."""
        sent = self.sent_at or self.create_date
        return sorted({(sent + timedelta(hours=hours)).date() for hours in (-1, 0, 1)})

    @contextmanager
    def _read_slot(self, transaction_id, account_id):
        """One read in flight per transaction, and few per account: a silent Viva must not hold all workers."""
        slots = max(1, config["workers"] - 1) if config["workers"] else 4
        with own_cursor(self.env) as env:
            env.cr.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (LOCK_READ, transaction_id))
            free = env.cr.fetchone()[0]
            if free:
                for slot in range(min(slots, 4)):
                    env.cr.execute(
                        "SELECT pg_try_advisory_xact_lock(%s, %s)",
                        (LOCK_SLOT, account_id * 4 + slot),
                    )
                    free = env.cr.fetchone()[0]
                    if free:
                        break
            yield free

    # -- settle ----------------------------------------------------------------------------------

    @api.model
    def _settle(self, transaction_id, answer, listed):
        """Read an answer into the ledger. Idempotent. Returns whether the request should now be cancelled."""

        def work(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            if not transaction._needs_check():
                return False
            verdict, outcome = transaction._weigh(answer, listed)
            if verdict is None:
                return transaction._settle_nothing(answer)
            transaction._settle_verdict(verdict, outcome)
            return False

        abort = in_ledger(self.env, work)
        with own_cursor(self.env) as env:
            transaction = env["viva.transaction"].browse(transaction_id)
            succeeded = (
                transaction.state == "approved" and not transaction.terminal_id.interlocked_since
            )
            terminal_id = transaction.terminal_id.id
        if succeeded:
            self.env["viva.terminal"]._interlock(terminal_id)
        return abort

    def _weigh(self, answer, listed):
        """The verdict on all that Viva says, and the session that it rests on; (None, None): nothing final."""
        asked = self._asked()
        if isinstance(answer, Outcome):
            verdict, said = judge_no(asked, answer, listed), [answer, *listed]
        else:
            verdict, said = judge_listed(asked, listed), list(listed)
        if verdict is None:
            return None, None
        return verdict, next(
            (outcome for outcome in said if judge(asked, outcome) == verdict), said[0]
        )

    def _settle_verdict(self, verdict, outcome):
        state, reason = verdict.state, verdict.reason or verdict.message_code
        if state == "approved" and self._is_taken(outcome.transaction_id):
            state, reason = "unknown", "transaction_id"
        if state in FINAL_NO and self.state not in FINAL_NO and self._has_success_event():
            state, reason = "unknown", "contradiction"
        # Viva has a final session, whatever we make of it: the terminal is free.
        values = {
            "reason": reason,
            "event_id": outcome.event_id or 0,
            "viva_message": outcome.message,
            "holds_terminal": False,
        }
        if state == "approved":
            values |= self._approval_values(outcome, verdict)
            values |= {"is_contradicted": False, "recheck_at": False}
        elif state in FINAL_NO and final_no_needs_list(outcome):
            values["recheck_at"] = fields.Datetime.now() + timedelta(seconds=RECHECK_AFTER)
        if self.is_forced:
            self._confirm_forced(state, outcome, values)
        elif state == self.state == "unknown" and self.reason == reason:
            self.write({"holds_terminal": False})
        elif self.state in FINAL_NO and state == "unknown":
            self._contradict_no(reason, outcome)
        elif self.state == "approved" and state != "approved":
            # Looked at once more after a person's decision: that alarm was raised already.
            self.write({"recheck_at": False})
        elif self.state in FINAL_NO and state != "approved":
            # Viva repeats its no. Unless an event contradicts it (the list may lag), that is that.
            goes_on = self._has_success_event() and self._age() < CONTRADICTION_SECONDS
            self.write({"recheck_at": fields.Datetime.now() if goes_on else False})
        else:
            self._move(
                state, kind="read", note=outcome.message, raw=dict(outcome.raw), values=values
            )

    def _contradict_no(self, reason, outcome):
        """After a final no Viva tells of a success that is not what was asked: a person has to look."""
        goes_on = self._age() < CONTRADICTION_SECONDS
        self.write({"recheck_at": fields.Datetime.now() if goes_on else False})
        if self.is_contradicted:
            return
        self.write({"is_contradicted": True})
        self._step("read", note=f"{reason} {outcome.message}", raw=dict(outcome.raw))
        self._alarm(
            self.env._("Viva contradicts itself"),
            self.env._(
                "The payment counts as not charged, but Viva also reports a success that differs from what was asked "
                "(%(reason)s). Look into Viva's portal for reference %(reference)s.",
                reason=reason,
                reference=self.merchant_reference,
            ),
        )

    def _confirm_forced(self, state, outcome, values):
        """Viva's answer to what a person has decided: confirmation, or an alarm."""
        if state not in states.FINAL:
            self._contradict_forced(values["reason"], outcome)
            return
        values["is_contradicted"] = False
        booked_as_charged = self.state == "approved"
        if booked_as_charged and state == "approved":
            self.write({**values, "is_forced": False})
            self._step(
                "read", note=self.env._("Viva confirms what was decided."), raw=dict(outcome.raw)
            )
        elif not booked_as_charged and state == "approved":
            self._move(
                "approved",
                kind="read",
                raw=dict(outcome.raw),
                values={**values, "is_forced": False},
            )
        elif booked_as_charged:
            second_look = values.get("recheck_at", False)
            self.write({"is_forced": False, "is_contradicted": True, "recheck_at": second_look})
            self._step("read", note=outcome.message, raw=dict(outcome.raw))
            self._alarm(
                self.env._("Booked as paid, but Viva did not charge"),
                self.env._(
                    "The payment was accepted by a manager (%s). Viva says: not charged.",
                    self.forced_reason,
                ),
            )
        else:
            second_look = values.get("recheck_at", False)
            self.write({"is_forced": False, "is_contradicted": False, "recheck_at": second_look})
            self._step(
                "read", note=self.env._("Viva confirms what was decided."), raw=dict(outcome.raw)
            )

    def _contradict_forced(self, reason, outcome):
        """Viva tells of a payment that is not the one that a person has decided about. Told once."""
        if self.is_contradicted:
            return
        self.write({"is_contradicted": True})
        self._step("read", note=outcome.message, raw=dict(outcome.raw))
        self._alarm(
            self.env._("Viva reports something else than was decided"),
            self.env._(
                "A manager has decided (%(why)s), but what Viva reports differs from what was asked (%(reason)s). "
                "Look into Viva's portal for reference %(reference)s and correct the books.",
                why=self.forced_reason,
                reason=reason,
                reference=self.merchant_reference,
            ),
        )

    def _settle_nothing(self, answer):
        """No final word. Returns whether to ask Viva to cancel the request."""
        now = fields.Datetime.now()
        age = (now - self.sent_at).total_seconds()
        if self.state not in ("sent", "pending", "unknown"):
            if isinstance(answer, SessionMissing):
                self.write({"recheck_at": False})
            return False
        if isinstance(answer, SessionMissing):
            if self.acknowledged:
                if age > MISSING_AFTER and self.state != "unknown":
                    self._move(
                        "unknown",
                        kind="read",
                        note=answer.detail,
                        values={"reason": "session_lost"},
                    )
            elif age > MISSING_AFTER:
                self._move(
                    "failed",
                    kind="read",
                    note=answer.detail,
                    values={
                        "reason": "never_arrived",
                        "recheck_at": now + timedelta(seconds=RECHECK_AFTER),
                    },
                )
            return False
        if not isinstance(answer, Pending):
            return False
        if self.state == "sent" or (self.state == "unknown" and self.reason == "no_answer"):
            # Our answer was lost, the request was not.
            self._move(
                "pending",
                kind="read",
                note=answer.detail,
                values={"acknowledged": True, "reason": False},
            )
        if self.state != "pending":
            return False
        if not self.abort_asked_at:
            return age > DEADLINE
        lapsed = (now - self.abort_asked_at).total_seconds() > AFTER_ABORT
        if lapsed and (age > DEADLINE or not self.abort_refused):
            self._move("unknown", kind="read", note=answer.detail, values={"reason": "no_end"})
        return False

    def _asked(self):
        return Asked(
            operation=Operation(self.operation),
            session_id=self.session_id,
            terminal_id=self.terminal_viva_id,
            cash_register_id=self.cash_register_id,
            amount=to_minor(self.amount, self.currency_id.name),
            currency=self.currency_id.name,
            merchant_reference=self.merchant_reference,
        )

    def _is_taken(self, viva_transaction_id):
        return bool(
            self.search_count(
                [
                    ("viva_transaction_id", "=", viva_transaction_id),
                    ("environment", "=", self.environment),
                    ("id", "!=", self.id),
                ],
                limit=1,
            )
        )

    def _has_success_event(self):
        return any(event.event_type_id in SUCCESSES for event in self.event_ids)

    def _approval_values(self, outcome, verdict):
        currency = self.currency_id.name
        return {
            "approved_amount": to_major(verdict.approved_amount, currency),
            "tip_amount": to_major(verdict.tip, currency),
            "surcharge_amount": to_major(verdict.surcharge, currency),
            "viva_transaction_id": outcome.transaction_id,
            "order_code": outcome.order_code,
            "authorisation_code": outcome.authorisation_code,
            "rrn": outcome.rrn,
            "stan": outcome.stan,
            "tid": outcome.tid,
            "card_brand": outcome.card_brand,
            "application_label": outcome.application_label,
            "card_masked": outcome.card_masked,
            "card_last4": outcome.card_last4,
            "entry_mode": outcome.entry_mode,
            "verification_method": outcome.verification_method,
            "installments": outcome.installments,
            "transaction_type_id": outcome.transaction_type_id,
        }

    # -- cancel ----------------------------------------------------------------------------------

    @api.model
    def _abort(self, transaction_id, *, given_up=False):
        """Ask Viva to cancel the request on the terminal. Only a hope: the card may win, so it is watched on.

        :param given_up: also when the payment counts as failed already
        """

        def note(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            if transaction.state not in ("sent", "pending", "unknown") and not given_up:
                return None
            if transaction.account_id.is_foreign_database:
                return None
            if not transaction.abort_asked_at:
                transaction.write({"abort_asked_at": fields.Datetime.now()})
            transaction._step("abort", note=self.env._("Asked to cancel."))
            request = AbortRequest(transaction.session_id, transaction.cash_register_id)
            return transaction.account_id._driver(), request

        with own_cursor(self.env) as env:
            account_id = env["viva.transaction"].browse(transaction_id).account_id.id
        connection = self.env["viva.connection"]._store(self.env["viva.account"].browse(account_id))
        prepared = in_ledger(self.env, note) if connection.may_ask() else None
        if prepared is None:
            return
        driver, request = prepared
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
