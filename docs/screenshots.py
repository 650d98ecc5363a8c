"""The pictures of the documentation, taken from the running product. Started by ``dev/screenshots``."""

import contextlib
import io
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, sync_playwright
from screenshots_office import TIMEZONE, bill, dashboard, keep_books

from lib import databases
from lib.common import log_dir, say
from lib.environment import Environment, prepare
from lib.rpc import Client
from lib.server import HOST, Gateway, Odoo, Simulator, free_port, port_is_taken

FOLDER = Path(__file__).parent / "img"
LARGEST = 150_000  # bytes
TERMINAL, NAME = "16000010", "Counter"
DESK, SMALL, PHONE = (1180, 760), (1024, 600), (390, 844)
PATIENCE_MS = 90_000  # the first page has Odoo build its bundles
CARD = "Card (Viva.com)"
DEAR = "Bicycle rental deposit"
TERRACE, KITCHEN = "16000030", "16000040"  # by the Local Terminal API, by TCP/IP
STRANGER = "16000031"  # a terminal in the shop's network of which Odoo knows nothing
HANDHELD = {
    "user_agent": "Mozilla/5.0 (Linux; Android 13; CS50C) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/126.0.0.0 Mobile Safari/537.36",
    "has_touch": True,
}


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

    def __init__(self, shop: "Shop", browser: Browser, size: tuple[int, int], **options: object):
        self.shop = shop
        self.page = shop.login(browser, "cashier", size, **options)
        self.is_phone = size == PHONE
        self.page.goto(f"{shop.url}/pos/ui/{shop.till}")
        self.page.locator(".open-register-btn").click()

    def open_register(self) -> None:
        self.page.locator(".modal").get_by_role("button", name="Open Register").click()

    def order(self, *products: str) -> None:
        self.put(*products)
        self.page.locator(
            ".btn-switchpane:has-text('Pay')" if self.is_phone else ".pay-order-button"
        ).first.click()
        self.page.locator(".payment-screen").wait_for()

    def put(self, *products: str) -> None:
        self.page.locator(".product-list .product").first.wait_for()
        for product in products:
            search = self.page.locator(".products-widget input, .search-bar-container input").first
            if search.is_visible():
                search.fill(product)
            self.page.locator(f'article.product:has-text("{product}")').first.click()

    def customer(self, name: str) -> None:
        self.page.locator(".set-partner, .partner-button").first.click()
        self.page.locator(f".modal .partner-info:has-text('{name}')").first.click()

    def pay(self, method: str = CARD) -> None:
        self.page.locator(f'.paymentmethod:has-text("{method}")').click()

    def choose_terminal(self, name: str = NAME) -> None:
        self.page.locator(f'.modal .selection-item:has-text("{name}")').first.click()

    def panel(self, phase: str) -> None:
        self.page.locator(f'.viva-status[data-phase="{phase}"]').wait_for()

    def press(self, button: str) -> None:
        self.page.locator(f".viva-status .viva-{button}").click()

    def sold(self, action: str = "tap", **options: object) -> None:
        """The customer pays, and the receipt is over."""
        self.panel("waiting")
        self.shop.at_terminal(action, **options)
        self.panel("paid")
        self.validate()
        self.new_order()

    def ask(self, words: str) -> Locator:
        """The dialog that says this."""
        dialog = self.page.locator(f'.modal:has-text("{words}")').last
        dialog.wait_for()
        return dialog

    def open_panel(self, tab: str) -> None:
        self.page.locator(".viva-open-panel").first.click()
        self.page.locator(f".viva-tab[data-tab={tab}]").click()
        self.page.locator(".viva-panel-loading").wait_for(state="detached")

    def card(self, words: str) -> Locator:
        """A payment or hold in the panel."""
        found = self.page.locator(f'.viva-card:has-text("{words}")').first
        found.wait_for()
        return found

    def close_panel(self) -> None:
        self.page.keyboard.press("Escape")
        self.page.locator(".viva-panel").wait_for(state="detached")

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

    def login(self, browser: Browser, login: str, size: tuple[int, int], **options: object) -> Page:
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(viewport=viewport, timezone_id=TIMEZONE, **options)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{self.url}/web/login")
        page.fill("input[name=login]", login)
        page.fill("input[name=password]", login)
        page.click(".oe_login_form button[type=submit]")
        page.wait_for_url(lambda url: "/web/login" not in url)
        return page

    def at_terminal(self, action: str, terminal: str = TERMINAL, **options: object) -> None:
        self.simulator.control("POST", f"terminals/{terminal}/{action}", {"wait_s": 10, **options})


