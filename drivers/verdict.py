"""Settle: compare what Viva tells with what was asked. Pure, idempotent, no I/O.

An approval needs everything to be right: session, terminal, currency, amount,
reference, type, transaction id. A *yes* that differs in anything is ``unknown``
with a reason, never approved and never refused: money may have moved. A *no* is
believed only when it speaks about our session.

Not seen from here, and the caller's duty: that Viva's transaction id is not
booked on another transaction already, and reading the list of the day before a
final *no* (:func:`final_no_needs_list`, :func:`judge_no`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from .events import before_card, event_words, issuer_words
from .types import Operation, Outcome

__all__ = [
    "SUCCESS_TYPES",
    "Asked",
    "Reason",
    "Verdict",
    "event_words",
    "final_no_needs_list",
    "judge",
    "judge_listed",
    "judge_no",
]

VerdictState = Literal["approved", "declined", "cancelled", "failed", "unknown"]

#: Why an answer cannot be believed; ``""`` when it can. ``answer``: it contradicts itself or
#: lacks what every approval has; ``twice``: one session, two different payments.
Reason = Literal[
    "", "session", "terminal", "reference", "currency", "amount", "type", "answer", "twice"
]

#: ``transactionTypeId`` of a success (section 5.3; refunds by installments, 18, are in the
#: transactions reference). How a preauth is released is UNVERIFIED (section 4.1).
_GIVEN_BACK = frozenset({4, 7, 18, 61, 84})
SUCCESS_TYPES: dict[Operation, frozenset[int]] = {
    Operation.SALE: frozenset({5, 6, 60}),
    Operation.PREAUTH: frozenset({1}),
    Operation.CAPTURE: frozenset({0}),
    Operation.REFUND: _GIVEN_BACK,
    Operation.VOID: _GIVEN_BACK,
    Operation.RELEASE: _GIVEN_BACK,
}


@dataclass(frozen=True)
class Asked:
    """What was asked for. ``amount`` in minor units without the tip; the reference is unique."""

    operation: Operation
    session_id: str
    terminal_id: str
    cash_register_id: str
    amount: int
    currency: str
    merchant_reference: str


@dataclass(frozen=True)
class Verdict:
    """What an answer means.

    ``approved_amount`` (minor units, with ``tip`` and ``surcharge``) is 0 unless approved.
    ``message_code`` is a key for words: ``approved``, ``approved_after_cancel``, ``differs``,
    or a code of :func:`event_words`.
    """

    state: VerdictState
    reason: Reason = ""
    message_code: str = ""
    approved_amount: int = 0
    tip: int = 0
    surcharge: int = 0


def judge(asked: Asked, outcome: Outcome) -> Verdict:
    """Return what one final session means for what was asked."""
    if outcome.session_id != asked.session_id or not asked.session_id:
        return _differs("session")
    if outcome.success is True:
        return _judge_yes(asked, outcome)
    if outcome.success is False:
        return _judge_no(asked, outcome)
    return _differs("answer")


def _judge_yes(asked: Asked, outcome: Outcome) -> Verdict:
    if outcome.terminal_id != asked.terminal_id:
        return _differs("terminal")
    # Null is legal in 5.2, and the session id is ours alone; another reference is not.
    if outcome.merchant_reference not in (None, asked.merchant_reference):
        return _differs("reference")
    if outcome.currency != asked.currency:
        return _differs("currency")
    tip, surcharge = outcome.tip, outcome.surcharge
    # An extra above the amount itself is not believed: a tip must not exceed it (section 3.1).
    if tip is None or surcharge is None or max(tip, surcharge) > asked.amount:
        return _differs("amount")
    if outcome.amount is None or outcome.amount != asked.amount + tip + surcharge:
        return _differs("amount")
    if outcome.transaction_type_id not in SUCCESS_TYPES[asked.operation]:
        return _differs("type")
    if asked.operation is Operation.SALE and outcome.preauth is True:
        return _differs("type")
    if not outcome.transaction_id or outcome.event_id not in (None, 0) or outcome.abort_success:
        return _differs("answer")
    return Verdict(
        state="approved",
        message_code="approved_after_cancel" if outcome.abort_requested else "approved",
        approved_amount=outcome.amount,
        tip=tip,
        surcharge=surcharge,
    )


def _judge_no(asked: Asked, outcome: Outcome) -> Verdict:
    if outcome.terminal_id not in ("", asked.terminal_id):
        return _differs("terminal")
    if outcome.merchant_reference not in (None, asked.merchant_reference):
        return _differs("reference")
    state, code = event_words(outcome.event_id)
    if state == "declined":
        code = issuer_words(outcome.issuer_event_id) or code
    return Verdict(state=state, message_code=code)


def final_no_needs_list(outcome: Outcome) -> bool:
    """Tell whether the list of the day has to be read before this *no* is believed.

    Viva says "cancelled by the user" or "invalid card" for a request within which the
    customer tried again and paid (section 9.2 no. 1). So it is needed whenever a card may
    have been presented; not for requests that were refused before.
    """
    if outcome.success is True:
        return False
    touched = bool(outcome.transaction_id or outcome.card_last4 or outcome.authorisation_code)
    return touched or not before_card(outcome.event_id)


def judge_listed(asked: Asked, listed: Iterable[Outcome]) -> Verdict | None:
    """Return what a list of sessions says about what was asked; ``None``: nothing of ours.

    Ours is what carries our session id, and a success under our merchant reference, which
    is unique to the attempt. An approval outweighs a doubt, a doubt outweighs a *no*.
    """
    verdicts: list[Verdict] = []
    paid: set[str] = set()
    for outcome in listed:
        same_reference = bool(outcome.merchant_reference) and (
            outcome.merchant_reference == asked.merchant_reference
        )
        if outcome.session_id == asked.session_id or (same_reference and outcome.success is True):
            verdict = judge(asked, outcome)
            verdicts.append(verdict)
            if outcome.success is True:
                paid.add(outcome.transaction_id)
    if len(paid) > 1:
        return _differs("twice")
    verdicts.sort(key=lambda verdict: _WEIGHT.get(verdict.state, 0), reverse=True)
    return verdicts[0] if verdicts else None


def judge_no(asked: Asked, outcome: Outcome, listed: Iterable[Outcome]) -> Verdict:
    """Return the verdict on a *no* once the list of the day has been read."""
    first = judge(asked, outcome)
    found = judge_listed(asked, listed)
    if found is not None and _WEIGHT.get(found.state, 0) > _WEIGHT.get(first.state, 0):
        return found
    return first


_WEIGHT = {"unknown": 1, "approved": 2}


def _differs(reason: Reason) -> Verdict:
    return Verdict(state="unknown", reason=reason, message_code="differs")
