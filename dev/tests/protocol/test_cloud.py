"""The cloud driver: requests as the reference writes them, answers by their cause."""

from dataclasses import replace
from datetime import date

import pytest
from doubles import ScriptedTransport, SocketServer, answer, http_answer
from test_verdict import CANCELLED, PAID

from drivers import (
    DEMO,
    LIVE,
    AbortRequest,
    Accepted,
    AlreadyUsed,
    AnswerLost,
    BadRequest,
    CaptureRequest,
    CloudDriver,
    ConnectFailed,
    CredentialsError,
    CurrencyNotSupported,
    Device,
    Endpoints,
    MemoryTokenStore,
    NotFound,
    Operation,
    Outcome,
    Pending,
    PermissionDenied,
    RefundRequest,
    RequestsTransport,
    ResponseLost,
    SaleRequest,
    ServerFault,
    SessionMissing,
    Token,
    TokenSource,
    Unavailable,
    Unreachable,
    UnreferencedRefundRequest,
)

HOSTS = Endpoints("https://accounts.example", "https://api.example/", "https://www.example")
SALE = SaleRequest(
    session_id="0b0f8a4e-6c0c-4f0e-9d42-3b1b8f4f0c11",
    terminal_id="16000010",
    cash_register_id="till-2",
    amount=1250,
    currency="EUR",
    merchant_reference="POS/0042/1",
    customer_text="Table 7",
)
ABORT = AbortRequest(SALE.session_id, "till-2")
#: The refund of section 4.2, and its neighbours.
BACK = {
    "session_id": "77c1f3d2-2a2a-4d1d-8b51-5e2fcb1a0d02",
    "terminal_id": "16000010",
    "cash_register_id": "till-2",
    "amount": 1250,
    "currency": "EUR",
    "merchant_reference": "POS/0042/1-R",
}
REFUND = RefundRequest(parent_session_id=SALE.session_id, **BACK)
CAPTURE = CaptureRequest(parent_session_id=SALE.session_id, **BACK)
UNREFERENCED = UnreferencedRefundRequest(**BACK)
GRANTED = answer(200, {"access_token": "renewed", "expires_in": 3600})
EXPIRED = answer(401, {"detail": "Could not validate credentials"})

CALLS = {
    "devices": lambda driver: driver.devices(),
    "start": lambda driver: driver.start(SALE),
    "read": lambda driver: driver.read(SALE.session_id),
    "sessions": lambda driver: driver.sessions(date(2026, 4, 14)),
    "abort": lambda driver: driver.abort(ABORT),
    "webhook_key": lambda driver: driver.webhook_key("merchant", "key"),
}


def make(*answers, **options):
    transport = ScriptedTransport(*answers)
    store = MemoryTokenStore()
    store.save(Token("token", 9e12))
    tokens = TokenSource(transport, HOSTS.accounts, "client", "secret", store)
    return CloudDriver(transport, HOSTS, tokens, **options), transport


# -- requests -----------------------------------------------------------------


def test_sale_as_in_section_3_1():
    driver, transport = make(answer(200, x_viva_correlationid="26-104-FDF0A044A2DC"))
    accepted = driver.start(SALE)
    assert accepted == Accepted("26-104-FDF0A044A2DC")
    (request,) = transport.requests
    assert (request.method, request.url) == (
        "POST",
        "https://api.example/ecr/v1/transactions:sale",
    )
    assert request.headers == {"Authorization": "Bearer token"}
    assert request.json == {
        "sessionId": "0b0f8a4e-6c0c-4f0e-9d42-3b1b8f4f0c11",
        "terminalId": "16000010",
        "cashRegisterId": "till-2",
        "amount": 1250,
        "currencyCode": "978",
        "merchantReference": "POS/0042/1",
        "customerTrns": "Table 7",
        "preauth": False,
        "maxInstalments": 0,
        "tipAmount": 0,
    }
    types = {name: type(value) for name, value in request.json.items()}
    assert types == {
        **dict.fromkeys(request.json, str),
        "amount": int,
        "preauth": bool,
        "maxInstalments": int,
        "tipAmount": int,
    }


def test_sale_with_everything():
    driver, transport = make(answer(200))
    driver.start(
        SaleRequest("s-1", "16000010", "till-2", 5000, "RON", "ref", "", False, 12, 200),
    )
    body = transport.requests[0].json
    assert body["currencyCode"] == "946"
    assert (body["maxInstalments"], body["tipAmount"], body["customerTrns"]) == (12, 200, "")


