"""Card payments of a customer."""

from odoo import fields, models


class ResPartner(models.Model):
    _inherit = "res.partner"

    viva_transaction_count = fields.Integer(
        "Card payments",
        compute="_compute_viva_transaction_count",
        groups="account.group_account_invoice,account.group_account_readonly",
    )

    def _compute_viva_transaction_count(self):
        ledger = self.env["viva.transaction"]
        for partner in self:
            partner.viva_transaction_count = ledger.search_count(partner._viva_domain())

    def _viva_domain(self):
        """Card payments of this customer and of its contacts, as far as the user may see them."""
        self.ensure_one()
        return [("partner_id", "child_of", self._origin.ids)]

    def action_view_viva_transactions(self):
        self.check_access("read")
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "viva_payments.action_viva_transaction_account"
        )
        return {**action, "domain": self._viva_domain(), "context": {}}
