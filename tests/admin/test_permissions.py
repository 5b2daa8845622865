"""The permission table: every address of the app's admin, found in the URLconf, tried by everybody with GET and POST.

An address without a row here fails the first test; so does an action of a list without one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.management import create_contenttypes
from django.db import connection, transaction
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from tests.admin import conversion_samples
from tests.admin.samples import PIXEL, confirmed_upload
from tests.attribution import spend_samples
from tiktok_attribution.delivery.responses import Answer
from tiktok_attribution.models import (
    Attempt,
    BulkJob,
    BulkVerb,
    Lane,
    OutboxEvent,
    PixelStatus,
    RecordedConversion,
    SpendImport,
    VisitorSnapshot,
    VoucherCode,
)

pytestmark = pytest.mark.django_db
APP = "tiktok_attribution"
HOME = f"/admin/{APP}/"
Needs = frozenset[str] | tuple[frozenset[str], ...]
"""Permissions that it takes together; several such sets, where one of them is enough."""

NOBODY: Needs = frozenset({"nobody has this"})
EVENTS, ATTEMPTS, PIXELS = (frozenset({f"view_{model}"}) for model in ("outboxevent", "attempt", "pixelstatus"))
JOBS = (frozenset({"view_bulkjob"}), EVENTS | {"retry_outboxevent"}, EVENTS | {"cancel_outboxevent"})
SPEND = frozenset({"view_spendimport"})
OVERVIEW, DIAGNOSIS = frozenset({"view_overview"}), frozenset({"view_diagnosis"})
VOUCHERS = frozenset({"view_vouchercode"})
ATTRIBUTION = frozenset({"view_attribution"})


@dataclass(frozen=True, kw_only=True)
class Row:
    """Who may GET and who may POST: the permissions it takes, all of them; None where that method is refused (405).

    `changes`: a POST by who may leaves something else than before, and an entry in the admin's log.
    `sends`: what a browser would post.
    """

    get: Needs | None
    post: Needs | None = None
    passed: int = 200
    changes: bool = False
    sends: tuple[tuple[str, str], ...] = ()


def pages(model: str, view: Needs) -> dict[str, Row]:
    """The addresses that Django's ModelAdmin has: to look at for viewers, to change for nobody."""
    return {
        f"{model}/": Row(get=view, post=view),
        f"{model}/add/": Row(get=NOBODY, post=NOBODY),
        f"{model}/<path:object_id>/history/": Row(get=view, post=view),
        f"{model}/<path:object_id>/delete/": Row(get=NOBODY, post=NOBODY),
        f"{model}/<path:object_id>/change/": Row(get=view, post=NOBODY),
        f"{model}/<path:object_id>/": Row(get=frozenset(), post=frozenset(), passed=302),  # leads to the one above
    }


def button(view: frozenset[str], codename: str, **sends: str) -> Row:
    """By POST alone, and for who may look and has this permission."""
    return Row(get=None, post=view | {codename}, changes=True, sends=tuple(sends.items()))


TABLE: dict[str, Row] = {
    **pages("outboxevent", EVENTS),
    **pages("attempt", ATTEMPTS),
    **pages("pixelstatus", PIXELS),
    **pages("bulkjob", JOBS),
    "bulkjob/<int:pk>/stop/": Row(
        get=None,
        post=(frozenset({"view_bulkjob", "cancel_outboxevent"}), EVENTS | {"cancel_outboxevent"}),
        changes=True,
    ),
    "outboxevent/search/": Row(get=None, post=EVENTS, passed=302, sends=(("typed", "ann@example.com"),)),
    "outboxevent/export/": Row(get=EVENTS | {"export_outboxevent"}),
    "outboxevent/<int:pk>/retry/": button(EVENTS, "retry_outboxevent", confirmed="1"),
    "outboxevent/<int:pk>/cancel/": button(EVENTS, "cancel_outboxevent", confirmed="1"),
    "pixelstatus/<path:object_id>/resume/": button(PIXELS, "resume_pixelstatus"),
    "overview/": Row(get=OVERVIEW),
    "overview/export/": Row(get=OVERVIEW | {"export_overview"}),
    **pages("spendimport", SPEND),
    "spendimport/import/": Row(
        get=SPEND | {"import_spend"}, post=SPEND | {"import_spend"}, changes=True, sends=confirmed_upload()
    ),
    "spendimport/<int:pk>/undo/": button(SPEND, "import_spend"),
    "recordedconversion/": Row(get=ATTRIBUTION),
    "recordedconversion/<int:pk>/change/": Row(get=ATTRIBUTION),
    **pages("vouchercode", VOUCHERS),
    "vouchercode/add/": Row(
        get=frozenset({"add_vouchercode"}), post=frozenset({"add_vouchercode"}), changes=True, sends=(("code", "BEN5"),)
    ),
    "vouchercode/<path:object_id>/change/": Row(
        get=VOUCHERS, post=frozenset({"change_vouchercode"}), changes=True, sends=(("code", "BEN5"),)
    ),
    "vouchercode/<path:object_id>/delete/": Row(
        get=frozenset({"delete_vouchercode"}),
        post=frozenset({"delete_vouchercode"}),
        changes=True,
        sends=(("post", "yes"),),
    ),
    "attributionreport/": Row(get=ATTRIBUTION),
    "attributionreport/export/": Row(get=ATTRIBUTION | {"export_attribution"}),
    "attributionreport/link/": Row(get=ATTRIBUTION),
    "diagnosis/": Row(get=DIAGNOSIS),
    "diagnosis/test-event/": button(DIAGNOSIS, "test_pixelstatus", pixel=PIXEL, test_event_code="TEST1"),
}
ACTIONS: dict[tuple[str, str], Needs] = {
    ("outboxevent", "retry_selected"): EVENTS | {"retry_outboxevent"},
    ("outboxevent", "cancel_selected"): EVENTS | {"cancel_outboxevent"},
    ("pixelstatus", "resume_selected"): PIXELS | {"resume_pixelstatus"},
}


