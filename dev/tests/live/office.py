"""The office: people who bill, charge cards and keep the books, each at an own desk; and what is in the books."""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

import psycopg2
from control import until
from shop import PRICE, Shop, Status

from lib.rpc import Client

BOOKING, INVOICE, WIZARD = "viva.booking", "account.move", "account.payment.register"
REFUND = "viva.refund.wizard"
# Without Enterprise's accounting a payment counts as paid when its invoices are.
POSTED = ("in_process", "paid")


@dataclass
class Charge:
    """One press of *Charge* in Register Payment: an attempt, prepared by the wizard, and its dialog."""

    office: "Office"
    who: Client
    invoices: list[int]
    amount: int  # minor units
    terminal: str
    attempt: str
    status: Status = field(default_factory=dict)

    def start(self) -> Status:
        """What the dialog does at first. May be called again: it is the same press."""
        return self._ask("start")

    def check(self) -> Status:
        return self._ask("check")

    def abort(self) -> Status:
        return self._ask("abort")

    def again(self) -> "Charge":
        """The dialog's *Try again*, after it was not carried out; not started yet."""
        attempt = self.who.call(BOOKING, "again", self.attempt)
        return replace(self, attempt=attempt, status={})

    def seen_by(self, who: Client) -> "Charge":
        """The same press in somebody else's dialog, or in another tab."""
        return replace(self, who=who, status={})

    def _ask(self, method: str) -> Status:
        self.status = self.who.call(BOOKING, method, self.attempt)
        return self.status

    @property
    def books(self) -> str:
        """The state of the booking, as the dialog was last told."""
        return self.status["booking"]["state"]

    def until(self, *states: str, seconds: float = 10) -> Status:
        """Ask again and again, as the dialog does, until the booking has got one of ``states``."""
        until(
            lambda: self.check()["booking"]["state"] in states,
            seconds,
            f"for {states}: {self.attempt}",
        )
        return self.status

    def until_by_itself(self, *states: str, seconds: float = 20) -> None:
        """Nobody asks: webhooks and the job alone have to do it."""
        what = f"for {states}: {self.attempt}, and at the card: {self.ledger().get('state')}"
        until(lambda: self.row()["state"] in states, seconds, what)

    def pay(self) -> "Charge":
        """Start it, and the customer presents a card."""
        self.start()
        self.office.viva.act("tap", self.terminal)
        self.until("booked")
        return self

    # -- behind the office's back ----------------------------------------------------------------

    def row(self) -> dict[str, Any]:
        """The booking in the database."""
        return self._one("SELECT * FROM viva_booking WHERE attempt = %s")

    def ledger(self) -> dict[str, Any]:
        """The transaction in the database; empty as long as nothing was recorded."""
        return self._one("SELECT * FROM viva_transaction WHERE attempt = %s")

    def payment(self) -> dict[str, Any]:
        """Its payment in the database; empty if there is none."""
        return self._one(
            """SELECT payment.*, move.state AS move_state FROM account_payment payment
                 JOIN viva_booking booking ON booking.payment_id = payment.id
                 LEFT JOIN account_move move ON move.id = payment.move_id
                WHERE booking.attempt = %s"""
        )

    def _one(self, statement: str) -> dict[str, Any]:
        found = self.office.shop.database.run(statement, self.attempt)
        return found[0] if found else {}

    def later(self, seconds: float) -> None:
        """Let time pass for this payment (not for the simulator)."""
        self.office.shop.let_pass(seconds, self.ledger()["id"])

    def tasks(self) -> list[str]:
        """The summaries of the tasks about this booking."""
        found = self.office.shop.database.run(
            "SELECT summary FROM mail_activity WHERE res_model = %s AND res_id = %s ORDER BY id",
            BOOKING,
            self.row()["id"],
        )
        return [row["summary"] for row in found]

    def is_paid_once(self) -> None:
        """The payment is posted, the invoices are paid with it and with nothing else."""
        assert self.row()["state"] == "booked", self.row()
        payment = self.payment()
        assert payment["state"] in POSTED and payment["move_state"] == "posted"
        for invoice in self.invoices:
            assert self.office.residual(invoice) == 0
            assert self.office.paid_with(invoice) == [payment["id"]]


