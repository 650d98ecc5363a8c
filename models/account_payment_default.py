"""A terminal is chosen by a person: what Odoo pays by itself is never the card's."""

from odoo import models

from .account_payment_method import VIVA


class AccountPayment(models.Model):
    _inherit = "account.payment"

    def _viva_is_of_closing(self):
        """Of a session that is being closed, or was: its cards were charged at the till."""
        return bool(self.pos_session_id or self.pos_payment_method_id)

    def _get_payment_method_codes_to_exclude(self):
        """What a session's closing books was charged at the till. Where the journal has nothing else it stays."""
        codes = super()._get_payment_method_codes_to_exclude()
        if not ("pos_payment" in self.env.context or self._viva_is_of_closing()):
            return codes
        lines = self.journal_id._get_available_payment_method_lines(self.payment_type)
        others = lines.filtered(lambda line: line.code not in (VIVA, *codes))
        return [*codes, VIVA] if others else codes

    def _compute_payment_method_line_id(self):
        """Not the first of the journal because it is the first; what was chosen for the customer counts."""
        before = {payment: payment.payment_method_line_id for payment in self}
        result = super()._compute_payment_method_line_id()
        for payment in self.filtered(lambda payment: payment.payment_method_line_id.code == VIVA):
            partner = payment.partner_id
            chosen = before[payment] | (
                partner.property_inbound_payment_method_line_id
                if payment.payment_type == "inbound"
                else partner.property_outbound_payment_method_line_id
            )
            others = payment.available_payment_method_line_ids.filtered(
                lambda line: line.code != VIVA
            )
            if others and payment.payment_method_line_id not in chosen:
                payment.payment_method_line_id = others[0]._origin
        return result
