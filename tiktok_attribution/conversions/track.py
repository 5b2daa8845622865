"""`track`: an event by hand, from a view or from code without a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from tiktok_attribution import conf
from tiktok_attribution.conf import ConfigurationError
from tiktok_attribution.conversions.building import build_event, pixel_codes
from tiktok_attribution.conversions.declaration import BOTH, BROWSER, HALVES, SERVER
from tiktok_attribution.conversions.recorder import Fact, Recorded, is_paused, record
from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.events import Event, Page
from tiktok_attribution.events.addresses import clean_address
from tiktok_attribution.events.ids import random_event_id, valid_event_id
from tiktok_attribution.visitor.identity import hashed
from tiktok_attribution.visitor.visitor import Visitor, visitor_of


@sensitive_variables("user")
def track(
    request: HttpRequest | None,
    event: str,
    *,
    event_id: str | None = None,
    event_time: Any = None,
    user: Mapping[str, Any] | None = None,
    pixels: Sequence[str] = (),
    halves: str = BOTH,
    page_url: str = "",
    using: str | None = None,
    properties: Mapping[str, Any] | None = None,
    **standard_properties: Any,
) -> Recorded | None:
    """Record an event: `track(request, "AddToCart", value=cart.total, currency="EUR", contents=[…])`.

    The server half is written in the current transaction, the browser half is shown on this page or the visitor's next.
    Without a request (None) there is only a server half; say who and where with `user` and `page_url`. `event_id`
    makes it count once however often this is called. Returns None when nothing new was recorded. Bad values are
    recorded as invalid, with their reason; nothing is raised unless the setting STRICT is on.
    """
    if halves not in HALVES:
        raise ConfigurationError(f"halves is {halves!r}, not one of {HALVES}.")
    if is_paused():
        return None
    visitor = visitor_of(request) if request is not None else None
    fact_id = event_id or random_event_id()

    def build() -> tuple[Event, list[str]]:
        keys, notes = hashed(user or {})
        built, more = build_event(
            event,
            event_id=valid_event_id(fact_id),
            event_time=event_time,
            user=keys.merged(visitor.user.merged(visitor.signed_in)) if visitor else keys,
            page=_page(visitor, page_url),
            properties={**(properties or {}), **standard_properties},
        )
        return built, notes + more

    fact = Fact(
        name=str(event),
        event_id=str(fact_id),
        build=build,
        using=using or write_database(),
        pixel_codes=pixel_codes(request, pixels),
        halves=SERVER if request is None and halves != BROWSER else halves,
    )
    return record(fact, visitor)


def _page(visitor: Visitor | None, page_url: str) -> Page:
    if page_url:
        return Page(url=clean_address(page_url, conf.current().allowed_parameters))
    return visitor.page if visitor else Page()
