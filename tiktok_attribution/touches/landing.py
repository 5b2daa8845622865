"""Read what the address of a landing says of its ad. Pure: no database, no settings, no request.

`read_landing` takes time in proportion to the address, up to a bound. Every text of the result is a visitor's text: it
is cut to 250 characters, without e-mail addresses and phone numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tiktok_attribution.attribution_settings import BUILDER_KEYS
from tiktok_attribution.events.page_url import decoded
from tiktok_attribution.events.sanitize import PhoneSearch, bounded, holds_email, without_emails

PAID, ORGANIC, OTHER = "paid", "organic", "other"
"""What brought a visitor: the values of `models.attribution.Traffic`."""

MOST_READ = 4096  # characters of a query string; servers take 4 to 8 kB of an address
MOST_PARAMETERS = 100
MOST_TEXT = 250
MOST_CLICK_ID = 1000
_ID_DIGITS = range(15, 21)

CLICK_ID = "ttclid"
UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_id", "utm_content", "utm_term")
OTHER_CLICK_IDS = (
    *("gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "twclid", "li_fat_id", "rdt_cid", "ScCid"),
    "yclid",
)
"""Parameters by which other networks mark a click. The middleware relies on their end, "id"."""

_ADGROUP, _AD, _AD_V2, _PLACEMENT = BUILDER_KEYS
# TikTok fills this one for Upgraded Smart+ campaigns alone. Everywhere else an unfilled macro is no error of anybody's.
_MAY_BE_UNFILLED = _AD_V2

_TIKTOK = frozenset({"tiktok", "tiktokcom", "wwwtiktokcom", "tiktokads", "tiktokad", "tiktokadsmanager"})
_PAID_MEDIUMS = frozenset({"cpc", "cpm", "ppc", "cpv", "cpa"})
_MACROS = frozenset(
    f"__{name}__"
    for name in (
        *("CAMPAIGN_ID", "CAMPAIGN_NAME", "AID", "AID_NAME", "CID", "CID_NAME", "ADID_V2", "ADID_V2_NAME"),
        *("PLACEMENT", "CLICKID", "CALLBACK_PARAM"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """What an address says. `traffic` is "paid", "organic", "other", or None where the landing is no touch.

    `macros` counts the parameters whose macro TikTok has not filled. `needs_once` is True without a click id: then the
    same values count once in a while only.
    """

    traffic: str | None = None
    click_id: str = ""
    macros: int = 0
    needs_once: bool = False
    campaign_id: str = ""
    campaign_name: str = ""
    adgroup_id: str = ""
    adgroup_name: str = ""
    ad_id: str = ""
    ad_name: str = ""
    creative_id: str = ""
    creative_name: str = ""
    placement: str = ""
    utm_source: str = ""
    utm_medium: str = ""
    utm_campaign: str = ""
    utm_content: str = ""
    utm_term: str = ""
    landing_path: str = ""


NOTHING = Landing()


def read_landing(
    query: str,
    *,
    path: str = "/",
    referrer_host: str = "",
    own_hosts: Collection[str] = (),
    is_from_elsewhere: bool = False,
    parameters: Mapping[str, Sequence[str]] | None = None,
    other_channels: bool = False,
) -> Landing:
    """Read the raw query string of a landing on `path`, which is cleaned already.

    - `own_hosts`: hosts of the site, without ports; ".example.com" stands for all below it.
    - `is_from_elsewhere`: the browser says that another site sent its visitor, and names no referrer.
    - `parameters`: own query parameters by what they name: {"ad": ("ttadid",)}.
    - `other_channels`: landings from other sources than TikTok are touches too.
    """
    own = {name: keys for name, keys in (parameters or {}).items() if keys}
    wanted = {CLICK_ID, *UTM, *BUILDER_KEYS, *OTHER_CLICK_IDS, *(key for keys in own.values() for key in keys)}
    values, macros = _values(query, wanted)
    click_id = _click_id(values.get(CLICK_ID, ""))
    traffic = _traffic(values, click_id, other_channels=other_channels)
    is_click = bool(click_id) or any(key in values for key in OTHER_CLICK_IDS)
    # Decision: utm values alone may stand in a bookmark, in a link of the site's own or in a restored tab. So they
    # count only where another site sent the visitor. Apps and referrer policies often hide the referrer; a browser
    # then still says in Sec-Fetch-Site that it was another site.
    if traffic is None or not (is_click or is_from_elsewhere or _is_foreign(referrer_host, own_hosts)):
        return Landing(macros=macros) if macros else NOTHING
    utm = {key: values.get(key, "") for key in UTM}
    read = _of_tiktok(values, own) if traffic != OTHER else {"campaign_name": utm["utm_campaign"]}
    del utm["utm_id"]
    return Landing(
        traffic=traffic,
        click_id=click_id,
        macros=macros,
        needs_once=not click_id,
        landing_path=path[:MOST_TEXT],
        **{**read, **utm},
    )


def _values(query: str, wanted: Collection[str]) -> tuple[dict[str, str], int]:
    """Return the wanted parameters, cleaned, and how many held an unfilled macro. Of a repeated one the last counts."""
    given: dict[str, str] = {}
    parts = query[:MOST_READ].split("&", MOST_PARAMETERS)
    if len(query) > MOST_READ or len(parts) > MOST_PARAMETERS:
        parts.pop()  # cut in two, or all that is too much
    for part in parts:
        name, _, value = part.partition("=")
        if value and name in wanted:
            given[name] = value
    values, macros, phones = {}, 0, PhoneSearch()
    for name, value in given.items():
        text = decoded(value.replace("+", " ")).strip()
        if _is_macro(text):
            macros += name != _MAY_BE_UNFILLED
            continue
        if name != CLICK_ID:
            text = _clean(decoded(text), phones)  # again, for an e-mail address may be encoded twice
        if text:
            values[name] = text
    return values, macros


def _clean(text: str, phones: PhoneSearch) -> str:
    return text if _is_id(text) else bounded(text, MOST_TEXT, without_emails, phones.cut)[0]


def _click_id(text: str) -> str:
    """Return a usable click id, else "": the rule of `visitor.matching.clean`."""
    if len(text) > MOST_CLICK_ID or not text.isascii() or not text.isprintable() or holds_email(text):
        return ""
    return text


def _is_macro(text: str) -> bool:
    """Return whether a value is a macro that was not filled: "__CID__", "_CID_", or a name with one in it."""
    if "_" not in text:
        return False
    is_whole = text[0] == text[-1] == "_" and text.strip("_").replace("_", "").isalnum()
    return is_whole or ("__" in text and any(macro in text for macro in _MACROS))


def _is_id(text: str) -> bool:
    """Return whether this has the form of TikTok's ids."""
    return len(text) in _ID_DIGITS and text.isascii() and text.isdigit()


