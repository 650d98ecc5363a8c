"""Money back and captures: what a session, an answer or a row of Viva's book means for what was asked."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_verdict import ASKED, CANCELLED, PAID

from drivers import (
    SUCCESS_TYPES,
    AskedReversal,
    Entry,
    Operation,
    Reversed,
    event_words,
    executed_as,
    judge,
    judge_children,
    judge_reversed,
    parse_session,
)

PARENT = "5b3e7a7b-1d0e-4a55-8c3f-52a6f3a1b0aa"
CHILD = "8d1c8f60-94a1-4a70-8a43-0d5b5d9e6f31"
BACK = (Operation.REFUND, Operation.VOID, Operation.RELEASE)
EXACT = (*BACK, Operation.CAPTURE)


def told(operation, *, partial=False, body=PAID, **changes):
    asked = replace(ASKED, operation=operation, parent_transaction_id=PARENT, partial=partial)
    type_id = {"transactionTypeId": min(SUCCESS_TYPES[operation])} if body is PAID else {}
    return judge(asked, parse_session({**body, **type_id, **changes}))


# -- sessions -----------------------------------------------------------------


@pytest.mark.parametrize("operation", EXACT)
def test_approved(operation):
    verdict = told(operation)
    assert (verdict.state, verdict.approved_amount) == ("approved", 1250)


@pytest.mark.parametrize("operation", EXACT)
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": 1450, "tipAmount": 200}, "amount"),
        ({"amount": 1275, "surchargeAmount": 25}, "amount"),
        ({"amount": 1249}, "amount"),
        ({"amount": -1250}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": 12.5}, "amount"),
        ({"transactionId": PARENT}, "transaction_id"),
        ({"transactionId": PARENT.upper()}, "transaction_id"),
        ({"transactionId": None}, "answer"),
        ({"currencyCode": "826"}, "currency"),
        ({"transactionTypeId": 5}, "type"),
        ({"transactionTypeId": 1}, "type"),
        ({"transactionTypeId": None}, "type"),
        ({"abortSuccess": True}, "answer"),
    ],
)
def test_a_yes_that_differs(operation, changes, reason):
    verdict = told(operation, **changes)
    assert (verdict.state, verdict.reason, verdict.approved_amount) == ("unknown", reason, 0)


@pytest.mark.parametrize("operation", EXACT)
@pytest.mark.parametrize("tip", [0, None, 200, -200, "nonsense"])
def test_a_tip_of_the_original_neither_loosens_nor_disturbs(operation, tip):
    verdict = told(operation, tipAmount=tip, surchargeAmount=tip)
    assert (verdict.state, verdict.approved_amount) == ("approved", 1250)
    assert (verdict.tip, verdict.surcharge) == (0, 0)


def test_an_amount_below_zero_is_not_believed_even_if_asked():
    asked = replace(ASKED, operation=Operation.REFUND, amount=-1250)
    outcome = replace(parse_session({**PAID, "transactionTypeId": 4}), amount=-1250)
    assert judge(asked, outcome).reason == "amount"


def test_how_it_was_executed():
    assert {type_id for type_id in range(100) if executed_as(type_id) == "void"} == {7, 84}
    assert {type_id for type_id in range(100) if executed_as(type_id) == "refund"} == {4, 18, 61}
    assert executed_as(None) == ""


@pytest.mark.parametrize(
    ("event_id", "code"),
    [
        (1008, "not_reversible"),
        (1009, "invalid_amount"),
        (1011, "parent_unknown"),
        (1012, "parent_unknown"),
        (1014, "refunds_disabled"),
        (1017, "capture_amount"),
        (1021, "not_reversible"),
        (1101, "parent_unknown"),
        (5002, "not_enabled"),
        (5004, "not_enabled"),
    ],
)
def test_words(event_id, code):
    assert event_words(event_id) == ("failed", code)
    assert event_words(event_id, money_back=True, partial=True) == ("failed", code)


@pytest.mark.parametrize("operation", EXACT)
@pytest.mark.parametrize("partial", [True, False])
def test_the_generic_error_of_a_part(operation, partial):
    verdict = told(operation, partial=partial, body=CANCELLED, eventId=1099)
    early = partial and operation is not Operation.CAPTURE
    code = "partial_too_early" if early else "terminal_error"
    assert (verdict.state, verdict.message_code) == ("failed", code)


def test_funds_are_the_merchants_when_money_goes_back():
    assert (
        told(Operation.CAPTURE, body=CANCELLED, eventId=1020).message_code == "insufficient_funds"
    )
    for operation in BACK:
        verdict = told(operation, body=CANCELLED, eventId=1020)
        assert (verdict.state, verdict.message_code) == ("failed", "merchant_funds")
        verdict = told(operation, body=CANCELLED, eventId=1006, transactionEventId=10051)
        assert (verdict.state, verdict.message_code) == ("declined", "declined_by_bank")


# -- answers and rows ---------------------------------------------------------

SENT = datetime(2026, 4, 14, 19, 16, tzinfo=timezone.utc)
ASKED_BACK = AskedReversal(Operation.REFUND, PARENT, 1250, "EUR", "VP/R/1", SENT)
ROW = Entry(
    CHILD,
    PARENT,
    1250,
    "EUR",
    "F",
    4,
    SENT + timedelta(seconds=1),
    merchant_reference="VP/R/1",
)
ORIGINAL = Entry(PARENT, "", 1250, "EUR", "R", 5, SENT - timedelta(hours=1))


def test_an_answer():
    verdict = judge_reversed(ASKED_BACK, Reversed(CHILD, 1250, "EUR"))
    assert (verdict.state, verdict.approved_amount) == ("approved", 1250)
    assert verdict.transaction_id == CHILD


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": None}, "amount"),
        ({"amount": 125000}, "amount"),
        ({"amount": -1250}, "amount"),
        ({"currency": "GBP"}, "currency"),
        ({"currency": ""}, "currency"),
        ({"transaction_id": ""}, "answer"),
        ({"transaction_id": PARENT.upper()}, "transaction_id"),
        ({"type_id": 5}, "type"),
        ({"type_id": 0}, "type"),
    ],
)
def test_an_answer_that_differs(changes, reason):
    verdict = judge_reversed(ASKED_BACK, replace(Reversed(CHILD, 1250, "EUR"), **changes))
    assert (verdict.state, verdict.reason, verdict.approved_amount) == ("unknown", reason, 0)


@pytest.mark.parametrize(
    ("operation", "type_id"),
    [(item, type_id) for item in EXACT for type_id in SUCCESS_TYPES[item]],
)
def test_ours_among_the_rows(operation, type_id):
    asked = replace(ASKED_BACK, operation=operation)
    row = replace(ROW, type_id=type_id, parent_id=PARENT.upper())
    for rows in permutations([ORIGINAL, row, replace(ROW, transaction_id="e", status_id="E")]):
        verdict = judge_children(asked, rows)
        assert (verdict.state, verdict.approved_amount) == ("approved", 1250)
        assert verdict.transaction_id == CHILD


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": 1249}, "amount"),
        ({"amount": None}, "amount"),
        ({"currency": "GBP"}, "currency"),
        ({"type_id": 5}, "type"),
        ({"type_id": None}, "type"),
        ({"type_id": 0}, "type"),
        ({"status_id": "A"}, "answer"),
        ({"status_id": ""}, "answer"),
        ({"status_id": "X"}, "answer"),
        ({"parent_id": ""}, "answer"),
        ({"parent_id": "another"}, "answer"),
        ({"transaction_id": ""}, "answer"),
    ],
)
def test_ours_that_differs(changes, reason):
    verdict = judge_children(ASKED_BACK, [ORIGINAL, replace(ROW, **changes)])
    assert (verdict.state, verdict.reason, verdict.approved_amount) == ("unknown", reason, 0)


def test_ours_that_the_bank_refused():
    verdict = judge_children(ASKED_BACK, [ORIGINAL, replace(ROW, status_id="E")])
    assert (verdict.state, verdict.message_code) == ("declined", "declined_by_bank")


def test_ours_twice():
    verdict = judge_children(ASKED_BACK, [ROW, replace(ROW, transaction_id="other")])
    assert (verdict.state, verdict.reason) == ("unknown", "twice")


@pytest.mark.parametrize("status", ["F", "R", "X", "M", "ML"])
def test_a_capture_that_was_given_back_since_is_a_capture(status):
    asked = replace(ASKED_BACK, operation=Operation.CAPTURE)
    assert judge_children(asked, [replace(ROW, type_id=0, status_id=status)]).state == "approved"


@pytest.mark.parametrize("reference", ["", "POS/0042/1"])
@pytest.mark.parametrize("created", [SENT - timedelta(hours=23), SENT + timedelta(1), None])
@pytest.mark.parametrize("amount", [1250, None])
def test_a_child_that_may_be_ours_is_a_doubt(reference, created, amount):
    row = replace(ROW, merchant_reference=reference, created_at=created, amount=amount)
    verdict = judge_children(ASKED_BACK, [ORIGINAL, row])
    assert (verdict.state, verdict.reason) == ("unknown", "reference")
    assert (verdict.approved_amount, verdict.transaction_id) == (0, CHILD)


@pytest.mark.parametrize(
    "changes",
    [
        {"parent_id": ""},
        {"parent_id": "another"},
        {"amount": 500},
        {"status_id": "E"},
        {"type_id": 0},
        {"created_at": SENT - timedelta(hours=25)},
    ],
)
def test_a_child_that_cannot_be_ours(changes):
    row = replace(ROW, merchant_reference="", **changes)
    assert judge_children(ASKED_BACK, [ORIGINAL, row]) is None


def test_a_child_that_is_in_the_ledger_is_not_ours():
    row = replace(ROW, merchant_reference="")
    asked = replace(ASKED_BACK, known_ids=frozenset({CHILD.upper()}))
    assert judge_children(asked, [ORIGINAL, row]) is None
    assert judge_children(asked, []) is None


def test_a_reversal_is_no_capture():
    asked = replace(ASKED_BACK, operation=Operation.CAPTURE)
    assert judge_children(asked, [replace(ROW, merchant_reference="")]) is None
    doubt = judge_children(asked, [replace(ROW, merchant_reference="", type_id=0)])
    assert doubt.reason == "reference"


ROWS = st.builds(
    Entry,
    transaction_id=st.sampled_from([CHILD, PARENT, "", "third"]),
    parent_id=st.sampled_from([PARENT, "", "another"]),
    amount=st.sampled_from([1250, 500, None]),
    currency=st.sampled_from(["EUR", "GBP", ""]),
    status_id=st.sampled_from(["F", "E", "A", "X", ""]),
    type_id=st.sampled_from([0, 4, 5, 7, None]),
    created_at=st.sampled_from([SENT, SENT - timedelta(2), None]),
    merchant_reference=st.sampled_from(["VP/R/1", "VP/R/2", ""]),
)


@given(st.lists(ROWS, max_size=5), st.sampled_from(EXACT))
def test_only_one_right_row_of_ours_is_an_approval(rows, operation):
    asked = replace(ASKED_BACK, operation=operation)
    verdict = judge_children(asked, rows)
    if verdict is None or verdict.state != "approved":
        return
    (row,) = (
        row
        for row in rows
        if row.merchant_reference == "VP/R/1"
        and row.status_id != "E"
        and row.transaction_id != PARENT
    )
    assert (row.parent_id, row.amount, row.currency) == (PARENT, 1250, "EUR")
    assert row.type_id in SUCCESS_TYPES[operation] and row.transaction_id == verdict.transaction_id
