"""One thread per terminal: it starts what Odoo has ordered, watches it to its end, aborts.

The journal is written before and after each touch, so that at whatever moment the power goes,
the next process knows what it may have started. Nothing is ever started twice:

* a session in the journal as *received* was not touched. After a restart it is dropped: nobody
  stands at the till for it any more;
* as *started* or *accepted* it may be on the terminal. A terminal that remembers sessions is
  asked; for one that does not, the answer is lost, and Odoo looks into Viva's book.

What an answer to "how is the session?" means follows section 5.3 of the Local API's reference.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import clock, store, terminals
from .log import get
from .store import Session, Store
from .terminals import Terminal
from .viva import drivers, local, transport, wire

#: Seconds between reads: at first, and then.
QUICK_S, POLL_S = 0.3, 1.0
QUICK_FOR_S = 5.0
#: Seconds after which we do not know any more, and after which nobody asks any more.
DEADLINE_S = terminals.ANSWER_S
LATE_S = 15 * 60.0
#: Seconds for which a reachable terminal has to say "no such session" before we give up waiting.
UNHEARD_S = 10.0
#: What counts as the age of a session when the machine was restarted since: nobody knows.
UNKNOWN_AGE_S = 30.0
#: An aborted session leaves the terminal after that, whatever it says (Odoo waits 150 s).
ABORTED_S = 140.0
#: Answers of a TCP terminal with which a new one is compared.
REMEMBERED_ANSWERS = 200
_NUMBERS = ("rrn", "stan", "authorisation_code")
#: Seconds between looks at an idle terminal. A TCP terminal has one connection: rarely.
LOOK_S = {"local": 60.0, "tcp": 600.0}
#: After a disk that is full, or a defect.
PAUSE_S = 1.0

Make = Callable[[Terminal, Callable[[], bool]], drivers.TerminalDriver]


@dataclass(frozen=True)
class Seen:
    """What is known about a terminal, for its form in Odoo.

    :param at: of the last try, by :mod:`clock`; ``None``: not tried yet
    :param terminal: as it was described then
    """

    reached: bool | None = None
    words: str = ""
    tid: str = ""
    fingerprint: str = ""
    at: float | None = None
    terminal: Terminal | None = None


@dataclass
class _Watch:
    """A session that may be on the terminal.

    :param driver: the one that holds its connection; ``None``: whichever reaches the terminal
    :param sure: the terminal has said that it has it
    :param lost: Odoo was told that we do not know
    """

    session_id: str
    register: str
    driver: drivers.TerminalDriver | None
    began: float
    deadline: float
    sure: bool = False
    next_at: float = 0.0
    lost: bool = False
    missing_since: float | None = None
    wait: float = 2.0
    aborted_at: float | None = None
    wrong_device: bool = False


class Worker(threading.Thread):
    """The thread of one terminal. Its methods may be called from any thread.

    :param news: called when there is something to tell Odoo
    :param make: makes the driver
    """

    def __init__(
        self,
        viva_id: str,
        journal: Store,
        news: Callable[[], None],
        make: Make = terminals.driver,
    ) -> None:
        super().__init__(name=f"terminal {viva_id}", daemon=True)
        self.viva_id = viva_id
        self.seen = Seen()
        self._journal = journal
        self._news = news
        self._make = make
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._watches: dict[str, _Watch] = {}
        self._terminal: Terminal | None = None
        self._driver: drivers.TerminalDriver | None = None
        self._look_at = 0.0
        self._until = 0.0
        self._dropped: set[str] = set()
        self._stopping = threading.Event()

    # -- called by the service -----------------------------------------------------

    def know(self, terminal: Terminal | None) -> None:
        """The terminal is as described now; ``None``: Odoo does not list it any more."""
        self._jobs.put(lambda: self._know(terminal))

    def start_session(self, session: Session) -> None:
        self._jobs.put(lambda: self._begin(session))

    def abort_session(self, session_id: str, register: str) -> None:
        """Drop it: on the terminal, or before it gets there."""
        if session_id not in self._dropped:  # Odoo repeats it until it hears what came of it
            self._dropped.add(session_id)
            self._jobs.put(lambda: self._abort(session_id, register))

    def resume(self, session: Session) -> None:
        """Go on with a session of an earlier process."""
        self._jobs.put(lambda: self._resume(session))

    def ask_again(self, session_id: str) -> None:
        """Odoo wants to hear about it: read it now when it is being watched."""
        self._jobs.put(lambda: self._ask_again(session_id))

    def stop(self) -> None:
        """End when nothing would be lost by it: an answer that only this process can take."""
        self._stopping.set()
        self._jobs.put(lambda: None)

    @property
    def busy(self) -> bool:
        """Is a payment under way here, as far as Odoo has not been told that we do not know?"""
        return any(not watch.lost for watch in list(self._watches.values()))

    @property
    def watching(self) -> bool:
        return bool(self._watches)

    # -- the loop ------------------------------------------------------------------

    def run(self) -> None:
        # What waits in the queue at the end is refused there.
        while not self._stopping.is_set() or self._holds_answers() or not self._jobs.empty():
            job = self._next_job()
            try:
                if job is not None:
                    job()
                else:
                    self._turn()
            except Exception:
                # A defect of ours must not end the watch over the other payments of this terminal.
                get().exception("Terminal %s: something unforeseen went wrong.", self.viva_id)
                time.sleep(PAUSE_S)

    def _next_job(self) -> Callable[[], None] | None:
        due = [watch.next_at for watch in self._watches.values()]
        if not due and self._terminal is not None:
            due.append(self._look_at)
        wait = None if not due else max(0.0, min(due) - clock.now())
        if self._stopping.is_set():
            wait = min(wait or 0.2, 0.2)
        try:
            return self._jobs.get(timeout=wait) if wait != 0 else self._jobs.get_nowait()
        except queue.Empty:
            return None

    def _turn(self) -> None:
        """What is due: a watched session, else a look at the idle terminal."""
        now = clock.now()
        due = [watch for watch in self._watches.values() if watch.next_at <= now]
        for watch in sorted(due, key=lambda item: item.next_at)[:1]:
            self._poll(watch)
        if not due and not self._watches and self._terminal and self._look_at <= now:
            self._look(self._terminal)

    def _holds_answers(self) -> bool:
        return any(watch.driver and not watch.lost for watch in self._watches.values())

    # -- the terminal ----------------------------------------------------------------

    def _know(self, terminal: Terminal | None) -> None:
        if terminal == self._terminal:
            return
        self._terminal, self._driver = terminal, None
        self.seen = Seen(terminal=terminal)
        self._look_at = clock.now()

    def _schedule_look(self) -> None:
        """Later, after how long: what was not reached keeps no connection busy, so soon again."""
        if self._terminal is not None:
            protocol = self._terminal.protocol if self.seen.reached else "local"
            self._look_at = clock.now() + LOOK_S[protocol]

    def _reach(self) -> drivers.TerminalDriver:
        """Return a driver for the terminal as Odoo describes it now.

        :raises drivers.VivaError: it must not, or cannot, be touched
        """
        if self._terminal is None:
            raise drivers.NotFound("Odoo does not list this terminal for this gateway any more.")
        if not self._terminal.recalls:
            return self._make(self._terminal, self._may_send)
        if self._driver is None:
            self._driver = self._make(self._terminal, self._may_send)
        return self._driver

    def _may_send(self) -> bool:
        """Is what is being started still wanted? A lid that was closed meanwhile counts, too."""
        return clock.now() <= self._until

    def _note(
        self, reached: bool | None, words: str = "", tid: str = "", fingerprint: str = ""
    ) -> None:
        before = self.seen
        self.seen = Seen(
            *(reached, words, tid or before.tid, fingerprint or before.fingerprint, clock.now()),
            terminal=before.terminal,
        )
        if replace(before, at=None) != replace(self.seen, at=None):
            if words:
                get().warning("Terminal %s: %s", self.viva_id, words)
            else:
                get().info("Terminal %s is reached.", self.viva_id)
            self._news()

    def _look(self, terminal: Terminal) -> None:
        self._look_at_it(terminal)
        self._schedule_look()

    def _look_at_it(self, terminal: Terminal) -> None:
        """Is it there, and is it the confirmed device? Nothing is started by that."""
        fingerprint = ""
        try:
            if terminal.pinned:
                address = terminals.resolve(terminal)
                fingerprint = transport.fingerprint_of(address, terminal.port, terminals.READ_S)
                if not terminal.fingerprint:
                    words = "Its certificate waits to be confirmed in Odoo."
                    return self._note(True, words, fingerprint=fingerprint)
                if fingerprint != terminal.fingerprint:
                    words = "It shows another certificate than the confirmed one."
                    return self._note(False, words, fingerprint=fingerprint)
            driver = self._reach()
            if isinstance(driver, local.LocalDriver):
                driver.probe()  # some may answer a bare 404: that is an answer
            else:
                greet(terminals.resolve(terminal), terminal.port)
        except (drivers.VivaError, transport.ConnectFailed, OSError) as error:
            return self._note(False, _words(error), fingerprint=fingerprint)
        return self._note(True, fingerprint=fingerprint)

    # -- start -----------------------------------------------------------------------

    def _begin(self, session: Session) -> None:
        try:
            self._start(session)
        except Exception:
            get().exception("Terminal %s: the journal cannot be written.", self.viva_id)
            time.sleep(PAUSE_S)
            # Not a second start: what was started is not in the journal as received any more.
            self._jobs.put(lambda: self._begin(session))

    def _start(self, session: Session) -> None:
        session_id = session.session_id
        known = self._journal.session(session_id)
        if known is None or known.state != store.RECEIVED:
            if known and known.state != store.CLOSED and session_id not in self._watches:
                self._resume(known)
            return None
        if session_id in self._dropped or clock.now() > session.until:
            self._dropped.discard(session_id)
            self._journal.not_started(session_id, "expired")
            return self._news()
        try:
            request = wire.request_from_json(session.request)
            if request.session_id != session_id or request.terminal_id != self.viva_id:
                raise ValueError("It names another session or terminal than its envelope.")
            driver = self._free_driver(request)
        except (drivers.DefiniteError, drivers.RetryableError) as error:
            return self._refuse(session_id, error)
        except ValueError as error:
            return self._refuse(session_id, drivers.BadRequest(f"Not understood: {error}"))
        if clock.now() > session.until:  # a name that was slow to resolve
            self._journal.not_started(session_id, "expired")
            return self._news()
        self._journal.started(session_id)
        self._news()
        get().info("Terminal %s: %s is started.", self.viva_id, session_id)
        began, taken = clock.now(), False
        self._until = session.until
        try:
            driver.start(request)
            taken = True
        except drivers.AlreadyUsed:
            pass  # never sent by us twice: whoever did, the session tells
        except (drivers.DefiniteError, drivers.RetryableError) as error:
            self._note_error(error)
            return self._refuse(session_id, error)
        except Exception as error:
            # Whatever else happened, the request may have arrived.
            get().warning("Terminal %s: no answer to the start (%s).", self.viva_id, _words(error))
            if not driver.capabilities.recalls:
                self._journal.lost(session_id, _reason(error), final=True)
                return self._news()
        own = None if driver.capabilities.recalls else driver
        deadline = began + DEADLINE_S + (0.0 if own is None else 10.0)  # that driver has its own
        watch = _Watch(
            *(session_id, request.cash_register_id, own, began, deadline),
            next_at=clock.now() + (QUICK_S if own is None else 0.0),
        )
        self._watches[session_id] = watch
        if taken:
            self._go_on(watch)
            self._note(True)
        return None

    def _free_driver(self, request: drivers.StartRequest) -> drivers.TerminalDriver:
        """Return a driver that may start now. :raises drivers.VivaError: it may not"""
        if self._stopping.is_set():
            raise drivers.Unavailable("The gateway in the shop is being stopped; try again.")
        for watch in list(self._watches.values()):
            if self._occupies(watch):
                # Odoo may know its end from Viva before our next read, and send the next one.
                self._poll(watch)
                if watch.session_id not in self._watches:
                    continue
                if self._occupies(watch):
                    raise drivers.Busy("The terminal is in another payment.")
            if watch.driver is not None:
                self._journal.closed(watch.session_id)
                self._drop(watch)  # one connection at a time, and its payment was told as lost
        if self._terminal is None:
            raise drivers.NotFound("Odoo does not list this terminal for this gateway.")
        driver = self._reach()
        if not _can(driver.capabilities, request):
            raise drivers.NotPossible("This terminal's protocol cannot do that.")
        return driver

    def _occupies(self, watch: _Watch) -> bool:
        """As far as we know; aborted, it has left after a while, whatever the terminal says."""
        aborted = watch.aborted_at is not None and clock.now() > watch.aborted_at + ABORTED_S
        return not watch.lost and not (aborted and watch.driver is None)

    def _refuse(self, session_id: str, error: drivers.VivaError) -> None:
        get().info("Terminal %s: %s is refused: %s", self.viva_id, session_id, error)
        self._journal.refused(session_id, wire.error_to_json(error))
        self._news()

    # -- abort -----------------------------------------------------------------------

    def _abort(self, session_id: str, register: str) -> None:
        if session_id in self._dropped:  # else it was dropped before it got to the terminal
            try:
                self._ask_to_drop(session_id, register)
            finally:
                self._dropped.discard(session_id)

    def _ask_to_drop(self, session_id: str, register: str) -> None:
        watch = self._watches.get(session_id)
        if watch is None:
            error = drivers.NotFound("It is not on the terminal any more.")
            self._journal.aborting(session_id, wire.error_to_json(error))
            return self._news()
        self._journal.abort_asked(session_id)
        data: Mapping[str, Any] = {"words": ""}
        try:
            driver = watch.driver or self._reach()
            driver.abort(drivers.AbortRequest(session_id, register or watch.register))
        except drivers.VivaError as error:
            data = wire.error_to_json(error)
        except Exception as error:
            data = wire.error_to_json(drivers.ServerFault(_words(error)))
        else:
            watch.aborted_at = clock.now()
        self._journal.aborting(session_id, data)
        watch.next_at = clock.now()
        return self._news()

    # -- watch -----------------------------------------------------------------------

    def _resume(self, session: Session) -> None:
        """A session of an earlier process, as its journal left it."""
        session_id = session.session_id
        if session.state == store.RECEIVED:
            self._journal.not_started(session_id, "expired")
            return self._news()
        if self._terminal is not None and not self._terminal.recalls:
            if session.state == store.LOST:
                self._journal.closed(session_id)
            else:
                self._journal.lost(session_id, "restarted", final=True)
            return self._news()
        now = clock.now()
        age = now - session.at if session.same_boot else UNKNOWN_AGE_S
        watch = _Watch(
            *(session_id, "", None, now - age),
            deadline=now + max(30.0, DEADLINE_S - age),
            sure=session.state != store.STARTED,
            lost=session.state == store.LOST,
            aborted_at=now - age if session.aborted else None,
        )
        if not session.same_boot:
            watch.began = now
        self._watches[session_id] = watch
        get().info("Terminal %s: asking about %s after the restart.", self.viva_id, session_id)
        return None

    def _ask_again(self, session_id: str) -> None:
        watch = self._watches.get(session_id)
        if watch is not None:
            watch.next_at = min(watch.next_at, clock.now())

    def _poll(self, watch: _Watch) -> None:
        watch.next_at = clock.now() + self._pause(watch)
        try:
            driver = watch.driver or self._reach()
            answer = driver.read(watch.session_id)
        except drivers.AnswerLost as error:
            if watch.driver is not None:
                return self._lose(watch, _reason(error), final=True)
            self._quiet(watch, error)
        except Exception as error:
            self._quiet(watch, error)
        else:
            watch.wrong_device = False
            if isinstance(answer, drivers.Outcome):
                return self._finish(watch, answer)
            self._note(True)
            if isinstance(answer, drivers.Pending):
                self._go_on(watch)
            else:
                self._missing(watch)
        if watch.session_id in self._watches:
            self._check_time(watch)
        return None

    def _pause(self, watch: _Watch) -> float:
        if watch.driver is not None:
            return 0.0  # its read waits by itself
        now = clock.now()
        if watch.lost:
            watch.wait = min(watch.wait * 1.5, 60.0)
            return watch.wait
        since = now - max(watch.began, watch.aborted_at or watch.began)
        return QUICK_S if since < QUICK_FOR_S else POLL_S

    def _go_on(self, watch: _Watch) -> None:
        watch.missing_since = None
        if not watch.sure:
            self._journal.accepted(watch.session_id)
            watch.sure = True
            self._news()

    def _finish(self, watch: _Watch, answer: drivers.Outcome) -> None:
        if watch.driver is not None and answer.success and self._was_told_before(answer):
            words = "Terminal %s repeats the answer of an earlier payment for %s."
            get().warning(words, self.viva_id, watch.session_id)
            answer = replace(answer, success=None)
        self._journal.outcome(watch.session_id, wire.answer_to_json(answer))
        self._drop(watch)
        told = answer.terminal_id or answer.tid
        words = ""
        if told and told != self.viva_id:
            words = f"Another terminal answers at this address: {told}. Correct the address."
        self._note(True, words, tid=told)
        get().info("Terminal %s: %s has ended.", self.viva_id, watch.session_id)
        self._news()

    def _was_told_before(self, answer: drivers.Outcome) -> bool:
        """An answer by TCP names no request: by its numbers it is known as that of another one."""
        told = {name: getattr(answer, name) for name in _NUMBERS}
        return any(told.values()) and any(
            {name: earlier.get(name) for name in _NUMBERS} == told
            for earlier in self._journal.outcomes(self.viva_id, REMEMBERED_ANSWERS)
        )

    def _missing(self, watch: _Watch) -> None:
        """The terminal answers and does not know the session (section 5.3)."""
        now = clock.now()
        if watch.missing_since is None:
            watch.missing_since = now
        if now - watch.missing_since < UNHEARD_S or watch.lost:
            return None
        # Never a *no*, even if it never said that it has it: the request left us, and an app that
        # was restarted has forgotten it, or lists it late; the customer may have paid. What is a
        # *no* needs no waiting: no connection, a refusal, another device were told at once. So
        # only a request whose answer broke off comes here, and after ten seconds the till hears
        # "unknown" and Viva's list is asked. The terminal is free for the next one, and what it
        # still tells about this one is told.
        return self._lose(watch, "session_lost", final=False)

    def _quiet(self, watch: _Watch, error: Exception) -> None:
        watch.missing_since = None
        watch.wrong_device = isinstance(error, drivers.WrongDevice)
        self._note_error(error)

    def _check_time(self, watch: _Watch) -> None:
        now = clock.now()
        if not watch.lost and now > watch.deadline:
            reason = "wrong_terminal" if watch.wrong_device else "terminal_silent"
            self._lose(watch, reason, final=False)
        if watch.lost and now > watch.began + LATE_S:
            self._journal.closed(watch.session_id)
            self._drop(watch)

    def _lose(self, watch: _Watch, reason: str, *, final: bool) -> None:
        get().warning("Terminal %s: %s is not known (%s).", self.viva_id, watch.session_id, reason)
        self._journal.lost(watch.session_id, reason, final=final)
        watch.lost = True
        if final:
            self._drop(watch)
        self._news()

    def _drop(self, watch: _Watch) -> None:
        self._watches.pop(watch.session_id, None)
        close = getattr(watch.driver, "close", None)
        if close is not None:
            with contextlib.suppress(Exception):
                close()

    def _note_error(self, error: Exception) -> None:
        if isinstance(error, drivers.WrongDevice):
            self._note(False, "Another device answers at its address.")
            self._look_at = clock.now()  # and shows which certificate?
        elif isinstance(error, (drivers.Unreachable, drivers.AnswerLost, OSError)):
            self._note(False, _words(error))
        else:
            self._note(True)  # whoever refuses, or talks nonsense, was reached


def greet(address: str, port: int) -> None:
    """Connect to a TCP terminal and close again: nothing is sent. :raises OSError: no connection"""
    with socket.create_connection((address, port), terminals.CONNECT_S):
        pass


def _can(able: drivers.Capabilities, request: drivers.StartRequest) -> bool:
    if isinstance(request, drivers.SaleRequest):
        wanted = drivers.Operation.PREAUTH if request.preauth else drivers.Operation.SALE
        return wanted in able.operations
    if isinstance(request, drivers.CaptureRequest):
        return drivers.Operation.CAPTURE in able.operations
    if isinstance(request, drivers.UnreferencedRefundRequest):
        return able.unreferenced_refund
    given_back = {drivers.Operation.REFUND, drivers.Operation.VOID, drivers.Operation.RELEASE}
    return bool(given_back & able.operations)


def _reason(error: Exception) -> str:
    raw = getattr(error, "raw", None)
    lost = raw.get("lost") if isinstance(raw, Mapping) else None
    return "terminal_silent" if lost == "terminal_silent" else "connection_lost"


def _words(error: Exception) -> str:
    if isinstance(error, drivers.VivaError):
        return error.message[:200]
    if isinstance(error, (OSError, transport.ConnectFailed)):
        return "The terminal cannot be reached."
    return (str(error) or type(error).__name__)[:200]
