from unittest.mock import patch
from urllib.parse import urlsplit

from odoo.addons.account.tests.common import AccountTestInvoicingHttpCommon
from odoo.tests import tagged
from odoo.tests.common import ChromeBrowser

from .test_booking import BookingCase
from .test_booking_refund import RefundCase


@tagged("post_install", "-at_install")
class TestBookingTours(BookingCase, AccountTestInvoicingHttpCommon):
    """A billing user charges an invoice in a browser, a person stands at the simulated terminal."""

    def setUp(self):
        super().setUp()
        self.session = None  # the browser's session, not a till's
        self.invoice = self.make_invoice(100)

    def run_tour(self, name, *, on=None, booking=None):
        record = on or self.invoice
        action = {
            "account.move": "account.action_move_out_invoice_type",
            "account.payment": "account.action_account_payments",
        }[record._name]
        cookies = {"viva_simulator": str(urlsplit(self.simulator.url).port)}
        if booking:
            cookies["viva_attempt"] = booking.attempt
        self.env.flush_all()
        self.start_tour(
            f"/odoo/action-{action}/{record.id}", name, login="viva_biller", cookies=cookies
        )
        self.env.invalidate_all()
        self.assertEqual(self.violations(), [])

    def bookings(self, *states):
        bookings = self.env["viva.booking"].search([], order="id")
        self.assertEqual(tuple(bookings.mapped("state")), states)
        return bookings

    def assert_paid_once(self, booking):
        """One charge at Viva, one payment in process, reconciled with the invoice."""
        self.assertEqual([charge["amount"] for charge in self.simulator.charges()], [10000])
        payment = booking.payment_id
        self.assertIn(payment.state, ("in_process", "paid"))
        self.assertEqual(payment.amount, 100)
        self.assert_balanced(payment.move_id)
        self.assertEqual(self.invoice.amount_residual, 0)
        self.assertEqual(self.invoice.matched_payment_ids.filtered("move_id"), payment)
        self.assertEqual(payment.create_uid, self.biller)

    def assert_not_paid(self, booking):
        self.assertEqual(self.simulator.charges(), [])
        self.assertEqual(booking.payment_id.state, "canceled")
        self.assertEqual(self.invoice.amount_residual, 100)

    def test_charged(self):
        self.run_tour("viva_booking_charged")
        self.assert_paid_once(self.bookings("booked"))

    def test_browser_closed_while_the_card_is_waited_for(self):
        """Nobody looks any more: the customer taps, the job books it, the next browser sees it."""
        self.run_tour("viva_booking_left")
        booking = self.bookings("running")
        self.assertEqual(booking.payment_id.state, "draft")
        self.simulator.act("tap")
        self.wait_for(lambda: self.run_job() or booking.state == "booked")
        self.assert_paid_once(booking)
        self.run_tour("viva_booking_seen", on=booking.payment_id)

    def test_dialog_closed_early(self):
        self.run_tour("viva_booking_closed_early")
        booking = self.bookings("running")
        self.wait_for(lambda: self.run_job() or booking.state == "booked")
        self.assert_paid_once(booking)

    def test_declined_then_again(self):
        self.run_tour("viva_booking_declined_then_again", booking=self.prepared())
        declined, booked = self.bookings("not_done", "booked")
        # The same payment, so that nobody charges a cancelled one once more.
        self.assertEqual(declined.payment_id, booked.payment_id)
        self.assert_paid_once(booked)

    def test_cancelled_from_the_dialog(self):
        self.run_tour("viva_booking_cancelled", booking=self.prepared())
        self.assert_not_paid(self.bookings("not_done"))

    def test_unknown(self):
        self.run_tour("viva_booking_unknown", booking=self.prepared())
        booking = self.bookings("running")
        self.assertEqual(booking.transaction_id.state, "unknown")
        self.assertEqual(booking.payment_id.state, "draft")
        self.assertTrue(booking.line_ids.is_claim)

    def test_two_tabs(self):
        """Both show the same charge and would start it: it is sent once."""
        booking = self.prepared()
        sent = []
        model = self.registry["viva.transaction"]
        send, navigate_to = model._send, ChromeBrowser.navigate_to

        def with_another_tab(browser, *args, **kwargs):
            url = f"{self.base_url()}/odoo/action-viva_payments.booking?attempt={booking.attempt}"
            browser._websocket_request("Target.createTarget", params={"url": url})
            return navigate_to(browser, *args, **kwargs)

        with (
            patch.object(model, "_send", lambda *args: sent.append(args) or send(*args)),
            patch.object(ChromeBrowser, "navigate_to", with_another_tab),
        ):
            self.run_tour("viva_booking_two_tabs", booking=booking)
        self.assertEqual(len(sent), 1)
        self.assert_paid_once(self.bookings("booked"))

    def prepared(self):
        return self.prepare(invoices=self.invoice)


@tagged("post_install", "-at_install")
class TestRefundTours(RefundCase, AccountTestInvoicingHttpCommon):
    """An accountant gives money back in a browser, and ends a doubt."""

    def setUp(self):
        super().setUp()
        self.session = None  # the browser's session, not a till's

    def run_tour(self, name, record, **cookies):
        action = {
            "account.move": "account.action_move_out_refund_type",
            "account.payment": "account.action_account_payments",
        }[record._name]
        cookies["viva_simulator"] = str(urlsplit(self.simulator.url).port)
        self.env.flush_all()
        url = f"/odoo/action-{action}/{record.id}"
        self.start_tour(url, name, login="viva_accountant", cookies=cookies)
        self.env.invalidate_all()
        self.assertEqual(self.violations(), [])

    def test_payment(self):
        invoice, sale = self.paid_invoice(100)
        self.run_tour("viva_refund_of_payment", sale.payment_id)
        refund = self.env["viva.booking"].search([("operation", "=", "refund")])
        self.assertEqual((refund.state, invoice.amount_residual), ("booked", 100))
        self.assert_outgoing(refund.payment_id, 100)
        self.assertEqual(refund.payment_id.create_uid, self.accountant)
        self.assert_back(10000)

    def test_credit_note(self):
        invoice, _sale = self.paid_invoice(100)
        credit_note = self.credit(invoice)
        self.run_tour("viva_refund_of_credit_note", credit_note)
        refund = self.env["viva.booking"].search([("operation", "=", "refund")])
        self.assertEqual((refund.state, credit_note.amount_residual), ("booked", 0))
        self.assert_outgoing(refund.payment_id, 100)
        self.assert_back(10000)

    def test_doubt_is_ended_from_the_dialog(self):
        """Unknown: the live dialog leads to the card payment, where the accountant decides."""
        invoice = self.make_invoice(100)
        sale = self.prepare(invoices=invoice)
        self.start_booking(sale)
        self.amend(sale.attempt, state="unknown", reason="no_answer")
        self.simulator.control("POST", "faults", {"session_status": [503] * 50})
        self.run_tour("viva_refund_decided", sale.payment_id, viva_attempt=sale.attempt)
        self.assertEqual((sale.state, invoice.amount_residual), ("booked", 0))
        self.assertEqual(sale.transaction_id.forced_by, self.accountant)

    def test_posted_by_hand(self):
        """Who has asked for it may not post it: the dialog says so, and an accountant presses Post."""
        invoice, sale = self.unposted()
        self.run_tour("viva_refund_posted_by_hand", sale.payment_id, viva_attempt=sale.attempt)
        self.assertEqual((sale.state, invoice.amount_residual), ("booked", 0))
