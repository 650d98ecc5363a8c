"""What an answer means. A misreading here is money lost, so nothing odd may pass as approved."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers import (
    CAPABILITIES_OF,
    SUCCESS_TYPES,
    Asked,
    Capabilities,
    Entry,
    Operation,
    Outcome,
    event_words,
    final_no_needs_list,
    judge,
    judge_entries,
    judge_listed,
    judge_no,
    parse_session,
    tcp,
)

ASKED = Asked(
    operation=Operation.SALE,
    session_id="0b0f8a4e-6c0c-4f0e-9d42-3b1b8f4f0c11",
    terminal_id="16000010",
    cash_register_id="till-2",
    amount=1250,
    currency="EUR",
    merchant_reference="POS/0042/1",
)
#: The success of section 5.2.
PAID = {
    "sessionId": "0b0f8a4e-6c0c-4f0e-9d42-3b1b8f4f0c11",
    "terminalId": "16000010",
    "cashRegisterId": "till-2",
    "amount": 1250,
    "currencyCode": "978",
    "merchantReference": "POS/0042/1",
    "customerTrns": "Table 7",
    "tipAmount": 0,
    "success": True,
    "eventId": 0,
    "authorizationId": "407060",
    "transactionId": "8d1c8f60-94a1-4a70-8a43-0d5b5d9e6f31",
    "transactionTypeId": 5,
    "retrievalReferenceNumber": 610419407060,
    "panEntryMode": "07",
    "applicationLabel": "Visa Debit",
    "primaryAccountNumberMasked": "414746******0133",
    "transactionDateTime": "2026-04-14T22:16:11.4043324+03:00",
    "abortOperation": False,
    "abortAckTime": None,
    "abortSuccess": False,
    "loyaltyInfo": None,
    "verificationMethod": "CONTACTLESS - NO CVM",
    "tid": "16000010",
    "shortOrderCode": "6104224321",
    "installments": 0,
    "message": "Transaction successful",
    "preauth": False,
    "referenceNumber": 407060,
    "orderCode": "6104224321000010",
}
#: Cancelled before a card, section 5.2.
CANCELLED = {
    **PAID,
    "success": False,
    "eventId": 1000,
    "authorizationId": None,
    "transactionId": None,
    "transactionTypeId": None,
    "retrievalReferenceNumber": None,
    "panEntryMode": "00",
    "applicationLabel": None,
    "primaryAccountNumberMasked": None,
    "transactionDateTime": None,
    "verificationMethod": None,
    "shortOrderCode": "0",
    "message": "Transaction canceled by user",
    "referenceNumber": 0,
    "orderCode": "0",
}
#: Both forms of a decline, section 5.2.
DECLINED_BEFORE = {**CANCELLED, "eventId": 1006, "panEntryMode": "05"}
DECLINED_BY_ISSUER = {
    **CANCELLED,
    "eventId": 1006,
    "transactionId": "8d1c8f60-94a1-4a70-8a43-0d5b5d9e6f32",
    "authorizationId": "000000",
    "retrievalReferenceNumber": 610419407061,
    "applicationLabel": "Visa Debit",
    "primaryAccountNumberMasked": "414746******0133",
    "panEntryMode": "07",
}


def told(body, **changes):
    return judge(ASKED, parse_session({**body, **changes}))


def without(body, *names):
    return judge(ASKED, parse_session({k: v for k, v in body.items() if k not in names}))


def test_paid():
    verdict = told(PAID)
    assert (verdict.state, verdict.reason, verdict.message_code) == ("approved", "", "approved")
    assert (verdict.approved_amount, verdict.tip, verdict.surcharge) == (1250, 0, 0)


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("type_id", range(-1, 100))
def test_types(operation, type_id):
    asked = replace(ASKED, operation=operation)
    verdict = judge(asked, parse_session({**PAID, "transactionTypeId": type_id}))
    expected = {
        "sale": {5, 6, 60},
        "preauth": {1},
        "capture": {0},
        "refund": {4, 7, 18, 61, 84},
        "void": {4, 7, 18, 61, 84},
        "release": {4, 7, 18, 61, 84},
    }[operation.value]
    assert SUCCESS_TYPES[operation] == expected
    if type_id in expected:
        assert verdict.state == "approved"
    else:
        assert (verdict.state, verdict.reason) == ("unknown", "type")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": 1249}, "amount"),
        ({"amount": 1251}, "amount"),
        ({"amount": 125000}, "amount"),
        ({"amount": 12}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": -1250}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": 12.5}, "amount"),
        ({"amount": 1250.0}, "amount"),
        ({"amount": "1250"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": [1250]}, "amount"),
        ({"currencyCode": "826"}, "currency"),
        ({"currencyCode": "EUR"}, "currency"),
        ({"currencyCode": None}, "currency"),
        ({"currencyCode": "999"}, "currency"),
        ({"currencyCode": 978.0}, "currency"),
        ({"terminalId": "16000011"}, "terminal"),
        ({"terminalId": None}, "terminal"),
        ({"terminalId": ""}, "terminal"),
        ({"terminalId": ["16000010"]}, "terminal"),
        ({"merchantReference": "POS/0042/2"}, "reference"),
        ({"merchantReference": ""}, "reference"),
        ({"merchantReference": {"a": 1}}, "reference"),
        ({"merchantReference": False}, "reference"),
        ({"sessionId": "0b0f8a4e-6c0c-4f0e-9d42-3b1b8f4f0c12"}, "session"),
        ({"sessionId": None}, "session"),
        ({"sessionId": "0B0F8A4E-6C0C-4F0E-9D42-3B1B8F4F0C11"}, "session"),
        ({"transactionTypeId": None}, "type"),
        ({"transactionTypeId": 1}, "type"),
        ({"transactionTypeId": 4}, "type"),
        ({"transactionTypeId": True}, "type"),
        ({"transactionTypeId": 5.0}, "type"),
        ({"preauth": True}, "type"),
        ({"success": "true"}, "answer"),
        ({"success": 1}, "answer"),
        ({"success": None}, "answer"),
        ({"success": [True]}, "answer"),
        ({"eventId": 1006}, "answer"),
        ({"eventId": 1099}, "answer"),
        ({"transactionId": None}, "answer"),
        ({"transactionId": ""}, "answer"),
        ({"transactionId": {}}, "answer"),
        ({"abortSuccess": True, "abortOperation": True}, "answer"),
    ],
)
def test_a_yes_that_differs_is_unknown(changes, reason):
    verdict = told(PAID, **changes)
    assert (verdict.state, verdict.reason) == ("unknown", reason)
    assert verdict.message_code == "differs"
    assert verdict.approved_amount == 0


@pytest.mark.parametrize("success", [1, "true", "false", [False], {}, None, 0, ""])
def test_only_true_is_yes_and_only_false_is_no_whoever_made_the_outcome(success):
    outcome = replace(parse_session(PAID), success=success)
    assert judge(ASKED, outcome).state == "unknown"


@pytest.mark.parametrize("name", ["sessionId", "terminalId", "amount", "currencyCode", "success"])
def test_a_yes_without_what_identifies_it_is_unknown(name):
    assert without(PAID, name).state == "unknown"


@pytest.mark.parametrize(
    "changes",
    [
        {"currencyCode": 978},
        {"terminalId": 16000010},
        {"transactionTypeId": "5"},
        {"eventId": "0"},
        {"eventId": None},
        {"merchantReference": None},
        {"tipAmount": None},
        {"surchargeAmount": None},
        {"surchargeAmount": 0},
        {"preauth": None},
        {"authorizationId": None},
        {"message": {"odd": 1}, "installments": "three", "transactionDateTime": 5, "tid": []},
    ],
)
def test_forms_of_a_yes_that_are_fine(changes):
    assert told(PAID, **changes).state == "approved"


def test_a_yes_of_an_older_api_without_newer_and_descriptive_fields():
    verdict = without(
        PAID, "merchantReference", "tipAmount", "eventId", "tid", "orderCode", "message", "preauth"
    )
    assert verdict.state == "approved"


@pytest.mark.parametrize(
    ("amount", "tip", "surcharge", "state"),
    [
        (1450, 200, None, "approved"),
        (1450, 200, 0, "approved"),
        (1275, 0, 25, "approved"),
        (1475, 200, 25, "approved"),
        (2500, 1250, 0, "approved"),
        (1250, 200, None, "unknown"),
        (1450, 0, None, "unknown"),
        (1450, 0, 0, "unknown"),
        (1450, None, None, "unknown"),
        (1250, 0, 25, "unknown"),
        (1250, 200, -200, "unknown"),
        (1050, -200, 0, "unknown"),
        (1252, 2.0, 0, "unknown"),
        (1252, "2", 0, "unknown"),
        (1250, "none", 0, "unknown"),
        (1250, False, 0, "unknown"),
        (1250, 0, "none", "unknown"),
        (125000, 123750, 0, "unknown"),
        (1250 + 2**31, 2**31, 0, "unknown"),
    ],
)
def test_tip_and_surcharge(amount, tip, surcharge, state):
    verdict = told(PAID, amount=amount, tipAmount=tip, surchargeAmount=surcharge)
    assert verdict.state == state
    if state == "approved":
        assert verdict.approved_amount == amount
        assert (verdict.tip, verdict.surcharge) == (tip or 0, surcharge or 0)
    else:
        assert (verdict.reason, verdict.approved_amount) == ("amount", 0)


def test_the_card_was_quicker_than_the_abort():
    verdict = told(PAID, abortOperation=True, abortSuccess=False)
    assert (verdict.state, verdict.message_code) == ("approved", "approved_after_cancel")


@pytest.mark.parametrize(
    ("body", "changes", "state", "code"),
    [
        (CANCELLED, {}, "cancelled", "cancelled_on_terminal"),
        (CANCELLED, {"eventId": 1016, "abortSuccess": True}, "cancelled", "aborted"),
        (CANCELLED, {"eventId": 1003}, "failed", "no_card"),
        (CANCELLED, {"eventId": 1100}, "failed", "terminal_busy"),
        (DECLINED_BEFORE, {}, "declined", "declined_by_bank"),
        (DECLINED_BY_ISSUER, {}, "declined", "declined_by_bank"),
        (DECLINED_BY_ISSUER, {"transactionEventId": 10051}, "declined", "insufficient_funds"),
        (DECLINED_BY_ISSUER, {"transactionEventId": 10054}, "declined", "card_expired"),
        (DECLINED_BY_ISSUER, {"transactionEventId": "nonsense"}, "declined", "declined_by_bank"),
        (CANCELLED, {"eventId": 1020}, "declined", "insufficient_funds"),
        (CANCELLED, {"eventId": 1019}, "declined", "try_other_card"),
        (CANCELLED, {"eventId": 3000}, "failed", "terminal_offline"),
        (CANCELLED, {"eventId": 424242}, "failed", "other"),
        (CANCELLED, {"eventId": 0}, "failed", "other"),
        (CANCELLED, {"eventId": None}, "failed", "other"),
        (CANCELLED, {"eventId": []}, "failed", "other"),
        (CANCELLED, {"amount": None, "currencyCode": None}, "cancelled", "cancelled_on_terminal"),
    ],
)
def test_no(body, changes, state, code):
    verdict = told(body, **changes)
    assert (verdict.state, verdict.reason, verdict.message_code) == (state, "", code)
    assert verdict.approved_amount == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sessionId": "another"}, "session"),
        ({"sessionId": None}, "session"),
        ({"terminalId": "16000011"}, "terminal"),
        ({"merchantReference": "another"}, "reference"),
    ],
)
def test_a_no_about_something_else_is_not_ours(changes, reason):
    verdict = told(CANCELLED, **changes)
    assert (verdict.state, verdict.reason) == ("unknown", reason)


@pytest.mark.parametrize("event_id", [None, 0, 1000, 1003, 1004, 1006, 1007, 1010, 1016, 1019])
def test_a_card_may_have_been_shown_so_the_list_is_needed(event_id):
    assert final_no_needs_list(parse_session({**CANCELLED, "eventId": event_id}))


@pytest.mark.parametrize("event_id", [1020, 1099, 1102, 3000, 3001, 3002, 3099, 4000, 424242])
def test_an_unclear_end_needs_the_list(event_id):
    assert final_no_needs_list(parse_session({**CANCELLED, "eventId": event_id}))


@pytest.mark.parametrize("event_id", [1001, 1014, 1100, 2000, 5001, 5002, 6000, 6102, 7005])
def test_refused_before_a_card_needs_no_list(event_id):
    assert not final_no_needs_list(parse_session({**CANCELLED, "eventId": event_id}))
    # … unless there was one.
    assert final_no_needs_list(parse_session({**DECLINED_BY_ISSUER, "eventId": event_id}))


def test_what_is_no_no_needs_no_list_and_what_is_nothing_does():
    assert not final_no_needs_list(parse_session(PAID))
    assert final_no_needs_list(Outcome())


def test_cancelled_by_the_user_and_paid_all_the_same():
    """Section 9.2 no. 1."""
    no, yes = parse_session(CANCELLED), parse_session(PAID)
    assert judge_no(ASKED, no, [no]).state == "cancelled"
    assert judge_no(ASKED, no, []).state == "cancelled"
    assert judge_no(ASKED, no, [no, yes]).state == "approved"
    assert judge_no(ASKED, no, [yes, no]).state == "approved"


def test_paid_under_another_session_id_is_for_a_person_to_look_at():
    other = parse_session({**PAID, "sessionId": "another"})
    found = judge_no(ASKED, parse_session(CANCELLED), [other])
    assert (found.state, found.reason) == ("unknown", "session")


def test_two_different_payments_in_one_session_are_for_a_person_to_look_at():
    again = parse_session({**PAID, "transactionId": "8d1c8f60-94a1-4a70-8a43-000000000000"})
    yes = parse_session(PAID)
    assert judge_listed(ASKED, [yes, yes]).state == "approved"
    assert judge_listed(ASKED, [yes, again]).reason == "twice"
    assert judge_no(ASKED, parse_session(CANCELLED), [yes, again]).state == "unknown"


def test_a_list_without_ours_says_nothing():
    foreign = parse_session({**PAID, "sessionId": "x", "merchantReference": "y"})
    foreign_no = parse_session({**CANCELLED, "sessionId": "x"})
    assert judge_listed(ASKED, [foreign, foreign_no, Outcome()]) is None
    assert judge_no(ASKED, parse_session(CANCELLED), [foreign, foreign_no]).state == "cancelled"


def test_ours_in_the_list_without_a_result_is_a_doubt():
    doubt = parse_session({**PAID, "success": "true"})
    assert judge_no(ASKED, parse_session(CANCELLED), [doubt]).state == "unknown"


def test_every_documented_event_has_words():
    documented = [
        *(1000, 1001, 1002, 1003, 1004, *range(1006, 1015), 1016, 1017, 1018, 1019, 1020, 1021),
        *(1076, 1077, 1083, 1099, 1100, 1101, 1102, 2000, 3000, 3001, 3002, 3099, 4000),
        *(*range(5000, 5007), 6000, 6102, 6201, *range(7001, 7006)),
    ]
    for event_id in documented:
        state, code = event_words(event_id)
        assert state in ("declined", "cancelled", "failed")
        assert code != "other"
    assert event_words(None) == event_words(987654) == ("failed", "other")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)
CRITICAL = ("sessionId", "terminalId", "amount", "currencyCode", "success", "transactionTypeId")


@given(st.dictionaries(st.sampled_from(sorted(PAID)) | st.text(max_size=12), JSON))
def test_nonsense_is_read_without_a_crash_and_never_approved(body):
    verdict = judge(ASKED, parse_session(body))
    assert verdict.state == "unknown"
    assert verdict.approved_amount == 0


@settings(max_examples=400)
@given(st.dictionaries(st.sampled_from(sorted(PAID)), JSON, min_size=1, max_size=4))
def test_a_payment_with_spoiled_fields_is_approved_only_if_all_that_counts_is_right(spoiled):
    body = {**PAID, **spoiled}
    verdict = judge(ASKED, parse_session(body))
    if verdict.state == "approved":
        for name in CRITICAL:
            assert str(body[name]) == str(PAID[name])
        assert body["success"] is True
        assert type(body["amount"]) is int and body["amount"] == 1250
        assert body["merchantReference"] in (None, "POS/0042/1")
        assert body["tipAmount"] in (None, 0)
        assert verdict.approved_amount == 1250
    elif body["success"] is not False:
        assert verdict.state == "unknown"


@given(
    st.integers(1, 10_000_000), st.integers(-5, 5_000), st.integers(-5, 5_000), st.integers(-3, 3)
)
def test_the_rule_of_amounts(asked_amount, tip, surcharge, off):
    asked = replace(ASKED, amount=asked_amount)
    body = {
        **PAID,
        "amount": asked_amount + tip + surcharge + off,
        "tipAmount": tip,
        "surchargeAmount": surcharge,
    }
    verdict = judge(asked, parse_session(body))
    right = off == 0 and 0 <= tip <= asked_amount and 0 <= surcharge <= asked_amount
    assert (verdict.state == "approved") is right
    if right:
        assert verdict.approved_amount - verdict.tip - verdict.surcharge == asked_amount


@given(
    st.sampled_from(list(Operation)),
    st.integers(1, 10_000),
    st.integers(-20_000, 20_000),
    st.integers(-20_000, 20_000),
)
def test_no_extra_makes_up_for_a_charge_that_is_too_small(operation, amount, tip, surcharge):
    """Whoever tells it: a gateway's report does not come through the reading of a session."""
    asked = replace(ASKED, operation=operation, amount=amount)
    outcome = parse_session({**PAID, "transactionTypeId": min(SUCCESS_TYPES[operation])})
    told = replace(outcome, amount=amount + tip + surcharge, tip=tip, surcharge=surcharge)
    verdict = judge(asked, told)
    if verdict.state == "approved":
        assert verdict.approved_amount >= amount
        assert 0 <= verdict.tip <= amount and 0 <= verdict.surcharge <= amount
    else:
        assert verdict.reason == "amount"


