"""Two admin sites of a shop's own that carry the mixin: one has the app's pages beside it, the other has not."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.urls import path

from tests.shop.models import Member, Order
from tiktok_attribution.admin.events import OutboxEventAdmin
from tiktok_attribution.admin.mixins import TikTokColumn, TikTokEvents, TikTokSection
from tiktok_attribution.models import OutboxEvent


class SiteUserAdmin(TikTokEvents, UserAdmin):
    """Django's own admin of users, with forms, fieldsets and an add page of its own."""


class OrderAdmin(TikTokEvents, admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("id", "status")
    list_editable = ("status",)

    class Media:
        css = {"all": ("shop/own.css",)}


class ColumnAdmin(TikTokColumn, admin.ModelAdmin):  # type: ignore[type-arg]
    pass


class SectionAdmin(TikTokSection, admin.ModelAdmin):  # type: ignore[type-arg]
    fieldsets = (("Person", {"fields": ("email",)}),)


office = admin.AdminSite(name="office")
office.register(User, SiteUserAdmin)
office.register(Order, OrderAdmin)
office.register(Member, SectionAdmin)
office.register(OutboxEvent, OutboxEventAdmin)

kiosk = admin.AdminSite(name="kiosk")
kiosk.register(User, ColumnAdmin)

urlpatterns = [path("office/", office.urls), path("kiosk/", kiosk.urls)]
