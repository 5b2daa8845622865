"""What waits for the end of the request that is being answered; the middleware lets it run."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest

from tiktok_attribution.visitor.reason import report
from tiktok_attribution.visitor.visitor import current_request

ATTRIBUTE = "_tiktok_at_end"

Waiting = Callable[[], None]


def is_to_come() -> bool:
    """False in a task or a command, and without the middleware."""
    return current_request.get() is not None


def at_end(then: Waiting) -> bool:
    """Run it when this request is answered. False where there is none."""
    request = current_request.get()
    if request is None:
        return False
    request.__dict__.setdefault(ATTRIBUTE, []).append(then)
    return True


def run(request: HttpRequest) -> None:
    """Each once; one that fails keeps no other from running."""
    for then in request.__dict__.pop(ATTRIBUTE, ()):
        try:
            then()
        except Exception as error:
            report(error, "an event could not be built again at the end of its request, so its first version is sent")
