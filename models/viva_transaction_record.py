"""Record: a new attempt is written and committed before the first byte leaves (`design.md`, "One way through")."""

import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta

from psycopg2 import errors

from odoo import api, fields, models

from ..drivers import OPEN, to_minor
from .ledger import in_ledger, own_cursor
from .refused import Refused
from .viva_transaction import TAKES_MONEY, UNSETTLED
from .ways import APP, LAN

# The device forgets a request after about a minute; UNVERIFIED, hence generous. Seconds.
TERMINAL_FREE_AFTER_ABORT = 150
# A terminal in the shop, or the app, ends its request by itself: no answer is waited for longer than 180 s.
TERMINAL_FREE_AFTER_START = 330
# Whether a terminal is given free although its request has no known end (see above).
FREE_UNKNOWN_TERMINAL = True
# Recording takes milliseconds; whoever needed longer (seconds) looks once more before he sends.
STALLED = 0.2


@dataclass(frozen=True)
class Limits:
    """What a new operation must not exceed, in minor units. Checked under the locks of the ledger.

    :param order: the most that cards may bring in for (or give back on) the order; None: no order
    :param parent: the operation takes or gives back part of its parent
    """

    order: int | None = None
    parent: bool = False


@dataclass(frozen=True)
class Recorded:
    """A recorded attempt, and what sending it takes.

    :param at: when, in seconds since 1970
    :param connection: the account's `ConnectionStore`, its token read in the same database transaction
    :param values: the fields that were written
    """

    id: int
    is_new: bool
    at: float = 0.0
    connection: object = None
    values: dict = field(default_factory=dict)


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    @api.model
    def _record(self, values, limits, *, abandoned=False):
        """Write a new attempt in state `sent` and commit it.

        :param dict values: fields of the transaction without the ones made here
        :param Limits limits: what it must not exceed
        :param abandoned: it will never be sent: written as cancelled, so that a late request finds it so
        :return: Recorded; not new when the attempt is in the ledger already
        :raise Refused: another payment holds the terminal or the order, or there is not enough left
        """
        account = self.env["viva.account"].sudo().browse(values["account_id"])

        def work(env):
            began = time.time()
            transactions = env["viva.transaction"]
            known = transactions.search([("attempt", "=", values["attempt"])])
            if known:
                known._refuse_other_use(values)
                return Recorded(known.id, False)
            connection = env["viva.connection"]._store(account).preloaded(env)
            if not abandoned:
                if values.get("protocol") not in LAN:
                    transactions._refuse_while_silent(connection)
                approved = transactions._refuse_if_blocked(values)
                transactions._claim_documents(values)
                if limits.parent:
                    transactions._refuse_beyond_parent(values)
                if limits.order is not None:
                    transactions._refuse_beyond_order(limits.order, values, approved)
            name, reference = transactions._new_reference()
            session_id = uuid.uuid4()
            written = {
                **{field: value for field, value in values.items() if field != "hold"},
                "name": name,
                # A frame of that protocol has room for 32 characters.
                "merchant_reference": session_id.hex
                if values.get("protocol") == "tcp"
                else reference,
                "session_id": str(session_id),
                "user_id": env.uid,
                "state": "cancelled" if abandoned else "sent",
                "reason": "never_sent" if abandoned else False,
                "sent_at": fields.Datetime.now(),
                "holds_terminal": not abandoned and values["via"] == "terminal",
            }
            if values.get("protocol") == APP:
                written["app_token"] = secrets.token_urlsafe(32)
                written["app_side_token"] = secrets.token_urlsafe(32)
            if values.get("hold") and not abandoned:
                written["hold_id"] = env["viva.hold"]._open(name, values, account.hold_days).id
            transaction = transactions.create(written)
            transaction._step("asked")
            return Recorded(transaction.id, True, began, connection, written)

        for _attempt in range(3):
            try:
                recorded = in_ledger(self.env, work)
            except errors.UniqueViolation:
                # Another till was faster by a hair: look again, now its record can be seen.
                continue
            if recorded.is_new and not abandoned and time.time() - recorded.at > STALLED:
                self._look_again(recorded.id, limits, values)
            return recorded
        raise Refused(self.env._("Another payment has just been started. Try again."), "busy")

    @api.model
    def _look_again(self, transaction_id, limits, values):
        """This process was asleep while it recorded: what was approved meanwhile was not seen. Nothing is sent then.

        :raise Refused: the order is paid already
        """
        if limits.order is None:
            return
        with own_cursor(self.env) as env:
            approved = env["viva.transaction"].search(
                [
                    ("document_key", "=", values["document_key"]),
                    ("state", "=", "approved"),
                    ("origin", "=", "odoo"),
                ]
            )
            try:
                approved._refuse_beyond_order(limits.order, values, approved)
                return
            except Refused as error:
                refusal = error

        def give_up(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            transaction._move("cancelled", kind="error", values={"reason": "never_sent"})

        in_ledger(self.env, give_up)
        raise refusal

    def _refuse_other_use(self, values):
        """One attempt means one thing: another payment or operation under its name is a fault of the tab."""
        same = all(
            (self[name] or False) == (values.get(name) or False)
            for name in ("payment_uuid", "order_uuid", "operation")
        )
        if not same or self.parent_id.id != (values.get("parent_id") or False):
            raise Refused(
                self.env._("The till has sent an unreadable request. Reload the page."), "attempt"
            )

    @api.model
    def _refuse_while_silent(self, connection):
        if not connection.may_ask(self.env):
            raise Refused(
                self.env._(
                    "Viva does not answer at the moment. Nothing was charged. Try again in a minute, or take cash."
                ),
                "silent",
            )

    @api.model
    def _refuse_if_blocked(self, values):
        """:return: the approved operations of the order"""
        of_document = self.search_fetch(
            [
                ("document_key", "=", values["document_key"]),
                ("state", "in", [*UNSETTLED, "approved"]),
                ("origin", "=", "odoo"),
            ],
            ["state", "operation", "is_contradicted", "is_forced"],
        )
        unsettled = of_document.filtered("is_unsettled")
        if unsettled:
            raise Refused(
                self.env._(
                    "A card payment of this order is still open. Wait for its result, or check it again."
                ),
                "order_open",
                unsettled[:1].id,
            )
        if values["via"] == "terminal":
            self._refuse_busy_terminal(values["terminal_id"])
        return of_document

    @api.model
    def _refuse_busy_terminal(self, terminal_id):
        busy = self.search([("terminal_id", "=", terminal_id), ("holds_terminal", "=", True)])
        busy -= busy._give_terminal_free()
        if busy:
            raise Refused(busy._words_of_busy_terminal(), "terminal_busy", busy.id)

    def _words_of_busy_terminal(self):
        """What holds the terminal that somebody else wants, and what to do."""
        return self.env._(
            "Terminal %(terminal)s is busy with order %(order)s. Wait until it is free, or choose another one.",
            terminal=self.terminal_id.display_name,
            order=self.order_reference or self.name,
        )

    @api.model
    def _refuse_beyond_order(self, limit_minor, values, approved):
        """Never more by card than the order costs (or gives back): what is approved counts, whatever the tab remembers.

        In the same database transaction as the locks: what was open a moment ago is either still open or counted.

        :param approved: the approved operations of the order
        """
        gives_back = values["operation"] == "refund"
        currency = self.env["res.currency"].browse(values["currency_id"]).name

        def moved_by(*operations):
            return sum(
                to_minor(transaction._net_amount(), currency)
                for transaction in approved
                if transaction.operation in operations and transaction._counts()
            )

        # On a refund order the whole payment may go back, and the difference be charged anew.
        taken, returned = moved_by(*TAKES_MONEY), moved_by("refund")
        moved, against = (returned, taken) if gives_back else (taken, returned)
        extras = values.get("tip_amount", 0), values.get("surcharge_amount", 0)
        asked = to_minor(values["amount"], currency) - sum(
            to_minor(extra, currency) for extra in extras
        )
        if moved + asked <= limit_minor + against:
            return
        if moved:
            message = (
                self.env._("This order's money was given back by card already.")
                if gives_back
                else self.env._(
                    "This order has an approved card payment already. Nothing more was charged."
                )
            )
            raise Refused(message, "already_paid", approved[:1].id)
        message = (
            self.env._("The amount is higher than what the order gives back. Correct the amount.")
            if gives_back
            else self.env._(
                "The amount is higher than the order. Nothing was charged. Correct the amount."
            )
        )
        raise Refused(message, "amount")

    @api.model
    def _refuse_beyond_parent(self, values):
        """Under the parent's lock: no more is captured or given back than is left, with two tills at once too."""
        # Not only locked but changed: a second till that read before us has to read again.
        self.env.cr.execute(
            "UPDATE viva_transaction SET children_asked = COALESCE(children_asked, 0) + 1 WHERE id = %s",
            (values["parent_id"],),
            log_exceptions=False,
        )
        parent = self.browse(values["parent_id"])
        parent.invalidate_recordset()
        running = parent.child_ids.filtered(lambda child: child.state in OPEN)
        if running:
            raise Refused(
                self.env._(
                    "Payment %(payment)s has an operation that is still open: %(child)s. Wait for its result, or check it again.",
                    payment=parent.name,
                    child=running[:1]._headline(),
                ),
                "parent_open",
                running[:1].id,
            )
        if parent.currency_id.compare_amounts(values["amount"], parent._left()) <= 0:
            return
        left = parent.currency_id.format(parent._left())
        raise Refused(
            self.env._(
                "Only %(left)s of payment %(payment)s is left.", left=left, payment=parent.name
            )
            if parent._left()
            else self.env._("Nothing of payment %s is left.", parent.name),
            "nothing_left",
        )

    def _give_terminal_free(self):
        """Of these, give the terminal of those free whose request is unknown and was cancelled long ago; return them."""
        stale = self.filtered(
            lambda transaction: (
                FREE_UNKNOWN_TERMINAL
                and transaction.holds_terminal
                and transaction.state == "unknown"
                and transaction._has_surely_lapsed()
            )
        )
        for transaction in stale:
            transaction.write({"holds_terminal": False})
            transaction._step(
                "alarm", note=self.env._("The terminal is given free; the payment stays unknown.")
            )
        stale.flush_recordset(["holds_terminal"])  # before the next one takes it
        return stale

    def _has_surely_lapsed(self):
        """Whether it was cancelled so long ago (or, where that is impossible, begun) that no terminal shows it."""
        limit = fields.Datetime.now() - timedelta(seconds=TERMINAL_FREE_AFTER_ABORT)
        # Of a terminal in the shop it counts from when the gateway has passed it on: before it cancels nothing.
        # Whether the app was told nobody knows.
        cancelled_at = False if self.protocol == APP else self.abort_asked_at
        if self.protocol in LAN:
            cancelled_at = self.gateway_abort_at
        if cancelled_at and cancelled_at < limit:
            return True
        return not self._is_by_cloud() and self._age() > TERMINAL_FREE_AFTER_START
