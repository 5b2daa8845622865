"""Watch the declared models: record a conversion when it first becomes true, and keep the visitor until then.

`connect` registers `before_save` and `after_save` for every declared model. `recheck` does the same work for an object
that was changed without a signal. No error here may break a save (`_harmless`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from typing import Any

from django.db import connections, router
from django.db.models import Model
from django.db.models.signals import post_save, pre_save
from django.db.transaction import TransactionManagementError

from tiktok_attribution import conf
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.conversion import Conversion
from tiktok_attribution.conversions.maker import current_maker, keep_maker
from tiktok_attribution.conversions.objects import Saved, has_expressions, heal, record_object, renewed, stored
from tiktok_attribution.conversions.recorded import Recorded, find_recorded
from tiktok_attribution.conversions.recorder import channels_now, is_inside_paused, is_paused
from tiktok_attribution.conversions.refunds import note_change
from tiktok_attribution.conversions.suppression import hold_back_one
from tiktok_attribution.conversions.written import find_written, remember_written
from tiktok_attribution.delivery.suppressed import lasting_refusals
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.failures import report
from tiktok_attribution.transactions import is_lost, protected
from tiktok_attribution.visitor.visitor import Requester

LOST = "The database has rolled back this transaction; see the log of tiktok_attribution."

# Kept on the instance from pre_save to post_save: which conversions counted already. Plain numbers, because an object
# whose save failed may be copied or pickled with them.
BEFORE = "_tiktok_counted_before"


def connect() -> None:
    """Watch every declared model. Call it again when the declarations have changed."""
    lasting_refusals.clear()
    lasting_refusals.update(model._meta.label for model in registry.first_visitor_models())
    for model in registry.watched_models():
        uid = f"tiktok_attribution.{model._meta.label}"
        pre_save.connect(before_save, sender=model, dispatch_uid=uid)
        post_save.connect(after_save, sender=model, dispatch_uid=uid)


def _harmless(receiver: Callable[..., None]) -> Callable[..., None]:
    """Keep errors of a receiver from breaking the save: log them. Raise them only if the setting STRICT is on.

    An error is also raised if the transaction of the save is lost already (`transactions.is_lost`).
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
    """Note which conversions the stored object counts for already, so that a second save does not count again."""
    # Decision: "first becomes true" is a transition. Before an update, the stored object is asked whether it counted
    # already. If it did, it does not happen again. So an order from before the app was installed sends no event when
    # a person edits it. The backfill finds what changed without a signal.
    instance.__dict__.pop(BEFORE, None)
    if raw or (is_paused() and not is_inside_paused()) or _is_surely_new(instance):
        return
    model, obj = _as_child(sender, instance, using)
    not_open = []
    for conversion in _concerned(model, kwargs.get("update_fields")):
        recorded = find_recorded(conversion, obj.pk, using=using)
        if recorded is None:
            not_open.append(conversion)
        else:
            recorded.is_saving = True  # `after_save` builds it again, so its own UPDATE need not mark it as unfinished
    instance.__dict__[BEFORE] = [id(one) for one in not_open if _had_counted(one, obj, using)]


def _as_child(sender: type[Model], instance: Any, using: str) -> tuple[type[Model], Any]:
    """Return the stored child if a declared child model is saved through its parent: Django signals only the parent.

    One query for each declared child of the model, and none if there is no such child.
    """
    for child in registry.children_of(sender):
        link = child._meta.get_ancestor_link(sender)
        with protected(using):
            found = child._base_manager.using(using).filter(**{link.attname: instance.pk}).first() if link else None
        if found is not None:
            return child, found
    return sender, instance


def _concerned(sender: type[Model], fields: Collection[str] | None) -> list[Conversion]:
    """Return the conversions that a save of these fields may bring about, and that have a channel in this mode."""
    alive = [one for one in registry.of(sender) if any(channels_now(one.channels, one.event))]
    return [one for one in alive if one.concerns(fields)]


def _had_counted(conversion: Conversion, instance: Any, using: str) -> bool:
    """Return whether the stored object counts already. Asks the database only if the instance counts now."""
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
    """Return True without a key, or with a key that its default made: then Django can only insert."""
    return instance._state.adding and (instance.pk is None or instance._meta.pk.has_default())


