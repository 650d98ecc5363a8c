"""The Local Terminal API: a small web server in the terminal's app (reference: local terminal API).

Without authentication: so https is pinned (:class:`transport.PinnedTransport`), and http is for a
network that one trusts (:class:`transport.DirectTransport`).

The device's specification cannot be read by everybody, and what is known has gaps. So every answer
is understood in one place, :func:`decide`, and what it does not understand is never a *no*.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from typing import Any, Literal

from . import fields
from .answers import detail_of, exchange, json_of, raw_of
from .capabilities import LOCAL as CAPABILITIES
from .endpoints import segment
from .errors import BadRequest, Busy, NotFound, NotPossible, ServerFault, VivaError
from .money import CurrencyNotSupported, viva_numeric
from .redact import last_four, redact
from .transport import HttpRequest, HttpResponse, Transport
from .types import (
    AbortRequest,
    Accepted,
    Capabilities,
    CaptureRequest,
    Outcome,
    Pending,
    RefundRequest,
    SaleRequest,
    SessionMissing,
    StartRequest,
    UnreferencedRefundRequest,
)

__all__ = ["CAPABILITIES", "PATHS", "LocalAddress", "LocalDriver", "Meaning", "decide"]

#: Where each operation lives (section 3). The last one is UNVERIFIED.
PATHS: dict[str, str] = {
    "sale": "/pos/v1/sale",
    "capture": "/pos/v1/preauth-completion",
    "refund": "/pos/v1/refund",
    "abort": "/pos/v1/abort",
    "session": "/pos/v1/sessions/",
    "unreferenced_refund": "/pos/v1/unreferenced-refund",
}

_PEER = "The terminal"
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,39}")

#: Fiscal fields that are no text on the wire (section 3.2).
_FISCAL_NUMBERS = frozenset({"aadeProviderId", "aadePreloadedDuration"})
_FISCAL_FLAGS = {"true": True, "false": False}


@dataclass(frozen=True)
class LocalAddress:
    """Where a terminal answers: ``LocalAddress("https", "192.168.1.7", 8080)``.

    :raises ValueError: not an address
    """

    scheme: str
    host: str
    port: int

    def __post_init__(self) -> None:
        if self.scheme not in ("https", "http"):
            raise ValueError("The scheme must be https or http.")
        if not isinstance(self.host, str) or not _HOST.fullmatch(self.host):
            raise ValueError(f"{self.host!r} is not the name or the address of a device.")
        if type(self.port) is not int or not 0 < self.port < 65536:
            raise ValueError("The port must be a number from 1 to 65535.")

    @property
    def url(self) -> str:
        """The base address, without a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


# -- what an answer means ---------------------------------------------------------


class Meaning(str, Enum):
    """What one answer of the terminal says."""

    ACCEPTED = "accepted"  # it runs, or the abort was taken
    BUSY = "busy"  # surely not started: another operation runs
    REFUSED = "refused"  # surely not started: not understood as it was written
    PENDING = "pending"  # not final yet
    YES = "yes"  # final: it says that it was carried out
    NO = "no"  # final: it was not
    CONTRADICTION = "contradiction"  # final, yes and no at once
    MISSING = "missing"  # the terminal does not know the session
    UNCLEAR = "unclear"  # says nothing: go on reading


Call = Literal["start", "read", "abort"]

#: States that end a session and say no; all but the first only seen in other people's code.
_NO_STATES = frozenset({"FAILURE", "ABORTED", "CANCELLED", "DECLINED", "ERROR", "FAILED"})
#: States that end a session and leave it to ``isSuccess``.
_YES_STATES = frozenset({"SUCCESS", "COMPLETED", "APPROVED"})
#: Refusals of a web server that has not looked at the operation.
_NEVER_LOOKED = frozenset({400, 404, 405, 406, 411, 413, 414, 415, 422})


def decide(call: Call, status: int, data: Any) -> Meaning:
    """Say what an answer means (sections 3.2 to 3.4, the rule of 3.3, 5.3).

    The body's ``state`` decides; the status of HTTP only when there is no state.

    :param call: what was asked
    :param data: the body read as JSON, or ``None``
    """
    envelope = data if isinstance(data, dict) else {}
    state = envelope.get("state")
    if not isinstance(state, str) or not state:
        return _without_state(call, status)
    state = state.strip().upper()
    if call == "start":
        # SERVER_ERROR: it could not be started, but "poll once to be sure" (section 3.2). States
        # that are not for this call leave it open in the same way.
        starts = {"PROCESSING": Meaning.ACCEPTED, "BUSY_ERROR": Meaning.BUSY}
        return starts.get(state, Meaning.UNCLEAR)
    if call == "abort":
        aborts = {
            "PROCESSING": Meaning.ACCEPTED,
            "SUCCESS": Meaning.ACCEPTED,
            "SESSION_NOT_FOUND_ERROR": Meaning.MISSING,
        }
        return aborts.get(state, Meaning.UNCLEAR)
    if state == "PROCESSING":
        return Meaning.PENDING
    if state == "SESSION_NOT_FOUND_ERROR":
        return Meaning.MISSING
    return _of_the_end(state, envelope)


