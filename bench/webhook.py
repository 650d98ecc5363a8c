"""200 payment events, 12 at a time, straight to Odoo's port: how many it takes in a second."""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from .report import Figure, median, percentile
from .shop import WAITING, Shop, wait_until
from .sides import Sale, Side

EVENTS, AT_ONCE, ROUNDS = 200, 12, 3
GOAL = 15


def measure(shop: Shop, sides: list[Side]) -> list[Figure]:
    rates, worst, queries = {}, {}, {}
    for side in sides:
        sales = _paid_sales(shop, side)
        _post_all(side, sales, EVENTS // 5)  # both workers are warm
        shop.log.forget()
        rounds = [_post_all(side, sales, EVENTS) for _ in range(ROUNDS)]
        rates[side.name] = median([EVENTS / seconds for seconds, _times in rounds])
        worst[side.name] = median([percentile(times, 0.99) * 1000 for _seconds, times in rounds])
        requests = shop.log.requests(side.paths["webhook"])
        queries[side.name] = median([request.queries for request in requests])
        for sale in sales:
            wait_until(lambda sale=sale, side=side: side.ask(shop.cashier, sale))
    met = rates["ours"] >= GOAL * rates["peer"]
    return [
        Figure("webhook_events", "per s", **rates, goal=f"{GOAL} x the peer's", met=met),
        Figure("webhook_p99", "ms", **worst),
        Figure("webhook_queries", "SQL", **queries),
    ]


def _paid_sales(shop: Shop, side: Side) -> list[Sale]:
    """Ten sales, paid at the terminal a moment ago: the till has not asked yet, the event is news."""
    shop.calm(auto={"action": "tap"})
    return [side.sell(shop.cashier, shop.order(shop.cashier), terminal) for terminal in WAITING]


def _post_all(side: Side, sales: list[Sale], count: int) -> tuple[float, list[float]]:
    """Seconds for all, and seconds of each."""
    parts = urlsplit(side.webhook)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    bodies = [json.dumps(side.event(sales[number % len(sales)])) for number in range(count)]

    def post(body: str) -> float:
        began = time.perf_counter()
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"An event was answered {answer.status}")
        return time.perf_counter() - began

    with ThreadPoolExecutor(AT_ONCE) as pool:
        began = time.perf_counter()
        times = list(pool.map(post, bodies))
        return time.perf_counter() - began, times
