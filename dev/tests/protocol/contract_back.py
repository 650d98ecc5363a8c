"""The part of the contract about money back and captures; see ``contract.py``."""

import time
import uuid

import pytest
from contract_steps import (
    TILL,
    anew,
    asked,
    book,
    capture,
    check_no_parent,
    clear,
    done,
    final,
    listed,
    paid,
    refund,
    repeat,
    sale,
    skip_unless,
    unreferenced,
)
from simulator_process import TERMINAL_2, until

from drivers import (
    AbortRequest,
    AnswerLost,
    DefiniteError,
    IndeterminateError,
    Operation,
    Pending,
    ServerFault,
    SessionMissing,
    executed_as,
    final_no_needs_list,
    judge,
    judge_no,
)

#: What each kind of request leaves in the book when it goes well.
KINDS = {
    "refund": {"sale": 1999, "void": 1999},
    "part": {"sale": 1999, "refund": 1000},
    "capture": {"capture": 1000},
    "release": {},
    "unreferenced": {"refund": 500},
}
every_kind = pytest.mark.parametrize("kind", sorted(KINDS))


class Prepared:
    """A request of one kind, ready to be sent, and how it is brought to its end."""

    def __init__(self, kind, driver, simulator):
        self.driver, self.simulator, self.kind = driver, simulator, kind
        self.original = None
        capabilities = driver.capabilities
        needed = {"capture": Operation.CAPTURE, "release": Operation.RELEASE}
        able = needed.get(kind, Operation.REFUND) in capabilities.operations
        if kind == "part":
            able = able and capabilities.partial_refund
        if kind == "unreferenced":
            able = capabilities.unreferenced_refund
        skip_unless(able)
        if kind == "unreferenced":
            simulator.control("POST", "settings", {"unreferenced_refund": True})
            self.request = unreferenced(amount=500)
        else:
            preauth = kind in needed
            original, self.original = paid(driver, simulator, preauth=preauth)
            if kind == "part":
                clear(simulator)
            amount = 1000 if kind in ("part", "capture") else original.amount
            make = capture if kind == "capture" else refund
            self.request = make(original, amount=amount)
        self.before = book(simulator)

    def end(self):
        """Wait for the end, presenting a card where one is asked for; return the verdict."""
        if self.kind == "unreferenced":
            self.simulator.act("tap")
        outcome = final(self.driver, self.request)
        return judge(asked(self.driver, self.request, self.original), outcome)

    def ask_anew(self):
        """After a start that surely did nothing: the same request where a repeat of it would be refused."""
        if not self.driver.capabilities.refuses_repeats:
            self.request = anew(self.request)

    def check_done_once(self):
        assert book(self.simulator) == KINDS[self.kind]
        if self.kind == "release":
            (held, release) = self.simulator.control("GET", "attempts")
            assert (held["statusId"], held["refunded"]) == ("X", 1999)
            assert release["operation"] == "release"

    def check_nothing_done(self):
        assert book(self.simulator) == self.before
        for charge in self.simulator.control("GET", "attempts"):
            assert (charge["refunded"], charge["captured"]) == (0, 0)


