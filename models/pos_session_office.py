"""What the form of a session shows of its card payments."""

from odoo import fields, models


class PosSession(models.Model):
    _inherit = "pos.session"

    viva_obstacle = fields.Text("Card payments in doubt", compute="_compute_viva_obstacle")

    def _compute_viva_obstacle(self):
        for session in self:
            session.viva_obstacle = session._viva_obstacle() if session.state != "closed" else False
