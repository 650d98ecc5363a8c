"""A booking: what the books shall carry of one card operation that the back office has asked for.

The ledger (`viva.transaction`) is the truth about the money; this is the other side of it. A wizard prepares a booking
(with a draft payment where one belongs to it), its dialog starts it, `viva_booking_post` brings the books up to what
the ledger says.
"""

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

from .ledger import CONTEXT_KEY, MACHINE, is_machine

BILLING = "account.group_account_invoice"
ACCOUNTANT = "viva_payments.group_viva_accountant"
# Whoever bills may ask for a card; giving money back and taking what is held is the accountant's.
GROUP_OF = {
    "sale": BILLING,
    "preauth": BILLING,
    "capture": ACCOUNTANT,
    "refund": ACCOUNTANT,
    "void": ACCOUNTANT,
    "release": ACCOUNTANT,
}
# Operations to which a payment of Odoo belongs, and the way its money goes.
PAYMENT_TYPE = {"sale": "inbound", "capture": "inbound", "refund": "outbound"}
NEEDS_PARENT = ("capture", "refund", "void", "release")


class VivaBooking(models.Model):
    _name = "viva.booking"
    _description = "Card Payment Booking"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "id desc"
    _check_company_auto = True
    # Nobody may write a booking; whoever may read it sees and finishes his tasks about it.
    _mail_post_access = "read"

    attempt = fields.Char(
        required=True,
        readonly=True,
        copy=False,
        help="One press of a button; the same in the ledger.",
    )
    operation = fields.Selection(
        [
            ("sale", "Sale"),
            ("preauth", "Preauth"),
            ("capture", "Capture"),
            ("refund", "Refund"),
            ("void", "Void"),
            ("release", "Release"),
        ],
        required=True,
        readonly=True,
    )
    state = fields.Selection(
        [
            ("prepared", "Prepared"),
            ("running", "At the terminal"),
            ("booked", "Booked"),
            ("to_post", "To be posted"),
            ("not_done", "Not carried out"),
        ],
        required=True,
        readonly=True,
        default="prepared",
        index=True,
    )
    reason = fields.Char(readonly=True, help="Why it is not in the books.")
    company_id = fields.Many2one("res.company", required=True, readonly=True, ondelete="restrict")
    user_id = fields.Many2one(
        "res.users", "Asked by", required=True, readonly=True, ondelete="restrict"
    )
    partner_id = fields.Many2one("res.partner", readonly=True, ondelete="restrict", index=True)
    account_id = fields.Many2one(
        "viva.account", "Viva account", required=True, readonly=True, ondelete="restrict"
    )
    terminal_id = fields.Many2one(
        "viva.terminal", required=True, readonly=True, ondelete="restrict"
    )
    via = fields.Selection(
        [("terminal", "Terminal"), ("api", "Viva's transactions API")],
        "By way of",
        required=True,
        readonly=True,
        default="terminal",
    )
    max_installments = fields.Integer("Installments offered", readonly=True)
    currency_id = fields.Many2one("res.currency", required=True, readonly=True, ondelete="restrict")
    amount = fields.Monetary(
        required=True,
        readonly=True,
        help="What is asked for: without a customer's tip or surcharge.",
    )
    parent_id = fields.Many2one(
        "viva.transaction",
        "Original card payment",
        readonly=True,
        ondelete="restrict",
        index="btree_not_null",
        help="The payment that is captured, voided, refunded or released.",
    )
    documents = fields.Char(readonly=True, help="The invoices or the reason, as they were called.")
    line_ids = fields.One2many("viva.booking.line", "booking_id", readonly=True)
    move_line_ids = fields.Many2many(
        "account.move.line", readonly=True, help="What the payment is reconciled with."
    )
    line_count = fields.Integer(readonly=True, help="How many journal items it was asked for.")
    to_match = fields.Monetary(
        readonly=True, help="How much of the payment is expected to be matched with them at once."
    )
    hold_reference = fields.Char(readonly=True)
    hold_move_id = fields.Many2one(
        "account.move", "Held for", readonly=True, ondelete="set null", index="btree_not_null"
    )

    # The payment, and what it is made of: it is made anew when somebody has deleted the draft
    payment_id = fields.Many2one(
        "account.payment", readonly=True, ondelete="set null", index="btree_not_null"
    )
    journal_id = fields.Many2one("account.journal", readonly=True, ondelete="restrict")
    payment_method_line_id = fields.Many2one(
        "account.payment.method.line", readonly=True, ondelete="restrict"
    )
    destination_account_id = fields.Many2one("account.account", readonly=True, ondelete="restrict")
    memo = fields.Char(readonly=True)
    write_off = fields.Json(
        readonly=True, help="Further lines of the entry, e.g. an early payment discount."
    )
    undoes_payment_id = fields.Many2one(
        "account.payment",
        "Takes back",
        readonly=True,
        ondelete="set null",
        index="btree_not_null",
        help="The payment that this refund undoes where there is no credit note.",
    )
    booked_at = fields.Datetime(readonly=True)
    transaction_id = fields.Many2one(
        "viva.transaction",
        compute="_compute_transaction_id",
        compute_sudo=True,
        search="_search_transaction_id",
    )
    message = fields.Char(compute="_compute_message")

    _attempt_unique = models.Constraint("unique (attempt)", "This attempt is known already.")
    _amount_positive = models.Constraint(
        "CHECK (amount > 0)", "The amount of a card operation is positive."
    )

    @api.depends("documents", "partner_id", "operation")
    def _compute_display_name(self):
        operations = dict(self._fields["operation"]._description_selection(self.env))
        for booking in self:
            names = (
                operations.get(booking.operation),
                booking.documents or booking.partner_id.display_name,
            )
            booking.display_name = " · ".join(filter(None, names))

    @api.depends("attempt")
    def _compute_transaction_id(self):
        found = self.env["viva.transaction"].search([("attempt", "in", self.mapped("attempt"))])
        by_attempt = {transaction.attempt: transaction for transaction in found}
        for booking in self:
            booking.transaction_id = by_attempt.get(booking.attempt)

    def _search_transaction_id(self, operator, value):
        found = self.env["viva.transaction"].sudo().search([("id", operator, value)])
        return [("attempt", "in", found.mapped("attempt"))]

    @api.depends("state", "reason", "payment_id.state")
    @api.depends_context("lang")
    def _compute_message(self):
        for booking in self:
            booking.message = booking._words()

    def _words(self):
        """What is the case in the books, in a short sentence; empty while the card is the subject."""
        self.ensure_one()
        if self.state == "to_post":
            return self.env._(
                "The money has moved, but it is not in the books yet: %s", self.reason or "-"
            )
        if self.state == "not_done":
            return self.reason or ""
        if self.state == "booked" and self.payment_id:
            return self.env._("Booked as %s.", self.payment_id.name or self.payment_id.display_name)
        return ""

    # -- nobody else writes ----------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        if not is_machine(self.env):
            raise UserError(
                self.env._("Card payments are asked for by their buttons, not by hand.")
            )
        return super().create(vals_list)

    def write(self, vals):
        chatter = ("message_", "activity_", "my_activity_", "has_message", "website_message_")
        if not is_machine(self.env) and not all(name.startswith(chatter) for name in vals):
            raise UserError(self.env._("What belongs to a card payment is not changed by hand."))
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_never(self):
        raise UserError(self.env._("What belongs to a card payment is never deleted."))

    def _machine(self):
        """The same bookings, to be written by this addon itself."""
        return self.sudo().with_context(**{CONTEXT_KEY: MACHINE})

    # -- rights ----------------------------------------------------------------------------------

    @api.model
    def _require(self, operation):
        """:raise AccessError: the user may not do it"""
        group = GROUP_OF[operation]
        if self.env.user.has_group(group):
            return
        if group == BILLING:
            raise AccessError(self.env._("Only a user of Invoicing may charge cards here."))
        raise AccessError(
            self.env._("Only an accountant may give card money back or take what is on hold.")
        )

    def _after_booked(self):
        """For what further follows once it is in the books (see `viva_hold_booking` and the bridges)."""

    # -- buttons ---------------------------------------------------------------------------------

    def _open_dialog(self):
        """The dialog that starts it, or shows what became of it."""
        self.ensure_one()
        return {
            "type": "ir.actions.client",
            "tag": "viva_payments.booking",
            "name": self.env._("Card payment"),
            "target": "new",
            "params": {"attempt": self.attempt},
        }

    def action_open_dialog(self):
        self.check_access("read")
        return self._open_dialog()

    def action_view_transaction(self):
        self.ensure_one()
        return self._form("viva.transaction", self.transaction_id.id)

    def action_view_payment(self):
        self.ensure_one()
        return self._form("account.payment", self.payment_id.id)

    @staticmethod
    def _form(model, record_id):
        return {
            "type": "ir.actions.act_window",
            "res_model": model,
            "res_id": record_id,
            "views": [(False, "form")],
        }
