"""Deposits from the back office: held, captured into a payment that pays its invoice, released; booked once."""

from datetime import timedelta
from unittest.mock import patch

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form
from odoo.tools import html2plaintext

from .common import TERMINAL_2
from .test_booking import BookingCase


class BookingHoldCase(BookingCase):
    def of_action(self, action):
        """The booking whose dialog an action opens."""
        self.assertEqual(action["tag"], "viva_payments.booking")
        self.env.flush_all()
        return self.env["viva.booking"].search([("attempt", "=", action["params"]["attempt"])])

    def dialog(self, record, name, by, **values):
        """The dialog that a button of a record opens, filled in; not pressed yet."""
        action = getattr(record.with_user(by), name)()
        wizards = self.env[action["res_model"]].with_user(by).with_context(**action["context"])
        form = Form(wizards)
        for field, value in values.items():
            if field == "move_ids":
                form.move_ids.clear()
                for move in value:
                    form.move_ids.add(move)
            else:
                setattr(form, field, value)
        return form.save()

    def hold_for(self, record, *, action="tap", **values):
        """Money on hold for a customer or a document; the hold."""
        wizard = self.dialog(record, "action_viva_hold", self.biller, **values)
        booking = self.of_action(wizard.action_hold())
        self.start_booking(booking)
        self.simulator.act(action, booking.terminal_id.viva_id)
        self.check_booking(booking, "approved", "declined", "cancelled", "failed")
        return booking.transaction_id.hold_id

    def prepare_capture(self, record, *, by=None, **values):
        name = "action_capture" if record._name == "viva.hold" else "action_viva_capture"
        wizard = self.dialog(record, name, by or self.accountant, **values)
        return self.of_action(wizard.action_capture())

    def capture(self, record, **values):
        """What is on hold is taken; the booking."""
        booking = self.prepare_capture(record, **values)
        self.start_booking(booking)
        self.check_booking(booking, "approved", "declined", "failed")
        return booking

    def moved(self):
        """Minor units that Viva has taken."""
        return [row["amount"] for row in self.simulator.charges()]

    def assert_paid_by(self, invoice, payment, amount):
        """The payment is in the books, balanced, and pays so much of the invoice."""
        self.assertIn(payment.state, ("in_process", "paid"))
        self.assert_balanced(payment.move_id)
        self.assert_balanced(invoice)
        paid = [
            (partial.credit_move_id.move_id, partial.amount)
            for partial in invoice.line_ids.matched_credit_ids
        ]
        self.assertEqual(paid, [(payment.move_id, amount)])

    def credit_of(self, payment):
        """What of a payment is not matched with anything."""
        lines = payment.move_id.line_ids.filtered(
            lambda line: line.account_id.account_type == "asset_receivable"
        )
        return -sum(lines.mapped("amount_residual"))


