"""Two-way synchronization of activities with Google Calendar."""

from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "sync"
    verbose_name = "Synchronization"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from sync import checks, receivers  # noqa: F401 - registers the checks, connects the receivers
