"""What this app raises by itself.

`ConfigurationError` is in `conf`, for it is Django's `ImproperlyConfigured` too and this floor knows no Django.
"""

from __future__ import annotations


class TikTokAttributionError(Exception):
    """Base of everything this app raises by itself."""


class InvalidEvent(TikTokAttributionError, ValueError):
    """The caller's mistake, found before anything is sent; the message says what, where and how to fix it."""


class TooOld(InvalidEvent):
    """It happened longer ago than MAX_AGE_DAYS. Of an object that is history and no mistake."""
