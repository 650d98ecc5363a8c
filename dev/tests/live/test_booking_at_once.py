"""Two people, two tabs, twenty invoices: every invoice is charged once, and the books are the acquirer's ledger."""

import contextlib
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator

from control import until
from office import Charge, Office
from shop import PRICE, Shop, background, together

from lib.rpc import Client, RpcError


def in_order(charges: list[Charge]) -> list[Charge]:
    """The winner first."""
    return sorted(charges, key=lambda charge: charge.status["state"] == "refused")


def test_two_people_charge_one_invoice(office: Office):
    """One wins, the other one is told who, and where."""
    invoice = office.invoice()
    people = (office.biller, office.other_biller)
    charges = [
        office.prepare(invoice, terminal=terminal, who=who)
        for terminal, who in zip(office.terminals, people, strict=False)
    ]
    together(*[charge.start for charge in charges])
    winner, loser = in_order(charges)
    assert (winner.status["state"], winner.books) == ("pending", "running")
    assert (loser.status["state"], loser.status["reason"]) == ("refused", "order_open")
    for told in (winner.status["booking"]["user"], winner.status["terminal"]["name"]):
        assert told in loser.status["message"], loser.status["message"]
    assert len(office.viva.sessions()) == 1
    office.viva.act("tap", winner.terminal)
    winner.until("booked")
    assert (loser.start()["state"], loser.status["reason"]) == ("refused", "already_paid")
    assert (loser.row()["state"], loser.payment()["state"]) == ("prepared", "draft")
    loser.abort()
    winner.is_paid_once()


def test_two_people_with_overlapping_invoices(office: Office):
    """Whichever way round they hold each other's invoices: one of them, and no deadlock is seen."""
    first, second, third = office.invoices(PRICE, 2900, 458)
    for number in range(3):
        charges = [
            office.prepare(first, second, terminal=office.first, who=office.biller),
            office.prepare(third, second, terminal=office.second, who=office.other_biller),
        ]
        together(*[charge.start for charge in (charges if number % 2 else charges[::-1])])
        winner, loser = in_order(charges)
        assert (winner.status["state"], loser.status["state"]) == ("pending", "refused")
        loser.abort()
        office.viva.act("decline" if number < 2 else "tap", winner.terminal)
        winner.until("booked" if number == 2 else "not_done")
    winner.is_paid_once()
    assert sorted(map(office.residual, (first, second, third)))[:2] == [0, 0]


def test_double_click(office: Office):
    """One attempt, started four times at once from four tabs."""
    charge = office.prepare(office.invoice())
    tabs = [charge, *[charge.seen_by(office.desk("biller")) for _number in range(3)]]
    together(*[tab.start for tab in tabs])
    assert len(office.viva.sessions()) == 1
    assert {tab.status["state"] for tab in tabs} <= {"sent", "pending"}
    office.viva.act("tap", office.first)
    together(*[lambda tab=tab: tab.until("booked") for tab in tabs], office.shop.run_job)
    charge.is_paid_once()


def test_start_and_cancel_at_once(office: Office):
    """Whoever is first wins: sent and to be cancelled at the terminal, or never sent."""
    for terminal in office.terminals[:3]:
        charge = office.prepare(office.invoice(), terminal=terminal)
        other = charge.seen_by(office.desk("biller"))
        together(charge.start, other.abort)
        arrived = [one for one in office.viva.sessions() if one["terminalId"] == terminal]
        assert arrived or charge.check()["state"] == "cancelled"
        if arrived:
            charge.abort()
        charge.until("not_done")
    assert office.viva.charges() == []


def test_till_and_office_want_one_terminal(shop: Shop, office: Office):
    """A terminal is one terminal, whoever asks."""
    card = shop.till.order().line(shop.first)
    office.terminal_ids.setdefault(shop.first, shop.terminal_ids[shop.first])
    charge = office.prepare(office.invoice(), terminal=shop.first)
    together(card.send, charge.start)
    states = {card.status["state"], charge.status["state"]}
    assert states == {"pending", "refused"}
    shop.viva.act("tap", shop.first)
    if charge.status["state"] == "refused":
        assert charge.status["reason"] == "terminal_busy"
        card.until("approved")
        charge.pay()
    else:
        charge.until("booked")
        shop.pay(card)
    card.order.finish()
    charge.is_paid_once()


def test_twenty_invoices_on_five_terminals(office: Office):
    """Ten people, two invoices each: who finds the terminal busy begins again until his invoice is paid."""
    amounts = [PRICE + 7 * number for number in range(20)]
    invoices = office.invoices(*amounts)
    office.viva.settings(auto={"action": "tap", "delay_ms": 30})
    done: list[Charge] = []
    refused: Counter[str] = Counter()

    def taken(nth: int, who: Client) -> Charge | None:
        """A new press; None while the terminal is busy, be it that the wizard says so or the start."""
        try:
            charge = office.charge(invoices[nth], terminal=office.terminals[nth % 5], who=who)
        except RpcError as error:
            assert "is busy with" in error.message, error.message
            refused["wizard"] += 1
            return None
        if charge.status["state"] != "refused":
            return charge
        refused[charge.status["reason"]] += 1
        charge.abort()
        return None

    def pay(number: int, who: Client) -> None:
        for nth in (number, number + 10):
            for attempt in itertools.count():
                charge = taken(nth, who)
                if charge:
                    break
                assert attempt < 200
                time.sleep(0.1)
            charge.until("booked", seconds=60)
            done.append(charge)

    desks = [office.desk(("biller", "other_biller")[number % 2]) for number in range(10)]
    together(*[lambda n=n, who=who: pay(n, who) for n, who in enumerate(desks)])
    assert set(refused) <= {"wizard", "terminal_busy"}, refused
    for charge in done:
        charge.is_paid_once()
    charges = office.viva.charges()
    assert sorted(charge["amount"] for charge in charges) == sorted(amounts)
    assert {charge["terminalId"] for charge in charges} == set(office.terminals)
    assert sum(charge["amount"] for charge in charges) == sum(map(office.in_books, done))


