"""Give card money back, capture a hold, release it: from the back office, on a terminal or without one."""

import uuid

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from ..drivers import to_minor
from ..models.viva_transaction import FINAL_NO
from ..models.viva_transaction_pos import MANAGER
from ..models.viva_transaction_start import GIVE_BACK

STARTED = ("draft", "sent", "pending", "unknown")


class VivaOperationWizard(models.TransientModel):
    """One operation on a card payment. It never waits: it starts, and tells what is known whenever it is asked.

    Two requests, one press: the first saves what the operation rests on (the refund order), the second sends. So the
    ledger never names an order that a failed request has taken back.
    """

    _name = "viva.operation.wizard"
    _description = "Give card money back, capture or release a hold"

    intent = fields.Selection(
        [("give_back", "Give back"), ("capture", "Capture"), ("release", "Release")],
        required=True,
        readonly=True,
        default="give_back",
    )
    parent_id = fields.Many2one(
        "viva.transaction", "Card payment", required=True, domain="[('id', 'in', candidate_ids)]"
    )
    candidate_ids = fields.Many2many("viva.transaction", compute="_compute_candidate_ids")
    has_choice = fields.Boolean(compute="_compute_candidate_ids")
    operation = fields.Selection(
        [("void", "Void"), ("refund", "Refund"), ("capture", "Capture"), ("release", "Release")],
        compute="_compute_operation",
    )
    attempt = fields.Char(
        required=True, readonly=True, copy=False, default=lambda self: str(uuid.uuid4())
    )
    payment_uuid = fields.Char(
        required=True, readonly=True, copy=False, default=lambda self: str(uuid.uuid4())
    )
    via = fields.Selection(
        [("terminal", "On a terminal"), ("api", "Without card and terminal")],
        "By way of",
        required=True,
        compute="_compute_via",
        store=True,
        precompute=True,
        readonly=False,
    )
    terminal_id = fields.Many2one(
        "viva.terminal",
        compute="_compute_terminal_id",
        store=True,
        readonly=False,
        domain="[('id', 'in', terminal_ids)]",
    )
    terminal_ids = fields.Many2many("viva.terminal", compute="_compute_place")
    session_id = fields.Many2one("pos.session", "POS session", compute="_compute_place")
    currency_id = fields.Many2one(related="parent_id.currency_id", related_sudo=False)
    approved_amount = fields.Monetary(related="parent_id.approved_amount", related_sudo=False)
    reversed_amount = fields.Monetary(related="parent_id.reversed_amount", related_sudo=False)
    left_amount = fields.Monetary(related="parent_id.left_amount", related_sudo=False)
    order_reference = fields.Char(related="parent_id.order_reference", related_sudo=False)
    is_demo = fields.Boolean(related="parent_id.is_demo", related_sudo=False)
    card = fields.Char(compute="_compute_operation")
    amount = fields.Monetary(compute="_compute_amount", store=True, readonly=False)
    order_id = fields.Many2one(
        "pos.order", readonly=True, help="The refund order, or the one that the hold pays."
    )
    made_order = fields.Boolean(readonly=True, help="The refund order was made by this dialog.")
    hint = fields.Text(compute="_compute_hint")
    is_whole_only = fields.Boolean(
        compute="_compute_hint", help="A part cannot be given back on a terminal yet."
    )
    obstacle = fields.Text(compute="_compute_hint")
    refusal = fields.Text(readonly=True)
    transaction_id = fields.Many2one("viva.transaction", compute="_compute_transaction")
    state = fields.Selection(related="transaction_id.state")
    message = fields.Char(related="transaction_id.message")
    holds_terminal = fields.Boolean(related="transaction_id.holds_terminal")
    can_finish = fields.Boolean(related="transaction_id.can_finish")
    phase = fields.Selection(
        [("choose", "Choose"), ("running", "Running"), ("done", "Done")],
        compute="_compute_transaction",
    )
    rest = fields.Char(compute="_compute_rest")

    @api.model_create_multi
    def create(self, vals_list):
        wizards = super().create(vals_list)
        wizards.parent_id.check_access("read")
        return wizards

    def write(self, vals):
        result = super().write(vals)
        if "parent_id" in vals:
            self.parent_id.check_access("read")
        return result

    # -- what it is about ------------------------------------------------------------------------

    @api.depends("parent_id", "intent")
    def _compute_operation(self):
        for wizard in self:
            parent = wizard.parent_id
            wizard.card = parent._card_title() if parent else False
            back = "refund" if parent.is_attached else "void"
            wizard.operation = back if wizard.intent == "give_back" else wizard.intent

    @api.depends("parent_id", "order_id", "intent")
    def _compute_candidate_ids(self):
        for wizard in self:
            wizard.candidate_ids = wizard.parent_id
            if wizard.intent == "give_back" and wizard.parent_id:
                order = wizard.order_id or wizard.parent_id.pos_order_id
                wizard.candidate_ids |= order._viva_to_give_back() if order else wizard.parent_id
            wizard.has_choice = len(wizard.candidate_ids) > 1

    @api.depends("parent_id", "intent")
    def _compute_via(self):
        for wizard in self:
            account = wizard.parent_id.sudo().account_id
            wizard.via = account.release_by if wizard.intent == "release" else "terminal"

    @api.depends("parent_id", "intent", "order_id")
    def _compute_place(self):
        for wizard in self:
            session = wizard.session_id = wizard._session()
            methods = wizard._methods(session)
            wizard.terminal_ids = methods.viva_terminal_ids.filtered(
                lambda terminal, wizard=wizard: (
                    terminal.account_id == wizard.parent_id.sudo().account_id
                )
            )

    @api.depends("parent_id", "intent")
    def _compute_terminal_id(self):
        for wizard in self:
            possible = wizard.terminal_ids._origin
            own = possible & wizard.parent_id._origin.terminal_id
            wizard.terminal_id = own or possible[:1]

    @api.depends("parent_id", "intent")
    def _compute_amount(self):
        for wizard in self:
            wizard.amount = wizard._amount()

    def _amount(self):
        """What is asked for; of a capture the proposal."""
        parent = self.parent_id
        if not parent:
            return 0.0
        if self.operation == "refund":
            left = parent._net_amount()
            if self.order_id or self._draft_refund():
                left = min(left, self._open_of_order())
            return parent.currency_id.round(max(left, 0.0))
        if self.operation == "capture" and self._order_of_hold():
            return min(parent._left(), max(self._open_of_order(), 0.0))
        return parent._left()

    def _open_of_order(self):
        """What of the order is not paid (of a refund order: not paid out) yet; positive."""
        gives_back = self.intent == "give_back"
        order = self.order_id or (self._draft_refund() if gives_back else self._order_of_hold())
        sign = -1 if gives_back else 1
        paid = sum(
            payment.amount
            for payment in order.payment_ids
            if payment.payment_status in (False, "done")
        )
        return order.currency_id.round(sign * (order.amount_total - paid))

    def _order_of_hold(self):
        order = self.parent_id.hold_id.pos_order_id if self.intent == "capture" else None
        return self.env["pos.order"].browse(order.id if order and order.state == "draft" else [])

    # -- where it takes place --------------------------------------------------------------------

    def _session(self):
        """The open session in which this operation is booked, or none."""
        parent, sessions = self.parent_id, self.env["pos.session"]
        if not parent:
            return sessions
        domain = [
            ("state", "=", "opened"),
            ("rescue", "=", False),
            ("company_id", "=", parent.company_id.id),
            (
                "config_id.payment_method_ids.viva_terminal_ids.account_id",
                "=",
                parent.sudo().account_id.id,
            ),
        ]
        order = self.order_id or self._order_of_hold()
        if order and not order.viva_parked:
            return order.session_id if order.session_id.state == "opened" else sessions
        config = parent.pos_order_id.session_id.config_id or parent.pos_config_id
        own = sessions.search([*domain, ("config_id", "=", config.id)], limit=1)
        if own or self.operation == "refund":
            return own
        # Nothing is booked in it but the transaction itself.
        return sessions.search(domain, limit=1)

    def _methods(self, session):
        methods = session.config_id.payment_method_ids.filtered(lambda method: method._is_viva())
        own = self.parent_id.payment_method_id & methods
        return own + (methods - own)

    def _method(self):
        methods = self._methods(self.session_id)
        if self.via == "terminal":
            methods = methods.filtered(lambda method: self.terminal_id in method.viva_terminal_ids)
        return methods[:1]

    # -- what stands in the way ------------------------------------------------------------------

    @api.depends("parent_id", "intent", "order_id", "via", "terminal_id", "amount")
    def _compute_hint(self):
        for wizard in self:
            wizard.hint = "\n".join(wizard._hints()) if wizard.parent_id else False
            wizard.obstacle = wizard._obstacle() if wizard.parent_id else False
            wizard.is_whole_only = bool(
                wizard.operation == "refund"
                and wizard.via == "terminal"
                and wizard.parent_id._partial_obstacle()
            )

    def _hints(self):
        parent = self.parent_id
        hints = []
        if self.operation == "refund":
            if parent._partial_obstacle():
                hints.append(parent._partial_obstacle())
            extras = parent._extras(parent._left())
            beyond = extras["tip_amount"] + extras["surcharge_amount"]
            if beyond:
                hints.append(
                    self.env._(
                        "With the whole payment, tip and surcharge go back as well: %s.",
                        parent.currency_id.format(beyond),
                    )
                )
            begun = self._draft_refund()
            if not self.order_id and begun:
                hints.append(
                    self.env._(
                        "Refund order %s was begun already: its amount is given back.",
                        begun.pos_reference or begun.name,
                    )
                )
            elif not self.order_id:
                hints.append(
                    self.env._(
                        "A refund order for everything that was not returned yet is made in session %s: stock and taxes follow.",
                        self.session_id.name or "-",
                    )
                )
        elif self.operation == "void":
            hints.append(
                self.env._("This money is on no paid order: all that is left of it is given back.")
            )
        elif self.operation == "capture":
            hints.append(self.env._("A hold is captured once: Viva releases what is not captured."))
            if self._order_of_hold().viva_parked:
                hints.append(
                    self.env._(
                        "The parked order comes back into session %s.", self.session_id.name or "-"
                    )
                )
        else:
            hints.append(self.env._("Nothing is held on the card any more afterwards."))
        return hints

    def _obstacle(self):
        """Why this cannot be started, and what to do; empty: it can."""
        parent = self.parent_id
        if self.intent == "give_back":
            obstacle = parent._obstacle_of_money_back()
        else:
            obstacle = parent._obstacle_of_hold() if parent.operation == "preauth" else None
        if obstacle is None:
            return self.env._("This is not a payment with which that can be done.")
        return (
            obstacle
            or self._obstacle_of_order()
            or self._obstacle_of_session()
            or self._obstacle_of_way()
        )

    def _obstacle_of_order(self):
        if self.operation == "capture" and not self._order_of_hold():
            return self._words_of_no_order()
        if self.operation == "refund":
            order = self.order_id or self.parent_id.pos_order_id
            if not order:
                return self.env._("The order of this payment does not exist any more.")
            if not self.order_id and not order.has_refundable_lines and not self._draft_refund():
                return self.env._(
                    "Everything on order %s was returned already. Correct its refund order instead.",
                    order.pos_reference or order.name,
                )
        return ""

    def _words_of_no_order(self):
        hold = self.parent_id.hold_id
        if hold._obstacle_in_office() or not self.parent_id.sudo().account_id.journal_id:
            return self.env._(
                "No open order waits for this hold. Capture it at the till, on the order that it is to pay."
            )
        return self.env._(
            "No open order waits for this hold. Capture it at the till, on the order that it is to pay. For an invoice an "
            "accountant captures it: button Capture of the invoice or of the hold."
        )

    def _obstacle_of_session(self):
        if self.session_id:
            return ""
        config = self.parent_id.pos_order_id.session_id.config_id or self.parent_id.pos_config_id
        return self.env._(
            "Point of Sale %s has no open session: there is nowhere to book it. Open the register first, then try again.",
            config.name or "-",
        )

    def _obstacle_of_way(self):
        if self.via == "api":
            return self.parent_id.sudo()._refusal_of_api()
        if not self.terminal_ids:
            return self.env._(
                "No terminal of the Viva account of this payment belongs to Point of Sale %s. Choose one on its payment method.",
                self.session_id.config_id.name,
            )
        if not self.terminal_id:
            return self.env._("Choose the terminal.")
        return self.terminal_id.sudo()._refusal()

    # -- what became of it -----------------------------------------------------------------------

    @api.depends("attempt")
    def _compute_transaction(self):
        for wizard in self:
            found = self.env["viva.transaction"].search([("attempt", "=", wizard.attempt)])
            wizard.transaction_id = found
            if not found or found.state in FINAL_NO:
                wizard.phase = "choose"
            else:
                wizard.phase = "running" if found.state in STARTED else "done"

    @api.depends("attempt", "order_id")
    def _compute_rest(self):
        for wizard in self:
            order, rest = wizard.order_id, 0.0
            if order.state == "draft" and wizard.phase == "done" and not wizard.can_finish:
                rest = wizard._open_of_order()
            wizard.rest = False
            if order and order.currency_id.compare_amounts(rest, 0) > 0:
                wizard.rest = self.env._(
                    "Order %(order)s is still open: %(rest)s of it are not settled. Open it and settle the rest.",
                    order=order.pos_reference or order.name,
                    rest=order.currency_id.format(rest),
                )

    # -- buttons ---------------------------------------------------------------------------------

    def action_confirm(self):
        """Save what the operation rests on; the next request, which the browser makes by itself, starts it."""
        self.ensure_one()
        self._require_right()
        if self.phase != "choose":
            return self._reopen()
        if self.obstacle:
            raise UserError(self.obstacle)
        self.refusal = False
        if self.transaction_id:
            # That attempt has ended with a no: another press is another attempt.
            self.attempt = str(uuid.uuid4())
        if self.operation == "refund":
            self._provide_refund_order()
        elif self.operation == "capture":
            self._provide_order_of_hold()
        return self._then("start")

    def action_start(self):
        """Start it. Asked again (a lost reply, a double press), the same attempt never sends twice."""
        self.ensure_one()
        self._require_right()
        status = self.env["viva.transaction"]._in_office().pos_start(self._request())
        self.refusal = status["message"] if status["state"] == "refused" else False
        return self._then("follow")

    def action_check(self):
        """Ask Viva what became of it."""
        self.ensure_one()
        self.env["viva.transaction"].pos_check([self.attempt])
        return self._then("follow")

    def action_cancel(self):
        """Ask Viva to take the request off the terminal."""
        self.ensure_one()
        self.env["viva.transaction"].pos_abort(self.attempt)
        return self._then("follow")

    def action_follow(self):
        """Show what is known; money that has moved is put on its order."""
        self.ensure_one()
        if self.can_finish:
            self.transaction_id.action_finish_order()
        return self._reopen()

    def action_finish(self):
        """Put the money on its order, and show the order."""
        self.ensure_one()
        return self.transaction_id.action_finish_order()

    def action_open_order(self):
        """The refund order, to choose what is returned; from there the money is given back."""
        self.ensure_one()
        self._require_right()
        if self.operation == "refund" and not self.order_id:
            obstacle = self._obstacle_of_order() or self._obstacle_of_session()
            if obstacle:
                raise UserError(obstacle)
            self._provide_refund_order()
        return {
            "type": "ir.actions.act_window",
            "res_model": "pos.order",
            "res_id": self.order_id.id,
            "views": [(False, "form")],
        }

    def action_discard(self):
        """Close the dialog; a refund order that it has made and that nothing was given back for goes away."""
        self.ensure_one()
        order = self.order_id
        # The ledger keeps what was tried; the order is only needed when money moved (or may have).
        is_idle = self.made_order and order.exists() and order.state == "draft"
        if is_idle and not (order._viva_charged() or order.payment_ids):
            order.unlink()
        return {"type": "ir.actions.act_window_close"}

    # -- its parts -------------------------------------------------------------------------------

    def _require_right(self):
        self.parent_id.check_access("read")
        needed = GIVE_BACK
        if self.intent != "give_back" or self.via == "api":
            needed = MANAGER
        if not self.env.user.has_group(needed):
            raise AccessError(
                self.env._("Only a Viva manager may do this.")
                if needed == MANAGER
                else self.env._("You may not give money back by card. Call a manager.")
            )

    def _draft_refund(self):
        """A refund of the payment's order that was begun and is not paid out yet."""
        return self.env["pos.order"].search(
            [
                ("state", "=", "draft"),
                ("session_id.state", "=", "opened"),
                ("lines.refunded_orderline_id.order_id", "=", self.parent_id.pos_order_id.id),
            ],
            limit=1,
        )

    def _provide_refund_order(self):
        """One refund order for this payment: a begun one, or a new one with all that was not returned yet."""
        if not self.order_id:
            self.order_id = self._draft_refund()
        if not self.order_id:
            original = self.env["pos.order"].browse(self.parent_id.pos_order_id.id)
            self.order_id = original._refund()
            self.made_order = True
        if not self.order_id.uuid:
            self.order_id.uuid = str(uuid.uuid4())
        self.amount = self._amount()

    def _provide_order_of_hold(self):
        order = self._order_of_hold()
        if order.viva_parked:
            hold = self.parent_id.hold_id
            self.env["viva.transaction"].pos_recall(hold.id, self.session_id.id)
        self.order_id = order

    def _request(self):
        """What the till would ask for. The amount of money back is never the browser's word."""
        amount = self.amount if self.operation == "capture" else self._amount()
        needs_order = self.operation in ("refund", "capture")
        return {
            "attempt": self.attempt,
            "operation": self.operation,
            "pos_session_id": self.session_id.id,
            "payment_method_id": self._method().id,
            "amount_minor": to_minor(amount, self.currency_id.name),
            "terminal_id": self.terminal_id.id if self.via == "terminal" else 0,
            "order_uuid": self.order_id.uuid if needs_order else "",
            "payment_uuid": self.payment_uuid if needs_order else "",
            "parent_attempt": self.parent_id.attempt,
            "via": self.via,
        }

    def _then(self, step):
        """Have the browser make the next request, with a database transaction of its own."""
        action = self.env.ref(f"viva_payments.action_viva_operation_{step}")
        return {
            "type": "ir.actions.server",
            "id": action.id,
            "context": {"active_model": self._name, "active_id": self.id, "active_ids": self.ids},
        }

    def _reopen(self):
        titles = {
            "void": self.env._("Give money back"),
            "refund": self.env._("Give money back"),
            "capture": self.env._("Capture a hold"),
            "release": self.env._("Release a hold"),
        }
        return {
            "type": "ir.actions.act_window",
            "name": titles[self.operation],
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
            "target": "new",
        }
