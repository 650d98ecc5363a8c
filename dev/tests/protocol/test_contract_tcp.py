"""The TCP driver and the simulator's terminals keep the contract, as far as a connection can.

There is no second way to an answer: what the contract asks about reading a session again after
trouble is asked of Viva's book instead, by the reference. Everything else about trouble is in
``test_tcp_driver.py`` and ``test_tcp_simulator.py``.
"""

import time

import pytest
from contract import Dispatcher, TerminalDriverContract
from contract_steps import TILL, Way, anew, asked, final, looked_up, refund, repeat, sale
from simulator_process import TERMINAL, TERMINAL_2, until

from drivers import (
    AbortRequest,
    AlreadyUsed,
    AnswerLost,
    NotFound,
    NotPossible,
    Operation,
    PermissionDenied,
    TerminalDriver,
    Unreachable,
    judge,
)
from drivers.ecr import short_session_id
from drivers.tcp import TcpDriver


class TcpWay(Way):
    silent_about = frozenset({"surcharge", "finished_at"})
    knows_terminals = False
    checks_parents = False
    terminals = (TERMINAL, TERMINAL_2)

    def __init__(self, simulator, platform):
        super().__init__(simulator)
        self.platform = platform
        self.addresses = {}
        for terminal in self.terminals:
            sent = {"terminalId": terminal, "lan": "tcp", "platform": platform}
            self.addresses[terminal] = simulator.control("POST", "terminals", sent)

    def set(self, at=TERMINAL, **options):
        self.simulator.control("POST", f"terminals/{at}/lan", options)

    def at(self, terminal, **options):
        """A driver of one terminal."""
        found = self.addresses[terminal]
        options = {"ready_timeout": 0.3, "answer_timeout": 20.0, "poll": 0.05, **options}
        return TcpDriver(found["host"], found["port"], platform=self.platform, **options)

    def connect(self):
        return Dispatcher({terminal: self.at(terminal) for terminal in self.terminals})

    def key(self, request):
        return f"{short_session_id(request.session_id)}-{request.merchant_reference}"


