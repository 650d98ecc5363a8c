"""The line between Odoo and Viva, or between till and Odoo, breaks; Viva is busy or answers nonsense."""

import time

import pytest
from control import until
from shop import LEDGER, PRICE, Card, Shop, background, together

from lib.rpc import Lost

SALE = "/ecr/v1/transactions:sale"


def test_lost_answer_to_the_sale(shop: Shop):
    shop.viva.faults(drop_sale_response=1)
    card = shop.till.charge(shop.first)
    assert (card.status["state"], card.status["reason"]) == ("unknown", "no_answer")
    assert "Do not charge the card again" in card.status["message"]
    shop.viva.act("tap", shop.first)
    card.until("approved")
    assert len(shop.viva.sessions()) == 1
    card.order.finish()


def test_answer_that_takes_too_long(shop: Shop):
    """No worker waits longer than five seconds; the sale was taken all the same."""
    shop.viva.faults(slow_ms={SALE: 7000})
    card = shop.till.order().line(shop.first)
    began = time.monotonic()
    assert card.send()["state"] == "unknown"
    assert time.monotonic() - began < 6.5
    shop.viva.act("tap", shop.first)
    card.until("approved")


def test_request_lost_on_the_way(shop: Shop):
    """Nothing arrived, but only time tells: Viva does not know the session, and after 30 s never will."""
    shop.viva.faults(drop_sale_request=1)
    card = shop.till.charge(shop.first)
    assert card.status["state"] == "unknown"
    assert card.check()["state"] == "unknown"
    card.later(31)
    assert (card.check()["state"], card.status["reason"]) == ("failed", "never_arrived")
    again = card.order.charge(shop.first)
    shop.viva.act("tap", shop.first)
    again.until("approved")


def test_viva_cannot_be_reached(shop: Shop):
    """Its process is gone: surely nothing was sent, and the till may go on at once."""
    shop.viva.stop()
    try:
        card = shop.till.charge(shop.first)
    finally:
        shop.viva.start()
        shop.prepare_viva()
    assert (card.status["state"], card.status["reason"]) == ("failed", "unreachable")
    assert "another payment method" in card.status["message"]
    shop.forget_silence()
    again = card.order.charge(shop.first)
    shop.viva.act("tap", shop.first)
    again.until("approved")


def test_burst_of_503_is_repeated_with_the_same_session(shop: Shop):
    shop.viva.faults(sale_status=[503, 503])
    card = shop.till.charge(shop.first)
    assert card.status["state"] == "pending", card.status
    assert [request["status"] for request in shop.viva.requests(SALE)] == [503, 503, 200]
    assert [session["sessionId"] for session in shop.viva.sessions()] == [card.row()["session_id"]]
    shop.viva.act("tap", shop.first)
    card.until("approved")


def test_503_after_the_sale_was_taken(shop: Shop):
    """The repetition is answered 409: the first one had arrived."""
    shop.viva.faults(sale_status=[{"status": 503, "accepted": True}])
    card = shop.till.charge(shop.first)
    assert card.status["state"] == "pending", card.status
    assert [request["status"] for request in shop.viva.requests(SALE)] == [503, 409]
    shop.viva.act("tap", shop.first)
    card.until("approved")


def test_503_that_does_not_end(shop: Shop):
    shop.viva.faults(sale_status=[503] * 30)
    card = shop.till.charge(shop.first)
    assert card.status["state"] == "unknown"
    assert len(shop.viva.requests(SALE)) < 10
    shop.viva.heal()
    card.later(31)
    assert card.check()["state"] == "failed"


@pytest.mark.parametrize("status", [500, 502, 504])
def test_broken_answer_to_a_sale_that_was_taken(shop: Shop, status: int):
    shop.viva.faults(sale_status=[{"status": status, "accepted": True}])
    card = shop.till.charge(shop.first)
    assert card.status["state"] == "unknown"
    assert len(shop.viva.requests(SALE)) == 1
    shop.viva.act("tap", shop.first)
    card.until("approved")


def test_trouble_while_reading(shop: Shop):
    card = shop.till.charge(shop.first)
    shop.viva.faults(session_status=[503, 502, {"status": 200, "body": "<html>"}, 500, 429])
    for _number in range(5):
        assert card.check()["state"] == "pending"
    shop.viva.act("tap", shop.first)
    card.until("approved")


def test_session_that_is_not_known_at_once(shop: Shop):
    shop.viva.faults(session_404_first_s=2)
    card = shop.till.charge(shop.first)
    assert card.check()["state"] == "pending"
    shop.viva.act("tap", shop.first)
    card.until("approved")


def test_token_expires_in_mid_session(shop: Shop):
    """Several tills notice at once; the token is fetched once."""
    cards = [shop.till.charge(terminal) for terminal in shop.terminals[:4]]
    before = len(shop.viva.requests("/connect/token"))
    shop.viva.faults(expire_tokens=True)
    together(*[card.check for card in cards])
    for terminal in shop.terminals[:4]:
        shop.viva.act("tap", terminal)
    for card in cards:
        card.until("approved")
    assert len(shop.viva.requests("/connect/token")) == before + 1


