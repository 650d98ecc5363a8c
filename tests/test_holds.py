"""Holds: preauth, park, recall, capture, release; tips, installments."""

from odoo import fields
from odoo.exceptions import UserError, ValidationError

from .common import VivaCase


class TestHolds(VivaCase):
    def hold(self, amount_minor=5000, order=None, **values):
        request, status = self.start("preauth", order, amount_minor, reference="Table 7", **values)
        self.assertEqual(status["state"], "pending", status["message"])
        self.simulator.act("tap")
        return request, self.check_until(request["attempt"], "approved")

    def moved(self):
        return [(row["amount"], bool(row.get("parentId"))) for row in self.simulator.charges()]

    def test_hold_takes_no_money(self):
        partner = self.env["res.partner"].create({"name": "Maria"})
        request, status = self.hold(partner_id=partner.id)
        self.assertEqual((status["state"], status["left_minor"]), ("approved", 5000))
        self.assertEqual(status["hold"]["state"], "open")
        hold = self.transaction(request["attempt"]).hold_id
        self.assertEqual((hold.partner_id, hold.reference, hold.amount), (partner, "Table 7", 50.0))
        self.assertGreater(hold.expires_on, fields.Date.today())
        self.assertEqual(self.moved(), [])
        self.assertFalse(self.session._viva_obstacle())

    def test_capture_part_as_payment_of_the_order(self):
        order = self.make_order(30)
        request, _status = self.hold(5000, order)
        capture, status = self.start("capture", order, 3000, parent_attempt=request["attempt"])
        self.assertEqual(status["state"], "pending", status["message"])
        status = self.check_until(capture["attempt"], "approved")
        self.assertEqual(status["state"], "approved", status["message"])
        self.validate(order, capture)
        self.assertEqual(order.payment_ids.viva_state, "proven")
        self.assertEqual(status["hold"]["state"], "captured")
        self.assertFalse(self.session._viva_obstacle())
        _request, status = self.start(
            "capture", self.make_order(20), 2000, parent_attempt=request["attempt"]
        )
        self.assertEqual(status["reason"], "nothing_left")
        self.assertEqual([amount for amount, _child in self.moved()], [3000])

    def test_capture_not_beyond_hold_or_order(self):
        order = self.make_order(60)
        request, _status = self.hold(5000)
        _request, status = self.start("capture", order, 5001, parent_attempt=request["attempt"])
        self.assertEqual(status["reason"], "nothing_left")
        order = self.make_order(10)
        _request, status = self.start("capture", order, 2000, parent_attempt=request["attempt"])
        self.assertEqual(status["reason"], "amount")

    def test_release(self):
        for way in ("terminal", "api"):
            with self.subTest(way=way):
                self.account.release_by = way
                self.env.flush_all()
                request, _status = self.hold()
                release, status = self.start(
                    "release", None, 5000, parent_attempt=request["attempt"]
                )
                self.assertEqual(status["via"], way)
                status = self.check_until(release["attempt"], "approved")
                self.assertEqual(status["state"], "approved", status["message"])
                self.assertEqual(status["hold"]["state"], "released")
        self.assertEqual(self.moved(), [])

    def test_park_and_recall_in_a_later_session(self):
        order = self.make_order(30)
        request, _status = self.hold(5000, order)
        self.assertEqual(self.ledger.pos_park(order.uuid), {"parked": True})
        self.assertNotIn(order, self.session.get_session_orders())
        loaded = self.env["pos.order"].search(
            self.env["pos.order"]._load_pos_data_domain({}, self.config)
        )
        self.assertNotIn(order, loaded)
        config = self.config.with_user(self.cashier)
        everything = {"pos.order": [("state", "=", "draft"), ("config_id", "=", config.id)]}
        answer = config.read_config_open_orders(everything, {"pos.order": order.ids})
        self.assertNotIn(order.id, [row["id"] for row in answer["dynamic_records"]["pos.order"]])
        self.assertIn(order.id, answer["deleted_record_ids"]["pos.order"])
        orders = self.env["pos.order"].with_user(self.cashier)
        self.assertEqual(orders.read_pos_orders([("id", "=", order.id)]), {"pos.order": []})
        self.session.action_pos_session_closing_control()
        self.assertEqual(self.session.state, "closed")
        self.config.with_user(self.cashier).open_ui()
        session = self.session = self.config.current_session_id
        session.set_opening_control(0, "")
        hold = self.transaction(request["attempt"]).hold_id
        (card,) = self.ledger.pos_panel({"scope": "holds", "pos_session_id": session.id})["holds"]
        self.assertTrue(card["parked"])
        answer = self.ledger.pos_recall(hold.id, session.id)
        self.assertEqual(answer, {"order_id": order.id, "order_uuid": order.uuid})
        order.invalidate_recordset()
        self.assertEqual((order.session_id, order.viva_parked), (session, False))
        capture, _status = self.start("capture", order, 3000, parent_attempt=request["attempt"])
        self.check_until(capture["attempt"], "approved")
        self.validate(order, capture)
        session.action_pos_session_closing_control()
        self.assertEqual(session.state, "closed")

    def test_park_needs_a_hold(self):
        order = self.make_order()
        with self.assertRaises(UserError):
            self.ledger.pos_park(order.uuid)
        order, _sale = self.sell()
        with self.assertRaises(UserError):
            self.ledger.pos_park(order.uuid)

    def test_preauth_is_off(self):
        self.simulator.control("POST", "settings", {"preauth": False})
        _request, status = self.hold()
        self.assertEqual((status["state"], status["hold"]["state"]), ("failed", "failed"))

    def test_nobody_writes_a_hold(self):
        request, _status = self.hold()
        hold = self.transaction(request["attempt"]).hold_id
        for call in (lambda: hold.sudo().write({"reference": "x"}), hold.sudo().unlink):
            with self.assertRaises(UserError):
                call()


