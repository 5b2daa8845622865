"""List, export, count and background job go by one reading of the address, and refuse what it does not know."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory
from django.urls import reverse

from tiktok_attribution.admin.list_query import KNOWN
from tiktok_attribution.delivery import manual
from tiktok_attribution.models import Attempt, BulkJob, BulkState, BulkVerb, OutboxEvent, PixelStatus, State

pytestmark = [pytest.mark.hostile, pytest.mark.django_db]
Make = Callable[..., Any]
APP = "tiktok_attribution"
LISTS = (OutboxEvent, Attempt, PixelStatus, BulkJob)
EXPORT = "/admin/tiktok_attribution/outboxevent/export/"

UNKNOWN = (
    *("currency=USD", "payload__contains=NOSUCH", "payload__regex=.", "name__regex=(", "email_key__gt=0"),
    *("object_digest=1", "pk__gt=0", "id__in=1,2", "state=rejected", "state__in=rejected", "state__exact__in=x"),
    *("last_attempt__message__contains=x", "body__payload__contains=x", "eventbody_ptr__payload__contains=x"),
    *("due_at__isnull=0", "created_at__year=2025", "_changelist_filters=name%3DLead", "nosuch=1", "currency="),
)
UNREADABLE = (
    *(
        "state__exact=nonsense",
        "channels=three",
        "recorded=tomorrow",
        "from=yesterday",
        "to=2025-13-01",
        "from=0001-01-01",
    ),
    *("person=xyz", "person=0", "before=x", "after=-1", "before=1e400", "after=%D9%A4%D9%A2" + "9" * 18),
    *("name=Lead&name=Purchase", "state__exact=rejected&state__exact=cancelled", "q=1&q=2", "recorded=7&to=2025-01-01"),
)


@pytest.fixture
def refused_events(event: Make) -> list[OutboxEvent]:
    return [event(state=State.REJECTED) for _ in range(3)]


def states() -> list[str]:
    return list(OutboxEvent.objects.order_by("pk").values_list("state", flat=True))


def name_in(query: str) -> str:
    return query.partition("=")[0]


@pytest.mark.parametrize("query", [*UNKNOWN, *UNREADABLE])
def test_what_the_filter_does_not_know_is_refused_by_all_four(
    boss: Client, refused_events: list[OutboxEvent], list_address: str, query: str
) -> None:
    address = f"{list_address}?{query}"
    everything = {"select_across": "1", "_selected_action": str(refused_events[0].pk), "everything": "1"}
    for action in ("retry_selected", "cancel_selected"):
        for confirmed in ({}, {"confirmed": "1"}):
            answer = boss.post(address, {"action": action, **everything, **confirmed}, follow=True)
            (said,) = answer.context["messages"]
            assert f"“{name_in(query)}”" in str(said)
            assert "nothing was changed" in str(said)
    manual.work("default")

    assert boss.get(address).headers["Location"] == f"{list_address}?e=1"
    exported = boss.get(f"{EXPORT}?{query}")
    assert (exported.status_code, f"“{name_in(query)}”" in exported.content.decode()) == (400, True)
    assert exported.headers["Content-Type"].startswith("text/plain")
    assert not BulkJob.objects.exists()
    assert states() == ["rejected"] * 3


FILTERS = (
    *("state__exact=rejected", "name=Lead", "name=NOSUCH", "pixel=NOSUCH", "attempt=NOSUCH", "channels=both"),
    *("recorded=today", "from=2020-01-01&to=2020-01-02", "to=2020-01-01", "name=Purchase&state__exact=cancelled"),
)


@pytest.mark.parametrize("query", FILTERS)
def test_the_four_see_the_same_events(boss: Client, event: Make, list_address: str, query: str) -> None:
    made = [event(state=State.REJECTED, name="Lead"), event(state=State.CANCELLED), event(state=State.DELIVERED)]
    address = f"{list_address}?{query}"
    listed = {row.event_id for row in boss.get(address).context["cl"].result_list}
    exported = b"".join(boss.get(f"{EXPORT}?{query}").streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    data = {"action": "retry_selected", "select_across": "1", "_selected_action": str(made[0].pk)}
    counted = boss.post(address, data).context
    boss.post(address, {**data, "confirmed": "1"})
    manual.work("default")
    job = BulkJob.objects.first()

    assert {line["event_id"] for line in csv.DictReader(io.StringIO(exported))} == listed
    assert len(counted["events"] if counted else ()) == len(listed)  # without an event there is no question
    assert 0 if job is None else job.changed + job.left_alone == len(listed)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "ann@example.com", "x" * 100_000])
@pytest.mark.privacy
def test_a_name_that_is_none_is_not_repeated(boss: Client, list_address: str, name: str) -> None:
    response = boss.get(list_address, {name: "1"}, follow=True)

    assert "a parameter that this list does not know" in html.unescape(response.content.decode())
    assert name not in response.content.decode()
    assert name not in str(response.client.cookies)


def lookups(model: Any) -> Iterator[str]:
    """Each column of the model and of what it is related to, with what could be asked of it."""
    for field in model._meta.get_fields():
        names = [field.name, getattr(field, "attname", field.name)]
        if field.related_model is not None:
            names += [f"{field.name}__{other.name}" for other in field.related_model._meta.get_fields()]
        for name in dict.fromkeys(names):
            yield from (name, *(f"{name}__{how}" for how in ("exact", "gt", "in", "regex", "contains", "isnull")))
    yield from ("pk", "pk__gt", "pk__in")


@pytest.mark.parametrize("model", [model for model in admin.site._registry if model._meta.app_label == APP])
def test_no_lookup_but_the_offered_filters_is_taken(model: Any) -> None:
    model_admin = admin.site._registry[model]
    taken = [one for one in lookups(model) if model_admin.lookup_allowed(one, "1", RequestFactory().get("/"))]

    assert set(taken) <= {"outcome__exact", "state__exact", "name"}


@pytest.mark.parametrize("model", LISTS)
def test_a_lookup_reads_no_row(boss: Client, model: Any, django_assert_max_num_queries: Any) -> None:
    address = reverse(f"admin:{APP}_{model._meta.model_name}_changelist")
    for lookup in ("pk__gt", "note__regex", "message__regex", "pixel_code__contains", "nosuch"):
        with django_assert_max_num_queries(10) as made:
            assert boss.get(address, {lookup: "1"}).headers["Location"] == f"{address}?e=1"
        assert not [one for one in made.captured_queries if model._meta.db_table in one["sql"]]


def test_a_pixel_that_is_named_is_a_filter_of_attempts_also_where_there_is_one(
    boss: Client, event: Make, attempt: Make
) -> None:
    attempt(event())

    assert not boss.get(f"/admin/{APP}/attempt/", {"pixel": "C0OTHER"}).context["cl"].result_list


def test_every_filter_of_the_list_is_known_to_its_reader(boss: Client, event: Make, list_address: str) -> None:
    event()
    PixelStatus.objects.create(pixel_code="C0OTHER")
    specs = boss.get(list_address, {"attempt": "a", "person": "0" * 16}).context["cl"].filter_specs
    offered = {name for spec in specs for name in spec.expected_parameters()}

    assert offered <= KNOWN
    assert KNOWN - offered == {"q", "before", "after"}


class TestAllEvents:
    """A job without a filter."""

    @pytest.fixture
    def data(self, refused_events: list[OutboxEvent]) -> dict[str, str]:
        return {"action": "cancel_selected", "select_across": "1", "_selected_action": str(refused_events[0].pk)}

    def test_it_is_asked_for_in_so_many_words(self, boss: Client, data: dict[str, str], list_address: str) -> None:
        page = boss.post(list_address, data).content.decode()

        assert '<input type="checkbox" name="everything" value="1" required>' in page
        assert "I mean all events" in page

    def test_without_that_word_it_is_asked_again(self, boss: Client, data: dict[str, str], list_address: str) -> None:
        response = boss.post(list_address, {**data, "confirmed": "1"})

        assert "I mean all events" in response.content.decode()
        assert not BulkJob.objects.exists()

    def test_with_it_the_job_says_that_all_are_meant(
        self, boss: Client, data: dict[str, str], list_address: str
    ) -> None:
        page = boss.post(list_address, {**data, "confirmed": "1", "everything": "1"}, follow=True)

        assert BulkJob.objects.get().chosen == '{"all": true}'
        assert "all events" in page.content.decode()

    def test_a_filter_needs_no_such_word(self, boss: Client, data: dict[str, str], list_address: str) -> None:
        response = boss.post(f"{list_address}?state__exact=rejected", data)

        assert "I mean all events" not in response.content.decode()


STRANGE = (
    *("{}", "[]", "null", "nonsense", "", '{"what": 1}', '{"state": "rejected", "currency": "USD"}', "[" * 100_000),
    *('{"state": ""}', '{"state": null}', '{"name": 5}', '{"since": "x"}', '{"since": NaN}', '{"since": 1e400}'),
    *('{"since": true}', '{"all": false}', '{"all": true, "what": 1}', '{"state": ["rejected"]}', '{"state": "gone"}'),
)


@pytest.mark.parametrize("stored", STRANGE)
def test_a_job_whose_filter_cannot_be_read_is_given_up_and_changes_nothing(
    boss: Client, refused_events: list[OutboxEvent], stored: str
) -> None:
    last = refused_events[-1].pk
    job = BulkJob.objects.create(verb=BulkVerb.RETRY, chosen=stored, first_key=1, last_key=last)

    manual.work("default")

    job.refresh_from_db()
    assert (job.state, job.changed, states()) == (BulkState.FAILED, 0, ["rejected"] * 3)
    assert "filter can't be read" in job.note
    assert boss.get(reverse(f"admin:{APP}_bulkjob_change", args=[job.pk])).status_code == 200
    assert boss.get(reverse(f"admin:{APP}_bulkjob_changelist")).status_code == 200
