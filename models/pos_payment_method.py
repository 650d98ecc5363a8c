"""The only Python file that touches names which Odoo 20 changes (`use_payment_terminal` and its hooks)."""

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

CODE = "viva"


class PosPaymentMethod(models.Model):
    _inherit = "pos.payment.method"

    viva_terminal_ids = fields.Many2many(
        "viva.terminal",
        string="Viva Terminals",
        check_company=True,
        help="The till remembers which of them is its own and lets the cashier switch.",
    )
    viva_demo = fields.Boolean(compute="_compute_viva_demo", string="No money moves")

    def _get_payment_terminal_selection(self):
        return [*super()._get_payment_terminal_selection(), (CODE, "Viva.com")]

    def _is_viva(self):
        self.ensure_one()
        return self.use_payment_terminal == CODE

    @api.depends("viva_terminal_ids.account_id.environment")
    def _compute_viva_demo(self):
        for method in self:
            method.viva_demo = any(
                terminal.viva_demo for terminal in method.sudo().viva_terminal_ids
            )

    @api.model
    def _load_pos_data_fields(self, config):
        return [*super()._load_pos_data_fields(config), "viva_terminal_ids", "viva_demo"]

    def _is_write_forbidden(self, fields):
        # A broken terminal is replaced while the shop is open.
        return super()._is_write_forbidden(fields - {"viva_terminal_ids"})

    @api.onchange("use_payment_terminal")
    def _onchange_use_payment_terminal(self):
        result = super()._onchange_use_payment_terminal()
        if self.use_payment_terminal != CODE:
            self.viva_terminal_ids = False
        return result

    @api.constrains("use_payment_terminal", "journal_id", "viva_terminal_ids")
    def _check_viva(self):
        for method in self:
            if method.viva_terminal_ids and not method._is_viva():
                raise ValidationError(
                    self.env._(
                        "Viva terminals need a payment method with the integration Viva.com."
                    )
                )
            if method._is_viva() and len(set(method.viva_terminal_ids.mapped("viva_demo"))) > 1:
                raise ValidationError(
                    self.env._(
                        "Demo and live terminals cannot share a payment method: nobody could tell them apart."
                    )
                )

    @api.model
    def _viva_create(self, account):
        """A payment method with all terminals of `account`, on a bank journal of its company.

        The caller has checked that the user is a Viva administrator.
        """
        self = self.sudo()
        terminals = account.terminal_ids
        if not terminals:
            raise UserError(
                self.env._("This account has no terminals yet. Press Find terminals first.")
            )
        journal = self.env["account.journal"].search(
            [("type", "=", "bank"), ("company_id", "=", account.company_id.id)], limit=1
        )
        if not journal:
            raise UserError(
                self.env._(
                    "The company has no bank journal. Create one in Accounting, then create the payment method."
                )
            )
        existing = self.search([("viva_terminal_ids", "in", terminals.ids)], limit=1)
        if existing:
            existing.viva_terminal_ids |= terminals
            return existing
        return self.create(
            {
                "name": self.env._("Card (Viva.com)"),
                "company_id": account.company_id.id,
                "journal_id": journal.id,
                "payment_method_type": "terminal",
                "use_payment_terminal": CODE,
                "viva_terminal_ids": [(6, 0, terminals.ids)],
            }
        )
