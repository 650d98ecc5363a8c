import hashlib
import ipaddress
import secrets
import uuid
from datetime import timedelta
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.http import request

from ..drivers import (
    DEMO,
    LIVE,
    CloudDriver,
    CredentialsError,
    Endpoints,
    PermissionDenied,
    RequestsTransport,
    TokenSource,
    TransactionsApi,
    VivaError,
    app,
)
from .ledger import own_cursor

# One pool of connections for a whole worker process; it holds no secret.
_TRANSPORT = RequestsTransport()

WEBHOOK_OVERLAP_HOURS = 48
WEBHOOK_QUIET_DAYS = 3
# What has to be ticked in Viva's portal, one entry each (viva/webhooks.md, section 4).
WEBHOOK_EVENTS = (
    (1796, "Transaction Payment Created"),
    (1797, "Transaction Reversal Created"),
    (1798, "Transaction Failed"),
    (1802, "Transaction POS ECR Session Created"),
    (1803, "Transaction POS ECR Session Failed"),
)
ADMIN = "viva_payments.group_viva_admin"
SECRETS = ("client_secret", "api_key")
# What decides which merchant's money moves: not to be changed under an open payment.
KEYS = {
    "environment",
    "accounts_url",
    "api_url",
    "www_url",
    "client_id",
    "client_secret",
    "merchant_id",
    "api_key",
    "company_id",
}


def _new_path():
    return secrets.token_urlsafe(32)


