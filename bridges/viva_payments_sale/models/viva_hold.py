from odoo import fields, models


class VivaHold(models.Model):
    _inherit = "viva.hold"

    sale_order_id = fields.Many2one(
        "sale.order",
        "Sales order",
        readonly=True,
        ondelete="set null",
        index="btree_not_null",
        help="The quotation or sales order for which the money is held.",
    )

    def _own_invoices(self):
        """Those of its sales order too: an invoice that was made for it, a down payment."""
        invoices = self.sudo().sale_order_id.invoice_ids.sudo(False)
        return super()._own_invoices() | invoices.filtered(
            lambda move: move.move_type == "out_invoice" and move.state != "cancel"
        )

    def _values_for_booking(self):
        return {**super()._values_for_booking(), "sale_order_id": self.sale_order_id.id}

    def action_view_sale_order(self):
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "sale.order",
            "res_id": self.sale_order_id.id,
            "views": [(False, "form")],
        }
