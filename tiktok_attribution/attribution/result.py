"""Tell what brought an object of the site, as a typed and frozen result: `attribution_of`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

from django.db.models import Model

from tiktok_attribution import conf
from tiktok_attribution.attribution.credit import MODELS
from tiktok_attribution.attribution.credited import Credit, CreditsOf, net_value
from tiktok_attribution.attribution.links import attribution_database
from tiktok_attribution.attribution.site_objects import labels_of
from tiktok_attribution.models import ConversionTouch, RecordedConversion, moment
from tiktok_attribution.models.visitor import object_key


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributedTouch:
    """A landing before the conversion. `traffic` is "paid", "organic" or "other"; texts are "" where unknown."""

    at: datetime
    seconds_before: int
    traffic: str
    campaign_id: str
    campaign_name: str
    adgroup_id: str
    adgroup_name: str
    ad_id: str
    ad_name: str
    placement: str
    landing_path: str
    utm_source: str
    utm_medium: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchCredit:
    """What a touch gets: an exact share of the conversion, and its part of the value after refunds."""

    touch: AttributedTouch
    share: Fraction
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributedConversion:
    """A recorded conversion and what led to it.

    `value` is the value at the time of the conversion, `net_value` what refunds and a reversal leave. `touches` are
    ordered by time. `credits` holds by window (days) and model the credits in the order of their touches; they are
    empty where no touch is in the window. `unjoined` says why touches of other devices are missing.
    """

    event: str
    event_id: str
    pixel_code: str
    at: datetime
    value: Decimal | None
    net_value: Decimal
    refunded: Decimal
    refunded_at: datetime | None
    currency: str
    is_reversed: bool
    is_new: bool | None
    code: str
    unjoined: str
    touches: tuple[AttributedTouch, ...]
    credits: Mapping[int, Mapping[str, tuple[TouchCredit, ...]]]


def attribution_of(obj: Model, *, event: str = "") -> AttributedConversion | None:
    """Return what brought an object that counted, None if nothing is recorded (yet) or attribution is off.

    The worker records conversions, so a new one is there after a minute or so. An object that counted for several
    events gives its newest, or that of `event`. Raises whatever the database raises.
    """
    if obj.pk is None or not conf.current().attribution.enabled:
        return None
    rows = RecordedConversion.objects.using(attribution_database())
    rows = rows.filter(object_pk=object_key(obj.pk), object_label__in=labels_of(type(obj)))
    row = (rows.filter(name=event) if event else rows).order_by("-at", "-pk").first()
    return None if row is None else attributed(row)


def attributed(row: RecordedConversion) -> AttributedConversion:
    """Return a recorded conversion with its touches and all credits. One statement."""
    touches = list(row.touches.order_by("at", "key"))
    told = {touch.key: _touch(touch, row) for touch in touches}
    credited = CreditsOf(row, touches)
    return AttributedConversion(
        event=row.name,
        event_id=row.event_id,
        pixel_code=row.shop,
        at=moment(row.at),
        value=row.value,
        net_value=net_value(row),
        refunded=row.refunded,
        refunded_at=None if row.refunded_at is None else moment(row.refunded_at),
        currency=row.currency,
        is_reversed=row.is_reversed,
        is_new=row.is_new,
        code=row.code,
        unjoined=row.unjoined,
        touches=tuple(told[touch.key] for touch in touches),
        credits=MappingProxyType(
            {
                window: MappingProxyType({model: _told(credited.by(model, window), told) for model in MODELS})
                for window in conf.current().attribution.windows
            }
        ),
    )


def _told(found: list[Credit], touches: Mapping[int, AttributedTouch]) -> tuple[TouchCredit, ...]:
    return tuple(
        TouchCredit(touch=touches[one.touch.key], share=one.share, value=one.value)
        for one in found
        if one.touch is not None
    )


def _touch(touch: ConversionTouch, row: RecordedConversion) -> AttributedTouch:
    return AttributedTouch(
        at=moment(touch.at),
        seconds_before=row.at - touch.at,
        traffic=touch.traffic,
        campaign_id=touch.campaign_id,
        campaign_name=touch.campaign_name,
        adgroup_id=touch.adgroup_id,
        adgroup_name=touch.adgroup_name,
        ad_id=touch.ad_id,
        ad_name=touch.ad_name,
        placement=touch.placement,
        landing_path=touch.landing_path,
        utm_source=touch.utm_source,
        utm_medium=touch.utm_medium,
    )
