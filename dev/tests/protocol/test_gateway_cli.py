"""What a person types, and what is said to them."""

import base64
import json
import logging
import os

import pytest
from gateway_doubles import CODE, TERMINAL, Device, Odoo, Process, introduce, sale, until

from gateway import config, pairing
from gateway.cli import main
from gateway.problems import Problem
from gateway.store import Store


@pytest.fixture
def odoo():
    with Odoo() as odoo:
        yield odoo


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch, tmp_path):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(config, "default_file", lambda: tmp_path / "none.ini")


@pytest.fixture
def call(tmp_path, capsys):
    """Run a command in this process; return its exit code and what it said."""

    def call(*words):
        code = main(["--state", str(tmp_path / "state"), *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    yield call
    logging.getLogger("viva_gateway").handlers = []  # it wrote to what pytest has taken back
    logging.getLogger("viva_gateway").propagate = True


def introduced(tmp_path, odoo):
    (tmp_path / "state").mkdir()
    introduce(tmp_path / "state", odoo)


# -- pairing ---------------------------------------------------------------------------


@pytest.mark.parametrize("typed", [CODE, "7kq42m8pxw3t", " 7KQ4 2M8P XW3T "])
def test_pair(call, odoo, tmp_path, typed):
    code, said = call("pair", odoo.url + "/odoo/", typed)
    assert code == 0, said
    assert "Paired with" in said
    assert "systemctl" in said
    journal = Store(tmp_path / "state" / "gateway.sqlite")
    known = journal.identity()
    journal.close()
    assert (known.odoo, known.database) == (odoo.url, "shop")
    assert (known.uid, known.channel) == (odoo.uid, odoo.channel)
    odoo.gateway_key.verify(  # the key that Odoo knows is the one that we keep
        _private(known).sign(b"x"), b"x"
    )


def _private(known):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(known.private_key)


def test_letters_that_look_alike():
    assert pairing.read_code("oil0-1111-2222") == "011011112222"


@pytest.mark.parametrize("typed", ["", "7KQ4-2M8P", "7KQ4-2M8P-XW3U", CODE + "A", "7KQ4-2M8P-XÄ3T"])
def test_no_code(call, odoo, typed):
    code, said = call("pair", odoo.url, typed)
    assert code == 1
    assert "looks like" in said


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (403, "code", "does not know this code"),
        (403, "expired", "older than ten minutes"),
        (403, "tries", "too often"),
        (429, "slow_down", "Wait a minute"),
        (500, None, "HTTP 500"),
        (404, "unknown", "HTTP 404"),
    ],
)
def test_refused(call, odoo, tmp_path, status, error, words):
    body = json.dumps({"error": error}).encode()
    odoo.spoil = lambda *answer: (status, body, [])
    code, said = call("pair", odoo.url, CODE)
    assert (code, words in said) == (1, True), said
    assert call("status")[0] == 3


def test_a_wrong_code_does_not_reach_odoo_in_clear(call, odoo):
    seen = []
    handle = odoo.handle
    odoo.handle = lambda handler, body: (seen.append(body), handle(handler, body))
    call("pair", odoo.url, CODE)
    assert b"42M8PXW3T" not in b"".join(seen)
    assert b"7KQ" in seen[0]


def test_somebody_else_answers(call, odoo):
    """A server that does not know the code cannot put in its own key."""

    def foreign(status, body, headers):
        data = json.loads(body)
        data["public_key"] = base64.b64encode(b"e" * 32).decode()
        return status, json.dumps(data).encode(), headers

    odoo.spoil = foreign
    code, said = call("pair", odoo.url, CODE)
    assert code == 1
    assert "does not know the code" in said
    assert call("status")[0] == 3


@pytest.mark.parametrize("missing", ["uid", "public_key", "channel", "name", "proof"])
def test_half_a_pairing(call, odoo, missing):
    def spoil(status, body, headers):
        data = json.loads(body)
        del data[missing]
        return status, json.dumps(data).encode(), headers

    odoo.spoil = spoil
    code, said = call("pair", odoo.url, CODE)
    assert code == 1
    assert "incomplete" in said


def test_nobody_there(call):
    code, said = call("pair", "http://127.0.0.1:1", CODE)
    assert code == 1
    assert "did not answer" in said
    assert "nothing listens" in said


def test_redirected(call, odoo):
    odoo.spoil = lambda *answer: (301, b"", [("Location", "https://other/")])
    code, said = call("pair", odoo.url, CODE)
    assert code == 1
    assert "https://other/" in said


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "https://", "http://u:p@x", "http://x:99999", "x?y"]
)
def test_no_address(call, url):
    code, said = call("pair", url, CODE)
    assert code == 1
    assert "https://odoo.example.com" in said


def test_address_without_a_scheme_is_https():
    assert config.address("odoo.example.com") == "https://odoo.example.com"
    assert config.address(" http://x:8069/odoo ") == "http://x:8069"


def test_paired_already(call, odoo):
    call("pair", odoo.url, CODE)
    code, said = call("pair", odoo.url, CODE)
    assert code == 1
    assert "paired already" in said
    assert "forget" in said


# -- the other commands ------------------------------------------------------------------


def test_status_and_run_before_pairing(call):
    for command in ("status", "run"):
        code, said = call(command)
        assert code == 3
        assert "viva-gateway pair" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_root_leaves_nothing_in_the_services_folder(call, odoo, tmp_path):
    (tmp_path / "state").mkdir()
    os.chown(tmp_path / "state", 12345, 12345)
    for words in (["pair", odoo.url, CODE], ["run"], ["status"], ["forget"]):
        code, said = call(*words)
        assert code == 1
        assert "sudo -u viva-gateway" in said
    assert not list((tmp_path / "state").iterdir())


