"""The ECR protocol over TCP of Prolin and Paydroid terminals (TCP/IP reference, section 9).

Nothing happens before a card is presented: by people on the terminal's page, by the control API, or by itself with ``auto``.
The money is booked with MerchantTrns = uniqueTxnId. Beside those of :mod:`simulator.lan` there are these options:

=========================  ===============================================================================================
``platform``               ``prolin``: no pre-authorisation, no abort: a payment whose till hung up goes on and stays in the
                           journal. ``paydroid``: it is cancelled, or reversed when it was authorised already
``ready``                  when ``810`` is sent: ``on_connect``, ``after_request`` or ``never``
``check_length``           true: a wrong length closes the connection without an answer
``close_after_response``   true: the terminal closes; false: it waits for the till to close
``extra_empty_fields``     0, or 12 as newer firmware
``glue_frames``            true: ``810`` waits and comes with the answer in one piece
``split_bytes``            true: everything is sent byte by byte
``echo_session``           true: answers carry the request's session id; false: the terminal's counter
``delay_ms``               waited between the decision and the answer
``announce_more``          n: the answer announces n bytes more than are sent
``cut_request_after``      n: the connection ends after n bytes of the request were read (nothing happens)
``cut_ready_after``        n: it ends after n bytes of ``810``; the request is not read any more
``cut_answer_after``       n: it ends after n bytes of the answer (the money has moved)
``reset``                  true: where a connection is ended on purpose, by RST
``ko_first``               number of requests that are answered KO at once (the terminal wakes up)
``cancel_by_card``         true: a cancel that names no payment is about the last one
``reversal_nameless``      true: what a Paydroid terminal reverses by itself carries no merchant reference
``amounts``                ``{amount in minor units: what}``: ``drop_after`` or ``drop_before`` authorising, ``never``
                           (authorised, never answered), ``UC`` (cancelled by the user, without a card)
=========================  ===============================================================================================

The amounts of the setting ``decline_amounts`` are declined: 99.51 → 51, 99.54 → 54, 99.20 → 05, 99.57 → KO, 99.61 → UC with
a card. A cancel (200/04) finds its payment by a STAN after the amount, else by its uniqueTxnId. ``restart``: connections
end, a request that waits for a card disappears, one whose card was read is carried out all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .lan import Lan, Options
from .ledger import REVERSALS, Transaction
from .session import TCP, Operation, Session

if TYPE_CHECKING:
    from .terminal import Terminal

DROP_AFTER, DROP_BEFORE, NEVER, CANCELLED = "drop_after", "drop_before", "never", "UC"
AMOUNTS = {9962: CANCELLED, 9990: DROP_AFTER, 9991: DROP_BEFORE, 9992: NEVER}
SALE, CANCEL, PREAUTH, PRINTING = ("200", "00"), ("200", "04"), ("100", "00"), "600"
_RESPONSES = {10020: "05", 10057: "KO", 10061: "UC"}
_TEXTS = {"UC": "Cancelled by User", "KO": "An error ocured"}
_ENTRY = {"05": "Chip/Pin"}
_SILENCE_S = 1.0


@dataclass
class TcpOptions(Options):
    platform: str = "prolin"
    ready: str = "on_connect"
    check_length: bool = True
    close_after_response: bool = True
    extra_empty_fields: int = 0
    glue_frames: bool = False
    split_bytes: bool = False
    echo_session: bool = False
    delay_ms: int = 0
    announce_more: int = 0
    cut_request_after: int | None = None
    cut_ready_after: int | None = None
    cut_answer_after: int | None = None
    reset: bool = False
    ko_first: int = 0
    cancel_by_card: bool = False
    reversal_nameless: bool = False
    amounts: dict[int, str] = field(default_factory=lambda: dict(AMOUNTS))

    def update(self, values: Any) -> None:
        super().update(values)
        self.amounts = {int(amount): str(what) for amount, what in self.amounts.items()}
        if self.platform not in ("prolin", "paydroid"):
            raise ValueError(f"There is no platform {self.platform!r}.")
        if self.ready not in ("on_connect", "after_request", "never"):
            raise ValueError(f"There is no ready {self.ready!r}.")


class Rejected(Exception):
    """A request that the terminal answers by closing; the text is noted."""


class Ended(Exception):
    """The connection is over."""


@dataclass
class Asked:
    """One line of the journal."""

    session: Session
    sent: list[str]


def frame(fields: list[str], announce_more: int = 0) -> bytes:
    body = "".join(f"|{value}" for value in fields).encode("ascii", "replace")
    return f"{len(body) + announce_more:04d}".encode() + body


def major_text(minor: int) -> str:
    return f"{Decimal(minor).scaleb(-2):.2f}"


class Line:
    """One connection, with the ways in which it can end too early."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, options: TcpOptions
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.options = options
        self._held = b""
        self._gone: asyncio.Task[None] | None = None

    def end(self, *, on_purpose: bool = True) -> None:
        if on_purpose and self.options.reset:
            raw = self.writer.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        else:
            self.writer.close()

    async def read(self, most: int, wait_s: float | None = None) -> bytes:
        """At most so many bytes; empty when the other side is silent for ``wait_s`` or has closed."""
        if self.options.cut_request_after is not None:
            left = self.options.cut_request_after
            while left:
                data = await self.reader.read(left)
                left -= len(data)
                if not data:
                    break
            self.end()
            raise Ended
        try:
            return await asyncio.wait_for(self.reader.read(most), wait_s)
        except asyncio.TimeoutError:
            return b""

    def hold(self, data: bytes) -> None:
        """Send this with what comes next."""
        self._held += data

    async def send(self, data: bytes, cut_after: int | None) -> None:
        """:raises Ended: when only a part was to be sent"""
        whole, self._held = self._held + data, b""
        if cut_after is not None:
            whole = whole[: len(whole) - len(data) + cut_after]
        if self.options.split_bytes:
            for place in range(len(whole)):
                self.writer.write(whole[place : place + 1])
                await self.writer.drain()
                await asyncio.sleep(0.001)
        else:
            self.writer.write(whole)
            await self.writer.drain()
        if cut_after is not None and cut_after < len(data):
            self.end()
            raise Ended

    @property
    def gone(self) -> asyncio.Task[None]:
        """Done when the other side has closed; what else it sends is not read."""
        if self._gone is None:
            self._gone = asyncio.ensure_future(self._until_closed())
        return self._gone

    async def _until_closed(self) -> None:
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(4096):
                pass


