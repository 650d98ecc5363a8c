"""The base addresses of an environment, and how an id becomes a part of an address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from .errors import BadRequest

_LOCAL = re.compile(r"localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1")


@dataclass(frozen=True)
class Endpoints:
    """The three base addresses of an environment (section 1.1).

    https, except on this machine; :class:`ValueError` otherwise.
    """

    accounts: str
    api: str
    www: str

    def __post_init__(self) -> None:
        for name in ("accounts", "api", "www"):
            object.__setattr__(self, name, _base_address(getattr(self, name)))


def _base_address(address: str) -> str:
    parts = urlsplit(address.strip())
    host = parts.hostname or ""
    local = parts.scheme == "http" and _LOCAL.fullmatch(host)
    if not host or not (parts.scheme == "https" or local):
        raise ValueError(f"{address!r} is not an https address.")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError(f"{address!r} is not a plain base address.")
    return address.strip().rstrip("/")


DEMO = Endpoints(
    accounts="https://demo-accounts.vivapayments.com",
    api="https://demo-api.vivapayments.com",
    www="https://demo.vivapayments.com",
)
LIVE = Endpoints(
    accounts="https://accounts.vivapayments.com",
    api="https://api.vivapayments.com",
    www="https://www.vivapayments.com",
)


def segment(value: str) -> str:
    """One path segment. Encoding turns ``/`` harmless; dots alone would still climb."""
    if not value or value.strip(".") == "":
        raise BadRequest(f"{value!r} is not an id.")
    return quote(value, safe="")
