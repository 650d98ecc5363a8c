"""The shop in which both sides sell: databases, servers, logins, orders."""

import contextlib
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timezone

from lib import databases
from lib.common import ROOT, Problem, log_dir, step
from lib.environment import Environment
from lib.rpc import Client
from lib.server import Odoo, Proxy, Simulator

from .access_log import AccessLog

ADDONS = ROOT / "bench" / "addons"
LATENCY_MS = 150
PRODUCT, PRICE, PRICE_MINOR = "Bench coffee", 19.99, 1999
TILL = "Demo Shop"
CARD, PEER_CARD = "Card (Viva.com)", "Card (pos_viva_com)"
COUNTER, PEER_TERMINAL = "16000010", "16000011"
# Ten tills that wait for a card at once have ten terminals.
WAITING = tuple(str(16000101 + number) for number in range(10))


class Shop:
    """One point-of-sale session in which every payment method is offered. Clients are for one thread each."""

    def __init__(self, odoo: Odoo, simulator: Simulator, proxy: Proxy):
        self.odoo = odoo
        self.simulator = simulator
        self.proxy = proxy
        self.log = AccessLog(odoo.log)
        self.admin = odoo.client("admin")
        self.cashier = odoo.client("cashier")
        self.methods: dict[str, int] = {}
        self.terminals: dict[str, int] = {}
        """Ids of ``viva.terminal`` by Viva's id."""
        self.peer_methods: dict[str, int] = {}
        """Ids of the peer's payment methods by the same."""
        self._open()

    def client(self) -> Client:
        return self.odoo.client("cashier", timeout=120)

    def _id(self, model: str, name: str) -> int:
        (record,) = self.admin.call(model, "search", [("name", "=", name)])
        return record

    def _create(self, model: str, **values) -> int:
        return self.admin.call(model, "create", values)

    def _open(self) -> None:
        """Make what the bench needs beside the demo shop, and open the till."""
        self.config = self._id("pos.config", TILL)
        self.company = self._id("res.company", TILL)
        # What a till sends along with each call.
        self.context = {"lang": "en_US", "tz": "UTC", "allowed_company_ids": [self.company]}
        self.product = self._create(
            "product.product",
            name=PRODUCT,
            list_price=PRICE,
            available_in_pos=True,
            taxes_id=[(6, 0, [])],
        )
        card = self._id("pos.payment.method", CARD)
        ((journal, _name),) = (
            method["journal_id"]
            for method in self.admin.call("pos.payment.method", "read", [card], ["journal_id"])
        )
        self.methods["ours"] = card
        self.methods["cash"] = self.admin.call(
            "pos.payment.method",
            "search",
            [("name", "=", "Cash"), ("company_id", "=", self.company)],
        )[0]
        self._make_terminals(card)
        self.methods["waiting"] = self._create(
            "pos.payment.method",
            name="Card (ten tills)",
            journal_id=journal,
            payment_method_type="terminal",
            use_payment_terminal="viva",
            viva_terminal_ids=[(6, 0, [self.terminals[viva_id] for viva_id in WAITING])],
        )
        self._make_peer(journal)
        self.methods["peer"] = self.peer_methods[PEER_TERMINAL]
        settings = {
            "payment_method_ids": [(6, 0, list(self.methods.values()))],
            "module_pos_hr": False,
            # The line has to stay in sight.
            "auto_validate_terminal_payment": False,
        }
        self.admin.call("pos.config", "write", [self.config], settings)
        self.cashier.call("pos.config", "open_ui", [self.config])
        (self.session,) = self.cashier.call(
            "pos.session", "search", [("config_id", "=", self.config), ("state", "!=", "closed")]
        )
        self.cashier.call("pos.session", "set_opening_control", [self.session], 0, "")

    def _make_terminals(self, card: int) -> None:
        terminals = self.admin.call(
            "viva.terminal", "search_read", [], ["viva_id", "account_id", "model_id"]
        )
        counter = next(terminal for terminal in terminals if terminal["viva_id"] == COUNTER)
        self.account = counter["account_id"][0]
        self.terminals[COUNTER] = counter["id"]
        for viva_id in WAITING:
            self.terminals[viva_id] = self._create(
                "viva.terminal",
                name=viva_id,
                viva_id=viva_id,
                account_id=self.account,
                model_id=counter["model_id"][0],
            )
        one = {"viva_terminal_ids": [(6, 0, [counter["id"]])]}
        self.admin.call("pos.payment.method", "write", [card], one)

    def _make_peer(self, journal: int) -> None:
        """The peer has one payment method for each terminal."""
        merchant = self.simulator.control("GET", "merchants")[0]
        for terminal in (PEER_TERMINAL, *WAITING):
            method = self._create(
                "pos.payment.method",
                name=PEER_CARD if terminal == PEER_TERMINAL else f"{PEER_CARD} {terminal}",
                journal_id=journal,
                payment_method_type="terminal",
                use_payment_terminal="viva_com",
                viva_com_merchant_id=merchant["merchant_id"],
                viva_com_api_key=merchant["api_key"],
                viva_com_client_id=merchant["client_id"],
                viva_com_client_secret=merchant["client_secret"],
                viva_com_terminal_id=terminal,
                viva_com_test_mode=True,
            )
            # It can fetch its access token only for a user who may change payment methods.
            self.admin.call("pos.payment.method", "viva_com_get_payment_status", [method], "none")
            self.peer_methods[terminal] = method

    def calm(self, **settings) -> None:
        """The simulator as new: 150 ms for each answer, cards authorised at once, no webhook."""
        self.simulator.control("POST", "reset", {})
        for viva_id in WAITING:
            self.simulator.control("POST", "terminals", {"terminalId": viva_id})
        quick = {"latency_ms": LATENCY_MS, "authorising_ms": 0, **settings}
        self.simulator.control("POST", "settings", quick)

    def is_asking(self, terminal_id: str) -> bool:
        """Whether a terminal shows an amount and waits for a card."""
        return any(
            terminal["terminalId"] == terminal_id and terminal["state"] == "shown"
            for terminal in self.simulator.control("GET", "terminals")
        )

    def register(self, webhook: str) -> None:
        """Viva tells this address, and no other, about payments."""
        self.simulator.control("DELETE", "webhooks")
        answer = self.simulator.control("POST", "webhooks", {"url": webhook, "events": [1796]})
        if not answer["verified"]:
            raise Problem(f"The webhook was not verified: {answer['detail']}")

    def order(self, client: Client, *, cash: bool = False) -> dict:
        """One product, saved at the server as the till saves it: a draft, or paid in cash. Returns what was sent."""
        now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        line = {
            "uuid": str(uuid.uuid4()),
            "product_id": self.product,
            "qty": 1,
            "price_unit": PRICE,
            "price_subtotal": PRICE,
            "price_subtotal_incl": PRICE,
            "tax_ids": [(6, 0, [])],
        }
        payment = {
            "uuid": str(uuid.uuid4()),
            "name": now,
            "amount": PRICE,
            "payment_method_id": self.methods["cash"],
        }
        order = {
            "uuid": str(uuid.uuid4()),
            "session_id": self.session,
            "state": "paid" if cash else "draft",
            "date_order": now,
            "amount_total": PRICE,
            "amount_tax": 0,
            "amount_paid": PRICE if cash else 0,
            "amount_return": 0,
            "lines": [(0, 0, line)],
            "payment_ids": [(0, 0, payment)] if cash else [],
        }
        client.call("pos.order", "sync_from_ui", [order], context=self.context)
        return order


