"""A month of a busy shop in one table: every state, rare and frequent names, two pixels, bodies of two weeks."""

from __future__ import annotations

from benchmarks import rows
from benchmarks.rows import BODIES, PIXEL, TABLE
from tiktok_attribution.models import Attempt

SECOND_PIXEL = "C0EXAMPLE0000000002"
DAYS = 30


def fill(number: int, *, page: int = 250_000) -> None:
    """So many events, recorded evenly over the days until now; a thousand in an attempt.

    "Lead" is rare and old, what waits or is held is recent, trouble is 0.5 % everywhere.
    """
    columns = "id, pixel_code, started_at, duration_seconds, event_count, outcome, code, message, request_id"
    columns += ", first_event, last_event"
    when = _moment("n * 1000", number)
    rows.execute(
        f"INSERT INTO {Attempt._meta.db_table} ({columns}) SELECT 'attempt-' || n, '{PIXEL}', {when}, 0.1,"
        f" 1000, 'delivered', 0, 'OK', 'request-' || n, n * 1000, n * 1000 + 999"
        f" FROM generate_series(0, {number} / 1000) n"
    )
    state = f"""CASE WHEN n > {number} - 300 THEN 'waiting'
        WHEN n > {number} - {number} / {DAYS} AND n % 500 = 7 THEN 'held'
        WHEN n % 1000 IN (1, 2) THEN 'rejected' WHEN n % 1000 IN (3, 4) THEN 'invalid'
        WHEN n % 1000 = 5 THEN 'expired' WHEN n % 1000 BETWEEN 10 AND 12 THEN 'cancelled'
        WHEN n % 20 = 0 THEN 'browser' ELSE 'delivered' END"""
    created = _moment("n", number)
    delivered = f"({state}) = 'delivered'"
    shown = "n % 2 = 0"
    name = f"""CASE WHEN n < {number} / 10 AND n % 10000 = 9 THEN 'Lead' WHEN n % 3 = 0 THEN 'AddToCart'
        WHEN n % 3 = 1 THEN 'ViewContent' ELSE 'Purchase' END"""
    pixel_code = f"CASE WHEN n % 50 = 1 THEN '{SECOND_PIXEL}' ELSE '{PIXEL}' END"
    for first in range(1, number + 1, page):
        rows.copy(
            first,
            min(first + page - 1, number),
            "default",
            event_id="('order-' || n)",
            object_pk="n::text",
            kind=_digest(pixel_code, name),
            name=name,
            pixel_code=pixel_code,
            state=state,
            due_at=f"CASE WHEN n > {number} - 300 THEN extract(epoch FROM now()) + n * 1e-3 END",
            payload=f"CASE WHEN n > {number} * 16 / {DAYS} THEN t.payload ELSE '' END",
            email_key=f"CASE WHEN n > {number} * 16 / {DAYS} THEN n::bigint * 7919 END",
            attempts="1",
            attempt_log="'attempt-' || n / 1000 || ','",
            last_attempt_id="'attempt-' || n / 1000",
            event_time=f"extract(epoch FROM {created})::bigint",
            created_at=created,
            delivered_at=f"CASE WHEN {delivered} THEN {created} END",
            wants_browser="n % 4 <> 1",
            browser_at=f"CASE WHEN {shown} THEN {created} END",
            browser_confirmed_at=f"CASE WHEN n % 4 = 0 THEN {created} END",
        )
    rows.execute(f"VACUUM (ANALYZE) {TABLE}")
    rows.execute(f"VACUUM (ANALYZE) {BODIES}")
    rows.execute(f"ANALYZE {Attempt._meta.db_table}")


def _moment(n: str, number: int) -> str:
    return f"(now() - ({number} - {n}) * interval '{DAYS * 86_400} seconds' / {number})"


def _digest(*texts: str) -> str:
    """What `models.digest` makes of these expressions."""
    whole = " || '\\x00'::bytea || ".join(f"convert_to({text}, 'UTF8')" for text in texts)
    return f"('x' || left(encode(sha256({whole}), 'hex'), 16))::bit(64)::bigint"
