"""Each protocol runs each operation that it claims (`drivers/capabilities.py`), and says no to every other one.

What is expected is not written here: it is read from the drivers' own data, as the screens and docs/terminals.md do.
"""

import urllib.error
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from lan import HTTP, HTTPS, Handheld, Lan
from lan import PAYDROID as BY_PAYDROID
from lan import PROLIN as BY_PROLIN
from shop import PRICE, Card, Shop, Till

from drivers.capabilities import APP, CAPABILITIES_OF, PAYDROID, PROLIN
from drivers.types import Capabilities, Operation

PART = 700
# What Viva's transactions API does instead, once it knows the payment.
BY_API = ("capture", "refund", "void", "release", "partial")


@dataclass(frozen=True)
class Way:
    """A terminal as a till uses it."""

    name: str
    protocol: str
    can: Capabilities
    terminal: str = ""  # of the cloud: the shop's first one

    def claims(self, what: str) -> bool:
        """Whether the driver's data say so; ``what`` as in `viva.terminal.viva_ways`."""
        flags = {
            "abort": self.can.abort,
            "installments": self.can.installments,
            "partial": self.can.partial_refund and Operation.REFUND in self.can.operations,
            "unreferenced": self.can.unreferenced_refund,
        }
        return flags[what] if what in flags else Operation(what) in self.can.operations

    def expected(self, what: str) -> str:
        """What has to come of it: done on the terminal, by Viva's API instead, or refused."""
        if self.claims(what):
            return "terminal"
        return "api" if what in BY_API else "refused"


WAYS = [
    Way("cloud", "cloud", CAPABILITIES_OF["cloud"]),
    Way("local https", "local", CAPABILITIES_OF["local"], HTTPS.viva_id),
    Way("local http", "local", CAPABILITIES_OF["local"], HTTP.viva_id),
    Way("tcp prolin", "tcp", PROLIN, BY_PROLIN.viva_id),
    Way("tcp paydroid", "tcp", PAYDROID, BY_PAYDROID.viva_id),
    Way("app", "app_to_app", APP),
]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)


def test_every_protocol_is_here():
    assert {way.protocol for way in WAYS} == set(CAPABILITIES_OF)


class Bench:
    """A till at one way, and what people do there. Rights of a cashier, plus the one that an operation needs."""

    def __init__(self, shop: Shop, lan: Lan, handheld: Handheld, way: Way) -> None:
        self.shop, self.lan, self.handheld, self.way = shop, lan, handheld, way
        self.till: Till = shop.till
        on_device = way.protocol == "app_to_app"
        self.terminal = handheld.viva_id if on_device else way.terminal or shop.first
        self.more = {"protocol": way.protocol} if on_device else {}

    def ready(self, card: Card) -> Card:
        card.more = {**card.more, **self.more}
        return card

    def sale(self) -> Card:
        return self.done("sale", self.ready(self.till.order().line(self.terminal)))

    def done(self, what: str, card: Card) -> Card:
        """Press, and do what belongs to it until it ends as it has to."""
        expected = self.way.expected(what)
        status = card.send()
        assert status["via"] == ("api" if expected == "api" else "terminal"), status
        if expected == "refused":
            found = (status["state"], status["reason"])
            assert found == ("refused", "ability"), status["message"]
            assert status["message"].endswith("."), "no reason is shown to the person"
            return card
        if expected == "api":
            assert status["protocol"] == ""
            assert status["state"] == "approved", status["message"]
            return card
        assert status["state"] in ("sent", "pending", "approved"), status["message"]
        assert status["protocol"] == self.way.protocol
        self.present(card)
        card.until("approved", seconds=60)
        return card

    def present(self, card: Card) -> None:
        if self.way.protocol == "app_to_app":
            told = self.handheld.open(card.status["app"]["uri"])
            assert self.handheld.back(told["callback"]) == 200
        elif card.operation in ("sale", "preauth") or not card.parent:
            try:
                self.shop.viva.act("tap", self.terminal)
            except urllib.error.HTTPError:
                pytest.fail(f"Not on the terminal: {card.check()}")

    def known_to_viva(self, card: Card) -> Card:
        """As far as a refund needs it: what the terminal never tells comes from Viva's list."""
        if not card.row()["viva_transaction_id"]:
            self.lan.confirmed(card)
        return card


@pytest.fixture
def bench(shop: Shop, lan: Lan, handheld: Handheld) -> Callable[[Way], Bench]:
    return lambda way: Bench(shop, lan, handheld, way)


@ways
def test_money_comes_in(shop: Shop, bench: Callable[[Way], Bench], way: Way):
    at = bench(way)
    card = at.sale()
    card.order.finish()
    (charge,) = shop.viva.charges()
    assert (charge["amount"], charge["terminalId"]) == (PRICE, at.terminal)
    assert {one["channel"] for one in shop.viva.sessions()} == {
        "app" if way.protocol == "app_to_app" else way.protocol
    }
    shop.offer_installments(in_parts := at.ready(at.till.order(30000).line(at.terminal)), 3)
    at.done("installments", in_parts)
    # Cancelling: what cannot be cancelled from here says so before somebody tries.
    waiting = at.ready(at.till.order().line(at.terminal))
    status = waiting.send()
    assert bool(status["cannot_cancel"]) is not way.claims("abort")
    if way.protocol == "app_to_app":
        at.handheld.open(status["app"]["uri"], "hold")
        told = at.handheld.open(status["app"]["abort"], "")
        waiting.abort()
        assert at.handheld.back(told["callback"]) == 200
    else:
        at.lan.shown(at.terminal)
        waiting.abort()
    if way.claims("abort"):
        expected = "cancelled" if way.name != "tcp paydroid" else "unknown"
        assert waiting.until(expected, seconds=60)["charged"] is not True
    else:
        assert waiting.status["cannot_cancel"]
        shop.viva.act("cancel", at.terminal)
        waiting.until("cancelled", seconds=60)


@ways
def test_money_on_hold(shop: Shop, bench: Callable[[Way], Bench], way: Way):
    at = bench(way)
    shop.database.run("UPDATE viva_account SET release_by = 'terminal'")
    hold = at.done("preauth", at.ready(at.till.hold(at.terminal)))
    if not way.claims("preauth"):
        return  # nothing there to capture or to release
    at.known_to_viva(hold)
    at.done("capture", at.ready(at.till.order(PART).capture(at.terminal, hold)))
    other = at.known_to_viva(at.done("preauth", at.ready(at.till.hold(at.terminal))))
    at.done("release", at.ready(other.release()))


@ways
def test_money_goes_back(shop: Shop, bench: Callable[[Way], Bench], way: Way):
    at = bench(way)
    sale = at.known_to_viva(at.sale())
    at.done("void", at.ready(sale.void(who=shop.refunder)))
    sale = at.known_to_viva(at.sale())
    sale.order.finish()
    refund = sale.order.refund().give_back(at.terminal, sale, who=shop.refunder)
    at.done("refund", at.ready(refund))
    assert shop.viva.given_back() == [PRICE, PRICE]
    sale = at.known_to_viva(at.sale())
    sale.order.finish()
    shop.night_after(sale)
    part = sale.order.refund(PART).give_back(at.terminal, sale, who=shop.refunder)
    at.done("partial", at.ready(part))
    shop.viva.settings(unreferenced_refund=True)
    order = at.till.order()
    order.sync("paid", cash=PRICE)
    card = order.refund().give_back(at.terminal, None, who=shop.trusted)
    at.done("unreferenced", at.ready(card))
