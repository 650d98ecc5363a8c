"""Payments through a gateway: what it is offered, and what its reports do to the ledger."""

import dataclasses
import itertools
import uuid
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odoo.tools import mute_logger

from ..drivers import Busy, CredentialsError, TooLate, Unreachable, WrongDevice, error_to_json
from .gateway_common import FINGERPRINT, LAN_TERMINAL, GatewayCase

LOGGER = "odoo.addons.viva_payments.models.viva_transaction_gateway"

# Anything that JSON can say, and what Python's reader takes for JSON.
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
# What decides whether a success is the one that was asked for.
DECISIVE = (
    "kind",
    "session_id",
    "terminal_id",
    "amount",
    "currency",
    "merchant_reference",
    "success",
    "transaction_type_id",
    "event_id",
    "tip",
    "surcharge",
    "abort_success",
    "preauth",
)


class TestGatewaySale(GatewayCase):
    def test_sale(self):
        transaction, command = self.offered()
        self.assertEqual(command["kind"], "start")
        self.assertEqual(command["session_id"], transaction.session_id)
        self.assertEqual(command["viva_id"], LAN_TERMINAL)
        self.assertTrue(7 < command["valid_s"] <= 10)
        asked = command["request"]
        self.assertEqual(
            (asked["kind"], asked["amount"], asked["currency"], asked["terminal_id"]),
            ("sale", 1999, "EUR", LAN_TERMINAL),
        )
        self.assertTrue(transaction.offered_at)
        session = transaction.session_id
        for kind, state in (("received", "sent"), ("started", "sent"), ("accepted", "pending")):
            self.machine.tell(session, kind)
            self.assertEqual(transaction.state, state)
        before = self.requests_to_viva()
        self.machine.tell(session, "outcome", self.outcome(transaction))
        self.assertEqual(self.requests_to_viva(), before, "a report asks nobody")
        self.assertEqual(transaction.state, "approved")
        self.assertEqual(transaction.approved_amount, 19.99)
        self.assertEqual(transaction.word, "gateway")
        self.assertFalse(transaction.is_offline)
        self.assertFalse(transaction.holds_terminal)
        kinds = transaction.step_ids.mapped("kind")
        self.assertEqual(kinds, ["asked", "sent", "sent", "sent", "accepted", "read"])

    def test_by_tcp(self):
        transaction, command = self.offered(self.tcp)
        self.assertEqual(len(command["request"]["merchant_reference"]), 32)
        untold = {"currency": "", "merchant_reference": None, "transaction_id": ""}
        self.machine.tell(
            transaction.session_id,
            "outcome",
            self.outcome(transaction, **untold, transaction_type_id=None),
        )
        self.assertEqual((transaction.state, transaction.word), ("approved", "gateway"))
        self.assertFalse(transaction.viva_transaction_id)

    def test_two_by_tcp_have_no_viva_id(self):
        for _sale in range(2):
            transaction, _command = self.offered(self.tcp)
            outcome = self.outcome(transaction, transaction_id="", transaction_type_id=None)
            self.machine.tell(transaction.session_id, "outcome", outcome)
            self.assertEqual(transaction.state, "approved")

    def test_offline(self):
        transaction, _command = self.offered()
        outcome = self.outcome(transaction, transaction_id="", offline=True)
        self.machine.tell(transaction.session_id, "outcome", outcome)
        self.assertEqual((transaction.state, transaction.is_offline), ("approved", True))

    def test_no(self):
        bare = {"transaction_id": "", "card_last4": "", "authorisation_code": ""}
        for event, state in ((1000, "cancelled"), (1003, "failed"), (1006, "declined")):
            transaction, _command = self.offered()
            outcome = self.outcome(transaction, success=False, event_id=event, **bare)
            self.machine.tell(transaction.session_id, "outcome", outcome)
            self.assertEqual(transaction.state, state)
            self.assertFalse(transaction.holds_terminal)
            # A card may have been presented: Viva's list is looked at once more.
            self.assertTrue(transaction.recheck_at)

    def test_others_hear_of_it(self):
        """A report pings the till, a request hints the gateway."""
        self.env["bus.bus"].sudo().search([]).unlink()
        transaction, _command = self.offered()
        self.env.cr.precommit.run()
        self.machine.tell(transaction.session_id, "outcome", self.outcome(transaction))
        messages = self.env["bus.bus"].sudo().search([])
        hints = messages.filtered(lambda message: self.link().channel in message.channel)
        self.assertTrue(hints)
        self.assertEqual(set(hints.mapped("message")), {'{"type":"viva_gateway","payload":{}}'})
        self.assertTrue([m for m in messages if "VIVA_PAYMENT" in m.message])


