"""Read Viva's session object (reference, section 5.2) defensively.

Fields come as null, absent, or of another type depending on the age of the API.
Nothing here raises, and nothing here guesses in favour of a payment: an amount
that is not a whole JSON number is no amount, a ``success`` that is not a JSON
boolean is no success.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from . import money
from .redact import clean, last_four, redact
from .types import Outcome

_LONGEST = 255
_LARGEST = 2**31 - 1

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([+-])(\d\d):?(\d\d))",
    re.ASCII,
)

#: What a text of ``cardType``, ``applicationLabel`` or ``bankId`` contains, and the brand to show.
_BRANDS: tuple[tuple[str, str], ...] = (
    ("visa", "Visa"),
    ("v pay", "V Pay"),
    ("mastercard", "Mastercard"),
    ("net_master", "Mastercard"),
    ("maestro", "Maestro"),
    ("american express", "American Express"),
    ("amex", "American Express"),
    ("bancontact", "Bancontact"),
    ("net_bnct", "Bancontact"),
    ("diners", "Diners Club"),
    ("discover", "Discover"),
    ("unionpay", "UnionPay"),
    ("jcb", "JCB"),
    ("iris", "IRIS"),
)


def parse_session(data: Mapping[str, Any]) -> Outcome:
    """Turn one session object into an :class:`Outcome`. Never raises on what Viva sends."""
    label = _text(data.get("applicationLabel"))
    bank_id = _text(data.get("bankId"))
    last4 = last_four(_text(data.get("primaryAccountNumberMasked")))
    installments = _integer(data.get("installments"))
    safe: dict[str, Any] = redact(dict(data))
    return Outcome(
        session_id=_text(data.get("sessionId")),
        terminal_id=_text(data.get("terminalId")),
        cash_register_id=_text(data.get("cashRegisterId")),
        amount=_whole(data.get("amount")),
        currency=_currency(data.get("currencyCode")),
        merchant_reference=_echo(data.get("merchantReference")),
        tip=_extra(data.get("tipAmount")),
        surcharge=_extra(data.get("surchargeAmount")),
        success=_flag(data.get("success")),
        event_id=_integer(data.get("eventId")),
        authorisation_code=_text(data.get("authorizationId")),
        transaction_id=_text(data.get("transactionId")),
        transaction_type_id=_integer(data.get("transactionTypeId")),
        rrn=_text(data.get("retrievalReferenceNumber")),
        stan=_number_text(data.get("referenceNumber")),
        entry_mode=_text(data.get("panEntryMode")),
        application_label=label,
        card_brand=_brand(_text(data.get("cardType")), label, bank_id),
        card_last4=last4,
        card_masked="*" * 12 + last4 if last4 else "",
        finished_at=_time(data.get("transactionDateTime")),
        abort_requested=data.get("abortOperation") is True,
        abort_success=data.get("abortSuccess") is True,
        verification_method=_text(data.get("verificationMethod")),
        tid=_text(data.get("tid")),
        short_order_code=_number_text(data.get("shortOrderCode")),
        order_code=_number_text(data.get("orderCode")),
        installments=installments if installments and 0 < installments < 100 else 0,
        message=_text(data.get("message")),
        preauth=_flag(data.get("preauth")),
        aid=_text(data.get("aid")),
        issuer_event_id=_integer(data.get("transactionEventId")),
        bank_id=bank_id,
        raw=safe,
    )


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _whole(value: Any) -> int | None:
    """Minor units: a whole JSON number and nothing else; ``12.5`` may be in major units."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        return None
    return value


def _extra(value: Any) -> int | None:
    return 0 if value is None else _whole(value)


def _integer(value: Any) -> int | None:
    """A code that is a number on the wire; the same digits in a string are understood."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST:
        return None
    return value


def _text(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return clean(value)[:_LONGEST] if isinstance(value, str) else ""


def _echo(value: Any) -> str | None:
    return None if value is None else _text(value)


def _number_text(value: Any) -> str:
    """An identifier for which Viva sends 0 when there is none."""
    text = _text(value)
    return "" if text == "0" else text


def _currency(value: Any) -> str:
    text = _text(value)
    if not re.fullmatch(r"[0-9]{1,3}", text):
        return ""
    try:
        return money.alpha(text.zfill(3))
    except money.CurrencyNotSupported:
        return ""


def _brand(*texts: str) -> str:
    for text in texts:
        for part, brand in _BRANDS:
            if part in text.lower():
                return brand
    return texts[0][:32]


def _time(value: Any) -> datetime | None:
    """ISO 8601 with offset and up to nine digits of a second, in UTC; else ``None``."""
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if not found:
        return None
    fraction = (found[7] or "").ljust(6, "0")[:6]
    offset = timedelta(0)
    if found[9]:
        offset = timedelta(hours=int(found[10]), minutes=int(found[11]))
        if found[9] == "-":
            offset = -offset
    try:
        year, month, day, hour, minute, second = (int(found[place]) for place in range(1, 7))
        local = datetime(year, month, day, hour, minute, second, int(fraction))
        return (local - offset).replace(tzinfo=timezone.utc)
    except (ValueError, OverflowError):
        return None
