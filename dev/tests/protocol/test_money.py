"""Amounts: integer minor units, and nothing lost or invented on the way."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import (
    VIVA_CURRENCIES,
    CurrencyNotSupported,
    alpha,
    exponent,
    numeric,
    to_major,
    to_minor,
    viva_numeric,
)
from drivers.money import MAX_MINOR


@pytest.mark.parametrize(
    ("currency", "digits", "number"),
    [
        ("EUR", 2, "978"),
        ("GBP", 2, "826"),
        ("HUF", 2, "348"),
        ("ISK", 0, "352"),
        ("JPY", 0, "392"),
        ("KWD", 3, "414"),
        ("TND", 3, "788"),
        ("ALL", 2, "008"),
    ],
)
def test_table(currency, digits, number):
    assert exponent(currency) == digits
    assert numeric(currency) == number
    assert alpha(number) == currency


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("19.99", "EUR", 1999),
        (19.99, "EUR", 1999),
        (Decimal("19.99"), "EUR", 1999),
        (19, "EUR", 1900),
        ("19.9", "EUR", 1990),
        ("0.01", "EUR", 1),
        (0.29, "EUR", 29),
        (1.1 + 2.2, "EUR", 330),
        (229.99999999999997, "EUR", 23000),
        ("229.99999999999997", "EUR", 23000),
        (Decimal.from_float(19.99), "EUR", 1999),
        (1e-16, "EUR", 0),
        (4.35, "EUR", 435),
        (1980, "JPY", 1980),
        (1980.0, "JPY", 1980),
        (0.1 + 0.2, "KWD", 300),
        ("1.234", "KWD", 1234),
        (1.005, "TND", 1005),
        ("-19.99", "EUR", -1999),
        (-0.29, "EUR", -29),
        (0, "EUR", 0),
        (-0.0, "EUR", 0),
    ],
)
def test_to_minor(amount, currency, minor):
    result = to_minor(amount, currency)
    assert result == minor
    assert type(result) is int


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("19.995", "EUR"),
        (19.995, "EUR"),
        ("19.999", "EUR"),
        ("0.001", "EUR"),
        ("19.5", "JPY"),
        ("1.2345", "KWD"),
        (float("nan"), "EUR"),
        (float("inf"), "EUR"),
        (Decimal("NaN"), "EUR"),
        (Decimal("-Infinity"), "EUR"),
        (Decimal("1e999999"), "EUR"),
        ("1e999", "EUR"),
        (10**30, "EUR"),
        (True, "EUR"),
        (None, "EUR"),
        ("", "EUR"),
        ("1_000", "EUR"),
        ("1,50", "EUR"),
        (" 1.50", "EUR"),
        ("١٢", "EUR"),
        (MAX_MINOR + 1, "JPY"),
    ],
)
def test_to_minor_refuses(amount, currency):
    with pytest.raises(ValueError):
        to_minor(amount, currency)


def test_largest():
    assert to_minor(MAX_MINOR, "JPY") == MAX_MINOR
    assert to_minor("21474836.47", "EUR") == MAX_MINOR


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "XXX", "XAU", "978", None])
def test_unknown_currency_is_refused(currency):
    for function in (exponent, numeric, viva_numeric):
        with pytest.raises(CurrencyNotSupported):
            function(currency)
    with pytest.raises(CurrencyNotSupported):
        to_minor(1, currency)


def test_currencies_of_viva():
    assert {currency: viva_numeric(currency) for currency in VIVA_CURRENCIES} == {
        "EUR": "978",
        "GBP": "826",
        "RON": "946",
        "PLN": "985",
        "CZK": "203",
        "HUF": "348",
        "SEK": "752",
        "DKK": "208",
        "BGN": "975",
        "NOK": "578",
    }


@pytest.mark.parametrize("currency", ["USD", "JPY", "KWD", "CHF"])
def test_a_currency_that_viva_does_not_list_is_refused_in_clear_words(currency):
    assert numeric(currency)
    with pytest.raises(CurrencyNotSupported, match=f"{currency}.*EUR, GBP"):
        viva_numeric(currency)


def test_to_major():
    assert to_major(1999, "EUR") == Decimal("19.99")
    assert str(to_major(1990, "EUR")) == "19.90"
    assert str(to_major(1990, "JPY")) == "1990"
    assert str(to_major(-5, "KWD")) == "-0.005"
    for wrong in (19.99, True, "1999", None):
        with pytest.raises(ValueError):
            to_major(wrong, "EUR")


@given(
    st.integers(-MAX_MINOR, MAX_MINOR), st.sampled_from(["EUR", "HUF", "JPY", "KWD", "ISK", "TND"])
)
def test_there_and_back(minor, currency):
    major = to_major(minor, currency)
    assert to_minor(major, currency) == minor
    assert to_minor(str(major), currency) == minor
    assert to_minor(float(major), currency) == minor


@given(st.lists(st.integers(0, 99_999), min_size=1, max_size=30))
def test_a_sum_of_floats_is_its_cents(cents):
    assert to_minor(sum(cent / 100 for cent in cents), "EUR") == sum(cents)


@given(st.one_of(st.floats(), st.decimals(), st.text(max_size=12), st.integers(), st.none()))
def test_nothing_else_than_a_whole_number_or_a_refusal(amount):
    try:
        minor = to_minor(amount, "EUR")
    except ValueError:
        return
    assert type(minor) is int
    assert abs(Decimal(str(amount)) * 100 - minor) <= Decimal("0.0001")
