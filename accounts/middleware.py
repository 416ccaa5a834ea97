"""What every request of a person needs."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import services


class TimeZoneMiddleware:
    """Read and write times in the zone of whoever asks; inside, everything stays UTC."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return self._get_response(request)
        with timezone.override(services.profile_of(request.user).zone):
            return self._get_response(request)