def _without_state(call: Call, status: int) -> Meaning:
    if call == "start":
        return Meaning.REFUSED if status in _NEVER_LOOKED else Meaning.UNCLEAR
    return Meaning.MISSING if status in (400, 404) else Meaning.UNCLEAR


def _of_the_end(state: str, envelope: Mapping[str, Any]) -> Meaning:
    result = _result(envelope)
    success = fields.flag(result.get("isSuccess"))
    approved_offline = result.get("merchantApproved") is True
    if state in _YES_STATES:
        if success is None:
            # Of SUCCESS the rule says: unknown, go on reading. An abort's own success is no end.
            return Meaning.PENDING if state == "SUCCESS" else Meaning.UNCLEAR
        if success:
            return Meaning.YES
        return Meaning.CONTRADICTION if approved_offline else Meaning.NO
    if state in _NO_STATES:
        if success is None and state != "FAILURE":
            return Meaning.UNCLEAR
        return Meaning.CONTRADICTION if success or approved_offline else Meaning.NO
    return Meaning.UNCLEAR


def _part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = data.get(name)
    return part if isinstance(part, dict) else {}


def _result(envelope: Mapping[str, Any]) -> Mapping[str, Any]:
    """The result of a sale, or of giving back; that of an abort is none."""
    payload = _part(envelope, "payloadData")
    names = ["saleResponse", "cancelResponse"]
    if envelope.get("sessionType") == "CANCEL":
        names.reverse()
    return _part(payload, names[0]) or _part(payload, names[1])


# -- the driver -------------------------------------------------------------------


