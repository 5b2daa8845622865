"""System checks: each mistake is named once, with what to do, and a site without mistakes hears nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import ERROR, CheckMessage, run_checks
from django.db import connection
from django.urls import set_urlconf

from tests.conversions import models as _models  # noqa: F401 -- brings the proxy that is declared below
from tiktok_attribution.checks import TAG
from tiktok_attribution.middleware import AttributionMiddleware

TOKEN = "0123456789abcdef0123456789abcdef01234567"
SOUND = {"PIXEL_CODE": "C0A", "ACCESS_TOKEN": TOKEN, "SITE_URL": "https://www.example.com"}
PURCHASE = {"event": "Purchase", "when": {"status": "paid"}, "value": "total", "currency": "currency"}
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"
UPDATE_CACHE = "django.middleware.cache.UpdateCacheMiddleware"
SHARED_CACHE = "django.core.cache.backends.db.DatabaseCache"
OURS = "tiktok_attribution.middleware.AttributionMiddleware"


class OwnMiddleware(AttributionMiddleware):
    """A site's own variant."""


@pytest.fixture
def found(settings: Any, immediate: None) -> Any:
    settings.CACHES = {"default": {"BACKEND": SHARED_CACHE, "LOCATION": "counts"}}

    def check(*, deploy: bool = False, **options: Any) -> list[CheckMessage]:
        settings.TIKTOK_ATTRIBUTION = {**SOUND, **options}
        return list(run_checks(tags=[TAG], include_deployment_checks=deploy))

    return check


def ids(messages: list[CheckMessage]) -> list[str]:
    return [str(message.id).removeprefix("tiktok_attribution.") for message in messages]


def test_a_site_without_problems_hears_nothing(found: Any) -> None:
    assert found(CONVERSIONS={"shop.Order": PURCHASE}) == []


def test_a_site_that_switched_it_off_hears_of_its_slips_only(found: Any, settings: Any) -> None:
    settings.MIDDLEWARE = []
    options = {"PIXEL_CODE": "", "ACCESS_TOKEN": "", "SITE_URL": "", "API_URL": "http://127.0.0.1:8765"}
    assert found(ENABLED=False, CONVERSIONS={"shop.Order": PURCHASE}, **options) == []
    assert ids(found(ENABLED=False, PIXEL_KODE="")) == ["E001"]


def test_every_message_says_how_to_fix_it(found: Any, settings: Any) -> None:
    settings.MIDDLEWARE, settings.CELERY_TASK_ALWAYS_EAGER = [OURS, SESSIONS], True
    options = {"PIXEL_CODE": "", "ACCESS_TOKEN": "", "SITE_URL": "", "API_URL": "http://127.0.0.1:8765"}
    conversions = {"shop.Order": PURCHASE, "shop.Nothing": PURCHASE}
    messages = found(
        deploy=True, TEST_EVENT_CODE="T1", MODE="standard", CONVERSIONS=conversions, PIXEL_KODE="", **options
    )
    expected = {
        *(f"E00{number}" for number in range(1, 7)),
        *(f"W00{number}" for number in range(1, 6)),
        "W020",
        "W021",
    }
    assert set(ids(messages)) == expected
    assert [message.id for message in messages if not message.hint] == []


def test_a_misspelt_key_names_the_nearest(found: Any) -> None:
    (message,) = found(CONVERSION={})
    assert (message.id, message.hint) == ("tiktok_attribution.E001", "Did you mean 'CONVERSIONS'?")


@pytest.mark.parametrize(
    "option",
    [
        {"PIXEL_CODE": "C0-A"},
        {"PIXEL_CODE": "", "PIXEL_FOR_REQUEST": "no.such.callable"},
        {"ACCESS_TOKEN": "Bearer x"},
        {"SITE_URL": "example.com"},
    ],
    ids=str,
)
def test_one_slip_is_one_message(found: Any, option: dict[str, Any]) -> None:
    assert ids(found(**option, CONVERSIONS={"shop.Order": PURCHASE})) == ["E001"]


