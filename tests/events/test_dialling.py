"""What the short way makes of a number, the library makes of it too; over every region it knows."""

from __future__ import annotations

import random
from collections.abc import Iterator

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from tiktok_attribution.events.dialling import plain_e164
from tiktok_attribution.events.hashing import REGIONS

FORMS = (PhoneNumberFormat.E164, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)
SEPARATORS = ("", "", "", " ", "-", ".", "/", "(", ")")


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("0151 23456789", "DE", "+4915123456789"),
        ("(020) 7946-0958", "GB", "+442079460958"),
        ("555.010.0199", "US", "+15550100199"),
        ("8 912 345 67 89", "RU", "+79123456789"),
        ("+49 151 23456789", "", "+4915123456789"),
    ],
)
def test_a_plain_number_goes_the_short_way(text: str, region: str, number: str) -> None:
    assert plain_e164(text, region) == number


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("0151 23456789", ""),
        ("0151 23456789", "UK"),  # no region of that name
        ("+49 (0)151 23456789", "DE"),
        ("0049 151 23456789", "DE"),
        ("06 698 12345", "IT"),  # its zero stays
        ("3734253", "US"),  # a local number
        ("1 555 010 0199", "US"),
        ("+04 151 23456789", "DE"),
        ("0151 23456789 ext. 5", "DE"),
        ("0151 2345678९", "DE"),
        ("+", "DE"),
        ("", "DE"),
    ],
)
def test_a_question_is_the_librarys(text: str, region: str) -> None:
    assert plain_e164(text, region) == ""


def test_nothing_comes_out_otherwise_than_from_the_library() -> None:
    short = 0
    for text, region in _numbers(random.Random(2024)):
        number = plain_e164(text, region)
        if number:
            short += 1
            assert (text, region, number) == (text, region, _of_the_library(text, region))
    assert short > 1000


def _numbers(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Examples of each region's numbers in the forms that people write, and digits behind its prefixes."""
    for region in sorted(REGIONS):
        for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
            example = phonenumbers.example_number_for_type(region, kind)
            for form in FORMS if example else ():
                yield phonenumbers.format_number(example, form), region
        code = phonenumbers.country_code_for_region(region)
        for prefix in ("", "0", "1", "8", "00", f"{code}", f"+{code}", f"+{code}0", "+", "(+0"):
            digits = chance.choices("0123456789", k=chance.randint(1, 13))
            yield prefix + "".join(digit + chance.choice(SEPARATORS) for digit in digits), region


def _of_the_library(text: str, region: str) -> str:
    parsed = phonenumbers.parse(text, region)
    assert text.startswith(("+", "(+")) or phonenumbers.is_possible_number(parsed)
    return phonenumbers.format_number(parsed, PhoneNumberFormat.E164)
