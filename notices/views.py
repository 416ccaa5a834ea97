"""The bell: its count, its panel, and the page that shows the same without a script."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.http import UserRequest
from activities.words import moment
from notices import selectors, services, words
from notices.models import Notice

IN_THE_PANEL = 10
A_PAGE = 50


class PostponeForm(forms.Form):
    minutes = forms.TypedChoiceField(
        choices=list(services.POSTPONE.items()),
        coerce=int,
        error_messages={"invalid_choice": gettext_lazy("Choose one of the times offered to postpone a reminder.")},
    )


class DismissAllForm(forms.Form):
    """What was shown at that moment is meant."""

    shown_at = forms.DateTimeField()  # As ISO 8601, with its zone.


@login_required
@require_safe
@never_cache
def page(request: UserRequest) -> HttpResponse:
    """All notices of this person, which are seen then."""
    now = timezone.now()
    shown = Paginator(selectors.shown_to(request.user.profile, now=now), A_PAGE).get_page(request.GET.get("page"))
    notices = list(shown)
    services.see(notices=notices, now=now)
    return render(request, "notices/page.html", {"notices": notices, "page": shown, "now": now})


@login_required
@require_POST
def panel(request: UserRequest) -> HttpResponse:
    """The panel of the bell, once it is opened: the latest notices, which are seen then."""
    return _panel(request)


@login_required
@require_safe
@never_cache
def count(request: UserRequest) -> JsonResponse:
    """How many notices are new, for the script of the bell, which asks each minute."""
    unseen = selectors.count_unseen(request.user.profile, now=timezone.now())
    return JsonResponse({"unseen": unseen, "words": words.how_many(unseen)})


@login_required
@require_POST
def postpone(request: UserRequest, notice_id: int) -> HttpResponse:
    """Let a reminder come back later."""
    notice, now = _own(request, notice_id), timezone.now()
    form = PostponeForm(request.POST)
    if not form.is_valid():
        return _back(request, error=str(form.errors["minutes"][0]))
    try:
        services.postpone(notice=notice, minutes=form.cleaned_data["minutes"], now=now)
    except services.UnableToPostpone as error:
        return _back(request, error=str(error))
    until = moment(notice.shown_from, now=now, in_sentence=True)
    return _back(request, done=_("Postponed until %(moment)s.") % {"moment": until})


@login_required
@require_POST
def dismiss(request: UserRequest, notice_id: int) -> HttpResponse:
    services.dismiss(notice=_own(request, notice_id), now=timezone.now())
    return _back(request, done=_("Dismissed."))


@login_required
@require_POST
def dismiss_all(request: UserRequest) -> HttpResponse:
    """Dismiss everything that was shown, not what came since."""
    form, now = DismissAllForm(request.POST), timezone.now()
    if not form.is_valid():
        return _back(request, error=_("Nothing was dismissed: the page did not say what it showed. Try again."))
    services.dismiss_all(profile=request.user.profile, shown_at=form.cleaned_data["shown_at"], now=now)
    return _back(request, done=_("All dismissed."))


def _own(request: UserRequest, notice_id: int) -> Notice:
    return get_object_or_404(Notice, pk=notice_id, profile=request.user.profile)


def _back(request: UserRequest, *, done: str = "", error: str = "") -> HttpResponse:
    """Show what is left: in the panel when it was done there, else on the page."""
    if request.htmx:
        return _panel(request, done=done, error=error)
    if done:
        messages.success(request, done)
    if error:
        messages.error(request, error)
    return redirect("notices:page")


def _panel(request: UserRequest, *, done: str = "", error: str = "") -> HttpResponse:
    profile, now = request.user.profile, timezone.now()
    found = list(selectors.shown_to(profile, now=now)[: IN_THE_PANEL + 1])
    notices = found[:IN_THE_PANEL]
    services.see(notices=notices, now=now)
    has_more = len(found) > IN_THE_PANEL
    unseen = selectors.count_unseen(profile, now=now) if has_more else 0
    context = {
        "notices": notices,
        "has_more": has_more,
        "unseen": unseen,
        "words": words.how_many(unseen),
        "done": done,
        "error": error,
        "now": now,
    }
    return render(request, "notices/_panel.html", context)
