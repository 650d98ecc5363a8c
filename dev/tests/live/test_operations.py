"""Void, refund, hold, capture, release, on a terminal and by API: each of them with the faults of a sale."""

import pytest
from control import until
from operations import BY_API, EVERY, ON_TERMINAL, PAIRS, Kind
from shop import Card, Shop, background, together

from lib.rpc import Lost


def name(kind: Kind) -> str:
    return kind.name


gives_back = pytest.mark.parametrize(
    "kind",
    [kind for kind in EVERY if kind.name.split()[0] in ("void", "refund", "part", "release")],
    ids=name,
)
each = pytest.mark.parametrize("kind", EVERY, ids=name)
on_terminal = pytest.mark.parametrize("kind", ON_TERMINAL, ids=name)
by_api = pytest.mark.parametrize("kind", BY_API, ids=name)
pairs = pytest.mark.parametrize(
    "kinds", PAIRS, ids=lambda kinds: " and ".join(kind.name for kind in kinds)
)


@each
def test_request_lost_and_then_the_answer(shop: Shop, kind: Kind):
    """The first never arrived, which only time tells; the second did, and is not sent again."""
    card = kind.ready(shop)
    before = kind.times(shop, card)
    shop.viva.faults(drop_sale_request=1, drop_reverse_request=1, webhook={"never": True})
    assert (card.send()["state"], card.status["reason"]) == ("unknown", "no_answer")
    assert card.check()["state"] == "unknown"
    if card.operation != "preauth":
        refused = card.again().send()
        assert refused["state"] == "refused"
        assert refused["blocking"]["attempt"] == card.attempt
    kind.given_up(card)
    assert card.send()["state"] == "failed"
    shop.viva.heal()
    shop.viva.faults(drop_sale_response=1, drop_reverse_response=1, webhook={"never": True})
    again = card.again()
    assert (again.send()["state"], again.status["reason"]) == ("unknown", "no_answer")
    assert again.send()["state"] == "unknown"
    kind.carry_out(shop, again)
    assert again.send()["state"] == "approved"
    assert kind.times(shop, again) == before + 2


@each
def test_double_tap_and_two_tabs(shop: Shop, kind: Kind):
    card = kind.ready(shop)
    before = kind.times(shop, card)
    together(*[card.send] * 3)
    together(card.check, card.check, lambda: kind.carry_out(shop, card))
    assert card.send()["state"] == "approved"
    assert kind.times(shop, card) == before + 1
    assert card.steps().count("read") <= 1
    refused = card.again().send()
    expected = {"preauth": "pending"}.get(card.operation, "refused")
    assert refused["state"] == expected, refused["message"]


