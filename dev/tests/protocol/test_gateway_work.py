"""One terminal's thread against a driver made of a script: what is made of which answer."""

import dataclasses
import threading
import time
import uuid

import pytest
from gateway_doubles import TERMINAL, sale, until

from drivers import (
    Accepted,
    AlreadyUsed,
    AnswerLost,
    BadRequest,
    Busy,
    Outcome,
    Pending,
    PermissionDenied,
    ServerFault,
    SessionMissing,
    TooLate,
    Unreachable,
    WrongDevice,
)
from drivers.capabilities import LOCAL, PAYDROID, PROLIN
from gateway import clock, work
from gateway.store import Command, Store
from gateway.terminals import Terminal

DONE = Outcome(session_id="s", terminal_id=TERMINAL, success=True, amount=2550)


class Script:
    """``start`` is done or raised once, ``reads`` one after the other; the last stays."""

    def __init__(self, start=None, reads=(DONE,), capabilities=LOCAL, abort=None):
        self.start_with, self.reads, self.abort_with = start, list(reads), abort
        self.capabilities = capabilities
        self.started, self.read_at, self.aborted = [], [], []
        self.closed = False

    def start(self, request):
        self.started.append(request)
        if isinstance(self.start_with, BaseException):
            raise self.start_with
        return Accepted()

    def read(self, session_id):
        self.read_at.append(clock.now())
        item = self.reads.pop(0) if len(self.reads) > 1 else self.reads[0]
        if isinstance(item, BaseException):
            raise item
        return item

    def abort(self, request):
        self.aborted.append(request)
        if isinstance(self.abort_with, BaseException):
            raise self.abort_with
        return Accepted()

    def close(self):
        self.closed = True


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(work, "QUICK_S", 0.01)
    monkeypatch.setattr(work, "POLL_S", 0.02)
    monkeypatch.setattr(work, "UNHEARD_S", 0.2)
    monkeypatch.setattr(work, "PAUSE_S", 0.05)


@pytest.fixture
def journal(tmp_path):
    journal = Store(tmp_path / "gateway.sqlite")
    yield journal
    journal.close()


class Bench:
    """A worker with its journal; no look at the idle terminal."""

    def __init__(self, journal, script, monkeypatch, protocol="local"):
        self.journal, self.script = journal, script
        monkeypatch.setattr(work.Worker, "_look", lambda self, terminal: self._schedule_look())
        self.made = []
        self.news = threading.Event()
        self.worker = work.Worker(TERMINAL, journal, self.news.set, self._make)
        self.terminal = Terminal(TERMINAL, protocol, "127.0.0.1", 8080, "http", loopback=True)
        self.worker.know(self.terminal)
        self.worker.start()

    def _make(self, terminal, may_send):
        self.may_send = may_send
        self.made.append(terminal)
        return self.script

    def order(self, valid_s=10.0, **more):
        request = sale(**more)
        session_id = request["session_id"]
        command = Command(session_id, TERMINAL, request, clock.now() + valid_s)
        for session in self.journal.take_answer([], None, [command], []):
            self.worker.start_session(session)
        return session_id

    def kinds(self, session_id):
        reports = self.journal.reports(1000)
        return [report["kind"] for report in reports if report["session_id"] == session_id]

    def wait(self, session_id, kind):
        def found():
            reports = self.journal.reports(1000)
            return [
                report["data"]
                for report in reports
                if (report["session_id"], report["kind"]) == (session_id, kind)
            ]

        return until(found)[-1]


@pytest.fixture
def bench(journal, monkeypatch):
    made = []

    def make(script, protocol="local"):
        made.append(Bench(journal, script, monkeypatch, protocol))
        return made[-1]

    yield make
    for one in made:
        one.worker.stop()
        for watch in list(one.worker._watches.values()):
            watch.lost = True
        one.worker.join(5)
        assert not one.worker.is_alive()


GONE = SessionMissing()
SILENT = Unreachable("No connection.")
UNCLEAR = ServerFault("Not understood.")


