"""The gateway as a whole, in this process: an Odoo and a terminal on real sockets, no simulator."""

import shutil
import statistics
import time
import uuid

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gateway_doubles import (
    REFERENCE,
    TERMINAL,
    Device,
    Odoo,
    Running,
    TcpDevice,
    introduce,
    sale,
    until,
)

from gateway import clock, http, scan, service, work
from gateway.config import Config
from gateway.problems import Problem
from gateway.store import Store
from gateway.viva import transport


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(service, "FIRST_WAIT_S", 0.05)
    monkeypatch.setattr(service, "LONGEST_WAIT_S", 0.3)
    monkeypatch.setattr(service, "SLOW_WAIT_S", 0.3)
    monkeypatch.setattr(service, "BUSY_S", 0.2)
    monkeypatch.setattr(service, "AGAIN_S", 0.3)
    monkeypatch.setattr(work, "QUICK_S", 0.03)
    monkeypatch.setattr(work, "POLL_S", 0.05)
    monkeypatch.setattr(work, "UNHEARD_S", 0.3)


@pytest.fixture
def device():
    with Device() as device:
        yield device


@pytest.fixture
def odoo(device, tmp_path):
    with Odoo() as odoo:
        odoo.terminals = [device.entry()]
        introduce(tmp_path, odoo)
        yield odoo


@pytest.fixture
def gateway(odoo, tmp_path):
    with Running(tmp_path) as running:
        until(lambda: odoo.lines)
        yield running


def test_a_sale(gateway, odoo, device):
    request = sale()
    odoo.order(request)
    outcome = odoo.wait(request["session_id"], "outcome")
    assert outcome["kind"] == "outcome"
    assert (outcome["success"], outcome["amount"]) == (True, 2550)
    assert odoo.kinds(request["session_id"]) == ["received", "started", "accepted", "outcome"]
    assert device.charges == [request["session_id"]]
    until(lambda: odoo.seen[TERMINAL]["reached"] is True)


def test_a_hint_reaches_the_terminal_at_once(gateway, odoo, device):
    """Our own part of the way: two journal writes, one call, one thread."""
    took = []
    for number in range(1, 8):
        request = sale()
        began = time.monotonic()
        odoo.order(request)
        until(lambda number=number: len(device.posts) == number)
        took.append(device.posts[-1][0] - began)
        odoo.wait(request["session_id"], "outcome")
    assert statistics.median(took) < 0.2, took  # generous: this machine does other things too


# -- the way to Odoo ----------------------------------------------------------------


@pytest.mark.parametrize("fault", ["lose", "half"])
def test_an_answer_that_does_not_arrive(gateway, odoo, device, fault):
    """The command is offered again, the report told again, the card charged once."""
    for _ in range(3):
        setattr(odoo, fault, 1)
        request = sale()
        odoo.order(request)
        odoo.wait(request["session_id"], "outcome")
        assert device.charges.count(request["session_id"]) == 1
        until(lambda: not odoo.commands)


def test_an_old_answer_is_not_believed(gateway, odoo, device):
    first = sale()
    kept = []

    def keep(status, body, headers):
        if first["session_id"].encode() in body:
            kept.append((status, body, headers))
        return status, body, headers

    odoo.spoil = keep
    odoo.order(first)
    odoo.wait(first["session_id"], "outcome")
    _status, body, headers = kept[0]
    changed = body.replace(first["session_id"].encode(), str(uuid.uuid4()).encode())
    for old in (body, changed):
        odoo.spoil = lambda *answer, old=old: (200, old, headers)
        odoo.hint()
        until(lambda: "signature" in gateway.service._words)
        odoo.spoil = None
        until(lambda: not gateway.service._words)
    assert device.charges == [first["session_id"]]


def test_another_servers_key_is_not_believed(odoo, device, tmp_path):
    odoo.private = Ed25519PrivateKey.generate()
    odoo.order(sale(), hint=False)
    with Running(tmp_path) as running:
        until(lambda: "signature" in running.service._words)
        assert not device.posts
        assert not device.gets


