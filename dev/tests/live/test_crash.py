"""kill -9 at the worst moments, and PostgreSQL that makes Odoo repeat a request."""

import time

import pytest
from control import until
from shop import Card, Shop, background

from lib.rpc import Lost

SALE = "/ecr/v1/transactions:sale"


def lost(card: Card) -> None:
    with pytest.raises(Lost):
        card.send()


class TestKilled:
    """…and started again. The till asks; if there is no till any more, the job does."""

    def test_between_record_and_send(self, shop: Shop):
        """In the ledger, not at Viva: for a while nobody can know, then it has failed."""
        shop.forget_token()
        shop.viva.faults(slow_ms={"/connect/token": 4000})
        card = shop.till.order().line(shop.first)
        sending = background(lambda: lost(card))
        until(lambda: card.row() and shop.viva.requests("/connect/token"))
        shop.crash()
        sending.result()
        shop.viva.heal()
        shop.restart()
        assert shop.viva.sessions() == []
        assert card.row()["state"] == "sent"
        assert card.check()["state"] == "sent"
        assert card.send()["state"] == "sent"
        assert card.order.charge(shop.second).status["reason"] == "order_open"
        card.later(31)
        assert (card.check()["state"], card.status["reason"]) == ("failed", "never_arrived")
        assert card.send()["state"] == "failed"
        assert shop.viva.sessions() == []
        again = card.order.charge(shop.first)
        shop.viva.act("tap", shop.first)
        again.until("approved")

    def test_between_send_and_answer(self, shop: Shop):
        shop.viva.faults(slow_ms={SALE: 4000})
        card = shop.till.order().line(shop.first)
        sending = background(lambda: lost(card))
        until(shop.viva.sessions)
        shop.crash()
        sending.result()
        shop.viva.act("tap", shop.first)
        shop.viva.heal()
        shop.restart()
        assert card.row()["state"] == "sent"
        assert card.send()["state"] == "sent"
        card.until("approved")
        card.order.finish()
        assert len(shop.viva.sessions()) == 1

    def test_between_answer_and_commit(self, shop: Shop):
        shop.viva.faults(slow_ms={SALE: 500})
        card = shop.till.order().line(shop.first)
        sending = background(lambda: lost(card))
        until(card.row)
        with shop.rows_held(card):
            until(shop.waiting_for_rows)
            assert shop.viva.requests(SALE)[0]["status"] == 200
            shop.crash()
        sending.result()
        shop.restart()
        assert card.row()["state"] == "sent"
        shop.viva.act("tap", shop.first)
        card.until("approved")
        assert len(shop.viva.sessions()) == 1

    def test_between_outcome_and_commit(self, shop: Shop):
        card = shop.till.charge(shop.first)
        shop.viva.act("tap", shop.first)
        until(shop.viva.charges)
        with shop.rows_held(card):

            def ask() -> None:
                with pytest.raises(Lost):
                    card.check()

            asking = background(ask)
            until(shop.waiting_for_rows)
            shop.crash()
        asking.result()
        shop.restart()
        assert card.row()["state"] == "pending"
        card.until("approved")
        assert card.steps().count("read") == 1

    def test_while_the_customer_pays_and_no_till_comes_back(self, shop: Shop):
        """Viva's webhook finds nobody and comes again; the job settles what no till asks for."""
        shop.viva.settings(webhook_retry_s=5)
        card = shop.till.charge(shop.first)
        shop.crash()
        shop.viva.act("tap", shop.first)
        until(lambda: shop.viva.deliveries(1796))
        shop.restart()
        shop.viva.control("POST", "clock", {"advance_s": 6})
        until(lambda: [one for one in shop.viva.deliveries(1796) if one["status"] == 200])
        shop.run_job()
        assert card.row()["state"] == "approved"

    def test_while_the_job_runs(self, shop: Shop):
        cards = [shop.till.charge(terminal) for terminal in shop.terminals[:4]]
        for card in cards:
            shop.viva.act("tap", card.terminal)
        until(lambda: len(shop.viva.charges()) == 4)
        shop.viva.faults(slow_ms={"/ecr/v1/sessions/": 700})
        before = len(shop.viva.requests("/ecr/v1/sessions/"))
        shop.start_job()
        until(lambda: len(shop.viva.requests("/ecr/v1/sessions/")) >= before + 3)
        shop.crash()
        settled = [card for card in cards if card.row()["state"] == "approved"]
        assert 0 < len(settled) < 4
        shop.viva.heal()
        shop.restart()
        shop.run_job()
        assert [card.row()["state"] for card in cards] == ["approved"] * 4
        assert [card.steps().count("read") for card in cards] == [1] * 4


