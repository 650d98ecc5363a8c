"""What the form of a session shows of its card payments."""

from odoo import fields, models


class PosSession(models.Model):
    _inherit = "pos.session"

    viva_obstacle = fields.Text("Card payments in doubt", compute="_compute_viva_obstacle")
    viva_transaction_count = fields.Integer(compute="_compute_viva_transaction_count")

    def _compute_viva_obstacle(self):
        for session in self:
            session.viva_obstacle = session._viva_obstacle() if session.state != "closed" else False

    def _compute_viva_transaction_count(self):
        groups = self.env["viva.transaction"]._read_group(
            [("pos_session_id", "in", self.ids)], ["pos_session_id"], ["__count"]
        )
        counts = dict(groups)
        for session in self:
            session.viva_transaction_count = counts.get(session, 0)
