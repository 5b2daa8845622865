"""Read the settings dict `TIKTOK_ATTRIBUTION` as a frozen typed object, live.

`current()` never raises. A value that can't be used falls back to its default and is kept as a `SettingProblem`, which
the system checks report. So an error in the settings shows at `manage.py check`, not in a shopper's request.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from tiktok_attribution import attribution_settings, setting_validation
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.exceptions import TikTokAttributionError

logger = logging.getLogger("tiktok_attribution")

SETTING = "TIKTOK_ATTRIBUTION"
DEVELOPER, STANDARD = "developer", "standard"

# These stay in every address that is sent: without ttclid nothing is attributed, without utm_* nothing is reported.
# The other keys are those that `attribution.link_builder` adds to the address of an ad.
BUILDER_PARAMETERS = ("tt_adgroup", "tt_ad", "tt_ad_v2", "tt_placement")
ALWAYS_ALLOWED_PARAMETERS = ("ttclid", "utm_*", *BUILDER_PARAMETERS)


# Decision: an unreadable setting that protects visitors counts as "nobody agreed" (`Settings.is_closed`). An error in
# one of these must not permit what the setting forbids.
PROTECTING = ("CONSENT", "OPT_OUT", "PRIVATE_PATHS", "MASKED_PATHS", "REGIONS", "REGION")

# Decision: these are often taken from the environment, which a test run or a build often lacks. `os.environ.get` then
# returns None or "". That means "not set" and never stops `migrate` or `test`. Other settings are written in code,
# where None is an error; in one of PROTECTING it would permit what the setting forbids.
FROM_ENVIRONMENT = (
    *("PIXEL_CODE", "ACCESS_TOKEN", "SITE_URL", "TEST_EVENT_CODE", "API_URL", "PIXEL_HOST"),
    *("COOKIE_DOMAIN", "PHONE_REGION", "DEFAULT_CURRENCY"),
)


class ConfigurationError(TikTokAttributionError, ImproperlyConfigured):
    """A setting or a declaration that can't work. The message says how to fix it."""


class SettingProblem(NamedTuple):
    """One problem in the settings dict: which key, what is wrong, how to fix it."""

    key: str
    message: str
    hint: str


@errors_without_values
def _asked(give: Callable[[str], Any], pixel_code: str) -> str:
    try:
        token = setting_validation.token(give(pixel_code) or "")
    except setting_validation.InvalidSetting as error:
        problem = error.message
    except Exception as error:  # noqa: BLE001 -- the site's own code; its message may contain the token
        problem = f"was not given: {type(error).__name__}."
    else:
        return token if isinstance(token, str) else ""
    logger.error("tiktok: the ACCESS_TOKEN of %s %s", pixel_code, problem)
    return ""


@lru_cache(maxsize=1)
def _tell_of_unused_code() -> None:
    """Log once for each process that the test code is not used; the system check reports it at each start."""
    logger.error(
        "tiktok: TEST_EVENT_CODE is set while DEBUG is off, so events are sent without it and count as real ones. "
        "Remove it, or set TEST_EVENT_CODE_IN_PRODUCTION to True for as long as a test takes."
    )


