"""The Local Terminal API of the simulator, spoken to without the drivers (local reference, 3, 6 and 10)."""

import hashlib
import http.client
import json
import socket
import ssl
import time
import uuid
from datetime import datetime

import pytest
from simulator_process import ControlError, SimulatorProcess, until
from webhook_receiver import receiving

TERMINAL = "16000030"


class Till:
    """Speaks bare HTTP to a terminal on the LAN."""

    def __init__(self, simulator, **more):
        self.simulator = simulator
        self.address = simulator.control(
            "POST", "terminals", {"terminalId": TERMINAL, "lan": "local", "scheme": "http", **more}
        )

    def set(self, **options):
        return self.simulator.control("POST", f"terminals/{TERMINAL}/lan", options)

    def request(self, method, path, body=None):
        host, port = self.address["host"], self.address["port"]
        if self.address["scheme"] == "https":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = http.client.HTTPSConnection(host, port, timeout=5, context=context)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            self.headers = response.headers
            content = response.read()
            return response.status, json.loads(content) if content else None
        finally:
            connection.close()

    def start(self, path="sale", amount=2550, **more):
        body = {"sessionId": str(uuid.uuid4()), "amount": amount, "currencyCode": "978", **more}
        self.last = body["sessionId"]
        status, answer = self.request("POST", f"/pos/v1/{path}", body)
        assert status == 200, answer
        return answer

    def sale(self, amount=2550, **more):
        answer = self.start("sale", amount, merchantReference="POS-1", **more)
        assert answer == {"state": "PROCESSING", "sessionId": self.last, "sessionType": "SALE"}
        return self.last

    def read(self, session_id=None):
        return self.request("GET", f"/pos/v1/sessions/{session_id or self.last}")[1]

    def final(self, session_id=None):
        def check():
            answer = self.read(session_id)
            return answer if answer["state"] != "PROCESSING" else None

        return until(check)

    def act(self, action, **options):
        return self.simulator.act(action, TERMINAL, **options)

    def paid(self, amount=2550, **more):
        self.sale(amount, **more)
        self.act("tap")
        return self.final()["payloadData"]["saleResponse"]

    def charges(self):
        return self.simulator.control("GET", "charges")


@pytest.fixture
def till(simulator):
    return Till(simulator)


def result(answer):
    return next(iter(answer["payloadData"].values()))


def test_a_sale_is_the_same_money_everywhere(till, viva):
    session_id = till.sale(customerTrns="Table 7")
    shown = until(lambda: till.simulator.control("GET", "terminals")[-1]["session"])
    assert (shown["sessionId"], shown["channel"], shown["state"]) == (session_id, "local", "shown")
    assert till.read() == {"state": "PROCESSING", "sessionId": session_id, "sessionType": "SALE"}
    till.act("tap")
    answer = till.final()
    assert (answer["state"], answer["sessionType"]) == ("SUCCESS", "SALE")
    sale = answer["payloadData"]["saleResponse"]
    assert sale["isSuccess"] is True and sale["eventId"] == 0 and sale["transactionTypeId"] == 5
    assert (sale["amount"], sale["tipAmount"], sale["tid"]) == (2550, 0, TERMINAL)
    assert str(sale["retrievalReferenceNumber"]).endswith(str(sale["referenceNumber"]))
    assert sale["orderCode"].startswith(sale["shortOrderCode"]) and len(sale["orderCode"]) == 16
    assert datetime.fromisoformat(sale["transactionDate"][:23])
    assert len(sale["transactionDate"]) == len("2025-03-14T10:22:31.1200000+02:00")
    assert "merchantApproved" not in sale
    [charge] = till.charges()
    assert (charge["transactionId"], charge["merchantReference"]) == (
        sale["transactionId"],
        "POS-1",
    )
    rows = viva.http.get(
        "/api/transactions", params={"ordercode": sale["orderCode"]}, auth=viva.basic
    ).json()["Transactions"]
    assert [(row["MerchantTrns"], row["SourceTerminalId"]) for row in rows] == [
        ("POS-1", int(TERMINAL))
    ]
    assert viva.get(session_id).status_code == 404
    assert viva.http.get("/ecr/v1/sessions").json() == []
    assert till.simulator.control("GET", "violations") == []


def test_webhooks_are_those_of_the_payment_only(till):
    with receiving() as receiver:
        till.simulator.control("POST", "webhooks", {"url": receiver.url})
        paid = till.paid()
        till.start("refund", 2550, transactionId=paid["transactionId"])
        till.final()
        till.sale(9951)
        till.act("tap")
        till.final()
        until(lambda: len(receiver.types()) == 3)
        time.sleep(0.1)
        assert receiver.types() == [1796, 1797, 1798]


