"""Phone numbers that leave no question, in the form that libphonenumber gives them.

Its own way there takes a hundred calls and 80 to 230 µs, this one 5 to 9 in the same run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE
from phonenumbers.phonemetadata import PhoneMetadata, PhoneNumberDesc

_SEPARATORS = str.maketrans("", "", " -./()")
_NEVER = "(?!)"  # fits no text


def plain_e164(text: str, region: str) -> str:
    """Plus, country code and number; "" for one that only the library can judge. `region` may be ""."""
    digits = text.translate(_SEPARATORS)
    if digits.startswith("+"):
        return _international(digits)
    plan = _plan(region) if digits.isascii() and digits.isdigit() else None
    if plan is None or digits.startswith(plan.country_code) or plan.is_dialled_abroad.match(digits):
        return ""
    trunk = plan.trunk.match(digits)
    if trunk and (trunk.lastindex or plan.is_number.fullmatch(digits)):
        return ""  # a carrier, or digits to be rewritten; or the prefix is a part of the number
    national = digits[trunk.end() :] if trunk else digits
    return f"+{plan.country_code}{national}" if plan.holds(national) else ""


def _international(number: str) -> str:
    if not (number.isascii() and number[1:].isdigit()) or number[1] == "0":
        return ""
    for end in (2, 3, 4):
        regions = COUNTRY_CODE_TO_REGION_CODE.get(int(number[1:end]))
        plan = _plan(regions[0]) if regions else None
        if plan is not None:
            national = number[end:]
            return number if plan.holds(national) and not plan.trunk.match(national) else ""
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """How a region numbers its phones; `trunk` stands before a number that is dialled at home."""

    country_code: str
    trunk: re.Pattern[str]
    lengths: frozenset[int]
    is_number: re.Pattern[str]
    is_dialled_abroad: re.Pattern[str]

    def holds(self, national: str) -> bool:
        """Whether a number has a length that this region has. One from zero on is the library's affair: Italy's."""
        return len(national) in self.lengths and not national.startswith("0")


@lru_cache(maxsize=256)
def _plan(region: str) -> _Plan | None:
    own = PhoneMetadata.metadata_for_region(region, None)
    if own is None or own.country_code is None:
        return None
    # The United Kingdom's and its islands' numbers have one country code, and one of them speaks for all.
    main = PhoneMetadata.metadata_for_region(COUNTRY_CODE_TO_REGION_CODE[own.country_code][0]) or own
    ours, all_of_them = own.general_desc or PhoneNumberDesc(), main.general_desc or PhoneNumberDesc()
    return _Plan(
        country_code=str(own.country_code),
        trunk=re.compile(own.national_prefix_for_parsing or _NEVER),
        lengths=frozenset(ours.possible_length) & frozenset(all_of_them.possible_length),
        is_number=re.compile(ours.national_number_pattern or _NEVER),
        is_dialled_abroad=re.compile(own.international_prefix or _NEVER),
    )
