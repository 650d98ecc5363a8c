"""Card money that no paid order accounts for: it keeps the session open and its order in place."""

import uuid

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, new_test_user

from .common import VivaCase


class ClosingCase(VivaCase):
    def setUp(self):
        super().setUp()
        self.till = self.session.with_user(self.cashier)

    def approved(self, amount_minor=1999, **values):
        """An approved card payment that no order has yet: (request, its draft order)."""
        order = self.make_order(amount_minor / 100)
        request, _status = self.charge(order, amount_minor, **values)
        self.simulator.act("tap", self.viva_id(request))
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        return request, order

    def viva_id(self, request):
        return self.env["viva.terminal"].browse(request["terminal_id"]).viva_id

    def lost(self, order=None, **values):
        """A card payment of which nobody knows how it ended."""
        order = order or self.make_order()
        request, _status = self.charge(order, **values)
        self.amend(request["attempt"], state="unknown", reason="no_answer")
        self.simulator.control("POST", "faults", {"session_status": [503] * 20})
        return request, order

    def sync(self, order_uuid, payments, total=19.99, state="paid", **values):
        """Send an order as the till does.

        :param payments: [(payment method, amount, uuid or None)]; card lines are called done
        """
        known = self.env["pos.order"].search([("uuid", "=", order_uuid)])
        line = {
            "product_id": self.product.id,
            "qty": 1,
            "price_unit": total,
            "price_subtotal": total,
            "price_subtotal_incl": total,
            "uuid": str(uuid.uuid4()),
        }
        rows = [
            {
                "uuid": payment_uuid or str(uuid.uuid4()),
                "payment_method_id": method.id,
                "amount": amount,
                "name": fields.Datetime.to_string(fields.Datetime.now()),
                "payment_status": "done" if method == self.method else False,
            }
            for method, amount, payment_uuid in payments
        ]
        data = {
            "uuid": order_uuid,
            "access_token": str(uuid.uuid4()),
            "state": state,
            "session_id": self.session.id,
            "company_id": self.company.id,
            "pricelist_id": False,
            "date_order": fields.Datetime.to_string(fields.Datetime.now()),
            "amount_total": total,
            "amount_tax": 0,
            "amount_paid": sum(row["amount"] for row in rows),
            "amount_return": 0,
            "lines": [] if known else [[0, 0, line]],
            "payment_ids": [[0, 0, row] for row in rows],
            "to_invoice": False,
            **values,
        }
        self.env["pos.order"].with_user(self.cashier).sync_from_ui([data])
        self.env.invalidate_all()
        return self.env["pos.order"].search([("uuid", "=", order_uuid)])

    def sold(self, amount_minor=1999, **values):
        """A sale that went as it should: (request, paid order)."""
        request, order = self.approved(amount_minor, **values)
        amount = amount_minor / 100
        self.sync(order.uuid, [(self.method, amount, request["payment_uuid"])], amount)
        self.assertEqual(order.state, "paid")
        self.assertEqual(order.payment_ids.viva_state, "proven")
        return request, order

    def forged(self, payment_uuid=None, amount=19.99):
        """An order that a tab calls paid by card, without any card payment."""
        return self.sync(str(uuid.uuid4()), [(self.method, amount, payment_uuid)], amount)

    def close(self, session=None):
        """Close as the till does; what Odoo answers."""
        session = session or self.till
        answer = session.post_closing_cash_details(session.cash_register_balance_end)
        self.env.invalidate_all()  # two requests
        if answer["successful"]:
            answer = session.close_session_from_ui()
        self.env.invalidate_all()
        return answer

    def assertBlocked(self, *names):
        """Closing is refused on every way, and the refusal names the payments."""
        answer = self.close()
        self.assertFalse(answer["successful"])
        for name in names:
            self.assertIn(name, answer["message"])
        office = self.session.with_user(self.manager)
        for close in (
            self.till.action_pos_session_closing_control,
            office.action_pos_session_closing_control,
            office.action_pos_session_validate,
            office._validate_session,
        ):
            with self.assertRaises(UserError) as caught, self.env.cr.savepoint():
                close()
            for name in names:
                self.assertIn(name, str(caught.exception))
        self.env.invalidate_all()
        self.assertEqual(self.session.state, "opened")
        return answer["message"]

    def hand_over(self, reason="The customer left, see the slip", user=None):
        wizard = self.env["viva.handover.wizard"].with_user(user or self.manager)
        wizard.create({"session_id": self.session.id, "reason": reason}).action_hand_over()
        self.env.invalidate_all()


