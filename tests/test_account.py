"""The account: its addresses, what Check says, its webhook address, the database it belongs to, its terminals' models."""

from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import fields
from odoo.exceptions import UserError, ValidationError
from odoo.tools import mute_logger

from ..models.viva_account import WEBHOOK_EVENTS
from .common import MERCHANT_ID, VivaCase


class TestAddresses(VivaCase):
    def test_https_unless_this_very_machine(self):
        for address in (
            "https://viva.example.com",
            "https://viva.example.com:8443/",
            "http://localhost:8970",
            "http://127.0.0.1:8970",
            "http://[::1]:8970",
        ):
            with self.subTest(address=address):
                self.account.api_url = address
                self.assertFalse(self.account.api_url.endswith("/"))

    def test_addresses_that_are_refused(self):
        for address in (
            False,
            "viva.example.com",
            "http://viva.example.com",
            "http://192.168.1.2",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "https://user:secret@viva.example.com",
            "https://viva.example.com/path",
            "https://viva.example.com?x=1",
            "https://viva.example.com#x",
            "https://",
            "https://viva.example.com:nonsense",
        ):
            with self.subTest(address=address), self.assertRaises(ValidationError):
                self.account.api_url = address

    def test_no_custom_environment_without_addresses(self):
        with self.assertRaises(ValidationError):
            self.env["viva.account"].create({"name": "Custom", "environment": "custom"})

    def test_demo_and_live_need_none(self):
        accounts = self.env["viva.account"].create(
            [
                {"name": name, "environment": name, "company_id": self.company.id}
                for name in ("demo", "live")
            ]
        )
        self.assertEqual(accounts.mapped("is_demo"), [True, False])
        self.assertTrue(
            self.account.is_demo,
            "Where a custom address leads nobody knows: no live money is promised.",
        )

    def test_pasted_credentials_lose_their_blanks(self):
        self.account.write(
            {"client_id": " abc \n", "client_secret": "\tdef ", "merchant_id": f" {MERCHANT_ID} "}
        )
        self.assertEqual(self.account.client_id, "abc")
        self.assertEqual(self.account.client_secret, "def")
        self.assertEqual(self.account.merchant_id, MERCHANT_ID)

    def test_merchant_id_is_a_uuid(self):
        with self.assertRaises(ValidationError):
            self.account.merchant_id = "sim-client.apps.vivapayments.com"


class TestCheck(VivaCase):
    def check_account(self):
        self.account.action_check()
        return self.account.check_state

    def test_connected(self):
        self.assertEqual(self.check_account(), "ok")
        self.assertIn("3", self.account.check_message)
        self.assertTrue(self.account.webhook_key)
        self.assertTrue(self.account.checked_at)

    def test_without_access_credentials_payments_work(self):
        self.account.write({"merchant_id": False, "api_key": False})
        self.assertEqual(self.check_account(), "ok")
        self.assertIn("Merchant ID and API Key", self.account.check_message)
        self.assertFalse(self.account.webhook_key)

    def test_wrong_pos_credentials(self):
        for values in ({"client_id": "nobody"}, {"client_secret": "wrong"}, {"client_id": False}):
            with self.subTest(values=values):
                self.account.write(
                    {"client_id": "sim-client.apps.vivapayments.com", "client_secret": "sim-secret"}
                )
                self.account.write(values)
                self.assertEqual(self.check_account(), "credentials")
                self.assertIn("Client ID and Client Secret", self.account.check_message)

    def test_wrong_access_credentials(self):
        self.account.api_key = "wrong"
        self.assertEqual(self.check_account(), "credentials")
        self.assertIn("Merchant ID and API Key", self.account.check_message)

    def test_permission(self):
        self.simulator.control("POST", "faults", {"devices_status": [403]})
        self.assertEqual(self.check_account(), "permission")

    def test_network(self):
        url = self.simulator.url
        self.account.write({"accounts_url": "http://127.0.0.1:9", "api_url": url, "www_url": url})
        self.assertEqual(self.check_account(), "network")
        self.simulator.control("POST", "faults", {"devices_status": [503] * 5})
        self.account.accounts_url = url
        self.assertEqual(self.check_account(), "network")

    def test_new_credentials_are_not_checked_yet(self):
        self.check_account()
        key = self.account.webhook_key
        self.account.name = "Another name"
        self.assertEqual(self.account.check_state, "ok")
        self.account.client_secret = "another"
        self.assertEqual(self.account.check_state, "unchecked")
        self.assertEqual(self.account.webhook_key, key)
        self.account.api_key = "another"
        self.assertFalse(self.account.webhook_key)

    def test_new_credentials_need_a_new_token(self):
        self.check_account()
        self.assertTrue(self.account._connection().load())
        self.account.client_secret = "another"
        self.env.flush_all()
        self.assertFalse(self.account._connection().load())


