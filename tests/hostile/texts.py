"""Texts that a visitor can send to keep a worker busy; each is a beginning, what is repeated, and an end."""

from __future__ import annotations

import base64
from functools import lru_cache

LENGTH = 12_800

PARTS: dict[str, tuple[str, str, str]] = {
    "digits": ("", "1", "x"),
    "a national number that never ends": ("01 ", "1", "x"),
    "national numbers that never end": ("", "01 22 33 44 55 66x", ""),
    "digits and blanks": ("", "1 ", ""),
    "digits and points": ("0", "1.", "x"),
    "numbers with a plus": ("", "+1234567 ", ""),
    "numbers with every separator": ("", "+61/2/1 (3) 4 - 5 . 6 ", ""),
    "numbers of single digits": ("", "+1.1.1.1.1.1.1 ", ""),
    "numbers with two zeros": ("", "0049 30 90182 ", ""),
    "pluses": ("", "+", ""),
    "dates": ("", "+12/12/", ""),
    "a name before an at sign": ("", "a", "@"),
    "names and at signs": ("", "a@", ""),
    "at signs and points": ("", "@a.", ""),
    "addresses that end early": ("", "a" * 64 + "@" + "a." * 95, ""),
    "e-mail addresses": ("", "jane@example.com ", ""),
    "percent signs": ("", "%", ""),
    "encoded percent signs": ("", "%25", ""),
    "encoded at signs": ("", "%2540/", ""),
    "encoded numbers": ("", "%252B1234567/", ""),
    "half escapes": ("", "%2", ""),
    "bytes that are no UTF-8": ("", "%FF", ""),
    "quotes": ("", "\"'", ""),
    "brackets": ("", "([{<", ""),
    "open brackets": ("+1", "(", "1"),
    "slashes": ("", "/", ""),
    "separators": ("", "&", ""),
    "parameters": ("", "&utm_a=%2B1.1.1.1.1.1.1", ""),
    "click ids": ("", "&ttclid=a@", ""),
    "hops": ("", "10.0.0.1, ", ""),
    "IPv6": ("", "1:", ""),
    "blanks": ("a", " ", "b"),
    "lines": ("a", "\r\n", "b"),
    "control characters": ("", "\x00", ""),
    "combining marks": ("a", "\u0315\u0300", ""),
    "lone surrogates": ("", "\ud800", ""),
    "surrogates in pairs": ("", "\ud83d\ude00", ""),
    "letters that grow": ("", "\ufdfa", ""),
    "random text": ("", "aB1-", ""),
    "runs of random text": ("", "aBC1" * 9 + "-", ""),
    "long words": ("", "abcDEF" * 6 + "-", ""),
    "long words and blanks": ("", "abcDEF" * 6 + " ", ""),
    "web tokens": ("", "eyJ", ""),
    "signatures": ("", "a:bC", ""),
    "UUIDs": ("aB1", "1b4e28ba-2fa1-41d2-883f-0016d3cca427", ""),
    "capitals": ("", "A", ""),
    "languages": (" ", "en-", ""),
    "half crawlers": ("", "googleothe", ""),
    "groups of a consent tool": ("groups=", ",", "C0004"),
    "many groups": ("", "&groups=,", ""),
    "states of Consent Mode": ("", "ad_storage=", ""),
    "decimal commas": ("", "1,", ""),
    "thousands": ("1", ",111", "x"),
    "underscores": ("", "_", ""),
}


def of_length(name: str, length: int) -> str:
    """One of the texts, exactly so long."""
    begin, repeated, end = PARTS[name]
    room = length - len(begin) - len(end)
    return begin + (repeated * (room // len(repeated) + 1))[:room] + end


@lru_cache
def consent_string(length: int) -> str:
    """A TC string that has as many entries of vendors as fit, and not the one that is looked for."""
    bits = f"{2:06b}{'0' * 146}{'1' * 24}{'0' * 37}{'1' * 16}1{'1' * 12}"
    bits += "00000000000000001" * (length * 6 // 17)
    bits = bits[: length // 4 * 24]
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return base64.urlsafe_b64encode(data).decode()
