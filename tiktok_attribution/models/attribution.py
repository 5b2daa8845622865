"""Models of attribution: landings (touches), who a browser belongs to, conversions that last, and the daily roll-up.

docs/attribution.md explains what they mean. Moments are epoch seconds. No foreign key leads to the outbox or to the
site's tables, because those may be in another database.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from tiktok_attribution.models.fields import DigestField, ExactCharField, PartialIndex

MOST_OF_UTM = 250
"""Characters that are kept of a utm value and of a name in an address."""


class Traffic(models.TextChoices):
    """What brought a visitor to a landing page."""

    PAID = "paid", _("paid TikTok")
    ORGANIC = "organic", _("organic TikTok")
    OTHER = "other", _("another source")


class Source(models.Model):
    """Columns that say where a touch came from. Ids and names of TikTok's objects are texts of the landing address."""

    traffic = models.CharField(_("traffic"), max_length=10, choices=Traffic.choices, default=Traffic.PAID)
    campaign_id = ExactCharField(_("campaign id"), max_length=32, blank=True)
    campaign_name = models.CharField(_("campaign"), max_length=MOST_OF_UTM, blank=True)
    adgroup_id = ExactCharField(_("ad group id"), max_length=32, blank=True)
    adgroup_name = models.CharField(_("ad group"), max_length=MOST_OF_UTM, blank=True)
    ad_id = ExactCharField(_("ad id"), max_length=32, blank=True)
    ad_name = models.CharField(_("ad"), max_length=MOST_OF_UTM, blank=True)
    placement = models.CharField(_("placement"), max_length=MOST_OF_UTM, blank=True)
    landing_path = models.CharField(_("landing page"), max_length=MOST_OF_UTM, blank=True)
    utm_source = models.CharField(max_length=MOST_OF_UTM, blank=True)
    utm_medium = models.CharField(max_length=MOST_OF_UTM, blank=True)

    class Meta:
        abstract = True


class Touch(Source):
    """A landing of a browser that agreed: an ad's click, or another tagged visit.

    `touches.recording` inserts it, once for each browser and click id. It is deleted after KEEP_TOUCH_DAYS.
    """

    visitor_key = models.UUIDField(help_text=_("The random key of this browser, from its cookie."))
    at = models.BigIntegerField(_("landed"), help_text=_("Unix seconds of the landing."))
    shop = ExactCharField(_("pixel"), max_length=64, blank=True)
    click_digest = models.BigIntegerField(null=True, help_text=_("First 8 bytes of the click id's SHA-256."))
    creative_id = ExactCharField(_("creative id"), max_length=32, blank=True)
    creative_name = models.CharField(_("creative"), max_length=MOST_OF_UTM, blank=True)
    utm_campaign = models.CharField(max_length=MOST_OF_UTM, blank=True)
    utm_content = models.CharField(max_length=MOST_OF_UTM, blank=True)
    utm_term = models.CharField(max_length=MOST_OF_UTM, blank=True)

    class Meta:
        verbose_name = _("touch")
        verbose_name_plural = _("touches")
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("visitor_key", "click_digest"), name="tiktok_touch_once"),)
        indexes = (
            models.Index(fields=("visitor_key", "at"), name="tiktok_touch_visitor"),
            models.Index(fields=("at",), name="tiktok_touch_at"),
        )

    def __str__(self) -> str:
        return f"{self.traffic} {self.campaign_name or self.campaign_id}"


class LandingCount(models.Model):
    """How many landings a day had, by pixel and what became of them: stored, over a limit, with unfilled macros."""

    day = models.DateField(_("day"))
    shop = ExactCharField(_("pixel"), max_length=64, blank=True)
    outcome = models.CharField(_("outcome"), max_length=20)
    count = models.PositiveBigIntegerField(_("count"), default=0)

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("day", "shop", "outcome"), name="tiktok_landings_once"),)

    def __str__(self) -> str:
        return f"{self.day} {self.outcome}: {self.count}"


