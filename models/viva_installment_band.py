from odoo import api, fields, models

from ..drivers import to_minor


class VivaInstallmentBand(models.Model):
    """From which amount up to how many monthly parts are offered. An upper limit: the customer chooses.

    The bands of a payment method are for the till, those of a Viva account for the back office.
    """

    _name = "viva.installment.band"
    _description = "Viva Installment Band"
    _order = "amount_from, id"

    payment_method_id = fields.Many2one("pos.payment.method", ondelete="cascade", index=True)
    account_id = fields.Many2one("viva.account", ondelete="cascade", index=True)
    company_id = fields.Many2one(
        "res.company", compute="_compute_company_id", store=True, compute_sudo=True, precompute=True
    )
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
    _band_of_account_unique = models.Constraint(
        "unique (account_id, amount_from)", "Two bands begin at the same amount."
    )
    _one_owner = models.Constraint(
        "CHECK (num_nonnulls(payment_method_id, account_id) = 1)",
        "Installments belong either to a payment method of the till or to a Viva account.",
    )

    @api.depends("payment_method_id.company_id", "account_id.company_id")
    def _compute_company_id(self):
        for band in self:
            band.company_id = (band.payment_method_id or band.account_id).company_id

    @api.depends(
        "payment_method_id.journal_id.currency_id",
        "payment_method_id.company_id",
        "account_id.currency_id",
    )
    def _compute_currency_id(self):
        for band in self:
            method = band.payment_method_id
            band.currency_id = (
                band.account_id.currency_id
                or method.journal_id.currency_id
                or method.company_id.currency_id
            )

    def _most(self, amount_minor):
        """Up to how many installments these bands offer for an amount in minor units; 0 is none."""
        fitting = [
            band.installments
            for band in self.sorted("amount_from")
            if to_minor(band.amount_from, band.currency_id.name) <= amount_minor
        ]
        return fitting[-1] if fitting else 0