def test_https_with_a_certificate_of_its_own(simulator):
    till = Till(simulator, scheme="https")
    second = simulator.control("POST", "terminals", {"terminalId": "16000031", "lan": "local"})
    pem = ssl.get_server_certificate((till.address["host"], till.address["port"]))
    fingerprint = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
    assert fingerprint == till.address["fingerprint"] != second["fingerprint"]
    assert till.paid()["isSuccess"]
    renewed = till.set(new_certificate=True)
    assert renewed["fingerprint"] != fingerprint and renewed["port"] == till.address["port"]
    assert till.read()["state"] == "SUCCESS"
    simulator.control("POST", "reset")
    assert Till(simulator, scheme="https").address["fingerprint"] == renewed["fingerprint"]


def test_people_refuse_and_a_refusal_can_be_ordered(till):
    till.set(refusals={"1020": 1020})
    for amount, action, event in (
        (500, "cancel", 1000),
        (500, "walk_away", 1003),
        (1020, "tap", 1020),
    ):
        till.sale(amount)
        till.act(action)
        answer = till.final()
        assert (answer["state"], result(answer)["eventId"]) == ("FAILURE", event)
        assert result(answer)["isSuccess"] is False and "transactionId" not in result(answer)
    till.sale(9954)
    till.act("insert_pin")
    assert result(till.final())["eventId"] == 1006
    till.set(success_false=True)
    assert till.read()["state"] == "SUCCESS" and result(till.read())["isSuccess"] is False
    assert till.charges() == []


def test_one_request_at_a_time_also_with_the_cloud(till, viva):
    till.sale()
    assert till.start()["state"] == "BUSY_ERROR"
    assert till.read() == {"state": "SESSION_NOT_FOUND_ERROR", "sessionId": till.last}
    session_id = viva.sale(terminalId=TERMINAL)
    assert viva.final(session_id)["eventId"] == 1100
    till.set(busy_status=409)
    body = {"sessionId": str(uuid.uuid4()), "amount": 100}
    assert till.request("POST", "/pos/v1/sale", body)[0] == 409


@pytest.mark.parametrize("status", [200, 400, 404])
def test_unknown_session(till, status):
    till.set(unknown_session=status)
    told = till.request("GET", f"/pos/v1/sessions/{uuid.uuid4()}")
    assert (told[0], told[1]["state"]) == (status, "SESSION_NOT_FOUND_ERROR")
    told = till.request("POST", "/pos/v1/abort", {"sessionId": str(uuid.uuid4())})
    assert (told[0], told[1]["state"]) == (status, "SESSION_NOT_FOUND_ERROR")


def test_repeated_id(till):
    body = {"sessionId": str(uuid.uuid4()), "amount": 700}
    states = [till.request("POST", "/pos/v1/sale", body)[1]["state"] for _ in range(2)]
    till.act("tap")
    till.final(body["sessionId"])
    states.append(till.request("POST", "/pos/v1/sale", body)[1]["state"])
    till.set(duplicate="busy")
    states.append(till.request("POST", "/pos/v1/sale", body)[1]["state"])
    assert states == ["PROCESSING", "PROCESSING", "SUCCESS", "BUSY_ERROR"]
    assert len(till.charges()) == 1


def test_sessions_are_forgotten(till):
    till.set(session_ttl_s=300)
    till.paid()
    till.simulator.control("POST", "clock", {"advance_s": 301})
    assert till.read()["state"] == "SESSION_NOT_FOUND_ERROR"
    till.sale()
    till.set(restart=True)
    assert till.read()["state"] == "SESSION_NOT_FOUND_ERROR"
    assert till.sale() and len(till.charges()) == 1  # the screen is free again


def test_restart_after_the_card_was_read_charges_all_the_same(till):
    till.simulator.control("POST", "settings", {"authorising_ms": 300})
    till.sale()
    till.act("tap")
    till.set(restart=True)
    until(lambda: till.charges())
    assert till.read()["state"] == "SESSION_NOT_FOUND_ERROR"


