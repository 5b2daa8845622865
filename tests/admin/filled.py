"""A shop with something of everything: each state, each kind of answer, a stopped pixel, findings, orders."""

from __future__ import annotations

import json
import secrets
import time

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone

from tests.admin import offices
from tests.admin.attribution_samples import fill_attribution
from tests.admin.conversion_samples import fill_conversions
from tests.admin.samples import PIXEL, stored_event
from tests.attribution.report_samples import SPRING
from tests.attribution.spend_samples import imported, row
from tests.shop.models import Order
from tiktok_attribution.delivery.manual import SkipReason
from tiktok_attribution.models import (
    Attempt,
    BulkJob,
    BulkState,
    BulkVerb,
    DailyCode,
    OutboxEvent,
    Outcome,
    PixelStatus,
    State,
    VoucherCode,
    moment,
)
from tiktok_attribution.monitoring.hourly_statistics import WHOLE, count_again, go_on
from tiktok_attribution.testing.faults import CONTENT_ID_NOT_TEXT, NO_PERMISSION

STOPPED = "C0EXAMPLE0000000001"
NAMES = ("Purchase", "AddToCart", "CompleteRegistration", "ViewContent")
OUTCOMES: dict[str, tuple[Outcome, int | None, int | None, str]] = {
    State.DELIVERED: (Outcome.DELIVERED, 200, 0, "OK"),
    State.REJECTED: (Outcome.ISOLATE, 200, 40002, CONTENT_ID_NOT_TEXT.format(row=0, item=0)),
    State.WAITING: (Outcome.RETRY, 503, None, "The answer is not TikTok's JSON."),
}


class PlainAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """The same orders without the mixin."""

    list_display = ("id", "status")
    list_editable = ("status",)
    list_filter = ("status",)
    search_fields = ("email",)
    search_help_text = "By e-mail."
    show_full_result_count = False


plain = admin.AdminSite(name="plain")
plain.register(Order, PlainAdmin)


