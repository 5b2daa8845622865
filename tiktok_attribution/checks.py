"""System checks for the settings, the middleware and the declared conversions. One function checks one concern.

E001 unknown key or wrong value · E004 CONVERSIONS · E005 MIDDLEWARE · E007 USER · E008 OUTBOX_DATABASES · W001 events
that Standard Mode does not record · W002 no SITE_URL · W003 eager Celery · W004 API_URL, PIXEL_HOST or
MARKETING_API_URL is not TikTok's · W006 PAGE_SCRIPT without this app's URLs or without staticfiles · W007 access
token in the source · W008 REGION without REGIONS, or REGIONS without REGION · W009 MAIL_ADMINS without ADMINS · W010
Turbo without PAGE_SCRIPT · W011 misspelt standard event · W014 a cache that processes do not share · W022 SQLite with
deferred transactions · W023 visitor_of with a short SNAPSHOT_DAYS · W024 IN_FRAMES on plain http · W025 INSERT_TAG
with GZipMiddleware in the wrong place · W026 amounts without a currency · W027 KEEP_TOUCH_DAYS below the widest
window · I001 consent without this app's URLs.

Three checks matter only in production. Each is a warning, and an error under `check --deploy`: W005 and E003 access
token · W020 and E002 pixel code · W021 and E006 test event code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage, Error, Info, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from tiktok_attribution import conf, in_tests
from tiktok_attribution.browser.page_data import beacon_url
from tiktok_attribution.conf import SETTING
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.conversion import BROWSER
from tiktok_attribution.conversions.settings_form import MappedConversion
from tiktok_attribution.conversions.validation import amount_without_currency, problems, user_problems
from tiktok_attribution.delivery.outbox import outbox_databases
from tiktok_attribution.errors import errors_without_values
from tiktok_attribution.events.names import nearly_standard
from tiktok_attribution.setting_validation import TURBO

TAG = "tiktok_attribution"
MIDDLEWARE = "tiktok_attribution.middleware.AttributionMiddleware"
BEFORE_US = {
    "django.contrib.sessions.middleware.SessionMiddleware": "the code that this app calls, such as PIXEL_FOR_REQUEST, "
    "may need the session and the user",
    "django.middleware.cache.UpdateCacheMiddleware": "otherwise it caches a page before the page is made private",
}
DAYS_OF_A_MONTH = 31  # the longest month

Check = Callable[..., list[CheckMessage]]
Find = Callable[[conf.Settings], Iterator[tuple[str, str]]]
"""Yields a message and its hint for each problem."""


def _check(find: Callable[[conf.Settings], Iterator[CheckMessage]]) -> Check:
    """Register a generator of messages as a system check of the current settings."""

    @errors_without_values
    def check(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
        return list(find(conf.current()))

    check.__name__ = find.__name__
    register(check, TAG)
    return check


def _check_of_production(*, warning: str, error: str) -> Callable[[Find], Find]:
    """Register a generator twice: as a warning everywhere, and as an error under `check --deploy`.

    Decision: what only production needs must not stop `migrate` and `test`, which refuse to run if a check gives an
    Error. A CI machine has no token and maybe no pixel, and Django's test runner sets DEBUG to False. A wrong value in
    the settings code is wrong in every environment, so that stays an Error.
    """

    def register_both(find: Find) -> Find:
        def warn(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
            return [Warning(said, hint=hint, id=_id(warning)) for said, hint in find(conf.current())]

        def refuse(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
            return [Error(said, hint=hint, id=_id(error)) for said, hint in find(conf.current())]

        register(warn, TAG)
        register(refuse, TAG, deploy=True)
        return find

    return register_both


def _id(number: str) -> str:
    return f"tiktok_attribution.{number}"


def _is_readable(settings: conf.Settings, *keys: str) -> bool:
    """Return False if E001 already reports one of these keys, or the whole dict."""
    return not any(problem.key in (*keys, "") for problem in settings.problems)


@_check
def settings_are_readable(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Report unknown keys (with the nearest known key), wrong types and paths that can't be imported."""
    for problem in settings.problems:
        yield Error(problem.message, hint=problem.hint or None, id=_id("E001"))