@pytest.mark.parametrize("written", [["PIXEL_CODE"], "PIXEL_CODE", None, 7], ids=str)
def test_what_is_no_dict_is_one_message(settings: Any, immediate: None, written: object) -> None:
    settings.TIKTOK_ATTRIBUTION = written
    assert ids(list(run_checks(tags=[TAG]))) == ["E001"]


def test_a_missing_pixel(found: Any) -> None:
    assert ids(found(PIXEL_CODE="")) == ["W020"]
    assert ids(found(deploy=True, PIXEL_CODE="")) == ["W020", "E002"]


def test_a_callable_stands_for_the_pixel(found: Any) -> None:
    assert found(PIXEL_CODE="", PIXEL_FOR_REQUEST=lambda request: "C0A") == []


@pytest.mark.parametrize("debug", [False, True])
def test_a_missing_token_is_an_error_only_where_production_is_checked(found: Any, settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    assert ids(found(ACCESS_TOKEN="")) == ["W005"]
    assert ids(found(deploy=True, ACCESS_TOKEN="")) == ["W005", "E003"]


def test_what_the_environment_of_a_build_lacks_is_no_error(found: Any) -> None:
    messages = found(PIXEL_CODE=None, ACCESS_TOKEN=None, SITE_URL=None, API_URL="", TRUSTED_PROXIES=[""])
    assert [message for message in messages if message.level >= ERROR] == []


def test_the_pixels_without_token_are_named(found: Any) -> None:
    (message,) = found(PIXEL_CODE=["C0A", "C0B", "C0C"], ACCESS_TOKEN={"C0A": TOKEN})
    assert "no ACCESS_TOKEN for C0B, C0C:" in message.msg


def test_pixels_by_request_need_a_token_as_well(found: Any) -> None:
    assert ids(found(PIXEL_CODE="", PIXEL_FOR_REQUEST=lambda request: "C0A", ACCESS_TOKEN="")) == ["W005"]


@pytest.mark.parametrize("token", [lambda code: 1 / 0, {"C0A": lambda code: 1 / 0}], ids=["callable", "in a dict"])
def test_a_callable_for_the_token_is_not_asked(found: Any, token: Any) -> None:
    assert found(ACCESS_TOKEN=token) == []


@pytest.mark.parametrize(
    ("label", "hint"),
    [("shop.Ordr", "Did you mean 'shop.Order'?"), ("shop.order.Order", "Did you mean 'shop.Order'?")],
)
def test_a_model_that_is_none_names_the_nearest(found: Any, label: str, hint: str) -> None:
    (message,) = found(CONVERSIONS={label: PURCHASE})
    assert (message.id, message.hint) == ("tiktok_attribution.E004", hint)


def test_a_model_that_is_like_none_lists_them(found: Any) -> None:
    (message,) = found(CONVERSIONS={"zzz": PURCHASE})
    assert "shop.Order, shop.OrderLine" in str(message.hint)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"event": "purchase"}, 'did you mean "Purchase"'),
        ({"value": "totl"}, "'totl', which doesn't resolve"),
        ({"when": {"state": "paid"}}, "'state', which doesn't resolve"),
        ({"when": "shop.rules.missing"}, "which can't be imported"),
        ({"halfs": "both"}, "has no key 'halfs'"),
        ({"user": {"mail": "email"}}, "['user'] has no key 'mail'"),
        ({"contents": {"each": "lines", "content_id": "skew"}}, "'skew', which doesn't resolve"),
    ],
    ids=lambda case: str(case)[:30],
)
def test_a_mapping_that_can_not_work(found: Any, change: dict[str, Any], words: str) -> None:
    (message,) = found(CONVERSIONS={"shop.Order": {**PURCHASE, **change}})
    assert message.id == "tiktok_attribution.E004"
    assert words in message.msg


def test_a_content_type_of_items_stands_beside_the_contents(found: Any) -> None:
    contents = {"each": "lines", "content_id": "sku", "content_type": {"constant": "product"}}
    (message,) = found(CONVERSIONS={"shop.Order": {**PURCHASE, "contents": contents}})
    assert "['contents'] has no key 'content_type'" in message.msg
    assert message.hint.startswith('Write it beside "contents": "content_type": "product"')


SALE = {"event": "Purchase", "when": {"status": "paid"}}


