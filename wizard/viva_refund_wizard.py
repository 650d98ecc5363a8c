"""Give back a card payment of the back office without a credit note; or before it is in the books at all."""

from odoo import api, fields, models
from odoo.exceptions import UserError


class VivaRefundWizard(models.TransientModel):
    """Only prepares: the dialog that it opens starts."""

    _name = "viva.refund.wizard"
    _description = "Give back a card payment"
    _inherit = ["viva.refund.choice"]

    parent_id = fields.Many2one("viva.transaction", "Card payment", required=True, readonly=True)
    payment_id = fields.Many2one("account.payment", compute="_compute_payment")
    invoice_ids = fields.Many2many("account.move", compute="_compute_payment", string="Invoices")
    operation = fields.Selection(
        [("refund", "Refund"), ("void", "Void")], compute="_compute_payment"
    )
    partner_id = fields.Many2one("res.partner", compute="_compute_payment", string="Customer")
    documents = fields.Char(compute="_compute_payment")
    can_credit = fields.Boolean(compute="_compute_payment")
    card = fields.Char(compute="_compute_payment")
    is_demo = fields.Boolean(related="parent_id.is_demo", related_sudo=False)
    currency_id = fields.Many2one(related="parent_id.currency_id", related_sudo=False)
    approved_amount = fields.Monetary(
        "Charged", related="parent_id.approved_amount", related_sudo=False
    )
    reversed_amount = fields.Monetary(
        "Given back", related="parent_id.reversed_amount", related_sudo=False
    )
    left_amount = fields.Monetary("Left", compute="_compute_payment")
    amount = fields.Monetary("Give back now", compute="_compute_amount", store=True, readonly=False)
    hint = fields.Text(compute="_compute_words")
    obstacle = fields.Text(compute="_compute_words")

    @api.model_create_multi
    def create(self, vals_list):
        wizards = super().create(vals_list)
        wizards.parent_id.check_access("read")
        return wizards

    # -- what it is about ------------------------------------------------------------------------

    def _booking(self):
        """The booking that has brought the money, in superuser mode."""
        return self.parent_id.sudo().booking_id

    @api.depends("parent_id")
    def _compute_payment(self):
        for wizard in self:
            booking, parent = wizard._booking(), wizard.parent_id.sudo()
            is_booked = booking.state == "booked"
            payment = self.env["account.payment"].browse(booking.payment_id.id)
            wizard.operation = "refund" if is_booked else "void"
            wizard.payment_id = payment if is_booked else False
            wizard.invoice_ids = payment.reconciled_invoice_ids if is_booked else False
            wizard.can_credit = is_booked and len(wizard.invoice_ids) == 1
            wizard.partner_id = booking.partner_id.id
            wizard.documents = booking.documents
            wizard.card = parent._card_title() if parent else False
            wizard.left_amount = wizard._most()

    def _most(self):
        parent = self.parent_id.sudo()
        if not parent:
            return 0.0
        return parent._books_left() if self._booking().state == "booked" else parent._left()

    @api.depends("parent_id")
    def _compute_amount(self):
        for wizard in self:
            wizard.amount = wizard._most()

    # -- how -------------------------------------------------------------------------------------

    def _viva_refund_parent(self):
        return self.parent_id.sudo()

    def _viva_refund_amount(self):
        if self.operation == "void":
            return self.parent_id.sudo()._net_amount()
        return self.amount

    @api.depends("parent_id")
    def _compute_viva_refund_terminal_ids(self):
        return super()._compute_viva_refund_terminal_ids()

    @api.depends("parent_id")
    def _compute_viva_refund_terminal_id(self):
        return super()._compute_viva_refund_terminal_id()

    @api.depends("parent_id", "amount", "viva_refund_via", "viva_refund_terminal_id")
    def _compute_words(self):
        for wizard in self:
            wizard.obstacle = wizard._viva_refund_obstacle() if wizard.parent_id else False
            wizard.hint = "\n".join(wizard._hints()) if wizard.parent_id else False

    def _hints(self):
        if self.operation == "void":
            return [
                self.env._(
                    "This payment is not in the books yet: all of it goes back to the card."
                ),
                self.env._("Its draft payment is cancelled, and the invoice stays open."),
            ]
        hints = []
        if self.invoice_ids:
            hints.append(
                self.env._(
                    "An outgoing payment is booked and matched with %(payment)s. %(invoices)s is open again by that amount.",
                    payment=self.payment_id.display_name,
                    invoices=", ".join(self.invoice_ids.mapped("display_name")),
                )
            )
        else:
            hints.append(
                self.env._(
                    "An outgoing payment is booked and matched with %s.",
                    self.payment_id.display_name,
                )
            )
        beyond = self._viva_refund_words_beyond()
        if beyond:
            hints.append(beyond)
        return hints

    def _viva_refund_obstacle(self):
        booking = self._booking()
        if not booking:
            return self.env._(
                "This card payment belongs to the Point of Sale: refund its order there, or make a credit note of its "
                "invoice."
            )
        if booking.operation not in ("sale", "capture"):
            return self.env._("Only money that was taken can be given back.")
        return super()._viva_refund_obstacle()

    # -- buttons ---------------------------------------------------------------------------------

    def action_confirm(self):
        """Prepare it and open its dialog, which starts it."""
        self.ensure_one()
        bookings = self.env["viva.booking"]
        bookings._require(self.operation)
        obstacle = self._viva_refund_obstacle()
        if obstacle:
            raise UserError(obstacle)
        original, parent = self._booking(), self.parent_id
        options = {
            "terminal": parent.terminal_id
            if self.viva_refund_via == "api"
            else self.viva_refund_terminal_id,
            "currency": self.currency_id,
            "amount": self._viva_refund_amount(),
            "via": self.viva_refund_via,
            "partner": self.partner_id,
            "parent": parent,
            "memo": original._memo_of_taking_back(),
            "company": original.company_id,
        }
        if self.operation == "refund":
            values = original._values_to_take_back()
            options |= {
                "journal": self.env["account.journal"].browse(values["journal_id"]),
                "method_line": self.env["account.payment.method.line"].browse(
                    values["payment_method_line_id"]
                ),
                "destination": self.env["account.account"].browse(values["destination_account_id"]),
                "undoes": self.payment_id,
            }
        return bookings._prepare(self.operation, **options)._open_dialog()

    def action_credit_note(self):
        """The way that also corrects sales and taxes: a credit note of the invoice, paid out to the card afterwards."""
        self.ensure_one()
        if not self.can_credit:
            raise UserError(self.env._("Open the invoice and make its credit note there."))
        return {
            **self.env["ir.actions.act_window"]._for_xml_id(
                "account.action_view_account_move_reversal"
            ),
            "context": {"active_model": "account.move", "active_ids": self.invoice_ids.ids},
        }


