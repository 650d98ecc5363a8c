"""From nothing to a card payment, along the buttons of the account's form; and moving over from `pos_viva_com`."""

from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import Form, new_test_user

from ..models.viva_account_move_over import FIELDS
from .common import MERCHANT_ID, VivaCase

SECOND_MERCHANT = "22222222-2222-3333-4444-555555555555"


class TestOnboarding(VivaCase):
    def setUp(self):
        super().setUp()
        self.terminals = self.env["viva.terminal"]

    def test_from_credentials_to_the_payment_method(self):
        # Another company has nothing yet, neither account nor terminals.
        company = self.env["res.company"].create(
            {"name": "New shop", "currency_id": self.env.ref("base.EUR").id}
        )
        self.env.user.company_ids |= company
        env = self.env(context={**self.env.context, "allowed_company_ids": company.ids})
        journal = env["account.journal"].create(
            {"name": "Bank", "code": "VBNK", "type": "bank", "company_id": company.id}
        )
        with Form(env["viva.account"]) as form:
            form.name = "New shop"
            form.environment = "custom"
            form.accounts_url = form.api_url = form.www_url = self.simulator.url
            form.client_id = "sim2-client.apps.vivapayments.com"
            form.client_secret = "sim2-secret"
            form.merchant_id = SECOND_MERCHANT
            form.api_key = "sim2-api-key"
        account = form.record
        self.assertEqual(account.company_id, company)
        self.assertEqual(account.responsible_id, self.env.user)

        account.action_check()
        self.assertEqual(account.check_state, "ok", account.check_message)

        wizard = env["viva.find.terminals"].browse(account.action_find_terminals()["res_id"])
        self.assertEqual(wizard.line_ids.mapped("viva_id"), ["16000020"])
        line = wizard.line_ids
        self.assertTrue(line.is_chosen)
        line.name = "Till 1"
        line.model_id = env.ref("viva_payments.terminal_model_p2_se")
        wizard.action_register()
        self.assertEqual(account.terminal_ids.name, "Till 1")
        self.assertEqual(account.terminal_ids.status, "1")
        self.assertEqual(account.terminal_ids.company_id, company)

        self.assertEqual(account.payment_method_count, 0)
        action = account.action_create_payment_method()
        method = env["pos.payment.method"].browse(action["res_id"])
        self.assertTrue(method._is_viva())
        self.assertEqual(method.viva_terminal_ids, account.terminal_ids)
        self.assertEqual((method.company_id, method.journal_id), (company, journal))
        self.assertTrue(method.viva_demo)
        account.invalidate_recordset()
        self.assertEqual(account.payment_method_count, 1)
        self.assertEqual(account.action_view_payment_methods()["res_id"], method.id)

    def test_known_terminals_are_listed_and_kept(self):
        self.terminal.name = "Counter"
        wizard = self.env["viva.find.terminals"].browse(
            self.account.action_find_terminals()["res_id"]
        )
        known = wizard.line_ids.filtered("is_registered")
        self.assertEqual(
            set(known.mapped("viva_id")), set((self.terminal | self.terminal_2).mapped("viva_id"))
        )
        self.assertIn("Counter", known.mapped("name"))
        self.assertEqual(known.model_id, self.terminal.model_id)
        self.assertFalse(any(known.mapped("is_chosen")))
        broken = wizard.line_ids - known
        self.assertEqual(broken.status, "6")
        self.assertFalse(broken.is_chosen, "What is broken at Viva is not offered.")
        with self.assertRaises(UserError):
            wizard.action_register()
        broken.is_chosen = True
        wizard.action_register()
        self.assertEqual(len(self.account.terminal_ids), 3)

    def test_second_press_adds_the_new_terminals_to_the_method(self):
        new = self.terminals.create(
            {
                "account_id": self.account.id,
                "name": "New",
                "viva_id": "16000013",
                "model_id": self.env.ref("viva_payments.terminal_model_other").id,
            }
        )
        action = self.account.action_create_payment_method()
        self.assertEqual(action["res_id"], self.method.id)
        self.assertIn(new, self.method.viva_terminal_ids)

    def test_what_is_missing_is_said(self):
        account = self.env["viva.account"].create({"name": "Empty", "company_id": self.company.id})
        with self.assertRaisesRegex(UserError, "Find terminals"):
            account.action_create_payment_method()
        self.account.accounts_url = "http://127.0.0.1:9"
        with self.assertRaisesRegex(UserError, "Check"):
            self.account.action_find_terminals()

    def test_all_views_open(self):
        """As administrator, as manager and as cashier: each finds his fields only."""
        admin = new_test_user(
            self.env,
            "viva_administrator",
            groups="base.group_user,base.group_system,point_of_sale.group_pos_manager",
            company_id=self.company.id,
            company_ids=[Command.set(self.company.ids)],
        )
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"])
        for user, records in (
            (
                admin,
                (
                    self.account,
                    self.terminal,
                    self.terminal.model_id,
                    transaction,
                    self.session,
                    self.method,
                ),
            ),
            (self.manager, (self.account, self.terminal, transaction, self.session)),
            (self.cashier, (self.terminal, transaction, self.session)),
        ):
            for record in records:
                record = record.with_user(user)
                views = record.get_views([(False, kind) for kind in ("form", "list", "search")])[
                    "views"
                ]
                with self.subTest(model=record._name, user=user.login):
                    self.assertEqual(
                        "client_secret" in views["form"]["arch"],
                        record == self.account and user == admin,
                    )
                    self.assertTrue(Form(record))

    def test_settings_lead_to_the_account(self):
        settings = self.env["res.config.settings"].create({})
        self.assertEqual(settings.viva_account_count, 1)
        self.assertEqual(
            settings.viva_can_move_over, bool(self.env["viva.account"]._pos_viva_com_methods())
        )


