"""The Cloud Terminal API: REST through Viva's cloud (reference: cloud terminal API)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from .answers import (
    correlation_id_of,
    detail_of,
    error_of,
    exchange,
    json_of,
    not_understood,
    raw_of,
)
from .capabilities import CLOUD as CAPABILITIES
from .endpoints import Endpoints, segment
from .errors import CredentialsError, LoginUnavailable
from .money import viva_numeric
from .session import parse_session
from .token import TokenSource
from .transport import HttpRequest, HttpResponse, Transport
from .types import (
    AbortRequest,
    Accepted,
    Capabilities,
    CaptureRequest,
    Device,
    Outcome,
    Pending,
    RefundRequest,
    SessionMissing,
    StartRequest,
    UnreferencedRefundRequest,
)


class CloudDriver:
    """Terminals of one merchant, reached through Viva's cloud.

    Nothing is repeated by itself, with one exception: a request that was refused
    with 401 (and so did nothing) goes out once more with a renewed token.

    :param tokens: gives the access token; see :class:`TokenSource`
    :param connect_timeout: seconds, of every request
    :param read_timeout: seconds for the whole answer to a read, an abort, a look-up
    :param start_timeout: seconds for the whole answer to a start
    :param list_timeout: seconds for the whole answer to a list of sessions
    :param token_wait: seconds to wait while somebody else fetches a token
    :param budget: seconds for one call with everything that belongs to it; what is not
        sent by then is not sent
    """

    def __init__(
        self,
        transport: Transport,
        endpoints: Endpoints,
        tokens: TokenSource,
        read_timeout: float = 3.0,
        *,
        connect_timeout: float = 2.0,
        start_timeout: float = 5.0,
        list_timeout: float = 6.0,
        token_wait: float = 0.0,
        budget: float = 12.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._endpoints = endpoints
        self._tokens = tokens
        self._read_timeout = read_timeout
        self._connect_timeout = connect_timeout
        self._start_timeout = start_timeout
        self._list_timeout = list_timeout
        self._token_wait = token_wait
        self._budget = budget
        self._clock = clock

    @property
    def capabilities(self) -> Capabilities:
        """Everything but fiscal data."""
        return CAPABILITIES

    def devices(self, source_code: str | None = None) -> list[Device]:
        """Return the terminals of the merchant, or of one of its stores (section 2)."""
        filters = {} if source_code is None else {"sourceCode": source_code}
        response = self._call("POST", "/ecr/v1/devices:search", json=filters)
        if response.status != 200:
            raise error_of(response)
        data = json_of(response)
        if not isinstance(data, list):
            raise not_understood(response)
        return [device for device in map(_device, data) if device is not None]

    def start(self, request: StartRequest) -> Accepted:
        """Send an operation (sections 3 and 4). 200 means no more than "accepted for delivery".

        :raises CurrencyNotSupported: Viva does not list the currency; nothing was sent
        :raises AlreadyUsed: 409
        :raises NotFound: no such terminal; of a capture or refund also no such original, or one
            that did not succeed
        """
        operation, more = _operation(request)
        body = {
            "sessionId": request.session_id,
            "terminalId": request.terminal_id,
            "cashRegisterId": request.cash_register_id,
            "amount": request.amount,
            "currencyCode": viva_numeric(request.currency),
            "merchantReference": request.merchant_reference,
            "customerTrns": request.customer_text,
            **more,
        }
        response = self._call(
            "POST",
            "/ecr/v1/transactions:" + operation,
            json=body,
            timeout=self._start_timeout,
        )
        return _accepted(response)

    def read(self, session_id: str) -> Outcome | Pending | SessionMissing:
        """Return one session (section 5.1)."""
        response = self._call("GET", "/ecr/v1/sessions/" + segment(session_id))
        if response.status == 202:
            return Pending(detail_of(response))
        if response.status == 404:
            return SessionMissing(detail_of(response))
        if response.status != 200:
            raise error_of(response)
        data = json_of(response)
        if not isinstance(data, dict):
            raise not_understood(response)
        outcome = parse_session(data)
        if outcome.success is None or not outcome.session_id:
            raise not_understood(response)
        return outcome

    def sessions(self, day: date) -> list[Outcome]:
        """Return the sessions of one UTC day (section 5.4); unfinished ones may be among them."""
        response = self._call(
            "GET",
            "/ecr/v1/sessions",
            params={"date": f"{day:%Y-%m-%d}"},
            timeout=self._list_timeout,
        )
        if response.status != 200:
            raise error_of(response)
        data = json_of(response)
        if isinstance(data, dict):
            data = [data] if "sessionId" in data else None
        # An entry that cannot be read may be the very payment that is looked for.
        if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
            raise not_understood(response)
        return [parse_session(item) for item in data]

    def abort(self, request: AbortRequest) -> Accepted:
        """Ask to drop a session (section 4.4).

        ``repeated`` tells that an abort was already under way (409).

        :raises PermissionDenied: another cash register started the session
        :raises NotFound: no such session, or final already
        """
        response = self._call(
            "DELETE",
            "/ecr/v1/sessions/" + segment(request.session_id),
            params={"cashRegisterId": request.cash_register_id},
        )
        if response.status == 409:
            return Accepted(correlation_id_of(response), repeated=True, raw=raw_of(response))
        return _accepted(response)

    def webhook_key(self, merchant_id: str, api_key: str) -> str:
        """Return the key that a webhook address has to answer with (section 7.5)."""
        response = exchange(
            self._transport,
            HttpRequest(
                "GET",
                self._endpoints.www + "/api/messages/config/token",
                basic=(merchant_id, api_key),
                connect_timeout=self._connect_timeout,
                read_timeout=self._read_timeout,
            ),
        )
        if response.status == 401:
            raise CredentialsError(
                "Viva does not accept merchant id and API key.",
                status=401,
                correlation_id=correlation_id_of(response),
            )
        if response.status != 200:
            raise error_of(response)
        data = json_of(response)
        key = (data.get("Key") or data.get("key")) if isinstance(data, dict) else None
        if not isinstance(key, str) or not re.fullmatch(r"[!-~]{1,255}", key):
            raise not_understood(response)
        return key

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        end = self._clock() + self._budget

        def send(token: str) -> HttpResponse:
            left = end - self._clock() - self._connect_timeout
            if left < 1.0:
                raise LoginUnavailable("Fetching an access token took too long; nothing was sent.")
            return exchange(
                self._transport,
                HttpRequest(
                    method,
                    self._endpoints.api + path,
                    headers={"Authorization": "Bearer " + token},
                    params=params or {},
                    json=json,
                    connect_timeout=self._connect_timeout,
                    read_timeout=min(timeout or self._read_timeout, left),
                ),
            )

        token = self._tokens.get(self._token_wait)
        response = send(token)
        if response.status == 401:
            response = send(self._tokens.renew(token, self._token_wait))
        return response


def _operation(request: StartRequest) -> tuple[str, dict[str, Any]]:
    """Return the operation's name in the path, and the fields that not all operations have."""
    if isinstance(request, CaptureRequest):
        return "preauth-completion", {"parentSessionId": request.parent_session_id}
    if isinstance(request, RefundRequest):
        return "refund", {"parentSessionId": request.parent_session_id}
    if isinstance(request, UnreferencedRefundRequest):
        return "unreferenced-refund", {}
    return "sale", {
        "preauth": request.preauth,
        "maxInstalments": request.max_installments,
        "tipAmount": request.tip,
    }


def _accepted(response: HttpResponse) -> Accepted:
    """Any 2xx took the request; the body is empty in life and never needed (section 3.2)."""
    if 200 <= response.status < 300:
        return Accepted(correlation_id_of(response), raw=raw_of(response))
    raise error_of(response)


def _device(item: Any) -> Device | None:
    if not isinstance(item, dict):
        return None
    terminal_id = item.get("terminalId")
    status_id = item.get("statusId")
    if isinstance(terminal_id, bool) or not isinstance(terminal_id, (str, int)) or not terminal_id:
        return None
    return Device(
        terminal_id=str(terminal_id),
        status_id=status_id if type(status_id) is int else None,
        source_code=str(item.get("sourceCode") or ""),
        virtual_terminal_id=str(item.get("virtualTerminalId") or ""),
    )
