"""The TCP driver and the simulator's terminals, each written from the reference for itself.

Money is counted where it moves, at the simulator. Whatever becomes of a connection: what the
driver calls approved was charged, and what was charged without its knowing is found in Viva's
book by the reference.
"""

import time
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from contract_steps import TILL
from simulator_process import MERCHANT, until

from drivers import (
    AbortRequest,
    AnswerLost,
    Asked,
    Busy,
    Endpoints,
    Operation,
    Outcome,
    Pending,
    RefundRequest,
    RequestsTransport,
    SaleRequest,
    TransactionsApi,
    Unreachable,
    judge,
    judge_entries,
)
from drivers.tcp import TcpDriver

TERMINAL = "16000040"


class Shop:
    """One terminal, its driver, and Viva's book."""

    def __init__(self, simulator):
        self.simulator = simulator
        self.transport = RequestsTransport()

    def driver(self, platform="prolin", lan=None, **options):
        sent = {"terminalId": TERMINAL, "lan": "tcp", "platform": platform}
        address = self.simulator.control("POST", "terminals", sent)
        if lan:
            self.set(**lan)
        options = {"ready_timeout": 0.2, "answer_timeout": 5.0, "poll": 0.1, **options}
        return TcpDriver(address["host"], address["port"], platform=platform, **options)

    def set(self, **options):
        self.simulator.control("POST", f"terminals/{TERMINAL}/lan", options)

    def act(self, action, **options):
        self.simulator.act(action, TERMINAL, **options)

    def charges(self):
        """Reference and amount of what was charged."""
        return [
            (charge["merchantReference"], charge["amount"])
            for charge in self.simulator.control("GET", "charges")
        ]

    def book(self, request):
        """What Viva's book says about a request."""
        hosts = Endpoints(*[self.simulator.url] * 3)
        office = TransactionsApi(self.transport, hosts, MERCHANT, "sim-api-key")
        now = datetime.now(timezone.utc)
        days = {(now + timedelta(hours=hours)).date() for hours in (0, 3)}
        return judge_entries(
            asked(request), [entry for day in sorted(days) for entry in office.of_day(day)]
        )


@pytest.fixture
def shop(simulator):
    shop = Shop(simulator)
    yield shop
    shop.transport.close()
    assert simulator.control("GET", "violations") == []


def new(**changes):
    session_id = str(uuid.uuid4())
    return {
        "session_id": session_id,
        "terminal_id": TERMINAL,
        "cash_register_id": TILL,
        "amount": 2550,
        "currency": "EUR",
        "merchant_reference": session_id.replace("-", ""),
        **changes,
    }


def sale(**changes):
    return SaleRequest(**new(**changes))


def asked(request):
    operation = Operation.REFUND
    if isinstance(request, SaleRequest):
        operation = Operation.PREAUTH if request.preauth else Operation.SALE
    return Asked(
        operation=operation,
        **{name: getattr(request, name) for name in new()},
        untold=TcpDriver("192.0.2.1").capabilities.untold,
    )


def ended(driver, request):
    return until(lambda: found(driver.read(request.session_id)))


def found(answer):
    return answer if isinstance(answer, Outcome) else None


def verdict(driver, request):
    return judge(asked(request), ended(driver, request))


# -- everything that section 9 lets a terminal do -------------------------------------------------


@pytest.mark.parametrize(
    "lan",
    [
        {},
        {"ready": "after_request"},
        {"ready": "never"},
        {"close_after_response": False},
        {"extra_empty_fields": 12},
        {"glue_frames": True},
        {"glue_frames": True, "ready": "after_request"},
        {"split_bytes": True},
        {"split_bytes": True, "glue_frames": True, "extra_empty_fields": 12},
        {"echo_session": True},
        {"delay_ms": 300},
        {"announce_more": 4},
        {"announce_more": 4, "extra_empty_fields": 12, "split_bytes": True},
    ],
)
@pytest.mark.parametrize("mode", ["auto", "send_first"])
def test_a_sale(shop, lan, mode):
    driver, request = shop.driver(lan=lan, ready_mode=mode), sale()
    driver.start(request)
    assert isinstance(driver.read(request.session_id), Pending)
    shop.act("tap")
    got = verdict(driver, request)
    assert (got.state, got.approved_amount) == ("approved", 2550)
    assert shop.charges() == [(request.merchant_reference, 2550)]
    assert shop.book(request).state == "approved"


