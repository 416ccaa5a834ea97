"""The pages of the section. Who may see what is decided in one place: `Activity.objects.visible_to`."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.http import UserRequest
from accounts.models import CommunicationOption, Profile
from activities import (
    attachment_views,
    attachments,
    columns,
    dashboard_views,
    feed,
    forms,
    meanwhile,
    selectors,
    series,
    services,
    week,
    words,
)
from activities.models import Activity, Attachment, Participant, Tag
from activities.repeat_form import SCOPES

ROWS_ON_A_PAGE = 50
PEOPLE_OFFERED = 200  # In the filter's menu; more would be no menu any more.
# Which days a calendar shows.
SHOWS = {
    "day": gettext_lazy("Day"),
    "work_week": gettext_lazy("Work week"),
    "week": gettext_lazy("Week"),
    "month": gettext_lazy("Month"),
    "agenda": gettext_lazy("Agenda"),
}


@login_required
@require_safe
def section(request: UserRequest) -> HttpResponse:
    """The calendar, the list or the dashboards. A search without a view is a list, to be read from top to bottom."""
    profile, now = request.user.profile, timezone.now()
    filters = selectors.read_filters(request.GET, profile=profile, now=now)
    view = request.GET.get("view") or ("list" if filters.search else "calendar")
    if view == "list":
        return _list(request, filters=filters, now=now)
    if view == "dashboards":
        context = _of_a_period(request, filters=filters, view=view)
        return dashboard_views.dashboards(request, filters=filters, now=now, context=context)
    return _calendar(request, filters=filters, now=now)


def _calendar(request: UserRequest, *, filters: selectors.Filters, now: datetime) -> HttpResponse:
    profile = request.user.profile
    here = now.astimezone(profile.zone)
    today = here.date()
    chosen = _chosen_day(request, filters=filters, today=today)
    first = week.first_day_of_week(chosen)
    show = _show(request, filters=filters)
    context = _calendar_bar_context(request, filters=filters, chosen=chosen, today=today, show=show)
    if request.headers.get("HX-Target") == "calendar-bar":
        return render(request, "activities/_calendar_bar.html", context)
    laid_out, activities = selectors.week_of(filters=filters, profile=profile, first=first)
    is_this_week = first == week.first_day_of_week(today)

    def address(day: date | None, **changes: Any) -> str:
        return _address(filters, view="calendar", date=day, **{"show": show, **changes})

    context |= {
        "week": laid_out,
        "activities": activities,
        "days": [
            {
                "date": day.date,
                "blocks": day.blocks,
                "address": address(day.date),
                "is_today": day.date == today,
                "is_chosen": day.date == chosen,
                "is_weekend": day.date.weekday() >= 5,
            }
            for day in laid_out.days
        ],
        "chosen_column": (chosen - first).days + 1,
        "first": first,
        "last": laid_out.days[-1].date,
        "range": words.range_of_days(first, laid_out.days[-1].date),
        "week_number": first.isocalendar().week,
        "hours": [f"{hour:02}:00" for hour in range(laid_out.first_hour, laid_out.last_hour)],
        "zone_name": f"{here:%Z}",
        "now": now,
        "minutes_now": here.hour * 60 + here.minute,
        "is_now_shown": is_this_week and laid_out.first_hour <= here.hour < laid_out.last_hour,
        "previous": address(chosen - timedelta(weeks=1)),
        "next": address(chosen + timedelta(weeks=1)),
        "to_today": address(None),
        "show": show,
        "shows": [(name, label, address(chosen, show=name)) for name, label in SHOWS.items()],
        "chosen": chosen,
        "scopes": SCOPES,
        "words": _words_of_the_calendar(),
    }
    return render(request, "activities/calendar.html", context)


def _calendar_bar_context(
    request: UserRequest, *, filters: selectors.Filters, chosen: date, today: date, show: str
) -> dict[str, Any]:
    """Return what toolbar and quick filters need beside a calendar."""
    first, this_week = week.first_day_of_week(chosen), week.first_day_of_week(today)
    kept = [("date", chosen), *([("show", show)] if show else [])]

    def address(day: date) -> str:
        return _address(filters, view="calendar", date=day, show=show)

    return _filters_context(request, filters=filters, view="calendar", kept=kept) | {
        "first": first,
        "last": first + timedelta(days=6),
        "views": _views(filters, view="calendar", date=None if first == this_week else first),
        "new_query": "&calendar=1" + ("" if chosen == today else f"&start={chosen}"),
        "period_name": selectors.PERIODS.get(selectors.name_of_week(first, today=today)),
        "periods": [
            (
                selectors.PERIODS[name],
                address(today + timedelta(weeks=weeks)),
                first == this_week + timedelta(weeks=weeks),
            )
            for name, weeks in selectors.WEEKS.items()
        ],
    }


def _show(request: UserRequest, *, filters: selectors.Filters) -> str:
    """Return which days the address asks for, or the length of its period; "" leaves it to the browser."""
    asked = request.GET.get("show", "")
    if asked in SHOWS or "period" not in request.GET or filters.days is None:
        return asked if asked in SHOWS else ""
    days = (filters.days[1] - filters.days[0]).days + 1
    if days == 1:
        return "day"
    return "month" if days > week.DAYS_OF_A_WEEK else ""


def _words_of_the_calendar() -> dict[str, Any]:
    """Return what the calendar's script says, in the reader's language."""
    return {
        "region": _("Days and hours"),
        "fresh": _("New activity"),
        "openDay": _("Show this day"),
        "nothing": _("There are no records matching the filter criteria."),
        "more": _("+ %d more"),
        "close": _("Close"),
        "time": _("Time"),
        "event": _("Activity"),
        "week": _("Week %d"),
        "dayStep": [_("Previous day"), _("Next day")],
        "weekStep": [_("Previous week"), _("Next week")],
        "monthStep": [_("Previous month"), _("Next month")],
        "open": _("Open"),
        "undo": _("Undo"),
        "undone": _("Taken back."),
        "unsaved": _("Save what you typed, or close it first."),
        "unreachable": _("The server cannot be reached. Nothing has been changed."),
        "gone": _("This activity is not there any more, or not for you to see."),
        "failed": _("Something went wrong on the server. Nothing has been changed; try again."),
    }


def _chosen_day(request: UserRequest, *, filters: selectors.Filters, today: date) -> date:
    """Return the day that lies in the week to show, and is the one shown on a phone."""
    day = selectors.read_date(request.GET.get("date"))
    if day:
        return day
    return _start_elsewhere(filters) or today


def _list(request: UserRequest, *, filters: selectors.Filters, now: datetime) -> HttpResponse:
    profile = request.user.profile
    layout = columns.of(profile)
    shown, order = layout.columns, request.GET.get("sort") or layout.order  # An address may have an order of its own.
    found = selectors.sort(selectors.matching(filters=filters, profile=profile), order=order)
    pages = selectors.OnePassPaginator(
        found, size=ROWS_ON_A_PAGE, load=lambda ids: selectors.rows_of_list(ids, profile=profile)
    )
    page = pages.get_page(request.GET.get("page"))
    context = _of_a_period(request, filters=filters, view="list") | {
        "page": page,
        "activities": list(page.object_list),
        "columns": _columns(order=order, shown=shown),
        "shown": frozenset(shown),  # Their cells come in the order of `columns.COLUMNS`, as what is chosen does.
        "columns_to_choose": [(name, label, name in shown) for name, label in columns.COLUMNS.items()],
        "selection": _selection(request, page_number=page.number),
        "now": now,
        "clear_filters": _without_filters(request),
        "is_section_empty": not page.paginator.count and selectors.is_section_empty(profile),
    }
    return render(request, "activities/list.html", context)


def _of_a_period(request: UserRequest, *, filters: selectors.Filters, view: str) -> dict[str, Any]:
    """Return what a view of a period needs, whichever it is, beside what it shows: the list and the dashboards."""
    day = selectors.read_date(request.GET.get("date"))
    is_by_date = day is not None and request.GET.get("period") not in selectors.PERIODS
    kept: list[tuple[str, Any]] = [("date", day)] if is_by_date else filters.period_pairs
    return _filters_context(request, filters=filters, view=view, kept=kept) | {
        "new_query": "",
        "views": _views(filters, view=view, date=_start_elsewhere(filters), kept=kept),
        "periods": [
            (label, _address(filters, view=view, period=name), name == filters.period)
            for name, label in selectors.PERIODS.items()
        ],
        "period_name": selectors.PERIODS.get(filters.period),
        "first": filters.days and filters.days[0],
        "last": filters.days and filters.days[1],
        # The form of the two dates sends along every other filter, and how the list is sorted.
        "two_dates_pairs": [
            ("view", view),
            ("period", selectors.TWO_DATES),
            *(("sort", order) for order in request.GET.getlist("sort")[:1]),
            *filters.pairs(),
        ],
    }


def _views(
    filters: selectors.Filters, *, view: str, date: date | None, kept: Iterable[tuple[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Return the views of the section in their order, with the addresses that lead there with the same filters."""
    of_a_period = [*kept] or [("date", date)] * bool(date)
    known = {
        "calendar": (_("Calendar"), "calendar"),
        "list": (_("List"), "list"),
        "dashboards": (_("Dashboards"), "chart"),
    }
    addresses = {name: f"?{urlencode([('view', name), *of_a_period, *filters.pairs()])}" for name in known}
    addresses["calendar"] = _address(filters, view="calendar", date=date)
    return [
        {"label": label, "icon": icon, "address": addresses[name], "is_shown": name == view}
        for name, (label, icon) in known.items()
    ]


