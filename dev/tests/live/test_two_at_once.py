"""Two tills, two tabs, two taps of a finger: only one of them charges."""

from collections import Counter

import pytest
from control import until
from shop import PRICE, Card, Shop, background, together


def presses(card: Card, number: int) -> list[Card]:
    """More presses for the same payment line, each with an attempt of its own."""
    return [
        Card(card.order, card.terminal, card.amount, payment_uuid=card.payment_uuid)
        for _number in range(number)
    ]


def test_double_tap(shop: Shop):
    """One attempt, sent four times at once."""
    card = shop.till.order().line(shop.first)
    together(*[card.send] * 4)
    assert len(shop.viva.sessions()) == 1
    card.until("pending")
    shop.viva.act("tap", shop.first)
    card.until("approved")
    together(*[card.send] * 2)
    assert len(shop.viva.sessions()) == 1


def test_four_attempts_for_one_line(shop: Shop):
    card = shop.till.order().line(shop.first)
    cards = [card, *presses(card, 3)]
    together(*[press.send for press in cards])
    states = Counter(press.status["state"] for press in cards)
    assert states == {"pending": 1, "refused": 3}
    (winner,) = [press for press in cards if press.status["state"] == "pending"]
    for press in cards:
        if press is not winner:
            assert press.status["reason"] in ("order_open", "terminal_busy")
            assert press.status["blocking"]["attempt"] == winner.attempt
    assert len(shop.viva.sessions()) == 1
    shop.viva.act("tap", shop.first)
    winner.until("approved")


def test_two_tills_one_terminal(shop: Shop):
    cards = [till.order().line(shop.first) for till in (shop.till, shop.other_till)]
    together(*[card.send for card in cards])
    cards.sort(key=lambda card: card.status["state"])
    winner, loser = cards
    assert winner.status["state"] == "pending"
    assert (loser.status["state"], loser.status["reason"]) == ("refused", "terminal_busy")
    assert winner.order.reference in loser.status["message"]
    shop.viva.act("tap", shop.first)
    winner.until("approved")
    assert loser.send()["state"] == "pending"
    shop.viva.act("tap", shop.first)
    loser.until("approved")


def test_one_order_on_two_terminals(shop: Shop):
    order = shop.till.order()
    cards = [order.line(shop.first), order.line(shop.second)]
    together(*[card.send for card in cards])
    cards.sort(key=lambda card: card.status["state"])
    winner, loser = cards
    assert winner.status["state"] == "pending"
    assert (loser.status["state"], loser.status["reason"]) == ("refused", "order_open")
    assert len(shop.viva.sessions()) == 1
    shop.viva.act("tap", winner.terminal)
    winner.until("approved")
    assert loser.send()["reason"] == "already_paid"


def test_order_paid_by_two_cards_one_after_the_other(shop: Shop):
    """Half and half is no double charge; a cent more than the order would be."""
    order = shop.till.order(PRICE)
    first = order.charge(shop.first, 1000)
    shop.viva.act("tap", shop.first)
    first.until("approved")
    too_much = order.charge(shop.first, 1000)
    assert too_much.status["state"] == "refused"
    order.delete_line(too_much)
    second = order.charge(shop.first, 999)
    shop.viva.act("tap", shop.first)
    second.until("approved")
    order.finish()


def test_two_halves_at_once(shop: Shop):
    """Two tabs of one order press at the same time, with amounts that fit together."""
    order = shop.till.order(PRICE)
    cards = [order.line(shop.first, 1000), order.line(shop.second, 999)]
    together(*[card.send for card in cards])
    assert Counter(card.status["state"] for card in cards) == {"pending": 1, "refused": 1}


def test_given_up_before_it_arrived(shop: Shop):
    """The till got no answer and gives the press up; its request arrives later and sends nothing."""
    card = shop.till.order().line(shop.first)
    given_up = shop.till.ask("pos_abandon", card.request())
    assert (given_up["state"], given_up["reason"]) == ("cancelled", "never_sent")
    assert card.send()["state"] == "cancelled"
    assert shop.viva.sessions() == []
    again = card.order.charge(shop.first)
    assert again.status["state"] == "pending"


