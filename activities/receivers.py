"""What follows by itself from a change of activities."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver

from activities.models import Attachment


@receiver(post_delete, sender=Attachment)
def remove_from_the_disk(*, instance: Attachment, **_: Any) -> None:
    """Once it is certain: with the attachment itself, or with an activity that is erased for good (R14)."""
    storage, name = instance.file.storage, instance.file.name
    if name:
        transaction.on_commit(lambda: storage.delete(name))