def _selection(request: UserRequest, *, page_number: int) -> dict[str, Any]:
    """Return what is selected as the page opens: nothing, a whole page by its number, or all that match."""
    chosen, query = request.GET.get("select", ""), request.GET.copy()
    query["view"] = "list"
    query.pop("select", None)
    filters_and_order = query.urlencode()
    return {
        "query": filters_and_order,
        "all": chosen == "all",
        "page": chosen == str(page_number),
        "select_page": f"?{filters_and_order}&select={page_number}",
        "select_all": f"?{filters_and_order}&select=all",
        "select_none": f"?{filters_and_order}",
    }


def _start_elsewhere(filters: selectors.Filters) -> date | None:
    """Return the first day of a period that is not in the current week; None when today will do."""
    return filters.days[0] if filters.days and filters.period not in ("current_week", "today") else None


def _columns(*, order: str, shown: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the columns that are shown: their words, which way they sort now, and the order they offer."""
    labels = {"subject": _("Subject"), **{name: columns.COLUMNS[name] for name in shown}}
    heads = []
    for name, label in labels.items():
        direction = {name: "ascending", f"-{name}": "descending"}.get(order, "")
        offered = f"-{name}" if order == name else name
        heads.append(
            {
                "name": name,
                "label": label,
                "order": offered if name in selectors.SORTABLE else "",
                "direction": direction,
            }
        )
    return heads


def _without_filters(request: UserRequest) -> str:
    """Return the address of the list of everything this person may see."""
    everything: list[tuple[str, Any]] = [("view", "list"), ("period", "any"), ("employee", "all"), ("show_canceled", 1)]
    return f"?{urlencode([*everything, *(('sort', order) for order in request.GET.getlist('sort')[:1])])}"


def _address(
    filters: selectors.Filters,
    *,
    view: str,
    period: str | None = None,
    date: date | None = None,
    show: str = "",
    **changes: Any,
) -> str:
    """Return the address of a view with these filters."""
    pairs: list[tuple[str, Any]] = [("view", view)]
    pairs += [(name, value) for name, value in (("period", period), ("date", date), ("show", show)) if value]
    return f"?{urlencode(pairs + filters.pairs(**changes))}"


def _filters_context(
    request: UserRequest, *, filters: selectors.Filters, view: str, kept: list[tuple[str, Any]]
) -> dict[str, Any]:
    """Return what the bar of quick filters needs: every choice is a link that keeps the others."""
    profile = request.user.profile
    kept = [*kept, *(("sort", order) for order in request.GET.getlist("sort")[:1])]

    def address(**changes: Any) -> str:
        return f"?{urlencode([('view', view), *kept, *filters.pairs(**changes)])}"

    colleagues = Profile.objects.filter(user__is_active=True).exclude(pk__in=[one.pk for one in filters.employees])
    tags = Tag.objects.visible_to(profile)
    return {
        "view": view,
        "filters": filters,
        "employees": [
            (one, address(employees=tuple(other for other in filters.employees if other != one)))
            for one in filters.employees
        ],
        "employees_to_add": [
            (one, address(employees=(*filters.employees, one), everybody=False))
            for one in colleagues.order_by("full_name", "pk")[:PEOPLE_OFFERED]
        ],
        "add_everybody": address(everybody=True),
        "only_oneself": address(employees=(profile,), everybody=False),
        "tags": [(tag, address(tag=tag)) for tag in tags],
        "any_tag": address(tag=None),
        "any_series": address(series=None),
        "any_status": address(status=""),
        "any_category": address(category=""),
        # The small form of the bar sends these along with the text and the box it shows.
        "hidden_pairs": [("view", view), *kept, *filters.pairs(search="", show_canceled=False)],
    }


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: UserRequest) -> HttpResponse:
    """Make an activity. The address may say kind, category, start and due."""
    profile, now = request.user.profile, timezone.now()
    kind = Activity.Kind.CALL if request.GET.get("kind") == Activity.Kind.CALL else Activity.Kind.TASK
    initial = forms.initial_of_new(profile=profile, asked=request.GET, now=now)
    form = forms.ActivityForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            activity = _make(form, kind=kind, by=profile, now=now)
        except services.UnableToChange as error:
            form.add_error(None, str(error))
        else:
            created = _("Created “%(subject)s”.") % {"subject": activity}
            messages.success(request, " ".join([created, *_where_it_begins(form, activity)]))
            return redirect("activities:detail", activity_id=activity.pk)
    is_meeting = initial["category"] == Activity.Category.MEETING
    title = _("New meeting") if is_meeting else (_("New call") if kind == Activity.Kind.CALL else _("New task"))
    context = {"form": form, "title": title, "organizer": profile}
    return render(request, "activities/new.html", context, status=422 if form.is_bound else 200)


@transaction.atomic
def _make(form: forms.ActivityForm, *, kind: str, by: Profile, now: datetime) -> Activity:
    """
    Make what the form says. Of a series, the first occurrence is returned.

    :raises UnableToChange: with words for the user.
    """
    values = form.values()
    if form.lines is None:
        made = services.create(by=by, now=now, kind=kind, **values)
    else:
        how_it_went = {name: values.pop(name) for name in ("status", "result", "result_details")}
        head = series.create(by=by, now=now, kind=kind, lines=form.lines, **values)
        made = Activity.objects.filter(series=head.series).earliest("start")
        made = services.edit(activity=made, by=by, now=now, **how_it_went)
    if form.changes_reminder:
        series.set_reminder(activity=made, scope=series.ALL, profile=by, minutes=form.reminder_minutes, now=now)
    return made


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def detail(request: UserRequest, activity_id: int) -> HttpResponse:
    """The activity page. A POST saves its form."""
    profile, now = request.user.profile, timezone.now()
    if request.method != "POST" and (shown := _occurrence_of_head(activity_id, profile=profile, now=now)):
        return redirect("activities:detail", activity_id=shown.pk)
    activity = _visible_activity(request, activity_id)
    reason = services.why_read_only(activity=activity, profile=profile)
    own = next((one for one in activity.participants.all() if one.profile_id == profile.pk), None)
    form = forms.ActivityForm(
        request.POST if request.method == "POST" else None,
        initial=forms.initial_of(activity, own=own),
        activity=activity,
        read_only_reason=reason,
    )
    if request.method == "POST" and form.is_valid():
        try:
            saved = _save(activity, form, by=profile, now=now)
        except services.UnableToChange as error:
            form.add_error(None, str(error))
        except meanwhile.ChangedMeanwhile:
            pass  # The page asks about it.
        else:
            messages.success(request, " ".join([_what_was_saved(form, saved=saved), *_where_it_begins(form, saved)]))
            return _back_to(saved or activity, profile=profile)
    context = _detail_context(request, activity=activity, form=form, now=now)
    return render(request, "activities/detail.html", context, status=422 if form.is_bound else 200)


def _occurrence_of_head(activity_id: int, *, profile: Profile, now: datetime) -> Activity | None:
    """
    Return the occurrence to show for the id of a series' head, which has no page; None if it is no such id.

    :raises Http404: if the person may see none (R8).
    """
    head = Activity.every.filter(pk=activity_id, is_series=True).select_related("series").first()
    if head is None or head.series is None:
        return None
    shown = series.occurrence_to_show(head.series, now=now)
    visible = Activity.objects.visible_to(profile).of_the_section()
    return get_object_or_404(visible, pk=shown.pk if shown else None)


@transaction.atomic
def _save(activity: Activity, form: forms.ActivityForm, *, by: Profile, now: datetime) -> Activity | None:
    """
    Save what the form changed, all of it or nothing. Returns the activity, or what stands in for it (`series.edit`).

    :raises UnableToChange: with words for the user.
    :raises ChangedMeanwhile: if somebody else has changed the same since the form was opened.
    """
    _refuse_to_overwrite(services.locked(activity), form, by=by)
    saved: Activity | None = activity
    if form.stops_repeating:
        saved = series.stop_repeating(activity=activity, by=by, now=now)
    scope = form.scope_chosen if saved and saved.series_id else series.THIS
    lines = form.lines if saved and saved.series_id else None
    saved = series.edit(activity=saved or activity, scope=scope, by=by, now=now, lines=lines, **form.changes())
    if saved and form.changes_reminder:
        series.set_reminder(activity=saved, scope=scope, profile=by, minutes=form.reminder_minutes, now=now)
    if saved and saved.series_id is None and form.lines is not None:
        series.repeat(activity=saved, lines=form.lines, by=by, now=now)
    return saved


def _where_it_begins(form: forms.ActivityForm, saved: Activity | None) -> list[str]:
    """Say so if the rule that was chosen does not have the day that was: it begins on its first one (R15)."""
    if form.lines is None or saved is None or (form.activity and saved.pk != form.activity.pk):
        return []
    first = Activity.objects.get(pk=saved.pk)
    zone = zoneinfo.ZoneInfo(first.time_zone)
    day = first.start_date if first.all_day and first.start_date else first.start.astimezone(zone).date()
    if day == form.first_day:
        return []
    return [
        _("The day you chose is none of its days: this one is on %(day)s.") % {"day": date_format(day, _("l, j F Y"))}
    ]


def _refuse_to_overwrite(activity: Activity, form: forms.ActivityForm, *, by: Profile) -> None:
    """:raises ChangedMeanwhile: if the form changes what is not what it was opened with, and nobody has decided."""
    own = activity.participants.filter(profile=by).first()
    form.compare(
        forms.initial_of(activity, own=own),
        who=lambda group: meanwhile.who_changed(activity, [group], reader=by),
    )


def _what_was_saved(form: forms.ActivityForm, *, saved: Activity | None) -> str:
    if form.stops_repeating:
        return _("Saved. It repeats no more; Actions → Deleted activities brings the other days back for 30 days.")
    if form.activity and saved and saved.pk != form.activity.pk:
        return _("Saved. That day is none of its days any more; this is the nearest one.")
    return {
        series.THIS: _("Saved."),
        series.FOLLOWING: _("Saved for this and the following ones."),
        series.ALL: _("Saved for all."),
    }[form.scope_chosen]


def _detail_context(
    request: UserRequest, *, activity: Activity, form: forms.ActivityForm, now: datetime
) -> dict[str, Any]:
    profile = request.user.profile
    participants = list(activity.participants.all())
    tags = Tag.objects.visible_to(profile)
    put_on = {tag.pk for tag in activity.visible_tags}  # type: ignore[attr-defined]
    return {
        "activity": activity,
        "activities": [activity],
        "form": form,
        "now": now,
        "read_only_reason": form.read_only_reason,
        "participants": participants,
        "fixed": {one.profile_id for one in participants if _is_fixed(activity, one.profile)},
        "unreachable": _without_email([one.profile_id for one in participants]),
        "waiting": [one.profile for one in participants if not one.displayed],
        "own": next((one for one in participants if one.profile_id == profile.pk), None),
        "answers": [
            (Participant.Response.ACCEPTED, _("Accept"), "check"),
            (Participant.Response.TENTATIVE, _("Maybe"), "question"),
            (Participant.Response.DECLINED, _("Decline"), "x"),
        ],
        "participant_form": forms.ParticipantForm(activity=activity),
        "guests": [guest for guest in activity.other_guests if isinstance(guest, dict)],
        "files": _files_of(activity, profile=profile),
        "file_limits": attachment_views.limits(),
        "lines": feed.lines_of(activity, zone=profile.zone),
        "tags_to_offer": [tag for tag in tags if tag.pk not in put_on],
        "new_tag_kinds": [
            (kind.value, kind.label)
            for kind in Tag.Kind
            if kind == Tag.Kind.PRIVATE or request.user.has_perm(f"activities.add_{kind.value}_tag")
        ],
        "are_tags_open": "tags" in request.GET,
        "why_not_deletable": services.why_not_deletable(activity=activity, profile=profile),
        "repeats": selectors.place_in_series(activity),
        "scopes": SCOPES,
        "is_elsewhere": not activity.all_day and _reads_differently(activity, profile=profile),
    }


def _files_of(activity: Activity, *, profile: Profile) -> list[tuple[Attachment, bool]]:
    """Return the files, and of each whether this person may remove it."""
    found = activity.attachments.select_related("added_by")
    return [(file, attachments.may_remove(file, profile=profile)) for file in found]


def _reads_differently(activity: Activity, *, profile: Profile) -> bool:
    """Whether the clock of the activity's zone shows other times than the person's own."""
    other = zoneinfo.ZoneInfo(activity.time_zone)
    return words.reads_differently(activity.start, activity.due, zone=profile.zone, other=other)


def _is_fixed(activity: Activity, profile: Profile) -> bool:
    return services.why_not_removable(activity=activity, profile=profile) is not None


def _without_email(profile_ids: list[int]) -> set[int]:
    """Return who of these people cannot be invited by mail: they have no address (R7)."""
    emails = CommunicationOption.objects.filter(kind=CommunicationOption.Kind.EMAIL, profile__in=profile_ids)
    return set(profile_ids) - set(emails.values_list("profile_id", flat=True))


@login_required
@require_POST
def copy(request: UserRequest, activity_id: int) -> HttpResponse:
    activity = _visible_activity(request, activity_id)
    made = services.copy(activity=activity, by=request.user.profile, now=timezone.now())
    messages.success(request, _("This is the copy. It carries no tags, and is not in Google."))
    return redirect("activities:detail", activity_id=made.pk)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: UserRequest, activity_id: int) -> HttpResponse:
    """Ask, or do it. With a script the activity page asks the same in a dialog."""
    activity = _visible_activity(request, activity_id)
    profile = request.user.profile
    if request.method == "POST":
        scope = _scope(request)
        try:
            series.delete(activity=activity, scope=scope, by=profile, now=timezone.now())
        except services.UnableToChange as error:
            messages.error(request, str(error))
            return redirect("activities:detail", activity_id=activity.pk)
        what = {series.FOLLOWING: _(" and all that follow"), series.ALL: _(", all of them")}.get(scope, "")
        if not activity.series_id:
            what = ""
        messages.success(
            request,
            _("Deleted “%(subject)s”%(what)s. Actions → Deleted activities brings it back for 30 days.")
            % {"subject": activity, "what": what},
        )
        return redirect("activities:section")
    context = {
        "activity": activity,
        "repeats": selectors.place_in_series(activity),
        "scopes": SCOPES,
        "why_not_deletable": services.why_not_deletable(activity=activity, profile=profile),
    }
    return render(request, "activities/delete.html", context)


@login_required
@require_safe
def deleted(request: UserRequest) -> HttpResponse:
    """List what this person may bring back."""
    found = Activity.every.restorable_by(request.user.profile, now=timezone.now()).order_by("-deleted_at", "-id")
    page = Paginator(found, ROWS_ON_A_PAGE).get_page(request.GET.get("page"))
    return render(request, "activities/deleted.html", {"page": page})


@login_required
@require_POST
def restore(request: UserRequest, activity_id: int) -> HttpResponse:
    """Bring a deleted activity back; if it was in Google, its event returns with the next session."""
    profile, now = request.user.profile, timezone.now()
    activity = get_object_or_404(Activity.every.restorable_by(profile, now=now), pk=activity_id)
    try:
        if activity.is_series:
            series.restore(head=activity, by=profile, now=now)
        else:
            services.restore(activity=activity, by=profile, now=now)
    except services.UnableToChange as error:
        messages.error(request, str(error))
        return redirect("activities:deleted")
    messages.success(request, _("“%(subject)s” is back.") % {"subject": activity})
    whole = activity.series if activity.is_series else None
    shown = series.occurrence_to_show(whole, now=now) if whole else activity
    return redirect("activities:detail", activity_id=shown.pk) if shown else redirect("activities:section")


@login_required
@require_POST
def answer(request: UserRequest, activity_id: int) -> HttpResponse:
    """Give one's own answer."""
    activity = _visible_activity(request, activity_id)
    response = request.POST.get("response", "")
    if response not in Participant.Response.values:
        messages.error(request, _("Choose Accept, Maybe or Decline."))
        return _back_to(activity, profile=request.user.profile, part="participants")
    try:
        series.respond(
            activity=activity,
            scope=_scope(request, "answer_scope"),
            profile=request.user.profile,
            response=response,
            now=timezone.now(),
        )
    except services.UnableToChange as error:
        messages.error(request, str(error))
    else:
        label = Participant.Response(response).label
        messages.success(request, _("Your answer has been saved: %(answer)s.") % {"answer": label})
    return _back_to(activity, profile=request.user.profile, part="participants")


@login_required
@require_POST
def add_participant(request: UserRequest, activity_id: int) -> HttpResponse:
    activity = _visible_activity(request, activity_id)
    form = forms.ParticipantForm(request.POST, activity=activity)
    if form.is_valid():
        profile = form.cleaned_data["profile"]
        try:
            series.add_participant(
                activity=activity, scope=_scope(request), profile=profile, by=request.user.profile, now=timezone.now()
            )
        except services.UnableToChange as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("%(name)s takes part now.") % {"name": profile.full_name})
    else:
        messages.error(request, _("Choose a person to add."))
    return _back_to(activity, profile=request.user.profile, part="participants")


