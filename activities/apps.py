"""The Activities section: tasks, calls and meetings."""

from django.apps import AppConfig


class ActivitiesConfig(AppConfig):
    name = "activities"
    verbose_name = "Activities"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from activities import receivers  # noqa: F401 - connects them
