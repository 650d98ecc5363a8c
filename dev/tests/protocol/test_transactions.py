"""The transactions API: requests as the reference writes them, answers by their cause."""

import json
from datetime import date, datetime, timezone
from decimal import Decimal

import pytest
from doubles import ScriptedTransport, answer
from hypothesis import given
from hypothesis import strategies as st

from drivers import (
    ActionDisabled,
    AnswerLost,
    BadRequest,
    ConnectFailed,
    CredentialsError,
    CurrencyNotSupported,
    Declined,
    DefiniteError,
    Endpoints,
    Entry,
    IndeterminateError,
    InsufficientFunds,
    NotFound,
    NotReversible,
    PartialTooEarly,
    PermissionDenied,
    ResponseLost,
    RetryableError,
    ServerFault,
    TransactionsApi,
    Unavailable,
    Unreachable,
    numeric,
    to_major,
)

HOSTS = Endpoints("https://accounts.example", "https://api.example", "https://www.example")
SALE = "8d1c8f60-94a1-4a70-8a43-0d5b5d9e6f31"
#: Section 4 of the reference.
REVERSED = {
    "Emv": None,
    "Amount": 10.0,
    "StatusId": "F",
    "CurrencyCode": "978",
    "TransactionId": "5b3e7a7b-1d0e-4a55-8c3f-52a6f3a1b0aa",
    "ReferenceNumber": 212712,
    "AuthorizationId": "212712",
    "RetrievalReferenceNumber": "616107212712",
    "ThreeDSecureStatusId": 2,
    "ErrorCode": 0,
    "ErrorText": None,
    "TimeStamp": "2026-06-10T10:05:00.0000000+03:00",
    "CorrelationId": None,
    "EventId": 0,
    "Success": True,
}
#: Section 3 of the reference; people and numbers are invented.
ROW = {
    "TransactionId": SALE,
    "ParentId": None,
    "Amount": 1.20,
    "StatusId": "F",
    "InsDate": "2024-06-08T23:30:14.65+03:00",
    "Commission": 0.27,
    "Fee": 0.00,
    "ClearanceDate": "2024-06-09T02:05:57.6+03:00",
    "TipAmount": 0.20,
    "RedeemedAmount": 0.0,
    "SourceCode": "8541",
    "SourceTerminalId": 79504090,
    "MerchantTrns": "POS/0042/1",
    "CustomerTrns": None,
    "CurrencyCode": "978",
    "AuthorizationId": "407060",
    "RetrievalReferenceNumber": "416020407060",
    "PanEntryMode": "07",
    "BankId": "NET_VISA",
    "TotalInstallments": 3,
    "Order": {"OrderCode": 9160244321504090, "Tags": []},
    "Payment": {"Email": "maria.invented@example.com", "Phone": "6900000000", "FullName": "Maria"},
    "TransactionType": {"Name": "CardCharge", "TransactionTypeId": 5},
    "CreditCard": {
        "Token": "9a1e9a1e",
        "Number": "414746XXXXXX0133",
        "CardHolderName": "MARIA INVENTED",
        "ExpirationDate": "2029-11-30T00:00:00",
        "CardType": {"Name": "VISA", "CardTypeId": 0},
    },
}
REFUND_ROW = {
    **ROW,
    "TransactionId": "5b3e7a7b-1d0e-4a55-8c3f-52a6f3a1b0aa",
    "ParentId": SALE,
    "Amount": -1.2,
    "TransactionType": {"Name": "CardRefund", "TransactionTypeId": 4},
}


def found(*rows, **changes):
    return answer(
        200,
        {"Transactions": list(rows), "ErrorCode": 0, "EventId": 0, "Success": True, **changes},
    )


def refused(status, text="", event_id=0, *, code=None, **changes):
    body = {"ErrorCode": code or status, "ErrorText": text, "EventId": event_id, "Success": False}
    return answer(status, {**body, **changes})


