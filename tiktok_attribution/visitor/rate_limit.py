"""Count what one sender, or all together, did in a period, in Django's cache."""

from __future__ import annotations

from time import time

from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from tiktok_attribution import conf
from tiktok_attribution.visitor.request_data import sender

MINUTE_SECONDS = 60
DAY_SECONDS = 86_400


def sender_key(request: HttpRequest) -> str:
    """Return a key for the sender's IPv4 address or IPv6 /64 network, as the trusted proxies name it.

    Keyed with the site's secret: a plain hash could be reversed by trying all IPv4 addresses.
    """
    meta = request.META
    peer, forwarded = str(meta.get("REMOTE_ADDR") or ""), str(meta.get("HTTP_X_FORWARDED_FOR") or "")
    who = sender(peer, forwarded, conf.current().trusted_proxies)
    return salted_hmac("tiktok_sender", who, algorithm="sha256").hexdigest()[:32]


def count_one(key: str, *, seconds: int = MINUTE_SECONDS) -> int:
    """Count one more in this period and return the number; 0 if the cache does not know.

    Decision: a rate limit fails open. If the cache is down or stores nothing, everything passes. What else protects an
    endpoint still holds, and a shop's events matter more than the chance of an attack at that moment.
    """
    key = f"{key}-{int(time() // seconds)}"
    try:
        return 1 if cache.add(key, 1, timeout=2 * seconds) else cache.incr(key)
    except Exception:  # noqa: BLE001 -- whatever the cache's library raises
        return 0
