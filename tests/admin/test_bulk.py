"""Retry and cancel over a whole filter, from the question to the end of the job."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.admin.samples import with_settings
from tiktok_attribution.admin import actions
from tiktok_attribution.delivery import manual
from tiktok_attribution.delivery.event_search import EventFilter
from tiktok_attribution.models import BulkJob, BulkState, BulkVerb, OutboxEvent, State

Make = Callable[..., Any]
Sign = Callable[..., Client]


def choose_all(client: Client, address: str, action: str, event: OutboxEvent, **more: str) -> Any:
    data = {"action": action, "_selected_action": str(event.pk), "select_across": "1", **more}
    return client.post(address, data, follow=True)


def page_of(job: BulkJob) -> str:
    return reverse("admin:tiktok_attribution_bulkjob_change", args=[job.pk])


def stop_of(job: BulkJob) -> str:
    return reverse("admin:tiktok_attribution_bulk_stop", args=[job.pk])


def text_of(client: Client, job: BulkJob) -> str:
    return html.unescape(client.get(page_of(job)).content.decode())


@pytest.fixture
def job(event: Make) -> BulkJob:
    """One that runs, over one rejected event."""
    event(state=State.REJECTED)
    return manual.start(BulkVerb.RETRY, EventFilter(state="rejected"), asked_by="", using="default")


@pytest.fixture
def rejected(list_address: str) -> str:
    return f"{list_address}?state__exact=rejected"


def test_all_that_fit_a_filter_can_be_taken(boss: Client, event: Make, rejected: str) -> None:
    chosen = [event(state=State.REJECTED) for _ in range(3)]
    left = event(state=State.CANCELLED)

    choose_all(boss, rejected, "retry_selected", chosen[0], confirmed="1")
    manual.work("default")

    assert list(OutboxEvent.objects.order_by("pk").values_list("state", flat=True)) == ["waiting"] * 3 + [left.state]


def test_it_is_asked_first_and_nothing_begins(boss: Client, event: Make, rejected: str) -> None:
    chosen = [event(state=State.REJECTED) for _ in range(3)]

    response = choose_all(boss, rejected, "retry_selected", chosen[0])

    assert response.context["plan"][0] == "3 events match: state: rejected by TikTok."
    assert not BulkJob.objects.exists()


def test_the_answer_yes_of_the_page_begins_the_job_and_leads_to_it(boss: Client, event: Make, rejected: str) -> None:
    chosen = event(state=State.REJECTED)
    asked = choose_all(boss, rejected, "cancel_selected", chosen)

    data = {**dict(asked.context["hidden"]), asked.context["confirmed"]: "1"}
    response = boss.post(asked.context["address"], data, follow=True)

    job = BulkJob.objects.get()
    assert response.redirect_chain[-1][0] == page_of(job)
    assert (job.verb, job.chosen, job.state) == ("cancel", '{"state": "rejected"}', BulkState.RUNNING)


def test_no_more_is_counted_than_the_bound(
    boss: Client, event: Make, rejected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "MOST_COUNTED", 2)
    chosen = [event(state=State.REJECTED) for _ in range(3)]

    response = choose_all(boss, rejected, "retry_selected", chosen[0])

    assert response.context["plan"][0] == "At least 2 events match: state: rejected by TikTok."


def test_every_filter_stands_in_the_question(boss: Client, event: Make, list_address: str, settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = with_settings(PIXEL_CODE=["C0A", "C0B"])
    chosen = event(state=State.DELIVERED, pixel_code="C0B", wants_browser=True)
    query = "name=Purchase&pixel=C0B&channels=server&from=2025-01-01&to=2035-01-01"

    (line, _) = choose_all(boss, f"{list_address}?{query}", "retry_selected", chosen).context["plan"]

    assert line.startswith("1 event matches: event: Purchase · pixel: C0B · both channels: Delivered, browser missing")
    assert "recorded from: " in line
    assert "recorded before: " in line


def test_who_asked_is_logged_at_the_job(boss: Client, event: Make, rejected: str) -> None:
    choose_all(boss, rejected, "retry_selected", event(state=State.REJECTED), confirmed="1")

    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (
        str(BulkJob.objects.get().pk),
        "Asked to send all events of a filter again.",
    )
    assert "superuser" in text_of(boss, BulkJob.objects.get())


def test_the_page_says_how_far_it_is_and_brings_itself_up_to_date(boss: Client, job: BulkJob) -> None:
    text = text_of(boss, job)

    assert "0 % looked through, 0 events changed" in text
    assert "data-running" in text
    assert "tiktok_attribution/progress.js" in text
    assert stop_of(job) in text


def test_an_error_that_a_job_met_with_is_told_in_a_sentence(boss: Client, job: BulkJob) -> None:
    BulkJob.objects.update(note="OperationalError")

    assert "The last try met with an error (OperationalError); it is tried again by itself." in text_of(boss, job)


def test_the_page_of_a_job_that_has_ended_asks_no_more(boss: Client, event: Make, job: BulkJob) -> None:
    manual.work("default")

    text = text_of(boss, job)

    assert "100 % looked through, 1 event changed" in text
    assert "data-running" not in text
    assert stop_of(job) not in text


def test_what_was_left_alone_is_explained(boss: Client, event: Make) -> None:
    event(state=State.DELIVERED)
    event(state=State.INVALID)
    job = manual.start(BulkVerb.RETRY, EventFilter(), asked_by="", using="default", everything=True)
    manual.work("default")

    text = text_of(boss, job)

    assert "1 event is left as it is: TikTok has it already." in text
    assert "filter by that state, and “Send again” builds it again" in text


def test_a_job_can_be_stopped_and_that_is_logged(boss: Client, job: BulkJob) -> None:
    response = boss.post(stop_of(job), follow=True)

    assert BulkJob.objects.get().state == BulkState.STOPPED
    assert [str(message) for message in response.context["messages"]] == [
        "The job is stopped. What it has done is not undone."
    ]
    assert LogEntry.objects.get().change_message == "Stopped by a person."
    assert "stopped by hand" in response.content.decode()


def test_a_job_that_has_ended_is_not_stopped(boss: Client, job: BulkJob) -> None:
    manual.work("default")

    boss.post(stop_of(job))

    assert BulkJob.objects.get().state == BulkState.DONE
    assert not LogEntry.objects.exists()


def test_an_unknown_job_is_not_found(boss: Client) -> None:
    assert boss.post(reverse("admin:tiktok_attribution_bulk_stop", args=[99])).status_code == 404


@pytest.mark.parametrize("chosen", ['{"state": "gone"}', "nonsense", '{"what": 1}'])
def test_a_job_of_another_version_can_be_looked_at(boss: Client, job: BulkJob, chosen: str) -> None:
    BulkJob.objects.update(chosen=chosen)

    assert chosen in text_of(boss, job)
    assert boss.get(reverse("admin:tiktok_attribution_bulkjob_changelist")).status_code == 200


@pytest.mark.privacy
def test_the_name_of_who_asked_is_not_stored(boss: Client, event: Make, rejected: str) -> None:
    User.objects.update(username="ann@example.com")

    choose_all(boss, rejected, "retry_selected", event(state=State.REJECTED), confirmed="1")

    assert BulkJob.objects.filter(asked_by=str(User.objects.get().pk)).exists()


@pytest.mark.parametrize(
    ("person", "sees"),
    [("anonymous", 302), ("staff", 403), ("viewer", 403), ("retrier", 200), ("canceller", 200), ("superuser", 200)],
)
def test_jobs_are_shown_to_who_may_start_one(client_of: Sign, job: BulkJob, person: str, sees: int) -> None:
    client = client_of(person)
    pages = [page_of(job), reverse("admin:tiktok_attribution_bulkjob_changelist")]

    assert [client.get(page).status_code for page in pages] == [sees, sees]


@pytest.mark.parametrize("person", ["anonymous", "staff", "viewer", "canceller", "retrier", "superuser"])
def test_a_job_is_stopped_with_the_permission_of_its_verb(client_of: Sign, job: BulkJob, person: str) -> None:
    may = person in ("retrier", "superuser")

    answer = client_of(person).post(stop_of(job)).status_code

    assert answer == (302 if may or person == "anonymous" else 403)
    assert (BulkJob.objects.get().state == BulkState.STOPPED) is may


@pytest.mark.parametrize("person", ["anonymous", "staff", "viewer", "canceller", "resumer", "retrier", "superuser"])
def test_a_job_is_begun_with_the_permission_of_its_verb(
    client_of: Sign, event: Make, rejected: str, person: str
) -> None:
    choose_all(client_of(person), rejected, "retry_selected", event(state=State.REJECTED), confirmed="1")

    assert BulkJob.objects.exists() is (person in ("retrier", "superuser"))


def test_a_get_or_a_post_without_token_stops_nothing(client_of: Sign, job: BulkJob) -> None:
    boss = client_of("superuser", enforce_csrf_checks=True)

    assert [boss.get(stop_of(job)).status_code, boss.post(stop_of(job)).status_code] == [405, 403]
    assert BulkJob.objects.get().state == BulkState.RUNNING


def test_nobody_adds_changes_or_deletes_a_job(boss: Client, job: BulkJob) -> None:
    routes = ["tiktok_attribution_bulkjob_delete", "tiktok_attribution_bulkjob_change"]

    assert boss.get(reverse("admin:tiktok_attribution_bulkjob_add")).status_code == 403
    assert [boss.post(reverse(f"admin:{route}", args=[job.pk])).status_code for route in routes] == [403, 403]


def test_more_than_a_page_can_be_selected_as_a_whole(
    boss: Client, event: Make, list_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tiktok_attribution.admin.events.OutboxEventAdmin.list_per_page", 2)
    for _ in range(3):
        event()

    assert "Select all events that match, on every page" in boss.get(list_address).content.decode()
