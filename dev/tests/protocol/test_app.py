"""App-to-App: the URIs that the till opens, and the callbacks that anybody can open."""

import json
import uuid
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers import (
    Asked,
    CaptureRequest,
    Operation,
    RefundRequest,
    SaleRequest,
    UnreferencedRefundRequest,
    judge,
)
from drivers.app import (
    CAPABILITIES,
    CODES,
    AppAnswer,
    Screens,
    abort_uri,
    cancel_uri,
    capture_uri,
    details_uri,
    foreground_uri,
    parse_callback,
    preauth_uri,
    sale_uri,
    unreferenced_uri,
)

BACK = "https://shop.example.com/viva/app/5f0d3c1e8f524d0b"
FISCAL = {
    "aadeProviderId": "999",
    "aadeProviderSignatureData": "A1B2;;20250314102231;2550;2056;2400;2550;16000010",
    "aadeProviderSignature": "MEUCIQ+/a1b2==",
}
PAID = (
    "aid=A0000000041010&status=success&message=Transaction successful&action=sale"
    "&clientTransactionId=VP/5f0d3c1e-8f52-4d0b-9c3c-0c1b7c2a9b11&amount=2550&rrn=432910000123"
    "&verificationMethod=CONTACTLESS - NO CVM&cardType=Debit Mastercard"
    "&accountNumber=535686******1364&referenceNumber=123&authorisationCode=181644&tid=16000010"
    "&orderCode=4329100001000010&shortOrderCode=4329100001"
    "&transactionDate=2025-03-14T10:22:31.6303015+02:00"
    "&transactionId=b1b2c3d4-0000-4000-8000-1234567890ab&paymentMethod=CARD_PRESENT"
)


def ask(**changes):
    session_id = str(uuid.uuid4())
    return {
        "session_id": session_id,
        "terminal_id": "16000010",
        "cash_register_id": "till-2",
        "amount": 2550,
        "currency": "EUR",
        "merchant_reference": f"VP/{session_id}",
        **changes,
    }


def sale(**changes):
    return SaleRequest(**ask(**changes))


def refund(**changes):
    return RefundRequest(**ask(**{"parent_session_id": "first", **changes}))


def by_stan(**changes):
    return refund(parent_stan="1", **changes)


def capture(**changes):
    return CaptureRequest(**ask(**{"parent_session_id": "first", **changes}))


def read(uri):
    """The parameters of a URI, as an app reads them that decodes; a ``+`` would stay one."""
    parts = urlsplit(uri)
    assert (parts.scheme, parts.netloc, parts.path) == ("vivapayclient", "pay", "/v1")
    assert not parts.fragment and uri.isascii() and "+" not in uri and " " not in uri
    pairs = [part.split("=") for part in parts.query.split("&")]
    assert len({name for name, _value in pairs}) == len(pairs)
    return {name: unquote(value) for name, value in pairs}


# -- URIs -----------------------------------------------------------------------------------------


def test_a_sale():
    request = sale()
    assert read(sale_uri(request, callback=BACK)) == {
        "action": "sale",
        "appId": "odoo.viva_payments",
        "amount": "2550",
        "clientTransactionId": request.merchant_reference,
        "show_receipt": "false",
        "show_transaction_result": "true",
        "show_rating": "false",
        "callback": BACK,
    }


def test_what_a_sale_may_have_besides():
    told = read(
        sale_uri(
            sale(tip=200),
            callback=BACK,
            app_id="com.example.pos",
            source_code="1234",
            payment_method="CardPresent",
            screens=Screens(receipt=True, result=False, rating=True),
        )
    )
    assert (told["amount"], told["tipAmount"], told["appId"]) == ("2550", "200", "com.example.pos")
    assert (told["sourceCode"], told["paymentMethod"]) == ("1234", "CardPresent")
    assert (told["show_receipt"], told["show_transaction_result"]) == ("true", "false")
    told = read(sale_uri(sale(amount=60000, max_installments=12), callback=BACK))
    assert (told["withInstallments"], told["preferredInstallments"]) == ("true", "12")


