"""Watches the declared models: records the conversion when it first becomes true, keeps the shopper until then."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

from django.db import connections, transaction
from django.db.models import Model
from django.db.models.signals import post_save, pre_save

from tiktok_attribution import conf
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.building import build_event, pixel_codes
from tiktok_attribution.conversions.declaration import Conversion
from tiktok_attribution.conversions.recorder import Fact, Recorded, is_paused, record
from tiktok_attribution.events import Event, Page, User
from tiktok_attribution.events.ids import object_event_id
from tiktok_attribution.visitor import snapshot
from tiktok_attribution.visitor.current import current_shopper
from tiktok_attribution.visitor.visitor import Visitor

logger = logging.getLogger("tiktok_attribution")

BEFORE = "_tiktok_counted_before"  # on the instance, from pre_save to post_save: conversions that counted already
RECORDED = "_tiktok_recorded"  # on the instance, until the transaction ends: what may have to be built again


def connect() -> None:
    """Watch every declared model; may be called again when the declarations have changed."""
    for model in registry.watched_models():
        uid = f"tiktok_attribution.{model._meta.label}"
        pre_save.connect(before_save, sender=model, dispatch_uid=uid)
        post_save.connect(after_save, sender=model, dispatch_uid=uid)


def _harmless(receiver: Callable[..., None]) -> Callable[..., None]:
    """No error of ours may break a save: it is logged, and raised only where the setting STRICT asks for it."""

    @wraps(receiver)
    def guarded(**kwargs: Any) -> None:
        try:
            receiver(**kwargs)
        except Exception:
            if conf.current().strict:
                raise
            logger.exception("tiktok: %s of %s failed", receiver.__name__, kwargs["sender"].__name__)

    return guarded


@_harmless
def before_save(sender: type[Model], instance: Any, raw: bool, using: str, **kwargs: Any) -> None:
    """Note which conversions the stored object counts for already: what is saved again must not happen again."""
    if raw or instance._state.adding or is_paused():
        return
    fields = kwargs.get("update_fields")
    before = set()
    for conversion in registry.of(sender):
        if conversion.concerns(fields) and _open(instance, conversion, using) is None:
            try:
                with transaction.atomic(using=using):
                    if conversion.happened(instance) and conversion.had_happened(instance.pk, using):
                        before.add(conversion)
            except Exception as error:
                logger.warning("tiktok: %r can't tell whether it happened: %s", conversion, type(error).__name__)
    instance.__dict__[BEFORE] = before


@_harmless
def after_save(sender: type[Model], instance: Any, created: bool, raw: bool, using: str, **kwargs: Any) -> None:
    """Record what has just become true; keep the shopper with what may become true later."""
    before: set[Conversion] = instance.__dict__.pop(BEFORE, set())
    if raw or is_paused():
        return
    shopper = current_shopper()
    awaited = False
    for conversion in registry.of(sender):
        if (recorded := _open(instance, conversion, using)) is not None:
            recorded.renew()
            continue
        if not conversion.concerns(kwargs.get("update_fields")) or conversion in before:
            continue
        happened = _happened(conversion, instance)
        if happened is False:
            awaited = True
            continue
        broken = happened if isinstance(happened, Exception) else None
        record_object(conversion, instance, using=using, shopper=shopper, created=created, broken=broken)
    if created and awaited and shopper is not None:
        _keep_shopper(shopper, instance, using)


def _happened(conversion: Conversion, obj: Any) -> bool | Exception:
    """Whether it counts; the error, where the declaration raises one."""
    try:
        return bool(conversion.happened(obj))
    except Exception as error:
        return error


def record_object(
    conversion: Conversion,
    obj: Any,
    *,
    using: str,
    shopper: Visitor | None = None,
    created: bool = False,
    broken: Exception | None = None,
) -> Recorded | None:
    """Record a conversion of an object. The shopper's own signals count only if the object is made right now.

    Later, in whatever request, the snapshot from when it was made is used: the request may be a webhook's.
    """
    label, pk = conversion.model._meta.label, obj.pk
    own = shopper if created else None
    event_id = _event_id(conversion, obj)
    incomplete = False

    def build() -> tuple[Event, list[str]]:
        nonlocal incomplete
        if broken is not None:
            raise broken
        known = (own.user.merged(own.signed_in), own.page) if own else snapshot.recall(label, pk, using=using)
        visitor_keys, page = known or (User(), Page())
        keys, notes = conversion.hashed_user(obj)
        properties = conversion.properties(obj)
        incomplete = "contents" in properties and not properties["contents"]
        event, more = build_event(
            conversion.event,
            event_id=event_id,
            event_time=conversion.event_time(obj),
            user=keys.merged(visitor_keys),
            page=page,
            properties=properties,
        )
        return event, notes + more

    fact = Fact(
        name=conversion.event,
        event_id=event_id,
        build=build,
        using=using,
        pixel_codes=_pixels(conversion, obj, shopper),
        halves=conversion.halves,
        object_label=label,
        object_pk=str(pk),
    )
    done = record(fact, own)
    if done is not None and connections[using].in_atomic_block:
        done.settle = partial(_settle, obj, conversion, done, incomplete)
        obj.__dict__.setdefault(RECORDED, {})[conversion] = done
        transaction.on_commit(done.settle, using=using, robust=True)
    return done


def _open(obj: Any, conversion: Conversion, using: str) -> Recorded | None:
    """What this object's conversion was recorded as in the transaction that is still open; not if it was rolled back."""
    done: Recorded | None = obj.__dict__.get(RECORDED, {}).get(conversion)
    if done is None or any(entry[1] is done.settle for entry in connections[using].run_on_commit):
        return done
    del obj.__dict__[RECORDED][conversion]
    return None


def _settle(obj: Any, conversion: Conversion, done: Recorded, incomplete: bool) -> None:
    """At the commit: an order whose lines were saved after it gets its contents now."""
    obj.__dict__.get(RECORDED, {}).pop(conversion, None)
    if incomplete:
        done.renew()


def _event_id(conversion: Conversion, obj: Any) -> str:
    try:
        return conversion.event_id(obj)
    except Exception:
        logger.exception("tiktok: %r gave no event id; the default form is used", conversion)
        return object_event_id(conversion.label or conversion.model._meta.model_name or "", obj.pk)


def _pixels(conversion: Conversion, obj: Any, shopper: Visitor | None) -> Sequence[str]:
    try:
        return pixel_codes(shopper.request if shopper else None, conversion.pixels(obj))
    except Exception:
        logger.exception("tiktok: %r could not tell its pixel; the configured one is used", conversion)
        return pixel_codes(None)


def _keep_shopper(shopper: Visitor, obj: Any, using: str) -> None:
    """Snapshot for the server half; a note in the shopper's session for the browser half."""
    label = obj._meta.label
    try:
        snapshot.keep(shopper, label, obj.pk, using=using)
    except Exception:
        logger.exception("tiktok: no snapshot of the visitor was kept for %s %s", label, obj.pk)
    shopper.to_watch.append(f"{label}:{obj.pk}")
