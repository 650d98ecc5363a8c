"""Moving over from `pos_viva_com`, the Viva.com integration that comes with Odoo."""

from odoo import api, models
from odoo.exceptions import UserError

CODE = "viva_com"
# Its fields on the payment method, by ours on the account.
FIELDS = {
    "client_id": "viva_com_client_id",
    "client_secret": "viva_com_client_secret",
    "merchant_id": "viva_com_merchant_id",
    "api_key": "viva_com_api_key",
}


class VivaAccount(models.Model):
    _inherit = "viva.account"

    @api.model
    def _pos_viva_com_methods(self):
        """The payment methods of `pos_viva_com` in the user's companies, in superuser mode; none without it."""
        methods = self.env["pos.payment.method"].sudo()
        if (
            not {*FIELDS.values(), "viva_com_terminal_id", "viva_com_test_mode"}
            <= methods._fields.keys()
        ):
            return methods.browse()
        return methods.search(
            [
                ("use_payment_terminal", "=", CODE),
                ("company_id", "in", self.env.companies.ids),
                ("viva_com_client_id", "!=", False),
            ]
        )

    @api.model
    def action_move_over(self):
        """Copy credentials and terminals of `pos_viva_com`. Its payment methods stay as they are.

        :raise AccessError: not a Viva administrator
        :raise UserError: there is nothing to copy
        """
        self.browse()._require_admin()
        methods = self._pos_viva_com_methods()
        if not methods:
            raise UserError(
                self.env._(
                    "There is no payment method of Odoo's Viva.com integration to copy from."
                )
            )
        accounts = self._move_over(
            [
                {
                    **{ours: method[theirs] for ours, theirs in FIELDS.items()},
                    "company_id": method.company_id.id,
                    "environment": "demo" if method.viva_com_test_mode else "live",
                    "name": method.name,
                    "viva_id": method.viva_com_terminal_id,
                }
                for method in methods
            ]
        )
        action = self.env["ir.actions.act_window"]._for_xml_id("viva_payments.action_viva_account")
        if len(accounts) == 1:
            return {**action, "res_id": accounts.id, "views": [(False, "form")]}
        return {**action, "domain": [("id", "in", accounts.ids)]}

    @api.model
    def _move_over(self, rows):
        """One account per company, merchant and environment, and its terminals; what is there already stays.

        :param rows: a dict for each payment method: company_id, environment, the four credentials, and
            name and viva_id of its terminal
        :return: the accounts, new ones and old ones
        """
        accounts = self.browse()
        for row in rows:
            account = self._account_of(row)
            account._adopt_terminal(row)
            accounts |= account
        return accounts

    @api.model
    def _account_of(self, row):
        merchant_id = (row["merchant_id"] or "").strip()
        known = self.with_context(active_test=False).search(
            [
                ("company_id", "=", row["company_id"]),
                ("environment", "=", row["environment"]),
                ("merchant_id", "=ilike", merchant_id),
            ],
            limit=1,
        )
        if known:
            return known
        return self.create(
            {
                "name": self.env._("Viva.com %s", merchant_id[:8]),
                "company_id": row["company_id"],
                "environment": row["environment"],
                **{name: row[name] for name in FIELDS},
            }
        )

    def _adopt_terminal(self, row):
        viva_id = (row["viva_id"] or "").strip()
        terminals = self.env["viva.terminal"]
        # Unique over all companies, archived ones included: somebody else's terminal is left alone.
        taken = (
            terminals.sudo()
            .with_context(active_test=False)
            .search_count(
                [("environment_key", "=", self._environment_key()), ("viva_id", "=", viva_id)],
                limit=1,
            )
        )
        if viva_id and not taken:
            terminals.create(
                {
                    "account_id": self.id,
                    "name": row["name"],
                    "viva_id": viva_id,
                    "model_id": self.env.ref("viva_payments.terminal_model_other").id,
                }
            )
