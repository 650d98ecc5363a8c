"""What the till may ask. The tab names a payment and an amount; the server derives everything else."""

import re
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..drivers import VIVA_CURRENCIES, exponent, to_major, to_minor
from .ledger import in_ledger, own_cursor
from .viva_transaction_flow import TERMINAL_FREE_AFTER_ABORT, Refused

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
    def pos_charge(self, request):
        """Charge a payment line of a draft order. The same attempt never sends twice.

        :param dict request: attempt, payment_uuid, order_uuid, order_reference, pos_session_id,
            payment_method_id, amount_minor (minor units), terminal_id (optional)
        :return: Status
        :raise AccessError: not a cashier, or not of this company
        """
        self._require_cashier()
        request = self._read_request(request)
        known = self._status_of([request["attempt"]])
        if known:
            return known[0]
        try:
            values, limit_minor = self._pos_values(request)
            self._refuse_while_silent(values["terminal_id"])
            transaction_id, is_new = self._record(values, limit_minor)
        except Refused as refusal:
            return self._refused_status(request, refusal)
        if is_new:
            self._send(transaction_id)
        return self._statuses([transaction_id])[0]

    @api.model
    def pos_abandon(self, request):
        """The till has asked for a charge, got no answer, and the server knows nothing of it: give it up.

        Whichever comes first wins: a charge that arrives later finds the attempt cancelled and sends nothing;
        if it came first, its Status is the answer and the till goes on watching.

        :param dict request: as for `pos_charge`
        :return: Status
        """
        self._require_cashier()
        request = self._read_request(request)
        known = self._status_of([request["attempt"]])
        if known:
            return known[0]
        try:
            transaction_id, _is_new = self._record(*self._pos_values(request), abandoned=True)
        except Refused as refusal:
            # A charge that arrives later is refused for the same reason.
            return self._refused_status(request, refusal)
        return self._statuses([transaction_id])[0]

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
    def pos_abort(self, attempt):
        """Ask Viva to cancel. The answer says whether that is known to have worked.

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

    @api.model
    def _read_request(self, request):
        """Check the types of what a tab has sent, and copy nothing else."""
        texts = ("attempt", "payment_uuid", "order_uuid")
        numbers = ("pos_session_id", "payment_method_id", "amount_minor")
        is_sound = (
            isinstance(request, dict)
            and all(
                isinstance(request.get(name), str) and _UUID.fullmatch(request[name])
                for name in texts
            )
            and all(
                type(request.get(name)) is int and 0 < request[name] < 2**31 for name in numbers
            )
            and type(request.get("terminal_id") or 0) is int
        )
        if not is_sound:
            raise UserError(
                self.env._(
                    "The till has sent an unreadable request. Nothing was charged. Reload the page."
                )
            )
        return {
            **{name: request[name] for name in (*texts, *numbers)},
            "terminal_id": request.get("terminal_id") or 0,
        }

    @api.model
    def _pos_values(self, request):
        """Derive a sale, and the limit of its order, from what the till has asked for; as the user.

        :raise Refused: it is not to be
        """
        # Sessions, orders and tills have a hundred columns each: only what is needed is fetched.
        session = self.env["pos.session"].search_fetch(
            [("id", "=", request["pos_session_id"]), ("company_id", "in", self.env.companies.ids)],
            ["state", "config_id", "company_id"],
        )
        session.config_id.fetch(["company_id", "currency_id", "rounding_method"])
        order = self.env["pos.order"].search_fetch(
            [("uuid", "=", request["order_uuid"]), ("company_id", "=", session.company_id.id)],
            ["uuid", "state", "name", "pos_reference", "amount_total", "config_id", "company_id"],
        )
        method = self.env["pos.payment.method"].search_fetch(
            [
                ("id", "=", request["payment_method_id"]),
                ("config_ids", "in", session.config_id.ids),
            ],
            ["company_id", "use_payment_terminal", "viva_terminal_ids"],
        )
        if not session or session.state != "opened":
            raise Refused(self.env._("This session is not open. Reload the till."), "session")
        if not order:
            raise Refused(
                self.env._(
                    "The order is not saved in Odoo yet. Nothing was charged. Check the connection and try again."
                ),
                "order",
            )
        if order.state != "draft":
            raise Refused(
                self.env._("This order is paid or cancelled already. Nothing was charged."), "order"
            )
        if not method or not method._is_viva():
            raise Refused(
                self.env._("This payment method does not belong to this till. Reload the till."),
                "method",
            )
        terminal = self._pos_terminal(method, request["terminal_id"])
        if method.company_id != terminal.company_id or session.company_id != terminal.company_id:
            raise Refused(self.env._("This terminal belongs to another company."), "terminal")
        currency = session.currency_id
        if currency.name not in VIVA_CURRENCIES:
            raise Refused(
                self.env._(
                    "Viva does not take %(currency)s. It takes: %(list)s.",
                    currency=currency.name,
                    list=", ".join(VIVA_CURRENCIES),
                ),
                "currency",
            )
        amount = to_major(request["amount_minor"], currency.name)
        # A company may round more coarsely than the currency does: 0.50 HUF would be stored as 1 HUF.
        if to_minor(currency.round(float(amount)), currency.name) != request["amount_minor"]:
            raise Refused(
                self.env._("Odoo rounds this amount. Nothing was charged. Correct the amount."),
                "amount",
            )
        payment = order.payment_ids.filtered(lambda line: line.uuid == request["payment_uuid"])
        if payment and to_minor(payment.amount, currency.name) != request["amount_minor"]:
            raise Refused(
                self.env._(
                    "The order in Odoo has another amount for this payment. Nothing was charged. Try again."
                ),
                "amount",
            )
        return {
            "attempt": request["attempt"],
            "operation": "sale",
            "terminal_id": terminal.id,
            "cash_register_id": f"odoo-till-{session.config_id.id}",
            "amount": amount,
            "currency_id": currency.id,
            "document_key": f"pos.order/{order.uuid}",
            "order_reference": _printable(order.pos_reference or order.name),
            "order_uuid": order.uuid,
            "payment_uuid": request["payment_uuid"],
            "pos_session_id": session.id,
            "pos_config_id": session.config_id.id,
        }, self._limit_minor(order)

    @api.model
    def _refuse_while_silent(self, terminal_id):
        account = self.env["viva.terminal"].browse(terminal_id).account_id
        if not self.env["viva.connection"]._store(account).may_ask():
            raise Refused(
                self.env._(
                    "Viva does not answer at the moment. Nothing was charged. Try again in a minute, or take cash."
                ),
                "silent",
            )

    @api.model
    def _pos_terminal(self, method, terminal_id):
        terminals = method.viva_terminal_ids
        terminal = (
            terminals.filtered(lambda record: record.id == terminal_id)
            if terminal_id
            else terminals[:1]
        )
        if not terminals:
            raise Refused(
                self.env._("This payment method has no terminal yet. Ask an administrator."),
                "terminal",
            )
        if not terminal or (not terminal_id and len(terminals) > 1):
            raise Refused(self.env._("Choose the terminal."), "terminal")
        refusal = terminal._refusal()
        if refusal:
            raise Refused(refusal, "terminal")
        return terminal

    @api.model
    def _limit_minor(self, order):
        """The most that cards may bring in for an order, in minor units."""
        currency = order.currency_id.name
        return to_minor(order.amount_total, currency) + to_minor(
            order.config_id.rounding_method.rounding or 0, currency
        )

    def _net_amount(self):
        """What of the order this payment has brought in: without tip and surcharge, less what was given back."""
        self.ensure_one()
        return self.approved_amount - self.tip_amount - self.surcharge_amount - self.reversed_amount

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

    def _may_be_live(self):
        """Whether the request may still be on the terminal: no end is known, nor was it cancelled long ago."""
        limit = fields.Datetime.now() - timedelta(seconds=TERMINAL_FREE_AFTER_ABORT)
        return self.holds_terminal and not (self.abort_asked_at and self.abort_asked_at < limit)

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
                transaction._status(silent.get(transaction.account_id.id, False), may_decide)
                for transaction in transactions
            ]

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
        return {
            "attempt": self.attempt,
            "payment_uuid": self.payment_uuid or "",
            "order_uuid": self.order_uuid or "",
            "order_reference": self.order_reference or "",
            "state": self.state,
            "final": not is_unsettled,
            "charged": self.state == "approved"
            and not self.currency_id.is_zero(max(self._net_amount(), 0.0)),
            "forced": bool(self.forced_by),
            "reason": self.reason or "",
            "message": message,
            "terminal": {
                "id": self.terminal_id.id,
                "viva_id": self.terminal_viva_id,
                "name": self.terminal_id.display_name,
            },
            "amount_minor": to_minor(self.amount, currency),
            "approved_minor": to_minor(self.approved_amount, currency),
            "currency": currency,
            "digits": exponent(currency),
            "asked_at": fields.Datetime.to_string(self.sent_at or self.create_date),
            "age_s": age,
            "poll_ms": self._poll_ms(silent, age),
            "can_cancel": is_unsettled and not is_cancelling,
            "can_check": is_unsettled,
            "can_force": may_decide and self._may_decide(),
            "silent": silent,
            "demo": self.is_demo,
            "abort_asked": is_cancelling,
            "result": self._result(),
        }

    def _poll_ms(self, silent, age):
        if silent:
            return POLL_SILENT
        if self.state == "unknown":
            return POLL_UNKNOWN
        return POLL_FAST if age < FAST_FOR else POLL_SLOW

    @api.model
    def _refused_status(self, request, refusal):
        blocking = self._statuses([refusal.blocking])[0] if refusal.blocking else None
        return {
            "attempt": request["attempt"],
            "payment_uuid": request["payment_uuid"],
            "order_uuid": request["order_uuid"],
            "order_reference": "",
            "state": "refused",
            "final": True,
            "charged": False,
            "forced": False,
            "reason": refusal.reason,
            "message": str(refusal),
            "terminal": None,
            "amount_minor": request["amount_minor"],
            "approved_minor": 0,
            "currency": "",
            "digits": 0,
            "asked_at": False,
            "age_s": 0,
            "poll_ms": 0,
            "can_cancel": False,
            "can_check": False,
            "can_force": False,
            "silent": refusal.reason == "silent",
            "demo": False,
            "abort_asked": False,
            "result": {},
            "blocking": blocking,
        }
