"""Who accepts a doubtful payment on a till with employee login."""

from datetime import timedelta

from odoo import Command, fields
from odoo.addons.viva_payments.tests.common import VivaCase
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user


class TestManagerPin(VivaCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.config.module_pos_hr = True
        employees = (
            cls.env["hr.employee"]
            .sudo()
            .create(
                [
                    {
                        "name": "Maria",
                        "user_id": cls.manager.id,
                        "pin": "4711",
                        "company_id": cls.company.id,
                    },
                    {
                        "name": "Casey",
                        "user_id": cls.cashier.id,
                        "pin": "1111",
                        "company_id": cls.company.id,
                    },
                    {"name": "Nobody", "pin": "2222", "company_id": cls.company.id},
                ]
            )
        )
        cls.maria, cls.casey, cls.nobody = employees

    def setUp(self):
        super().setUp()
        request, _status = self.charge()
        self.attempt = request["attempt"]
        self.amend(self.attempt, state="unknown", reason="no_end")
        # Viva is out of reach from here on, so that asking it settles nothing.
        self.simulator.control("POST", "faults", {"session_status": [503] * 50})

    def force(self, employee, pin, user=None):
        return (
            self.env["viva.transaction"]
            .with_user(user or self.cashier)
            .pos_force(self.attempt, "slip 123456", {"employee_id": employee.id, "pin": pin})
        )

    def refusal(self, employee, pin, **options):
        """The words with which a PIN is refused. Not assertRaises, which would roll back what was counted."""
        try:
            self.force(employee, pin, **options)
        except UserError as error:
            return str(error)
        return self.fail("The PIN was accepted.")

    def test_manager_accepts_with_pin(self):
        status = self.force(self.maria, "4711")
        self.assertEqual(status["state"], "approved")
        self.assertTrue(status["forced"])
        transaction = self.transaction(self.attempt)
        self.assertEqual(transaction.forced_by, self.manager)
        self.assertIn(
            self.manager.name,
            transaction.step_ids.filtered(lambda step: step.kind == "person").note,
        )

    def test_offered_to_the_cashier_of_a_till_with_employees(self):
        status = self.ledger.pos_find([self.transaction(self.attempt).order_uuid])[0]
        self.assertTrue(status["can_force"])
        self.assertEqual(self.ledger.pos_deciders(), [{"id": self.maria.id, "name": "Maria"}])
        self.maria.pin = False
        self.env.flush_all()
        status = self.ledger.pos_find([self.transaction(self.attempt).order_uuid])[0]
        self.assertFalse(status["can_force"])

    def test_not_offered_without_employees(self):
        self.config.module_pos_hr = False
        self.env.flush_all()
        status = self.ledger.pos_find([self.transaction(self.attempt).order_uuid])[0]
        self.assertFalse(status["can_force"])
        with self.assertRaises(AccessError):
            self.ledger.pos_force(self.attempt, "slip 123456")

    def test_the_browser_of_a_manager_is_not_enough(self):
        with self.assertRaises(UserError):
            self.env["viva.transaction"].with_user(self.manager).pos_force(
                self.attempt, "slip 123456"
            )
        self.assertEqual(self.transaction(self.attempt).state, "unknown")

    def test_employee_who_is_no_manager(self):
        for employee, pin in ((self.casey, "1111"), (self.nobody, "2222")):
            with self.assertRaises(AccessError):
                self.force(employee, pin)

    def test_empty_pin_never_matches(self):
        for pin in ("", False, None, 4711, ["4711"]):
            self.refusal(self.maria, pin)
            self.maria.invalidate_recordset()
        self.assertEqual(self.transaction(self.attempt).state, "unknown")
        self.maria.pin = False
        for pin in ("", False, None):
            with self.assertRaises(AccessError):
                self.force(self.maria, pin)

    def test_unreadable_credentials(self):
        for credentials in (
            "4711",
            ["x"],
            {"employee_id": "1", "pin": "4711"},
            {"pin": "4711"},
            {"employee_id": [self.maria.id]},
        ):
            with self.assertRaises(AccessError):
                self.ledger.pos_force(self.attempt, "slip 123456", credentials)

    def test_five_wrong_pins_lock_for_a_quarter_of_an_hour(self):
        for left in (4, 3, 2, 1):
            self.assertIn(str(left), self.refusal(self.maria, "0000"))
        self.assertIn("15", self.refusal(self.maria, "0000"))
        self.assertIn(
            "Too many", self.refusal(self.maria, "4711"), "The right PIN does not help either."
        )
        guard = self.env["viva.pin.guard"].sudo().search([("employee_id", "=", self.maria.id)])
        guard.invalidate_recordset()
        guard.locked_until = fields.Datetime.now() - timedelta(seconds=1)
        guard.flush_recordset()
        self.assertEqual(self.force(self.maria, "4711")["state"], "approved")

    def test_the_right_pin_forgets_the_wrong_ones(self):
        self.refusal(self.maria, "0000")
        self.force(self.maria, "4711")
        guard = self.env["viva.pin.guard"].sudo().search([("employee_id", "=", self.maria.id)])
        guard.invalidate_recordset()
        self.assertFalse(guard.failures)

    def test_manager_of_another_company(self):
        other = self.env["res.company"].create({"name": "Other"})
        stranger = new_test_user(
            self.env,
            "viva_stranger",
            groups="base.group_user,viva_payments.group_viva_manager",
            company_id=other.id,
            company_ids=[Command.set(other.ids)],
        )
        employee = (
            self.env["hr.employee"]
            .sudo()
            .create(
                {"name": "Stranger", "user_id": stranger.id, "pin": "3333", "company_id": other.id}
            )
        )
        self.cashier.company_ids |= other
        with self.assertRaises(AccessError):
            self.ledger.with_context(allowed_company_ids=[self.company.id, other.id]).pos_force(
                self.attempt, "slip 123456", {"employee_id": employee.id, "pin": "3333"}
            )

    def test_nobody_reads_the_guard(self):
        for user in (self.cashier, self.manager, self.env.ref("base.user_admin")):
            with self.assertRaises(AccessError):
                self.env["viva.pin.guard"].with_user(user).search([])
