from odoo import api, fields, models


class VivaCaptureWizard(models.TransientModel):
    _inherit = "viva.capture.wizard"

    sale_order_id = fields.Many2one(
        "sale.order", readonly=True, help="The sales order on which the button was pressed."
    )
    for_order_id = fields.Many2one(
        "sale.order", string="Sales order", compute="_compute_for_order_id"
    )

    @api.depends("hold_id", "sale_order_id")
    def _compute_for_order_id(self):
        for wizard in self:
            wizard.for_order_id = wizard.sale_order_id or wizard.hold_id.sale_order_id

    def _named_invoices(self):
        """On a sales order: its invoices, whatever the hold was for."""
        named = super()._named_invoices()
        if self.invoice_id or not self.for_order_id:
            return named
        return named | self.for_order_id._origin.sudo().invoice_ids.sudo(False)

    def _hints(self):
        hints = super()._hints()
        if self.for_order_id and not self.move_ids:
            hints.append(
                self.env._(
                    "It is matched with the next invoice of %s as soon as that is posted.",
                    self.for_order_id.name,
                )
            )
        return hints

    def _values_of_hold(self):
        return {**super()._values_of_hold(), "sale_order_id": self.for_order_id.id}
