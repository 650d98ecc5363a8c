"""What the account's form shows on the way from the credentials to the first payment method."""

from odoo import api, fields, models

from .viva_account import WEBHOOK_EVENTS


class VivaAccount(models.Model):
    _inherit = "viva.account"

    payment_method_count = fields.Integer(compute="_compute_payment_method_count")
    webhook_events = fields.Text(
        "Events to tick",
        compute="_compute_webhook_events",
        help="One webhook per event in Viva's portal, all of them with the same address.",
    )

    def _payment_methods(self):
        return self.env["pos.payment.method"].search(
            [("viva_terminal_ids.account_id", "in", self.ids)]
        )

    @api.depends("terminal_ids")
    def _compute_payment_method_count(self):
        for account in self:
            account.payment_method_count = (
                len(account._payment_methods()) if account.terminal_ids else 0
            )

    def _compute_webhook_events(self):
        # Viva's own names and numbers: they are looked up in Viva's portal and not translated.
        self.webhook_events = "\n".join(f"{number}  {name}" for number, name in WEBHOOK_EVENTS)

    def action_view_terminals(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("viva_payments.action_viva_terminal")
        return {
            **action,
            "domain": [("account_id", "=", self.id)],
            "context": {"default_account_id": self.id},
        }

    def action_view_payment_methods(self):
        self.ensure_one()
        methods = self._payment_methods()
        action = {
            "type": "ir.actions.act_window",
            "name": self.env._("Payment Methods"),
            "res_model": "pos.payment.method",
        }
        if len(methods) == 1:
            return {**action, "res_id": methods.id, "views": [(False, "form")]}
        return {
            **action,
            "domain": [("id", "in", methods.ids)],
            "views": [(False, "list"), (False, "form")],
        }
