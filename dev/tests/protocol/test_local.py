"""The Local Terminal API: what is sent, and what each answer means. Gaps in what is known never become a no."""

import json
from dataclasses import replace

import pytest
from doubles import ScriptedTransport, answer
from hypothesis import given, settings
from hypothesis import strategies as st
from test_verdict import JSON

from drivers import (
    CAPABILITIES_OF,
    AbortRequest,
    Accepted,
    Asked,
    BadRequest,
    Busy,
    CaptureRequest,
    ConnectFailed,
    IndeterminateError,
    LocalAddress,
    LocalDriver,
    NotFound,
    NotPossible,
    Operation,
    Outcome,
    Pending,
    RefundRequest,
    ResponseLost,
    SaleRequest,
    ServerFault,
    SessionMissing,
    Unreachable,
    UnreferencedRefundRequest,
    VivaError,
    WrongCertificate,
    WrongDevice,
    final_no_needs_list,
    judge,
)
from drivers.local import Meaning, decide

ID = "5f0d3c1e-8f52-4d0b-9c3c-0c1b7c2a9b11"
BASE = "https://192.168.1.7:8080"
SALE = SaleRequest(
    session_id=ID,
    terminal_id="16000010",
    cash_register_id="till-2",
    amount=2550,
    currency="EUR",
    merchant_reference="POS-00042-001",
    customer_text="Shop A",
)
COMMON = {name: value for name, value in SALE.__dict__.items() if name in (
    "session_id", "terminal_id", "cash_register_id", "amount", "currency", "merchant_reference"
)}  # fmt: skip
PARENT = {"parent_session_id": "before", "parent_transaction_id": "b1b2c3d4"}
ASKED = Asked(
    operation=Operation.SALE,
    **COMMON,
    untold=CAPABILITIES_OF["local"].untold,
)
#: The approved sale of section 3.3.
RESULT = {
    "transactionId": "b1b2c3d4-0000-4000-8000-1234567890ab",
    "tid": "16000010",
    "verificationMethod": "CONTACTLESS - NO CVM",
    "retrievalReferenceNumber": 432910000123,
    "transactionDate": "2025-03-14T10:22:31.1200000+02:00",
    "authorizationId": "181644",
    "panEntryMode": "07",
    "aid": "A0000000031010",
    "tipAmount": 0,
    "amount": 2550,
    "isAbortRequested": False,
    "applicationLabel": "VISA",
    "primaryAccountNumberMasked": "400000******0002",
    "referenceNumber": 123,
    "orderCode": "4329100001000010",
    "shortOrderCode": "4329100001",
    "installments": 0,
    "eventId": 0,
    "message": "Transaction successful",
    "isSuccess": True,
    "transactionTypeId": 5,
    "aadeTransactionId": "",
}
#: The customer pressed cancel, section 3.3.
CANCELLED = {
    "tid": "16000010",
    "amount": 2550,
    "eventId": 1000,
    "message": "Transaction canceled by user",
    "isSuccess": False,
    "isAbortRequested": False,
}
OFFLINE = {**RESULT, "transactionId": None, "merchantApproved": True}


def envelope(state, result=None, kind="SALE", **more):
    payload = (
        {} if result is None else {"cancelResponse" if kind == "CANCEL" else "saleResponse": result}
    )
    return {"state": state, "sessionType": kind, "sessionId": ID, "payloadData": payload, **more}


def driver(*answers, **options):
    """A driver with prepared answers, and the transport that keeps what is sent."""
    transport = ScriptedTransport(*answers)
    return LocalDriver(transport, LocalAddress("https", "192.168.1.7", 8080), **options), transport


def read(data, status=200):
    return driver(answer(status, data))[0].read(ID)


def told(result, state="SUCCESS", asked=ASKED, **more):
    return judge(asked, read(envelope(state, result, **more)))


# -- addresses ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("192.168.1.7", "https://192.168.1.7:8080"),
        ("terminal.lan", "https://terminal.lan:8080"),
        ("fd00::7", "https://[fd00::7]:8080"),
    ],
)
def test_address(host, url):
    assert LocalAddress("https", host, 8080).url == url


