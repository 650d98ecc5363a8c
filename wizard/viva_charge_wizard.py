from odoo import api, fields, models


class VivaChargeWizard(models.TransientModel):
    """Charge a card for a payment that was written by hand: choose the terminal, then the dialog does it."""

    _name = "viva.charge.wizard"
    _description = "Charge a card"
    _inherit = ["viva.charge.mixin"]

    payment_id = fields.Many2one(
        "account.payment", required=True, readonly=True, ondelete="cascade"
    )
    partner_id = fields.Many2one(related="payment_id.partner_id")
    currency_id = fields.Many2one(related="payment_id.currency_id")
    amount = fields.Monetary(related="payment_id.amount")
    memo = fields.Char(related="payment_id.memo")

    @api.model
    def _viva_rests_on(self):
        return ["payment_id"]

    def _viva_journal(self):
        return self.payment_id.journal_id

    def _viva_money(self):
        return self.payment_id.currency_id, self.payment_id.amount

    def _viva_moves(self):
        """Charged again after it was declined, it pays the same invoices as before."""
        last = self.payment_id.sudo().viva_booking_id
        is_same = last.partner_id == self.payment_id.sudo().partner_id
        return last.move_line_ids.move_id if is_same else super()._viva_moves()

    def _viva_obstacle_of_document(self):
        payment = self.payment_id
        if not payment.viva_can_charge:
            return payment.viva_message or self.env._("This payment is not charged by card.")
        if not payment.partner_id:
            return self.env._("Choose the customer on the payment first.")
        if payment.company_id not in self.env.companies:
            return self.env._(
                "This is booked in company %s: switch to that company first.",
                payment.company_id.name,
            )
        return ""

    def _viva_obstacle_of_currency(self):
        terminal = self.viva_terminal_id or self.viva_terminal_ids[:1]
        own = terminal.sudo().account_id.currency_id
        if self.currency_id == own:
            return super()._viva_obstacle_of_currency()
        return self.env._(
            "Terminal %(terminal)s takes %(own)s, and this payment is in %(currency)s. Choose another payment method, or "
            "enter it in %(own)s.",
            terminal=terminal.display_name,
            own=own.name,
            currency=self.currency_id.name,
        )

    def action_charge(self):
        """Prepare it, and open the dialog that starts it."""
        return self._viva_charge()

    def _viva_prepare(self):
        return self.env["viva.booking"]._prepare_payment(
            self.payment_id, self.viva_terminal_id, int(self.viva_installments or 0)
        )
