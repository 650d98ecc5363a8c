"""A pretend Viva without sockets, tasks or real time: a transport for the drivers, for thousands of histories.

It is stricter than life in nothing and careless in one thing: like the real one, it gives money
back by transaction id as often as it is asked to, as long as there is some left.
"""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from drivers import HttpResponse, ResponseLost

START = datetime(2026, 4, 14, 9, 0, tzinfo=timezone.utc)
TERMINAL = "16000010"
DAY = 86400
CARD_SECONDS = 62
CAPTURE, PREAUTH, REFUND, CHARGE, VOID = 0, 1, 4, 5, 7


@dataclass
class Row:
    """One line of Viva's book. ``attempt`` is the true reference, whatever a list shows."""

    number: int
    type_id: int
    amount: int
    attempt: str
    order: str
    created: int
    parent: "Row | None" = None
    status: str = "F"
    tip: int = 0

    @property
    def id(self):
        return f"row-{self.number}"

    @property
    def released(self):
        return self.parent is not None and self.parent.type_id == PREAUTH and self.type_id == VOID

    @property
    def sign(self):
        """1: towards the merchant, -1: back, 0: nothing has moved."""
        if self.status == "E" or self.type_id == PREAUTH or self.released:
            return 0
        return -1 if self.type_id in (REFUND, VOID) else 1


@dataclass
class Session:
    body: dict
    operation: str
    created: int
    parent: Row | None = None
    reachable: bool = True
    abort: bool = False
    results: list = field(default_factory=list)

    @property
    def needs_card(self):
        return self.parent is None


class Refusal(Exception):
    def __init__(self, event_id, status, text, api_event=0):
        super().__init__(text)
        self.event_id, self.status, self.text, self.api_event = event_id, status, text, api_event


