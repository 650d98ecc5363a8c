"""The simulator's cloud: tokens, devices, operations, sessions, aborts (cloud reference, sections 1 to 5 and 11.3)."""

import re
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone

import httpx
import pytest
from simulator_process import (
    BROKEN_TERMINAL,
    FOREIGN_TERMINAL,
    MERCHANT,
    PLAIN,
    ROOT,
    TERMINAL,
    TERMINAL_2,
    ControlError,
    SimulatorProcess,
    until,
)
from viva_client import VivaClient


def charges(simulator):
    return simulator.control("GET", "charges")


def violations(simulator):
    return [entry["what"] for entry in simulator.control("GET", "violations")]


# -- the process -----------------------------------------------------------------------------------------------------


def test_it_imports_nothing_of_the_addon():
    code = "import sys, simulator.__main__; print([n for n in sys.modules if n.split('.')[0] in ('drivers', 'odoo')])"
    assert (
        subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "[]"
    )
    for source in (ROOT / "simulator").glob("*.py"):
        assert not re.search(r"^\s*(from|import)\s+(odoo|drivers)", source.read_text(), re.M), (
            source
        )


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly_even_with_an_open_page_and_a_held_connection(how):
    process = SimulatorProcess()
    with httpx.stream("GET", f"{process.url}/events", **PLAIN) as page:
        next(page.iter_lines())
        process.control("POST", "faults", {"silent": True})
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{process.url}/ecr/v1/sessions", timeout=0.2, **PLAIN)
        began = time.monotonic()
        assert process.stop(how) == 0
        assert time.monotonic() - began < 3


def test_a_port_in_use_is_told(simulator):
    port = simulator.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "simulator", "--port", port]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10)
    assert done.returncode == 1 and "cannot listen" in done.stderr


# -- tokens ----------------------------------------------------------------------------------------------------------


