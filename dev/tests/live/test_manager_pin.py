"""PINs of managers on tills with employee login: what a failed request has counted stays counted."""

from collections.abc import Iterator

import pytest
from control import until
from shop import Card, Shop, together

from lib.rpc import Client, RpcError

PIN, WRONG = "4711", "0000"
REASON = "slip 123456"


@pytest.fixture
def manager(shop: Shop) -> Iterator[int]:
    """The employee of the shop's manager; the first till asks for employees."""
    admin = shop.odoo.client("admin")
    company = shop.facts["company"]
    values = {"name": "Maria", "user_id": shop.manager.uid, "company_id": company, "pin": PIN}
    context = {"allowed_company_ids": [company]}
    (employee,) = admin.call("hr.employee", "create", [values], context=context)
    login = "UPDATE pos_config SET module_pos_hr = %s WHERE id = %s"
    shop.database.run(login, True, shop.till.config_id)
    yield employee
    shop.database.run(login, False, shop.till.config_id)
    admin.call("hr.employee", "unlink", [employee], context=context)


@pytest.fixture
def card(shop: Shop) -> Card:
    """A payment of which Viva says nothing for long enough that a manager may decide."""
    card = shop.till.charge(shop.first)
    shop.viva.faults(silent=True)
    card.later(100)
    return card


def force(client: Client, card: Card, employee: int, pin: str) -> str:
    """The server's refusal, or an empty string when the payment was accepted."""
    credentials = {"employee_id": employee, "pin": pin}
    try:
        status = client.call("viva.transaction", "pos_force", card.attempt, REASON, credentials)
    except RpcError as error:
        return error.message
    assert status["forced"]
    return ""


def test_wrong_pins_outlive_the_requests_that_failed(shop: Shop, manager: int, card: Card):
    for left in (4, 3, 2, 1):
        assert f"{left} tries" in force(shop.cashier, card, manager, WRONG)
    assert "15 minutes" in force(shop.cashier, card, manager, WRONG)
    assert "Too many" in force(shop.cashier, card, manager, PIN)
    assert card.row()["state"] != "approved"
    earlier = "locked_until - interval '15 minutes'"
    shop.database.run(f"UPDATE viva_pin_guard SET locked_until = {earlier}")
    assert force(shop.cashier, card, manager, PIN) == ""
    assert card.row()["state"] == "approved"
    shop.viva.heal()
    shop.viva.act("tap", shop.first)
    shop.forget_silence()
    until(lambda: shop.run_job() or card.row()["viva_transaction_id"])
    assert card.row()["is_forced"] is False, "Viva confirms what the manager has decided."


def test_guessing_in_parallel_gains_nothing(shop: Shop, manager: int, card: Card):
    clients = [shop.odoo.client("cashier") for _number in range(8)]
    refusals = together(*[lambda c=c: force(c, card, manager, WRONG) for c in clients])
    assert all(refusals)
    (guard,) = shop.database.run("SELECT failures, locked_until FROM viva_pin_guard")
    assert guard["locked_until"], (
        f"eight wrong PINs were counted as {guard['failures']}: {refusals}"
    )
    assert "Too many" in force(shop.cashier, card, manager, PIN)


def test_without_a_pin_nobody_decides(shop: Shop, manager: int, card: Card):
    """Not even the manager's own browser: cashiers change in front of it."""
    with pytest.raises(RpcError, match="PIN"):
        shop.manager.call("viva.transaction", "pos_force", card.attempt, REASON)
    assert force(shop.cashier, card, shop.cashier.uid + 10**6, PIN)