class MoneyBack:
    """Tests. The class that inherits has the fixture ``driver``."""

    def need(self, driver, *operations):
        skip_unless(driver.capabilities.operations.issuperset(operations))

    # -- refund and void ------------------------------------------------------------

    @every_kind
    def test_it_goes_well(self, driver, simulator, kind):
        prepared = Prepared(kind, driver, simulator)
        driver.start(prepared.request)
        verdict = prepared.end()
        assert (verdict.state, verdict.approved_amount) == ("approved", prepared.request.amount)
        prepared.check_done_once()

    def test_all_of_it_on_the_same_day_is_a_void(self, driver, simulator):
        self.need(driver, Operation.REFUND)
        original, outcome = paid(driver, simulator)
        verdict, back = done(driver, refund(original), outcome)
        assert (verdict.state, executed_as(back.transaction_type_id)) == ("approved", "void")
        assert back.transaction_id != outcome.transaction_id
        assert book(simulator) == {"sale": 1999, "void": 1999}

    def test_after_clearing_it_is_a_refund(self, driver, simulator):
        self.need(driver, Operation.REFUND)
        original, outcome = paid(driver, simulator)
        clear(simulator)
        verdict, back = done(driver, refund(original), outcome)
        assert (verdict.state, executed_as(back.transaction_type_id)) == ("approved", "refund")
        assert book(simulator) == {"sale": 1999, "refund": 1999}

    def test_a_part_before_clearing_is_refused(self, driver, simulator):
        self.need(driver, Operation.REFUND)
        original, outcome = paid(driver, simulator)
        verdict, told = done(driver, refund(original, amount=1000), outcome, partial=True)
        assert (verdict.state, verdict.message_code) == ("failed", "partial_too_early")
        if driver.capabilities.sessions_by_date:
            assert final_no_needs_list(told)
        assert book(simulator) == {"sale": 1999}
        assert done(driver, refund(original), outcome)[0].state == "approved"
        assert book(simulator) == {"sale": 1999, "void": 1999}

    def test_parts_after_clearing_up_to_the_amount_and_not_beyond(self, driver, simulator):
        self.need(driver, Operation.REFUND)
        skip_unless(driver.capabilities.partial_refund)
        original, outcome = paid(driver, simulator)
        clear(simulator)
        steps = [
            (1000, "approved", "approved"),
            (1000, "failed", "invalid_amount"),
            (999, "approved", "approved"),
            (1, "failed", "not_reversible"),
            (1999, "failed", "not_reversible"),
        ]
        for amount, state, code in steps:
            request = refund(original, amount=amount)
            verdict, _ = done(driver, request, outcome, partial=amount < 1999)
            assert (verdict.state, verdict.message_code) == (state, code)
        assert book(simulator) == {"sale": 1999, "refund": 1999}

    @pytest.mark.parametrize("cleared", [False, True])
    def test_more_than_was_paid(self, driver, simulator, cleared):
        self.need(driver, Operation.REFUND)
        original, outcome = paid(driver, simulator)
        if cleared:
            clear(simulator)
        verdict, _ = done(driver, refund(original, amount=2000), outcome)
        assert (verdict.state, verdict.message_code) == ("failed", "invalid_amount")
        assert book(simulator) == {"sale": 1999}

    def test_twice(self, driver, simulator):
        self.need(driver, Operation.REFUND)
        original, outcome = paid(driver, simulator)
        assert done(driver, refund(original), outcome)[0].state == "approved"
        verdict, _ = done(driver, refund(original), outcome)
        assert (verdict.state, verdict.message_code) == ("failed", "not_reversible")
        assert book(simulator) == {"sale": 1999, "void": 1999}

    @pytest.mark.parametrize("ending", ["unknown", "pending", "cancel", "decline"])
    @pytest.mark.parametrize("make", [refund, capture])
    def test_an_original_without_a_success(self, driver, simulator, way, ending, make):
        self.need(driver, Operation.REFUND, Operation.CAPTURE, Operation.PREAUTH)
        original = sale(terminal_id=TERMINAL_2, preauth=make is capture)
        if ending != "unknown":
            driver.start(original)
        if ending in ("cancel", "decline"):
            simulator.act(ending, TERMINAL_2)
            final(driver, original)
        request = make(original)
        check_no_parent(way, driver, request)
        if way.checks_parents:
            assert isinstance(driver.read(request.session_id), SessionMissing)
        assert book(simulator) == {}

    @pytest.mark.parametrize(("cleared", "executed"), [(False, "void"), (True, "refund")])
    @pytest.mark.parametrize("action", ["iris", "insert_pin"])
    def test_of_another_kind_of_payment(self, driver, simulator, action, cleared, executed):
        self.need(driver, Operation.REFUND)
        original, outcome = paid(driver, simulator, action)
        if cleared:
            clear(simulator)
        verdict, back = done(driver, refund(original), outcome)
        assert (verdict.state, executed_as(back.transaction_type_id)) == ("approved", executed)
        assert book(simulator) == {"sale": 1999, executed: 1999}

    @pytest.mark.parametrize(("cleared", "executed"), [(False, "void"), (True, "refund")])
    def test_of_a_sale_in_installments(self, driver, simulator, cleared, executed):
        self.need(driver, Operation.REFUND)
        skip_unless(driver.capabilities.installments)
        options = {"installments": 6}
        original, outcome = paid(
            driver, simulator, "tap", options, amount=60000, max_installments=12
        )
        if cleared:
            clear(simulator)
        verdict, back = done(driver, refund(original), outcome)
        assert (verdict.state, executed_as(back.transaction_type_id)) == ("approved", executed)
        assert book(simulator) == {"sale": 60000, executed: 60000}

    def test_of_a_sale_with_extras(self, driver, simulator, way):
        """What was really charged can be given back; the extras do not come on top again."""
        self.need(driver, Operation.REFUND)
        original = sale()
        driver.start(original)
        simulator.act("tip", minor=300)
        simulator.act("surcharge", minor=20)
        simulator.act("dcc", currency="826", amount=2000, rate=0.86)
        simulator.act("tap")
        outcome = final(driver, original)
        verdict = judge(asked(driver, original), outcome)
        if way.silent_about & {"tip", "surcharge"}:
            assert (verdict.state, verdict.reason) == ("unknown", "amount")
        else:
            assert (verdict.approved_amount, verdict.tip, verdict.surcharge) == (2319, 300, 20)
        verdict, _ = done(driver, refund(original, amount=2319), outcome)
        assert (verdict.state, verdict.approved_amount, verdict.tip) == ("approved", 2319, 0)
        assert book(simulator) == {"sale": 2319, "void": 2319}

    def test_on_another_terminal(self, driver, simulator):
        self.need(driver, Operation.REFUND)
        original, outcome = paid(driver, simulator)
        request = refund(original, terminal_id=TERMINAL_2)
        verdict, _ = done(driver, request, outcome)
        assert verdict.state == "approved"
        assert book(simulator) == {"sale": 1999, "void": 1999}

    def test_on_another_terminal_where_that_does_not_work(self, driver, simulator):
        self.need(driver, Operation.REFUND)
        original, outcome = paid(driver, simulator)
        simulator.control("POST", "settings", {"strict": {"refund_elsewhere": False}})
        request = refund(original, terminal_id=TERMINAL_2)
        verdict, _ = done(driver, request, outcome)
        assert (verdict.state, verdict.message_code) == ("failed", "parent_unknown")
        assert book(simulator) == {"sale": 1999}

    @pytest.mark.parametrize(
        ("setting", "code"), [("refunds", "refunds_disabled"), ("voids", "not_enabled")]
    )
    def test_not_allowed_to_the_merchant(self, driver, simulator, setting, code):
        self.need(driver, Operation.REFUND)
        original, outcome = paid(driver, simulator)
        simulator.control("POST", "settings", {setting: False})
        verdict, _ = done(driver, refund(original), outcome)
        assert (verdict.state, verdict.message_code) == ("failed", code)
        assert book(simulator) == {"sale": 1999}

    # -- with the card --------------------------------------------------------------

    @pytest.mark.parametrize(
        ("action", "options", "state", "code"),
        [
            ("tap", {}, "approved", "approved"),
            ("insert_pin", {}, "approved", "approved"),
            ("decline", {}, "declined", "declined_by_bank"),
            ("decline", {"form": "server"}, "declined", "declined_by_bank"),
            ("cancel", {}, "cancelled", "cancelled_on_terminal"),
            ("walk_away", {}, "failed", "no_card"),
        ],
    )
    def test_with_the_card(self, driver, simulator, action, options, state, code):
        self.need(driver, Operation.REFUND)
        original, outcome = paid(driver, simulator)
        simulator.control("POST", "settings", {"refund_needs_card": True})
        request = refund(original)
        driver.start(request)
        assert isinstance(driver.read(request.session_id), Pending)
        simulator.act(action, **options)
        verdict = judge(asked(driver, request, outcome), final(driver, request))
        assert (verdict.state, verdict.message_code) == (state, code)
        back = {"void": 1999} if state == "approved" else {}
        assert book(simulator) == {"sale": 1999, **back}

    def test_abort_of_a_refund_that_waits_for_the_card(self, driver, simulator):
        self.need(driver, Operation.REFUND)
        skip_unless(driver.capabilities.abort)
        original, outcome = paid(driver, simulator)
        simulator.control("POST", "settings", {"refund_needs_card": True})
        request = refund(original)
        driver.start(request)
        driver.abort(AbortRequest(request.session_id, TILL))
        verdict = judge(asked(driver, request, outcome), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("cancelled", "aborted")
        assert book(simulator) == {"sale": 1999}

    @pytest.mark.parametrize("kind", ["refund", "capture", "release"])
    def test_an_abort_that_comes_too_late(self, driver, simulator, kind):
        """What the terminal carries out by itself cannot be stopped any more."""
        skip_unless(driver.capabilities.abort)
        prepared = Prepared(kind, driver, simulator)
        simulator.control("POST", "settings", {"authorising_ms": 300, "abort_ms": 20})
        driver.start(prepared.request)
        driver.abort(AbortRequest(prepared.request.session_id, TILL))
        verdict = prepared.end()
        assert (verdict.state, verdict.message_code) == ("approved", "approved_after_cancel")
        prepared.check_done_once()

    @pytest.mark.parametrize(
        ("told", "reason"),
        [
            ({"amount": 1000}, "amount"),
            ({"currency": "826"}, "currency"),
            ({"reference": "another refund"}, "reference"),
            ({"terminal": "16000099"}, "terminal"),
        ],
    )
    def test_another_answer_than_asked_for_a_refund(self, driver, simulator, told, reason):
        self.need(driver, Operation.REFUND)
        skip_unless(reason not in driver.capabilities.untold)
        original, outcome = paid(driver, simulator)
        simulator.control("POST", "settings", {"refund_needs_card": True})
        request = refund(original)
        driver.start(request)
        simulator.act("tap", **told)
        verdict = judge(asked(driver, request, outcome), final(driver, request))
        assert (verdict.state, verdict.reason) == ("unknown", reason)

    def test_the_original_told_as_its_own_refund(self, driver, simulator):
        self.need(driver, Operation.REFUND)
        original, outcome = paid(driver, simulator)
        simulator.control("POST", "settings", {"refund_needs_card": True})
        request = refund(original)
        driver.start(request)
        simulator.act("tap", transactionId=outcome.transaction_id)
        verdict = judge(asked(driver, request, outcome), final(driver, request))
        assert (verdict.state, verdict.reason) == ("unknown", "transaction_id")

    def test_given_back_although_the_session_says_cancelled(self, driver, simulator):
        self.need(driver, Operation.REFUND)
        skip_unless(driver.capabilities.sessions_by_date)
        original, outcome = paid(driver, simulator)
        simulator.control("POST", "settings", {"refund_needs_card": True})
        request = refund(original)
        driver.start(request)
        simulator.act("retry_paid", delay_ms=50)
        told = final(driver, request)
        assert judge(asked(driver, request, outcome), told).state == "cancelled"
        assert final_no_needs_list(told)
        until(lambda: "void" in book(simulator))
        verdict = judge_no(asked(driver, request, outcome), told, listed(driver))
        assert (verdict.state, verdict.approved_amount) == ("approved", 1999)

    # -- to any card ----------------------------------------------------------------

    def test_unreferenced_refund_off(self, driver, simulator):
        skip_unless(driver.capabilities.unreferenced_refund)
        request = unreferenced()
        driver.start(request)
        simulator.act("tap")
        verdict = judge(asked(driver, request), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("failed", "refunds_disabled")
        assert book(simulator) == {}

    # -- preauth and capture --------------------------------------------------------

    @pytest.mark.parametrize("amount", [1999, 1, 1998])
    def test_capture(self, driver, simulator, amount):
        self.need(driver, Operation.PREAUTH, Operation.CAPTURE)
        held, outcome = paid(driver, simulator, preauth=True)
        assert book(simulator) == {}
        verdict, taken = done(driver, capture(held, amount=amount), outcome)
        assert (verdict.state, verdict.approved_amount) == ("approved", amount)
        assert taken.transaction_id != outcome.transaction_id
        assert book(simulator) == {"capture": amount}

    def test_capture_of_too_much(self, driver, simulator):
        self.need(driver, Operation.PREAUTH, Operation.CAPTURE)
        held, outcome = paid(driver, simulator, preauth=True)
        verdict, _ = done(driver, capture(held, amount=2000), outcome)
        assert (verdict.state, verdict.message_code) == ("failed", "capture_amount")
        assert book(simulator) == {}
        assert done(driver, capture(held), outcome)[0].state == "approved"
        assert book(simulator) == {"capture": 1999}

    def test_capture_twice(self, driver, simulator):
        self.need(driver, Operation.PREAUTH, Operation.CAPTURE)
        held, outcome = paid(driver, simulator, preauth=True)
        assert done(driver, capture(held, amount=1000), outcome)[0].state == "approved"
        verdict, _ = done(driver, capture(held, amount=999), outcome)
        assert (verdict.state, verdict.message_code) == ("failed", "parent_unknown")
        assert book(simulator) == {"capture": 1000}

    def test_capture_of_a_sale(self, driver, simulator, way):
        self.need(driver, Operation.CAPTURE)
        original, _ = paid(driver, simulator)
        check_no_parent(way, driver, capture(original))
        assert book(simulator) == {"sale": 1999}

    def test_capture_of_what_has_lapsed(self, driver, simulator):
        self.need(driver, Operation.PREAUTH, Operation.CAPTURE)
        held, outcome = paid(driver, simulator, preauth=True)
        simulator.control("POST", "settings", {"preauth_valid_h": 24})
        clear(simulator)
        verdict, _ = done(driver, capture(held), outcome)
        assert (verdict.state, verdict.message_code) == ("failed", "expired")
        assert book(simulator) == {}

    @pytest.mark.parametrize(("cleared", "executed"), [(False, "void"), (True, "refund")])
    def test_refund_of_a_capture(self, driver, simulator, cleared, executed):
        self.need(driver, Operation.PREAUTH, Operation.CAPTURE, Operation.REFUND)
        held, _ = paid(driver, simulator, preauth=True)
        taken = capture(held, amount=1500)
        verdict, outcome = done(driver, taken)
        if cleared:
            clear(simulator)
        verdict, back = done(driver, refund(taken), outcome)
        assert (verdict.state, executed_as(back.transaction_type_id)) == ("approved", executed)
        assert book(simulator) == {"capture": 1500, executed: 1500}

    def test_release(self, driver, simulator):
        self.need(driver, Operation.PREAUTH, Operation.RELEASE)
        held, outcome = paid(driver, simulator, preauth=True)
        verdict, back = done(driver, refund(held), outcome)
        assert (verdict.state, executed_as(back.transaction_type_id)) == ("approved", "void")
        assert book(simulator) == {}, "nothing was taken, so nothing moves"
        verdict, _ = done(driver, capture(held), outcome)
        assert verdict.state == "failed"
        assert book(simulator) == {}

    def test_release_of_a_part(self, driver, simulator):
        self.need(driver, Operation.PREAUTH, Operation.RELEASE)
        held, outcome = paid(driver, simulator, preauth=True)
        verdict, _ = done(driver, refund(held, amount=1000), outcome, partial=True)
        assert verdict.state == "failed"
        assert done(driver, capture(held), outcome)[0].state == "approved"

    def test_release_after_the_capture(self, driver, simulator):
        self.need(driver, Operation.PREAUTH, Operation.CAPTURE, Operation.RELEASE)
        held, outcome = paid(driver, simulator, preauth=True)
        done(driver, capture(held, amount=1000), outcome)
        verdict, _ = done(driver, refund(held), outcome)
        assert (verdict.state, verdict.message_code) == ("failed", "not_reversible")
        assert book(simulator) == {"capture": 1000}

    def test_release_where_the_terminal_cannot(self, driver, simulator, way):
        """UNVERIFIED whether it can (section 4.1); the hold is as good as before."""
        self.need(driver, Operation.PREAUTH, Operation.RELEASE)
        held, outcome = paid(driver, simulator, preauth=True)
        simulator.control("POST", "settings", {"strict": {"preauth_void": False}})
        check_no_parent(way, driver, refund(held))
        assert done(driver, capture(held), outcome)[0].state == "approved"
        assert book(simulator) == {"capture": 1999}

    def test_preauth_that_is_not_enabled(self, driver, simulator):
        self.need(driver, Operation.PREAUTH)
        simulator.control("POST", "settings", {"preauth": False})
        request = sale(preauth=True)
        driver.start(request)
        simulator.act("tap")
        verdict = judge(asked(driver, request), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("failed", "not_enabled")
        assert simulator.control("GET", "attempts") == []

    # -- trouble on the way ---------------------------------------------------------

    @every_kind
    def test_the_answer_is_lost(self, driver, simulator, way, kind):
        prepared = Prepared(kind, driver, simulator)
        way.lose_answer()
        with pytest.raises(IndeterminateError):
            driver.start(prepared.request)
        repeat(driver, prepared.request)
        assert prepared.end().state == "approved"
        prepared.check_done_once()

    @every_kind
    def test_the_request_is_lost(self, driver, simulator, way, kind):
        prepared = Prepared(kind, driver, simulator)
        way.lose_request()
        with pytest.raises(IndeterminateError):
            driver.start(prepared.request)
        assert isinstance(driver.read(prepared.request.session_id), SessionMissing)
        prepared.check_nothing_done()
        prepared.ask_anew()
        driver.start(prepared.request)
        assert prepared.end().state == "approved"
        prepared.check_done_once()

    @every_kind
    def test_not_now(self, driver, simulator, way, kind):
        prepared = Prepared(kind, driver, simulator)
        with pytest.raises(way.refuse_once()):
            driver.start(prepared.request)
        prepared.check_nothing_done()
        prepared.ask_anew()
        driver.start(prepared.request)
        assert prepared.end().state == "approved"
        prepared.check_done_once()

    @every_kind
    def test_a_gateway_error_may_have_been_a_start_of_it(self, driver, simulator, way, kind):
        prepared = Prepared(kind, driver, simulator)
        way.break_answer(502)
        with pytest.raises(ServerFault):
            driver.start(prepared.request)
        assert prepared.end().state == "approved"
        prepared.check_done_once()

    @every_kind
    def test_the_same_session_id_twice(self, driver, simulator, kind):
        prepared = Prepared(kind, driver, simulator)
        driver.start(prepared.request)
        repeat(driver, prepared.request)
        assert prepared.end().state == "approved"
        repeat(driver, prepared.request)
        prepared.check_done_once()

    @every_kind
    def test_the_terminal_is_busy(self, driver, simulator, kind):
        prepared = Prepared(kind, driver, simulator)
        other = sale(amount=700)
        driver.start(other)
        try:
            driver.start(prepared.request)
        except DefiniteError:
            pass
        else:
            told = final(driver, prepared.request)
            verdict = judge(asked(driver, prepared.request, prepared.original), told)
            assert (verdict.state, verdict.message_code) == ("failed", "terminal_busy")
            assert not final_no_needs_list(told)
        prepared.check_nothing_done()
        simulator.act("tap")
        assert judge(asked(driver, other), final(driver, other)).state == "approved"

    @every_kind
    def test_the_terminal_has_no_network(self, driver, simulator, way, kind):
        prepared = Prepared(kind, driver, simulator)
        simulator.act("unplug")
        driver.start(prepared.request)
        if not way.through_cloud:
            if prepared.kind == "unreferenced":
                simulator.act("tap")
            told = final(driver, prepared.request)
            verdict = judge(asked(driver, prepared.request, prepared.original), told)
            assert verdict.state == "failed" and final_no_needs_list(told)
            prepared.check_nothing_done()
            return
        for _ in range(3):
            assert isinstance(driver.read(prepared.request.session_id), Pending)
        prepared.check_nothing_done()

    def test_the_terminal_loses_its_network_after_it_was_done(self, driver, simulator, way):
        skip_unless(way.through_cloud)
        prepared = Prepared("refund", driver, simulator)
        simulator.control("POST", "settings", {"authorising_ms": 200})
        driver.start(prepared.request)
        simulator.act("unplug")
        until(lambda: "void" in book(simulator))
        assert isinstance(driver.read(prepared.request.session_id), Pending)
        simulator.act("plug")
        assert prepared.end().state == "approved"
        prepared.check_done_once()

    def test_nobody_answers_while_giving_back(self, driver, simulator, way):
        prepared = Prepared("refund", driver, simulator)
        way.be_silent()
        started = time.monotonic()
        with pytest.raises(AnswerLost):
            driver.start(prepared.request)
        assert time.monotonic() - started < 2
        way.be_silent(False)
        assert isinstance(driver.read(prepared.request.session_id), SessionMissing)
        prepared.check_nothing_done()

    def test_an_unknown_terminal_gives_nothing_back(self, driver, simulator, way):
        skip_unless(way.knows_terminals)
        prepared = Prepared("refund", driver, simulator)
        request = refund(sale(), terminal_id="99999999", session_id=str(uuid.uuid4()))
        with pytest.raises(DefiniteError):
            driver.start(request)
        prepared.check_nothing_done()
        simulator.control("POST", "reset")
