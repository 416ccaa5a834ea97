"""
Administration of the synchronization: to look at what runs and what went wrong, with a few things to set going.

Administrators see no more of other people's activities than anybody else does: what they may not open stands there as
“Private”, and neither the contents of events nor Google's tokens are shown at all (R8).
"""

from __future__ import annotations

import re
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import BooleanField, Case, Exists, F, Model, OuterRef, Q, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import ExternalAccount
from activities.models import Activity
from sync import explain, marks
from sync import sessions as runs
from sync.models import ActivityMark, EventLink, Meeting, SyncedCalendar, SyncOutcome, SyncSession, SyncSettings

PRIVATE = _("Private")
MOST_DIGITS = 16  # Of a number that may be an activity's.
QUOTED = re.compile(r"“[^”]*”")  # Reasons quote subjects and tags.


class ReadOnlyAdmin(admin.ModelAdmin):
    """To look at: these rows belong to the synchronization, and changing them by hand would mislead it."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class OfActivitiesAdmin(ReadOnlyAdmin):
    """
    Rows about one activity each, which say its subject only to those who may open it.

    `own` is the path to the profile of the person whose synchronization the row belongs to; that person sees it all.
    """

    own = ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        profile = request.user.profile  # type: ignore[union-attr]
        is_own = Q(**{self.own: profile.pk}) if self.own else Q(pk=None)
        visible = Exists(Activity.objects.visible_to(profile).filter(pk=OuterRef("activity")))
        return (
            super()
            .get_queryset(request)
            .annotate(
                is_own=Case(When(is_own, then=Value(True)), default=Value(False), output_field=BooleanField()),
                may_see=Case(When(is_own, then=Value(True)), default=visible, output_field=BooleanField()),
                subject=F("activity__subject"),
            )
        )

    @admin.display(description=_("activity"))
    def activity_subject(self, row: Any) -> str:
        if row.activity_id is None:
            return "–"
        return (
            format_html('<a href="/activities/{}/">{}</a>', row.activity_id, row.subject or _("(no subject)"))
            if row.may_see
            else str(PRIVATE)
        )


@admin.register(SyncSettings)
class SyncSettingsAdmin(ReadOnlyAdmin):
    """What people chose on the set-up page. A private tag's name is nobody else's business (R1)."""

    list_display = ["profile", "automatic", "period_minutes", "sync_from", "tag_choice", "calendar_id", "tell_guests"]
    list_filter = ["automatic", "period_minutes"]
    list_select_related = ["profile"]
    search_fields = ["profile__full_name", "profile__user__username"]
    fields = ["profile", "automatic", "period_minutes", "sync_from", "tag_choice", "calendar_id", "tell_guests"]

    @admin.display(description=_("synchronization tag"))
    def tag_choice(self, settings: SyncSettings) -> str:
        return str(_("one private tag") if settings.tag_id else _("any private tag"))


@admin.register(SyncedCalendar)
class SyncedCalendarAdmin(ReadOnlyAdmin):
    """How far each account's calendar has been read, when it is due, and who runs it now."""

    list_display = [
        "account",
        "person",
        "state",
        "calendar_id",
        "synchronized_at",
        "due_at",
        "is_running",
        "links_held",
    ]
    list_filter = ["account__status", "account__paused"]
    list_select_related = ["account__profile"]
    search_fields = ["account__login", "account__profile__full_name"]
    fields = [
        "account", "person", "state", "calendar_id", "time_zone", "read_from", "is_reading_completely",
        "complete_read", "compare_all", "compared_at", "due_at", "lease_until", "synchronized_at", "links_held",
        "to_explain",
    ]  # fmt: skip
    actions = ["synchronize_now", "look_at_everything", "pause", "resume"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncedCalendar]:
        # Neither the tokens of the account nor those of the reading are needed here, or shown.
        held = super().get_queryset(request)
        return held.defer("sync_token", "page_token")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether this administrator may set sessions going and stop them; asked by the actions."""
        return request.user.has_perm("accounts.change_externalaccount")

    @admin.display(description=_("person"), ordering="account__profile__full_name")
    def person(self, calendar: SyncedCalendar) -> str:
        return calendar.account.profile.full_name

    @admin.display(description=_("state"))
    def state(self, calendar: SyncedCalendar) -> str:
        label = calendar.account.get_status_display()
        return f"{label}, {_('paused')}" if calendar.account.paused else label

    @admin.display(description=_("running"), boolean=True)
    def is_running(self, calendar: SyncedCalendar) -> bool:
        return bool(calendar.lease_until and calendar.lease_until > timezone.now())

    @admin.display(description=_("links"))
    def links_held(self, calendar: SyncedCalendar) -> int:
        return calendar.links.exclude(state=EventLink.State.SEEN).count()

    def get_urls(self) -> list[Any]:
        explain = self.admin_site.admin_view(self.explain_activity)
        return [path("<int:calendar_id>/explain/", explain, name="sync_syncedcalendar_explain"), *super().get_urls()]

    @admin.display(description=_("explain"))
    def to_explain(self, calendar: SyncedCalendar) -> str:
        address = reverse("admin:sync_syncedcalendar_explain", args=[calendar.pk])
        return format_html('<a href="{}">{}</a>', address, _("Why is an activity (not) in this calendar?"))

    def explain_activity(self, request: HttpRequest, calendar_id: int) -> HttpResponse:
        """Say why an activity is, or is not, in this calendar, and nothing of what it is about (R21)."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        calendar = get_object_or_404(SyncedCalendar.objects.select_related("account__profile"), pk=calendar_id)
        profile, wanted = calendar.account.profile, request.GET.get("activity", "").strip()
        number = int(wanted) if wanted.isdecimal() and len(wanted) < MOST_DIGITS else 0
        activity = Activity.every.filter(pk=number).first()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Why is an activity (not) in the calendar of %s?") % profile.full_name,
            "opts": self.opts,
            "calendar": calendar,
            "wanted": wanted,
            "is_unknown": bool(wanted) and activity is None,
        }
        if activity:
            found = explain.explain(activity=activity, profile=profile, now=timezone.now())
            is_own = profile == request.user.profile  # type: ignore[union-attr]
            reasons = [
                (reason.met, reason.rule, _without_quotations(reason.text, is_own=is_own)) for reason in found.reasons
            ]
            context |= {"found": found, "activity": activity, "reasons": reasons}
            context |= {"step": _without_quotations(found.next_step, is_own=is_own)}
        return render(request, "admin/sync/explain.html", context)

    @admin.action(description=_("Synchronize now"), permissions=["operate"])
    def synchronize_now(self, request: HttpRequest, calendars: QuerySet[SyncedCalendar]) -> None:
        able = calendars.filter(
            account__status=ExternalAccount.Status.CONNECTED,
            account__paused=False,
            account__profile__sync_settings__isnull=False,
        )
        count = 0
        for calendar in able:
            runs.request(calendar=calendar, trigger=SyncSession.Trigger.MANUAL, now=timezone.now())
            count += 1
        self.message_user(request, ngettext("%d session asked for.", "%d sessions asked for.", count) % count)
        if left_out := calendars.count() - count:
            text = _("%d left out: paused, to be reconnected, or not set up by their owner.") % left_out
            self.message_user(request, text, level=messages.WARNING)

    @admin.action(description=_("Let the next session look at everything"), permissions=["operate"])
    def look_at_everything(self, request: HttpRequest, calendars: QuerySet[SyncedCalendar]) -> None:
        for calendar in calendars:
            marks.mark_everything(calendar=calendar)
        self.message_user(request, _("The next sessions compare every activity and every event."))

    @admin.action(description=_("Pause the account"), permissions=["operate"])
    def pause(self, request: HttpRequest, calendars: QuerySet[SyncedCalendar]) -> None:
        self._set_paused(request, calendars, paused=True)

    @admin.action(description=_("Resume the account"), permissions=["operate"])
    def resume(self, request: HttpRequest, calendars: QuerySet[SyncedCalendar]) -> None:
        self._set_paused(request, calendars, paused=False)

    def _set_paused(self, request: HttpRequest, calendars: QuerySet[SyncedCalendar], *, paused: bool) -> None:
        accounts = ExternalAccount.objects.filter(pk__in=calendars.values("account"))
        count = accounts.update(paused=paused)
        text = (
            ngettext("%d account paused.", "%d accounts paused.", count)
            if paused
            else ngettext("%d account resumed.", "%d accounts resumed.", count)
        )
        self.message_user(request, text % count)