class TestWebhookAddress(VivaCase):
    def test_rotation_keeps_the_old_one_for_two_days(self):
        accounts = self.env["viva.account"]
        old = self.account.webhook_path
        self.account.action_rotate_webhook()
        new = self.account.webhook_path
        self.assertNotEqual(new, old)
        self.assertGreaterEqual(len(new), 40)
        self.assertEqual(accounts._by_webhook_path(old), self.account)
        self.assertEqual(accounts._by_webhook_path(new), self.account)
        self.account.sudo().webhook_path_previous_until = fields.Datetime.now() - timedelta(
            seconds=1
        )
        self.assertFalse(accounts._by_webhook_path(old))
        for path in ("", False, None, "x", new[:-1], new + "x", "%", "_" * len(new)):
            self.assertFalse(accounts._by_webhook_path(path), path)

    def test_signs_of_life(self):
        self.assertEqual(self.account.webhook_level, "waiting")
        self.account.sudo().webhook_verified_at = fields.Datetime.now()
        self.assertEqual(self.account.webhook_level, "quiet")
        self.env["viva.event"]._receive(
            self.account.sudo(), {"MessageId": "m1", "EventTypeId": 1796}
        )
        self.account.invalidate_recordset()
        self.assertEqual(self.account.webhook_level, "working")
        self.assertTrue(self.account.webhook_last_event_at)
        self.env.cr.execute(
            "UPDATE viva_event SET received_at = received_at - interval '10 days' WHERE account_id = %s",
            (self.account.id,),
        )
        self.account.invalidate_recordset()
        self.assertEqual(self.account.webhook_level, "quiet")

    def test_address_and_events_to_copy(self):
        self.assertEqual(
            self.account.webhook_url,
            f"{self.account.get_base_url()}/viva/webhook/{self.account.webhook_path}",
        )
        lines = self.account.webhook_events.splitlines()
        self.assertEqual(len(lines), len(WEBHOOK_EVENTS))
        self.assertTrue(
            all(
                str(number) in line
                for (number, _name), line in zip(WEBHOOK_EVENTS, lines, strict=True)
            )
        )

    def test_address_that_viva_cannot_reach(self):
        self.env["ir.config_parameter"].sudo().set_param("web.base.url", "http://localhost:8069")
        account = self.env["viva.account"].create({"name": "Demo", "company_id": self.company.id})
        self.assertIn("https://", account.webhook_state)
        self.env["ir.config_parameter"].sudo().set_param("web.base.url", "https://shop.example.com")
        account.invalidate_recordset()
        self.assertNotIn("https://", account.webhook_state)