@pytest.mark.parametrize(
    ("mapping", "key"),
    [
        ({**SALE, "value": "total"}, "value"),
        ({**SALE, "value": {"constant": 5}}, "value"),
        ({**SALE, "properties": {"value": "total"}}, "value"),
        ({**SALE, "contents": {"each": "lines", "content_id": "sku", "price": "unit_price"}}, "price"),
    ],
)
def test_an_amount_without_any_currency(found: Any, mapping: dict[str, Any], key: str) -> None:
    (message,) = found(CONVERSIONS={"shop.Order": mapping}, DEFAULT_CURRENCY="")
    assert message.id == "tiktok_attribution.W026"
    assert f"has '{key}' and no currency" in message.msg
    assert found(CONVERSIONS={"shop.Order": mapping}, DEFAULT_CURRENCY="EUR") == []
    assert found(CONVERSIONS={"shop.Order": {**mapping, "currency": "EUR"}}, DEFAULT_CURRENCY="") == []


def test_an_event_without_amounts_needs_no_currency(found: Any) -> None:
    contents = {"each": "lines", "content_id": "sku"}
    assert found(CONVERSIONS={"shop.Order": {**SALE, "contents": contents}}, DEFAULT_CURRENCY="") == []


def test_a_model_and_its_proxy_with_the_same_event(found: Any) -> None:
    (message,) = found(CONVERSIONS={"shop.Order": PURCHASE, "shop.PhoneOrder": PURCHASE})
    assert message.id == "tiktok_attribution.E004"
    assert "the backfill counts their rows twice" in message.msg


def test_two_declarations_with_the_same_ids(found: Any) -> None:
    (message,) = found(CONVERSIONS={"shop.Order": [PURCHASE, PURCHASE]})
    assert (message.id, message.hint) == ("tiktok_attribution.E004", 'Give one of them its own "label".')


@pytest.mark.parametrize(
    ("user", "words"),
    [({"mail": "email"}, "['USER'] has no key 'mail'"), ({"email": "e_mail"}, "'e_mail', which doesn't resolve")],
)
def test_keys_of_the_signed_in_user(found: Any, user: dict[str, str], words: str) -> None:
    (message,) = found(USER=user)
    assert message.id == "tiktok_attribution.E007"
    assert words in message.msg


def test_a_database_that_is_none(found: Any) -> None:
    (message,) = found(OUTBOX_DATABASES=["default", "other"])
    assert (message.id, message.hint) == ("tiktok_attribution.E008", "Known aliases: default.")


def test_a_missing_middleware(found: Any, settings: Any) -> None:
    settings.MIDDLEWARE = [SESSIONS]
    assert ids(found()) == ["E005"]


@pytest.mark.parametrize("other", [SESSIONS, UPDATE_CACHE])
def test_a_middleware_that_must_stand_before(found: Any, settings: Any, other: str) -> None:
    settings.MIDDLEWARE = [other, OURS]
    assert found() == []
    settings.MIDDLEWARE = [OURS, other]
    (message,) = found()
    assert message.id == "tiktok_attribution.E005"
    assert f"before {other.rpartition('.')[2]}" in message.msg


@pytest.mark.parametrize("path", [f"{__name__}.OwnMiddleware", "no.such.Middleware"])
def test_a_subclass_of_the_middleware_will_do(found: Any, settings: Any, path: str) -> None:
    settings.MIDDLEWARE = [path]
    assert ids(found()) == ([] if path.endswith("OwnMiddleware") else ["E005"])


@pytest.mark.parametrize(
    ("debug", "allowed", "expected"), [(False, False, ["W021", "E006"]), (False, True, []), (True, False, [])]
)
def test_a_test_code_outside_debug(found: Any, settings: Any, debug: bool, allowed: bool, expected: list[str]) -> None:
    settings.DEBUG = debug
    options = {"TEST_EVENT_CODE": "TEST1", "TEST_EVENT_CODE_IN_PRODUCTION": allowed}
    assert ids(found(deploy=True, **options)) == expected
    assert ids(found(**options)) == expected[:1]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"MODE": "standard"}, ["W001"]),
        ({"MODE": "standard", "STANDARD_MODE_SERVER_EVENTS": ["Purchase"]}, []),
        ({"MODE": "developer"}, []),
    ],
    ids=str,
)
def test_an_event_that_standard_mode_leaves_out(found: Any, options: dict[str, Any], expected: list[str]) -> None:
    assert ids(found(**options, CONVERSIONS={"shop.Order": PURCHASE})) == expected