@admin.register(EventLink)
class EventLinkAdmin(OfActivitiesAdmin):
    """Which activity is which event. What the event says is not shown."""

    own = "calendar__account__profile"
    list_display = ["event_id", "calendar", "state", "activity_subject", "is_marked", "parked", "settled_at"]
    list_filter = ["state", "is_marked", ("retry_at", admin.EmptyFieldListFilter)]
    list_select_related = ["calendar__account"]
    search_fields = ["event_id", "ical_uid", "calendar__account__login"]
    fields = [
        "calendar", "google_calendar_id", "event_id", "incarnation", "ical_uid", "activity_subject", "series", "state",
        "etag", "is_marked", "seen_in_read", "parked", "rule", "attempts", "retry_at", "settled_at",
    ]  # fmt: skip
    actions = ["retry"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[EventLink]:
        return super().get_queryset(request).defer("event", "base_here", "base_google", "guest_addresses")

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether this administrator may have items tried again; asked by the action."""
        return request.user.has_perm("accounts.change_externalaccount")

    @admin.display(description=_("reason"))
    def parked(self, link: Any) -> str:
        return _without_quotations(link.reason, is_own=link.is_own)

    @admin.action(description=_("Retry with the next session"), permissions=["operate"])
    def retry(self, request: HttpRequest, links: QuerySet[EventLink]) -> None:
        chosen = EventLink.objects.filter(pk__in=links.values("pk"))
        count = chosen.update(retry_at=None, attempts=0)
        marks.mark_links(chosen)
        self.message_user(request, ngettext("%d item is tried again.", "%d items are tried again.", count) % count)


@admin.register(Meeting)
class MeetingAdmin(OfActivitiesAdmin):
    """The one activity of a meeting that several people have in their calendars (R9)."""

    list_display = ["key", "activity_subject"]
    search_fields = ["key"]
    fields = ["key", "activity_subject"]


@admin.register(ActivityMark)
class ActivityMarkAdmin(OfActivitiesAdmin):
    """What the next sessions will look at."""

    own = "calendar__account__profile"
    list_display = ["id", "calendar", "activity_subject", "mark", "retry_at"]
    list_select_related = ["calendar__account"]
    search_fields = ["calendar__account__login"]
    fields = ["calendar", "activity_subject", "mark"]


@admin.register(SyncSession)
class SyncSessionAdmin(ReadOnlyAdmin):
    """All sessions of all accounts, newest first."""

    list_display = ["queued_at", "person", "trigger", "status", "here", "in_google", "requests_made", "error"]
    list_filter = ["status", "trigger", "queued_at"]
    list_select_related = ["calendar__account__profile"]
    search_fields = ["calendar__account__login", "calendar__account__profile__full_name", "error"]
    date_hierarchy = "queued_at"
    fields = [
        "calendar", "person", "trigger", "status", "queued_at", "started_at", "resume_at", "finished_at", "here",
        "in_google", "passes", "requests_made", "events_listed", "items_done", "items_total", "error", "rule",
    ]  # fmt: skip

    @admin.display(description=_("person"), ordering="calendar__account__profile__full_name")
    def person(self, session: SyncSession) -> str:
        return session.calendar.account.profile.full_name

    @admin.display(description=_("here: added, updated, removed"))
    def here(self, session: SyncSession) -> str:
        return f"{session.added_here}, {session.updated_here}, {session.removed_here}"

    @admin.display(description=_("in Google: added, updated, removed"))
    def in_google(self, session: SyncSession) -> str:
        return f"{session.added_in_google}, {session.updated_in_google}, {session.removed_in_google}"


@admin.register(SyncOutcome)
class SyncOutcomeAdmin(OfActivitiesAdmin):
    """What sessions did or could not do. Choose the action “Could not be synchronized” for the problems."""

    own = "session__calendar__account__profile"
    list_display = ["at", "person", "masked_item", "action", "direction", "rule", "masked_reason", "is_resolved"]
    list_filter = ["action", "direction", "is_resolved", "at"]
    list_select_related = ["session__calendar__account__profile"]
    search_fields = ["rule", "session__calendar__account__login", "session__calendar__account__profile__full_name"]
    date_hierarchy = "at"
    ordering = ["-id"]
    fields = [
        "at", "session", "person", "masked_item", "direction", "action", "field", "kept", "rule", "masked_reason",
        "masked_error", "is_resolved", "settled_for", "settled_by", "settled_at",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncOutcome]:
        return super().get_queryset(request).defer("here", "google")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the row with its item masked: the page also puts it in its title and its path."""
        outcome = super().get_object(request, object_id, from_field)
        if outcome is not None:
            outcome.item = self.masked_item(outcome)
        return outcome

    @admin.display(description=_("person"), ordering="session__calendar__account__profile__full_name")
    def person(self, outcome: SyncOutcome) -> str:
        return outcome.session.calendar.account.profile.full_name

    @admin.display(description=_("item"))
    def masked_item(self, outcome: Any) -> str:
        return outcome.item if outcome.may_see else str(PRIVATE)

    @admin.display(description=_("reason"))
    def masked_reason(self, outcome: Any) -> str:
        return _without_quotations(outcome.reason, is_own=outcome.is_own)

    @admin.display(description=_("error"))
    def masked_error(self, outcome: Any) -> str:
        return _without_quotations(outcome.error, is_own=outcome.is_own)


def _without_quotations(reason: str, *, is_own: bool) -> str:
    """
    Return a reason without what it quotes, unless it is the reader's own.

    Whoever may open the activity may still not know the private tags that brought it to Google (R1).
    """
    return reason if is_own else QUOTED.sub("“…”", reason)
