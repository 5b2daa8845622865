from __future__ import annotations

from django.apps import AppConfig


class PretendpayConfig(AppConfig):
    name = "pretendpay"
    verbose_name = "Pretendpay"
