from __future__ import annotations

import re

import pytest

from tiktok_attribution.events.names import (
    OLDER_NAMES,
    PAGE_VIEW,
    RESERVED_NAMES,
    STANDARD_EVENTS,
    SUNSET_NAMES,
    canonical_name,
    nearly_standard,
    sunset_note,
)
from tiktok_attribution.exceptions import InvalidEvent


@pytest.mark.parametrize("name", sorted(STANDARD_EVENTS | SUNSET_NAMES | {PAGE_VIEW}))
def test_names_of_tiktok_stay_as_they_are(name: str) -> None:
    assert canonical_name(name) == name


@pytest.mark.parametrize(("old", "new"), [("CompletePayment", "Purchase"), ("SubmitForm", "Lead")])
def test_an_older_name_becomes_the_current_one(old: str, new: str) -> None:
    assert canonical_name(old) == new


def test_older_names_are_no_standard_names_and_lead_to_some() -> None:
    assert not STANDARD_EVENTS & OLDER_NAMES.keys()
    assert STANDARD_EVENTS.issuperset(OLDER_NAMES.values())


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("purchase", "Purchase"),
        ("PURCHASE", "Purchase"),
        ("Purchase ", "Purchase"),
        ("Addtocart", "AddToCart"),
        ("add_to_cart", "AddToCart"),
        ("Add To Cart", "AddToCart"),
        ("view-content", "ViewContent"),
        ("complete_payment", "Purchase"),
        ("submitform", "Lead"),
        ("clickbutton", "ClickButton"),
        ("PageView", "Pageview"),
        ("page_view", "Pageview"),
    ],
)
def test_a_near_miss_is_refused_with_the_right_spelling(name: str, meant: str) -> None:
    with pytest.raises(InvalidEvent, match=f'did you mean "{meant}"\\?'):
        canonical_name(name)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("AddBilling", "AddPaymentInfo"),
        ("Browse", "Pageview"),
        ("Checkout", "InitiateCheckout"),
        ("ClickInDownloadPage", "Download"),
        ("Registration", "CompleteRegistration"),
        ("ViewForm", "ViewContent"),
    ],
)
def test_a_reserved_name_is_refused_with_the_name_to_write(name: str, instead: str) -> None:
    with pytest.raises(InvalidEvent, match=f'reserved, .* write "{instead}"'):
        canonical_name(name)


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_the_advice_for_a_reserved_name_can_be_followed(name: str) -> None:
    with pytest.raises(InvalidEvent) as refused:
        canonical_name(name)
    advice = re.search(r'write "(\w+)"', str(refused.value))
    assert advice is not None
    assert canonical_name(advice[1]) == advice[1]


@pytest.mark.parametrize("name", ["CourseFinished", "a", "Step_2-done", "x" * 50])
def test_a_custom_name_is_accepted(name: str) -> None:
    assert canonical_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("x" * 51, "51 characters, TikTok takes at most 50"),
        ("2ndStep", "must start with a letter"),
        ("_step", "must start with a letter"),
        ("Course finished", "letters, digits, underscore and dash"),
        ("Kauf.fertig", "letters, digits, underscore and dash"),
        ("CourseFinished\n", "letters, digits, underscore and dash"),
        ("Café", "letters, digits, underscore and dash"),
        (None, "is text, not NoneType"),
        (7, "is text, not int"),
    ],
)
def test_a_name_that_can_not_be_sent_is_refused_with_its_reason(name: object, reason: str) -> None:
    with pytest.raises(InvalidEvent, match=reason):
        canonical_name(name)


@pytest.mark.privacy
def test_an_address_in_the_place_of_a_name_is_not_repeated() -> None:
    with pytest.raises(InvalidEvent) as refused:
        canonical_name("jane@example.com")
    assert "jane" not in str(refused.value)


@pytest.mark.parametrize("name", sorted(SUNSET_NAMES))
def test_a_name_that_goes_has_a_note(name: str) -> None:
    assert "2027" in sunset_note(name)


def test_a_name_that_stays_has_no_note() -> None:
    assert sunset_note("Purchase") == ""


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Purchse", "Purchase"),
        ("Purchace", "Purchase"),
        ("AddToCard", "AddToCart"),
        ("InitiatCheckout", "InitiateCheckout"),
        ("ViewContnt", "ViewContent"),
        ("complete_registratoin", "CompleteRegistration"),
        ("Purchased", "Purchase"),
        ("Contacted", "Contact"),
        ("scheduled", "Schedule"),
        ("Leads", "Lead"),
    ],
)
def test_a_slip_of_a_standard_name_is_told(written: str, meant: str) -> None:
    assert nearly_standard(written) == meant


@pytest.mark.parametrize(
    "name",
    [
        *sorted(STANDARD_EVENTS | SUNSET_NAMES | {PAGE_VIEW}),
        *("PurchaseRefund", "Unsubscribe", "Repurchase", "Research", "AddToWaitlist"),
        *("RemoveFromCart", "FreeTrial", "AddShippingInfo", "WithdrawApplication", "ViewComment", "Upload", "Upgrade"),
    ],
)
def test_a_name_of_its_own_is_no_slip(name: str) -> None:
    assert nearly_standard(name) == ""
