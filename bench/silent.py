"""Viva takes every connection and answers none, while ten tills wait for a card: what the shop feels of it."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from lib.rpc import Client, Lost, RpcError

from .report import Figure, percentile
from .shop import WAITING, Shop
from .sides import Sale, Side

SECONDS = 40
GOAL_MS = 1000


def measure(shop: Shop, sides: list[Side]) -> list[Figure]:
    clients = [shop.client() for _ in (*WAITING, "one that begins")]
    held, cash = {}, {}
    for side in sides:
        held[side.name], times = _silence(shop, side, clients)
        cash[side.name] = percentile(times, 0.95) * 1000
    met = cash["ours"] < GOAL_MS
    return [
        Figure("silent_worker_held", "s", **held),
        Figure("silent_cash_sale_p95", "ms", **cash, goal=f"under {GOAL_MS} ms", met=met),
    ]


def _silence(shop: Shop, side: Side, clients: list[Client]) -> tuple[float, list[float]]:
    """The longest time that a worker was held by a card, and how long each cash sale took; in seconds."""
    shop.calm()
    *waiting, beginner = clients
    sales = [
        side.sell(client, shop.order(client), terminal)
        for client, terminal in zip(waiting, WAITING, strict=True)
    ]
    order = shop.order(beginner)
    shop.log.forget()
    over = Event()
    times = []
    with ThreadPoolExecutor(len(clients)) as pool:
        shop.simulator.control("POST", "faults", {"silent": True})
        try:
            pool.submit(_begin, side, beginner, order)
            for client, sale in zip(waiting, sales, strict=True):
                pool.submit(_wait, side, client, sale, over)
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                began = time.perf_counter()
                shop.order(shop.cashier, cash=True)
                times.append(time.perf_counter() - began)
                time.sleep(0.5)
        finally:
            over.set()
            shop.simulator.control("DELETE", "faults")
    paths = (side.paths["sale"], side.paths["poll"])
    requests = [request for path in paths for request in shop.log.requests(path)]
    return max(request.seconds for request in requests), times


def _begin(side: Side, client: Client, order: dict) -> None:
    """A till that asks for a card just now."""
    try:
        side.sell(client, order)
    except (RuntimeError, RpcError, Lost):
        return  # it is refused, or not answered: that is what silence does


def _wait(side: Side, client: Client, sale: Sale, over: Event) -> None:
    """A till that waits: it asks, one question at a time, at its own pace."""
    while not over.wait(side.poll_s):
        try:
            side.ask(client, sale)
        except (RpcError, Lost):
            continue
