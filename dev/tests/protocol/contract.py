"""The one contract that every driver has to keep, against the simulator.

Subclass :class:`TerminalDriverContract` in a ``test_contract_<driver>.py`` and give the
fixture ``driver``. Everything is driven through ``drivers.base.TerminalDriver`` and the
simulator's control API; nothing here knows a protocol. What a driver cannot do by its
``capabilities`` is not asked of it.

Money back and captures are in ``contract_back.py``, of which this is made as well.

Money is counted where it moves, at the simulator: after each test no payment may have
been made twice, and the client may not have broken the protocol.
"""

import time
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from contract_back import MoneyBack
from contract_steps import TILL, asked, final, listed, sale, skip_unless
from simulator_process import TERMINAL, TERMINAL_2, until

from drivers import (
    AbortRequest,
    Accepted,
    AlreadyUsed,
    AnswerLost,
    DefiniteError,
    IndeterminateError,
    NotFound,
    Operation,
    Pending,
    PermissionDenied,
    ServerFault,
    SessionMissing,
    Unavailable,
    final_no_needs_list,
    judge,
    judge_listed,
    judge_no,
)


class TerminalDriverContract(MoneyBack):
    """Tests; see the module."""

    @pytest.fixture
    def driver(self):
        raise NotImplementedError

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
    def test_approved(self, driver, simulator, action):
        request = sale()
        assert isinstance(driver.start(request), Accepted)
        assert isinstance(driver.read(request.session_id), Pending)
        simulator.act(action)
        outcome = final(driver, request)
        verdict = judge(asked(request), outcome)
        assert (verdict.state, verdict.approved_amount) == ("approved", 1999)
        assert self.charges(simulator) == [(request.session_id, 1999)]
        assert simulator.control("GET", "charges")[0]["transactionId"] == outcome.transaction_id

    def test_what_a_receipt_needs(self, driver, simulator):
        request = sale()
        driver.start(request)
        simulator.act("tap")
        outcome = final(driver, request)
        assert outcome.card_brand and len(outcome.card_last4) == 4
        assert outcome.card_masked.endswith(outcome.card_last4)
        assert outcome.authorisation_code and outcome.rrn and outcome.tid
        assert outcome.entry_mode == "07"
        assert abs(outcome.finished_at - datetime.now(timezone.utc)) < timedelta(minutes=1)

    def test_reading_again_says_the_same(self, driver, simulator):
        request = sale()
        driver.start(request)
        simulator.act("tap")
        assert final(driver, request) == final(driver, request)

    def test_two_terminals_at_once(self, driver, simulator):
        one, two = sale(), sale(terminal_id=TERMINAL_2, amount=500)
        driver.start(one)
        driver.start(two)
        simulator.act("tap", TERMINAL_2)
        assert judge(asked(two), final(driver, two)).state == "approved"
        assert isinstance(driver.read(one.session_id), Pending)
        simulator.act("tap")
        assert judge(asked(one), final(driver, one)).state == "approved"

    def test_tip_of_the_request(self, driver, simulator):
        skip_unless(driver.capabilities.tip)
        request = sale(tip=200)
        driver.start(request)
        simulator.act("tap")
        verdict = judge(asked(request), final(driver, request))
        assert (verdict.state, verdict.approved_amount, verdict.tip) == ("approved", 2199, 200)

    def test_tip_of_the_customer(self, driver, simulator):
        request = sale()
        driver.start(request)
        simulator.act("tip", minor=300)
        simulator.act("tap")
        verdict = judge(asked(request), final(driver, request))
        assert (verdict.state, verdict.approved_amount, verdict.tip) == ("approved", 2299, 300)
        assert self.charges(simulator) == [(request.session_id, 2299)]

    def test_installments(self, driver, simulator):
        skip_unless(driver.capabilities.installments)
        request = sale(amount=60000, max_installments=12)
        driver.start(request)
        simulator.act("tap", installments=6)
        outcome = final(driver, request)
        assert judge(asked(request), outcome).state == "approved"
        assert outcome.installments == 6

    def test_preauth(self, driver, simulator):
        skip_unless(Operation.PREAUTH in driver.capabilities.operations)
        request = sale(preauth=True)
        driver.start(request)
        simulator.act("tap")
        outcome = final(driver, request)
        assert judge(asked(request), outcome).state == "approved"
        as_sale = judge(asked(sale(**{**request.__dict__, "preauth": False})), outcome)
        assert as_sale.state == "unknown", "money that is only held is no sale"

    # -- a sale that ends without money -----------------------------------------

    @pytest.mark.parametrize("form", ["issuer", "server"])
    def test_declined(self, driver, simulator, form):
        request = sale()
        driver.start(request)
        simulator.act("decline", form=form)
        outcome = final(driver, request)
        assert judge(asked(request), outcome).state == "declined"
        assert final_no_needs_list(outcome)
        assert self.charges(simulator) == []

    def test_decline_amount_of_the_demo(self, driver, simulator):
        request = sale(amount=9951)
        driver.start(request)
        simulator.act("tap")
        verdict = judge(asked(request), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("declined", "insufficient_funds")

    def test_cancelled_on_the_terminal(self, driver, simulator):
        request = sale()
        driver.start(request)
        simulator.act("cancel")
        verdict = judge(asked(request), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("cancelled", "cancelled_on_terminal")

    def test_nobody_presents_a_card(self, driver, simulator):
        simulator.control("POST", "settings", {"card_timeout_s": 0.2})
        request = sale()
        driver.start(request)
        verdict = judge(asked(request), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("failed", "no_card")

    def test_busy_terminal(self, driver, simulator):
        """Told at once or as the end of the session; the first request is not disturbed."""
        first, second = sale(), sale()
        driver.start(first)
        try:
            driver.start(second)
        except DefiniteError:
            pass
        else:
            verdict = judge(asked(second), final(driver, second))
            assert (verdict.state, verdict.message_code) == ("failed", "terminal_busy")
        simulator.act("tap")
        assert judge(asked(first), final(driver, first)).state == "approved"
        assert self.charges(simulator) == [(first.session_id, 1999)]

    def test_terminal_without_network_is_pending_and_never_failed(self, driver, simulator):
        simulator.act("unplug")
        request = sale()
        driver.start(request)
        for _ in range(3):
            assert isinstance(driver.read(request.session_id), Pending)
        simulator.act("plug")
        assert isinstance(driver.read(request.session_id), Pending)

    def test_terminal_that_nobody_knows(self, driver, simulator):
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
            assert judge(asked(request), final(driver, request)).state == "failed"
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
        request = sale()
        driver.start(request)
        simulator.control("POST", f"terminals/{TERMINAL}/tap", {"wait_s": 5, **told})
        verdict = judge(asked(request), final(driver, request))
        assert (verdict.state, verdict.reason) == ("unknown", reason)
        assert verdict.approved_amount == 0

    def test_paid_although_the_session_says_cancelled(self, driver, simulator):
        skip_unless(driver.capabilities.sessions_by_date)
        request = sale()
        driver.start(request)
        simulator.act("retry_paid", delay_ms=50)
        outcome = final(driver, request)
        assert judge(asked(request), outcome).state == "cancelled"
        assert final_no_needs_list(outcome)
        until(lambda: self.charges(simulator))
        verdict = judge_no(asked(request), outcome, listed(driver))
        assert (verdict.state, verdict.approved_amount) == ("approved", 1999)

    # -- identity ---------------------------------------------------------------

    def test_a_session_id_works_once(self, driver, simulator):
        request = sale()
        driver.start(request)
        with pytest.raises(AlreadyUsed):
            driver.start(request)
        simulator.act("tap")
        final(driver, request)
        with pytest.raises(AlreadyUsed):
            driver.start(request)
        assert self.charges(simulator) == [(request.session_id, 1999)]

    def test_a_session_that_never_was(self, driver):
        assert isinstance(driver.read(str(uuid.uuid4())), SessionMissing)

    @pytest.mark.parametrize("session_id", ["../../control/charges", "a?b#c", "50% off", "a/b"])
    def test_an_odd_id_stays_an_id(self, driver, simulator, session_id):
        assert isinstance(driver.read(session_id), SessionMissing)
        assert all(
            entry["path"].startswith(("/ecr/v1/sessions/", "/connect/token"))
            for entry in simulator.control("GET", "requests?path=/")
            if not entry["path"].startswith("/control")
        )

    # -- abort ------------------------------------------------------------------

    def test_abort_wins(self, driver, simulator):
        skip_unless(driver.capabilities.abort)
        request = sale()
        driver.start(request)
        assert not driver.abort(AbortRequest(request.session_id, TILL)).repeated
        assert driver.abort(AbortRequest(request.session_id, TILL)).repeated
        outcome = final(driver, request)
        verdict = judge(asked(request), outcome)
        assert (verdict.state, verdict.message_code) == ("cancelled", "aborted")
        assert outcome.abort_requested and outcome.abort_success

    def test_the_card_wins_against_the_abort(self, driver, simulator):
        skip_unless(driver.capabilities.abort)
        simulator.control("POST", "settings", {"authorising_ms": 300, "abort_ms": 50})
        request = sale()
        driver.start(request)
        simulator.act("tap")
        driver.abort(AbortRequest(request.session_id, TILL))
        verdict = judge(asked(request), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("approved", "approved_after_cancel")
        assert self.charges(simulator) == [(request.session_id, 1999)]

    def test_abort_by_another_cash_register(self, driver, simulator):
        skip_unless(driver.capabilities.abort)
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

    def test_lost_answer_to_a_start(self, driver, simulator):
        """It had arrived: reading finds it, and the same request again says so."""
        simulator.control("POST", "faults", {"drop_sale_response": 1})
        request = sale()
        with pytest.raises(IndeterminateError):
            driver.start(request)
        assert isinstance(driver.read(request.session_id), Pending)
        with pytest.raises(AlreadyUsed):
            driver.start(request)
        simulator.act("tap")
        assert judge(asked(request), final(driver, request)).state == "approved"
        assert self.charges(simulator) == [(request.session_id, 1999)]

    def test_lost_start(self, driver, simulator):
        """It had not arrived: the very same request may go out again, once more only."""
        simulator.control("POST", "faults", {"drop_sale_request": 1})
        request = sale()
        with pytest.raises(IndeterminateError):
            driver.start(request)
        assert isinstance(driver.read(request.session_id), SessionMissing)
        assert len(simulator.control("GET", "sessions")) == 0, "the driver repeated by itself"
        driver.start(request)
        simulator.act("tap")
        assert judge(asked(request), final(driver, request)).state == "approved"

    def test_viva_cannot_take_it_now(self, driver, simulator):
        simulator.control("POST", "faults", {"sale_status": [503]})
        request = sale()
        with pytest.raises(Unavailable):
            driver.start(request)
        assert simulator.control("GET", "sessions") == []
        driver.start(request)

    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_a_server_error_may_have_been_a_start(self, driver, simulator, status):
        fault = {"status": status, "accepted": True}
        simulator.control("POST", "faults", {"sale_status": [fault]})
        request = sale()
        with pytest.raises(ServerFault):
            driver.start(request)
        simulator.act("tap")
        assert judge(asked(request), final(driver, request)).state == "approved"

    def test_errors_of_a_read_say_nothing(self, driver, simulator):
        request = sale()
        driver.start(request)
        simulator.control("POST", "faults", {"session_status": [503, 500, 502, 504, 429]})
        for error in (Unavailable, ServerFault, ServerFault, ServerFault, Unavailable):
            with pytest.raises(error):
                driver.read(request.session_id)
        assert isinstance(driver.read(request.session_id), Pending)

    def test_a_session_that_cannot_be_found_at_first(self, driver, simulator):
        simulator.control("POST", "faults", {"session_404_first_s": 0.4})
        request = sale()
        driver.start(request)
        assert isinstance(driver.read(request.session_id), SessionMissing)
        time.sleep(0.5)
        assert isinstance(driver.read(request.session_id), Pending)

    def test_viva_is_silent(self, driver, simulator):
        """The fixture gives the driver short time-outs; it keeps to them."""
        request = sale()
        driver.start(request)
        simulator.control("POST", "faults", {"silent": True})
        for call in (
            lambda: driver.read(request.session_id),
            lambda: driver.start(sale(terminal_id=TERMINAL_2)),
        ):
            started = time.monotonic()
            with pytest.raises(AnswerLost):
                call()
            assert time.monotonic() - started < 2
        simulator.control("DELETE", "faults")
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
        assert judge_listed(asked(paid), outcomes).state == "approved"
        assert judge_listed(asked(refused), outcomes).state == "declined"
        assert judge_listed(asked(sale()), outcomes) is None

    def test_a_list_of_one(self, driver, simulator):
        skip_unless(driver.capabilities.sessions_by_date)
        simulator.control("POST", "settings", {"strict": {"single_as_object": True}})
        request = sale()
        driver.start(request)
        simulator.act("tap")
        final(driver, request)
        assert judge_listed(asked(request), listed(driver)).state == "approved"
        simulator.control("POST", "reset")
        assert listed(driver) == []
