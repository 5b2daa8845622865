"""The key by which rows name an object of the site."""

from __future__ import annotations

import hashlib
import re

from tiktok_attribution.events.text import holds_email

MOST_CHARACTERS = 64  # of the columns `object_pk`
_PHONE = re.compile(r"\+[0-9 ()./-]{6,}")


def object_key(pk: object) -> str:
    """The primary key as text; a digest of one that is too long or is itself an e-mail address or phone number."""
    key = str(pk)
    if len(key) <= MOST_CHARACTERS and not holds_email(key) and not _PHONE.fullmatch(key):
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