@pytest.mark.parametrize(
    ("scheme", "host", "port"),
    [
        ("ftp", "192.168.1.7", 8080),
        ("https", "", 8080),
        ("https", "a/b", 8080),
        ("https", "user@host", 8080),
        ("https", "host:1", 8080),
        ("https", "a b", 8080),
        ("https", "host", 0),
        ("https", "host", 65536),
        ("https", "host", "8080"),
        ("https", None, 8080),
    ],
)
def test_what_is_no_address(scheme, host, port):
    with pytest.raises(ValueError):
        LocalAddress(scheme, host, port)


# -- what is sent -----------------------------------------------------------------


def sent(request, **options):
    local, transport = driver(answer(200, envelope("PROCESSING")), **options)
    assert isinstance(local.start(request), Accepted)
    (only,) = transport.requests
    assert only.method == "POST"
    return only.url.removeprefix(BASE), only.json


def test_sale():
    assert sent(SALE) == (
        "/pos/v1/sale",
        {
            "sessionId": ID,
            "amount": 2550,
            "currencyCode": "978",
            "merchantReference": "POS-00042-001",
            "customerTrns": "Shop A",
            "preauth": False,
            "tipAmount": 0,
            "showTransactionResult": True,
            "showReceipt": True,
            "maxInstalments": 1,
        },
    )


def test_sale_with_more():
    body = sent(replace(SALE, tip=100, max_installments=6, customer_text=""))[1]
    assert (body["tipAmount"], body["maxInstalments"], body["amount"]) == (100, 6, 2550)
    assert "customerTrns" not in body
    assert sent(replace(SALE, preauth=True))[1]["preauth"] is True


def test_refund():
    path, body = sent(RefundRequest(**COMMON, **PARENT))
    assert path == "/pos/v1/refund"
    assert body["transactionId"] == "b1b2c3d4" and body["sessionId"] == ID
    assert body["merchantReference"] == "POS-00042-001"
    assert not {"parentSessionId", "orderCode", "preauth"} & set(body)


def test_refund_by_order_code():
    request = RefundRequest(
        **COMMON, parent_session_id="before", parent_order_code="4329100001000010"
    )
    body = sent(request)[1]
    assert body["orderCode"] == 4329100001000010 and "transactionId" not in body


def test_refund_of_what_has_no_name():
    local, transport = driver()
    for code in ("", "x1", "1" * 19):
        with pytest.raises(NotPossible):
            local.start(RefundRequest(**COMMON, parent_session_id="a", parent_order_code=code))
    assert transport.requests == []


def test_capture_by_either_link():
    request = CaptureRequest(**COMMON, **PARENT)
    path, body = sent(request)
    assert path == "/pos/v1/preauth-completion"
    assert body["transactionId"] == "b1b2c3d4" and "parentSessionId" not in body
    body = sent(request, capture_link="parent_session_id")[1]
    assert body["parentSessionId"] == "before" and "transactionId" not in body
    with pytest.raises(ValueError):
        driver(capture_link="other")


def test_the_link_of_a_capture_is_not_that_of_a_refund():
    body = sent(RefundRequest(**COMMON, **PARENT), capture_link="parent_session_id")[1]
    assert body["transactionId"] == "b1b2c3d4" and "parentSessionId" not in body


def test_unreferenced_refund_needs_the_switch():
    request = UnreferencedRefundRequest(**COMMON)
    local, transport = driver()
    assert not local.capabilities.unreferenced_refund
    with pytest.raises(NotPossible):
        local.start(request)
    assert transport.requests == []
    assert driver(unreferenced_refund=True)[0].capabilities.unreferenced_refund
    assert sent(request, unreferenced_refund=True)[0] == "/pos/v1/unreferenced-refund"


SIGNED = "UID;;20260414221611;1250;1008;242;1250;16000010"


