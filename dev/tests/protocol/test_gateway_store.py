"""Identity and journal in one file."""

import os
import sqlite3
import stat
import time

import pytest

from gateway import clock, store
from gateway.problems import Problem
from gateway.store import Command, Identity, Store

ME = Identity("https://odoo", "shop", "gw-1", "channel", "Shop A", b"p" * 32, b"s" * 32)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "state" / "gateway.sqlite"


@pytest.fixture
def journal(file):
    journal = Store(file)
    journal.pair(ME)
    yield journal
    journal.close()


def command(session_id="s1", valid_s=10):
    return Command(session_id, "16000010", {"amount": 1}, clock.now() + valid_s)


def kinds(journal):
    return [(report["session_id"], report["kind"]) for report in journal.reports(99)]


def test_only_its_owner_can_read_it(journal, file):
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(file.parent).st_mode) == 0o700


def test_every_write_is_on_the_disk_before_it_counts(journal):
    (synchronous,) = journal._db.execute("PRAGMA synchronous").fetchone()
    (mode,) = journal._db.execute("PRAGMA journal_mode").fetchone()
    assert (synchronous, mode) == (2, "wal")


def test_one_process_at_a_time(journal, file):
    with pytest.raises(Problem, match="Another viva-gateway") as caught:
        Store(file)
    assert caught.value.code == 6


def test_identity_survives(journal, file):
    assert [journal.next_sequence() for _ in range(3)] == [1, 2, 3]
    journal.close()
    again = Store(file)
    assert again.identity() == ME
    assert again.next_sequence() == 4
    again.close()


def test_a_number_that_was_not_sent_is_free_again(journal, file):
    number = journal.next_sequence()
    journal.give_back(number)
    assert journal.next_sequence() == number
    journal.give_back(number - 1)  # not the last one: it stays used
    journal.close()
    again = Store(file)
    assert again.next_sequence() == number + 1
    again.close()


def test_its_counters_only_grow(journal, file, monkeypatch):
    """By them Odoo knows an older journal, whatever was confirmed and forgotten since."""
    monkeypatch.setattr(store, "REMEMBERED", 1)
    assert journal.counters() == {"reports": 0, "commands": 0}
    before = (0, 0)
    for number in range(4):
        session_id = f"s{number}"
        journal.take_answer([], None, [command(session_id)], [])
        journal.not_started(session_id, "expired")
        told = [report["id"] for report in journal.reports(99)]
        journal.take_answer(told, None, [], [f"never-{number}"])
        after = tuple(journal.counters().values())
        assert all(new > old for new, old in zip(after, before, strict=True))
        before = after
    assert len(journal.reports(99)) == 1
    journal.close()
    again = Store(file)
    assert tuple(again.counters().values()) == before
    again.close()


def test_stopped_for_good(journal, file):
    assert journal.stopped() == ""
    journal.stop_for_good("Another copy.")
    journal.stop_for_good("Another copy!")
    journal.close()
    again = Store(file)
    assert again.stopped() == "Another copy!"
    again.pair(ME)
    assert again.stopped() == "", "paired anew it is another gateway"
    again.close()


def test_a_file_of_an_older_program(journal, file):
    journal._db.execute("DROP TABLE stopped")
    journal.close()
    again = Store(file)
    assert again.stopped() == ""
    assert again.identity() == ME
    again.close()


def test_pairing_anew_empties_the_journal(journal):
    journal.take_answer([], [{"viva_id": "1"}], [command()], ["never"])
    journal.next_sequence()
    journal.pair(ME)
    assert not journal.reports(9)
    assert not journal.unfinished()
    assert journal.terminals() == []
    assert journal.next_sequence() == 1


def test_secrets_do_not_show():
    assert "ppp" not in repr(ME)
    assert "sss" not in repr(ME)


def test_a_command_is_new_once(journal):
    assert [item.session_id for item in journal.take_answer([], None, [command()], [])] == ["s1"]
    assert journal.take_answer([], None, [command()], []) == []
    assert kinds(journal) == [("s1", "received")]
    journal.started("s1")
    journal.outcome("s1", {"kind": "outcome"})
    assert journal.take_answer([], None, [command()], []) == []


def test_a_command_twice_in_one_answer(journal):
    assert len(journal.take_answer([], None, [command(), command()], ["s1"])) == 1
    assert kinds(journal) == [("s1", "received")]


def test_tombstones(journal):
    journal.take_answer([], None, [], ["s9", "s9"])
    assert kinds(journal) == [("s9", "not_started")]
    assert journal.take_answer([], None, [command("s9")], []) == []