def test_odoo_away_and_back(gateway, odoo, device):
    """The payment goes on; everything is told when Odoo is there again, in order, with its age."""
    device.hold = True
    request = sale()
    odoo.order(request)
    odoo.wait(request["session_id"], "accepted")
    odoo.away = True
    odoo.hang_up()
    device.hold = False
    until(lambda: gateway.service._journal.waiting(request["session_id"], "outcome"))
    until(lambda: "did not answer" in gateway.service._words)
    time.sleep(0.5)
    odoo.away = False
    assert odoo.wait(request["session_id"], "outcome")["success"] is True
    assert odoo.kinds(request["session_id"]) == ["received", "started", "accepted", "outcome"]
    report = [item for item in odoo.reports.values() if item["kind"] == "outcome"][-1]
    assert 0.4 < report["age_s"] < 30
    assert device.charges == [request["session_id"]]


def test_what_is_not_confirmed_is_told_again_but_not_at_once(gateway, odoo, device):
    odoo.confirm = False
    request = sale()
    odoo.order(request)
    odoo.wait(request["session_id"], "outcome")
    calls = len(odoo.calls)
    time.sleep(1)
    assert 2 <= len(odoo.calls) - calls <= 8
    assert len(odoo.calls[-1]["reports"]) == 4
    odoo.confirm = True
    until(lambda: not gateway.service._journal.reports(9))
    assert odoo.kinds(request["session_id"]) == ["received", "started", "accepted", "outcome"]


def test_an_hour_of_reports_goes_in_several_calls(odoo, tmp_path, monkeypatch):
    monkeypatch.setattr(service, "MOST_CHARACTERS", 2000)
    journal = Store(tmp_path / "gateway.sqlite")
    names = [f"s{number}" for number in range(250)]
    journal.take_answer([], None, [], names)
    journal.close()
    with Running(tmp_path):
        until(lambda: len(odoo.reports) == 250, 20)
    assert [report["session_id"] for _number, report in sorted(odoo.reports.items())] == names
    assert max(len(call["reports"]) for call in odoo.calls) < 30


def test_numbers_are_never_used_twice(gateway, odoo):
    until(lambda: odoo.last)
    before = odoo.last
    odoo.lose = 2
    odoo.hint()
    until(lambda: odoo.last >= before + 3)  # the double refuses a number it has heard
    assert gateway.problem is None


def test_a_call_that_never_connected_uses_no_number(odoo, tmp_path):
    """Else an old copy that has no network would count up until it is let in."""
    odoo.http.shutdown()
    odoo.http.server_close()
    with Running(tmp_path) as gateway:
        until(lambda: "nothing listens" in gateway.service._words)
        time.sleep(1)
        assert gateway.service._journal.next_sequence() <= 2  # one may be under way


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://no-such-name.invalid", "the name is not known"),
        ("http://127.0.0.1:1", "nothing listens"),
        ("https://127.0.0.1:{port}", "certificate"),
    ],
)
def test_what_surely_was_not_sent(odoo, url, words):
    with http.new_session() as session, pytest.raises(http.NoAnswer) as caught:
        http.post(session, url.format(port=odoo.port), b"{}", {})
    assert words in str(caught.value)
    assert not caught.value.sent


def test_what_may_have_been_sent(odoo):
    odoo.away = True
    with http.new_session() as session, pytest.raises(http.NoAnswer) as caught:
        http.post(session, odoo.url, b"{}", {})
    assert caught.value.sent


def test_another_copy_stops_this_one_for_good(gateway, odoo, tmp_path):
    odoo.last = 10**6
    odoo.hint()
    until(lambda: gateway.problem)
    assert gateway.problem.code == 4
    assert "Another copy" in str(gateway.problem)
    until(lambda: not gateway.thread.is_alive())
    odoo.last = 0  # it would be let in now
    calls = len(odoo.calls)
    for _ in range(2):
        with pytest.raises(Problem, match="Another copy") as caught:
            service.Service(Config(state=tmp_path))
        assert caught.value.code == 4
    assert len(odoo.calls) == calls


def test_our_own_call_repeated_on_its_way(gateway, odoo):
    """By a proxy, or by Odoo itself: its answer is lost, that is all."""
    told = []

    def repeat(handler, sequence, status, data):
        odoo._signed = honest
        told.append(sequence)
        return honest(handler, sequence, 409, {"error": "repeat", "last": sequence})

    honest, odoo._signed = odoo._signed, repeat
    odoo.hint()
    until(lambda: told and odoo.last > told[0])
    assert gateway.problem is None
    assert not gateway.service._journal.stopped()


