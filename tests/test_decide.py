"""A person decides what Viva does not tell, and Viva's word is waited for all the same."""

from datetime import datetime, timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError

from .common import VivaCase


class TestDecide(VivaCase):
    def setUp(self):
        super().setUp()
        self.managers_ledger = self.env["viva.transaction"].with_user(self.manager)

    def lost(self, **values):
        """A payment of which nobody knows how it ended; Viva says nothing about it for now."""
        request, _status = self.charge(**values)
        self.amend(request["attempt"], state="unknown", reason="no_answer")
        self.simulator.control("POST", "faults", {"session_status": [503] * 50})
        return request["attempt"]

    def viva_answers(self):
        self.simulator.control("DELETE", "faults")
        self.env["viva.connection"]._store(self.account).heard()

    def force(self, attempt, reason="The slip says approved"):
        return self.managers_ledger.pos_force(attempt, reason)

    def decide(self, attempt, decision, reason="Viva's portal shows nothing"):
        if decision == "failed" and self.transaction(attempt).holds_terminal:
            # The request was cancelled and has lapsed on the device.
            self.amend(attempt, abort_asked_at=fields.Datetime.now() - timedelta(seconds=200))
        wizard = self.env["viva.decide.wizard"].with_user(self.manager)
        wizard = wizard.create(
            {
                "transaction_id": self.transaction(attempt).id,
                "decision": decision,
                "reason": reason,
            }
        )
        wizard.action_decide()
        return self.transaction(attempt)

    def kinds(self, attempt):
        return self.transaction(attempt).step_ids.mapped("kind")

    # -- who, when, why ----------------------------------------------------------------------------

    def test_force(self):
        attempt = self.lost()
        status = self.force(attempt)
        self.assertEqual(
            (status["state"], status["charged"], status["forced"]), ("approved", True, True)
        )
        self.assertTrue(status["final"])
        self.assertEqual(status["approved_minor"], 1999)
        self.assertIn(self.manager.name, status["message"])
        self.assertIn("not confirmed", status["message"])
        transaction = self.transaction(attempt)
        self.assertEqual(transaction.forced_by, self.manager)
        self.assertEqual(transaction.forced_reason, "The slip says approved")
        self.assertTrue(transaction.is_forced)
        self.assertFalse(transaction.holds_terminal)
        step = transaction.step_ids.filtered(lambda step: step.kind == "person")
        self.assertIn(self.manager.name, step.note)
        self.assertIn("The slip says approved", step.note)

    def test_cashier_may_not(self):
        attempt = self.lost()
        self.assertFalse(self.check(attempt)["can_force"])
        with self.assertRaises(AccessError):
            self.ledger.pos_force(attempt, "I have seen it")
        with self.assertRaises(AccessError):
            self.env["viva.decide.wizard"].with_user(self.cashier).create(
                {
                    "transaction_id": self.transaction(attempt).id,
                    "decision": "approved",
                    "reason": "I have seen it",
                }
            )
        self.assertEqual(self.transaction(attempt).state, "unknown")

    def test_reason_is_needed(self):
        attempt = self.lost()
        for reason in (
            None,
            False,
            "",
            "   ",
            "ab",
            " a ",
            5,
            123456,
            [],
            ["seen it"],
            {"a": 1},
            "\0\0\0",
        ):
            with self.subTest(reason=reason), self.assertRaises(UserError):
                self.force(attempt, reason)
        self.assertEqual(self.transaction(attempt).state, "unknown")
        self.assertNotIn("person", self.kinds(attempt))

    def test_odd_characters_in_the_reason(self):
        attempt = self.lost()
        self.force(attempt, "seen\0 \ud800 on the slip " + "x" * 3000)
        self.assertEqual(self.transaction(attempt).state, "approved")
        self.assertIn("on the slip", self.transaction(attempt).forced_reason)

    def test_unknown_attempt(self):
        with self.assertRaises(UserError):
            self.force("12345678-0000-0000-0000-000000000000")

    def test_not_while_the_card_is_on_its_way(self):
        request, status = self.charge()
        self.assertFalse(status["can_force"])
        with self.assertRaisesRegex(UserError, "needs no decision"):
            self.force(request["attempt"])
        self.assertFalse(self.managers_ledger.pos_find([request["order_uuid"]])[0]["can_force"])
        # A minute later a manager may.
        self.amend(request["attempt"], sent_at=fields.Datetime.now() - timedelta(seconds=61))
        self.assertTrue(self.managers_ledger.pos_find([request["order_uuid"]])[0]["can_force"])
        self.assertEqual(self.force(request["attempt"])["state"], "approved")

    def test_not_what_has_an_answer(self):
        request, _status = self.charge()
        self.simulator.act("cancel")
        self.assertEqual(self.check_until(request["attempt"], "cancelled")["state"], "cancelled")
        with self.assertRaisesRegex(UserError, "needs no decision"):
            self.force(request["attempt"])
        for decision in ("approved", "failed"):
            with self.assertRaisesRegex(UserError, "needs no decision"), self.env.cr.savepoint():
                self.decide(request["attempt"], decision)
        self.assertEqual(self.transaction(request["attempt"]).state, "cancelled")

    def test_viva_is_asked_first(self):
        """The answer arrives while the manager types: Viva's word counts, nobody forces anything."""
        request, _status = self.charge()
        self.amend(request["attempt"], state="unknown", reason="no_answer")
        self.simulator.act("tap")
        self.wait_for(self.simulator.charges)
        with self.assertRaisesRegex(UserError, "needs no decision"):
            self.wait_for(lambda: self.force(request["attempt"]))
        transaction = self.transaction(request["attempt"])
        self.assertEqual(transaction.state, "approved")
        self.assertFalse(transaction.forced_by)

    def test_dialog(self):
        attempt = self.lost()
        for reason in (" ", "x"):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                self.decide(attempt, "failed", reason)
        transaction = self.decide(attempt, "failed")
        self.assertEqual((transaction.state, transaction.reason), ("failed", "person"))
        self.assertIn(self.manager.name, transaction.message)
        self.assertFalse(self.transaction(attempt).is_unsettled, "the order may be charged again")

    def test_not_charged_only_when_the_terminal_is_quiet(self):
        """Two terminals must not ask for the money of one order."""
        request, _status = self.charge()
        attempt = request["attempt"]
        self.amend(attempt, sent_at=fields.Datetime.now() - timedelta(seconds=61))
        wizard = (
            self.env["viva.decide.wizard"]
            .with_user(self.manager)
            .create(
                {
                    "transaction_id": self.transaction(attempt).id,
                    "decision": "failed",
                    "reason": "customer left",
                }
            )
        )
        with self.assertRaisesRegex(UserError, "may still ask for the card"):
            wizard.action_decide()
        self.assertEqual(self.transaction(attempt).state, "pending")

    def test_decided_order_may_be_charged_again(self):
        order = self.make_order()
        attempt = self.lost(order=order)
        self.decide(attempt, "failed")
        self.viva_answers()
        _request, status = self.charge(order, terminal_id=self.terminal_2.id)
        self.assertEqual(status["state"], "pending", status["message"])

    def test_other_company_is_not_decided(self):
        attempt = self.lost()
        other = self.env["res.company"].create({"name": "Other"})
        self.manager.write({"company_ids": [(6, 0, other.ids)], "company_id": other.id})
        with self.assertRaises(UserError):
            self.force(attempt)
        self.assertEqual(self.transaction(attempt).state, "unknown")

    # -- it goes on being checked ------------------------------------------------------------------

    def test_confirmed(self):
        attempt = self.lost()
        self.force(attempt)
        self.viva_answers()
        self.simulator.act("tap")
        self.wait_for(self.simulator.charges)
        self.wait_for(lambda: self.run_job() or not self.transaction(attempt).is_forced)
        transaction = self.transaction(attempt)
        self.assertEqual(transaction.state, "approved")
        self.assertEqual(
            transaction.viva_transaction_id, self.simulator.charges()[0]["transactionId"]
        )
        self.assertTrue(transaction.card_last4)
        self.assertTrue(transaction.forced_by, "who decided is not forgotten")
        self.assertFalse(transaction.is_contradicted)
        self.assertFalse(transaction.activity_ids)
        self.assertNotIn("not confirmed", transaction.message)
        self.assertEqual(len(self.simulator.charges()), 1)

    def test_contradicted(self):
        attempt = self.lost()
        self.force(attempt)
        self.viva_answers()
        self.simulator.act("cancel")
        self.wait_for(lambda: self.run_job() or self.transaction(attempt).is_contradicted)
        transaction = self.transaction(attempt)
        self.assertEqual(transaction.state, "approved", "the books are corrected by a person")
        self.assertFalse(transaction.is_forced)
        activity = transaction.activity_ids
        self.assertEqual(activity.summary, "Booked as paid, but Viva did not charge")
        self.assertEqual(activity.user_id, self.account.responsible_id)
        self.assertIn("Tell a manager", self.check(attempt)["message"])
        alarms = self.kinds(attempt).count("alarm")
        self.run_job()
        self.assertEqual(self.kinds(attempt).count("alarm"), alarms, "told once")

    def test_contradicted_payment_is_no_proof(self):
        attempt = self.lost(order=self.make_order())
        self.force(attempt)
        transaction = self.transaction(attempt)
        order = self.env["pos.order"].search([("uuid", "=", transaction.order_uuid)])
        order.with_user(self.manager).action_viva_attach()
        self.assertEqual(order.payment_ids.viva_state, "forced")
        self.assertFalse(order.viva_has_unproven)
        self.amend(attempt, is_forced=False, is_contradicted=True)
        self.env.invalidate_all()
        self.assertEqual(order.payment_ids.viva_state, "unproven")
        self.assertTrue(order.viva_has_unproven)
        self.assertIn(order, self.env["pos.order"].search([("viva_has_unproven", "=", True)]))

    def test_charged_another_amount(self):
        """Viva charged, but not what was booked: a person is told, and told once."""
        for decision in ("approved", "failed"):
            with self.subTest(decision=decision):
                self.simulator.reset()
                attempt = self.lost()
                self.decide(attempt, decision)
                self.viva_answers()
                self.simulator.act("tap", amount=2999)
                self.wait_for(lambda: self.simulator.charges())
                self.wait_for(
                    lambda attempt=attempt: self.run_job() or self.transaction(attempt).activity_ids
                )
                transaction = self.transaction(attempt)
                self.assertEqual(transaction.state, decision)
                self.assertTrue(transaction.is_contradicted)
                self.assertIn("Tell a manager", transaction.message)
                alarms = self.kinds(attempt).count("alarm")
                self.run_job()
                self.assertEqual(self.kinds(attempt).count("alarm"), alarms)

    def test_late_approval_after_not_charged(self):
        attempt = self.lost()
        self.decide(attempt, "failed")
        self.viva_answers()
        self.simulator.act("tap")
        self.wait_for(self.simulator.charges)
        self.wait_for(lambda: self.run_job() or self.transaction(attempt).state == "approved")
        transaction = self.transaction(attempt)
        self.assertFalse(transaction.is_forced)
        self.assertEqual(transaction.activity_ids.mapped("summary"), ["Charged after all"])
        status = self.check(attempt)
        self.assertTrue(status["charged"])
        self.assertTrue(status["result"]["transaction_id"])

    def test_not_charged_is_confirmed(self):
        attempt = self.lost()
        self.decide(attempt, "failed")
        self.viva_answers()
        self.simulator.act("cancel")
        self.wait_for(lambda: self.run_job() or not self.transaction(attempt).is_forced)
        transaction = self.transaction(attempt)
        self.assertEqual(transaction.state, "failed")
        self.assertFalse(transaction.activity_ids)

    def test_asked_for_a_week(self):
        attempt = self.lost()
        self.force(attempt)
        self.viva_answers()
        ids = self.env["viva.transaction"]._due_ids()
        self.assertIn(self.transaction(attempt).id, ids)
        self.amend(attempt, sent_at=datetime.now() - timedelta(days=8))
        self.assertNotIn(self.transaction(attempt).id, self.env["viva.transaction"]._due_ids())
