from __future__ import annotations

import json
import uuid
from decimal import Decimal, InvalidOperation

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from pretendpay.webhook import SIGNATURE_HEADER, is_genuine

from ..models import Order
from ..payments import settle


@csrf_exempt
@require_POST
def pretendpay(request: HttpRequest) -> HttpResponse:
    if not is_genuine(request.body, request.headers.get(SIGNATURE_HEADER, "")):
        return HttpResponse("bad signature", status=403, content_type="text/plain")
    try:
        alert = json.loads(request.body)
        settle(
            uuid.UUID(str(alert["reference"])),
            paid=alert["type"] == "payment.paid",
            amount=Decimal(alert["amount"]),
            currency=alert["currency"],
        )
    except Order.DoesNotExist:
        return HttpResponse("no such order", status=404, content_type="text/plain")
    except (ValueError, KeyError, TypeError, InvalidOperation):
        return HttpResponse("bad notice", status=400, content_type="text/plain")
    return HttpResponse("ok", content_type="text/plain")