class TestKilled:
    """kill -9 for the workers, with an operation on a terminal and one by API under way."""

    def lose(self, card: Card) -> None:
        with pytest.raises(Lost):
            card.send()

    @pairs
    def test_before_and_after_sending(self, shop: Shop, kinds: tuple[Kind, Kind]):
        cards = [kind.ready(shop, number) for number, kind in enumerate(kinds)]
        both = list(zip(kinds, cards, strict=True))
        before = [kind.times(shop, card) for kind, card in both]
        with shop.pause("COMMIT", 2):
            sending = [background(lambda card=card: self.lose(card)) for card in cards]
            until(lambda: shop.waiting_for_rows() == 2)
            shop.kill_workers()
            for call in sending:
                call.result()
        for card in cards:
            until(card.row)
            assert (card.send()["state"], card.check()["state"]) == ("sent", "sent")
        assert [kind.times(shop, card) for kind, card in both] == before
        for kind, card in both:
            kind.given_up(card)
        # The same once more, and now Viva has it.
        both = [(kind, card.again()) for kind, card in both]
        shop.viva.faults(slow_ms={kind.path(card): 4000 for kind, card in both})
        sending = [background(lambda card=card: self.lose(card)) for _kind, card in both]
        until(lambda: all(kind.arrived(shop, card) for kind, card in both))
        shop.kill_workers()
        for call in sending:
            call.result()
        shop.viva.heal()
        for kind, card in both:
            assert card.row()["state"] == "sent"
            assert card.send()["state"] == "sent"
            kind.carry_out(shop, card)
        assert [kind.times(shop, card) for kind, card in both] == [number + 1 for number in before]

    @pairs
    def test_before_the_answer_and_the_outcome_are_written(
        self, shop: Shop, kinds: tuple[Kind, Kind]
    ):
        cards = [kind.ready(shop, number) for number, kind in enumerate(kinds)]
        both = list(zip(kinds, cards, strict=True))
        before = [kind.times(shop, card) for kind, card in both]
        shop.viva.faults(
            slow_ms={kind.path(card): 500 for kind, card in both}, webhook={"never": True}
        )
        sending = [background(lambda card=card: self.lose(card)) for card in cards]
        until(lambda: all(card.row() for card in cards))
        with shop.rows_held(*cards):
            until(lambda: shop.waiting_for_rows() == 2)
            shop.kill_workers()
            for call in sending:
                call.result()
        shop.viva.heal()
        # A webhook would wait for the row as well, and a worker with it.
        shop.viva.faults(webhook={"never": True})
        for kind, card in both:
            assert card.row()["state"] == "sent"
            if kind.with_card:
                shop.viva.act("tap", card.terminal)
        until(lambda: not shop.waiting_for_rows())
        references = {card.row()["merchant_reference"] for card in cards}
        until(lambda: references <= {entry["merchantReference"] for entry in shop.viva.book()})
        until(lambda: {one["state"] for one in shop.viva.sessions()} == {"final"})

        def ask(card: Card) -> None:
            with pytest.raises(Lost):
                card.check()

        with shop.rows_held(*cards):
            asking = []
            for number, card in enumerate(cards, 1):  # one read at a time for each account
                asking.append(background(lambda card=card: ask(card)))
                until(lambda number=number: shop.waiting_for_rows() == number)
            shop.kill_workers()
            for call in asking:
                call.result()
        for card in cards:
            assert card.row()["state"] == "sent"
            card.until("approved")
            assert card.steps().count("read") == 1
        assert [kind.times(shop, card) for kind, card in both] == [number + 1 for number in before]


@each
def test_the_whole_request_is_repeated_after_sending(shop: Shop, kind: Kind):
    """Viva has carried it out, and PostgreSQL refuses to write that down: Odoo starts over, and must not send."""
    card = kind.ready(shop)
    before = kind.times(shop, card)
    with shop.refusals("UPDATE OF state", 5):
        assert card.send()["state"] in ("sent", "approved")
    assert "SERIALIZATION_FAILURE, 4 tries left" in shop.log()
    kind.carry_out(shop, card)
    assert kind.times(shop, card) == before + 1


@pytest.mark.parametrize("kind", [ON_TERMINAL[1], BY_API[1]], ids=name)
def test_the_whole_request_is_repeated_before_sending(shop: Shop, kind: Kind):
    """The parent's counter cannot be written: nothing is recorded, nothing sent, and then once."""
    card = kind.ready(shop)
    before = kind.times(shop, card)
    with shop.refusals("UPDATE", 5):
        card.send()
    kind.carry_out(shop, card)
    assert kind.times(shop, card) == before + 1


