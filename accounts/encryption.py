"""Encryption at rest for what must never be readable in the database: Google's tokens."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class UnableToDecrypt(Exception):
    """None of the keys in TOKEN_ENCRYPTION_KEYS opens this value."""


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(key) for key in settings.TOKEN_ENCRYPTION_KEYS])


def encrypt(text: str) -> str:
    """Return the text encrypted with the newest key of TOKEN_ENCRYPTION_KEYS."""
    return _keys().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """
    Return the text of an encrypted value, whichever of the keys it was written with.

    :raises UnableToDecrypt: if none of the keys fits.
    """
    try:
        return _keys().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise UnableToDecrypt("None of the keys in TOKEN_ENCRYPTION_KEYS opens this value.") from error


def rotate(token: str) -> str:
    """Return the encrypted value written anew with the newest key, without showing its text."""
    try:
        return _keys().rotate(token.encode()).decode()
    except InvalidToken as error:
        raise UnableToDecrypt("None of the keys in TOKEN_ENCRYPTION_KEYS opens this value.") from error