def test_a_journal_that_went_backwards(odoo, device, tmp_path):
    """Its numbers may be higher; what it has written down is less."""
    old = tmp_path / "old"
    old.mkdir()
    shutil.copy(tmp_path / "gateway.sqlite", old)
    request = sale()
    with Running(tmp_path):
        odoo.order(request)
        odoo.wait(request["session_id"], "outcome")
    until(lambda: odoo.calls[-1]["journal"] == {"reports": 4, "commands": 1})
    odoo.last = 0
    odoo.asked = [request["session_id"]]
    with Running(old) as gateway:
        until(lambda: gateway.problem)
    assert gateway.problem.code == 4
    assert "not_started" not in odoo.kinds(request["session_id"])


def test_each_process_has_a_name(odoo, tmp_path):
    names = []
    for _ in range(2):
        calls = len(odoo.calls)
        with Running(tmp_path):
            until(lambda before=calls: len(odoo.calls) > before)
        names.append({call["instance"] for call in odoo.calls[calls:]})
    (one,), (other,) = names
    assert one != other
    assert 16 <= len(one) <= 32


def test_one_terminal_listed_twice(gateway, odoo, device, caplog):
    """The one of a test account, say: nobody may pay on the one and be charged on the other."""
    with Device() as other:
        odoo.terminals = [device.entry(), other.entry(), other.entry(viva_id="16000011")]
        request, third = sale(), sale(terminal_id="16000011")
        odoo.order(request)
        odoo.wait(request["session_id"], "refused")
        odoo.order(third, viva_id="16000011")
        odoo.wait(third["session_id"], "outcome")
        assert not device.posts
        assert other.charges == [third["session_id"]]
        until(lambda: list(odoo.seen) == ["16000011"])
    assert "twice" in caplog.text


def test_a_server_that_is_just_starting(gateway, odoo, device, monkeypatch):
    """One page of a proxy, and nobody waits a minute for the end of a payment."""
    monkeypatch.setattr(service, "SLOW_WAIT_S", 60.0)
    device.hold = True
    request = sale()
    odoo.order(request)
    odoo.wait(request["session_id"], "accepted")
    spoiled = []

    def spoil(status, body, headers):
        spoiled.append(status)
        return 404, b"<html>404: Not Found</html>", []

    monkeypatch.setattr(service, "URGENT_WAIT_S", 0.2)
    odoo.spoil = spoil
    odoo.hint()
    until(lambda: len(spoiled) > 5)  # however many while a payment runs
    odoo.spoil = None
    device.hold = False
    odoo.wait(request["session_id"], "outcome")
    calls = len(odoo.calls)
    odoo.spoil = lambda *answer: (spoil(*answer), setattr(odoo, "spoil", None))[0]
    odoo.hint()
    until(lambda: len(odoo.calls) > calls + 1)  # and one in idle times


def test_news_ends_a_long_wait(gateway, odoo, device, monkeypatch):
    monkeypatch.setattr(service, "SLOW_WAIT_S", 60.0)
    monkeypatch.setattr(service, "NEWS_S", 0.2)
    spoiled = []
    odoo.spoil = lambda *answer: (spoiled.append(1), (404, b"", []))[1]
    odoo.hint()
    until(lambda: len(spoiled) == service.SLOW_FROM)
    odoo.spoil = None
    request = sale()
    odoo.order(request)
    odoo.wait(request["session_id"], "outcome")


def test_revoked(gateway, odoo, device):
    odoo.error = "revoked"
    odoo.order(sale())
    until(lambda: gateway.problem)
    assert gateway.problem.code == 5
    assert not device.posts


def test_a_copy_of_the_database_gets_nothing(gateway, odoo, device):
    odoo.error = "other_database"
    odoo.order(sale())
    until(lambda: "copy of the database" in gateway.service._words)
    assert not device.posts
    assert gateway.problem is None
    odoo.error = None
    until(lambda: len(device.charges) == 1)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b'{"error": "unknown"}', "does not know this gateway"),
        (401, b'{"error": "signature"}', "signature"),
        (404, b"<html>", "HTTP 404"),
        (503, b"", "not ready"),
        (200, b"{}", "signature"),
        (302, b"", "redirects"),
        (403, b'{"error": "revoked"}', "HTTP 403"),
        (409, b'{"error": "sequence", "last": 9}', "HTTP 409"),
    ],
)
def test_an_unsigned_answer_only_makes_it_wait(gateway, odoo, device, status, body, words):
    odoo.spoil = lambda *answer: (status, body, [("Location", "https://x/")])
    odoo.hint()
    until(lambda: words in gateway.service._words)
    odoo.spoil = None
    request = sale()
    odoo.order(request)
    odoo.wait(request["session_id"], "outcome")


