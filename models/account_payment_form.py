"""What the form of a payment says about its card payment, and the buttons on it."""

from odoo import api, fields, models
from odoo.exceptions import UserError

# Of a booking: another charge for the same payment would be a second one.
_TAKEN = ("running", "to_post", "booked")


class AccountPayment(models.Model):
    _inherit = "account.payment"

    viva_message = fields.Char("Card", compute="_compute_viva_message")
    viva_level = fields.Selection(
        [("info", "Info"), ("success", "Success"), ("warning", "Warning"), ("danger", "Danger")],
        compute="_compute_viva_message",
    )
    viva_booking_state = fields.Char(compute="_compute_viva_message")
    viva_can_charge = fields.Boolean(compute="_compute_viva_message")
    viva_needs_card = fields.Boolean(
        compute="_compute_viva_message",
        help="A card has to be charged for it; not one of the till.",
    )

    @api.depends("state", "payment_type", "partner_type", "payment_method_line_id")
    @api.depends("pos_session_id", "pos_payment_method_id")
    @api.depends("viva_booking_ids.state", "viva_booking_ids.reason")
    @api.depends_context("lang")
    def _compute_viva_message(self):
        for payment in self:
            booking = payment.viva_booking_id
            payment.viva_needs_card = payment.viva_is_terminal and not payment._viva_is_of_closing()
            is_draft = payment.state == "draft" and payment.viva_needs_card
            payment.viva_booking_state = booking.state
            payment.viva_can_charge = bool(
                is_draft
                and payment.payment_type == "inbound"
                and payment.partner_type == "customer"
                and booking.state not in _TAKEN
            )
            payment.viva_level, payment.viva_message = payment._viva_words(is_draft)

    def _viva_words(self, is_draft):
        """Level and sentence of the card payment; nothing where there is none."""
        booking = self.viva_booking_id
        card = booking.transaction_id.sudo().message or ""
        if booking.state == "to_post":
            return "danger", booking.message
        if booking.state == "running":
            is_unknown = booking.transaction_id.sudo().state == "unknown"
            return ("danger" if is_unknown else "info"), card
        if booking.state == "booked":
            # Booked on a person's word, and Viva denies it.
            stands = booking.transaction_id.sudo()._counts()
            return ("success" if stands else "danger"), card
        if booking.state == "not_done" and not is_draft:
            return "warning", booking.message
        if self.state == "draft" and self.viva_is_terminal and self._viva_is_of_closing():
            return "info", self.env._(
                "The closing of a session has booked it: its cards were charged at the till. Choose another payment method, "
                "then confirm it again."
            )
        if not is_draft:
            return False, False
        if self.payment_type == "inbound" and self.partner_type == "customer":
            last = booking.message if booking.state == "not_done" else ""
            return "info", " ".join(
                filter(None, [last, self.env._("No card was charged for it yet: press Charge.")])
            )
        if self.partner_type == "supplier":
            return "warning", self.env._(
                "A card terminal charges customers and gives back to them. Choose another payment method for a vendor."
            )
        return "info", self.env._(
            "No money went back to the card yet. Refund the credit note or the original payment."
        )

    def action_viva_charge(self):
        """Choose the terminal; what was prepared already goes on."""
        self.ensure_one()
        if not self.viva_can_charge:
            raise UserError(self.viva_message or self.env._("This payment is not charged by card."))
        booking = self.viva_booking_id
        if booking.state == "prepared" and booking.user_id == self.env.user:
            return booking._open_dialog()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Charge a card"),
            "res_model": "viva.charge.wizard",
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_payment_id": self.id},
        }

    def action_viva_show(self):
        """The live dialog of its card payment."""
        self.ensure_one()
        return self.viva_booking_id.action_open_dialog()

    def action_viva_post(self):
        """An accountant posts what the card has paid already."""
        self.ensure_one()
        return self.viva_booking_id.action_post()