class VisitorLink(models.Model):
    """A browser that a person used: only with ATTRIBUTION["join"], and with consent at the time.

    `person` is an HMAC of a matching key under a key of the site, never a hash of an e-mail address alone.
    """

    visitor_key = models.UUIDField()
    identifier = models.CharField(max_length=20, help_text=_("Which matching key: external_id or email."))
    person = models.UUIDField()
    at = models.BigIntegerField(help_text=_("Unix seconds of the sign-in or conversion that linked them."))
    is_fresh = models.BooleanField(default=True, help_text=_("The worker has not marked the conversions it reaches."))

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("visitor_key", "identifier"), name="tiktok_link_once"),)
        indexes = (
            models.Index(fields=("person",), name="tiktok_link_person"),
            models.Index(fields=("at",), name="tiktok_link_at"),
            PartialIndex(fields=("is_fresh",), condition=models.Q(is_fresh=True), name="tiktok_link_fresh"),
        )

    def __str__(self) -> str:
        return f"{self.identifier} {self.at}"


class RecordedConversion(models.Model):
    """One conversion of the site, however many pixels have it, for as long as KEEP_ATTRIBUTION_DAYS says.

    The worker writes it from the outbox and the site's own object, never a checkout. `value` is the value at the time
    of the conversion; `refunded` lowers it, and `is_reversed` takes the conversion away.
    """

    shop = ExactCharField(_("pixel"), max_length=64)
    name = ExactCharField(_("event"), max_length=50)
    event_id = ExactCharField(_("event id"), max_length=128)
    event_digest = DigestField(of=("name", "event_id"))
    object_label = ExactCharField(max_length=100, blank=True)
    object_pk = ExactCharField(max_length=64, blank=True)

    at = models.BigIntegerField(_("time"), help_text=_("Unix seconds of the conversion."))
    placed_at = models.BigIntegerField(null=True, help_text=_("Unix seconds when the visitor made the object."))
    value = models.DecimalField(_("value"), max_digits=20, decimal_places=6, null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    refunded = models.DecimalField(_("refunded"), max_digits=20, decimal_places=6, default=0)
    refunded_at = models.BigIntegerField(null=True)
    is_reversed = models.BooleanField(_("reversed"), default=False)
    is_new = models.BooleanField(_("new customer"), null=True)
    declared_new = models.BooleanField(null=True, help_text=_('What the declaration\'s "first" said, if it has one.'))
    code = models.CharField(_("voucher code"), max_length=100, blank=True)
    lines = models.TextField(default="[]", help_text=_("JSON: at most 100 of [content id, quantity, price]."))

    visitor_key = models.UUIDField(null=True)
    unjoined = models.CharField(max_length=20, blank=True, help_text=_("Why touches of other devices are missing."))
    is_stale = models.BooleanField(default=True, help_text=_("Its touches and credits must be computed again."))

    class Meta:
        verbose_name = _("conversion")
        verbose_name_plural = _("conversions")
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("event_digest", "event_id", "name"), name="tiktok_conv_once"),)
        indexes = (
            models.Index(fields=("at",), name="tiktok_conv_at"),
            models.Index(fields=("visitor_key",), name="tiktok_conv_visitor"),
            models.Index(fields=("object_pk", "object_label"), name="tiktok_conv_object"),
            PartialIndex(fields=("is_stale",), condition=models.Q(is_stale=True), name="tiktok_conv_stale"),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.event_id}"


class ConversionPerson(models.Model):
    """A person of a conversion, by one matching key: only with ATTRIBUTION["join"]. `person` is as in `VisitorLink`."""

    conversion = models.ForeignKey(RecordedConversion, models.CASCADE, related_name="persons")
    identifier = models.CharField(max_length=20, help_text=_("Which matching key: external_id or email."))
    person = models.UUIDField()

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("conversion", "identifier", "person"), name="tiktok_conv_person_once"),
        )
        indexes = (models.Index(fields=("person",), name="tiktok_conv_person"),)

    def __str__(self) -> str:
        return self.identifier


class ChangedObject(models.Model):
    """An object of the site that was saved after it counted, to be read again for refunds.

    A save adds a row and looks for none, and the worker deletes the rows that it has read. So a save while the worker
    reads is not lost.
    """

    object_label = ExactCharField(max_length=100)
    object_pk = ExactCharField(max_length=64)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.object_label} {self.object_pk}"