class TestBookingHold(BookingHoldCase):
    # -- hold ------------------------------------------------------------------------------------

    def test_hold_from_a_partner(self):
        hold = self.hold_for(self.customer, amount=80, reference="Rental 7")
        self.assertEqual((hold.state, hold.amount, hold.reference), ("open", 80, "Rental 7"))
        self.assertEqual((hold.partner_id, hold.move_id.ids), (self.customer, []))
        booking = hold.transaction_ids.booking_id
        self.assertEqual((booking.state, booking.payment_id.ids), ("booked", []))
        self.assertEqual(self.moved(), [])
        partner = self.customer.with_user(self.biller)
        self.assertEqual((partner.viva_hold_count, partner.viva_held_until), (1, hold.expires_on))
        self.assertIn("80.00", partner.viva_held)
        self.assertEqual(partner.viva_to_capture, 0)
        self.assertEqual(self.customer.with_user(self.accountant).viva_to_capture, 1)

    def test_hold_from_a_draft_invoice(self):
        invoice = self.make_invoice(120, post=False)
        hold = self.hold_for(invoice)
        self.assertEqual((hold.amount, hold.move_id, hold.state), (120, invoice, "open"))
        invoice.invalidate_recordset()
        self.assertEqual(invoice.with_user(self.biller).viva_hold_count, 1)
        self.assertTrue(invoice.message_ids.filtered(lambda m: hold.name in (m.body or "")))
        self.assertEqual(invoice.with_user(self.accountant).viva_to_capture, 1)

    def test_declined_hold_holds_nothing(self):
        hold = self.hold_for(self.customer, amount=80, reference="Rental 7", action="decline")
        self.assertEqual(hold.state, "failed")
        self.assertEqual(self.customer.with_user(self.accountant).viva_hold_count, 0)

    def test_only_terminals_that_can_hold(self):
        self.terminal.write(
            {
                "protocol": "tcp",
                "model_id": self.env.ref("viva_payments.terminal_model_s900").id,
                "gateway_id": self.env["viva.gateway"]
                .create({"name": "Shop", "company_id": self.company.id})
                .id,
                "lan_host": "192.168.1.20",
                "lan_port": 8080,
            }
        )
        wizard = self.dialog(
            self.customer, "action_viva_hold", self.biller, amount=1, reference="x"
        )
        self.assertEqual(wizard.terminal_ids, self.terminal_2)
        self.assertEqual(wizard.terminal_id, self.terminal_2)

    def test_last_terminal_comes_first(self):
        self.hold_for(self.customer, amount=10, reference="x", terminal_id=self.terminal_2)
        wizard = self.dialog(
            self.customer, "action_viva_hold", self.biller, amount=1, reference="x"
        )
        self.assertEqual(wizard.terminal_id.viva_id, TERMINAL_2)
        self.assertTrue(wizard.known)

    def test_other_currency_is_refused_in_words(self):
        dollar = self.env.ref("base.USD")
        dollar.active = True
        invoice = self.make_invoice(50, currency_id=dollar.id)
        wizard = self.dialog(invoice, "action_viva_hold", self.biller)
        self.assertIn("USD", wizard.obstacle)
        self.assertIn("from the customer", wizard.obstacle)
        with self.assertRaisesRegex(UserError, "USD"):
            wizard.action_hold()

    def foreign_terminal(self):
        """The second terminal is that of another Viva account, which is booked nowhere."""
        other = self.account.copy(
            {
                "name": "Other Viva",
                "client_id": "sim-client.apps.vivapayments.com",
                "client_secret": "sim-secret",
            }
        )
        self.terminal_2.account_id = other
        self.env.flush_all()
        return self.terminal_2

    def test_hold_on_a_terminal_that_is_not_offered(self):
        foreign = self.foreign_terminal()
        wizard = self.dialog(
            self.customer, "action_viva_hold", self.biller, amount=1, reference="x"
        )
        wizard.terminal_id = foreign
        with self.assertRaisesRegex(UserError, self.terminal.name):
            wizard.action_hold()
        self.assertFalse(self.env["viva.booking"].search([]))

    # -- capture ---------------------------------------------------------------------------------

    def test_capture_on_a_terminal_that_is_not_offered(self):
        hold = self.hold_for(self.make_invoice(120))
        wizard = self.dialog(hold, "action_capture", self.accountant)
        wizard.terminal_id = self.foreign_terminal()
        with self.assertRaisesRegex(UserError, "cannot capture this hold"):
            wizard.action_capture()

    def test_capture_in_a_branch(self):
        """The invoice of a branch, paid by a hold that its parent company's account has made."""
        self.company.sudo().write({"child_ids": [Command.create({"name": "Branch"})]})
        branch = self.company.child_ids
        self.env.cr.precommit.run()
        self.env.user.company_ids |= branch
        self.accountant.company_ids |= branch
        hold = self.hold_for(self.customer, amount=120, reference="Rental 7")
        invoice = self.make_invoice(120, company_id=branch.id)
        self.assertEqual(invoice.company_id, branch)
        booking = self.capture(hold, move_ids=invoice)
        payment = booking.payment_id
        self.assertEqual((booking.state, hold.state), ("booked", "captured"), booking.reason)
        self.assertEqual((booking.company_id, payment.company_id), (branch, branch))
        self.assertEqual(payment.move_id.company_id, branch)
        self.assert_paid_by(invoice, payment, 120)
        self.assertEqual(self.moved(), [12000])

    def test_account_takes_another_currency_by_now(self):
        hold = self.hold_for(self.customer, amount=80, reference="Rental 7")
        dollar = self.env.ref("base.USD")
        dollar.active = True
        self.env.cr.execute("UPDATE viva_account SET currency_id = %s", (dollar.id,))
        self.env.invalidate_all()
        wizard = self.dialog(hold, "action_capture", self.accountant)
        self.assertIn("takes USD by now", wizard.obstacle)
        with self.assertRaises(UserError):
            wizard.action_capture()

    def test_capture_pays_the_posted_invoice(self):
        invoice = self.make_invoice(120)
        hold = self.hold_for(invoice)
        booking = self.capture(hold)
        self.assertEqual((booking.state, hold.state), ("booked", "captured"))
        self.assertEqual(booking.payment_id.partner_id, self.customer)
        self.assert_paid_by(invoice, booking.payment_id, 120)
        self.assertEqual(invoice.amount_residual, 0)
        self.assertEqual(self.moved(), [12000])
        self.assertEqual(hold.payment_ids, booking.payment_id)

    def test_part_is_captured_and_the_rest_released(self):
        invoice = self.make_invoice(70)
        hold = self.hold_for(self.customer, amount=100, reference="Rental 7")
        wizard = self.dialog(invoice, "action_viva_capture", self.accountant)
        self.assertEqual((wizard.hold_id, wizard.move_ids, wizard.amount), (hold, invoice, 70))
        self.assertIn("30.00", wizard.hint)
        booking = self.of_action(wizard.action_capture())
        self.start_booking(booking)
        self.check_booking(booking, "approved")
        self.assert_paid_by(invoice, booking.payment_id, 70)
        self.assertEqual((hold.state, hold.captured_amount), ("captured", 70))
        self.assertEqual(self.moved(), [7000])

    def test_draft_invoice_is_matched_when_it_is_posted(self):
        invoice = self.make_invoice(120, post=False)
        hold = self.hold_for(invoice)
        booking = self.capture(hold)
        self.assertEqual((booking.state, invoice.state), ("booked", "draft"))
        self.assertEqual(self.credit_of(booking.payment_id), 120)
        self.assertIn(booking.payment_id, invoice.reconciled_payment_ids)
        invoice.with_user(self.biller).action_post()
        self.env.flush_all()
        self.assert_paid_by(invoice, booking.payment_id, 120)
        self.assertEqual(invoice.amount_residual, 0)
        self.assertIn(invoice.payment_state, ("in_payment", "paid"))

    def test_draft_that_was_changed_is_matched_all_the_same(self):
        invoice = self.make_invoice(120, post=False)
        booking = self.capture(self.hold_for(invoice))
        invoice.write(
            {"invoice_line_ids": [Command.update(invoice.invoice_line_ids.id, {"price_unit": 90})]}
        )
        invoice.action_post()
        self.assert_paid_by(invoice, booking.payment_id, 90)
        self.assertEqual((invoice.amount_residual, self.credit_of(booking.payment_id)), (0, 30))

    def test_posted_again_after_it_was_reset(self):
        invoice = self.make_invoice(120)
        booking = self.capture(self.hold_for(invoice))
        invoice.button_draft()
        invoice.action_post()
        self.assert_paid_by(invoice, booking.payment_id, 120)

    def test_deleted_draft_leaves_a_credit(self):
        invoice = self.make_invoice(120, post=False)
        booking = self.capture(self.hold_for(invoice))
        invoice.unlink()
        self.env.flush_all()
        self.assertEqual((booking.state, self.credit_of(booking.payment_id)), ("booked", 120))

    def test_capture_without_an_invoice_is_a_credit(self):
        hold = self.hold_for(self.customer, amount=80, reference="Rental 7")
        booking = self.capture(hold)
        payment = booking.payment_id
        self.assertEqual((booking.state, self.credit_of(payment)), ("booked", 80))
        self.assert_balanced(payment.move_id)
        # Odoo offers it on the next invoice of the customer.
        invoice = self.make_invoice(200)
        self.assertTrue(invoice.invoice_has_outstanding)
        self.assertEqual(invoice.amount_residual, 200)

    def test_one_of_several_holds(self):
        """The invoice's own hold is proposed, those of its customer may be chosen."""
        other = self.hold_for(self.customer, amount=30, reference="Rental 7")
        invoice = self.make_invoice(70)
        hold = self.hold_for(invoice)
        wizard = self.dialog(invoice, "action_viva_capture", self.accountant)
        self.assertEqual((wizard.hold_id, wizard.hold_ids), (hold, hold | other))
        self.assertFalse(hold.order_reference)
        words = other.with_context(viva_with_amount=True).display_name
        self.assertIn("Rental 7", words)
        self.assertIn("30.00", words)
        booking = self.capture(invoice, hold_id=other)
        self.assertEqual((other.state, hold.state), ("captured", "open"))
        self.assert_paid_by(invoice, booking.payment_id, 30)
        self.assertEqual(self.dialog(hold, "action_capture", self.accountant).amount, 40)

    def test_more_than_the_invoice_costs(self):
        invoice = self.make_invoice(70)
        self.hold_for(invoice, amount=100)
        booking = self.capture(invoice, amount=100)
        self.assert_paid_by(invoice, booking.payment_id, 70)
        self.assertEqual(self.credit_of(booking.payment_id), 30)

    def test_declined_capture_cancels_the_payment(self):
        invoice = self.make_invoice(120)
        hold = self.hold_for(invoice)
        self.simulator.control("POST", "settings", {"captures": False})
        booking = self.capture(hold, via="api")
        self.assertEqual((booking.state, hold.state), ("not_done", "open"))
        payment = booking.payment_id
        self.assertEqual(payment.state, "canceled")
        self.assertTrue(booking.reason)
        notes = payment.message_ids.mapped("body")
        self.assertTrue([note for note in notes if booking.reason in html2plaintext(note)], notes)
        self.assertEqual(invoice.amount_residual, 120)
        self.simulator.control("POST", "settings", {"captures": True})
        booking = self.capture(hold, via="api")
        self.assert_paid_by(invoice, booking.payment_id, 120)
        self.assertEqual(self.moved(), [12000])

    def test_lapsed_at_viva(self):
        """Viva tells nobody that a hold has lapsed: only the capture finds out."""
        invoice = self.make_invoice(120)
        hold = self.hold_for(invoice)
        self.simulator.control("POST", "clock", {"advance_s": 31 * 24 * 3600})
        for via in ("terminal", "api"):
            with self.subTest(via=via):
                booking = self.capture(hold, via=via)
                self.assertEqual((booking.state, hold.state), ("not_done", "open"))
                self.assertEqual(booking.payment_id.state, "canceled")
        hold.with_user(self.manager).action_lapsed()
        self.assertEqual((hold.state, invoice.amount_residual), ("lapsed", 120))
        self.assertEqual(self.moved(), [])

    def test_a_hold_is_captured_once(self):
        invoice = self.make_invoice(120)
        hold = self.hold_for(invoice)
        first, second = (self.prepare_capture(hold, amount=50) for _press in range(2))
        self.start_booking(first)
        self.check_booking(first, "approved")
        status = self.start_booking(second)
        self.assertEqual(status["state"], "refused", status["message"])
        self.assertEqual(self.moved(), [5000])
        with self.assertRaises(UserError):
            hold.with_user(self.accountant).action_capture()

    def test_no_more_than_is_held(self):
        hold = self.hold_for(self.customer, amount=80, reference="Rental 7")
        wizard = self.dialog(hold, "action_capture", self.accountant, amount=80.01)
        with self.assertRaisesRegex(UserError, "80.00"):
            wizard.action_capture()

    def test_invoice_of_another_customer_is_refused(self):
        hold = self.hold_for(self.customer, amount=80, reference="Rental 7")
        other = self.make_invoice(80, partner=self.env["res.partner"].create({"name": "Nikos"}))
        wizard = self.dialog(hold, "action_capture", self.accountant)
        self.assertNotIn(other, wizard.candidate_ids)
        wizard.move_ids = other
        with self.assertRaises(UserError):
            wizard.action_capture()

    def test_hold_of_a_customer_pays_nobody_else(self):
        """The customer is fixed on the form; whoever calls the server with another one is refused."""
        hold = self.hold_for(self.customer, amount=80, reference="Rental 7")
        nikos = self.env["res.partner"].create({"name": "Nikos"})
        invoice = self.make_invoice(50, partner=nikos)
        wizard = self.dialog(hold, "action_capture", self.accountant)
        wizard.write({"partner_id": nikos.id, "move_ids": invoice.ids, "amount": 50})
        self.assertIn(self.customer.name, wizard.obstacle)
        with self.assertRaisesRegex(UserError, "on hold for Maria"):
            wizard.action_capture()
        office = self.env["res.partner"].create(
            {"name": "Maria at work", "parent_id": self.customer.id, "type": "invoice"}
        )
        wizard.write({"partner_id": office.id, "move_ids": False, "amount": 50})
        self.assertFalse(wizard.obstacle, "one's own address is no other customer")

    def test_unknown_capture_is_found_and_booked_once(self):
        invoice = self.make_invoice(120)
        hold = self.hold_for(invoice)
        self.simulator.control("POST", "faults", {"drop_reverse_response": 1})
        booking = self.prepare_capture(hold, via="api")
        status = self.start_booking(booking)
        self.assertNotEqual(status["state"], "approved")
        self.assertIn(booking.state, ("running", "booked"))
        self.check_booking(booking, "approved", seconds=15)
        self.run_job()
        self.check_booking(booking)
        self.assertEqual((booking.state, hold.state), ("booked", "captured"))
        self.assert_paid_by(invoice, booking.payment_id, 120)
        self.assertEqual(self.moved(), [12000])
        self.assertEqual(len(self.env["account.payment"].search([("memo", "like", hold.name)])), 1)

    # -- release, lapse --------------------------------------------------------------------------

    def test_release(self):
        hold = self.hold_for(self.customer, amount=80, reference="Rental 7")
        booking = self.of_action(hold.with_user(self.accountant).action_release())
        self.start_booking(booking)
        self.check_booking(booking, "approved")
        self.assertEqual((booking.state, hold.state), ("booked", "released"))
        self.assertEqual(self.moved(), [])
        with self.assertRaises(UserError):
            hold.with_user(self.accountant).action_release()

    def test_lapsed_hold(self):
        hold = self.hold_for(self.customer, amount=80, reference="Rental 7")
        booking = self.prepare_capture(hold)
        after = hold.expires_on + timedelta(days=1)
        with patch.object(fields.Date, "today", lambda: after):
            hold.with_user(self.manager).action_lapsed()
        self.assertEqual(hold.state, "lapsed")
        status = self.start_booking(booking)
        self.assertEqual(status["state"], "refused", status["message"])
        with self.assertRaisesRegex(UserError, "lapsed"):
            hold.with_user(self.accountant).action_capture()
        self.assertEqual(self.moved(), [])

    # -- till and office -------------------------------------------------------------------------

    def hold_at_till(self, order=None):
        request, _status = self.start("preauth", order, 5000, partner_id=self.customer.id)
        self.simulator.act("tap")
        self.check_until(request["attempt"], "approved")
        return request, self.transaction(request["attempt"]).hold_id

    def test_hold_of_an_open_order_belongs_to_the_till(self):
        _request, hold = self.hold_at_till(self.make_order(30))
        self.assertFalse(hold.with_user(self.accountant).can_book)
        for call in ("action_capture", "action_release"):
            with self.assertRaisesRegex(UserError, "at the till"):
                getattr(hold.with_user(self.accountant), call)()

    def test_hold_of_the_till_without_an_open_order(self):
        _request, hold = self.hold_at_till()
        invoice = self.make_invoice(40)
        booking = self.capture(hold, move_ids=invoice)
        self.assert_paid_by(invoice, booking.payment_id, 40)
        self.assertEqual(hold.state, "captured")

    def test_hold_of_the_office_captured_at_the_till(self):
        hold = self.hold_for(self.customer, amount=50, reference="Rental 7")
        order = self.make_order(30)
        (card,) = self.ledger.pos_panel({"scope": "holds", "pos_session_id": self.session.id})[
            "holds"
        ]
        capture, _status = self.start("capture", order, 3000, parent_attempt=card["attempt"])
        self.check_until(capture["attempt"], "approved")
        self.validate(order, capture)
        self.env.invalidate_all()
        self.assertEqual((order.payment_ids.viva_state, hold.state), ("proven", "captured"))
        self.session.action_pos_session_closing_control()
        self.assertEqual(self.session.state, "closed")
        self.assertFalse(hold.payment_ids)
        self.assertEqual(len(self.env["viva.booking"].search([])), 1)
        with self.assertRaises(UserError):
            hold.with_user(self.accountant).action_capture()

    # -- rights ----------------------------------------------------------------------------------

    def test_billing_holds_and_captures_nothing(self):
        hold = self.hold_for(self.customer, amount=80, reference="Rental 7")
        mine = hold.with_user(self.biller)
        self.assertFalse(mine.can_book)
        for call in (mine.action_capture, mine.action_release):
            with self.assertRaises(AccessError):
                call()
        with self.assertRaises(AccessError):
            self.customer.with_user(self.biller).action_viva_capture()
        with self.assertRaises(AccessError):
            self.env["viva.capture.wizard"].with_user(self.biller).create({"hold_id": hold.id})

    def test_cashier_holds_nothing_here(self):
        with self.assertRaises(AccessError):
            self.customer.with_user(self.cashier).action_viva_hold()
        with self.assertRaises(AccessError):
            self.env["viva.hold.wizard"].with_user(self.cashier).create(
                {"partner_id": self.customer.id, "amount": 1, "reference": "x"}
            )

    def test_other_company(self):
        hold = self.hold_for(self.customer, amount=80, reference="Rental 7")
        other = self.setup_other_company()["company"]
        stranger = self.accountant.copy(
            {
                "login": "viva_stranger",
                "company_id": other.id,
                "company_ids": [Command.set(other.ids)],
            }
        )
        self.env.flush_all()
        with self.assertRaises(AccessError):
            hold.with_user(stranger).with_company(other).action_capture()
        self.assertEqual(self.customer.with_user(stranger).viva_hold_count, 0)
        wizard = self.dialog(self.customer, "action_viva_hold", stranger, amount=1, reference="x")
        self.assertFalse(wizard.terminal_ids)
        self.assertTrue(wizard.obstacle)
