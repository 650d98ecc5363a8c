"""Operations through Viva's transactions API, without card and terminal (transactions-api.md, sections 3 to 5).

It has no idempotency: an answer that was lost is settled by listing the children of the order code, never by a
second request.
"""

from dataclasses import replace
from datetime import timedelta, timezone

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models

from ..drivers import (
    AskedReversal,
    DefiniteError,
    IndeterminateError,
    Operation,
    RetryableError,
    executed_as,
    judge_children,
    judge_reversed,
    to_major,
    to_minor,
)
from .ledger import in_ledger, own_cursor
from .viva_transaction import FINAL_NO, UNSETTLED
from .viva_transaction_settle import CONTRADICTION_SECONDS, RECHECK_AFTER

# Viva's list may lag: what is not in it for so long (seconds) was never carried out.
API_MISSING_AFTER = 600
# So long (seconds) the report of an event is looked for in Viva's list; then a person decides.
REPORT_ASKED_FOR = 24 * 3600


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    @api.model
    def _send_by_api(self, recorded, driver):
        """Reverse (or capture) the parent once. Returns None: the outcome is in the ledger."""
        values = recorded.values
        currency = self.env["res.currency"].browse(values["currency_id"]).name
        with own_cursor(self.env) as env:
            # Perhaps Viva was asked for it a moment ago: not what this request's own cursor remembers.
            parent_id = env["viva.transaction"].browse(values["parent_id"]).viva_transaction_id
        amount = to_minor(values["amount"], currency)
        reference = values["merchant_reference"]
        call = driver.capture if values["operation"] == "capture" else driver.reverse
        try:
            answer = call(parent_id, amount, currency, merchant_reference=reference)
        except RetryableError as error:
            self._note_silence(recorded.connection, error)
            return self._settle_error(recorded.id, error, "failed", "unreachable")
        except IndeterminateError as error:
            self._note_silence(recorded.connection, error)
            return self._settle_error(recorded.id, error, "unknown", "no_answer")
        except DefiniteError as error:
            recorded.connection.heard()
            return self._settle_error(recorded.id, error, "failed", self._reason_of(error))
        recorded.connection.heard()
        self._note_carried_out(recorded.id, answer)
        # Viva's list tells what it has made of it: a void or a refund.
        self._check_one(recorded.id, thorough=True)
        return None

    @api.model
    def _note_carried_out(self, transaction_id, answer):
        """Viva has answered with success. It counts when amount and currency are right; the list adds the rest."""

        def work(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            verdict = judge_reversed(transaction._asked_reversal(), answer)
            if verdict.state == "approved" and transaction._is_taken(answer.transaction_id):
                verdict = replace(verdict, state="unknown", reason="transaction_id")
            if verdict.state != "approved":
                values = {"reason": verdict.reason}
                transaction._move("unknown", kind="read", raw=dict(answer.raw), values=values)
                return
            transaction._move(
                "approved",
                kind="accepted",
                raw=dict(answer.raw),
                values={
                    "acknowledged": True,
                    "reason": "approved",
                    "approved_amount": to_major(
                        verdict.approved_amount, transaction.currency_id.name
                    ),
                    "viva_transaction_id": answer.transaction_id,
                    "order_code": transaction.parent_id.order_code,
                    "authorisation_code": answer.authorisation_code,
                    "rrn": answer.rrn,
                    "stan": answer.stan,
                    "transaction_type_id": answer.type_id or 0,
                    "recheck_at": fields.Datetime.now() if answer.type_id is None else False,
                    **transaction._card_of_parent(),
                },
            )

        in_ledger(self.env, work, repeat_on=(UniqueViolation,))

    def _card_of_parent(self):
        names = ("card_brand", "application_label", "card_masked", "card_last4")
        return {name: self.parent_id[name] for name in names}

    def _question_by_api(self):
        """What became of it, by the list of the parent's order code. See `_question`."""
        driver = self.account_id._transactions_api()
        connection = self.env["viva.connection"]._store(self.account_id)
        order_code, transaction_id = self.parent_id.order_code, self.id

        def ask():
            entries = driver.of_order(order_code)
            connection.heard()
            return lambda: self._settle_entries(transaction_id, entries)

        return ask

    @api.model
    def _settle_entries(self, transaction_id, entries):
        """Read Viva's list into the ledger. Idempotent."""

        def work(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            if not transaction._needs_check():
                return
            if transaction.origin == "viva":
                transaction._confirm_report(entries)
                return
            verdict = judge_children(transaction._asked_reversal(), entries)
            by_id = {entry.transaction_id: entry for entry in entries}
            own = transaction.viva_transaction_id
            if transaction.state == "approved" and not transaction.is_forced:
                # Viva's own answer has settled it; the list only adds what it was made of.
                transaction._learn_from_list(by_id.get(own))
            elif verdict is None:
                transaction._settle_no_entry(transaction._is_parent_in(entries))
            else:
                transaction._settle_entry(verdict, by_id[verdict.transaction_id])

        in_ledger(self.env, work, repeat_on=(UniqueViolation,))
        return False

    def _asked_reversal(self):
        siblings = self.search(
            [
                ("environment", "=", self.environment),
                ("parent_id", "=", self.parent_id.id),
                ("id", "!=", self.id),
                ("viva_transaction_id", "!=", False),
            ]
        )
        currency = self.currency_id.name
        return AskedReversal(
            operation=Operation(self.operation),
            parent_transaction_id=self.parent_id.viva_transaction_id,
            amount=to_minor(self.amount, currency),
            currency=currency,
            merchant_reference=self.merchant_reference,
            sent_at=self.sent_at.replace(tzinfo=timezone.utc),
            known_ids=frozenset(siblings.mapped("viva_transaction_id")),
        )

    # -- what Viva did by itself -----------------------------------------------------------------

    def _may_confirm_report(self):
        """Whether an event's report of money given back can be compared with Viva's list."""
        return bool(
            self.state == "unknown"
            and self.reason == "reversal"
            and self._age() < REPORT_ASKED_FOR
            and self.parent_id.order_code
            and self.account_id._has_api_keys()
        )

    def _confirm_report(self, entries):
        """The list says the same as the event: then it is true. It never says no."""
        parent, currency = self.parent_id, self.currency_id.name
        found = [
            entry
            for entry in entries
            if entry.transaction_id == self.viva_transaction_id
            and entry.parent_id == parent.viva_transaction_id
            and entry.status_id == "F"
            and entry.currency == currency
            and executed_as(entry.type_id)
            and 0 < (entry.amount or 0) <= to_minor(parent.approved_amount, currency)
        ]
        if found:
            amount = to_major(found[0].amount, currency)
            values = {
                "amount": amount,
                "approved_amount": amount,
                "reason": "approved",
                "transaction_type_id": found[0].type_id,
                "rrn": found[0].rrn,
                "authorisation_code": found[0].authorisation_code,
                **self._card_of_parent(),
            }
            self._move("approved", kind="read", raw=dict(found[0].raw), values=values)
            parent._tell()

    def _learn_from_list(self, entry):
        values = {"recheck_at": False}
        if entry:
            values["transaction_type_id"] = entry.type_id or 0
        elif self._age() < API_MISSING_AFTER:
            values["recheck_at"] = fields.Datetime.now() + timedelta(seconds=60)
        self.write(values)

    def _is_parent_in(self, entries):
        parent_id = (self.parent_id.viva_transaction_id or "").lower()
        return any(entry.transaction_id.lower() == parent_id for entry in entries)

    def _settle_no_entry(self, knows_parent):
        """Viva's list has nothing of it. That says no only after a long time, and never against an event.

        :param knows_parent: the list shows the payment itself: else it is not the list that would tell
        """
        if self.state in FINAL_NO:
            goes_on = self._has_success_event() and self._age() < CONTRADICTION_SECONDS
            self.write({"recheck_at": self._later() if goes_on else False})
            return
        if self.state not in UNSETTLED or self._age() <= API_MISSING_AFTER:
            return
        if self._has_success_event() or not knows_parent:
            reason = "contradiction" if self._has_success_event() else "no_answer"
            if (self.state, self.reason) != ("unknown", reason):
                self._move("unknown", kind="read", values={"reason": reason})
                self.write({"reason": reason})
            return
        self._move(
            "failed",
            kind="read",
            values={"reason": "never_arrived", "recheck_at": self._later()},
        )

    @staticmethod
    def _later():
        return fields.Datetime.now() + timedelta(seconds=RECHECK_AFTER)

    def _settle_entry(self, verdict, entry):
        state, reason = verdict.state, verdict.reason or verdict.message_code
        if state == "approved" and self._is_taken(entry.transaction_id):
            state, reason = "unknown", "transaction_id"
        values = {"reason": reason, "recheck_at": False}
        if state == "approved":
            values |= {
                "approved_amount": to_major(verdict.approved_amount, self.currency_id.name),
                "viva_transaction_id": entry.transaction_id,
                "order_code": entry.order_code or self.parent_id.order_code,
                "authorisation_code": entry.authorisation_code,
                "rrn": entry.rrn,
                "transaction_type_id": entry.type_id or 0,
                "is_contradicted": False,
                "is_forced": False,
                **self._card_of_parent(),
            }
        if state in FINAL_NO and self._has_success_event():
            state = "unknown"
            values["reason"] = reason = "contradiction"
        if self.is_forced:
            self._confirm_forced_by_list(state, values, entry)
        elif self.state in FINAL_NO and state == "unknown":
            self.write({"recheck_at": False})
            self._step("read", note=reason, raw=dict(entry.raw))
        elif not (state == self.state and self.reason == reason):
            self._move(state, kind="read", raw=dict(entry.raw), values=values)

    def _confirm_forced_by_list(self, state, values, entry):
        """Viva's list about what a person has decided. It only ever says yes; its silence says nothing."""
        if state != "approved":
            return
        if self.state == "approved":
            self.write(values)
            self._step(
                "read", note=self.env._("Viva confirms what was decided."), raw=dict(entry.raw)
            )
        else:
            self._move("approved", kind="read", raw=dict(entry.raw), values=values)
