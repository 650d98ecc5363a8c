"""The power goes at each step of the journal: nothing is charged twice, nothing is claimed that is not so."""

import random
import shutil
import signal
import time

import pytest
from gateway_doubles import (
    CODE,
    REFERENCE,
    TERMINAL,
    Device,
    Odoo,
    Process,
    TcpDevice,
    introduce,
    sale,
    until,
)

ENDS = {"outcome", "refused", "not_started", "lost"}


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


def dies(process):
    code, said = process.end()
    assert code == -9, said


def end_of(odoo, session_id, seconds=20):
    """Wait until Odoo knows how it ended; return the kinds of what it was told."""
    until(lambda: ENDS & set(odoo.kinds(session_id)), seconds)
    return odoo.kinds(session_id)


@pytest.mark.parametrize(
    ("die_at", "charged", "end"),
    [
        ("before-answer", False, "outcome"),  # not in the journal yet: offered again
        ("after-answer", False, "not_started"),  # nobody waits for it any more
        ("before-started", False, "not_started"),
        ("after-started", False, "lost"),  # not on the terminal, but who knows
        ("before-accepted", True, "outcome"),
        ("after-accepted", True, "outcome"),
        ("before-outcome", True, "outcome"),
        ("after-outcome", True, "outcome"),
    ],
)
def test_a_sale(odoo, device, tmp_path, die_at, charged, end):
    request = sale()
    session_id = request["session_id"]
    if die_at.endswith("answer"):
        die_at += ":2"  # the first answer with something to write brings the terminals
    with Process(tmp_path, "run", die_at=die_at) as process:
        until(lambda: odoo.lines and len(odoo.calls) > 1, 20)
        odoo.order(request)
        dies(process)
    assert device.charges == ([session_id] if charged else [])
    with Process(tmp_path, "run") as process:
        kinds = end_of(odoo, session_id)
        process.stop()
    assert end in kinds
    assert len(device.posts) <= 1
    assert ("outcome" in kinds) == bool(device.charges)
    assert ("lost" in kinds) == (end == "lost")


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_between_two_calls(odoo, device, tmp_path, moment, number):
    """A number may be skipped, it is never used twice (the double would say so)."""
    request = sale()
    odoo.order(request, hint=False)
    with Process(tmp_path, "run", die_at=f"{moment}-sequence:{number}") as process:
        dies(process)
    with Process(tmp_path, "run") as process:
        kinds = end_of(odoo, request["session_id"])
        code, said = process.stop()
    assert code == 0, said
    assert len(device.posts) <= 1
    assert ("outcome" in kinds) == bool(device.charges)


@pytest.mark.parametrize(
    "die_at", ["before-abort", "after-abort", "before-aborting", "after-aborting"]
)
def test_an_abort(odoo, device, tmp_path, die_at):
    device.hold = True
    request = sale()
    with Process(tmp_path, "run", die_at=die_at) as process:
        until(lambda: odoo.lines, 20)
        odoo.order(request)
        odoo.wait(request["session_id"], "accepted", 20)
        odoo.abort(request["session_id"])
        dies(process)
    with Process(tmp_path, "run") as process:
        end_of(odoo, request["session_id"])
        process.stop()
    assert odoo.wait(request["session_id"], "outcome")["event_id"] == 1016
    assert len(device.posts) == 1


@pytest.mark.parametrize("die_at", ["before-refused", "after-refused"])
def test_a_refusal(odoo, device, tmp_path, die_at):
    odoo.terminals = [device.entry(scheme="https")]
    request = sale()
    with Process(tmp_path, "run", die_at=die_at) as process:
        until(lambda: odoo.lines, 20)
        odoo.order(request)
        dies(process)
    with Process(tmp_path, "run") as process:
        kinds = end_of(odoo, request["session_id"])
        process.stop()
    assert {"refused", "not_started"} & set(kinds)
    assert not device.posts


@pytest.mark.parametrize("die_at", ["before-not_started", "after-not_started"])
def test_too_late(odoo, device, tmp_path, die_at):
    request = sale()
    with Process(tmp_path, "run", die_at=die_at) as process:
        until(lambda: odoo.lines, 20)
        odoo.order(request, valid_s=0)
        dies(process)
    with Process(tmp_path, "run") as process:
        assert "not_started" in end_of(odoo, request["session_id"])
        process.stop()
    assert not device.posts


