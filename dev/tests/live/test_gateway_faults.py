"""What goes wrong between Odoo, the gateway and the terminals of the shop: never two charges, and always a way out."""

import shutil
import sqlite3

import pytest
from control import until
from lan import DEVICES, HTTP, HTTPS, MORE, PAYDROID, PROLIN, SECOND, Device, Lan
from shop import PRICE, Card, Shop, background, together

from lib.common import ROOT, Problem
from lib.rpc import Lost, RpcError

KILLED = -9
TAP = {"action": "tap", "delay_ms": 150}


def started(lan: Lan, card: Card) -> int:
    """How often the terminal was asked for it."""
    session = card.row()["session_id"]
    return len([one for one in lan.viva.sessions() if one["sessionId"] == session]) or len(
        [
            one
            for one in lan.viva.sessions()
            if one["merchantReference"] == card.row()["merchant_reference"]
        ]
    )


def charged(lan: Lan, card: Card) -> bool:
    reference = card.row()["merchant_reference"]
    return any(one["merchantReference"] == reference for one in lan.viva.charges())


class TestLostAnswers:
    def test_local(self, shop: Shop, lan: Lan):
        """The answer to the start, two to the reading, one that says nothing: it is read again, and asked for once."""
        lan.set(HTTPS, drop_after_accept=1, drop_read=2, session_status=[500])
        card = lan.charge(HTTPS)
        shop.viva.act("tap", HTTPS.viva_id)
        card.until("approved", seconds=20)
        assert started(lan, card) == 1

    def test_local_never_arrived(self, shop: Shop, lan: Lan):
        """The terminal says that it does not know it. That proves nothing: it may have been restarted meanwhile."""
        lan.set(HTTP, drop_before_accept=1)
        card = lan.charge(HTTP)
        assert card.until("unknown", seconds=25)["reason"] == "session_lost"
        lan.settle(card)
        assert card.check()["state"] == "unknown"
        assert shop.viva.charges() == []

    def test_local_success_without_proof(self, shop: Shop, lan: Lan):
        """SUCCESS and nothing else is not believed; it is read again."""
        lan.set(HTTP, success_without_payload=2)
        card = lan.charge(HTTP)
        shop.viva.act("tap", HTTP.viva_id)
        assert card.until("approved", seconds=20)["approved_minor"] == PRICE

    @pytest.mark.parametrize("device", [PROLIN, PAYDROID], ids=lambda device: device.platform)
    def test_tcp(self, shop: Shop, lan: Lan, device: Device):
        """The line breaks after the card was authorised: unknown with a reason, then found by our 32 characters."""
        shop.viva.faults(webhook={"never": True})
        lan.set(device, amounts={PRICE: "drop_after"})
        card = lan.charge(device)
        shop.viva.act("tap", device.viva_id)
        assert card.until("unknown", seconds=20)["reason"] == "lan_lost"
        assert lan.refused(device, shop.other_till) == "terminal_busy"
        if device is PAYDROID:
            return  # it reverses by itself; what Viva lists then settles it in the evening
        lan.confirmed(card)
        assert card.check()["state"] == "approved"
        assert len(card.row()["merchant_reference"]) == 32

    def test_switched_off(self, shop: Shop, lan: Lan):
        cards = []
        for device, till in ((HTTPS, shop.till), (PROLIN, shop.other_till)):
            lan.set(device, listening=False)
            cards.append(lan.charge(device, till))
        for card in cards:
            assert card.until("failed", seconds=20)["reason"] == "lan_unreachable"
        for card, device in zip(cards, (HTTPS, PROLIN), strict=True):
            lan.set(device, listening=True)
            lan.pay(card.again())

    def test_cable_pulled_while_a_card_is_awaited(self, shop: Shop, lan: Lan):
        """The customers pay all the same. One terminal is read again, the other one's answer is lost."""
        shop.viva.faults(webhook={"never": True})
        cards = [lan.charge(HTTPS, shop.till), lan.charge(PROLIN, shop.other_till)]
        for card in cards:
            lan.shown(card.terminal)
        for device in (HTTPS, PROLIN):
            lan.set(device, listening=False)
            shop.viva.act("tap", device.viva_id)
        assert cards[1].until("unknown", seconds=20)["reason"] == "lan_lost"
        until(lambda: len(shop.viva.charges()) == 2)
        for device in (HTTPS, PROLIN):
            lan.set(device, listening=True)
        cards[0].until("approved", seconds=20)
        lan.confirmed(*cards)
        assert [started(lan, card) for card in cards] == [1, 1]


