from odoo import models
from odoo.exceptions import UserError


class IrModuleModule(models.Model):
    _inherit = "ir.module.module"

    def button_uninstall(self):
        """Refuse to forget card payments of which nobody knows yet whether they were charged."""
        if "viva_payments" in (self | self.downstream_dependencies()).mapped("name"):
            unsettled = self.env["viva.transaction"].sudo().search([("is_unsettled", "=", True)])
            if unsettled:
                raise UserError(
                    self.env._(
                        "Viva.com Payments cannot be uninstalled while card payments are open: %s. "
                        "Open each of them and press Check with Viva first.",
                        ", ".join(unsettled.mapped("name")),
                    )
                )
            holds = self.env["viva.hold"].sudo().search([("state", "=", "open")])
            if holds:
                raise UserError(
                    self.env._(
                        "Viva.com Payments cannot be uninstalled while money is on hold: %s. Capture or release it first.",
                        ", ".join(holds.mapped("name")),
                    )
                )
        return super().button_uninstall()
