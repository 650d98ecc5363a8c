"""Who may start which operation, asked by calling the RPC directly. Rights are checked inside the operation."""

from odoo import Command
from odoo.exceptions import AccessError
from odoo.tests import new_test_user

from .test_give_back import GiveBackCase


class TestOperationRights(GiveBackCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_company = cls.env["res.company"].create({"name": "Other"})
        cls.portal = new_test_user(cls.env, "viva_portal_2", groups="base.group_portal")
        cls.employee = new_test_user(cls.env, "viva_employee", groups="base.group_user")
        cls.stranger = new_test_user(
            cls.env,
            "viva_stranger_2",
            groups="base.group_user,viva_payments.group_viva_admin",
            company_id=cls.other_company.id,
            company_ids=[Command.set(cls.other_company.ids)],
        )

    def sale(self):
        return {"operation": "sale", "order": self.make_order()}

    def preauth(self):
        return {"operation": "preauth", "order": None}

    def capture(self):
        request, _status = self.start("preauth", None, 1999)
        self.simulator.act("tap")
        self.check_until(request["attempt"], "approved")
        parent = request["attempt"]
        return {"operation": "capture", "order": self.make_order(), "parent_attempt": parent}

    def release(self):
        return {**self.capture(), "operation": "release", "order": None}

    def void(self):
        _order, sale = self.sell()
        return {"operation": "void", "order": None, "parent_attempt": sale["attempt"]}

    def refund(self):
        order, sale = self.paid()
        refund = self.refund_order(order)
        return {"operation": "refund", "order": refund, "parent_attempt": sale["attempt"]}

    def refund_by_api(self):
        return {**self.refund(), "via": "api"}

    def void_by_api(self):
        return {**self.void(), "via": "api"}

    def unreferenced(self):
        return {**self.refund(), "parent_attempt": "", "unreferenced": True}

    def ask(self, user, values):
        values = dict(values)
        operation, order = values.pop("operation"), values.pop("order")
        return self.start(operation, order, by=user, **values)

    def test_matrix(self):
        cashiers = {"sale", "preauth", "capture", "release", "void"}
        refunders = cashiers | {"refund"}
        managers = refunders | {"refund_by_api", "void_by_api"}
        everything = [*sorted(managers), "unreferenced"]
        allowed = {
            self.cashier: cashiers,
            self.refunder: refunders,
            self.manager: managers,
            self.portal: set(),
            self.employee: set(),
        }
        for name in everything:
            for user, operations in allowed.items():
                with self.subTest(operation=name, user=user.login):
                    values = getattr(self, name)()
                    before = len(self.simulator.control("GET", "sessions"))
                    if name in operations:
                        request, status = self.ask(user, values)
                        self.assertNotEqual(status["state"], "refused", status["message"])
                        self.assertEqual(self.transaction(request["attempt"]).user_id, user)
                    else:
                        with self.assertRaises(AccessError):
                            self.ask(user, values)
                        after = len(self.simulator.control("GET", "sessions"))
                        self.assertEqual(before, after, "something was sent")
                    self.let_go()

    def let_go(self):
        """The terminal is free for the next one."""
        for transaction in self.env["viva.transaction"].search([("holds_terminal", "=", True)]):
            self.amend(transaction.attempt, state="failed", reason="no_card", holds_terminal=False)
        self.simulator.reset()

    def test_stranger_reaches_nothing(self):
        """An administrator of another company is refused, and learns nothing."""
        for name in ("sale", "preauth", "capture", "release", "void", "refund"):
            with self.subTest(operation=name):
                _request, status = self.ask(self.stranger, getattr(self, name)())
                self.assertEqual((status["state"], status["reason"]), ("refused", "session"))
                self.assertFalse(status["terminal"])
                self.let_go()

    def test_parent_of_another_company(self):
        """Also with a till of his own, nobody gives back the money of another company."""
        order, sale = self.paid()
        self.assertEqual(self.ledger.with_user(self.stranger).pos_payments_of([order.uuid]), [])
        self.assertEqual(self.ledger.with_user(self.stranger).pos_check([sale["attempt"]]), [])

    def test_refunder_is_no_manager(self):
        _order, sale = self.sell()
        with self.assertRaises(AccessError):
            self.ledger.with_user(self.refunder).pos_force(sale["attempt"], "because")