def test_preauth():
    driver, transport = make(answer(200))
    driver.start(SaleRequest("s-1", "16000010", "till-2", 5000, "EUR", "ref", preauth=True))
    assert transport.requests[0].json["preauth"] is True
    assert transport.requests[0].url.endswith("/transactions:sale")


@pytest.mark.parametrize(
    ("request_", "operation", "parent"),
    [
        (REFUND, "refund", {"parentSessionId": SALE.session_id}),
        (CAPTURE, "preauth-completion", {"parentSessionId": SALE.session_id}),
        (UNREFERENCED, "unreferenced-refund", {}),
    ],
)
def test_operations_of_section_4(request_, operation, parent):
    driver, transport = make(answer(200, x_viva_correlationid="26-104-FDF0A044A2DC"))
    assert driver.start(request_) == Accepted("26-104-FDF0A044A2DC")
    (request,) = transport.requests
    assert (request.method, request.url) == (
        "POST",
        f"https://api.example/ecr/v1/transactions:{operation}",
    )
    assert request.json == {
        "sessionId": "77c1f3d2-2a2a-4d1d-8b51-5e2fcb1a0d02",
        "terminalId": "16000010",
        "cashRegisterId": "till-2",
        "amount": 1250,
        "currencyCode": "978",
        "merchantReference": "POS/0042/1-R",
        "customerTrns": "",
        **parent,
    }


def test_a_currency_that_viva_does_not_list_is_not_sent():
    driver, transport = make()
    for request in (SALE, REFUND, CAPTURE, UNREFERENCED):
        with pytest.raises(CurrencyNotSupported, match="USD"):
            driver.start(replace(request, currency="USD"))
    assert not transport.requests


@pytest.mark.parametrize("request_", [REFUND, CAPTURE])
def test_an_original_that_viva_does_not_know(request_):
    driver, _ = make(answer(404, {"detail": "Session not found"}))
    with pytest.raises(NotFound) as caught:
        driver.start(request_)
    assert caught.value.detail == "Session not found"


@pytest.mark.parametrize("request_", [REFUND, CAPTURE, UNREFERENCED])
@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": -1250},
        {"amount": 12.5},
        {"session_id": "a b"},
        {"terminal_id": ""},
        {"cash_register_id": ""},
        {"merchant_reference": ""},
        {"customer_text": "x" * 256},
    ],
)
def test_wrongly_written_operations(request_, wrong):
    with pytest.raises(ValueError):
        replace(request_, **wrong)


@pytest.mark.parametrize("request_", [REFUND, CAPTURE])
@pytest.mark.parametrize("parent", ["", "x" * 76, "a\0b", None, BACK["session_id"]])
def test_an_original_that_cannot_be_one(request_, parent):
    with pytest.raises(ValueError):
        replace(request_, parent_session_id=parent)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 0},
        {"amount": -1},
        {"amount": 12.5},
        {"amount": 1250.0},
        {"amount": "1250"},
        {"amount": True},
        {"amount": 2**31},
        {"tip": -1},
        {"tip": 1251},
        {"tip": 0.5},
        {"tip": 10, "preauth": True},
        {"max_installments": -1},
        {"max_installments": 3.0},
        {"session_id": ""},
        {"session_id": "a b"},
        {"session_id": "../x"},
        {"session_id": "x" * 76},
        {"session_id": "x\n"},
        {"terminal_id": ""},
        {"terminal_id": "../16000010"},
        {"cash_register_id": ""},
        {"cash_register_id": "till\n2"},
        {"merchant_reference": ""},
        {"merchant_reference": "x" * 256},
        {"merchant_reference": "a\0b"},
        {"customer_text": "x" * 256},
    ],
)
def test_a_wrongly_written_sale_is_refused_before_anything(wrong):
    with pytest.raises(ValueError):
        SaleRequest(**{**SALE.__dict__, **wrong})


def test_devices():
    listed = [
        {
            "terminalId": "16000010",
            "statusId": 1,
            "sourceCode": "1234",
            "virtualTerminalId": "16000010",
        },
        {"terminalId": 16000011, "statusId": "1", "sourceCode": None},
        {"statusId": 1},
        "nonsense",
        {"terminalId": True},
    ]
    driver, transport = make(answer(200, listed), answer(200, []))
    assert driver.devices() == [
        Device("16000010", 1, "1234", "16000010"),
        Device("16000011", None, "", ""),
    ]
    assert driver.devices("1234") == []
    first, second = transport.requests
    assert (first.method, first.url) == ("POST", "https://api.example/ecr/v1/devices:search")
    assert first.json == {}
    assert second.json == {"sourceCode": "1234"}


