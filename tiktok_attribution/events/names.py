"""Check event names of the web, as TikTok's help pages listed them in August and September 2025. Case counts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType

from tiktok_attribution.exceptions import InvalidEvent

STANDARD_EVENTS: frozenset[str] = frozenset(
    {
        "AddPaymentInfo",
        "AddToCart",
        "AddToWishlist",
        "ApplicationApproval",
        "CompleteRegistration",
        "Contact",
        "CustomizeProduct",
        "Download",
        "FindLocation",
        "InitiateCheckout",
        "Lead",
        "Purchase",
        "Schedule",
        "Search",
        "StartTrial",
        "SubmitApplication",
        "Subscribe",
        "ViewContent",
    }
)

# Decision: both channels use TikTok's current names, because the name is part of its de-duplication key. TikTok has
# converted both older names itself since May 2025. It is not proven that an old name on one channel merges with the new
# one on the other. So the new name is sent on both.
OLDER_NAMES: Mapping[str, str] = MappingProxyType({"CompletePayment": "Purchase", "SubmitForm": "Lead"})

SUNSET_NAMES: frozenset[str] = frozenset({"ClickButton", "PlaceAnOrder"})

PAGE_VIEW = "Pageview"
"""The server's name in TikTok's own tag templates. Seldom needed: `ttq.page()` sends the browser's page view."""

RESERVED_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "AddBilling": "AddPaymentInfo",
        "Browse": "PageView",
        "Checkout": "PlaceAnOrder",
        "ClickForm": "Lead",
        "ClickInDownloadPage": "ClickButton",
        "ClickToDownload": "Download",
        "Consult": "Contact",
        "ConsultByPhone": "Contact",
        "Registration": "CompleteRegistration",
        "StartCheckout": "InitiateCheckout",
        "ViewConsultationPage": "ViewContent",
        "ViewDownloadPage": "ViewContent",
        "ViewForm": "ViewContent",
    }
)
"""Name -> what TikTok turns it into (help page on reserved events, May 2025). These names are refused here."""

_WRITE_INSTEAD = {"Browse": PAGE_VIEW, "Checkout": "InitiateCheckout", "ClickInDownloadPage": "Download"}
_SUNSET_ADVICE = {
    "ClickButton": "a fitting standard event or a custom one",
    "PlaceAnOrder": "Purchase or InitiateCheckout",
}

# Help page on custom events, February 2026.
_CUSTOM = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,49}")
_HARMLESS = re.compile(r"[A-Za-z0-9_ -]{1,60}")
_LETTER = re.compile(r"[A-Za-z]")
_BETWEEN_WORDS = re.compile(r"[\s_-]")


def canonical_name(name: object) -> str:
    """Return the name to send. An older name becomes the current one. Raises InvalidEvent that says what to write."""
    if not isinstance(name, str):
        raise InvalidEvent(f"an event name is text, not {type(name).__name__}")
    name = str.__str__(name)
    if name in STANDARD_EVENTS or name in SUNSET_NAMES or name == PAGE_VIEW:
        return name
    if name in OLDER_NAMES:
        return OLDER_NAMES[name]
    if name in RESERVED_NAMES:
        instead = _WRITE_INSTEAD.get(name, RESERVED_NAMES[name])
        raise InvalidEvent(
            f'event name "{name}" is reserved, TikTok turns it into {RESERVED_NAMES[name]}: write "{instead}"'
        )
    meant = _BY_FOLDED.get(_folded(name))
    if meant is not None:
        views = "; ttq.page() in the browser sends page views by itself" if meant == PAGE_VIEW else ""
        raise InvalidEvent(f'event name {_shown(name)}: case counts, did you mean "{meant}"?{views}')
    if _CUSTOM.fullmatch(name) is None:
        raise InvalidEvent(f"event name {_shown(name)} {_fault(name)}")
    return name


def sunset_note(name: str) -> str:
    """Return a note on a name that TikTok removes in 2027, "" for every other name."""
    if name not in SUNSET_NAMES:
        return ""
    return f"TikTok accepts {name} until 2027 and then removes it: use {_SUNSET_ADVICE[name]}"


def nearly_standard(name: str) -> str:
    """Return the standard event that a custom name probably misspells, "" for any other name.

    A name that contains a whole standard name ("PurchaseRefund", "Unsubscribe") is a word of its own. The exception is
    a name that only adds the ending of a verb or a plural ("Purchased", "Leads").
    """
    if name in STANDARD_EVENTS or name in SUNSET_NAMES or name == PAGE_VIEW:
        return ""
    for ending in ("ed", "d", "s"):
        stem = name.lower().removesuffix(ending)
        if stem != name.lower() and stem in _BY_LOWER:
            return _BY_LOWER[stem]
    near = difflib.get_close_matches(name.lower(), _BY_LOWER, n=1, cutoff=_NEARLY)
    return _BY_LOWER[near[0]] if near and near[0] not in name.lower() else ""


_BY_LOWER = {name.lower(): name for name in sorted(STANDARD_EVENTS)}
_NEARLY = 0.85  # "Purchace" is at 0.875; "AddToWaitlist", which is not a misspelt AddToWishlist, is at 0.846


def _folded(name: str) -> str:
    return _BETWEEN_WORDS.sub("", name).lower()


_BY_FOLDED = {
    _folded(name): OLDER_NAMES.get(name, name)
    for name in (*sorted(STANDARD_EVENTS), *sorted(SUNSET_NAMES), *OLDER_NAMES, PAGE_VIEW)
}


def _shown(name: str) -> str:
    """Return the name in quotes if it is harmless. Anything else could be personal data that was passed by accident."""
    return f'"{name}"' if _HARMLESS.fullmatch(name) else "(not shown)"


def _fault(name: str) -> str:
    if not name.strip():
        return "is empty"
    if len(name) > 50:
        return f"has {len(name)} characters, TikTok takes at most 50"
    if _LETTER.match(name) is None:
        return "must start with a letter from A to Z"
    return "may hold only letters, digits, underscore and dash: no spaces, points or accents"
