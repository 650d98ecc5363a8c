"""A till on the terminal itself and the app beside it: whatever the app's callback says, or does not say, Viva's list decides."""

import uuid
from urllib.parse import urlsplit

import pytest
from control import until
from lan import Handheld, elsewhere
from shop import PRICE, Card, Shop, background, together

from lib.rpc import Lost


def path(callback: str) -> str:
    """Where it leads, without what it says."""
    return urlsplit(callback).path


def test_a_sale(shop: Shop, handheld: Handheld):
    card = handheld.pay(handheld.press())
    assert (card.status["protocol"], card.status["word"]) == ("app_to_app", "viva")
    assert card.status["approved_minor"] == PRICE
    card.order.finish()


def test_one_address_that_charges(shop: Shop, handheld: Handheld):
    """Whoever asks again, also at the same moment, gets every address but the one that charges."""
    card = handheld.press()
    answers = together(*[card.send] * 4)
    assert len([one for one in answers if one["app"]["uri"]]) <= 1
    assert all(one["state"] in ("sent", "pending") for one in answers)
    assert not card.send()["app"]["uri"]
    assert not card.check()["app"]["uri"]
    (found,) = card.order.find()
    assert not found["app"]["uri"]
    assert found["app"]["details"]


class TestCallback:
    def test_twice_at_once(self, shop: Shop, handheld: Handheld):
        """Two workers take the same return, a tab asks meanwhile."""
        card = handheld.press()
        told = handheld.open(handheld.start(card))
        callback = told["callback"]
        statuses = together(
            lambda: handheld.back(callback),
            lambda: handheld.back(callback),
            lambda: card.until("approved", seconds=20)["state"],
        )
        assert statuses == [200, 200, "approved"]
        assert handheld.back(callback) == 200
        assert card.steps().count("app") == 1
        assert card.steps().count("read") == 1

    @pytest.mark.parametrize("webhook", [True, False])
    def test_none(self, shop: Shop, handheld: Handheld, webhook: bool):
        """Paid, and the app does not come back: Viva's event tells, or the list when it is looked at again."""
        shop.viva.faults(webhook={"never": not webhook})
        card = handheld.press()
        handheld.open(handheld.start(card), "silent")
        if webhook:
            until(lambda: shop.viva.deliveries(1796))
        else:
            card.later(20)
        card.until("approved", seconds=20)

    def test_none_and_nothing_paid(self, shop: Shop, handheld: Handheld):
        """The person has left the app: the order waits, is unknown, and in the end nothing was charged."""
        card = handheld.press()
        handheld.open(handheld.start(card), "leave")
        card.later(40)
        assert card.check()["state"] == "pending"
        assert elsewhere(card, shop.first).send()["reason"] == "order_open"
        card.later(160)
        shop.run_job()
        assert (card.check()["state"], card.status["charged"]) == ("unknown", False)
        card.later(800)
        shop.run_job()
        assert (card.check()["state"], card.status["reason"]) == ("failed", "app_never_paid")
        shop.pay(elsewhere(card, shop.first))

    def test_cancelled_and_declined(self, shop: Shop, handheld: Handheld):
        for action, state in (("cancel", "cancelled"), ("decline", "declined")):
            card = handheld.press()
            told = handheld.open(handheld.start(card), action)
            assert handheld.back(told["callback"]) == 200
            assert card.until(state, seconds=20)["charged"] is False
            handheld.pay(card.again())

    def test_cancelled_although_it_was_paid(self, shop: Shop, handheld: Handheld):
        """Somebody has written fail into the callback of a payment."""
        card = handheld.press()
        told = handheld.open(handheld.start(card), "approve")
        fail = "?status=fail&action=sale&message=(-4)%20USER_CANCEL"
        assert handheld.back(path(told["callback"]) + fail) == 200
        assert card.until("approved", seconds=20)["charged"] is True

    def test_forged(self, shop: Shop, handheld: Handheld):
        """Success with a number that Viva does not know: never approved, and not called failed at once either."""
        card = handheld.press()
        told = handheld.open(handheld.start(card), "forge")
        assert handheld.back(told["callback"]) == 200
        for seconds in (20, 200, 800):
            card.later(seconds)
            shop.run_job()
            assert card.check()["state"] in ("pending", "unknown")
        assert (card.status["state"], card.status["reason"]) == ("unknown", "app_unconfirmed")
        assert elsewhere(card, shop.first).send()["reason"] == "order_open"

    def test_without_its_address(self, shop: Shop, handheld: Handheld):
        card = handheld.press()
        told = handheld.open(handheld.start(card), "approve")
        query = urlsplit(told["callback"]).query
        for token in (str(uuid.uuid4()), "x" * 32, "..%2f", "%00", card.attempt):
            assert handheld.back(f"/viva/app/{token}?{query}") == 404
        assert card.row()["app_answer"] is None

    def test_of_another_order(self, shop: Shop, handheld: Handheld):
        """What was paid for one order comes back to the address of another one."""
        paid, unpaid = handheld.press(), Handheld(shop, handheld.other, shop.other_till).press()
        other = Handheld(shop, handheld.other, shop.other_till)
        told = handheld.open(handheld.start(paid))
        address = other.open(other.start(unpaid), "forge")["callback"]
        query = urlsplit(told["callback"]).query
        assert handheld.back(f"{path(address)}?{query}") == 200
        for seconds in (0, 200):
            unpaid.later(seconds)
            shop.run_job()
            assert unpaid.check()["state"] in ("pending", "unknown")
        paid.until("approved", seconds=20)

    @pytest.mark.parametrize("old_reference", [False, True])
    def test_replayed(self, shop: Shop, handheld: Handheld, old_reference: bool):
        """The number of an older payment, with our reference or with that of the older one."""
        older = handheld.pay(handheld.press())
        card = handheld.press()
        told = handheld.open(handheld.start(card), "replay", old_reference=old_reference)
        assert handheld.back(told["callback"]) == 200
        for seconds in (0, 200):
            card.later(seconds)
            shop.run_job()
            assert card.check()["state"] in ("pending", "unknown")
        assert len(shop.viva.charges()) == 1
        assert older.check()["state"] == "approved"

    def test_it_lies_about_the_amount(self, shop: Shop, handheld: Handheld):
        """The callback's amount is not believed; another amount that was really charged is unknown."""
        card = handheld.press()
        told = handheld.open(handheld.start(card), "approve", callback_amount=1)
        handheld.back(told["callback"])
        assert card.until("approved", seconds=20)["approved_minor"] == PRICE
        card = handheld.press()
        told = handheld.open(handheld.start(card), "approve", amount=PRICE - 100)
        handheld.back(told["callback"])
        assert card.until("unknown", seconds=20)["reason"] == "amount"

    def test_while_a_check_reads(self, shop: Shop, handheld: Handheld):
        """The return comes to one worker while the other one reads Viva's list for the till."""
        card = handheld.press()
        told = handheld.open(handheld.start(card))
        card.later(20)
        shop.viva.faults(slow_ms={"/api/transactions": 700})
        checking = background(card.check)
        until(lambda: shop.viva.requests("/api/transactions"))
        assert handheld.back(told["callback"]) == 200
        checking.result()
        card.until("approved", seconds=20)
        assert card.steps().count("read") == 1


