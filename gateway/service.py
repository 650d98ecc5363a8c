"""The loop of the gateway: tell Odoo what is new, take what it says, hand it to the terminals.

Calls to Odoo go one at a time. A hint, or news from a terminal, makes the next one start at once;
without either there is one from time to time.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import clock, scan, terminals, work
from .config import Config
from .hints import Hints
from .link import Link, Trouble
from .log import get
from .problems import ANOTHER_COPY, NOT_PAIRED, Problem
from .store import Command, Store
from .terminals import Terminal
from .version import version
from .viva import drivers, wire

#: Reports in one call, and their characters; Odoo takes 200, and 512 KiB.
MOST_REPORTS, MOST_CHARACTERS = 100, 300_000
#: Odoo takes no more, and a call that is too large would keep everything else from arriving.
MOST_FOUND = 100
#: Without the websocket: seconds between calls while a payment runs, and for how long after it.
BUSY_S, BUSY_FOR_S = 2.0, 600.0
#: Bounds of what Odoo may say about the time between two calls.
IDLE_S = (1.0, 300.0)
#: Waits after a call that failed.
FIRST_WAIT_S, LONGEST_WAIT_S, SLOW_WAIT_S = 0.25, 30.0, 60.0
#: The same while a payment runs or something waits to be told; and so often at most news ends a wait.
URGENT_WAIT_S, NEWS_S = 5.0, 5.0
#: An answer that is not Odoo's may be that of a server that is just starting: so often in a row it
#: is not.
SLOW_FROM = 3
#: A start that came without a hint: when none follows within that time, hints are not relied on.
HINT_S = 3.0
#: When this program has to stop: for payments that only it can see to their end.
DRAIN_S = 200.0
#: A start is not kept longer than that, whatever Odoo says.
LONGEST_VALID_S = 60.0
#: A session is told again that often when Odoo keeps asking about it.
AGAIN_S = 10.0
#: At the end: for the last reports.
LAST_CALL_S = 5.0
STATUS_FILE = "status.json"
_dice = random.Random()


class Service:
    """:raises Problem: not paired, or the journal is in use"""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._journal = Store(config.journal)
        identity = self._journal.identity()
        if identity is None:
            self._journal.close()
            raise Problem(
                "This gateway is not paired. Make a code in Odoo (Point of Sale, Viva.com, Gateways, Pair), "
                "then: viva-gateway pair https://your-odoo CODE",
                NOT_PAIRED,
            )
        if words := self._journal.stopped():
            self._journal.close()
            raise Problem(words, ANOTHER_COPY)
        self._identity = identity
        #: Names this process: what was offered to another one was not offered to us.
        self._instance = secrets.token_hex(16)
        self._link = Link(self._journal, identity, config)
        self._wake = threading.Event()
        self._hints = Hints(identity, config, self._hinted)
        self._workers: dict[str, work.Worker] = {}
        self._listed: list[Any] | None = None
        self._terminals: dict[str, Terminal] = {}
        self._stopping = threading.Event()
        self._idle_s = 30.0
        self._busy_until = clock.now() + BUSY_FOR_S
        self._hint_at = 0.0
        self._unhinted_at: float | None = None
        self._told_again: dict[str, float] = {}
        self._scan: _Scan | None = None
        self._words = ""
        self._status: dict[str, Any] = {}

    # -- from the beginning to the end -----------------------------------------------

    def stop(self) -> None:
        """End gracefully; may be called from a signal handler."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Work until :meth:`stop`. :raises Problem: this gateway has to stop"""
        get().info("viva-gateway %s for %s at %s.", version(), self._identity.name, self._odoo)
        if self._odoo.startswith("http://"):
            get().warning(
                "The way to Odoo is not encrypted. Use its https address outside one building."
            )
        try:
            self._recover()
            self._hints.start()
            self._loop()
        finally:
            self._stopping.set()
            self._hints.stop()
            self._drain()
            self._hints.join(1.0)
            self._link.close()
            self._journal.close()
            self._write_status(running=False)

    def _drain(self) -> None:
        """Whatever ends us, a payment on a terminal that forgets is seen to its end first."""
        for worker in self._workers.values():
            worker.stop()
        end = clock.now() + DRAIN_S
        for worker in self._workers.values():
            worker.join(max(0.0, end - clock.now()))

    @property
    def _odoo(self) -> str:
        return self._config.odoo or self._identity.odoo

    def _recover(self) -> None:
        """Take up what an earlier process has left: its terminals, and its unfinished sessions."""
        self._take_terminals(self._journal.terminals())
        for session in self._journal.unfinished():
            self._worker(session.viva_id).resume(session)

    def _loop(self) -> None:
        failed = slow = 0
        while not self._stopping.is_set():
            self._wake.clear()
            wait = 0.0
            try:
                sent = self._call()
            except Trouble as trouble:
                failed += 1
                wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(failed - 1, 8))
                slow = slow + 1 if trouble.slow else 0
                if slow >= SLOW_FROM:
                    wait = SLOW_WAIT_S
                if self._is_urgent():
                    wait = min(wait, URGENT_WAIT_S)
                self._say(str(trouble))
                self._rest(wait * _dice.uniform(0.8, 1), patient=True)
                continue
            failed = slow = 0
            self._say("")
            wait = self._pause(sent)
            self._write_status()
            self._rest(wait)
        self._end()

    def _rest(self, seconds: float, *, patient: bool = False) -> None:
        """Wait for a hint or for news; ``patient``: Odoo is not there, so not at once for those."""
        self._write_status()
        if patient:
            if self._stopping.wait(min(seconds, NEWS_S)):
                return
            seconds -= NEWS_S
        if seconds > 0:
            self._wake.wait(seconds)

    def _is_urgent(self) -> bool:
        """Would somebody at a till see the difference?"""
        running = any(worker.busy for worker in self._workers.values())
        return running or bool(self._journal.reports(1))

    def _pause(self, sent: int) -> float:
        waiting = len(self._journal.reports(MOST_REPORTS))
        if waiting:
            return 0.0 if not sent else BUSY_S  # what was sent and not confirmed: not at once
        if self._hints.connected and not self._distrusts_hints():
            return self._idle_s
        if clock.now() < self._busy_until:
            return BUSY_S
        return max(self._idle_s / 5, IDLE_S[0])

    def _hinted(self) -> None:
        self._hint_at = clock.now()
        if self._unhinted_at is not None and self._hint_at < self._unhinted_at + HINT_S:
            self._unhinted_at = None
        self._wake.set()

    def _distrusts_hints(self) -> bool:
        """Has something between us and Odoo swallowed one? Then it is asked often for a while."""
        return self._unhinted_at is not None and clock.now() < self._unhinted_at + BUSY_FOR_S

    def _say(self, words: str) -> None:
        if words != self._words:
            if words:
                get().warning("%s", words)
            else:
                get().info("Odoo answers again.")
            self._words = words

    def _end(self) -> None:
        """Take answers that only this process can take, then tell what is left to tell."""
        for worker in self._workers.values():
            worker.stop()
        end = clock.now() + 0.5
        for worker in self._workers.values():
            worker.join(max(0.0, end - clock.now()))
        if any(worker.busy and worker.is_alive() for worker in self._workers.values()):
            get().info("Waiting for the payments that only this process can see to their end.")
        while any(worker.is_alive() for worker in self._workers.values()):
            try:
                self._call()
            except Trouble as trouble:
                self._say(str(trouble))
            self._wake.wait(1.0)
            self._wake.clear()
        end = clock.now() + LAST_CALL_S
        while self._journal.reports(1) and (left := end - clock.now()) > 0:
            try:
                self._call(left)
            except Trouble:
                break
        get().info("Stopped. What is not told to Odoo yet will be told after the next start.")

    # -- one call ----------------------------------------------------------------------

    def _call(self, answer_s: float = 20.0) -> int:
        """Tell and ask. Return how many reports were sent and not confirmed."""
        reports = _fitting(self._journal.reports(MOST_REPORTS))
        content = {
            "version": version(),
            "instance": self._instance,
            "journal": self._journal.counters(),
            "terminals": [self._as_seen(viva_id) for viva_id in self._terminals],
            "scan": self._scan.as_json() if self._scan else None,
            "reports": reports,
        }
        asked_at = clock.now()
        answer = self._link.sync(content, answer_s)
        confirmed = {number for number in _list(answer, "confirmed") if type(number) is int}
        self._take(answer, confirmed, asked_at)
        return sum(report["id"] not in confirmed for report in reports)

    def _as_seen(self, viva_id: str) -> dict[str, Any]:
        seen = self._worker(viva_id).seen
        place = seen.terminal or self._terminals[viva_id]
        return {
            "viva_id": viva_id,
            "host": place.host,
            "port": place.port,
            "look": place.look,
            "reached": seen.reached,
            "words": seen.words,
            "tid": seen.tid,
            "fingerprint": seen.fingerprint,
            "age_s": 0.0 if seen.at is None else round(clock.now() - seen.at, 1),
        }

    def _take(self, answer: Mapping[str, Any], confirmed: set[int], asked_at: float) -> None:
        """One signed answer. Journal first, then the terminals."""
        starts, aborts = _commands(_list(answer, "commands"), asked_at)
        asked = [item for item in _list(answer, "asked") if _is_name(item)]
        listed = _list(answer, "terminals")
        new = self._journal.take_answer(
            confirmed,
            None if listed == self._listed else listed,
            starts,
            [*aborts, *asked],
        )
        self._take_terminals(listed)
        for session in new:
            if session.session_id in aborts:
                self._journal.not_started(session.session_id, "expired")
            elif self._stopping.is_set():
                words = "The gateway in the shop is being stopped; try again."
                error = wire.error_to_json(drivers.Unavailable(words))
                self._journal.refused(session.session_id, error)
            else:
                self._worker(session.viva_id).start_session(session)
        for session_id, register in aborts.items():
            self._abort(session_id, register)
        self._tell_again(asked, {session.session_id for session in new})
        if new and clock.now() > self._hint_at + HINT_S:
            self._unhinted_at = clock.now()
        if new or aborts:
            self._busy_until = clock.now() + BUSY_FOR_S
            self._wake.set()
        self._take_scan(answer.get("scan"))
        idle = answer.get("idle_s")
        if isinstance(idle, (int, float)) and not isinstance(idle, bool):
            self._idle_s = min(max(float(idle), IDLE_S[0]), IDLE_S[1])

    def _take_terminals(self, listed: list[Any]) -> None:
        if listed == self._listed:
            return
        self._listed = listed
        known: dict[str, Terminal] = {}
        for item in listed:
            try:
                terminal = terminals.read(item)
            except ValueError as error:
                name = item.get("viva_id") if isinstance(item, dict) else None
                get().warning("Terminal %s of Odoo's list cannot be used: %s", name, error)
                continue
            known[terminal.viva_id] = terminal
        # Of two with one id nobody could tell which of them a payment is meant for.
        counted = Counter(str(item.get("viva_id")) for item in listed if isinstance(item, dict))
        for viva_id in [name for name in known if counted[name] > 1]:
            get().warning("Odoo lists terminal %s twice: neither is used.", viva_id)
            del known[viva_id]
        self._terminals = known
        for viva_id in {*known, *self._workers}:
            self._worker(viva_id).know(known.get(viva_id))

    def _worker(self, viva_id: str) -> work.Worker:
        if viva_id not in self._workers:
            worker = work.Worker(viva_id, self._journal, self._wake.set)
            worker.know(self._terminals.get(viva_id))
            worker.start()
            self._workers[viva_id] = worker
        return self._workers[viva_id]

    def _abort(self, session_id: str, register: str) -> None:
        session = self._journal.session(session_id)
        if (
            session is not None
            and session.viva_id
            and not self._journal.waiting(session_id, "aborting")
        ):
            self._worker(session.viva_id).abort_session(session_id, register)

    def _tell_again(self, asked: list[str], new: set[str]) -> None:
        now = clock.now()
        due = [
            session_id
            for session_id in asked
            if session_id not in new and now > self._told_again.get(session_id, -AGAIN_S) + AGAIN_S
        ]
        self._told_again = {
            **{name: at for name, at in self._told_again.items() if now < at + AGAIN_S},
            **{session_id: now for session_id in due},
        }
        self._journal.again(due)
        for session_id in due:
            session = self._journal.session(session_id)
            if session is not None and session.viva_id:
                self._worker(session.viva_id).ask_again(session_id)

    # -- scanning ------------------------------------------------------------------------

    def _take_scan(self, wanted: Any) -> None:
        number = wanted.get("id") if isinstance(wanted, dict) else None
        if type(number) is not int:
            self._scan = None
        elif self._scan is None or self._scan.number != number:
            texts = [str(text) for text in _list(wanted, "networks")]
            texts = list(self._config.networks) or texts
            hosts = [terminal.host for terminal in self._terminals.values()]
            busy = {
                (terminal.host, terminal.port)
                for terminal in self._terminals.values()
                if self._worker(terminal.viva_id).watching
            }
            self._scan = _Scan(number, texts, hosts, busy, self._wake.set)

    # -- for "viva-gateway status" ---------------------------------------------------------

    def _write_status(self, *, running: bool = True) -> None:
        """A small file, since the journal itself cannot be read while we hold it."""
        status = {
            "running": running,
            "pid": os.getpid(),
            "version": version(),
            "name": self._identity.name,
            "odoo": self._odoo,
            "trouble": self._words,
            "hints": self._hints.connected,
            "terminals": [
                {**self._as_seen(viva_id), "age_s": None, "busy": self._worker(viva_id).busy}
                for viva_id in (self._terminals if running else ())
            ],
        }
        if status == self._status:
            return
        self._status = status
        write_status(self._config.state, status)