def _traffic(values: Mapping[str, str], click_id: str, *, other_channels: bool) -> str | None:
    source, medium = values.get("utm_source", "").lower(), values.get("utm_medium", "").lower()
    if click_id:
        return PAID
    if "".join(filter(str.isalnum, source)) in _TIKTOK:
        return PAID if _is_paid(medium) else ORGANIC
    is_tagged = bool(source) or any(key in values for key in OTHER_CLICK_IDS)
    return OTHER if other_channels and is_tagged else None


def _is_paid(medium: str) -> bool:
    words = "".join(one if one.isalnum() else " " for one in medium).split()
    return any(word in _PAID_MEDIUMS or word.startswith("paid") for word in words)


def _of_tiktok(values: Mapping[str, str], own: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return ids and names of TikTok's objects, from wherever a site or TikTok's own tagging put them."""
    # Decision: ids stand in any of the utm parameters, and the position says of which object. TikTok's own tagging,
    # and the addresses that advertisers write, have campaigns in utm_id and utm_campaign, ads in utm_content and ad
    # groups in utm_term. What names its object (the builder's keys, the site's own ones) comes first.

    def among(name: str, *keys: str) -> tuple[str, str]:
        """Return the first id and the first name of these parameters."""
        found = [values[key] for key in (*own.get(name, ()), *keys) if key in values]
        an_id = next(filter(_is_id, found), "")
        return an_id, next((one for one in found if not _is_id(one)), "")

    campaign_id, campaign_name = among("campaign", "utm_id", "utm_campaign")[0], among("campaign", "utm_campaign")[1]
    adgroup = among("adgroup", _ADGROUP, "utm_term")
    # In Upgraded Smart+ campaigns the macro of an ad gives its creative, and another one gives the ad.
    if _is_id(values.get(_AD_V2, "")):
        ad, creative = (values[_AD_V2], among("ad")[1]), among("creative", _AD, "utm_content")
    else:
        ad, creative = among("ad", _AD, "utm_content"), among("creative")
    placement = among("placement", _PLACEMENT)
    return {
        "campaign_id": campaign_id,
        "campaign_name": campaign_name or among("campaign", "utm_id")[1],
        "adgroup_id": adgroup[0],
        "adgroup_name": adgroup[1],
        "ad_id": ad[0],
        "ad_name": ad[1],
        "creative_id": creative[0],
        "creative_name": creative[1],
        "placement": placement[1] or placement[0],
    }


def _is_foreign(host: str, own_hosts: Collection[str]) -> bool:
    host = host.lower()
    return bool(host) and not any(
        host == own.lower().lstrip(".") or (own.startswith(".") and host.endswith(own.lower())) for own in own_hosts
    )
