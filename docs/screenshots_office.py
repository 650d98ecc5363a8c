"""The pictures of `docs/invoices.md`: what is charged, held and given back in Invoicing. Part of `screenshots.py`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page
    from screenshots import Album, Shop

    from lib.rpc import Client

TIMEZONE = "Europe/Athens"  # of everybody in the shop
NAME = "Counter"  # the terminal
INSTALLMENTS = {100: 3, 300: 12}
WIDE = (1180, 620)
LOST = {"drop_sale_response": 1, "session_status": [503] * 500}


class Office:
    """Somebody in Invoicing."""

    def __init__(self, shop: Shop, browser: Browser, login: str):
        self.shop = shop
        self.client = shop.odoo.client(login)
        self.page: Page = shop.login(browser, login, WIDE)

    def open(self, ref: str) -> None:
        """The invoice of the demo shop."""
        (invoice,) = self.client.call("account.move", "search", [("ref", "=", ref)])
        self.open_move(invoice)

    def open_move(self, move: int) -> None:
        self.page.goto(f"{self.shop.url}/odoo/customer-invoices/{move}")
        self.page.locator(".o_form_view .o_statusbar_buttons").wait_for()

    @property
    def dialog(self) -> Locator:
        return self.page.locator(".modal").last

    def press(self, name: str) -> None:
        self.page.locator(f".o_statusbar_buttons button[name={name}]:visible").first.click()
        self.dialog.locator(".o_form_view").wait_for()

    def pay(self, ref: str, method: str = "Viva terminal") -> None:
        """The dialog Pay, with the method chosen."""
        self.open(ref)
        self.press("action_register_payment")
        self.choose("payment_method_line_id", method)
        self.choose("viva_terminal_id", NAME)

    def choose(self, field: str, value: str) -> None:
        self.dialog.locator(f"[name={field}] input").click()
        self.page.locator(f".o-autocomplete--dropdown-item:has-text('{value}')").click()
        self.page.locator(".o-autocomplete--dropdown-menu").wait_for(state="detached")

    def button(self, name: str) -> None:
        self.dialog.locator(".modal-footer").get_by_role("button", name=name, exact=True).click()

    def phase(self, phase: str) -> None:
        """What the window of a card payment has come to."""
        self.page.locator(f".viva-booking[data-phase={phase}]").wait_for()

    def close(self) -> None:
        self.button("Close")
        self.page.locator(".modal").wait_for(state="detached")

    def discard(self) -> None:
        self.button("Discard")
        self.page.locator(".modal").wait_for(state="detached")


def bill(album: Album, shop: Shop, browser: Browser) -> None:
    """Invoices are charged, a deposit is held; one answer is lost, one payment waits for the accountant."""
    admin = shop.odoo.client("admin")
    _set_up(admin)
    office = Office(shop, browser, "billing")
    page = office.page
    office.pay("DEMO-5")
    album.take("invoice-register", page)
    office.button("Charge")
    office.phase("waiting")
    page.wait_for_timeout(3000)
    album.take("invoice-waiting", page)
    shop.at_terminal("tap")
    office.phase("done")
    album.take("invoice-approved", page)
    office.close()

    shop.simulator.control("POST", "faults", LOST)
    office.pay("DEMO-2")
    office.button("Charge")
    office.phase("unknown")
    page.wait_for_timeout(3000)
    album.take("invoice-unknown", page)
    shop.simulator.control("DELETE", "faults")
    page.locator(".viva-booking-check").click()
    office.phase("waiting")
    shop.at_terminal("tap")
    office.phase("done")
    office.close()

    office.open("DEMO-3")
    office.press("action_viva_hold")
    office.choose("terminal_id", NAME)
    office.dialog.locator("[name=amount] input").fill("200")
    office.button("Hold")
    office.phase("waiting")
    shop.at_terminal("tap", card="mastercard")
    office.phase("done")
    office.close()

    _close_period(admin, office, shop)
    page.context.close()


def _set_up(admin: Client) -> None:
    """What an administrator does once."""
    account = admin.call("viva.account", "search", [("name", "=", "Viva (simulator)")])
    (values,) = admin.call("viva.account", "read", account, ["company_id", "installment_ids"])
    journals = [("type", "=", "bank"), ("company_id", "=", values["company_id"][0])]
    (bank,) = admin.call("account.journal", "search", journals, limit=1)
    changes: dict[str, object] = {"journal_id": bank}
    if not values["installment_ids"]:
        changes["installment_ids"] = [
            (0, 0, {"amount_from": amount, "installments": most})
            for amount, most in INSTALLMENTS.items()
        ]
    admin.call("viva.account", "write", account, changes)


def _close_period(admin: Client, office: Office, shop: Shop) -> None:
    """The accountant closes the day while a card is asked for."""
    office.pay("DEMO-6")
    office.button("Charge")
    office.phase("waiting")
    company = admin.call("res.company", "search", [("name", "=", "Demo Shop")])
    today = datetime.now(ZoneInfo(TIMEZONE)).date()
    admin.call("res.company", "write", company, {"fiscalyear_lock_date": today.isoformat()})
    shop.at_terminal("tap")
    office.phase("to_post")
    admin.call("res.company", "write", company, {"fiscalyear_lock_date": False})


def keep_books(album: Album, shop: Shop, browser: Browser) -> None:
    """What the accountant does with it."""
    office = Office(shop, browser, "accountant")
    page, client = office.page, office.client
    page.goto(f"{shop.url}/odoo/card-payments-to-post")
    page.locator(".o_data_row").first.wait_for()
    page.locator(".o_data_row .o_data_cell").nth(1).click()
    page.locator(".o_form_view .alert-danger").first.wait_for()
    album.take("invoice-to-post", page)

    office.open("DEMO-3")
    album.take("invoice", page)
    office.press("action_viva_capture")
    album.take("invoice-capture", page)
    office.discard()

    (invoice,) = client.call("account.move", "search", [("ref", "=", "DEMO-5")])
    context = {"active_model": "account.move", "active_ids": [invoice]}
    (values,) = client.call("account.move", "read", [invoice], ["journal_id", "company_id"])
    values = {"journal_id": values["journal_id"][0], "company_id": values["company_id"][0]}
    reversal = client.call("account.move.reversal", "create", values, context=context)
    action = client.call("account.move.reversal", "refund_moves", [reversal], context=context)
    client.call("account.move", "action_post", [action["res_id"]])
    office.open_move(action["res_id"])
    office.press("action_register_payment")
    office.dialog.locator("[name=viva_original_id]").wait_for()
    album.take("invoice-refund", page)
    office.discard()
    page.context.close()


def dashboard(album: Album, shop: Shop, browser: Browser) -> None:
    page = shop.login(browser, "accountant", (1180, 740))
    page.goto(f"{shop.url}/odoo/accounting")
    page.locator(".o_kanban_record [name=viva_today]").first.wait_for()
    album.take("invoice-dashboard", page)
    page.context.close()
