"""What is wrong with a pixel for a while, and whether the admins know."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.fields import ExactCharField


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