def make(*answers):
    transport = ScriptedTransport(*answers)
    return TransactionsApi(transport, HOSTS, "merchant", "key"), transport


def reverse(api, amount=1000):
    return api.reverse(SALE, amount, "EUR", merchant_reference="VP/R/1")


def capture(api, amount=1000):
    return api.capture(SALE, amount, "EUR", merchant_reference="VP/C/1")


WRITES = {"reverse": reverse, "capture": capture}
READS = {
    "find": lambda api: api.find(SALE),
    "of_order": lambda api: api.of_order("6104224321000010"),
    "of_day": lambda api: api.of_day(date(2024, 6, 8)),
}
CALLS = {**READS, **WRITES}
HTML = b"<html><body>Sorry</body></html>"


# -- requests -----------------------------------------------------------------


def test_reverse():
    api, transport = make(answer(200, REVERSED))
    done = api.reverse(SALE, 1000, "EUR", merchant_reference="VP/R/1", source_code="8541")
    (request,) = transport.requests
    assert (request.method, request.url) == (
        "DELETE",
        f"https://www.example/api/transactions/{SALE}",
    )
    assert request.params == {
        "amount": "1000",
        "currencyCode": "978",
        "merchantTrns": "VP/R/1",
        "sourceCode": "8541",
    }
    assert (request.basic, request.json, request.form) == (("merchant", "key"), None, None)
    assert (request.connect_timeout, request.read_timeout) == (2.0, 6.0)
    assert done.transaction_id == REVERSED["TransactionId"]
    assert (done.amount, done.currency, done.type_id) == (1000, "EUR", None)
    assert (done.rrn, done.authorisation_code, done.stan) == ("616107212712", "212712", "212712")
    assert done.raw["Amount"] == 10.0


def test_capture():
    api, transport = make(answer(200, {**REVERSED, "TransactionTypeId": 0, "CurrencyCode": 978}))
    done = capture(api)
    (request,) = transport.requests
    assert (request.method, request.url) == ("POST", f"https://www.example/api/transactions/{SALE}")
    assert request.json == {"amount": 1000, "merchantTrns": "VP/C/1"}
    assert (request.params, request.basic) == ({}, ("merchant", "key"))
    assert (done.amount, done.currency, done.type_id) == (1000, "EUR", 0)


def test_look_ups():
    for call, params in [
        ("of_order", {"ordercode": "6104224321000010"}),
        ("of_day", {"date": "2024-06-08"}),
    ]:
        api, transport = make(found())
        assert READS[call](api) == []
        (request,) = transport.requests
        assert (request.method, request.url) == ("GET", "https://www.example/api/transactions/")
        assert (request.params, request.basic) == (params, ("merchant", "key"))
    api, transport = make(found(ROW))
    assert api.find(SALE.upper()).transaction_id == SALE
    assert transport.requests[0].url.endswith(SALE.upper())


@pytest.mark.parametrize("amount", [0, -1, 10.0, "10", True, None, Decimal(10), 2**31])
@pytest.mark.parametrize("call", WRITES.values())
def test_an_amount_that_is_none_is_not_sent(call, amount):
    api, transport = make()
    with pytest.raises(ValueError):
        call(api, amount)
    assert not transport.requests


def test_what_else_is_not_sent():
    api, transport = make()
    with pytest.raises(CurrencyNotSupported):
        api.reverse(SALE, 1, "USD", merchant_reference="r")
    with pytest.raises(CurrencyNotSupported):
        api.capture(SALE, 1, "USD", merchant_reference="r")
    for reference in ("", "x" * 256):
        with pytest.raises(ValueError):
            api.reverse(SALE, 1, "EUR", merchant_reference=reference)
    for transaction_id in ("", "..", "."):
        with pytest.raises(BadRequest):
            api.reverse(transaction_id, 1, "EUR", merchant_reference="r")
        with pytest.raises(BadRequest):
            api.find(transaction_id)
    for order_code in ("", "12 3", "1&date=x", "٣"):
        with pytest.raises(BadRequest):
            api.of_order(order_code)
    assert not transport.requests


