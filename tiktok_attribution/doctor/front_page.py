"""Whether the site's own pages carry the tag: its front page is asked for inside this process, and leaves no trace.

The page is rendered for no visitor (INSPECTION) while recording is paused, so nothing of this app's is recorded, shown
or set. What the site's own view and middleware write is rolled back: see `_rolled_back` for what that can't undo.

Whether pages show pixel calls at all: seen from the counted hours, without asking for a page.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Sum
from django.http.request import split_domain_port, validate_host
from django.test import Client
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from tiktok_attribution import conf
from tiktok_attribution.browser import page_data
from tiktok_attribution.browser.untagged import INLINE
from tiktok_attribution.conversions.recorder import paused
from tiktok_attribution.delivery.outbox import outbox_databases, write_database
from tiktok_attribution.delivery.turns import untagged_since
from tiktok_attribution.doctor.result import CheckResult, Level
from tiktok_attribution.models import HourlyStatistics
from tiktok_attribution.visitor.permission import INSPECTION

logger = logging.getLogger("tiktok_attribution")

MOST_REDIRECTS = 3


def front_page_results() -> Iterator[CheckResult]:
    """GET alone, and without a cookie of whoever looks."""
    scheme, host = _scheme(), _host()
    page = {"page": f"{scheme}://{host}/"}
    if not _is_allowed(host):  # Django would log a traceback
        yield _disallowed(page, host)
        return
    try:
        with _without_trace():
            response = _get(host, is_secure=scheme == "https")
            text = b"".join(response) if response.streaming else response.content
    except Exception as error:  # noqa: BLE001 -- the site's own code may raise anything
        logger.info("tiktok: the front page could not be asked for: %s", type(error).__name__)
        yield _unseen(page, type(error).__name__)
        return
    if response.status_code != 200 or "html" not in response.headers.get("Content-Type", ""):
        yield _unseen(page, f"HTTP {response.status_code}")
    elif any(mark.encode() in text for mark in (INLINE, page_data.CLASS)):
        yield CheckResult(id="tag", level=Level.OK, what=_("The page %(page)s carries the tag.") % page)
    else:
        yield CheckResult(
            id="tag",
            level=Level.ERROR,
            what=_("The page %(page)s does not carry the tag.") % page,
            reason=_("Without it the browser tells TikTok nothing, and its cookie _ttp is missing from server events."),
            fix=_(
                "Write {% tiktok_pixel %} into the <head> of the base template, after {% load tiktok_attribution %}."
            ),
        )


@contextmanager
def _without_trace() -> Iterator[None]:
    """A GET of the diagnosis changes nothing, whatever the front page does."""
    with ExitStack() as stack:
        # The site's own middleware may choose a language and a time zone, which are this thread's.
        stack.enter_context(translation.override(translation.get_language()))
        stack.enter_context(timezone.override(timezone.get_current_timezone()))
        stack.enter_context(paused())
        for alias in _databases():
            stack.enter_context(_rolled_back(alias))
        yield


def _databases() -> list[str]:
    """Those with a connection already, where a site's sessions and counters are, the default one and the outboxes'.

    Not simply all of them: to open one that the page does not need may take as long as its time-out.
    """
    in_use = [alias for alias in connections if connections[alias].connection is not None]
    return list(dict.fromkeys([DEFAULT_DB_ALIAS, *outbox_databases(), *in_use]))


@contextmanager
def _rolled_back(alias: str) -> Iterator[None]:
    """Undo what is written to this database, and forget what was to happen on its commit.

    Decided: a rolled back transaction, and not a copy of the page's work or no look at all. It can't undo caches,
    files, letters and calls of the view's own, tables without transactions (MyISAM), and a database that is opened
    only here. A view that asks for `atomic(durable=True)` fails inside of it, and the finding then says HTTP 500.
    """
    with transaction.atomic(using=alias):
        try:
            yield
        finally:
            transaction.set_rollback(True, using=alias)


def _get(host: str, *, is_secure: bool) -> Any:
    client = Client(raise_request_exception=False, headers={"host": host})
    client.defaults[INSPECTION] = "1"
    response: Any = client.get("/", secure=is_secure)
    for _hop in range(MOST_REDIRECTS):
        target = urlsplit(response.headers.get("Location", ""))
        if response.status_code not in (301, 302, 303, 307, 308) or target.netloc not in ("", host):
            break
        is_secure = is_secure if not target.scheme else target.scheme == "https"
        response = client.get(target.path or "/", secure=is_secure)
    return response


def _unseen(page: dict[str, str], reason: str) -> CheckResult:
    return CheckResult(
        id="tag",
        level=Level.WARNING,
        what=_("Whether pages carry the tag could not be seen: %(page)s gave %(reason)s.") % {**page, "reason": reason},
        fix=_("Open a page of the site and look for %(mark)s in its source.")
        % {"mark": page_data.CLASS if conf.current().page_script else INLINE},
    )


def _disallowed(page: dict[str, str], host: str) -> CheckResult:
    return CheckResult(
        id="tag",
        level=Level.WARNING,
        what=_("Whether pages carry the tag could not be seen: %(host)s is not in ALLOWED_HOSTS.")
        % {"host": split_domain_port(host)[0] or host},
        reason=_("Django refuses every request for %(page)s.") % page,
        fix=_("Add it to ALLOWED_HOSTS, or compare SITE_URL in TIKTOK_ATTRIBUTION with the site's own address."),
    )


def _is_allowed(host: str) -> bool:
    """As `HttpRequest.get_host` decides."""
    allowed = django_settings.ALLOWED_HOSTS
    if django_settings.DEBUG and not allowed:
        allowed = [".localhost", "127.0.0.1", "[::1]"]
    domain, _port = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


def _scheme() -> str:
    return urlsplit(conf.current().site_url).scheme or "https"


def _host() -> str:
    """The site's own, else the first name in ALLOWED_HOSTS."""
    own = urlsplit(conf.current().site_url).netloc
    named = [host.lstrip(".") for host in django_settings.ALLOWED_HOSTS if host != "*"]
    return own or (named[0] if named else "localhost")


DAY = 86_400
MOST_VIEWS = 10
FEW = 5
"""Fewer events say nothing: their visitors may not have come back."""


def channel_results() -> Iterator[CheckResult]:
    """A warning where none of the last day's pixel calls was shown. Its id is that of the look at the front page."""
    statistics = HourlyStatistics.objects.using(write_database()).filter(hour__gte=int(time.time()) - DAY)
    sums = statistics.aggregate(wanted=Sum("wanted"), shown=Sum("shown"))
    if (sums["wanted"] or 0) >= FEW and not sums["shown"]:
        yield CheckResult(
            id="tag",
            level=Level.WARNING,
            what=_("None of the last day's %(count)d pixel calls was shown by a page.") % {"count": sums["wanted"]},
            reason=_("TikTok gets the server event alone."),
            fix=_("See whether the pages carry the tag {% tiktok_pixel %}."),
        )


def untagged() -> Iterator[CheckResult]:
    """Views whose page went out without the tag in the last day, though an event waited for a page."""
    views = untagged_since(time.time() - DAY, using=write_database())
    if views:
        yield CheckResult(
            id="untagged",
            level=Level.WARNING,
            what=_("Pages without the tag, while an event waited for a page: %(views)s.")
            % {"views": ", ".join(views[:MOST_VIEWS])},
            reason=_(
                "The event stays waiting there, and is lost to the browser if no other page follows within an hour."
            ),
            fix=_(
                "See whether the template overrides the block that holds {% tiktok_pixel %}, and write "
                '{{ block.super }} into it; or set "INSERT_TAG": True.'
            ),
        )
