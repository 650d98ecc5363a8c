"""An invoice is charged on a terminal: whatever breaks on the way, the money is in the books once."""

import pytest
from control import until
from office import Office
from shop import PRICE, Shop

from lib.rpc import Lost, RpcError

SALE = "/ecr/v1/transactions:sale"


def answered(office: Office, event_type: int, times: int = 1) -> None:
    """Wait until so many webhooks of that kind were delivered."""
    until(lambda: len(office.viva.deliveries(event_type)) >= times, what=f"for event {event_type}")


def test_charge(office: Office):
    """The asker is told, the payment is draft until then, and there is no more to press."""
    charge = office.charge(office.invoice())
    assert (charge.status["state"], charge.books) == ("pending", "running")
    assert charge.payment()["state"] == "draft"
    office.viva.act("tap", office.first)
    charge.until("booked")
    assert charge.status["state"] == "approved"
    assert not charge.status["booking"]["can_start"] and not charge.status["booking"]["can_again"]
    charge.is_paid_once()


def test_several_invoices_with_one_card(office: Office):
    charge = office.prepare(*office.invoices(PRICE, 458, 2900)).pay()
    charge.is_paid_once()
    assert [row["amount"] for row in office.viva.charges()] == [PRICE + 458 + 2900]


def test_part_of_an_invoice_and_the_rest(office: Office):
    invoice = office.invoice(PRICE)
    office.prepare(invoice, amount=1000).pay()
    assert office.residual(invoice) == 999
    office.prepare(invoice).pay()
    assert office.residual(invoice) == 0
    assert len(set(office.paid_with(invoice))) == 2


@pytest.mark.parametrize("action", ["decline", "cancel"])
def test_not_charged(office: Office, action: str):
    """The payment is cancelled and says why; the invoice can be charged anew, also from the same dialog."""
    charge = office.charge(office.invoice())
    office.viva.act(action, office.first)
    charge.until("not_done")
    assert charge.payment()["state"] == "canceled"
    assert charge.row()["reason"] and charge.status["booking"]["can_again"]
    again = charge.again().pay()
    again.is_paid_once()
    assert len(office.viva.charges()) == 1


def test_cancelled_in_the_dialog(office: Office):
    charge = office.charge(office.invoice())
    charge.abort()
    charge.until("not_done")
    assert charge.payment()["state"] == "canceled"
    assert office.viva.charges() == []


def test_given_up_before_it_was_started(office: Office):
    """Whoever starts it later finds it ended: nothing is sent."""
    invoice = office.invoice()
    charge = office.prepare(invoice)
    charge.abort()
    assert charge.start()["state"] == "cancelled"
    assert charge.payment()["state"] == "canceled"
    assert office.viva.sessions() == []
    office.prepare(invoice).pay().is_paid_once()


class TestBrowserGone:
    """The dialog was closed, or the browser has died: the server alone books it."""

    def test_webhook(self, office: Office):
        charge = office.charge(office.invoice())
        office.viva.act("tap", office.first)
        charge.until_by_itself("booked")
        charge.is_paid_once()

    def test_no_webhook_comes(self, office: Office):
        office.viva.faults(webhook={"never": True})
        charge = office.charge(office.invoice())
        office.viva.act("tap", office.first)
        until(office.viva.charges)
        charge.later(300)
        office.shop.run_job()
        charge.until_by_itself("booked")
        charge.is_paid_once()

    def test_declined(self, office: Office):
        charge = office.charge(office.invoice())
        office.viva.act("decline", office.first)
        charge.later(300)
        office.shop.run_job()
        charge.until_by_itself("not_done")
        assert charge.payment()["state"] == "canceled"

    def test_the_answer_never_reached_it(self, office: Office):
        """Its request is still under way when the browser is closed."""
        charge = office.prepare(office.invoice(), who=office.desk("biller"))
        office.viva.faults(slow_ms={SALE: 1000})
        charge.who.timeout = 0.4
        with pytest.raises(Lost):
            charge.start()
        until(charge.ledger)
        office.viva.act("tap", office.first)
        charge.until_by_itself("booked")
        charge.is_paid_once()