@_check_of_production(warning="W020", error="E002")
def pixel_is_configured(settings: conf.Settings) -> Iterator[tuple[str, str]]:
    """Require a pixel code, or a callable that returns one for each request."""
    has_one = settings.pixel_code or settings.pixel_for_request
    if settings.enabled and not has_one and _is_readable(settings, "PIXEL_CODE", "PIXEL_FOR_REQUEST"):
        yield (
            f"{SETTING} has no PIXEL_CODE, so neither the browser nor the server can send events to TikTok.",
            f'Write {SETTING} = {{"PIXEL_CODE": "…"}} with the pixel\'s id from TikTok Events Manager. '
            'To switch this app off, for example on a developer\'s machine, write {"ENABLED": False}.',
        )


@_check_of_production(warning="W005", error="E003")
def token_is_configured(settings: conf.Settings) -> Iterator[tuple[str, str]]:
    """Require a token for every configured pixel. Callables are not called: a check must not connect to a vault."""
    token = settings.access_token
    missing = [code for code in settings.pixel_code if isinstance(token, Mapping) and not token.get(code)]
    if not settings.enabled or (token and not missing) or not _is_readable(settings, "ACCESS_TOKEN"):
        return
    whose = f" for {', '.join(missing)}" if missing else ""
    yield (
        f"{SETTING} has no ACCESS_TOKEN{whose}: server events wait until there is one, and expire when they "
        f"are {settings.max_age_days:g} days old.",
        "In TikTok Events Manager, open your pixel, Settings, Events API, Generate access token. Keep the token out of "
        'the code: "ACCESS_TOKEN": os.environ.get("TIKTOK_ACCESS_TOKEN", ""). Tests need no token. To send nothing, '
        'write "ENABLED": False.',
    )


