"""Who may read and do what. Secrets end at the administrator, the ledger is written by nobody."""

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.service.model import get_public_method
from odoo.tests import new_test_user
from odoo.tools import file_open, mute_logger

from ..drivers import Token
from ..models.ledger import CONTEXT_KEY, in_ledger
from .common import VivaCase

SECRETS = (
    "client_id",
    "client_secret",
    "merchant_id",
    "api_key",
    "webhook_path",
    "webhook_path_previous",
    "webhook_key",
    "webhook_url",
    "accounts_url",
    "api_url",
    "www_url",
    "database_uuid",
)
MODELS = (
    "viva.account",
    "viva.connection",
    "viva.terminal",
    "viva.terminal.model",
    "viva.transaction",
    "viva.transaction.step",
    "viva.event",
    "viva.handover",
)


class AccessCase(VivaCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_company = cls.env["res.company"].create({"name": "Other"})
        cls.admin = cls.make_user("viva_administrator", "viva_payments.group_viva_admin")
        cls.accountant = cls.make_user("viva_accountant", "account.group_account_invoice")
        cls.portal = new_test_user(cls.env, "viva_portal", groups="base.group_portal")
        cls.stranger = cls.make_user(
            "viva_stranger", "viva_payments.group_viva_admin", company=cls.other_company
        )

    @classmethod
    def make_user(cls, login, group, company=None):
        company = company or cls.company
        return new_test_user(
            cls.env,
            login,
            groups=f"base.group_user,{group}",
            company_id=company.id,
            company_ids=[Command.set(company.ids)],
        )


class TestSecrets(AccessCase):
    def test_cashier_reads_no_account(self):
        account = self.account.with_user(self.cashier)
        for field in ("name", *SECRETS):
            with self.subTest(field=field), self.assertRaises(AccessError):
                account.read([field])

    def test_manager_reads_the_account_without_its_secrets(self):
        account = self.account.with_user(self.manager)
        self.assertEqual(account.read(["name"])[0]["name"], self.account.name)
        self.assertFalse(set(SECRETS) & set(account.read()[0]))
        self.assertFalse(set(SECRETS) & set(account.fields_get()))
        for field in SECRETS:
            with self.subTest(field=field):
                with self.assertRaises(AccessError):
                    account.read([field])
                with self.assertRaises(AccessError):
                    account.search([(field, "ilike", "a")])
                with self.assertRaises(AccessError):
                    account.search([], order=field)
                with self.assertRaises(AccessError):
                    account.web_read({field: {}})
                with self.assertRaises(AccessError):
                    account.write({field: "x"})

    def test_secrets_are_not_reached_through_relations(self):
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"]).with_user(self.cashier)
        self.assertEqual(transaction.state, "pending")
        for model in ("viva.transaction", "viva.terminal"):
            for user in (self.cashier, self.manager):
                with self.subTest(model=model, user=user.login), self.assertRaises(AccessError):
                    self.env[model].with_user(user).search(
                        [("account_id.client_secret", "like", "s")]
                    )
        with self.assertRaises(AccessError):
            transaction.web_read({"account_id": {"fields": {"client_secret": {}}}})
        self.manager.group_ids |= self.env.ref("base.group_allow_export")
        with self.assertRaises(AccessError):
            self.account.with_user(self.manager).export_data(["name", "client_secret"])

    def test_nothing_of_it_is_loaded_into_the_till(self):
        loaded = str(self.session.with_user(self.cashier).load_data([]))
        for secret in ("sim-secret", "sim-api-key", "sim-client", self.account.webhook_path):
            self.assertNotIn(secret, loaded)
        self.assertIn(self.terminal.viva_id, loaded)

    def test_administrator_reads_them(self):
        self.assertEqual(self.account.with_user(self.admin).client_secret, "sim-secret")

    def test_connection_is_nobodys(self):
        self.account._connection().save(Token("secret-token", 1.0))
        for user in (self.cashier, self.manager, self.admin, self.env.ref("base.user_admin")):
            connections = self.env["viva.connection"].with_user(user)
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                connections.search([])
            with self.assertRaises(AccessError):
                connections.create({"account_id": self.account.id})

    def test_copies_have_no_secrets(self):
        twin = self.account.copy({"name": "Twin"})
        for field in ("client_id", "client_secret", "merchant_id", "api_key", "webhook_key"):
            self.assertFalse(twin[field], field)
        self.assertNotEqual(twin.webhook_path, self.account.webhook_path)
        self.assertFalse(twin.terminal_ids)
        self.assertEqual(twin.check_state, "unchecked")

    def test_neutralized_database_holds_no_secret(self):
        self.account.action_check()
        self.assertTrue(self.account.webhook_key)
        self.account.action_rotate_webhook()
        self.account._connection().save(Token("secret-token", 1.0))
        secrets = [
            *("secret-token", "sim-secret", "sim-api-key", "sim-client", self.simulator.url),
            *(
                self.account.webhook_path,
                self.account.webhook_path_previous,
                self.account.webhook_key,
            ),
            self.account.merchant_id,
        ]
        self.env.flush_all()
        self.assertTrue(all(secret in self.dump() for secret in secrets))
        with file_open("viva_payments/data/neutralize.sql") as script:
            self.env.cr.execute(script.read())
        self.env.invalidate_all()
        dump = self.dump()
        for secret in secrets:
            self.assertNotIn(secret, dump)
        self.assertTrue(self.account.is_foreign_database)
        self.assertTrue(self.account.is_demo)
        self.assertTrue(self.account._refusal())

    def dump(self):
        """The account tables as text. Terminals keep the name of their environment until they are used again."""
        self.env.cr.execute(
            "SELECT row_to_json(viva_account)::text FROM viva_account "
            "UNION ALL SELECT row_to_json(viva_connection)::text FROM viva_connection"
        )
        return "\n".join(row for (row,) in self.env.cr.fetchall())


class TestRights(AccessCase):
    def test_portal_and_public_read_nothing(self):
        for user in (self.portal, self.env.ref("base.public_user")):
            for model in MODELS:
                with self.subTest(model=model, user=user.id), self.assertRaises(AccessError):
                    self.env[model].with_user(user).search([])

    def test_portal_calls_nothing(self):
        ledger = self.env["viva.transaction"].with_user(self.portal)
        request, _status = self.charge()
        for call in (
            lambda: ledger.pos_start(self.request(self.make_order())),
            lambda: ledger.pos_check([request["attempt"]]),
            lambda: ledger.pos_find([request["order_uuid"]]),
            lambda: ledger.pos_abort(request["attempt"]),
            lambda: ledger.pos_force(request["attempt"], "because"),
            lambda: self.transaction(request["attempt"]).with_user(self.portal).action_check(),
            lambda: self.transaction(request["attempt"]).with_user(self.portal).action_abort(),
        ):
            with self.assertRaises(AccessError):
                call()

    def test_cashier_reads_terminals_and_payments_only(self):
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"]).with_user(self.cashier)
        self.assertEqual(transaction.name, transaction.sudo().name)
        self.assertTrue(transaction.step_ids.mapped("kind"))
        self.assertTrue(self.terminal.with_user(self.cashier).known)
        with self.assertRaises(AccessError):
            transaction.step_ids.read(["raw"])
        with self.assertRaises(AccessError):
            self.env["viva.event"].with_user(self.cashier).search([])
        with self.assertRaises(AccessError):
            self.terminal.with_user(self.cashier).protocol_override  # noqa: B018 (reading is the test)

    def test_cashier_and_manager_set_nothing_up(self):
        model = self.env.ref("viva_payments.terminal_model_other")
        for user in (self.cashier, self.manager, self.accountant):
            for record, values in (
                (self.account, {"name": "x"}),
                (self.terminal, {"name": "x"}),
                (model, {"name": "x"}),
            ):
                record = record.with_user(user)
                with self.subTest(model=record._name, user=user.login):
                    with self.assertRaises(AccessError):
                        record.write(values)
                    with self.assertRaises(AccessError):
                        record.create({"name": "x"})
                    with self.assertRaises(AccessError):
                        record.unlink()

    def test_buttons_of_the_administrator(self):
        for user in (self.cashier, self.manager):
            account, terminal = self.account.with_user(user), self.terminal.with_user(user)
            for button in (
                account.action_check,
                account.action_find_terminals,
                account.action_rotate_webhook,
                account.action_confirm_database,
                account.action_create_payment_method,
                account.action_move_over,
                terminal.action_refresh_status,
            ):
                with self.subTest(button=button, user=user.login), self.assertRaises(AccessError):
                    button()

    def test_decisions_of_the_manager(self):
        request, _status = self.charge()
        transaction = self.amend(request["attempt"], state="unknown", reason="no_end")
        with self.assertRaises(AccessError):
            self.ledger.pos_force(request["attempt"], "slip 123456")
        with self.assertRaises(AccessError):
            self.env["viva.decide.wizard"].with_user(self.cashier).create(
                {"transaction_id": transaction.id, "decision": "approved", "reason": "slip 123456"}
            )
        with self.assertRaises(AccessError):
            self.env["viva.handover.wizard"].with_user(self.cashier).create(
                {"session_id": self.session.id, "reason": "because"}
            )
        with self.assertRaises(AccessError):
            transaction.pos_order_id.with_user(self.cashier).action_viva_attach()
        with self.assertRaises(AccessError):
            self.env["viva.find.terminals"].with_user(self.manager).create(
                {"account_id": self.account.id}
            )

    def test_accountant_reads_payments(self):
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"]).with_user(self.accountant)
        values = transaction.read(
            ["name", "state", "message", "amount", "is_attached", "reversed_amount"]
        )[0]
        self.assertEqual(values["state"], "pending")
        self.assertTrue(transaction.step_ids.mapped("kind"))
        with self.assertRaises(AccessError):
            self.env["viva.transaction"].with_user(self.accountant).pos_check([request["attempt"]])

    def test_task_of_an_alarm_is_finished_by_its_manager(self):
        self.account.responsible_id = self.manager
        self.env.flush_all()
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"])
        in_ledger(
            self.env,
            lambda env: env["viva.transaction"].browse(transaction.id)._alarm("Look", "At this"),
        )
        transaction.invalidate_recordset()
        task = transaction.with_user(self.manager).activity_ids
        self.assertEqual(task.summary, "Look")
        task.action_feedback(feedback="Seen")
        transaction.invalidate_recordset()
        self.assertFalse(transaction.activity_ids)
        self.assertIn("Seen", str(transaction.message_ids.mapped("body")))

    def test_another_company_sees_nothing(self):
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"])
        for record in (self.account, self.terminal, transaction, transaction.step_ids):
            record = record.with_user(self.stranger)
            with self.subTest(model=record._name):
                self.assertFalse(record.search([("id", "in", record.ids)]))
                with self.assertRaises(AccessError):
                    record.read(["display_name"])
        ledger = self.env["viva.transaction"].with_user(self.stranger)
        self.assertEqual(ledger.pos_check([request["attempt"]]), [])
        self.assertEqual(ledger.pos_find([request["order_uuid"]]), [])
        for call in (
            lambda: ledger.pos_abort(request["attempt"]),
            lambda: ledger.pos_force(request["attempt"], "slip 123456"),
        ):
            with self.assertRaises(UserError):
                call()
        with self.assertRaises(AccessError):
            transaction.with_user(self.stranger).action_check()
        with self.assertRaises(AccessError):
            self.account.with_user(self.stranger).action_check()
        self.assertEqual(self.transaction(request["attempt"]).state, "pending")

    def test_another_company_does_not_charge_here(self):
        request = self.request(self.make_order())
        status = self.env["viva.transaction"].with_user(self.stranger).pos_start(request)
        self.assertEqual(status["state"], "refused")
        self.assertFalse(self.transaction(request["attempt"]))

    def test_what_is_inside_is_not_callable_from_outside(self):
        for name in ("_record", "_send", "_settle", "_decide", "_abort", "_move", "_step", "_mine"):
            with self.subTest(name=name), self.assertRaises(AccessError):
                get_public_method(self.env["viva.transaction"], name)
        for model, name in (
            ("viva.account", "_driver"),
            ("viva.account", "_webhook_verified"),
            ("viva.event", "_receive"),
            ("viva.handover", "_record"),
            ("viva.connection", "_store"),
        ):
            with self.subTest(name=name), self.assertRaises(AccessError):
                get_public_method(self.env[model], name)


class TestLedger(AccessCase):
    def setUp(self):
        super().setUp()
        request, _status = self.charge()
        self.attempt = request["attempt"]
        self.record = self.transaction(self.attempt)

    def writers(self):
        """The record for everybody who might try, the superuser included."""
        for user in (self.cashier, self.manager, self.admin, self.env.ref("base.user_admin")):
            yield self.record.with_user(user)
        yield self.record.sudo()

    def test_nobody_writes_a_payment(self):
        for record in self.writers():
            with self.subTest(user=record.env.user.login):
                for values in (
                    {"state": "approved"},
                    {"approved_amount": 1.0},
                    {"state": "approved", "message_follower_ids": []},
                    {"holds_terminal": False},
                ):
                    with self.assertRaises(UserError):
                        record.write(values)
                with self.assertRaises(UserError):
                    record.unlink()
                with self.assertRaises(UserError):
                    record.copy()
                with self.assertRaises(UserError):
                    record.create({"name": "x"})
        self.assertEqual(self.transaction(self.attempt).state, "pending")

    def test_a_forged_key_does_not_open_it(self):
        for value in (True, 1, "1", object(), {"MACHINE": True}, "MACHINE"):
            forged = self.record.sudo().with_context(**{CONTEXT_KEY: value})
            with self.subTest(value=value), self.assertRaises(UserError):
                forged.write({"state": "approved"})
            with self.assertRaises(UserError):
                forged.step_ids.create({"transaction_id": forged.id, "kind": "person"})

    def test_history_is_append_only(self):
        for record in self.writers():
            with self.subTest(user=record.env.user.login):
                with self.assertRaises(UserError):
                    record.step_ids[:1].write({"note": "x"})
                with self.assertRaises(UserError):
                    record.step_ids[:1].unlink()
                with self.assertRaises(UserError):
                    record.step_ids.create({"transaction_id": record.id, "kind": "person"})

    def test_events_and_handovers_stay_as_they_are(self):
        self.env["viva.event"]._receive(
            self.account.sudo(),
            {
                "RecipientId": self.account.merchant_id,
                "EventTypeId": 1796,
                "MessageId": "m1",
                "EventData": {"MerchantTrns": self.record.merchant_reference},
            },
        )
        event = self.env["viva.event"].search([("message_id", "=", "m1")])
        self.assertEqual(event.transaction_id, self.record)
        self.amend(self.attempt, state="unknown", reason="no_end")
        transactions, payments = self.session._viva_findings()
        handover = (
            self.env["viva.handover"]
            .with_user(self.manager)
            ._record(
                self.session.with_user(self.manager), transactions, payments, "terminal broken"
            )
        )
        for record, values in ((event, {"payload": {}}), (handover, {"reason": "x"})):
            for user in (self.manager, self.admin):
                with self.subTest(model=record._name, user=user.login):
                    with self.assertRaises(UserError):
                        record.with_user(user).write(values)
                    with self.assertRaises(UserError):
                        record.with_user(user).unlink()
            with self.assertRaises(UserError):
                record.sudo().write(values)

    def test_open_payments_protect_their_account_and_terminal(self):
        account, terminal = self.account.with_user(self.admin), self.terminal.with_user(self.admin)
        for call in (
            lambda: account.write({"client_secret": "another"}),
            lambda: account.write({"environment": "live"}),
            lambda: account.write({"company_id": self.other_company.id}),
            lambda: account.write({"active": False}),
            lambda: account.unlink(),
            lambda: terminal.write({"viva_id": "16000099"}),
            lambda: terminal.write({"active": False}),
            lambda: terminal.unlink(),
            lambda: self.env.ref("base.module_viva_payments").button_uninstall(),
        ):
            with self.assertRaises(UserError):
                call()
        self.assertEqual(self.account.client_secret, "sim-secret")
        account.name = "Another name"
        terminal.name = "Another name"

    @mute_logger("odoo.sql_db")
    def test_settled_payments_protect_them_from_deletion_only(self):
        self.simulator.act("tap")
        self.assertEqual(self.check_until(self.attempt, "approved")["state"], "approved")
        self.env.invalidate_all()
        with self.assertRaises(UserError):
            self.account.unlink()
        with self.assertRaises(UserError):
            self.terminal.unlink()
        self.account.with_user(self.admin).client_secret = "another"
        self.terminal.with_user(self.admin).active = False
