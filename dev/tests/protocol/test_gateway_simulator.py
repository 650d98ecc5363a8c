"""The gateway with the simulator's terminals: certificates, another device at the address, ten at once."""

import time

import pytest
from gateway_doubles import REFERENCE, TERMINAL, Odoo, Running, introduce, sale, until

from drivers import fingerprint_of
from gateway import scan, work

AUTO = {"action": "tap", "delay_ms": 50}


@pytest.fixture
def odoo(tmp_path):
    with Odoo() as odoo:
        introduce(tmp_path, odoo)
        yield odoo


@pytest.fixture
def gateway(odoo, tmp_path):
    with Running(tmp_path) as running:
        until(lambda: odoo.lines)
        yield running


@pytest.fixture
def place(simulator):
    """Put a terminal into the shop's network; return how Odoo describes it."""

    def place(lan="local", viva_id=TERMINAL, **more):
        made = simulator.control("POST", "terminals", {"terminalId": viva_id, "lan": lan, **more})
        simulator.control("POST", f"terminals/{viva_id}/lan", {"auto": AUTO})
        return {
            "viva_id": viva_id,
            "protocol": lan,
            "loopback": True,
            **{name: made[name] for name in ("host", "port", "fingerprint", "platform")},
            "scheme": "" if lan == "tcp" else made["scheme"],
        }

    yield place
    for terminal in simulator.control("GET", "terminals"):
        if terminal["lan"]:
            body = {"terminalId": terminal["terminalId"], "lan": None}
            simulator.control("POST", "terminals", body)


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_local(gateway, odoo, simulator, place, scheme):
    odoo.terminals = [place(scheme=scheme)]
    request = sale()
    odoo.order(request)
    outcome = odoo.wait(request["session_id"], "outcome")
    assert (outcome["success"], outcome["amount"], outcome["tid"]) == (True, 2550, TERMINAL)
    assert outcome["transaction_id"]


@pytest.mark.parametrize("platform", ["prolin", "paydroid"])
def test_tcp(gateway, odoo, place, platform):
    odoo.terminals = [place("tcp", platform=platform)]
    request = sale(merchant_reference=REFERENCE)
    odoo.order(request)
    outcome = odoo.wait(request["session_id"], "outcome")
    assert (outcome["success"], outcome["amount"], outcome["terminal_id"]) == (True, 2550, TERMINAL)


def test_the_certificate_is_looked_at_shown_and_confirmed(gateway, odoo, place):
    entry = place()
    odoo.terminals = [{**entry, "fingerprint": ""}]
    odoo.hint()
    until(lambda: odoo.seen.get(TERMINAL, {}).get("fingerprint") == entry["fingerprint"])
    assert "confirmed" in odoo.seen[TERMINAL]["words"]
    first = sale()
    odoo.order(first)
    odoo.wait(first["session_id"], "refused")
    odoo.terminals = [entry]
    odoo.hint()
    until(lambda: odoo.seen[TERMINAL]["words"] == "" and odoo.seen[TERMINAL]["reached"])
    second = sale()
    odoo.order(second)
    odoo.wait(second["session_id"], "outcome")


def test_another_device_has_taken_the_address(gateway, odoo, simulator, place):
    entry = place()
    odoo.terminals = [entry]
    odoo.hint()
    until(lambda: odoo.seen.get(TERMINAL, {}).get("reached"))
    simulator.control("POST", f"terminals/{TERMINAL}/lan", {"swap": "16000077"})
    request = sale()
    odoo.order(request)
    assert odoo.wait(request["session_id"], "refused")["error"] == "WrongDevice"
    until(lambda: odoo.seen[TERMINAL]["reached"] is False)
    until(lambda: "another certificate" in odoo.seen[TERMINAL]["words"])


def test_another_device_without_a_certificate_to_tell(gateway, odoo, simulator, place):
    """It charges, and says who it is: Odoo judges that."""
    odoo.terminals = [place("tcp")]
    simulator.control("POST", f"terminals/{TERMINAL}/lan", {"swap": "16000077"})
    request = sale(merchant_reference=REFERENCE)
    odoo.order(request)
    assert odoo.wait(request["session_id"], "outcome")["terminal_id"] == "16000077"
    until(lambda: "16000077" in odoo.seen[TERMINAL]["words"])


def test_the_app_starts_again_during_a_payment(gateway, odoo, simulator, place, monkeypatch):
    monkeypatch.setattr(work, "UNHEARD_S", 1.0)
    odoo.terminals = [place()]
    simulator.control("POST", f"terminals/{TERMINAL}/lan", {"auto": {"action": "leave"}})
    request = sale()
    odoo.order(request)
    odoo.wait(request["session_id"], "accepted")
    simulator.control("POST", f"terminals/{TERMINAL}/lan", {"restart": True})
    assert odoo.wait(request["session_id"], "lost") == {"reason": "session_lost"}


def test_scan(place):
    entry, tcp = place(), place("tcp", "16000011")
    ports = [entry["port"], tcp["port"]]
    found = {item.port: item for item in scan.scan(scan.networks(["127.0.0.1/32"]), ports=ports)}
    assert found[tcp["port"]].protocol == "tcp"
    local = found[entry["port"]]
    assert (local.protocol, local.scheme) == ("local", "https")
    assert local.fingerprint == entry["fingerprint"]
    assert local.fingerprint == fingerprint_of("127.0.0.1", entry["port"], 3)


def test_ten_terminals_pay_at_once(gateway, odoo, place):
    names = [f"160001{number:02d}" for number in range(10)]
    odoo.terminals = [place(viva_id=name, scheme="http") for name in names]
    odoo.hint()
    until(lambda: all(odoo.seen.get(name, {}).get("reached") for name in names), 15)
    requests = {name: sale(terminal_id=name) for name in names}
    began = time.monotonic()
    for name, request in requests.items():
        odoo.order(request, viva_id=name, hint=False)
    odoo.hint()
    for request in requests.values():
        assert odoo.wait(request["session_id"], "outcome", 15)["success"] is True
    assert time.monotonic() - began < 10
