"""What the till may ask about operations that were started, and the Status that answers it."""

import re

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..drivers import exponent, to_minor
from .ledger import in_ledger, own_cursor
from .viva_transaction import GIVES_BACK, PAYS, TAKES_MONEY
from .viva_transaction_api import API_MISSING_AFTER
from .viva_transaction_record import TERMINAL_FREE_AFTER_ABORT, TERMINAL_FREE_AFTER_START
from .ways import APP, LAN

MANAGER = "viva_payments.group_viva_manager"
_UUID = re.compile(r"[0-9a-zA-Z-]{8,64}")

# How soon the till asks again, in milliseconds.
POLL_FAST, POLL_SLOW, POLL_UNKNOWN, POLL_SILENT = 1000, 2000, 4000, 5000
FAST_FOR = 90  # seconds
FORCE_AFTER = 60  # seconds without a result, then a manager may decide


def _printable(text, longest=64):
    """A short text without control characters, for a terminal's screen or the ledger; empty if it is none."""
    text = text if isinstance(text, str) else ""
    return "".join(character for character in text if character.isprintable()).strip()[:longest]


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    # -- RPC -------------------------------------------------------------------------------------

    @api.model
    def pos_check(self, attempts):
        """Ask Viva about these attempts where that can bring news. Attempts that were never recorded are left out.

        :return: [Status]
        """
        self._require_cashier()
        ids = self._mine([("attempt", "in", self._read_uuids(attempts))])
        self.env["viva.event"]._process(ids)
        self._check(ids)
        return self._statuses(ids)

    @api.model
    def pos_find(self, order_uuids):
        """All card payments of these orders, for a till that has lost its memory. Asks nobody.

        :return: [Status]
        """
        self._require_cashier()
        return self._statuses(self._mine([("order_uuid", "in", self._read_uuids(order_uuids))]))

    @api.model
    def pos_abort(self, attempt, unopened=False):
        """Ask Viva to cancel. The answer says whether that is known to have worked.

        :param bool unopened: of the app: this till has not opened it, and has forgotten the address that charges
        :return: Status
        """
        self._require_cashier()
        ids = self._mine([("attempt", "in", self._read_uuids([attempt]))])
        if not ids:
            raise UserError(
                self.env._(
                    "This card payment is not known to Odoo: nothing was sent to the terminal."
                )
            )
        for transaction_id in ids:
            if unopened is True and self._may_be_unopened(transaction_id):
                self._look(ids)
                self._never_opened(transaction_id)
            self._abort(transaction_id)
        self._check(ids)
        return self._statuses(ids)[0]

    @api.model
    def pos_force(self, attempt, reason, credentials=None):
        """A manager takes a payment as paid although Viva has not confirmed it. It goes on being checked.

        :param str reason: what the manager has seen, e.g. the slip of the terminal
        :param credentials: who decides, if not the user of the session (see bridges)
        :return: Status
        """
        self._require_cashier()
        person = self._deciding_person(credentials)
        ids = self._mine([("attempt", "in", self._read_uuids([attempt]))])
        if not ids:
            raise UserError(
                self.env._("This card payment is not known to Odoo: it cannot be accepted.")
            )
        self._check(ids)
        self._decide(ids[0], "approved", reason, person)
        return self._statuses(ids)[0]

    # -- who and what ----------------------------------------------------------------------------

    def _require_cashier(self):
        if not self.env.user.has_group("point_of_sale.group_pos_user"):
            raise AccessError(
                self.env._("Only a user of the Point of Sale may take card payments.")
            )

    @api.model
    def _deciding_person(self, credentials):
        """The manager who decides: the user of the session itself."""
        if self.env.user.has_group(MANAGER):
            return self.env.user
        raise AccessError(
            self.env._("Only a Viva manager may accept a payment that Viva has not confirmed.")
        )

    @api.model
    def _can_decide(self):
        """Whether to offer the decision to the person at this till."""
        return self.env.user.has_group(MANAGER)

    @api.model
    def _mine(self, domain):
        """Ids of transactions that the user may see."""
        domain = [*domain, ("company_id", "in", self.env.companies.ids)]
        return self.search(domain, order="id").ids

    @api.model
    def _read_uuids(self, values):
        if not isinstance(values, list | tuple) or len(values) > 200:
            raise UserError(self.env._("The till has sent an unreadable request. Reload the page."))
        return [value for value in values if isinstance(value, str) and _UUID.fullmatch(value)]

    def _booked_amount(self):
        """What the books of the order carry of this: without surcharge, and without a tip that is booked apart."""
        self.ensure_one()
        tip = 0 if self.tip_booking == "product" else self.tip_amount
        return self.currency_id.round(self.approved_amount - tip - self.surcharge_amount)

    def _payment_amount(self):
        """The amount of the payment line that this stands for; negative when money went back."""
        return -self._booked_amount() if self.operation in GIVES_BACK else self._booked_amount()

    def _net_amount(self):
        """What of the order this payment has brought in (or, of a refund, paid out), less what was given back."""
        self.ensure_one()
        reversals = self.child_ids.filtered(
            lambda child: child.operation in GIVES_BACK and child._counts()
        )
        given_back = sum(reversal._booked_amount() for reversal in reversals)
        return self.currency_id.round(self._booked_amount() - given_back)

    def _is_due(self):
        """Money has moved that a paid order (or refund) has to carry."""
        self.ensure_one()
        return (
            self._counts()
            and self.operation in PAYS
            and self.currency_id.compare_amounts(self._net_amount(), 0) > 0
        )

    def _tip_apart(self):
        """The part of this payment (negative: of money given back) that is booked in a tip account."""
        self.ensure_one()
        if not self._counts() or self._is_voided():
            return 0.0
        if self.operation in GIVES_BACK:
            return -self.tip_amount if self.parent_id.tip_booking == "account" else 0.0
        return self.tip_amount if self.tip_booking == "account" else 0.0

    def _is_session_closed(self):
        """Whether the session in which its payment is booked is closed."""
        payment = self.env["pos.payment"].search([("uuid", "=", self.payment_uuid)], limit=1)
        return payment.session_id.state == "closed"

    def _has_open_tip(self):
        """Nobody has decided yet how the customer's tip is booked."""
        self.ensure_one()
        return (
            self.state == "approved"
            and self.operation in TAKES_MONEY
            and not self.tip_booking
            and self.currency_id.compare_amounts(self.tip_amount, 0) > 0
            and self._stands()
        )

    # -- decisions of people ---------------------------------------------------------------------

    @api.model
    def _decide(self, transaction_id, state, reason, person):
        """`person` decides what became of a payment that Viva does not tell about: approved or failed."""
        reason = _printable(reason, 1000)
        if len(reason) < 3:
            raise UserError(
                self.env._(
                    "Write in a few words what you have seen, for example on the terminal's slip."
                )
            )

        def work(env):
            transaction = env["viva.transaction"].browse(transaction_id)._lock()
            if not transaction._may_decide():
                raise UserError(env._("This payment needs no decision: %s", transaction.message))
            if state == "failed" and transaction.via == "api":
                transaction._refuse_hasty_no()
            if state == "failed" and transaction.protocol == APP and transaction._may_be_live():
                raise UserError(
                    env._(
                        "The app may still be open and ask for the card. %s seconds after it was asked for it can be "
                        "marked as not charged.",
                        TERMINAL_FREE_AFTER_START,
                    )
                )
            if state == "failed" and transaction._may_be_live():
                raise UserError(
                    env._(
                        "Terminal %(terminal)s may still ask for the card. Cancel the payment first; %(seconds)s seconds "
                        "later it can be marked as not charged.",
                        terminal=transaction.terminal_id.display_name,
                        seconds=TERMINAL_FREE_AFTER_ABORT,
                    )
                )
            values = {
                "forced_by": person.id,
                "forced_reason": reason,
                # A reversal that Viva has reported cannot be read back: the person's word is final.
                "is_forced": transaction.origin == "odoo",
                "reason": "person",
                "holds_terminal": False,
            }
            if state == "approved":
                values["approved_amount"] = transaction.amount
            transaction._move(state, kind="person", note=f"{person.name}: {reason}", values=values)

        in_ledger(self.env, work)

    def _refuse_hasty_no(self):
        """Viva's list may lag, and has no idempotency behind it: a no comes late, and never against an event."""
        if self._has_success_event():
            raise UserError(
                self.env._("Viva has reported that it was carried out. Look into Viva's portal.")
            )
        if self._age() <= API_MISSING_AFTER:
            raise UserError(
                self.env._(
                    "Viva may still be working on it. %s minutes after it was asked for it can be marked as not done.",
                    API_MISSING_AFTER // 60,
                )
            )

    def _may_be_live(self):
        """Whether the request may still be on the terminal: no end is known, nor was it cancelled long ago."""
        if self.protocol == APP:
            # The app holds no terminal that Odoo could give to others, but it may still be open.
            return not self._is_app_done() and not self._has_surely_lapsed()
        return self.holds_terminal and not self._has_surely_lapsed()

    def _may_decide(self):
        self.ensure_one()
        if self.state == "unknown":
            return True
        return self.state in ("sent", "pending") and self._age() > FORCE_AFTER

    def _age(self):
        return int((fields.Datetime.now() - (self.sent_at or self.create_date)).total_seconds())

    # -- Status ----------------------------------------------------------------------------------

    @api.model
    def _status_of(self, attempts):
        return self._statuses(self._mine([("attempt", "in", attempts)]))

    @api.model
    def _statuses(self, ids):
        """Status of each id, as committed at this moment (not as the caller's cursor remembers)."""
        if not ids:
            return []
        may_decide = self._can_decide()
        with own_cursor(self.env) as env:
            transactions = env["viva.transaction"].browse(ids)
            silent = {
                account.id: env["viva.connection"]._store(account).is_silent(env)
                for account in transactions.filtered("is_unsettled").account_id
            }
            return [
                transaction._status(
                    silent.get(transaction.account_id.id, False) and transaction._waits_for_viva(),
                    may_decide,
                )
                for transaction in transactions
            ]

    def _waits_for_viva(self):
        """Whether Viva itself has to say what comes next; of a terminal in the shop its gateway does."""
        self.ensure_one()
        return self.state == "unknown" or self.protocol not in LAN

    def _status(self, silent, may_decide):
        self.ensure_one()
        currency = self.currency_id.name
        is_unsettled = self.is_unsettled
        is_cancelling = bool(self.abort_asked_at) and not self.abort_refused
        age = self._age()
        message = self.message
        if silent and is_unsettled:
            message = self.env._(
                "Viva does not answer at the moment – still trying. Look at the terminal."
            )
        cannot_cancel = self._obstacle_to_cancel() if is_unsettled else ""
        return {
            "attempt": self.attempt,
            "operation": self.operation,
            "via": self.via,
            "protocol": self.protocol or "",
            "word": self.word if self.state == "approved" else "",
            "offline": self.is_offline,
            "app": self._app_addresses() if is_unsettled else None,
            "parent_attempt": self.parent_id.attempt or "",
            "executed": self.executed or "",
            "payment_uuid": self.payment_uuid or "",
            "order_uuid": self.order_uuid or "",
            "order_reference": self.order_reference or "",
            "state": self.state,
            "final": not is_unsettled,
            "charged": self._stands(),
            "forced": bool(self.forced_by),
            "reason": self.reason or "",
            "message": message,
            "terminal": {
                "id": self.terminal_id.id,
                "viva_id": self.terminal_viva_id,
                "name": self.terminal_id.display_name
                if self.via == "terminal"
                else self.env._("Without terminal"),
            },
            "amount_minor": to_minor(self.amount, currency),
            "approved_minor": to_minor(self.approved_amount, currency),
            "left_minor": to_minor(self._left(), currency),
            "tip_minor": to_minor(self.tip_amount, currency),
            "tip_booking": self.tip_booking or "",
            "surcharge_minor": to_minor(self.surcharge_amount, currency),
            "installments": self.installments,
            "hold": self.hold_id._summary() if self.hold_id else None,
            "choices": self._choices(),
            "currency": currency,
            "digits": exponent(currency),
            "asked_at": fields.Datetime.to_string(self.sent_at or self.create_date),
            "age_s": age,
            "poll_ms": self._poll_ms(silent, age),
            "can_cancel": bool(
                is_unsettled and not is_cancelling and self.via == "terminal" and not cannot_cancel
            ),
            "cannot_cancel": cannot_cancel,
            "can_check": is_unsettled,
            "can_force": may_decide and self._may_decide(),
            "silent": silent,
            "demo": self.is_demo,
            "abort_asked": is_cancelling,
            "result": self._result(),
        }

    def _stands(self):
        """It was carried out and, of money taken, not all of it was given back."""
        if not self._counts():
            return False
        left = self.approved_amount - self.reversed_amount
        return self.currency_id.compare_amounts(left, 0) > 0

    def _poll_ms(self, silent, age):
        if silent:
            return POLL_SILENT
        if self.state == "unknown":
            return POLL_UNKNOWN
        return POLL_FAST if age < FAST_FOR else POLL_SLOW
