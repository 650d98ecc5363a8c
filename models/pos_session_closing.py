"""What the closing of a session books has been charged at the till, also where a journal's only method is Viva terminal."""

from odoo import models

from .ledger import CONTEXT_KEY, MACHINE


class PosSession(models.Model):
    _inherit = "pos.session"

    def _viva_closing(self):
        """The session, whose payments need no card of their own."""
        return self.with_context(**{CONTEXT_KEY: MACHINE})

    def _create_combine_account_payment(self, payment_method, amounts, diff_amount):
        closing = self._viva_closing()
        lines = super(PosSession, closing)._create_combine_account_payment(
            payment_method, amounts, diff_amount
        )
        return lines.with_env(self.env)

    def _create_split_account_payment(self, payment, amounts):
        closing = self._viva_closing()
        lines = super(PosSession, closing)._create_split_account_payment(payment, amounts)
        return lines.with_env(self.env)

    def _viva_book_tip(self, method, amount):
        return super(PosSession, self._viva_closing())._viva_book_tip(method, amount)