class HomeGateway(Gateway):
    """Looks for terminals on this very machine, and nowhere else."""

    def words(self, *command: str) -> list[str]:
        words = super().words(*command)
        config = self.folder / "gateway.ini"
        lines = [line for line in config.read_text().splitlines() if "networks" not in line]
        config.write_text("\n".join([*lines, "networks = 127.0.0.1/32", ""]))
        return words


@contextlib.contextmanager
def shop_of(environment: Environment) -> Iterator[Shop]:
    source = databases.shop(environment)
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(databases.throw_away(environment, "pictures", source))
        simulator = Simulator(environment, log_dir() / "screenshots-simulator.log")
        log = log_dir() / "screenshots-odoo.log"
        odoo = Odoo(environment, database, log, extra=("--max-cron-threads=0",))
        gateway = HomeGateway(environment, odoo, log_dir() / "screenshots-gateway.log")
        stack.callback(gateway.forget)
        for server in (simulator, odoo, gateway):
            stack.callback(server.stop)
        for server in (simulator, odoo):
            server.start()
        admin = odoo.client("admin")
        _switch_on(simulator, admin)
        simulator.connect(odoo)
        gateway.pair_and_start("Shop", "Demo Shop")
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


def _switch_on(simulator: Simulator, admin: Client) -> None:
    """The devices of the shop's network, where a search finds them. No certificate is confirmed yet."""
    ports = [8080, 9564]
    wanted = {TERRACE: ("local", ports[1]), STRANGER: ("local", ports[0]), KITCHEN: ("tcp", 0)}
    for viva_id, (protocol, port) in wanted.items():
        port = port if port and not port_is_taken(port) else free_port()
        values = {"terminalId": viva_id, "lan": protocol, "port": port}
        device = simulator.control("POST", "terminals", values)
        found = admin.call("viva.terminal", "search", [("viva_id", "=", viva_id)])
        address = {"lan_host": device["host"], "lan_port": device["port"]}
        admin.call("viva.terminal", "write", found, address)


def _wait(is_so: Callable[[], object], seconds: float = 40) -> None:
    limit = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > limit:
            raise TimeoutError("This did not come about.")
        time.sleep(0.5)


def connect(album: Album, shop: Shop, browser: Browser) -> None:
    """An administrator connects what is in the shop's network."""
    admin = shop.odoo.client("admin")
    (terrace,) = admin.call("viva.terminal", "search", [("viva_id", "=", TERRACE)])
    seen = ["certificate_seen"]
    _wait(lambda: admin.call("viva.terminal", "read", [terrace], seen)[0]["certificate_seen"])
    page = shop.login(browser, "admin", (1280, 860))
    page.goto(f"{shop.url}/odoo/viva-terminals/{terrace}")
    page.get_by_role("button", name="Confirm the certificate").wait_for()
    album.take("terminal-certificate", page)
    admin.call("viva.terminal", "action_confirm_certificate", [terrace])

    (gateway,) = admin.call("viva.gateway", "search", [("name", "=", "Shop")])
    reached = ["reached"]
    _wait(lambda: admin.call("viva.gateway", "read", [gateway], reached)[0]["reached"][0] == "2")
    page.set_viewport_size({"width": 1280, "height": 620})
    page.goto(f"{shop.url}/odoo/viva-gateways/{gateway}")
    page.locator(".o_form_view .o_data_row").first.wait_for()
    album.take("gateway", page)
    page.get_by_role("button", name="Find terminals").click()
    dialog = page.locator(".modal")
    look = dialog.get_by_role("button", name="Look again")
    look.wait_for()
    for _try in range(20):
        page.wait_for_timeout(1000)
        look.click()
        if dialog.get_by_text("The search is over.").is_visible():
            break
    album.take("gateway-find", page)

    company = admin.call("viva.gateway", "read", [gateway], ["company_id"])[0]["company_id"][0]
    values = {"name": "Shop Patras", "company_id": company}
    new = admin.call("viva.gateway", "create", values)
    page.goto(f"{shop.url}/odoo/viva-gateways/{new}")
    page.get_by_role("button", name="Pair").first.click()
    dialog.get_by_text("It contains this code").wait_for()
    album.take("gateway-pair", page)
    page.context.close()
    admin.call("viva.gateway", "unlink", [new])


