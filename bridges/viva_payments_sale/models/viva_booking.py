from odoo import fields, models


class VivaBooking(models.Model):
    _inherit = "viva.booking"

    sale_order_id = fields.Many2one(
        "sale.order",
        "Sales order",
        readonly=True,
        ondelete="set null",
        index="btree_not_null",
        help="The sales order for which money is held or captured.",
    )

    def _values_of_hold(self):
        values = super()._values_of_hold()
        return {**values, "sale_order_id": self.sale_order_id.id} if self.sale_order_id else values

    def _documents_of_hold(self, hold):
        order = self.env["sale.order"].browse((self.sale_order_id or hold.sale_order_id).id)
        return [*super()._documents_of_hold(hold), *([order] if order else [])]