def test_a_missing_site_address(found: Any) -> None:
    assert ids(found(SITE_URL="", CONVERSIONS={"shop.Order": PURCHASE})) == ["W002"]


def test_a_site_without_declarations_needs_no_address(found: Any) -> None:
    assert found(SITE_URL="") == []


@pytest.mark.parametrize(("eager", "expected"), [(True, ["W003"]), (False, [])])
def test_eager_celery(found: Any, settings: Any, eager: bool, expected: list[str]) -> None:
    settings.CELERY_TASK_ALWAYS_EAGER = eager
    assert ids(found()) == expected


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({"API_URL": "http://127.0.0.1:8765/open_api"}, ["W004"]),
        ({"PIXEL_HOST": "https://tiktok.com.example.net"}, ["W004"]),
        ({"MARKETING_API_URL": "http://127.0.0.1:8765/open_api/v1.3/"}, ["W004"]),
        ({"PIXEL_HOST": "https://analytics.us.tiktok.com"}, []),
    ],
    ids=str,
)
def test_a_forgotten_stand_in(found: Any, settings: Any, option: dict[str, Any], expected: list[str]) -> None:
    assert ids(found(**option)) == expected
    settings.DEBUG = True
    assert found(**option) == []


# As a newcomer meets them ---------------------------------------------------------------------------------------------

BROKEN = f"""
from tests.settings import *
MIDDLEWARE = [name for name in MIDDLEWARE if "tiktok" not in name]
TIKTOK_ATTRIBUTION = {{
    "PIXEL_CODE": "C0EXAMPLE0000000000",
    "ACCESS_TOKEN": "Bearer {TOKEN}",
    "MOD": "developer",
    "TRUSTED_PROXIES": "10.0.0.0/8",
    "CONVERSIONS": {{"shop.Order": {{"event": "purchase", "value": "sum"}}}},
}}
if "sqlite" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"]["transaction_mode"] = "IMMEDIATE"
"""


IMPORTS = "from tests.settings import *\n"


def manage_check(folder: Path, text: str, *command: str) -> subprocess.CompletedProcess[str]:
    (folder / "site_settings.py").write_text(text)
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "site_settings",
        "PYTHONPATH": os.pathsep.join([str(folder), str(Path(__file__).parents[1])]),
    }
    line = [sys.executable, "-m", "django", *(command or ("check",))]
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_manage_check_names_every_problem_at_once(tmp_path: Path) -> None:
    done = manage_check(tmp_path, BROKEN)
    assert done.returncode == 1
    for words in (
        'begins with "Bearer"',
        "HINT: Did you mean 'MODE'?",
        "HINT: Write ['10.0.0.0/8'].",
        'did you mean "Purchase"',
        "shop.Order has no 'sum'",
        "is not in MIDDLEWARE",
    ):
        assert words in done.stderr
    assert "identified 6 issues" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.privacy
def test_manage_check_does_not_show_the_token(tmp_path: Path) -> None:
    done = manage_check(tmp_path, BROKEN)
    assert TOKEN not in done.stdout + done.stderr


def test_the_page_script_needs_somewhere_to_report_to(found: Any, settings: Any) -> None:
    assert ids(found(PAGE_SCRIPT=True)) == ["W006"]
    settings.ROOT_URLCONF = "tests.browser.site"
    assert found(PAGE_SCRIPT=True) == []


def test_visits_of_turbo_need_the_page_script(found: Any, settings: Any) -> None:
    assert ids(found(HISTORY_OBSERVER="turbo")) == ["W010"]
    settings.ROOT_URLCONF = "tests.browser.site"
    assert found(HISTORY_OBSERVER="turbo", PAGE_SCRIPT=True) == []


