"""A sign-in links the browser to its person: with `join` and consent, and never for staff."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model, login
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path

from tiktok_attribution.attribution.links import person_of
from tiktok_attribution.attribution.sign_in import signed_in
from tiktok_attribution.events.hashing import email_sha256
from tiktok_attribution.models import Touch, VisitorLink

pytestmark = [pytest.mark.privacy, pytest.mark.django_db]

ADA = "ada@example.com"
AGENT = {"HTTP_USER_AGENT": "Mozilla/5.0 (X11; Linux x86_64)"}
BACKEND = "django.contrib.auth.backends.ModelBackend"


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("page")


def sign_in(request: HttpRequest) -> HttpResponse:
    user = get_user_model().objects.get(username=request.GET["as"])
    if "hijack" in request.GET:
        request.session["hijack_history"] = ["1"]
    request.user.is_authenticated  # noqa: B018 -- as a site asks that checks who may do this
    login(request, user, backend=BACKEND)
    return HttpResponse("signed in")


urlpatterns = [path("", page), path("sign-in/", sign_in)]


@pytest.fixture(autouse=True)
def _site(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, "ATTRIBUTION": {"join": ["email"]}}
    get_user_model().objects.create_user("ada", email=ADA)
    get_user_model().objects.create_user("colleague", email="c@example.com", is_staff=True)


def configure(settings: Any, **keys: Any) -> None:
    settings.TIKTOK_ATTRIBUTION = {**settings.TIKTOK_ATTRIBUTION, **keys}


def landed(client: Client) -> None:
    client.get("/?ttclid=E.C.P.x", **AGENT)
    assert Touch.objects.count() == 1


def test_a_sign_in_links_the_browser_to_its_person(client: Client) -> None:
    landed(client)
    client.get("/sign-in/?as=ada", **AGENT)
    link = VisitorLink.objects.get()
    assert (link.visitor_key, link.identifier) == (Touch.objects.get().visitor_key, "email")
    assert link.person == person_of(email_sha256(ADA) or "")


@pytest.mark.parametrize(
    ("address", "options", "headers"),
    [
        ("/sign-in/?as=ada", {"ATTRIBUTION": True}, {}),
        ("/sign-in/?as=ada", {"ATTRIBUTION": False}, {}),
        ("/sign-in/?as=ada", {"CONSENT": {"cookie": "tiktok_consent"}}, {}),
        ("/sign-in/?as=ada", {}, {"HTTP_SEC_GPC": "1"}),
        ("/sign-in/?as=ada", {"LIMITED_DATA_USE": True}, {}),
        ("/sign-in/?as=ada", {"EXCLUDED_PATHS": ["/sign-in/"]}, {}),
        ("/sign-in/?as=colleague", {}, {}),
        ("/sign-in/?as=ada&hijack=1", {}, {}),
    ],
    ids=["no join", "off", "no answer", "opt-out", "limited", "back office", "staff", "impersonation"],
)
def test_nothing_is_linked_where_it_may_not_be(
    address: str, options: dict[str, Any], headers: dict[str, str], client: Client, settings: Any
) -> None:
    landed(client)
    configure(settings, **options)
    client.get(address, **AGENT, **headers)
    assert not VisitorLink.objects.exists()


def test_staff_who_sign_in_as_a_customer_link_nothing(client: Client) -> None:
    landed(client)
    client.get("/sign-in/?as=colleague", **AGENT)
    client.get("/sign-in/?as=ada", **AGENT)
    assert not VisitorLink.objects.exists()


def test_a_browser_without_a_key_links_nothing(client: Client) -> None:
    client.get("/sign-in/?as=ada", **AGENT)
    assert not VisitorLink.objects.exists()


def test_a_failure_breaks_no_sign_in(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError

    landed(client)
    monkeypatch.setattr("tiktok_attribution.attribution.sign_in.link", fail)
    assert client.get("/sign-in/?as=ada", **AGENT).content == b"signed in"
    assert "was not linked" in caplog.text


@pytest.mark.parametrize(("join", "statements"), [(["email"], 3), ([], 0)])
def test_what_it_costs(join: list[str], statements: int, client: Client, settings: Any) -> None:
    landed(client)
    configure(settings, ATTRIBUTION={"join": join})
    request = client.get("/", **AGENT).wsgi_request
    user = get_user_model().objects.get(username="ada")
    with CaptureQueriesContext(connection) as captured:
        signed_in(None, request, user)
    assert len([one for one in captured if "tiktok_attribution_visitorlink" in one["sql"]]) == statements