class AccountPayment(models.Model):
    _inherit = "account.payment"

    viva_can_give_back = fields.Boolean(compute="_compute_viva_can_give_back")

    def _compute_viva_can_give_back(self):
        for payment in self:
            booking = payment.sudo().viva_booking_ids.filtered(
                lambda booking: booking.operation in ("sale", "capture")
            )[:1]
            transaction = booking.transaction_id
            payment.viva_can_give_back = bool(
                booking.state in ("booked", "to_post")
                and transaction
                and transaction._obstacle_of_money_back() == ""
            )

    def action_viva_give_back(self):
        """Open the dialog that gives this payment back."""
        self.ensure_one()
        self.check_access("read")
        self.env["viva.booking"]._require("refund")
        if not self.viva_can_give_back:
            raise UserError(self.env._("Nothing of this payment can be given back by card."))
        return self.sudo().viva_transaction_id._give_back_in_office()


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    can_give_back_in_office = fields.Boolean(compute="_compute_can")

    def _compute_can(self):
        result = super()._compute_can()
        for transaction in self:
            is_in_office = transaction._is_in_office()
            transaction.can_give_back_in_office = is_in_office and transaction.can_give_back
            if is_in_office:
                transaction.can_give_back = False
        return result

    def action_give_back_in_office(self):
        self.ensure_one()
        self.check_access("read")
        self.env["viva.booking"]._require("refund")
        if not self.can_give_back_in_office:
            raise UserError(self.env._("Nothing of this payment can be given back by card."))
        return self._give_back_in_office()

    def _give_back_in_office(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Give money back"),
            "res_model": "viva.refund.wizard",
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_parent_id": self.id},
        }
