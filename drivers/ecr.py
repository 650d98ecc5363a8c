"""The messages of the "ECR protocol" as pure functions (reference: TCP/IP Prolin; sections below are its).

A frame is four digits, the number of bytes that follow, and then ``|field|field|…`` in ASCII.
A terminal that is ready says ``810``, a request is ``200`` (``100`` for a preauth), its answer
``210`` (``110``). Nothing here opens a connection: that is :mod:`tcp`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

from . import fields as read_field
from .errors import (
    BadRequest,
    NotPossible,
)
from .money import CurrencyNotSupported, exponent, to_major, to_minor
from .redact import last_four, redact
from .types import (
    Operation,
    Outcome,
    RefundRequest,
    SaleRequest,
    StartRequest,
)

__all__ = [
    "ANSWER_FIELDS",
    "CANCEL_LAYOUTS",
    "FISCAL_FIELDS",
    "RESP_CODE",
    "CancelLayout",
    "Fields",
    "FrameError",
    "FrameReader",
    "frame",
    "is_final",
    "is_ready",
    "operation_of",
    "parse_answer",
    "request_frame",
    "short_session_id",
    "split_frames",
]

# -- frames (section 2) -------------------------------------------------------------------------

#: The fields of one frame, without its length.
Fields: TypeAlias = tuple[str, ...]

_HEAD = 4
LONGEST_BODY = 9999


class FrameError(ValueError):
    """What came is no frame of this protocol; nothing behind it can be read either."""


def frame(fields: Sequence[str]) -> bytes:
    """Return the bytes of a frame: ``frame(["810", "00", "000032"]) == b"0014|810|00|000032"``.

    :raises ValueError: a value that is not printable ASCII or holds a ``|``; or it is too long
    """
    body = "".join("|" + value for value in fields)
    if not all(" " <= char <= "~" for char in body) or body.count("|") != len(fields):
        raise ValueError("A field must be printable ASCII without '|'.")
    if not fields or len(body) > LONGEST_BODY:
        raise ValueError(f"A frame has 1 to {LONGEST_BODY} bytes.")
    return f"{len(body):04d}{body}".encode("ascii")


def split_frames(data: bytes) -> tuple[list[Fields], bytes]:
    """Return the whole frames at the beginning of ``data``, and what is left: a part of one.

    :raises FrameError: as soon as it can be told that this is no frame
    """
    found: list[Fields] = []
    while True:
        head = data[:_HEAD]
        if not re.fullmatch(rb"[0-9]*", head):
            raise FrameError(f"{head!r} is no length.")
        if len(head) < _HEAD:
            return found, data
        length = int(head)
        if length == 0 or data[_HEAD : _HEAD + 1] not in (b"", b"|"):
            raise FrameError("A frame begins with its length and '|'.")
        end = _HEAD + length
        if len(data) < end:
            return found, data
        found.append(_fields(data[_HEAD:end]))
        data = data[end:]


def _fields(body: bytes) -> Fields:
    return tuple(body.decode("ascii", "replace").split("|")[1:])


class FrameReader:
    """Collects bytes however they are cut: split frames, glued frames.

    ``rest`` holds the part of a frame that has come so far, at most 10002 bytes of it.
    """

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[Fields]:
        """Return the frames that are whole now. :raises FrameError: not this protocol"""
        found, self.rest = split_frames(self.rest + data)
        return found

    def cut_short(self) -> Fields | None:
        """Return the fields of a frame whose announced length never came (section 2).

        Only with everything up to the amount; ``None`` otherwise. The last field may lack its
        end. See :func:`parse_answer`.
        """
        if len(self.rest) <= _HEAD:
            return None
        fields = _fields(self.rest[_HEAD:])
        # An amount has exactly two decimals, so a part of one can be told from a whole one.
        whole = len(fields) > _AMOUNT + 1 or (
            len(fields) == _AMOUNT + 1 and _DECIMAL.fullmatch(fields[_AMOUNT])
        )
        return fields if whole else None


# -- requests (sections 4.2, 4.5, 4.7) ----------------------------------------------------------

CancelLayout: TypeAlias = Literal["off", "C1", "C2", "C3"]

_REFERENCE = re.compile(r"[A-Za-z0-9]{32}")
_STAN = re.compile(r"0*[1-9][0-9]{0,5}")

#: What follows the amount of a sale: msgOpt and four reserved fields.
_SALE_TAIL = ("0000", "", "", "", "")

#: What follows them when optional fields are sent: the ISV's amount, client id, secret and source
#: code, always empty, and the name of the protocol.
_OPTIONAL = ("", "", "", "", "ecr_default")

#: Greek fiscal data, appended after the name of the protocol in this order. UNVERIFIED: that such
#: fields exist is documented, their place is not (sections 4.2, 7). Off unless the driver is told.
FISCAL_FIELDS: tuple[str, ...] = (
    "aadeProviderId",
    "aadeProviderSignatureData",
    "aadeProviderSignature",
)

#: What follows the amount of a cancel (section 4.5), all three UNVERIFIED and none of them on by
#: default. ``{stan}`` is the original's STAN; without it the terminal asks for the card and shows
#: the last three payments.
CANCEL_LAYOUTS: dict[str, tuple[str, ...]] = {
    "C1": ("{stan}",),
    "C2": ("0000", "", ""),
    "C3": _SALE_TAIL,
}

#: Message type and code by operation, and the types of an answer to it. 110 is UNVERIFIED.
_MESSAGES: dict[Operation, tuple[str, str, frozenset[str]]] = {
    Operation.SALE: ("200", "00", frozenset({"210"})),
    Operation.PREAUTH: ("100", "00", frozenset({"110", "210"})),
    Operation.REFUND: ("200", "04", frozenset({"210"})),
}
_FINAL_TYPES = frozenset({"210", "110"})


def short_session_id(session_id: str) -> str:
    """Return the six digits, never all zero, that stand for a session of ours on the wire.

    They need not be unique: one connection is one operation, and the terminal answers with a
    counter of its own (section 4.3).
    """
    number = int.from_bytes(hashlib.sha256(session_id.encode()).digest()[:8], "big")
    return f"{number % 999_999 + 1:06d}"


def operation_of(request: StartRequest) -> Operation:
    """Return what a request is by this protocol. :raises NotPossible: there is no message for it"""
    if isinstance(request, SaleRequest):
        return Operation.PREAUTH if request.preauth else Operation.SALE
    if isinstance(request, RefundRequest):
        return Operation.REFUND
    raise NotPossible("The TCP protocol has no message for this operation.")


def request_frame(request: StartRequest, *, cancel_layout: CancelLayout = "off") -> bytes:
    """Return the frame that asks for an operation.

    The amount goes out in major units with exactly two decimals; the currency is the terminal's
    and has no field.

    :raises NotPossible: the protocol has no message or field for it: the operation, a tip,
        installments, an unknown fiscal field
    :raises BadRequest: the reference is not 32 letters or digits, the currency has not two
        decimals, the original's STAN is missing, a value is not ASCII
    """
    operation = operation_of(request)
    kind, code, _answers = _MESSAGES[operation]
    if not _REFERENCE.fullmatch(request.merchant_reference):
        raise BadRequest("merchant_reference must be 32 letters or digits.")
    fields = [
        short_session_id(request.session_id),
        kind,
        code,
        request.merchant_reference,
        _amount(request.amount, request.currency),
    ]
    if isinstance(request, SaleRequest):
        if request.tip or request.max_installments > 1:
            raise NotPossible("The TCP protocol knows neither tip nor installments.")
        fields += _SALE_TAIL
        fields += _fiscal(request.fiscal)
    elif isinstance(request, RefundRequest):
        if request.fiscal:
            raise NotPossible("Where a cancel has its fiscal fields is not known.")
        fields += _cancel_tail(request, cancel_layout)
    try:
        return frame(fields)
    except ValueError as error:
        raise BadRequest(str(error)) from error


def _amount(minor: int, currency: str) -> str:
    try:
        digits = exponent(currency)
    except CurrencyNotSupported as error:
        raise BadRequest(str(error)) from error
    if digits != 2:
        raise BadRequest(f"The TCP protocol has two decimals, {currency} has {digits}.")
    return f"{to_major(minor, currency):.2f}"


def _fiscal(fiscal: Mapping[str, str]) -> tuple[str, ...]:
    if not fiscal:
        return ()
    unknown = sorted(set(fiscal) - set(FISCAL_FIELDS))
    if unknown:
        raise NotPossible(f"The TCP protocol has no place for {', '.join(unknown)}.")
    return (*_OPTIONAL, *(fiscal.get(name, "") for name in FISCAL_FIELDS))


def _cancel_tail(request: RefundRequest, layout: CancelLayout) -> tuple[str, ...]:
    if layout not in CANCEL_LAYOUTS:
        raise NotPossible("Giving money back by TCP is switched off.")
    tail = CANCEL_LAYOUTS[layout]
    if "{stan}" not in tail:
        return tail
    if not _STAN.fullmatch(request.parent_stan):
        raise BadRequest("The original's STAN is needed.")
    stan = f"{int(request.parent_stan):06d}"
    return tuple(stan if value == "{stan}" else value for value in tail)


# -- answers (sections 4.3, 4.4) ----------------------------------------------------------------

#: Names of the fields of an answer, by place. More may follow.
ANSWER_FIELDS: tuple[str, ...] = (
    "sessionId", "msgType", "msgCode", "respCode", "respMessage", "cardType", "accNum", "refNum",
    "authCode", "batchNum", "amount", "msgOpt", "tipAmount", "foreignAmount",
    "foreignCurrencyCode", "exchangeRateInclMarkup", "dccMarkupPercentage",
    "dccExchangeDateOfRate", "eftTid",
)  # fmt: skip
_AMOUNT = ANSWER_FIELDS.index("amount")
RESP_CODE = ANSWER_FIELDS.index("respCode")
_EFT_TID = ANSWER_FIELDS.index("eftTid")
_TID_WIDTH = 12
_MOST_EXTRAS = 64

_DECIMAL = re.compile(r"[0-9]{1,10}\.[0-9]{2}")
_RRN = re.compile(r"RRN:([0-9]{6,12})(?![0-9])")
_OTHER_CODE = re.compile(r"[0-9]{2}|[A-Z][0-9]|1A")

#: ``respCode`` of what went wrong: event id and issuer's reason, as the session object of the
#: other protocols has them (see :mod:`events`). All other codes of two characters come from the
#: issuer or its host; the complete list is UNVERIFIED.
_CODES: dict[str, tuple[int, int | None]] = {
    "UC": (1000, None),
    # "An error ocured", also from a terminal that was asleep. It does not say that no card was
    # read, so nobody may take it for "surely nothing charged" (sections 4.4, 5).
    "KO": (1099, None),
    "03": (1006, 10003),
    "14": (1006, 10014),
    "51": (1006, 10051),
    "54": (1006, 10054),
    "57": (1006, 10057),
    "61": (1006, 10061),
}
_DECLINED: tuple[int, int | None] = (1006, None)

#: Codes that ISO 8583 and EMV use for approvals of another kind. Viva's page does not name them;
#: neither a yes nor a no is read out of one.
_DOUBTFUL = frozenset({"08", "10", "11", "16", "32", "85", "87", "Y1", "Y3"})

#: First part of ``respMessage``; only "Contactless" has been seen, the others are UNVERIFIED.
_ENTRY_MODES: dict[str, str] = {
    "contactless": "07",
    "chip": "05",
    "contact": "05",
    "swipe": "90",
    "magstripe": "90",
}


def is_ready(fields: Fields) -> bool:
    """Tell whether a frame is ``txReady``, which has no session id before its type (4.1)."""
    return fields[0] == "810" and not is_final(fields)


def is_final(fields: Fields) -> bool:
    """Tell whether a frame is the end of an operation."""
    return len(fields) > 1 and fields[1] in _FINAL_TYPES


def parse_answer(
    fields: Fields,
    *,
    session_id: str,
    operation: Operation,
    currency: str,
    cut_short: bool = False,
) -> Outcome:
    """Turn an answer into an :class:`Outcome` of our session. Never raises on what was sent.

    ``success`` is True only for the right type and code of message with ``respCode`` exactly
    ``00``; whether amount and terminal are right is for :func:`verdict.judge` to say. The id in
    the answer is the terminal's counter and not compared. ``terminal_id`` is the device's own
    word (``eftTid``).

    :param currency: that of the request, for the number of decimals; the answer names none
    :param cut_short: the frame was shorter than announced, so its last field may be, too
    """
    told = dict(zip(ANSWER_FIELDS, fields, strict=False))
    code = told.get("respCode", "")
    message = told.get("respMessage", "")
    success, event_id, issuer = _decided(told, code, operation)
    tid = told.get("eftTid", "")
    if cut_short and len(fields) <= _EFT_TID + 1 and len(tid) < _TID_WIDTH:
        tid = ""
    tid = read_field.text(tid.strip())
    brand = read_field.text(told.get("cardType", ""))
    last4 = last_four(told.get("accNum", ""))
    entry, verification = _how(message)
    stan = read_field.text(told.get("refNum", ""))
    rrn = _RRN.search(message)
    return Outcome(
        session_id=session_id,
        terminal_id=tid,
        tid=tid,
        amount=_minor(told.get("amount", ""), currency),
        tip=_tip(told.get("tipAmount", ""), currency),
        success=success,
        event_id=event_id,
        issuer_event_id=issuer,
        authorisation_code=read_field.text(told.get("authCode", "")),
        rrn=rrn[1] if rrn else "",
        stan=stan if stan.strip("0") else "",
        entry_mode=entry,
        verification_method=verification,
        application_label=brand,
        card_brand=read_field.brand(brand) if brand else "",
        card_last4=last4,
        card_masked=read_field.masked(last4),
        message=read_field.text(message),
        preauth=True if told.get("msgType") == "110" else None,
        raw=_raw(told, fields),
    )


def _decided(
    told: Mapping[str, str], code: str, operation: Operation
) -> tuple[bool | None, int | None, int | None]:
    """Return success, event id and issuer's reason."""
    _kind, expected_code, expected_types = _MESSAGES[operation]
    ours = told.get("msgType") in expected_types and told.get("msgCode") == expected_code
    if not ours or code in _DOUBTFUL:
        return None, None, None
    if code == "00":
        return True, 0, None
    if code in _CODES or _OTHER_CODE.fullmatch(code):
        event_id, issuer = _CODES.get(code, _DECLINED)
        return False, event_id, issuer
    return None, None, None


