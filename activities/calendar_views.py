"""
What the script of the calendar asks for: the feed, moves, and the mini page.

Answers are JSON, or for a form that has to be shown again the part of the page with it (422). Errors are JSON with
`error`, in words for the user. Who may see what is decided in one place: `Activity.objects.visible_to`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import services as accounts
from accounts.forms import TimeScaleForm
from accounts.http import UserRequest
from accounts.models import Profile
from activities import calendar, meanwhile, mini, selectors, series, services
from activities.mini import RESULT_LENGTH
from activities.models import Activity
from activities.repeat_form import SCOPES


@login_required
@require_safe
def entries(request: UserRequest) -> HttpResponse:
    """The activities from `start` to `end` (days, the last one not included), by the filters of the address."""
    profile, now = request.user.profile, timezone.now()
    try:
        days = calendar.read_range(start=request.GET.get("start", ""), end=request.GET.get("end", ""))
    except calendar.UnreadableTime as error:
        return _refusal(str(error), status=400)
    filters = selectors.read_filters(request.GET, profile=profile, now=now)
    found = calendar.entries(filters=filters, profile=profile, days=days, now=now)
    return JsonResponse({"now": _now(profile, now), "entries": found}, headers={"Cache-Control": "no-store"})


def _now(profile: Profile, now: datetime) -> str:
    """What the clock on the person's wall shows."""
    return now.astimezone(profile.zone).replace(tzinfo=None, microsecond=0).isoformat()


@login_required
@require_POST
def move(request: UserRequest, activity_id: int) -> HttpResponse:
    """Move or resize an activity, or take that back; see `calendar.wanted` for what a POST says."""
    activity, profile = _visible_activity(request, activity_id), request.user.profile
    scope = request.POST.get("scope") or series.THIS
    if scope not in series.SCOPES:
        return _refusal(_("Choose this one, this and following, or all."), status=400)
    try:
        to = calendar.wanted(request.POST, activity=activity, zone=profile.zone)
        seen = request.POST.get("seen", "")
        moved = calendar.move(activity=activity, to=to, seen=seen, scope=scope, by=profile, now=timezone.now())
    except calendar.UnreadableTime as error:
        return _refusal(str(error), status=400)
    except calendar.ChangedMeanwhile:
        return _refusal(_("Somebody has moved this activity meanwhile. This is where it is now."), status=409)
    except services.UnableToChange as error:
        return _refusal(str(error), status=422)
    return JsonResponse({"said": moved.said, "undo": moved.undo})


@login_required
@require_POST
def set_time_scale(request: UserRequest) -> HttpResponse:
    """Keep how many minutes a line of the calendar stands for, and go back to where one was."""
    form = TimeScaleForm(request.POST)
    if form.is_valid():
        accounts.set_time_scale(profile=request.user.profile, minutes=form.cleaned_data["time_scale"])
    else:
        messages.error(request, _("Choose 5, 10, 15, 30 or 60 minutes."))
    came_from = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(came_from, allowed_hosts={request.get_host()})
    return redirect(came_from if is_ours else "activities:section")


# --- The mini page ---------------------------------------------------------------------------------------------------


@login_required
@require_safe
def show_mini(request: UserRequest, activity_id: int) -> HttpResponse:
    return _show(request, _visible_activity(request, activity_id))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit_mini(request: UserRequest, activity_id: int) -> HttpResponse:
    activity, profile, now = _visible_activity(request, activity_id), request.user.profile, timezone.now()
    reason = services.why_read_only(activity=activity, profile=profile)
    form = mini.MiniForm(
        request.POST if request.method == "POST" else None,
        initial=mini.initial_of(activity, zone=profile.zone),
        zone=profile.zone,
        activity=activity,
        read_only_reason=reason,
    )
    if request.method == "POST" and form.is_valid():
        try:
            _save(activity, form, by=profile, now=now)
        except services.UnableToChange as error:
            form.add_error(None, str(error))
        except meanwhile.ChangedMeanwhile:
            pass  # The form asks about it.
        else:
            return JsonResponse({"said": _("Saved.")})
    return _form(request, form, activity=activity, read_only_reason=reason)