class TestGatewayOffers(GatewayCase):
    def test_offered_until_it_is_heard_of(self):
        transaction, _command = self.offered()
        first = transaction.offered_at
        (again,) = self.machine.sync()["commands"]
        self.assertEqual(again["session_id"], transaction.session_id)
        self.assertEqual(transaction.offered_at, first)
        self.assertEqual(self.machine.tell(transaction.session_id, "received")["commands"], [])
        self.assertEqual(self.machine.sync()["commands"], [])

    def test_not_offered_after_ten_seconds(self):
        transaction, _command = self.offered()
        self.age(transaction, 11)
        answer = self.machine.sync()
        self.assertEqual(answer["commands"], [])
        self.assertEqual(answer["asked"], [transaction.session_id])

    def test_one_process_gets_it(self):
        """Another process of the gateway (restarted, a copy, an old journal) does not get it once more, and that it
        knows nothing of it says nothing about what the first one did."""
        self.machine.instance = "a"
        transaction, _command = self.offered()
        self.assertEqual(len(self.machine.sync()["commands"]), 1)
        self.machine.instance = "b"
        self.assertEqual(self.machine.sync()["commands"], [])
        self.age(transaction, 11)
        self.assertEqual(self.machine.sync()["asked"], [transaction.session_id])
        self.machine.tell(transaction.session_id, "not_started", {"reason": "never_heard"})
        self.assertEqual((transaction.state, transaction.reason), ("unknown", "gateway_restarted"))
        self.machine.tell(transaction.session_id, "outcome", self.outcome(transaction))
        self.assertEqual(transaction.state, "approved")

    def test_process_without_a_name(self):
        self.machine.instance = ""
        transaction, _command = self.offered()
        self.assertEqual(self.machine.sync()["commands"], [], "told once")
        self.machine.tell(transaction.session_id, "not_started", {"reason": "never_heard"})
        self.assertEqual(transaction.state, "unknown")

    def test_copied_folder(self):
        """Two copies under one identity: what the one does not know, the other one may have begun."""
        before, _command = self.offered()
        self.machine.tell(before.session_id, "not_started", {"reason": "expired"})
        self.amend(before.attempt, recheck_at=False)
        transaction, _command = self.offered()
        copy = {"instance": "the copy"}
        self.machine.sequence += 1
        number = self.machine.sequence
        self.assertEqual(self.machine.call(copy, sequence=number).status_code, 200)
        stale = {"reports": [self.machine.report(transaction.session_id, "started")]}
        self.assertEqual(self.machine.call(stale, sequence=number).status_code, 409)
        self.assertEqual(len(self.gateway.activity_ids), 1)
        self.assertTrue(before.recheck_at)
        self.machine.tell(transaction.session_id, "not_started", {"reason": "never_heard"})
        self.assertEqual(transaction.state, "unknown")

    def test_released_at_last(self):
        """A request that its worker may still give up is offered to nobody."""
        ledger = type(self.env["viva.transaction"])
        kept = []
        with patch.object(ledger, "_send", lambda _model, recorded: kept.append(recorded)):
            request, _status = self.charge(None, 1999, terminal_id=self.lan.id)
        transaction = self.transaction(request["attempt"])
        self.assertEqual(transaction.state, "sent")
        self.assertEqual(self.machine.sync()["commands"], [])
        # The worker was asleep for too long: given up, and given up for good.
        late = dataclasses.replace(kept[0], at=kept[0].at - 11)
        self.env["viva.transaction"]._send(late)
        self.assertFalse(transaction.offered_at)
        self.env["viva.transaction"]._send_by_gateway(kept[0])
        self.env.invalidate_all()
        self.assertEqual(bool(self.machine.sync()["commands"]), transaction.state == "sent")

    def test_asked_again_after_long(self):
        transaction, _command = self.offered()
        self.machine.tell(transaction.session_id, "accepted")
        self.age(transaction, 100)
        self.assertEqual(self.machine.sync()["asked"], [])
        self.age(transaction, 101)
        self.assertEqual(self.machine.sync()["asked"], [transaction.session_id])

    def test_never_offered(self):
        attempt, transaction = self.ask()
        self.age(transaction, 16, "sent_at")
        self.assertEqual(self.check(attempt)["state"], "failed")
        transaction.invalidate_recordset()
        self.assertEqual(transaction.reason, "gateway_away")
        self.assertIn("gateway", transaction.message)
        self.assertEqual(self.machine.sync()["commands"], [])
        self.assertFalse(transaction.holds_terminal)

    def test_silence(self):
        transaction, _command = self.offered()
        self.age(transaction, 31)
        self.assertEqual(self.check(transaction.attempt)["state"], "unknown")
        transaction.invalidate_recordset()
        self.assertEqual(transaction.reason, "gateway_silent")
        # It comes back and has never heard of it: surely nothing was charged.
        self.assertEqual(self.machine.sync()["asked"], [transaction.session_id])
        self.machine.tell(transaction.session_id, "not_started", {"reason": "never_heard"})
        self.assertEqual((transaction.state, transaction.reason), ("failed", "gateway_never"))
        self.assertEqual(self.machine.sync()["asked"], [])

    def test_silence_is_ended_by_the_truth(self):
        transaction, _command = self.offered()
        self.age(transaction, 31)
        self.check(transaction.attempt)
        self.machine.tell(transaction.session_id, "outcome", self.outcome(transaction))
        self.assertEqual(transaction.state, "approved")

    def test_waiting_for_a_card_is_no_silence(self):
        transaction, _command = self.offered()
        self.machine.tell(transaction.session_id, "accepted")
        self.age(transaction, 100)
        self.assertEqual(self.check(transaction.attempt)["state"], "pending")
        self.away()
        self.assertEqual(self.check(transaction.attempt)["state"], "unknown")
        self.machine.tell(transaction.session_id, "accepted")
        self.assertEqual(transaction.state, "pending")

    def test_gateway_away(self):
        self.away()
        request, status = self.charge(terminal_id=self.lan.id)
        self.assertEqual(status["state"], "refused")
        self.assertIn(self.gateway.name, status["message"])
        self.assertFalse(self.transaction(request["attempt"]))

    def test_lost_hints_are_noticed(self):
        self.assertEqual(self.machine.sync()["idle_s"], 30)
        attempt, transaction = self.ask()
        self.age(transaction, 16, "sent_at")
        self.assertEqual(self.check(attempt)["reason"], "gateway_away")
        self.assertEqual(self.machine.sync()["idle_s"], 3)
        self.age(transaction, 700, "settled_at")
        self.assertEqual(self.machine.sync()["idle_s"], 30)

    def test_cancelled_before_it_was_offered(self):
        attempt, transaction = self.ask()
        self.ledger.pos_abort(attempt)
        self.assertEqual(self.transaction(attempt).state, "cancelled")
        self.assertEqual(self.machine.sync()["commands"], [])
        self.assertFalse(transaction.offered_at)

    def test_cancel(self):
        transaction, _command = self.offered()
        session = transaction.session_id
        self.machine.tell(session, "accepted")
        self.ledger.pos_abort(transaction.attempt)
        (command,) = self.machine.sync()["commands"]
        self.assertEqual((command["kind"], command["session_id"]), ("abort", session))
        self.assertEqual(command["cash_register_id"], transaction.cash_register_id)
        self.assertEqual(len(self.machine.sync()["commands"]), 1, "until it is heard of")
        self.assertEqual(self.machine.tell(session, "aborting", {"words": ""})["commands"], [])
        self.assertFalse(transaction.abort_refused)
        self.assertEqual(transaction.state, "pending", "only the terminal ends it")
        self.machine.tell(session, "outcome", self.outcome(transaction))
        self.assertEqual(transaction.state, "approved", "the card was faster")

    def test_cancel_is_refused(self):
        transaction, _command = self.offered()
        self.machine.tell(transaction.session_id, "accepted")
        self.ledger.pos_abort(transaction.attempt)
        self.machine.tell(
            transaction.session_id, "aborting", error_to_json(Unreachable("No connection"))
        )
        self.assertTrue(transaction.abort_refused)
        self.ledger.pos_abort(transaction.attempt)
        self.assertEqual([c["kind"] for c in self.machine.sync()["commands"]], ["abort"])

    def test_terminals_of_the_answer(self):
        terminals = {entry["viva_id"]: entry for entry in self.machine.sync()["terminals"]}
        self.assertEqual(len(terminals), 2, "the cloud's terminals are none of its business")
        self.assertEqual(
            terminals[LAN_TERMINAL],
            {
                "viva_id": LAN_TERMINAL,
                "protocol": "local",
                "host": "192.168.1.7",
                "port": 8080,
                "scheme": "https",
                "fingerprint": FINGERPRINT,
                "ready_mode": "auto",
                "cancel_layout": "off",
                "capture_link": "transaction_id",
                "platform": "paydroid",
                "look": 0,
                "loopback": True,
            },
        )
        self.lan.active = False
        self.assertEqual(len(self.machine.sync()["terminals"]), 1)

    def test_copied_database_offers_nothing(self):
        _attempt, transaction = self.ask()
        self.account.database_uuid = str(uuid.uuid4())
        answer = self.machine.sync()
        self.assertEqual((answer["commands"], answer["terminals"]), ([], []))
        self.assertFalse(transaction.offered_at)


