"""The set-up page, Synchronize now and its progress, sessions, and what a person decides about them."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings as site
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from accounts.http import UserRequest
from accounts.models import ExternalAccount, Profile
from activities.models import Activity
from sync import conflicts as journal
from sync import explain, marks, removal, telling
from sync import preview as planning
from sync import sessions as runs
from sync import set_up as setting_up
from sync.forms import SetUpForm
from sync.google import errors, oauth
from sync.models import EventLink, SyncedCalendar, SyncOutcome, SyncSession, SyncSettings
from sync.run import NotSetUp

logger = logging.getLogger(__name__)

SESSIONS_A_PAGE = 20
OUTCOMES_A_PAGE = 50
PROBLEMS_IN_A_LIST = 3  # Of one session; the rest stand on its own page.
LATEST_SESSIONS = 5  # On the set-up page.
NO_CHANGES = (
    SyncOutcome.Action.FROZEN,
    SyncOutcome.Action.RESUMED,
    SyncOutcome.Action.REPLACED,
    SyncOutcome.Action.PARKED,
)
STOP_POLLING = 286  # htmx asks no more after an answer with this status.


@login_required
def set_up(request: UserRequest) -> HttpResponse:
    """The set-up page: settings, the running or latest session, and an offer to add an account without one."""
    profile = request.user.profile
    account = profile.google_account
    if account is None:
        return render(request, "sync/no_account.html", {"can_connect": bool(site.GOOGLE_CLIENT_ID)})

    settings = SyncSettings.objects.filter(profile=profile).first() or SyncSettings(profile=profile)
    form = _set_up_form(request, settings=settings, account=account)
    if request.method == "POST" and form.is_valid():
        setting_up.save(settings=form.instance, account=account, changed=form.changed_data, now=timezone.now())
        messages.success(request, _("The settings have been saved."))
        return redirect("sync:set-up")

    shown = list(_with_problems(_own_sessions(profile))[:LATEST_SESSIONS])
    newest = shown[0] if shown else None
    calendar = SyncedCalendar.objects.filter(account=account).first()
    context = {
        "form": form,
        "account": account,
        "is_saved": settings.pk is not None,
        "latest": next((session for session in shown if session.is_finished), None),
        "sessions": shown,
        "awaiting": _awaiting(profile),
        "now": timezone.now(),
        "can_choose_calendar": oauth.may_list_calendars(account),
        "next_at": calendar.due_at if calendar and account.status == ExternalAccount.Status.CONNECTED else None,
    }
    if newest and not newest.is_finished:
        context |= {"running": newest} | _progress_context(newest)
    return render(request, "sync/set_up.html", context, status=422 if form.errors else 200)


@login_required
@require_safe
def calendars(request: UserRequest) -> HttpResponse:
    """The field Calendar with everything Google lists, for the set-up page to fill in once it is shown."""
    profile = request.user.profile
    account = profile.google_account
    if account is None:
        return HttpResponse(status=404)
    settings = SyncSettings.objects.filter(profile=profile).first() or SyncSettings(profile=profile)
    chosen = request.GET.get("calendar_id", settings.calendar_id)
    choices = setting_up.calendars(account)
    form = SetUpForm(instance=settings, profile=profile, calendars=choices, initial={"calendar_id": chosen})
    return render(request, "includes/field.html", {"field": form["calendar_id"]})


@login_required
@require_safe
def preview(request: UserRequest) -> HttpResponse:
    """What a session would do now, item by item (R21); as a part of the set-up page, or a page of its own."""
    profile = request.user.profile
    calendar = SyncedCalendar.objects.filter(account=profile.google_account).first()
    if calendar is None or not SyncSettings.objects.filter(profile=profile).exists():
        return _go(request, "sync:set-up", _("Check and save the settings first; then the preview can tell."))
    context: dict[str, Any] = {"now": timezone.now()}
    try:
        found = planning.preview(calendar=calendar, now=context["now"])
    except (errors.GoogleError, NotSetUp) as error:
        logger.info("No preview for calendar %s: %s", calendar.pk, type(error).__name__)
        context["error"] = str(error) or _("Google did not answer. Try again in a few minutes.")
    else:
        every = [*found.actions, *found.waiting, *found.staying_out]
        activities = _visible(profile, [action.activity_id for action in every])
        context |= {"preview": found, "activities": activities, "totals": _totals(found.actions)}
    template = "sync/_preview.html" if request.htmx else "sync/preview.html"
    return render(request, template, context)


@login_required
@require_POST
def synchronize_now(request: UserRequest) -> HttpResponse:
    """Ask for a session, or join the one that runs, and show how it goes on."""
    profile = request.user.profile
    account = profile.google_account
    if account is None:
        return _go(request, "sync:set-up")
    if not SyncSettings.objects.filter(profile=profile).exists():
        return _go(request, "sync:set-up", _("Check the settings and save them once; then synchronize."))
    if account.status != ExternalAccount.Status.CONNECTED:
        return _go(request, "sync:set-up", _("Google needs reconnecting before you can synchronize."))
    if account.paused:
        return _go(request, "sync:set-up", explain.PAUSED)

    calendar, _made = SyncedCalendar.objects.get_or_create(account=account)
    found = runs.request(calendar=calendar, trigger=SyncSession.Trigger.MANUAL, now=timezone.now())
    if request.htmx:
        context = {"session": found, "brief": True} | _progress_context(found)
        return render(request, "sync/_watch.html", context)
    return redirect("sync:session", session_id=found.pk)


@login_required
@require_safe
def sessions(request: UserRequest) -> HttpResponse:
    """All sessions of this person, newest first, with the problems of each."""
    profile = request.user.profile
    page = _page(request, _with_problems(_own_sessions(profile)), size=SESSIONS_A_PAGE)
    context = {"page": page, "sessions": page.object_list, "awaiting": _awaiting(profile), "now": timezone.now()}
    return render(request, "sync/sessions.html", context)


@login_required
@require_safe
def session(request: UserRequest, session_id: int) -> HttpResponse:
    """One session: how it goes on, or what it did, item by item."""
    found = get_object_or_404(_own_sessions(request.user.profile), pk=session_id)
    return render(request, "sync/session.html", _session_context(request, found))


@login_required
@require_safe
def progress(request: UserRequest, session_id: int) -> HttpResponse:
    """The part of a page that shows a session; it asks for itself again until the session is finished."""
    found = get_object_or_404(_own_sessions(request.user.profile), pk=session_id)
    context = {"brief": "brief" in request.GET, "stage_before": request.GET.get("stage")}
    context |= _session_context(request, found)
    return render(request, "sync/_progress.html", context, status=STOP_POLLING if found.is_finished else 200)


@login_required
@require_POST
def remove(request: UserRequest, session_id: int) -> HttpResponse:
    """Let the session go on with the removals before which it stopped (R14)."""
    found = get_object_or_404(_own_sessions(request.user.profile), pk=session_id)
    if _awaiting(request.user.profile) != found:
        return _too_late(request, found)
    going_on = runs.confirm_removals(session=found, now=timezone.now())
    return redirect("sync:session", session_id=going_on.pk)


@login_required
@require_POST
def keep(request: UserRequest, session_id: int) -> HttpResponse:
    """Keep what the session would have removed (R14)."""
    found = get_object_or_404(_own_sessions(request.user.profile), pk=session_id)
    if _awaiting(request.user.profile) != found:
        return _too_late(request, found)
    runs.keep(session=found)
    messages.success(request, _("Nothing has been removed."))
    return redirect("sync:session", session_id=found.pk)


@login_required
@require_POST
def use_other_value(request: UserRequest, outcome_id: int) -> HttpResponse:
    """Take the value that gave way in a conflict (R11); of participants one at a time, if the form names one (R7)."""
    profile = request.user.profile
    outcome = get_object_or_404(journal.unresolved(profile).select_related("activity"), pk=outcome_id)
    person = request.POST.get("person", "")
    try:
        journal.use_other_value(
            outcome=outcome, by=profile, now=timezone.now(), person=int(person) if person.isdecimal() else None
        )
    except journal.UnableToUseOtherValue as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The other value is used. The next session sends it to Google."))
    return _back(request, outcome)


@login_required
@require_POST
def dismiss(request: UserRequest, outcome_id: int) -> HttpResponse:
    """Leave a conflict as it was settled."""
    outcome = get_object_or_404(journal.unresolved(request.user.profile), pk=outcome_id)
    journal.dismiss(outcome=outcome, by=request.user.profile, now=timezone.now())
    return _back(request, outcome)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def remove_from_google(request: UserRequest, activity_id: int) -> HttpResponse:
    """Ask whether to delete the event of a frozen activity, or do it; the activity itself stays (R4)."""
    profile = request.user.profile
    activity = get_object_or_404(Activity.objects.visible_to(profile), pk=activity_id)
    try:
        if request.method != "POST":
            consequences = removal.consequences(activity=activity, profile=profile, now=timezone.now())
            context = {"activity": activity, "consequences": consequences}
            return render(request, "sync/remove_from_google.html", context)
        removal.remove_from_google(activity=activity, profile=profile, now=timezone.now())
    except removal.UnableToRemove as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The event is gone from Google Calendar. The activity stays."))
    return redirect(f"/activities/{activity.pk}/")


@login_required
@require_POST
def retry(request: UserRequest, outcome_id: int) -> HttpResponse:
    """Try a parked item of a session again, now (R19)."""
    profile = request.user.profile
    own = SyncOutcome.objects.filter(session__calendar__account__profile=profile, action=SyncOutcome.Action.PARKED)
    outcome = get_object_or_404(own.select_related("activity"), pk=outcome_id)
    links = EventLink.objects.filter(pk=outcome.link_id) if outcome.link_id else EventLink.objects.none()
    _let_retry(links, activity=outcome.activity, profile=profile)
    return synchronize_now(request)


@login_required
@require_POST
def retry_activity(request: UserRequest, activity_id: int) -> HttpResponse:
    """Try an activity that could not be synchronized again, now (R19)."""
    profile = request.user.profile
    activity = get_object_or_404(Activity.objects.visible_to(profile), pk=activity_id)
    link = explain.link_of(activity, calendar=SyncedCalendar.objects.filter(account=profile.google_account).first())
    links = EventLink.objects.filter(pk=link.pk) if link else EventLink.objects.none()
    _let_retry(links, activity=activity, profile=profile)
    return synchronize_now(request)


def _let_retry(links: QuerySet[EventLink], *, activity: Activity | None, profile: Profile) -> None:
    """Let the next session look at these links and this activity, however long they were to wait."""
    marks.mark_links(links)
    links.update(retry_at=None, attempts=0)
    if activity:
        marks.mark_activity(activity=activity, people=[profile.pk])


def _own_sessions(profile: Profile) -> QuerySet[SyncSession]:
    return SyncSession.objects.filter(calendar__account__profile=profile)


def _with_problems(found: QuerySet[SyncSession]) -> QuerySet[SyncSession]:
    """Fetch the first problems of each session along, one more than is shown, in one query."""
    problems = SyncOutcome.objects.filter(action=SyncOutcome.Action.PARKED).order_by("id")
    return found.prefetch_related(Prefetch("outcomes", problems[: PROBLEMS_IN_A_LIST + 1], to_attr="problems"))


def _session_context(request: UserRequest, found: SyncSession) -> dict[str, Any]:
    now = timezone.now()
    context = {"session": found, "now": now, "next_at": found.calendar.due_at} | _progress_context(found)
    if not found.is_finished:
        return context
    telling.was_read(found, now=now)
    outcomes = SyncOutcome.objects.filter(session=found).select_related("settled_by")
    page = _page(request, outcomes.exclude(action=SyncOutcome.Action.PARKED), size=OUTCOMES_A_PAGE)
    problems = list(outcomes.filter(action=SyncOutcome.Action.PARKED)[:OUTCOMES_A_PAGE])
    ids = [outcome.activity_id for outcome in [*page.object_list, *problems]]
    context |= {"page": page, "problems": problems, "activities": _visible(request.user.profile, ids)}
    awaiting = _awaiting(request.user.profile)
    if awaiting == found:
        context |= {"awaiting": found, "removals": [link.activity for link in runs.removals_waiting(found)]}
    return context


def _awaiting(profile: Profile) -> SyncSession | None:
    """Return the session that stopped before many removals, while a word about them would still count (R14)."""
    newest = _own_sessions(profile).select_related("calendar").first()
    return newest if newest and runs.removals_waiting(newest) else None


def _progress_context(found: SyncSession) -> dict[str, Any]:
    """Return how far a session is. What it has changed so far stands in its outcomes before it stands in its counts."""
    if found.is_finished:
        return {"stage": "finished"}
    changed = SyncOutcome.objects.filter(session=found).exclude(action__in=NO_CHANGES)
    return {
        "stage": _stage(found),
        "changed_here": changed.filter(direction=SyncOutcome.Direction.HERE).count(),
        "changed_in_google": changed.filter(direction=SyncOutcome.Direction.GOOGLE).count(),
    }


def _stage(found: SyncSession) -> str:
    """Return how far a session is: waiting, pausing, listing (reading Google's changes), comparing, or finished."""
    if found.is_finished:
        return "finished"
    if found.is_postponed:
        return "pausing"
    if found.status == SyncSession.Status.QUEUED:
        return "waiting"
    return "comparing" if found.items_total else "listing"


def _totals(planned: list[planning.PlannedAction]) -> list[dict[str, str]]:
    """Return the pills above the preview: how many go where, and how many stay frozen."""
    frozen = sum(action.action == SyncOutcome.Action.FROZEN for action in planned)
    parked = sum(action.action == SyncOutcome.Action.PARKED for action in planned)
    google = sum(action.direction == SyncOutcome.Direction.GOOGLE for action in planned if _moves(action))
    here = sum(action.direction == SyncOutcome.Direction.HERE for action in planned if _moves(action))
    pills = [
        (google, "open", _("%d to Google")),
        (here, "good", _("%d here")),
        (frozen, "late", _("%d frozen")),
        (parked, "bad", _("%d cannot be synchronized")),
    ]
    return [{"tone": tone, "text": text % count} for count, tone, text in pills if count]


def _moves(action: planning.PlannedAction) -> bool:
    return action.action not in (SyncOutcome.Action.FROZEN, SyncOutcome.Action.RESUMED, SyncOutcome.Action.PARKED)


def _visible(profile: Profile, ids: list[int | None]) -> dict[int, Activity]:
    """
    Return those of the activities that this person may open, by id. A series' own row leads to an occurrence.

    What they organize and was deleted is among them: there is no page to open any more, but it can be said when it was.
    """
    wanted = [pk for pk in set(ids) if pk]
    deleted = Activity.every.filter(organizer=profile, deleted_at__isnull=False)
    return Activity.every.visible_to(profile).in_bulk(wanted) | deleted.in_bulk(wanted)


def _set_up_form(request: UserRequest, *, settings: SyncSettings, account: ExternalAccount) -> SetUpForm:
    """Return the form. Google is asked for its calendars only when another one than before was chosen."""
    choices = setting_up.main_calendar(account)
    if request.POST.get("calendar_id", setting_up.MAIN_CALENDAR) not in (
        setting_up.MAIN_CALENDAR,
        settings.calendar_id,
    ):
        choices = setting_up.calendars(account)
    return SetUpForm(request.POST or None, instance=settings, profile=account.profile, calendars=choices)


def _page(request: UserRequest, rows: QuerySet[Any], *, size: int) -> Page:
    return Paginator(rows, size).get_page(request.GET.get("page"))


def _go(request: UserRequest, name: str, warning: str = "") -> HttpResponse:
    """Lead to another page, also when htmx asked for a part of this one."""
    if warning:
        messages.warning(request, warning)
    return HttpResponseClientRedirect(reverse(name)) if request.htmx else redirect(name)


def _too_late(request: UserRequest, found: SyncSession) -> HttpResponse:
    messages.warning(request, _("A later session has dealt with these items already."))
    return redirect("sync:session", session_id=found.pk)


def _back(request: UserRequest, outcome: SyncOutcome) -> HttpResponse:
    """Return to where the decision was made: the activity's page or the session's."""
    is_own = _own_sessions(request.user.profile).filter(pk=outcome.session_id).exists()
    if outcome.activity_id and (request.POST.get("from") == "activity" or not is_own):
        visible = Activity.objects.visible_to(request.user.profile)
        whole = Activity.every.filter(pk=outcome.activity_id, is_series=True).values("series")
        shown = visible.filter(Q(pk=outcome.activity_id) | Q(series__in=whole)).order_by("start").first()
        return redirect(f"/activities/{shown.pk}/" if shown else "/activities/")
    return redirect("sync:session", session_id=outcome.session_id)
