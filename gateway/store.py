"""Identity and journal in ONE SQLite file: whoever loses one loses the other.

A gateway with its keys but without its journal would say "never heard of it" about a payment
that it had started. So both live and die together, every write is on the disk before the
next touch of a terminal, and one process holds the file.

Steps, one transaction each (names for ``VIVA_GATEWAY_DIE_AT``, see :mod:`crash`):

``identity``     paired
``sequence``     the number of the next call to Odoo
``unsent``       that call never connected: its number is free again
``stopped``      Odoo knows another copy of this journal: never used again
``answer``       what Odoo confirmed, its terminals, commands received, tombstones
``started``      the terminal is touched next
``accepted`` ``refused`` ``not_started`` ``outcome`` ``lost``    what came of it
``abort``        the terminal is asked to drop it next
``aborting``     what came of that
``again``        Odoo asks about what was reported before
``closed``       nothing will be asked any more
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import clock, crash
from .problems import IN_USE, Problem

#: Finished sessions that are remembered; what Odoo may still ask about is far younger.
REMEMBERED = 20_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS identity (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    odoo TEXT NOT NULL, database TEXT NOT NULL, uid TEXT NOT NULL, channel TEXT NOT NULL,
    name TEXT NOT NULL, private_key BLOB NOT NULL, server_key BLOB NOT NULL,
    sequence INTEGER NOT NULL, terminals TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS session (
    session_id TEXT PRIMARY KEY, viva_id TEXT NOT NULL, request TEXT NOT NULL,
    state TEXT NOT NULL, boot TEXT NOT NULL, at REAL NOT NULL, until REAL NOT NULL,
    kind TEXT NOT NULL, data TEXT NOT NULL, aborted INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS report (
    id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, kind TEXT NOT NULL,
    data TEXT NOT NULL, boot TEXT NOT NULL, at REAL NOT NULL, wall REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS report_session ON report (session_id);
CREATE TABLE IF NOT EXISTS stopped (one INTEGER PRIMARY KEY CHECK (one = 1), words TEXT NOT NULL);
"""

#: States of a session in the journal. "lost" may still be asked about, "closed" is over.
RECEIVED, STARTED, ACCEPTED, LOST, CLOSED = "received", "started", "accepted", "lost", "closed"


@dataclass(frozen=True)
class Identity:
    """Who we are to one Odoo."""

    odoo: str
    database: str
    uid: str
    channel: str
    name: str
    private_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)


@dataclass(frozen=True)
class Session:
    """One command as it is in the journal. Times are those of :mod:`clock`.

    :param at: when it was received, from ``started`` on when the terminal was touched
    :param until: not to be started after that
    :param same_boot: its times mean something, the machine was not restarted since
    :param aborted: the terminal was asked to drop it
    """

    session_id: str
    viva_id: str
    request: Mapping[str, Any] = field(repr=False)
    state: str
    at: float
    until: float
    same_boot: bool = True
    aborted: bool = False


@dataclass(frozen=True)
class Command:
    """A start as Odoo sent it, checked; ``until`` by our clock."""

    session_id: str
    viva_id: str
    request: Mapping[str, Any] = field(repr=False)
    until: float


