"""The Celery application; its settings are those of Django that begin with CELERY_."""

import os
import warnings

from celery import Celery
from celery.platforms import SecurityWarning  # type: ignore[attr-defined] # its stubs lack it

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "creatio_sync.settings")

if os.environ.get("CREATIO_SYNC_ALLOW_ROOT"):
    # `demo` and the tests may well run as root in a container; it can only be silenced in code.
    warnings.filterwarnings("ignore", category=SecurityWarning)

app = Celery("creatio_sync")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