def _minor(value: str, currency: str) -> int | None:
    if not _DECIMAL.fullmatch(value):
        return None
    try:
        return to_minor(value, currency)
    except ValueError:
        return None


def _tip(value: str, currency: str) -> int | None:
    """``00`` or nothing is no tip; how a real one looks is UNVERIFIED (section 4.3)."""
    return 0 if value in ("", "00") else _minor(value, currency)


def _how(message: str) -> tuple[str, str]:
    """``Contactless/PIN~RRN:…`` as ("07", "PIN"); only an approved answer has it. ``None`` is none."""
    how, marked, _rrn = message.partition("~RRN:")
    if not marked:
        return "", ""
    entry, _slash, verification = how.partition("/")
    entry, verification = entry.strip(), verification.strip()
    return (
        read_field.text(_ENTRY_MODES.get(entry.lower(), entry)),
        "" if verification.lower() == "none" else read_field.text(verification),
    )


def _raw(told: Mapping[str, str], fields: Fields) -> dict[str, Any]:
    raw: dict[str, Any] = {name: read_field.text(value) for name, value in told.items()}
    extra = [read_field.text(value) for value in fields[len(ANSWER_FIELDS) :][:_MOST_EXTRAS]]
    while extra and not extra[-1]:
        extra.pop()
    if extra:
        raw["extra"] = extra
    safe: dict[str, Any] = redact(raw)
    return safe