def test_drops(till):
    till.set(drop_before_accept=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        till.start()
    assert till.read()["state"] == "SESSION_NOT_FOUND_ERROR"
    till.set(drop_after_accept=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        till.start()
    assert till.read()["state"] == "PROCESSING"
    till.set(drop_read=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        till.read()
    statuses = [
        entry["status"]
        for entry in till.simulator.control("GET", f"requests?path=/lan/{TERMINAL}/pos/v1/sale")
    ]
    assert statuses == ["dropped", "dropped"]


def test_ordered_answers(till):
    till.set(start_status=[500, {"status": 200, "state": "SERVER_ERROR", "accepted": True}])
    body = {"sessionId": str(uuid.uuid4()), "amount": 700}
    assert till.request("POST", "/pos/v1/sale", body)[0] == 500
    assert till.request("POST", "/pos/v1/sale", body)[1]["state"] == "SERVER_ERROR"
    assert till.read(body["sessionId"])["state"] == "PROCESSING"
    till.set(session_status=[503, {"status": 200, "body": "nonsense"}], abort_status=[500])
    path = f"/pos/v1/sessions/{body['sessionId']}"
    assert till.request("GET", path)[0] == 503
    with pytest.raises(json.JSONDecodeError):
        till.request("GET", path)
    assert till.request("POST", "/pos/v1/abort", {"sessionId": body["sessionId"]})[0] == 500


def test_offline_approval_reaches_the_book_later(till):
    with receiving() as receiver:
        till.simulator.control("POST", "webhooks", {"url": receiver.url})
        till.act("unplug")
        till.sale()
        till.act("tap")
        assert result(till.final())["eventId"] == 4000
        assert till.set(offline=True)["stored"] == 0
        sale = till.paid()
        assert sale["isSuccess"] and sale["merchantApproved"] is True
        assert "transactionId" not in sale and till.charges() == []
        assert till.set(sync_offline=True)["stored"] == 0
        [charge] = till.charges()
        assert (charge["amount"], charge["merchantReference"]) == (2550, "POS-1")
        until(lambda: receiver.types() == [1796])
    till.paid(300)
    till.start("refund", 2550, transactionId=charge["transactionId"])
    assert result(till.final())["eventId"] == 6201  # only sales without network
    till.act("plug")
    assert [(row["operation"], row["amount"]) for row in till.charges()] == [
        ("sale", 2550),
        ("sale", 300),
    ]


def test_success_without_payload_and_polls(till):
    till.set(polls_to_finish=3, success_without_payload=1)
    till.sale()
    assert [till.read()["state"] for _ in range(2)] == ["PROCESSING"] * 2
    empty = till.read()
    assert (empty["state"], empty["payloadData"]) == ("SUCCESS", {})
    assert result(till.read())["isSuccess"]


def test_abort(till):
    till.sale()
    told = till.request("POST", "/pos/v1/abort", {"sessionId": till.last})
    assert told == (200, {"state": "PROCESSING", "sessionId": till.last, "sessionType": "SALE"})
    answer = till.final()
    assert (answer["state"], result(answer)["eventId"]) == ("FAILURE", 1016)
    assert result(answer)["isAbortRequested"] is True
    assert answer["payloadData"]["abortResponse"] == {"isSuccess": True}
    late = till.request("POST", "/pos/v1/abort", {"sessionId": till.last})[1]
    assert late["state"] == "SESSION_NOT_FOUND_ERROR"
    till.set(approve_although_aborted=True)
    till.sale()
    till.request("POST", "/pos/v1/abort", {"sessionId": till.last})
    answer = till.final()
    assert result(answer)["isSuccess"] and result(answer)["isAbortRequested"]


def test_tip_of_the_request_and_of_the_customer(till):
    till.sale(1000, tipAmount=100)
    till.act("tip", minor=50)
    till.act("tap")
    sale = result(till.final())
    assert (sale["amount"], sale["tipAmount"]) == (1150, 150)


def test_refunds(till):
    paid = till.paid(1000)
    assert till.start("refund", 1000, transactionId=str(uuid.uuid4()))["sessionType"] == "CANCEL"
    assert result(till.final())["eventId"] == 1012
    till.start("refund", 1001, transactionId=paid["transactionId"])
    assert result(till.final())["eventId"] == 1009
    till.start("refund", 1000, transactionId=paid["transactionId"], merchantReference="R-1")
    answer = till.final()
    refund = answer["payloadData"]["cancelResponse"]
    assert refund["isSuccess"] and refund["transactionId"] != paid["transactionId"]
    assert till.charges()[-1]["merchantReference"] == "R-1"
    till.start("unreferenced-refund", 500)
    till.act("tap")
    assert result(till.final())["eventId"] == 1014
    till.simulator.control("POST", "settings", {"unreferenced_refund": True})
    till.start("unreferenced-refund", 500)
    till.act("tap")
    assert till.final()["payloadData"]["cancelResponse"]["transactionTypeId"] == 4


@pytest.mark.parametrize("link", ["transactionId", "parentSessionId"])
def test_capture(till, link):
    till.set(capture_link=link)
    held = till.paid(1000, preauth=True)
    assert held["transactionTypeId"] == 1 and till.charges() == []
    keys = {"transactionId": held["transactionId"], "parentSessionId": till.last}
    other = {name: value for name, value in keys.items() if name != link}
    till.start("preauth-completion", 900, **other)
    assert result(till.final())["eventId"] == 1012
    till.start("preauth-completion", 1001, **{link: keys[link]})
    assert result(till.final())["eventId"] == 1017
    till.start("preauth-completion", 900, **{link: keys[link]})
    assert till.final()["payloadData"]["saleResponse"]["isSuccess"]
    assert [(row["operation"], row["amount"]) for row in till.charges()] == [("capture", 900)]


@pytest.mark.parametrize(
    "change",
    [{"amount": 0}, {"amount": -5}, {"sessionId": ""}, {"amount": "12"}, {"currencyCode": "840"}],
)
def test_nonsense_is_refused(till, change):
    body = {"sessionId": str(uuid.uuid4()), "amount": 100, **change}
    status, answer = till.request("POST", "/pos/v1/sale", body)
    assert (status, answer["state"]) == (400, "SERVER_ERROR")
    assert till.simulator.control("GET", "violations")
    assert till.request("POST", "/pos/v1/nothing", {})[0] == 404


def test_fiscal_data(till):
    fields = {"aadeProviderId": 999, "aadeProviderSignature": "c2ln"}
    for data, event in (
        (f";;20250314102231;100;81;19;100;{TERMINAL}", 0),
        (";;20250314102231;100;81;19;100;16999999", 1077),
        ("", 1083),
    ):
        till.sale(100, **fields, aadeProviderSignatureData=data)
        till.act("tap")
        sale = result(till.final())
        assert sale["eventId"] == event
        assert bool(sale["aadeTransactionId"]) is (event == 0)
    sent = till.set()["sessions"][0]["sent"]
    assert sent["aadeProviderSignature"] == "c2ln"


def test_another_device_at_the_address(simulator):
    till = Till(simulator, scheme="https")
    till.paid()
    swapped = till.set(swap="16999999")
    assert swapped["fingerprint"] != till.address["fingerprint"]
    assert till.read()["state"] == "SESSION_NOT_FOUND_ERROR"
    assert till.paid(700)["tid"] == "16999999"
    assert till.charges()[-1]["terminalId"] == "16999999"
    back = till.set(swap="")
    assert back["fingerprint"] == till.address["fingerprint"]
    assert till.paid(700)["tid"] == TERMINAL


def test_away_and_back_and_gone_with_reset(till):
    till.sale()
    assert till.set(listening=False)["listening"] is False
    with pytest.raises(ConnectionRefusedError):
        till.read()
    till.set(listening=True)
    assert till.read()["state"] == "PROCESSING"
    with pytest.raises(ControlError):
        till.set(nonsense=1)
    till.simulator.control("POST", "reset")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((till.address["host"], till.address["port"]), 2)
    assert all(terminal["lan"] is None for terminal in till.simulator.control("GET", "terminals"))


def test_the_process_ends_with_open_connections():
    process = SimulatorProcess()
    till = Till(process, scheme="https")
    tcp = process.control("POST", "terminals", {"terminalId": "16000040", "lan": "tcp"})
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    till.sale()
    with (
        socket.create_connection((tcp["host"], tcp["port"]), 5) as one,
        socket.create_connection((till.address["host"], till.address["port"]), 5) as line,
        context.wrap_socket(line) as two,
    ):
        assert one.recv(4) == b"0014"
        two.sendall(b"GET /pos/v1/sessions/x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert two.recv(4096)
        began = time.monotonic()
        assert process.stop() == 0
        assert time.monotonic() - began < 3


def test_silence_and_cors(till):
    assert till.request("OPTIONS", "/pos/v1/sale")[0] == 404
    till.set(cors=True, latency_ms=120)
    began = time.monotonic()
    assert till.request("OPTIONS", "/pos/v1/sale")[0] == 204
    assert till.headers["Access-Control-Allow-Origin"] == "*" and time.monotonic() - began > 0.1
    till.set(silent=True)
    with socket.create_connection((till.address["host"], till.address["port"]), 2) as line:
        line.sendall(b"GET /pos/v1/sessions/x HTTP/1.1\r\nHost: x\r\n\r\n")
        line.settimeout(0.4)
        with pytest.raises(TimeoutError):
            line.recv(1)
    till.set(silent=False, latency_ms=0)
    assert till.read("x")["state"] == "SESSION_NOT_FOUND_ERROR"


def test_a_terminal_of_the_cloud_gets_a_server_too(simulator, viva):
    before = simulator.control("GET", "terminals")
    assert [terminal["lan"] for terminal in before] == [None] * 4
    made = simulator.control("POST", "terminals", {"terminalId": "16000010", "lan": "local"})
    assert (made["lan"], made["scheme"], made["terminalId"]) == ("local", "https", "16000010")
    assert len(simulator.control("GET", "terminals")) == 4
    gone = simulator.control("POST", "terminals", {"terminalId": "16000010", "lan": None})
    assert gone["lan"] is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((made["host"], made["port"]), 2)
