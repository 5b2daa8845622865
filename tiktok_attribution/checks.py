"""System checks: every mistake that a person makes in the settings, one check a concern.

E001 a key or value of the settings dict · E002 pixel code · E003 access token · E004 conversions · E005 middleware ·
E006 test event code · W001 events that Standard Mode counts twice · W002 no SITE_URL · W003 eager Celery ·
W004 stand-in's address outside DEBUG.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from tiktok_attribution import conf
from tiktok_attribution.conversions import registry
from tiktok_attribution.conversions.declaration import BROWSER
from tiktok_attribution.conversions.mistakes import mistakes

MIDDLEWARE = "tiktok_attribution.middleware.AttributionMiddleware"
SESSIONS = "django.contrib.sessions.middleware.SessionMiddleware"

Check = Callable[..., list[CheckMessage]]


def _check(find: Callable[[conf.Settings], Iterator[CheckMessage]]) -> Check:
    """Register a generator of messages as a system check over the current settings."""

    def check(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
        return list(find(conf.current()))

    check.__name__ = find.__name__
    register(Tags.compatibility)(check)
    return check


def _id(number: str) -> str:
    return f"tiktok_attribution.{number}"


@_check
def settings_are_readable(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Unknown keys with the nearest known one, wrong types, paths that don't import."""
    for problem in settings.problems:
        yield Error(problem.message, hint=problem.hint or None, id=_id("E001"))


@_check
def pixel_is_configured(settings: conf.Settings) -> Iterator[CheckMessage]:
    """A pixel code, or a callable that gives one for each request."""
    if settings.enabled and not settings.pixel_code and settings.pixel_for_request is None:
        yield Error(
            "TIKTOK_ATTRIBUTION has no PIXEL_CODE.",
            hint="Copy the pixel's id from TikTok Events Manager, or set ENABLED to False here.",
            id=_id("E002"),
        )


@_check
def token_is_configured(settings: conf.Settings) -> Iterator[CheckMessage]:
    """A token for every configured pixel. Callables aren't asked: a check must not reach for a vault."""
    token = settings.access_token
    missing = [code for code in settings.pixel_code if not token or (isinstance(token, dict) and not token.get(code))]
    if settings.enabled and missing:
        yield Error(
            f"TIKTOK_ATTRIBUTION has no ACCESS_TOKEN for {', '.join(missing)}: server events wait until there is one.",
            hint="Events Manager, the pixel, Settings, Events API, Generate access token.",
            id=_id("E003"),
        )


@_check
def conversions_resolve(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Models, field paths, callables and event names of CONVERSIONS; event ids that would collide."""
    for label, entry in settings.conversions.items():
        try:
            model = apps.get_model(label)
        except (LookupError, ValueError):
            known = ", ".join(sorted(model._meta.label for model in apps.get_models())[:20])
            yield Error(f"CONVERSIONS names {label!r}, which is no model.", hint=f"Models: {known} …", id=_id("E004"))
            continue
        for one in entry if isinstance(entry, (list, tuple)) else [entry]:
            for message, hint in mistakes(label, model, one):
                yield Error(message, hint=hint or None, id=_id("E004"))
    for message in registry.ambiguous():
        yield Error(message, hint='Give one of them its own "label".', id=_id("E004"))


@_check
def middleware_is_in_order(settings: conf.Settings) -> Iterator[CheckMessage]:
    """The middleware is there, and after the sessions that it keeps pending events in."""
    middleware = list(django_settings.MIDDLEWARE)
    if MIDDLEWARE not in middleware:
        yield Error(f"{MIDDLEWARE} is not in MIDDLEWARE.", hint="Put it after SessionMiddleware.", id=_id("E005"))
    elif SESSIONS in middleware and middleware.index(SESSIONS) > middleware.index(MIDDLEWARE):
        yield Error(
            "AttributionMiddleware stands before SessionMiddleware.",
            hint="Put it after: what waits for the visitor's next page is kept in the session.",
            id=_id("E005"),
        )


@_check
def test_code_is_for_tests(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Events with a test code are shown in the Test events tab; no official text says that they are counted."""
    if settings.test_event_code and not django_settings.DEBUG and not settings.test_event_code_in_production:
        yield Error(
            "TEST_EVENT_CODE is set while DEBUG is off: these events would not count.",
            hint="Remove it, or set TEST_EVENT_CODE_IN_PRODUCTION to True for a while.",
            id=_id("E006"),
        )


@_check
def standard_mode_leaves_events_to_event_builder(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Event Builder's events carry no event_id, so TikTok can't merge server events with them."""
    if settings.mode != conf.STANDARD:
        return
    for conversion in registry.every():
        name = conversion.event
        if conversion.halves == BROWSER or name not in settings.standard_mode_server_events:
            yield Warning(
                f"In Standard Mode {name} of {conversion.model._meta.label} is not recorded.",
                hint=f"Events of Event Builder carry no event_id, so a server event of the same name counts twice. "
                f"If Event Builder has no {name}, add it to STANDARD_MODE_SERVER_EVENTS.",
                id=_id("W001"),
            )


@_check
def site_address_is_known(settings: conf.Settings) -> Iterator[CheckMessage]:
    """TikTok wants a page address with every web event; a task or a command has none."""
    if settings.enabled and not settings.site_url and any(registry.every()):
        yield Warning(
            "TIKTOK_ATTRIBUTION has no SITE_URL: events that arise outside a visitor's request have no page address.",
            hint='Write "SITE_URL": "https://www.example.com".',
            id=_id("W002"),
        )


@_check
def celery_is_not_eager(settings: conf.Settings) -> Iterator[CheckMessage]:
    """Eager tasks would put the call to TikTok into the shopper's request, so no hint is given then."""
    if getattr(django_settings, "CELERY_TASK_ALWAYS_EAGER", False):
        yield Warning(
            "CELERY_TASK_ALWAYS_EAGER is on: events wait until tiktok_deliver or the sweep runs.", id=_id("W003")
        )


@_check
def addresses_are_tiktoks(settings: conf.Settings) -> Iterator[CheckMessage]:
    """A forgotten stand-in: production events would go to a machine of one's own."""
    for key, address in (("API_URL", settings.api_url), ("PIXEL_HOST", settings.pixel_host)):
        host = urlsplit(address).hostname or ""
        if not django_settings.DEBUG and not host.endswith((".tiktok.com", ".tiktokw.us")):
            yield Warning(f"{key} points to {host}, not to TikTok, while DEBUG is off.", id=_id("W004"))
