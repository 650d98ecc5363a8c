"""Money back from the office: two accountants, lost answers and kill -9 never give more back than there was."""

import contextlib

import pytest
from control import until
from office import Charge, Office
from shop import PRICE, Shop, background, together

from lib.rpc import Lost, RpcError

PART = 1200
WAYS = [("terminal", "terminal"), ("terminal", "api")]
ways = pytest.mark.parametrize("ways", WAYS, ids=" and ".join)


def cleared(shop: Shop, office: Office) -> Charge:
    """A charged invoice, a night later."""
    charge = office.prepare(office.invoice()).pay()
    shop.night_after(charge)
    return charge


def only_one(office: Office, backs: list[Charge], amount: int) -> Charge:
    """One of them is carried out and booked, the other one refused."""
    done = [back for back in backs if back.status["state"] != "refused"]
    assert len(done) == 1, [back.status["message"] for back in backs]
    done[0].until("booked")
    for back in backs:
        if back is not done[0]:
            assert back.start()["state"] == "refused"
            back.abort()
    assert office.viva.given_back() == [amount]
    return done[0]


@ways
def test_two_accountants_give_one_payment_back(shop: Shop, office: Office, ways: tuple[str, str]):
    charge = cleared(shop, office)
    people = (office.accountant, office.other_accountant)
    backs = [
        office.give_back(charge, PART, via, who=who, terminal=terminal)
        for via, who, terminal in zip(ways, people, office.terminals, strict=False)
    ]
    together(*[back.start for back in backs])
    back = only_one(office, backs, PART)
    assert back.payment()["payment_type"] == "outbound"
    assert office.residual(charge.invoices[0]) == PART


def test_two_accountants_pay_out_one_credit_note(shop: Shop, office: Office):
    charge = cleared(shop, office)
    note = office.credit_note(charge.invoices[0])
    people = (office.accountant, office.other_accountant)
    backs = [
        office.pay_out(note, charge, who=who, terminal=terminal)
        for who, terminal in zip(people, office.terminals, strict=False)
    ]
    together(*[back.start for back in backs])
    only_one(office, backs, PRICE).is_paid_once()
    charge.is_paid_once()


def test_thirds_by_many(shop: Shop, office: Office):
    """Each wants a third and a bit: two of them get it."""
    charge = cleared(shop, office)
    amount = PRICE // 3 + 1

    def press(number: int) -> None:
        who = office.desk(("accountant", "other_accountant")[number % 2])
        via = "api" if number % 2 else "terminal"
        terminal = office.terminals[number]
        with contextlib.suppress(RpcError):  # the dialog knows already that so much is not left
            back = office.give_back(charge, amount, via, who=who, terminal=terminal)
            until(lambda: back.start()["reason"] != "parent_open", 30)
            if back.status["state"] == "refused":
                assert back.status["reason"] == "nothing_left"
                back.abort()
            else:
                back.until("booked", seconds=30)

    together(*[lambda number=number: press(number) for number in range(4)])
    assert office.viva.given_back() == [amount] * 2
    assert office.residual(charge.invoices[0]) == 2 * amount


def test_answer_lost(shop: Shop, office: Office):
    """Of a refund without terminal: it is in doubt until Viva's list tells, and then it is booked."""
    charge = cleared(shop, office)
    back = office.give_back(charge, PART, "api")
    office.viva.faults(slow_ms={"/api/transactions/": 7000})
    back.start()
    assert (back.status["state"], back.books) == ("unknown", "running")
    office.viva.heal()
    until(office.viva.given_back)
    shop.forget_silence()
    back.later(300)
    shop.run_job()
    back.until_by_itself("booked")
    assert office.viva.given_back() == [PART]


def test_killed_while_it_is_posted(shop: Shop, office: Office):
    charge = office.prepare(office.invoice()).pay()
    back = office.give_back(charge)

    def ask() -> None:
        with contextlib.suppress(Lost):
            back.start()
            back.until("booked")

    with shop.pause("BEFORE INSERT", 1, "account_partial_reconcile"):
        asking = background(ask)
        until(shop.waiting_for_rows)
        shop.kill_workers()
    asking.result()
    shop.run_job()
    back.until_by_itself("booked")
    assert office.residual(charge.invoices[0]) == PRICE
    assert office.viva.given_back() == [PRICE]
