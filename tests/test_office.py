"""What the back office shows of card payments, and its dialogs."""

from datetime import datetime

from odoo.exceptions import UserError
from odoo.tests import Form

from .common import VivaCase

LONG_AGO = datetime(2020, 1, 1)


class TestOffice(VivaCase):
    def approved(self):
        request, _status = self.charge()
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        return self.transaction(request["attempt"])

    def doubtful(self):
        """A payment of which Viva, out of reach from here on, says nothing."""
        request, _status = self.charge()
        self.simulator.control("POST", "faults", {"session_status": [503] * 50})
        return self.amend(request["attempt"], state="unknown", reason="no_end")

    def found(self, domain):
        return self.env["viva.transaction"].search(domain)

    def test_money_without_an_order_is_found(self):
        transaction = self.approved()
        self.assertFalse(transaction.is_attached)
        self.assertIn(transaction, self.found([("is_attached", "=", False)]))
        self.assertNotIn(transaction, self.found([("is_attached", "=", True)]))
        order = transaction.pos_order_id
        self.assertIn(transaction, self.found([("pos_order_id", "=", order.id)]))
        self.assertTrue(order.viva_can_attach)
        order.with_user(self.manager).action_viva_attach()
        self.env.invalidate_all()
        self.assertEqual(order.state, "paid")
        self.assertTrue(transaction.is_attached)
        self.assertNotIn(transaction, self.found([("is_attached", "=", False)]))
        self.assertIn(transaction, self.found([("is_attached", "=", True)]))

    def test_manager_decides_in_the_dialog(self):
        transaction = self.doubtful().with_user(self.manager)
        wizard = Form(
            self.env["viva.decide.wizard"]
            .with_user(self.manager)
            .with_context(default_transaction_id=transaction.id)
        )
        self.assertEqual(wizard.message, transaction.message)
        wizard.decision = "failed"
        wizard.reason = "Portal shows nothing"
        with self.assertRaisesRegex(UserError, "may still ask for the card"):
            wizard.save().action_decide()
        self.amend(transaction.attempt, abort_asked_at=LONG_AGO)
        wizard.save().action_decide()
        transaction.invalidate_recordset()
        self.assertEqual(transaction.state, "failed")
        self.assertEqual(transaction.forced_by, self.manager)
        self.assertIn(
            "Portal shows nothing",
            transaction.step_ids.filtered(lambda step: step.kind == "person").note,
        )

    def test_a_reason_is_needed(self):
        transaction = self.doubtful()
        wizard = (
            self.env["viva.decide.wizard"]
            .with_user(self.manager)
            .create({"transaction_id": transaction.id, "decision": "approved", "reason": "  .  "})
        )
        with self.assertRaises(UserError):
            wizard.action_decide()
        self.assertEqual(self.transaction(transaction.attempt).state, "unknown")

    def test_session_names_what_is_in_doubt_and_hands_it_over(self):
        session = self.session.with_user(self.manager)
        self.assertFalse(session.viva_obstacle)
        wizard = self.env["viva.handover.wizard"].with_user(self.manager)
        self.assertFalse(Form(wizard.with_context(default_session_id=session.id)).findings)
        transaction = self.doubtful()
        session.invalidate_recordset()
        self.assertIn(transaction.name, session.viva_obstacle)
        form = Form(wizard.with_context(**session.action_viva_handover()["context"]))
        self.assertIn(transaction.name, form.findings)
        form.reason = "Terminal broken"
        form.save().action_hand_over()
        session.invalidate_recordset()
        self.assertFalse(session.viva_obstacle)
        handover = self.env["viva.handover"].search([("transaction_id", "=", transaction.id)])
        self.assertEqual((handover.reason, handover.user_id), ("Terminal broken", self.manager))

    def test_several_payments_are_checked_from_the_list(self):
        transaction = self.doubtful()
        self.simulator.control("DELETE", "faults")
        self.simulator.act("tap")
        action = transaction.with_user(self.manager).action_check()
        self.assertIn(transaction.name, action["params"]["message"])

    def test_text_for_viva_support(self):
        transaction = self.approved()
        text = transaction.support_text
        for part in (
            transaction.session_id,
            transaction.merchant_reference,
            transaction.viva_transaction_id,
            "UTC",
        ):
            self.assertIn(part, text)
        correlation = transaction.step_ids.filtered("correlation_id")[:1].correlation_id
        self.assertTrue(correlation)
        self.assertIn(correlation, text)
        self.assertNotIn(transaction.card_masked, text)
