"""kill -9 between the press of *Charge* and the books, and PostgreSQL that makes Odoo repeat its work."""

import contextlib

import pytest
from control import until
from office import Charge, Office
from shop import Shop, background

from lib.rpc import Lost

SALE = "/ecr/v1/transactions:sale"
MATCH = "account_partial_reconcile"


def lost(charge: Charge, method: str) -> None:
    with pytest.raises(Lost):
        getattr(charge, method)()


def answered_or_lost(charge: Charge) -> None:
    """The dialog asks until it gets no answer (or the job is quicker, and it is told so)."""
    with contextlib.suppress(Lost):
        charge.until("booked")


class TestKilled:
    """…and started again. No browser comes back: the job brings the books up to the ledger."""

    def test_after_the_record(self, shop: Shop, office: Office):
        """Recorded, not sent: the invoice stays taken until it is clear that nothing was charged."""
        shop.forget_token()
        office.viva.faults(slow_ms={"/connect/token": 4000})
        invoice = office.invoice()
        charge = office.prepare(invoice)
        other = office.prepare(invoice, terminal=office.second, who=office.other_biller)
        starting = background(lambda: lost(charge, "start"))
        until(lambda: charge.ledger() and office.viva.requests("/connect/token"))
        shop.crash()
        starting.result()
        office.viva.heal()
        shop.restart()
        assert office.viva.sessions() == []
        assert charge.row()["state"] == "running"
        assert other.start()["reason"] == "order_open"
        charge.later(300)
        shop.run_job()
        charge.until_by_itself("not_done")
        assert charge.payment()["state"] == "canceled"
        other.pay().is_paid_once()

    def test_after_the_send(self, shop: Shop, office: Office):
        office.viva.faults(slow_ms={SALE: 4000})
        charge = office.prepare(office.invoice())
        starting = background(lambda: lost(charge, "start"))
        until(office.viva.sessions)
        shop.crash()
        starting.result()
        office.viva.act("tap", office.first)
        office.viva.heal()
        shop.restart()
        assert charge.row()["state"] == "running"
        charge.later(300)
        shop.run_job()
        charge.until_by_itself("booked")
        charge.is_paid_once()
        assert len(office.viva.sessions()) == 1

    def test_between_ledger_and_books(self, shop: Shop, office: Office):
        charge = office.charge(office.invoice())
        with office.bookings_held(charge):
            office.viva.act("tap", office.first)
            until(lambda: charge.check()["state"] == "approved")
            assert charge.books == "running"
            shop.crash()
        assert charge.payment()["state"] == "draft"
        shop.restart()
        shop.run_job()
        charge.until_by_itself("booked")
        charge.is_paid_once()

    @pytest.mark.parametrize(
        ("table", "moment"),
        [("account_move", "BEFORE INSERT"), (MATCH, "BEFORE INSERT"), (MATCH, "COMMIT")],
        ids=["entry", "matching", "commit"],
    )
    def test_in_the_middle_of_posting(self, shop: Shop, office: Office, table: str, moment: str):
        """Half a payment never stays: all of it, or none and the job does it again."""
        charge = office.charge(office.invoice())
        with shop.pause(moment, 1, table):
            office.viva.act("tap", office.first)
            asking = background(lambda: answered_or_lost(charge))
            until(shop.waiting_for_rows)
            shop.kill_workers()
        asking.result()
        shop.run_job()
        charge.until_by_itself("booked")
        charge.is_paid_once()


class TestRepeated:
    """PostgreSQL refuses a database transaction as after a lost race."""

    @pytest.mark.parametrize(
        ("table", "number"), [("viva_booking_line", 1), ("viva_transaction", 5)]
    )
    def test_in_start(self, shop: Shop, office: Office, table: str, number: int):
        """Once: the ledger repeats its own work. Five times: the whole request is repeated, and sends once."""
        event = "INSERT" if table == "viva_transaction" else "UPDATE"
        charge = office.prepare(office.invoice())
        with shop.refusals(event, number, table=table):
            assert charge.start()["state"] == "pending"
        assert len(office.viva.sessions()) == 1
        office.viva.act("tap", office.first)
        charge.until("booked")
        charge.is_paid_once()

    def test_after_the_send(self, shop: Shop, office: Office):
        """Viva has it, and Odoo cannot write that down: it starts over, and must not send."""
        charge = office.prepare(office.invoice())
        with shop.refusals("UPDATE", 5):
            charge.start()
        assert len(office.viva.requests(SALE)) == 1
        office.viva.act("tap", office.first)
        charge.until("booked")
        charge.is_paid_once()

    @pytest.mark.parametrize(("table", "number"), [("account_move", 1), (MATCH, 12)])
    def test_in_posting(self, shop: Shop, office: Office, table: str, number: int):
        """However often: the payment is posted once in the end."""
        charge = office.charge(office.invoice())
        with shop.refusals("INSERT", number, table=table):
            office.viva.act("tap", office.first)
            charge.until("booked", seconds=20)
        charge.is_paid_once()

    def test_deadlock_in_posting(self, shop: Shop, office: Office):
        """Somebody holds the invoice and wants the booking: PostgreSQL ends one of the two."""
        charge = office.charge(office.invoice())
        connection = shop.database.connect()
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM account_move_line WHERE move_id = ANY(%s) FOR UPDATE",
                (charge.invoices,),
            )
            office.viva.act("tap", office.first)
            asking = background(charge.check)
            until(shop.waiting_for_rows)
            cursor.execute("SET lock_timeout = '3s'")
            office.wants(cursor, charge)
        connection.close()
        asking.result()
        charge.until("booked", seconds=20)
        charge.is_paid_once()