class Office:
    """Terminals and people beside the tills."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.viva = shop.viva
        self.facts: dict[str, Any] = shop.facts["office"]
        self.terminal_ids: dict[str, int] = self.facts["terminals"]
        self.terminals: list[str] = list(self.terminal_ids)
        self.first, self.second = self.terminals[:2]
        self._people: dict[str, Client] = {}
        self.biller = self.desk("biller")
        self.other_biller = self.desk("other_biller")
        self.accountant = self.desk("accountant")
        self.other_accountant = self.desk("other_accountant")

    def desk(self, login: str) -> Client:
        """A further tab of that person, for a thread of its own; the log-in is the same."""
        if login not in self._people:
            self._people[login] = self.shop.odoo.client(login)
        return copy.copy(self._people[login])

    def open(self) -> None:
        """The terminals are switched on. Only a test that failed leaves a booking or a lock date behind."""
        for terminal in self.terminals:
            self.viva.control("POST", "terminals", {"terminalId": terminal})
        run = self.shop.database.run
        run(
            """UPDATE viva_booking SET state = 'not_done' WHERE state IN ('running', 'to_post');
               UPDATE viva_booking_line SET is_claim = false WHERE is_claim;
               UPDATE res_company SET fiscalyear_lock_date = NULL, hard_lock_date = NULL"""
        )

    # -- bills -----------------------------------------------------------------------------------

    def invoices(self, *amounts: int, who: Client | None = None, partner: int = 0) -> list[int]:
        """New posted invoices of one customer (minor units)."""
        who = who or self.biller
        line = {"name": "Service", "account_id": self.facts["income"], "tax_ids": [(6, 0, [])]}
        made = who.call(
            INVOICE,
            "create",
            [
                {
                    "move_type": "out_invoice",
                    "partner_id": self.facts["customers"][partner],
                    "invoice_line_ids": [(0, 0, {**line, "price_unit": amount / 100})],
                }
                for amount in amounts
            ],
        )
        who.call(INVOICE, "action_post", made)
        return made

    def invoice(self, amount: int = PRICE, **values: Any) -> int:
        (made,) = self.invoices(amount, **values)
        return made

    def residual(self, invoice: int) -> int:
        """What is still to be paid of it (minor units)."""
        (row,) = self.shop.database.run(
            "SELECT round(amount_residual * 100)::int AS minor FROM account_move WHERE id = %s",
            invoice,
        )
        return row["minor"]

    def paid_with(self, invoice: int) -> list[int]:
        """The payments that are matched with it, each as often as it is."""
        found = self.shop.database.run(
            """SELECT payment.id FROM account_partial_reconcile match
                 JOIN account_move_line debit ON debit.id = match.debit_move_id
                 JOIN account_move_line credit ON credit.id = match.credit_move_id
                 JOIN account_payment payment ON payment.move_id IN (debit.move_id, credit.move_id)
                WHERE %s IN (debit.move_id, credit.move_id) ORDER BY match.id""",
            invoice,
        )
        return [row["id"] for row in found]

    def in_books(self, charge: Charge) -> int:
        """What a charge has brought into the outstanding account (minor units)."""
        (row,) = self.shop.database.run(
            """SELECT round(sum(line.balance) * 100)::int AS minor
                 FROM account_move_line line
                 JOIN account_payment payment ON payment.move_id = line.move_id
                WHERE payment.id = %s AND line.account_id = payment.outstanding_account_id""",
            charge.payment()["id"],
        )
        return row["minor"]

    # -- cards -----------------------------------------------------------------------------------

    def prepare(
        self,
        *invoices: int,
        terminal: str = "",
        who: Client | None = None,
        amount: int | None = None,
    ) -> Charge:
        """Register Payment with the Viva method, up to the dialog: nothing is started yet."""
        who = who or self.biller
        terminal = terminal or self.first
        owed = sum(self.residual(invoice) for invoice in invoices)
        attempt = self._wizard(who, list(invoices), terminal, amount)
        return Charge(self, who, list(invoices), amount or owed, terminal, attempt)

    def charge(self, *invoices: int, **values: Any) -> Charge:
        """The same, and its dialog starts it."""
        charge = self.prepare(*invoices, **values)
        charge.start()
        return charge

    def _wizard(self, who: Client, invoices: list[int], terminal: str, amount: int | None) -> str:
        values = {
            "journal_id": self.facts["journal"],
            "payment_method_line_id": self.facts["line_in"],
            "viva_terminal_id": self.terminal_ids[terminal],
            "group_payment": True,
        }
        if amount is not None:
            values["amount"] = amount / 100
        context = {"active_model": INVOICE, "active_ids": invoices}
        wizard = who.call(WIZARD, "create", [values], context=context)
        action = who.call(WIZARD, "action_create_payments", wizard, context=context)
        return action["params"]["attempt"]

    def give_back(
        self,
        charge: Charge,
        amount: int | None = None,
        via: str = "terminal",
        **values: Any,
    ) -> Charge:
        """*Give back* on a payment, up to its dialog: of all of it, or of a part (minor units)."""
        back = self._back(charge, **values)
        wanted = {
            "parent_id": charge.ledger()["id"],
            "viva_refund_via": via,
            "viva_refund_terminal_id": self.terminal_ids[back.terminal],
        }
        if amount is not None:
            wanted["amount"] = amount / 100
            back.amount = amount
        wizard = back.who.call(REFUND, "create", [wanted])
        back.attempt = back.who.call(REFUND, "action_confirm", wizard)["params"]["attempt"]
        return back

    def pay_out(self, note: int, charge: Charge, via: str = "terminal", **values: Any) -> Charge:
        """Register Payment of a credit note, to the card that has paid; up to its dialog."""
        back = self._back(charge, **values)
        context = {"active_model": INVOICE, "active_ids": [note]}
        wanted = {
            "journal_id": self.facts["journal"],
            "payment_method_line_id": self.facts["line_out"],
            "viva_original_id": charge.ledger()["id"],
            "viva_refund_via": via,
            "viva_refund_terminal_id": self.terminal_ids[back.terminal],
        }
        wizard = back.who.call(WIZARD, "create", [wanted], context=context)
        action = back.who.call(WIZARD, "action_create_payments", wizard, context=context)
        back.invoices, back.attempt = [note], action["params"]["attempt"]
        return back

    def _back(self, charge: Charge, who: Client | None = None, terminal: str = "") -> Charge:
        return replace(
            charge, who=who or self.accountant, terminal=terminal or charge.terminal, status={}
        )

    def credit_note(self, invoice: int) -> int:
        """A posted credit note of the whole of it."""
        context = {"active_model": INVOICE, "active_ids": [invoice]}
        values = {"journal_id": self.journal_of(invoice), "reason": "Brought back"}
        reversal = self.accountant.call(
            "account.move.reversal", "create", [values], context=context
        )
        action = self.accountant.call(
            "account.move.reversal", "refund_moves", reversal, context=context
        )
        self.accountant.call(INVOICE, "action_post", [action["res_id"]])
        return action["res_id"]

    def journal_of(self, invoice: int) -> int:
        (row,) = self.shop.database.run(
            "SELECT journal_id FROM account_move WHERE id = %s", invoice
        )
        return row["journal_id"]

    def pay_by_hand(self, invoice: int, who: Client | None = None) -> None:
        """The customer has paid otherwise: the whole of it is registered in the same journal."""
        who = who or self.accountant
        context = {"active_model": INVOICE, "active_ids": [invoice]}
        values = {
            "journal_id": self.facts["journal"],
            "payment_method_line_id": self.facts["by_hand"],
        }
        wizard = who.call(WIZARD, "create", [values], context=context)
        who.call(WIZARD, "action_create_payments", wizard, context=context)

    def advance(self, amount: int) -> int:
        """The customer has paid without an invoice; the journal item that waits to be matched."""
        payment = self.accountant.call(
            "account.payment",
            "create",
            [
                {
                    "partner_id": self.facts["customers"][0],
                    "amount": amount / 100,
                    "journal_id": self.facts["journal"],
                    "payment_method_line_id": self.facts["by_hand"],
                }
            ],
        )
        self.accountant.call("account.payment", "action_post", payment)
        (row,) = self.shop.database.run(
            """SELECT line.id FROM account_move_line line
                 JOIN account_payment payment ON payment.move_id = line.move_id
                WHERE payment.id = ANY(%s) AND line.account_id = payment.destination_account_id""",
            payment,
        )
        return row["id"]

    def post(self, charge: Charge) -> None:
        """The accountant's button."""
        self.accountant.call(BOOKING, "action_post", [charge.row()["id"]])

    @contextlib.contextmanager
    def period_closed(self) -> Iterator[None]:
        """The books were closed up to tomorrow, wherever people are; behind the back of the open tills."""
        lock = "UPDATE res_company SET fiscalyear_lock_date = %s WHERE id = %s"
        company = self.shop.facts["company"]
        self.shop.database.run(lock, date.today() + timedelta(days=1), company)
        try:
            yield
        finally:
            self.shop.database.run(lock, None, company)

    @staticmethod
    def wants(cursor: Any, charge: Charge) -> None:
        """The same database transaction wants the row of the booking as well, whatever becomes of it."""
        with contextlib.suppress(psycopg2.Error):
            cursor.execute(
                "SELECT 1 FROM viva_booking WHERE attempt = %s FOR UPDATE", (charge.attempt,)
            )

    @contextlib.contextmanager
    def bookings_held(self, *charges: Charge) -> Iterator[None]:
        """Somebody holds the rows of these bookings: the outcome is in the ledger, the books cannot follow."""
        connection = self.shop.database.connect()
        try:
            with connection.cursor() as cursor:
                attempts = [charge.attempt for charge in charges]
                cursor.execute(
                    "SELECT 1 FROM viva_booking WHERE attempt = ANY(%s) FOR UPDATE", (attempts,)
                )
                yield
        finally:
            connection.close()
