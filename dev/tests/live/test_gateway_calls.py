"""Calls of a gateway over real HTTP that no honest program would make."""

import base64
import hashlib
import json
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from control import until
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lan import HTTP, HTTPS, SECOND, Lan
from shop import PRICE, Shop, together

from lib.server import Gateway

TERMINAL_SAYS_YES = {
    "success": True,
    "amount": PRICE,
    "currency": "EUR",
    "terminal_id": HTTPS.viva_id,
    "transaction_id": "5f1d2b3c-0000-4000-8000-00000000bbbb",
    "transaction_type_id": 5,
}


@dataclass
class Impostor:
    """Somebody who has the keys of a gateway (or not), and writes his own calls."""

    url: str
    uid: str
    key: Ed25519PrivateKey
    sequence: int

    @classmethod
    def with_keys_of(cls, gateway: Gateway) -> "Impostor":
        journal = sqlite3.connect(gateway.journal)
        uid, key, sequence = journal.execute(
            "SELECT uid, private_key, sequence FROM identity"
        ).fetchone()
        journal.close()
        url = gateway.odoo.url
        return cls(url, uid, Ed25519PrivateKey.from_private_bytes(key), sequence)

    def signed(self, content: Any, sequence: int = 0) -> tuple[bytes, dict[str, str]]:
        """A call that this gateway would make."""
        if not sequence:
            self.sequence += 1
        number = str(sequence or self.sequence)
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        digest = hashlib.sha256(body).hexdigest()
        signature = self.key.sign(f"viva-gateway/1\n{self.uid}\n{number}\n{digest}".encode())
        return body, {
            "X-Viva-Gateway": self.uid,
            "X-Viva-Sequence": number,
            "X-Viva-Signature": base64.b64encode(signature).decode(),
        }

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any], bool]:
        """Status, content, and whether Odoo has signed it."""
        headers = {**headers, "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/viva/gateway/sync", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer), bool(answer.headers["X-Viva-Signature"])
        except urllib.error.HTTPError as error:
            is_json = error.headers.get_content_type() == "application/json"
            content = json.load(error) if is_json else {}
            return error.code, content, bool(error.headers["X-Viva-Signature"])

    def says(self, *reports: dict[str, Any]) -> tuple[int, dict[str, Any], bool]:
        return self.post(*self.signed({"version": "1", "terminals": [], "reports": reports}))


def outcome(session_id: str, number: int = 1) -> dict[str, Any]:
    data = {"kind": "outcome", "session_id": session_id, **TERMINAL_SAYS_YES}
    return {"id": number, "session_id": session_id, "kind": "outcome", "data": data, "age_s": 0}


@pytest.fixture(scope="module")
def second(gateway_room: Lan) -> Iterator[Gateway]:
    """A gateway of the same shop whose computer somebody else holds in his hands."""
    gateway = gateway_room.new_gateway("live-gateway-second")
    gateway.pair(SECOND, gateway_room.shop.company)
    yield gateway
    gateway.forget()


@pytest.fixture
def impostor(lan: Lan, second: Gateway) -> Impostor:
    impostor = Impostor.with_keys_of(second)
    (row,) = lan.database.run("SELECT sequence FROM viva_gateway_link WHERE uid = %s", impostor.uid)
    impostor.sequence = row["sequence"]
    return impostor


def test_who_is_not_known(shop: Shop, lan: Lan, impostor: Impostor):
    """Answered without our signature and without a word about anything."""
    content = {"version": "1", "terminals": [], "reports": []}
    body, headers = impostor.signed(content)
    for changed, expected in (
        ({"X-Viva-Gateway": "0" * 32}, 404),
        ({"X-Viva-Gateway": "' OR 1=1"}, 404),
        ({"X-Viva-Signature": base64.b64encode(b"x" * 64).decode()}, 401),
        ({"X-Viva-Signature": "?"}, 401),
        ({"X-Viva-Sequence": str(impostor.sequence + 1)}, 401),
    ):
        status, answer, signed = impostor.post(body, {**headers, **changed})
        assert (status, set(answer), signed) == (expected, {"error"}, False), changed
    stranger = Impostor(impostor.url, impostor.uid, Ed25519PrivateKey.generate(), 500)
    assert stranger.says()[0] == 401
    assert impostor.post(body + b" ", headers)[0] == 401
    assert impostor.post(b"{}" + b" " * 600_000, headers)[0] == 413
    assert impostor.post(body, headers)[0] == 200, "all of that has used nothing up"


def test_replayed(shop: Shop, lan: Lan, impostor: Impostor):
    """A call that was heard on the way counts once, also when it comes to both workers at the same moment."""
    number = impostor.sequence + 1
    call = impostor.signed({"version": "1", "terminals": [], "reports": []})
    answers = together(*[lambda: impostor.post(*call)] * 6)
    assert 200 in [status for status, _answer, _signed in answers]
    assert {status for status, _answer, _signed in answers} <= {200, 409}
    assert all(signed for _status, _answer, signed in answers)
    for changed in (
        impostor.signed({"version": "2", "terminals": [], "reports": []}, sequence=number),
        impostor.signed({"version": "1"}, sequence=1),
    ):
        assert impostor.post(*changed) == (409, {"error": "sequence", "last": number}, True)


