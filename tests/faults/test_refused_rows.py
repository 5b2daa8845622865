"""Visitors refuse and order while the database takes no rows of this app: the orders stay, and nobody sends them."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests.faults.site import Site
from tests.faults.test_enqueue import FULL_DISK, refusing

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.privacy, pytest.mark.on_engine("sqlite")]

HOURLY = (
    "import django; django.setup(); from tiktok_attribution.conversions.backfill import backfill_recent; "
    "import json; print(json.dumps(backfill_recent()))"
)


@contextmanager
def without_insert(site: Site) -> Iterator[str]:
    """The URL of an account that may do everything but insert into this app's tables, while the block runs."""
    role, password = f"shop_{secrets.token_hex(4)}", secrets.token_hex(8)
    site.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
    site.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    site.sql(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
    for table in tables(site):
        site.sql(f"REVOKE INSERT ON {table} FROM {role}")
    at = urlsplit(site.database_url)
    try:
        yield at._replace(netloc=f"{role}:{password}@{at.hostname}:{at.port}").geturl()
    finally:
        site.sql(f"DROP OWNED BY {role}")
        site.sql(f"DROP ROLE {role}")


def tables(site: Site) -> tuple[str, ...]:
    found = site.sql("SELECT tablename FROM pg_tables WHERE tablename LIKE 'tiktok_attribution_%'")
    return tuple(name for (name,) in found)


@pytest.fixture
def running(site: Site) -> Site:
    """A site whose hourly backfill has run for days."""
    site.sql(
        "INSERT INTO tiktok_attribution_heartbeat (name, seen_at) "  # noqa: S608 -- a number of ours
        f"VALUES ('backfill-first', {time.time() - 5 * 86_400})"
    )
    site.manage("tiktok_backfill")  # makes the spare row, as every hourly run does
    return site


def an_hour_before(site: Site) -> None:
    """An order that no signal told of, from before the outage."""
    site.sql(
        "INSERT INTO shop_order (status, email, phone, total, currency, created_at) "
        "VALUES ('paid', '', '', 10, 'EUR', now() - interval '1 hour')"
    )


def ends_as_it_must(site: Site) -> None:
    hourly = json.loads(site.run("-c", HOURLY).stdout)
    told = site.manage("tiktok_backfill")
    ((known,),) = site.sql("SELECT max(id) FROM shop_order")

    assert hourly == {"recorded": 1, "with unknown consent": 3}
    assert "1 known, 3 with unknown consent" in told
    assert [one.event_id for one in site.rows()] == [f"order-{known}"]
    assert "Rows were refused in default: " in site.manage("tiktok_status")
    assert site.log.read_text().count("refuses rows of this app") == 1


def test_where_the_right_to_insert_is_missing(running: Site) -> None:
    with without_insert(running) as url:
        visits = running.run("-m", "tests.faults.visits", "3", TEST_DATABASE_URL=url)
    an_hour_before(running)

    assert visits.stdout.decode().split() == ["200"] * 3, running.told()
    ends_as_it_must(running)


def test_where_the_disk_is_full(running: Site) -> None:
    with refusing(running, FULL_DISK, tables=tables(running)):
        visits = running.run("-m", "tests.faults.visits", "3")
    an_hour_before(running)

    assert visits.stdout.decode().split() == ["200"] * 3, running.told()
    ends_as_it_must(running)
