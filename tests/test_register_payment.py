"""Register Payment with a Viva terminal, as a billing user: what is charged, and what stands in the books afterwards."""

import re
from datetime import timedelta

from psycopg2.errors import CheckViolation

from odoo import Command, fields
from odoo.exceptions import UserError
from odoo.tests import Form, new_test_user
from odoo.tools import mute_logger

from .common import TERMINAL, TERMINAL_2
from .test_booking import BILLING, BookingCase


class RegisterCase(BookingCase):
    def wizard(self, invoices, *, by=None, **values):
        """Register Payment as it opens for these invoices, with the method Viva terminal."""
        context = {"active_model": "account.move", "active_ids": invoices.ids}
        wizards = (
            self.env["account.payment.register"]
            .with_user(by or self.biller)
            .with_context(**context)
        )
        return wizards.create(
            {
                "journal_id": self.journal.id,
                "payment_method_line_id": self.line_in.id,
                "viva_terminal_id": self.terminal.id,
                **values,
            }
        )

    def press(self, wizard):
        """Charge; the booking that the dialog gets."""
        action = wizard.action_create_payments()
        self.env.flush_all()
        self.assertEqual(action["tag"], "viva_payments.booking")
        booking = self.env["viva.booking"].search([("attempt", "=", action["params"]["attempt"])])
        return booking.with_user(wizard.env.user)

    def finish(self, booking, *, action="tap"):
        """The dialog starts it, the customer does something; the Status."""
        self.start_booking(booking)
        self.simulator.act(action, booking.terminal_id.viva_id)
        return self.check_booking(booking, "approved", "declined", "cancelled", "failed")

    def pay(self, invoices, **values):
        booking = self.press(self.wizard(invoices, **values))
        self.finish(booking)
        self.assertEqual(booking.state, "booked", booking.reason)
        return booking.payment_id

    def assert_paid_by(self, payment, *invoices):
        """Posted, balanced, in the outstanding account, and it is what pays these invoices."""
        move = payment.move_id
        self.assertEqual(move.state, "posted")
        self.assert_balanced(move)
        liquidity, counterpart, _other = payment._seek_for_lines()
        self.assertEqual(liquidity.account_id, self.line_in.payment_account_id)
        self.assertEqual(liquidity.amount_currency, payment.amount)
        self.assertFalse(liquidity.reconciled)
        for invoice in invoices:
            self.assertIn(invoice, payment.reconciled_invoice_ids)
            self.assertEqual(invoice.amount_residual, 0)
            self.assertIn(invoice.payment_state, ("paid", "in_payment"))
        self.assertTrue(all(line.reconciled for line in counterpart))

    def charged(self):
        return sorted(charge["amount"] for charge in self.simulator.charges())

    def refused(self, wizard):
        """Charge is refused; the words. Nothing was prepared."""
        with self.assertRaises(UserError) as caught:
            wizard.action_create_payments()
        self.assertFalse(self.env["viva.booking"].search([("user_id", "=", wizard.env.uid)]))
        self.assertFalse(self.simulator.charges())
        return str(caught.exception)


