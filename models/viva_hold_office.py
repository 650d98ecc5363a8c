"""What the list of holds needs: those that are still open come first."""

from odoo import api, fields, models

OPEN_STATES = ("asked", "open", "unknown")


class VivaHold(models.Model):
    _inherit = "viva.hold"

    is_open = fields.Boolean("Still open", compute="_compute_is_open", store=True, index=True)

    order_reference = fields.Char(
        "Order", compute="_compute_order_reference", help="As on the receipt."
    )

    def _compute_order_reference(self):
        for hold in self:
            # Of the office its document has a field of its own.
            at_till = not hold.preauth_id.sudo().booking_id
            hold.order_reference = at_till and hold.preauth_id.order_reference

    @api.depends("state")
    def _compute_is_open(self):
        for hold in self:
            hold.is_open = hold.state in OPEN_STATES

    def action_view_order(self):
        """The order for which the money is held, parked or not."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "pos.order",
            "res_id": self.pos_order_id.id,
            "views": [(False, "form")],
        }
