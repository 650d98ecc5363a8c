"""Refunds, voids, captures and look-ups in the simulator (cloud reference 4, transactions reference 2 to 5)."""

from datetime import datetime
from zoneinfo import ZoneInfo

import httpx
import pytest
from simulator_process import MERCHANT, PLAIN, TERMINAL_2, ControlError, until
from viva_client import VivaClient

DAY = 86400


def rows(simulator):
    return simulator.control("GET", "charges")


def cleared(simulator, viva):
    simulator.control("POST", "clock", {"advance_s": DAY})
    viva.renew()


def legacy(viva, method, path="", **options):
    return httpx.request(
        method, f"{viva.simulator.url}/api/transactions{path}", auth=viva.basic, **PLAIN, **options
    )


# -- at the terminal -------------------------------------------------------------------------------------------------


def test_a_full_refund_on_the_same_day_is_a_void(simulator, viva):
    sale = viva.paid()
    result = viva.follow_up_result("refund", sale["sessionId"], 1250)
    assert (result["success"], result["transactionTypeId"], result["amount"]) == (True, 7, 1250)
    assert result["merchantReference"] == sale["merchantReference"]
    parent, child = rows(simulator)
    assert (parent["statusId"], parent["refunded"]) == ("X", 1250)
    assert child["parentId"] == sale["transactionId"]
    again = viva.follow_up_result("refund", sale["sessionId"], 1250)
    assert (again["success"], again["eventId"]) == (False, 1008)


def test_a_partial_refund_before_clearing_fails(simulator, viva):
    sale = viva.paid()
    result = viva.follow_up_result("refund", sale["sessionId"], 500)
    assert (result["success"], result["eventId"], result["message"]) == (
        False,
        1099,
        "Unknown error",
    )
    simulator.control("POST", "settings", {"strict": {"partial_before_clearing": True}})
    assert viva.follow_up_result("refund", sale["sessionId"], 500)["transactionTypeId"] == 4


def test_refunds_after_clearing(simulator, viva):
    sale = viva.paid()
    cleared(simulator, viva)
    for amount in (500, 750):
        result = viva.follow_up_result("refund", sale["sessionId"], amount)
        assert (result["success"], result["transactionTypeId"]) == (True, 4)
    assert (rows(simulator)[0]["statusId"], rows(simulator)[0]["refunded"]) == ("R", 1250)
    assert viva.follow_up_result("refund", sale["sessionId"], 30)["eventId"] == 1008


def test_more_than_is_left(simulator, viva):
    sale = viva.paid()
    cleared(simulator, viva)
    assert viva.follow_up_result("refund", sale["sessionId"], 1251)["eventId"] == 1009


@pytest.mark.parametrize("ending", ["cancel", "decline", "abort", None])
def test_the_parent_must_have_been_paid(simulator, viva, ending):
    parent = viva.sale()
    if ending == "abort":
        viva.abort(parent)
    elif ending:
        simulator.act(ending)
    if ending:
        viva.final(parent)
    assert viva.follow_up("refund", parent, 1250).status_code == 404
    assert viva.follow_up("refund", "unknown", 1250).status_code == 404


def test_refund_needs_its_parent_named(simulator, viva):
    body = viva.sale_body(preauth=..., maxInstalments=..., tipAmount=...)
    assert viva.post("refund", body).status_code == 422
    assert simulator.control("GET", "violations")[0]["what"] == "parentSessionId: field required"


def test_iris_is_given_back_as_iris(simulator, viva):
    session_id = viva.sale()
    simulator.act("iris")
    viva.final(session_id)
    assert viva.follow_up_result("refund", session_id, 1250)["transactionTypeId"] == 84
    session_id = viva.sale()
    simulator.act("iris")
    viva.final(session_id)
    cleared(simulator, viva)
    assert viva.follow_up_result("refund", session_id, 1250)["transactionTypeId"] == 61


def test_refunds_can_be_disabled(simulator, viva):
    sale = viva.paid()
    simulator.control("POST", "settings", {"refunds": False})
    assert viva.follow_up_result("refund", sale["sessionId"], 1250)["eventId"] == 1014


@pytest.mark.parametrize("operation", ["unreferenced-refund", "fast-refund", "rebate"])
def test_refunds_to_any_card_are_off_unless_enabled(simulator, viva, operation):
    def attempt():
        body = viva.sale_body(preauth=..., maxInstalments=..., tipAmount=...)
        assert viva.post(operation, body).status_code == 200
        simulator.act("tap")
        return viva.final(body["sessionId"])

    assert (attempt()["eventId"], rows(simulator)) == (1014, [])
    simulator.control("POST", "settings", {operation.replace("-", "_"): True})
    result = attempt()
    assert (result["success"], result["transactionTypeId"]) == (True, 4)
    assert simulator.control("GET", "violations") == []


