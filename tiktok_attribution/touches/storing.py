"""Store a touch by one INSERT, within limits, and give the browser its key."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from time import time

from django.db import connections, router
from django.db.models.constants import OnConflict
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tiktok_attribution.conf import Settings
from tiktok_attribution.failures import report
from tiktok_attribution.models import Touch
from tiktok_attribution.models.fields import digest
from tiktok_attribution.touches.counting import OVER_LIMIT, STORED, UNPAID, counts
from tiktok_attribution.touches.landing import PAID, Landing
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.rate_limit import DAY_SECONDS, count_one, sender_key
from tiktok_attribution.visitor.visitor_key import COOKIE, MARKER, new_key, put_key, read_key

AGAIN_SECONDS = 1800
"""Landings without a click id count once in this time, for a browser and the same values."""

_SAME = ("visitor_key", "utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "campaign_id", "ad_id")
_OF_LANDING = (
    *("traffic", "campaign_id", "campaign_name", "adgroup_id", "adgroup_name", "ad_id", "ad_name", "creative_id"),
    *("creative_name", "placement", "landing_path", "utm_source", "utm_medium", "utm_campaign", "utm_content"),
    "utm_term",
)


def is_known(request: HttpRequest, landing: Landing, query: str) -> bool:
    """Return whether this browser's last touch was of the same address, so that nothing has to be stored or counted.

    A page that was loaded again, and one that reports a landing which its own request has recorded.
    """
    marker = request.COOKIES.get(MARKER, "")
    if not marker or COOKIE not in request.COOKIES:
        return False
    mark, _, at = marker.partition(".")
    if mark != _mark(query):
        return False
    return bool(landing.click_id) or (at.isdecimal() and len(at) < 12 and 0 <= time() - int(at) < AGAIN_SECONDS)


def store(
    request: HttpRequest,
    response: HttpResponseBase,
    landing: Landing,
    *,
    shop: str,
    at: int,
    query: str,
    settings: Settings,
) -> None:
    """Store a landing at this moment (epoch seconds) as a touch, once for each browser and click id.

    Beyond the limits it is only counted. An error of the database is logged and never breaks the response.
    """
    if not _is_within_limits(request, settings):
        counts.add(shop, OVER_LIMIT, at)
        return
    known = read_key(request)
    touch = Touch(visitor_key=known or new_key(), at=at, shop=shop, click_digest=digest(landing.click_id))
    for name in _OF_LANDING:
        setattr(touch, name, getattr(landing, name))
    try:
        is_stored = insert(touch, once_since=at - AGAIN_SECONDS if landing.needs_once and known else None)
    except Exception as error:
        report(error, "a landing was not stored")
        return
    if is_stored:
        put_key(request, response, touch.visitor_key, f"{_mark(query)}.{at}", settings=settings)
        counts.add(shop, STORED if landing.traffic == PAID else UNPAID, at)


def _is_within_limits(request: HttpRequest, settings: Settings) -> bool:
    """Count this landing of its sender in this minute, and of all in this day (UTC)."""
    limits = settings.attribution
    if count_one(f"tiktok-landing-{sender_key(request)}") > limits.landings_per_minute:
        return False
    return count_one("tiktok-landings", seconds=DAY_SECONDS) <= limits.landings_per_day


def _mark(query: str) -> str:
    return hashlib.sha256(query.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def insert(touch: Touch, *, once_since: int | None = None) -> bool:
    """Insert a touch in one statement. Return False if this browser has one of the same click id already.

    With `once_since` (epoch seconds), also if it has one of the same values, and without a click id, since then.
    """
    using = router.db_for_write(Touch)
    connection = connections[using]
    fields = {field.attname: field for field in Touch._meta.concrete_fields if not field.primary_key}
    values = {
        name: field.get_db_prep_save(getattr(touch, name), connection=connection) for name, field in fields.items()
    }
    parameters = list(values.values())
    if once_since is not None:
        parameters += [*(values[name] for name in _SAME), once_since]
    with protected(using), connection.cursor() as cursor:
        cursor.execute(_statement(using, once=once_since is not None), parameters)
        return bool(cursor.rowcount == 1)


# Decision: fixed SQL text. `bulk_create` would open a transaction around the same INSERT, which is three round trips
# in place of one. Two landings without a click id that arrive at the same instant may both be stored: no unique
# constraint covers them, and a lock would make visitors wait.
@lru_cache(maxsize=32)
def _statement(using: str, *, once: bool) -> str:
    connection = connections[using]
    quoted = connection.ops.quote_name
    table = quoted(Touch._meta.db_table)
    names = [quoted(str(field.column)) for field in Touch._meta.concrete_fields if not field.primary_key]
    begin = f"{connection.ops.insert_statement(on_conflict=OnConflict.IGNORE)} {table} ({', '.join(names)})"
    end = connection.ops.on_conflict_suffix_sql([], OnConflict.IGNORE, [], [])
    places = ", ".join(["%s"] * len(names))
    if not once:
        return f"{begin} VALUES ({places}) {end}".rstrip()
    from_nowhere = " FROM DUAL" if connection.vendor == "mysql" else ""
    same = " AND ".join(f"{quoted(name)} = %s" for name in _SAME)
    before = f"SELECT 1 FROM {table} WHERE {same} AND {quoted('at')} > %s AND {quoted('click_digest')} IS NULL"  # noqa: S608
    return f"{begin} SELECT {places}{from_nowhere} WHERE NOT EXISTS ({before}) {end}".rstrip()
