"""The Local Terminal API: an HTTP server inside the terminal (local reference, sections 2 to 6 and 10).

Beside those of :mod:`simulator.lan` it has these options; a *list of statuses* is used up from the front, and an entry is a
number (nothing was done) or ``{"status": 500, "accepted": true, "state": "SERVER_ERROR", "body": …}`` with any of them.

=========================  ===============================================================================================
``unknown_session``        200, 404 or 400: the HTTP status of SESSION_NOT_FOUND_ERROR
``duplicate``              a repeated session id: ``state`` answers how that session stands, ``busy`` says BUSY_ERROR
``session_ttl_s``          how long a finished session is remembered
``busy_status``            HTTP status of BUSY_ERROR
``latency_ms``             waited before every answer
``cors``                   true: CORS headers and an answer to OPTIONS
``drop_before_accept``     number of operations whose connection is closed before anything happened
``drop_after_accept``      number of operations that are accepted and then answered by closing the connection
``drop_read``              number of readings of a session that are answered by closing the connection
``start_status``           list of statuses for operations
``session_status``         the same for ``GET sessions/{id}``
``abort_status``           the same for ``abort``
``silent``                 true: requests are never answered (nothing is done)
``polls_to_finish``        n: nobody is needed, the n-th reading of the session finds it decided (by amount)
``success_without_payload``  true, or a number of readings: SUCCESS with an empty payload
``success_false``          true: a refusal is told as SUCCESS with ``isSuccess`` false
``approve_although_aborted``  true: an abort is accepted, and the customer pays all the same
``abort_final``            state answered to the abort of a finished session
``merchant_approved``      value of ``merchantApproved`` in online results; null: the field is left out
``capture_link``           what names the pre-authorisation of a capture: ``any``, ``transactionId`` or ``parentSessionId``
``tip_on_top``             false: the tip is within the amount of the request
``aade_public_key``        PEM; with it the signature of the fiscal data is checked
=========================  ===============================================================================================

``restart``: sessions are forgotten; a request that waits for a card disappears from the screen, one whose card was read is
carried out all the same.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import uvicorn
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from .fields import Fields
from .front import DropConnection, DroppableProtocol, cut
from .lan import Lan, Options
from .ledger import PREAUTH, Transaction
from .session import LOCAL, Operation, Session, State
from .settings import CURRENCIES

if TYPE_CHECKING:
    from .terminal import Terminal

BASE = "/pos/v1"
PATHS = {
    "sale": Operation.SALE,
    "refund": Operation.REFUND,
    "preauth-completion": Operation.CAPTURE,
    "unreferenced-refund": Operation.UNREFERENCED_REFUND,
}
PROCESSING, NOT_FOUND, BUSY, ERROR = (
    "PROCESSING",
    "SESSION_NOT_FOUND_ERROR",
    "BUSY_ERROR",
    "SERVER_ERROR",
)
_FISCAL = ("aadeProviderId", "aadeProviderSignatureData", "aadeProviderSignature")
_COMMON = {
    "sessionId",
    "amount",
    "merchantReference",
    "customerTrns",
    "currencyCode",
    "showTransactionResult",
    "showReceipt",
    *_FISCAL,
}
_SALE = _COMMON | {
    "preauth",
    "tipAmount",
    "saleToAcquirerData",
    "maxInstalments",
    "aadePreloaded",
    "aadePreloadedDuration",
    "paymentMethod",
}
_KEYS = {"transactionId", "orderCode", "shortOrderCode", "txnDateFrom", "txnDateTo"}
_KNOWN = {
    Operation.SALE: _SALE,
    Operation.REFUND: _COMMON | _KEYS,
    Operation.CAPTURE: _COMMON | _KEYS | {"referenceNumber", "parentSessionId"},
    Operation.UNREFERENCED_REFUND: _COMMON,
}
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Accept",
    "Access-Control-Allow-Private-Network": "true",
}


@dataclass
class LocalOptions(Options):
    unknown_session: int = 200
    duplicate: str = "state"
    session_ttl_s: float = 300
    busy_status: int = 200
    latency_ms: int = 0
    cors: bool = False
    drop_before_accept: int = 0
    drop_after_accept: int = 0
    drop_read: int = 0
    start_status: list[Any] = field(default_factory=list)
    session_status: list[Any] = field(default_factory=list)
    abort_status: list[Any] = field(default_factory=list)
    silent: bool = False
    polls_to_finish: int | None = None
    success_without_payload: bool | int = False
    success_false: bool = False
    approve_although_aborted: bool = False
    abort_final: str = NOT_FOUND
    merchant_approved: bool | None = None
    capture_link: str = "any"
    tip_on_top: bool = True
    aade_public_key: str = ""

    def count_down(self, name: str) -> bool:
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    def take(self, name: str) -> dict[str, Any] | None:
        entries: Any = getattr(self, name)
        if isinstance(entries, list) and entries:
            entry = entries.pop(0)
            return entry if isinstance(entry, dict) else {"status": int(entry)}
        return None


@dataclass
class Known:
    """A session as the device's app remembers it."""

    session: Session
    sent: dict[str, Any]
    polls: int = 0


