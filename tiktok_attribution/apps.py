"""Connect the app to a project when Django starts: declarations, signal receivers and background work."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig, apps
from django.core.signals import setting_changed
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class TikTokAttributionConfig(AppConfig):
    """Load each app's `tiktok.py`, as the admin loads `admin.py`, and listen to the declared models."""

    name = "tiktok_attribution"
    verbose_name = _("TikTok attribution")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Imported here because these modules import models, which can be imported only once every app is loaded.
        from tiktok_attribution import checks  # noqa: F401, PLC0415
        from tiktok_attribution.attribution import spend_fetch, touch_changes, work  # noqa: PLC0415
        from tiktok_attribution.conversions import backfill, finishing, receivers  # noqa: PLC0415
        from tiktok_attribution.delivery import turns  # noqa: PLC0415
        from tiktok_attribution.touches import withdrawal  # noqa: PLC0415

        autodiscover_modules("tiktok")
        receivers.connect()
        turns.register_chore(turns.FINISH, finishing.finish_everywhere)
        turns.register_chore(turns.BACKFILL, backfill.backfill_recent, is_due=backfill.is_due)
        turns.register_chore(turns.ATTRIBUTION, work.work, is_due=work.is_due)
        turns.register_chore(turns.SPEND, spend_fetch.fetch_waiting, is_due=spend_fetch.is_due)
        withdrawal.also_forget[:] = [touch_changes.forget_browsers]
        if apps.is_installed("django.contrib.auth"):
            from django.contrib.auth.signals import user_logged_in  # noqa: PLC0415

            from tiktok_attribution.attribution import sign_in  # noqa: PLC0415
            from tiktok_attribution.privacy import erasure  # noqa: PLC0415

            erasure.connect()
            user_logged_in.connect(sign_in.signed_in, dispatch_uid="tiktok_attribution.signed_in")

        def reconnect(*, setting: str, **kwargs: Any) -> None:
            if setting == "TIKTOK_ATTRIBUTION":
                receivers.connect()

        setting_changed.connect(reconnect, dispatch_uid="tiktok_attribution.reconnect", weak=False)