def test_an_odd_id_stays_an_id():
    api, transport = make(answer(404))
    assert api.find("../orders/1?x") is None
    assert transport.requests[0].url.endswith("/api/transactions/..%2Forders%2F1%3Fx")


# -- rows ---------------------------------------------------------------------


def test_a_row():
    api, _ = make(found(ROW, REFUND_ROW))
    sale, refund = api.of_order("9160244321504090")
    assert sale == Entry(
        transaction_id=SALE,
        parent_id="",
        amount=120,
        currency="EUR",
        status_id="F",
        type_id=5,
        created_at=datetime(2024, 6, 8, 20, 30, 14, 650000, timezone.utc),
        cleared_at=datetime(2024, 6, 8, 23, 5, 57, 600000, timezone.utc),
        merchant_reference="POS/0042/1",
        order_code="9160244321504090",
        terminal_id="79504090",
        rrn="416020407060",
        authorisation_code="407060",
        card_brand="Visa",
        card_last4="0133",
        card_masked="************0133",
        tip=20,
        commission=27,
        installments=3,
    )
    assert (refund.parent_id, refund.amount, refund.type_id) == (SALE, 120, 4)
    kept = json.dumps(sale.raw)
    for secret in ("maria", "MARIA", "6900000000", "9a1e", "2029", "414746"):
        assert secret not in kept
    assert sale.raw["Amount"] == 1.2


def test_a_row_with_nothing():
    api, _ = make(found({}))
    assert api.of_day(date(2024, 6, 8)) == [Entry("")]


def exactly(text, currency="978", type_id=5):
    """The amount of a row whose Amount is written ``text``."""
    row = {**ROW, "Amount": "AMOUNT", "CurrencyCode": currency}
    row["TransactionType"] = {"TransactionTypeId": type_id}
    body = json.dumps({"Transactions": [row], "ErrorCode": 0, "Success": True})
    api, _ = make(answer(200, body.replace('"AMOUNT"', text).encode()))
    return api.of_day(date(2024, 6, 8))[0].amount


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("19.99", "978", 1999),
        ("1.2", "978", 120),
        ("1.20", "978", 120),
        ("12", "978", 1200),
        ("1e1", "978", 1000),
        ("1.1E+2", "978", 11000),
        ("0.07", "978", 7),
        ("1.005", "978", None),
        ("19.990000000000002", "978", 1999),
        ("4990.0", "348", 499000),
        ("4990", 348, 499000),
        ("1250.0", "392", 1250),
        ("1250", 392, 1250),
        ("1250.5", "392", None),
        ("1.234", "48", 1234),
        ("1.2345", "048", None),
        ("8.1", 8, 810),
        ("1.2", "EUR", None),
        ("1.2", None, None),
        ("1.2", "000", None),
        ('"1.20"', "978", None),
        ("true", "978", None),
        ("null", "978", None),
        ("[1]", "978", None),
        ("-1.20", "978", None),
        ("NaN", "978", None),
        ("Infinity", "978", None),
        ("1e400", "978", None),
        ("1e-400", "978", 0),
        ("99999999999.99", "978", None),
    ],
)
def test_decimals(text, currency, minor):
    assert exactly(text, currency) == minor


@pytest.mark.parametrize("type_id", [4, 7, 18, 61, 84])
def test_the_sign_of_money_back_means_nothing(type_id):
    assert exactly("-19.99", type_id=type_id) == exactly("19.99", type_id=type_id) == 1999


@given(st.integers(0, 2**31 - 1), st.sampled_from(["EUR", "HUF", "JPY", "BHD", "CLF"]))
def test_every_amount_comes_back_to_the_unit(minor, currency):
    assert exactly(str(to_major(minor, currency)), numeric(currency)) == minor


