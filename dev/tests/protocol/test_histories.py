"""Whole histories: what may happen at till, terminal and Viva, in any order, with every fault.

The drivers, ``verdict`` and ``states`` are the real ones. Around them is a model of the one way
that every operation takes: record, send, watch, settle; people decide what stays unknown. Viva
is :class:`PureViva`. After each step the book and Viva's must agree to the cent.
"""

from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pure_viva import DAY, PREAUTH, PureViva

from drivers import (
    FINAL,
    UNSETTLED,
    AbortRequest,
    AlreadyUsed,
    Asked,
    AskedReversal,
    CaptureRequest,
    CloudDriver,
    DefiniteError,
    Endpoints,
    IndeterminateError,
    MemoryTokenStore,
    Operation,
    Outcome,
    Pending,
    RefundRequest,
    RetryableError,
    SaleRequest,
    Token,
    TokenSource,
    TransactionsApi,
    Unavailable,
    VivaError,
    final_no_needs_list,
    judge_children,
    judge_listed,
    judge_no,
    judge_reversed,
    may_move,
)

HOSTS = Endpoints("https://accounts.example", "https://api.example", "https://www.example")
TERMINAL, TILL = "16000010", "till-2"
FINAL_NO = FINAL - {"approved"}
MONEY_BACK = (Operation.REFUND, Operation.VOID, Operation.RELEASE)
# Seconds, as the real flow has them.
MISSING_AFTER, API_MISSING_AFTER, DEADLINE, AFTER_ABORT, FREE_AFTER = 30, 600, 150, 30, 150


@dataclass(eq=False)
class Attempt:
    """One line of our own ledger."""

    number: int
    operation: Operation
    amount: int
    sent_at: int
    parent: "Attempt | None" = None
    by_api: bool = False
    state: str = "draft"
    acknowledged: bool = False
    aborted_at: int | None = None
    viva_id: str = ""
    order: str = ""
    approved: int = 0
    recheck: bool = False
    by_viva: bool = False
    decided: bool = False
    rows_seen: int = 0
    raised: list = field(default_factory=list)

    @property
    def session_id(self):
        return f"s-{self.number}"

    @property
    def reference(self):
        return f"VP/{self.number}"

    @property
    def unsettled(self):
        return self.state in UNSETTLED

    @property
    def money(self):
        """What it takes of its original: what is approved, or may be."""
        return self.approved if self.state == "approved" else self.amount if self.unsettled else 0

    @property
    def sign(self):
        if self.operation in (Operation.PREAUTH, Operation.RELEASE):
            return 0
        return -1 if self.operation in MONEY_BACK else 1


