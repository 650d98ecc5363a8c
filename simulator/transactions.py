"""The transaction APIs beside the terminals: ``/api/transactions`` with Basic, ``/checkout/v2`` with a token
(transactions reference). Requests carry minor units, answers major ones."""

import uuid
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .access import Refused, bearer, faulty, merchant_by_basic
from .clock import athens, offset_athens
from .front import DropConnection
from .ledger import CAPTURE, PREAUTH, REVERSALS, ReversalRefused, Transaction, major
from .world import Merchant, World

_TYPE_NAMES = {0: "CardCapture", 1: "CardPreauth", 4: "CardRefund", 5: "CardCharge", 6: "CardInstallments", 7: "CardVoid",
               18: "CardRefundInstallments", 60: "IRIS", 61: "IRISRefund", 84: "IRISVoid"}  # fmt: skip
_Handler = Callable[[Request, World, Merchant], Awaitable[Response]]


def _basic(handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        try:
            return await handler(request, request.app.state.world, merchant_by_basic(request))
        except Refused as refused:
            return refused.response

    return serve


def _reading(handler: _Handler) -> _Handler:
    """A look-up with the faults that a test has ordered."""

    async def serve(request: Request, world: World, merchant: Merchant) -> Response:
        if fault := world.faults.take("transactions_status"):
            return _faulty(world, fault)
        return await handler(request, world, merchant)

    return serve


def _writing(handler: _Handler) -> _Handler:
    """A reversal or capture with the faults that a test has ordered."""

    async def serve(request: Request, world: World, merchant: Merchant) -> Response:
        faults = world.faults
        if faults.count_down("drop_reverse_request"):
            raise DropConnection
        fault = faults.take("reverse_status")
        if fault and not fault.get("accepted"):
            return _faulty(world, fault)
        response = await handler(request, world, merchant)
        if faults.count_down("drop_reverse_response"):
            raise DropConnection
        return _faulty(world, fault) if fault else response

    return serve


def _faulty(world: World, fault: dict[str, Any]) -> Response:
    """With ``text`` or ``event_id`` Viva's own envelope, else what a gateway says."""
    if "text" in fault or "event_id" in fault:
        return _outcome(world, fault["status"], fault.get("text"), fault.get("event_id", 0))
    return faulty(fault)


def _outcome(
    world: World, status: int, text: str | None = None, event_id: int = 0, **more: Any
) -> JSONResponse:
    """The envelope of the legacy API: the error is told by the status and again in the body."""
    code = 0 if status == 200 else status
    return JSONResponse(
        {
            **more,
            "ErrorCode": code,
            "ErrorText": text,
            "TimeStamp": offset_athens(world.clock.now()),
            "CorrelationId": None,
            "EventId": event_id,
            "Success": code == 0,
        },
        status,
    )


def _visible(world: World, merchant: Merchant) -> list[Transaction]:
    return [
        row
        for row in world.ledger.rows
        if row.merchant_id == merchant.merchant_id and _shown(world, row)
    ]


def _shown(world: World, row: Transaction) -> bool:
    age = world.clock.time() - row.created.timestamp()
    return not row.vanished and age >= world.faults.transactions_lag_s


def _find(world: World, merchant: Merchant, transaction_id: str) -> Transaction | None:
    row = world.ledger.find(merchant.merchant_id, transaction_id)
    return None if row is None or row.vanished else row


async def search(request: Request, world: World, merchant: Merchant) -> Response:
    """``GET /api/transactions``; a day is a day in Athens."""
    query = request.query_params
    try:
        day = date.fromisoformat(query["date"]) if "date" in query else None
        cleared = date.fromisoformat(query["clearancedate"]) if "clearancedate" in query else None
    except ValueError:
        world.violation("date is not YYYY-MM-DD", request.url.path, dict(query))
        return _outcome(world, 400, "Invalid date")
    if day is None and cleared is None and "ordercode" not in query:
        return _outcome(world, 400, "Empty options")

    def wanted(row: Transaction) -> bool:
        return (
            (day is None or athens(row.created).date() == day)
            and (cleared is None or _day(world.ledger.cleared_at(row)) == cleared)
            and query.get("ordercode") in (None, row.numbers.order_code)
            and query.get("sourcecode") in (None, row.source_code)
        )

    rows = [_row(world, row) for row in _visible(world, merchant) if wanted(row)]
    return _outcome(world, 200, Transactions=rows)


def _day(moment: datetime | None) -> date | None:
    return athens(moment).date() if moment else None


async def read(request: Request, world: World, merchant: Merchant) -> Response:
    row = _find(world, merchant, request.path_params["transaction_id"])
    if row is None or not _shown(world, row):
        status = world.settings.strict.unknown_transaction
        return _outcome(world, status, "Transaction not found", Transactions=[])
    return _outcome(world, 200, Transactions=[_row(world, row)])


def _row(world: World, row: Transaction) -> dict[str, Any]:
    """One row of the search (section 3)."""
    cleared = world.ledger.cleared_at(row)
    card = row.card
    merchant = world.merchants[row.merchant_id]
    negative = row.type_id in REVERSALS and world.settings.strict.negative_refunds
    hidden = world.faults.merchant_trns_null_in_list
    return {
        "TransactionId": row.transaction_id,
        "ParentId": row.parent_id,
        "Amount": major(-row.amount if negative else row.amount),
        "StatusId": row.status_id,
        "InsDate": offset_athens(row.created),
        "Commission": major(row.amount * 12 // 1000) if cleared else 0.0,
        "Fee": 0.0,
        "ClearanceDate": offset_athens(cleared) if cleared else None,
        "TipAmount": major(row.tip),
        "RedeemedAmount": 0.0,
        "SourceCode": row.source_code,
        "SourceTerminalId": int(row.terminal_id) if row.terminal_id.isdigit() else None,
        "MerchantTrns": None if hidden else row.merchant_reference,
        "CustomerTrns": row.customer_trns,
        "CurrencyCode": row.currency_code,
        "OriginalCurrencyCode": row.currency_code,
        "OriginalAmount": major(row.amount),
        "ConversionRate": 1.0,
        "AuthorizationId": row.numbers.authorization_id if row.approved else None,
        "RetrievalReferenceNumber": row.numbers.rrn,
        "PanEntryMode": row.pan_entry_mode,
        "BankId": card.bank_id if card else "NET_IRIS",
        "TotalInstallments": row.installments,
        "CurrentInstallment": 0,
        "IsManualRefund": row.manual_refund,
        "AcquirerApproved": row.approved,
        "Switching": False,
        "MerchantId": row.merchant_id,
        "ResellerId": None,
        "ResellerSourceCode": None,
        "ChannelId": None,
        "CreatedBy": None,
        "TargetPersonId": None,
        "Order": {
            "OrderCode": int(row.numbers.order_code),
            "ChannelId": None,
            "ResellerId": None,
            "SourceCode": row.source_code,
            "Tags": [],
            "RequestLang": "el-GR",
            "ResellerSourceCode": None,
        },
        "Payment": {
            "Email": "maria.invented@example.com",
            "Phone": "6900000000",
            "ChannelId": None,
            "FullName": merchant.name,
            "Installments": row.installments,
            "RecurringSupport": False,
        },
        "TransactionType": {
            "Name": _TYPE_NAMES.get(row.type_id, "Other"),
            "TransactionTypeId": row.type_id,
        },
        "CreditCard": {
            "Token": card.unique_reference,
            "Number": card.number,
            "CountryCode": "GR",
            "IssuingBank": card.issuer,
            "CardHolderName": "MARIA INVENTED",
            "ExpirationDate": card.expires,
            "CardType": {"Name": card.name.upper(), "CardTypeId": card.type_id},
        }
        if card
        else None,
    }


async def reverse(request: Request, world: World, merchant: Merchant) -> Response:
    """``DELETE /api/transactions/{id}``: void, refund or release; Viva decides which (section 4)."""
    query = request.query_params
    path = request.url.path
    parent = _find(world, merchant, request.path_params["transaction_id"])
    if not world.settings.refunds:
        text = f"The specified api action is disabled for the merchant {merchant.merchant_id}"
        return _outcome(world, 403, text)
    if parent is None:
        return _outcome(world, 404, "Transaction not found")
    amount = query.get("amount", "")
    if not amount.isdigit() or int(amount) == 0:
        world.violation("amount: a positive whole number in the query is needed", path, dict(query))
        return _outcome(world, 400, "Negative or zero amount in reversal")
    if query.get("currencyCode") not in (None, parent.currency_code):
        world.violation("currencyCode: not that of the sale", path, dict(query))
        return _outcome(world, 400, "Invalid currency")
    try:
        row = world.reverse(
            parent, int(amount), query.get("merchantTrns"), query.get("customerTrns")
        )
    except ReversalRefused as refusal:
        return _outcome(
            world, refusal.status, refusal.text, refusal.api_event, Amount=major(-int(amount))
        )
    return _outcome(world, 200, **_result(row))


async def capture(request: Request, world: World, merchant: Merchant) -> Response:
    """``POST /api/transactions/{id}``: capture of a pre-authorisation (section 5)."""
    parent = _find(world, merchant, request.path_params["transaction_id"])
    if not world.settings.captures:
        text = f"The specified api action is disabled for the merchant {merchant.merchant_id}"
        return _outcome(world, 403, text)
    if parent is None:
        return _outcome(world, 404, "Transaction not found")
    try:
        sent = await request.json()
        amount = sent["amount"]
    except (ValueError, TypeError, KeyError):
        amount = None
    if isinstance(amount, bool) or not isinstance(amount, int) or amount <= 0:
        world.violation("amount: a positive whole number is needed", request.url.path, str(amount))
        return _outcome(world, 400, "Invalid amount")
    if parent.type_id != PREAUTH:
        return _outcome(
            world, 403, "Invalid transaction. The transaction does not allow recurring charge"
        )
    if parent.status_id != "F" or world.ledger.lapsed(parent):
        return _outcome(world, 403, "Preauth has expired or already captured")
    if amount > parent.amount:
        return _outcome(world, 400, "Invalid capture amount")
    row = world.child(parent, amount, CAPTURE, sent.get("merchantTrns"), sent.get("customerTrns"))
    parent.status_id = "C"
    world.webhooks.publish(merchant.merchant_id, world.webhooks.of_transaction(row))
    world.touch()
    return _outcome(world, 200, **_result(row), TransactionTypeId=CAPTURE, RedirectUrl=None)


def _result(row: Transaction) -> dict[str, Any]:
    return {
        "Emv": None,
        "Amount": major(row.amount),
        "StatusId": "F",
        "CurrencyCode": row.currency_code,
        "TransactionId": row.transaction_id,
        "ReferenceNumber": row.numbers.stan,
        "AuthorizationId": row.numbers.authorization_id,
        "RetrievalReferenceNumber": row.numbers.rrn,
        "ThreeDSecureStatusId": 2,
    }


def _checkout_error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"status": status, "message": message, "eventId": "0"}, status)


