"""What the back office needs of a card payment: tasks and notes on it, and the search for money without an order."""

from odoo import api, fields, models
from odoo.tools import SQL


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"
    # Nobody may write the ledger; whoever may read it sees and finishes his tasks about it.
    _mail_post_access = "read"

    is_attached = fields.Boolean(search="_search_is_attached")

    @api.model
    def _search_is_attached(self, operator, value):
        if operator != "in":
            return NotImplemented
        self.env["pos.payment"].flush_model(["uuid", "pos_order_id"])
        self.env["pos.order"].flush_model(["state", "uuid"])
        attached = SQL(
            """(
            SELECT viva_transaction.id
              FROM viva_transaction
              JOIN pos_payment ON pos_payment.uuid = viva_transaction.payment_uuid
              JOIN pos_order ON pos_order.id = pos_payment.pos_order_id
             WHERE pos_order.state IN ('paid', 'done', 'invoiced')
               AND pos_order.uuid = viva_transaction.order_uuid
               AND NOT EXISTS (
                   SELECT FROM viva_transaction other
                    WHERE other.payment_uuid = viva_transaction.payment_uuid
                      AND other.state = 'approved'
                      AND (other.id > viva_transaction.id OR viva_transaction.state != 'approved')
               )
            )"""
        )
        return [("id", "in" if True in value else "not in", attached)]
