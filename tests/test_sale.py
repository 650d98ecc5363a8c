"""A card payment of the till from the first press to the paid order, against the simulator."""

from datetime import datetime

from ..models.ledger import in_ledger
from .common import TERMINAL_2, VivaCase

LONG_AGO = datetime(2020, 1, 1)


class TestSale(VivaCase):
    def test_approved(self):
        request, status = self.charge()
        self.assertEqual(status["state"], "pending", status["message"])
        self.assertEqual(self.check(request["attempt"])["state"], "pending")
        self.simulator.act("tap")
        status = self.check_until(request["attempt"], "approved")
        self.assertEqual(status["state"], "approved", status)
        self.assertTrue(status["final"])
        self.assertTrue(status["charged"])
        self.assertEqual(status["approved_minor"], 1999)
        result = status["result"]
        for name in ("card_brand", "card_last4", "authorisation_code", "rrn", "tid", "slip"):
            self.assertTrue(result[name], name)
        charges = self.simulator.charges()
        self.assertEqual([charge["amount"] for charge in charges], [1999])
        transaction = self.transaction(request["attempt"])
        self.assertEqual(transaction.viva_transaction_id, charges[0]["transactionId"])
        self.terminal.invalidate_recordset()
        self.assertTrue(self.terminal.interlocked_since)
        self.assertFalse(transaction.holds_terminal)
        self.assertEqual(self.violations(), [])

    def test_same_attempt_never_sends_twice(self):
        request, _status = self.charge()
        again = self.ledger.pos_start(request)
        self.assertEqual(again["state"], "pending")
        self.assertEqual(len(self.simulator.control("GET", "sessions")), 1)

    def test_second_attempt_of_the_order_is_refused_on_any_terminal(self):
        order = self.make_order()
        request, _status = self.charge(order)
        _request, status = self.charge(order, terminal_id=self.terminal_2.id)
        self.assertEqual(status["state"], "refused")
        self.assertEqual(status["reason"], "order_open")
        self.assertEqual(status["blocking"]["attempt"], request["attempt"])

    def test_busy_terminal(self):
        first, _status = self.charge()
        _request, status = self.charge()
        self.assertEqual(status["reason"], "terminal_busy")
        self.assertEqual(status["blocking"]["attempt"], first["attempt"])
        _request, status = self.charge(terminal_id=self.terminal_2.id)
        self.assertEqual(status["state"], "pending")
        self.simulator.act("tap", TERMINAL_2)

    def test_paid_order_is_not_charged_again(self):
        order = self.make_order()
        request, _status = self.charge(order)
        self.simulator.act("tap")
        self.check_until(request["attempt"], "approved")
        _request, status = self.charge(order)
        self.assertEqual(status["reason"], "already_paid")
        self.assertEqual(len(self.simulator.charges()), 1)

    def test_declined_then_another_card(self):
        order = self.make_order(99.06)
        request, _status = self.charge(order, 9906)
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "declined")["state"], "declined")
        order.lines.price_unit = order.lines.price_subtotal_incl = order.amount_total = 20
        request, _status = self.charge(order, 2000)
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        self.assertEqual([charge["amount"] for charge in self.simulator.charges()], [2000])

    def test_cancelled_on_the_terminal(self):
        request, _status = self.charge()
        self.simulator.act("cancel")
        status = self.check_until(request["attempt"], "cancelled")
        self.assertEqual(status["state"], "cancelled")
        self.assertFalse(status["charged"])

    def test_cancelled_although_paid(self):
        """ "Cancelled by the user", but the customer tries again and pays: the list of the day tells, later."""
        request, _status = self.charge()
        self.simulator.act("retry_paid", delay_ms=300)
        self.assertEqual(self.check_until(request["attempt"], "cancelled")["state"], "cancelled")
        transaction = self.transaction(request["attempt"])
        self.assertTrue(transaction.recheck_at)
        self.wait_for(lambda: self.simulator.charges())
        in_ledger(
            self.env,
            lambda env: (
                env["viva.transaction"].browse(transaction.id).write({"recheck_at": LONG_AGO})
            ),
        )
        self.env["viva.transaction"]._settle_in_background(transaction.id)
        status = self.check(request["attempt"])
        self.assertEqual(status["state"], "approved")
        self.assertEqual(
            self.transaction(request["attempt"]).activity_ids.summary, "Charged after all"
        )
        self.assertEqual(
            self.simulator.charges()[0]["transactionId"], status["result"]["transaction_id"]
        )

    def test_abort_wins(self):
        request, _status = self.charge()
        self.simulator.control("POST", "settings", {"abort_ms": 100})
        self.ledger.pos_abort(request["attempt"])
        status = self.check_until(request["attempt"], "cancelled")
        self.assertEqual((status["state"], status["reason"]), ("cancelled", "aborted"))
        self.assertEqual(self.simulator.charges(), [])

    def test_lost_answer_to_the_sale(self):
        self.simulator.control("POST", "faults", {"drop_sale_response": 1})
        request, status = self.charge()
        self.assertEqual(status["state"], "unknown")
        self.assertEqual(self.check(request["attempt"])["state"], "pending")
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        self.assertEqual(len(self.simulator.charges()), 1)

    def test_answers_that_differ_are_never_approved(self):
        for number, wrong in enumerate(
            (
                {"amount": 2099},
                {"currency": "826"},
                {"reference": "other"},
                {"terminal": "16000011"},
            )
        ):
            with self.subTest(wrong=wrong):
                self.simulator.control("POST", "reset")
                request, _status = self.charge(amount_minor=1999 + number)
                self.simulator.act("tap", **wrong)
                status = self.check_until(request["attempt"], "unknown", "approved")
                self.assertEqual(status["state"], "unknown", status)
                self.assertIn(status["reason"], ("amount", "currency", "reference", "terminal"))
                self.assertFalse(status["final"])

    def test_abandoned_attempt_is_never_sent(self):
        """The till gave up on a request that then arrives after all."""
        request = self.request(self.make_order())
        self.assertEqual(self.ledger.pos_abandon(request)["state"], "cancelled")
        self.assertEqual(self.ledger.pos_start(request)["state"], "cancelled")
        self.assertEqual(self.simulator.control("GET", "sessions"), [])
        _request, status = self.charge()
        self.assertEqual(status["state"], "pending", "the terminal is free")

    def test_abandoning_what_arrived_changes_nothing(self):
        request, _status = self.charge()
        self.assertEqual(self.ledger.pos_abandon(request)["state"], "pending")
