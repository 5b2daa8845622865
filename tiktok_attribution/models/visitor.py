"""Visitor snapshots, and counts of suppressed events.

The key that rows use for an object of the site comes from `object_key`.
"""

from __future__ import annotations

import hashlib
import re

from django.db import models
from django.utils import timezone as django_timezone
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.events.sanitize import holds_email
from tiktok_attribution.models.fields import ExactCharField


class VisitorSnapshot(models.Model):
    """The signals of the shopper who made an object, for a conversion that happens elsewhere, such as in a webhook."""

    object_label = ExactCharField(max_length=100)
    object_pk = ExactCharField(max_length=64)
    signals = models.TextField()
    visitor_key = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=django_timezone.now, db_index=True)

    class Meta:
        verbose_name = _("visitor snapshot")
        verbose_name_plural = _("visitor snapshots")
        constraints = (models.UniqueConstraint(fields=("object_label", "object_pk"), name="tiktok_snapshot_once"),)

    def __str__(self) -> str:
        return f"{self.object_label} {self.object_pk}"


class SuppressedCount(models.Model):
    """How many events were suppressed, by day, pixel, name and reason. Nothing else of them is kept."""

    day = models.DateField(_("day"))
    pixel_code = ExactCharField(_("pixel"), max_length=64)
    name = ExactCharField(_("event"), max_length=50)
    reason = models.CharField(_("reason"), max_length=20)
    count = models.PositiveBigIntegerField(_("count"), default=0)

    class Meta:
        verbose_name = _("suppressed events")
        verbose_name_plural = _("suppressed events")
        constraints = (
            models.UniqueConstraint(fields=("day", "pixel_code", "name", "reason"), name="tiktok_suppressed_once"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.name}: {self.count} {self.reason}"


MOST_CHARACTERS = 64  # the length of the columns `object_pk`
_PHONE = re.compile(r"\+[0-9 ()./-]{6,}")


def object_key(pk: object) -> str:
    """Return a primary key as text; a digest if it is too long, or if it is an e-mail address or a phone number."""
    key = str(pk)
    if len(key) <= MOST_CHARACTERS and not holds_email(key) and not _PHONE.fullmatch(key):
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]
