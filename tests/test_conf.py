"""The settings dict: every key's reader, what a slip becomes, and that it is read as it is now."""

from __future__ import annotations

import ipaddress
import re
import statistics
import timeit
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from tiktok_attribution import conf
from tiktok_attribution.attribution_settings import Advertiser, Attribution
from tiktok_attribution.conf import FROM_ENVIRONMENT, OPTIONS, Settings, read
from tiktok_attribution.consent.cookie_rules import SessionRule
from tiktok_attribution.consent.tcf import TcfRule
from tiktok_attribution.setting_validation import PathPatterns, Policy

TOKEN = "0123456789abcdef0123456789abcdef01234567"


def callable_of_the_site(request: object) -> str:
    return "C0SHOP"


def _name(one: object) -> str:
    return getattr(one, "__name__", str(one))  # no address of a function, or workers side by side collect other tests


HERE = f"{__name__}.callable_of_the_site"

USABLE: list[tuple[str, Any, Any]] = [
    ("ENABLED", False, False),
    ("PIXEL_CODE", " C0A ", ("C0A",)),
    ("PIXEL_CODE", ["C0A", "C0B", "C0A"], ("C0A", "C0B")),
    ("PIXEL_CODE", "", ()),
    ("ACCESS_TOKEN", f" {TOKEN}\n", TOKEN),
    ("ACCESS_TOKEN", {"C0A": TOKEN}, {"C0A": TOKEN}),
    ("ACCESS_TOKEN", {"C0A": None}, {"C0A": ""}),
    ("ACCESS_TOKEN", callable_of_the_site, callable_of_the_site),
    ("MODE", "Standard", "standard"),
    ("CONVERSIONS", {"shop.Order": {}}, {"shop.Order": {}}),
    ("STANDARD_MODE_SERVER_EVENTS", ["Purchase"], ("Purchase",)),
    ("PIXEL_FOR_REQUEST", HERE, callable_of_the_site),
    ("PIXEL_FOR_REQUEST", None, None),
    ("STRICT", True, True),
    ("SEND_IN_TESTS", True, True),
    ("USER", {"email": "mail"}, {"email": "mail"}),
    ("PHONE_REGION", "de", "DE"),
    ("DEFAULT_CURRENCY", "eur", "EUR"),
    ("DEFAULT_CURRENCY", "", ""),
    ("VALUES_IN_MINOR_UNITS", True, True),
    ("TRUSTED_PROXIES", [""], ()),
    ("TRUSTED_PROXIES", ["10.0.0.0/8"], (ipaddress.ip_network("10.0.0.0/8"),)),
    ("TRUSTED_PROXIES", ["10.1.2.3/8", "::1"], (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::1"))),
    ("IS_VISITOR", callable_of_the_site, callable_of_the_site),
    ("IS_STAFF", callable_of_the_site, callable_of_the_site),
    ("EXCLUDED_PATHS", ["/api/", ""], ("/api/",)),
    ("SITE_URL", "https://www.example.com/", "https://www.example.com"),
    ("SITE_URL", "", ""),
    ("ALLOWED_QUERY_PARAMETERS", ("page",), ("page",)),
    ("CLICK_ID_DAYS", 7, 7),
    ("COOKIE_DOMAIN", ".example.com", ".example.com"),
    ("IN_FRAMES", True, True),
    ("SNAPSHOT_DAYS", 400, 400),
    ("USER_MATCHING", False, False),
    ("INSERT_TAG", True, True),
    ("HISTORY_OBSERVER", False, False),
    ("HISTORY_OBSERVER", "turbo", "turbo"),
    ("LIMITED_DATA_USE", True, True),
    ("PAGE_SCRIPT", True, True),
    ("BROWSER_RECEIPTS", False, False),
    ("ACTION_DAYS", 30, 30.0),
    ("UNSIGNED_ACTIONS", True, True),
    ("BEACONS_PER_MINUTE", 600, 600),
    ("BEACONS_PER_MINUTE_ALL", 60_000, 60_000),
    ("PIXEL_HOST", "https://analytics.us.tiktok.com/", "https://analytics.us.tiktok.com"),
    ("OUTBOX_DATABASES", ["default"], ("default",)),
    ("API_URL", "https://api.example/track", "https://api.example/track/"),
    ("MARKETING_API_URL", "https://api.example/v1.3", "https://api.example/v1.3/"),
    ("TEST_EVENT_CODE", "TEST123", "TEST123"),
    ("TEST_EVENT_CODE_IN_PRODUCTION", True, True),
    ("BATCH_SIZE", 50, 50),
    ("BATCH_BYTES", 10_000, 10_000),
    ("TIMEOUT_SECONDS", 3, 3.0),
    ("EVENTS_PER_SECOND", 0, 0.0),
    ("LANES", 1, 1),
    ("PARALLEL_LANES", 1, 1),
    ("DELIVERY_TASKS", 2, 2),
    ("DELIVERY_SECONDS", 3, 3.0),
    ("LEASE_SECONDS", 30, 30.0),
    ("RETRY_SECONDS", 0.5, 0.5),
    ("RETRY_MAX_SECONDS", 60, 60.0),
    ("MAX_AGE_DAYS", 28, 28.0),
    ("BACKFILL_HOURS", None, None),
    ("BACKFILL_HOURS", 48, 48.0),
    ("WAKEUP_SECONDS", 0, 0.0),
    ("KEEP_PAYLOAD_DAYS", 1, 1.0),
    ("KEEP_EVENT_DAYS", 365, 365.0),
    ("MAIL_ADMINS", False, False),
    ("ALERT_DELAY_MINUTES", 60, 60.0),
    ("FAILURE_PERCENT", 0, 0.0),
    ("CONSENT", None, None),
    ("CONSENT", {"session": "ads"}, SessionRule("ads")),
    ("CONSENT", {"tcf": {"vendor": 12}}, TcfRule(vendor=12)),
    ("CONSENT", len, len),
    ("HOLD_CONSENT", True, True),
    ("HOLD_CLICK_ID", True, True),
    ("AWAITING_CONSENT_HOURS", 0, 0.0),
    ("ON_GPC", "limited_data_use", "limited_data_use"),
    ("ON_DNT", "ignore", "ignore"),
    ("OPT_OUT", len, len),
    ("REGION", len, len),
    ("REGIONS", {"US-CA": {"ASK": False, "ON_GPC": "deny"}}, {"US-CA": Policy(ask=False, on_gpc="deny")}),
    ("BOTS", False, False),
    ("BOTS", len, len),
    ("PRIVATE_PATHS", ["/clinic/"], ("/clinic/",)),
    ("MASKED_PATHS", [r"^/orders/([^/]+)/"], PathPatterns((re.compile(r"^/orders/([^/]+)/"),))),
    ("MASKED_PATHS", len, len),
    ("MASKED_PATHS", [], None),
    ("ERASE_WITH_USER", True, True),
    ("ATTRIBUTION", True, Attribution(enabled=True)),
    ("ATTRIBUTION", False, Attribution()),
    ("ATTRIBUTION", {}, Attribution(enabled=True)),
    ("ATTRIBUTION", {"windows": [28, 7]}, Attribution(enabled=True, windows=(7, 28))),
    ("ATTRIBUTION", {"windows": [30]}, Attribution(enabled=True, windows=(30,), window=30)),
    ("ATTRIBUTION", {"window": 14}, Attribution(enabled=True, window=14)),
    ("ATTRIBUTION", {"events": ["Lead"]}, Attribution(enabled=True, events=("Lead",))),
    ("ATTRIBUTION", {"join": ["email"]}, Attribution(enabled=True, join=("email",))),
    ("ATTRIBUTION", {"other_channels": True}, Attribution(enabled=True, other_channels=True)),
    ("ATTRIBUTION", {"key": "secret"}, Attribution(enabled=True, key="secret")),
    ("ATTRIBUTION", {"parameters": {"ad": "ttadid"}}, Attribution(enabled=True, parameters={"ad": ("ttadid",)})),
    ("ATTRIBUTION", {"rates": len}, Attribution(enabled=True, rates=len)),
    ("ATTRIBUTION", {"landings_per_minute": 5}, Attribution(enabled=True, landings_per_minute=5)),
    ("ATTRIBUTION", {"landings_per_day": 5}, Attribution(enabled=True, landings_per_day=5)),
    ("KEEP_TOUCH_DAYS", 60, 60),
    ("KEEP_ATTRIBUTION_DAYS", 800, 800),
    ("MARKETING_API", {"7": {"pixels": ["C0A"]}}, {"7": Advertiser(advertiser_id="7", pixels=("C0A",))}),
    ("MARKETING_API", {7: {"currency": "eur"}}, {"7": Advertiser(advertiser_id="7", currency="EUR")}),
    (
        "MARKETING_API",
        {"7": {"time_zone": "Europe/Berlin"}},
        {"7": Advertiser(advertiser_id="7", time_zone=ZoneInfo("Europe/Berlin"))},
    ),
]

UNUSABLE: list[tuple[str, Any, str]] = [
    ("HISTORY_OBSERVER", "swup", "must be True, False or 'turbo', not 'swup'."),
    ("MAIL_ADMINS", "no", "must be True or False, not 'no'."),
    ("ALERT_DELAY_MINUTES", 0, "must be a number from 1 to 10_080, not 0."),
    ("FAILURE_PERCENT", 101, "must be a number from 0 to 100, not 101."),
    ("ENABLED", "False", "must be True or False, not 'False'."),
    ("PIXEL_CODE", 7, "must be text or a list of texts, not int."),
    ("PIXEL_CODE", [1], "must be a list of strings."),
    ("PIXEL_CODE", "C0-A", "may hold only letters and digits. Copy the pixel's id from TikTok Events Manager."),
    ("PIXEL_CODE", TOKEN, "holds what looks like an access token. The token belongs into ACCESS_TOKEN."),
    ("ACCESS_TOKEN", 7, "must be text, a callable of the pixel code, or a dict of either by pixel code."),
    ("ACCESS_TOKEN", f"Bearer {TOKEN}", 'begins with "Bearer": TikTok refuses that (40105). Give the bare token.'),
    ("ACCESS_TOKEN", {"C0A": f"{TOKEN} x"}, "white space or other characters no token has. Copy the token again."),
    ("MODE", "event builder", "is 'event builder', not one of 'developer', 'standard'."),
    ("CONVERSIONS", ["shop.Order"], "must be a dict, not list."),
    ("STANDARD_MODE_SERVER_EVENTS", "Purchase", "must be a list, not a string. Write ['Purchase']."),
    ("PIXEL_FOR_REQUEST", "shop.pixels.missing", "names 'shop.pixels.missing', which can't be imported: "),
    ("PIXEL_FOR_REQUEST", f"{__name__}.TOKEN", "which isn't callable."),
    ("PIXEL_FOR_REQUEST", 7, "must be a callable or the dotted path of one."),
    ("PHONE_REGION", "Germany", "is 'Germany', no country's two letters. Write \"US\""),
    (
        "DEFAULT_CURRENCY",
        "euro",
        "is 'euro': the currency is not an ISO 4217 code that TikTok lists: did you mean \"EUR\"?",
    ),
    ("TRUSTED_PROXIES", "10.0.0.0/8", "must be a list, not a string. Write ['10.0.0.0/8']."),
    ("TRUSTED_PROXIES", ["*"], "holds '*', no address or network."),
    ("EXCLUDED_PATHS", ["api/"], "holds 'api/', which no path begins with. Write '/api/'."),
    ("SITE_URL", "www.example.com", "must be an address that begins with https://, and 'www.example.com' isn't."),
    ("SITE_URL", "https://", "must be an address that begins with https://"),
    ("COOKIE_DOMAIN", "https://example.com", "is 'https://example.com', no domain."),
    ("API_URL", "tiktok", "must be an address that begins with https://"),
    ("BATCH_SIZE", 1001, "must be a whole number from 1 to 1_000, not 1001."),
    ("BATCH_SIZE", 10.5, "must be a whole number from 1 to 1_000, not 10.5."),
    ("LANES", True, "must be a whole number from 1 to 64, not True."),
    ("TIMEOUT_SECONDS", "10", "must be a number from 0.1 to 120, not '10'."),
    ("TIMEOUT_SECONDS", float("nan"), "must be a number from 0.1 to 120, not nan."),
    ("MAX_AGE_DAYS", 29, "must be a number from 0.01 to 28, not 29."),
    ("CONSENT", True, "must be a callable or the dotted path of one."),
    ("CONSENT", {}, "names no consent tool, or several."),
    ("CONSENT", {"cookie": "a", "session": "b"}, "names no consent tool, or several."),
    ("CONSENT", {"cookie": "a b"}, "names the cookie 'a b', which no cookie can be called."),
    ("CONSENT", {"cookie": "a", "yes": "1"}, "has no key 'yes' beside 'cookie'."),
    ("CONSENT", {"cookie": "a", "granted": 1}, "has a 'granted' that is not text."),
    ("CONSENT", {"tcf": 12}, 'has a "tcf" that is not'),
    ("CONSENT", {"tcf": {"vendor": "12"}}, "has a \"vendor\" that is '12'"),
    ("CONSENT", {"tcf": {"vendor": 12, "purposes": [25]}}, 'has "purposes" that are not'),
    ("CONSENT", {"cookiebot": "ads"}, 'has a "cookiebot" that is no category'),
    ("CONSENT", {"onetrust": ""}, "has a 'onetrust' that is not text."),
    ("ON_GPC", "no", "is 'no', not one of 'deny', 'limited_data_use', 'ignore'."),
    ("BACKFILL_HOURS", 0, "must be a number from 0.1 to 672, not 0."),
    ("AWAITING_CONSENT_HOURS", -1, "must be a number from 0 to 168, not -1."),
    ("OPT_OUT", {"name": "x"}, "is a dict"),
    ("OPT_OUT", {"cookie": "x", "effect": "ignore"}, "is 'ignore', not one of 'deny', 'limited_data_use'."),
    ("REGIONS", {"DE": {"CONSENT": True}}, "has 'CONSENT' for 'DE'."),
    ("BOTS", None, "must be True, False or a callable"),
    ("PRIVATE_PATHS", ["clinic/"], "holds 'clinic/', which no path begins with."),
    ("MASKED_PATHS", ["/orders/("], "holds '/orders/(', which is no regular expression"),
    ("MASKED_PATHS", "^/orders/", "names '^/orders/', which can't be imported"),
    ("MASKED_PATHS", [b"/orders/"], "must be a list of strings."),
    ("ATTRIBUTION", 1, "must be True, False or a dict, not int."),
    ("ATTRIBUTION", {"window_days": 7}, "has no key 'window_days'."),
    ("ATTRIBUTION", {"windows": []}, "must be a list of 1 to 6 numbers of days."),
    ("ATTRIBUTION", {"windows": [0]}, "must be a whole number from 1 to 90, not 0."),
    ("ATTRIBUTION", {"window": 3}, "is 3, none of 'windows'."),
    ("ATTRIBUTION", {"join": ["phone"]}, "holds 'phone'."),
    ("ATTRIBUTION", {"parameters": {"click": "x"}}, "has no key 'click'."),
    ("ATTRIBUTION", {"landings_per_minute": 0}, "must be a whole number from 1 to 100_000, not 0."),
    ("KEEP_TOUCH_DAYS", 0, "must be a whole number from 1 to 4_000, not 0."),
    ("MARKETING_API", {"shop": {}}, "names 'shop', which is no advertiser id."),
    ("MARKETING_API", {"7": {"zone": "x"}}, "has 'zone' for 7."),
    ("MARKETING_API", {"7": {"time_zone": "Europe/Atlantis"}}, "names the time zone 'Europe/Atlantis'"),
]


@pytest.mark.parametrize(("key", "given", "expected"), USABLE, ids=_name)
def test_a_usable_value_is_read(key: str, given: Any, expected: Any) -> None:
    settings = read({key: given})
    assert settings.problems == ()
    assert getattr(settings, key.lower()) == expected


@pytest.mark.parametrize(("key", "given", "words"), UNUSABLE, ids=str)
def test_an_invalid_value_keeps_its_default_and_says_why(key: str, given: Any, words: str) -> None:
    settings = read({key: given})
    (problem,) = settings.problems
    assert words in f"{problem.message} {problem.hint}"
    assert problem.message.startswith(f"TIKTOK_ATTRIBUTION[{key!r}] ")
    assert getattr(settings, key.lower()) == getattr(Settings(), key.lower())


@pytest.mark.parametrize("given", [None, ""])
@pytest.mark.parametrize("key", FROM_ENVIRONMENT)
def test_a_variable_that_the_environment_lacks_is_a_setting_that_is_not_set(key: str, given: Any) -> None:
    assert read({key: given}) == Settings()


def test_every_key_is_tried_here() -> None:
    assert {key for key, *_ in USABLE} == set(OPTIONS)


def test_one_slip_does_not_cost_the_other_keys() -> None:
    settings = read({"PIXEL_CODE": "C0A", "MODE": 7})
    assert (settings.pixel_code, settings.mode, len(settings.problems)) == (("C0A",), "developer", 1)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("PIXEL_ID", "Did you mean 'PIXEL_CODE'?"),
        ("ACCES_TOKEN", "Did you mean 'ACCESS_TOKEN'?"),
        ("pixel_code", "Did you mean 'PIXEL_CODE'?"),
        ("WEATHER", "Known keys: ENABLED, PIXEL_CODE, "),
        (7, "Known keys: ENABLED, "),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(key: Any, hint: str) -> None:
    (problem,) = read({key: TOKEN}).problems
    assert problem.message == f"TIKTOK_ATTRIBUTION has no key '{key}'."
    assert problem.hint.startswith(hint)


def test_what_is_no_dict_is_said() -> None:
    (problem,) = read([("PIXEL_CODE", "C0A")]).problems
    assert problem.message == "TIKTOK_ATTRIBUTION must be a dict."


def test_a_configuration_error_is_djangos_too() -> None:
    assert issubclass(conf.ConfigurationError, ImproperlyConfigured)


def test_click_id_and_campaign_always_stay_in_addresses() -> None:
    assert read({"ALLOWED_QUERY_PARAMETERS": ["page"]}).allowed_parameters == (*conf.ALWAYS_ALLOWED_PARAMETERS, "page")


def test_the_greatest_age_in_seconds() -> None:
    assert read({"MAX_AGE_DAYS": 28}).max_age_seconds == 28 * 86_400


@pytest.mark.parametrize(
    ("options", "sends"),
    [
        ({}, True),
        ({"MODE": "standard"}, False),
        ({"MODE": "standard", "STANDARD_MODE_SERVER_EVENTS": ["Purchase"]}, True),
        ({"MODE": "standard", "STANDARD_MODE_SERVER_EVENTS": ["Lead"]}, False),
    ],
    ids=str,
)
def test_standard_mode_sends_only_what_it_names(options: dict[str, Any], sends: bool) -> None:
    assert read(options).sends_to_server("Purchase") is sends


@pytest.mark.parametrize(
    ("token", "of_a", "of_b"),
    [
        (TOKEN, TOKEN, TOKEN),
        ({"C0A": TOKEN}, TOKEN, ""),
        (lambda code: f"token-of-{code}", "token-of-C0A", "token-of-C0B"),
        ({"C0A": lambda code: "secret", "C0B": TOKEN}, "secret", TOKEN),
        (lambda code: None, "", ""),
        ("", "", ""),
    ],
    ids=["text", "dict", "callable", "callable in a dict", "callable without", "none"],
)
def test_each_pixels_token(token: Any, of_a: str, of_b: str) -> None:
    settings = read({"ACCESS_TOKEN": token})
    assert (settings.token_of("C0A"), settings.token_of("C0B")) == (of_a, of_b)


def test_a_callable_is_asked_each_time() -> None:
    given = iter(["old", "new"])
    settings = read({"ACCESS_TOKEN": lambda code: next(given)})
    assert [settings.token_of("C0A") for _ in range(2)] == ["old", "new"]


@pytest.mark.privacy
@pytest.mark.parametrize(
    ("give", "words"),
    [
        (lambda code: f"Bearer {TOKEN}", 'begins with "Bearer"'),
        (lambda code: 7, "must be text"),
        (lambda code: {}[TOKEN], "was not given: KeyError"),
    ],
)
def test_a_callable_that_fails_gives_none_and_says_why(give: Any, words: str, caplog: pytest.LogCaptureFixture) -> None:
    assert read({"ACCESS_TOKEN": give}).token_of("C0A") == ""
    assert words in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.privacy
@pytest.mark.parametrize("token", [TOKEN, {"C0A": TOKEN}], ids=["text", "dict"])
def test_the_token_is_in_no_text_of_the_settings(token: Any) -> None:
    settings = read({"ACCESS_TOKEN": token})
    assert TOKEN not in f"{settings!r} {settings!s} {settings:}"


@pytest.mark.privacy
@pytest.mark.parametrize(
    "raw",
    [
        {"PIXEL_CODE": TOKEN},
        {"PIXEL_CODE": f"Bearer {TOKEN}"},
        {"ACCESS_TOKEN": [TOKEN]},
        {"ACCESS_TOKEN": f"bearer {TOKEN}"},
        {"ACCESS_TOKEN": {"C0A": f"{TOKEN}\u00e9"}},
        {"ACCESTOKEN": TOKEN},
    ],
    ids=lambda raw: next(iter(raw)),
)
def test_a_problem_never_repeats_a_token(raw: dict[str, Any]) -> None:
    problems = read(raw).problems
    assert problems
    assert TOKEN not in str(problems)


def test_override_settings_counts_at_once() -> None:
    with override_settings(TIKTOK_ATTRIBUTION={"PIXEL_CODE": "C0A"}):
        assert conf.current().pixel_code == ("C0A",)
        with override_settings(TIKTOK_ATTRIBUTION={"PIXEL_CODE": "C0B"}):
            assert conf.current().pixel_code == ("C0B",)
        assert conf.current().pixel_code == ("C0A",)


def test_a_change_inside_the_dict_counts_at_once() -> None:
    raw = {"PIXEL_CODE": "C0A"}
    with override_settings(TIKTOK_ATTRIBUTION=raw):
        conf.current()
        raw["PIXEL_CODE"] = "C0B"
        assert conf.current().pixel_code == ("C0B",)
        del raw["PIXEL_CODE"]
        assert conf.current().pixel_code == ()


def test_nothing_is_read_twice_while_nothing_changes() -> None:
    with override_settings(TIKTOK_ATTRIBUTION={"PIXEL_CODE": "C0A"}):
        assert conf.current() is conf.current()


def test_without_the_dict_every_default_holds(settings: Any) -> None:
    del settings.TIKTOK_ATTRIBUTION
    assert asdict(conf.current()) == asdict(Settings())


def test_to_ask_costs_next_to_nothing() -> None:
    """It is asked several times in a request; the bound is generous, for machines that are busy."""
    seconds = statistics.median(timeit.repeat(conf.current, number=500, repeat=15)) / 500
    assert seconds < 20e-6


@pytest.mark.parametrize(("written", "near"), [("shop.order", "shop.Order"), ("shop.Ordr", "shop.Order"), ("x", "")])
def test_the_nearest_known_word(written: str, near: str) -> None:
    assert conf.nearest(written, ["auth.User", "shop.Order"]) == near
