"""Two tills give the same payment back: together never more than it was."""

import pytest
from control import until
from operations import PART
from shop import PRICE, Card, Shop, background, together

WAYS = [("terminal", "terminal"), ("api", "api"), ("terminal", "api"), ("api", "terminal")]
ways = pytest.mark.parametrize("ways", WAYS, ids=" and ".join)


def part(shop: Shop, sale: Card, number: int, via: str, amount: int = PART) -> Card:
    """A refund of a part on a refund order, till and terminal of its own."""
    till = shop.tills[number]
    who = shop.manager if via == "api" else shop.refunder
    return sale.order.refund(amount, till).give_back(shop.terminals[number], sale, via=via, who=who)


def only_one(shop: Shop, cards: list[Card]) -> None:
    """One of them is carried out, the other one refused, whatever is tried."""
    done = [card for card in cards if card.status["state"] != "refused"]
    assert len(done) == 1, [card.status["message"] for card in cards]
    done[0].until("approved")
    for card in cards:
        if card not in done:
            assert card.status["reason"] in ("parent_open", "nothing_left")
            assert card.send()["reason"] == "nothing_left"
    assert shop.viva.given_back() == [PART]


@ways
def test_two_parts(shop: Shop, ways: tuple[str, str]):
    sale = shop.cleared(shop.first)
    cards = [part(shop, sale, number, via) for number, via in enumerate(ways)]
    together(*[card.send for card in cards])
    only_one(shop, cards)


@pytest.mark.parametrize("moment", ["BEFORE UPDATE", "BEFORE INSERT", "COMMIT"])
@pytest.mark.parametrize("ways", WAYS[2:], ids=" and ".join)
def test_one_worker_pauses(shop: Shop, ways: tuple[str, str], moment: str):
    """In the middle of its database transaction: the other one does everything, or waits for it."""
    sale = shop.cleared(shop.first)
    slow, quick = cards = [part(shop, sale, number, via) for number, via in enumerate(ways)]
    with shop.pause(moment):
        pausing = background(slow.send)
        until(lambda: shop.waiting_for_rows() == 1)
        pressing = background(quick.send)
        if moment == "BEFORE UPDATE":
            # The slow one has its snapshot and has not touched the parent yet.
            pressing.result()
        else:
            until(lambda: shop.waiting_for_rows() == 2)
    pausing.result()
    pressing.result()
    only_one(shop, cards)


def test_many_parts_from_five_tills(shop: Shop):
    """Each wants a quarter, and tries again until it is told that there is nothing left."""
    sale = shop.cleared(shop.first)
    amount = PRICE // 4 + 1

    def press(number: int) -> None:
        via = "api" if number % 2 else "terminal"
        card = part(shop, sale, number, via, amount)
        while card.send()["state"] == "refused" and card.status["reason"] != "nothing_left":
            card = card.again()
        if card.status["state"] != "refused":
            card.until("approved", seconds=30)

    together(*[lambda number=number: press(number) for number in range(5)])
    assert shop.viva.given_back() == [amount] * 3


@pytest.mark.parametrize("via", ["terminal", "api"])
def test_two_tabs_void_one_line(shop: Shop, via: str):
    sale = shop.sold(shop.first)
    who = shop.manager if via == "api" else None
    cards = [sale.void(via=via, who=who), sale.void(via=via, who=who)]
    together(*[card.send for card in cards])
    done = [card for card in cards if card.status["state"] != "refused"]
    assert len(done) == 1
    done[0].until("approved")
    assert shop.viva.given_back() == [PRICE]


def test_void_and_validation_at_once(shop: Shop):
    """One tab takes the money back, another one finishes the order with it: nobody believes the payment any more."""
    sale = shop.sold(shop.first)
    shop.viva.settings(authorising_ms=600)
    void = sale.void()
    void.send()
    sale.order.sync("paid")
    void.until("approved")
    assert shop.viva.given_back() == [PRICE]
    assert shop.activities(void) == ["Voided, but the order is paid with it"]
    closing = shop.manager.call("pos.session", "close_session_from_ui", [shop.till.session_id])
    assert closing["successful"] is False
    sale.order.sync("paid")
    assert sale.order.payments[sale.payment_uuid]["viva_state"] == "reversed"


@pytest.mark.parametrize("ways", WAYS[2:], ids=" and ".join)
def test_capture_and_release_at_once(shop: Shop, ways: tuple[str, str]):
    hold = shop.pay(shop.till.hold(shop.first))
    shop.database.run("UPDATE viva_account SET release_by = %s", ways[1])
    capture = shop.till.order(PART).capture(shop.first, hold, via=ways[0])
    release = hold.release(via=ways[1], who=shop.manager)
    release.terminal = shop.second
    together(capture.send, release.send)
    states = {card.status["state"] != "refused" for card in (capture, release)}
    assert states == {True, False}
    done = release if capture.status["state"] == "refused" else capture
    done.until("approved")
    for card in (capture, release):
        if card is not done:
            assert card.send()["reason"] == "nothing_left"


def test_two_orders_capture_one_hold(shop: Shop):
    hold = shop.pay(shop.till.hold(shop.first))
    cards = [
        till.order(500).capture(terminal, hold)
        for till, terminal in ((shop.till, shop.first), (shop.other_till, shop.second))
    ]
    together(*[card.send for card in cards])
    done = [card for card in cards if card.status["state"] != "refused"]
    assert len(done) == 1
    done[0].until("approved")
    assert [row["amount"] for row in shop.viva.moved()] == [500]