@pytest.mark.parametrize("name", sorted(ROW))
@pytest.mark.parametrize("value", [None, [], {}, "x", -1, 1.5, True, 10**400, "2024-13-45"])
def test_a_spoiled_row_is_read_without_a_crash(name, value):
    api, _ = make(found({**ROW, name: value}))
    (entry,) = api.of_day(date(2024, 6, 8))
    assert entry.amount in (120, 150, None)


@pytest.mark.parametrize(
    "reply",
    [
        answer(404),
        refused(404, "Transaction not found", Transactions=[]),
        refused(200, "Transaction not found", code=404),
        found(),
    ],
)
def test_an_unknown_id(reply):
    api, _ = make(reply)
    assert api.find(SALE) is None


def test_another_transaction_than_asked_for():
    api, _ = make(found({**ROW, "TransactionId": "another"}))
    with pytest.raises(ServerFault):
        api.find(SALE)


@pytest.mark.parametrize(
    "reply",
    [
        answer(200),
        answer(200, HTML),
        answer(200, []),
        answer(200, {}),
        answer(200, json.dumps({"Transactions": [ROW]}).encode()[:-9]),
        answer(200, {"Transactions": [ROW]}),
        found(ROW, Success=False),
        found(ROW, Success="true"),
        found(ROW, ErrorCode=None),
        found(ROW, ErrorCode=500),
        found(ROW, Transactions=None),
        found(ROW, Transactions={}),
        found(ROW, "row"),
        answer(302, HTML),
        answer(404, HTML),
    ],
)
@pytest.mark.parametrize("call", READS.values())
def test_a_list_that_is_not_understood_is_not_empty(call, reply):
    api, _ = make(reply)
    with pytest.raises((ServerFault, NotFound)):
        call(api)


# -- refusals -----------------------------------------------------------------

DISABLED = (
    "The specified api action is disabled for the merchant 1111, please consult the documentation"
)


@pytest.mark.parametrize("call", CALLS.values())
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadRequest),
        (401, CredentialsError),
        (403, PermissionDenied),
        (405, BadRequest),
        (408, ServerFault),
        (409, BadRequest),
        (429, Unavailable),
        (500, ServerFault),
        (502, ServerFault),
        (504, ServerFault),
        (302, ServerFault),
        (201, ServerFault),
    ],
)
def test_statuses_without_a_body_of_viva(call, status, error):
    for body in (b"", HTML):
        api, transport = make(answer(status, body, x_viva_correlationid="26-104-FDF0A044A2DC"))
        with pytest.raises(error) as caught:
            call(api)
        assert type(caught.value) is error
        assert (caught.value.status, caught.value.correlation_id) == (status, "26-104-FDF0A044A2DC")
        assert len(transport.requests) == 1


@pytest.mark.parametrize("call", WRITES.values())
@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refused(401), CredentialsError),
        (refused(403, DISABLED), ActionDisabled),
        (refused(200, DISABLED, code=403), ActionDisabled),
        (refused(403, "OCT is disabled for the merchant"), ActionDisabled),
        (refused(403, "Forbidden"), PermissionDenied),
        (refused(403, "Non reversible transaction", 2055), NotReversible),
        (refused(403, "", 2055), NotReversible),
        (refused(403, "", "2055"), NotReversible),
        (refused(403, "Non reversible transaction"), NotReversible),
        (refused(403, "Preauth 8d1c8f60 has expired"), NotReversible),
        (refused(400, "Preauth has expired or already captured"), NotReversible),
        (
            refused(403, "Invalid transaction. The transaction … does not allow recurring charge"),
            NotReversible,
        ),
        (refused(400, "PaymentsInvalidAmountForVoid"), PartialTooEarly),
        (refused(200, "PaymentsInvalidAmountForVoid", code=400), PartialTooEarly),
        (refused(400, "Negative or zero amount in reversal"), BadRequest),
        (refused(404), NotFound),
        (answer(404), NotFound),
        (refused(452, "Insufficient available balance"), InsufficientFunds),
        (refused(403, "Insufficient available balance", code=452), InsufficientFunds),
        (refused(502, "Transaction failed", 311), Declined),
        (refused(502, "Transaction failed", 10200), Declined),
        (refused(200, "Transaction failed", 311, code=502), Declined),
    ],
)
def test_refusals(call, reply, error):
    api, transport = make(reply)
    with pytest.raises(DefiniteError) as caught:
        call(api)
    assert type(caught.value) is error
    assert caught.value.raw == (json.loads(reply.body) if reply.body else {})
    assert len(transport.requests) == 1