@given(
    st.lists(st.sampled_from([PAID, CANCELLED, DECLINED_BEFORE, DECLINED_BY_ISSUER]), max_size=6)
)
def test_the_order_of_a_list_does_not_matter(bodies):
    outcomes = [parse_session(body) for body in bodies]
    first = judge_listed(ASKED, outcomes)
    second = judge_listed(ASKED, reversed(outcomes))
    assert (first and first.state == "approved") == (second and second.state == "approved")
    assert (first is not None and first.state == "approved") == (PAID in bodies)


# -- protocols that tell less -------------------------------------------------

#: What each name of ``untold`` is called in the session.
TOLD_AS = {
    "currency": "currencyCode",
    "reference": "merchantReference",
    "terminal": "terminalId",
    "type": "transactionTypeId",
    "transaction_id": "transactionId",
    "cash_register": "cashRegisterId",
}
WRONG = {
    "currency": "826",
    "reference": "another",
    "terminal": "16000011",
    "type": 4,
}


@pytest.mark.parametrize("name", sorted(TOLD_AS))
@pytest.mark.parametrize("operation", list(Operation))
def test_untold(name, operation):
    body = {**PAID, "transactionTypeId": min(SUCCESS_TYPES[operation]), TOLD_AS[name]: None}
    outcome = parse_session(body)
    asked = replace(ASKED, operation=operation)
    never_compared = name in ("reference", "cash_register")
    assert (judge(asked, outcome).state == "approved") is never_compared
    assert judge(replace(asked, untold=frozenset({name})), outcome).state == "approved"
    others = frozenset(TOLD_AS) - {name}
    assert (judge(replace(asked, untold=others), outcome).state == "approved") is never_compared


