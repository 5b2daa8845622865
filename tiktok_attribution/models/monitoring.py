"""Models of monitoring: hourly statistics of the outbox, signs of life of processes, and alerts.

`monitoring.hourly` and `monitoring.alerts` write them; `delivery.turns` writes the heartbeats.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.fields import ExactCharField


class HourlyStatistics(models.Model):
    """What became of the events that were recorded in one hour, for one pixel and event name.

    `monitoring.hourly` computes it from the outbox; it is deleted when those events are. The three text fields are
    JSON. `delays` holds pairs of a bucket (`hourly.bucket`) and its count. `match_keys` holds counts in the order of
    `events.hashing.MATCH_KEYS`. `value_sums` holds decimal sums as text, by currency.
    """

    hour = models.BigIntegerField(help_text=_("Unix seconds at which the hour begins."))
    pixel_code = ExactCharField(_("pixel"), max_length=64)
    name = ExactCharField(_("event"), max_length=50)

    recorded = models.PositiveIntegerField(default=0)
    delivered = models.PositiveIntegerField(default=0)
    waiting = models.PositiveIntegerField(default=0)
    awaiting_consent = models.PositiveIntegerField(default=0)
    invalid = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    expired = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    browser_only = models.PositiveIntegerField(default=0)

    wanted = models.PositiveIntegerField(default=0, help_text=_("Events that have a pixel call."))
    shown = models.PositiveIntegerField(default=0)
    confirmed = models.PositiveIntegerField(default=0)
    both = models.PositiveIntegerField(default=0, help_text=_("Delivered, and shown to the browser."))
    server_alone = models.PositiveIntegerField(default=0, help_text=_("Delivered; the pixel call was not shown."))
    browser_alone = models.PositiveIntegerField(default=0, help_text=_("Shown; the server event was given up."))

    delays = models.TextField(default="[]")
    match_keys = models.TextField(default="[]")
    value_sums = models.TextField(default="{}")

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("hour", "pixel_code", "name"), name="tiktok_hourly_once"),)

    def __str__(self) -> str:
        return f"{self.hour} {self.pixel_code} {self.name}"


class Overview(HourlyStatistics):
    """Proxy model that gives the overview page its place in the admin and its permissions."""

    class Meta:
        proxy = True
        verbose_name = _("overview")
        verbose_name_plural = _("overview")
        default_permissions = ("view",)
        permissions = (("export_overview", "Can export the overview"),)


class Heartbeat(models.Model):
    """When a background process was last seen: the worker, the sweep, a recount of the hours."""

    name = ExactCharField(primary_key=True, max_length=32)
    seen_at = models.FloatField(default=0, help_text=_("Unix seconds."))

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class AlertKind(models.TextChoices):
    """What an alert is about."""

    STOPPED = "stopped", _("the pixel is stopped")
    DOWN = "down", _("TikTok does not answer")
    LATE = "late", _("events wait too long")
    FAILING = "failing", _("too many events fail")


# Decision: an alert is a row with two states: what is so (`is_open`), and what the admins know (`is_told`). The process
# that changes the first by a conditional UPDATE sends the signal. While the two differ an e-mail is due, which one
# process claims for five minutes. So many workers send one e-mail, and a mail server that was down catches up.
class Alert(models.Model):
    """One kind of alert of one pixel. While `is_told` differs from `is_open`, an e-mail is due.

    Moments are epoch seconds, because machines compare them.
    """

    pixel_code = ExactCharField(max_length=64)
    alert_kind = models.CharField(max_length=10, choices=AlertKind.choices)
    is_open = models.BooleanField(default=False)
    changed_at = models.FloatField(default=0)
    figure = models.IntegerField(
        null=True,
        help_text=_("When it began: TikTok's code, failed requests, minutes, or per cent."),
    )
    is_told = models.BooleanField(default=False, help_text=_("What the admins were told last."))
    mail_at = models.FloatField(default=0, help_text=_("Unix seconds before which no e-mail is tried."))
    mail_failures = models.PositiveSmallIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("pixel_code", "alert_kind"), name="tiktok_alert_once"),)

    def __str__(self) -> str:
        return f"{self.pixel_code}: {self.alert_kind}"