class LocalApi(Lan):
    protocol = "local"
    options: LocalOptions

    def __init__(self, terminal: Terminal, host: str, port: int, scheme: str) -> None:
        if scheme not in ("https", "http"):
            raise ValueError(f"There is no scheme {scheme!r}.")
        super().__init__(terminal, host, port, scheme)
        self.options = LocalOptions()
        self.sessions: dict[str, Known] = {}
        self._all: list[Known] = []
        self._server: asyncio.Server | None = None
        self._state = ServerState()

    # -- the server --------------------------------------------------------------------------------------------------

    async def _serve(self, listener: socket.socket) -> None:
        config = uvicorn.Config(
            self._app, interface="asgi3", ws="none", lifespan="off", log_config=None
        )
        config.load()
        self._state = ServerState()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: DroppableProtocol(config, self._state, {}),
            sock=listener,
            ssl=self.certificate.context if self.certificate else None,
        )

    def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    def _forget(self) -> None:
        self.sessions.clear()

    def asked(self) -> list[dict[str, Any]]:
        return [
            {
                **known.session.as_dict(),
                "offline": known.session.offline,
                "polls": known.polls,
                "sent": known.sent,
            }
            for known in self._all
        ]

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        entry = self.note(scope["method"], scope["path"])
        began = time.perf_counter()
        try:
            response = await self._answer(Request(scope, receive), entry)
            await response(scope, receive, send)
        except DropConnection:
            entry["status"] = "dropped"
            await cut(scope, receive)
        finally:
            entry["ms"] = round((time.perf_counter() - began) * 1000, 1)

    async def _answer(self, request: Request, entry: dict[str, Any]) -> Response:
        await request.body()
        if self.options.silent:
            entry["status"] = "silent"
            while self.options.silent and not await request.is_disconnected():
                await asyncio.sleep(0.05)
            raise DropConnection
        if self.options.cors and request.method == "OPTIONS":
            response: Response = Response(status_code=204)
        else:
            response = await self._routed(request)
        if self.options.latency_ms:
            await asyncio.sleep(self.options.latency_ms / 1000)
        if self.options.cors:
            response.headers.update(_CORS)
        entry["status"] = response.status_code
        return response

    async def _routed(self, request: Request) -> Response:
        method, path = request.method, request.scope["path"]
        place, _, rest = path.removeprefix(f"{BASE}/").partition("/")
        if path.startswith(f"{BASE}/"):
            if method == "GET" and place == "sessions" and rest:
                return self._read(rest)
            if method == "POST" and not rest and place in PATHS:
                return await self._start(request, PATHS[place])
            if method == "POST" and not rest and place == "abort":
                return await self._abort(request)
        self.world.violation(f"{method}: no such address", f"/lan{path}")
        return JSONResponse({"message": "Not found"}, 404)

    # -- operations --------------------------------------------------------------------------------------------------

    async def _start(self, request: Request, operation: Operation) -> Response:
        options = self.options
        if options.count_down("drop_before_accept"):
            raise DropConnection
        fault = options.take("start_status")
        if fault and not fault.get("accepted"):
            return _faulty(fault)
        response = await self._accept(request, operation)
        if options.count_down("drop_after_accept"):
            raise DropConnection
        return _faulty(fault) if fault else response

    async def _accept(self, request: Request, operation: Operation) -> Response:
        sent = await self._body(request)
        if isinstance(sent, str):
            return self._wrong(request, sent)
        fields = Fields(self.world, f"/lan{request.url.path}", sent)
        fields.known(_KNOWN[operation])
        session = self._session(fields, operation)
        if wrong := fields.wrong or self._content(session, sent, operation):
            return self._wrong(request, wrong, session.session_id)
        if known := self._known(session.session_id):
            if self.options.duplicate == "state":
                return JSONResponse(self._state_of(known.session))
            return self._busy(session)
        if operation.without_card:
            session.parent = self._parent(sent, operation)
            if session.parent is None:
                session.refusal = 1012
        if session.amount < self.world.settings.min_amount and not operation.without_card:
            session.refusal = 6000
        if refusal := self._fiscal(session, sent):
            session.refusal = refusal
        if not self.begin(session):
            return self._busy(session)
        known = Known(session, sent)
        self.sessions[session.session_id] = known
        self._all.append(known)
        return JSONResponse(self._state_of(session, PROCESSING))

    async def _body(self, request: Request) -> dict[str, Any] | str:
        """The JSON object, or what is wrong with it."""
        content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if content_type != "application/json":
            return f"Content-Type: {content_type or 'missing'}"
        try:
            sent = await request.json()
        except ValueError:
            return "The body is not JSON"
        return sent if isinstance(sent, dict) else "The body is not an object"

    def _session(self, fields: Fields, operation: Operation) -> Session:
        sale = operation is Operation.SALE
        session_id = fields.text("sessionId", required=True) or ""
        amount = fields.integer("amount", required=True)
        tip = fields.integer("tipAmount") if sale else 0
        preauth = fields.boolean("preauth", False) if sale else False
        for name in ("showTransactionResult", "showReceipt", "aadePreloaded"):
            fields.boolean(name, True)
        return Session(
            merchant_id=self.terminal.merchant_id,
            session_id=session_id,
            terminal_id=self.terminal.terminal_id,
            cash_register_id="",
            operation=Operation.PREAUTH if preauth else operation,
            amount=amount + tip if self.options.tip_on_top else amount,
            currency_code=fields.text("currencyCode", number_too=True) or "978",
            created=self.world.clock.now(),
            merchant_reference=fields.text("merchantReference"),
            customer_trns=fields.text("customerTrns"),
            tip=tip,
            max_instalments=fields.integer("maxInstalments", default=1) if sale else 0,
            channel=LOCAL,
        )

    def _content(self, session: Session, sent: dict[str, Any], operation: Operation) -> str:
        """What is wrong with well-formed fields."""
        currency = session.currency_code
        if session.amount - (session.tip if self.options.tip_on_top else 0) <= 0:
            return "amount: must be positive"
        if not 0 <= session.tip <= session.amount:
            return "tipAmount: must not exceed the amount"
        if session.operation is Operation.PREAUTH and session.tip:
            return "preauth: not together with a tip"
        if currency not in CURRENCIES or self.world.settings.currency not in (None, currency):
            return f"currencyCode: {currency} is not a currency of the merchant"
        if operation is Operation.REFUND and not sent.get("transactionId"):
            return "transactionId: field required"
        return ""

    def _parent(self, sent: dict[str, Any], operation: Operation) -> Transaction | None:
        """The payment that a refund or capture is about; 3.5 and 3.6."""
        link = self.options.capture_link if operation is Operation.CAPTURE else "transactionId"
        if link in ("any", "parentSessionId") and sent.get("parentSessionId"):
            known = self._known(str(sent["parentSessionId"]))
            done = known.session.result if known else None
            wanted = {"transactionId": done["transactionId"]} if done else {}
        elif link == "parentSessionId":
            wanted = {}
        else:
            wanted = sent
        row = self._row(wanted)
        if row is not None and operation is Operation.CAPTURE and row.type_id != PREAUTH:
            return None
        return row

    def _row(self, wanted: dict[str, Any]) -> Transaction | None:
        rows = [
            row
            for row in reversed(self.world.ledger.rows)
            if row.merchant_id == self.terminal.merchant_id and row.approved
        ]
        if wanted.get("transactionId"):
            return next(
                (row for row in rows if row.transaction_id == wanted["transactionId"]), None
            )
        for name, value in (
            ("orderCode", lambda row: row.numbers.order_code),
            ("shortOrderCode", lambda row: row.numbers.short_order_code),
            ("referenceNumber", lambda row: str(row.numbers.stan)),
        ):
            if wanted.get(name):
                return next(
                    (row for row in rows if value(row) == str(wanted[name]) and not row.parent_id),
                    None,
                )
        return None

    def _fiscal(self, session: Session, sent: dict[str, Any]) -> int:
        """The event id for fiscal data that the terminal refuses (8 and 10); 0 when all is well."""
        data, signature = sent.get("aadeProviderSignatureData"), sent.get("aadeProviderSignature")
        if not data and not signature:
            return 0
        if not (data and signature and sent.get("aadeProviderId")):
            return 1083
        parts = str(data).split(";")
        if len(parts) != 8 or parts[7].strip() != self.tid or parts[3] != str(sent.get("amount")):
            return 1077
        if self.options.aade_public_key:
            key = serialization.load_pem_public_key(self.options.aade_public_key.encode())
            assert isinstance(key, ec.EllipticCurvePublicKey)
            try:
                key.verify(
                    base64.b64decode(str(signature), validate=True),
                    str(data).encode(),
                    ec.ECDSA(hashes.SHA256()),
                )
            except (InvalidSignature, binascii.Error):
                return 1076
        session.echo["aade"] = True
        return 0

    def _wrong(self, request: Request, what: str, session_id: str = "") -> Response:
        self.world.violation(what, f"/lan{request.url.path}")
        return JSONResponse({"state": ERROR, "sessionId": session_id, "message": what}, 400)

    def _busy(self, session: Session) -> Response:
        return JSONResponse(self._state_of(session, BUSY), self.options.busy_status)

    # -- sessions ----------------------------------------------------------------------------------------------------

    def _known(self, session_id: str) -> Known | None:
        known = self.sessions.get(session_id)
        if known is None or known.session.finished is None:
            return known
        age = self.world.clock.time() - known.session.finished.timestamp()
        if age > self.options.session_ttl_s:
            del self.sessions[session_id]
            return None
        return known

    def _not_found(self, session_id: str) -> Response:
        body = {"state": NOT_FOUND, "sessionId": session_id}
        return JSONResponse(body, self.options.unknown_session)

    def _read(self, session_id: str) -> Response:
        options = self.options
        if options.count_down("drop_read"):
            raise DropConnection
        if fault := options.take("session_status"):
            return _faulty(fault)
        known = self._known(session_id)
        if known is None:
            return self._not_found(session_id)
        known.polls += 1
        session = known.session
        if options.polls_to_finish is not None and known.polls >= options.polls_to_finish:
            self.terminal.pay_at_once(session)
        answer = self._state_of(session)
        if session.state is State.FINAL:
            answer["payloadData"] = self._payload(session)
        if session.state is State.FINAL and options.success_without_payload:
            if options.success_without_payload is not True:
                options.success_without_payload -= 1
            answer |= {"state": "SUCCESS", "payloadData": {}}
        return JSONResponse(answer)

    def _state_of(self, session: Session, state: str = "") -> dict[str, Any]:
        if not state:
            result = session.result
            state = PROCESSING
            if session.state is State.FINAL and result is not None:
                success = result["success"] or self.options.success_false
                state = "SUCCESS" if success else "FAILURE"
        return {
            "state": state,
            "sessionId": session.session_id,
            "sessionType": "CANCEL" if session.operation.gives_back else "SALE",
        }

    def _payload(self, session: Session) -> dict[str, Any]:
        result = session.result
        assert result is not None
        success = result["success"]
        data: dict[str, Any] = {
            "transactionId": result["transactionId"],
            "tid": session.tid or session.terminal_id,
            "verificationMethod": result["verificationMethod"],
            "retrievalReferenceNumber": result["retrievalReferenceNumber"],
            "transactionDate": _seven_digits(result["transactionDateTime"]),
            "authorizationId": result["authorizationId"],
            "panEntryMode": result["panEntryMode"],
            "aid": result["aid"],
            "tipAmount": session.tip,
            "amount": result["amount"],
            "isAbortRequested": session.abort_requested,
            "applicationLabel": result["applicationLabel"],
            "primaryAccountNumberMasked": result["primaryAccountNumberMasked"],
            "referenceNumber": result["referenceNumber"],
            "orderCode": result["orderCode"],
            "shortOrderCode": result["shortOrderCode"],
            "installments": result["installments"],
            "eventId": result["eventId"],
            "message": result["message"],
            "isSuccess": success,
            "transactionTypeId": result["transactionTypeId"],
            "aadeTransactionId": "",
        }
        if result["terminalId"] != session.terminal_id:  # ordered with the tap
            data["tid"] = result["terminalId"]
        if session.offline:
            data["merchantApproved"] = True
        elif self.options.merchant_approved is not None:
            data["merchantApproved"] = self.options.merchant_approved
        if success and session.echo.get("aade"):
            rrn = data["retrievalReferenceNumber"] or 0
            data["aadeTransactionId"] = f"116{rrn:012d}{data['referenceNumber']:06d}"
        payload: dict[str, Any] = {
            "cancelResponse" if session.operation.gives_back else "saleResponse": {
                name: value for name, value in data.items() if value is not None
            }
        }
        if result["eventId"] == 1016:
            payload["abortResponse"] = {"isSuccess": True}
        return payload

    async def _abort(self, request: Request) -> Response:
        if fault := self.options.take("abort_status"):
            return _faulty(fault)
        sent = await self._body(request)
        if isinstance(sent, str):
            return self._wrong(request, sent)
        session_id = str(sent.get("sessionId", ""))
        known = self._known(session_id)
        if known is None:
            return self._not_found(session_id)
        session = known.session
        if session.state is State.FINAL:
            return JSONResponse(self._state_of(session, self.options.abort_final))
        if self.options.approve_although_aborted:
            session.abort_requested = True
            self.world.spawn(self._pay_all_the_same(session))
        else:
            self.terminal.abort(session)
        return JSONResponse(self._state_of(session, PROCESSING))

    async def _pay_all_the_same(self, session: Session) -> None:
        await self.world.clock.sleep(self.world.settings.abort_ms / 1000)
        self.terminal.pay_at_once(session)


def _seven_digits(moment: str | None) -> str | None:
    """``2025-03-14T10:22:31.1200000+02:00`` from a time with milliseconds."""
    return f"{moment[:23]}0000{moment[23:]}" if moment else None


def _faulty(fault: dict[str, Any]) -> Response:
    if "body" in fault:
        content = fault["body"]
        if isinstance(content, str):
            return Response(content, fault["status"], media_type="application/json")
        return JSONResponse(content, fault["status"])
    state = fault.get("state", ERROR)
    return JSONResponse(
        {"state": state, "message": f"Simulated {fault['status']}"}, fault["status"]
    )
