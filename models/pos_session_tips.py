"""Tips that customers added on the terminal and that the books carry apart from the order."""

from odoo import models


class PosSession(models.Model):
    _inherit = "pos.session"

    def _validate_session(self, *args, **kwargs):
        result = super()._validate_session(*args, **kwargs)
        if self.state == "closed":
            self.sudo().with_company(self.company_id)._viva_book_tips()
        return result

    def _viva_book_tips(self):
        """One payment per payment method into its tip account: what Viva pays out is then explained to the cent."""
        self.ensure_one()
        payments = self._get_closed_orders().payment_ids.filtered(
            lambda payment: payment.payment_method_id.viva_tip_account_id
        )
        for method, of_method in payments.grouped("payment_method_id").items():
            transactions = of_method.viva_transaction_id
            tips = sum(transaction._tip_apart() for transaction in transactions)
            if not self.currency_id.is_zero(tips):
                self._viva_book_tip(method, tips)

    def _viva_book_tip(self, method, amount):
        outstanding, tips = method.outstanding_account_id, method.viva_tip_account_id
        payment = (
            self.env["account.payment"]
            .with_context(pos_payment=True)
            .create(
                {
                    "amount": abs(amount),
                    "payment_type": "inbound" if amount > 0 else "outbound",
                    "currency_id": self.currency_id.id,
                    "journal_id": method.journal_id.id,
                    "force_outstanding_account_id": outstanding.id,
                    "destination_account_id": tips.id,
                    "memo": self.env._(
                        "Tips on %(method)s from %(session)s", method=method.name, session=self.name
                    ),
                    "pos_payment_method_id": method.id,
                    "pos_session_id": self.id,
                    "company_id": self.company_id.id,
                }
            )
        )
        # As for the session's payments themselves: with the accounting app an account is forced.
        if not payment.outstanding_account_id:
            payment.outstanding_account_id = payment._get_outstanding_account(payment.payment_type)
        payment.action_post()
