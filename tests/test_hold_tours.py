from urllib.parse import urlsplit

from odoo.addons.account.tests.common import AccountTestInvoicingHttpCommon
from odoo.tests import tagged

from .test_booking_hold import BookingHoldCase


@tagged("post_install", "-at_install")
class TestHoldTours(BookingHoldCase, AccountTestInvoicingHttpCommon):
    """An accountant holds a deposit for an invoice in a browser, and captures it."""

    def setUp(self):
        super().setUp()
        self.session = None  # the browser's session, not a till's
        self.invoice = self.make_invoice(100)

    def run_tour(self, name):
        self.start_tour(
            f"/odoo/action-account.action_move_out_invoice_type/{self.invoice.id}",
            name,
            login="viva_accountant",
            cookies={"viva_simulator": str(urlsplit(self.simulator.url).port)},
        )
        self.env.invalidate_all()
        self.assertEqual(self.violations(), [])

    def test_held_and_captured(self):
        self.run_tour("viva_hold_captured")
        held, captured = self.env["viva.booking"].search([], order="id")
        self.assertEqual((held.operation, held.state), ("preauth", "booked"))
        self.assertEqual((captured.operation, captured.state), ("capture", "booked"))
        self.assertFalse(held.payment_id)
        self.assertEqual(captured.payment_id.create_uid, self.accountant)
        self.assert_paid_by(self.invoice, captured.payment_id, 100)
        hold = held.transaction_id.hold_id
        self.assertEqual((hold.state, hold.move_id), ("captured", self.invoice))
        self.assertEqual(self.moved(), [10000])

    def test_declined(self):
        self.run_tour("viva_hold_declined")
        booking = self.env["viva.booking"].search([])
        self.assertEqual((booking.operation, booking.state), ("preauth", "not_done"))
        self.assertEqual((self.invoice.amount_residual, self.moved()), (100, []))
