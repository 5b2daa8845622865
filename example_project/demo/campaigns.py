"""What the ads of the demonstration bring: three campaigns, the visitors that they lead to the shop, and the report.

`play` sends the visitors through. `EXPECTED` are the figures that the attribution report has to show afterwards, worked
out by hand from the prices in shop/catalogue.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import StringIO
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from django.core.management import call_command

from demo.processes import Stage
from demo.scripted_visitor import ScriptedVisitor

ADVERTISER, ADVERTISER_ZONE = "7001234567890123456", ZoneInfo("Europe/Berlin")


@dataclass(frozen=True)
class Campaign:
    """A campaign with one ad, and what TikTok tells of a day of it."""

    campaign_id: str
    name: str
    spend: str
    impressions: int
    clicks: int
    purchases: int  # as TikTok counts them: of clicks, and of views
    purchase_value: str

    @property
    def ids(self) -> tuple[str, str]:
        """Those of its ad group and its ad."""
        return f"{int(self.campaign_id) + 1000}", f"{int(self.campaign_id) + 2000}"

    def landing(self, click_id: str) -> dict[str, str]:
        """The parameters of the landing page: those of the link builder as TikTok fills them in, and the click's id."""
        adgroup_id, ad_id = self.ids
        filled = {
            "__CAMPAIGN_NAME__": self.name,
            "__CAMPAIGN_ID__": self.campaign_id,
            "__CID_NAME__": f"{self.name}, film 1",
            "__AID__": adgroup_id,
            "__CID__": ad_id,
            "__PLACEMENT__": "TikTok",
        }
        printed = StringIO()
        call_command("tiktok_link", "https://tarnleaf.example/", stdout=printed, stderr=StringIO())
        query = urlsplit(printed.getvalue().split()[0]).query
        return {name: filled.get(value, value) for name, value in parse_qsl(query)} | {"ttclid": click_id}


SPRING = Campaign("1801000000000000011", "Spring teapots", "40.00", 5200, 160, 3, "259.00")
EVENING = Campaign("1801000000000000012", "Evening tea", "42.00", 6100, 140, 1, "29.40")
MATCHA = Campaign("1801000000000000013", "Matcha at home", "18.00", 2300, 75, 1, "38.00")
CAMPAIGNS = (SPRING, EVENING, MATCHA)

# Ada: a teapot for 89.00 and two teas for 14.50 from the first, then three for 9.80 from the second, as a returning
# customer. Ben: two mugs for 26.00 from the first, of which he gets 12.00 back. Cleo: a bowl for 38.00 from the third.
# Dora comes from a post that is no ad and buys for 18.40, Emil by himself for 22.00. Fay comes from the third campaign,
# refuses and buys for 11.90: that is nobody's business.
EXPECTED: Mapping[str, Any] = {
    "campaigns": {
        #                  conversions, value, refunded, spend, ROAS, CPA, new customers, CAC
        "Spring teapots": ("2", "158.00", "12.00", "40.00", "3.9500", "20.00", "2", "20.00"),
        "Evening tea": ("1", "29.40", "0.00", "42.00", "0.7000", "42.00", "0", None),
        "Matcha at home": ("1", "38.00", "0.00", "18.00", "2.1111", "18.00", "1", "18.00"),
    },
    "ads": ("4", "225.40", "12.00", "100.00", "2.2540", "25.00", "3", "33.33"),
    "blended_roas": "2.6580",  # 225.40, 18.40 and 22.00 by 100.00
    "conversions": {"ads": "4", "organic": "0", "other": "0", "without": "2"},
    "landings": 4,
    "refused": 1,
}
CODE = "CLEO-TEA"
BROUGHT = [
    {"name": name, "code": code, "touches": touches}
    for name, code, touches in (
        ("Ada Visitor", "", ["Spring teapots"]),
        ("Ada Visitor", "", ["Spring teapots", "Evening tea"]),
        ("Ben Visitor", "", ["Spring teapots"]),
        ("Cleo Visitor", CODE, ["Matcha at home"]),
        ("Dora Visitor", "", ["organic"]),
        ("Emil Visitor", "", []),
    )
]
"""What `manage.py brought` prints: whose order had which code, and which landings came before it."""
FIGURES = ("conversions", "value", "refunded", "spend", "roas", "cpa", "new_customers", "cac")


def today() -> date:
    """The day of the advertiser that it is now."""
    return datetime.now(ADVERTISER_ZONE).date()


