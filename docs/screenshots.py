"""The pictures of the documentation, taken from the running product. Started by ``dev/screenshots``."""

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from lib import databases
from lib.common import log_dir, say
from lib.environment import Environment, prepare
from lib.server import HOST, Odoo, Simulator

FOLDER = Path(__file__).parent / "img"
LARGEST = 150_000  # bytes
TERMINAL, NAME = "16000010", "Counter"
DESK, SMALL, PHONE = (1180, 760), (1024, 600), (390, 844)
PATIENCE_MS = 90_000  # the first page has Odoo build its bundles
CARD = "Card (Viva.com)"
TIMEZONE = "Europe/Athens"


class Album:
    """Writes pictures: a palette of 256 colours keeps them small."""

    def __init__(self, wanted: list[str]):
        self.wanted = wanted

    def take(self, name: str, page: Page, *, whole: bool = False) -> None:
        if self.wanted and name not in self.wanted:
            return
        page.wait_for_timeout(400)  # animations end
        shot = Image.open(io.BytesIO(page.screenshot(animations="disabled", full_page=whole)))
        path = FOLDER / f"{name}.png"
        shot.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
        size = path.stat().st_size
        if size > LARGEST:
            raise ValueError(f"{path.name} has {size} bytes, more than {LARGEST}")
        say(f"  {path.name:32}{size // 1024:4} kB")


class Till:
    """The till in a browser, and the hands of customer and cashier."""

    def __init__(self, shop: "Shop", browser: Browser, size: tuple[int, int]):
        self.shop = shop
        self.page = shop.login(browser, "cashier", size)
        self.is_phone = size == PHONE
        self.page.goto(f"{shop.url}/pos/ui/{shop.till}")
        self.page.locator(".open-register-btn").click()

    def open_register(self) -> None:
        self.page.locator(".modal").get_by_role("button", name="Open Register").click()

    def order(self, *products: str) -> None:
        self.page.locator(".product-list .product").first.wait_for()
        for product in products:
            search = self.page.locator(".products-widget input, .search-bar-container input").first
            if search.is_visible():
                search.fill(product)
            self.page.locator(f'article.product:has-text("{product}")').first.click()
        self.page.locator(
            ".btn-switchpane:has-text('Pay')" if self.is_phone else ".pay-order-button"
        ).first.click()
        self.page.locator(".payment-screen").wait_for()

    def pay(self, method: str = CARD) -> None:
        self.page.locator(f'.paymentmethod:has-text("{method}")').click()

    def choose_terminal(self) -> None:
        self.page.locator(f'.modal .selection-item:has-text("{NAME}")').click()

    def panel(self, phase: str) -> None:
        self.page.locator(f'.viva-status[data-phase="{phase}"]').wait_for()

    def press(self, button: str) -> None:
        self.page.locator(f".viva-status .viva-{button}").click()

    def validate(self) -> None:
        self.page.locator(".payment-screen").get_by_role("button", name="Validate").click()
        self.page.locator(".receipt-screen").wait_for()

    def new_order(self) -> None:
        self.page.locator('.receipt-screen button[name="done"]').first.click()
        self.page.locator(".product-screen").wait_for()


class Shop:
    """Odoo and the simulator with the demo shop."""

    def __init__(self, odoo: Odoo, simulator: Simulator, till: str):
        self.odoo, self.simulator, self.till = odoo, simulator, till
        self.url = f"http://{HOST}:{odoo.port}"

    def login(self, browser: Browser, login: str, size: tuple[int, int]) -> Page:
        viewport = {"width": size[0], "height": size[1]}
        page = browser.new_context(viewport=viewport, timezone_id=TIMEZONE).new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{self.url}/web/login")
        page.fill("input[name=login]", login)
        page.fill("input[name=password]", login)
        page.click(".oe_login_form button[type=submit]")
        page.wait_for_url(lambda url: "/web/login" not in url)
        return page

    def at_terminal(self, action: str, **options: object) -> None:
        self.simulator.control("POST", f"terminals/{TERMINAL}/{action}", {"wait_s": 10, **options})


@contextlib.contextmanager
def shop_of(environment: Environment) -> Iterator[Shop]:
    source = databases.shop(environment)
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(databases.throw_away(environment, "pictures", source))
        simulator = Simulator(environment, log_dir() / "screenshots-simulator.log")
        log = log_dir() / "screenshots-odoo.log"
        odoo = Odoo(environment, database, log, extra=("--max-cron-threads=0",))
        for server in (simulator, odoo):
            stack.callback(server.stop)
            server.start()
        simulator.connect(odoo)
        admin = odoo.client("admin")
        admin.call("res.users", "write", admin.call("res.users", "search", []), {"tz": TIMEZONE})
        admin.call(
            "viva.terminal", "action_refresh_status", admin.call("viva.terminal", "search", [])
        )
        query = "SELECT id FROM pos_config WHERE name = 'Demo Shop'"
        till = environment.postgres.sql(query, database)[0]
        # So that the approved line can be seen; else the till goes on to the receipt by itself.
        by_hand = {"auto_validate_terminal_payment": False}
        admin.call("pos.config", "write", [int(till)], by_hand)
        yield Shop(odoo, simulator, till)


