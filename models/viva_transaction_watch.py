"""Watch: ask Viva what became of an operation. Polls, webhooks and jobs are only hints to come here."""

import logging
import time
from contextlib import contextmanager
from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import config

from ..drivers import (
    IndeterminateError,
    Outcome,
    RetryableError,
    VivaError,
    final_no_needs_list,
)
from .ledger import LOCK_READ, LOCK_SLOT, own_cursor
from .ways import LAN

_logger = logging.getLogger(__name__)

CHECK_BUDGET = 6  # seconds; a request of the till asks about no further payment after so long


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

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
            protocol = transaction.protocol if transaction._is_looked_up() else ""
            account = transaction.account_id
            if account.is_foreign_database:
                return
            account_id = account.id
            connection = self.env["viva.connection"]._store(account)
            if not protocol and connection.is_silent(env):
                return
            ask = not protocol and transaction._question(
                connection, thorough or bool(transaction.recheck_at)
            )
        if protocol in LAN:
            self._tend_by_gateway(transaction_id)
        if protocol:
            self._look_if_due(transaction_id)
            return
        with self._read_slot(transaction_id, account_id) as free:
            if not free or not connection.may_ask():
                return
            settle = self._ask(connection, transaction_id, ask)
        if settle is not None:
            abort = settle()
            # A reversal that was faster than the sale waits for it.
            self.env["viva.event"]._process([transaction_id])
            if abort:
                self._abort(transaction_id)

    def _question(self, connection, thorough):
        """What to ask Viva, as a function that needs no cursor; it returns a function that settles the answer."""
        if self.via == "api":
            return self._question_by_api()
        driver = self.account_id._driver(connection.preloaded(self.env))
        session_id, days, transaction_id = self.session_id, self._session_days(), self.id

        def ask():
            """The session and, before a final no, what the list of its days says."""
            answer = driver.read(session_id)
            connection.heard()
            listed = []
            if (isinstance(answer, Outcome) and final_no_needs_list(answer)) or (
                thorough and not (isinstance(answer, Outcome) and answer.success)
            ):
                for day in days:
                    listed += driver.sessions(day)
            return lambda: self._settle(transaction_id, answer, listed)

        return ask

    @api.model
    def _ask(self, connection, transaction_id, ask):
        """What `ask` returns, or None when Viva gives no answer that says anything."""
        try:
            return ask()
        except (IndeterminateError, RetryableError) as error:
            self._note_silence(connection, error)
            _logger.info("viva: no answer about transaction %s: %s", transaction_id, error)
        except VivaError as error:
            _logger.warning("viva: transaction %s could not be read: %s", transaction_id, error)
        return None

    def _needs_check(self):
        self.ensure_one()
        if not self.exists():
            return False
        if self.origin == "viva":
            return self._may_confirm_report()
        if self.word == "gateway" and self.state == "approved":
            return True
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
