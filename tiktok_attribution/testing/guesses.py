"""What the stand-in does where nothing is documented or recorded. Its page shows this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """`subject`: the case; `does`: what the stand-in does; `reason`: why, and what is really known."""

    subject: str
    does: str
    reason: str


GUESSES: tuple[Guess, ...] = (
    Guess(
        subject="Our own wording",
        does="Messages that begin with “stand-in:” are ours.",
        reason="No answer of TikTok's is recorded for these cases; only codes and their names are known.",
    ),
    Guess(
        subject="HTTP status of a refusal",
        does="200, with the error in “code”.",
        reason="Most recorded refusals came with 200; some came with 4xx. Clients must read the code.",
    ),
    Guess(
        subject="Missing token",
        does="40104.",
        reason="The code's name is official (token empty); no body was recorded.",
    ),
    Guess(
        subject="Pixel code that the token may not use, or that nobody has",
        does="40001 with the wording recorded for a pixel without permission.",
        reason="Whether an unknown pixel is answered the same way is not known.",
    ),
    Guess(
        subject="More than 1,000 events, or none",
        does="40002 for the whole request.",
        reason="The limit is documented; the answer is not recorded.",
    ),
    Guess(
        subject="Body over 1 MB",
        does="HTTP 413 with 40002; the limit is a setting of the stand-in.",
        reason="No limit is documented. 1 MB is what a large integrator keeps to.",
    ),
    Guess(
        subject="E-mail or phone not hashed",
        does="40062 for the whole request; other keys that should be hashed only get a remark.",
        reason="The code's name is official (PII not hashed); no body was recorded.",
    ),
    Guess(
        subject="Text as a price",
        does="40000 “Invalid Price Field”.",
        reason="Recorded for app events; assumed to hold for web events.",
    ),
    Guess(
        subject="Number as a content_id",
        does="40002 “Batch.N…”, counted from zero.",
        reason="The form was seen on the older batch address; assumed to hold here.",
    ),
    Guess(
        subject="Other values of a wrong type, event names over 50 characters, web events without page.url",
        does="40002 in our own words, without the Batch.N form.",
        reason="The types and limits are documented; the answers are not recorded.",
    ),
    Guess(
        subject="Currency that is not in TikTok's list",
        does="Accepted with a remark; refused if the stand-in is set so.",
        reason="Not documented.",
    ),
    Guess(
        subject="Old or future event_time",
        does="Accepted; a remark beyond 28 days back or 10 minutes ahead.",
        reason="No official limit was found; 28 days is the longest click window.",
    ),
    Guess(
        subject="Older event names",
        does="Kept as they came: CompletePayment and Purchase are not merged.",
        reason="TikTok converts old names, but whether the two de-duplicate is unproven.",
    ),
    Guess(
        subject="Where the 48 hours begin",
        does="At the first arrival that was counted, whichever channel it came on; the ends are inside.",
        reason="“Within 48 hours of the first” is documented; a dropped late half in between is not.",
    ),
    Guess(
        subject="Test events",
        does="Kept apart: neither counted nor de-duplicated.",
        reason="Integrators say so; an official sentence was not found.",
    ),
    Guess(
        subject="Partial success (20001)",
        does="Only as a fault on demand: the named row is left out, the others are taken.",
        reason="The code exists; nobody has shown one for events.",
    ),
    Guess(
        subject="Browser event_id that is not text",
        does="Taken as no event_id, so it merges with nothing, with a remark.",
        reason="On the server a number is refused; the browser's side is not documented.",
    ),
    Guess(
        subject="Page views of the browser",
        does="Shown as “Pageview”, without event_id; on a route change only when the address changed.",
        reason="The name is the one TikTok's own templates use; the exact triggers are not documented.",
    ),
    Guess(
        subject="Consent held",
        does="Nothing is sent and no cookie is set until it is granted; a held event keeps the identity "
        "of the moment it happened.",
        reason="That events wait is documented; cookies and identity are not.",
    ),
    Guess(
        subject="Event sources other than web",
        does="Accepted by the general rules alone.",
        reason="The stand-in is made for web events.",
    ),
)
