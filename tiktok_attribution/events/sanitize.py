"""Clean text before it is sent or stored: well-formed, bounded, without e-mail addresses and phone numbers.

`free_text` cleans what a person may have typed. `PhoneSearch` finds phone numbers. `without_echoes` cleans TikTok's own
messages of what they repeat of a person. Every pattern takes time in proportion to the text, because no repetition in
it can match the same characters in two ways.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress

import phonenumbers

from tiktok_attribution.exceptions import InvalidEvent

Cutter = Callable[[str], tuple[str, int]]
"""Returns the text without what it looks for, and how often it was found."""

MAX_TEXT = 1000
"""Characters kept of a property's text. Our limit: TikTok documents none, but a batch should stay under 1 MB."""

MARGIN = 320
"""Characters behind a limit that are searched as well: the longest e-mail address (RFC 3696, erratum 1690)."""
_LONGEST_EMAIL = 280  # the longest that the pattern below finds
_LONGEST_NUMBER = 100  # with its separators

_EMAIL = re.compile(r"[^\s@<>()\[\],;:\"\\/?&=]{1,64}@[^\s@<>()\[\],;:\"\\/?&=]{1,190}\.[^\W\d_]{2,24}")
_LONE_SURROGATE = re.compile("[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


def plain(value: object) -> str | None:
    """Return the text of a scalar that identifies or names something (text, whole number, UUID, lazy text), or None.

    Never raises, because an exception of `__str__` may hold the value.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if value is None or isinstance(value, (bool, float, bytes, bytearray, Mapping, list, tuple, AbstractSet)):
        return None
    with suppress(Exception):  # a foreign __str__ may raise anything
        return str(value)
    return None


def well_formed(text: str) -> str:
    """Replace lone surrogates by U+FFFD. As JSON they would be refused, and the whole batch with them."""
    with suppress(UnicodeEncodeError):
        text.encode()
        return text
    # A pattern is used, because the decoder's "replace" makes a call for each of them.
    return _LONE_SURROGATE.sub("\ufffd", text).encode("utf-16", "surrogatepass").decode("utf-16")


def tidy(text: str) -> str:
    """Make one line of well-formed text, without control characters and without space around it."""
    return _CONTROL.sub(" ", well_formed(text)).strip()


def holds_email(text: str) -> bool:
    """Return whether a text holds what looks like an e-mail address."""
    # The pattern is slow without an "@": it tries again from every character.
    return "@" in text and _EMAIL.search(text) is not None


def without_emails(text: str) -> tuple[str, int]:
    """Replace each e-mail address by "-". Return the text, and how many there were."""
    return _EMAIL.subn("-", text) if "@" in text else (text, 0)


# From some length on, every text costs the same, whatever a visitor sends. So the text is cut twice. The first cut is
# before the search, a little behind the limit, because part of an address would not be recognised at the limit. The
# second cut is at the limit. What was removed made the text shorter, so the end of the first cut may move before the
# limit. The word that it broke is removed.
def bounded(text: str, limit: int, *cutters: Cutter) -> tuple[str, list[int], bool]:
    """Make one tidy line of at most `limit` characters, after each cutter has removed what must not be sent.

    Also returns how often each cutter did, and whether the text was too long.
    """
    given = text.strip()
    is_broken = len(given) > limit + MARGIN
    line, found = tidy(given[: limit + MARGIN]), []
    for cutter in cutters:
        line, times = cutter(line)
        found.append(times)
    if is_broken:
        line = _without_broken_end(line)
    if len(line) > limit:
        return line[:limit].rstrip(), found, True
    return line, found, is_broken


def _without_broken_end(line: str) -> str:
    """Remove the last word, which was cut, and the groups of digits before it that may be the same number."""
    word = line[-_LONGEST_EMAIL:].rpartition(" ")[2]
    line = line.removesuffix(word)
    return line[:-_LONGEST_NUMBER] + line[-_LONGEST_NUMBER:].rstrip(" 0123456789()./+-")


def free_text(value: object, where: str, notes: list[str], phones: Cutter | None = None) -> str:
    """Clean text that a person may have typed: no e-mail addresses and phone numbers, at most MAX_TEXT characters.

    `phones` cuts out the numbers, by default `without_phones`. Changes are added to `notes`. Raises InvalidEvent for
    what is no scalar.
    """
    given = plain(value)
    if given is None:
        raise InvalidEvent(f"{where} must be text, not {type(value).__name__}")
    if len(given) <= MAX_TEXT:
        line = tidy(given)
        if "@" not in line and has_few_digits(line):
            return line  # as nearly all texts are
    text, (emails, numbers), is_cut = bounded(given, MAX_TEXT, without_emails, phones or without_phones)
    if emails:
        notes.append(f"{where}: an e-mail address was left out")
    if numbers:
        notes.append(f"{where}: a phone number was left out")
    if is_cut:
        notes.append(f"{where} was cut to {MAX_TEXT} characters")
    return text


_MANY_DIGITS = re.compile(r"(?:\d[ ()./\-]{0,3}){7}")
_ABROAD = re.compile(r"(?:\+|\b00(?=[1-9]))[ (]{0,2}\d(?:[ ()./\-]{0,3}\d){6,}")
_GROUPS = (
    r"\(?0\d{1,5}\)?[ /-]{1,3}(?:\d{2,}(?:[ -]\d{2,}){1,4}|\d{4,})"  # (0171) 123 45 67, 01 23 45 67 89, 030 901820
    r"|\(\d{3}\) ?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4}"  # (555) 010-0199, 555-010-0199
)
_GROUPED = re.compile(rf"(?<![\w.,+/-])(?:{_GROUPS})(?![\w-])")
_NATIONAL = re.compile(rf"(?<![\w.,+/-])(?:{_GROUPS}|0[1-9]\d{{8,9}})(?![\w-])")  # and 01711234567

# libphonenumber takes 50 to 300 µs for one candidate, and 20 µs for each character of a text that is made of
# candidates. So it gets one candidate at a time, and few of them. A text with more is not an ordinary one: there every
# candidate counts as a number. To ask about all of them would take 0.2 s for 8 kB.
MOST_JUDGED = 5
MOST_TRIES = 4
_LONGEST = 80  # of a number, with all its separators


# Numbers with a country code are judged by libphonenumber. National ones can't be told from other digits with
# certainty. So only forms that are written for people count: groups with separators, or ten to eleven digits that begin
# with zero. The EAN of a product (8, 12 or 13 digits), a date, a price and a size stay.
class PhoneSearch:
    """Find phone numbers in the texts of one value or one address. They share the number of candidates to judge."""

    _left = MOST_JUDGED

    def cut(self, text: str) -> tuple[str, int]:
        """Replace each phone number by "-". Return the text, and how many there were."""
        if has_few_digits(text):
            return text, 0
        text, found = self._cut_abroad(text)
        text, more = _NATIONAL.subn("-", text)
        return text, found + more

    def cut_written(self, text: str) -> tuple[str, int]:
        """Replace phone numbers as `cut` does, but keep digits in one piece, unless a plus sign precedes them."""
        if has_few_digits(text):
            return text, 0
        text, found = self._cut_abroad(text, is_bare_kept=True)
        text, more = _GROUPED.subn("-", text)
        return text, found + more

    def _cut_abroad(self, text: str, *, is_bare_kept: bool = False) -> tuple[str, int]:
        pieces, done, at = [], 0, 0
        while candidate := _ABROAD.search(text, at):
            begin, at = candidate.start(), candidate.start() + 1
            if is_bare_kept and candidate[0].isdigit():
                at = candidate.end()
            elif end := self._end(candidate):
                pieces.append(text[done:begin])
                done = at = end
        return "-".join([*pieces, text[done:]]), len(pieces)

    def _end(self, candidate: re.Match[str]) -> int:
        """Return where the number ends that begins here, 0 if there is none."""
        if self._left == 0:
            return candidate.end()
        self._left -= 1
        written = candidate[0][:_LONGEST]
        number = "+" + written.removeprefix("+").removeprefix("00")
        for match in phonenumbers.PhoneNumberMatcher(number, None, max_tries=MOST_TRIES):
            return candidate.start() + len(written) - len(number) + int(match.end)
        return 0


def has_few_digits(text: str) -> bool:
    """Return whether a text can't hold a phone number, nor any part of one."""
    return _MANY_DIGITS.search(text) is None


def without_phones(text: str) -> tuple[str, int]:
    """Replace each phone number by "-". Return the text, and how many there were."""
    return (text, 0) if has_few_digits(text) else PhoneSearch().cut(text)


def without_written_phones(text: str) -> tuple[str, int]:
    """Replace phone numbers as `without_phones` does, but keep digits in one piece without a plus sign before them."""
    return (text, 0) if has_few_digits(text) else PhoneSearch().cut_written(text)


MAX_WORDS = 500
"""Characters of an answer's text that are searched and kept: the width of the columns."""

MOST_PASSES = 4
"""Most times that a text is searched. What remains beside a mark may look like something else, so it is repeated."""

_URL = re.compile(r"(https?://)(?:[^\s/?#@\"'<>]*@)?([^\s/?#@\"'<>]*)[^\s\"'<>]*", re.IGNORECASE)
# Any word with an at sign, including an encoded one.
_ECHOED_EMAIL = re.compile(r"[^\s\"'=&?;,(){}\[\]<>@]*(?:@|%(?:25)*40)[^\s\"'=&?;,(){}\[\]<>]*", re.IGNORECASE)
_CLICK_ID = re.compile(r"\b(_?tt(?:clid|p))([\"']?\s{0,3}[:=]\s{0,3}[\"']?)([^\s\"'&;,(){}\[\]<>]+)", re.IGNORECASE)
_CLICK_PREFIX = re.compile(r"\bE\.C\.P\.[\w.-]*")
_HASH = re.compile(r"[0-9a-fA-F]{40,}")
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\w|\.\d)")
_MAYBE_IPV6 = re.compile(r"[0-9a-fA-F:.]+")
_LONG = re.compile(r"[A-Za-z0-9_-]{20,}")
_EVENT_ID = re.compile(r"(?:\w+-)*(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE)
_OF_NUMBERS = "0123456789()+./-"


# TikTok's refusals were seen to repeat hash, IP address, click id, page and e-mail address of the event. The code that
# judges an answer, and the search for the bad event, read them whole. They are stored without all that: an answer
# belongs to a batch, so the erasure of one person could not find their data in it. Names of fields, codes and event ids
# stay, because they are needed to find the error. It is better to cut one look-alike too many than one too few.
def without_echoes(text: str) -> str:
    """Clean an answer of TikTok: fewer than MAX_WORDS characters, a mark for each address, number, digest and click
    id."""
    text = _bounded(text)
    if text.isalpha():  # "OK"
        return text
    for _ in range(MOST_PASSES):
        before, text = text, _cut(text)
        if text == before:
            break
    return text[: MAX_WORDS - 1]  # shorter than a text that counts as cut: a second call changes nothing


def _cut(text: str) -> str:
    text = _URL.sub(r"\1\2/-", text)
    text = _CLICK_ID.sub(r"\1\2[click id]", text)
    text = _CLICK_PREFIX.sub("[click id]", text)
    text = _ECHOED_EMAIL.sub("[e-mail]", text)
    text = without_ids(text)
    text = _LONG.sub(_without_token, text)
    return without_phones(text)[0]


def without_ids(text: str) -> str:
    """Cut out SHA-256 digests and IP addresses only. For an id, which may look like anything else."""
    text = _HASH.sub("[hash]", text)
    if text.count(":") > 1:
        text = _MAYBE_IPV6.sub(_without_ipv6, text)  # first, because an IPv6 address may end in the form of an IPv4 one
    return _IPV4.sub("[IP address]", text)


def _bounded(text: str) -> str:
    """Cut the text at the limit, without its last word and the numbers before it. A part of an address says too much.

    A text of exactly this length counts as cut already.
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
    """Cut a long word that mixes letters and digits as random ones do. Ids of events, fields and pixels (20) stay."""
    run = found[0]
    if _EVENT_ID.fullmatch(run):
        return run
    longest = max(re.split("[_-]", run), key=len)
    is_mixed = any(c.isdigit() for c in longest) and any(c.isalpha() for c in longest)
    is_random = not (longest.islower() or longest.isupper()) and len(longest) >= 12
    return "[click id]" if is_mixed and (is_random or len(longest) >= 24) else run
