"""What a person does with several activities of the list at once."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from accounts.http import UserRequest
from accounts.models import Profile
from activities import bulk, columns, services, workbook
from activities.forms import NotesField
from activities.models import Activity, Tag
from creatio_sync.forms import StyledForm

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class _TagChoice(forms.ModelChoiceField):
    def label_from_instance(self, tag: Tag) -> str:
        return f"{tag.name} ({tag.get_kind_display()})"


class TagForm(StyledForm, forms.Form):
    """A tag there is, or the name of a private one, which is made when there is none."""

    tag = _TagChoice(label=gettext_lazy("Tag"), queryset=Tag.objects.none(), required=False)
    name = forms.CharField(label=gettext_lazy("Or a private tag of your own"), max_length=100, required=False)

    def __init__(self, data: Any = None, *, profile: Profile) -> None:
        super().__init__(data)
        self.fields["tag"].queryset = Tag.objects.visible_to(profile)  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if not self.errors and bool(values.get("tag")) == bool(values.get("name")):
            self.add_error("tag", _("Choose a tag or name a private one, not both."))
        return values


class StatusForm(StyledForm, forms.Form):
    status = forms.ChoiceField(label=gettext_lazy("Status"), choices=[("", "---------"), *Activity.Status.choices])
    result = forms.CharField(
        label=gettext_lazy("Result"),
        max_length=200,
        required=False,
        help_text=gettext_lazy("Of completed and canceled ones. Left empty, results that are there stay."),
    )
    result_details = NotesField(label=gettext_lazy("Result details"), required=False)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        is_final = values.get("status") in Activity.FINAL_STATUSES
        if values.get("status") and not is_final:
            for name in ("result", "result_details"):
                if values.get(name):
                    self.add_error(name, _("Only what is completed or canceled has a result."))
        return values


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def add_tag(request: UserRequest) -> HttpResponse:
    """Ask for the tag, or put it on."""
    activities = _selected(request)
    if activities is None:
        return redirect(_back(request))
    profile, now = request.user.profile, timezone.now()
    form = TagForm(request.POST if "confirmed" in request.POST else None, profile=profile)
    if form.is_valid():
        try:
            tag = form.cleaned_data["tag"] or services.make_tag(
                name=form.cleaned_data["name"], kind=Tag.Kind.PRIVATE, by=profile
            )
        except services.UnableToTag as error:
            form.add_error("name", str(error))
        else:
            outcome = bulk.add_tag(activities, tag=tag, by=profile, now=now)
            count = len(outcome.changed)
            done = ngettext(
                "%(count)d activity has the tag “%(tag)s” now.",
                "%(count)d activities have the tag “%(tag)s” now.",
                count,
            )
            return _told(request, outcome, done % {"count": count, "tag": tag.name})
    return _asked(request, "tag", activities, form=form)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def change_status(request: UserRequest) -> HttpResponse:
    """Ask for the status, with the result of a final one, or set it."""
    activities = _selected(request)
    if activities is None:
        return redirect(_back(request))
    form = StatusForm(request.POST if "confirmed" in request.POST else None)
    if form.is_valid():
        outcome = bulk.set_status(activities, by=request.user.profile, now=timezone.now(), **form.cleaned_data)
        status = Activity.Status(form.cleaned_data["status"]).label
        count = len(outcome.changed)
        done = ngettext(
            "%(count)d activity has the status “%(status)s” now.",
            "%(count)d activities have the status “%(status)s” now.",
            count,
        )
        return _told(request, outcome, done % {"count": count, "status": status})
    return _asked(request, "status", activities, form=form)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: UserRequest) -> HttpResponse:
    """Ask, saying how many they are and what is left out, or do it."""
    activities = _selected(request)
    if activities is None:
        return redirect(_back(request))
    profile = request.user.profile
    if "confirmed" not in request.POST:
        return _asked(request, "delete", activities, foreseen=bulk.what_can_be_deleted(activities, by=profile))
    outcome = bulk.delete(activities, by=profile, now=timezone.now())
    count = len(outcome.changed)
    done = ngettext(
        "Deleted %(count)d activity. Actions → Deleted activities brings it back for 30 days.",
        "Deleted %(count)d activities. Actions → Deleted activities brings them back for 30 days.",
        count,
    )
    return _told(request, outcome, done % {"count": count})


@login_required
@require_POST
def choose_columns(request: UserRequest) -> HttpResponse:
    """Keep which columns the person wants to see, or go back to the usual ones."""
    if "usual" in request.POST:
        columns.forget(request.user.profile)
    else:
        columns.choose(request.POST.getlist("column"), profile=request.user.profile)
    messages.success(request, _("The columns have been saved."))
    return redirect(_back(request))


@login_required
@require_POST
def sort(request: UserRequest) -> HttpResponse:
    """Sort the list by `order`, and keep that; the address has it too, to be bookmarked."""
    order = request.POST.get("order", "")
    columns.keep_order(order, profile=request.user.profile)
    query = _query(request)
    query.pop("page", None)
    query["sort"] = order
    return redirect(f"{reverse('activities:section')}?{query.urlencode()}")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def export(request: UserRequest) -> HttpResponse:
    """Send the selected activities as an Excel workbook."""
    activities = _selected(request, most=workbook.MOST_ROWS)
    if activities is None:
        return redirect(_back(request))
    zone = request.user.profile.zone
    today = timezone.now().astimezone(zone).date()
    return HttpResponse(
        workbook.of_activities(activities, zone=zone),
        content_type=XLSX,
        headers={"Content-Disposition": f'attachment; filename="activities-{today}.xlsx"', "Cache-Control": "no-store"},
    )


def _selected(request: UserRequest, *, most: int | None = None) -> list[Activity] | None:
    """Return what is selected; None if there is nothing to do, which the person is told then."""
    if request.method != "POST":
        return None  # The address of a question without its selection, out of the history perhaps.
    try:
        return list(
            bulk.selected(request.POST, profile=request.user.profile, now=timezone.now(), most=most or bulk.MOST)
        )
    except bulk.UnableToSelect as error:
        messages.error(request, str(error))
        return None


def _asked(request: UserRequest, what: str, activities: list[Activity], **context: Any) -> HttpResponse:
    """Ask about exactly these activities, whatever will match the filters when the answer comes."""
    form = context.get("form")
    context |= {
        "what": what,
        "activities": activities,
        "ids": ",".join(str(activity.pk) for activity in activities),
        "has_series": any(activity.series_id for activity in activities),
        "query": _query(request).urlencode(),
        "back": _back(request),
    }
    return render(request, "activities/selected.html", context, status=422 if form and form.is_bound else 200)


def _told(request: UserRequest, outcome: bulk.Outcome, done: str) -> HttpResponse:
    """Go back to the list; if something was left out, name it on a page first."""
    if not outcome.left_out:
        messages.success(request, done)
        return redirect(_back(request))
    context = {"outcome": outcome, "done": done, "back": _back(request)}
    return render(request, "activities/selected_done.html", context)


def _query(request: UserRequest) -> QueryDict:
    query = QueryDict(request.POST.get("query", ""), mutable=True)
    query["view"] = "list"
    query.pop("select", None)
    return query


def _back(request: UserRequest) -> str:
    return f"{reverse('activities:section')}?{_query(request).urlencode()}"
