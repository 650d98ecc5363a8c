"""Pairing by a code: five tries, ten minutes, one use, slowed down; then keys that nobody can read."""

import base64
import json
from datetime import timedelta
from unittest.mock import patch

from psycopg2 import errors

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user
from odoo.tools import file_open, mute_logger

from ..controllers.gateway import MAX_PAIR_BYTES
from ..models import viva_gateway_link
from .gateway_common import FINGERPRINT, GatewayCase

WRONG = b"x" * 32


class PairingCase(GatewayCase):
    def setUp(self):
        super().setUp()
        self.other = self.env["viva.gateway"].create(
            {"name": "Second", "company_id": self.company.id}
        )

    def assertError(self, response, status, error):
        self.assertEqual((response.status_code, response.json()), (status, {"error": error}))


class TestPairing(PairingCase):
    def test_paired(self):
        self.assertEqual(self.gateway.state, "paired")
        self.assertTrue(self.gateway.is_connected)
        self.assertEqual((self.gateway.host, self.gateway.version), ("till-pc", "19.0.1.0.0"))
        self.assertTrue(self.gateway.paired_at)
        self.assertEqual(self.machine.paired["database"], self.env.cr.dbname)
        self.assertEqual(self.machine.paired["name"], self.gateway.name)
        self.assertGreater(len(self.machine.paired["channel"]), 40)

    def test_code(self):
        codes = [self.code_of(self.other) for _code in range(5)]
        self.assertEqual(len(set(codes)), 5)
        for code in codes:
            self.assertRegex(code, r"\A[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}\Z")
        self.env.cr.execute("SELECT row_to_json(p)::text FROM viva_gateway_pairing p")
        (row,) = [row for (row,) in self.env.cr.fetchall() if code[:3] in row]
        self.assertNotIn(code.replace("-", "")[3:], row, "its secret is not stored")

    def test_dialog(self):
        action = self.other.action_pair()
        context = action["context"]
        values = (
            self.env["viva.gateway.pair"]
            .with_context(**context)
            .default_get(["code", "valid", "command", "gateway_id"])
        )
        self.assertIn(values["code"], values["command"])
        self.assertIn("10", values["valid"])

    def test_one_use(self):
        self.assertError(self.new_gateway().pair(self.code), 403, "code")

    def test_new_code_voids_the_old_one(self):
        old = self.code_of(self.other)
        self.code_of(self.other)
        self.assertError(self.new_gateway().pair(old), 403, "code")

    def test_wrong_proof(self):
        code = self.code_of(self.other)
        self.assertError(self.new_gateway().pair(code, tamper=WRONG), 403, "code")
        self.assertError(self.new_gateway().pair(code, tamper=b"short"), 403, "code")
        other_key = base64.b64encode(WRONG).decode()
        self.assertError(self.new_gateway().pair(code, public_key=other_key), 403, "code")
        self.assertEqual(self.other.state, "waiting")
        self.assertEqual(self.new_gateway().pair(code).status_code, 200)

    def test_five_tries(self):
        code = self.code_of(self.other)
        for _try in range(5):
            self.assertError(self.new_gateway().pair(code, tamper=WRONG), 403, "code")
        self.assertError(self.new_gateway().pair(code), 403, "tries")
        self.assertEqual(self.other.state, "waiting")

    def test_expired(self):
        code = self.code_of(self.other)
        self.env.cr.execute(
            "UPDATE viva_gateway_pairing SET expires_at = expires_at - interval '11 minutes'"
        )
        self.assertError(self.new_gateway().pair(code), 403, "expired")

    def test_slow_down(self):
        machine = self.new_gateway()
        for _try in range(viva_gateway_link.FAILURES):
            code = self.code_of(self.other)
            self.assertError(machine.pair(code, tamper=WRONG), 403, "code")
        code = self.code_of(self.other)
        self.assertError(machine.pair(code, tamper=WRONG), 429, "slow_down")
        self.env.cr.execute("UPDATE viva_gateway_attempt SET at = at - interval '11 minutes'")
        self.assertError(machine.pair(code, tamper=WRONG), 403, "code")

    def test_nobody_locks_the_door(self):
        """Guesses at codes that do not exist count for nothing, and a right proof is always let in."""
        machine = self.new_gateway()
        for _try in range(viva_gateway_link.FAILURES + 2):
            self.assertError(machine.pair("AAAA-AAAA-AAAA"), 403, "code")
        self.assertFalse(self.env["viva.gateway.attempt"].sudo().search([]))
        for _try in range(viva_gateway_link.FAILURES + 2):
            self.env["viva.gateway.attempt"].sudo()._count("127.0.0.1")
        self.assertEqual(machine.pair(self.code_of(self.other)).status_code, 200)

    def test_slow_down_for_all(self):
        with patch.object(viva_gateway_link, "FAILURES_OF_ALL", 2):
            attempts = self.env["viva.gateway.attempt"].sudo()
            for address in ("10.0.0.1", "10.0.0.2"):
                attempts._count(address)
            self.assertTrue(attempts._too_many("10.0.0.3"))
        self.assertFalse(attempts._too_many("10.0.0.3"))
        self.assertNotIn("10.0.0.1", attempts.search([]).mapped("address"))

    def test_revoked_while_it_waits(self):
        code = self.code_of(self.gateway)
        self.gateway.action_revoke()
        self.assertError(self.new_gateway().pair(code), 403, "code")

    def test_anything(self):
        bodies = [
            b" ",
            b"x",
            b"[]",
            b"5",
            b'"x"',
            b"\xff",
            b"[" * 3000,
            *(
                json.dumps({name: value}).encode()
                for name in ("code_id", "public_key", "proof", "version", "host")
                for value in (None, 5, [], {}, "", "\0", "\ud800", "x" * 500)
            ),
        ]
        for body in bodies:
            self.env.cr.execute("DELETE FROM viva_gateway_attempt")
            response = self.machine.post("/viva/gateway/pair", body, {})
            with self.subTest(body=body[:60]):
                self.assertError(response, 403, "code")
        large = self.machine.post("/viva/gateway/pair", b"x" * (MAX_PAIR_BYTES + 1), {})
        self.assertEqual(large.status_code, 413)
        self.assertEqual(self.url_open("/viva/gateway/pair", method="GET").status_code, 405)

    def test_odd_names(self):
        for host in (None, 5, ["x"], "x" * 500, "a\0b\nc"):
            machine, code = self.new_gateway(), self.code_of(self.other)
            self.assertEqual(machine.pair(code, host=host, version=host).status_code, 200)
            self.assertEqual(machine.call({}).status_code, 200)
            self.assertLessEqual(len(self.other.host or ""), 80)

    def test_anew(self):
        """A new pairing is a new identity; the old one is nobody from then on."""
        old = self.link()
        uid, channel = old.uid, old.channel
        machine = self.new_gateway()
        self.assertEqual(machine.pair(self.code_of(self.gateway)).status_code, 200)
        self.assertEqual(machine.call({}).status_code, 200)
        self.assertEqual(self.machine.call({}).status_code, 404)
        self.assertNotEqual((uid, channel), (self.link().uid, self.link().channel))

    def test_forget(self):
        self.gateway.action_forget()
        self.assertEqual(self.gateway.state, "waiting")
        self.assertEqual(self.machine.call({}).status_code, 404)
        self.assertFalse(self.link())

    def test_revoke(self):
        _attempt, transaction = self.ask()
        self.gateway.action_revoke()
        response = self.machine.call({"reports": []})
        self.assertError(response, 403, "revoked")
        self.assertTrue(response.headers["X-Viva-Signature"])
        self.assertEqual((self.gateway.state, self.gateway.is_connected), ("revoked", False))
        self.assertFalse(transaction.offered_at)
        self.assertTrue(self.lan._gateway_refusal())


