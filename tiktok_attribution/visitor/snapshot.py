"""The shopper's signals, kept with an object from the shopper's own request until it turns into a conversion."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.db import transaction

from tiktok_attribution.events import Page, User
from tiktok_attribution.models import VisitorSnapshot
from tiktok_attribution.visitor.visitor import Visitor


def keep(visitor: Visitor, label: str, pk: object, *, using: str) -> None:
    """Store who the visitor is beside the object. The first one stays: that is the shopper who made it."""
    signals = {"user": asdict(visitor.user.merged(visitor.signed_in)), "page": asdict(visitor.page)}
    row = VisitorSnapshot(object_label=label, object_pk=str(pk), signals=json.dumps(signals))
    with transaction.atomic(using=using):
        VisitorSnapshot.objects.using(using).bulk_create([row], ignore_conflicts=True)


def recall(label: str, pk: object, *, using: str) -> tuple[User, Page] | None:
    """Who made the object and on which page, if that is known."""
    rows = VisitorSnapshot.objects.using(using).filter(object_label=label, object_pk=str(pk))
    text = rows.values_list("signals", flat=True).first()
    if text is None:
        return None
    signals: dict[str, Any] = json.loads(text)
    user: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in signals["user"].items()}
    return User(**user), Page(**signals["page"])
