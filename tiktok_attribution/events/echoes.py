"""TikTok's own words without what they repeat of the person whom a refused event was about."""

from __future__ import annotations

import ipaddress
import re

from tiktok_attribution.events.phones import without_phones

MAX_WORDS = 500
"""Characters of an answer's words that are looked through and kept: what the columns hold."""

MOST_PASSES = 4
"""What is left beside a mark may look like something else, so a text is looked through until nothing changes."""

_URL = re.compile(r"(https?://)(?:[^\s/?#@\"'<>]*@)?([^\s/?#@\"'<>]*)[^\s\"'<>]*", re.IGNORECASE)
# Any word with an at sign, also an encoded one.
_EMAIL = re.compile(r"[^\s\"'=&?;,(){}\[\]<>@]*(?:@|%(?:25)*40)[^\s\"'=&?;,(){}\[\]<>]*", re.IGNORECASE)
_CLICK_ID = re.compile(r"\b(_?tt(?:clid|p))([\"']?\s{0,3}[:=]\s{0,3}[\"']?)([^\s\"'&;,(){}\[\]<>]+)", re.IGNORECASE)
_CLICK_PREFIX = re.compile(r"\bE\.C\.P\.[\w.-]*")
_HASH = re.compile(r"[0-9a-fA-F]{40,}")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)")
_MAYBE_IPV6 = re.compile(r"[0-9a-fA-F:.]+")
_LONG = re.compile(r"[A-Za-z0-9_-]{20,}")
_EVENT_ID = re.compile(r"(?:\w+-)*(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)
_OF_NUMBERS = "0123456789()+./-"


# TikTok's refusals were seen to repeat hash, IP address, click id, page and e-mail address of the event. They are read
# whole by the judge and by the search for the bad event, and kept without all that: an answer belongs to a batch, so
# the erasure of one person could not tell whose words they are. Names of fields, codes and event ids stay, for without
# them nobody can find the mistake. A look-alike too much is cut sooner than one too few.
def without_echoes(text: str) -> str:
    """Less than MAX_WORDS characters, with a mark in place of each address, number, digest and click id."""
    text = _bounded(text)
    if text.isalpha():  # "OK"
        return text
    for _ in range(MOST_PASSES):
        before, text = text, _cut(text)
        if text == before:
            break
    return text[: MAX_WORDS - 1]  # shorter than what counts as cut: a second time changes nothing


def _cut(text: str) -> str:
    text = _URL.sub(r"\1\2/-", text)
    text = _CLICK_ID.sub(r"\1\2[click id]", text)
    text = _CLICK_PREFIX.sub("[click id]", text)
    text = _EMAIL.sub("[e-mail]", text)
    text = without_ids(text)
    text = _LONG.sub(_without_token, text)
    return without_phones(text)[0]


def without_ids(text: str) -> str:
    """Without SHA-256 digests and IP addresses alone: for an id, which may look like anything else."""
    text = _HASH.sub("[hash]", text)
    if text.count(":") > 1:
        text = _MAYBE_IPV6.sub(_without_ipv6, text)  # first, for one may end in the other's form
    return _IPV4.sub("[IP address]", text)


def _bounded(text: str) -> str:
    """Where the limit cuts, the last word goes, and the numbers before it: half an address or number tells enough.

    What comes with this very length is taken for cut already.
    """
    if len(text) < MAX_WORDS:
        return text
    words = text[:MAX_WORDS].split(" ")[:-1]
    while words and not words[-1].strip(_OF_NUMBERS):
        words.pop()
    return " ".join(words)


def _without_ipv6(found: re.Match[str]) -> str:
    run = found[0]
    if run.count(":") < 2:
        return run
    core = run.rstrip(".")
    for candidate in (core, core[1:], core.lstrip(":"), core.strip(":")):  # "ip:2001:db8::1" begins with a colon
        try:
            ipaddress.ip_address(candidate)
        except ValueError:
            continue
        return "[IP address]"
    return run


def _without_token(found: re.Match[str]) -> str:
    """A long word that mixes letters and digits as random ones do; ids of events, fields and pixels (20) stay."""
    run = found[0]
    if _EVENT_ID.fullmatch(run):
        return run
    longest = max(re.split("[_-]", run), key=len)
    is_mixed = any(c.isdigit() for c in longest) and any(c.isalpha() for c in longest)
    is_random = not (longest.islower() or longest.isupper()) and len(longest) >= 12
    return "[click id]" if is_mixed and (is_random or len(longest) >= 24) else run
