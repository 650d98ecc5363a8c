from odoo import api, models


class VivaBooking(models.Model):
    """A charge for a draft payment: an advance that somebody has written by hand, or one that was declined before."""

    _inherit = "viva.booking"

    @api.model
    def _prepare_payment(self, payment, terminal, max_installments=0):
        """A booking of a draft payment. What was prepared for the same one before cannot be started any more.

        Asked for again, it pays the same invoices as before.

        :raise UserError: it cannot be done, in words for the person
        """
        bookings = payment.viva_booking_ids.sorted("id")
        bookings.filtered(lambda booking: booking.state == "prepared")._machine().write(
            {"payment_id": False}
        )
        last = bookings[-1:]
        if last.partner_id != payment.partner_id:
            last = self.browse()
        is_same = last and payment.currency_id.compare_amounts(last.amount, payment.amount) == 0
        return self._prepare(
            "sale",
            terminal=terminal,
            currency=payment.currency_id,
            amount=payment.amount,
            partner=payment.partner_id,
            journal=payment.journal_id,
            method_line=payment.payment_method_line_id,
            lines=last.move_line_ids,
            write_off=last.write_off if is_same else None,
            destination=payment.destination_account_id,
            memo=payment.memo or "",
            max_installments=max_installments,
            company=payment.company_id,
            payment=payment,
        )