class TestRegister(RegisterCase):
    def test_one_invoice(self):
        invoice = self.make_invoice(100)
        wizard = self.wizard(invoice)
        self.assertTrue(wizard.viva_is_charge)
        self.assertEqual(wizard.viva_terminal_ids, self.terminal | self.terminal_2)
        self.assertFalse(wizard.viva_obstacle)
        self.assertFalse(wizard.viva_warning)
        self.assertIn("no successful payment yet", wizard.viva_terminal_known)
        wizard.viva_terminal_id = self.terminal_2
        booking = self.press(wizard)
        payment = booking.payment_id
        self.assertEqual((payment.state, payment.move_id.id, payment.amount), ("draft", False, 100))
        self.assertEqual(payment.memo, wizard.communication)
        self.assertEqual(invoice.payment_state, "not_paid")
        self.assertFalse(self.simulator.charges())
        self.finish(booking)
        self.assertEqual(self.charged(), [10000])
        self.assertEqual(self.simulator.charges()[0]["terminalId"], TERMINAL_2)
        self.assert_paid_by(payment, invoice)
        # In Community an invoice without anything open is paid, and Odoo calls its payment paid with it.
        self.assertEqual((invoice.payment_state, payment.state), ("paid", "paid"))
        self.assertFalse(payment.is_matched)
        self.assertEqual(payment.create_uid, self.biller)
        # The terminal that was used last comes first.
        wizard = self.wizard(self.make_invoice(5), viva_terminal_id=False)
        self.assertEqual(wizard.viva_terminal_ids[:1], self.terminal_2)

    def test_part_stays_in_process(self):
        invoice = self.make_invoice(100)
        payment = self.pay(invoice, amount=40)
        self.assertEqual(self.charged(), [4000])
        self.assertEqual(payment.state, "in_process")
        self.assertEqual((invoice.amount_residual, invoice.payment_state), (60, "partial"))
        self.assert_paid_by(payment)
        rest = self.pay(invoice)
        self.assertEqual((rest.amount, invoice.payment_state), (60, "paid"))
        self.assert_paid_by(rest, invoice)

    def test_several_of_one_customer_are_one_charge(self):
        invoices = self.make_invoice(100) | self.make_invoice(50.5)
        wizard = self.wizard(invoices)
        self.assertEqual(wizard.amount, 150.5)
        payment = self.press_and_finish(wizard)
        self.assertEqual(self.charged(), [15050])
        self.assert_paid_by(payment, *invoices)

    def press_and_finish(self, wizard):
        booking = self.press(wizard)
        self.finish(booking)
        self.assertEqual(booking.state, "booked", booking.reason)
        return booking.payment_id

    def test_credit_note_is_set_off(self):
        invoice = self.make_invoice(100)
        credit = self.make_invoice(30, move_type="out_refund")
        payment = self.press_and_finish(self.wizard(invoice | credit))
        self.assertEqual(self.charged(), [7000])
        self.assert_paid_by(payment, invoice)
        self.assertEqual(credit.amount_residual, 0)

    def test_declined_says_why(self):
        invoice = self.make_invoice(100)
        booking = self.press(self.wizard(invoice))
        self.finish(booking, action="decline")
        payment = booking.payment_id
        self.assertEqual((booking.state, payment.state), ("not_done", "canceled"))
        self.assertIn(booking.reason, " ".join(payment.message_ids.mapped("body")))
        self.assertEqual((payment.viva_level, payment.viva_message), ("warning", booking.reason))
        self.assertEqual((invoice.amount_residual, invoice.payment_state), (100, "not_paid"))
        self.assertFalse(payment.move_id)
        # And it can be tried again.
        self.assert_paid_by(self.pay(invoice), invoice)

    def test_pressed_twice_is_one_dialog(self):
        wizard = self.wizard(self.make_invoice(100))
        booking = self.press(wizard)
        self.assertEqual(self.press(wizard), booking)
        wizard.amount = 70
        other = self.press(wizard)
        self.assertNotEqual(other, booking)
        self.assertEqual((other.amount, other.payment_id.amount), (70, 70))
        self.env.invalidate_all()
        self.assertEqual((booking.state, booking.payment_id.state), ("not_done", "canceled"))
        self.finish(other)
        self.assertEqual(self.press(wizard), other)
        self.assertEqual(self.charged(), [7000])

    def test_prepared_draft_is_no_duplicate(self):
        """Pay is pressed, nothing is sent, Pay is pressed again: Odoo does not warn of the draft of the first time."""
        booking, _status = self.charge_invoices(self.make_invoice(100), action="decline")
        booking.payment_id.with_user(self.biller).action_draft()
        prepared = self.prepare(invoices=self.make_invoice(100))
        manual = self.journal.inbound_payment_method_line_ids.filtered(
            lambda line: line.code == "manual"
        )
        other = (prepared.payment_id | booking.payment_id)[0].copy(
            {"payment_method_line_id": manual[:1].id}
        )
        self.env.flush_all()
        wizard = self.wizard(self.make_invoice(100))
        self.assertEqual(wizard.duplicate_payment_ids, other)
        self.start_booking(prepared)
        wizard = self.wizard(self.make_invoice(100))
        self.assertEqual(wizard.duplicate_payment_ids, other | prepared.payment_id)

    def test_second_person_is_told_who(self):
        invoice = self.make_invoice(100)
        first = self.press(self.wizard(invoice))
        opened = self.wizard(invoice, by=self.biller_2, viva_terminal_id=self.terminal_2.id)
        second = self.press(opened)
        self.start_booking(first)
        # Whoever had it prepared is told when he starts, whoever opens it now at once.
        status = self.start_booking(second)
        self.assertEqual(status["state"], "refused")
        self.assertIn(self.biller.name, status["message"])
        late = self.wizard(invoice, by=self.biller_2, viva_terminal_id=self.terminal_2.id)
        self.assertIn(self.biller.name, late.viva_warning)
        with self.assertRaisesRegex(UserError, re.escape(self.biller.name)):
            late.action_create_payments()
        self.simulator.act("tap", TERMINAL)
        self.check_booking(first, "approved")
        self.assertEqual(self.charged(), [10000])
        self.assertEqual(invoice.payment_state, "paid")

    def by_other_means(self, invoices, **values):
        manual = self.journal.inbound_payment_method_line_ids.filtered(lambda m: m.code == "manual")
        return self.wizard(invoices, by=self.biller_2, payment_method_line_id=manual.id, **values)

    def test_not_paid_otherwise_while_the_card_is_asked(self):
        invoice = self.make_invoice(100)
        self.assertFalse(self.by_other_means(invoice).viva_claim)
        booking = self.press(self.wizard(invoice))
        # Only prepared: nobody is kept from anything.
        self.assertFalse(self.by_other_means(invoice).viva_claim)
        self.start_booking(booking)
        invoices = invoice | self.make_invoice(50)
        for values in ({}, {"group_payment": True}):
            wizard = self.by_other_means(invoices, **values)
            self.assertIn(
                f"{self.biller.name} is asking a card for {invoice.name}", wizard.viva_claim
            )
            for call in (wizard.action_create_payments, wizard._create_payments):
                with self.assertRaisesRegex(UserError, "Show and cancel it there"):
                    call()
        self.assertEqual(invoice.amount_residual, 100)
        self.simulator.act("tap")
        self.check_booking(booking, "approved")
        self.assert_paid_by(booking.payment_id, invoice)
        self.assertEqual(len(invoice.matched_payment_ids), 1)

    def test_paid_otherwise_after_it_was_declined(self):
        invoice = self.make_invoice(100)
        self.finish(self.press(self.wizard(invoice)), action="decline")
        wizard = self.by_other_means(invoice)
        self.assertFalse(wizard.viva_claim)
        wizard.action_create_payments()
        self.assertEqual((invoice.payment_state, self.charged()), ("paid", []))

    def test_not_paid_otherwise_while_it_waits_to_be_posted(self):
        invoice = self.make_invoice(100)
        booking = self.press(self.wizard(invoice))
        self.start_booking(booking)
        self.session.action_pos_session_closing_control()
        self.company.sudo().fiscalyear_lock_date = fields.Date.context_today(invoice)
        self.simulator.act("tap")
        self.check_booking(booking, "approved")
        self.assertEqual(booking.state, "to_post")
        wizard = self.by_other_means(invoice)
        self.assertIn("not in the books yet", wizard.viva_claim)
        with self.assertRaisesRegex(UserError, "an accountant has to post it"):
            wizard.action_create_payments()
        self.assertEqual(invoice.amount_residual, 100)

    def test_gateway_that_is_away(self):
        gateway = self.env["viva.gateway"].create({"name": "Shop", "company_id": self.company.id})
        self.terminal.write(
            {
                "protocol": "tcp",
                "model_id": self.env.ref("viva_payments.terminal_model_s900").id,
                "gateway_id": gateway.id,
                "lan_host": "192.168.1.20",
                "lan_port": 8080,
            }
        )
        wizard = self.wizard(self.make_invoice(100))
        self.assertIn("Gateway Shop is not paired", wizard.viva_warning)
        self.assertIn("Gateway Shop is not paired", self.refused(wizard))
        gateway.state = "paired"
        self.assertIn("not connected", self.wizard(self.make_invoice(100)).viva_warning)
        self.assertFalse(
            self.wizard(self.make_invoice(100), viva_terminal_id=self.terminal_2.id).viva_warning
        )

    def test_paid_meanwhile_is_not_charged(self):
        invoice = self.make_invoice(100)
        wizard = self.wizard(invoice)
        self.pay(invoice)
        with self.assertRaisesRegex(UserError, "still owed"):
            wizard.action_create_payments()
        self.assertEqual(self.charged(), [10000])

    def test_busy_terminal(self):
        first = self.press(self.wizard(self.make_invoice(100)))
        self.start_booking(first)
        wizard = self.wizard(self.make_invoice(7))
        wizard.viva_terminal_id = self.terminal
        self.assertIn(first.transaction_id.name, wizard.viva_warning)
        with self.assertRaisesRegex(UserError, "busy"):
            wizard.action_create_payments()
        self.simulator.act("tap", TERMINAL)
        self.check_booking(first, "approved")
        # The dialog is still open: what was busy is free now.
        self.press_and_finish(wizard)
        self.assertEqual(self.charged(), [700, 10000])

    def test_installments(self):
        self.account.installment_ids = [
            Command.create({"amount_from": 100, "installments": 3}),
            Command.create({"amount_from": 300, "installments": 6}),
        ]
        invoice = self.make_invoice(350)
        wizard = self.wizard(invoice)
        self.assertEqual(wizard.viva_installment_choices, ["0", "2", "3", "4", "5", "6"])
        self.assertEqual(wizard.viva_installments, "0")
        wizard.viva_installments = "6"
        wizard.amount = 120
        self.assertEqual(wizard.viva_most_installments, 3)
        self.assertEqual(wizard.viva_installments, "3")
        booking = self.press(wizard)
        self.assertEqual(booking.max_installments, 3)
        wizard = self.wizard(self.make_invoice(99.99))
        self.assertEqual(wizard.viva_most_installments, 0)

    def test_band_belongs_to_one(self):
        band = {"amount_from": 100, "installments": 3}
        for owners in ({}, {"account_id": self.account.id, "payment_method_id": self.method.id}):
            with (
                mute_logger("odoo.sql_db"),
                self.assertRaises(CheckViolation),
                self.cr.savepoint(),
            ):
                self.env["viva.installment.band"].create({**band, **owners})
        admin = new_test_user(
            self.env, "viva_chief", groups="base.group_user,viva_payments.group_viva_admin"
        )
        admin.write({"company_ids": [Command.link(self.company.id)], "company_id": self.company.id})
        form = Form(self.account.with_user(admin))
        with form.installment_ids.new() as line:
            line.amount_from, line.installments = 100, 3
        form.save()
        self.assertEqual(self.account.installment_ids.company_id, self.company)
        self.assertEqual(self.account.installment_ids.currency_id, self.account.currency_id)

    def test_form_chooses_by_itself(self):
        """As a browser fills it in: one payment for all, today."""
        invoices = self.make_invoice(100) | self.make_invoice(50)
        context = {"active_model": "account.move", "active_ids": invoices.ids}
        wizards = (
            self.env["account.payment.register"].with_user(self.biller).with_context(**context)
        )
        form = Form(wizards)
        form.journal_id = self.journal
        self.assertFalse(form.group_payment)
        form.payment_date = fields.Date.today() - timedelta(days=9)
        form.payment_method_line_id = self.line_in
        self.assertTrue(form.viva_is_charge)
        self.assertTrue(form.group_payment)
        self.assertEqual(form.payment_date, fields.Date.context_today(wizards))
        form.amount = 120
        wizard = form.save()
        payment = self.press_and_finish(wizard)
        self.assertEqual(payment.amount, 120)
        self.assertAlmostEqual(sum(invoices.mapped("amount_residual")), 30)