def in_the_shop(album: Album, shop: Shop, browser: Browser) -> None:
    """Two tills, each beside a terminal that a gateway reaches."""
    till = Till(shop, browser, DESK)
    till.order("Desk Organizer")
    till.pay()
    till.choose_terminal("Terrace")
    till.panel("waiting")
    shop.at_terminal("tap", TERRACE)
    till.panel("paid")
    album.take("till-gateway-word", till.page)
    till.validate()
    till.page.context.close()

    till = Till(shop, browser, DESK)
    till.order("Letter Tray")
    till.pay()
    till.choose_terminal("Kitchen")
    till.page.locator(".viva-cannot-cancel").wait_for()
    till.page.wait_for_timeout(3000)
    album.take("till-red-key", till.page)
    shop.at_terminal("tap", KITCHEN)
    till.panel("paid")
    till.validate()
    till.page.context.close()


def in_the_hand(album: Album, shop: Shop, browser: Browser) -> None:
    """A till that runs on the terminal itself."""
    till = Till(shop, browser, PHONE, **HANDHELD)
    page, opened = till.page, []

    def hand_over(route: Route) -> None:  # the browser stays on the till, as beside the real app
        opened.append(route.request.url)
        route.fulfill(status=204)

    page.route("**/app?*", hand_over)
    till.order("Desk Organizer")
    till.pay()
    page.locator(".modal .selection-item").first.wait_for()
    album.take("till-app-choose", page)
    till.choose_terminal("In the app")
    till.panel("waiting")
    _wait(lambda: page.wait_for_timeout(200) or opened)
    album.take("till-app-waiting", page)
    app = page.context.new_page()
    app.goto(f"{opened[0]}&act=approve")
    till.panel("paid")
    till.validate()
    page.context.close()


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

    offer_installments(album, shop, till)
    take_tip(album, shop, till)
    hold(album, shop, till)
    give_back(album, shop, till)
    elsewhere(album, shop, browser)
    in_the_shop(album, shop, browser)
    in_the_hand(album, shop, browser)
    lose_answer(album, shop, till)
    page.context.close()


def offer_installments(album: Album, shop: Shop, till: Till) -> None:
    page = till.page
    till.order(DEAR)
    till.pay()
    till.ask("Installments for")
    album.take("till-installments", page)
    page.locator(".viva-installments [data-number='6']").click()
    till.panel("waiting")
    shop.at_terminal("tap", card="mastercard", installments=3)
    till.panel("paid")
    till.press("void")
    dialog = till.ask("Give the money back to the card?")
    album.take("till-void", page)
    dialog.get_by_role("button", name="Keep the payment").click()
    till.validate()
    till.new_order()


def take_tip(album: Album, shop: Shop, till: Till) -> None:
    till.order("Desk Organizer", "Letter Tray")
    till.pay()
    till.panel("waiting")
    shop.at_terminal("tip", minor=150)
    shop.at_terminal("tap")
    dialog = till.ask("The customer added a tip")
    album.take("till-tip", till.page)
    dialog.get_by_role("button", name="Add it as tip").click()
    till.panel("paid")
    till.validate()
    till.new_order()


