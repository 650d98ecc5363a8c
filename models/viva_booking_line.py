from odoo import fields, models


class VivaBookingLine(models.Model):
    """An invoice (or credit note) of a booking. While it claims the invoice nobody else can ask a card for it."""

    _name = "viva.booking.line"
    _description = "Viva Booking Line"

    booking_id = fields.Many2one("viva.booking", required=True, ondelete="cascade", index=True)
    move_id = fields.Many2one("account.move", required=True, ondelete="cascade", index=True)
    company_id = fields.Many2one(related="booking_id.company_id")
    is_claim = fields.Boolean("Being paid by card", readonly=True)

    _claim_unique = models.UniqueIndex(
        "(move_id) WHERE is_claim", "Somebody else is charging this invoice."
    )

    def _claimed_by_another(self):
        """The booking that claims the same invoice, if another one does."""
        self.ensure_one()
        return self.search(
            [
                ("move_id", "=", self.move_id.id),
                ("is_claim", "=", True),
                ("booking_id", "!=", self.booking_id.id),
            ]
        ).booking_id

    def _words_of_claim(self, booking):
        """Why this invoice cannot be charged now, and what to do."""
        if booking.state == "to_post":
            return self.env._(
                "%(invoice)s was paid by card already; an accountant has to post it (%(who)s asked for it). Nothing "
                "was charged.",
                invoice=self.move_id.display_name,
                who=booking.user_id.name,
            )
        if booking.operation == "refund":
            return self.env._(
                "%(who)s is giving back %(invoice)s to the card. Nothing was given back here. Wait for that result.",
                who=booking.user_id.name,
                invoice=self.move_id.display_name,
            )
        return self.env._(
            "%(who)s is charging %(invoice)s on terminal %(terminal)s. Nothing was charged here. Wait for that result.",
            who=booking.user_id.name,
            invoice=self.move_id.display_name,
            terminal=booking.terminal_id.display_name,
        )

    def _words_of_undoing(self):
        """Why this invoice cannot be changed now, and what to do."""
        booking, invoice = self.booking_id, self.move_id.display_name
        if booking.state == "to_post":
            return self.env._(
                "%s was paid by card, and that is not in the books yet: post the card payment first.",
                invoice,
            )
        return self.env._(
            "%(who)s is asking a card for %(invoice)s on terminal %(terminal)s. Wait for the result, or cancel it there.",
            who=booking.user_id.name,
            invoice=invoice,
            terminal=booking.terminal_id.display_name,
        )