def test_status_and_forget(call, odoo, tmp_path):
    introduced(tmp_path, odoo)
    code, said = call("status")
    assert code == 0
    assert "Shop A" in said
    assert "Not running" in said
    code, said = call("forget")
    assert code == 0
    assert call("status")[0] == 3
    assert call("forget") == (0, "There is nothing to forget.\n")


def test_forget_asks_when_something_is_untold(call, odoo, tmp_path):
    introduced(tmp_path, odoo)
    journal = Store(tmp_path / "state" / "gateway.sqlite")
    journal.take_answer([], None, [], ["s1"])
    journal.close()
    assert "has not been told everything" in call("status")[1]
    code, said = call("forget")
    assert code == 1
    assert "--yes" in said
    assert call("forget", "--yes")[0] == 0


def test_stopped_for_good(call, odoo, tmp_path):
    """Whoever starts it again, how often ever: it does nothing until it is paired anew."""
    introduced(tmp_path, odoo)
    journal = Store(tmp_path / "state" / "gateway.sqlite")
    journal.take_answer([], None, [], ["s1"])
    journal.stop_for_good("Another copy of this gateway is running.")
    journal.close()
    for command in ("run", "status", "run"):
        code, said = call(command)
        assert code == 4
        assert "Another copy" in said
    assert not odoo.calls
    assert call("forget")[0] == 0, "Odoo would not listen to what it has to tell"
    assert call("pair", odoo.url, CODE)[0] == 0
    assert "Another copy" not in call("status")[1]


def test_two_processes(call, odoo, tmp_path):
    """The second one does not get the file; status says how the first one is."""
    introduced(tmp_path, odoo)
    with Device() as device, Process(tmp_path / "state", "run") as process:
        odoo.terminals = [device.entry()]
        until(lambda: odoo.seen.get(TERMINAL, {}).get("reached"), 20)
        with Process(tmp_path / "state", "run") as second:
            code, said = second.end()
        assert code == 6
        assert "Another viva-gateway is using" in said
        until(lambda: "reached" in call("status")[1])
        code, said = call("status")
        assert code == 0
        assert "Running" in said
        assert f"Terminal {TERMINAL}: reached" in said
        for command in (["forget", "--yes"], ["pair", odoo.url, CODE]):
            assert call(*command)[0] == 6
        code, said = process.stop()
        assert code == 0, said
        assert "Stopped." in said
    assert "Not running" in call("status")[1]


@pytest.mark.parametrize(("error", "code"), [("sequence", 4), ("revoked", 5)])
def test_exit_codes(odoo, tmp_path, error, code):
    introduced(tmp_path, odoo)
    if error == "sequence":
        odoo.last = 1000
    else:
        odoo.error = error
    with Process(tmp_path / "state", "run") as process:
        told, said = process.end()
    assert told == code, said
    assert "viva-gateway forget" in said


def test_the_log_has_no_card_and_no_key(odoo, tmp_path):
    introduced(tmp_path, odoo)
    with Device() as device, Process(tmp_path / "state", "--config", "x", "run") as process:
        code, said = process.end()
        assert code == 1
        assert "cannot be read" in said
        file = tmp_path / "gateway.ini"
        file.write_text("[gateway]\nlog_level = debug\n")
        odoo.terminals = [device.entry()]
        with Process(tmp_path / "state", "--config", str(file), "run") as process:
            until(lambda: odoo.lines, 20)
            request = sale(customer_text="4111111111111111 somebody@example.com")
            odoo.order(request)
            odoo.wait(request["session_id"], "outcome", 20)
            _code, said = process.stop()
    assert request["session_id"] in said
    for secret in ("4111111111111111", "somebody@", odoo.channel):
        assert secret not in said


def test_scan(call):
    code, said = call("scan", "8.8.8.0/24")
    assert code == 1
    assert "private" in said
    code, said = call("scan", "nonsense")
    assert code == 1
    assert "192.168.1.0/24" in said


# -- the configuration ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("odoo = x", "[gateway]"),
        ("[other]\nodoo = x", "[gateway]"),
        ("[gateway]\noddo = x", "'oddo' is not known"),
        ("[gateway]\nlog_level = loud", "log_level"),
        ("[gateway]\nca_bundle = /no/such/file", "ca_bundle"),
        ("[gateway]\nodoo = ftp://x", "address"),
    ],
)
def test_what_is_not_understood(tmp_path, text, words):
    file = tmp_path / "gateway.ini"
    file.write_text(text)
    with pytest.raises(Problem) as caught:
        config.load(file)
    assert words in str(caught.value)


def test_what_is_understood(tmp_path):
    file = tmp_path / "gateway.ini"
    text = (
        "[gateway]\nodoo = odoo.example.com\ndatabase = shop\nnetworks = 10.1.2.0/24, 10.1.3.0/24"
    )
    file.write_text(f"{text}\nstate = {tmp_path}\n")
    assert config.load(file) == config.Config(
        *(tmp_path, "https://odoo.example.com", "shop"), networks=("10.1.2.0/24", "10.1.3.0/24")
    )
    assert config.load(file, tmp_path / "x").state == tmp_path / "x"


def test_the_example_is_understood():
    example = config.Path(config.__file__).parent / "packaging" / "viva-gateway.ini"
    assert config.load(example).log_level == "info"
