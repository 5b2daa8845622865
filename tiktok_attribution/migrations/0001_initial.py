import django.db.models.deletion
import django.utils.timezone
import tiktok_attribution.models.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='BulkJob',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('verb', models.CharField(choices=[('retry', 'send again'), ('cancel', 'cancel')], max_length=10, verbose_name='what')),
                ('chosen', models.TextField(default='{}', help_text='JSON of a delivery.event_search.EventFilter.')),
                ('asked_by', models.CharField(blank=True, help_text='Key of the user who asked for it.', max_length=64)),
                ('state', models.CharField(choices=[('running', 'running'), ('done', 'done'), ('stopped', 'stopped by hand'), ('failed', 'given up')], default='running', max_length=10, verbose_name='state')),
                ('first_key', models.BigIntegerField(default=0)),
                ('last_key', models.BigIntegerField(default=0)),
                ('cursor', models.BigIntegerField(default=0)),
                ('changed', models.PositiveBigIntegerField(default=0, verbose_name='changed')),
                ('left_alone', models.PositiveBigIntegerField(default=0, verbose_name='left as they were')),
                ('reasons', models.TextField(default='{}', help_text='JSON: how many were left as they were, by reason.')),
                ('failures', models.PositiveSmallIntegerField(default=0, help_text='Pages in a row that raised an error.')),
                ('note', models.CharField(blank=True, max_length=200, verbose_name='note')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, verbose_name='asked for')),
                ('touched_at', models.DateTimeField(null=True, verbose_name='last worked on')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='ended')),
            ],
            options={
                'verbose_name': 'background job',
                'verbose_name_plural': 'background jobs',
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='EventBody',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('type_key', tiktok_attribution.models.fields.DigestField(editable=False, null=True, of=('pixel_code', 'name'))),
                ('event_id', tiktok_attribution.models.fields.ExactCharField(max_length=128, verbose_name='event id')),
                ('payload', models.TextField(blank=True, verbose_name='payload')),
                ('object_digest', tiktok_attribution.models.fields.DigestField(editable=False, null=True, of='object_pk')),
                ('email_key', models.BigIntegerField(help_text='First 8 bytes of its hashed e-mail, to find it by.', null=True)),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('name', tiktok_attribution.models.fields.ExactCharField(max_length=32, primary_key=True, serialize=False)),
                ('seen_at', models.FloatField(default=0, help_text='Unix seconds.')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='HourlyStatistics',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.BigIntegerField(help_text='Unix seconds at which the hour begins.')),
                ('pixel_code', tiktok_attribution.models.fields.ExactCharField(max_length=64, verbose_name='pixel')),
                ('name', tiktok_attribution.models.fields.ExactCharField(max_length=50, verbose_name='event')),
                ('recorded', models.PositiveIntegerField(default=0)),
                ('delivered', models.PositiveIntegerField(default=0)),
                ('waiting', models.PositiveIntegerField(default=0)),
                ('awaiting_consent', models.PositiveIntegerField(default=0)),
                ('invalid', models.PositiveIntegerField(default=0)),
                ('rejected', models.PositiveIntegerField(default=0)),
                ('expired', models.PositiveIntegerField(default=0)),
                ('cancelled', models.PositiveIntegerField(default=0)),
                ('browser_only', models.PositiveIntegerField(default=0)),
                ('wanted', models.PositiveIntegerField(default=0, help_text='Events that have a pixel call.')),
                ('shown', models.PositiveIntegerField(default=0)),
                ('confirmed', models.PositiveIntegerField(default=0)),
                ('both', models.PositiveIntegerField(default=0, help_text='Delivered, and shown to the browser.')),
                ('server_alone', models.PositiveIntegerField(default=0, help_text='Delivered; the pixel call was not shown.')),
                ('browser_alone', models.PositiveIntegerField(default=0, help_text='Shown; the server event was given up.')),
                ('delays', models.TextField(default='[]')),
                ('match_keys', models.TextField(default='[]')),
                ('value_sums', models.TextField(default='{}')),
            ],
            options={
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Lane',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('pixel_code', tiktok_attribution.models.fields.ExactCharField(max_length=64)),
                ('number', models.PositiveSmallIntegerField()),
                ('holder', models.CharField(blank=True, max_length=22)),
                ('leased_until', models.FloatField(default=0)),
                ('in_flight', models.TextField(blank=True, help_text='Keys of the events in a POST that has not been answered.')),
                ('in_flight_since', models.FloatField(null=True)),
                ('next_at', models.FloatField(default=0, help_text='Unix seconds from which the rate limit lets it send again.')),
                ('suspects', models.PositiveIntegerField(default=0, help_text='How many of the events that are due longest hold one that TikTok refuses.')),
                ('batch_limit', models.PositiveIntegerField(default=0, help_text='Events of the next request; 0 for BATCH_SIZE.')),
            ],
        ),
        migrations.CreateModel(
            name='PixelStatus',
            fields=[
                ('pixel_code', tiktok_attribution.models.fields.ExactCharField(max_length=64, primary_key=True, serialize=False, verbose_name='pixel')),
                ('stopped_at', models.DateTimeField(null=True, verbose_name='stopped')),
                ('code', models.IntegerField(null=True, verbose_name='code')),
                ('message', models.CharField(blank=True, max_length=500, verbose_name='message')),
                ('token_fingerprint', models.CharField(blank=True, max_length=16)),
                ('failures', models.PositiveIntegerField(default=0, help_text='Requests in a row that TikTok did not answer, or answered with 5xx.', verbose_name='failures')),
                ('closed_until', models.FloatField(default=0, help_text='Unix seconds until which no request is made after those.')),
                ('paused_until', models.FloatField(default=0, help_text='Unix seconds until which TikTok wants no request.')),
            ],
            options={
                'verbose_name': 'pixel',
                'verbose_name_plural': 'pixels',
                'permissions': (('resume_pixelstatus', 'Can resume stopped pixels'), ('test_pixelstatus', 'Can send test events')),
            },
        ),
        migrations.CreateModel(
            name='SuppressedCount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField(verbose_name='day')),
                ('pixel_code', tiktok_attribution.models.fields.ExactCharField(max_length=64, verbose_name='pixel')),
                ('name', tiktok_attribution.models.fields.ExactCharField(max_length=50, verbose_name='event')),
                ('reason', models.CharField(max_length=20, verbose_name='reason')),
                ('count', models.PositiveBigIntegerField(default=0, verbose_name='count')),
            ],
            options={
                'verbose_name': 'suppressed events',
                'verbose_name_plural': 'suppressed events',
            },
        ),
        migrations.CreateModel(
            name='Turn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('pixel_code', tiktok_attribution.models.fields.ExactCharField(max_length=64)),
                ('number', models.PositiveSmallIntegerField()),
                ('holder', models.CharField(blank=True, max_length=22)),
                ('leased_until', models.FloatField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='VisitorSnapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('object_label', tiktok_attribution.models.fields.ExactCharField(max_length=100)),
                ('object_pk', tiktok_attribution.models.fields.ExactCharField(max_length=64)),
                ('signals', models.TextField()),
                ('created_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
            ],
            options={
                'verbose_name': 'visitor snapshot',
                'verbose_name_plural': 'visitor snapshots',
            },
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('pixel_code', tiktok_attribution.models.fields.ExactCharField(max_length=64)),
                ('alert_kind', models.CharField(choices=[('stopped', 'the pixel is stopped'), ('down', 'TikTok does not answer'), ('late', 'events wait too long'), ('failing', 'too many events fail')], max_length=10)),
                ('is_open', models.BooleanField(default=False)),
                ('changed_at', models.FloatField(default=0)),
                ('figure', models.IntegerField(help_text="When it began: TikTok's code, failed requests, minutes, or per cent.", null=True)),
                ('is_told', models.BooleanField(default=False, help_text='What the admins were told last.')),
                ('mail_at', models.FloatField(default=0, help_text='Unix seconds before which no e-mail is tried.')),
                ('mail_failures', models.PositiveSmallIntegerField(default=0)),
            ],
            options={
                'default_permissions': (),
                'constraints': [models.UniqueConstraint(fields=('pixel_code', 'alert_kind'), name='tiktok_alert_once')],
            },
        ),
        migrations.CreateModel(
            name='Attempt',
            fields=[
                ('id', tiktok_attribution.models.fields.ExactCharField(max_length=22, primary_key=True, serialize=False)),
                ('pixel_code', tiktok_attribution.models.fields.ExactCharField(max_length=64, verbose_name='pixel')),
                ('started_at', models.DateTimeField(verbose_name='started')),
                ('duration_seconds', models.FloatField(null=True, verbose_name='duration (s)')),
                ('event_count', models.PositiveIntegerField(verbose_name='events')),
                ('outcome', models.CharField(choices=[('delivered', 'delivered'), ('retry', 'try again'), ('isolate', 'refused: a bad event'), ('split', 'refused: too many at once'), ('stop', 'refused: pixel stopped'), ('unknown', 'no answer was seen')], max_length=10, verbose_name='outcome')),
                ('http_status', models.PositiveSmallIntegerField(null=True, verbose_name='HTTP status')),
                ('code', models.IntegerField(null=True, verbose_name='code')),
                ('message', models.CharField(blank=True, max_length=500, verbose_name='message')),
                ('request_id', models.CharField(blank=True, max_length=64, verbose_name='request id')),
                ('first_event', models.BigIntegerField(null=True)),
                ('last_event', models.BigIntegerField(null=True)),
            ],
            options={
                'verbose_name': 'attempt',
                'verbose_name_plural': 'attempts',
                'indexes': [models.Index(fields=['request_id'], name='tiktok_attempt_request'), models.Index(fields=['started_at'], name='tiktok_attempt_started')],
            },
        ),
        migrations.CreateModel(
            name='OutboxEvent',
            fields=[
                ('body', models.OneToOneField(db_column='id', db_constraint=False, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, related_name='event', serialize=False, to='tiktok_attribution.eventbody')),
                ('pixel_code', tiktok_attribution.models.fields.ExactCharField(max_length=64, verbose_name='pixel')),
                ('name', tiktok_attribution.models.fields.ExactCharField(max_length=50, verbose_name='event')),
                ('event_time', models.BigIntegerField(help_text='Unix seconds, as TikTok gets it.', verbose_name='event time')),
                ('state', models.CharField(choices=[('waiting', 'waiting'), ('awaiting_consent', 'awaiting consent'), ('delivered', 'delivered'), ('invalid', 'invalid'), ('rejected', 'rejected by TikTok'), ('expired', 'expired'), ('cancelled', 'cancelled'), ('browser_only', 'browser only')], default='waiting', max_length=20, verbose_name='state')),
                ('lane', models.PositiveSmallIntegerField(default=0)),
                ('due_at', models.FloatField(help_text='Unix seconds of the next attempt; empty when there is none.', null=True)),
                ('unfinished_since', models.FloatField(help_text='Unix seconds since when its object may still be saved; empty once the event is final.', null=True)),
                ('note', models.CharField(blank=True, max_length=500, verbose_name='note')),
                ('value', models.DecimalField(decimal_places=6, max_digits=20, null=True, verbose_name='value')),
                ('currency', models.CharField(blank=True, max_length=3, verbose_name='currency')),
                ('object_label', tiktok_attribution.models.fields.ExactCharField(blank=True, max_length=100)),
                ('object_pk', tiktok_attribution.models.fields.ExactCharField(blank=True, max_length=64)),
                ('match_keys', models.PositiveSmallIntegerField(default=0, help_text='Bits of events.hashing.MATCH_KEYS.', verbose_name='matching keys')),
                ('attempts', models.PositiveSmallIntegerField(default=0, verbose_name='attempts')),
                ('attempt_log', models.TextField(blank=True, help_text='Keys of its attempts, oldest first, each after a comma.')),
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
            },
            bases=('tiktok_attribution.eventbody',),
        ),
        migrations.AddIndex(
            model_name='eventbody',
            index=models.Index(fields=['type_key'], name='tiktok_event_type'),
        ),
        migrations.AddIndex(
            model_name='eventbody',
            index=tiktok_attribution.models.fields.PartialIndex(condition=models.Q(('object_digest__isnull', False)), fields=['object_digest'], name='tiktok_event_object'),
        ),
        migrations.AddIndex(
            model_name='eventbody',
            index=tiktok_attribution.models.fields.PartialIndex(condition=models.Q(('email_key__isnull', False)), fields=['email_key'], name='tiktok_event_email'),
        ),
        migrations.AddIndex(
            model_name='eventbody',
            index=models.Index(condition=models.Q(('payload', ''), _negated=True), fields=['id'], name='tiktok_event_bodied'),
        ),
        migrations.AddConstraint(
            model_name='eventbody',
            constraint=models.UniqueConstraint(fields=('event_id', 'type_key'), name='tiktok_event_once'),
        ),
        migrations.AddConstraint(
            model_name='hourlystatistics',
            constraint=models.UniqueConstraint(fields=('hour', 'pixel_code', 'name'), name='tiktok_hourly_once'),
        ),
        migrations.CreateModel(
            name='Overview',
            fields=[
            ],
            options={
                'verbose_name': 'overview',
                'verbose_name_plural': 'overview',
                'permissions': (('export_overview', 'Can export the overview'),),
                'proxy': True,
                'default_permissions': ('view',),
                'indexes': [],
                'constraints': [],
            },
            bases=('tiktok_attribution.hourlystatistics',),
        ),
        migrations.AddConstraint(
            model_name='lane',
            constraint=models.UniqueConstraint(fields=('pixel_code', 'number'), name='tiktok_lane_once'),
        ),
        migrations.CreateModel(
            name='Diagnosis',
            fields=[
            ],
            options={
                'verbose_name': 'diagnosis',
                'verbose_name_plural': 'diagnosis',
                'proxy': True,
                'default_permissions': ('view',),
                'indexes': [],
                'constraints': [],
            },
            bases=('tiktok_attribution.pixelstatus',),
        ),
        migrations.AddConstraint(
            model_name='suppressedcount',
            constraint=models.UniqueConstraint(fields=('day', 'pixel_code', 'name', 'reason'), name='tiktok_suppressed_once'),
        ),
        migrations.AddConstraint(
            model_name='turn',
            constraint=models.UniqueConstraint(fields=('pixel_code', 'number'), name='tiktok_turn_once'),
        ),
        migrations.AddConstraint(
            model_name='visitorsnapshot',
            constraint=models.UniqueConstraint(fields=('object_label', 'object_pk'), name='tiktok_snapshot_once'),
        ),
        migrations.AddField(
            model_name='outboxevent',
            name='last_attempt',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='tiktok_attribution.attempt'),
        ),
        migrations.AddIndex(
            model_name='outboxevent',
            index=tiktok_attribution.models.fields.PartialIndex(condition=models.Q(('due_at__isnull', False)), fields=['pixel_code', 'lane', 'due_at'], name='tiktok_event_due'),
        ),
        migrations.AddIndex(
            model_name='outboxevent',
            index=tiktok_attribution.models.fields.PartialIndex(condition=models.Q(('state__in', ('invalid', 'rejected', 'expired'))), fields=['state', 'created_at'], name='tiktok_event_failed'),
        ),
        migrations.AddIndex(
            model_name='outboxevent',
            index=tiktok_attribution.models.fields.PartialIndex(condition=models.Q(('state', 'awaiting_consent')), fields=['created_at'], name='tiktok_event_awaiting'),
        ),
        migrations.AddIndex(
            model_name='outboxevent',
            index=tiktok_attribution.models.fields.PartialIndex(condition=models.Q(('unfinished_since__isnull', False)), fields=['unfinished_since'], name='tiktok_event_unfinished'),
        ),
    ]
