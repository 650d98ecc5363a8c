"""Money back on a till with employee login: the browser's user alone gives nothing back."""

from odoo.addons.viva_payments.tests.common import VivaCase
from odoo.exceptions import AccessError, UserError


class TestRefundPin(VivaCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.config.module_pos_hr = True
        employees = cls.env["hr.employee"].sudo()
        cls.maria = employees.create(
            {
                "name": "Maria",
                "user_id": cls.manager.id,
                "pin": "4711",
                "company_id": cls.company.id,
            }
        )

    def refund(self, user, **values):
        order, sale = self.sell()
        refund = self.refund_order(self.validate(order, sale))
        return self.start("refund", refund, by=user, parent_attempt=sale["attempt"], **values)

    def test_login_is_not_enough(self):
        for user in (self.cashier, self.manager):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.refund(user)
        self.assertEqual(self.given_back(), [])

    def test_manager_stands_by(self):
        credentials = {"employee_id": self.maria.id, "pin": "4711"}
        request, status = self.refund(self.cashier, credentials=credentials)
        self.assertEqual(status["state"], "pending", status["message"])
        self.check_until(request["attempt"], "approved")
        transaction = self.transaction(request["attempt"])
        self.assertEqual(
            (transaction.user_id, transaction.authorised_by), (self.cashier, self.manager)
        )
        self.assertEqual([row["amount"] for row in self.given_back()], [1999])

    def test_not_through_a_till_without_employees(self):
        order, sale = self.sell()
        refund = self.refund_order(self.validate(order, sale))
        other = self.config.copy({"name": "Open till", "module_pos_hr": False})
        other.with_user(self.cashier).open_ui()
        session = other.current_session_id
        session.set_opening_control(0, "")
        values = {"parent_attempt": sale["attempt"], "pos_session_id": session.id}
        with self.assertRaises(AccessError):
            self.start("refund", refund, by=self.manager, **values)
        self.assertEqual(self.given_back(), [])

    def test_wrong_pin(self):
        with self.assertRaisesRegex(UserError, "Wrong PIN"):
            self.refund(self.cashier, credentials={"employee_id": self.maria.id, "pin": "0000"})
        self.assertEqual(self.given_back(), [])

    def test_till_knows_that_it_has_to_ask(self):
        config = self.config.with_user(self.manager)
        self.assertFalse(config.viva_may_give_back or config.viva_may_manage)
