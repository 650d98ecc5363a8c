"""Access tokens: cached, shared, fetched once, and never a reason to say "unknown"."""

import threading
import time

import pytest
from doubles import ScriptedTransport, answer

from drivers import (
    BadRequest,
    ConnectFailed,
    CredentialsError,
    IndeterminateError,
    LoginUnavailable,
    MemoryTokenStore,
    PermissionDenied,
    ResponseLost,
    Token,
    TokenBusy,
    TokenSource,
    Unreachable,
)


class Clock:
    def __init__(self):
        self.now = 1_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def granted(value, expires_in=3600):
    return answer(200, {"access_token": value, "expires_in": expires_in, "token_type": "Bearer"})


def source(clock, *answers, store=None):
    transport = ScriptedTransport(*answers)
    store = store or MemoryTokenStore()
    accounts = "https://accounts.example/"
    return TokenSource(transport, accounts, "client", "hush", store, clock), transport, store


def test_request_of_section_1_2(clock):
    tokens, transport, _ = source(clock, granted("one"))
    assert tokens.get() == "one"
    (request,) = transport.requests
    assert (request.method, request.url) == ("POST", "https://accounts.example/connect/token")
    assert request.form == {"grant_type": "client_credentials"}
    assert request.basic == ("client", "hush")
    assert request.json is None


def test_cached_until_a_minute_before_the_end(clock):
    tokens, transport, store = source(clock, granted("one"), granted("two"))
    assert tokens.get() == "one"
    assert store.load() == Token("one", clock.now + 3600)
    clock.now += 3539
    assert tokens.get() == "one"
    clock.now += 1
    assert tokens.get() == "two"
    assert len(transport.requests) == 2


@pytest.mark.parametrize("expires_in", [None, 0, -1, "3600", True, [1]])
def test_life_that_is_not_told(clock, expires_in):
    tokens, _, store = source(clock, granted("one", expires_in))
    assert tokens.get() == "one"
    assert store.load().expires_at == clock.now + 300


def test_a_life_shorter_than_the_margin_still_works(clock):
    tokens, transport, _ = source(clock, granted("one", 5), granted("two", 5))
    assert tokens.get() == "one"
    assert tokens.get() == "two"
    assert len(transport.requests) == 2


def test_renew(clock):
    tokens, transport, store = source(clock, granted("one"), granted("two"))
    assert tokens.renew(tokens.get()) == "two"
    assert store.load().value == "two"
    assert len(transport.requests) == 2


def test_renewed_by_somebody_else_already(clock):
    tokens, transport, store = source(clock)
    store.save(Token("two", clock.now + 3600))
    assert tokens.renew("one") == "two"
    assert not transport.requests


def test_renewed_by_somebody_else_while_we_came_in(clock):
    class Late(MemoryTokenStore):
        def exclusive(self):
            self.save(Token("two", clock.now + 3600))
            return super().exclusive()

    store = Late()
    store.save(Token("one", clock.now + 3600))
    tokens, transport, _ = source(clock, store=store)
    assert tokens.renew("one") == "two"
    assert not transport.requests


def test_a_rejected_token_is_forgotten_when_there_is_no_new_one(clock):
    tokens, _, store = source(clock, granted("one"), ConnectFailed("no"), granted("two"))
    with pytest.raises(Unreachable):
        tokens.renew(tokens.get())
    assert store.load() is None
    assert tokens.get() == "two"


def test_a_stale_token_is_used_when_there_is_no_new_one(clock):
    tokens, _, _ = source(clock, granted("one"), answer(503), ResponseLost("x"), answer(503))
    tokens.get()
    clock.now += 3550
    assert tokens.get() == "one"
    assert tokens.get() == "one"
    clock.now += 50
    with pytest.raises(LoginUnavailable):
        tokens.get()


def test_wrong_credentials_are_told_even_with_a_stale_token(clock):
    tokens, _, _ = source(clock, granted("one"), answer(400, {"error": "invalid_client"}))
    tokens.get()
    clock.now += 3550
    with pytest.raises(CredentialsError):
        tokens.get()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (ConnectFailed("refused"), Unreachable),
        (ResponseLost("timed out"), LoginUnavailable),
        (answer(400, {"error": "invalid_client"}), CredentialsError),
        (answer(401), CredentialsError),
        (answer(400, {"error": "invalid_scope"}), PermissionDenied),
        (answer(403), PermissionDenied),
        (answer(400, {"error": "unsupported_grant_type"}), BadRequest),
        (answer(404, b"<html>"), BadRequest),
        (answer(429), LoginUnavailable),
        (answer(500), LoginUnavailable),
        (answer(502, b"<html>"), LoginUnavailable),
        (answer(503), LoginUnavailable),
        (answer(504), LoginUnavailable),
        (answer(302), LoginUnavailable),
        (answer(200, b"<html>"), LoginUnavailable),
        (answer(200, {}), LoginUnavailable),
        (answer(200, ["token"]), LoginUnavailable),
        (granted(""), LoginUnavailable),
        (granted(None), LoginUnavailable),
        (granted('a"b c'), LoginUnavailable),
        (granted("a\r\nEvil: b"), LoginUnavailable),
    ],
)
def test_errors_say_what_is_wrong_and_are_never_indeterminate(clock, reply, error):
    """No payment hangs on a token: whatever happens to it, nothing was charged."""
    tokens, _, store = source(clock, reply)
    with pytest.raises(error) as caught:
        tokens.get()
    assert type(caught.value) is error
    assert not isinstance(caught.value, IndeterminateError)
    assert "hush" not in str(caught.value)
    assert store.load() is None


def test_somebody_else_fetches(clock):
    tokens, transport, store = source(clock)
    with store.exclusive() as mine:
        assert mine
        with pytest.raises(TokenBusy):
            tokens.get()
        started = time.monotonic()
        with pytest.raises(TokenBusy):
            tokens.get(wait=0.2)
        assert 0.2 <= time.monotonic() - started < 0.5
        store.save(Token("one", clock.now + 30))
        assert tokens.get() == "one", "stale, but alive"
        with pytest.raises(TokenBusy):
            tokens.renew("one")
    assert not transport.requests


def test_waiting_for_somebody_else(clock):
    tokens, transport, store = source(clock)

    def deliver():
        time.sleep(0.1)
        store.save(Token("two", clock.now + 3600))

    with store.exclusive():
        thread = threading.Thread(target=deliver)
        thread.start()
        assert tokens.get(wait=5) == "two"
        thread.join()
    assert not transport.requests


@pytest.mark.parametrize("how", ["get", "renew"])
def test_eight_threads_fetch_once(clock, how):
    def slowly(request):
        time.sleep(0.1)
        return granted("new")

    store = MemoryTokenStore()
    store.save(Token("old", clock.now + (3600 if how == "renew" else -1)))
    tokens, transport, _ = source(clock, slowly, slowly, store=store)
    barrier = threading.Barrier(8)
    values = []

    def work():
        barrier.wait()
        values.append(tokens.get(wait=5) if how == "get" else tokens.renew("old", wait=5))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == ["new"] * 8
    assert len(transport.requests) == 1


def test_the_lock_is_given_back_after_an_error(clock):
    tokens, _, store = source(clock, RuntimeError("defect"), granted("one"))
    with pytest.raises(RuntimeError):
        tokens.get()
    with store.exclusive() as mine:
        assert mine
    assert tokens.get() == "one"


def test_a_token_does_not_show():
    assert "hush" not in repr(Token("hush", 1.0))