def test_preauth_and_capture(simulator, viva):
    held = viva.paid(preauth=True)
    assert (held["transactionTypeId"], held["preauth"]) == (1, True)
    assert rows(simulator) == [], "money is held, not moved"
    assert viva.follow_up_result("preauth-completion", held["sessionId"], 1251)["eventId"] == 1017
    result = viva.follow_up_result("preauth-completion", held["sessionId"], 1000)
    assert (result["success"], result["transactionTypeId"], result["amount"]) == (True, 0, 1000)
    (charge,) = rows(simulator)
    assert (charge["amount"], charge["parentId"]) == (1000, held["transactionId"])
    statuses = [row["statusId"] for row in simulator.control("GET", "attempts")]
    assert statuses == ["C", "F"]
    assert viva.follow_up_result("preauth-completion", held["sessionId"], 100)["success"] is False
    assert viva.follow_up_result("refund", result["sessionId"], 1000)["transactionTypeId"] == 7


def test_a_sale_cannot_be_captured(viva):
    sale = viva.paid()
    assert viva.follow_up("preauth-completion", sale["sessionId"], 1250).status_code == 404


def test_preauth_can_be_released_and_disabled(simulator, viva):
    held = viva.paid(preauth=True)
    assert viva.follow_up_result("refund", held["sessionId"], 1250)["transactionTypeId"] == 7
    held = viva.paid(preauth=True)
    simulator.control("POST", "settings", {"preauth": False, "strict": {"preauth_void": False}})
    assert viva.follow_up("refund", held["sessionId"], 1250).status_code == 404
    assert viva.paid(preauth=True)["eventId"] == 5002


def test_instalments_are_given_back_as_such(simulator, viva):
    session_id = viva.sale(amount=60000, maxInstalments=12)
    simulator.act("tap", installments=6)
    assert viva.final(session_id)["installments"] == 6
    cleared(simulator, viva)
    result = viva.follow_up_result("refund", session_id, 60000)
    assert (result["transactionTypeId"], result["installments"]) == (18, 6)


def test_a_follow_up_stays_on_the_order_code(simulator, viva):
    sale = viva.paid()
    result = viva.follow_up_result("refund", sale["sessionId"], 1250)
    assert result["orderCode"] == sale["orderCode"]
    assert result["retrievalReferenceNumber"] != sale["retrievalReferenceNumber"]


def test_a_refund_that_needs_the_card(simulator, viva):
    simulator.control("POST", "settings", {"refund_needs_card": True})
    sale = viva.paid()
    assert viva.follow_up("refund", sale["sessionId"], 1250).status_code == 200
    first = viva.last_session
    with pytest.raises(ControlError, match="409"):
        simulator.act("iris")
    with pytest.raises(ControlError, match="409"):
        simulator.act("tip", minor=100)
    simulator.act("cancel")
    assert viva.final(first)["eventId"] == 1000
    viva.follow_up("refund", sale["sessionId"], 1250)
    simulator.act("decline")
    result = viva.final(viva.last_session)
    assert (result["eventId"], result["transactionEventId"]) == (1006, 10051)
    assert rows(simulator)[0]["refunded"] == 0
    viva.follow_up("refund", sale["sessionId"], 1250)
    simulator.act("tap")
    result = viva.final(viva.last_session)
    assert (result["success"], result["panEntryMode"]) == (True, "07")
    assert rows(simulator)[0]["refunded"] == 1250


def test_a_refund_that_happens_although_the_session_says_no(simulator, viva):
    simulator.control("POST", "settings", {"refund_needs_card": True})
    sale = viva.paid()
    viva.follow_up("refund", sale["sessionId"], 1250)
    simulator.act("retry_paid", delay_ms=20)
    assert viva.final(viva.last_session)["eventId"] == 1000
    until(lambda: rows(simulator)[0]["refunded"] == 1250)


def test_another_terminal(simulator, viva):
    sale = viva.paid()
    simulator.control("POST", "settings", {"strict": {"refund_elsewhere": False}})
    result = viva.follow_up_result("refund", sale["sessionId"], 1250, terminalId=TERMINAL_2)
    assert (result["success"], result["eventId"]) == (False, 1101)
    simulator.control("POST", "settings", {"strict": {"refund_elsewhere": True}})
    result = viva.follow_up_result("refund", sale["sessionId"], 1250, terminalId=TERMINAL_2)
    assert (result["success"], result["terminalId"]) == (True, TERMINAL_2)