def test_who_has_no_place_for_a_currency_neither_sends_nor_tells_it():
    """Then the till's currency has to be the terminal's, and nobody but Odoo can see to that."""
    without = {name for name, able in CAPABILITIES_OF.items() if not able.sends_currency}
    assert without == {"tcp", "app_to_app"}
    assert all("currency" in CAPABILITIES_OF[name].untold for name in without)
    assert not tcp.PAYDROID.sends_currency


@pytest.mark.parametrize("name", sorted(WRONG))
def test_untold_does_not_mean_that_a_wrong_one_is_right(name):
    outcome = parse_session({**PAID, TOLD_AS[name]: WRONG[name]})
    verdict = judge(replace(ASKED, untold=frozenset(TOLD_AS)), outcome)
    assert (verdict.state, verdict.reason) == ("unknown", name)


@pytest.mark.parametrize(
    "changes",
    [
        {"sessionId": None},
        {"amount": None},
        {"amount": 1251},
        {"success": None},
        {"eventId": 1006},
        {"preauth": True},
        {"tipAmount": 100},
    ],
)
def test_untold_loosens_nothing_else(changes):
    outcome = parse_session({**PAID, **changes})
    assert judge(replace(ASKED, untold=frozenset(TOLD_AS)), outcome).state == "unknown"


