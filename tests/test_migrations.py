"""What migrations do to rows that are there already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tiktok_attribution.models import digest

APP = "tiktok_attribution"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def migrate() -> Iterator[Any]:
    """Goes to a migration of the app and gives its models; afterwards all are applied again."""

    def go(name: str) -> Any:
        executor = MigrationExecutor(connection)
        executor.migrate([(APP, name)])
        return executor.loader.project_state([(APP, name)]).apps

    yield go
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes(APP))


def test_events_that_were_there_are_found_by_their_objects(migrate: Any) -> None:
    old = migrate("0004_overview").get_model(APP, "OutboxEvent")
    common = {"pixel_code": "C0A", "name": "Purchase", "event_time": 0}
    for number in range(5):
        old.objects.create(event_id=f"order-{number}", object_label="shop.Order", object_pk=str(number), **common)
    old.objects.create(event_id="of nothing", **common)
    new = migrate("0005_object_digest").get_model(APP, "OutboxEvent")

    assert new.objects.get(object_digest=digest("3")).event_id == "order-3"
    assert list(new.objects.filter(object_digest=None).values_list("event_id", flat=True)) == ["of nothing"]
