"""Decide whether a visitor's events may be recorded: for both channels, the click id and the snapshot.

`decide` combines two parts. `will_of` is the person's own will: consent, GPC, DNT and opt-out. `circumstance_of` is
what the request itself says: a private path, a preview, a prefetch, a bot.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.http import HttpRequest
from django.utils.functional import LazyObject, empty

from tiktok_attribution import conf
from tiktok_attribution.consent.cookie_rules import SessionRule
from tiktok_attribution.consent.types import Consent, Decision, Reason, as_consent, denied
from tiktok_attribution.failures import report
from tiktok_attribution.setting_validation import DENY, LIMIT, OptOut, Policy
from tiktok_attribution.visitor.request_data import MOST_HEADER_CHARACTERS

# Phones and tablets are named like bots (CUBOT, "M BOT 551", "Spider 8"). A person who is taken for a bot never counts,
# while a bot that is taken for a person seldom buys. So the part in which an Android device names its model is not
# searched, unless it also says what only a bot would.
_ANDROID_DEVICE = re.compile(r"\((?:linux; |u; )*android(?![^()]*(?:compatible|http|bot[/-]|@))[^()]*\)", re.IGNORECASE)
# Decision: the short list of bots is the default: crawlers that name themselves, as most do. It names no tools and
# libraries, because a shop's own app may use one. The list that others keep (`crawler-user-agents`, MIT, monthly) does,
# so it is an extra.
_BOTS = re.compile(
    r"(?<!cu)bot\b|crawler|spider|slurp|facebookexternalhit|bingpreview|mediapartners-google|google-inspectiontool|"
    r"googleother|apis-google|feedfetcher-google|google web preview|^whatsapp/(?!.* device/)|skypeuripreview|embedly|"
    r"meta-external|gtmetrix|datadogsynthetics|newrelicsynthetics|uptime|statuscake|site24x7|pingdom|lighthouse",
    re.IGNORECASE,
)
_EVERYBODY = Policy()
# Today's browsers send Sec-Purpose ("prefetch;prerender"). Turbo sends X-Sec-Purpose, because a script can't set a Sec-
# header. Safari's previews send X-Purpose, older Chrome and Safari Purpose, older Firefox X-Moz.
_PURPOSES = ("HTTP_SEC_PURPOSE", "HTTP_X_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")
_UNSEEN = re.compile(r"\b(?:prefetch|prerender|preview)\b", re.IGNORECASE)
HTMX_PRELOAD = "HTTP_HX_PRELOADED"
PAGE_PATH = "_tiktok_page_path"  # on a request that reports for a page with another path: a beacon

INSPECTION = "tiktok_attribution.inspection"
"""Key of `request.META` by which the diagnosis marks its own request. No header can set it: those begin with HTTP_."""


def decide(request: HttpRequest) -> Decision:
    """Decide what a visitor's request allows for itself: its circumstances first, then the person's will."""
    # Decision: consent is one decision of the request. It is asked when an event arises, and when something waits. It
    # has two parts. The person's will is stored with an object. The circumstances of the request count only for what it
    # does itself. Where signals are not used (`visitor.caller`), a refusal still counts.
    circumstance = circumstance_of(request)
    return will_of(request) if circumstance is None else denied(circumstance)


def will_of(request: HttpRequest) -> Decision:
    """Return the person's own will (consent, GPC, DNT, opt-out) as it is now. The session's answer may change."""
    settings = conf.current()
    policy = policy_of(request, settings)
    effects = _effects(request, settings, policy)
    if DENY in effects:
        return denied(Reason.OPT_OUT)
    limited = policy.limited_data_use if policy.limited_data_use is not None else settings.limited_data_use
    consent = answer_of(request, settings) if _is_asked(policy, settings) else Consent.GRANTED
    reason = Reason.DENIED if consent is Consent.DENIED else None
    return Decision(consent=consent, reason=reason, limited_data_use=limited or LIMIT in effects)


def refusal_of(request: HttpRequest) -> Decision | None:
    """Return the refusal of a request whose signals are not used, or TikTok's flag for limited use, else None.

    Consent is ignored here, because it is unknown whose it would be. With the flag alone the reason is NO_VISITOR.
    """
    settings = conf.current()
    policy = policy_of(request, settings)
    effects = _effects(request, settings, policy)
    if DENY in effects:
        return denied(Reason.OPT_OUT)
    if _is_asked(policy, settings) and answer_of(request, settings) is Consent.DENIED:
        return denied(Reason.DENIED)
    if LIMIT in effects:
        return Decision(consent=Consent.DENIED, reason=Reason.NO_VISITOR, limited_data_use=True)
    return None


def _is_asked(policy: Policy, settings: conf.Settings) -> bool:
    return settings.asks if policy.ask is None else policy.ask or settings.is_closed


def answer_of(request: HttpRequest, settings: conf.Settings) -> Consent:
    """Return what the site's consent tool says. If it fails, there is no answer."""
    # Decision: an unreadable setting that protects visitors (`is_closed`) counts as "no visitor has agreed". An answer
    # that fails or is missing is never taken for consent.
    rule = settings.consent
    if settings.is_closed or rule is None:
        return Consent.UNKNOWN
    try:
        if isinstance(rule, SessionRule):
            return as_consent(getattr(request, "session", {}).get(rule.key))
        if callable(rule):
            return as_consent(rule(request))
    except Exception as error:  # noqa: BLE001 -- the site's own code may raise anything
        report(error, "CONSENT failed, so nobody has agreed")
        return Consent.UNKNOWN
    return rule.read(request.COOKIES)  # type: ignore[no-any-return]


