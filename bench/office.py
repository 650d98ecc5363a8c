"""The office: from the press of *Charge* to an invoice that is paid in the books; the journals' dashboard after years.

Odoo's pos_viva_com charges no invoice, so there is nobody to compare with.
"""

import json
import time
from concurrent.futures import ThreadPoolExecutor

from lib.rpc import Client

from .report import Figure, median, percentile
from .shop import Shop, wait_until
from .sides import Side

CHARGES, WARM = 30, 3
INVOICES, TERMINALS = 20, 5
OPENINGS = 10
YEARS = 100_000
AMOUNT = 19.99
BOOKING, WIZARD = "viva.booking", "account.payment.register"


def measure(shop: Shop, _sides: list[Side]) -> list[Figure]:
    shop.calm()
    office = _Office(shop)
    return [
        *_one_by_one(office),
        *_posting(office),
        *_many_at_once(office),
        *_dashboard(office),
    ]


class _Office:
    """Bank journal, terminals and people of the demo shop; a client for each thread."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.biller = self.desk()
        ((self.journal, _name),) = (
            row["journal_id"]
            for row in shop.admin.call("viva.account", "read", [shop.account], ["journal_id"])
        )
        (self.line,) = shop.admin.call(
            "account.payment.method.line",
            "search",
            [
                ("journal_id", "=", self.journal),
                ("code", "=", "viva"),
                ("payment_type", "=", "inbound"),
            ],
        )
        self.customer = shop.admin.call(
            "res.partner", "create", {"name": "Bench", "company_id": shop.company}
        )

    def desk(self) -> Client:
        return self.shop.odoo.client("billing", timeout=120)

    def invoices(self, number: int) -> list[int]:
        line = {"name": "Service", "price_unit": AMOUNT, "tax_ids": [(6, 0, [])]}
        invoice = {
            "move_type": "out_invoice",
            "partner_id": self.customer,
            "invoice_line_ids": [(0, 0, line)],
        }
        made = self.biller.call("account.move", "create", [invoice] * number)
        self.biller.call("account.move", "action_post", made)
        return made

    def prepare(self, who: Client, invoice: int, terminal: str) -> str:
        """Register Payment up to its dialog; the attempt."""
        context = {"active_model": "account.move", "active_ids": [invoice]}
        values = {
            "journal_id": self.journal,
            "payment_method_line_id": self.line,
            "viva_terminal_id": self.shop.terminals[terminal],
        }
        wizard = who.call(WIZARD, "create", [values], context=context)
        action = who.call(WIZARD, "action_create_payments", wizard, context=context)
        return action["params"]["attempt"]

    def start(self, who: Client, attempt: str) -> None:
        status = who.call(BOOKING, "start", attempt)
        if status["final"]:
            raise RuntimeError(f"The charge was not taken: {status['message']}")

    def is_booked(self, who: Client, attempt: str) -> bool:
        return who.call(BOOKING, "check", attempt)["booking"]["state"] == "booked"

    def viva_ms(self) -> list[float]:
        """How long each request to the simulator took."""
        return [one["ms"] for one in self.shop.simulator.control("GET", "requests?path=/")]


def _one_by_one(office: _Office) -> list[Figure]:
    """The customer is as quick as can be; milliseconds beyond the simulator's answers."""
    terminal = next(iter(office.shop.terminals))
    office.shop.calm(auto={"action": "tap"})
    attempts = [
        office.prepare(office.biller, invoice, terminal)
        for invoice in office.invoices(WARM + CHARGES)
    ]
    times = []
    for attempt in attempts:
        before = len(office.viva_ms())
        began = time.perf_counter()
        office.start(office.biller, attempt)
        while not office.is_booked(office.biller, attempt):
            pass
        taken = (time.perf_counter() - began) * 1000
        times.append(taken - sum(office.viva_ms()[before:]))
    times = times[WARM:]
    return [
        Figure("office_charge_above_viva", "ms", median(times)),
        Figure("office_charge_above_viva_p95", "ms", percentile(times, 0.95)),
    ]


