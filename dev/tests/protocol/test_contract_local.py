"""The local driver and the simulator's terminals keep the contract, and what only this protocol has."""

import contextlib
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from contract import Dispatcher, TerminalDriverContract
from contract_steps import (
    TILL,
    Way,
    asked,
    book,
    capture,
    done,
    final,
    looked_up,
    paid,
    refund,
    sale,
)
from simulator_process import TERMINAL, TERMINAL_2, until
from test_contract_cloud import connect as by_cloud

from drivers import (
    AbortRequest,
    BadRequest,
    DefiniteError,
    DirectTransport,
    IndeterminateError,
    LocalAddress,
    LocalDriver,
    NotFound,
    Outcome,
    Pending,
    PinnedTransport,
    RequestsTransport,
    ServerFault,
    SessionMissing,
    TerminalDriver,
    Unreachable,
    WrongDevice,
    fingerprint_of,
    judge,
)

NOT_FOUND = {"state": "SESSION_NOT_FOUND_ERROR"}


class LocalWay(Way):
    silent_about = frozenset({"surcharge", "issuer_event_id"})
    knows_terminals = False
    through_cloud = False
    guards_aborts = False
    checks_parents = False
    read_paths = (f"/lan/{TERMINAL}/pos/v1/sessions/",)
    terminals = (TERMINAL, TERMINAL_2)
    scheme = "https"

    def __init__(self, simulator):
        super().__init__(simulator)
        self.addresses = {
            terminal: simulator.control(
                "POST",
                "terminals",
                {"terminalId": terminal, "lan": "local", "scheme": self.scheme},
            )
            for terminal in self.terminals
        }

    def set(self, at=TERMINAL, **options):
        self.simulator.control("POST", f"terminals/{at}/lan", options)

    def at(self, terminal, **options):
        """A driver of one terminal."""
        found = self.addresses[terminal]
        pinned = found["scheme"] == "https"
        transport = PinnedTransport(found["fingerprint"]) if pinned else DirectTransport()
        address = LocalAddress(found["scheme"], found["host"], found["port"])
        options = {"read_timeout": 1.0, "start_timeout": 1.0, **options}
        return LocalDriver(transport, address, **options)

    def connect(self):
        return Dispatcher({terminal: self.at(terminal) for terminal in self.terminals})

    def lose_answer(self):
        self.set(drop_after_accept=1)

    def lose_request(self):
        self.set(drop_before_accept=1)

    def refuse_once(self):
        self.set(start_status=[{"status": 400, "body": {"message": "No."}}])
        return BadRequest

    def break_answer(self, status):
        self.set(start_status=[{"status": status, "accepted": True}])

    def break_reads(self):
        self.set(
            session_status=[
                *(503, 500, 502, 429),
                {"status": 200, "state": "SERVER_ERROR"},
                {"status": 200, "body": "<html>"},
            ],
            drop_read=0,
        )
        return (ServerFault,) * 6

    def hide_session(self):
        self.set(session_status=[{"status": 200, "body": NOT_FOUND}])

    def be_silent(self, silent=True):
        for terminal in self.terminals:
            self.set(terminal, silent=silent)


class LocalContract(TerminalDriverContract):
    @pytest.fixture
    def way(self, simulator):
        return LocalWay(simulator)

    @pytest.fixture
    def connect(self, way):
        return way.connect


