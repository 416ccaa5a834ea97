"""`manage.py rotate_token_keys`: write all tokens anew with the newest key, so that older keys can be retired."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from accounts.encryption import UnableToDecrypt, rotate
from accounts.models import ExternalAccount


class Command(BaseCommand):
    help = "Encrypts the tokens of all accounts anew with the first key of TOKEN_ENCRYPTION_KEYS. Safe to repeat."

    def handle(self, *_: Any, **__: Any) -> None:
        ids = ExternalAccount.objects.exclude(encrypted_credentials="").order_by("id").values_list("id", flat=True)
        lost = [login for login in map(_rotate, ids) if login]
        self.stdout.write(f"Accounts encrypted with the newest key: {len(ids) - len(lost)}")
        for login in lost:
            self.stderr.write(f"{login}: none of the keys opens its tokens; it has to be connected again.")


@transaction.atomic
def _rotate(account_id: int) -> str:
    """Encrypt one account anew. Returns its login if no key opens it, else an empty text."""
    account = ExternalAccount.objects.select_for_update().get(pk=account_id)
    if account.encrypted_credentials:
        try:
            account.encrypted_credentials = rotate(account.encrypted_credentials)
        except UnableToDecrypt:
            return account.login
        account.save(update_fields=["encrypted_credentials"])
    return ""
