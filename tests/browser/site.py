"""A small site: pages with the tags, and views that do what sites do between two pages."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model, login, logout
from django.db import transaction
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template import RequestContext, Template, engines
from django.template.response import TemplateResponse
from django.urls import include, path
from django.views.decorators.cache import cache_page
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import condition

from tests.shop.models import Order
from tiktok_attribution import pending_events, track

LEAD = {"event": "Lead", "event_id": "lead-1", "value": 5, "currency": "EUR"}


def html(request: HttpRequest | None, body: str = "", /, *, head: str = "{% tiktok_pixel %}", **context: Any) -> str:
    """A page with the pixel tag in its head."""
    start = "{% load tiktok_attribution %}<!doctype html><title>Page</title><link rel=icon href=data:,>"
    text = f"{start}{head}<body>{body}</body>"
    return Template(text).render(RequestContext(request, context))


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(html(request))


def lead(request: HttpRequest) -> HttpResponse:
    """An event in a form that redirects; the query may say more (`?event_id=lead-2`)."""
    track(request, **{**LEAD, **request.GET.dict()})
    return redirect("/page/")


def lead_page(request: HttpRequest) -> HttpResponse:
    """An event and its page in one response."""
    track(request, **LEAD)
    return page(request)


def sign_in(request: HttpRequest) -> HttpResponse:
    track(request, **LEAD)
    login(request, get_user_model().objects.get())
    return redirect("/page/")


def sign_out(request: HttpRequest) -> HttpResponse:
    track(request, **LEAD)
    logout(request)
    return redirect("/page/")


def rolled_back(request: HttpRequest) -> HttpResponse:
    try:
        with transaction.atomic():
            track(request, **LEAD)
            raise LookupError  # noqa: TRY301 -- what a site does
    except LookupError:
        return page(request)


def order(request: HttpRequest) -> HttpResponse:
    made = Order.objects.create(total="19.90", currency="EUR", email="ada@example.com")
    return redirect(f"/order/{made.pk}/")


def order_page(request: HttpRequest, pk: int) -> HttpResponse:
    head = "" if "headless" in request.GET else "{% tiktok_pixel %}"
    return HttpResponse(html(request, "{% tiktok_event order %}", head=head, order=Order.objects.get(pk=pk)))


def user_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(html(request, "{% tiktok_event user %}"))


def event(request: HttpRequest) -> HttpResponse:
    """`{% tiktok_event "Contact" … %}` with the query as its arguments."""
    arguments = " ".join(f'{key}="{value}"' for key, value in request.GET.items() if key not in ("name", "server"))
    server = "server=True" if "server" in request.GET else ""
    name = request.GET.get("name", "Contact")
    return HttpResponse(html(request, f'{{% tiktok_event "{name}" {arguments} {server} %}}'))


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """A template that is rendered while the response is on its way."""

    def pieces() -> Iterator[str]:
        yield html(request)

    return StreamingHttpResponse(pieces())


def thrown_away(request: HttpRequest) -> HttpResponseBase:
    """Renders the tag, then answers with something else."""
    text = html(request)
    kind = request.GET["as"]
    answers: dict[str, HttpResponseBase] = {
        "json": JsonResponse({"html": text}),
        "redirect": redirect("/page/"),
        "error": HttpResponse(text, status=500),
        "nothing": HttpResponse(status=204),
        "download": HttpResponse(text, headers={"Content-Disposition": 'attachment; filename="page.html"'}),
    }
    if kind == "raise":
        raise RuntimeError("the view failed after rendering")
    return answers[kind]


def with_etag(request: HttpRequest) -> HttpResponse:
    return page(request)


async def async_page(request: HttpRequest) -> HttpResponse:
    """Rendered in the event loop, where the database can't be asked."""
    return page(request)


def late_page(request: HttpRequest) -> TemplateResponse:
    return TemplateResponse(request, engines["django"].from_string("{% load tiktok_attribution %}{% tiktok_pixel %}"))


def template(request: HttpRequest) -> HttpResponse:
    """A page of the body that the query gives, for tests of what a template author writes."""
    return HttpResponse(html(request, request.GET["body"]))


def tag_last(request: HttpRequest) -> HttpResponse:
    """The same, with the tag behind the content."""
    return HttpResponse(html(request, request.GET["body"] + "{% tiktok_pixel %}", head=""))


def waiting(request: HttpRequest) -> JsonResponse:
    """An API that hands over in a field of its answer what waits."""
    return JsonResponse({"tiktok": pending_events(request)}, status=int(request.GET.get("status", 200)))


def lead_json(request: HttpRequest) -> JsonResponse:
    track(request, **{**LEAD, **request.GET.dict()})
    return JsonResponse({"ok": True}, headers={"HX-Trigger": "saved"})


