"""The settings: what is configured, where each value comes from, and what Django's checks say about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from django.conf import settings as django_settings
from django.core.checks import ERROR, CheckMessage, run_checks
from django.utils.translation import gettext as _

from tiktok_attribution import conf
from tiktok_attribution.diagnosis.result import CheckResult, Level

TAG = "tiktok_attribution"
SHOWN = (
    *("ENABLED", "PIXEL_CODE", "ACCESS_TOKEN", "MODE", "CONVERSIONS", "SITE_URL", "TEST_EVENT_CODE", "API_URL"),
    *("PIXEL_HOST", "OUTBOX_DATABASES", "LIMITED_DATA_USE", "MAX_AGE_DAYS", "KEEP_EVENT_DAYS"),
)


class Value(NamedTuple):
    """One setting as text, and whether it is the default, for the site's settings don't name it."""

    key: str
    text: str
    is_default: bool


def values() -> list[Value]:
    """What somebody who looks for a mistake wants to see. Never the token."""
    raw = getattr(django_settings, conf.SETTING, {})
    given = set(raw) if isinstance(raw, Mapping) else set()
    settings = conf.current()
    return [Value(key, _text(settings, key), key not in given) for key in SHOWN]


def _text(settings: conf.Settings, key: str) -> str:
    value = getattr(settings, conf.OPTIONS[key].name)
    if key == "ACCESS_TOKEN":
        return _token_text(value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, tuple | Mapping):
        return ", ".join(map(str, value)) or _("not set")
    return str(value) or _("not set")


def _token_text(token: object) -> str:
    if callable(token):
        return _("asked of the site's own code")
    if isinstance(token, Mapping):
        codes = ", ".join(str(code) for code, one in token.items() if one)
        return _("set for %(pixels)s") % {"pixels": codes} if codes else _("not set")
    return _("set") if token else _("not set")


def _once(found: Sequence[CheckMessage]) -> list[CheckMessage]:
    """Without the warnings that stand among the errors as well, as those of `check --deploy` do."""
    errors = {message.msg for message in found if message.level >= ERROR}
    return [message for message in found if message.level >= ERROR or message.msg not in errors]


def results() -> Iterator[CheckResult]:
    """What `manage.py check` says of this app, the middleware's order among it; or that it says nothing."""
    if not conf.current().enabled:
        yield CheckResult(
            id="enabled",
            level=Level.WARNING,
            what=_("ENABLED is off."),
            reason=_("Nothing is recorded and nothing is sent."),
            fix=_("Remove ENABLED from the settings, or set it to True."),
        )
    # Without DEBUG this is production, or what comes before it: there what is missing keeps events from TikTok.
    found = _once(run_checks(tags=[TAG], include_deployment_checks=not django_settings.DEBUG))
    for message in found:
        level = Level.ERROR if message.level >= ERROR else Level.WARNING
        number = (message.id or "").rpartition(".")[2]
        yield CheckResult(id=f"check-{number}", level=level, what=str(message.msg), fix=str(message.hint or ""))
    if not found:
        yield CheckResult(
            id="settings", level=Level.OK, what=_("Settings, conversions and middleware order are right.")
        )