def test_read_final_pending_missing():
    driver, transport = make(
        answer(200, PAID),
        answer(202, {"detail": "The session is being processed"}),
        answer(404, {"detail": "Session not found"}),
    )
    outcome = driver.read(SALE.session_id)
    assert isinstance(outcome, Outcome)
    assert (outcome.success, outcome.amount) == (True, 1250)
    assert driver.read(SALE.session_id) == Pending("The session is being processed")
    assert driver.read(SALE.session_id) == SessionMissing("Session not found")
    request = transport.requests[0]
    assert (request.method, request.json, request.params) == ("GET", None, {})
    assert request.url == "https://api.example/ecr/v1/sessions/" + SALE.session_id


def test_abort():
    driver, transport = make(
        answer(200, x_viva_correlationid="26-1-A"), answer(409, {"detail": "…"})
    )
    assert driver.abort(ABORT) == Accepted("26-1-A")
    assert driver.abort(ABORT).repeated
    request = transport.requests[0]
    assert request.method == "DELETE"
    assert request.url == "https://api.example/ecr/v1/sessions/" + SALE.session_id
    assert request.params == {"cashRegisterId": "till-2"}


def test_abort_by_another_cash_register():
    driver, _ = make(answer(403, {"detail": "Only the originator"}), answer(404))
    with pytest.raises(PermissionDenied) as caught:
        driver.abort(ABORT)
    assert caught.value.detail == "Only the originator"
    with pytest.raises(NotFound):
        driver.abort(ABORT)


def test_sessions_of_a_day_as_array_or_object():
    driver, transport = make(
        answer(200, [PAID, CANCELLED]),
        answer(200, PAID),
        answer(200, []),
        answer(200, [{"sessionId": None, "success": None}]),
    )
    assert [outcome.success for outcome in driver.sessions(date(2026, 4, 14))] == [True, False]
    assert [outcome.success for outcome in driver.sessions(date(2026, 4, 14))] == [True]
    assert driver.sessions(date(2026, 4, 14)) == []
    assert driver.sessions(date(2026, 4, 14))[0].success is None
    assert transport.requests[0].url == "https://api.example/ecr/v1/sessions"
    assert transport.requests[0].params == {"date": "2026-04-14"}


@pytest.mark.parametrize("body", [{}, {"detail": "x"}, [PAID, "odd"], [None], "x", 5, None, b"<"])
def test_a_list_that_is_not_understood_may_hide_the_payment_that_is_looked_for(body):
    driver, _ = make(answer(200, body))
    with pytest.raises(ServerFault):
        driver.sessions(date(2026, 4, 14))


def test_webhook_key():
    driver, transport = make(answer(200, {"Key": "B324"}), answer(200, {"key": "b324"}))
    assert driver.webhook_key("merchant", "api key") == "B324"
    assert driver.webhook_key("merchant", "api key") == "b324"
    request = transport.requests[0]
    assert (request.method, request.basic) == ("GET", ("merchant", "api key"))
    assert request.url == "https://www.example/api/messages/config/token"
    assert "Authorization" not in request.headers


def test_webhook_key_refused():
    driver, transport = make(answer(401), answer(200, {"Key": ""}), answer(200, {"Key": ["a"]}))
    with pytest.raises(CredentialsError, match="API key"):
        driver.webhook_key("merchant", "wrong")
    assert len(transport.requests) == 1, "a token cannot help there"
    for _ in range(2):
        with pytest.raises(ServerFault):
            driver.webhook_key("merchant", "key")


# -- ids cannot leave their place ---------------------------------------------