def test_a_tip_never_with_installments_or_preauth_and_never_above_the_amount():
    with pytest.raises(ValueError, match="installments"):
        sale_uri(sale(tip=1, max_installments=2), callback=BACK)
    with pytest.raises(ValueError, match="tip"):
        sale(tip=2551)
    with pytest.raises(ValueError, match="tip"):
        sale(tip=1, preauth=True)
    forced = sale(tip=1)
    object.__setattr__(forced, "amount", 0)
    with pytest.raises(ValueError, match="tip"):
        sale_uri(forced, callback=BACK)
    object.__setattr__(forced, "preauth", True)
    with pytest.raises(ValueError, match="preauth"):
        preauth_uri(forced, callback=BACK)


@pytest.mark.parametrize("amount", [0, -1, 10**10, True, 1.5])
def test_amounts_that_cannot_be(amount):
    request = sale()
    object.__setattr__(request, "amount", amount)
    with pytest.raises(ValueError, match="amount"):
        sale_uri(request, callback=BACK)


def test_amounts_that_can_be():
    request = sale()
    for amount in (1, 9_999_999_999):
        object.__setattr__(request, "amount", amount)
        assert read(sale_uri(request, callback=BACK))["amount"] == str(amount)


def test_a_preauth():
    told = read(preauth_uri(sale(preauth=True), callback=BACK))
    assert (told["action"], told["amount"]) == ("pre_auth", "2550")
    assert not {"tipAmount", "withInstallments"} & set(told)
    with pytest.raises(ValueError, match="preauth"):
        preauth_uri(sale(), callback=BACK)
    with pytest.raises(ValueError, match="preauth"):
        preauth_uri(sale(preauth=True, max_installments=3), callback=BACK)
    with pytest.raises(ValueError, match="preauth"):
        sale_uri(sale(preauth=True), callback=BACK)


@pytest.mark.parametrize(
    ("original", "told"),
    [
        ({"parent_order_code": "4329100001000010"}, ("orderCode", "4329100001000010")),
        ({"parent_order_code": "4329100001"}, ("shortOrderCode", "4329100001")),
        ({"parent_stan": "000123"}, ("referenceNumber", "123")),
        (
            {"parent_stan": "000123", "parent_order_code": "4329100001000010"},
            ("orderCode", "4329100001000010"),
        ),
    ],
)
@pytest.mark.parametrize(
    ("make", "build", "action"),
    [(refund, cancel_uri, "cancel"), (capture, capture_uri, "capture_pre_auth")],
)
def test_an_original_by_its_order_code_else_by_its_stan(make, build, action, original, told):
    parameters = read(build(make(**original), callback=BACK))
    assert (parameters["action"], parameters["amount"]) == (action, "2550")
    keys = {"orderCode", "shortOrderCode", "referenceNumber"} & set(parameters)
    assert [(key, parameters[key]) for key in keys] == [told]


@pytest.mark.parametrize("stan", ["", "0", "000000", "12a", "-5"])
def test_without_an_original_the_app_is_not_asked(stan):
    """It would let the customer choose one of the last three payments."""
    for make, build in ((refund, cancel_uri), (capture, capture_uri)):
        with pytest.raises(ValueError, match="original"):
            build(make(parent_stan=stan, parent_order_code="0"), callback=BACK)


def test_where_to_look_for_the_original():
    start = datetime(2025, 3, 14, 1, 2, 3, 456789, timezone(timedelta(hours=2)))
    request = refund(parent_stan="7")
    told = read(cancel_uri(request, callback=BACK, between=(start, start + timedelta(days=1))))
    assert told["txnDateFrom"] == "2025-03-13T23:02:03.456Z"
    assert told["txnDateTo"] == "2025-03-14T23:02:03.456Z"
    with pytest.raises(ValueError, match="time zone"):
        cancel_uri(request, callback=BACK, between=(datetime(2025, 3, 14),) * 2)


def test_the_others():
    told = read(unreferenced_uri(UnreferencedRefundRequest(**ask()), callback=BACK))
    assert (told["action"], told["amount"]) == ("unreferenced_refund", "2550")
    assert told["clientTransactionId"].startswith("VP/")
    assert read(abort_uri(callback=BACK)) == {
        "action": "abort",
        "appId": "odoo.viva_payments",
        "callback": BACK,
    }
    told = read(details_uri("VP/1", callback=BACK, source_terminal_id="16000010"))
    assert told["action"] == "transactionDetails"
    assert (told["clientTransactionId"], told["sourceTerminalId"]) == ("VP/1", "16000010")
    with pytest.raises(ValueError, match="reference"):
        details_uri("", callback=BACK)
    assert foreground_uri().endswith("&callback=")
    assert read(foreground_uri(callback=BACK))["callback"] == BACK


