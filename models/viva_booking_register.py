from odoo import api, models


class VivaBooking(models.Model):
    """A charge for a payment that somebody has written by hand: an advance, without an invoice."""

    _inherit = "viva.booking"

    @api.model
    def _prepare_payment(self, payment, terminal, max_installments=0):
        """A booking of a draft payment. What was prepared for the same one before cannot be started any more.

        :raise UserError: it cannot be done, in words for the person
        """
        older = payment.viva_booking_ids.filtered(lambda booking: booking.state == "prepared")
        older._machine().write({"payment_id": False})
        return self._prepare(
            "sale",
            terminal=terminal,
            currency=payment.currency_id,
            amount=payment.amount,
            partner=payment.partner_id,
            journal=payment.journal_id,
            method_line=payment.payment_method_line_id,
            destination=payment.destination_account_id,
            memo=payment.memo or "",
            max_installments=max_installments,
            company=payment.company_id,
            payment=payment,
        )
