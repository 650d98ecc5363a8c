"""Who may ask a card from the back office, and who sees what of it: over RPC, as each user, with nothing but his rights.

A table instead of many tests: who is not named is refused, and what was refused has sent and written nothing.
"""

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.service.model import call_kw
from odoo.tests import Form, new_test_user

from ..models.ledger import CONTEXT_KEY
from .test_booking import BookingCase

# Whoever may read card payments in accounting.
READERS = {"biller", "biller_2", "readonly", "accountant"}
# What a booking offers over RPC besides Odoo's own methods. A new name belongs here, with a thought about who may call it.
CALLS = {"start", "check", "abort", "again"}
# Wizards that give money back or take what is held: never for who only bills.
BACK = ("refund", "capture", "release", "operation", "decide", "handover")


class RightsCase(BookingCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        common = {"company_id": cls.company.id, "company_ids": [Command.set(cls.company.ids)]}
        cls.elsewhere = cls.env["res.company"].create({"name": "Elsewhere"})
        cls.users = {
            "portal": new_test_user(cls.env, "rights_portal", groups="base.group_portal", **common),
            "employee": new_test_user(cls.env, "rights_plain", groups="base.group_user", **common),
            "cashier": cls.cashier,
            "biller": cls.biller,
            "biller_2": cls.biller_2,
            "readonly": new_test_user(
                cls.env,
                "rights_readonly",
                groups="base.group_user,account.group_account_readonly",
                **common,
            ),
            "accountant": cls.accountant,
            # Everything, but in another company.
            "stranger": new_test_user(
                cls.env,
                "rights_stranger",
                groups="base.group_user,account.group_account_manager,viva_payments.group_viva_admin,"
                "base.group_allow_export",
                company_id=cls.elsewhere.id,
                company_ids=[Command.set(cls.elsewhere.ids)],
            ),
        }

    def setUp(self):
        super().setUp()
        self.users = dict(self.users)

    def rpc(self, name, model, method, *args, context=None, **kwargs):
        """As it comes from a browser."""
        records = self.env[model].with_user(self.users[name])
        if context is not None:
            kwargs["context"] = context
        result = call_kw(records, method, args, kwargs)
        self.env.flush_all()
        self.env.invalidate_all()
        return result

    def refused(self, name, model, method, *args, **kwargs):
        """By a right that is missing, or because to him it does not exist."""
        with self.assertRaises(UserError):
            self.rpc(name, model, method, *args, **kwargs)
        self.env.invalidate_all()

    def sent(self):
        return len(self.simulator.control("GET", "sessions"))

    def each(self, allowed):
        """(name, whether he may) of each user."""
        for name in self.users:
            with self.subTest(user=name):
                yield name, name in allowed


class TestCalls(RightsCase):
    def test_start(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        for name, may in self.each({"biller"}):
            if not may:
                # Also who may charge does not start what somebody else has prepared.
                self.refused(name, "viva.booking", "start", booking.attempt)
                self.assertEqual((booking.state, self.sent()), ("prepared", 0))
                self.assertFalse(booking.transaction_id)
        status = self.rpc("biller", "viva.booking", "start", booking.attempt)
        self.assertEqual((status["state"], self.sent()), ("pending", 1))

    def test_right_that_was_taken_away_before_the_start(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        attempt = booking.attempt
        self.biller.group_ids -= self.env.ref("account.group_account_invoice")
        self.refused("biller", "viva.booking", "start", attempt)
        self.assertEqual(self.sent(), 0)

    def test_check(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        self.start_booking(booking)
        for name, may in self.each(READERS):
            if may:
                status = self.rpc(name, "viva.booking", "check", booking.attempt)
                self.assertEqual(status["booking"]["id"], booking.id)
            else:
                self.refused(name, "viva.booking", "check", booking.attempt)

    def test_abort(self):
        """What was only prepared is its asker's, or an accountant's."""
        for name, may in self.each({"biller", "accountant"}):
            booking = self.prepare(invoices=self.make_invoice(100))
            if may:
                self.rpc(name, "viva.booking", "abort", booking.attempt)
                self.assertEqual(booking.state, "not_done")
            else:
                self.refused(name, "viva.booking", "abort", booking.attempt)
                self.assertEqual(booking.state, "prepared")

    def test_again(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        self.rpc("biller", "viva.booking", "abort", booking.attempt)
        for name, may in self.each({"biller", "biller_2", "accountant"}):
            before = self.env["viva.booking"].search_count([])
            if may:
                attempt = self.rpc(name, "viva.booking", "again", booking.attempt)
                new = self.env["viva.booking"].search([("attempt", "=", attempt)])
                self.assertEqual((new.user_id, new.state), (self.users[name], "prepared"))
            else:
                self.refused(name, "viva.booking", "again", booking.attempt)
                self.assertEqual(self.env["viva.booking"].search_count([]), before)

    def test_post(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        self.start_booking(booking)
        self.env.cr.execute("DELETE FROM account_payment WHERE id = %s", [booking.payment_id.id])
        self.env.invalidate_all()
        self.simulator.act("tap")
        self.check_booking(booking, "approved")
        for name, may in self.each({"accountant"}):
            if not may:
                self.refused(name, "viva.booking", "action_post", booking.ids)
            self.assertEqual(booking.state, "to_post")
        self.rpc("accountant", "viva.booking", "action_post", booking.ids)
        self.assertEqual(booking.state, "booked")
        self.refused("accountant", "viva.booking", "action_post", booking.ids)

    def test_money_back_by_who_only_bills(self):
        """He asks again for what an accountant has asked for, starts it, or has a refund prepared: no."""
        invoice = self.make_invoice(100)
        sale, _status = self.charge_invoices(invoice)
        self.env.invalidate_all()
        credit = self.make_invoice(100, move_type="out_refund")
        parent = sale.transaction_id
        refund = self.prepare("refund", invoices=credit, parent=parent)
        sent = self.sent()
        for name, may in self.each({"accountant"}):
            if not may:
                self.refused(name, "viva.booking", "start", refund.attempt)
                self.refused(name, "viva.booking", "abort", refund.attempt)
        self.rpc("accountant", "viva.booking", "abort", refund.attempt)
        for name, may in self.each({"accountant"}):
            if not may:
                self.refused(name, "viva.booking", "again", refund.attempt)
        hold, _status = self.start("preauth", None, 5000, reference="Deposit")
        sent += 1
        self.simulator.act("tap")
        self.check_until(hold["attempt"], "approved")
        held = self.transaction(hold["attempt"])
        for operation in ("refund", "void", "capture", "release"):
            original = held if operation in ("capture", "release") else parent
            with self.subTest(operation=operation), self.assertRaises(AccessError):
                self.prepare(operation, 50, by=self.biller, parent=original)
        self.assertEqual(self.sent(), sent)
        self.assertEqual(self.given_back(), [])

    def test_who_only_bills_does_not_take_a_hold(self):
        self.prepare("preauth", 50, by=self.biller, hold={"reference": "Deposit", "move_id": False})
        with self.assertRaises(AccessError):
            self.prepare("preauth", 50, by=self.users["readonly"])

    def test_nothing_else_is_callable(self):
        """What a model of ours offers to a browser is on purpose."""
        bookings = self.env["viva.booking"]
        own = {
            name
            for cls in type(bookings).mro()
            if "viva_payments" in getattr(cls, "__module__", "")
            for name, value in vars(cls).items()
            if callable(value) and not name.startswith("_")
        }
        inherited = {"create", "write", "unlink"}
        self.assertEqual(
            {name for name in own if not name.startswith("action_")} - inherited, CALLS
        )
        for name in (
            "_prepare",
            "_follow",
            "_in_books",
            "_note_obstacle",
            "_machine",
            "_as_person",
            "_post",
            "_end",
            "_cron_follow",
            "_give_up",
        ):
            with self.subTest(name=name), self.assertRaises(AccessError):
                self.rpc("accountant", "viva.booking", name)
        for name in ("_start_booking", "_derive_booking", "_record", "_claim_documents"):
            with self.subTest(name=name), self.assertRaises(AccessError):
                self.rpc("accountant", "viva.transaction", name)
        for name in ("_viva_draft", "_viva_machine"):
            with self.subTest(name=name), self.assertRaises(AccessError):
                self.rpc("accountant", "account.payment", name)

    def test_attempt_that_is_no_text(self):
        for attempt in (None, False, 1, [], {}, ["a"], "", "x' OR 1=1"):
            for method in ("start", "check", "abort", "again"):
                with self.subTest(attempt=attempt, method=method):
                    self.refused("biller", "viva.booking", method, attempt)


class TestNobodyWrites(RightsCase):
    def ours(self):
        """Our models that are stored, with a record of each where there is one."""
        for model in self.env.registry:
            kind = self.env[model]
            if model.startswith("viva.") and not kind._transient and not kind._abstract:
                yield model

    def test_models(self):
        booking, _status = self.charge_invoices(self.make_invoice(100))
        self.assertTrue(booking.line_ids)
        for model in self.ours():
            record = self.env[model].sudo().search([], limit=1)
            for name, _may in self.each(set()):
                if name == "stranger":
                    continue
                with self.subTest(model=model):
                    self.refused(name, model, "create", [{"name": "x"}])
                    self.refused(name, model, "write", record.ids or [1], {"active": False})
                    self.refused(name, model, "unlink", record.ids or [1])
                    self.refused(name, model, "copy", record.ids or [1])

    def test_bookings_and_ledger(self):
        """Also an administrator of everything, and with what the ledger's own code has in its context."""
        booking, _status = self.charge_invoices(self.make_invoice(100))
        admin = self.env.ref("base.user_admin")
        admin.write(
            {
                "company_ids": [Command.link(self.company.id)],
                "company_id": self.company.id,
                "group_ids": [
                    Command.link(self.env.ref("account.group_account_manager").id),
                    Command.link(self.env.ref("viva_payments.group_viva_admin").id),
                ],
            }
        )
        self.users["admin"] = admin
        fresh = {
            "attempt": "00000000-0000-4000-8000-000000000000",
            "operation": "refund",
            "company_id": self.company.id,
            "user_id": admin.id,
            "account_id": self.account.id,
            "terminal_id": self.terminal.id,
            "currency_id": self.company.currency_id.id,
            "amount": 1,
            "state": "prepared",
        }
        line = {"booking_id": booking.id, "move_id": self.make_invoice(5).id, "is_claim": True}
        for name in ("admin", "accountant", "biller"):
            for context in (
                None,
                {CONTEXT_KEY: True},
                {CONTEXT_KEY: "MACHINE", "default_state": "booked"},
                {CONTEXT_KEY: {}, "default_user_id": self.biller.id},
            ):
                with self.subTest(user=name, context=context):
                    options = {"context": context}
                    self.refused(name, "viva.booking", "create", [fresh], **options)
                    for values in (
                        {"state": "prepared"},
                        {"amount": 1},
                        {"user_id": self.users[name].id},
                        {"payment_id": False},
                        {"message_main_attachment_id": False, "state": "prepared"},
                    ):
                        self.refused(name, "viva.booking", "write", booking.ids, values, **options)
                        self.refused(
                            name, "viva.booking", "web_save", booking.ids, values, {}, **options
                        )
                    self.refused(name, "viva.booking", "unlink", booking.ids, **options)
                    self.refused(name, "viva.booking.line", "create", [line], **options)
                    self.refused(
                        name,
                        "viva.booking.line",
                        "write",
                        booking.line_ids.ids,
                        {"is_claim": True},
                        **options,
                    )
                    self.refused(
                        name, "viva.booking.line", "unlink", booking.line_ids.ids, **options
                    )
                    self.refused(
                        name,
                        "viva.transaction",
                        "write",
                        booking.transaction_id.ids,
                        {"state": "approved"},
                        **options,
                    )
        self.assertEqual(booking.state, "booked")
        self.assertEqual(self.env["viva.booking"].search([]), booking)

    def test_through_what_points_to_them(self):
        """One2many fields of Odoo's documents are no back door."""
        invoice = self.make_invoice(100)
        booking, _status = self.charge_invoices(invoice)
        payment = booking.payment_id
        for name in ("biller", "accountant"):
            for commands in (
                [[1, booking.id, {"state": "prepared"}]],
                [[2, booking.id, 0]],
                [[5, 0, 0]],
                [[0, 0, {"operation": "refund", "amount": 1}]],
            ):
                with self.subTest(user=name, commands=commands):
                    try:
                        with self.env.cr.savepoint():
                            self.rpc(
                                name,
                                "account.payment",
                                "write",
                                payment.ids,
                                {"viva_booking_ids": commands},
                            )
                    except UserError:
                        self.env.invalidate_all()
        self.assertEqual(booking.payment_id, payment)
        self.assertEqual(booking.state, "booked")
        self.assertEqual(self.env["viva.booking"].search([]), booking)

    def test_defaults_of_a_context_do_not_reach_the_payment(self):
        """A browser sends a context with each call: what is prepared and booked does not depend on it."""
        invoice, other = self.make_invoice(100), self.make_invoice(7)
        first = self.prepare(invoices=invoice)
        self.rpc("biller", "viva.booking", "abort", first.attempt)
        context = {
            "default_move_id": other.id,
            "default_state": "paid",
            "default_amount": 1,
            "default_partner_id": self.env.user.partner_id.id,
            "default_payment_type": "outbound",
            "default_is_claim": True,
            "default_user_id": self.accountant.id,
            "default_journal_id": self.company_data["default_journal_cash"].id,
            "default_operation": "refund",
            CONTEXT_KEY: True,
            "force_delete": True,
        }
        attempt = self.rpc("biller", "viva.booking", "again", first.attempt, context=context)
        booking = self.env["viva.booking"].search([("attempt", "=", attempt)])
        self.assertEqual(booking.user_id, self.biller)
        payment = booking.payment_id
        self.assertFalse(payment.move_id)
        self.assertEqual((payment.state, payment.payment_type), ("draft", "inbound"))
        self.assertEqual((payment.amount, payment.partner_id), (100, self.customer))
        self.assertFalse(booking.line_ids.filtered("is_claim"))
        self.rpc("biller", "viva.booking", "start", attempt, context=context)
        self.simulator.act("tap")
        self.wait_for(
            lambda: (
                self.rpc("biller", "viva.booking", "check", attempt, context=context)["state"]
                == "approved"
            )
        )
        self.assertEqual((booking.state, payment.journal_id), ("booked", self.journal))
        self.assertNotEqual(payment.move_id, other)
        self.assertEqual((invoice.amount_residual, other.amount_residual), (0, 7))


class TestReading(RightsCase):
    def setUp(self):
        super().setUp()
        self.booking, _status = self.charge_invoices(self.make_invoice(100))
        self.env.invalidate_all()

    def test_who_reads(self):
        transaction = self.booking.transaction_id
        for model, record, readers in (
            ("viva.booking", self.booking, READERS),
            ("viva.booking.line", self.booking.line_ids, READERS),
            ("viva.transaction", transaction, READERS | {"cashier"}),
            ("viva.transaction.step", transaction.step_ids[:1], READERS | {"cashier"}),
            ("viva.terminal", self.terminal, READERS | {"cashier"}),
            ("viva.terminal.model", self.terminal.model_id, READERS | {"cashier"}),
            ("viva.account", self.account, set()),
        ):
            for name, may in self.each(readers):
                with self.subTest(model=model):
                    calls = (
                        ("read", record.ids, ["display_name"]),
                        ("web_read", record.ids, {"display_name": {}}),
                        ("search_count", [("id", "in", record.ids)]),
                        ("name_search", record.display_name or ""),
                        ("formatted_read_group", [("id", "in", record.ids)], [], ["id:max"]),
                    )
                    for call in calls:
                        if may:
                            self.rpc(name, model, *call)
                        elif name == "stranger" and call[0] not in ("read", "web_read"):
                            self.assert_empty(self.rpc(name, model, *call), record)
                        elif model != "viva.terminal.model" or name != "stranger":
                            self.refused(name, model, *call)

    def assert_empty(self, answer, record):
        """What a search tells somebody of another company."""
        if record._name == "viva.terminal.model":
            return
        if isinstance(answer, int):
            self.assertEqual(answer, 0)
        else:
            self.assertNotIn(f"({record.id}, ", str(answer))
            self.assertNotIn(f"'id:max': {record.id}", str(answer))

    def test_lists_and_forms_of_who_bills(self):
        """All that a screen asks for of these models, and nothing that he may not know."""
        for name in READERS:
            for model, record in (
                ("viva.booking", self.booking),
                ("viva.transaction", self.booking.transaction_id),
                ("viva.terminal", self.terminal),
            ):
                fields = self.rpc(name, model, "fields_get")
                with self.subTest(user=name, model=model):
                    values = {}
                    for field in fields:
                        try:
                            with self.env.cr.savepoint():
                                (row,) = self.rpc(name, model, "read", record.ids, [field])
                        except AccessError:
                            # What points to records that are not his.
                            self.assertTrue(self.env[model]._fields[field].relational, field)
                            self.env.invalidate_all()
                        else:
                            values |= row
                    for secret in (
                        "sim-secret",
                        "sim-api-key",
                        "sim-client",
                        self.account.webhook_path,
                        self.account.merchant_id,
                    ):
                        self.assertNotIn(secret, str(values))
                    hidden = {
                        field
                        for field, definition in self.env[model]._fields.items()
                        if definition.groups and not self.users[name].has_groups(definition.groups)
                    }
                    self.assertFalse(hidden & fields.keys())
            for record in (self.booking, self.booking.transaction_id, self.terminal):
                with self.subTest(user=name, form=record._name):
                    Form(record.with_user(self.users[name]))
        known = self.rpc("biller", "viva.terminal", "read", self.terminal.ids, ["name", "known"])
        self.assertTrue(known[0]["known"])

    def test_every_secret_field_by_name(self):
        """Whatever has groups of its own is refused in every way in which a field can be asked for."""
        self.biller.group_ids |= self.env.ref("base.group_allow_export")
        secret_fields = [
            (model, field.name)
            for model in (
                "viva.account",
                "viva.terminal",
                "viva.transaction",
                "viva.transaction.step",
            )
            for field in self.env[model]._fields.values()
            if field.groups
            and "account" not in field.groups
            and "base.group_user" not in field.groups
        ]
        self.assertIn(("viva.terminal", "lan_host"), secret_fields)
        self.assertIn(("viva.transaction", "app_token"), secret_fields)
        self.assertIn(("viva.account", "client_secret"), secret_fields)
        ids = {
            "viva.account": self.account.ids,
            "viva.terminal": self.terminal.ids,
            "viva.transaction": self.booking.transaction_id.ids,
            "viva.transaction.step": self.booking.transaction_id.step_ids.ids,
        }
        for name in ("biller", "readonly", "accountant"):
            for model, field in secret_fields:
                with self.subTest(user=name, model=model, field=field):
                    for call in (
                        ("read", ids[model], [field]),
                        ("web_read", ids[model], {field: {}}),
                        ("search_count", [(field, "=", self.a_value(model, field))]),
                        ("search_read", [], ["id"], 0, 1, field),
                        ("export_data", ids[model], ["id", field]),
                        ("formatted_read_group", [], [field], ["__count"]),
                        ("web_read_group", [], [field], ["__count"]),
                        ("onchange", ids[model], {}, [field], {field: {}}),
                    ):
                        self.hidden(name, model, *call)

    def a_value(self, model, name):
        """Something to ask a field for; of a required one nobody asks whether it is empty."""
        field = self.env[model]._fields[name]
        if field.type == "selection":
            return field.get_values(self.env)[0]
        return 1 if field.type in ("integer", "many2one", "boolean") else "x"

    def hidden(self, name, model, method, *args):
        """Refused; or the answer does not have it."""
        try:
            with self.env.cr.savepoint():
                answer = self.rpc(name, model, method, *args)
        except (UserError, ValueError):
            self.env.invalidate_all()
            return
        text = str(answer)
        for secret in ("sim-secret", "sim-api-key", "sim-client", self.account.webhook_path):
            self.assertNotIn(secret, text)
        self.fail(f"{method} answered: {text[:200]}")

    def test_secrets_through_relations(self):
        self.biller.group_ids |= self.env.ref("base.group_allow_export")
        ways = (
            ("viva.booking", self.booking.ids, "account_id"),
            ("viva.terminal", self.terminal.ids, "account_id"),
            ("viva.transaction", self.booking.transaction_id.ids, "account_id"),
            ("account.journal", self.journal.ids, "viva_account_ids"),
        )
        for name in ("biller", "readonly", "accountant"):
            for model, ids, relation in ways:
                for field in ("client_secret", "api_key", "webhook_path", "merchant_id"):
                    with self.subTest(user=name, model=model, field=field):
                        path = f"{relation}.{field}"
                        spec = {relation: {"fields": {field: {}}}}
                        for call in (
                            ("search_count", [(path, "ilike", "s")]),
                            ("search_count", [(relation, "any", [(field, "!=", False)])]),
                            ("web_read", ids, spec),
                            ("web_search_read", [], spec),
                            ("export_data", ids, [f"{relation}/{field}"]),
                            ("formatted_read_group", [], [path], ["__count"]),
                        ):
                            self.hidden(name, model, *call)

    def test_another_company(self):
        """He finds nothing, and learns nothing by asking for it."""
        for model, record in (
            ("viva.booking", self.booking),
            ("viva.booking.line", self.booking.line_ids),
            ("viva.transaction", self.booking.transaction_id),
            ("viva.transaction.step", self.booking.transaction_id.step_ids),
            ("viva.terminal", self.terminal),
            ("viva.account", self.account),
        ):
            with self.subTest(model=model):
                domain = [("id", "in", record.ids)]
                self.assertEqual(self.rpc("stranger", model, "search", domain), [])
                self.assertEqual(self.rpc("stranger", model, "search_count", domain), 0)
                self.refused("stranger", model, "read", record.ids, ["id", "display_name"])
                self.refused("stranger", model, "export_data", record.ids, ["id", "display_name"])
        for method in ("start", "check", "abort", "again"):
            self.refused("stranger", "viva.booking", method, self.booking.attempt)
            # A company that is not his, named in the context.
            self.refused(
                "stranger",
                "viva.booking",
                method,
                self.booking.attempt,
                context={"allowed_company_ids": self.company.ids},
            )
        for action in ("action_open_dialog", "action_view_payment", "action_view_invoices"):
            self.refused("stranger", "viva.booking", action, self.booking.ids)
        self.refused("stranger", "account.journal", "action_viva_figure", self.journal.ids)

    def test_company_that_is_not_chosen(self):
        """Somebody of both companies who works in the other one at the moment."""
        self.accountant.company_ids |= self.elsewhere
        context = {"allowed_company_ids": self.elsewhere.ids}
        domain = [("id", "=", self.booking.id)]
        self.assertFalse(self.rpc("accountant", "viva.booking", "search", domain, context=context))
        self.refused("accountant", "viva.booking", "check", self.booking.attempt, context=context)
        self.assertTrue(self.rpc("accountant", "viva.booking", "search", domain))

    def test_smart_buttons_tell_nobody_else(self):
        invoice = self.booking.move_line_ids.move_id
        for record in (invoice, self.booking.payment_id, self.customer, self.journal):
            method = (
                "action_viva_figure"
                if record._name == "account.journal"
                else "action_view_viva_transactions"
            )
            for name, _may in self.each({"biller"}):
                with self.subTest(model=record._name):
                    try:
                        with self.env.cr.savepoint():
                            action = self.rpc(name, record._name, method, record.ids)
                    except UserError:
                        self.env.invalidate_all()
                        continue
                    ids = [action["res_id"]] if action.get("res_id") else None
                    domain = [("id", "in", ids)] if ids else action["domain"]
                    if name in READERS | {"cashier"}:
                        self.rpc(name, "viva.transaction", "search", domain)
                    elif name == "stranger":
                        self.assertFalse(self.rpc(name, "viva.transaction", "search", domain))
                    else:
                        self.refused(name, "viva.transaction", "search", domain)


class TestWizards(RightsCase):
    def test_create_and_buttons(self):
        """Nobody opens a dialog that moves money without the right to do so, whatever he puts into it."""
        sale, _status = self.charge_invoices(self.make_invoice(100))
        self.env.invalidate_all()
        given = {"sale": sale.transaction_id.id, "invoice": sale.move_line_ids.move_id.id}
        for model in sorted(self.env.registry):
            if not model.startswith("viva.") or not self.env[model]._transient:
                continue
            moves_money_back = any(word in model for word in BACK)
            outside = {"portal", "employee", "readonly", "cashier"}
            if moves_money_back:
                outside |= {"biller", "biller_2"}
            if model.startswith("viva.journal"):
                outside -= {"readonly"}  # a report: it moves nothing
            for name in sorted(outside):
                with self.subTest(model=model, user=name):
                    values = {
                        field: given["sale"]
                        for field in ("parent_id", "transaction_id")
                        if field in self.env[model]._fields
                    }
                    self.refused(name, model, "create", [values])
                    self.refused(name, model, "web_save", [], values, {})
                    self.refused(name, model, "onchange", [], values, [], {"display_name": {}})
        self.assertEqual(self.given_back(), [])

    def test_register_payment_does_not_refund_for_who_bills(self):
        """Values that make a refund of what Register Payment does."""
        self.charge_invoices(self.make_invoice(100))
        self.env.invalidate_all()
        sent = self.sent()
        credit = self.make_invoice(100, move_type="out_refund")
        context = {"active_model": "account.move", "active_ids": credit.ids}
        try:
            wizard = self.rpc(
                "biller",
                "account.payment.register",
                "create",
                [
                    {
                        "journal_id": self.journal.id,
                        "payment_method_line_id": self.line_out.id,
                        "amount": 100,
                    }
                ],
                context=context,
            )
            self.rpc(
                "biller",
                "account.payment.register",
                "action_create_payments",
                wizard,
                context=context,
            )
        except UserError:
            self.env.invalidate_all()
        self.assertEqual(self.sent(), sent)
        self.assertEqual(self.given_back(), [])
        self.assertFalse(self.env["viva.booking"].search([("operation", "=", "refund")]))
        self.assertFalse(
            self.env["account.payment"].search(
                [("payment_type", "=", "outbound"), ("state", "!=", "draft")]
            )
        )
        self.assertEqual(credit.amount_residual, 100)

    def test_payment_by_hand_is_not_posted(self):
        """A billing user writes a payment with the terminal's method himself, either way, and confirms it."""
        for direction, line in (("inbound", self.line_in), ("outbound", self.line_out)):
            payment = self.rpc(
                "biller",
                "account.payment",
                "create",
                [
                    {
                        "payment_type": direction,
                        "partner_type": "customer",
                        "partner_id": self.customer.id,
                        "amount": 10,
                        "journal_id": self.journal.id,
                        "payment_method_line_id": line.id,
                    }
                ],
            )
            for call in (
                ("action_post", payment),
                ("action_validate", payment),
                ("write", payment, {"state": "in_process"}),
                ("write", payment, {"state": "paid"}),
            ):
                with self.subTest(direction=direction, call=call[0]):
                    for context in (None, {CONTEXT_KEY: True}):
                        self.refused("biller", "account.payment", *call, context=context)
            state = self.env["account.payment"].browse(payment).state
            self.assertEqual(state, "draft")
