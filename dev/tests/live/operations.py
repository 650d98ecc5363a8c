"""Every operation, ready to be sent: on a terminal and by Viva's transactions API."""

from collections.abc import Callable
from dataclasses import dataclass

from shop import PRICE, Card, Shop, Till

PART = 1200


@dataclass(frozen=True)
class Kind:
    """An operation and the way to a press of its button."""

    name: str
    make: Callable[[Shop, str, str], Card]
    via: str = "terminal"
    with_card: bool = False  # a customer has to present one

    def ready(self, shop: Shop, number: int = 0) -> Card:
        """Everything that comes before, done on terminal and till ``number``; the operation is not sent yet."""
        return self.make(shop, shop.terminals[number], self.via)

    def path(self, card: Card) -> str:
        """Where its request to Viva goes."""
        if self.via == "api":
            assert card.parent
            return f"/api/transactions/{card.parent.viva_id()}"
        endings = {
            "preauth": "sale",
            "capture": "preauth-completion",
            "refund": "refund" if card.parent else "unreferenced-refund",
        }
        return f"/ecr/v1/transactions:{endings.get(card.operation, 'refund')}"

    def arrived(self, shop: Shop, card: Card) -> bool:
        """Whether Viva has it (whatever it answers)."""
        row = card.row()
        if self.via == "api":
            wanted = ("merchantReference", row.get("merchant_reference"))
            return any(entry[wanted[0]] == wanted[1] for entry in shop.viva.book())
        return any(one["sessionId"] == row.get("session_id") for one in shop.viva.sessions())

    def times(self, shop: Shop, card: Card) -> int:
        """How often Viva was asked for this operation on its parent or, without one, for its kind."""
        method = {"api": "POST" if card.operation == "capture" else "DELETE"}.get(self.via, "POST")
        return len([one for one in shop.viva.requests(self.path(card)) if one["method"] == method])

    def given_up(self, card: Card) -> None:
        """So long later that what Viva does not know has never arrived."""
        card.later(601 if self.via == "api" else 31)
        assert (card.check()["state"], card.status["reason"]) == ("failed", "never_arrived")

    def carry_out(self, shop: Shop, card: Card) -> None:
        """What the customer does; then wait for the end."""
        if self.with_card:
            shop.viva.act("tap", card.terminal)
        card.until("approved")


def _till(shop: Shop, terminal: str) -> Till:
    return (shop.till, shop.other_till)[shop.terminals.index(terminal) % 2]


def _void(shop: Shop, terminal: str, via: str) -> Card:
    sale = shop.sold(terminal, _till(shop, terminal))
    return sale.void(via=via, who=shop.manager if via == "api" else None)


def _refund(shop: Shop, terminal: str, via: str) -> Card:
    sale = shop.paid(terminal, _till(shop, terminal))
    who = shop.manager if via == "api" else shop.refunder
    return sale.order.refund().give_back(terminal, sale, via=via, who=who)


def _part(shop: Shop, terminal: str, via: str) -> Card:
    sale = shop.cleared(terminal, _till(shop, terminal))
    who = shop.manager if via == "api" else shop.refunder
    return sale.order.refund(PART).give_back(terminal, sale, via=via, who=who)


def _unreferenced(shop: Shop, terminal: str, via: str) -> Card:
    shop.viva.settings(unreferenced_refund=True)
    order = _till(shop, terminal).order()
    order.sync("paid", cash=PRICE)
    return order.refund().give_back(terminal, None, who=shop.trusted)


def _preauth(shop: Shop, terminal: str, via: str) -> Card:
    return _till(shop, terminal).hold(terminal)


def _capture(shop: Shop, terminal: str, via: str) -> Card:
    hold = shop.pay(_preauth(shop, terminal, via))
    return _till(shop, terminal).order(PART).capture(terminal, hold, via=via)


def _release(shop: Shop, terminal: str, via: str) -> Card:
    shop.database.run("UPDATE viva_account SET release_by = %s", via)
    return shop.pay(_preauth(shop, terminal, via)).release(via=via)


ON_TERMINAL = [
    Kind("void", _void),
    Kind("refund", _refund),
    Kind("part", _part),
    Kind("unreferenced", _unreferenced, with_card=True),
    Kind("preauth", _preauth, with_card=True),
    Kind("capture", _capture),
    Kind("release", _release),
]
BY_API = [
    Kind(f"{name} by API", make, via="api")
    for name, make in (
        ("void", _void),
        ("refund", _refund),
        ("part", _part),
        ("capture", _capture),
        ("release", _release),
    )
]
EVERY = [*ON_TERMINAL, *BY_API]
# Two at a time, for two workers; each of them once at least.
PAIRS = list(zip(ON_TERMINAL, [*BY_API, *BY_API[:2]], strict=True))