def test_what_compresses_stands_before_the_middleware_that_inserts(found: Any, settings: Any) -> None:
    gzip = "django.middleware.gzip.GZipMiddleware"
    plain = list(settings.MIDDLEWARE)
    settings.MIDDLEWARE = [*plain, gzip]
    assert ids(found(INSERT_TAG=True)) == ["W025"]
    assert found() == []
    settings.MIDDLEWARE = [gzip, *plain]
    assert found(INSERT_TAG=True) == []


def test_cookies_for_frames_need_https(found: Any) -> None:
    assert ids(found(IN_FRAMES=True, SITE_URL="http://shop.example")) == ["W024"]
    assert found(IN_FRAMES=True, SITE_URL="https://shop.example") == []


def test_the_page_script_needs_static_files(found: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.browser.site"
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != "django.contrib.staticfiles"]
    assert ids(found(PAGE_SCRIPT=True)) == ["W006"]


@pytest.mark.privacy
@pytest.mark.parametrize("debug", [True, False])
def test_a_token_in_the_settings_source(tmp_path: Path, debug: bool) -> None:
    text = f"{IMPORTS}DEBUG = {debug}\nTIKTOK_ATTRIBUTION = {{'PIXEL_CODE': 'C0A', 'ACCESS_TOKEN': {TOKEN!r}}}"
    done = manage_check(tmp_path, text)
    assert ("tiktok_attribution.W007" in done.stdout + done.stderr) is not debug
    assert TOKEN not in done.stdout + done.stderr


@pytest.mark.privacy
def test_a_token_from_the_environment_is_not_in_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_TIKTOK", TOKEN)
    token = "import os\nTOKEN = os.environ['SECRET_OF_TIKTOK']"
    text = f"{IMPORTS}{token}\nTIKTOK_ATTRIBUTION = {{'PIXEL_CODE': 'C0A', 'ACCESS_TOKEN': TOKEN}}"
    done = manage_check(tmp_path, text)
    assert "W007" not in done.stdout + done.stderr


@pytest.mark.parametrize("option", [{"REGION": lambda request: "DE"}, {"REGIONS": {"DE": {"ASK": True}}}])
def test_regions_without_their_other_half(found: Any, option: dict[str, Any]) -> None:
    assert ids(found(**option)) == ["W008"]


def test_alerts_that_reach_nobody(found: Any, settings: Any) -> None:
    assert ids(found(MAIL_ADMINS=True)) == ["W009"]
    assert ids(found(MAIL_ADMINS=False)) == []
    settings.ADMINS = [("Ann", "ann@example.com")]
    assert ids(found(MAIL_ADMINS=True)) == []


def test_a_banner_that_can_not_tell_the_server(found: Any, settings: Any) -> None:
    assert ids(found(CONSENT={"cookie": "tiktok_consent"})) == ["I001"]
    settings.ROOT_URLCONF = "tests.consent.site"
    assert found(CONSENT={"cookie": "tiktok_consent"}) == []


def test_an_event_that_is_nearly_a_standard_one(found: Any) -> None:
    (message,) = found(CONVERSIONS={"shop.Order": {**PURCHASE, "event": "Purchse"}})
    assert message.id == "tiktok_attribution.W011"
    assert message.msg == "'Purchse' of shop.Order is no standard event; did you mean 'Purchase'?"
    assert "SILENCED_SYSTEM_CHECKS" in message.hint


def test_a_custom_event_is_left_alone(found: Any) -> None:
    assert found(CONVERSIONS={"shop.Order": {**PURCHASE, "event": "PurchaseRefund"}}) == []


@pytest.mark.hostile
@pytest.mark.parametrize("backend", ["locmem.LocMemCache", "dummy.DummyCache"])
def test_a_cache_in_which_no_process_sees_the_others_counts(found: Any, settings: Any, backend: str) -> None:
    settings.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{backend}"}}
    assert ids(found()) == []  # no endpoint, so nothing is counted
    settings.ROOT_URLCONF = "tests.browser.site"
    (message,) = found()
    assert (message.id, backend.partition(".")[2] in message.msg) == ("tiktok_attribution.W014", True)
    settings.DEBUG = True
    assert ids(found()) == []


