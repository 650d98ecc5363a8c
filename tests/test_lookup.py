"""Viva's list as the witness of what a terminal in the shop has told, or not: counted at the simulator."""

from dataclasses import replace
from datetime import timedelta
from unittest.mock import MagicMock, patch

from odoo.exceptions import AccessError

from ..drivers import Operation, Outcome, SaleRequest
from ..models import viva_transaction_job as job
from ..models.ledger import in_ledger
from .common import TERMINAL
from .test_give_back import GiveBackCase


class LookupCase(GiveBackCase):
    """A terminal that speaks TCP/IP; the gateway is not here, what it would report is told by the test."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        model = cls.env.ref("viva_payments.terminal_model_s900")
        gateway = cls.env["viva.gateway"].create({"name": "Shop", "company_id": cls.company.id})
        cls.terminal.write(
            {
                "model_id": model.id,
                "protocol": "tcp",
                "gateway_id": gateway.id,
                "lan_host": "192.168.1.20",
                "lan_port": 8080,
            }
        )

    def setUp(self):
        super().setUp()
        terminal, ledger = type(self.env["viva.terminal"]), type(self.env["viva.transaction"])
        for model, name, value in (
            (terminal, "_gateway_refusal", lambda record: ""),
            (ledger, "_send_by_gateway", self.offer),
            (ledger, "_tend_by_gateway", lambda record, transaction_id: None),
            (ledger, "_abort_by_gateway", lambda record, transaction_id: None),
        ):
            self.startPatcher(patch.object(model, name, value))
        self.offered = []

    @staticmethod
    def offer(ledger, recorded):
        in_ledger(
            ledger.env,
            lambda env: (
                env["viva.transaction"].browse(recorded.id)._move("pending", kind="accepted")
            ),
        )

    def at_viva(self, transaction, *, action="tap", terminal_id=TERMINAL, card=None, **other):
        """The terminal charges: Viva's book has a row under the reference. Returns the row's charge.

        :param card: options of the action
        """
        before = len(self.simulator.charges())
        request = SaleRequest(
            **{
                "session_id": f"device-{transaction.session_id}-{before}",
                "terminal_id": terminal_id,
                "cash_register_id": "device",
                "amount": round(transaction.amount * 100),
                "currency": "EUR",
                "merchant_reference": transaction.merchant_reference,
                "preauth": transaction.operation == "preauth",
                **other,
            }
        )
        self.account._driver().start(request)
        self.simulator.act(action, terminal_id, **(card or {}))
        self.wait_for(lambda: self.is_done(request.session_id))
        charges = self.simulator.charges()
        return charges[-1] if len(charges) > before else None

    def is_done(self, session_id):
        return isinstance(self.account._driver().read(session_id), Outcome)

    def tell(self, transaction, **other):
        """What the gateway reports at the end."""
        values = {
            "session_id": transaction.session_id,
            "terminal_id": TERMINAL,
            "cash_register_id": transaction.cash_register_id,
            "amount": round(transaction.amount * 100),
            "success": True,
            "event_id": 0,
            "rrn": f"{transaction.id:012d}",
            "stan": f"{transaction.id:06d}",
            "authorisation_code": "A1B2C3",
            "card_last4": "0002",
            **other,
        }
        self.env["viva.transaction"]._settle(transaction.id, Outcome(**values), [], word="gateway")
        return self.transaction(transaction.attempt)

    def lose(self, transaction, reason="connection_lost"):
        in_ledger(
            self.env,
            lambda env: (
                env["viva.transaction"]
                .browse(transaction.id)
                ._move("unknown", kind="read", values={"reason": reason})
            ),
        )
        return self.transaction(transaction.attempt)

    def begin(self, order=None, amount_minor=1999, **values):
        request, status = self.charge(order, amount_minor, **values)
        self.assertEqual(status["state"], "pending", status["message"])
        return request, self.transaction(request["attempt"])

    def later(self, transaction, seconds):
        """So much time passes for this payment."""
        moved = {
            name: transaction[name] - timedelta(seconds=seconds)
            for name in ("sent_at", "looked_at", "settled_at", "recheck_at", "app_told_at")
            if transaction[name]
        }
        return self.amend(transaction.attempt, **moved)

    def look(self, transaction):
        """The till asks, as soon as it may."""
        self.later(transaction, 7 * 3600 if transaction.state == "approved" else 30)
        self.check(transaction.attempt)
        return self.transaction(transaction.attempt)

    def alarms(self, transaction):
        return transaction.activity_ids.mapped("summary")


class TestLookup(LookupCase):
    def test_reference_has_room_in_a_frame(self):
        _request, transaction = self.begin()
        self.assertRegex(transaction.merchant_reference, "^[0-9a-f]{32}$")
        self.assertEqual(transaction.merchant_reference, transaction.session_id.replace("-", ""))
        self.assertEqual((transaction.protocol, transaction.via), ("tcp", "terminal"))

    def test_the_terminals_word_counts_until_viva_confirms(self):
        request, transaction = self.begin()
        transaction = self.tell(transaction)
        status = self.check(request["attempt"])
        self.assertEqual(
            (status["state"], status["word"], status["charged"]), ("approved", "gateway", True)
        )
        self.assertIn("not confirmed by Viva yet", status["message"])
        self.assertFalse(transaction.viva_transaction_id)
        self.assertFalse(transaction.holds_terminal)
        charge = self.at_viva(transaction)
        transaction = self.look(transaction)
        self.assertEqual(
            (transaction.word, transaction.viva_transaction_id), ("viva", charge["transactionId"])
        )
        self.assertTrue(transaction.order_code)
        self.assertEqual(transaction.transaction_type_id, 5)
        self.assertEqual(
            transaction.rrn, f"{transaction.id:012d}", "what the terminal has told stays"
        )
        self.assertNotIn("confirmed", self.check(request["attempt"])["message"])
        self.assertFalse(self.alarms(transaction))
        asked = self.requests_to_viva()
        self.check(request["attempt"])
        self.assertEqual(self.requests_to_viva(), asked, "nothing more to ask")

    def test_told_twice_it_moves_once(self):
        _request, transaction = self.begin()
        steps = len(self.tell(transaction).step_ids)
        transaction = self.tell(transaction)
        self.assertEqual(len(transaction.step_ids), steps)
        transaction = self.tell(transaction, amount=2099, tip=100)
        self.assertTrue(transaction.is_contradicted)
        self.assertTrue(self.alarms(transaction))

    def test_what_differs_from_the_terminals_word(self):
        for number, (wrong, words) in enumerate(
            (
                ({"amount": 2099}, "another amount"),
                ({"terminal_id": "16000011"}, "another terminal"),
                ({"tip": 100}, "another amount"),
                ({"card": {"currency": "826"}}, "another currency"),
            )
        ):
            with self.subTest(wrong=wrong):
                self.simulator.reset()
                _request, transaction = self.begin(
                    self.make_order(19.99 + number), 1999 + number * 100
                )
                transaction = self.tell(transaction)
                self.at_viva(transaction, **wrong)
                transaction = self.look(transaction)
                self.assertEqual((transaction.state, transaction.word), ("approved", "gateway"))
                self.assertTrue(transaction.is_contradicted)
                self.assertEqual(
                    self.alarms(transaction),
                    ["Viva lists something else than the terminal has told"],
                )
                note = transaction.sudo().activity_ids.note
                self.assertIn(f"({words})", note, "no code, but words")
                self.look(transaction)
                self.assertEqual(len(self.alarms(self.transaction(transaction.attempt))), 1)

    def test_lost_answer_is_found(self):
        request, transaction = self.begin()
        transaction = self.lose(transaction)
        status = self.check(request["attempt"])
        self.assertEqual((status["state"], status["final"]), ("unknown", False))
        _request, refused = self.charge(self.order_of(transaction))
        self.assertEqual(refused["reason"], "order_open", "never two charges")
        charge = self.at_viva(transaction)
        transaction = self.look(transaction)
        self.assertEqual((transaction.state, transaction.word), ("approved", "viva"))
        self.assertEqual(transaction.viva_transaction_id, charge["transactionId"])
        self.assertEqual(len(self.simulator.charges()), 1)

    def order_of(self, transaction):
        return self.env["pos.order"].search([("uuid", "=", transaction.order_uuid)])

    def test_lost_answer_found_with_a_difference(self):
        for number, (wrong, reason) in enumerate(
            (({"amount": 2099}, "amount"), ({"terminal_id": "16000011"}, "terminal"))
        ):
            with self.subTest(wrong=wrong):
                self.simulator.reset()
                _request, transaction = self.begin(amount_minor=1999 + number)
                transaction = self.lose(transaction)
                self.at_viva(transaction, **wrong)
                transaction = self.look(transaction)
                self.assertEqual((transaction.state, transaction.reason), ("unknown", reason))

    def test_charged_twice_is_never_approved(self):
        _request, transaction = self.begin()
        transaction = self.lose(transaction)
        self.at_viva(transaction)
        self.at_viva(transaction)
        transaction = self.look(transaction)
        self.assertEqual((transaction.state, transaction.reason), ("unknown", "twice"))

    def test_another_reference_is_nobodys(self):
        _request, transaction = self.begin()
        transaction = self.lose(transaction)
        self.at_viva(transaction, merchant_reference="of-somebody-else")
        self.assertEqual(self.look(transaction).state, "unknown")

    def test_absence_never_says_no(self):
        _request, transaction = self.begin()
        transaction = self.lose(transaction)
        for seconds in (200, 700, 3600, 24 * 3600):
            transaction = self.look(self.later(transaction, seconds))
            self.assertEqual(transaction.state, "unknown", seconds)

    def test_declined_only_when_nobody_can_try_again(self):
        _request, transaction = self.begin(self.make_order(99.06), 9906)
        transaction = self.lose(transaction)
        self.at_viva(transaction)
        transaction = self.look(transaction)
        self.assertEqual(transaction.state, "unknown")
        transaction = self.look(self.later(transaction, 300))
        self.assertEqual(transaction.state, "declined")
        self.assertTrue(transaction.recheck_at)

    def test_paid_after_a_no(self):
        """The terminal says cancelled, and has charged all the same."""
        request, transaction = self.begin()
        transaction = self.tell(transaction, success=False, event_id=1000, amount=0)
        self.assertEqual(transaction.state, "cancelled")
        self.assertTrue(transaction.recheck_at)
        transaction = self.look(self.later(transaction, 120))
        self.assertEqual(transaction.state, "cancelled")
        self.assertTrue(transaction.recheck_at, "it is compared again")
        self.at_viva(transaction)
        transaction = self.look(self.later(transaction, 700))
        self.assertEqual((transaction.state, transaction.word), ("approved", "viva"))
        self.assertIn("Charged after all", self.alarms(transaction))
        self.assertTrue(self.check(request["attempt"])["charged"])

    def test_rechecks_end(self):
        _request, transaction = self.begin()
        transaction = self.tell(transaction, success=False, event_id=1000, amount=0)
        transaction = self.look(self.later(transaction, 3 * 24 * 3600))
        self.assertFalse(transaction.recheck_at)
        asked = self.requests_to_viva()
        self.look(transaction)
        self.assertEqual(self.requests_to_viva(), asked)

    def test_offline(self):
        request, transaction = self.begin()
        transaction = self.tell(transaction, offline=True)
        status = self.check(request["attempt"])
        self.assertEqual((status["word"], status["offline"]), ("gateway", True))
        self.assertIn("offline", status["message"])
        transaction = self.look(self.later(transaction, 25 * 3600))
        self.assertFalse(self.alarms(transaction))
        transaction = self.look(self.later(transaction, 50 * 3600))
        self.assertEqual(self.alarms(transaction), ["Viva has not confirmed a payment"])
        self.assertEqual(transaction.state, "approved", "absence never says no")
        found = self.env["viva.transaction"].search(
            [("is_offline", "=", True), ("word", "=", "gateway")]
        )
        self.assertIn(transaction, found)
        self.at_viva(transaction)
        transaction = self.look(transaction)
        self.assertEqual((transaction.word, transaction.is_offline), ("viva", True))

    # -- how often ---------------------------------------------------------------------------------

    def test_the_job_reads_a_day_once_for_all(self):
        told = []
        for number in range(5):
            _request, transaction = self.begin(amount_minor=1000 + number)
            told.append(self.tell(transaction))
        for transaction in told:
            self.at_viva(transaction)
            self.later(transaction, 130)
        before = self.requests_to_viva()
        self.run_job()
        self.assertLessEqual(self.requests_to_viva() - before, 2)
        self.assertEqual({self.transaction(record.attempt).word for record in told}, {"viva"})

    def test_a_waiting_till_does_not_ask_viva_all_the_time(self):
        request, transaction = self.begin()
        before = self.requests_to_viva()
        for _number in range(10):
            self.check(request["attempt"])
        self.assertEqual(self.requests_to_viva(), before, "the gateway tells")
        self.lose(transaction)
        self.later(transaction, 30)
        for _number in range(10):
            self.check(request["attempt"])
        self.assertLessEqual(self.requests_to_viva() - before, 2)

    def test_an_event_is_a_hint(self):
        request, transaction = self.begin()
        self.at_viva(transaction)
        before = self.requests_to_viva()
        self.receive(transaction)
        self.assertEqual(self.requests_to_viva(), before)
        self.assertEqual(self.transaction(request["attempt"]).state, "pending")
        self.assertEqual(self.check(request["attempt"])["state"], "approved")

    def test_a_forged_event_is_no_approval(self):
        request, transaction = self.begin()
        self.receive(transaction)
        self.assertEqual(self.check(request["attempt"])["state"], "pending")

    def test_an_event_confirms_with_one_question(self):
        request, transaction = self.begin()
        self.tell(transaction)
        charge = self.at_viva(transaction)
        self.receive(transaction, charge["transactionId"])
        before = self.requests_to_viva()
        self.check(request["attempt"])
        self.assertEqual(self.transaction(request["attempt"]).word, "viva")
        self.assertEqual(self.requests_to_viva() - before, 1)

    def receive(self, transaction, transaction_id=None):
        self.account.webhook_key = "key"
        self.env["viva.event"]._receive(
            self.account,
            {
                "EventTypeId": 1796,
                "MessageId": transaction.session_id,
                "RecipientId": self.account.merchant_id,
                "EventData": {
                    "MerchantTrns": transaction.merchant_reference,
                    "StatusId": "F",
                    "TransactionId": transaction_id,
                },
            },
        )

    def test_without_keys_it_stays_as_it_is(self):
        _request, transaction = self.begin()
        transaction = self.lose(transaction)
        self.account.sudo().flush_recordset()
        self.env.cr.execute(
            "UPDATE viva_account SET api_key = NULL WHERE id = %s", (self.account.id,)
        )
        self.account.invalidate_recordset()
        before = self.requests_to_viva()
        self.assertEqual(self.look(transaction).state, "unknown")
        self.assertEqual(self.requests_to_viva(), before)

    def test_wrong_keys_do_not_make_it_ask_all_the_time(self):
        request, transaction = self.begin()
        self.lose(transaction)
        self.env.cr.execute(
            "UPDATE viva_account SET api_key = 'wrong' WHERE id = %s", (self.account.id,)
        )
        self.account.invalidate_recordset()
        self.later(transaction, 30)
        before = self.requests_to_viva()
        for _number in range(5):
            self.check(request["attempt"])
        self.assertEqual(self.requests_to_viva() - before, 1)

    def test_silent_viva(self):
        _request, transaction = self.begin()
        transaction = self.lose(transaction)
        self.at_viva(transaction)
        self.simulator.control("POST", "faults", {"transactions_status": [{"status": 503}] * 2})
        self.assertEqual(self.look(transaction).state, "unknown")

    # -- what the way cannot do --------------------------------------------------------------------

    def paid_here(self, amount_minor=1999, *, listed=True):
        """A validated order that the terminal has approved; returns (order, request)."""
        order = self.make_order(amount_minor / 100)
        request, transaction = self.begin(order, amount_minor)
        self.tell(transaction)
        if listed:
            self.at_viva(transaction)
        return self.validate(order, request), request

    def test_refund_through_viva_once_it_is_listed(self):
        order, sale = self.paid_here(listed=False)
        refund = self.refund_order(order)
        _refund, _request, status = self.refund(order, sale, refund=refund)
        self.assertEqual((status["state"], status["reason"]), ("refused", "api"))
        self.assertIn("not listed this payment yet", status["message"])
        self.at_viva(self.transaction(sale["attempt"]))
        _refund, request, status = self.refund(order, sale, refund=refund)
        self.assertEqual(
            (status["state"], status["via"], status["executed"]),
            ("approved", "api", "void"),
            status["message"],
        )
        self.assertEqual(self.transaction(sale["attempt"]).word, "viva")
        self.assert_back(1999)
        self.validate(refund, request)
        self.assertEqual(refund.payment_ids.viva_state, "proven")

    def test_rights_are_those_of_a_terminal(self):
        order, sale = self.paid_here()
        with self.assertRaises(AccessError) as refused:
            self.refund(order, sale, by=self.cashier)
        self.assertIn("may not give money back", str(refused.exception))
        self.assert_back()
        with self.assertRaises(AccessError):
            self.refund(order, sale, by=self.refunder, via="api")
        _refund, _request, status = self.refund(order, sale, by=self.refunder)
        self.assertEqual(status["state"], "approved", status["message"])

    def test_cashier_voids_on_the_open_order(self):
        order = self.make_order()
        request, transaction = self.begin(order)
        self.tell(transaction)
        self.at_viva(transaction)
        _request, status = self.void(request)
        self.assertEqual((status["state"], status["via"]), ("approved", "api"), status["message"])
        self.assert_back(1999)
        _again, status = self.charge(order)
        self.assertEqual(status["state"], "pending", status["message"])

    def test_what_it_cannot_do_at_all(self):
        _request, status = self.start("preauth", None, 5000, reference="Table 7")
        self.assertEqual((status["state"], status["reason"]), ("refused", "ability"))
        self.assertIn("hold", status["message"])
        self.assertFalse(self.env["viva.transaction"].search([("operation", "=", "preauth")]))
        self.method.write(
            {"viva_installment_ids": [(0, 0, {"amount_from": 1, "installments": 12})]}
        )
        _request, status = self.charge(max_installments=3)
        self.assertEqual((status["state"], status["reason"]), ("refused", "ability"))

    def test_money_back_without_an_original_has_nothing_instead(self):
        order, _sale = self.paid_here()
        self.refunder.group_ids |= self.env.ref("viva_payments.group_viva_unreferenced_refund")
        refund = self.refund_order(order)
        _request, status = self.start(
            "refund", refund, by=self.refunder, unreferenced=True, parent_attempt=""
        )
        self.assertEqual((status["state"], status["reason"]), ("refused", "ability"))
        self.assertIn("without the original", status["message"])
        self.assert_back()

    def test_reversed_before_we_knew_of_it(self):
        """The terminal cancelled by itself what Viva had approved: found, but no money of ours."""
        _request, transaction = self.begin()
        transaction = self.lose(transaction)
        charge = self.at_viva(transaction)
        self.account._transactions_api().reverse(
            charge["transactionId"], 1999, "EUR", merchant_reference="by-somebody-else"
        )
        transaction = self.look(transaction)
        self.assertEqual((transaction.state, transaction.reason), ("unknown", "reversal"))
        self.assertFalse(transaction._counts())

    def test_cancelling_is_the_terminals_business(self):
        request, _transaction = self.begin()
        status = self.ledger.pos_abort(request["attempt"])
        self.assertEqual(status["state"], "pending")
        self.assertFalse(status["can_cancel"])
        self.assertIn("red key", status["cannot_cancel"])
        self.assertFalse(status["abort_asked"])

    def test_a_cloud_terminal_cannot_give_it_back_either(self):
        """It would name a session that Viva's cloud never had."""
        order, sale = self.paid_here()
        _refund, _request, status = self.refund(order, sale, terminal_id=self.terminal_2.id)
        self.assertEqual((status["state"], status["via"]), ("approved", "api"), status["message"])
        self.assert_back(1999)

    # -- attacks that worked once ------------------------------------------------------------------

    def test_a_terminal_that_cannot_is_no_way_around_a_manager(self):
        order = self.make_order()
        sale, _status = self.charge(order, terminal_id=self.terminal_2.id)
        self.simulator.act("tap", self.terminal_2.viva_id)
        self.check_until(sale["attempt"], "approved")
        self.validate(order, sale)
        refund = self.refund_order(order)
        _refund, _request, status = self.refund(order, sale, refund=refund)
        self.assertEqual((status["state"], status["reason"]), ("refused", "ability"))
        self.assert_back()
        self.assertEqual(
            [choice["name"] for choice in status["choices"]], ["other_terminal", "api"]
        )

    def test_a_number_that_only_the_gateway_knows_leads_nowhere(self):
        """It names somebody else's payment: nothing of it is given back."""
        other = self.make_order()
        theirs, _status = self.charge(other, terminal_id=self.terminal_2.id)
        self.simulator.act("tap", self.terminal_2.viva_id)
        self.check_until(theirs["attempt"], "approved")
        foreign = self.transaction(theirs["attempt"])
        order = self.make_order()
        sale, transaction = self.begin(order)
        viva_id = "11111111-dead-4000-8000-000000000001"
        transaction = self.tell(transaction, transaction_id=viva_id, order_code=foreign.order_code)
        self.assertTrue(transaction._refusal_of_api())
        self.validate(order, sale)
        _refund, _request, status = self.refund(order, sale)
        self.assertEqual((status["state"], status["reason"]), ("refused", "api"))
        self.assert_back()

    def test_one_answer_of_a_terminal_approves_one_payment(self):
        _request, first = self.begin()
        first = self.tell(first)
        for same in (
            {"rrn": first.rrn, "stan": first.stan},
            {"rrn": first.rrn, "stan": "999"},
            {"rrn": "", "stan": ""},
        ):
            with self.subTest(same=same):
                _request, again = self.begin()
                again = self.tell(again, **same)
                self.assertEqual(again.state, "unknown")
                self.later(again, 400)

    def test_an_id_counts_once_in_either_case(self):
        viva_id = "aaaaaaaa-bbbb-4000-8000-000000000000"
        _request, first = self.begin()
        self.tell(first, transaction_id=viva_id)
        _request, again = self.begin()
        again = self.tell(again, transaction_id=viva_id.upper())
        self.assertEqual((again.state, again.reason), ("unknown", "transaction_id"))

    def test_a_persons_decision_outlives_the_terminals_word(self):
        for said, booked in ((True, "failed"), (False, "approved"), (True, "approved")):
            with self.subTest(said=said, booked=booked):
                _request, transaction = self.begin()
                transaction = self.later(self.lose(transaction), 400)
                self.env["viva.transaction"]._decide(
                    transaction.id, booked, "seen on the slip", self.manager
                )
                transaction = self.tell(transaction, success=said, event_id=0 if said else 1003)
                self.assertEqual((transaction.state, transaction.is_forced), (booked, True))
                is_same = said == (booked == "approved")
                self.assertEqual(transaction.is_contradicted, not is_same)
                self.assertEqual(bool(self.alarms(transaction)), not is_same)
                if not is_same:
                    told = "(approved)" if said else "(not carried out)"
                    self.assertIn(told, transaction.sudo().activity_ids.note)
                self.assertTrue(transaction._may_look(), "Viva is still asked")

    def test_what_is_in_doubt_comes_before_what_waits_for_confirmation(self):
        _request, doubt = self.begin()
        doubt = self.later(self.lose(doubt), 3600)
        _request, told = self.begin()
        self.tell(told)
        with patch.object(job, "MOST", 1):
            self.assertEqual(self.env["viva.transaction"]._due_ids()[0], doubt.id)
        self.assertNotIn(
            told.id, self.env["viva.transaction"]._due_ids(), "it was told a moment ago"
        )

    def test_unconfirmed_without_keys_is_told_to_a_person(self):
        _request, transaction = self.begin()
        transaction = self.tell(transaction)
        self.account.write({"merchant_id": False, "api_key": False})
        self.later(transaction, 25 * 3600)
        for _run in range(2):
            self.run_job()
        transaction = self.transaction(transaction.attempt)
        self.assertEqual(self.alarms(transaction), ["Viva has not confirmed a payment"])

    def test_approved_online_and_not_listed(self):
        """A forged answer of a terminal: the list knows soon, and a person is told while the goods may still be there."""
        _request, transaction = self.begin()
        transaction = self.tell(transaction)
        self.later(transaction, 1900)
        self.check(transaction.attempt)
        transaction = self.transaction(transaction.attempt)
        self.assertEqual(self.alarms(transaction), ["Viva has not confirmed a payment"])
        self.assertEqual((transaction.state, transaction.word), ("approved", "gateway"))

    def test_a_cancellation_that_never_reached_the_terminal(self):
        _request, transaction = self.begin()
        self.lose(transaction, "gateway_silent")
        transaction = self.amend(
            transaction.attempt,
            holds_terminal=True,
            abort_asked_at=transaction.sent_at - timedelta(seconds=200),
        )
        self.assertTrue(transaction._may_be_live())
        transaction = self.amend(
            transaction.attempt, gateway_abort_at=transaction.sent_at - timedelta(seconds=200)
        )
        self.assertFalse(transaction._may_be_live())

    def recorded(self):
        """A sale that was recorded, and not sent yet: (Recorded, transaction)."""
        kept = []
        ledger = type(self.env["viva.transaction"])
        with patch.object(ledger, "_send", lambda model, recorded: kept.append(recorded)):
            request, _status = self.charge()
        return kept[0], self.transaction(request["attempt"]).sudo()

    def test_a_gateway_takes_only_what_is_released(self):
        """Before that this process looks once more whether the order was paid meanwhile."""
        caller = MagicMock(uid=False, instance="")
        _recorded, transaction = self.recorded()
        self.assertFalse(transaction._is_to_offer(caller))
        self.amend(transaction.attempt, gateway_released=True)
        transaction.invalidate_recordset()
        self.assertTrue(transaction._is_to_offer(caller))

    def test_a_process_that_slept_calls_nothing_failed(self):
        """The gateway may have taken it meanwhile: the row itself has its time."""
        recorded, transaction = self.recorded()
        self.amend(transaction.attempt, state="pending")
        self.ledger._send(replace(recorded, at=recorded.at - 30))
        self.assertEqual(self.transaction(transaction.attempt).state, "pending")

    def test_a_till_in_another_currency(self):
        self.account.currency_id = self.env.ref("base.RON")
        _request, status = self.charge()
        self.assertEqual((status["state"], status["reason"]), ("refused", "currency"))
        self.assertIn("RON", status["message"])

    def test_ways_for_the_till(self):
        (way,) = self.terminal.with_user(self.cashier).viva_ways
        self.assertEqual((way["protocol"], way["on_device"]), ("tcp", False))
        self.assertEqual(way["abilities"]["sale"], "")
        for name in ("preauth", "refund", "abort", "installments"):
            self.assertTrue(way["abilities"][name], name)
        self.assertEqual(way["fallback"]["refund"], "api")
        (way,) = self.terminal_2.with_user(self.cashier).viva_ways
        self.assertFalse(any(way["abilities"].values()))
        self.assertEqual(way["fallback"], {})
        self.assertEqual(
            set(way["abilities"]),
            {operation.value for operation in Operation}
            | {"abort", "installments", "tip", "partial", "unreferenced"},
        )

    def test_terminal_without_an_abort_gets_free_by_itself(self):
        _request, transaction = self.begin()
        transaction = self.amend(transaction.attempt, state="unknown", reason="terminal_silent")
        self.assertTrue(transaction.holds_terminal)
        _request, status = self.charge()
        self.assertEqual(status["reason"], "terminal_busy")
        self.later(transaction, 400)
        _request, status = self.charge()
        self.assertEqual(status["state"], "pending", status["message"])
        self.assertEqual(self.transaction(transaction.attempt).state, "unknown")


