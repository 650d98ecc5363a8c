"""Doubt about a card payment of the back office: an accountant ends it, and is told in the words of accounting."""

import re
from datetime import timedelta

from odoo import Command, fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user

from ..models.ledger import in_ledger
from .test_booking import BookingCase

# What there is at a till only.
AT_THE_TILL = re.compile(r"\b(till|orders?|cashier|manager|receipt)\b", re.IGNORECASE)


class DecideCase(BookingCase):
    def setUp(self):
        super().setUp()
        self.invoice = self.make_invoice(100)

    def doubtful(self):
        """A charge of which nobody knows how it ended; Viva says nothing about it for now."""
        booking = self.prepare(invoices=self.invoice)
        self.start_booking(booking)
        self.amend(booking.attempt, state="unknown", reason="no_answer")
        self.simulator.control("POST", "faults", {"session_status": [503] * 50})
        return booking

    def decide(self, transaction, decision="approved", *, by=None):
        if decision == "failed":
            # The request was cancelled and has lapsed on the device.
            long_ago = fields.Datetime.now() - timedelta(seconds=200)
            self.amend(transaction.attempt, abort_asked_at=long_ago)
        wizard = (
            self.env["viva.decide.wizard"]
            .with_user(by or self.accountant)
            .create(
                {
                    "transaction_id": transaction.id,
                    "decision": decision,
                    "reason": "The slip says so",
                }
            )
        )
        wizard.action_decide()
        self.env.invalidate_all()


class TestDecideInOffice(DecideCase):
    def test_money_has_moved(self):
        """Booked at once, in the name of who has asked; the claim is gone."""
        booking = self.doubtful()
        self.assertTrue(booking.line_ids.is_claim)
        self.decide(booking.transaction_id)
        self.assertEqual(booking.transaction_id.forced_by, self.accountant)
        self.assertEqual((booking.state, self.invoice.amount_residual), ("booked", 0))
        self.assertEqual(booking.payment_id.create_uid, self.biller)
        self.assertFalse(booking.line_ids.is_claim)

    def test_money_has_not_moved(self):
        booking = self.doubtful()
        self.decide(booking.transaction_id, "failed")
        self.assertEqual((booking.state, booking.payment_id.state), ("not_done", "canceled"))
        self.assertFalse(booking.line_ids.is_claim)
        self.assertEqual(self.invoice.amount_residual, 100)

    def test_who_only_bills(self):
        transaction = self.doubtful().transaction_id
        self.assertFalse(transaction.with_user(self.biller).can_decide)
        with self.assertRaises(AccessError):
            self.decide(transaction, by=self.biller)
        self.assertEqual(transaction.state, "unknown")

    def test_payment_of_the_till(self):
        """An accountant says nothing about it: he was not there."""
        request, _status = self.charge()
        self.amend(request["attempt"], state="unknown", reason="no_answer")
        transaction = self.transaction(request["attempt"])
        self.assertFalse(transaction.with_user(self.accountant).can_decide)
        self.assertTrue(transaction.with_user(self.manager).can_decide)
        with self.assertRaises(AccessError):
            self.decide(transaction)
        with self.assertRaises(AccessError):
            transaction.with_user(self.accountant).action_abort()
        self.assertEqual(transaction.state, "unknown")

    def test_viva_manager(self):
        transaction = self.doubtful().transaction_id
        self.assertTrue(transaction.with_user(self.manager).can_decide)
        self.decide(transaction, by=self.manager)
        self.assertEqual(transaction.forced_by, self.manager)

    def test_cashier(self):
        with self.assertRaises(AccessError):
            self.decide(self.doubtful().transaction_id, by=self.cashier)

    def test_other_company(self):
        other = self.setup_other_company()["company"]
        elsewhere = new_test_user(
            self.env,
            "viva_accountant_elsewhere",
            groups="base.group_user,account.group_account_invoice,viva_payments.group_viva_accountant",
            company_id=other.id,
            company_ids=[Command.set(other.ids)],
        )
        transaction = self.doubtful().transaction_id
        with self.assertRaises(AccessError):
            self.decide(transaction, by=elsewhere)
        self.assertEqual(transaction.state, "unknown")

    def test_button(self):
        """On the form of the card payment, which the live dialog opens."""
        transactions = self.env["viva.transaction"].with_user(self.accountant)
        arch = transactions.get_view(view_type="form")["arch"]
        self.assertIn('string="Decide…"', arch)
        transaction = self.doubtful().transaction_id
        self.assertTrue(transaction.with_user(self.accountant).can_decide)
        self.assertFalse(self.charge_other().with_user(self.accountant).can_decide)

    def charge_other(self):
        booking = self.prepare(invoices=self.make_invoice(20), terminal=self.terminal_2)
        self.start_booking(booking)
        return booking.transaction_id

    def test_cancelled_from_the_card_payment(self):
        """Whoever may ask for it may cancel it, also where the dialog is closed."""
        booking = self.prepare(invoices=self.invoice)
        self.start_booking(booking)
        booking.transaction_id.with_user(self.biller).action_abort()
        self.check_booking(booking, "cancelled")
        self.assertEqual(booking.state, "not_done")