# -- the websocket -------------------------------------------------------------------


def test_how_it_subscribes(gateway, odoo):
    until(lambda: odoo.subscriptions)
    assert odoo.subscriptions[0] == {
        "event_name": "subscribe",
        "data": {"channels": [odoo.channel], "last": 0},
    }
    headers = {name.lower(): value for name, value in odoo.handshakes[0].items()}
    assert headers["origin"] == odoo.url
    assert "user-agent" not in headers


def test_without_the_websocket_it_asks_by_itself(odoo, device, tmp_path):
    odoo.websocket = False
    with Running(tmp_path):
        request = sale()
        odoo.order(request, hint=False)
        odoo.wait(request["session_id"], "outcome")


def test_with_the_websocket_it_is_quiet(gateway, odoo):
    until(lambda: gateway.service._hints.connected)
    time.sleep(0.5)
    calls = len(odoo.calls)
    time.sleep(1)
    assert len(odoo.calls) == calls


def test_the_websocket_comes_back(gateway, odoo, device):
    until(lambda: odoo.lines)
    odoo.hang_up()
    until(lambda: len(odoo.subscriptions) > 1)
    assert odoo.subscriptions[-1]["data"]["channels"] == [odoo.channel]


def test_hints_that_are_swallowed(gateway, odoo, device, monkeypatch):
    """The websocket stands, but nothing comes through it: asked often for a while."""
    monkeypatch.setattr(service, "HINT_S", 0.2)
    odoo.idle_s = 1
    odoo.hint()
    time.sleep(0.5)
    first = sale()
    odoo.order(first, hint=False)
    odoo.wait(first["session_id"], "outcome")
    time.sleep(0.4)
    calls = len(odoo.calls)
    time.sleep(1)
    assert len(odoo.calls) - calls >= 3


# -- commands --------------------------------------------------------------------------


def test_refused_without_a_confirmed_certificate(gateway, odoo, device):
    odoo.terminals = [device.entry(scheme="https")]
    request = sale()
    odoo.order(request)
    error = odoo.wait(request["session_id"], "refused")
    assert error["error"] == "BadRequest"
    assert "certificate" in error["message"]
    assert not device.posts
    assert odoo.kinds(request["session_id"]) == ["received", "refused"]


@pytest.mark.parametrize(
    "change",
    [{"host": "8.8.8.8"}, {"loopback": False}, {"host": "no-such-host.invalid"}, {"port": 0}],
)
def test_addresses_that_are_not_touched(gateway, odoo, device, change):
    odoo.terminals = [device.entry(**change)]
    request = sale()
    odoo.order(request)
    odoo.wait(request["session_id"], "refused")
    assert not device.posts


def test_only_listed_terminals_are_touched(gateway, odoo, device):
    until(lambda: odoo.calls)
    odoo.terminals = []
    for viva_id in (TERMINAL, "16000099"):
        request = sale(terminal_id=viva_id)
        odoo.order(request, viva_id=viva_id)
        odoo.wait(request["session_id"], "refused")
    assert not device.posts


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 0},
        {"kind": "gift"},
        {"terminal_id": "16000099"},
        {"currency": "XXX"},
        {"tip": -1},
    ],
)
def test_nonsense_is_refused(gateway, odoo, device, change):
    request = sale(**change)
    odoo.order(request)
    odoo.wait(request["session_id"], "refused")
    assert not device.posts


def test_a_request_for_another_session_than_its_envelope(gateway, odoo, device):
    request = sale()
    command = {"kind": "start", "session_id": str(uuid.uuid4()), "viva_id": TERMINAL}
    odoo.commands.append({**command, "valid_s": 9, "request": request})
    odoo.hint()
    odoo.wait(command["session_id"], "refused")
    assert not device.posts


