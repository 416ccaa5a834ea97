"""
Activities in the administration.

What is saved here is announced and logged like everything else, so the synchronization sees it; as a change of somebody
who is not the Organizer it may be put back by the next session (R6). Other people's private activities and tags are not
to be found here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import Profile
from activities import services
from activities.models import Activity, FieldChange, Participant, Series, Tag


def _readable(profile: Profile) -> QuerySet[Activity]:
    """
    Return the activities an administrator may read, heads of series among them.

    Of private ones that is only what they see as a person (R8).
    """
    visible = Activity.every.visible_to(profile)
    return Activity.every.filter(Q(is_private=False) | Q(pk__in=visible.values("pk")))


class ActivityAdminForm(forms.ModelForm):
    class Meta:
        model = Activity
        # Not `tags`: saving them would take off the private tags this administrator may not see.
        fields = [
            "subject", "kind", "category", "status", "priority", "start", "due", "all_day", "start_date", "due_date",
            "time_zone", "owner", "reporter", "organizer", "show_in_calendar", "is_private", "show_as_free", "location",
            "notes", "result", "result_details",
        ]  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["start"].required = self.fields["due"].required = False  # Days may say it instead.

    def clean(self) -> dict[str, Any]:
        """Dates rule an all-day activity, and a timed one has none (R16)."""
        values = super().clean() or self.cleaned_data
        first = values.get("start_date")
        for name in ("start", "due", "start_date", "due_date"):
            if values.get(name) and (reason := services.why_not_plannable(values[name])):
                self.add_error(name, reason)
        if self.errors:
            return values
        if not values.get("all_day"):
            values["start_date"] = values["due_date"] = None
            for name in ("start", "due"):
                if not values.get(name) and name not in self.errors:
                    self.add_error(name, _("This field is required."))
        elif first is None:
            self.add_error("start_date", _("An all-day activity needs its first day."))
        elif values.get("time_zone"):
            last = values["due_date"] = values.get("due_date") or first
            if last < first:
                self.add_error("due_date", _("The last day cannot be earlier than the first."))
            else:
                scratch = Activity(time_zone=values["time_zone"])
                scratch.set_days(first=first, last=last)
                values["start"], values["due"] = scratch.start, scratch.due
        return values


class ParticipantInline(admin.TabularInline):
    model = Participant
    extra = 0
    fields = ["profile", "response", "displayed", "address"]
    autocomplete_fields = ["profile"]


@admin.register(Activity)
class ActivityAdmin(admin.ModelAdmin):
    form = ActivityAdminForm
    inlines = [ParticipantInline]
    list_display = ["__str__", "start", "due", "status", "owner", "organizer", "made_in_google", "deleted_at"]
    list_filter = ["status", "kind", "category", "made_in_google", "all_day"]
    list_select_related = ["owner", "organizer"]
    search_fields = ["subject", "location"]
    date_hierarchy = "start"
    autocomplete_fields = ["owner", "reporter", "organizer"]
    readonly_fields = [
        "uid", "made_in_google", "google_organizer", "google_read_only_reason", "join_link", "other_guests", "series",
        "original_start", "created_at", "modified_at", "deleted_at",
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Activity]:
        return super().get_queryset(request).filter(pk__in=_readable(request.user.profile).values("pk"))  # type: ignore[union-attr]

    def has_delete_permission(self, request: HttpRequest, obj: Activity | None = None) -> bool:
        """Deleting is the Organizer's, on the activity page: a row gone from here leaves its event behind (R14)."""
        return False

    def save_model(self, request: HttpRequest, obj: Activity, form: Any, change: bool) -> None:
        """Remember what was, for the log that `save_related` writes once the participants are saved, too."""
        before = Activity.objects.get(pk=obj.pk) if change else None
        form.values_before = services.field_values(before) if before else {}
        form.organizer_before = before.organizer_id if before else None
        form.people_before = services.people_of(before) if before else set()
        form.participants_before = _participants(before) if before else set()
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        activity, by, now = form.instance, request.user.profile, timezone.now()  # type: ignore[union-attr]
        after = services.field_values(Activity.objects.get(pk=activity.pk))
        before = form.values_before or dict.fromkeys(after)
        if not change:
            FieldChange.objects.create(activity=activity, field="created", by=by, at=now)
        else:
            changed = {name: value for name, value in after.items() if value != before[name]}
            if activity.original_start:
                of_all = {name: changed.pop(name) for name in services.OF_THE_SERIES & changed.keys()}
                if of_all:
                    services.change_series(activity, before=before, after=of_all, by=by, now=now)
            services.log(activity, before=before, after=changed, by=by, now=now)
            if activity.organizer_id != form.organizer_before:
                services.log(
                    activity,
                    before={"organizer": form.organizer_before},
                    after={"organizer": activity.organizer_id},
                    by=by,
                    now=now,
                )
            self._log_people(activity, before=form.participants_before, by=by)
        services.announce(activity, by=by, people_before=form.people_before)

    def _log_people(self, activity: Activity, *, before: set[int], by: Profile) -> None:
        after, now = _participants(activity), timezone.now()
        for profile in Profile.objects.filter(pk__in=before ^ after):
            gone = profile.pk in before
            FieldChange.objects.create(
                activity=activity,
                field="people",
                before=profile.full_name if gone else None,
                after=None if gone else profile.full_name,
                by=by,
                at=now,
            )


def _participants(activity: Activity) -> set[int]:
    """Return the profile ids of who takes part."""
    return set(Participant.objects.filter(activity=activity).values_list("profile_id", flat=True))


def _selected_by(tags: Iterable[Tag]) -> list[Activity]:
    """Return the activities with one of these tags; series as a whole, by their heads (R1)."""
    return list(Activity.every.filter(tags__in=list(tags), original_start=None).distinct())


@admin.register(Tag)
class TagAdmin(admin.ModelAdmin):
    """Corporate and public tags, and the administrator's own private ones (R1)."""

    list_display = ["name", "kind", "owner"]
    list_filter = ["kind"]
    search_fields = ["name"]
    autocomplete_fields = ["owner"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tag]:
        return super().get_queryset(request).visible_to(request.user.profile)  # type: ignore[attr-defined, union-attr]

    def save_model(self, request: HttpRequest, obj: Tag, form: Any, change: bool) -> None:
        """A tag of another kind, or of somebody else, lets other activities go to Google (R1c, R1d)."""
        super().save_model(request, obj, form, change)
        if change:
            self._announce(_selected_by([obj]), request)

    def delete_model(self, request: HttpRequest, obj: Tag) -> None:
        activities = _selected_by([obj])
        super().delete_model(request, obj)
        self._announce(activities, request)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Tag]) -> None:
        activities = _selected_by(queryset)
        super().delete_queryset(request, queryset)
        self._announce(activities, request)

    def _announce(self, activities: list[Activity], request: HttpRequest) -> None:
        for activity in activities:
            services.announce(activity, by=request.user.profile)  # type: ignore[union-attr]


class ReadOnlyAdmin(admin.ModelAdmin):
    """To look at: what writes these rows is code."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Series)
class SeriesAdmin(ReadOnlyAdmin):
    list_display = ["id", "__str__", "time_zone", "first_start"]


@admin.register(FieldChange)
class FieldChangeAdmin(ReadOnlyAdmin):
    list_display = ["at", "activity", "field", "origin", "by"]
    list_filter = ["origin", "field"]
    list_select_related = ["activity", "by"]
    search_fields = ["activity__subject"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[FieldChange]:
        return super().get_queryset(request).filter(activity__in=_readable(request.user.profile))  # type: ignore[union-attr]
