"""The project: settings, routes, Celery, and the command that runs it all."""

from .celery import app as celery_app

__all__ = ["celery_app"]