class Flow:
    """Record, send, watch, settle."""

    def __init__(self):
        self.viva = PureViva()
        store = MemoryTokenStore()
        store.save(Token("token", 9e12))
        tokens = TokenSource(self.viva, HOSTS.accounts, "client", "secret", store)
        self.driver = CloudDriver(self.viva, HOSTS, tokens)
        self.office = TransactionsApi(self.viva, HOSTS, "merchant", "key")
        self.book = []

    def move(self, attempt, state):
        if state != attempt.state:
            assert may_move(attempt.state, state), f"{attempt.state} -> {state}"
            attempt.state = state
            attempt.rows_seen = len(self.viva.rows)

    # -- record ---------------------------------------------------------------

    def left(self, original):
        return original.approved - sum(
            attempt.money for attempt in self.book if attempt.parent is original
        )

    def terminal_is_held(self):
        return any(
            attempt.unsettled
            and not attempt.by_api
            and not (attempt.aborted_at and self.viva.now - attempt.aborted_at > FREE_AFTER)
            for attempt in self.book
        )

    def ask(self, operation, amount, parent=None, by_api=False):
        """Record and send, unless our own rules forbid it."""
        if not by_api and self.terminal_is_held():
            return
        if parent is not None:
            of_preauth = operation in (Operation.CAPTURE, Operation.RELEASE)
            taken = self.left(parent) < parent.approved
            if of_preauth and taken:
                return
            amount = parent.approved if operation is Operation.RELEASE else amount
            if not 0 < amount <= self.left(parent):
                return
        attempt = Attempt(
            len(self.book) + 1, operation, amount, self.viva.now, parent, by_api and bool(parent)
        )
        self.book.append(attempt)
        self.move(attempt, "sent")
        if attempt.by_api:
            self.send_by_api(attempt)
        else:
            self.send(attempt)

    # -- send -----------------------------------------------------------------

    def request(self, attempt):
        common = {
            "session_id": attempt.session_id,
            "terminal_id": TERMINAL,
            "cash_register_id": TILL,
            "amount": attempt.amount,
            "currency": "EUR",
            "merchant_reference": attempt.reference,
        }
        if attempt.parent is None:
            return SaleRequest(**common, preauth=attempt.operation is Operation.PREAUTH)
        make = CaptureRequest if attempt.operation is Operation.CAPTURE else RefundRequest
        return make(parent_session_id=attempt.parent.session_id, **common)

    def send(self, attempt):
        request = self.request(attempt)
        for again in (False, True):
            try:
                self.driver.start(request)
            except AlreadyUsed:
                return self.move(attempt, "pending" if again else "unknown")
            except Unavailable:
                if again:
                    return self.move(attempt, "unknown")
                continue
            except RetryableError:
                return self.move(attempt, "unknown" if again else "failed")
            except IndeterminateError:
                return self.move(attempt, "unknown")
            except DefiniteError:
                return self.move(attempt, "unknown" if again else "failed")
            attempt.acknowledged = True
            return self.move(attempt, "pending")
        return None

    def send_by_api(self, attempt):
        asked = self.asked_reversal(attempt)
        call = (
            self.office.capture if attempt.operation is Operation.CAPTURE else self.office.reverse
        )
        try:
            answer = call(
                attempt.parent.viva_id,
                attempt.amount,
                "EUR",
                merchant_reference=attempt.reference,
            )
        except IndeterminateError:
            return self.move(attempt, "unknown")
        except (DefiniteError, RetryableError):
            return self.move(attempt, "failed")
        return self.settle(attempt, judge_reversed(asked, answer), answer.transaction_id)

    # -- watch ----------------------------------------------------------------

    def watch_all(self):
        self.hear()
        for attempt in list(self.book):
            if attempt.unsettled or attempt.recheck:
                self.watch(attempt)

    def watch(self, attempt):
        try:
            if attempt.by_api:
                self.watch_by_api(attempt)
            else:
                self.watch_session(attempt)
        except VivaError:
            return

    def watch_by_api(self, attempt):
        entries = self.office.of_order(attempt.parent.order)
        verdict = judge_children(self.asked_reversal(attempt), entries)
        if verdict is not None:
            self.settle(attempt, verdict, verdict.transaction_id)
        elif attempt.unsettled and self.age(attempt) > API_MISSING_AFTER:
            self.move(attempt, "failed")

    def watch_session(self, attempt):
        answer = self.driver.read(attempt.session_id)
        asked = self.asked(attempt)
        if isinstance(answer, Outcome):
            needed = final_no_needs_list(answer) or attempt.recheck
            listed = self.listed(attempt) if needed else []
            verdict, told = judge_no(asked, answer, listed), [answer, *listed]
        elif isinstance(answer, Pending):
            return self.wait(attempt)
        else:
            told = self.listed(attempt)
            verdict = judge_listed(asked, told)
            if verdict is None:
                if not attempt.acknowledged and self.age(attempt) > MISSING_AFTER:
                    self.move(attempt, "failed")
                return None
        paid = [outcome for outcome in told if outcome.success and outcome.transaction_id]
        ours = [outcome for outcome in paid if outcome.session_id == attempt.session_id]
        attempt.recheck = False
        return self.settle(
            attempt,
            verdict,
            ours[0].transaction_id if ours else "",
            ours[0].order_code if ours else "",
        )

    def wait(self, attempt):
        now = self.viva.now
        if attempt.state == "sent":
            self.move(attempt, "pending")
        if self.age(attempt) > DEADLINE and attempt.aborted_at is None:
            attempt.aborted_at = now
            self.driver.abort(AbortRequest(attempt.session_id, TILL))
        elif attempt.aborted_at is not None and now - attempt.aborted_at > AFTER_ABORT:
            if attempt.state == "pending":
                self.move(attempt, "unknown")
        elif attempt.state == "unknown":
            self.move(attempt, "pending")

    def listed(self, attempt):
        days = {self.viva.time(attempt.sent_at).date(), self.viva.time().date()}
        return [outcome for day in sorted(days) for outcome in self.driver.sessions(day)]

    def age(self, attempt):
        return self.viva.now - attempt.sent_at

    def asked(self, attempt):
        return Asked(
            attempt.operation,
            attempt.session_id,
            TERMINAL,
            TILL,
            attempt.amount,
            "EUR",
            attempt.reference,
            attempt.parent.viva_id if attempt.parent else "",
            bool(attempt.parent) and attempt.amount < attempt.parent.approved,
        )

    def asked_reversal(self, attempt):
        known = {other.viva_id for other in self.book if other is not attempt and other.viva_id}
        return AskedReversal(
            attempt.operation,
            attempt.parent.viva_id,
            attempt.amount,
            "EUR",
            attempt.reference,
            self.viva.time(attempt.sent_at),
            frozenset(known),
        )

    # -- settle ---------------------------------------------------------------

    def settle(self, attempt, verdict, viva_id, order=""):
        if attempt.state in FINAL_NO and verdict.state != "approved":
            if verdict.state == "unknown":
                attempt.raised.append(verdict.reason)
            return
        if attempt.state == "approved":
            return
        self.move(attempt, verdict.state)
        if verdict.state == "approved":
            self.approve(attempt, verdict.approved_amount, viva_id, order)

    def approve(self, attempt, amount, viva_id, order=""):
        assert viva_id not in {other.viva_id for other in self.book if other is not attempt}
        attempt.approved, attempt.viva_id = amount, viva_id
        attempt.order = order or (attempt.parent.order if attempt.parent else "")
        attempt.raised.clear()

    def hear(self):
        """Webhooks: each is a hint to look again, or tells of a reversal that is not ours."""
        news, self.viva.news = self.viva.news, []
        for row in news:
            ours = [item for item in self.book if item.reference == row.attempt]
            if ours:
                ours[0].recheck = ours[0].recheck or ours[0].state in FINAL_NO
            elif not self.take_over(row):
                self.viva.news.append(row)

    def take_over(self, row):
        """Book a reversal made at Viva, once it cannot be one of ours."""
        parents = [item for item in self.book if row.parent and item.viva_id == row.parent.id]
        if not parents or any(item.parent is parents[0] and item.unsettled for item in self.book):
            return False
        known = any(item.viva_id == row.id for item in self.book)
        if not known:
            operation = Operation.RELEASE if row.released else Operation.REFUND
            child = Attempt(len(self.book) + 1, operation, row.amount, self.viva.now, parents[0])
            child.by_viva, child.state = True, "approved"
            self.book.append(child)
            self.approve(child, row.amount, row.id)
        return True

    def decide(self, attempt):
        """A person looks into Viva's portal."""
        if attempt.state != "unknown" and not attempt.raised:
            return
        rows = [
            row for row in self.viva.rows if row.attempt == attempt.reference and row.status != "E"
        ]
        attempt.decided = True
        if rows:
            self.move(attempt, "approved")
            self.approve(attempt, rows[0].amount, rows[0].id, rows[0].order)
        elif attempt.state == "unknown":
            self.move(attempt, "failed")
            # The terminal may still show the request.
            attempt.recheck = not attempt.by_api
        attempt.raised.clear()

    # -- what must be true after each step --------------------------------------

    def check(self):
        by_reference = {item.reference: item for item in self.book if not item.by_viva}
        by_id = {item.viva_id: item for item in self.book if item.viva_id}
        waiting = {row.id for row in self.viva.news}
        at_viva = in_book = 0
        for row in self.viva.rows:
            if row.status == "E":
                continue
            at_viva += row.sign * row.amount
            item = by_id.get(row.id) or by_reference.get(row.attempt)
            if item is None:
                assert row.id in waiting, "money at Viva of which the book knows nothing"
                in_book += row.sign * row.amount
            elif item.state == "approved":
                assert item.viva_id == row.id and item.approved == row.amount
                assert item.sign == row.sign
                asked = item.decided or item.by_viva or item.amount + row.tip == row.amount
                assert asked, "approved, but not what was asked for"
            else:
                noticed = item.unsettled or item.recheck or item.raised
                # Only a webhook tells of what came after the final answer.
                later = row.id in waiting and row.number > item.rows_seen
                assert noticed or later, f"{item.state}, but Viva has the money"
                in_book += row.sign * row.amount
            self.check_limits(row)
        for item in self.book:
            if item.state == "approved":
                assert any(row.id == item.viva_id for row in self.viva.rows)
                in_book += item.sign * item.approved
                self.check_children(item)
        assert at_viva == in_book, f"{at_viva} at Viva, {in_book} in the book"

    def check_children(self, item):
        children = [other for other in self.book if other.parent is item]
        assert sum(other.approved for other in children) <= item.approved
        # What others do in the portal, or a person has declared undone, is not in our hands.
        if not any(other.by_viva or other.decided for other in children):
            assert sum(other.money for other in children) <= item.approved

    def check_limits(self, row):
        children = [row_ for row_ in self.viva.rows if row_.parent is row and row_.status != "E"]
        back = sum(child.amount for child in children if child.sign < 0 or child.released)
        captured = sum(child.amount for child in children if child.sign > 0)
        assert back + captured <= row.amount
        assert row.type_id == PREAUTH or not captured

    def finish(self):
        """Everything has a way out: what time and reading do not end, a person does."""
        self.viva.silent, self.viva.fault = False, ""
        for seconds in (61, 120, 61, 700):
            self.viva.tick(seconds)
            self.watch_all()
            self.check()
        for attempt in list(self.book):
            assert attempt.state in FINAL | {"unknown"}, attempt
            self.decide(attempt)
        self.watch_all()
        self.watch_all()
        self.check()
        assert not self.viva.news
        assert all(attempt.state in FINAL for attempt in self.book)
        assert not any(attempt.raised for attempt in self.book)


