"""The journal entry of a card payment is not undone behind the payment's back."""

from odoo import models

from .ledger import is_machine


class AccountMove(models.Model):
    _inherit = "account.move"

    def button_draft(self):
        self._viva_refuse_undoing()
        return super().button_draft()

    def button_cancel(self):
        self._viva_refuse_undoing()
        return super().button_cancel()

    def _viva_refuse_undoing(self):
        if not is_machine(self.env):
            for payment in self.origin_payment_id:
                payment._viva_refuse_undoing()
