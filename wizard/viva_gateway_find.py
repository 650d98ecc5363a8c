from datetime import timedelta

from odoo import Command, api, fields, models
from odoo.exceptions import UserError

from ..models.viva_gateway import SCAN_SECONDS


class VivaGatewayFind(models.TransientModel):
    """What a gateway has found in its network: say which terminal each device is."""

    _name = "viva.gateway.find"
    _description = "Find Viva Terminals in the Shop"

    gateway_id = fields.Many2one("viva.gateway", required=True, readonly=True)
    company_id = fields.Many2one(related="gateway_id.company_id")
    scan_number = fields.Integer(readonly=True)
    line_ids = fields.One2many("viva.gateway.find.line", "wizard_id", string="Devices")
    progress = fields.Char(compute="_compute_progress")

    @api.model
    def _open(self, gateway):
        wizard = self.create({"gateway_id": gateway.id, "scan_number": gateway._link().scan_number})
        return wizard._show()

    def _show(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Terminals in the Shop"),
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
            "target": "new",
            "context": {"dialog_size": "extra-large"},
        }

    def _scan(self):
        """What the gateway has brought for this dialog; empty when a later search has replaced it."""
        link = self.gateway_id._link()
        return link if link.scan_number == self.scan_number else link.browse()

    @api.depends("scan_number", "line_ids")
    def _compute_progress(self):
        for wizard in self:
            link = wizard._scan()
            since = fields.Datetime.now() - timedelta(seconds=SCAN_SECONDS)
            if link.scan_done_at:
                wizard.progress = self.env._("The search is over.")
            elif not link or not link.scan_asked_at or link.scan_asked_at < since:
                wizard.progress = self.env._(
                    "The gateway has not answered. Close this and press Find terminals."
                )
            else:
                wizard.progress = self.env._(
                    "The gateway is searching. This takes up to a minute: press Look again."
                )

    def action_refresh(self):
        """Show what has been found so far."""
        self.ensure_one()
        self.gateway_id._require_admin()
        terminals = self.env["viva.terminal"].search([("gateway_id", "=", self.gateway_id.id)])
        known = {(terminal.lan_host, terminal.lan_port): terminal for terminal in terminals}
        listed = {(line.lan_host, line.lan_port) for line in self.line_ids}
        other = self.env.ref("viva_payments.terminal_model_other")
        commands = []
        for entry in self._scan().scan_found or []:
            place = (entry["host"], entry["port"])
            if place in listed:
                continue
            terminal = known.get(place, terminals.browse())
            if not terminal and entry.get("tid"):
                terminal = self.env["viva.terminal"].search(
                    [
                        ("viva_id", "=", entry["tid"]),
                        ("company_id", "=", self.gateway_id.company_id.id),
                    ],
                    limit=1,
                )
            commands.append(
                Command.create(
                    {
                        "lan_host": entry["host"],
                        "lan_port": entry["port"],
                        "lan_scheme": entry["scheme"],
                        "protocol": entry["protocol"],
                        "fingerprint": entry["fingerprint"],
                        "viva_id": entry.get("tid") or "",
                        "terminal_id": terminal.id,
                        "model_id": terminal.model_id.id or other.id,
                        "is_registered": place in known,
                    }
                )
            )
        self.write({"line_ids": commands})
        return self._show()

    def action_register(self):
        """Give these addresses to terminals that exist, or make new ones."""
        self.ensure_one()
        self.gateway_id._require_admin()
        chosen = self.line_ids.filtered(lambda line: line.is_chosen and not line.is_registered)
        if not chosen:
            raise UserError(self.env._("Tick at least one device that is not registered yet."))
        for line in chosen:
            line._use_address()
        return {"type": "ir.actions.client", "tag": "soft_reload"}


class VivaGatewayFindLine(models.TransientModel):
    _name = "viva.gateway.find.line"
    _description = "Device found by a Gateway"

    wizard_id = fields.Many2one("viva.gateway.find", required=True, ondelete="cascade")
    company_id = fields.Many2one(related="wizard_id.company_id")
    is_chosen = fields.Boolean("Use")
    is_registered = fields.Boolean("Registered", readonly=True)
    lan_host = fields.Char("IP address", readonly=True, required=True)
    lan_port = fields.Integer("Port", readonly=True, required=True)
    lan_scheme = fields.Selection(
        [("https", "https"), ("http", "http")], "Encryption", readonly=True
    )
    protocol = fields.Selection(
        [("local", "Local Terminal API"), ("tcp", "TCP/IP")], readonly=True, required=True
    )
    fingerprint = fields.Char(readonly=True)
    is_confirmed = fields.Boolean(
        "Confirmed",
        help="The terminal shows the same fingerprint, or nobody else can be in this network.",
    )
    terminal_id = fields.Many2one(
        "viva.terminal", "Known as", domain="[('company_id', '=', company_id)]"
    )
    viva_id = fields.Char("Terminal ID")
    name = fields.Char(help="What the cashier calls it, e.g. Bar or Till 2.")
    account_id = fields.Many2one("viva.account", domain="[('company_id', '=', company_id)]")
    model_id = fields.Many2one("viva.terminal.model")

    def _use_address(self):
        self.ensure_one()
        values = {
            "protocol": self.protocol,
            "gateway_id": self.wizard_id.gateway_id.id,
            "lan_scheme": self.lan_scheme or "https",
            "lan_host": self.lan_host,
            "lan_port": self.lan_port,
            "certificate_fingerprint": self.is_confirmed and self.fingerprint,
        }
        if self.terminal_id:
            self.terminal_id.write(values)
            return
        account = self.account_id or self.env["viva.account"].search(
            [("company_id", "=", self.company_id.id)]
        )
        if not self.viva_id or len(account) != 1:
            raise UserError(
                self.env._(
                    "Say which terminal %(host)s is: choose one that Odoo knows (Known as), or enter the Terminal ID and the account of "
                    "a new one.",
                    host=self.lan_host,
                )
            )
        self.env["viva.terminal"].create(
            {
                **values,
                "account_id": account.id,
                "viva_id": self.viva_id,
                "name": self.name or self.viva_id,
                "model_id": self.model_id.id,
            }
        )