@pytest.mark.parametrize("operation", list(Operation))
@pytest.mark.parametrize("success", [True, False, None])
def test_offline_only_a_sale_does_without_a_transaction_id(operation, success):
    body = {
        **PAID,
        "transactionTypeId": min(SUCCESS_TYPES[operation]),
        "transactionId": None,
        "success": success,
    }
    verdict = judge(replace(ASKED, operation=operation), replace(parse_session(body), offline=True))
    approved = operation is Operation.SALE and success is True
    assert (verdict.state == "approved") is approved
    assert verdict.offline is approved


def test_offline_is_no_more_offline_when_there_is_a_transaction_id():
    verdict = judge(ASKED, replace(parse_session(PAID), offline=True))
    assert (verdict.state, verdict.offline) == ("approved", False)


def test_a_capability_cannot_leave_out_what_every_answer_needs():
    for names in ({"amount"}, {"session"}, {"currency", "success"}):
        with pytest.raises(ValueError):
            Capabilities(frozenset(), untold=frozenset(names))


def test_what_the_protocols_can_do():
    assert set(CAPABILITIES_OF) == {"cloud", "local", "tcp", "app_to_app"}
    assert CAPABILITIES_OF["cloud"].untold == frozenset()
    assert CAPABILITIES_OF["cloud"].refuses_repeats
    assert all(Operation.SALE in able.operations for able in CAPABILITIES_OF.values())


