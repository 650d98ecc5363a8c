"""The simulator's webhooks: handshake, messages, retries, faults (webhooks reference; cloud reference 7 and 11.4)."""

import re
import socket
import time
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import httpx
import pytest
from simulator_process import MERCHANT, PLAIN, TERMINAL, until
from viva_client import VivaClient
from webhook_receiver import Receiver, receiving


@pytest.fixture
def hook(simulator) -> Receiver:
    """A receiver that gets every event of the first merchant."""
    with receiving() as receiver:
        answer = simulator.control("POST", "webhooks", {"url": receiver.url})
        assert answer == {"verified": True, "detail": "verified"}
        yield receiver
        simulator.control("POST", "reset")


def arrived(hook, count):
    return until(lambda: len(hook.received) >= count and list(hook.received))


def quiet(hook, count):
    """Nothing more than ``count`` messages arrive."""
    time.sleep(0.15)
    assert len(hook.received) == count, hook.types()


def fault(simulator, **values):
    simulator.control("POST", "faults", {"webhook": values})


# -- handshake -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attribute", "value", "detail"),
    [
        ("key", "wrong", "URL not verified (wrong key)"),
        ("key", None, "URL not verified (wrong key)"),
        ("get_status", 502, "URL not verified (502)"),
        ("get_status", 302, "URL not verified (302)"),
    ],
)
def test_a_receiver_without_the_right_key_is_not_registered(simulator, attribute, value, detail):
    with receiving() as receiver:
        setattr(receiver, attribute, value)
        answer = simulator.control("POST", "webhooks", {"url": receiver.url})
    assert answer == {"verified": False, "detail": detail}
    assert simulator.control("GET", "webhooks") == []


def test_nobody_at_the_address(simulator):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    assert simulator.control("POST", "webhooks", {"url": url})["verified"] is False


def test_registrations_can_be_listed_kept_and_forgotten(simulator, hook):
    (registered,) = simulator.control("GET", "webhooks")
    assert registered == {
        "url": hook.url,
        "events": [1796, 1797, 1798, 1802, 1803],
        "merchantId": MERCHANT,
    }
    simulator.control("POST", "reset", {"keep_webhooks": True})
    assert len(simulator.control("GET", "webhooks")) == 1
    simulator.control("DELETE", "webhooks")
    assert simulator.control("GET", "webhooks") == []


# -- messages --------------------------------------------------------------------------------------------------------


def test_a_payment(simulator, viva, hook):
    result = viva.paid(amount=1990)
    paid, session = arrived(hook, 2)
    assert (paid["EventTypeId"], session["EventTypeId"]) == (1796, 1802)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", paid["Created"])
    assert (paid["Url"], paid["RecipientId"], paid["MessageTypeId"]) == (hook.url, MERCHANT, 512)
    assert (paid["RetryCount"], paid["Delay"]) == (0, None)
    assert paid["MessageId"] != session["MessageId"]
    data = paid["EventData"]
    assert (data["Amount"], data["CurrencyCode"], data["MerchantTrns"]) == (
        19.9,
        "978",
        "POS/0042/1",
    )
    assert (data["TransactionId"], data["TerminalId"]) == (result["transactionId"], int(TERMINAL))
    assert (data["StatusId"], data["TransactionTypeId"], data["ParentId"]) == ("F", 5, None)
    assert data["CardNumber"] == "414746XXXXXX0133" and data["OrderCode"] == int(
        result["orderCode"]
    )
    assert data["RetrievalReferenceNumber"] == str(result["retrievalReferenceNumber"])
    assert "SessionId" not in data
    athens = datetime.fromisoformat(data["InsDate"]).replace(tzinfo=ZoneInfo("Europe/Athens"))
    assert abs((datetime.now(timezone.utc) - athens).total_seconds()) < 60
    assert "+" not in data["InsDate"] and not data["InsDate"].endswith("Z")
    for personal in (
        "Email",
        "Phone",
        "FullName",
        "CardToken",
        "CardUniqueReference",
        "CardExpirationDate",
    ):
        assert data[personal], personal


def test_the_session_event_counts_in_cents(viva, hook):
    result = viva.paid(amount=1990)
    data = arrived(hook, 2)[1]["EventData"]
    assert (data["Amount"], data["SessionId"], data["TerminalId"]) == (
        1990,
        result["sessionId"],
        TERMINAL,
    )
    assert (data["Success"], data["AbortSuccess"], data["MerchantId"]) == (True, False, MERCHANT)
    assert isinstance(data["OrderCode"], str)


def test_a_decline(simulator, viva, hook):
    viva.paid(amount=9951)
    failed, session = arrived(hook, 2)
    assert (failed["EventTypeId"], session["EventTypeId"]) == (1798, 1803)
    assert (failed["EventData"]["StatusId"], failed["EventData"]["ResponseEventId"]) == ("E", 10051)
    assert "AuthorizationId" not in failed["EventData"]
    assert (session["EventData"]["EventId"], session["EventData"]["Success"]) == (1006, False)


