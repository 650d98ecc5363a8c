from odoo import fields, models


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    viva_account_count = fields.Integer(compute="_compute_viva_accounts")
    viva_can_move_over = fields.Boolean(
        compute="_compute_viva_accounts",
        help="Odoo's own Viva.com integration is installed and has credentials.",
    )

    def _compute_viva_accounts(self):
        accounts = self.env["viva.account"]
        self.viva_account_count = accounts.search_count([]) if accounts.has_access("read") else 0
        self.viva_can_move_over = bool(accounts._pos_viva_com_methods())

    def action_viva_move_over(self):
        return self.env["viva.account"].action_move_over()
