"""Read Viva's session object (reference, section 5.2) defensively.

Fields come as null, absent, or of another type depending on the age of the API.
Nothing here raises, and nothing here guesses in favour of a payment: an amount
that is not a whole JSON number is no amount, a ``success`` that is not a JSON
boolean is no success.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import fields
from .redact import last_four, redact
from .types import Outcome


def parse_session(data: Mapping[str, Any]) -> Outcome:
    """Turn one session object into an :class:`Outcome`. Never raises on what Viva sends."""
    label = fields.text(data.get("applicationLabel"))
    bank_id = fields.text(data.get("bankId"))
    last4 = last_four(fields.text(data.get("primaryAccountNumberMasked")))
    safe: dict[str, Any] = redact(dict(data))
    return Outcome(
        session_id=fields.text(data.get("sessionId")),
        terminal_id=fields.text(data.get("terminalId")),
        cash_register_id=fields.text(data.get("cashRegisterId")),
        amount=fields.whole(data.get("amount")),
        currency=fields.currency(data.get("currencyCode")),
        merchant_reference=fields.echo(data.get("merchantReference")),
        tip=fields.extra(data.get("tipAmount")),
        surcharge=fields.extra(data.get("surchargeAmount")),
        success=fields.flag(data.get("success")),
        event_id=fields.integer(data.get("eventId")),
        authorisation_code=fields.text(data.get("authorizationId")),
        transaction_id=fields.number_text(data.get("transactionId")),
        transaction_type_id=fields.integer(data.get("transactionTypeId")),
        rrn=fields.text(data.get("retrievalReferenceNumber")),
        stan=fields.number_text(data.get("referenceNumber")),
        entry_mode=fields.text(data.get("panEntryMode")),
        application_label=label,
        card_brand=fields.brand(fields.text(data.get("cardType")), label, bank_id),
        card_last4=last4,
        card_masked=fields.masked(last4),
        finished_at=fields.moment(data.get("transactionDateTime")),
        abort_requested=data.get("abortOperation") is True,
        abort_success=data.get("abortSuccess") is True,
        verification_method=fields.text(data.get("verificationMethod")),
        tid=fields.text(data.get("tid")),
        short_order_code=fields.number_text(data.get("shortOrderCode")),
        order_code=fields.number_text(data.get("orderCode")),
        installments=fields.installments(data.get("installments")),
        message=fields.text(data.get("message")),
        preauth=fields.flag(data.get("preauth")),
        aid=fields.text(data.get("aid")),
        issuer_event_id=fields.integer(data.get("transactionEventId")),
        bank_id=bank_id,
        raw=safe,
    )