class ConversionTouch(Source):
    """A touch that a conversion's credits may need, copied so that it outlives the raw touch; without a click id."""

    conversion = models.ForeignKey(RecordedConversion, models.CASCADE, related_name="touches")
    at = models.BigIntegerField(_("landed"))
    key = models.BigIntegerField(help_text=_("The key of the touch it was copied from: the order of ties."))

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("conversion", "key"), name="tiktok_conv_touch_once"),)
        indexes = (models.Index(fields=("at",), name="tiktok_conv_touch_at"),)

    def __str__(self) -> str:
        return f"{self.traffic} {self.at}"


class Clock(models.TextChoices):
    """On which day a conversion counts."""

    CONVERSION = "conversion", _("day of the conversion")
    CLICK = "click", _("day of the click")


class DailyAttribution(models.Model):
    """The roll-up that the report reads: credit and value of a day, by everything that the report divides by.

    `attribution.roll_up` computes it from the conversions; it holds nothing that can't be computed again. Each
    combination of clock, model and window stands beside the others and is never added to them. A row with traffic ""
    is the part without an eligible touch. `value` and `refunded` together are the value at the time of the conversion.
    Texts are compared by their bytes, so that every database divides by the same pages and names.
    Rows with `is_erased` hold what erased conversions had come to. They are never computed again.
    """

    day = models.DateField(_("day"))
    shop = ExactCharField(_("pixel"), max_length=64)
    clock = models.CharField(max_length=10, choices=Clock.choices)
    model = models.CharField(max_length=20)
    window = models.PositiveSmallIntegerField(help_text=_("Days."))
    name = ExactCharField(_("event"), max_length=50)
    is_new = models.BooleanField(null=True)
    traffic = models.CharField(max_length=10, blank=True)
    campaign_id = ExactCharField(max_length=32, blank=True)
    campaign_name = ExactCharField(max_length=MOST_OF_UTM, blank=True)
    adgroup_id = ExactCharField(max_length=32, blank=True)
    adgroup_name = ExactCharField(max_length=MOST_OF_UTM, blank=True)
    ad_id = ExactCharField(max_length=32, blank=True)
    ad_name = ExactCharField(max_length=MOST_OF_UTM, blank=True)
    placement = ExactCharField(max_length=MOST_OF_UTM, blank=True)
    landing_path = ExactCharField(max_length=MOST_OF_UTM, blank=True)
    currency = models.CharField(max_length=3, blank=True)

    conversions = models.DecimalField(max_digits=20, decimal_places=9, default=0, help_text=_("Sum of the credits."))
    value = models.DecimalField(max_digits=20, decimal_places=6, default=0, help_text=_("After refunds."))
    refunded = models.DecimalField(max_digits=20, decimal_places=6, default=0)
    is_erased = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("attribution")
        verbose_name_plural = _("attribution")
        default_permissions = ()
        permissions = (
            ("view_attribution", "Can view the attribution report"),
            ("export_attribution", "Can export the attribution report"),
        )
        indexes = (
            models.Index(fields=("clock", "model", "window", "day"), name="tiktok_daily_report"),
            models.Index(fields=("day",), name="tiktok_daily_day"),
        )

    def __str__(self) -> str:
        return f"{self.day} {self.model} {self.window}: {self.conversions}"


class StaleDay(models.Model):
    """A day of a shop whose roll-up must be computed again.

    `version` grows with each change, so that a change during the computation is not lost. `leased_until` (epoch
    seconds) gives the day to one worker at a time.
    """

    day = models.DateField(_("day"))
    shop = ExactCharField(_("pixel"), max_length=64)
    version = models.BigIntegerField(default=1)
    leased_until = models.FloatField(default=0)

    class Meta:
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("day", "shop"), name="tiktok_stale_day_once"),)

    def __str__(self) -> str:
        return f"{self.day} {self.shop}"


class AttributionReport(DailyAttribution):
    """Proxy model that gives the report its place in the admin. Its permissions are those of the roll-up."""

    class Meta:
        proxy = True
        verbose_name = _("attribution")
        verbose_name_plural = _("attribution")
        default_permissions = ()
