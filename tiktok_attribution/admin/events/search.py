"""Search over the events: event id, number of the object, TikTok's request id, or an e-mail address. All by index.

Exact, for what is typed here is copied from an order, a log or a letter of TikTok's support; anything fuzzy would
read the whole table. The form comes by POST and is answered with an address that holds no e-mail address but the key
of its hash, for addresses stand in logs, histories and referrers.
"""

from __future__ import annotations

import re

from django.db.models import Q
from django.utils.translation import gettext as _

from tiktok_attribution.admin.choice.list_query import PERSON, TERM, person_text
from tiktok_attribution.admin.paging import MOST
from tiktok_attribution.delivery.search import EventFilter, newest, sent_by
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.hashing import email_sha256, search_key
from tiktok_attribution.models import Attempt, OutboxEvent, events_of_key
from tiktok_attribution.models.visitor import object_key

MOST_ATTEMPTS = 20
MOST_TYPED = 512
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


class Unsearchable(Exception):
    """What was typed can't be looked for; the text says why, without it."""


@errors_without_values
def parameters_of(typed: str) -> dict[str, str]:
    """The list's parameters for what was typed; an e-mail address, or its SHA-256, becomes the key of its hash.

    Raises Unsearchable for what looks like an e-mail address and is none, so that it reaches no address either.
    """
    term = typed.strip()[:MOST_TYPED]
    if not term:
        return {}
    if "@" not in term and not _SHA256.fullmatch(term):
        return {TERM: term}
    key = search_key(email_sha256(term) or "")
    if key is None:
        raise Unsearchable(_("That is no whole e-mail address, so nothing was looked for."))
    return {PERSON: person_text(key)}


def matching(term: str, *, using: str) -> list[int]:
    """Keys of the events that a search term means, at most `MOST`."""
    rows = OutboxEvent.objects.using(using)
    found: dict[int, None] = {}
    for way in (Q(event_id=term), events_of_key(object_key(term))):
        # One statement a way: an OR over different indexes makes some engines read the table instead.
        found.update(dict.fromkeys(rows.filter(way).order_by("-pk").values_list("pk", flat=True)[:MOST]))
    for attempt in Attempt.objects.using(using).filter(request_id=term).order_by("-started_at")[:MOST_ATTEMPTS]:
        sent = newest(rows.filter(sent_by(attempt)), EventFilter(attempt=attempt.pk), most=MOST)
        found.update(dict.fromkeys(sent.pks))
    return list(found)[:MOST]