class LocalDriver:
    """One terminal of the own network. Each call is one exchange; nothing is repeated.

    :param transport: :class:`~transport.PinnedTransport` for https,
        :class:`~transport.DirectTransport` for http
    :param capture_link: how a capture names its preauth, UNVERIFIED (section 3.6)
    :param unreferenced_refund: try that operation on its UNVERIFIED path (section 3.7)
    :param connect_timeout: seconds
    :param read_timeout: seconds for the whole answer to a read or an abort
    :param start_timeout: seconds for the whole answer to a start
    :param may_send: asked right before the first byte of a start
    """

    def __init__(
        self,
        transport: Transport,
        address: LocalAddress,
        *,
        capture_link: Literal["transaction_id", "parent_session_id"] = "transaction_id",
        unreferenced_refund: bool = False,
        connect_timeout: float = 2.0,
        read_timeout: float = 5.0,
        start_timeout: float = 10.0,
        may_send: Callable[[], bool] | None = None,
    ) -> None:
        if capture_link not in ("transaction_id", "parent_session_id"):
            raise ValueError(f"{capture_link!r} is not a way to name a preauth.")
        self._transport = transport
        self._address = address
        self._capture_link = capture_link
        self._unreferenced = unreferenced_refund
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._start_timeout = start_timeout
        self._may_send = may_send

    @property
    def capabilities(self) -> Capabilities:
        """No preauth can be released; a refund without an original only with the switch."""
        if self._unreferenced:
            return replace(CAPABILITIES, unreferenced_refund=True)
        return CAPABILITIES

    def start(self, request: StartRequest) -> Accepted:
        """Hand an operation to the terminal (sections 3.2, 3.5 to 3.7).

        :raises NotPossible: nothing was sent: the switch is off, or the original has no name that
            this protocol understands
        :raises WrongDevice: nothing was sent
        :raises TooLate: ``may_send`` has said no; nothing was sent
        :raises Busy: another operation runs on the terminal; nothing was started
        :raises BadRequest: the terminal did not look at it, or it was not even sent (a currency
            that Viva does not list, a passenger that is none); nothing was started
        :raises ServerFault: it may have been started: read. Where the session is missing for
            10 seconds, it most likely never was (section 5.3)
        """
        name, body = self._body(request)
        response = self._call("POST", PATHS[name], body, self._start_timeout, self._may_send)
        meaning = decide("start", response.status, json_of(response))
        if meaning is Meaning.BUSY:
            raise _error(Busy, "The terminal is working on something else.", response)
        if meaning is Meaning.REFUSED:
            raise _error(BadRequest, "The terminal did not take the request.", response)
        if meaning is not Meaning.ACCEPTED or not _is_about(response, request.session_id):
            raise _unclear(response)
        return Accepted(raw=raw_of(response))

    def read(self, session_id: str) -> Outcome | Pending | SessionMissing:
        """Return the session as it is now (section 3.3).

        Missing right after the start may pass within 10 seconds; later it means that the app
        was started anew, and says nothing about the payment (section 5.3).

        :raises ServerFault: the terminal says nothing that can be used: go on reading
        """
        response = self._call("GET", PATHS["session"] + segment(session_id))
        data = json_of(response)
        meaning = decide("read", response.status, data)
        if meaning is Meaning.MISSING:
            return SessionMissing(detail_of(response))
        if meaning is Meaning.PENDING and _is_about(response, session_id):
            return Pending(detail_of(response))
        if meaning in _SUCCESS and isinstance(data, dict):
            return _outcome(session_id, data, _SUCCESS[meaning])
        raise _unclear(response)

    def abort(self, request: AbortRequest) -> Accepted:
        """Ask to drop a session (section 3.4). The terminal asks for no cash register.

        :raises NotFound: the terminal does not know the session
        """
        response = self._call("POST", PATHS["abort"], {"sessionId": request.session_id})
        meaning = decide("abort", response.status, json_of(response))
        if meaning is Meaning.MISSING:
            raise _error(NotFound, "The terminal does not know the session.", response)
        if meaning is not Meaning.ACCEPTED:
            raise _unclear(response)
        return Accepted(raw=raw_of(response))

    def sessions(self, day: date) -> list[Outcome]:
        """Raise: the terminal has no list.

        :raises NotPossible: always
        """
        raise NotPossible("This protocol has no list of sessions.")

    def probe(self) -> bool:
        """Ask for a session that never was, which changes nothing (section 5.3).

        ``True``: a terminal with this API answers; ``False``: something answers that may be one.

        :raises VivaError: nobody there, or surely something else
        """
        response = self._call("GET", PATHS["session"] + str(uuid.uuid4()))
        data = json_of(response)
        if isinstance(data, dict) and isinstance(data.get("state"), str):
            return True
        if not (200 <= response.status < 300 or response.status in (400, 404)):
            raise _unclear(response)
        return False

    def _body(self, request: StartRequest) -> tuple[str, dict[str, Any]]:
        """Return the operation's name in :data:`PATHS`, and what is sent."""
        body: dict[str, Any] = {
            "sessionId": request.session_id,
            "amount": request.amount,
            "currencyCode": _numeric(request.currency),
            "merchantReference": request.merchant_reference,
            "showTransactionResult": True,
            "showReceipt": True,
        }
        if request.customer_text:
            body["customerTrns"] = request.customer_text
        if isinstance(request, SaleRequest):
            name = "sale"
            body["preauth"] = request.preauth
            body["tipAmount"] = request.tip
            body["maxInstalments"] = max(1, request.max_installments)
        elif isinstance(request, UnreferencedRefundRequest):
            name = "unreferenced_refund"
            if not self._unreferenced:
                raise NotPossible("Whether the terminal can do that is not known.")
        else:
            name = "capture" if isinstance(request, CaptureRequest) else "refund"
            body.update(self._original(request))
        return name, _with_passenger(body, request.fiscal)

    def _original(self, request: CaptureRequest | RefundRequest) -> dict[str, Any]:
        """Return the name of the original. Never two of them: which one counts is not known."""
        by_session = self._capture_link == "parent_session_id"
        if isinstance(request, CaptureRequest) and by_session:
            return {"parentSessionId": request.parent_session_id}
        if request.parent_transaction_id:
            return {"transactionId": request.parent_transaction_id}
        if re.fullmatch(r"[0-9]{1,18}", request.parent_order_code):
            return {"orderCode": int(request.parent_order_code)}
        raise NotPossible("The terminal needs Viva's transaction id of the original.")

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        may_send: Callable[[], bool] | None = None,
    ) -> HttpResponse:
        return exchange(
            self._transport,
            HttpRequest(
                method,
                self._address.url + path,
                json=body,
                connect_timeout=self._connect_timeout,
                read_timeout=timeout or self._read_timeout,
                may_send=may_send,
            ),
            _PEER,
        )


_SUCCESS: dict[Meaning, bool | None] = {
    Meaning.YES: True,
    Meaning.NO: False,
    Meaning.CONTRADICTION: None,
}


