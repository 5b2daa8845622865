"""Builds the pure event from what a declaration or a caller gave, by the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from tiktok_attribution import conf
from tiktok_attribution.events import Event, Page, User
from tiktok_attribution.events.moments import epoch_seconds
from tiktok_attribution.events.names import canonical_name
from tiktok_attribution.events.payload import properties as clean_properties


def build_event(
    name: str, *, event_id: str, event_time: Any, user: User, page: Page, properties: Mapping[str, Any]
) -> tuple[Event, list[str]]:
    """The event and notes on what was left out of it. Raises InvalidEvent."""
    settings = conf.current()
    name = canonical_name(name)
    cleaned, notes = clean_properties(
        properties,
        event=name,
        default_currency=settings.currency,
        value_in_minor_units=settings.values_in_minor_units,
    )
    moment = epoch_seconds(
        event_time,
        now=time(),
        default_timezone=timezone.get_default_timezone(),
        max_age_seconds=settings.max_age_seconds,
    )
    if not page.url and settings.site_url:
        page = Page(url=settings.site_url + "/")
    event = Event(
        name=name,
        event_id=event_id,
        event_time=moment,
        user=user,
        page=page,
        properties=cleaned,
        limited_data_use=settings.limited_data_use,
    )
    return event, notes


def pixel_codes(request: HttpRequest | None, wanted: Sequence[str] = ()) -> Sequence[str]:
    """The pixels of an event or a page: those wanted, else those of the request's shop, else those configured."""
    settings = conf.current()
    if wanted:
        return wanted
    if request is not None and settings.pixel_for_request is not None:
        found = settings.pixel_for_request(request)
        return [found] if isinstance(found, str) else list(found or ())
    return settings.pixel_code
