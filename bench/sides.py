"""The two that are compared: the same steps, said in each one's own words."""

import copy
import json
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from lib.rpc import Client

from .shop import CARD, COUNTER, PEER_CARD, PEER_TERMINAL, PRICE_MINOR, WAITING, Shop

EVENT = json.loads((Path(__file__).parent / "event.json").read_text())
"""A payment event (1796) with all its fields; everything in it is invented."""


@dataclass(frozen=True)
class Sale:
    """A sale that was sent to a terminal."""

    key: str
    """What this side asks about: an attempt, a session."""
    reference: str
    """The merchant reference that Viva was given."""
    terminal: str


class Side(ABC):
    name: str
    button: str
    """The payment method's name at the till."""
    terminal: str
    green: tuple[str, str]
    """CSS selector and words of a payment line that the cashier may believe."""
    paths: dict[str, str]
    """Parts of the addresses in Odoo's log: sale, poll, webhook."""
    poll_s: float
    """How long its till waits between two questions."""

    def __init__(self, shop: Shop):
        self.shop = shop

    @property
    @abstractmethod
    def webhook(self) -> str:
        """The address for Viva."""

    @abstractmethod
    def sell(self, client: Client, order: dict, terminal: str = "") -> Sale:
        """The request of the till, on its own terminal or one of the ten."""

    @abstractmethod
    def ask(self, client: Client, sale: Sale) -> bool:
        """One question of the till; whether the sale is settled."""

    def event(self, sale: Sale) -> dict:
        """What Viva posts when the sale was paid. Each one is another message."""
        event = copy.deepcopy(EVENT)
        event["MessageId"] = str(uuid.uuid4())
        event["EventData"] |= {
            "MerchantTrns": sale.reference,
            "TerminalId": int(sale.terminal),
            "TransactionId": str(uuid.uuid4()),
        }
        return event

    def _reference(self) -> str:
        return self.shop.simulator.control("GET", "sessions")[-1]["merchantReference"]


class Ours(Side):
    name = "ours"
    button = CARD
    terminal = COUNTER
    green = (".viva-title-text", "Approved")
    paths = {
        "sale": "/viva.transaction/pos_start",
        "poll": "/viva.transaction/pos_check",
        "webhook": "/viva/webhook/",
    }
    poll_s = 1

    @property
    def webhook(self) -> str:
        (account,) = self.shop.admin.call(
            "viva.account", "read", [self.shop.account], ["webhook_path"]
        )
        return f"{self.shop.odoo.url}/viva/webhook/{account['webhook_path']}"

    def sell(self, client: Client, order: dict, terminal: str = "") -> Sale:
        terminal = terminal or self.terminal
        request = {
            "attempt": str(uuid.uuid4()),
            "payment_uuid": str(uuid.uuid4()),
            "order_uuid": order["uuid"],
            "order_reference": "",
            "pos_session_id": self.shop.session,
            "payment_method_id": self.shop.methods["waiting" if terminal in WAITING else "ours"],
            "amount_minor": PRICE_MINOR,
            "terminal_id": self.shop.terminals[terminal],
        }
        status = client.call("viva.transaction", "pos_start", request, context=self.shop.context)
        if status["final"]:
            raise RuntimeError(f"The sale was not taken: {status['message']}")
        return Sale(request["attempt"], self._reference(), terminal)

    def ask(self, client: Client, sale: Sale) -> bool:
        (status,) = client.call(
            "viva.transaction", "pos_check", [sale.key], context=self.shop.context
        )
        self.poll_s = status["poll_ms"] / 1000
        return status["final"]


class Peer(Side):
    name = "peer"
    button = PEER_CARD
    terminal = PEER_TERMINAL
    green = (".electronic_status", "Payment Successful")
    paths = {
        "sale": "/viva_com_send_payment_request",
        "poll": "/viva_com_get_payment_status",
        "webhook": "/pos_viva_com/notification",
    }
    poll_s = 5

    @property
    def webhook(self) -> str:
        key = self.shop.simulator.control("GET", "merchants")[0]["webhook_key"]
        address = f"{self.shop.odoo.url}/pos_viva_com/notification"
        return f"{address}?company_id={self.shop.company}&token={key}"

    def sell(self, client: Client, order: dict, terminal: str = "") -> Sale:
        terminal = terminal or self.terminal
        session = f"{order['uuid']} - {uuid.uuid4()}"
        request = {
            "sessionId": session,
            "terminalId": terminal,
            "cashRegisterId": "Casey Cashier",
            "amount": PRICE_MINOR,
            "currencyCode": "978",
            "merchantReference": f"{session}/{self.shop.session}",
            "customerTrns": " ",
            "preauth": False,
            "maxInstalments": 0,
            "tipAmount": 0,
        }
        answer = self._call(client, "viva_com_send_payment_request", terminal, request)
        if "error" in answer:
            raise RuntimeError(f"The sale was not taken: {answer['error']}")
        return Sale(session, request["merchantReference"], terminal)

    def ask(self, client: Client, sale: Sale) -> bool:
        name = "viva_com_get_payment_status"
        return "success" in self._call(client, name, sale.terminal, sale.key)

    def _call(self, client: Client, name: str, terminal: str, argument) -> dict:
        method = self.shop.peer_methods[terminal]
        context = self.shop.context
        return client.call("pos.payment.method", name, [method], argument, context=context)