class TestRegisterRefused(RegisterCase):
    def test_more_than_owed(self):
        wizard = self.wizard(self.make_invoice(100), amount=100.01)
        self.assertIn("still owed", wizard.viva_obstacle)
        self.assertIn("still owed", self.refused(wizard))

    def test_nothing(self):
        self.assertIn("Enter the amount", self.refused(self.wizard(self.make_invoice(9), amount=0)))

    def test_other_currency(self):
        dollar = self.env.ref("base.USD")
        dollar.active = True
        invoice = self.make_invoice(100, currency_id=dollar.id)
        self.assertIn("USD", self.refused(self.wizard(invoice)))
        # Not with a converted amount either.
        self.assertIn(
            "USD", self.refused(self.wizard(invoice, currency_id=self.company.currency_id.id))
        )

    def test_several_customers(self):
        other = self.env["res.partner"].create({"name": "Nikos"})
        invoices = self.make_invoice(100) | self.make_invoice(50, partner=other)
        wizard = self.wizard(invoices)
        self.assertIn("Nikos", wizard.viva_obstacle)
        self.refused(wizard)

    def test_vendor(self):
        credit = self.make_invoice(100, move_type="in_refund")
        self.assertIn("vendor", self.refused(self.wizard(credit)))

    def test_draft_invoice(self):
        self.assertIn("Confirm", self.refused(self.wizard(self.make_invoice(10, post=False))))

    def test_journal_without_account(self):
        self.account.journal_id = False
        wizard = self.wizard(self.make_invoice(10))
        self.assertIn(self.journal.name, wizard.viva_obstacle)
        self.refused(wizard)

    def test_no_terminal(self):
        (self.terminal | self.terminal_2).active = False
        self.assertIn("no terminal", self.refused(self.wizard(self.make_invoice(10))))

    def test_terminal_that_is_not_offered(self):
        """Money of another Viva account would be booked in this one's bank."""
        other = self.account.copy(
            {
                "name": "Other Viva",
                "client_id": "sim-client.apps.vivapayments.com",
                "client_secret": "sim-secret",
            }
        )
        self.terminal_2.account_id = other
        self.env.flush_all()
        wizard = self.wizard(self.make_invoice(100), viva_terminal_id=self.terminal_2.id)
        self.assertIn("is not booked in journal", wizard.viva_obstacle)
        words = self.refused(wizard)
        self.assertIn(self.terminal_2.name, words)
        self.assertIn(self.terminal.name, words)

    def test_nothing_is_posted_by_other_ways(self):
        """From a list, in code, one payment per invoice: never without a card."""
        invoices = self.make_invoice(100) | self.make_invoice(50)
        for values in ({}, {"group_payment": True}):
            with self.assertRaisesRegex(UserError, "without a card"), self.cr.savepoint():
                self.wizard(invoices, **values)._create_payments()
        with self.assertRaisesRegex(UserError, "without a card"), self.cr.savepoint():
            self.wizard(invoices[0]).with_context(dont_redirect_to_payments=True)._create_payments()
        payments = self.env["account.payment"].search([("partner_id", "=", self.customer.id)])
        self.assertFalse(payments.filtered(lambda payment: payment.state != "draft"))
        self.assertEqual(sum(invoices.mapped("amount_residual")), 150)

    def test_other_methods_are_as_ever(self):
        invoice = self.make_invoice(100)
        manual = self.journal.inbound_payment_method_line_ids.filtered(lambda m: m.code == "manual")
        wizard = self.wizard(invoice, payment_method_line_id=manual.id)
        self.assertFalse(wizard.viva_is_charge)
        self.assertFalse(wizard.viva_obstacle)
        wizard.action_create_payments()
        self.assertEqual(invoice.payment_state, "paid")
        self.assertFalse(self.simulator.charges())

    def test_what_is_proposed_is_never_the_card(self):
        context = {"active_model": "account.move", "active_ids": self.make_invoice(10).ids}
        wizards = self.env["account.payment.register"].with_user(self.biller)
        wizard = wizards.with_context(**context).create({"journal_id": self.journal.id})
        self.assertEqual(wizard.payment_method_line_id.code, "manual")