# -- steps --------------------------------------------------------------------

FAULTS = ("", "", "", "lost_answer", "lost_request", "503")
SALE, ALL = 1999, 0
AMOUNTS = (ALL, ALL, 1000, 500, 1)
AT_THE_TERMINAL = ("tap", "tip", "odd", "decline", "cancel", "cancel_then_pay")
SECONDS = (1, 40, 65, 200, DAY)
STEPS = (
    *("sell", "hold", "sell", "hold", "refund", "refund_by_api", "capture", "capture_by_api"),
    *("release", "release_by_api", "refund", "refund_by_api", "act", "watch", "clock", "clock"),
    *("sale", "preauth", "act", "tap", "watch", "late", "decide", "silence", "plug", "hide"),
    "portal",
)
STEP = st.tuples(
    st.sampled_from(STEPS), st.integers(0, 5), st.sampled_from(FAULTS), st.sampled_from(AMOUNTS)
)


def approved(flow, *operations):
    return [item for item in flow.book if item.state == "approved" and item.operation in operations]


def follow_up(flow, operation, originals, choice, amount, by_api):
    found = [item for item in approved(flow, *originals) if flow.left(item) > 0]
    if found:
        original = found[choice % len(found)]
        flow.ask(operation, amount or flow.left(original), original, by_api)


