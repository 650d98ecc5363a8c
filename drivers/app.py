"""App-to-App: the viva.com | Terminal app on the device that the till runs on.

Reference: app-to-app; sections below are its. Nothing here talks to anybody. The builders make
the URI that a till's page opens; :func:`parse_callback` reads the query with which the app opens
our address.

A callback is no proof: anybody can open that address (section 1). So it becomes an
:class:`AppAnswer`, which is a hint and cannot be judged; what really happened is read from
Viva's book.

The app echoes every ``ISV_…`` parameter, a secret among them, into the callback (section 3.1).
The builders have no way to send one, and none that comes is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from . import fields as read_field
from .capabilities import APP as CAPABILITIES
from .events import NoState
from .redact import last_four, redact
from .types import CaptureRequest, RefundRequest, SaleRequest, UnreferencedRefundRequest

__all__ = [
    "CAPABILITIES",
    "CODES",
    "FISCAL_FIELDS",
    "AppAnswer",
    "Screens",
    "abort_uri",
    "cancel_uri",
    "capture_uri",
    "details_uri",
    "foreground_uri",
    "parse_callback",
    "preauth_uri",
    "sale_uri",
    "unreferenced_uri",
]

# -- what the till opens (sections 2, 3) ----------------------------------------------------------

_BASE = "vivapayclient://pay/v1?"
APP_ID = "odoo.viva_payments"

LARGEST_AMOUNT = 9_999_999_999
_LONGEST_CALLBACK = 1000
#: A callback to this machine may go without encryption: tests and demonstrations.
_THIS_MACHINE = re.compile(r"localhost|[a-z0-9-]+\.localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1")
_HOST = re.compile(r"[A-Za-z0-9.:-]+")
#: Nothing that would have to be encoded, so that an app may decode as often as it likes.
_PLAIN = re.compile(r"[A-Za-z0-9._~:/\[\]-]+")

#: Fiscal data, in the order in which it is sent (sections 3.1, 3.4, 3.5, 7).
FISCAL_FIELDS: tuple[str, ...] = (
    "aadeProviderId",
    "aadeProviderSignatureData",
    "aadeProviderSignature",
    "fiscalisationData",
)


@dataclass(frozen=True)
class Screens:
    """What the app shows at the end. ``result`` only counts without ``receipt`` (section 3.1)."""

    receipt: bool = False
    result: bool = True
    rating: bool = False


_USUAL = Screens()

Parameter: TypeAlias = tuple[str, str]


def sale_uri(
    request: SaleRequest,
    callback: str,
    *,
    app_id: str = APP_ID,
    source_code: str = "",
    payment_method: str = "",
    screens: Screens = _USUAL,
) -> str:
    """Return the URI that asks for a sale (section 3.1).

    The merchant reference goes as ``clientTransactionId``. Amounts are minor units; the tip comes
    on top. The currency is the app's and cannot be told.

    :param callback: see :func:`_callback`
    :param source_code: the store; "" is the terminal's own
    :param payment_method: what is offered first, such as ``CardPresent``
    :raises ValueError: a preauth, a tip with installments, a callback or fiscal field that cannot be
    """
    if request.preauth:
        raise ValueError("A preauth has an action of its own.")
    installments = request.max_installments > 1
    if request.tip and installments:
        raise ValueError("A sale in installments cannot carry a tip.")
    if request.tip > request.amount:
        raise ValueError("The tip must not exceed the amount.")
    more: list[Parameter] = [("tipAmount", str(request.tip))] if request.tip else []
    if installments:
        # 0 would let the app ask for any number that the merchant allows.
        more.append(("withInstallments", "true"))
        more.append(("preferredInstallments", str(request.max_installments)))
    more += _told(sourceCode=source_code, paymentMethod=payment_method)
    return _uri(
        "sale",
        app_id,
        callback,
        [*_named(request), *more, *_shown(screens), *_fiscal(request.fiscal)],
    )


def preauth_uri(
    request: SaleRequest, callback: str, *, app_id: str = APP_ID, screens: Screens = _USUAL
) -> str:
    """Return the URI that asks for a preauth (section 3.3): no tip, no installments.

    :raises ValueError: it is a sale, or has installments; see also :func:`sale_uri`
    """
    if not request.preauth or request.tip or request.max_installments > 1:
        raise ValueError("This is no plain preauth.")
    _no_fiscal(request.fiscal)
    return _uri("pre_auth", app_id, callback, [*_named(request), *_shown(screens)])


def capture_uri(
    request: CaptureRequest, callback: str, *, app_id: str = APP_ID, screens: Screens = _USUAL
) -> str:
    """Return the URI that captures what a preauth holds (section 3.3).

    The original is named by its order code, else by its STAN. Our reference has no place.

    :raises ValueError: the original has neither: the app would let the customer choose
    """
    _no_fiscal(request.fiscal)
    return _uri(
        "capture_pre_auth",
        app_id,
        callback,
        [("amount", _amount(request.amount)), *_original(request), *_shown(screens)],
    )


def cancel_uri(
    request: RefundRequest,
    callback: str,
    *,
    app_id: str = APP_ID,
    between: tuple[datetime, datetime] | None = None,
    screens: Screens = _USUAL,
) -> str:
    """Return the URI that gives money back, as a void or a refund (section 3.4).

    All of it on the same day is a void. Works in production only: the demo app answers -999.
    The original is named by its order code, else by its STAN. Our reference has no place.

    :param between: where to look for the original, with time zones
    :raises ValueError: the original has neither: the app would let the customer choose
    """
    dates: list[Parameter] = []
    if between is not None:
        dates = [("txnDateFrom", _moment(between[0])), ("txnDateTo", _moment(between[1]))]
    return _uri(
        "cancel",
        app_id,
        callback,
        [
            ("amount", _amount(request.amount)),
            *_original(request),
            *dates,
            *_shown(screens),
            *_fiscal(request.fiscal, without="fiscalisationData"),
        ],
    )


def unreferenced_uri(
    request: UnreferencedRefundRequest,
    callback: str,
    *,
    app_id: str = APP_ID,
    screens: Screens = _USUAL,
) -> str:
    """Return the URI that gives money to a card that is presented (section 3.5).

    Needs activation. Whether older apps keep ``clientTransactionId`` here is UNVERIFIED.
    """
    return _uri(
        "unreferenced_refund",
        app_id,
        callback,
        [*_named(request), *_shown(screens), *_fiscal(request.fiscal)],
    )


def abort_uri(callback: str, *, app_id: str = APP_ID) -> str:
    """Return the URI that asks to drop what is running (section 3.6).

    Impossible once a card was read. Which callback is opened then, this one or that of the sale,
    is UNVERIFIED: let both lead to the same payment.
    """
    return _uri("abort", app_id, callback, [])


def details_uri(
    merchant_reference: str, callback: str, *, app_id: str = APP_ID, source_terminal_id: str = ""
) -> str:
    """Return the URI that asks the app what became of a sale (section 3.7; not on iPhones)."""
    if not merchant_reference:
        raise ValueError("The sale's reference is needed.")
    return _uri(
        "transactionDetails",
        app_id,
        callback,
        [
            ("clientTransactionId", _text(merchant_reference, 2048)),
            *_told(sourceTerminalId=source_terminal_id),
        ],
    )


def foreground_uri(callback: str = "", *, app_id: str = APP_ID) -> str:
    """Return the URI that shows the app; it answers nothing, and needs no callback (section 3)."""
    return _uri("foreground", app_id, callback, [])


def _uri(action: str, app_id: str, callback: str, parameters: Iterable[Parameter]) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", app_id):
        raise ValueError("app_id must be 1 to 100 letters, digits, '.', '_' or '-'.")
    if callback or action != "foreground":
        callback = _callback(callback)
    everything = [("action", action), ("appId", app_id), *parameters, ("callback", callback)]
    return _BASE + "&".join(f"{name}={_encoded(name, value)}" for name, value in everything)


def _encoded(name: str, value: str) -> str:
    """Percent-encode, a space as %20 and never as ``+`` (section 2).

    ``:`` and ``/`` may stand in a query as they are; an app that decodes nothing then still
    understands an address and a reference. Fiscal data is encoded in full (section 7).
    """
    return quote(value, safe="" if name in FISCAL_FIELDS else ":/")


def _callback(address: str) -> str:
    """Check an address for the app to open: https, no query, no fragment, its ids in the path.

    How the app appends to an address that has a query already is not documented (section 2).

    :raises ValueError: it is something else
    """
    if not _PLAIN.fullmatch(address) or len(address) > _LONGEST_CALLBACK:
        raise ValueError("The callback must be a plain address without query and fragment.")
    parts = urlsplit(address)
    host = parts.hostname or ""
    local = parts.scheme == "http" and _THIS_MACHINE.fullmatch(host)
    if not _HOST.fullmatch(host) or parts.username is not None or parts.port == 0:
        raise ValueError("The callback has no usable host.")
    if not (parts.scheme == "https" or local):
        raise ValueError("The callback must be an https address.")
    return address


def _amount(minor: int) -> str:
    if isinstance(minor, bool) or not isinstance(minor, int) or not 1 <= minor <= LARGEST_AMOUNT:
        raise ValueError(f"The amount must be from 1 to {LARGEST_AMOUNT} minor units.")
    return str(minor)


def _text(value: str, limit: int) -> str:
    if len(value) > limit or not value.isprintable():
        raise ValueError(f"A text must have at most {limit} printable characters.")
    return value


def _named(request: SaleRequest | UnreferencedRefundRequest) -> list[Parameter]:
    return [
        ("amount", _amount(request.amount)),
        ("clientTransactionId", _text(request.merchant_reference, 2048)),
    ]


def _told(**texts: str) -> list[Parameter]:
    return [(name, _text(value, 255)) for name, value in texts.items() if value]


def _shown(screens: Screens) -> list[Parameter]:
    shown = {
        "show_receipt": screens.receipt,
        "show_transaction_result": screens.result,
        "show_rating": screens.rating,
    }
    return [(name, "true" if value else "false") for name, value in shown.items()]


def _original(request: CaptureRequest | RefundRequest) -> list[Parameter]:
    code, stan = request.parent_order_code, request.parent_stan
    if re.fullmatch(r"[0-9]{16}", code):
        return [("orderCode", code)]
    if re.fullmatch(r"[0-9]{10}", code):
        return [("shortOrderCode", code)]
    if re.fullmatch(r"0*[1-9][0-9]{0,8}", stan):
        return [("referenceNumber", str(int(stan)))]
    raise ValueError("The original's order code or STAN is needed.")


def _fiscal(fiscal: Mapping[str, str], without: str = "") -> list[Parameter]:
    able = [name for name in FISCAL_FIELDS if name != without]
    unknown = sorted(set(fiscal) - set(able))
    if unknown:
        raise ValueError(f"The app has no parameter for {', '.join(unknown)}.")
    return [(name, fiscal[name]) for name in able if name in fiscal]


def _no_fiscal(fiscal: Mapping[str, str]) -> None:
    if fiscal:
        raise ValueError("The app takes no fiscal data with this operation.")


def _moment(value: datetime) -> str:
    """``yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`` in UTC."""
    if value.tzinfo is None:
        raise ValueError("A moment needs a time zone.")
    utc = value.astimezone(timezone.utc)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


# -- what the app opens (section 4) ---------------------------------------------------------------

#: Code in brackets at the beginning of ``message``: state, key for words. The complete list is
#: UNVERIFIED; whatever is not in it has failed.
CODES: dict[int, tuple[NoState, str]] = {
    -4: ("cancelled", "cancelled_on_terminal"),
    -12: ("declined", "declined_by_bank"),
    -23: ("failed", "not_reversible"),
    -57: ("cancelled", "aborted"),
    -62: ("failed", "configuration"),
    -999: ("failed", "terminal_error"),
}
_OTHER: tuple[NoState, str] = ("failed", "other")

Status: TypeAlias = Literal["success", "fail", ""]

_LONGEST_QUERY = 32768
_MOST_PARAMETERS = 200

#: What is kept of a callback for a manager to see. Not on it: ISV_*, receipts, persons, whatever
#: is unknown – a secret that holds a ``&`` arrives as a parameter of any name.
_KEPT_NAMES = """
    status message action clientTransactionId amount tipAmount transactionId orderCode
    shortOrderCode rrn referenceNumber authorisationCode tid cardType accountNumber
    verificationMethod entryMode aid transactionDate paymentMethod installments bankId sourceCode
    aadeTransactionId currency errorText applicationVersion terminalSerialNumber transactionType
