"""What a card pays is not undone behind its back: neither the entry of its payment, nor an invoice that is being charged."""

from odoo import api, models
from odoo.exceptions import UserError

from .ledger import is_machine


class AccountMove(models.Model):
    _inherit = "account.move"

    def write(self, vals):
        if vals.get("state") in ("draft", "cancel") or "origin_payment_id" in vals:
            self._viva_refuse_undoing()
        return super().write(vals)

    def _reverse_moves(self, default_values_list=None, cancel=False):
        self._viva_payments()._viva_refuse_reversal()
        if cancel:
            self._viva_refuse_claimed()
        return super()._reverse_moves(default_values_list, cancel=cancel)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_claimed(self):
        self._viva_refuse_claimed()

    def _viva_payments(self):
        """Payments whose entry this is, also when somebody has cut one of the two links."""
        return self.origin_payment_id | self.payment_ids

    def _viva_refuse_undoing(self):
        if is_machine(self.env):
            return
        for payment in self._viva_payments():
            payment._viva_refuse_undoing()
        self._viva_refuse_claimed()

    def _viva_refuse_claimed(self):
        """:raise UserError: a card is being asked for it, or has paid it already"""
        if is_machine(self.env):
            return
        claim = (
            self.env["viva.booking.line"]
            .sudo()
            .search([("move_id", "in", self.ids), ("is_claim", "=", True)], limit=1)
        )
        if claim:
            raise UserError(claim._words_of_undoing())