class TestMoveOver(VivaCase):
    """Credentials and terminals of `pos_viva_com`, as its payment methods hold them."""

    def rows(self):
        credentials = {
            "client_id": "old.apps.vivapayments.com",
            "client_secret": "old-secret",
            "merchant_id": "33333333-2222-3333-4444-555555555555",
            "api_key": "old-key",
            "company_id": self.company.id,
        }
        return [
            {**credentials, "environment": "live", "name": "Card 1", "viva_id": "17000001"},
            {**credentials, "environment": "live", "name": "Card 2", "viva_id": " 17000002 "},
            {**credentials, "environment": "demo", "name": "Card test", "viva_id": "17000001"},
        ]

    def test_one_account_per_merchant_and_environment(self):
        accounts = self.env["viva.account"]._move_over(self.rows())
        self.assertEqual(sorted(accounts.mapped("environment")), ["demo", "live"])
        live = accounts.filtered(lambda account: account.environment == "live")
        self.assertEqual(live.client_secret, "old-secret")
        self.assertEqual(live.company_id, self.company)
        self.assertEqual(
            live.terminal_ids.sorted("viva_id").mapped("viva_id"), ["17000001", "17000002"]
        )
        self.assertEqual(live.check_state, "unchecked")

    def test_second_time_changes_nothing(self):
        accounts = self.env["viva.account"]._move_over(self.rows())
        accounts[0].client_secret = "newer"
        terminals = accounts.terminal_ids
        self.assertEqual(self.env["viva.account"]._move_over(self.rows()), accounts)
        self.assertEqual(accounts[0].client_secret, "newer")
        self.assertEqual(accounts.terminal_ids, terminals)

    def test_existing_account_is_used(self):
        [row] = self.rows()[:1]
        self.account.write({"environment": "live"})
        row = {**row, "merchant_id": MERCHANT_ID.upper()}
        self.assertEqual(self.env["viva.account"]._move_over([row]), self.account)
        self.assertIn("17000001", self.account.terminal_ids.mapped("viva_id"))

    def test_terminal_of_somebody_else_is_left_alone(self):
        other = self.env["res.company"].create({"name": "Other"})
        account = (
            self.env["viva.account"]
            .sudo()
            .create({"name": "Other", "company_id": other.id, "environment": "live"})
        )
        self.env["viva.terminal"].sudo().create(
            {
                "account_id": account.id,
                "name": "Other",
                "viva_id": "17000001",
                "model_id": self.env.ref("viva_payments.terminal_model_other").id,
            }
        )
        accounts = self.env["viva.account"]._move_over(self.rows()[:1])
        self.assertFalse(accounts.terminal_ids)

    def test_without_the_module_there_is_nothing_to_move(self):
        if set(FIELDS.values()) & set(self.env["pos.payment.method"]._fields):
            self.skipTest("pos_viva_com is installed here")
        self.assertFalse(self.env["viva.account"]._pos_viva_com_methods())
        with self.assertRaises(UserError):
            self.env["viva.account"].action_move_over()