def test_given_up_while_it_arrives(shop: Shop):
    """Whoever is first wins, and both are told the same."""
    for terminal in shop.terminals[:8]:
        card = shop.till.order().line(terminal)
        given_up, sent = together(
            lambda card=card: shop.till.ask("pos_abandon", card.request()), card.send
        )
        arrived = [one for one in shop.viva.sessions() if one["terminalId"] == terminal]
        assert (sent["state"] == "cancelled") == (given_up["state"] == "cancelled") == (not arrived)


def test_two_tabs_poll(shop: Shop):
    card = shop.till.charge(shop.first)
    twin = Card(card.order, card.terminal, card.amount, card.attempt, card.payment_uuid)
    shop.viva.act("tap", shop.first)
    together(
        lambda: card.until("approved"),
        lambda: twin.until("approved"),
        lambda: card.order.sync(),
    )
    assert card.steps().count("read") == 1


def test_line_deleted_and_paid_again(shop: Shop):
    """The cancelled line is deleted, a new one is paid; the order has one payment."""
    order = shop.till.order()
    card = order.charge(shop.first)
    shop.viva.act("cancel", shop.first)
    card.until("cancelled")
    order.delete_line(card)
    again = order.charge(shop.second)
    shop.viva.act("tap", shop.second)
    again.until("approved")
    order.finish()
    assert list(order.payments) == [again.payment_uuid]


def test_line_deleted_while_the_card_is_awaited(shop: Shop):
    """The tab may forget the line; the ledger does not, and a second charge is refused."""
    order = shop.till.order()
    card = order.charge(shop.first)
    order.delete_line(card)
    again = order.charge(shop.second)
    assert again.status["reason"] == "order_open"
    shop.viva.act("tap", shop.first)
    (found,) = shop.till.ask("pos_check", [card.attempt])
    until(lambda: shop.till.ask("pos_check", [card.attempt])[0]["state"] == "approved")
    assert again.send()["reason"] == "already_paid"
    assert again.status["blocking"]["attempt"] == found["attempt"]


@pytest.mark.parametrize("webhook", [True, False])
def test_twenty_charges_at_once(shop: Shop, webhook: bool):
    """Twenty tills and terminals, two workers, and the customers pay as soon as they can."""
    shop.viva.faults(webhook={"never": not webhook})
    cards = [
        shop.tills[number % len(shop.tills)].order().line(terminal)
        for number, terminal in enumerate(shop.terminals)
    ]
    shop.viva.settings(auto={"action": "tap", "delay_ms": 50})

    def pay(card: Card) -> None:
        card.send()
        card.until("approved", seconds=40)

    together(*[lambda card=card: pay(card) for card in cards])
    charges = shop.viva.charges()
    assert len(charges) == 20
    assert {charge["terminalId"] for charge in charges} == set(shop.terminals)


def test_one_answer_for_two_payments_at_once(shop: Shop):
    """Viva names one transaction for two sessions, and two workers read them at the same moment."""
    cards = [shop.till.charge(shop.first), shop.other_till.charge(shop.second)]
    for card in cards:
        shop.viva.act("tap", card.terminal, transactionId="5f1d2b3c-0000-4000-8000-00000000aaaa")
    until(lambda: len(shop.viva.charges()) == 2)
    with shop.rows_held(*cards):
        asking = [background(card.check) for card in cards]
        until(lambda: shop.waiting_for_rows() == 2)
    for call in asking:
        call.result()
    states = Counter(card.check()["state"] for card in cards)
    assert states == {"approved": 1, "unknown": 1}


def test_job_and_tills_ask_at_once(shop: Shop):
    """Each payment is settled once, whoever reads it first."""
    cards = [shop.till.charge(terminal) for terminal in shop.terminals[:6]]
    for card in cards:
        shop.viva.act("tap", card.terminal)
    together(shop.run_job, *[lambda card=card: card.until("approved") for card in cards])
    for card in cards:
        assert card.steps().count("read") == 1