# -- Viva's book about an operation of a terminal -------------------------------

ROW = Entry(
    transaction_id="8d1c8f60-94a1-4a70-8a43-0d5b5d9e6f31",
    amount=1250,
    currency="EUR",
    status_id="F",
    type_id=5,
    merchant_reference="POS/0042/1",
    terminal_id="16000010",
)
NAMED = replace(ASKED, transaction_id=ROW.transaction_id)
FAILED_ROW = replace(ROW, transaction_id="failed", status_id="E")
FOREIGN_ROW = replace(ROW, transaction_id="foreign", merchant_reference="POS/0043/1")


def test_entries_ours():
    verdict = judge_entries(ASKED, [FOREIGN_ROW, ROW])
    assert (verdict.state, verdict.approved_amount, verdict.tip) == ("approved", 1250, 0)
    assert verdict.transaction_id == ROW.transaction_id
    assert judge_entries(ASKED, [ROW, ROW]).state == "approved", "the same row of two days"


@pytest.mark.parametrize("entries", [[], [FOREIGN_ROW], [replace(ROW, merchant_reference="")]])
@pytest.mark.parametrize("reference", ["POS/0042/1", ""])
def test_entries_without_ours_say_nothing(entries, reference):
    assert judge_entries(replace(ASKED, merchant_reference=reference), entries) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": 1249}, "amount"),
        ({"amount": None}, "amount"),
        ({"amount": 0}, "amount"),
        ({"amount": 1450}, "amount"),
        ({"tip": 200}, "amount"),
        ({"amount": 2501, "tip": 1251}, "amount"),
        ({"amount": 1249, "tip": -1}, "amount"),
        ({"currency": "GBP"}, "currency"),
        ({"currency": ""}, "currency"),
        ({"type_id": 1}, "type"),
        ({"type_id": 4}, "type"),
        ({"type_id": None}, "type"),
        ({"terminal_id": "16000011"}, "terminal"),
        ({"status_id": "C"}, "answer"),
        ({"status_id": ""}, "answer"),
        ({"status_id": "?"}, "answer"),
        ({"transaction_id": ""}, "answer"),
    ],
)
def test_entries_that_differ(changes, reason):
    verdict = judge_entries(replace(ASKED, untold=frozenset(TOLD_AS)), [replace(ROW, **changes)])
    assert (verdict.state, verdict.reason, verdict.approved_amount) == ("unknown", reason, 0)


