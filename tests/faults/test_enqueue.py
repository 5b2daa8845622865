"""The outbox takes no row: a full disk, a read-only database, a table that is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.invariant import every_event_is_counted_once_or_says_why_not
from tests.faults.site import LANE, OUTBOX, Site

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.on_engine("sqlite")]

ORDERS = 20
FULL_DISK = "53100"
READ_ONLY = "25006"
REFUSAL = "could not extend file"


@contextmanager
def refusing(site: Site, sqlstate: str, *, what: str = "INSERT", tables: tuple[str, ...] = (OUTBOX,)) -> Iterator[None]:
    """PostgreSQL answers such statements with this SQLSTATE, while the block runs."""
    site.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = '{sqlstate}'; END $$"
    )
    for table in tables:
        site.sql(f"CREATE TRIGGER refusing BEFORE {what} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse()")
    try:
        yield
    finally:
        site.sql("DROP FUNCTION refuse() CASCADE")


@contextmanager
def missing(site: Site) -> Iterator[None]:
    """The outbox has no table, as before `migrate`."""
    site.sql(f"ALTER TABLE {OUTBOX} RENAME TO hidden")
    try:
        yield
    finally:
        site.sql(f"ALTER TABLE hidden RENAME TO {OUTBOX}")


def wait_for_refusals(site: Site) -> None:
    """Until the workers were refused what they wanted, again and again."""
    site.wait_for(lambda: site.log.read_text(errors="replace").count(REFUSAL) >= 3, "three refusals")


@pytest.mark.parametrize("trouble", [FULL_DISK, READ_ONLY, "no table"])
def test_the_order_commits_and_a_backfill_that_may_finds_its_event(site: Site, trouble: str) -> None:
    with missing(site) if trouble == "no table" else refusing(site, trouble):
        sold = site.run("-m", "tests.faults.orders", str(ORDERS), "0")
    orders = site.sql("SELECT count(*) FROM shop_order WHERE status = 'paid'")
    recorded = site.rows()
    refused = site.manage("tiktok_backfill")
    told = site.manage("tiktok_backfill", "--unknown-consent")
    site.manage("tiktok_deliver")

    assert (sold.returncode, orders, recorded) == (0, [(ORDERS,)], []), site.told()
    assert f": {ORDERS} with unknown consent\n" in refused  # a visitor's refusal could not have been kept either
    assert f"{ORDERS} recorded" in told
    assert every_event_is_counted_once_or_says_why_not(site, ORDERS) == {"delivered": ORDERS}


@pytest.mark.parametrize("tables", [(OUTBOX,), (OUTBOX, LANE)], ids=["after the POST", "before the POST"])
def test_a_disk_that_is_full_while_events_are_marked_costs_none(site: Site, tables: tuple[str, ...]) -> None:
    site.fill(60)
    with site.workers(2):
        with refusing(site, FULL_DISK, what="UPDATE", tables=tables):
            wait_for_refusals(site)
            during = site.waiting()
        site.settle()

    assert during == 60
    assert every_event_is_counted_once_or_says_why_not(site, 60) == {"delivered": 60}


def test_nothing_is_sent_that_could_not_be_noted_before(site: Site) -> None:
    site.fill(60)
    with refusing(site, FULL_DISK, what="UPDATE", tables=(LANE,)), site.workers(1):
        wait_for_refusals(site)
        arrived = site.standin.ledger.event_total

    assert arrived == 0