def test_confirmed_reports_go_others_stay(journal, file):
    journal.take_answer([], None, [command()], [])
    journal.started("s1")
    first, second = journal.reports(9)
    journal.take_answer([first["id"]], None, [], [])
    journal.close()
    again = Store(file)
    assert [report["id"] for report in again.reports(9)] == [second["id"]]
    again.accepted("s1")
    assert again.reports(9)[-1]["id"] > second["id"]
    again.close()


def test_numbers_of_reports_are_not_used_again(journal):
    journal.take_answer([], None, [command()], [])
    (report,) = journal.reports(9)
    journal.take_answer([report["id"]], None, [], [])
    journal.started("s1")
    assert journal.reports(9)[0]["id"] == report["id"] + 1


def test_an_answer_without_news_writes_nothing(journal):
    before = journal._db.total_changes
    journal.take_answer([], None, [], [])
    journal.take_answer([], None, [command()], [])
    between = journal._db.total_changes
    journal.take_answer([], None, [command()], ["s1"])
    assert between > before
    assert journal._db.total_changes == between


def test_again(journal):
    journal.take_answer([], None, [command()], [])
    journal.started("s1")
    journal.outcome("s1", {"amount": 1})
    journal.again(["s1", "unknown"])
    assert len(journal.reports(9)) == 3  # it waits to be told anyway
    journal.take_answer([report["id"] for report in journal.reports(9)], None, [], [])
    journal.again(["s1", "unknown"])
    (report,) = journal.reports(9)
    assert (report["kind"], report["data"]) == ("outcome", {"amount": 1})


def test_an_abort_is_not_the_last_word(journal):
    journal.take_answer([], None, [command()], [])
    journal.started("s1")
    journal.accepted("s1")
    journal.abort_asked("s1")
    journal.aborting("s1", {"words": ""})
    assert journal.session("s1").aborted
    assert journal.waiting("s1", "aborting")
    journal.take_answer([report["id"] for report in journal.reports(9)], None, [], [])
    journal.again(["s1"])
    assert kinds(journal) == [("s1", "accepted")]


def test_what_is_unfinished(journal):
    journal.take_answer([], None, [command(f"s{number}") for number in range(5)], [])
    for name in ("s1", "s2", "s3", "s4"):
        journal.started(name)
    journal.accepted("s2")
    journal.lost("s3", "terminal_silent", final=False)
    journal.lost("s4", "restarted", final=True)
    states = {session.session_id: session.state for session in journal.unfinished()}
    assert states == {"s0": "received", "s1": "started", "s2": "accepted", "s3": "lost"}
    journal.closed("s3")
    assert len(journal.unfinished()) == 3


def test_only_old_finished_sessions_are_forgotten(journal, monkeypatch):
    monkeypatch.setattr(store, "REMEMBERED", 3)
    journal.take_answer([], None, [command("open")], [])
    for number in range(10):
        journal.take_answer([], None, [command(f"s{number}")], [])
        journal.not_started(f"s{number}", "expired")
    journal.take_answer([], None, [command("last")], [])
    names = [row[0] for row in journal._db.execute("SELECT session_id FROM session")]
    assert set(names) == {"open", "s8", "s9", "last"}


@pytest.mark.parametrize("jump", [-(10**9), 10**6])
def test_age_after_a_restart_of_the_machine(journal, monkeypatch, jump):
    journal.take_answer([], None, [command()], [])
    assert journal.reports(9)[0]["age_s"] < 5
    assert journal.session("s1").same_boot
    wall = time.time
    monkeypatch.setattr(time, "time", lambda: wall() + jump)
    assert journal.reports(9)[0]["age_s"] < 5
    monkeypatch.setattr(clock, "BOOT", "another")
    assert journal.reports(9)[0]["age_s"] == pytest.approx(max(0, jump), abs=5)
    assert not journal.session("s1").same_boot


def test_a_failed_write_changes_nothing(journal):
    journal.take_answer([], None, [command()], [])
    with pytest.raises(TypeError):
        journal.refused("s1", {"error": object()})
    assert journal.session("s1").state == "received"
    assert kinds(journal) == [("s1", "received")]
    journal.started("s1")


def test_a_damaged_file(file):
    file.parent.mkdir()
    file.write_bytes(b"not a database, but as long as a page of one" * 100)
    with pytest.raises(Problem, match="damaged"):
        Store(file)


def test_a_folder_that_cannot_be_used(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match="cannot be opened"):
        Store(tmp_path / "file" / "gateway.sqlite")


def test_it_is_one_file_after_closing(journal, file):
    journal.take_answer([], None, [command()], [])
    journal.close()
    with sqlite3.connect(file) as db:
        assert db.execute("SELECT count(*) FROM session").fetchone() == (1,)
