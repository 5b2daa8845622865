"""The shop as gunicorn serves it, for P5a."""

from __future__ import annotations

from django.core.wsgi import get_wsgi_application

from benchmarks.celery_app import app as celery_app

__all__ = ["application", "celery_app"]

application = get_wsgi_application()
