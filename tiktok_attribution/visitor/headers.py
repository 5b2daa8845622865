"""What a browser says of itself, in the form that is kept and sent."""

from __future__ import annotations

import re

from tiktok_attribution.events.text import bounded, without_emails

MOST_CHARACTERS = 1000
_LANGUAGE = re.compile(r"\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3})(?![A-Za-z0-9])")


def user_agent(text: str) -> str:
    """The User-Agent header on one line, bounded; robots write their keeper's address into it, which goes."""
    return bounded(text, MOST_CHARACTERS, without_emails)[0]


def locale(text: str) -> str:
    """The first language of an Accept-Language header ("en-US"), "" where it names none."""
    found = _LANGUAGE.match(text)
    return found.group(1) if found else ""