class TestRegisterBooks(RegisterCase):
    """What Odoo's accounting makes of it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.loss = cls.company_data["default_account_expense"]

    def test_write_off(self):
        invoice = self.make_invoice(100.03)
        payment = self.pay(
            invoice,
            amount=100,
            payment_difference_handling="reconcile",
            writeoff_account_id=self.loss.id,
            writeoff_label="Odd cents",
        )
        self.assertEqual(self.charged(), [10000])
        self.assert_paid_by(payment, invoice)
        (line,) = payment._seek_for_lines()[2]
        self.assertEqual((line.account_id, line.balance, line.name), (self.loss, 0.03, "Odd cents"))

    def test_early_payment_discount(self):
        for computation in ("included", "excluded", "mixed"):
            with self.subTest(computation):
                self.simulator.reset()
                invoice = self.discounted(computation)
                wizard = self.wizard(invoice)
                self.assertTrue(wizard.early_payment_discount_mode)
                amount = wizard.amount
                self.assertLess(amount, invoice.amount_total)
                payment = self.press_charge(wizard)
                self.assertEqual(self.charged(), [round(amount * 100)])
                self.assert_paid_by(payment, invoice)
                self.assertEqual(payment.amount, amount)

    def press_charge(self, wizard):
        booking = self.press(wizard)
        self.finish(booking)
        self.assertEqual(booking.state, "booked", booking.reason)
        return booking.payment_id

    def discounted(self, computation):
        term = self.env["account.payment.term"].create(
            {
                "name": f"2% within 7 days, {computation}",
                "early_discount": True,
                "discount_percentage": 2,
                "discount_days": 7,
                "early_pay_discount_computation": computation,
                "line_ids": [
                    Command.create({"value": "percent", "value_amount": 100, "nb_days": 30})
                ],
            }
        )
        return self.make_invoice(
            invoice_payment_term_id=term.id,
            invoice_line_ids=[
                Command.create(
                    {
                        "name": "Bicycle",
                        "price_unit": 333.33,
                        "tax_ids": [Command.set(self.company_data["default_tax_sale"].ids)],
                    }
                )
            ],
        )

    def test_discount_of_yesterday_is_none(self):
        """The day of the charge decides, not a date in the dialog."""
        invoice = self.discounted("included")
        invoice.button_draft()
        invoice.invoice_date = fields.Date.today() - timedelta(days=20)
        invoice.action_post()
        wizard = self.wizard(invoice, payment_date=fields.Date.today() - timedelta(days=19))
        asked = wizard.amount
        self.assertLess(asked, invoice.amount_total)
        payment = self.press_charge(wizard)
        self.assertEqual(payment.date, fields.Date.context_today(payment))
        self.assertEqual(payment.amount, asked)
        self.assertAlmostEqual(invoice.amount_residual, invoice.amount_total - asked)

    def test_next_part_of_a_payment_term(self):
        term = self.env["account.payment.term"].create(
            {
                "name": "Half now",
                "line_ids": [
                    Command.create({"value": "percent", "value_amount": 50, "nb_days": 0}),
                    Command.create({"value": "percent", "value_amount": 50, "nb_days": 60}),
                ],
            }
        )
        invoice = self.make_invoice(100.01, invoice_payment_term_id=term.id)
        wizard = self.wizard(invoice)
        asked = wizard.amount
        self.assertLess(asked, 60)
        payment = self.press_charge(wizard)
        self.assertEqual(payment.amount, asked)
        lines = invoice.line_ids.filtered(lambda line: line.display_type == "payment_term")
        self.assertEqual(lines.sorted("date_maturity").mapped("reconciled"), [True, False])

    def test_forint_has_no_decimals_in_odoo_and_two_at_viva(self):
        forint = self.env.ref("base.HUF")
        forint.write({"active": True, "rounding": 1.0})
        self.account.currency_id = forint
        self.simulator.control("POST", "settings", {"currency": "348"})
        invoice = self.make_invoice(1235, currency_id=forint.id)
        payment = self.pay(invoice)
        self.assertEqual((payment.currency_id, payment.amount), (forint, 1235))
        self.assertEqual(self.charged(), [123500])
        self.assert_paid_by(payment, invoice)

    def test_currency_with_three_decimals(self):
        euro = self.company.currency_id
        euro.rounding = 0.001
        invoice = self.make_invoice(10.005)
        self.assertEqual(invoice.amount_total, 10.005)
        wizard = self.wizard(invoice)
        self.assertIn("decimals", self.refused(wizard))
        # What is whole cents can be charged, and the rest written off.
        payment = self.pay(
            invoice,
            amount=10,
            payment_difference_handling="reconcile",
            writeoff_account_id=self.loss.id,
        )
        self.assertEqual(self.charged(), [1000])
        self.assert_paid_by(payment, invoice)

    def test_currency_rounded_to_five_cents(self):
        self.company.currency_id.rounding = 0.05
        invoice = self.make_invoice(19.97)
        self.assertEqual(invoice.amount_total, 19.95)
        payment = self.pay(invoice)
        self.assertEqual(self.charged(), [1995])
        self.assert_paid_by(payment, invoice)

    def test_company_in_another_currency(self):
        """The books are in dollars, the card and the invoice in euros."""
        dollar, euro = self.env.ref("base.USD"), self.env.ref("base.EUR")
        dollar.active = True
        self.company.currency_id = dollar
        self.env["res.currency.rate"].create(
            {
                "name": "2020-01-01",
                "currency_id": euro.id,
                "company_id": self.company.id,
                "rate": 0.9,
            }
        )
        self.account.currency_id = euro
        invoice = self.make_invoice(90.01, currency_id=euro.id)
        payment = self.pay(invoice)
        self.assertEqual(self.charged(), [9001])
        self.assert_paid_by(payment, invoice)
        self.assertEqual(payment._seek_for_lines()[0].balance, 100.01)

    def test_lock_date(self):
        invoice = self.make_invoice(100)
        booking = self.press(self.wizard(invoice))
        self.start_booking(booking)
        self.session.action_pos_session_closing_control()
        today = fields.Date.context_today(self.env["account.payment"])
        self.company.sudo().fiscalyear_lock_date = today
        self.simulator.act("tap")
        self.check_booking(booking, "approved")
        payment = booking.payment_id
        self.assertEqual((booking.state, payment.state), ("to_post", "draft"), booking.reason)
        self.assertEqual(invoice.amount_residual, 100)
        self.assertTrue(booking.activity_ids)
        self.assertIn("closed", booking.reason)
        self.assertEqual(payment.viva_level, "danger")
        # Nobody charges it again meanwhile.
        again = self.wizard(invoice, by=self.biller_2)
        with self.assertRaises(UserError):
            again.action_create_payments()
        payment.with_user(self.accountant).action_viva_post()
        self.assertEqual(booking.state, "booked", booking.reason)
        self.assertEqual(payment.move_id.date, today + timedelta(days=1))
        self.assertFalse(booking.activity_ids)
        self.assert_paid_by(payment, invoice)
        self.assertEqual(self.charged(), [10000])

    def test_cash_basis_taxes(self):
        self.company.tax_exigibility = True
        transition = self.env["account.account"].create(
            {
                "name": "Tax in transition",
                "code": "TRANS1",
                "account_type": "liability_current",
                "reconcile": True,
            }
        )
        tax = self.env["account.tax"].create(
            {
                "name": "24% on payment",
                "amount": 24,
                "type_tax_use": "sale",
                "company_id": self.company.id,
                "tax_exigibility": "on_payment",
                "cash_basis_transition_account_id": transition.id,
            }
        )
        invoice = self.make_invoice(
            invoice_line_ids=[
                Command.create({"name": "Bicycle", "price_unit": 100, "tax_ids": tax.ids})
            ]
        )
        due = self.env["account.move"].search([("tax_cash_basis_origin_move_id", "=", invoice.id)])
        self.assertFalse(due)
        payment = self.pay(invoice, amount=62)
        self.assert_paid_by(payment)
        due = self.env["account.move"].search([("tax_cash_basis_origin_move_id", "=", invoice.id)])
        self.assertEqual(len(due), 1)
        self.assert_balanced(due)
        self.assertEqual(due.state, "posted")
        taxes = due.line_ids.filtered("tax_line_id")
        self.assertEqual(abs(sum(taxes.mapped("balance"))), 12)
        self.assert_paid_by(self.pay(invoice), invoice)
        due = self.env["account.move"].search([("tax_cash_basis_origin_move_id", "=", invoice.id)])
        self.assertEqual(abs(sum(due.line_ids.filtered("tax_line_id").mapped("balance"))), 24)


class TestRegisterCompanies(RegisterCase):
    def test_another_company(self):
        """A journal, an account and a terminal of the other company: each books in its own."""
        other = self.setup_other_company(name="Second shop")
        company, journal = other["company"], other["default_journal_bank"]
        company.currency_id = self.company.currency_id
        account = self.account.copy(
            {
                "name": "Second",
                "company_id": company.id,
                "client_id": "sim-client.apps.vivapayments.com",
                "client_secret": "sim-secret",
                "journal_id": journal.id,
            }
        )
        self.method.viva_terminal_ids = self.terminal
        self.terminal_2.account_id = account
        both = self.company | company
        biller = new_test_user(
            self.env,
            "viva_biller_both",
            groups=BILLING,
            company_id=self.company.id,
            company_ids=[Command.set(both.ids)],
        )
        wizard = self.wizard(self.make_invoice(10), by=biller)
        self.assertEqual(wizard.viva_terminal_ids, self.terminal)
        invoice = self.with_other(company).make_invoice_of(company)
        line = journal.inbound_payment_method_line_ids.filtered(lambda m: m.code == "viva")
        wizard = self.wizard(
            invoice,
            by=biller,
            journal_id=journal.id,
            payment_method_line_id=line.id,
            viva_terminal_id=self.terminal_2.id,
        )
        self.assertEqual(wizard.viva_terminal_id, self.terminal_2)
        booking = self.press(wizard)
        self.assertEqual(booking.company_id, company)
        self.env["viva.booking"].with_user(biller).with_context(
            allowed_company_ids=company.ids
        ).start(booking.attempt)
        self.simulator.act("tap", TERMINAL_2)
        self.wait_for(lambda: self.simulator.charges())
        self.run_job()
        self.assertEqual(booking.state, "booked", booking.reason)
        self.assertEqual(booking.payment_id.company_id, company)
        self.assertEqual(invoice.amount_residual, 0)
        self.assert_balanced(booking.payment_id.move_id)

    def with_other(self, company):
        self.env.user.company_ids |= company
        return self

    def make_invoice_of(self, company):
        invoices = self.env["account.move"].with_company(company)
        invoice = invoices.create(
            {
                "move_type": "out_invoice",
                "partner_id": self.customer.id,
                "invoice_date": self.env.cr.now().date(),
                "invoice_line_ids": [
                    Command.create(
                        {"name": "Bicycle", "price_unit": 20, "tax_ids": [Command.clear()]}
                    )
                ],
            }
        )
        invoice.action_post()
        self.env.flush_all()
        return invoice

    def test_branch(self):
        """The invoice of a branch, in the bank journal of the company that it belongs to."""
        self.company.sudo().write({"child_ids": [Command.create({"name": "Branch"})]})
        branch = self.company.child_ids
        self.env.cr.precommit.run()
        self.env.user.company_ids |= branch
        biller = new_test_user(
            self.env,
            "viva_biller_branch",
            groups=BILLING,
            company_id=self.company.id,
            company_ids=[Command.set((self.company | branch).ids)],
        )
        invoice = self.make_invoice_of(branch)
        self.assertEqual(invoice.company_id, branch)
        payment = self.pay(invoice, by=biller)
        self.assert_paid_by(payment, invoice)
        self.assertEqual(self.charged(), [2000])


class TestChargeByHand(RegisterCase):
    """An advance: a payment written by hand, without an invoice."""

    def advance(self, amount=80.0, **values):
        return (
            self.env["account.payment"]
            .with_user(self.biller)
            .create(
                {
                    "payment_type": "inbound",
                    "partner_type": "customer",
                    "partner_id": self.customer.id,
                    "amount": amount,
                    "journal_id": self.journal.id,
                    "payment_method_line_id": self.line_in.id,
                    "memo": "Advance for a bicycle",
                    **values,
                }
            )
        )

    def open_wizard(self, payment):
        action = payment.action_viva_charge()
        self.assertEqual(action["res_model"], "viva.charge.wizard")
        wizards = self.env["viva.charge.wizard"].with_user(payment.env.user)
        return wizards.with_context(**action["context"]).create({})

    def charge_wizard(self, wizard):
        action = wizard.action_charge()
        self.env.flush_all()
        return self.env["viva.booking"].search([("attempt", "=", action["params"]["attempt"])])

    def test_advance(self):
        payment = self.advance()
        self.assertTrue(payment.viva_can_charge)
        self.assertIn("press Charge", payment.viva_message)
        with self.assertRaisesRegex(UserError, "Charge"):
            payment.action_post()
        wizard = self.open_wizard(payment)
        self.assertFalse(wizard.viva_obstacle)
        booking = self.charge_wizard(wizard)
        self.assertEqual(booking.payment_id, payment)
        mine = self.env["account.payment"].search([("partner_id", "=", self.customer.id)])
        self.assertEqual(mine, payment)
        self.finish(booking)
        self.assertEqual(booking.state, "booked", booking.reason)
        self.assertEqual((payment.state, payment.viva_level), ("in_process", "success"))
        self.assertFalse(payment.viva_can_charge)
        self.assertEqual(self.charged(), [8000])
        self.assert_balanced(payment.move_id)
        liquidity, counterpart, _other = payment._seek_for_lines()
        self.assertEqual(liquidity.account_id, self.line_in.payment_account_id)
        self.assertEqual(counterpart.account_id, self.customer.property_account_receivable_id)
        self.assertEqual(counterpart.amount_residual, -80)

    def test_other_persons_preparation_is_void(self):
        payment = self.advance()
        first = self.charge_wizard(self.open_wizard(payment))
        other = payment.with_user(self.biller_2)
        wizard = self.open_wizard(other)
        wizard.viva_terminal_id = self.terminal_2
        second = self.charge_wizard(wizard)
        self.assertEqual(self.start_booking(first)["state"], "refused")
        self.finish(second)
        self.assertEqual(payment.state, "in_process")
        self.assertEqual(self.charged(), [8000])
        with self.assertRaises(UserError):
            other.action_viva_charge()

    def test_declined_and_tried_again(self):
        payment = self.advance()
        self.finish(self.charge_wizard(self.open_wizard(payment)), action="decline")
        self.assertEqual(payment.state, "canceled")
        self.assertFalse(payment.viva_can_charge)
        payment.action_draft()
        self.assertTrue(payment.viva_can_charge)
        self.finish(self.charge_wizard(self.open_wizard(payment)))
        self.assertEqual((payment.state, self.charged()[-1]), ("in_process", 8000))
        # What the card was asked for is not changed any more.
        with self.assertRaises(UserError):
            payment.amount = 90

    def test_declined_invoice_is_tried_again_from_the_payment(self):
        """Reset and charged again, it pays the invoice that it was for, its write-off included."""
        invoice = self.make_invoice(100.03)
        values = {
            "amount": 100,
            "payment_difference_handling": "reconcile",
            "writeoff_account_id": self.company_data["default_account_expense"].id,
        }
        first = self.press(self.wizard(invoice, **values))
        self.finish(first, action="decline")
        payment = first.payment_id.with_user(self.biller)
        payment.action_draft()
        self.finish(self.charge_wizard(self.open_wizard(payment)))
        self.assert_paid_by(payment, invoice)
        self.assertEqual(self.charged()[-1], 10000)

    def test_what_cannot_be_charged(self):
        without = self.open_wizard(self.advance(partner_id=False))
        self.assertIn("customer", without.viva_obstacle)
        with self.assertRaises(UserError):
            without.action_charge()
        self.assertIn("amount", self.open_wizard(self.advance(0)).viva_obstacle)
        vendor = self.advance(partner_type="supplier")
        self.assertFalse(vendor.viva_can_charge)
        with self.assertRaisesRegex(UserError, "vendor"):
            vendor.action_viva_charge()
        self.assertFalse(self.simulator.charges())

    def test_somebody_else_charges_its_invoice(self):
        """Declined once; before it is tried again from the payment, a colleague charges the invoice."""
        invoice = self.make_invoice(100)
        first = self.press(self.wizard(invoice))
        self.finish(first, action="decline")
        payment = first.payment_id.with_user(self.biller)
        payment.action_draft()
        other = self.wizard(invoice, by=self.biller_2, viva_terminal_id=self.terminal_2.id)
        self.start_booking(self.press(other))
        wizard = self.open_wizard(payment)
        self.assertIn(self.biller_2.name, wizard.viva_warning)
        with self.assertRaisesRegex(UserError, re.escape(self.biller_2.name)):
            wizard.action_charge()

    def test_terminal_that_is_not_offered(self):
        wizard = self.open_wizard(self.advance())
        self.terminal_2.account_id = self.account.copy({"name": "Other Viva"})
        self.env.flush_all()
        self.env.invalidate_all()
        wizard.viva_terminal_id = self.terminal_2
        self.assertIn("is not booked in journal", wizard.viva_obstacle)
        with self.assertRaises(UserError):
            wizard.action_charge()

    def test_other_currency(self):
        dollar = self.env.ref("base.USD")
        dollar.active = True
        wizard = self.open_wizard(self.advance(currency_id=dollar.id))
        self.assertIn("this payment is in USD", wizard.viva_obstacle)
        self.assertNotIn("invoice", wizard.viva_obstacle)


class TestNeverByItself(RegisterCase):
    """The method is the first of the journal: whatever makes a payment without choosing one does not get it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.line_in.sequence = cls.line_out.sequence = 0
        cls.others = cls.journal.inbound_payment_method_line_ids - cls.line_in
        cls.env.flush_all()
        cls.env.invalidate_all()

    def close(self):
        """A session with one sale by card; the payment that its closing has made."""
        order, request = self.sell(1999)
        order.partner_id = self.customer
        self.validate(order, request)
        self.session.action_pos_session_closing_control()
        self.assertEqual(self.session.state, "closed")
        payment = self.env["account.payment"].search([("pos_session_id", "=", self.session.id)])
        self.assertIn(payment.state, ("in_process", "paid"))
        return payment

    def test_closing(self):
        self.assertEqual(self.close().payment_method_line_id.code, "manual")

    def test_closing_of_single_payments(self):
        self.split()
        self.assertEqual(self.close().payment_method_line_id.code, "manual")

    def split(self):
        self.env.cr.execute(
            "UPDATE pos_payment_method SET split_transactions = true WHERE id = %s",
            (self.method.id,),
        )
        self.env.invalidate_all()

    def test_closing_where_there_is_nothing_else(self):
        """It is booked all the same, and never charged again when it is reset."""
        self.others.unlink()
        self.split()
        payment = self.close().with_user(self.accountant)
        self.assertEqual(payment.payment_method_line_id, self.line_in)
        payment.action_draft()
        self.env.flush_all()
        self.assertFalse(payment.viva_can_charge)
        self.assertFalse(payment.viva_needs_card)
        self.assertIn("charged at the till", payment.viva_message)
        with self.assertRaises(UserError):
            payment.action_viva_charge()
        wizards = self.env["viva.charge.wizard"].with_user(self.accountant)
        with self.assertRaises(UserError):
            wizards.create({"payment_id": payment.id}).action_charge()
        manual = self.env.ref("account.account_payment_method_manual_in")
        self.journal.inbound_payment_method_line_ids = [
            Command.create({"payment_method_id": manual.id})
        ]
        self.assertNotIn(self.line_in, payment.available_payment_method_line_ids)
        payment.payment_method_line_id = payment.available_payment_method_line_ids[:1]
        payment.action_post()
        self.assertIn(payment.state, ("in_process", "paid"))
        self.assertEqual(len(self.simulator.charges()), 1)

    def test_new_payment(self):
        payments = self.env["account.payment"].with_user(self.biller)
        values = {"partner_id": self.customer.id, "amount": 10, "journal_id": self.journal.id}
        payment = payments.create(values)
        self.assertEqual(payment.payment_method_line_id.code, "manual")
        form = Form(payments)
        form.journal_id = self.journal
        self.assertEqual(form.payment_method_line_id.code, "manual")
        form.payment_method_line_id = self.line_in
        form.partner_id = self.customer
        form.amount = 10
        # What was chosen stays.
        self.assertEqual(form.save().payment_method_line_id, self.line_in)
        self.customer.property_inbound_payment_method_line_id = self.line_in
        self.assertEqual(payments.create(values).payment_method_line_id, self.line_in)