@login_required
@require_POST
def remove_participant(request: UserRequest, activity_id: int, profile_id: int) -> HttpResponse:
    activity = _visible_activity(request, activity_id)
    profile = get_object_or_404(Profile, pk=profile_id, participations__activity=activity)
    try:
        series.remove_participant(
            activity=activity, scope=_scope(request), profile=profile, by=request.user.profile, now=timezone.now()
        )
    except services.UnableToChange as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%(name)s takes part no more.") % {"name": profile.full_name})
    return _back_to(activity, profile=request.user.profile, part="participants")


@login_required
@require_POST
def add_tag(request: UserRequest, activity_id: int) -> HttpResponse:
    """Put a tag on: an existing one by `tag`, or one by `name` and `kind`, which is made when there is none."""
    activity = _visible_activity(request, activity_id)
    profile = request.user.profile
    try:
        if "tag" in request.POST:
            number = request.POST["tag"]
            tag = get_object_or_404(Tag.objects.visible_to(profile), pk=number if number.isdecimal() else 0)
        else:
            kind = request.POST.get("kind", Tag.Kind.PRIVATE)
            tag = services.make_tag(name=request.POST.get("name", ""), kind=kind, by=profile)
        services.add_tag(activity=activity, tag=tag, by=profile, now=timezone.now())
    except services.UnableToTag as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Put the tag “%(name)s” on.") % {"name": tag.name})
    return _back_to(activity, profile=profile, part="tags")


