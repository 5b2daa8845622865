"""Erases a user's events when the site deletes the user, where the setting ERASE_WITH_USER asks for it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models.signals import pre_delete

from tiktok_attribution import conf
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.failures import report
from tiktok_attribution.models.visitor import object_key
from tiktok_attribution.rights.erasing import erase
from tiktok_attribution.rights.person import Person
from tiktok_attribution.transactions import protected
from tiktok_attribution.visitor.matching import identified


def connect() -> None:
    """Watch the site's user model."""
    pre_delete.connect(before_delete, sender=get_user_model(), dispatch_uid="tiktok_attribution.erase_with_user")


@errors_without_values
def before_delete(sender: Any, instance: Any, using: str, **kwargs: Any) -> None:
    """Note who it is while it can be read, erase once it is gone for good.

    By e-mail address and object, which an index finds; the rest is for `tiktok_erase`, as it reads whole tables.
    """
    if not conf.current().erase_with_user:
        return
    try:
        with protected(using):
            keys, _ = identified(instance, conf.current().user)
        who = Person(emails=keys.email, hashes=keys.email, objects=((sender._meta.label, object_key(instance.pk)),))
        transaction.on_commit(lambda: erase_quietly(who), using=using, robust=True)
    except Exception as error:  # noqa: BLE001 -- the site's own mapping may raise anything
        report(error, "a deleted user's events were not erased, use tiktok_erase")


def erase_quietly(who: Person) -> None:
    """After the commit; what fails is logged."""
    try:
        erase(who, quick=True)
    except Exception as error:  # noqa: BLE001 -- the user is deleted whatever happens here
        report(error, "a deleted user's events were not erased, use tiktok_erase")
