"""A gateway's side of the wire, and a shop with a terminal in its network."""

import base64
import hashlib
import hmac
import itertools
import json

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from odoo.tests import HttpCase

from ..drivers import Outcome, answer_to_json
from .common import VivaCase

LAN_TERMINAL, TCP_TERMINAL = "16000030", "16000031"
FINGERPRINT = "ab" * 32


def raw_public(private):
    return private.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )


class Gateway:
    """Written from the contract, not from the server's code."""

    def __init__(self, post):
        self.post = post  # (path, body, headers) → response
        self.private = Ed25519PrivateKey.generate()
        self.sequence = 0
        self.reports = itertools.count(1)
        self.uid, self.server_key, self.paired = "", None, None
        self.instance = "first"

    def pair(self, code, *, tamper=None, **message):
        """Use a code as it is shown; the response."""
        letters = code.replace("-", "")
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"viva-gateway-pairing").derive(
            letters[3:].encode()
        )
        public = raw_public(self.private)
        proof = hmac.digest(key, b"viva-pair/1\n" + public, "sha256")
        body = {
            "code_id": letters[:3],
            "public_key": base64.b64encode(public).decode(),
            "version": "19.0.1.0.0",
            "host": "till-pc",
            "proof": base64.b64encode(tamper or proof).decode(),
            **message,
        }
        response = self.post("/viva/gateway/pair", json.dumps(body).encode(), {})
        if response.status_code == 200:
            self.paired = response.json()
            self.uid = self.paired["uid"]
            server = base64.b64decode(self.paired["public_key"])
            self.server_key = Ed25519PublicKey.from_public_bytes(server)
            expected = hmac.digest(
                key, b"viva-paired/1\n" + server + public + self.uid.encode(), "sha256"
            )
            assert hmac.compare_digest(expected, base64.b64decode(self.paired["proof"]))
        return response

    def call(self, body, *, sequence=None, private=None, uid=None, signature=None):
        """One signed call with any body; the response. Checks the server's signature when there is one."""
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        uid = self.uid if uid is None else uid
        message = f"viva-gateway/1\n{uid}\n{sequence}\n{hashlib.sha256(raw).hexdigest()}".encode()
        if signature is None:
            signature = base64.b64encode((private or self.private).sign(message)).decode()
        response = self.post(
            "/viva/gateway/sync",
            raw,
            {
                "X-Viva-Gateway": uid,
                "X-Viva-Sequence": str(sequence),
                "X-Viva-Signature": signature,
            },
        )
        ours = response.headers.get("X-Viva-Signature")
        if ours:
            digest = hashlib.sha256(response.content).hexdigest()
            told = f"viva-server/1\n{uid}\n{sequence}\n{response.status_code}\n{digest}".encode()
            self.server_key.verify(base64.b64decode(ours), told)
        return response

    def sync(self, *reports, terminals=(), scan=None, version="19.0.1.0.0"):
        """One good call; the answer."""
        response = self.call(
            {
                "version": version,
                "instance": self.instance,
                "terminals": list(terminals),
                "scan": scan,
                "reports": list(reports),
            }
        )
        assert response.status_code == 200, response.text
        assert response.headers["X-Viva-Signature"]
        return response.json()

    def report(self, session_id, kind, data=None, **values):
        return {
            "id": next(self.reports),
            "session_id": session_id,
            "kind": kind,
            "data": data or {},
            "age_s": 0.2,
            **values,
        }

    def tell(self, session_id, kind, data=None, **values):
        """Report one thing; the answer."""
        report = self.report(session_id, kind, data, **values)
        answer = self.sync(report)
        assert answer["confirmed"] == [report["id"]], answer
        return answer


