"""A virtual card terminal: what it shows, what can be done with it, and when its result is known (section 11.2).

The device and the acquirer are two parties: money moves when the acquirer decides, the session becomes final when the
device reports. A device without network keeps its result until it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .cards import CARDS, Card
from .ledger import (
    CAPTURE,
    CHARGE,
    INSTALMENTS,
    IRIS,
    PREAUTH,
    REFUND,
    REVERSALS,
    ReversalRefused,
    Transaction,
)
from .session import CLOUD, Operation, Session, State, body

if TYPE_CHECKING:
    from .lan import Lan
    from .world import World

CONTACTLESS, CHIP, NO_CARD = "07", "05", "00"
# How long a result stays on the screen.
RESULT_S = 6
LIVE_STATUS = 1
IRIS_FAILS = 735


class NotPossible(Exception):
    """The terminal is not in a state in which somebody could do that."""


class Terminal:
    def __init__(
        self, world: World, terminal_id: str, merchant_id: str, status_id: int, source_code: str
    ) -> None:
        self.world = world
        self.terminal_id = terminal_id
        self.virtual_terminal_id = terminal_id
        self.merchant_id = merchant_id
        self.status_id = status_id
        self.source_code = source_code
        self.online = True
        self.current: Session | None = None
        self.lan: Lan | None = None
        self.stored: list[Transaction] = []  # approved without network, not yet at the acquirer
        self.missed: list[Session] = []
        self._unsent: list[tuple[Session, dict[str, Any]]] = []
        self._last: Session | None = None
        self._last_body: dict[str, Any] = {}
        self._last_until = 0.0

    # -- requests from the cloud -------------------------------------------------------------------------------------

    def request(self, session: Session) -> None:
        """Take a request from the cloud, unless the terminal is away (it stays pending) or busy (1100)."""
        if not self.online or self.status_id != LIVE_STATUS:
            self.missed.append(session)
        elif self.current is not None:
            self.refuse(session, 1100)
        else:
            self._show(session)

    def take(self, session: Session) -> bool:
        """Show a request that came over the LAN or from the app; False when the terminal is busy or broken."""
        if self.current is not None or self.status_id != LIVE_STATUS:
            return False
        self._show(session)
        return True

    def lose(self) -> None:
        """The app on the device starts again: a request that has no card yet is gone without a result."""
        session = self.current
        if session is not None and session.state in (State.SHOWN, State.QR, State.PIN):
            self.current = None
            self.world.touch()

    def hang_up(self, session: Session, nameless: bool = False) -> None:
        """Who asked does not want it any more: the request ends, or what is approved is reversed (TCP, 4.6)."""
        if self.current is not session:
            return
        if session.state in (State.SHOWN, State.QR, State.PIN):
            self._finish(session, self._failure(session, 1016, abort_won_at=self.world.clock.now()))
        else:
            self.world.spawn(self._reverse_when_done(session, nameless))

    async def _reverse_when_done(self, session: Session, nameless: bool) -> None:
        while session.result is None:
            await self.world.changed.wait()
        row = self.world.ledger.find(self.merchant_id, session.result["transactionId"] or "")
        if row is not None and row.approved:
            with contextlib.suppress(ReversalRefused):
                self.world.reverse(row, row.amount, forced=True, nameless=nameless)

    def refuse(self, session: Session, event_id: int) -> None:
        """Fail a request before it is shown."""
        self._settle(session, self._failure(session, event_id))

    def abort(self, session: Session) -> None:
        """Ask for an abort; it takes a while, and the card may be quicker."""
        session.abort_requested = True
        self.world.spawn(self._abort_later(session))
        self.world.touch()

    async def _abort_later(self, session: Session) -> None:
        await self.world.clock.sleep(self.world.settings.abort_ms / 1000)
        self._abort_now(session)

    def _abort_now(self, session: Session) -> None:
        heard = self.online or session.channel != CLOUD
        if heard and self.current is session and session.state is State.SHOWN:
            self._finish(session, self._failure(session, 1016, abort_won_at=self.world.clock.now()))

    def _show(self, session: Session) -> None:
        self.current = session
        if session.operation.without_card and not self._needs_card(session):
            session.state = State.AUTHORISING
            self.world.spawn(self._carry_out(session))
        else:
            self._ask_for_card(session)
            auto = self.world.settings.auto
            if session.channel != CLOUD and self.lan is not None:
                auto = self.lan.options.auto or auto
            if auto:
                self.world.spawn(self._act_by_itself(session, dict(auto)))
        self.world.touch()

    def _needs_card(self, session: Session) -> bool:
        return session.operation is Operation.REFUND and self.world.settings.refund_needs_card

    def _ask_for_card(self, session: Session) -> None:
        session.state = State.SHOWN
        session.deadline = self.world.clock.time() + self.world.settings.card_timeout_s
        self.world.spawn(self._lapse(session, session.deadline))

    async def _lapse(self, session: Session, deadline: float) -> None:
        await self.world.clock.until(deadline)
        if (
            self.current is session
            and session.state in (State.SHOWN, State.QR)
            and session.deadline == deadline
        ):
            self._finish(session, self._failure(session, 1003))

    async def _act_by_itself(self, session: Session, options: dict[str, Any]) -> None:
        await asyncio.sleep(options.pop("delay_ms", 0) / 1000)
        if self.current is session and session.state is State.SHOWN:
            await self.perform(options.pop("action"), options)

    async def _carry_out(self, session: Session) -> None:
        """A refund or capture that needs no card."""
        await self.world.clock.sleep(self.world.settings.authorising_ms / 1000)
        if self.current is session and session.channel == CLOUD:
            self._decide(session, None, NO_CARD, {})
        elif self.current is session:
            self._ask_acquirer(session, None, NO_CARD, {}, self.online)

    # -- what people do ----------------------------------------------------------------------------------------------

    async def perform(self, action: str, options: Mapping[str, Any]) -> None:
        """Do what a person would do. ``wait_s`` in the options waits for a request to be shown first.

        :raises NotPossible: in this state, or there is no such action
        """
        method = getattr(self, f"do_{action}", None)
        if method is None:
            raise NotPossible(f"There is no action {action!r}.")
        if options.get("wait_s"):
            await self._wait_shown(float(options["wait_s"]))
        method(options)
        self.world.touch()

    async def _wait_shown(self, seconds: float) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while self.current is None or self.current.state not in (State.SHOWN, State.QR):
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                raise NotPossible("The terminal shows no request.")
            try:
                await asyncio.wait_for(self.world.changed.wait(), left)
            except asyncio.TimeoutError:
                continue

    def _shown(self, *states: State) -> Session:
        if self.current is None or self.current.state not in (states or (State.SHOWN,)):
            raise NotPossible("The terminal does not ask for that now.")
        return self.current

    def do_tap(self, options: Mapping[str, Any]) -> None:
        """Present a card.

        ``card`` names it. To make wrong answers: ``amount``, ``currency``, ``reference``, ``terminal``,
        ``transactionId``. ``installments`` up to the number that was offered. Before it, :meth:`do_tip`,
        :meth:`do_surcharge` and :meth:`do_dcc` are what the customer may choose.
        """
        self._present(CONTACTLESS, options)

    def do_insert_pin(self, options: Mapping[str, Any]) -> None:
        """The same with chip and PIN."""
        self._present(CHIP, options)

    def do_decline(self, options: Mapping[str, Any]) -> None:
        """Present a card that is declined.

        ``reason`` issuer's reason (10051); ``event_id`` (1006); ``form`` "issuer" or "server" (nothing reached the
        acquirer); ``try_again`` true leaves the request on the screen for another card.
        """
        self._present(CONTACTLESS, {"reason": 10051, **options})

    def _present(self, entry: str, options: Mapping[str, Any]) -> None:
        session = self._shown()
        card = self._card(options)
        session.state = State.PIN if entry == CHIP else State.AUTHORISING
        self.world.spawn(self._authorise(session, card, entry, options))

    async def _authorise(
        self, session: Session, card: Card, entry: str, options: Mapping[str, Any]
    ) -> None:
        if entry == CHIP:
            await self.world.clock.sleep(self.world.settings.pin_ms / 1000)
            if self.current is not session:
                return
        session.state = State.AUTHORISING
        self.world.touch()
        reached = self.online
        await self.world.clock.sleep(self.world.settings.authorising_ms / 1000)
        self._ask_acquirer(session, card, entry, options, reached)

    def _ask_acquirer(
        self,
        session: Session,
        card: Card | None,
        entry: str,
        options: Mapping[str, Any],
        reached: bool,
    ) -> None:
        if self._alone(session):
            self._approve_alone(session, card, entry, options)
        elif reached:
            self._decide(session, card, entry, options)
        else:
            self._finish(session, self._failure(session, 4000, entry=entry))

    def _alone(self, session: Session) -> bool:
        """Tell whether the device decides without the acquirer (store and forward)."""
        lan = self.lan
        return session.channel != CLOUD and lan is not None and bool(lan.options.offline)

    def _approve_alone(
        self, session: Session, card: Card | None, entry: str, options: Mapping[str, Any]
    ) -> None:
        refusal = session.refusal
        if refusal is None and session.operation is not Operation.SALE:
            refusal = 6201
        if refusal is not None:
            self._finish(session, self._failure(session, refusal, entry=entry))
            return
        row = self._row(session, card, entry, options)
        self.stored.append(row)
        session.offline = True
        result = self._body(session, 0, row=row, entry=entry)
        result |= {"transactionId": None, "retrievalReferenceNumber": None}
        result |= {"orderCode": "0", "shortOrderCode": "0"}
        self._finish(session, result)

    def forward(self) -> int:
        """Bring what was approved without network to the acquirer; answers how many."""
        stored, self.stored = self.stored, []
        for row in stored:
            self.world.ledger.add(row)
            self.world.webhooks.publish(self.merchant_id, self.world.webhooks.of_transaction(row))
        self.world.touch()
        return len(stored)

    def do_iris(self, options: Mapping[str, Any]) -> None:
        """Choose IRIS and, unless ``pay`` is false, pay; a second call pays."""
        session = self._shown(State.SHOWN, State.QR)
        if session.operation.gives_back:
            raise NotPossible("Money is not given back by a QR code.")
        session.state = State.QR
        if options.get("pay", True):
            self.world.spawn(self._pay_by_iris(session, options))

    async def _pay_by_iris(self, session: Session, options: Mapping[str, Any]) -> None:
        await self.world.clock.sleep(self.world.settings.iris_ms / 1000)
        if self.current is session and session.state is State.QR:
            session.state = State.AUTHORISING
            self._decide(session, None, NO_CARD, {**options, "iris": True})

    def do_cancel(self, options: Mapping[str, Any]) -> None:
        session = self._shown(State.SHOWN, State.QR)
        self._finish(session, self._failure(session, 1000))

    def do_walk_away(self, options: Mapping[str, Any]) -> None:
        """The customer leaves: the minute on the screen runs out at once."""
        session = self._shown(State.SHOWN, State.QR)
        self._finish(session, self._failure(session, 1003))

    def do_tip(self, options: Mapping[str, Any]) -> None:
        """The customer adds ``minor`` as a tip; the amount rises."""
        session = self._pays()
        if session.operation is Operation.PREAUTH:
            raise NotPossible("A pre-authorisation has no tip.")
        session.tip += int(options["minor"])
        session.amount += int(options["minor"])

    def do_surcharge(self, options: Mapping[str, Any]) -> None:
        """The terminal adds ``minor`` for the kind of card; the amount rises."""
        session = self._pays()
        if session.echo.get("skipSurcharge"):
            raise NotPossible("The request says that there is no surcharge.")
        session.surcharge += int(options["minor"])
        session.amount += int(options["minor"])

    def do_dcc(self, options: Mapping[str, Any]) -> None:
        """The customer pays in the card's ``currency`` (numeric): ``amount`` in its minor units, ``rate``.

        The merchant's amount and currency stay. The shape in the session is UNVERIFIED.
        """
        session = self._pays()
        session.dcc = {
            "currencyCode": str(options["currency"]),
            "amount": int(options["amount"]),
            "exchangeRate": float(options["rate"]),
        }

    def _pays(self) -> Session:
        session = self._shown()
        if session.operation not in (Operation.SALE, Operation.PREAUTH):
            raise NotPossible("Only who pays can do that.")
        return session

    def do_retry_paid(self, options: Mapping[str, Any]) -> None:
        """The session ends badly, and then the customer pays all the same (9.2 no. 1).

        ``first`` is cancel (1000), decline (1006) or invalid_card (1010); ``delay_ms`` until the payment.
        """
        session = self._shown()
        event_id = {"cancel": 1000, "decline": 1006, "invalid_card": 1010}[
            options.get("first", "cancel")
        ]
        self._finish(session, self._failure(session, event_id))
        self.world.spawn(self._pay_after_all(session, options))

    async def _pay_after_all(self, session: Session, options: Mapping[str, Any]) -> None:
        await asyncio.sleep(options.get("delay_ms", 200) / 1000)
        card = self._card(options)
        if session.parent is None:
            row = self.world.ledger.add(self._row(session, card, CONTACTLESS, options))
        else:
            row = self._give_back(session, session.parent, CONTACTLESS, options)
        if self.world.settings.strict.retry_listed:
            session.later = self._body(session, 0, row=row, entry=CONTACTLESS)
        self.world.webhooks.publish(self.merchant_id, self.world.webhooks.of_transaction(row))
        self.world.touch()

    def do_unplug(self, options: Mapping[str, Any]) -> None:
        self.online = False

    def do_plug(self, options: Mapping[str, Any]) -> None:
        """Back on the network: report what could not be reported, take the abort that could not be delivered."""
        self.online = True
        for session, result in self._unsent:
            self._settle(session, result)
        self._unsent.clear()
        self.forward()
        if self.current is not None and self.current.abort_requested:
            self._abort_now(self.current)
        missed, self.missed = self.missed, []
        oldest = self.world.clock.time() - self.world.settings.card_timeout_s
        if self.world.settings.strict.late_delivery and self.current is None:
            for session in missed:
                if session.created.timestamp() > oldest:
                    self._show(session)
                    break

    # -- the acquirer ------------------------------------------------------------------------------------------------

    def pay_at_once(self, session: Session) -> None:
        """Approve without any delay; by a contactless card if one is needed."""
        if self.current is not session:
            return
        if session.state is State.SHOWN:
            session.state = State.AUTHORISING
            reached = self.online or session.channel == CLOUD
            self._ask_acquirer(session, CARDS["visa"], CONTACTLESS, {}, reached)
        elif session.operation.without_card:
            self._decide(session, None, NO_CARD, {})

    def _card(self, options: Mapping[str, Any]) -> Card:
        name = options.get("card", "visa")
        if name not in CARDS:
            raise NotPossible(f"There is no card {name!r}.")
        return CARDS[name]

    def imagine(self, session: Session) -> Transaction:
        """A record that looks right and is in no book."""
        return self._row(session, CARDS["visa"], CONTACTLESS, {})

    def _row(
        self,
        session: Session,
        card: Card | None,
        entry: str,
        options: Mapping[str, Any],
        type_id: int | None = None,
    ) -> Transaction:
        """A new record at the acquirer. The options can make it differ from what was asked."""
        installments = min(int(options.get("installments", 0)), session.max_instalments)
        if type_id is None:
            type_id = self._type(session, options, installments)
        now = self.world.clock.now()
        parent = session.parent
        terminal_id = session.tid or self.terminal_id
        row = Transaction(
            merchant_id=self.merchant_id,
            terminal_id=terminal_id,
            source_code=self.source_code,
            amount=int(options.get("amount", session.amount)),
            currency_code=str(options.get("currency", session.currency_code)),
            type_id=type_id,
            created=now,
            numbers=self.world.numbers.again(parent.numbers, now)
            if parent
            else self.world.numbers.next(now, terminal_id),
            card=card,
            session_id=session.session_id,
            merchant_reference=options.get("reference", session.merchant_reference),
            customer_trns=session.customer_trns,
            tip=session.tip,
            surcharge=session.surcharge,
            dcc=session.dcc,
            parent_id=parent.transaction_id if parent else None,
            parent_type_id=parent.type_id if parent else None,
            installments=parent.installments if parent else installments,
            pan_entry_mode=entry,
            service_id=19 if session.operation is Operation.FAST_REFUND else None,
            manual_refund=session.operation.gives_back
            and session.operation is not Operation.REFUND,
        )
        if options.get("transactionId"):
            row.transaction_id = str(options["transactionId"])
        return row

    @staticmethod
    def _type(session: Session, options: Mapping[str, Any], installments: int) -> int:
        if options.get("iris"):
            return IRIS
        if session.operation is Operation.PREAUTH:
            return PREAUTH
        if session.operation.gives_back:
            return REFUND
        return INSTALMENTS if installments > 1 else CHARGE

    def _decide(
        self, session: Session, card: Card | None, entry: str, options: Mapping[str, Any]
    ) -> None:
        """The acquirer's answer: book it, tell the webhooks, and let the device report."""
        if session.refusal is not None:
            self._finish(session, self._failure(session, session.refusal, entry=entry))
        elif session.operation is Operation.CAPTURE:
            self._decide_capture(session)
        elif session.operation is Operation.REFUND:
            self._decide_refund(session, card, entry, options)
        else:
            self._decide_card(session, card, entry, options)

    def _decide_card(
        self, session: Session, card: Card | None, entry: str, options: Mapping[str, Any]
    ) -> None:
        refusal = self._not_enabled(session)
        if refusal:
            self._finish(session, self._failure(session, refusal, entry=entry))
            return
        reason = options.get("reason")
        if reason is None and not session.operation.gives_back:
            reason = self.world.settings.decline_amounts.get(session.amount)
        if options.get("iris") and session.amount == IRIS_FAILS:
            reason = 10006
        if reason is None:
            row = self.world.ledger.add(self._row(session, card, entry, options))
            self._approve(session, row, entry, options)
        else:
            self._decline(session, card, entry, options, int(reason))

    def _approve(
        self, session: Session, row: Transaction, entry: str, options: Mapping[str, Any]
    ) -> None:
        webhooks = self.world.webhooks
        result = self._body(session, 0, row=row, entry=entry)
        if "terminal" in options:
            result["terminalId"] = str(options["terminal"])
        events = webhooks.of_transaction(row)
        if self.world.faults.webhook.failed_then_created and row.type_id not in REVERSALS:
            events = [*webhooks.of_transaction(self._failed_attempt(session, row)), *events]
        self._finish(session, result, events)
        if (
            self.world.faults.webhook.auto_reversal
            and row.moved_money
            and not session.operation.gives_back
        ):
            self.world.spawn(self._reverse_by_itself(row))

    def _failed_attempt(self, session: Session, paid: Transaction) -> Transaction:
        """The declined first try of a sale that was paid at the second."""
        row = self._row(session, paid.card, paid.pan_entry_mode, {})
        row.status_id, row.reason = "E", 10051
        return self.world.ledger.add(row)

    async def _reverse_by_itself(self, row: Transaction) -> None:
        await asyncio.sleep(self.world.faults.webhook.auto_reversal_ms / 1000)
        with contextlib.suppress(ReversalRefused):
            self.world.reverse(row, row.amount, forced=True)
        row.vanished = self.world.faults.webhook.vanish

    def _decline(
        self,
        session: Session,
        card: Card | None,
        entry: str,
        options: Mapping[str, Any],
        reason: int,
    ) -> None:
        event_id = int(options.get("event_id", 1006))
        if options.get("form") == "server":
            self._finish(session, self._failure(session, event_id, entry=entry))
            return
        row = self._row(session, card, entry, options)
        row.status_id, row.reason = "E", reason
        self.world.ledger.add(row)
        events = self.world.webhooks.of_transaction(row)
        if options.get("try_again"):
            self._ask_for_card(session)
            self.world.webhooks.publish(self.merchant_id, events)
            self.world.touch()
        else:
            self._finish(session, self._body(session, event_id, row=row, entry=entry), events)

    def _not_enabled(self, session: Session) -> int:
        """The event id for an operation that the merchant may not use; 0 when it may."""
        settings = self.world.settings
        if session.operation is Operation.PREAUTH:
            return 0 if settings.preauth else 5002
        allowed = {
            Operation.UNREFERENCED_REFUND: settings.unreferenced_refund,
            Operation.FAST_REFUND: settings.fast_refund,
            Operation.REBATE: settings.rebate,
        }
        return 0 if allowed.get(session.operation, True) else 1014

    def _decide_capture(self, session: Session) -> None:
        parent = session.parent
        if parent is None or parent.status_id != "F":
            self._finish(session, self._failure(session, 1012))
        elif self.world.ledger.lapsed(parent):
            self._finish(session, self._failure(session, 1102))
        elif not 0 < session.amount <= parent.amount:
            self._finish(session, self._failure(session, 1017))
        else:
            row = self.world.ledger.add(self._row(session, parent.card, NO_CARD, {}, CAPTURE))
            parent.status_id = "C"
            self._approve(session, row, NO_CARD, {})

    def _decide_refund(
        self, session: Session, card: Card | None, entry: str, options: Mapping[str, Any]
    ) -> None:
        parent = session.parent
        try:
            if parent is None or self._elsewhere(parent):
                raise ReversalRefused(1101, 404, "")
            if options.get("reason") is not None:
                self._decline(session, card, entry, options, int(options["reason"]))
                return
            row = self._give_back(session, parent, entry, options)
        except ReversalRefused as refusal:
            self._finish(session, self._failure(session, refusal.event_id, entry=entry))
            return
        self._approve(session, row, entry, options)

    def _elsewhere(self, parent: Transaction) -> bool:
        other = parent.terminal_id != self.terminal_id
        return other and not self.world.settings.strict.refund_elsewhere

    def _give_back(
        self, session: Session, parent: Transaction, entry: str, options: Mapping[str, Any]
    ) -> Transaction:
        """Book a refund, void or release.

        :raises ReversalRefused: when the acquirer does not do it
        """
        type_id, status_id = self.world.ledger.reverse(parent, session.amount)
        row = self.world.ledger.add(self._row(session, parent.card, entry, options, type_id))
        parent.status_id = status_id
        return row

    # -- results -----------------------------------------------------------------------------------------------------

    def _body(self, session: Session, event_id: int, **more: Any) -> dict[str, Any]:
        return body(
            session,
            event_id,
            pan_mask=self.world.settings.strict.pan_mask,
            virtual_terminal_id=self.virtual_terminal_id,
            **more,
        )

    def _failure(self, session: Session, event_id: int, **more: Any) -> dict[str, Any]:
        return self._body(session, event_id, **more)

    def _finish(
        self, session: Session, result: dict[str, Any], events: list[Any] | None = None
    ) -> None:
        """The device is done with the request; the cloud learns of it when the device has a network."""
        self.current = None
        self._last, self._last_body = session, result
        self._last_until = self.world.clock.time() + RESULT_S
        self.world.spawn(self._back_to_welcome(self._last_until))
        if self.online or session.channel != CLOUD:
            self._settle(session, result, events)
        else:
            self._unsent.append((session, result))
            self.world.webhooks.publish(self.merchant_id, events or [])
        self.world.touch()

    def _settle(
        self, session: Session, result: dict[str, Any], events: list[Any] | None = None
    ) -> None:
        session.result = result
        session.state = State.FINAL
        session.finished = self.world.clock.now()
        told = list(events or [])
        if session.channel == CLOUD:
            told.append(self.world.webhooks.of_session(self.merchant_id, result))
        self.world.webhooks.publish(self.merchant_id, told)
        self.world.touch()

    # -- what the screen shows ---------------------------------------------------------------------------------------

    async def _back_to_welcome(self, moment: float) -> None:
        await self.world.clock.until(moment)
        self.world.touch()

    def last_result(self) -> tuple[Session, dict[str, Any]] | None:
        """The request that ended a moment ago, while it is still on the screen."""
        if self._last is None or self.world.clock.time() >= self._last_until:
            return None
        return self._last, self._last_body

    def as_dict(self) -> dict[str, Any]:
        """The terminal as the control API shows it."""
        return {
            "terminalId": self.terminal_id,
            "merchantId": self.merchant_id,
            "statusId": self.status_id,
            "sourceCode": self.source_code,
            "online": self.online,
            "stored": len(self.stored),
            **(self.lan.address() if self.lan else {"lan": None}),
            "state": self.current.state.value if self.current else "idle",
            "session": self.current.as_dict() if self.current else None,
        }
