"""Know the columns of a spend file by their headings, in English, German, Spanish and Japanese.

`recognise` maps headings to this app's fields. TikTok documents no names of the columns of an Ads Manager export, so
these are the names of its pages and of its Reporting API; a person maps what is left.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from django.utils.translation import gettext_lazy as _

IDS = {"campaign": "campaign_id", "adgroup": "adgroup_id", "ad": "ad_id"}
NAMES = {"campaign": "campaign_name", "adgroup": "adgroup_name", "ad": "ad_name"}
LEVELS = ("campaign", "adgroup", "ad")
"""From the coarsest to the finest."""
WHOLE_NUMBERS = ("impressions", "clicks")

FIGURES = (
    *("complete_payment", "total_complete_payment_rate", "complete_payment_roas", "form", "user_registration"),
    *("web_event_add_to_cart", "initiate_checkout", "on_web_subscribe", "total_landing_page_view", "conversion"),
    *("real_time_conversion", "cta_conversion", "vta_conversion", "engaged_view_through_conversions"),
)
"""TikTok's own metrics that are kept beside the spend, by the names of its Reporting API. Its value of the purchases is
`total_complete_payment_rate`, in spite of that name. `purchase` is of apps and `onsite_…` of TikTok Shop."""

LABELS = {
    "day": _("Day"),
    "spend": _("Cost"),
    "currency": _("Currency"),
    "campaign_id": _("Campaign ID"),
    "campaign_name": _("Campaign name"),
    "adgroup_id": _("Ad group ID"),
    "adgroup_name": _("Ad group name"),
    "ad_id": _("Ad ID"),
    "ad_name": _("Ad name"),
    "impressions": _("Impressions"),
    "clicks": _("Clicks"),
}
"""What a person may map, with its name."""
FIELDS = (*LABELS, *FIGURES)

# By field, in the order of preference: if a file has two of them, the first counts ("Clicks (destination)" is what the
# Reporting API calls `clicks`).
_SYNONYMS: Mapping[str, Sequence[str]] = {
    "day": (
        *("stat_time_day", "by day", "day", "date", "reporting date", "report date", "date (by day)"),
        *("nach tag", "tag", "datum", "por día", "día", "fecha", "日別", "日付", "日"),
    ),
    "spend": (
        *("cost", "spend", "amount spent", "total cost", "ad spend", "ad cost", "cost (total)"),
        *("kosten", "gesamtkosten", "ausgaben", "ausgegebener betrag"),
        *("coste", "costo", "gasto", "coste total", "costo total", "importe gastado", "inversión"),
        *("消化金額", "費用", "コスト", "合計費用", "広告費", "ご利用金額"),
    ),
    "currency": ("currency", "currency code", "währung", "moneda", "divisa", "通貨"),
    "campaign_id": (
        *("campaign id", "kampagnen-id", "kampagne-id", "id de la campaña", "id de campaña"),
        *("キャンペーンid", "キャンペーン id"),
    ),
    "campaign_name": (
        *("campaign name", "campaign", "kampagnenname", "name der kampagne", "kampagne"),
        *("nombre de la campaña", "nombre de campaña", "campaña", "キャンペーン名", "キャンペーン"),
    ),
    "adgroup_id": (
        *("ad group id", "adgroup id", "anzeigengruppen-id", "id der anzeigengruppe"),
        *("id del grupo de anuncios", "id de grupo de anuncios", "広告グループid", "広告グループ id"),
    ),
    "adgroup_name": (
        *("ad group name", "adgroup name", "ad group", "adgroup", "anzeigengruppenname", "name der anzeigengruppe"),
        *("anzeigengruppe", "nombre del grupo de anuncios", "nombre de grupo de anuncios", "grupo de anuncios"),
        *("広告グループ名", "広告グループ"),
    ),
    "ad_id": ("ad id", "anzeigen-id", "id der anzeige", "id del anuncio", "id de anuncio", "広告id", "広告 id"),
    "ad_name": (
        *("ad name", "ad", "anzeigenname", "name der anzeige", "anzeige"),
        *("nombre del anuncio", "nombre de anuncio", "anuncio", "広告名", "広告"),
    ),
    "impressions": (
        *("impressions", "impression", "impressionen", "impresiones"),
        *("インプレッション数", "インプレッション", "表示回数"),
    ),
    "clicks": (
        *("clicks (destination)", "destination clicks", "clicks", "click", "link clicks", "clicks (all)"),
        *("klicks (ziel)", "klicks (zielseite)", "klicks", "klicks (alle)"),
        *("clics (destino)", "clics", "clics (todos)"),
        *("クリック数(遷移先)", "クリック数(リンク先)", "クリック数", "クリック", "クリック数(すべて)"),
    ),
    "conversion": ("conversion", "conversions", "konversionen", "conversiones", "コンバージョン数", "コンバージョン"),
    "real_time_conversion": ("real_time_conversion", "real-time conversions", "real time conversions"),
    "complete_payment": ("complete_payment", "complete payment", "total complete payment", "complete payments"),
    "total_complete_payment_rate": (
        *("total_complete_payment_rate", "complete payment value", "total complete payment value"),
        *("value of complete payment",),
    ),
    "complete_payment_roas": ("complete_payment_roas", "complete payment roas"),
}

TOTALS = ("total", "totals", "grand total", "gesamt", "insgesamt", "summe", "totales", "合計", "総計")
_TOTAL = re.compile(rf"(?:{'|'.join(TOTALS)})\b|(?:合計|総計)")


def normal(heading: str) -> str:
    """Return a heading in the form that is compared: NFKC, no case, "_" and "-" as spaces, no double spaces."""
    text = unicodedata.normalize("NFKC", heading).casefold().replace("\ufeff", "").strip(" \t\"'")
    return re.sub(r"[\s_-]+", " ", text).strip()


_KNOWN = {
    normal(synonym): (field, rank)
    for field in FIELDS
    for rank, synonym in enumerate((field, *_SYNONYMS.get(field, ())))
}


def recognise(headings: Sequence[str]) -> dict[str, int]:
    """Return the place of the column of each field that is recognised.

    Of two columns for one field, the one with the preferred name counts. `repeated` finds columns of one name.
    """
    found: dict[str, tuple[int, int]] = {}
    for place, heading in enumerate(headings):
        field, rank = _KNOWN.get(_without_unit(normal(heading)), ("", 0))
        if field and (field not in found or rank < found[field][0]):
            found[field] = rank, place
    return {field: place for field, (_rank, place) in found.items()}


def repeated(headings: Sequence[str], place: int) -> bool:
    """Return whether another column has the same heading as the one at this place."""
    same = normal(headings[place])
    return sum(normal(heading) == same for heading in headings) > 1


def _without_unit(heading: str) -> str:
    """Return "cost" for "cost (eur)" and "cost (€)"."""
    return heading if heading in _KNOWN else re.sub(r" ?\((?:[a-z]{3}|[$€£¥])\)$", "", heading)


def is_total(text: str) -> bool:
    """Return whether a cell says "Total", "Total of 12 results", "Gesamt", "合計" …"""
    return _TOTAL.match(normal(text)) is not None