class TestTerminal:
    @on_terminal
    def test_busy_with_another_system(self, shop: Shop, kind: Kind):
        card = kind.ready(shop)
        shop.foreign_sale(card.terminal)
        card.send()
        assert card.until("failed")["reason"] == "terminal_busy"
        assert card.status["charged"] is False
        shop.viva.act("cancel", card.terminal)
        again = card.again()
        assert again.send()["state"] == "pending", again.status["message"]
        kind.carry_out(shop, again)

    @pytest.mark.parametrize(
        "kind", [kind for kind in ON_TERMINAL if kind.name != "capture"], ids=name
    )
    def test_abort_wins(self, shop: Shop, kind: Kind):
        """As long as a card is awaited; what needs none cannot be stopped any more."""
        shop.viva.settings(refund_needs_card=True)
        card = kind.ready(shop)
        card.send()
        assert card.abort()["abort_asked"] is True
        assert card.until("cancelled")["charged"] is False
        again = card.again()
        assert again.send()["state"] == "pending", again.status["message"]
        shop.viva.act("tap", again.terminal)
        again.until("approved")

    @on_terminal
    def test_abort_loses(self, shop: Shop, kind: Kind):
        card = kind.ready(shop)
        shop.viva.settings(authorising_ms=500)
        card.send()
        if kind.with_card:
            shop.viva.act("tap", card.terminal)
        card.abort()
        assert card.until("approved")["reason"] == "approved_after_cancel"

    def test_asleep_and_decided(self, shop: Shop):
        """Nobody can know; the order is blocked until a manager says that no money went back."""
        sale = shop.paid(shop.first)
        refund = sale.order.refund()
        shop.viva.act("unplug", shop.first)
        card = refund.give_back(shop.first, sale, who=shop.refunder)
        assert card.send()["state"] == "pending"
        for seconds in (151, 31):
            card.later(seconds)
            card.check()
        assert (card.check()["state"], card.status["reason"]) == ("unknown", "no_end")
        elsewhere = Card(
            refund, shop.second, card.amount, operation="refund", parent=sale, who=shop.refunder
        )
        assert elsewhere.send()["reason"] == "order_open"
        by_api = sale.order.refund().give_back(shop.second, sale, via="api", who=shop.manager)
        assert by_api.send()["state"] == "refused"
        card.later(151)
        decision = {"transaction_id": card.row()["id"], "decision": "failed", "reason": "no slip"}
        wizard = shop.manager.call("viva.decide.wizard", "create", decision)
        shop.manager.call("viva.decide.wizard", "action_decide", [wizard])
        assert elsewhere.send()["state"] == "pending", elsewhere.status["message"]
        elsewhere.until("approved")
        assert shop.viva.given_back() == [sale.amount]

    def test_cancelled_and_carried_out_after_all(self, shop: Shop):
        """Viva first says no, then its own event says yes: a person is told, and no money goes back twice."""
        shop.viva.settings(refund_needs_card=True)
        sale = shop.paid(shop.first)
        card = sale.order.refund().give_back(shop.first, sale, who=shop.refunder)
        card.send()
        shop.viva.act("retry_paid", shop.first, delay_ms=800)
        card.until("cancelled")
        until(lambda: card.row()["state"] == "approved", 15)
        assert "Carried out after all" in shop.activities(card)
        again = card.again()
        assert again.send()["state"] == "refused"
        assert shop.viva.given_back() == [sale.amount]


def test_while_viva_is_silent(shop: Shop):
    """Both wait in vain, nothing was done, and both go through when Viva is back."""
    kinds = [ON_TERMINAL[1], BY_API[2]]
    cards = [kind.ready(shop, number) for number, kind in enumerate(kinds)]
    shop.viva.faults(silent=True)
    together(*[card.send for card in cards])
    assert [card.status["state"] for card in cards] == ["unknown"] * 2
    refused = shop.till.charge(shop.terminals[2]).status
    assert (refused["state"], refused["reason"]) == ("refused", "silent")
    shop.viva.heal()
    shop.forget_silence()
    for kind, card in zip(kinds, cards, strict=True):
        kind.given_up(card)
        again = card.again()
        again.send()
        kind.carry_out(shop, again)
    assert sorted(shop.viva.given_back()) == sorted(card.amount for card in cards)


@pytest.mark.parametrize("kind", [kind for kind in BY_API if "capture" not in kind.name], ids=name)
def test_list_lags_and_the_event_does_not(shop: Shop, kind: Kind):
    """The answer is lost, the list shows nothing for a long time; Viva's own event keeps it from being called failed."""
    card = kind.ready(shop)
    # What is older than the lag is listed: the payment itself.
    shop.viva.control("POST", "clock", {"advance_s": 7200})
    shop.viva.faults(drop_reverse_response=1, transactions_lag_s=3600)
    assert card.send()["state"] == "unknown"
    until(lambda: [one["status"] for one in shop.viva.deliveries(1797)] == [200])
    card.later(601)
    shop.run_job()
    assert card.check()["state"] == "unknown"
    assert card.again().send()["state"] == "refused"
    shop.viva.heal()
    assert card.until("approved")["state"] == "approved"
    assert kind.times(shop, card) == 1