@pytest.mark.parametrize("changes", [{"terminal_id": ""}, {"status_id": "M"}, {"status_id": "MI"}])
def test_entries_that_are_fine(changes):
    assert judge_entries(ASKED, [replace(ROW, **changes)]).state == "approved"


VOID = replace(ROW, transaction_id="void", parent_id=ROW.transaction_id.upper(), type_id=7)


@pytest.mark.parametrize(
    "entries",
    [
        [replace(ROW, status_id="X")],
        [replace(ROW, status_id="R")],
        [replace(ROW, status_id="X"), VOID],
        [ROW, VOID],
        [VOID, replace(ROW, status_id="X")],
        [ROW, replace(VOID, merchant_reference="another")],
        [ROW, replace(VOID, merchant_reference="", type_id=4)],
    ],
)
def test_entries_that_were_given_back(entries):
    """Nobody takes for paid what went back before it was known; what is booked stays booked."""
    verdict = judge_entries(ASKED, entries)
    assert (verdict.state, verdict.reason, verdict.approved_amount) == ("unknown", "reversal", 0)
    assert verdict.transaction_id == ROW.transaction_id
    verdict = judge_entries(replace(ASKED, booked=True), entries)
    assert (verdict.state, verdict.approved_amount) == ("approved", 1250)


