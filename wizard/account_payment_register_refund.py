"""Register Payment on a credit note: the money goes back to the card with which the invoice was paid."""

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..models.viva_booking import ACCOUNTANT


class AccountPaymentRegister(models.TransientModel):
    _name = "account.payment.register"
    _inherit = ["account.payment.register", "viva.refund.choice"]

    viva_gives_back = fields.Boolean(compute="_compute_viva_gives_back")
    viva_original_ids = fields.Many2many(
        "viva.transaction", compute="_compute_viva_original_ids", string="Card payments"
    )
    viva_original_id = fields.Many2one(
        "viva.transaction",
        "Card payment",
        compute="_compute_viva_original_id",
        store=True,
        readonly=False,
        domain="[('id', 'in', viva_original_ids)]",
        help="The payment that is given back. Of several, one at a time: the rest is proposed next.",
    )
    viva_original_left = fields.Monetary("Left of it", compute="_compute_viva_original_left")
    viva_original_is_demo = fields.Boolean(compute="_compute_viva_original_left")
    viva_originals_count = fields.Integer(compute="_compute_viva_original_ids")
    viva_refund_hint = fields.Text(compute="_compute_viva_refund_words")
    viva_refund_obstacle_text = fields.Text(compute="_compute_viva_refund_words")

    @api.depends("payment_method_code", "payment_type")
    def _compute_viva_gives_back(self):
        for wizard in self:
            wizard.viva_gives_back = (
                wizard.payment_method_code == "viva" and wizard.payment_type == "outbound"
            )

    @api.depends("line_ids", "payment_type")
    def _compute_viva_original_ids(self):
        for wizard in self:
            wizard.viva_original_ids = wizard._viva_originals()
            wizard.viva_originals_count = len(wizard.viva_original_ids)

    def _viva_originals(self):
        """Card payments that can be given back for these credit notes, as the user."""
        moves = self.line_ids._origin.move_id
        transactions = self.env["viva.transaction"]
        if self.payment_type != "outbound" or set(moves.mapped("move_type")) != {"out_refund"}:
            return transactions
        found = transactions._originals_of(moves)
        return transactions.browse(found.ids)

    @api.depends("viva_gives_back", "viva_original_ids")
    def _compute_viva_original_id(self):
        for wizard in self:
            chosen = wizard.viva_original_id & wizard.viva_original_ids
            wizard.viva_original_id = chosen or wizard.viva_original_ids[:1]

    @api.depends("viva_original_id")
    def _compute_viva_original_left(self):
        for wizard in self:
            original = wizard._viva_refund_parent()
            wizard.viva_original_left = original._books_left() if original else 0
            wizard.viva_original_is_demo = original.is_demo if original else False

    # -- what is proposed ------------------------------------------------------------------------

    def _viva_proposed_line(self):
        """How a credit note is paid out whose invoice was paid by card, by whoever may give it back."""
        if not self.env.user.has_group(ACCOUNTANT):
            return self.env["account.payment.method.line"]
        account = self._viva_originals()[:1].sudo().account_id
        lines = account.journal_id.outbound_payment_method_line_ids
        return lines.filtered(lambda line: line.code == "viva")[:1].sudo(self.env.su)

    def _compute_journal_id(self):
        for wizard in self:
            line = wizard._viva_proposed_line() if not wizard.journal_id else None
            if line and line.journal_id in wizard.available_journal_ids:
                wizard.journal_id = line.journal_id
        return super()._compute_journal_id()

    def _compute_payment_method_line_id(self):
        for wizard in self:
            line = wizard._viva_proposed_line() if not wizard.payment_method_line_id else None
            if line and line.journal_id == wizard.journal_id:
                wizard.payment_method_line_id = line
        return super()._compute_payment_method_line_id()

    @api.depends("viva_gives_back", "viva_original_id")
    def _compute_amount(self):
        result = super()._compute_amount()
        for wizard in self.filtered(lambda wizard: wizard.viva_gives_back):
            most = wizard._viva_refund_parent()._books_left() if wizard.viva_original_id else 0
            if most and not wizard.custom_user_amount:
                wizard.amount = min(wizard.amount, most)
        return result

    def _compute_show_payment_difference(self):
        result = super()._compute_show_payment_difference()
        # What is not given back now stays open, and is proposed next.
        self.filtered("viva_gives_back").show_payment_difference = False
        return result

    # -- how -------------------------------------------------------------------------------------

    def _viva_refund_parent(self):
        return self.viva_original_id._origin.sudo()

    def _viva_refund_amount(self):
        return self.amount

    @api.depends("viva_original_id")
    def _compute_viva_refund_terminal_ids(self):
        return super()._compute_viva_refund_terminal_ids()

    @api.depends("viva_original_id")
    def _compute_viva_refund_terminal_id(self):
        return super()._compute_viva_refund_terminal_id()

    @api.depends(
        "viva_gives_back",
        "viva_original_id",
        "viva_refund_via",
        "viva_refund_terminal_id",
        "amount",
        "journal_id",
        "currency_id",
        "line_ids",
    )
    def _compute_viva_refund_words(self):
        for wizard in self:
            wizard.viva_refund_hint = wizard.viva_refund_obstacle_text = False
            if wizard.viva_gives_back:
                wizard.viva_refund_obstacle_text = wizard._viva_refund_obstacle()
                wizard.viva_refund_hint = "\n".join(wizard._viva_refund_hints())

    def _viva_refund_hints(self):
        hints = []
        if self.viva_refund_obstacle_text:
            return hints
        beyond = self._viva_refund_words_beyond()
        if beyond:
            hints.append(beyond)
        still_open = self.currency_id.round(self._viva_open_amount() - self.amount)
        if self.currency_id.compare_amounts(still_open, 0) > 0:
            hints.append(
                self.env._(
                    "%s of the credit note stay open: give them back next, from here again.",
                    self.currency_id.format(still_open),
                )
            )
        return hints

    def _viva_open_amount(self):
        """What of the credit notes is not paid out yet, in their currency; positive."""
        return abs(sum(self.line_ids._origin.mapped("amount_residual_currency")))

    def _viva_refund_obstacle(self):
        return self._viva_obstacle_of_documents() or super()._viva_refund_obstacle()

    def _viva_obstacle_of_documents(self):
        moves = self.line_ids._origin.move_id
        if set(moves.mapped("move_type")) != {"out_refund"}:
            return self.env._(
                "A card terminal pays out credit notes of customers only. Choose another payment method."
            )
        if set(moves.mapped("state")) != {"posted"}:
            return self.env._("Confirm the credit note first.")
        if len(self.batches) != 1 or not self.can_edit_wizard:
            return self.env._("Give money back to one customer at a time.")
        if len(moves) > 1 and not self.group_payment:
            return self.env._("Choose Group Payments, or give back one credit note at a time.")
        if not self.viva_original_ids:
            return self.env._(
                "No card payment was found that can be given back for this credit note. Choose another payment method, "
                "or match the invoice with its card payment first."
            )
        parent = self._viva_refund_parent()
        if not parent:
            return self.env._("Choose the original card payment.")
        if self.viva_original_id._origin not in self.viva_original_ids._origin:
            return self.env._(
                "This invoice was not paid with that card payment. Choose one of those that are proposed."
            )
        if parent.account_id.journal_id != self.journal_id:
            return self.env._(
                "This card payment was made with Viva account %(account)s. Choose its journal: %(journal)s.",
                account=parent.account_id.name,
                journal=parent.account_id.journal_id.name or "-",
            )
        if self.currency_id != self.source_currency_id or self.currency_id != parent.currency_id:
            return self.env._(
                "Card money goes back in its own currency, %s. Choose another payment method.",
                parent.currency_id.name,
            )
        still_open = self._viva_open_amount()
        if self.currency_id.compare_amounts(self.amount, still_open) > 0:
            return self.env._(
                "Only %s of the credit note are open. Enter at most so much.",
                self.currency_id.format(still_open),
            )
        return ""

    # -- button ----------------------------------------------------------------------------------

    def action_create_payments(self):
        if not self.viva_gives_back:
            return super().action_create_payments()
        return self.action_viva_give_back()

    def action_viva_give_back(self):
        """Prepare the refund and open its dialog."""
        self.ensure_one()
        bookings = self.env["viva.booking"]
        bookings._require("refund")
        if not self.viva_gives_back:
            raise UserError(self.env._("Choose the payment method of the card terminal first."))
        # As it is now, not as it was when the dialog was opened.
        claim = self._viva_words_of_claim(self.line_ids.move_id)
        obstacle = claim or self._viva_refund_obstacle()
        if obstacle:
            raise UserError(obstacle)
        by_api = self.viva_refund_via == "api"
        parent = self.env["viva.transaction"].browse(self._viva_refund_parent().id)
        booking = bookings._prepare(
            "refund",
            terminal=parent.terminal_id if by_api else self.viva_refund_terminal_id,
            currency=self.currency_id,
            amount=self.amount,
            via=self.viva_refund_via,
            partner=self.partner_id,
            journal=self.journal_id,
            method_line=self.payment_method_line_id,
            lines=self.batches[0]["lines"],
            parent=parent,
            memo=self.communication or "",
            company=self.company_id,
        )
        return booking._open_dialog()
