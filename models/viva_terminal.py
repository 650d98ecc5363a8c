import ipaddress
import re

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import format_datetime

from .ledger import in_ledger
from .viva_terminal_model import PROTOCOLS
from .ways import LAN

# Protocols with a driver.
DRIVEN = ("cloud", "local", "app_to_app", "tcp")
MANAGER = "viva_payments.group_viva_manager"
# What decides which device is charged: not to be changed under an open payment.
ADDRESS = {
    "viva_id",
    "account_id",
    "protocol",
    "gateway_id",
    "lan_scheme",
    "lan_host",
    "lan_port",
    "certificate_fingerprint",
}
# Networks of which a shop may consist. Link-local addresses are not among them: some are no devices but services.
_SHOP = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]
# A name that only the shop's own network knows. What begins with a digit might be read as a number, so an address.
_LABEL = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
_BARE_NAME = re.compile(rf"{_LABEL}(?:\.(?:local|lan|home|internal|home\.arpa))?")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")

# `statusId` of devices:search (cloud-terminal-api.md, section 2).
STATUSES = [
    ("0", "In Viva's warehouse"),
    ("1", "Live"),
    ("2", "Ready to ship"),
    ("3", "In stock"),
    ("4", "Waiting for keys"),
    ("5", "Lost"),
    ("6", "Broken"),
    ("7", "Locked"),
]


