"""Settle: one function reads what Viva says into the ledger. Idempotent: told twice, it moves once."""

from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models

from ..drivers import (
    CAPABILITIES_OF,
    Asked,
    Operation,
    Outcome,
    Pending,
    SessionMissing,
    final_no_needs_list,
    judge,
    judge_listed,
    judge_no,
    states,
    to_major,
    to_minor,
)
from .ledger import in_ledger, own_cursor
from .viva_event import REVERSAL, SUCCESSES
from .viva_transaction import FINAL_NO, GIVES_BACK, TAKES_MONEY
from .ways import APP

# Times in seconds (cloud-terminal-api.md, sections 5.5, 8 and 10).
MISSING_AFTER = 30  # Viva does not know an unacknowledged session for so long: it never arrived
DEADLINE = 150  # a request without an end: ask to cancel it …
AFTER_ABORT = 30  # … and wait so long for the answer to that
# A customer may pay within a request that already ended with a no: look into the list again.
RECHECK_AFTER = 90
# So long a no is compared again with an event that reported a success.
CONTRADICTION_SECONDS = 24 * 3600
# So long after an approval in the app Viva's list is read once more.
TWICE_AFTER = 180


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    @api.model
    def _settle(self, transaction_id, answer, listed=(), word="viva"):
        """Read an answer into the ledger. Idempotent. Returns whether the request should now be cancelled.

        :param word: whose word the answer is: Viva's, or that of the gateway in the shop
        """

        def work(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            if not transaction._needs_check():
                return False
            verdict, outcome = transaction._weigh(answer, listed)
            if verdict is None:
                return transaction._settle_nothing(answer)
            if word == "gateway" and transaction.state == "approved" and not transaction.is_forced:
                transaction._hear_again(verdict, outcome)
                return False
            transaction._settle_verdict(verdict, outcome, word)
            return False

        # Two payments may be told the same transaction of Viva at once: the slower one looks again.
        abort = in_ledger(self.env, work, repeat_on=(UniqueViolation,))
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

    def _hear_of_decided(self, verdict, outcome):
        """The gateway about what a person has decided. The decision stands until Viva itself tells."""
        same = self.state == verdict.state and (
            verdict.state != "approved"
            or verdict.approved_amount == to_minor(self.approved_amount, self.currency_id.name)
        )
        is_no = self.state in FINAL_NO and verdict.state in FINAL_NO
        if same or is_no:
            self._step(
                "read",
                note=self.env._("The terminal says the same as was decided."),
                raw=dict(outcome.raw),
            )
            return
        if self.is_contradicted:
            return
        self.write({"is_contradicted": True})
        self._step("read", note=outcome.message, raw=dict(outcome.raw))
        self._alarm(
            self.env._("The terminal says something else than was decided"),
            self.env._(
                "It was decided by hand (%(why)s), the terminal reports otherwise (%(said)s). Viva is being asked; look "
                "into its portal for reference %(reference)s.",
                why=self.forced_reason,
                said=self._difference(verdict.state, verdict.reason),
                reference=self.merchant_reference,
            ),
        )

    def _hear_again(self, verdict, outcome):
        """The gateway reports about a payment that is approved already: the same again, or something else."""
        same = verdict.state == "approved" and verdict.approved_amount == to_minor(
            self.approved_amount, self.currency_id.name
        )
        if not same:
            self._contradict_word(self._difference(verdict.state, verdict.reason), outcome)

    def _settle_verdict(self, verdict, outcome, word):
        if word == "gateway" and self.is_forced:
            self._hear_of_decided(verdict, outcome)
            return
        state, reason = verdict.state, verdict.reason or verdict.message_code
        if state == "approved" and self._is_taken(outcome.transaction_id):
            state, reason = "unknown", "transaction_id"
        if state == "approved" and word == "gateway" and not outcome.transaction_id:
            state, reason = self._weigh_without_number(outcome, state, reason)
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
            values |= {"is_contradicted": False, "recheck_at": False, "word": word}
            values["is_offline"] = verdict.offline
            values["alarmed_at"] = False  # its own time begins: the word may stay unconfirmed
            if self.protocol == APP:
                # The app may have been opened twice: then Viva lists two payments under our reference.
                values["recheck_at"] = fields.Datetime.now() + timedelta(seconds=TWICE_AFTER)
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
        difference = self._difference("unknown", reason)
        self._step("read", note=f"{difference} {outcome.message}".strip(), raw=dict(outcome.raw))
        self._alarm(
            self.env._("Viva contradicts itself"),
            self.env._(
                "The payment counts as not charged, but Viva also reports a success that differs from what was asked "
                "(%(difference)s). Look into Viva's portal for reference %(reference)s.",
                difference=difference,
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
            self._alarm_denied()
        else:
            second_look = values.get("recheck_at", False)
            self.write({"is_forced": False, "is_contradicted": False, "recheck_at": second_look})
            self._step(
                "read", note=self.env._("Viva confirms what was decided."), raw=dict(outcome.raw)
            )

    def _alarm_denied(self):
        """A person has said that it was carried out; Viva says that it was not."""
        if self.operation in TAKES_MONEY:
            self._alarm(
                self.env._("Booked as paid, but Viva did not charge"),
                self.env._(
                    "The payment was accepted by hand (%s). Viva says: not charged.",
                    self.forced_reason,
                ),
            )
            return
        self._alarm(
            self.env._("Accepted as done, but Viva did not do it"),
            self.env._(
                "It was accepted by hand (%(why)s). Viva says that it was not carried out: %(what)s. It may be tried again.",
                why=self.forced_reason,
                what=self._headline(),
            ),
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
                "It was decided by hand (%(why)s), but what Viva reports differs from what was asked (%(difference)s). "
                "Look into Viva's portal for reference %(reference)s and correct the books.",
                why=self.forced_reason,
                difference=self._difference("unknown", reason),
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
            parent_transaction_id=self.parent_id.viva_transaction_id or "",
            untold=CAPABILITIES_OF[self.protocol or "cloud"].untold,
            # As the gateway has told it; what the app or an event says is no reason to believe a row without our name.
            transaction_id=(self._is_looked_up() and self.viva_transaction_id) or "",
            booked=self._is_unconfirmed(),
            partial=bool(self.parent_id) and self.amount < self.parent_id.approved_amount,
        )

    def _weigh_without_number(self, outcome, state, reason):
        """An approval that names no transaction of Viva: (state, reason) after what the bank's numbers say.

        Nothing in it but these numbers is of this payment: the same ones again are the same answer once more.
        """
        if self.is_offline or outcome.offline:
            return state, reason
        if not (outcome.rrn or outcome.stan):
            return "unknown", "answer"
        since = fields.Datetime.now() - timedelta(days=1)
        same = [("rrn", "=", outcome.rrn)]
        if not outcome.rrn:
            same = [
                ("stan", "=", outcome.stan),
                ("authorisation_code", "=", outcome.authorisation_code),
                ("sent_at", ">", since),
            ]
        known = self.search_count(
            [
                *same,
                ("environment", "=", self.environment),
                ("terminal_viva_id", "=", self.terminal_viva_id),
                ("state", "=", "approved"),
                ("id", "!=", self.id),
            ],
            limit=1,
        )
        return ("unknown", "transaction_id") if known else (state, reason)

    def _is_taken(self, viva_transaction_id):
        # Ids come in either case.
        ids = {viva_transaction_id, viva_transaction_id.lower(), viva_transaction_id.upper()}
        return bool(
            viva_transaction_id
            and self.search_count(
                [
                    ("viva_transaction_id", "in", list(ids)),
                    ("environment", "=", self.environment),
                    ("id", "!=", self.id),
                ],
                limit=1,
            )
        )

    def _success_events(self):
        """The types of events by which Viva reports that this operation was carried out."""
        return (REVERSAL,) if self.operation in (*GIVES_BACK, "release") else SUCCESSES

    def _has_success_event(self):
        return any(event.event_type_id in self._success_events() for event in self.event_ids)

    def _approval_values(self, outcome, verdict):
        currency = self.currency_id.name
        values = {
            "approved_amount": to_major(verdict.approved_amount, currency),
            "viva_transaction_id": outcome.transaction_id or False,
            "order_code": outcome.order_code or self.parent_id.order_code,
            "authorisation_code": outcome.authorisation_code,
            "rrn": outcome.rrn,
            "stan": outcome.stan,
            "tid": outcome.tid,
            "card_brand": outcome.card_brand or self.parent_id.card_brand,
            "application_label": outcome.application_label or self.parent_id.application_label,
            "card_masked": outcome.card_masked or self.parent_id.card_masked,
            "card_last4": outcome.card_last4 or self.parent_id.card_last4,
            "entry_mode": outcome.entry_mode,
            "verification_method": outcome.verification_method,
            "installments": outcome.installments,
            "transaction_type_id": outcome.transaction_type_id,
            "dcc_details": outcome.raw.get("dccDetails") or False,
        }
        if self.operation in TAKES_MONEY:
            tip = to_major(verdict.tip, currency)
            values |= {
                "tip_amount": tip,
                "surcharge_amount": to_major(verdict.surcharge, currency),
                "tip_booking": self._tip_booking_of_method() if tip else False,
            }
        return values

    def _tip_booking_of_method(self):
        """How a tip of the customer is booked, if the administrator has chosen; else the till asks."""
        policy = self.payment_method_id.viva_tip_policy
        return policy if policy in ("product", "account") else False
