"""Whole histories with Odoo: what may happen at till, terminal and Viva, in any order, with faults.

No step remembers anything: each takes what it works on from the server, as a tab does that was reloaded a moment ago. After
each of them the books and Viva's agree to the cent; in the end everything is settled, or a manager can settle it.
More of them: dev/bench histories.
"""

import os
import time
import uuid
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from unittest.mock import patch

import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odoo import fields
from odoo.exceptions import UserError
from odoo.tools import mute_logger

from .common import TERMINAL
from .test_give_back import GiveBackCase

EXAMPLES = int(os.environ.get("VIVA_HISTORIES", "20"))
PRICE, ALL, DAYS = 1999, 0, 2 * 24 * 3600
SIGN = {"sale": 1, "capture": 1, "refund": -1, "void": -1}
BACK = ("refund", "void", "release")
AMOUNTS = (ALL, ALL, 1200, 500)
SECONDS = (1, 40, 95, 160, 700, DAYS)
AT_THE_TERMINAL = ("tap", "tap", "tip", "decline", "cancel", "walk_away", "retry_paid")
FAULTS = {
    "": {},
    "answer lost": {"drop_sale_response": 1, "drop_reverse_response": 1},
    "request lost": {"drop_sale_request": 1, "drop_reverse_request": 1},
    "503": {"sale_status": [503] * 9, "reverse_status": [503]},
    "502, but done": {
        "sale_status": [{"status": 502, "accepted": True}],
        "reverse_status": [{"status": 502, "accepted": True}],
    },
    "declined": {"reverse_status": [{"status": 502, "event_id": 10200}]},
    "silence": {"silent": True},
}
# "next" is whatever can be done at this moment.
STEPS = (
    *("next", "next", "next", "next", "next", "next", "next", "next", "next", "next"),
    *("bought", "bought_yesterday", "hold", "sale", "preauth", "act", "check", "pay", "job"),
    *("webhook", "webhook", "clock", "clock", "again", "lag", "hide", "portal", "void"),
)
BEGINNINGS = ("sell", "bought", "bought_yesterday", "hold")
STEP = st.tuples(
    st.sampled_from(STEPS),
    st.integers(0, 11),
    st.sampled_from((*[""] * 8, *FAULTS)),
    st.sampled_from(AMOUNTS),
)
# Money back by API whose answer is lost, while the list lags for longer than Odoo waits.
LOST_AND_LISTED_LATE = [
    ("bought_yesterday", 0, "", ALL),
    ("lag", 0, "", ALL),
    ("refund_by_api", 0, "answer lost", 500),
    ("webhook", 2, "", ALL),
    ("clock", 4, "", ALL),
    ("job", 0, "", ALL),
    ("refund_by_api", 0, "", 500),
]
VALIDATED_WHILE_VOIDED = [
    ("sell", 0, "", ALL),
    ("void", 0, "answer lost", ALL),
    ("validate", 0, "", ALL),
]


class Impatient:
    """A transport that waits less long, so that silence costs no seconds."""

    def __init__(self, transport):
        self.transport = transport

    def send(self, request):
        return self.transport.send(replace(request, read_timeout=min(request.read_timeout, 0.5)))


class Undo(Exception):
    """Ends a history whose database transaction is not kept."""


