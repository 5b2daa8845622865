"""What a visitor may have written into a page, to have its scripts do something."""

from __future__ import annotations

_BLOCK = (
    '{"pixels":["EVIL"],"host":"https://evil.example","url":"https://evil.example/","quiet":true,'
    '"calls":[{"event":"Purchase","properties":{"value":9}}]}'
)
BOGUS = "eyJlIjoiUHVyY2hhc2UiLCJkIjoxfQ:bogus"  # {"e":"Purchase","d":1}, as a signed text is written

EVIL_BLOCK = f'<script type="application/json" class="tiktok-attribution">{_BLOCK}</script>'
_BOTH = f'data-tiktok-event="Purchase" data-tiktok-action="{BOGUS}" tiktok-action="{BOGUS}"'

GADGETS = {
    "a block's class on a paragraph": f'<p class="tiktok-attribution">{_BLOCK}</p>',
    "a block": EVIL_BLOCK,
    "a block in a drawing": f"<svg>{EVIL_BLOCK}</svg>",
    "a block in a template": f"<template>{EVIL_BLOCK}</template>",
    "the gate's id on a paragraph": '<p id="tiktok-gate">{"state":"granted"}</p>',
    "an event of data attributes": '<a href="#" data-tiktok-event="Purchase" data-tiktok-properties="{}">win</a>',
    "an unsigned event": '<a href="#" tiktok-event="Purchase">win</a>',
    "a bogus signature": f'<a href="#" tiktok-action="{BOGUS}">win</a>',
    "both kinds": f"<button {_BOTH}>win</button>",
    "a form": f'<form tiktok-action="{BOGUS}"><input tiktok-property="value" value="9"><button>win</button></form>',
    "a meta": f'<meta tiktok-action="{BOGUS}"><meta name="data-tiktok-event" data-tiktok-event="Purchase">',
    "a base": '<base href="https://evil.example/">',
}

WINDOW = {
    "ttq": '<a id="ttq"></a>',
    "a form as ttq": '<form id="ttq"><input name="load"><input name="_i"><input name="push"></form>',
    "tiktokAttribution": '<a id="tiktokAttribution"></a><a id="tiktokAttribution" name="when"></a>',
    "a form as tiktokAttribution": '<form id="tiktokAttribution"><input name="when"><input name="scan"></form>',
    "the gate": '<p id="tiktok-gate">{"state":"granted"}</p><img name="ttqTrack">',
}
"""Elements that hide members of window. A sanitiser lets most of them through."""

DOCUMENT = {
    name: f'<img name="{name}" src="data:,"><form name="{name}"></form>'
    for name in (
        *("cookie", "currentScript", "head", "documentElement", "querySelector", "querySelectorAll", "createElement"),
        *("getElementById", "getElementsByClassName", "getElementsByTagName", "addEventListener"),
    )
}
"""Elements that hide members of document. DOMPurify takes these names away; others may not."""
