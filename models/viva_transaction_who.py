"""Who decides what became of a card payment of the back office: the accountant. Of the till it is the Viva manager."""

from odoo import api, fields, models

from .viva_booking import ACCOUNTANT
from .viva_transaction_pos import MANAGER


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    can_decide = fields.Boolean(
        compute="_compute_can_decide",
        help="Nobody knows what became of it, and the user may say it.",
    )

    @api.depends("state", "booking_id")
    @api.depends_context("uid")
    def _compute_can_decide(self):
        user = self.env.user
        is_manager, is_accountant = user.has_group(MANAGER), user.has_group(ACCOUNTANT)
        for transaction in self:
            transaction.can_decide = transaction.state == "unknown" and (
                is_manager or (is_accountant and bool(transaction.booking_id))
            )

    def _person_who_decides(self):
        """The user, who decides about this payment.

        :raise AccessError: he may not
        """
        self.ensure_one()
        self.check_access("read")
        if self.booking_id and self.env.user.has_group(ACCOUNTANT):
            return self.env.user
        self._require_cashier()
        return self._deciding_person(None)

    def action_abort(self):
        if not self.booking_id:
            return super().action_abort()
        self.ensure_one()
        self.check_access("read")
        self.env["viva.booking"]._require(self.booking_id.sudo().operation)
        self._abort(self.id)
        return self.action_check()

    def action_check(self):
        """And the books follow at once, as in the dialog of the card payment."""
        result = super().action_check()
        self.env["viva.booking"]._follow(self.booking_id.ids)
        return result