"""
_KEPT = frozenset(_KEPT_NAMES.split())
_ISV = re.compile(r"isv_", re.IGNORECASE)
_MESSAGE = re.compile(r"\s*\((-?[0-9]{1,6})\)\s*(.*)", re.DOTALL)
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: A date whose ``+`` before the offset was turned into a space.
_SPACED = re.compile(r"(\d{4}-\d\d-\d\d[T ][0-9:.]+) (\d\d:?\d\d)", re.ASCII)


@dataclass(frozen=True)
class AppAnswer:
    """What a callback says; **not a verdict and no outcome**, anybody can have written it.

    Whatever was absent, of a wrong form or told twice in different ways is ``""`` or ``None``.

    * ``status``: ``success``, ``fail`` or ``""``;
    * ``code``: number in front of the message of a failure, such as -4;
    * ``reference``: our merchant reference; empty after many failures, so the address has to say
      which payment this is about;
    * ``amount``, ``tip``: minor units; ``tip`` is 0 when absent. Whether the amount contains the
      tip is UNVERIFIED;
    * ``order_code``: 16 digits; ``short_order_code``: 10; ``stan`` without zeros in front;
    * ``finished_at``: UTC.

    ``raw``: the parameters that are known, redacted.
    """

    status: Status = ""
    code: int | None = None
    message: str = ""
    action: str = ""
    reference: str = ""
    amount: int | None = None
    tip: int | None = 0
    transaction_id: str = ""
    order_code: str = ""
    short_order_code: str = ""
    rrn: str = ""
    stan: str = ""
    authorisation_code: str = ""
    tid: str = ""
    card_brand: str = ""
    card_last4: str = ""
    card_masked: str = ""
    entry_mode: str = ""
    verification_method: str = ""
    payment_method: str = ""
    installments: int = 0
    bank_id: str = ""
    aid: str = ""
    finished_at: datetime | None = None
    fiscal_id: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def words(self) -> tuple[NoState, str]:
        """State and key for words of a failure; of anything else it says nothing."""
        return _OTHER if self.code is None else CODES.get(self.code, _OTHER)


def parse_callback(query: str) -> AppAnswer:
    """Read the query of a callback, without what stands before its ``?``. Never raises.

    Spaces may be raw, ``%20`` or ``+``; a ``+`` that is meant may have become a space.
    """
    told = _parameters(query)
    code, message = _code(told.get("message", ""))
    masked_number = _line(told.get("accountNumber", ""))
    last4 = last_four(masked_number)
    brand, bank_id = _line(told.get("cardType", "")), _plain(told, "bankId")
    status = told.get("status", "").strip().lower()
    return AppAnswer(
        status=status if status in ("success", "fail") else "",  # type: ignore[arg-type]
        code=code,
        message=message,
        action=_plain(told, "action"),
        reference=_plain(told, "clientTransactionId"),
        amount=_minor(told.get("amount", "")),
        tip=_minor(told.get("tipAmount", "") or "0"),
        transaction_id=_matching(told, "transactionId", _UUID),
        order_code=_digits(told, "orderCode", 16, 16),
        short_order_code=_digits(told, "shortOrderCode", 10, 10),
        rrn=_digits(told, "rrn", 6, 12),
        stan=_digits(told, "referenceNumber", 1, 9).lstrip("0"),
        authorisation_code=_plain(told, "authorisationCode"),
        tid=_plain(told, "tid"),
        card_brand=read_field.brand(brand, bank_id) if brand or bank_id else "",
        card_last4=last4,
        card_masked=read_field.masked(last4),
        entry_mode=_plain(told, "entryMode"),
        verification_method=_line(told.get("verificationMethod", "")).strip(" -"),
        payment_method=_plain(told, "paymentMethod"),
        installments=read_field.installments(told.get("installments")),
        bank_id=bank_id,
        aid=_plain(told, "aid"),
        finished_at=_finished(told.get("transactionDate", "")),
        fiscal_id=_plain(told, "aadeTransactionId"),
        raw=_raw(told),
    )


def _parameters(query: str) -> dict[str, str]:
    """Return what is known, each once; what comes twice in different ways is not kept."""
    told: dict[str, str] = {}
    twice: set[str] = set()
    parts = query[: _LONGEST_QUERY + 1].lstrip("?&").split("&")
    if len(query) > _LONGEST_QUERY:
        parts.pop()  # cut, perhaps in the middle of an amount
    for part in parts[:_MOST_PARAMETERS]:
        name, _equals, value = part.partition("=")
        name = unquote(name).strip()
        if name not in _KEPT:
            continue
        value = unquote(value)
        if _ISV.search(unquote(value)):
            continue
        if told.setdefault(name, value) != value:
            twice.add(name)
    return {name: value for name, value in told.items() if name not in twice}


def _line(value: str) -> str:
    """A text for people, in which a ``+`` is a space."""
    safe = redact(read_field.text(value.replace("+", " ")))
    return str(safe).strip()


def _plain(told: Mapping[str, str], name: str) -> str:
    """An identifier, as it came."""
    return read_field.text(told.get(name, "").strip())


def _matching(told: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str:
    value = told.get(name, "").strip()
    return value if pattern.fullmatch(value) else ""


def _digits(told: Mapping[str, str], name: str, least: int, most: int) -> str:
    value = _matching(told, name, re.compile(rf"[0-9]{{{least},{most}}}"))
    return value if value.strip("0") else ""


def _minor(value: str) -> int | None:
    value = value.strip()
    return int(value) if re.fullmatch(r"[0-9]{1,10}", value) else None


def _code(message: str) -> tuple[int | None, str]:
    """``(-4) USER_CANCEL`` as (-4, "USER_CANCEL")."""
    found = _MESSAGE.fullmatch(message.replace("+", " "))
    if found is None:
        return None, _line(message)
    return int(found[1]), _line(found[2])


def _finished(value: str) -> datetime | None:
    spaced = _SPACED.fullmatch(value.strip())
    return read_field.moment(f"{spaced[1]}+{spaced[2]}" if spaced else value.strip())


def _raw(told: Mapping[str, str]) -> dict[str, str]:
    safe: dict[str, str] = redact({name: read_field.text(value) for name, value in told.items()})
    return safe
