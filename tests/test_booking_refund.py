"""Money back from the back office: from a credit note, from the payment, before it is posted, and by Viva itself."""

import uuid
from unittest.mock import patch

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user
from odoo.tools import mute_logger

from ..drivers import Outcome
from ..models.ledger import in_ledger
from .common import MERCHANT_ID
from .test_booking import BookingCase


class RefundCase(BookingCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.accountant_2 = cls.accountant.copy({"login": "viva_accountant_2"})

    def paid_invoice(self, amount=100.0, **values):
        """An invoice that a card has paid; returns (invoice, the booking of its charge)."""
        invoice = self.make_invoice(amount, **values)
        booking, _status = self.charge_invoices(invoice)
        self.assertEqual(booking.state, "booked", booking.reason)
        return invoice, booking

    def credit(self, invoice, amount=None):
        """A posted credit note of an invoice, of all of it or of an amount."""
        credit_note = invoice._reverse_moves([{"invoice_date": invoice.invoice_date}])
        if amount:
            credit_note.invoice_line_ids.price_unit = amount
        credit_note.action_post()
        self.env.flush_all()
        return credit_note

    def register(self, credit_note, *, by=None, **values):
        """The dialog of Register Payment, as the user (an accountant by default)."""
        return (
            self.env["account.payment.register"]
            .with_user(by or self.accountant)
            .with_context(active_model="account.move", active_ids=credit_note.ids)
            .create(
                {
                    "journal_id": self.journal.id,
                    "payment_method_line_id": self.line_out.id,
                    **values,
                }
            )
        )

    def booking_of(self, action):
        self.assertEqual(action["tag"], "viva_payments.booking")
        self.env.flush_all()
        return self.env["viva.booking"].search([("attempt", "=", action["params"]["attempt"])])

    def refund(self, credit_note, *, by=None, **values):
        """Give back for a credit note, to the end; returns (booking, Status)."""
        wizard = self.register(credit_note, by=by, **values)
        return self.run_booking(self.booking_of(wizard.action_create_payments()))

    def wizard_of(self, booking, *, by=None, **values):
        """The dialog that gives a payment back without a credit note."""
        return (
            self.env["viva.refund.wizard"]
            .with_user(by or self.accountant)
            .create({"parent_id": booking.transaction_id.id, **values})
        )

    def give_back(self, booking, *, by=None, **values):
        wizard = self.wizard_of(booking, by=by, **values)
        return self.run_booking(self.booking_of(wizard.action_confirm()))

    def run_booking(self, booking):
        status = self.start_booking(booking)
        if status["state"] in ("sent", "pending"):
            status = self.check_booking(booking, "approved", "declined", "failed", "cancelled")
        self.env.invalidate_all()
        return booking, status

    def unposted(self):
        """Approved, but the asker may not book any more; returns (invoice, booking)."""
        invoice = self.make_invoice(100)
        sale = self.prepare(invoices=invoice)
        self.start_booking(sale)
        self.dismiss(self.biller)
        sale = self.env["viva.booking"].browse(sale.id)
        self.simulator.act("tap")
        self.check_booking(sale, "approved", by=self.accountant)
        self.assertEqual(sale.state, "to_post")
        return invoice, sale

    def decided_refund(self, sale):
        """A refund whose request was lost, and of which a manager has said that it was carried out."""
        self.simulator.control("POST", "faults", {"drop_reverse_request": 1})
        wizard = self.wizard_of(sale, viva_refund_via="api")
        booking = self.booking_of(wizard.action_confirm())
        self.assertEqual(self.start_booking(booking)["state"], "unknown")
        self.assertEqual(sale.transaction_id._left(), 0)
        self.env["viva.transaction"]._decide(
            booking.transaction_id.id, "approved", "Seen in the portal", self.manager
        )
        self.env["viva.booking"]._follow(booking.ids)
        self.env.invalidate_all()
        return booking

    def clear_booking(self, booking):
        self.clear({"attempt": booking.attempt})

    def lock(self):
        """The accountant closes the period, today included."""
        self.session.action_pos_session_closing_control()
        self.company.sudo().hard_lock_date = fields.Date.today()

    def dismiss(self, user):
        """Somebody who may not do anything in accounting any more."""
        user.group_ids = self.env.ref("base.group_user")
        self.env.flush_all()
        self.env.invalidate_all()

    def assert_back(self, *amounts):
        self.assertEqual([row["amount"] for row in self.given_back()], list(amounts))
        self.assertEqual(self.violations(), [])

    def assert_outgoing(self, payment, amount):
        self.assert_balanced(payment.move_id)
        self.assertEqual(payment.payment_type, "outbound")
        liquidity = payment._seek_for_lines()[0]
        self.assertEqual(liquidity.account_id, self.line_out.payment_account_id)
        self.assertEqual(liquidity.balance, -amount)
        self.assertIn(payment.state, ("in_process", "paid"))


class TestRefundOfCreditNote(RefundCase):
    def test_whole(self):
        invoice, sale = self.paid_invoice(100)
        credit_note = self.credit(invoice)
        wizard = self.register(credit_note)
        self.assertEqual(wizard.viva_original_id, sale.transaction_id)
        self.assertEqual(wizard.viva_refund_terminal_id, self.terminal)
        self.assertEqual(wizard.amount, 100)
        self.assertFalse(wizard.viva_refund_obstacle_text)
        booking = self.booking_of(wizard.action_create_payments())
        self.assertEqual(
            (booking.operation, booking.parent_id, booking.payment_id.state),
            ("refund", sale.transaction_id, "draft"),
        )
        self.assertEqual(booking.move_line_ids.move_id, credit_note)
        booking, status = self.run_booking(booking)
        self.assertEqual((status["state"], booking.state), ("approved", "booked"), booking.reason)
        self.assert_outgoing(booking.payment_id, 100)
        self.assertEqual((credit_note.amount_residual, invoice.amount_residual), (0, 0))
        self.assertEqual(booking.payment_id.create_uid, self.accountant)
        self.assertEqual(sale.transaction_id.left_amount, 0)
        self.assert_back(10000)

    def test_proposed_by_default(self):
        invoice, _sale = self.paid_invoice(100)
        credit_note = self.credit(invoice)
        wizard = (
            self.env["account.payment.register"]
            .with_user(self.accountant)
            .with_context(active_model="account.move", active_ids=credit_note.ids)
            .create({})
        )
        self.assertEqual(wizard.payment_method_line_id, self.line_out)
        self.assertTrue(wizard.viva_gives_back)
        name = wizard.viva_original_id.with_context(viva_refund_choice=True).display_name
        self.assertIn("••", name)
        self.assertIn("100.00", name)
        self.assertEqual(wizard.viva_original_left, 100)

    def test_not_paid_out_otherwise_while_the_card_is_asked(self):
        invoice, _sale = self.paid_invoice(100)
        credit_note = self.credit(invoice)
        booking = self.booking_of(self.register(credit_note).action_create_payments())
        self.start_booking(booking)
        self.assertEqual(booking.state, "running")
        manual = self.journal.outbound_payment_method_line_ids.filtered(
            lambda line: line.code == "manual"
        )
        other = self.register(credit_note, by=self.accountant_2, payment_method_line_id=manual.id)
        self.assertIn(f"{self.accountant.name} is giving {credit_note.name} back", other.viva_claim)
        for wizard in (other, self.register(credit_note, by=self.accountant_2)):
            with self.assertRaisesRegex(UserError, "Show and cancel it there"):
                wizard.action_create_payments()
        self.check_booking(booking, "approved")
        self.assertEqual((booking.state, credit_note.amount_residual), ("booked", 0))
        self.assert_back(10000)

    def test_terminal_that_is_not_offered(self):
        invoice, sale = self.paid_invoice(100)
        self.terminal_2.active = False
        self.env.flush_all()
        terminal = {"viva_refund_terminal_id": self.terminal_2.id}
        with self.assertRaisesRegex(UserError, "Choose one that is offered"):
            self.wizard_of(sale, **terminal).action_confirm()
        with self.assertRaisesRegex(UserError, "Choose one that is offered"):
            self.register(self.credit(invoice), **terminal).action_create_payments()
        self.assert_back()

    def test_part_before_clearing(self):
        """On the terminal only the whole payment goes back today; Viva's API does a part."""
        invoice, sale = self.paid_invoice(100)
        credit_note = self.credit(invoice, 40)
        wizard = self.register(credit_note)
        self.assertEqual(wizard.amount, 40)
        self.assertIn("24 hours", wizard.viva_refund_obstacle_text)
        with self.assertRaisesRegex(UserError, "24 hours"):
            wizard.action_create_payments()
        self.simulator.control("POST", "settings", {"strict": {"partial_before_clearing": True}})
        booking, status = self.refund(credit_note, viva_refund_via="api")
        self.assertEqual(
            (status["state"], booking.state), ("approved", "booked"), status["message"]
        )
        self.assertEqual(booking.transaction_id.via, "api")
        self.assert_outgoing(booking.payment_id, 40)
        self.assertEqual(credit_note.amount_residual, 0)
        self.assertEqual(sale.transaction_id.left_amount, 60)
        self.assert_back(4000)

    def test_parts_after_clearing(self):
        invoice, sale = self.paid_invoice(100)
        self.clear_booking(sale)
        credit_note = self.credit(invoice)
        booking, _status = self.refund(credit_note, amount=33.33)
        self.assertEqual(booking.state, "booked", booking.reason)
        self.assertAlmostEqual(credit_note.amount_residual, 66.67)
        wizard = self.register(credit_note)
        self.assertAlmostEqual(wizard.amount, 66.67)
        booking, _status = self.refund(credit_note)
        self.assertEqual(booking.state, "booked", booking.reason)
        self.assertEqual(credit_note.amount_residual, 0)
        self.assert_outgoing(booking.payment_id, 66.67)
        self.assert_back(3333, 6667)

    def test_over_the_caps(self):
        invoice, sale = self.paid_invoice(100)
        self.clear_booking(sale)
        credit_note = self.credit(invoice, 60)
        with self.assertRaisesRegex(UserError, "of the credit note are open"):
            self.register(credit_note, amount=60.01).action_create_payments()
        self.refund(credit_note)
        second = self.credit(invoice, 60)
        wizard = self.register(second)
        self.assertEqual(wizard.amount, 40, "no more than is left of the card payment")
        self.assertIn("20.00", wizard.viva_refund_hint)
        with self.assertRaisesRegex(UserError, "is left"):
            self.register(second, amount=60).action_create_payments()
        self.assert_back(6000)

    def test_twice(self):
        invoice, _sale = self.paid_invoice(100)
        credit_note = self.credit(invoice)
        one = self.booking_of(self.register(credit_note).action_create_payments())
        two = self.booking_of(
            self.register(credit_note, by=self.accountant_2).action_create_payments()
        )
        self.start_booking(one)
        status = self.start_booking(two)
        self.assertEqual(status["state"], "refused", status)
        self.check_booking(one, "approved")
        status = self.start_booking(two)
        self.assertEqual(status["state"], "refused", status)
        self.assert_back(10000)

    def test_two_accountants_on_one_payment(self):
        """Different credit notes, the same card payment: its lock lets one through."""
        invoice, sale = self.paid_invoice(100)
        self.clear_booking(sale)
        first, second = self.credit(invoice, 70), self.credit(invoice, 70)
        one = self.booking_of(self.register(first).action_create_payments())
        two = self.booking_of(
            self.register(
                second, by=self.accountant_2, viva_refund_terminal_id=self.terminal_2.id
            ).action_create_payments()
        )
        self.start_booking(one)
        status = self.start_booking(two)
        self.assertEqual(status["reason"], "parent_open", status["message"])
        self.check_booking(one, "approved")
        status = self.start_booking(two)
        self.assertEqual(status["reason"], "nothing_left", status["message"])
        self.assertIn("30.00", status["message"])
        self.assert_back(7000)

    def test_two_card_payments_of_one_invoice(self):
        invoice = self.make_invoice(100)
        first, _status = self.charge_invoices(invoice, 30)
        second, _status = self.charge_invoices(invoice, 70)
        self.assertEqual(invoice.amount_residual, 0)
        credit_note = self.credit(invoice)
        wizard = self.register(credit_note)
        self.assertEqual(
            wizard.viva_original_ids, (first | second).transaction_id, "both are proposed"
        )
        self.assertEqual((wizard.viva_original_id, wizard.amount), (second.transaction_id, 70))
        self.assertIn("30.00", wizard.viva_refund_hint)
        self.refund(credit_note)
        self.assertEqual(credit_note.amount_residual, 30)
        wizard = self.register(credit_note)
        self.assertEqual(wizard.viva_original_ids, first.transaction_id)
        booking, _status = self.refund(credit_note)
        self.assertEqual((booking.state, credit_note.amount_residual), ("booked", 0))
        self.assert_back(7000, 3000)

    def test_other_customers_payment(self):
        invoice, _sale = self.paid_invoice(100)
        other = self.env["res.partner"].create({"name": "Nikos"})
        _invoice, foreign = self.paid_invoice(100, partner=other)
        credit_note = self.credit(invoice)
        wizard = self.register(credit_note, viva_original_id=foreign.transaction_id.id)
        with self.assertRaisesRegex(UserError, "not paid with that card payment"):
            wizard.action_create_payments()
        self.assert_back()

    def test_credit_note_of_another_customer(self):
        """The customer of the draft was changed: Maria's card does not get back what somebody else is credited."""
        invoice, _sale = self.paid_invoice(100)
        credit_note = invoice._reverse_moves([{"invoice_date": invoice.invoice_date}])
        credit_note.partner_id = self.env["res.partner"].create({"name": "Nikos"})
        credit_note.action_post()
        wizard = self.register(credit_note)
        self.assertFalse(wizard.viva_original_ids)
        with self.assertRaisesRegex(UserError, "No card payment was found"):
            wizard.action_create_payments()
        self.assert_back()

    def test_credit_note_of_a_contact_of_the_customer(self):
        """An address of the same company is the same customer."""
        invoice, sale = self.paid_invoice(100)
        credit_note = invoice._reverse_moves([{"invoice_date": invoice.invoice_date}])
        credit_note.partner_id = self.env["res.partner"].create(
            {"name": "Office", "parent_id": self.customer.id, "type": "invoice"}
        )
        credit_note.action_post()
        self.assertEqual(self.register(credit_note).viva_original_ids, sale.transaction_id)

    def test_no_original(self):
        invoice = self.make_invoice(100)
        credit_note = self.credit(invoice)
        invoice.line_ids.remove_move_reconcile()
        wizard = self.register(credit_note)
        self.assertIn("another payment method", wizard.viva_refund_obstacle_text)
        with self.assertRaisesRegex(UserError, "another payment method"):
            wizard.action_create_payments()

    def test_bill_of_a_vendor(self):
        bill = self.make_invoice(50, move_type="in_invoice")
        with self.assertRaisesRegex(UserError, "credit notes of customers only"):
            self.register(bill).action_create_payments()

    def test_other_company(self):
        other = self.setup_other_company()["company"]
        user = new_test_user(
            self.env,
            "viva_accountant_elsewhere",
            groups="base.group_user,account.group_account_manager,viva_payments.group_viva_accountant",
            company_id=other.id,
            company_ids=[Command.set(other.ids)],
        )
        _invoice, sale = self.paid_invoice(100)
        with self.assertRaises(AccessError):
            self.wizard_of(sale, by=user)

    def test_answer_of_the_api_is_lost(self):
        invoice, _sale = self.paid_invoice(100)
        credit_note = self.credit(invoice)
        self.simulator.control("POST", "faults", {"drop_reverse_response": 1})
        booking = self.booking_of(
            self.register(credit_note, viva_refund_via="api").action_create_payments()
        )
        status = self.start_booking(booking)
        self.assertEqual((status["state"], booking.state), ("unknown", "running"))
        self.assertEqual(credit_note.amount_residual, 100)
        status = self.check_booking(booking, "approved")
        self.assertEqual((booking.state, credit_note.amount_residual), ("booked", 0))
        self.env["viva.booking"]._follow(booking.ids)
        self.assertEqual(len(credit_note.matched_payment_ids), 1)
        self.assert_back(10000)

    def test_declined(self):
        invoice, sale = self.paid_invoice(100)
        credit_note = self.credit(invoice)
        self.simulator.control("POST", "settings", {"refunds": False})
        booking, status = self.refund(credit_note)
        self.assertEqual((status["state"], booking.state), ("failed", "not_done"))
        self.assertEqual(booking.payment_id.state, "canceled")
        bodies = " ".join(booking.payment_id.message_ids.mapped("body"))
        self.assertIn("not enabled refunds", bodies)
        self.assertEqual(credit_note.amount_residual, 100)
        self.assertEqual(sale.transaction_id.left_amount, 100)
        self.assert_back()

    def test_lock_date(self):
        """The money has gone back while the period was closed: it is booked on the first open day, at the latest by hand."""
        invoice, _sale = self.paid_invoice(100)
        credit_note = self.credit(invoice)
        booking = self.booking_of(self.register(credit_note).action_create_payments())
        self.lock()
        booking, status = self.run_booking(booking)
        self.assertEqual(status["state"], "approved")
        if booking.state == "to_post":
            booking.with_user(self.accountant).action_post()
            self.env.invalidate_all()
        self.assertEqual(booking.state, "booked", booking.reason)
        self.assertGreater(booking.payment_id.move_id.date, fields.Date.today())
        self.assertEqual(credit_note.amount_residual, 0)
        self.assert_outgoing(booking.payment_id, 100)
        self.assert_back(10000)

    def test_what_odoo_refuses_is_a_task(self):
        """The asker has lost his rights meanwhile: one button for another accountant."""
        invoice, _sale = self.paid_invoice(100)
        credit_note = self.credit(invoice)
        booking = self.booking_of(self.register(credit_note).action_create_payments())
        self.start_booking(booking)
        self.dismiss(self.accountant)
        self.check_booking(booking, "approved", by=self.accountant_2)
        self.assertEqual((booking.state, credit_note.amount_residual), ("to_post", 100))
        self.assertTrue(booking.activity_ids)
        with self.assertRaises(AccessError):
            booking.with_user(self.biller).action_post()
        booking.with_user(self.accountant_2).action_post()
        self.env.invalidate_all()
        self.assertEqual(booking.state, "booked", booking.reason)
        self.assertEqual(credit_note.amount_residual, 0)
        self.assert_outgoing(booking.payment_id, 100)
        self.assert_back(10000)

    def test_rights(self):
        invoice, _sale = self.paid_invoice(100)
        credit_note = self.credit(invoice)
        wizard = self.register(credit_note, by=self.biller)
        for button in ("action_create_payments", "action_viva_give_back"):
            with self.subTest(button=button), self.assertRaises(AccessError):
                getattr(wizard, button)()
        booking = self.booking_of(self.register(credit_note).action_create_payments())
        with self.assertRaises(AccessError):
            self.start_booking(booking, by=self.biller)
        with self.assertRaises(AccessError):
            self.start_booking(booking, by=self.cashier)
        self.assert_back()

    def test_tip_goes_back_with_the_whole(self):
        self.account.tip_account_id = self.company_data["default_account_revenue"].copy()
        invoice = self.make_invoice(100)
        sale = self.prepare(invoices=invoice)
        self.start_booking(sale)
        self.simulator.act("tip", minor=550)
        self.simulator.act("tap")
        self.check_booking(sale, "approved")
        self.assertEqual(sale.transaction_id.tip_amount, 5.5)
        credit_note = self.credit(invoice)
        wizard = self.register(credit_note)
        self.assertEqual(wizard.amount, 100)
        self.assertIn("5.50", wizard.viva_refund_hint)
        booking, _status = self.refund(credit_note)
        self.assertEqual(booking.state, "booked", booking.reason)
        self.assert_outgoing(booking.payment_id, 105.5)
        tips = booking.payment_id.move_id.line_ids.filtered(
            lambda line: line.account_id == self.account.tip_account_id
        )
        self.assertEqual(tips.balance, 5.5)
        self.assertEqual(credit_note.amount_residual, 0)
        self.assertEqual(sale.transaction_id.left_amount, 0)
        self.assert_back(10550)


class TestRefundOfPayment(RefundCase):
    def test_whole(self):
        invoice, sale = self.paid_invoice(100)
        wizard = self.wizard_of(sale)
        self.assertEqual((wizard.operation, wizard.amount), ("refund", 100))
        self.assertIn(invoice.name, wizard.hint)
        self.assertTrue(wizard.can_credit)
        booking, status = self.give_back(sale)
        self.assertEqual((status["state"], booking.state), ("approved", "booked"), booking.reason)
        self.assert_outgoing(booking.payment_id, 100)
        self.assertEqual(invoice.amount_residual, 100)
        self.assertEqual(invoice.payment_state, "not_paid")
        self.assertTrue(sale.payment_id.is_reconciled)
        self.assertTrue(booking.payment_id.is_reconciled)
        self.assert_balanced(sale.payment_id.move_id)
        # The invoice can be charged anew.
        again, _status = self.charge_invoices(invoice)
        self.assertEqual((again.state, invoice.amount_residual), ("booked", 0))
        self.assert_back(10000)

    def test_parts_to_the_cent(self):
        invoice, sale = self.paid_invoice(100)
        self.clear_booking(sale)
        for amount, rest in ((33.33, 33.33), (0.01, 33.34), (66.66, 100)):
            booking, _status = self.give_back(sale, amount=amount)
            self.assertEqual(booking.state, "booked", booking.reason)
            self.assert_outgoing(booking.payment_id, amount)
            self.assertTrue(booking.payment_id.is_reconciled)
            self.assertAlmostEqual(invoice.amount_residual, rest)
            self.assertTrue(sale.payment_id.is_reconciled, "the rest went back to the invoice")
        with self.assertRaisesRegex(UserError, "Everything was given back"):
            self.wizard_of(sale, amount=0.01).action_confirm()
        self.assert_back(3333, 1, 6666)

    def test_of_two_invoices_the_last_one_opens(self):
        one, two = self.make_invoice(60), self.make_invoice(40)
        sale, _status = self.charge_invoices(one | two)
        self.clear_booking(sale)
        self.give_back(sale, amount=30)
        self.assertEqual((one.amount_residual, two.amount_residual), (0, 30))
        self.give_back(sale, amount=30)
        self.assertEqual(one.amount_residual + two.amount_residual, 60)
        self.assert_back(3000, 3000)

    def test_advance(self):
        """What was matched with nothing yet goes back first; no invoice is touched."""
        sale = self.prepare(amount=50)
        self.start_booking(sale)
        self.simulator.act("tap")
        self.check_booking(sale, "approved")
        booking, _status = self.give_back(sale)
        self.assertEqual(booking.state, "booked", booking.reason)
        self.assertTrue(sale.payment_id.is_reconciled)
        self.assert_back(5000)

    def test_cash_basis_taxes(self):
        """The tax that was due with the payment is due no more when the money has gone back."""
        tax = self.cash_basis_tax()
        invoice = self.make_invoice(100, post=False)
        invoice.invoice_line_ids.tax_ids = tax
        invoice.action_post()
        self.assertEqual(invoice.amount_total, 124)
        sale, _status = self.charge_invoices(invoice)
        self.clear_booking(sale)

        def due():
            lines = self.env["account.move.line"].search([("account_id", "=", self.tax_due.id)])
            for move in lines.move_id:
                self.assert_balanced(move)
            return sum(lines.mapped("balance"))

        self.assertAlmostEqual(due(), -24)
        booking, _status = self.give_back(sale, amount=62)
        self.assertEqual((booking.state, invoice.amount_residual), ("booked", 62), booking.reason)
        self.assertAlmostEqual(due(), -12)
        booking, _status = self.give_back(sale)
        self.assertEqual((booking.state, invoice.amount_residual), ("booked", 124), booking.reason)
        self.assertAlmostEqual(due(), 0)
        self.assert_back(6200, 6200)

    def cash_basis_tax(self):
        self.company.sudo().tax_exigibility = True
        journal = self.env["account.journal"].create(
            {"name": "Taxes on payment", "code": "TOP", "type": "general"}
        )
        self.company.sudo().tax_cash_basis_journal_id = journal
        waiting = self.company_data["default_account_tax_sale"].copy({"reconcile": True})
        self.tax_due = self.company_data["default_account_tax_sale"].copy()
        parts = [
            Command.create({"repartition_type": "base"}),
            Command.create({"repartition_type": "tax", "account_id": self.tax_due.id}),
        ]
        return self.env["account.tax"].create(
            {
                "name": "24 % on payment",
                "amount": 24,
                "tax_exigibility": "on_payment",
                "cash_basis_transition_account_id": waiting.id,
                "invoice_repartition_line_ids": parts,
                "refund_repartition_line_ids": parts,
            }
        )

    def test_buttons_and_rights(self):
        invoice, sale = self.paid_invoice(100)
        payment = sale.payment_id
        self.assertTrue(payment.with_user(self.accountant).viva_can_give_back)
        action = payment.with_user(self.accountant).action_viva_give_back()
        self.assertEqual(action["context"]["default_parent_id"], sale.transaction_id.id)
        transaction = sale.transaction_id.with_user(self.accountant)
        self.assertTrue(transaction.can_give_back_in_office)
        self.assertFalse(transaction.can_give_back, "that is the till's dialog")
        self.assertEqual(
            transaction.action_give_back_in_office()["res_model"], "viva.refund.wizard"
        )
        for user in (self.biller, self.cashier, self.manager):
            with self.subTest(user=user.login):
                with self.assertRaises(AccessError):
                    sale.transaction_id.with_user(user).action_give_back_in_office()
                with self.assertRaises(AccessError):
                    self.wizard_of(sale, by=user)
        with self.assertRaises(AccessError):
            payment.with_user(self.biller).action_viva_give_back()
        credit = self.wizard_of(sale).action_credit_note()
        self.assertEqual(credit["context"]["active_ids"], invoice.ids)

    def test_refund_of_a_refund(self):
        _invoice, sale = self.paid_invoice(100)
        booking, _status = self.give_back(sale)
        with self.assertRaisesRegex(UserError, "Only money that was taken"):
            self.wizard_of(booking, amount=10).action_confirm()
        self.assertFalse(booking.payment_id.viva_can_give_back)

    def test_cashier_at_the_till(self):
        """A payment of the back office is none of the till's business."""
        _invoice, sale = self.paid_invoice(100)
        for user in (self.cashier, self.manager):
            for operation, via in (("void", "terminal"), ("void", "api"), ("refund", "terminal")):
                with self.subTest(user=user.login, operation=operation, via=via):
                    try:
                        _request, status = self.start(
                            operation,
                            self.make_order() if operation == "refund" else None,
                            10000,
                            by=user,
                            parent_attempt=sale.attempt,
                            via=via,
                        )
                    except AccessError:
                        continue
                    self.assertEqual(status["state"], "refused", status)
        self.assert_back()

    def contradict(self, booking):
        """Viva denies what a person has decided."""
        in_ledger(
            self.env,
            lambda env: (
                env["viva.transaction"]
                .browse(booking.transaction_id.id)
                ._confirm_forced(
                    "failed", Outcome(message="never arrived"), {"reason": "never_arrived"}
                )
            ),
        )
        self.env.invalidate_all()
        self.assertFalse(booking.transaction_id._counts())

    def test_contradicted_later(self):
        """A person has decided that the money went back; Viva says no: it may be given back again."""
        invoice, sale = self.paid_invoice(100)
        booking = self.decided_refund(sale)
        self.assertEqual((booking.state, invoice.amount_residual), ("booked", 100))
        with self.assertRaises(UserError):
            booking.payment_id.with_user(self.accountant).action_cancel()
        self.contradict(booking)
        self.assertIn(booking.payment_id.name, booking.activity_ids.note)
        self.assertEqual(sale.transaction_id._left(), 100)
        payment = booking.payment_id.with_user(self.accountant)
        payment.action_draft()
        payment.action_cancel()
        self.env.invalidate_all()
        self.assertEqual(booking.payment_id.state, "canceled")
        again, _status = self.give_back(sale)
        self.assertEqual(again.state, "booked", again.reason)
        self.assertEqual(invoice.amount_residual, 100)
        self.assertTrue(sale.payment_id.is_reconciled)
        self.assert_back(10000)

    def test_decided_by_a_person(self):
        _invoice, sale = self.paid_invoice(100)
        booking = self.decided_refund(sale)
        self.assertEqual(booking.state, "booked", booking.reason)
        self.assert_outgoing(booking.payment_id, 100)


class TestVoidOfUnposted(RefundCase):
    def test_void(self):
        invoice, sale = self.unposted()
        self.assertTrue(sale.payment_id.viva_can_give_back)
        wizard = self.wizard_of(sale)
        self.assertEqual((wizard.operation, wizard.obstacle), ("void", ""))
        self.assertIn("not in the books", wizard.hint)
        booking, status = self.give_back(sale)
        self.assertEqual(
            (status["state"], booking.state), ("approved", "booked"), status["message"]
        )
        self.assertFalse(booking.payment_id)
        self.assertEqual((sale.state, sale.payment_id.state), ("not_done", "canceled"))
        self.assertIn("given back", sale.reason)
        self.assertFalse(sale.activity_ids)
        self.assertEqual(invoice.amount_residual, 100)
        self.run_job()
        self.assertEqual((sale.state, sale.payment_id.state), ("not_done", "canceled"))
        with self.assertRaises(UserError):
            sale.with_user(self.accountant).action_post()
        self.assert_back(10000)

    def test_not_posted_while_it_is_being_given_back(self):
        _invoice, sale = self.unposted()
        self.simulator.act("unplug")
        booking = self.booking_of(self.wizard_of(sale).action_confirm())
        self.start_booking(booking)
        with self.assertRaisesRegex(UserError, "being given back"):
            sale.with_user(self.accountant).action_post()

    def test_void_that_viva_denies_later(self):
        """Decided by a person, denied by Viva: the charge waits to be posted again."""
        invoice, sale = self.unposted()
        booking = self.decided_refund(sale)
        self.assertEqual((booking.state, sale.state), ("booked", "not_done"))
        self.amend(booking.attempt, is_forced=False, is_contradicted=True)
        self.run_job()
        self.assertEqual((sale.state, invoice.amount_residual), ("to_post", 100))
        sale.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        self.assertEqual((sale.state, invoice.amount_residual), ("booked", 0), sale.reason)

    def test_posted_while_it_was_voided(self):
        """Two accountants at once, one posts, one gives back: the books follow with one more button."""
        invoice, sale = self.unposted()
        booking = self.booking_of(self.wizard_of(sale).action_confirm())
        self.start_booking(booking)
        with patch.object(type(sale), "_is_taken_back", lambda self: False):
            sale.with_user(self.accountant_2).action_post()
        self.env.invalidate_all()
        self.assertEqual((sale.state, invoice.amount_residual), ("booked", 0))
        self.check_booking(booking, "approved")
        self.assertEqual(booking.state, "to_post")
        self.assertIn("in the books already", booking.reason)
        booking.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        self.assertEqual((booking.state, booking.operation), ("booked", "refund"), booking.reason)
        self.assert_outgoing(booking.payment_id, 100)
        self.assertEqual((sale.state, invoice.amount_residual), ("booked", 100))
        self.assert_back(10000)

    def test_failed_void_leaves_the_task(self):
        invoice, sale = self.unposted()
        self.simulator.control("POST", "settings", {"refunds": False})
        booking, status = self.give_back(sale)
        self.assertEqual((status["state"], booking.state), ("failed", "not_done"))
        self.assertEqual(sale.state, "to_post")
        sale.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        self.assertEqual((sale.state, invoice.amount_residual), ("booked", 0), sale.reason)


class TestReversalByViva(RefundCase):
    def report(self, sale, minor=10000, *, viva_id="", **data):
        """Viva gives back without Odoo (in its portal) and tells so by an event; the child in the ledger."""
        parent = sale.transaction_id
        viva_id = viva_id or str(uuid.uuid4())
        message = {
            "EventTypeId": 1797,
            "MessageId": str(uuid.uuid4()),
            "RecipientId": MERCHANT_ID,
            "EventData": {
                "MerchantId": MERCHANT_ID,
                "TransactionId": viva_id,
                "ParentId": parent.viva_transaction_id,
                "Amount": -minor / 100,
                "StatusId": "F",
                "TransactionTypeId": 4,
                **data,
            },
        }
        self.env["viva.event"].sudo()._receive(self.account, message)
        self.env.flush_all()
        self.env["viva.event"]._process()
        self.env.invalidate_all()
        return parent.child_ids.filtered(lambda child: child.origin == "viva")

    def decide(self, child, decision="approved"):
        self.env["viva.transaction"]._decide(child.id, decision, "Seen in the portal", self.manager)
        self.env.invalidate_all()

    def test_confirmed_is_a_task(self):
        invoice, sale = self.paid_invoice(100)
        child = self.report(sale, 4000)
        self.assertEqual((child.state, child.booking_id.id), ("unknown", False))
        self.decide(child)
        booking = child.booking_id
        self.assertEqual(
            (booking.state, booking.operation, booking.amount), ("to_post", "refund", 40)
        )
        self.assertTrue(booking.activity_ids)
        self.assertEqual(invoice.amount_residual, 0, "nothing changes silently")
        self.run_job()
        self.assertEqual(booking.state, "to_post")
        with self.assertRaises(AccessError):
            booking.with_user(self.biller).action_post()
        booking.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        self.assertEqual(booking.state, "booked", booking.reason)
        self.assert_outgoing(booking.payment_id, 40)
        self.assertEqual(invoice.amount_residual, 40)
        self.assertTrue(booking.payment_id.is_reconciled)
        self.assertEqual(self.wizard_of(sale).amount, 60)

    def test_of_unposted_money(self):
        _invoice, sale = self.unposted()
        child = self.report(sale, TransactionTypeId=7)
        self.decide(child)
        booking = child.booking_id
        self.assertEqual((booking.state, booking.operation), ("to_post", "void"))
        with self.assertRaisesRegex(UserError, "being given back"):
            sale.with_user(self.accountant).action_post()
        booking.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        self.assertEqual((booking.state, sale.state), ("booked", "not_done"), booking.reason)
        self.assertEqual(sale.payment_id.state, "canceled")

    def tipped(self, tips=True):
        """An invoice of 100.00 that was paid with a tip of 5.50."""
        if tips:
            self.account.tip_account_id = self.company_data["default_account_revenue"].copy()
        invoice = self.make_invoice(100)
        sale = self.prepare(invoices=invoice)
        self.start_booking(sale)
        self.simulator.act("tip", minor=550)
        self.simulator.act("tap")
        self.check_booking(sale, "approved")
        return invoice, sale

    def test_tip_is_what_was_left(self):
        """The last part that Viva gives back is nothing but the tip: it leaves the account of the tips."""
        invoice, sale = self.tipped()
        first = self.report(sale)
        self.decide(first)
        second = self.report(sale, 550) - first
        self.decide(second)
        self.assertEqual((second.state, second.tip_amount), ("approved", 5.5))
        booking = second.booking_id
        self.assertEqual((booking.state, booking.operation), ("to_post", "refund"))
        self.assertIn("tip of", booking.activity_ids.note)
        self.assertIn("5.50", booking.display_name)
        (first | second).booking_id.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        self.assertEqual(booking.state, "booked", booking.reason)
        self.assert_outgoing(booking.payment_id, 5.5)
        tips = booking.payment_id.move_id.line_ids.filtered(
            lambda line: line.account_id == self.account.tip_account_id
        )
        self.assertEqual(tips.balance, 5.5)
        self.assertEqual(invoice.amount_residual, 100)
        self.assertTrue(first.booking_id.payment_id.is_reconciled)
        self.assertEqual(sale.transaction_id.left_amount, 0)

    def test_tip_is_what_was_left_without_an_account_of_tips(self):
        """The tip was a credit of the customer: it leaves his account."""
        invoice, sale = self.tipped(tips=False)
        first = self.report(sale)
        self.decide(first)
        second = self.report(sale, 550) - first
        self.decide(second)
        (first | second).booking_id.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        booking = second.booking_id
        self.assertEqual(booking.state, "booked", booking.reason)
        self.assert_outgoing(booking.payment_id, 5.5)
        self.assertTrue(booking.payment_id.is_reconciled)
        self.assertEqual(invoice.amount_residual, 100)

    def test_books_never_stop_the_ledger(self):
        """Money that went back is recorded, whatever happens to its booking; a task says what to do."""
        _invoice, sale = self.paid_invoice(100)
        child = self.report(sale)
        broken = patch.object(type(sale), "_values_to_take_back", side_effect=ValueError("x"))
        with broken, mute_logger("odoo.addons.viva_payments.models.viva_booking_refund"):
            self.decide(child)
        self.assertEqual((child.state, child.booking_id.id), ("approved", False))
        self.assertEqual(sale.transaction_id._left(), 0)
        self.assertIn("bank journal by hand", child.activity_ids.mapped("note")[-1])

    def test_denied(self):
        invoice, sale = self.paid_invoice(100)
        child = self.report(sale)
        self.amend(child.attempt, sent_at="2020-01-01 10:00:00")
        self.decide(child, "failed")
        self.assertFalse(child.booking_id)
        self.assertEqual((invoice.amount_residual, sale.transaction_id._left()), (0, 100))


class TestSharedWithTheTill(RefundCase):
    def pos_invoice(self):
        """A POS order of 19.98 paid by card and invoiced; returns (order, sale request)."""
        order, sale = self.sell(1998)
        order.partner_id = self.customer
        order = self.validate(order, sale)
        order.sudo().action_pos_order_invoice()
        self.env.flush_all()
        return order.sudo(), sale

    def test_half_at_the_till_the_rest_from_the_credit_note(self):
        order, sale = self.pos_invoice()
        invoice = order.account_move
        self.assertTrue(invoice)
        self.clear(sale)
        refunder = self.cashier.copy({"login": "viva_refunder"})
        refunder.group_ids |= self.env.ref("viva_payments.group_viva_refund")
        refund = self.refund_order(order)
        request, _status = self.start(
            "refund", refund, 999, by=refunder, parent_attempt=sale["attempt"]
        )
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        credit_note = self.credit(invoice)
        wizard = self.register(credit_note)
        self.assertEqual(wizard.viva_original_id, self.transaction(sale["attempt"]))
        self.assertAlmostEqual(wizard.amount, 9.99)
        with self.assertRaisesRegex(UserError, "is left"):
            self.register(credit_note, amount=10).action_create_payments()
        booking, status = self.refund(credit_note)
        self.assertEqual((status["state"], booking.state), ("approved", "booked"), booking.reason)
        self.assert_outgoing(booking.payment_id, 9.99)
        self.assertAlmostEqual(credit_note.amount_residual, 9.99)
        self.assertIn(
            "another payment method", self.register(credit_note).viva_refund_obstacle_text
        )
        self.assert_back(999, 999)

    def test_till_sees_what_the_office_gave_back(self):
        order, sale = self.pos_invoice()
        self.clear(sale)
        self.refund(self.credit(order.account_move), amount=15)
        status = self.check(sale["attempt"])
        self.assertEqual(status["left_minor"], 498)
        self.assertFalse(self.session._viva_obstacle())
        self.assertEqual(order.payment_ids.viva_state, "proven")
        self.session.action_pos_session_closing_control()
        self.assertEqual(self.session.state, "closed")