def policy_of(request: HttpRequest, settings: conf.Settings) -> Policy:
    """Return the policy of this visitor's region. If the region is unknown, the one for everybody."""
    if settings.region is None:
        return _EVERYBODY
    try:
        return settings.regions.get(settings.region(request) or "", _EVERYBODY)
    except Exception as error:  # noqa: BLE001 -- as above
        report(error, "REGION failed, so the settings for everybody hold")
        return _EVERYBODY


def path_of(request: HttpRequest) -> str:
    """Return the path by which a request is judged: its own, or that of the page for which it reports."""
    path: str = getattr(request, PAGE_PATH, "") or request.path_info
    return path


def is_private(path: str, settings: conf.Settings) -> bool:
    """Return whether PRIVATE_PATHS covers this path."""
    return bool(settings.private_paths) and path.startswith(settings.private_paths)


def circumstance_of(request: HttpRequest) -> Reason | None:
    """Return the circumstance for which nothing that this request does is recorded, whoever sends it."""
    settings, meta = conf.current(), request.META
    if INSPECTION in meta:
        return Reason.NO_VISITOR
    if is_private(path_of(request), settings):
        return Reason.PRIVATE_PATH
    if is_preview(request):
        return Reason.PREVIEW
    if is_prefetch(request):
        return Reason.PREFETCH
    return Reason.BOT if _is_bot(meta.get("HTTP_USER_AGENT", ""), settings.bots) else None


def is_preview(request: HttpRequest) -> bool:
    """Return whether an editor previews a page before it is published, so that no visitor sees it.

    Wagtail renders a preview, and "view draft", by a request that it makes itself (`is_dummy`), with the editor's
    cookies and address. Its handler sets `is_preview` after the middleware has run. A site may set it for its own
    previews.
    """
    carried = request.__dict__
    return bool(carried.get("is_preview") or carried.get("is_dummy")) or _is_in_editor(carried.get("toolbar"))


def _is_in_editor(toolbar: Any) -> bool:
    """Return whether Django CMS is in edit, structure or preview mode.

    Its toolbar is lazy, and reading it would load session and user on every page of the site. Where the CMS renders a
    page for an editor, it has read the toolbar already. Otherwise the mode stays unknown.
    """
    if toolbar is None or (isinstance(toolbar, LazyObject) and toolbar.__dict__.get("_wrapped") is empty):
        return False
    return bool(getattr(toolbar, "edit_mode_active", False) or getattr(toolbar, "preview_mode_active", False))


def is_prefetch(request: HttpRequest) -> bool:
    """Return whether the page may never be seen: its browser, or a library in a page, fetched it ahead."""
    meta = request.META
    stated = [meta[header] for header in _PURPOSES if header in meta]
    return HTMX_PRELOAD in meta or any(map(_UNSEEN.search, stated))


def _is_bot(agent: str, bots: Any) -> bool:
    if bots is False or not agent:
        return False
    try:
        return _verdict(_says_so if bots is True else bots, agent[:MOST_HEADER_CHARACTERS])
    except Exception as error:  # noqa: BLE001 -- as above
        report(error, "BOTS failed, so the visitor counts as a person")
        return False


@lru_cache(maxsize=1024)
def _verdict(bots: Callable[[str], Any], agent: str) -> bool:
    """Cache the verdict on a user agent: a long list takes half a millisecond, and a request asks several times."""
    return bool(bots(agent))


def _says_so(agent: str) -> bool:
    return _BOTS.search(_ANDROID_DEVICE.sub("()", agent)) is not None


def _effects(request: HttpRequest, settings: conf.Settings, policy: Policy) -> set[str]:
    meta = request.META
    found = set()
    if meta.get("HTTP_SEC_GPC", "").strip() == "1":
        found.add(policy.on_gpc or settings.on_gpc)
    if meta.get("HTTP_DNT", "").strip() == "1":
        found.add(policy.on_dnt or settings.on_dnt)
    if settings.opt_out is not None:
        found.add(_opted_out(request, settings.opt_out))
    return found


def _opted_out(request: HttpRequest, opt_out: Any) -> str:
    """Return the effect of the site's own opt-out. If its code fails, the visitor counts as opted out."""
    if isinstance(opt_out, OptOut):
        return opt_out.effect if opt_out.rule.read(request.COOKIES) is Consent.GRANTED else ""
    try:
        answer = opt_out(request)
    except Exception as error:  # noqa: BLE001 -- as above
        report(error, "OPT_OUT failed, so the visitor counts as opted out")
        return DENY
    return str(answer) if answer in (DENY, LIMIT) else DENY if answer else ""
