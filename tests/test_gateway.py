"""Payments through a gateway: what it is offered, and what its reports do."""

from .gateway_common import LAN_TERMINAL, GatewayCase


class TestGatewaySale(GatewayCase):
    def test_sale(self):
        transaction, command = self.offered()
        self.assertEqual(command["kind"], "start")
        self.assertEqual(command["session_id"], transaction.session_id)
        self.assertEqual(command["viva_id"], LAN_TERMINAL)
        self.assertEqual(command["request"]["amount"], 1999)
        self.assertTrue(transaction.offered_at)
        session = transaction.session_id
        self.machine.tell(session, "received")
        self.assertEqual(transaction.state, "sent")
        self.machine.tell(session, "started")
        self.machine.tell(session, "accepted")
        self.assertEqual(transaction.state, "pending")
        self.machine.tell(session, "outcome", self.outcome(transaction))
        self.assertEqual(transaction.state, "approved")
        self.assertEqual(transaction.approved_amount, 19.99)
        self.assertEqual(transaction.word, "gateway")