class TestServerAway:
    def test_nothing_starts(self, shop: Shop, handheld: Handheld):
        """Killed between the record and the answer: the till has no address to open, and gives the press up."""
        card = handheld.press()

        def lose() -> None:
            with pytest.raises(Lost):
                card.send()

        with shop.pause("BEFORE UPDATE", 1):
            sending = background(lose)
            until(card.row)
            until(shop.waiting_for_rows)
            shop.kill_workers()
            sending.result()
        assert not card.send()["app"]["uri"]
        status = shop.till.ask("pos_abort", card.attempt, True)
        assert (status["state"], status["charged"]) == ("cancelled", False)
        handheld.pay(card.again())

    def test_when_the_app_comes_back(self, shop: Shop, handheld: Handheld):
        """The browser shows an error; the person presses reload later, or the till asks when Odoo is there again."""
        card = handheld.press()
        told = handheld.open(handheld.start(card))
        shop.crash()
        with pytest.raises(OSError):
            handheld.back(told["callback"])
        shop.restart()
        assert handheld.back(told["callback"]) == 200
        card.until("approved", seconds=20)
        card.order.finish()

    def test_viva_away(self, shop: Shop, handheld: Handheld):
        """Nobody can say what became of it: it stays open, and is found when Viva answers again."""
        card = handheld.press()
        told = handheld.open(handheld.start(card))
        shop.viva.faults(silent=True)
        assert handheld.back(told["callback"]) == 200
        assert card.check()["state"] == "pending"
        shop.viva.heal()
        shop.forget_silence()
        card.later(20)
        card.until("approved", seconds=20)


class TestDatabase:
    def test_recorded_once(self, shop: Shop, handheld: Handheld):
        card = handheld.press()
        with shop.refusals("INSERT", 5):
            status = card.send()
        assert status["app"]["uri"]
        told = handheld.open(status["app"]["uri"])
        handheld.back(told["callback"])
        card.until("approved", seconds=20)

    def test_handed_out_once(self, shop: Shop, handheld: Handheld):
        """The request is repeated after it was recorded: the address that charges is lost, never given twice."""
        card = handheld.press()
        with shop.refusals("UPDATE", 5):
            status = card.send()
        assert status["state"] in ("sent", "pending")
        assert not status["app"]["uri"]
        assert shop.till.ask("pos_abort", card.attempt, True)["state"] == "cancelled"

    def test_the_return_is_written(self, shop: Shop, handheld: Handheld):
        card = handheld.press()
        told = handheld.open(handheld.start(card))
        with shop.refusals("UPDATE", 5):
            assert handheld.back(told["callback"]) == 200
        card.until("approved", seconds=20)


class TestTwoAtOnce:
    def test_handheld_and_counter(self, shop: Shop, handheld: Handheld):
        """One order, in the app and on the counter's terminal at the same moment."""
        card = handheld.press()
        at_counter = Card(card.order, shop.first, card.amount, payment_uuid=card.payment_uuid)
        together(card.send, at_counter.send)
        states = sorted(one.status["state"] for one in (card, at_counter))
        assert states == ["pending", "refused"]

    def test_cloud_and_app_on_one_device(self, shop: Shop, handheld: Handheld):
        """The desktop till reaches the handheld by the cloud while its own till opens the app."""
        card = handheld.press()
        by_cloud = shop.other_till.order().line(handheld.viva_id)
        together(card.send, by_cloud.send)
        winner, loser = sorted((card, by_cloud), key=lambda one: one.status["state"])
        assert (winner.status["state"], loser.status["reason"]) == ("pending", "terminal_busy")

    def test_late_success_after_a_no(self, shop: Shop, handheld: Handheld):
        """Cancelled in the app and then paid all the same, as the list shows later: a person is told."""
        card = handheld.press()
        uri = handheld.start(card)
        told = handheld.open(uri, "cancel")
        handheld.back(told["callback"])
        card.until("cancelled", seconds=20)
        handheld.open(uri, "approve", again=True)
        card.later(100)
        shop.run_job()
        assert card.check()["state"] == "approved"
        assert "Charged after all" in shop.activities(card)
