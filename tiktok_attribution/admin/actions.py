"""Retry and cancel in the admin: actions of the list, and buttons on the page of one event. Both work by POST only.

A `Verb` holds the texts of an action. `ActionAdmin` checks the permission, asks where something could be lost, runs the
action and reports what it did. A whole filter becomes a background job.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import router
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from tiktok_attribution import conf
from tiktok_attribution.admin.action_run import PAGE_ROWS, ManualAction, Result, rows, run, stopped_pixels
from tiktok_attribution.admin.base import MOST, ReadOnlyAdmin
from tiktok_attribution.admin.explanations import REASONS, Text
from tiktok_attribution.admin.filters import in_words
from tiktok_attribution.admin.list_query import read_query
from tiktok_attribution.delivery import manual
from tiktok_attribution.delivery.event_search import EventFilter, KeysetPage, newest
from tiktok_attribution.models import BulkJob, BulkVerb, OutboxEvent, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """The texts of one action. `plan` and `done` take a number of events and return a sentence."""

    name: str
    action: ManualAction
    question: Text
    button: Promise
    logged: Promise
    asked: Promise
    plan: Callable[[int], str]
    done: Callable[[int], str]
    warning: Text = ""


def _will_retry(count: int) -> str:
    return ngettext(
        "%(count)d event is sent again, with the same event_id and the same time.",
        "%(count)d events are sent again, with the same event_id and the same time.",
        count,
    ) % {"count": count}


def _retried(count: int) -> str:
    return ngettext("%(count)d event is due now.", "%(count)d events are due now.", count) % {"count": count}


def _will_cancel(count: int) -> str:
    return ngettext(
        "%(count)d waiting event is not sent to TikTok.", "%(count)d waiting events are not sent to TikTok.", count
    ) % {"count": count}


def _cancelled(count: int) -> str:
    return ngettext("%(count)d event was cancelled.", "%(count)d events were cancelled.", count) % {"count": count}


def will_rebuild(count: int) -> str:
    """Return the sentence for invalid events that are built again."""
    return ngettext(
        "%(count)d invalid event is built again from its object.",
        "%(count)d invalid events are built again from their objects.",
        count,
    ) % {"count": count}


def may_count_twice(count: int) -> str:
    """Return the warning for a late retry."""
    return ngettext(
        "%(count)d of them may have reached TikTok more than 47 hours ago, by an attempt without an answer or by the "
        "browser. TikTok remembers an event_id for 48 hours: sent again, it could be counted twice.",
        "%(count)d of them may have reached TikTok more than 47 hours ago, by an attempt without an answer or by the "
        "browser. TikTok remembers an event_id for 48 hours: sent again, they could be counted twice.",
        count,
    ) % {"count": count}


def left_alone(count: int, reason: Text) -> str:
    """Return how many events were not changed, and the reason."""
    return ngettext(
        "%(count)d event is left as it is: %(reason)s.", "%(count)d events are left as they are: %(reason)s.", count
    ) % {"count": count, "reason": reason}


def all_that_fit(count: int, choice: str, *, more: bool) -> str:
    """Return how many events match a filter, as far as they were counted."""
    if more:
        return gettext("At least %(count)d events match: %(choice)s.") % {"count": count, "choice": choice}
    return ngettext("%(count)d event matches: %(choice)s.", "%(count)d events match: %(choice)s.", count) % {
        "count": count,
        "choice": choice,
    }


IN_BACKGROUND = _("This runs in the background. A page shows the progress, and you can stop it there.")
CAREFUL = _(
    "Not changed: events that TikTok has, whose text was cleared, that are too old, that are invalid, and those "
    "that could count twice."
)

RETRY = Verb(
    name="retry",
    action=manual.retry,
    question=_("Send again?"),
    button=_("Send again"),
    logged=_("Sent again by a person."),
    asked=_("Asked to send all events of a filter again."),
    plan=_will_retry,
    done=_retried,
)
CANCEL = Verb(
    name="cancel",
    action=manual.cancel,
    question=_("Cancel?"),
    button=_("Cancel sending"),
    logged=_("Cancelled by a person."),
    asked=_("Asked to cancel all events of a filter."),
    plan=_will_cancel,
    done=_cancelled,
    warning=_(
        "An event that is being sent right now may still arrive, and is then marked as delivered. "
        "A pixel call that a page has made is not undone."
    ),
)


CONFIRMED = "confirmed"
EVERYTHING = "everything"
"""The extra field of the confirmation form if no filter is chosen."""
MOST_NAMED = 10
MOST_COUNTED = 1_000
"""The most events of a whole filter that the confirmation page counts."""


class ActionAdmin(ReadOnlyAdmin):
    """Actions with a permission each. The list always asks for confirmation; the page asks if something may be lost."""

    actions = ("retry_selected", "cancel_selected")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tiktok_attribution.retry_outboxevent")

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tiktok_attribution.cancel_outboxevent")

    @admin.action(permissions=["retry"], description=gettext_lazy("Send selected events again"))
    def retry_selected(self, request: HttpRequest, queryset: QuerySet[OutboxEvent]) -> HttpResponse | None:
        return self._act_on_list(request, queryset, RETRY)

    @admin.action(permissions=["cancel"], description=gettext_lazy("Cancel selected events"))
    def cancel_selected(self, request: HttpRequest, queryset: QuerySet[OutboxEvent]) -> HttpResponse | None:
        return self._act_on_list(request, queryset, CANCEL)

    def get_urls(self) -> list[URLPattern]:
        def address(verb: Verb) -> URLPattern:
            view = self.admin_site.admin_view(partial(self._act_on_one, verb))
            # Outside of admin_view: otherwise a GET would lead to the login page, which sends the user back to it.
            return path(f"<int:pk>/{verb.name}/", require_POST(view), name=f"tiktok_attribution_event_{verb.name}")

        return [address(RETRY), address(CANCEL), *super().get_urls()]

    def _may(self, request: HttpRequest, verb: Verb) -> bool:
        return bool(getattr(self, f"has_{verb.name}_permission")(request))

    def _act_on_list(self, request: HttpRequest, queryset: QuerySet[OutboxEvent], verb: Verb) -> HttpResponse | None:
        using = router.db_for_write(OutboxEvent)
        asked = read_query(request.GET)
        # Building again needs the site's declarations, which background jobs don't know (they are on a lower floor).
        builds_again = verb is RETRY and asked.event_filter.state == State.INVALID
        if request.POST.get("select_across") == "1" and asked.for_job is not None and not builds_again:
            return self._act_on_all(request, verb, asked.for_job, using)
        pks = list(queryset.using(using).values_list("pk", flat=True)[:MOST])
        if CONFIRMED in request.POST:
            self._do(request, verb, pks, using)
            return None
        plan = run(verb.action, pks, using=using, dry=True)
        if not plan.all_changed:
            self._tell_refused(request, plan)
            return None
        hidden = [(ACTION_CHECKBOX_NAME, pk) for pk in request.POST.getlist(ACTION_CHECKBOX_NAME)]
        hidden += [("action", f"{verb.name}_selected"), ("select_across", request.POST.get("select_across", "0"))]
        back = request.get_full_path()
        return self._ask(request, verb, plan, hidden, using=using, address=back, back=back)

    def _act_on_all(
        self, request: HttpRequest, verb: Verb, event_filter: EventFilter, using: str
    ) -> HttpResponse | None:
        """Start a background job for all events of the filter."""
        everything = not event_filter
        # Decision: all events need a second confirmation, since a filter that was lost on the way looks the same as no
        # filter. The job stores the filter as validated data, and applies it again to each page of rows.
        if CONFIRMED in request.POST and (not everything or EVERYTHING in request.POST):
            who = str(request.user.pk)
            job = manual.start(BulkVerb(verb.name), event_filter, asked_by=who, using=using, everything=everything)
            self.log_by_hand(request, BulkJob.objects.using(using).filter(pk=job.pk), str(verb.asked))
            page = reverse("admin:tiktok_attribution_bulkjob_change", args=[job.pk], current_app=self.admin_site.name)
            return HttpResponseRedirect(page)
        found = newest(event_filter.rows(using=using), event_filter, most=MOST_COUNTED)
        if not found.pks and found.looked_to is None:
            self.message_user(request, gettext("No event matches this filter any more."), messages.WARNING)
            return None
        return self._ask_for_all(request, verb, event_filter, found, using)

    def _ask_for_all(
        self, request: HttpRequest, verb: Verb, event_filter: EventFilter, found: KeysetPage, using: str
    ) -> HttpResponse:
        back = request.get_full_path()
        hidden = [(ACTION_CHECKBOX_NAME, pk) for pk in request.POST.getlist(ACTION_CHECKBOX_NAME)[:1]]
        hidden += [("action", f"{verb.name}_selected"), ("select_across", "1")]
        warnings = [str(verb.warning)] if verb.warning else [str(CAREFUL)]
        more = len(found.pks) == MOST_COUNTED or found.looked_to is not None
        return self._question(
            request,
            verb,
            hidden=hidden,
            address=back,
            back=back,
            plan=[all_that_fit(len(found.pks), in_words(event_filter), more=more), str(IN_BACKGROUND)],
            warnings=warnings,
            everything="" if event_filter else EVERYTHING,
            events=rows(found.pks[:MOST_NAMED], using=using).order_by("-pk"),
            more=max(0, len(found.pks) - MOST_NAMED),
        )

    def _act_on_one(self, verb: Verb, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_view_permission(request) or not self._may(request, verb):
            raise PermissionDenied
        using = router.db_for_write(OutboxEvent)
        if not rows([pk], using=using).exists():
            raise Http404
        page = reverse("admin:tiktok_attribution_outboxevent_change", args=[pk], current_app=self.admin_site.name)
        plan = run(verb.action, [pk], using=using, dry=True)
        if not plan.all_changed:
            self._tell_refused(request, plan)
        elif CONFIRMED in request.POST or not (verb.warning or plan.doubtful):
            self._do(request, verb, [pk], using)
        else:
            return self._ask(request, verb, plan, [], using=using, address=request.path, back=page)
        return HttpResponseRedirect(page)

    def _ask(
        self,
        request: HttpRequest,
        verb: Verb,
        plan: Result,
        hidden: Sequence[tuple[str, Any]],
        *,
        using: str,
        address: str,
        back: str,
    ) -> HttpResponse:
        changing = [*plan.changed, *plan.rebuilt]
        return self._question(
            request,
            verb,
            hidden=hidden,
            address=address,
            back=back,
            plan=self._plan(verb, plan),
            warnings=self._warnings(verb, plan, using),
            refused=self._refused(plan),
            events=rows(changing[:MOST_NAMED], using=using).order_by("-pk"),
            more=max(0, len(changing) - MOST_NAMED),
        )

    def _question(self, request: HttpRequest, verb: Verb, **context: Any) -> HttpResponse:
        request.current_app = self.admin_site.name
        context |= {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": verb.question,
            "button": verb.button,
            "confirmed": CONFIRMED,
        }
        return TemplateResponse(request, "admin/tiktok_attribution/confirm.html", context)

    def _plan(self, verb: Verb, plan: Result) -> list[str]:
        lines = [verb.plan(len(plan.changed))] if plan.changed else []
        return lines + ([will_rebuild(len(plan.rebuilt))] if plan.rebuilt else [])

    def _warnings(self, verb: Verb, plan: Result, using: str) -> list[str]:
        lines = [str(verb.warning)] if verb.warning else []
        if verb is RETRY:
            lines += [may_count_twice(plan.doubtful)] if plan.doubtful else []
            lines += self._hindrances(plan, using)
        if plan.all_changed + plan.refused.total() >= MOST:
            lines.append(gettext("At most %(most)d events are changed at once: the newest ones.") % {"most": MOST})
        return lines

    def _hindrances(self, result: Result, using: str) -> list[str]:
        """Return what keeps events that are due from being sent now."""
        lines = [
            gettext("Pixel %(pixel)s is stopped: its events wait until it is resumed.") % {"pixel": code}
            for code in stopped_pixels(result.pixel_codes, using=using)
        ]
        if not conf.current().enabled:
            lines.append(gettext("ENABLED is off in the settings: nothing is sent until it is on."))
        return lines

    def _refused(self, result: Result) -> list[str]:
        return [left_alone(count, REASONS[reason]) for reason, count in result.refused.most_common()]

    def _do(self, request: HttpRequest, verb: Verb, pks: Sequence[int], using: str) -> None:
        result = run(verb.action, pks, using=using)
        self._log(request, verb, [*result.changed, *result.rebuilt], using)
        if result.all_changed:
            self.message_user(request, verb.done(result.all_changed), messages.SUCCESS)
            for line in self._hindrances(result, using) if verb is RETRY else ():
                self.message_user(request, line, messages.WARNING)
        self._tell_refused(request, result)

    def _tell_refused(self, request: HttpRequest, result: Result) -> None:
        for line in self._refused(result):
            self.message_user(request, line, messages.WARNING)
        if not result.all_changed and not result.refused:
            self.message_user(request, gettext("These events no longer exist; nothing was changed."), messages.WARNING)

    def _log(self, request: HttpRequest, verb: Verb, pks: Sequence[int], using: str) -> None:
        for start in range(0, len(pks), PAGE_ROWS):
            events = rows(pks[start : start + PAGE_ROWS], using=using).only("name", "event_id")
            self.log_by_hand(request, events, str(verb.logged))