@_harmless
def after_save(sender: type[Model], instance: Any, created: bool, raw: bool, using: str, **kwargs: Any) -> None:
    """Record what has just become true, and keep the visitor for what may become true later."""
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
    maker = current_maker(using) if created else None  # a request that saves the object later has not made it
    awaited, not_yet = [], []
    may_be_refund = False
    for conversion in registry.of(sender):
        recorded = find_recorded(conversion, instance.pk, using=using)
        if recorded is not None:
            _renew(conversion, saved, recorded)
            continue
        may_be_refund = may_be_refund or _may_be_refund(conversion, saved, counted, created=created)
        if conversion not in _concerned(sender, saved.update_fields):
            continue
        if id(conversion) in counted and not created:
            heal(conversion, saved.row, using=using)
        else:
            became = _record(conversion, saved, maker, just_made=created)
            if became is None:
                not_yet.append(id(conversion))
            if not became and created:
                awaited.append(conversion)
    if may_be_refund:
        note_change(instance, using=using)
    signals = None
    if maker is not None:
        awaited += registry.kept_for_others(sender)
        if awaited:
            signals = keep_maker(maker, awaited, instance, using=using)
    remember_written(sender._meta.label, instance.pk, not_yet=not_yet, signals=signals, using=using)


def _may_be_refund(conversion: Conversion, saved: Saved, counted: list[int], *, created: bool) -> bool:
    """Return whether this save may have refunded or reversed a conversion that counted before it.

    A save of a few fields, such as `update_fields=["refunded_total"]`, may not be asked whether the object had counted.
    """
    if created or not conf.current().attribution.enabled:
        return False
    if saved.update_fields is None or id(conversion) in counted:
        return conversion.may_be_refunded and id(conversion) in counted
    return conversion.concerns_refunds(saved.update_fields)


def _renew(conversion: Conversion, saved: Saved, recorded: Recorded) -> None:
    """Build the event again: its object was saved once more in the same transaction. It counts even if it has ceased
    to."""
    recorded.is_saving = False
    if _happened(conversion, saved.row, saved.using) is True:
        recorded.renew(renewed(conversion, saved.row, recorded))


def _record(conversion: Conversion, saved: Saved, maker: Requester | None, *, just_made: bool) -> bool | None:
    """Record the conversion if it happened. Return None if it may still happen, False if it has to be fixed first."""
    happened = _happened(conversion, saved.seen, saved.using)
    if happened is not False and saved.row is not saved.seen:
        happened = _happened(conversion, saved.row, saved.using)
    if happened is False:
        return None
    broken = happened if isinstance(happened, Exception) else None
    recorded = record_object(conversion, saved.row, using=saved.using, maker=maker, just_made=just_made, broken=broken)
    return recorded is not None


def _happened(conversion: Conversion, obj: Any, using: str) -> bool | Exception:
    """Return whether the object counts, or the error that the declaration raised."""
    if conversion.happens_when_made:
        return True
    try:
        with protected(using):
            return bool(conversion.happened(obj))
    except Exception as error:
        return error


@errors_without_values
def recheck(obj: Model, *, using: str | None = None, unknown_consent: bool = False) -> list[str]:
    """Check an object now, and record what it counts for although no signal reported it.

    Use it after `QuerySet.update()`, and for conditions that depend on other tables. The object is read again from the
    database. An event that was recorded already stays as it is, unless it was invalid or its transaction is still open.
    An object without a time of its own counts as happened now. Returns the ids of the recorded events.

    An object that its visitor may have refused in an outage is not recorded. If the site knows that the visitor agreed,
    pass `unknown_consent=True`.
    """
    if is_paused():
        return []
    using = using or obj._state.db or router.db_for_write(type(obj))
    with protected(using):
        fresh = stored(obj, using=using)
    return [] if fresh is None else _recheck(*_as_child(type(fresh), fresh, using), using, unknown_consent)


def _recheck(model: type[Model], obj: Any, using: str, unknown_consent: bool) -> list[str]:
    found = []
    if conf.current().attribution.enabled and any(one.may_be_refunded for one in registry.of(model)):
        note_change(obj, using=using)
    for conversion in _concerned(model, None):
        open_one = find_recorded(conversion, obj.pk, using=using)
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