@pytest.mark.parametrize("die_at", ["before-again", "after-again"])
def test_told_again(odoo, device, tmp_path, die_at):
    request = sale()
    with Process(tmp_path, "run", die_at=die_at) as process:
        until(lambda: odoo.lines, 20)
        odoo.order(request)
        odoo.wait(request["session_id"], "outcome", 20)
        odoo.asked = [request["session_id"]]
        odoo.hint()
        dies(process)
    with Process(tmp_path, "run") as process:
        until(lambda: odoo.kinds(request["session_id"]).count("outcome") == 2, 20)
        process.stop()
    assert len(device.posts) == 1


@pytest.mark.parametrize(
    ("die_at", "charged"),
    [
        ("before-started", False),
        ("after-started", False),
        ("before-accepted", True),
        ("after-accepted", True),
        ("before-outcome", True),
        ("after-outcome", True),
    ],
)
def test_a_terminal_that_forgets(odoo, tmp_path, die_at, charged):
    """Nobody can be asked: the answer is lost, unless it is in the journal already."""
    request = sale(merchant_reference=REFERENCE)
    with TcpDevice() as device:
        odoo.terminals = [device.entry()]
        with Process(tmp_path, "run", die_at=die_at) as process:
            until(lambda: odoo.lines, 20)
            odoo.order(request)
            dies(process)
        until(lambda: device.charges == ([REFERENCE] if charged else []))
        with Process(tmp_path, "run") as process:
            kinds = end_of(odoo, request["session_id"])
            process.stop()
        assert len(device.charges) == charged
    end = {"before-started": "not_started", "after-outcome": "outcome"}.get(die_at, "lost")
    assert end in kinds
    if end == "lost":
        assert odoo.wait(request["session_id"], "lost") == {"reason": "restarted"}


@pytest.mark.parametrize("die_at", ["before-lost", "after-lost"])
def test_while_it_is_told_as_lost(odoo, tmp_path, die_at):
    request = sale(merchant_reference=REFERENCE)
    with TcpDevice() as device:
        device.release.clear()
        odoo.terminals = [device.entry()]
        with Process(tmp_path, "run", die_at=die_at) as process:
            until(lambda: odoo.lines, 20)
            odoo.order(request)
            odoo.wait(request["session_id"], "accepted", 20)
            device.cut()
            dies(process)
        with Process(tmp_path, "run") as process:
            assert "lost" in end_of(odoo, request["session_id"])
            process.stop()
        assert len(device.charges) == 1


@pytest.mark.parametrize(("die_at", "paired"), [("before-identity", False), ("identity", True)])
def test_pairing(odoo, tmp_path, die_at, paired):
    folder = tmp_path / "new"
    with Process(folder, "pair", odoo.url, CODE, die_at=die_at) as process:
        dies(process)
    with Process(folder, "pair", odoo.url, CODE) as process:
        code, said = process.end()
    assert ("paired already" in said) is paired, said
    assert code == int(paired)


def test_frozen_before_the_first_byte(odoo, tmp_path):
    """A lid that is closed, a virtual machine that is paused: on waking up the order is too old."""
    introduce(tmp_path, odoo)
    request = sale(merchant_reference=REFERENCE)
    with TcpDevice() as terminal, Process(tmp_path, "run") as process:
        terminal.greeting_s = 0.7
        odoo.terminals = [terminal.entry(ready_mode="wait")]
        until(lambda: odoo.seen.get(TERMINAL, {}).get("reached"), 20)
        odoo.order(request, valid_s=3.0)
        odoo.wait(request["session_id"], "started")
        process.process.send_signal(signal.SIGSTOP)
        time.sleep(4)
        process.process.send_signal(signal.SIGCONT)
        assert odoo.wait(request["session_id"], "refused")["error"] == "TooLate"
        process.stop()
        assert not terminal.charges


