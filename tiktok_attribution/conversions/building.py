"""Builds the pure event from what a declaration or a caller gave, by the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from tiktok_attribution import conf
from tiktok_attribution.conversions.protection import protected
from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.events import Event, Page, User
from tiktok_attribution.events.moments import epoch_seconds, note_ahead
from tiktok_attribution.events.names import canonical_name
from tiktok_attribution.events.payload import properties as clean_properties
from tiktok_attribution.visitor.reason import report


def build_event(
    name: str,
    *,
    event_id: str,
    event_time: Any,
    user: User,
    page: Page,
    properties: Mapping[str, Any],
    limited_data_use: bool = False,
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
    now, zone = time(), timezone.get_default_timezone()
    moment = epoch_seconds(event_time, now=now, default_timezone=zone, max_age_seconds=settings.max_age_seconds)
    ahead = note_ahead(event_time, now=now, default_timezone=zone)
    if ahead:
        notes.append(ahead)
    if not page.url and settings.site_url:
        page = Page(url=settings.site_url + "/")
    event = Event(
        name=name,
        event_id=event_id,
        event_time=moment,
        user=user,
        page=page,
        properties=cleaned,
        limited_data_use=limited_data_use or settings.limited_data_use,
    )
    return event, notes


def pixel_codes(request: HttpRequest | None, wanted: Sequence[str] | str = ()) -> Sequence[str]:
    """The pixels of an event or a page: those wanted, else those of the request's shop, else those configured."""
    if wanted:
        return _listed(wanted)
    found = pixels_of_request(request)
    return conf.current().pixel_code if found is None else found


def pixels_of_request(request: HttpRequest | None) -> list[str] | None:
    """What PIXEL_FOR_REQUEST says, which may be none at all; None where nobody can be asked, or it raised."""
    settings = conf.current()
    if request is None or settings.pixel_for_request is None:
        return None
    try:
        with protected(write_database()):
            return _listed(settings.pixel_for_request(request) or ())
    except Exception as error:
        report(error, "PIXEL_FOR_REQUEST failed, so PIXEL_CODE is used")
        return None


def _listed(codes: Sequence[str] | str) -> list[str]:
    return [codes] if isinstance(codes, str) else [str(code) for code in codes]
