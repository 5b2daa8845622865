"""Events of an object are found by a digest: its index costs a marked row a tenth of what one over two texts does."""

from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from tiktok_attribution.models.fields import DigestField, PartialIndex, digest

STRETCH = 2000


def fill(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    events = apps.get_model("tiktok_attribution", "OutboxEvent").objects.using(schema_editor.connection.alias)
    after = 0
    while rows := list(events.filter(pk__gt=after).order_by("pk").only("object_pk")[:STRETCH]):
        for row in rows:
            row.object_digest = digest(row.object_pk)
        events.bulk_update([row for row in rows if row.object_pk], ["object_digest"])
        after = rows[-1].pk


class Migration(migrations.Migration):
    dependencies = [("tiktok_attribution", "0004_overview")]

    operations = [
        migrations.RemoveIndex("outboxevent", "tiktok_event_object"),
        migrations.AddField("outboxevent", "object_digest", DigestField(of="object_pk")),
        migrations.RunPython(fill, migrations.RunPython.noop, hints={"model_name": "outboxevent"}, elidable=True),
        migrations.AddIndex(
            "outboxevent",
            PartialIndex(
                fields=("object_digest",), condition=models.Q(object_digest__isnull=False), name="tiktok_event_object"
            ),
        ),
    ]