@by_api
def test_list_without_our_reference(shop: Shop, kind: Kind):
    """Viva's answer has settled it; a list that does not carry our reference takes nothing back, and work ends."""
    card = kind.ready(shop)
    shop.viva.faults(merchant_trns_null_in_list=True)
    assert card.send()["state"] == "approved"
    shop.run_job()
    shop.run_job()
    assert card.row()["state"] == "approved"
    assert card.row()["recheck_at"] is None
    assert len(card.steps()) <= 4


class TestEvents:
    """1797 about our own money back is no reversal by Viva; one that Viva made by itself is."""

    def quiet(self, shop: Shop, card: Card) -> None:
        """Nobody was told anything, and nothing was booked that Viva would have done by itself."""
        shop.run_job()
        for one in (card, card.parent):
            assert shop.activities(one) == []
        assert not reported(shop, card.parent)

    @gives_back
    def test_before_our_answer_and_without_reference(self, shop: Shop, kind: Kind):
        """Only the parent's number says what it is about, it comes twice, and the job reads it before we do."""
        card = kind.ready(shop)
        shop.viva.faults(
            slow_ms={kind.path(card): 600}, webhook={"null_reference": True, "duplicate": 1}
        )
        sending = background(card.send)
        until(lambda: len(shop.viva.deliveries(1797)) == 2)
        shop.run_job()
        sending.result()
        kind.carry_out(shop, card)
        self.quiet(shop, card)

    @gives_back
    def test_late_and_twice(self, shop: Shop, kind: Kind):
        card = kind.ready(shop)
        shop.viva.faults(webhook={"delay_ms": 300, "duplicate": 1})
        card.send()
        kind.carry_out(shop, card)
        until(lambda: len(shop.viva.deliveries(1797)) == 2)
        assert {one["status"] for one in shop.viva.deliveries(1797)} == {200}
        self.quiet(shop, card)

    @pytest.mark.parametrize("kind", [ON_TERMINAL[5], BY_API[3]], ids=name)
    def test_viva_gives_a_captured_hold_back(self, shop: Shop, kind: Kind):
        card = kind.ready(shop)
        card.send()
        kind.carry_out(shop, card)
        card.order.finish()
        shop.viva.reverse(card.viva_id())
        until(lambda: shop.activities(card) == [REVERSED])
        shop.run_job()
        assert len(reported(shop, card)) == 1
        by_api = card.order.refund().give_back(shop.second, card, via="api", who=shop.manager)
        assert by_api.send()["reason"] == "nothing_left"

    def test_viva_releases_a_hold(self, shop: Shop):
        hold = shop.pay(shop.till.hold(shop.first))
        shop.viva.reverse(hold.viva_id())
        until(lambda: shop.activities(hold) == [REVERSED])
        capture = shop.till.order().capture(shop.first, hold)
        assert capture.send()["reason"] == "nothing_left"
        shop.run_job()
        (state,) = shop.database.run("SELECT state FROM viva_hold ORDER BY id DESC LIMIT 1")
        assert state["state"] == "released"

    def test_viva_gives_a_part_back_and_so_do_we(self, shop: Shop):
        """Ours is under way (its answer was lost) when Viva's own comes; both count, each once."""
        sale = shop.cleared(shop.first)
        card = sale.order.refund(1000).give_back(shop.first, sale, via="api", who=shop.manager)
        shop.viva.faults(drop_reverse_response=1)
        assert card.send()["state"] == "unknown"
        shop.viva.reverse(sale.viva_id(), 700)
        until(lambda: len(shop.viva.deliveries(1797)) == 2)
        shop.run_job()
        card.until("approved")
        shop.run_job()
        assert shop.activities(sale) == [REVERSED]
        assert reported(shop, sale) == [700]
        rest = sale.order.refund(300).give_back(shop.first, sale, who=shop.refunder)
        assert rest.send()["reason"] == "nothing_left"
        assert shop.till.ask("pos_check", [sale.attempt])[0]["left_minor"] == 299


REVERSED = "Viva reports that this payment was reversed"


def reported(shop: Shop, parent: Card) -> list[int]:
    """What Viva has given back of a payment by itself, as far as Odoo knows."""
    found = shop.database.run(
        "SELECT round(amount * 100)::int AS amount FROM viva_transaction WHERE origin = 'viva' AND parent_id = %s",
        parent.row()["id"],
    )
    return [row["amount"] for row in found]
