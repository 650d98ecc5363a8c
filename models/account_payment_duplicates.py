"""Odoo warns of payments that look like the same once more. What was only prepared for a card is no such payment."""

from odoo import models


class AccountPayment(models.Model):
    _inherit = "account.payment"

    def _fetch_duplicate_reference(self, matching_states=("draft", "in_process")):
        """Without drafts for which no card was asked: nobody confirms them by hand, and they end by themselves."""
        found = super()._fetch_duplicate_reference(matching_states)
        others = {
            payment_id: duplicates.filtered(lambda payment: not payment._viva_is_prepared_only())
            for payment_id, duplicates in found.items()
        }
        return {payment_id: duplicates for payment_id, duplicates in others.items() if duplicates}

    def _viva_is_prepared_only(self):
        """Whether it is the draft of a card payment that was not started, or not carried out."""
        bookings = self.sudo().viva_booking_ids
        return (
            self.state == "draft"
            and bool(bookings)
            and set(bookings.mapped("state")) <= {"prepared", "not_done"}
            and self.viva_is_terminal
        )
