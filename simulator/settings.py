"""What a test may set through ``POST /control/settings``; everything has a default close to the real service.

Times ending in ``_ms`` are milliseconds, in ``_s`` seconds. The group ``strict`` holds the switches for behaviour that
no public source settles (cloud reference, 11.1 and 13).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

# Demo amounts (minor units) that force a decline, and the issuer's reason (cloud reference, 6.3).
DECLINE_AMOUNTS = {
    9905: 10005,
    9906: 10006,
    9907: 10007,
    9914: 10014,
    9920: 10020,
    9951: 10051,
    9954: 10054,
    9957: 10057,
    9961: 10061,
}
# Currencies that Viva lists (cloud reference, 3.1), numeric code to letters.
CURRENCIES = {
    "978": "EUR",
    "826": "GBP",
    "946": "RON",
    "985": "PLN",
    "203": "CZK",
    "348": "HUF",
    "752": "SEK",
    "208": "DKK",
    "975": "BGN",
    "578": "NOK",
}


@dataclass
class Strict:
    """Switches for what is not verified."""

    missing_field: int = 422  # 422: list form of `detail`; 400: a string
    unknown_terminal: str = "404"  # "404", or "pending": 200 and then 202 for ever
    unknown_transaction: int = 404  # 404, or 200: an empty list of transactions
    negative_refunds: bool = False  # rows of refunds in the list have a negative amount
    refund_elsewhere: bool = True  # a refund may run on another terminal than the sale
    below_minimum: str = "400"  # "400", or "final": 200 and then a failed session
    abort_final: int = 404  # answer to the abort of a finished session
    tip_on_top: bool = (
        True  # the session's amount is amount + tip; False: the tip is within the amount
    )
    late_delivery: bool = False  # a terminal that comes back shows a request it missed
    retry_listed: bool = True  # a sale paid after "cancelled" appears in the sessions of the day
    single_as_object: bool = False  # a list of one session comes as an object
    partial_before_clearing: bool = False  # partial refund on the day of the sale
    preauth_void: bool = True  # a pre-authorisation is released by a full refund
    reversal_in_minor: bool = False  # webhook 1797 gives the amount in minor units
    pan_mask: str = "*"  # mask character in sessions


@dataclass
class Settings:
    latency_ms: int = 0
    card_timeout_s: float = 62
    authorising_ms: int = 900
    pin_ms: int = 1200
    iris_ms: int = 2500
    abort_ms: int = 1500
    auto: dict[str, Any] | None = (
        None  # {"action": "tap", "delay_ms": 50, ...options of the action}
    )
    token_ttl_s: float = 3600
    min_amount: int = 30
    currency: str | None = "978"  # the merchants' currency; None: any that Viva lists
    webhook_retry_s: float = 3600
    webhook_attempts: int = 24
    webhook_timeout_s: float = 5
    clearing_h: float = 24
    preauth: bool = True
    preauth_valid_h: float = 30 * 24
    refunds: bool = True
    refund_needs_card: bool = False  # "Force card presentment for refunds"
    voids: bool = True
    unreferenced_refund: bool = False
    fast_refund: bool = False
    rebate: bool = False
    captures: bool = True  # "Allow recurring payments and pre-auth captures via API"
    available: int | None = (
        None  # wallet balance for refunds of cleared sales, minor units; None: enough
    )
    decline_amounts: dict[int, int] = field(default_factory=lambda: dict(DECLINE_AMOUNTS))
    strict: Strict = field(default_factory=Strict)

    def update(self, values: Mapping[str, Any]) -> None:
        """Merge ``values``; :raises ValueError: for a name that does not exist."""
        known = {item.name for item in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"There is no setting {name!r}.")
            if name == "strict":
                self._update_strict(value)
            elif name == "decline_amounts":
                self.decline_amounts = {
                    int(amount): int(reason) for amount, reason in value.items()
                }
            else:
                setattr(self, name, value)

    def _update_strict(self, values: Mapping[str, Any]) -> None:
        known = {item.name for item in fields(Strict)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"There is no switch {name!r} in 'strict'.")
            setattr(self.strict, name, value)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
