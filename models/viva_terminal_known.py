from odoo import api, models


class VivaTerminal(models.Model):
    """Where a terminal is chosen to charge a card, its name in the list is followed by what is known of it."""

    _inherit = "viva.terminal"

    @api.depends_context("viva_known", "formatted_display_name")
    def _compute_display_name(self):
        result = super()._compute_display_name()
        if self.env.context.get("viva_known") and self.env.context.get("formatted_display_name"):
            for terminal in self:
                terminal.display_name = f"{terminal.display_name} \t--{terminal.known}--"
        return result
