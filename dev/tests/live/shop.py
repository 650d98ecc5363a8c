"""The shop: tills that behave like tabs, orders, presses of the card button; and the passing of time."""

import contextlib
import os
import re
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
from control import Database, Viva, until

from lib.rpc import Client
from lib.server import EVENTS, Odoo, port_is_taken

PRICE = 1999  # minor units: 19.99, which no float holds
LEDGER = "viva.transaction"
OPEN = ("draft", "sent", "pending")
WITH_LINE = ("sale", "capture", "refund")  # operations that are a payment line of an order
# What says when something was done: `Card.later` and the evening let time pass by setting it back.
TIMES = (
    "sent_at",
    "abort_asked_at",
    "recheck_at",
    "offered_at",
    "gateway_heard_at",
    "looked_at",
    "app_told_at",
)
PAUSE = 0x7669  # the advisory lock at which `Shop.pause` holds Odoo's database transactions

Status = dict[str, Any]


def together(*jobs: Callable[[], Any]) -> list[Any]:
    """Run jobs at the same time, each in a thread; their results in order."""
    start = threading.Barrier(len(jobs))

    def run(job: Callable[[], Any]) -> Any:
        start.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def background(job: Callable[[], Any]) -> "Background":
    return Background(job)


class Background:
    """A call under way; ``result()`` waits for it and raises what it raised."""

    def __init__(self, job: Callable[[], Any]) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._future = self._pool.submit(job)

    def result(self, seconds: float = 30) -> Any:
        try:
            return self._future.result(seconds)
        finally:
            self._pool.shutdown(wait=False)


@dataclass
class Card:
    """One press of a card button: an attempt and, if the operation has one, a payment line."""

    order: "Order"
    terminal: str
    amount: int  # minor units
    attempt: str = field(default_factory=lambda: str(uuid.uuid4()))
    payment_uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    payment_id: int = 0
    status: Status = field(default_factory=dict)
    operation: str = "sale"
    parent: "Card | None" = None
    via: str = "terminal"
    who: Client | None = None  # whose rights it needs; the cashier of the till by default
    more: dict[str, Any] = field(default_factory=dict)

    def send(self) -> Status:
        """The till's request. May be called again: it is the same press."""
        self.status = self._client().call(LEDGER, "pos_start", self.request())
        return self.status

    def _client(self) -> Client:
        return self.who or self.order.till.client

    def request(self) -> dict[str, Any]:
        till = self.order.till
        return {
            "attempt": self.attempt,
            "operation": self.operation,
            "payment_uuid": self.payment_uuid if self.operation in WITH_LINE else "",
            "order_uuid": self.order.uuid if self.order.state else "",
            "order_reference": self.order.reference,
            "parent_attempt": self.parent.attempt if self.parent else "",
            "pos_session_id": till.session_id,
            "payment_method_id": till.shop.facts["card_method"],
            "amount_minor": self.amount,
            "terminal_id": till.shop.terminal_ids[self.terminal],
            "via": self.via,
            **self.more,
        }

    def again(self) -> "Card":
        """A new press for the same, on the same payment line."""
        return replace(self, attempt=str(uuid.uuid4()), status={})

    def void(self, **values: Any) -> "Card":
        """Take all of it back while its order is open; not sent yet."""
        return Card(self.order, self.terminal, self.amount, operation="void", parent=self, **values)

    def release(self, **values: Any) -> "Card":
        """Let go what this preauth holds; not sent yet."""
        return Card(
            self.order, self.terminal, self.amount, operation="release", parent=self, **values
        )

    def check(self) -> Status:
        found = self._client().call(LEDGER, "pos_check", [self.attempt])
        assert found, "the attempt is not in the ledger"
        self.status = found[0]
        return self.status

    def until(self, *states: str, seconds: float = 20) -> Status:
        """Ask again and again, as the till does, until one of ``states`` is reached."""
        until(
            lambda: self.check()["state"] in states,
            seconds,
            f"for {states}: {self.attempt}",
        )
        return self.status

    def abort(self) -> Status:
        self.status = self.order.till.ask("pos_abort", self.attempt)
        return self.status

    def row(self) -> dict[str, Any]:
        """The transaction in the database."""
        found = self.order.till.shop.database.run(
            "SELECT * FROM viva_transaction WHERE attempt = %s", self.attempt
        )
        return found[0] if found else {}

    def steps(self) -> list[str]:
        """The kinds of the ledger's lines about this press."""
        found = self.order.till.shop.database.run(
            "SELECT kind FROM viva_transaction_step WHERE transaction_id = %s ORDER BY id",
            self.row()["id"],
        )
        return [row["kind"] for row in found]

    def later(self, seconds: float) -> None:
        """Let time pass for this payment (not for the simulator)."""
        self.order.till.shop.let_pass(seconds, self.row()["id"])

    @property
    def signed(self) -> int:
        """What the payment line shows."""
        return -self.amount if self.operation == "refund" else self.amount

    def viva_id(self) -> str:
        """Viva's own number of it."""
        return self.row()["viva_transaction_id"]

    def values(self) -> dict[str, Any]:
        """The payment line, as the tab syncs it."""
        result = self.status.get("result") or {}
        done = self.status.get("state") == "approved"
        return {
            "uuid": self.payment_uuid,
            "amount": self.signed / 100,
            "payment_date": now(),
            "payment_method_id": self.order.till.shop.facts["card_method"],
            "payment_status": "done" if done else "waitingCard",
            "viva_attempt": self.attempt,
            "transaction_id": result.get("transaction_id", ""),
            "card_brand": result.get("card_brand", ""),
            "card_no": result.get("card_last4", ""),
            "ticket": result.get("slip", ""),
        }


