"""Attacks on money back, holds and parked orders that worked once; with POS rights only unless said otherwise."""

import uuid
from datetime import timedelta

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError

from ..drivers import Outcome
from ..models.ledger import in_ledger
from ..models.viva_transaction_record import Refused
from .test_give_back import GiveBackCase


class TestHostileMoney(GiveBackCase):
    def pay(self, order, payment_uuid, amount, **values):
        """What a till may write by itself, whatever is true."""
        order = order.with_user(self.cashier)
        order.add_payment(
            {
                "pos_order_id": order.id,
                "payment_method_id": self.method.id,
                "uuid": payment_uuid,
                "amount": amount,
                "payment_status": "done",
                **values,
            }
        )
        order.action_pos_order_paid()
        self.refresh()

    def refresh(self):
        self.env.flush_all()
        self.env.invalidate_all()

    def hold(self, order=None):
        request, _status = self.start("preauth", order, 5000, reference="Table 7")
        self.simulator.act("tap")
        self.check_until(request["attempt"], "approved")
        return request

    def force(self, request):
        self.amend(request["attempt"], sent_at=fields.Datetime.now() - timedelta(seconds=70))
        return self.ledger.with_user(self.manager).pos_force(request["attempt"], "slip says so")

    def deny(self, request):
        """Viva says no at last to what a person has accepted."""
        transaction = self.transaction(request["attempt"])
        outcome = Outcome(
            session_id=transaction.session_id,
            terminal_id=transaction.terminal_viva_id,
            merchant_reference=transaction.merchant_reference,
            success=False,
            event_id=1006,
            message="declined",
        )
        self.env["viva.transaction"]._settle(transaction.id, outcome, [])
        self.refresh()
        return self.transaction(request["attempt"])

    # -- proofs that prove nothing -----------------------------------------------------------------

    def test_a_hold_pays_for_nothing(self):
        order = self.make_order(50)
        self.pay(order, self.hold(order)["attempt"], 50)
        self.assertEqual(order.payment_ids.viva_state, "unproven")
        self.assertTrue(order.viva_has_unproven)
        self.assertIn(order, self.env["pos.order"].search([("viva_has_unproven", "=", True)]))
        self.assertTrue(self.session._viva_obstacle())

    def test_a_release_pays_for_nothing(self):
        order = self.make_order(50)
        release, _status = self.start("release", order, 5000, parent_attempt=self.hold()["attempt"])
        self.check_until(release["attempt"], "approved")
        self.pay(order, release["attempt"], 50)
        self.assertEqual(order.payment_ids.viva_state, "unproven")

    def test_change_is_not_given_on_a_card(self):
        order = self.make_order()
        self.pay(order, str(uuid.uuid4()), 19.99, is_change=True)
        self.assertTrue(order.viva_has_unproven)
        self.assertTrue(self.session._viva_obstacle())

    # -- parked orders -----------------------------------------------------------------------------

    def test_only_parking_parks(self):
        order, _sale = self.paid()
        order.with_user(self.cashier).write({"viva_parked": True})
        self.refresh()
        self.assertFalse(order.viva_parked)
        self.assertIn(order, self.session.get_session_orders())

    def test_parked_order_that_a_stale_tab_validates(self):
        order = self.make_order()
        self.hold(order)
        self.ledger.pos_park(order.uuid)
        order = order.with_user(self.cashier)
        order.add_payment(
            {"pos_order_id": order.id, "payment_method_id": self.cash.id, "amount": 19.99}
        )
        order.action_pos_order_paid()
        self.refresh()
        self.assertFalse(order.viva_parked)
        self.assertTrue(order.read_pos_orders([("id", "=", order.id)])["pos.order"])
        self.session.action_pos_session_closing_control()
        self.assertTrue(self.session.move_id, "the cash is in the books")

    def test_parked_order_whose_hold_was_released(self):
        order = self.make_order()
        hold = self.hold(order)
        self.ledger.pos_park(order.uuid)
        release, _status = self.start("release", None, 5000, parent_attempt=hold["attempt"])
        self.check_until(release["attempt"], "approved")
        panel = self.ledger.pos_panel({"scope": "holds", "pos_session_id": self.session.id})
        (card,) = panel["holds"]
        self.assertIn("recall", [action["name"] for action in card["actions"]])
        self.ledger.pos_recall(card["id"], self.session.id)
        self.refresh()
        self.assertFalse(order.viva_parked)

    # -- identities --------------------------------------------------------------------------------

    def test_orders_with_card_payments_keep_their_identity(self):
        order, _sale = self.paid()
        for record, value in ((order, str(uuid.uuid4())), (self.make_order(), order.uuid)):
            with self.assertRaises(UserError):
                record.with_user(self.cashier).write({"uuid": value})

    def test_paid_orders_stay_in_their_session(self):
        order, _sale = self.paid()
        with self.assertRaises(UserError):
            order.with_user(self.cashier).write({"session_id": self.session.id + 1})

    def test_refund_of_an_open_order(self):
        order, sale = self.sell()
        line = {
            "product_id": self.product.id,
            "qty": -1,
            "price_unit": 19.99,
            "price_subtotal": -19.99,
            "price_subtotal_incl": -19.99,
            "refunded_orderline_id": order.lines.id,
        }
        values = {"amount_total": -19.99, "amount_tax": 0, "amount_paid": 0, "amount_return": 0}
        refund = self.env["pos.order"].create(
            {
                "uuid": str(uuid.uuid4()),
                "session_id": self.session.id,
                "lines": [Command.create(line)],
                **values,
            }
        )
        self.refresh()
        _refund, _request, status = self.refund(order, sale, refund=refund)
        self.assertEqual((status["state"], status["reason"]), ("refused", "parent"))
        self.assert_back()

    # -- rights ------------------------------------------------------------------------------------

    def test_void_of_what_was_handed_over(self):
        _order, sale = self.sell()
        self.env["viva.handover.wizard"].with_user(self.manager).create(
            {"session_id": self.session.id, "reason": "the accountant books it"}
        ).action_hand_over()
        self.refresh()
        with self.assertRaises(AccessError):
            self.void(sale)
        request, _status = self.void(sale, by=self.refunder)
        self.check_until(request["attempt"], "approved")
        self.assertIn(
            "Voided after it was handed over",
            self.transaction(request["attempt"]).activity_ids.mapped("summary"),
        )

    # -- a person was wrong ------------------------------------------------------------------------

    def test_forced_void_that_viva_denies(self):
        order, sale = self.sell()
        self.simulator.act("unplug")
        request, _status = self.void(sale)
        self.force(request)
        void = self.deny(request)
        self.assertTrue(void.is_contradicted)
        self.assertIn(
            "Accepted as done, but Viva did not do it", void.activity_ids.mapped("summary")
        )
        self.assertEqual(self.transaction(sale["attempt"]).left_amount, 19.99)
        self.assertTrue(self.session._viva_obstacle())
        with self.assertRaises(UserError):
            order.with_user(self.cashier).unlink()
        self.simulator.act("plug")
        again, status = self.void(sale, terminal_id=self.terminal_2.id)
        self.assertEqual(status["state"], "pending", status["message"])
        self.check_until(again["attempt"], "approved")
        self.assert_back(1999)

    def test_forced_release_that_viva_denies(self):
        hold = self.hold()
        self.simulator.act("unplug")
        release, _status = self.start("release", None, 5000, parent_attempt=hold["attempt"])
        self.force(release)
        record = self.deny(release).hold_id
        self.assertEqual((record.state, record.preauth_id.left_amount), ("open", 50.0))

    def test_refund_that_was_accepted_and_is_reported(self):
        """Viva's event about a refund of ours that a person had accepted is no second reversal."""
        order, sale = self.paid()
        self.simulator.control(
            "POST",
            "faults",
            {"drop_sale_response": 1, "session_status": [503] * 30, "list_status": [503] * 30},
        )
        refund, request, _status = self.refund(order, sale)
        self.force(request)
        self.validate(refund, request)
        (row,) = self.wait_for(self.given_back)
        parent = self.transaction(sale["attempt"])
        message = {
            "EventTypeId": 1797,
            "MessageId": str(uuid.uuid4()),
            "RecipientId": self.account.merchant_id,
            "EventData": {
                "TransactionId": row["transactionId"],
                "ParentId": parent.viva_transaction_id,
                "Amount": -19.99,
                "StatusId": "F",
                "TransactionTypeId": 7,
            },
        }
        self.env["viva.event"].sudo()._receive(self.account.sudo(), message)
        self.refresh()
        self.run_job()
        self.simulator.control("DELETE", "faults")
        self.run_job()
        self.refresh()
        (child,) = self.transaction(sale["attempt"]).child_ids
        self.assertEqual((child.state, child.is_forced), ("approved", False))
        self.assertFalse(self.session._viva_obstacle())

    # -- lists and words ---------------------------------------------------------------------------

    def test_list_that_does_not_know_the_payment(self):
        order, sale = self.paid()
        self.clear(sale)
        self.amend(sale["attempt"], order_code="1111222233334444")
        refund = self.refund_order(order)
        self.simulator.control("POST", "faults", {"drop_reverse_response": 1})
        values = {"refund": refund, "by": self.manager, "via": "api"}
        _refund, request, _status = self.refund(order, sale, 500, **values)
        self.amend(request["attempt"], sent_at=fields.Datetime.now() - timedelta(seconds=700))
        self.assertEqual(self.check(request["attempt"])["state"], "unknown")
        _refund, _request, status = self.refund(order, sale, 500, **values)
        self.assertEqual(status["reason"], "order_open")
        self.assert_back(500)

    def test_hasty_no_of_a_manager(self):
        order, sale = self.paid()
        self.clear(sale)
        refund = self.refund_order(order)
        self.simulator.control(
            "POST", "faults", {"drop_reverse_response": 1, "transactions_lag_s": 60}
        )
        values = {"refund": refund, "by": self.manager, "via": "api"}
        _refund, request, _status = self.refund(order, sale, 500, **values)
        wizard = self.env["viva.decide.wizard"].with_user(self.manager)
        wizard = wizard.create(
            {
                "transaction_id": self.transaction(request["attempt"]).id,
                "decision": "failed",
                "reason": "nothing on the slip",
            }
        )
        with self.assertRaisesRegex(UserError, "may still be working"):
            wizard.action_decide()
        self.assert_back(500)

    def test_method_that_was_used_stays_what_it_is(self):
        self.paid()
        self.session.action_pos_session_closing_control()
        with self.assertRaises(UserError):
            self.method.write({"use_payment_terminal": False, "payment_method_type": "none"})

    def test_signs_of_what_is_attached(self):
        order, sale = self.paid(1785)
        refund = self.refund_order(order)
        refund.write({"amount_total": -5.0})
        refund.lines.write({"price_unit": 5.0, "price_subtotal": -5.0, "price_subtotal_incl": -5.0})
        self.refresh()
        _refund, request, _status = self.refund(order, sale, 1785, refund=refund)
        self.check_until(request["attempt"], "approved")
        rest, _status = self.start("sale", refund, 1285)
        self.simulator.act("tap")
        self.check_until(rest["attempt"], "approved")
        self.refresh()
        refund.with_user(self.manager).action_viva_attach()
        self.refresh()
        self.assertEqual(sorted(refund.payment_ids.mapped("amount")), [-17.85, 12.85])
        self.assertEqual(set(refund.payment_ids.mapped("viva_state")), {"proven"})

    def test_no_markup_in_tasks(self):
        order = self.make_order()
        order.write({"pos_reference": '<a href="https://evil.example">Click</a>'})
        self.refresh()
        request, _status = self.charge(order)
        order.add_payment(
            {"pos_order_id": order.id, "amount": 19.99, "payment_method_id": self.cash.id}
        )
        order.action_pos_order_paid()
        self.refresh()
        self.simulator.act("tap")
        self.check_until(request["attempt"], "approved")
        notes = self.transaction(request["attempt"]).activity_ids.mapped("note")
        self.assertTrue(notes)
        self.assertFalse([note for note in notes if "<a" in note])

    def test_dialog_shows_no_payment_of_another_company(self):
        _order, sale = self.paid()
        other = self.env["res.company"].create({"name": "Other"})
        stranger = self.refunder.copy(
            {
                "login": "viva_stranger_3",
                "company_id": other.id,
                "company_ids": [Command.set(other.ids)],
            }
        )
        wizard = self.env["viva.operation.wizard"].with_user(stranger)
        wizard = wizard.with_context(allowed_company_ids=other.ids)
        with self.assertRaises(AccessError):
            wizard.create({"parent_id": self.transaction(sale["attempt"]).id})

    def test_forced_refund_that_viva_denies_may_be_tried_again(self):
        order, sale = self.paid()
        self.simulator.act("unplug")
        refund, request, _status = self.refund(order, sale)
        self.force(request)
        self.deny(request)
        self.assertFalse(self.check(request["attempt"])["charged"])
        _refund, again, status = self.refund(
            order, sale, refund=refund, terminal_id=self.terminal_2.id
        )
        self.assertEqual(status["state"], "pending", status["message"])
        self.check_until(again["attempt"], "approved")
        self.assert_back(1999)

    def test_parked_order_is_not_charged(self):
        order = self.make_order()
        self.hold(order)
        self.ledger.pos_park(order.uuid)
        self.refresh()
        _request, status = self.charge(order)
        self.assertEqual((status["state"], status["reason"]), ("refused", "order"))

    def test_order_with_money_goes_into_no_closed_session(self):
        order, _sale = self.sell()
        closed = self.session.copy({"state": "closed", "config_id": self.config.id})
        with self.assertRaises(UserError):
            order.with_user(self.cashier).write({"session_id": closed.id})

    def test_worker_that_was_asleep_while_it_recorded(self):
        """What was approved between its first look and its record is seen before anything is sent."""
        order, _sale = self.sell()
        transactions = self.env["viva.transaction"]
        values, limits = self.ledger._derive(self.ledger._read_request(self.request(order)))
        with self.assertRaises(Refused) as refused, self.env.cr.savepoint():
            recorded = in_ledger(self.env, lambda env: self._asleep(env, values))
            self.ledger._look_again(recorded, limits, values)
        self.assertEqual(refused.exception.reason, "already_paid")
        self.assertEqual(len(self.simulator.charges()), 1)
        self.assertFalse(transactions.search([("state", "=", "sent")]))

    def _asleep(self, env, values):
        """The row that such a worker writes, unaware of the approved one."""
        name, reference = env["viva.transaction"]._new_reference()
        row = {
            **values,
            "name": name,
            "merchant_reference": reference,
            "session_id": str(uuid.uuid4()),
            "state": "sent",
        }
        return env["viva.transaction"].create(row).id

    def test_hold_that_has_lapsed(self):
        request = self.hold()
        hold = self.transaction(request["attempt"]).hold_id
        with self.assertRaises(AccessError):
            hold.with_user(self.cashier).action_lapsed()
        with self.assertRaises(UserError):
            hold.with_user(self.manager).action_lapsed()
        self.simulator.control("POST", "settings", {"refunds": False})
        release, _status = self.start("release", None, 5000, parent_attempt=request["attempt"])
        self.assertEqual(self.check_until(release["attempt"], "failed")["state"], "failed")
        hold.invalidate_recordset()
        hold.with_user(self.manager).action_lapsed()
        self.assertEqual(hold.state, "lapsed")
        _request, status = self.start(
            "capture", self.make_order(50), 5000, parent_attempt=request["attempt"]
        )
        self.assertEqual(status["reason"], "parent")

    def test_reversal_names_its_parent(self):
        """With the reference of another payment on it, a reversal still belongs to its parent."""
        _order, first = self.paid()
        _order, second = self.paid()
        parent, other = self.transaction(second["attempt"]), self.transaction(first["attempt"])
        message = {
            "EventTypeId": 1797,
            "MessageId": str(uuid.uuid4()),
            "RecipientId": self.account.merchant_id,
            "EventData": {
                "TransactionId": str(uuid.uuid4()),
                "ParentId": parent.viva_transaction_id,
                "MerchantTrns": other.merchant_reference,
                "Amount": -19.99,
                "StatusId": "F",
            },
        }
        self.env["viva.event"].sudo()._receive(self.account.sudo(), message)
        self.refresh()
        self.env["viva.event"]._process()
        self.refresh()
        self.assertTrue(parent.child_ids)
        self.assertFalse(other.child_ids)
