"""What is common to all answers of Viva (reference, section 1.5): getting them, reading them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .errors import (
    AlreadyUsed,
    AnswerLost,
    BadRequest,
    CredentialsError,
    NotFound,
    PermissionDenied,
    ServerFault,
    TooLate,
    Unavailable,
    Unreachable,
    VivaError,
    WrongDevice,
)
from .redact import redact
from .transport import (
    ConnectFailed,
    HttpRequest,
    HttpResponse,
    NotInTime,
    ResponseLost,
    Transport,
    WrongCertificate,
)

_LONGEST_DETAIL = 500

#: What a status says about the request. Every other 4xx is a bad request; everything else
#: (5xx, redirects, 408 of some gateway) leaves the outcome open. 429 is UNVERIFIED.
_CAUSES: dict[int, tuple[type[VivaError], str]] = {
    401: (CredentialsError, "Viva does not accept the access token."),
    403: (PermissionDenied, "Viva does not allow it."),
    404: (NotFound, "Viva does not know it."),
    408: (ServerFault, "Viva did not say what became of the request."),
    409: (AlreadyUsed, "The session id exists already."),
    429: (Unavailable, "Viva asks for fewer requests."),
    503: (Unavailable, "Viva cannot take the request now."),
}


def exchange(transport: Transport, request: HttpRequest, peer: str = "Viva") -> HttpResponse:
    """Send one request and return the answer, whatever its status.

    :param peer: who is asked, for the words of an error
    :raises WrongDevice: nothing was sent; another device answers at the address
    :raises TooLate: nothing was sent
    :raises Unreachable: nothing was sent
    :raises AnswerLost: something may have been sent
    """
    try:
        return transport.send(request)
    except WrongCertificate as error:
        raise WrongDevice(f"{peer} is not who answers.", detail=str(error)) from error
    except NotInTime as error:
        raise TooLate(f"{peer} was reached too late; nothing was sent.") from error
    except ConnectFailed as error:
        raise Unreachable(f"{peer} cannot be reached.", detail=str(error)) from error
    except ResponseLost as error:
        raise AnswerLost(f"{peer}'s answer was lost.", detail=str(error)) from error


def json_of(response: HttpResponse, *, exact: bool = False) -> Any:
    """Return the body read as JSON; ``None`` when it is none. Infinite numbers become null.

    :param exact: numbers with a fraction come as :class:`~decimal.Decimal`
    """
    try:
        return json.loads(
            response.body,
            parse_float=Decimal if exact else None,
            parse_constant=lambda name: None,
        )
    except (ValueError, RecursionError, ArithmeticError):
        return None


def detail_of(response: HttpResponse) -> str:
    """Return Viva's own words: ``detail`` as text or as list, or what other services call it."""
    data = json_of(response)
    if not isinstance(data, dict):
        return ""
    detail = data.get("detail")
    if detail is None:
        names = ("error_description", "error", "message", "ErrorText")
        detail = next(filter(None, map(data.get, names)), None)
    if isinstance(detail, list):
        words = "; ".join(filter(None, map(_validation, detail[:10])))
    else:
        words = detail if isinstance(detail, str) else ""
    return str(redact(words))[:_LONGEST_DETAIL]


def _validation(item: Any) -> str:
    """``{"loc": ["body", "amount"], "msg": "…"}`` as ``body.amount: …``."""
    if not isinstance(item, dict):
        return item if isinstance(item, str) else ""
    place = item.get("loc")
    path = ".".join(str(part) for part in place) if isinstance(place, list) else ""
    return ": ".join(part for part in (path, str(item.get("msg") or "")) if part)


def correlation_id_of(response: HttpResponse) -> str:
    """Return the id that Viva's support asks for."""
    return str(redact(response.headers.get("x-viva-correlationid", "")))[:64]


def raw_of(response: HttpResponse) -> Mapping[str, Any]:
    """Return the answer, redacted, if it was an object."""
    data = json_of(response)
    return redact(data) if isinstance(data, dict) else {}


def error_of(response: HttpResponse) -> VivaError:
    """Return the error for an answer that is neither a success nor expected."""
    status = response.status
    if status in _CAUSES:
        kind, message = _CAUSES[status]
    elif 400 <= status < 500:
        kind, message = BadRequest, "Viva did not accept the request."
    else:
        kind, message = ServerFault, "Viva did not say what became of the request."
    return kind(
        message,
        status=status,
        detail=detail_of(response),
        correlation_id=correlation_id_of(response),
        raw=raw_of(response),
    )


def not_understood(response: HttpResponse) -> ServerFault:
    """Return the error for a success whose body is not what it should be."""
    return ServerFault(
        "Viva's answer is not understood.",
        status=response.status,
        correlation_id=correlation_id_of(response),
        raw=raw_of(response),
    )
