"""Which touches a conversion gets: its own browser's, and those of its person's other devices where they are joined."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import close_old_connections, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.attribution.samples import (
    DAY,
    LAPTOP,
    PHONE,
    PIXEL,
    SECOND_PIXEL,
    TABLET,
    campaigns,
    clicked,
    converted,
    happened,
    moment_of,
    placed,
    sold,
    told,
    worked,
)
from tiktok_attribution.attribution import links
from tiktok_attribution.attribution.joining import mark_stale, refresh_stale
from tiktok_attribution.attribution.links import OF_ANOTHER, TOO_MANY, link, person_of
from tiktok_attribution.events.hashing import external_id_sha256
from tiktok_attribution.models import ConversionTouch, RecordedConversion, Touch, VisitorLink

Configure = Callable[..., None]
pytestmark = pytest.mark.django_db(transaction=True)
NONE: dict[int, list[str]] = {1: [], 7: [], 14: [], 28: []}
SEVEN = external_id_sha256("7") or ""


@pytest.fixture
def now() -> float:
    return time.time()


def signed_in(browser: uuid.UUID, customer: str, at: float) -> bool:
    return link(browser, "external_id", external_id_sha256(customer) or "", int(at))


def test_a_conversion_has_the_touches_of_its_browser(configure: Configure, now: float) -> None:
    clicked(now - 2 * DAY, "A")
    clicked(now - DAY, "other browser", browser=PHONE)
    clicked(now - 9 * DAY, "B", placement="TikTok", ad_id="77", landing_path="/shoes")
    sale = sold()
    worked()
    assert campaigns(sale) == {1: [], 7: ["A"], 14: ["A"], 28: ["A"]}
    assert campaigns(sale, "first_touch") == {1: [], 7: ["A"], 14: ["B"], 28: ["B"]}
    first = told(sale).touches[0]
    assert (first.campaign_name, first.placement, first.ad_id, first.landing_path) == (
        "Campaign B",
        "TikTok",
        "77",
        "/shoes",
    )
    assert 9 * DAY <= first.seconds_before <= 9 * DAY + 5


def test_a_click_id_counts_at_its_first_landing(configure: Configure, now: float) -> None:
    clicked(now - 9 * DAY, "A", click_digest=5)
    clicked(now - 2 * DAY, "A", click_digest=5, browser=PHONE)
    configure(join=("external_id",))
    signed_in(PHONE, "7", now - 2 * DAY)
    sale = sold(customer="7")
    worked()
    assert campaigns(sale) == {1: [], 7: [], 14: ["A"], 28: ["A"]}
    assert len(told(sale).touches) == 1


def test_a_click_opened_again_in_another_browser_is_one_touch(configure: Configure, now: float) -> None:
    configure(join=("external_id",))
    clicked(now - 3 * DAY, "X", click_digest=1, browser=PHONE)
    clicked(now - 3 * DAY + 40, "X", click_digest=1)
    clicked(now - DAY - 60, "Y", click_digest=2)
    signed_in(PHONE, "7", now - 3 * DAY)
    sale = sold(customer="7")
    worked()
    found = told(sale).credits[7]["linear"]
    assert [(one.touch.campaign_id, str(one.share), str(one.value)) for one in found] == [
        ("X", "1/2", "50.00"),
        ("Y", "1/2", "50.00"),
    ]
    assert told(sale).touches[0].seconds_before >= 3 * DAY


def test_touches_of_another_shop_do_not_count(configure: Configure, now: float) -> None:
    clicked(now - 60, "A", shop=SECOND_PIXEL)
    sale = sold()
    worked()
    assert campaigns(sale) == NONE
    configure(PIXEL_CODE=[PIXEL, SECOND_PIXEL])  # now it is one shop with two pixels
    worked()
    assert campaigns(sale)[1] == ["A"]


def test_a_click_between_order_and_payment_never_counts(configure: Configure, now: float) -> None:
    sale = sold()
    placed(sale, int(now) - 3 * DAY)
    clicked(now - 9 * DAY, "A")
    clicked(now - DAY, "B")
    worked()
    assert campaigns(sale) == {1: [], 7: [], 14: ["A"], 28: ["A"]}


def test_other_channels_count_only_where_the_setting_says_so(configure: Configure, now: float) -> None:
    clicked(now - 60, "newsletter", traffic="other")
    sale = sold()
    worked()
    assert campaigns(sale, "last_touch") == NONE
    configure(other_channels=True)
    worked()
    assert campaigns(sale, "last_touch")[7] == ["newsletter"]
    assert campaigns(sale, "last_tiktok") == NONE


def test_a_copy_has_no_click_id_and_no_browser() -> None:
    names = {field.name for field in ConversionTouch._meta.get_fields()}
    assert not names & {"click_digest", "visitor_key", "utm_term"}


# Devices ----------------------------------------------------------------------------------------------------------


def test_without_join_a_phone_gives_nothing(configure: Configure, now: float) -> None:
    clicked(now - 2 * DAY, "A", browser=PHONE)
    assert not signed_in(PHONE, "7", now - 2 * DAY)
    sale = sold(customer="7")
    worked()
    assert campaigns(sale) == NONE
    assert not VisitorLink.objects.exists()


def test_with_join_the_phones_click_counts(configure: Configure, now: float) -> None:
    configure(join=("external_id",))
    clicked(now - 2 * DAY, "A", browser=PHONE)
    assert signed_in(PHONE, "7", now - 2 * DAY)
    sale = sold(customer="7")
    worked()
    assert campaigns(sale)[7] == ["A"]


def test_a_browser_of_one_person_is_lent_to_no_other(configure: Configure, now: float) -> None:
    configure(join=("external_id",))
    clicked(now - 2 * DAY, "A", browser=PHONE)
    signed_in(PHONE, "7", now - 2 * DAY)
    others = sold(customer="8", browser=PHONE)
    later = sold(customer="8", browser=LAPTOP)
    guest = sold(browser=PHONE)
    worked()
    assert campaigns(others) == campaigns(later) == NONE
    assert told(others).unjoined == OF_ANOTHER
    assert campaigns(guest)[7] == ["A"]  # not known to be another person


def test_a_late_sign_in_reaches_back(configure: Configure, now: float) -> None:
    configure(join=("external_id",))
    bought = now - 5 * DAY
    clicked(bought - 10 * DAY, "A", browser=PHONE)
    sale = sold(customer="7")
    happened(sale, int(bought))
    worked()
    assert campaigns(sale) == NONE
    signed_in(PHONE, "7", bought + 2 * DAY)
    worked()
    assert campaigns(sale) == {1: [], 7: [], 14: ["A"], 28: ["A"]}


def test_a_sign_in_after_the_widest_window_changes_nothing(configure: Configure, now: float) -> None:
    configure(join=("external_id",))
    bought = now - 50 * DAY
    clicked(bought - 10 * DAY, "A", browser=PHONE)
    row = converted(int(bought))
    row.persons.create(identifier="external_id", person=person_of(SEVEN))
    worked()
    signed_in(PHONE, "7", bought + 40 * DAY)
    worked()
    RecordedConversion.objects.update(is_stale=True)  # also when it is computed again
    worked()
    assert not row.touches.exists()


def test_two_conversions_link_their_browsers(configure: Configure, now: float) -> None:
    configure(join=("email",))
    clicked(now - 2 * DAY, "A", browser=PHONE)
    sold(email="ada@example.com", browser=PHONE)
    sale = sold(email="ADA@example.com ", browser=LAPTOP)
    worked()
    assert campaigns(sale)[7] == ["A"]


def test_one_hop_and_no_further(configure: Configure, now: float) -> None:
    configure(join=("email", "external_id"))
    clicked(now - 2 * DAY, "A", browser=TABLET)
    sold(email="ada@example.com", customer="1", browser=TABLET)
    sold(email="ada@example.com", customer="2", browser=PHONE)
    sale = sold(email="eve@example.com", customer="2", browser=LAPTOP)
    worked()
    assert campaigns(sale) == NONE


def test_a_person_of_many_browsers_is_not_joined(configure: Configure, now: float) -> None:
    configure(join=("external_id",))
    clicked(now - 2 * DAY, "A", browser=PHONE)
    signed_in(PHONE, "7", now - 2 * DAY)
    for number in range(100, 130):
        signed_in(uuid.UUID(int=number), "7", now)
    sale = sold(customer="7")
    worked()
    assert campaigns(sale) == NONE
    assert told(sale).unjoined == TOO_MANY
    assert VisitorLink.objects.count() <= 21 + 1  # and its links do not grow for ever


def test_every_number_of_a_person_fits_the_columns_of_every_database(configure: Configure) -> None:
    configure(join=("external_id",))
    for number in range(40):  # MariaDB refused most of the UUIDs whose bits of version and variant are at random
        signed_in(uuid.uuid4(), str(number), 100)
    assert VisitorLink.objects.count() == 40


def test_an_old_secret_key_still_finds_its_persons(configure: Configure, settings: Any, now: float) -> None:
    configure(join=("external_id",))
    clicked(now - 2 * DAY, "A", browser=PHONE)
    signed_in(PHONE, "7", now - 2 * DAY)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "the next one"
    sale = sold(customer="7")
    worked()
    assert campaigns(sale)[7] == ["A"]


def test_the_first_person_of_a_browser_stays_its_person(configure: Configure, now: float) -> None:
    configure(join=("external_id",))
    assert signed_in(PHONE, "7", now - DAY)
    assert not signed_in(PHONE, "9", now)
    assert VisitorLink.objects.get().person == person_of(SEVEN)


def test_of_two_conversions_recorded_in_the_wrong_order_the_earlier_one_decides(
    configure: Configure, now: float
) -> None:
    configure(join=("external_id",))
    clicked(now - DAY, "A")
    later = sold(customer="8")
    worked()
    earlier = sold(customer="7")
    happened(earlier, int(now) - 3600)
    worked()
    assert VisitorLink.objects.get().person == person_of(SEVEN)
    assert (campaigns(earlier)[7], campaigns(later)[7]) == (["A"], [])


def test_a_sign_in_looks_at_no_conversion_and_keeps_its_transaction(
    configure: Configure, now: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(join=("external_id",))
    with CaptureQueriesContext(connection) as queries:
        signed_in(PHONE, "7", now)
    statements = [query["sql"] for query in queries if query["sql"].startswith(("SELECT", "INSERT", "UPDATE"))]
    assert len(statements) == 3
    assert not any("recordedconversion" in sql or "conversionperson" in sql for sql in statements)
    with CaptureQueriesContext(connection) as queries:
        signed_in(PHONE, "7", now)
    assert len(queries) == 1

    def failing(*_: object, **__: object) -> object:
        with connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column FROM no_such_table")

    monkeypatch.setattr(links, "_with_room", failing)
    with transaction.atomic():
        assert not signed_in(TABLET, "7", now)
        clicked(now, "still possible")
    assert Touch.objects.count() == 1


# Again ----------------------------------------------------------------------------------------------------------------


def test_a_touch_that_comes_late_counts_once_it_is_marked(configure: Configure, now: float) -> None:
    clicked(now - 80 * DAY, "before")  # what gave the browser its key
    sale = sold()
    worked()
    clicked(now - DAY, "A")
    assert campaigns(sale) == NONE
    RecordedConversion.objects.filter(visitor_key=LAPTOP).update(is_stale=True)  # as who records the touch does
    worked()
    assert campaigns(sale)[7] == ["A"]


def test_a_withdrawal_takes_the_touches_from_conversions(configure: Configure, now: float) -> None:
    clicked(now - DAY, "A")
    sale = sold()
    worked()
    Touch.objects.all().delete()
    mark_stale()
    worked()
    assert campaigns(sale) == NONE


def test_copies_outlive_the_raw_touches(configure: Configure) -> None:
    at = moment_of("2026-03-02 10:00")
    clicked(at - DAY, "A")
    row = converted(at)
    worked(at + DAY)
    Touch.objects.all().delete()  # KEEP_TOUCH_DAYS are over
    mark_stale()
    worked(at + 100 * DAY)
    assert [touch.campaign_id for touch in row.touches.all()] == ["A"]


def test_computing_again_changes_nothing(configure: Configure, now: float) -> None:
    for number in range(4):
        clicked(now - number * DAY, str(number))
    sold()
    worked()

    def stored() -> list[Any]:
        return list(ConversionTouch.objects.order_by("at").values_list("pk", "at", "key", "campaign_id"))

    before = stored()
    mark_stale()
    worked()
    assert stored() == before


def test_the_command_computes_the_days_that_it_is_given(configure: Configure) -> None:
    for day, event_id in (("2026-03-01 12:00", "sale-1"), ("2026-03-02 12:00", "sale-2")):
        converted(moment_of(day), event_id=event_id)
    RecordedConversion.objects.update(is_stale=False)
    out = StringIO()
    call_command("tiktok_attribution", "--recompute", "--from", "2026-03-02", "--to", "2026-03-02", stdout=out)
    assert out.getvalue().splitlines()[0] == "1 conversions are computed again"
    assert "1 days rolled up" in out.getvalue()
    with pytest.raises(CommandError, match="--recompute"):
        call_command("tiktok_attribution", "--from", "2026-03-02")
    with pytest.raises(CommandError, match="later"):
        call_command("tiktok_attribution", "--recompute", "--from", "2026-03-03", "--to", "2026-03-02")
    configure(ATTRIBUTION=False)
    with pytest.raises(CommandError, match="ATTRIBUTION is off"):
        call_command("tiktok_attribution")


def test_the_command_records_what_is_there(configure: Configure) -> None:
    sold()
    out = StringIO()
    call_command("tiktok_attribution", stdout=out)
    assert "1 conversions recorded, 1 conversions computed, 1 days rolled up" in out.getvalue()


@pytest.mark.faults
@pytest.mark.on_engine("postgres", "mariadb")
def test_workers_at_once_copy_each_touch_once(configure: Configure, now: float) -> None:
    for number in range(20):
        clicked(now - number * 3600, str(number))
        converted(int(now), event_id=f"sale-{number}")
    barrier = threading.Barrier(3, timeout=20)

    def run(_: int) -> None:
        try:
            barrier.wait()
            refresh_stale(until=time.monotonic() + 20, now=now)
        finally:
            close_old_connections()
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))
    assert ConversionTouch.objects.count() == 400
    assert not RecordedConversion.objects.filter(is_stale=True).exists()
