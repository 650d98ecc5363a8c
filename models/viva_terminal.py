from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import format_datetime

from .ledger import in_ledger
from .viva_terminal_model import PROTOCOLS

# Protocols with a driver. The others of the matrix join as their drivers are written.
DRIVEN = ("cloud",)

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
    store = fields.Char("Store (source code)")
    status = fields.Selection(STATUSES, string="Status at Viva", readonly=True, copy=False)
    status_at = fields.Datetime("Status read at", readonly=True, copy=False)
    interlocked_since = fields.Datetime(readonly=True, copy=False)
    interlock = fields.Char(compute="_compute_interlock")
    environment_key = fields.Char(compute="_compute_environment_key", store=True)
    viva_demo = fields.Boolean(compute="_compute_viva_demo", string="Demo")
    transaction_ids = fields.One2many("viva.transaction", "terminal_id")
    busy_transaction_id = fields.Many2one(
        "viva.transaction", compute="_compute_known", string="Busy with"
    )
    last_success_at = fields.Datetime(compute="_compute_known")
    last_failure_at = fields.Datetime(compute="_compute_known")
    known = fields.Char("What is known", compute="_compute_known")
    color = fields.Integer(compute="_compute_known")
    payment_method_ids = fields.Many2many("pos.payment.method", string="Payment Methods")

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
        for terminal in self:
            terminal.busy_transaction_id = busy.get(terminal, transactions)[:1]
            terminal.last_success_at = success.get(terminal.id)
            terminal.last_failure_at = failure.get(terminal.id)
            terminal.known = terminal._known_words()
            terminal.color = terminal._known_color()

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

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            if vals.get("viva_id"):
                vals["viva_id"] = str(vals["viva_id"]).strip()
        return super().create(vals_list)

    def write(self, vals):
        if {"viva_id", "account_id", "protocol"} & vals.keys() or vals.get("active") is False:
            self._refuse_while_unsettled()
        return super().write(vals)

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
