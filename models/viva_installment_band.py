from odoo import api, fields, models


class VivaInstallmentBand(models.Model):
    """From which amount up to how many monthly parts a payment method offers. An upper limit: the customer chooses."""

    _name = "viva.installment.band"
    _description = "Viva Installment Band"
    _order = "amount_from, id"

    payment_method_id = fields.Many2one(
        "pos.payment.method", required=True, ondelete="cascade", index=True
    )
    company_id = fields.Many2one(related="payment_method_id.company_id")
    currency_id = fields.Many2one("res.currency", compute="_compute_currency_id")
    amount_from = fields.Monetary("From amount", required=True)
    installments = fields.Integer("Up to", required=True, default=3)

    _installments_sound = models.Constraint(
        "CHECK (installments BETWEEN 2 AND 36)", "Installments are between 2 and 36."
    )
    _amount_sound = models.Constraint(
        "CHECK (amount_from >= 0)",
        "The amount from which installments are offered is not negative.",
    )
    _band_unique = models.Constraint(
        "unique (payment_method_id, amount_from)", "Two bands begin at the same amount."
    )

    @api.depends("payment_method_id.journal_id.currency_id", "payment_method_id.company_id")
    def _compute_currency_id(self):
        for band in self:
            method = band.payment_method_id
            band.currency_id = method.journal_id.currency_id or method.company_id.currency_id