def test_voids_can_be_disabled(simulator, viva):
    simulator.control("POST", "settings", {"voids": False})
    sale = viva.paid()
    assert viva.follow_up_result("refund", sale["sessionId"], 1250)["eventId"] == 5004
    cleared(simulator, viva)
    assert viva.follow_up_result("refund", sale["sessionId"], 1250)["transactionTypeId"] == 4


def test_a_preauth_lapses(simulator, viva):
    held = viva.paid(preauth=True)
    simulator.control("POST", "clock", {"advance_s": 30 * DAY})
    viva.renew()
    assert viva.follow_up_result("preauth-completion", held["sessionId"], 1250)["eventId"] == 1102
    assert viva.follow_up_result("refund", held["sessionId"], 1250)["eventId"] == 1008
    answer = legacy(viva, "POST", f"/{held['transactionId']}", json={"amount": 1250})
    assert (answer.status_code, answer.json()["Success"]) == (403, False)
    assert rows(simulator) == []


def test_extras_of_the_customer(simulator, viva):
    session_id = viva.sale()
    simulator.act("tip", minor=200)
    simulator.act("surcharge", minor=25)
    simulator.act("dcc", currency="826", amount=1270, rate=0.86)
    simulator.act("tap")
    result = viva.final(session_id)
    assert (result["amount"], result["tipAmount"], result["surchargeAmount"]) == (1475, 200, 25)
    assert result["dccDetails"] == {"currencyCode": "826", "amount": 1270, "exchangeRate": 0.86}
    assert result["currencyCode"] == "978"
    (charge,) = rows(simulator)
    assert (charge["amount"], charge["tip"], charge["surcharge"]) == (1475, 200, 25)


def test_extras_that_are_not_offered(simulator, viva):
    viva.sale(preauth=True)
    with pytest.raises(ControlError, match="409"):
        simulator.act("tip", minor=200)
    viva.sale(terminalId=TERMINAL_2, skipSurcharge=True)
    with pytest.raises(ControlError, match="409"):
        simulator.act("surcharge", TERMINAL_2, minor=25)


def test_the_book_says_what_became_of_a_sale(simulator, viva):
    held = viva.paid(preauth=True)
    viva.follow_up_result("preauth-completion", held["sessionId"], 1000)
    viva.follow_up_result("refund", viva.last_session, 1000)
    released = viva.paid(preauth=True)
    viva.follow_up_result("refund", released["sessionId"], 1250)
    book = [
        (row["operation"], row["amount"], row["captured"], row["refunded"], row["statusId"])
        for row in simulator.control("GET", "attempts")
    ]
    assert book == [
        ("preauth", 1250, 1000, 0, "C"),
        ("capture", 1000, 0, 1000, "X"),
        ("void", 1000, 0, 0, "F"),
        ("preauth", 1250, 0, 1250, "X"),
        ("release", 1250, 0, 0, "F"),
    ]
    assert [row["operation"] for row in rows(simulator)] == ["capture", "void"]


# -- by Viva itself --------------------------------------------------------------------------------------------------


def test_viva_gives_back_by_itself(simulator, viva):
    sale = viva.paid()
    simulator.control("POST", "settings", {"refunds": False, "available": 0})
    path = f"transactions/{sale['transactionId']}/reverse"
    child = simulator.control("POST", path, {"amount": 250})
    assert (child["operation"], child["amount"]) == ("refund", 250)
    assert child["parentId"] == sale["transactionId"] and child["sessionId"] is None
    child = simulator.control("POST", path)
    assert (child["amount"], rows(simulator)[0]["refunded"]) == (1000, 1250)
    for again in (path, "transactions/unknown/reverse"):
        with pytest.raises(ControlError, match="409"):
            simulator.control("POST", again)


# -- without a terminal ----------------------------------------------------------------------------------------------