class Store:
    """The file, held by this process alone.

    :raises Problem: another process has it, or it cannot be read or written
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(
                path, timeout=0.2, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("BEGIN EXCLUSIVE")
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            raise _cannot_open(path, error) from error

    def close(self) -> None:
        with self._lock:
            self._db.close()

    # -- identity ----------------------------------------------------------------

    def identity(self) -> Identity | None:
        """Return who we are; ``None`` before pairing."""
        row = self._one(
            "SELECT odoo, database, uid, channel, name, private_key, server_key FROM identity"
        )
        return None if row is None else Identity(*row)

    def pair(self, identity: Identity) -> None:
        """Remember a new identity with an empty journal."""
        with self._step("identity") as db:
            for table in ("identity", "session", "report", "stopped"):
                db.execute(f"DELETE FROM {table}")
            db.execute(
                "INSERT INTO identity VALUES (1, ?, ?, ?, ?, ?, ?, ?, 0, '[]')",
                (
                    *(identity.odoo, identity.database, identity.uid, identity.channel),
                    *(identity.name, identity.private_key, identity.server_key),
                ),
            )

    def next_sequence(self) -> int:
        """Return a number that was never used; it is on the disk already."""
        with self._step("sequence") as db:
            db.execute("UPDATE identity SET sequence = sequence + 1")
            (number,) = db.execute("SELECT sequence FROM identity").fetchone()
        return int(number)

    def give_back(self, number: int) -> None:
        """The call with the last number surely sent nothing.

        A copy of this journal must not overtake it by calls that never reach Odoo.
        """
        with self._step("unsent") as db:
            db.execute("UPDATE identity SET sequence = sequence - 1 WHERE sequence = ?", (number,))

    def counters(self) -> dict[str, int]:
        """Return what only grows, over the whole life of a journal: by that Odoo sees an older one.

        ``reports``: the highest number of a report; ``commands``: of a session.
        """
        reports = self._one("SELECT seq FROM sqlite_sequence WHERE name = 'report'")
        commands = self._one("SELECT MAX(rowid) FROM session")  # the newest is never deleted
        return {"reports": reports[0] if reports else 0, "commands": commands[0] or 0}

    def stop_for_good(self, words: str) -> None:
        """Odoo has heard of another copy of this journal: it is not used any more.

        What one of them says about a payment may have been overtaken by the other. So it is not
        enough to end: whoever starts the program again must not get through after some tries.
        """
        with self._step("stopped") as db:
            db.execute("INSERT OR REPLACE INTO stopped VALUES (1, ?)", (words,))

    def stopped(self) -> str:
        """Return why this journal is not to be used any more, ``""``: it may be used."""
        row = self._one("SELECT words FROM stopped")
        return str(row[0]) if row else ""

    def terminals(self) -> list[Any]:
        """Return the terminals of the last signed answer, as Odoo described them."""
        row = self._one("SELECT terminals FROM identity")
        return [] if row is None else list(json.loads(row[0]))

    # -- what Odoo says ----------------------------------------------------------

    def take_answer(
        self,
        confirmed: Iterable[int],
        terminals: list[Any] | None,
        starts: Iterable[Command],
        unheard: Iterable[str],
    ) -> list[Session]:
        """Write one signed answer and return the commands that were not known before.

        :param terminals: ``None`` when they are as they were
        :param unheard: sessions that are meant to be known: a tombstone for those that are not
        """
        new: list[Session] = []
        confirmed, starts, unheard = list(confirmed), list(starts), list(unheard)
        unheard = [session for session in unheard if self.session(session) is None]
        starts = [start for start in starts if self.session(start.session_id) is None]
        if not confirmed and not starts and not unheard and terminals is None:
            return new
        with self._step("answer") as db:
            db.executemany("DELETE FROM report WHERE id = ?", [(number,) for number in confirmed])
            if terminals is not None:
                db.execute("UPDATE identity SET terminals = ?", (json.dumps(terminals),))
            for start in starts:
                session = Session(
                    *(start.session_id, start.viva_id, start.request, RECEIVED),
                    *(clock.now(), start.until),
                )
                if self._insert(session, "received", {}):
                    new.append(session)
            for session_id in unheard:
                tombstone = Session(session_id, "", {}, CLOSED, clock.now(), 0)
                self._insert(tombstone, "not_started", {"reason": "never_heard"})
            db.execute(
                "DELETE FROM session WHERE state = ? AND rowid <= "
                "(SELECT MAX(rowid) FROM session) - ?",
                (CLOSED, REMEMBERED),
            )
        return new

    def _insert(self, session: Session, kind: str, data: Mapping[str, Any]) -> bool:
        done = self._db.execute(
            "INSERT OR IGNORE INTO session VALUES (?, ?, ?, ?, ?, ?, ?, '', '{}', 0)",
            (
                *(session.session_id, session.viva_id, json.dumps(session.request)),
                *(session.state, clock.BOOT, session.at, session.until),
            ),
        )
        if done.rowcount:
            self._report(session.session_id, kind, data)
        return bool(done.rowcount)

    # -- what happens at a terminal ----------------------------------------------

    def started(self, session_id: str) -> None:
        """The next thing that happens is a touch."""
        with self._step("started") as db:
            db.execute(
                "UPDATE session SET at = ?, boot = ? WHERE session_id = ?",
                (clock.now(), clock.BOOT, session_id),
            )
            self._move(session_id, STARTED, "started", {})

    def accepted(self, session_id: str) -> None:
        with self._step("accepted"):
            self._move(session_id, ACCEPTED, "accepted", {})

    def refused(self, session_id: str, error: Mapping[str, Any]) -> None:
        with self._step("refused"):
            self._move(session_id, CLOSED, "refused", error)

    def not_started(self, session_id: str, reason: str) -> None:
        with self._step("not_started"):
            self._move(session_id, CLOSED, "not_started", {"reason": reason})

    def outcome(self, session_id: str, answer: Mapping[str, Any]) -> None:
        with self._step("outcome"):
            self._move(session_id, CLOSED, "outcome", answer)

    def lost(self, session_id: str, reason: str, *, final: bool) -> None:
        """:param final: nobody can be asked any more"""
        with self._step("lost"):
            self._move(session_id, CLOSED if final else LOST, "lost", {"reason": reason})

    def abort_asked(self, session_id: str) -> None:
        """The next thing that happens is a touch; Odoo repeats it until we say what came of it."""
        with self._step("abort") as db:
            db.execute("UPDATE session SET aborted = 1 WHERE session_id = ?", (session_id,))

    def aborting(self, session_id: str, data: Mapping[str, Any]) -> None:
        with self._step("aborting"):
            self._report(session_id, "aborting", data, last=False)

    def closed(self, session_id: str) -> None:
        """Nobody asks the terminal about it any more; what was reported last stays."""
        with self._step("closed") as db:
            db.execute("UPDATE session SET state = ? WHERE session_id = ?", (CLOSED, session_id))

    def again(self, session_ids: Iterable[str]) -> None:
        """Report once more what was said last, unless it waits to be told anyway."""
        sessions = [session for session in session_ids if not self.waiting(session)]
        if not sessions:
            return
        with self._step("again") as db:
            for session_id in sessions:
                row = db.execute(
                    "SELECT kind, data FROM session WHERE session_id = ?", (session_id,)
                ).fetchone()
                if row is not None and row[0]:
                    self._report(session_id, row[0], json.loads(row[1]))

    def _move(self, session_id: str, state: str, kind: str, data: Mapping[str, Any]) -> None:
        self._db.execute("UPDATE session SET state = ? WHERE session_id = ?", (state, session_id))
        self._report(session_id, kind, data)

    def _report(
        self, session_id: str, kind: str, data: Mapping[str, Any], *, last: bool = True
    ) -> None:
        text = json.dumps(data)
        self._db.execute(
            "INSERT INTO report (session_id, kind, data, boot, at, wall) VALUES (?, ?, ?, ?, ?, ?)",
            (session_id, kind, text, clock.BOOT, clock.now(), time.time()),
        )
        if last:
            self._db.execute(
                "UPDATE session SET kind = ?, data = ? WHERE session_id = ?",
                (kind, text, session_id),
            )

    # -- reading -----------------------------------------------------------------

    def session(self, session_id: str) -> Session | None:
        found = self._sessions("session_id = ?", session_id)
        return found[0] if found else None

    def unfinished(self) -> list[Session]:
        """Return the sessions that are not closed, oldest first."""
        return self._sessions("state != ?", CLOSED)

    def _sessions(self, condition: str, value: str) -> list[Session]:
        rows = self._all(
            "SELECT session_id, viva_id, request, state, at, until, boot, aborted FROM session "
            f"WHERE {condition} ORDER BY rowid",
            value,
        )
        return [
            Session(
                *(name, viva_id, json.loads(request), state, at, until),
                *(boot == clock.BOOT, bool(aborted)),
            )
            for name, viva_id, request, state, at, until, boot, aborted in rows
        ]

    def outcomes(self, viva_id: str, most: int) -> list[dict[str, Any]]:
        """Return the last answers of one terminal, newest first."""
        rows = self._all(
            "SELECT data FROM session WHERE viva_id = ? AND kind = 'outcome' "
            "ORDER BY rowid DESC LIMIT ?",
            *(viva_id, most),
        )
        return [json.loads(row[0]) for row in rows]

    def waiting(self, session_id: str, kind: str = "") -> bool:
        """Does a report of this session, of this kind if one is named, wait to be confirmed?"""
        query = "SELECT 1 FROM report WHERE session_id = ? AND ? IN ('', kind) LIMIT 1"
        return bool(self._all(query, session_id, kind))

    def reports(self, most: int) -> list[dict[str, Any]]:
        """Return the oldest reports that Odoo has not confirmed."""
        rows = self._all(
            "SELECT id, session_id, kind, data, boot, at, wall FROM report ORDER BY id LIMIT ?",
            most,
        )
        return [
            {
                "id": number,
                "session_id": session_id,
                "kind": kind,
                "data": json.loads(data),
                "age_s": round(_age(boot, at, wall), 3),
            }
            for number, session_id, kind, data, boot, at, wall in rows
        ]

    def _one(self, query: str) -> Any:
        with self._lock:
            return self._db.execute(query).fetchone()

    def _all(self, query: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _step(self, name: str) -> Iterator[sqlite3.Connection]:
        with self._lock:
            crash.point("before", name)
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
            crash.point("after", name)


def _age(boot: str, at: float, wall: float) -> float:
    """After a restart of the machine only the wall clock is left; it may be wrong, but not negative."""
    return max(0.0, clock.now() - at if boot == clock.BOOT else time.time() - wall)


def _cannot_open(path: Path, error: Exception) -> Problem:
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return Problem(
            f"Another viva-gateway is using {path}. Stop it first (systemctl stop viva-gateway), "
            "or leave it running.",
            IN_USE,
        )
    if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
        return Problem(
            f"{path} is damaged ({error}). Move the file away, revoke this gateway in Odoo and "
            "pair again. Payments that were running: look at them in Odoo."
        )
    return Problem(
        f"{path} cannot be opened ({error}). Run this as the user that the service runs as "
        "(sudo -u viva-gateway …), or name another folder in the configuration."
    )