class _Scan:
    """One scan that Odoo has asked for, in the background."""

    def __init__(
        self,
        number: int,
        texts: list[str],
        hosts: list[str],
        busy: set[tuple[str, int]],
        news: Any,
    ) -> None:
        self.number = number
        self._done = False
        self._found: list[scan.Found] = []
        self._arguments = (texts, hosts, busy)
        self._news = news
        threading.Thread(target=self._run, name="scan", daemon=True).start()

    def _run(self) -> None:
        texts, hosts, busy = self._arguments
        try:
            where = scan.networks(texts, hosts)
            get().info("Looking for terminals in %s.", ", ".join(map(str, where)) or "no network")
            self._found = scan.scan(where, busy)
        except Exception as error:
            get().warning("The search for terminals ended early: %s", error)
        self._done = True
        self._news()

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.number,
            "done": self._done,
            "found": [item.as_json() for item in self._found[:MOST_FOUND]],
        }


def write_status(folder: Path, status: Mapping[str, Any]) -> None:
    """Replace the file as a whole; without it nothing is lost."""
    part = folder / (STATUS_FILE + ".part")
    try:
        part.write_text(json.dumps({**status, "at": time.time()}), encoding="utf-8")
        os.replace(part, folder / STATUS_FILE)
    except OSError as error:
        get().debug("The status cannot be written: %s", error)