@pytest.mark.parametrize(
    "request_",
    [SALE, RefundRequest(**COMMON, **PARENT), CaptureRequest(**COMMON, **PARENT)],
)
def test_the_fiscal_passenger(request_):
    fiscal = {
        "aadeProviderId": "999",
        "aadeProviderSignatureData": SIGNED,
        "aadeProviderSignature": "MEUCIQD+/a==",
        "aadePreloaded": "true",
        "aadePreloadedDuration": "24",
        "fiscalisationData": "eyJhIjoxfQ",
        "aadeSomethingNew": "Ω;1",
    }
    body = sent(replace(request_, fiscal=fiscal))[1]
    assert {name: body[name] for name in fiscal} == {
        **fiscal,
        "aadeProviderId": 999,
        "aadePreloaded": True,
        "aadePreloadedDuration": 24,
    }


@pytest.mark.parametrize(
    "fiscal",
    [
        {"amount": "1"},
        {"sessionId": "x"},
        {"paymentMethod": "MOTO"},
        {"aadeProviderId": "9e2"},
        {"aadeProviderId": "0999"},
        {"aadeProviderId": ""},
        {"aadePreloaded": "yes"},
    ],
)
def test_what_is_no_passenger_is_not_sent(fiscal):
    local, transport = driver()
    with pytest.raises(BadRequest):
        local.start(replace(SALE, fiscal=fiscal))
    assert transport.requests == []


def test_a_currency_that_viva_does_not_take():
    local, transport = driver()
    with pytest.raises(BadRequest):
        local.start(replace(SALE, currency="USD"))
    assert transport.requests == []


def test_read_and_abort():
    local, transport = driver(
        answer(200, envelope("PROCESSING")), answer(200, {"state": "PROCESSING", "sessionId": ID})
    )
    local.read(ID)
    local.abort(AbortRequest(ID, "till-2"))
    asked, aborted = transport.requests
    assert (asked.method, asked.url) == ("GET", f"{BASE}/pos/v1/sessions/{ID}")
    assert (aborted.method, aborted.url) == ("POST", f"{BASE}/pos/v1/abort")
    assert aborted.json == {"sessionId": ID}


def test_an_odd_id_stays_an_id():
    local, transport = driver(answer(404))
    local.read("../a?b#c")
    assert transport.requests[0].url == BASE + "/pos/v1/sessions/..%2Fa%3Fb%23c"
    with pytest.raises(BadRequest):
        local.read("..")


def test_no_list():
    with pytest.raises(NotPossible):
        driver()[0].sessions(None)


# -- the decision table -------------------------------------------------------------

OTHER_STATES = [
    "SUCCESS", "FAILURE", "SESSION_NOT_FOUND_ERROR", "SERVER_ERROR", "COMPLETED", "APPROVED",
    "ABORTED", "CANCELLED", "DECLINED", "ERROR", "FAILED", "BUSY_ERROR", "WAITING", "x",
]  # fmt: skip
STATUSES = [200, 201, 400, 404, 409, 429, 500, 503]


@pytest.mark.parametrize("status", STATUSES)
def test_start_the_state_counts_whatever_the_status(status):
    assert decide("start", status, {"state": "PROCESSING"}) is Meaning.ACCEPTED
    assert decide("start", status, {"state": "BUSY_ERROR"}) is Meaning.BUSY
    for state in OTHER_STATES:
        if state != "BUSY_ERROR":
            assert decide("start", status, {"state": state}) is Meaning.UNCLEAR


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        *((status, Meaning.REFUSED) for status in (400, 404, 405, 406, 411, 413, 414, 415, 422)),
        *((status, Meaning.UNCLEAR) for status in (200, 202, 204, 302, 401, 403, 408, 409, 425)),
        *((status, Meaning.UNCLEAR) for status in (429, 500, 502, 503, 504)),
    ],
)
@pytest.mark.parametrize("data", [None, [], "PROCESSING", {}, {"state": None}, {"state": ["x"]}])
def test_start_without_a_state(status, meaning, data):
    assert decide("start", status, data) is meaning


@pytest.mark.parametrize("status", STATUSES)
def test_abort_the_state_counts(status):
    assert decide("abort", status, {"state": "PROCESSING"}) is Meaning.ACCEPTED
    assert decide("abort", status, {"state": "SUCCESS"}) is Meaning.ACCEPTED
    assert decide("abort", status, {"state": "SESSION_NOT_FOUND_ERROR"}) is Meaning.MISSING
    for state in OTHER_STATES:
        if state not in ("SUCCESS", "SESSION_NOT_FOUND_ERROR"):
            assert decide("abort", status, {"state": state}) is Meaning.UNCLEAR


