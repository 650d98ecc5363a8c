"""The states of a transaction and the moves between them. Pure data.

``unknown`` means: *we do not know whether the customer was charged*. It is a
state of its own, not a failure: only an answer from Viva (or a person, outside
of this table) ends it.
"""

from __future__ import annotations

from typing import Literal

State = Literal[
    "draft", "sent", "pending", "approved", "declined", "cancelled", "failed", "unknown"
]

STATES: tuple[State, ...] = (
    "draft", "sent", "pending", "approved", "declined", "cancelled", "failed", "unknown",
)  # fmt: skip

#: The terminal may be working on it.
OPEN: frozenset[str] = frozenset({"draft", "sent", "pending"})

#: The customer may be, or become, charged without us knowing.
UNSETTLED: frozenset[str] = OPEN | {"unknown"}

#: An answer exists.
FINAL: frozenset[str] = frozenset({"approved", "declined", "cancelled", "failed"})

#: Viva first said no and then that the customer was charged (section 9.2 no. 1): allowed, alarms.
LATE_APPROVAL: frozenset[tuple[str, str]] = frozenset(
    {("declined", "approved"), ("cancelled", "approved"), ("failed", "approved")}
)

_MOVES: dict[str, frozenset[str]] = {
    "draft": frozenset({"sent", "failed", "cancelled"}),
    "sent": FINAL | {"pending", "unknown"},
    "pending": FINAL | {"unknown"},
    "unknown": FINAL | {"pending"},
    "approved": frozenset(),
    "declined": frozenset({"approved"}),
    "cancelled": frozenset({"approved"}),
    "failed": frozenset({"approved"}),
}


def may_move(old: str, new: str) -> bool:
    """Tell whether a transaction may go from ``old`` to ``new``.

    Staying is not a move (a repeated answer changes nothing), and a name that is
    no state never moves.
    """
    return new in _MOVES.get(old, frozenset())