@pytest.mark.parametrize("valid_s", [0, -5, "soon", None, True])
def test_too_late(gateway, odoo, device, valid_s):
    request = sale()
    odoo.order(request, valid_s=valid_s)
    assert odoo.wait(request["session_id"], "not_started") == {"reason": "expired"}
    assert not device.posts


def test_tombstone(gateway, odoo, device):
    """What was said to be never heard of is never started afterwards."""
    request = sale()
    odoo.asked = [request["session_id"]]
    odoo.hint()
    assert odoo.wait(request["session_id"], "not_started") == {"reason": "never_heard"}
    odoo.order(request)
    time.sleep(0.5)
    assert not device.posts
    odoo.commands = []


def test_asked_about_what_was_told(gateway, odoo, device):
    request = sale()
    odoo.order(request)
    odoo.wait(request["session_id"], "outcome")
    time.sleep(0.1)
    odoo.asked = [request["session_id"]]
    odoo.hint()
    until(lambda: odoo.kinds(request["session_id"]).count("outcome") == 2)
    assert device.charges == [request["session_id"]]


def test_asked_again_and_again_about_what_runs(gateway, odoo, device):
    device.hold = True
    request = sale()
    odoo.order(request)
    odoo.wait(request["session_id"], "accepted")
    odoo.asked = [request["session_id"]]
    odoo.hint()
    until(lambda: odoo.kinds(request["session_id"]).count("accepted") == 2)
    calls = len(odoo.calls)
    time.sleep(1)
    assert len(odoo.calls) - calls < 15
    device.hold = False
    odoo.wait(request["session_id"], "outcome")


def test_abort(gateway, odoo, device):
    device.hold = True
    request = sale()
    odoo.order(request)
    odoo.wait(request["session_id"], "accepted")
    odoo.abort(request["session_id"])
    assert odoo.wait(request["session_id"], "aborting") == {"words": ""}
    outcome = odoo.wait(request["session_id"], "outcome")
    assert (outcome["success"], outcome["event_id"]) == (False, 1016)
    assert device.aborted == [request["session_id"]]


def test_abort_before_the_start(gateway, odoo, device):
    request = sale()
    odoo.order(request, hint=False)
    odoo.abort(request["session_id"])
    odoo.wait(request["session_id"], "not_started")
    time.sleep(0.2)
    assert not device.posts
    odoo.commands = []


def test_abort_of_what_it_never_heard_of(gateway, odoo, device):
    request = sale()
    odoo.abort(request["session_id"])
    odoo.wait(request["session_id"], "not_started")
    odoo.commands = []
    odoo.order(request)
    time.sleep(0.3)
    assert not device.posts
    odoo.commands = []


def test_abort_of_what_has_ended(gateway, odoo, device):
    """Odoo offers an abort until it hears of it."""
    request = sale()
    odoo.order(request)
    odoo.wait(request["session_id"], "outcome")
    odoo.abort(request["session_id"])
    assert odoo.wait(request["session_id"], "aborting")["error"] == "NotFound"
    assert not device.aborted
    until(lambda: not odoo.commands)


def test_one_payment_at_a_time(gateway, odoo, device):
    device.hold = True
    first, second = sale(), sale()
    odoo.order(first)
    odoo.wait(first["session_id"], "accepted")
    odoo.order(second)
    assert odoo.wait(second["session_id"], "refused")["error"] == "Busy"
    device.hold = False
    odoo.wait(first["session_id"], "outcome")
    assert device.charges == [first["session_id"]]


def test_terminals_side_by_side(gateway, odoo, device):
    with Device(tid="16000011") as other:
        odoo.terminals.append(other.entry(viva_id="16000011"))
        device.hold = True
        first, second = sale(), sale(terminal_id="16000011")
        odoo.order(first)
        odoo.wait(first["session_id"], "accepted")
        odoo.order(second, viva_id="16000011")
        odoo.wait(second["session_id"], "outcome")
        device.hold = False
        odoo.wait(first["session_id"], "outcome")
        assert (device.charges, other.charges) == ([first["session_id"]], [second["session_id"]])


