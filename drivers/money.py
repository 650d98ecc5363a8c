"""Money as integer minor units.

Between screen, wire and drivers an amount is always an ``int`` of minor units
(19.99 EUR is ``1999``); the number of decimals comes from ISO 4217 and never
from a currency record that a company may round in its own way. Viva charges a
fractional amount truncated and without an error (reference, section 3.4), so
nothing here ever computes with floats.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

#: Alphabetic to numeric codes of ISO 4217, currencies in use.
_CODES = """
AED784 AFN971 ALL008 AMD051 AOA973 ARS032 AUD036 AWG533 AZN944 BAM977
BBD052 BDT050 BGN975 BHD048 BIF108 BMD060 BND096 BOB068 BOV984 BRL986
BSD044 BTN064 BWP072 BYN933 BZD084 CAD124 CDF976 CHE947 CHF756 CHW948
CLF990 CLP152 CNY156 COP170 COU970 CRC188 CUP192 CVE132 CZK203 DJF262
DKK208 DOP214 DZD012 EGP818 ERN232 ETB230 EUR978 FJD242 FKP238 GBP826
GEL981 GHS936 GIP292 GMD270 GNF324 GTQ320 GYD328 HKD344 HNL340 HTG332
HUF348 IDR360 ILS376 INR356 IQD368 IRR364 ISK352 JMD388 JOD400 JPY392
KES404 KGS417 KHR116 KMF174 KPW408 KRW410 KWD414 KYD136 KZT398 LAK418
LBP422 LKR144 LRD430 LSL426 LYD434 MAD504 MDL498 MGA969 MKD807 MMK104
MNT496 MOP446 MRU929 MUR480 MVR462 MWK454 MXN484 MXV979 MYR458 MZN943
NAD516 NGN566 NIO558 NOK578 NPR524 NZD554 OMR512 PAB590 PEN604 PGK598
PHP608 PKR586 PLN985 PYG600 QAR634 RON946 RSD941 RUB643 RWF646 SAR682
SBD090 SCR690 SDG938 SEK752 SGD702 SHP654 SLE925 SOS706 SRD968 SSP728
STN930 SVC222 SYP760 SZL748 THB764 TJS972 TMT934 TND788 TOP776 TRY949
TTD780 TWD901 TZS834 UAH980 UGX800 USD840 USN997 UYI940 UYU858 UYW927
UZS860 VED926 VES928 VND704 VUV548 WST882 XAF950 XCD951 XCG532 XOF952
XPF953 YER886 ZAR710 ZMW967 ZWG924
"""
_NUMERIC: dict[str, str] = {entry[:3]: entry[3:] for entry in _CODES.split()}
_ALPHA: dict[str, str] = {number: code for code, number in _NUMERIC.items()}

#: Codes by their number of decimals, where that is not the usual two.
_UNUSUAL: dict[int, str] = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXPONENT: dict[str, int] = {
    code: digits for digits, codes in _UNUSUAL.items() for code in codes.split()
}

#: The currencies that Viva lists (reference, section 3.1).
VIVA_CURRENCIES: tuple[str, ...] = (
    "EUR", "GBP", "RON", "PLN", "CZK", "HUF", "SEK", "DKK", "BGN", "NOK",
)  # fmt: skip

#: Amounts travel through 32-bit integer columns.
MAX_MINOR = 2**31 - 1

#: How far from a whole minor unit a value may lie and still be float noise.
_NOISE = Decimal("0.0001")

_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")


class CurrencyNotSupported(ValueError):
    """The currency is not known to ISO 4217, or Viva does not take it."""


def _known(currency: str) -> str:
    if currency not in _NUMERIC:
        raise CurrencyNotSupported(f"{currency!r} is not a currency code of ISO 4217.")
    return currency


def exponent(currency: str) -> int:
    """Return the number of decimals of an alphabetic code: ``exponent("EUR") == 2``."""
    return _EXPONENT.get(_known(currency), 2)


def numeric(currency: str) -> str:
    """Return the three-digit numeric code: ``numeric("EUR") == "978"``."""
    return _NUMERIC[_known(currency)]


def alpha(number: str) -> str:
    """Return the alphabetic code of a three-digit numeric one: ``alpha("978") == "EUR"``."""
    if number not in _ALPHA:
        raise CurrencyNotSupported(f"{number!r} is not a numeric currency code of ISO 4217.")
    return _ALPHA[number]


def viva_numeric(currency: str) -> str:
    """Return the numeric code of a currency that Viva takes, else refuse (section 3.1)."""
    if currency not in VIVA_CURRENCIES:
        raise CurrencyNotSupported(
            f"Viva does not take payments in {currency}. It takes {', '.join(VIVA_CURRENCIES)}."
        )
    return numeric(currency)


def to_minor(amount: Decimal | int | str | float, currency: str) -> int:
    """Turn an amount in major units into minor units, half a unit away from zero.

    ``to_minor("19.99", "EUR") == 1999``; a sign is kept. A float is read by its
    shortest decimal form. More decimals than the currency has are refused with
    :class:`ValueError`, except the noise that float arithmetic leaves behind
    (``229.99999999999997`` is 230.00, ``19.995`` is an error).
    """
    digits = exponent(currency)
    if not isinstance(amount, Decimal):
        text = str(amount)
        if not _NUMBER.fullmatch(text):
            raise ValueError(f"{text!r} is not an amount.")
        amount = Decimal(text)
    if not amount.is_finite() or (amount and amount.adjusted() > 12):
        raise ValueError(f"{amount} is not an amount.")
    scaled = amount.scaleb(digits)
    minor = scaled.to_integral_value(ROUND_HALF_UP)
    if abs(scaled - minor) > _NOISE:
        raise ValueError(f"{amount} has more decimals than {currency} ({digits}).")
    if abs(minor) > MAX_MINOR:
        raise ValueError(f"{amount} {currency} is too large.")
    return int(minor)


def to_major(minor: int, currency: str) -> Decimal:
    """Turn minor units into an exact decimal: ``to_major(1999, "EUR") == Decimal("19.99")``."""
    if isinstance(minor, bool) or not isinstance(minor, int):
        raise ValueError(f"{minor!r} is not a number of minor units.")
    return Decimal(minor).scaleb(-exponent(currency))