async def retrieve(request: Request) -> Response:
    """``GET /checkout/v2/transactions/{id}``; the credentials of the terminal API get 403 here."""
    world: World = request.app.state.world
    grant = bearer(request)
    if grant is None:
        return Response(status_code=401)
    isv = "/isv/" in request.url.path
    if grant.role == "pos" or (grant.role == "isv") != isv:
        world.violation(f"{grant.role} credentials on {request.url.path}", request.url.path)
        return _checkout_error(403, "Forbidden")
    merchant_id = request.query_params.get("merchantId", "") if isv else grant.merchant_id
    row = world.ledger.find(merchant_id or "", request.path_params["transaction_id"])
    # IRIS and wallet payments at a terminal are not found here.
    if row is None or row.vanished or row.is_iris:
        return _checkout_error(404, "Transaction not found")
    card = row.card
    return JSONResponse(
        {
            "email": "maria.invented@example.com",
            "bankId": card.bank_id if card else None,
            "amount": major(row.amount),
            "switching": False,
            "orderCode": int(row.numbers.order_code),
            "statusId": row.status_id,
            "fullName": "Maria Invented",
            "insDate": offset_athens(row.created),
            "cardNumber": card.number if card else None,
            "currencyCode": row.currency_code,
            "customerTrns": row.customer_trns,
            "merchantTrns": row.merchant_reference,
            "transactionTypeId": row.type_id,
            "recurringSupport": False,
            "totalInstallments": row.installments,
            "cardCountryCode": "GR" if card else None,
            "cardIssuingBank": card.issuer if card else None,
            "currentInstallment": 0,
            "cardUniqueReference": card.unique_reference if card else None,
            "cardTypeId": card.type_id if card else None,
            "digitalWalletId": None,
        }
    )


