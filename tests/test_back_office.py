"""Money back, captures and releases from the back office, by the people who may; counted at the simulator."""

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user

from ..models import viva_transaction_office
from .common import TERMINAL_2, VivaCase


class BackOfficeCase(VivaCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.refunder = cls.make_user("viva_refunder", "viva_payments.group_viva_refund")
        cls.accountant = cls.make_user("viva_reader", "account.group_account_readonly")
        cls.other_company = cls.env["res.company"].create({"name": "Other"})
        cls.stranger = cls.make_user(
            "viva_stranger", "viva_payments.group_viva_manager", company=cls.other_company
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

    def paid(self, amount_minor=1999, **options):
        """A validated order; returns (order, the transaction of its sale)."""
        order, request = self.sell(amount_minor, **options)
        self.validate(order, request)
        return order, self.transaction(request["attempt"])

    def hold(self, amount_minor=5000, order=None):
        request, _status = self.start("preauth", order, amount_minor, reference="Table 7")
        self.simulator.act("tap")
        self.check_until(request["attempt"], "approved")
        return self.transaction(request["attempt"])

    def dialog(self, parent, by, intent="give_back", **values):
        """The saved dialog, as the form of `parent` opens it."""
        wizards = self.env["viva.operation.wizard"].with_user(by)
        form = Form(
            wizards.with_context(default_intent=intent, default_parent_id=parent.id),
            view="viva_payments.view_viva_operation_wizard_form",
        )
        for name, value in values.items():
            setattr(form, name, value)
        return form.save()

    def run_dialog(self, wizard):
        """Press the button: the browser makes the requests one after the other."""
        return self.follow(wizard, wizard.action_confirm())

    def follow(self, wizard, action):
        while action["type"] == "ir.actions.server":
            self.env.flush_all()
            self.env.invalidate_all()
            server = self.env["ir.actions.server"].with_user(wizard.env.user).browse(action["id"])
            action = server.with_context(**action["context"]).run()
        self.env.invalidate_all()
        return action

    def check_wizard(self, wizard, state="approved"):
        self.wait_for(lambda: self.follow(wizard, wizard.action_check()) and wizard.state == state)

    def assert_back(self, *amounts):
        self.assertEqual([row["amount"] for row in self.given_back()], list(amounts))
        self.assertEqual(self.violations(), [])


class TestGiveBack(BackOfficeCase):
    def test_paid_order_on_its_terminal(self):
        order, sale = self.paid()
        wizard = self.dialog(sale, self.refunder)
        self.assertEqual(
            (wizard.operation, wizard.amount, wizard.left_amount, wizard.phase),
            ("refund", 19.99, 19.99, "choose"),
        )
        self.assertEqual(wizard.terminal_id, self.terminal)
        self.assertFalse(wizard.obstacle)
        self.assertIn("24 hours", wizard.hint)
        self.run_dialog(wizard)
        self.assertEqual((wizard.phase, wizard.refusal), ("running", False), wizard.refusal)
        self.check_wizard(wizard)
        refund = wizard.order_id
        self.assertEqual(wizard.phase, "done")
        self.assertEqual(
            (refund.state, refund.amount_total, refund.amount_paid), ("paid", -19.99, -19.99)
        )
        self.assertEqual(refund.refunded_order_id, order)
        self.assertEqual(refund.payment_ids.viva_state, "proven")
        self.assertEqual(refund.payment_ids.payment_method_id, self.method)
        self.assertFalse(wizard.can_finish or wizard.rest)
        self.assertFalse(self.session._viva_obstacle())
        self.assertEqual(sale.left_amount, 0)
        self.assert_back(1999)

    def test_paid_order_without_terminal(self):
        _order, sale = self.paid()
        self.simulator.act("unplug")
        # A refunder's form does not offer it; it is refused when he forges it.
        wizard = self.dialog(sale, self.refunder)
        wizard.via = "api"
        with self.assertRaises(AccessError):
            wizard.action_confirm()
        wizard = self.dialog(sale, self.manager, via="api")
        self.run_dialog(wizard)
        self.assertEqual(wizard.phase, "done", wizard.refusal or wizard.message)
        self.assertEqual(wizard.order_id.state, "paid")
        self.assertEqual(wizard.transaction_id.via, "api")
        self.assert_back(1999)

    def test_on_another_terminal(self):
        _order, sale = self.paid()
        wizard = self.dialog(sale, self.refunder, terminal_id=self.terminal_2)
        self.run_dialog(wizard)
        self.check_wizard(wizard)
        self.assertEqual(wizard.transaction_id.terminal_viva_id, TERMINAL_2)
        self.assert_back(1999)

    def test_dialog_was_closed(self):
        """The terminal is slow, the dialog is closed: the payment's form finishes the order."""
        _order, sale = self.paid()
        wizard = self.dialog(sale, self.refunder)
        self.simulator.control("POST", "settings", {"authorising_ms": 1000})
        self.run_dialog(wizard)
        self.assertEqual(wizard.state, "pending")
        self.check_until(wizard.attempt, "approved")
        self.env.invalidate_all()
        transaction, refund = self.transaction(wizard.attempt), wizard.order_id
        self.assertEqual(refund.state, "draft")
        self.assertIn(transaction.name, self.session._viva_obstacle())
        self.assertTrue(transaction.with_user(self.refunder).can_finish)
        with self.assertRaises(AccessError):
            transaction.with_user(self.cashier).action_finish_order()
        transaction.with_user(self.refunder).action_finish_order()
        self.env.invalidate_all()
        self.assertEqual(refund.state, "paid")
        self.assertFalse(transaction.can_finish)
        with self.assertRaises(UserError):
            transaction.with_user(self.refunder).action_finish_order()
        self.assert_back(1999)

    def test_cancel_and_try_again(self):
        _order, sale = self.paid()
        wizard = self.dialog(sale, self.refunder)
        self.simulator.act("unplug")
        self.run_dialog(wizard)
        first = wizard.attempt
        self.follow(wizard, wizard.action_cancel())
        self.assertTrue(wizard.transaction_id.abort_asked_at)
        self.amend(first, state="cancelled", holds_terminal=False)
        self.env.invalidate_all()
        self.assertEqual(wizard.phase, "choose")
        self.assertTrue(wizard.message)
        refund = wizard.order_id
        wizard.terminal_id = self.terminal_2
        self.run_dialog(wizard)
        self.assertNotEqual(wizard.attempt, first)
        self.assertEqual(wizard.order_id, refund)
        self.check_wizard(wizard)
        self.assertEqual(refund.state, "paid")
        self.assert_back(1999)

    def test_same_press_never_twice(self):
        _order, sale = self.paid()
        wizard = self.dialog(sale, self.refunder)
        action = wizard.action_confirm()
        for _time in range(2):
            self.follow(wizard, action)
        self.check_wizard(wizard)
        self.assertEqual(len(sale.child_ids), 1)
        # A second dialog finds nothing left.
        again = self.dialog(sale, self.refunder)
        self.assertIn("given back", again.obstacle)
        with self.assertRaises(UserError):
            again.action_confirm()
        self.assert_back(1999)

    def test_only_some_products(self):
        order, sale = self.paid()
        wizard = self.dialog(sale, self.refunder)
        action = wizard.action_open_order()
        refund = self.env["pos.order"].browse(action["res_id"]).with_user(self.refunder)
        self.assertEqual((refund.state, refund.refunded_order_id), ("draft", order))
        refund.lines.write({"price_unit": 5, "price_subtotal": -5, "price_subtotal_incl": -5})
        refund.amount_total = -5
        self.assertTrue(refund.viva_can_give_back)
        context = refund.action_viva_give_back()["context"]
        wizard = self.env["viva.operation.wizard"].with_user(self.refunder).with_context(**context)
        wizard = wizard.create({})
        self.assertEqual((wizard.parent_id, wizard.order_id, wizard.amount), (sale, refund, 5))
        self.assertIn("24 hours", wizard.hint)
        self.run_dialog(wizard)
        self.assertIn("24 hours", wizard.refusal)
        self.assert_back()
        self.clear({"attempt": sale.attempt})
        self.run_dialog(wizard)
        self.check_wizard(wizard)
        self.assertEqual(refund.state, "paid")
        self.assertEqual((sale.reversed_amount, sale.left_amount), (5, 14.99))
        self.assert_back(500)

    def test_refund_order_that_was_begun_is_used(self):
        """A dialog that was closed after its first request leaves a draft: the next one goes on with it."""
        _order, sale = self.paid()
        first = self.dialog(sale, self.refunder)
        first.action_confirm()
        self.env.flush_all()
        wizard = self.dialog(sale, self.refunder)
        self.assertIn("begun already", wizard.hint)
        self.run_dialog(wizard)
        self.check_wizard(wizard)
        self.assertEqual(wizard.order_id, first.order_id)
        self.assertEqual(wizard.order_id.state, "paid")
        first.action_discard()
        self.assertTrue(wizard.order_id.exists())
        self.assert_back(1999)

    def test_paid_partly_in_cash(self):
        order = self.make_order(30)
        request, _status = self.charge(order, 2000)
        self.simulator.act("tap")
        self.check_until(request["attempt"], "approved")
        order.with_user(self.cashier).add_payment(
            {"pos_order_id": order.id, "payment_method_id": self.cash.id, "amount": 10}
        )
        self.validate(order, request)
        wizard = self.dialog(self.transaction(request["attempt"]), self.refunder)
        self.assertEqual(wizard.amount, 20)
        self.run_dialog(wizard)
        self.check_wizard(wizard)
        self.assertEqual(wizard.order_id.state, "draft")
        self.assertEqual(wizard.order_id.payment_ids.amount, -20)
        self.assertIn("10", wizard.rest)
        self.assert_back(2000)

    def test_tip_goes_back_too(self):
        order = self.make_order()
        request, _status = self.charge(order)
        self.simulator.act("tip", minor=200)
        self.simulator.act("tap")
        self.check_until(request["attempt"], "approved")
        self.method.viva_tip_account_id = self.env["account.account"].create(
            {"name": "Tips", "code": "219999", "account_type": "liability_current"}
        )
        self.env.flush_all()
        self.ledger.pos_book_tip(request["attempt"], "account")
        self.validate(order, request)
        wizard = self.dialog(self.transaction(request["attempt"]), self.refunder)
        self.assertIn("2.00", wizard.hint)
        self.run_dialog(wizard)
        self.check_wizard(wizard)
        self.assertEqual(wizard.order_id.state, "paid")
        self.assert_back(2199)

    def test_no_open_session(self):
        _order, sale = self.paid()
        self.session.action_pos_session_closing_control()
        self.assertEqual(self.session.state, "closed")
        wizard = self.dialog(sale, self.refunder)
        self.assertIn("Open the register", wizard.obstacle)
        with self.assertRaises(UserError):
            wizard.action_confirm()
        self.assertFalse(self.env["pos.order"].search([("state", "=", "draft")]))
        self.config.with_user(self.cashier).open_ui()
        self.session = self.config.current_session_id
        self.session.set_opening_control(0, "")
        wizard = self.dialog(sale, self.refunder)
        self.run_dialog(wizard)
        self.check_wizard(wizard)
        self.assertEqual(wizard.order_id.session_id, self.session)
        self.assert_back(1999)

    def test_discard_takes_its_order_along(self):
        _order, sale = self.paid()
        wizard = self.dialog(sale, self.refunder)
        wizard.action_confirm()
        refund = wizard.order_id
        self.assertEqual(refund.state, "draft")
        wizard.action_discard()
        self.assertFalse(refund.exists())
        self.assert_back()

    def test_who_may(self):
        order, sale = self.paid()
        for user in (self.cashier, self.accountant, self.stranger):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                wizard = self.env["viva.operation.wizard"].with_user(user)
                wizard.create({"parent_id": sale.id, "intent": "give_back"}).action_confirm()
        self.assertFalse(order.refund_orders_count)
        self.assert_back()

    def test_order_says_what_can_be_done(self):
        order, request = self.sell()
        self.assertFalse(order.viva_can_give_back)
        self.validate(order, request)
        self.env.invalidate_all()
        self.assertTrue(order.viva_can_give_back)
        context = order.with_user(self.refunder).action_viva_give_back()["context"]
        self.assertEqual(context["default_parent_id"], self.transaction(request["attempt"]).id)
        cash = self.make_order()
        with self.assertRaises(UserError):
            cash.with_user(self.refunder).action_viva_give_back()


class TestVoid(BackOfficeCase):
    def nobodys(self):
        """Charged by card, paid in cash: the card's money is nobody's."""
        order, request = self.sell()
        order.with_user(self.cashier).add_payment(
            {"pos_order_id": order.id, "payment_method_id": self.cash.id, "amount": 19.99}
        )
        order.with_user(self.cashier).action_pos_order_paid()
        self.env.flush_all()
        return self.transaction(request["attempt"])

    def test_money_that_is_nobodys(self):
        sale = self.nobodys()
        wizard = self.dialog(sale, self.refunder)
        self.assertEqual((wizard.operation, wizard.amount), ("void", 19.99))
        self.run_dialog(wizard)
        self.check_wizard(wizard)
        self.assertFalse(wizard.order_id)
        self.assertEqual(wizard.transaction_id.executed, "void")
        self.assertFalse(self.session._viva_obstacle())
        self.assert_back(1999)

    def test_in_any_open_session(self):
        sale = self.nobodys()
        handover = self.env["viva.handover.wizard"].with_user(self.manager)
        handover.create({"session_id": self.session.id, "reason": "later"}).action_hand_over()
        self.session.action_pos_session_closing_control()
        other = self.config.copy(
            {"name": "Till 2", "payment_method_ids": [Command.set(self.method.ids)]}
        )
        other.with_user(self.cashier).open_ui()
        other.current_session_id.set_opening_control(0, "")
        wizard = self.dialog(sale, self.manager, via="api")
        self.assertEqual(wizard.session_id, other.current_session_id)
        self.run_dialog(wizard)
        self.assertEqual(wizard.phase, "done", wizard.refusal or wizard.message)
        self.assert_back(1999)

    def test_by_api(self):
        sale = self.nobodys()
        wizard = self.dialog(sale, self.manager, via="api")
        self.run_dialog(wizard)
        self.assertEqual(wizard.phase, "done", wizard.refusal or wizard.message)
        self.assert_back(1999)


class TestHold(BackOfficeCase):
    def test_capture_of_an_open_order(self):
        order = self.make_order(30)
        preauth = self.hold(5000, order)
        wizard = self.dialog(preauth, self.manager, "capture")
        self.assertEqual((wizard.amount, wizard.session_id), (30, self.session))
        self.run_dialog(wizard)
        self.check_wizard(wizard)
        self.assertEqual((order.state, order.payment_ids.amount), ("paid", 30))
        self.assertEqual(preauth.hold_id.state, "captured")
        self.assertEqual(preauth.hold_id.captured_amount, 30)

    def test_capture_of_a_parked_order_in_a_later_session(self):
        order = self.make_order(30)
        preauth = self.hold(5000, order)
        self.ledger.pos_park(order.uuid)
        self.session.action_pos_session_closing_control()
        self.assertEqual(self.session.state, "closed")
        wizard = self.dialog(preauth, self.manager, "capture")
        self.assertIn("Open the register", wizard.obstacle)
        self.config.with_user(self.cashier).open_ui()
        session = self.config.current_session_id
        session.set_opening_control(0, "")
        wizard = self.dialog(preauth, self.manager, "capture", via="api")
        self.run_dialog(wizard)
        self.assertEqual(wizard.phase, "done", wizard.refusal or wizard.message)
        self.assertEqual((order.state, order.session_id), ("paid", session))

    def test_capture_needs_an_order(self):
        wizard = self.dialog(self.hold(), self.manager, "capture")
        self.assertIn("at the till", wizard.obstacle)
        self.assertNotIn("accountant", wizard.obstacle)
        # Where the back office books as well, there is another way.
        self.account.journal_id = self.company_data["default_journal_bank"]
        self.env.flush_all()
        wizard = self.dialog(self.hold(), self.manager, "capture")
        self.assertIn("For an invoice an accountant captures it", wizard.obstacle)

    def test_release_both_ways(self):
        for way in ("terminal", "api"):
            with self.subTest(way=way):
                self.account.release_by = way
                preauth = self.hold()
                wizard = self.dialog(preauth, self.manager, "release")
                self.assertEqual((wizard.via, wizard.amount), (way, 50))
                self.run_dialog(wizard)
                self.check_wizard(wizard)
                self.assertEqual(preauth.hold_id.state, "released")
                self.assertFalse(preauth.can_release)

    def test_only_a_manager(self):
        preauth = self.hold()
        self.assertTrue(preauth.can_release)
        for intent in ("capture", "release"):
            with self.subTest(intent=intent), self.assertRaises(AccessError):
                self.dialog(preauth, self.refunder, intent).action_confirm()
        wizard = self.env["viva.operation.wizard"].with_user(self.stranger)
        with self.assertRaises(AccessError):
            wizard.create({"parent_id": preauth.id, "intent": "release"}).action_confirm()

    def test_open_holds_first(self):
        released = self.hold()
        self.run_dialog(wizard := self.dialog(released, self.manager, "release"))
        self.check_wizard(wizard)
        preauth = self.hold()
        holds = self.env["viva.hold"].with_user(self.manager)
        self.assertEqual(holds.search([("is_open", "=", True)]), preauth.hold_id)
        self.assertFalse(holds.search([("is_expiring", "=", True)]))


class TestMassCheck(BackOfficeCase):
    def test_counts_what_came_out(self):
        _order, paid = self.sell()
        charged, _status = self.charge()
        self.simulator.act("tap")
        open_, _status = self.charge(terminal_id=self.terminal_2.id)
        self.wait_for(lambda: len(self.simulator.charges()) == 2)
        ids = [self.transaction(request["attempt"]).id for request in (paid, charged, open_)]
        action = self.env.ref("viva_payments.action_viva_transaction_check")
        action = action.with_user(self.cashier)
        context = {"active_model": "viva.transaction", "active_ids": ids, "active_id": ids[0]}
        params = action.with_context(**context).run()["params"]
        self.assertIn("2", params["title"])
        self.assertIn("Approved: 1", params["message"])
        self.assertIn("On the terminal: 1", params["message"])
        self.assertIn("nothing to ask: 1", params["message"])
        self.assertEqual(params["type"], "warning")

    def test_bounded(self):
        self.patch(viva_transaction_office, "OFFICE_BUDGET", -1)
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"]).with_user(self.accountant)
        before = self.requests_to_viva()
        params = transaction.action_check_many()["params"]
        self.assertIn("Not reached in time: 1", params["message"])
        self.assertEqual(self.requests_to_viva(), before)

    def test_of_an_order(self):
        order = self.make_order()
        request, _status = self.charge(order)
        self.assertTrue(order.viva_is_doubtful)
        self.simulator.act("tap")
        self.wait_for(self.simulator.charges)
        order.with_user(self.cashier).action_viva_check()
        self.env.invalidate_all()
        self.assertEqual(self.transaction(request["attempt"]).state, "approved")
        self.assertFalse(order.viva_is_doubtful)

    def test_stranger(self):
        _order, request = self.sell()
        with self.assertRaises(AccessError):
            self.transaction(request["attempt"]).with_user(self.stranger).action_check_many()


class TestViews(BackOfficeCase):
    def test_forms_open_for_those_who_may(self):
        _order, sale = self.paid()
        preauth = self.hold()
        for user in (self.cashier, self.refunder, self.manager, self.accountant):
            for record in (sale, preauth, preauth.hold_id):
                with self.subTest(user=user.login, record=record):
                    self.assertEqual(Form(record.with_user(user)).name, record.name)

    def test_steps_tell_what_happened(self):
        _order, sale = self.paid()
        steps = sale.with_user(self.cashier).step_ids
        self.assertEqual(steps.mapped("id"), sorted(steps.ids))
        self.assertIn("fa-hand-pointer-o", steps[0].what)
        self.assertIn("Asked for", steps[0].what)

    def test_what_a_step_tells_is_escaped(self):
        _order, request = self.sell()
        sale = self.transaction(request["attempt"])
        step = self.env["viva.transaction.step"].new(
            {"transaction_id": sale.id, "kind": "person", "note": "<script>alert(1)</script>"}
        )
        self.assertNotIn("<script>", step.what)

    def test_payment_method_offers_bands_and_tips(self):
        self.method = self.method.copy()
        form = Form(self.method)
        form.outstanding_account_id = self.method.journal_id.default_account_id
        with form.viva_installment_ids.new() as band:
            band.amount_from = 100
            band.installments = 6
        form.viva_tip_policy = "product"
        form.save()
        self.assertEqual(self.method.viva_installment_bands, [[10000, 6]])

    def test_account_says_what_viva_leaves_open(self):
        form = Form(self.account)
        form.hold_days, form.release_by = 7, "api"
        form.save()
        self.assertEqual((self.account.hold_days, self.account.release_by), (7, "api"))