class TestDatabase(VivaCase):
    def test_copied_database_charges_nothing_until_confirmed(self):
        self.env["ir.config_parameter"].sudo().set_param("database.uuid", "another")
        self.env.invalidate_all()
        self.env.flush_all()
        self.assertTrue(self.account.is_foreign_database)
        _request, status = self.charge()
        self.assertEqual(status["state"], "refused")
        self.assertIn("copy", status["message"])
        self.assertFalse(self.simulator.control("GET", "sessions"))
        self.account.action_confirm_database()
        self.account.invalidate_recordset()
        self.env.flush_all()
        self.assertFalse(self.account.is_foreign_database)
        _request, status = self.charge()
        self.assertEqual(status["state"], "pending", status["message"])

    def test_confirmed_copy_without_webhook_address_gets_one(self):
        self.account.sudo().webhook_path = False
        self.assertFalse(self.account.webhook_url)
        self.account.action_confirm_database()
        self.assertTrue(self.account.webhook_url)


class TestTerminalModel(VivaCase):
    def make_terminal(self, model, viva_id="16000077", **values):
        return self.env["viva.terminal"].create(
            {
                "account_id": self.account.id,
                "name": "New",
                "viva_id": viva_id,
                "model_id": self.env.ref(f"viva_payments.terminal_model_{model}").id,
                **values,
            }
        )

    def test_matrix_is_complete(self):
        models = self.env["viva.terminal.model"].search([])
        self.assertGreaterEqual(len(models), 20)
        spoken = {model.code: {code for code, _label in model._protocols()} for model in models}
        self.assertEqual(spoken["a920_pro"], {"cloud", "local", "app_to_app"})
        self.assertEqual(spoken["a920"], {"cloud", "app_to_app"})
        self.assertEqual(spoken["softpos_ios"], {"cloud", "app_to_app"})
        self.assertEqual(spoken["s900"], {"tcp"})
        self.assertEqual(spoken["other"], {"cloud", "local", "app_to_app", "tcp"})

    def test_protocol_that_the_model_does_not_speak(self):
        with self.assertRaisesRegex(ValidationError, r"TCP/IP"):
            self.make_terminal("s900")
        with self.assertRaisesRegex(ValidationError, r"does not speak"):
            self.terminal.model_id = self.env.ref("viva_payments.terminal_model_q30")

    def test_administrator_overrides_the_matrix(self):
        terminal = self.make_terminal("s900", protocol_override=True)
        self.assertEqual(terminal.protocol, "cloud")

    def test_other_model_speaks_everything(self):
        self.assertTrue(self.make_terminal("other"))

    def test_one_record_per_device(self):
        with self.assertRaises(UniqueViolation), mute_logger("odoo.sql_db"):
            self.make_terminal("other", viva_id=self.terminal.viva_id)

    def test_terminal_id_is_checked(self):
        for viva_id in ("1600 0010", "16000010/../x", "№5", "1" * 40):
            with self.subTest(viva_id=viva_id), self.assertRaises(ValidationError):
                self.make_terminal("other", viva_id=viva_id)

    def test_what_is_known_never_says_online(self):
        words = self.terminal.known
        self.assertIn("no successful payment yet", words)
        request, _status = self.charge()
        self.env.invalidate_all()
        self.assertIn(self.transaction(request["attempt"]).name, self.terminal.known)
        self.assertEqual(self.terminal.color, 3)
        self.simulator.act("tap")
        self.check_until(request["attempt"], "approved")
        self.env.invalidate_all()
        self.assertIn("last success", self.terminal.known)
        self.assertIn("Interlocked since", self.terminal.interlock)
        self.assertEqual(self.terminal.color, 10)
        self.assertNotIn("online", self.terminal.known.lower())

    def test_status_is_read_from_viva(self):
        self.simulator.control(
            "POST", "terminals", {"terminalId": self.terminal.viva_id, "statusId": 7}
        )
        (self.terminal | self.terminal_2).action_refresh_status()
        self.assertEqual(self.terminal.status, "7")
        self.assertEqual(self.terminal_2.status, "1")
        self.assertEqual(self.terminal.color, 1)
        _request, status = self.charge()
        self.assertEqual(status["state"], "refused")

    def test_status_is_not_read_when_viva_is_away(self):
        self.account.accounts_url = "http://127.0.0.1:9"
        with self.assertRaises(UserError):
            self.terminal.action_refresh_status()
