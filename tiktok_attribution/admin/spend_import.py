"""The admin of spend: the list of imports, the page that imports a CSV after a preview, and the button that undoes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import router
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from tiktok_attribution.admin.base import ReadOnlyAdmin
from tiktok_attribution.admin.formatting import Tone, badge
from tiktok_attribution.admin.spend_page import (
    InvalidUpload,
    SpendPage,
    amounts,
    known_advertisers,
    read_upload,
    spend_page,
)
from tiktok_attribution.attribution import spend
from tiktok_attribution.models import AdSpend, SpendImport


@admin.register(SpendImport)
class SpendImportAdmin(ReadOnlyAdmin):
    """To import and to undo needs the permission `import_spend` beside the one to view."""

    fields = ("advertiser",)
    list_display = ("number", "created_at", "advertiser", "level", "period", "spent", "rows", "came_by", "state")
    ordering = ("-pk",)

    @admin.display(description=gettext_lazy("import"))
    def number(self, made: SpendImport) -> str:
        return str(made.pk)

    @admin.display(description=gettext_lazy("days"))
    def period(self, made: SpendImport) -> str:
        first, last = (date_format(day, "SHORT_DATE_FORMAT") for day in (made.first_day, made.last_day))
        return first if first == last else f"{first} – {last}"

    @admin.display(description=gettext_lazy("spend"))
    def spent(self, made: SpendImport) -> str:
        return amounts(_sums(made))

    @admin.display(description=gettext_lazy("source"))
    def came_by(self, made: SpendImport) -> str:
        return made.file_name or (_("a file") if made.source == spend.CSV else _("TikTok's API"))

    @admin.display(description=gettext_lazy("state"))
    def state(self, made: SpendImport) -> SafeString:
        return badge(_("undone"), Tone.QUIET) if made.undone_at else badge(_("imported"), Tone.GOOD)

    def has_import_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("tiktok_attribution.import_spend")

    def get_urls(self) -> list[URLPattern]:
        upload = require_http_methods(["GET", "POST"])(self.admin_site.admin_view(self._import))
        undo = require_POST(self.admin_site.admin_view(self._undo))
        return [
            path("import/", upload, name="tiktok_attribution_spend_import"),
            path("<int:pk>/undo/", undo, name="tiktok_attribution_spend_undo"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        more = {"may_import": self.has_import_permission(request)}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        made: SpendImport = kwargs["obj"]
        counting = AdSpend.objects.filter(spend_import=made, is_current=True).count()
        context |= {
            "badge": self.state(made),
            "period": self.period(made),
            "spent": self.spent(made),
            "came_by": self.came_by(made),
            "who": _who(made),
            "counting": counting,
            "tone": "quiet" if made.undone_at else "good",
            "may_undo": made.undone_at is None and self.has_import_permission(request),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    # Import -----------------------------------------------------------------------------------------------------------

    def _import(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request) or not self.has_import_permission(request):
            raise PermissionDenied
        page = None
        if request.method == "POST":
            try:
                page = spend_page(read_upload(request))
            except InvalidUpload as error:
                self.message_user(request, str(error), messages.ERROR)
            else:
                if page.is_confirmed:
                    return self._imported(request, page)
        context = {
            **self.admin_site.each_context(request),
            "title": _("TikTok: import spend"),
            "opts": self.opts,
            "media": self.media,
            "page": page,
            "advertisers": known_advertisers(),
            "advertiser": request.POST.get("advertiser", "")[:40],
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/tiktok_attribution/spendimport/import.html", context)

    def _imported(self, request: HttpRequest, page: SpendPage) -> HttpResponse:
        upload, found = page.upload, page.preview
        assert found is not None  # noqa: S101 -- `may_import` says so
        made = spend.import_rows(
            upload.advertiser,
            found.file.level,
            found.file.rows,
            origin=spend.Origin(
                source=spend.CSV,
                user_label=f"{_USER}{request.user.pk}",
                file_name=upload.file_name,
                file_hash=found.file.sha256,
            ),
        )
        self.log_by_hand(request, SpendImport.objects.filter(pk=made.pk), _("Imported by a person."))
        text = _("Imported: %(sums)s. If it was wrong, open the import and undo it.")
        self.message_user(request, text % {"sums": page.sums}, messages.SUCCESS)
        return self._to_list()

    def _undo(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_view_permission(request) or not self.has_import_permission(request):
            raise PermissionDenied
        using = router.db_for_write(SpendImport)
        if not SpendImport.objects.using(using).filter(pk=pk).exists():
            raise Http404
        try:
            spend.undo(pk, using=using)
        except spend.CannotUndo as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.log_by_hand(request, SpendImport.objects.using(using).filter(pk=pk), _("Undone by a person."))
            text = _("Import %(number)d is undone. What it had replaced counts again.")
            self.message_user(request, text % {"number": pk}, messages.SUCCESS)
        return self._to_list()

    def _to_list(self) -> HttpResponse:
        route = "admin:tiktok_attribution_spendimport_changelist"
        return HttpResponseRedirect(reverse(route, current_app=self.admin_site.name))


_USER = "user "


def _who(made: SpendImport) -> str:
    """Return who imported. A user's name is not stored, because it may be an e-mail address: only the key is."""
    if not made.user_label.startswith(_USER):
        return made.user_label
    try:
        user = get_user_model()._default_manager.filter(pk=made.user_label.removeprefix(_USER)).first()
    except (ValueError, TypeError, ValidationError):
        user = None
    return user.get_username() if user else ""


def _sums(made: SpendImport) -> Mapping[str, Decimal]:
    return {currency: Decimal(amount) for currency, amount in json.loads(made.sums).items()}
