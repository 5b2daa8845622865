from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections

from tests.conversions.samples import PLAIN, rows
from tests.shop.models import Order
from tiktok_attribution import track
from tiktok_attribution.conversions.backfill import backfill
from tiktok_attribution.conversions.registry import of
from tiktok_attribution.models import OutboxEvent

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[str]:
    """A second database for this test: SQLite, whatever the first one is."""
    given = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "other.sqlite3")}
    connections.settings["other"] = connections.configure_settings({"default": {}, "other": given})["other"]
    try:
        # A test may open connections only to databases that are configured beforehand; so it is opened here.
        connections["other"].connect()
        call_command("migrate", database="other", run_syncdb=True, verbosity=0)
        yield "other"
    finally:
        connections["other"].close()
        del connections["other"]
        del connections.settings["other"]


def test_an_object_saved_elsewhere_has_its_row_there(configure: Configure, other: str) -> None:
    configure(PLAIN)
    Order(status="paid", total=5).save(using=other)
    assert rows() == []
    assert OutboxEvent.objects.using(other).count() == 1


def test_the_same_key_in_two_databases_is_two_orders(configure: Configure, other: str) -> None:
    configure(PLAIN)
    order = Order.objects.create(status="paid", total=5)
    order.save(using=other)
    assert (len(rows()), OutboxEvent.objects.using(other).count()) == (1, 1)


def test_the_backfill_looks_and_writes_where_it_is_told(configure: Configure, other: str) -> None:
    configure({**PLAIN, "time": "created_at"})
    Order.objects.using(other).bulk_create([Order(status="paid", total=5)])
    (conversion,) = of(Order)
    assert backfill(conversion, using=other)["recorded"] == 1
    assert OutboxEvent.objects.using(other).count() == 1


def test_track_writes_where_it_is_told(configure: Configure, other: str) -> None:
    assert track(None, "Lead", using=other)
    assert OutboxEvent.objects.using(other).count() == 1
