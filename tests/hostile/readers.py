"""Every function of the package that reads text of a visitor, by name; a new one belongs here.

Only to be imported where Django is set up.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django.http import HttpResponse
from django.test import RequestFactory

from tests.hostile.texts import PARTS, consent_string, of_length
from tiktok_attribution import conf
from tiktok_attribution.browser import insertion, signed_events, stored_calls, views
from tiktok_attribution.browser.insertion import is_own_page
from tiktok_attribution.browser.pending_cookie import Pending
from tiktok_attribution.consent.cookie_rules import UnreadableConsent, rule_of
from tiktok_attribution.consent.types import as_consent
from tiktok_attribution.conversions import recorder
from tiktok_attribution.events import contents, hashing, ids, money, names, page_url, properties, sanitize, times
from tiktok_attribution.events.types import User
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.failures import reason
from tiktok_attribution.models import visitor as object_key
from tiktok_attribution.setting_validation import networks
from tiktok_attribution.touches import storing, waiting
from tiktok_attribution.touches.landing import Landing, read_landing
from tiktok_attribution.visitor import matching, permission, request_data
from tiktok_attribution.visitor.page import page_address, path_of_page
from tiktok_attribution.visitor.request_data import client_address, public_address, sender
from tiktok_attribution.visitor.visitor import Visitor
from tiktok_attribution.visitor.visitor_key import read_key

Reader = Callable[[str], object]

_ALLOWED = ("ttclid", "utm_*", "token")
_PROXIES = networks(["10.0.0.0/8"])
_MASKING = conf.read({"MASKED_PATHS": [r"^/orders/([^/]+)/", r"(?<=/invite/)[^/]+"]})


def _address(before: str) -> Reader:
    return lambda given: page_url.clean_address(before + given, _ALLOWED)


def _property(key: str) -> Reader:
    return lambda given: properties.properties({key: given}, event="Purchase")


def _cookie(spec: dict[str, Any], name: str) -> Reader:
    rule = rule_of(spec)
    return lambda given: rule.read({name: given, "OptanonAlertBoxClosed": "x"})  # type: ignore[union-attr]


def _visitor(given: str) -> object:
    keys = ("HTTP_USER_AGENT", "HTTP_REFERER", "HTTP_ACCEPT_LANGUAGE", "HTTP_X_FORWARDED_FOR", "QUERY_STRING")
    arrives = given.encode("utf-8", "replace").decode("latin-1")  # as servers hand on what came over the wire
    visitor = Visitor(RequestFactory().get("/", **dict.fromkeys(keys, arrives)))
    return visitor.page, visitor.user, visitor.decision


def _script(given: str) -> object:
    arrives = given.encode("utf-8", "replace").decode("latin-1")
    keys = ("HTTP_HX_REQUEST", "HTTP_HX_CURRENT_URL", "HTTP_REFERER", "HTTP_ACCEPT")
    named = {"HTTP_HX_CURRENT_URL_URI_AUTOENCODED": "true"}
    own = f"http://testserver/{arrives}"
    return [Visitor(RequestFactory().get("/", **dict.fromkeys(keys, one), **named)).page for one in (arrives, own)]


def _beacon(given: str) -> object:
    request = RequestFactory().post("/", HTTP_ORIGIN=given)
    signed = signed_events.sign(signed_events.Action(name="Lead", allow=("search_string",)))
    found = is_own_page(request), path_of_page(request, f"http://testserver{given[:3900]}")
    views._act(request, {"action": signed, "event_id": given})
    return found


def _landing(key: str) -> Reader:
    return lambda given: read_landing(
        f"ttclid=x&{key}={given}", own_hosts=[".a.example"], referrer_host=given, other_channels=True
    )


def _key(given: str) -> object:
    request = RequestFactory().get("/")
    request.COOKIES.update(dict.fromkeys(("tiktok_visitor", "tiktok_landed", waiting.COOKIE), given))
    landing = Landing(traffic="paid")
    found = waiting.take(request, HttpResponse(), settings=conf.Settings())
    return read_key(request), storing.is_known(request, landing, given), found


def _answer(given: str) -> object:
    read = signed_events.read(given, max_age_days=7)
    return read.with_given(json.loads(given))


READERS: dict[str, Reader] = {
    "the page of a script": _script,
    "a page whose head is looked for": lambda given: insertion.end_of_head(
        f"<script>{given}</style></script>{given}<!--{given}-->{given}".encode("utf-8", "replace")
    ),
    "free text": lambda given: sanitize.free_text(given, "it", []),
    "an id of a property": lambda given: contents.valid_id(given, "it", []),
    "whether it holds an e-mail address": lambda given: sanitize.holds_email(given[: page_url.MAX_LENGTH]),
    "a path": _address("https://a.example/"),
    "a path of an order": lambda given: page_address(f"https://a.example/orders/{given}", _MASKING),
    "a path of a password reset": _address("https://a.example/reset/MQ/set-password/"),
    "a parameter that is allowed": _address("https://a.example/?utm_a="),
    "an own parameter that is allowed": _address("https://a.example/?token="),
    "a query": _address("https://a.example/?"),
    "a host": _address("https://a"),
    "a scheme": _address(""),
    "a user in an address": lambda given: page_url.clean_address(f"https://{given}@a.example/", _ALLOWED),
    "a fragment": _address("https://a.example/#"),
    "a path that may be private": lambda given: page_url.decoded_path(f"https://a.example/{given}"),
    "a search": _property("search_string"),
    "a property of the site's own": _property("own"),
    "the name of a property": lambda given: properties.properties({given: "x"}),
    "a personal property": lambda given: properties.properties({given[:90]: "x", "a" + given[:90]: "x"}),
    "contents": lambda given: properties.properties(
        {"contents": [{"content_id": given, "content_name": given, "brand": given}]}
    ),
    "content ids": lambda given: properties.properties({"content_ids": [given]}),
    "an order id": _property("order_id"),
    "a content type": _property("content_type"),
    "a value": lambda given: properties.properties({"value": given, "currency": "EUR"}),
    "an amount": money.amount,
    "the longest amount": lambda given: money.amount(given[:40]),
    "a currency": money.currency_code,
    "a count": lambda given: contents.count(given, least=0),
    "a moment": lambda given: times.epoch_seconds(given, now=1.8e9, max_age_seconds=604_800),
    "the name of an event": names.canonical_name,
    "the longest name of an event": lambda given: names.canonical_name(given[:50]),
    "whether a name is nearly a standard one": names.nearly_standard,
    "an event id": ids.valid_event_id,
    "an event id of an object": lambda given: ids.object_event_id("order", given),
    "a pixel code": ids.pixel_code_fault,
    "an e-mail address": hashing.email_sha256,
    "a phone number": hashing.phone_sha256,
    "a phone number at home": lambda given: hashing.phone_sha256(given, "DE"),
    "an external id": hashing.external_id_sha256,
    "a person's name": hashing.name_sha256,
    "a postcode": hashing.zip_sha256,
    "a place": hashing.place,
    "the longest e-mail address": lambda given: hashing.email_sha256(given[:512]),
    "the longest phone number": lambda given: hashing.phone_sha256(given[:512], "US"),
    "the longest place": lambda given: (hashing.place(given[:512]), hashing.name_sha256(given[:512])),
    "what is no hash": lambda given: User(email=(given,)),
    "matching keys": lambda given: matching.hashed({"email": given, "phone": given, "ip": given, "locale": given}),
    "a user agent": request_data.user_agent,
    "a language": request_data.locale,
    "whether it is a bot": lambda given: permission._is_bot(given, bots=True),
    "a landing": lambda given: matching.from_query(f"a={given}&ttclid={given}"),
    "a click id": matching.clean,
    "the ad of a landing": read_landing,
    "the campaign of a landing": _landing("utm_campaign"),
    "the source of a landing": lambda given: read_landing(
        f"utm_source={given}&utm_medium={given}", other_channels=True
    ),
    "the click of a landing": lambda given: read_landing(f"ttclid={given}"),
    "the visitor's key": _key,
    "hops": lambda given: client_address("10.0.0.9", given, _PROXIES),
    "hops of who sends too much": lambda given: sender("10.0.0.9", given, _PROXIES),
    "an IP address": public_address,
    "the key of an object": object_key.object_key,
    "the key of an object that is a phone number": lambda given: object_key.object_key(given[:64]),
    "the words of an error": lambda given: reason(InvalidEvent(given)),
    "everything of a visitor": _visitor,
    "TikTok's words": lambda given: (sanitize.without_echoes(given), sanitize.without_ids(given)),
    "an answer": as_consent,
    "the name of a cookie": lambda given: rule_of({"cookie": given}),
    "the app's own consent cookie": _cookie({"cookie": "tiktok_consent"}, "tiktok_consent"),
    "OneTrust's cookie": _cookie({"onetrust": "C0004"}, "OptanonConsent"),
    "Cookiebot's cookie": _cookie({"cookiebot": "marketing"}, "CookieConsent"),
    "Consent Mode's cookie": _cookie({"consent_mode": "gcm"}, "gcm"),
    "the site's own consent cookie": _cookie({"cookie": "ads", "granted": ["yes", "1"], "denied": "no"}, "ads"),
    "the longest consent cookie": lambda given: _cookie({"onetrust": "C0004"}, "OptanonConsent")(given[:8000]),
    "a consent string": _cookie({"tcf": {"vendor": 5}}, "euconsent-v2"),
    "a consent string full of vendors": lambda given: _cookie({"tcf": {"vendor": 5}}, "euconsent-v2")(
        consent_string(min(len(given), 8000))
    ),
    "an action": _answer,
    "a receipt": stored_calls.read_receipt,
    "the cookie of what is pending": Pending.from_text,
    "a report of a browser": _beacon,
    "the name of an event that failed": recorder._harmless_name,
    "the id of an event that failed": recorder._harmless_id,
}


def run(name: str, length: int) -> None:
    """Feed every text to one function. What it refuses is refused; anything else that it raises is a fault."""
    for kind in PARTS:
        with suppress(InvalidEvent, UnreadableConsent):
            READERS[name](of_length(kind, length))
