"""Invoices: what is on hold for them, and what was captured for them before they were posted."""

from odoo import api, fields, models
from odoo.fields import Domain

from . import viva_held  # noqa: F401 - defined before it is inherited


class AccountMove(models.Model):
    _name = "account.move"
    _inherit = ["account.move", "viva.held"]

    viva_can_hold = fields.Boolean(compute="_compute_viva_can_hold")

    @api.depends("state", "move_type", "payment_state", "partner_id")
    def _compute_viva_can_hold(self):
        for move in self:
            move.viva_can_hold = move._viva_is_to_pay() and move._viva_in_office(move.company_id)

    def _viva_is_to_pay(self):
        """An invoice of a customer, a draft too, that is not paid yet."""
        return bool(
            self.move_type in ("out_invoice", "out_receipt")
            and self.state in ("draft", "posted")
            and self.payment_state in ("not_paid", "partial")
            and self.partner_id
        )

    def _viva_hold_domain(self):
        return [("move_id", "in", self.ids)]

    def _viva_capture_domain(self):
        """What is held for it, and what else its customer has on hold."""
        if not self._viva_is_to_pay():
            return Domain.FALSE
        customer = Domain("partner_id", "child_of", self.commercial_partner_id.ids)
        return (
            Domain("company_id", "parent_of", self.company_id.ids)
            & Domain("currency_id", "=", self.currency_id.id)
            & (Domain(self._viva_hold_domain()) | customer)
        )

    def _viva_hold_defaults(self):
        return {
            "partner_id": self.partner_id.id,
            "invoice_id": self.id,
            "company_id": self.company_id.id,
            "currency_id": self.currency_id.id,
            "amount": self._viva_open_amount(),
            "reference": self._viva_name(),
        }

    def _viva_capture_defaults(self):
        return {"default_invoice_id": self.id}

    def _viva_name(self):
        """How a person calls it; a draft has no number yet."""
        self.ensure_one()
        if self.name and self.name != "/":
            return self.name
        return self.ref or self.invoice_origin or self.env._("Draft of %s", self.partner_id.name)

    def _viva_open_amount(self):
        """What is still to be paid of it, in its own currency; a draft waits for what was captured for it."""
        self.ensure_one()
        left = self.amount_residual
        if self.state == "draft" and self.ids:
            left += sum(self._viva_captured_lines().mapped("amount_residual_currency"))
        return self.currency_id.round(max(left, 0.0))

    def _viva_lines_to_pay(self):
        """Its journal items that a payment is matched with, those that are due first at first."""
        return self.line_ids.filtered(
            lambda line: line.account_id.account_type == "asset_receivable" and not line.reconciled
        ).sorted(lambda line: (line.date_maturity or line.date or fields.Date.today(), line.id))

    # -- captured before it was posted -----------------------------------------------------------

    def _post(self, soft=True):
        posted = super()._post(soft)
        posted._viva_match_captures()
        return posted

    def _viva_match_captures(self):
        """Match these invoices with what was captured for them before they were posted."""
        captured = [("operation", "=", "capture"), ("state", "=", "booked")]
        if not self.env["viva.booking"].sudo().search_count(captured, limit=1):
            return
        for invoice in self.filtered(lambda move: move.move_type in ("out_invoice", "out_receipt")):
            for line in invoice._viva_captured_lines():
                if not invoice._viva_lines_to_pay():
                    break
                invoice.js_assign_outstanding_line(line.id)

    def _viva_captured_lines(self):
        """What is left of the payments that were captured for this invoice: their items on its receivable account."""
        self.ensure_one()
        bookings = (
            self.env["viva.booking"]
            .sudo()
            .search(
                Domain("state", "=", "booked")
                & Domain("operation", "=", "capture")
                & Domain("currency_id", "=", self.currency_id.id)
                & Domain("company_id", "parent_of", self.company_id.ids)
                & Domain("partner_id", "child_of", self.commercial_partner_id.ids)
                & self._viva_captured_domain(),
                order="id",
            )
        )
        accounts = self._viva_lines_to_pay().account_id
        payments = bookings.payment_id.filtered(
            lambda payment: payment.state in ("in_process", "paid")
        )
        return payments.move_id.line_ids.filtered(
            lambda line: (
                line.parent_state == "posted"
                and not line.reconciled
                and line.account_id in accounts
                and line.amount_residual < 0
            )
        )

    def _viva_captured_domain(self):
        """Bookings of captures that are for this invoice (see bridges)."""
        return Domain("line_ids.move_id", "=", self.id)