def test_token_expired_when_four_tills_charge_at_once(shop: Shop):
    cards = [shop.till.order().line(terminal) for terminal in shop.terminals[:4]]
    before = len(shop.viva.requests("/connect/token"))
    shop.viva.faults(expire_tokens=True)
    together(*[card.send for card in cards])
    assert [card.status["state"] for card in cards] == ["pending"] * 4
    assert len(shop.viva.requests("/connect/token")) == before + 1


def test_login_service_is_down(shop: Shop):
    """Without a token nothing leaves: the sale has surely failed."""
    shop.viva.faults(expire_tokens=True, token_status=[500] * 20)
    shop.forget_token()
    card = shop.till.charge(shop.first)
    assert card.status["state"] == "failed", card.status
    assert shop.viva.requests(SALE) == []


class TestTillAway:
    """The till loses Odoo, not Odoo Viva."""

    def lose_answer(self, shop: Shop) -> Card:
        """Odoo has the request, and the till gives up waiting for the answer."""
        card = shop.till.order().line(shop.first)
        shop.viva.faults(slow_ms={SALE: 1500})
        impatient = shop.odoo.client("cashier")
        impatient.timeout = 0.5
        with pytest.raises(Lost):
            impatient.call(LEDGER, "pos_start", card.request())
        until(card.row)
        return card

    def test_ninety_seconds_during_which_the_customer_pays(self, shop: Shop):
        card = shop.till.charge(shop.first)
        shop.viva.act("tap", shop.first)
        card.later(90)
        (found,) = card.order.find()
        assert found["age_s"] >= 90
        card.until("approved")
        card.order.finish()

    def test_ninety_seconds_during_which_the_request_lapses(self, shop: Shop):
        card = shop.till.charge(shop.first)
        card.later(90)
        shop.viva.control("POST", "clock", {"advance_s": 90})
        assert (card.until("failed")["reason"], card.status["charged"]) == ("no_card", False)

    def test_the_answer_does_not_reach_the_till(self, shop: Shop):
        card = self.lose_answer(shop)
        shop.viva.act("tap", shop.first)
        assert card.until("approved")["state"] == "approved"
        card.order.finish()

    def test_the_same_press_is_sent_again(self, shop: Shop):
        card = self.lose_answer(shop)
        assert card.send()["state"] in ("sent", "pending")
        shop.viva.act("tap", shop.first)
        card.until("approved")
        assert card.send()["state"] == "approved"
        assert len(shop.viva.sessions()) == 1

    def test_the_tab_forgets_the_press_and_makes_a_new_one(self, shop: Shop):
        card = self.lose_answer(shop)
        again = card.order.line(shop.second)
        again.send()
        assert (again.status["state"], again.status["reason"]) == ("refused", "order_open")
        assert again.status["blocking"]["attempt"] == card.attempt
        shop.viva.act("tap", shop.first)
        card.until("approved")
        assert (again.send()["state"], again.status["reason"]) == ("refused", "already_paid")


@pytest.mark.parametrize(
    ("state", "action"),
    [
        ("pending", None),
        ("unknown", ("tap", {"amount": 1})),
        ("approved", ("tap", {})),
        ("declined", ("decline", {})),
        ("cancelled", ("cancel", {})),
        ("failed", ("walk_away", {})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_tab_is_reloaded(shop: Shop, state: str, action: tuple[str, dict[str, object]] | None):
    """In each state: the order is synced, the tab comes back, the line knows its payment."""
    card = shop.till.charge(shop.first)
    if action:
        shop.viva.act(action[0], shop.first, **action[1])
        card.until(state)
    card.order.sync()
    (found,) = card.order.find()
    assert (found["attempt"], found["state"]) == (card.attempt, state)
    assert (found["payment_uuid"], found["final"]) == (
        card.payment_uuid,
        state not in ("pending", "unknown"),
    )
    assert card.send()["state"] == state
    assert len(shop.viva.sessions()) == 1
    proofs = {"pending": "open", "unknown": "unknown", "approved": "proven"}
    assert card.order.payments[card.payment_uuid]["viva_state"] == proofs.get(state, "unproven")


def test_order_is_synced_while_the_card_is_awaited(shop: Shop):
    card = shop.till.charge(shop.first)
    waiting = background(lambda: card.until("approved"))
    card.order.sync()
    shop.viva.act("tap", shop.first)
    card.order.sync()
    waiting.result()
    card.order.finish()
    assert card.order.payments[card.payment_uuid]["viva_state"] == "proven"


def test_amount_that_no_float_holds(shop: Shop):
    """19.99, 0.29 × 100, 1.15 × 100: the cent arrives."""
    for amount in (PRICE, 2900, 115, 100_001, 458):
        card = shop.till.charge(shop.first, amount)
        shop.viva.act("tap", shop.first)
        assert card.until("approved")["approved_minor"] == amount
        card.order.finish()
    assert sorted(charge["amount"] for charge in shop.viva.charges()) == [
        115,
        458,
        PRICE,
        2900,
        100_001,
    ]


@pytest.mark.parametrize("how", ["400", "final"])
def test_amount_below_the_minimum(shop: Shop, how: str):
    shop.viva.settings(strict={"below_minimum": how})
    card = shop.till.charge(shop.first, 10)
    assert card.until("failed")["charged"] is False
    assert "Nothing was charged" in card.status["message"] or how == "final"
    until(lambda: not card.row()["holds_terminal"])