def _fitting(reports: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first ones, as many as fit into one call; at least one."""
    room = MOST_CHARACTERS
    for place, report in enumerate(reports):
        room -= len(json.dumps(report))
        if room < 0:
            return reports[: max(place, 1)]
    return reports


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    value = data.get(key)
    return value if isinstance(value, list) else []


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 75


def _commands(items: list[Any], asked_at: float) -> tuple[list[Command], dict[str, str]]:
    """Return starts, and aborts as session id and register.

    What is not understood is left out: Odoo sees that nobody has heard of it. A start without
    sense in it is refused by the terminal's worker, in words.
    """
    starts: list[Command] = []
    aborts: dict[str, str] = {}
    for item in items:
        known = isinstance(item, dict) and _is_name(item.get("session_id"))
        if known and item.get("kind") == "abort":
            register = item.get("cash_register_id")
            aborts[item["session_id"]] = str(register) if _is_name(register) else ""
        elif known and item.get("kind") == "start" and _is_name(item.get("viva_id")):
            valid, request = item.get("valid_s"), item.get("request")
            # Counted from before the question: what the way took is not added to it.
            until = asked_at
            if isinstance(valid, (int, float)) and not isinstance(valid, bool):
                until += min(float(valid), LONGEST_VALID_S)
            request = request if isinstance(request, dict) else {}
            starts.append(Command(item["session_id"], item["viva_id"], request, until))
        else:
            get().warning("Odoo sent a command that is not understood.")
    return starts, aborts
