"""What follows by itself from a change of people."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver

from accounts import services
from accounts.models import User


@receiver(post_save, sender=User)
def make_profile(*, instance: User, created: bool, raw: bool = False, **_: Any) -> None:
    """Give every new user a profile, however they were made: pages take it for granted."""
    if created and not raw:  # A fixture brings its own.
        services.profile_of(instance)
