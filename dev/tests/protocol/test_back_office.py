"""The transactions API against the simulator: money back and captures without a terminal."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from contract_steps import book, clear, paid
from simulator_process import MERCHANT
from test_contract_cloud import connect

from drivers import (
    ActionDisabled,
    AskedReversal,
    CredentialsError,
    Declined,
    DefiniteError,
    Endpoints,
    IndeterminateError,
    InsufficientFunds,
    NotFound,
    NotReversible,
    Operation,
    PartialTooEarly,
    RequestsTransport,
    ServerFault,
    TransactionsApi,
    Unavailable,
    executed_as,
    judge_children,
    judge_reversed,
)

HALF_ANSWER = '{"Amount": 19.99, "StatusId": "F", "Tran'


@pytest.fixture
def transport():
    transport = RequestsTransport()
    yield transport
    transport.close()


@pytest.fixture
def driver(simulator, transport):
    return connect(simulator, transport)


def office_of(simulator, transport, api_key="sim-api-key"):
    hosts = Endpoints(simulator.url, simulator.url, simulator.url)
    return TransactionsApi(transport, hosts, MERCHANT, api_key, read_timeout=1.0)


@pytest.fixture
def office(simulator, transport):
    yield office_of(simulator, transport)
    simulator.control("DELETE", "faults")
    assert simulator.control("GET", "violations") == []


@pytest.fixture
def sold(driver, simulator):
    """The outcome of a sale of 19.99 EUR."""
    return paid(driver, simulator)[1]


@pytest.fixture
def held(driver, simulator):
    """The outcome of a preauth of 19.99 EUR."""
    return paid(driver, simulator, preauth=True)[1]


def asked(original, operation=Operation.REFUND, amount=1999, reference="VP/R/1", **changes):
    now = datetime.now(timezone.utc)
    return AskedReversal(
        operation, original.transaction_id, amount, "EUR", reference, now, **changes
    )


def send(office, wanted):
    call = office.capture if wanted.operation is Operation.CAPTURE else office.reverse
    return call(
        wanted.parent_transaction_id,
        wanted.amount,
        wanted.currency,
        merchant_reference=wanted.merchant_reference,
    )


def settle(office, original, wanted):
    """What the rows of the original's order code say."""
    return judge_children(wanted, office.of_order(original.order_code))


def fault(simulator, **faults):
    simulator.control("POST", "faults", faults)


# -- what goes well -----------------------------------------------------------


@pytest.mark.parametrize(("cleared", "executed"), [(False, "void"), (True, "refund")])
def test_all_of_it(office, simulator, sold, cleared, executed):
    if cleared:
        clear(simulator)
    wanted = asked(sold)
    answer = send(office, wanted)
    verdict = judge_reversed(wanted, answer)
    assert (verdict.state, verdict.approved_amount) == ("approved", 1999)
    row = office.find(answer.transaction_id)
    assert (row.parent_id, row.amount, row.merchant_reference) == (
        sold.transaction_id,
        1999,
        "VP/R/1",
    )
    assert (executed_as(row.type_id), row.rrn) == (executed, answer.rrn)
    assert settle(office, sold, wanted) == verdict
    assert book(simulator) == {"sale": 1999, executed: 1999}


def test_parts_up_to_the_amount_and_not_beyond(office, simulator, sold):
    with pytest.raises(PartialTooEarly):
        send(office, asked(sold, amount=1000))
    clear(simulator)
    for number, amount in enumerate((1000, 999)):
        wanted = asked(sold, amount=amount, reference=f"VP/R/{number}")
        assert judge_reversed(wanted, send(office, wanted)).approved_amount == amount
    for amount in (1, 1999):
        with pytest.raises(NotReversible):
            send(office, asked(sold, amount=amount, reference="VP/R/3"))
    entries = office.of_order(sold.order_code)
    assert Counter(entry.type_id for entry in entries) == {5: 1, 4: 2}
    assert book(simulator) == {"sale": 1999, "refund": 1999}


