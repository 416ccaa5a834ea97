"""The door for Celery. Rows say what is due, so a message that is lost or comes twice does no harm."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from django.utils import timezone

from notices import reminders, services


@shared_task
def ring(**_: Any) -> None:
    """Each minute: make the reminders that are due, tell of accounts, clear old notices away."""
    now = timezone.now()
    reminders.make(now=now)
    services.follow_accounts(now=now)
    services.clear_away(now=now)