class TestHistories(GiveBackCase):
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(BEGINNINGS), st.lists(STEP, min_size=8, max_size=14))
    def test_any_history(self, beginning, steps):
        self.play([(beginning, 0, "", ALL), *steps])

    def test_known_histories(self):
        for history in (LOST_AND_LISTED_LATE, VALIDATED_WHILE_VOIDED):
            with self.subTest(history=history):
                self.play(history)

    def test_a_careless_ledger_is_found_out(self):
        """The histories do find what is wrong."""
        self.found_out(LOST_AND_LISTED_LATE, _success_events=lambda _: (1796, 1802), _later=bool)
        self.found_out(VALIDATED_WHILE_VOIDED, _is_voided=lambda _: False)

    def found_out(self, history, **careless):
        ledger = type(self.env["viva.transaction"])
        with (
            self.subTest(careless=list(careless)),
            patch.multiple(ledger, **careless),
            self.assertRaises(AssertionError),
        ):
            self.play(history)

    def play(self, steps):
        try:
            with suppress(Undo), self.fresh():
                for step in steps:
                    self.take(*step)
                    self.examine()
                self.finish()
                raise Undo
        finally:
            self.env.transaction.invalidate_field_data()

    @contextmanager
    def fresh(self):
        """A shop and a Viva without memory; afterwards the shop is as before."""
        self.env.flush_all()
        self.simulator.reset()
        self.viva_settings(authorising_ms=1, abort_ms=1, pin_ms=1)
        self.ahead, self.told, self.last = 0, set(), None
        self.first_id = self.env["viva.transaction"].search([], limit=1).id or 0
        account = type(self.env["viva.account"])
        transport = account._transport
        with (
            mute_logger("odoo.addons.viva_payments"),
            patch.object(fields.Datetime, "now", staticmethod(self.now)),
            patch.object(account, "_transport", lambda record: Impatient(transport(record))),
            patch("odoo.addons.viva_payments.models.viva_transaction_send.REPEAT_PAUSE", 0.01),
            patch("odoo.addons.viva_payments.models.viva_transaction_send.REPEAT_BUDGET", 0.05),
            self.env.cr.savepoint(),
        ):
            yield

    def now(self):
        return (datetime.now(timezone.utc) + timedelta(seconds=self.ahead)).replace(
            microsecond=0, tzinfo=None
        )

    def viva_settings(self, **values):
        self.simulator.control("POST", "settings", values)

    # -- the ledger, as a tab without memory finds it ----------------------------------------------

    def found(self, *operations, states=("approved",)):
        domain = [
            ("id", ">", self.first_id),
            ("operation", "in", operations),
            ("state", "in", states),
            ("origin", "=", "odoo"),
        ]
        self.env.invalidate_all()
        return self.env["viva.transaction"].search(domain, order="id")

    def choose(self, records, number):
        return records[number % len(records)] if records else records

    def ask(self, operation, order=None, amount=PRICE, *, by=None, **values):
        self.last = self.request(order or self.env["pos.order"], amount, operation=operation)
        self.last |= {"order_uuid": order.uuid if order else "", **values}
        if operation not in ("sale", "capture", "refund"):
            self.last["payment_uuid"] = ""
        self.by = by or self.cashier
        return self.ledger.with_user(self.by).pos_start(self.last)

    def act(self, action, **options):
        """Somebody at the terminal, if it asks for anything."""
        try:
            self.simulator.act(action, TERMINAL, wait_s=0, **options)
        except requests.HTTPError:
            return
        time.sleep(0.02)

    def take(self, name, number, fault, amount):
        if FAULTS[fault]:
            self.simulator.control("POST", "faults", FAULTS[fault])
        kind, _, api = name.partition("_by_")
        with mute_logger("odoo.addons.viva_payments"):
            getattr(self, f"take_{kind}")(number, amount, "api" if api else "terminal")
        off = {"silent": False, "sale_status": [], "reverse_status": []}
        drops = ("sale_response", "sale_request", "reverse_response", "reverse_request")
        self.simulator.control("POST", "faults", {**off, **{f"drop_{drop}": 0 for drop in drops}})

    def take_next(self, number, amount, _via):
        possible = []
        if any(hold._left() for hold in self.found("preauth")):
            possible += ["capture", "capture_by_api", "release", "release_by_api"]
        taken = self.found("sale", "capture").filtered(lambda sale: sale._left())
        if taken.filtered("is_attached"):
            possible += ["refund", "refund_by_api"]
        if taken.filtered(lambda sale: not sale.is_attached):
            possible += ["validate", "validate", "void", "void_by_api"]
        if self.found(*SIGN, "preauth", "release", states=("sent", "pending", "unknown")):
            possible += ["act", "check", "abort"]
        name = self.choose(possible, number) or "bought"
        kind, _, api = name.partition("_by_")
        getattr(self, f"take_{kind}")(number, amount, "api" if api else "terminal")

    # -- steps -------------------------------------------------------------------------------------

    def take_sale(self, _number, _amount, _via):
        self.ask("sale", self.make_order(PRICE / 100))

    def take_sell(self, *options):
        self.take_sale(*options)
        self.act("tap")
        self.take_check()

    def take_bought(self, *options):
        self.take_sell(*options)
        self.take_validate(-1, *options[1:])

    def take_bought_yesterday(self, *options):
        self.take_bought(*options)
        self.pass_time(DAYS)

    def take_preauth(self, _number, _amount, _via):
        self.ask("preauth")

    def take_hold(self, *options):
        self.take_preauth(*options)
        self.act("tap")
        self.take_check()

    def take_pay(self, number, amount, _via):
        """An order that is open is paid by card once more, whatever it was paid with."""
        order = self.choose(self.orders("draft"), number)
        if order and order.amount_total > 0:
            self.ask("sale", order, amount or PRICE)
            self.act("tap")

    def take_act(self, number, _amount, _via):
        action = self.choose(AT_THE_TERMINAL, number)
        if action == "tip":
            self.act("tip", minor=150)
        options = {"delay_ms": 1} if action == "retry_paid" else {}
        self.act("tap" if action == "tip" else action, **options)

    def take_check(self, *_options):
        unsettled = self.found(*SIGN, "preauth", "release", states=("sent", "pending", "unknown"))
        self.ledger.pos_check(unsettled.mapped("attempt"))

    def take_void(self, number, _amount, via):
        sale = self.choose(self.found("sale", "capture"), number)
        if sale:
            by = self.manager if via == "api" else self.refunder
            self.ask("void", parent_attempt=sale.attempt, via=via, by=by)

    def take_refund(self, number, amount, via):
        """On a refund order that is open, or a new one."""
        paid = self.found("sale", "capture").filtered("is_attached")
        sale = self.choose(paid, number)
        if not sale:
            return
        order = sale.pos_order_id
        refund = order.refund_orders_count and order.lines.refund_orderline_ids.order_id.filtered(
            lambda refund: refund.state == "draft"
        )
        refund = refund[:1] if refund else self.refund_order(order)
        by = self.manager if via == "api" else self.refunder
        asked = amount or round(sale.currency_id.round(sale._net_amount()) * 100)
        if asked:
            self.ask("refund", refund, asked, parent_attempt=sale.attempt, via=via, by=by)

    def take_capture(self, number, amount, via):
        hold = self.choose(self.found("preauth"), number)
        if hold:
            amount = amount or PRICE
            order = self.make_order(amount / 100)
            self.ask("capture", order, amount, parent_attempt=hold.attempt, via=via)

    def take_release(self, number, _amount, via):
        hold = self.choose(self.found("preauth"), number)
        if hold:
            self.account.release_by = via
            self.env.flush_all()
            self.ask("release", parent_attempt=hold.attempt, via=via)

    def take_again(self, _number, _amount, _via):
        """The same press, of a tab that got no answer."""
        if self.last:
            sessions = len(self.simulator.control("GET", "sessions"))
            known = self.transaction(self.last["attempt"])
            self.ledger.with_user(self.by).pos_start(self.last)
            if known:
                self.assertEqual(len(self.simulator.control("GET", "sessions")), sessions)

    def take_abort(self, number, _amount, _via):
        running = self.found(*SIGN, "preauth", "release", states=("sent", "pending", "unknown"))
        if running:
            self.ledger.pos_abort(self.choose(running, number).attempt)
            time.sleep(0.02)

    def take_job(self, *_options):
        self.run_job()

    def take_validate(self, number, _amount, _via):
        """The till has an order paid with whatever it once saw approved for it."""
        order = self.choose(self.orders("draft"), number)
        approved = self.found("sale", "capture", "refund").filtered(
            lambda transaction: transaction.order_uuid == order.uuid
        )
        if not approved:
            return
        sign = -1 if order.amount_total < 0 else 1
        amounts = [sign * transaction._booked_amount() for transaction in approved]
        if order.currency_id.compare_amounts(sum(amounts), order.amount_total):
            approved, amounts = approved[-1:], amounts[-1:]
        if order.currency_id.compare_amounts(sum(amounts), order.amount_total):
            return
        for transaction, amount in zip(approved, amounts, strict=True):
            order.add_payment(
                {
                    "pos_order_id": order.id,
                    "payment_method_id": self.method.id,
                    "uuid": transaction.payment_uuid,
                    "amount": amount,
                    "payment_status": "done",
                }
            )
        order.action_pos_order_paid()
        self.env.flush_all()

    def orders(self, state):
        uuids = (
            self.env["viva.transaction"].search([("id", ">", self.first_id)]).mapped("order_uuid")
        )
        domain = [("uuid", "in", list(filter(None, uuids))), ("state", "=", state)]
        return self.env["pos.order"].with_user(self.cashier).search(domain, order="id")

    def take_clock(self, number, _amount, _via):
        """Time passes here and there; lists and people are up to date again."""
        self.pass_time(self.choose(SECONDS, number))

    def pass_time(self, seconds):
        self.ahead += seconds
        self.simulator.control("POST", "clock", {"advance_s": seconds})
        self.simulator.control("POST", "faults", {"expire_tokens": True})
        time.sleep(0.01)

    def take_lag(self, number, _amount, _via):
        lag = number % 2 == 0
        values = {"list_lags": lag, "transactions_lag_s": 12 * 3600 if lag else 0}
        self.simulator.control("POST", "faults", values)

    def take_hide(self, number, _amount, _via):
        self.simulator.control("POST", "faults", {"merchant_trns_null_in_list": number % 2 == 0})

    def take_portal(self, number, amount, _via):
        """Somebody gives money back in Viva's portal."""
        rows = [row for row in self.book() if row["operation"] in ("sale", "capture", "preauth")]
        rows = [row for row in rows if row["amount"] > row["refunded"] + row["captured"]]
        if rows:
            row = self.choose(rows, number)
            left = row["amount"] - row["refunded"]
            minor = left if row["operation"] == "preauth" else min(amount or left, left)
            path = f"transactions/{row['transactionId']}/reverse"
            self.simulator.control("POST", path, {"amount": minor})

    def take_webhook(self, number, _amount, _via):
        """What Viva has not told yet arrives; sometimes without reference, and twice."""
        account = self.account.sudo()
        for row in self.book():
            if row["transactionId"] in self.told:
                continue
            self.told.add(row["transactionId"])
            back = row["operation"] in BACK
            data = {
                "TransactionId": row["transactionId"],
                "ParentId": row["parentId"],
                "MerchantTrns": None if back and number % 3 == 0 else row["merchantReference"],
                "Amount": (-1 if back else 1) * row["amount"] / 100,
                "StatusId": "F",
                "TransactionTypeId": row["transactionTypeId"],
            }
            message = {
                "EventTypeId": 1797 if back else 1796,
                "RecipientId": account.merchant_id,
                "MessageId": str(uuid.uuid4()),
                "EventData": data,
            }
            for _copy in range(1 + number % 2):
                self.env["viva.event"].sudo()._receive(account, message)
        self.env.flush_all()

    # -- what must be true after each step -----------------------------------------------------------

    def book(self):
        return [row for row in self.simulator.control("GET", "attempts") if row["statusId"] != "E"]

    def ledger_rows(self):
        self.env.invalidate_all()
        return self.env["viva.transaction"].search([("id", ">", self.first_id)], order="id")

    def of_row(self, row, transactions):
        """The transaction that a row of Viva's book belongs to."""
        for transaction in transactions:
            if transaction.viva_transaction_id == row["transactionId"]:
                return transaction
        for transaction in transactions:
            if (transaction.operation in BACK) == (row["operation"] in BACK) and (
                transaction.session_id == row["sessionId"]
                or (
                    transaction.via == "api"
                    and transaction.merchant_reference == row["merchantReference"]
                )
            ):
                return transaction
        return transactions.browse()

    def is_noticed(self, transaction, row):
        """It says no (yet), and Viva has carried it out: is there anything that will find out?"""
        return (
            transaction.is_unsettled
            or transaction.recheck_at
            or transaction.is_forced
            or transaction.is_contradicted
            or row["transactionId"] not in self.told
        )

    def examine(self):
        transactions = self.ledger_rows()
        at_viva, in_odoo, known = Counter(), Counter(), {}
        for row in self.book():
            self.assertLessEqual(row["refunded"] + row["captured"], row["amount"], row)
            sign = SIGN.get(row["operation"], 0)
            payment = row["parentId"] if sign < 0 and row["parentId"] else row["transactionId"]
            at_viva[payment] += sign * row["amount"]
            transaction = self.of_row(row, transactions)
            counted = transaction.state == "approved" and not transaction.is_forced
            if not transaction:
                self.assertFalse(row["sessionId"], "a request of ours is not in the ledger")
                self.assertTrue(
                    row["transactionId"] not in self.told or self.waits(row, transactions),
                    f"Viva has told of {row}",
                )
            elif counted:
                self.assertEqual(transaction.viva_transaction_id, row["transactionId"])
                self.assertEqual(round(transaction.approved_amount * 100), row["amount"])
            else:
                self.assertTrue(self.is_noticed(transaction, row), self.history(transaction))
            if transaction:
                self.assertNotIn(transaction, known, f"{transaction.name} was done twice")
                known[transaction] = row
            if not counted:
                in_odoo[payment] += sign * row["amount"]
        for transaction in transactions:
            if transaction.state == "approved" and not transaction.is_forced:
                self.assertIn(transaction, known, self.history(transaction))
                row = known[transaction]
                sign = SIGN.get(row["operation"], 0)
                payment = row["parentId"] if sign < 0 and row["parentId"] else row["transactionId"]
                in_odoo[payment] += sign * round(transaction.approved_amount * 100)
        self.assertEqual(
            {key: value for key, value in at_viva.items() if value},
            {key: value for key, value in in_odoo.items() if value},
        )
        self.examine_orders(transactions)
        self.assertEqual(self.violations(), [])

    def waits(self, row, transactions):
        """An event about a reversal that may be our own one waits for the end of ours."""
        parent = transactions.filtered(
            lambda transaction: transaction.viva_transaction_id == row["parentId"]
        )
        events = self.env["viva.event"].sudo().search([("is_processed", "=", False)])
        return not parent or events

    def examine_orders(self, transactions):
        """A payment that counts as proven has its money at Viva."""
        for order in self.orders("paid"):
            for payment in order.payment_ids:
                transaction = payment.viva_transaction_id
                if payment.viva_state == "proven":
                    self.assertEqual(transaction.state, "approved")
                    voids = transaction.child_ids.filtered(
                        lambda child: child.operation == "void" and child.state == "approved"
                    )
                    self.assertFalse(voids, f"{payment.amount} is proven and was voided")
        for order_uuid, ours in transactions.filtered("order_uuid").grouped("order_uuid").items():
            order = self.env["pos.order"].search([("uuid", "=", order_uuid)])
            late = any("after all" in (one.summary or "") for one in ours.activity_ids)
            total = order.amount_total
            if total > 0 and not late:
                net = sum(
                    one._net_amount()
                    for one in ours
                    if one.operation in ("sale", "capture") and one.state == "approved"
                )
                self.assertLessEqual(round(net * 100), round(total * 100))
            elif total < 0 and not late:
                back = sum(
                    one._booked_amount()
                    for one in ours
                    if one.operation == "refund" and one.state == "approved"
                )
                self.assertLessEqual(round(back * 100), round(-total * 100))

    def history(self, transaction):
        lines = [f"{step.kind} {step.state} {step.note or ''}" for step in transaction.step_ids]
        return f"{transaction._headline()} {transaction.reason}: " + "; ".join(lines)

    # -- a way out of every state --------------------------------------------------------------------

    def finish(self):
        """Viva is well, time passes, the job runs: what is still open then, a manager can decide."""
        self.simulator.control("DELETE", "faults")
        for seconds in (61, 160, 61, 700, 95):
            self.pass_time(seconds)
            self.env["viva.connection"].sudo().search([]).write(
                {"failures": 0, "silent_until": False}
            )
            self.env.flush_all()
            self.take_webhook(1, ALL, "")
            self.run_job()
            self.examine()
        for transaction in self.ledger_rows():
            self.assertNotIn(
                transaction.state, ("draft", "sent", "pending"), self.history(transaction)
            )
            if transaction.state == "unknown":
                self.decide(transaction)
        self.run_job()
        self.examine()
        for transaction in self.ledger_rows():
            self.assertFalse(transaction.is_unsettled, self.history(transaction))
            self.assertFalse(transaction.holds_terminal, self.history(transaction))
        holds = self.env["viva.hold"].search([("transaction_ids.id", ">", self.first_id)])
        self.assertFalse({"asked", "unknown"} & set(holds.mapped("state")))

    def decide(self, transaction):
        """A manager looks into the portal and says what is there."""
        carried_out = any(
            self.of_row(row, transaction)
            or (
                row["operation"] in BACK
                and transaction.operation in BACK
                and row["parentId"] == transaction.parent_id.viva_transaction_id
                and not self.of_row(row, self.ledger_rows())
            )
            for row in self.book()
        )
        wizard = self.env["viva.decide.wizard"].with_user(self.manager)
        values = {
            "transaction_id": transaction.id,
            "decision": "approved" if carried_out else "failed",
            "reason": "Seen in the portal",
        }
        try:
            wizard.create(values).action_decide()
        except UserError as error:
            self.assertIn("needs no decision", str(error))
