"""Check each pixel: whether it may send, whether it has a token, and whether its events arrive in time.

`states` lists the pixels with their last success and failure. `pixel_results` finds stopped, unanswered and late ones,
`revenue_results` delivered events that lost their value. `refused_row_results` finds outages: the database refused
rows of this app, so refusals of visitors may be lost. `send_test_event` sends one event and stores nothing: Events
Manager shows it under Test events and does not count it.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from tiktok_attribution import conf
from tiktok_attribution.delivery import outages
from tiktok_attribution.delivery.client import Client
from tiktok_attribution.delivery.figures import PixelFigures, figures
from tiktok_attribution.delivery.outbox import outbox_databases, write_database
from tiktok_attribution.delivery.pixels import NO_TOKEN, OPENS_AFTER
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.doctor.result import CheckResult, Level
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events import Event, Page, User
from tiktok_attribution.events.properties import REVENUE_EVENTS
from tiktok_attribution.events.wire import event_text, request_body
from tiktok_attribution.models import Attempt, OutboxEvent, Outcome, PixelStatus, moment

NEWEST = 500
"""The number of newest attempts that are searched for the last success and failure of a pixel."""


class PixelState(NamedTuple):
    """One pixel, for a table. A time is None if the newest attempts have none."""

    pixel_code: str
    is_configured: bool
    has_token: bool
    stopped_at: datetime | None
    last_success: datetime | None
    last_failure: datetime | None
    last_message: str


def states(*, using: str) -> list[PixelState]:
    """Return the configured pixels, then those that have ever been stopped. Calls ACCESS_TOKEN if it is a callable."""
    settings = conf.current()
    known = {row.pk: row for row in PixelStatus.objects.using(using).order_by("pk")}
    newest = list(Attempt.objects.using(using).order_by("-started_at")[:NEWEST])
    found = []
    for code in dict.fromkeys([*settings.pixel_code, *known]):
        own = [attempt for attempt in newest if attempt.pixel_code == code]
        good = next((one for one in own if one.outcome == Outcome.DELIVERED), None)
        bad = next((one for one in own if one.outcome != Outcome.DELIVERED), None)
        state = PixelState(
            pixel_code=code,
            is_configured=code in settings.pixel_code,
            has_token=bool(settings.token_of(code)),
            stopped_at=known[code].stopped_at if code in known else None,
            last_success=good.started_at if good else None,
            last_failure=bad.started_at if bad else None,
            last_message=str(bad) if bad else "",
        )
        found.append(state)
    return found


def pixel_results(found: Sequence[PixelFigures] | None = None) -> Iterator[CheckResult]:
    """Find stopped pixels, those that TikTok does not answer, and events that are due for too long.

    `found` are the figures of the pixels, if the caller has read them already.
    """
    alert_delay_seconds = conf.current().alert_delay_seconds
    found = list(figures()) if found is None else found
    stopped = [one for one in found if one.stopped]
    late = [one for one in found if not one.stopped and one.oldest_due_seconds > alert_delay_seconds]
    down = list(_down())
    yield from map(_stopped, stopped)
    yield from (_paused(one) for one in found if one.paused_seconds and not one.stopped)
    put_off = [one for one in found if one.put_off_seconds]
    yield from down
    yield from map(_late, late)
    yield from map(_put_off, put_off)
    if found and not stopped and not late and not down and not put_off:
        yield CheckResult(id="pixels", level=Level.OK, what=_("No pixel is stopped and no event is late."))


def _down() -> Iterator[CheckResult]:
    """Find pixels whose requests are paused, because TikTok did not answer several in a row."""
    for using in outbox_databases():
        rows = PixelStatus.objects.using(using).filter(stopped_at__isnull=True, failures__gte=OPENS_AFTER)
        for code, failures in rows.order_by("pk").values_list("pk", "failures"):
            yield CheckResult(
                id=f"down-{code}",
                level=Level.WARNING,
                what=_("Pixel %(pixel)s: TikTok does not answer, %(count)d requests in a row.")
                % {"pixel": code, "count": failures},
                reason=_("Its events wait and are not lost; one is sent now and then to see whether TikTok is back."),
                fix=_(
                    "If other sites reach TikTok: check that this server can open HTTPS connections to the internet "
                    "(firewall, proxy, DNS). The attempts show the answers."
                ),
            )


def _stopped(one: PixelFigures) -> CheckResult:
    return CheckResult(
        id=f"stopped-{one.pixel_code}",
        level=Level.ERROR,
        what=_("Pixel %(pixel)s is stopped: %(answer)s") % {"pixel": one.pixel_code, "answer": one.stopped},
        reason=_("Its events wait (%(count)d now) and expire when they are too old.") % {"count": one.waiting},
        # The pixel's page explains the code. Only another token resumes it: delivery.pixels.token_to_send_with.
        fix=_(
            "Fix what the answer names; the pixel's page in the admin explains it. With a new token it resumes by "
            "itself. After any other change choose Resume on that page."
        ),
    )


def _paused(one: PixelFigures) -> CheckResult:
    return CheckResult(
        id=f"paused-{one.pixel_code}",
        level=Level.WARNING,
        what=_("Pixel %(pixel)s makes no request for %(seconds)d seconds.")
        % {"pixel": one.pixel_code, "seconds": one.paused_seconds},
        reason=_("TikTok asked for a pause (a rate limit), or does not answer. Its events wait and are not lost."),
        fix=_("Wait. If it happens often, lower EVENTS_PER_SECOND."),
    )


def _put_off(one: PixelFigures) -> CheckResult:
    return CheckResult(
        id=f"put-off-{one.pixel_code}",
        level=Level.WARNING,
        what=_("Pixel %(pixel)s: events would wait %(seconds)d seconds longer than the settings allow.")
        % {"pixel": one.pixel_code, "seconds": one.put_off_seconds},
        reason=_("The clock of the database's host was ahead, and has been set back."),
        fix=_("The next sweep makes them due. Without beat, run: manage.py tiktok_deliver"),
    )


def _late(one: PixelFigures) -> CheckResult:
    now = time.time()
    span = timesince(moment(now - one.oldest_due_seconds), moment(now), depth=1)
    late = {"pixel": one.pixel_code, "span": span, "due": one.due}
    return CheckResult(
        id=f"late-{one.pixel_code}",
        level=Level.ERROR,
        what=_("Pixel %(pixel)s: events due: %(due)d, the oldest for %(span)s.") % late,
        reason=_("No worker sends them, or TikTok does not answer."),
        fix=_("See here whether a worker runs and the broker answers, or run: manage.py tiktok_deliver"),
    )


NEWEST_WARNED = 500
"""The number of newest events that are checked, by key, so it takes the same time in a table of any size."""


# Only lost revenue is a problem to report here. Other notes (an invalid phone number, a long text) concern single
# events. The list of events shows them with its filter "delivered, with a warning".
def revenue_results() -> Iterator[CheckResult]:
    """Warn if delivered events count no revenue, with the note of the newest one."""
    columns = ("pk", "name", "state", "note", "value")
    newest = OutboxEvent.objects.using(write_database()).newest_first().only(*columns)[:NEWEST_WARNED]
    lost = [row for row in newest if row.has_warning and _lost_its_value(row)]
    if lost:
        yield CheckResult(
            id="value",
            level=Level.WARNING,
            what=_("Delivered without their value: %(count)d of the newest events. %(note)s")
            % {"count": len(lost), "note": lost[0].note},
            reason=_("TikTok counts them, but not in revenue and ROAS, and a delivered event can't be changed."),
            fix=_(
                'Set DEFAULT_CURRENCY, or write "value" and "currency" in the declaration. New events will have both.'
            ),
        )


def _lost_its_value(row: OutboxEvent) -> bool:
    return row.value is None and (row.name in REVENUE_EVENTS or "value" in row.note)


def refused_row_results() -> Iterator[CheckResult]:
    """Report outages of a database in one result, until they are so old that no backfill looks at their orders."""
    for alias in outbox_databases():
        found = outages.known(alias)
        if not found:
            continue
        lasts = time.time() - found[-1].until <= outages.JOIN_SECONDS
        yield CheckResult(
            id="outage",
            level=Level.ERROR if lasts else Level.WARNING,
            what=_("Database %(alias)s refused rows of this app: %(times)s.")
            % {"alias": alias, "times": "; ".join(map(str, found[-MOST_NAMED:]))},
            reason=_(
                "Refusals of visitors may be lost. An order of that time counts as refused if nothing was stored for "
                "its visitor, so no backfill, webhook or recheck() records it."
            ),
            fix=_(
                "Find the cause in the database's log (full disk, missing permission) and fix it. If you know that all "
                "of those orders may be sent, run: manage.py tiktok_backfill --unknown-consent"
            ),
        )


MOST_NAMED = 5
"""The number of newest outages that are named."""


TEST_CODE = re.compile(r"[A-Za-z0-9_-]{1,64}")
USER_AGENT = "Mozilla/5.0 (compatible; tiktok-attribution test event)"
ADDRESS = "192.0.2.1"  # a documentation address that belongs to no machine (RFC 5737)


@errors_without_values
def send_test_event(pixel_code: str, test_event_code: str) -> Answer:
    """Send a ViewContent as a test event and return TikTok's answer.

    Raises ValueError if the code is not a possible test code: TikTok would count the event as a real one.
    """
    if not TEST_CODE.fullmatch(test_event_code):
        raise ValueError("a test event needs the code of the Test events tab")
    settings = conf.current()
    token = settings.token_of(pixel_code)
    if not token:
        return Answer(message=NO_TOKEN)
    event = Event(
        name="ViewContent",
        event_id=f"test-{secrets.token_hex(8)}",
        event_time=int(time.time()),
        user=User(ip=ADDRESS, user_agent=USER_AGENT),
        page=Page(url=settings.site_url or "https://www.example.com/"),
    )
    with Client(settings.api_url, settings.timeout_seconds) as client:
        return client.post(token, request_body(pixel_code, [event_text(event)], test_event_code))
