"""Payments of the back office by card: Odoo's payment follows the ledger, never the other way round."""

from odoo import api, fields, models
from odoo.exceptions import UserError

from .account_payment_method import VIVA
from .ledger import CONTEXT_KEY, MACHINE, is_machine
from .viva_booking import PAYMENT_TYPE

# What a card operation has been asked for: changed afterwards, payment and card would differ.
_ASKED = {
    "amount",
    "company_id",
    "currency_id",
    "destination_account_id",
    "journal_id",
    "move_id",
    "outstanding_account_id",
    "partner_id",
    "partner_type",
    "payment_method_line_id",
    "payment_type",
    "pos_payment_method_id",
    "pos_session_id",
}


class AccountPayment(models.Model):
    _inherit = "account.payment"

    viva_booking_ids = fields.One2many("viva.booking", "payment_id", "Card payments", readonly=True)
    viva_booking_id = fields.Many2one(
        "viva.booking",
        compute="_compute_viva_booking_id",
        compute_sudo=True,
        string="Card booking",
    )
    viva_transaction_id = fields.Many2one(
        "viva.transaction",
        compute="_compute_viva_booking_id",
        compute_sudo=True,
        string="Card payment",
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
        payment = self._viva_machine().create(
            {
                **self._viva_values(booking),
                "amount": booking.amount,
                "memo": booking.memo,
                "date": fields.Date.context_today(self),
            }
        )
        payment._viva_set_outstanding()
        return self.browse(payment.id)

    @api.model
    def _viva_values(self, booking):
        """What the card is asked for, in the fields of a payment."""
        values = {
            "payment_type": PAYMENT_TYPE[booking.operation],
            "partner_type": "customer",
            "partner_id": booking.partner_id.id,
            "currency_id": booking.currency_id.id,
            "company_id": booking.company_id.id,
            "journal_id": booking.journal_id.id,
            "payment_method_line_id": booking.payment_method_line_id.id,
        }
        if booking.destination_account_id:
            values["destination_account_id"] = booking.destination_account_id.id
        return values

    def _viva_set_outstanding(self):
        """Also where Odoo's accounting could do without: card money is matched with the bank's payout."""
        for payment in self.filtered(lambda record: not record.outstanding_account_id):
            payment.outstanding_account_id = payment._get_outstanding_account(payment.payment_type)

    def _viva_machine(self):
        """The same payments, to be written by this addon itself."""
        return self.with_context(**{CONTEXT_KEY: MACHINE})

    def _viva_is_as_asked(self, booking):
        """Whether this is still what a booking has prepared."""
        self.ensure_one()
        payment = self.sudo()
        same = all(
            (payment[name].id if name.endswith("_id") else payment[name]) == value
            for name, value in self._viva_values(booking).items()
        )
        is_draft = payment.state == "draft" and not payment.move_id
        return (
            same
            and is_draft
            and not payment.currency_id.compare_amounts(payment.amount, booking.amount)
        )

    # -- guards ----------------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        payments = super().create(vals_list)
        payments._viva_refuse_posted()
        return payments

    def write(self, vals):
        if not is_machine(self.env):
            if "state" in vals:
                self._viva_refuse_state(vals["state"])
            if _ASKED & vals.keys():
                self._viva_refuse_change(vals)
        result = super().write(vals)
        if {"state", "payment_method_line_id", "move_id"} & vals.keys():
            self._viva_refuse_posted()
        return result

    def _viva_refuse_state(self, state):
        """:raise UserError: the payment would say something else than the card"""
        for payment in self:
            if state in ("in_process", "paid") and payment.state not in ("in_process", "paid"):
                payment._viva_refuse_posting()
            elif state in ("draft", "canceled", "rejected") and state != payment.state:
                payment._viva_refuse_undoing()

    def _viva_refuse_posted(self):
        """Whichever way it came into the books: by this method nothing is paid without a card."""
        if is_machine(self.env):
            return
        for payment in self.filtered("viva_is_terminal"):
            booked = payment.sudo().viva_booking_id.state == "booked"
            if payment.state in ("in_process", "paid") and not booked:
                payment._viva_refuse_posting()

    def _viva_refuse_posting(self):
        if self.viva_is_terminal and self._viva_is_of_closing():
            raise UserError(
                self.env._(
                    "This payment stands for cards that the till has charged. Choose another payment method, then "
                    "confirm it."
                )
            )
        if self.viva_is_terminal:
            raise UserError(
                self.env._(
                    "No card was charged for this payment of %s yet. Press Charge, or choose another payment method.",
                    self.partner_id.display_name or self.memo or "-",
                )
            )

    def _viva_refuse_undoing(self):
        booking = self.sudo().viva_booking_id
        if booking.state == "running":
            raise UserError(
                self.env._(
                    "The card is being asked for this payment. Press Show card payment, and cancel it there."
                )
            )
        transaction = booking.transaction_id
        if transaction and transaction._counts() and transaction.operation in PAYMENT_TYPE:
            raise UserError(self._viva_way_out(transaction))

    def _viva_refuse_reversal(self):
        """:raise UserError: the entry would be reversed, and the card not"""
        for payment in self if not is_machine(self.env) else ():
            transaction = payment.sudo().viva_booking_id.transaction_id
            if transaction and transaction._counts():
                raise UserError(payment._viva_way_out(transaction))

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
        for payment in self:
            booking = payment.sudo().viva_booking_id
            if booking.state not in ("running", "to_post", "booked"):
                continue
            for name in _ASKED & vals.keys():
                old = payment[name].id if name.endswith("_id") else payment[name]
                if old != (vals[name] or False) and not self._viva_is_free_of_card(booking):
                    raise UserError(
                        self.env._(
                            "The card was asked for this payment: what it was asked for cannot be changed any more."
                        )
                    )

    @api.model
    def _viva_is_free_of_card(self, booking):
        """Viva denies what was booked on a person's word: the payment is a person's again."""
        transaction = booking.transaction_id
        return booking.state == "booked" and transaction and not transaction._counts()

    @api.ondelete(at_uninstall=False)
    def _unlink_except_viva(self):
        for payment in self if not is_machine(self.env) else ():
            if payment.sudo().viva_booking_id.state == "to_post":
                raise UserError(
                    self.env._(
                        "The card was charged for this payment: it is to be posted, not deleted."
                    )
                )
            payment._viva_refuse_undoing()
