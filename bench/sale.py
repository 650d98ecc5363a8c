"""The till's request to charge: what it takes beyond the call to Viva that it contains. And one poll."""

import time

from .report import Figure, median
from .shop import Shop, wait_until
from .sides import Side

SALES, POLLS = 30, 20
GOAL_MS = 25
CALL = "/ecr/v1/transactions:sale"


def measure(shop: Shop, sides: list[Side]) -> list[Figure]:
    above, polls, sale_queries, poll_queries = {}, {}, {}, {}
    for side in sides:
        shop.calm()
        _sell(shop, side)  # the token is there, the workers are warm
        _sell(shop, side)
        shop.log.forget()
        above[side.name] = median([_sell(shop, side) for _ in range(SALES)])
        sale_queries[side.name] = _queries(shop, side, "sale")
        shop.log.forget()
        polls[side.name] = median(_polls(shop, side))
        poll_queries[side.name] = _queries(shop, side, "poll")
    met = above["ours"] <= GOAL_MS
    return [
        Figure("sale_above_viva", "ms", **above, goal=f"at most {GOAL_MS} ms", met=met),
        Figure("sale_queries", "SQL", **sale_queries),
        Figure("poll_request", "ms", **polls),
        Figure("poll_queries", "SQL", **poll_queries),
    ]


def _queries(shop: Shop, side: Side, kind: str) -> float:
    return median([request.queries for request in shop.log.requests(side.paths[kind])])


def _sell(shop: Shop, side: Side) -> float:
    """One sale, paid at once; milliseconds of the request beyond Viva's part of it."""
    order = shop.order(shop.cashier)
    began = time.perf_counter()
    sale = side.sell(shop.cashier, order)
    taken = (time.perf_counter() - began) * 1000
    viva = shop.simulator.control("GET", f"requests?path={CALL}")[-1]["ms"]
    shop.simulator.control("POST", f"terminals/{sale.terminal}/tap", {"wait_s": 5})
    wait_until(lambda: side.ask(shop.cashier, sale))
    return taken - viva


def _polls(shop: Shop, side: Side) -> list[float]:
    """Milliseconds of questions about a sale that waits for its card."""
    sale = side.sell(shop.cashier, shop.order(shop.cashier))
    times = []
    for _ in range(POLLS):
        began = time.perf_counter()
        side.ask(shop.cashier, sale)
        times.append((time.perf_counter() - began) * 1000)
    shop.simulator.control("POST", f"terminals/{sale.terminal}/tap", {"wait_s": 5})
    wait_until(lambda: side.ask(shop.cashier, sale))
    return times
