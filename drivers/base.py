"""The one interface of all drivers."""

from __future__ import annotations

from datetime import date
from typing import Protocol

from .types import (
    AbortRequest,
    Accepted,
    Capabilities,
    Outcome,
    Pending,
    SessionMissing,
    StartRequest,
)


class TerminalDriver(Protocol):
    """Start an operation on a terminal, read what became of it, ask to drop it.

    Each call is one short exchange that waits for no person and repeats nothing by
    itself. Errors are those of :mod:`errors`; whatever else escapes from
    :meth:`start` has to be taken as indeterminate.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this driver can do."""
        ...

    def start(self, request: StartRequest) -> Accepted:
        """Hand an operation to the terminal; ``capabilities`` says which ones it knows.

        :raises AlreadyUsed: the session id exists; only the caller knows whether that is
            because it had sent this very request before. Needs
            ``capabilities.refuses_repeats``; without it nobody tells, so never start twice
        :raises NotPossible: not by this protocol
        :raises NotFound: no such terminal, or no such original that succeeded
        :raises DefiniteError: nothing was started by this call
        :raises RetryableError: nothing was started by this call; may be repeated as it is
        :raises IndeterminateError: it may have been started: read
        """
        ...

    def read(self, session_id: str) -> Outcome | Pending | SessionMissing:
        """Return the session as it is now. An :class:`Outcome` is final but not judged.

        Without ``capabilities.recalls`` only the object that started a session can read it.
        Any error says nothing about the payment.
        """
        ...

    def abort(self, request: AbortRequest) -> Accepted:
        """Ask the terminal to drop a session. The card may win: read on until final.

        :raises NotPossible: not by this protocol
        """
        ...

    def sessions(self, day: date) -> list[Outcome]:
        """Return the sessions of one UTC day; needs ``capabilities.sessions_by_date``.

        :raises NotPossible: without it
        """
        ...
