"""Deposits of sales orders: held, captured, matched with the invoices that are made before and after."""

from odoo import Command
from odoo.addons.viva_payments.tests.test_booking_hold import BookingHoldCase
from odoo.exceptions import AccessError
from odoo.tests import new_test_user


class TestSaleHold(BookingHoldCase):
    """Orders are made by an administrator of sales; cards are asked by those who may."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env.user.group_ids |= cls.env.ref("sales_team.group_sale_manager")
        cls.salesperson = new_test_user(
            cls.env,
            "viva_salesperson",
            groups="base.group_user,sales_team.group_sale_salesman_all_leads",
            company_id=cls.company.id,
            company_ids=[Command.set(cls.company.ids)],
        )
        cls.bicycle = cls.env["product.product"].create(
            {"name": "Bicycle", "invoice_policy": "order", "taxes_id": [Command.clear()]}
        )

    def make_order_of(self, amount=500.0, *, confirm=False, **values):
        order = self.env["sale.order"].create(
            {
                "partner_id": self.customer.id,
                "company_id": self.company.id,
                "require_payment": False,
                "order_line": [
                    Command.create({"product_id": self.bicycle.id, "price_unit": amount})
                ],
                **values,
            }
        )
        if confirm:
            order.action_confirm()
        self.env.flush_all()
        return order

    def down_payment(self, order, amount):
        wizard = (
            self.env["sale.advance.payment.inv"]
            .with_context(active_model="sale.order", active_ids=order.ids)
            .create({"advance_payment_method": "fixed", "fixed_amount": amount})
        )
        wizard.create_invoices()
        return order.invoice_ids.sorted("id")[-1]

    def test_hold_from_a_quotation(self):
        order = self.make_order_of()
        hold = self.hold_for(order, amount=100)
        self.assertEqual((hold.state, hold.amount, hold.reference), ("open", 100, order.name))
        self.assertEqual(hold.sale_order_id, order)
        self.assertEqual(hold.transaction_ids.booking_id.sale_order_id, order)
        mine = order.with_user(self.accountant)
        self.assertEqual((mine.viva_hold_count, mine.viva_to_capture), (1, 1))
        self.assertEqual(mine.viva_held_until, hold.expires_on)
        self.assertTrue(order.message_ids.filtered(lambda m: hold.name in (m.body or "")))

    def test_proposal(self):
        order = self.make_order_of()
        self.assertEqual(self.dialog(order, "action_viva_hold", self.biller).amount, 500)
        asked = self.make_order_of(require_payment=True, prepayment_percent=0.2)
        self.assertEqual(self.dialog(asked, "action_viva_hold", self.biller).amount, 100)
        sold = self.make_order_of(confirm=True)
        self.down_payment(sold, 150).action_post()
        self.assertEqual(self.dialog(sold, "action_viva_hold", self.biller).amount, 350)

    def test_captured_before_there_is_an_invoice(self):
        order = self.make_order_of(confirm=True)
        self.hold_for(order, amount=100)
        booking = self.capture(order)
        self.assertEqual((booking.state, booking.sale_order_id), ("booked", order))
        self.assertEqual(self.credit_of(booking.payment_id), 100)
        invoice = order._create_invoices()
        invoice.with_user(self.biller).action_post()
        self.env.flush_all()
        self.assert_paid_by(invoice, booking.payment_id, 100)
        self.assertEqual(invoice.amount_residual, 400)

    def test_captured_for_the_down_payment(self):
        order = self.make_order_of(confirm=True)
        hold = self.hold_for(order, amount=100)
        invoice = self.down_payment(order, 100)
        invoice.action_post()
        wizard = self.dialog(order, "action_viva_capture", self.accountant)
        self.assertEqual((wizard.hold_id, wizard.move_ids, wizard.amount), (hold, invoice, 100))
        booking = self.of_action(wizard.action_capture())
        self.start_booking(booking)
        self.check_booking(booking, "approved")
        self.assert_paid_by(invoice, booking.payment_id, 100)
        self.assertEqual(invoice.amount_residual, 0)
        rest = order._create_invoices(final=True)
        rest.action_post()
        self.assertEqual((rest.amount_total, rest.amount_residual), (400, 400))

    def test_draft_down_payment_is_matched_when_it_is_posted(self):
        order = self.make_order_of(confirm=True)
        self.hold_for(order, amount=100)
        invoice = self.down_payment(order, 100)
        booking = self.capture(order)
        self.assertEqual(self.credit_of(booking.payment_id), 100)
        invoice.action_post()
        self.assert_paid_by(invoice, booking.payment_id, 100)

    def test_capture_from_the_invoice_of_the_order(self):
        order = self.make_order_of(200, confirm=True)
        hold = self.hold_for(order)
        invoice = order._create_invoices()
        invoice.action_post()
        self.assertEqual(invoice.with_user(self.accountant).viva_hold_count, 1)
        booking = self.capture(invoice)
        self.assertEqual(booking.parent_id.hold_id, hold)
        self.assert_paid_by(invoice, booking.payment_id, 200)

    def test_hold_of_the_customer_captured_for_an_order(self):
        hold = self.hold_for(self.customer, amount=80, reference="Rental 7")
        order = self.make_order_of(confirm=True)
        booking = self.capture(order)
        self.assertEqual((booking.parent_id.hold_id, booking.sale_order_id), (hold, order))
        invoice = order._create_invoices()
        invoice.action_post()
        self.assert_paid_by(invoice, booking.payment_id, 80)

    def test_other_order_is_not_paid_with_it(self):
        order = self.make_order_of(confirm=True)
        self.hold_for(order, amount=100)
        booking = self.capture(order)
        other = self.make_order_of(confirm=True)
        invoice = other._create_invoices()
        invoice.action_post()
        self.assertEqual(invoice.amount_residual, 500)
        self.assertEqual(self.credit_of(booking.payment_id), 100)

    def test_salesperson_without_invoicing_rights(self):
        order = self.make_order_of().with_user(self.salesperson)
        hold = self.hold_for(order, amount=100)
        with self.assertRaises(AccessError):
            order.action_viva_hold()
        with self.assertRaises(AccessError):
            order.action_viva_capture()
        with self.assertRaises(AccessError):
            self.env["viva.hold.wizard"].with_user(self.salesperson).create(
                {"partner_id": self.customer.id, "amount": 1, "reference": "x"}
            )
        order.invalidate_recordset()
        self.assertEqual((order.viva_hold_count, order.viva_to_capture), (0, 0))
        with self.assertRaises(AccessError):
            hold.with_user(self.salesperson).read(["amount"])
        arch = order.get_view(view_type="form")["arch"]
        self.assertNotIn("action_viva_hold", arch)
        self.assertNotIn("action_viva_view_holds", arch)
