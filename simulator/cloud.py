"""The cloud terminal API, ``/ecr/v1`` and ``/ecr/isv/v1`` (cloud reference, sections 2 to 5)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .access import Refused, bearer, detail, faulty
from .fields import Fields, read, validation_error
from .front import DropConnection
from .ledger import PREAUTH
from .session import Operation, Session, State
from .settings import CURRENCIES
from .terminal import Terminal
from .world import Action, World

MERCHANT, ISV = "/ecr/v1", "/ecr/isv/v1"
_FISCAL = {
    "aadeProviderId",
    "aadeProviderSignatureData",
    "aadeProviderSignature",
    "aadePreloaded",
    "aadePreloadedDuration",
}
_COMMON = {
    "sessionId",
    "terminalId",
    "cashRegisterId",
    "amount",
    "currencyCode",
    "merchantReference",
    "customerTrns",
    "showTransactionResult",
    "showReceipt",
    "interappCallback",
    "saleToAcquirerData",
    "isvDetails",
    *_FISCAL,
}
_SALE = _COMMON | {
    "preauth",
    "maxInstalments",
    "tipAmount",
    "skipSurcharge",
    "paymentMethod",
    "fiscalisationData",
}
_WITH_PARENT = _COMMON | {"parentSessionId"}
_PAYMENT_METHODS = {
    "CardPresent", "MOTO", "QrDefault", "QrPayconic", "AliPay", "Paypal", "Klarna", "IRIS", "BLIK",
}  # fmt: skip
_LONGEST_SESSION_ID = 75


@dataclass(frozen=True)
class Caller:
    """Who calls: a merchant by its own credentials, or an ISV (``merchant_id`` None) for one of its merchants."""

    merchant_id: str | None

    @property
    def is_isv(self) -> bool:
        return self.merchant_id is None

    def may_see(self, session: Session) -> bool:
        return session.isv is not None if self.is_isv else session.merchant_id == self.merchant_id


def _caller(request: Request) -> Caller:
    """:raises Refused: 401, also for credentials of another kind"""
    world: World = request.app.state.world
    isv = request.url.path.startswith(ISV)
    grant = bearer(request)
    if grant is None or grant.role == "checkout" or (grant.role == "isv") != isv:
        if grant is not None:
            world.violation(
                f"{grant.role} credentials on {ISV if isv else MERCHANT}", request.url.path
            )
        raise Refused(detail(401, "Could not validate credentials"))
    return Caller(grant.merchant_id)


def endpoint(
    handler: Callable[[Request, World, Caller], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        try:
            return await handler(request, request.app.state.world, _caller(request))
        except Refused as refused:
            return refused.response

    return serve


# -- devices ---------------------------------------------------------------------------------------------------------


async def devices(request: Request, world: World, caller: Caller) -> Response:
    if fault := world.faults.take("devices_status"):
        return faulty(fault)
    sent = await read(request)
    sent.known({"statusId", "sourceCode", "merchantId"})
    status_id, source_code = sent.integer("statusId", default=-1), sent.text("sourceCode")
    merchant_id = sent.text("merchantId", required=True) if caller.is_isv else caller.merchant_id
    sent.check()
    if not -1 <= status_id <= 7:
        raise sent.refuse("statusId: not between 0 and 7")
    found = [
        {
            "terminalId": terminal.terminal_id,
            "statusId": terminal.status_id,
            "sourceCode": terminal.source_code,
            "virtualTerminalId": terminal.virtual_terminal_id,
            **({"merchantId": terminal.merchant_id} if caller.is_isv else {}),
        }
        for terminal in world.terminals.values()
        if terminal.merchant_id == merchant_id
        and status_id in (-1, terminal.status_id)
        and source_code in (None, terminal.source_code)
    ]
    return JSONResponse(found)


# -- operations ------------------------------------------------------------------------------------------------------


def start(operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint ``transactions:{operation}``."""

    async def handle(request: Request, world: World, caller: Caller) -> Response:
        sent = await read(request)
        faults = world.faults
        if faults.count_down("drop_sale_request"):
            raise DropConnection
        fault = faults.take("sale_status")
        if fault and not fault.get("accepted"):
            return faulty(fault)
        await _accept(world, caller, sent, operation)
        if faults.count_down("drop_sale_response"):
            raise DropConnection
        return faulty(fault) if fault else Response(status_code=200)

    return endpoint(handle)