def take(flow, step):
    name, choice, fault, amount = step
    viva = flow.viva
    viva.fault = fault
    kind, _, by_api = name.partition("_by_")
    paid = (Operation.SALE, Operation.CAPTURE)
    if kind in ("sell", "hold"):
        flow.ask(Operation.SALE if kind == "sell" else Operation.PREAUTH, SALE)
        viva.act("tap")
        flow.watch_all()
    elif kind in ("sale", "preauth"):
        flow.ask(Operation(kind), SALE)
    elif kind == "refund":
        follow_up(flow, Operation.REFUND, paid, choice, amount, bool(by_api))
    elif kind in ("capture", "release"):
        held = (Operation.PREAUTH,)
        follow_up(flow, Operation(kind), held, choice, amount, bool(by_api))
    elif kind == "act":
        viva.act(AT_THE_TERMINAL[choice % len(AT_THE_TERMINAL)])
    elif kind == "tap":
        viva.act("tap")
    elif kind == "watch":
        flow.watch_all()
    elif kind == "clock":
        viva.tick(SECONDS[choice % len(SECONDS)])
        viva.silent, viva.plugged = False, True
    elif kind == "late":
        viva.pay_after_all()
    elif kind == "decide" and flow.book:
        flow.decide(flow.book[choice % len(flow.book)])
    elif kind == "silence":
        viva.silent = not viva.silent
    elif kind == "plug":
        viva.plugged = not viva.plugged
    elif kind == "hide":
        viva.hides_references = not viva.hides_references
    elif kind == "portal" and viva.rows:
        viva.give_back_in_portal(viva.rows[choice % len(viva.rows)], amount or SALE)
    viva.fault = ""


