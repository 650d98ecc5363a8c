"""Attacks that once worked, and accidents after which nobody was told."""

import uuid
from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from ..models.ledger import in_ledger
from ..models.viva_transaction_record import Recorded
from .common import VivaCase


class TestHostile(VivaCase):
    def summaries(self, attempt):
        return self.transaction(attempt).activity_ids.mapped("summary")

    def test_context_of_a_tab_does_not_reach_the_ledger(self):
        """Defaults would hide a charge from the job and from closing, and forge the history."""
        forged = {
            "default_origin": "viva",
            "default_viva_transaction_id": "forged",
            "default_user_id": self.manager.id,
            "default_at": "2001-01-01 00:00:00",
        }
        request = self.request(self.make_order())
        self.ledger.with_context(**forged).pos_start(request)
        transaction = self.transaction(request["attempt"])
        self.assertEqual(transaction.origin, "odoo")
        self.assertFalse(transaction.viva_transaction_id)
        self.assertEqual(transaction.step_ids.user_id, self.cashier)
        self.assertGreater(min(transaction.step_ids.mapped("at")).year, 2001)

    def test_alarms_belong_to_nobody_who_asks(self):
        """The cashier whose question brought the bad news cannot delete it, nor switch it off."""
        request, _status = self.charge()
        self.simulator.act("retry_paid", delay_ms=50)
        self.check_until(request["attempt"], "cancelled", "approved")
        self.wait_for(self.simulator.charges)
        self.amend(request["attempt"], recheck_at=fields.Datetime.now() - timedelta(seconds=1))
        quiet = self.ledger.with_context(mail_activity_automation_skip=True)
        quiet.pos_check([request["attempt"]])
        transaction = self.transaction(request["attempt"])
        self.assertEqual(transaction.state, "approved")
        activity = transaction.activity_ids
        self.assertEqual(activity.mapped("summary"), ["Charged after all"])
        with self.assertRaises(AccessError):
            activity.with_user(self.cashier).unlink()

    def test_late_success_that_differs_is_told(self):
        """After a final no the list shows a success of another amount: not booked, not swallowed."""
        request, _status = self.charge()
        self.simulator.act("retry_paid", delay_ms=50, amount=2999)
        self.check_until(request["attempt"], "cancelled", "unknown")
        self.wait_for(self.simulator.charges)
        self.amend(request["attempt"], recheck_at=fields.Datetime.now() - timedelta(seconds=1))
        self.check(request["attempt"])
        transaction = self.transaction(request["attempt"])
        self.assertNotEqual(transaction.state, "approved")
        if transaction.state == "cancelled":
            self.assertTrue(transaction.is_contradicted)
            self.assertIn("Viva contradicts itself", self.summaries(request["attempt"]))
            self.assertTrue(transaction.recheck_at, "it goes on being compared")

    def test_questions_that_viva_refuses_end_in_a_task(self):
        """Credentials revoked in mid-payment: no state without an end, and the terminal is given free."""
        request, _status = self.charge()
        self.simulator.control("POST", "faults", {"session_status": [403] * 50})
        self.amend(request["attempt"], sent_at=fields.Datetime.now() - timedelta(minutes=16))
        self.run_job()
        transaction = self.transaction(request["attempt"])
        self.assertEqual((transaction.state, transaction.reason), ("unknown", "no_answer"))
        self.assertIn("Card payment unknown", self.summaries(request["attempt"]))
        self.run_job()
        self.assertTrue(self.transaction(request["attempt"]).abort_asked_at)
        self.amend(
            request["attempt"], abort_asked_at=fields.Datetime.now() - timedelta(seconds=200)
        )
        self.run_job()
        self.assertFalse(self.transaction(request["attempt"]).holds_terminal)

    def test_approved_after_cash(self):
        """The customer paid in cash while the card was unknown, and the card is charged after all."""
        order = self.make_order()
        request, _status = self.charge(order)
        order.add_payment(
            {
                "pos_order_id": order.id,
                "amount": 19.99,
                "payment_method_id": self.cash.id,
                "payment_date": fields.Datetime.now(),
            }
        )
        order.amount_paid = 19.99
        order.action_pos_order_paid()
        self.env.flush_all()
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        self.assertEqual(
            self.summaries(request["attempt"]), ["Charged, but the order is paid otherwise"]
        )

    def test_refused_cancellation_may_be_asked_again(self):
        request, _status = self.charge()
        self.simulator.control("POST", "faults", {"abort_refused_status": 403})
        status = self.ledger.pos_abort(request["attempt"])
        self.assertTrue(status["can_cancel"])
        self.assertFalse(status["abort_asked"])
        self.simulator.control("POST", "faults", {"abort_refused_status": None})
        self.simulator.control("POST", "settings", {"abort_ms": 50})
        self.assertTrue(self.ledger.pos_abort(request["attempt"])["abort_asked"])
        self.assertEqual(self.check_until(request["attempt"], "cancelled")["state"], "cancelled")

    def test_accepted_after_it_was_given_up(self):
        """This process slept between recording and sending; meanwhile the attempt counted as never arrived."""
        request, _status = self.charge()
        transaction = self.transaction(request["attempt"])
        in_ledger(
            self.env,
            lambda env: (
                env["viva.transaction"]
                .browse(transaction.id)
                ._move("failed", kind="read", values={"reason": "never_arrived"})
            ),
        )
        self.simulator.control("POST", "settings", {"abort_ms": 50})
        connection = self.env["viva.connection"]._store(transaction.account_id)
        recorded = Recorded(transaction.id, True, connection=connection)
        self.env["viva.transaction"]._settle_accepted(recorded, "correlation")
        self.assertIn("On the terminal after it was given up", self.summaries(request["attempt"]))
        transaction = self.transaction(request["attempt"])
        self.assertTrue(transaction.recheck_at)
        self.assertTrue(transaction.abort_asked_at, "it is being cancelled on the terminal")

    def test_uninstalling_what_we_depend_on(self):
        self.charge()
        module = self.env["ir.module.module"].search([("name", "=", "point_of_sale")])
        with self.assertRaisesRegex(UserError, "cannot be uninstalled"):
            module.button_uninstall()

    def test_dialogs_show_nothing_of_another_company(self):
        request, _status = self.charge()
        other = self.env["res.company"].create({"name": "Other shop"})
        stranger = new_test_user(
            self.env,
            "viva_stranger",
            groups="base.group_user,viva_payments.group_viva_manager",
            company_id=other.id,
            company_ids=[(6, 0, other.ids)],
        )
        handover = self.env["viva.handover.wizard"].with_user(stranger)
        with self.assertRaises(AccessError):
            _findings = handover.create(
                {"session_id": self.session.id, "reason": "curious"}
            ).findings
        decide = self.env["viva.decide.wizard"].with_user(stranger)
        with self.assertRaises(AccessError):
            _message = decide.create(
                {
                    "transaction_id": self.transaction(request["attempt"]).id,
                    "decision": "approved",
                    "reason": "curious",
                }
            ).message

    def test_the_address_of_a_custom_account_is_no_cashiers_business(self):
        self.assertNotIn(self.simulator.url, self.terminal.environment_key)
        request, _status = self.charge()
        self.assertNotIn(self.simulator.url, self.transaction(request["attempt"]).environment)

    def test_an_attempt_of_somebody_else_is_not_shown(self):
        request, _status = self.charge()
        other = {**self.request(self.make_order()), "attempt": request["attempt"]}
        other["payment_uuid"] = str(uuid.uuid4())
        status = self.ledger.pos_start(other)
        self.assertIn(status["attempt"], (request["attempt"],))
        self.assertEqual(len(self.simulator.control("GET", "sessions")), 1)