class TestCableCut:
    """A TCP exchange that ends at some byte of it; the one terminal hangs up, the other one resets the line."""

    @pytest.fixture(autouse=True)
    def _people(self, shop: Shop) -> None:
        shop.viva.settings(auto=TAP)
        shop.viva.faults(webhook={"never": True})

    def cut(self, shop: Shop, lan: Lan, **options: int) -> list[Card]:
        both = list(zip((PROLIN, PAYDROID), (shop.till, shop.other_till), strict=True))
        for device, _till in both:
            lan.set(device, reset=device is PAYDROID, **options)
        cards = [till.order().line(device.viva_id) for device, till in both]
        together(*[card.send for card in cards])
        for card in cards:
            card.until("approved", "failed", "unknown", "cancelled", "declined", seconds=25)
        for device, _till in both:
            lan.set(device, **dict.fromkeys(options))
        return cards

    def test_greeting(self, shop: Shop, lan: Lan):
        """Nothing was sent yet."""
        for position in (0, 3):
            for card in self.cut(shop, lan, cut_ready_after=position):
                assert (card.status["state"], card.status["charged"]) == ("failed", False)
        assert shop.viva.charges() == []

    def test_request(self, shop: Shop, lan: Lan):
        """Nobody here can know; Viva's book has nothing, so in the end a person decides."""
        for position in (0, 7, 40):
            for card in self.cut(shop, lan, cut_request_after=position):
                told = card.status["state"], card.status["reason"]
                before = [("failed", "lan_unreachable")] if not position else []
                assert told in [("unknown", "lan_lost"), *before]
                card.later(400)  # no terminal shows it any more
        assert shop.viva.charges() == []

    def test_answer(self, shop: Shop, lan: Lan):
        """The money has moved."""
        for position in (0, 4, 50):
            cards = self.cut(shop, lan, cut_answer_after=position)
            for card in cards:
                assert (card.status["state"], card.status["reason"]) == ("unknown", "lan_lost")
            lan.settle(*cards)
            for card in cards:
                assert (card.check()["state"] == "approved") == charged(lan, card)
                card.later(400)
            assert charged(lan, cards[0])


class TestGatewayKilled:
    """kill -9, as a power cut does it, at each step of its journal; two payments are under way."""

    def die(self, lan: Lan, step: str, *cards: Card) -> None:
        lan.gateway.restart(die_at=step)
        together(*[card.send for card in cards])
        assert lan.gateway.ended(30) == KILLED
        lan.gateway.restart()

    @pytest.mark.parametrize(
        "step",
        [
            "answer",
            "before-started",
            "started",
            "before-accepted",
            "accepted",
            "before-outcome",
            "outcome",
            "sequence:3",
        ],
    )
    def test_at(self, shop: Shop, lan: Lan, step: str):
        shop.viva.settings(auto=TAP)
        cards = [
            shop.till.order().line(HTTPS.viva_id),
            shop.other_till.order().line(PROLIN.viva_id),
        ]
        self.die(lan, step, *cards)
        for card in cards:
            # What was offered to the dead process is never offered again: it ends by its silence, after 30 s.
            card.later(22)
            card.until("approved", "failed", "unknown", seconds=25)
            assert card.status["state"] == "approved" or card.status["reason"], card.status
        lan.settle(*cards)
        for card in cards:
            assert started(lan, card) <= 1
            assert (card.check()["state"] == "approved") == charged(lan, card)

    @pytest.mark.parametrize("step", ["before-lost", "lost"])
    def test_when_the_answer_is_lost(self, shop: Shop, lan: Lan, step: str):
        shop.viva.settings(auto=TAP)
        shop.viva.faults(webhook={"never": True})
        lan.set(PROLIN, amounts={PRICE: "drop_after"})
        card = shop.till.order().line(PROLIN.viva_id)
        self.die(lan, step, card)
        assert card.until("unknown")["reason"] in ("lan_lost", "gateway_restarted")
        lan.settle(card)
        assert (card.check()["state"], started(lan, card)) == ("approved", 1)

    @pytest.mark.parametrize("step", ["before-refused", "refused"])
    def test_when_the_terminal_is_off(self, shop: Shop, lan: Lan, step: str):
        lan.set(PROLIN, listening=False)
        card = shop.till.order().line(PROLIN.viva_id)
        self.die(lan, step, card)
        card.until("failed", "unknown", seconds=20)
        assert card.status["reason"] in ("lan_unreachable", "gateway_restarted")
        assert shop.viva.charges() == []

    @pytest.mark.parametrize("step", ["abort", "before-aborting"])
    def test_when_it_cancels(self, shop: Shop, lan: Lan, step: str):
        card = lan.charge(HTTPS)
        lan.shown(HTTPS.viva_id)
        lan.gateway.restart(die_at=step)
        card.abort()
        assert lan.gateway.ended(20) == KILLED
        lan.gateway.restart()
        assert card.until("cancelled", seconds=20)["charged"] is False
        assert shop.viva.charges() == []

    def test_a_new_disk(self, shop: Shop, lan: Lan):
        """Identity and journal are gone: paired anew, it knows nothing, and Odoo looks into Viva's book."""
        shop.viva.faults(webhook={"never": True})
        card = lan.charge(HTTPS)
        until(lambda: card.check()["state"] == "pending")
        lan.gateway.kill()
        lan.gateway.pair("Shop", shop.company)
        lan.gateway.start()
        shop.viva.act("tap", HTTPS.viva_id)
        card.later(31)
        assert card.until("approved", seconds=15)["word"] == "viva"
        assert started(lan, card) == 1
        lan.pay(lan.charge(HTTP))


