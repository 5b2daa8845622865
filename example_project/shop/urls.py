from __future__ import annotations

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path, re_path

from .forms import SignInForm
from .models import Product
from .views import accounts, carts, checkouts, orders, pages, products, webhooks

app_name = "shop"

sign_in = LoginView.as_view(
    template_name="shop/sign_in.html", authentication_form=SignInForm, redirect_authenticated_user=True
)
categories = "|".join(Product.Category.values)

urlpatterns = [
    path("", products.front, name="front"),
    re_path(rf"^(?P<name>{categories})/$", products.category, name="category"),
    path("products/<slug:sku>/", products.product, name="product"),
    path("new/<slug:sku>/", products.landing, name="landing"),
    path("search/", products.search, name="search"),
    path("cart/", carts.cart, name="cart"),
    path("cart/add/<slug:sku>/", carts.cart_add, name="cart-add"),
    path("cart/change/<slug:sku>/", carts.cart_change, name="cart-change"),
    path("checkout/", checkouts.checkout, name="checkout"),
    path("orders/<uuid:token>/thank-you/", orders.thank_you, name="thank-you"),
    path("orders/<uuid:token>/status/", orders.status, name="order-status"),
    path("orders/<uuid:token>/pay/", orders.pay, name="order-pay"),
    path("webhooks/pretendpay/", webhooks.pretendpay, name="pretendpay-webhook"),
    path("privacy/", pages.privacy, name="privacy"),
    path("csp-report/", pages.csp_report, name="csp-report"),
    path("account/", accounts.account, name="account"),
    path("account/sign-up/", accounts.sign_up, name="sign-up"),
    path("account/sign-in/", sign_in, name="sign-in"),
    path("account/sign-out/", LogoutView.as_view(), name="sign-out"),
]
