from unittest.mock import patch
from urllib.parse import urlsplit

from odoo import Command
from odoo.addons.account.tests.common import AccountTestInvoicingHttpCommon
from odoo.tests import tagged
from odoo.tests.common import ChromeBrowser

from .common import VivaShop

ANDROID = (
    "Mozilla/5.0 (Linux; Android 13; A920Pro) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/120.0.0.0 Mobile Safari/537.36"
)


class PosTours(VivaShop, AccountTestInvoicingHttpCommon):
    """A cashier with POS rights only at the real till."""

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

    def by_hand(self):
        """A paid order waits for Validate, so that something can be done with it before."""
        self.config.auto_validate_terminal_payment = False

    def ledger_of(self, *operations):
        return self.env["viva.transaction"].search([("operation", "in", operations)], order="id")

    def assert_moved(self, **expected):
        """What the ledger says was carried out: operation → amount, or a list of amounts."""
        approved = self.env["viva.transaction"].search([("state", "=", "approved")], order="id")
        moved = {}
        for transaction in approved:
            moved.setdefault(transaction.operation, []).append(transaction.approved_amount)
        self.assertEqual(moved, {name: amounts for name, amounts in expected.items() if amounts})

    def refund_order(self):
        refund = self.pos_session.order_ids.filtered("is_refund")
        self.assertEqual(len(refund), 1)
        self.assertEqual(refund.state, "paid")
        return refund


@tagged("post_install", "-at_install")
class TestPosTours(PosTours):
    """A person at the simulated terminal beside the till."""

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

    # -- all other operations ------------------------------------------------------------------------

    def test_void_open_order(self):
        self.by_hand()
        self.run_tour("viva_void_open_order")
        self.assert_paid_in_cash(self.order())
        self.assert_moved(sale=[19.99], void=[19.99])

    def test_void_and_reload(self):
        self.by_hand()
        self.run_tour("viva_void_lost_then_reloaded")
        self.assert_paid_in_cash(self.order())
        self.assert_moved(sale=[19.99], void=[19.99])

    def test_refund_same_day(self):
        self.cashier.group_ids |= self.env.ref("viva_payments.group_viva_refund")
        self.run_tour("viva_refund_same_day")
        refund = self.refund_order()
        self.assertEqual(refund.payment_ids.mapped("amount"), [-19.99])
        self.assertEqual(refund.payment_ids.mapped("viva_state"), ["proven"])
        self.assert_moved(sale=[19.99], refund=[19.99])
        self.assertEqual(self.ledger_of("refund").executed, "void")

    def test_refund_without_right(self):
        self.run_tour("viva_refund_without_right")
        self.assertEqual(len(self.pos_session.order_ids), 1)
        self.assert_moved(sale=[19.99])

    def test_refund_two_cards(self):
        self.cashier.group_ids |= self.env.ref("viva_payments.group_viva_refund")
        self.run_tour("viva_refund_two_cards")
        refund = self.refund_order()
        self.assertEqual(sorted(refund.payment_ids.mapped("amount")), [-14.99, -5.0])
        self.assertEqual(set(refund.payment_ids.mapped("viva_state")), {"proven"})
        self.assert_moved(sale=[5.0, 14.99], refund=[14.99, 5.0])

    def test_part_back_same_day(self):
        """Before clearing a terminal gives back only all: the rest is charged anew on the same order."""
        self.cashier.group_ids |= self.env.ref("viva_payments.group_viva_refund")
        self.run_tour("viva_part_back_same_day")
        refund = self.refund_order()
        self.assertEqual(refund.amount_total, -19.99)
        self.assertEqual(sorted(refund.payment_ids.mapped("amount")), [-39.98, 19.99])
        self.assertEqual(set(refund.payment_ids.mapped("viva_state")), {"proven"})
        self.assert_moved(sale=[39.98, 19.99], refund=[39.98])

    def test_installments(self):
        self.method.viva_installment_ids = [
            Command.create({"amount_from": 10, "installments": 3}),
            Command.create({"amount_from": 100, "installments": 12}),
        ]
        self.run_tour("viva_installments")
        sales = self.ledger_of("sale")
        self.assertEqual(sales.mapped("max_installments"), [3, 3])
        self.assertEqual(sales.mapped("installments"), [0, 2])

    def test_hold_park_recall_capture(self):
        self.run_tour("viva_hold_park_recall_capture")
        order = self.pos_session.order_ids.filtered("lines")
        self.assertEqual(order.state, "paid")
        self.assertFalse(order.viva_parked)
        self.assertEqual(order.payment_ids.mapped("viva_state"), ["proven"])
        self.assert_moved(preauth=[100.0], capture=[19.99])

    def test_tip(self):
        self.config.write(
            {
                "iface_tipproduct": True,
                "tip_product_id": self.env.ref("point_of_sale.product_product_tip").id,
            }
        )
        self.run_tour("viva_tip")
        order = self.order()
        self.assertEqual(order.amount_total, 21.99)
        self.assertEqual(order.payment_ids.mapped("amount"), [21.99])
        self.assertEqual(order.payment_ids.mapped("viva_state"), ["proven"])
        self.assertEqual(self.ledger_of("sale").tip_booking, "product")

    def test_panel_by_keyboard(self):
        self.by_hand()
        self.run_tour("viva_panel_by_keyboard")
        self.assert_moved(sale=[19.99], void=[19.99])

    def test_app_is_not_on_a_desktop(self):
        """The method that pays in the app on a handheld pays by cloud here."""
        self.terminal.allow_app = True
        self.run_tour("viva_app_not_on_a_desktop")
        self.assert_paid_by_card(self.order())
        self.assertEqual(self.ledger_of("sale").protocol, "cloud")


