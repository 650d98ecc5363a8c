"""What the tests of the contract do at the till and at the terminal, for any driver."""

import contextlib
import uuid
from collections import Counter
from datetime import datetime, timedelta, timezone

import pytest
from simulator_process import MERCHANT, TERMINAL, until

from drivers import (
    AlreadyUsed,
    Asked,
    CaptureRequest,
    Endpoints,
    NotFound,
    NotPossible,
    Operation,
    Outcome,
    RefundRequest,
    SaleRequest,
    TransactionsApi,
    UnreferencedRefundRequest,
    VivaError,
    judge,
    judge_entries,
)

TILL = "till-2"
DAY = 86400


def skip_unless(ability):
    if not ability:
        pytest.skip("This driver says that it cannot do that.")


class Way:
    """How one driver's terminals are put into trouble at the simulator, and what its protocol is like.

    Everything here has to be done for a driver, except where its capabilities say no. Attributes
    tell in what a *protocol* differs, never what an implementation fails to do.
    """

    #: Fields of an outcome that this protocol never tells, beyond ``capabilities.untold``: of
    #: ``entry_mode``, ``tid``, ``rrn``, ``tip``, ``surcharge``, ``issuer_event_id`` and so on.
    silent_about = frozenset()
    #: One connection reaches all terminals of a merchant, so that one that does not exist is refused.
    knows_terminals = True
    #: What is asked of a terminal reaches it through Viva's cloud, so not when it has no network.
    through_cloud = True
    #: Only the cash register that started a session may drop it, and a second time is told.
    guards_aborts = True
    #: A parent that did not succeed is refused at once instead of at the end of the session.
    checks_parents = True
    #: Beginnings of the paths that reading a session may ask for; ``None`` when there are none.
    read_paths = None

    def __init__(self, simulator):
        self.simulator = simulator

    def key(self, request):
        """What the simulator calls the session of a request."""
        return request.session_id

    def lose_answer(self):
        """The next start arrives, and its answer is lost."""
        raise NotImplementedError

    def lose_request(self):
        """The next start does not arrive, and nobody knows."""
        raise NotImplementedError

    def refuse_once(self):
        """The next start is refused before anything happened; return the error to expect."""
        raise NotImplementedError

    def break_answer(self, status):
        """The next start arrives and is answered with this status of HTTP."""
        raise NotImplementedError

    def break_reads(self):
        """The next reads fail; return the errors to expect, in turn."""
        raise NotImplementedError

    def hide_session(self):
        """A session that was just started cannot be found at first, for less than 0.5 s."""
        raise NotImplementedError

    def be_silent(self, silent=True):
        """Nothing is answered any more, at any terminal."""
        raise NotImplementedError


#: The outcome of each session that has ended in this test run, by session id.
_ended = {}


def _new(**changes):
    session_id = str(uuid.uuid4())
    return {
        "session_id": session_id,
        "terminal_id": TERMINAL,
        "cash_register_id": TILL,
        "amount": 1999,
        "currency": "EUR",
        "merchant_reference": session_id.replace("-", ""),
        **changes,
    }


def sale(**changes):
    """A sale of 19.99 EUR that was never asked for before."""
    return SaleRequest(**_new(**{"customer_text": "Table 7", **changes}))


def anew(request):
    """The same again as an attempt of its own."""
    session_id = str(uuid.uuid4())
    reference = session_id.replace("-", "")
    changes = {"session_id": session_id, "merchant_reference": reference}
    return type(request)(**{**request.__dict__, **changes})


def _parent(original):
    """All names of an original: which one is needed depends on the protocol."""
    told = _ended.get(original.session_id)
    return {
        "parent_session_id": original.session_id,
        "parent_transaction_id": told.transaction_id if told else "",
        "parent_order_code": told.order_code if told else "",
        "parent_stan": told.stan if told else "",
    }


def refund(original, **changes):
    """A refund of all of a sale, preauth or capture."""
    changes = {"amount": original.amount, **changes}
    return RefundRequest(**_parent(original), **_new(**changes))


def capture(held, **changes):
    """A capture of all that a preauth holds."""
    changes = {"amount": held.amount, **changes}
    return CaptureRequest(**_parent(held), **_new(**changes))


def unreferenced(**changes):
    return UnreferencedRefundRequest(**_new(**changes))


def operation_of(request):
    if isinstance(request, SaleRequest):
        return Operation.PREAUTH if request.preauth else Operation.SALE
    return Operation.CAPTURE if isinstance(request, CaptureRequest) else Operation.REFUND


def asked(driver, request, original=None, *, partial=False):
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
        untold=driver.capabilities.untold,
    )


def final(driver, request, seconds=5):
    """Read until final; an :class:`Outcome`."""

    def read():
        found = driver.read(request.session_id)
        return found if isinstance(found, Outcome) else None

    _ended[request.session_id] = outcome = until(read, seconds)
    return outcome


def paid(driver, simulator, action="tap", /, options=None, **changes):
    """A sale or preauth that goes well: its request and its outcome."""
    request = sale(**changes)
    driver.start(request)
    simulator.act(action, request.terminal_id, **(options or {}))
    outcome = final(driver, request)
    assert judge(asked(driver, request), outcome).state == "approved"
    return request, outcome


def done(driver, request, original=None, *, partial=False):
    """Start what needs no card, wait for its end: the verdict and the outcome."""
    driver.start(request)
    outcome = final(driver, request)
    return judge(asked(driver, request, original, partial=partial), outcome), outcome


def repeat(driver, request):
    """Hand in a request once more, which nobody should: nothing may come of it.

    A driver that says that it refuses repeats has to; another one may say anything.
    """
    if driver.capabilities.refuses_repeats:
        with pytest.raises(AlreadyUsed):
            driver.start(request)
    else:
        with contextlib.suppress(VivaError):
            driver.start(request)


def check_no_parent(way, driver, request):
    """Start something whose original is none, or did not succeed: refused, at once or in the end."""
    if way.checks_parents:
        with pytest.raises(NotFound):
            driver.start(request)
        return
    try:
        driver.start(request)
    except (NotFound, NotPossible):
        return
    verdict = judge(asked(driver, request), final(driver, request))
    assert (verdict.state, verdict.message_code) == ("failed", "parent_unknown")


def listed(driver):
    """The sessions of the UTC days around now."""
    today = datetime.now(timezone.utc).date()
    days = (today - timedelta(days=1), today)
    return [outcome for day in days for outcome in driver.sessions(day)]


def viva_s_book(simulator, transport):
    """The transactions API of the merchant."""
    hosts = Endpoints(simulator.url, simulator.url, simulator.url)
    return TransactionsApi(transport, hosts, MERCHANT, "sim-api-key")


def looked_up(driver, office, request, original=None):
    """What Viva's book says about a request, of which nothing is known but what was asked."""
    now = datetime.now(timezone.utc)
    days = {(now + timedelta(hours=hours)).date() for hours in (0, 3)}  # Athens
    entries = [entry for day in sorted(days) for entry in office.of_day(day)]
    return judge_entries(asked(driver, request, original), entries)


def clear(simulator):
    """A night passes."""
    simulator.control("POST", "clock", {"advance_s": DAY})


def book(simulator):
    """What moved at Viva: minor units by what was done."""
    moved = Counter()
    for charge in simulator.control("GET", "charges"):
        moved[charge["operation"]] += charge["amount"]
    return dict(moved)