def test_longer_announced_and_left_open(shop):
    """Two seconds of silence, then it is taken as it is."""
    driver, request = shop.driver(lan={"announce_more": 4, "close_after_response": False}), sale()
    driver.start(request)
    shop.act("tap")
    started = time.monotonic()
    assert verdict(driver, request).state == "approved"
    assert 1.5 < time.monotonic() - started < 4


def test_waiting_for_ready(shop):
    driver, request = shop.driver(ready_mode="wait", lan={"ready": "never"}), sale()
    with pytest.raises(Unreachable):
        driver.start(request)
    shop.set(ready="on_connect")
    driver.start(request)
    shop.act("tap")
    assert verdict(driver, request).state == "approved"


@pytest.mark.parametrize(
    ("amount", "state", "code"),
    [
        (9951, "declined", "insufficient_funds"),
        (9954, "declined", "card_expired"),
        (9920, "declined", "declined_by_bank"),
        (9957, "failed", "terminal_error"),
        (9961, "cancelled", "cancelled_on_terminal"),
        (9962, "cancelled", "cancelled_on_terminal"),
    ],
)
def test_a_no_by_the_amount(shop, amount, state, code):
    driver, request = shop.driver(), sale(amount=amount)
    driver.start(request)
    shop.act("tap")
    got = verdict(driver, request)
    assert (got.state, got.message_code) == (state, code)
    assert shop.charges() == []


def test_cancelled_on_the_keypad(shop):
    driver, request = shop.driver(), sale()
    driver.start(request)
    shop.act("cancel")
    assert verdict(driver, request).state == "cancelled"


def test_a_terminal_that_wakes_up(shop):
    driver, first, second = shop.driver(lan={"ko_first": 1}), sale(), sale()
    driver.start(first)
    assert verdict(driver, first).state == "failed"
    driver.start(second)
    shop.act("tap")
    assert verdict(driver, second).state == "approved"
    assert shop.charges() == [(second.merchant_reference, 2550)]


def test_a_tip_of_the_customer(shop):
    driver, request = shop.driver(), sale()
    driver.start(request)
    shop.act("tip", minor=300)
    shop.act("tap")
    got = verdict(driver, request)
    assert (got.state, got.approved_amount, got.tip) == ("approved", 2850, 300)


# -- lost ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "charged"), [(9990, True), (9991, False), (9992, True)], ids=str
)
def test_lost_by_the_amount(shop, amount, charged):
    driver, request = shop.driver(answer_timeout=1.0), sale(amount=amount)
    driver.start(request)
    shop.act("tap")
    with pytest.raises(AnswerLost):
        ended(driver, request)
    assert bool(shop.charges()) is charged
    got = shop.book(request)
    assert (got.state if got else None) == ("approved" if charged else None)


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("cut", range(0, 139, 6))
def test_answer_cut(shop, cut, reset):
    driver, request = shop.driver(lan={"cut_answer_after": cut, "reset": reset}), sale()
    driver.start(request)
    shop.act("tap")
    try:
        got = judge(asked(request), ended(driver, request))
    except AnswerLost:
        pass
    else:
        assert got.state == "unknown" or cut >= 136
    assert shop.charges() == [(request.merchant_reference, 2550)]
    assert shop.book(request).state == "approved"


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("cut", range(0, 66, 5))
def test_request_cut(shop, cut, reset):
    driver, request = shop.driver(lan={"cut_request_after": cut, "reset": reset}), sale()
    # Cut before the first byte, it may have been seen before anything was sent.
    with pytest.raises(AnswerLost if cut else (AnswerLost, Unreachable)):
        driver.start(request)
        ended(driver, request)
    assert shop.charges() == [] and shop.book(request) is None


@pytest.mark.parametrize("cut", range(18))
def test_ready_cut(shop, cut):
    driver, request = shop.driver(lan={"cut_ready_after": cut}), sale()
    with pytest.raises(Unreachable):
        driver.start(request)
    shop.set(cut_ready_after=None)
    driver.start(request)
    shop.act("tap")
    assert verdict(driver, request).state == "approved"
    assert shop.charges() == [(request.merchant_reference, 2550)]