def test_another_terminal_at_the_address(gateway, odoo, device):
    """Told as it is, for Odoo to judge; and in words on the terminal's form."""
    device.tid = "16000077"
    request = sale()
    odoo.order(request)
    outcome = odoo.wait(request["session_id"], "outcome")
    assert "16000077" in (outcome["terminal_id"], outcome["tid"])
    until(lambda: "16000077" in odoo.seen[TERMINAL]["words"])
    assert odoo.seen[TERMINAL]["tid"] == "16000077"


def test_a_person_wants_it_to_be_looked_at_anew(gateway, odoo, device):
    """The right terminal is back at its address; only a payment would tell, so what was seen is forgotten."""
    device.tid = "16000077"
    request = sale()
    odoo.order(request)
    odoo.wait(request["session_id"], "outcome")
    until(lambda: odoo.seen[TERMINAL]["tid"] == "16000077")
    looks = len(device.gets)
    odoo.terminals = [device.entry(look=1)]
    odoo.hint()
    until(lambda: odoo.seen[TERMINAL]["look"] == 1)
    for call in odoo.calls:
        for entry in call["terminals"]:
            assert not (entry["look"] == 1 and entry["tid"]), "what was seen before the look"
    until(lambda: odoo.seen[TERMINAL]["tid"] == "" and odoo.seen[TERMINAL]["reached"])
    assert odoo.seen[TERMINAL]["words"] == ""
    assert len(device.gets) > looks


def test_a_terminal_that_does_not_answer(gateway, odoo, device):
    odoo.terminals = [device.entry(port=1)]
    odoo.hint()
    until(lambda: odoo.seen.get(TERMINAL, {}).get("reached") is False)
    assert odoo.seen[TERMINAL]["words"]
    request = sale()
    odoo.order(request)
    assert odoo.wait(request["session_id"], "refused")["error"] == "Unreachable"


@pytest.mark.parametrize(("when", "charged"), [("after", True), ("before", False)])
def test_no_answer_to_the_start(gateway, odoo, device, when, charged):
    device.drop_post = when
    request = sale()
    odoo.order(request)
    kind = "outcome" if charged else "lost"  # a terminal that is restarted says the same
    odoo.wait(request["session_id"], kind)
    assert bool(device.charges) is charged
    assert len(device.posts) == 1


def test_clocks_jump(gateway, odoo, device, monkeypatch):
    """Nothing that decides looks at the wall clock."""
    device.hold = True
    request = sale()
    odoo.order(request)
    odoo.wait(request["session_id"], "accepted")
    wall = time.time
    for jump in (-(10**9), 10**8):
        monkeypatch.setattr(time, "time", lambda jump=jump: wall() + jump)
        time.sleep(0.2)
    device.hold = False
    odoo.wait(request["session_id"], "outcome")
    assert all(0 <= report["age_s"] < 60 for report in odoo.reports.values())


# -- the end -------------------------------------------------------------------------------


def test_stopped_in_the_middle_of_a_payment(odoo, device, tmp_path):
    device.hold = True
    request = sale()
    with Running(tmp_path):
        until(lambda: odoo.lines)
        odoo.order(request)
        odoo.wait(request["session_id"], "accepted")
    assert not device.aborted
    device.hold = False
    with Running(tmp_path):
        assert odoo.wait(request["session_id"], "outcome")["success"] is True
    assert device.charges == [request["session_id"]]


def test_told_after_the_next_start(odoo, device, tmp_path):
    """Odoo away at the end: the outcome waits in the journal."""
    device.hold = True
    request = sale()
    with Running(tmp_path) as running:
        until(lambda: odoo.lines)
        odoo.order(request)
        odoo.wait(request["session_id"], "accepted")
        odoo.away = True
        device.hold = False
        until(lambda: running.service._journal.waiting(request["session_id"], "outcome"))
    odoo.away = False
    with Running(tmp_path):
        assert odoo.wait(request["session_id"], "outcome")["success"] is True


# -- a terminal that forgets --------------------------------------------------------------


def test_tcp_sale(gateway, odoo):
    with TcpDevice() as device:
        odoo.terminals = [device.entry()]
        request = sale(merchant_reference=REFERENCE)
        odoo.order(request)
        outcome = odoo.wait(request["session_id"], "outcome")
    assert (outcome["success"], outcome["amount"], outcome["rrn"]) == (True, 2550, "432910000123")
    assert device.charges == [REFERENCE]
    assert odoo.kinds(request["session_id"]) == ["received", "started", "accepted", "outcome"]


