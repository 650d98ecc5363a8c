"""App-to-App: a till opens the app on its own device, the app comes back; nothing that it says is believed."""

import logging
import re
import uuid
from datetime import timedelta
from unittest.mock import MagicMock, patch
from urllib.parse import parse_qs, urlsplit

from odoo import Command
from odoo.exceptions import AccessError, UserError
from odoo.tests import HttpCase, new_test_user
from odoo.tools import file_open

from ..controllers.app_return import MAX_QUERY
from ..models.viva_transaction_app import MOST_CALLS
from .common import TERMINAL
from .test_give_back import GiveBackCase

APP = "vivapayclient://pay/v1?action="


class AppCase(GiveBackCase, HttpCase):
    """A terminal on which a till runs as well, and the simulator's app on it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.terminal.allow_app = True
        cls.env["ir.config_parameter"].set_param("web.base.url", "http://127.0.0.1:8069")

    def begin(self, order=None, amount_minor=1999, **values):
        """Pay in the app; returns (request, Status with the address that charges)."""
        values = {"protocol": "app_to_app", **values}
        request, status = self.charge(order, amount_minor, **values)
        self.assertEqual(status["state"], "pending", status["message"])
        self.assertTrue(self.bare(status["app"]["uri"]).startswith(f"{APP}sale&"))
        return request, status

    def bare(self, address):
        """With custom addresses a page plays the app: the URI that it is opened with."""
        self.assertTrue(address.startswith(f"{self.simulator.url}/app?uri="), address)
        return parse_qs(urlsplit(address).query)["uri"][0]

    def open(self, uri, action="approve", **options):
        """The app does what a person wants; returns the address that it opens then, or None."""
        sent = {"uri": self.bare(uri), "action": action, "terminalId": TERMINAL, **options}
        self.opened = self.simulator.control("POST", "app/open", sent)
        return self.opened["callback"]

    def come_back(self, callback, **options):
        """The device's browser opens the address: nobody is logged in there."""
        parts = urlsplit(callback)
        self.env.flush_all()
        self.env.cr.clear()
        self.opener.cookies.clear()
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        response = self.url_open(path, allow_redirects=False, **options)
        self.env.invalidate_all()
        return response

    def pay_in_app(self, amount_minor=1999, action="approve", **options):
        """A whole sale in the app, without asking Viva yet; returns (order, request, callback)."""
        order = self.make_order(amount_minor / 100)
        request, status = self.begin(order, amount_minor)
        callback = self.open(status["app"]["uri"], action, **options)
        if callback:
            self.come_back(callback)
        return order, request, callback

    def later(self, attempt, seconds):
        transaction = self.transaction(attempt)
        names = ("sent_at", "looked_at", "settled_at", "recheck_at", "app_told_at")
        moved = {
            name: transaction[name] - timedelta(seconds=seconds)
            for name in names
            if transaction[name]
        }
        return self.amend(attempt, **moved)

    def look(self, attempt, seconds=30):
        """The till asks when so much time has passed; the Status."""
        self.later(attempt, seconds)
        return self.check(attempt)


