"""Card payments of an invoice: those that the back office has asked for, and those of its orders at the till."""

from odoo import api, fields, models
from odoo.fields import Domain


class AccountMove(models.Model):
    _inherit = "account.move"

    # Whoever may read an invoice may know these.
    viva_transaction_count = fields.Integer(
        "Card payments", compute="_compute_viva_transaction_count", compute_sudo=True
    )
    viva_notice = fields.Char(compute="_compute_viva_notice", compute_sudo=True)

    @api.depends("pos_order_ids")
    def _compute_viva_transaction_count(self):
        for move in self:
            move.viva_transaction_count = len(move._viva_transactions())

    def _viva_transactions(self):
        """Each card payment of this invoice or credit note once, with what was given back of it; in superuser mode.

        A till's payment is found by the order, one of the back office by its booking: whoever has started it.
        """
        self.ensure_one()
        ledger = self.env["viva.transaction"].sudo()
        if not self.is_sale_document(include_receipts=True):
            return ledger
        uuids = list(filter(None, self.sudo().pos_order_ids.mapped("uuid")))
        return ledger.search(
            Domain("booking_id.line_ids.move_id", "=", self._origin.id)
            | Domain("booking_id.hold_move_id", "=", self._origin.id)
            | Domain("order_uuid", "in", uuids)
        )._family()

    def _viva_claims(self):
        """Of these invoices, what a card is being asked for or has paid without being booked; in superuser mode."""
        lines = self.env["viva.booking.line"].sudo()
        return lines.search([("move_id", "in", self._origin.ids), ("is_claim", "=", True)])

    def _viva_claim(self):
        """The booking that asks a card for this invoice at the moment, or waits for the accountant; in superuser mode."""
        self.ensure_one()
        return self._viva_claims().booking_id

    def _compute_viva_notice(self):
        for move in self:
            booking = move._viva_claim()
            if not booking:
                move.viva_notice = False
            elif booking.state == "to_post":
                move.viva_notice = self.env._(
                    "%(amount)s of it moved by card, but that is not in the books yet: an accountant has to post it.",
                    amount=booking.currency_id.format(booking.amount),
                )
            else:
                move.viva_notice = self.env._(
                    "%(who)s is asking a card for %(amount)s on terminal %(terminal)s.",
                    who=booking.user_id.name,
                    amount=booking.currency_id.format(booking.amount),
                    terminal=booking.terminal_id.display_name,
                )

    def action_view_viva_transactions(self):
        self.check_access("read")
        return self._viva_transactions().sudo(False)._open()

    def action_view_viva_booking(self):
        """Show what is going on with a card for this invoice."""
        self.check_access("read")
        booking = self._viva_claim().sudo(False)
        if not booking:
            return {"type": "ir.actions.client", "tag": "soft_reload"}
        if booking.state == "to_post":
            return booking._form("viva.booking", booking.id)
        return booking.action_open_dialog()