def play(stage: Stage) -> None:
    """Send the visitors through; all of them have seen their receipts at the end."""

    def visitor(name: str) -> ScriptedVisitor:
        return ScriptedVisitor(stage.site, stage.standin, name, f"81.2.69.{142 + ord(name[0]) - ord('A')}")

    ada, ben, cleo, dora, emil, fay = map(visitor, ("Ada", "Ben", "Cleo", "Dora", "Emil", "Fay"))
    ada.whole_path(**SPRING.landing("E.C.P.demo-ada-1"))
    ada.get("/products/meadow-chamomile/", **EVENING.landing("E.C.P.demo-ada-2"))
    _order(ada, "meadow-chamomile", 3)
    ben.get("/products/speckled-mug/", **SPRING.landing("E.C.P.demo-ben"))
    ben.agree()
    token = _order(ben, "speckled-mug", 2)
    cleo.get("/products/tenmoku-bowl/", **MATCHA.landing("E.C.P.demo-cleo"))
    cleo.agree()
    _order(cleo, "tenmoku-bowl", 1, code=CODE)
    dora.get("/products/bamboo-whisk/", came_from="https://www.tiktok.com/", utm_source="tiktok")
    dora.agree()
    _order(dora, "bamboo-whisk", 1)
    emil.get("/products/three-minute-timer/")
    emil.agree()
    _order(emil, "three-minute-timer", 1)
    fay.get("/products/harbour-assam/", **MATCHA.landing("E.C.P.demo-fay"))
    fay.refuse()
    _order(fay, "harbour-assam", 1)
    for one in (ada, ben, cleo, dora, emil, fay):
        one.see_receipt()
    stage.manage("refund", token, "12.00")


def _order(visitor: ScriptedVisitor, sku: str, quantity: int, code: str = "") -> str:
    visitor.post(f"/cart/add/{sku}/", quantity=str(quantity))
    return visitor.order(code)


def import_spend(stage: Stage, day: date) -> None:
    """Import what the ads cost on this day, as TikTok Ads Manager exports it. The same file counts once."""
    lines = [
        "By Day,Campaign ID,Campaign name,Cost,Currency,Impressions,Clicks (destination),Complete payment,"
        "Complete payment value"
    ]
    lines += [
        f"{day},{one.campaign_id},{one.name},{one.spend},EUR,{one.impressions},{one.clicks},{one.purchases},"
        f"{one.purchase_value}"
        for one in CAMPAIGNS
    ]
    path = stage.var / f"spend-{day}.csv"
    path.write_text("\n".join(lines) + "\n")
    stage.manage("tiktok_spend", str(path), "--yes")


def figures(stage: Stage, day: date) -> dict[str, Any]:
    """What the report says of the purchases since this day, in the shape of `EXPECTED`."""
    # The next day belongs to it: midnight may come while the visitors are on their way.
    period = ("--from", str(day), "--to", str(day + timedelta(days=1)))
    found = json.loads(stage.manage("tiktok_report", "--event", "Purchase", *period, "--json"))
    same = {name: found[name] for name in ("blended_roas", "conversions", "landings", "refused")}
    campaigns = {row["name"]: _of_row(row) for row in found["rows"]}
    return {"campaigns": campaigns, "ads": _of_row(found["ads"]), **same}


def _of_row(row: Mapping[str, Any]) -> tuple[str | None, ...]:
    def one(name: str) -> str | None:
        found = row[name]
        return found.get("EUR", "0.00") if isinstance(found, dict) else found

    return tuple(one(name) for name in FIGURES)


def table(found: Mapping[str, Any]) -> str:
    """The figures as lines, each that is not as expected with what it should be."""
    lines = [f"{'campaign':<18}{_cells(FIGURES)}"]
    rows = {**found["campaigns"], "TikTok's ads": found["ads"]}
    wanted = {**EXPECTED["campaigns"], "TikTok's ads": EXPECTED["ads"]}
    for name in {**wanted, **rows}:
        row = rows.get(name, ())
        line = f"{name or '(unknown)':<18}{_cells(row)}"
        lines.append(line + ("" if row == wanted.get(name) else f"  <-- not {wanted.get(name)}"))
    for name in ("blended_roas", "conversions", "landings", "refused"):
        mark = "" if found[name] == EXPECTED[name] else f"  <-- not {EXPECTED[name]}"
        lines.append(f"{name}: {found[name]}{mark}")
    return "\n".join(lines)


def _cells(cells: Iterable[str | None]) -> str:
    return "".join(f"{'-' if cell is None else cell:>15}" for cell in cells)
