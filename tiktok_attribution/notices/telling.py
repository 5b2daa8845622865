"""From what is seen to what is told: each change by whoever wins a conditional UPDATE, so many workers tell it once."""

from __future__ import annotations

import logging

from django.db import Error as DatabaseTrouble
from django.db import IntegrityError, transaction

from tiktok_attribution import conf
from tiktok_attribution.delivery.clock import database_time
from tiktok_attribution.delivery.heartbeat import beat
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.failures import describe
from tiktok_attribution.models import Notice
from tiktok_attribution.notices import mail
from tiktok_attribution.notices.watching import Seen, seen
from tiktok_attribution.signals import trouble_began, trouble_ended

logger = logging.getLogger("tiktok_attribution")

TURN = "notices"
EVERY_SECONDS = 60.0


def notify_all(*, now: float | None = None) -> None:
    """For what runs in the background: look, tell receivers of the signals, and write to the admins, about once a
    minute whoever calls. Raises nothing, and waits for no mail server longer than `mail.PATIENCE_SECONDS`."""
    if not conf.current().enabled:
        return
    for using in outbox_databases():
        try:
            at = database_time(using) if now is None else now
            if beat(TURN, using=using, now=at, every=EVERY_SECONDS):
                notify(using=using, now=at)
        except DatabaseTrouble as error:
            logger.warning("tiktok: whether database %r has troubles is not known (%s)", using, describe(error))
        except Exception:
            logger.exception("tiktok: no notice could be given for database %r", using)


def notify(*, using: str, now: float) -> None:
    """Note what has changed, with its signals; then the e-mail that is due."""
    notices = Notice.objects.using(using)
    told = {
        (code, trouble): is_open for code, trouble, is_open in notices.values_list("pixel_code", "trouble", "is_open")
    }
    for one in seen(using=using, now=now):
        # What is as it was costs no write. See `beat`.
        if one.is_there is not None and told.get((one.pixel_code, one.trouble), False) is not one.is_there:
            _note(one, using=using, now=now)
    mail.send_due(using=using, now=now)


def _note(one: Seen, *, using: str, now: float) -> None:
    notices = Notice.objects.using(using).filter(pixel_code=one.pixel_code, trouble=one.trouble)
    changes = {"is_open": one.is_there, "changed_at": now} | ({"figure": one.figure} if one.is_there else {})
    has_flipped = bool(notices.filter(is_open=not one.is_there).update(**changes))
    if not has_flipped and (not one.is_there or notices.exists() or not _first(one, using=using, now=now)):
        return
    logger.warning("tiktok pixel %s: %s%s", one.pixel_code, one.trouble.value, "" if one.is_there else " no more")
    signal = trouble_began if one.is_there else trouble_ended
    signal.send_robust(Notice, notice=notices.get(), using=using)


def _first(one: Seen, *, using: str, now: float) -> bool:
    """The first time of this pixel; False where another process was quicker."""
    new = Notice(pixel_code=one.pixel_code, trouble=one.trouble, is_open=True, changed_at=now, figure=one.figure)
    try:
        with transaction.atomic(using=using):
            new.save(using=using, force_insert=True)
    except IntegrityError:
        return False
    return True
