from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from tiktok_attribution.admin.mixins import TikTokEvents

from .models import Order, OrderLine, Product

admin.site.site_header = "Tarnleaf"
admin.site.site_title = "Tarnleaf"
admin.site.index_title = "Back office"


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ("thumbnail", "title", "sku", "category", "price")
    list_display_links = ("thumbnail", "title")
    list_filter = ("category",)
    search_fields = ("title", "sku")

    @admin.display(description="")
    def thumbnail(self, product: Product) -> SafeString:
        return format_html('<img src="{}" alt="" width="48" height="48">', static(product.picture))


class OrderLineInline(admin.TabularInline):
    model = OrderLine
    extra = 0
    raw_id_fields = ("product",)


@admin.register(Order)
class OrderAdmin(TikTokEvents, admin.ModelAdmin):
    list_display = ("id", "status", "name", "email", "total", "refunded", "currency", "created_at", "paid_at")
    list_filter = ("status", "created_at")
    search_fields = ("id", "token", "email", "name", "code", "lines__sku")
    readonly_fields = ("token", "created_at")
    raw_id_fields = ("customer",)
    inlines = (OrderLineInline,)


admin.site.unregister(User)


@admin.register(User)
class MemberAdmin(TikTokEvents, UserAdmin):
    """Django's own, and whether TikTok knows of the registration."""
