from odoo import fields, models


class VivaHoldWizard(models.TransientModel):
    _inherit = "viva.hold.wizard"

    sale_order_id = fields.Many2one("sale.order", "Sales order", readonly=True)

    def _check_documents(self):
        self.sale_order_id.check_access("read")
        return super()._check_documents()

    def _values_of_hold(self):
        return {**super()._values_of_hold(), "sale_order_id": self.sale_order_id.id}
