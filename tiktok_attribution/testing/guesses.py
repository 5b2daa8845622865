"""What the stand-in does where nothing is documented or recorded. The stand-in's page shows this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """`subject` is the case, `does` what the stand-in does, and `reason` why, and what is known for sure."""

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
        reason="No limit is documented. A large integrator uses 1 MB.",
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
        does="Accepted with a remark; refused if the stand-in is configured so.",
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
        reason="TikTok converts old names, but whether it de-duplicates the two is not proven.",
    ),
    Guess(
        subject="When the 48 hours begin",
        does="At the first arrival that was counted, whichever channel it came on; both ends are included.",
        reason="“Within 48 hours of the first” is documented. A late second channel that is ignored is not.",
    ),
    Guess(
        subject="Test events",
        does="Kept apart: neither counted nor de-duplicated.",
        reason="Integrators say so; an official sentence was not found.",
    ),
    Guess(
        subject="Partial success (20001)",
        does="Only as a fault on demand: the named row is left out, the others are taken.",
        reason="The code exists; no example for events is known.",
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
        subject="holdConsent",
        does="Nothing is sent and no cookie is set until consent is granted; a waiting event keeps the identity "
        "of the moment it happened.",
        reason="That events wait is documented; cookies and identity are not.",
    ),
    Guess(
        subject="Event sources other than web",
        does="Accepted by the general rules only.",
        reason="The stand-in is made for web events.",
    ),
    Guess(
        subject="Marketing API: refusals of a report",
        does="40002 in our own words: more than 30 days with stat_time_day, page_size over 1,000, an unknown metric, "
        "dimensions that don't fit the data_level.",
        reason="The limits are documented; the answers are not recorded.",
    ),
    Guess(
        subject="Marketing API: token that may not read an account, or that nobody has",
        does="40001 and 40105; an empty one 40104; a used authorization code 40110.",
        reason="The codes' names are official; no body was recorded.",
    ),
    Guess(
        subject="Marketing API: ids and names of what is above an ad",
        does="They can be asked for as metrics (campaign_id, adgroup_id …).",
        reason="Connectors do so; TikTok's own page could not be read.",
    ),
    Guess(
        subject="Marketing API: counts of events",
        does="A list with pixel_id, event_type, total_count and attributed_count for each event.",
        reason="The counts are described by third parties; the form of the answer is not recorded.",
    ),
    Guess(
        subject="Marketing API: order of a report's rows",
        does="By day, then by id.",
        reason="Not documented.",
    ),
)
