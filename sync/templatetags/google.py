"""What the pages of all sections show of the synchronization."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import template
from django.db.models import Count, Q
from django.http import HttpRequest
from django.template import RequestContext
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts.models import ExternalAccount, Profile
from activities.models import Activity
from notices.models import Notice
from sync import conflicts as journal
from sync import explain, removal, words
from sync.models import EventLink, SyncedCalendar, SyncOutcome, SyncSession
from sync.preview import PlannedAction
from sync.words import Look

register = template.Library()

PANEL_ICONS = {
    "in_google": "cloud-check",
    "not_in_google": "cloud-off",
    "frozen": "frozen",
    "parked": "alert",
    "pending": "clock",
    "leaving": "clock",
}
QUESTIONS = {
    "in_google": gettext_lazy("Why is this in Google?"),
    "pending": gettext_lazy("Why does this go to Google?"),
    "leaving": gettext_lazy("Why does this leave Google?"),
    "frozen": gettext_lazy("Why does nothing flow?"),
    "parked": gettext_lazy("Why could it not be synchronized?"),
}
CAN_SYNCHRONIZE = {"in_google", "frozen", "parked", "pending", "leaving"}


@register.inclusion_tag("sync/_google_panel.html", takes_context=True)
def google_panel(context: RequestContext, activity: Activity) -> dict[str, Any]:
    """Show whether an activity is in Google, why, and what gave way there (R21)."""
    profile = context["request"].user.profile
    now = timezone.now()
    explanation = _explained(context, activity, now=now)
    return {
        "activity": activity,
        "explanation": explanation,
        "pending": words.pending(explanation.pending, profile=profile),
        "icon": PANEL_ICONS.get(explanation.state, "cloud-off"),
        "question": QUESTIONS.get(explanation.state, _("Why is this not in Google?")),
        "google_address": explanation.html_link if explanation.html_link.startswith(("https://", "http://")) else "",
        "can_be_removed": explanation.state == "frozen" and removal.why_not(explanation.link) is None,
        "can_synchronize": explanation.state in CAN_SYNCHRONIZE and not explanation.is_paused,
        "now": now,
        "request": context["request"],
        "csrf_token": context.get("csrf_token"),
    }


@register.inclusion_tag("sync/_pill.html", takes_context=True)
def google_pill(context: RequestContext, activity: Activity) -> dict[str, Any]:
    """Say in one line whether an activity is in Google, for the mini page."""
    now = timezone.now()
    explanation = _explained(context, activity, now=now)
    icon = PANEL_ICONS.get(explanation.state, "cloud-off")
    return {"explanation": explanation, "icon": icon, "now": now}


@register.simple_tag(takes_context=True)
def why_event_stays(context: RequestContext, activity: Activity) -> str:
    """Return, for whoever is about to delete an activity, why its event stays in Google; empty if it goes too (R4)."""
    explanation = _explained(context, activity, now=timezone.now())
    if explanation.state != "frozen":
        return ""
    stays = _("Its synchronization is frozen, so the event stays in Google Calendar.")
    if removal.why_not(explanation.link) is not None:
        return stays
    step = _("To delete the event as well, choose Remove from Google Calendar on its page first.")
    return f"{stays} {step}"


@register.simple_tag
def activities_in_google(activities: Iterable[Activity]) -> set[int]:
    """Return the ids of those of the activities that are in somebody's Google Calendar, in one query."""
    shown = list(activities)
    if not shown:
        return set()
    links = EventLink.objects.filter(state__in=EventLink.SHOWN_AS_HELD)
    found = set(links.filter(activity__in=shown).values_list("activity_id", flat=True))
    series = {activity.series_id for activity in shown if activity.series_id}
    if series:
        linked = set(links.filter(series__in=series, activity__is_series=True).values_list("series_id", flat=True))
        found |= {activity.pk for activity in shown if activity.series_id in linked}
    return found


@register.inclusion_tag("sync/_menu.html", takes_context=True)
def synchronize_menu(context: RequestContext) -> dict[str, Any]:
    """Show Synchronize now, Set up… and Sessions, for the menu Actions; without an account an offer to add one."""
    return {
        "account": _account_of(context["request"]),
        "csrf_token": context.get("csrf_token"),
    }


def _account_of(request: HttpRequest) -> ExternalAccount | None:
    """Return the Google account of who asks. Several parts of a page want it, which ask the database once."""
    if not hasattr(request, "_google_account"):
        request._google_account = request.user.profile.google_account  # type: ignore[attr-defined, union-attr]
    return request._google_account  # type: ignore[attr-defined]