class TestApp(AppCase):
    def test_paid(self):
        order, request, _callback = self.pay_in_app()
        transaction = self.transaction(request["attempt"])
        self.assertEqual(transaction.state, "pending", "the app alone is not believed")
        self.assertIn("app has returned", transaction.message)
        status = self.check(request["attempt"])
        self.assertEqual(
            (status["state"], status["protocol"], status["word"]),
            ("approved", "app_to_app", "viva"),
            status["message"],
        )
        self.assertIsNone(status["app"])
        self.assertEqual(
            status["result"]["transaction_id"], self.simulator.charges()[0]["transactionId"]
        )
        self.validate(order, request)
        self.assertEqual(order.payment_ids.viva_state, "proven")
        self.assertEqual(self.violations(), [])
        kinds = self.transaction(request["attempt"]).step_ids.mapped("kind")
        self.assertEqual(kinds, ["asked", "accepted", "app", "read"])

    def test_the_address_that_charges_is_told_once(self):
        request, status = self.begin()
        again = self.ledger.pos_start(request)
        self.assertEqual((again["state"], again["app"]["uri"]), ("pending", ""))
        for name in ("foreground", "details", "abort"):
            self.assertTrue(self.bare(again["app"][name]).startswith(APP), name)
        found = self.ledger.pos_find([request["order_uuid"]])[0]
        self.assertEqual(found["app"]["uri"], "")
        parameters = parse_qs(urlsplit(self.bare(status["app"]["uri"])).query)
        self.assertEqual(parameters["amount"], ["1999"])
        transaction = self.transaction(request["attempt"])
        self.assertEqual(parameters["clientTransactionId"], [transaction.merchant_reference])
        self.assertNotIn("ISV", status["app"]["uri"])
        self.assertNotIn("sim-secret", status["app"]["uri"])

    def test_the_token_is_not_to_be_read(self):
        request, status = self.begin()
        transaction = self.transaction(request["attempt"])
        self.assertGreaterEqual(len(transaction.sudo().app_token), 40)
        with self.assertRaises(AccessError):
            transaction.with_user(self.manager).read(["app_token"])
        self.assertNotIn("app_token", transaction.with_user(self.manager).fields_get())
        self.assertIn(transaction.sudo().app_token, status["app"]["uri"])

    def test_only_where_it_is_allowed(self):
        _request, status = self.charge(protocol="app_to_app", terminal_id=self.terminal_2.id)
        self.assertEqual((status["state"], status["reason"]), ("refused", "protocol"))
        self.terminal_2.protocol = "app_to_app"
        request, status = self.charge(terminal_id=self.terminal_2.id)
        self.assertEqual(self.transaction(request["attempt"]).protocol, "app_to_app")
        self.assertTrue(status["app"]["uri"])

    def test_needs_keys_and_an_address_to_return_to(self):
        self.account.api_key = False
        _request, status = self.charge(protocol="app_to_app")
        self.assertEqual((status["state"], status["reason"]), ("refused", "way"))
        self.assertIn("API Key", status["message"])
        self.account.api_key = "sim-api-key"
        self.env["ir.config_parameter"].set_param("web.base.url", "http://shop.example.com")
        _request, status = self.charge(protocol="app_to_app")
        self.assertEqual((status["state"], status["reason"]), ("refused", "way"))
        self.assertIn("https", status["message"])
        self.assertFalse(self.env["viva.transaction"].search([("protocol", "=", "app_to_app")]))
        _request, status = self.charge()
        self.assertEqual(status["state"], "pending", "by cloud as before")

    def test_ways(self):
        ways = self.terminal.with_user(self.cashier).viva_ways
        self.assertEqual([way["protocol"] for way in ways], ["cloud", "app_to_app"])
        self.assertEqual([way["on_device"] for way in ways], [False, True])
        self.assertEqual(ways[1]["abilities"]["sale"], "")
        self.assertTrue(ways[1]["abilities"]["release"])

    def test_the_real_app_is_opened_by_its_own_address(self):
        for environment in ("demo", "live"):
            self.env.cr.execute(
                "UPDATE viva_account SET environment = %s WHERE id = %s",
                (environment, self.account.id),
            )
            self.env.invalidate_all()
            uri = f"{APP}sale&amount=1"
            opened = self.env["viva.transaction"]._on_device(self.account, uri, TERMINAL)
            self.assertEqual(opened, uri)

    # -- what people do ----------------------------------------------------------------------------

    def test_cancelled_in_the_app(self):
        order, request, _callback = self.pay_in_app(action="cancel")
        status = self.check(request["attempt"])
        self.assertEqual(
            (status["state"], status["reason"]), ("cancelled", "cancelled_on_terminal")
        )
        self.assertTrue(self.transaction(request["attempt"]).recheck_at)
        _request, status = self.begin(order)
        self.assertEqual(status["state"], "pending", "another try")

    def test_declined(self):
        _order, request, _callback = self.pay_in_app(action="decline")
        self.assertEqual(self.check(request["attempt"])["state"], "declined")

    def test_leaves_without_paying(self):
        order, request, callback = self.pay_in_app(action="leave")
        self.assertIsNone(callback)
        self.assertEqual(self.look(request["attempt"], 60)["state"], "pending")
        status = self.look(request["attempt"], 120)
        self.assertEqual((status["state"], status["reason"]), ("unknown", "no_callback"))
        self.assertFalse(self.transaction(request["attempt"]).holds_terminal)
        _request, refused = self.charge(order, protocol="app_to_app")
        self.assertEqual(refused["reason"], "order_open", "never two charges")
        status = self.look(request["attempt"], 600)
        self.assertEqual((status["state"], status["reason"]), ("failed", "app_never_paid"))
        self.assertTrue(self.transaction(request["attempt"]).recheck_at)
        self.begin(order)

    def test_left_and_asked_for_details(self):
        """That the app does not find it is no end: it may be asking for the card at this moment."""
        order, request, _callback = self.pay_in_app(action="leave")
        details = self.check(request["attempt"])["app"]["details"]
        self.later(request["attempt"], 120)
        self.come_back(self.open(details))
        self.assertEqual(self.look(request["attempt"], 10)["state"], "pending")
        self.assertEqual(self.look(request["attempt"], 60)["state"], "unknown")
        _request, refused = self.charge(order, protocol="app_to_app")
        self.assertEqual(refused["reason"], "order_open")
        self.assertEqual(self.look(request["attempt"], 600)["reason"], "app_never_paid")

    def test_paid_and_no_callback(self):
        order, request, callback = self.pay_in_app(action="silent")
        self.assertIsNone(callback)
        status = self.look(request["attempt"])
        self.assertEqual(status["state"], "approved", status["message"])
        self.validate(order, request)
        self.assertEqual(len(self.simulator.charges()), 1)

    def test_paid_and_found_by_details(self):
        _order, request, _callback = self.pay_in_app(action="silent")
        status = self.check(request["attempt"])
        self.assertEqual(status["state"], "pending")
        self.come_back(self.open(status["app"]["details"]))
        self.assertEqual(self.check(request["attempt"])["state"], "approved")

    def test_cancelled_by_the_till(self):
        request, status = self.begin()
        self.open(status["app"]["uri"], "hold")
        status = self.ledger.pos_abort(request["attempt"])
        self.assertEqual((status["state"], status["abort_asked"]), ("pending", True))
        self.come_back(self.open(status["app"]["abort"]))
        status = self.check(request["attempt"])
        self.assertEqual((status["state"], status["reason"]), ("cancelled", "aborted"))

    def test_cancelled_too_late(self):
        request, status = self.begin()
        self.open(status["app"]["uri"], "hold")
        self.simulator.control("POST", "app/options", {"abort_ignored": True})
        status = self.ledger.pos_abort(request["attempt"])
        self.come_back(self.open(status["app"]["abort"]))
        status = self.check(request["attempt"])
        self.assertEqual((status["state"], status["can_cancel"]), ("pending", True))
        self.simulator.act("tap")
        self.wait_for(self.simulator.charges)
        self.assertEqual(self.look(request["attempt"])["state"], "approved")

    def test_never_opened(self):
        order = self.make_order()
        request, _status = self.begin(order)
        status = self.ledger.pos_abort(request["attempt"], True)
        self.assertEqual((status["state"], status["reason"]), ("cancelled", "never_sent"))
        self.assertTrue(self.transaction(request["attempt"]).recheck_at)
        self.begin(order)

    def test_never_opened_is_a_lie(self):
        request, status = self.begin()
        self.open(status["app"]["uri"], "silent")
        status = self.ledger.pos_abort(request["attempt"], True)
        self.assertEqual(status["state"], "approved", "Viva's list is read before")
        request, status = self.begin()
        uri = status["app"]["uri"]
        self.ledger.pos_abort(request["attempt"], True)
        self.come_back(self.open(uri))
        status = self.look(request["attempt"])
        self.assertEqual(status["state"], "approved")
        self.assertIn(
            "Charged after all",
            self.transaction(request["attempt"]).activity_ids.mapped("summary"),
        )

    def test_only_who_began_it_can_say_that(self):
        request, _status = self.begin()
        other = self.ledger.with_user(self.refunder)
        self.assertEqual(other.pos_abort(request["attempt"], True)["state"], "pending")

    def test_paid_after_a_no(self):
        """The app said no, or somebody in its name; Viva tells later that the customer was charged."""
        request, status = self.begin()
        callback = self.open(status["app"]["uri"], "silent")
        self.simulator.control("POST", "faults", {"transactions_lag_s": 60})
        self.come_back(self.fail_of(request))
        self.assertEqual(self.check(request["attempt"])["state"], "cancelled")
        self.simulator.control("POST", "faults", {"transactions_lag_s": 0})
        status = self.look(request["attempt"], 700)
        self.assertEqual(status["state"], "approved")
        self.assertIsNone(callback)
        self.assertIn(
            "Charged after all",
            self.transaction(request["attempt"]).activity_ids.mapped("summary"),
        )

    # -- what the app, or somebody in its name, says -----------------------------------------------

    def address_of(self, request, kind=""):
        transaction = self.transaction(request["attempt"]).sudo()
        token = f"{transaction.app_side_token}/{kind}" if kind else transaction.app_token
        return f"http://127.0.0.1:8069/viva/app/{token}"

    def fail_of(self, request):
        return self.address_of(request) + "?status=fail&message=(-4) USER_CANCEL&action=sale"

    def success_of(self, request, **values):
        told = {
            "status": "success",
            "message": "Transaction successful",
            "action": "sale",
            "clientTransactionId": self.transaction(request["attempt"]).merchant_reference,
            "amount": "1999",
            "transactionId": str(uuid.uuid4()),
            **values,
        }
        query = "&".join(f"{name}={value}" for name, value in told.items())
        return f"{self.address_of(request)}?{query}"

    def test_twice(self):
        _order, request, callback = self.pay_in_app()
        self.check(request["attempt"])
        transaction = self.transaction(request["attempt"])
        steps = len(transaction.step_ids)
        self.assertEqual(self.come_back(callback).status_code, 200)
        self.assertEqual(self.check(request["attempt"])["state"], "approved")
        self.assertEqual(len(self.transaction(request["attempt"]).step_ids), steps)

    def test_forged_success(self):
        order, request, _callback = self.pay_in_app(action="forge")
        self.assertEqual(self.check(request["attempt"])["state"], "pending")
        status = self.look(request["attempt"], 200)
        self.assertEqual((status["state"], status["reason"]), ("unknown", "app_unconfirmed"))
        self.assertFalse(status["charged"])
        status = self.look(request["attempt"], 3600)
        self.assertEqual(status["state"], "unknown", "a person decides; never a no by itself")
        _request, refused = self.charge(order, protocol="app_to_app")
        self.assertEqual(refused["reason"], "order_open")
        self.assertEqual(self.simulator.charges(), [])

    def test_forged_fail_while_the_customer_pays(self):
        request, status = self.begin()
        self.come_back(self.fail_of(request))
        self.open(status["app"]["uri"], "silent")
        status = self.check(request["attempt"])
        self.assertEqual(status["state"], "approved", "Viva's list is read before the no")
        self.assertEqual(len(self.simulator.charges()), 1)

    def test_replayed_id_of_an_older_sale(self):
        for old_reference in (False, True):
            with self.subTest(old_reference=old_reference):
                self.simulator.reset()
                order, sale, _callback = self.pay_in_app()
                self.check(sale["attempt"])
                self.validate(order, sale)
                _order, request, _callback = self.pay_in_app(
                    action="replay", old_reference=old_reference
                )
                status = self.check(request["attempt"])
                self.assertIn(status["state"], ("pending", "unknown"))
                status = self.look(request["attempt"], 200)
                self.assertEqual(status["state"], "unknown", status["message"])
                self.assertFalse(status["charged"])
                self.assertEqual(len(self.simulator.charges()), 1)

    def test_id_of_a_sale_that_was_typed_into_the_app(self):
        """Same amount, same terminal, no reference, not in the ledger: the money of another customer."""
        request, _status = self.begin()
        by_hand = f"{APP}sale&appId=x&amount=1999&callback=https://x.example"
        callback = self.simulator.control("POST", "app/open", {"uri": by_hand})["callback"]
        viva_id = parse_qs(urlsplit(callback).query)["transactionId"][0]
        self.come_back(self.success_of(request, transactionId=viva_id))
        self.assertEqual(self.check(request["attempt"])["state"], "pending")
        status = self.look(request["attempt"], 200)
        self.assertEqual((status["state"], status["reason"]), ("unknown", "app_unconfirmed"))
        self.assertFalse(status["charged"])

    def test_of_another_order(self):
        """The address of one payment with the answer of another."""
        request, status = self.begin()
        _order, paid, callback = self.pay_in_app_elsewhere()
        query = urlsplit(callback).query
        self.come_back(f"{self.address_of(request)}?{query}")
        transaction = self.transaction(request["attempt"])
        self.assertEqual(transaction.state, "pending")
        self.assertIn("another payment", transaction.step_ids[-1].note)
        self.assertEqual(self.look(request["attempt"])["state"], "pending")
        self.assertEqual(self.check(paid["attempt"])["state"], "approved")
        self.come_back(self.open(status["app"]["uri"]))
        self.assertEqual(self.look(request["attempt"], 5)["state"], "approved")

    def pay_in_app_elsewhere(self):
        self.terminal_2.allow_app = True
        order = self.make_order()
        request, status = self.begin(order, terminal_id=self.terminal_2.id)
        callback = self.open(status["app"]["uri"], terminalId=self.terminal_2.viva_id)
        self.come_back(callback)
        return order, request, callback

    def test_another_amount(self):
        _order, request, _callback = self.pay_in_app(amount=99)
        status = self.check(request["attempt"])
        self.assertEqual((status["state"], status["reason"]), ("unknown", "amount"))
        self.assertFalse(status["charged"])

    def test_another_device(self):
        """The app of another terminal took the money: right reference, wrong terminal."""
        request, status = self.begin()
        self.come_back(self.open(status["app"]["uri"], terminalId=self.terminal_2.viva_id))
        status = self.check(request["attempt"])
        self.assertEqual((status["state"], status["reason"]), ("unknown", "terminal"))

    def test_a_lie_about_the_amount_changes_nothing(self):
        _order, request, _callback = self.pay_in_app(callback_amount=1)
        self.assertEqual(self.check(request["attempt"])["approved_minor"], 1999)

    def test_before_pos_start_has_answered(self):
        """The app is faster than the answer to the till."""
        request, status = self.begin()
        self.amend(request["attempt"], state="sent")
        self.come_back(self.open(status["app"]["uri"]))
        self.assertEqual(self.check(request["attempt"])["state"], "approved")

    def test_of_another_company(self):
        request, _status = self.begin()
        other = self.env["res.company"].create({"name": "Other"})
        stranger = new_test_user(
            self.env,
            "app_stranger",
            groups="base.group_user,point_of_sale.group_pos_user",
            company_id=other.id,
            company_ids=[Command.set(other.ids)],
        )
        ledger = self.ledger.with_user(stranger)
        self.assertEqual(ledger.pos_check([request["attempt"]]), [])
        self.assertEqual(ledger.pos_find([request["order_uuid"]]), [])

    def test_a_stranger_makes_nobody_call_viva(self):
        request, _status = self.begin()
        before = self.requests_to_viva()
        for number in range(MOST_CALLS + 10):
            response = self.come_back(self.success_of(request, rrn=str(100000 + number)))
            self.assertEqual(response.status_code, 200)
        self.assertEqual(self.requests_to_viva(), before)
        transaction = self.transaction(request["attempt"])
        self.assertLessEqual(transaction.app_calls, MOST_CALLS)
        self.assertLessEqual(len(transaction.step_ids), MOST_CALLS + 2)
        self.check(request["attempt"])
        looked = self.requests_to_viva()
        for _number in range(5):
            self.come_back(self.success_of(request))
            self.check(request["attempt"])
        self.assertLessEqual(self.requests_to_viva() - looked, 3)

    def test_guessed_addresses(self):
        request, _status = self.begin()
        token = self.transaction(request["attempt"]).sudo().app_token
        side = self.transaction(request["attempt"]).sudo().app_side_token
        for path in (
            f"/viva/app/{side}",
            f"/viva/app/{token}/abort",
            "/viva/app/" + "a" * 29 + "%00a",
            "/viva/app/x",
            f"/viva/app/{uuid.uuid4().hex}",
            f"/viva/app/{token[:-1]}",
            f"/viva/app/{token.swapcase()}",
            f"/viva/app/{token}/refund",
            "/viva/app/%00%ff",
            "/viva/app/" + "a" * 5000,
        ):
            with self.subTest(path=path[:40]):
                response = self.come_back(f"http://127.0.0.1{path}?status=success")
                self.assertEqual(response.status_code, 404)
                self.assertNotIn("/pos/ui/", response.text)
                self.assertIn("press Check with Viva", response.text)  # the till's button
        self.assertFalse(self.transaction(request["attempt"]).app_calls)

    def test_too_much(self):
        request, _status = self.begin()
        response = self.come_back(self.address_of(request) + "?status=success&x=" + "y" * MAX_QUERY)
        self.assertEqual(response.status_code, 414)
        self.assertFalse(self.transaction(request["attempt"]).app_calls)

    def test_nonsense(self):
        request, _status = self.begin()
        for query in (
            "%ff%fe",
            "status",
            "status=success&status=fail",
            "=&&=",
            "message=(x)",
            "%00",
        ):
            with self.subTest(query=query):
                self.assertEqual(
                    self.come_back(f"{self.address_of(request)}?{query}").status_code, 200
                )
        self.assertEqual(self.look(request["attempt"])["state"], "pending")

    def test_nothing_secret_is_kept_or_logged(self):
        request, status = self.begin()
        callback = self.open(status["app"]["uri"])
        with self.assertLogs("werkzeug", logging.INFO) as logs:
            self.come_back(callback + "&ISV_clientSecret=topsecret&cardholderName=MARIA")
        text = " ".join(logs.output)
        token = self.transaction(request["attempt"]).sudo().app_token
        for secret in (token, "topsecret", "accountNumber"):
            self.assertNotIn(secret, text)
        raw = str(self.transaction(request["attempt"]).step_ids.mapped("raw"))
        for secret in (token, "topsecret", "MARIA"):
            self.assertNotIn(secret, raw)

    # -- attacks that worked once ------------------------------------------------------------------

    def test_opened_twice_before_anybody_looked(self):
        request, status = self.begin()
        self.open(status["app"]["uri"])
        self.come_back(self.open(status["app"]["uri"]))
        self.assertEqual(len(self.simulator.charges()), 2)
        status = self.check(request["attempt"])
        self.assertEqual((status["state"], status["reason"]), ("unknown", "twice"))

    def test_opened_twice_after_it_was_approved(self):
        for comes_back in (True, False):
            with self.subTest(comes_back=comes_back):
                self.simulator.reset()
                request, status = self.begin()
                uri = status["app"]["uri"]
                self.come_back(self.open(uri))
                self.assertEqual(self.check(request["attempt"])["state"], "approved")
                callback = self.open(uri)
                if comes_back:
                    self.come_back(callback)
                self.look(request["attempt"], 200)
                transaction = self.transaction(request["attempt"])
                self.assertIn("Paid twice?", transaction.activity_ids.mapped("summary"))
                self.assertEqual(transaction.state, "approved", "it is paid, once too often")
                self.assertFalse(transaction.recheck_at)

    def test_an_event_tells_of_a_second_payment(self):
        _order, request, _callback = self.pay_in_app()
        self.check(request["attempt"])
        transaction = self.transaction(request["attempt"])
        for viva_id, alarms in ((transaction.viva_transaction_id, 0), (str(uuid.uuid4()), 1)):
            message = {
                "EventTypeId": 1796,
                "MessageId": str(uuid.uuid4()),
                "RecipientId": self.account.merchant_id,
                "EventData": {
                    "MerchantTrns": transaction.merchant_reference,
                    "TransactionId": viva_id,
                },
            }
            self.env["viva.event"]._receive(self.account, message)
            self.check(request["attempt"])
            transaction = self.transaction(request["attempt"])
            self.assertEqual(len(transaction.activity_ids), alarms)
        self.assertEqual(transaction.state, "approved")

    def test_who_is_not_believed_does_not_make_viva_asked(self):
        request, _status = self.begin()
        before = self.requests_to_viva()
        for _number in range(5):
            self.ledger.with_user(self.refunder).pos_abort(request["attempt"], True)
        self.assertEqual(self.requests_to_viva(), before)

    def test_a_success_after_many_returns_is_kept(self):
        request, status = self.begin()
        self.open(status["app"]["uri"], "hold")
        for _number in range(MOST_CALLS):
            for kind in ("abort", "details"):
                self.come_back(self.address_of(request, kind) + "?status=fail&message=(-999) A")
        viva_id = str(uuid.uuid4())
        self.come_back(self.success_of(request, transactionId=viva_id))
        transaction = self.transaction(request["attempt"])
        self.assertEqual(transaction.sudo().app_answer["transaction_id"], viva_id)
        calls = transaction.app_calls
        for _number in range(5):
            self.come_back(self.success_of(request))
        self.assertEqual(self.transaction(request["attempt"]).app_calls, calls)
        status = self.look(request["attempt"], 700)
        self.assertEqual((status["state"], status["reason"]), ("unknown", "app_unconfirmed"))

    def test_void_that_tells_the_originals_reference(self):
        _order, sale, _callback = self.pay_in_app()
        self.check(sale["attempt"])
        request, status = self.void(sale, protocol="app_to_app")
        told = parse_qs(urlsplit(self.open(status["app"]["uri"])).query)
        reference = self.transaction(sale["attempt"]).merchant_reference
        viva_id = told["transactionId"][0]
        self.come_back(
            self.success_of(request, transactionId=viva_id, clientTransactionId=reference)
        )
        self.assertEqual(self.check(request["attempt"])["state"], "approved")

    def test_a_declined_card_before_the_one_that_paid(self):
        """Viva lists the failed attempt already, the success not yet; the app has told it."""
        order = self.make_order()
        request, status = self.begin(order)
        self.open(status["app"]["uri"], "decline")
        self.come_back(self.success_of(request))
        status = self.look(request["attempt"], 700)
        self.assertEqual((status["state"], status["reason"]), ("unknown", "app_unconfirmed"))
        _request, refused = self.charge(order, protocol="app_to_app")
        self.assertEqual(refused["reason"], "order_open")

    def test_a_manager_does_not_decide_while_the_app_may_be_open(self):
        request, _status = self.begin()
        self.assertEqual(self.look(request["attempt"], 200)["state"], "unknown")
        transaction = self.transaction(request["attempt"])
        with self.assertRaises(UserError):
            self.ledger._decide(transaction.id, "failed", "not paid", self.manager)
        self.later(request["attempt"], 200)
        self.ledger._decide(transaction.id, "failed", "not paid", self.manager)

    def test_a_declined_card_is_no_end_while_the_app_asks_on(self):
        request, status = self.begin()
        self.later(request["attempt"], 140)
        self.open(status["app"]["uri"], "decline")
        self.assertIn(self.look(request["attempt"], 20)["state"], ("pending", "unknown"))

    def test_nobody_else_is_told_where_the_app_answers(self):
        request, _status = self.begin()
        own = self.ledger.pos_find([request["order_uuid"]])[0]["app"]
        token = self.transaction(request["attempt"]).sudo().app_token
        self.assertNotIn(token, str(own), "the address that ends it was told once")
        other = self.ledger.with_user(self.refunder).pos_find([request["order_uuid"]])[0]["app"]
        self.assertEqual((other["abort"], other["details"]), ("", ""))

    def test_a_cancellation_that_nobody_asked_for(self):
        request, status = self.begin()
        self.open(status["app"]["uri"], "hold")
        for query in ("status=success&action=abort", "status=fail&message=(-57) ABORTED"):
            self.come_back(f"{self.address_of(request, 'abort')}?{query}")
            self.assertEqual(self.look(request["attempt"], 10)["state"], "pending", query)

    def test_listed_a_day_later(self):
        request, status = self.begin()
        self.come_back(self.success_of(request, transactionId=""))
        self.later(request["attempt"], 26 * 3600)
        self.open(status["app"]["uri"], "silent")
        self.assertEqual(self.look(request["attempt"], 3700)["state"], "approved")

    def test_accepted_by_a_manager_and_never_listed(self):
        request, _status = self.begin()
        self.later(request["attempt"], 70)
        self.ledger.with_user(self.manager).pos_force(request["attempt"], "saw the slip")
        for hours in (1, 30, 40):
            self.look(request["attempt"], hours * 3600)
        transaction = self.transaction(request["attempt"])
        self.assertEqual((transaction.state, transaction.is_forced), ("approved", True))
        self.assertEqual(
            transaction.activity_ids.mapped("summary"), ["Booked as paid, but Viva did not charge"]
        )

    def test_a_till_in_another_currency(self):
        self.account.currency_id = self.env.ref("base.RON")
        _request, status = self.charge(protocol="app_to_app")
        self.assertEqual((status["state"], status["reason"]), ("refused", "currency"))
        _request, status = self.charge()
        self.assertEqual(status["state"], "pending", "the cloud is told the currency")

    # -- the page ----------------------------------------------------------------------------------

    def test_page(self):
        order, request, callback = self.pay_in_app()
        response = self.come_back(callback)
        back = f"/pos/ui/{self.config.id}/payment/{order.uuid}"
        self.assertIn(f'href="{back}"', response.text)
        self.assertIn("viva_payments", response.text)
        self.assertIn("Back to the till", response.text)
        policy = response.headers["Content-Security-Policy"]
        nonce = re.search(r"script-src 'nonce-([^']+)'", policy)[1]
        self.assertIn(f'<script nonce="{nonce}"', response.text)
        self.assertEqual(response.headers["Cache-Control"], "no-store")
        self.assertEqual(response.headers["Referrer-Policy"], "no-referrer")
        for secret in (
            self.transaction(request["attempt"]).sudo().app_token,
            "19.99",
            self.transaction(request["attempt"]).merchant_reference,
        ):
            self.assertNotIn(secret, response.text)
        greek = self.come_back(callback, headers={"Accept-Language": "el-GR,el;q=0.9"})
        self.assertIn("Επιστροφή", greek.text)
        self.assertIn('lang="el"', greek.text)

    def test_a_look_without_a_query_says_nothing(self):
        request, _status = self.begin()
        self.assertEqual(self.come_back(self.address_of(request)).status_code, 200)
        self.assertFalse(self.transaction(request["attempt"]).app_calls)

    # -- money back and holds ----------------------------------------------------------------------

    def test_void_in_the_app(self):
        order, sale, _callback = self.pay_in_app()
        self.check(sale["attempt"])
        request, status = self.start(
            "void", None, 1999, parent_attempt=sale["attempt"], protocol="app_to_app"
        )
        self.assertEqual(status["state"], "pending", status["message"])
        self.assertIn("action=cancel&", self.bare(status["app"]["uri"]))
        self.come_back(self.open(status["app"]["uri"]))
        status = self.check(request["attempt"])
        self.assertEqual((status["state"], status["executed"]), ("approved", "void"), status)
        self.assert_back(1999)
        self.begin(order)

    def test_void_without_a_callback_is_a_doubt(self):
        """Its row at Viva carries nothing of ours: a person decides, and nothing is given back twice."""
        _order, sale, _callback = self.pay_in_app()
        self.check(sale["attempt"])
        request, status = self.start(
            "void", None, 1999, parent_attempt=sale["attempt"], protocol="app_to_app"
        )
        self.open(status["app"]["uri"], "silent")
        status = self.look(request["attempt"])
        self.assertEqual((status["state"], status["reason"]), ("unknown", "reference"))
        _request, again = self.start(
            "void", None, 1999, parent_attempt=sale["attempt"], protocol="app_to_app"
        )
        self.assertEqual(again["state"], "refused")
        self.assert_back(1999)

    def test_words_of_money_back(self):
        _order, sale, _callback = self.pay_in_app()
        self.check(sale["attempt"])
        request, _status = self.start(
            "void", None, 1999, parent_attempt=sale["attempt"], protocol="app_to_app"
        )
        for state, reason in (
            ("unknown", "no_callback"),
            ("unknown", "app_unconfirmed"),
            ("failed", "app_never_paid"),
        ):
            with self.subTest(reason=reason):
                void = self.amend(request["attempt"], state=state, reason=reason)
                self.assertNotIn("charge", void._words())
                self.assertNotIn("paid", void._words())

    def test_neutralized(self):
        request, _status = self.begin()
        transaction = self.transaction(request["attempt"]).sudo()
        secrets = [transaction.app_token, transaction.app_side_token]
        self.assertTrue(all(secrets))
        self.env.flush_all()
        with file_open("viva_payments/data/neutralize.sql") as script:
            self.env.cr.execute(script.read())
        self.env.invalidate_all()
        self.env.cr.execute("SELECT row_to_json(viva_transaction)::text FROM viva_transaction")
        dump = "".join(row for (row,) in self.env.cr.fetchall())
        for secret in secrets:
            self.assertNotIn(secret, dump)

    def test_forged_void(self):
        _order, sale, _callback = self.pay_in_app()
        self.check(sale["attempt"])
        request, _status = self.start(
            "void", None, 1999, parent_attempt=sale["attempt"], protocol="app_to_app"
        )
        for transaction_id in (
            str(uuid.uuid4()),
            self.transaction(sale["attempt"]).viva_transaction_id,
        ):
            callback = self.success_of(request, transactionId=transaction_id, action="cancel")
            self.come_back(callback)
            self.assertIn(self.look(request["attempt"])["state"], ("pending", "unknown"))
        self.assertTrue(self.check(sale["attempt"])["charged"])
        self.assert_back()

    def test_void_that_was_made_before(self):
        """The id of money that went back in Viva's portal before anybody asked for it here."""
        _order, sale, _callback = self.pay_in_app(3000)
        self.check(sale["attempt"])
        original = self.transaction(sale["attempt"]).viva_transaction_id
        self.clear(sale)
        self.later(sale["attempt"], 2 * 24 * 3600)
        answer = self.account._transactions_api().reverse(
            original,
            1000,
            "EUR",
            merchant_reference=self.transaction(sale["attempt"]).merchant_reference,
        )
        self.simulator.control("POST", "clock", {"advance_s": 3600})
        request, status = self.start(
            "void", None, 3000, parent_attempt=sale["attempt"], protocol="app_to_app"
        )
        self.assertEqual(status["state"], "pending", status["message"])
        transaction_id = answer.transaction_id
        self.come_back(self.success_of(request, transactionId=transaction_id, action="cancel"))
        self.assertIn(self.look(request["attempt"])["state"], ("pending", "unknown"))
        self.assertFalse(self.check(request["attempt"])["charged"])

    def test_refund_in_the_app(self):
        order, sale, _callback = self.pay_in_app()
        self.check(sale["attempt"])
        self.validate(order, sale)
        self.clear(sale)
        self.later(sale["attempt"], 2 * 24 * 3600)
        _refund, request, status = self.refund(order, sale, 1200, protocol="app_to_app")
        self.assertEqual(status["state"], "pending", status["message"])
        self.come_back(self.open(status["app"]["uri"]))
        status = self.check(request["attempt"])
        self.assertEqual((status["state"], status["executed"]), ("approved", "refund"))
        self.assert_back(1200)

    def test_cancelled_refund(self):
        order, sale, _callback = self.pay_in_app()
        self.check(sale["attempt"])
        self.validate(order, sale)
        _refund, request, status = self.refund(order, sale, protocol="app_to_app")
        self.come_back(self.open(status["app"]["uri"], "cancel"))
        self.assertEqual(self.check(request["attempt"])["state"], "cancelled")
        self.assert_back()

    def test_refund_of_the_app_at_a_desk(self):
        """The app could give it back itself: another terminal is nobody's way around a manager."""
        order, sale, _callback = self.pay_in_app()
        self.check(sale["attempt"])
        self.validate(order, sale)
        refund, _request, status = self.refund(order, sale)
        self.assertEqual((status["state"], status["reason"]), ("refused", "ability"))
        self.assertIn("api", [choice["name"] for choice in status["choices"]])
        self.assert_back()
        _refund, _request, status = self.refund(
            order, sale, refund=refund, via="api", by=self.manager
        )
        self.assertEqual(status["state"], "approved", status["message"])
        self.assert_back(1999)

    def test_hold_and_capture(self):
        order = self.make_order(50)
        request, status = self.start(
            "preauth", order, 5000, reference="Table 7", protocol="app_to_app"
        )
        self.assertIn("action=pre_auth&", self.bare(status["app"]["uri"]))
        self.come_back(self.open(status["app"]["uri"]))
        self.assertEqual(self.check(request["attempt"])["state"], "approved")
        capture, status = self.start(
            "capture", order, 5000, parent_attempt=request["attempt"], protocol="app_to_app"
        )
        self.assertIn("action=capture_pre_auth&", self.bare(status["app"]["uri"]))
        self.come_back(self.open(status["app"]["uri"]))
        status = self.check(capture["attempt"])
        self.assertEqual(status["state"], "approved", status["message"])

    def test_release_goes_through_the_api(self):
        request, status = self.start(
            "preauth", None, 5000, reference="Table 7", protocol="app_to_app"
        )
        self.come_back(self.open(status["app"]["uri"]))
        self.check(request["attempt"])
        _release, status = self.start(
            "release", None, 5000, parent_attempt=request["attempt"], protocol="app_to_app"
        )
        self.assertEqual((status["state"], status["via"]), ("approved", "api"), status["message"])

    def test_the_demo_app_gives_nothing_back(self):
        self.env.cr.execute(
            "UPDATE viva_account SET environment = 'demo' WHERE id = %s", (self.account.id,)
        )
        self.env.invalidate_all()
        self.env["ir.config_parameter"].set_param("web.base.url", "https://shop.example.com")
        abilities = self.terminal._abilities("app_to_app")
        self.assertTrue(abilities["refund"] and abilities["void"])
        self.assertFalse(abilities["sale"])
        self.assertEqual(self.terminal._fallback("refund", "app_to_app"), "api")


