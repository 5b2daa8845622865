"""What an event is found by, and its body, move to a table that is written once; what changes stays in a narrow row."""

import django.db.models.deletion
import django.utils.timezone
from django.core.management.color import no_style
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from tiktok_attribution.models.fields import DigestField, ExactCharField, PartialIndex

STRETCH = 1000
MOVED = ("event_id", "payload", "object_digest", "email_key")


def fill(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    connection = schema_editor.connection
    model = apps.get_model("tiktok_attribution", "EventBody")
    events = apps.get_model("tiktok_attribution", "OutboxEvent").objects.using(connection.alias).order_by("pk")
    of_digests = ("pixel_code", "name", "object_pk")
    after = 0
    while rows := list(events.filter(pk__gt=after).only(*MOVED, *of_digests)[:STRETCH]):
        bodies = []
        for row in rows:
            body = model(pk=row.pk, **{name: getattr(row, name) for name in MOVED})
            body.__dict__.update({name: getattr(row, name) for name in of_digests})
            bodies.append(body)
        model.objects.using(connection.alias).bulk_create(bodies)
        after = rows[-1].pk
    _go_on_above(schema_editor, model)


def take_back(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    alias = schema_editor.connection.alias
    events = apps.get_model("tiktok_attribution", "OutboxEvent")
    body = apps.get_model("tiktok_attribution", "EventBody").objects.filter(pk=models.OuterRef("pk"))
    events.objects.using(alias).update(**{name: models.Subquery(body.values(name)) for name in MOVED})
    _go_on_above(schema_editor, events)


def _go_on_above(schema_editor: BaseDatabaseSchemaEditor, model: type[models.Model]) -> None:
    """Keys were given by hand, or by another table: the next one is above them."""
    for statement in schema_editor.connection.ops.sequence_reset_sql(no_style(), [model]):
        schema_editor.execute(statement)


NARROW = migrations.CreateModel(
    name='OutboxEvent',
    fields=[
        ('body', models.OneToOneField(db_column='id', db_constraint=False, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, related_name='event', serialize=False, to='tiktok_attribution.eventbody')),
        ('pixel_code', ExactCharField(max_length=64, verbose_name='pixel')),
        ('name', ExactCharField(max_length=50, verbose_name='event')),
        ('event_time', models.BigIntegerField(help_text='Unix seconds, as TikTok gets it.', verbose_name='event time')),
        ('state', models.CharField(choices=[('waiting', 'waiting'), ('held', 'held until consent'), ('delivered', 'delivered'), ('invalid', 'invalid'), ('rejected', 'rejected by TikTok'), ('expired', 'expired'), ('cancelled', 'cancelled'), ('browser', 'browser only')], default='waiting', max_length=10, verbose_name='state')),
        ('lane', models.PositiveSmallIntegerField(default=0)),
        ('due_at', models.FloatField(help_text='Unix seconds of the next attempt; empty when there is none.', null=True)),
        ('note', models.CharField(blank=True, max_length=500, verbose_name='note')),
        ('value', models.DecimalField(decimal_places=6, max_digits=20, null=True, verbose_name='value')),
        ('currency', models.CharField(blank=True, max_length=3, verbose_name='currency')),
        ('object_label', ExactCharField(blank=True, max_length=100)),
        ('object_pk', ExactCharField(blank=True, max_length=64)),
        ('match_keys', models.PositiveSmallIntegerField(default=0, help_text='Bits of events.matching.MATCH_KEYS.', verbose_name='matching keys')),
        ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
        ('attempt_log', models.TextField(blank=True, help_text='Keys of its attempts, oldest first, each after a comma.')),
        ('last_attempt', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tiktok_attribution.attempt')),
        ('unknown_since', models.FloatField(help_text='Unix seconds of the first attempt of unknown fate.', null=True)),
        ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='recorded')),
        ('delivered_at', models.DateTimeField(null=True, verbose_name='delivered')),
        ('wants_browser', models.BooleanField(default=False)),
        ('browser_at', models.DateTimeField(null=True, verbose_name='shown to the browser')),
        ('browser_confirmed_at', models.DateTimeField(help_text='When the page told that its pixel call was made.', null=True, verbose_name='confirmed by the browser')),
    ],
    options={
        'verbose_name': 'event',
        'verbose_name_plural': 'events',
        'permissions': (('retry_outboxevent', 'Can retry events'), ('cancel_outboxevent', 'Can cancel events'), ('export_outboxevent', 'Can export events')),
        'indexes': [
            PartialIndex(condition=models.Q(('due_at__isnull', False)), fields=['pixel_code', 'lane', 'due_at'], name='tiktok_event_due'),
            PartialIndex(condition=models.Q(('state__in', ('invalid', 'rejected', 'expired'))), fields=['state', 'created_at'], name='tiktok_event_trouble'),
            PartialIndex(condition=models.Q(('state', 'held')), fields=['created_at'], name='tiktok_event_held'),
        ],
    },
    bases=('tiktok_attribution.eventbody',),
)


class Migration(migrations.Migration):
    dependencies = [('tiktok_attribution', '0007_notices')]

    operations = [
        migrations.RemoveConstraint('outboxevent', 'tiktok_event_once'),
        migrations.RemoveIndex('outboxevent', 'tiktok_event_email'),
        migrations.RemoveIndex('outboxevent', 'tiktok_event_object'),
        migrations.CreateModel(
            name='EventBody',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', DigestField(of=('pixel_code', 'name'))),
                ('event_id', ExactCharField(max_length=128, verbose_name='event id')),
                ('payload', models.TextField(blank=True, verbose_name='payload')),
                ('object_digest', DigestField(of='object_pk')),
                ('email_key', models.BigIntegerField(help_text='First 8 bytes of its hashed e-mail, to find it by.', null=True)),
            ],
            options={
                'default_permissions': (),
                'indexes': [
                    models.Index(fields=['kind'], name='tiktok_event_kind'),
                    PartialIndex(condition=models.Q(('object_digest__isnull', False)), fields=['object_digest'], name='tiktok_event_object'),
                    PartialIndex(condition=models.Q(('email_key__isnull', False)), fields=['email_key'], name='tiktok_event_email'),
                    models.Index(condition=~models.Q(payload=''), fields=['id'], name='tiktok_event_bodied'),
                ],
                'constraints': [models.UniqueConstraint(fields=('event_id', 'kind'), name='tiktok_event_once')],
            },
        ),
        migrations.RunPython(fill, take_back, hints={'model_name': 'outboxevent'}, elidable=True),
        # A default, for the way back alone.
        migrations.AlterField('outboxevent', 'event_id', ExactCharField(max_length=128, default='', verbose_name='event id')),
        *(migrations.RemoveField('outboxevent', name) for name in MOVED),
        # The same column "id", which now takes its value from the other table.
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.AlterField('outboxevent', 'id', models.BigIntegerField(primary_key=True, serialize=False)),
            ],
            state_operations=[migrations.DeleteModel('OutboxEvent'), NARROW],
        ),
    ]
