"""Detect what is wrong with each pixel, and alert the admins by signal and e-mail.

- `seen` checks each pixel, with a few index lookups and the hourly statistics, whatever the outbox's size.
- `notify` stores each change by a conditional UPDATE and sends its signal, so that many workers send it once.
- `send_due` sends the e-mail to ADMINS: what began or ended, and where to look. It contains no personal data, no text
  of TikTok's and no token. A process claims the alerts before it mails them. A claim expires, so another process sends
  what a dead one had claimed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from django.conf import settings as django_settings
from django.contrib.admin.utils import quote
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import mail_admins
from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, connections, transaction
from django.db.models import F, QuerySet, Sum
from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tiktok_attribution import conf
from tiktok_attribution.delivery.clock import database_time
from tiktok_attribution.delivery.lanes import pixels_with_work
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.delivery.turns import beat
from tiktok_attribution.failures import describe
from tiktok_attribution.models import Alert, AlertKind, HourlyStatistics, OutboxEvent, PixelStatus
from tiktok_attribution.signals import alert_closed, alert_opened

logger = logging.getLogger("tiktok_attribution")

DAY = 86_400
ENOUGH = 20
"""Settled events that a share is computed from: the newest hours that hold so many, or the day if it has fewer."""
FEW = 3
"""Fewer failed events than this are no alert, whatever their share."""
WELL = 0.5
"""Late and failing alerts end below this part of their limit. Between the two, nothing changes. Otherwise a queue that
hovers around its limit would send an e-mail every minute."""


DOWN_AFTER = 12
"""Requests in a row without an answer. With the breaker's growing pauses, they take about ten minutes."""


class Seen(NamedTuple):
    """One observation. `is_there` is None if it can't be determined now, so the alert stays as it is.

    `figure` is that of `Alert`.
    """

    pixel_code: str
    alert_kind: AlertKind
    is_there: bool | None
    figure: int | None = None