def test_token_by_basic_and_by_form(viva):
    answer = viva.renew().json()
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    assert "urn:viva:payments:ecr:api" in answer["scope"].split()
    form = {
        "grant_type": "client_credentials",
        "client_id": viva.credentials[0],
        "client_secret": viva.credentials[1],
        "scope": "urn:viva:payments:ecr:api",
    }
    assert (
        httpx.post(f"{viva.simulator.url}/connect/token", data=form, **PLAIN).json()["scope"]
        == form["scope"]
    )


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "sim2-client.apps.vivapayments.com"}, "invalid_client"),
        ({"scope": "urn:viva:payments:core:api:isv"}, "invalid_scope"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
def test_token_refusals(viva, change, error):
    form = {
        "grant_type": "client_credentials",
        "client_id": viva.credentials[0],
        "client_secret": viva.credentials[1],
        **change,
    }
    response = httpx.post(f"{viva.simulator.url}/connect/token", data=form, **PLAIN)
    assert (response.status_code, response.json()) == (400, {"error": error})


def test_token_expires(simulator, viva):
    assert viva.http.get("/ecr/v1/sessions").status_code == 200
    simulator.control("POST", "clock", {"advance_s": 3601})
    response = viva.http.get("/ecr/v1/sessions")
    assert (response.status_code, response.json()) == (
        401,
        {"detail": "Could not validate credentials"},
    )
    viva.renew()
    assert viva.http.get("/ecr/v1/sessions").status_code == 200


def test_token_ttl_setting(simulator, viva):
    simulator.control("POST", "settings", {"token_ttl_s": 90})
    assert viva.renew().json()["expires_in"] == 90


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic c2ltOnNpbQ==", 'Bearer "quoted"'])
def test_bad_authorisation(viva, header):
    del viva.http.headers["Authorization"]
    response = viva.http.get(
        "/ecr/v1/sessions", headers={"Authorization": header} if header else {}
    )
    assert (response.status_code, response.json()) == (
        401,
        {"detail": "Could not validate credentials"},
    )


def test_the_roles_of_the_hosts_stay_apart(simulator, viva):
    transaction_id = viva.paid()["transactionId"]
    path = f"/checkout/v2/transactions/{transaction_id}"
    assert viva.http.get(path).status_code == 403
    checkout = VivaClient(simulator, client="checkout")
    found = checkout.http.get(path).json()
    assert (found["amount"], found["merchantTrns"], found["statusId"]) == (12.5, "POS/0042/1", "F")
    assert datetime.fromisoformat(found["insDate"]).utcoffset() in (
        timedelta(hours=2),
        timedelta(hours=3),
    )
    assert checkout.http.post("/ecr/v1/devices:search", json={}).status_code == 401
    assert httpx.get(f"{simulator.url}{path}", auth=viva.basic, **PLAIN).status_code == 401
    assert (
        httpx.get(f"{simulator.url}/api/transactions", auth=viva.credentials, **PLAIN).status_code
        == 401
    )


def test_headers_of_the_service(viva):
    headers = viva.http.get("/ecr/v1/sessions").headers
    assert headers["server"] == "uvicorn" and float(headers["x-process-time"]) >= 0
    assert re.fullmatch(r"\d\d-\d{3}-[0-9A-F]{12}", headers["x-viva-correlationid"])


# -- devices ---------------------------------------------------------------------------------------------------------


def test_devices(viva):
    found = viva.http.post("/ecr/v1/devices:search", json={}).json()
    assert {device["terminalId"] for device in found} == {TERMINAL, TERMINAL_2, BROKEN_TERMINAL}
    assert found[0] == {
        "terminalId": TERMINAL,
        "statusId": 1,
        "sourceCode": "1234",
        "virtualTerminalId": TERMINAL,
    }
    live = viva.http.post(
        "/ecr/v1/devices:search", json={"statusId": 1, "sourceCode": "1234"}
    ).json()
    assert [device["terminalId"] for device in live] == [TERMINAL, TERMINAL_2]
    assert viva.http.post("/ecr/v1/devices:search", json={"sourceCode": "9999"}).json() == []
    assert violations(viva.simulator) == []


def test_two_merchants_are_kept_apart(simulator, viva):
    other = VivaClient(simulator, "sim2")
    devices = other.http.post("/ecr/v1/devices:search", json={}).json()
    assert [device["terminalId"] for device in devices] == [FOREIGN_TERMINAL]
    session_id = viva.sale()
    assert other.get(session_id).status_code == 404
    assert other.abort(session_id).status_code == 404
    assert viva.post("sale", viva.sale_body(terminalId=FOREIGN_TERMINAL)).status_code == 404
    simulator.act("tap")
    result = viva.final(session_id)
    assert other.http.get("/ecr/v1/sessions").json() == []
    assert (
        other.follow_up("refund", session_id, 1250, terminalId=FOREIGN_TERMINAL).status_code == 404
    )
    basic = ("22222222-2222-3333-4444-555555555555", "sim2-api-key")
    path = f"{simulator.url}/api/transactions/{result['transactionId']}"
    assert httpx.get(path, auth=basic, **PLAIN).json()["Transactions"] == []


def test_terminals_can_be_added(simulator, viva):
    simulator.control(
        "POST", "terminals", {"terminalId": "16000099", "statusId": 1, "sourceCode": "7777"}
    )
    assert viva.paid(terminalId="16000099")["success"]
    simulator.control("POST", "reset")
    assert len(simulator.control("GET", "terminals")) == 4


# -- the sale --------------------------------------------------------------------------------------------------------


def test_a_sale_is_paid(simulator, viva):
    session_id = viva.sale()
    pending = viva.get(session_id)
    assert (pending.status_code, pending.json()) == (
        202,
        {"detail": "The session is being processed"},
    )
    simulator.act("tap")
    result = viva.final(session_id)
    assert result["success"] is True and result["eventId"] == 0 and result["amount"] == 1250
    assert (result["merchantReference"], result["customerTrns"]) == ("POS/0042/1", "Table 7")
    assert (result["transactionTypeId"], result["panEntryMode"]) == (5, "07")
    assert (result["primaryAccountNumberMasked"], result["bankId"]) == (
        "414746******0133",
        "NET_VISA",
    )
    assert (result["abortOperation"], result["abortAckTime"], result["abortSuccess"]) == (
        False,
        None,
        False,
    )
    assert isinstance(result["retrievalReferenceNumber"], int)
    assert str(result["retrievalReferenceNumber"]).endswith(str(result["referenceNumber"]))
    assert result["orderCode"] == result["shortOrderCode"] + TERMINAL[-6:]
    assert re.fullmatch(r"\d{6}", result["authorizationId"])
    assert datetime.fromisoformat(result["transactionDateTime"]).utcoffset() is not None
    (charge,) = charges(simulator)
    assert charge["transactionId"] == result["transactionId"]
    assert (charge["amount"], charge["sessionId"], charge["statusId"]) == (1250, session_id, "F")
    assert violations(simulator) == []


@pytest.mark.parametrize(
    ("action", "options", "expected"),
    [
        ("insert_pin", {}, {"panEntryMode": "05", "transactionTypeId": 5}),
        (
            "tap",
            {"card": "mastercard"},
            {"applicationLabel": "Debit Mastercard", "bankId": "NET_MASTER"},
        ),
        (
            "iris",
            {},
            {"transactionTypeId": 60, "bankId": "NET_IRIS", "primaryAccountNumberMasked": None},
        ),
    ],
)
def test_ways_to_pay(simulator, viva, action, options, expected):
    session_id = viva.sale()
    simulator.act(action, **options)
    result = viva.final(session_id)
    assert result["success"] and {name: result[name] for name in expected} == expected
    assert len(charges(simulator)) == 1


def test_instalments(simulator, viva):
    session_id = viva.sale(maxInstalments=6)
    simulator.act("tap", installments=3)
    result = viva.final(session_id)
    assert (result["transactionTypeId"], result["installments"]) == (6, 3)


def test_a_repeated_session_id_is_409_whatever_became_of_it(simulator, viva):
    body = viva.sale_body()
    assert viva.post("sale", body).status_code == 200
    assert viva.post("sale", body).status_code == 409
    simulator.act("cancel")
    assert viva.post("sale", body).status_code == 409
    assert len(simulator.control("GET", "sessions")) == 1


def test_a_session_id_with_blanks_and_slashes(simulator, viva):
    session_id = viva.sale(sessionId="order 7 / first")
    simulator.act("tap")
    assert until(lambda: viva.get("order%207%20%2F%20first").status_code == 200)
    assert session_id == "order 7 / first"


@pytest.mark.parametrize(
    ("changes", "status", "noted"),
    [
        ({"sessionId": ...}, 422, "sessionId: field required"),
        ({"terminalId": ...}, 422, "terminalId: field required"),
        ({"cashRegisterId": ...}, 422, "cashRegisterId: field required"),
        ({"amount": ...}, 422, "amount: field required"),
        ({"merchantReference": ...}, 422, "merchantReference: field required"),
        ({"amount": "1250"}, 422, "amount: value is not a valid integer"),
        ({"amount": True}, 422, "amount: value is not a valid integer"),
        ({"merchantReference": 42}, 422, "merchantReference: str type expected"),
        ({"preauth": "no"}, 422, "preauth: value could not be parsed to a boolean"),
        ({"amount": 0}, 400, "amount: must be positive"),
        ({"amount": -5}, 400, "amount: must be positive"),
        ({"amount": 100, "tipAmount": 101}, 400, "tipAmount: must not exceed the amount"),
        ({"currencyCode": "EUR"}, 400, "currencyCode: EUR is not a currency of the merchant"),
        ({"currencyCode": "826"}, 400, "currencyCode: 826 is not a currency of the merchant"),
        ({"terminalId": "99"}, 404, "terminalId: unknown terminal"),
        ({"paymentMethod": "Cash"}, 400, "paymentMethod: unknown"),
        ({"preauth": True, "tipAmount": 10}, 400, "preauth: not together with a tip"),
        ({"sessionId": "x" * 76}, 400, "sessionId: too long"),
        ({"tipAmount": ...}, 200, "tipAmount: missing"),
        ({"maxInstallments": 3}, 200, "maxInstallments: unknown field"),
        ({"terminalId": 16000010}, 200, "terminalId: a number where the contract says string"),
        ({"amount": 1999.9999}, 200, "amount: a fraction was cut off"),
    ],
)
def test_violations_are_answered_and_noted(simulator, viva, changes, status, noted):
    response = viva.post("sale", viva.sale_body(**changes))
    assert response.status_code == status
    assert noted in violations(simulator)
    if status == 422:
        (error,) = response.json()["detail"]
        assert set(error) == {"loc", "msg", "type"} and error["loc"][0] == "body"
    elif status >= 400:
        assert isinstance(response.json()["detail"], str)
    assert len(simulator.control("GET", "sessions")) == (1 if status == 200 else 0)


def test_a_fraction_is_charged_truncated(simulator, viva):
    assert viva.paid(amount=229.99999999999997)["amount"] == 229
    assert charges(simulator)[0]["amount"] == 229


def test_a_wrong_content_type_gives_the_list_form(simulator, viva):
    response = viva.http.post(
        "/ecr/v1/transactions:sale", content=b"{}", headers={"Content-Type": "text/plain"}
    )
    expected = [{"loc": ["body"], "msg": "value is not a valid dict", "type": "type_error.dict"}]
    assert (response.status_code, response.json()["detail"]) == (422, expected)
    assert violations(simulator) == ["content type is not application/json"]


def test_unknown_addresses_are_noted(simulator, viva):
    assert viva.http.get("/ecr/v1/terminals").status_code == 404
    assert viva.http.get("/ecr/v1/transactions:sale").status_code == 405
    assert len(violations(simulator)) == 2


def test_strict_switches(simulator, viva):
    simulator.control(
        "POST", "settings", {"strict": {"missing_field": 400, "unknown_terminal": "pending"}}
    )
    response = viva.post("sale", viva.sale_body(amount=...))
    assert (response.status_code, response.json()) == (400, {"detail": "amount: field required"})
    session_id = viva.sale(terminalId="99")
    assert viva.get(session_id).status_code == 202
    assert viva.abort(session_id).status_code == 200
    assert viva.get(session_id).status_code == 202


def test_the_minimum(simulator, viva):
    response = viva.post("sale", viva.sale_body(amount=29))
    assert response.status_code == 400 and simulator.control("GET", "sessions") == []
    assert viva.paid(amount=30)["success"]
    simulator.control("POST", "settings", {"strict": {"below_minimum": "final"}})
    assert viva.final(viva.sale(amount=29))["success"] is False
    simulator.control("POST", "settings", {"min_amount": 1})
    assert viva.paid(amount=1)["success"]


def test_other_currencies(simulator, viva):
    simulator.control("POST", "settings", {"currency": None})
    assert viva.paid(currencyCode="826")["currencyCode"] == "826"
    assert viva.post("sale", viva.sale_body(currencyCode="840")).status_code == 400


# -- what happens at the terminal ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "event_id"), [("cancel", 1000), ("walk_away", 1003)])
def test_no_card(simulator, viva, action, event_id):
    session_id = viva.sale()
    simulator.act(action)
    result = viva.final(session_id)
    assert (result["success"], result["eventId"], result["transactionId"]) == (
        False,
        event_id,
        None,
    )
    assert (result["orderCode"], result["panEntryMode"], result["tid"]) == ("0", "00", TERMINAL)
    assert charges(simulator) == []


def test_the_request_lapses_after_a_minute(simulator, viva):
    session_id = viva.sale()
    simulator.control("POST", "clock", {"advance_s": 59})
    assert viva.get(session_id).status_code == 202
    simulator.control("POST", "clock", {"advance_s": 4})
    assert viva.final(session_id)["eventId"] == 1003
    simulator.control("POST", "settings", {"card_timeout_s": 0.1})
    assert viva.final(viva.sale())["eventId"] == 1003


@pytest.mark.parametrize(("amount", "reason"), [(9905, 10005), (9951, 10051), (9961, 10061)])
def test_decline_amounts(simulator, viva, amount, reason):
    result = viva.paid(amount=amount)
    assert (result["success"], result["eventId"], result["transactionEventId"]) == (
        False,
        1006,
        reason,
    )
    assert result["transactionId"] and result["authorizationId"] == "000000"
    assert result["transactionTypeId"] is None and result["applicationLabel"]
    assert charges(simulator) == []
    assert [row["statusId"] for row in simulator.control("GET", "attempts")] == ["E"]


def test_the_reason_is_missing_for_9906(viva):
    assert "transactionEventId" not in viva.paid(amount=9906)


def test_both_forms_of_a_decline(simulator, viva):
    session_id = viva.sale()
    simulator.act("decline")
    assert viva.final(session_id)["transactionEventId"] == 10051
    session_id = viva.sale()
    simulator.act("decline", form="server", event_id=1010)
    result = viva.final(session_id)
    assert (result["eventId"], result["transactionId"], result["retrievalReferenceNumber"]) == (
        1010,
        None,
        None,
    )


def test_a_second_card_in_the_same_session(simulator, viva):
    session_id = viva.sale()
    simulator.act("decline", try_again=True)
    simulator.act("tap")
    assert viva.final(session_id)["success"]
    assert [row["statusId"] for row in simulator.control("GET", "attempts")] == ["E", "F"]


def test_iris_that_fails_and_iris_that_is_not_paid(simulator, viva):
    session_id = viva.sale(amount=735)
    simulator.act("iris")
    assert viva.final(session_id)["success"] is False
    session_id = viva.sale()
    simulator.act("iris", pay=False)
    assert viva.abort(session_id).status_code == 200
    time.sleep(0.2)
    assert viva.get(session_id).status_code == 202, "a request with a QR code cannot be aborted"
    simulator.act("iris")
    result = viva.final(session_id)
    assert (result["success"], result["abortOperation"], result["abortSuccess"]) == (
        True,
        True,
        False,
    )


def test_a_tip_raises_the_amount(simulator, viva):
    session_id = viva.sale(amount=1000, tipAmount=100)
    simulator.act("tip", minor=200)
    simulator.act("tap")
    result = viva.final(session_id)
    assert (result["amount"], result["tipAmount"]) == (1300, 300)
    simulator.control("POST", "settings", {"strict": {"tip_on_top": False}})
    assert viva.paid(amount=1000, tipAmount=100)["amount"] == 1000


@pytest.mark.parametrize(
    ("option", "value", "field"),
    [
        ("amount", 1, "amount"),
        ("currency", "826", "currencyCode"),
        ("reference", "somebody else", "merchantReference"),
        ("terminal", "16000099", "terminalId"),
        ("transactionId", "00000000-0000-4000-8000-000000000001", "transactionId"),
    ],
)
def test_wrong_answers_on_order(simulator, viva, option, value, field):
    session_id = viva.sale()
    simulator.act("tap", **{option: value})
    assert viva.final(session_id)[field] == value


def test_a_busy_terminal(simulator, viva):
    first = viva.sale()
    second = viva.final(viva.sale())
    assert (second["success"], second["eventId"]) == (False, 1100)
    simulator.act("tap")
    assert viva.final(first)["success"]
    assert viva.paid()["success"], "free again"


def test_a_terminal_that_is_off_leaves_the_session_pending(simulator, viva):
    simulator.act("unplug")
    session_id = viva.sale()
    assert viva.abort(session_id).status_code == 200
    simulator.control("POST", "clock", {"advance_s": 600})
    assert viva.get(session_id).status_code == 202
    simulator.act("plug")
    assert viva.get(session_id).status_code == 202
    assert viva.get(viva.sale(terminalId=BROKEN_TERMINAL)).status_code == 202


def test_late_delivery_is_a_switch(simulator, viva):
    simulator.control("POST", "settings", {"strict": {"late_delivery": True}})
    simulator.act("unplug")
    session_id = viva.sale()
    simulator.act("plug")
    simulator.act("tap")
    assert viva.final(session_id)["success"]


def test_network_lost_while_authorising(simulator, viva):
    simulator.control("POST", "settings", {"authorising_ms": 150})
    session_id = viva.sale()
    simulator.act("tap")
    simulator.act("unplug")
    until(lambda: charges(simulator))
    assert viva.get(session_id).status_code == 202, "charged, and the terminal cannot tell"
    simulator.act("plug")
    assert viva.final(session_id)["success"]


def test_no_network_when_the_card_is_tapped(simulator, viva):
    session_id = viva.sale()
    simulator.act("unplug")
    simulator.control("POST", f"terminals/{TERMINAL}/tap", {})
    time.sleep(0.1)
    assert viva.get(session_id).status_code == 202
    simulator.act("plug")
    assert viva.final(session_id)["eventId"] == 4000
    assert charges(simulator) == []


def test_cancelled_and_then_paid(simulator, viva):
    session_id = viva.sale()
    simulator.act("retry_paid", delay_ms=50)
    assert viva.final(session_id)["eventId"] == 1000
    (charge,) = until(lambda: charges(simulator))
    assert charge["sessionId"] == session_id
    assert viva.get(session_id).json()["success"] is False
    listed = until(
        lambda: (found := viva.http.get("/ecr/v1/sessions").json()) and len(found) == 2 and found
    )
    assert [item["success"] for item in listed] == [False, True]
    assert listed[1]["transactionId"] == charge["transactionId"]


def test_cancelled_and_paid_but_not_in_the_list(simulator, viva):
    simulator.control("POST", "settings", {"strict": {"retry_listed": False}})
    session_id = viva.sale()
    simulator.act("retry_paid", delay_ms=0, first="decline")
    until(lambda: charges(simulator))
    assert [item["eventId"] for item in viva.http.get("/ecr/v1/sessions").json()] == [1006]
    assert viva.get(session_id).json()["success"] is False


def test_terminals_that_act_by_themselves(simulator, viva):
    simulator.control(
        "POST", "settings", {"auto": {"action": "tap", "delay_ms": 10, "card": "maestro"}}
    )
    assert viva.final(viva.sale())["applicationLabel"] == "Maestro"
    assert viva.final(viva.sale(terminalId=TERMINAL_2))["success"]


@pytest.mark.parametrize("action", ["tap", "cancel", "tip", "dance"])
def test_what_is_not_possible_is_refused(simulator, action):
    with pytest.raises(ControlError, match="409"):
        simulator.control("POST", f"terminals/{TERMINAL}/{action}", {"minor": 1})


# -- abort -----------------------------------------------------------------------------------------------------------


def test_an_abort_that_wins(simulator, viva):
    session_id = viva.sale()
    response = viva.abort(session_id)
    assert (response.status_code, response.content) == (200, b"")
    assert viva.get(session_id).status_code == 202, "asynchronous"
    assert viva.abort(session_id).status_code == 409
    result = viva.final(session_id)
    assert (result["success"], result["eventId"]) == (False, 1016)
    assert (
        result["abortOperation"] is True
        and result["abortSuccess"] is True
        and result["abortAckTime"]
    )
    assert viva.abort(session_id).status_code == 404
    assert charges(simulator) == []


def test_an_abort_that_loses(simulator, viva):
    session_id = viva.sale()
    assert viva.abort(session_id).status_code == 200
    simulator.act("tap")
    result = viva.final(session_id)
    assert (result["success"], result["abortOperation"], result["abortSuccess"]) == (
        True,
        True,
        False,
    )
    assert len(charges(simulator)) == 1


def test_abort_refusals(simulator, viva):
    session_id = viva.sale()
    assert viva.abort(session_id, "till-2").status_code == 403
    assert viva.abort(session_id, None).status_code == 422
    assert viva.abort("unknown").status_code == 404
    assert violations(simulator) == ["abort by a foreign cash register", "cashRegisterId: missing"]
    assert viva.get(session_id).status_code == 202


def test_an_abort_reaches_a_terminal_when_it_is_back(simulator, viva):
    session_id = viva.sale()
    simulator.act("unplug")
    assert viva.abort(session_id).status_code == 200
    time.sleep(0.2)
    assert viva.get(session_id).status_code == 202
    simulator.act("plug")
    assert viva.final(session_id)["eventId"] == 1016


# -- the list --------------------------------------------------------------------------------------------------------


def test_sessions_of_a_utc_day(simulator, viva):
    first = viva.paid()["sessionId"]
    today = datetime.now(timezone.utc).date()
    simulator.control("POST", "clock", {"advance_s": 86400})
    viva.renew()
    second = viva.paid()["sessionId"]
    viva.sale()

    def listed(day=None):
        found = viva.http.get("/ecr/v1/sessions", params={"date": day} if day else {}).json()
        return [item["sessionId"] for item in found]

    assert listed(today.isoformat()) == [first]
    assert listed((today + timedelta(days=1)).isoformat()) == [second]
    assert listed() == [second], "today is the default, and pending ones are not listed"
    assert listed((today - timedelta(days=1)).isoformat()) == []
    assert viva.http.get("/ecr/v1/sessions", params={"date": "14/04/2026"}).status_code == 422


def test_a_list_of_one_may_come_as_an_object(simulator, viva):
    simulator.control("POST", "settings", {"strict": {"single_as_object": True}})
    session_id = viva.paid()["sessionId"]
    assert viva.http.get("/ecr/v1/sessions").json()["sessionId"] == session_id


# -- ISV and actions -------------------------------------------------------------------------------------------------


def test_isv(simulator, viva):
    isv = VivaClient(simulator, client="isv")
    isv.root = "/ecr/isv/v1"
    isv.credentials = ("sim-isv.apps.vivapayments.com", "sim-isv-secret")
    isv.renew()
    devices = isv.http.post("/ecr/isv/v1/devices:search", json={"merchantId": MERCHANT}).json()
    assert devices[0]["merchantId"] == MERCHANT
    assert isv.http.post("/ecr/isv/v1/devices:search", json={}).status_code == 422
    details = {"terminalMerchantId": MERCHANT, "amount": 100}
    result = isv.paid(isvDetails=details)
    assert result["success"] and result["isvDetails"] == details
    assert isv.post("sale", isv.sale_body()).status_code == 422
    assert isv.http.post("/ecr/v1/devices:search", json={}).status_code == 401
    assert viva.http.get("/ecr/isv/v1/sessions").status_code == 401


def test_actions(simulator, viva):
    body = {
        "terminalId": TERMINAL,
        "cashRegisterId": "till-1",
        "actionType": "aade-fim-control",
        "request": {"token": "ECR0210U/"},
    }
    simulator.control("POST", "settings", {"authorising_ms": 300})
    action = viva.http.post("/ecr/v1/actions", json=body).json()
    path = f"/ecr/v1/actions/{action['actionId']}"
    assert viva.http.get(path).status_code == 202
    done = until(lambda: (found := viva.http.get(path)).status_code == 200 and found.json())
    assert done["successfullyProcessed"] is True and done["actionType"] == "aade-fim-control"
    assert viva.http.get("/ecr/v1/actions/unknown").status_code == 404
