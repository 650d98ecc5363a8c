from urllib.parse import urlsplit

from odoo.addons.account.tests.common import AccountTestInvoicingHttpCommon
from odoo.tests import tagged

from .common import VivaShop


@tagged("post_install", "-at_install")
class TestPosTours(VivaShop, AccountTestInvoicingHttpCommon):
    """A cashier with POS rights only at the real till, a person at the simulated terminal."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_shop()

    def setUp(self):
        super().setUp()
        self.simulator.control("POST", "reset")
        self.config.with_user(self.cashier).open_ui()
        self.pos_session = self.config.current_session_id
        self.pos_session.set_opening_control(0, "")

    def run_tour(self, name, login="viva_cashier"):
        port = urlsplit(self.simulator.url).port
        self.start_tour(
            f"/pos/ui/{self.config.id}",
            name,
            login=login,
            cookies={"viva_simulator": str(port)},
        )
        self.env.invalidate_all()
        self.assertEqual(self.simulator.control("GET", "violations"), [])

    def order(self):
        self.assertEqual(len(self.pos_session.order_ids), 1)
        return self.pos_session.order_ids

    def assert_paid_by_card(self, order):
        """Paid once: one payment, one charge, the same money at Viva and in Odoo, proven by the ledger."""
        self.assertEqual(order.state, "paid")
        self.assertEqual(order.payment_ids.mapped("viva_state"), ["proven"])
        charges = self.simulator.charges()
        self.assertEqual([charge["amount"] for charge in charges], [1999])
        self.assertEqual(order.payment_ids.transaction_id, charges[0]["transactionId"])

    def assert_paid_in_cash(self, order):
        self.assertEqual(order.state, "paid")
        self.assertEqual(order.payment_ids.payment_method_id, self.cash)

    def test_approved(self):
        self.run_tour("viva_sale_approved")
        self.assert_paid_by_card(self.order())
        payment = self.order().payment_ids
        self.assertEqual(payment.card_brand, "Visa")
        self.assertTrue(payment.payment_method_authcode)
        self.assertEqual(payment.ticket.count("RRN"), 1)

    def test_declined_then_another_card(self):
        self.run_tour("viva_declined_then_another_card")
        self.assert_paid_by_card(self.order())

    def test_cancelled_at_the_till(self):
        self.run_tour("viva_cancelled_at_the_till")
        self.assert_paid_in_cash(self.order())
        self.assertEqual(self.simulator.charges(), [])

    def test_deleted_while_waiting(self):
        self.run_tour("viva_deleted_while_waiting")
        self.assert_paid_by_card(self.order())

    def test_unknown_then_cash(self):
        self.run_tour("viva_unknown_then_cash")
        self.assert_paid_in_cash(self.order())
        transaction = self.env["viva.transaction"].search([("order_uuid", "=", self.order().uuid)])
        self.assertEqual(transaction.state, "unknown")

    def test_reloaded_while_waiting(self):
        self.run_tour("viva_reloaded_while_waiting")
        self.assert_paid_by_card(self.order())

    def test_approved_while_reloading(self):
        self.run_tour("viva_approved_while_reloading")
        self.assert_paid_by_card(self.order())

    def test_answer_lost(self):
        self.run_tour("viva_answer_lost")
        self.assert_paid_by_card(self.order())

    def test_network_away_while_waiting(self):
        self.run_tour("viva_network_away_while_waiting")
        self.assert_paid_by_card(self.order())

    def test_network_away_before_sending(self):
        self.run_tour("viva_network_away_before_sending")
        self.assert_paid_by_card(self.order())

    def test_forced_by_a_manager(self):
        self.run_tour("viva_forced_by_a_manager", login="viva_manager")
        self.assertEqual(self.order().state, "paid")
        self.assertEqual(self.order().payment_ids.viva_state, "forced")
        transaction = self.env["viva.transaction"].search([("order_uuid", "=", self.order().uuid)])
        self.assertEqual(transaction.forced_by, self.manager)
        self.assertIn("123456", transaction.forced_reason)

    def test_terminal_busy(self):
        self.run_tour("viva_terminal_busy")
        self.assertEqual(len(self.simulator.charges()), 1)
        self.assertEqual(sorted(self.pos_session.order_ids.mapped("state")), ["draft", "paid"])