class TestWordsOfOffice(DecideCase):
    """Nobody in the office is sent to a manager or told of a till."""

    def assert_words(self, words):
        self.assertTrue(words)
        self.assertNotRegex(words, AT_THE_TILL)

    def test_states(self):
        booking, _status = self.charge_invoices(self.invoice)
        transaction = booking.transaction_id
        reasons = {
            "sent": [False],
            "pending": [False],
            "unknown": ["no_answer", "amount", "reversal", "twice", "transaction_id"],
            "approved": ["approved", "approved_after_cancel"],
            "declined": ["declined", "insufficient_funds"],
            "cancelled": ["aborted", "never_sent", "user"],
            "failed": ["stored_transactions", "not_found", "no_card", "permission", "other"],
        }
        for contradicted in (False, True):
            for state, of_state in reasons.items():
                for reason in of_state:
                    with self.subTest(state=state, reason=reason, contradicted=contradicted):
                        self.amend(
                            booking.attempt,
                            state=state,
                            reason=reason,
                            is_contradicted=contradicted,
                        )
                        self.assert_words(transaction.message)

    def test_doubt_names_who_ends_it(self):
        self.assertIn("an accountant", self.doubtful().transaction_id.message)

    def test_money_back(self):
        booking, _status = self.charge_invoices(self.invoice)
        refund = self.prepare(
            "refund", 100, parent=booking.transaction_id, undoes=booking.payment_id
        )
        self.start_booking(refund)
        for state, reason in (
            ("unknown", "amount"),
            ("unknown", "no_answer"),
            ("failed", "not_found"),
            ("failed", "parent_unknown"),
            ("failed", "stored_transactions"),
            ("declined", "declined"),
        ):
            with self.subTest(state=state, reason=reason):
                self.amend(refund.attempt, state=state, reason=reason)
                self.assert_words(refund.transaction_id.message)

    def test_tasks(self):
        booking, _status = self.charge_invoices(self.invoice, action="decline")
        transaction_id = booking.transaction_id.id

        def work(env):
            transaction = env["viva.transaction"].browse(transaction_id)
            transaction.write({"forced_reason": "seen", "is_forced": True})
            transaction._alarm_late("declined")
            transaction._alarm_denied()
            transaction._contradict_forced("amount", self.an_outcome())

        in_ledger(self.env, work)
        self.env.invalidate_all()
        tasks = booking.transaction_id.activity_ids
        self.assertEqual(len(tasks), 3)
        for task in tasks:
            self.assert_words(task.summary)
            self.assert_words(task.note)

    def an_outcome(self):
        class Said:
            message, raw = "", {}

        return Said()

    def test_busy_terminal(self):
        booking = self.prepare(invoices=self.invoice)
        self.start_booking(booking)
        other = self.prepare(invoices=self.make_invoice(20), by=self.biller_2)
        status = self.start_booking(other)
        self.assertEqual(status["reason"], "terminal_busy")
        self.assert_words(status["message"])
        self.assertIn(self.invoice.name, status["message"])

    def test_tip_is_no_question_of_the_till(self):
        booking = self.prepare(invoices=self.invoice)
        self.start_booking(booking)
        self.simulator.act("tip", minor=550)
        self.simulator.act("tap")
        self.check_booking(booking, "approved")
        self.assertEqual(booking.transaction_id.tip_amount, 5.5)
        self.assertFalse(booking.transaction_id.can_book_tip)
