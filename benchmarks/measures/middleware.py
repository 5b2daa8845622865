"""P9: what the middleware costs a request in which there is nothing for it to do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median

from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

from benchmarks.measured import Measured
from benchmarks.rounds import microseconds, spread, take_turns
from benchmarks.setup import Setup
from tiktok_attribution.middleware import AttributionMiddleware


class IdleMiddleware:
    """The least that a middleware can be."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


def ordinary_request(setup: Setup) -> Measured:
    """Its calls beside those of an idle one. The aim is to vanish in what whole requests vary by (their quartiles)."""
    request, response = RequestFactory().get("/page/?page=2"), HttpResponse("ok")

    def answer(request: HttpRequest) -> HttpResponse:
        return response

    ours, idle = AttributionMiddleware(answer), IdleMiddleware(answer)
    times = setup.scale.calls
    figures = take_turns(
        4 * setup.scale.rounds + 1,
        {
            "ours": lambda: microseconds(partial(ours, request), times),
            "idle": lambda: microseconds(partial(idle, request), times),
        },
    )
    added = [mine - other for mine, other in zip(figures["ours"], figures["idle"], strict=True)]
    whole = _whole_requests(times // 5)
    note = (
        f"a whole request through an idle middleware takes {median(whole):.0f} µs, quartiles {spread(whole):.1f} apart"
    )
    return Measured(
        ours=median(added),
        yardstick=median(figures["idle"]),
        ratios=[mine / other for mine, other in zip(added, figures["idle"], strict=True)],
        aim=spread(whole),
        note=note,
    )


def _whole_requests(number: int) -> list[float]:
    """Microseconds of each request for the plainest page."""
    with override_settings(MIDDLEWARE=["benchmarks.measures.middleware.IdleMiddleware"]):
        handler = BaseHandler()
        handler.load_middleware()
        factory = RequestFactory()
        requests = [factory.get("/page/") for _ in range(number)]
        return [microseconds(partial(handler.get_response, request), 1) for request in requests]
