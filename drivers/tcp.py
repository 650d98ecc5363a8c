"""TCP/IP to the terminal itself (reference: TCP/IP Prolin; sections below are its).

One connection is one operation: the terminal may say ``810`` (ready), we send a request, the
terminal answers ``210`` (``110`` for a preauth) when the card has been read and Viva has decided.
The messages are in :mod:`ecr`; :class:`TcpDriver` moves them.

There is no "what was the last result": a connection that breaks after the first byte of the
request leaves the outcome unknown, for ever as far as the terminal is concerned. It is found in
Viva's book by the merchant reference (section 6).
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, TypeAlias

from . import fields as read_field
from .capabilities import PAYDROID, PROLIN
from .ecr import (
    CANCEL_LAYOUTS,
    RESP_CODE,
    CancelLayout,
    Fields,
    FrameError,
    FrameReader,
    is_final,
    is_ready,
    operation_of,
    parse_answer,
    request_frame,
    short_session_id,
)
from .errors import (
    AlreadyUsed,
    AnswerLost,
    Busy,
    NotFound,
    NotPossible,
    PermissionDenied,
    TooLate,
    Unreachable,
    VivaError,
    WrongDevice,
)
from .types import (
    AbortRequest,
    Accepted,
    Capabilities,
    Operation,
    Outcome,
    Pending,
    SessionMissing,
    StartRequest,
)

__all__ = ["PAYDROID", "PROLIN", "TcpDriver"]

ReadyMode: TypeAlias = Literal["auto", "wait", "send_first"]
Platform: TypeAlias = Literal["prolin", "paydroid"]

# -- the connection -----------------------------------------------------------------------------

#: Makes a connection: host, port, seconds. As :func:`socket.create_connection`.
Opener: TypeAlias = Callable[[str, int, float], socket.socket]

#: Seconds of silence after which a frame that is shorter than announced is taken as it is.
_SILENCE = 2.0
_KEEP_ALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
_MOST_FRAMES = 1000
_CHUNK = 4096
#: Sessions that are remembered after their end.
_REMEMBERED = 256


def open_connection(host: str, port: int, timeout: float) -> socket.socket:
    """Connect, without delay for small packets, and noticing a peer that is gone (section 5)."""
    connection = socket.create_connection((host, port), timeout)
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEP_ALIVE:
            if hasattr(socket, name):
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    except OSError:
        connection.close()
        raise
    return connection


class _Gone(Exception):
    """The peer has closed or reset the connection."""


@dataclass
class _Session:
    """One operation and its connection. ``lock`` guards everything."""

    session_id: str
    cash_register_id: str
    operation: Operation
    currency: str
    connection: socket.socket | None = None
    reader: FrameReader = field(default_factory=FrameReader)
    deadline: float = 0.0
    sent_at: float = 0.0
    heard_at: float = 0.0
    frames: int = 0
    outcome: Outcome | None = None
    lost: str = ""
    detail: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def over(self) -> bool:
        return self.outcome is not None or bool(self.lost)

    def receive(self, seconds: float) -> bytes | None:
        """Return what came; ``None`` when nothing did in time. :raises _Gone: it is closed"""
        assert self.connection is not None
        try:
            self.connection.settimeout(max(seconds, 0.0))
            data = self.connection.recv(_CHUNK)
        except BlockingIOError:
            return None
        except OSError as error:
            # A time-out of ours has no number; one of TCP itself (keep-alive) has.
            if isinstance(error, TimeoutError) and error.errno is None:
                return None
            raise _Gone(str(error)) from error
        if not data:
            raise _Gone("The terminal has closed the connection.")
        return data

    def parse(self, fields: Fields, *, cut_short: bool = False) -> Outcome:
        return parse_answer(
            fields,
            session_id=self.session_id,
            operation=self.operation,
            currency=self.currency,
            cut_short=cut_short,
        )

    def close(self) -> None:
        if self.connection is not None:
            with contextlib.suppress(OSError):
                self.connection.close()
            self.connection = None


class TcpDriver:
    """One terminal on the shop's network. Keep the object while an operation runs.

    The connection of an operation lives in the object: nobody else can read its outcome
    (``capabilities.recalls`` is False). Methods may be called from any thread.

    :param ready_mode: ``auto`` waits for the terminal's ``810`` and sends all the same when none
        comes; ``wait`` does not send then; ``send_first`` does not wait (section 3)
    :param cancel_layout: a key of :data:`CANCEL_LAYOUTS`, UNVERIFIED; ``off``: no refunds
    :param platform: ``paydroid`` has preauth and abort, ``prolin`` has not (section 1.2)
    :param connect_timeout: seconds
    :param ready_timeout: seconds to wait for ``810``
    :param answer_timeout: seconds from the request to the end; at least 180 (section 5). Then the
        connection is closed, which a Paydroid takes for an abort
    :param poll: seconds that :meth:`read` waits for something to come, at most 1
    :param fiscal: send :data:`FISCAL_FIELDS`, whose place is UNVERIFIED
    :param may_send: asked right before the first byte of a request
    :param quickest: seconds that a payment takes at least. What ends before was not ours: an answer
        names no request, and a terminal may still owe that of a connection that broke (UNVERIFIED)
    """

    def __init__(
        self,
        host: str,
        port: int = 8080,
        *,
        ready_mode: ReadyMode = "auto",
        cancel_layout: CancelLayout = "off",
        platform: Platform = "prolin",
        connect_timeout: float = 5.0,
        ready_timeout: float = 3.0,
        answer_timeout: float = 180.0,
        poll: float = 0.5,
        fiscal: bool = False,
        may_send: Callable[[], bool] | None = None,
        quickest: float = 0.0,
        opener: Opener | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if ready_mode not in ("auto", "wait", "send_first"):
            raise ValueError(f"{ready_mode!r} is no ready mode.")
        if cancel_layout != "off" and cancel_layout not in CANCEL_LAYOUTS:
            raise ValueError(f"{cancel_layout!r} is no layout of a cancel.")
        if platform not in ("prolin", "paydroid"):
            raise ValueError(f"{platform!r} is no platform.")
        self._host = host
        self._port = port
        self._ready_mode = ready_mode
        self._cancel_layout: CancelLayout = cancel_layout
        self._platform = platform
        self._connect_timeout = connect_timeout
        self._ready_timeout = ready_timeout
        self._answer_timeout = answer_timeout
        self._poll = min(poll, 1.0)
        self._fiscal = fiscal
        self._may_send = may_send
        self._quickest = quickest
        self._opener = opener or open_connection
        self._clock = clock
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}

    @property
    def capabilities(self) -> Capabilities:
        """What the platform can do, with refunds only when a layout for them was chosen."""
        able = replace(PAYDROID if self._platform == "paydroid" else PROLIN, fiscal=self._fiscal)
        if self._cancel_layout == "off":
            return able
        return replace(
            able,
            operations=able.operations | {Operation.REFUND, Operation.VOID},
            partial_refund=True,
        )

    # -- start ----------------------------------------------------------------------------------

    def start(self, request: StartRequest) -> Accepted:
        """Connect, wait for ``810`` as the mode says, send the request (section 3).

        ``Accepted.raw`` has the short session id and the terminal's counter. The answer is for
        :meth:`read`.

        :raises NotPossible, BadRequest: the protocol cannot say it; nothing was sent
        :raises AlreadyUsed: this object has sent this session id before
        :raises Busy: another operation is under way, here or on the terminal; nothing was sent
        :raises WrongDevice: what is at the address greets in another way; nothing was sent
        :raises TooLate: ``may_send`` has said no; nothing was sent
        :raises Unreachable: no connection, or it was gone before the first byte was sent
        :raises AnswerLost: the connection broke while the request was sent
        """
        message = self._message(request)
        session = _Session(
            request.session_id,
            request.cash_register_id,
            operation_of(request),
            request.currency,
        )
        with session.lock:
            self._reserve(session)
            try:
                ready = self._connect(session)
                self._send(session, message)
            except BaseException:
                if not session.lost:  # nothing was sent, so the session id is as good as new
                    session.close()
                    with self._lock:
                        del self._sessions[session.session_id]
                raise
        return Accepted(raw={"sessionId": short_session_id(request.session_id), "ready": ready})

    def _message(self, request: StartRequest) -> bytes:
        operation = operation_of(request)
        if operation not in self.capabilities.operations:
            raise NotPossible(f"This terminal cannot do a {operation} by TCP.")
        if request.fiscal and not self._fiscal:
            raise NotPossible("Fiscal data by TCP is switched off.")
        return request_frame(request, cancel_layout=self._cancel_layout)

    def _reserve(self, session: _Session) -> None:
        """Take the terminal for a session, one at a time."""
        with self._lock:
            if session.session_id in self._sessions:
                raise AlreadyUsed("The session id was sent before.")
            # A session that waits for its lock is being started or read, so it is not over. An
            # answer that nobody has fetched yet ends its session here.
            for other in self._sessions.values():
                if not other.over and other.lock.acquire(blocking=False):
                    try:
                        self._advance(other, 0.0)
                    finally:
                        other.lock.release()
                if not other.over:
                    raise Busy("The terminal is working on another request.")
            while len(self._sessions) >= _REMEMBERED:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[session.session_id] = session

    def _connect(self, session: _Session) -> str:
        """Open the connection and wait for ``810``; return its counter, ``""`` without one."""
        try:
            session.connection = self._opener(self._host, self._port, self._connect_timeout)
        except (OSError, ValueError, OverflowError) as error:
            raise Unreachable("The terminal cannot be reached.", detail=str(error)) from error
        try:
            return self._await_ready(session)
        except _Gone as error:
            raise Unreachable(
                "The terminal closed the connection before anything was sent; perhaps it is busy.",
                detail=str(error),
            ) from error
        except FrameError as error:
            raise WrongDevice(
                "What answers at the terminal's address does not speak the terminal's protocol.",
                detail=str(error),
            ) from error

    def _await_ready(self, session: _Session) -> str:
        """Never send behind a part of a frame: it would be taken for a part of our answer."""
        wait = 0.0 if self._ready_mode == "send_first" else self._ready_timeout
        now = self._clock()
        until, latest = now + wait, now + self._ready_timeout
        left, ready = wait, ""
        while True:
            for fields in session.reader.feed(session.receive(left) or b""):
                if is_final(fields):
                    # The end of somebody else's operation: nothing of ours was sent yet.
                    raise Busy("The terminal is still ending another payment.")
                if is_ready(fields):
                    ready = fields[2] if len(fields) > 2 else "ready"
            if ready and not session.reader.rest:
                return read_field.text(ready)
            left = (latest if session.reader.rest else until) - self._clock()
            if left <= 0:
                break
        if session.reader.rest or self._ready_mode == "wait":
            raise Unreachable("The terminal does not say that it is ready; nothing was sent.")
        return ""

    def _send(self, session: _Session, message: bytes) -> None:
        connection = session.connection
        assert connection is not None
        if self._may_send is not None and not self._may_send():
            raise TooLate("The terminal was ready too late; nothing was sent.")
        now = self._clock()
        session.deadline = now + self._answer_timeout
        session.heard_at = session.sent_at = now
        sent = 0
        try:
            connection.settimeout(self._connect_timeout)
            while sent < len(message):
                sent += connection.send(message[sent:])
        except OSError as error:
            if not sent:
                # The system has not taken a single byte.
                raise Unreachable(
                    "The terminal was gone before anything was sent.", detail=str(error)
                ) from error
            self._lose(session, "connection_lost", str(error))
            raise self._lost(session) from error
        except BaseException:
            # Interrupted: some of it may be on its way.
            self._lose(session, "connection_lost", "interrupted")
            raise

    # -- read -----------------------------------------------------------------------------------

    def read(self, session_id: str) -> Outcome | Pending | SessionMissing:
        """Return what has come, waiting for a moment when nothing final has (section 3).

        Told again, an outcome is the same. What is lost stays lost.

        :raises AnswerLost: the connection of this session broke, was closed to abort, or the
            terminal was silent for too long: the outcome is not known. ``raw["lost"]`` says
            which: ``connection_lost``, ``aborted``, ``terminal_silent``.
        """
        with self._lock:
            session = self._sessions.get(session_id)
        if session is None:
            return SessionMissing("This connection has not started it.")
        with session.lock:
            if not session.over:
                self._advance(session, self._poll)
            if session.outcome is not None:
                return session.outcome
            if session.lost:
                raise self._lost(session)
        return Pending()

    def _advance(self, session: _Session, seconds: float) -> None:
        """Take in what comes within some seconds, until something ends the session."""
        end = self._clock() + seconds
        while not session.over:
            # Time first: what has come before it was over is still taken below.
            now = self._clock()
            late = now >= session.deadline
            try:
                data = session.receive(min(end, session.deadline) - now)
            except _Gone as error:
                if not self._end_short(session):
                    self._lose(session, "connection_lost", str(error))
                return
            if data is not None:
                self._take(session, data)
            elif late:
                if not self._end_short(session):
                    self._lose(session, "terminal_silent", "")
            elif self._clock() - session.heard_at >= _SILENCE:
                self._end_short(session, patient=True)
            if data is None and self._clock() >= min(end, session.deadline):
                return

    def _take(self, session: _Session, data: bytes) -> None:
        session.heard_at = self._clock()
        try:
            found = session.reader.feed(data)
        except FrameError as error:
            self._lose(session, "connection_lost", str(error))
            return
        session.frames += len(found)
        finals = [fields for fields in found if is_final(fields)]
        finals = [fields for fields in finals if not self._is_too_quick(session, fields)]
        if finals:
            outcome = session.parse(finals[0])
            if any(fields != finals[0] for fields in finals):
                outcome = replace(outcome, success=None)  # two ends that contradict each other
            self._finish(session, outcome)
        elif session.frames > _MOST_FRAMES:
            self._lose(session, "connection_lost", "The terminal does not stop talking.")

    def _is_too_quick(self, session: _Session, fields: Fields) -> bool:
        """No card is read so fast: the end of another payment, that the terminal still owed.

        If it was ours all the same, no other comes, and Viva's book tells. (KO comes at once, from
        a terminal that sleeps.)
        """
        quick = session.heard_at - session.sent_at < self._quickest
        return quick and fields[RESP_CODE : RESP_CODE + 1] != ("KO",)

    def _end_short(self, session: _Session, *, patient: bool = False) -> bool:
        """End with an answer that is shorter than announced, if it has what is needed.

        :param patient: more may come; a yes whose terminal is not told yet is waited for
        """
        fields = session.reader.cut_short()
        if fields is None or not is_final(fields) or self._is_too_quick(session, fields):
            return False
        outcome = session.parse(fields, cut_short=True)
        if patient and outcome.success is not False and not outcome.terminal_id:
            return False
        self._finish(session, outcome)
        return True

    def _finish(self, session: _Session, outcome: Outcome) -> None:
        session.outcome = outcome
        session.close()

    def _lose(self, session: _Session, lost: str, detail: str) -> None:
        session.lost, session.detail = lost, detail
        session.close()

    @staticmethod
    def _lost(session: _Session) -> VivaError:
        messages = {
            "aborted": "The connection was closed to abort; the terminal tells no more.",
            "terminal_silent": "The terminal has not answered in time.",
        }
        return AnswerLost(
            messages.get(session.lost, "The connection to the terminal was lost."),
            detail=session.detail,
            raw={"lost": session.lost},
        )

    # -- abort ----------------------------------------------------------------------------------

    def abort(self, request: AbortRequest) -> Accepted:
        """Close the connection, which is how a Paydroid is told to abort (section 4.6).

        If the payment had gone to the server already, the terminal reverses it by itself. Neither
        is told to us: from then on :meth:`read` raises AnswerLost, and Viva's book has to be read.

        :raises NotPossible: Prolin: only the terminal's keypad aborts
        :raises NotFound: nothing of the kind is under way any more
        :raises PermissionDenied: another cash register started it
        """
        if not self.capabilities.abort:
            raise NotPossible("This terminal can only be cancelled on its own keypad.")
        with self._lock:
            session = self._sessions.get(request.session_id)
        if session is None:
            raise NotFound("This connection has not started it.")
        if session.cash_register_id != request.cash_register_id:
            raise PermissionDenied("Another cash register has started it.")
        with session.lock:
            if session.lost == "aborted":
                return Accepted(repeated=True)
            if not session.over:
                self._advance(session, 0.0)  # an answer that is here already counts
            if session.over:
                raise NotFound("It has ended already.")
            self._lose(session, "aborted", "")
        return Accepted()

    def close(self) -> None:
        """Close what is open, without asking: what was under way is lost, and on a Paydroid aborted."""
        with self._lock:
            sessions = list(self._sessions.values())
        for session in sessions:
            with session.lock:
                if not session.over:
                    self._lose(session, "connection_lost", "closed by us")

    def sessions(self, day: date) -> list[Outcome]:
        """There is no list. :raises NotPossible: always"""
        raise NotPossible("The TCP protocol has no list of sessions.")