# Decision: failures are a share of the newest counted events, and not of requests: a mapping that builds nothing makes
# no request at all. Alerts end below half of what began them, or a queue near a limit would alert every minute.
def seen(*, using: str, now: float) -> Iterator[Seen]:
    """Yield the state of every alert of every pixel that is configured, has waiting events, or has an open alert."""
    settings = conf.current()
    stopped = dict(_statuses(using).filter(stopped_at__isnull=False).values_list("pixel_code", "code"))
    failures = dict(_statuses(using).filter(failures__gt=0).values_list("pixel_code", "failures"))
    open_ones = Alert.objects.using(using).filter(is_open=True).values_list("pixel_code", flat=True)
    shares = failing_shares(using=using, now=now)
    for code in sorted({*settings.pixel_code, *stopped, *failures, *pixels_with_work(using), *open_ones} - {""}):
        yield Seen(code, AlertKind.STOPPED, code in stopped, stopped.get(code))
        unanswered = failures.get(code, 0)
        is_down = None if 0 < unanswered < DOWN_AFTER else unanswered > 0
        yield Seen(code, AlertKind.DOWN, is_down, unanswered)
        # A stopped pixel's events get old too, which needs no second alert.
        age = None if code in stopped else oldest_due_seconds(code, using=using, now=now)
        yield Seen(code, AlertKind.LATE, _beyond(age, settings.alert_delay_seconds), int((age or 0) // 60))
        if settings.failure_percent:
            percent = shares.get(code, 0.0)
            yield Seen(code, AlertKind.FAILING, _beyond(percent, settings.failure_percent), round(percent))


def _statuses(using: str) -> QuerySet[PixelStatus]:
    return PixelStatus.objects.using(using)


def _beyond(figure: float | None, limit: float) -> bool | None:
    if figure is None or limit * WELL < figure < limit:
        return None
    return figure >= limit


def oldest_due_seconds(pixel_code: str, *, using: str, now: float) -> float:
    """Return for how many seconds its oldest due event has been due; 0 if none. One index lookup for each lane."""
    oldest, lane = now, -1
    while True:
        rows = OutboxEvent.objects.using(using).queued(pixel_code).filter(lane__gt=lane)
        found = rows.order_by("lane", "due_at").values_list("lane", "due_at").first()
        if found is None:
            return now - oldest
        lane, oldest = found[0], min(oldest, found[1] or now)


def failing_shares(*, using: str, now: float) -> dict[str, float]:
    """Return, by pixel, the percentage of its newest settled events that are invalid, rejected or expired."""
    statistics = HourlyStatistics.objects.using(using).filter(hour__gte=int(now) - DAY).values("pixel_code", "hour")
    sums = statistics.annotate(
        good=Sum("delivered"), invalid=Sum("invalid"), rejected=Sum("rejected"), expired=Sum("expired")
    )
    counts: dict[str, tuple[int, int]] = {}
    for hour in sums.order_by("-hour"):
        good, bad = counts.get(hour["pixel_code"], (0, 0))
        if good + bad < ENOUGH:
            more = hour["invalid"] + hour["rejected"] + hour["expired"]
            counts[hour["pixel_code"]] = good + hour["good"], bad + more
    return {code: 100 * bad / (good + bad) for code, (good, bad) in counts.items() if bad >= FEW}


PATIENCE_SECONDS = 2.0
"""How long the sweep waits, so that it usually sees the end. The thread goes on without it."""
CLAIM_SECONDS = 300.0
PAUSE_SECONDS = 600.0
"""Minimum seconds between two e-mails about the same alert of the same pixel."""
RETRY_SECONDS, RETRY_MAX_SECONDS = 300.0, 6 * 3600.0

_lock = threading.Lock()
_last: threading.Thread | None = None


CODED = gettext_lazy("Pixel %(pixel)s is stopped (TikTok's code %(figure)d).")
BEGINS: Mapping[str, Promise] = {
    AlertKind.STOPPED: gettext_lazy("Pixel %(pixel)s is stopped."),
    AlertKind.DOWN: gettext_lazy("Pixel %(pixel)s: TikTok does not answer, %(figure)d requests in a row."),
    AlertKind.LATE: gettext_lazy("Pixel %(pixel)s: events wait, the oldest for %(figure)d minutes."),
    AlertKind.FAILING: gettext_lazy("Pixel %(pixel)s: %(figure)d %% of the newest events fail."),
}
ADVICE: Mapping[str, Promise] = {
    AlertKind.STOPPED: gettext_lazy("TikTok refused its token or permission. Its events wait and are not lost."),
    AlertKind.DOWN: gettext_lazy("Its events wait and are not lost. Can this server open HTTPS connections outwards?"),
    AlertKind.LATE: gettext_lazy("Does a worker run, and does TikTok answer? manage.py tiktok_doctor says so."),
    AlertKind.FAILING: gettext_lazy("They are invalid, refused by TikTok, or too old. The overview names the causes."),
}
ENDS: Mapping[str, Promise] = {
    AlertKind.STOPPED: gettext_lazy("Pixel %(pixel)s may send again."),
    AlertKind.DOWN: gettext_lazy("Pixel %(pixel)s: TikTok answers again."),
    AlertKind.LATE: gettext_lazy("Pixel %(pixel)s: no event waits too long any more."),
    AlertKind.FAILING: gettext_lazy("Pixel %(pixel)s: its events arrive again."),
}


# Decision: the e-mail is sent in a thread. Django's mail has no time limit unless the site sets one, and a hanging mail
# server must not stop delivery. An alert that was over before the mail server came back is not mailed.
def send_due(*, using: str, now: float) -> None:
    """Send one e-mail about everything that the admins do not know yet. Do nothing if nobody would get it."""
    if not conf.current().mail_admins or not django_settings.ADMINS:
        return
    if _is_busy():
        return  # a mail server hangs; it blocks at most one thread of a process
    claimed = _claimed(using, now)
    if claimed:
        with translation.override(django_settings.LANGUAGE_CODE):
            subject, text = written(claimed, database=using if len(outbox_databases()) > 1 else "")
        _start(_Letter(subject, text, claimed, using, now))


def _is_busy() -> bool:
    with _lock:
        return _last is not None and _last.is_alive()


def _claimed(using: str, now: float) -> list[Alert]:
    due = Alert.objects.using(using).exclude(is_told=F("is_open")).filter(mail_at__lte=now)
    claimed = []
    for alert in due.order_by("pixel_code", "alert_kind"):
        same = Alert.objects.using(using).filter(pk=alert.pk, mail_at=alert.mail_at, is_open=alert.is_open)
        if same.update(mail_at=now + CLAIM_SECONDS):
            claimed.append(alert)
    return claimed


class _Letter(NamedTuple):
    """An e-mail that is being sent: its alerts, their database, and since when."""

    subject: str
    text: str
    alerts: Sequence[Alert]
    using: str
    now: float


def _start(letter: _Letter) -> None:
    global _last
    with _lock:
        _last = thread = threading.Thread(target=_send, args=(letter,), name="tiktok-alerts", daemon=True)
        thread.start()
    thread.join(PATIENCE_SECONDS)


def _send(letter: _Letter) -> None:
    """Send the e-mail and store the result; runs in the thread, with database connections of its own."""
    try:
        try:
            mail_admins(letter.subject, letter.text)
        except Exception as error:  # noqa: BLE001 -- any error of a mail backend; its text may contain addresses
            logger.warning("tiktok: an alert could not be mailed (%s); it is tried again", type(error).__name__)
            _postpone(letter)
        else:
            _told(letter)
    except Exception as error:  # noqa: BLE001 -- no database: the claim expires, and another process tries
        logger.warning("tiktok: the result of mailing an alert was not stored (%s)", type(error).__name__)
    finally:
        connections.close_all()


def _told(letter: _Letter) -> None:
    for alert in letter.alerts:
        Alert.objects.using(letter.using).filter(pk=alert.pk).update(
            is_told=alert.is_open, mail_at=letter.now + PAUSE_SECONDS, mail_failures=0
        )


def _postpone(letter: _Letter) -> None:
    for alert in letter.alerts:
        pause = min(RETRY_SECONDS * 2 ** min(alert.mail_failures, 10), RETRY_MAX_SECONDS)
        Alert.objects.using(letter.using).filter(pk=alert.pk).update(
            mail_at=letter.now + pause, mail_failures=F("mail_failures") + 1
        )


def written(alerts: Sequence[Alert], *, database: str = "") -> tuple[str, str]:
    """Return subject and text of the e-mail. `database` is named if a site has several."""
    parts = [_paragraph(alert) for alert in alerts]
    if len(parts) == 1:
        subject = f"TikTok: {parts[0][0]}"
    else:
        subject = ngettext("TikTok: %(count)d alert", "TikTok: %(count)d alerts", len(parts)) % {"count": len(parts)}
    blocks = ["\n".join(filter(None, part)) for part in parts]
    overview = _address("overview_changelist")
    if overview:
        blocks.append(_("Everything at a glance: %(address)s") % {"address": overview})
    if database:
        blocks.append(_("Database: %(database)s") % {"database": database})
    return subject, "\n\n".join(blocks) + "\n"


def _paragraph(alert: Alert) -> list[str]:
    """Return what happened, what it means, and the address of the page that says more."""
    told = {"pixel": alert.pixel_code, "figure": alert.figure}
    if not alert.is_open:
        return [str(ENDS[alert.alert_kind]) % told]
    begins = CODED if alert.alert_kind == AlertKind.STOPPED and alert.figure is not None else BEGINS[alert.alert_kind]
    page = _address("pixelstatus_change", quote(alert.pixel_code)) if alert.alert_kind == AlertKind.STOPPED else ""
    return [str(begins) % told, str(ADVICE[alert.alert_kind]), page]


def _address(view: str, *arguments: str) -> str:
    """Return the address of an admin page; "" if the site's address is unknown or the site has no admin."""
    site = conf.current().site_url
    if not getattr(django_settings, "ROOT_URLCONF", None):  # a worker's settings may have no URLs
        return ""
    try:
        return site and site + reverse(f"admin:tiktok_attribution_{view}", args=arguments)
    except (NoReverseMatch, ImproperlyConfigured):
        return ""


TURN = "alerts"
EVERY_SECONDS = 60.0


def notify_all(*, now: float | None = None) -> None:
    """Check every database about once a minute, send signals, and write to the admins.

    For background processes; only one of several callers does it. It raises nothing, and it waits for a mail server for
    at most PATIENCE_SECONDS.
    """
    if not conf.current().enabled:
        return
    for using in outbox_databases():
        try:
            at = database_time(using) if now is None else now
            if beat(TURN, using=using, now=at, every=EVERY_SECONDS):
                notify(using=using, now=at)
        except AnyDatabaseError as error:
            logger.warning("tiktok: the alerts of database %r could not be checked (%s)", using, describe(error))
        except Exception:
            logger.exception("tiktok: no alert could be sent for database %r", using)


def notify(*, using: str, now: float) -> None:
    """Store what has changed and send its signals; then send the e-mail that is due."""
    alerts = Alert.objects.using(using)
    told = {
        (code, alert_kind): is_open
        for code, alert_kind, is_open in alerts.values_list("pixel_code", "alert_kind", "is_open")
    }
    for one in seen(using=using, now=now):
        # What is unchanged costs no write (see `turns.beat`: on SQLite, each UPDATE takes the write lock).
        if one.is_there is not None and told.get((one.pixel_code, one.alert_kind), False) is not one.is_there:
            _note(one, using=using, now=now)
    send_due(using=using, now=now)


def _note(one: Seen, *, using: str, now: float) -> None:
    alerts = Alert.objects.using(using).filter(pixel_code=one.pixel_code, alert_kind=one.alert_kind)
    changes = {"is_open": one.is_there, "changed_at": now} | ({"figure": one.figure} if one.is_there else {})
    has_flipped = bool(alerts.filter(is_open=not one.is_there).update(**changes))
    if not has_flipped and (not one.is_there or alerts.exists() or not _first(one, using=using, now=now)):
        return
    logger.warning("tiktok pixel %s: %s%s", one.pixel_code, one.alert_kind.value, "" if one.is_there else " no more")
    signal = alert_opened if one.is_there else alert_closed
    signal.send_robust(Alert, alert=alerts.get(), using=using)


def _first(one: Seen, *, using: str, now: float) -> bool:
    """Create this alert's row, open. Return False if another process was faster."""
    new = Alert(pixel_code=one.pixel_code, alert_kind=one.alert_kind, is_open=True, changed_at=now, figure=one.figure)
    try:
        with transaction.atomic(using=using):
            new.save(using=using, force_insert=True)
    except IntegrityError:
        return False
    return True
