"""Viva's terminal protocols in plain Python: no Odoo, no database, no global state.

The map, from the inside out:

``money``      amounts as integer minor units, ISO 4217
``types``      requests and answers, frozen
``errors``     definite, retryable, indeterminate: was the customer maybe charged?
``states``     the states of a transaction and the moves between them
``capabilities``  what each protocol can do
``events``     Viva's event ids, as states and keys for words
``redact``     what may be kept of an answer
``fields``     single fields of an answer, read defensively
``session``    Viva's session object, read defensively
``verdict``    what was asked against what came back: the only place that approves
``transport``  HTTP that says whether anything was sent; handed in
``endpoints``  the base addresses of an environment
``answers``    statuses and error bodies
``token``      OAuth access tokens, shared and fetched once
``base``       ``TerminalDriver``, the interface of all drivers
``cloud``      the Cloud Terminal API
``local``      the Local Terminal API, to a device of the own network
``ecr``        messages over TCP/IP: frames and fields, as pure functions
``tcp``        TCP/IP to the device, Prolin and Paydroid
``wire``       requests, answers and errors as JSON, between Odoo and a gateway

and beside the terminals:

``app``        App-to-App: addresses that open the app, and its returns; no driver, it connects to nothing
``transactions``  Viva's book by transaction id: look up, give back, capture

To add a driver (another protocol, another way to a terminal):

1. Write one module with a class that satisfies ``base.TerminalDriver``. Hand its
   connection in; turn what goes wrong into the classes of ``errors``, and be
   honest about *indeterminate*. Never repeat a start.
2. Give amounts as minor units, and a final answer as ``Outcome``: fill it through
   ``session.parse_session`` when the protocol speaks Viva's session object. Do not
   decide what is an approval: ``verdict.judge`` does.
3. Say in ``capabilities`` what it can do, and what its answers never tell. Screens ask that.
4. Subclass the contract of ``dev/tests/protocol/contract.py`` for it, with a ``Way`` that makes
   trouble for it at the simulator. It passes, or the driver is not finished.
5. Export it here.
"""

from .base import TerminalDriver
from .capabilities import CAPABILITIES_OF
from .cloud import CloudDriver
from .endpoints import DEMO, LIVE, Endpoints
from .errors import (
    ActionDisabled,
    AlreadyUsed,
    AnswerLost,
    BadRequest,
    Busy,
    CredentialsError,
    Declined,
    DefiniteError,
    IndeterminateError,
    InsufficientFunds,
    LoginUnavailable,
    NotFound,
    NotPossible,
    NotReversible,
    PartialTooEarly,
    PermissionDenied,
    RetryableError,
    ServerFault,
    TokenBusy,
    Unavailable,
    TooLate,
    Unreachable,
    VivaError,
    WrongDevice,
)
from .events import event_words, issuer_words
from .local import LocalAddress, LocalDriver
from .money import (
    VIVA_CURRENCIES,
    CurrencyNotSupported,
    alpha,
    exponent,
    numeric,
    to_major,
    to_minor,
    viva_numeric,
)
from .redact import redact
from .session import parse_session
from .states import FINAL, LATE_APPROVAL, OPEN, STATES, UNSETTLED, State, may_move
from .tcp import TcpDriver
from .token import MemoryTokenStore, Token, TokenSource, TokenStore
from .transactions import TransactionsApi
from .transport import (
    ConnectFailed,
    DirectTransport,
    HttpRequest,
    HttpResponse,
    PinnedTransport,
    RequestsTransport,
    ResponseLost,
    Transport,
    WrongCertificate,
    fingerprint_of,
)
from .types import (
    AbortRequest,
    Accepted,
    Capabilities,
    CaptureRequest,
    Device,
    Entry,
    Operation,
    Outcome,
    Pending,
    RefundRequest,
    Reversed,
    SaleRequest,
    SessionMissing,
    StartRequest,
    UnreferencedRefundRequest,
)
from .verdict import (
    SUCCESS_TYPES,
    Asked,
    AskedReversal,
    Verdict,
    executed_as,
    final_no_needs_list,
    judge,
    judge_children,
    judge_entries,
    judge_listed,
    judge_no,
    judge_reversed,
)
from .wire import (
    abort_from_json,
    answer_from_json,
    answer_to_json,
    error_from_json,
    error_to_json,
    request_from_json,
    request_to_json,
)

__all__ = [
    "CAPABILITIES_OF",
    "DEMO",
    "FINAL",
    "LATE_APPROVAL",
    "LIVE",
    "OPEN",
    "STATES",
    "SUCCESS_TYPES",
    "UNSETTLED",
    "VIVA_CURRENCIES",
    "AbortRequest",
    "Accepted",
    "ActionDisabled",
    "AlreadyUsed",
    "AnswerLost",
    "Asked",
    "AskedReversal",
    "BadRequest",
    "Busy",
    "Capabilities",
    "CaptureRequest",
    "CloudDriver",
    "ConnectFailed",
    "CredentialsError",
    "CurrencyNotSupported",
    "Declined",
    "DefiniteError",
    "Device",
    "DirectTransport",
    "Endpoints",
    "Entry",
    "HttpRequest",
    "HttpResponse",
    "IndeterminateError",
    "InsufficientFunds",
    "LocalAddress",
    "LocalDriver",
    "LoginUnavailable",
    "MemoryTokenStore",
    "NotFound",
    "NotPossible",
    "NotReversible",
    "Operation",
    "Outcome",
    "PartialTooEarly",
    "Pending",
    "PermissionDenied",
    "PinnedTransport",
    "RefundRequest",
    "RequestsTransport",
    "ResponseLost",
    "RetryableError",
    "Reversed",
    "SaleRequest",
    "ServerFault",
    "SessionMissing",
    "StartRequest",
    "State",
    "TcpDriver",
    "TerminalDriver",
    "Token",
    "TokenBusy",
    "TokenSource",
    "TokenStore",
    "TooLate",
    "TransactionsApi",
    "Transport",
    "Unavailable",
    "Unreachable",
    "UnreferencedRefundRequest",
    "Verdict",
    "VivaError",
    "WrongCertificate",
    "WrongDevice",
    "abort_from_json",
    "alpha",
    "answer_from_json",
    "answer_to_json",
    "error_from_json",
    "error_to_json",
    "event_words",
    "executed_as",
    "exponent",
    "final_no_needs_list",
    "fingerprint_of",
    "issuer_words",
    "judge",
    "judge_children",
    "judge_entries",
    "judge_listed",
    "judge_no",
    "judge_reversed",
    "may_move",
    "numeric",
    "parse_session",
    "redact",
    "request_from_json",
    "request_to_json",
    "to_major",
    "to_minor",
    "viva_numeric",
]
