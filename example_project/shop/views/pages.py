from __future__ import annotations

import logging

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

MOST_BYTES = 4000

logger = logging.getLogger("shop.csp")


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/privacy.html")


@csrf_exempt
@require_POST
def csp_report(request: HttpRequest) -> HttpResponse:
    """What a browser refused to load or to run. Here it is logged; a real site counts it."""
    logger.warning("refused by the policy: %r", request.read(MOST_BYTES))
    return HttpResponse(status=204)
