"""Work over all events of a filter, done in the background a stretch of keys at a time."""

from __future__ import annotations

from django.db import models
from django.utils import timezone as django_timezone
from django.utils.translation import gettext_lazy as _


class BulkVerb(models.TextChoices):
    """What is done to each event."""

    RETRY = "retry", _("send again")
    CANCEL = "cancel", _("cancel")


class BulkState(models.TextChoices):
    """How far a job is."""

    RUNNING = "running", _("running")
    DONE = "done", _("done")
    STOPPED = "stopped", _("stopped by hand")
    FAILED = "failed", _("given up")


class BulkJob(models.Model):
    """Goes over the keys from `first_key` to `last_key` once; `cursor` is the last one that is behind it.

    The cursor moves in the transaction that changes the rows, by an UPDATE that names the old one: whichever process
    works, and whenever it dies, no stretch is done twice. Events that are recorded later lie beyond `last_key`.
    """

    verb = models.CharField(_("what"), max_length=10, choices=BulkVerb.choices)
    chosen = models.TextField(default="{}", help_text=_("JSON of a delivery.event_filter.EventFilter."))
    asked_by = models.CharField(max_length=64, blank=True, help_text=_("Key of the user who asked for it."))
    state = models.CharField(_("state"), max_length=10, choices=BulkState.choices, default=BulkState.RUNNING)
    first_key = models.BigIntegerField(default=0)
    last_key = models.BigIntegerField(default=0)
    cursor = models.BigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(_("changed"), default=0)
    left_alone = models.PositiveBigIntegerField(_("left as they were"), default=0)
    reasons = models.TextField(default="{}", help_text=_("JSON: how many were left as they were, by reason."))
    failures = models.PositiveSmallIntegerField(default=0, help_text=_("Stretches in a row that raised."))
    note = models.CharField(_("note"), max_length=200, blank=True)
    created_at = models.DateTimeField(_("asked for"), default=django_timezone.now)
    touched_at = models.DateTimeField(_("last worked on"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("background job")
        verbose_name_plural = _("background jobs")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.get_verb_display()} {self.pk}"

    @property
    def percent(self) -> int:
        """Of the keys that it goes over."""
        whole = self.last_key - self.first_key + 1
        behind = self.cursor - self.first_key + 1
        return 100 if whole <= 0 or self.state == BulkState.DONE else max(0, min(99, 100 * behind // whole))