@register.inclusion_tag("sync/_status.html", takes_context=True)
def sync_status(context: RequestContext, *, replaces: bool = False) -> dict[str, Any]:
    """
    Show in the section panel how the synchronization stands; nothing for people without an account.

    With `replaces` it comes along with a part of a page and takes the place of what the panel shows.
    """
    account = _account_of(context["request"])
    if account is None:
        return {}
    latest = SyncSession.objects.filter(calendar__account=account).select_related("calendar").first()
    calendar = latest.calendar if latest else SyncedCalendar.objects.filter(account=account).first()
    tone, text = _status(account, calendar, latest, now=timezone.now())
    return {"tone": tone, "text": text, "replaces": replaces}


@register.simple_tag
def session_of(notice: Notice) -> SyncSession | None:
    """Return the session that the bell tells of, with the number of its problems."""
    problems = Count("outcomes", filter=Q(outcomes__action=SyncOutcome.Action.PARKED))
    return SyncSession.objects.filter(pk=notice.reference).annotate(problems=problems).first()


@register.filter
def moment(at: datetime | None, now: datetime | None = None) -> str:
    """Write a time as people say it: “Today, 10:35”."""
    return words.moment(at, now=now or timezone.now())


@register.filter
def takes_place(activity: Activity, now: datetime) -> str:
    """Write when an activity begins as people say it: “Today, 10:35”; of an all-day one its day."""
    if activity.all_day and activity.start_date:
        words_of_day = words.day(activity.start_date, today=timezone.localdate(now))
        return _("%(day)s, all day") % {"day": words_of_day}
    return words.moment(activity.start, now=now)


@register.filter
def look_of(item: Any) -> Look:
    """Return icon, tone and words of an outcome or a planned action."""
    return words.look(item.action, item.direction, rule=item.rule)


@register.filter
def took(session: SyncSession) -> str:
    """Write how long a session took: “3 seconds”."""
    seconds = round(session.seconds or 0)
    return ngettext("%d second", "%d seconds", seconds) % seconds if seconds else _("under a second")


@register.filter
def session_icon(session: SyncSession) -> str:
    return words.SESSION_ICONS.get(session.status, "info")


@register.filter
def field_name(outcome: SyncOutcome | PlannedAction) -> str:
    return words.field_name(outcome.field)


@register.filter
def changes(outcome: SyncOutcome | PlannedAction) -> list[tuple[str, str, str]]:
    """Return what an outcome changed: field, before, after."""
    return words.changes(outcome)


@register.filter
def kept_in_words(outcome: SyncOutcome | PlannedAction) -> str:
    return words.value(outcome.field, journal.kept_value(outcome))


@register.filter
def other_in_words(outcome: SyncOutcome | PlannedAction) -> str:
    return words.value(outcome.field, journal.other_value(outcome))


@register.simple_tag(takes_context=True)
def why_not_taken_back(context: RequestContext, outcome: SyncOutcome) -> str:
    """Return why this person cannot use the other value of a conflict; empty if they can (R6)."""
    return journal.why_not(outcome, profile=context["request"].user.profile) or ""


@register.filter
def people_at_stake(outcome: SyncOutcome) -> list[tuple[Profile, bool]]:
    """Return the people that a conflict is still about, and whether the other value has them."""
    return journal.people_at_stake(outcome)


@register.filter
def counts_in_words(session: SyncSession, side: str) -> str:
    """Write a session's counts of one side ("here", "in_google") as “1 added, 2 updated”, or “nothing”."""
    verbs = {"added": _("added"), "updated": _("updated"), "removed": _("removed")}
    counts = {word: getattr(session, f"{verb}_{side}") for verb, word in verbs.items()}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count) or _("nothing")


@register.filter
def item(mapping: dict[Any, Any], key: Any) -> Any:
    """Return the mapping's value of a key, None without one."""
    return mapping.get(key)


def _explained(context: RequestContext, activity: Activity, *, now: datetime) -> explain.Explanation:
    """Return how an activity stands in Google; what one page asks twice is looked up once."""
    request = context["request"]
    known: dict[int, explain.Explanation] = vars(request).setdefault("_explained", {})
    if activity.pk not in known:
        known[activity.pk] = explain.explain(activity=activity, profile=request.user.profile, now=now)
    return known[activity.pk]


def _status(
    account: ExternalAccount, calendar: SyncedCalendar | None, latest: SyncSession | None, *, now: datetime
) -> tuple[str, str]:
    if account.status == ExternalAccount.Status.RECONNECT_NEEDED:
        return "late", _("Google needs reconnecting")
    if account.paused:
        return "late", _("Synchronization is paused")
    if latest and not latest.is_finished:
        return "open", _("Synchronizing…")
    if latest and latest.status in (SyncSession.Status.FAILED, SyncSession.Status.NEEDS_CONFIRMATION):
        return latest.tone, _("Synchronization: %s") % latest.get_status_display().lower()
    if calendar is None or calendar.synchronized_at is None:
        return "final", _("Not synchronized yet")
    local = timezone.localtime(calendar.synchronized_at)
    is_today = local.date() == timezone.localdate(now)
    return "good", _("Synchronized %s") % (f"{local:%H:%M}" if is_today else words.moment(local, now=now))
