"""Terminals in the shop's network, and nothing goes wrong: the measure for the faults."""

import pytest
from control import until
from lan import DEVICES, HTTPS, Device, Lan
from shop import PRICE, Shop

devices = pytest.mark.parametrize(
    "device", DEVICES, ids=lambda device: device.platform or device.scheme
)


@devices
def test_a_sale(shop: Shop, lan: Lan, device: Device):
    """It counts for the till at once, as the gateway's word; then Viva's list confirms it."""
    shop.viva.faults(webhook={"never": True})
    order = shop.till.order()
    card = order.charge(device.viva_id)
    assert card.status["state"] in ("sent", "pending"), card.status
    shop.viva.act("tap", device.viva_id)
    status = card.until("approved")
    assert (status["approved_minor"], status["protocol"]) == (PRICE, device.protocol)
    assert status["word"] == "gateway"
    order.finish()
    lan.confirmed(card)
    assert [one["channel"] for one in shop.viva.sessions()] == [device.protocol]


def test_approved_without_network(shop: Shop, lan: Lan):
    """The terminal has approved it alone: it counts, is marked, and Viva's list confirms it when it has been forwarded."""
    lan.set(HTTPS, offline=True)
    card = lan.charge(HTTPS)
    shop.viva.act("tap", HTTPS.viva_id)
    status = card.until("approved", seconds=20)
    assert (status["offline"], status["word"]) == (True, "gateway")
    assert shop.viva.charges() == []
    card.order.finish()
    card.later(200)
    shop.run_job()
    assert card.check()["word"] == "gateway", "what is not in Viva's book is not confirmed"
    lan.set(HTTPS, offline=False, sync_offline=True)
    lan.confirmed(card)
    assert card.viva_id() == shop.viva.charges()[0]["transactionId"]


def test_search(shop: Shop, lan: Lan):
    """An administrator has the gateway look for terminals; what it finds is offered, with its certificate."""
    action = shop.admin.call("viva.gateway", "action_find_terminals", [lan.id])
    wizard = [action["res_id"]]
    shown = ["progress", "line_ids"]

    def is_over() -> bool:
        shop.admin.call("viva.gateway.find", "action_refresh", wizard)
        (found,) = shop.admin.call("viva.gateway.find", "read", wizard, shown)
        return found["progress"].startswith("The search is over")

    until(is_over, 20, "for the end of the search")
