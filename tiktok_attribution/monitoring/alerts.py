"""What is wrong with each pixel now: a few looks at indexes and at the counted hours, whatever lies in the outbox.

The e-mail to ADMINS: what began or ended, and where to look. No personal data, no words of TikTok's, no token.

It is sent in a thread of its own, for a mail server may hang and delivery must not. Who claims the notices sends them;
a claim runs out, so what a process took with it when it ended is sent by another.

From what is seen to what is told: each change by whoever wins a conditional UPDATE, so many workers tell it once.
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
"""Settled events from which a share is read: the newest hours that hold so many, or the day where it holds fewer."""
FEW = 3
"""Failed events that are no trouble yet, whatever their share, are fewer than these."""
WELL = 0.5
"""Late and failing events are well again below this part of what made the notice; between the two nothing is told."""


DOWN_AFTER = 12
"""Requests in a row without an answer; with the breaker's growing pauses about ten minutes of them."""


class Seen(NamedTuple):
    """`is_there`: None where it can't be told now, so it stays as it was. `figure` is that of `Notice`."""

    pixel_code: str
    alert_kind: AlertKind
    is_there: bool | None
    figure: int | None = None


def seen(*, using: str, now: float) -> Iterator[Seen]:
    """Every trouble of every pixel that is configured, has something waiting, or has a notice."""
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
        # A stopped pixel's events get old too, which is no news.
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
    """How long its oldest due event has been due, 0 for none: one look at the index a lane."""
    oldest, lane = now, -1
    while True:
        rows = OutboxEvent.objects.using(using).queued(pixel_code).filter(lane__gt=lane)
        found = rows.order_by("lane", "due_at").values_list("lane", "due_at").first()
        if found is None:
            return now - oldest
        lane, oldest = found[0], min(oldest, found[1] or now)


def failing_shares(*, using: str, now: float) -> dict[str, float]:
    """By pixel, the per cent of its newest settled events that are invalid, rejected or expired."""
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
"""How long the sweep waits, so that it usually sees the end; the thread goes on without it."""
CLAIM_SECONDS = 300.0
PAUSE_SECONDS = 600.0
"""Between two e-mails about the same trouble of the same pixel."""
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


def send_due(*, using: str, now: float) -> None:
    """One e-mail about everything that the admins do not know yet. Nothing where nobody would get it."""
    if not conf.current().mail_admins or not django_settings.ADMINS:
        return
    if _is_busy():
        return  # a mail server hangs; one thread of a process at a time is left to it
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
    """An e-mail on its way: what it tells of, in which database, and since when."""

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
    """In the thread, with database connections of its own."""
    try:
        try:
            mail_admins(letter.subject, letter.text)
        except Exception as error:  # noqa: BLE001 -- whatever a mail backend raises; its words may hold addresses
            logger.warning("tiktok: a notice could not be mailed (%s); it is tried again", type(error).__name__)
            _postpone(letter)
        else:
            _told(letter)
    except Exception as error:  # noqa: BLE001 -- the database is away: the claim runs out, and another tries
        logger.warning("tiktok: what became of a notice was not noted (%s)", type(error).__name__)
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
    """Subject and text. `database` is named where a site has several."""
    parts = [_paragraph(alert) for alert in alerts]
    if len(parts) == 1:
        subject = f"TikTok: {parts[0][0]}"
    else:
        subject = ngettext("TikTok: %(count)d notice", "TikTok: %(count)d notices", len(parts)) % {"count": len(parts)}
    blocks = ["\n".join(filter(None, part)) for part in parts]
    overview = _address("overview_changelist")
    if overview:
        blocks.append(_("Everything at a glance: %(address)s") % {"address": overview})
    if database:
        blocks.append(_("Database: %(database)s") % {"database": database})
    return subject, "\n\n".join(blocks) + "\n"


def _paragraph(alert: Alert) -> list[str]:
    """What is so, then what it means, then the address of the page that says more."""
    told = {"pixel": alert.pixel_code, "figure": alert.figure}
    if not alert.is_open:
        return [str(ENDS[alert.alert_kind]) % told]
    begins = CODED if alert.alert_kind == AlertKind.STOPPED and alert.figure is not None else BEGINS[alert.alert_kind]
    page = _address("pixelstatus_change", quote(alert.pixel_code)) if alert.alert_kind == AlertKind.STOPPED else ""
    return [str(begins) % told, str(ADVICE[alert.alert_kind]), page]


def _address(view: str, *arguments: str) -> str:
    """ "" where the site's address is not known, or where it has no admin."""
    site = conf.current().site_url
    if not getattr(django_settings, "ROOT_URLCONF", None):  # a worker's settings may have no URLs
        return ""
    try:
        return site and site + reverse(f"admin:tiktok_attribution_{view}", args=arguments)
    except (NoReverseMatch, ImproperlyConfigured):
        return ""


TURN = "notices"
EVERY_SECONDS = 60.0


def notify_all(*, now: float | None = None) -> None:
    """For what runs in the background: look, tell receivers of the signals, and write to the admins, about once a
    minute whoever calls. Raises nothing, and waits for no mail server longer than `PATIENCE_SECONDS`."""
    if not conf.current().enabled:
        return
    for using in outbox_databases():
        try:
            at = database_time(using) if now is None else now
            if beat(TURN, using=using, now=at, every=EVERY_SECONDS):
                notify(using=using, now=at)
        except AnyDatabaseError as error:
            logger.warning("tiktok: whether database %r has troubles is not known (%s)", using, describe(error))
        except Exception:
            logger.exception("tiktok: no notice could be given for database %r", using)


def notify(*, using: str, now: float) -> None:
    """Note what has changed, with its signals; then the e-mail that is due."""
    alerts = Alert.objects.using(using)
    told = {
        (code, alert_kind): is_open
        for code, alert_kind, is_open in alerts.values_list("pixel_code", "alert_kind", "is_open")
    }
    for one in seen(using=using, now=now):
        # What is as it was costs no write. See `beat`.
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
    """The first time of this pixel; False where another process was quicker."""
    new = Alert(pixel_code=one.pixel_code, alert_kind=one.alert_kind, is_open=True, changed_at=now, figure=one.figure)
    try:
        with transaction.atomic(using=using):
            new.save(using=using, force_insert=True)
    except IntegrityError:
        return False
    return True
