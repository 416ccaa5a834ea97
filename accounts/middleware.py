"""What every request of a person needs."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

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


class LanguageMiddleware:
    """Speak the language that whoever asks has chosen; without a choice the browser's holds (LocaleMiddleware)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        chosen = services.profile_of(request.user).language if request.user.is_authenticated else ""
        if not chosen:
            return self._get_response(request)
        with translation.override(chosen):
            response = self._get_response(request)
        response["Content-Language"] = chosen
        return response


class ComeBackMiddleware:
    """
    After signing in anew, lead people back to the page they were on.

    When a session has ended, what they pressed was a form or a part of a page: its own address is no page to come back
    to, and the log-in page is not to appear inside another one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        asks_to_log_in = response.status_code == 302 and response["Location"].startswith(f"{settings.LOGIN_URL}?next=")
        is_part_of_a_page = request.headers.get("HX-Request") == "true"
        if not asks_to_log_in or (request.method in ("GET", "HEAD") and not is_part_of_a_page):
            return response
        address = f"{settings.LOGIN_URL}?{urlencode({'next': _page_they_were_on(request)})}"
        if is_part_of_a_page:
            return HttpResponseClientRedirect(address)
        response["Location"] = address
        return response


def _page_they_were_on(request: HttpRequest) -> str:
    """Return path and query of the page a request came from, if it is one of ours; else the first page."""
    came_from = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    is_ours = url_has_allowed_host_and_scheme(came_from, allowed_hosts={request.get_host()})
    parts = urlsplit(came_from)
    if not is_ours or not parts.path or parts.path == settings.LOGIN_URL:
        return settings.LOGIN_REDIRECT_URL
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
