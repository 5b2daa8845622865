"""Whether Django knows that its visitors come over TLS: seen from the notes of the newest events."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.conf import settings as django_settings
from django.utils.translation import gettext as _

from tiktok_attribution.conversions.building import SEEN_AS_HTTP
from tiktok_attribution.delivery.outbox import write_database
from tiktok_attribution.diagnosis.result import CheckResult, Level
from tiktok_attribution.models import OutboxEvent, moment

NEWEST = 100
"""Events that are looked through, none of them older than a day."""
DAY = 86_400


def results() -> Iterator[CheckResult]:
    """A warning where pages of a site that is at https came as http.

    Decision: by what came, and not by settings. That SECURE_PROXY_SSL_HEADER is missing says nothing, for gunicorn and
    uvicorn can tell Django the same, and a load balancer may leave TLS to them.
    """
    if django_settings.SECURE_PROXY_SSL_HEADER:
        return  # fixed, whatever older events say
    events = OutboxEvent.objects.using(write_database()).order_by("-pk")
    newest = events.values_list("created_at", "note")[:NEWEST]
    count = sum(SEEN_AS_HTTP in note for created_at, note in newest if created_at > moment(time.time() - DAY))
    if count:
        yield CheckResult(
            id="proxy",
            level=Level.WARNING,
            what=_("SITE_URL begins with https://, but Django took %(count)d newest pages for http.")
            % {"count": count},
            reason=_(
                "A proxy ends TLS and Django does not know it. Events are sent with https, as SITE_URL says; but "
                "cookies are not marked as secure, and links and redirects of the site begin with http://."
            ),
            fix=_(
                "Have the proxy set X-Forwarded-Proto, then write SECURE_PROXY_SSL_HEADER = "
                '("HTTP_X_FORWARDED_PROTO", "https"). If visitors really come over http: SECURE_SSL_REDIRECT = True.'
            ),
        )