def _posting(office: _Office) -> list[Figure]:
    """The ledger has heard of the success; the request that comes next makes payment, entry and matching."""
    shop = office.shop
    terminal = next(iter(shop.terminals))
    shop.calm()
    attempts = [
        office.prepare(office.biller, invoice, terminal) for invoice in office.invoices(CHARGES)
    ]
    times = []
    shop.log.forget()
    for attempt in attempts:
        office.start(office.biller, attempt)
        shop.simulator.control("POST", f"terminals/{terminal}/tap", {"wait_s": 5})
        wait_until(lambda attempt=attempt: _is_approved(office, attempt))
        began = time.perf_counter()
        if not office.is_booked(office.biller, attempt):
            raise RuntimeError("It was not booked at once.")
        times.append((time.perf_counter() - began) * 1000)
    queries = [request.queries for request in shop.log.requests(f"/{BOOKING}/check")]
    return [
        Figure("office_posting", "ms", median(times)),
        Figure("office_posting_queries", "SQL", median(queries)),
    ]


def _is_approved(office: _Office, attempt: str) -> bool:
    """Let the ledger ask as a till does: the books do not follow by that."""
    (status,) = office.shop.cashier.call("viva.transaction", "pos_check", [attempt])
    return status["state"] == "approved"


def _many_at_once(office: _Office) -> list[Figure]:
    """Five people with a terminal each charge twenty invoices, one after the other; customers are quick."""
    terminals = list(office.shop.terminals)[:TERMINALS]
    office.shop.calm(auto={"action": "tap"})
    desks = [office.desk() for _terminal in terminals]
    invoices = office.invoices(INVOICES)

    def work(number: int) -> None:
        who = desks[number]
        for invoice in invoices[number::TERMINALS]:
            attempt = office.prepare(who, invoice, terminals[number])
            office.start(who, attempt)
            while not office.is_booked(who, attempt):
                time.sleep(0.05)

    with ThreadPoolExecutor(TERMINALS) as pool:
        began = time.perf_counter()
        for running in [pool.submit(work, number) for number in range(TERMINALS)]:
            running.result()
        seconds = time.perf_counter() - began
    return [Figure(f"office_{INVOICES}_invoices_{TERMINALS}_terminals", "s", seconds)]


def _dashboard(office: _Office) -> list[Figure]:
    """Invoicing's first page, for an accountant, today and with the card payments of years."""
    today = _open_dashboard(office)
    _grow_old(office.shop)
    return [
        Figure("office_dashboard", "ms", today),
        Figure(f"office_dashboard_{YEARS // 1000}k", "ms", _open_dashboard(office)),
    ]


def _open_dashboard(office: _Office) -> float:
    who = office.shop.odoo.client("accountant")
    wanted = {"kanban_dashboard": {}, "display_name": {}}
    times = []
    for _opening in range(OPENINGS):
        began = time.perf_counter()
        shown = who.call(
            "account.journal",
            "web_search_read",
            [("show_on_dashboard", "=", True)],
            wanted,
            context={"allowed_company_ids": [office.shop.company]},
        )
        times.append((time.perf_counter() - began) * 1000)
        if '"viva"' not in json.dumps(shown).replace('\\"', '"'):
            raise RuntimeError("The dashboard shows no card payments.")
    return median(times[1:])


def _grow_old(shop: Shop) -> None:
    """Copies of the last charged invoices' transactions, each a little older than the one before."""
    sql = shop.odoo.environment.postgres.sql
    database = shop.odoo.database
    columns = sql(
        """SELECT column_name FROM information_schema.columns
            WHERE table_name = 'viva_transaction' AND is_generated = 'NEVER'""",
        database,
    )
    own = {
        "id": "nextval('viva_transaction_id_seq')",
        "attempt": "gen_random_uuid()::text",
        "session_id": "gen_random_uuid()::text",
        "payment_uuid": "gen_random_uuid()::text",
        "viva_transaction_id": "gen_random_uuid()::text",
        "name": "name || '-' || number",
        "merchant_reference": "merchant_reference || '-' || number",
        "document_key": "document_key || '-' || number",
        "booking_id": "NULL",
    }
    for column in ("create_date", "sent_at", "settled_at"):
        own[column] = f"{column} - number * interval '15 minutes'"
    chosen = ", ".join(own.get(column, column) for column in columns)
    sql(
        f"""INSERT INTO viva_transaction ({", ".join(columns)})
            SELECT {chosen}
              FROM (SELECT * FROM viva_transaction
                     WHERE state = 'approved' AND booking_id IS NOT NULL ORDER BY id DESC LIMIT 1) one,
                   generate_series(1, {YEARS}) number""",
        database,
    )
    sql("VACUUM ANALYZE viva_transaction", database)
