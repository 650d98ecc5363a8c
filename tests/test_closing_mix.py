"""Closing with every kind of operation in it: what the books carry equals what Viva moved, to the cent."""

from .test_give_back import GiveBackCase


class TestClosingMix(GiveBackCase):
    def books(self):
        """Minor units that the closed sessions' payments have brought to the Viva method."""
        payments = self.env["account.payment"].search(
            [("pos_payment_method_id", "=", self.method.id)]
        )
        self.assertEqual(set(payments.mapped("move_id.state")) - {"posted"}, set())
        signed = sum(
            payment.amount * (1 if payment.payment_type == "inbound" else -1)
            for payment in payments
        )
        return round(signed * 100)

    def viva(self):
        """Minor units that Viva has moved, net."""
        return sum(
            -row["amount"]
            if row.get("parentId") and row["transactionTypeId"] != 0
            else row["amount"]
            for row in self.simulator.charges()
        )

    def close(self):
        self.env.invalidate_all()
        self.session.action_pos_session_closing_control()
        self.assertEqual(self.session.state, "closed")
        move = self.session.move_id
        self.assertAlmostEqual(sum(move.line_ids.mapped("balance")), 0)
        self.assertEqual(self.books(), self.viva())

    def reopen(self):
        self.config.with_user(self.cashier).open_ui()
        self.session = self.config.current_session_id
        self.session.set_opening_control(0, "")

    def test_every_mix(self):
        account = self.env["account.account"].create(
            {"name": "Tips", "code": "219997", "account_type": "liability_current"}
        )
        self.method.write(
            {
                "viva_tip_account_id": account.id,
                "viva_tip_policy": "account",
                "viva_installment_ids": [(0, 0, {"amount_from": 100, "installments": 12})],
            }
        )
        self.env.flush_all()
        kept, kept_sale = self.paid(1999)
        # Voided before validation, then paid with another card.
        order, sale = self.sell(2500)
        void, _status = self.void(sale)
        self.check_until(void["attempt"], "approved")
        again, _status = self.charge(order, 2500)
        self.simulator.act("tap")
        self.check_until(again["attempt"], "approved")
        self.validate(order, again)
        # Voided after validation: a whole refund order.
        order, sale = self.paid(3000)
        refund, request, _status = self.refund(order, sale, 3000)
        self.check_until(request["attempt"], "approved")
        self.validate(refund, request)
        # A tip of the customer, one of them given back with everything.
        for given_back in (False, True):
            order = self.make_order(10)
            sale, _status = self.charge(order, 1000)
            self.simulator.act("tip", minor=150)
            self.simulator.act("tap")
            self.check_until(sale["attempt"], "approved")
            self.validate(order, sale)
            if given_back:
                refund, request, _status = self.refund(order, sale, 1000)
                self.check_until(request["attempt"], "approved")
                self.validate(refund, request)
        # Installments.
        self.paid(60000, installments=6, values={"max_installments": 12})
        # A hold whose order is parked.
        parked = self.make_order(40)
        hold, _status = self.start("preauth", parked, 5000)
        self.simulator.act("tap")
        self.check_until(hold["attempt"], "approved")
        self.ledger.pos_park(parked.uuid)
        self.close()
        tips = self.env["account.move.line"].search([("account_id", "=", account.id)])
        self.assertAlmostEqual(sum(tips.mapped("balance")), -1.5)

        # The next session: part of the first sale goes back, the hold is captured.
        self.reopen()
        self.clear(kept_sale)
        refund = self.refund_order(kept)
        line = refund.lines[:1]
        line.write({"price_unit": 5, "price_subtotal": -5, "price_subtotal_incl": -5})
        refund.write({"amount_total": -5, "amount_tax": 0})
        _refund, request, status = self.refund(kept, kept_sale, 500, refund=refund)
        self.assertEqual(
            self.check_until(request["attempt"], "approved")["state"], "approved", status
        )
        self.validate(refund, request)
        record = self.transaction(hold["attempt"]).hold_id
        self.ledger.pos_recall(record.id, self.session.id)
        capture, _status = self.start("capture", parked, 4000, parent_attempt=hold["attempt"])
        self.check_until(capture["attempt"], "approved")
        self.validate(parked, capture)
        self.close()

    def test_forced_and_later_contradicted(self):
        order = self.make_order()
        request, _status = self.charge(order)
        self.simulator.control("POST", "faults", {"session_status": [503] * 20})
        self.amend(request["attempt"], state="unknown", reason="no_end")
        self.ledger.with_user(self.manager).pos_force(request["attempt"], "slip 123")
        self.validate(order, request)
        self.env.invalidate_all()
        self.assertFalse(self.session._viva_obstacle())
        self.simulator.control("DELETE", "faults")
        self.simulator.act("cancel")
        self.check(request["attempt"])
        self.env.invalidate_all()
        self.assertTrue(self.transaction(request["attempt"]).is_contradicted)
        self.assertIn("without an approved card payment", self.session._viva_obstacle())
        transactions, payments = self.session._viva_findings()
        self.env["viva.handover"].with_user(self.manager)._record(
            self.session.with_user(self.manager), transactions, payments, "the slip was another one"
        )
        self.session.action_pos_session_closing_control()
        self.assertEqual(self.session.state, "closed")
        self.assertEqual(
            (self.books(), self.viva()), (1999, 0), "named, handed over, for the accountant"
        )
