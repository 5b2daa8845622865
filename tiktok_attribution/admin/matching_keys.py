"""Explain each key of a request's body in a sentence, based on TikTok's notes on its fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from tiktok_attribution.admin.explanations import Text

SHORT = 80
MOST_LINES = 300

OWN = _("A key of the site's own; TikTok keeps it for its audience rules and reports.")
MEANINGS: Mapping[str, Text] = {
    "event_source": _("Where the events of this request happened: “web” for pixels."),
    "event_source_id": _("The pixel code, from Events Manager."),
    "test_event_code": _("Lets the request appear under “Test events” in Events Manager."),
    "data": _("The events, 1 to 1000 in a request."),
    "data.event": _("The name. Standard names are written exactly as TikTok lists them; others are custom events."),
    "data.event_time": _("When it happened: whole seconds since 1970, UTC."),
    "data.event_id": _("By pixel, name and this id TikTok sees that both channels, and every repeat, are one event."),
    "data.limited_data_use": _("TikTok may use the event for measurement in the limited way that US law asks for."),
    "data.user": _("Who it was. The more of these keys are sent, the more often TikTok finds the person."),
    "data.user.email": _("E-mail address in lower case, SHA-256: TikTok compares it with the hash of its own users'."),
    "data.user.phone": _("Telephone number with its country code, SHA-256."),
    "data.user.external_id": _("The site's own key of the customer, SHA-256; it should be the same on every event."),
    "data.user.first_name": _("First name in lower case, SHA-256."),
    "data.user.last_name": _("Last name in lower case, SHA-256."),
    "data.user.zip_code": _("Postal code without spaces, SHA-256."),
    "data.user.city": _("City, in plain lower-case letters."),
    "data.user.state": _("State or province, in plain lower-case letters."),
    "data.user.country": _("Country, in plain lower-case letters."),
    "data.user.ttclid": _("The click id that TikTok put into the address of the ad: the surest match."),
    "data.user.ttp": _("The cookie _ttp that TikTok's pixel set in this browser; read, never made up."),
    "data.user.ip": _("The visitor's public address; with user_agent it gives a weak match."),
    "data.user.user_agent": _("The visitor's browser, by the name it gives itself; used together with ip."),
    "data.user.locale": _("The language of the visitor's browser."),
    "data.page": _("Where it happened."),
    "data.page.url": _(
        "Address of the page; required for web events. Only parameters that may be sent are left in it."
    ),
    "data.page.referrer": _("The page before it."),
    "data.properties": _("What happened; the pixel call has the same properties."),
    "data.properties.value": _("The whole amount as a number; reports of revenue and ROAS add it up."),
    "data.properties.currency": _("ISO 4217 code of value and prices, from TikTok's list."),
    "data.properties.contents": _("The items."),
    "data.properties.contents.content_id": _("The item's id as text; for catalogue ads that of the catalogue."),
    "data.properties.contents.content_name": _("The item's name."),
    "data.properties.contents.content_category": _("The item's category."),
    "data.properties.contents.content_type": _("“product” for ids of single articles, “product_group” for groups."),
    "data.properties.contents.brand": _("The item's brand."),
    "data.properties.contents.price": _("For one piece, as a number."),
    "data.properties.contents.quantity": _("How many pieces."),
    "data.properties.content_type": _("“product” for ids of single articles, “product_group” for groups of them."),
    "data.properties.content_ids": _("Ids of the catalogue, if no contents are sent."),
    "data.properties.content_id": _("Id of the one item."),
    "data.properties.content_name": _("Name of the one item."),
    "data.properties.content_category": _("Category of the one item."),
    "data.properties.brand": _("Brand of the one item."),
    "data.properties.num_items": _("Number of items in the cart or order."),
    "data.properties.search_string": _("What was searched for."),
    "data.properties.query": _("What was searched for; the older name of search_string."),
    "data.properties.description": _("A free text."),
    "data.properties.order_id": _("The order's number."),
    "data.properties.shop_id": _("The shop's number."),
    "data.properties.status": _("State of the order or of the item."),
    "data.properties.delivery_category": _("in_store, curbside or home_delivery."),
    "data.properties.predicted_ltv": _("How much the customer is expected to spend in total, as a number."),
}


class KeyLine(NamedTuple):
    """One key of the body: its path, its value (for a container: the number of entries), and its meaning."""

    path: str
    value: str
    meaning: Text


def key_lines(body: str) -> list[KeyLine]:
    """Return every key in the order of the body; of a list of items, the keys of the first. [] if it is no object."""
    try:
        sent = json.loads(body)
    except ValueError:
        return []
    lines = list(_lines(sent, "", "")) if isinstance(sent, dict) else []
    return lines[:MOST_LINES]


def _lines(given: Mapping[str, Any], shown: str, known: str) -> Iterator[KeyLine]:
    for key, value in given.items():
        path, name = f"{shown}{key}", f"{known}{key}"
        inner, place = _object(value)
        yield KeyLine(path, _short(value) if inner is None else _entries(value), MEANINGS.get(name, OWN))
        if inner is not None:
            yield from _lines(inner, f"{path}{place}.", f"{name}.")


def _object(value: Any) -> tuple[Mapping[str, Any] | None, str]:
    """Return the object in a value, and its place. Of a list it is the first one: the others have the same keys."""
    if isinstance(value, dict):
        return value, ""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return value[0], "[0]"
    return None, ""


def _entries(value: Any) -> str:
    if not isinstance(value, list):
        return ""
    return ngettext("%(count)d entry", "%(count)d entries", len(value)) % {"count": len(value)}


def _short(value: Any) -> str:
    return Truncator(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).chars(SHORT)