class TestOffice(LookupCase):
    """What the accountant sees of words that Viva has not confirmed."""

    def journal(self):
        journal = self.env["viva.journal"].create({"company_id": self.company.id})
        journal.day -= timedelta(days=1)
        journal.action_show()
        return journal

    def test_journal_lists_what_viva_does_not_confirm(self):
        _request, transaction = self.begin()
        transaction = self.tell(transaction)
        self.later(transaction, 23 * 3600)
        self.assertFalse(
            self.journal().difference_ids.filtered(lambda row: row.kind == "unconfirmed")
        )
        self.later(transaction, 3600 + 60)
        (row,) = self.journal().difference_ids
        self.assertEqual((row.kind, row.odoo_amount), ("unconfirmed", 19.99))
        self.assertIn("terminal says", row.words)
        journal = self.journal()
        journal.action_compare()
        self.assertEqual(journal.difference_ids.mapped("kind"), ["unconfirmed"])
        self.assertIn("not confirmed by Viva yet: 1", journal.notes)

    def test_journal_knows_that_they_have_no_session(self):
        _request, transaction = self.begin()
        transaction = self.tell(transaction)
        self.at_viva(transaction)
        self.look(transaction)
        self.later(transaction, 25 * 3600)
        journal = self.journal()
        journal.action_compare()
        self.assertNotIn("only_odoo", journal.difference_ids.mapped("kind"))

    def test_form_and_filters(self):
        _request, transaction = self.begin()
        self.assertIn("red key", transaction.cannot_cancel)
        transaction = self.tell(transaction, offline=True)
        self.assertTrue(transaction.is_unconfirmed)
        self.assertFalse(transaction.cannot_cancel)
        view = self.env.ref("viva_payments.view_viva_transaction_search").arch
        for name in ("unconfirmed", "offline", "in_the_app", "by_gateway"):
            self.assertIn(f'name="{name}"', view)
        self.at_viva(transaction)
        self.later(transaction, 3600)
        transaction.with_user(self.cashier).action_check()
        transaction.invalidate_recordset()
        self.assertFalse(transaction.is_unconfirmed)
