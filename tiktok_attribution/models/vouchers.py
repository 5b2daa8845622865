"""Models of voucher codes: whose a code is, and what the conversions of a day with it came to."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.attribution import MOST_OF_UTM
from tiktok_attribution.models.fields import ExactCharField

MOST_OF_CODE = 100


def folded_code(code: str) -> str:
    """Return a code without regard to case and surrounding blanks: "Anna10" and "ANNA10 " are one code."""
    return code.strip().casefold()[:MOST_OF_CODE]


class VoucherCode(models.Model):
    """A code that a creator gives to viewers, or that belongs to a campaign. People enter it in the admin."""

    code = models.CharField(
        _("code"), max_length=MOST_OF_CODE, help_text=_("As customers enter it. Capitals make no difference.")
    )
    folded = ExactCharField(max_length=MOST_OF_CODE, unique=True, editable=False)
    creator = models.CharField(_("creator"), max_length=150, blank=True)
    campaign_name = models.CharField(_("campaign"), max_length=MOST_OF_UTM, blank=True)
    campaign_id = models.CharField(_("campaign id"), max_length=32, blank=True)

    class Meta:
        verbose_name = _("voucher code")
        verbose_name_plural = _("voucher codes")

    def __str__(self) -> str:
        return self.code

    def save(self, **options: Any) -> None:
        self.folded = folded_code(self.code)
        super().save(**options)

    def clean(self) -> None:
        self.folded = folded_code(self.code)
        if not self.folded:
            return  # the field itself says that it is required
        if type(self)._default_manager.filter(folded=self.folded).exclude(pk=self.pk).exists():
            raise ValidationError({"code": _("This code is in the list already. Capitals make no difference.")})


class DailyCode(models.Model):
    """Conversions of a day with a listed voucher code. Clicks play no part in it, so it is never added to credits.

    Codes that are not in the list are not stored: a shop may give each customer a code of their own.
    """

    day = models.DateField()
    shop = ExactCharField(max_length=64)
    name = ExactCharField(max_length=50)
    folded = ExactCharField(max_length=MOST_OF_CODE)
    is_new = models.BooleanField(null=True)
    currency = models.CharField(max_length=3, blank=True)
    conversions = models.PositiveIntegerField(default=0)
    value = models.DecimalField(max_digits=20, decimal_places=6, default=0, help_text=_("After refunds."))
    is_erased = models.BooleanField(default=False)

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=("day",), name="tiktok_daily_code_day"),)

    def __str__(self) -> str:
        return f"{self.day} {self.folded}: {self.conversions}"
