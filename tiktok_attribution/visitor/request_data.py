"""Read what a request says of its client: IP address, user agent, language; and whether the database may be used.

`client_address` finds the visitor's address behind proxies, for matching. `sender` finds the address for a rate limit.
X-Forwarded-For is a list that anyone can begin. Only what a trusted proxy appended can be believed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
from collections.abc import Sequence

from tiktok_attribution.events.sanitize import bounded, without_emails
from tiktok_attribution.setting_validation import Network


def in_event_loop() -> bool:
    """Return whether an event loop runs this code. Django's `async_unsafe` would refuse the first statement then."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return not os.environ.get("DJANGO_ALLOW_ASYNC_UNSAFE")


MOST_HEADER_CHARACTERS = 1000
_LANGUAGE = re.compile(r"\s*([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3})(?![A-Za-z0-9])")


def user_agent(text: str) -> str:
    """Return the User-Agent header on one line, cut to its limit. E-mail addresses, which bots write in it, are cut."""
    return bounded(text, MOST_HEADER_CHARACTERS, without_emails)[0]


def locale(text: str) -> str:
    """Return the first language of an Accept-Language header ("en-US"), "" if it names none."""
    found = _LANGUAGE.match(text)
    return found.group(1) if found else ""


Address = ipaddress.IPv4Address | ipaddress.IPv6Address

MOST_HOPS = 32  # that are read; a longer chain of trusted proxies is forged
MOST_CHARACTERS = 64  # of one hop; an IPv6 address with its brackets and port has 47


def client_address(remote: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Return the client's public address as text, "" if it is private, reserved or unknown.

    `remote` is the peer of the connection (REMOTE_ADDR). Behind a Unix socket it is "", which counts as trusted if any
    proxy is. `forwarded_for` is the header's value. If every hop is a trusted proxy, none of them is the client.
    """
    # Decision: the header is read from its right end, as far as each hop is a trusted proxy. It is not read at all if
    # the peer is none. python-ipware 4.1 was tried with a list of proxies. It believes a header that ends in a trusted
    # address whoever the peer is. So a client that reaches the site directly could choose an address.
    address = _parsed(remote)
    speaker_trusted = _is_trusted(address, trusted) if address else bool(trusted) and not remote
    for hop in reversed(forwarded_for.rsplit(",", MOST_HOPS) if forwarded_for else []):
        if not speaker_trusted:
            break
        address = _parsed(hop)
        if address is None:
            return ""  # a trusted proxy sent something that is no address; everything left of it is unverified
        speaker_trusted = _is_trusted(address, trusted)
    return "" if speaker_trusted else _public(address)


def sender(remote: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Return the address that a rate limit counts: the last one that a trusted proxy vouches for, else the peer.

    It need not be public, because private networks have clients too. Nothing that the sender wrote changes it. An IPv6
    address counts as its /64: the smallest network that one subscriber gets (RFC 6177) and may send from any address
    of. Some subscribers get a /48, so BEACONS_PER_MINUTE_ALL limits all visitors together as well.
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
    """Return the address in its usual form, "" if it is not a public address."""
    return _public(_parsed(text))


def _public(address: Address | None) -> str:
    return str(address) if address and address.is_global and not address.is_multicast else ""


def _parsed(text: str) -> Address | None:
    """Parse an address, also as "1.2.3.4:567", "[::1]:567" or an IPv4 address mapped into IPv6."""
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
