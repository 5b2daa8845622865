"""Copy and erase the recorded conversions of a person. The sums of the roll-up stay: they name no one."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db import transaction

from tiktok_attribution.attribution.code_sums import code_rows, listed_codes
from tiktok_attribution.attribution.days import zone_of
from tiktok_attribution.attribution.links import any_persons_of, attribution_database
from tiktok_attribution.attribution.roll_up import parts_of, rows_of_parts, with_touches
from tiktok_attribution.attribution.stale_days import mark_days
from tiktok_attribution.delivery.retention import delete_conversions
from tiktok_attribution.models import (
    ConversionPerson,
    DailyAttribution,
    DailyCode,
    RecordedConversion,
    digest,
    moment,
)

PAGE_ROWS = 200
Names = Iterable[tuple[str, str]]


def conversions_of(
    *,
    digests: Collection[str] = (),
    objects: Names = (),
    events: Names = (),
    visitor_keys: Collection[UUID] = (),
) -> list[int]:
    """Return the keys of a person's recorded conversions, by anything that names them.

    - `digests`: SHA-256 (hex) of matching keys; they find conversions only where ATTRIBUTION["join"] stored persons.
    - `objects`: (label, key) as rows name them. `events`: (event name, event id).
    - `visitor_keys`: browsers that are theirs alone.
    """
    rows = RecordedConversion.objects.using(attribution_database())
    found: set[int] = set()
    if digests:
        persons = ConversionPerson.objects.using(attribution_database()).filter(person__in=any_persons_of(digests))
        found.update(persons.values_list("conversion_id", flat=True))
    for page in _pages(sorted(set(objects))):
        known = rows.filter(object_pk__in={key for _, key in page}).values_list("pk", "object_label", "object_pk")
        found.update(pk for pk, label, key in known if (label, key) in page)
    for page in _pages(sorted(set(events))):
        known = rows.filter(event_digest__in={digest(*one) for one in page}).values_list("pk", "name", "event_id")
        found.update(pk for pk, name, event_id in known if (name, event_id) in page)
    if visitor_keys:
        found.update(rows.filter(visitor_key__in=visitor_keys).values_list("pk", flat=True))
    return sorted(found)


def copy_of(pks: Collection[int]) -> list[dict[str, Any]]:
    """Return everything that is stored about these conversions, for the person's own copy. Values are JSON types."""
    found = []
    for row, touches in with_touches(pks, using=attribution_database()):
        found.append(
            {
                "event": row.name,
                "event_id": row.event_id,
                "pixel": row.shop,
                "of": f"{row.object_label}:{row.object_pk}" if row.object_label else "",
                "happened": moment(row.at).isoformat(),
                "made": None if row.placed_at is None else moment(row.placed_at).isoformat(),
                "value": None if row.value is None else str(row.value),
                "currency": row.currency,
                "refunded": str(row.refunded),
                "reversed": row.is_reversed,
                "new_customer": row.is_new,
                "voucher_code": row.code,
                "lines": json.loads(row.lines),
                "browser": None if row.visitor_key is None else str(row.visitor_key),
                "persons": sorted(f"{one.identifier} {one.person}" for one in row.persons.all()),
                "touches": [
                    {
                        "landed": moment(touch.at).isoformat(),
                        "traffic": touch.traffic,
                        "campaign": touch.campaign_name or touch.campaign_id,
                        "ad_group": touch.adgroup_name or touch.adgroup_id,
                        "ad": touch.ad_name or touch.ad_id,
                        "placement": touch.placement,
                        "page": touch.landing_path,
                        "utm_source": touch.utm_source,
                        "utm_medium": touch.utm_medium,
                    }
                    for touch in touches
                ],
            }
        )
    return found


# Decision: an erased conversion leaves the sums of its days, as rows of their own (`is_erased`). So last month's report
# does not change when a person asks for erasure, a day that is computed again keeps them, and nothing of the person is
# needed for it.
def erase_conversions(pks: Collection[int]) -> int:
    """Erase conversions with their touches and persons. The sums of their days stay. Return how many were erased."""
    using, erased = attribution_database(), 0
    for page in _pages(sorted(pks)):
        with transaction.atomic(using=using):
            locked = RecordedConversion.objects.using(using).filter(pk__in=page).order_by("pk").select_for_update()
            there = [row.pk for row in locked]
            codes = listed_codes()
            for conversion, touches in with_touches(there, using=using):
                by_code = code_rows([conversion], codes=codes, is_erased=True)
                DailyCode.objects.using(using).bulk_create(by_code)
                parts = list(parts_of(conversion, touches, zone_of(conversion.shop)))
                rows = rows_of_parts(parts, shop=conversion.shop, is_erased=True)
                DailyAttribution.objects.using(using).bulk_create(rows, batch_size=200)
                mark_days({(part.day, conversion.shop) for part in parts}, using=using)
            erased += delete_conversions(RecordedConversion.objects.using(using), there)
    return erased


def _pages(keys: list[Any]) -> Iterable[list[Any]]:
    return (keys[at : at + PAGE_ROWS] for at in range(0, len(keys), PAGE_ROWS))
