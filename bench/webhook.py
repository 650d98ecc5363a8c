"""200 payment events, 12 at a time, straight to Odoo's port: how many it takes in a second.

Once about payments that the till still waits for, so that each event is news to it; and once about payments
that are settled, as when Viva repeats what it could not deliver.
"""

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from .report import Figure, median, percentile
from .shop import WAITING, Shop, wait_until
from .sides import Sale, Side

EVENTS, AT_ONCE, ROUNDS = 200, 12, 2
GOAL = 15


def measure(shop: Shop, sides: list[Side]) -> list[Figure]:
    rates, settled_rates, worst, queries = {}, {}, {}, {}
    for side in sides:
        sales = _paid_sales(shop, side)
        _post_all(side, sales, EVENTS // 5)  # both workers are warm
        shop.log.forget()
        rates[side.name], worst[side.name] = _burst(side, sales)
        requests = shop.log.requests(side.paths["webhook"])
        queries[side.name] = median([request.queries for request in requests])
        for sale in sales:
            wait_until(lambda sale=sale, side=side: side.ask(shop.cashier, sale))
        settled_rates[side.name], _worst = _burst(side, sales)
    return [
        _rate("webhook_events", rates),
        _rate("webhook_settled", settled_rates),
        Figure("webhook_p99", "ms", **worst),
        Figure("webhook_queries", "SQL", **queries),
    ]


def _rate(name: str, rates: dict[str, float]) -> Figure:
    met = rates["ours"] >= GOAL * rates["peer"]
    return Figure(name, "per s", **rates, goal=f"{GOAL} x the peer's", met=met)


def _burst(side: Side, sales: list[Sale]) -> tuple[float, float]:
    """Events per second, and the 99th percentile of one in milliseconds; medians of some rounds."""
    rounds = [_post_all(side, sales, EVENTS) for _ in range(ROUNDS)]
    return (
        median([EVENTS / seconds for seconds, _times in rounds]),
        median([percentile(times, 0.99) * 1000 for _seconds, times in rounds]),
    )


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
