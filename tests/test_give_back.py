"""Money back: void before validation, refund orders, what is left, who may; counted at the simulator."""

from odoo.exceptions import AccessError, UserError

from .common import TERMINAL_2, VivaCase


class GiveBackCase(VivaCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.refunder = cls.cashier.copy({"login": "viva_refunder"})
        cls.refunder.group_ids |= cls.env.ref("viva_payments.group_viva_refund")

    def paid(self, amount_minor=1999, **options):
        """A validated order; returns (order, request of its sale)."""
        order, request = self.sell(amount_minor, **options)
        return self.validate(order, request), request

    def refund(self, order, sale, amount_minor=1999, *, by=None, **values):
        """Ask for a refund on a refund order of `order`; returns (refund order, request, Status)."""
        refund = values.pop("refund", None) or self.refund_order(order)
        request, status = self.start(
            "refund",
            refund,
            amount_minor,
            by=by or self.refunder,
            parent_attempt=sale["attempt"],
            **values,
        )
        return refund, request, status

    def void(self, sale, **values):
        return self.start("void", None, 1999, parent_attempt=sale["attempt"], **values)

    def assert_back(self, *amounts):
        self.assertEqual([row["amount"] for row in self.given_back()], list(amounts))
        self.assertEqual(self.violations(), [])


class TestVoid(GiveBackCase):
    def test_unvalidated_line(self):
        order, sale = self.sell()
        request, status = self.void(sale)
        self.assertEqual(
            (status["state"], status["operation"]), ("pending", "void"), status["message"]
        )
        status = self.check_until(request["attempt"], "approved")
        self.assertEqual((status["state"], status["executed"]), ("approved", "void"))
        self.assertIn("Voided", status["message"])
        self.assertNotIn("efund", status["message"])
        self.assert_back(1999)
        self.assertFalse(self.check(sale["attempt"])["charged"])
        # The order can be paid anew, with another card too.
        again, status = self.charge(order)
        self.assertEqual(status["state"], "pending", status["message"])
        self.simulator.act("tap")
        self.check_until(again["attempt"], "approved")
        self.validate(order, again)
        self.assertFalse(self.session._viva_obstacle())

    def test_never_twice(self):
        _order, sale = self.sell()
        request, _status = self.void(sale)
        self.check_until(request["attempt"], "approved")
        _request, status = self.void(sale)
        self.assertEqual((status["state"], status["reason"]), ("refused", "nothing_left"))
        self.assert_back(1999)

    def test_while_another_is_open(self):
        order, sale = self.sell()
        self.simulator.act("unplug")
        _request, status = self.void(sale)
        self.assertEqual(status["state"], "pending")
        _request, status = self.void(sale, terminal_id=self.terminal_2.id)
        self.assertEqual(status["reason"], "order_open")
        _request, status = self.charge(order, terminal_id=self.terminal_2.id)
        self.assertEqual(status["reason"], "order_open")

    def test_paid_order_needs_its_refund(self):
        _order, sale = self.paid()
        _request, status = self.void(sale, by=self.manager)
        self.assertEqual((status["state"], status["reason"]), ("refused", "order"))
        self.assert_back()

    def test_money_that_is_nobodys(self):
        """Paid in cash while the card was unknown, approved later: voiding it needs the right to give back."""
        order, sale = self.sell()
        order.with_user(self.cashier).add_payment(
            {"pos_order_id": order.id, "payment_method_id": self.cash.id, "amount": 19.99}
        )
        order.with_user(self.cashier).action_pos_order_paid()
        self.env.flush_all()
        self.assertIn("charged", self.session._viva_obstacle())
        with self.assertRaises(AccessError):
            self.void(sale)
        request, _status = self.void(sale, by=self.refunder)
        self.assertEqual(self.check_until(request["attempt"], "approved")["executed"], "void")
        self.env.invalidate_all()
        self.assertFalse(self.session._viva_obstacle())
        self.assert_back(1999)

    def test_lost_answer(self):
        _order, sale = self.sell()
        self.simulator.control("POST", "faults", {"drop_sale_response": 1})
        request, status = self.void(sale)
        self.assertEqual(status["state"], "unknown")
        self.assertIn("Do not give it back again", status["message"])
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        self.assert_back(1999)

    def test_tip_goes_back_too(self):
        order, request = self.make_order(), None
        request, _status = self.charge(order)
        self.simulator.act("tip", minor=200)
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["tip_minor"], 200)
        void, status = self.void(request)
        self.assertEqual(status["amount_minor"], 2199)
        self.check_until(void["attempt"], "approved")
        self.assert_back(2199)


