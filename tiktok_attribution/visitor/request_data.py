"""Whether the database can be asked here: not by code that an event loop runs.

What a browser says of itself, in the form that is kept and sent.

The visitor's address, not a proxy's.

X-Forwarded-For is a list that anybody may begin. Only what a trusted proxy appended to it can be believed, so the list
is read from its right end, as long as the one who spoke is trusted.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
from collections.abc import Sequence

from tiktok_attribution.events.sanitize import bounded, without_emails
from tiktok_attribution.setting_types import Network


def in_event_loop() -> bool:
    """As Django's `async_unsafe` decides, which would raise SynchronousOnlyOperation at the first statement."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return not os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")


MOST_HEADER_CHARACTERS = 1000
_LANGUAGE = re.compile(r"\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3})(?![A-Za-z0-9])")


def user_agent(text: str) -> str:
    """The User-Agent header on one line, bounded; robots write their keeper's address into it, which goes."""
    return bounded(text, MOST_HEADER_CHARACTERS, without_emails)[0]


def locale(text: str) -> str:
    """The first language of an Accept-Language header ("en-US"), "" where it names none."""
    found = _LANGUAGE.match(text)
    return found.group(1) if found else ""


Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST_HOPS = 32  # looked at; a chain of more trusted proxies than that is somebody's making
MOST_CHARACTERS = 64  # of one hop; an IPv6 address with its brackets and port has 47


def client_address(remote: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """The client's public address in text, "" where it is private, reserved or not to be known.

    `remote` is the peer of the connection (REMOTE_ADDR), "" behind a Unix socket, which then counts as trusted when
    any proxy is. `forwarded_for` is the header's value. If every hop is a trusted proxy, none of them is the client.
    """
    address = _parsed(remote)
    speaker_trusted = _is_trusted(address, trusted) if address else bool(trusted) and not remote
    for hop in reversed(forwarded_for.rsplit(",", MOST_HOPS) if forwarded_for else []):
        if not speaker_trusted:
            break
        address = _parsed(hop)
        if address is None:
            return ""  # a trusted proxy said something that is no address: whatever stands left of it is hearsay
        speaker_trusted = _is_trusted(address, trusted)
    return "" if speaker_trusted else _public(address)


def sender(remote: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Whom a rate limit counts: the last one that a trusted proxy vouches for, else the peer itself.

    Public or not, for a private network too is somebody's; nothing that the sender wrote before it makes another one.
    An IPv6 address counts as its /64, the smallest network that one subscriber gets (RFC 6177) and may send from any
    address of. Some get a /48, so a ceiling for all visitors (BEACONS_PER_MINUTE_ALL) stands behind this limit.
    """
    address = _parsed(remote)
    is_vouched = _is_trusted(address, trusted) if address else bool(trusted) and not remote
    for hop in reversed(forwarded_for.rsplit(",", MOST_HOPS) if forwarded_for and is_vouched else []):
        nearer, address = address, _parsed(hop)
        if address is None:
            address = nearer
            break
        if not _is_trusted(address, trusted):
            break
    if address is None:
        return remote
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


def public_address(text: str) -> str:
    """The address in its usual form, "" where it is none or not a public one."""
    return _public(_parsed(text))


def _public(address: Address | None) -> str:
    return str(address) if address and address.is_global and not address.is_multicast else ""


def _parsed(text: str) -> Address | None:
    """An address, also as "1.2.3.4:567", "[::1]:567" or an IPv4 one mapped into IPv6."""
    if len(text) > MOST_CHARACTERS:
        return None
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in trusted)
