"""Webhooks are hints: whether they come, how often and in which order changes nothing about money."""

import pytest
from control import until
from shop import Card, Shop

MERCHANT, OTHER_MERCHANT = (
    "11111111-2222-3333-4444-555555555555",
    "22222222-2222-3333-4444-555555555555",
)


def events(shop: Shop, card: Card) -> list[int]:
    found = shop.database.run(
        "SELECT event_type_id FROM viva_event WHERE transaction_id = %s ORDER BY id",
        card.row()["id"],
    )
    return [row["event_type_id"] for row in found]


def arrived(shop: Shop, event_type: int, times: int = 1) -> None:
    """Wait until so many webhooks of that kind were answered, all of them with 200."""
    until(lambda: len(shop.viva.deliveries(event_type)) >= times, what=f"for event {event_type}")
    assert {one["status"] for one in shop.viva.deliveries(event_type)} == {200}


def test_never(shop: Shop):
    shop.viva.faults(webhook={"never": True})
    card = shop.till.charge(shop.first)
    shop.viva.act("tap", shop.first)
    card.until("approved")
    assert events(shop, card) == []


def test_the_usual_ones(shop: Shop):
    """Stored without personal data and without the secret address; answered within milliseconds."""
    card = shop.till.charge(shop.first)
    shop.viva.act("tap", shop.first)
    card.until("approved")
    arrived(shop, 1796)
    arrived(shop, 1802)
    assert events(shop, card) == [1796, 1802]
    found = shop.database.run(
        "SELECT payload::text AS text FROM viva_event WHERE transaction_id = %s", card.row()["id"]
    )
    for row in found:
        for secret in ("maria", "6900000000", "Maria", *shop.facts["paths"]):
            assert secret not in row["text"]


def test_twice_and_repeated_later(shop: Shop):
    shop.viva.faults(webhook={"duplicate": 2})
    card = shop.till.charge(shop.first)
    shop.viva.act("tap", shop.first)
    card.until("approved")
    arrived(shop, 1796, 3)
    arrived(shop, 1802, 3)
    assert sorted(events(shop, card)) == [1796, 1802]
    assert card.steps().count("read") == 1


def test_before_the_answer_to_the_sale(shop: Shop):
    shop.viva.faults(webhook={"before_answer": True})
    card = shop.till.charge(shop.first)
    assert events(shop, card)[0] == 1796
    assert card.status["state"] in ("pending", "approved")
    card.until("approved")
    card.order.finish()


def test_without_reference(shop: Shop):
    shop.viva.faults(webhook={"null_reference": True})
    card = shop.till.charge(shop.first)
    shop.viva.act("tap", shop.first)
    card.until("approved")
    arrived(shop, 1802)


def test_for_another_company(shop: Shop):
    """Our reference in a message to somebody else proves nothing and changes nothing."""
    card = shop.till.charge(shop.first)
    data = {"MerchantTrns": card.row()["merchant_reference"], "Amount": 19.99, "StatusId": "F"}
    for url, merchant in (
        (shop.webhook_urls[0], OTHER_MERCHANT),
        (shop.webhook_urls[1], OTHER_MERCHANT),
        (shop.webhook_urls[1], MERCHANT),
    ):
        message = {"url": url, "merchantId": merchant, "eventTypeId": 1796, "data": data}
        assert shop.viva.control("POST", "deliver", message)["status"] == 200
    assert events(shop, card) == []
    foreign = shop.database.run("SELECT payload FROM viva_event ORDER BY id DESC LIMIT 3")
    assert [row["payload"] for row in foreign] == [None] * 3
    assert card.check()["state"] == "pending"


def test_forged_success_approves_nothing(shop: Shop):
    card = shop.till.charge(shop.first)
    row = card.row()
    data = {
        "MerchantTrns": row["merchant_reference"],
        "SessionId": row["session_id"],
        "Success": True,
    }
    for event_type in (1796, 1802):
        message = {"url": shop.webhook_urls[0], "eventTypeId": event_type, "data": data}
        assert shop.viva.control("POST", "deliver", message)["status"] == 200
    shop.run_job()
    assert card.check()["state"] == "pending"


def test_failed_then_created(shop: Shop):
    """1798 and then 1796 of one sale: the first card was declined, the second paid."""
    shop.viva.faults(webhook={"failed_then_created": True})
    card = shop.till.charge(shop.first)
    shop.viva.act("tap", shop.first)
    arrived(shop, 1796)
    card.until("approved")
    assert events(shop, card)[:2] == [1798, 1796]


def test_declined_card_then_another_card_in_the_same_request(shop: Shop):
    """1798 alone is no end: the terminal still asks for a card."""
    card = shop.till.charge(shop.first)
    shop.viva.act("decline", shop.first, try_again=True)
    arrived(shop, 1798)
    assert card.check()["state"] == "pending"
    shop.viva.act("tap", shop.first)
    card.until("approved")