@login_required
@require_POST
def remove_tag(request: UserRequest, activity_id: int, tag_id: int) -> HttpResponse:
    activity = _visible_activity(request, activity_id)
    profile = request.user.profile
    tag = get_object_or_404(Tag.objects.visible_to(profile), pk=tag_id)
    services.remove_tag(activity=activity, tag=tag, by=profile, now=timezone.now())
    messages.success(request, _("Took the tag “%(name)s” off.") % {"name": tag.name})
    return _back_to(activity, profile=profile, part="tags")


def _scope(request: UserRequest, name: str = "scope") -> str:
    """Return how much of a series is meant; what makes no sense counts as this one occurrence."""
    chosen = request.POST.get(name, series.THIS)
    return chosen if chosen in series.SCOPES else series.THIS


def _visible_activity(request: UserRequest, activity_id: int) -> Activity:
    """:raises Http404: if there is none, or none the person may see (R8)."""
    profile = request.user.profile
    activities = Activity.objects.visible_to(profile).of_the_section().select_related("organizer", "reporter")
    return get_object_or_404(selectors.with_what_a_page_shows(activities, profile=profile), pk=activity_id)


def _back_to(activity: Activity, *, profile: Profile, part: str = "") -> HttpResponse:
    """Go back to the activity, or to the section when the change took it out of the person's sight."""
    if not Activity.objects.visible_to(profile).filter(pk=activity.pk).exists():
        return redirect("activities:section")
    address = reverse("activities:detail", args=[activity.pk])
    if part == "tags":
        return redirect(f"{address}?tags=1#tags")
    return redirect(f"{address}#{part}" if part else address)