class TestAddressTakenByAnotherDevice:
    def test_all_three(self, shop: Shop, lan: Lan):
        """Only where the certificate is known nothing is sent. The others answer with another terminal's number."""
        shop.viva.settings(auto=TAP)
        for number, device in enumerate((HTTPS, HTTP, PROLIN)):
            lan.set(device, swap=shop.terminals[10 + number])
        tills = shop.tills[:3]
        cards = [
            till.order().line(device.viva_id)
            for till, device in zip(tills, (HTTPS, HTTP, PROLIN), strict=True)
        ]
        together(*[card.send for card in cards])
        safe, *others = cards
        safe.until("failed", "refused", seconds=20)
        assert not charged(lan, safe)
        for card in others:
            status = card.until("unknown", seconds=20)
            assert status["reason"] == "terminal"
            again = card.order.charge(shop.first)
            assert again.status["reason"] == "order_open"
            card.order.delete_line(again)
        lan.settle(*others)
        assert [card.check()["state"] for card in others] == ["unknown", "unknown"]
        lan.refused(HTTP, shop.tills[4])
        # The right ones are back.
        for device in (HTTPS, HTTP, PROLIN):
            lan.set(device, swap="")
        shop.viva.settings(auto=None)
        for card in others:
            card.later(400)
        lan.look_again()
        for device, till in zip((HTTPS, HTTP, PROLIN), shop.tills[5:8], strict=True):
            lan.pay(till.order().line(device.viva_id))


class TestTwoGatewaysByMistake:
    def test_copied_folder(self, shop: Shop, lan: Lan):
        """A second program with the same identity: one of them stops, the other one goes on, and charges once."""
        lan.gateway.stop()
        copy, ahead = lan.new_gateway("live-gateway-copy"), lan.new_gateway("live-gateway-ahead")
        for other in (copy, ahead):
            shutil.rmtree(other.folder, ignore_errors=True)
            shutil.copytree(lan.gateway.folder, other.folder)
        lan.gateway.start()
        with pytest.raises(Problem):
            copy.start(timeout=20)
        assert "Another copy of this gateway is running" in copy.log.read_text()
        lan.pay(lan.charge(HTTPS))
        # An old backup whose counter of calls is ahead: its journal is behind what Odoo has heard.
        with sqlite3.connect(ahead.journal) as journal:
            journal.execute("UPDATE identity SET sequence = sequence + 1000")
        journal.close()
        with pytest.raises(Problem):
            ahead.start(timeout=20)
        lan.pay(lan.charge(PROLIN))
        for other in (ahead, copy):
            other.forget()

    def test_two_that_are_paired(self, shop: Shop, lan: Lan):
        """A terminal belongs to one of them, and to no other while a payment is open."""
        second = lan.new_gateway("live-gateway-second")
        second_id = second.pair(SECOND, shop.company)
        second.start()
        try:
            terminal = [shop.terminal_ids[HTTP.viva_id]]
            card = lan.charge(HTTP)
            lan.shown(HTTP.viva_id)
            with pytest.raises(RpcError):
                shop.admin.call("viva.terminal", "write", terminal, {"gateway_id": second_id})
            shop.viva.act("tap", HTTP.viva_id)
            card.until("approved")
            shop.admin.call("viva.terminal", "write", terminal, {"gateway_id": second_id})
            until(lambda: second.told()["terminals"])
            lan.gateway.kill()
            moved = lan.pay(lan.charge(HTTP))
            assert moved.row()["gateway_id"] == second_id
            shop.admin.call("viva.terminal", "write", terminal, {"gateway_id": lan.id})
            lan.gateway.restart()
        finally:
            second.kill()
            second.forget()


