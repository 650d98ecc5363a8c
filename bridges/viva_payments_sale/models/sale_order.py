"""Quotations and sales orders: deposits held by card."""

from odoo import api, fields, models
from odoo.fields import Domain


class SaleOrder(models.Model):
    _name = "sale.order"
    _inherit = ["sale.order", "viva.held"]

    viva_can_hold = fields.Boolean(compute="_compute_viva_can_hold")
    viva_can_capture = fields.Boolean(compute="_compute_viva_can_hold")

    @api.depends("state", "partner_id", "company_id")
    def _compute_viva_can_hold(self):
        for order in self:
            order.viva_can_capture = order.state != "cancel"
            order.viva_can_hold = order.viva_can_capture and order._viva_in_office(order.company_id)

    def _viva_hold_domain(self):
        return [("sale_order_id", "in", self.ids)]

    def _viva_capture_domain(self):
        """What is held for it, and what else its customer has on hold without an order or an invoice."""
        customer = Domain(
            "partner_id", "child_of", self.partner_invoice_id.commercial_partner_id.ids
        )
        unbound = Domain("sale_order_id", "=", False) & Domain("move_id", "=", False)
        return (
            Domain("company_id", "parent_of", self.company_id.ids)
            & Domain("currency_id", "=", self.currency_id.id)
            & (Domain(self._viva_hold_domain()) | (customer & unbound))
        )

    def _viva_hold_defaults(self):
        return {
            # The invoice is his: the payment is matched with it.
            "partner_id": self.partner_invoice_id.id,
            "sale_order_id": self.id,
            "company_id": self.company_id.id,
            "currency_id": self.currency_id.id,
            "amount": self._viva_deposit(),
            "reference": self.name,
        }

    def _viva_capture_defaults(self):
        return {"default_sale_order_id": self.id}

    def _viva_deposit(self):
        """The down payment that the order asks for, or what of it is not invoiced yet."""
        self.ensure_one()
        if self.state in ("draft", "sent") and self.require_payment and self.prepayment_percent:
            return self._get_prepayment_required_amount()
        return max(self.currency_id.round(self.amount_total - self.amount_invoiced), 0.0)
