"""P5b and P5c: what the app adds to a whole checkout, in statements and in Python calls: counts, not times."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings

from benchmarks import rows
from benchmarks.measured import Measured
from benchmarks.setup import Setup
from benchmarks.shop.models import Product

LINES = (3, 25)
AUTOCOMMIT, WEBHOOK = "autocommit", "paid by webhook"
SHAPES = ("lines first", "paid when made", WEBHOOK, AUTOCOMMIT)
FORMS = ("/sign-up/", "/lead/")
MIDDLEWARE = "tiktok_attribution.middleware.AttributionMiddleware"
POST_CALLS = {3: (1800, 1000), 25: (3000, 1600)}
"""By lines: must and aim."""
TAG_CALLS = (600, 300)
PAGE_STATEMENTS = 1
_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36"


class Cost(NamedTuple):
    """Of one checkout: the POST and the thank-you page."""

    post: int
    page: int


def statements(setup: Setup) -> Measured:
    """The most that any shape and number of lines adds to a request; the page's is a condition beside it.

    Without a transaction around the form the event is built again when the request ends, because its lines are commits
    of their own. That shape is told beside the others and not judged.
    """
    added, told = [], []
    for shape in SHAPES:
        for lines in LINES:
            plain, ours = (_counted(_queries, lines, shape, app=app) for app in (False, True))
            cost = Cost(ours.post - plain.post, ours.page - plain.page)
            told.append(f"{shape}, {lines} lines: +{cost.post} and +{cost.page} to {plain.post} and {plain.page}")
            if shape != AUTOCOMMIT:
                added.append(cost)
    for path in FORMS:
        plain, ours = (_form(path, app=app) for app in (False, True))
        added.append(Cost(ours - plain, 0))
        told.append(f"{path}: +{ours - plain} to {plain}")
    most = max(cost.post for cost in added)
    page = max(cost.page for cost in added)
    return Measured(
        ours=most,
        yardstick=1,
        ratios=[float(most)],
        must_also=page <= PAGE_STATEMENTS,
        note="; ".join(told),
    )


def calls(setup: Setup) -> Measured:
    """The Python calls added by the POST with 3 lines; 25 lines and the tag's are conditions beside it."""
    found = {}
    for lines in LINES:
        plain, ours = (_counted(_calls, lines, SHAPES[0], app=app) for app in (False, True))
        found[lines] = Cost(ours.post - plain.post, ours.page - plain.page)
    post, many, tag = found[3].post, found[25].post, found[3].page
    return Measured(
        ours=post,
        yardstick=1,
        ratios=[float(post)],
        must_also=many <= POST_CALLS[25][0] and tag <= TAG_CALLS[0],
        aim_also=many <= POST_CALLS[25][1] and tag <= TAG_CALLS[1],
        note=f"with 25 lines {many} (must ≤ {POST_CALLS[25][0]}, aim ≤ {POST_CALLS[25][1]}); by the page with "
        f"one waiting event {tag} (must ≤ {TAG_CALLS[0]}, aim ≤ {TAG_CALLS[1]})",
    )


def _counted(counting: Callable[[Callable[[], Any]], int], lines: int, shape: str, *, app: bool) -> Cost:
    """The third of three checkouts: caches are warm, and no process is that of the first request."""
    with _site(app=app):
        for _ in range(2):
            _checkout(_uncounted, lines, shape, app=app)
        return Cost(*_checkout(counting, lines, shape, app=app))


def _uncounted(act: Callable[[], Any]) -> int:
    act()
    return 0


def _form(path: str, *, app: bool) -> int:
    """The statements of the third of three POSTs."""
    with _site(app=app):
        client = Client(headers={"user-agent": _AGENT})
        return [_queries(lambda: client.post(path)) for _ in range(3)][-1]


def _checkout(counting: Callable[[Callable[[], Any]], Any], lines: int, shape: str, *, app: bool) -> list[Any]:
    client = Client(headers={"user-agent": _AGENT})
    answers: list[Any] = []
    told = [counting(lambda: answers.append(client.post("/buy/", {"lines": lines, "shape": shape})))]
    address = answers[-1].headers["Location"] + ("?tag=1" if app else "")
    if shape == WEBHOOK:  # the request that is judged: its checkout adds the snapshot alone
        told[0] = counting(lambda: Client().post(address.partition("?")[0].replace("thanks", "paid")))
    told.append(counting(lambda: answers.append(client.get(address))))
    if [answer.status_code for answer in answers] != [302, 200]:
        raise AssertionError(f"the checkout gave {[answer.status_code for answer in answers]}")
    if app and b"ttq.track" not in answers[-1].content:
        raise AssertionError("the thank-you page has no pixel call")
    return told


@contextmanager
def _site(*, app: bool) -> Iterator[None]:
    from django.conf import settings  # noqa: PLC0415 -- measures are imported when Django is set up

    rows.empty()
    for number in range(max(LINES)):
        Product.objects.get_or_create(sku=f"sku-{number}", defaults={"title": f"Product {number}"})
    middleware = [*settings.MIDDLEWARE, MIDDLEWARE] if app else settings.MIDDLEWARE
    options = {**settings.TIKTOK_ATTRIBUTION, "ENABLED": app}
    with override_settings(MIDDLEWARE=middleware, TIKTOK_ATTRIBUTION=options):
        yield


def _queries(act: Callable[[], Any]) -> int:
    """Statements with savepoints, without BEGIN and COMMIT."""
    with CaptureQueriesContext(connection) as captured:
        act()
    return sum(not query["sql"].startswith(("BEGIN", "COMMIT")) for query in captured.captured_queries)


def _calls(act: Callable[[], Any]) -> int:
    """Calls of Python functions in this thread; what C does counts as nothing."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count
