"""A terminal in the shop's network: its address, and who may change it when."""

from psycopg2 import IntegrityError

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form
from odoo.tools import mute_logger

from .common import VivaCase
from .gateway_common import GatewayCase


class TestTerminalAddress(GatewayCase):
    def test_good_hosts(self):
        for host in (
            *("192.168.1.20", "10.0.0.5", "172.16.0.1", "172.31.255.1", "fd00::5", "terminal"),
            *(
                "terminal-2",
                "pax.local",
                "a920.lan",
                "bar.home.arpa",
                " 192.168.1.21 ",
                "[fd00::6]",
            ),
            "PAX.LOCAL",
        ):
            with self.subTest(host=host):
                self.lan.lan_host = host
                self.assertEqual(self.lan.lan_host, host.strip(" []").lower())

    def test_bad_hosts(self):
        self.account.environment = "demo"
        for host in (
            *("8.8.8.8", "1.1.1.1", "172.32.0.1", "100.64.0.1", "127.0.0.1", "::1", "0.0.0.0"),
            *("169.254.169.254", "224.0.0.1", "255.255.255.255", "2001:db8::1", "fe80::1", "::"),
            *("::ffff:127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "1"),
            *("example.com", "www.viva.com", "a.b.local", "192.168.1.5:80", "http://192.168.1.5"),
            *("192.168.1.5/path", "user@192.168.1.5", "192.168.1.5?x", "192.168.1.5#x", "-x"),
            *("a b", "x_y", "é.local", "192.168.1.5\n", "192.168.01.5", "x" * 64, "*"),
        ):
            with self.subTest(host=host), self.assertRaises(ValidationError):
                self.lan.lan_host = f"{host}x" if host.endswith("\n") else host

    def test_this_machine_is_for_the_simulator(self):
        for host in ("127.0.0.1", "localhost", "::1"):
            self.lan.lan_host = host
            self.assertTrue(
                [t for t in self.machine.sync()["terminals"] if t["host"] == host and t["loopback"]]
            )
        # An account that becomes a real one later does not take this with it.
        self.account.environment = "demo"
        self.assertFalse([t for t in self.machine.sync()["terminals"] if t["host"] == "::1"])

    def test_ports(self):
        for port in (1, 8080, 65535):
            self.lan.lan_port = port
        for port in (0, -1, 65536, False):
            with self.subTest(port=port), self.assertRaises(ValidationError):
                self.lan.lan_port = port

    def test_address_is_needed(self):
        for name in ("gateway_id", "lan_host", "lan_port"):
            for terminal in (self.lan, self.tcp):
                with self.subTest(name=name), self.assertRaises(ValidationError):
                    terminal[name] = False
        with self.assertRaises(ValidationError):
            self.terminal.protocol = "local"

    def test_one_device_per_address(self):
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError), self.cr.savepoint():
            self.tcp.lan_host = self.lan.lan_host
            self.env.flush_all()
        self.env.invalidate_all()
        self.lan.active = False
        self.tcp.lan_host = "192.168.1.7"
        self.env.flush_all()

    def test_one_record_per_gateway(self):
        """A demo and a live account may know the same Terminal ID; one gateway could not tell them apart."""
        demo = self.env["viva.account"].create({"name": "Demo", "company_id": self.company.id})
        values = {"account_id": demo.id, "viva_id": self.lan.viva_id, "lan_host": "192.168.1.99"}
        with mute_logger("odoo.sql_db"), self.assertRaises(IntegrityError), self.cr.savepoint():
            self.lan.copy(
                {**values, "gateway_id": self.gateway.id, "lan_port": 8080, "name": "Same"}
            )
            self.env.flush_all()

    def test_gateway_of_the_same_company(self):
        company = self.env["res.company"].create({"name": "Elsewhere"})
        foreign = self.env["viva.gateway"].create({"name": "Other", "company_id": company.id})
        with self.assertRaises(ValidationError):
            self.lan.gateway_id = foreign
        with self.assertRaises(ValidationError):
            self.gateway.company_id = company

    def test_fingerprint(self):
        self.lan.certificate_fingerprint = ":".join(["AB"] * 32)
        self.assertEqual(self.lan.certificate_fingerprint, "ab" * 32)
        for wrong in ("x", "ab" * 31, "zz" * 32):
            with self.assertRaises(ValidationError):
                self.lan.certificate_fingerprint = wrong

    def test_nothing_moves_under_an_open_payment(self):
        self.offered()
        other = self.env["viva.gateway"].create({"name": "2", "company_id": self.company.id})
        for name, value in (
            ("gateway_id", other.id),
            ("lan_host", "192.168.1.99"),
            ("lan_port", 81),
            ("lan_scheme", "http"),
            ("certificate_fingerprint", "cd" * 32),
            ("protocol", "cloud"),
            ("active", False),
        ):
            with self.subTest(name=name), self.assertRaises(UserError):
                self.lan.write({name: value})
        self.lan.name = "Another name"

    def test_changes_hint_the_gateways(self):
        messages = self.env["bus.bus"].sudo()
        self.env.cr.precommit.run()
        messages.search([]).unlink()
        self.lan.lan_port = 81
        self.env.cr.precommit.run()
        self.assertIn(self.link().channel, messages.search([]).channel)

    def test_form(self):
        form = Form(self.env["viva.terminal"])
        form.name = "Form"
        form.viva_id = "16000055"
        form.account_id = self.account
        form.model_id = self.env.ref("viva_payments.terminal_model_s900")
        form.protocol = "tcp"
        self.assertEqual(form.lan_port, 8080)
        form.gateway_id = self.gateway
        form.lan_host = "192.168.1.55"
        terminal = form.save()
        self.assertEqual(terminal.platform, "prolin")
        self.assertEqual(terminal.cancel_layout, "off")

    def test_a_demo_account_does_not_prove_a_demo_terminal(self):
        self.assertEqual(self.account.environment, "custom")
        self.assertFalse((self.lan | self.tcp).filtered("is_demo_by_account_alone"))
        self.account.environment = "demo"
        terminals = self.lan | self.tcp | self.terminal
        self.assertEqual(
            terminals.filtered("is_demo_by_account_alone"), self.lan | self.tcp, "not by the cloud"
        )
        self.account.environment = "live"
        self.assertFalse(terminals.filtered("is_demo_by_account_alone"))

    def test_http_needs_no_certificate(self):
        self.lan.write({"lan_scheme": "http", "certificate_fingerprint": False})
        self.assertFalse(self.lan._gateway_refusal())
        (entry,) = [t for t in self.machine.sync()["terminals"] if t["scheme"] == "http"]
        self.assertEqual(entry["fingerprint"], "")

    def test_cashier_changes_nothing(self):
        for name in ("lan_host", "gateway_id", "allow_app", "cancel_layout"):
            for user in (self.cashier, self.manager):
                with self.assertRaises(AccessError):
                    self.lan.with_user(user).write({name: False})


class TestModelOfTerminal(VivaCase):
    def test_a_model_is_found_by_what_is_shown(self):
        models = self.env["viva.terminal.model"]
        s900 = self.env.ref("viva_payments.terminal_model_s900")
        for words in ("PAX S900", "pax s9", "S900"):
            with self.subTest(words):
                found = [record for record, _name in models.name_search(words)]
                self.assertIn(s900.id, found)
        self.assertFalse(models.name_search("Ciontek S900"))

    def test_the_model_proposes_what_it_speaks(self):
        with Form(self.env["viva.terminal"]) as form:
            form.name, form.viva_id, form.account_id = "Kitchen", "16009999", self.account
            form.model_id = self.env.ref("viva_payments.terminal_model_s900")
            self.assertEqual((form.protocol, form.lan_port), ("tcp", 8080))
            form.model_id = self.env.ref("viva_payments.terminal_model_a920_pro")
            self.assertEqual(form.protocol, "cloud")
