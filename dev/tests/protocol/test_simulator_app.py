"""The app of the simulator: what it does with a URI, and which callback it opens (app-to-app reference, 2 to 4 and 9)."""

import uuid
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import httpx
import pytest
from simulator_process import MERCHANT, PLAIN, TERMINAL, TERMINAL_2, ControlError, until
from webhook_receiver import receiving

BACK = "https://pos.example.com/viva/app/5f0d3c1e"


def uri(action="sale", **more):
    params = {"action": action, "appId": "com.example.pos", "callback": BACK}
    if action in ("sale", "pre_auth"):
        params |= {"clientTransactionId": uuid.uuid4().hex, "amount": "2550"}
    params |= more
    query = urlencode(
        {name: value for name, value in params.items() if value is not ...}, quote_via=quote
    )
    return f"vivapayclient://pay/v1?{query}"


def told(answer):
    """The callback's parameters, decoded as a web server does."""
    address, _, query = answer["callback"].partition("?")
    assert address == BACK
    return dict(parse_qsl(query, keep_blank_values=True))


class Device:
    def __init__(self, simulator):
        self.simulator = simulator

    def open(self, address=None, action="approve", **options):
        address = address or uri()
        return self.post("open", uri=address, action=action, **options)

    def post(self, path, **body):
        return self.simulator.control("POST", f"app/{path}", body)

    def charges(self):
        return self.simulator.control("GET", "charges")


@pytest.fixture
def device(simulator):
    return Device(simulator)


def test_a_sale(device, viva):
    reference = uuid.uuid4().hex
    with receiving() as receiver:
        device.simulator.control("POST", "webhooks", {"url": receiver.url})
        answer = device.open(uri(clientTransactionId=reference))
        until(lambda: receiver.types() == [1796])
    back = told(answer)
    assert (back["status"], back["action"], back["message"]) == (
        "success",
        "sale",
        "Transaction successful",
    )
    assert (back["clientTransactionId"], back["amount"], back["tid"]) == (
        reference,
        "2550",
        TERMINAL,
    )
    assert back["orderCode"].startswith(back["shortOrderCode"])
    assert back["rrn"].endswith(back["referenceNumber"])
    [charge] = device.charges()
    assert (charge["transactionId"], charge["merchantReference"]) == (
        back["transactionId"],
        reference,
    )
    rows = viva.http.get(f"/api/transactions/{back['transactionId']}", auth=viva.basic).json()
    assert rows["Transactions"][0]["MerchantTrns"] == reference
    assert (charge["merchantId"], viva.http.get("/ecr/v1/sessions").json()) == (MERCHANT, [])
    [session] = device.simulator.control("GET", "sessions")
    assert session["channel"] == "app"
    assert device.simulator.control("GET", "violations") == []


@pytest.mark.parametrize(
    ("action", "message"),
    [("cancel", "(-4) USER_CANCEL"), ("decline", "(-12) TRANSACTION_DECLINED_BY_SERVER")],
)
def test_no(device, action, message):
    back = told(device.open(action=action))
    assert (back["status"], back["message"], back["amount"]) == ("fail", message, "2550")
    assert (back["clientTransactionId"], back["orderCode"], back["verificationMethod"]) == (
        "",
        "0",
        " - ",
    )
    device.post("options", reference_on_failure=True)
    assert told(device.open(action=action))["clientTransactionId"]
    short = told(device.open(action=action, short=True))
    assert sorted(short) == ["message", "orderCode", "shortOrderCode", "status", "tid"]
    assert device.charges() == []


def test_no_callback(device):
    assert device.open(action="leave")["callbacks"] == [] and device.charges() == []
    paid = device.open(action="silent")
    assert (paid["callback"], paid["success"]) == (None, True) and len(device.charges()) == 1


def test_twice_late_and_raw(device):
    twice = device.open(twice=True, delay_ms=3000)
    assert twice["callbacks"] == [twice["callback"]] * 2 and twice["delay_ms"] == 3000
    assert len(device.charges()) == 1
    raw = device.open(raw=True)["callback"]
    assert "message=Transaction successful&" in raw and "+0" in raw
    assert " " not in twice["callback"] and "+" not in twice["callback"]