class TestRefund(GiveBackCase):
    def test_whole_order_on_the_same_day_is_a_void(self):
        order, sale = self.paid()
        refund, request, status = self.refund(order, sale)
        self.assertEqual(status["state"], "pending", status["message"])
        status = self.check_until(request["attempt"], "approved")
        self.assertEqual((status["executed"], status["charged"]), ("void", True))
        self.validate(refund, request)
        self.assertEqual(refund.payment_ids.viva_state, "proven")
        self.assertFalse(self.session._viva_obstacle())
        self.assert_back(1999)

    def test_after_clearing_it_is_a_refund(self):
        order, sale = self.paid()
        self.clear(sale)
        _refund, request, _status = self.refund(order, sale)
        status = self.check_until(request["attempt"], "approved")
        self.assertEqual(status["executed"], "refund")
        self.assertIn("Refunded", status["message"])
        self.assert_back(1999)

    def test_part_before_clearing_is_explained(self):
        order, sale = self.paid()
        _refund, _request, status = self.refund(order, sale, 500)
        self.assertEqual((status["state"], status["reason"]), ("refused", "partial_too_early"))
        self.assertEqual(
            [choice["name"] for choice in status["choices"]],
            ["void_all", "wait", "other_method", "api"],
        )
        self.assert_back()

    def test_parts_up_to_what_is_left(self):
        order, sale = self.paid()
        self.clear(sale)
        order.lines.qty = 1
        refund, request, _status = self.refund(order, sale, 1200)
        self.check_until(request["attempt"], "approved")
        _refund, request, status = self.refund(order, sale, 800, refund=refund)
        self.assertEqual(status["reason"], "nothing_left", status["message"])
        _refund, request, status = self.refund(order, sale, 799, refund=refund)
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")
        self.assertEqual(self.check(sale["attempt"])["left_minor"], 0)
        self.assert_back(1200, 799)

    def test_not_beyond_the_refund_order(self):
        order, sale = self.paid()
        self.clear(sale)
        refund = self.refund_order(order)
        refund.amount_total = -5
        _refund, _request, status = self.refund(order, sale, 600, refund=refund)
        self.assertEqual(status["reason"], "amount", status["message"])
        self.assert_back()

    def test_void_all_and_charge_the_difference(self):
        """A part before clearing: the whole payment goes back, the rest is charged anew on the same order."""
        order, sale = self.paid()
        refund = self.refund_order(order)
        refund.amount_total = -5
        _refund, _request, status = self.refund(order, sale, 500, refund=refund)
        self.assertEqual(status["reason"], "partial_too_early")
        _refund, back, _status = self.refund(order, sale, 1999, refund=refund)
        self.assertEqual(self.check_until(back["attempt"], "approved")["executed"], "void")
        _request, status = self.start("sale", refund, 1500)
        self.assertEqual(status["reason"], "amount", "beyond what is owed")
        again, status = self.start("sale", refund, 1499)
        self.assertEqual(status["state"], "pending", status["message"])
        self.simulator.act("tap")
        self.check_until(again["attempt"], "approved")
        self.assert_back(1999)
        self.clear(sale)
        other = self.refund_order(self.paid()[0])
        _refund, _request, status = self.refund(order, sale, 1, refund=other)
        self.assertEqual(status["reason"], "parent")

    def test_parent_of_another_order(self):
        _order, sale = self.paid()
        other, _sale = self.paid()
        _refund, _request, status = self.refund(other, sale)
        self.assertEqual(status["reason"], "parent")
        self.assert_back()

    def test_on_another_terminal_when_it_is_broken(self):
        order, sale = self.paid()
        self.simulator.act("unplug")
        _refund, request, _status = self.refund(order, sale, terminal_id=self.terminal_2.id)
        status = self.check_until(request["attempt"], "approved")
        self.assertEqual(status["terminal"]["viva_id"], TERMINAL_2)
        self.assert_back(1999)

    def test_in_a_later_session(self):
        order, sale = self.paid()
        self.session.action_pos_session_closing_control()
        self.assertEqual(self.session.state, "closed")
        self.config.with_user(self.cashier).open_ui()
        self.session = self.config.current_session_id
        self.session.set_opening_control(0, "")
        _refund, request, status = self.refund(order, sale)
        self.assertEqual(status["state"], "pending", status["message"])
        self.check_until(request["attempt"], "approved")
        self.assert_back(1999)

    def test_iris(self):
        order, sale = self.paid(action="iris")
        self.assertEqual(self.transaction(sale["attempt"]).transaction_type_id, 60)
        _refund, request, _status = self.refund(order, sale)
        self.assertEqual(self.check_until(request["attempt"], "approved")["executed"], "void")
        self.assert_back(1999)

    def test_refused_refund_is_no_payment(self):
        order, sale = self.paid()
        self.simulator.control("POST", "settings", {"refunds": False})
        refund, request, _status = self.refund(order, sale)
        status = self.check_until(request["attempt"], "failed")
        self.assertEqual((status["state"], status["charged"]), ("failed", False))
        self.assertIn("not enabled refunds", status["message"])
        self.assertTrue(status["choices"])
        self.simulator.control("POST", "settings", {"refunds": True})
        _refund, request, _status = self.refund(order, sale, refund=refund)
        self.check_until(request["attempt"], "approved")
        self.assert_back(1999)

    def test_unknown_counts_as_gone(self):
        order, sale = self.paid()
        self.clear(sale)
        refund, request, _status = self.refund(order, sale)
        self.check_until(request["attempt"], "approved")
        self.amend(request["attempt"], state="unknown", reason="no_answer", approved_amount=0)
        self.assertEqual(self.transaction(sale["attempt"])._left(), 0)
        _refund, _request, status = self.refund(order, sale, refund=refund)
        self.assertEqual(status["reason"], "order_open")
        self.assert_back(1999)

    def test_unreferenced(self):
        self.simulator.control("POST", "settings", {"unreferenced_refund": True})
        order, _sale = self.paid()
        refund = self.refund_order(order)
        values = {"unreferenced": True, "parent_attempt": ""}
        for user in (self.cashier, self.refunder, self.manager):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.start("refund", refund, by=user, **values)
        self.manager.group_ids |= self.env.ref("viva_payments.group_viva_unreferenced_refund")
        _request, status = self.start("refund", refund, by=self.manager, parent_attempt="")
        self.assertEqual(status["reason"], "parent")
        request, status = self.start("refund", refund, by=self.manager, **values)
        self.assertEqual(status["state"], "pending", status["message"])
        self.simulator.act("tap")
        self.assertEqual(self.check_until(request["attempt"], "approved")["state"], "approved")

    def test_rights(self):
        order, sale = self.paid()
        for user in (self.cashier,):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.refund(order, sale, by=user)
        self.assert_back()