@pytest.mark.parametrize("call", ["read", "abort"])
@pytest.mark.parametrize("status", [*STATUSES, 204, 302, 401, 502])
@pytest.mark.parametrize("data", [None, [], "SUCCESS", {}, {"state": None}, {"state": 1}])
def test_without_a_state(call, status, data):
    expected = Meaning.MISSING if status in (400, 404) else Meaning.UNCLEAR
    assert decide(call, status, data) is expected


YES, NO = {"isSuccess": True}, {"isSuccess": False}
OFF = {"merchantApproved": True}
RULE = [
    # state, result, meaning
    ("PROCESSING", None, Meaning.PENDING),
    ("PROCESSING", YES, Meaning.PENDING),
    ("PROCESSING", NO, Meaning.PENDING),
    ("processing", None, Meaning.PENDING),
    ("SESSION_NOT_FOUND_ERROR", None, Meaning.MISSING),
    ("SESSION_NOT_FOUND_ERROR", YES, Meaning.MISSING),
    ("SERVER_ERROR", None, Meaning.UNCLEAR),
    ("SERVER_ERROR", NO, Meaning.UNCLEAR),
    ("BUSY_ERROR", None, Meaning.UNCLEAR),
    ("BUSY_ERROR", NO, Meaning.UNCLEAR),
    ("SUCCESS", YES, Meaning.YES),
    ("SUCCESS", {**YES, **OFF}, Meaning.YES),
    ("SUCCESS", {**YES, "merchantApproved": False}, Meaning.YES),
    ("SUCCESS", NO, Meaning.NO),
    ("SUCCESS", {**NO, "merchantApproved": False}, Meaning.NO),
    ("SUCCESS", {**NO, **OFF}, Meaning.CONTRADICTION),
    ("SUCCESS", None, Meaning.PENDING),
    ("SUCCESS", {}, Meaning.PENDING),
    ("SUCCESS", {"amount": 1}, Meaning.PENDING),
    ("SUCCESS", OFF, Meaning.PENDING),
    *(("SUCCESS", {"isSuccess": odd}, Meaning.PENDING) for odd in (None, "true", 1, 0, [], {})),
    ("FAILURE", NO, Meaning.NO),
    ("FAILURE", None, Meaning.NO),
    ("FAILURE", {}, Meaning.NO),
    ("FAILURE", {"eventId": 1000}, Meaning.NO),
    ("FAILURE", YES, Meaning.CONTRADICTION),
    ("FAILURE", {**NO, **OFF}, Meaning.CONTRADICTION),
    ("FAILURE", OFF, Meaning.CONTRADICTION),
    ("FAILURE", {**NO, "merchantApproved": False}, Meaning.NO),
    *(
        row
        for state in ("ABORTED", "CANCELLED", "DECLINED", "ERROR", "FAILED")
        for row in (
            (state, None, Meaning.UNCLEAR),
            (state, {"eventId": 1000}, Meaning.UNCLEAR),
            (state, NO, Meaning.NO),
            (state, YES, Meaning.CONTRADICTION),
        )
    ),
    *(
        row
        for state in ("COMPLETED", "APPROVED")
        for row in (
            (state, None, Meaning.UNCLEAR),
            (state, {"transactionId": "x"}, Meaning.UNCLEAR),
            (state, NO, Meaning.NO),
            (state, YES, Meaning.YES),
        )
    ),
    ("WAITING_FOR_CARD", None, Meaning.UNCLEAR),
    ("WAITING_FOR_CARD", NO, Meaning.UNCLEAR),
    ("WAITING_FOR_CARD", YES, Meaning.UNCLEAR),
    ("", YES, Meaning.UNCLEAR),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["SALE", "CANCEL"])
@pytest.mark.parametrize(("state", "result", "meaning"), RULE)
@pytest.mark.parametrize("status", [200, 500])
def test_the_rule_of_a_session(state, result, meaning, kind, status):
    """Section 3.3."""
    assert decide("read", status, envelope(state, result, kind)) is meaning


