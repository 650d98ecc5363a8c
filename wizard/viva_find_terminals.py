from odoo import Command, api, fields, models
from odoo.exceptions import UserError

from ..models.viva_terminal import STATUSES


class VivaFindTerminals(models.TransientModel):
    """The terminals that Viva lists for an account: choose a name and a model for each, and register them."""

    _name = "viva.find.terminals"
    _description = "Find Viva Terminals"

    account_id = fields.Many2one("viva.account", required=True, readonly=True)
    line_ids = fields.One2many("viva.find.terminals.line", "wizard_id", string="Terminals")

    @api.model
    def _open(self, account):
        """Ask Viva, then show the dialog."""
        devices = account._devices()
        known = (
            self.env["viva.terminal"]
            .with_context(active_test=False)
            .search([("account_id", "=", account.id)])
        )
        registered = known.grouped("viva_id")
        other = self.env.ref("viva_payments.terminal_model_other")
        lines = [
            {
                "viva_id": device.terminal_id,
                "name": registered[device.terminal_id].name
                if device.terminal_id in registered
                else device.terminal_id,
                "store": device.source_code,
                "status": str(device.status_id)
                if device.status_id is not None and 0 <= device.status_id <= 7
                else False,
                "model_id": registered.get(device.terminal_id, known.browse()).model_id.id
                or other.id,
                "is_registered": device.terminal_id in registered,
                "is_chosen": device.status_id == 1 and device.terminal_id not in registered,
            }
            for device in devices
        ]
        if not lines:
            raise UserError(
                self.env._(
                    "Viva lists no terminals for this account. Activate a terminal in Viva's portal "
                    "(Sales > Physical Payments > Card Terminals) and try again."
                )
            )
        wizard = self.create(
            {"account_id": account.id, "line_ids": [Command.create(line) for line in lines]}
        )
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Terminals at Viva"),
            "res_model": self._name,
            "res_id": wizard.id,
            "views": [(False, "form")],
            "target": "new",
        }

    def action_register(self):
        self.ensure_one()
        self.account_id._require_admin()
        chosen = self.line_ids.filtered(lambda line: line.is_chosen and not line.is_registered)
        if not chosen:
            raise UserError(self.env._("Tick at least one terminal that is not registered yet."))
        self.env["viva.terminal"].create(
            [
                {
                    "account_id": self.account_id.id,
                    "name": line.name or line.viva_id,
                    "viva_id": line.viva_id,
                    "model_id": line.model_id.id,
                    "store": line.store,
                    "status": line.status,
                    "status_at": fields.Datetime.now(),
                }
                for line in chosen
            ]
        )
        return {"type": "ir.actions.client", "tag": "soft_reload"}


class VivaFindTerminalsLine(models.TransientModel):
    _name = "viva.find.terminals.line"
    _description = "Terminal listed by Viva"

    wizard_id = fields.Many2one("viva.find.terminals", required=True, ondelete="cascade")
    is_chosen = fields.Boolean("Register")
    is_registered = fields.Boolean("Registered", readonly=True)
    name = fields.Char("Name at the till")
    viva_id = fields.Char("Terminal ID", readonly=True, required=True)
    store = fields.Char(readonly=True)
    status = fields.Selection(STATUSES, string="Status at Viva", readonly=True)
    model_id = fields.Many2one("viva.terminal.model", required=True)