class TestByApi(GiveBackCase):
    def test_without_terminal(self):
        order, sale = self.paid()
        self.simulator.act("unplug")
        with self.assertRaises(AccessError):
            self.refund(order, sale, via="api")
        refund, request, status = self.refund(order, sale, via="api", by=self.manager)
        self.assertEqual(
            (status["state"], status["executed"]), ("approved", "void"), status["message"]
        )
        self.validate(refund, request)
        self.assertEqual(refund.payment_ids.viva_state, "proven")
        self.assert_back(1999)
        self.assertFalse(self.transaction(request["attempt"]).holds_terminal)

    def test_lost_answer_is_found_in_the_list(self):
        order, sale = self.paid()
        self.simulator.control("POST", "faults", {"drop_reverse_response": 1})
        _refund, request, status = self.refund(order, sale, via="api", by=self.manager)
        self.assertEqual(status["state"], "unknown")
        status = self.check(request["attempt"])
        self.assertEqual(
            (status["state"], status["executed"]), ("approved", "void"), status["message"]
        )
        self.assert_back(1999)

    def test_lost_request_is_never_repeated(self):
        order, sale = self.paid()
        self.simulator.control("POST", "faults", {"drop_reverse_request": 1})
        refund, request, status = self.refund(order, sale, via="api", by=self.manager)
        self.assertEqual(status["state"], "unknown")
        self.assertEqual(self.check(request["attempt"])["state"], "unknown")
        self.assert_back()
        _refund, _request, status = self.refund(
            order, sale, refund=refund, via="api", by=self.manager
        )
        self.assertEqual(status["reason"], "order_open")
        self.amend(request["attempt"], sent_at="2020-01-01 10:00:00")
        self.assertEqual(self.check(request["attempt"])["state"], "failed")
        _refund, request, status = self.refund(
            order, sale, refund=refund, via="api", by=self.manager
        )
        self.assertEqual(status["state"], "approved", status["message"])
        self.assert_back(1999)

    def test_switched_off_at_viva(self):
        order, sale = self.paid()
        self.simulator.control("POST", "settings", {"refunds": False})
        _refund, _request, status = self.refund(order, sale, via="api", by=self.manager)
        self.assertEqual(status["state"], "failed")
        self.assertIn("API Access", status["message"])
        self.assert_back()

    def test_without_keys(self):
        order, sale = self.paid()
        self.account.api_key = False
        _refund, _request, status = self.refund(order, sale, via="api", by=self.manager)
        self.assertEqual(status["reason"], "api")
        self.assert_back()