@pytest.mark.parametrize("payload", [None, [], "x", {"saleResponse": None}, {"saleResponse": []}])
def test_a_payload_that_is_none(payload):
    assert decide("read", 200, envelope("SUCCESS", payloadData=payload)) is Meaning.PENDING


def test_the_success_of_an_abort_is_not_that_of_a_sale():
    for payload in ({"abortResponse": YES}, {"abortResponse": YES, "saleResponse": {}}):
        assert decide("read", 200, envelope("SUCCESS", payloadData=payload)) is Meaning.PENDING


# -- what becomes of it ---------------------------------------------------------------


def test_start_accepted():
    local, _ = driver(answer(200, {"state": "PROCESSING", "sessionId": ID.upper()}))
    assert local.start(SALE).raw["state"] == "PROCESSING"


@pytest.mark.parametrize(
    ("reply", "error", "detail"),
    [
        (answer(200, {"state": "BUSY_ERROR", "message": "Busy"}), Busy, "Busy"),
        (answer(409, {"state": "BUSY_ERROR"}), Busy, ""),
        (answer(200, {"state": "SERVER_ERROR", "message": "Oops"}), ServerFault, "Oops"),
        (answer(400, {"state": "SERVER_ERROR"}), ServerFault, ""),
        (answer(400, {"message": "amount"}), BadRequest, "amount"),
        (answer(404, b"<html>"), BadRequest, ""),
        (answer(200, b"<html>"), ServerFault, ""),
        (answer(500), ServerFault, ""),
        (answer(200, {"state": "FAILURE"}), ServerFault, ""),
        (answer(200, {"state": "PROCESSING", "sessionId": "another"}), ServerFault, ""),
        (ResponseLost("reset"), IndeterminateError, "reset"),
        (ConnectFailed("refused"), Unreachable, "refused"),
        (WrongCertificate("other"), WrongDevice, "other"),
    ],
)
def test_start_that_is_not_accepted(reply, error, detail):
    local, transport = driver(reply)
    with pytest.raises(error) as caught:
        local.start(SALE)
    assert caught.value.detail == detail
    assert caught.value.message.startswith("The terminal")
    assert len(transport.requests) == 1, "never repeated"


@pytest.mark.parametrize(
    ("reply", "answered"),
    [
        (answer(200, {"state": "SESSION_NOT_FOUND_ERROR", "message": "?"}), SessionMissing("?")),
        (answer(404), SessionMissing()),
        (answer(400, b"nonsense"), SessionMissing()),
        (answer(404, envelope("PROCESSING")), Pending()),
        (answer(200, envelope("SUCCESS")), Pending()),
    ],
)
def test_read_without_an_end(reply, answered):
    assert driver(reply)[0].read(ID) == answered


@pytest.mark.parametrize(
    "reply",
    [
        answer(200, {"state": "SERVER_ERROR"}),
        answer(400, {"state": "SERVER_ERROR"}),
        answer(500),
        answer(503, b"<html>"),
        answer(200, b"<html>"),
        answer(200, []),
        answer(200, envelope("PROCESSING", sessionId="another")),
    ],
)
def test_read_that_says_nothing(reply):
    with pytest.raises(ServerFault):
        driver(reply)[0].read(ID)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer(200, {"state": "SESSION_NOT_FOUND_ERROR"}), NotFound),
        (answer(404), NotFound),
        (answer(200, {"state": "SERVER_ERROR"}), ServerFault),
        (answer(200, {"state": "FAILURE"}), ServerFault),
        (answer(500), ServerFault),
    ],
)
def test_abort_that_is_not_taken(reply, error):
    with pytest.raises(error):
        driver(reply)[0].abort(AbortRequest(ID, "till-2"))


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (answer(200, {"state": "SESSION_NOT_FOUND_ERROR"}), True),
        (answer(404, {"state": "SESSION_NOT_FOUND_ERROR"}), True),
        (answer(500, {"state": "SERVER_ERROR"}), True),
        (answer(404), False),
        (answer(400), False),
        (answer(200, b"<html>"), False),
        (answer(401), ServerFault),
        (answer(500), ServerFault),
        (ConnectFailed("x"), Unreachable),
        (WrongCertificate("x"), WrongDevice),
    ],
)
def test_probe(reply, found):
    local, transport = driver(reply)
    if isinstance(found, bool):
        assert local.probe() is found
    else:
        with pytest.raises(found):
            local.probe()
    assert transport.requests[0].method == "GET"


