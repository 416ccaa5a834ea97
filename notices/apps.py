"""The bell: what a person is told of without having asked."""

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "notices"
    verbose_name = "Notifications"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from notices import receivers  # noqa: F401 - connects the receivers
