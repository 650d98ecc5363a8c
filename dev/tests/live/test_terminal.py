"""What happens at the terminal: cancel against card, busy, off-line, asleep; and answers that do not fit."""

import pytest
from control import until
from shop import Shop, background


class TestAbort:
    def test_wins(self, shop: Shop):
        card = shop.till.charge(shop.first)
        assert card.abort()["abort_asked"] is True
        assert card.until("cancelled")["reason"] == "aborted"
        again = card.order.charge(shop.first)
        assert again.status["state"] == "pending"

    def test_loses(self, shop: Shop):
        """The card was quicker: the till says so and the payment stays."""
        shop.viva.settings(authorising_ms=700)
        card = shop.till.charge(shop.first)
        shop.viva.act("tap", shop.first)
        card.abort()
        assert card.until("approved")["reason"] == "approved_after_cancel"
        assert "WAS charged" in card.status["message"]
        card.order.finish()

    def test_loses_after_the_till_was_told_cancelled(self, shop: Shop):
        """Cancelled, and paid within the same request all the same."""
        shop.viva.faults(webhook={"never": True})
        card = shop.till.charge(shop.first)
        shop.viva.act("retry_paid", shop.first, delay_ms=600)
        card.abort()
        card.until("cancelled")
        until(shop.viva.charges)
        card.later(91)
        shop.run_job()
        assert card.row()["state"] == "approved"

    @pytest.mark.parametrize("status", [403, 404, 409, 500, 503])
    def test_refused(self, shop: Shop, status: int):
        """The request is still on the terminal; the till goes on waiting for what happens there."""
        shop.viva.faults(abort_refused_status=status)
        card = shop.till.charge(shop.first)
        assert card.abort()["state"] == "pending"
        assert card.order.charge(shop.second).status["reason"] == "order_open"
        shop.viva.act("tap", shop.first)
        card.until("approved")

    def test_twice_at_once(self, shop: Shop):
        card = shop.till.charge(shop.first)
        first, second = background(card.abort), background(card.abort)
        first.result()
        second.result()
        card.until("cancelled")

    def test_before_viva_has_answered_the_sale(self, shop: Shop):
        """The cashier cancels while Odoo still waits for the answer to the request."""
        shop.viva.faults(slow_ms={"/ecr/v1/transactions:sale": 1500})
        card = shop.till.order().line(shop.first)
        sending = background(card.send)
        until(shop.viva.sessions)
        shop.till.ask("pos_abort", card.attempt)
        sending.result()
        card.until("cancelled")


def test_busy_with_another_system(shop: Shop):
    """Another cash register has a request on the terminal: ours fails at once, theirs goes on."""
    other = shop.foreign_sale(shop.first)
    card = shop.till.charge(shop.first)
    assert card.until("failed")["reason"] == "terminal_busy"
    assert "busy" in card.status["message"]
    assert [
        session["state"] for session in shop.viva.sessions() if session["sessionId"] == other
    ] == ["shown"]
    shop.viva.act("cancel", shop.first)
    again = card.order.charge(shop.first)
    assert again.status["state"] == "pending"


def test_walks_away(shop: Shop):
    card = shop.till.charge(shop.first)
    shop.viva.act("walk_away", shop.first)
    assert card.until("failed")["reason"] == "no_card"


def test_declined(shop: Shop):
    card = shop.till.charge(shop.first, 9951)
    shop.viva.act("tap", shop.first)
    assert card.until("declined")["reason"] == "insufficient_funds"


def test_network_lost_while_the_card_is_read(shop: Shop):
    """The device keeps its result until it is back."""
    card = shop.till.charge(shop.first)
    shop.viva.act("unplug", shop.first)
    shop.viva.act("tap", shop.first)
    until(lambda: shop.viva.control("GET", "terminals")[4]["state"] == "idle")
    assert card.check()["state"] == "pending"
    shop.viva.act("plug", shop.first)
    assert card.until("failed")["charged"] is False


def test_paid_and_then_off_line(shop: Shop):
    """Charged at the bank, and the device cannot report: never a no."""
    shop.viva.settings(authorising_ms=600)
    shop.viva.faults(webhook={"never": True})
    card = shop.till.charge(shop.first)
    shop.viva.act("tap", shop.first)
    shop.viva.act("unplug", shop.first)
    until(shop.viva.charges)
    card.later(151)
    assert card.check()["state"] == "pending"
    card.later(31)
    assert card.check()["state"] == "unknown"
    assert card.order.charge(shop.second).status["reason"] == "order_open"
    shop.viva.act("plug", shop.first)
    card.until("approved")