def play(flow, steps):
    for step in steps:
        take(flow, step)
        flow.check()
    flow.finish()


SOLD = [("sale", 0, "", ALL), ("tap", 0, "", ALL), ("watch", 0, "", ALL)]
CLEARED = [*SOLD, ("clock", 4, "", ALL)]
PAID_AFTER_ALL = [SOLD[0], ("act", 5, "", ALL), ("late", 0, "", ALL), SOLD[2]]
PAID_LATER = [SOLD[0], ("act", 5, "", ALL), SOLD[2], ("late", 0, "", ALL)]
#: Our request is lost, and somebody gives back the same amount in Viva's portal.
LOOKS_LIKE_OURS = [
    *CLEARED,
    ("hide", 0, "", ALL),
    ("refund_by_api", 0, "lost_request", 500),
    ("portal", 0, "", 500),
    ("watch", 0, "", ALL),
]


@settings(max_examples=2000, deadline=None)
@given(st.lists(STEP, min_size=8, max_size=30))
@example(PAID_AFTER_ALL)
@example(PAID_LATER)
@example(LOOKS_LIKE_OURS)
def test_any_history(steps):
    play(Flow(), steps)


# -- the histories do find what is wrong -----------------------------------------


class RepeatsReversals(Flow):
    """Sends a reversal again when its answer was lost."""

    def send_by_api(self, attempt):
        super().send_by_api(attempt)
        if attempt.state == "unknown":
            self.viva.fault = ""
            attempt.state = "sent"
            super().send_by_api(attempt)


class TrustsTheFirstNo(Flow):
    """Believes a session's no without looking into the list, and hears no webhook."""

    def listed(self, attempt):
        return []

    def hear(self):
        self.viva.news.clear()


class GivesUpAtOnce(Flow):
    """Takes a lost answer for a refusal."""

    def move(self, attempt, state):
        super().move(attempt, "failed" if state == "unknown" else state)


class ForgetsWhatIsOpen(Flow):
    """Counts only what is approved against the amount of a sale."""

    def left(self, original):
        return original.approved


@pytest.mark.parametrize(
    ("flow", "steps"),
    [
        (RepeatsReversals, [*CLEARED, ("refund_by_api", 0, "lost_answer", 500)]),
        (TrustsTheFirstNo, PAID_AFTER_ALL),
        (GivesUpAtOnce, [*CLEARED, ("refund_by_api", 0, "lost_answer", 500)]),
        (GivesUpAtOnce, [("sale", 0, "lost_answer", ALL), SOLD[1]]),
        (ForgetsWhatIsOpen, [*CLEARED, *[("refund_by_api", 0, "lost_answer", ALL)] * 2]),
    ],
)
def test_a_careless_flow_is_found_out(flow, steps):
    with pytest.raises(AssertionError):
        play(flow(), steps)
    play(Flow(), steps)
