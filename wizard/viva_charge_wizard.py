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

    def action_charge(self):
        """Prepare it, and open the dialog that starts it."""
        return self._viva_charge()

    def _viva_prepare(self):
        return self.env["viva.booking"]._prepare_payment(
            self.payment_id, self.viva_terminal_id, int(self.viva_installments or 0)
        )
