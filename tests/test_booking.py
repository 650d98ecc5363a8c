"""A booking from the press of the button to the books: what the ledger says is posted, once, by the server alone."""

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from ..models.ledger import in_ledger
from .common import TERMINAL_2, VivaCase

BILLING = "base.group_user,account.group_account_invoice"


class BookingCase(VivaCase):
    """A company that charges invoices: two billing users and an accountant, each with their own rights only."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.journal = cls.company_data["default_journal_bank"]
        cls.account.journal_id = cls.journal
        cls.line_in = cls.journal.inbound_payment_method_line_ids.filtered(
            lambda m: m.code == "viva"
        )
        cls.line_out = cls.journal.outbound_payment_method_line_ids.filtered(
            lambda m: m.code == "viva"
        )
        common = {"company_id": cls.company.id, "company_ids": [Command.set(cls.company.ids)]}
        cls.biller = new_test_user(cls.env, "viva_biller", groups=BILLING, **common)
        cls.biller_2 = new_test_user(cls.env, "viva_biller_2", groups=BILLING, **common)
        cls.accountant = new_test_user(
            cls.env,
            "viva_accountant",
            groups=f"{BILLING},viva_payments.group_viva_accountant",
            **common,
        )
        cls.customer = cls.env["res.partner"].create({"name": "Maria Papadaki"})

    def make_invoice(
        self, amount=100.0, *, partner=None, post=True, move_type="out_invoice", **values
    ):
        invoice = self.env["account.move"].create(
            {
                "move_type": move_type,
                "partner_id": (partner or self.customer).id,
                "invoice_date": self.env.cr.now().date(),
                "company_id": self.company.id,
                "invoice_line_ids": [
                    Command.create(
                        {"name": "Bicycle", "price_unit": amount, "tax_ids": [Command.clear()]}
                    )
                ],
                **values,
            }
        )
        if post:
            invoice.action_post()
        self.env.flush_all()
        return invoice

    def open_lines(self, invoices):
        return invoices.line_ids.filtered(
            lambda line: line.account_id.account_type == "asset_receivable" and not line.reconciled
        )

    def prepare(self, operation="sale", amount=None, *, invoices=None, by=None, **values):
        """A booking as the wizards prepare it; `by` is the user, a billing user by default."""
        lines = self.open_lines(invoices or self.env["account.move"])
        by = by or (self.biller if operation in ("sale", "preauth") else self.accountant)
        defaults = {
            "terminal": self.terminal,
            "currency": self.company.currency_id,
            "amount": amount or abs(sum(lines.mapped("amount_residual_currency"))),
            "partner": self.customer,
            "lines": lines,
        }
        if operation in ("sale", "capture", "refund"):
            line = self.line_out if operation == "refund" else self.line_in
            defaults |= {"journal": self.journal, "method_line": line}
            defaults["destination"] = self.customer.property_account_receivable_id
        booking = (
            self.env["viva.booking"].with_user(by)._prepare(operation, **{**defaults, **values})
        )
        self.env.flush_all()
        return booking

    def start_booking(self, booking, *, by=None):
        """Start it as the dialog does; the Status."""
        self.env.flush_all()  # it is another request
        bookings = self.env["viva.booking"].with_user(by or booking.user_id)
        status = bookings.start(booking.attempt)
        self.env.invalidate_all()
        return status

    def check_booking(self, booking, *states, by=None, seconds=5):
        """Ask again until the card operation has reached one of `states`; the Status."""
        bookings = self.env["viva.booking"].with_user(by or booking.user_id)

        def found():
            status = bookings.check(booking.attempt)
            return status if not states or status["state"] in states else None

        status = self.wait_for(found, seconds)
        self.env.invalidate_all()
        return status

    def charge_invoices(self, invoices, amount=None, *, action="tap", by=None, **values):
        """A charge that ends; returns (booking, Status)."""
        booking = self.prepare("sale", amount, invoices=invoices, by=by, **values)
        self.start_booking(booking)
        self.simulator.act(action, booking.terminal_id.viva_id)
        return booking, self.check_booking(booking, "approved", "declined", "cancelled", "failed")

    def assert_balanced(self, move):
        self.assertTrue(move.company_currency_id.is_zero(sum(move.line_ids.mapped("balance"))))


class TestBooking(BookingCase):
    def test_charged_invoice_is_paid_by_the_server(self):
        invoice = self.make_invoice(100)
        booking = self.prepare(invoices=invoice)
        payment = booking.payment_id
        self.assertEqual((booking.state, payment.state, payment.amount), ("prepared", "draft", 100))
        self.assertFalse(payment.move_id)
        status = self.start_booking(booking)
        self.assertEqual((status["state"], status["booking"]["state"]), ("pending", "running"))
        self.assertEqual(payment.state, "draft")
        self.simulator.act("tap")
        status = self.check_booking(booking, "approved")
        self.assertEqual((booking.state, status["booking"]["state"]), ("booked", "booked"))
        self.assertIn(payment.state, ("in_process", "paid"))
        self.assertEqual(invoice.amount_residual, 0)
        self.assert_balanced(payment.move_id)
        liquidity = payment._seek_for_lines()[0]
        self.assertEqual(liquidity.account_id, self.line_in.payment_account_id)
        self.assertTrue(liquidity.account_id.reconcile)
        self.assertEqual(liquidity.balance, 100)
        self.assertEqual(payment.create_uid, self.biller)
        (charge,) = self.simulator.charges()
        self.assertEqual(charge["amount"], 10000)
        self.assertFalse(booking.line_ids.filtered("is_claim"))
        self.assertTrue(booking.transaction_id.is_attached)

    def test_job_alone(self):
        invoice = self.make_invoice(100)
        booking = self.prepare(invoices=invoice)
        self.start_booking(booking)
        self.simulator.act("tap")
        self.wait_for(lambda: self.simulator.charges())
        self.run_job()
        self.assertEqual((booking.state, invoice.amount_residual), ("booked", 0))

    def test_same_attempt_never_sends_twice(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        self.start_booking(booking)
        again = self.start_booking(booking)
        self.assertEqual(again["state"], "pending")
        self.simulator.act("tap")
        self.check_booking(booking, "approved")
        self.assertEqual(self.start_booking(booking)["state"], "approved")
        self.assertEqual(len(self.simulator.charges()), 1)

    def test_declined(self):
        invoice = self.make_invoice(100)
        booking, status = self.charge_invoices(invoice, action="decline")
        self.assertEqual((status["state"], booking.state), ("declined", "not_done"))
        self.assertEqual(booking.payment_id.state, "canceled")
        bodies = " ".join(booking.payment_id.message_ids.mapped("body"))
        self.assertIn(status["message"], bodies)
        self.assertEqual(invoice.amount_residual, 100)
        again = self.env["viva.booking"].with_user(self.biller).again(booking.attempt)
        second = self.env["viva.booking"].search([("attempt", "=", again)])
        self.assertEqual(second.payment_id, booking.payment_id)
        self.start_booking(second)
        self.simulator.act("tap")
        self.check_booking(second, "approved")
        self.assertEqual(invoice.amount_residual, 0)
        self.assertIn(second.payment_id.state, ("in_process", "paid"))

    def test_task_goes_to_somebody_who_can_post(self):
        """The person of the Viva account has no rights in accounting."""
        self.account.responsible_id = self.manager
        self.assertIn(
            self.prepare(invoices=self.make_invoice(1)).sudo()._accountable(), self.accountants()
        )
        self.account.responsible_id = self.accountant
        self.assertEqual(
            self.prepare(invoices=self.make_invoice(1)).sudo()._accountable(), self.accountant
        )

    def accountants(self):
        return self.env.ref("viva_payments.group_viva_accountant").all_user_ids

    def test_cancelled_in_the_dialog(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        self.start_booking(booking)
        self.env["viva.booking"].with_user(self.biller).abort(booking.attempt)
        self.check_booking(booking, "cancelled")
        self.assertEqual((booking.state, booking.payment_id.state), ("not_done", "canceled"))

    def test_given_up_before_the_start(self):
        invoice = self.make_invoice(100)
        booking = self.prepare(invoices=invoice)
        self.env["viva.booking"].with_user(self.biller).abort(booking.attempt)
        self.env.invalidate_all()
        self.assertEqual((booking.state, booking.payment_id.state), ("not_done", "canceled"))
        self.assertNotIn(self.start_booking(booking)["state"], ("sent", "pending"))
        self.assertEqual(self.simulator.charges(), [])

    def test_second_person_is_told(self):
        invoice = self.make_invoice(100)
        first = self.prepare(invoices=invoice)
        second = self.prepare(invoices=invoice, by=self.biller_2, terminal=self.terminal_2)
        self.start_booking(first)
        status = self.start_booking(second)
        self.assertEqual((status["state"], status["reason"]), ("refused", "order_open"))
        self.assertIn(self.biller.name, status["message"])
        self.simulator.act("tap")
        self.check_booking(first, "approved")
        status = self.start_booking(second)
        self.assertEqual((status["state"], status["reason"]), ("refused", "already_paid"))
        self.assertEqual(len(self.simulator.charges()), 1)

    def test_overlapping_invoices(self):
        one, two = self.make_invoice(100), self.make_invoice(50)
        self.start_booking(self.prepare(invoices=one | two))
        other = self.prepare(invoices=two, by=self.biller_2, terminal=self.terminal_2)
        self.assertEqual(self.start_booking(other)["state"], "refused")

    def test_only_the_asker_starts(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        with self.assertRaises(AccessError):
            self.start_booking(booking, by=self.biller_2)

    def test_deleted_draft_becomes_a_task(self):
        invoice = self.make_invoice(100)
        booking = self.prepare(invoices=invoice)
        self.start_booking(booking)
        with self.assertRaises(UserError):
            booking.payment_id.with_user(self.biller).unlink()
        self.env.cr.execute("DELETE FROM account_payment WHERE id = %s", (booking.payment_id.id,))
        self.env.invalidate_all()
        self.simulator.act("tap")
        self.check_booking(booking, "approved")
        self.assertEqual(booking.state, "to_post")
        self.assertTrue(booking.activity_ids)
        second = self.prepare(invoices=invoice, by=self.biller_2, terminal=self.terminal_2)
        self.assertEqual(self.start_booking(second)["state"], "refused")
        with self.assertRaises(AccessError):
            booking.with_user(self.biller).action_post()
        booking.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        self.assertEqual((booking.state, invoice.amount_residual), ("booked", 0))
        self.assertFalse(booking.activity_ids)

    def test_late_approval_is_booked(self):
        invoice = self.make_invoice(100)
        booking, _status = self.charge_invoices(invoice, action="decline")
        in_ledger(
            self.env,
            lambda env: (
                env["viva.transaction"]
                .browse(booking.transaction_id.id)
                ._move("approved", kind="read", values={"approved_amount": 100})
            ),
        )
        self.run_job()
        self.assertEqual((booking.state, invoice.amount_residual), ("booked", 0))

    def test_late_approval_of_an_invoice_that_is_paid(self):
        invoice = self.make_invoice(100)
        booking, _status = self.charge_invoices(invoice, action="decline")
        self.charge_invoices(invoice, terminal=self.terminal_2)
        self.assertEqual(invoice.amount_residual, 0)
        in_ledger(
            self.env,
            lambda env: (
                env["viva.transaction"]
                .browse(booking.transaction_id.id)
                ._move("approved", kind="read", values={"approved_amount": 100})
            ),
        )
        self.run_job()
        self.assertEqual(booking.state, "to_post")
        booking.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        self.assertEqual(booking.state, "booked")
        self.assertFalse(booking.payment_id.is_reconciled)

    def test_standing_payment_is_not_undone(self):
        booking, _status = self.charge_invoices(self.make_invoice(100))
        payment = booking.payment_id.with_user(self.accountant)
        for undo in (payment.action_draft, payment.action_cancel, payment.action_reject):
            with self.assertRaises(UserError):
                undo()
        with self.assertRaises(UserError):
            payment.move_id.button_draft()
        with self.assertRaises(UserError):
            payment.unlink()

    def test_no_posting_without_card(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        with self.assertRaises(UserError):
            booking.payment_id.with_user(self.accountant).action_post()
        by_hand = self.env["account.payment"].with_user(self.accountant)
        values = {
            "payment_type": "inbound",
            "partner_type": "customer",
            "partner_id": self.customer.id,
            "amount": 10,
            "journal_id": self.journal.id,
            "payment_method_line_id": self.line_in.id,
        }
        with self.assertRaises(UserError):
            by_hand.create(values).action_post()
        with self.assertRaises(UserError):
            by_hand.create({**values, "write_off_line_vals": []})

    def test_amount_changed_after_preparing(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        booking.payment_id.with_user(self.biller).amount = 1
        self.env.flush_all()
        status = self.start_booking(booking)
        self.assertEqual((status["state"], status["reason"]), ("refused", "changed"))

    def test_forgotten(self):
        booking = self.prepare(invoices=self.make_invoice(100))
        self.env.cr.execute(
            "UPDATE viva_booking SET create_date = create_date - interval '2 days' WHERE id = %s",
            (booking.id,),
        )
        self.run_job()
        self.assertEqual((booking.state, booking.payment_id.state), ("not_done", "canceled"))

    def test_busy_terminal_claims_nothing(self):
        self.start_booking(self.prepare(invoices=self.make_invoice(100)))
        other = self.make_invoice(50)
        booking = self.prepare(invoices=other, by=self.biller_2)
        self.assertEqual(self.start_booking(booking)["reason"], "terminal_busy")
        self.assertFalse(booking.line_ids.filtered("is_claim"))
        free = self.prepare(invoices=other, by=self.biller_2, terminal=self.terminal_2)
        self.assertEqual(self.start_booking(free)["state"], "pending")
        self.simulator.act("tap", TERMINAL_2)
        self.check_booking(free, "approved")
        self.assertEqual(other.amount_residual, 0)

    def test_defaults_of_a_dialog_do_not_reach_the_payment(self):
        invoice = self.make_invoice(100)
        bookings = self.env["viva.booking"].with_user(self.biller)
        bookings = bookings.with_context(default_move_id=invoice.id, default_amount=1)
        booking = bookings._prepare(
            "sale",
            terminal=self.terminal,
            currency=self.company.currency_id,
            amount=100,
            partner=self.customer,
            journal=self.journal,
            method_line=self.line_in,
            lines=self.open_lines(invoice),
        )
        self.assertEqual((booking.payment_id.amount, booking.payment_id.move_id.id), (100, False))

    def test_closed_period_becomes_a_task(self):
        invoice = self.make_invoice(100)
        booking = self.prepare(invoices=invoice)
        self.start_booking(booking)
        today = self.env.cr.now().date()
        self.session.state = "closed"  # Odoo closes no period with open registers
        self.company.fiscalyear_lock_date = today
        self.simulator.act("tap")
        self.check_booking(booking, "approved")
        self.assertEqual((booking.state, booking.payment_id.state), ("to_post", "draft"))
        self.assertTrue(booking.activity_ids)
        self.run_job()
        self.assertEqual(booking.state, "to_post")
        booking.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        self.assertEqual((booking.state, invoice.amount_residual), ("booked", 0))
        self.assertGreater(booking.payment_id.date, today)
        self.assert_balanced(booking.payment_id.move_id)

    def test_what_a_person_has_posted_otherwise_stays(self):
        """The draft became a bank transfer: giving the card up does not touch it."""
        invoice = self.make_invoice(100)
        booking = self.prepare(invoices=invoice)
        payment = booking.payment_id.with_user(self.accountant)
        manual = self.journal.inbound_payment_method_line_ids.filtered(lambda m: m.code == "manual")
        payment.payment_method_line_id = manual
        payment.action_post()
        (payment.move_id.line_ids + self.open_lines(invoice)).filtered(
            lambda line: line.account_id.account_type == "asset_receivable"
        ).reconcile()
        self.assertEqual(self.start_booking(booking)["state"], "refused")
        self.env["viva.booking"].with_user(self.biller).abort(booking.attempt)
        self.env.invalidate_all()
        self.assertEqual(booking.state, "not_done")
        self.assertIn(payment.state, ("in_process", "paid"))
        self.assertEqual(invoice.amount_residual, 0)

    def test_two_charges_for_one_payment_are_two_payments(self):
        """Declined, charged anew from the same payment, and the first one was charged after all."""
        invoice = self.make_invoice(100)
        first, _status = self.charge_invoices(invoice, action="decline")
        payment = first.payment_id.with_user(self.biller)
        payment.action_draft()
        second = self.prepare(invoices=invoice, terminal=self.terminal_2, payment=payment)
        self.start_booking(second)
        self.simulator.act("tap", TERMINAL_2)
        self.check_booking(second, "approved")
        in_ledger(
            self.env,
            lambda env: (
                env["viva.transaction"]
                .browse(first.transaction_id.id)
                ._move("approved", kind="read", values={"approved_amount": 100})
            ),
        )
        self.run_job()
        self.assertEqual((first.state, second.state), ("to_post", "booked"))
        first.with_user(self.accountant).action_post()
        self.env.invalidate_all()
        self.assertEqual(first.state, "booked")
        self.assertNotEqual(first.payment_id, second.payment_id)
        self.assertEqual(first.payment_id.amount, 100)