# -- outcomes ---------------------------------------------------------------------------


def test_approved():
    outcome = read(envelope("SUCCESS", RESULT))
    verdict = judge(ASKED, outcome)
    assert (verdict.state, verdict.approved_amount, verdict.offline) == ("approved", 2550, False)
    assert (outcome.transaction_id, outcome.tid) == (RESULT["transactionId"], "16000010")
    assert (outcome.rrn, outcome.stan, outcome.authorisation_code) == (
        "432910000123",
        "123",
        "181644",
    )
    assert (outcome.card_brand, outcome.card_masked) == ("Visa", "************0002")
    assert (outcome.order_code, outcome.short_order_code) == ("4329100001000010", "4329100001")
    assert (outcome.entry_mode, outcome.aid) == ("07", "A0000000031010")
    assert outcome.finished_at.isoformat() == "2025-03-14T08:22:31.120000+00:00"
    assert "400000" not in json.dumps(outcome.raw)
    assert outcome.raw["payloadData"]["saleResponse"]["retrievalReferenceNumber"] == 432910000123


@pytest.mark.parametrize(
    ("sent_as", "rrn"),
    [
        (432910000123, "432910000123"),
        ("432910000123", "432910000123"),
        (32910000123, "032910000123"),  # 2030
        ("032910000123", "032910000123"),
        (0, ""),
        (None, ""),
        (-871, ""),
        (True, ""),
        (4.3e11, ""),
        (10**12, ""),
    ],
)
def test_rrn_as_number_or_text(sent_as, rrn):
    assert read(envelope("SUCCESS", {**RESULT, "retrievalReferenceNumber": sent_as})).rrn == rrn


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": 2549}, "amount"),
        ({"amount": 2650}, "amount"),
        ({"amount": "2550"}, "amount"),
        ({"amount": 25.5}, "amount"),
        ({"amount": None}, "amount"),
        ({"tipAmount": 100}, "amount"),
        ({"tid": "16000011"}, "terminal"),
        ({"tid": None}, "terminal"),
        ({"tid": ""}, "terminal"),
        ({"transactionTypeId": 4}, "type"),
        ({"transactionTypeId": 1}, "type"),
        ({"transactionTypeId": None}, "type"),
        ({"transactionId": None}, "answer"),
        ({"transactionId": None, "merchantApproved": False}, "answer"),
        ({"transactionId": None, "merchantApproved": "true"}, "answer"),
        ({"eventId": 1006}, "answer"),
        ({"currencyCode": "826"}, "currency"),
        ({"currencyCode": "nonsense"}, "currency"),
        ({"currencyCode": []}, "currency"),
        ({"merchantReference": "another"}, "reference"),
    ],
)
def test_a_yes_that_differs_is_unknown(changes, reason):
    verdict = told({**RESULT, **changes})
    assert (verdict.state, verdict.reason) == ("unknown", reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"currencyCode": "978"},
        {"currencyCode": 978},
        {"currencyCode": ""},
        {"merchantReference": "POS-00042-001"},
        {"merchantApproved": False},
        {"merchantApproved": True},
        {"transactionTypeId": 6},
        {"eventId": None},
        {"tid": 16000010},
        {"tipAmount": None},
    ],
)
def test_forms_of_a_yes_that_are_fine(changes):
    verdict = told({**RESULT, **changes})
    assert (verdict.state, verdict.offline) == ("approved", False)


def test_another_session_is_not_ours():
    assert told(RESULT, sessionId="another").reason == "session"
    assert told(RESULT, sessionId=["x"]).reason == "session"
    assert told(RESULT, sessionId=ID.upper()).state == "approved"
    assert told(RESULT, sessionId=None).state == "approved", "the address says which one"


def test_tip_on_the_terminal():
    verdict = told({**RESULT, "amount": 2850, "tipAmount": 300})
    assert (verdict.state, verdict.approved_amount, verdict.tip) == ("approved", 2850, 300)