def test_entries_with_a_reversal_that_is_none():
    assert judge_entries(ASKED, [ROW, replace(VOID, status_id="E")]).state == "approved"
    assert judge_entries(ASKED, [VOID]).reason == "type", "without the sale it is ours all the same"
    assert judge_entries(ASKED, [ROW, replace(VOID, parent_id="else")]).reason == "twice"
    assert judge_entries(ASKED, [ROW, replace(VOID, type_id=5)]).reason == "twice"
    own = replace(ROW, parent_id=ROW.transaction_id)
    assert judge_entries(ASKED, [own]).state == "approved"


def test_entries_of_a_hold_that_was_released():
    asked = replace(ASKED, operation=Operation.PREAUTH)
    held = replace(ROW, type_id=1)
    assert judge_entries(asked, [held]).state == "approved"
    assert judge_entries(asked, [replace(held, status_id="C")]).state == "approved"
    assert judge_entries(asked, [replace(held, status_id="X")]).reason == "reversal"
    assert judge_entries(replace(asked, booked=True), [replace(held, status_id="X")]).state == (
        "approved"
    )


def test_entries_with_a_tip():
    verdict = judge_entries(ASKED, [replace(ROW, amount=1450, tip=200)])
    assert (verdict.state, verdict.approved_amount, verdict.tip) == ("approved", 1450, 200)


@pytest.mark.parametrize("operation", list(Operation))
def test_entries_by_type(operation):
    asked = replace(ASKED, operation=operation)
    for type_id in range(100):
        verdict = judge_entries(asked, [replace(ROW, type_id=type_id)])
        assert (verdict.state == "approved") is (type_id in SUCCESS_TYPES[operation])


def test_entries_of_an_original():
    asked = replace(ASKED, operation=Operation.REFUND, parent_transaction_id="Parent")
    child = replace(ROW, type_id=4)
    assert judge_entries(asked, [child]).state == "approved"
    assert judge_entries(asked, [replace(child, parent_id="parent")]).state == "approved"
    assert judge_entries(asked, [replace(child, parent_id="another")]).reason == "answer"
    assert (
        judge_entries(asked, [replace(child, transaction_id="parent")]).reason == "transaction_id"
    )
    assert judge_entries(asked, [replace(child, status_id="R")]).reason == "answer"


