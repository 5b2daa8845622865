"""What an event may do: its object's own word and its visitor's answer, put together."""

from __future__ import annotations

from tiktok_attribution import conf
from tiktok_attribution.consent.decision import Consent, Decision, Reason, denied


def permitted(declared: Consent, visitor: Decision | None) -> Decision:
    """`declared` is what the site knows of the object's person; `visitor` is None where nobody was there.

    A refusal from either side holds. Of a visitor with the reason NO_VISITOR only the flag for limited use counts (see
    `refusal_of`). Where a site asks for consent and nobody is known who could give it, the event is not held: no answer
    would ever reach it.
    """
    limited = visitor is not None and visitor.limited_data_use
    if visitor is not None and visitor.reason is Reason.NO_VISITOR:
        visitor = None
    if visitor is not None and visitor.is_denied:
        return visitor
    if declared is Consent.DENIED:
        return denied(Reason.DENIED)
    if declared is Consent.GRANTED:
        return Decision(consent=Consent.GRANTED, limited_data_use=limited)
    if visitor is not None:
        return visitor
    if conf.current().asks:
        return denied(Reason.NO_VISITOR)
    return Decision(consent=Consent.GRANTED, limited_data_use=limited)
