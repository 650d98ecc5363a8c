"""The invoices of a booking, as a button."""

from odoo import api, fields, models


class VivaBooking(models.Model):
    _inherit = "viva.booking"

    move_ids = fields.Many2many("account.move", compute="_compute_move_ids", string="Invoices")
    move_count = fields.Integer(compute="_compute_move_ids")
    can_show = fields.Boolean(
        compute="_compute_can_show", help="Its dialog can start it, or has something to show."
    )

    @api.depends("line_ids.move_id", "hold_move_id")
    def _compute_move_ids(self):
        for booking in self:
            booking.move_ids = booking.line_ids.move_id | booking.hold_move_id
            booking.move_count = len(booking.move_ids)

    @api.depends("state", "user_id")
    @api.depends_context("uid")
    def _compute_can_show(self):
        for booking in self:
            # Nobody else can start it.
            booking.can_show = booking.state != "prepared" or booking.user_id == self.env.user

    def action_view_invoices(self):
        self.ensure_one()
        action = {
            "type": "ir.actions.act_window",
            "name": self.env._("Invoices"),
            "res_model": "account.move",
        }
        if self.move_count == 1:
            return {**action, "res_id": self.move_ids.id, "views": [(False, "form")]}
        return {
            **action,
            "views": [(False, "list"), (False, "form")],
            "domain": [("id", "in", self.move_ids.ids)],
        }