@pytest.mark.parametrize(
    ("session_id", "segment"),
    [
        ("../../api/transactions", "..%2F..%2Fapi%2Ftransactions"),
        ("a/b", "a%2Fb"),
        ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ("a b", "a%20b"),
        ("50%", "50%25"),
        ("%2e%2e", "%252e%252e"),
        ("α", "%CE%B1"),
        ("a\r\nb", "a%0D%0Ab"),
        ("..\\x", "..%5Cx"),
    ],
)
def test_ids_are_encoded_on_the_wire(session_id, segment):
    def script(connection, number):
        while server.request(connection):
            connection.sendall(http_answer("404 Not Found", b"{}"))

    with SocketServer(script) as server:
        hosts = Endpoints(server.url, server.url, server.url)
        store = MemoryTokenStore()
        store.save(Token("token", 9e12))
        transport = RequestsTransport()
        tokens = TokenSource(transport, hosts.accounts, "client", "secret", store)
        driver = CloudDriver(transport, hosts, tokens)
        assert driver.read(session_id) == SessionMissing("")
        line = server.received[0].split(b"\r\n")[0].decode()
        assert line == f"GET /ecr/v1/sessions/{segment} HTTP/1.1"
        transport.close()


@pytest.mark.parametrize("session_id", ["", ".", "..", "..."])
def test_ids_that_cannot_be_made_harmless_are_not_sent(session_id):
    driver, transport = make()
    with pytest.raises(BadRequest):
        driver.read(session_id)
    if session_id:
        with pytest.raises(BadRequest):
            driver.abort(AbortRequest(session_id, "till-2"))
    assert not transport.requests


# -- answers by their cause ---------------------------------------------------


@pytest.mark.parametrize("call", ["devices", "start", "read", "sessions", "abort"])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadRequest),
        (403, PermissionDenied),
        (405, BadRequest),
        (408, ServerFault),
        (415, BadRequest),
        (422, BadRequest),
        (429, Unavailable),
        (500, ServerFault),
        (501, ServerFault),
        (502, ServerFault),
        (503, Unavailable),
        (504, ServerFault),
        (301, ServerFault),
        (302, ServerFault),
    ],
)
def test_statuses(call, status, error):
    reply = answer(status, {"detail": "why"}, x_viva_correlationid="26-104-A")
    driver, transport = make(reply)
    with pytest.raises(error) as caught:
        CALLS[call](driver)
    assert type(caught.value) is error
    assert caught.value.status == status
    assert caught.value.detail == "why"
    assert caught.value.correlation_id == "26-104-A"
    assert "26-104-A" in str(caught.value)
    assert len(transport.requests) == 1, "nothing is repeated"


def test_statuses_of_a_start():
    driver, _ = make(answer(409, {"detail": "exists"}), answer(404, {"detail": "no terminal"}))
    with pytest.raises(AlreadyUsed):
        driver.start(SALE)
    with pytest.raises(NotFound, match="no terminal"):
        driver.start(SALE)


@pytest.mark.parametrize("body", [None, b"", b"<html>", {"anything": 1}])
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_start_is_accepted_whatever_the_body(status, body):
    driver, _ = make(answer(status, body))
    assert isinstance(driver.start(SALE), Accepted)


@pytest.mark.parametrize(
    "body",
    [
        None, b"", b"<html>Welcome</html>", b"{", b"[" * 100_000, [], [PAID], "paid", True, {},
        {"detail": "x"}, {"success": True}, {**PAID, "success": "true"}, {**PAID, "sessionId": None},
        b"\xff\xfe", b'{"success": NaN}',
    ],
)  # fmt: skip
def test_a_final_answer_that_is_not_understood(body):
    driver, _ = make(answer(200, body))
    with pytest.raises(ServerFault):
        driver.read(SALE.session_id)


def test_details_in_both_forms():
    listed = {
        "detail": [
            {
                "loc": ["body", "amount"],
                "msg": "value is not a valid integer",
                "type": "type_error",
                "input": "4147460000000133",
            },
            {"loc": ["body"], "msg": "odd"},
            "text",
            None,
        ]
    }
    driver, _ = make(
        answer(422, listed),
        answer(422, {"detail": {"odd": 1}}),
        answer(400, {"detail": "mail jane@example.com"}),
        answer(400, b"<html>"),
        answer(400, {"detail": "x" * 9999}),
    )
    details = []
    for _ in range(5):
        with pytest.raises(BadRequest) as caught:
            driver.start(SALE)
        details.append(caught.value.detail)
    assert details[0] == "body.amount: value is not a valid integer; body: odd; text"
    assert details[1] == ""
    assert details[2] == "mail [removed]"
    assert details[3] == ""
    assert len(details[4]) == 500