@pytest.mark.parametrize(
    "callback",
    [
        "",
        BACK + "?x=1",
        BACK + "?",
        BACK + "#x",
        BACK + "#",
        "http://shop.example.com/viva",
        "http://localhost.example.com/viva",
        "myapp://viva",
        "javascript:alert(1)",
        "//shop.example.com/viva",
        "https:///viva",
        "https://user:secret@shop.example.com/viva",
        "https://shop.example.com/a b",
        "https://shop.example.com/a%20b",
        "https://shop.example.com/ä",
        "https://shop.example.com/a\n",
        "https://shop.example.com/&callback=x",
        "https://shop.example.com/" + "x" * 1000,
        "https://shop.example.com:99999/x",
        "interapp-callback",
    ],
)
def test_callbacks_that_cannot_be(callback):
    with pytest.raises(ValueError, match=r"callback|Port"):
        sale_uri(sale(), callback=callback)
    with pytest.raises(ValueError, match=r"callback|Port"):
        abort_uri(callback=callback)


@pytest.mark.parametrize(
    "callback",
    [
        BACK,
        BACK + "/abort",
        "http://localhost:8069/viva/app/x",
        "http://127.0.0.1:8069/viva/app/x",
        "http://shop.localhost/viva",
        "https://[2001:db8::1]:8443/viva/app/x_y-z~",
    ],
)
def test_callbacks_that_can_be(callback):
    uri = sale_uri(sale(), callback=callback)
    assert read(uri)["callback"] == callback
    # An app that decodes nothing understands it as well.
    if "[" not in callback:
        assert uri.endswith("&callback=" + callback)


def test_fiscal_data_is_a_passenger_encoded_in_full():
    uri = sale_uri(sale(fiscal=FISCAL), callback=BACK)
    assert {name: value for name, value in read(uri).items() if name in FISCAL} == FISCAL
    assert "aadeProviderSignature=MEUCIQ%2B%2Fa1b2%3D%3D&" in uri
    assert "aadeProviderSignatureData=A1B2%3B%3B2025" in uri
    # Also for one that reads a form, where a plain + is a space.
    assert dict(parse_qsl(urlsplit(uri).query))["aadeProviderSignature"] == "MEUCIQ+/a1b2=="
    assert read(cancel_uri(refund(parent_stan="1", fiscal=FISCAL), callback=BACK))["aadeProviderId"]


@pytest.mark.parametrize("name", ["ISV_clientSecret", "ISV_amount", "callback", "amount", "other"])
def test_nothing_else_gets_in_with_fiscal_data(name):
    for build, make in ((sale_uri, sale), (cancel_uri, by_stan)):
        with pytest.raises(ValueError, match="parameter"):
            build(make(fiscal={name: "x"}), callback=BACK)
    with pytest.raises(ValueError, match="fiscal"):
        preauth_uri(sale(preauth=True, fiscal=FISCAL), callback=BACK)


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=80),
    st.text(st.characters(codec="utf-8"), max_size=80),
)
@example("a&amount=1", "+/=;")
def test_any_text_stays_one_parameter(reference, signature):
    try:
        request = sale(merchant_reference=reference, fiscal={"aadeProviderSignature": signature})
        uri = sale_uri(request, callback=BACK)
    except ValueError:
        return
    told = read(uri)
    assert told["clientTransactionId"] == reference
    assert told["aadeProviderSignature"] == signature
    assert (told["amount"], told["callback"]) == ("2550", BACK)
    assert not [name for name in told if name.lower().startswith("isv")]


# -- callbacks ------------------------------------------------------------------------------------


