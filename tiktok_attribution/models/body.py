"""The part of an event that is written once: its body, and what it is found by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from django.db import models
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.fields import DigestField, ExactCharField, PartialIndex, digest


class EventBody(models.Model):
    """A table of its own under `OutboxEvent`, which inherits from it, as a database copies a row whole when it changes
    and enters the copy into every index. What changes with each attempt stands in a narrow row beside this one
    (docs/performance.md has both measured).
    """

    type_key = DigestField(of=("pixel_code", "name"))
    event_id = ExactCharField(_("event id"), max_length=128)
    payload = models.TextField(_("payload"), blank=True)
    object_digest = DigestField(of="object_pk")
    email_key = models.BigIntegerField(null=True, help_text=_("First 8 bytes of its hashed e-mail, to find it by."))

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("event_id", "type_key"), name="tiktok_event_once"),)
        indexes = (
            models.Index(fields=("type_key",), name="tiktok_event_type"),
            PartialIndex(
                fields=("object_digest",), condition=models.Q(object_digest__isnull=False), name="tiktok_event_object"
            ),
            PartialIndex(fields=("email_key",), condition=models.Q(email_key__isnull=False), name="tiktok_event_email"),
            # Where a database knows no partial index there is none: one over every key is there already.
            models.Index(fields=("id",), condition=~models.Q(payload=""), name="tiktok_event_bodied"),
        )

    def __str__(self) -> str:
        return self.event_id


def type_key_of(pixel_code: str, name: str) -> int | None:
    """What `EventBody.type_key` holds for the events of this name and pixel."""
    return digest(pixel_code, name)


def events_named(pixel_code: str, name: str, event_ids: Collection[str]) -> models.Q:
    """The events of this pixel and name with one of these ids, by the unique constraint."""
    return models.Q(type_key=type_key_of(pixel_code, name), event_id__in=event_ids)


def events_with(names: Iterable[tuple[str, str, str]]) -> models.Q:
    """The events of these (pixel code, name, event id); where there are none, no row fits."""
    event_ids: dict[tuple[str, str], list[str]] = defaultdict(list)
    for pixel_code, name, event_id in names:
        event_ids[pixel_code, name].append(event_id)
    found = models.Q(pk__in=())
    for type_key, theirs in event_ids.items():
        found |= events_named(*type_key, theirs)
    return found
