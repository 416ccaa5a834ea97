from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "What `demo` does to its database: bring the tables up to date, and fill a new one with examples."

    def handle(self, **_: Any) -> None:
        call_command("migrate", verbosity=0)
        if not get_user_model().objects.exists():  # Later on, what somebody deleted stays deleted.
            call_command("seed", stdout=self.stdout)