class TestClosing(ClosingCase):
    # -- what keeps a session open -----------------------------------------------------------------

    def test_nothing_in_doubt(self):
        self.sold()
        self.sync(str(uuid.uuid4()), [(self.cash, 5.0, None)], 5.0)
        self.assertEqual(self.close(), {"successful": True})
        self.assertEqual(self.session.state, "closed")

    def test_session_without_card_payments(self):
        self.assertEqual(self.close(), {"successful": True})

    def test_refused_and_declined_payments_do_not_count(self):
        order = self.make_order(99.06)
        request, _status = self.charge(order, 9906)
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "declined")["state"], "declined")
        order.with_user(self.cashier).action_pos_order_cancel()
        self.assertEqual(self.close(), {"successful": True})

    def test_open(self):
        request, status = self.charge()
        self.assertEqual(status["state"], "pending")
        message = self.assertBlocked(self.transaction(request["attempt"]).name)
        self.assertIn("not known whether the customer was charged", message)

    def test_unknown(self):
        request, order = self.lost()
        message = self.assertBlocked(self.transaction(request["attempt"]).name, order.pos_reference)
        self.assertIn("not known whether the customer was charged", message)

    def test_approved_but_not_attached(self):
        request, order = self.approved()
        message = self.assertBlocked(self.transaction(request["attempt"]).name, order.pos_reference)
        self.assertIn("no paid order has this payment", message)

    def test_approved_and_the_order_is_paid_in_cash(self):
        """Paid in cash while the card was in doubt, and then the card was charged after all."""
        request, order = self.lost()
        self.sync(order.uuid, [(self.cash, 19.99, None)])
        self.assertEqual(order.state, "paid")
        self.assertBlocked(self.transaction(request["attempt"]).name)
        self.simulator.control("DELETE", "faults")
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        message = self.assertBlocked(self.transaction(request["attempt"]).name)
        self.assertIn("no paid order has this payment", message)

    def test_payment_line_of_a_draft_order_is_not_enough(self):
        request, order = self.approved()
        self.sync(order.uuid, [(self.method, 19.99, request["payment_uuid"])], state="draft")
        self.assertEqual(order.state, "draft")
        self.assertBlocked(self.transaction(request["attempt"]).name)

    def test_charged_twice_on_one_line(self):
        """The first attempt was declined, the second paid the line – and then the first was paid as well."""
        order = self.make_order()
        first, _status = self.charge(order)
        self.simulator.act("cancel")
        self.assertEqual(self.check_until(first["attempt"], "cancelled")["state"], "cancelled")
        second, _status = self.charge(order, payment_uuid=first["payment_uuid"])
        self.simulator.act("tap")
        self.assertEqual(self.check_until(second["attempt"], "approved")["state"], "approved")
        self.sync(order.uuid, [(self.method, 19.99, first["payment_uuid"])])
        self.assertEqual(order.payment_ids.viva_state, "proven")
        self.amend(
            first["attempt"], state="approved", approved_amount=19.99, viva_transaction_id="late"
        )
        self.assertBlocked("no paid order has this payment")

    def test_reversed_by_viva(self):
        request, order = self.sold()
        sale = self.transaction(request["attempt"])
        self.account.action_check()
        self.env["viva.event"]._receive(
            self.account,
            {
                "MessageId": "1",
                "EventTypeId": 1797,
                "RecipientId": self.account.merchant_id,
                "EventData": {
                    "ParentId": sale.viva_transaction_id,
                    "TransactionId": str(uuid.uuid4()),
                    "Amount": -19.99,
                },
            },
        )
        self.env["viva.event"]._process()
        self.env.invalidate_all()
        self.assertEqual(order.payment_ids.viva_state, "reversed")
        self.assertTrue(order.viva_has_unproven)
        self.assertBlocked(order.pos_reference)
        # It was never paid in the end: the books may be corrected.
        self.env["viva.decide.wizard"].with_user(self.manager).create(
            {
                "transaction_id": sale.child_ids.id,
                "decision": "approved",
                "reason": "seen in the portal",
            }
        ).action_decide()
        self.env.invalidate_all()
        order.payment_ids.with_user(self.cashier).payment_method_id = self.cash
        self.assertEqual(self.close(), {"successful": True})

    # -- a tab says "paid", the ledger does not ----------------------------------------------------

    def test_forged_payment(self):
        order = self.forged()
        self.assertEqual(order.state, "paid", "what the customer has taken along is sold")
        self.assertEqual(order.payment_ids.viva_state, "unproven")
        self.assertTrue(order.viva_has_unproven)
        orders = self.env["pos.order"].with_user(self.cashier)
        self.assertIn(order, orders.search([("viva_has_unproven", "=", True)]))
        self.assertNotIn(order, orders.search([("viva_has_unproven", "=", False)]))
        self.assertBlocked(order.pos_reference)
        # Nothing was charged, so it may be corrected.
        order.payment_ids.with_user(self.cashier).payment_method_id = self.cash
        self.env.invalidate_all()
        self.assertFalse(order.viva_has_unproven)
        self.assertEqual(self.close(), {"successful": True})

    def test_forged_fields_prove_nothing(self):
        _request, proven = self.sold()
        order = self.forged()
        fake = order.payment_ids.with_user(self.cashier)
        fake.write(
            {
                "transaction_id": proven.payment_ids.transaction_id,
                "viva_attempt": self.env["viva.transaction"].search([], limit=1).attempt,
                "payment_status": "done",
                "viva_state": "proven",
            }
        )
        self.env.invalidate_all()
        self.assertEqual(fake.viva_state, "unproven")
        self.assertTrue(order.viva_has_unproven)

    def test_uuid_of_another_orders_payment_proves_nothing(self):
        request, charged = self.approved()
        order = self.forged(request["payment_uuid"])
        self.assertEqual(order.payment_ids.viva_state, "unproven")
        self.assertTrue(order.viva_has_unproven)
        # Neither is forgotten: the money of the one, the missing money of the other.
        transaction = self.transaction(request["attempt"])
        self.assertFalse(transaction.is_attached)
        self.assertEqual(transaction.pos_order_id, charged)
        self.assertBlocked(transaction.name, order.pos_reference)

    def test_line_that_failed(self):
        order = self.make_order(99.06)
        request, _status = self.charge(order, 9906)
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "declined")["state"], "declined")
        self.sync(order.uuid, [(self.method, 99.06, request["payment_uuid"])], 99.06)
        self.assertEqual(order.payment_ids.viva_state, "unproven")
        self.assertBlocked(order.pos_reference)

    def test_line_in_doubt(self):
        request, order = self.lost()
        self.sync(order.uuid, [(self.method, 19.99, request["payment_uuid"])])
        self.assertEqual(order.payment_ids.viva_state, "unknown")
        self.assertTrue(order.viva_has_unproven)
        self.assertIn(order, self.env["pos.order"].search([("viva_has_unproven", "=", True)]))
        self.assertBlocked(self.transaction(request["attempt"]).name)
        self.simulator.control("DELETE", "faults")
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        self.env.invalidate_all()
        self.assertEqual(order.payment_ids.viva_state, "proven")
        self.assertFalse(order.viva_has_unproven)
        self.assertEqual(self.close(), {"successful": True})

    def test_other_amount(self):
        order = self.make_order(30)
        request, _status = self.charge(order, 1000)
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        self.sync(order.uuid, [(self.method, 30.0, request["payment_uuid"])], 30)
        self.assertEqual(order.payment_ids.viva_state, "unproven")
        self.assertBlocked(order.pos_reference)

    def test_tip_is_not_part_of_the_order(self):
        request, order = self.approved()
        self.amend(request["attempt"], approved_amount=21.99, tip_amount=2)
        self.sync(order.uuid, [(self.method, 19.99, request["payment_uuid"])])
        self.assertEqual(order.payment_ids.viva_state, "proven")

    def test_search_for_unproven_orders(self):
        _request, proven = self.sold()
        forged = self.forged()
        cash = self.sync(str(uuid.uuid4()), [(self.cash, 5.0, None)], 5.0)
        draft = self.make_order()
        of_session = [("session_id", "=", self.session.id)]
        orders = self.env["pos.order"].with_user(self.cashier)
        unproven = orders.search([*of_session, ("viva_has_unproven", "=", True)])
        self.assertEqual(unproven, forged)
        rest = orders.search([*of_session, ("viva_has_unproven", "!=", True)])
        self.assertEqual(rest, proven | cash | draft)
        for order in unproven | rest:
            self.assertEqual(order.viva_has_unproven, order == forged)

    # -- handing over ------------------------------------------------------------------------------

    def test_manager_hands_over(self):
        doubtful, order = self.lost()
        order.with_user(self.cashier).write({"lines": [(1, order.lines.id, {"qty": 1})]})
        forged = self.forged()
        transaction = self.transaction(doubtful["attempt"])
        self.assertBlocked(transaction.name, forged.pos_reference)
        self.hand_over()
        handovers = self.env["viva.handover"].search([("pos_session_id", "=", self.session.id)])
        self.assertEqual(handovers.transaction_id, transaction)
        self.assertEqual(set(handovers.mapped("payment_uuid")), {False, forged.payment_ids.uuid})
        self.assertEqual(handovers.user_id, self.manager)
        self.assertIn("Handed over", transaction.activity_ids.mapped("summary")[0])
        # The order may go now, whose money the accountant looks after; then the session closes.
        order.with_user(self.cashier).action_pos_order_cancel()
        self.assertEqual(self.close(), {"successful": True})
        self.assertEqual(self.session.state, "closed")
        # It goes on being settled.
        self.simulator.control("DELETE", "faults")
        self.simulator.act("tap")
        self.assertEqual(self.check_until(doubtful["attempt"], "approved")["state"], "approved")

    def test_handed_over_once_is_enough(self):
        """A paid order whose card line is in doubt: one entry, one handover."""
        request, order = self.lost()
        self.sync(order.uuid, [(self.method, 19.99, request["payment_uuid"])])
        self.assertBlocked(order.pos_reference)
        self.hand_over()
        self.assertEqual(len(self.env["viva.handover"].search([])), 1)
        self.assertEqual(self.close(), {"successful": True})

    def test_handed_over_order_may_be_deleted(self):
        _request, order = self.approved()
        self.hand_over()
        self.env["pos.order"].with_user(self.cashier).remove_from_ui(order.ids)
        self.assertFalse(order.exists())

    def test_what_comes_after_the_handover_counts_again(self):
        self.approved()
        self.hand_over()
        request, _order = self.approved(500)
        self.assertBlocked(self.transaction(request["attempt"]).name)

    def test_handover_needs_a_manager_and_a_reason(self):
        self.lost()
        wizards = self.env["viva.handover.wizard"]
        for user in (self.cashier, self.pos_manager()):
            with self.assertRaises(AccessError), self.env.cr.savepoint():
                wizards.with_user(user).create({"session_id": self.session.id, "reason": "because"})
            with self.assertRaises(AccessError):
                transactions, payments = self.session._viva_findings()
                self.env["viva.handover"].with_user(user)._record(
                    self.session, transactions, payments, "because"
                )
        for reason in ("", "  ", "ab", "  a  "):
            with self.assertRaises(UserError), self.env.cr.savepoint():
                self.hand_over(reason)
        self.assertFalse(
            self.env["viva.handover"].search([("pos_session_id", "=", self.session.id)])
        )
        self.assertFalse(self.env["viva.handover"].with_user(self.cashier).has_access("create"))

    def test_handover_is_not_changed(self):
        self.lost()
        self.hand_over()
        handover = self.env["viva.handover"].search([], limit=1)
        with self.assertRaises(UserError):
            handover.reason = "another"
        with self.assertRaises(UserError):
            handover.unlink()

    def test_dialog_names_what_is_handed_over(self):
        request, _order = self.lost()
        forged = self.forged()
        action = self.session.with_user(self.manager).action_viva_handover()
        wizards = self.env["viva.handover.wizard"].with_user(self.manager)
        with Form(wizards.with_context(**action["context"])) as form:
            self.assertIn(self.transaction(request["attempt"]).name, form.findings)
            self.assertIn(forged.pos_reference, form.findings)
            form.reason = "see the slips"
        form.record.action_hand_over()
        self.env.invalidate_all()
        self.assertFalse(self.session._viva_obstacle())

    def pos_manager(self):
        """The manager of the shop, who has no right to decide about card money."""
        return self.some_user("point_of_sale.group_pos_manager")

    # -- an order with card money stays ------------------------------------------------------------

    def assertStays(self, order):
        orders = self.env["pos.order"].with_user(self.cashier)
        order = orders.browse(order.id)
        for remove in (
            order.action_pos_order_cancel,
            lambda: order.write({"state": "cancel"}),
            lambda: orders.remove_from_ui(order.ids),
            order.unlink,
            order.sudo().unlink,
        ):
            with (
                self.assertRaisesRegex(UserError, "carries card payments"),
                self.env.cr.savepoint(),
            ):
                remove()
            self.env.invalidate_all()
        self.assertEqual(order.state, "draft")

    def test_order_with_open_payment_stays(self):
        _request, status = self.charge(order := self.make_order())
        self.assertEqual(status["state"], "pending")
        self.assertStays(order)

    def test_order_with_unknown_payment_stays(self):
        _request, order = self.lost()
        self.assertStays(order)

    def test_order_with_approved_payment_stays(self):
        _request, order = self.approved()
        self.assertStays(order)

    def test_order_without_card_money_goes(self):
        request, _status = self.charge(order := self.make_order())
        self.simulator.act("cancel")
        self.assertEqual(self.check_until(request["attempt"], "cancelled")["state"], "cancelled")
        other = self.make_order()
        self.env["pos.order"].with_user(self.cashier).remove_from_ui((order | other).ids)
        self.assertFalse((order | other).exists())
        self.assertTrue(self.transaction(request["attempt"]).exists(), "the ledger keeps it")

    # -- a proven payment stays what it is ---------------------------------------------------------

    def test_proven_payment_is_not_changed(self):
        _request, order = self.sold()
        other = self.forged()
        for user in (self.cashier, self.manager, self.env.user):
            payment = order.payment_ids.with_user(user)
            for change in (
                lambda payment=payment: payment.write({"payment_method_id": self.cash.id}),
                lambda payment=payment: payment.write({"amount": 1}),
                lambda payment=payment: payment.write({"uuid": str(uuid.uuid4())}),
                lambda payment=payment: payment.write({"pos_order_id": other.id}),
                payment.unlink,
                payment.sudo().unlink,
                lambda payment=payment: payment.pos_order_id.write(
                    {"payment_ids": [(1, payment.id, {"payment_method_id": self.cash.id})]}
                ),
                lambda payment=payment: payment.pos_order_id.write(
                    {"payment_ids": [(2, payment.id)]}
                ),
            ):
                with self.assertRaisesRegex(UserError, "made by card"), self.env.cr.savepoint():
                    change()
                self.env.invalidate_all()
        # What changes nothing is fine, and so is a note.
        order.payment_ids.write({"amount": 19.99, "payment_method_id": self.method.id, "name": "x"})
        self.assertEqual(order.payment_ids.viva_state, "proven")

    # -- a dead tablet's order ---------------------------------------------------------------------

    def assertFinished(self, order, *amounts):
        self.env.invalidate_all()
        self.assertEqual(order.state, "paid")
        self.assertEqual(sorted(order.payment_ids.mapped("amount")), sorted(amounts))
        self.assertFalse(order.viva_has_unproven)
        card = order.payment_ids.filtered(lambda payment: payment.payment_method_id == self.method)
        self.assertEqual(card.mapped("viva_state"), ["proven"])
        for name in ("transaction_id", "card_brand", "card_no", "payment_ref_no", "ticket"):
            self.assertTrue(card[name], name)
        self.assertEqual(card.payment_status, "done")
        self.assertEqual(self.close(), {"successful": True})

    def test_attach_without_payment_row(self):
        _request, order = self.approved()
        self.assertTrue(order.viva_can_attach)
        order.with_user(self.manager).action_viva_attach()
        self.assertFinished(order, 19.99)

    def test_attach_to_the_payment_row(self):
        request, order = self.approved()
        self.sync(order.uuid, [(self.method, 19.99, request["payment_uuid"])], state="draft")
        order.payment_ids.payment_status = "waitingCard"
        order.with_user(self.manager).action_viva_attach()
        self.assertFinished(order, 19.99)
        self.assertEqual(order.payment_ids.uuid, request["payment_uuid"])

    def test_attach_beside_cash(self):
        order = self.make_order(30)
        request, _status = self.charge(order, 1999)
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        self.sync(order.uuid, [(self.cash, 10.01, None)], 30, state="draft")
        order.with_user(self.manager).action_viva_attach()
        self.assertFinished(order, 10.01, 19.99)

    def test_attach_drops_what_was_only_begun(self):
        request, order = self.approved()
        rows = [(self.method, 19.99, request["payment_uuid"]), (self.method, 5.0, None)]
        self.sync(order.uuid, rows, state="draft")
        order.payment_ids.payment_status = "retry"
        order.with_user(self.manager).action_viva_attach()
        self.assertFinished(order, 19.99)

    def test_attach_part_leaves_the_order_open(self):
        order = self.make_order(30)
        request, _status = self.charge(order, 1999)
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        order.with_user(self.manager).action_viva_attach()
        self.env.invalidate_all()
        self.assertEqual((order.state, order.amount_paid), ("draft", 19.99))
        # The rest is paid in cash at another till; attaching once more changes nothing.
        order.with_user(self.manager).action_viva_attach()
        self.assertEqual(len(order.payment_ids), 1)
        self.assertStays(order)
        self.sync(order.uuid, [(self.cash, 10.01, None)], 30)
        self.assertFinished(order, 10.01, 19.99)

    def test_attach_refuses(self):
        _request, order = self.lost()
        self.assertFalse(order.viva_can_attach)
        with self.assertRaises(AccessError):
            order.with_user(self.cashier).action_viva_attach()
        with self.assertRaisesRegex(UserError, "no approved card payment"):
            order.with_user(self.manager).action_viva_attach()
        self.simulator.control("DELETE", "faults")
        _request, order = self.sold(terminal_id=self.terminal_2.id)
        self.assertFalse(order.viva_can_attach)
        with self.assertRaisesRegex(UserError, "not open any more"):
            order.with_user(self.manager).action_viva_attach()

    # -- the books ---------------------------------------------------------------------------------

    def test_accounting(self):
        self.sold()
        self.sold(500)
        self.sync(str(uuid.uuid4()), [(self.cash, 5.01, None)], 5.01)
        self.assertEqual(self.close(), {"successful": True})
        move = self.session.move_id
        self.assertEqual(move.state, "posted")
        self.assertAlmostEqual(sum(move.line_ids.mapped("balance")), 0)
        income = move.line_ids.filtered(lambda line: line.account_id.account_type == "income")
        self.assertAlmostEqual(sum(income.mapped("balance")), -30.00)
        payment = self.env["account.payment"].search([("pos_session_id", "=", self.session.id)])
        self.assertEqual(len(payment), 1, "one per method and session")
        self.assertEqual(payment.pos_payment_method_id, self.method)
        self.assertAlmostEqual(payment.amount, 24.99)
        self.assertEqual(payment.journal_id, self.method.journal_id)
        self.assertEqual(payment.currency_id.name, "EUR")
        self.assertAlmostEqual(sum(payment.move_id.line_ids.mapped("balance")), 0)
        receivable = payment.move_id.line_ids.filtered(
            lambda line: line.account_id.account_type == "asset_receivable"
        )
        self.assertTrue(all(receivable.mapped("reconciled")))
        cash = self.session.statement_line_ids
        self.assertAlmostEqual(sum(cash.mapped("amount")), 5.01)
        self.assertEqual(len(self.simulator.charges()), 2)

    # -- who else looks at it ----------------------------------------------------------------------

    def test_people_without_rights_in_the_shop(self):
        """Stock workers read orders, accountants read card payments: neither trips over the other half."""
        request, order = self.sold()
        names = ["viva_transaction_ids", "viva_transaction_count", "viva_has_unproven"]
        worker = self.some_user("stock.group_stock_user")
        values = order.with_user(worker).read([*names, "viva_can_attach"])[0]
        self.assertEqual(values["viva_transaction_count"], 1)
        self.assertTrue(
            self.env["pos.order"].with_user(worker).search([("viva_has_unproven", "!=", True)])
        )
        for group in ("account.group_account_readonly", "account.group_account_invoice"):
            self.env.invalidate_all()
            transaction = self.transaction(request["attempt"]).with_user(self.some_user(group))
            values = transaction.read(["pos_order_id", "is_attached", "message", "support_text"])[0]
            self.assertTrue(values["is_attached"])
            self.assertEqual(values["pos_order_id"][0], order.id)

    def some_user(self, group):
        return new_test_user(
            self.env, group, groups=f"base.group_user,{group}", company_id=self.company.id,
            company_ids=[(6, 0, self.company.ids)],
        )  # fmt: skip

    # -- cost --------------------------------------------------------------------------------------

    def test_lists_ask_the_ledger_once(self):
        """Reading many orders takes as many queries as reading a few."""
        names = ["viva_transaction_count", "viva_can_attach", "viva_has_unproven"]
        orders = self.env["pos.order"]
        for _number in range(3):
            orders |= self.forged() | self.make_order()

        def queries(records):
            self.env.flush_all()
            self.env.invalidate_all()
            before = self.cr.sql_log_count
            records.with_user(self.cashier).read([*names, "payment_ids"])
            records.with_user(self.cashier).payment_ids.read(["viva_state", "viva_attempt"])
            return self.cr.sql_log_count - before

        queries(orders)
        self.assertEqual(queries(orders), queries(orders[:2]))
