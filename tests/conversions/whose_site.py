"""URLs where people make accounts and orders, their own and other people's, by page, token and preview."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.models import User
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.conversions.models import Booking, Ticket
from tests.conversions.site import shop_admin, thanks
from tests.shop.models import Member, Order
from tiktok_attribution import track


def page(request: HttpRequest) -> HttpResponse:
    return thanks(request)


def invite(request: HttpRequest) -> HttpResponse:
    """A member, or an editor, makes an account for somebody else."""
    user = User.objects.create_user(request.GET["email"], request.GET["email"])
    return HttpResponse(str(user.pk))


def sign_up(request: HttpRequest) -> HttpResponse:
    """Anonymous, makes an account, is signed in to it."""
    user = User.objects.create_user(request.GET["email"], request.GET["email"])
    login(request, user)
    if "invites" in request.GET:
        User.objects.create_user(request.GET["invites"], request.GET["invites"])
    return HttpResponse(str(user.pk))


def sign_up_signed_in_before(request: HttpRequest) -> HttpResponse:
    """The account is the request's user already when its row is made."""
    user = User(username=request.GET["email"], email=request.GET["email"])
    request.user = user  # type: ignore[assignment]
    user.save()
    return HttpResponse(str(user.pk))


def join(request: HttpRequest) -> HttpResponse:
    """A row of the site's own for a person, beside the account."""
    return HttpResponse(str(Member.objects.create(email=request.GET["email"]).pk))


def order(request: HttpRequest) -> HttpResponse:
    made = Order.objects.create(**{"status": "paid", "total": 5, **request.GET.dict()})
    return HttpResponse(str(made.pk))


def book(request: HttpRequest) -> HttpResponse:
    made = Booking.objects.create(**{"paid": True, **request.GET.dict()})
    return HttpResponse(str(made.pk))


def ticket(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Ticket.objects.create(used=True, **request.GET.dict()).pk))


def by_hand(request: HttpRequest) -> HttpResponse:
    user = {key: request.GET[key] for key in ("email", "phone") if request.GET.get(key)}
    name = request.GET.get("event", "Lead")
    recorded = track(request, name, user=user or None)
    return HttpResponse(str(bool(recorded)))


class Tokens(TokenAuthentication):
    """The token is the name of its user; the table of rest_framework.authtoken is not needed for that."""

    def authenticate_credentials(self, key: str) -> tuple[Any, str]:
        user = User.objects.filter(username=key).first()
        if user is None:
            raise AuthenticationFailed("Invalid token.")
        return user, key


class Api(APIView):
    authentication_classes = [Tokens]

    def get(self, request: Request) -> Response:
        if "lead" in request.query_params:
            email = request.query_params.get("email")
            track(request, "Lead", user={"email": email} if email else None)
        elif "sign_up" in request.query_params:
            User.objects.create_user(request.query_params["sign_up"], request.query_params["sign_up"])
        else:
            Order.objects.create(**{"status": "paid", "total": 5, **request.query_params.dict()})
        return Response({"done": True})


class HeadlessApp:
    """What the middleware and the views for apps of allauth's headless API leave on a request."""

    def __init__(self) -> None:
        self.headless = type("Namespace", (), {"client": "app"})()


@csrf_exempt
def headless_sign_up(request: HttpRequest) -> HttpResponse:
    request.allauth = HeadlessApp()  # type: ignore[attr-defined]
    return invite(request)


def preview(request: HttpRequest) -> HttpResponse:
    """As Wagtail's PreviewableMixin.make_preview_request: a request of its own through the whole middleware."""
    meta = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/draft/",
        "SERVER_NAME": "testserver",
        "SERVER_PORT": 80,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "testserver",
        "QUERY_STRING": "",
        "wsgi.input": request.META["wsgi.input"],
        "wsgi.url_scheme": "http",
    }
    for header in ("REMOTE_ADDR", "HTTP_COOKIE", "HTTP_USER_AGENT"):
        if header in request.META:
            meta[header] = request.META[header]
    dummy = WSGIRequest(meta)
    marks = request.GET.get("marks", "is_dummy is_preview").split()
    if "is_dummy" in marks:
        dummy.is_dummy = True  # type: ignore[attr-defined]

    class Handler(BaseHandler):
        def _get_response(self, request: HttpRequest) -> HttpResponse:
            if "is_preview" in marks:
                request.is_preview = True  # type: ignore[attr-defined]
            return draft(request)

    handler = Handler()
    handler.load_middleware()
    return handler.get_response(dummy)


def draft(request: HttpRequest) -> HttpResponse:
    """A page that tells of itself when it is rendered, in every way that there is, and makes an order."""
    track(request, "ViewContent", contents=[{"content_id": "x"}])
    made = Order.objects.create(status="paid", total=5)
    later = Order.objects.create(total=5)
    template = (
        "{% load tiktok_attribution %}{% tiktok_pixel %}{% tiktok_event 'Contact' %}"
        "{% tiktok_event 'Search' server=True %}{% tiktok_event made %}"
    )
    text = Template(template).render(Context({"request": request, "made": made}))
    return HttpResponse(f"{text}later={later.pk}")


def pay(request: HttpRequest) -> HttpResponse:
    found = Order.objects.get(pk=request.GET["order"])
    found.status = "paid"
    found.save()
    return HttpResponse("paid")


wagtail = [path("", page, name="wagtailadmin_home"), path("users/add/", invite), path("orders/add/", order)]

urlpatterns = [
    path("admin/", shop_admin.urls),
    path("cms/", include(wagtail)),
    path("page/", page),
    path("invite/", invite),
    path("sign-up/", sign_up),
    path("signed-in-before/", sign_up_signed_in_before),
    path("join/", join),
    path("order/", order),
    path("book/", book),
    path("by-hand/", by_hand),
    path("api/", Api.as_view()),
    path("headless/sign-up/", headless_sign_up),
    path("preview/", preview),
    path("draft/", draft),
    path("hooks/pay/", csrf_exempt(pay)),
    path("hooks/order/", csrf_exempt(order)),
    path("hooks/ticket/", csrf_exempt(ticket)),
    path("ticket/", ticket),
]