def test_offline():
    outcome = read(envelope("SUCCESS", OFFLINE))
    assert outcome.offline
    verdict = judge(ASKED, outcome)
    assert (verdict.state, verdict.offline, verdict.approved_amount) == ("approved", True, 2550)
    as_preauth = replace(ASKED, operation=Operation.PREAUTH)
    assert told({**OFFLINE, "transactionTypeId": 1}, asked=as_preauth).state == "unknown"
    assert told({**OFFLINE, "amount": 2549}).reason == "amount"
    assert told({**OFFLINE, "isSuccess": False}).state == "unknown"
    assert told({**OFFLINE, "isSuccess": False}, "FAILURE").state == "unknown"


@pytest.mark.parametrize(
    ("event_id", "state", "code", "needs_list"),
    [
        (1000, "cancelled", "cancelled_on_terminal", True),
        (1001, "failed", "terminal_busy", False),
        (1003, "failed", "no_card", True),
        (1004, "declined", "declined_by_terminal", True),
        (1006, "declined", "declined_by_bank", True),
        (1007, "declined", "declined_by_card", True),
        (1010, "declined", "invalid_card", True),
        (1014, "failed", "refunds_disabled", False),
        (1016, "cancelled", "aborted", True),
        (1018, "failed", "configuration", False),
        (1019, "declined", "try_other_card", True),
        (1020, "declined", "insufficient_funds", True),
        (1076, "failed", "fiscal", False),
        (1077, "failed", "fiscal", False),
        (1083, "failed", "fiscal", False),
        (1099, "failed", "terminal_error", True),
        (1100, "failed", "terminal_busy", False),
        (3000, "failed", "terminal_offline", True),
        (3001, "failed", "terminal_connection", True),
        (3099, "failed", "terminal_error", True),
        (4000, "failed", "terminal_connection", True),
        (5001, "failed", "installments_not_enabled", False),
        (5005, "failed", "tip_not_enabled", False),
        (6000, "failed", "wrong_request", False),
        (6201, "failed", "offline_mode", False),
        (7001, "failed", "offline_mode", False),
        (7005, "failed", "offline_mode", False),
        (None, "failed", "other", True),
        (424242, "failed", "other", True),
    ],
)
def test_no(event_id, state, code, needs_list):
    """What is uncertain by section 6 is looked up before it is believed."""
    outcome = read(envelope("FAILURE", {**CANCELLED, "eventId": event_id}))
    verdict = judge(ASKED, outcome)
    assert (verdict.state, verdict.message_code, verdict.reason) == (state, code, "")
    assert final_no_needs_list(outcome) is needs_list


def test_declined_with_a_success_of_the_session():
    verdict = told({**CANCELLED, "eventId": 1006}, "SUCCESS")
    assert (verdict.state, verdict.message_code) == ("declined", "declined_by_bank")


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"abortResponse": YES}, "aborted"),
        ({"abortResponse": YES, "saleResponse": {"isSuccess": False}}, "aborted"),
        ({"saleResponse": {**CANCELLED, "eventId": 1016, "isAbortRequested": True}}, "aborted"),
        ({"abortResponse": NO}, "other"),
        ({}, "other"),
    ],
)
def test_aborted(payload, code):
    outcome = read(envelope("FAILURE", payloadData=payload))
    assert judge(ASKED, outcome).message_code == code
    assert final_no_needs_list(outcome)


def test_the_card_was_quicker_than_the_abort():
    verdict = told({**RESULT, "isAbortRequested": True})
    assert (verdict.state, verdict.message_code) == ("approved", "approved_after_cancel")
    both = {"saleResponse": RESULT, "abortResponse": YES}
    assert told(None, payloadData=both).reason == "answer"
    refused = {"saleResponse": RESULT, "abortResponse": NO}
    assert told(None, payloadData=refused).state == "approved"


