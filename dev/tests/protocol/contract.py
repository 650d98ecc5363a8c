"""The one contract that every driver has to keep, against the simulator.

Subclass :class:`TerminalDriverContract` in a ``test_contract_<driver>.py`` and give the
fixtures ``connect`` and ``way``. Everything is driven through ``drivers.base.TerminalDriver`` and
the simulator's control API; nothing here knows a protocol. What a driver cannot do by its
``capabilities`` is not asked of it; in what else its protocol differs, the attributes of its
:class:`contract_steps.Way` tell, which is also how trouble is made for it.

A driver that reaches one terminal only is tested through :class:`Dispatcher`.

Money back and captures are in ``contract_back.py``, of which this is made as well.

Money is counted where it moves, at the simulator: after each test no payment may have
been made twice, and the client may not have broken the protocol.
"""

import time
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from contract_back import MoneyBack
from contract_steps import (
    TILL,
    anew,
    asked,
    final,
    listed,
    looked_up,
    repeat,
    sale,
    skip_unless,
    viva_s_book,
)
from simulator_process import TERMINAL, TERMINAL_2, until

from drivers import (
    AbortRequest,
    Accepted,
    AnswerLost,
    DefiniteError,
    IndeterminateError,
    NotFound,
    Operation,
    Pending,
    PermissionDenied,
    RequestsTransport,
    RetryableError,
    ServerFault,
    SessionMissing,
    final_no_needs_list,
    judge,
    judge_listed,
    judge_no,
)


class Dispatcher:
    """Drivers of one terminal each as one driver: what a gateway does."""

    def __init__(self, drivers):
        self._drivers = drivers
        self._at = {}
        self._first = next(iter(drivers.values()))

    @property
    def capabilities(self):
        return self._first.capabilities

    def start(self, request):
        driver = self._drivers[request.terminal_id]
        self._at[request.session_id] = driver
        return driver.start(request)

    def read(self, session_id):
        return self._of(session_id).read(session_id)

    def abort(self, request):
        return self._of(request.session_id).abort(request)

    def sessions(self, day):
        return self._first.sessions(day)

    def _of(self, session_id):
        return self._at.get(session_id, self._first)


