"""Check what landings say of the ads' links: whether clicks can be given back to a campaign.

`landing_results` reads the daily counts of landings alone, for the overview. `link_results` also looks at the newest
touches and at spend.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from django.db import router
from django.db.models import Sum
from django.utils.translation import gettext as _

from tiktok_attribution import conf
from tiktok_attribution.attribution.spend import effective_spend
from tiktok_attribution.doctor.result import CheckResult, Level
from tiktok_attribution.models import LandingCount, Touch, Traffic, moment
from tiktok_attribution.touches.counting import MACROS, OVER_LIMIT, STORED

DAYS = 7
NEWEST = 2000
"""Touches that are looked at, so that a busy site's doctor stays quick."""
FEW = 20
"""Our choice: with fewer landings or clicks a share says nothing."""
MOST_NAMED = 5
LANDED_SHARE = 0.3
"""Our choice: of 100 clicks on ads that TikTok counts, 30 and more usually load the page and agree."""


def landing_results() -> Iterator[CheckResult]:
    """Yield what the counts of the last week say: unfilled macros, and landings over the limits."""
    if not conf.current().attribution.enabled:
        return
    counts = _counts()
    if counts[MACROS]:
        yield CheckResult(
            id="landings-macros",
            level=Level.WARNING,
            what=_("%(count)d landings of the last 7 days came with unfilled macros (__CAMPAIGN_ID__ and the like).")
            % {"count": counts[MACROS]},
            reason=_("TikTok fills its macros only in the address of an ad. These landings have no campaign."),
            fix=_("Look at the addresses of your ads, and at links that were copied from them into other channels."),
        )
    if counts[OVER_LIMIT]:
        yield CheckResult(
            id="landings-limit",
            level=Level.WARNING,
            what=_("%(count)d landings of the last 7 days were over a limit and are not stored.")
            % {"count": counts[OVER_LIMIT]},
            reason=_("Either a robot sends invented click ids, or many visitors share one address of a proxy."),
            fix=_(
                'Behind a proxy, name it in TRUSTED_PROXIES. Else ATTRIBUTION["landings_per_minute"] is for one '
                'IP address, ["landings_per_day"] for all.'
            ),
        )


def link_results(*, now: float | None = None) -> Iterator[CheckResult]:
    """Yield what links lack: a campaign, a click id, landings of a campaign that costs money, landings at all."""
    if not conf.current().attribution.enabled:
        return
    yield from landing_results()
    now = time.time() if now is None else now
    using = router.db_for_read(Touch)
    rows = Touch.objects.using(using).filter(traffic=Traffic.PAID, at__gte=now - DAYS * 86_400).order_by("-at", "-pk")
    columns = ("click_digest", "campaign_id", "campaign_name")
    touches = list(rows.values_list(*columns)[:NEWEST])
    yield from _of_touches(touches)
    yield from _of_spend({one for _, *names in touches for one in names if one}, len(touches), now)


def _counts() -> Counter[str]:
    """Return the landings of the last week by outcome."""
    since = moment(time.time()).date() - timedelta(days=DAYS)
    rows = LandingCount.objects.using(router.db_for_read(LandingCount)).filter(day__gt=since)
    return Counter(dict(rows.values_list("outcome").annotate(total=Sum("count"))))


def _of_touches(touches: list[tuple[int | None, str, str]]) -> Iterator[CheckResult]:
    nameless = sum(click is not None and not (pk or name) for click, pk, name in touches)
    clickless = sum(click is None for click, _pk, _name in touches)
    if nameless:
        yield CheckResult(
            id="landings-without-campaign",
            level=Level.WARNING,
            what=_("%(count)d of the newest %(all)d landings from ads say no campaign.")
            % {"count": nameless, "all": len(touches)},
            reason=_("They have TikTok's click id alone. The report shows them under no campaign."),
            fix=_("Enter the addresses of your ads as the page Attribution writes them: Tag a link."),
        )
    if clickless and clickless >= len(touches) / 2 and len(touches) >= FEW:
        yield CheckResult(
            id="landings-without-click",
            level=Level.WARNING,
            what=_("%(count)d of the newest %(all)d landings from ads have no click id (ttclid).")
            % {"count": clickless, "all": len(touches)},
            reason=_("A redirect or a link shortener drops it. TikTok gives fewer conversions back to your ads then."),
            fix=_("Keep the whole query of the address in every redirect between the ad and the page."),
        )
    if touches and not nameless and not clickless:
        yield CheckResult(
            id="landings", level=Level.OK, what=_("The newest landings from ads have a click id and a campaign.")
        )


def _of_spend(known: set[str], landings: int, now: float) -> Iterator[CheckResult]:
    last = moment(now).date()
    rows = effective_spend(last - timedelta(days=DAYS), last)
    spent = rows.filter(spend__gt=0).order_by().values_list("campaign_id", "campaign_name").distinct()
    silent = sorted({name or pk for pk, name in spent if not {pk, name} & known})
    if silent:
        named = ", ".join(silent[:MOST_NAMED])
        yield CheckResult(
            id="campaigns-without-landings",
            level=Level.WARNING,
            what=_("%(count)d campaigns cost money in the last 7 days, and no landing names them: %(names)s.")
            % {"count": len(silent), "names": named if len(silent) <= MOST_NAMED else f"{named} …"},
            reason=_("Their links are not tagged, or they lead to another site. The report shows their cost alone."),
            fix=_("Tag the links: Attribution, then Tag a link. Campaigns of an app have no landings here."),
        )
    clicks = rows.aggregate(total=Sum("clicks"))["total"] or 0
    stored = _counts()[STORED]
    if clicks >= FEW and max(stored, landings) < LANDED_SHARE * clicks:
        yield CheckResult(
            id="clicks-not-landed",
            level=Level.WARNING,
            what=_("TikTok counts %(clicks)d clicks in the last 7 days, and %(landings)d landings were stored.")
            % {"clicks": clicks, "landings": max(stored, landings)},
            reason=_(
                "Some visitors leave before the page is there, and some don't agree. A slow page, an untagged link, a "
                "page from a shared cache without this app's script lose more."
            ),
            fix=_("Open an ad's address with ?ttclid=test in a private window, agree, and look under Attribution."),
        )