class TestPanel(GiveBackCase):
    def panel(self, scope, by=None, **query):
        query = {"scope": scope, "pos_session_id": self.session.id, **query}
        return self.ledger.with_user(by or self.cashier).pos_panel(query)

    def actions(self, card):
        return {action["name"]: action for action in card["actions"]}

    def test_what_can_be_done(self):
        order, sale = self.paid()
        (card,) = self.panel("session", by=self.refunder)["payments"]
        actions = self.actions(card)
        self.assertTrue(actions["void"]["possible"])
        self.assertFalse(actions["refund"]["possible"])
        self.assertIn("24 hours", actions["refund"]["reason"])
        self.assertFalse(actions["refund"]["needs_manager"])
        self.assertEqual((card["order_id"], card["order_state"]), (order.id, "paid"))
        (card,) = self.panel("session")["payments"]
        self.assertTrue(self.actions(card)["refund"]["needs_manager"])
        self.clear(sale)
        (card,) = self.panel("order", by=self.refunder, order_uuid=order.uuid)["payments"]
        self.assertTrue(self.actions(card)["refund"]["possible"])
        self.assertFalse(self.actions(card)["void"]["possible"])

    def test_search(self):
        _order, sale = self.paid()
        self.paid(500)
        transaction = self.transaction(sale["attempt"])
        for text in (
            "19,99",
            "19.99",
            transaction.rrn,
            transaction.name,
            transaction.authorisation_code,
            transaction.order_reference,
        ):
            with self.subTest(text=text):
                found = self.panel("search", text=text)["payments"]
                self.assertEqual([card["attempt"] for card in found], [sale["attempt"]])
        self.assertEqual(
            len(self.panel("search", text=f"••{transaction.card_last4}")["payments"]), 2
        )
        self.assertEqual(self.panel("search", text="nothing of that kind")["payments"], [])
        self.assertEqual(self.panel("search", text="%")["payments"], [])

    def test_of_another_company(self):
        self.paid()
        other = self.env["res.company"].create({"name": "Other"})
        stranger = self.cashier.copy(
            {"login": "stranger", "company_id": other.id, "company_ids": [(6, 0, other.ids)]}
        )
        with self.assertRaises(AccessError):
            self.panel("session", by=stranger)
        sale = self.ledger.search([], limit=1)
        self.assertEqual(self.ledger.with_user(stranger).pos_payments_of([sale.order_uuid]), [])

    def test_nonsense(self):
        for query in (None, [], {}, {"scope": "all"}, {"scope": "order", "pos_session_id": "1"}):
            with self.subTest(query=query), self.assertRaises(UserError):
                self.ledger.pos_panel(query)

    def test_originals_of_a_refund(self):
        order, sale = self.paid()
        (card,) = self.ledger.pos_payments_of([order.uuid])
        self.assertEqual((card["attempt"], card["left_minor"]), (sale["attempt"], 1999))
