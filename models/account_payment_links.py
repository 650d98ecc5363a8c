"""The card payments of a payment: its own, or those of the session whose closing has booked it."""

from odoo import api, fields, models


class AccountPayment(models.Model):
    _inherit = "account.payment"

    viva_transaction_count = fields.Integer(
        "Card payments", compute="_compute_viva_transaction_count", compute_sudo=True
    )

    @api.depends("viva_booking_ids", "pos_session_id")
    def _compute_viva_transaction_count(self):
        for payment in self:
            payment.viva_transaction_count = len(payment._viva_transactions())

    def _viva_transactions(self):
        """In superuser mode; with what was given back of them."""
        self.ensure_one()
        payment = self.sudo()
        method = payment.pos_payment_method_id
        if not (payment.pos_session_id and method and method._is_viva()):
            return payment.viva_booking_ids.transaction_id._family()
        return payment.env["viva.transaction"].search(
            [
                ("pos_session_id", "=", payment.pos_session_id.id),
                ("payment_method_id", "=", method.id),
                ("state", "=", "approved"),
            ]
        )

    def action_view_viva_transactions(self):
        self.check_access("read")
        return self._viva_transactions().sudo(False)._open()
