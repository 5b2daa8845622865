"""What migrations do to rows that are there already."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.migrations import RunPython
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

from tiktok_attribution.models import OutboxEvent, digest, events_named

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


def test_events_keep_their_bodies_when_these_move_to_another_table_and_back(migrate: Any) -> None:
    old = migrate("0007_notices").get_model(APP, "OutboxEvent")
    values = {"pixel_code": "C0A", "name": "Purchase", "event_time": 0, "object_label": "shop.Order"}
    for number in range(3):
        old.objects.create(
            event_id=f"order-{number}", payload=f"body {number}", email_key=number, object_pk=str(number), **values
        )
    old.objects.get(event_id="order-0").delete()
    keys = dict(old.objects.values_list("event_id", "pk"))

    migrate("0009_unfinished_events")  # as the model is now; the bodies move in the one before
    found = OutboxEvent.objects.get(events_named("C0A", "Purchase", ["order-1"]))
    assert (found.pk, found.payload, found.email_key, found.object_digest) == (
        keys["order-1"],
        "body 1",
        1,
        digest("1"),
    )
    added = OutboxEvent.objects.create(event_id="order-9", **values)
    assert added.pk > keys["order-2"]
    with pytest.raises(IntegrityError):
        OutboxEvent.objects.create(event_id="order-2", **values)

    back = migrate("0007_notices").get_model(APP, "OutboxEvent")
    assert list(back.objects.order_by("pk").values_list("pk", "event_id", "payload", "email_key")) == [
        (keys["order-1"], "order-1", "body 1", 1),
        (keys["order-2"], "order-2", "body 2", 2),
        (added.pk, "order-9", "", None),
    ]
    assert back.objects.create(event_id="order-10", **values).pk > added.pk
    with pytest.raises(IntegrityError):
        back.objects.create(event_id="order-2", **values)


class NoOutbox:
    """A router that keeps the outbox out of every database, and says nothing of other tables."""

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool | None:
        return False if model_name == "outboxevent" else None


def test_rows_are_not_looked_for_where_a_router_keeps_their_table_away(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATABASE_ROUTERS = [NoOutbox()]
    loader = MigrationLoader(None)
    ours = [migration for (app, _), migration in loader.disk_migrations.items() if app == APP]
    moves = [one for migration in ours for one in migration.operations if isinstance(one, RunPython)]
    state = loader.project_state((APP, "0001_initial"))
    looked: list[Any] = []

    with connection.schema_editor() as editor:
        for move in moves:
            monkeypatch.setattr(move, "code", lambda *args: looked.append(args))
            move.database_forwards(APP, editor, state, state)

    assert (len(moves), looked) == (2, [])
