"""From the card's approval at the terminal to the payment line that the cashier may believe, in Chromium."""

import time

from playwright.sync_api import Page, sync_playwright

from lib import browser

from .report import Figure, median, percentile
from .shop import PRODUCT, Shop, wait_until
from .sides import Side

SALES, SALES_WITH_WEBHOOK = 12, 20
# The peer asks every 5 s: approvals are spread over such an interval, by the golden ratio, so that they are
# spread over a shorter one just as evenly.
SPREAD_S, SPREAD_WITH_WEBHOOK_S = 5, 1
GOLDEN = 0.618034
POLLING_GOAL, WEBHOOK_GOAL_MS = 3, 100

WATCH = """([selector, words]) => {
    const isGreen = (node) => node.textContent.includes(words);
    window.benchGreen = new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error("The payment line did not turn green.")), 60000);
        const look = () => [...document.querySelectorAll(selector)].some(isGreen) && resolve(Date.now());
        new MutationObserver(look).observe(document.body,
            { subtree: true, childList: true, attributes: true, characterData: true });
        look();
    });
}"""


def measure(shop: Shop, sides: list[Side]) -> list[Figure]:
    polled, pushed = {}, {}
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser.get(),
            args=["--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage"],
        )
        page = chromium.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(30_000)
        _open_till(page, shop)
        for side in sides:
            shop.calm()
            _sale(page, shop, side, 0)  # the page is warm
            polled[side.name] = _sales(page, shop, side, SALES, SPREAD_S)
            shop.register(side.webhook)
            pushed[side.name] = _sales(page, shop, side, SALES_WITH_WEBHOOK, SPREAD_WITH_WEBHOOK_S)
        chromium.close()
    return [
        *_figures("green", polled, webhook=False),
        *_figures("green_webhook", pushed, webhook=True),
    ]


def _figures(name: str, times: dict[str, list[float]], *, webhook: bool) -> list[Figure]:
    figures = []
    for label, value in (("median", median), ("p95", lambda values: percentile(values, 0.95))):
        ours, peer = (value(times[side]) for side in ("ours", "peer"))
        if webhook:
            goal = f"{WEBHOOK_GOAL_MS} ms behind or faster"
            met = ours <= peer + WEBHOOK_GOAL_MS
        else:
            goal = f"{POLLING_GOAL} x faster"
            met = ours * POLLING_GOAL <= peer
        figures.append(Figure(f"{name}_{label}", "ms", ours, peer, goal=goal, met=met))
    return figures


def _open_till(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.proxy.url}/web/login")
    page.fill("#login", "cashier")
    page.fill("#password", "cashier")
    page.click("button[type=submit]")
    page.wait_for_url("**/odoo**")
    page.goto(f"{shop.proxy.url}/pos/ui/{shop.config}")
    page.locator(".open-register-btn").click(timeout=90_000)


def _sales(page: Page, shop: Shop, side: Side, count: int, spread_s: float) -> list[float]:
    waits = [spread_s * (number * GOLDEN % 1) for number in range(1, count + 1)]
    return [_sale(page, shop, side, wait_s) for wait_s in waits]


def _sale(page: Page, shop: Shop, side: Side, wait_s: float) -> float:
    """Sell one; the card is approved ``wait_s`` after the terminal shows the amount. Milliseconds until green."""
    page.locator(".product", has_text=PRODUCT).click()
    page.click(".pay-order-button")
    page.get_by_text(side.button, exact=True).click()
    wait_until(lambda: shop.is_asking(side.terminal))
    page.evaluate(WATCH, list(side.green))
    time.sleep(wait_s)
    approved = time.time() * 1000
    shop.simulator.control("POST", f"terminals/{side.terminal}/tap", {})
    green = page.evaluate("() => window.benchGreen")
    page.click(".payment-screen .validation-button")
    page.click(".receipt-screen .button.next")
    return green - approved
