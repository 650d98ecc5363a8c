"""Looks behind the counter: the simulator's control API, and Odoo's database."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg2
import psycopg2.extras

from lib.server import Simulator

Found = TypeVar("Found")


def until(check: Callable[[], Found], seconds: float = 20, what: str = "") -> Found:
    """Wait for ``check()`` to answer something true, and answer that. A long wait costs time only where it fails."""
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, f"waited in vain {what}"
        time.sleep(0.02)
    return value


class Viva(Simulator):
    """The simulator as tests see it: the person at the terminal, and the book of the acquirer."""

    def act(self, action: str, at: str, **options: Any) -> None:
        """What a person does at a terminal; waits until the request is shown there."""
        if action not in ("plug", "unplug"):
            options.setdefault("wait_s", 30)
        self.control("POST", f"terminals/{at}/{action}", options)

    def faults(self, **faults: Any) -> None:
        self.control("POST", "faults", faults)

    def heal(self) -> None:
        self.control("DELETE", "faults")

    def settings(self, **settings: Any) -> None:
        self.control("POST", "settings", settings)

    def charges(self) -> list[dict[str, Any]]:
        """Sales that moved money (minor units); reversals are in their ``refunded``."""
        return [row for row in self.control("GET", "charges") if not row["parentId"]]

    def moved(self) -> list[dict[str, Any]]:
        """Everything that moved money: sales and captures, refunds and voids."""
        return self.control("GET", "charges")

    def given_back(self) -> list[int]:
        """The amounts that went back to cards, in order."""
        return [row["amount"] for row in self.moved() if row["operation"] in ("refund", "void")]

    def book(self) -> list[dict[str, Any]]:
        """Everything that the acquirer approved: also holds and their release."""
        return [row for row in self.control("GET", "attempts") if row["statusId"] != "E"]

    def reverse(self, transaction_id: str, amount: int | None = None) -> dict[str, Any]:
        """Viva itself gives money back, unasked."""
        options = {} if amount is None else {"amount": amount}
        return self.control("POST", f"transactions/{transaction_id}/reverse", options)

    def sessions(self) -> list[dict[str, Any]]:
        return self.control("GET", "sessions")

    def requests(self, path: str) -> list[dict[str, Any]]:
        """What arrived at addresses that begin with ``path``."""
        return self.control("GET", f"requests?path={path}")

    def violations(self) -> list[dict[str, Any]]:
        return self.control("GET", "violations")

    def deliveries(self, event_type: int) -> list[dict[str, Any]]:
        """The webhooks of one kind that were sent, with the status that Odoo answered."""
        found = self.control("GET", "deliveries")
        return [delivery for delivery in found if delivery["eventTypeId"] == event_type]


class Database:
    """Odoo's database behind its back, in autocommit."""

    def __init__(self, variables: dict[str, str], name: str) -> None:
        self.name = name
        self._server = {
            "host": variables.get("PGHOST"),
            "port": variables.get("PGPORT"),
            "user": variables.get("PGUSER"),
            "password": variables.get("PGPASSWORD"),
        }
        self._connection = self.connect()
        self._connection.autocommit = True

    def connect(self, name: str | None = None) -> Any:
        """A connection of its own, with a transaction of its own."""
        return psycopg2.connect(
            dbname=name or self.name,
            cursor_factory=psycopg2.extras.RealDictCursor,
            **self._server,
        )

    def run(self, statement: str, *values: Any, **named: Any) -> list[dict[str, Any]]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, named or values or None)
            return cursor.fetchall() if cursor.description else []

    def notify(self, channel: str) -> None:
        """Wake up whoever listens on the server for this database."""
        connection = self.connect("postgres")
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, %s)", (channel, self.name))
        connection.close()

    def close(self) -> None:
        self._connection.close()
