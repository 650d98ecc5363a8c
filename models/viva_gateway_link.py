"""What only the machine knows about a gateway: keys, sequence, codes, what was heard. No user may read any of it."""

import hashlib
from datetime import timedelta

from odoo import api, fields, models

CODE_MINUTES = 10
TRIES = 5
# Pairings that failed within so many minutes: of one address, of all.
WINDOW_MINUTES = 10
FAILURES, FAILURES_OF_ALL = 10, 100
KEEP_REPORTS_DAYS = 30


class VivaGatewayLink(models.Model):
    """The line to one paired gateway. A narrow row: each call of the gateway writes it."""

    _name = "viva.gateway.link"
    _description = "Viva Gateway Link"

    gateway_id = fields.Many2one("viva.gateway", required=True, ondelete="cascade")
    uid = fields.Char(required=True)
    public_key = fields.Char(required=True, help="Of the gateway.")
    private_key = fields.Char(required=True, help="Ours.")
    channel = fields.Char(required=True, help="Of Odoo's bus: hints without content.")
    database_uuid = fields.Char(required=True)
    sequence = fields.Integer(required=True, default=0, help="Of the last call.")
    digest = fields.Char(help="Of the body of the last call: the same call again is no other one.")
    journal_reports = fields.Integer(required=True, default=0, help="Reports ever made.")
    journal_commands = fields.Integer(required=True, default=0, help="Commands ever written down.")
    seen_at = fields.Datetime()
    paired_at = fields.Datetime("Paired at", required=True)
    is_revoked = fields.Boolean(required=True, default=False)
    version = fields.Char()
    instance = fields.Char(help="Of the running program: another one after each start.")
    conflict_at = fields.Datetime(help="When another copy of it, or an old one, called last.")
    host = fields.Char()
    scan_number = fields.Integer(required=True, default=0)
    scan_asked_at = fields.Datetime()
    scan_done_at = fields.Datetime()
    scan_found = fields.Json()

    _gateway_unique = models.Constraint("unique (gateway_id)", "A gateway has one link.")
    _uid_unique = models.Constraint("unique (uid)", "A gateway is paired once.")


class VivaGatewayPairing(models.Model):
    """A code that waits for its gateway. Of its secret only the derived key is kept."""

    _name = "viva.gateway.pairing"
    _description = "Viva Gateway Pairing Code"

    gateway_id = fields.Many2one("viva.gateway", required=True, ondelete="cascade")
    code_id = fields.Char(required=True)
    key = fields.Char(required=True)
    expires_at = fields.Datetime(required=True)
    tries = fields.Integer(required=True, default=0)

    _gateway_unique = models.Constraint("unique (gateway_id)", "A gateway has one code.")
    _code_unique = models.Constraint("unique (code_id)", "A code names one gateway.")


class VivaGatewayAttempt(models.Model):
    """Pairings that failed lately, to slow down who guesses."""

    _name = "viva.gateway.attempt"
    _description = "Viva Gateway Pairing Attempt"

    address = fields.Char(required=True)
    at = fields.Datetime(required=True, index=True)

    @api.model
    def _key(self, address):
        """Enough to tell addresses apart."""
        salt = self.env["viva.account"]._current_database()
        return hashlib.sha256(f"{salt} {address}".encode()).hexdigest()[:16]

    @api.model
    def _too_many(self, address):
        since = fields.Datetime.now() - timedelta(minutes=WINDOW_MINUTES)
        self.env.cr.execute(
            "SELECT count(*) FILTER (WHERE address = %s), count(*) FROM viva_gateway_attempt WHERE at > %s",
            (self._key(address), since),
        )
        own, of_all = self.env.cr.fetchone()
        return own >= FAILURES or of_all >= FAILURES_OF_ALL

    @api.model
    def _count(self, address):
        now = fields.Datetime.now()
        self.search([("at", "<", now - timedelta(minutes=WINDOW_MINUTES))]).unlink()
        self.create({"address": self._key(address), "at": now})


class VivaGatewaySight(models.Model):
    """What a gateway has told about one of its terminals. Written when it changes."""

    _name = "viva.gateway.sight"
    _description = "Viva Terminal as a Gateway sees it"

    gateway_id = fields.Many2one("viva.gateway", required=True, ondelete="cascade", index=True)
    terminal_id = fields.Many2one("viva.terminal", required=True, ondelete="cascade")
    reached = fields.Selection([("yes", "Reached"), ("no", "Not reached")])
    words = fields.Char()
    tid = fields.Char()
    fingerprint = fields.Char()
    changed_at = fields.Datetime(required=True)

    _terminal_unique = models.Constraint(
        "unique (terminal_id)", "A terminal is seen by one gateway."
    )


class VivaGatewayReport(models.Model):
    """The numbers of reports that were taken, each once."""

    _name = "viva.gateway.report"
    _description = "Viva Gateway Report"

    uid = fields.Char(required=True)
    number = fields.Integer(required=True)
    digest = fields.Char(required=True)
    at = fields.Datetime(required=True, index=True)

    _number_unique = models.Constraint("unique (uid, number)", "A report is taken once.")

    @api.model
    def _taken_as(self, uid, number):
        """The digest of what was taken under that number, or False."""
        return self.search([("uid", "=", uid), ("number", "=", number)]).digest

    @api.model
    def _take(self, uid, number, digest):
        self.env.cr.execute(
            "INSERT INTO viva_gateway_report (uid, number, digest, at) "
            "VALUES (%s, %s, %s, now() AT TIME ZONE 'UTC') "
            "ON CONFLICT (uid, number) DO UPDATE SET digest = EXCLUDED.digest",
            (uid, number, digest),
            log_exceptions=False,
        )

    @api.autovacuum
    def _prune(self):
        limit = fields.Datetime.now() - timedelta(days=KEEP_REPORTS_DAYS)
        self.search([("at", "<", limit)], limit=10000).unlink()
        self.env["viva.gateway.pairing"].search(
            [("expires_at", "<", fields.Datetime.now() - timedelta(days=1))]
        ).unlink()
        self.env["viva.gateway.attempt"].search(
            [("at", "<", fields.Datetime.now() - timedelta(minutes=WINDOW_MINUTES))]
        ).unlink()
