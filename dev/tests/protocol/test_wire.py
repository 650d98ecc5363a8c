"""What travels between Odoo and a gateway: everything comes through unchanged, nonsense does not."""

import json
from dataclasses import fields, replace
from datetime import timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_verdict import CANCELLED, JSON, PAID

from drivers import (
    AbortRequest,
    AnswerLost,
    Busy,
    CaptureRequest,
    Outcome,
    Pending,
    RefundRequest,
    SaleRequest,
    ServerFault,
    SessionMissing,
    UnreferencedRefundRequest,
    VivaError,
    abort_from_json,
    answer_from_json,
    answer_to_json,
    error_from_json,
    error_to_json,
    errors,
    parse_session,
    request_from_json,
    request_to_json,
    wire,
)
from drivers.fields import masked
from drivers.redact import redact

SALE = SaleRequest(
    session_id="0b0f8a4e-6c0c-4f0e-9d42-3b1b8f4f0c11",
    terminal_id="16000010",
    cash_register_id="till-2",
    amount=1999,
    currency="EUR",
    merchant_reference="VP/1",
    customer_text="Τραπέζι 7",
    tip=100,
    max_installments=3,
    fiscal={"aadeProviderId": "999", "aadeProviderSignature": "MEUC/+=="},
)


def through(data):
    """The way over the network."""
    return json.loads(json.dumps(data, allow_nan=False))


TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc"), max_codepoint=0xFFFF), max_size=40)
SOME = TEXT.filter(bool)
ID = st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
COMMON = {
    "session_id": ID,
    "terminal_id": ID,
    "cash_register_id": SOME,
    "amount": st.integers(1, 2**31 - 1),
    "currency": st.sampled_from(["EUR", "SEK", "GBP"]),
    "merchant_reference": SOME,
    "customer_text": TEXT,
    "fiscal": st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_]{1,10}", fullmatch=True), TEXT, max_size=4
    ),
}
PARENT = {
    "parent_session_id": SOME.map(lambda text: "p " + text),
    "parent_transaction_id": TEXT,
    "parent_order_code": TEXT,
    "parent_stan": TEXT,
}
REQUESTS = (
    st.builds(SaleRequest, **COMMON, preauth=st.booleans(), max_installments=st.integers(0, 99))
    | st.builds(CaptureRequest, **COMMON, **PARENT)
    | st.builds(RefundRequest, **COMMON, **PARENT)
    | st.builds(UnreferencedRefundRequest, **COMMON)
)
WHOLE = st.integers(-(2**31) + 1, 2**31 - 1)
VALUES = {
    "str": TEXT,
    "str | None": st.none() | TEXT,
    "int": WHOLE,
    "int | None": st.none() | WHOLE,
    "bool": st.booleans(),
    "bool | None": st.none() | st.booleans(),
    "datetime | None": st.none() | st.datetimes(timezones=st.just(timezone.utc)),
    "Mapping[str, Any]": st.just({}),
}
NATURAL = st.integers(0, 2**31 - 1)
LIMITED = {
    "amount": st.none() | NATURAL,
    "tip": st.none() | NATURAL,
    "surcharge": st.none() | NATURAL,
    "installments": NATURAL,
    "card_last4": st.from_regex(r"([0-9]{4})?", fullmatch=True),
    **{name: TEXT.filter(lambda text: redact(text) == text) for name in wire._FOR_PEOPLE},
}
OUTCOMES = st.builds(
    Outcome, **{field.name: VALUES[field.type] for field in fields(Outcome)} | LIMITED
).map(lambda outcome: replace(outcome, card_masked=masked(outcome.card_last4)))
ANSWERS = OUTCOMES | st.builds(Pending, TEXT) | st.builds(SessionMissing, TEXT)
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, VivaError) and kind is not VivaError
]


@given(REQUESTS)
def test_a_request_comes_through(request):
    again = request_from_json(through(request_to_json(request)))
    assert again == request and type(again) is type(request)