@pytest.mark.parametrize("asked", [True, False], ids=["till asks", "nobody asks"])
def test_created_then_reversed_by_viva(shop: Shop, asked: bool):
    """1796 and then 1797 without our doing: a manager is told, and it counts when Viva's list says the same."""
    shop.viva.faults(webhook={"auto_reversal": True, "auto_reversal_ms": 100 if not asked else 400})
    card = shop.till.charge(shop.first)
    shop.viva.act("tap", shop.first)
    if asked:
        card.until("approved")
        card.order.finish()
    arrived(shop, 1797)
    if not asked:
        shop.run_job()
    until(lambda: shop.activities(card) == ["Viva reports that this payment was reversed"])
    assert card.row()["state"] == "approved"
    shop.run_job()
    assert card.check()["charged"] is False
    assert "gave this payment back" in card.check()["message"]
    if asked:
        card.order.sync("paid")
        assert card.order.payments[card.payment_uuid]["viva_state"] == "reversed"


def test_reported_reversal_that_the_list_does_not_know(shop: Shop):
    """A message alone decides nothing: the payment stands, and the till says what is reported."""
    shop.viva.faults(webhook={"auto_reversal": True, "auto_reversal_ms": 0})
    card = shop.till.charge(shop.first)
    shop.viva.faults(transactions_status=[503] * 20)
    shop.viva.act("tap", shop.first)
    card.until("approved")
    arrived(shop, 1797)
    until(lambda: shop.activities(card))
    shop.run_job()
    assert card.check()["charged"] is True
    assert "gave this payment back" in card.check()["message"]


def test_reversal_before_the_sale(shop: Shop):
    shop.viva.faults(webhook={"auto_reversal": True, "auto_reversal_ms": 0, "reorder": True})
    card = shop.till.charge(shop.first)
    shop.viva.act("tap", shop.first)
    arrived(shop, 1797)
    card.until("approved")
    shop.run_job()
    shop.run_job()
    assert card.check()["charged"] is False
    assert "gave this payment back" in card.check()["message"]


class TestRetryPaid:
    """Viva says "cancelled by the user", and the customer has tried again and paid."""

    def test_paid_before_anybody_asked(self, shop: Shop):
        shop.viva.faults(webhook={"never": True})
        card = shop.till.charge(shop.first)
        shop.viva.act("retry_paid", shop.first, delay_ms=1)
        until(shop.viva.charges)
        assert card.until("approved", "cancelled")["state"] == "approved"

    def test_with_webhook(self, shop: Shop):
        """The event of the payment contradicts the no: nobody has to press anything."""
        card = shop.till.charge(shop.first)
        shop.viva.act("retry_paid", shop.first, delay_ms=1500)
        card.until("cancelled")
        until(lambda: card.row()["state"] == "approved", 15)
        assert "Charged after all" in shop.activities(card)
        assert card.check()["charged"] is True

    def test_without_webhook(self, shop: Shop):
        shop.viva.faults(webhook={"never": True})
        card = shop.till.charge(shop.first)
        shop.viva.act("retry_paid", shop.first, delay_ms=800)
        card.until("cancelled")
        until(shop.viva.charges)
        card.later(91)
        shop.run_job()
        assert card.row()["state"] == "approved"
        assert shop.activities(card) == ["Charged after all"]

    def test_after_the_order_was_paid_again(self, shop: Shop):
        """Both cards were charged: a person is told, and the session is not closed over it."""
        shop.viva.faults(webhook={"never": True})
        card = shop.till.charge(shop.first)
        shop.viva.act("retry_paid", shop.first, delay_ms=1000)
        card.until("cancelled")
        order = card.order
        order.delete_line(card)
        again = order.charge(shop.second)
        shop.viva.act("tap", shop.second)
        again.until("approved")
        order.finish()
        until(lambda: len(shop.viva.charges()) == 2)
        card.later(91)
        shop.run_job()
        assert card.row()["state"] == "approved"
        assert shop.activities(card) == ["Charged after all"]
        closing = shop.manager.call("pos.session", "close_session_from_ui", [shop.till.session_id])
        assert closing["successful"] is False
        assert card.row()["name"] in closing["message"]

    def test_list_lags_and_the_webhook_does_not(self, shop: Shop):
        """The event says paid, the list says nothing yet: not a no, but unknown, until the list knows."""
        shop.viva.faults(list_lags=True)
        card = shop.till.charge(shop.first)
        shop.viva.act("retry_paid", shop.first, delay_ms=1)
        until(lambda: shop.viva.deliveries(1796))
        assert card.check()["state"] == "unknown"
        assert card.order.charge(shop.second).status["reason"] == "order_open"
        shop.viva.heal()
        card.later(20)
        shop.run_job()
        assert card.row()["state"] == "approved"