def test_more_than_is_left(office, simulator, sold):
    clear(simulator)
    send(office, asked(sold, amount=1500))
    with pytest.raises(PartialTooEarly):
        send(office, asked(sold, amount=500, reference="VP/R/2"))
    assert book(simulator) == {"sale": 1999, "refund": 1500}


@pytest.mark.parametrize("amount", [1999, 1000])
def test_capture(office, simulator, held, amount):
    wanted = asked(held, Operation.CAPTURE, amount)
    answer = send(office, wanted)
    verdict = judge_reversed(wanted, answer)
    assert (verdict.state, verdict.approved_amount, answer.type_id) == ("approved", amount, 0)
    assert settle(office, held, wanted) == verdict
    assert office.find(held.transaction_id).status_id == "C"
    with pytest.raises(NotReversible):
        send(office, replace(wanted, amount=1, merchant_reference="VP/R/2"))
    assert book(simulator) == {"capture": amount}


def test_capture_of_too_much(office, simulator, held):
    with pytest.raises(DefiniteError):
        send(office, asked(held, Operation.CAPTURE, 2000))
    assert book(simulator) == {}


def test_release(office, simulator, held):
    wanted = asked(held, Operation.RELEASE)
    assert judge_reversed(wanted, send(office, wanted)).state == "approved"
    assert settle(office, held, wanted).state == "approved"
    with pytest.raises(NotReversible):
        send(office, asked(held, Operation.CAPTURE, reference="VP/R/2"))
    assert book(simulator) == {}


def test_a_capture_that_was_voided_since_is_settled_as_a_capture(office, held):
    wanted = asked(held, Operation.CAPTURE)
    captured = send(office, wanted)
    back = replace(asked(held), parent_transaction_id=captured.transaction_id)
    send(office, replace(back, merchant_reference="VP/R/2"))
    assert settle(office, held, wanted).state == "approved"


def test_look_ups(office, simulator, sold, held):
    sale = office.find(sold.transaction_id)
    assert (sale.amount, sale.currency, sale.type_id, sale.status_id) == (1999, "EUR", 5, "F")
    assert (sale.order_code, sale.rrn, sale.card_last4) == (
        sold.order_code,
        sold.rrn,
        sold.card_last4,
    )
    assert sale.authorisation_code == sold.authorisation_code
    assert sale.terminal_id == sold.terminal_id and sale.card_brand == "Visa"
    assert sale.cleared_at is None
    assert abs(sale.created_at - datetime.now(timezone.utc)) < timedelta(minutes=1)
    today = datetime.now(ZoneInfo("Europe/Athens")).date()
    ids = {sold.transaction_id, held.transaction_id}
    assert {entry.transaction_id for entry in office.of_day(today)} == ids
    assert office.of_day(today - timedelta(days=2)) == []
    assert office.of_order("1234567890123456") == []
    clear(simulator)
    cleared = office.find(sold.transaction_id)
    assert cleared.cleared_at - cleared.created_at == timedelta(days=1)
    assert (cleared.commission, office.find(held.transaction_id).cleared_at) == (23, None)


@pytest.mark.parametrize("status", [404, 200])
def test_an_unknown_id(office, simulator, status):
    simulator.control("POST", "settings", {"strict": {"unknown_transaction": status}})
    assert office.find("8d1c8f60-94a1-4a70-8a43-0d5b5d9e6f31") is None


def test_a_sign_in_the_list_changes_nothing(office, simulator, sold):
    simulator.control("POST", "settings", {"strict": {"negative_refunds": True}})
    wanted = asked(sold)
    send(office, wanted)
    assert settle(office, sold, wanted).approved_amount == 1999


# -- refusals -----------------------------------------------------------------