def test_search_by_day_order_and_id(simulator, viva):
    sale = viva.paid()
    today = datetime.now(ZoneInfo("Europe/Athens")).date().isoformat()
    answer = legacy(viva, "GET", params={"date": today}).json()
    (row,) = answer["Transactions"]
    assert (answer["Success"], answer["ErrorCode"]) == (True, 0)
    assert (row["Amount"], row["TransactionId"], row["MerchantTrns"]) == (
        12.5,
        sale["transactionId"],
        "POS/0042/1",
    )
    assert row["TransactionType"]["TransactionTypeId"] == 5 and row["ClearanceDate"] is None
    by_id = legacy(viva, "GET", f"/{sale['transactionId']}").json()
    assert [found["StatusId"] for found in by_id["Transactions"]] == ["F"]
    legacy(viva, "DELETE", f"/{sale['transactionId']}", params={"amount": 1250})
    by_order = legacy(viva, "GET", params={"ordercode": sale["orderCode"]}).json()["Transactions"]
    assert [found["TransactionType"]["TransactionTypeId"] for found in by_order] == [5, 7]
    assert by_order[1]["ParentId"] == sale["transactionId"]
    assert legacy(viva, "GET", params={"sourcecode": "1234"}).status_code == 400
    assert legacy(viva, "GET", "/unknown").status_code == 404


def test_clearing(simulator, viva):
    viva.paid()
    cleared(simulator, viva)
    day = datetime.fromisoformat(simulator.control("POST", "clock", {"advance_s": 0})["now"])
    day = day.astimezone(ZoneInfo("Europe/Athens")).date().isoformat()
    (row,) = legacy(viva, "GET", params={"clearancedate": day}).json()["Transactions"]
    assert row["ClearanceDate"] and row["Commission"] == 0.15


def test_void_and_refund_by_api(simulator, viva):
    sale = viva.paid()
    path = f"/{sale['transactionId']}"
    refused = legacy(viva, "DELETE", path, params={"amount": 500})
    assert (refused.status_code, refused.json()["ErrorText"]) == (
        400,
        "PaymentsInvalidAmountForVoid",
    )
    assert refused.json()["Success"] is False and refused.json()["ErrorCode"] == 400
    done = legacy(viva, "DELETE", path, params={"amount": 1250, "currencyCode": "978"})
    assert (done.status_code, done.json()["Amount"], done.json()["Success"]) == (200, 12.5, True)
    assert done.json()["TransactionId"] != sale["transactionId"]
    again = legacy(viva, "DELETE", path, params={"amount": 1250})
    assert (again.status_code, again.json()["EventId"]) == (403, 2055)
    reversal = legacy(viva, "DELETE", f"/{done.json()['TransactionId']}", params={"amount": 1250})
    assert reversal.status_code == 403
    assert [row["transactionTypeId"] for row in rows(simulator)] == [5, 7]


def test_reversal_refusals(simulator, viva):
    sale = viva.paid()
    path = f"/{sale['transactionId']}"
    assert legacy(viva, "DELETE", path).json()["ErrorText"] == "Negative or zero amount in reversal"
    assert legacy(viva, "DELETE", path, params={"amount": "12.50"}).status_code == 400
    assert (
        legacy(viva, "DELETE", path, params={"amount": 1250, "currencyCode": "826"}).status_code
        == 400
    )
    assert legacy(viva, "DELETE", "/unknown", params={"amount": 1250}).status_code == 404
    simulator.control("POST", "settings", {"refunds": False})
    assert legacy(viva, "DELETE", path, params={"amount": 1250}).status_code == 403
    simulator.control("POST", "settings", {"refunds": True, "available": 600})
    cleared(simulator, viva)
    assert legacy(viva, "DELETE", path, params={"amount": 1250}).status_code == 452
    assert legacy(viva, "DELETE", path, params={"amount": 600}).status_code == 200
    assert legacy(viva, "DELETE", path, params={"amount": 30}).status_code == 452


def test_capture_by_api(simulator, viva):
    held = viva.paid(preauth=True)
    path = f"/{held['transactionId']}"
    assert legacy(viva, "POST", path, json={"amount": 1251}).status_code == 400
    assert legacy(viva, "POST", path, json={"amount": "1000"}).status_code == 400
    done = legacy(viva, "POST", path, json={"amount": 1000, "merchantTrns": "invoice 7"})
    assert (done.status_code, done.json()["TransactionTypeId"], done.json()["Amount"]) == (
        200,
        0,
        10.0,
    )
    assert rows(simulator)[0]["merchantReference"] == "invoice 7"
    again = legacy(viva, "POST", path, json={"amount": 100})
    assert (again.status_code, again.json()["ErrorText"]) == (
        403,
        "Preauth has expired or already captured",
    )
    sale = viva.paid()
    assert (
        legacy(viva, "POST", f"/{sale['transactionId']}", json={"amount": 100}).status_code == 403
    )
    simulator.control("POST", "settings", {"captures": False})
    assert legacy(viva, "POST", path, json={"amount": 100}).status_code == 403