@pytest.mark.parametrize("touched", [False, True])
def test_the_terminal_restarts(shop, touched):
    driver, request = shop.driver(), sale()
    shop.simulator.control("POST", "settings", {"authorising_ms": 300})
    driver.start(request)
    if touched:
        shop.act("tap")
    shop.set(restart=True)
    with pytest.raises(AnswerLost):
        ended(driver, request)
    if touched:
        until(shop.charges)
        assert shop.book(request).state == "approved"
    else:
        assert shop.charges() == []


def test_nothing_listens_any_more(shop):
    driver, request = shop.driver(), sale()
    shop.set(listening=False)
    with pytest.raises(Unreachable):
        driver.start(request)
    shop.set(listening=True)
    driver.start(request)
    shop.set(listening=False)
    with pytest.raises(AnswerLost):
        ended(driver, request)


def test_another_terminal_took_the_address(shop):
    driver, request = shop.driver(lan={"swap": "16000041"}), sale()
    driver.start(request)
    shop.act("tap")
    got = verdict(driver, request)
    assert (got.state, got.reason) == ("unknown", "terminal")
    assert shop.charges() == [(request.merchant_reference, 2550)]
    assert shop.book(request).reason == "terminal"


# -- two at once -----------------------------------------------------------------------------------


def test_two_gateways_by_mistake(shop):
    """The second gets no payment, and disturbs none."""
    first_driver, first = shop.driver(), sale()
    first_driver.start(first)
    address = (first_driver._host, first_driver._port)
    second_driver, second = TcpDriver(*address, ready_timeout=0.3, poll=0.1), sale()
    with pytest.raises((Unreachable, Busy)):
        second_driver.start(second)
    with pytest.raises(Busy):
        first_driver.start(second)
    assert isinstance(first_driver.read(first.session_id), Pending)
    shop.act("tap")
    assert verdict(first_driver, first).state == "approved"
    assert shop.charges() == [(first.merchant_reference, 2550)]


# -- hanging up ------------------------------------------------------------------------------------


def test_prolin_goes_on_when_the_till_is_gone(shop):
    driver, request = shop.driver(), sale()
    driver.start(request)
    driver.close()
    shop.act("tap")
    until(shop.charges)
    with pytest.raises(AnswerLost):
        driver.read(request.session_id)
    assert shop.book(request).state == "approved"


def test_abort_on_paydroid_before_a_card(shop):
    driver, request = shop.driver("paydroid"), sale()
    driver.start(request)
    assert isinstance(driver.read(request.session_id), Pending)
    driver.abort(AbortRequest(request.session_id, TILL))
    with pytest.raises(AnswerLost):
        driver.read(request.session_id)
    until(lambda: shop.simulator.control("GET", f"terminals/{TERMINAL}/lan")["sessions"])
    assert shop.charges() == []
    second = sale()
    until(lambda: started(driver, second))
    shop.act("tap")
    assert verdict(driver, second).state == "approved"
    assert shop.charges() == [(second.merchant_reference, 2550)]


def started(driver, request):
    try:
        return driver.start(request)
    except (Unreachable, Busy):
        return None


# -- other operations ------------------------------------------------------------------------------


def test_a_preauth_on_paydroid(shop):
    driver, request = shop.driver("paydroid"), sale(preauth=True)
    driver.start(request)
    shop.act("tap")
    assert verdict(driver, request).state == "approved"
    assert shop.charges() == []


def test_a_refund_by_stan(shop):
    """UNVERIFIED on a device, and off by default."""
    driver, request = shop.driver(cancel_layout="C1"), sale()
    driver.start(request)
    shop.act("tap")
    outcome = ended(driver, request)
    back = RefundRequest(parent_session_id=request.session_id, parent_stan=outcome.stan, **new())
    driver.start(back)
    got = verdict(driver, back)
    assert (got.state, got.approved_amount) == ("approved", 2550)
    again = RefundRequest(parent_session_id=request.session_id, parent_stan="999999", **new())
    driver.start(again)
    assert verdict(driver, again).state == "failed"
