"""By which way an operation goes: what the till may ask for, what each way is told, and what it costs."""

import uuid
from unittest.mock import patch

from odoo.sql_db import BaseCursor, Cursor

from ..drivers import CaptureRequest, RefundRequest
from .test_lookup import LookupCase
from .test_rpc import NONSENSE, RpcCase

# Statements of a sale by cloud, from the till's request to its answer, savepoints of the test left out.
SALE_STATEMENTS = 29


class TestWays(RpcCase):
    def test_only_protocols_that_a_till_may_choose(self):
        sound = self.request(self.make_order())
        for value in (*NONSENSE, "cloud", "tcp", "local", "app_to_app "):
            with self.subTest(value=str(value)[:20]):
                if not value:
                    continue
                try:
                    status = self.ledger.pos_start({**sound, "protocol": value})
                except Exception as error:
                    self.assertIn("unreadable", str(error))
                else:
                    self.fail(status)
        self.assertNothingHappened()

    def test_status_has_the_same_keys_whatever_became_of_it(self):
        refused = self.ledger.pos_start(self.request(self.make_order(), 5000))
        self.assertEqual(refused["state"], "refused")
        _request, started = self.charge()
        self.assertLessEqual(set(started), set(refused))
        self.assertEqual(
            (started["protocol"], started["word"], started["offline"], started["app"]),
            ("cloud", "", False, None),
        )
        self.assertEqual((started["can_cancel"], started["cannot_cancel"]), (True, ""))

    def test_a_sale_by_cloud_costs_no_statement_more(self):
        order = self.make_order()
        self.charge(order, 100)
        self.simulator.act("tap")
        self.check_until(self.env["viva.transaction"].search([], limit=1).attempt, "approved")
        request = self.request(order, 200)
        self.env.flush_all()
        statements, execute = [], Cursor.execute

        def count(cursor, query, *args, **options):
            statements.append(str(query))
            return execute(cursor, query, *args, **options)

        with patch.object(Cursor, "execute", count):
            self.assertEqual(self.ledger.pos_start(request)["state"], "pending")
        counted = [text for text in statements if "SAVEPOINT" not in text.upper()]
        self.assertLessEqual(len(counted), SALE_STATEMENTS, "\n".join(counted))
        self.assertTrue(issubclass(Cursor, BaseCursor))


class TestRequests(LookupCase):
    """What a terminal in the shop is told about the payment that is given back or captured."""

    def setUp(self):
        super().setUp()
        model = self.env.ref("viva_payments.terminal_model_a920_pro")
        self.terminal.write({"model_id": model.id, "protocol": "local"})

    def recorded(self, request):
        transaction = self.transaction(request["attempt"]).sudo()
        return self.env["viva.transaction"]._terminal_request(transaction._as_recorded())

    def test_local(self):
        order = self.make_order()
        sale, transaction = self.begin(order)
        self.assertNotEqual(transaction.merchant_reference, transaction.session_id)
        charge = self.at_viva(transaction)
        transaction = self.tell(
            transaction,
            transaction_id=charge["transactionId"],
            transaction_type_id=5,
            order_code="1234567890123456",
        )
        self.assertEqual((transaction.state, transaction.word), ("approved", "gateway"))
        void, status = self.void(sale)
        self.assertEqual((status["state"], status["protocol"]), ("pending", "local"))
        request = self.recorded(void)
        self.assertIsInstance(request, RefundRequest)
        self.assertEqual(request.parent_transaction_id, charge["transactionId"])
        self.assertEqual(request.parent_order_code, "1234567890123456")
        self.assertEqual(request.parent_stan, transaction.stan)

    def test_local_hold(self):
        hold, _status = self.start("preauth", None, 5000, reference="Table 7")
        viva_id = str(uuid.uuid4())
        self.tell(self.transaction(hold["attempt"]), transaction_id=viva_id, transaction_type_id=1)
        order = self.make_order(50)
        capture, status = self.start("capture", order, 5000, parent_attempt=hold["attempt"])
        self.assertEqual(status["state"], "pending", status["message"])
        request = self.recorded(capture)
        self.assertIsInstance(request, CaptureRequest)
        self.assertEqual(request.parent_transaction_id, viva_id)

    def test_a_payment_of_the_cloud_on_a_local_terminal(self):
        order = self.make_order()
        sale, _status = self.charge(order, terminal_id=self.terminal_2.id)
        self.simulator.act("tap", self.terminal_2.viva_id)
        self.check_until(sale["attempt"], "approved")
        void, status = self.void(sale)
        self.assertEqual((status["state"], status["protocol"]), ("pending", "local"))
        self.assertTrue(self.recorded(void).parent_transaction_id)

    def test_cancelling_through_the_gateway(self):
        request, _transaction = self.begin()
        with patch.object(type(self.env["viva.transaction"]), "_abort_by_gateway") as abort:
            status = self.ledger.pos_abort(request["attempt"])
        abort.assert_called_once()
        self.assertTrue(status["abort_asked"])

    def test_a_silent_cloud_does_not_stop_the_shop(self):
        for _number in range(3):
            self.account._connection().unheard()
        _request, status = self.charge(terminal_id=self.terminal_2.id)
        self.assertEqual(status["reason"], "silent")
        self.begin()

    def test_gateway_away(self):
        reason = "The gateway is not connected."
        with patch.object(
            type(self.env["viva.terminal"]), "_gateway_refusal", lambda terminal: reason
        ):
            _request, status = self.charge()
        self.assertEqual((status["state"], status["message"]), ("refused", reason))
        self.assertFalse(self.env["viva.transaction"].search([("protocol", "=", "local")]))

    def test_given_up_while_the_gateway_is_away(self):
        """What may still arrive when it is back has to find the attempt given up."""
        request = self.request(self.make_order())
        with patch.object(
            type(self.env["viva.terminal"]), "_gateway_refusal", lambda terminal: "away"
        ):
            self.assertEqual(self.ledger.pos_abandon(request)["state"], "cancelled")
        self.assertEqual(self.ledger.pos_start(request)["state"], "cancelled")

    def test_a_silent_cloud_is_no_news_of_the_shop(self):
        request, _transaction = self.begin()
        for _number in range(3):
            self.account._connection().unheard()
        status = self.check(request["attempt"])
        self.assertFalse(status["silent"])
        self.assertIn("Waiting for the card", status["message"])


class TestInstead(LookupCase):
    """Viva's API in place of a way that cannot."""

    def test_the_gateway_is_not_needed_for_it(self):
        order = self.make_order()
        sale, transaction = self.begin(order)
        self.tell(transaction)
        self.at_viva(transaction)
        with patch.object(
            type(self.env["viva.terminal"]), "_gateway_refusal", lambda terminal: "away"
        ):
            _void, status = self.void(sale)
            _request, refused = self.charge()
        self.assertEqual((status["state"], status["via"]), ("approved", "api"), status["message"])
        self.assertEqual((refused["state"], refused["reason"]), ("refused", "way"))

    def test_the_app_is_not_opened_on_a_desk(self):
        order = self.make_order()
        sale, transaction = self.begin(order)
        self.tell(transaction)
        self.at_viva(transaction)
        self.terminal_2.protocol = "app_to_app"
        office = self.ledger.with_user(self.refunder)._in_office()
        order = self.validate(order, sale)
        request = self.request(self.refund_order(order), terminal_id=self.terminal_2.id)
        request |= {"operation": "refund", "parent_attempt": sale["attempt"]}
        status = office.pos_start(request)
        self.assertEqual((status["state"], status["via"]), ("approved", "api"), status["message"])
        self.assert_back(1999)