class Order:
    """An order in a tab: one coffee (or its refund: the amount is negative), and payment lines."""

    def __init__(self, till: "Till", amount: int, refunds: "Order | None" = None) -> None:
        self.till = till
        self.amount = amount
        self.refunds = refunds
        self.uuid = str(uuid.uuid4())
        self.reference = f"LIVE-{self.uuid[:8]}"
        self.cards: list[Card] = []
        self.state = ""
        self._line_uuid = str(uuid.uuid4())
        self.line_id = 0
        self._access_token = str(uuid.uuid4())

    def line(self, terminal: str, amount: int | None = None) -> Card:
        """A new payment line by card; the order is saved first, as the till does it."""
        card = Card(self, terminal, self.amount if amount is None else amount)
        self.cards.append(card)
        self.sync()
        return card

    def charge(self, terminal: str, amount: int | None = None) -> Card:
        card = self.line(terminal, amount)
        card.send()
        return card

    def refund(self, amount: int | None = None, till: "Till | None" = None) -> "Order":
        """A new order that gives this one, or a part of it, back."""
        return Order(till or self.till, -(amount or self.amount), refunds=self)

    def give_back(
        self, terminal: str, sale: Card | None, amount: int | None = None, **values: Any
    ) -> Card:
        """A payment line of this refund, by card (and, without a sale, without the original); not sent yet."""
        if sale is None:
            values["more"] = {"unreferenced": True}
        card = Card(
            self, terminal, amount or -self.amount, operation="refund", parent=sale, **values
        )
        self.cards.append(card)
        self.sync()
        return card

    def capture(self, terminal: str, hold: Card, amount: int | None = None, **values: Any) -> Card:
        """A payment line of this order with money that is on hold; not sent yet."""
        card = Card(
            self, terminal, amount or self.amount, operation="capture", parent=hold, **values
        )
        self.cards.append(card)
        self.sync()
        return card

    def delete_line(self, card: Card) -> None:
        self.cards.remove(card)
        self.sync(deleted=card)

    def find(self) -> list[Status]:
        """What a tab that has lost its memory learns."""
        return self.till.ask("pos_find", [self.uuid])

    def finish(self) -> None:
        """Validate: sync as paid. The last line has to be approved."""
        self.sync("paid")
        assert self.state == "paid"

    def sync(self, state: str = "draft", deleted: Card | None = None, cash: int = 0) -> None:
        price = self.amount / 100
        line = {
            "uuid": self._line_uuid,
            "product_id": self.till.shop.facts["product"],
            "full_product_name": "Coffee",
            "qty": -1 if self.refunds else 1,
            "price_unit": abs(price),
            "discount": 0,
            "price_subtotal": price,
            "price_subtotal_incl": price,
            "tax_ids": [],
            "refunded_orderline_id": self.refunds.line_id if self.refunds else False,
        }
        payments = [
            [1, c.payment_id, c.values()] if c.payment_id else [0, 0, c.values()]
            for c in self.cards
        ]
        if deleted and deleted.payment_id:
            payments.append([2, deleted.payment_id])
        if cash:
            payments.append([0, 0, self._cash(cash)])
        paid = cash + sum(card.signed for card in self.cards if state == "paid")
        answer = self.till.client.call(
            "pos.order",
            "sync_from_ui",
            [
                {
                    "uuid": self.uuid,
                    "access_token": self._access_token,
                    "session_id": self.till.session_id,
                    "user_id": self.till.client.uid,
                    "is_refund": bool(self.refunds),
                    "pos_reference": self.reference,
                    "tracking_number": "001",
                    "state": state,
                    "date_order": now(),
                    "amount_total": price,
                    "amount_tax": 0,
                    "amount_paid": paid / 100,
                    "amount_return": 0,
                    "partner_id": False,
                    "fiscal_position_id": False,
                    "pricelist_id": False,
                    "to_invoice": False,
                    "last_order_preparation_change": "{}",
                    "lines": [[1, self.line_id, line] if self.line_id else [0, 0, line]],
                    "payment_ids": payments,
                    "relations_uuid_mapping": {},
                }
            ],
        )
        self.state = answer["pos.order"][0]["state"]
        self.line_id = answer["pos.order.line"][0]["id"]
        self.payments = {row["uuid"]: row for row in answer["pos.payment"]}
        for card in self.cards:
            card.payment_id = self.payments[card.payment_uuid]["id"]

    def _cash(self, amount: int) -> dict[str, Any]:
        return {
            "uuid": str(uuid.uuid4()),
            "amount": amount / 100,
            "payment_date": now(),
            "payment_method_id": self.till.cash_method,
        }


