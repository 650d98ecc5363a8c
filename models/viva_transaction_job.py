"""The scheduled job: whatever no till is waiting for any more is settled here. It only reads, and never starts."""

import logging
from datetime import timedelta

from odoo import api, fields, models

from .ledger import in_ledger, own_cursor
from .viva_transaction import UNSETTLED
from .viva_transaction_lookup import LOOKED_FOR, MOST
from .viva_transaction_settle import AFTER_ABORT, DEADLINE
from .ways import APP

_logger = logging.getLogger(__name__)

ALARM_AFTER_MINUTES = 15
NO_ANSWER_AFTER = DEADLINE + 2 * AFTER_ABORT  # seconds; whatever Viva answers ends it before
FORCED_DAYS = 7  # so long a person's decision is compared with what Viva says


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    @api.model
    def _cron_settle(self):
        """Settle, alarm, prune. One failing payment never stops the others."""
        cron = self.env["ir.cron"]
        self.env["viva.event"]._process()
        ids = self._due_ids()
        for done, transaction_id in enumerate(ids, start=1):
            try:
                self._settle_in_background(transaction_id)
            except Exception:
                self.env.cr.rollback()
                _logger.exception("viva: transaction %s could not be settled", transaction_id)
            if not cron._commit_progress(1, remaining=len(ids) - done):
                break
        self.env["viva.booking"]._cron_follow()
        cron._commit_progress(self.env["viva.event"]._prune())

    @api.model
    def _due_ids(self):
        now = fields.Datetime.now()
        due = [
            "|",
            ("state", "in", UNSETTLED),
            "|",
            ("recheck_at", "<=", now),
            "&",
            ("is_forced", "=", True),
            ("sent_at", ">", now - timedelta(days=FORCED_DAYS)),
        ]
        # A cursor of its own: the job's one does not see what the events have just changed.
        with own_cursor(self.env) as env:
            transactions = env["viva.transaction"]
            urgent = transactions.search(due, order="sent_at desc", limit=500)
            return urgent.ids + transactions._unconfirmed_ids()

    @api.model
    def _unconfirmed_ids(self):
        """What counts by a gateway's word alone, as much as one look takes: it never crowds out what is in doubt."""
        found = self.search(
            [
                ("word", "=", "gateway"),
                ("state", "=", "approved"),
                ("is_forced", "=", False),
                ("sent_at", ">", fields.Datetime.now() - LOOKED_FOR),
            ],
            order="looked_at nulls first, id",
            limit=MOST,
        )
        return found.filtered(
            lambda transaction: transaction._is_look_due() or transaction._is_overdue_word()
        ).ids

    @api.model
    def _settle_in_background(self, transaction_id):
        self._check_one(transaction_id, thorough=True)
        with own_cursor(self.env) as env:
            transaction = env["viva.transaction"].browse(transaction_id)
            lapsed = (
                transaction.state == "unknown"
                and transaction.protocol != APP  # there only the till could ask for it
                and transaction.holds_terminal
                and not transaction.abort_asked_at
                and transaction._age() > DEADLINE
            )
        if lapsed:
            self._abort(transaction_id)
        in_ledger(
            self.env, lambda env: env["viva.transaction"].browse(transaction_id)._tend_unsettled()
        )

    def _tend_unsettled(self):
        """What time alone brings: no answer at all makes it unknown, long doubt makes it a task."""
        self._lock()
        if self.state in ("sent", "pending") and self._age() > NO_ANSWER_AFTER:
            # Viva refuses every question (credentials, faults): nobody knows any more.
            self._move("unknown", kind="alarm", values={"reason": "no_answer"})
        self._give_terminal_free()
        self._tend_unconfirmed()
        limit = fields.Datetime.now() - timedelta(minutes=ALARM_AFTER_MINUTES)
        is_doubtful = self.is_unsettled and self.origin == "odoo"
        if is_doubtful and not self.alarmed_at and (self.sent_at or self.create_date) < limit:
            self.write({"alarmed_at": fields.Datetime.now()})
            self._alarm(
                self.env._("Card payment unknown"),
                self.env._(
                    "For %(minutes)s minutes nobody knows whether the customer was charged (%(payment)s). Look into "
                    "Viva's portal for reference %(reference)s, then press Check with Viva or decide.",
                    minutes=ALARM_AFTER_MINUTES,
                    payment=self._headline(),
                    reference=self.merchant_reference,
                ),
            )

    # -- buttons of the back office ---------------------------------------------------------------

    def action_check(self):
        """Ask Viva about these payments, list of sessions included."""
        self.check_access("read")
        ids = self.ids
        self.env["viva.event"]._process(ids)
        self._look(ids)
        self._check(ids, thorough=True)
        self.invalidate_recordset()
        with own_cursor(self.env) as env:
            words = [
                f"{record.name}: {record.message}" for record in env["viva.transaction"].browse(ids)
            ]
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "message": "\n".join(words),
                "type": "info",
                "sticky": len(words) > 1,
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def action_abort(self):
        """Ask Viva to cancel the request on the terminal."""
        self.ensure_one()
        self._require_cashier()
        self.check_access("read")
        self._abort(self.id)
        return self.action_check()
