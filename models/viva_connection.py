import logging
from contextlib import contextmanager
from datetime import timedelta

from odoo import api, fields, models

from ..drivers import Token
from .ledger import LOCK_TOKEN, in_ledger, own_cursor

_logger = logging.getLogger(__name__)

# After this many calls in a row without any answer, Viva counts as silent …
SILENT_AFTER = 2
# … for so long (doubling with every further failure), during which nobody is made to wait for it.
SILENT_SECONDS = 5
SILENT_SECONDS_MAX = 60
# Then one caller tries again; the others are not made to wait while it does.
PROBE_SECONDS = 6


class VivaConnection(models.Model):
    """What all workers share about the line to Viva: the access token and whether Viva answers.

    A row of its own, so that renewing a token never waits for (or blocks) a row of an account.
    No user, not even an administrator, may read it: it is reached through `_store` only.
    """

    _name = "viva.connection"
    _description = "Viva Connection"

    account_id = fields.Many2one("viva.account", required=True, ondelete="cascade")
    access_token = fields.Char(copy=False)
    expires_at = fields.Float(copy=False, help="Seconds since 1970.")
    failures = fields.Integer(copy=False, required=True, default=0)
    silent_until = fields.Datetime(copy=False)

    _account_unique = models.Constraint("unique (account_id)", "An account has one connection.")

    @api.model
    def _store(self, account):
        """The token store of one account, usable after the caller's cursor has been closed."""
        return ConnectionStore(self.env, account.id)


class ConnectionStore:
    """`drivers.TokenStore` on PostgreSQL, and the circuit breaker, for one account."""

    def __init__(self, env, account_id):
        self._env = env
        self._account_id = account_id
        self._preloaded = None
        self._row = None
        self.was_silent = True  # for all we know

    def __repr__(self):
        return f"<ConnectionStore account={self._account_id}>"

    def preloaded(self, env):
        """Read the token now, with a cursor that is open anyway: the first `load` needs none."""
        self._row = self._connection(env)
        self._preloaded = self._token(env)
        self.was_silent = self._row.failures > 0
        return self

    def load(self):
        """The cached token, or None."""
        token, self._preloaded = self._preloaded, None
        if token:
            return token
        with own_cursor(self._env) as env:
            return self._token(env)

    def _token(self, env):
        connection = self._connection(env)
        if not connection.access_token:
            return None
        return Token(connection.access_token, connection.expires_at)

    def save(self, token):
        """Cache `token` for all workers; None forgets it."""
        values = {
            "access_token": token.value if token else False,
            "expires_at": token.expires_at if token else 0.0,
        }
        in_ledger(self._env, lambda env: self._connection(env).write(values))

    @contextmanager
    def exclusive(self):
        """Yield True to the one worker that may renew the token, False to all others."""
        with own_cursor(self._env) as env:
            env.cr.execute(
                "SELECT pg_try_advisory_xact_lock(%s, %s)", (LOCK_TOKEN, self._account_id)
            )
            yield env.cr.fetchone()[0]

    def is_silent(self, env=None):
        """Whether Viva left the last calls unanswered, so that nobody should wait for it now.

        :param env: of a cursor that is open anyway and sees what is committed
        """
        if env is None:
            with own_cursor(self._env) as env:
                return self.is_silent(env)
        until = self._connection(env).silent_until
        return bool(until and until > fields.Datetime.now())

    def may_ask(self, env=None):
        """Whether to call Viva now. After a silence one caller tries; for the others it goes on.

        :param env: of the ledger, when the caller has it open anyway
        """

        def claim(env):
            now = fields.Datetime.now()
            connection = self._connection(env)
            if connection.failures < SILENT_AFTER:
                return True
            env.cr.execute(
                "UPDATE viva_connection SET silent_until = %s WHERE id = %s "
                "AND (silent_until IS NULL OR silent_until <= %s) RETURNING id",
                (now + timedelta(seconds=PROBE_SECONDS), connection.id, now),
                log_exceptions=False,
            )
            return bool(env.cr.fetchone())

        return claim(env) if env else in_ledger(self._env, claim)

    def heard(self, env=None):
        """Viva answered (whatever it said).

        :param env: of the ledger, when the caller has it open anyway
        """

        def forget(env):
            env.cr.execute(
                "UPDATE viva_connection SET failures = 0, silent_until = NULL WHERE account_id = %s AND failures > 0",
                (self._account_id,),
                log_exceptions=False,
            )

        if env:
            if self.was_silent:
                forget(env)
        else:
            in_ledger(self._env, forget)

    def unheard(self):
        """Viva did not answer."""

        def count(env):
            connection = self._connection(env)
            env.cr.execute(
                "UPDATE viva_connection SET failures = failures + 1 WHERE id = %s RETURNING failures",
                (connection.id,),
                log_exceptions=False,
            )
            failures = env.cr.fetchone()[0]
            if failures >= SILENT_AFTER:
                seconds = min(SILENT_SECONDS * 2 ** (failures - SILENT_AFTER), SILENT_SECONDS_MAX)
                env.cr.execute(
                    "UPDATE viva_connection SET silent_until = %s WHERE id = %s",
                    (fields.Datetime.now() + timedelta(seconds=seconds), connection.id),
                )
                _logger.warning("viva: no answer %s times, not asking for %s s", failures, seconds)

        in_ledger(self._env, count)

    def _connection(self, env):
        if self._row is not None and self._row.env.cr is env.cr:
            return self._row
        connections = env["viva.connection"]
        found = connections.search_fetch(
            [("account_id", "=", self._account_id)],
            ["access_token", "expires_at", "failures", "silent_until"],
        )
        return found or connections.create({"account_id": self._account_id})
