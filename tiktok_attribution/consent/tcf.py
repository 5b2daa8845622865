"""Read a TC string (version 2) of IAB's Transparency and Consent Framework from its cookie: the core segment.

Bits of the core segment, from "Transparency and Consent String with Global Vendor & CMP List Formats": version 0–5,
purposes consented 152–175, largest vendor id 213–228, range encoding 229. Then follows one bit for each vendor, or a
number of entries (12 bits). Each entry is a flag and one vendor id (16 bits), or two, first and last.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tiktok_attribution.consent.types import MOST_CHARACTERS, Consent

COOKIE = "euconsent-v2"
PURPOSES = (1, 3, 4, 7)
"""The purposes that the pixel needs: store on the device, make an advertising profile, use it, measure advertising."""

_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_FIRST_PURPOSE, _MAX_VENDOR, _IS_RANGE, _VENDORS = 152, 213, 229, 230


@dataclass(frozen=True, slots=True, kw_only=True)
class TcfRule:
    """The purposes and the vendor that need consent.

    `vendor` is TikTok's id on the vendor list of the site's consent tool. With None only the purposes count.
    """

    vendor: int | None
    purposes: tuple[int, ...] = PURPOSES
    cookie: str = COOKIE

    def read(self, cookies: Mapping[str, str]) -> Consent:
        """Return GRANTED only with every purpose and the vendor. UNKNOWN without a string, or for an unreadable one."""
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
        """Return the rule as data for the page's script."""
        return {"cookie": self.cookie, "purposes": list(self.purposes), "vendor": self.vendor}


class Bits:
    """A sequence of bits, the highest bit of each byte first."""

    def __init__(self, data: bytes) -> None:
        # Kept as text, because Python slices text in C. A string of 8000 characters has up to 2,800 vendor entries.
        self._bits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}"

    def text(self, start: int, length: int) -> str:
        """Return `length` bits as text, such as "0110". Texts of one length compare as numbers do.

        Raises IndexError behind the end.
        """
        bits = self._bits[start : start + length]
        if len(bits) < length:
            raise IndexError
        return bits

    def number(self, start: int, length: int) -> int:
        """Return an unsigned number of `length` bits. Raises IndexError behind the end."""
        return int(self.text(start, length), 2)


def core_bits(text: str) -> Bits | None:
    """Decode the core segment of a TC string; None if it is not one of version 2."""
    core = text.partition(".")[0]
    if len(core) > MOST_CHARACTERS or _BASE64URL.fullmatch(core) is None:
        return None
    try:
        bits = Bits(base64.urlsafe_b64decode(core + "=" * (-len(core) % 4)))
        bits.number(_IS_RANGE, 1)  # raises if the segment is shorter than that
        return bits if bits.number(0, 6) == 2 else None
    except (binascii.Error, ValueError, IndexError):
        return None


def has_consent(bits: Bits, vendor: int) -> bool:
    """Return whether a vendor has consent. Raises IndexError for a string that was cut."""
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