def test_asleep(shop: Shop):
    """202 for ever: cancelled after 150 s, unknown when that helps nothing, the terminal free 150 s later, the order not."""
    shop.viva.act("unplug", shop.first)
    card = shop.till.charge(shop.first)
    assert card.status["state"] == "pending"
    card.later(140)
    assert (card.check()["state"], card.status["abort_asked"]) == ("pending", False)
    card.later(11)
    assert card.check()["state"] == "pending"
    assert card.check()["abort_asked"] is True
    card.later(31)
    assert (card.check()["state"], card.status["reason"]) == ("unknown", "no_end")
    other = shop.other_till.order().line(shop.first)
    assert (other.send()["state"], other.status["reason"]) == ("refused", "terminal_busy")
    card.later(120)
    assert other.send()["state"] == "pending"
    assert card.check()["state"] == "unknown"
    assert card.order.charge(shop.second).status["reason"] == "order_open"
    assert (card.status["can_check"], card.status["final"]) == (True, False)


def test_asleep_and_nobody_at_the_till(shop: Shop):
    """The same by the job alone; after 15 minutes a manager has a task."""
    shop.viva.act("unplug", shop.first)
    card = shop.till.charge(shop.first)
    card.later(151)
    shop.run_job()
    assert card.row()["abort_asked_at"]
    card.later(31)
    shop.run_job()
    assert card.row()["state"] == "unknown"
    card.later(900)
    shop.run_job()
    assert shop.activities(card) == ["Card payment unknown"]
    assert card.row()["holds_terminal"] is False
    shop.run_job()
    assert shop.activities(card) == ["Card payment unknown"]


def test_asleep_and_back_in_time(shop: Shop):
    shop.viva.settings(strict={"late_delivery": True})
    shop.viva.act("unplug", shop.first)
    card = shop.till.charge(shop.first)
    assert card.check()["state"] == "pending"
    shop.viva.act("plug", shop.first)
    shop.viva.act("tap", shop.first)
    card.until("approved")


@pytest.mark.parametrize(
    ("reason", "wrong"),
    [
        ("amount", {"amount": 2099}),
        ("amount", {"amount": 1}),
        ("currency", {"currency": "826"}),
        ("terminal", {"terminal": "17000002"}),
        ("reference", {"reference": "somebody else's"}),
    ],
    ids=["more", "less", "currency", "terminal", "reference"],
)
def test_answer_that_differs(shop: Shop, reason: str, wrong: dict[str, object]):
    """Never approved, never refused; the order is blocked, the terminal is free, a manager may decide."""
    card = shop.till.charge(shop.first)
    shop.viva.act("tap", shop.first, **wrong)
    assert card.until("unknown")["reason"] == reason
    assert "call a manager" in card.status["message"]
    assert card.order.charge(shop.second).status["reason"] == "order_open"
    assert card.check()["state"] == "unknown"
    other = shop.other_till.charge(shop.first)
    assert other.status["state"] == "pending"


def test_transaction_that_is_in_the_ledger_already(shop: Shop):
    first = shop.till.charge(shop.first)
    shop.viva.act("tap", shop.first)
    known = first.until("approved")["result"]["transaction_id"]
    second = shop.till.charge(shop.first)
    shop.viva.act("tap", shop.first, transactionId=known)
    assert second.until("unknown")["reason"] == "transaction_id"


def test_no_that_cannot_be_compared_with_the_list(shop: Shop):
    """A customer may have tried again and paid: without the list of the day a no is not believed."""
    shop.viva.faults(list_status=[503, 502, 500], webhook={"never": True})
    card = shop.till.charge(shop.first)
    shop.viva.act("cancel", shop.first)
    until(lambda: shop.viva.control("GET", "terminals")[4]["state"] == "idle")
    for _number in range(3):
        assert card.check()["state"] == "pending"
    assert card.check()["state"] == "cancelled"


def test_tip_at_the_terminal(shop: Shop):
    """The tip is charged beside the amount and does not spoil it."""
    card = shop.till.charge(shop.first)
    shop.viva.act("tip", shop.first, minor=200)
    shop.viva.act("tap", shop.first)
    status = card.until("approved")
    assert (status["approved_minor"], status["result"]["tip_minor"]) == (2199, 200)
    card.order.finish()


def test_job_settles_what_no_till_asks_for(shop: Shop):
    cards = [shop.till.charge(terminal) for terminal in shop.terminals[:3]]
    shop.viva.act("tap", cards[0].terminal)
    shop.viva.act("cancel", cards[1].terminal)
    shop.viva.act("decline", cards[2].terminal)
    until(
        lambda: all(
            terminal["state"] == "idle" for terminal in shop.viva.control("GET", "terminals")
        )
    )
    shop.run_job()
    assert [card.row()["state"] for card in cards] == ["approved", "cancelled", "declined"]