class Till:
    """One register with an open session, used by a cashier who has POS rights only."""

    def __init__(self, shop: "Shop", client: Client, config_id: int, cash_method: int) -> None:
        self.shop = shop
        self.client = client
        self.config_id = config_id
        self.cash_method = cash_method
        client.call("pos.config", "open_ui", [config_id])
        found = client.call("pos.config", "read", [config_id], ["current_session_id"])
        self.session_id: int = found[0]["current_session_id"][0]
        client.call("pos.session", "set_opening_control", [self.session_id], 0, "")

    def ask(self, method: str, *args: Any) -> Any:
        return self.client.call(LEDGER, method, *args)

    def order(self, amount: int = PRICE) -> Order:
        return Order(self, amount)

    def charge(self, terminal: str, amount: int = PRICE) -> Card:
        """A new order and the press of its card button."""
        return self.order(amount).charge(terminal)

    def hold(self, terminal: str, amount: int = PRICE) -> Card:
        """The press of the button that puts money on hold; not sent yet."""
        return Card(self.order(amount), terminal, amount, operation="preauth")

    def sell_for_cash(self, amount: int = PRICE) -> float:
        """A cash sale, from validation to the server's answer, in seconds."""
        order = self.order(amount)
        began = time.monotonic()
        order.sync("paid", cash=amount)
        seconds = time.monotonic() - began
        assert order.state == "paid"
        return seconds


