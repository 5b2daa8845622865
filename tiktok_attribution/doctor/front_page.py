"""Check whether the site's pages carry the pixel tag, and whether they make pixel calls.

`front_page_results` requests the front page inside this process. `channel_results` reads the hourly statistics, and
`untagged` lists views whose pages lacked the tag.

Decision: the request is made inside the process and without cookies. So it needs no network, and it sees the page as
Django renders it, even behind a login or a proxy. It leaves no trace: it is marked as no visitor's (INSPECTION),
recording is paused, and what the site's own code writes is rolled back. See `_rolled_back` for what that can't undo.
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
    """Request the front page with GET and without cookies, and check that it has the tag."""
    scheme, host = _scheme(), _host()
    page = {"page": f"{scheme}://{host}/"}
    if not _is_allowed(host):  # Django would log a traceback for it
        yield _disallowed(page, host)
        return
    try:
        with _without_trace():
            response = _get(host, is_secure=scheme == "https")
            text = b"".join(response) if response.streaming else response.content
    except Exception as error:  # noqa: BLE001 -- the site's own code may raise any error
        logger.info("tiktok: the front page could not be requested: %s", type(error).__name__)
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
            reason=_("Without it the browser sends TikTok nothing, and server events lack its cookie _ttp."),
            fix=_(
                "Write {% tiktok_pixel %} into the <head> of the base template, after {% load tiktok_attribution %}."
            ),
        )


@contextmanager
def _without_trace() -> Iterator[None]:
    """Keep the diagnosis, which is a GET, from changing anything, whatever the front page does."""
    with ExitStack() as stack:
        # The site's own middleware may activate a language and a time zone, which belong to this thread.
        stack.enter_context(translation.override(translation.get_language()))
        stack.enter_context(timezone.override(timezone.get_current_timezone()))
        stack.enter_context(paused())
        for alias in _databases():
            stack.enter_context(_rolled_back(alias))
        yield


def _databases() -> list[str]:
    """Return the databases to roll back: the default one, those of the outboxes, and those with an open connection.

    Sites keep sessions and counters there. It does not open further databases: that could take as long as a timeout.
    """
    in_use = [alias for alias in connections if connections[alias].connection is not None]
    return list(dict.fromkeys([DEFAULT_DB_ALIAS, *outbox_databases(), *in_use]))


@contextmanager
def _rolled_back(alias: str) -> Iterator[None]:
    """Undo what is written to this database, and forget what was to run on its commit.

    Decision: roll a transaction back, instead of not checking the page at all. This can't undo caches, files, mails and
    calls of the view itself, tables without transactions (MyISAM), or a database that is first opened here. A view that
    uses `atomic(durable=True)` fails inside it, and the check result then says HTTP 500.
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
        what=_("This check could not see whether pages carry the tag: %(page)s gave %(reason)s.")
        % {**page, "reason": reason},
        fix=_("Open a page of the site and look for %(mark)s in its source.")
        % {"mark": page_data.CLASS if conf.current().page_script else INLINE},
    )


def _disallowed(page: dict[str, str], host: str) -> CheckResult:
    return CheckResult(
        id="tag",
        level=Level.WARNING,
        what=_("This check could not see whether pages carry the tag: %(host)s is not in ALLOWED_HOSTS.")
        % {"host": split_domain_port(host)[0] or host},
        reason=_("Django refuses every request for %(page)s.") % page,
        fix=_("Add it to ALLOWED_HOSTS, or compare SITE_URL in TIKTOK_ATTRIBUTION with the site's address."),
    )


def _is_allowed(host: str) -> bool:
    """Return whether Django accepts the host, by the same rule as `HttpRequest.get_host`."""
    allowed = django_settings.ALLOWED_HOSTS
    if django_settings.DEBUG and not allowed:
        allowed = [".localhost", "127.0.0.1", "[::1]"]
    domain, _port = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


def _scheme() -> str:
    return urlsplit(conf.current().site_url).scheme or "https"


def _host() -> str:
    """Return the host of SITE_URL, otherwise the first name in ALLOWED_HOSTS."""
    own = urlsplit(conf.current().site_url).netloc
    named = [host.lstrip(".") for host in django_settings.ALLOWED_HOSTS if host != "*"]
    return own or (named[0] if named else "localhost")


DAY = 86_400
MOST_VIEWS = 10
FEW = 5
"""With fewer events no conclusion is possible: their visitors may not have come back."""


def channel_results() -> Iterator[CheckResult]:
    """Warn if no page made any of the last day's pixel calls. It has the same id as the check of the front page."""
    statistics = HourlyStatistics.objects.using(write_database()).filter(hour__gte=int(time.time()) - DAY)
    sums = statistics.aggregate(wanted=Sum("wanted"), shown=Sum("shown"))
    if (sums["wanted"] or 0) >= FEW and not sums["shown"]:
        yield CheckResult(
            id="tag",
            level=Level.WARNING,
            what=_("No page made any of the last day's %(count)d pixel calls.") % {"count": sums["wanted"]},
            reason=_("TikTok gets only the server events."),
            fix=_("Check that the pages have the tag {% tiktok_pixel %}."),
        )


def untagged() -> Iterator[CheckResult]:
    """Warn about views that answered without the tag in the last day, although an event waited for a page."""
    views = untagged_since(time.time() - DAY, using=write_database())
    if views:
        yield CheckResult(
            id="untagged",
            level=Level.WARNING,
            what=_("Pages without the tag, while an event waited for a page: %(views)s.")
            % {"views": ", ".join(views[:MOST_VIEWS])},
            reason=_("The event keeps waiting. If no other page follows within an hour, its pixel call is lost."),
            fix=_(
                "Check whether the template overrides the block that contains {% tiktok_pixel %}, and write "
                '{{ block.super }} into it; or set "INSERT_TAG": True.'
            ),
        )
