"""The session object of section 5.2, field by field."""

from datetime import datetime, timezone

import pytest
from test_verdict import CANCELLED, PAID

from drivers import parse_session


def test_success():
    outcome = parse_session(
        {**PAID, "bankId": "NET_VISA", "aid": "A0000000031010", "transactionEventId": 0}
    )
    raw = outcome.raw
    assert {**outcome.__dict__, "raw": None} == {
        "session_id": "0b0f8a4e-6c0c-4f0e-9d42-3b1b8f4f0c11",
        "terminal_id": "16000010",
        "cash_register_id": "till-2",
        "amount": 1250,
        "currency": "EUR",
        "merchant_reference": "POS/0042/1",
        "tip": 0,
        "surcharge": 0,
        "success": True,
        "event_id": 0,
        "authorisation_code": "407060",
        "transaction_id": "8d1c8f60-94a1-4a70-8a43-0d5b5d9e6f31",
        "transaction_type_id": 5,
        "rrn": "610419407060",
        "stan": "407060",
        "entry_mode": "07",
        "application_label": "Visa Debit",
        "card_brand": "Visa",
        "card_last4": "0133",
        "card_masked": "************0133",
        "finished_at": datetime(2026, 4, 14, 19, 16, 11, 404332, tzinfo=timezone.utc),
        "abort_requested": False,
        "abort_success": False,
        "verification_method": "CONTACTLESS - NO CVM",
        "tid": "16000010",
        "short_order_code": "6104224321",
        "order_code": "6104224321000010",
        "installments": 0,
        "message": "Transaction successful",
        "preauth": False,
        "aid": "A0000000031010",
        "issuer_event_id": 0,
        "bank_id": "NET_VISA",
        "offline": False,
        "raw": None,
    }
    assert raw["primaryAccountNumberMasked"] == "****0133"
    assert raw["orderCode"] == "6104224321000010"


def test_cancelled_before_a_card():
    outcome = parse_session(CANCELLED)
    assert outcome.success is False
    assert outcome.event_id == 1000
    for name in ("transaction_id", "authorisation_code", "rrn", "stan", "card_brand", "card_last4"):
        assert getattr(outcome, name) == ""
    for name in ("card_masked", "short_order_code", "order_code", "application_label"):
        assert getattr(outcome, name) == ""
    assert outcome.transaction_type_id is None
    assert outcome.finished_at is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-04-14T22:16:11.4043324+03:00", "2026-04-14T19:16:11.404332+00:00"),
        ("2026-04-14T22:16:11+03:00", "2026-04-14T19:16:11+00:00"),
        ("2026-04-14T19:16:11.5Z", "2026-04-14T19:16:11.500000+00:00"),
        ("2026-04-14 19:16:11-0230", "2026-04-14T21:46:11+00:00"),
        ("2026-04-14T22:16:11.403", None),
        ("2026-02-30T10:00:00Z", None),
        ("0001-01-01T00:00:00+03:00", None),
        ("yesterday", None),
        ("", None),
        (1776000000, None),
        (None, None),
    ],
)
def test_times(text, expected):
    finished_at = parse_session({"transactionDateTime": text}).finished_at
    assert (finished_at and finished_at.isoformat()) == expected


@pytest.mark.parametrize(
    ("fields", "brand"),
    [
        ({"cardType": "Visa"}, "Visa"),
        ({"applicationLabel": "VISA ELECTRON"}, "Visa"),
        ({"applicationLabel": "Debit Mastercard", "cardType": "Debit"}, "Mastercard"),
        ({"bankId": "NET_MASTER"}, "Mastercard"),
        ({"bankId": "NET_IRIS"}, "IRIS"),
        ({"applicationLabel": "Maestro"}, "Maestro"),
        ({"cardType": "Girocard"}, "Girocard"),
        ({}, ""),
        ({"cardType": None, "applicationLabel": 7}, ""),
    ],
)
def test_brand(fields, brand):
    assert parse_session(fields).card_brand == brand


@pytest.mark.parametrize(
    ("masked", "last4"),
    [
        ("414746******0133", "0133"),
        ("414746XXXXXX0133", "0133"),
        ("••••0133", "0133"),
        ("4147460000000133", "0133"),
        ("************", ""),
        ("12", ""),
        (None, ""),
        (["0133"], ""),
    ],
)
def test_card_number(masked, last4):
    outcome = parse_session({"primaryAccountNumberMasked": masked})
    assert outcome.card_last4 == last4
    assert outcome.card_masked == ("************" + last4 if last4 else "")


def test_ids_as_numbers_and_currency_with_leading_zero():
    outcome = parse_session({"terminalId": 16000010, "currencyCode": 8, "orderCode": 6104224321})
    assert outcome.terminal_id == "16000010"
    assert outcome.currency == "ALL"
    assert outcome.order_code == "6104224321"


def test_numbers_that_no_column_holds():
    outcome = parse_session(
        {"amount": 2**31, "eventId": 10**12, "installments": 10**6, "message": "x" * 9999}
    )
    assert outcome.amount is None
    assert outcome.event_id is None
    assert outcome.installments == 0
    assert len(outcome.message) == 255


def test_raw_is_redacted():
    raw = parse_session({**PAID, "email": "jane@example.com", "customerTrns": "a@b.example"}).raw
    assert "jane" not in str(raw) and "a@b" not in str(raw) and "414746" not in str(raw)
