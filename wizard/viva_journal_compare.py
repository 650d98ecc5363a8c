"""The daily journal against Viva's list of sessions: what one side tells and the other does not."""

import logging
import time
from datetime import timedelta

from odoo import fields, models

from ..drivers import (
    AnswerLost,
    CredentialsError,
    IndeterminateError,
    PermissionDenied,
    RetryableError,
    VivaError,
    executed_as,
    to_major,
    to_minor,
)
from ..models.viva_transaction import UNSETTLED

_logger = logging.getLogger(__name__)

COMPARE_BUDGET = 12  # seconds for all lists of one comparison; later accounts are not compared then
# The clocks of Odoo and Viva may differ: a day that ends at midnight UTC may be listed on the next one.
SKEW = timedelta(minutes=5)


class VivaJournal(models.TransientModel):
    _inherit = "viva.journal"

    comparison = fields.Selection(
        [
            ("not_compared", "Not compared"),
            ("partly", "Partly compared"),
            ("compared", "Compared with Viva"),
        ],
        required=True,
        readonly=True,
        default="not_compared",
    )
    compared_at = fields.Datetime(readonly=True)
    notes = fields.Text(readonly=True, help="What was not compared, and why.")

    def _forget_comparison(self):
        self.write({"comparison": "not_compared", "compared_at": False, "notes": False})

    def action_compare(self):
        """Read Viva's lists of that day, then write the journal anew, differences first."""
        self.ensure_one()
        accounts = self._accounts()
        # First the network: nothing of ours is written before its answers are there.
        listed, notes = self._ask_viva(accounts)
        findings, more = self._findings(listed)
        notes += more
        complete = accounts and len(listed) == len(accounts)
        self._fill(findings)
        self.write(
            {
                "comparison": "compared" if complete else "partly" if listed else "not_compared",
                "compared_at": fields.Datetime.now() if listed else False,
                "notes": "\n".join(notes),
            }
        )
        return True

    def _accounts(self):
        """The accounts of the chosen terminals, for reading Viva's lists only (see `_driver`)."""
        terminals = self.env["viva.terminal"].with_context(active_test=False)
        domain = [("company_id", "=", self.company_id.id)]
        if self.terminal_ids:
            domain.append(("id", "in", self.terminal_ids.ids))
        return terminals.search(domain).sudo().account_id

    # -- what Viva says --------------------------------------------------------------------------

    def _ask_viva(self, accounts):
        """Viva's sessions of the UTC days that cover the local day.

        :return: ({account id: [Outcome]} of the accounts that were read, [sentence about each of the others])
        """
        begin, end = self._bounds()
        first, last = (begin - SKEW).date(), (end + SKEW - timedelta(seconds=1)).date()
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        # No list of a day that has not come yet: Viva may not like to be asked.
        today = fields.Datetime.now().date()
        days = [day for day in days if day <= today]
        listed, notes = {}, []
        limit = time.monotonic() + COMPARE_BUDGET
        for account in accounts:
            obstacle = self._obstacle_of(account, limit)
            if not obstacle:
                try:
                    listed[account.id] = self._sessions_of(account, days)
                except VivaError as error:
                    _logger.info(
                        "viva: journal not compared with account %s: %s", account.id, error
                    )
                    obstacle = self._words_of(error)
            if obstacle:
                notes.append(
                    self.env._(
                        "Not compared with account %(account)s: %(why)s",
                        account=account.name,
                        why=obstacle,
                    )
                )
        return listed, notes

    def _obstacle_of(self, account, limit):
        """Why Viva is not asked about this account, or an empty string."""
        if account.is_foreign_database:
            return self.env._("this database is a copy of the one to which it belongs.")
        if not (account.client_id and account.client_secret):
            return self.env._("it has no credentials. Ask an administrator.")
        if time.monotonic() > limit or not self.env["viva.connection"]._store(account).may_ask():
            return self.env._("Viva does not answer at the moment. Try again in a minute.")
        return ""

    def _sessions_of(self, account, days):
        connection = self.env["viva.connection"]._store(account)
        driver, outcomes = account._driver(connection), []
        try:
            for day in days:
                outcomes += driver.sessions(day)
        except (IndeterminateError, RetryableError) as error:
            self.env["viva.transaction"]._note_silence(connection, error)
            raise
        connection.heard()
        return outcomes

    def _words_of(self, error):
        if isinstance(error, CredentialsError):
            return self.env._("Viva refuses its credentials. Ask an administrator.")
        if isinstance(error, PermissionDenied):
            return self.env._("Viva does not allow it to read sessions. Ask an administrator.")
        if isinstance(error, RetryableError | AnswerLost):
            return self.env._("Viva does not answer at the moment. Try again in a minute.")
        return self.env._("Viva's answer was not understood. Try again later.")

    # -- what differs ----------------------------------------------------------------------------

    def _findings(self, listed):
        """Differences between the ledger and Viva's lists.

        :return: ([values of viva.journal.difference], [sentence about what the lists do not hold])
        """
        transactions = self._transactions().filtered(
            lambda transaction: transaction.sudo().account_id.id in listed
        )
        by_api = transactions.filtered(
            lambda transaction: transaction.via == "api" or transaction.origin == "viva"
        )
        # These have no session at Viva's cloud: its list of transactions confirms them, one by one, all the time.
        by_list = transactions.filtered(lambda record: record._is_looked_up()) - by_api
        by_session = {record.session_id: record for record in transactions - by_api - by_list}
        successes, foreign = self._successes(listed, by_session)
        findings = []
        for session_id, transaction in by_session.items():
            findings += self._compare_one(transaction, successes.pop(session_id, []))
        for outcomes in successes.values():
            findings += [self._only_viva(outcome) for outcome in outcomes]
        notes = []
        waiting = by_list.filtered(lambda record: record._is_unconfirmed())
        if waiting:
            notes.append(
                self.env._(
                    "Payments that only the terminal has told so far, not confirmed by Viva yet: %s.",
                    len(waiting),
                )
            )
        approved = by_api.filtered(lambda record: record.state == "approved")
        if approved:
            notes.append(
                self.env._(
                    "Operations without a terminal are not in Viva's list of sessions: %s was not compared.",
                    len(approved),
                )
            )
        if foreign:
            notes.append(
                self.env._(
                    "Viva also lists %s successes of terminals that are not part of this journal.",
                    foreign,
                )
            )
        return findings, notes

    def _successes(self, listed, by_session):
        """Viva's successful sessions that belong to this journal, by session; and how many are of other terminals."""
        begin, end = self._bounds()
        terminals = self.env["viva.terminal"].with_context(active_test=False)
        chosen = self.terminal_ids or terminals.search([("company_id", "=", self.company_id.id)])
        ours = set(chosen.mapped("viva_id"))
        outcomes = [
            outcome
            for of_account in listed.values()
            for outcome in of_account
            if outcome.success is True
        ]
        # A session of another day, company or terminal of this database is somebody else's line.
        known = set(
            self.env["viva.transaction"]
            .sudo()
            .search([("session_id", "in", [outcome.session_id for outcome in outcomes])])
            .mapped("session_id")
        )
        found, foreign, seen = {}, 0, set()
        for outcome in outcomes:
            identity = (outcome.session_id, outcome.transaction_id)
            if identity in seen:
                continue
            seen.add(identity)
            if outcome.session_id not in by_session:
                at = outcome.finished_at
                at = at.replace(tzinfo=None) if at else None
                if outcome.session_id in known or (at and not begin <= at < end):
                    continue
                if outcome.terminal_id not in ours:
                    foreign += 1
                    continue
            found.setdefault(outcome.session_id, []).append(outcome)
        return found, foreign

    def _compare_one(self, transaction, outcomes):
        """Differences about one transaction; `outcomes` are Viva's successes of its session."""
        differences = self.env["viva.journal.difference"]
        # A customer may pay again in a session that had succeeded (or failed) already: then there are two.
        outcomes = sorted(
            outcomes, key=lambda item: item.transaction_id != transaction.viva_transaction_id
        )
        first = outcomes[0] if outcomes else None
        amount = self._major(first, transaction.currency_id) if first else 0.0
        findings = []
        if transaction.state in UNSETTLED:
            findings.append(differences._doubt(transaction, viva_amount=amount))
        elif transaction.state == "approved" and not first:
            findings.append(differences._of(transaction, "only_odoo"))
        elif transaction.state == "approved":
            currency = transaction.currency_id.name
            same = (
                first.amount == to_minor(transaction.approved_amount, currency)
                and first.currency == currency
            )
            if not same:
                findings.append(differences._of(transaction, "amount", viva_amount=amount))
        elif first:
            findings.append(differences._of(transaction, "only_viva", viva_amount=amount))
        return findings + [self._only_viva(extra, transaction) for extra in outcomes[1:]]

    def _only_viva(self, outcome, transaction=None):
        """Values of a difference about a success at Viva that no transaction of the ledger stands for.

        :param transaction: the one in whose session the customer paid once more
        """
        currencies = self.env["res.currency"].with_context(active_test=False)
        currency = currencies.search([("name", "=", outcome.currency)], limit=1)
        back = executed_as(outcome.transaction_type_id)
        operation = back or {0: "capture", 1: "preauth"}.get(outcome.transaction_type_id, "sale")
        labels = dict(
            self.env["viva.journal.line"]._fields["operation"]._description_selection(self.env)
        )
        terminal = self.env["viva.terminal"].with_context(active_test=False)
        terminal = terminal.search([("viva_id", "=", outcome.terminal_id)], limit=1)
        return {
            "kind": "only_viva",
            "at": outcome.finished_at and outcome.finished_at.replace(tzinfo=None),
            "terminal": terminal.display_name or outcome.terminal_id,
            "operation": labels[operation],
            "reference": outcome.merchant_reference or outcome.order_code,
            "session": outcome.session_id,
            "currency_id": (currency or self.company_id.currency_id).id,
            "viva_amount": (-1 if back else 1) * self._major(outcome, currency),
            "transaction_id": transaction.id if transaction else False,
        }

    @staticmethod
    def _major(outcome, currency):
        if outcome.amount is None:
            return 0.0
        return float(to_major(outcome.amount, outcome.currency or currency.name or "EUR"))
