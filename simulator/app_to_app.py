"""The app viva.com | Terminal as another app on the device sees it: a URI comes in, a callback is opened (app-to-app
reference, 2 to 4 and 9).

``/app?uri=…`` plays it for people. Further parameters: ``terminal`` (else the option ``device``, 16000010); ``act``, with which
the page acts by itself as soon as the request is shown (``approve``, ``cancel``, … below) and returns quickly; any option of
the action (``twice=1``, ``delay_ms=3000``, ``card=amex``); ``back=1``: where no callback is opened, one step back in history.

The control API (all POST, JSON):

``/control/app/open``     ``{"uri", "action", "terminalId"?, …options}``: shows the request and does what a person would do.
                          Answers ``callback`` (what the app opens, or null) and ``callbacks`` (all of them, in order),
                          ``delay_ms``, ``key``, ``success``, ``message``. Nothing is opened by the simulator itself,
                          unless ``"deliver": true``: then it GETs the callbacks, and ``delivered`` has the statuses.
``/control/app/show``     ``{"uri", "terminalId"?}``: only shows it; ``key`` names it from then on
``/control/app/act``      ``{"key", "action", …options}``
``/control/app/options``  ``{option: value}``, see :class:`AppOptions`
``GET /control/app``      everything that was opened; ``GET /control/app/{key}`` one of them

While a payment is shown it is also on the virtual terminal's page, and people may act there.

==============  ==========================================================================================================
action
==============  ==========================================================================================================
``approve``     the customer pays (``card``, ``entry`` chip, ``iris``, ``tip`` in minor units, ``installments``)
``cancel``      the customer cancels (-4)
``decline``     a card that is declined (-12); ``reason`` of the issuer
``leave``       the person leaves the app without paying: no callback
``silent``      paid, and no callback comes
``forge``       nothing is paid, and a callback with an unknown transactionId says success
``replay``      nothing is paid, and the callback carries the transactionId of an older payment (``transactionId``, else the
                last one); with ``old_reference`` its clientTransactionId too
``hold``        only with ``open``: nothing yet, as ``show``
==============  ==========================================================================================================

Options of all of them: ``twice`` (the callback twice), ``delay_ms`` (told in the answer; the page waits so long), ``raw``
(spaces and + are not encoded), ``without_reference`` (clientTransactionId missing), ``short`` (a failure in its short form),
``callback_amount`` (the callback lies), ``amount`` (another amount is charged), ``reference`` (another merchant reference
is booked), ``terminal`` (another tid), ``pick`` (cancel and capture without a key: the transactionId chosen in the list).

``abort``, ``transactionDetails`` and ``foreground`` need nobody; ``action`` is not looked at.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

import httpx

from .clock import athens
from .ledger import PREAUTH, REVERSALS, Transaction
from .session import APP, Operation, Session, State
from .settings import CURRENCIES
from .terminal import NotPossible, Terminal

if TYPE_CHECKING:
    from .world import World

SCHEME = "vivapayclient"
DEVICE = "16000010"
OPERATIONS = {
    "sale": Operation.SALE,
    "pre_auth": Operation.PREAUTH,
    "capture_pre_auth": Operation.CAPTURE,
    "cancel": Operation.REFUND,
    "unreferenced_refund": Operation.UNREFERENCED_REFUND,
}
WITHOUT_PEOPLE = ("abort", "transactionDetails", "foreground")
_KEYS = ("referenceNumber", "orderCode", "shortOrderCode")
_CODES = {1000: "(-4) USER_CANCEL", 1016: "(-57) ABORTED"}
UNEXPECTED = "(-999) UNEXPECTED"
_DECLINED, _REFUND_ERROR = "(-12) TRANSACTION_DECLINED_BY_SERVER", "(-23) REFUND_SERVER_ERROR"
_LISTED = 3
_INSTALMENTS = 36


@dataclass
class AppOptions:
    demo: bool = False  # the demo app: cancel is always answered -999
    raw: bool = False  # callbacks with raw spaces and raw +
    reference_on_failure: bool = False  # a failure tells clientTransactionId; published ones do not
    amount_with_tip: bool = True  # the callback's amount includes the tip
    abort_callback: str = "abort"  # whose callback an abort opens: "abort", "sale" or "both"
    abort_ignored: bool = False  # the card was read: the payment goes on
    details: bool = True  # the app knows transactionDetails (Android)
    device: str = DEVICE  # the terminal that the app runs on, unless another one is named

    def update(self, values: Mapping[str, Any]) -> None:
        known = {item.name for item in fields(self)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"There is no option {name!r}.")
            setattr(self, name, value)


@dataclass
class Opened:
    """One URI that was opened."""

    uri: str
    params: dict[str, str]
    terminal: Terminal
    problem: str
    at: str
    session: Session | None = None
    how: dict[str, Any] = field(default_factory=dict)
    callbacks: list[str] | None = None  # None: the app is not done with it
    success: bool | None = None
    message: str = ""
    key: str = field(default_factory=lambda: uuid.uuid4().hex[:12])

    @property
    def action(self) -> str:
        return self.params.get("action", "")


class App:
    def __init__(self, world: World) -> None:
        self.world = world
        self.options = AppOptions()
        self.opened: dict[str, Opened] = {}

    # -- what comes in -----------------------------------------------------------------------------------------------

    def find(self, key: str) -> Opened:
        if key not in self.opened:
            raise NotPossible("The app knows nothing of that.")
        return self.opened[key]

    def show(self, uri: str, terminal_id: str | None = None) -> Opened:
        """Take a URI; the same one again, while it is on the screen, is the same request."""
        terminal = self.world.terminals.get(terminal_id or self.options.device)
        if terminal is None:
            raise NotPossible("There is no such terminal.")
        for known in self.opened.values():
            if known.uri == uri and known.terminal is terminal and known.callbacks is None:
                return known
        params, problem = self._read(uri)
        now = self.world.clock.now().isoformat(timespec="milliseconds")
        opened = Opened(uri, params, terminal, problem, now)
        self.opened[opened.key] = opened
        if problem:
            self.world.violation(problem, "/app", uri)
            self._done(opened, None, UNEXPECTED)
        elif opened.action in WITHOUT_PEOPLE:
            self._at_once(opened)
        else:
            self._begin(opened)
        self.world.touch()
        return opened

    def _read(self, uri: str) -> tuple[dict[str, str], str]:
        """The decoded parameters, and what is wrong with them."""
        head, _, query = uri.partition("?")
        params: dict[str, str] = {}
        path = "/app"
        if " " in query or "+" in query:
            self.world.violation("the URI has a raw space or a raw +", path, uri)
        for pair in query.split("&"):
            name, _, value = pair.partition("=")
            if name in params:
                self.world.violation(f"{name} comes twice", path, uri)
            params[name] = unquote(value)
        if params.get("ISV_clientSecret"):
            self.world.violation("ISV_clientSecret in a URI", path)
        callback = params.get("callback", "")
        if "?" in callback or "#" in callback:
            self.world.violation("the callback has a query or a fragment", path, uri)
        if head != f"{SCHEME}://pay/v1":
            return params, "not vivapayclient://pay/v1"
        return params, self._wrong(params, callback)

    def _wrong(self, params: dict[str, str], callback: str) -> str:
        action = params.get("action", "")
        if action not in OPERATIONS and action not in WITHOUT_PEOPLE:
            return f"action: {action!r}"
        if not params.get("appId"):
            return "appId: missing"
        if action != "foreground" and not urlsplit(callback).scheme and not callback:
            return "callback: missing"
        needs_amount = action in ("sale", "pre_auth", "unreferenced_refund")
        amount, tip = params.get("amount", ""), params.get("tipAmount") or "0"
        if (amount or needs_amount) and not re.fullmatch(r"[1-9]\d{0,9}", amount):
            return f"amount: {amount!r}"
        if not re.fullmatch(r"\d{1,10}", tip) or int(tip) > int(amount or 0):
            return f"tipAmount: {tip!r}"
        for name in ("show_receipt", "show_transaction_result", "show_rating", "withInstallments"):
            if params.get(name, "true") not in ("true", "false"):
                return f"{name}: {params[name]!r}"
        if int(tip) and (action != "sale" or params.get("withInstallments") == "true"):
            return "tipAmount: not with this"
        if action in ("sale", "pre_auth") and not params.get("clientTransactionId"):
            self.world.violation("clientTransactionId: missing", "/app", params)
        return ""

    def _begin(self, opened: Opened) -> None:
        params, terminal = opened.params, opened.terminal
        operation = OPERATIONS[opened.action]
        tip = int(params.get("tipAmount") or 0)
        opened.session = session = Session(
            merchant_id=terminal.merchant_id,
            session_id=f"app-{opened.key}",
            terminal_id=terminal.terminal_id,
            cash_register_id="",
            operation=operation,
            amount=int(params.get("amount") or 0) + tip,
            currency_code=self.world.settings.currency or "978",
            created=self.world.clock.now(),
            merchant_reference=params.get("clientTransactionId") or None,
            tip=tip,
            max_instalments=_INSTALMENTS if params.get("withInstallments") == "true" else 1,
            channel=APP,
        )
        if operation.without_card:
            session.state = State.SHOWN  # in the app only, until somebody confirms
            return
        if session.amount < self.world.settings.min_amount:
            session.refusal = 6000
        if not terminal.take(session):
            self._done(opened, None, UNEXPECTED)
            return
        self.world.lan_sessions.append(session)
        self.world.spawn(self._until_final(opened, session))

    async def _until_final(self, opened: Opened, session: Session) -> None:
        """People may act at the terminal's page too."""
        while session.result is None:
            await self.world.changed.wait()
        self._finish(opened)

    # -- without people ----------------------------------------------------------------------------------------------

    def _at_once(self, opened: Opened) -> None:
        if opened.action == "foreground":
            opened.callbacks = []
        elif opened.action == "abort":
            self._abort(opened)
        else:
            row = self._details(opened)
            if row is None:
                self._done(opened, None, UNEXPECTED)
            else:
                self._done(opened, row, "Transaction Details Fetched")

    def _details(self, opened: Opened) -> Transaction | None:
        reference = opened.params.get("clientTransactionId")
        if not reference or not self.options.details:
            return None
        rows = (row for row in reversed(self._rows(opened)) if row.approved)
        return next((row for row in rows if row.merchant_reference == reference), None)

    def _abort(self, opened: Opened) -> None:
        running = self._running(opened.terminal)
        if running is not None and running.session and running.session.state is not State.SHOWN:
            running = None
        if running is None or self.options.abort_ignored:
            self._done(opened, None, UNEXPECTED)
            return
        session = running.session
        assert session is not None
        session.abort_requested = True
        if opened.terminal.current is session:
            opened.terminal.hang_up(session)
        self._done(running, None, _CODES[1016])
        told = running.callbacks or []
        self._done(opened, None, _CODES[1016], like=running)
        which = self.options.abort_callback
        if which != "abort":
            own = opened.callbacks or []
            opened.callbacks = told if which == "sale" else [*own, *told]
        if which == "abort":
            running.callbacks = []

    def _running(self, terminal: Terminal) -> Opened | None:
        """What the app has on its screen."""
        for opened in reversed(list(self.opened.values())):
            if opened.terminal is terminal and opened.callbacks is None and opened.session:
                return opened
        return None

    # -- what people do ----------------------------------------------------------------------------------------------

    async def act(self, opened: Opened, action: str, options: Mapping[str, Any]) -> None:
        """:raises NotPossible: when the app is done with it, or there is no such action"""
        if opened.callbacks is not None:
            return  # invalid, or without people: the answer stands
        opened.how = {**options, "action": action}
        session = opened.session
        assert session is not None
        if action in ("leave", "cancel", "forge", "replay"):
            self._without_payment(opened, session, action)
        elif action in ("approve", "silent", "decline"):
            await self._pay(opened, session, action, options)
        else:
            raise NotPossible(f"There is no action {action!r}.")

    def _without_payment(self, opened: Opened, session: Session, action: str) -> None:
        row = None
        if action == "replay":
            row = self._older(opened)
        if opened.terminal.current is session:
            opened.terminal.do_cancel({})
        if action == "leave":
            opened.callbacks, opened.success, opened.message = [], False, "left without paying"
        elif action == "cancel":
            self._done(opened, None, _CODES[1000])
        elif row is not None:
            self._done(opened, row, "Transaction successful")
        else:
            forged = opened.terminal.imagine(session)
            self._done(opened, forged, "Transaction successful")
        self.world.touch()

    def _older(self, opened: Opened) -> Transaction:
        wanted = opened.how.get("transactionId")
        for row in reversed(self._rows(opened)):
            if row.approved and row.parent_id is None and wanted in (None, row.transaction_id):
                return row
        raise NotPossible("There is no older payment.")

    async def _pay(
        self, opened: Opened, session: Session, action: str, options: Mapping[str, Any]
    ) -> None:
        terminal = opened.terminal
        if self.options.demo and opened.action == "cancel":
            self._done(opened, None, UNEXPECTED)
            return
        if session.operation.without_card:
            if not self._choose(opened, session):
                return
            session.refusal = 1006 if action == "decline" else None
            if not terminal.take(session):
                raise NotPossible("The terminal is busy.")
            self.world.lan_sessions.append(session)
        else:
            if terminal.current is not session:
                raise NotPossible("The app does not ask for that now.")
            if options.get("tip"):
                terminal.do_tip({"minor": options["tip"]})
            act = "decline" if action == "decline" else "iris" if options.get("iris") else "tap"
            if options.get("entry") == "chip" and act == "tap":
                act = "insert_pin"
            await terminal.perform(act, options)
        while session.result is None:
            await self.world.changed.wait()
        self._finish(opened)

    def _choose(self, opened: Opened, session: Session) -> bool:
        """Find the payment that is given back or captured; False when there is none."""
        rows = self.choices(opened)
        pick = opened.how.get("pick")
        if pick is not None:
            rows = [row for row in rows if row.transaction_id == pick]
        if not rows:
            self._done(opened, None, _REFUND_ERROR if session.operation.gives_back else _DECLINED)
            return False
        session.parent = rows[0]
        session.merchant_reference = session.merchant_reference or rows[0].merchant_reference
        if not session.amount:
            left = rows[0].amount - self.world.ledger.refunded(rows[0])
            session.amount = left if session.operation.gives_back else rows[0].amount
        return True

    def choices(self, opened: Opened) -> list[Transaction]:
        """The payment that the keys name, or the last three."""
        params = opened.params
        captures = opened.action == "capture_pre_auth"
        rows = [
            row
            for row in reversed(self._rows(opened))
            if row.approved
            and row.type_id not in REVERSALS
            and (row.type_id == PREAUTH) >= captures
            and row.status_id not in ("X", "C")
        ]
        if not any(params.get(name) for name in _KEYS):
            return rows[:_LISTED]
        for name, value in (
            ("orderCode", lambda row: row.numbers.order_code),
            ("shortOrderCode", lambda row: row.numbers.short_order_code),
            ("referenceNumber", lambda row: str(row.numbers.stan)),
        ):
            if params.get(name):
                return [row for row in rows if value(row) == params[name].lstrip("0")][:1]
        return []

    def _rows(self, opened: Opened) -> list[Transaction]:
        terminal = opened.terminal
        return [row for row in self.world.ledger.rows if row.terminal_id == terminal.terminal_id]

    # -- what goes out -----------------------------------------------------------------------------------------------

    def _finish(self, opened: Opened) -> None:
        """The session is final: tell it, once."""
        session = opened.session
        if opened.callbacks is not None or session is None or session.result is None:
            return
        result = session.result
        row = self.world.ledger.find(opened.terminal.merchant_id, result["transactionId"] or "")
        if result["success"] and row is not None:
            self._done(opened, row, "Transaction successful")
        else:
            event_id = result["eventId"]
            text = _REFUND_ERROR if session.operation is Operation.REFUND else _DECLINED
            text = UNEXPECTED if event_id in (1003, 4000, 6000) else text
            self._done(opened, None, _CODES.get(event_id, text))

    def _done(
        self, opened: Opened, row: Transaction | None, message: str, like: Opened | None = None
    ) -> None:
        how = opened.how
        opened.success, opened.message = row is not None, message
        values = self._values(like or opened, row, message, how)
        if how.get("without_reference"):
            values.pop("clientTransactionId", None)
        callback = opened.params.get("callback", "")
        if not callback or how.get("action") == "silent":
            opened.callbacks = []
        else:
            raw = how.get("raw", self.options.raw)
            url = f"{callback}{'&' if '?' in callback else '?'}{_query(values, raw)}"
            opened.callbacks = [url, url] if how.get("twice") else [url]
        self.world.touch()

    def _values(
        self, opened: Opened, row: Transaction | None, message: str, how: Mapping[str, Any]
    ) -> dict[str, str]:
        params = opened.params
        echo = {name: value for name, value in params.items() if name.startswith("ISV_")}
        tid = str(how.get("terminal") or opened.terminal.terminal_id)
        if row is None:
            told = (
                params.get("clientTransactionId", "") if self.options.reference_on_failure else ""
            )
            values = {"message": message, "orderCode": "0", "shortOrderCode": "0"}
            values |= {"status": "fail", "tid": tid}
            if how.get("short"):
                return values
            return {
                "status": "fail",
                "message": message,
                "action": opened.action,
                "clientTransactionId": told,
                "amount": str(how.get("callback_amount", params.get("amount", "0"))),
                "tipAmount": params.get("tipAmount") or "0",
                "verificationMethod": " - ",
                "referenceNumber": "0",
                "tid": tid,
                "orderCode": "0",
                "shortOrderCode": "0",
                **echo,
            }
        card = row.card
        reference = params.get("clientTransactionId", "")
        if how.get("old_reference") or opened.action == "transactionDetails":
            reference = row.merchant_reference or ""
        amount = row.amount if self.options.amount_with_tip else row.amount - row.tip
        moment = athens(row.created).isoformat(timespec="microseconds")
        return {
            "aid": card.aid if card else "",
            "status": "success",
            "message": message,
            "action": opened.action,
            "clientTransactionId": reference,
            "amount": str(how.get("callback_amount", amount)),
            "tipAmount": str(row.tip),
            "rrn": row.numbers.rrn,
            "verificationMethod": "CONTACTLESS - NO CVM"
            if row.pan_entry_mode == "07"
            else "CHIP - PIN",
            "cardType": card.label if card else "",
            "accountNumber": card.masked("*") if card else "",
            "referenceNumber": str(row.numbers.stan),
            "authorisationCode": row.numbers.authorization_id,
            "tid": tid,
            "orderCode": row.numbers.order_code,
            "shortOrderCode": row.numbers.short_order_code,
            "installments": str(row.installments),
            "transactionDate": f"{moment[:26]}0{moment[26:]}",
            "transactionId": row.transaction_id,
            "paymentMethod": "IRIS" if row.is_iris else "CARD_PRESENT",
            **echo,
        }

    async def deliver(self, opened: Opened) -> list[int]:
        """Open the callbacks, as the device's browser would; answers the statuses, 0 for none."""
        statuses = []
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=10) as client:
            for url in opened.callbacks or []:
                try:
                    statuses.append((await client.get(url.replace(" ", "%20"))).status_code)
                except httpx.HTTPError:
                    statuses.append(0)
        return statuses

    # -- how it stands -----------------------------------------------------------------------------------------------

    def view(self, opened: Opened) -> dict[str, Any]:
        """What the page and the control API show."""
        session = opened.session
        params = opened.params
        state = "final" if opened.callbacks is not None else "shown"
        if session is not None and state == "shown" and session.state is not State.SHOWN:
            state = session.state.value
        if opened.action == "foreground":
            state = "foreground"
        currency = self.world.settings.currency or "978"
        needs_choice = session is not None and session.operation.without_card and state == "shown"
        callbacks = opened.callbacks or []
        running = self._running(opened.terminal)
        return {
            "key": opened.key,
            "running": running.key if running else None,
            "uri": opened.uri,
            "at": opened.at,
            "action": opened.action,
            "params": params,
            "terminalId": opened.terminal.terminal_id,
            "merchant": self.world.merchants[opened.terminal.merchant_id].name,
            "currency": CURRENCIES.get(currency, currency),
            "amount": session.amount if session else _number(params.get("amount")),
            "tip": session.tip if session else 0,
            "reference": params.get("clientTransactionId", ""),
            "problem": opened.problem,
            "state": state,
            "choices": [self.world.ledger.as_charge(row) for row in self.choices(opened)]
            if needs_choice
            else [],
            "how": opened.how,
            "success": opened.success,
            "message": opened.message,
            "callback": callbacks[0] if callbacks else None,
            "callbacks": callbacks,
            "delay_ms": int(opened.how.get("delay_ms", 0)),
            "older": any(row.approved and row.parent_id is None for row in self._rows(opened)),
            "options": asdict(self.options),
        }


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _query(values: Mapping[str, str], raw: bool) -> str:
    safe = " +:-*()/@" if raw else "-"
    return "&".join(f"{name}={quote(value, safe=safe)}" for name, value in values.items())
