"""Build an event from what a declaration or a caller gave, by the settings.

`build_event` cleans the values and returns the event with notes. `pixel_codes` chooses its pixels. `object_of` and
`conversion_of` lead from a stored row back to its object and its declaration.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from time import time
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone

from tiktok_attribution import conf
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.conversion import Conversion
from tiktok_attribution.events import Event, Page, User
from tiktok_attribution.events.ids import valid_pixel_codes
from tiktok_attribution.events.names import canonical_name, nearly_standard
from tiktok_attribution.events.times import epoch_seconds, note_ahead
from tiktok_attribution.events.wire import properties as clean_properties
from tiktok_attribution.models import OutboxEvent, RecordedConversion
from tiktok_attribution.visitor.caller import pixels_of_request

logger = logging.getLogger("tiktok_attribution")


def object_of(row: OutboxEvent, *, using: str) -> Model | None:
    """Return the object that a row was built from, None if it is gone."""
    try:
        model = apps.get_model(row.object_label)
        found: Model | None = model._base_manager.using(using).filter(pk=row.object_pk).first()
    except (LookupError, ValueError, TypeError, ValidationError):
        return None
    return found


def conversion_of(row: OutboxEvent | RecordedConversion, obj: Model) -> Conversion | None:
    """Return the conversion that the row was recorded for: by its event id, else the only one of its name."""
    named = [conversion for conversion in registry.of(type(obj)) if conversion.event == row.name]
    if len(named) > 1:
        named = [conversion for conversion in named if _event_id(conversion, obj) == row.event_id]
    return named[0] if len(named) == 1 else None


def _event_id(conversion: Conversion, obj: Any) -> str:
    try:
        return conversion.event_id(obj)
    except Exception:
        return ""


SEEN_AS_HTTP = "page.url: this site took the page for http, SITE_URL says https (see SECURE_PROXY_SSL_HEADER)"
SLIP_CHECK = "tiktok_attribution.W011"


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
    """Build an event. Return it with notes on what was left out. Raises InvalidEvent."""
    settings = conf.current()
    name = canonical_name(name)
    _warn_of_a_slip(name)
    cleaned, notes = clean_properties(
        properties,
        event=name,
        default_currency=settings.default_currency,
        value_in_minor_units=settings.values_in_minor_units,
    )
    now, zone = time(), timezone.get_default_timezone()
    moment = epoch_seconds(event_time, now=now, default_timezone=zone, max_age_seconds=settings.max_age_seconds)
    ahead = note_ahead(event_time, now=now, default_timezone=zone)
    if ahead:
        notes.append(ahead)
    if not page.url and settings.site_url:
        page = Page(url=settings.site_url + "/")
    elif _is_seen_without_tls(page.url, settings.site_url):
        page = replace(page, url=f"https{page.url.removeprefix('http')}")
        notes.append(SEEN_AS_HTTP)
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


def _is_seen_without_tls(address: str, site_url: str) -> bool:
    """Return whether the site's own page seems to have come over http, although SITE_URL says https."""
    # Decision: then SITE_URL is right. Behind a proxy that ends TLS, Django without SECURE_PROXY_SSL_HEADER takes every
    # request for plain http. The visitor's browser, and the pixel in it, is at https. The host must be that of
    # SITE_URL, because nothing is known of another one. The diagnosis finds the problem by this note.
    if not site_url.startswith("https://") or not address.startswith("http://"):
        return False
    return urlsplit(address).netloc.lower() == urlsplit(site_url).netloc.lower()


@lru_cache(maxsize=256)
def _warn_of_a_slip(name: str) -> None:
    """Warn once in a process if a custom event looks like a misspelt standard one. No check sees a template or view."""
    meant = nearly_standard(name)
    if meant and SLIP_CHECK not in django_settings.SILENCED_SYSTEM_CHECKS:
        logger.warning(
            'tiktok: "%s" is no standard event, so it counts for no campaign; did you mean "%s"? If it is a custom '
            'event of yours: SILENCED_SYSTEM_CHECKS = ["%s"]',
            *(name, meant, SLIP_CHECK),
        )


def pixel_codes(request: HttpRequest | None, wanted: object = ()) -> Sequence[str]:
    """Return the pixels of an event or a page: those wanted, else those of the request's shop, else PIXEL_CODE.

    Raises InvalidEvent if a wanted one can't be a pixel code.
    """
    if codes := valid_pixel_codes(wanted):
        return codes
    found = pixels_of_request(request)
    return conf.current().pixel_code if found is None else found