@pytest.mark.parametrize(
    ("start", "reads", "told"),
    [
        (None, [DONE], ["started", "accepted", "outcome"]),
        (None, [Pending(), Pending(), DONE], ["started", "accepted", "outcome"]),
        (None, [SILENT, UNCLEAR, GONE, DONE], ["started", "accepted", "outcome"]),
        # no answer to the start: the session tells
        (AnswerLost("x"), [DONE], ["started", "outcome"]),
        (AnswerLost("x"), [Pending(), DONE], ["started", "accepted", "outcome"]),
        (AnswerLost("x"), [GONE, GONE, DONE], ["started", "outcome"]),
        (AnswerLost("x"), [SILENT, SILENT, DONE], ["started", "outcome"]),
        (ServerFault("x"), [DONE], ["started", "outcome"]),
        (AlreadyUsed("x"), [DONE], ["started", "outcome"]),
        (RuntimeError("a defect"), [DONE], ["started", "outcome"]),
        # it answers and does not know it: it may have been started anew, or be slow
        (AnswerLost("x"), [GONE], ["started", "lost"]),
        (AnswerLost("x"), [SILENT, GONE], ["started", "lost"]),
        # it knew it, and does not any more
        (None, [Pending(), GONE], ["started", "accepted", "lost"]),
        (AnswerLost("x"), [Pending(), GONE], ["started", "accepted", "lost"]),
        # surely nothing was started
        (Busy("x"), [DONE], ["started", "refused"]),
        (BadRequest("x"), [DONE], ["started", "refused"]),
        (Unreachable("x"), [DONE], ["started", "refused"]),
        (WrongDevice("x"), [DONE], ["started", "refused"]),
        (TooLate("x"), [DONE], ["started", "refused"]),
    ],
)
def test_what_is_made_of_which_answer(bench, start, reads, told):
    script = Script(start, reads)
    terminal = bench(script)
    session_id = terminal.order()
    terminal.wait(session_id, told[-1])
    assert terminal.kinds(session_id) == ["received", *told]
    assert len(script.started) == 1


def test_unknown_and_unreachable_in_turn_is_no_proof(bench):
    """The ten seconds begin anew with each silence."""
    script = Script(AnswerLost("x"), [GONE, SILENT] * 40 + [DONE])
    terminal = bench(script)
    session_id = terminal.order()
    terminal.wait(session_id, "outcome")
    assert terminal.kinds(session_id) == ["received", "started", "outcome"]


def test_what_it_lists_late_is_told_and_the_terminal_is_free_meanwhile(bench):
    script = Script(AnswerLost("x"), [GONE])
    terminal = bench(script)
    session_id = terminal.order()
    assert terminal.wait(session_id, "lost") == {"reason": "session_lost"}
    script.start_with = None
    other = terminal.order()
    terminal.wait(other, "accepted")
    script.reads = [DONE]
    terminal.worker.ask_again(session_id)
    terminal.wait(session_id, "outcome")
    terminal.wait(other, "outcome")


def test_whether_it_may_still_be_sent_is_known_at_the_last_moment(bench, monkeypatch):
    """The machine may sleep between two lines; its clock does not."""
    asked = []
    script = Script()
    terminal = bench(script)
    start, now = script.start, clock.now

    def sleepy(request):
        asked.append(terminal.may_send())
        monkeypatch.setattr(clock, "now", lambda: now() + 5)
        asked.append(terminal.may_send())
        return start(request)

    script.start = sleepy
    terminal.wait(terminal.order(valid_s=4), "outcome")
    assert asked == [True, False]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Pending(), "terminal_silent"),
        (SILENT, "terminal_silent"),
        (UNCLEAR, "terminal_silent"),
        (WrongDevice("x"), "wrong_terminal"),
    ],
)
def test_deadline_and_a_late_outcome(bench, monkeypatch, answer, reason):
    monkeypatch.setattr(work, "DEADLINE_S", 0.3)
    script = Script(None, [answer])
    terminal = bench(script)
    session_id = terminal.order()
    assert terminal.wait(session_id, "lost") == {"reason": reason}
    script.reads = [DONE]
    terminal.worker._watches[session_id].next_at = 0
    terminal.worker.ask_again(session_id)
    terminal.wait(session_id, "outcome")
    assert terminal.kinds(session_id) == ["received", "started", "accepted", "lost", "outcome"]


def test_at_last_nobody_asks_any_more(bench, monkeypatch, journal):
    monkeypatch.setattr(work, "DEADLINE_S", 0.1)
    monkeypatch.setattr(work, "LATE_S", 0.2)
    script = Script(None, [SILENT])
    terminal = bench(script)
    session_id = terminal.order()
    terminal.wait(session_id, "lost")
    until(lambda: (terminal.worker.ask_again(session_id), not terminal.worker.watching)[1])
    assert not journal.unfinished()


