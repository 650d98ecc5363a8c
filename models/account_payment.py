"""Payments of the back office by card: Odoo's payment follows the ledger, never the other way round."""

from odoo import api, fields, models
from odoo.exceptions import UserError

from .account_payment_method import VIVA
from .ledger import CONTEXT_KEY, MACHINE, is_machine
from .viva_booking import PAYMENT_TYPE

# What a card operation has been asked for: changed afterwards, payment and card would differ.
_ASKED = {
    "amount",
    "currency_id",
    "journal_id",
    "payment_method_line_id",
    "payment_type",
    "partner_id",
}


class AccountPayment(models.Model):
    _inherit = "account.payment"

    viva_booking_ids = fields.One2many("viva.booking", "payment_id", "Card payments", readonly=True)
    viva_booking_id = fields.Many2one(
        "viva.booking", compute="_compute_viva_booking_id", string="Card booking"
    )
    viva_transaction_id = fields.Many2one(
        "viva.transaction", compute="_compute_viva_booking_id", string="Card payment"
    )
    viva_is_terminal = fields.Boolean(compute="_compute_viva_is_terminal")

    @api.depends("viva_booking_ids")
    def _compute_viva_booking_id(self):
        for payment in self:
            booking = payment.viva_booking_ids.sorted("id")[-1:]
            payment.viva_booking_id = booking
            payment.viva_transaction_id = booking.transaction_id

    @api.depends("payment_method_line_id")
    def _compute_viva_is_terminal(self):
        for payment in self:
            payment.viva_is_terminal = payment.payment_method_line_id.code == VIVA

    # -- made by a booking -----------------------------------------------------------------------

    @api.model
    def _viva_draft(self, booking):
        """The draft payment of a booking. It is posted when the card was charged."""
        line = booking.payment_method_line_id
        payment_type = PAYMENT_TYPE[booking.operation]
        payment = self._viva_machine().create(
            {
                "payment_type": payment_type,
                "partner_type": "customer",
                "partner_id": booking.partner_id.id,
                "amount": booking.amount,
                "currency_id": booking.currency_id.id,
                "company_id": booking.company_id.id,
                "journal_id": booking.journal_id.id,
                "payment_method_line_id": line.id,
                "memo": booking.memo,
                "date": fields.Date.context_today(self),
                **(
                    {"destination_account_id": booking.destination_account_id.id}
                    if booking.destination_account_id
                    else {}
                ),
            }
        )
        payment._viva_set_outstanding()
        return self.browse(payment.id)

    def _viva_set_outstanding(self):
        """Also where Odoo's accounting could do without: card money is matched with the bank's payout."""
        for payment in self.filtered(lambda record: not record.outstanding_account_id):
            payment.outstanding_account_id = payment._get_outstanding_account(payment.payment_type)

    def _viva_machine(self):
        """The same payments, to be written by this addon itself."""
        return self.with_context(**{CONTEXT_KEY: MACHINE})

    # -- guards ----------------------------------------------------------------------------------

    def write(self, vals):
        if not is_machine(self.env):
            if "state" in vals:
                self._viva_refuse_state(vals["state"])
            if _ASKED & vals.keys():
                self._viva_refuse_change(vals)
        return super().write(vals)

    def _viva_refuse_state(self, state):
        """:raise UserError: the payment would say something else than the card"""
        for payment in self:
            if state in ("in_process", "paid"):
                payment._viva_refuse_posting()
            elif state in ("draft", "canceled", "rejected") and state != payment.state:
                payment._viva_refuse_undoing()

    def _viva_refuse_posting(self):
        is_card = self.viva_is_terminal and not self._viva_is_of_pos()
        if not is_card or self.state in ("in_process", "paid"):
            return
        raise UserError(
            self.env._(
                "No card was charged for this payment yet. Press Charge, or choose another payment method."
            )
        )

    def _viva_is_of_pos(self):
        """Booked by the closing of a session: its card payments are the till's."""
        return bool(self.pos_session_id or self.pos_payment_method_id)

    def _viva_refuse_undoing(self):
        booking = self.viva_booking_id
        if booking.state == "running":
            raise UserError(
                self.env._(
                    "The card is being asked for this payment. Press Show card payment, and cancel it there."
                )
            )
        transaction = booking.transaction_id.sudo()
        if transaction and transaction._counts() and transaction.operation in PAYMENT_TYPE:
            raise UserError(self._viva_way_out(transaction))

    def _viva_way_out(self, transaction):
        """How to undo it rightly."""
        if transaction.operation == "refund":
            return self.env._(
                "The money of this refund went back to the card (%s): it cannot be taken back here. Charge the customer "
                "anew instead.",
                transaction.name,
            )
        return self.env._(
            "The card was charged for this payment (%s). Give the money back by card, or make a credit note and refund "
            "that: then the books follow.",
            transaction.name,
        )

    def _viva_refuse_change(self, vals):
        for payment in self.filtered("viva_booking_ids"):
            booking = payment.viva_booking_id
            if booking.state in ("prepared", "not_done"):
                continue
            for name in _ASKED & vals.keys():
                old = payment[name].id if name.endswith("_id") else payment[name]
                if old != vals[name]:
                    raise UserError(
                        self.env._(
                            "The card was asked for this payment: what it was asked for cannot be changed any more."
                        )
                    )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_viva(self):
        for payment in self if not is_machine(self.env) else ():
            if payment.viva_booking_id.state == "to_post":
                raise UserError(
                    self.env._(
                        "The card was charged for this payment: it is to be posted, not deleted."
                    )
                )
            payment._viva_refuse_undoing()