class TestGatewayReports(GatewayCase):
    def test_refused(self):
        errors = {
            Busy("…"): "terminal_busy",
            Unreachable("…"): "lan_unreachable",
            TooLate("…"): "gateway_expired",
            WrongDevice("…"): "lan_certificate",
            CredentialsError("…"): "credentials",
        }
        for error, reason in errors.items():
            with self.subTest(reason):
                transaction, _command = self.offered()
                self.machine.tell(transaction.session_id, "started")
                self.machine.tell(transaction.session_id, "refused", error_to_json(error))
                self.assertEqual((transaction.state, transaction.reason), ("failed", reason))
                self.assertTrue(transaction.message)
                self.assertTrue(transaction.recheck_at, "Viva's list is looked at once more")

    def test_expired(self):
        transaction, _command = self.offered()
        self.machine.tell(transaction.session_id, "received")
        self.machine.tell(transaction.session_id, "not_started", {"reason": "expired"})
        self.assertEqual((transaction.state, transaction.reason), ("failed", "gateway_expired"))
        self.assertTrue(transaction.recheck_at, "Viva's list is looked at, too")

    def test_words_of_money_back(self):
        """Who gives money back is never told about a charge."""
        transaction, _command = self.offered()
        failed = (
            *("gateway_away", "gateway_expired", "gateway_never"),
            *("lan_unreachable", "lan_certificate", "bad_request"),
        )
        doubts = (
            *("gateway_silent", "gateway_gone", "gateway_restarted"),
            *("lan_lost", "lan_silent"),
        )
        for operation in ("sale", "refund", "void", "release"):
            for state, reason in [
                *(("failed", reason) for reason in failed),
                *(("unknown", reason) for reason in doubts),
            ]:
                with self.subTest(operation=operation, reason=reason):
                    words = self.amend(
                        transaction.attempt, operation=operation, state=state, reason=reason
                    )._words()
                    self.assertEqual("charge" in words, operation == "sale", words)
                    self.assertEqual("give" in words, operation != "sale", words)
        self.assertIn("Do not give it back again.", words)

    def test_lost_after_the_end_is_told_in_words(self):
        transaction, _command = self.offered()
        self.machine.tell(transaction.session_id, "lost", {"reason": "connection_lost"})
        for reason in ("terminal_silent", "wrong_terminal", "session_lost", "whatever"):
            self.machine.tell(transaction.session_id, "lost", {"reason": reason})
        for note in transaction.step_ids.filtered("note").mapped("note"):
            self.assertNotIn("_", note)
        self.assertTrue(
            transaction.step_ids.filtered(lambda step: "no answer in time" in (step.note or ""))
        )

    def test_lost(self):
        reasons = ("connection_lost", "terminal_silent", "wrong_terminal", "session_lost")
        for reason in (*reasons, "restarted", "whatever", None, 5):
            with self.subTest(reason=reason):
                transaction, _command = self.offered()
                self.machine.tell(transaction.session_id, "lost", {"reason": reason})
                self.assertEqual(transaction.state, "unknown")
                self.assertTrue(transaction.reason)
                self.assertTrue(transaction.message)
                # A later end is believed.
                self.machine.tell(transaction.session_id, "outcome", self.outcome(transaction))
                self.assertEqual(transaction.state, "approved")

    def test_no_after_a_yes_is_not_believed(self):
        """Nothing happened, says the gateway, after it has said that something did."""
        no = {
            "not_started": [{"reason": "expired"}, {"reason": "never_heard"}, {}],
            "refused": [error_to_json(Busy("…")), error_to_json(Unreachable("…"))],
        }
        for kind in no:
            for data in no[kind]:
                for before in ("accepted", "lost", *(["started"] if kind == "not_started" else [])):
                    with self.subTest(kind=kind, before=before):
                        transaction, _command = self.offered()
                        self.machine.tell(transaction.session_id, before)
                        self.machine.tell(transaction.session_id, kind, data)
                        self.assertEqual(transaction.state, "unknown")
                        self.machine.tell(
                            transaction.session_id, "outcome", self.outcome(transaction)
                        )
                        self.assertEqual(transaction.state, "approved")

    def test_unreadable_refusal_is_no_refusal(self):
        for data in (
            {},
            {"error": 5},
            {"error": "AnswerLost", "message": "x"},
            {"error": "Whatever", "message": "x"},
            {"error": "Busy", "status": "x"},
        ):
            with self.subTest(data=data):
                transaction, _command = self.offered()
                self.machine.tell(transaction.session_id, "refused", data)
                self.assertEqual(transaction.state, "unknown")
                self.amend(transaction.attempt, state="failed", holds_terminal=False)

    def test_forged(self):
        """A success that is not what was asked for charges nobody's order."""
        lies = {
            "amount": {"amount": 1},
            "currency": {"currency": "USD"},
            "terminal": {"terminal_id": "16000099"},
            "reference": {"merchant_reference": "another"},
            "session": {"session_id": str(uuid.uuid4())},
            "type": {"transaction_type_id": 4},
            "answer": {"event_id": 1003},
        }
        for reason, lie in lies.items():
            with self.subTest(reason):
                transaction, _command = self.offered()
                self.machine.tell(
                    transaction.session_id, "outcome", self.outcome(transaction, **lie)
                )
                self.assertEqual((transaction.state, transaction.reason), ("unknown", reason))
                # What once differed is not made right by saying it again.
                self.machine.tell(transaction.session_id, "outcome", self.outcome(transaction))
                self.assertEqual(transaction.state, "unknown")

    def test_id_of_another_sale(self):
        first, _command = self.offered()
        self.machine.tell(first.session_id, "outcome", self.outcome(first))
        second, _command = self.offered()
        taken = self.outcome(second, transaction_id=first.viva_transaction_id)
        self.machine.tell(second.session_id, "outcome", taken)
        self.assertEqual((second.state, second.reason), ("unknown", "transaction_id"))

    def test_unreadable_outcome(self):
        for data in ({}, {"kind": "pending"}, {"kind": "outcome", "amount": "x"}, {"kind": 7}):
            with self.subTest(data=data):
                transaction, _command = self.offered()
                self.machine.tell(transaction.session_id, "outcome", data)
                self.assertEqual((transaction.state, transaction.reason), ("unknown", "answer"))
                self.amend(transaction.attempt, state="failed", holds_terminal=False)

    def test_any_order(self):
        """However the reports of one sale arrive, it is approved once, for what was asked."""
        kinds = ("received", "started", "accepted", "outcome")
        for order in itertools.permutations(kinds):
            with self.subTest(order=order):
                transaction, _command = self.offered()
                for kind in order:
                    data = self.outcome(transaction) if kind == "outcome" else {}
                    self.machine.tell(transaction.session_id, kind, data)
                self.assertEqual(
                    (transaction.state, transaction.approved_amount), ("approved", 19.99)
                )
                self.assertFalse(transaction.activity_ids)
                moves = transaction.step_ids.filtered(lambda step: step.kind == "read")
                self.assertEqual(len(moves), 1)

    def test_twice(self):
        transaction, _command = self.offered()
        report = self.machine.report(transaction.session_id, "accepted")
        for _time in range(2):
            self.assertEqual(self.machine.sync(report)["confirmed"], [report["id"]])
        self.assertEqual(transaction.step_ids.mapped("kind").count("accepted"), 1)
        # The same again under another number is no news either.
        for _time in range(3):
            self.machine.tell(transaction.session_id, "accepted")
        self.assertEqual(transaction.step_ids.mapped("kind").count("accepted"), 1)
        for _time in range(2):
            self.machine.tell(transaction.session_id, "outcome", self.outcome(transaction))
        self.assertEqual(transaction.state, "approved")
        self.assertFalse(transaction.activity_ids)

    def test_number_used_again(self):
        """A journal that went backwards numbers anew: what it says is weighed all the same, and a person is told."""
        first, _command = self.offered()
        report = self.machine.report(first.session_id, "outcome", self.outcome(first))
        self.machine.sync(report)
        second, _command = self.offered(self.tcp)
        outcome = self.outcome(second, transaction_id="", rrn="1", stan="1")
        again = {**report, "session_id": second.session_id, "data": outcome}
        self.assertEqual(self.machine.sync(again)["confirmed"], [report["id"]])
        self.assertEqual((first.state, second.state), ("approved", "approved"))
        self.assertTrue(self.gateway.activity_ids)
        self.assertTrue(self.link().conflict_at)

    def test_without_end(self):
        """A broken gateway does not fill the ledger."""
        transaction, _command = self.offered()
        self.machine.tell(transaction.session_id, "accepted")
        for start in (0, 75):
            self.machine.sync(
                *(
                    self.machine.report(transaction.session_id, "aborting", {"words": str(number)})
                    for number in range(start, start + 75)
                )
            )
        self.assertLess(len(transaction.step_ids), 70)
        self.assertEqual(len(self.gateway.activity_ids), 1)
        self.machine.tell(transaction.session_id, "outcome", self.outcome(transaction))
        self.assertEqual(transaction.state, "approved", "its end counts all the same")
        reports = self.env["viva.gateway.report"].sudo()
        before = reports.search_count([])
        with mute_logger(LOGGER):
            self.machine.tell(str(uuid.uuid4()), "accepted")
        self.assertEqual(reports.search_count([]), before)

    def test_success_long_after_the_no(self):
        """An old no does not become money by the gateway's word alone."""
        bare = {"transaction_id": "", "card_last4": "", "authorisation_code": ""}
        for ages in ({"settled_at": 90 * 86400}, {"looked_at": -5}):
            transaction, _command = self.offered()
            no = self.outcome(transaction, success=False, event_id=1006, **bare)
            self.machine.tell(transaction.session_id, "outcome", no)
            self.amend(transaction.attempt, looked_at=transaction.settled_at)
            for name, seconds in ages.items():
                self.age(transaction, seconds, name)
            self.machine.tell(transaction.session_id, "outcome", self.outcome(transaction))
            self.assertEqual(transaction.state, "declined")
            self.assertTrue(transaction.recheck_at)
            self.assertEqual(len(transaction.activity_ids), 1)

    def test_what_a_manager_has_decided(self):
        """The gateway may confirm or deny it; only Viva's word ends it."""
        bare = {"transaction_id": "", "card_last4": "", "authorisation_code": ""}
        for changes, alarms in (({}, 0), ({"success": False, "event_id": 1003, **bare}, 1)):
            transaction, _command = self.offered()
            self.machine.tell(transaction.session_id, "lost", {"reason": "connection_lost"})
            self.age(transaction, 400)
            self.ledger.with_user(self.manager).pos_force(transaction.attempt, "seen on the slip")
            transaction.invalidate_recordset()
            self.assertEqual((transaction.state, transaction.is_forced), ("approved", True))
            before = len(transaction.activity_ids)
            self.machine.tell(
                transaction.session_id, "outcome", self.outcome(transaction, **changes)
            )
            self.assertEqual((transaction.state, transaction.is_forced), ("approved", True))
            self.assertFalse(transaction.is_contradicted)
            self.assertEqual(len(transaction.activity_ids) - before, alarms)

    def test_gateway_is_taken_away(self):
        """Revoked, forgotten or paired anew during a payment: nobody will tell its end, and that is said at once."""
        for take_away in (
            lambda: self.gateway.action_revoke(),
            lambda: self.gateway.action_forget(),
            lambda: self.new_gateway().pair(self.code_of(self.gateway)),
        ):
            transaction, _command = self.offered()
            self.machine.tell(transaction.session_id, "accepted")
            take_away()
            self.env.invalidate_all()
            self.assertEqual((transaction.state, transaction.reason), ("unknown", "gateway_gone"))
            self.assertTrue(transaction.activity_ids)
            self.assertTrue(transaction.message)
            self.amend(transaction.attempt, state="failed", holds_terminal=False)
            self.machine = self.new_gateway()
            self.machine.pair(self.code_of(self.gateway))
            self.machine.sync()

    def test_two_ends(self):
        transaction, _command = self.offered()
        self.machine.tell(transaction.session_id, "outcome", self.outcome(transaction))
        self.machine.tell(
            transaction.session_id, "outcome", self.outcome(transaction, success=False, event_id=1)
        )
        self.assertEqual(transaction.state, "approved")
        self.assertEqual(len(transaction.activity_ids), 1)

    def test_success_after_it_was_given_up(self):
        transaction, _command = self.offered()
        self.machine.tell(transaction.session_id, "not_started", {"reason": "expired"})
        self.assertEqual(transaction.state, "failed")
        self.machine.tell(transaction.session_id, "outcome", self.outcome(transaction))
        self.assertEqual(transaction.state, "approved")
        self.assertTrue(transaction.activity_ids, "charged after all: a person is told")

    def test_interrupted_while_it_settles(self):
        """Killed between the steps of taking a report: it is not confirmed, comes again, and counts once."""
        transaction, _command = self.offered()
        report = self.machine.report(transaction.session_id, "outcome", self.outcome(transaction))
        ledger = type(self.env["viva.transaction"])
        self.machine.tell(transaction.session_id, "lost", {"reason": "wrong_terminal"})
        places = ("_weigh", "_take_outcome", "_settle_verdict", "_approval_values")
        for place in places:
            with (
                patch.object(ledger, place, side_effect=RuntimeError("killed")),
                mute_logger(LOGGER, "odoo.addons.viva_payments.models.viva_gateway_sync"),
            ):
                self.assertEqual(self.machine.sync(report)["confirmed"], [])
            self.assertEqual(transaction.state, "unknown")
        with (
            patch.object(
                type(self.env["viva.gateway.report"]), "_take", side_effect=RuntimeError("killed")
            ),
            mute_logger("odoo.addons.viva_payments.models.viva_gateway_sync"),
        ):
            self.assertEqual(self.machine.sync(report)["confirmed"], [])
        self.assertEqual(transaction.state, "unknown", "all of it or nothing")
        self.assertEqual(self.machine.sync(report)["confirmed"], [report["id"]])
        self.assertEqual((transaction.state, transaction.approved_amount), ("approved", 19.99))
        self.assertFalse(transaction.activity_ids)

    def test_viva_has_seen_a_payment(self):
        """Viva's own doubt, or its event of a success, outweighs the gateway's "nothing happened"."""
        transaction, _command = self.offered()
        self.amend(transaction.attempt, state="unknown", reason="amount")
        self.machine.tell(transaction.session_id, "not_started", {"reason": "never_heard"})
        self.assertEqual((transaction.state, transaction.reason), ("unknown", "amount"))
        self.amend(transaction.attempt, state="failed", holds_terminal=False)
        transaction, _command = self.offered()
        with patch.object(type(transaction), "_has_success_event", lambda self: True):
            self.machine.tell(transaction.session_id, "refused", error_to_json(Busy("…")))
        self.assertEqual((transaction.state, transaction.reason), ("unknown", "contradiction"))

    def test_raw_nonsense(self):
        transaction, _command = self.offered()
        for value in (float("nan"), float("inf"), "\0", "\ud800", [[[]]], 10**400):
            outcome = {**self.outcome(transaction), "raw": {"x": value, "y\0": 1}}
            report = self.machine.report(transaction.session_id, "lost", {"reason": value})
            self.assertEqual(self.machine.sync(report)["confirmed"], [report["id"]])
            report = self.machine.report(
                transaction.session_id, "aborting", {"error": "Busy", "raw": {"x": value}}
            )
            self.assertEqual(self.machine.sync(report)["confirmed"], [report["id"]])
        self.machine.tell(transaction.session_id, "outcome", outcome)
        self.assertIn(transaction.state, ("approved", "unknown"))

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
    )
    @given(
        st.sampled_from(["refused", "not_started", "aborting", "lost", "outcome", "accepted"]),
        st.dictionaries(st.sampled_from(DECISIVE), ANYTHING, max_size=3) | ANYTHING,
    )
    def test_anything(self, kind, change):
        """Whatever is reported: confirmed, and approved only for what was asked."""
        transaction, _command = self.offered()
        good = self.outcome(transaction)
        data = {**good, **change} if isinstance(change, dict) else change
        report = self.machine.report(transaction.session_id, kind, data)
        with mute_logger(LOGGER):
            self.assertEqual(self.machine.sync(report)["confirmed"], [report["id"]])
        if transaction.state == "approved":
            self.assertEqual(kind, "outcome")
            self.assertEqual(
                transaction.approved_amount,
                transaction.amount + transaction.tip_amount + transaction.surcharge_amount,
            )
            for name in ("kind", "session_id", "terminal_id", "currency", "success"):
                self.assertEqual(data[name], good[name])
        if transaction.is_unsettled:
            self.amend(transaction.attempt, state="failed", holds_terminal=False)

    def test_many_reports_in_one_call(self):
        transaction, _command = self.offered()
        session = transaction.session_id
        reports = [self.machine.report(session, kind) for kind in ("received", "started")]
        reports.append(self.machine.report(session, "outcome", self.outcome(transaction)))
        answer = self.machine.sync(*reports)
        self.assertEqual(answer["confirmed"], [report["id"] for report in reports])
        self.assertEqual(transaction.state, "approved")

    @mute_logger(LOGGER)
    def test_nonsense(self):
        """What nobody understands is confirmed, changes nothing, and a person is told once."""
        transaction, _command = self.offered()
        session = transaction.session_id
        values = (None, True, -1, 1.5, "", "x", "\0", "\ud800", [], {}, "x" * 5000, 10**30)
        for value in values:
            for name in ("session_id", "kind"):
                with self.subTest(name=name, value=repr(value)[:20]):
                    report = {**self.machine.report(session, "accepted"), name: value}
                    self.assertEqual(self.machine.sync(report)["confirmed"], [report["id"]])
            for name in ("data", "age_s"):
                report = {**self.machine.report(session, "received"), name: value}
                self.assertEqual(self.machine.sync(report)["confirmed"], [report["id"]])
            report = {**self.machine.report(session, "accepted"), "id": value}
            self.assertEqual(self.machine.sync(report)["confirmed"], [])
        self.assertEqual(transaction.state, "sent")
        self.assertEqual(len(self.gateway.activity_ids), 1)

    def test_odd_bodies(self):
        for name in ("reports", "terminals", "scan", "version"):
            for value in (None, 5, "x", [5, None, []], {"a": 1}, [{}], [{"viva_id": []}]):
                with self.subTest(name=name, value=value):
                    self.assertEqual(self.machine.call({name: value}).status_code, 200)


