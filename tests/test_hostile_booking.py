"""Attacks on card payments of invoices that worked once: by buttons, by form fields, and by a script of who may log in."""

from unittest.mock import patch

from odoo import Command, fields
from odoo.exceptions import UserError
from odoo.tests import Form

from ..models.ledger import in_ledger
from .common import TERMINAL_2
from .test_booking_refund import RefundCase

POSTED = ("in_process", "paid")


class HostileBookingCase(RefundCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.manual = cls.journal.inbound_payment_method_line_ids.filtered(
            lambda line: line.code == "manual"
        )[:1]

    def by_hand(self, by=None, **values):
        """A payment as a person makes it, with the Viva method unless said otherwise."""
        payments = self.env["account.payment"].with_user(by or self.biller)
        return payments.create(
            {
                "payment_type": "inbound",
                "partner_type": "customer",
                "partner_id": self.customer.id,
                "amount": 100,
                "journal_id": self.journal.id,
                "payment_method_line_id": self.line_in.id,
                **values,
            }
        )

    def pay_by_bank(self, invoice, *, by=None, **values):
        """Registered as money from the bank; the dialog that did it."""
        wizard = self.register(
            invoice, by=by or self.biller_2, payment_method_line_id=self.manual.id, **values
        )
        wizard.action_create_payments()
        self.refresh()
        return wizard

    def match(self, payment, invoice):
        lines = payment.move_id.line_ids.filtered(
            lambda line: line.account_id.account_type == "asset_receivable"
        )
        (lines + self.open_lines(invoice)).reconcile()
        self.refresh()

    def refresh(self):
        self.env.flush_all()
        self.env.invalidate_all()

    def in_dollars(self):
        """Four dollars are one euro."""
        dollar = self.env.ref("base.USD")
        dollar.active = True
        self.env["res.currency.rate"].create(
            {
                "currency_id": dollar.id,
                "rate": 4,
                "company_id": self.company.id,
                "name": "2020-01-01",
            }
        )
        return dollar

    def another_account(self):
        return self.account.copy(
            {
                "name": "Other Viva",
                "client_id": "sim-client.apps.vivapayments.com",
                "client_secret": "sim-secret",
                "merchant_id": "11111111-2222-3333-4444-555555555556",
                "api_key": "sim-api-key",
            }
        )

    def another_journal(self):
        journal = self.journal.copy({"name": "Bank 2", "code": "BNK9"})
        journal._viva_offer()
        return journal

    def running(self, invoice=None, **values):
        booking = self.prepare(invoices=invoice or self.make_invoice(100), **values)
        self.assertEqual(self.start_booking(booking)["state"], "pending")
        return booking

    def approve_late(self, booking):
        """Viva says yes at last."""
        in_ledger(
            self.env,
            lambda env: (
                env["viva.transaction"]
                .browse(booking.transaction_id.id)
                ._move("approved", kind="read", values={"approved_amount": booking.amount})
            ),
        )
        self.run_job()
        self.env.invalidate_all()

    def tap(self, booking, **values):
        self.simulator.act("tap", booking.terminal_id.viva_id)
        return self.check_booking(booking, "approved", **values)

    def assert_not_started(self, booking):
        """Refused, nothing was sent, nothing stays claimed."""
        status = self.start_booking(booking)
        self.assertEqual(status["state"], "refused", status["message"])
        self.assertEqual(self.simulator.charges(), [])
        self.assertFalse(booking.line_ids.filtered("is_claim"))
        return status

    def assert_refused(self, work):
        with self.assertRaises(UserError):
            work()
            self.env.flush_all()
        self.env.invalidate_all()

    def assert_paid_by_card(self, invoice, booking):
        self.assertEqual((booking.state, invoice.amount_residual), ("booked", 0), booking.reason)
        self.assertEqual(len(self.simulator.charges()), 1)
        self.assert_balanced(booking.payment_id.move_id)


class TestPostedWithoutACard(HostileBookingCase):
    """No way leads from the method to a posted payment but a card."""

    def test_created_as_posted(self):
        entry = self.make_invoice(10)
        self.assert_refused(lambda: self.by_hand(state="paid", move_id=entry.id))
        self.line_in.payment_account_id = False  # as with Enterprise's accounting
        self.refresh()

        def post():
            self.by_hand(state="in_process").action_post()

        self.assert_refused(post)

    def test_as_if_of_a_session(self):
        for values in (
            {"pos_session_id": self.session.id},
            {"pos_payment_method_id": self.method.id},
        ):
            self.assert_refused(lambda values=values: self.by_hand(**values).action_post())

    def test_method_changed_afterwards(self):
        payment = self.by_hand(payment_method_line_id=self.manual.id)
        values = {"payment_method_line_id": self.line_in.id}
        self.assert_refused(lambda: payment.write({"state": "in_process", **values}))
        payment.action_post()
        self.refresh()
        self.assert_refused(lambda: payment.write(values))
        self.assertFalse(payment.viva_is_terminal)

    def test_duplicate_of_a_closing(self):
        order, request = self.sell(1999)
        self.validate(order, request)
        self.session.action_pos_session_closing_control()
        payment = self.env["account.payment"].search([("pos_session_id", "=", self.session.id)])[:1]
        self.env.cr.execute(
            "UPDATE account_payment SET payment_method_line_id = %s WHERE id = %s",
            (self.line_in.id, payment.id),
        )
        self.env.invalidate_all()
        copy = payment.with_user(self.accountant).copy()
        self.assertTrue(copy.viva_is_terminal)
        self.assert_refused(copy.action_post)

    def test_duplicate_of_a_card_payment(self):
        booking, _status = self.charge_invoices(self.make_invoice(100))
        copy = booking.payment_id.with_user(self.accountant).copy()
        self.assertEqual((copy.state, copy.viva_booking_ids.ids), ("draft", []))
        self.assert_refused(copy.action_post)
        self.assertEqual(booking.payment_id.viva_booking_ids, booking)


class TestDraftIsChanged(HostileBookingCase):
    """The payment is what was asked for, or no card is asked; and what was charged is what is posted."""

    def test_before_the_start(self):
        other = self.env["res.partner"].create({"name": "Somebody else"})
        receivable = self.customer.property_account_receivable_id.copy()
        changes = [
            {"partner_id": other.id},
            {"currency_id": self.in_dollars().id, "amount": 100},
            {"payment_type": "outbound", "payment_method_line_id": self.line_out.id},
            {"partner_type": "supplier"},
            {"destination_account_id": receivable.id},
            {"payment_method_line_id": self.manual.id},
        ]
        journal = self.another_journal()
        for code in ("manual", "viva"):
            line = journal.inbound_payment_method_line_ids.filtered(lambda m, c=code: m.code == c)
            changes.append({"journal_id": journal.id, "payment_method_line_id": line[:1].id})
        invoice = self.make_invoice(100)
        for change in changes:
            with self.subTest(change):
                booking = self.prepare(invoices=invoice)
                booking.payment_id.with_user(self.biller).write(change)
                self.refresh()
                self.assert_not_started(booking)

    def test_while_it_runs(self):
        branch = self.env["res.company"].create({"name": "Branch", "parent_id": self.company.id})
        self.biller.company_ids |= branch
        invoice = self.make_invoice(100)
        booking = self.running(invoice)
        payment = booking.payment_id.with_user(self.biller)
        payment = payment.with_context(allowed_company_ids=(self.company | branch).ids)
        receivable = self.customer.property_account_receivable_id.copy()
        for change in (
            {"destination_account_id": receivable.id},
            {"partner_type": "supplier"},
            {"move_id": invoice.id},
            {"outstanding_account_id": receivable.id},
            {"company_id": branch.id},
            {"payment_method_line_id": self.manual.id},
        ):
            with self.subTest(change):
                self.assert_refused(lambda change=change: payment.write(change))
        payment.memo = "Told on the phone"
        self.refresh()
        self.tap(booking)
        self.assert_paid_by_card(invoice, booking)

    def test_after_it_was_declined(self):
        """Viva charged it after all: in the books as it was charged, whatever the payment has become."""
        invoice = self.make_invoice(100)
        booking, _status = self.charge_invoices(invoice, action="decline")
        payment = booking.payment_id.with_user(self.biller)
        payment.action_draft()
        payment.write({"currency_id": self.in_dollars().id, "amount": 100})
        payment.action_cancel()
        self.refresh()
        self.approve_late(booking)
        if booking.state == "to_post":
            booking.with_user(self.accountant).action_post()
            self.env.invalidate_all()
        liquidity = booking.payment_id._seek_for_lines()[0]
        self.assertEqual(
            (liquidity.balance, booking.payment_id.currency_id), (100, booking.currency_id)
        )
        self.assertEqual((booking.state, invoice.amount_residual), ("booked", 0))


class TestPostedOtherwise(HostileBookingCase):
    """A payment that a person has made something else is never the card's, and is never cancelled."""

    def test_forgotten_and_declined(self):
        invoice = self.make_invoice(100)
        booking = self.prepare(invoices=invoice)
        payment = booking.payment_id.with_user(self.accountant)
        payment.payment_method_line_id = self.manual
        payment.action_post()
        self.match(payment, invoice)
        self.env.cr.execute(
            "UPDATE viva_booking SET create_date = create_date - interval '2 days' WHERE id = %s",
            (booking.id,),
        )
        self.run_job()
        self.assertEqual(booking.state, "not_done")
        self.assertIn(payment.state, POSTED)
        self.assertEqual(invoice.amount_residual, 0)

    def test_late_approval_of_what_became_bank_money(self):
        """Two moneys are two payments: Post makes one of its own."""
        invoice = self.make_invoice(100)
        booking, _status = self.charge_invoices(invoice, action="decline")
        payment = booking.payment_id.with_user(self.accountant)
        payment.action_draft()
        payment.payment_method_line_id = self.manual
        payment.action_post()
        self.match(payment, invoice)
        self.approve_late(booking)
        self.assertEqual((booking.state, len(booking.activity_ids)), ("to_post", 1))
        booking.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        self.assertEqual(booking.state, "booked")
        self.assertNotEqual(booking.payment_id, payment)
        self.assertEqual(booking.payment_id.payment_method_line_id, self.line_in)
        self.assert_balanced(booking.payment_id.move_id)

    def test_advance_charged_twice(self):
        """Declined, charged again from the same form, and the first one was charged after all."""
        payment = self.by_hand()

        def charge(action):
            payment.invalidate_recordset()
            opened = payment.with_user(self.biller).action_viva_charge()
            wizards = self.env["viva.charge.wizard"].with_user(self.biller)
            wizard = wizards.with_context(**opened["context"]).create({})
            booking = self.booking_of(wizard.action_charge())
            self.start_booking(booking)
            self.simulator.act(action, booking.terminal_id.viva_id)
            self.check_booking(booking, "approved", "declined")
            return booking

        first = charge("decline")
        payment.action_draft()
        self.refresh()
        second = charge("tap")
        self.assertEqual(second.state, "booked")
        self.approve_late(first)
        self.assertEqual((first.state, len(first.activity_ids)), ("to_post", 1))
        first.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        payments = first.payment_id | second.payment_id
        self.assertEqual(
            (first.state, len(payments), sum(payments.mapped("amount"))), ("booked", 2, 200)
        )

    def test_denied_cancelled_and_confirmed_after_all(self):
        """Viva takes its no back, and the payment was cancelled in between: somebody has to book it anew."""
        invoice = self.make_invoice(100)
        booking, _status = self.charge_invoices(invoice)
        self.amend(booking.attempt, is_contradicted=True)
        payment = booking.payment_id.with_user(self.accountant)
        payment.action_cancel()
        self.refresh()
        self.amend(booking.attempt, is_contradicted=False)
        self.run_job()
        self.assertEqual((booking.state, payment.state), ("to_post", "canceled"))
        self.assertTrue(booking.activity_ids)
        booking.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        self.assert_paid_by_card(invoice, booking)


class TestInvoiceIsChanged(HostileBookingCase):
    """Of an invoice that is a draft, gone, paid or credited meanwhile no card is asked, and nothing is paid twice unseen."""

    def test_before_the_start(self):
        def delete(invoice):
            invoice.with_user(self.accountant).button_draft()
            invoice.with_context(force_delete=True).unlink()

        def credit(invoice):
            invoice._reverse_moves([{"invoice_date": invoice.invoice_date}], cancel=True)

        for change in (
            delete,
            credit,
            self.pay_by_bank,
            lambda invoice: invoice.with_user(self.accountant).button_draft(),
            lambda invoice: (
                invoice.with_user(self.accountant).button_draft()
                or invoice.with_user(self.accountant).button_cancel()
            ),
        ):
            booking = self.prepare(invoices=self.make_invoice(100))
            change(booking.line_ids.move_id)
            self.refresh()
            self.assert_not_started(booking)

    def test_posted_anew_in_parts(self):
        """The journal items that were to be paid do not exist any more."""
        invoice = self.make_invoice(100)
        booking = self.prepare(invoices=invoice)
        invoice.with_user(self.accountant).button_draft()
        halves = [
            Command.create({"value": "percent", "value_amount": 50, "nb_days": days})
            for days in (10, 40)
        ]
        term = self.env["account.payment.term"].create({"name": "Halves", "line_ids": halves})
        with Form(invoice) as form:
            form.invoice_payment_term_id = term
        invoice.with_user(self.accountant).action_post()
        self.refresh()
        self.assert_not_started(booking)

    def test_discount_of_what_was_paid_in_part(self):
        """5 discount and 95 by card were prepared; meanwhile 5 came by bank: together more than is open."""
        invoice = self.make_invoice(100)
        discount = {
            "name": "Discount",
            "account_id": self.company_data["default_account_expense"].id,
            "partner_id": self.customer.id,
            "currency_id": self.company.currency_id.id,
            "amount_currency": 5,
            "balance": 5,
        }
        booking = self.prepare(amount=95, invoices=invoice, write_off=[discount])
        self.pay_by_bank(invoice, amount=5)
        self.assertEqual(self.assert_not_started(booking)["reason"], "already_paid")
        booking = self.prepare(amount=95, invoices=self.make_invoice(100), write_off=[discount])
        invoice = booking.line_ids.move_id
        self.start_booking(booking)
        self.tap(booking)
        self.assert_paid_by_card(invoice, booking)

    def test_while_it_runs_and_until_it_is_posted(self):
        def assert_not_undone(invoice):
            mine = invoice.with_user(self.accountant)
            for work in (
                mine.button_draft,
                mine.button_cancel,
                lambda: mine.write({"state": "draft"}),
                mine.with_context(force_delete=True).unlink,
                lambda: mine._reverse_moves([{"invoice_date": mine.invoice_date}], cancel=True),
            ):
                self.assert_refused(work)

        invoice = self.make_invoice(100)
        booking = self.running(invoice, by=self.biller_2, terminal=self.terminal_2)
        assert_not_undone(invoice)
        self.tap(booking)
        self.assert_paid_by_card(invoice, booking)
        self.simulator.reset()
        invoice, booking = self.unposted()
        assert_not_undone(invoice)
        booking.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        self.assert_paid_by_card(invoice, booking)

    def test_paid_otherwise_while_it_runs(self):
        """Whoever registers other money for it is warned; and when it came in all the same, somebody is told."""
        invoice = self.make_invoice(100)
        booking = self.running(invoice)
        payment = self.by_hand(by=self.accountant, payment_method_line_id=self.manual.id)
        payment.action_post()
        self.match(payment, invoice)
        self.tap(booking)
        self.assertEqual((booking.state, booking.payment_id.is_reconciled), ("booked", False))
        (task,) = booking.activity_ids
        self.assertEqual(task.summary, "Charged, and paid otherwise, too")
        for words in ("100.00", invoice.name, self.customer.name, "Give it back by card"):
            self.assertIn(words, str(task.note).replace("\N{NO-BREAK SPACE}", " "))
        self.assertFalse(booking.line_ids.filtered("is_claim"))
        self.give_back(booking)
        self.assert_back(10000)

    def test_partly_paid_otherwise_while_it_runs(self):
        invoice = self.make_invoice(100)
        booking = self.running(invoice)
        payment = self.by_hand(by=self.accountant, payment_method_line_id=self.manual.id, amount=30)
        payment.action_post()
        self.match(payment, invoice)
        self.tap(booking)
        self.assertEqual((booking.state, invoice.amount_residual), ("booked", 0))
        self.assertIn("30.00", str(booking.activity_ids.note))

    def test_settled_by_card_alone_is_no_task(self):
        """Part of an invoice, an invoice set off against a credit note, and an advance: all as expected."""
        invoice = self.make_invoice(100)
        part, _status = self.charge_invoices(invoice, 40)
        rest, _status = self.charge_invoices(invoice)
        note = self.make_invoice(30, move_type="out_refund")
        set_off, _status = self.charge_invoices(self.make_invoice(100) | note)
        advance = self.prepare(amount=20)
        self.start_booking(advance)
        self.tap(advance)
        bookings = part | rest | set_off | advance
        self.assertEqual(bookings.mapped("state"), ["booked"] * 4)
        self.assertEqual(set_off.amount, 70)
        self.assertFalse(bookings.activity_ids)

    def test_credit_note_settled_otherwise_while_it_is_given_back(self):
        invoice, _sale = self.paid_invoice(100)
        credit_note = self.credit(invoice)
        booking = self.booking_of(self.register(credit_note).action_create_payments())
        self.start_booking(booking)
        out = self.journal.outbound_payment_method_line_ids.filtered(lambda m: m.code == "manual")
        payment = self.by_hand(
            by=self.accountant, payment_type="outbound", payment_method_line_id=out[:1].id
        )
        payment.action_post()
        self.match(payment, credit_note)
        self.check_booking(booking, "approved")
        self.assertEqual(booking.state, "booked")
        (task,) = booking.activity_ids
        self.assertEqual(task.summary, "Given back by card, and settled otherwise, too")

    def test_hold_for_an_invoice_that_was_paid(self):
        """Prepared to be captured, and the invoice was paid by another card meanwhile."""
        invoice = self.make_invoice(100)
        values = {"partner_id": self.customer.id, "amount": 100, "reference": "Bicycle"}
        wizard = self.env["viva.hold.wizard"].with_user(self.biller).create(values)
        held = self.booking_of(wizard.action_hold())
        self.start_booking(held)
        self.tap(held)
        hold = held.transaction_id.hold_id
        wizard = self.env["viva.capture.wizard"].with_user(self.accountant)
        wizard = wizard.create({"hold_id": hold.id, "move_ids": [Command.set(invoice.ids)]})
        capture = self.booking_of(wizard.action_capture())
        self.charge_invoices(invoice, by=self.biller_2, terminal=self.terminal_2)
        status = self.start_booking(capture)
        self.assertEqual((status["state"], status["reason"]), ("refused", "already_paid"))
        self.assertEqual(hold.state, "open")


class TestPaymentIsUndone(HostileBookingCase):
    """The entry of a payment whose card stands is neither reversed nor cut loose."""

    def test_by_its_entry(self):
        invoice = self.make_invoice(100)
        booking, _status = self.charge_invoices(invoice)
        payment = booking.payment_id.with_user(self.accountant)
        move = payment.move_id

        def reverse(method):
            wizards = self.env["account.move.reversal"].with_user(self.accountant)
            context = {"active_model": "account.move", "active_ids": move.ids}
            values = {"journal_id": self.journal.id, "date": fields.Date.today()}
            getattr(wizards.with_context(**context).create(values), method)()

        def cut():
            move.origin_payment_id = False
            move.button_draft()
            move.button_cancel()

        def cut_both():
            payment.move_id = False
            move.origin_payment_id = False
            move.button_draft()

        for work in (
            lambda: reverse("refund_moves"),
            lambda: reverse("modify_moves"),
            cut,
            cut_both,
            lambda: move.write({"state": "draft"}),
            lambda: move.write({"state": "cancel"}),
            lambda: payment.write({"move_id": False}),
            lambda: move.with_context(force_delete=True).unlink(),
        ):
            self.assert_refused(work)
        self.assertEqual((move.state, move.origin_payment_id), ("posted", payment))
        self.assert_paid_by_card(invoice, booking)


class TestOtherAccounts(HostileBookingCase):
    """Terminal, Viva account and bank journal belong together."""

    def test_terminal_moves_to_another_account(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        self.terminal.account_id = self.another_account()
        self.refresh()
        self.assert_not_started(booking)

    def test_other_journal(self):
        journal = self.another_journal()
        line = journal.inbound_payment_method_line_ids.filtered(lambda m: m.code == "viva")
        invoice = self.make_invoice(100)
        self.assert_refused(
            lambda: self.prepare(invoices=invoice, journal=journal, method_line=line)
        )
        booking = self.prepare(invoices=invoice)
        self.account.journal_id = journal
        self.refresh()
        self.assert_not_started(booking)

    def test_terminal_that_is_not_offered(self):
        self.terminal_2.account_id = self.another_account()
        self.refresh()
        wizard = self.register(
            self.make_invoice(100),
            by=self.biller,
            payment_method_line_id=self.line_in.id,
            viva_terminal_id=self.terminal_2.id,
        )
        self.assert_refused(wizard.action_create_payments)


class TestWhatIsSaid(HostileBookingCase):
    def test_what_viva_denies_is_not_green(self):
        booking, _status = self.charge_invoices(self.make_invoice(100))
        self.assertEqual(booking.payment_id.viva_level, "success")
        self.amend(booking.attempt, is_contradicted=True)
        self.env.invalidate_all()
        self.assertEqual(booking.payment_id.viva_level, "danger")

    def test_company_switched_in_another_tab(self):
        """Nobody is told that nothing was charged, while a card was."""
        other = self.env["res.company"].create({"name": "Other company"})
        self.biller.company_ids |= other
        booking = self.running()
        self.simulator.act("tap")
        self.wait_for(self.simulator.charges)
        bookings = self.env["viva.booking"].with_user(self.biller)
        bookings = bookings.with_context(allowed_company_ids=other.ids)
        with self.assertRaises(UserError) as told:
            bookings.check(booking.attempt)
        self.assertNotIn("nothing was charged", str(told.exception))
        self.assertIn(self.company.name, str(told.exception))

    def test_declined_after_the_asker_was_dismissed(self):
        """No money has moved: no task says so, and the invoice is free."""
        invoice = self.make_invoice(100)
        booking = self.prepare(invoices=invoice)
        self.start_booking(booking)
        self.dismiss(self.biller)
        booking = self.env["viva.booking"].browse(booking.id)
        self.simulator.act("decline")
        self.check_booking(booking, "declined", by=self.accountant)
        self.run_job()
        self.assertEqual((booking.state, booking.payment_id.state), ("not_done", "canceled"))
        self.assertFalse(booking.activity_ids)
        self.assertFalse(booking.line_ids.filtered("is_claim"))
        self.charge_invoices(invoice, by=self.biller_2)
        self.assertEqual(invoice.amount_residual, 0)

    def test_one_that_cannot_be_followed_stops_nobody(self):
        """Neither what cannot be posted nor what cannot be given up keeps the others waiting."""
        bad = self.running(by=self.biller_2, terminal=self.terminal_2)
        forgotten = self.prepare(invoices=self.make_invoice(10))
        self.env.cr.execute(
            "UPDATE viva_booking SET create_date = create_date - interval '2 days' WHERE id = %s",
            (forgotten.id,),
        )
        good = self.running(self.make_invoice(50))
        self.env.cr.execute("DELETE FROM account_payment WHERE id = %s", (bad.payment_id.id,))
        self.env.invalidate_all()
        self.simulator.act("tap", TERMINAL_2)
        self.simulator.act("tap")
        self.wait_for(lambda: len(self.simulator.charges()) == 2)
        bookings = type(self.env["viva.booking"])
        with (
            patch.object(bookings, "_file_task", side_effect=ValueError("broken")),
            patch.object(bookings, "_give_up", side_effect=ValueError("broken")),
            self.assertLogs("odoo.addons.viva_payments.models.viva_booking_post", "ERROR"),
        ):
            self.run_job()
        self.assertEqual((good.state, bad.state), ("booked", "running"))
        self.run_job()
        self.assertEqual((forgotten.state, bad.state), ("not_done", "to_post"))

    def test_one_card_payment_in_a_list_is_named(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        other = self.env["res.partner"].create({"name": "Somebody else"})
        cash = self.by_hand(payment_method_line_id=self.manual.id, partner_id=other.id)
        with self.assertRaisesRegex(UserError, self.customer.name):
            (cash | booking.payment_id).with_user(self.accountant).action_post()

    def test_somebody_else_ends_what_is_not_his(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        bookings = self.env["viva.booking"].with_user(self.biller_2)
        self.assert_refused(lambda: bookings.abort(booking.attempt))
        self.assertEqual(booking.state, "prepared")


class TestOdooGoesOn(HostileBookingCase):
    """What has nothing to do with cards, and what follows a card payment in the books, is as ever."""

    def statement(self, amount):
        """A line of the bank's statement, matched with nothing yet; its suspense item."""
        line = self.env["account.bank.statement.line"].create(
            {
                "journal_id": self.journal.id,
                "date": fields.Date.today(),
                "payment_ref": "VIVA PAYOUT",
                "amount": amount,
            }
        )
        return line._seek_for_lines()[1]

    def test_payout_on_the_bank_statement(self):
        """The bank's line takes the card payments of a day together, less Viva's fee; and it can be undone."""
        self.accountant.group_ids |= self.env.ref("account.group_account_user")
        invoices = self.make_invoice(100) | self.make_invoice(50)
        payments = self.env["account.payment"]
        for invoice in invoices:
            payments |= self.charge_invoices(invoice)[0].payment_id
        payments = payments.with_user(self.accountant)
        items = payments.move_id.line_ids.filtered(
            lambda line: line.account_id == self.line_in.payment_account_id
        )
        suspense = self.statement(148.5).with_user(self.accountant)
        account = items.account_id
        suspense.move_id.with_context(skip_readonly_check=True).write(
            {
                "line_ids": [
                    Command.update(
                        suspense.id,
                        {
                            "account_id": account.id,
                            "balance": -150,
                            "amount_currency": -150,
                        },
                    ),
                    Command.create(
                        {
                            "name": "Fee",
                            "account_id": self.company_data["default_account_expense"].id,
                            "balance": 1.5,
                            "amount_currency": 1.5,
                            "currency_id": self.company.currency_id.id,
                        }
                    ),
                ]
            }
        )
        (items | suspense).reconcile()
        self.refresh()
        self.assertTrue(all(items.mapped("reconciled")))
        self.assertEqual(set(payments.mapped("state")), {"paid"})
        items.remove_move_reconcile()
        self.refresh()
        self.assertFalse(any(payments.mapped("is_matched")))
        self.assertEqual(sum(invoices.mapped("amount_residual")), 0)

    def test_other_payments(self):
        """Confirmed together, duplicated, reset, cancelled, deleted."""
        self.running()  # a card is being asked meanwhile
        payments = self.env["account.payment"].with_user(self.biller)
        for number in range(3):
            payments |= self.by_hand(payment_method_line_id=self.manual.id, amount=10 + number)
        payments.action_post()
        self.refresh()
        self.assertTrue(set(payments.mapped("state")) <= set(POSTED))
        copy = payments[0].copy()
        self.assertEqual((copy.state, copy.amount), ("draft", 10))
        copy.unlink()
        payments.action_draft()
        payments[1:].unlink()
        payments[0].action_cancel()
        self.refresh()
        self.assertEqual(payments.exists().state, "canceled")

    def test_drafts_with_the_method(self):
        """Made by hand and never charged: changed, deleted; and so is what was prepared and given up."""
        draft = self.by_hand()
        draft.write({"amount": 20, "payment_method_line_id": self.manual.id})
        draft.payment_method_line_id = self.line_in
        draft.unlink()
        booking, _status = self.charge_invoices(self.make_invoice(100), action="decline")
        payment = booking.payment_id.with_user(self.biller)
        payment.action_draft()
        payment.unlink()
        self.refresh()
        self.assertEqual((booking.state, booking.payment_id.id), ("not_done", False))

    def test_other_entries(self):
        """Entries and invoices that no card has paid are reset, cancelled and reversed."""
        self.running()
        invoice = self.make_invoice(10)
        mine = invoice.with_user(self.accountant)
        mine.button_draft()
        mine.action_post()
        mine._reverse_moves([{"invoice_date": invoice.invoice_date}], cancel=True)
        other = self.make_invoice(20).with_user(self.accountant)
        payment = self.by_hand(payment_method_line_id=self.manual.id, amount=20)
        payment.action_post()
        self.match(payment, other)
        payment.move_id.with_user(self.accountant)._reverse_moves(cancel=True)
        self.refresh()
        self.assertEqual((invoice.amount_residual, other.amount_residual), (0, 20))
        other.button_draft()
        other.button_cancel()
        self.assertEqual(other.state, "cancel")

    def test_credit_note_of_a_charged_invoice(self):
        """Reversed in the ordinary way: the credit note waits for the refund."""
        invoice, booking = self.paid_invoice(100)
        credit_note = self.credit(invoice.with_user(self.accountant))
        self.assertEqual((credit_note.state, credit_note.amount_residual), ("posted", 100))
        self.assertEqual(booking.state, "booked")

    def close(self, *, split):
        """A session with one card payment, closed; its payment in the books."""
        self.env.cr.execute(
            "UPDATE pos_payment_method SET split_transactions = %s WHERE id = %s",
            (split, self.method.id),
        )
        self.env.invalidate_all()
        order, request = self.sell(1999)
        order.partner_id = self.customer
        self.validate(order, request)
        self.session.action_pos_session_closing_control()
        self.assertEqual(self.session.state, "closed")
        return self.env["account.payment"].search([("pos_session_id", "=", self.session.id)])

    def test_closing_with_the_method_first(self):
        self.line_in.sequence = 0
        payment = self.close(split=True)
        self.assertIn(payment.state, POSTED)
        self.assert_balanced(payment.move_id)

    def test_closing_with_the_method_alone(self):
        (self.journal.inbound_payment_method_line_ids - self.line_in).unlink()
        payment = self.close(split=False)
        self.assertIn(payment.state, POSTED)
        self.assert_balanced(payment.move_id)

    def test_payment_of_a_closing_is_not_charged_again(self):
        """The customer has paid at the till: no Charge; with another method it is confirmed again after a reset."""
        self.line_in.sequence = 0
        payment = self.close(split=True).with_user(self.accountant)
        payment.action_draft()
        self.refresh()
        self.assertFalse(payment.viva_can_charge)
        self.assert_refused(payment.action_viva_charge)
        payment.payment_method_line_id = self.manual
        payment.action_post()
        self.refresh()
        self.assertIn(payment.state, POSTED)
        self.assertEqual(len(self.simulator.charges()), 1)

    def test_closing_on_the_bank_statement(self):
        (self.journal.inbound_payment_method_line_ids - self.line_in).unlink()
        payment = self.close(split=False)
        item = payment._seek_for_lines()[0]
        suspense = self.statement(payment.amount)
        suspense.account_id = item.account_id
        (item | suspense).reconcile()
        self.refresh()
        self.assertEqual((item.reconciled, payment.state), (True, "paid"))
