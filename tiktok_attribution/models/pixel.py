"""What is known of a pixel, and of the lanes that its events are sent in."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.fields import ExactCharField


class PixelStatus(models.Model):
    """Whether a pixel may send. It stops on token or permission trouble; its events wait."""

    pixel_code = ExactCharField(_("pixel"), max_length=64, primary_key=True)
    stopped_at = models.DateTimeField(_("stopped"), null=True)
    code = models.IntegerField(_("code"), null=True)
    message = models.CharField(_("message"), max_length=500, blank=True)
    token_fingerprint = models.CharField(max_length=16, blank=True)
    failures = models.PositiveIntegerField(
        _("failures"), default=0, help_text=_("Requests in a row that TikTok did not answer, or answered with 5xx.")
    )
    closed_until = models.FloatField(default=0, help_text=_("Unix seconds until which no request is made after those."))
    paused_until = models.FloatField(default=0, help_text=_("Unix seconds until which TikTok wants no request."))

    class Meta:
        verbose_name = _("pixel")
        verbose_name_plural = _("pixels")
        permissions = (
            ("resume_pixelstatus", "Can resume stopped pixels"),
            ("test_pixelstatus", "Can send test events"),
        )

    def __str__(self) -> str:
        return self.pixel_code


class Diagnosis(PixelStatus):
    """The diagnosis page's place in the admin, and its permission."""

    class Meta:
        proxy = True
        verbose_name = _("diagnosis")
        verbose_name_plural = _("diagnosis")
        default_permissions = ("view",)


class Lane(models.Model):
    """A lease over one pixel's rows of one lane: who sends them now, until when, and what is on its way."""

    pixel_code = ExactCharField(max_length=64)
    number = models.PositiveSmallIntegerField()
    holder = models.CharField(max_length=22, blank=True)
    leased_until = models.FloatField(default=0)
    in_flight = models.TextField(blank=True, help_text=_("Keys of the events in a POST that has not been answered."))
    in_flight_since = models.FloatField(null=True)
    next_at = models.FloatField(default=0, help_text=_("Unix seconds from which the rate limit lets it send again."))
    suspects = models.PositiveIntegerField(
        default=0, help_text=_("How many of the events that are due longest hold one that TikTok refuses.")
    )
    batch_limit = models.PositiveIntegerField(default=0, help_text=_("Events of the next request; 0 for BATCH_SIZE."))

    class Meta:
        constraints = (models.UniqueConstraint(fields=("pixel_code", "number"), name="tiktok_lane_once"),)

    def __str__(self) -> str:
        return f"{self.pixel_code}/{self.number}"


class Turn(models.Model):
    """A Celery task's turn to send for a pixel: whose it is, and until when. There are DELIVERY_TASKS of a pixel."""

    pixel_code = ExactCharField(max_length=64)
    number = models.PositiveSmallIntegerField()
    holder = models.CharField(max_length=22, blank=True)
    leased_until = models.FloatField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("pixel_code", "number"), name="tiktok_turn_once"),)

    def __str__(self) -> str:
        return f"{self.pixel_code}/{self.number}"
