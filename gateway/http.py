"""One POST to Odoo: exact bytes out, exact bytes in, within a time, never redirected."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy

import requests
import urllib3.exceptions

from .viva import transport

CONNECT_S = 5.0
ANSWER_S = 20.0
LARGEST = 4 * 1024 * 1024


class NoAnswer(Exception):
    """Odoo was not reached, or did not answer as a whole. The text is for a person.

    :param sent: something may have been sent
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


@dataclass(frozen=True)
class Answer:
    """Header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def new_session() -> requests.Session:
    """Connections that are kept, without cookies: one with a database in it would fight the header."""
    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        session.mount(scheme, transport.Adapter(max_retries=0))
    return session


def _as_it_is(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    """No password of a ``.netrc``."""
    return prepared


def post(
    session: requests.Session,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    ca_bundle: str = "",
    answer_s: float = ANSWER_S,
) -> Answer:
    """:raises NoAnswer: no connection, no answer in time, or half an answer"""
    end = time.monotonic() + CONNECT_S + answer_s
    parts = bytearray()
    try:
        with session.post(
            url,
            data=body,
            auth=_as_it_is,
            headers={"Content-Type": "application/json", **headers},
            timeout=(CONNECT_S, answer_s),
            verify=ca_bundle or True,
            allow_redirects=False,
            stream=True,
        ) as response:
            for part in response.iter_content(65536):
                parts += part
                if len(parts) > LARGEST or time.monotonic() > end:
                    raise NoAnswer("the answer was too large or too slow")
            length = response.headers.get("Content-Length", "")
            encoded = "Content-Encoding" in response.headers
            if length.isdecimal() and not encoded and len(parts) < int(length):
                raise NoAnswer("the answer was cut off")  # urllib3 1.26 does not see that
            names = {name.lower(): value for name, value in response.headers.items()}
            if 300 <= response.status_code < 400:
                raise NoAnswer(f"it redirects to {names.get('location', '?')}; use that address")
            return Answer(response.status_code, names, bytes(parts))
    except transport.ConnectFailed as error:
        raise NoAnswer(_not_connected(error.__cause__ or error), sent=False) from error
    except requests.exceptions.ReadTimeout as error:
        raise NoAnswer("no answer in time") from error
    except requests.exceptions.RequestException as error:
        # An address that is none is a ValueError too.
        raise NoAnswer(_short(error), sent=not isinstance(error, ValueError)) from error


def _not_connected(error: BaseException) -> str:
    if isinstance(error, (ssl.SSLError, urllib3.exceptions.SSLError)):
        return (
            "its certificate is not accepted. If it is your own authority's, name its file as "
            f"ca_bundle in the configuration ({_short(error)})"
        )
    refused = isinstance(error, urllib3.exceptions.NewConnectionError)  # a time-out to urllib3 1.26
    if isinstance(error, (TimeoutError, urllib3.exceptions.ConnectTimeoutError)) and not refused:
        return "no connection in time; is the network up?"
    return _short(error)


def _short(error: BaseException) -> str:
    text = str(error)
    for word in ("Name or service not known", "Temporary failure in name resolution"):
        if word in text:
            return "the name is not known; is it written correctly, and is the network up?"
    if "Connection refused" in text:
        return "nothing listens at that address"
    return text[-200:]