async def _accept(world: World, caller: Caller, sent: Fields, operation: Operation) -> None:
    """:raises Refused: when nothing was started"""
    session = _read_session(world, caller, sent, operation)
    if (session.merchant_id, session.session_id) in world.sessions:
        raise Refused(detail(409, "Session already exists"))
    terminal = _terminal(world, session, sent)
    world.sessions[session.merchant_id, session.session_id] = session
    if terminal is None:
        return
    if session.amount < world.settings.min_amount and not operation.without_card:
        terminal.refuse(session, 6000)
    else:
        terminal.request(session)
        if world.faults.webhook.before_answer:
            terminal.pay_at_once(session)
            await world.webhooks.idle(world.settings.webhook_timeout_s)
    world.touch()


def _read_session(world: World, caller: Caller, sent: Fields, operation: Operation) -> Session:
    with_parent = operation.without_card
    sale = operation is Operation.SALE
    sent.known(_WITH_PARENT if with_parent else _SALE if sale else _COMMON)
    session_id = sent.text("sessionId", required=True) or ""
    terminal_id = sent.text("terminalId", required=True, number_too=True) or ""
    cash_register_id = sent.text("cashRegisterId", required=True) or ""
    amount = sent.integer("amount", required=True)
    currency = sent.text("currencyCode", number_too=True) or "978"
    reference = sent.text("merchantReference", required=not with_parent)
    customer_trns = sent.text("customerTrns")
    tip = sent.integer("tipAmount") if sale else 0
    instalments = sent.integer("maxInstalments") if sale else 0
    preauth = sent.boolean("preauth", False) if sale else False
    parent_id = sent.text("parentSessionId", required=True) if with_parent else None
    isv = sent.mapping("isvDetails", required=caller.is_isv)
    echo = _echo(sent)
    sent.check()
    sent.expected("currencyCode", *(["tipAmount"] if sale else []))
    _check_content(world, sent, session_id, currency, preauth)
    _check_amount(world, sent, amount, tip, operation)
    merchant_id = caller.merchant_id or str((isv or {}).get("terminalMerchantId", ""))
    session = Session(
        merchant_id=merchant_id,
        session_id=session_id,
        terminal_id=terminal_id,
        cash_register_id=cash_register_id,
        operation=Operation.PREAUTH if preauth else operation,
        amount=amount + tip if world.settings.strict.tip_on_top else amount,
        currency_code=currency,
        created=world.clock.now(),
        merchant_reference=reference,
        customer_trns=customer_trns,
        tip=tip,
        max_instalments=instalments,
        isv=isv if caller.is_isv else None,
        echo=echo,
    )
    if parent_id is not None:
        _attach_parent(world, caller, session, parent_id)
    return session


def _echo(sent: Fields) -> dict[str, Any]:
    values: dict[str, Any] = {
        "showTransactionResult": sent.boolean("showTransactionResult", True),
        "showReceipt": sent.boolean("showReceipt", True),
        "skipSurcharge": sent.boolean("skipSurcharge", False),
    }
    for name in (
        "saleToAcquirerData",
        *sorted(_FISCAL - {"aadePreloaded", "aadePreloadedDuration"}),
    ):
        sent.text(name)
    if callback := sent.text("interappCallback"):
        values["interappCallback"] = callback
    return values


def _check_content(
    world: World, sent: Fields, session_id: str, currency: str, preauth: bool
) -> None:
    if len(session_id) > _LONGEST_SESSION_ID:
        raise sent.refuse("sessionId: too long")
    if currency not in CURRENCIES or world.settings.currency not in (None, currency):
        raise sent.refuse(f"currencyCode: {currency} is not a currency of the merchant")
    if preauth and sent.sent.get("tipAmount"):
        raise sent.refuse("preauth: not together with a tip")
    if sent.sent.get("paymentMethod") not in (None, *_PAYMENT_METHODS):
        raise sent.refuse("paymentMethod: unknown")