class VivaTerminal(models.Model):
    """A card terminal and what is known about it. Never "online": Viva has no presence call."""

    _name = "viva.terminal"
    _description = "Viva Terminal"
    _inherit = ["pos.load.mixin"]
    _order = "name, id"

    name = fields.Char(required=True, help="What the cashier calls it, e.g. Bar or Till 2.")
    active = fields.Boolean(default=True)
    viva_id = fields.Char(
        "Terminal ID",
        required=True,
        help="In the terminal app: More > About > Source Terminal ID. In Viva's portal: Sales > Card Terminals.",
    )
    account_id = fields.Many2one("viva.account", required=True, ondelete="restrict", index=True)
    company_id = fields.Many2one(related="account_id.company_id", store=True, index=True)
    model_id = fields.Many2one("viva.terminal.model", required=True, ondelete="restrict")
    protocol = fields.Selection(
        selection=lambda self: [entry for entry in PROTOCOLS if entry[0] in DRIVEN],
        required=True,
        default="cloud",
    )
    protocol_override = fields.Boolean(
        "Use this protocol anyway",
        groups="viva_payments.group_viva_admin",
        help="Viva's own pages are newer than our table for some models.",
    )
    allow_app = fields.Boolean(
        "Tills also run on this device",
        help="On the device itself the till uses the terminal app (App-to-App), elsewhere the protocol above.",
    )
    platform = fields.Selection(
        [("paydroid", "Android"), ("prolin", "Prolin")], compute="_compute_platform"
    )
    gateway_id = fields.Many2one(
        "viva.gateway",
        ondelete="restrict",
        index="btree_not_null",
        copy=False,
        groups=MANAGER,
        help="The program in the shop's network that talks to this terminal.",
    )
    lan_scheme = fields.Selection(
        [("https", "https"), ("http", "http – not encrypted")],
        "Encryption",
        default="https",
        required=True,
        groups=MANAGER,
        help="As the terminal app shows it. Without https anybody in the network can listen.",
    )
    lan_host = fields.Char(
        "IP address",
        copy=False,
        groups=MANAGER,
        help="The terminal shows it in its settings. Have your router always give it the same one.",
    )
    lan_port = fields.Integer("Port", copy=False, groups=MANAGER)
    certificate_fingerprint = fields.Char(
        "Certificate confirmed",
        copy=False,
        groups=MANAGER,
        help="SHA-256 of the terminal's own certificate: nothing is sent to any other device.",
    )
    certificate_seen = fields.Char(
        "Certificate seen",
        compute="_compute_seen",
        groups=MANAGER,
        help="What answers at the address now.",
    )
    lan_look = fields.Integer(
        default=0, copy=False, groups=MANAGER, help="Raised when the gateway is to look again."
    )
    ready_mode = fields.Selection(
        [
            ("auto", "As the terminal does it"),
            ("wait", "The terminal"),
            ("send_first", "The gateway"),
        ],
        "Who speaks first",
        default="auto",
        required=True,
        groups=MANAGER,
    )
    cancel_layout = fields.Selection(
        [("off", "Off"), ("C1", "C1"), ("C2", "C2"), ("C3", "C3")],
        "Refunds on the terminal",
        default="off",
        required=True,
        help="Viva does not publish the message for a refund by this protocol. Off: money goes back through Viva.",
    )
    capture_link = fields.Selection(
        [("transaction_id", "Viva's transaction"), ("parent_session_id", "Odoo's session")],
        "A capture refers to",
        default="transaction_id",
        required=True,
        groups=MANAGER,
        help="Viva does not document how a hold is found again: try both, keep the one that works.",
    )
    store = fields.Char("Store (source code)")
    status = fields.Selection(STATUSES, string="Status at Viva", readonly=True, copy=False)
    status_at = fields.Datetime("Status read at", readonly=True, copy=False)
    interlocked_since = fields.Datetime(readonly=True, copy=False)
    interlock = fields.Char(compute="_compute_interlock")
    environment_key = fields.Char(compute="_compute_environment_key", store=True)
    viva_demo = fields.Boolean(compute="_compute_viva_demo", string="Demo")
    is_demo_by_account_alone = fields.Boolean(
        compute="_compute_is_demo_by_account_alone",
        help="Nothing but the account says that it is a demo: what stands at the address may be live.",
    )
    transaction_ids = fields.One2many("viva.transaction", "terminal_id")
    busy_transaction_id = fields.Many2one(
        "viva.transaction", compute="_compute_known", string="Busy with"
    )
    last_success_at = fields.Datetime(compute="_compute_known")
    last_failure_at = fields.Datetime(compute="_compute_known")
    known = fields.Char("What is known", compute="_compute_known")
    color = fields.Integer(compute="_compute_known")
    payment_method_ids = fields.Many2many("pos.payment.method", string="Payment Methods")

    _one_device_per_address = models.UniqueIndex(
        "(gateway_id, lan_host, lan_port) WHERE active AND protocol IN ('local', 'tcp')",
        "Another terminal of this gateway has this address and port already.",
    )
    _one_record_per_gateway = models.UniqueIndex(
        "(gateway_id, viva_id) WHERE active AND protocol IN ('local', 'tcp')",
        "This gateway serves a terminal with this Terminal ID already, of another account.",
    )
    _one_record_per_device = models.Constraint(
        "unique (environment_key, viva_id)",
        "This terminal is registered already, perhaps archived or in another company.",
    )

    @api.depends("name", "viva_id")
    def _compute_display_name(self):
        for terminal in self:
            names = [terminal.name, terminal.viva_id]
            terminal.display_name = (
                names[0] if names[0] == names[1] else f"{terminal.name} ({terminal.viva_id})"
            )

    @api.depends("account_id.environment", "account_id.api_url")
    def _compute_environment_key(self):
        for terminal in self:
            terminal.environment_key = (
                terminal.account_id._environment_key() if terminal.account_id else False
            )

    @api.depends("account_id.environment")
    def _compute_viva_demo(self):
        for terminal in self:
            terminal.viva_demo = terminal.sudo().account_id.is_demo

    @api.depends("protocol", "account_id.environment")
    def _compute_is_demo_by_account_alone(self):
        for terminal in self:
            is_demo = terminal.sudo().account_id.environment == "demo"
            terminal.is_demo_by_account_alone = is_demo and terminal.protocol in LAN

    @api.depends("interlocked_since")
    def _compute_interlock(self):
        for terminal in self:
            if terminal.interlocked_since:
                terminal.interlock = self.env._(
                    "Interlocked since %s",
                    format_datetime(self.env, terminal.interlocked_since, dt_format="short"),
                )
            else:
                terminal.interlock = self.env._("Waiting for the first successful transaction")

    @api.depends("model_id.family")
    def _compute_platform(self):
        for terminal in self:
            is_prolin = terminal.model_id.family == "prolin"
            terminal.platform = "prolin" if is_prolin else "paydroid"

    def _sights(self):
        """What the gateways say about these terminals, by terminal."""
        sights = self.env["viva.gateway.sight"].sudo()
        found = sights.search([("terminal_id", "in", self.ids)])
        return {
            sight.terminal_id.id: sight
            for sight in found
            if sight.gateway_id == sight.terminal_id.gateway_id
        }

    def _compute_seen(self):
        sights = self._sights()
        for terminal in self:
            sight = sights.get(terminal.id)
            terminal.certificate_seen = sight and sight.fingerprint

    def _compute_known(self):
        transactions = self.env["viva.transaction"].sudo()
        busy = transactions.search(
            [("terminal_id", "in", self.ids), ("holds_terminal", "=", True)]
        ).grouped("terminal_id")
        settled = transactions._read_group(
            [
                ("terminal_id", "in", self.ids),
                ("state", "in", ("approved", "declined", "cancelled", "failed")),
            ],
            ["terminal_id", "state"],
            ["settled_at:max"],
        )
        success = {terminal.id: at for terminal, state, at in settled if state == "approved"}
        failure = {}
        for terminal, state, at in settled:
            if state == "failed" and at:
                failure[terminal.id] = max(at, failure.get(terminal.id, at))
        trouble = self._trouble_in_shop()
        for terminal in self:
            terminal.busy_transaction_id = busy.get(terminal, transactions)[:1]
            terminal.last_success_at = success.get(terminal.id)
            terminal.last_failure_at = failure.get(terminal.id)
            words = trouble.get(terminal.id)
            known = " · ".join(filter(None, [words, terminal._known_words()]))
            terminal.known = known[:1].upper() + known[1:]
            terminal.color = 1 if words else terminal._known_color()

    def _trouble_in_shop(self):
        """Why terminals in a shop's network cannot be used, by terminal: as short words for what is known."""
        found, sights = {}, self._sights()
        for terminal in self.sudo().filtered(lambda record: record.protocol in LAN):
            sight = sights.get(terminal.id, self.env["viva.gateway.sight"].sudo())
            if not (terminal.gateway_id and terminal.lan_host and terminal.lan_port):
                words = self.env._("no address in the shop's network yet")
            elif not terminal.gateway_id.is_connected:
                words = self.env._("gateway %s is not connected", terminal.gateway_id.name)
            elif sight.tid and sight.tid != terminal.viva_id:
                words = self.env._("another terminal answers there: %s", sight.tid)
            elif terminal._misses_certificate():
                words = self.env._("its certificate is not confirmed")
            elif terminal._certificate_differs(sight):
                words = self.env._("another certificate answers there")
            elif sight.reached == "no":
                words = self.env._("gateway %s does not reach it", terminal.gateway_id.name)
                words = f"{words} ({sight.words})" if sight.words else words
            else:
                continue
            found[terminal.id] = words
        return found

    def _misses_certificate(self):
        return (
            self.protocol == "local"
            and self.lan_scheme == "https"
            and not self.certificate_fingerprint
        )

    def _certificate_differs(self, sight):
        return (
            self.protocol == "local"
            and self.lan_scheme == "https"
            and bool(sight.fingerprint)
            and sight.fingerprint != self.certificate_fingerprint
        )

    def _known_words(self):
        def when(moment):
            return format_datetime(self.env, moment, dt_format="short")

        words = []
        if self.status:
            words.append(
                self.env._(
                    "%(status)s at Viva",
                    status=dict(self._fields["status"]._description_selection(self.env))[
                        self.status
                    ],
                )
            )
        else:
            words.append(self.env._("Status at Viva not read yet"))
        if self.busy_transaction_id:
            words.append(self.env._("busy with %s", self.busy_transaction_id.name))
        if self.last_success_at:
            words.append(self.env._("last success %s", when(self.last_success_at)))
        else:
            words.append(self.env._("no successful payment yet"))
        if self.last_failure_at:
            words.append(self.env._("last failure %s", when(self.last_failure_at)))
        return " · ".join(words)

    def _known_color(self):
        """Odoo's kanban colours: 1 red, 3 yellow, 10 green, 0 none."""
        if self.status and self.status != "1":
            return 1
        if self.busy_transaction_id:
            return 3
        return 10 if self.last_success_at else 0

    # -- rules -----------------------------------------------------------------------------------

    @api.constrains("viva_id")
    def _check_viva_id(self):
        for terminal in self:
            if (
                not terminal.viva_id.isalnum()
                or not terminal.viva_id.isascii()
                or len(terminal.viva_id) > 32
            ):
                raise ValidationError(
                    self.env._(
                        "A Terminal ID consists of digits, e.g. 16000010. Not accepted: %s",
                        terminal.viva_id,
                    )
                )

    @api.constrains("model_id", "protocol", "protocol_override")
    def _check_protocol(self):
        for terminal in self.sudo():
            spoken = terminal.model_id._protocols()
            if terminal.protocol not in dict(spoken) and not terminal.protocol_override:
                raise ValidationError(
                    self.env._(
                        "%(model)s does not speak %(protocol)s. It speaks: %(spoken)s. If Viva says otherwise, "
                        'an administrator may tick "Use this protocol anyway".',
                        model=terminal.model_id.display_name,
                        protocol=dict(PROTOCOLS)[terminal.protocol],
                        spoken=", ".join(label for _code, label in spoken),
                    )
                )

    @api.constrains("gateway_id", "account_id", "protocol", "lan_host", "lan_port")
    def _check_address(self):
        for terminal in self.sudo():
            gateway = terminal.gateway_id
            if gateway and gateway.company_id != terminal.account_id.company_id:
                raise ValidationError(
                    self.env._(
                        "Gateway %(gateway)s belongs to another company than terminal %(terminal)s.",
                        gateway=gateway.name,
                        terminal=terminal.display_name,
                    )
                )
            if terminal.lan_host and not terminal._is_in_shop(terminal.lan_host):
                raise ValidationError(
                    self.env._(
                        "%s is not the address of a device in the shop's own network. Enter the IP address that the "
                        "terminal shows, e.g. 192.168.1.20, without http:// and without the port.",
                        terminal.lan_host,
                    )
                )
            if terminal.protocol not in LAN:
                continue
            if not gateway or not terminal.lan_host:
                raise ValidationError(
                    self.env._(
                        "Terminal %s is reached through the shop's network: choose the gateway, and enter the IP address "
                        "and the port that the terminal shows.",
                        terminal.display_name,
                    )
                )
            if not 1 <= terminal.lan_port <= 65535:
                raise ValidationError(
                    self.env._(
                        "The port of terminal %s is a number from 1 to 65535: the terminal shows it beside its IP "
                        "address.",
                        terminal.display_name,
                    )
                )

    def _is_in_shop(self, host):
        """Whether a host can only be a device in the shop. The simulator's account may use this very machine."""
        is_pretended = self.account_id.environment == "custom"
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            if host == "localhost":
                return is_pretended
            return bool(_BARE_NAME.fullmatch(host))
        if address.is_loopback:
            return is_pretended
        return any(address in network for network in _SHOP)

    @api.constrains("certificate_fingerprint")
    def _check_fingerprint(self):
        for terminal in self.sudo():
            fingerprint = terminal.certificate_fingerprint
            if fingerprint and not _FINGERPRINT.fullmatch(fingerprint):
                raise ValidationError(
                    self.env._(
                        "The fingerprint of a certificate (SHA-256) has 64 digits from 0 to 9 and a to f."
                    )
                )

    @staticmethod
    def _tidy(vals):
        """People paste with blanks around, and fingerprints with colons."""
        if vals.get("viva_id"):
            vals["viva_id"] = str(vals["viva_id"]).strip()
        if vals.get("lan_host"):
            vals["lan_host"] = str(vals["lan_host"]).strip().strip("[]").lower() or False
        if vals.get("certificate_fingerprint"):
            bare = re.sub(r"[\s:]", "", str(vals["certificate_fingerprint"]))
            vals["certificate_fingerprint"] = bare.lower()

    @api.onchange("model_id")
    def _onchange_model(self):
        spoken = [code for code, _label in self.model_id._protocols()] if self.model_id else []
        if spoken and self.protocol not in spoken:
            self.protocol = spoken[0]
            self._onchange_protocol()

    @api.onchange("protocol")
    def _onchange_protocol(self):
        if self.protocol == "tcp" and not self.lan_port:
            self.lan_port = 8080  # as these terminals leave the factory

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._tidy(vals)
        terminals = super().create(vals_list)
        terminals.sudo().gateway_id._hint()
        return terminals

    def write(self, vals):
        self._tidy(vals)
        is_moved = bool(ADDRESS & vals.keys())
        if is_moved or vals.get("active") is False:
            self._refuse_while_unsettled()
        gateways = self.sudo().gateway_id
        if {"gateway_id", "lan_scheme", "lan_host", "lan_port"} & vals.keys():
            # Whatever was seen was seen elsewhere.
            self.env["viva.gateway.sight"].sudo().search([("terminal_id", "in", self.ids)]).unlink()
        result = super().write(vals)
        if is_moved:
            (gateways | self.sudo().gateway_id)._hint()
        return result

    def _refuse_while_unsettled(self):
        unsettled = (
            self.env["viva.transaction"]
            .sudo()
            .search([("terminal_id", "in", self.ids), ("is_unsettled", "=", True)])
        )
        if unsettled:
            raise UserError(
                self.env._(
                    "Card payments on this terminal are still open: %s. Wait until they are settled, or press "
                    "Check with Viva on each of them, and try again.",
                    ", ".join(unsettled.mapped("name")),
                )
            )

    @api.ondelete(at_uninstall=False)
    def _unlink_without_transactions(self):
        if (
            self.env["viva.transaction"]
            .sudo()
            .search_count([("terminal_id", "in", self.ids)], limit=1)
        ):
            raise UserError(
                self.env._(
                    "This terminal has card payments in its ledger and cannot be deleted. Archive it instead."
                )
            )

    # -- use -------------------------------------------------------------------------------------

    def _refusal(self):
        """Why this terminal must not be used now, as a sentence for the cashier, or an empty string."""
        self.ensure_one()
        if not self.active:
            return self.env._("Terminal %s is archived. Choose another one.", self.display_name)
        if self.status and self.status != "1":
            label = dict(self._fields["status"]._description_selection(self.env))[self.status]
            return self.env._(
                'Viva lists terminal %(terminal)s as "%(status)s". Choose another one.',
                terminal=self.display_name,
                status=label,
            )
        return self.account_id._refusal()

    def _gateway_refusal(self):
        """Why the gateway cannot use this terminal now, as a sentence for the cashier, or an empty string."""
        self.ensure_one()
        terminal = self.sudo()
        gateway, name = terminal.gateway_id, self.display_name
        if not (gateway and terminal.lan_host and terminal.lan_port):
            return self.env._(
                "Terminal %s has no address in the shop's network yet. Ask an administrator.", name
            )
        if not gateway.active or gateway.state != "paired":
            return self.env._(
                "Gateway %s is not paired with Odoo. Ask an administrator.", gateway.name
            )
        if not gateway.is_connected:
            return self.env._(
                "Gateway %(gateway)s is not connected, so terminal %(terminal)s cannot be reached. Nothing was charged. "
                "Check whether that computer is switched on and online.",
                gateway=gateway.name,
                terminal=name,
            )
        sight = self._sights().get(self.id, self.env["viva.gateway.sight"].sudo())
        if sight.tid and sight.tid != terminal.viva_id:
            return self.env._(
                "Another terminal (%(other)s) has answered at the address of terminal %(terminal)s. Nothing was charged. "
                "An administrator has to correct the address, or to press Look again on the terminal's form.",
                other=sight.tid,
                terminal=name,
            )
        if terminal._misses_certificate():
            return self.env._(
                "The certificate of terminal %s is not confirmed yet. Ask an administrator.", name
            )
        if terminal._certificate_differs(sight):
            return self.env._(
                "Another certificate than the confirmed one answers at the address of terminal %s. Nothing was charged. "
                "Ask an administrator.",
                name,
            )
        return ""

    def action_confirm_certificate(self):
        """What answers at the address now is this terminal: nothing is sent to any other device from now on."""
        self.ensure_one()
        self.account_id._require_admin()
        if not self.certificate_seen:
            raise UserError(
                self.env._(
                    "The gateway has not seen a certificate of this terminal yet. Is the terminal switched on?"
                )
            )
        self.certificate_fingerprint = self.certificate_seen
        return True

    def action_look_again(self):
        """Forget what the gateway has seen at the address: the right device stands there again."""
        self.ensure_one()
        self.account_id._require_admin()
        self.env["viva.gateway.sight"].sudo().search([("terminal_id", "=", self.id)]).unlink()
        self.lan_look += 1
        self.sudo().gateway_id._hint()
        return True

    def _for_gateway(self):
        """What the gateway has to know of this terminal."""
        self.ensure_one()
        is_https = self.protocol == "local" and self.lan_scheme == "https"
        return {
            "viva_id": self.viva_id,
            "protocol": self.protocol,
            "host": self.lan_host,
            "port": self.lan_port,
            "scheme": self.lan_scheme,
            "fingerprint": (is_https and self.certificate_fingerprint) or "",
            "ready_mode": self.ready_mode,
            "cancel_layout": self.cancel_layout,
            "capture_link": self.capture_link,
            "platform": self.platform,
            "look": self.lan_look,
            "loopback": self.account_id.environment == "custom",
        }

    @api.model
    def _interlock(self, terminal_id):
        """The first success interlocks the terminal. In a database transaction of its own: two tills may succeed."""

        def mark(env):
            env.cr.execute(
                "UPDATE viva_terminal SET interlocked_since = (now() AT TIME ZONE 'UTC') "
                "WHERE id = %s AND interlocked_since IS NULL",
                (terminal_id,),
            )

        in_ledger(self.env, mark)

    def action_view_transactions(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "viva_payments.action_viva_transaction"
        )
        return {**action, "domain": [("terminal_id", "=", self.id)]}

    def action_refresh_status(self):
        """Read the status of these terminals at Viva."""
        for account, terminals in self.grouped("account_id").items():
            account._require_admin()
            terminals._learn(account._devices())
        return True

    def _learn(self, devices):
        """Keep what Viva's list says about these terminals; one that is not in it has no status."""
        listed = {device.terminal_id: device for device in devices}
        for terminal in self:
            device = listed.get(terminal.viva_id)
            known = device and device.status_id is not None and 0 <= device.status_id <= 7
            terminal.write(
                {
                    "status": str(device.status_id) if known else False,
                    "status_at": fields.Datetime.now(),
                    "store": (device and device.source_code) or terminal.store,
                }
            )

    # -- what the till loads ---------------------------------------------------------------------

    @api.model
    def _load_pos_data_domain(self, data, config):
        return [("id", "in", config.payment_method_ids.viva_terminal_ids.ids)]

    @api.model
    def _load_pos_data_fields(self, config):
        return ["id", "name", "viva_id", "display_name", "viva_demo"]
