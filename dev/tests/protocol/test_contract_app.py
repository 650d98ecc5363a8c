"""App-to-App against the simulator's app: what it says is a hint, Viva's book tells what is true.

There is no driver and so no contract to inherit; what holds for all protocols holds here too:
what the book calls approved was charged once, and nothing that the app says approves anything.
"""

import uuid
from datetime import datetime, timedelta, timezone
from urllib.parse import urlsplit

import pytest
from contract_steps import TILL
from simulator_process import MERCHANT, TERMINAL

from drivers import (
    Asked,
    AskedReversal,
    CaptureRequest,
    Endpoints,
    Operation,
    RefundRequest,
    RequestsTransport,
    SaleRequest,
    TransactionsApi,
    UnreferencedRefundRequest,
    judge_children,
    judge_entries,
)
from drivers.app import (
    CAPABILITIES,
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

BACK = "https://shop.example.com/viva/app/"


def new(**changes):
    session_id = str(uuid.uuid4())
    return {
        "session_id": session_id,
        "terminal_id": TERMINAL,
        "cash_register_id": TILL,
        "amount": 2550,
        "currency": "EUR",
        "merchant_reference": f"VP/{session_id}",
        **changes,
    }


def sale(**changes):
    return SaleRequest(**new(**changes))


class Device:
    """The till's own device: opens the app, is sent back, asks Viva's book."""

    def __init__(self, simulator):
        self.simulator = simulator
        self.transport = RequestsTransport()
        hosts = Endpoints(*[simulator.url] * 3)
        self.office = TransactionsApi(self.transport, hosts, MERCHANT, "sim-api-key")
        self.opened = None

    def open(self, uri, action="approve", **options):
        """What the app says when it comes back; ``None`` when it does not."""
        sent = {"uri": uri, "action": action, **options}
        self.opened = self.simulator.control("POST", "app/open", sent)
        return self.answer(self.opened["callback"])

    def answer(self, address):
        if address is None:
            return None
        head, _mark, query = address.partition("?")
        assert head.startswith(BACK), "the id stays in the path"
        return parse_callback(query)

    def entries(self):
        now = datetime.now(timezone.utc)
        days = {(now + timedelta(hours=hours)).date() for hours in (0, 3)}
        return [entry for day in sorted(days) for entry in self.office.of_day(day)]

    def book(self, request, answer=None, operation=Operation.SALE):
        """What Viva's book says about a request, and about the id that the app has named."""
        asked = Asked(
            operation=operation,
            **{name: getattr(request, name) for name in new()},
            untold=CAPABILITIES.untold,
            transaction_id=answer.transaction_id if answer else "",
        )
        return judge_entries(asked, self.entries())

    def charges(self):
        return [
            (charge["operation"], charge["amount"])
            for charge in self.simulator.control("GET", "charges")
        ]


@pytest.fixture
def device(simulator):
    device = Device(simulator)
    yield device
    device.transport.close()
    assert simulator.control("GET", "violations") == []


def back():
    return BACK + uuid.uuid4().hex


@pytest.mark.parametrize(
    "options",
    [{}, {"raw": True}, {"entry": "chip"}, {"without_reference": True}, {"twice": True}],
)
def test_a_sale(device, options):
    request = sale()
    answer = device.open(sale_uri(request, back()), **options)
    assert (answer.status, answer.action, answer.code) == ("success", "sale", None)
    told = "" if "without_reference" in options else request.merchant_reference
    assert (answer.reference, answer.amount, answer.tip) == (told, 2550, 0)
    assert answer.tid == TERMINAL and answer.card_brand and len(answer.card_last4) == 4
    assert answer.rrn and answer.stan and answer.authorisation_code and answer.order_code
    assert abs(answer.finished_at - datetime.now(timezone.utc)) < timedelta(minutes=1)
    verdict = device.book(request, answer)
    assert (verdict.state, verdict.approved_amount) == ("approved", 2550)
    assert verdict.transaction_id == answer.transaction_id
    assert device.charges() == [("sale", 2550)]
    callbacks = [device.answer(address) for address in device.opened["callbacks"]]
    assert callbacks == [answer] * (2 if "twice" in options else 1)


def test_iris(device):
    request = sale()
    answer = device.open(sale_uri(request, back()), iris=True)
    assert answer.status == "success"
    assert device.book(request, answer).state == "approved"


def test_a_tip_of_the_request_and_one_of_the_customer(device):
    for request, options in ((sale(tip=200), {}), (sale(), {"tip": 200})):
        answer = device.open(sale_uri(request, back()), **options)
        assert answer.status == "success"
        verdict = device.book(request, answer)
        assert (verdict.state, verdict.approved_amount, verdict.tip) == ("approved", 2750, 200)


def test_installments(device):
    request = sale(amount=60000, max_installments=6)
    answer = device.open(sale_uri(request, back()), installments=6)
    assert (answer.status, answer.installments) == ("success", 6)
    assert device.book(request, answer).state == "approved"


@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize(
    ("action", "code", "state"), [("cancel", -4, "cancelled"), ("decline", -12, "declined")]
)
def test_no(device, action, code, state, short):
    request = sale()
    answer = device.open(sale_uri(request, back()), action, short=short)
    assert (answer.status, answer.code, answer.words[0]) == ("fail", code, state)
    assert (answer.transaction_id, answer.order_code, answer.stan) == ("", "", "")
    found = device.book(request, answer)
    assert (found.state if found else None) == (None if action == "cancel" else "declined")
    assert device.charges() == []


def test_no_callback(device):
    left, silent = sale(), sale()
    assert device.open(sale_uri(left, back()), "leave") is None
    assert device.book(left) is None
    assert device.open(sale_uri(silent, back()), "silent") is None
    assert device.book(silent).state == "approved"
    assert device.charges() == [("sale", 2550)]
    details = device.open(details_uri(silent.merchant_reference, back()))
    assert (details.status, details.reference) == ("success", silent.merchant_reference)
    assert device.book(silent, details).state == "approved"
    assert device.open(details_uri(left.merchant_reference, back())).status == "fail"


def test_a_forged_success_is_in_no_book(device):
    request = sale()
    answer = device.open(sale_uri(request, back()), "forge")
    assert answer.status == "success" and answer.transaction_id
    assert device.book(request, answer) is None
    assert device.office.find(answer.transaction_id) is None
    assert device.charges() == []


@pytest.mark.parametrize("old_reference", [False, True])
def test_an_older_payment_told_again(device, old_reference):
    first, second = sale(), sale()
    paid = device.open(sale_uri(first, back()))
    answer = device.open(sale_uri(second, back()), "replay", old_reference=old_reference)
    assert (answer.status, answer.transaction_id) == ("success", paid.transaction_id)
    verdict = device.book(second, answer)
    assert (verdict.state, verdict.reason) == ("unknown", "reference")
    assert device.book(first, paid).state == "approved"
    assert device.charges() == [("sale", 2550)]


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"amount": 2551}, "amount"), ({"callback_amount": 1}, "")],
)
def test_another_amount(device, options, reason):
    """The app's amount is a hint like all of it; the book's counts."""
    request = sale()
    answer = device.open(sale_uri(request, back()), **options)
    verdict = device.book(request, answer)
    assert (verdict.state, verdict.reason) == ("unknown" if reason else "approved", reason)


