"""Who is signed in."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from accounts.models import User


class WithProfile(ModelBackend):
    """Django's own way, which fetches the profile along with the user: each request needs its time zone."""

    def get_user(self, user_id: Any) -> User | None:
        user = User.objects.select_related("profile").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None