class TcpContract(TerminalDriverContract):
    platform = "prolin"

    @pytest.fixture
    def way(self, simulator):
        return TcpWay(simulator, self.platform)

    @pytest.fixture
    def connect(self, way):
        return way.connect

    # Whether the device itself refuses a small amount is not in its reference.
    test_amount_below_the_minimum = None

    # -- what a connection cannot do -------------------------------------------------

    test_a_server_error_may_have_been_a_start = None
    test_errors_of_a_read_say_nothing = None
    test_a_session_that_cannot_be_found_at_first = None

    # -- what becomes of trouble instead ---------------------------------------------

    def test_lost_answer_to_a_start(self, driver, simulator, way, office):
        """It had arrived: the driver never knows, never sends it again, and Viva's book tells."""
        way.set(cut_answer_after=0)
        request = sale()
        driver.start(request)
        simulator.act("tap")
        with pytest.raises(AnswerLost):
            final(driver, request)
        repeat(driver, request)
        assert self.charges(simulator) == [(way.key(request), 1999)]
        assert looked_up(driver, office, request).state == "approved"

    def test_lost_start(self, driver, simulator, way, office):
        way.set(cut_request_after=30)
        request = sale()
        with pytest.raises(AnswerLost):
            driver.start(request)
            final(driver, request)
        assert simulator.control("GET", "sessions") == [], "the driver repeated by itself"
        with pytest.raises(AlreadyUsed):
            driver.start(request)
        assert looked_up(driver, office, request) is None
        way.set(cut_request_after=None)
        second = anew(request)
        driver.start(second)
        simulator.act("tap")
        assert judge(asked(driver, second), final(driver, second)).state == "approved"

    def test_it_cannot_be_taken_now(self, driver, simulator, way):
        way.set(listening=False)
        request = sale()
        with pytest.raises(Unreachable):
            driver.start(request)
        assert simulator.control("GET", "sessions") == []
        way.set(listening=True)
        driver.start(request)
        simulator.act("tap")
        assert judge(asked(driver, request), final(driver, request)).state == "approved"

    def test_nobody_presents_a_card(self, driver, simulator, way):
        """There is no code of its own for that."""
        simulator.control("POST", "settings", {"card_timeout_s": 0.2})
        request = sale()
        driver.start(request)
        verdict = judge(asked(driver, request), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("failed", "terminal_error")

    def test_preauth_that_is_not_enabled(self, driver, simulator):
        self.need(driver, Operation.PREAUTH)
        simulator.control("POST", "settings", {"preauth": False})
        request = sale(preauth=True)
        driver.start(request)
        simulator.act("tap")
        verdict = judge(asked(driver, request), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("failed", "terminal_error")
        assert simulator.control("GET", "attempts") == []

    def test_nobody_answers(self, driver, simulator, way):
        patient = way.at(TERMINAL_2, answer_timeout=0.5)
        request = sale(terminal_id=TERMINAL_2)
        patient.start(request)
        started = time.monotonic()
        with pytest.raises(AnswerLost) as lost:
            final(patient, request)
        assert 0.4 < time.monotonic() - started < 2
        assert lost.value.raw == {"lost": "terminal_silent"}


class TestProlin(TcpContract):
    def test_a_driver_as_typed(self, way):
        typed: TerminalDriver = way.at(TERMINAL)
        able = typed.capabilities
        assert able.operations == {Operation.SALE} and not able.abort and not able.recalls

    def test_no_abort(self, driver, simulator):
        request = sale()
        driver.start(request)
        with pytest.raises(NotPossible):
            driver.abort(AbortRequest(request.session_id, TILL))
        simulator.act("tap")
        assert judge(asked(driver, request), final(driver, request)).state == "approved"

    def test_what_it_cannot_do_is_refused_before_anything_is_sent(self, driver, simulator):
        original = sale()
        driver.start(original)
        simulator.act("tap")
        final(driver, original)
        for request in (sale(preauth=True), sale(tip=100), refund(original)):
            with pytest.raises(NotPossible):
                driver.start(request)
        assert len(simulator.control("GET", "sessions")) == 1


class TestPaydroid(TcpContract):
    platform = "paydroid"

    # An abort closes the connection: there is no answer any more, whoever wins.
    test_abort_wins = None
    test_the_card_wins_against_the_abort = None
    test_an_abort_that_comes_too_late = None
    test_abort_of_a_refund_that_waits_for_the_card = None

    def test_abort(self, driver, simulator):
        request = sale()
        driver.start(request)
        until(lambda: simulator.control("GET", "sessions"))
        assert not driver.abort(AbortRequest(request.session_id, TILL)).repeated
        assert driver.abort(AbortRequest(request.session_id, TILL)).repeated
        with pytest.raises(AnswerLost):
            driver.read(request.session_id)
        until(lambda: simulator.control("GET", "sessions")[0]["state"] == "final")
        assert self.charges(simulator) == []

    def test_abort_of_a_payment_that_the_server_has(self, driver, simulator, office):
        """The terminal reverses it by itself; Viva's book tells."""
        simulator.control("POST", "settings", {"authorising_ms": 300})
        request = sale()
        driver.start(request)
        simulator.act("tap")
        driver.abort(AbortRequest(request.session_id, TILL))
        with pytest.raises(AnswerLost):
            driver.read(request.session_id)
        until(lambda: simulator.control("GET", "attempts")[:1])
        until(lambda: simulator.control("GET", "attempts")[0]["refunded"] == 1999)
        verdict = looked_up(driver, office, request)
        assert (verdict.state, verdict.reason) == ("unknown", "reversal")

    def test_abort_by_another_cash_register(self, driver, simulator):
        request = sale()
        driver.start(request)
        with pytest.raises(PermissionDenied):
            driver.abort(AbortRequest(request.session_id, "till-3"))
        simulator.act("tap")
        final(driver, request)
        with pytest.raises(NotFound):
            driver.abort(AbortRequest(request.session_id, TILL))
