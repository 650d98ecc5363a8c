"""The transactions API: Viva's book by transaction id, without a terminal (transactions reference).

Merchant id and API key; requests carry minor units, answers decimals in major units.

There is **no idempotency** here: a reversal or capture that is sent twice is done twice, as far
as there is money left. Nothing is ever repeated by this class, and after an
:class:`IndeterminateError` nobody else may repeat it either: the rows of the original's order
code say what became of it (:func:`verdict.judge_children`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from . import fields, money
from .answers import correlation_id_of, detail_of, exchange, json_of, not_understood, raw_of
from .endpoints import Endpoints, segment
from .errors import (
    ActionDisabled,
    BadRequest,
    CredentialsError,
    Declined,
    InsufficientFunds,
    NotFound,
    NotReversible,
    PartialTooEarly,
    PermissionDenied,
    ServerFault,
    Unavailable,
    VivaError,
)
from .redact import last_four, redact
from .transport import HttpRequest, HttpResponse, Transport
from .types import Entry, Reversed

_PATH = "/api/transactions/"

#: Types of rows that give money back (section 6.2, rule of thumb, and the void of IRIS). Whether
#: their amount has a sign is UNVERIFIED: it is left away.
_BACK = frozenset(
    {4, 7, 11, 13, 17, 18, 21, 24, 26, 28, 30, 35, 37, 39, 41, 45, 49, 51, 53, 55, 57, 59, 61}
    | {63, 65, 67, 71, 75, 79, 84}
)

_NOT_REVERSIBLE = 2055
#: ``EventId`` of an error 502 with which the acquirer or the issuer declines (section 4.2).
_DECLINED = frozenset({311, 10200})


class TransactionsApi:
    """The book of one merchant.

    :param connect_timeout: seconds
    :param read_timeout: seconds for a whole answer
    """

    def __init__(
        self,
        transport: Transport,
        endpoints: Endpoints,
        merchant_id: str,
        api_key: str,
        *,
        connect_timeout: float = 2.0,
        read_timeout: float = 6.0,
    ) -> None:
        self._transport = transport
        self._endpoints = endpoints
        self._basic = (merchant_id, api_key)
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout

    def find(self, transaction_id: str) -> Entry | None:
        """Return one transaction (section 3); ``None``: Viva does not know it."""
        response, entries = self._rows(_PATH + segment(transaction_id))
        wanted = transaction_id.lower()
        found = [entry for entry in entries if entry.transaction_id.lower() == wanted]
        if entries and not found:
            raise not_understood(response)
        return found[0] if found else None

    def of_order(self, order_code: str) -> list[Entry]:
        """Return all attempts, refunds and captures of one order code.

        :raises BadRequest: not an order code; nothing was sent
        """
        if not (order_code.isascii() and order_code.isdigit()):
            raise BadRequest(f"{order_code!r} is not an order code.")
        return self._rows(_PATH, {"ordercode": order_code})[1]

    def of_day(self, day: date) -> list[Entry]:
        """Return the transactions of one day in Athens."""
        return self._rows(_PATH, {"date": f"{day:%Y-%m-%d}"})[1]

    def reverse(
        self,
        transaction_id: str,
        amount: int,
        currency: str,
        *,
        merchant_reference: str,
        source_code: str = "",
    ) -> Reversed:
        """Void, refund or release; Viva decides which (section 4). Sent once, whatever happens.

        :param amount: minor units, greater than zero; always named, also for the whole
        :param merchant_reference: unique to this attempt
        :raises ActionDisabled: *Allow refunds* is off
        :raises NotReversible: failed, given back already, or itself a reversal
        :raises PartialTooEarly: a part before clearing, or more than is left
        :raises InsufficientFunds: the merchant's balance does not cover it
        :raises Declined: the acquirer or issuer has declined
        :raises DefiniteError: nothing was given back
        :raises IndeterminateError: it may have been: read, never repeat
        """
        _check(amount, merchant_reference)
        params = {
            "amount": str(amount),
            "currencyCode": money.viva_numeric(currency),
            "merchantTrns": merchant_reference,
        }
        if source_code:
            params["sourceCode"] = source_code
        path = _PATH + segment(transaction_id)
        return _reversed(self._call("DELETE", path, params=params), signed=True)

    def capture(
        self, transaction_id: str, amount: int, currency: str, *, merchant_reference: str
    ) -> Reversed:
        """Take what a preauth holds, or a part of it (section 5). Sent once, whatever happens.

        The currency is not sent, it is that of the preauth; :func:`verdict.judge_reversed`
        compares it with the answer's.

        :param amount: minor units, greater than zero, with any tip
        :raises ActionDisabled: captures by API are off
        :raises NotReversible: no preauth, captured already, or lapsed
        :raises DefiniteError: nothing was captured
        :raises IndeterminateError: it may have been: read, never repeat
        """
        _check(amount, merchant_reference)
        money.viva_numeric(currency)
        body = {"amount": amount, "merchantTrns": merchant_reference}
        path = _PATH + segment(transaction_id)
        return _reversed(self._call("POST", path, json=body), signed=False)

    def _call(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
    ) -> HttpResponse:
        return exchange(
            self._transport,
            HttpRequest(
                method,
                self._endpoints.www + path,
                params=params or {},
                json=json,
                basic=self._basic,
                connect_timeout=self._connect_timeout,
                read_timeout=self._read_timeout,
            ),
        )

    def _rows(
        self, path: str, params: Mapping[str, str] | None = None
    ) -> tuple[HttpResponse, list[Entry]]:
        response = self._call("GET", path, params)
        data = _envelope(response)
        # Unknown ids: an empty list or 404, UNVERIFIED (section 3). A page that is no answer of
        # the API does not say that there is nothing.
        if _code(response, data) == 404 and (data or not response.body.strip()):
            return response, []
        if not _succeeded(response, data):
            raise _error(response, data, wrote=False)
        rows = data.get("Transactions")
        # A row that cannot be read may be the very one that is looked for.
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise not_understood(response)
        return response, [_entry(row) for row in rows]


def _check(amount: int, merchant_reference: str) -> None:
    """:raises ValueError: before anything is sent"""
    if type(amount) is not int or not 0 < amount <= money.MAX_MINOR:
        raise ValueError(f"amount must be a whole number of minor units, not {amount!r}.")
    if not merchant_reference or len(merchant_reference) > 255:
        raise ValueError("merchant_reference must be a text of 1 to 255 characters.")


# -- answers ------------------------------------------------------------------


def _envelope(response: HttpResponse) -> dict[str, Any]:
    data = json_of(response, exact=True)
    return data if isinstance(data, dict) else {}


def _succeeded(response: HttpResponse, data: Mapping[str, Any]) -> bool:
    """All three have to say so (section 4.2)."""
    code = fields.integer(data.get("ErrorCode"))
    return response.status == 200 and data.get("Success") is True and code == 0


def _code(response: HttpResponse, data: Mapping[str, Any]) -> int | None:
    """Return the status that counts; ``None`` when status and body contradict each other.

    The body's code is the more exact one, and the only one beside a status 200.
    """
    status, code = response.status, fields.integer(data.get("ErrorCode"))
    refused = data.get("Success") is False and code is not None
    if status == 200:
        return code if refused and code else None
    if data.get("Success") is True:
        return None
    client_side = 400 <= status < 500
    return code if refused and client_side and code in range(400, 500) else status


def _error(response: HttpResponse, data: Mapping[str, Any], *, wrote: bool) -> VivaError:
    """Return the error for an answer that is no success."""
    code = _code(response, data)
    if code is None:
        return not_understood(response)
    kind, message = _cause(code, data, wrote)
    return kind(
        message,
        status=response.status,
        detail=detail_of(response),
        correlation_id=correlation_id_of(response),
        raw=raw_of(response),
    )


def _cause(code: int, data: Mapping[str, Any], wrote: bool) -> tuple[type[VivaError], str]:
    text = fields.text(data.get("ErrorText")).lower()
    event_id = fields.integer(data.get("EventId"))
    if code == 401:
        return CredentialsError, "Viva does not accept merchant id and API key."
    if code in (400, 403) and _used_up(event_id, text):
        return NotReversible, "Viva cannot give this transaction back or capture it."
    if code == 400 and "invalidamountforvoid" in text:
        return PartialTooEarly, "Viva does not give back this part of the amount now."
    if code == 403 and "disabled" in text:
        return ActionDisabled, "Viva's settings of this merchant do not allow it."
    if code == 403:
        return PermissionDenied, "Viva does not allow it."
    if code == 404:
        return NotFound, "Viva does not know the transaction."
    if code == 452:
        return InsufficientFunds, "The balance at Viva does not cover the refund."
    if code == 429 or (code == 503 and not wrote):
        return Unavailable, "Viva cannot take the request now."
    if 400 <= code < 500 and code != 408:
        return BadRequest, "Viva did not accept the request."
    # A gateway says 502 as well, without Viva's own body.
    if code == 502 and data.get("Success") is False and event_id in _DECLINED:
        return Declined, "The bank has declined it."
    return ServerFault, "Viva did not say what became of the request."


def _used_up(event_id: int | None, text: str) -> bool:
    return (
        event_id == _NOT_REVERSIBLE
        or "non reversible" in text
        or "does not allow recurring charge" in text
        or ("preauth" in text and ("expired" in text or "already captured" in text))
    )


def _reversed(response: HttpResponse, *, signed: bool) -> Reversed:
    data = _envelope(response)
    if not _succeeded(response, data):
        raise _error(response, data, wrote=True)
    transaction_id = fields.text(data.get("TransactionId"))
    if not transaction_id or fields.text(data.get("StatusId")) not in ("", "F"):
        raise not_understood(response)
    currency = fields.currency(data.get("CurrencyCode"))
    return Reversed(
        transaction_id=transaction_id,
        amount=_minor(data.get("Amount"), currency, signed=signed),
        currency=currency,
        type_id=fields.integer(data.get("TransactionTypeId")),
        rrn=fields.number_text(data.get("RetrievalReferenceNumber")),
        authorisation_code=fields.text(data.get("AuthorizationId")),
        stan=fields.number_text(data.get("ReferenceNumber")),
        raw=raw_of(response),
    )


def _entry(row: Mapping[str, Any]) -> Entry:
    kind, order, card = (_part(row, name) for name in ("TransactionType", "Order", "CreditCard"))
    type_id = fields.integer(kind.get("TransactionTypeId"))
    currency = fields.currency(row.get("CurrencyCode"))
    last4 = last_four(fields.text(card.get("Number")))
    safe: dict[str, Any] = redact(dict(row))
    return Entry(
        transaction_id=fields.number_text(row.get("TransactionId")),
        parent_id=fields.text(row.get("ParentId")),
        amount=_minor(row.get("Amount"), currency, signed=type_id in _BACK),
        currency=currency,
        status_id=fields.text(row.get("StatusId")),
        type_id=type_id,
        created_at=fields.moment(row.get("InsDate")),
        cleared_at=fields.moment(row.get("ClearanceDate")),
        merchant_reference=fields.text(row.get("MerchantTrns")),
        order_code=fields.number_text(order.get("OrderCode")),
        terminal_id=fields.number_text(row.get("SourceTerminalId")),
        rrn=fields.number_text(row.get("RetrievalReferenceNumber")),
        authorisation_code=fields.text(row.get("AuthorizationId")),
        card_brand=fields.brand(
            fields.text(_part(card, "CardType").get("Name")), fields.text(row.get("BankId"))
        ),
        card_last4=last4,
        card_masked=fields.masked(last4),
        tip=_minor(row.get("TipAmount"), currency) or 0,
        commission=_minor(row.get("Commission"), currency),
        installments=fields.installments(row.get("TotalInstallments")),
        raw=safe,
    )


def _part(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = row.get(name)
    return part if isinstance(part, dict) else {}


def _minor(value: Any, currency: str, *, signed: bool = False) -> int | None:
    """Minor units of a JSON number in major ones, never below zero; ``None`` for anything else.

    :param signed: a sign means nothing and is left away
    """
    if not currency or isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    try:
        minor = money.to_minor(value, currency)
    except ValueError:
        return None
    if signed:
        minor = abs(minor)
    return minor if minor >= 0 else None