def test_refusals_in_the_words_of_viva():
    api, _ = make(refused(403, "Non reversible transaction", 2055))
    with pytest.raises(NotReversible) as caught:
        reverse(api)
    assert caught.value.detail == "Non reversible transaction"


@pytest.mark.parametrize("call", WRITES.values())
@pytest.mark.parametrize(
    "reply",
    [
        ResponseLost("reset"),
        answer(200),
        answer(200, HTML),
        answer(200, json.dumps(REVERSED).encode()[:100]),
        answer(200, {**REVERSED, "Success": False}),
        answer(200, {**REVERSED, "Success": None}),
        answer(200, {**REVERSED, "Success": "true"}),
        answer(200, {**REVERSED, "ErrorCode": 403}),
        answer(200, {**REVERSED, "ErrorCode": None}),
        answer(200, {**REVERSED, "TransactionId": None}),
        answer(200, {**REVERSED, "StatusId": "A"}),
        answer(200, {**REVERSED, "StatusId": "E"}),
        answer(204),
        answer(400, {**REVERSED, "ErrorCode": 400}),
        refused(500, "Transaction failed", 311),
        refused(502, "Bad gateway"),
        refused(200, "Bad gateway", code=502),
        answer(502, HTML),
        answer(502, {"EventId": 311}),
        answer(503),
        refused(503, "Busy"),
        answer(504, HTML),
    ],
)
def test_what_may_have_been_done(call, reply):
    api, transport = make(reply)
    with pytest.raises(IndeterminateError):
        call(api)
    assert len(transport.requests) == 1, "nothing is ever repeated"


@pytest.mark.parametrize("call", CALLS.values())
def test_connect_failed_and_answer_lost_are_told_apart(call):
    api, _ = make(ConnectFailed("refused"))
    with pytest.raises(Unreachable):
        call(api)
    api, _ = make(ResponseLost("reset"))
    with pytest.raises(AnswerLost):
        call(api)


def test_a_read_may_be_repeated_when_viva_is_busy():
    for call in READS.values():
        api, _ = make(answer(503))
        with pytest.raises(RetryableError):
            call(api)


@pytest.mark.parametrize(
    ("changes", "amount"),
    [
        ({"Amount": -10.0}, 1000),
        ({"Amount": 10}, 1000),
        ({"Amount": None}, None),
        ({"Amount": "10"}, None),
        ({"Amount": 10.001}, None),
        ({"CurrencyCode": None}, None),
    ],
)
def test_amounts_of_an_answer(changes, amount):
    api, _ = make(answer(200, {**REVERSED, **changes}))
    assert reverse(api).amount == amount


def test_a_capture_below_zero_is_not_believed():
    api, _ = make(answer(200, {**REVERSED, "Amount": -10.0}))
    assert capture(api).amount is None


def test_numbers_where_texts_are_expected():
    numbers = {"AuthorizationId": 212712, "RetrievalReferenceNumber": 616107212712}
    api, _ = make(answer(200, {**REVERSED, **numbers, "ReferenceNumber": 0}))
    done = reverse(api)
    assert (done.rrn, done.authorisation_code, done.stan) == ("616107212712", "212712", "")
