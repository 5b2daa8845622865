"""From what is seen to what is told: each change by whoever wins a conditional UPDATE, so many workers tell it once."""

from __future__ import annotations

import logging

from django.db import Error as AnyDatabaseError
from django.db import IntegrityError, transaction

from tiktok_attribution import conf
from tiktok_attribution.alerts import mail
from tiktok_attribution.alerts.watching import Seen, seen
from tiktok_attribution.delivery.clock import database_time
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.delivery.turns import beat
from tiktok_attribution.failures import describe
from tiktok_attribution.models import Alert
from tiktok_attribution.signals import alert_closed, alert_opened

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
    mail.send_due(using=using, now=now)


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