@pytest.mark.parametrize("action", ["cancel", "walk_away"])
def test_no_card_is_told_by_the_session_event_only(simulator, viva, hook, action):
    viva.sale()
    simulator.act(action)
    arrived(hook, 1)
    quiet(hook, 1)
    assert hook.types() == [1803]


def test_a_refund(simulator, viva, hook):
    sale = viva.paid()
    viva.follow_up_result("refund", sale["sessionId"], 1250)
    arrived(hook, 4)
    assert hook.types() == [1796, 1802, 1797, 1802]
    data = hook.received[2]["EventData"]
    assert (data["Amount"], data["ParentId"], data["TransactionTypeId"]) == (
        -12.5,
        sale["transactionId"],
        7,
    )
    simulator.control("POST", "settings", {"strict": {"reversal_in_minor": True}})
    sale = viva.paid()
    viva.follow_up_result("refund", sale["sessionId"], 1250)
    assert arrived(hook, 8)[6]["EventData"]["Amount"] == -1250


def test_reversals_and_captures_without_a_terminal(simulator, viva, hook):
    sale, held = viva.paid(), viva.paid(preauth=True)
    arrived(hook, 4)
    base = f"{simulator.url}/api/transactions"
    capture = {"amount": 1000, "merchantTrns": "invoice 7"}
    httpx.post(f"{base}/{held['transactionId']}", json=capture, auth=viva.basic, **PLAIN)
    arrived(hook, 5)
    back = {"amount": 1250, "merchantTrns": "invoice 8"}
    httpx.delete(f"{base}/{sale['transactionId']}", params=back, auth=viva.basic, **PLAIN)
    captured, voided = (message["EventData"] for message in arrived(hook, 6)[4:])
    assert hook.types()[4:] == [1796, 1797]
    assert (captured["ParentId"], captured["Amount"]) == (held["transactionId"], 10.0)
    assert (captured["TransactionTypeId"], captured["MerchantTrns"]) == (0, "invoice 7")
    assert (voided["ParentId"], voided["Amount"]) == (sale["transactionId"], -12.5)
    assert (voided["TransactionTypeId"], voided["MerchantTrns"]) == (7, "invoice 8")
    simulator.control("POST", f"transactions/{captured['TransactionId']}/reverse", {"amount": 300})
    by_viva = arrived(hook, 7)[6]
    assert by_viva["EventTypeId"] == 1797
    assert by_viva["EventData"]["ParentId"] == captured["TransactionId"]
    assert by_viva["EventData"]["Amount"] == -3.0


def test_only_the_events_asked_for_and_the_price(simulator, viva, hook):
    simulator.control("POST", "webhooks", {"url": hook.url, "events": [1799]})
    result = viva.paid(amount=10000)
    (price,) = arrived(hook, 1)
    assert (price["EventTypeId"], price["EventData"]["TransactionId"]) == (
        1799,
        result["transactionId"],
    )
    assert price["EventData"]["TotalCommission"] == 1.2


def test_other_merchants_hear_nothing(simulator, viva, hook):
    VivaClient(simulator, "sim2").paid(terminalId="16000020")
    quiet(hook, 0)


def test_every_address_gets_its_own_message(simulator, viva, hook):
    with receiving() as second:
        simulator.control("POST", "webhooks", {"url": second.url, "events": [1796]})
        viva.paid()
        arrived(hook, 2)
        (message,) = arrived(second, 1)
    assert message["Url"] == second.url and message["MessageId"] != hook.received[0]["MessageId"]


# -- delivery --------------------------------------------------------------------------------------------------------


def test_retries_every_hour_24_attempts(simulator, viva, hook):
    simulator.control("POST", "webhooks", {"url": hook.url, "events": [1796]})
    hook.answers = [500] * 100
    viva.paid()
    arrived(hook, 1)
    simulator.control("POST", "clock", {"advance_s": 3500})
    quiet(hook, 1)
    simulator.control("POST", "clock", {"advance_s": 101})
    first, second = arrived(hook, 2)
    assert second["MessageId"] == first["MessageId"]
    assert (second["RetryCount"], second["RetryDelayInSeconds"]) == (1, 3600)
    simulator.control("POST", "clock", {"advance_s": 48 * 3600})
    arrived(hook, 24)
    quiet(hook, 24)
    assert [message["RetryCount"] for message in hook.received] == list(range(24))
    assert {entry["status"] for entry in simulator.control("GET", "deliveries")} == {500}


def test_retry_interval_and_recovery(simulator, viva, hook):
    simulator.control("POST", "settings", {"webhook_retry_s": 0.05})
    simulator.control("POST", "webhooks", {"url": hook.url, "events": [1796]})
    hook.answers = [503, 302]
    viva.paid()
    arrived(hook, 3)
    quiet(hook, 3)
    deliveries = simulator.control("GET", "deliveries")
    assert [entry["status"] for entry in deliveries] == [503, 302, 200]
    assert {entry["messageId"] for entry in deliveries} == {hook.received[0]["MessageId"]}
    assert (
        deliveries[0]["url"] == hook.url
        and deliveries[0]["eventTypeId"] == 1796
        and deliveries[0]["ms"] > 0
    )


