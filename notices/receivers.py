"""What follows by itself from a change of an account."""

from __future__ import annotations

from typing import Any

from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone

from accounts.models import ExternalAccount
from notices import services


@receiver(post_save, sender=ExternalAccount)
def tell_of_it(
    *, instance: ExternalAccount, raw: bool = False, update_fields: frozenset[str] | None = None, **_: Any
) -> None:
    """Tell at once of what the beat would find within a minute. Tokens are saved often, and say nothing new."""
    if not raw and (update_fields is None or {"status", "paused"} & update_fields):
        services.follow_accounts(now=timezone.now(), account=instance)