class TestLocalDriver(LocalContract):
    def test_a_driver_as_typed(self, way):
        typed: TerminalDriver = way.at(TERMINAL)
        assert typed.capabilities.untold == {"currency", "reference"}

    # -- who answers --------------------------------------------------------------

    def test_the_fingerprint_that_a_person_confirms(self, way):
        found = way.addresses[TERMINAL]
        assert fingerprint_of(found["host"], found["port"]) == found["fingerprint"]

    def test_reachable(self, way):
        local = way.at(TERMINAL)
        assert local.probe() is True
        for status in (404, 400):
            way.set(unknown_session=status)
            assert local.probe() is True
        way.set(listening=False)
        with pytest.raises(Unreachable):
            local.probe()

    @pytest.mark.parametrize("how", [{"swap": "16000099"}, {"new_certificate": True}])
    def test_another_device_at_the_address(self, way, simulator, how):
        local = way.at(TERMINAL)
        way.set(**how)
        request = sale()
        for call in (
            lambda: local.start(request),
            lambda: local.read(request.session_id),
            lambda: local.abort(AbortRequest(request.session_id, TILL)),
            lambda: local.probe(),
        ):
            with pytest.raises(WrongDevice):
                call()
        assert simulator.control("GET", "sessions") == []
        assert simulator.control("GET", "requests?path=/lan") == []

    def test_a_terminal_that_is_switched_off(self, way, simulator):
        local = way.at(TERMINAL)
        request = sale()
        local.start(request)
        way.set(listening=False)
        with pytest.raises(Unreachable):
            local.read(request.session_id)
        with pytest.raises(Unreachable):
            local.start(sale())
        way.set(listening=True)
        simulator.act("tap")
        assert judge(asked(local, request), final(local, request)).state == "approved"

    # -- unclear answers ------------------------------------------------------------

    @pytest.mark.parametrize("status", [200, 400, 404])
    def test_missing_in_all_its_forms(self, way, status):
        way.set(unknown_session=status)
        local = way.at(TERMINAL)
        assert isinstance(local.read(str(uuid.uuid4())), SessionMissing)
        with pytest.raises(NotFound):
            local.abort(AbortRequest(str(uuid.uuid4()), TILL))

    @pytest.mark.parametrize("status", [200, 409, 423, 503])
    def test_busy_whatever_the_status(self, driver, way, simulator, status):
        way.set(busy_status=status)
        first, second = sale(), sale()
        driver.start(first)
        with pytest.raises(DefiniteError):
            driver.start(second)
        assert isinstance(driver.read(second.session_id), SessionMissing)
        simulator.act("tap")
        assert judge(asked(driver, first), final(driver, first)).state == "approved"

    @pytest.mark.parametrize("status", [200, 400, 500])
    def test_a_server_error_at_the_start_is_read_once(self, driver, way, simulator, status):
        way.set(start_status=[{"status": status, "state": "SERVER_ERROR"}])
        request = sale()
        with pytest.raises(ServerFault):
            driver.start(request)
        assert isinstance(driver.read(request.session_id), SessionMissing)
        way.set(start_status=[{"status": status, "state": "SERVER_ERROR", "accepted": True}])
        request = sale()
        with pytest.raises(ServerFault):
            driver.start(request)
        assert isinstance(driver.read(request.session_id), Pending)
        simulator.act("tap")
        assert judge(asked(driver, request), final(driver, request)).state == "approved"

    def test_a_success_without_a_result_is_read_on(self, driver, way, simulator):
        way.set(success_without_payload=3)
        request = sale()
        driver.start(request)
        simulator.act("tap")
        until(lambda: self.charges(simulator))
        for _ in range(3):
            assert isinstance(driver.read(request.session_id), Pending)
        assert judge(asked(driver, request), final(driver, request)).state == "approved"

    def test_declined_as_a_success(self, driver, way, simulator):
        way.set(success_false=True)
        request = sale()
        driver.start(request)
        simulator.act("decline")
        assert judge(asked(driver, request), final(driver, request)).state == "declined"

    @pytest.mark.parametrize("told", [False, True])
    def test_merchant_approved_of_an_online_payment_means_nothing(
        self, driver, way, simulator, told
    ):
        way.set(merchant_approved=told)
        _, outcome = paid(driver, simulator)
        assert not outcome.offline and outcome.transaction_id

    def test_paid_although_the_abort_was_accepted(self, driver, way, simulator):
        way.set(approve_although_aborted=True)
        request = sale()
        driver.start(request)
        driver.abort(AbortRequest(request.session_id, TILL))
        verdict = judge(asked(driver, request), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("approved", "approved_after_cancel")

    def test_the_app_is_started_anew(self, driver, way, simulator, office):
        """The session is lost and the customer has paid: only Viva's book knows."""
        simulator.control("POST", "settings", {"authorising_ms": 300})
        request = sale()
        driver.start(request)
        simulator.act("tap")
        way.set(restart=True)
        assert isinstance(driver.read(request.session_id), SessionMissing)
        until(lambda: self.charges(simulator))
        assert isinstance(driver.read(request.session_id), SessionMissing)
        assert looked_up(driver, office, request).state == "approved"

    def test_a_lost_read(self, driver, way, simulator):
        request = sale()
        driver.start(request)
        way.set(drop_read=1)
        with pytest.raises(IndeterminateError):
            driver.read(request.session_id)
        assert isinstance(driver.read(request.session_id), Pending)

    @pytest.mark.parametrize("answer", ["state", "busy"])
    @pytest.mark.parametrize("after", [False, True])
    def test_a_repeated_start_charges_once(self, driver, way, simulator, answer, after):
        way.set(duplicate=answer)
        request = sale()
        driver.start(request)
        if after:
            simulator.act("tap")
            final(driver, request)
        with contextlib.suppress(DefiniteError, IndeterminateError):
            driver.start(request)
        if not after:
            simulator.act("tap")
        assert judge(asked(driver, request), final(driver, request)).state == "approved"

    def test_a_tip_that_the_terminal_takes_out_of_the_amount(self, driver, way, simulator):
        """UNVERIFIED that it comes on top (section 3.2): if not, nobody books a wrong amount."""
        way.set(tip_on_top=False)
        request = sale(tip=200)
        driver.start(request)
        simulator.act("tap")
        verdict = judge(asked(driver, request), final(driver, request))
        assert (verdict.state, verdict.reason) == ("unknown", "amount")

    # -- without network ---------------------------------------------------------------

    def test_approved_offline(self, driver, way, simulator, office):
        way.set(offline=True)
        request = sale()
        driver.start(request)
        simulator.act("tap")
        outcome = final(driver, request)
        verdict = judge(asked(driver, request), outcome)
        assert (verdict.state, verdict.offline) == ("approved", True)
        assert not outcome.transaction_id and outcome.offline
        assert self.charges(simulator) == []
        assert looked_up(driver, office, request) is None
        way.set(offline=False, sync_offline=True)
        found = looked_up(driver, office, request)
        assert (found.state, found.approved_amount) == ("approved", 1999)

    # -- originals ----------------------------------------------------------------------

    @pytest.mark.parametrize("link", ["transactionId", "parentSessionId"])
    def test_how_a_capture_names_its_preauth(self, way, simulator, link):
        """UNVERIFIED which one is right: a switch, and the wrong one is a plain no."""
        way.set(capture_link=link)
        ways = {
            "transactionId": way.at(TERMINAL, capture_link="transaction_id"),
            "parentSessionId": way.at(TERMINAL, capture_link="parent_session_id"),
        }
        right = ways.pop(link)
        (wrong,) = ways.values()
        held, outcome = paid(right, simulator, preauth=True)
        verdict, _ = done(wrong, capture(held, amount=500), outcome)
        assert (verdict.state, verdict.message_code) == ("failed", "parent_unknown")
        assert done(right, capture(held, amount=500), outcome)[0].state == "approved"
        assert book(simulator) == {"capture": 500}

    def test_a_refund_of_a_cloud_sale(self, driver, simulator):
        """Any transaction of the merchant, whoever sold it, by its id."""
        transport = RequestsTransport()
        original, outcome = paid(by_cloud(simulator, transport), simulator)
        transport.close()
        verdict, _ = done(driver, refund(original), outcome)
        assert verdict.state == "approved"
        assert book(simulator) == {"sale": original.amount, "void": original.amount}

    # -- fiscal ---------------------------------------------------------------------------

    def test_the_fiscal_passenger_arrives(self, driver, way, simulator):
        now = datetime.now(timezone.utc) + timedelta(hours=3)
        signed = f"UID1;;{now:%Y%m%d%H%M%S};1999;1612;387;1999;{TERMINAL}"
        fiscal = {
            "aadeProviderId": "999",
            "aadeProviderSignatureData": signed,
            "aadeProviderSignature": "MEUC/+a=",
        }
        _, outcome = paid(driver, simulator, fiscal=fiscal)
        result = outcome.raw["payloadData"]["saleResponse"]
        assert result["aadeTransactionId"].startswith("116")
        (session,) = simulator.control("GET", f"terminals/{TERMINAL}/lan")["sessions"]
        assert session["sent"]["aadeProviderSignatureData"] == signed
        assert session["sent"]["aadeProviderId"] == 999

    @pytest.mark.parametrize(
        ("changes", "code"),
        [({"aadeProviderSignature": ""}, "fiscal"), ({"aadeProviderId": "0"}, "fiscal")],
    )
    def test_a_wrong_passenger_is_refused_by_the_terminal(self, driver, simulator, changes, code):
        fiscal = {
            "aadeProviderId": "999",
            "aadeProviderSignatureData": f"UID1;;20260414221611;1999;1612;387;1999;{TERMINAL}",
            "aadeProviderSignature": "MEUC/+a=",
            **changes,
        }
        request = sale(fiscal=fiscal)
        driver.start(request)
        simulator.act("tap")
        verdict = judge(asked(driver, request), final(driver, request))
        assert (verdict.state, verdict.message_code) == ("failed", code)


class HttpWay(LocalWay):
    scheme = "http"


def test_over_http(simulator):
    """The same without a certificate, as a setting."""
    way = HttpWay(simulator)
    driver = way.connect()
    request, outcome = paid(driver, simulator)
    assert isinstance(outcome, Outcome)
    assert simulator.control("GET", "violations") == []
    assert book(simulator) == {"sale": request.amount}


def test_over_http_another_device_is_found_out_by_its_id(simulator):
    """Too late for the customer, but nobody believes that it was our terminal."""
    way = HttpWay(simulator)
    driver = way.at(TERMINAL)
    way.set(swap="16000099")
    request = sale()
    driver.start(request)
    simulator.act("tap")
    verdict = judge(asked(driver, request), final(driver, request))
    assert (verdict.state, verdict.reason) == ("unknown", "terminal")
