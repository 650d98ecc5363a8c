"""A gateway: a small program in the shop's network that talks to its terminals for us."""

import secrets
from datetime import timedelta

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import format_datetime, format_time

from . import viva_gateway_keys as keys
from .ledger import in_ledger
from .viva_gateway_link import CODE_MINUTES

CONNECTED_SECONDS = 60  # a gateway calls every 30 seconds at the latest
SCAN_SECONDS = 120  # a search that brings nothing for so long is over


class VivaGateway(models.Model):
    _name = "viva.gateway"
    _description = "Viva Gateway"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "name, id"

    name = fields.Char(required=True, tracking=True, help="Where it stands, e.g. Shop Patras.")
    active = fields.Boolean(default=True, tracking=True)
    company_id = fields.Many2one(
        "res.company", required=True, default=lambda self: self.env.company, tracking=True
    )
    responsible_id = fields.Many2one(
        "res.users",
        string="Told about its faults",
        default=lambda self: self.env.user,
        required=True,
    )
    terminal_ids = fields.One2many("viva.terminal", "gateway_id", string="Terminals")
    state = fields.Selection(
        [("waiting", "Not paired"), ("paired", "Paired"), ("revoked", "Revoked")],
        compute="_compute_link",
    )
    is_connected = fields.Boolean(
        "Connected", compute="_compute_link", help="It has called within the last minute."
    )
    last_seen_at = fields.Datetime("Last heard", compute="_compute_link")
    paired_at = fields.Datetime("Paired at", compute="_compute_link")
    version = fields.Char(compute="_compute_link")
    host = fields.Char("Runs on", compute="_compute_link")
    known = fields.Char("What is known", compute="_compute_link")
    reached = fields.Char("Terminals reached", compute="_compute_link")
    color = fields.Integer(compute="_compute_link")

    # -- what is known ---------------------------------------------------------------------------

    def _link(self):
        """The machine's own record of this gateway; empty before it was paired."""
        self.ensure_one()
        return self.env["viva.gateway.link"].sudo().search([("gateway_id", "=", self.id)])

    def _compute_link(self):
        links = (
            self.env["viva.gateway.link"]
            .sudo()
            .search_fetch(
                [("gateway_id", "in", self.ids)],
                ["gateway_id", "is_revoked", "seen_at", "paired_at", "version", "host"],
            )
        )
        links.invalidate_recordset(["seen_at"])  # written past the ORM
        links = links.grouped("gateway_id")
        sights = dict(
            self.env["viva.gateway.sight"]
            .sudo()
            ._read_group(
                [("gateway_id", "in", self.ids), ("reached", "=", "yes")],
                ["gateway_id"],
                ["__count"],
            )
        )
        since = fields.Datetime.now() - timedelta(seconds=CONNECTED_SECONDS)
        for gateway in self:
            link = links.get(gateway, self.env["viva.gateway.link"].sudo())
            gateway.state = "waiting"
            if link:
                gateway.state = "revoked" if link.is_revoked else "paired"
            gateway.last_seen_at = link.seen_at
            gateway.paired_at = link.paired_at
            gateway.version = link.version
            gateway.host = link.host
            gateway.is_connected = (
                gateway.state == "paired" and bool(link.seen_at) and link.seen_at > since
            )
            gateway.reached = self.env._(
                "%(reached)s of %(all)s",
                reached=sights.get(gateway, 0) if gateway.is_connected else 0,
                all=len(gateway.sudo().terminal_ids),
            )
            gateway.known = gateway._known_words()
            gateway.color = {True: 10, False: 1}[gateway.is_connected]
            if gateway.state == "waiting":
                gateway.color = 0

    def _known_words(self):
        if self.state == "waiting":
            return self.env._("Not paired yet. Press Pair and type the code into the gateway.")
        if self.state == "revoked":
            return self.env._("Revoked: Odoo does not deal with it any more.")
        if self.is_connected:
            return self.env._("Connected")
        if not self.last_seen_at:
            return self.env._("Paired, but it has not called yet.")
        return self.env._(
            "Not connected since %s. Is the computer switched on and online?",
            format_datetime(self.env, self.last_seen_at, dt_format="short"),
        )

    # -- rules -----------------------------------------------------------------------------------

    @api.constrains("company_id")
    def _check_company(self):
        for gateway in self.sudo():
            if gateway.with_context(active_test=False).terminal_ids.company_id - gateway.company_id:
                raise ValidationError(
                    self.env._("The terminals of this gateway belong to another company.")
                )

    @api.ondelete(at_uninstall=False)
    def _unlink_without_transactions(self):
        transactions = self.env["viva.transaction"].sudo()
        if transactions.search_count([("gateway_id", "in", self.ids)], limit=1):
            raise UserError(
                self.env._(
                    "This gateway has card payments in its ledger and cannot be deleted. Archive it instead."
                )
            )

    def _require_admin(self):
        self.env["viva.account"]._require_admin()
        self.check_access("write")

    # -- buttons ---------------------------------------------------------------------------------

    def action_pair(self):
        """Show a code that one gateway may use once, within ten minutes."""
        self.ensure_one()
        self._require_admin()
        pairings = self.env["viva.gateway.pairing"].sudo()
        pairings.search([("gateway_id", "=", self.id)]).unlink()
        code_id, secret = keys.new_code()
        while pairings.search_count([("code_id", "=", code_id)], limit=1):
            code_id, secret = keys.new_code()
        expires_at = fields.Datetime.now() + timedelta(minutes=CODE_MINUTES)
        pairings.create(
            {
                "gateway_id": self.id,
                "code_id": code_id,
                "key": keys.b64(keys.pairing_key(secret)),
                "expires_at": expires_at,
            }
        )
        code = keys.code_words(code_id, secret)
        # Shown once and never stored: the dialog is a record that nobody saves.
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Pair %s", self.name),
            "res_model": "viva.gateway.pair",
            "views": [(False, "form")],
            "target": "new",
            "context": {
                "default_gateway_id": self.id,
                "default_code": code,
                "default_valid": self.env._(
                    "Valid for %(minutes)s minutes, until %(time)s, and for one use.",
                    minutes=CODE_MINUTES,
                    time=format_time(
                        self.env,
                        expires_at,
                        tz=self.env.user.tz or "UTC",
                        time_format="medium",
                    ),
                ),
                "default_command": f"viva-gateway pair {self.get_base_url()} {code}",
            },
        }

    def action_revoke(self):
        """From now on it may neither report nor be told anything."""
        self._require_admin()
        self._hint()
        self._orphan()
        links = self.env["viva.gateway.link"].sudo().search([("gateway_id", "in", self.ids)])
        links.write({"is_revoked": True})
        self.env["viva.gateway.pairing"].sudo().search([("gateway_id", "in", self.ids)]).unlink()
        self.invalidate_recordset()
        return True

    def action_forget(self):
        """Forget its keys: it has to be paired again."""
        self._require_admin()
        self._orphan()
        for model in ("viva.gateway.link", "viva.gateway.pairing", "viva.gateway.sight"):
            self.env[model].sudo().search([("gateway_id", "in", self.ids)]).unlink()
        self.invalidate_recordset()
        return True

    def action_find_terminals(self):
        """Have it look for terminals in its network, and show what it finds."""
        self.ensure_one()
        self._require_admin()
        if not self.is_connected:
            raise UserError(
                self.env._("The gateway is not connected, so it cannot look for terminals now.")
            )
        link = self._link()
        link.write(
            {
                "scan_number": link.scan_number + 1,
                "scan_asked_at": fields.Datetime.now(),
                "scan_done_at": False,
                "scan_found": False,
            }
        )
        self._hint()
        return self.env["viva.gateway.find"]._open(self)

    def action_view_terminals(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("viva_payments.action_viva_terminal")
        return {
            **action,
            "domain": [("gateway_id", "=", self.id)],
            "context": {"default_gateway_id": self.id},
        }

    def _orphan(self):
        ids = self.ids
        in_ledger(
            self.env,
            lambda env: env["viva.transaction"]._orphan(env["viva.gateway"].browse(ids)),
        )

    # -- for the machine -------------------------------------------------------------------------

    def _hint(self):
        """Make these gateways call, as soon as this database transaction is committed. A hint without content."""
        links = (
            self.env["viva.gateway.link"]
            .sudo()
            .search_fetch([("gateway_id", "in", self.ids), ("is_revoked", "=", False)], ["channel"])
        )
        for link in links:
            self.env["bus.bus"]._sendone(link.channel, "viva_gateway", {})

    def _alarm(self, summary, note):
        """A task for the person responsible for this gateway, once per subject."""
        self.ensure_one()
        if self.activity_ids.filtered(lambda activity: activity.summary == summary):
            return
        alarmed = self.with_user(SUPERUSER_ID).with_context(mail_activity_quick_update=True)
        alarmed.activity_schedule(
            "mail.mail_activity_data_warning",
            summary=summary,
            note=note,
            user_id=self.responsible_id.id,
        )

    @api.model
    def _paired(self, gateway_id, public_key, version, host):
        """Give a gateway a new identity; whatever it had before is void. Returns (uid, our public key, channel)."""
        private_key, server_public_key = keys.new_pair()
        uid, channel = secrets.token_hex(16), f"viva-gateway-{secrets.token_urlsafe(32)}"
        self.env["viva.transaction"]._orphan(self.browse(gateway_id))
        links = self.env["viva.gateway.link"].sudo()
        links.search([("gateway_id", "=", gateway_id)]).unlink()
        links.create(
            {
                "gateway_id": gateway_id,
                "uid": uid,
                "public_key": keys.b64(public_key),
                "private_key": keys.b64(private_key),
                "channel": channel,
                "database_uuid": self.env["viva.account"]._current_database(),
                "paired_at": fields.Datetime.now(),
                "version": version,
                "host": host,
            }
        )
        return uid, server_public_key, channel