def test_others_bill_at_the_same_time(office: Office):
    """Cards are booked while colleagues post invoices and payments in the same journals: nobody is in nobody's way."""
    invoices = office.invoices(*[PRICE] * 3)
    by_hand = office.invoices(*[PRICE] * 3)
    charges = [
        office.charge(invoice, terminal=terminal, who=office.desk("biller"))
        for invoice, terminal in zip(invoices, office.terminals, strict=False)
    ]
    stop = threading.Event()
    told: list[str] = []

    def others(who: Client) -> None:
        while not stop.is_set():
            try:
                office.invoice(458, who=who)
                if by_hand:
                    office.pay_by_hand(by_hand.pop(), who)
            except RpcError as error:
                told.append(error.message)

    def cards() -> None:
        try:
            for charge in charges:
                office.viva.act("tap", charge.terminal)
            together(
                *[lambda charge=charge: charge.until("booked", seconds=30) for charge in charges]
            )
        finally:
            stop.set()

    together(cards, *[lambda who=who: others(who) for who in map(office.desk, ("accountant",) * 2)])
    assert told == []
    for charge in charges:
        charge.is_paid_once()
    until(lambda: not office.shop.waiting_for_rows())


@contextlib.contextmanager
def standing_still(office: Office) -> Iterator[None]:
    """The next process that changes or claims an invoice stands still before it, with what it has read so far."""
    database = office.shop.database
    database.run(
        """CREATE SEQUENCE standing;
           CREATE FUNCTION stand_still() RETURNS trigger AS $$ BEGIN
             IF nextval('standing') = 1 THEN
               PERFORM pg_advisory_lock(4711), pg_advisory_unlock(4711);
             END IF;
             RETURN NULL;
           END $$ LANGUAGE plpgsql;
           CREATE TRIGGER stand_still BEFORE UPDATE ON account_move
             FOR EACH STATEMENT EXECUTE FUNCTION stand_still();
           CREATE TRIGGER stand_still BEFORE UPDATE ON viva_booking_line
             FOR EACH STATEMENT EXECUTE FUNCTION stand_still();
           SELECT pg_advisory_lock(4711)"""
    )
    try:
        yield
    finally:
        database.run(
            """SELECT pg_advisory_unlock_all();
               DROP FUNCTION stand_still CASCADE;
               DROP SEQUENCE standing"""
        )


def test_a_process_stands_still_while_it_records(office: Office):
    """It has seen an open invoice, which another one charges and books meanwhile: it looks again before it sends."""
    invoice = office.invoice()
    slow = office.prepare(invoice, terminal=office.first, who=office.biller)
    quick = office.prepare(invoice, terminal=office.second, who=office.other_biller)
    with standing_still(office):
        asleep = background(slow.start)
        until(lambda: office.shop.waiting_for_rows() == 1)
        quick.pay()
    asleep.result()
    assert (slow.status["state"], slow.status["reason"]) == ("refused", "already_paid")
    assert len(office.viva.sessions()) == 1
    slow.abort()
    quick.is_paid_once()


def test_what_was_prepared_is_changed_while_it_is_recorded(office: Office):
    """The draft's amount, and the invoice itself: what is charged is what is in the books."""
    for model, name in (("account.payment", "write"), ("account.move", "button_draft")):
        invoice = office.invoice()
        charge = office.prepare(invoice)
        ids = [charge.payment()["id"] if model == "account.payment" else invoice]
        values = [{"amount": 1}] if name == "write" else []
        with standing_still(office):
            asleep = background(charge.start)
            until(lambda: office.shop.waiting_for_rows() == 1)
            office.accountant.call(model, name, ids, *values)
        asleep.result()
        assert (charge.status["state"], charge.status["reason"]) == ("refused", "changed")
        charge.abort()
    assert office.viva.sessions() == []


def test_given_back_while_it_is_posted(office: Office):
    """Post and *Give back* at once: one of the two, or both in the books; never money that went back and counts."""
    invoice = office.invoice()
    with office.period_closed():
        charge = office.charge(invoice)
        office.viva.act("tap", charge.terminal)
        charge.until("to_post")
    back = office.give_back(charge, who=office.other_accountant)
    connection = office.shop.database.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM account_move WHERE id = %s FOR UPDATE", (invoice,))
        posting = background(lambda: office.post(charge))
        until(lambda: office.shop.waiting_for_rows() >= 1)
        giving = background(back.start)
        with contextlib.suppress(AssertionError):  # it may wait as well
            until(lambda: office.viva.given_back() == [PRICE], 3)
    connection.close()
    with contextlib.suppress(RpcError):
        posting.result()
    giving.result()
    if back.status["state"] == "refused":
        back.abort()
        charge.is_paid_once()
        return
    back.until("booked", "to_post")
    if back.books == "to_post":
        office.post(back)
    assert office.viva.given_back() == [PRICE]
    assert back.row()["state"] == "booked"
    assert office.residual(invoice) == PRICE
