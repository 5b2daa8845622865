"""Models of spend: what TikTok's ads cost, by day, and the imports that brought it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone as django_timezone
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.fields import ExactCharField


class Level(models.TextChoices):
    """The level of TikTok's objects that a row of spend is about."""

    CAMPAIGN = "campaign", _("campaign")
    ADGROUP = "adgroup", _("ad group")
    AD = "ad", _("ad")


class SpendImport(models.Model):
    """A CSV file or an API fetch that brought spend: who, when, which file, and its sums. It can be undone."""

    advertiser = ExactCharField(_("advertiser"), max_length=32)
    level = models.CharField(_("level"), max_length=10, choices=Level.choices)
    source = models.CharField(_("source"), max_length=10, help_text=_("csv or api"))
    user_label = models.CharField(
        _("imported by"), max_length=150, blank=True, help_text=_("The key of a user, never a name; or the command.")
    )
    created_at = models.DateTimeField(_("imported"), default=django_timezone.now)
    file_name = models.CharField(_("file"), max_length=200, blank=True)
    file_hash = models.CharField(max_length=64, blank=True, help_text=_("SHA-256 of the file."))
    first_day = models.DateField(_("first day"))
    last_day = models.DateField(_("last day"))
    rows = models.PositiveIntegerField(_("rows"), default=0)
    sums = models.TextField(default="{}", help_text=_("JSON: spend by currency."))
    undone_at = models.DateTimeField(_("undone"), null=True)

    class Meta:
        verbose_name = _("import of spend")
        verbose_name_plural = _("imports of spend")
        default_permissions = ("view",)
        permissions = (("import_spend", "Can import and undo spend"),)

    def __str__(self) -> str:
        return f"{self.advertiser} {self.first_day} – {self.last_day}"


class AdSpend(models.Model):
    """The cost and TikTok's own figures of one campaign, ad group or ad on one day of the advertiser's time zone.

    An advertiser and day may have rows of several levels, which are never added: `attribution.spend` says which level
    counts. Rows of an undone or replaced import are kept with `is_current` False until the import is final;
    `replaced_by` is the import that replaced them, whose undoing brings them back.
    """

    spend_import = models.ForeignKey(SpendImport, models.CASCADE, related_name="spend")
    advertiser = ExactCharField(_("advertiser"), max_length=32)
    level = models.CharField(_("level"), max_length=10, choices=Level.choices)
    day = models.DateField(_("day"))
    campaign_id = ExactCharField(max_length=32, blank=True)
    campaign_name = ExactCharField(max_length=250, blank=True)
    adgroup_id = ExactCharField(max_length=32, blank=True)
    adgroup_name = ExactCharField(max_length=250, blank=True)
    ad_id = ExactCharField(max_length=32, blank=True)
    ad_name = ExactCharField(max_length=250, blank=True)
    currency = models.CharField(max_length=3)
    spend = models.DecimalField(max_digits=20, decimal_places=6)
    impressions = models.PositiveBigIntegerField(null=True)
    clicks = models.PositiveBigIntegerField(null=True)
    figures = models.TextField(default="{}", help_text=_("JSON: TikTok's other metrics, as decimal texts."))
    is_current = models.BooleanField(default=True)
    replaced_by = models.ForeignKey(SpendImport, models.SET_NULL, null=True, related_name="replaced")

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=("is_current", "day", "advertiser"), name="tiktok_spend_day"),)

    def __str__(self) -> str:
        return f"{self.day} {self.campaign_name or self.campaign_id}: {self.spend} {self.currency}"
