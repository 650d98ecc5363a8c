"""Everything the simulator remembers, in memory, for one process."""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from .app_to_app import App
from .cards import NumberSource
from .clock import Clock
from .faults import Faults
from .lan import Certificate
from .ledger import Ledger, Transaction
from .session import Session
from .settings import Settings
from .terminal import Terminal
from .webhooks import Webhooks


@dataclass(frozen=True)
class Merchant:
    """An account at Viva; demo credentials, invented."""

    merchant_id: str
    api_key: str
    client_id: str
    client_secret: str
    checkout_client_id: str
    checkout_client_secret: str
    webhook_key: str
    name: str
    sources: Mapping[str, str]


def _merchant(merchant_id: str, prefix: str, name: str, sources: Mapping[str, str]) -> Merchant:
    return Merchant(
        merchant_id=merchant_id,
        api_key=f"{prefix}-api-key",
        client_id=f"{prefix}-client.apps.vivapayments.com",
        client_secret=f"{prefix}-secret",
        checkout_client_id=f"{prefix}-checkout.apps.vivapayments.com",
        checkout_client_secret=f"{prefix}-checkout-secret",
        webhook_key=(prefix.encode().hex() + "B3248222A0C9D1E7F5" * 3)[:40].upper(),
        name=name,
        sources=sources,
    )


MERCHANTS = (
    _merchant("11111111-2222-3333-4444-555555555555", "sim", "Demo Shop", {"1234": "Main store"}),
    _merchant(
        "22222222-2222-3333-4444-555555555555", "sim2", "Other Shop", {"5678": "Other store"}
    ),
)
ISV_CLIENT_ID = "sim-isv.apps.vivapayments.com"
ISV_CLIENT_SECRET = "sim-isv-secret"

# terminalId, merchant, statusId, sourceCode
TERMINALS = (
    ("16000010", 0, 1, "1234"),
    ("16000011", 0, 1, "1234"),
    ("16000013", 0, 6, "1234"),
    ("16000020", 1, 1, "5678"),
)


@dataclass(frozen=True)
class Grant:
    """An access token that was handed out. ``role`` is pos, checkout or isv."""

    role: str
    merchant_id: str | None
    expires: float


@dataclass
class Action:
    """A command to a terminal that is no payment (4.8)."""

    merchant_id: str
    terminal_id: str
    cash_register_id: str
    action_type: str
    ready_at: float
    action_id: str = field(default_factory=lambda: secrets.token_hex(16))


class World:
    def __init__(self) -> None:
        self.host = "127.0.0.1"  # where terminals with a LAN server listen
        self.certificates: dict[str, Certificate] = {}  # of terminals; a device keeps its own
        self.clock = Clock()
        self.numbers = NumberSource()
        self.merchants = {merchant.merchant_id: merchant for merchant in MERCHANTS}
        self.grants: dict[str, Grant] = {}
        self.changed = asyncio.Event()
        self.closing = asyncio.Event()
        self.silence_over = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.webhooks = Webhooks(self)
        self._defaults()

    def _defaults(self) -> None:
        self.settings = Settings()
        self.faults = Faults()
        self.ledger = Ledger(self.clock, self.settings)
        self.sessions: dict[tuple[str, str], Session] = {}
        self.actions: dict[str, Action] = {}
        self.violations: list[dict[str, Any]] = []
        self.requests: deque[dict[str, Any]] = deque(maxlen=20_000)
        self.lan_sessions: list[
            Session
        ] = []  # of the LAN and the app: the cloud knows none of them
        self.app = App(self)
        self.terminals: dict[str, Terminal] = {}
        for terminal_id, owner, status_id, source_code in TERMINALS:
            self.add_terminal(terminal_id, MERCHANTS[owner].merchant_id, status_id, source_code)

    def reset(self, keep_webhooks: bool = False) -> None:
        """Forget everything but the tokens, which stay good as they would at Viva, and the devices' certificates."""
        for task in self._tasks:
            task.cancel()
        self._close_lan()
        self.clock.reset()
        self.webhooks.reset(keep_webhooks)
        self._defaults()
        self.break_silence()
        self.touch()

    def close(self) -> None:
        """Let open streams and held connections end, so that the process can."""
        for task in self._tasks:
            task.cancel()
        self._close_lan()
        self.closing.set()
        self.break_silence()
        self.touch()

    def _close_lan(self) -> None:
        for terminal in self.terminals.values():
            if terminal.lan is not None:
                terminal.lan.close()

    def break_silence(self) -> None:
        self.silence_over.set()
        self.silence_over = asyncio.Event()

    def touch(self) -> None:
        """Something that a page shows has changed."""
        self.changed.set()
        self.changed = asyncio.Event()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``work`` in the background until it ends or the simulator is reset."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def add_terminal(
        self, terminal_id: str, merchant_id: str, status_id: int, source_code: str
    ) -> Terminal:
        terminal = Terminal(self, terminal_id, merchant_id, status_id, source_code)
        self.terminals[terminal_id] = terminal
        self.touch()
        return terminal

    def reverse(
        self,
        parent: Transaction,
        amount: int,
        merchant_reference: str | None = None,
        customer_trns: str | None = None,
        *,
        forced: bool = False,
        nameless: bool = False,
    ) -> Transaction:
        """Void or refund without a terminal, and tell the webhooks.

        :param forced: Viva does it by itself
        :param nameless: it carries no merchant reference
        :raises ReversalRefused: when the acquirer does not do it
        """
        type_id, status_id = self.ledger.reverse(parent, amount, forced=forced)
        row = self.child(parent, amount, type_id, merchant_reference, customer_trns)
        if nameless:
            row.merchant_reference = None
        parent.status_id = status_id
        self.webhooks.publish(row.merchant_id, self.webhooks.of_transaction(row))
        self.touch()
        return row

    def child(
        self,
        parent: Transaction,
        amount: int,
        type_id: int,
        merchant_reference: str | None = None,
        customer_trns: str | None = None,
    ) -> Transaction:
        """Book a reversal or capture that was asked for without a terminal; it stays on the parent's order code."""
        now = self.clock.now()
        row = Transaction(
            merchant_id=parent.merchant_id,
            terminal_id=parent.terminal_id,
            source_code=parent.source_code,
            amount=amount,
            currency_code=parent.currency_code,
            type_id=type_id,
            created=now,
            numbers=self.numbers.again(parent.numbers, now),
            card=parent.card,
            merchant_reference=merchant_reference or parent.merchant_reference,
            customer_trns=customer_trns or parent.customer_trns,
            parent_id=parent.transaction_id,
            parent_type_id=parent.type_id,
            installments=parent.installments,
            pan_entry_mode=parent.pan_entry_mode,
        )
        return self.ledger.add(row)

    def violation(self, what: str, path: str, sent: Any = None) -> None:
        """Remember that a client broke the protocol."""
        self.violations.append({"what": what, "path": path, "body": sent, "at": time.time()})
        self.touch()