class TestLine:
    """The line between Odoo and Viva."""

    def test_lost_answer_to_the_sale(self, office: Office):
        office.viva.faults(drop_sale_response=1)
        charge = office.charge(office.invoice())
        assert (charge.status["state"], charge.books) == ("unknown", "running")
        assert charge.payment()["state"] == "draft"
        office.viva.act("tap", office.first)
        charge.until("booked")
        charge.is_paid_once()

    def test_request_lost_on_the_way(self, office: Office):
        """While it is in doubt the invoice cannot be charged anew; then it can."""
        office.viva.faults(drop_sale_request=1)
        invoice = office.invoice()
        other = office.prepare(invoice, terminal=office.second, who=office.other_biller)
        charge = office.charge(invoice)
        assert charge.status["state"] == "unknown"
        assert (other.start()["state"], other.status["reason"]) == ("refused", "order_open")
        charge.later(31)
        charge.until("not_done")
        other.pay().is_paid_once()

    @pytest.mark.parametrize("status", [500, {"status": 502, "accepted": True}, 503])
    def test_broken_answer(self, office: Office, status: int | dict[str, object]):
        """Taken or not: it is in doubt, or repeated with the same session, and then it is known."""
        office.viva.faults(sale_status=[status])
        charge = office.charge(office.invoice())
        assert charge.status["state"] in ("unknown", "pending")
        if office.viva.sessions():
            office.viva.act("tap", office.first)
            charge.until("booked")
            charge.is_paid_once()
        else:
            charge.later(31)
            charge.until("not_done")
            assert charge.payment()["state"] == "canceled"

    def test_viva_is_silent(self, office: Office):
        """The dialog says so and goes on asking; another charge is refused before anything is recorded."""
        charge = office.charge(office.invoice())
        office.viva.faults(silent=True)
        until(lambda: charge.check()["silent"], 20)
        other = office.prepare(office.invoice(), terminal=office.second)
        assert (other.start()["state"], other.status["reason"]) == ("refused", "silent")
        office.viva.heal()
        office.viva.act("tap", office.first)
        charge.until("booked", seconds=20)
        charge.is_paid_once()
        office.shop.forget_silence()
        other.pay().is_paid_once()

    def test_viva_cannot_be_reached(self, office: Office):
        invoice = office.invoice()
        office.viva.stop()
        try:
            charge = office.charge(invoice)
        finally:
            office.viva.start()
            office.shop.prepare_viva()
            office.open()
        assert (charge.status["state"], charge.status["reason"]) == ("failed", "unreachable")
        assert (charge.books, charge.payment()["state"]) == ("not_done", "canceled")
        office.shop.forget_silence()
        charge.again().pay().is_paid_once()


class TestWebhook:
    def test_before_the_answer(self, office: Office):
        office.viva.faults(webhook={"before_answer": True})
        charge = office.charge(office.invoice())
        charge.until("booked")
        charge.is_paid_once()

    def test_twice(self, office: Office):
        office.viva.faults(webhook={"duplicate": 2})
        charge = office.charge(office.invoice())
        office.viva.act("tap", office.first)
        charge.until("booked")
        answered(office, 1796, 3)
        office.shop.run_job()
        charge.is_paid_once()


