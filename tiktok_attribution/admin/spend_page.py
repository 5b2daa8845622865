"""The form of the spend import: what was uploaded and chosen, and what the page shows of it.

The page keeps nothing on the server between preview and import: the file goes along in a hidden field, compressed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.conf import settings as django_settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.translation import gettext as _

from tiktok_attribution import conf
from tiktok_attribution.attribution.spend_columns import recognise
from tiktok_attribution.attribution.spend_preview import MOST_LISTED, Preview, currency_of, preview, row_cells
from tiktok_attribution.attribution.spend_row import Choices, SpendFile, labels, level_words, unread_columns
from tiktok_attribution.attribution.spend_table import MOST_BYTES, UnreadableSpend, read_table
from tiktok_attribution.events.money import currency_code
from tiktok_attribution.exceptions import InvalidEvent

SHOWN_ROWS = 20
COLUMN = "column-"
"""Prefix of the fields that choose a column."""
_BESIDE_FILE = 100_000
"""Bytes of a POST that are left for everything but the file."""


class InvalidUpload(ValueError):
    """A form that can't be read. The text says what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """What a person sent: the file, as it is and as the hidden field keeps it, its name, and the choices."""

    advertiser: str
    data: bytes
    packed: str
    file_name: str
    choices: Choices
    confirms: str
    """What the person had seen when pressing "Import"; "" for a preview."""


class ColumnChoice(NamedTuple):
    """A field and the heading that is chosen for it; `name` is that of the form's field."""

    name: str
    label: str
    chosen: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SpendPage:
    """What the page shows after an upload: a preview, or why the file can't be read; and columns to choose."""

    upload: Upload
    preview: Preview | None
    refusal: str
    columns: Sequence[ColumnChoice]
    headings: Sequence[str]

    @property
    def rows(self) -> list[dict[str, str]]:
        """Return the first rows."""
        found = self.preview
        return [row_cells(row, found.file.level) for row in found.file.rows[:SHOWN_ROWS]] if found else []

    @property
    def sums(self) -> str:
        return amounts(self.preview.file.sums) if self.preview else ""

    @property
    def replaces(self) -> str:
        return amounts(self.preview.replaces) if self.preview else ""

    @property
    def level(self) -> str:
        return level_words(self.preview.file.level) if self.preview else ""

    @property
    def not_taken(self) -> Sequence[Any]:
        return self.preview.file.not_taken[:MOST_LISTED] if self.preview else ()

    @property
    def more_not_taken(self) -> int:
        return max(len(self.preview.file.not_taken) - MOST_LISTED, 0) if self.preview else 0

    @property
    def unread(self) -> list[str]:
        return unread_columns(self.preview.file) if self.preview else []

    @property
    def seen(self) -> str:
        """Return a digest of what this preview shows. An import must name it, so that nothing else is imported."""
        return digest_of(self.upload.advertiser, self.preview.file) if self.preview else ""

    @property
    def may_import(self) -> bool:
        return self.preview is not None and self.preview.is_ready and self.preview.same is None

    @property
    def is_confirmed(self) -> bool:
        return self.may_import and self.upload.confirms == self.seen


def digest_of(advertiser: str, file: SpendFile) -> str:
    """Return a digest of what would be imported."""
    return hashlib.sha256(repr((advertiser, file.sha256, file.rows)).encode()).hexdigest()


def known_advertisers() -> list[str]:
    """Return the advertisers of MARKETING_API."""
    return list(conf.current().marketing_api)


def read_upload(request: HttpRequest) -> Upload:
    """Read the form. Raises InvalidUpload."""
    advertiser = request.POST.get("advertiser", "").strip()
    if not advertiser.isascii() or not advertiser.isdecimal() or len(advertiser) > 32:
        raise InvalidUpload(_("Enter the advertiser id: the number of about 19 digits that Ads Manager shows."))
    file: Any = request.FILES.get("file")
    data = _received(file) if isinstance(file, UploadedFile) else _unpacked(request.POST.get("packed", ""))
    if not data and file is None:
        raise InvalidUpload(_("Choose a file."))
    packed = base64.b64encode(zlib.compress(data)).decode("ascii")
    most = _most_packed()
    if most is not None and len(packed) > most:
        raise InvalidUpload(_("The file is too large for this page. Import it with manage.py tiktok_spend."))
    name = str(file.name) if isinstance(file, UploadedFile) else request.POST.get("file_name", "")
    return Upload(
        advertiser=advertiser,
        data=data,
        packed=packed,
        file_name="".join(one for one in name if one.isprintable())[-200:],
        choices=_choices(request, advertiser),
        confirms=request.POST.get("seen", "") if request.POST.get("confirmed") else "",
    )


def _received(file: Any) -> bytes:
    if file.size is None or file.size > MOST_BYTES:
        raise InvalidUpload(_("The file has more than %(most)d MB.") % {"most": MOST_BYTES // 1_000_000})
    data: bytes = file.read()
    return data


def _unpacked(packed: str) -> bytes:
    """Return the file of the hidden field. It may be anything, so its size is bounded before it is made."""
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(packed, validate=True), MOST_BYTES + 1)
    except (ValueError, binascii.Error, zlib.error):
        raise InvalidUpload(_("Choose the file again.")) from None
    return data


def _most_packed() -> int | None:
    limit: int | None = django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return None if limit is None else max(limit - _BESIDE_FILE, 0)


def _choices(request: HttpRequest, advertiser: str) -> Choices:
    currency = request.POST.get("currency", "").strip() or currency_of(advertiser)
    try:
        currency = currency_code(currency) if currency else ""
    except InvalidEvent:
        raise InvalidUpload(_("Enter the currency as three letters that TikTok knows, such as EUR.")) from None
    dates, decimal = request.POST.get("dates", ""), request.POST.get("decimal", "")
    return Choices(
        dates=dates if dates in ("dmy", "mdy") else "",
        decimal=decimal if decimal in (".", ",") else "",
        currency=currency,
        columns={name: request.POST[COLUMN + name] for name in labels() if COLUMN + name in request.POST},
    )


def spend_page(upload: Upload) -> SpendPage:
    """Return what to show of an upload. It changes nothing."""
    found, refusal = None, ""
    try:
        found = preview(upload.advertiser, upload.data, upload.choices)
        headings, chosen = found.file.headings, dict(found.file.columns)
    except UnreadableSpend as error:
        refusal = str(error)
        headings, chosen = _headings(upload)
    chosen |= {name: heading for name, heading in upload.choices.columns.items() if heading in headings or not heading}
    return SpendPage(
        upload=upload,
        preview=found,
        refusal=refusal,
        columns=[ColumnChoice(COLUMN + name, label, chosen.get(name, "")) for name, label in labels().items()],
        headings=list(dict.fromkeys(heading for heading in headings if heading)),
    )


def _headings(upload: Upload) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the headings of a file that can't be imported as it is, for a person to say which is which."""
    try:
        headings = read_table(upload.data).headings
    except UnreadableSpend:
        return (), {}
    return headings, {name: headings[place] for name, place in recognise(headings).items()}


def amounts(sums: Any) -> str:
    """Return sums by currency such as "12.50 EUR, 3.00 USD", in the format of the language."""
    return ", ".join(f"{number_format(amount, 2)} {currency}" for currency, amount in sums.items())
