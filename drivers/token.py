"""OAuth access tokens (reference, section 1.2): cached, shared, fetched once.

Where a token is kept is handed in (:class:`TokenStore`), so that workers of one
server share it. Whoever finds it stale fetches a new one while the others go on with
the old one as long as it lives; nobody queues behind a fetch unless it says so.

Fetching a token moves no money: every failure here is definite or retryable,
never indeterminate, whatever became of the answer.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from .answers import correlation_id_of, detail_of, json_of
from .errors import (
    BadRequest,
    CredentialsError,
    LoginUnavailable,
    PermissionDenied,
    RetryableError,
    TokenBusy,
    Unreachable,
    VivaError,
)
from .transport import ConnectFailed, HttpRequest, HttpResponse, ResponseLost, Transport

#: Seconds before the end at which a token counts as stale.
MARGIN = 60.0

#: Assumed life, in seconds, of a token that does not tell its own.
_DEFAULT_LIFE = 300.0
_LONGEST_LIFE = 24 * 3600.0

_PAUSE = 0.05


@dataclass(frozen=True)
class Token:
    """An access token; ``expires_at`` in seconds since the epoch. The value never shows."""

    value: str = field(repr=False)
    expires_at: float


class TokenStore(Protocol):
    """Where the token of one account is kept."""

    def load(self) -> Token | None:
        """Return the token as it is now, also when another process has changed it."""
        ...

    def save(self, token: Token | None) -> None:
        """Keep a token; ``None`` forgets it."""
        ...

    def exclusive(self) -> AbstractContextManager[bool]:
        """Enter at once, with ``False`` when somebody else is inside."""
        ...


class MemoryTokenStore:
    """A store for one process."""

    def __init__(self) -> None:
        self._token: Token | None = None
        self._lock = threading.Lock()

    def load(self) -> Token | None:
        return self._token

    def save(self, token: Token | None) -> None:
        self._token = token

    @contextmanager
    def exclusive(self) -> Iterator[bool]:
        mine = self._lock.acquire(blocking=False)
        try:
            yield mine
        finally:
            if mine:
                self._lock.release()


class TokenSource:
    """Gives the access token of one pair of POS API credentials."""

    def __init__(
        self,
        transport: Transport,
        accounts_url: str,
        client_id: str,
        client_secret: str,
        store: TokenStore,
        clock: Callable[[], float] = time.time,
        *,
        connect_timeout: float = 2.0,
        read_timeout: float = 3.0,
    ) -> None:
        self._transport = transport
        self._url = accounts_url.rstrip("/") + "/connect/token"
        self._basic = (client_id, client_secret)
        self._store = store
        self._clock = clock
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout

    def get(self, wait: float = 0) -> str:
        """Return a token that is good for now.

        :param wait: seconds to wait for somebody else's fetch when there is no living token
        :raises CredentialsError, PermissionDenied, BadRequest: the account is set up wrongly
        :raises Unreachable, LoginUnavailable: the login service cannot be used now
        :raises TokenBusy: somebody else is fetching and ``wait`` is over
        """
        return self._obtain("", wait)

    def renew(self, rejected: str, wait: float = 0) -> str:
        """Return a token other than the one that Viva has just rejected with 401.

        When somebody else has fetched one in the meantime, that one. Raises as :meth:`get`.
        """
        return self._obtain(rejected, wait)

    def _obtain(self, rejected: str, wait: float) -> str:
        end = time.monotonic() + wait
        while True:
            token = self._usable(rejected, MARGIN)
            if token is not None:
                return token.value
            with self._store.exclusive() as mine:
                if mine:
                    return self._refresh(rejected)
            token = self._usable(rejected, 0)
            if token is not None:
                return token.value
            left = end - time.monotonic()
            if left <= 0:
                raise TokenBusy("Somebody else is fetching a new access token.")
            time.sleep(min(_PAUSE, left))

    def _usable(self, rejected: str, margin: float) -> Token | None:
        token = self._store.load()
        if token is None or token.value == rejected:
            return None
        return token if token.expires_at - margin > self._clock() else None

    def _refresh(self, rejected: str) -> str:
        """Fetch, as the only one; another may have done it just before we got in."""
        fresh = self._usable(rejected, MARGIN)
        if fresh is not None:
            return fresh.value
        old = self._usable(rejected, 0)
        if old is None and self._store.load() is not None:
            self._store.save(None)
        try:
            token = self._fetch()
        except RetryableError:
            if old is not None and old.expires_at > self._clock():
                return old.value
            raise
        self._store.save(token)
        return token.value

    def _fetch(self) -> Token:
        request = HttpRequest(
            "POST",
            self._url,
            form={"grant_type": "client_credentials"},
            basic=self._basic,
            connect_timeout=self._connect_timeout,
            read_timeout=self._read_timeout,
        )
        asked_at = self._clock()
        try:
            response = self._transport.send(request)
        except ConnectFailed as error:
            raise Unreachable(
                "Viva's login service cannot be reached.", detail=str(error)
            ) from error
        except ResponseLost as error:
            raise LoginUnavailable(
                "Viva's login service does not answer.", detail=str(error)
            ) from error
        if response.status != 200:
            raise _refusal(response)
        data = json_of(response)
        value = data.get("access_token") if isinstance(data, dict) else None
        if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value):
            raise LoginUnavailable(
                "Viva's login service gave no access token.", status=response.status
            )
        life = data.get("expires_in") if isinstance(data, dict) else None
        if isinstance(life, bool) or not isinstance(life, (int, float)) or life <= 0:
            life = _DEFAULT_LIFE
        return Token(value, asked_at + min(life, _LONGEST_LIFE))


def _refusal(response: HttpResponse) -> VivaError:
    status = response.status
    detail = detail_of(response)
    correlation_id = correlation_id_of(response)
    if status == 401 or "invalid_client" in detail:
        return CredentialsError(
            "Viva does not accept client id and secret.",
            status=status, detail=detail, correlation_id=correlation_id,
        )  # fmt: skip
    if status == 403 or "scope" in detail:
        return PermissionDenied(
            "The credentials are not allowed to use terminals.",
            status=status, detail=detail, correlation_id=correlation_id,
        )  # fmt: skip
    if 400 <= status < 500 and status not in (408, 429):
        return BadRequest(
            "Viva's login service refused the request.",
            status=status, detail=detail, correlation_id=correlation_id,
        )  # fmt: skip
    return LoginUnavailable(
        "Viva's login service cannot be used now.",
        status=status, detail=detail, correlation_id=correlation_id,
    )  # fmt: skip
