"""The admin of background jobs over all events of a filter: their progress, and the button that stops one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import router
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from tiktok_attribution.admin import formatting
from tiktok_attribution.admin.actions import left_alone
from tiktok_attribution.admin.base import ReadOnlyAdmin
from tiktok_attribution.admin.explanations import REASONS
from tiktok_attribution.admin.filters import in_words
from tiktok_attribution.admin.formatting import Tone
from tiktok_attribution.delivery import manual
from tiktok_attribution.delivery.manual import SkipReason
from tiktok_attribution.models import BulkJob, BulkState

TONES: Mapping[str, Tone] = {
    BulkState.RUNNING: Tone.WAIT,
    BulkState.DONE: Tone.GOOD,
    BulkState.STOPPED: Tone.QUIET,
    BulkState.FAILED: Tone.BAD,
}


@admin.register(BulkJob)
class BulkJobAdmin(ReadOnlyAdmin):
    """Users who may start a job may view all jobs. To stop one needs the permission of its action."""

    fields = ("verb",)
    list_display = ("state_badge", "what", "which", "progress", "changed", "left_alone", "created_at")
    list_display_links = ("what",)
    ordering = ("-pk",)

    class Media:
        js = ("tiktok_attribution/progress.js",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        verbs = ("retry_outboxevent", "cancel_outboxevent")
        sees_events = request.user.has_perm("tiktok_attribution.view_outboxevent")
        starts = sees_events and any(request.user.has_perm(f"tiktok_attribution.{verb}") for verb in verbs)
        return starts or super().has_view_permission(request, obj)

    def get_urls(self) -> list[URLPattern]:
        stop = require_POST(self.admin_site.admin_view(self._stop))
        return [path("<int:pk>/stop/", stop, name="tiktok_attribution_bulk_stop"), *super().get_urls()]

    @admin.display(description=gettext_lazy("state"))
    def state_badge(self, job: BulkJob) -> SafeString:
        return state_badge(job)

    @admin.display(description=gettext_lazy("what"))
    def what(self, job: BulkJob) -> str:
        return job.get_verb_display()

    @admin.display(description=gettext_lazy("which events"))
    def which(self, job: BulkJob) -> str:
        return chosen_words(job)

    @admin.display(description=gettext_lazy("looked through"))
    def progress(self, job: BulkJob) -> SafeString:
        return format_html("{} %", job.percent)

    def _stop(self, request: HttpRequest, pk: int) -> HttpResponse:
        using = router.db_for_write(BulkJob)
        job = BulkJob.objects.using(using).filter(pk=pk).first()
        if not self.has_view_permission(request) or (job is not None and not self._may_stop(request, job)):
            raise PermissionDenied
        if job is None:
            raise Http404
        if manual.stop(pk, using=using, now=time.time()):
            self.log_by_hand(request, BulkJob.objects.using(using).filter(pk=pk), _("Stopped by a person."))
            self.message_user(request, _("The job is stopped. What it has done is not undone."), messages.SUCCESS)
        else:
            self.message_user(request, _("The job has ended already."), messages.WARNING)
        address = reverse("admin:tiktok_attribution_bulkjob_change", args=[pk], current_app=self.admin_site.name)
        return HttpResponseRedirect(address)

    def _may_stop(self, request: HttpRequest, job: BulkJob) -> bool:
        return request.user.has_perm(f"tiktok_attribution.{job.verb}_outboxevent")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        job: BulkJob = kwargs["obj"]
        context |= {
            "badge": state_badge(job),
            "tone": TONES.get(job.state, Tone.QUIET).value,
            "which": chosen_words(job),
            "who": _who(job),
            "running": job.state == BulkState.RUNNING,
            "reasons": list(_reasons(job)),
            "may_stop": job.state == BulkState.RUNNING and self._may_stop(request, job),
        }
        return super().render_change_form(request, context, *args, **kwargs)


def state_badge(job: BulkJob) -> SafeString:
    """Return the state of a job as a badge."""
    return formatting.badge(job.get_state_display(), TONES.get(job.state, Tone.QUIET))


def chosen_words(job: BulkJob) -> str:
    """Describe the events that the job is about."""
    try:
        return in_words(manual.filter_of(job))
    except (ValueError, RecursionError):
        return job.chosen


def _who(job: BulkJob) -> str:
    """Return the name of the user who asked for the job. It is not stored, because it may be an e-mail address."""
    try:
        user = get_user_model()._default_manager.filter(pk=job.asked_by).first() if job.asked_by else None
    except (ValueError, TypeError, ValidationError):
        user = None
    return user.get_username() if user else ""


def _reasons(job: BulkJob) -> Iterator[str]:
    known = {reason.value: text for reason, text in REASONS.items() if isinstance(reason, SkipReason)}
    known[SkipReason.INVALID.value] = _("it is invalid: filter by that state, and “Send again” builds it again")
    for reason, count in sorted(json.loads(job.reasons).items(), key=lambda pair: -pair[1]):
        yield left_alone(count, known.get(reason, reason))
