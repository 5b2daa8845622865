"""Filters of the list, and its pages by key: nothing left out, nothing twice, and no look at the whole table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tiktok_attribution.admin.events import OutboxEventAdmin
from tiktok_attribution.delivery import event_search
from tiktok_attribution.models import OutboxEvent, State

Make = Callable[..., Any]
PAGE = 3


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OutboxEventAdmin, "list_per_page", PAGE)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk over very few keys."""
    monkeypatch.setattr(event_search, "WIDTHS", (2, 4))
    monkeypatch.setattr(event_search, "FEW", 4)


def pks(response: Any) -> list[int]:
    return [event.pk for event in response.context["cl"].result_list]


def walked(client: Client, address: str, query: str, way: str) -> list[list[int]]:
    """The pages from this one to the end of the way, "older" or "newer"."""
    pages = []
    while True:
        response = client.get(address + query)
        assert response.status_code == 200
        pages.append(pks(response))
        following = getattr(response.context["cl"], way)
        if not following:
            return pages
        assert len(pages) < 100
        query = following


@pytest.mark.parametrize("many", [0, 1, 3, 4, 6, 7])
@pytest.mark.parametrize("query", ["?", "?state__exact=waiting"])
def test_pages_to_the_oldest_hold_every_event_once(
    boss: Client, event: Make, list_address: str, many: int, query: str
) -> None:
    made = [event().pk for _ in range(many)]

    pages = walked(boss, list_address, query, "older")

    assert [pk for page in pages for pk in page] == made[::-1]
    assert all(len(page) == PAGE for page in pages[:-1])


@pytest.mark.parametrize("query", ["?", "?state__exact=waiting"])
def test_pages_back_to_the_newest_hold_every_event_once(
    boss: Client, event: Make, list_address: str, query: str
) -> None:
    made = [event().pk for _ in range(7)]

    pages = walked(boss, list_address, f"{query}&after={made[0] - 1}", "newer")

    assert sorted(pk for page in pages for pk in page) == made
    assert all(page == sorted(page, reverse=True) for page in pages)


def test_the_first_page_has_nothing_newer(boss: Client, event: Make, list_address: str) -> None:
    for _ in range(PAGE + 1):
        event()

    cl = boss.get(list_address).context["cl"]

    assert (bool(cl.older), bool(cl.newer)) == (True, False)


def test_a_filter_chosen_on_a_later_page_starts_at_its_newest(boss: Client, event: Make, list_address: str) -> None:
    event()
    page = boss.get(list_address, {"before": "5", "state__exact": "waiting"})

    assert "before=" not in page.context["cl"].get_query_string({"name": "Lead"})


@pytest.mark.parametrize("place", ["before=x", "after=-1", "before=" + "9" * 30, "after=1.5"])
def test_a_made_up_place_leads_back(boss: Client, list_address: str, place: str) -> None:
    assert boss.get(f"{list_address}?{place}").status_code == 302


@pytest.mark.parametrize(
    "query",
    ["state__exact=nonsense", "channels=nonsense", "recorded=nonsense", "from=nonsense", "from=0001-01-01", "to=20251"],
)
def test_a_made_up_filter_leads_back(boss: Client, list_address: str, query: str) -> None:
    assert boss.get(f"{list_address}?{query}").status_code == 302


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("?state__exact=rejected", {"state": State.REJECTED}),
        ("?state__exact=awaiting_consent", {"state": State.AWAITING_CONSENT}),
        ("?name=Lead", {"name": "Lead"}),
        ("?pixel=C0OTHER", {"pixel_code": "C0OTHER"}),
        ("?name=Lead&pixel=C0OTHER&channels=both", {"name": "Lead", "pixel_code": "C0OTHER", "state": State.DELIVERED}),
    ],
)
def test_the_rare_is_found_at_once_however_deep_it_lies(
    boss: Client, event: Make, list_address: str, query: str, values: dict[str, Any]
) -> None:
    made = [event(browser_at=timezone.now(), **values).pk for _ in range(2)]
    for _ in range(20):
        event()

    response = boss.get(list_address + query)

    assert pks(response) == made[::-1]
    assert not response.context["cl"].older


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("query", ["?state__exact=cancelled", "?name=Lead", "?channels=both", "?state__exact=waiting"])
def test_what_no_index_names_is_looked_for_step_by_step(
    boss: Client, event: Make, list_address: str, query: str
) -> None:
    wanted = {
        "?state__exact=cancelled": {"state": State.CANCELLED},
        "?name=Lead": {"name": "Lead"},
        "?channels=both": {"state": State.DELIVERED, "browser_at": timezone.now()},
        "?state__exact=waiting": {},
    }[query]
    made = [event(**wanted).pk for _ in range(7)]
    for _ in range(30):
        event(state=State.DELIVERED, name="Purchase")

    first = boss.get(list_address + query)
    pages = walked(boss, list_address, query, "older")

    assert pks(first) == []
    assert "Searched the events back to" in first.content.decode()
    assert "Look further back" in first.content.decode()
    assert [pk for page in pages for pk in page] == made[::-1]


