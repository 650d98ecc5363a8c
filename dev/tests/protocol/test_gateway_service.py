"""The gateway as a whole, in this process: an Odoo and a terminal on real sockets, no simulator."""

import threading
import uuid

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from gateway_doubles import Device, Odoo, public_bytes, until

from gateway import service, work
from gateway.config import Config
from gateway.problems import Problem
from gateway.store import Identity, Store

TERMINAL = "16000010"


def sale(**more):
    return {
        "kind": "sale",
        "session_id": str(uuid.uuid4()),
        "terminal_id": TERMINAL,
        "cash_register_id": "till-1",
        "amount": 2550,
        "currency": "EUR",
        "merchant_reference": "POS-00042-001",
        **more,
    }


def introduce(folder, odoo):
    """Write an identity that ``odoo`` knows, as pairing does."""
    private = Ed25519PrivateKey.generate()
    odoo.gateway_key = private.public_key()
    raw = private.private_bytes(
        serialization.Encoding.Raw,
        serialization.PrivateFormat.Raw,
        serialization.NoEncryption(),
    )
    journal = Store(folder / "gateway.sqlite")
    journal.pair(
        Identity(odoo.url, "", odoo.uid, odoo.channel, "Shop A", raw, public_bytes(odoo.private))
    )
    journal.close()


class Running:
    """A gateway in a thread of this process."""

    def __init__(self, folder):
        self.service = service.Service(Config(state=folder))
        self.problem = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        try:
            self.service.run()
        except Problem as problem:
            self.problem = problem

    def stop(self):
        self.service.stop()
        self.thread.join(10)
        assert not self.thread.is_alive()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.stop()


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
