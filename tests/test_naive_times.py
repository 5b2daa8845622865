"""A site with USE_TZ = False: an order's whole way, and every page and command that shows a moment."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.conversions.samples import PLAIN, paid
from tiktok_attribution.delivery.pixel_sender import deliver_all
from tiktok_attribution.models import Attempt, HourlyStatistics, OutboxEvent, State
from tiktok_attribution.monitoring.hourly_statistics import refresh_all
from tiktok_attribution.testing.server import StandIn

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _naive(settings: Any) -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "Asia/Kolkata"  # half an hour off, so that no whole hour hides a mistake


@pytest.fixture
def delivered(settings: Any, tiktok_standin: StandIn) -> OutboxEvent:
    own = {"CONVERSIONS": {"shop.Order": PLAIN}, "SITE_URL": "https://shop.example"}
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, **own}
    paid()
    deliver_all()
    return OutboxEvent.objects.get()


def told(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def test_it_is_delivered_with_the_right_moment(delivered: OutboxEvent, tiktok_standin: StandIn) -> None:
    assert delivered.state == State.DELIVERED
    (arrival,) = tiktok_standin.ledger.arrivals()
    assert abs((arrival.event_time or 0) - time.time()) < 60


def test_moments_are_naive_and_local(delivered: OutboxEvent) -> None:
    moments = [delivered.created_at, delivered.delivered_at, delivered.happened_at, Attempt.objects.get().started_at]
    for moment in moments:
        assert moment is not None
        assert moment.tzinfo is None
        assert abs(moment - timezone.now()) < timedelta(minutes=1)


def test_status_and_hours_count_it(delivered: OutboxEvent) -> None:
    (pixel,) = json.loads(told("tiktok_status", "--json"))
    assert pixel["due"] == 0
    refresh_all()
    assert sum(HourlyStatistics.objects.values_list("recorded", flat=True)) == 1


def test_old_rows_are_pruned_and_new_ones_kept(delivered: OutboxEvent) -> None:
    assert told("tiktok_prune") == "nothing is past its time\n"
    OutboxEvent.objects.update(created_at=timezone.now() - timedelta(days=400))
    assert told("tiktok_prune") == "1 payloads, 1 events\n"


@pytest.mark.parametrize("page", ["outboxevent_changelist", "attempt_changelist", "pixelstatus_changelist"])
def test_the_admin_shows_it(delivered: OutboxEvent, admin_client: Client, page: str) -> None:
    assert admin_client.get(reverse(f"admin:tiktok_attribution_{page}")).status_code == 200


def test_the_events_page_and_the_overview_show_it(delivered: OutboxEvent, admin_client: Client) -> None:
    event = reverse("admin:tiktok_attribution_outboxevent_change", args=[delivered.pk])
    assert admin_client.get(event).status_code == 200
    assert b"Purchase" in admin_client.get(reverse("admin:tiktok_attribution_overview_changelist")).content