@contextlib.contextmanager
def running(environment: Environment) -> Iterator[Shop]:
    """Odoo with two workers, the simulator and the proxy, on a copy of the demo shop with both modules."""
    logs = log_dir()
    with contextlib.ExitStack() as stack:
        stack.enter_context(environment.postgres.running())
        source = databases.shop(environment)
        database = stack.enter_context(databases.throw_away(environment, "bench", source))
        addons = f"--addons-path={','.join(map(str, [*environment.addons_path, ADDONS]))}"
        simulator = Simulator(environment, logs / "bench-simulator.log")
        odoo = Odoo(
            environment,
            database,
            logs / "bench-odoo.log",
            workers=2,
            # With a filter, Odoo lists the server's databases for every request without a cookie.
            extra=(addons, "--db-filter=", "--log-level=info", "--max-cron-threads=0"),
            variables={"BENCH_VIVA": simulator.url},
        )
        proxy = Proxy(odoo, logs / "bench-proxy.log")
        with step("installing pos_viva_com beside it"):
            environment.odoo(addons, "-d", database, "-i", "bench_peer", "--stop-after-init")
        for server in (simulator, odoo, proxy):
            server.log.unlink(missing_ok=True)
            stack.callback(server.stop)
            with step(f"starting {server.name}"):
                server.start()
        simulator.connect(odoo)
        shop = Shop(odoo, simulator, proxy)
        shop.calm()
        yield shop


def wait_until(condition, seconds: float = 30, pause: float = 0.02):
    """The first true value of ``condition()``."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError("waited in vain")
        time.sleep(pause)
    return value