@pytest.mark.parametrize("operation", [Operation.REFUND, Operation.CAPTURE])
def test_switched_off(office, simulator, sold, operation):
    simulator.control("POST", "settings", {"refunds": False, "captures": False})
    with pytest.raises(ActionDisabled):
        send(office, asked(sold, operation))
    assert book(simulator) == {"sale": 1999}


def test_refusals(office, simulator, transport, driver, sold):
    with pytest.raises(NotFound):
        send(office, replace(asked(sold), parent_transaction_id="unknown"))
    with pytest.raises(NotReversible):
        send(office, asked(sold, Operation.CAPTURE))
    with pytest.raises(CredentialsError):
        send(office_of(simulator, transport, "wrong"), asked(sold))
    clear(simulator)
    simulator.control("POST", "settings", {"available": 1998})
    with pytest.raises(InsufficientFunds):
        send(office, asked(sold))
    assert book(simulator) == {"sale": 1999}


def test_a_reversal_cannot_be_reversed(office, simulator, sold):
    answer = send(office, asked(sold))
    with pytest.raises(NotReversible):
        send(office, replace(asked(sold), parent_transaction_id=answer.transaction_id))
    assert book(simulator) == {"sale": 1999, "void": 1999}


# -- trouble on the way -------------------------------------------------------


def prepared(request, simulator, kind):
    """The original, what is asked, and the book before and after."""
    if kind == "capture":
        original = request.getfixturevalue("held")
        return original, asked(original, Operation.CAPTURE, 1000), {}, {"capture": 1000}
    original = request.getfixturevalue("sold")
    before = {"sale": 1999}
    if kind == "part":
        clear(simulator)
        return original, asked(original, amount=1000), before, {**before, "refund": 1000}
    return original, asked(original), before, {**before, "void": 1999}


every_kind = pytest.mark.parametrize("kind", ["void", "part", "capture"])


@every_kind
@pytest.mark.parametrize(
    "lost",
    [
        {"drop_reverse_response": 1},
        {"reverse_status": [{"status": 502, "accepted": True}]},
        {"reverse_status": [{"status": 504, "accepted": True}]},
        {"reverse_status": [{"status": 503, "accepted": True}]},
        {"reverse_status": [{"status": 200, "accepted": True, "body": "<html>Sorry</html>"}]},
        {"reverse_status": [{"status": 200, "accepted": True, "body": HALF_ANSWER}]},
        {"slow_ms": {"/api/transactions": 1500}},
    ],
    ids=["dropped", "502", "504", "503", "html", "half", "slow"],
)
def test_a_lost_answer_is_settled_by_the_rows(request, office, simulator, kind, lost):
    original, wanted, _, after = prepared(request, simulator, kind)
    fault(simulator, **lost)
    with pytest.raises(IndeterminateError):
        send(office, wanted)
    fault(simulator, slow_ms={"/api/transactions": 0})
    verdict = settle(office, original, wanted)
    assert (verdict.state, verdict.approved_amount) == ("approved", wanted.amount)
    assert verdict.transaction_id == office.find(verdict.transaction_id).transaction_id
    assert book(simulator) == after


@every_kind
@pytest.mark.parametrize(
    "lost",
    [{"drop_reverse_request": 1}, {"reverse_status": [502]}, {"reverse_status": [503]}],
    ids=["dropped", "502", "503"],
)
def test_a_lost_request_leaves_nothing(request, office, simulator, kind, lost):
    original, wanted, before, after = prepared(request, simulator, kind)
    fault(simulator, **lost)
    with pytest.raises(IndeterminateError):
        send(office, wanted)
    assert len(simulator.control("GET", "requests?path=/api/transactions")) == 1
    assert settle(office, original, wanted) is None
    assert book(simulator) == before
    assert judge_reversed(wanted, send(office, wanted)).state == "approved"
    assert book(simulator) == after