def _front(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<!doctype html><title>Shop</title>")  # the tag was forgotten


urlpatterns = [
    path("", _front),
    path("admin/", admin.site.urls),
    path("plain/", plain.urls),
    *offices.urlpatterns,
]


def fill() -> dict[str, str]:
    """Addresses of every kind of page, by a name for its picture."""
    now = time.time()
    orders = [Order.objects.create(email=f"buyer{number}@shop.example", status="paid") for number in range(12)]
    # Oldest first, as keys and moments grow together in an outbox.
    odd = {state: _event(orders[0], 900 - place, now, state=state) for place, state in enumerate(State)}
    events = [_event(order, number, now) for number, order in reversed(list(enumerate(orders * 5)))]
    for event in [*events, *odd.values()]:
        if event.state in OUTCOMES:
            _attempt(event, now)
    for number in range(3):
        stored_event(pixel_code=STOPPED, age=7200 + number)
    PixelStatus.objects.create(
        pixel_code=STOPPED, stopped_at=moment(now - 3600), code=40001, message=NO_PERMISSION.format(pixel=STOPPED)
    )
    PixelStatus.objects.create(pixel_code=PIXEL, failures=7, closed_until=now + 60)
    count_again(48, using="default", now=now)
    go_on(WHOLE, using="default", now=now, seconds=60)
    fill_attribution()
    return {**_addresses(orders[0], odd), **_jobs(now), **_spend(), **_attribution(), **_conversions(orders[0])}


def _spend() -> dict[str, str]:
    """An import that counts, and the page that makes one."""
    imported(row(1, "12.50"), row(2, "7.50"))
    made = imported(row(2, "8.00", campaign_name="Spring"))
    app = "/admin/tiktok_attribution/spendimport/"
    return {"spend": app, "spend-upload": f"{app}import/", "spend-import": f"{app}{made.pk}/change/"}


def _attribution() -> dict[str, str]:
    page = "/admin/tiktok_attribution/attributionreport/"
    return {
        "attribution": f"{page}?windows=1",
        "attribution-inside": f"{page}?by=adgroup&campaign={SPRING}&period=30",
        "attribution-none": f"{page}?from=2020-01-01&to=2019-12-31",
        "attribution-link": f"{page}link/?address=http://shop.example/new/%3Futm_source%3Dx",
        "attribution-link-refused": f"{page}link/?address=shop.example/%23top",
    }


def _conversions(order: Order) -> dict[str, str]:
    told = fill_conversions(str(order.pk))
    voucher = VoucherCode.objects.create(code="ANNA10", creator="Anna K.", campaign_name="Spring")
    DailyCode.objects.create(
        day=timezone.localdate(), shop=PIXEL, name="Purchase", folded="anna10", currency="EUR", conversions=3, value=120
    )
    vouchers = "/admin/tiktok_attribution/vouchercode/"
    page = "/admin/tiktok_attribution/recordedconversion/"
    return {
        "vouchers": vouchers,
        "voucher-new": f"{vouchers}add/",
        "voucher": f"{vouchers}{voucher.pk}/change/",
        "conversions": page,
        "conversions-filtered": f"{page}?campaign={SPRING}&adgroup=17&model=linear&before={told.at}-{told.pk}&x=1",
        "conversions-none": f"{page}?from=2020-01-01&to=2020-01-02&customers=new",
        "conversion": f"{page}{told.pk}/change/",
        "conversion-direct": f"{page}{told.pk - 2}/change/?window=1",
    }


def _jobs(now: float) -> dict[str, str]:
    """One that runs and has met with trouble, and one that has ended."""
    reasons = json.dumps({reason.value: number for number, reason in enumerate(SkipReason, start=1)})
    common = {"verb": BulkVerb.RETRY, "first_key": 1, "last_key": 200, "changed": 61, "reasons": reasons}
    chosen = '{"state": "rejected", "name": "Purchase", "channels": "browser", "since": 1767225600}'
    runs = BulkJob.objects.create(**common, chosen=chosen, cursor=90, left_alone=28, note="OperationalError")
    done = BulkJob.objects.create(
        **{**common, "verb": BulkVerb.CANCEL},
        chosen='{"all": true}',
        state=BulkState.DONE,
        touched_at=moment(now),
        ended_at=moment(now),
    )
    app = "/admin/tiktok_attribution/bulkjob/"
    return {"jobs": app, "job-running": f"{app}{runs.pk}/change/", "job-ended": f"{app}{done.pk}/change/"}


def _event(order: Order, number: int, now: float, *, state: str = "") -> OutboxEvent:
    state = state or (State.REJECTED if number % 11 == 0 else State.DELIVERED)
    age = 60 + number * 5 * 60
    is_delivered = state == State.DELIVERED
    return stored_event(
        name=NAMES[number % len(NAMES)],
        event_id=f"{state}-{number}",
        age=age,
        state=state,
        note="total: “12,5 €” is not a number" if state == State.INVALID else "",
        delivered_at=moment(now - age + 2 + number % 7) if is_delivered else None,
        wants_browser=number % 3 != 0,
        browser_at=moment(now - age + 1) if number % 3 == 1 else None,
        object_label="shop.Order",
        object_pk=str(order.pk),
        match_keys=0b1100100 | 1 << number % 5,
    )


def _attempt(event: OutboxEvent, now: float) -> None:
    outcome, status, code, message = OUTCOMES[event.state]
    made = Attempt.objects.create(
        id=secrets.token_urlsafe(16),
        pixel_code=event.pixel_code,
        started_at=event.delivered_at or event.created_at,
        duration_seconds=0.412,
        event_count=1,
        outcome=outcome,
        http_status=status,
        code=code,
        message=message,
        request_id="20261124000000AAAA",
        first_event=event.pk,
        last_event=event.pk,
    )
    event.attempts, event.attempt_log, event.last_attempt = 1, f"{made.pk},", made
    event.save()


def _addresses(order: Order, odd: dict[State, OutboxEvent]) -> dict[str, str]:
    app = "/admin/tiktok_attribution/"
    attempt = Attempt.objects.filter(outcome=Outcome.ISOLATE).latest("started_at")
    return {
        "app": app,
        "overview": f"{app}overview/?period=7",
        "overview-today": f"{app}overview/?period=today&pixel={PIXEL}",
        "diagnosis": f"{app}diagnosis/",
        "events": f"{app}outboxevent/",
        "events-none": f"{app}outboxevent/?q=nothing-of-this-name",
        **{f"event-{state.value}": f"{app}outboxevent/{event.pk}/change/" for state, event in odd.items()},
        "event-history": f"{app}outboxevent/{odd[State.DELIVERED].pk}/history/",
        "attempts": f"{app}attempt/",
        "attempt": f"{app}attempt/{quote(attempt.pk)}/change/",
        "pixels": f"{app}pixelstatus/",
        "pixel-stopped": f"{app}pixelstatus/{STOPPED}/change/",
        "pixel-runs": f"{app}pixelstatus/{PIXEL}/change/",
        "orders": "/office/shop/order/",
        "order": f"/office/shop/order/{order.pk}/change/",
    }
