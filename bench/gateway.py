"""Gateways: how long a command takes from Odoo to a terminal, what twenty idle ones cost, ten terminals at once.

Odoo's pos_viva_com knows no terminal in the shop's own network, so there is nobody to compare with.
"""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import psutil
import psycopg2

from lib.common import log_dir
from lib.rpc import Client
from lib.server import Gateway, free_port

from .report import Figure, median, percentile
from .shop import PRICE_MINOR, TILL, Shop, wait_until
from .sides import Side

SALES, WARM = 32, 4
TERMINALS, ROUNDS = 10, 3
GATEWAYS, BEFORE_S, IDLE_S = 20, 20, 60
SYNC = "/viva/gateway/sync"
MEBIBYTE = 2**20


def measure(shop: Shop, _sides: list[Side]) -> list[Figure]:
    shop.calm()
    shop.simulator.connect(shop.odoo)
    with _Network(shop) as network:
        figures = [
            *_command(network, "local", network.local),
            *_command(network, "tcp", network.tcp),
            *_all_at_once(network),
        ]
    return [*figures, *_idle(shop)]


class _Network:
    """One gateway with the terminals of a shop."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.tills = [shop.client() for _ in range(TERMINALS)]
        self.gateway = _gateway(shop, "one")
        self.terminals: dict[str, int] = {}
        self.local = self.tcp = ""
        self.database = psycopg2.connect(
            dbname=shop.odoo.database, **_postgres(shop.odoo.environment.variables)
        )
        self.database.autocommit = True

    def __enter__(self) -> "_Network":
        gateway = self.gateway.pair("Bench", TILL)
        models = self.shop.admin.call("viva.terminal.model", "search_read", [], ["code"])
        model_ids = {model["code"]: model["id"] for model in models}
        for number in range(TERMINALS):
            is_local = number % 2 == 0
            viva_id, port = str(16000301 + number), free_port()
            simulated = {
                "terminalId": viva_id,
                "port": port,
                **({"lan": "local", "scheme": "https"} if is_local else {"lan": "tcp"}),
            }
            address = self.shop.simulator.control("POST", "terminals", simulated)
            self.terminals[viva_id] = self.shop.admin.call(
                "viva.terminal",
                "create",
                {
                    "name": viva_id,
                    "viva_id": viva_id,
                    "account_id": self.shop.account,
                    "model_id": model_ids["cs50c" if is_local else "s900"],
                    "protocol": simulated["lan"],
                    "gateway_id": gateway,
                    "lan_host": "127.0.0.1",
                    "lan_port": port,
                    "certificate_fingerprint": address["fingerprint"],
                },
            )
        self.local, self.tcp, *_others = self.terminals
        ids = [(4, terminal) for terminal in self.terminals.values()]
        method = [self.shop.methods["waiting"]]
        self.shop.admin.call("pos.payment.method", "write", method, {"viva_terminal_ids": ids})
        self.gateway.start()
        wait_until(lambda: len(self.gateway.told()["terminals"]) == TERMINALS)
        wait_until(lambda: self.gateway.told()["hints"])
        return self

    def __exit__(self, *_details: object) -> None:
        self.database.close()
        self.gateway.stop()
        self.gateway.forget()

    def order(self, till: Client) -> dict:
        return self.shop.order(till)

    def press(self, till: Client, terminal: str, order: dict) -> tuple[str, float]:
        """The request of a till; its attempt, and the moment before."""
        request = {
            "attempt": str(uuid.uuid4()),
            "payment_uuid": str(uuid.uuid4()),
            "order_uuid": order["uuid"],
            "order_reference": "",
            "pos_session_id": self.shop.session,
            "payment_method_id": self.shop.methods["waiting"],
            "amount_minor": PRICE_MINOR,
            "terminal_id": self.terminals[terminal],
        }
        began = time.time()
        status = till.call("viva.transaction", "pos_start", request, context=self.shop.context)
        if status["final"]:
            raise RuntimeError(f"The sale was not taken: {status['message']}")
        return request["attempt"], began

    def approved(self, attempt: str) -> float:
        """Wait for it as nobody else does, without a request to Odoo; the moment."""

        def is_approved() -> bool:
            with self.database.cursor() as cursor:
                cursor.execute(
                    "SELECT 1 FROM viva_transaction WHERE attempt = %s AND state = 'approved'",
                    (attempt,),
                )
                return bool(cursor.fetchone())

        wait_until(is_approved, seconds=60, pause=0.003)
        return time.time()

    def session_of(self, attempt: str) -> str:
        with self.database.cursor() as cursor:
            cursor.execute("SELECT session_id FROM viva_transaction WHERE attempt = %s", (attempt,))
            return cursor.fetchone()[0]


def _command(network: _Network, name: str, terminal: str) -> list[Figure]:
    """From the till's request to the terminal that asks for a card, as the terminal's own clock says."""
    till, control = network.tills[0], network.shop.simulator.control
    times = []
    for number in range(WARM + SALES):
        order = network.order(till)
        attempt, began = network.press(till, terminal, order)
        control("POST", f"terminals/{terminal}/tap", {"wait_s": 10})
        shown = _moment(control("GET", "sessions")[-1]["created"])
        network.approved(attempt)
        if number >= WARM:
            times.append((shown - began) * 1000)
    return [
        Figure(f"gateway_{name}_median", "ms", median(times)),
        Figure(f"gateway_{name}_p95", "ms", percentile(times, 0.95)),
    ]


def _all_at_once(network: _Network) -> list[Figure]:
    """Ten tills press, ten customers tap as soon as they can."""
    walls, waits = [], []
    network.shop.simulator.control("POST", "settings", {"auto": {"action": "tap", "delay_ms": 0}})
    for _ in range(ROUNDS):
        orders = [network.order(till) for till in network.tills]
        before = len(network.shop.simulator.control("GET", "charges"))

        def pay(number: int, orders: list[dict] = orders) -> tuple[str, float]:
            terminal = list(network.terminals)[number]
            return network.press(network.tills[number], terminal, orders[number])

        with ThreadPoolExecutor(TERMINALS) as pool:
            attempts = list(pool.map(pay, range(TERMINALS)))
            # One connection is for one thread: they are looked at in turn, each within milliseconds.
            seen = _until_all(network, [attempt for attempt, _began in attempts])
        charges = network.shop.simulator.control("GET", "charges")[before:]
        if len(charges) != TERMINALS:
            raise RuntimeError(f"{len(charges)} of {TERMINALS} have paid.")
        tapped = {charge["terminalId"]: _moment(charge["created"]) for charge in charges}
        waits += [
            (seen[attempt] - tapped[terminal]) * 1000
            for (attempt, _began), terminal in zip(attempts, network.terminals, strict=True)
        ]
        walls.append((max(seen.values()) - min(began for _attempt, began in attempts)) * 1000)
    network.shop.simulator.control("POST", "settings", {"auto": None})
    return [
        Figure("gateway_ten_wall", "ms", median(walls)),
        Figure("gateway_ten_tap_to_approved_p95", "ms", percentile(waits, 0.95)),
    ]


def _until_all(network: _Network, attempts: list[str]) -> dict[str, float]:
    seen: dict[str, float] = {}

    def look() -> bool:
        with network.database.cursor() as cursor:
            cursor.execute(
                "SELECT attempt FROM viva_transaction WHERE attempt = ANY(%s) AND state = 'approved'",
                (attempts,),
            )
            for (attempt,) in cursor.fetchall():
                seen.setdefault(attempt, time.time())
        return len(seen) == len(attempts)

    wait_until(look, seconds=60, pause=0.003)
    return seen


def _idle(shop: Shop) -> list[Figure]:
    """Twenty gateways that are connected and have nothing to do, against none."""
    none = _cost(shop, BEFORE_S)
    gateways = [_gateway(shop, f"idle-{number}") for number in range(GATEWAYS)]
    with _started(gateways):
        wait_until(lambda: all(one.told().get("hints") for one in gateways), seconds=60)
        time.sleep(5)
        some = _cost(shop, IDLE_S)
        answered = [one for one in gateways if one.answers()]
    if len(answered) != GATEWAYS:
        raise RuntimeError(f"Only {len(answered)} of {GATEWAYS} gateways are connected.")
    return [
        Figure("gateway_20_idle_memory", "MiB", some["memory"] - none["memory"]),
        Figure("gateway_20_idle_cpu", "% of a core", some["cpu"] - none["cpu"]),
        Figure("gateway_20_idle_requests", "per min", some["requests"]),
    ]


@contextlib.contextmanager
def _started(gateways: list[Gateway]) -> Iterator[None]:
    """Paired one after the other, as an administrator does it."""
    try:
        for number, gateway in enumerate(gateways):
            gateway.pair_and_start(f"Idle {number}", TILL)
        yield
    finally:
        for gateway in gateways:
            gateway.kill()
            gateway.forget()


def _cost(shop: Shop, seconds: float) -> dict[str, float]:
    """Odoo's memory (what it shares counts in parts), its share of a core, calls of gateways per minute."""
    shop.log.forget()
    before, began = _cpu_s(shop), time.monotonic()
    time.sleep(seconds)
    taken = time.monotonic() - began
    cpu = _cpu_s(shop) - before
    calls = len(shop.log.requests(SYNC))
    memory = _over_all(shop, lambda process: process.memory_full_info().pss)
    return {
        "memory": memory / MEBIBYTE,
        "cpu": cpu / taken * 100,
        "requests": calls / taken * 60,
    }


def _cpu_s(shop: Shop) -> float:
    return _over_all(shop, lambda process: sum(process.cpu_times()[:2]))


def _over_all(shop: Shop, of: Callable[[Any], float]) -> float:
    """The sum over Odoo's processes."""
    main = psutil.Process(shop.odoo.process.pid)
    return sum(of(process) for process in [main, *main.children(recursive=True)])


def _gateway(shop: Shop, name: str) -> Gateway:
    log = log_dir() / f"bench-gateway-{name}.log"
    log.unlink(missing_ok=True)
    return Gateway(shop.odoo.environment, shop.odoo, log, url=shop.proxy.url)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _postgres(variables: dict[str, str]) -> dict[str, str | None]:
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    return {name: variables.get(variable) for name, variable in names.items()}