@every_kind
def test_viva_is_silent(request, office, simulator, kind):
    original, wanted, before, _ = prepared(request, simulator, kind)
    fault(simulator, silent=True)
    with pytest.raises(IndeterminateError):
        send(office, wanted)
    simulator.control("DELETE", "faults")
    assert settle(office, original, wanted) is None
    assert book(simulator) == before


@every_kind
@pytest.mark.parametrize("event_id", [311, 10200])
def test_the_bank_declines(request, office, simulator, kind, event_id):
    _, wanted, before, _ = prepared(request, simulator, kind)
    answer = {"status": 502, "event_id": event_id, "text": "Transaction failed"}
    fault(simulator, reverse_status=[answer])
    with pytest.raises(Declined):
        send(office, wanted)
    assert book(simulator) == before


@every_kind
def test_a_list_that_hides_our_reference_leaves_a_doubt(request, office, simulator, kind):
    """That Viva keeps the reference on a child is UNVERIFIED."""
    original, wanted, _, _ = prepared(request, simulator, kind)
    fault(simulator, drop_reverse_response=1, merchant_trns_null_in_list=True)
    with pytest.raises(IndeterminateError):
        send(office, wanted)
    verdict = settle(office, original, wanted)
    assert (verdict.state, verdict.reason, verdict.approved_amount) == ("unknown", "reference", 0)
    known = frozenset({verdict.transaction_id})
    assert settle(office, original, replace(wanted, known_ids=known)) is None


def test_a_list_that_lags_says_nothing_yet(office, simulator, sold):
    wanted = asked(sold)
    fault(simulator, drop_reverse_response=1, transactions_lag_s=60)
    with pytest.raises(IndeterminateError):
        send(office, wanted)
    assert settle(office, sold, wanted) is None
    simulator.control("POST", "clock", {"advance_s": 60})
    assert settle(office, sold, wanted).state == "approved"


def test_the_list_has_trouble_itself(office, simulator, sold):
    fault(simulator, transactions_status=[503, 502, {"status": 200, "body": "<html></html>"}])
    for error in (Unavailable, ServerFault, ServerFault):
        with pytest.raises(error):
            office.of_order(sold.order_code)
    assert len(office.of_order(sold.order_code)) == 1


def test_what_others_gave_back_is_not_ours(office, simulator, sold):
    """Somebody gives back a part in Viva's portal while our answer is lost."""
    clear(simulator)
    simulator.control("POST", f"transactions/{sold.transaction_id}/reverse", {"amount": 500})
    moment = office.of_order(sold.order_code)[-1].created_at
    wanted = replace(asked(sold, amount=1000), sent_at=moment)
    fault(simulator, drop_reverse_request=1)
    with pytest.raises(IndeterminateError):
        send(office, wanted)
    assert settle(office, sold, wanted) is None
    simulator.control("POST", f"transactions/{sold.transaction_id}/reverse", {"amount": 1000})
    verdict = settle(office, sold, wanted)
    assert (verdict.state, verdict.reason) == ("unknown", "reference")
    assert book(simulator) == {"sale": 1999, "refund": 1500}


def test_two_attempts_are_told_apart(office, simulator, sold):
    """Two parts of the same amount, the answer to the second is lost."""
    clear(simulator)
    first, second = (asked(sold, amount=500, reference=f"VP/R/{number}") for number in (1, 2))
    answer = send(office, first)
    fault(simulator, drop_reverse_request=1)
    with pytest.raises(IndeterminateError):
        send(office, second)
    known = frozenset({answer.transaction_id})
    moment = office.find(answer.transaction_id).created_at
    second = replace(second, known_ids=known, sent_at=moment)
    assert settle(office, sold, second) is None
    fault(simulator, drop_reverse_response=1)
    with pytest.raises(IndeterminateError):
        send(office, second)
    assert settle(office, sold, second).state == "approved"
    assert settle(office, sold, first).transaction_id == answer.transaction_id
    assert book(simulator) == {"sale": 1999, "refund": 1000}
