"""What may be kept of an answer."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import redact

PAN = "4147460000020133"  # made up, with a right check digit


def luhn_digit(digits):
    total = sum(
        sum(divmod(int(digit) * (2 if place % 2 == 0 else 1), 10))
        for place, digit in enumerate(reversed(digits))
    )
    return str(-total % 10)


def card(length=16):
    digits = "4147460000020133000"[: length - 1]
    return digits + luhn_digit(digits)


@pytest.mark.parametrize(
    "key",
    [
        "Email", "email", "Phone", "FullName", "full_name", "CardToken", "card-token",
        "CardUniqueReference", "CardExpirationDate", "access_token", "client_secret",
        "Authorization", "apiKey", "Key", "password", "Latitude", "Longitude", "cvv",
    ],
)  # fmt: skip
def test_secrets_and_persons_are_removed(key):
    for value in ("hush", 424242, 37.98, ["hush"], {"inner": "hush"}):
        assert redact({"EventData": {key: value}}) == {"EventData": {key: "[removed]"}}
    assert redact({key: None}) == {key: None}


def test_what_support_needs_stays():
    kept = {
        "TransactionId": "8d1c8f60-94a1-4a70-8a43-0d5b5d9e6f31",
        "OrderCode": int(PAN),  # an order code may pass the check digit, too
        "orderCode": PAN,
        "retrievalReferenceNumber": 610419407060,
        "merchantReference": "POS/0042/1",
        "amount": 1250,
        "Amount": 12.5,
        "success": True,
        "aadeTransactionId": None,
        "MessageId": "4f8f3f6d-2d9c-4a5e-9d0e-b0f0ad7f3a10",
        "RecipientId": "11111111-2222-3333-4444-555555555555",
        "InsDate": "2026-04-14T22:16:11.403",
        "message": "Transaction canceled by user",
        "aid": "A0000000031010",
    }
    assert redact(kept) == kept


@pytest.mark.parametrize("key", ["cardNumber", "CardNumber", "primaryAccountNumberMasked", "pan"])
@pytest.mark.parametrize("value", ["414746******0133", "414746XXXXXX0133", PAN, int(PAN)])
def test_card_numbers_keep_four_digits(key, value):
    assert redact({key: value}) == {key: "****0133"}


@pytest.mark.parametrize("length", range(13, 20))
def test_card_numbers_in_texts_keep_four_digits(length):
    number = card(length)
    assert redact({"message": f"card {number}!"}) == {"message": f"card ****{number[-4:]}!"}
    assert redact({"other": int(number)}) == {"other": f"****{number[-4:]}"}
    spaced = " ".join(number[place : place + 4] for place in range(0, length, 4))
    assert number[:12] not in json.dumps(redact([spaced])).replace(" ", "")


def test_masked_number_and_mail_in_a_text():
    text = redact("paid with 414746******0133 by jane.doe@example.com")
    assert text == "paid with ****0133 by [removed]"


def test_it_is_a_copy():
    value = {"a": [{"email": "x"}]}
    copy = redact(value)
    assert value == {"a": [{"email": "x"}]}
    copy["a"].append(1)
    assert len(value["a"]) == 1


def test_what_a_database_refuses():
    assert redact({"a\0": "b\0\ud800", "c": float("inf"), "d": float("nan")}) == {
        "a": "b?",
        "c": None,
        "d": None,
    }


def test_depth_is_bounded():
    value = []
    for _ in range(900):
        value = [value]
    assert "[removed]" in json.dumps(redact(value))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_the_result_can_always_be_stored(value):
    stored = json.dumps(redact(value), allow_nan=False)
    assert "\\u0000" not in stored
    stored.encode()
    json.loads(stored)


@given(
    st.text(alphabet=" ,.ab€", max_size=8),
    st.text(alphabet=" ,.;!€", max_size=8),
    st.text(alphabet="0123456789", min_size=12, max_size=18),
)
def test_no_card_number_survives_in_a_text(before, after, digits):
    number = digits + luhn_digit(digits)
    assert number not in redact(f"{before} {number} {after}")
    assert number not in redact({"note": [number]})["note"]


@pytest.mark.parametrize(
    ("value", "kept"), [("19.99", 19.99), ("-1.20", -1.2), ("1e400", None), ("NaN", None)]
)
def test_exact_decimals_are_kept_as_json_can_have_them(value, kept):
    assert redact({"Amount": Decimal(value)}) == {"Amount": kept}