@given(ANSWERS)
def test_an_answer_comes_through(answer):
    again = answer_from_json(through(answer_to_json(answer)))
    assert again == answer and type(again) is type(answer)


@pytest.mark.parametrize("body", [PAID, CANCELLED])
def test_a_session_comes_through_with_what_is_kept_of_it(body):
    outcome = parse_session(body)
    again = answer_from_json(through(answer_to_json(outcome)))
    assert again == outcome and again.raw == outcome.raw
    assert again.finished_at == outcome.finished_at


def test_an_abort_comes_through():
    request = AbortRequest("0b0f8a4e", "till-2")
    assert abort_from_json(through(request_to_json(request))) == request
    assert abort_from_json({"session_id": "0b0f8a4e", "cash_register_id": "till-2"}) == request


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_comes_through(kind):
    error = kind("No.", status=409, detail="why", correlation_id="c1", raw={"state": "BUSY_ERROR"})
    again = error_from_json(through(error_to_json(error)))
    assert type(again) is kind
    assert (again.message, again.status, again.detail) == ("No.", 409, "why")
    assert (again.correlation_id, again.raw) == ("c1", {"state": "BUSY_ERROR"})


def test_an_error_that_nobody_knows_says_nothing():
    assert type(error_from_json({"error": "Newer"})) is ServerFault
    assert type(error_from_json({"error": "VivaError"})) is ServerFault
    assert type(error_from_json({"error": "AnswerLost"})) is AnswerLost
    assert error_from_json({"error": "Busy", "odd": 1}).raw is None


def test_the_names_of_the_wire():
    data = request_to_json(SALE)
    assert data["kind"] == "sale"
    assert data["fiscal"] == {"aadeProviderId": "999", "aadeProviderSignature": "MEUC/+=="}
    assert answer_to_json(Pending())["kind"] == "pending"
    assert answer_to_json(SessionMissing("x")) == {"kind": "missing", "detail": "x"}
    assert error_to_json(Busy("Busy."))["error"] == "Busy"
    assert request_to_json(AbortRequest("1", "2"))["kind"] == "abort"


def test_what_a_newer_side_adds_is_ignored_and_what_an_older_one_lacks_has_its_default():
    data = through(request_to_json(SALE))
    for name in ("fiscal", "tip", "customer_text", "preauth", "max_installments"):
        del data[name]
    data["newer"] = {"a": 1}
    assert request_from_json(data) == replace(
        SALE, fiscal={}, tip=0, customer_text="", max_installments=0
    )
    assert answer_from_json({"kind": "outcome", "newer": 1}) == Outcome()


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "sales"},
        {"kind": None},
        {"kind": []},
        {"kind": "abort"},
        {"amount": "1999"},
        {"amount": 19.99},
        {"amount": 1999.0},
        {"amount": True},
        {"amount": 0},
        {"amount": -1999},
        {"amount": 2**31},
        {"amount": None},
        {"session_id": "a/b"},
        {"session_id": 5},
        {"session_id": ""},
        {"terminal_id": None},
        {"currency": 978},
        {"tip": 2000},
        {"tip": None},
        {"preauth": 1},
        {"preauth": "true"},
        {"preauth": True},  # with a tip
        {"merchant_reference": "a\0b"},
        {"merchant_reference": "\ud800"},
        {"customer_text": "x" * 1001},
        {"fiscal": []},
        {"fiscal": {"aadeProviderId": 999}},
        {"fiscal": {"a b": "1"}},
        {"fiscal": {"a": "1\n2"}},
        {"fiscal": {f"f{number}": "1" for number in range(33)}},
    ],
)
def test_a_wrong_request_is_refused(changes):
    with pytest.raises(ValueError):
        request_from_json({**request_to_json(SALE), **changes})


