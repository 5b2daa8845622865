"""Convert amounts and currencies to JSON numbers and ISO 4217 codes, or raise InvalidEvent with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation

from tiktok_attribution.exceptions import InvalidEvent

CURRENCIES: frozenset[str] = frozenset(
    # One text, because a list of 62 quoted words says no more and takes a page.
    "AED ARS AUD BDT BHD BIF BOB BRL CAD CHF CLP CNY COP CRC CZK DKK DZD EGP EUR GBP GTQ "  # noqa: SIM905
    "HKD HNL HUF IDR ILS INR ISK JPY KES KHR KRW KWD KZT MAD MOP MXN MYR NGN NIO NOK NZD "
    "OMR PEN PHP PKR PLN PYG QAR RON RUB SAR SEK SGD THB TRY TWD UAH USD VES VND ZAR".split()
)
"""The 62 currencies of TikTok's Events API reference. What TikTok does with another code is not documented."""

MAX_AMOUNT = 2**53 - 1
"""Above it a browser no longer represents every whole number, and the two channels of an event would differ."""

# Decimal digits by ISO 4217: how many digits the minor unit has. All others have two.
_WITHOUT_MINOR_UNITS = ("BIF", "CLP", "ISK", "JPY", "KRW", "PYG", "VND")
_EXPONENTS = dict.fromkeys(_WITHOUT_MINOR_UNITS, 0) | dict.fromkeys(("BHD", "KWD", "OMR"), 3)

_NUMBER = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_THREE_LETTERS = re.compile(r"[A-Z]{3}")
_WITH_THOUSANDS_COMMAS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_WITH_DECIMAL_COMMA = re.compile(r"[0-9.]*,[0-9]{1,2}")
_LONGEST = 40
_STEP = Decimal("0.000001")
# A context of its own, because the caller's thread may have lowered the precision or set traps.
_EXACT = Context(prec=80, rounding=ROUND_HALF_UP, traps=[InvalidOperation])

_SPOKEN = {
    "$": "USD",
    "US$": "USD",
    "€": "EUR",
    "EURO": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "RMB": "CNY",
    "R$": "BRL",
}
_MINUS = ("-", "\N{MINUS SIGN}")
_NEGATIVE = "an amount can't be negative"
_TOO_LARGE = "the amount is too large to be money"
_NOT_A_SLIP = {"AMD"}  # the currency of Armenia, one swap of letters away from MAD


def currency_code(v: object) -> str:
    """Return the upper-case ISO code. Raises InvalidEvent for one that is not in TikTok's list."""
    if v is None or isinstance(v, (bool, int, float, bytes)):
        raise InvalidEvent("a currency is an ISO 4217 code of three letters, such as EUR")
    code = str(v).strip().upper()
    if code in CURRENCIES:
        return code
    meant = meant_currency(code)
    if meant:
        raise InvalidEvent(f'the currency is not an ISO 4217 code that TikTok lists: did you mean "{meant}"?')
    if _THREE_LETTERS.fullmatch(code):
        raise InvalidEvent(f"{code} is not in TikTok's list of {len(CURRENCIES)} currencies")
    raise InvalidEvent("the currency is not an ISO 4217 code of three letters, such as EUR")


def minor_digits(currency: str) -> int:
    """Return how many decimals an amount of this currency has: 2 for EUR, 0 for JPY, 3 for KWD; 2 if it is unknown."""
    return _EXPONENTS.get(currency, 2)


# py-moneyed's Money (which django-money's fields give) and that of `prices` share these two attributes and no class. So
# they are recognised by them, and neither package is imported. Such an amount is never in minor units, whatever
# VALUE_IN_MINOR_UNITS says of plain numbers.
def money_parts(v: object) -> tuple[object, object] | None:
    """Return amount and currency of a money object, None for anything else. Never raises."""
    if v is None or isinstance(v, (str, int, float, Decimal, bytes, Mapping)):
        return None
    with suppress(Exception):  # the attributes of a foreign object may raise anything
        own, currency = v.amount, v.currency  # type: ignore[attr-defined]
        if isinstance(own, (int, float, Decimal, str)) and not isinstance(own, bool):
            return own, getattr(currency, "code", currency)
    return None


