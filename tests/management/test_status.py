from __future__ import annotations

import json
import time
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.delivery.samples import PIXEL, row
from tiktok_attribution.delivery import pixels
from tiktok_attribution.delivery.outages import utc
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.models import Heartbeat

pytestmark = pytest.mark.django_db


def status(*arguments: str) -> str:
    out = StringIO()
    call_command("tiktok_status", *arguments, stdout=out)
    return out.getvalue()


def test_a_quiet_pixel_is_well() -> None:
    assert f"{PIXEL} in default: running" in status()


def test_json_is_a_list_of_plain_numbers() -> None:
    row(1, due_at=time.time() - 5).save()
    (one,) = json.loads(status("--json"))
    assert (one["pixel_code"], one["due"], one["stopped"]) == (PIXEL, 1, "")
    assert 5 <= one["oldest_due_seconds"] < 60


def test_an_event_that_is_due_too_long_is_not_well() -> None:
    row(1, due_at=time.time() - 120).save()
    assert "the oldest due for 12" in status("--max-age", "600")
    with pytest.raises(CommandError, match=PIXEL) as failed:
        status("--max-age", "60")
    assert failed.value.returncode == 1


def test_a_stopped_pixel_is_not_well() -> None:
    pixels.stop("default", PIXEL, Answer(code=40105, message="Access token is incorrect"), token="old")
    with pytest.raises(CommandError, match="problems with"):
        status()


def test_nothing_configured_says_so(settings: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {}
    assert status() == "No pixel is configured and nothing waits.\n"


def test_a_time_in_which_rows_were_refused_is_told() -> None:
    Heartbeat.objects.create(name="outage:1700000000", seen_at=1700000060)  # too old
    moment = int(time.time()) - 7200
    Heartbeat.objects.create(name=f"outage:{moment}", seen_at=moment + 60)
    span = f"{utc(moment)} to {utc(moment + 60)}"
    assert status().count("Rows were refused") == 1
    assert f"Rows were refused in default: {span}. Refusals may be lost: see tiktok_doctor" in status()
    (one,) = json.loads(status("--json"))
    assert one["outages"] == [[moment, moment + 60]]