def test_lies(device):
    assert "clientTransactionId" not in told(device.open(without_reference=True))
    assert told(device.open(callback_amount=1))["amount"] == "1"
    assert device.charges()[-1]["amount"] == 2550
    assert told(device.open(amount=2000))["amount"] == "2000"
    assert device.charges()[-1]["amount"] == 2000
    assert told(device.open(terminal="16999999"))["tid"] == "16999999"
    device.open(reference="somebody else's")
    assert device.charges()[-1]["merchantReference"] == "somebody else's"


def test_forged_and_replayed(device, viva):
    with pytest.raises(ControlError):
        device.open(action="replay")
    device.simulator.control("POST", "reset")
    first = told(device.open())
    forged = told(device.open(action="forge"))
    assert forged["status"] == "success" and forged["transactionId"] != first["transactionId"]
    answer = viva.http.get(f"/api/transactions/{forged['transactionId']}", auth=viva.basic)
    assert answer.status_code == 404
    address = uri(clientTransactionId="second")
    again = told(device.open(address, "replay"))
    assert (again["transactionId"], again["clientTransactionId"]) == (
        first["transactionId"],
        "second",
    )
    again = told(device.open(uri(), "replay", old_reference=True))
    assert again["clientTransactionId"] == first["clientTransactionId"]
    assert len(device.charges()) == 1


def test_tip(device):
    back = told(device.open(uri(tipAmount="100"), tip=50))
    assert (back["amount"], back["tipAmount"]) == ("2700", "150")
    device.post("options", amount_with_tip=False)
    back = told(device.open(uri(tipAmount="100")))
    assert (back["amount"], back["tipAmount"]) == ("2550", "100")
    assert device.charges()[-1]["amount"] == 2650


@pytest.mark.parametrize(
    "bad",
    [
        {"action": "nothing"},
        {"appId": ""},
        {"amount": "0"},
        {"amount": "25.50"},
        {"amount": "12345678901"},
        {"amount": ...},
        {"tipAmount": "2551"},
        {"tipAmount": "1", "withInstallments": "true"},
        {"show_receipt": "1"},
    ],
)
def test_invalid(device, bad):
    answer = device.open(uri(**{"action": "sale", **bad}))
    assert told(answer)["message"] == "(-999) UNEXPECTED" and answer["problem"]
    assert device.simulator.control("GET", "violations") and device.charges() == []


@pytest.mark.parametrize(
    ("address", "what"),
    [
        (uri(callback=""), "callback: missing"),
        (uri().replace("pay/v1", "pay/v2"), "not vivapayclient"),
        (uri() + "&customerTrns=a+b", "raw"),
        (uri() + "&amount=1", "twice"),
        (uri(callback=BACK + "?a=1"), "query"),
        (uri(ISV_clientSecret="secret"), "ISV_clientSecret"),
        (uri(clientTransactionId=...), "clientTransactionId"),
    ],
)
def test_broken_rules_are_noted(device, address, what):
    device.post("show", uri=address)
    assert any(
        what in violation["what"] for violation in device.simulator.control("GET", "violations")
    )


def test_the_app_echoes_what_an_isv_sent(device):
    assert told(device.open(uri(ISV_clientSecret="s-1")))["ISV_clientSecret"] == "s-1"


def test_capture_and_cancel(device):
    held = told(device.open(uri("pre_auth")))
    assert device.charges() == []
    back = told(device.open(uri("capture_pre_auth", amount="2000", orderCode=held["orderCode"])))
    assert (back["status"], back["amount"], back["action"]) == (
        "success",
        "2000",
        "capture_pre_auth",
    )
    sale = told(device.open())
    wrong = told(device.open(uri("cancel", amount="1", referenceNumber=sale["referenceNumber"])))
    assert wrong["message"] == "(-23) REFUND_SERVER_ERROR"
    refused = device.open(uri("cancel", referenceNumber=sale["referenceNumber"]), "decline")
    assert told(refused)["message"] == "(-23) REFUND_SERVER_ERROR"
    back = told(device.open(uri("cancel", referenceNumber=sale["referenceNumber"])))
    assert (back["status"], back["amount"]) == ("success", "2550")
    assert [row["operation"] for row in device.charges()] == ["capture", "sale", "void"]
    assert told(device.open(uri("cancel", orderCode="4329100001000010")))["status"] == "fail"


