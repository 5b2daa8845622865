"""A person with events in every state is exported whole, and erased whole; nobody else is touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client

from tests.consent.conftest import PIXEL
from tests.shop.models import Order
from tiktok_attribution import track
from tiktok_attribution.delivery import outbox
from tiktok_attribution.delivery.manual import retry
from tiktok_attribution.events.hashing import email_sha256, phone_sha256, search_key
from tiktok_attribution.models import OutboxEvent, State, VisitorSnapshot

pytestmark = [pytest.mark.privacy, pytest.mark.django_db(transaction=True)]

ADA, BOB = "ada@example.com", "bob@example.com"
PHONE = "+4915112345678"


def event(email: str, state: str, **more: Any) -> OutboxEvent:
    digest = email_sha256(email) or ""
    number = OutboxEvent.objects.count()
    body = {"event": "Lead", "event_id": f"lead-{number}", "user": {"email": digest}}
    return OutboxEvent.objects.create(
        pixel_code=PIXEL,
        name="Lead",
        event_id=f"lead-{number}",
        event_time=1_700_000_000,
        state=state,
        due_at=0 if state == State.WAITING else None,
        payload=json.dumps(body),
        email_key=search_key(digest),
        match_keys=4,
        **more,
    )


@pytest.fixture
def everybody() -> None:
    for email in (ADA, BOB):
        for state in State:
            event(email, state, object_label="shop.Order", object_pk=f"{email[0]}-{state}")
    for initial in "ab":
        VisitorSnapshot.objects.create(
            object_label="shop.Order",
            object_pk=f"{initial}-awaiting_consent",
            signals=json.dumps({"user": {"ip": "1.1.1.1"}, "page": {}}),
        )


def run(command: str, *arguments: str) -> Any:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return json.loads(out.getvalue())


def texts() -> str:
    rows = [*OutboxEvent.objects.values(), *VisitorSnapshot.objects.values()]
    return json.dumps(rows, default=str)


@pytest.mark.usefixtures("everybody")
def test_a_person_with_events_in_every_state_is_exported(tmp_path: Path) -> None:
    found = run("tiktok_export", f"--email={ADA}")["default"]
    assert sorted(one["state"] for one in found["events"]) == sorted(State.values)
    assert all(one["body"]["user"]["email"] == email_sha256(ADA) for one in found["events"])
    assert [one["of"] for one in found["visitor_snapshots"]] == ["shop.Order:a-awaiting_consent"]


@pytest.mark.usefixtures("everybody")
def test_a_person_with_events_in_every_state_is_erased(tmp_path: Path) -> None:
    proof = tmp_path / "proof.json"
    report = run("tiktok_erase", f"--email={ADA}", f"--report={proof}")
    assert report["databases"]["default"]["events"] == dict.fromkeys(sorted(State.values), 1)
    assert report["databases"]["default"]["events_still_with_data"] == 0
    assert report["databases"]["default"]["snapshots"] == 1
    assert json.loads(proof.read_text()) == report
    assert (email_sha256(ADA) or "") not in texts() + proof.read_text()
    theirs = OutboxEvent.objects.filter(object_pk__startswith="a-")
    assert set(theirs.values_list("state", flat=True)) == {State.CANCELLED, State.DELIVERED, State.BROWSER_ONLY}
    others = OutboxEvent.objects.filter(object_pk__startswith="b-", payload__contains=email_sha256(BOB) or "")
    assert others.count() == len(State)
    assert "1.1.1.1" in VisitorSnapshot.objects.get(object_pk="b-awaiting_consent").signals


def test_an_unfinished_event_that_is_erased_is_not_built_again() -> None:
    rows = [
        event(ADA, state, unfinished_since=1.0) for state in (State.WAITING, State.AWAITING_CONSENT, State.BROWSER_ONLY)
    ]
    OutboxEvent.objects.update(due_at=None)
    run("tiktok_erase", f"--email={ADA}")
    assert [outbox.finish(row, using="default", now=2.0, rebuilt=True) for row in rows] == [False] * 3
    assert email_sha256(ADA) not in texts()


@pytest.mark.usefixtures("everybody")
def test_what_was_erased_can_not_be_sent_again() -> None:
    run("tiktok_erase", f"--email={ADA}")
    assert retry(OutboxEvent.objects.filter(object_pk__startswith="a-"), now=0).changed == []


@pytest.mark.usefixtures("everybody")
def test_a_dry_run_changes_nothing() -> None:
    before = texts()
    report = run("tiktok_erase", f"--email={ADA}", "--dry-run")
    assert (sum(report["databases"]["default"]["events"].values()), texts()) == (len(State), before)


@pytest.mark.parametrize(
    ("user", "argument"),
    [
        ({"phone": PHONE}, f"--phone={PHONE}"),
        ({"phone": [PHONE, "+4915187654321"]}, "--phone=+4915187654321"),
        ({"external_id": "C-7"}, "--external-id=C-7"),
        ({"email": [BOB, ADA]}, f"--email={ADA}"),
        ({"email": ADA}, f"--email={email_sha256(ADA)}"),
    ],
)
def test_a_person_is_found_by_every_key(user: dict[str, Any], argument: str, configure: Callable[..., None]) -> None:
    configure()
    track(None, "Lead", user=user)
    track(None, "Lead", user={"email": "somebody@example.com"})
    report = run("tiktok_erase", argument)
    assert report["databases"]["default"]["events"] == {"waiting": 1}


def test_an_unpaid_orders_visitor_is_erased_and_its_payment_tells_nobody(
    configure: Callable[..., None], client: Client
) -> None:
    configure()
    client.post("/order/")
    order = Order.objects.get()
    run("tiktok_erase", f"--object=shop.Order:{order.pk}")
    Client().post(f"/hooks/pay/?order={order.pk}")
    assert not OutboxEvent.objects.exists()


@pytest.mark.parametrize(
    "arguments",
    [(), ("--email=nonsense",), ("--phone=12",), ("--object=42",)],
    ids=["nobody", "email", "phone", "object"],
)
def test_who_is_not_named_is_not_erased(arguments: tuple[str, ...]) -> None:
    for command in ("tiktok_erase", "tiktok_export"):
        with pytest.raises(CommandError) as raised:
            run(command, *arguments)
        assert "nonsense" not in str(raised.value)


@pytest.mark.parametrize("wanted", [True, False])
def test_a_deleted_users_events_go_with_them_where_the_site_says_so(
    wanted: bool, configure: Callable[..., None]
) -> None:
    configure(ERASE_WITH_USER=wanted)
    user = get_user_model().objects.create_user("ada", ADA)
    track(None, "Lead", user={"email": ADA})
    user.delete()
    assert ((email_sha256(ADA) or "") in texts()) is not wanted


def test_the_log_of_an_erasure_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    event(ADA, State.DELIVERED)
    run("tiktok_erase", f"--email={ADA}", f"--phone={PHONE}")
    ours = "".join(one.getMessage() for one in caplog.records if not one.name.startswith("django.db"))
    for mark in (ADA, PHONE, email_sha256(ADA) or "", phone_sha256(PHONE) or ""):
        assert mark not in ours
