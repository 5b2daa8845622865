"""The data of an event: pure values and functions, without Django, requests or Celery.

`wire` builds the wire format from an `Event`, `hashing` hashes the matching keys. `properties` cleans the properties
with `contents`, `money` and `sanitize`. `ids`, `names`, `times` and `page_url` each check one other part.
"""

from __future__ import annotations

from tiktok_attribution.events.types import BrowserCall, Content, Event, Page, User

__all__ = ["BrowserCall", "Content", "Event", "Page", "User"]