@_check
def token_is_not_in_the_source(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn about a token that is written into a settings file, and so into the repository and its copies."""
    if django_settings.DEBUG or not settings.enabled:
        return
    given = settings.access_token
    tokens = [
        one for one in (given.values() if isinstance(given, Mapping) else [given]) if isinstance(one, str) and one
    ]
    for path in _settings_files() if tokens else ():
        source = path.read_text(encoding="utf-8", errors="replace")
        if any(token in source for token in tokens):
            yield Warning(
                f"An ACCESS_TOKEN is written into {path.name}.",
                hint='Read it from the environment: "ACCESS_TOKEN": os.environ.get("TIKTOK_ACCESS_TOKEN", ""), or '
                "return it from a callable that asks your vault. Then generate a new token in Events Manager, since "
                "the old one is in your repository's history. This check reads only the settings module and files "
                "beside it.",
                id=_id("W007"),
            )


def _settings_files() -> list[Path]:
    """Return the files of the settings module and of loaded modules beside it, as settings are often split."""
    module = sys.modules.get(getattr(django_settings, "SETTINGS_MODULE", "") or "")
    if module is None or not getattr(module, "__file__", None):
        return []
    folder = Path(str(module.__file__)).parent
    loaded = {getattr(one, "__file__", None) for one in list(sys.modules.values())}
    found = (Path(name) for name in loaded if isinstance(name, str) and name.endswith(".py"))
    return sorted(path for path in found if path.parent == folder and path.is_file())


@_check
def regions_are_told_apart(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn if only one of REGION and REGIONS is set: one without the other has no effect."""
    if bool(settings.regions) != (settings.region is not None) and _is_readable(settings, "REGION", "REGIONS"):
        there, missing = ("REGIONS", "REGION") if settings.regions else ("REGION", "REGIONS")
        yield Warning(
            f"{SETTING} has {there} but no {missing}, so visitors of every region are treated the same.",
            hint='Write "REGION": a callable of the request, and "REGIONS": {"US-CA": {"ON_GPC": "deny"}}.',
            id=_id("W008"),
        )


@_check
def alerts_reach_somebody(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn if the site sets MAIL_ADMINS itself and has no ADMINS. MAIL_ADMINS is on by default, so that is no sign."""
    written = getattr(django_settings, SETTING, {})
    asked = isinstance(written, Mapping) and "MAIL_ADMINS" in written
    if settings.enabled and settings.mail_admins and asked and not django_settings.ADMINS:
        yield Warning(
            "MAIL_ADMINS is on, but ADMINS is empty: no e-mail is sent when a pixel stops.",
            hint='Write ADMINS = ["ann@example.com"] (before Django 6: [("Ann", "ann@example.com")]), or listen to '
            "the signal alert_opened.",
            id=_id("W009"),
        )


@_check
def banner_reaches_the_server(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Report that a consent banner can't call the server, so events wait for the visitor's next page."""
    if settings.enabled and settings.consent is not None and not _answer_address():
        yield Info(
            "Consent is asked, but ROOT_URLCONF does not include this app's URLs. If a visitor answers without a page "
            "load, events that await consent wait for the visitor's next page.",
            hint='Add path("tiktok/", include("tiktok_attribution.urls")), or reload the page after the answer.',
            id=_id("I001"),
        )


def _answer_address() -> str:
    if not getattr(django_settings, "ROOT_URLCONF", None):
        return ""
    try:
        return reverse("tiktok_attribution:consent")
    except (NoReverseMatch, ImproperlyConfigured):
        return ""


@_check
def conversions_resolve(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Check models, field paths, callables and event names of CONVERSIONS, and event ids that would collide."""
    for label, entry in settings.conversions.items():
        try:
            model = apps.get_model(label)
        except (LookupError, ValueError):
            yield Error(
                f"CONVERSIONS names {label!r}, which is not a model.", hint=_nearest_model(label), id=_id("E004")
            )
            continue
        for one in entry if isinstance(entry, (list, tuple)) else [entry]:
            for message, hint in problems(label, model, one):
                yield Error(message, hint=hint or None, id=_id("E004"))
    for message in registry.ambiguous():
        yield Error(message, hint='Give one of them its own "label".', id=_id("E004"))
    for event, label, proxy in registry.told_twice():
        yield Error(
            f"{event} is declared for {label} and for its proxy {proxy}: the backfill counts their rows twice.",
            hint=f"Declare one of them only, or add a condition (when) to that of {label} to exclude the proxy's rows.",
            id=_id("E004"),
        )


@_check
def first_visitors_are_kept_long_enough(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn if the signals of a first purchase are deleted before a monthly renewal can use them."""
    with_first = [conversion for conversion in registry.every() if conversion.visitor_models]
    if with_first and settings.snapshot_days <= DAYS_OF_A_MONTH:
        conversion = with_first[0]
        yield Warning(
            f"{conversion.event} of {conversion.model._meta.label} takes its visitor from another object (visitor_of), "
            f"but signals are kept for {settings.snapshot_days} days: a monthly renewal finds none.",
            hint='Raise "SNAPSHOT_DAYS" above the time between two renewals; at most 400. If yours come within days, '
            f'silence this check: SILENCED_SYSTEM_CHECKS = ["{_id("W023")}"].',
            id=_id("W023"),
        )


@_check
def touches_are_kept_long_enough(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn if KEEP_TOUCH_DAYS is below the widest window: touches are then kept for that window."""
    widest = max(settings.attribution.windows)
    if settings.attribution.enabled and settings.keep_touch_days < widest:
        yield Warning(
            f"KEEP_TOUCH_DAYS is {settings.keep_touch_days}, and the widest window of ATTRIBUTION has {widest} days: "
            "touches are kept that long, but the browser forgets its key earlier, so later conversions have none.",
            hint=f'Write "KEEP_TOUCH_DAYS": {widest} or more, or remove windows above {settings.keep_touch_days} days.',
            id=_id("W027"),
        )


@_check
def user_resolves(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Check keys and field paths of USER on the site's user model. The default value is not checked."""
    if settings.user is conf.Settings().user or not apps.is_installed("django.contrib.auth"):
        return
    for message, hint in user_problems(f"{SETTING}['USER']", get_user_model(), settings.user):
        yield Error(message, hint=hint, id=_id("E007"))


@_check
def databases_exist(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Check the database aliases in OUTBOX_DATABASES."""
    for alias in settings.outbox_databases:
        if alias not in connections:
            known = ", ".join(connections)
            yield Error(
                f"{SETTING}['OUTBOX_DATABASES'] names {alias!r}.", hint=f"Known aliases: {known}.", id=_id("E008")
            )


def _nearest_model(label: object) -> str:
    known = sorted(model._meta.label for model in apps.get_models())
    near = conf.nearest(str(label), known)
    return f"Did you mean {near!r}?" if near else f'Write "app.Model", one of: {", ".join(known)}.'


@_check
def middleware_is_in_order(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Check that the middleware is installed, and that it comes after the middleware that it relies on."""
    if not settings.enabled:
        return
    paths = list(django_settings.MIDDLEWARE)
    place = next((index for index, path in enumerate(paths) if _is_ours(path)), None)
    if place is None:
        landings = " No landing is recorded, although ATTRIBUTION is on." if settings.attribution.enabled else ""
        yield Error(
            f"{MIDDLEWARE} is not in MIDDLEWARE: click ids are not kept, and pages get no pixel calls.{landings}",
            hint=f'Add "{MIDDLEWARE}" as the last entry.',
            id=_id("E005"),
        )
        return
    for path in paths[place:]:
        if path in BEFORE_US:
            yield Error(
                f"AttributionMiddleware comes before {path.rpartition('.')[2]} in MIDDLEWARE.",
                hint=f"Put it after: {BEFORE_US[path]}.",
                id=_id("E005"),
            )


@_check
def tag_can_be_inserted(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn if GZipMiddleware compresses a page before INSERT_TAG can insert the tag.

    Middleware that is later in the list sees the response first.
    """
    paths = list(django_settings.MIDDLEWARE)
    place = next((index for index, path in enumerate(paths) if _is_ours(path)), len(paths))
    if settings.enabled and settings.insert_tag and any(path.endswith(".GZipMiddleware") for path in paths[place:]):
        yield Warning(
            "INSERT_TAG is on, but GZipMiddleware comes after AttributionMiddleware in MIDDLEWARE: it compresses "
            "pages before the tag is put in, so they get none.",
            hint="Put GZipMiddleware before AttributionMiddleware.",
            id=_id("W025"),
        )


def _is_ours(path: str) -> bool:
    """Return whether the path names this app's middleware or a subclass of it."""
    if path == MIDDLEWARE:
        return True
    try:
        found = import_string(path)
    except ImportError:
        return False  # Django reports this error itself
    return isinstance(found, type) and any(
        f"{base.__module__}.{base.__qualname__}" == MIDDLEWARE for base in found.mro()
    )


@_check_of_production(warning="W021", error="E006")
def test_code_is_for_tests(settings: conf.Settings) -> Iterator[tuple[str, str]]:
    """Warn that a test event code is ignored while DEBUG is off.

    Decision: TikTok counts no event with a test code, so a forgotten code would lose all events of a live site. While
    DEBUG is off, `conf` leaves the code out, and the few events of a tester count: the smaller harm. TikTok shows
    events with a code in the Test events tab; no official text says that it counts them.
    """
    if settings.test_event_code and not django_settings.DEBUG and not settings.test_event_code_in_production:
        yield (
            "TEST_EVENT_CODE is set while DEBUG is off: TikTok would count no event, so they are sent without it.",
            "Remove it, or set TEST_EVENT_CODE_IN_PRODUCTION to True for as long as the test takes.",
        )


@_check
def standard_mode_leaves_events_to_event_builder(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Report events that Standard Mode does not record.

    Event Builder's events have no event_id, so TikTok can't merge server events with them.
    """
    if settings.mode != conf.STANDARD:
        return
    for conversion in registry.every():
        name = conversion.event
        if conversion.channels == BROWSER or name not in settings.standard_mode_server_events:
            yield Warning(
                f"In Standard Mode {name} of {conversion.model._meta.label} is not recorded.",
                hint="TikTok's Event Builder makes the events of this mode, without event_id, so a server event of the "
                f"same name would count twice. Where Event Builder has no {name}: add it to "
                'STANDARD_MODE_SERVER_EVENTS. To let this app make the events: "MODE": "developer".',
                id=_id("W001"),
            )


@_check
def event_names_are_meant(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn about a misspelt standard event. TikTok takes it as a custom event, and no campaign counts it."""
    for conversion in registry.every():
        meant = nearly_standard(conversion.event)
        if meant:
            yield Warning(
                f"{conversion.event!r} of {conversion.model._meta.label} is no standard event; did you mean {meant!r}?",
                hint="If it is a custom event of yours, rename it or silence this check: "
                f'SILENCED_SYSTEM_CHECKS = ["{_id("W011")}"].',
                id=_id("W011"),
            )


@_check
def amounts_have_a_currency(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn about an amount without a currency. TikTok counts no revenue for it, and a delivered event can't change."""
    if settings.default_currency or not _is_readable(settings, "DEFAULT_CURRENCY"):
        return
    for conversion in registry.every():
        if not isinstance(conversion, MappedConversion):
            continue  # the properties of a class declaration are known only for an object
        if key := amount_without_currency(conversion.model, conversion.mapping):
            yield Warning(
                f"{conversion.event} of {conversion.model._meta.label} has {key!r} and no currency: the event is sent "
                "without its value, and counts no revenue.",
                hint=f'Write "currency": "EUR" or a field path beside it, or set {SETTING}["DEFAULT_CURRENCY"]. '
                f'For a money object that names its own, silence it: SILENCED_SYSTEM_CHECKS = ["{_id("W026")}"].',
                id=_id("W026"),
            )


@_check
def site_address_is_known(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn if SITE_URL is missing. TikTok requires a page URL for each web event, and tasks and commands have none."""
    is_missing = not settings.site_url and _is_readable(settings, "SITE_URL")
    if settings.enabled and is_missing and any(registry.every()):
        yield Warning(
            f"{SETTING} has no SITE_URL: events from outside a visitor's request (from a task, a command, the "
            "admin) have no page address, which TikTok wants, and are recorded as invalid.",
            hint='Write "SITE_URL": "https://www.example.com".',
            id=_id("W002"),
        )


@_check
def cookies_for_frames_need_https(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn if IN_FRAMES is set on plain http: browsers refuse `SameSite=None` without `Secure`."""
    if settings.in_frames and urlsplit(settings.site_url).scheme == "http":
        yield Warning(
            "IN_FRAMES has no effect on plain http: a browser keeps a cookie in another site's frame only with Secure.",
            hint="Serve the site over https and write that into SITE_URL. Behind a proxy that ends TLS, also set "
            "Django's SECURE_PROXY_SSL_HEADER.",
            id=_id("W024"),
        )


@_check
def turbo_has_its_script(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn if Turbo is set without PAGE_SCRIPT: only tiktok.js counts Turbo's visits."""
    if settings.history_observer == TURBO and not settings.page_script:
        yield Warning(
            'HISTORY_OBSERVER is "turbo" without PAGE_SCRIPT, so Turbo visits are not counted as page views.',
            hint='Set "PAGE_SCRIPT": True: tiktok.js counts them.',
            id=_id("W010"),
        )


@_check
def page_script_is_heard(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Check that tiktok.js can be served, and that it has a URL to report to."""
    if not settings.enabled or not settings.page_script:
        return
    if not beacon_url():
        yield Warning(
            "PAGE_SCRIPT is on, but the URLs of tiktok_attribution are not included: clicks that templates mark have "
            "no server event, browsers can't confirm their events, and pages out of a shared cache show none.",
            hint='Add path("tiktok/", include("tiktok_attribution.urls")) to the urlpatterns.',
            id=_id("W006"),
        )
    if not apps.is_installed("django.contrib.staticfiles"):
        yield Warning(
            "PAGE_SCRIPT is on without django.contrib.staticfiles: nothing serves tiktok.js, so pages have no pixel.",
            hint='Add "django.contrib.staticfiles" to INSTALLED_APPS, or serve the file under STATIC_URL yourself.',
            id=_id("W006"),
        )


@_check
def reports_are_counted_together(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn if BEACONS_PER_MINUTE is counted in a cache that processes do not share: each process counts alone then."""
    if django_settings.DEBUG or not settings.enabled or not beacon_url():
        return
    backend = str(django_settings.CACHES.get("default", {}).get("BACKEND", ""))
    try:
        found = import_string(backend)
    except ImportError:
        return  # Django reports this error itself
    if isinstance(found, type) and issubclass(found, (LocMemCache, DummyCache)):
        yield Warning(
            f"The cache is {found.__name__}: BEACONS_PER_MINUTE and BEACONS_PER_MINUTE_ALL are counted in each process "
            "by itself, or not at all.",
            hint="Use a cache that all processes share, such as Redis, Memcached or the database: see CACHES. With a "
            f'single process silence this check: SILENCED_SYSTEM_CHECKS = ["{_id("W014")}"].',
            id=_id("W014"),
        )


@_check
def celery_is_not_eager(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn if Celery is eager. No worker is woken then, or the request to TikTok would run while a visitor waits."""
    if settings.enabled and getattr(django_settings, "CELERY_TASK_ALWAYS_EAGER", False):
        yield Warning(
            "CELERY_TASK_ALWAYS_EAGER is on: no worker is woken for new events, because they would be sent while the "
            "visitor waits.",
            hint="Run manage.py tiktok_deliver, or let Celery beat run the task tiktok_attribution.sweep. "
            'In tests, silence this check: SILENCED_SYSTEM_CHECKS = ["tiktok_attribution.W003"].',
            id=_id("W003"),
        )


@_check
def addresses_are_tiktoks(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn if production events go to another host than TikTok's, for example to a forgotten stand-in."""
    if django_settings.DEBUG or not settings.enabled:
        return
    addresses = {"API_URL": settings.api_url, "PIXEL_HOST": settings.pixel_host}
    addresses["MARKETING_API_URL"] = settings.marketing_api_url
    for key, address in addresses.items():
        host = urlsplit(address).hostname or ""
        if not in_tests.is_tiktoks(host):
            yield Warning(
                f"{key} points to {host}, not to TikTok, while DEBUG is off.",
                hint=f"Remove {key}, unless this is a test against the stand-in.",
                id=_id("W004"),
            )


@_check
def sqlite_transactions_wait(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Warn about SQLite with deferred transactions, if the site and a delivery process write to the same file.

    Decision: only the database options can fix this. SQLite refuses a deferred transaction that has read and then
    writes while another process writes, whatever the timeout (https://www.sqlite.org/lang_transaction.html). In our
    test 2 to 9 of 150 pages failed beside `tiktok_deliver --loop`. With IMMEDIATE no page failed, because the
    transaction waits for its turn before it reads.
    """
    if not settings.enabled:
        return
    for alias in outbox_databases():
        if alias not in connections or connections[alias].vendor != "sqlite":
            continue
        database: Any = connections[alias]
        mode = str(database.settings_dict.get("OPTIONS", {}).get("transaction_mode") or "").upper()
        if mode not in ("IMMEDIATE", "EXCLUSIVE") and not database.is_in_memory_db():
            yield Warning(
                f"Database {alias!r} is SQLite with deferred transactions: some pages of the site will fail with "
                '"database is locked" while events are delivered.',
                hint=f"Write into DATABASES[{alias!r}]: "
                '"OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20}. On a site with many visitors use '
                "PostgreSQL, MySQL or MariaDB.",
                id=_id("W022"),
            )