class TestSync(PairingCase):
    """Who may call, and in which order."""

    def test_signature(self):
        stranger = self.new_gateway()
        refused = [
            self.machine.call({}, private=stranger.private),
            self.machine.call({}, signature=""),
            self.machine.call({}, signature="x"),
            self.machine.call({}, signature=base64.b64encode(b"x" * 64).decode()),
        ]
        for response in refused:
            self.assertError(response, 401, "signature")
            self.assertNotIn("X-Viva-Signature", response.headers)
        self.assertEqual(self.link().sequence, 1, "they do not count")

    def test_body_is_signed(self):
        body, sequence = b'{"reports":[]}', self.machine.sequence + 1
        sent = {}
        post = self.machine.post
        self.machine.post = lambda path, raw, headers: (
            sent.update(headers) or post(path, raw.replace(b"[]", b"{}"), headers)
        )
        self.assertError(self.machine.call(body), 401, "signature")
        # … and so is the sequence.
        headers = {**sent, "X-Viva-Sequence": str(sequence + 5)}
        self.assertError(post("/viva/gateway/sync", body, headers), 401, "signature")
        self.assertEqual(post("/viva/gateway/sync", body, sent).status_code, 200)
        # Repeated on the way it is the same call; after another one it is refused.
        self.assertEqual(post("/viva/gateway/sync", body, sent).status_code, 200)
        self.machine.post = post
        self.assertEqual(self.machine.call({}).status_code, 200)
        self.assertError_sequence(post("/viva/gateway/sync", body, sent), sequence + 1)

    def assertError_sequence(self, response, last):
        self.assertEqual(response.status_code, 409)
        self.assertEqual(response.json(), {"error": "sequence", "last": last})
        self.assertTrue(response.headers["X-Viva-Signature"])

    def test_unknown(self):
        for uid in ("", "x", "0" * 32, self.machine.uid.upper(), "'; DROP TABLE", "é"):
            with self.subTest(uid=uid):
                response = self.machine.post(
                    "/viva/gateway/sync", b"{}", {"X-Viva-Gateway": uid.encode()}
                )
                self.assertError(response, 404, "unknown")
                self.assertNotIn("X-Viva-Signature", response.headers)

    def test_sequence(self):
        self.machine.call({}, sequence=100)
        for sequence in (100, 99, 2):
            self.assertError_sequence(self.machine.call({"a": 1}, sequence=sequence), 100)
        self.assertTrue(self.link().conflict_at)
        self.assertTrue(self.gateway.activity_ids)
        self.assertEqual(self.machine.call({}, sequence=101).status_code, 200)
        for sequence in (0, 2**31, 10**9 * 3):
            self.assertError(self.machine.call({}, sequence=sequence), 400, "body")
        self.assertEqual(self.link().sequence, 101)

    def test_overtaken_on_the_way(self):
        """A call that a proxy held up meets its own successor: refused, but no sign of a copy."""
        body = {"instance": self.machine.instance}
        self.assertError_sequence(self.machine.call(body, sequence=1), 1)
        self.assertFalse(self.link().conflict_at)
        self.assertError_sequence(self.machine.call({"instance": "other"}, sequence=1), 1)
        self.assertTrue(self.link().conflict_at)

    def test_journal_that_went_backwards(self):
        def call(reports, commands):
            counters = {"reports": reports, "commands": commands}
            return self.machine.call({"instance": "a", "journal": counters})

        self.assertEqual(call(10, 5).status_code, 200)
        self.assertEqual(call(12, 5).status_code, 200)
        for counters in ((11, 5), (12, 4), (0, 0)):
            self.assertEqual(call(*counters).status_code, 409)
        self.assertTrue(self.link().conflict_at)
        self.assertEqual(call(12, 5).status_code, 200)
        for odd in (None, 5, {}, {"reports": "x"}, {"reports": -1, "commands": 0}):
            self.assertEqual(self.machine.call({"journal": odd}).status_code, 200)

    def test_busy_database(self):
        """Odoo does not repeat the call by itself (that would look like a copy): the gateway is asked to."""
        gateways = type(self.env["viva.gateway"])
        busy = errors.SerializationFailure("busy")
        with (
            patch.object(gateways, "_take_sights", side_effect=busy) as tried,
            mute_logger(
                "odoo.addons.viva_payments.models.viva_gateway_sync",
                "odoo.addons.viva_payments.models.ledger",
            ),
        ):
            self.assertEqual(self.machine.call({}).status_code, 503)
        self.assertEqual(tried.call_count, 5)
        self.machine.sync()
        self.assertFalse(self.link().conflict_at)

    def test_nothing_is_taken_under_an_old_number(self):
        transaction, _command = self.offered()
        report = self.machine.report(transaction.session_id, "accepted")
        self.assertEqual(self.machine.call({"reports": [report]}, sequence=1).status_code, 409)
        self.assertEqual(transaction.state, "sent")

    def test_other_database(self):
        transaction, _command = self.offered()
        self.env["ir.config_parameter"].sudo().set_param("database.uuid", "a-copy")
        response = self.machine.call(
            {"reports": [self.machine.report(transaction.session_id, "accepted")]}
        )
        self.assertError(response, 403, "other_database")
        self.assertTrue(response.headers["X-Viva-Signature"])
        self.assertEqual(transaction.state, "sent")

    def test_bodies(self):
        for body in (b" ", b"x", b"[]", b"5", b"\xff", b"[" * 3000):
            with self.subTest(body=body[:20]):
                self.assertError(self.machine.call(body), 400, "body")
        response = self.machine.call(b"x" * (512 * 1024 + 1))
        self.assertEqual(response.status_code, 413)

    def test_seen(self):
        self.away(100)
        self.assertFalse(self.gateway.is_connected)
        self.assertIn("Not connected", self.gateway.known)
        self.machine.sync(version="19.0.9.9.9")
        self.assertTrue(self.gateway.is_connected)
        self.assertEqual(self.gateway.version, "19.0.9.9.9")

    def test_idle_calls_write_one_row(self):
        """A call without news costs one update of a narrow row, and no history."""
        self.machine.sync(terminals=[self.seen()])
        counts = "SELECT relname, n_tup_ins + n_tup_upd FROM pg_stat_xact_user_tables WHERE n_tup_ins + n_tup_upd > 0"
        self.env.cr.execute(counts)
        before = dict(self.env.cr.fetchall())
        self.machine.sync(terminals=[self.seen()])
        self.env.cr.execute(counts)
        after = dict(self.env.cr.fetchall())
        changed = {name: after[name] - before.get(name, 0) for name in after}
        changed = {name: count for name, count in changed.items() if count}
        self.assertEqual(changed, {"viva_gateway_link": 1})

    # -- what it sees ----------------------------------------------------------------------------

    def seen(self, terminal=None, **values):
        return {
            "viva_id": (terminal or self.lan).viva_id,
            "reached": True,
            "words": "",
            "tid": (terminal or self.lan).viva_id,
            "fingerprint": FINGERPRINT,
            "age_s": 1.0,
            **values,
        }

    def test_sights(self):
        self.machine.sync(terminals=[self.seen()])
        self.assertEqual(self.gateway.reached, "1 of 2")
        self.assertEqual(self.lan.color, 0)
        self.assertFalse(self.lan._gateway_refusal())
        self.machine.sync(terminals=[self.seen(reached=False, words="no route")])
        self.assertIn("no route", self.lan.known)
        self.assertEqual(self.lan.color, 1)
        self.assertFalse(self.lan._gateway_refusal(), "the gateway may try all the same")
        self.machine.sync(terminals=[self.seen(tid="16000099")])
        self.assertIn("16000099", self.lan.known)
        self.assertIn("16000099", self.lan._gateway_refusal())
        self.machine.sync(terminals=[self.seen(fingerprint="cd" * 32)])
        self.assertEqual(self.lan.certificate_seen, "cd" * 32)
        self.assertEqual(self.lan.color, 1)
        self.assertIn("certificate", self.lan._gateway_refusal())

    def test_sights_of_others(self):
        self.machine.sync(terminals=[self.seen(self.terminal), {"viva_id": "nobody"}])
        self.assertFalse(self.env["viva.gateway.sight"].sudo().search([]))

    def test_sights_are_forgotten_with_the_address(self):
        self.machine.sync(terminals=[self.seen(tid="16000099")])
        self.lan.lan_host = "192.168.1.9"
        self.assertFalse(self.lan.certificate_seen)
        self.assertFalse(self.lan._gateway_refusal())

    def test_sights_of_the_old_address(self):
        """The body of a call may be older than the change of the address."""
        for place in ({"host": "192.168.1.99"}, {"port": 1}, {"host": None}):
            self.machine.sync(terminals=[self.seen(tid="16000099", **place)])
            self.assertFalse(self.lan._gateway_refusal())
        place = {"host": self.lan.lan_host, "port": self.lan.lan_port}
        self.machine.sync(terminals=[self.seen(tid="16000099", **place)])
        self.assertTrue(self.lan._gateway_refusal())

    def test_look_again(self):
        self.machine.sync(terminals=[self.seen(tid="16000099")])
        with self.assertRaises(AccessError):
            self.lan.with_user(self.manager).action_look_again()
        self.lan.action_look_again()
        self.assertFalse(self.lan._gateway_refusal())
        # What it tells from before does not count.
        self.machine.sync(terminals=[self.seen(tid="16000099", look=0)])
        self.assertFalse(self.lan._gateway_refusal())
        looks = {entry["viva_id"]: entry["look"] for entry in self.machine.sync()["terminals"]}
        self.assertEqual(looks[self.lan.viva_id], 1)
        self.machine.sync(terminals=[self.seen(tid="16000099", look=1)])
        self.assertTrue(self.lan._gateway_refusal())

    def test_confirm_certificate(self):
        self.lan.certificate_fingerprint = False
        self.assertIn("not confirmed", self.lan._gateway_refusal())
        with self.assertRaises(UserError):
            self.lan.action_confirm_certificate()
        self.machine.sync(terminals=[self.seen(fingerprint="cd" * 32)])
        self.lan.action_confirm_certificate()
        self.assertEqual(self.lan.certificate_fingerprint, "cd" * 32)
        self.assertFalse(self.lan._gateway_refusal())

    def test_odd_sights(self):
        for name in ("reached", "words", "tid", "fingerprint", "age_s"):
            for value in (None, 5, "x" * 900, "\0", "\ud800", [], {}):
                self.machine.sync(terminals=[self.seen(**{name: value})])

    # -- looking for terminals -------------------------------------------------------------------

    def test_scan(self):
        self.assertIsNone(self.machine.sync()["scan"])
        action = self.gateway.action_find_terminals()
        wizard = self.env["viva.gateway.find"].browse(action["res_id"])
        wanted = self.machine.sync()["scan"]
        self.assertEqual(wanted, {"id": wizard.scan_number})
        found = [
            {"host": "192.168.1.7", "port": 8080, "protocol": "local", "scheme": "https"},
            {
                "host": "192.168.1.20",
                "port": 8080,
                "protocol": "local",
                "scheme": "https",
                "fingerprint": "ef" * 32,
            },
            {"host": "192.168.1.21", "port": 8080, "protocol": "tcp", "scheme": "http"},
            *({"host": host, "port": 80, "protocol": "tcp"} for host in (None, "evil/path", "")),
            {"host": "192.168.1.22", "port": 99999, "protocol": "tcp"},
            {"host": "192.168.1.22", "port": 80, "protocol": "cloud"},
        ]
        self.machine.sync(scan={**wanted, "done": False, "found": found[:1]})
        answer = self.machine.sync(scan={**wanted, "done": True, "found": found})
        self.assertIsNone(answer["scan"])
        wizard.action_refresh()
        wizard.action_refresh()
        self.assertEqual(
            wizard.line_ids.mapped("lan_host"), ["192.168.1.7", "192.168.1.20", "192.168.1.21"]
        )
        known, first, second = wizard.line_ids
        self.assertEqual((known.is_registered, known.terminal_id), (True, self.lan))
        with self.assertRaises(UserError):
            wizard.action_register()
        first.write({"is_chosen": True, "is_confirmed": True, "viva_id": "16000040", "name": "New"})
        second.write({"is_chosen": True, "terminal_id": self.tcp.id})
        wizard.action_register()
        self.assertEqual(self.tcp.lan_host, "192.168.1.21")
        new = self.env["viva.terminal"].search([("viva_id", "=", "16000040")])
        self.assertEqual(
            (new.gateway_id, new.lan_host, new.certificate_fingerprint, new.protocol),
            (self.gateway, "192.168.1.20", "ef" * 32, "local"),
        )

    def test_scan_of_another_number(self):
        self.gateway.action_find_terminals()
        for scan in (
            {},
            {"id": 77, "done": True},
            {"id": None},
            {"id": "1"},
            {"id": 1, "found": 5},
        ):
            self.machine.sync(scan=scan)
        self.assertFalse(self.link().scan_done_at)

    def test_no_scan_without_a_gateway(self):
        self.away()
        with self.assertRaises(UserError):
            self.gateway.action_find_terminals()