class TerminalDriverContract(MoneyBack):
    """Tests; see the module."""

    @pytest.fixture
    def connect(self):
        """A function without arguments that makes a driver for all terminals, short time-outs."""
        raise NotImplementedError

    @pytest.fixture
    def way(self, simulator):
        """A :class:`contract_steps.Way`."""
        raise NotImplementedError

    @pytest.fixture
    def driver(self, connect, way):
        return connect()

    @pytest.fixture
    def office(self, simulator):
        """Viva's book, as the back office reads it."""
        transport = RequestsTransport()
        yield viva_s_book(simulator, transport)
        transport.close()

    @pytest.fixture(autouse=True)
    def _nothing_twice_and_nothing_wrong(self, simulator):
        yield
        simulator.control("DELETE", "faults")
        paid = [charge["sessionId"] for charge in simulator.control("GET", "charges")]
        assert len(paid) == len(set(paid)), "a payment was made twice"
        assert simulator.control("GET", "violations") == []

    def charges(self, simulator):
        return [
            (charge["sessionId"], charge["amount"])
            for charge in simulator.control("GET", "charges")
        ]

    # -- a sale that goes well --------------------------------------------------

    @pytest.mark.parametrize("action", ["tap", "insert_pin", "iris"])
    def test_approved(self, driver, simulator, way, action):
        request = sale()
        assert isinstance(driver.start(request), Accepted)
        assert isinstance(driver.read(request.session_id), Pending)
        simulator.act(action)
        outcome = final(driver, request)
        verdict = judge(asked(driver, request), outcome)
        assert (verdict.state, verdict.approved_amount) == ("approved", 1999)
        assert self.charges(simulator) == [(way.key(request), 1999)]
        if "transaction_id" not in driver.capabilities.untold:
            charge = simulator.control("GET", "charges")[0]
            assert charge["transactionId"] == outcome.transaction_id

    def test_what_a_receipt_needs(self, driver, simulator, way):
        request = sale()
        driver.start(request)
        simulator.act("tap")
        outcome = final(driver, request)
        assert outcome.card_brand and len(outcome.card_last4) == 4
        assert outcome.card_masked.endswith(outcome.card_last4)
        for name in {"authorisation_code", "rrn", "tid", "stan"} - way.silent_about:
            assert getattr(outcome, name)
        if "entry_mode" not in way.silent_about:
            assert outcome.entry_mode == "07"
        if "finished_at" not in way.silent_about:
            assert abs(outcome.finished_at - datetime.now(timezone.utc)) < timedelta(minutes=1)

    def test_reading_again_says_the_same(self, driver, simulator):
        request = sale()
        driver.start(request)
        simulator.act("tap")
        assert final(driver, request) == final(driver, request)

    def test_another_object_reads_it(self, driver, connect, simulator):
        """After a restart nothing is left but the session id."""
        request = sale()
        driver.start(request)
        # Not through what remembers where a session was started.
        other = connect()
        if driver.capabilities.recalls:
            assert isinstance(other.read(request.session_id), Pending)
            simulator.act("tap")
            assert judge(asked(driver, request), final(other, request)).state == "approved"
            assert other.read(request.session_id) == driver.read(request.session_id)
        else:
            assert isinstance(other.read(request.session_id), SessionMissing)
            simulator.act("tap")
            assert judge(asked(driver, request), final(driver, request)).state == "approved"

    def test_viva_s_book_knows_it(self, driver, office, simulator):
        """Without any answer of the terminal."""
        request, refused = sale(), sale(amount=500)
        driver.start(request)
        assert looked_up(driver, office, request) is None
        simulator.act("tap")
        outcome = final(driver, request)
        driver.start(refused)
        simulator.act("decline")
        final(driver, refused)
        found = looked_up(driver, office, request)
        assert (found.state, found.approved_amount) == ("approved", 1999)
        if "transaction_id" not in driver.capabilities.untold:
            assert found.transaction_id == outcome.transaction_id
        assert looked_up(driver, office, refused).state == "declined"
        assert looked_up(driver, office, sale()) is None

    def test_paid_although_the_terminal_says_cancelled(self, driver, office, simulator):
        request = sale()
        driver.start(request)
        simulator.act("retry_paid", delay_ms=50)
        outcome = final(driver, request)
        assert judge(asked(driver, request), outcome).state == "cancelled"
        assert final_no_needs_list(outcome)
        until(lambda: self.charges(simulator))
        found = looked_up(driver, office, request)
        assert (found.state, found.approved_amount) == ("approved", 1999)

    def test_two_terminals_at_once(self, driver, simulator):
        one, two = sale(), sale(terminal_id=TERMINAL_2, amount=500)
        driver.start(one)
        driver.start(two)
        simulator.act("tap", TERMINAL_2)
        assert judge(asked(driver, two), final(driver, two)).state == "approved"
        assert isinstance(driver.read(one.session_id), Pending)
        simulator.act("tap")
        assert judge(asked(driver, one), final(driver, one)).state == "approved"

    def test_tip_of_the_request(self, driver, simulator):
        skip_unless(driver.capabilities.tip)
        request = sale(tip=200)
        driver.start(request)
        simulator.act("tap")
        verdict = judge(asked(driver, request), final(driver, request))
        assert (verdict.state, verdict.approved_amount, verdict.tip) == ("approved", 2199, 200)

    def test_tip_of_the_customer(self, driver, office, simulator, way):
        request = sale()
        driver.start(request)
        simulator.act("tip", minor=300)
        simulator.act("tap")
        verdict = judge(asked(driver, request), final(driver, request))
        if "tip" in way.silent_about:
            # Money that nobody explains: Viva's book does.
            assert (verdict.state, verdict.reason) == ("unknown", "amount")
            verdict = looked_up(driver, office, request)
        assert (verdict.state, verdict.approved_amount, verdict.tip) == ("approved", 2299, 300)
        assert self.charges(simulator) == [(way.key(request), 2299)]

    def test_installments(self, driver, simulator):
        skip_unless(driver.capabilities.installments)
        request = sale(amount=60000, max_installments=12)
        driver.start(request)
        simulator.act("tap", installments=6)
        outcome = final(driver, request)
        assert judge(asked(driver, request), outcome).state == "approved"
        assert outcome.installments == 6

    def test_preauth(self, driver, simulator):
        skip_unless(Operation.PREAUTH in driver.capabilities.operations)
        request = sale(preauth=True)
        driver.start(request)
        simulator.act("tap")
        outcome = final(driver, request)
        assert judge(asked(driver, request), outcome).state == "approved"
        as_sale = judge(asked(driver, sale(**{**request.__dict__, "preauth": False})), outcome)
        assert as_sale.state == "unknown", "money that is only held is no sale"

    # -- a sale that ends without money -----------------------------------------

    @pytest.mark.parametrize("form", ["issuer", "server"])
    def test_declined(self, driver, simulator, form):
        request = sale()
        driver.start(request)
        simulator.act("decline", form=form)
        outcome = final(driver, request)
        assert judge(asked(driver, request), outcome).state == "declined"
        assert final_no_needs_list(outcome)
        assert self.charges(simulator) == []

    def test_decline_amount_of_the_demo(self, driver, simulator, way):
        request = sale(amount=9951)
        driver.start(request)
        simulator.act("tap")
        verdict = judge(asked(driver, request), final(driver, request))
        told = "issuer_event_id" not in way.silent_about
        code = "insufficient_funds" if told else "declined_by_bank"
        assert (verdict.state, verdict.message_code) == ("declined", code)

    def test_cancelled_on_the_terminal(self, driver, simulator):
        request = sale()
        driver.start(request)
        simulator.act("cancel")
        verdict = judge(asked(driver, request), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("cancelled", "cancelled_on_terminal")

    def test_nobody_presents_a_card(self, driver, simulator):
        simulator.control("POST", "settings", {"card_timeout_s": 0.2})
        request = sale()
        driver.start(request)
        verdict = judge(asked(driver, request), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("failed", "no_card")

    def test_busy_terminal(self, driver, simulator, way):
        """Told at once or as the end of the session; the first request is not disturbed."""
        first, second = sale(), sale()
        driver.start(first)
        try:
            driver.start(second)
        except DefiniteError:
            pass
        else:
            verdict = judge(asked(driver, second), final(driver, second))
            assert (verdict.state, verdict.message_code) == ("failed", "terminal_busy")
        simulator.act("tap")
        assert judge(asked(driver, first), final(driver, first)).state == "approved"
        assert self.charges(simulator) == [(way.key(first), 1999)]

    def test_terminal_without_network_is_pending_and_never_failed(self, driver, simulator):
        simulator.act("unplug")
        request = sale()
        driver.start(request)
        for _ in range(3):
            assert isinstance(driver.read(request.session_id), Pending)
        simulator.act("plug")
        assert isinstance(driver.read(request.session_id), Pending)

    def test_terminal_that_nobody_knows(self, driver, simulator, way):
        skip_unless(way.knows_terminals)
        request = sale(terminal_id="99999999")
        with pytest.raises(DefiniteError):
            driver.start(request)
        assert simulator.control("GET", "violations")
        simulator.control("POST", "reset")

    def test_amount_below_the_minimum(self, driver, simulator):
        request = sale(amount=29)
        try:
            driver.start(request)
        except DefiniteError as error:
            assert error.detail
        else:
            simulator.act("tap")
            assert judge(asked(driver, request), final(driver, request)).state == "failed"
        assert self.charges(simulator) == []

    # -- answers that must not be believed --------------------------------------

    @pytest.mark.parametrize(
        ("told", "reason"),
        [
            ({"amount": 1}, "amount"),
            ({"amount": 199900}, "amount"),
            ({"currency": "826"}, "currency"),
            ({"reference": "another sale"}, "reference"),
            ({"terminal": "16000099"}, "terminal"),
        ],
    )
    def test_another_answer_than_asked_for(self, driver, simulator, told, reason):
        skip_unless(reason not in driver.capabilities.untold)
        request = sale()
        driver.start(request)
        simulator.control("POST", f"terminals/{TERMINAL}/tap", {"wait_s": 5, **told})
        verdict = judge(asked(driver, request), final(driver, request))
        assert (verdict.state, verdict.reason) == ("unknown", reason)
        assert verdict.approved_amount == 0

    def test_paid_although_the_session_says_cancelled(self, driver, simulator):
        skip_unless(driver.capabilities.sessions_by_date)
        request = sale()
        driver.start(request)
        simulator.act("retry_paid", delay_ms=50)
        outcome = final(driver, request)
        assert judge(asked(driver, request), outcome).state == "cancelled"
        assert final_no_needs_list(outcome)
        until(lambda: self.charges(simulator))
        verdict = judge_no(asked(driver, request), outcome, listed(driver))
        assert (verdict.state, verdict.approved_amount) == ("approved", 1999)

    # -- identity ---------------------------------------------------------------

    def test_a_session_id_works_once(self, driver, simulator, way):
        request = sale()
        driver.start(request)
        repeat(driver, request)
        simulator.act("tap")
        final(driver, request)
        repeat(driver, request)
        assert len(simulator.control("GET", "sessions")) == 1
        assert self.charges(simulator) == [(way.key(request), 1999)]

    def test_a_session_that_never_was(self, driver):
        assert isinstance(driver.read(str(uuid.uuid4())), SessionMissing)

    @pytest.mark.parametrize("session_id", ["../../control/charges", "a?b#c", "50% off", "a/b"])
    def test_an_odd_id_stays_an_id(self, driver, simulator, way, session_id):
        assert isinstance(driver.read(session_id), SessionMissing)
        assert all(
            way.read_paths is not None and entry["path"].startswith(way.read_paths)
            for entry in simulator.control("GET", "requests?path=/")
            if not entry["path"].startswith("/control")
        )

    # -- abort ------------------------------------------------------------------

    def test_abort_wins(self, driver, simulator, way):
        skip_unless(driver.capabilities.abort)
        request = sale()
        driver.start(request)
        assert not driver.abort(AbortRequest(request.session_id, TILL)).repeated
        if way.guards_aborts:
            assert driver.abort(AbortRequest(request.session_id, TILL)).repeated
        outcome = final(driver, request)
        verdict = judge(asked(driver, request), outcome)
        assert (verdict.state, verdict.message_code) == ("cancelled", "aborted")
        assert outcome.abort_requested and outcome.abort_success

    def test_the_card_wins_against_the_abort(self, driver, simulator, way):
        skip_unless(driver.capabilities.abort)
        simulator.control("POST", "settings", {"authorising_ms": 300, "abort_ms": 50})
        request = sale()
        driver.start(request)
        simulator.act("tap")
        driver.abort(AbortRequest(request.session_id, TILL))
        verdict = judge(asked(driver, request), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("approved", "approved_after_cancel")
        assert self.charges(simulator) == [(way.key(request), 1999)]

    def test_abort_by_another_cash_register(self, driver, simulator, way):
        skip_unless(driver.capabilities.abort and way.guards_aborts)
        request = sale()
        driver.start(request)
        with pytest.raises(PermissionDenied):
            driver.abort(AbortRequest(request.session_id, "till-3"))
        assert isinstance(driver.read(request.session_id), Pending)
        assert [item["what"] for item in simulator.control("GET", "violations")]
        simulator.control("POST", "reset")

    def test_abort_of_nothing(self, driver):
        skip_unless(driver.capabilities.abort)
        with pytest.raises(NotFound):
            driver.abort(AbortRequest(str(uuid.uuid4()), TILL))

    def test_abort_of_a_finished_sale_changes_nothing(self, driver, simulator):
        skip_unless(driver.capabilities.abort)
        request = sale()
        driver.start(request)
        simulator.act("tap")
        before = final(driver, request)
        with pytest.raises(DefiniteError):
            driver.abort(AbortRequest(request.session_id, TILL))
        assert driver.read(request.session_id) == before

    # -- trouble on the way -----------------------------------------------------

    def test_lost_answer_to_a_start(self, driver, simulator, way):
        """It had arrived: reading finds it, and the same request again says so."""
        way.lose_answer()
        request = sale()
        with pytest.raises(IndeterminateError):
            driver.start(request)
        assert isinstance(driver.read(request.session_id), Pending)
        repeat(driver, request)
        simulator.act("tap")
        assert judge(asked(driver, request), final(driver, request)).state == "approved"
        assert self.charges(simulator) == [(way.key(request), 1999)]

    def test_lost_start(self, driver, simulator, way):
        """It had not arrived: where repeats are refused, the very same request may go out again."""
        way.lose_request()
        request = sale()
        with pytest.raises(IndeterminateError):
            driver.start(request)
        assert isinstance(driver.read(request.session_id), SessionMissing)
        assert len(simulator.control("GET", "sessions")) == 0, "the driver repeated by itself"
        second = request if driver.capabilities.refuses_repeats else anew(request)
        driver.start(second)
        simulator.act("tap")
        assert judge(asked(driver, second), final(driver, second)).state == "approved"

    def test_it_cannot_be_taken_now(self, driver, simulator, way):
        error = way.refuse_once()
        assert issubclass(error, (DefiniteError, RetryableError))
        request = sale()
        with pytest.raises(error):
            driver.start(request)
        assert simulator.control("GET", "sessions") == []
        again = request if driver.capabilities.refuses_repeats else anew(request)
        assert isinstance(driver.start(again), Accepted)

    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_a_server_error_may_have_been_a_start(self, driver, simulator, way, status):
        way.break_answer(status)
        request = sale()
        with pytest.raises(ServerFault):
            driver.start(request)
        simulator.act("tap")
        assert judge(asked(driver, request), final(driver, request)).state == "approved"

    def test_errors_of_a_read_say_nothing(self, driver, simulator, way):
        request = sale()
        driver.start(request)
        for error in way.break_reads():
            with pytest.raises(error):
                driver.read(request.session_id)
        assert isinstance(driver.read(request.session_id), Pending)

    def test_a_session_that_cannot_be_found_at_first(self, driver, simulator, way):
        way.hide_session()
        request = sale()
        driver.start(request)
        assert isinstance(driver.read(request.session_id), SessionMissing)
        time.sleep(0.5)
        assert isinstance(driver.read(request.session_id), Pending)

    def test_nobody_answers(self, driver, simulator, way):
        """The fixture gives the driver short time-outs; it keeps to them."""
        request = sale()
        driver.start(request)
        way.be_silent()
        for call in (
            lambda: driver.read(request.session_id),
            lambda: driver.start(sale(terminal_id=TERMINAL_2)),
        ):
            started = time.monotonic()
            with pytest.raises(AnswerLost):
                call()
            assert time.monotonic() - started < 2
        way.be_silent(False)
        assert isinstance(driver.read(request.session_id), Pending)

    # -- the list of the day ----------------------------------------------------

    def test_sessions_by_date(self, driver, simulator):
        skip_unless(driver.capabilities.sessions_by_date)
        paid, refused = sale(), sale(amount=500)
        driver.start(paid)
        simulator.act("tap")
        final(driver, paid)
        driver.start(refused)
        simulator.act("decline")
        final(driver, refused)
        outcomes = listed(driver)
        assert judge_listed(asked(driver, paid), outcomes).state == "approved"
        assert judge_listed(asked(driver, refused), outcomes).state == "declined"
        assert judge_listed(asked(driver, sale()), outcomes) is None

    def test_a_list_of_one(self, driver, simulator):
        skip_unless(driver.capabilities.sessions_by_date)
        simulator.control("POST", "settings", {"strict": {"single_as_object": True}})
        request = sale()
        driver.start(request)
        simulator.act("tap")
        final(driver, request)
        assert judge_listed(asked(driver, request), listed(driver)).state == "approved"
        simulator.control("POST", "reset")
        assert listed(driver) == []