@pytest.mark.usefixtures("narrow")
def test_the_way_back_over_a_desert_misses_nothing(boss: Client, event: Make, list_address: str) -> None:
    early = [event(state=State.CANCELLED).pk for _ in range(2)]
    for _ in range(30):
        event()
    late = [event(state=State.CANCELLED).pk for _ in range(2)]

    pages = walked(boss, list_address, f"?state__exact=cancelled&after={early[0]}", "newer")

    assert sorted(pk for page in pages for pk in page) == [early[1], *late]


@pytest.mark.usefixtures("narrow")
def test_many_in_problem_are_read_by_their_own_index(boss: Client, event: Make, list_address: str) -> None:
    made = [event(state=State.EXPIRED, age=1000 - n).pk for n in range(12)]
    for _ in range(20):
        event()

    pages = walked(boss, list_address, "?state__exact=expired", "older")

    assert [pk for page in pages for pk in page] == made[::-1]


@pytest.mark.parametrize(
    ("channels", "values"),
    [
        ("both", {"state": State.DELIVERED, "browser_at": True}),
        ("server", {"state": State.DELIVERED, "wants_browser": True}),
        ("browser", {"state": State.REJECTED, "browser_at": True}),
        ("confirmed", {"browser_at": True, "browser_confirmed_at": True}),
        ("unconfirmed", {"state": State.AWAITING_CONSENT, "browser_at": True}),
    ],
)
def test_the_channels_can_be_told_apart(
    boss: Client, event: Make, list_address: str, channels: str, values: dict[str, Any]
) -> None:
    event()
    wanted = event(
        **{key: timezone.now() if value is True and "_at" in key else value for key, value in values.items()}
    )

    assert wanted.pk in pks(boss.get(list_address, {"channels": channels}))
    assert len(pks(boss.get(list_address, {"channels": channels}))) == 1


@pytest.mark.parametrize(("choice", "found"), [("today", 1), ("7", 2), ("30", 3)])
def test_the_days_are_counted_from_midnight(
    boss: Client, event: Make, list_address: str, choice: str, found: int
) -> None:
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    for days in (40, 29, 6, 0):
        event(created_at=midnight - timedelta(days=days))

    assert len(pks(boss.get(list_address, {"recorded": choice}))) == found


def test_a_period_has_its_first_and_its_last_day(boss: Client, event: Make, list_address: str) -> None:
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    moments = [midnight - timedelta(days=3), midnight - timedelta(days=2), midnight - timedelta(seconds=1), midnight]
    made = [event(created_at=moment).pk for moment in moments]
    first, last = (midnight.date() - timedelta(days=days) for days in (2, 1))

    assert pks(boss.get(list_address, {"from": first.isoformat(), "to": last.isoformat()})) == [made[2], made[1]]


def test_the_form_of_the_period_keeps_the_other_filters(boss: Client, event: Make, list_address: str) -> None:
    event()

    text = boss.get(list_address, {"state__exact": "waiting", "from": "2025-01-01", "before": "9"}).content.decode()

    assert '<input type="hidden" name="state__exact" value="waiting">' in text
    assert '<input type="date" name="from" value="2025-01-01">' in text
    assert 'name="before"' not in text


def test_a_row_that_changes_while_the_page_is_made_is_no_trouble(
    boss: Client, event: Make, list_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = event()
    kept = event()
    real = event_search.newest

    def and_pruned(*args: Any, **options: Any) -> Any:
        found = real(*args, **options)
        OutboxEvent.objects.filter(pk=gone.pk).delete()
        return found

    monkeypatch.setattr("tiktok_attribution.admin.event_list.newest", and_pruned)

    assert pks(boss.get(list_address)) == [kept.pk]