class TestGatewayAccess(PairingCase):
    MACHINE = (
        "viva.gateway.link",
        "viva.gateway.pairing",
        "viva.gateway.attempt",
        "viva.gateway.sight",
        "viva.gateway.report",
    )

    def users(self):
        admin = new_test_user(
            self.env,
            "gateway_admin",
            groups="base.group_user,viva_payments.group_viva_admin",
            company_id=self.company.id,
            company_ids=[(6, 0, self.company.ids)],
        )
        portal = new_test_user(self.env, "gateway_portal", groups="base.group_portal")
        return admin, portal

    def test_machine_records_are_nobodys(self):
        admin, portal = self.users()
        users = (self.cashier, self.manager, admin, portal, self.env.ref("base.user_admin"))
        for user in users:
            for model in self.MACHINE:
                with self.subTest(user=user.login, model=model), self.assertRaises(AccessError):
                    self.env[model].with_user(user).search([])

    def test_who_sees_gateways(self):
        admin, portal = self.users()
        for user in (self.manager, admin):
            gateway = self.gateway.with_user(user)
            self.assertEqual(
                gateway.read(["name", "state", "known", "reached"])[0]["state"], "paired"
            )
        for user in (self.cashier, portal, self.env.ref("base.public_user")):
            with self.assertRaises(AccessError):
                self.gateway.with_user(user).read(["name"])
            for field in ("lan_host", "lan_port", "gateway_id", "certificate_fingerprint"):
                with self.assertRaises(AccessError):
                    self.lan.with_user(user).read([field])

    def test_who_changes_gateways(self):
        for user in (self.cashier, self.manager):
            gateway = self.gateway.with_user(user)
            find = self.env["viva.gateway.find"].with_user(user)
            for call, *values in (
                (gateway.write, {"name": "x"}),
                (gateway.create, {"name": "x"}),
                (gateway.unlink,),
                (gateway.action_pair,),
                (gateway.action_revoke,),
                (gateway.action_forget,),
                (gateway.action_find_terminals,),
                (self.lan.with_user(user).action_confirm_certificate,),
                (find.create, {"gateway_id": gateway.id}),
            ):
                with self.assertRaises(AccessError):
                    call(*values)
        self.assertEqual(self.gateway.state, "paired")

    def test_other_company(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        stranger = new_test_user(
            self.env,
            "gateway_stranger",
            groups="base.group_user,viva_payments.group_viva_admin",
            company_id=company.id,
            company_ids=[(6, 0, company.ids)],
        )
        gateway = self.gateway.with_user(stranger)
        self.assertFalse(gateway.search([("id", "=", gateway.id)]))
        for call in (
            lambda: gateway.read(["name"]),
            lambda: gateway.action_pair(),
            lambda: gateway.action_revoke(),
            lambda: gateway.action_forget(),
        ):
            with self.assertRaises(AccessError):
                call()

    def test_nothing_is_loaded_into_the_till(self):
        loaded = str(self.session.with_user(self.cashier).load_data([]))
        link = self.link()
        for secret in (link.uid, link.channel, link.private_key, "192.168.1.7", FINGERPRINT):
            self.assertNotIn(secret, loaded)
        self.assertIn(self.lan.viva_id, loaded)

    def test_cashier_opens_the_terminal(self):
        view = self.env["viva.terminal"].with_user(self.cashier).get_view(view_type="form")
        self.assertNotIn("lan_host", view["arch"])
        self.assertTrue(self.lan.with_user(self.cashier).known)

    def test_neutralized(self):
        transaction, _command = self.offered()
        self.code_of(self.other)
        link = self.link()
        secrets = [link.uid, link.channel, link.private_key, link.public_key, "192.168.1.7"]
        secrets += [FINGERPRINT, "192.168.1.8"]
        self.env.flush_all()
        self.assertTrue(all(secret in self.dump() for secret in secrets))
        with file_open("viva_payments/data/neutralize.sql") as script:
            self.env.cr.execute(script.read())
        self.env.invalidate_all()
        dump = self.dump()
        for secret in secrets:
            self.assertNotIn(secret, dump)
        self.assertEqual(self.machine.call({}).status_code, 404)
        self.assertEqual(self.gateway.state, "waiting")
        self.assertTrue(self.lan._gateway_refusal())
        request, status = self.charge(terminal_id=self.lan.id)
        self.assertEqual(status["state"], "refused")
        self.assertFalse(self.transaction(request["attempt"]))
        self.assertEqual(transaction.state, "sent")

    def dump(self):
        tables = (
            "viva_gateway",
            "viva_gateway_link",
            "viva_gateway_pairing",
            "viva_gateway_sight",
            "viva_gateway_report",
            "viva_terminal",
            "viva_transaction",
        )
        rows = []
        for table in tables:
            self.env.cr.execute(f"SELECT row_to_json({table})::text FROM {table}")
            rows += [row for (row,) in self.env.cr.fetchall()]
        return "\n".join(rows)

    def test_gateway_with_payments_is_kept(self):
        self.offered()
        with self.assertRaises(UserError):
            self.gateway.unlink()
        self.other.unlink()

    def test_codes_are_cleaned_up(self):
        self.code_of(self.other)
        past = fields.Datetime.now() - timedelta(days=2)
        self.env["viva.gateway.pairing"].sudo().search([]).write({"expires_at": past})
        self.env["viva.gateway.report"].sudo()._prune()
        self.assertFalse(self.env["viva.gateway.pairing"].sudo().search([]))