class TestTips(VivaCase):
    def tipped(self, minor=200):
        order = self.make_order()
        request, _status = self.charge(order)
        self.simulator.act("tip", minor=minor)
        self.simulator.act("tap")
        return order, request, self.check_until(request["attempt"], "approved")

    def test_till_asks(self):
        order, request, status = self.tipped()
        self.assertEqual((status["tip_minor"], status["tip_booking"]), (200, ""))
        with self.assertRaises(UserError):
            self.ledger.pos_book_tip(request["attempt"], "account")
        status = self.ledger.pos_book_tip(request["attempt"], "product")
        self.assertEqual(status["tip_booking"], "product")
        self.assertEqual(self.transaction(request["attempt"])._booked_amount(), 21.99)
        self.add_tip(order, 2.0)
        self.validate(order, request)
        self.assertEqual(order.payment_ids.viva_state, "proven")
        self.assertFalse(order.viva_has_unproven)
        self.assertNotIn(order, self.env["pos.order"].search([("viva_has_unproven", "=", True)]))
        self.assertFalse(self.session._viva_obstacle())

    def add_tip(self, order, tip):
        """The tip as a line of the order, as the till adds it."""
        self.config.tip_product_id = self.env.ref("point_of_sale.product_product_tip")
        values = {"price_unit": tip, "price_subtotal": tip, "price_subtotal_incl": tip, "qty": 1}
        product = {"product_id": self.config.tip_product_id.id}
        order.write(
            {"lines": [(0, 0, {**product, **values})], "amount_total": order.amount_total + tip}
        )

    def test_tip_is_no_change(self):
        """Counted as part of the order, but not on it: the difference would come out of the drawer."""
        order, request, _status = self.tipped()
        self.ledger.pos_book_tip(request["attempt"], "product")
        order.with_user(self.cashier).add_payment(
            {
                "pos_order_id": order.id,
                "payment_method_id": self.method.id,
                "uuid": request["payment_uuid"],
                "amount": 21.99,
                "payment_status": "done",
            }
        )
        order.with_user(self.cashier).add_payment(
            {
                "pos_order_id": order.id,
                "payment_method_id": self.cash.id,
                "amount": -2.0,
                "is_change": True,
            }
        )
        order.with_user(self.cashier).action_pos_order_paid()
        self.env.flush_all()
        self.env.invalidate_all()
        self.assertTrue(order.viva_has_unproven)
        self.assertIn(order, self.env["pos.order"].search([("viva_has_unproven", "=", True)]))
        self.assertTrue(self.session._viva_obstacle())

    def test_account_is_booked_at_closing(self):
        account = self.env["account.account"].create(
            {"name": "Tips", "code": "219999", "account_type": "liability_current"}
        )
        self.method.write({"viva_tip_policy": "account", "viva_tip_account_id": account.id})
        self.env.flush_all()
        order, request, status = self.tipped()
        self.assertEqual(status["tip_booking"], "account")
        self.validate(order, request)
        self.assertEqual(order.payment_ids.viva_state, "proven")
        self.session.action_pos_session_closing_control()
        self.assertEqual(self.session.state, "closed")
        lines = self.env["account.move.line"].search([("account_id", "=", account.id)])
        self.assertEqual(sum(lines.mapped("balance")), -2.0)
        self.assertEqual(lines.move_id.mapped("state"), ["posted"])

    def test_undecided_tip_is_named_at_closing(self):
        order, request, _status = self.tipped()
        self.validate(order, request)
        self.assertIn("tip", self.session._viva_obstacle())
        with self.assertRaises(UserError):
            self.ledger.pos_book_tip(request["attempt"], "product")
        self.method.viva_tip_account_id = self.env["account.account"].create(
            {"name": "Tips", "code": "219998", "account_type": "liability_current"}
        )
        self.env.flush_all()
        self.ledger.pos_book_tip(request["attempt"], "account")
        self.env.invalidate_all()
        self.assertFalse(self.session._viva_obstacle())

    def test_policy_needs_its_account(self):
        with self.assertRaises(ValidationError):
            self.method.viva_tip_policy = "account"


class TestInstallments(VivaCase):
    def test_bands(self):
        self.method.viva_installment_ids = [
            (0, 0, {"amount_from": 100, "installments": 3}),
            (0, 0, {"amount_from": 300, "installments": 12}),
        ]
        self.assertEqual(self.method.viva_installment_bands, [[10000, 3], [30000, 12]])
        for amount, most in ((9999, 0), (10000, 3), (29999, 3), (30000, 12)):
            self.assertEqual(self.method._viva_installments(amount), most)
        _request, status = self.charge(amount_minor=20000, max_installments=6)
        self.assertEqual(status["reason"], "installments")
        request, status = self.charge(amount_minor=60000, max_installments=12)
        self.assertEqual(status["state"], "pending", status["message"])
        self.simulator.act("tap", installments=6)
        status = self.check_until(request["attempt"], "approved")
        self.assertEqual(status["installments"], 6)
        self.assertIn("Installments: 6", status["result"]["slip"])
