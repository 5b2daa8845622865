"""Which keys an event can be matched by, small enough to stand in a row after its text has been cleared.

Names and hashes are those of `types.User`. Match quality depends on how many events carry each key (TikTok's help on
Event Match Quality); the weights are not published.
"""

from __future__ import annotations

from tiktok_attribution.events.types import User

MATCH_KEYS = (
    *("ttclid", "ttp", "email", "phone", "external_id", "ip", "user_agent", "locale"),
    *("first_name", "last_name", "zip_code", "city", "state", "country"),
)
"""In the order of their bits; only ever add at the end, for the numbers are stored."""


def match_bits(user: User) -> int:
    """The keys that are there: bit n for `MATCH_KEYS[n]`."""
    return sum(1 << bit for bit, key in enumerate(MATCH_KEYS) if getattr(user, key))


def keys_of_bits(bits: int) -> tuple[str, ...]:
    """The counterpart of `match_bits`."""
    return tuple(key for bit, key in enumerate(MATCH_KEYS) if bits >> bit & 1)


def search_key(sha256: str) -> int | None:
    """The first 8 bytes of a SHA-256 hex as a signed number, to find events by; None for none.

    An index over it is a seventh of one over the hex. Two people share one with a chance of about 10^-8 in a million,
    so what is found is compared with the whole hash wherever that matters.
    """
    return int.from_bytes(bytes.fromhex(sha256[:16]), "big", signed=True) if sha256 else None