def test_cancel_chooses_among_the_last_three(device):
    ids = [
        told(device.open(uri(amount=str(amount))))["transactionId"]
        for amount in (300, 400, 500, 600)
    ]
    address = uri("cancel")
    shown = device.post("show", uri=address)
    assert [row["amount"] for row in shown["choices"]] == [600, 500, 400]
    device.open(address, pick=ids[1])
    assert device.charges()[-1]["parentId"] == ids[1]
    device.post("options", demo=True)
    assert told(device.open(uri("cancel")))["message"] == "(-999) UNEXPECTED"


def test_unreferenced_refund(device):
    address = uri("unreferenced_refund", amount="500", clientTransactionId="R-1")
    assert told(device.open(address))["status"] == "fail"
    device.simulator.control("POST", "settings", {"unreferenced_refund": True})
    assert told(device.open(address + "&show_receipt=true"))["status"] == "success"
    assert device.charges()[-1]["operation"] == "refund"


def test_abort(device):
    nothing = told(device.open(uri("abort")))
    assert (nothing["status"], nothing["action"]) == ("fail", "abort")
    sale = device.open(action="hold")
    assert (sale["state"], sale["callback"]) == ("shown", None)
    back = told(device.open(uri("abort")))
    assert (back["message"], back["action"], back["amount"]) == ("(-57) ABORTED", "sale", "2550")
    assert device.simulator.control("GET", f"app/{sale['key']}")["callbacks"] == []
    device.post("options", abort_callback="both")
    device.open(uri(callback=BACK + "/sale"), action="hold")
    both = device.open(uri("abort", callback=BACK + "/abort"))["callbacks"]
    assert [urlsplit(url).path.rsplit("/", 1)[1] for url in both] == ["abort", "sale"]
    device.post("options", abort_ignored=True)
    sale = device.open(action="hold")
    assert told(device.open(uri("abort")))["message"] == "(-999) UNEXPECTED"
    assert told(device.post("act", key=sale["key"], action="approve"))["status"] == "success"


def test_details_and_foreground(device):
    reference = uuid.uuid4().hex
    paid = told(device.open(uri(clientTransactionId=reference)))
    back = told(device.open(uri("transactionDetails", clientTransactionId=reference)))
    assert (back["status"], back["message"]) == ("success", "Transaction Details Fetched")
    assert (back["transactionId"], back["clientTransactionId"]) == (
        paid["transactionId"],
        reference,
    )
    gone = told(device.open(uri("transactionDetails", clientTransactionId="other")))
    assert gone["status"] == "fail"
    assert device.open(uri("foreground", callback=""))["callbacks"] == []
    held = device.open(action="hold")
    assert device.open(uri("foreground", callback=""))["running"] == held["key"]
    assert device.simulator.control("GET", "violations") == []


def test_it_is_on_the_terminals_page_and_people_act_there(device):
    address = uri()
    shown = device.post("show", uri=address, terminalId=TERMINAL_2)
    assert device.post("show", uri=address, terminalId=TERMINAL_2)["key"] == shown["key"]
    device.simulator.act("tap", TERMINAL_2)
    done = until(
        lambda: (
            (view := device.simulator.control("GET", f"app/{shown['key']}"))["callback"] and view
        )
    )
    assert told(done)["tid"] == TERMINAL_2
    device.post("show", uri=uri())
    assert told(device.open())["message"] == "(-999) UNEXPECTED"  # one payment at a time
    assert len(device.simulator.control("GET", "app")) == 3


def test_the_simulator_can_deliver(device):
    with receiving() as receiver:
        answer = device.open(uri(callback=receiver.url.partition("?")[0]), deliver=True, twice=True)
    assert answer["delivered"] == [200, 200]
    lost = device.open(uri(callback="http://127.0.0.1:1/x"), deliver=True)
    assert lost["delivered"] == [0]
    with pytest.raises(ControlError):
        device.open(action="dance")
    with pytest.raises(ControlError):
        device.post("options", nonsense=1)


def test_the_app_runs_on_another_terminal(device):
    device.post("options", device=TERMINAL_2)
    assert told(device.open())["tid"] == TERMINAL_2


def test_the_page(simulator):
    page = httpx.get(f"{simulator.url}/app?uri=x", **PLAIN)
    assert page.status_code == 200 and "app.js" in page.text