class Shop:
    """Everything that runs, and the people in it."""

    def __init__(self, odoo: Odoo, viva: Viva, database: Database, facts: dict[str, Any]) -> None:
        self.odoo = odoo
        self.viva = viva
        self.database = database
        self.facts = facts
        self.terminals: list[str] = list(facts["terminals"])
        self.terminal_ids: dict[str, int] = dict(facts["terminals"])  # those of tests as well
        self.first, self.second = self.terminals[:2]
        self.webhook_urls = [f"{odoo.url}/viva/webhook/{path}" for path in facts["paths"]]
        self.company: str = facts["company_name"]
        self.admin = odoo.client("admin")
        self.cashier = odoo.client("cashier")
        self.manager = odoo.client("manager")
        self.refunder = odoo.client("refunder")
        self.trusted = odoo.client("trusted")
        cash = facts["cash_methods"] + [0] * len(facts["tills"])
        self.tills = [
            Till(self, self.cashier, config_id, cash[number])
            for number, config_id in enumerate(facts["tills"])
        ]
        self.till, self.other_till = self.tills[:2]

    def tidy_up(self) -> None:
        """A simulator without memory, quick people, an Odoo that believes in Viva and has nothing open."""
        if not self.odoo.answers():
            self.restart()
        self._remove_pause()
        self.viva.control("POST", "reset", {"keep_webhooks": True})
        self.prepare_viva()
        self.database.run("UPDATE viva_event SET is_processed = true WHERE NOT is_processed")
        # Only a test that failed leaves something open; the next ones shall not suffer from it.
        self.database.run(
            """UPDATE viva_transaction
                  SET state = 'failed', holds_terminal = false, recheck_at = NULL, is_forced = false
                WHERE state IN ('draft', 'sent', 'pending', 'unknown') OR holds_terminal"""
        )
        self.forget_silence()
        self._log_from = self.odoo.log.stat().st_size

    def prepare_viva(self) -> None:
        """Terminals, people who act at once, and the webhook as it was entered in Viva's portal."""
        viva = self.viva
        viva.settings(authorising_ms=20, pin_ms=20, iris_ms=20, abort_ms=100)
        for terminal in self.terminals:
            viva.control("POST", "terminals", {"terminalId": terminal})
        if not viva.control("GET", "webhooks"):
            merchants = viva.control("GET", "merchants")
            for url, merchant in zip(self.webhook_urls, merchants, strict=True):
                request = {"url": url, "events": EVENTS, "merchantId": merchant["merchant_id"]}
                answer = viva.control("POST", "webhooks", request)
                assert answer["verified"], answer

    def log(self) -> str:
        """What Odoo wrote during this test."""
        with open(self.odoo.log, encoding="utf-8", errors="replace") as log:
            log.seek(self._log_from)
            return log.read()

    def let_pass(self, seconds: float, *transactions: int) -> None:
        """Let time pass for these transactions (not for anybody else)."""
        earlier = ", ".join(f"{name} = {name} - %(by)s" for name in TIMES)
        self.database.run(
            f"UPDATE viva_transaction SET {earlier} WHERE id = ANY(%(ids)s)",
            by=timedelta(seconds=seconds),
            ids=list(transactions),
        )

    def forget_silence(self) -> None:
        self.database.run("UPDATE viva_connection SET failures = 0, silent_until = NULL")

    def forget_token(self) -> None:
        self.database.run("UPDATE viva_connection SET access_token = NULL")

    @contextlib.contextmanager
    def rows_held(self, *cards: Card) -> Iterator[None]:
        """Somebody holds these payments' rows: Odoo has Viva's answers and cannot write them down."""
        connection = self.database.connect()
        try:
            with connection.cursor() as cursor:
                attempts = [card.attempt for card in cards]
                cursor.execute(
                    "SELECT 1 FROM viva_transaction WHERE attempt = ANY(%s) FOR UPDATE", (attempts,)
                )
                yield
        finally:
            connection.close()

    def waiting_for_rows(self) -> int:
        """How many of Odoo's workers wait for a row."""
        (row,) = self.database.run(
            """SELECT count(*) AS number FROM pg_stat_activity
                WHERE wait_event_type = 'Lock' AND datname = %s""",
            self.database.name,
        )
        return row["number"]

    def secrets(self) -> list[str]:
        """What must not be in any log."""
        known = ["sim-secret", "sim2-secret", "sim-api-key", "sim2-api-key", *self.facts["paths"]]
        tokens = self.database.run(
            "SELECT access_token AS secret FROM viva_connection UNION SELECT webhook_key FROM viva_account"
        )
        return known + [row["secret"] for row in tokens if row["secret"]]

    def crash(self) -> None:
        """kill -9 for Odoo and all of its workers; they are gone when it returns."""
        self.odoo.kill()
        ports = (self.odoo.port, self.odoo.gevent_port)
        until(lambda: not any(map(port_is_taken, ports)), 20, "for the end of Odoo")

    def restart(self) -> None:
        self.crash()
        self.odoo.start()

    def workers(self) -> set[int]:
        """The processes that serve requests."""
        log = self.odoo.log.read_text(errors="replace")
        found = set()
        for worker in re.findall(r"Worker WorkerHTTP \((\d+)\) alive", log):
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()
                if status[0] != "Z" and int(status[1]) == self.odoo.process.pid:
                    found.add(int(worker))
        return found

    def kill_workers(self) -> None:
        """kill -9 for all of them; Odoo starts new ones at once."""
        killed = self.workers()
        for worker in killed:
            os.kill(worker, signal.SIGKILL)
        until(lambda: len(self.workers() - killed) == len(killed), 20, "for new workers")

    @contextlib.contextmanager
    def pause(self, when: str, times: int = 1, table: str = "viva_transaction") -> Iterator[None]:
        """Hold the next ``times`` database transactions of Odoo at ``when``, until the block ends.

        :param when: of a trigger: "BEFORE INSERT" or "BEFORE UPDATE" (the snapshot is taken, nothing is
            written), or "COMMIT" of a new row
        """
        kind, moment, each = "TRIGGER", when, "FOR EACH STATEMENT"
        if when == "COMMIT":
            kind, moment = "CONSTRAINT TRIGGER", "AFTER INSERT"
            each = "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
        self._remove_pause()
        self.database.run(f"""
            CREATE SEQUENCE live_pauses;
            CREATE FUNCTION live_pause() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF nextval('live_pauses') <= {times} THEN
                    PERFORM pg_advisory_lock_shared({PAUSE}); PERFORM pg_advisory_unlock_shared({PAUSE});
                END IF;
                RETURN NEW;
            END $$;
            CREATE {kind} live_pause {moment} ON {table} {each}
                EXECUTE FUNCTION live_pause()""")
        connection = self.database.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(%s)", (PAUSE,))
                yield
        finally:
            connection.close()  # who waits goes on

    def _remove_pause(self) -> None:
        """Only while no request is under way: it would wait for its own second cursor behind the DROP."""
        self.database.run(
            "DROP FUNCTION IF EXISTS live_pause CASCADE; DROP SEQUENCE IF EXISTS live_pauses"
        )

    @contextlib.contextmanager
    def refusals(
        self, event: str, number: int, at_commit: bool = False, table: str = "viva_transaction"
    ) -> Iterator[None]:
        """The next ``number`` events (INSERT, UPDATE, UPDATE OF a column) on the ledger (or another table) fail
        as lost races do.
        """
        kind = "CONSTRAINT TRIGGER" if at_commit else "TRIGGER"
        when = "AFTER" if at_commit else "BEFORE"
        deferred = "DEFERRABLE INITIALLY DEFERRED" if at_commit else ""
        self.database.run(f"""
            CREATE SEQUENCE live_refusals;
            CREATE FUNCTION live_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                IF nextval('live_refusals') <= {number} THEN
                    RAISE EXCEPTION 'refused by a test' USING ERRCODE = 'serialization_failure';
                END IF;
                RETURN NEW;
            END $$;
            CREATE {kind} live_refuse {when} {event} ON {table} {deferred}
                FOR EACH ROW EXECUTE FUNCTION live_refuse()""")
        try:
            yield
            (row,) = self.database.run("SELECT last_value FROM live_refusals")
            assert row["last_value"] >= number, "nothing was refused"
        finally:
            self.database.run("DROP FUNCTION live_refuse CASCADE; DROP SEQUENCE live_refusals")

    # -- ready-made ------------------------------------------------------------------------------

    def pay(self, card: Card) -> Card:
        """Send it, and the customer presents a card."""
        card.send()
        self.viva.act("tap", card.terminal)
        card.until("approved")
        return card

    def sold(self, terminal: str, till: Till | None = None, amount: int = PRICE) -> Card:
        """An approved sale on an order that is still open."""
        return self.pay((till or self.till).order(amount).line(terminal))

    def paid(self, terminal: str, till: Till | None = None, amount: int = PRICE) -> Card:
        """The sale of a validated order."""
        card = self.sold(terminal, till, amount)
        card.order.finish()
        return card

    def cleared(self, terminal: str, till: Till | None = None, amount: int = PRICE) -> Card:
        """The same, a night later: parts of it can be given back."""
        return self.night_after(self.paid(terminal, till, amount))

    def night_after(self, card: Card) -> Card:
        """The same sale when Viva has cleared it."""
        self.viva.settings(clearing_h=0)
        self.database.run(
            "UPDATE viva_transaction SET settled_at = settled_at - interval '2 days' WHERE attempt = %s",
            card.attempt,
        )
        return card

    def offer_installments(self, card: Card, most: int) -> None:
        """The shop offers them for such an amount, and the customer wants them."""
        method = self.facts["card_method"]
        found = self.admin.call(
            "viva.installment.band", "search_count", [("payment_method_id", "=", method)]
        )
        if not found:
            values = {"payment_method_id": method, "amount_from": 300, "installments": most}
            self.admin.call("viva.installment.band", "create", values)
        card.more = {**card.more, "max_installments": most}

    def start_job(self) -> int:
        """Tell Odoo's own cron worker to run the scheduled job; the id of the order to do so."""
        (row,) = self.database.run(
            """INSERT INTO ir_cron_trigger (cron_id, call_at)
               VALUES (%s, date_trunc('second', now() AT TIME ZONE 'UTC')) RETURNING id""",
            self.facts["cron"],
        )
        self.database.notify("cron_trigger")
        return row["id"]

    def run_job(self) -> None:
        """The same, and wait for the job's end."""
        order = self.start_job()
        ordered = "SELECT 1 FROM ir_cron_trigger WHERE id = %s"
        until(lambda: not self.database.run(ordered, order), 30, "for the scheduled job")

    def activities(self, card: Card) -> list[str]:
        """The summaries of the tasks about a payment."""
        found = self.database.run(
            "SELECT summary FROM mail_activity WHERE res_model = %s AND res_id = %s ORDER BY id",
            LEDGER,
            card.row()["id"],
        )
        return [row["summary"] for row in found]

    def foreign_sale(self, terminal: str) -> str:
        """Another cash register system of the same merchant asks this terminal for a card; its session."""
        session = str(uuid.uuid4())
        sale = {
            "sessionId": session,
            "terminalId": terminal,
            "cashRegisterId": "another system",
            "amount": 500,
            "currencyCode": "978",
            "merchantReference": "another system's",
            "tipAmount": 0,
        }
        headers = {"Authorization": f"Bearer {self.viva_token()}"}
        with httpx.Client(base_url=self.viva.url, trust_env=False, verify=False) as client:
            answer = client.post("/ecr/v1/transactions:sale", json=sale, headers=headers)
        assert answer.status_code == 200, answer.text
        return session

    def viva_token(self) -> str:
        """An access token of the merchant, fetched without Odoo."""
        login = {
            "grant_type": "client_credentials",
            "client_id": "sim-client.apps.vivapayments.com",
            "client_secret": "sim-secret",
        }
        with httpx.Client(base_url=self.viva.url, trust_env=False, verify=False) as client:
            return client.post("/connect/token", data=login).json()["access_token"]


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
