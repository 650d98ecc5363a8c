"""The plain way, as the measure for all others: nothing goes wrong."""

from shop import PRICE, Shop


def test_a_card_sale(shop: Shop):
    order = shop.till.order()
    card = order.charge(shop.first)
    assert card.status["state"] == "pending", card.status
    shop.viva.act("tap", shop.first)
    status = card.until("approved")
    assert status["approved_minor"] == PRICE
    order.finish()
    assert order.payments[card.payment_uuid]["viva_state"] == "proven"


def test_till_without_memory(shop: Shop):
    """The tab is closed while the customer pays; another device finds the money by the order."""
    order = shop.till.order()
    card = order.charge(shop.first)
    shop.viva.act("tap", shop.first)
    (found,) = order.find()
    assert found["attempt"] == card.attempt
    assert found["payment_uuid"] == card.payment_uuid
    card.until("approved")
    order.finish()
