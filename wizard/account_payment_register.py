"""Odoo's Register Payment with a Viva terminal: the card is charged first, the books follow what the ledger says."""

import json

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..models.account_payment_method import VIVA


class AccountPaymentRegister(models.TransientModel):
    _name = "account.payment.register"
    _inherit = ["account.payment.register", "viva.charge.mixin"]

    viva_is_charge = fields.Boolean(compute="_compute_viva_is_charge")
    viva_claim = fields.Text(compute="_compute_viva_claim")

    @api.depends("payment_type", "payment_method_line_id")
    def _compute_viva_is_charge(self):
        for wizard in self:
            wizard.viva_is_charge = (
                wizard.payment_type == "inbound" and wizard.payment_method_line_id.code == VIVA
            )

    @api.depends("line_ids")
    def _compute_viva_claim(self):
        for wizard in self:
            wizard.viva_claim = self._viva_words_of_claim(wizard.line_ids.move_id)

    @api.model
    def _viva_rests_on(self):
        return [
            "viva_is_charge",
            "line_ids",
            "journal_id",
            "amount",
            "currency_id",
        ]

    def _viva_journal(self):
        return self.journal_id if self.viva_is_charge else self.env["account.journal"]

    def _viva_money(self):
        return self.currency_id, self.amount

    def _viva_moves(self):
        return self.line_ids.move_id

    @api.onchange("payment_method_line_id")
    def _onchange_viva(self):
        if self.viva_is_charge:
            self.payment_date = fields.Date.context_today(self)
            if self.can_edit_wizard:
                self.group_payment = True

    # -- what stands in the way ------------------------------------------------------------------

    def _viva_obstacle_of_document(self):
        lines = self.line_ids._origin
        if set(lines.mapped("account_type")) - {"asset_receivable"}:
            return self.env._(
                "A card pays what a customer owes. Choose another payment method for what a vendor owes."
            )
        customers = lines.partner_id
        if len(customers) > 1:
            return self.env._(
                "These invoices belong to several customers (%s), and a card pays for one. Charge one customer "
                "at a time.",
                ", ".join(customers[:3].mapped("display_name")) + (", …" if customers[3:] else ""),
            )
        if self.is_register_payment_on_draft:
            return self.env._("Confirm the invoice first: then charge it.")
        if self.company_id not in self.env.companies:
            return self.env._(
                "This is booked in company %s: switch to that company first.", self.company_id.name
            )
        return self._viva_obstacle_of_batches()

    def _viva_obstacle_of_batches(self):
        currencies = self.line_ids.currency_id
        if len(currencies) > 1:
            return self.env._(
                "These invoices are in several currencies (%s). Charge them one after the other.",
                ", ".join(currencies.mapped("name")),
            )
        if len(self.batches) > 1:
            return self.env._(
                "These invoices differ in their bank account or in their receivable account, so that one payment "
                "cannot pay them all. Charge them one after the other."
            )
        return ""

    def _viva_obstacle_of_currency(self):
        """The invoice's own currency counts as well: a card is never charged with a converted amount."""
        obstacle = super()._viva_obstacle_of_currency()
        if obstacle:
            return obstacle
        terminal = self.viva_terminal_id or self.viva_terminal_ids[:1]
        return self.env["viva.booking"]._refusal_of_currency(terminal, self.source_currency_id)

    def _viva_obstacle_of_amount(self):
        obstacle = super()._viva_obstacle_of_amount()
        owed = abs(sum(self.line_ids.mapped("amount_residual_currency")))
        if not obstacle and self.currency_id.compare_amounts(self.amount, owed) > 0:
            return self.env._(
                "%(amount)s is more than what is still owed: %(owed)s. Enter that or less.",
                amount=self.currency_id.format(self.amount),
                owed=self.currency_id.format(owed),
            )
        return obstacle

    def _viva_is_same(self, booking):
        return (
            super()._viva_is_same(booking)
            and booking.journal_id == self.journal_id
            and booking.write_off == (self._viva_write_off() or False)
        )

    # -- charge ----------------------------------------------------------------------------------

    def action_create_payments(self):
        if self.viva_is_charge:
            return self._viva_charge()
        return super().action_create_payments()

    def _init_payments(self, to_process, edit_mode=False):
        """Nothing is posted here by a method that needs a card, whoever asks for it."""
        ids = [values["create_vals"].get("payment_method_line_id") for values in to_process]
        if VIVA in self.env["account.payment.method.line"].browse(filter(None, ids)).mapped("code"):
            raise UserError(
                self.env._(
                    "With a Viva terminal nothing is paid without a card, so nothing was posted. Press Pay on the invoice "
                    "and then Charge, or choose another payment method."
                )
            )
        lines = self.env["account.move.line"].union(
            *(values["to_reconcile"] for values in to_process)
        )
        if claim := self._viva_words_of_claim(lines.move_id):
            raise UserError(self.env._("Nothing was registered. %s", claim))
        return super()._init_payments(to_process, edit_mode=edit_mode)

    @api.model
    def _viva_words_of_claim(self, moves):
        """Why these are not paid in another way meanwhile: it would be paid twice. Nothing where no card is asked."""
        claim = moves._viva_claims()[:1]
        booking = claim.booking_id
        if not booking:
            return ""
        words = {
            "invoice": claim.move_id.display_name,
            "who": booking.user_id.name,
            "terminal": booking.terminal_id.display_name,
        }
        if booking.state == "to_post":
            return self.env._(
                "A card has settled %(invoice)s already (%(who)s asked for it), but it is not in the books yet. Do not pay it "
                "again: an accountant has to post it (open it and press Show).",
                **words,
            )
        if booking.operation == "refund":
            return self.env._(
                "%(who)s is giving %(invoice)s back to a card on terminal %(terminal)s. Wait for the result, or open the "
                "credit note, press Show and cancel it there: otherwise the money goes back twice.",
                **words,
            )
        return self.env._(
            "%(who)s is asking a card for %(invoice)s on terminal %(terminal)s. Wait for the result, or open the invoice, "
            "press Show and cancel it there: otherwise it may be paid twice.",
            **words,
        )

    def _viva_prepare(self):
        today = fields.Date.context_today(self)
        if self.payment_date != today:
            # The card is charged today; the amount stays what the person has seen.
            amount = self.amount
            self.payment_date = today
            self.amount = amount
        return self.env["viva.booking"]._prepare(
            "sale",
            terminal=self.viva_terminal_id,
            currency=self.currency_id,
            amount=self.currency_id.round(self.amount),
            partner=self.partner_id,
            journal=self.journal_id,
            method_line=self.payment_method_line_id,
            lines=self.batches[0]["lines"],
            memo=self.communication or "",
            max_installments=int(self.viva_installments or 0),
            write_off=self._viva_write_off(),
            company=self.company_id,
        )

    def _viva_write_off(self):
        """Odoo's own lines for a difference, as they can be kept until the card was charged."""
        values = self._create_payment_vals_from_wizard(self.batches[0])
        return json.loads(json.dumps(values["write_off_line_vals"]))