async def webhook_key(request: Request, world: World, merchant: Merchant) -> Response:
    return JSONResponse({"Key": merchant.webhook_key})


def _isv(request: Request) -> bool:
    grant = bearer(request)
    return grant is not None and grant.role == "isv"


async def isv_webhook_key(request: Request) -> Response:
    world: World = request.app.state.world
    if not _isv(request):
        return Response(status_code=401)
    return JSONResponse({"key": next(iter(world.merchants.values())).webhook_key})


async def isv_subscribe(request: Request) -> Response:
    """``POST /isv/v1/webhooks``: an ISV registers by API; the address has to answer ``{"key": …}``."""
    world: World = request.app.state.world
    if not _isv(request):
        return Response(status_code=401)
    try:
        sent = await request.json()
        url, event_type = str(sent["url"]), int(sent["eventTypeId"])
    except (ValueError, TypeError, KeyError):
        world.violation("webhook registration without url and eventTypeId", request.url.path)
        return _checkout_error(400, "Invalid request")
    if event_type == 4865:
        return _checkout_error(400, "The event type is not available")
    verified, text = True, ""
    key = next(iter(world.merchants.values())).webhook_key
    for merchant_id in world.merchants:
        events = {*world.webhooks.events_at(url, merchant_id), event_type}
        verified, text = await world.webhooks.register(
            url, sorted(events), merchant_id, key, key_field="key"
        )
    if not verified:
        return _checkout_error(400, text)
    return JSONResponse({"webhookId": str(uuid.uuid4())})


ROUTES = [
    Route("/api/messages/config/token", _basic(webhook_key), methods=["GET"]),
    Route("/api/transactions", _basic(_reading(search)), methods=["GET"]),
    Route("/api/transactions/", _basic(_reading(search)), methods=["GET"]),
    Route("/api/transactions/{transaction_id}", _basic(_reading(read)), methods=["GET"]),
    Route("/api/transactions/{transaction_id}", _basic(_writing(reverse)), methods=["DELETE"]),
    Route("/api/transactions/{transaction_id}", _basic(_writing(capture)), methods=["POST"]),
    Route("/checkout/v2/transactions/{transaction_id}", retrieve, methods=["GET"]),
    Route("/checkout/v2/isv/transactions/{transaction_id}", retrieve, methods=["GET"]),
    Route("/isv/v1/webhooks/token", isv_webhook_key, methods=["GET"]),
    Route("/isv/v1/webhooks", isv_subscribe, methods=["POST"]),
]
