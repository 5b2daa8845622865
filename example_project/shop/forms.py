from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import AuthenticationForm, BaseUserCreationForm
from django.contrib.auth.models import User

from .cart import MOST_OF_ONE
from .models import Order


class QuantityForm(forms.Form):
    quantity = forms.IntegerField(min_value=0, max_value=MOST_OF_ONE)


class CheckoutForm(forms.ModelForm):
    class Meta:
        model = Order
        fields = ("name", "email", "phone", "street", "postal_code", "city", "country", "code")
        help_texts: ClassVar = {"phone": "Optional, for the courier."}
        widgets: ClassVar = {
            "name": forms.TextInput({"autocomplete": "name"}),
            "email": forms.EmailInput({"autocomplete": "email"}),
            "phone": forms.TextInput({"autocomplete": "tel", "inputmode": "tel"}),
            "street": forms.TextInput({"autocomplete": "street-address"}),
            "postal_code": forms.TextInput({"autocomplete": "postal-code"}),
            "city": forms.TextInput({"autocomplete": "address-level2"}),
            "country": forms.Select({"autocomplete": "country"}),
            "code": forms.TextInput({"autocomplete": "off"}),
        }


class SignUpForm(BaseUserCreationForm):
    """An account whose user name is the e-mail in lower case."""

    first_name = forms.CharField(max_length=150, widget=forms.TextInput({"autocomplete": "given-name"}))
    email = forms.EmailField(label="E-mail", max_length=150, widget=forms.EmailInput({"autocomplete": "username"}))

    class Meta:
        model = User
        fields = ("first_name", "email")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password1"].help_text = "At least eight characters, not only digits."
        self.fields["password2"].label = "Password again"
        self.fields["password2"].help_text = ""

    def clean_email(self) -> str:
        email: str = self.cleaned_data["email"]
        if User.objects.filter(username=email.lower()).exists():
            raise forms.ValidationError("There is an account with this e-mail already. Sign in instead?")
        return email

    def save(self, commit: bool = True) -> User:
        self.instance.username = self.cleaned_data["email"].lower()
        return super().save(commit)


class SignInForm(AuthenticationForm):
    error_messages = AuthenticationForm.error_messages | {
        "invalid_login": "E-mail and password do not match.",
        "inactive": "This account is closed.",
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = "E-mail"
        self.fields["username"].widget = forms.EmailInput({"autocomplete": "username", "maxlength": 150})

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"]
        return username.lower()
