"""Raw psycopg over an outbox of the leanest form: key, text, state, when due; one index on what is due.

`deliver_two_writes` leases each row: the claim moves `due_at` ahead and commits, the mark ends it. `deliver_by_lane`
leases one row that stands for the lane, reads the due rows without a lock and writes each once, in the transaction that
checks and renews the lease.
"""

from __future__ import annotations

import time

import psycopg
from django.db import connection

from benchmarks import rows
from benchmarks.yardsticks.post import Post

BATCH = 1000
LEASE_SECONDS = 60

_CREATE = """
DROP TABLE IF EXISTS raw_outbox, raw_lane;
CREATE TABLE raw_outbox (
    id bigserial PRIMARY KEY, event_id varchar(128) NOT NULL, payload text NOT NULL, state varchar(10) NOT NULL,
    due_at double precision, attempts smallint NOT NULL DEFAULT 0, holder varchar(22) NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(), delivered_at timestamptz, lane int NOT NULL DEFAULT 0
);
CREATE INDEX raw_outbox_due ON raw_outbox ({index}) WHERE due_at IS NOT NULL;
CREATE TABLE raw_lane (
    number int PRIMARY KEY, holder varchar(22) NOT NULL, leased_until double precision NOT NULL, in_flight text NOT NULL
);
INSERT INTO raw_lane SELECT number, 'me', 0, '' FROM generate_series(0, 63) number;
"""

_CLAIM = """
UPDATE raw_outbox SET due_at = %s, holder = 'me', attempts = attempts + 1 WHERE id = ANY(ARRAY(
    SELECT id FROM raw_outbox WHERE due_at <= %s ORDER BY due_at LIMIT 1000 FOR UPDATE SKIP LOCKED
)) RETURNING id, payload
"""
_MARK = """
UPDATE raw_outbox SET state = 'delivered', due_at = NULL, delivered_at = now() WHERE id = ANY(%s) AND holder = 'me'
"""
_READ = "SELECT id, payload FROM raw_outbox WHERE lane = %s AND due_at <= %s ORDER BY due_at LIMIT 1000"
_TAKE = "UPDATE raw_lane SET in_flight = %s, leased_until = %s WHERE number = %s AND holder = 'me'"
_MARK_ONCE = """
UPDATE raw_outbox SET state = 'delivered', due_at = NULL, delivered_at = now(), attempts = attempts + 1
WHERE id = ANY(%s)
"""


def fill(number: int, *, lanes: int = 1) -> None:
    """A fresh table with so many due rows, of the same texts as the app's; the index fits the number of lanes."""
    rows.execute(_CREATE.format(index="due_at" if lanes == 1 else "lane, due_at"))
    rows.execute(
        "INSERT INTO raw_outbox (event_id, payload, state, due_at, lane) SELECT 'due-' || lpad(n::text, 9, '0'),"
        " replace(t.payload, t.event_id, 'due-' || lpad(n::text, 9, '0')), 'waiting',"
        f" {time.time()} - 60 + n * 1e-7, n % {lanes} FROM template t, generate_series(1, {number}) n ORDER BY n"
    )
    rows.execute("ANALYZE raw_outbox")


def connect(name: str = "") -> psycopg.Connection:
    """A connection of psycopg's own to the same database, or another one of that server."""
    there = connection.settings_dict
    return psycopg.connect(
        host=there["HOST"],
        port=there["PORT"],
        user=there["USER"],
        password=there["PASSWORD"],
        dbname=name or there["NAME"],
    )


def deliver_two_writes(database: psycopg.Connection, post: Post) -> None:
    """Until nothing is due."""
    with database.cursor() as cursor:
        while True:
            now = time.time()
            claimed = cursor.execute(_CLAIM, (now + LEASE_SECONDS, now)).fetchall()
            database.commit()
            if not claimed:
                return
            post([payload for _, payload in claimed])
            cursor.execute(_MARK, ([pk for pk, _ in claimed],))
            database.commit()


def deliver_by_lane(database: psycopg.Connection, post: Post, lane: int = 0) -> None:
    """Until nothing is due in this lane."""
    with database.cursor() as cursor:
        while True:
            now = time.time()
            due = cursor.execute(_READ, (lane, now)).fetchall()
            if not due:
                database.commit()
                return
            pks = [pk for pk, _ in due]
            cursor.execute(_TAKE, (",".join(map(str, pks)), now + LEASE_SECONDS, lane))
            database.commit()
            post([payload for _, payload in due])
            cursor.execute(_TAKE, ("", time.time() + LEASE_SECONDS, lane))
            cursor.execute(_MARK_ONCE, (pks,))
            database.commit()