@mute_logger(LOGGER)
class TestGatewayForeign(GatewayCase):
    """A gateway can only speak about what was given to it, under its present identity."""

    def assertForeign(self, transaction, machine=None, gateway=None):
        machine, gateway = machine or self.machine, gateway or self.gateway
        before = (transaction.state, transaction.write_date, len(transaction.step_ids))
        for kind in ("received", "accepted", "outcome", "refused", "not_started", "lost"):
            data = self.outcome(transaction) if kind == "outcome" else {}
            machine.tell(transaction.session_id, kind, data)
        after = (transaction.state, transaction.write_date, len(transaction.step_ids))
        self.assertEqual(before, after)
        self.assertTrue(gateway.activity_ids, "a person is told")

    def other_gateway(self, **values):
        gateway = self.env["viva.gateway"].create({"name": "Other", **values})
        machine = self.new_gateway()
        self.assertEqual(machine.pair(self.code_of(gateway)).status_code, 200)
        return gateway, machine

    def test_never_heard_of(self):
        self.machine.tell(str(uuid.uuid4()), "outcome", {})
        self.assertTrue(self.gateway.activity_ids)

    def test_not_offered_yet(self):
        _attempt, transaction = self.ask()
        self.assertForeign(transaction)

    def test_payment_of_the_cloud(self):
        request, _status = self.charge()
        self.assertForeign(self.transaction(request["attempt"]))

    def test_other_gateway(self):
        transaction, _command = self.offered()
        gateway, machine = self.other_gateway(company_id=self.company.id)
        self.assertEqual(machine.sync()["commands"], [])
        self.assertForeign(transaction, machine, gateway)

    def test_other_company(self):
        transaction, _command = self.offered()
        company = self.env["res.company"].create({"name": "Elsewhere"})
        gateway, machine = self.other_gateway(company_id=company.id)
        answer = machine.sync()
        self.assertEqual((answer["commands"], answer["terminals"], answer["asked"]), ([], [], []))
        self.assertForeign(transaction, machine, gateway)

    def test_two_gateways_at_one_terminal(self):
        """By mistake two gateways stand in a shop: only the one that the terminal names is told."""
        gateway, machine = self.other_gateway(company_id=self.company.id)
        _attempt, transaction = self.ask()
        self.assertEqual(machine.sync()["commands"], [])
        self.assertEqual(len(self.machine.sync()["commands"]), 1)
        self.assertFalse(gateway.terminal_ids)
        self.assertEqual(transaction.gateway_id, self.gateway)

    def test_paired_anew(self):
        """Its journal is another one: what it does not know says nothing about what the old one did."""
        transaction, _command = self.offered()
        self.machine.tell(transaction.session_id, "accepted")
        machine = self.new_gateway()
        machine.pair(self.code_of(self.gateway))
        self.assertEqual(self.machine.call({}).status_code, 404, "the old one is nobody")
        answer = machine.sync()
        self.assertEqual((answer["commands"], answer["asked"]), ([], []))
        self.assertForeign(transaction, machine)
        # Nobody will ever speak about it: Viva is asked.
        self.age(transaction, 100)
        self.assertTrue(self.gateway.is_connected)
        self.assertEqual(self.check(transaction.attempt)["state"], "unknown")