def test_another_reference(device):
    request = sale()
    answer = device.open(sale_uri(request, back()), reference="another sale")
    verdict = device.book(request, answer)
    assert (verdict.state, verdict.reason) == ("unknown", "reference")


def test_abort(device):
    request = sale()
    assert device.open(sale_uri(request, back()), "hold") is None
    answer = device.open(abort_uri(back()))
    assert (answer.status, answer.code) == ("fail", -57)
    assert answer.words == ("cancelled", "aborted")
    assert device.book(request) is None and device.charges() == []
    assert device.open(abort_uri(back())).status == "fail"


def test_the_app_comes_to_the_front(device):
    assert device.open(foreground_uri()) is None
    assert urlsplit(foreground_uri()).query.endswith("callback=")


def test_a_preauth_and_its_capture(device):
    request = sale(preauth=True)
    held = device.open(preauth_uri(request, back()))
    assert device.book(request, held, Operation.PREAUTH).state == "approved"
    assert device.charges() == []
    taken = CaptureRequest(
        parent_session_id=request.session_id,
        parent_order_code=held.order_code,
        **new(amount=1000),
    )
    answer = device.open(capture_uri(taken, back()))
    assert (answer.status, answer.amount) == ("success", 1000)
    assert device.charges() == [("capture", 1000)]
    assert device.open(capture_uri(taken, back())).status == "fail"


@pytest.mark.parametrize("key", ["parent_order_code", "parent_stan"])
def test_money_back(device, key):
    request = sale()
    paid = device.open(sale_uri(request, back()))
    named = {"parent_order_code": paid.order_code, "parent_stan": paid.stan}
    again = RefundRequest(parent_session_id=request.session_id, **{key: named[key]}, **new())
    sent_at = datetime.now(timezone.utc)
    answer = device.open(cancel_uri(again, back()))
    assert (answer.status, answer.amount) == ("success", 2550)
    assert answer.transaction_id not in ("", paid.transaction_id)
    assert device.charges() == [("sale", 2550), ("void", 2550)]
    asked = AskedReversal(
        Operation.REFUND, paid.transaction_id, 2550, "EUR", again.merchant_reference, sent_at
    )
    # Our reference has no place in the request, so a person or the app's id has to tell which.
    verdict = judge_children(asked, device.office.of_order(paid.order_code))
    assert (verdict.state, verdict.transaction_id) in (
        ("unknown", answer.transaction_id),
        ("approved", answer.transaction_id),
    )
    assert device.open(cancel_uri(again, back())).status == "fail"


def test_money_back_with_the_demo_app(device):
    request = sale()
    paid = device.open(sale_uri(request, back()))
    device.simulator.control("POST", "app/options", {"demo": True})
    again = RefundRequest(
        parent_session_id=request.session_id, parent_order_code=paid.order_code, **new()
    )
    answer = device.open(cancel_uri(again, back()))
    assert (answer.status, answer.code, answer.words[0]) == ("fail", -999, "failed")
    assert device.charges() == [("sale", 2550)]


def test_money_to_any_card(device):
    device.simulator.control("POST", "settings", {"unreferenced_refund": True})
    request = UnreferencedRefundRequest(**new(amount=500))
    answer = device.open(unreferenced_uri(request, back()))
    assert (answer.status, answer.amount) == ("success", 500)
    assert device.charges() == [("refund", 500)]
    assert device.book(request, answer, Operation.REFUND).state == "approved"
