from django.apps import AppConfig


class CreatioSyncConfig(AppConfig):
    """Registered for its management commands; it has no models."""

    name = "creatio_sync"
    verbose_name = "Creatio and Google Calendar"
