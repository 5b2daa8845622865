"""The Celery app of the benchmarks; only its broker matters, no worker runs."""

from __future__ import annotations

from celery import Celery

app = Celery("benchmarks")
app.config_from_object("django.conf:settings", namespace="CELERY")