class TestOdooAway:
    def test_for_an_hour(self, shop: Shop, lan: Lan):
        """The payments go on in the shop; when Odoo is back it is told, and compares with Viva."""
        cards = [lan.charge(HTTPS, shop.till), lan.charge(PROLIN, shop.other_till)]
        for card in cards:
            lan.shown(card.terminal)
        until(lambda: all(card.check()["state"] == "pending" for card in cards))
        shop.viva.faults(webhook={"never": True})
        shop.crash()
        for card in cards:
            shop.viva.act("tap", card.terminal)
        until(lambda: len(shop.viva.charges()) == 2)
        for card in cards:
            card.later(3600)
        shop.odoo.start()
        lan.gateway.restart()
        for card in cards:
            card.until("approved", seconds=30)
        lan.confirmed(*cards)
        assert [started(lan, card) for card in cards] == [1, 1]

    def test_workers_killed(self, shop: Shop, lan: Lan):
        """…while they write down what the gateway tells: it tells it again."""
        card = lan.charge(HTTPS)
        lan.shown(HTTPS.viva_id)
        until(lambda: card.row()["state"] == "pending")
        with shop.rows_held(card):
            shop.viva.act("tap", HTTPS.viva_id)
            until(shop.waiting_for_rows)
            shop.kill_workers()
        until(lambda: card.check()["state"] == "approved", 30)
        assert started(lan, card) == 1

    def test_workers_killed_between_record_and_hint(self, shop: Shop, lan: Lan):
        """Recorded, and the gateway was not called: it asks by itself, or the request is too old and has failed."""
        card = shop.till.order().line(HTTPS.viva_id)

        def lose() -> None:
            with pytest.raises(Lost):
                card.send()

        with shop.pause("COMMIT", 1):
            sending = background(lose)
            until(shop.waiting_for_rows)
            shop.kill_workers()
            sending.result()
        until(card.row)
        card.later(16)
        assert card.until("failed")["charged"] is False
        assert shop.viva.sessions() == []
        lan.pay(card.again())


class TestDatabase:
    """PostgreSQL refuses what lost a race: Odoo repeats the request, or the gateway tells again."""

    def test_recorded_once(self, shop: Shop, lan: Lan):
        card = shop.till.order().line(HTTPS.viva_id)
        with shop.refusals("INSERT", 5):
            assert card.send()["state"] == "sent"
        lan.pay(card)
        assert started(lan, card) == 1

    def test_told_until_it_is_written(self, shop: Shop, lan: Lan):
        card = lan.charge(PROLIN)
        lan.shown(PROLIN.viva_id)
        until(lambda: card.row()["state"] == "pending")
        with shop.refusals("UPDATE", 5):
            shop.viva.act("tap", PROLIN.viva_id)
            until(lambda: card.row()["state"] == "approved", 20)
        assert (card.steps().count("read"), started(lan, card)) == (1, 1)

    def test_foreign_copy(self, shop: Shop, lan: Lan):
        """The database is a copy now: nothing starts, nothing is taken from the gateway. In the original all is told."""
        card = lan.charge(HTTPS)
        until(lambda: card.check()["state"] == "pending")
        admin, name = shop.admin, "database.uuid"
        own = admin.call("ir.config_parameter", "get_param", name)
        admin.call("ir.config_parameter", "set_param", name, "a-copy")
        try:
            shop.viva.faults(webhook={"never": True})
            shop.viva.act("tap", HTTPS.viva_id)
            lan.refused(HTTP, shop.other_till)
            until(lambda: lan.gateway.told()["trouble"], 20)
            assert card.check()["state"] == "pending"
            assert [one["terminalId"] for one in shop.viva.sessions()] == [HTTPS.viva_id]
        finally:
            admin.call("ir.config_parameter", "set_param", name, own)
        lan.gateway.restart()
        card.until("approved", seconds=20)

    def test_neutralized(self, shop: Shop, lan: Lan):
        """No address, no gateway, no return of the app is left."""
        connection = shop.database.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute((ROOT / "data" / "neutralize.sql").read_text())
                cursor.execute(
                    """SELECT (SELECT count(*) FROM viva_gateway_link WHERE NOT is_revoked) AS gateways,
                              (SELECT count(*) FROM viva_terminal WHERE lan_host IS NOT NULL
                                  OR certificate_fingerprint IS NOT NULL) AS addresses,
                              (SELECT count(*) FROM viva_transaction WHERE app_token IS NOT NULL) AS returns"""
                )
                assert dict(cursor.fetchone()) == {"gateways": 0, "addresses": 0, "returns": 0}
        finally:
            connection.close()  # and nothing of it has happened