class Prolin(Lan):
    protocol = "tcp"
    options: TcpOptions

    def __init__(self, terminal: Terminal, host: str, port: int, platform: str) -> None:
        super().__init__(terminal, host, port, "tcp")
        self.options = TcpOptions()
        self.options.update({"platform": platform})
        self.journal: list[Asked] = []
        self._counter = 64
        self._lines: set[Line] = set()
        self._running: Session | None = None
        self._server: asyncio.Server | None = None

    # -- the server --------------------------------------------------------------------------------------------------

    async def _serve(self, listener: socket.socket) -> None:
        self._server = await asyncio.start_server(self._talk, sock=listener)

    def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self._hang_up()

    def _hang_up(self) -> None:
        for line in list(self._lines):
            line.writer.transport.abort()

    def _forget(self) -> None:
        self._hang_up()
        self._running = None

    def asked(self) -> list[dict[str, Any]]:
        return [
            {
                **asked.session.as_dict(),
                "offline": asked.session.offline,
                "uniqueTxnId": asked.session.merchant_reference,
                "stan": asked.session.result["referenceNumber"] if asked.session.result else 0,
                "sent": asked.sent,
            }
            for asked in self.journal
        ]

    def _busy(self) -> bool:
        return bool(self._lines) or (
            self._running is not None and self.terminal.current is self._running
        )

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        entry = self.note("TCP", "/connect")
        began = time.perf_counter()
        if self._busy():
            await asyncio.sleep(0.03)  # the end of the one before may be on its way
        if self._busy():
            entry["status"] = "second connection"
            writer.close()
            return
        line = Line(reader, writer, self.options)
        self._lines.add(line)
        try:
            await self._converse(line, entry)
        except Rejected as rejected:
            entry["status"] = "rejected"
            self.world.violation(str(rejected), entry["path"])
        except (Ended, ConnectionError):
            entry["status"] = entry["status"] or "ended"
        finally:
            entry["ms"] = round((time.perf_counter() - began) * 1000, 1)
            self._lines.discard(line)
            line.gone.cancel()
            writer.close()

    async def _converse(self, line: Line, entry: dict[str, Any]) -> None:
        self._counter += 1
        number = f"{self._counter:06d}"
        if self.options.ready == "on_connect":
            await self._say_ready(line, number)
        fields = await self._request(line)
        if not fields:
            entry["status"] = "closed"
            return
        entry["path"] = f"/lan/{self.terminal.terminal_id}/{'/'.join(fields[1:3])}"
        entry["query"] = "|".join(fields)
        if self.options.ready == "after_request":
            await self._say_ready(line, number)
        first = fields[0] if self.options.echo_session else number
        entry["status"] = await self._carry_out(line, fields, first)
        if not self.options.close_after_response:
            await line.gone

    async def _say_ready(self, line: Line, number: str) -> None:
        ready = frame(["810", "00", number])
        if self.options.glue_frames and self.options.cut_ready_after is None:
            line.hold(ready)
        else:
            await line.send(ready, self.options.cut_ready_after)

    # -- requests ----------------------------------------------------------------------------------------------------

    async def _request(self, line: Line) -> list[str]:
        """The fields after the length; none when the till closed without a request."""
        head = b""
        while len(head) < 4:
            data = await line.read(4 - len(head))
            if not data:
                return []
            head += data
        if not head.isdigit():
            raise Rejected(f"length: {head!r}")
        length, body = int(head), b""
        while len(body) < length and (data := await line.read(length - len(body), _SILENCE_S)):
            body += data
        more = await line.read(4096, 0.02)
        if len(body) != length or more:
            what = f"length: {length} announced, {len(body) + len(more)} came"
            if self.options.check_length:
                raise Rejected(what)
            self.world.violation(what, f"/lan/{self.terminal.terminal_id}")
        text = (body + more).decode("ascii", "replace")
        if not text.startswith("|"):
            raise Rejected("the body does not begin with |")
        if "\ufffd" in text:
            self.world.violation("the request is not ASCII", f"/lan/{self.terminal.terminal_id}")
        fields = text.split("|")[1:]
        if len(fields) < 3:
            raise Rejected("too few fields")
        return fields

    async def _carry_out(self, line: Line, fields: list[str], first: str) -> str:
        """Do what was asked; answers the response code, or in a word what became of it."""
        kind = (fields[1], fields[2])
        android = self.options.platform == "paydroid"
        if kind in (SALE, CANCEL, PREAUTH):
            session = self._session(fields, kind)
            if (
                (kind == PREAUTH and not android)
                or self._wakes()
                or not self._begin(session, fields)
            ):
                return await self._answer(line, session, kind, first, "KO")
            return await self._result(line, session, kind, first)
        if fields[1] == PRINTING:
            code = "00" if android else "KO"
            await line.send(frame([first, "610", "00", code]), self.options.cut_answer_after)
            return code
        raise Rejected(f"unknown message {kind[0]}/{kind[1]}")

    def _wakes(self) -> bool:
        wakes = self.options.ko_first > 0
        if wakes:
            self.options.ko_first -= 1
        return wakes

    def _session(self, fields: list[str], kind: tuple[str, str]) -> Session:
        """:raises Rejected: when it cannot be read"""
        path = f"/lan/{self.terminal.terminal_id}/{'/'.join(kind)}"
        if len(fields) < (6 if kind == CANCEL else 10):
            raise Rejected("too few fields")
        number, unique, amount = fields[0], fields[3], fields[4]
        if not re.fullmatch(r"\d{1,10}\.\d\d", amount) or Decimal(amount) <= 0:
            raise Rejected(f"amount: {amount!r}")
        if not re.fullmatch(r"\d{6}", number):
            self.world.violation(f"sessionId: {number!r} is not 6 digits", path, fields)
        if not re.fullmatch(r"[0-9A-Za-z]{32}", unique):
            self.world.violation(f"uniqueTxnId: {unique!r} is not 32 characters", path, fields)
        if any(asked.session.merchant_reference == unique for asked in self.journal):
            self.world.violation(f"uniqueTxnId: {unique} was used before", path, fields)
        operation = {SALE: Operation.SALE, CANCEL: Operation.REFUND}.get(kind, Operation.PREAUTH)
        session = Session(
            merchant_id=self.terminal.merchant_id,
            session_id=f"{number}-{unique}",
            terminal_id=self.terminal.terminal_id,
            cash_register_id="",
            operation=operation,
            amount=int(Decimal(amount).scaleb(2)),
            currency_code=self.world.settings.currency or "978",
            created=self.world.clock.now(),
            merchant_reference=unique,
            max_instalments=1,
            channel=TCP,
        )
        if operation is Operation.REFUND:
            session.parent = self._original(unique, fields[5])
            session.refusal = 1012 if session.parent is None else None
        else:
            what = self.options.amounts.get(session.amount)
            session.refusal = {DROP_BEFORE: 1099, CANCELLED: 1000}.get(what or "")
        return session

    def _original(self, unique: str, link: str) -> Transaction | None:
        """The payment that a cancel is about."""
        rows = [
            row
            for row in reversed(self.world.ledger.rows)
            if row.terminal_id == self.tid and row.approved and row.type_id not in REVERSALS
        ]
        if re.fullmatch(r"\d{6}", link):
            return next((row for row in rows if row.numbers.stan == int(link)), None)
        found = next((row for row in rows if row.merchant_reference == unique), None)
        return rows[0] if found is None and rows and self.options.cancel_by_card else found

    def _begin(self, session: Session, fields: list[str]) -> bool:
        if not self.begin(session):
            return False
        self.journal.append(Asked(session, fields))
        self._running = session
        return True

    # -- answers -----------------------------------------------------------------------------------------------------

    async def _result(self, line: Line, session: Session, kind: tuple[str, str], first: str) -> str:
        done = asyncio.ensure_future(self._done(session))
        try:
            await asyncio.wait({line.gone, done}, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                if self.options.platform == "paydroid":
                    self.terminal.hang_up(session, self.options.reversal_nameless)
                return "till hung up"
            what = self.options.amounts.get(session.amount) if kind != CANCEL else None
            if what in (DROP_AFTER, DROP_BEFORE):
                line.end()
                return what
            if what == NEVER:
                await line.gone
                return what
            await asyncio.sleep(self.options.delay_ms / 1000)
            return await self._answer(line, session, kind, first)
        finally:
            done.cancel()

    async def _done(self, session: Session) -> None:
        while session.result is None:
            await self.world.changed.wait()

    async def _answer(
        self, line: Line, session: Session, kind: tuple[str, str], first: str, code: str = ""
    ) -> str:
        result = session.result
        row = None
        if result is not None and result["transactionId"]:
            row = self.world.ledger.find(self.terminal.merchant_id, result["transactionId"])
        code = code or self._code(session, row)
        good = code == "00"
        text = _TEXTS.get(code, "DECLINED")
        card = row.card if row else None
        stan, authorisation, rrn = "000000", "", ""
        if result is not None and good:
            stan = f"{result['referenceNumber']:06d}"
            authorisation = result["authorizationId"] or ""
            rrn = f"~RRN:{result['retrievalReferenceNumber']}" if row else ""
            text = _ENTRY.get(result["panEntryMode"], "Contactless/None") + rrn
        elif row is not None and code != "UC":
            stan = f"{row.numbers.stan:06d}"
        label = card.name.upper() if card else ""
        number = card.masked("*") if card else ""
        if result is not None and good and session.offline:
            label = (result["applicationLabel"] or "").split(" ")[0].upper()
            number = result["primaryAccountNumberMasked"] or ""
        told = result["terminalId"] if result else session.terminal_id
        tid = self.tid if told == session.terminal_id else told
        fields = [
            first,
            "110" if kind == PREAUTH else "210",
            kind[1],
            code,
            text,
            label,
            number,
            stan,
            authorisation,
            "000001",
            major_text(result["amount"] if result else session.amount),
            "1010",
            major_text(session.tip) if session.tip else "00",
            *["00"] * 5,
            f"{tid:>12}",
            *[""] * self.options.extra_empty_fields,
        ]
        await line.send(frame(fields, self.options.announce_more), self.options.cut_answer_after)
        return code

    @staticmethod
    def _code(session: Session, row: Transaction | None) -> str:
        result = session.result
        assert result is not None
        if result["success"]:
            return "00"
        if result["eventId"] in (1000, 1016):
            return "UC"
        if row is not None and row.reason:
            return _RESPONSES.get(row.reason, f"{row.reason % 100:02d}")
        return {1006: "05", 1007: "05", 1020: "51"}.get(result["eventId"], "KO")