class VivaAccount(models.Model):
    """A merchant account at Viva: its credentials, its environment, its webhook address."""

    _name = "viva.account"
    _description = "Viva Account"
    _inherit = ["mail.thread"]
    _order = "name"

    name = fields.Char(required=True)
    active = fields.Boolean(default=True, tracking=True)
    company_id = fields.Many2one(
        "res.company", required=True, default=lambda self: self.env.company, tracking=True
    )
    environment = fields.Selection(
        [("demo", "Demo – no money moves"), ("live", "Live"), ("custom", "Custom addresses")],
        required=True,
        default="demo",
        tracking=True,
    )
    accounts_url = fields.Char(
        "Accounts address", groups=ADMIN, help="Base address that issues access tokens."
    )
    api_url = fields.Char(
        "API address", groups=ADMIN, help="Base address of the Cloud Terminal API."
    )
    www_url = fields.Char(
        "Web address", groups=ADMIN, help="Base address of the merchant portal and its API."
    )
    client_id = fields.Char("Client ID", groups=ADMIN, copy=False)
    client_secret = fields.Char(groups=ADMIN, copy=False)
    merchant_id = fields.Char("Merchant ID", groups=ADMIN, copy=False)
    api_key = fields.Char("API Key", groups=ADMIN, copy=False)
    responsible_id = fields.Many2one(
        "res.users",
        string="Told about doubtful payments",
        default=lambda self: self.env.user,
        required=True,
        help="Gets a task when a payment stays unknown or Viva contradicts what was booked.",
    )
    hold_days = fields.Integer(
        "A hold lapses after (days)",
        default=5,
        required=True,
        help="The card's bank decides and tells nobody: 1 to 5 days with a debit card, up to 30 with a credit card.",
    )
    release_by = fields.Selection(
        [("terminal", "A refund on the terminal"), ("api", "Viva's transactions API")],
        "A hold is released by",
        default="terminal",
        required=True,
        help="Viva does not document which way works for an account: try both, keep the one that does.",
    )
    currency_id = fields.Many2one(
        "res.currency",
        compute="_compute_currency_id",
        store=True,
        readonly=False,
        precompute=True,
        required=True,
        help="Of the account at Viva: a terminal over TCP/IP and the app take no other currency.",
    )
    terminal_ids = fields.One2many("viva.terminal", "account_id", string="Terminals")
    terminal_count = fields.Integer(compute="_compute_terminal_count")

    webhook_path = fields.Char(
        groups=ADMIN, copy=False, default=lambda self: _new_path(), readonly=True
    )
    webhook_path_previous = fields.Char(groups=ADMIN, copy=False, readonly=True)
    webhook_path_previous_until = fields.Datetime(groups=ADMIN, copy=False, readonly=True)
    webhook_url = fields.Char(compute="_compute_webhook_url", groups=ADMIN)
    webhook_key = fields.Char(groups=ADMIN, copy=False, readonly=True)
    webhook_verified_at = fields.Datetime(copy=False, readonly=True)
    webhook_last_event_at = fields.Datetime(compute="_compute_webhook_last_event_at")
    webhook_state = fields.Char(string="Webhook", compute="_compute_webhook_state")
    webhook_level = fields.Selection(
        [("waiting", "Not verified"), ("quiet", "Quiet"), ("working", "Working")],
        string="Webhook Status",
        compute="_compute_webhook_state",
    )

    check_state = fields.Selection(
        [
            ("unchecked", "Not checked yet"),
            ("ok", "Connected"),
            ("credentials", "Wrong credentials"),
            ("permission", "Permission missing"),
            ("network", "No contact"),
        ],
        default="unchecked",
        readonly=True,
        copy=False,
        required=True,
    )
    check_message = fields.Char(readonly=True, copy=False)
    checked_at = fields.Datetime(readonly=True, copy=False)
    database_uuid = fields.Char(
        groups=ADMIN,
        copy=False,
        readonly=True,
        default=lambda self: self._current_database(),
        help="The database that may charge with this account. A copy has to be confirmed first.",
    )
    is_foreign_database = fields.Boolean(compute="_compute_is_foreign_database")
    is_demo = fields.Boolean(compute="_compute_is_demo", string="No money moves")

    _webhook_path_unique = models.UniqueIndex("(webhook_path)")

    # -- what it shows ---------------------------------------------------------------------------

    @api.model
    def _current_database(self):
        return self.env["ir.config_parameter"].sudo().get_param("database.uuid")

    @api.depends("company_id")
    def _compute_currency_id(self):
        for account in self:
            account.currency_id = account.company_id.currency_id or self.env.company.currency_id

    @api.depends("environment")
    def _compute_is_demo(self):
        for account in self:
            account.is_demo = account.environment != "live"

    def _compute_is_foreign_database(self):
        current = self._current_database()
        for account in self:
            account.is_foreign_database = account.sudo().database_uuid != current

    def _compute_terminal_count(self):
        counts = dict(
            self.env["viva.terminal"]._read_group(
                [("account_id", "in", self.ids)], ["account_id"], ["__count"]
            )
        )
        for account in self:
            account.terminal_count = counts.get(account, 0)

    @api.depends("webhook_path")
    def _compute_webhook_url(self):
        for account in self:
            path = account.webhook_path
            account.webhook_url = f"{account.get_base_url()}/viva/webhook/{path}" if path else False

    def _compute_webhook_last_event_at(self):
        groups = (
            self.env["viva.event"]
            .sudo()
            ._read_group([("account_id", "in", self.ids)], ["account_id"], ["received_at:max"])
        )
        latest = dict(groups)
        for account in self:
            account.webhook_last_event_at = latest.get(account)

    @api.depends("webhook_verified_at", "environment")
    def _compute_webhook_state(self):
        quiet_since = fields.Datetime.now() - timedelta(days=WEBHOOK_QUIET_DAYS)
        for account in self:
            account.webhook_level = "quiet"
            if not account.webhook_verified_at:
                account.webhook_level = "waiting"
                state = self.env._(
                    "Not verified by Viva yet: payments work, but the till learns of them by asking."
                )
                if account.environment != "custom" and not account.get_base_url().startswith(
                    "https://"
                ):
                    state = self.env._(
                        "Viva reaches only addresses that begin with https:// and are open to the internet. Payments "
                        "work without the webhook: the till learns of them by asking."
                    )
            elif not account.webhook_last_event_at:
                state = self.env._("Verified. No event has arrived yet.")
            elif account.webhook_last_event_at < quiet_since:
                state = self.env._(
                    "No event for %s days. Is the webhook still active in Viva's portal?",
                    WEBHOOK_QUIET_DAYS,
                )
            else:
                account.webhook_level = "working"
                state = self.env._("Verified, events arrive.")
            account.webhook_state = state

    # -- rules -----------------------------------------------------------------------------------

    @api.constrains("environment", "accounts_url", "api_url", "www_url")
    def _check_addresses(self):
        for account in self.sudo():
            if account.environment != "custom":
                continue
            for url in (account.accounts_url, account.api_url, account.www_url):
                if not self._is_acceptable_address(url):
                    raise ValidationError(
                        self.env._(
                            "A custom environment needs three addresses that begin with https:// "
                            "(http:// only for this very machine), without a path. Not accepted: %s",
                            url or self.env._("(empty)"),
                        )
                    )

    @staticmethod
    def _is_acceptable_address(url):
        try:
            parts = urlsplit(url or "")
            port = parts.port
        except ValueError:
            return False
        if (
            not parts.hostname
            or port == 0
            or parts.username
            or parts.query
            or parts.fragment
            or parts.path.strip("/")
        ):
            return False
        if parts.scheme == "https":
            return True
        if parts.scheme != "http":
            return False
        if parts.hostname == "localhost":
            return True
        try:
            return ipaddress.ip_address(parts.hostname).is_loopback
        except ValueError:
            return False

    @api.constrains("hold_days")
    def _check_hold_days(self):
        for account in self:
            if not 1 <= account.hold_days <= 60:
                raise ValidationError(self.env._("A hold lapses after 1 to 60 days."))

    @api.constrains("merchant_id")
    def _check_merchant_id(self):
        for account in self.sudo():
            try:
                account.merchant_id and uuid.UUID(account.merchant_id)
            except ValueError as error:
                raise ValidationError(
                    self.env._(
                        "The Merchant ID looks like 11111111-2222-3333-4444-555555555555. Copy it again."
                    )
                ) from error

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._tidy(vals)
        accounts = super().create(vals_list)
        self.env["viva.connection"].sudo().create(
            [{"account_id": account.id} for account in accounts]
        )
        return accounts

    def write(self, vals):
        self._tidy(vals)
        changed = KEYS & vals.keys()
        if changed or vals.get("active") is False:
            self._refuse_while_unsettled()
        if changed:
            vals = {**vals, "check_state": "unchecked", "check_message": False}
            if {"merchant_id", "api_key", "environment"} & changed:
                vals["webhook_key"] = False
        result = super().write(vals)
        if changed:
            connections = self.env["viva.connection"].sudo()
            connections.search([("account_id", "in", self.ids)]).write(
                {"access_token": False, "expires_at": 0, "failures": 0, "silent_until": False}
            )
            self.terminal_ids._compute_environment_key()
        return result

    @staticmethod
    def _tidy(vals):
        """People paste credentials with blanks around them and addresses with a slash at the end."""
        for name in ("client_id", "client_secret", "merchant_id", "api_key"):
            if vals.get(name):
                vals[name] = vals[name].strip()
        for name in ("accounts_url", "api_url", "www_url"):
            if vals.get(name):
                vals[name] = vals[name].strip().rstrip("/")

    def _refuse_while_unsettled(self):
        unsettled = (
            self.env["viva.transaction"]
            .sudo()
            .search([("account_id", "in", self.ids), ("is_unsettled", "=", True)])
        )
        if unsettled:
            raise UserError(
                self.env._(
                    "Card payments of this account are still open: %s. Wait until they are settled, or press "
                    "Check with Viva on each of them, and try again.",
                    ", ".join(unsettled.mapped("name")),
                )
            )

    @api.ondelete(at_uninstall=False)
    def _unlink_without_transactions(self):
        if (
            self.env["viva.transaction"]
            .sudo()
            .search_count([("account_id", "in", self.ids)], limit=1)
        ):
            raise UserError(
                self.env._(
                    "This account has card payments in its ledger and cannot be deleted. Archive it instead."
                )
            )

    # -- the way to Viva -------------------------------------------------------------------------

    def _endpoints(self):
        account = self.sudo()
        if account.environment == "live":
            return LIVE
        if account.environment == "demo":
            return DEMO
        return Endpoints(accounts=account.accounts_url, api=account.api_url, www=account.www_url)

    def _environment_key(self):
        """Where a terminal id is unique: one Viva environment."""
        self.ensure_one()
        account = self.sudo()
        if account.environment != "custom":
            return account.environment
        # Cashiers see this key, but not the address itself.
        return f"custom {hashlib.sha256((account.api_url or '').encode()).hexdigest()[:12]}"

    def _transport(self):
        return _TRANSPORT

    def _driver(self, connection=None, **options):
        """The driver of this account's cloud. It keeps no environment: use it with all cursors closed.

        :param connection: the account's `ConnectionStore`, if the caller has it
        :param options: keyword arguments of `CloudDriver`
        """
        self.ensure_one()
        account = self.sudo()
        transport, endpoints = self._transport(), self._endpoints()
        tokens = TokenSource(
            transport,
            endpoints.accounts,
            account.client_id or "",
            account.client_secret or "",
            connection or self._connection(),
        )
        return CloudDriver(transport, endpoints, tokens, **options)

    def _transactions_api(self, **options):
        """Viva's transactions API with this account's keys, for use with all cursors closed.

        :param options: keyword arguments of `TransactionsApi`
        """
        self.ensure_one()
        account = self.sudo()
        return TransactionsApi(
            self._transport(),
            self._endpoints(),
            account.merchant_id or "",
            account.api_key or "",
            **options,
        )

    def _has_api_keys(self):
        account = self.sudo()
        return bool(account.merchant_id and account.api_key)

    def _app_base(self):
        """The address of this server to which the app on a till's device returns; empty: it has none.

        As the till itself has reached it, so that the person is logged in there; else the configured one.
        """
        self.ensure_one()
        origin = request.httprequest.host_url.rstrip("/") if request else ""
        for base in filter(None, (origin, self.get_base_url())):
            is_safe = base.startswith("https://") or self.environment == "custom"
            if is_safe and self._can_return_to(base):
                return base
        return ""

    @staticmethod
    def _can_return_to(base):
        """Whether the app takes an address below this one: https, or this very machine."""
        try:
            return bool(app.abort_uri(f"{base}/viva/app"))
        except ValueError:
            return False

    def _connection(self):
        return self.env["viva.connection"]._store(self)

    def _refusal(self):
        """Why this account must not charge now, as a sentence for the cashier, or an empty string."""
        self.ensure_one()
        account = self.sudo()
        if not account.active:
            return self.env._(
                "The Viva account of this terminal is archived. Ask an administrator."
            )
        if account.is_foreign_database:
            return self.env._(
                "This is a copy of the database to which the Viva account belongs. "
                "An administrator has to confirm the account before it may charge cards."
            )
        if not (account.client_id and account.client_secret):
            return self.env._("The Viva account has no credentials yet. Ask an administrator.")
        return ""

    # -- buttons ---------------------------------------------------------------------------------

    def action_check(self):
        """Try the credentials, and say which of credentials, permission or network is wrong."""
        self._require_admin()
        for account in self:
            account._check_connection()
        return True

    def _check_connection(self):
        account = self.sudo()
        state, message, devices = "ok", "", None
        webhook_key = account.webhook_key
        what = self.env._("Client ID and Client Secret")
        try:
            driver = self._driver()
            self._connection().save(None)
            devices = driver.devices()
            message = self.env._("%s terminals are visible.", len(devices))
            if account.merchant_id and account.api_key:
                what = self.env._("Merchant ID and API Key")
                webhook_key = driver.webhook_key(account.merchant_id, account.api_key)
            else:
                message += " " + self.env._(
                    "Enter Merchant ID and API Key as well to receive webhooks."
                )
        except CredentialsError:
            state = "credentials"
            message = self.env._(
                "Viva refuses %s. Copy them again, and check that demo credentials are used with the demo "
                "environment and live ones with the live environment.",
                what,
            )
        except PermissionDenied as error:
            state = "permission"
            message = self.env._(
                "Viva knows the credentials but does not allow this (%(status)s): %(detail)s",
                status=error.status,
                detail=error.detail,
            )
        except VivaError as error:
            state = "network"
            message = self.env._(
                "Viva could not be reached: %s. Check the internet connection and try again.", error
            )
        # Rows of ours are written only now, after the calls.
        account.write(
            {
                "check_state": state,
                "check_message": message,
                "checked_at": fields.Datetime.now(),
                "webhook_key": webhook_key,
            }
        )
        if devices is not None:
            account.terminal_ids._learn(devices)
        return state == "ok"

    def _devices(self):
        """The terminals that Viva lists for this account, or a UserError that says what to do."""
        self.ensure_one()
        try:
            return self._driver().devices()
        except VivaError as error:
            raise UserError(
                self.env._(
                    "Viva could not list the terminals: %s. Press Check on the account to see why.",
                    error,
                )
            ) from error

    def action_find_terminals(self):
        """Open the dialog that lists the terminals that Viva knows."""
        self.ensure_one()
        self._require_admin()
        return self.env["viva.find.terminals"]._open(self)

    def action_rotate_webhook(self):
        """A new webhook address; the old one goes on working for 48 hours."""
        self._require_admin()
        for account in self:
            account.write(
                {
                    "webhook_path_previous": account.webhook_path,
                    "webhook_path_previous_until": fields.Datetime.now()
                    + timedelta(hours=WEBHOOK_OVERLAP_HOURS),
                    "webhook_path": _new_path(),
                    "webhook_verified_at": False,
                }
            )
        return True

    def action_confirm_database(self):
        """This database, a copy or a move, may charge with the account from now on."""
        self._require_admin()
        self.write({"database_uuid": self._current_database()})
        for account in self.filtered(lambda account: not account.webhook_path):
            account.webhook_path = _new_path()
        return True

    def action_view_transactions(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "viva_payments.action_viva_transaction"
        )
        return {**action, "domain": [("account_id", "=", self.id)]}

    def action_create_payment_method(self):
        """A payment method for the Point of Sale with all terminals of this account."""
        self.ensure_one()
        self._require_admin()
        method = self.env["pos.payment.method"]._viva_create(self)
        return {
            "type": "ir.actions.act_window",
            "res_model": "pos.payment.method",
            "res_id": method.id,
            "views": [(False, "form")],
        }

    def _require_admin(self):
        if not self.env.user.has_group(ADMIN):
            raise AccessError(self.env._("Only a Viva administrator may do this."))
        self.check_access("write")

    # -- webhook ---------------------------------------------------------------------------------

    @api.model
    def _by_webhook_path(self, path):
        """The account behind a webhook address (current or not longer than 48 hours retired), or none."""
        # Of an archived account too: money may still be given back.
        accounts = self.sudo().with_context(active_test=False)
        if not path or len(path) > 64 or not path.isprintable():
            return accounts.browse()
        needed = ["company_id", "merchant_id"]
        return accounts.search_fetch(
            [("webhook_path", "=", path)], needed
        ) or accounts.search_fetch(
            [
                ("webhook_path_previous", "=", path),
                ("webhook_path_previous_until", ">", fields.Datetime.now()),
            ],
            needed,
            limit=1,
        )

    def _webhook_verified(self):
        """Somebody who knows the address asked for the key: Viva's Verify button."""
        now = fields.Datetime.now()
        if not self.webhook_verified_at or self.webhook_verified_at < now - timedelta(minutes=1):
            with own_cursor(self.env) as env:
                env["viva.account"].browse(self.id).webhook_verified_at = now
