"""Webhooks: registration with the key handshake, messages, delivery and retries (webhooks reference).

Nothing is signed. Payment events carry personal data, all of it invented.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from .clock import naive_athens, utc_seven_digits
from .ledger import REVERSALS, Transaction, major

if TYPE_CHECKING:
    from .world import World

PAYMENT_CREATED, REVERSAL_CREATED, PAYMENT_FAILED, PRICE_CALCULATED = 1796, 1797, 1798, 1799
SESSION_CREATED, SESSION_FAILED = 1802, 1803
DEFAULT_EVENTS = (
    PAYMENT_CREATED,
    REVERSAL_CREATED,
    PAYMENT_FAILED,
    SESSION_CREATED,
    SESSION_FAILED,
)
FOREIGN_TERMINAL = 16999999


@dataclass(frozen=True)
class Event:
    event_type: int
    data: dict[str, Any]


@dataclass
class Subscription:
    url: str
    events: tuple[int, ...]
    merchant_id: str

    def as_dict(self) -> dict[str, Any]:
        return {"url": self.url, "events": list(self.events), "merchantId": self.merchant_id}


@dataclass
class Delivery:
    """One message to one address, over all its attempts."""

    envelope: dict[str, Any]
    url: str


class Webhooks:
    def __init__(self, world: World) -> None:
        self.world = world
        self.subscriptions: list[Subscription] = []
        self.deliveries: list[dict[str, Any]] = []
        self._client: httpx.AsyncClient | None = None
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def reset(self, keep_subscriptions: bool) -> None:
        self.deliveries.clear()
        self._under_way = 0
        self._idle.set()
        if not keep_subscriptions:
            self.subscriptions.clear()

    # -- registration ------------------------------------------------------------------------------------------------

    async def register(
        self, url: str, events: Sequence[int], merchant_id: str, key: str, key_field: str = "Key"
    ) -> tuple[bool, str]:
        """Do what *Verify* in Viva's portal does, and subscribe when the right key came back.

        :return: verified, and in words what was wrong
        """
        try:
            response = await self._http().get(url, timeout=self.world.settings.webhook_timeout_s)
        except httpx.HTTPError as error:
            return False, f"URL not verified ({type(error).__name__})"
        if response.status_code != 200:
            return False, f"URL not verified ({response.status_code})"
        try:
            answered = response.json()
        except ValueError:
            return False, "URL not verified (the answer is not JSON)"
        if not isinstance(answered, dict) or answered.get(key_field) != key:
            return False, "URL not verified (wrong key)"
        self.subscriptions = [
            item
            for item in self.subscriptions
            if (item.url, item.merchant_id) != (url, merchant_id)
        ]
        self.subscriptions.append(Subscription(url, tuple(events), merchant_id))
        self.world.touch()
        return True, "verified"

    def events_at(self, url: str, merchant_id: str) -> list[int]:
        """What an address is subscribed to."""
        return [
            event
            for item in self.subscriptions
            if (item.url, item.merchant_id) == (url, merchant_id)
            for event in item.events
        ]

    def _http(self) -> httpx.AsyncClient:
        """One client for all; it keeps no connections, so a receiver that died is noticed at once."""
        if self._client is None:
            self._client = httpx.AsyncClient(
                follow_redirects=False,
                trust_env=False,
                limits=httpx.Limits(max_keepalive_connections=0),
            )
        return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    # -- delivery ----------------------------------------------------------------------------------------------------

    def publish(self, merchant_id: str, events: Sequence[Event]) -> None:
        """Send the events of one outcome to everybody who wants them, in order, without waiting."""
        faults = self.world.faults.webhook
        if faults.never or not events:
            return
        ordered = list(reversed(events)) if faults.reorder else list(events)
        for subscription in self.subscriptions:
            if subscription.merchant_id != merchant_id:
                continue
            messages = [
                Delivery(self.envelope(subscription.url, merchant_id, event), subscription.url)
                for event in ordered
                if event.event_type in subscription.events
            ]
            if messages:
                self._begin(len(messages))
                self.world.spawn(self._send_all(messages))

    async def _send_all(self, messages: Sequence[Delivery]) -> None:
        faults = self.world.faults.webhook
        if faults.delay_ms:
            await asyncio.sleep(faults.delay_ms / 1000)
        for message in messages:
            first = self.world.clock.time()
            accepted = await self._attempt(message)
            self._end()
            for copy in range(faults.duplicate):
                message.envelope["RetryCount"] = copy
                await self._attempt(message)
            if not accepted:
                self.world.spawn(self._retry(message, first))

    async def _retry(self, message: Delivery, due: float) -> None:
        """Repeat at the settled interval until it is accepted or the attempts are used up."""
        for attempt in range(1, self.world.settings.webhook_attempts):
            due += self.world.settings.webhook_retry_s
            await self.world.clock.until(due)
            message.envelope["RetryCount"] = attempt
            message.envelope["RetryDelayInSeconds"] = int(self.world.settings.webhook_retry_s)
            if await self._attempt(message):
                return

    async def _attempt(self, message: Delivery) -> bool:
        status, _ = await self.post(message.url, message.envelope)
        return 200 <= status < 300

    async def post(self, url: str, envelope: Mapping[str, Any] | bytes) -> tuple[int, str]:
        """POST one message; answers status (0: no answer) and body, and writes the list of deliveries."""
        began = time.perf_counter()
        status, text = 0, ""
        content = envelope if isinstance(envelope, bytes) else json.dumps(envelope).encode()
        try:
            response = await self._http().post(
                url,
                content=content,
                headers={"Content-Type": "application/json"},
                timeout=self.world.settings.webhook_timeout_s,
            )
            status, text = response.status_code, response.text
        except httpx.HTTPError as error:
            text = type(error).__name__
        about: Mapping[str, Any] = {} if isinstance(envelope, bytes) else envelope
        self.deliveries.append(
            {
                "url": url,
                "eventTypeId": about.get("EventTypeId"),
                "messageId": about.get("MessageId"),
                "retryCount": about.get("RetryCount"),
                "status": status,
                "ms": round((time.perf_counter() - began) * 1000, 1),
                "at": time.time(),
            }
        )
        self.world.touch()
        return status, text

    def _begin(self, count: int) -> None:
        self._under_way += count
        self._idle.clear()

    def _end(self) -> None:
        self._under_way -= 1
        if self._under_way <= 0:
            self._idle.set()

    async def idle(self, seconds: float) -> None:
        """Wait until every message was tried once, at most so long."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except asyncio.TimeoutError:
            return

    # -- messages ----------------------------------------------------------------------------------------------------

    def envelope(self, url: str, merchant_id: str, event: Event) -> dict[str, Any]:
        """Section 3 of the reference."""
        now = self.world.clock.now()
        return {
            "Url": url,
            "EventData": event.data,
            "Created": utc_seven_digits(now),
            "CorrelationId": f"{now:%y}-{now.timetuple().tm_yday:03d}-{secrets.token_hex(6).upper()}",
            "EventTypeId": event.event_type,
            "Delay": None,
            "RetryCount": 0,
            "RetryDelay": None,
            "RetryDelayInSeconds": None,
            "MessageId": str(uuid.uuid4()),
            "RecipientId": merchant_id,
            "MessageTypeId": 512,
        }

    def of_transaction(self, row: Transaction) -> list[Event]:
        """1796, 1797 or 1798 for a row of the book, and the price of a paid one."""
        if not row.approved:
            return [Event(PAYMENT_FAILED, self._transaction_data(row))]
        if row.type_id in REVERSALS:
            return [Event(REVERSAL_CREATED, self._transaction_data(row))]
        price = {
            "OrderCode": int(row.numbers.order_code),
            "MerchantId": row.merchant_id,
            "IsvFee": 0.0,
            "ResellerId": None,
            "TransactionId": row.transaction_id,
            "CurrencyCode": row.currency_code,
            "Interchange": major(row.amount * 2 // 1000),
            "TotalCommission": major(row.amount * 12 // 1000),
        }
        return [Event(PAYMENT_CREATED, self._transaction_data(row)), Event(PRICE_CALCULATED, price)]

    def of_session(self, merchant_id: str, result: Mapping[str, Any]) -> Event:
        """1802 or 1803: the session object in Pascal case, amounts in minor units."""
        data = {name[0].upper() + name[1:]: value for name, value in result.items()}
        data["MerchantId"] = merchant_id
        data["ReferenceNumber"] = data.get("ReferenceNumber") or 0
        return Event(SESSION_CREATED if result["success"] else SESSION_FAILED, data)

    def _transaction_data(self, row: Transaction) -> dict[str, Any]:
        """``EventData`` of 1796, 1797 and 1798 in the order of section 5.1; amounts in major units."""
        faults = self.world.faults.webhook
        reversal = row.type_id in REVERSALS
        amount: int | float = major(-row.amount if reversal else row.amount)
        if reversal and self.world.settings.strict.reversal_in_minor:
            amount = -row.amount
        terminal: int | str = int(row.terminal_id) if row.terminal_id.isdigit() else row.terminal_id
        if faults.foreign_terminal:
            terminal = FOREIGN_TERMINAL
        if faults.terminal_as_text:
            terminal = str(terminal)
        merchant = self.world.merchants[row.merchant_id]
        card = row.card
        bank = card.bank_id if card else "NET_IRIS"
        return {
            "Moto": False,
            "BinId": card.bin_id if card else None,
            "IsDcc": row.dcc is not None,
            "Ucaf": None,
            "Email": "maria.invented@example.com",
            "Phone": "6900000000",
            "BankId": bank,
            "Systemic": False,
            "BatchId": None,
            "Switching": False,
            "ParentId": row.parent_id,
            "Amount": amount,
            "ChannelId": "245a790d-0000-4000-8000-000000000001",
            "TerminalId": terminal,
            "MerchantId": row.merchant_id,
            "OrderCode": int(row.numbers.order_code),
            "ProductId": None,
            "StatusId": "F" if row.approved else "E",
            "FullName": "Maria Invented",
            "ResellerId": None,
            "DualMessage": False,
            "InsDate": naive_athens(row.created),
            "TotalFee": 0.0,
            "CardToken": card.unique_reference if card else None,
            "CardNumber": card.number if card else None,
            "Descriptor": None,
            "TipAmount": major(row.tip),
            "SourceCode": row.source_code,
            "SourceName": merchant.sources.get(row.source_code, ""),
            "Latitude": 37.9838,
            "Longitude": 23.7275,
            "CompanyName": merchant.name,
            "TransactionId": row.transaction_id,
            "CompanyTitle": None,
            "PanEntryMode": row.pan_entry_mode,
            "ReferenceNumber": row.numbers.stan,
            "ResponseCode": "00" if row.approved else None,
            "CurrencyCode": row.currency_code,
            "OrderCulture": "el-GR",
            "MerchantTrns": None if faults.null_reference else row.merchant_reference,
            "CustomerTrns": row.customer_trns,
            "IsManualRefund": row.manual_refund,
            "TargetPersonId": None,
            "TargetWalletId": None,
            "AcquirerApproved": row.approved,
            "LoyaltyTriggered": False,
            "TransactionTypeId": row.type_id,
            **({"AuthorizationId": row.numbers.authorization_id} if row.approved else {}),
            "TotalInstallments": row.installments,
            "CardCountryCode": "GR" if card else None,
            "CardIssuingBank": card.issuer if card else None,
            "RedeemedAmount": 0.0,
            "ClearanceDate": None,
            "ConversionRate": 1.0,
            "CurrentInstallment": 0,
            "OriginalAmount": amount,
            "Tags": [],
            "BillId": None,
            "ConnectedAccountId": None,
            "ResellerSourceCode": None,
            "ResellerSourceName": None,
            "MerchantCategoryCode": 5411,
            "ResellerCompanyName": None,
            "CardUniqueReference": card.unique_reference if card else None,
            "OriginalCurrencyCode": row.currency_code,
            "ExternalTransactionId": None,
            "ResellerSourceAddress": None,
            "CardExpirationDate": card.expires if card else None,
            "ServiceId": row.service_id,
            "RetrievalReferenceNumber": row.numbers.rrn,
            "AssignedMerchantUsers": [],
            "AssignedResellerUsers": [],
            "CardTypeId": card.type_id if card else 5,
            "ResponseEventId": row.reason,
            "ElectronicCommerceIndicator": None,
            "OrderServiceId": 4,
            "ApplicationIdentifierTerminal": card.aid if card else None,
            "IntegrationId": None,
            "DigitalWalletId": None,
            "DccSessionId": None,
            "DccMarkup": None,
            "DccDifferenceOverEcb": None,
            "SurchargeAmount": major(row.surcharge),
            "PrimaryAccountNumberLast4Digits": card.last4 if card else None,
        }