# What a site's CI runs, without anything that production has in its environment -------------------------------------

BARE = """
from tests.settings import *
import os, tempfile
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(tempfile.gettempdir(), "no.db")}}
DATABASES["default"]["TEST"] = {"NAME": ":memory:"}
TIKTOK_ATTRIBUTION = {
    "PIXEL_CODE": os.environ.get("TIKTOK_PIXEL"),
    "ACCESS_TOKEN": os.environ.get("TIKTOK_ACCESS_TOKEN", ""),
    "SITE_URL": os.environ.get("SITE_URL"),
    "TEST_EVENT_CODE": "TEST1",
}
TEST_RUNNER = "site_runner.OneTest"
"""
RUNNER = """
from django.test import SimpleTestCase
from django.test.runner import DiscoverRunner

class OfTheSite(SimpleTestCase):
    def test_it(self):
        from tiktok_attribution import in_tests
        assert in_tests.is_test_process()

class OneTest(DiscoverRunner):
    def build_suite(self, *args, **options):
        return self.test_suite([OfTheSite("test_it")])

    def setup_databases(self, **options):
        return []

    def teardown_databases(self, old_config, **options):
        pass
"""


@pytest.mark.parametrize("command", [("test",), ("check",), ("migrate", "--plan")], ids=lambda command: command[0])
def test_a_build_without_token_and_pixel_goes_on(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "site_runner.py").write_text(RUNNER)
    done = manage_check(tmp_path, BARE.replace("tempfile.gettempdir()", repr(str(tmp_path))), *command)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert ("\nOK\n" in done.stderr) is (command == ("test",))


def test_a_deployment_without_token_and_pixel_is_refused(tmp_path: Path) -> None:
    done = manage_check(tmp_path, BARE.replace("tempfile.gettempdir()", repr(str(tmp_path))), "check", "--deploy")
    assert done.returncode == 1
    assert all(f"tiktok_attribution.{number}" in done.stderr for number in ("E002", "E003", "E006"))


def test_a_worker_whose_settings_have_no_urls_is_checked_too(found: Any, settings: Any) -> None:
    set_urlconf(None)
    del settings.ROOT_URLCONF
    assert ids(found(CONSENT={"cookie": "tiktok_consent"})) == ["I001"]


# SQLite ---------------------------------------------------------------------------------------------------------------


@pytest.mark.on_engine("sqlite")
@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("shop.sqlite3", {}, ["W022"]),
        ("shop.sqlite3", {"transaction_mode": "DEFERRED"}, ["W022"]),
        ("shop.sqlite3", {"transaction_mode": "immediate"}, []),
        ("shop.sqlite3", {"transaction_mode": "EXCLUSIVE"}, []),
        (":memory:", {}, []),
        ("file:memorydb_default?mode=memory&cache=shared", {}, []),
    ],
    ids=str,
)
def test_sqlite_files_whose_transactions_do_not_wait(
    found: Any, monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, str], expected: list[str]
) -> None:
    monkeypatch.setitem(connection.settings_dict, "NAME", name)
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    messages = found()
    assert ids(messages) == expected
    for message in messages:
        assert '"OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20}' in str(message.hint)


@pytest.mark.on_engine("sqlite")
def test_a_database_that_holds_no_outbox_is_left_alone(found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})
    monkeypatch.setattr("tiktok_attribution.checks.outbox_databases", list)
    assert found() == []


def test_touches_are_kept_for_the_widest_window(found: Any) -> None:
    (message,) = found(ATTRIBUTION={"windows": [7, 60]}, KEEP_TOUCH_DAYS=30)
    assert message.id == "tiktok_attribution.W027"
    assert "60 days" in message.msg
    assert found(ATTRIBUTION={"windows": [7, 60]}, KEEP_TOUCH_DAYS=60) == []
    assert found(ATTRIBUTION=False, KEEP_TOUCH_DAYS=1) == []


def test_attribution_without_the_middleware_is_named(found: Any, settings: Any) -> None:
    settings.MIDDLEWARE = []
    (message,) = found(ATTRIBUTION=True)
    assert message.id == "tiktok_attribution.E005"
    assert "No landing is recorded" in message.msg
