"""Nothing of an erased person is left in any column of any table of the app; every column is looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models

from tiktok_attribution.events.hashing import email_sha256, search_key
from tiktok_attribution.models import (
    Attempt,
    ConversionPerson,
    ConversionTouch,
    DailyAttribution,
    OutboxEvent,
    PixelStatus,
    RecordedConversion,
    State,
    Touch,
    VisitorLink,
    VisitorSnapshot,
)

pytestmark = [pytest.mark.privacy, pytest.mark.hostile, pytest.mark.django_db(transaction=True)]

ADA, PHONE, IP, IPV6 = "marked.ada@example.com", "+4915112345678", "81.2.69.142", "2001:db8:85a3::8a2e:370:7334"
DIGEST = email_sha256(ADA) or ""
CLICK = "E.C.P.CoYBhd7YXXyAOQqQw6fa0B1kkoM9"
ADDRESS = f"https://shop.example/clinic/marked-ada?email={ADA}&ttclid={CLICK}"
PLANTED = {
    "e-mail address": ADA,
    "encoded": ADA.replace("@", "%40"),
    "phone number": PHONE,
    "hash": DIGEST,
    "click id": CLICK,
    "IP address": IP,
    "IPv6 address": IPV6,
    "page": ADDRESS,
}
BROWSER, OTHER_BROWSER, PERSON = (UUID(int=0xADA << 100 | number) for number in (1, 2, 3))
LEFT = (*PLANTED.values(), "marked-ada", "marked.ada", *map(str, (BROWSER, OTHER_BROWSER, PERSON)))
KEY = "42"  # of the object that is theirs

# Columns that hold nothing of a person, and why. A column that is not here must come out of an erasure clean.
BY_CONSTRUCTION = {
    "choices": "one word of a closed list",
    "Attempt.id": "random",
    "Attempt.pixel_code": "of a site",
    "Attempt.request_id": "TikTok's id of a request; hashes and IP addresses are cut out when it comes",
    "BulkJob.chosen": "a filter by state, name, pixel, moment and attempt, validated field by field",
    "BulkJob.asked_by": "the key of a colleague",
    "BulkJob.reasons": "counts by words of this app",
    "BulkJob.note": "the type of an error, or words of this app",
    "SuppressedCount.pixel_code": "of a site",
    "SuppressedCount.name": "of an event",
    "SuppressedCount.reason": "a word of a closed list",
    "EventBody.event_id": "keeps the event from being recorded anew; refused where it holds an e-mail address",
    "OutboxEvent.event_id": "the same column",
    "Heartbeat.name": "of a process",
    "HourlyStatistics.pixel_code": "of a site",
    "HourlyStatistics.name": "of an event",
    "HourlyStatistics.delays": "counts",
    "HourlyStatistics.match_keys": "counts",
    "HourlyStatistics.value_sums": "sums over everybody",
    "Lane.pixel_code": "of a site",
    "Lane.holder": "random",
    "Lane.in_flight": "keys of rows",
    "Alert.pixel_code": "of a site",
    "Turn.pixel_code": "of a site",
    "Turn.holder": "random",
    "OutboxEvent.pixel_code": "of a site",
    "OutboxEvent.name": "of an event",
    "OutboxEvent.object_label": "of a model",
    "OutboxEvent.object_pk": "the site's key of its object keeps the backfill from recording it anew",
    "OutboxEvent.attempt_log": "keys of attempts",
    "PixelStatus.pixel_code": "of a site",
    "PixelStatus.token_fingerprint": "of the token",
    "RecordedConversion.shop": "of a site",
    "RecordedConversion.name": "of an event",
    "RecordedConversion.event_id": "as that of the outbox: keeps the conversion from being recorded anew",
    "RecordedConversion.object_label": "of a model",
    "RecordedConversion.object_pk": "the site's key of its object; the conversion stays as a figure of the report",
    "RecordedConversion.currency": "of the value, which stays as a figure of the report",
    "RecordedConversion.unjoined": "a word of this app",
    "ChangedObject.object_label": "of a model",
    "ChangedObject.object_pk": "the site's key of its object, until the worker has read it",
    "StaleDay.shop": "of a site",
    "LandingCount.shop": "of a site",
    "LandingCount.outcome": "a word of this app",
    "VisitorSnapshot.object_label": "of a model",
    "VisitorSnapshot.object_pk": "the site's key of its object keeps a webhook from recording it",
}
# Tables that hold nothing of one person, and why.
OF_NOBODY = {
    "AdSpend": "what an advertiser's ads cost, as TikTok reports it",
    "SpendImport": "which file or fetch brought it, and which colleague imported it",
    "DailyCode": "sums over everybody, by the voucher codes that the site lists",
    "VoucherCode": "a code of a creator, which the site's own people enter",
    "DailyAttribution": "sums over everybody, by campaigns, and by paths that are cleaned at the landing",
}
TEXT = (models.CharField, models.TextField, models.JSONField, models.BinaryField, models.UUIDField)


def text_columns() -> Iterator[tuple[type[models.Model], models.Field[Any, Any]]]:
    for model in apps.get_app_config("tiktok_attribution").get_models():
        if not model._meta.proxy and model.__name__ not in OF_NOBODY:
            for field in model._meta.concrete_fields:
                if isinstance(field, TEXT):
                    yield model, field


def name_of(model: type[models.Model], field: models.Field[Any, Any]) -> str:
    return f"{model.__name__}.{field.name}"


def is_closed(field: models.Field[Any, Any]) -> bool:
    return bool(field.choices)


TO_BE_CLEAN = sorted({name_of(*one) for one in text_columns() if not is_closed(one[1])} - set(BY_CONSTRUCTION))


def test_no_column_is_forgotten() -> None:
    """A column that is added is planted, or somebody writes down why it needs no look."""
    source = (
        *("ad_id", "ad_name", "adgroup_id", "adgroup_name", "campaign_id", "campaign_name", "landing_path"),
        *("placement", "utm_medium", "utm_source"),
    )
    more = ("creative_id", "creative_name", "shop", "utm_campaign", "utm_content", "utm_term", "visitor_key")
    assert set(TO_BE_CLEAN) == {
        "Attempt.message",
        *(f"ConversionTouch.{name}" for name in source),
        "EventBody.payload",
        "EventBody.visitor_key",
        "OutboxEvent.currency",
        "OutboxEvent.note",
        "OutboxEvent.payload",
        "OutboxEvent.visitor_key",
        "PixelStatus.message",
        *(f"RecordedConversion.{name}" for name in ("code", "lines", "visitor_key")),
        *(f"ConversionPerson.{name}" for name in ("identifier", "person")),
        *(f"Touch.{name}" for name in (*source, *more)),
        *(f"VisitorLink.{name}" for name in ("identifier", "person", "visitor_key")),
        "VisitorSnapshot.signals",
        "VisitorSnapshot.visitor_key",
    }
    assert set(BY_CONSTRUCTION) - {"choices"} <= {name_of(*one) for one in text_columns()}


def rows() -> str:
    found = []
    for model in apps.get_app_config("tiktok_attribution").get_models():
        found += list(model._default_manager.values())
    return json.dumps(found, default=str, ensure_ascii=False)


def plant(words: str) -> None:
    """The person in every column that can hold text of them, as a row from before could."""
    attempt = Attempt.objects.create(
        id="a" * 22, pixel_code="C0", event_count=2, http_status=200, code=40002, message=words, outcome="isolate",
        started_at="2026-11-01T00:00:00Z",
    )  # fmt: skip
    PixelStatus.objects.create(pixel_code="C0", code=40002, message=words)
    body = {"event": "Lead", "user": {"email": DIGEST}, "page": {"url": words}, "properties": {"description": words}}
    OutboxEvent.objects.create(
        pixel_code="C0", name="Lead", event_id="lead-1", event_time=1_700_000_000, state=State.REJECTED,
        payload=json.dumps(body), email_key=search_key(DIGEST), match_keys=4, note=words, currency="EUR",
        object_label="shop.Order", object_pk=KEY, attempt_log=f"{attempt.pk},", last_attempt=attempt,
        visitor_key=BROWSER,
    )  # fmt: skip
    signals = {"user": {"email": [DIGEST], "ip": IP, "ttclid": CLICK}, "page": {"url": words}}
    VisitorSnapshot.objects.create(
        object_label="shop.Order", object_pk=KEY, signals=json.dumps(signals), visitor_key=BROWSER
    )
    plant_attribution(words)


def plant_attribution(words: str) -> None:
    """Touches of both of their browsers, the links between these, and a conversion with its copied touch."""
    texts = {field.attname: words[:30] for field in Touch._meta.concrete_fields if isinstance(field, models.CharField)}
    texts = {name: text for name, text in texts.items() if name != "traffic"}
    for key in (BROWSER, OTHER_BROWSER):
        Touch.objects.create(**texts, visitor_key=key, at=1_700_000_000, click_digest=search_key(DIGEST))
        VisitorLink.objects.create(visitor_key=key, identifier="email", person=PERSON, at=1_700_000_000)
    conversion = RecordedConversion.objects.create(
        shop="C0", name="Lead", event_id="lead-1", object_label="shop.Order", object_pk=KEY, at=1_700_000_000,
        value=5, currency="EUR", code=words[:90], lines=json.dumps([[words, 1, "5.00"]]), visitor_key=BROWSER,
    )  # fmt: skip
    ConversionPerson.objects.create(conversion=conversion, identifier="email", person=PERSON)
    # Its texts are those of a landing, which are cleaned when it is read: they stay in the sums of the day.
    ConversionTouch.objects.create(conversion=conversion, key=1, at=1_700_000_000, campaign_name="Spring")


def report_of(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("tiktok_erase", *arguments, stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def erase(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = report_of(*arguments)["databases"]["default"]
    return found


@pytest.mark.parametrize("what", PLANTED)
@pytest.mark.parametrize("argument", [f"--email={ADA}", f"--object=shop.Order:{KEY}"])
def test_nothing_of_an_erased_person_is_left_anywhere(what: str, argument: str) -> None:
    plant(f"Batch.0.user: {PLANTED[what]} is not valid.")
    assert PLANTED[what] in rows()
    report = erase(argument)
    for mark in LEFT:
        assert mark not in rows()
    assert report["events_still_with_data"] == report["answers_still_with_data"] == 0
    assert report["answers"] == 2
    assert Attempt.objects.get().message.startswith("Batch.0.user: ")  # what is wrong can still be read


def test_a_dry_run_counts_the_answers_and_changes_nothing() -> None:
    plant(ADA)
    before = rows()
    assert erase(f"--email={ADA}", "--dry-run")["answers"] == 2
    assert rows() == before


def test_what_is_clean_is_not_counted() -> None:
    plant("Batch.0.user.external_id is not valid.")
    assert erase(f"--email={ADA}")["answers"] == 0


def test_the_apps_own_words_stay() -> None:
    plant("Batch.0: no")
    Attempt.objects.update(http_status=None, message="127.0.0.1 could not be reached.")
    erase(f"--email={ADA}")
    assert Attempt.objects.get().message == "127.0.0.1 could not be reached."


def test_touches_of_every_browser_of_theirs_go_and_the_figures_stay() -> None:
    plant(ADA)
    stranger = Touch.objects.create(visitor_key=UUID(int=9), at=1_700_000_000)
    report = report_of(f"--email={ADA}")
    assert report["browsers"] == {"browsers": 2, "touches": 2, "links": 2}
    assert report["conversions"] == 1
    assert list(Touch.objects.all()) == [stranger]
    assert not VisitorLink.objects.exists()
    assert not RecordedConversion.objects.exists()
    assert DailyAttribution.objects.filter(is_erased=True).exists()


def test_a_dry_run_counts_the_touches_and_leaves_them() -> None:
    plant(ADA)
    assert report_of(f"--email={ADA}", "--dry-run")["browsers"]["touches"] == 2
    assert Touch.objects.count() == VisitorLink.objects.count() == 2


def test_a_copy_of_their_data_has_touches_links_and_conversions() -> None:
    plant(ADA)
    out = StringIO()
    call_command("tiktok_export", f"--email={ADA}", stdout=out)
    copy = json.loads(out.getvalue())
    found = copy["browsers"]
    assert {one["visitor_key"] for one in found["touches"]} == {str(BROWSER), str(OTHER_BROWSER)}
    assert {one["person"] for one in found["links"]} == {str(PERSON)}
    assert [len(one["touches"]) for one in copy["default"]["conversions"]] == [1]
    assert copy["default"]["events"][0]["visitor_key"] == str(BROWSER)


def test_another_persons_conversion_in_the_same_browser_is_not_theirs() -> None:
    plant(ADA)
    RecordedConversion.objects.create(
        shop="C0", name="Lead", event_id="lead-2", at=1_700_000_000, visitor_key=BROWSER, code="of another"
    )
    out = StringIO()
    call_command("tiktok_export", f"--email={ADA}", stdout=out)
    assert "of another" not in out.getvalue()
    assert report_of(f"--email={ADA}")["conversions"] == 1
    assert RecordedConversion.objects.filter(code="of another").exists()