@transaction.atomic
def _save(activity: Activity, form: mini.MiniForm, *, by: Profile, now: datetime) -> None:
    """
    :raises UnableToChange: with words for the user.
    :raises ChangedMeanwhile: if somebody else has changed the same since the form was opened.
    """
    current = services.locked(activity)
    form.compare(
        mini.initial_of(current, zone=by.zone), who=lambda group: meanwhile.who_changed(current, [group], reader=by)
    )
    form.activity = current
    series.edit(activity=current, scope=form.scope_chosen, by=by, now=now, **form.changes())


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_mini(request: UserRequest) -> HttpResponse:
    """Make an activity from a range of the calendar, where it shows."""
    profile, now = request.user.profile, timezone.now()
    initial = mini.initial_of_new(profile=profile, asked=request.GET, now=now)
    form = mini.MiniForm(request.POST if request.method == "POST" else None, initial=initial, zone=profile.zone)
    if request.method == "POST" and form.is_valid():
        is_call = form.cleaned_data["category"] == Activity.Category.CALL
        kind = Activity.Kind.CALL if is_call else Activity.Kind.TASK
        try:
            made = services.create(by=profile, now=now, kind=kind, show_in_calendar=True, **form.values())
        except services.UnableToChange as error:
            form.add_error(None, str(error))
        else:
            said = _("Created “%(subject)s”.") % {"subject": made}
            return JsonResponse({"said": said, "address": reverse("activities:detail", args=[made.pk])})
    return _form(request, form, activity=None, read_only_reason=None)


@login_required
@require_POST
def set_status(request: UserRequest, activity_id: int) -> HttpResponse:
    """Complete, cancel or reopen, with Result and Result details."""
    activity, profile = _visible_activity(request, activity_id), request.user.profile
    status, scope = request.POST.get("status", ""), request.POST.get("scope") or series.THIS
    offered = (*Activity.FINAL_STATUSES, Activity.Status.NOT_STARTED)
    if status not in offered or scope not in series.SCOPES:
        return _refusal(_("Choose to complete, to cancel or to reopen it."), status=400)
    result, details = request.POST.get("result", ""), request.POST.get("result_details", "")
    try:
        if len(result) > RESULT_LENGTH:
            raise services.UnableToChange(_("The result is too long. Write more in Result details."))
        series.set_status(
            activity=activity,
            scope=scope,
            by=profile,
            status=status,
            now=timezone.now(),
            result=result.replace("\x00", "").strip(),
            result_details=details.replace("\x00", "").replace("\r\n", "\n").strip(),
        )
    except services.UnableToChange as error:
        context = {"result": result, "result_details": details, "refused": str(error), "refused_status": status}
        return _show(request, activity, status=422, **context)
    said = {
        Activity.Status.COMPLETED.value: _("Completed “%(subject)s”."),
        Activity.Status.CANCELED.value: _("Canceled “%(subject)s”."),
        Activity.Status.NOT_STARTED.value: _("Reopened “%(subject)s”."),
    }[status]
    return JsonResponse({"said": said % {"subject": activity}})


def _show(request: UserRequest, activity: Activity, *, status: int = 200, **more: Any) -> HttpResponse:
    profile, now = request.user.profile, timezone.now()
    participants = list(activity.participants.all())
    context = {
        "activity": activity,
        "now": now,
        "people": [one.profile for one in participants],
        "guests": len([guest for guest in activity.other_guests if isinstance(guest, dict)]),
        "repeats": selectors.place_in_series(activity),
        "elsewhere": calendar.elsewhere(activity, zone=profile.zone),
        "why_read_only": services.why_read_only(activity=activity, profile=profile),
        "why_not_cancelable": services.why_not_cancelable(activity=activity, profile=profile),
        "scopes": SCOPES,
    }
    return render(request, "activities/_mini.html", context | more, status=status)


def _form(
    request: UserRequest, form: mini.MiniForm, *, activity: Activity | None, read_only_reason: str | None
) -> HttpResponse:
    context = {"form": form, "activity": activity, "read_only_reason": read_only_reason}
    return render(request, "activities/_mini_form.html", context, status=422 if form.is_bound else 200)


def _visible_activity(request: UserRequest, activity_id: int) -> Activity:
    """:raises Http404: if there is none, or none the person may see (R8)."""
    profile = request.user.profile
    visible = Activity.objects.visible_to(profile).of_the_section().select_related("organizer")
    return get_object_or_404(selectors.with_what_a_page_shows(visible, profile=profile), pk=activity_id)


def _refusal(words: str, *, status: int) -> JsonResponse:
    return JsonResponse({"error": words}, status=status)