def test_nonsense(shop: Shop, lan: Lan, impostor: Impostor):
    """Signed, and not what was agreed: refused or passed over, and never an error of Odoo."""
    for content in (b"", b"[]", b"\xff", b"[" * 5000, b"null"):
        assert impostor.post(*impostor.signed(content))[:2] == (400, {"error": "body"})
    for content in (
        {"reports": 7, "terminals": {"a": 1}, "scan": []},
        {"reports": [None, {}, {"id": "x"}, {"id": -1}, {"id": 2**40, "session_id": 1}]},
        {"reports": [{"id": 3, "session_id": "\0", "kind": "outcome", "data": []}]},
        {"terminals": [{"viva_id": None}, {"viva_id": HTTPS.viva_id, "tid": "1" * 9999}]},
        {"scan": {"id": 10**30, "found": [{"host": "x"}]}, "version": {"a": 1}},
    ):
        assert impostor.post(*impostor.signed(content))[0] == 200, content


def test_payments_of_another_gateway(shop: Shop, lan: Lan, impostor: Impostor):
    """It may speak about what was offered to itself: here is nothing that it could approve, end or see."""
    card = lan.charge(HTTPS)
    lan.shown(HTTPS.viva_id)
    until(lambda: card.check()["state"] == "pending")
    session = card.row()["session_id"]
    status, answer, signed = impostor.says(
        outcome(session, 11),
        {"id": 12, "session_id": session, "kind": "not_started", "data": {"reason": "expired"}},
        {"id": 13, "session_id": session, "kind": "lost", "data": {"reason": "session_lost"}},
    )
    assert (status, signed) == (200, True)
    assert (answer["commands"], answer["asked"], answer["terminals"]) == ([], [], [])
    assert card.check()["state"] == "pending"
    shop.viva.act("tap", HTTPS.viva_id)
    card.until("approved")
    assert card.viva_id() != TERMINAL_SAYS_YES["transaction_id"]


def test_an_approval_that_the_terminal_never_gave(shop: Shop, lan: Lan, impostor: Impostor):
    """The right gateway in wrong hands: what differs is unknown for ever, and a good lie ends as a person's task."""
    card = lan.charge(HTTPS)
    lan.shown(HTTPS.viva_id)
    until(lambda: card.check()["state"] == "pending")
    lan.gateway.stop()
    liar = Impostor.with_keys_of(lan.gateway)
    session = card.row()["session_id"]
    wrong = {**outcome(session, 901), "data": {**outcome(session)["data"], "amount": PRICE - 1}}
    assert liar.says(wrong)[0] == 200
    assert (card.check()["state"], card.status["reason"]) == ("unknown", "amount")
    assert liar.says(outcome(session, 902))[0] == 200
    assert card.check()["state"] == "unknown", (
        "what once differed is not made right by saying it again"
    )
    other = shop.other_till.order().line(HTTP.viva_id)
    assert other.send()["state"] == "sent"
    offered = liar.says()[1]["commands"]
    assert [command["session_id"] for command in offered] == [other.row()["session_id"]]
    lie = outcome(other.row()["session_id"], 903)
    lie["data"]["terminal_id"] = HTTP.viva_id
    liar.says(lie)
    assert (other.check()["state"], other.status["word"]) == ("approved", "gateway")
    lan.gateway.forget()  # it is not known to Viva, however long one waits
    other.later(25 * 3600)
    shop.run_job()
    assert shop.activities(other) == ["Viva has not confirmed a payment"]
    assert (other.check()["state"], other.status["word"]) == ("approved", "gateway")
    shop.database.run(
        "UPDATE viva_transaction SET is_forced = true WHERE id = %s", other.row()["id"]
    )


def test_revoked(shop: Shop, lan: Lan, second: Gateway, impostor: Impostor):
    """The computer was stolen: not a word more, and the program stops."""
    assert impostor.says()[0] == 200
    gateways = shop.admin.call("viva.gateway", "search", [("name", "=", SECOND)])
    shop.admin.call("viva.gateway", "action_revoke", gateways)
    assert impostor.says() == (403, {"error": "revoked"}, True)
    journal = sqlite3.connect(second.journal)
    journal.execute("UPDATE identity SET sequence = ?", (impostor.sequence,))
    journal.commit()
    journal.close()
    second.pair(SECOND, shop.company)
    assert Impostor.with_keys_of(second).says()[0] == 200
    assert impostor.says()[0] == 404, "the old identity is void"


def test_guessing_codes(shop: Shop, lan: Lan, second: Gateway):
    """Five tries for a code; an address that goes on guessing is slowed down; who knows the code is let in all the same."""
    gateways = shop.admin.call("viva.gateway", "search", [("name", "=", SECOND)])

    def guess() -> list[tuple[int, str]]:
        action = shop.admin.call("viva.gateway", "action_pair", gateways)
        code = action["context"]["default_code"].replace("-", "")
        return [pair(shop, code[:3], "A" * 44) for _try in range(6)]

    assert guess() == [(403, "code")] * 5 + [(403, "tries")]
    assert guess() == [(403, "code")] * 4 + [(429, "slow_down")] * 2
    assert {pair(shop, "000", "A" * 44)[0] for _try in range(3)} <= {403, 429}
    second.pair(SECOND, shop.company)
    shop.database.run("DELETE FROM viva_gateway_attempt")


def pair(shop: Shop, code_id: str, proof: str) -> tuple[int, str]:
    key = base64.b64encode(b"k" * 32).decode()
    content = {"code_id": code_id, "public_key": key, "proof": proof, "version": "1", "host": "x"}
    request = urllib.request.Request(
        f"{shop.odoo.url}/viva/gateway/pair",
        json.dumps(content).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["error"]