def test_processes_that_slept_too_long(shop: Shop):
    """Recorded, and then both workers hang for ten seconds: nothing leaves any more, the customer may be gone."""
    sale = shop.sold(shop.second)
    void = sale.void(via="api", who=shop.manager)
    card = shop.other_till.order().line(shop.first)
    with shop.pause("COMMIT", 2):
        sending = [background(card.send), background(void.send)]
        until(lambda: shop.waiting_for_rows() == 2)
        time.sleep(10.1)
    for call in sending:
        call.result()
    for given_up in (card, void):
        assert (given_up.status["state"], given_up.status["reason"]) == ("failed", "unreachable")
    assert len(shop.viva.sessions()) == 1
    assert shop.viva.given_back() == []


def test_taken_when_it_already_counted_as_never_arrived(shop: Shop):
    """A worker hangs, another one gives the payment up, and then Viva takes the request after all."""
    shop.viva.faults(slow_ms={SALE: 1500}, webhook={"never": True})
    card = shop.till.order().line(shop.first)
    sending = background(card.send)
    until(shop.viva.sessions)
    shop.database.run(
        """UPDATE viva_transaction SET state = 'failed', reason = 'never_arrived',
               holds_terminal = false WHERE attempt = %s""",
        card.attempt,
    )
    sending.result()
    shop.viva.act("tap", shop.first)
    until(shop.viva.charges)
    shop.run_job()
    assert card.row()["state"] == "approved"
    assert shop.activities(card) == [
        "On the terminal after it was given up",
        "Charged after all",
    ]


class TestRepeated:
    """PostgreSQL refuses a database transaction, so that Odoo runs the whole request again."""

    @pytest.mark.parametrize("at_commit", [False, True], ids=["statement", "commit"])
    @pytest.mark.parametrize("event", ["INSERT", "UPDATE"])
    def test_one_refusal(self, shop: Shop, event: str, at_commit: bool):
        """The ledger repeats its own short work; nobody notices."""
        card = shop.till.order().line(shop.first)
        with shop.refusals(event, 1, at_commit):
            assert card.send()["state"] == "pending"
        assert len(shop.viva.sessions()) == 1
        shop.viva.act("tap", shop.first)
        card.until("approved")

    def test_the_whole_request_is_repeated_after_sending(self, shop: Shop):
        """Viva has taken the sale, and Odoo cannot write that down: it starts over, and must not send."""
        card = shop.till.order().line(shop.first)
        with shop.refusals("UPDATE", 5):
            assert card.send()["state"] == "sent"
        assert len(shop.viva.sessions()) == 1
        assert len(shop.viva.requests(SALE)) == 1
        shop.viva.act("tap", shop.first)
        card.until("approved")
        assert "SERIALIZATION_FAILURE, 4 tries left" in shop.log()

    def test_the_whole_request_is_repeated_before_sending(self, shop: Shop):
        card = shop.till.order().line(shop.first)
        with shop.refusals("INSERT", 5):
            assert card.send()["state"] == "pending"
        assert len(shop.viva.sessions()) == 1
        shop.viva.act("tap", shop.first)
        card.until("approved")

    def test_the_outcome_cannot_be_written(self, shop: Shop):
        card = shop.till.charge(shop.first)
        shop.viva.act("tap", shop.first)
        until(shop.viva.charges)
        with shop.refusals("UPDATE", 5):
            assert card.until("approved")["state"] == "approved"
        assert card.steps().count("read") == 1
