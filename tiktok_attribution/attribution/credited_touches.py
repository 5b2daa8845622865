"""Ask the database which touch a conversion is given back to: the rules of `credit`, as conditions of a query.

`eligible_rows` and `credited_row` are for subqueries over `RecordedConversion`. `last_clicks_of` tells for objects of
the site which ad's click came last.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from tiktok_attribution import conf
from tiktok_attribution.attribution.credit import DAY_SECONDS, FIRST_TOUCH, LAST_TIKTOK, LAST_TOUCH
from tiktok_attribution.attribution.links import attribution_database
from tiktok_attribution.attribution.site_objects import labels_of
from tiktok_attribution.models import ConversionTouch, RecordedConversion, Traffic
from tiktok_attribution.models.visitor import object_key

_ORDER = {LAST_TIKTOK: ("-at", "-key"), LAST_TOUCH: ("-at", "-key"), FIRST_TOUCH: ("at", "key")}
MOST_OF_OBJECT = 20
"""Conversions of one object that a page looks at."""


def eligible_rows(window: int, *, using: str) -> QuerySet[ConversionTouch]:
    """Return the touches of the outer query's conversion that a window (days) holds, as `credit.eligible` does."""
    at: Any = OuterRef("at")
    rows = ConversionTouch.objects.using(using).filter(
        conversion=OuterRef("pk"),
        at__gte=at - window * DAY_SECONDS,
        at__lte=at,
    )
    rows = rows.filter(at__lte=Coalesce(OuterRef("placed_at"), OuterRef("at")))
    return rows if conf.current().attribution.other_channels else rows.exclude(traffic=Traffic.OTHER)


def is_for_one(model: str) -> bool:
    """Return whether a model gives a conversion to one touch alone."""
    return model in _ORDER


def credited_row(model: str, window: int, *, using: str) -> QuerySet[ConversionTouch]:
    """Return the one touch that gets the outer query's conversion, by a model for which `is_for_one` holds."""
    rows = eligible_rows(window, using=using)
    if model == LAST_TIKTOK:
        rows = rows.filter(traffic=Traffic.PAID)
    return rows.order_by(*_ORDER[model])[:1]


class LastClick(NamedTuple):
    """The last click on a TikTok ad before an object counted, in the widest window.

    `seconds_before` is None if no click is known. `campaign` is its name, else its id, "" if both are unknown.
    """

    campaign: str
    seconds_before: int | None


def last_clicks_of(objects: Sequence[Model]) -> dict[str, LastClick]:
    """Return the last click of each object that has a recorded conversion, by `object_key`: one statement for all.

    The objects are of one model. The newest conversion of an object decides. Empty if attribution is off.
    """
    settings = conf.current().attribution
    if not objects or not settings.enabled:
        return {}
    using = attribution_database()
    keys = {object_key(obj.pk) for obj in objects if obj.pk is not None}
    labels = labels_of(type(objects[0]))
    rows = RecordedConversion.objects.using(using).filter(object_pk__in=keys, object_label__in=labels)
    click = credited_row(LAST_TIKTOK, max(settings.windows), using=using)
    columns = {
        "click_at": Subquery(click.values("at")),
        "click_name": Subquery(click.values("campaign_name")),
        "click_id": Subquery(click.values("campaign_id")),
    }
    found: dict[str, LastClick] = {}
    told = rows.order_by("at", "pk").annotate(**columns).values_list("object_pk", "at", *columns)
    for key, at, click_at, name, campaign_id in islice(told.iterator(), MOST_OF_OBJECT * len(keys)):
        before = None if click_at is None else at - click_at
        found[key] = LastClick(name or campaign_id or "", before)
    return found
