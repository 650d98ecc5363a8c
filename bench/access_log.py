"""Odoo's own log of HTTP requests: what each cost in SQL queries and in time of a worker."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r'"(?:GET|POST) (\S+) HTTP/[\d.]+" (\d+) \S+ (\d+) ([\d.]+) ([\d.]+)\s*$')


@dataclass(frozen=True)
class Request:
    path: str
    status: int
    queries: int
    seconds: float
    """How long the worker was held: time in SQL and outside of it."""


class AccessLog:
    def __init__(self, path: Path):
        self.path = path
        self._offset = 0

    def forget(self) -> None:
        """Look only at what comes from now on."""
        time.sleep(0.2)
        self._offset = self.path.stat().st_size

    def requests(self, fragment: str = "") -> list[Request]:
        """The answered requests since `forget` whose path contains ``fragment``."""
        time.sleep(0.2)  # a line is written after the answer
        with open(self.path, "rb") as handle:
            handle.seek(self._offset)
            text = handle.read().decode(errors="replace")
        found = []
        for line in text.splitlines():
            match = _LINE.search(line)
            if match and fragment in match[1]:
                path, status, queries, sql, rest = match.groups()
                found.append(Request(path, int(status), int(queries), float(sql) + float(rest)))
        return found
