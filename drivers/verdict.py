"""Settle: compare what Viva tells with what was asked. Pure, idempotent, no I/O.

An approval needs everything to be right: session, terminal, currency, amount,
reference, type, transaction id. A *yes* that differs in anything is ``unknown``
with a reason, never approved and never refused: money may have moved. A *no* is
believed only when it speaks about our session.

Money given back and captures have no tip and no surcharge: exactly the amount that was
asked for, whatever those fields say. (A capture has no field for a tip at a terminal,
section 4.1; by API a tip is within the amount.)

Some protocols have no place for a currency, a type or a transaction id: what is in
``Asked.untold`` may be absent. When it is told all the same, it has to be right.

A refund, void or capture by transaction id has no session. Its answer is judged by
:func:`judge_reversed`; a lost answer is settled from the rows of the original's order code
by :func:`judge_children`. What Viva's book says about an operation of a terminal, when the
terminal cannot say it any more, is judged by :func:`judge_entries`.

Not seen from here, and the caller's duty: that Viva's transaction id is not
booked on another transaction already, and reading the list of the day before a
final *no* (:func:`final_no_needs_list`, :func:`judge_no`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from .events import before_card, event_words, issuer_words
from .types import Entry, Operation, Outcome, Reversed

__all__ = [
    "SUCCESS_TYPES",
    "Asked",
    "AskedReversal",
    "Reason",
    "Verdict",
    "event_words",
    "executed_as",
    "final_no_needs_list",
    "judge",
    "judge_children",
    "judge_entries",
    "judge_listed",
    "judge_no",
    "judge_reversed",
]

VerdictState = Literal["approved", "declined", "cancelled", "failed", "unknown"]

#: Why an answer cannot be believed; ``""`` when it can. ``answer``: it contradicts itself or
#: lacks what every approval has; ``transaction_id``: it names the original as the new one;
#: ``twice``: one session, two different payments; ``reversal``: paid, and given back since.
Reason = Literal[
    "",
    "session",
    "terminal",
    "reference",
    "currency",
    "amount",
    "type",
    "answer",
    "transaction_id",
    "twice",
    "reversal",
]

#: ``transactionTypeId`` of a success (section 5.3; refunds by installments, 18, are in the
#: transactions reference). How a preauth is released is UNVERIFIED (section 4.1).
_VOIDED = frozenset({7, 84})
_REFUNDED = frozenset({4, 18, 61})
_GIVEN_BACK = _VOIDED | _REFUNDED
SUCCESS_TYPES: dict[Operation, frozenset[int]] = {
    Operation.SALE: frozenset({5, 6, 60}),
    Operation.PREAUTH: frozenset({1}),
    Operation.CAPTURE: frozenset({0}),
    Operation.REFUND: _GIVEN_BACK,
    Operation.VOID: _GIVEN_BACK,
    Operation.RELEASE: _GIVEN_BACK,
}


#: Operations that give back or set free; and those whose amount nobody can add to.
_MONEY_BACK = frozenset({Operation.REFUND, Operation.VOID, Operation.RELEASE})
_EXACT = _MONEY_BACK | {Operation.CAPTURE}

#: Letters of a payment that succeeded (transactions reference, section 6.1). A capture may have
#: been given back, or disputed, since.
_FINISHED = frozenset({"F"})
_CAPTURED = frozenset({"F", "R", "X", "M", "MA", "MI", "ML", "MW", "MS"})
#: The same for operations of a terminal. A hold may have been captured or released since.
_ENDED: dict[Operation, frozenset[str]] = {
    Operation.SALE: _CAPTURED,
    Operation.PREAUTH: frozenset({"F", "C", "X"}),
    Operation.CAPTURE: _CAPTURED,
    Operation.REFUND: _FINISHED,
    Operation.VOID: _FINISHED,
    Operation.RELEASE: _FINISHED,
}

#: How much the clocks may differ, and a row be dated before the request that made it: the child of
#: an original, and a row that nothing but its id ties to us.
_EARLIER = timedelta(days=1)
_NAMED_EARLIER = timedelta(minutes=10)


@dataclass(frozen=True)
class Asked:
    """What was asked for. ``amount`` in minor units without the tip; the reference is unique.

    For what has an original: ``parent_transaction_id`` is Viva's id of that, ``partial`` tells
    that a part of its amount was asked for. ``untold``: what the protocol never tells, from
    ``Capabilities.untold``. ``transaction_id``: Viva's id of the new transaction as the device
    or the app named it, for :func:`judge_entries`; nobody has to believe it. ``booked``: our
    ledger has it as approved already, by the terminal's word; it may have been given back since.
    ``sent_at``: when it was asked for, with a time zone; an older row is not its result.
    """

    operation: Operation
    session_id: str
    terminal_id: str
    cash_register_id: str
    amount: int
    currency: str
    merchant_reference: str
    parent_transaction_id: str = ""
    partial: bool = False
    untold: frozenset[str] = frozenset()
    transaction_id: str = ""
    booked: bool = False
    sent_at: datetime | None = None


@dataclass(frozen=True)
class AskedReversal:
    """A refund, void, release or capture that was asked for by transaction id.

    :param amount: minor units
    :param merchant_reference: unique to the attempt
    :param sent_at: when, with a time zone
    :param known_ids: transaction ids that are in our ledger already
    """

    operation: Operation
    parent_transaction_id: str
    amount: int
    currency: str
    merchant_reference: str
    sent_at: datetime
    known_ids: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """What an answer means.

    ``approved_amount`` (minor units, with ``tip`` and ``surcharge``) is 0 unless approved.
    ``message_code`` is a key for words: ``approved``, ``approved_after_cancel``, ``differs``,
    or a code of :func:`event_words`. ``transaction_id`` names the row or the answer that
    decided when there is no session. ``offline``: the terminal approved it without network;
    whether the money comes is known when the terminal has told Viva.
    """

    state: VerdictState
    reason: Reason = ""
    message_code: str = ""
    approved_amount: int = 0
    tip: int = 0
    surcharge: int = 0
    transaction_id: str = ""
    offline: bool = False


def executed_as(transaction_type_id: int | None) -> Literal["void", "refund", ""]:
    """Tell how Viva gave money back; a refund of the whole amount may become a void (4.2)."""
    if transaction_type_id in _VOIDED:
        return "void"
    return "refund" if transaction_type_id in _REFUNDED else ""


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
    if not _fits(asked, "terminal", outcome.terminal_id, {asked.terminal_id}):
        return _differs("terminal")
    # Null is legal in 5.2, and the session id is ours alone; another reference is not.
    if outcome.merchant_reference not in (None, asked.merchant_reference):
        return _differs("reference")
    if not _fits(asked, "currency", outcome.currency, {asked.currency}):
        return _differs("currency")
    tip, surcharge = (0, 0) if asked.operation in _EXACT else (outcome.tip, outcome.surcharge)
    # An extra above the amount itself is not believed: a tip must not exceed it (section 3.1). Below
    # zero it would let a charge of a cent pass for the whole.
    if not all(extra is not None and 0 <= extra <= asked.amount for extra in (tip, surcharge)):
        return _differs("amount")
    assert tip is not None and surcharge is not None
    if outcome.amount is None or outcome.amount <= 0:
        return _differs("amount")
    if outcome.amount != asked.amount + tip + surcharge:
        return _differs("amount")
    if not _fits(asked, "type", outcome.transaction_type_id, SUCCESS_TYPES[asked.operation]):
        return _differs("type")
    if asked.operation is Operation.SALE and outcome.preauth is True:
        return _differs("type")
    offline = outcome.offline and asked.operation is Operation.SALE and not outcome.transaction_id
    # Without Viva's id something else has to tell this payment from the one before.
    known_by = outcome.rrn or outcome.stan if "transaction_id" in asked.untold else ""
    if not (outcome.transaction_id or offline or known_by):
        return _differs("answer")
    if outcome.event_id not in (None, 0) or outcome.abort_success:
        return _differs("answer")
    if _same(outcome.transaction_id, asked.parent_transaction_id):
        return _differs("transaction_id")
    return Verdict(
        state="approved",
        message_code="approved_after_cancel" if outcome.abort_requested else "approved",
        approved_amount=outcome.amount,
        tip=tip,
        surcharge=surcharge,
        offline=offline,
    )


def _fits(asked: Asked, name: str, told: str | int | None, right: Collection[str | int]) -> bool:
    """Tell whether a field is right, or absent where the protocol has no place for it."""
    return told in right or (told in ("", None) and name in asked.untold)


def _judge_no(asked: Asked, outcome: Outcome) -> Verdict:
    if outcome.terminal_id not in ("", asked.terminal_id):
        return _differs("terminal")
    if outcome.merchant_reference not in (None, asked.merchant_reference):
        return _differs("reference")
    money_back = asked.operation in _MONEY_BACK
    state, code = event_words(outcome.event_id, money_back=money_back, partial=asked.partial)
    if state == "declined" and not money_back:
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


def judge_reversed(asked: AskedReversal, answer: Reversed) -> Verdict:
    """Return what a success of :class:`transactions.TransactionsApi` means."""
    reason = _unfit(asked, answer.transaction_id, answer.amount, answer.currency, answer.type_id)
    # The answer to a reversal has no type (transactions reference, section 4).
    if reason and not (reason == "type" and answer.type_id is None):
        return _differs(reason, answer.transaction_id)
    return _approved(asked, answer.transaction_id)


def judge_children(asked: AskedReversal, entries: Iterable[Entry]) -> Verdict | None:
    """Return what the rows of the original's order code say about a lost answer.

    Ours is the child under our merchant reference. That Viva keeps that reference on a child
    is UNVERIFIED: so a child that may be ours (same amount, not in our ledger, not older than
    the request) and does not carry it is a doubt, for a person to settle. ``None``: nothing
    of ours, and nothing that might be.
    """
    ours: list[Entry] = []
    maybe: list[Entry] = []
    for entry in entries:
        if _same(entry.transaction_id, asked.parent_transaction_id):
            continue
        if entry.merchant_reference and entry.merchant_reference == asked.merchant_reference:
            ours.append(entry)
        elif _may_be(asked, entry):
            maybe.append(entry)
    if ours:
        return _judge_ours(asked, ours)
    return _differs("reference", maybe[0].transaction_id) if maybe else None


def _judge_ours(asked: AskedReversal, ours: list[Entry]) -> Verdict:
    finished = _CAPTURED if asked.operation is Operation.CAPTURE else _FINISHED
    moved = [entry for entry in ours if entry.status_id != "E"]
    if not moved:
        return Verdict(
            state="declined",
            message_code="declined_by_bank",
            transaction_id=ours[0].transaction_id,
        )
    if len(moved) > 1:
        return _differs("twice", moved[0].transaction_id)
    (entry,) = moved
    found = entry.transaction_id
    reason = _unfit(asked, found, entry.amount, entry.currency, entry.type_id)
    if reason:
        return _differs(reason, found)
    if not _same(entry.parent_id, asked.parent_transaction_id) or entry.status_id not in finished:
        return _differs("answer", found)
    return _approved(asked, found)


def judge_entries(asked: Asked, entries: Iterable[Entry]) -> Verdict | None:
    """Return what rows of Viva's book say about an operation of a terminal.

    Ours are the rows under our merchant reference, which is unique to the attempt. A row that
    only has the id that the device named is ours when it carries no reference and is not older
    than ``asked.sent_at``; else it is somebody else's payment, and a doubt.

    What was given back again, by the terminal or by somebody in Viva's portal, before we knew of
    it is a doubt too (``reversal``), unless ``asked.booked``.

    ``None``: nothing of ours that has ended. Absence never is a *no*. A *no* tells of attempts
    that failed: the customer may be trying again at this moment, so it counts only once the
    device is done or its time is over, and that is for the caller to know.
    """
    rows = list(entries)
    ours: list[Entry] = []
    named: list[Entry] = []
    for entry in rows:
        if entry.merchant_reference and entry.merchant_reference == asked.merchant_reference:
            ours.append(entry)
        elif _same(entry.transaction_id, asked.transaction_id):
            named.append(entry)
    may_be = [entry for entry in named if not entry.merchant_reference and not _older(asked, entry)]
    foreign = next((entry for entry in named if entry not in may_be), None)
    ours += may_be
    if not ours:
        return _differs("reference", foreign.transaction_id) if foreign else None
    moved = {
        entry.transaction_id.lower(): entry for entry in ours if entry.status_id not in ("E", "A")
    }
    if asked.operation not in _MONEY_BACK:
        # A reversal by the terminal itself may carry the reference of what it reverses.
        given_back = [name for name, entry in moved.items() if _reverses_one_of(moved, entry)]
        for name in given_back:
            del moved[name]
    if len(moved) > 1:
        return _differs("twice", next(iter(moved.values())).transaction_id)
    if moved:
        return _judge_entry(asked, next(iter(moved.values())), rows)
    missing = asked.transaction_id and not any(
        _same(entry.transaction_id, asked.transaction_id) for entry in ours
    )
    if missing or any(entry.status_id == "A" for entry in ours):
        return None
    return Verdict(
        state="declined", message_code="declined_by_bank", transaction_id=ours[0].transaction_id
    )


def _older(asked: Asked, entry: Entry) -> bool:
    if asked.sent_at is None or entry.created_at is None:
        return False
    return entry.created_at < asked.sent_at - _NAMED_EARLIER


def _reverses_one_of(moved: Mapping[str, Entry], entry: Entry) -> bool:
    parent = entry.parent_id.lower()
    return parent in moved and moved[parent] is not entry and entry.type_id in _GIVEN_BACK


def _judge_entry(asked: Asked, entry: Entry, rows: list[Entry]) -> Verdict:
    """Return what one row that is ours and moved something means."""
    found = entry.transaction_id
    if entry.terminal_id not in ("", asked.terminal_id):
        return _differs("terminal", found)
    if entry.currency != asked.currency:
        return _differs("currency", found)
    tip = 0 if asked.operation in _EXACT else entry.tip
    if entry.amount is None or entry.amount <= 0 or not 0 <= tip <= asked.amount:
        return _differs("amount", found)
    if entry.amount != asked.amount + tip:
        return _differs("amount", found)
    if entry.type_id not in SUCCESS_TYPES[asked.operation]:
        return _differs("type", found)
    if _same(found, asked.parent_transaction_id):
        return _differs("transaction_id", found)
    strange = (
        entry.parent_id
        and asked.parent_transaction_id
        and not _same(entry.parent_id, asked.parent_transaction_id)
    )
    if not found or strange or entry.status_id not in _ENDED[asked.operation]:
        return _differs("answer", found)
    given_back = entry.status_id in ("R", "X") or any(
        _same(row.parent_id, found) and row.type_id in _GIVEN_BACK and row.status_id != "E"
        for row in rows
    )
    if given_back and not asked.booked:
        return _differs("reversal", found)
    return Verdict(
        state="approved",
        message_code="approved",
        approved_amount=entry.amount,
        tip=tip,
        transaction_id=found,
    )


def _may_be(asked: AskedReversal, entry: Entry) -> bool:
    """Tell whether a row that does not carry our reference may be what became of our request."""
    other = (
        _GIVEN_BACK if asked.operation is Operation.CAPTURE else SUCCESS_TYPES[Operation.CAPTURE]
    )
    known = {transaction_id.lower() for transaction_id in asked.known_ids}
    return (
        _same(entry.parent_id, asked.parent_transaction_id)
        and entry.status_id != "E"
        and entry.amount in (None, asked.amount)
        and entry.type_id not in other
        and entry.transaction_id.lower() not in known
        and (entry.created_at is None or entry.created_at >= asked.sent_at - _EARLIER)
    )


def _unfit(
    asked: AskedReversal,
    transaction_id: str,
    amount: int | None,
    currency: str,
    type_id: int | None,
) -> Reason:
    """Return in what a new transaction differs from what was asked for."""
    if not transaction_id:
        return "answer"
    if _same(transaction_id, asked.parent_transaction_id):
        return "transaction_id"
    if currency != asked.currency:
        return "currency"
    if amount is None or amount <= 0 or amount != asked.amount:
        return "amount"
    return "" if type_id in SUCCESS_TYPES[asked.operation] else "type"


def _approved(asked: AskedReversal, transaction_id: str) -> Verdict:
    return Verdict(
        state="approved",
        message_code="approved",
        approved_amount=asked.amount,
        transaction_id=transaction_id,
    )


def _same(one: str, other: str) -> bool:
    """Tell whether two ids are the same one; Viva's uuids come in either case."""
    return bool(one) and one.lower() == other.lower()


_WEIGHT = {"unknown": 1, "approved": 2}


def _differs(reason: Reason, transaction_id: str = "") -> Verdict:
    return Verdict(
        state="unknown", reason=reason, message_code="differs", transaction_id=transaction_id
    )