def lead_and_leave(request: HttpRequest) -> HttpResponse:
    """A form of htmx's that sends the browser to another page."""
    track(request, **LEAD)
    return HttpResponse(headers={"HX-Redirect": "/page/"})


def lead_fragment(request: HttpRequest) -> HttpResponse:
    track(request, **{**LEAD, **request.GET.dict()})
    return HttpResponse('<p id="target">Thank you</p>')


def order_fragment(request: HttpRequest) -> HttpResponse:
    """Content for htmx to swap in, with the event of an object in it."""
    made = Order.objects.create(total="19.90", currency="EUR", status="paid")
    text = '{% load tiktok_attribution %}<p id="target">Thank you</p>{% tiktok_event order %}'
    return HttpResponse(Template(text).render(RequestContext(request, {"order": made})))


def script_of(request: HttpRequest, name: str) -> HttpResponse:
    """A front-end library, as the package that brings it along has it."""
    folder = resources.files("django_htmx") / "static" / "django_htmx"
    return HttpResponse((folder / name).read_bytes(), content_type="text/javascript")


def vendored(request: HttpRequest, name: str) -> HttpResponse:
    """A library as npm has it."""
    text = (Path(__file__).parent / "vendor" / VENDORED[name]).read_bytes()
    return HttpResponse(text, content_type="text/javascript")


def with_turbo(request: HttpRequest) -> HttpResponse:
    """A page under Turbo with links to itself, to an event, and to an address that redirects."""
    links = '<a href="/turbo/private/?n=7">Private</a> '
    links += '<a href="/turbo/?n=2">Two</a> <a href="/turbo/?n=3">Three</a> <a href="/turbo/moved/">Moved</a>'
    links += ' <a href="/turbo/view/?n=view">View</a>'
    form = '<form method="post" action="/turbo/lead/"><button>Ask</button></form>'
    form += '<form action="/turbo/" {% tiktok_action "Search" %}><button name="n" value="6">Search</button></form>'
    head = "<script src=/scripts/turbo.js defer></script>{% tiktok_pixel %}"
    return HttpResponse(html(request, f"<h1>Page {request.GET.get('n', '1')}</h1>{links}{form}", head=head))


def turbo_view(request: HttpRequest) -> HttpResponse:
    track(request, "ViewContent", value=5, currency="EUR")
    return with_turbo(request)


def turbo_moved(request: HttpRequest) -> HttpResponse:
    return redirect("/turbo/?n=4")


def turbo_lead(request: HttpRequest) -> HttpResponse:
    track(request, **LEAD)
    return HttpResponseRedirect("/turbo/?n=5", status=303)


VENDORED = {"turbo": "turbo-8.0.23.min.js", "dompurify": "dompurify-3.5.0.min.js"}
csp_reports: list[str] = []


@csrf_exempt
def csp_report(request: HttpRequest) -> HttpResponse:
    csp_reports.append(request.body.decode())
    return HttpResponse(status=204)


urlpatterns = [
    path("csp-report/", csp_report),
    path("scripts/turbo.js", vendored, {"name": "turbo"}),
    path("scripts/dompurify.js", vendored, {"name": "dompurify"}),
    path("turbo/private/", with_turbo),
    path("turbo/", with_turbo),
    path("turbo/view/", turbo_view),
    path("turbo/moved/", turbo_moved),
    path("turbo/lead/", csrf_exempt(turbo_lead)),
    path("scripts/<str:name>", script_of),
    path("cached-template/", cache_page(60)(template)),
    path("tiktok/", include("tiktok_attribution.urls")),
    path("template/", template),
    path("tag-last/", tag_last),
    path("waiting/", waiting),
    path("lead-json/", lead_json),
    path("lead-and-leave/", lead_and_leave),
    path("lead-fragment/", lead_fragment),
    path("order-fragment/", order_fragment),
    path("page/", page),
    path("lead/", lead),
    path("lead-page/", lead_page),
    path("sign-in/", sign_in),
    path("sign-out/", sign_out),
    path("rolled-back/", rolled_back),
    path("order/", order),
    path("order/<int:pk>/", order_page),
    path("user/", user_page),
    path("event/", event),
    path("json/", lambda request: JsonResponse({})),
    path("file/", lambda request: FileResponse(io.BytesIO(b"<html>"), content_type="text/html")),
    path("not-modified/", lambda request: HttpResponse(status=304)),
    path("stream/", stream),
    path("thrown-away/", thrown_away),
    path("etag/", condition(etag_func=lambda request: '"same"')(with_etag)),
    path("cached/", cache_page(60)(page)),
    path("cached-late/", cache_page(60)(late_page)),
    path("async/", async_page),
]
