"""Parts of a path that open something to anybody who knows them: a magic link, an order's secret address, a signature.

What is sent to TikTok and kept in rows is read by people who must not get in by it. Slugs, numbers and UUIDs stay, or
reports could not tell one product's page from another's. A site names more of its paths in MASKED_PATHS.
"""

from __future__ import annotations

import base64
import re

SHORTEST = 28
"""Characters from which a segment is looked at: a colon and the shortest signature (SHA-1, 27 characters)."""
_SHORTEST_RANDOM = 32

# The value and its signature, as django.core.signing writes both: sessions, links in e-mails, invitations.
_SIGNED = re.compile(r":(?=[A-Z0-9_-]*[a-z])(?=[a-z0-9_-]*[A-Z])[A-Za-z0-9_-]{27,}\Z")
_JSON_WEB_TOKEN = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+")
_RESET_TOKEN = re.compile(r"[0-9a-z]{1,13}-[0-9a-f]{32}")
RESET_FORM = "set-password"  # where Django leads from the token's address, which it keeps in the session then
_KEY = re.compile(r"[0-9A-Za-z-]{1,64}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# Words have few digits amid letters and few capitals behind small letters ("256GB", "iPhone"): below 20 of 100 pairs of
# neighbours in the titles of shops that were tried, 45 in random text. Measured with 20,000 tokens each: 0.15 % of
# secrets.token_urlsafe(24) and 0.02 % of (32) are taken for words, none of token_hex(16).
_ONE_RUN = re.compile(r"[A-Za-z0-9]{32,}")
_PAIR = re.compile(r"(?=[A-Za-z0-9]{2})")
_ODD_PAIR = re.compile(r"(?=[a-z][A-Z0-9]|[0-9][A-Za-z]|[A-Z][0-9])")
_CAPITAL_INSIDE = re.compile(r"[a-z][A-Z]")
_CAPITALS = re.compile(r"[A-Z]{2}")
_DIGIT = re.compile(r"[0-9]")
_RANDOM_SHARE = 0.2


def is_bearer(segment: str) -> bool:
    """Whether a segment of a path, or a parameter's value, looks like a secret; it is given as it reads decoded."""
    if len(segment) < SHORTEST:
        return False
    if (":" in segment and _SIGNED.search(segment)) or ("eyJ" in segment and _JSON_WEB_TOKEN.search(segment)):
        return True
    return _is_random(segment)


def is_reset_of(user: str, segment: str) -> bool:
    """Whether a segment belongs to Django's password reset, and the one before it names the user by a coded key."""
    if segment != RESET_FORM and not _RESET_TOKEN.fullmatch(segment):
        return False
    try:
        return _KEY.fullmatch(base64.urlsafe_b64decode(f"{user}==").decode("ascii")) is not None
    except ValueError:
        return False


def _is_random(text: str) -> bool:
    if _ONE_RUN.search(text) and any(map(_is_random_run, _ONE_RUN.findall(text))):
        return True
    if not _CAPITAL_INSIDE.search(text) or not _DIGIT.search(text):
        return False
    text = _UUID.sub("", text)
    return len(text) >= _SHORTEST_RANDOM and len(_ODD_PAIR.findall(text)) >= _RANDOM_SHARE * len(_PAIR.findall(text))


def _is_random_run(run: str) -> bool:
    """A long run of letters and digits; one of letters alone is a compound word, or CamelCase."""
    return bool(_DIGIT.search(run) or (_CAPITALS.search(run) and _CAPITAL_INSIDE.search(run)))