def test_deliver_by_hand(simulator, hook):
    answer = simulator.control("POST", "deliver", {"event": {"EventTypeId": 1, "anything": [1]}})
    assert answer == {"status": 200, "body": "thank you"}
    simulator.control("POST", "deliver", {"url": hook.url, "raw": "not JSON"})
    simulator.control("POST", "deliver", {"eventTypeId": 1796, "data": {"Amount": 1.5}})
    assert hook.raw[1] == b"not JSON"
    assert hook.received[0] == {"EventTypeId": 1, "anything": [1]}
    assert (hook.received[1]["RecipientId"], hook.received[1]["EventData"]) == (
        MERCHANT,
        {"Amount": 1.5},
    )
    assert [entry["status"] for entry in simulator.control("GET", "deliveries")] == [200, 200, 200]


# -- faults ----------------------------------------------------------------------------------------------------------


def test_webhook_before_the_answer(simulator, viva, hook):
    fault(simulator, before_answer=True)
    session_id = viva.sale()
    assert hook.types()[0] == 1796, "it came before the sale was answered"
    assert viva.get(session_id).json()["success"] is True


def test_duplicates(simulator, viva, hook):
    simulator.control("POST", "webhooks", {"url": hook.url, "events": [1796]})
    fault(simulator, duplicate=2)
    viva.paid()
    messages = arrived(hook, 3)
    quiet(hook, 3)
    assert len({message["MessageId"] for message in messages}) == 1
    assert [message["RetryCount"] for message in messages] == [0, 0, 1]


def test_never(simulator, viva, hook):
    fault(simulator, never=True)
    viva.paid()
    quiet(hook, 0)


def test_delay(simulator, viva, hook):
    fault(simulator, delay_ms=250)
    viva.paid()
    quiet(hook, 0)
    arrived(hook, 2)


def test_failed_and_then_created(simulator, viva, hook):
    fault(simulator, failed_then_created=True)
    viva.paid()
    arrived(hook, 3)
    assert hook.types() == [1798, 1796, 1802]
    assert (
        hook.received[0]["EventData"]["MerchantTrns"]
        == hook.received[1]["EventData"]["MerchantTrns"]
    )
    assert len(simulator.control("GET", "charges")) == 1


def test_reorder(simulator, viva, hook):
    fault(simulator, failed_then_created=True, reorder=True)
    viva.paid()
    arrived(hook, 3)
    assert hook.types() == [1802, 1796, 1798]


def test_viva_reverses_by_itself(simulator, viva, hook):
    fault(simulator, auto_reversal=True, auto_reversal_ms=20, vanish=True)
    result = viva.paid()
    arrived(hook, 3)
    assert hook.types() == [1796, 1802, 1797]
    assert hook.received[2]["EventData"]["ParentId"] == result["transactionId"]
    parent, child = simulator.control("GET", "charges")
    assert (parent["statusId"], parent["refunded"], child["transactionTypeId"]) == ("X", 1250, 7)
    assert viva.get(result["sessionId"]).json()["success"] is True
    path = f"/api/transactions/{result['transactionId']}"
    assert viva.http.get(path, auth=viva.basic).status_code == 404


def test_null_reference_and_foreign_terminal(simulator, viva, hook):
    fault(simulator, null_reference=True, foreign_terminal=True, terminal_as_text=True)
    viva.paid()
    data = arrived(hook, 1)[0]["EventData"]
    assert data["MerchantTrns"] is None and data["TerminalId"] == "16999999"


def test_a_charge_after_cancel_is_told(simulator, viva, hook):
    viva.sale()
    simulator.act("retry_paid", delay_ms=60)
    arrived(hook, 2)
    assert hook.types() == [1803, 1796]


def test_a_terminal_without_network_reports_its_session_later(simulator, viva, hook):
    simulator.control("POST", "settings", {"authorising_ms": 100})
    viva.sale()
    simulator.act("tap")
    simulator.act("unplug")
    arrived(hook, 1)
    quiet(hook, 1)
    simulator.act("plug")
    arrived(hook, 2)
    assert hook.types() == [1796, 1802]


def test_isv_registers_by_api(simulator, viva, hook):
    simulator.control("DELETE", "webhooks")
    isv = VivaClient(simulator, client="isv")
    hook.key = isv.http.get("/isv/v1/webhooks/token").json()["key"]

    def register(event_type):
        body = {"url": hook.url, "eventTypeId": event_type}
        return isv.http.post("/isv/v1/webhooks", json=body).status_code

    assert register(1796) == 400, "an ISV's key has a small k"
    hook.key_field = "key"
    assert (register(1796), register(1802), register(4865)) == (200, 200, 400)
    assert isv.http.post("/isv/v1/webhooks", json={"url": hook.url}).status_code == 400
    assert viva.http.get("/isv/v1/webhooks/token").status_code == 401
    viva.paid()
    VivaClient(simulator, "sim2").paid(terminalId="16000020")
    arrived(hook, 4)
    assert sorted(hook.types()) == [1796, 1796, 1802, 1802]