def sell(album: Album, shop: Shop, browser: Browser) -> None:
    """A cashier's morning, from the first card to the one of which nobody knows."""
    till = Till(shop, browser, DESK)
    page = till.page
    till.open_register()
    till.order("Desk Organizer")
    album.take("till-payment", page)
    till.pay()
    album.take("till-choose-terminal", page)
    till.choose_terminal()
    till.panel("waiting")
    page.wait_for_timeout(3000)
    album.take("till-waiting", page)
    _terminal(album, shop, browser)
    shop.at_terminal("decline")
    till.panel("unpaid")
    album.take("till-declined", page)
    till.press("send")
    till.panel("waiting")
    till.press("cancel")
    till.panel("unpaid")
    album.take("till-cancelled", page)
    till.press("send")
    till.panel("waiting")
    shop.at_terminal("tap")
    till.panel("paid")
    album.take("till-approved", page)
    till.validate()
    album.take("till-receipt", page, whole=True)
    till.new_order()

    for name, size in (("till-1024x600", SMALL), ("till-phone", PHONE)):
        other = Till(shop, browser, size)
        other.order("Letter Tray")
        other.pay()
        other.choose_terminal()
        other.panel("waiting")
        album.take(name, other.page)
        shop.at_terminal("tap")
        other.panel("paid")
        other.validate()
        other.page.context.close()

    # The answer to the request is lost, and Viva cannot say what became of it.
    faults = {"drop_sale_response": 1, "session_status": [503] * 500}
    shop.simulator.control("POST", "faults", faults)
    till.order("Office Chair")
    till.pay()
    till.panel("unknown")
    page.wait_for_timeout(3000)
    album.take("till-unknown", page)
    till.press("remove")
    page.locator(".modal").wait_for()
    album.take("till-unknown-remove", page)
    page.locator(".modal .modal-footer .btn-secondary").click()
    page.context.close()


def _terminal(album: Album, shop: Shop, browser: Browser) -> None:
    viewport = {"width": DESK[0], "height": DESK[1]}
    page = browser.new_page(viewport=viewport, timezone_id=TIMEZONE)
    page.goto(f"{shop.simulator.url}/terminal/{TERMINAL}")
    page.locator("#face").get_by_text("€").first.wait_for()
    album.take("virtual-terminal", page)
    page.close()


def administer(album: Album, shop: Shop, browser: Browser) -> None:
    """What administrator and manager see in the back office."""
    admin = shop.odoo.client("admin")
    found = "search", [("name", "=", "Viva (simulator)")]
    (account,) = admin.call("viva.account", *found)
    page = shop.login(browser, "admin", (1280, 1850))
    page.goto(f"{shop.url}/odoo/viva-accounts/{account}")
    page.locator(".o_form_view .o_field_widget").first.wait_for()
    page.locator(".oe_title input, .oe_title span").first.wait_for()
    album.take("account", page)
    page.set_viewport_size({"width": 1180, "height": 300})
    page.goto(f"{shop.url}/odoo/viva-terminals")
    page.locator(".o_kanban_record").first.wait_for()
    album.take("terminals", page)
    page.set_viewport_size({"width": 1280, "height": 480})
    page.goto(f"{shop.url}/odoo/viva-payments")
    page.locator(".o_data_row").first.wait_for()
    album.take("transactions", page)
    page.set_viewport_size({"width": 1280, "height": 1240})
    (approved,) = admin.call("viva.transaction", "search", [("state", "=", "approved")], limit=1)
    page.goto(f"{shop.url}/odoo/viva-payments/{approved}")
    page.locator(".o_form_view .o_data_row").first.wait_for()
    album.take("transaction", page)
    page.context.close()

    (session,) = admin.call("pos.session", "search", [("config_id", "=", int(shop.till))], limit=1)
    page = shop.login(browser, "manager", (1180, 640))
    page.goto(f"{shop.url}/odoo/action-point_of_sale.action_pos_session/{session}")
    page.locator(".o_form_view .alert-warning").first.wait_for()
    album.take("session-refused", page)
    page.context.close()


def _show_trouble(browser: Browser) -> None:
    for context in browser.contexts:
        path = log_dir() / "screenshots-trouble.png"
        context.pages[-1].screenshot(path=path)
        say(f"  what the browser showed: {path}")


def main(browser: str, *wanted: str) -> int:
    FOLDER.mkdir(exist_ok=True)
    album = Album(list(wanted))
    environment = prepare()
    with environment.postgres.running(), shop_of(environment) as shop, sync_playwright() as player:
        chromium = player.chromium.launch(
            executable_path=browser, args=["--no-sandbox", "--disable-background-networking"]
        )
        try:
            sell(album, shop, chromium)
            administer(album, shop, chromium)
        except Exception:
            _show_trouble(chromium)
            raise
        finally:
            chromium.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