class TestLate:
    def test_charged_after_all(self, office: Office):
        """It counts as cancelled, the customer tries again on the terminal and pays: the payment comes back."""
        charge = office.charge(office.invoice())
        office.viva.act("retry_paid", office.first, delay_ms=2500)
        charge.until("not_done", "booked")
        assert charge.books == "booked" or charge.payment()["state"] == "canceled"
        charge.until_by_itself("booked")
        charge.is_paid_once()

    def test_charged_after_all_and_paid_again(self, office: Office):
        """Both cards were charged: the second one has paid the invoice, the first one waits for an accountant."""
        office.viva.faults(webhook={"never": True})
        invoice = office.invoice()
        charge = office.charge(invoice)
        office.viva.act("retry_paid", office.first, delay_ms=1500)
        charge.until("not_done")
        again = office.prepare(invoice, terminal=office.second).pay()
        until(lambda: len(office.viva.charges()) == 2)
        charge.later(91)
        office.shop.run_job()
        charge.until_by_itself("to_post")
        assert charge.tasks() == ["Card payment to be posted"]
        again.is_paid_once()
        office.post(charge)
        assert charge.row()["state"] == "booked"
        assert charge.payment()["move_state"] == "posted"
        again.is_paid_once()

    def test_unknown_and_decided_by_a_person(self, office: Office):
        """Until then nobody else can charge the invoice (the evening's watch decides)."""
        charge = office.charge(office.invoice())
        office.viva.act("tap", office.first, amount=1)
        until(lambda: charge.check()["state"] == "unknown")
        assert charge.books == "running"
        with pytest.raises(RpcError, match="Biller is charging"):
            office.prepare(*charge.invoices, terminal=office.second, who=office.accountant)


class TestNotPosted:
    """The money has moved and Odoo refuses the payment."""

    def test_the_period_is_closed_meanwhile(self, office: Office):
        charge = office.charge(office.invoice())
        with office.period_closed():
            office.viva.act("tap", office.first)
            charge.until("to_post")
            assert charge.tasks() == ["Card payment to be posted"]
            with pytest.raises(RpcError, match="paid by card already"):
                office.prepare(*charge.invoices, terminal=office.second)
            office.post(charge)
        assert charge.row()["state"] == "booked"
        assert charge.tasks() == []
        charge.is_paid_once()

    def test_draft_deleted_by_force(self, office: Office):
        """Nobody can while the card is asked; a program that does it all the same loses nothing."""
        charge = office.charge(office.invoice())
        payment = charge.payment()["id"]
        with pytest.raises(RpcError):
            office.accountant.call("account.payment", "unlink", [payment])
        office.shop.database.run("DELETE FROM account_payment WHERE id = %s", payment)
        office.viva.act("tap", office.first)
        charge.until("to_post")
        with pytest.raises(RpcError, match="AccessError"):
            office.biller.call("viva.booking", "action_post", [charge.row()["id"]])
        office.post(charge)
        charge.is_paid_once()


class TestInvoiceIsPaidMeanwhile:
    def test_otherwise_while_the_card_waits(self, office: Office):
        """Nobody pays it anew; what was paid before is matched with it: both stand, and somebody is told."""
        invoice, other = office.invoices(PRICE, PRICE)
        advance = office.advance(PRICE)
        charge = office.charge(invoice)
        with pytest.raises(RpcError, match="Biller is asking a card for"):
            office.pay_by_hand(invoice)
        office.pay_by_hand(other)
        office.accountant.call("account.move", "js_assign_outstanding_line", invoice, advance)
        assert office.residual(invoice) == 0
        office.viva.act("tap", office.first)
        charge.until("booked")
        assert charge.payment()["move_state"] == "posted"
        assert charge.tasks() == ["Charged, and paid otherwise, too"]
        back = office.give_back(charge)
        back.start()
        back.until("booked")

    def test_by_hand_before_the_dialog_starts(self, office: Office):
        invoice = office.invoice()
        charge = office.prepare(invoice)
        office.pay_by_hand(invoice)
        assert (charge.start()["state"], charge.status["reason"]) == ("refused", "already_paid")
        assert office.viva.sessions() == []


def test_rights(shop: Shop, office: Office):
    """Who sells at a till charges no invoice, and nobody starts what somebody else has prepared."""
    charge = office.prepare(office.invoice())
    for who in (shop.cashier, office.other_biller, office.accountant):
        with pytest.raises(RpcError):
            who.call("viva.booking", "start", charge.attempt)
    assert office.viva.sessions() == []
