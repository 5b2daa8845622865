from __future__ import annotations

from django.urls import path

from . import views

app_name = "pretendpay"
urlpatterns = [path("<uuid:payment_id>/", views.payment, name="payment")]
