"""Who a shopper was, and how many events were told to nobody."""

from __future__ import annotations

from django.db import models
from django.utils import timezone as django_timezone
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.fields import ExactCharField


class VisitorSnapshot(models.Model):
    """Who a shopper was when the object was made, for a conversion that is completed elsewhere (a webhook)."""

    object_label = ExactCharField(max_length=100)
    object_pk = ExactCharField(max_length=64)
    signals = models.TextField()
    created_at = models.DateTimeField(default=django_timezone.now, db_index=True)

    class Meta:
        verbose_name = _("visitor snapshot")
        verbose_name_plural = _("visitor snapshots")
        constraints = (models.UniqueConstraint(fields=("object_label", "object_pk"), name="tiktok_snapshot_once"),)

    def __str__(self) -> str:
        return f"{self.object_label} {self.object_pk}"


class SuppressedCount(models.Model):
    """How many events were told to nobody, by day and reason: all that is left of them."""

    day = models.DateField(_("day"))
    pixel_code = ExactCharField(_("pixel"), max_length=64)
    name = ExactCharField(_("event"), max_length=50)
    reason = models.CharField(_("reason"), max_length=20)
    count = models.PositiveBigIntegerField(_("count"), default=0)

    class Meta:
        verbose_name = _("dropped events")
        verbose_name_plural = _("dropped events")
        constraints = (
            models.UniqueConstraint(fields=("day", "pixel_code", "name", "reason"), name="tiktok_dropped_once"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.name}: {self.count} {self.reason}"