def test_faults_of_reversals_and_captures(simulator, viva):
    sale, held = viva.paid(), viva.paid(preauth=True)
    calls = [
        ("DELETE", f"/{sale['transactionId']}", {"params": {"amount": 1250}}),
        ("POST", f"/{held['transactionId']}", {"json": {"amount": 1250}}),
    ]
    for method, path, options in calls:
        before = len(rows(simulator))
        simulator.control(
            "POST",
            "faults",
            {
                "drop_reverse_request": 1,
                "reverse_status": [
                    503,
                    {"status": 502, "event_id": 311, "text": "Transaction failed"},
                ],
            },
        )
        with pytest.raises(httpx.RemoteProtocolError):
            legacy(viva, method, path, **options)
        assert legacy(viva, method, path, **options).status_code == 503
        refused = legacy(viva, method, path, **options)
        assert (refused.status_code, refused.json()["EventId"]) == (502, 311)
        assert refused.json()["Success"] is False
        assert len(rows(simulator)) == before
        simulator.control("POST", "faults", {"drop_reverse_response": 1})
        with pytest.raises(httpx.RemoteProtocolError):
            legacy(viva, method, path, **options)
        assert len(rows(simulator)) == before + 1


def test_a_reversal_that_is_done_and_answered_by_a_gateway(simulator, viva):
    sale = viva.paid()
    fault = {"status": 502, "accepted": True}
    simulator.control("POST", "faults", {"reverse_status": [fault]})
    answer = legacy(viva, "DELETE", f"/{sale['transactionId']}", params={"amount": 1250})
    assert answer.status_code == 502 and answer.text.startswith("<html>")
    assert rows(simulator)[0]["refunded"] == 1250


def test_faults_of_the_list(simulator, viva):
    sale = viva.paid()
    today = datetime.now(ZoneInfo("Europe/Athens")).date().isoformat()
    simulator.control("POST", "faults", {"transactions_status": [503, 502]})
    assert legacy(viva, "GET", params={"date": today}).status_code == 503
    assert legacy(viva, "GET", f"/{sale['transactionId']}").status_code == 502
    simulator.control("POST", "faults", {"transactions_lag_s": 60})
    assert legacy(viva, "GET", params={"date": today}).json()["Transactions"] == []
    assert legacy(viva, "GET", f"/{sale['transactionId']}").status_code == 404
    simulator.control("POST", "settings", {"strict": {"unknown_transaction": 200}})
    found = legacy(viva, "GET", f"/{sale['transactionId']}")
    assert (found.status_code, found.json()["Transactions"]) == (200, [])
    simulator.control(
        "POST", "faults", {"transactions_lag_s": 0, "merchant_trns_null_in_list": True}
    )
    (row,) = legacy(viva, "GET", params={"date": today}).json()["Transactions"]
    assert row["MerchantTrns"] is None


def test_refunds_in_the_list_may_be_negative(simulator, viva):
    sale = viva.paid()
    viva.follow_up_result("refund", sale["sessionId"], 1250)
    simulator.control("POST", "settings", {"strict": {"negative_refunds": True}})
    found = legacy(viva, "GET", params={"ordercode": sale["orderCode"]}).json()["Transactions"]
    assert [row["Amount"] for row in found] == [12.5, -12.5]


def test_iris_is_not_found_by_the_checkout_look_up(simulator, viva):
    session_id = viva.sale()
    simulator.act("iris")
    transaction_id = viva.final(session_id)["transactionId"]
    checkout = VivaClient(simulator, client="checkout")
    assert checkout.http.get(f"/checkout/v2/transactions/{transaction_id}").status_code == 404
    assert checkout.http.get("/checkout/v2/transactions/unknown").status_code == 404


def test_webhook_key(simulator, viva):
    path = f"{simulator.url}/api/messages/config/token"
    key = httpx.get(path, auth=viva.basic, **PLAIN).json()["Key"]
    merchant = next(
        item for item in simulator.control("GET", "merchants") if item["merchant_id"] == MERCHANT
    )
    assert key == merchant["webhook_key"] and len(key) == 40
    wrong = httpx.get(path, auth=(MERCHANT, "wrong"), **PLAIN)
    assert (wrong.status_code, wrong.content) == (401, b"")


def test_unknown_settings_and_faults_are_refused(simulator):
    for path, body in [
        ("settings", {"nonsense": 1}),
        ("settings", {"strict": {"nonsense": 1}}),
        ("faults", {"nonsense": 1}),
        ("faults", {"webhook": {"nonsense": 1}}),
    ]:
        with pytest.raises(ControlError, match="400"):
            simulator.control("POST", path, body)