@tagged("post_install", "-at_install")
class TestPosAppTours(PosTours):
    """The till runs on the terminal itself: a small Android, with the app that takes the card beside the browser."""

    browser_size = "390x844"
    touch_enabled = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.terminal.allow_app = True

    def run_tour(self, name, login="viva_cashier"):
        navigate_to = ChromeBrowser.navigate_to

        def as_android(browser, *args, **kwargs):
            browser._websocket_request(
                "Emulation.setUserAgentOverride",
                params={"userAgent": ANDROID, "platform": "Linux armv8l"},
            )
            return navigate_to(browser, *args, **kwargs)

        with patch.object(ChromeBrowser, "navigate_to", as_android):
            return super().run_tour(name, login)

    def test_approved(self):
        self.run_tour("viva_app_approved")
        self.assert_paid_by_card(self.order())
        self.assertEqual(self.ledger_of("sale").protocol, "app_to_app")

    def test_declined_then_again(self):
        self.run_tour("viva_app_declined_then_again")
        self.assert_paid_by_card(self.order())

    def test_forged(self):
        self.run_tour("viva_app_forged")
        self.assertEqual(self.order().state, "draft")
        self.assertEqual(self.simulator.charges(), [])
        self.assertNotEqual(self.ledger_of("sale").state, "approved")

    def test_left_then_cancelled(self):
        self.run_tour("viva_app_left_then_cancelled")
        self.assert_paid_in_cash(self.order())
        self.assertEqual(self.simulator.charges(), [])

    def test_cancelled_before_it_was_opened(self):
        self.run_tour("viva_app_cancelled_before")
        self.assert_paid_in_cash(self.order())
        self.assertEqual(self.simulator.control("GET", "app"), [])

    def test_network_away(self):
        self.run_tour("viva_app_network_away")
        self.assert_paid_by_card(self.order())

    def test_void(self):
        self.by_hand()
        self.run_tour("viva_app_void")
        self.assert_paid_in_cash(self.order())
        self.assert_moved(sale=[19.99], void=[19.99])
