"""Faults that a test can order through ``POST /control/faults`` (cloud reference, 11.4).

Counters go down as they are used; lists are used up from the front.

==============================  ==========================================================================================
``drop_sale_response``          number of operations that are accepted and then answered by closing the connection
``drop_sale_request``           number of operations whose connection is closed before anything is accepted
``sale_status``                 list; an entry is a status (nothing accepted) or ``{"status": 502, "accepted": true}``
``drop_reverse_response``       the same as the first for reversals and captures by ``/api/transactions/{id}``
``drop_reverse_request``        the same as the second for these
``reverse_status``              list for these; an entry is a status (nothing done) or ``{"status": 502}`` with any of
                                ``accepted`` (it was done), ``text`` and ``event_id`` (told in Viva's envelope), ``body``
``transactions_status``         the same for ``GET /api/transactions…``
``transactions_lag_s``          seconds before a row shows in ``GET /api/transactions…``
``merchant_trns_null_in_list``  true: rows come without ``MerchantTrns``
``session_status``              list of statuses for ``GET sessions/{id}``; an entry may be ``{"status": 200, "body": …}``
``list_status``                 the same for ``GET sessions?date=``
``token_status``                the same for ``/connect/token``
``devices_status``              the same for ``devices:search``
``abort_refused_status``        status answered to every abort
``silent``                      true: connections are accepted and never answered
``slow_ms``                     ``{path prefix: milliseconds}``, waited after the work is done
``session_404_first_s``         seconds after the request during which its session is answered 404
``list_lags``                   true: the list of sessions shows nothing new; a number: it lags by so many seconds
``expire_tokens``               true: every token handed out so far is refused from now on
``webhook``                     see :class:`WebhookFaults`
==============================  ==========================================================================================
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

_WITHOUT_FIELD = {"expire_tokens"}


@dataclass
class WebhookFaults:
    before_answer: bool = (
        False  # the card is approved and 1796 delivered before the sale is answered
    )
    duplicate: int = 0  # so many further copies; same MessageId, RetryCount 0 and then 1, 2, …
    never: bool = False
    delay_ms: int = 0
    failed_then_created: bool = False  # 1798 and then 1796 for one approved sale
    auto_reversal: bool = False  # 1796 and then, unasked for, 1797
    auto_reversal_ms: int = 300
    vanish: bool = (
        False  # a sale reversed by Viva itself is no longer found by the transaction APIs
    )
    null_reference: bool = False
    reorder: bool = False  # the events of one outcome in reverse order
    terminal_as_text: bool = False  # TerminalId as a string where it is a number
    foreign_terminal: bool = False  # TerminalId of somebody else


@dataclass
class Faults:
    drop_sale_response: int = 0
    drop_sale_request: int = 0
    sale_status: list[Any] = field(default_factory=list)
    session_status: list[Any] = field(default_factory=list)
    list_status: list[Any] = field(default_factory=list)
    token_status: list[Any] = field(default_factory=list)
    devices_status: list[Any] = field(default_factory=list)
    drop_reverse_response: int = 0
    drop_reverse_request: int = 0
    reverse_status: list[Any] = field(default_factory=list)
    transactions_status: list[Any] = field(default_factory=list)
    transactions_lag_s: float = 0
    merchant_trns_null_in_list: bool = False
    abort_refused_status: int | None = None
    silent: bool = False
    slow_ms: dict[str, int] = field(default_factory=dict)
    session_404_first_s: float = 0
    list_lags: bool | float = False
    webhook: WebhookFaults = field(default_factory=WebhookFaults)

    def update(self, values: Mapping[str, Any]) -> None:
        """Merge ``values``; :raises ValueError: for a name that does not exist."""
        known = {item.name for item in fields(self)}
        for name, value in values.items():
            if name in _WITHOUT_FIELD:
                continue
            if name not in known:
                raise ValueError(f"There is no fault {name!r}.")
            if name == "webhook":
                self._update_webhook(value)
            elif isinstance(getattr(self, name), dict):
                getattr(self, name).update(value)
            elif isinstance(getattr(self, name), list):
                setattr(self, name, list(value) if isinstance(value, list) else [value])
            else:
                setattr(self, name, value)

    def _update_webhook(self, values: Mapping[str, Any]) -> None:
        known = {item.name for item in fields(WebhookFaults)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"There is no webhook fault {name!r}.")
            setattr(self.webhook, name, value)

    def count_down(self, name: str) -> bool:
        """Use one of a counter; False when there is none left."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0

    def take(self, name: str) -> dict[str, Any] | None:
        """Use the next entry of a list of statuses, as ``{"status": int, …}``."""
        entries: list[Any] = getattr(self, name)
        if not entries:
            return None
        entry = entries.pop(0)
        return entry if isinstance(entry, dict) else {"status": int(entry)}

    def slow_seconds(self, path: str) -> float:
        """How long the answer to ``path`` is held back; the longest matching prefix counts."""
        prefixes = [prefix for prefix in self.slow_ms if path.startswith(prefix)]
        return self.slow_ms[max(prefixes, key=len)] / 1000 if prefixes else 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
