"""The only door to the ledger: who writes a transaction, and in which database transaction.

`design.md`, "One way through": recording, sending and settling are short database transactions with
cursors of their own, so that Odoo's automatic repetition of a request can neither undo nor repeat them.
"""

import logging
import random
import time
from contextlib import contextmanager

from psycopg2 import errors

from odoo import api

_logger = logging.getLogger(__name__)

# Identity, not value: a context that arrives over RPC can never contain this very object.
MACHINE = object()
CONTEXT_KEY = "viva_machine"

ATTEMPTS = 5
# The steps are the history: no chatter about each write.
_KEPT = ("lang", "tz", "allowed_company_ids")
_QUIET = {
    "tracking_disable": True,
    "mail_create_nolog": True,
    "mail_create_nosubscribe": True,
}
_CONFLICTS = (errors.SerializationFailure, errors.DeadlockDetected, errors.LockNotAvailable)

# First number of our PostgreSQL advisory locks; the second is a record's id (or id and slot).
LOCK_TOKEN = 0x7669_7601
LOCK_READ = 0x7669_7602
LOCK_SLOT = 0x7669_7603
LOCK_LIST = 0x7669_7604


def is_machine(env):
    """Whether the code that asks is the ledger itself."""
    return env.context.get(CONTEXT_KEY) is MACHINE


@contextmanager
def own_cursor(env):
    """An environment (superuser rights, the same user) on a cursor of its own, committed at the end."""
    with env.registry.cursor() as cr:
        # Of a caller's context only this: defaults or switches of a tab must not reach the ledger.
        kept = {name: env.context[name] for name in _KEPT if name in env.context}
        context = {**kept, **_QUIET, CONTEXT_KEY: MACHINE}
        yield api.Environment(cr, env.uid, context, su=True)


def in_ledger(env, work, *, repeat_on=()):
    """Run `work(env)` in a short database transaction of its own and return its result.

    `work` must touch nothing but the database: when another worker changed the same rows it is run again.

    :param repeat_on: further errors of the database after which it looks again
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with own_cursor(env) as ledger_env:
                result = work(ledger_env)
                ledger_env.flush_all()
            return result
        except (*_CONFLICTS, *repeat_on):
            if attempt == ATTEMPTS:
                raise
            _logger.info("viva: the ledger row was busy, attempt %s of %s", attempt, ATTEMPTS)
            time.sleep(random.uniform(0.01, 0.05) * attempt)
    raise AssertionError("unreachable")