def _option(read: Callable[[object], Any], default: Any, *, secret: bool = False) -> Any:
    return field(default_factory=lambda: default, repr=not secret, metadata={"read": read})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings. Each field is the key of the same name in capitals; docs/reference/settings.md explains them."""

    enabled: bool = _option(setting_validation.flag, True)
    pixel_code: tuple[str, ...] = _option(setting_validation.codes, ())
    access_token: Any = _option(setting_validation.token, "", secret=True)
    mode: str = _option(setting_validation.one_of(DEVELOPER, STANDARD), DEVELOPER)
    conversions: Mapping[str, Any] = _option(setting_validation.mapping, {})
    standard_mode_server_events: tuple[str, ...] = _option(setting_validation.texts, ())
    pixel_for_request: Callable[..., Any] | None = _option(setting_validation.callable_or_none, None)
    strict: bool = _option(setting_validation.flag, False)
    send_in_tests: bool = _option(setting_validation.flag, False)
    outbox_databases: tuple[str, ...] = _option(setting_validation.texts, ())

    user: Mapping[str, Any] = _option(setting_validation.mapping, {"email": "email", "external_id": "pk"})
    phone_region: str = _option(setting_validation.region, "")
    default_currency: str = _option(setting_validation.currency, "")
    values_in_minor_units: bool = _option(setting_validation.flag, False)

    consent: Any = _option(setting_validation.consent, None)
    hold_consent: bool = _option(setting_validation.flag, False)
    hold_click_id: bool = _option(setting_validation.flag, False)
    awaiting_consent_hours: float = _option(setting_validation.number(0, 168, float), 24.0)
    on_gpc: str = _option(setting_validation.one_of(*setting_validation.EFFECTS), setting_validation.DENY)
    on_dnt: str = _option(setting_validation.one_of(*setting_validation.EFFECTS), setting_validation.DENY)
    opt_out: Any = _option(setting_validation.opt_out, None)
    region: Callable[..., Any] | None = _option(setting_validation.callable_or_none, None)
    regions: Mapping[str, setting_validation.Policy] = _option(setting_validation.regions, {})
    bots: Callable[..., Any] | bool = _option(setting_validation.bots, True)
    private_paths: tuple[str, ...] = _option(setting_validation.paths, ())
    masked_paths: Callable[[str], str] | None = _option(setting_validation.masked_paths, None)
    erase_with_user: bool = _option(setting_validation.flag, False)

    trusted_proxies: tuple[setting_validation.Network, ...] = _option(setting_validation.networks, ())
    is_visitor: Callable[..., Any] | None = _option(setting_validation.callable_or_none, None)
    is_staff: Callable[..., Any] | None = _option(setting_validation.callable_or_none, None)
    excluded_paths: tuple[str, ...] = _option(setting_validation.paths, ())
    site_url: str = _option(setting_validation.site_address, "")
    allowed_query_parameters: tuple[str, ...] = _option(setting_validation.texts, ())
    click_id_days: int = _option(setting_validation.number(1, 400), 30)
    cookie_domain: str = _option(setting_validation.domain, "")
    in_frames: bool = _option(setting_validation.flag, False)
    snapshot_days: int = _option(setting_validation.number(1, 400), 30)

    attribution: attribution_settings.Attribution = _option(
        attribution_settings.attribution, attribution_settings.Attribution()
    )
    keep_touch_days: int = _option(setting_validation.number(1, 4000), 90)
    keep_attribution_days: int = _option(setting_validation.number(1, 4000), 400)
    marketing_api: Mapping[str, attribution_settings.Advertiser] = _option(attribution_settings.advertisers, {})
    marketing_api_url: str = _option(setting_validation.api_address, "https://business-api.tiktok.com/open_api/v1.3/")

    user_matching: bool = _option(setting_validation.flag, True)
    insert_tag: bool = _option(setting_validation.flag, False)
    history_observer: bool | str = _option(setting_validation.observer, True)
    limited_data_use: bool = _option(setting_validation.flag, False)
    pixel_host: str = _option(setting_validation.address, "https://analytics.tiktok.com")
    page_script: bool = _option(setting_validation.flag, False)
    browser_receipts: bool = _option(setting_validation.flag, True)
    unsigned_actions: bool = _option(setting_validation.flag, False)
    action_days: float = _option(setting_validation.number(0.01, 400, float), 7.0)
    beacons_per_minute: int = _option(setting_validation.number(1, 100_000), 60)
    beacons_per_minute_all: int = _option(setting_validation.number(1, 10_000_000), 6000)

    api_url: str = _option(setting_validation.api_address, "https://business-api.tiktok.com/open_api/v1.3/event/track/")
    test_event_code: str = _option(setting_validation.text, "")
    test_event_code_in_production: bool = _option(setting_validation.flag, False)
    batch_size: int = _option(setting_validation.number(1, 1000), 1000)
    batch_bytes: int = _option(setting_validation.number(10_000, 10_000_000), 1_000_000)
    timeout_seconds: float = _option(setting_validation.number(0.1, 120, float), 10.0)
    events_per_second: float = _option(setting_validation.number(0, 1_000_000, float), 1000.0)
    lanes: int = _option(setting_validation.number(1, 64), 8)
    parallel_lanes: int = _option(setting_validation.number(1, 16), 2)
    delivery_tasks: int = _option(setting_validation.number(1, 64), 1)
    delivery_seconds: float = _option(setting_validation.number(0.1, 600, float), 5.0)
    lease_seconds: float = _option(setting_validation.number(1, 3600, float), 60.0)
    retry_seconds: float = _option(setting_validation.number(0.01, 3600, float), 5.0)
    retry_max_seconds: float = _option(setting_validation.number(0.01, 86_400, float), 3600.0)
    max_age_days: float = _option(setting_validation.number(0.01, 28, float), 7.0)
    backfill_hours: float | None = _option(setting_validation.hours_or_none, 24.0)
    wakeup_seconds: float = _option(setting_validation.number(0, 60, float), 0.25)
    keep_payload_days: float = _option(setting_validation.number(0.01, 400, float), 14.0)
    keep_event_days: float = _option(setting_validation.number(0.01, 4000, float), 90.0)

    mail_admins: bool = _option(setting_validation.flag, True)
    alert_delay_minutes: float = _option(setting_validation.number(1, 10_080, float), 15.0)
    failure_percent: float = _option(setting_validation.number(0, 100, float), 20.0)

    problems: tuple[SettingProblem, ...] = ()

    @property
    def allowed_parameters(self) -> tuple[str, ...]:
        """Return the query parameters that stay in the addresses that are sent."""
        builders = attribution_settings.BUILDER_KEYS if self.attribution.enabled else ()
        return ALWAYS_ALLOWED_PARAMETERS + builders + self.allowed_query_parameters

    # Decision: while DEBUG is off, events go out without the test code. TikTok shows events with a code under Test
    # events and counts none of them. So a forgotten code would lose every conversion of a live site and mark each as
    # delivered. Without the code, at worst a tester's few events are counted: the smaller harm.
    @property
    def sent_test_code(self) -> str:
        """Return the test code that is sent with the events; "" while DEBUG is off, unless it is allowed there.

        It is the same for every sender: worker, command or loop.
        """
        code = self.test_event_code
        if not code or django_settings.DEBUG or self.test_event_code_in_production:
            return code
        _tell_of_unused_code()
        return ""

    @property
    def max_age_seconds(self) -> int:
        """Return the age in seconds at which an event is too old to be sent."""
        return int(self.max_age_days * 86_400)

    @property
    def alert_delay_seconds(self) -> float:
        """Return the seconds that an event may be due before the admins are alerted."""
        return self.alert_delay_minutes * 60

    @property
    def is_closed(self) -> bool:
        """True if a setting that protects visitors can't be read: then no visitor counts as having agreed."""
        return any(problem.key in PROTECTING or nearest(problem.key, PROTECTING) for problem in self.problems)

    @property
    def asks(self) -> bool:
        """True if visitors are asked for consent."""
        return self.consent is not None or self.is_closed

    @errors_without_values
    def token_of(self, pixel_code: str) -> str:
        """Return the bare Events API token of this pixel; "" if there is none. A callable is called each time.

        A callable that fails also gives "", so that the pixel stops. The pixel goes on when there is a token again.
        """
        token = self.access_token
        if isinstance(token, Mapping):
            token = token.get(pixel_code, "")
        if callable(token):
            return _asked(token, pixel_code)
        return token if isinstance(token, str) else ""

    def sends_to_server(self, event_name: str) -> bool:
        """Return False for events that Standard Mode leaves to Event Builder: they have no event_id to merge by."""
        return self.mode == DEVELOPER or event_name in self.standard_mode_server_events