def _check_amount(world: World, sent: Fields, amount: int, tip: int, operation: Operation) -> None:
    if amount <= 0:
        raise sent.refuse("amount: must be positive")
    if not 0 <= tip <= amount:
        raise sent.refuse("tipAmount: must not exceed the amount")
    below = amount < world.settings.min_amount and not operation.without_card
    if below and world.settings.strict.below_minimum == "400":
        raise Refused(detail(400, "amount: below the minimum"))


def _attach_parent(world: World, caller: Caller, session: Session, parent_id: str) -> None:
    """:raises Refused: 404 when the parent is unknown, pending, failed or aborted (4.2)"""
    parent = world.sessions.get((session.merchant_id, parent_id))
    not_found = Refused(detail(404, "Session not found"))
    if (
        parent is None
        or not caller.may_see(parent)
        or not parent.result
        or not parent.result["success"]
    ):
        raise not_found
    row = world.ledger.find(session.merchant_id, parent.result["transactionId"])
    if row is None:
        raise not_found
    capture = session.operation is Operation.CAPTURE
    if capture and row.type_id != PREAUTH:
        raise not_found
    if not capture and row.type_id == PREAUTH and not world.settings.strict.preauth_void:
        raise not_found
    session.parent = row
    if session.merchant_reference is None:
        session.merchant_reference = row.merchant_reference


def _terminal(world: World, session: Session, sent: Fields) -> Terminal | None:
    """The merchant's terminal; None for an unknown one that is treated as one that is off."""
    terminal = world.terminals.get(session.terminal_id)
    if terminal is not None and terminal.merchant_id == session.merchant_id:
        return terminal
    refusal = sent.refuse("terminalId: unknown terminal", 404)
    if world.settings.strict.unknown_terminal == "pending":
        return None
    raise refusal


# -- sessions --------------------------------------------------------------------------------------------------------


def _find(world: World, caller: Caller, session_id: str) -> Session:
    """:raises Refused: 404, also for a session of somebody else"""
    if caller.merchant_id is None:
        found = [
            item
            for item in world.sessions.values()
            if item.session_id == session_id and caller.may_see(item)
        ]
    else:
        found = [item for item in [world.sessions.get((caller.merchant_id, session_id))] if item]
    if found:
        return found[0]
    raise Refused(detail(404, "Session not found"))


async def read_session(request: Request, world: World, caller: Caller) -> Response:
    if fault := world.faults.take("session_status"):
        return faulty(fault)
    session = _find(world, caller, request.path_params["session_id"])
    age = world.clock.time() - session.created.timestamp()
    if age < world.faults.session_404_first_s:
        return detail(404, "Session not found")
    if session.state is not State.FINAL:
        return detail(202, "The session is being processed")
    return JSONResponse(session.result)


async def list_sessions(request: Request, world: World, caller: Caller) -> Response:
    if fault := world.faults.take("list_status"):
        return faulty(fault)
    text = request.query_params.get("date")
    try:
        day = date.fromisoformat(text) if text else world.clock.now().date()
    except ValueError:
        world.violation("date is not YYYY-MM-DD", request.url.path, text)
        error = {"loc": ["query", "date"], "msg": "invalid date format", "type": "value_error.date"}
        raise validation_error(world, [error]) from None
    found: list[dict[str, Any]] = []
    for session in list(world.sessions.values()):
        if session.created.date() == day and caller.may_see(session) and not _lags(world, session):
            found += [result for result in (session.result, session.later) if result]
    if len(found) == 1 and world.settings.strict.single_as_object:
        return JSONResponse(found[0])
    return JSONResponse(found)


def _lags(world: World, session: Session) -> bool:
    lag = world.faults.list_lags
    if lag is True:
        return True
    age = world.clock.time() - (session.finished or session.created).timestamp()
    return bool(lag) and age < lag


