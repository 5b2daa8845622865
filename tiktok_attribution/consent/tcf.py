"""IAB's Transparency and Consent Framework, version 2: the core segment of a TC string, as its cookie holds it.

Bits of the core segment, from "Transparency and Consent String with Global Vendor & CMP List Formats": version 0–5,
purposes consented 152–175, largest vendor id 213–228, range encoding 229; then a bit a vendor, or a number of entries
(12 bits), each a flag and one vendor id (16 bits) or two, first and last.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tiktok_attribution.consent.decision import MOST_CHARACTERS, Consent

COOKIE = "euconsent-v2"
PURPOSES = (1, 3, 4, 7)
"""Store on the device, make an advertising profile, use it, measure advertising: what the pixel does."""

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_FIRST_PURPOSE, _MAX_VENDOR, _IS_RANGE, _VENDORS = 152, 213, 229, 230


@dataclass(frozen=True, slots=True, kw_only=True)
class TcfRule:
    """`vendor` is TikTok's id on the vendor list that the site's consent tool uses; None asks the purposes alone."""

    vendor: int | None
    purposes: tuple[int, ...] = PURPOSES
    cookie: str = COOKIE

    def read(self, cookies: Mapping[str, str]) -> Consent:
        """GRANTED only with every purpose and the vendor; UNKNOWN for no string, or one that can't be read."""
        bits = core_bits(cookies.get(self.cookie, ""))
        if bits is None:
            return Consent.UNKNOWN
        try:
            allowed = all(bits.number(_FIRST_PURPOSE + purpose - 1, 1) for purpose in self.purposes)
            is_granted = allowed and (self.vendor is None or has_consent(bits, self.vendor))
        except IndexError:
            return Consent.UNKNOWN
        return Consent.GRANTED if is_granted else Consent.DENIED

    def as_data(self) -> dict[str, Any]:
        """The rule for the page."""
        return {"cookie": self.cookie, "purposes": list(self.purposes), "vendor": self.vendor}


class Bits:
    """A row of bits, the highest of each byte first."""

    def __init__(self, data: bytes) -> None:
        # As text, for slices of it are read in C: a string of 8000 characters has up to 2,800 entries of vendors.
        self._bits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}"

    def text(self, start: int, length: int) -> str:
        """`length` bits as "0110"; of one length, they compare as numbers do. Raises IndexError behind the end."""
        bits = self._bits[start : start + length]
        if len(bits) < length:
            raise IndexError
        return bits

    def number(self, start: int, length: int) -> int:
        """An unsigned number of `length` bits. Raises IndexError behind the end."""
        return int(self.text(start, length), 2)


def core_bits(text: str) -> Bits | None:
    """The core segment of a TC string; None where this is none of version 2."""
    core = text.partition(".")[0]
    if len(core) > MOST_CHARACTERS or _BASE64URL.fullmatch(core) is None:
        return None
    try:
        bits = Bits(base64.urlsafe_b64decode(core + "=" * (-len(core) % 4)))
        bits.number(_IS_RANGE, 1)  # raises where so much is not there
        return bits if bits.number(0, 6) == 2 else None
    except (binascii.Error, ValueError, IndexError):
        return None


def has_consent(bits: Bits, vendor: int) -> bool:
    """Whether a vendor has consent. Raises IndexError for a string that was cut."""
    if vendor > bits.number(_MAX_VENDOR, 16):
        return False
    if not bits.number(_IS_RANGE, 1):
        return bool(bits.number(_VENDORS + vendor - 1, 1))
    place, wanted = _VENDORS + 12, f"{vendor:016b}"
    for _ in range(bits.number(_VENDORS, 12)):
        is_range = bits.text(place, 1) == "1"
        first = bits.text(place + 1, 16)
        last = bits.text(place + 17, 16) if is_range else first
        if first <= wanted <= last:
            return True
        place += 33 if is_range else 17
    return False