def test_entries_of_attempts():
    """A tap over the limit fails, then the PIN works."""
    assert judge_entries(ASKED, [FAILED_ROW, ROW]).state == "approved"
    assert judge_entries(ASKED, [FAILED_ROW]).state == "declined"
    assert judge_entries(ASKED, [replace(ROW, status_id="A")]) is None
    assert judge_entries(ASKED, [FAILED_ROW, replace(ROW, status_id="A")]) is None
    again = replace(ROW, transaction_id="again")
    assert judge_entries(ASKED, [ROW, again]).reason == "twice"
    assert judge_entries(ASKED, [ROW, FAILED_ROW, again]).reason == "twice"


def test_entries_by_the_id_that_the_device_named():
    bare = replace(ROW, merchant_reference="")
    assert judge_entries(NAMED, [bare]).state == "approved"
    assert judge_entries(NAMED, [replace(bare, transaction_id=ROW.transaction_id.upper())])
    other = replace(ROW, merchant_reference="POS/0043/1")
    assert judge_entries(NAMED, [other]).reason == "reference", "somebody else's payment"
    ours = replace(ROW, transaction_id="ours")
    assert judge_entries(NAMED, [other, ours]).state == "approved", "ours is found all the same"
    assert judge_entries(NAMED, [bare, ours]).reason == "twice"
    assert judge_entries(NAMED, [FAILED_ROW]) is None, "the named one is not listed yet"
    assert judge_entries(NAMED, [replace(ROW, status_id="E")]).state == "declined"


@given(
    st.permutations(
        [ROW, FAILED_ROW, FOREIGN_ROW, replace(ROW, transaction_id="x", merchant_reference="")]
    ),
    st.integers(0, 4),
)
def test_entries_in_any_order(entries, count):
    """An approval never comes from anything but our own success, and nothing hides it."""
    for asked in (ASKED, NAMED):
        verdict = judge_entries(asked, entries[:count])
        assert (verdict is not None and verdict.state == "approved") is (ROW in entries[:count])


def test_a_row_that_only_its_id_ties_to_us_is_not_older_than_the_request():
    """An id can be told by anybody: that of an older payment of the same amount, too."""
    sent_at = datetime(2026, 4, 14, 19, 16, tzinfo=timezone.utc)
    asked = replace(ASKED, transaction_id=ROW.transaction_id, sent_at=sent_at)
    unnamed = replace(ROW, merchant_reference="")
    for minutes, state in (
        (-60 * 24, "unknown"),
        (-11, "unknown"),
        (-9, "approved"),
        (1, "approved"),
    ):
        row = replace(unnamed, created_at=sent_at + timedelta(minutes=minutes))
        verdict = judge_entries(asked, [row])
        assert verdict.state == state
        assert verdict.reason == ("" if state == "approved" else "reference")
        assert judge_entries(
            asked, [replace(row, merchant_reference=ASKED.merchant_reference)]
        ).state == ("approved"), "under our reference no clock counts"
    assert judge_entries(asked, [replace(unnamed, created_at=None)]).state == "approved"
    old = replace(unnamed, created_at=sent_at - timedelta(days=90))
    ours = replace(ROW, transaction_id="another", created_at=sent_at)
    assert judge_entries(asked, [old, ours]).transaction_id == "another"


@pytest.mark.parametrize(("rrn", "stan"), [("432910000123", ""), ("", "000123"), ("", "")])
def test_without_vivas_id_something_tells_a_payment_from_the_one_before(rrn, stan):
    outcome = replace(parse_session({**PAID, "transactionId": None}), rrn=rrn, stan=stan)
    verdict = judge(replace(ASKED, untold=CAPABILITIES_OF["tcp"].untold), outcome)
    assert (verdict.state == "approved") is bool(rrn or stan)
    assert verdict.reason == ("" if rrn or stan else "answer")
