"""One request to a terminal, and the object that tells its outcome (cloud reference, 5.2)."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from .cards import Card
from .clock import offset_athens
from .ledger import IRIS, Transaction

MESSAGES = {
    0: "Transaction successful",
    1000: "Transaction canceled by user",
    1003: "Terminal timed out",
    1006: "Transaction declined by server",
    1007: "Transaction declined by card",
    1008: "Transaction is not reversible",
    1009: "Invalid amount",
    1010: "Invalid card",
    1012: "Transaction does not exist",
    1014: "Refunds are disabled for the merchant",
    1016: "Transaction aborted",
    1017: "Invalid capture amount",
    1019: "Try another card",
    1020: "Insufficient funds",
    1099: "Unknown error",
    1100: "There is already a request in progress",
    1101: "The parameters of the parent session could not be fetched",
    1102: "Transaction expired",
    4000: "Network error",
    1076: "The provider's signature is wrong",
    1077: "The signed details do not match",
    1083: "Not all required fields were sent",
    5002: "Preauth is not supported",
    5004: "Void is not supported",
    6000: "Wrong parameters",
}


CLOUD, LOCAL, TCP, APP = "cloud", "local", "tcp", "app"


class Operation(str, Enum):
    SALE = "sale"
    PREAUTH = "preauth"
    CAPTURE = "preauth-completion"
    REFUND = "refund"
    UNREFERENCED_REFUND = "unreferenced-refund"
    FAST_REFUND = "fast-refund"
    REBATE = "rebate"

    @property
    def without_card(self) -> bool:
        """It has a parent, and the terminal carries it out by itself (a refund unless set otherwise)."""
        return self in (Operation.CAPTURE, Operation.REFUND)

    @property
    def gives_back(self) -> bool:
        return self not in (Operation.SALE, Operation.PREAUTH, Operation.CAPTURE)


class State(str, Enum):
    """Section 11.2; ``qr`` is *shown, with a QR code chosen by the customer*."""

    CREATED = "created"
    SHOWN = "shown"
    QR = "qr"
    PIN = "pin"
    AUTHORISING = "authorising"
    FINAL = "final"


@dataclass
class Session:
    merchant_id: str
    session_id: str
    terminal_id: str
    cash_register_id: str
    operation: Operation
    amount: int
    currency_code: str
    created: datetime
    merchant_reference: str | None = None
    customer_trns: str | None = None
    tip: int = 0
    surcharge: int = 0
    dcc: dict[str, Any] | None = None
    max_instalments: int = 0
    parent: Transaction | None = None
    isv: dict[str, Any] | None = None
    echo: dict[str, Any] = field(default_factory=dict)
    state: State = State.CREATED
    deadline: float = 0  # until when the terminal waits for a card
    abort_requested: bool = False
    result: dict[str, Any] | None = None
    finished: datetime | None = None
    later: dict[str, Any] | None = None  # a sale paid after this session had failed
    channel: str = CLOUD  # who asked the terminal: the cloud, a till on the LAN, the app
    tid: str | None = None  # the device that answers, when another one has taken the address
    refusal: int | None = None  # event id with which it ends once the card is there
    offline: bool = False  # approved by the device alone

    def as_dict(self) -> dict[str, Any]:
        """The session as the control API shows it."""
        return {
            "sessionId": self.session_id,
            "channel": self.channel,
            "merchantId": self.merchant_id,
            "terminalId": self.terminal_id,
            "cashRegisterId": self.cash_register_id,
            "operation": self.operation.value,
            "amount": self.amount,
            "tip": self.tip,
            "surcharge": self.surcharge,
            "maxInstalments": self.max_instalments,
            "parentId": self.parent.transaction_id if self.parent else None,
            "currencyCode": self.currency_code,
            "merchantReference": self.merchant_reference,
            "customerTrns": self.customer_trns,
            "state": self.state.value,
            "abortRequested": self.abort_requested,
            "created": self.created.isoformat(timespec="milliseconds"),
            "success": self.result["success"] if self.result else None,
            "eventId": self.result["eventId"] if self.result else None,
            "message": self.result["message"] if self.result else "",
            "transactionId": self.result["transactionId"] if self.result else None,
        }


def body(
    session: Session,
    event_id: int,
    *,
    row: Transaction | None = None,
    entry: str = "00",
    pan_mask: str = "*",
    abort_won_at: datetime | None = None,
    virtual_terminal_id: str | None = None,
    message: str | None = None,
) -> dict[str, Any]:
    """The session object. ``row`` is the acquirer's record: a success, or a decline by the issuer."""
    success = event_id == 0
    card: Card | None = row.card if row else None
    refused = row if row is not None and not success else None
    result: dict[str, Any] = {
        "sessionId": session.session_id,
        "terminalId": session.terminal_id,
        "cashRegisterId": session.cash_register_id,
        "amount": row.amount if row else session.amount,
        "currencyCode": row.currency_code if row else session.currency_code,
        "merchantReference": row.merchant_reference if row else session.merchant_reference,
        "customerTrns": session.customer_trns,
        "tipAmount": session.tip,
        "success": success,
        "eventId": event_id,
        "authorizationId": row.numbers.authorization_id
        if row and success
        else ("000000" if refused else None),
        "transactionId": row.transaction_id if row else None,
        "transactionTypeId": row.type_id if row and success else None,
        "retrievalReferenceNumber": int(row.numbers.rrn) if row else None,
        "panEntryMode": entry,
        "applicationLabel": card.label if card else None,
        "primaryAccountNumberMasked": card.masked(pan_mask) if card else None,
        "transactionDateTime": offset_athens(row.created) if row else None,
        "abortOperation": session.abort_requested,
        "abortAckTime": offset_athens(abort_won_at) if abort_won_at else None,
        "abortSuccess": abort_won_at is not None,
        "loyaltyInfo": None,
        "verificationMethod": _verification(row, entry) if success else None,
        "tid": virtual_terminal_id or session.terminal_id,
        "shortOrderCode": row.numbers.short_order_code if row else "0",
        "installments": row.installments if row else 0,
        "message": message or MESSAGES.get(event_id, "Transaction failed"),
        "preauth": session.operation is Operation.PREAUTH,
        "referenceNumber": row.numbers.stan if row and success else 0,
        "orderCode": row.numbers.order_code if row else "0",
        "aid": card.aid if card else None,
        "cardType": card.label.split()[0] if card else None,
        "bankId": _bank(row),
        "dccDetails": session.dcc,
        "surchargeAmount": session.surcharge or None,
        "fiscalisationDetails": None,
        "aadeTransactionId": None,
        **session.echo,
    }
    # Integrators report the reason missing for the demo amount 9906 (6.2).
    if refused and refused.reason and refused.amount != 9906:
        result["transactionEventId"] = refused.reason
    if session.isv:
        result["isvDetails"] = session.isv
    return result


def _verification(row: Transaction | None, entry: str) -> str | None:
    if row is None or row.card is None:
        return None
    return {"07": "CONTACTLESS - NO CVM", "05": "CHIP – ONLINE PIN"}.get(entry)


def _bank(row: Transaction | None) -> str | None:
    if row is None:
        return None
    return (
        "NET_IRIS"
        if row.type_id == IRIS or row.is_iris
        else (row.card.bank_id if row.card else None)
    )
