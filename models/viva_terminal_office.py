"""Terminals for the back office: those of the Viva accounts that are booked in a journal."""

from odoo import api, models

from .ways import APP


class VivaTerminal(models.Model):
    _inherit = "viva.terminal"

    @api.model
    def _office_terminals(self, journal):
        """The terminals that the user may choose for this journal, his last one first; the app is no terminal here."""
        terminals = self.search(
            [("account_id", "in", journal._viva_accounts().ids), ("protocol", "!=", APP)]
        )
        last = (
            self.env["viva.booking"]
            .sudo()
            .search(
                [("user_id", "=", self.env.uid), ("terminal_id", "in", terminals.ids)],
                order="id desc",
                limit=1,
            )
        )
        own = terminals.browse(last.terminal_id.ids)
        return own + (terminals - own)
