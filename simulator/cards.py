"""Invented cards, and the numbers that come with a card payment (cloud reference, 5.2 and 11.5)."""

import random
from dataclasses import dataclass, replace
from datetime import datetime

from .clock import athens


@dataclass(frozen=True)
class Card:
    """An invented card. ``number`` is masked with X, as in webhooks; the four last digits are real."""

    name: str
    label: str
    number: str
    bank_id: str
    aid: str
    type_id: int
    issuer: str
    unique_reference: str
    expires: str = "2029-11-30T00:00:00"
    bin_id: int = 41

    @property
    def last4(self) -> str:
        return self.number[-4:]

    def masked(self, character: str) -> str:
        return self.number.replace("X", character)


CARDS = {
    card.name: card
    for card in (
        Card(
            "visa",
            "Visa Debit",
            "414746XXXXXX0133",
            "NET_VISA",
            "A0000000031010",
            0,
            "PIRAEUS BANK",
            "9a1e" * 10,
        ),
        Card(
            "mastercard",
            "Debit Mastercard",
            "516732XXXXXX4421",
            "NET_MASTER",
            "A0000000041010",
            1,
            "ALPHA BANK",
            "4c02" * 10,
        ),
        Card(
            "maestro",
            "Maestro",
            "675911XXXXXX7788",
            "NET_MASTER",
            "A0000000043060",
            6,
            "EUROBANK",
            "77fe" * 10,
        ),
        Card(
            "amex",
            "American Express",
            "374245XXXXX1006",
            "NET_AMEX",
            "A000000025010801",
            3,
            "AMERICAN EXPRESS",
            "51bd" * 10,
        ),
        Card(
            "bancontact",
            "Bancontact",
            "670300XXXXXX0015",
            "NET_BNCT",
            "A0000000048002",
            5,
            "KBC",
            "0d9c" * 10,
        ),
    )
}


@dataclass(frozen=True)
class Numbers:
    """Identifiers of one attempt at the acquirer."""

    stan: int
    rrn: str
    authorization_id: str
    short_order_code: str
    order_code: str


class NumberSource:
    """Numbers after the patterns seen in real bodies; they never repeat within a process."""

    def __init__(self) -> None:
        self._stan = random.randrange(100_000, 800_000)
        self._order = random.randrange(0, 9_000)

    def next(self, moment: datetime, terminal_id: str) -> Numbers:
        self._stan = 100_000 if self._stan >= 999_999 else self._stan + 1
        self._order = (self._order + 1) % 10_000
        prefix = f"{moment.year % 10}{moment.timetuple().tm_yday:03d}"
        short = f"{prefix}{athens(moment).hour:02d}{self._order:04d}"
        return Numbers(
            stan=self._stan,
            rrn=f"{prefix}{moment.hour:02d}{self._stan:06d}",
            authorization_id=f"{random.randrange(100_000, 1_000_000)}",
            short_order_code=short,
            order_code=short + terminal_id[-6:].rjust(6, "0"),
        )

    def again(self, parent: Numbers, moment: datetime) -> Numbers:
        """Numbers of a refund or capture: its own, on the order code of the parent."""
        own = self.next(moment, parent.order_code)
        return replace(own, order_code=parent.order_code, short_order_code=parent.short_order_code)
