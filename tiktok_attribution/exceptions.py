"""Exceptions that this app raises by itself.

`ConfigurationError` is in `conf`, because it is also Django's `ImproperlyConfigured` and this module imports no Django.
"""

from __future__ import annotations


class TikTokAttributionError(Exception):
    """Base class of every exception that this app raises by itself."""


class InvalidEvent(TikTokAttributionError, ValueError):
    """The caller's event is wrong. Raised before anything is sent; the message says what, where and how to fix it."""


class TooOld(InvalidEvent):
    """The event happened longer ago than MAX_AGE_DAYS. For an old object, this is no error of the caller's."""