def test_a_success():
    answer = parse_callback(PAID)
    assert (answer.status, answer.code, answer.action) == ("success", None, "sale")
    assert answer.message == "Transaction successful"
    assert answer.reference == "VP/5f0d3c1e-8f52-4d0b-9c3c-0c1b7c2a9b11"
    assert (answer.amount, answer.tip) == (2550, 0)
    assert answer.transaction_id == "b1b2c3d4-0000-4000-8000-1234567890ab"
    assert (answer.order_code, answer.short_order_code) == ("4329100001000010", "4329100001")
    assert (answer.rrn, answer.stan, answer.authorisation_code) == ("432910000123", "123", "181644")
    assert (answer.tid, answer.aid) == ("16000010", "A0000000041010")
    assert (answer.card_brand, answer.card_masked) == ("Mastercard", "************1364")
    assert answer.verification_method == "CONTACTLESS - NO CVM"
    assert answer.finished_at == datetime(2025, 3, 14, 8, 22, 31, 630301, timezone.utc)
    assert answer.raw["accountNumber"] == "****1364"
    assert json.dumps(answer.raw)


@pytest.mark.parametrize(
    "change",
    [
        lambda query: query.replace(" ", "%20"),
        lambda query: query.replace(" ", "+"),
        lambda query: query.replace("+02:00", " 02:00"),
        lambda query: query.replace("+02:00", "%2B02:00"),
        lambda query: query.replace("+02:00", "%2b02%3A00"),
        lambda query: quote(query, safe="=&"),
        lambda query: "&".join(reversed(query.split("&"))),
        lambda query: "?" + query,
        lambda query: "&" + query + "&",
        lambda query: query + "&" + query,
        lambda query: query + "&unknown=1&=&x",
    ],
)
def test_the_same_written_in_another_way(change):
    assert parse_callback(change(PAID)) == parse_callback(PAID)


def test_failures_as_published():
    answer = parse_callback(
        "status=fail&message=(-4) USER_CANCEL&action=sale&clientTransactionId=&amount=2550"
        "&tipAmount=0&verificationMethod= - &referenceNumber=0&tid=16000010&orderCode=0"
        "&shortOrderCode=0"
    )
    assert (answer.status, answer.code, answer.message) == ("fail", -4, "USER_CANCEL")
    assert (answer.reference, answer.stan, answer.order_code) == ("", "", "")
    assert (answer.verification_method, answer.transaction_id) == ("", "")
    assert answer.words == ("cancelled", "cancelled_on_terminal")
    answer = parse_callback(
        "message=(-12) TRANSACTION_DECLINED_BY_SERVER&orderCode=4329100001000010"
        "&shortOrderCode=4329100001&status=fail&tid=16000010"
    )
    assert (answer.code, answer.amount) == (-12, None)
    assert answer.words == ("declined", "declined_by_bank")


@pytest.mark.parametrize(
    ("message", "state"),
    [
        ("(-4) USER_CANCEL", "cancelled"),
        ("(-57) aborted", "cancelled"),
        ("(-12)+TRANSACTION_DECLINED_BY_SERVER", "declined"),
        ("(-23) REFUND_SERVER_ERROR", "failed"),
        ("(-62) RESELLER_ORDER_DECLINED", "failed"),
        ("(-999) UNEXPECTED", "failed"),
        ("(-1234) NEW", "failed"),
        ("(-4", "failed"),
        ("-4 USER_CANCEL", "failed"),
        ("", "failed"),
    ],
)
def test_codes(message, state):
    assert parse_callback("status=fail&message=" + message).words[0] == state
    assert set(CODES) == {-4, -12, -23, -57, -62, -999}


def test_an_isv_secret_is_never_kept():
    secret = "s3cr3t-of-the-isv"
    for query in (
        f"{PAID}&ISV_clientSecret={secret}",
        f"{PAID}&isv_clientsecret={secret}",
        f"{PAID}&%49SV_clientSecret={secret}",
        f"{PAID}&ISV_clientSecret=a&b={secret}",
        f"{PAID}&ISV_clientSecret=a%26status={secret}",
        f"{PAID}&errorText=x%26ISV_clientSecret%3D{secret}",
        f"{PAID}&errorText=x%2526ISV%255FclientSecret%253D{secret}",
        f"ISV_clientSecret={secret}&{PAID}&ISV_amount=10",
    ):
        answer = parse_callback(query)
        everything = repr(answer) + repr(answer.raw)
        assert secret not in everything and "ISV" not in everything.upper()
        assert answer == parse_callback(PAID)