@pytest.mark.parametrize("name", ["kind", "session_id", "amount", "currency", "merchant_reference"])
def test_a_request_without_what_it_needs_is_refused(name):
    data = request_to_json(SALE)
    del data[name]
    with pytest.raises(ValueError):
        request_from_json(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"success": "true"},
        {"success": 1},
        {"amount": "1250"},
        {"amount": 1250.0},
        {"amount": False},
        {"session_id": None},
        {"tip": "0"},
        {"raw": []},
        {"finished_at": 5},
        {"finished_at": "yesterday"},
        {"finished_at": "0001-01-01T00:00:00+14:00"},
        {"offline": None},
        {"message": "\ud800"},
        {"kind": "pending?"},
    ],
)
def test_a_wrong_answer_is_refused(changes):
    with pytest.raises(ValueError):
        answer_from_json({**answer_to_json(parse_session(PAID)), **changes})


@pytest.mark.parametrize("name", ["amount", "tip", "surcharge", "installments"])
@given(below=st.integers(-(2**31) + 1, -1))
def test_nothing_is_counted_below_zero(name, below):
    with pytest.raises(ValueError):
        answer_from_json({**answer_to_json(parse_session(PAID)), name: below})


def test_what_a_gateway_tells_about_a_card_is_kept_as_a_driver_would():
    told = {
        "kind": "outcome",
        "card_last4": "4111111111111111",
        "card_masked": "4111111111111111",
        "message": "Card 4111111111111111 of a@example.com",
        "card_brand": "4111 1111 1111 1111",
        "transaction_id": "8d1c8f60-94a1-4a70-8a43-0d5b5d9e6f31",
        "order_code": "6104224321000010",
        "merchant_reference": "4111111111111111",
    }
    outcome = answer_from_json(told)
    assert (outcome.card_last4, outcome.card_masked) == ("1111", "*" * 12 + "1111")
    assert outcome.message == "Card ****1111 of [removed]"
    assert outcome.card_brand == "****1111"
    for name in ("transaction_id", "order_code", "merchant_reference"):
        assert getattr(outcome, name) == told[name], "compared, so never changed"
    assert answer_from_json({**told, "card_last4": "z" * 200}).card_masked == ""
    with pytest.raises(ValueError):
        answer_from_json({**told, "card_brand": "z" * 256})


def test_an_error_of_a_gateway_has_no_card_in_it():
    words = {"error": "Busy", "message": "4111111111111111", "detail": "4111111111111111"}
    assert "411111" not in str(error_from_json(words))


def test_card_numbers_do_not_travel():
    outcome = Outcome(raw={"pan": "4147460000000133", "email": "a@example.com"})
    assert "4147460000000133" not in json.dumps(answer_to_json(outcome))
    data = {"kind": "outcome", "raw": {"pan": "4147460000000133"}}
    assert "4147460000000133" not in str(answer_from_json(data).raw)


def test_a_huge_answer_does_not_keep_the_rest_from_arriving():
    huge = {"loyaltyInfo": ["x" * 1000] * 200}
    outcome = Outcome(session_id="s", success=True, raw=huge)
    data = through(answer_to_json(outcome))
    assert len(json.dumps(data)) < 20_000
    assert answer_from_json(data) == outcome
    assert answer_from_json({"kind": "outcome", "raw": huge}).raw == {"left_out": "too long"}
    assert error_to_json(Busy("Busy.", raw=huge))["raw"] == {"left_out": "too long"}


ANYTHING = JSON | st.dictionaries(
    st.sampled_from(["kind", "session_id", "amount", "success", "error", "raw", "detail"]),
    JSON | st.sampled_from(["sale", "outcome", "pending", "missing", "refund", "Busy"]),
)


@given(ANYTHING)
def test_nonsense_is_a_value_error_and_nothing_else(data):
    for read in (request_from_json, abort_from_json, answer_from_json, error_from_json):
        try:
            found = read(data)
        except ValueError:
            continue
        if isinstance(found, Outcome):
            assert found.success is None or isinstance(found.success, bool)