def walked(patterns: list[Any], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from walked(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern)


def own_addresses() -> set[str]:
    start = HOME.removeprefix("/")
    return {route.removeprefix(start) for route in walked(get_resolver().url_patterns) if route.startswith(start)}


def codenames() -> list[str]:
    """Every permission of the app, without a look at the database: tests are collected before there is one."""
    config = apps.get_app_config(APP)
    return sorted(
        codename
        for model in config.get_models()
        for codename in (
            *(f"{verb}_{model._meta.model_name}" for verb in model._meta.default_permissions),
            *(codename for codename, _words in model._meta.permissions),
        )
    )


VIEWS = frozenset(codename for codename in codenames() if codename.startswith("view_"))
OWN = [codename for codename in codenames() if codename.partition("_")[0] not in ("view", "add", "change", "delete")]
PEOPLE: dict[str, frozenset[str] | None] = {
    "anonymous": None,
    "staff": frozenset(),
    "viewer": VIEWS,
    **{f"only {codename}": frozenset({codename}) for codename in codenames()},
    **{f"viewer and {codename}": VIEWS | {codename} for codename in OWN},
    "superuser": frozenset({*codenames(), *VIEWS}),
}


def may(person: str, needs: Needs) -> bool:
    """As Django has it, who may change may view; nothing here can be changed, so it is the same."""
    has = PEOPLE[person] or frozenset()
    ways = needs if isinstance(needs, tuple) else (needs,)
    return any(all(need in has or need.replace("view_", "change_") in has for need in way) for way in ways)


@pytest.fixture
def client_as(db: None) -> Callable[..., Client]:
    def signed_in(person: str, **options: Any) -> Client:
        client = Client(**options)
        if person == "superuser":
            client.force_login(User.objects.create_superuser(person))
        elif PEOPLE[person] is not None:
            user = User.objects.create_user("somebody", is_staff=True)
            own = Permission.objects.filter(content_type__app_label=APP, codename__in=PEOPLE[person] or ())
            assert own.count() == len(PEOPLE[person] or ())
            user.user_permissions.set(own)
            client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def keys(event: Any, attempt: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """One row of each model, by the model's name; and TikTok answers test events at once."""
    answer = Answer(http_status=200, code=0, message="OK")
    monkeypatch.setattr("tiktok_attribution.admin.diagnosis.send_test_event", lambda *arguments: answer)
    waiting = event(due_at=time.time() + 900)
    made: Attempt = attempt(waiting)
    stopped = PixelStatus.objects.create(pixel_code=PIXEL, stopped_at=timezone.now(), code=40105)
    job = BulkJob.objects.create(verb=BulkVerb.CANCEL, last_key=waiting.pk)
    made_keys = {"outboxevent": str(waiting.pk), "attempt": quote(made.pk), "bulkjob": str(job.pk)}
    spent = spend_samples.imported(spend_samples.row(1))
    told = conversion_samples.conversion()
    conversion_samples.touch(told)
    keys = {**made_keys, "pixelstatus": stopped.pk, "spendimport": str(spent.pk)}
    voucher = VoucherCode.objects.create(code="ANNA10", creator="Anna")
    return {**keys, "recordedconversion": str(told.pk), "vouchercode": str(voucher.pk)}


def address(route: str, keys: dict[str, str]) -> str:
    key = keys.get(route.partition("/")[0], "")
    return HOME + route.replace("<path:object_id>", key).replace("<int:pk>", key)


def state() -> list[Any]:
    """Everything that somebody could have changed."""
    rows = []
    with connection.cursor() as cursor:  # asked thousands of times, and the ORM takes most of the time of a request
        for model in (OutboxEvent, Attempt, PixelStatus, BulkJob, SpendImport, RecordedConversion, VoucherCode):
            cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY {model._meta.pk.column}")  # noqa: S608
            rows.append(cursor.fetchall())
    return [*rows, LogEntry.objects.count()]


def tried(act: Callable[[], int]) -> tuple[int, bool, int]:
    """Status, whether anything is different, and how many entries of the log it left; then all is as before."""
    before = state()
    with transaction.atomic():
        status = act()
        after = state()
        transaction.set_rollback(True)
    return status, before != after, after[-1] - before[-1]


def expected(person: str, needs: Needs | None, passed: int) -> int:
    if needs is None:
        return 405
    if person == "anonymous":
        return 302
    return passed if may(person, needs) else 403


def test_every_address_has_a_row() -> None:
    assert own_addresses() == set(TABLE)


def test_every_action_of_a_list_has_a_row(db: None) -> None:
    request = RequestFactory().get("/")
    request.user = User.objects.create_superuser("boss")
    found = {
        (str(model._meta.model_name), name)
        for model, model_admin in admin.site._registry.items()
        if model._meta.app_label == APP
        for name in model_admin.get_actions(request)
    }
    assert found == set(ACTIONS)


def test_every_permission_of_the_app_is_tried(db: None) -> None:
    config = apps.get_app_config(APP)
    create_contenttypes(config, verbosity=0)
    create_permissions(config, verbosity=0)
    stored = Permission.objects.filter(content_type__app_label=APP).values_list("codename", flat=True)
    assert sorted(stored) == codenames()


@pytest.mark.parametrize("person", PEOPLE)
def test_who_may_look_where(client_as: Any, keys: dict[str, str], person: str) -> None:
    client = client_as(person)
    found = {route: tried(lambda route=route: client.get(address(route, keys)).status_code) for route in TABLE}
    assert found == {route: (expected(person, row.get, row.passed), False, 0) for route, row in TABLE.items()}


@pytest.mark.parametrize("person", PEOPLE)
def test_who_may_change_what_and_leaves_an_entry(client_as: Any, keys: dict[str, str], person: str) -> None:
    client = client_as(person)

    def post(route: str) -> int:
        return int(client.post(address(route, keys), dict(TABLE[route].sends)).status_code)

    found = {route: tried(lambda route=route: post(route)) for route in TABLE}
    wanted = {}
    for route, row in TABLE.items():
        status = expected(person, row.post, 302 if row.changes else row.passed)
        if person == "anonymous" and row.post is None:
            status = 302  # to log in
        does = person != "anonymous" and row.changes and may(person, row.post or NOBODY)
        wanted[route] = (status, does, int(does))
    assert found == wanted


@pytest.mark.parametrize("person", PEOPLE)
def test_who_may_act_on_a_list_and_leaves_an_entry(client_as: Any, keys: dict[str, str], person: str) -> None:
    client = client_as(person)

    def act(model: str, action: str) -> int:
        data = {"action": action, "_selected_action": keys[model], "confirmed": "1"}
        return int(client.post(f"{HOME}{model}/", data).status_code)

    found = {choice: tried(lambda choice=choice: act(*choice))[1:] for choice in ACTIONS}
    assert found == {
        choice: (does, int(does))
        for choice, needs in ACTIONS.items()
        for does in [person != "anonymous" and may(person, needs)]
    }


@pytest.mark.parametrize("route", TABLE)
def test_a_post_without_its_token_is_refused(client_as: Any, keys: dict[str, str], route: str) -> None:
    client = client_as("superuser", enforce_csrf_checks=True)
    status, is_changed, _ = tried(lambda: client.post(address(route, keys), dict(TABLE[route].sends)).status_code)
    assert (status, is_changed) == (403, False)


@pytest.mark.parametrize(("model", "action"), ACTIONS)
def test_an_action_without_its_token_is_refused(client_as: Any, keys: dict[str, str], model: str, action: str) -> None:
    client = client_as("superuser", enforce_csrf_checks=True)
    data = {"action": action, "_selected_action": keys[model], "confirmed": "1"}
    assert tried(lambda: client.post(f"{HOME}{model}/", data).status_code) == (403, False, 0)


@pytest.mark.parametrize(("model", "action"), ACTIONS)
def test_an_action_in_the_address_of_a_list_does_nothing(
    client_as: Any, keys: dict[str, str], model: str, action: str
) -> None:
    client = client_as("superuser")
    data = {"action": action, "_selected_action": keys[model], "confirmed": "1"}
    assert not tried(lambda: client.get(f"{HOME}{model}/", data).status_code)[1]


def test_a_list_offers_the_actions_that_somebody_may_do(client_as: Any, keys: dict[str, str]) -> None:
    page = client_as("viewer and retry_outboxevent").get(f"{HOME}outboxevent/").content.decode()
    offered = {action for action in ("retry_selected", "cancel_selected", "delete_selected") if f'"{action}"' in page}
    assert offered == {"retry_selected"}


@pytest.mark.privacy
@pytest.mark.parametrize("model", [VisitorSnapshot, Lane])
def test_what_is_nobodys_business_is_not_in_the_admin(model: Any) -> None:
    assert not admin.site.is_registered(model)


@pytest.mark.parametrize("person", ["anonymous", "staff", "viewer"])
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_other_methods_change_nothing(client_as: Any, keys: dict[str, str], person: str, method: str) -> None:
    client = client_as(person)
    for route in TABLE:
        assert not tried(lambda route=route: getattr(client, method)(address(route, keys)).status_code)[1]
