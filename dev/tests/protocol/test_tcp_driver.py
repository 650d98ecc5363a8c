"""The TCP driver against a terminal made of a script: every order, every cut, every silence."""

import socket
import struct
import threading
import time
import uuid

import pytest
from doubles import SocketServer
from test_tcp import (
    APPROVED,
    DECLINED,
    FISCAL,
    READY,
    REFERENCE,
    SESSION,
    asked,
    refund,
    sale,
)

from drivers import (
    AbortRequest,
    Accepted,
    AlreadyUsed,
    AnswerLost,
    BadRequest,
    Busy,
    NotFound,
    NotPossible,
    Operation,
    Outcome,
    Pending,
    PermissionDenied,
    SessionMissing,
    TooLate,
    Unreachable,
    WrongDevice,
    judge,
    tcp,
)
from drivers.ecr import request_frame
from drivers.tcp import PAYDROID, PROLIN, TcpDriver

REQUEST = request_frame(sale())
SILENT = 30


def another(**changes):
    session_id = str(uuid.uuid4())
    reference = session_id.replace("-", "")
    return sale(**{"session_id": session_id, "merchant_reference": reference, **changes})


def reset(connection):
    """Close it with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Terminal(SocketServer):
    """Plays steps on every connection: bytes are sent; ``"request"`` waits for a whole request, a
    number is a pause, a callable is called with the connection; then it closes.

    ``heard``: the bytes that each connection has received.
    """

    def __init__(self, *steps):
        self.heard = []
        self._steps = steps
        super().__init__(self._play)

    def _play(self, connection, number):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        heard = bytearray()
        self.heard.append(heard)
        for step in self._steps:
            if step == "request":
                self._hear(connection, heard, len(REQUEST))
            elif isinstance(step, bytes):
                connection.sendall(step)
            elif callable(step):
                step(connection)
            else:
                self.finished.wait(step)

    @staticmethod
    def _hear(connection, heard, size):
        while len(heard) < size:
            more = connection.recv(size - len(heard))
            if not more:
                return
            heard += more


def connect(terminal, **options):
    options = {"ready_timeout": 0.15, "answer_timeout": 3.0, "poll": 0.05, **options}
    return TcpDriver("127.0.0.1", terminal.port, **options)


def final(driver, session_id=SESSION, seconds=5):
    until = time.monotonic() + seconds
    while isinstance(answer := driver.read(session_id), Pending):
        assert time.monotonic() < until
    return answer


def played(*steps, request=None, **options):
    """The end of a sale against these steps."""
    with Terminal(*steps) as terminal:
        driver = connect(terminal, **options)
        assert isinstance(driver.start(request or sale()), Accepted)
        outcome = final(driver)
        assert bytes(terminal.heard[0]) == REQUEST
        return outcome


def state(outcome):
    return judge(asked(), outcome).state


# -- orders of the messages (section 3) -------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "options"),
    [
        ((READY, "request", APPROVED), {}),
        (("request", READY, APPROVED), {}),
        (("request", READY + APPROVED), {}),
        (("request", APPROVED), {}),
        ((READY, "request", READY, APPROVED), {}),
        ((READY + READY, "request", APPROVED), {}),
        ((READY[:7], 0.05, READY[7:], "request", APPROVED), {}),
        ((b"0008|999|00|", READY, "request", b"0007|999|01", APPROVED), {}),
        ((READY, "request", APPROVED), {"ready_mode": "wait"}),
        (("request", READY, APPROVED), {"ready_mode": "send_first"}),
        ((READY, "request", APPROVED), {"ready_mode": "send_first"}),
        (("request", APPROVED, SILENT), {}),
        ((READY, "request", 0.3, APPROVED, SILENT), {}),
        ((READY, "request", APPROVED + APPROVED), {}),
    ],
)
def test_a_sale(steps, options):
    assert state(played(*steps, **options)) == "approved"


def test_byte_by_byte():
    def drip(data):
        def send(connection):
            for byte in data:
                connection.sendall(bytes([byte]))
                time.sleep(0.0005)

        return send

    assert state(played(drip(READY), "request", drip(READY + APPROVED))) == "approved"


def test_nobody_says_ready():
    with Terminal("request", APPROVED) as terminal:
        started = time.monotonic()
        connect(terminal, ready_timeout=0.3).start(sale())
        assert 0.3 <= time.monotonic() - started < 1
    with Terminal("request", APPROVED) as terminal:
        started = time.monotonic()
        connect(terminal, ready_timeout=0.3, ready_mode="send_first").start(sale())
        assert time.monotonic() - started < 0.25


def test_nobody_says_ready_and_it_is_waited_for():
    with Terminal("request") as terminal:
        driver = connect(terminal, ready_mode="wait")
        with pytest.raises(Unreachable):
            driver.start(sale())
        assert driver.read(SESSION) == SessionMissing("This connection has not started it.")
        time.sleep(0.05)
        assert bytes(terminal.heard[0]) == b""


def test_what_accepted_tells():
    with Terminal(READY, "request", SILENT) as terminal:
        accepted = connect(terminal).start(sale())
        assert accepted.raw == {"sessionId": REQUEST[5:11].decode(), "ready": "000065"}


def test_the_timings_of_the_reference():
    driver = TcpDriver("192.0.2.1")
    assert (driver._port, driver._connect_timeout, driver._ready_timeout) == (8080, 5, 3)
    assert driver._answer_timeout == 180
    with Terminal(SILENT) as terminal:
        connection = tcp.open_connection("127.0.0.1", terminal.port, 1)
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            for name, value in (("IDLE", 60), ("INTVL", 15), ("CNT", 4)):
                option = getattr(socket, f"TCP_KEEP{name}", None)
                if option is not None:
                    assert connection.getsockopt(socket.IPPROTO_TCP, option) == value


# -- cut at each byte -------------------------------------------------------------------------------

TOLD = APPROVED.index(b"25.50") + 5


@pytest.mark.parametrize("cut", range(len(READY) + len(APPROVED) + 1))
def test_cable_pulled_at_each_byte_from_the_terminal(cut):
    """``810`` comes first, then the request goes out, then the answer comes, up to the cut."""
    ready, answer = READY[:cut], APPROVED[: max(cut - len(READY), 0)]
    steps = (ready, "request", answer) if cut >= len(READY) else (ready,)
    with Terminal(*steps) as terminal:
        driver = connect(terminal)
        if cut < len(READY):
            with pytest.raises(Unreachable):
                driver.start(sale())
            assert isinstance(driver.read(SESSION), SessionMissing)
            assert bytes(terminal.heard[0]) == b""
            return
        driver.start(sale())
        if len(answer) < TOLD:
            for _ in range(2):
                with pytest.raises(AnswerLost) as lost:
                    final(driver)
                assert lost.value.raw == {"lost": "connection_lost"}
        else:
            verdict = judge(asked(), final(driver))
            whole = answer == APPROVED
            assert (verdict.state, verdict.reason) == (
                ("approved", "") if whole else ("unknown", "terminal")
            )
        with pytest.raises(AlreadyUsed):
            driver.start(sale())
        assert terminal.connections == 1


@pytest.mark.parametrize("cut", range(len(DECLINED) + 1))
def test_cable_pulled_at_each_byte_of_a_no(cut):
    with Terminal("request", READY, DECLINED[:cut]) as terminal:
        driver = connect(terminal, ready_mode="send_first")
        driver.start(sale())
        if cut < DECLINED.index(b"25.50") + 5:
            with pytest.raises(AnswerLost):
                final(driver)
        else:
            assert state(final(driver)) == "declined"


class Failing:
    """A socket whose cable is pulled after ``left`` bytes were sent."""

    def __init__(self, connection, left):
        self._connection, self._left = connection, left

    def send(self, data):
        if not self._left:
            self._connection.close()
            raise ConnectionResetError(104, "Connection reset by peer")
        self._left -= 1
        return self._connection.send(data[:1])

    def __getattr__(self, name):
        return getattr(self._connection, name)


@pytest.mark.parametrize("cut", range(len(REQUEST)))
def test_cable_pulled_at_each_byte_to_the_terminal(cut):
    """Nothing sent: surely not started, may be repeated. One byte: never again."""
    with Terminal(READY, "request", APPROVED) as terminal:
        connections = []

        def opener(host, port, timeout):
            connection = tcp.open_connection(host, port, timeout)
            connections.append(connection)
            return Failing(connection, cut) if len(connections) == 1 else connection

        driver = connect(terminal, opener=opener)
        with pytest.raises(AnswerLost if cut else Unreachable):
            driver.start(sale())
        if cut:
            for _ in range(2):
                with pytest.raises(AnswerLost):
                    driver.read(SESSION)
            with pytest.raises(AlreadyUsed):
                driver.start(sale())
        else:
            assert isinstance(driver.read(SESSION), SessionMissing)
            driver.start(sale())
            assert state(final(driver)) == "approved"
        assert len(connections) == (1 if cut else 2)


@pytest.mark.parametrize("cut", range(len(REQUEST) + 1))
def test_terminal_resets_after_each_byte_that_it_has_heard(cut):
    def hear(connection):
        heard = b""
        while len(heard) < cut:
            heard += connection.recv(1)
        if not cut:
            connection.recv(1, socket.MSG_PEEK)
        reset(connection)

    with Terminal(READY, hear) as terminal:
        driver = connect(terminal)
        with pytest.raises(AnswerLost):
            driver.start(sale())
            final(driver)
        with pytest.raises(AnswerLost):
            driver.read(SESSION)


@pytest.mark.parametrize("cut", range(0, len(APPROVED) + 1, 9))
def test_terminal_resets_within_its_answer(cut):
    def send_and_reset(connection):
        connection.sendall(APPROVED[:cut])
        time.sleep(0.02)
        reset(connection)

    with Terminal(READY, "request", send_and_reset) as terminal:
        driver = connect(terminal)
        driver.start(sale())
        try:
            outcome = final(driver)
        except AnswerLost:
            assert cut < len(APPROVED)
        else:
            assert cut >= TOLD and state(outcome) == (
                "approved" if cut == len(APPROVED) else "unknown"
            )


def test_the_system_gives_up_the_connection():
    """Keep-alive found nobody: a time-out with a number is no time-out of ours."""

    class Dead:
        def __init__(self, connection):
            self._connection, self.dead = connection, False

        def recv(self, size):
            if self.dead:
                raise TimeoutError(110, "Connection timed out")
            return self._connection.recv(size)

        def __getattr__(self, name):
            return getattr(self._connection, name)

    dead = []

    def opener(host, port, timeout):
        dead.append(Dead(tcp.open_connection(host, port, timeout)))
        return dead[0]

    with Terminal(READY, "request", SILENT) as terminal:
        driver = connect(terminal, opener=opener)
        driver.start(sale())
        assert isinstance(driver.read(SESSION), Pending)
        dead[0].dead = True
        with pytest.raises(AnswerLost) as lost:
            driver.read(SESSION)
        assert lost.value.raw == {"lost": "connection_lost"}


# -- nothing was sent -------------------------------------------------------------------------------


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable):
        TcpDriver("127.0.0.1", port).start(sale())


@pytest.mark.parametrize("host", ["", "no such host", "a" * 300, "terminal.invalid"])
def test_no_such_host(host):
    def opener(name, port, timeout):
        if name == "terminal.invalid":
            raise socket.gaierror(-2, "Name or service not known")
        if not name:
            raise OSError("no host")
        return socket.create_connection((name.encode("idna"), port), timeout)

    with pytest.raises(Unreachable):
        TcpDriver(host, 9, opener=opener).start(sale())


def test_a_terminal_that_closes_at_once_may_be_busy():
    with Terminal() as terminal:
        driver = connect(terminal)
        for _ in range(2):
            with pytest.raises(Unreachable):
                driver.start(sale())
        assert terminal.connections == 2


@pytest.mark.parametrize(
    "greeting", [b"HTTP/1.1 400 Bad\r\n\r\n", b"SSH-2.0-x\r\n", b"0000", b"\xff"]
)
def test_another_kind_of_device_at_the_address(greeting):
    with Terminal(greeting, "request") as terminal:
        driver = connect(terminal)
        with pytest.raises(WrongDevice):
            driver.start(sale())
        assert isinstance(driver.read(SESSION), SessionMissing)
        assert bytes(terminal.heard[0]) == b""


@pytest.mark.parametrize("mode", ["auto", "wait", "send_first"])
def test_the_end_of_another_payment_before_ours_was_sent(mode):
    """Its answer must never be taken for ours."""
    sent = threading.Event()

    def speak(connection):
        connection.sendall(APPROVED)
        sent.set()

    def opener(host, port, timeout):
        connection = tcp.open_connection(host, port, timeout)
        assert sent.wait(2)
        time.sleep(0.02)
        return connection

    with Terminal(speak, "request") as terminal:
        driver = connect(terminal, ready_mode=mode, opener=opener)
        with pytest.raises(Busy):
            driver.start(sale())
        assert isinstance(driver.read(SESSION), SessionMissing)


def test_never_sent_behind_a_part_of_a_frame():
    """Else the end of another payment, cut in two, would be taken for the end of ours."""
    for rest in (b"", APPROVED[20:]):
        with Terminal(APPROVED[:20], 0.05, rest, "request") as terminal:
            driver = connect(terminal, ready_mode="auto")
            with pytest.raises(Busy if rest else Unreachable):
                driver.start(sale())
            assert bytes(terminal.heard[0]) == b""
        with Terminal(READY + APPROVED[:20], 0.05, rest, "request") as terminal:
            driver = connect(terminal)
            with pytest.raises(Busy if rest else Unreachable):
                driver.start(sale())
            assert bytes(terminal.heard[0]) == b""


def test_what_cannot_be_said_is_not_sent():
    with Terminal("request") as terminal:
        driver = connect(terminal)
        for request in (
            sale(tip=100),
            sale(max_installments=3),
            sale(preauth=True),
            sale(currency="JPY"),
            sale(merchant_reference="VP/1"),
            sale(fiscal=FISCAL),
            refund(),
        ):
            with pytest.raises((BadRequest, NotPossible)):
                driver.start(request)
            assert isinstance(driver.read(request.session_id), SessionMissing)
        assert terminal.connections == 0


# -- answers that cannot be believed ----------------------------------------------------------------


def test_the_address_belongs_to_another_terminal():
    other = APPROVED.replace(b"    16000010", b"    16000099")
    verdict = judge(asked(), played(READY, "request", other))
    assert (verdict.state, verdict.reason) == ("unknown", "terminal")
    declined = DECLINED.replace(b"    16000010", b"    16000099")
    assert judge(asked(), played(READY, "request", declined)).reason == "terminal"


def test_two_ends_that_contradict_each_other():
    assert state(played(READY, "request", DECLINED + APPROVED)) == "unknown"
    assert state(played(READY, "request", APPROVED + DECLINED)) == "unknown"


@pytest.mark.parametrize("garbage", [b"HTTP/1.1 500", b"0000", b"\x00\x01", b"0010x"])
def test_garbage_after_the_request_is_a_lost_answer(garbage):
    with Terminal(READY, "request", garbage, SILENT) as terminal:
        driver = connect(terminal)
        driver.start(sale())
        with pytest.raises(AnswerLost):
            final(driver)


def test_a_terminal_that_does_not_stop_talking():
    with Terminal(READY, "request", READY * 1100, SILENT) as terminal:
        driver = connect(terminal)
        driver.start(sale())
        with pytest.raises(AnswerLost) as lost:
            final(driver)
        assert lost.value.raw == {"lost": "connection_lost"}


def test_longer_announced_than_sent(monkeypatch):
    monkeypatch.setattr(tcp, "_SILENCE", 0.1)
    long = b"0200" + APPROVED[4:]
    assert state(played(READY, "request", long)) == "approved"
    assert state(played(READY, "request", long, SILENT)) == "approved"
    assert state(played(READY, "request", b"0200" + DECLINED[4:], SILENT)) == "declined"


def test_a_yes_that_pauses_before_the_terminal_is_waited_for(monkeypatch):
    monkeypatch.setattr(tcp, "_SILENCE", 0.1)
    assert state(played(READY, "request", APPROVED[:-6], 0.4, APPROVED[-6:])) == "approved"
    with Terminal(READY, "request", APPROVED[:-6], SILENT) as terminal:
        driver = connect(terminal, answer_timeout=0.6)
        driver.start(sale())
        verdict = judge(asked(), final(driver))
        assert (verdict.state, verdict.reason) == ("unknown", "terminal")


# -- time -------------------------------------------------------------------------------------------


def test_pending_until_the_time_is_over():
    with Terminal(READY, "request", READY, SILENT) as terminal:
        driver = connect(terminal, answer_timeout=0.5)
        driver.start(sale())
        started = time.monotonic()
        assert isinstance(driver.read(SESSION), Pending)
        assert time.monotonic() - started < 0.3
        with pytest.raises(AnswerLost) as lost:
            final(driver)
        assert time.monotonic() - started >= 0.45
        assert lost.value.raw == {"lost": "terminal_silent"}
        with pytest.raises(AnswerLost):
            driver.read(SESSION)


def test_an_answer_that_waited_while_nobody_read_counts():
    with Terminal(READY, "request", APPROVED, SILENT) as terminal:
        driver = connect(terminal, answer_timeout=0.2)
        driver.start(sale())
        time.sleep(0.4)
        assert state(final(driver)) == "approved"


# -- sessions ---------------------------------------------------------------------------------------


def test_told_again_the_same():
    with Terminal(READY, "request", APPROVED) as terminal:
        driver = connect(terminal)
        driver.start(sale())
        assert final(driver) is final(driver)


def test_one_at_a_time():
    with Terminal(READY, "request", SILENT) as terminal:
        driver = connect(terminal)
        driver.start(sale())
        for _ in range(2):
            with pytest.raises(Busy):
                driver.start(another())
        assert isinstance(driver.read(SESSION), Pending)
        assert terminal.connections == 1


def test_an_end_that_nobody_has_fetched_frees_the_terminal():
    with Terminal(READY, "request", APPROVED) as terminal:
        driver = connect(terminal)
        driver.start(sale())
        time.sleep(0.1)
        second = another()
        driver.start(second)
        assert state(final(driver)) == "approved"
        assert isinstance(final(driver, second.session_id), Outcome)


def test_two_tills_at_the_same_moment():
    with Terminal(0.05, READY, "request", SILENT) as terminal:
        driver = connect(terminal)
        ends, barrier = [], threading.Barrier(4)

        def start():
            barrier.wait()
            try:
                ends.append(driver.start(another()))
            except Busy as error:
                ends.append(error)

        threads = [threading.Thread(target=start) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)
        assert sorted(type(end).__name__ for end in ends) == ["Accepted", "Busy", "Busy", "Busy"]
        assert terminal.connections == 1


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr(tcp, "_REMEMBERED", 3)
    with Terminal(READY, "request", APPROVED) as terminal:
        driver = connect(terminal)
        ids = []
        for _ in range(5):
            request = another()
            ids.append(request.session_id)
            driver.start(request)
            final(driver, request.session_id)
        kept = [isinstance(driver.read(session_id), Outcome) for session_id in ids]
        assert kept == [False, False, True, True, True]


def test_a_session_that_never_was():
    assert isinstance(TcpDriver("192.0.2.1").read("../etc"), SessionMissing)


# -- abort ------------------------------------------------------------------------------------------


def test_no_abort_on_prolin():
    with Terminal(READY, "request", 0.1, APPROVED) as terminal:
        driver = connect(terminal)
        driver.start(sale())
        with pytest.raises(NotPossible):
            driver.abort(AbortRequest(SESSION, "till-2"))
        assert state(final(driver)) == "approved"


def test_abort_on_paydroid_closes_the_connection_and_claims_nothing():
    gone = threading.Event()

    def wait(connection):
        assert connection.recv(1) == b""
        gone.set()

    with Terminal(READY, "request", wait) as terminal:
        driver = connect(terminal, platform="paydroid")
        driver.start(sale())
        with pytest.raises(PermissionDenied):
            driver.abort(AbortRequest(SESSION, "till-3"))
        assert not gone.is_set()
        assert not driver.abort(AbortRequest(SESSION, "till-2")).repeated
        assert gone.wait(2)
        assert driver.abort(AbortRequest(SESSION, "till-2")).repeated
        with pytest.raises(AnswerLost) as lost:
            driver.read(SESSION)
        assert lost.value.raw == {"lost": "aborted"}


def test_an_answer_that_is_here_wins_against_the_abort():
    with Terminal(READY, "request", APPROVED, SILENT) as terminal:
        driver = connect(terminal, platform="paydroid")
        driver.start(sale())
        time.sleep(0.1)
        with pytest.raises(NotFound):
            driver.abort(AbortRequest(SESSION, "till-2"))
        assert state(driver.read(SESSION)) == "approved"
        with pytest.raises(NotFound):
            driver.abort(AbortRequest(str(uuid.uuid4()), "till-2"))


def test_closed_by_us():
    with Terminal(READY, "request", SILENT) as terminal:
        driver = connect(terminal)
        driver.start(sale())
        driver.close()
        with pytest.raises(AnswerLost):
            driver.read(SESSION)
        driver.close()


# -- what it says that it can do --------------------------------------------------------------------


def test_capabilities():
    prolin = TcpDriver("192.0.2.1").capabilities
    assert prolin.operations == {Operation.SALE}
    assert not (prolin.abort or prolin.tip or prolin.installments or prolin.fiscal)
    assert not (prolin.recalls or prolin.sessions_by_date or prolin.partial_refund)
    assert prolin.untold == PROLIN.untold
    paydroid = TcpDriver("192.0.2.1", platform="paydroid").capabilities
    assert paydroid.operations == {Operation.SALE, Operation.PREAUTH} == PAYDROID.operations
    assert paydroid.abort
    refunds = TcpDriver("192.0.2.1", cancel_layout="C1").capabilities
    assert refunds.operations == {Operation.SALE, Operation.REFUND, Operation.VOID}
    assert TcpDriver("192.0.2.1", fiscal=True).capabilities.fiscal
    with pytest.raises(NotPossible):
        TcpDriver("192.0.2.1").sessions(None)


@pytest.mark.parametrize(
    "options", [{"ready_mode": "x"}, {"cancel_layout": "C4"}, {"platform": "windows"}]
)
def test_wrong_settings(options):
    with pytest.raises(ValueError):
        TcpDriver("192.0.2.1", **options)


def test_fiscal_data_reaches_the_terminal_byte_for_byte():
    request = sale(fiscal=FISCAL)
    expected = request_frame(request)
    heard = bytearray()

    def hear(connection):
        while len(heard) < len(expected):
            heard.extend(connection.recv(1000))

    with Terminal(READY, hear, APPROVED) as terminal:
        driver = connect(terminal, fiscal=True)
        driver.start(request)
        assert state(final(driver)) == "approved"
    assert bytes(heard) == expected
    assert REFERENCE.encode() in expected and expected.endswith(
        b"|ecr_default|999|A1B2;;20250314102231;2550;2056;2400;2550;16000010|MEUCIQ+/a1=="
    )


@pytest.mark.parametrize("greeting", [[READY], []])
@pytest.mark.parametrize("stale", [APPROVED, DECLINED, APPROVED[:-14]], ids=["yes", "no", "short"])
def test_an_end_that_comes_too_soon_is_that_of_another_payment(greeting, stale):
    """The terminal owed it to a connection that broke; what comes after it is ours."""
    mode = "wait" if greeting else "send_first"
    parts = [*greeting, "request", stale]
    if stale in (APPROVED, DECLINED):
        outcome = played(*parts, 0.5, DECLINED, SILENT, ready_mode=mode, quickest=0.4)
        assert outcome.success is False
    with Terminal(*parts) as terminal:  # it closes: nothing of ours has come
        driver = connect(terminal, ready_mode=mode, quickest=0.4)
        driver.start(sale())
        with pytest.raises(AnswerLost):
            final(driver)


def test_a_terminal_that_sleeps_says_so_at_once():
    asleep = DECLINED.replace(b"|51|", b"|KO|")
    assert asleep != DECLINED or b"|KO|" in DECLINED
    assert played("request", asleep, SILENT, ready_mode="send_first", quickest=0.4).success is False


def test_not_sent_when_it_is_too_late():
    answers = [False, True]
    with Terminal(READY, "request", APPROVED, SILENT) as terminal:
        driver = connect(terminal, may_send=lambda: answers.pop(0))
        with pytest.raises(TooLate):
            driver.start(sale())
        assert isinstance(driver.start(sale()), Accepted), "as good as new"
        assert final(driver).success is True
    assert [bytes(heard) for heard in terminal.heard] == [b"", REQUEST]