def test_it_sleeps_between_two_reads(bench, monkeypatch):
    """A look that is due during a payment waits for its end, without turning round and round."""
    monkeypatch.setattr(work, "POLL_S", 0.1)
    monkeypatch.setattr(work, "QUICK_S", 0.1)
    script = Script(None, [Pending()])
    terminal = bench(script)
    session_id = terminal.order()
    terminal.wait(session_id, "accepted")
    turns = []
    turn = work.Worker._turn
    monkeypatch.setattr(work.Worker, "_turn", lambda self: (turns.append(1), turn(self)))
    terminal.worker._look_at = 0
    time.sleep(0.5)
    assert 2 <= len(turns) <= 8
    script.reads = [DONE]
    terminal.wait(session_id, "outcome")


def test_the_waits_grow_after_it_was_lost(bench, monkeypatch):
    watch = work._Watch("s", "r", None, 0, 0, True, lost=True)
    worker = bench(Script()).worker
    waits = [worker._pause(watch) for _ in range(15)]
    assert waits[0] == 3
    assert waits == sorted(waits)
    assert waits[-1] == 60


def test_a_driver_that_holds_the_connection(bench):
    script = Script(None, [Pending(), Pending(), DONE], PROLIN)
    terminal = bench(script, "tcp")
    session_id = terminal.order()
    terminal.wait(session_id, "outcome")
    until(lambda: script.closed)
    assert len(terminal.made) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AnswerLost("x", raw={"lost": "connection_lost"}), "connection_lost"),
        (AnswerLost("x", raw={"lost": "terminal_silent"}), "terminal_silent"),
        (AnswerLost("x", raw={"lost": "aborted"}), "connection_lost"),
        (AnswerLost("x"), "connection_lost"),
    ],
)
@pytest.mark.parametrize("at", ["start", "read"])
def test_an_answer_that_nobody_can_give_again(bench, at, error, reason):
    script = Script(error if at == "start" else None, [error], PROLIN)
    terminal = bench(script, "tcp")
    session_id = terminal.order()
    assert terminal.wait(session_id, "lost") == {"reason": reason}
    until(lambda: not terminal.worker.watching)
    assert len(script.started) == 1


def test_what_the_protocol_cannot_do(bench):
    script = Script(capabilities=PROLIN)
    terminal = bench(script, "tcp")
    session_id = terminal.order(preauth=True)
    assert terminal.wait(session_id, "refused")["error"] == "NotPossible"
    assert not script.started


@pytest.mark.parametrize("error", [PermissionDenied("x"), Unreachable("x"), RuntimeError("x")])
def test_an_abort_that_does_not_work(bench, error):
    script = Script(None, [Pending()], abort=error)
    terminal = bench(script)
    session_id = terminal.order()
    terminal.wait(session_id, "accepted")
    terminal.worker.abort_session(session_id, "till-1")
    assert terminal.wait(session_id, "aborting")["error"]
    script.reads = [DONE]
    terminal.wait(session_id, "outcome")


def test_after_an_abort_that_nothing_came_of_the_terminal_is_free(bench, monkeypatch):
    monkeypatch.setattr(work, "ABORTED_S", 0.2)
    script = Script(None, [Pending()])
    terminal = bench(script)
    first = terminal.order()
    terminal.wait(first, "accepted")
    assert terminal.wait(terminal.order(), "refused")["error"] == "Busy"
    terminal.worker.abort_session(first, "till-1")
    terminal.wait(first, "aborting")
    until(lambda: clock.now() > terminal.worker._watches[first].aborted_at + 0.2)
    second = terminal.order()
    terminal.wait(second, "accepted")
    script.reads = [DONE]
    terminal.wait(first, "outcome")
    terminal.wait(second, "outcome")


@pytest.mark.parametrize(("protocol", "able"), [("local", LOCAL), ("tcp", PROLIN)])
def test_the_next_payment_does_not_find_the_terminal_busy_with_what_has_ended(
    bench, monkeypatch, protocol, able
):
    """Viva tells Odoo before the next read here: the till sends the next payment at once."""
    monkeypatch.setattr(work.Worker, "_pause", lambda self, watch: 60.0)
    monkeypatch.setattr(work, "QUICK_S", 60.0)
    script = Script(None, [Pending()], able)
    terminal = bench(script, protocol)
    first = terminal.order()
    terminal.wait(first, "accepted")
    assert terminal.wait(terminal.order(), "refused")["error"] == "Busy"
    script.reads = [DONE]
    second = terminal.order()
    terminal.wait(second, "accepted")
    assert terminal.kinds(first) == ["received", "started", "accepted", "outcome"]
    assert len(script.started) == 2


