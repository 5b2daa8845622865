"""The example site. Celery's app is exported here so that `celery -A example` finds it."""

from .celery import app as celery_app

__all__ = ["celery_app"]