def test_refund_outcome():
    asked = replace(ASKED, operation=Operation.REFUND, parent_transaction_id="parent")
    result = {**RESULT, "transactionTypeId": 4}
    assert told(result, asked=asked, kind="CANCEL").state == "approved"
    # All that is certain of a cancelResponse is isSuccess (section 3.3): not enough to believe it.
    assert told(YES, asked=asked, kind="CANCEL").state == "unknown"
    assert (
        told({**result, "transactionId": "PARENT"}, asked=asked, kind="CANCEL").state == "unknown"
    )
    verdict = told({**CANCELLED, "eventId": 1012}, "FAILURE", asked=asked, kind="CANCEL")
    assert (verdict.state, verdict.message_code) == ("failed", "parent_unknown")


def test_the_result_that_belongs_to_the_session():
    both = {"saleResponse": RESULT, "cancelResponse": {**CANCELLED}}
    assert told(None, payloadData=both).state == "approved"
    outcome = read(envelope("SUCCESS", payloadData=both, kind="CANCEL"))
    assert outcome.success is False


# -- nonsense -----------------------------------------------------------------------------

STATES = st.sampled_from([*OTHER_STATES, "PROCESSING"])
FIELDS = st.sampled_from([*RESULT, "merchantApproved", "currencyCode", "merchantReference"])
ENVELOPES = JSON | st.fixed_dictionaries(
    {"state": STATES | JSON},
    optional={
        "sessionId": st.just(ID) | JSON,
        "sessionType": st.sampled_from(["SALE", "CANCEL"]) | JSON,
        "payloadData": JSON
        | st.dictionaries(
            st.sampled_from(["saleResponse", "cancelResponse", "abortResponse"]),
            JSON | st.dictionaries(FIELDS, JSON, max_size=6),
        ),
    },
)


def reply_of(status, data):
    """An answer as bytes, JSON's special numbers included."""
    return answer(status, json.dumps(data).encode())


@settings(max_examples=400)
@given(st.sampled_from([200, 400, 404, 409, 500]), ENVELOPES)
def test_nonsense_never_crashes_and_is_never_approved(status, data):
    try:
        found = driver(reply_of(status, data))[0].read(ID)
    except VivaError as error:
        assert isinstance(error, ServerFault)
        return
    if isinstance(found, Outcome):
        assert judge(ASKED, found).state != "approved"


@given(st.integers(100, 599), st.binary(max_size=60))
def test_bytes_that_are_no_json(status, body):
    for call in (
        lambda local: local.read(ID),
        lambda local: local.start(SALE),
        lambda local: local.abort(AbortRequest(ID, "till-2")),
        lambda local: local.probe(),
    ):
        try:
            found = call(driver(answer(status, body))[0])
        except VivaError:
            continue
        assert isinstance(found, (SessionMissing, bool))


@given(st.integers(100, 599), ENVELOPES)
def test_a_start_is_accepted_only_by_name(status, data):
    try:
        driver(reply_of(status, data))[0].start(SALE)
    except VivaError as error:
        if not isinstance(error, IndeterminateError):
            assert isinstance(error, (Busy, BadRequest))
            assert isinstance(error, Busy) == (
                isinstance(data, dict) and data.get("state") == "BUSY_ERROR"
            )
        return
    assert data["state"].upper() == "PROCESSING"


@settings(max_examples=400)
@given(st.dictionaries(FIELDS, JSON, min_size=1, max_size=4))
def test_a_payment_with_spoiled_fields(spoiled):
    result = {**RESULT, **spoiled}
    found = driver(reply_of(200, envelope("SUCCESS", result)))[0].read(ID)
    if isinstance(found, Pending):
        assert not isinstance(result["isSuccess"], bool)
        return
    verdict = judge(ASKED, found)
    if verdict.state == "approved":
        assert result["isSuccess"] is True and result["amount"] == 2550
        assert str(result["tid"]) == "16000010"
        assert str(result["transactionTypeId"]) in ("5", "6", "60")
        assert result["transactionId"] or result.get("merchantApproved") is True
        assert verdict.approved_amount == 2550
    elif result["isSuccess"] is True:
        assert verdict.state == "unknown"


def test_zero_is_no_transaction():
    """A payment named 0 is not named at all."""
    for nothing in (0, "0"):
        found = driver(reply_of(200, envelope("SUCCESS", {**RESULT, "transactionId": nothing})))[
            0
        ].read(ID)
        assert judge(ASKED, found).state == "unknown"