@pytest.mark.parametrize("call", sorted(CALLS))
def test_connect_failed_and_answer_lost_are_told_apart(call):
    driver, transport = make(ConnectFailed("refused"), ResponseLost("timed out"))
    with pytest.raises(Unreachable, match="refused"):
        CALLS[call](driver)
    with pytest.raises(AnswerLost, match="timed out"):
        CALLS[call](driver)
    assert len(transport.requests) == 2


# -- 401 ----------------------------------------------------------------------


def test_a_rejected_token_is_renewed_once_and_the_same_request_repeated():
    driver, transport = make(EXPIRED, GRANTED, answer(200))
    driver.start(SALE)
    first, token, second = transport.requests
    assert token.url.endswith("/connect/token")
    assert first.headers["Authorization"] == "Bearer token"
    assert second.headers["Authorization"] == "Bearer renewed"
    assert (first.json, first.url) == (second.json, second.url)


def test_rejected_again():
    driver, transport = make(EXPIRED, GRANTED, EXPIRED)
    with pytest.raises(CredentialsError) as caught:
        driver.start(SALE)
    assert caught.value.detail == "Could not validate credentials"
    assert len(transport.requests) == 3


def test_lost_after_the_renewal_is_lost():
    driver, _ = make(EXPIRED, GRANTED, ResponseLost("x"))
    with pytest.raises(AnswerLost):
        driver.start(SALE)


def test_no_token_means_nothing_was_sent():
    """However the login service fails: the sale never left, so it is no unknown."""
    for failure in (ResponseLost("x"), answer(500), answer(504)):
        driver, transport = make(EXPIRED, failure)
        with pytest.raises(Unavailable):
            driver.start(SALE)
        assert len(transport.requests) == 2


def test_time_is_kept_within_the_budget():
    now = [0.0]

    def slow(request):
        now[0] += 4.0
        return EXPIRED

    def slow_token(request):
        now[0] += 3.0
        return GRANTED

    driver, transport = make(slow, slow_token, answer(200), clock=lambda: now[0], budget=12.0)
    driver.start(SALE)
    sale = transport.requests[-1]
    assert sale.connect_timeout + sale.read_timeout <= 5.0
    now[0] = 0.0
    driver, transport = make(slow, slow_token, clock=lambda: now[0], budget=9.0)
    with pytest.raises(Unavailable, match="nothing was sent"):
        driver.start(SALE)


def test_time_outs():
    driver, transport = make(
        *[answer(200)] * 2, answer(202), answer(200, []), read_timeout=2.5, start_timeout=4.0
    )
    driver.start(SALE)
    driver.abort(ABORT)
    driver.read("x")
    driver.sessions(date(2026, 4, 14))
    assert [request.read_timeout for request in transport.requests] == [4.0, 2.5, 2.5, 6.0]
    assert {request.connect_timeout for request in transport.requests} == {2.0}


# -- environments and abilities -----------------------------------------------


def test_environments():
    for hosts, prefix in ((DEMO, "demo"), (LIVE, "")):
        assert hosts.accounts.startswith(f"https://{prefix}")
    assert LIVE.www == "https://www.vivapayments.com"
    assert DEMO.www == "https://demo.vivapayments.com"
    assert DEMO.api == "https://demo-api.vivapayments.com"
    assert LIVE.accounts == "https://accounts.vivapayments.com"


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8970",
        "http://localhost:8970/",
        "http://[::1]:8970",
        "https://x.example/a/",
    ],
)
def test_addresses(address):
    assert not Endpoints(address, address, address).api.endswith("/")


@pytest.mark.parametrize(
    "address",
    [
        "", "x", "http://viva.example", "http://127.0.0.1.evil.example", "http://localhost.evil.example",
        "ftp://x", "https://", "https://user:pw@x.example", "https://x.example/?a=b",
        "https://x.example/#a", "https://127.0.0.1@evil.example", "//x.example",
    ],
)  # fmt: skip
def test_addresses_that_are_refused(address):
    with pytest.raises(ValueError):
        Endpoints(address, address, address)


def test_capabilities():
    capabilities = make()[0].capabilities
    assert capabilities.operations == set(Operation)
    assert capabilities.abort and capabilities.sessions_by_date
    assert capabilities.partial_refund and capabilities.unreferenced_refund
    assert not capabilities.fiscal


def test_what_was_accepted_is_redacted():
    driver, _ = make(answer(200, {"email": "jane@example.com", "terminalId": "16000010"}))
    assert driver.start(SALE).raw == {"email": "[removed]", "terminalId": "16000010"}