def hold(album: Album, shop: Shop, till: Till) -> None:
    page = till.page
    till.open_panel("holds")
    page.locator(".viva-new-hold").click()
    page.fill(".viva-hold-popup input[name=amount]", "50")
    page.fill(".viva-hold-popup input[name=reference]", "Table 7")
    page.locator(".viva-hold-confirm").click()
    shop.at_terminal("tap", card="amex")
    till.card("Table 7")
    till.close_panel()

    till.put(DEAR)
    till.customer("Maria Papadaki")
    till.open_panel("holds")
    page.locator(".viva-new-hold").click()
    page.locator(".viva-hold-popup").wait_for()
    album.take("till-hold-new", page)
    page.locator(".viva-hold-confirm").click()
    shop.at_terminal("tap", card="mastercard")
    card = till.card("Maria Papadaki")
    page.locator(".viva-park").wait_for()
    card.locator(".viva-card-head").click()
    album.take("till-panel-holds", page)
    card.locator("[data-action=capture]").click()
    dialog = till.ask("Capture from the hold")
    for digit in "120":
        dialog.get_by_role("button", name=digit, exact=True).click()
    dialog.get_by_text("become free").wait_for()
    album.take("till-capture", page)
    dialog.locator(".btn-close, [aria-label=Close]").first.click()
    page.locator(".viva-park").click()
    page.locator(".viva-panel").wait_for(state="detached")
    page.locator(".o_notification").wait_for(state="detached")


def give_back(album: Album, shop: Shop, till: Till) -> None:
    """Part of a payment of today: Viva gives back only all of it, so the rest is charged anew."""
    page = till.page
    till.order("Desk Organizer", "Desk Organizer", "Wall Shelf")
    till.pay()
    till.panel("waiting")
    shop.at_terminal("tap")
    till.panel("paid")
    till.open_panel("order")
    till.card("Sale").locator(".viva-card-head").click()
    album.take("till-panel-order", page)
    till.close_panel()
    till.validate()
    till.new_order()

    till.open_panel("session")
    card = till.card("Sale")
    card.locator(".viva-card-head").click()
    album.take("till-panel-session", page)
    card.locator("[data-action=void]").click()
    dialog = till.ask("Give the money back to the card?")
    album.take("till-refund", page)
    dialog.get_by_role("button", name="Keep the payment").click()
    page.locator(".viva-tab[data-tab=search]").click()
    page.fill(".viva-search-text", "0133")
    page.locator(".viva-search-go").click()
    till.card("Sale")
    album.take("till-panel-search", page)
    till.close_panel()

    page.get_by_role("button", name="Orders").click()
    page.locator(".ticket-screen .filter").click()
    page.locator(".dropdown-item:has-text('Paid')").last.click()
    page.locator(".ticket-screen .order-row").first.click()
    page.locator(".ticket-screen .orderline:has-text('Wall Shelf')").click()
    page.locator(".ticket-screen .numpad button:has-text('1')").first.click()
    page.locator(".ticket-screen button:has-text('Refund')").first.click()
    page.locator(".payment-screen").wait_for()
    till.pay()
    till.panel("ready")
    album.take("till-refund-line", page)
    till.press("send")
    dialog = till.ask("Not given back: what now?")
    album.take("till-refund-choices", page)
    dialog.get_by_role("button", name="Give back the whole payment").click()
    till.ask("Give all back").locator(".btn-primary").click()
    till.panel("paid")
    till.panel("waiting")
    album.take("till-refund-rest", page)
    shop.at_terminal("tap")
    page.locator(".viva-status[data-phase=paid]").nth(1).wait_for()
    till.validate()
    till.new_order()


def elsewhere(album: Album, shop: Shop, browser: Browser) -> None:
    """The same on other screens."""
    for name, size in (("1024x600", SMALL), ("phone", PHONE)):
        other = Till(shop, browser, size)
        other.order("Letter Tray")
        other.pay()
        other.choose_terminal()
        other.panel("waiting")
        album.take(f"till-{name}", other.page)
        shop.at_terminal("tap")
        other.panel("paid")
        other.open_panel("session")
        other.card("Sale").locator(".viva-card-head").click()
        album.take(f"till-panel-{name}", other.page)
        other.close_panel()
        other.validate()
        other.page.context.close()


