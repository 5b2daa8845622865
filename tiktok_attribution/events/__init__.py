"""What an event is: pure values and functions, without Django, requests or Celery.

`payload` tells the wire format; `identity` the hashes; the other modules each fix one part of an event.
"""

from __future__ import annotations

from tiktok_attribution.events.types import BrowserCall, Content, Event, Page, User

__all__ = ["BrowserCall", "Content", "Event", "Page", "User"]
