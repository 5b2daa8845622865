"""Build the address of an ad: the landing page with the macros by which TikTok names campaign, ad group and ad.

`tagged_address` adds the macros to an address, keeps its other parameters, and says what it changed. It raises
`InvalidAddress`, with a sentence for people, for an address that can't become the landing page of an ad.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote_plus, urlsplit

from django.utils.translation import gettext as _

# TikTok's help page on macros, in copies of February 2026. Case counts, and TikTok replaces nothing after a "#".
PARAMETERS: Mapping[str, str] = {
    "utm_source": "tiktok",
    "utm_medium": "paid_social",
    "utm_campaign": "__CAMPAIGN_NAME__",
    "utm_id": "__CAMPAIGN_ID__",
    "utm_content": "__CID_NAME__",
    "tt_adgroup": "__AID__",
    "tt_ad": "__CID__",
    "tt_ad_v2": "__ADID_V2__",
    "tt_placement": "__PLACEMENT__",
}
"""What the builder adds, in this order. `conf.ALWAYS_ALLOWED_PARAMETERS` lets these keys stay in page addresses."""

MACROS: Mapping[str, str] = {
    "__CAMPAIGN_ID__": "campaign",
    "__CAMPAIGN_NAME__": "campaign",
    "__AID__": "ad group",
    "__AID_NAME__": "ad group",
    "__CID__": "ad",
    "__CID_NAME__": "ad",
    "__ADID_V2__": "ad, Upgraded Smart+ only",
    "__ADID_V2_NAME__": "ad, Upgraded Smart+ only",
    "__PLACEMENT__": "placement",
}
"""The macros that TikTok fills in a landing address."""
CLICK_ID = "ttclid"
MOST_CHARACTERS = 2000
"""The longest address that is accepted. Ours: TikTok documents no limit."""

_UNREADABLE = re.compile(r"[\x00-\x20\x7f<>\"\\^`{|}\ud800-\udfff]")
_MACRO = re.compile(r"__[A-Za-z][A-Za-z0-9_]*?__(?!_)")
_HOST = re.compile(r"(?!-)[^\s/?#@:\[\]%]{1,253}")
_WITHOUT_SCHEME = re.compile(r"[\w-]+(?:\.[\w-]+)+(?:[/?:]|\Z)")


class InvalidAddress(ValueError):
    """The address can't become the landing page of an ad. The text says why and what to enter."""


@dataclass(frozen=True, slots=True)
class TaggedAddress:
    """The address to enter at TikTok. `replaced` are parameters that had another value; `remarks` are sentences."""

    address: str
    replaced: tuple[str, ...]
    remarks: tuple[str, ...]


def tagged_address(address: str) -> TaggedAddress:
    """Return the address with the parameters of this app. Parameters of other names stay as they are written."""
    address = address.strip()
    parts = _read(address)
    kept: list[str] = []
    replaced: list[str] = []
    remarks: list[str] = []
    for part in parts.query.split("&"):
        name, _equals, value = part.partition("=")
        name, value = unquote_plus(name), unquote_plus(value)
        if name.lower() == CLICK_ID:
            raise InvalidAddress(_("Take ttclid out of the address: TikTok adds it to each click by itself."))
        _check_macros(value)
        if name in PARAMETERS:
            if value != PARAMETERS[name] and name not in replaced:
                replaced.append(name)
        elif part:
            kept.append(part)
    if parts.scheme == "http":
        remarks.append(_("The address begins with http://. Use https:// if your site has it."))
    query = "&".join([*kept, *(f"{name}={value}" for name, value in PARAMETERS.items())])
    whole = f"{parts.scheme}://{parts.netloc}{parts.path or '/'}?{query}"
    if len(whole) > MOST_CHARACTERS:
        raise InvalidAddress(_("The address is too long with the parameters: shorten it."))
    return TaggedAddress(whole, tuple(replaced), tuple(remarks))


def _read(address: str) -> SplitResult:
    """Split the address, or raise InvalidAddress. No message repeats the address: it may hold personal data."""
    if not address:
        raise InvalidAddress(_("Enter the address of the landing page."))
    if len(address) > MOST_CHARACTERS:
        raise InvalidAddress(_("The address is too long: shorten it."))
    if "#" in address:
        raise InvalidAddress(_("Take the # and all that follows it out of the address: TikTok fills no macro there."))
    if _UNREADABLE.search(address):
        raise InvalidAddress(_("The address has a blank or another character that no address can have."))
    if "://" not in address and _WITHOUT_SCHEME.match(address):
        raise InvalidAddress(_("The address must begin with https://."))
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 -- raises for an invalid port
        host = parts.hostname or ""
    except ValueError:
        raise InvalidAddress(_("This is no address of a web page.")) from None
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidAddress(_("The address must begin with https:// and name a site."))
    _check_place(parts, host)
    return parts


def _check_place(parts: SplitResult, host: str) -> None:
    if "@" in parts.netloc:
        raise InvalidAddress(_("Take the user name and password out of the address."))
    if not _is_ip_address(host) and not _HOST.fullmatch(host):
        raise InvalidAddress(_("This is no address of a web page."))
    if _MACRO.search(parts.netloc) or _MACRO.search(unquote_plus(parts.path)):
        raise InvalidAddress(_("TikTok fills macros only after the “?” of an address."))


def _is_ip_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


# Decision: a macro that TikTok does not document is refused. It would stay in the address of every visitor, and a click
# id that reads "__CLICKID__" is no click id. The macros of measurement partners (__IDFA__, __IP__) are for apps, and an
# address with a person's IP address in it must not be made.
def _check_macros(value: str) -> None:
    for macro in _MACRO.findall(value):
        if macro in MACROS:
            continue
        if macro.upper() == "__CLICKID__":
            raise InvalidAddress(_("Take __CLICKID__ out of the address: TikTok adds the click id by itself."))
        near = macro.upper()
        if near in MACROS:
            raise InvalidAddress(_("Write %(macro)s in capitals, as TikTok does.") % {"macro": near})
        raise InvalidAddress(_("TikTok fills no macro %(macro)s in the address of a web page.") % {"macro": macro})