def lose_answer(album: Album, shop: Shop, till: Till) -> None:
    """The answer to the request is lost, and Viva cannot say what became of it."""
    page = till.page
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
    page = shop.login(browser, "admin", (1280, 2250))
    page.goto(f"{shop.url}/odoo/viva-accounts/{account}")
    page.locator(".o_form_view .o_field_widget").first.wait_for()
    page.locator(".oe_title input, .oe_title span").first.wait_for()
    album.take("account", page)
    page.set_viewport_size({"width": 1180, "height": 430})
    page.goto(f"{shop.url}/odoo/viva-terminals")
    page.locator(".o_kanban_record").first.wait_for()
    album.take("terminals", page)
    page.set_viewport_size({"width": 1280, "height": 620})
    page.goto(f"{shop.url}/odoo/viva-payments")
    page.locator(".o_data_row").first.wait_for()
    album.take("transactions", page)
    page.set_viewport_size({"width": 1280, "height": 1400})
    refunded = [("child_ids.operation", "=", "refund"), ("state", "=", "approved")]
    (parent,) = admin.call("viva.transaction", "search", refunded, limit=1)
    page.goto(f"{shop.url}/odoo/viva-payments/{parent}")
    page.locator(".o_form_view .o_data_row").first.wait_for()
    album.take("transaction", page)
    page.set_viewport_size({"width": 1280, "height": 900})
    (method,) = admin.call("pos.payment.method", "search", [("name", "=", CARD)], limit=1)
    page.goto(f"{shop.url}/odoo/pos.payment.method/{method}")
    page.locator("[name=viva_installment_ids] .o_data_row").first.wait_for()
    album.take("payment-method", page)
    page.context.close()


def manage(album: Album, shop: Shop, browser: Browser) -> None:
    """What a manager does in the back office."""
    admin = shop.odoo.client("admin")
    page = shop.login(browser, "manager", (1180, 360))
    page.goto(f"{shop.url}/odoo/viva-holds")
    page.locator(".o_data_row").first.wait_for()
    album.take("holds", page)
    page.set_viewport_size({"width": 1180, "height": 760})
    sold = [
        ("operation", "=", "sale"),
        ("state", "=", "approved"),
        ("child_ids", "=", False),
        ("is_attached", "=", True),
    ]
    (sale,) = admin.call("viva.transaction", "search", sold, limit=1)
    page.goto(f"{shop.url}/odoo/viva-payments/{sale}")
    page.get_by_role("button", name="Give back").first.click()
    page.locator(".modal .o_form_view [name=left_amount]").wait_for()
    album.take("give-back", page)
    page.locator(".modal").get_by_role("button", name="Discard").click()
    page.set_viewport_size({"width": 1280, "height": 1080})
    page.goto(f"{shop.url}/odoo/action-viva_payments.action_viva_journal_open")
    page.get_by_role("button", name="Compare with Viva").click()
    page.locator("[name=comparison]:has-text('ompared with Viva')").wait_for()
    album.take("journal", page)
    (journal,) = shop.odoo.client("manager").call("viva.journal", "search", [], limit=1)
    page.set_viewport_size({"width": 900, "height": 1000})
    page.goto(f"{shop.url}/report/html/viva_payments.report_viva_journal/{journal}")
    page.get_by_text("By session, operation and card brand").wait_for()
    album.take("journal-print", page)
    page.set_viewport_size({"width": 1180, "height": 640})
    (session,) = admin.call("pos.session", "search", [("config_id", "=", int(shop.till))], limit=1)
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
            connect(album, shop, chromium)
            bill(album, shop, chromium)
            keep_books(album, shop, chromium)
            sell(album, shop, chromium)
            administer(album, shop, chromium)
            manage(album, shop, chromium)
            dashboard(album, shop, chromium)
        except Exception:
            _show_trouble(chromium)
            raise
        finally:
            chromium.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