def test_tcp_tells_the_same_answer_twice(odoo, tmp_path):
    """It names no request: the end of the payment before would be that of any other one."""
    with TcpDevice() as terminal:
        terminal.counts = False
        odoo.terminals = [terminal.entry()]
        told = []
        for _ in range(2):
            with Running(tmp_path):  # the journal remembers it
                until(lambda: odoo.seen.get(TERMINAL, {}).get("reached"))
                request = sale(merchant_reference=REFERENCE)
                odoo.order(request)
                told.append(odoo.wait(request["session_id"], "outcome")["success"])
        assert told == [True, None]


def test_asleep_while_it_connects(gateway, odoo, device, monkeypatch):
    """The connection stands, and the order is older than it may be: not a byte of it is sent."""
    request, now, slept = sale(), clock.now, []

    def secure(self, connection, host):
        known = gateway.service._journal.session(request["session_id"])
        if known is not None and known.state == "started":
            slept.append(monkeypatch.setattr(clock, "now", lambda: now() + 60))

    monkeypatch.setattr(transport.DirectTransport, "_secure", secure)
    odoo.order(request)
    assert odoo.wait(request["session_id"], "refused")["error"] == "TooLate"
    assert slept
    assert not device.posts


def test_tcp_connection_breaks(gateway, odoo):
    with TcpDevice() as device:
        device.release.clear()
        odoo.terminals = [device.entry()]
        request = sale(merchant_reference=REFERENCE)
        odoo.order(request)
        odoo.wait(request["session_id"], "accepted")
        device.cut()
        lost = odoo.wait(request["session_id"], "lost")
        assert lost == {"reason": "connection_lost"}
        device.release.set()
        other = sale(merchant_reference=REFERENCE[::-1])
        odoo.order(other)
        odoo.wait(other["session_id"], "outcome")
    assert device.charges == [REFERENCE, REFERENCE[::-1]]


def test_revoked_in_the_middle_of_a_payment(odoo, tmp_path):
    """It stops, but not before the terminal has answered: to leave would be to abort."""
    with TcpDevice() as device:
        device.release.clear()
        odoo.terminals = [device.entry(platform="paydroid")]
        running = Running(tmp_path)
        until(lambda: odoo.lines)
        request = sale(merchant_reference=REFERENCE)
        odoo.order(request)
        odoo.wait(request["session_id"], "accepted")
        odoo.error = "revoked"
        odoo.hint()
        time.sleep(0.4)
        assert running.thread.is_alive()
        device.release.set()
        until(lambda: running.problem)
        running.thread.join(5)
    journal = Store(tmp_path / "gateway.sqlite")
    assert journal.waiting(request["session_id"], "outcome")
    journal.close()


def test_stopping_waits_for_an_answer_that_only_this_process_can_take(odoo, tmp_path):
    with TcpDevice() as device, Running(tmp_path) as running:
        device.release.clear()
        odoo.terminals = [device.entry()]
        until(lambda: odoo.lines)
        request = sale(merchant_reference=REFERENCE)
        odoo.order(request)
        odoo.wait(request["session_id"], "accepted")
        running.service.stop()
        other = sale(merchant_reference=REFERENCE)
        odoo.order(other)
        assert odoo.wait(other["session_id"], "refused")["error"] == "Unavailable"
        assert running.thread.is_alive()
        device.release.set()
        assert odoo.wait(request["session_id"], "outcome")["success"] is True
        running.thread.join(5)
        assert not running.thread.is_alive()


# -- scanning ------------------------------------------------------------------------------


def test_scan_on_request(gateway, odoo, device, monkeypatch):
    monkeypatch.setattr(scan, "PORTS", (device.port,))
    monkeypatch.setattr(scan, "READY_S", 0.3)
    odoo.scan = {"id": 4, "networks": ["127.0.0.1/32"]}
    odoo.hint()
    until(lambda: odoo.scans and odoo.scans[-1]["done"])
    assert odoo.scans[-1]["id"] == 4
    found = {"host": "127.0.0.1", "port": device.port, "protocol": "local"}
    assert odoo.scans[-1]["found"] == [{**found, "scheme": "http", "fingerprint": ""}]
    odoo.scan = None
    odoo.hint()
    until(lambda: gateway.service._scan is None)
    assert not device.posts