def _numeric(currency: str) -> str:
    try:
        return viva_numeric(currency)
    except CurrencyNotSupported as error:
        raise BadRequest(str(error)) from None


def _with_passenger(body: dict[str, Any], fiscal: Mapping[str, str]) -> dict[str, Any]:
    """Add the fiscal fields, byte for byte; what the protocol declares as a number comes as one.

    :raises BadRequest: a field would replace one of ours, or is no number; nothing was sent
    """
    for name, value in fiscal.items():
        if name in body or not name.startswith(("aade", "fiscal")):
            raise BadRequest(f"{name} is not a fiscal field.")
        if name in _FISCAL_NUMBERS:
            if not re.fullmatch(r"0|[1-9][0-9]{0,8}", value):
                raise BadRequest(f"{name} must be a number.")
            body[name] = int(value)
        elif name == "aadePreloaded":
            if value not in _FISCAL_FLAGS:
                raise BadRequest(f"{name} must be true or false.")
            body[name] = _FISCAL_FLAGS[value]
        else:
            body[name] = value
    return body


def _outcome(session_id: str, envelope: Mapping[str, Any], success: bool | None) -> Outcome:
    """Read a final session. Never raises on what the terminal sends."""
    result = _result(envelope)
    aborted = _part(_part(envelope, "payloadData"), "abortResponse").get("isSuccess") is True
    event_id = fields.integer(result.get("eventId"))
    if event_id is None and aborted and success is False:
        event_id = _ABORTED
    transaction_id = fields.number_text(result.get("transactionId"))
    label = fields.text(result.get("applicationLabel"))
    bank_id = fields.text(result.get("bankId"))
    last4 = last_four(fields.text(result.get("primaryAccountNumberMasked")))
    tid = fields.text(result.get("tid"))
    safe: dict[str, Any] = redact(dict(envelope))
    return Outcome(
        session_id=_echoed(envelope, session_id),
        terminal_id=tid,
        amount=fields.whole(result.get("amount")),
        currency=_currency(result.get("currencyCode")),
        merchant_reference=fields.echo(result.get("merchantReference")),
        tip=fields.extra(result.get("tipAmount")),
        surcharge=fields.extra(result.get("surchargeAmount")),
        success=success,
        event_id=event_id,
        authorisation_code=fields.text(result.get("authorizationId")),
        transaction_id=transaction_id,
        transaction_type_id=fields.integer(result.get("transactionTypeId")),
        rrn=_rrn(result.get("retrievalReferenceNumber")),
        stan=fields.number_text(result.get("referenceNumber")),
        entry_mode=fields.text(result.get("panEntryMode")),
        application_label=label,
        card_brand=fields.brand(fields.text(result.get("cardType")), label, bank_id),
        card_last4=last4,
        card_masked=fields.masked(last4),
        finished_at=fields.moment(result.get("transactionDate")),
        abort_requested=result.get("isAbortRequested") is True,
        abort_success=aborted,
        verification_method=fields.text(result.get("verificationMethod")),
        tid=tid,
        short_order_code=fields.number_text(result.get("shortOrderCode")),
        order_code=fields.number_text(result.get("orderCode")),
        installments=fields.installments(result.get("installments")),
        message=fields.text(result.get("message")),
        aid=fields.text(result.get("aid")),
        bank_id=bank_id,
        offline=bool(success and not transaction_id and result.get("merchantApproved") is True),
        raw=safe,
    )


#: The event of an abort that worked.
_ABORTED = 1016


def _currency(value: Any) -> str:
    """The currency if it is told: one that is not understood must not pass for absent."""
    return "" if value in (None, "") else fields.currency(value) or "?"


def _rrn(value: Any) -> str:
    """Twelve digits: as a number it has lost its zeros (section 3.3)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value).zfill(12) if 0 < value < 10**12 else ""
    return fields.number_text(value)


def _echoed(envelope: Mapping[str, Any], session_id: str) -> str:
    """The session that an answer is about: the one that was asked for unless it says another."""
    told = envelope.get("sessionId")
    if told is None:
        return session_id
    text = fields.text(told)
    return session_id if text.lower() == session_id.lower() else text


def _is_about(response: HttpResponse, session_id: str) -> bool:
    data = json_of(response)
    return isinstance(data, dict) and _echoed(data, session_id) == session_id


def _error(kind: type[VivaError], message: str, response: HttpResponse) -> VivaError:
    return kind(message, status=response.status, detail=detail_of(response), raw=raw_of(response))


def _unclear(response: HttpResponse) -> VivaError:
    return _error(ServerFault, "The terminal's answer is not understood.", response)
