"""What each protocol can do, as data: screens and the matrix need no connection to know it.

Each driver's module has its own as ``CAPABILITIES``. What a merchant or a terminal is not
enabled for, Viva refuses; this is only about the protocol.
"""

from __future__ import annotations

from .types import Capabilities, Operation

#: Everything but fiscal data.
CLOUD = Capabilities(
    operations=frozenset(Operation),
    abort=True,
    partial_refund=True,
    unreferenced_refund=True,
    installments=True,
    tip=True,
    sessions_by_date=True,
    refuses_repeats=True,
)

#: The Local Terminal API. How it releases a preauth is not known, and the path of an
#: unreferenced refund only by analogy (local reference, section 3.7): see ``local.LocalDriver``.
LOCAL = Capabilities(
    operations=frozenset(Operation) - {Operation.RELEASE},
    abort=True,
    partial_refund=True,
    installments=True,
    tip=True,
    fiscal=True,
    untold=frozenset({"currency", "reference"}),
)

_TCP_UNTOLD = frozenset({"currency", "reference", "type", "transaction_id"})

#: TCP/IP on a Linux terminal: a sale and nothing else (Prolin reference, section 1.2). Fiscal
#: fields only with a switch of ``tcp.TcpDriver``.
PROLIN = Capabilities(
    operations=frozenset({Operation.SALE}),
    recalls=False,
    sends_currency=False,
    untold=_TCP_UNTOLD,
)

#: TCP/IP on an Android terminal of PAX.
PAYDROID = Capabilities(
    operations=frozenset({Operation.SALE, Operation.PREAUTH}),
    abort=True,
    recalls=False,
    sends_currency=False,
    untold=_TCP_UNTOLD,
)

#: App-to-App: the app's answer is never believed, Viva's book is read instead.
APP = Capabilities(
    operations=frozenset(Operation) - {Operation.RELEASE},
    abort=True,
    partial_refund=True,
    unreferenced_refund=True,
    installments=True,
    fiscal=True,
    sends_currency=False,
    untold=frozenset({"currency", "type", "cash_register"}),
)

#: By the value of a terminal's protocol. TCP: what every terminal that speaks it can do.
CAPABILITIES_OF: dict[str, Capabilities] = {
    "cloud": CLOUD,
    "local": LOCAL,
    "tcp": PROLIN,
    "app_to_app": APP,
}
