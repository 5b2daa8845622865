"""Receipts: what a page was given to fire, signed, so that only the one who got it can say that it was fired."""

from __future__ import annotations

from collections.abc import Iterable

from django.core import signing

from tiktok_attribution.browser.pending import Key
from tiktok_attribution.browser.stored_calls import keys_of
from tiktok_attribution.visitor.visitor import PixelCall

SALT = "tiktok_receipt"
LIFETIME_SECONDS = 86_400  # of a tab that was opened and not looked at


def of(pixel_calls: Iterable[PixelCall]) -> str:
    """The rows of these, "" for none. An event of the template alone has no row."""
    keys = [list(key) for pixel_call in pixel_calls if pixel_call.call.event_id for key in keys_of(pixel_call)]
    return signing.dumps(keys, salt=SALT, compress=True) if keys else ""


def read(text: object) -> list[Key]:
    """The counterpart of `of`; empty for what is old or somebody's own making."""
    try:
        return [Key(*key) for key in signing.loads(str(text), salt=SALT, max_age=LIFETIME_SECONDS)]
    except (signing.BadSignature, ValueError, TypeError):
        return []
