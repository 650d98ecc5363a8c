"""Single fields of Viva's answers, read defensively.

They come as null, absent, or of another type depending on the age of the API; nothing here
raises on what is sent.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from . import money
from .redact import clean

_LONGEST = 255
LARGEST = 2**31 - 1

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


def integer(value: Any) -> int | None:
    """A code that is a number on the wire; the same digits in a string are understood."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > LARGEST:
        return None
    return value


def flag(value: Any) -> bool | None:
    """A JSON boolean and nothing else."""
    return value if isinstance(value, bool) else None


def whole(value: Any) -> int | None:
    """Minor units: a whole JSON number and nothing else; ``12.5`` may be in major units."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        return None
    return value


def extra(value: Any) -> int | None:
    """A tip or a surcharge: 0 when absent, ``None`` when nonsense."""
    return 0 if value is None else whole(value)


def echo(value: Any) -> str | None:
    """What we had sent: ``None`` when absent, ``""`` when it is no text."""
    return None if value is None else text(value)


def text(value: Any) -> str:
    """A text, or the digits of a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return clean(value)[:_LONGEST] if isinstance(value, str) else ""


def number_text(value: Any) -> str:
    """An identifier for which Viva sends 0 when there is none."""
    read = text(value)
    return "" if read == "0" else read


def currency(value: Any) -> str:
    """The alphabetic code for a numeric one, whether that is a number or a text."""
    digits = text(value)
    if not re.fullmatch(r"[0-9]{1,3}", digits):
        return ""
    try:
        return money.alpha(digits.zfill(3))
    except money.CurrencyNotSupported:
        return ""


def brand(*texts: str) -> str:
    """The brand that the first of the texts names, else the beginning of the first."""
    for words in texts:
        for part, name in _BRANDS:
            if part in words.lower():
                return name
    return texts[0][:32]


def masked(last4: str) -> str:
    """A card number of which only the last four digits are shown."""
    return "*" * 12 + last4 if last4 else ""


def installments(value: Any) -> int:
    """How many; 0 when there are none or it is nonsense."""
    number = integer(value)
    return number if number and 0 < number < 100 else 0


def moment(value: Any) -> datetime | None:
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