async def abort(request: Request, world: World, caller: Caller) -> Response:
    path = request.url.path
    if world.faults.abort_refused_status:
        return faulty({"status": world.faults.abort_refused_status})
    register = request.query_params.get("cashRegisterId")
    if not register:
        world.violation("cashRegisterId: missing", path)
        error = {
            "loc": ["query", "cashRegisterId"],
            "msg": "field required",
            "type": "value_error.missing",
        }
        raise validation_error(world, [error])
    session = _find(world, caller, request.path_params["session_id"])
    if session.cash_register_id != register:
        world.violation("abort by a foreign cash register", path, {"cashRegisterId": register})
        return detail(403, "Only the cash register that started the session may abort it")
    if session.state is State.FINAL:
        return detail(world.settings.strict.abort_final, "The session is final")
    if session.abort_requested:
        return detail(409, "An abort is already under way")
    terminal = world.terminals.get(session.terminal_id)
    if terminal is not None:
        terminal.abort(session)
    else:
        session.abort_requested = True
    return Response(status_code=200)


# -- actions ---------------------------------------------------------------------------------------------------------


async def start_action(request: Request, world: World, caller: Caller) -> Response:
    sent = await read(request)
    sent.known({"terminalId", "cashRegisterId", "actionType", "request", "isvDetails"})
    terminal_id = sent.text("terminalId", required=True, number_too=True) or ""
    register = sent.text("cashRegisterId", required=True) or ""
    action_type = sent.text("actionType", required=True) or ""
    sent.mapping("request", required=True)
    isv = sent.mapping("isvDetails", required=caller.is_isv)
    sent.check()
    merchant_id = caller.merchant_id or str((isv or {}).get("terminalMerchantId", ""))
    terminal = world.terminals.get(terminal_id)
    if terminal is None or terminal.merchant_id != merchant_id:
        raise sent.refuse("terminalId: unknown terminal", 404)
    if action_type != "aade-fim-control":
        raise sent.refuse("actionType: unknown")
    ready_at = world.clock.time() + world.settings.authorising_ms / 1000
    action = Action(merchant_id, terminal_id, register, action_type, ready_at)
    world.actions[action.action_id] = action
    return JSONResponse(_action_body(action))


async def read_action(request: Request, world: World, caller: Caller) -> Response:
    action = world.actions.get(request.path_params["action_id"])
    if action is None or caller.merchant_id not in (None, action.merchant_id):
        return detail(404, "Action not found")
    if world.clock.time() < action.ready_at or not world.terminals[action.terminal_id].online:
        return detail(202, "The action is being processed")
    done = {"successfullyProcessed": True, "response": {"status": 0, "message": "OK"}}
    return JSONResponse({**_action_body(action), **done})


def _action_body(action: Action) -> dict[str, Any]:
    return {
        "terminalId": action.terminal_id,
        "cashRegisterId": action.cash_register_id,
        "actionType": action.action_type,
        "actionId": action.action_id,
    }


def _routes(prefix: str, operations: tuple[Operation, ...]) -> list[Route]:
    return [
        Route(f"{prefix}/devices:search", endpoint(devices), methods=["POST"]),
        *(
            Route(f"{prefix}/transactions:{operation.value}", start(operation), methods=["POST"])
            for operation in operations
        ),
        Route(f"{prefix}/sessions", endpoint(list_sessions), methods=["GET"]),
        Route(f"{prefix}/sessions/{{session_id:path}}", endpoint(read_session), methods=["GET"]),
        Route(f"{prefix}/sessions/{{session_id:path}}", endpoint(abort), methods=["DELETE"]),
        Route(f"{prefix}/actions", endpoint(start_action), methods=["POST"]),
        Route(f"{prefix}/actions/{{action_id}}", endpoint(read_action), methods=["GET"]),
    ]


ROUTES = [
    *_routes(ISV, (Operation.SALE, Operation.REFUND)),
    *_routes(MERCHANT, tuple(item for item in Operation if item is not Operation.PREAUTH)),
]
