"""Card money of an order in the back office: give it back, check it."""

from odoo import fields, models
from odoo.exceptions import UserError

from .viva_transaction import TAKES_MONEY


class PosOrder(models.Model):
    _inherit = "pos.order"

    viva_can_give_back = fields.Boolean(compute="_compute_viva_office", compute_sudo=True)
    viva_is_doubtful = fields.Boolean(
        compute="_compute_viva_office",
        compute_sudo=True,
        help="Of a card payment of this order nobody knows the end yet.",
    )

    def _compute_viva_office(self):
        for order in self:
            order.viva_is_doubtful = any(order.viva_transaction_ids.mapped("is_unsettled"))
            order.viva_can_give_back = bool(order._viva_to_give_back())

    def _viva_to_give_back(self):
        """Card payments of which something can be given back now: of a paid order, or of what a draft refund returns."""
        self.ensure_one()
        orders = self
        if self.state == "draft":
            # Amounts of a draft that takes money are the till's business.
            orders = self.lines.refunded_orderline_id.order_id
        if not orders or self.state == "cancel":
            return self.env["viva.transaction"]
        return (
            self.env["viva.transaction"]
            .search(
                [
                    ("order_uuid", "in", list(filter(None, orders.mapped("uuid")))),
                    ("operation", "in", TAKES_MONEY),
                    ("company_id", "in", orders.company_id.ids),
                ],
                order="id",
            )
            .filtered(lambda transaction: transaction._obstacle_of_money_back() == "")
        )

    def action_viva_give_back(self):
        """Open the dialog that gives the card money of this order back."""
        self.ensure_one()
        candidates = self._viva_to_give_back()
        if not candidates:
            raise UserError(
                self.env._(
                    "There is no card payment of this order of which something can be given back."
                )
            )
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "viva_payments.action_viva_give_back"
        )
        context = {"default_intent": "give_back", "default_parent_id": candidates[0].id}
        if self.state == "draft":
            context["default_order_id"] = self.id
        return {**action, "context": context}

    def action_viva_check(self):
        """Ask Viva about the card payments of these orders."""
        self.check_access("read")
        return self.viva_transaction_ids.action_check_many()
