"""What goes into a driver and what comes out: frozen, typed, money in minor units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, TypeAlias

from .money import MAX_MINOR

#: Characters and length that section 3.3 calls safe.
_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,75}")
_TERMINAL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
#: Control characters, and lone surrogates, which are no text.
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_FISCAL_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")


class Operation(str, Enum):
    """The six operations of a terminal."""

    SALE = "sale"
    PREAUTH = "preauth"
    CAPTURE = "capture"
    REFUND = "refund"
    VOID = "void"
    RELEASE = "release"

    def __str__(self) -> str:
        return self.value


#: What an answer may leave out when its protocol has no place for it.
UNTOLD = frozenset({"currency", "reference", "terminal", "type", "transaction_id", "cash_register"})


@dataclass(frozen=True)
class Capabilities:
    """What a driver can do. Screens ask this and never the name of a protocol.

    ``unreferenced_refund``: to a card that is presented, without a sale of ours behind it.
    ``recalls``: a session can be read by another driver object than the one that started it, so
    also after a restart. ``refuses_repeats``: a session id that comes again is answered with
    :class:`errors.AlreadyUsed`. ``untold``: what a success never tells by this protocol, out of
    :data:`UNTOLD`; see :attr:`verdict.Asked.untold`. ``sends_currency``: a request names its
    currency; without that an amount is taken in the terminal's own, whatever was meant.
    """

    operations: frozenset[Operation]
    abort: bool = False
    partial_refund: bool = False
    unreferenced_refund: bool = False
    installments: bool = False
    tip: bool = False
    fiscal: bool = False
    sessions_by_date: bool = False
    recalls: bool = True
    refuses_repeats: bool = False
    sends_currency: bool = True
    untold: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.untold <= UNTOLD:
            raise ValueError(f"{sorted(self.untold - UNTOLD)} cannot be untold.")


@dataclass(frozen=True)
class Device:
    """One terminal as Viva lists it (section 2). ``status_id`` 1 is the usable one."""

    terminal_id: str
    status_id: int | None
    source_code: str
    virtual_terminal_id: str


def _check_text(name: str, value: str, limit: int) -> None:
    if not isinstance(value, str) or not value or len(value) > limit or _CONTROL.search(value):
        raise ValueError(
            f"{name} must be a text of 1 to {limit} characters without control characters."
        )


def _check_int(name: str, value: int, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}.")


@dataclass(frozen=True)
class SaleRequest:
    """One sale, or one preauth (section 3.1).

    Refused with :class:`ValueError` when it is written wrongly, which is before
    anything can be recorded or sent.

    :param session_id: made by us, used once, best a plain uuid (section 3.3)
    :param cash_register_id: names the till; the same value is needed to abort
    :param amount: minor units without the tip, greater than zero
    :param currency: alphabetic code, one of those that Viva lists
    :param merchant_reference: unique to this attempt; comes back in webhooks and lists
    :param customer_text: shown to the customer
    :param max_installments: 0 or 1 is none; Greece only
    :param tip: minor units, at most the amount
    :param fiscal: a passenger for the terminal, byte for byte: field of the protocol → value
    """

    session_id: str
    terminal_id: str
    cash_register_id: str
    amount: int
    currency: str
    merchant_reference: str
    customer_text: str = ""
    preauth: bool = False
    max_installments: int = 0
    tip: int = 0
    fiscal: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    def __post_init__(self) -> None:
        _check_start(self)
        _check_int("tip", self.tip, 0, self.amount)
        _check_int("max_installments", self.max_installments, 0, 99)
        if self.preauth and self.tip:
            raise ValueError("A preauth cannot carry a tip.")


@dataclass(frozen=True)
class CaptureRequest:
    """Take the money, or a part of it, that a preauth holds (section 4.1).

    No tip: the contract of a capture has no field for one.

    :param parent_session_id: the session of the preauth
    :param amount: minor units, at most what is held
    :param parent_transaction_id: Viva's id of the preauth; which of the names of the original
        is needed depends on the protocol
    :param parent_order_code: its order code, 16 digits
    :param parent_stan: its STAN
    """

    session_id: str
    parent_session_id: str
    terminal_id: str
    cash_register_id: str
    amount: int
    currency: str
    merchant_reference: str
    customer_text: str = ""
    parent_transaction_id: str = ""
    parent_order_code: str = ""
    parent_stan: str = ""
    fiscal: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    def __post_init__(self) -> None:
        _check_start(self)
        _check_parent(self)


@dataclass(frozen=True)
class RefundRequest:
    """Give money back, void, or release a preauth (section 4.2).

    Which of these it becomes is Viva's decision: see :func:`verdict.executed_as`.

    :param parent_session_id: the session of the original sale, preauth or capture
    :param amount: minor units, greater than zero; before clearing only the whole amount
    :param parent_transaction_id: Viva's id of the original, as in :class:`CaptureRequest`
    """

    session_id: str
    parent_session_id: str
    terminal_id: str
    cash_register_id: str
    amount: int
    currency: str
    merchant_reference: str
    customer_text: str = ""
    parent_transaction_id: str = ""
    parent_order_code: str = ""
    parent_stan: str = ""
    fiscal: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    def __post_init__(self) -> None:
        _check_start(self)
        _check_parent(self)


@dataclass(frozen=True)
class UnreferencedRefundRequest:
    """Give money back to a card that is presented, without an original (section 4.3)."""

    session_id: str
    terminal_id: str
    cash_register_id: str
    amount: int
    currency: str
    merchant_reference: str
    customer_text: str = ""
    fiscal: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)

    def __post_init__(self) -> None:
        _check_start(self)


#: Whatever a terminal can be asked to begin.
StartRequest: TypeAlias = SaleRequest | CaptureRequest | RefundRequest | UnreferencedRefundRequest


def _check_start(request: StartRequest) -> None:
    """:raises ValueError: for what is wrong in the fields that all requests have"""
    if not _SESSION_ID.fullmatch(request.session_id):
        raise ValueError("session_id must be 1 to 75 letters, digits, '-' or '_'.")
    if not _TERMINAL_ID.fullmatch(request.terminal_id):
        raise ValueError("terminal_id must be the digits that Viva lists.")
    _check_text("cash_register_id", request.cash_register_id, 75)
    _check_text("merchant_reference", request.merchant_reference, 255)
    if request.customer_text:
        _check_text("customer_text", request.customer_text, 255)
    _check_int("amount", request.amount, 1, MAX_MINOR)
    _check_fiscal(request.fiscal)


def _check_fiscal(fiscal: Mapping[str, str]) -> None:
    if not isinstance(fiscal, Mapping) or len(fiscal) > 32:
        raise ValueError("fiscal must be up to 32 names with their values.")
    for name, value in fiscal.items():
        if not isinstance(name, str) or not _FISCAL_NAME.fullmatch(name):
            raise ValueError("A fiscal field's name must be 1 to 64 letters, digits or '_'.")
        if value != "":
            _check_text(f"fiscal field {name}", value, 8192)


def _check_parent(request: CaptureRequest | RefundRequest) -> None:
    _check_text("parent_session_id", request.parent_session_id, 75)
    for name in ("parent_transaction_id", "parent_order_code", "parent_stan"):
        if getattr(request, name) != "":
            _check_text(name, getattr(request, name), 75)
    if request.parent_session_id == request.session_id:
        raise ValueError("session_id must be a new one, not that of the original.")


@dataclass(frozen=True)
class AbortRequest:
    """Ask the terminal to drop a session; only its own cash register may (section 4.4)."""

    session_id: str
    cash_register_id: str

    def __post_init__(self) -> None:
        _check_text("session_id", self.session_id, 75)
        _check_text("cash_register_id", self.cash_register_id, 75)


@dataclass(frozen=True)
class Accepted:
    """Viva took the request for delivery. It says nothing about the payment (section 0).

    :param repeated: an abort that was already under way (409 on abort)
    :param raw: the answer, redacted; mostly empty
    """

    correlation_id: str = ""
    repeated: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Pending:
    """Not final yet (202, section 5.1). It can stay so for ever (section 8)."""

    detail: str = ""


@dataclass(frozen=True)
class SessionMissing:
    """Viva does not know the session (404). Right after the start that may pass (section 5.1)."""

    detail: str = ""


@dataclass(frozen=True)
class Outcome:
    """A final session as Viva tells it (section 5.2), read defensively; **not a verdict**.

    Whatever was absent or of a wrong type is ``""`` or ``None``. Where that matters:

    * ``amount`` (minor units, with tip and surcharge): ``None`` unless it was a whole number;
    * ``tip``, ``surcharge``: 0 when absent, ``None`` when nonsense;
    * ``success``: ``None`` unless it was a JSON boolean;
    * ``currency``: alphabetic code, ``""`` when absent or not in ISO 4217;
    * ``merchant_reference``: ``None`` when absent, ``""`` when it was no text.

    ``offline``: approved by the terminal without network; Viva does not know of it yet.
    ``finished_at`` is in UTC. ``raw`` is the redacted answer.
    """

    session_id: str = ""
    terminal_id: str = ""
    cash_register_id: str = ""
    amount: int | None = None
    currency: str = ""
    merchant_reference: str | None = None
    tip: int | None = 0
    surcharge: int | None = 0
    success: bool | None = None
    event_id: int | None = None
    authorisation_code: str = ""
    transaction_id: str = ""
    transaction_type_id: int | None = None
    rrn: str = ""
    stan: str = ""
    entry_mode: str = ""
    application_label: str = ""
    card_brand: str = ""
    card_last4: str = ""
    card_masked: str = ""
    finished_at: datetime | None = None
    abort_requested: bool = False
    abort_success: bool = False
    verification_method: str = ""
    tid: str = ""
    short_order_code: str = ""
    order_code: str = ""
    installments: int = 0
    message: str = ""
    preauth: bool | None = None
    aid: str = ""
    issuer_event_id: int | None = None
    bank_id: str = ""
    offline: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Entry:
    """One row of Viva's book (transactions reference, section 3), read defensively.

    Whatever was absent or of a wrong type is ``""`` or ``None``. Amounts are minor units:
    ``amount`` without a sign, whether money came or went (see ``type_id``), ``None`` when it
    or its currency is not understood; ``commission`` as Viva tells it, 0 until cleared.
    Times are in UTC.
    """

    transaction_id: str
    parent_id: str = ""
    amount: int | None = None
    currency: str = ""
    status_id: str = ""
    type_id: int | None = None
    created_at: datetime | None = None
    cleared_at: datetime | None = None
    merchant_reference: str = ""
    order_code: str = ""
    terminal_id: str = ""
    rrn: str = ""
    authorisation_code: str = ""
    card_brand: str = ""
    card_last4: str = ""
    card_masked: str = ""
    tip: int = 0
    commission: int | None = None
    installments: int = 0
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Reversed:
    """What Viva answers to a reversal or capture by transaction id (section 4): **no verdict**.

    ``transaction_id`` is that of the new transaction. ``amount`` in minor units without a
    sign, ``None`` when it was not told; a reversal tells no ``type_id``.
    """

    transaction_id: str
    amount: int | None = None
    currency: str = ""
    type_id: int | None = None
    rrn: str = ""
    authorisation_code: str = ""
    stan: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