def test_personal_data_and_card_numbers_are_not_kept():
    answer = parse_callback(
        PAID.replace("535686******1364", "4147460000020133")
        + "&cardholderName=Maria&fullName=Maria&customerTrns=Maria&merchantReceiptText=Maria"
        + "&billPaymentToken=tok&message=ask maria@example.com"
    )
    everything = repr(answer) + repr(answer.raw)
    for word in ("Maria", "maria@", "4147460000020133", "tok&"):
        assert word not in everything


@pytest.mark.parametrize("name", ["status", "amount", "transactionId", "clientTransactionId"])
def test_what_is_told_twice_in_different_ways_is_not_told(name):
    answer = parse_callback(f"{PAID}&{name}=fail")
    empty = {"status": answer.status, "amount": answer.amount}
    empty |= {"transactionId": answer.transaction_id, "clientTransactionId": answer.reference}
    assert not empty[name]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("amount", ["-1", "25.50", "1e3", "12345678901", "٢٥", "0x10", "", "2 5"]),
        ("transactionId", ["1", "b1b2c3d4", "'; drop", "b1b2c3d40000400080001234567890ab"]),
        ("orderCode", ["1", "4329100001", "43291000010000100", "abc"]),
        ("transactionDate", ["yesterday", "2025-13-14T10:22:31Z", "2025-03-14T10:22:31"]),
        ("status", ["ok", "1", "SUCCESSFUL", "success!"]),
    ],
)
def test_values_of_a_wrong_form(name, values):
    attribute = {"transactionId": "transaction_id", "orderCode": "order_code"}.get(name, name)
    attribute = {"transactionDate": "finished_at"}.get(name, attribute)
    for value in values:
        assert not getattr(parse_callback(f"{name}={value}"), attribute)


def test_what_is_too_long_is_cut_between_parameters():
    head = "status=success&x="
    query = head + "y" * (32768 - len(head) - len("&amount=25")) + "&amount=2550"
    assert query[:32768].endswith("&amount=25")
    assert (parse_callback(query).status, parse_callback(query).amount) == ("success", None)
    assert parse_callback("&".join(["x=1"] * 300 + ["amount=2550"])).amount is None


names = st.sampled_from(
    [
        "status",
        "message",
        "amount",
        "tipAmount",
        "transactionId",
        "orderCode",
        "tid",
        "transactionDate",
        "accountNumber",
        "cardType",
        "installments",
        "ISV_clientSecret",
        "x",
    ]
)
values = st.text(max_size=30) | st.sampled_from(
    ["success", "fail", "(-4) USER_CANCEL", "2550", "0", "%", "%zz", "%00", "%ff", "+", "%2526"]
)


@given(
    st.text(max_size=300)
    | st.lists(st.tuples(names, values)).map(
        lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
    )
)
@example("&".join(f"status={'x' * 100}{number}" for number in range(1000)))
@example("message=" + "(" * 40000)
@example("transactionDate=" + "9" * 40000)
@example("\ud800=\udfff&message=\udcff\0")
def test_any_query_is_read_and_approves_nothing(query):
    answer = parse_callback(query)
    assert isinstance(answer, AppAnswer)
    assert answer.status in ("success", "fail", "")
    assert answer.amount is None or 0 <= answer.amount <= 9_999_999_999
    assert len(repr(answer)) < 20000 and len(repr(answer.raw)) < 60000
    json.dumps(answer.raw).encode()
    assert "isv_" not in (repr(answer) + repr(answer.raw)).lower()
    assert answer.words[0] in ("cancelled", "declined", "failed")
    assert answer == parse_callback(query)


def test_an_answer_of_the_app_cannot_be_judged():
    request = sale()
    asked = Asked(operation=Operation.SALE, **ask(session_id=request.session_id))
    with pytest.raises(AttributeError):
        judge(asked, parse_callback(PAID))


def test_what_the_app_can_do():
    assert CAPABILITIES.abort and CAPABILITIES.installments and CAPABILITIES.partial_refund
    assert CAPABILITIES.unreferenced_refund
    assert Operation.RELEASE not in CAPABILITIES.operations
