"""The e-mail to ADMINS: what began or ended, and where to look. No personal data, no words of TikTok's, no token.

It is sent in a thread of its own, for a mail server may hang and delivery must not. Who claims the notices sends them;
a claim runs out, so what a process took with it when it ended is sent by another.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from django.conf import settings as django_settings
from django.contrib.admin.utils import quote
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import mail_admins
from django.db import connections
from django.db.models import F
from django.urls import NoReverseMatch, reverse
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from tiktok_attribution import conf
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.models import Alert, AlertKind

logger = logging.getLogger("tiktok_attribution")

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
        _last = thread = threading.Thread(target=_send, args=(letter,), name="tiktok-notices", daemon=True)
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