class PureViva:
    """``send`` is what a transport does; everything else is what people and time do."""

    def __init__(self):
        self.now = 0
        self.rows = []
        self.sessions = {}
        self.current = None
        self.plugged = True
        self.silent = False
        self.hides_references = False
        self.fault = ""
        self.late = []
        self.news = []  # rows that nobody asks for any more: a webhook has to tell of them

    # -- people and time ----------------------------------------------------------

    def time(self, seconds=None):
        return START + timedelta(seconds=self.now if seconds is None else seconds)

    def tick(self, seconds):
        self.now += seconds
        session = self.current
        if session and self.plugged:
            if not session.needs_card:
                self.carry_out()
            elif self.now - session.created > CARD_SECONDS:
                self._end(session, 1003)

    def act(self, action):
        """What happens at the terminal, if it is waiting for that."""
        session = self.current
        if session is None or not self.plugged:
            return
        if not session.needs_card:
            self.carry_out()
        elif action == "tap":
            self._approve(session, session.body["amount"])
        elif action == "tip" and session.operation == "sale":
            self._approve(session, session.body["amount"], tip=session.body["amount"] // 10)
        elif action == "odd":
            self._approve(session, session.body["amount"] + 1)
        elif action == "decline":
            self._row(session, session.body["amount"], CHARGE, "E")
            self._end(session, 1006, transactionId=self.rows[-1].id, transactionEventId=10051)
        elif action == "cancel":
            self._end(session, 1000)
        elif action == "cancel_then_pay":
            self._end(session, 1000)
            self.late.append(session)

    def pay_after_all(self):
        """The customers who had cancelled pay all the same."""
        late, self.late = self.late, []
        for session in late:
            self._approve(session, session.body["amount"])
            self.news.append(self.rows[-1])

    def carry_out(self):
        session = self.current
        amount = session.body["amount"]
        try:
            type_id = (
                self._capture(session.parent, amount)
                if session.operation == "preauth-completion"
                else self._reverse(session.parent, amount)
            )
        except Refusal as refusal:
            self._end(session, refusal.event_id)
        else:
            self._approve(session, amount, type_id=type_id)

    def give_back_in_portal(self, row, amount):
        """The merchant gives money back by hand, on Viva's own pages."""
        try:
            type_id = self._reverse(row, amount)
        except Refusal:
            return
        self.news.append(self._book(type_id, amount, "", row))

    # -- the acquirer -------------------------------------------------------------

    def _approve(self, session, amount, *, tip=0, type_id=None):
        if type_id is None:
            type_id = PREAUTH if session.body.get("preauth") else CHARGE
        row = self._row(session, amount + tip, type_id)
        row.tip = tip
        self._end(
            session,
            0,
            success=True,
            amount=row.amount,
            tipAmount=tip,
            transactionId=row.id,
            transactionTypeId=type_id,
            primaryAccountNumberMasked="414746******0133",
            orderCode=row.order,
        )

    def _row(self, session, amount, type_id, status="F"):
        row = self._book(type_id, amount, session.body["merchantReference"], session.parent)
        row.status = status
        return row

    def _book(self, type_id, amount, attempt, parent=None):
        number = len(self.rows) + 1
        order = parent.order if parent else str(10**15 + number)
        row = Row(number, type_id, amount, attempt, order, self.now, parent)
        self.rows.append(row)
        return row

    def _end(self, session, event_id, **more):
        result = {
            **session.body,
            "success": False,
            "eventId": event_id,
            "abortOperation": session.abort,
            "abortSuccess": event_id == 1016,
            **more,
        }
        session.results.append(result)
        if self.current is session:
            self.current = None

    def back(self, row):
        return sum(
            child.amount
            for child in self.rows
            if child.parent is row and child.type_id in (REFUND, VOID) and child.status != "E"
        )

    def _reverse(self, row, amount):
        left = row.amount - self.back(row)
        if row.status not in ("F", "R") or row.type_id in (REFUND, VOID) or not left:
            raise Refusal(1008, 403, "Non reversible transaction", 2055)
        if amount > left:
            raise Refusal(1009, 400, "PaymentsInvalidAmountForVoid")
        if row.type_id == PREAUTH or self.now - row.created < DAY:
            if amount != row.amount:
                raise Refusal(1099, 400, "PaymentsInvalidAmountForVoid")
            row.status = "X"
            return VOID
        row.status = "R"
        return REFUND

    def _capture(self, row, amount):
        if row.type_id != PREAUTH or row.status != "F":
            raise Refusal(1012, 403, "Preauth has expired or already captured")
        if amount > row.amount:
            raise Refusal(1017, 400, "Invalid capture amount")
        row.status = "C"
        return CAPTURE

    # -- the wire -----------------------------------------------------------------

    def send(self, request):
        if self.silent:
            raise ResponseLost("silence")
        path = request.url.split(".example", 1)[1]
        writes = request.method != "GET" and "cashRegisterId" not in request.params
        fault, self.fault = (self.fault, "") if writes else ("", self.fault)
        if fault == "lost_request":
            raise ResponseLost("reset")
        if fault == "503":
            return _json(503, {"detail": "busy"})
        if path.startswith("/ecr/v1/transactions:"):
            answer = self._start(path.partition(":")[2], request.json)
        elif path.startswith("/ecr/v1/sessions"):
            answer = self._session(request, path)
        else:
            answer = self._office(request, path.removeprefix("/api/transactions/"))
        if fault == "lost_answer":
            raise ResponseLost("reset")
        return answer

    def _start(self, operation, body):
        known = self.sessions.get(body["sessionId"])
        if known:
            return _json(409, {"detail": "exists"})
        session = Session(body, operation, self.now, reachable=self.plugged)
        if "parentSessionId" in body:
            parent = self.sessions.get(body["parentSessionId"])
            paid = [result for result in parent.results if result["success"]] if parent else []
            if not paid:
                return _json(404, {"detail": "no such parent"})
            session.parent = self.find(paid[0]["transactionId"])
        self.sessions[body["sessionId"]] = session
        if self.current:
            self._end(session, 1100)
        elif self.plugged:
            self.current = session
        return HttpResponse(200)

    def _session(self, request, path):
        if request.method == "GET" and path == "/ecr/v1/sessions":
            wanted = request.params["date"]
            found = self.sessions.values()
            of_day = [item for item in found if f"{self.time(item.created):%Y-%m-%d}" == wanted]
            return _json(200, [result for item in of_day for result in item.results])
        session = self.sessions.get(path.rsplit("/", 1)[1])
        if session is None:
            return _json(404, {"detail": "unknown"})
        if request.method == "GET":
            if session.results:
                return _json(200, session.results[0])
            return _json(202, {"detail": "pending"})
        if session.results:
            return _json(404, {"detail": "final"})
        session.abort = True
        if session is self.current and session.needs_card and self.plugged:
            self._end(session, 1016)
        return HttpResponse(200)

    def _office(self, request, transaction_id):
        if request.method == "GET":
            rows = [row for row in self.rows if row.order == request.params["ordercode"]]
            return _envelope(200, Transactions=[self._told(row) for row in rows])
        parent = self.find(transaction_id)
        capture = request.method == "POST"
        sent = request.json if capture else request.params
        amount = int(sent["amount"])
        try:
            type_id = (self._capture if capture else self._reverse)(parent, amount)
        except Refusal as refusal:
            return _envelope(refusal.status, refusal.text, refusal.api_event)
        row = self._book(type_id, amount, sent["merchantTrns"], parent)
        told = self._told(row)
        names = ("TransactionId", "Amount", "CurrencyCode", "StatusId")
        return _envelope(200, **{name: told[name] for name in names})

    def find(self, row_id):
        return next(row for row in self.rows if row.id == row_id)

    def _told(self, row):
        reference = row.attempt or (row.parent.attempt if row.parent else None)
        return {
            "TransactionId": row.id,
            "ParentId": row.parent.id if row.parent else None,
            "Amount": row.amount / 100,
            "CurrencyCode": "978",
            "StatusId": row.status,
            "InsDate": self.time(row.created).isoformat(),
            "MerchantTrns": None if self.hides_references and row.parent else reference,
            "TransactionType": {"TransactionTypeId": row.type_id},
            "Order": {"OrderCode": int(row.order)},
        }


def _json(status, data):
    return HttpResponse(status, {}, json.dumps(data).encode())


def _envelope(status, text=None, event_id=0, **more):
    good = status == 200
    code = 0 if good else status
    body = {**more, "ErrorCode": code, "ErrorText": text, "EventId": event_id, "Success": good}
    return _json(status, body)
