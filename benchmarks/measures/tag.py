"""P8: what the base-code tag costs every page."""

from __future__ import annotations

from functools import partial

from django.template import Context, Engine
from django.template.base import Node
from django.test import RequestFactory

from benchmarks.measured import Measured
from benchmarks.rounds import microseconds, take_turns
from benchmarks.setup import Setup


def against_django_analytical(setup: Setup) -> Measured:
    """The nodes by themselves, without the template around them, on a page with nothing pending."""
    context = Context({"request": RequestFactory().get("/")})
    ours, facebook = _node("tiktok_attribution", "tiktok_pixel"), _node("facebook_pixel", "facebook_pixel_head")
    for node, text in ((ours, "ttq.load"), (facebook, "fbq(")):
        if text not in str(node.render_annotated(context)):
            raise AssertionError(f"{node!r} rendered no base code")
    times = setup.scale.calls
    figures = take_turns(
        4 * setup.scale.rounds + 1,
        {
            "ours": lambda: microseconds(partial(ours.render_annotated, context), times),
            "facebook": lambda: microseconds(partial(facebook.render_annotated, context), times),
        },
    )
    return Measured.of_rounds(figures["ours"], figures["facebook"])


def _node(library: str, tag: str) -> Node:
    libraries = {
        "tiktok_attribution": "tiktok_attribution.templatetags.tiktok_attribution",
        "facebook_pixel": "analytical.templatetags.facebook_pixel",
    }
    template = Engine(libraries=libraries).from_string(f"{{% load {library} %}}{{% {tag} %}}")
    return template.nodelist[-1]
