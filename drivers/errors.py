"""Errors by cause. The class alone says whether the customer may have been charged.

* :class:`DefiniteError`: refused before anything happened. Show it.
* :class:`RetryableError`: this request surely did not start anything. The person
  who waits may repeat it, with the same session id.
* :class:`IndeterminateError`: sent, but nobody knows what became of it. Never an
  offer to charge again: read the session until it is settled.

A definite or retryable error speaks about the request that raised it. If the
same session id had been sent before with an answer lost, that earlier request
stays as unsettled as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class VivaError(Exception):
    """Base of everything that a driver raises.

    :param message: one English sentence for a log; people are shown their own
        words, chosen by class
    :param status: HTTP status of Viva's answer, if there was one
    :param detail: Viva's own words, shortened
    :param correlation_id: what Viva's support asks for (section 1.5)
    :param raw: Viva's answer, redacted
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        detail: str = "",
        correlation_id: str = "",
        raw: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.detail = detail
        self.correlation_id = correlation_id
        self.raw = raw

    def __str__(self) -> str:
        parts = [self.message]
        if self.status is not None:
            parts.append(f"HTTP {self.status}")
        if self.detail:
            parts.append(self.detail)
        if self.correlation_id:
            parts.append(f"correlation id {self.correlation_id}")
        return " · ".join(parts)


class DefiniteError(VivaError):
    """Refused before anything happened: nothing was charged by this request."""


class CredentialsError(DefiniteError):
    """Client id, secret, merchant id or API key are wrong, or belong to the other environment."""


class PermissionDenied(DefiniteError):
    """Known, but not allowed; on abort: another cash register started the session (4.4)."""


class ActionDisabled(PermissionDenied):
    """The merchant has not allowed it in Viva's settings: *Allow refunds*, *Allow … pre-auth captures
    via API* (transactions reference, section 1.3)."""


class BadRequest(DefiniteError):
    """Viva did not accept the request as it was written (400, 422 and the like)."""


class NotPossible(DefiniteError):
    """The protocol cannot do that; nothing was sent. ``capabilities`` says so beforehand."""


class WrongDevice(DefiniteError):
    """Another device answers at the address: its certificate is not the one that was confirmed, or
    it speaks another protocol. Nothing was sent to it."""


class Busy(DefiniteError):
    """The terminal is working on another request.

    The cloud tells it later, as event 1100 of the session; drivers that talk to
    the device itself learn it at once.
    """


class NotFound(DefiniteError):
    """Viva does not know the session, the parent or the path (404)."""


class AlreadyUsed(DefiniteError):
    """The session id exists already (409, section 3.3).

    If this very request had been sent before, it **had arrived**: go on reading
    the session. Otherwise it is a defect.
    """


class NotReversible(DefiniteError):
    """The original cannot be given back or captured: it failed, is used up, lapsed, or is a
    reversal itself (transactions reference, sections 4.2 and 5)."""


class PartialTooEarly(DefiniteError):
    """Before clearing only the whole amount can be given back; or it is more than is left."""


class InsufficientFunds(DefiniteError):
    """The merchant's balance at Viva does not cover the refund (452)."""


class Declined(DefiniteError):
    """The acquirer or the issuer has declined the reversal or capture."""


class RetryableError(VivaError):
    """This request surely started nothing; it may be repeated with the same session id."""


class Unreachable(RetryableError):
    """No connection: name not resolved, refused, timed out, certificate not accepted."""


class TooLate(RetryableError):
    """The order was not valid any more at the moment at which its first byte would have been sent."""


class Unavailable(RetryableError):
    """Viva answered that it cannot take the request now, or its login service is down."""


class LoginUnavailable(Unavailable):
    """No access token to be had: the request itself never left us."""


class TokenBusy(RetryableError):
    """Somebody else is fetching a new access token; nobody queues behind that."""


class IndeterminateError(VivaError):
    """The request left us and its fate is not known."""


class AnswerLost(IndeterminateError):
    """No (complete) answer: time-out, reset, or an answer too large to read."""


class ServerFault(IndeterminateError):
    """An answer that says nothing: 500, 502, 504, a redirect, or a body that is not understood."""