class TestWhereItReturns(AppCase):
    """The app returns to the address by which the till has reached Odoo: there the person is logged in."""

    def start_at(self, host_url):
        asked = MagicMock()
        asked.httprequest.host_url = host_url
        with patch("odoo.addons.viva_payments.models.viva_account.request", asked):
            return self.begin()

    def callback_of(self, address):
        return parse_qs(urlsplit(self.bare(address)).query)["callback"][0]

    def test_as_the_till_came(self):
        for host_url, base in (
            ("https://tills.example.com/", "https://tills.example.com"),
            ("http://localhost:8069/", "http://localhost:8069"),
            ("http://192.168.1.2:8069/", "http://127.0.0.1:8069"),
            ("http://tills.example.com/", "http://127.0.0.1:8069"),
        ):
            with self.subTest(host_url=host_url):
                request, status = self.start_at(host_url)
                transaction = self.transaction(request["attempt"]).sudo()
                self.assertEqual(
                    self.callback_of(status["app"]["uri"]),
                    f"{base}/viva/app/{transaction.app_token}",
                )
                token = transaction.app_side_token
                # Later Statuses may be asked for from elsewhere.
                again = self.check(request["attempt"])
                for kind in ("abort", "details"):
                    self.assertEqual(
                        self.callback_of(again["app"][kind]), f"{base}/viva/app/{token}/{kind}"
                    )
                self.ledger.pos_abort(request["attempt"], True)
