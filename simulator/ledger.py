"""The acquirer's book: every attempt that reached it, and which of them moved money.

Amounts are integer minor units. Types and status letters: transactions reference, section 6.
"""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from .cards import Card, Numbers
from .clock import Clock, add_hours
from .settings import Settings

CAPTURE, PREAUTH, REFUND, CHARGE, INSTALMENTS, VOID = 0, 1, 4, 5, 6, 7
INSTALMENTS_REFUND = 18
IRIS, IRIS_REFUND, IRIS_VOID = 60, 61, 84
VOIDS = {VOID, IRIS_VOID}
REVERSALS = VOIDS | {REFUND, INSTALMENTS_REFUND, IRIS_REFUND}


class ReversalRefused(Exception):
    """A refund or void that the acquirer refuses.

    ``event_id`` is what a terminal session says; ``status`` and ``text`` are what the transactions API says.
    """

    def __init__(self, event_id: int, status: int, text: str, api_event: int = 0) -> None:
        super().__init__(text)
        self.event_id = event_id
        self.status = status
        self.text = text
        self.api_event = api_event


@dataclass
class Transaction:
    """One row of the book."""

    merchant_id: str
    terminal_id: str
    source_code: str
    amount: int
    currency_code: str
    type_id: int
    created: datetime
    numbers: Numbers
    status_id: str = "F"
    card: Card | None = None
    session_id: str | None = None
    merchant_reference: str | None = None
    customer_trns: str | None = None
    tip: int = 0
    surcharge: int = 0
    dcc: dict[str, Any] | None = None
    parent_id: str | None = None
    parent_type_id: int | None = None
    installments: int = 0
    pan_entry_mode: str = "00"
    reason: int | None = None
    service_id: int | None = None
    manual_refund: bool = False
    vanished: bool = False
    transaction_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def approved(self) -> bool:
        return self.status_id != "E"

    @property
    def moved_money(self) -> bool:
        return self.approved and self.operation not in ("preauth", "release")

    @property
    def operation(self) -> str:
        """sale, preauth, capture, refund, void or release: what became of the money."""
        if self.type_id in REVERSALS and self.parent_type_id == PREAUTH:
            return "release"
        if self.type_id in REVERSALS:
            return "void" if self.type_id in VOIDS else "refund"
        return {PREAUTH: "preauth", CAPTURE: "capture"}.get(self.type_id, "sale")

    @property
    def is_iris(self) -> bool:
        return self.type_id in (IRIS, IRIS_REFUND, IRIS_VOID)


class Ledger:
    def __init__(self, clock: Clock, settings: Settings) -> None:
        self.clock = clock
        self.settings = settings
        self.rows: list[Transaction] = []

    def add(self, row: Transaction) -> Transaction:
        self.rows.append(row)
        return row

    def find(self, merchant_id: str, transaction_id: str) -> Transaction | None:
        for row in reversed(self.rows):
            if row.merchant_id == merchant_id and row.transaction_id == transaction_id:
                return row
        return None

    def children(self, parent: Transaction) -> list[Transaction]:
        return [row for row in self.rows if row.parent_id == parent.transaction_id and row.approved]

    def refunded(self, parent: Transaction) -> int:
        return sum(child.amount for child in self.children(parent) if child.type_id in REVERSALS)

    def captured(self, parent: Transaction) -> int:
        return sum(child.amount for child in self.children(parent) if child.type_id == CAPTURE)

    def cleared_at(self, row: Transaction) -> datetime | None:
        """When the row was cleared; None before, and for what never clears."""
        moment = add_hours(row.created, self.settings.clearing_h)
        never = not row.moved_money or row.status_id == "X" or row.type_id in VOIDS
        return None if never or self.clock.now() < moment else moment

    def lapsed(self, row: Transaction) -> bool:
        """Tell whether a pre-authorisation holds no more."""
        moment = add_hours(row.created, self.settings.preauth_valid_h)
        return row.type_id == PREAUTH and self.clock.now() >= moment

    def reverse(self, parent: Transaction, amount: int, *, forced: bool = False) -> tuple[int, str]:
        """Which reversal an ``amount`` would be: its type and the parent's next status.

        :param forced: Viva does it by itself: no setting and no balance stands against it
        :raises ReversalRefused: cloud reference 4.2 and transactions reference 4.1
        """
        refused = "Non reversible transaction"
        if not self.settings.refunds and not forced:
            raise ReversalRefused(
                1014, 403, "The specified api action is disabled for the merchant"
            )
        if not parent.approved or parent.type_id in REVERSALS or parent.status_id in ("X", "C"):
            raise ReversalRefused(1008, 403, refused, 2055)
        left = parent.amount - self.refunded(parent)
        if left == 0 or self.lapsed(parent):
            raise ReversalRefused(1008, 403, refused, 2055)
        if amount <= 0 or amount > left:
            raise ReversalRefused(1009, 400, "PaymentsInvalidAmountForVoid")
        if parent.type_id == PREAUTH or self.cleared_at(parent) is None:
            return self._before_clearing(parent, amount, forced)
        if self.settings.available is not None and not forced:
            if amount > self.settings.available:
                raise ReversalRefused(1099, 452, "Insufficient available balance")
            self.settings.available -= amount
        return self._refund_type(parent), "R"

    def _before_clearing(self, parent: Transaction, amount: int, forced: bool) -> tuple[int, str]:
        if amount == parent.amount:
            if not self.settings.voids and not forced:
                raise ReversalRefused(5004, 403, "Voids are disabled for the merchant")
            return (IRIS_VOID if parent.is_iris else VOID), "X"
        allowed = forced or self.settings.strict.partial_before_clearing
        if parent.type_id == PREAUTH or not allowed:
            raise ReversalRefused(1099, 400, "PaymentsInvalidAmountForVoid")
        return self._refund_type(parent), "R"

    @staticmethod
    def _refund_type(parent: Transaction) -> int:
        if parent.is_iris:
            return IRIS_REFUND
        return INSTALMENTS_REFUND if parent.type_id == INSTALMENTS else REFUND

    def as_charge(self, row: Transaction) -> dict[str, Any]:
        """The row as the control API shows it."""
        return {
            "transactionId": row.transaction_id,
            "sessionId": row.session_id,
            "merchantReference": row.merchant_reference,
            "merchantId": row.merchant_id,
            "terminalId": row.terminal_id,
            "amount": row.amount,
            "operation": row.operation,
            "tip": row.tip,
            "surcharge": row.surcharge,
            "currencyCode": row.currency_code,
            "statusId": row.status_id,
            "refunded": self.refunded(row),
            "captured": self.captured(row),
            "installments": row.installments,
            "transactionTypeId": row.type_id,
            "parentId": row.parent_id,
            "orderCode": row.numbers.order_code,
            "created": row.created.isoformat(timespec="milliseconds"),
            "card": f"{row.card.label} ••{row.card.last4}"
            if row.card
            else ("IRIS" if row.is_iris else ""),
        }


def major(minor: int) -> float:
    """Minor units as the JSON number in major units that webhooks and look-ups carry; all listed currencies have two decimals."""
    return float(Decimal(minor).scaleb(-2))
