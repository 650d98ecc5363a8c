"""Viva's event ids (reference, section 6): what each means for the state and for people.

A code is a stable key; the words for it live with whoever shows them.
"""

from __future__ import annotations

from typing import Literal

#: How a session without success ends.
NoState = Literal["declined", "cancelled", "failed"]

#: ``eventId`` of a session that did not succeed (6.1): state, code.
_EVENTS: dict[int, tuple[NoState, str]] = {
    1000: ("cancelled", "cancelled_on_terminal"),
    1001: ("failed", "terminal_busy"),
    1002: ("failed", "stored_transactions"),
    1003: ("failed", "no_card"),
    1004: ("declined", "declined_by_terminal"),
    1006: ("declined", "declined_by_bank"),
    1007: ("declined", "declined_by_card"),
    1008: ("failed", "not_reversible"),
    1009: ("failed", "invalid_amount"),
    1010: ("declined", "invalid_card"),
    1011: ("failed", "parent_unknown"),
    1012: ("failed", "parent_unknown"),
    1013: ("failed", "configuration"),
    1014: ("failed", "refunds_disabled"),
    1016: ("cancelled", "aborted"),
    1017: ("failed", "capture_amount"),
    1018: ("failed", "configuration"),
    1019: ("declined", "try_other_card"),
    1020: ("declined", "insufficient_funds"),
    1021: ("failed", "not_reversible"),
    1076: ("failed", "fiscal"),
    1077: ("failed", "fiscal"),
    1083: ("failed", "fiscal"),
    1099: ("failed", "terminal_error"),
    1100: ("failed", "terminal_busy"),
    1101: ("failed", "parent_unknown"),
    1102: ("failed", "expired"),
    2000: ("failed", "location_off"),
    3000: ("failed", "terminal_offline"),
    3001: ("failed", "terminal_connection"),
    3002: ("failed", "terminal_connection"),
    3099: ("failed", "terminal_error"),
    4000: ("failed", "terminal_connection"),
    5000: ("failed", "not_enabled"),
    5001: ("failed", "installments_not_enabled"),
    5002: ("failed", "not_enabled"),
    5003: ("failed", "not_enabled"),
    5004: ("failed", "not_enabled"),
    5005: ("failed", "tip_not_enabled"),
    5006: ("failed", "not_enabled"),
    6000: ("failed", "wrong_request"),
    6102: ("failed", "configuration"),
    6201: ("failed", "offline_mode"),
    7001: ("failed", "offline_mode"),
    7002: ("failed", "offline_mode"),
    7003: ("failed", "offline_mode"),
    7004: ("failed", "offline_mode"),
    7005: ("failed", "offline_mode"),
}

#: What differs when money was to be given back. 1020 is about the merchant's balance then.
_EVENTS_MONEY_BACK: dict[int, tuple[NoState, str]] = {1020: ("failed", "merchant_funds")}

#: What differs when a part of it was: the generic error is how a terminal says that only the
#: whole amount can be given back before clearing (4.2).
_EVENTS_PART_BACK: dict[int, tuple[NoState, str]] = {1099: ("failed", "partial_too_early")}

#: The list of ids is open: what is not in it is a failure when ``success`` is false (6.1).
_OTHER: tuple[NoState, str] = ("failed", "other")

#: ``transactionEventId``, the issuer's reason behind a decline (6.2).
_ISSUER: dict[int, str] = {
    10003: "configuration",
    10014: "invalid_card",
    10051: "insufficient_funds",
    10054: "card_expired",
    10057: "try_other_card",
    10061: "limit_exceeded",
    10200: "wrong_cvv",
}

#: Refused before the terminal could ask for a card, so nothing can have been paid meanwhile.
_BEFORE_CARD = frozenset(
    {1001, 1002, 1008, 1009, 1011, 1012, 1013, 1014, 1017, 1018, 1021, 1076, 1077, 1083, 1100, 1101}
    | {2000, 5000, 5001, 5002, 5003, 5004, 5005, 5006, 6000, 6102, 6201, 7001, 7002, 7003, 7004}
    | {7005}
)


def event_words(
    event_id: int | None, *, money_back: bool = False, partial: bool = False
) -> tuple[NoState, str]:
    """Return state and code for the event id of a session whose ``success`` is false.

    :param money_back: it was a refund, a void or a release
    :param partial: of a part of the original's amount
    """
    if event_id is None:
        return _OTHER
    if money_back and partial and event_id in _EVENTS_PART_BACK:
        return _EVENTS_PART_BACK[event_id]
    if money_back and event_id in _EVENTS_MONEY_BACK:
        return _EVENTS_MONEY_BACK[event_id]
    return _EVENTS.get(event_id, _OTHER)


def issuer_words(issuer_event_id: int | None) -> str:
    """Return the code for an issuer's reason, ``""`` when it says no more than "declined"."""
    return "" if issuer_event_id is None else _ISSUER.get(issuer_event_id, "")


def before_card(event_id: int | None) -> bool:
    """Tell whether the event means that no card was asked for."""
    return event_id in _BEFORE_CARD
