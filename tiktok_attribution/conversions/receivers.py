"""Watches the declared models: records the conversion when it first becomes true, keeps the shopper until then."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

from django.db import connections, router
from django.db.models import Model
from django.db.models.signals import post_save, pre_save
from django.db.transaction import TransactionManagementError

from tiktok_attribution.conversions import recorded as ongoing
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.conversion import Conversion
from tiktok_attribution.conversions.maker import current_maker, keep_maker
from tiktok_attribution.conversions.objects import Saved, has_expressions, heal, record_object, renewed, stored
from tiktok_attribution.conversions.recorded import Recorded
from tiktok_attribution.conversions.recorder import channels_now, is_inside_paused, is_paused
from tiktok_attribution.conversions.suppression import hold_back_one
from tiktok_attribution.conversions.written import find as find_written
from tiktok_attribution.conversions.written import remember
from tiktok_attribution.delivery.suppressed import lasting_refusals
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.failures import report
from tiktok_attribution.transactions import is_lost, protected
from tiktok_attribution.visitor.visitor import Requester

LOST = "The database has rolled back this transaction; see the log of tiktok_attribution."

# On the instance from pre_save to post_save: which conversions counted already. Plain numbers, for an object whose
# save failed may be copied or pickled with them.
BEFORE = "_tiktok_counted_before"


def connect() -> None:
    """Watch every declared model; may be called again when the declarations have changed."""
    lasting_refusals.clear()
    lasting_refusals.update(model._meta.label for model in registry.first_visitor_models())
    for model in registry.watched_models():
        uid = f"tiktok_attribution.{model._meta.label}"
        pre_save.connect(before_save, sender=model, dispatch_uid=uid)
        post_save.connect(after_save, sender=model, dispatch_uid=uid)


def _harmless(receiver: Callable[..., None]) -> Callable[..., None]:
    """No error of ours may break a save: it is logged, and raised only where the setting STRICT asks for it.

    Or where the save is lost already, for its transaction is (`protection.is_lost`).
    """

    @errors_without_values
    @wraps(receiver)
    def guarded(**kwargs: Any) -> None:
        connection = connections[kwargs["using"]]
        was_lost, failure = connection.needs_rollback, None
        try:
            receiver(**kwargs)
        except Exception as error:
            failure = error
        if is_lost(connection, was_lost=was_lost):
            raise failure or TransactionManagementError(LOST)
        if failure is not None:
            report(failure, "%s of %s failed", receiver.__name__, kwargs["sender"].__name__)

    return guarded


@_harmless
def before_save(sender: type[Model], instance: Any, raw: bool, using: str, **kwargs: Any) -> None:
    """Note which conversions the stored object counts for already: what is saved again must not happen again."""
    instance.__dict__.pop(BEFORE, None)
    if raw or (is_paused() and not is_inside_paused()) or _is_surely_new(instance):
        return
    model, obj = _as_child(sender, instance, using)
    not_open = []
    for conversion in _concerned(model, kwargs.get("update_fields")):
        recorded = ongoing.find(conversion, obj.pk, using=using)
        if recorded is None:
            not_open.append(conversion)
        else:
            recorded.is_saving = True  # `after_save` builds it again, so this UPDATE is no news
    instance.__dict__[BEFORE] = [id(one) for one in not_open if _had_counted(one, obj, using)]


def _as_child(sender: type[Model], instance: Any, using: str) -> tuple[type[Model], Any]:
    """The stored child, where a declared one is saved through its parent: Django tells of the parent alone.

    A query for each declared child of the model, and none where there is no such child.
    """
    for child in registry.children_of(sender):
        link = child._meta.get_ancestor_link(sender)
        with protected(using):
            found = child._base_manager.using(using).filter(**{link.attname: instance.pk}).first() if link else None
        if found is not None:
            return child, found
    return sender, instance


def _concerned(sender: type[Model], fields: Collection[str] | None) -> list[Conversion]:
    """The conversions that a save of these fields may bring about, and that have a half in this mode."""
    alive = [one for one in registry.of(sender) if any(channels_now(one.channels, one.event))]
    return [one for one in alive if one.concerns(fields)]


def _had_counted(conversion: Conversion, instance: Any, using: str) -> bool:
    """Asks the stored object, but only if the instance counts now."""
    if not has_expressions(instance) and _happened(conversion, instance, using) is False:
        return False
    written = find_written(conversion.model._meta.label, instance.pk, using=using)
    if written is not None and id(conversion) in written.not_yet:
        return False
    try:
        with protected(using):
            return conversion.had_happened(instance.pk, using)
    except Exception as error:
        report(error, "can't tell whether %r had happened before", conversion)
        return False


def _is_surely_new(instance: Any) -> bool:
    """Without a key, or with one that its default made, Django can only insert."""
    return instance._state.adding and (instance.pk is None or instance._meta.pk.has_default())


@_harmless
def after_save(sender: type[Model], instance: Any, created: bool, raw: bool, using: str, **kwargs: Any) -> None:
    """Record what has just become true; keep the shopper with what may become true later."""
    counted: list[int] = instance.__dict__.pop(BEFORE, [])
    if is_inside_paused():
        hold_back_one(instance, using=using, but=() if created else counted)
    if raw or is_paused():
        return
    if not created:
        sender, instance = _as_child(sender, instance, using)
    _saved(sender, instance, counted, created=created, using=using, fields=kwargs.get("update_fields"))


def _saved(
    sender: type[Model], instance: Any, counted: list[int], *, created: bool, using: str, fields: Collection[str] | None
) -> None:
    saved = Saved(instance, fields, using)
    maker = current_maker(using) if created else None  # whoever saves it later has not made it
    awaited, not_yet = [], []
    for conversion in registry.of(sender):
        recorded = ongoing.find(conversion, instance.pk, using=using)
        if recorded is not None:
            _renew(conversion, saved, recorded)
        elif conversion not in _concerned(sender, saved.update_fields):
            continue
        elif id(conversion) in counted and not created:
            heal(conversion, saved.row, using=using)
        else:
            became = _record(conversion, saved, maker, just_made=created)
            if became is None:
                not_yet.append(id(conversion))
            if not became and created:
                awaited.append(conversion)
    signals = None
    if maker is not None:
        awaited += registry.kept_for_others(sender)
        if awaited:
            signals = keep_maker(maker, awaited, instance, using=using)
    if not_yet:
        remember(sender._meta.label, instance.pk, not_yet=not_yet, signals=signals, using=using)


def _renew(conversion: Conversion, saved: Saved, recorded: Recorded) -> None:
    """Saved once more in the transaction that recorded it. What has ceased to count did happen all the same."""
    recorded.is_saving = False
    if _happened(conversion, saved.row, saved.using) is True:
        recorded.renew(renewed(conversion, saved.row, recorded))


def _record(conversion: Conversion, saved: Saved, maker: Requester | None, *, just_made: bool) -> bool | None:
    """Record it, if it happened; None while it is still to come, False where it has to be fixed."""
    happened = _happened(conversion, saved.seen, saved.using)
    if happened is not False and saved.row is not saved.seen:
        happened = _happened(conversion, saved.row, saved.using)
    if happened is False:
        return None
    broken = happened if isinstance(happened, Exception) else None
    recorded = record_object(conversion, saved.row, using=saved.using, maker=maker, just_made=just_made, broken=broken)
    return recorded is not None


def _happened(conversion: Conversion, obj: Any, using: str) -> bool | Exception:
    """Whether it counts; the error, where the declaration raises one."""
    if conversion.happens_when_made:
        return True
    try:
        with protected(using):
            return bool(conversion.happened(obj))
    except Exception as error:
        return error


@errors_without_values
def recheck(obj: Model, *, using: str | None = None, unknown_consent: bool = False) -> list[str]:
    """Look at this object now: record what it has come to count for, though no signal told of it.

    For `QuerySet.update()`, and for conditions over other tables. The object is read again from the database. What was
    recorded already stays as it is, unless it was invalid or the transaction that recorded it is still open. Without a
    time of its own it happened now. Returns the ids of the events that were recorded.

    What may have been refused in an outage is not recorded, unless the site knows better: `unknown_consent=True`.
    """
    if is_paused():
        return []
    using = using or obj._state.db or router.db_for_write(type(obj))
    with protected(using):
        fresh = stored(obj, using=using)
    return [] if fresh is None else _recheck(*_as_child(type(fresh), fresh, using), using, unknown_consent)


def _recheck(model: type[Model], obj: Any, using: str, unknown_consent: bool) -> list[str]:
    found = []
    for conversion in _concerned(model, None):
        open_one = ongoing.find(conversion, obj.pk, using=using)
        happened = _happened(conversion, obj, using)
        if open_one is not None:
            _renew(conversion, Saved(obj, None, using), open_one)
        elif isinstance(happened, Exception):
            report(happened, "can't tell whether %r happened", conversion)
        elif happened:
            recorded = heal(conversion, obj, using=using) or record_object(
                conversion, obj, using=using, unknown_consent=unknown_consent
            )
            if recorded is not None:
                found.append(recorded.event.event_id)
    return found
