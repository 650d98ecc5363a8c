"""Make an answer of Viva safe to keep: no secrets, no personal data, no card numbers.

The result is also safe to store: no NUL characters, lone surrogates or infinite
numbers, which a database refuses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

REMOVED = "[removed]"

#: Keys whose value is removed; compared without case, ``_`` and ``-``.
_HIDDEN_KEYS = """
    accesstoken refreshtoken token idtoken authorization password secret clientsecret apikey key
    verificationkey signature
    email emailaddress phone phonenumber mobile fullname firstname lastname surname customername
    cardholdername cardholder name address customeremail customerphone customerfullname
    cardtoken carduniquereference cardexpirationdate cardexpiry expirationdate expirydate expiry
    track1 track2 cvv cvc pin pinblock
    latitude longitude lat lng lon geolocation ipaddress assignedmerchantusers
"""
_HIDDEN = frozenset(_HIDDEN_KEYS.split())

#: Keys that hold a card number, masked or not.
_CARD = frozenset(
    {"cardnumber", "primaryaccountnumbermasked", "primaryaccountnumber", "pan", "maskedpan"}
)

#: Identifiers of Viva and of ours that merely look like a card number.
_IDENTIFIER_KEYS = """
    ordercode shortordercode retrievalreferencenumber referencenumber aadetransactionid
    transactionid parentid sessionid parentsessionid messageid correlationid terminalid tid
    virtualterminalid merchantid recipientid
"""
_IDENTIFIER = frozenset(_IDENTIFIER_KEYS.split())

_EMAIL = re.compile(r"[^\s@<>\"']{1,64}@[^\s@<>\"']{1,190}\.[A-Za-z]{2,}")
_PAN = re.compile(r"(?<![0-9A-Za-z-])[0-9](?:[ -]?[0-9]){12,18}(?![ -]?[0-9])")
_MASKED = re.compile(r"(?<![0-9A-Za-z])[0-9]{1,8}[*xX•#]{3,13}([0-9]{1,4})(?![0-9A-Za-z])")
_DEEPEST = 20


def clean(text: str) -> str:
    """Return the text without what a database cannot store."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def last_four(value: str) -> str:
    """Return the last four digits of a card number however it was masked, else ``""``."""
    found = re.search(r"[0-9]{4}\Z", value.strip())
    return found.group() if found else ""


def redact(value: Any) -> Any:
    """Return a deep copy of a JSON-like value that may be stored and shown to a manager."""
    return _redact(value, "", 0)


def _redact(value: Any, key: str, depth: int) -> Any:
    if depth > _DEEPEST:
        return REMOVED
    if value is None or isinstance(value, bool):
        return value
    if key in _HIDDEN:
        return REMOVED
    if isinstance(value, Mapping):
        return {
            _text(str(name), ""): _redact(item, _plain(str(name)), depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_redact(item, key, depth + 1) for item in value]
    if key in _CARD:
        return "****" + last_four(str(value))
    if isinstance(value, int):
        safe = _text(str(value), key)
        return value if safe == str(value) else safe
    if isinstance(value, (float, Decimal)):
        number = float(value)
        return number if math.isfinite(number) else None
    return _text(str(value), key)


def _plain(key: str) -> str:
    return key.replace("_", "").replace("-", "").lower()


def _text(text: str, key: str) -> str:
    text = _EMAIL.sub(REMOVED, clean(text))
    text = _MASKED.sub(lambda found: "****" + found.group(1), text)
    if key in _IDENTIFIER:
        return text
    return _PAN.sub(lambda found: _hide_pan(found.group()), text)


def _hide_pan(found: str) -> str:
    digits = re.sub(r"[ -]", "", found)
    return "****" + digits[-4:] if _luhn(digits) else found


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 else 1)
        total += number - 9 if number > 9 else number
    return total % 10 == 0