def test_killed_in_the_middle_and_the_device_is_gone(odoo, device, tmp_path):
    """After the restart the terminal does not answer: Odoo hears nothing false, then the truth."""
    device.hold = True
    request = sale()
    with Process(tmp_path, "run", die_at="after-accepted") as process:
        until(lambda: odoo.lines, 20)
        odoo.order(request)
        dies(process)
    device.mute = True
    with Process(tmp_path, "run") as process:
        until(lambda: odoo.seen.get(TERMINAL, {}).get("reached") is False, 20)
        assert not ENDS & set(odoo.kinds(request["session_id"]))
        device.mute = device.hold = False
        assert odoo.wait(request["session_id"], "outcome", 20)["success"] is True
        process.stop()
    assert len(device.posts) == 1


def test_two_gateways_by_mistake(odoo, device, tmp_path):
    """The folder was copied: as soon as both have called, one stops and says why."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    introduce(first, odoo)
    with Process(first, "run") as process:
        until(lambda: odoo.seen.get(TERMINAL, {}).get("reached"), 20)
        process.stop()
    shutil.copytree(first, second)
    with Process(first, "run") as one, Process(second, "run") as other:
        both = (one.process, other.process)
        until(lambda: (odoo.hint(), any(item.poll() is not None for item in both))[1], 20)
        (stopped,) = [item for item in (one, other) if item.process.poll() is not None]
        code, said = stopped.end()
        assert code == 4
        assert "Another copy of this gateway is running" in said
        request = sale()
        odoo.order(request)
        odoo.wait(request["session_id"], "outcome", 20)
    assert device.charges == [request["session_id"]]


def test_an_old_copy_is_never_let_in(odoo, tmp_path):
    """However often something starts it again: what it does not know the other one has started."""
    state, old = tmp_path / "state", tmp_path / "old"
    state.mkdir()
    introduce(state, odoo)
    request = sale(merchant_reference=REFERENCE)

    def lose(status, body, headers):
        odoo.away = odoo.away or b'"kind": "start"' in body  # from then on
        return status, body, headers

    with TcpDevice() as terminal:
        terminal.release.clear()
        odoo.terminals = [terminal.entry()]
        with Process(state, "run"):
            until(lambda: odoo.seen.get(TERMINAL, {}).get("reached"), 20)
            time.sleep(1)  # no call is under way: its number would be that of both
            shutil.copytree(state, old)
            odoo.spoil = lose
            odoo.order(request)
            until(lambda: terminal.charges, 20)
        odoo.spoil, odoo.away = None, False
        for _ in range(4):
            with Process(old, "run") as process:
                code, said = process.end()
            assert code == 4, said
        assert len(terminal.charges) == 1
        assert not odoo.kinds(request["session_id"])
        terminal.release.set()


def test_restored_from_a_backup(odoo, device, tmp_path):
    """An old journal does not know the newest payments, and so must not speak about them."""
    backup, state = tmp_path / "backup", tmp_path / "state"
    state.mkdir()
    introduce(state, odoo)
    shutil.copytree(state, backup)
    request = sale()
    with Process(state, "run") as process:
        until(lambda: odoo.lines, 20)
        odoo.order(request)
        odoo.wait(request["session_id"], "outcome", 20)
        process.stop()
    odoo.asked = [request["session_id"]]
    with Process(backup, "run") as process:
        code, said = process.end()
    assert code == 4
    assert "backup" in said
    assert "not_started" not in odoo.kinds(request["session_id"])


def test_killed_at_any_moment(odoo, device, tmp_path):
    """Not at a step but wherever it is: whoever was charged is told so, nobody is charged twice."""
    moments = random.Random(4)
    names = []
    for _ in range(6):
        with Process(tmp_path, "run") as process:
            until(lambda: odoo.lines, 20)
            request = sale()
            names.append(request["session_id"])
            odoo.order(request)
            time.sleep(moments.uniform(0, 0.06))
            process.process.kill()
            process.end()
        odoo.hang_up()
    with Process(tmp_path, "run") as process:
        for name in names:
            odoo.asked.append(name)
        for name in names:
            end_of(odoo, name, 30)
        code, said = process.stop()
    assert code == 0, said
    for name in names:
        told = ENDS & set(odoo.kinds(name))
        assert device.charges.count(name) <= 1
        if name in device.charges:
            assert told == {"outcome"}
        else:
            assert told <= {"refused", "not_started", "lost"}
