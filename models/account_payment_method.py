from odoo import api, models

VIVA = "viva"


class AccountPaymentMethod(models.Model):
    """The method "Viva terminal" of bank journals, one for each direction."""

    _inherit = "account.payment.method"

    @api.model
    def _get_payment_method_information(self):
        return {
            **super()._get_payment_method_information(),
            VIVA: {"mode": "multi", "type": ("bank",)},
        }

    def _auto_link_payment_methods(self, payment_methods, methods_info):
        # Only where an administrator has a Viva account booked (`viva_account_office`), not on every journal.
        others = payment_methods.filtered(lambda method: method.code != VIVA)
        super()._auto_link_payment_methods(others, methods_info)
        return payment_methods
