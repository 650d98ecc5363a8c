"""What the tests of the contract do at the till and at the terminal, for any driver."""

import uuid
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest
from simulator_process import TERMINAL, until

from drivers import (
    Asked,
    CaptureRequest,
    Operation,
    Outcome,
    RefundRequest,
    SaleRequest,
    UnreferencedRefundRequest,
    judge,
)

TILL = "till-2"
DAY = 86400


def skip_unless(ability):
    if not ability:
        pytest.skip("This driver says that it cannot do that.")


def _new(**changes):
    session_id = str(uuid.uuid4())
    return {
        "session_id": session_id,
        "terminal_id": TERMINAL,
        "cash_register_id": TILL,
        "amount": 1999,
        "currency": "EUR",
        "merchant_reference": f"VP/{session_id}",
        **changes,
    }


def sale(**changes):
    """A sale of 19.99 EUR that was never asked for before."""
    return SaleRequest(**_new(**{"customer_text": "Table 7", **changes}))


def refund(original, **changes):
    """A refund of all of a sale, preauth or capture."""
    changes = {"amount": original.amount, **changes}
    return RefundRequest(parent_session_id=original.session_id, **_new(**changes))


def capture(held, **changes):
    """A capture of all that a preauth holds."""
    changes = {"amount": held.amount, **changes}
    return CaptureRequest(parent_session_id=held.session_id, **_new(**changes))


def unreferenced(**changes):
    return UnreferencedRefundRequest(**_new(**changes))


def operation_of(request):
    if isinstance(request, SaleRequest):
        return Operation.PREAUTH if request.preauth else Operation.SALE
    return Operation.CAPTURE if isinstance(request, CaptureRequest) else Operation.REFUND


def asked(request, original=None, *, partial=False):
    """What was asked for; ``original`` is the outcome of what is given back or captured."""
    return Asked(
        operation=operation_of(request),
        session_id=request.session_id,
        terminal_id=request.terminal_id,
        cash_register_id=request.cash_register_id,
        amount=request.amount,
        currency=request.currency,
        merchant_reference=request.merchant_reference,
        parent_transaction_id=original.transaction_id if original else "",
        partial=partial,
    )


def final(driver, request, seconds=5):
    """Read until final; an :class:`Outcome`."""

    def read():
        found = driver.read(request.session_id)
        return found if isinstance(found, Outcome) else None

    return until(read, seconds)


def paid(driver, simulator, action="tap", /, options=None, **changes):
    """A sale or preauth that goes well: its request and its outcome."""
    request = sale(**changes)
    driver.start(request)
    simulator.act(action, request.terminal_id, **(options or {}))
    outcome = final(driver, request)
    assert judge(asked(request), outcome).state == "approved"
    return request, outcome


def done(driver, request, original=None, *, partial=False):
    """Start what needs no card, wait for its end: the verdict and the outcome."""
    driver.start(request)
    outcome = final(driver, request)
    return judge(asked(request, original, partial=partial), outcome), outcome


def listed(driver):
    """The sessions of the UTC days around now."""
    today = datetime.now(timezone.utc).date()
    days = (today - timedelta(days=1), today)
    return [outcome for day in days for outcome in driver.sessions(day)]


def clear(simulator):
    """A night passes."""
    simulator.control("POST", "clock", {"advance_s": DAY})


def book(simulator):
    """What moved at Viva: minor units by what was done."""
    moved = Counter()
    for charge in simulator.control("GET", "charges"):
        moved[charge["operation"]] += charge["amount"]
    return dict(moved)
