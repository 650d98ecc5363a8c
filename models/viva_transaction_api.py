"""Operations through Viva's transactions API, without card and terminal (transactions-api.md, sections 3 to 5).

It has no idempotency: an answer that was lost is settled by listing the children of the order code, never by a
second request.
"""

from dataclasses import replace
from datetime import timedelta, timezone

from odoo import api, fields, models

from ..drivers import (
    AskedReversal,
    DefiniteError,
    IndeterminateError,
    Operation,
    RetryableError,
    judge_children,
    judge_reversed,
    to_major,
    to_minor,
)
from .ledger import in_ledger, own_cursor
from .viva_transaction import FINAL_NO

# Viva's list may lag: what is not in it for so long (seconds) was never carried out.
API_MISSING_AFTER = 600


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    @api.model
    def _send_by_api(self, recorded):
        """Reverse (or capture) the parent once. Returns None: the outcome is in the ledger."""
        with own_cursor(self.env) as env:
            transaction = env["viva.transaction"].browse(recorded.id)
            currency = transaction.currency_id.name
            parent_id = transaction.parent_id.viva_transaction_id
            amount = to_minor(transaction.amount, currency)
            reference = transaction.merchant_reference
            call = (
                recorded.driver.capture
                if transaction.operation == "capture"
                else recorded.driver.reverse
            )
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

        in_ledger(self.env, work)

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
            verdict = judge_children(transaction._asked_reversal(), entries)
            if verdict is None:
                transaction._settle_no_entry()
            else:
                transaction._settle_entry(
                    verdict,
                    next(
                        entry for entry in entries if entry.transaction_id == verdict.transaction_id
                    ),
                )

        in_ledger(self.env, work)
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

    def _settle_no_entry(self):
        if self.state == "approved":
            # Known from Viva's own answer; the list lags.
            late = self._age() > API_MISSING_AFTER
            self.write(
                {"recheck_at": False if late else fields.Datetime.now() + timedelta(seconds=60)}
            )
            return
        if self.state in ("sent", "pending", "unknown") and self._age() > API_MISSING_AFTER:
            self._move("failed", kind="read", values={"reason": "never_arrived"})

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
        if self.state == "approved" == state and not self.is_forced:
            self.write({"transaction_type_id": entry.type_id or 0, "recheck_at": False})
        elif self.is_forced:
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
