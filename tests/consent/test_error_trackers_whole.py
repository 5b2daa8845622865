"""sentry-sdk as a site starts it, with all its integrations, in a process of its own: they would stay in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.delivery.wire import http as answered
from tests.delivery.wire import wire

pytestmark = [pytest.mark.privacy, pytest.mark.hostile, pytest.mark.on_engine("sqlite")]

TOKEN = "f" * 39 + "7"
EMAIL, PHONE, NAME, DIGEST = "marked.person@example.com", "+4915112345678", "Markedname", "5e" * 32

SITE = """
import io, json, os, sys, time
import django
from django.conf import settings

EMAIL, PHONE, NAME, DIGEST, TOKEN, API = os.environ["PLANTED"].split()
django.setup()
settings.DEBUG, settings.ROOT_URLCONF = False, "tests.consent.site"
settings.ALLOWED_HOSTS = ["*"]
import sentry_sdk
from tests.consent.trackers import Kept

kept = Kept()
sentry_sdk.init(dsn="http://key@127.0.0.1/1", transport=kept, traces_sample_rate=1.0)

from unittest import mock
from billiard.exceptions import SoftTimeLimitExceeded
from django.core.management import call_command, execute_from_command_line
from django.test import Client
from django.urls import path
from tests.delivery.samples import PIXEL, row, store
from tests.shop.models import Order
from tiktok_attribution import tasks
from tiktok_attribution.conversions import receivers

call_command("migrate", run_syncdb=True, verbosity=0)
PURCHASE = {
    "event": "Purchase", "when": {"status": "paid"}, "value": "total", "currency": "currency",
    "user": {"email": "email", "phone": "phone", "first_name": "customer_id"},
}
settings.TIKTOK_ATTRIBUTION = {
    "PIXEL_CODE": PIXEL, "ACCESS_TOKEN": TOKEN, "API_URL": API, "STRICT": True, "CONVERSIONS": {"shop.Order": PURCHASE},
}
receivers.connect()

def buy(request):
    Order(total=5, email=EMAIL, phone=PHONE, customer_id=NAME, status="paid").save()

class Urls:
    urlpatterns = [path("buy/", buy)]

settings.ROOT_URLCONF = Urls
def forced(*args, **kwargs):
    raise SoftTimeLimitExceeded

count = lambda: sum(item.headers.get("type") == "event" for one in kept.envelopes for item in one.items)
seen = []
with mock.patch("tiktok_attribution.events.hashing.hashlib.sha256", forced):
    Client(raise_request_exception=False).get("/buy/")
    seen.append(count())
    sys.stdin = io.StringIO(EMAIL)
    sys.argv = ["manage.py", "tiktok_erase", "--email", "-"]
    try:
        execute_from_command_line(sys.argv)
    except SoftTimeLimitExceeded:
        sentry_sdk.capture_exception()
    seen.append(count())
payload = {"event": "Lead", "event_id": "lead-1", "user": {"email": DIGEST}}
http = "http.client.HTTPConnection"
places = (f"{http}._send_output", f"{http}.send", "requests.Response.iter_content")
now = int(time.time())
for number, place in enumerate(places):
    code = f"{PIXEL}{number}"  # what was on its way keeps its lane for a while
    store([row(pixel_code=code, payload=json.dumps(payload), due_at=now - 1, event_time=now - 60)])
    with mock.patch(place, forced):
        tasks.deliver.apply((code, "default"))
    seen.append(count())
sentry_sdk.flush()
print(seen)
print(kept.text)
"""


def test_no_envelope_holds_the_token_a_body_or_a_person() -> None:
    ok = b'{"code": 0, "message": "OK", "request_id": "R1"}'
    with wire(lambda connection: connection.sendall(answered(ok))) as server:
        environment = {
            **{key: value for key, value in os.environ.items() if key != "TEST_DATABASE_URL"},
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PLANTED": f"{EMAIL} {PHONE} {NAME} {DIGEST} {TOKEN} {server.url}",
        }
        ran = subprocess.run(
            [sys.executable, "-c", SITE], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
    assert ran.returncode == 0, ran.stderr
    counts, _, text = ran.stdout.partition("\n")
    assert counts == "[1, 2, 3, 4, 5]", (counts, ran.stderr)  # each was told
    for mark in ("marked.person", PHONE[3:], NAME, DIGEST, TOKEN):
        at = text.find(mark)
        assert at < 0, text[max(0, at - 500) : at + 100]