class TestWebhook:
    def test_faster_than_the_gateway(self, shop: Shop, lan: Lan):
        """The gateway's power is cut, Viva's event comes: the list tells, and the gateway tells nothing new later."""
        cards = [lan.charge(HTTPS, shop.till), lan.charge(PROLIN, shop.other_till)]
        for card in cards:
            lan.shown(card.terminal)
        until(lambda: all(card.row()["state"] == "pending" for card in cards))
        lan.gateway.kill()
        for card in cards:
            shop.viva.act("tap", card.terminal)
        until(lambda: len(shop.viva.deliveries(1796)) == 2)
        for card in cards:
            assert card.until("approved", seconds=20)["word"] == "viva"
        lan.gateway.restart()
        until(lambda: lan.heard_s() < 2)
        assert [card.check()["state"] for card in cards] == ["approved"] * 2

    def test_while_the_gateway_tells(self, shop: Shop, lan: Lan):
        """Event, gateway and two tabs at the same moment: settled once."""
        shop.viva.faults(webhook={"duplicate": 1})
        card = lan.charge(HTTPS)
        shop.viva.act("tap", HTTPS.viva_id)
        together(lambda: card.until("approved", seconds=20), shop.run_job)
        until(lambda: len(shop.viva.deliveries(1796)) == 2)
        lan.confirmed(card)
        assert len(shop.viva.charges()) == 1


class TestTwoAtOnce:
    @pytest.mark.parametrize(
        "device", [HTTPS, PROLIN], ids=lambda device: device.platform or device.scheme
    )
    def test_two_tills_one_terminal(self, shop: Shop, lan: Lan, device: Device):
        cards = [till.order().line(device.viva_id) for till in (shop.till, shop.other_till)]
        together(*[card.send for card in cards], cards[0].send)
        winner, loser = sorted(cards, key=lambda card: card.status["state"], reverse=True)
        assert winner.status["state"] in ("sent", "pending")
        assert (loser.status["state"], loser.status["reason"]) == ("refused", "terminal_busy")
        shop.viva.act("tap", device.viva_id)
        winner.until("approved", seconds=20)
        lan.pay(loser)
        assert [started(lan, card) for card in cards] == [1, 1]

    def test_another_system_on_the_terminal(self, shop: Shop, lan: Lan):
        shop.foreign_sale(HTTPS.viva_id)
        card = lan.charge(HTTPS)
        assert card.until("failed", seconds=20)["reason"] == "terminal_busy"
        shop.viva.act("cancel", HTTPS.viva_id)
        lan.pay(card.again())

    def test_ten_terminals(self, shop: Shop, lan: Lan):
        lan.open(*DEVICES, *MORE)
        shop.viva.settings(auto=TAP)
        cards = [
            till.order().line(device.viva_id)
            for till, device in zip(shop.tills, (*DEVICES, *MORE), strict=True)
        ]

        def pay(card: Card) -> None:
            card.send()
            card.until("approved", seconds=40)

        together(*[lambda card=card: pay(card) for card in cards])
        assert len(shop.viva.charges()) == 10
        lan.confirmed(*cards)
