"""The outbox counted into hours, and signs of life of what counts and sends.

What is wrong with a pixel for a while, and whether the admins know.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.fields import ExactCharField


class HourlyStatistics(models.Model):
    """What became of the events recorded in one hour, for one pixel and event name; `tallies` computes it.

    Made from the outbox and thrown away with it. The three texts are JSON: pairs of a bucket of `tallies.delay` and
    its count, counts in the order of `events.matching.MATCH_KEYS`, and decimal sums as text by currency.
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
    """The overview's place in the admin, and its permissions."""

    class Meta:
        proxy = True
        verbose_name = _("overview")
        verbose_name_plural = _("overview")
        default_permissions = ("view",)
        permissions = (("export_overview", "Can export the overview"),)


class Heartbeat(models.Model):
    """When something that goes on by itself was last seen: the worker, the sweep, a count of the hours."""

    name = ExactCharField(primary_key=True, max_length=32)
    seen_at = models.FloatField(default=0, help_text=_("Unix seconds."))

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class AlertKind(models.TextChoices):
    """What a notice is about."""

    STOPPED = "stopped", _("the pixel is stopped")
    DOWN = "down", _("TikTok does not answer")
    LATE = "late", _("events wait too long")
    FAILING = "failing", _("too many events fail")


class Alert(models.Model):
    """One kind of trouble of one pixel. Who flips `is_open` sends the signal; an e-mail is due while `is_told` differs.

    Epoch seconds, as everything that machines compare.
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
