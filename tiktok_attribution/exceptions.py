"""The error tree: every failure has a name, and the name tells its fate.

`ConfigurationError` is in `conf`, for it is Django's `ImproperlyConfigured` too and this floor knows no Django.
"""

from __future__ import annotations

from collections.abc import Sequence


class TikTokAttributionError(Exception):
    """Base of everything this app raises by itself."""


class InvalidEvent(TikTokAttributionError, ValueError):
    """The caller's mistake, found before anything is sent; the message says what, where and how to fix it."""


class TooOld(InvalidEvent):
    """It happened longer ago than MAX_AGE_DAYS. Of an object that is history and no mistake."""


class DeliveryError(TikTokAttributionError):
    """A POST to the Events API that did not deliver. Never carries the body or the token."""

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        code: int | None = None,
        request_id: str = "",
        event_ids: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code
        self.request_id = request_id
        self.event_ids = tuple(event_ids)


class TransientDeliveryError(DeliveryError):
    """Try again later; `retry_after` is TikTok's wish in seconds, where it gave one."""

    def __init__(self, message: str, *, retry_after: float | None = None, **details: object) -> None:
        super().__init__(message, **details)  # type: ignore[arg-type]
        self.retry_after = retry_after


class RateLimited(TransientDeliveryError):
    """Too many requests for this pixel or app."""


class PermanentDeliveryError(DeliveryError):
    """Sending the same thing again can only fail again."""


class AuthenticationFailed(PermanentDeliveryError):
    """Token or permission trouble: the pixel is stopped until somebody fixes it."""


class EventRejected(PermanentDeliveryError):
    """TikTok refused this event; the message is TikTok's own words."""
