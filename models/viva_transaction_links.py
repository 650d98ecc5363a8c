"""From a card payment to what it is for, and back: invoices, payments, orders, customers, whoever has started it."""

from odoo import api, fields, models
from odoo.fields import Domain
from odoo.tools import SQL


class VivaTransaction(models.Model):
    _inherit = "viva.transaction"

    partner_id = fields.Many2one(
        "res.partner",
        "Customer",
        compute="_compute_partner_id",
        compute_sudo=True,
        search="_search_partner_id",
        help="Of the invoice, the hold or the order that it is for.",
    )

    @api.depends("booking_id", "hold_id", "parent_id")
    def _compute_partner_id(self):
        for transaction in self:
            partner = transaction.booking_id.partner_id or transaction.hold_id.partner_id
            transaction.partner_id = (
                partner or transaction.pos_order_id.partner_id or transaction.parent_id.partner_id
            )

    @api.model
    def _search_partner_id(self, operator, value):
        if operator not in ("in", "child_of", "ilike", "any"):
            return NotImplemented
        name = operator == "ilike" or (operator == "child_of" and isinstance(value, str))
        known = Domain("display_name", "ilike", value) if name else Domain("id", operator, value)
        # Whom the asker may see; archived customers have paid, too.
        partners = self.env["res.partner"].with_context(active_test=False)._search(known)

        def of(model, column="id"):
            # Whoever may not open bookings or orders may know whose card payment it is.
            query = self.env[model].sudo()._search([("partner_id", "in", partners)])
            return query.subselect(column)

        self.flush_model(["booking_id", "hold_id", "order_uuid", "parent_id"])
        # A union, so that each way has its index however long the ledger is.
        found = SQL(
            """(
            WITH own AS (
                SELECT id FROM viva_transaction WHERE booking_id IN %(bookings)s
                UNION SELECT id FROM viva_transaction WHERE hold_id IN %(holds)s
                UNION SELECT id FROM viva_transaction WHERE order_uuid IN %(orders)s
            )
            SELECT id FROM own
            UNION SELECT id FROM viva_transaction WHERE parent_id IN (SELECT id FROM own)
            )""",
            bookings=of("viva.booking"),
            holds=of("viva.hold"),
            orders=of("pos.order", "uuid"),
        )
        return Domain("id", "in", found)

    def _family(self):
        """These, what was captured of them and what was given back of them, in whichever way."""
        return self.search([("id", "child_of", self.ids)]) if self else self

    def _open(self):
        """The action that shows these: one as a form, several as a list."""
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "viva_payments.action_viva_transaction_account"
        )
        if len(self) == 1:
            return {**action, "res_id": self.id, "views": [(False, "form")], "context": {}}
        return {**action, "domain": [("id", "in", self.ids)], "context": {}}

    def action_view_booking(self):
        """What the books carry of it."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "viva.booking",
            "res_id": self.booking_id.id,
            "views": [(False, "form")],
        }