def test_a_lost_payment_on_a_connection_makes_room(bench, monkeypatch):
    monkeypatch.setattr(work, "DEADLINE_S", -9.9)
    script = Script(None, [Pending()], PAYDROID)
    terminal = bench(script, "tcp")
    first = terminal.order()
    terminal.wait(first, "lost")
    monkeypatch.setattr(work, "DEADLINE_S", 180.0)
    second = terminal.order()
    terminal.wait(second, "accepted")
    assert script.closed
    script.reads = [DONE]
    terminal.wait(second, "outcome")


def test_the_address_changes_while_a_payment_runs(bench):
    script = Script(None, [Pending()])
    terminal = bench(script)
    session_id = terminal.order()
    terminal.wait(session_id, "accepted")
    moved = dataclasses.replace(terminal.terminal, host="127.0.0.2")
    terminal.worker.know(moved)
    script.reads = [DONE]
    terminal.wait(session_id, "outcome")
    assert terminal.made == [terminal.terminal, moved]


def test_the_terminal_is_taken_from_the_list_while_a_payment_runs(bench, monkeypatch):
    monkeypatch.setattr(work, "DEADLINE_S", 0.5)
    script = Script(None, [Pending()])
    terminal = bench(script)
    session_id = terminal.order()
    terminal.wait(session_id, "accepted")
    terminal.worker.know(None)
    until(lambda: terminal.worker._terminal is None)
    reads = len(script.read_at)
    terminal.wait(session_id, "lost")
    assert len(script.read_at) <= reads + 1


def test_a_disk_that_is_full_for_a_moment(bench, journal, monkeypatch):
    """The start waits for its journal; it is not forgotten, and not repeated."""
    script = Script()
    terminal = bench(script)
    write, failures = journal.started, [OSError("disk full")] * 2

    def started(session_id):
        if failures:
            raise failures.pop()
        write(session_id)

    monkeypatch.setattr(journal, "started", started)
    session_id = terminal.order()
    terminal.wait(session_id, "outcome")
    assert len(script.started) == 1


@pytest.mark.parametrize("step", ["accepted", "outcome"])
def test_a_disk_that_is_full_after_the_start(bench, journal, monkeypatch, step):
    script = Script()
    terminal = bench(script)
    write, failures = getattr(journal, step), [OSError("disk full")] * 2

    def failing(*arguments):
        if failures:
            raise failures.pop()
        write(*arguments)

    monkeypatch.setattr(journal, step, failing)
    session_id = terminal.order()
    terminal.wait(session_id, "outcome")
    assert len(script.started) == 1


@pytest.mark.parametrize(
    ("state", "told"),
    [("received", "not_started"), ("started", "outcome"), ("accepted", "outcome")],
)
def test_after_a_restart(bench, journal, state, told):
    session_id = str(uuid.uuid4())
    command = Command(session_id, TERMINAL, sale(session_id=session_id), clock.now() + 10)
    journal.take_answer([], None, [command], [])
    if state != "received":
        journal.started(session_id)
    if state == "accepted":
        journal.accepted(session_id)
    script = Script()
    terminal = bench(script)
    terminal.worker.resume(journal.session(session_id))
    terminal.wait(session_id, told)
    assert not script.started


@pytest.mark.parametrize("boot", ["", "before"])
def test_unknown_after_a_restart(bench, journal, monkeypatch, boot):
    """After the machine itself was restarted the terminal may have been without power too."""
    if boot:
        monkeypatch.setattr(clock, "BOOT", boot)
    session_id = str(uuid.uuid4())
    command = Command(session_id, TERMINAL, sale(session_id=session_id), clock.now() + 10)
    journal.take_answer([], None, [command], [])
    journal.started(session_id)
    monkeypatch.undo()
    monkeypatch.setattr(work, "UNHEARD_S", 0.1)
    terminal = bench(Script(None, [GONE]))
    terminal.worker.resume(journal.session(session_id))
    assert terminal.wait(session_id, "lost") == {"reason": "session_lost"}
