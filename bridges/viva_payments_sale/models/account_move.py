from odoo import models
from odoo.fields import Domain


class AccountMove(models.Model):
    _inherit = "account.move"

    def _viva_orders(self):
        """The sales orders that these invoices are for, in superuser mode."""
        return self.sudo().line_ids.sale_line_ids.order_id

    def _viva_hold_domain(self):
        """What is on hold for its sales orders is on hold for the invoice."""
        own = Domain(super()._viva_hold_domain())
        return own | Domain("sale_order_id", "in", self._viva_orders().ids)

    def _viva_captured_domain(self):
        """What was captured for its sales orders, before there was an invoice."""
        own = super()._viva_captured_domain()
        return own | Domain("sale_order_id", "in", self._viva_orders().ids)
