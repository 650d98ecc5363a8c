"""A confirmed card payment of a POS order is not turned into cash by editing payments, whoever tries and by which way."""

import contextlib
import uuid

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError
from odoo.service.model import call_kw
from odoo.tests import new_test_user

from .common import VivaCase


class GuardCase(VivaCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.pos_manager = new_test_user(
            cls.env,
            "viva_pos_manager",
            groups="base.group_user,point_of_sale.group_pos_manager",
            company_id=cls.company.id,
            company_ids=[Command.set(cls.company.ids)],
        )

    def setUp(self):
        super().setUp()
        self.order, self.sale = self.sell()

    def pay(self):
        """The order is paid by card; the payment."""
        self.validate(self.order, self.sale)
        self.env.invalidate_all()
        payment = self.order.payment_ids
        self.assertEqual((self.order.state, payment.viva_state), ("paid", "proven"))
        return payment

    def rpc(self, model, method, *args, user=None, **kwargs):
        """As it comes from a browser."""
        result = call_kw(self.env[model].with_user(user or self.pos_manager), method, args, kwargs)
        self.env.flush_all()
        self.env.invalidate_all()
        return result

    def refused(self, model, method, *args, **kwargs):
        with self.assertRaises(UserError) as caught:
            self.rpc(model, method, *args, **kwargs)
        self.assertNotIsInstance(caught.exception, AccessError)
        self.env.invalidate_all()

    def assert_card(self):
        """The books have the card's money where it is, and nothing else."""
        self.env.invalidate_all()
        payment = self.order.payment_ids
        self.assertEqual(len(payment), 1)
        self.assertEqual(payment.payment_method_id, self.method)
        self.assertEqual(payment.amount, 19.99)
        self.assertEqual(payment.viva_state, "proven")
        self.assertFalse(payment.payment_method_id.is_cash_count)

    def cash_values(self, amount=19.99, **values):
        return {
            "amount": amount,
            "payment_method_id": self.cash.id,
            "uuid": str(uuid.uuid4()),
            "payment_date": fields.Datetime.to_string(fields.Datetime.now()),
            "payment_status": "done",
            **values,
        }


class TestPaidOrder(GuardCase):
    def setUp(self):
        super().setUp()
        self.payment = self.pay()

    def test_payment_itself(self):
        for values in (
            {"payment_method_id": self.cash.id},
            {"amount": 1.0},
            {"uuid": str(uuid.uuid4())},
            {"pos_order_id": self.make_order().id},
        ):
            for user in (self.pos_manager, self.cashier, self.manager):
                with self.subTest(values=values, user=user.login):
                    self.refused("pos.payment", "write", self.payment.ids, values, user=user)
                    self.refused("pos.payment", "web_save", self.payment.ids, values, {}, user=user)
        self.refused("pos.payment", "unlink", self.payment.ids)
        self.assert_card()

    def test_payments_through_their_order(self):
        cash = Command.create(self.cash_values())
        for commands in (
            [Command.update(self.payment.id, {"payment_method_id": self.cash.id})],
            [Command.delete(self.payment.id), cash],
            [Command.unlink(self.payment.id), cash],
            [Command.clear(), cash],
            [Command.set([]), cash],
            [Command.update(self.payment.id, {"amount": 0}), cash],
            # Set off against a card payment that never was.
            [
                Command.create(self.cash_values(-19.99, payment_method_id=self.method.id)),
                cash,
            ],
        ):
            commands = [list(command) for command in commands]
            with self.subTest(commands=commands):
                self.refused("pos.order", "write", self.order.ids, {"payment_ids": commands})
                self.assert_card()

    def test_till_sends_the_order_again_with_other_payments(self):
        """What Edit Payment of the receipt screen does, and a till that was tampered with."""
        again = {
            "uuid": self.order.uuid,
            "access_token": self.order.access_token,
            "session_id": self.session.id,
            "state": "paid",
            "lines": [],
            "amount_total": 19.99,
            "amount_paid": 19.99,
            "amount_tax": 0,
            "amount_return": 0,
        }
        for payments in (
            [[1, self.payment.id, {"payment_method_id": self.cash.id}]],
            [[2, self.payment.id, 0], [0, 0, self.cash_values()]],
            [[0, 0, self.cash_values(-19.99, payment_method_id=self.method.id)]],
        ):
            for user in (self.pos_manager, self.cashier):
                with self.subTest(payments=payments, user=user.login):
                    sent = {**again, "payment_ids": payments}
                    # Refused, or left out because the order is paid already: both are right.
                    with contextlib.suppress(UserError), self.env.cr.savepoint():
                        self.rpc("pos.order", "sync_from_ui", [sent], user=user)
                    self.assert_card()

    def test_dialog_of_the_back_office(self):
        wizard = self.env["pos.make.payment"].with_user(self.pos_manager)
        wizard = wizard.with_context(active_id=self.order.id)
        taken_back = wizard.create(
            {
                "config_id": self.config.id,
                "amount": -19.99,
                "payment_method_id": self.method.id,
            }
        )
        with self.assertRaises(UserError):
            taken_back.check()
        self.assert_card()

    def test_invented_card_payment_that_becomes_negative(self):
        """In two steps: a small one is added, then its amount is changed."""
        payment = self.rpc(
            "pos.payment",
            "create",
            [
                {
                    "pos_order_id": self.order.id,
                    "amount": 0.01,
                    "payment_method_id": self.method.id,
                }
            ],
        )
        self.refused("pos.payment", "write", payment, {"amount": -19.99})
        self.refused("pos.payment", "write", payment, {"amount": -0.01})

    def test_link_to_the_ledger_is_not_talked_away(self):
        """The payment would be free if its order, its company or its tip made it look unproven."""
        other = self.env["res.company"].create({"name": "Elsewhere"})
        self.env.cr.execute(
            "UPDATE pos_payment SET company_id = %s WHERE id = %s", [other.id, self.payment.id]
        )
        self.env.invalidate_all()
        self.assertEqual(self.payment.sudo().viva_state, "unproven")
        with self.assertRaisesRegex(UserError, "made by card"):
            self.payment.sudo().write({"payment_method_id": self.cash.id})

    def test_tip_line_taken_off_first(self):
        self.env.cr.execute(
            "UPDATE viva_transaction SET tip_booking = 'product', tip_amount = 1 WHERE attempt = %s",
            [self.sale["attempt"]],
        )
        self.env.invalidate_all()
        self.assertEqual(self.payment.viva_state, "unproven")
        self.refused("pos.payment", "write", self.payment.ids, {"payment_method_id": self.cash.id})
        self.refused("pos.payment", "unlink", self.payment.ids)

    def test_amount_may_be_made_to_agree(self):
        """A payment that says something else than the ledger is corrected, not more."""
        self.env.cr.execute("UPDATE pos_payment SET amount = 15 WHERE id = %s", [self.payment.id])
        self.env.invalidate_all()
        self.refused("pos.payment", "write", self.payment.ids, {"amount": 18.0})
        self.rpc("pos.payment", "write", self.payment.ids, {"amount": 19.99})
        self.assert_card()

    def test_closed_session(self):
        self.session.action_pos_session_closing_control()
        self.env.invalidate_all()
        self.assertEqual(self.order.state, "done")
        self.refused("pos.payment", "write", self.payment.ids, {"payment_method_id": self.cash.id})
        self.refused("pos.payment", "unlink", self.payment.ids)
        values = {"payment_ids": [[0, 0, self.cash_values(-19.99)]]}
        self.refused("pos.order", "write", self.order.ids, values)
        self.refused("pos.order", "write", self.order.ids, {"state": "draft"})
        self.assert_card()

    def test_invoiced_order(self):
        self.order.partner_id = self.env["res.partner"].create({"name": "Customer"})
        self.order.action_pos_order_invoice()
        self.assertTrue(self.order.account_move)
        self.refused("pos.payment", "write", self.payment.ids, {"payment_method_id": self.cash.id})
        self.refused("pos.payment", "unlink", self.payment.ids)
        self.assert_card()

    def test_method_becomes_cash(self):
        cash = self.company_data["default_journal_cash"].copy()
        for closed in (False, True):
            if closed:
                self.session.action_pos_session_closing_control()
            for values in (
                {"use_payment_terminal": False},
                {"payment_method_type": "none"},
                {"payment_method_type": "qr_code"},
                {"journal_id": cash.id},
                {"journal_id": False},
            ):
                with self.subTest(values=values, closed=closed):
                    self.refused("pos.payment.method", "write", self.method.ids, values)
                    self.assert_card()
        with self.assertRaises(UserError):
            self.method.journal_id.sudo().type = "cash"

    def test_archived_method(self):
        """A method that is not used any more still guards what it has taken."""
        self.session.action_pos_session_closing_control()
        self.rpc("pos.payment.method", "action_archive", self.method.ids)
        self.refused("pos.payment", "write", self.payment.ids, {"payment_method_id": self.cash.id})
        self.refused("pos.payment", "unlink", self.payment.ids)
        self.assert_card()

    def test_order_is_not_thrown_away(self):
        self.refused("pos.order", "unlink", self.order.ids)
        self.refused("pos.order", "write", self.order.ids, {"state": "cancel"})
        self.refused("pos.order", "write", self.order.ids, {"uuid": str(uuid.uuid4())})
        self.rpc("pos.order", "remove_from_ui", self.order.ids)
        self.assert_card()


class TestDraftOrder(GuardCase):
    def test_method_and_identity_of_what_a_card_has_paid(self):
        payment = self.rpc(
            "pos.payment",
            "create",
            [
                {
                    "pos_order_id": self.order.id,
                    "amount": 19.99,
                    "payment_method_id": self.method.id,
                    "uuid": self.sale["payment_uuid"],
                }
            ],
            user=self.cashier,
        )
        for user in (self.cashier, self.pos_manager):
            for values in ({"payment_method_id": self.cash.id}, {"uuid": str(uuid.uuid4())}):
                self.refused("pos.payment", "write", payment, values, user=user)

    def test_cash_under_the_identity_of_a_card_payment(self):
        values = self.cash_values(uuid=self.sale["payment_uuid"])
        self.refused("pos.payment", "create", [{**values, "pos_order_id": self.order.id}])
        commands = [[0, 0, values]]
        self.refused("pos.order", "write", self.order.ids, {"payment_ids": commands})
        self.assertFalse(self.order.payment_ids)

    def test_paid_in_cash_all_the_same_is_found_at_closing(self):
        """Cash may be taken while nobody knows the end of the card; the card's money is not forgotten."""
        self.rpc(
            "pos.payment",
            "create",
            [{**self.cash_values(), "pos_order_id": self.order.id}],
            user=self.cashier,
        )
        self.order.amount_paid = 19.99
        self.order.with_user(self.cashier).action_pos_order_paid()
        name = self.transaction(self.sale["attempt"]).name
        with self.assertRaisesRegex(UserError, name):
            self.session.with_user(self.pos_manager).action_pos_session_closing_control()

    def test_voided_payment_may_be_replaced(self):
        """The money goes back to the card while the order is validated: the customer pays in cash, the order says so."""
        request, _status = self.start("void", None, 1999, parent_attempt=self.sale["attempt"])
        self.check_until(request["attempt"], "approved")
        self.validate(self.order, self.sale)
        payment = self.order.payment_ids
        self.assertEqual(payment.viva_state, "reversed")
        self.rpc("pos.payment", "write", payment.ids, {"payment_method_id": self.cash.id})
        self.assertTrue(payment.payment_method_id.is_cash_count)