class GatewayCase(VivaCase, HttpCase):
    """A paired gateway with two terminals."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gateway = cls.env["viva.gateway"].create({"name": "Shop", "company_id": cls.company.id})
        common = {"account_id": cls.account.id, "gateway_id": cls.gateway.id}
        cls.lan, cls.tcp = cls.env["viva.terminal"].create(
            [
                {
                    **common,
                    "name": "Kitchen",
                    "viva_id": LAN_TERMINAL,
                    "model_id": cls.env.ref("viva_payments.terminal_model_a920_pro").id,
                    "protocol": "local",
                    "lan_host": "192.168.1.7",
                    "lan_port": 8080,
                    "certificate_fingerprint": FINGERPRINT,
                },
                {
                    **common,
                    "name": "Old",
                    "viva_id": TCP_TERMINAL,
                    "model_id": cls.env.ref("viva_payments.terminal_model_s900").id,
                    "protocol": "tcp",
                    "lan_host": "192.168.1.8",
                    "lan_port": 8080,
                },
            ]
        )
        cls.method.viva_terminal_ids |= cls.lan | cls.tcp

    def setUp(self):
        super().setUp()
        self.machine = self.new_gateway()
        self.code = self.code_of(self.gateway)
        self.assertEqual(self.machine.pair(self.code).status_code, 200)
        self.machine.sync()
        self.env.invalidate_all()

    def new_gateway(self):
        def post(path, body, headers):
            self.env.flush_all()
            response = self.url_open(
                path, data=body, headers={"Content-Type": "application/json", **headers}
            )
            self.env.invalidate_all()
            return response

        return Gateway(post)

    def code_of(self, gateway):
        code = gateway.action_pair()["context"]["default_code"]
        self.env.flush_all()
        return code

    def link(self, gateway=None):
        link = (
            self.env["viva.gateway.link"]
            .sudo()
            .search([("gateway_id", "=", (gateway or self.gateway).id)])
        )
        link.invalidate_recordset()
        return link

    def ask(self, terminal=None, amount_minor=1999, **values):
        """A sale on a terminal in the shop, not offered yet: (attempt, transaction)."""
        request, status = self.charge(
            None, amount_minor, terminal_id=(terminal or self.lan).id, **values
        )
        self.assertEqual(status["state"], "sent", status["message"])
        return request["attempt"], self.transaction(request["attempt"])

    def offered(self, terminal=None, amount_minor=1999):
        """… and offered to the gateway: (transaction, command)."""
        attempt, _transaction = self.ask(terminal, amount_minor)
        (command,) = self.machine.sync()["commands"]
        return self.transaction(attempt), command

    def outcome(self, transaction, **changes):
        """What the terminal says after a sale was paid, as the gateway tells it."""
        values = {
            "session_id": transaction.session_id,
            "terminal_id": transaction.terminal_viva_id,
            "cash_register_id": transaction.cash_register_id,
            "amount": round(transaction.amount * 100),
            "currency": "EUR",
            "merchant_reference": transaction.merchant_reference,
            "success": True,
            "event_id": 0,
            "authorisation_code": "123456",
            "rrn": f"{transaction.id:012d}",
            "stan": f"{transaction.id % 10**6:06d}",
            "transaction_id": f"{transaction.id:08d}-0000-4000-8000-000000000000",
            "transaction_type_id": 5,
            "card_last4": "4242",
            "message": "Approved",
            **changes,
        }
        return answer_to_json(Outcome(**values))

    def age(self, transaction, seconds, *names):
        """Let time pass over moments of a transaction."""
        names = names or ("sent_at", "offered_at", "gateway_heard_at")
        for name in names:
            self.env.cr.execute(
                f"UPDATE viva_transaction SET {name} = {name} - %s * interval '1 second' WHERE id = %s",
                (seconds, transaction.id),
            )
        self.env.invalidate_all()

    def away(self, seconds=120):
        """The gateway has not called for so long."""
        self.env.cr.execute(
            "UPDATE viva_gateway_link SET seen_at = seen_at - %s * interval '1 second'", (seconds,)
        )
        self.env.invalidate_all()