def meant_currency(written: str) -> str:
    """Return the listed code that a text probably stands for ("eur", "euro", "€"), or "" for any other text."""
    code = written.strip().upper()
    return code if code in CURRENCIES else (_SPOKEN.get(code) or _swapped(code))


def amount(v: object, *, currency: str = "", minor_units: bool = False, signed: bool = False) -> int | float:
    """Convert an amount to a finite number with at most six decimals, an int if it is whole. Raises InvalidEvent.

    With `minor_units`, the input counts cents, or the minor unit of `currency`, and must be whole. An amount below zero
    is valid only with `signed`.
    """
    if parts := money_parts(v):
        v, minor_units = parts[0], False
    number = _decimal(v)
    if number.is_signed() and number != 0:
        if not signed:
            raise InvalidEvent(_NEGATIVE)
        return -amount(-number, currency=currency, minor_units=minor_units)
    if number > MAX_AMOUNT:
        raise InvalidEvent(_TOO_LARGE)
    if minor_units:
        number = _in_major_units(number, currency)
    number = number.quantize(_STEP, context=_EXACT)
    return int(number) if number == number.to_integral_value() else float(number)


def total(prices: list[tuple[int | float, int]]) -> int | float:
    """Add up unit price times quantity, exact in decimals. Raises as `amount` does."""
    result = Decimal(0)
    for price, quantity in prices:
        result = _EXACT.add(result, _EXACT.multiply(Decimal(repr(price)), Decimal(quantity)))
    return amount(result)


def _in_major_units(number: Decimal, currency: str) -> Decimal:
    if currency not in CURRENCIES:
        raise InvalidEvent("an amount in minor units needs a currency that TikTok lists")
    if number != number.to_integral_value():
        raise InvalidEvent("an amount in minor units is a whole number; this one has decimals")
    return number.scaleb(-minor_digits(currency), context=_EXACT)


def _decimal(v: object) -> Decimal:
    if isinstance(v, bool):
        raise InvalidEvent("an amount is a number, not true or false")
    if isinstance(v, str):
        return _from_text(v)
    if isinstance(v, int):
        # Checked before it becomes a Decimal: for a huge number, that takes time with the square of its digits.
        if abs(v) > MAX_AMOUNT:
            raise InvalidEvent(_TOO_LARGE if v > 0 else _NEGATIVE)
        return Decimal(int(v))
    if isinstance(v, float):
        v = Decimal(float.__repr__(v))
    if not isinstance(v, Decimal):
        raise InvalidEvent(f"an amount is a Decimal, int, float or text of digits, not {type(v).__name__}")
    if not v.is_finite():
        raise InvalidEvent("an amount must be a finite number, not NaN or infinity")
    return v


def _from_text(text: str) -> Decimal:
    """Read an amount from text. No message repeats the text: it could be an address that was mapped by mistake."""
    text = text.strip()
    unsigned = text[1:] if text.startswith(_MINUS) else text
    if len(text) <= _LONGEST and _NUMBER.fullmatch(unsigned):
        return Decimal(unsigned) if unsigned == text else -Decimal(unsigned)
    if not text:
        raise InvalidEvent("the amount is an empty text")
    if _WITH_THOUSANDS_COMMAS.fullmatch(text):
        raise InvalidEvent('the amount has thousands commas: write "1234.50", not "1,234.50"')
    if _WITH_DECIMAL_COMMA.fullmatch(text):
        raise InvalidEvent('the amount has a decimal comma: write "19.99", not "19,99"')
    if text.startswith(_MINUS):
        raise InvalidEvent(_NEGATIVE)
    raise InvalidEvent('the amount is not a plain number: write "19.99", without currency, letters or spaces')


def _swapped(code: str) -> str:
    """Return the listed currency whose neighbouring letters were swapped ("ERU"), or ""."""
    if len(code) != 3 or code in _NOT_A_SLIP:
        return ""
    swaps = (code[1] + code[0] + code[2], code[0] + code[2] + code[1])
    return next((swap for swap in swaps if swap in CURRENCIES), "")