OPTIONS = {f.name.upper(): f for f in fields(Settings) if "read" in f.metadata}
_EMPTY: Mapping[str, Any] = {}


@errors_without_values
def read(raw: object) -> Settings:
    """Read a settings dict. A value that can't be used becomes a `SettingProblem`, and its key keeps the default."""
    if not isinstance(raw, Mapping):
        return Settings(problems=(SettingProblem("", f"{SETTING} must be a dict.", ""),))
    values: dict[str, Any] = {}
    problems = []
    for key, value in raw.items():
        option = OPTIONS.get(key)
        if option is None:
            problems.append(_unknown(str(key)))
            continue
        if key in FROM_ENVIRONMENT and (value is None or value == ""):
            continue
        try:
            values[option.name] = option.metadata["read"](value)
        except setting_validation.InvalidSetting as error:
            problems.append(SettingProblem(key, f"{SETTING}[{key!r}] {error.message}", error.hint))
    return Settings(**values, problems=tuple(problems))


def _unknown(key: str) -> SettingProblem:
    near = nearest(key, list(OPTIONS))
    hint = f"Did you mean {near!r}?" if near else f"Known keys: {', '.join(OPTIONS)}."
    return SettingProblem(key, f"{SETTING} has no key {key!r}.", hint)


def nearest(written: str, known: Sequence[str]) -> str:
    """Return the known word that was probably meant, ignoring case; "" if none is similar."""
    folded = {word.lower(): word for word in known}
    near = difflib.get_close_matches(written.lower(), folded, n=1)
    return folded[near[0]] if near else ""


class _Read(NamedTuple):
    raw: object
    copy: object
    settings: Settings


_last = _Read(None, None, Settings())


def current() -> Settings:
    """Return the current settings. They are read again when the dict or one of its values is another object."""
    global _last
    raw = getattr(django_settings, SETTING, _EMPTY)
    last = _last
    if raw is last.raw and raw == last.copy:
        return last.settings
    copy = dict(raw) if isinstance(raw, Mapping) else raw
    _last = _Read(raw, copy, read(raw))
    return _last.settings
