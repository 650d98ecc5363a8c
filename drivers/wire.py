"""Requests, answers and errors as JSON, for the way between Odoo and the gateway in the shop.

Strict: whatever is of a wrong type, too long or contradicts itself is refused with
:class:`ValueError` and never repaired. Versionless: unknown keys are ignored, absent ones have
their default. Both sides may be of different age.

* a request: ``{"kind": "sale" | "capture" | "refund" | "unreferenced_refund" | "abort",
  "session_id": …, "amount": 1999, …}`` with the fields of the dataclass;
* an answer: ``{"kind": "outcome" | "pending" | "missing", …}``, times as ISO 8601 in UTC;
* an error: ``{"error": "Busy", "message": …, "status": null, "detail": …, …}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, replace
from datetime import datetime, timezone
from typing import Any, TypeVar, cast

from . import errors
from .errors import ServerFault, VivaError
from .fields import LARGEST, masked
from .redact import clean, last_four, redact
from .types import (
    AbortRequest,
    CaptureRequest,
    Outcome,
    Pending,
    RefundRequest,
    SaleRequest,
    SessionMissing,
    StartRequest,
    UnreferencedRefundRequest,
)

_T = TypeVar("_T")

_LONGEST = 1000
#: The same for the texts of an outcome, which the drivers keep that short.
_LONGEST_OF_OUTCOME = 255
#: Characters of the JSON of a redacted answer. One that is longer is left out: it is for people to
#: read, and must not keep the rest from arriving.
_LARGEST_RAW = 16_384

_REQUESTS: dict[str, type[Any]] = {
    "sale": SaleRequest,
    "capture": CaptureRequest,
    "refund": RefundRequest,
    "unreferenced_refund": UnreferencedRefundRequest,
}
_ANSWERS: dict[str, type[Any]] = {
    "outcome": Outcome,
    "pending": Pending,
    "missing": SessionMissing,
}
#: Fields of an outcome that are shown to people and compared with nothing.
_FOR_PEOPLE = (
    *("entry_mode", "application_label", "card_brand", "verification_method", "message"),
    *("aid", "bank_id"),
)
#: Numbers that no device counts below zero. A negative tip would make up for a charge too small.
_NOT_NEGATIVE = frozenset({"amount", "tip", "surcharge", "installments"})
_ERRORS: dict[str, type[VivaError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, VivaError) and kind is not VivaError
}


def request_to_json(request: StartRequest | AbortRequest) -> dict[str, Any]:
    """Return a request as a dictionary that JSON can carry."""
    if isinstance(request, AbortRequest):
        return _write("abort", request)
    return _write(_kind_of(request, _REQUESTS), request)


def request_from_json(data: Any) -> StartRequest:
    """Return the request to start something.

    :raises ValueError: nonsense, or what the request itself refuses
    """
    return cast(StartRequest, _read(_one_of(data, _REQUESTS), data))


def abort_from_json(data: Any) -> AbortRequest:
    """Return the request to drop a session; ``kind`` may be absent. :raises ValueError: nonsense"""
    return _read(AbortRequest, _object(data))


def answer_to_json(answer: Outcome | Pending | SessionMissing) -> dict[str, Any]:
    """Return what a read has told as a dictionary that JSON can carry."""
    return _write(_kind_of(answer, _ANSWERS), answer)


def answer_from_json(data: Any) -> Outcome | Pending | SessionMissing:
    """Return what a read has told. :raises ValueError: nonsense

    Whoever sends it may be mistaken or lie: of a card only the last four digits are kept, and
    texts for people lose what a driver would have taken out.
    """
    answer = cast("Outcome | Pending | SessionMissing", _read(_one_of(data, _ANSWERS), data))
    if not isinstance(answer, Outcome):
        return answer
    last4 = last_four(answer.card_last4)
    words: dict[str, Any] = {name: redact(getattr(answer, name)) for name in _FOR_PEOPLE}
    return replace(answer, card_last4=last4, card_masked=masked(last4), **words)


def error_to_json(error: VivaError) -> dict[str, Any]:
    """Return an error as a dictionary that JSON can carry."""
    return {
        "error": type(error).__name__,
        "message": clean(error.message)[:_LONGEST],
        "status": error.status,
        "detail": clean(error.detail)[:_LONGEST],
        "correlation_id": clean(error.correlation_id)[:_LONGEST],
        "raw": None if error.raw is None else _kept(error.raw),
    }


def error_from_json(data: Any) -> VivaError:
    """Return an error, not raised; one whose name is not known says nothing: ``ServerFault``.

    :raises ValueError: nonsense
    """
    data = _object(data)
    kind = _ERRORS.get(_text(data.get("error")), ServerFault)
    raw = data.get("raw")
    return kind(
        redact(_text(data.get("message", ""))),
        status=_number_or_none(data.get("status")),
        detail=redact(_text(data.get("detail", ""))),
        correlation_id=_text(data.get("correlation_id", "")),
        raw=None if raw is None else _raw(raw),
    )


# -- one object ---------------------------------------------------------------


def _object(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ValueError("An object was expected.")
    return data


def _kind_of(item: Any, kinds: Mapping[str, type[Any]]) -> str:
    for kind, made in kinds.items():
        if type(item) is made:
            return kind
    raise TypeError(f"{type(item).__name__} does not travel.")


def _one_of(data: Any, kinds: Mapping[str, type[Any]]) -> type[Any]:
    kind = _object(data).get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"kind must be one of {', '.join(kinds)}.")
    return kinds[kind]


def _write(kind: str, item: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"kind": kind}
    for field in fields(item):
        value = getattr(item, field.name)
        if isinstance(value, datetime):
            value = value.astimezone(timezone.utc).isoformat()
        elif isinstance(value, Mapping):
            value = _kept(value) if field.name == "raw" else dict(value)
        data[field.name] = value
    return data


def _read(made: type[_T], data: Mapping[str, Any]) -> _T:
    values = {}
    for field in fields(cast(Any, made)):
        if field.name in data:
            try:
                value = values[field.name] = _READERS[str(field.type)](data[field.name])
                if field.name in _NOT_NEGATIVE and value is not None and value < 0:
                    raise ValueError("a number from zero on was expected.")
                if made is Outcome and isinstance(value, str) and len(value) > _LONGEST_OF_OUTCOME:
                    raise ValueError("the text is too long.")
            except ValueError as error:
                raise ValueError(f"{field.name}: {error}") from None
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{field.name} is missing.")
    return made(**values)


# -- single values, by the annotation of their field --------------------------


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST or clean(value) != value:
        raise ValueError("a text was expected.")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _number(value: Any) -> int:
    if type(value) is not int or abs(value) > LARGEST:
        raise ValueError("a whole number was expected.")
    return value


def _number_or_none(value: Any) -> int | None:
    return None if value is None else _number(value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false was expected.")
    return value


def _flag_or_none(value: Any) -> bool | None:
    return None if value is None else _flag(value)


def _moment_or_none(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(_text(value)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise ValueError("a time was expected.") from None
    return moment


def _raw(value: Any) -> Mapping[str, Any]:
    return _kept(_object(value))


def _kept(raw: Mapping[str, Any]) -> dict[str, Any]:
    safe: dict[str, Any] = redact(raw)
    return safe if len(json.dumps(safe)) <= _LARGEST_RAW else {"left_out": "too long"}


def _passenger(value: Any) -> Mapping[str, str]:
    # Its names and values are checked by the request.
    return dict(_object(value))


_READERS: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "str | None": _text_or_none,
    "int": _number,
    "int | None": _number_or_none,
    "bool": _flag,
    "bool | None": _flag_or_none,
    "datetime | None": _moment_or_none,
    "Mapping[str, Any]": _raw,
    "Mapping[str, str]": _passenger,
}
