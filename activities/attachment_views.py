"""The files of an activity: who may open the activity may read them and add some."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from accounts.http import UserRequest
from activities import attachments
from activities.models import Activity, Attachment


@csrf_exempt  # Reading the form is what the limit is for, so it comes before the check, which the inner view makes.
def add(request: UserRequest, activity_id: int) -> HttpResponse:
    request.upload_handlers.insert(0, attachments.LimitedUpload(request))
    return _add(request, activity_id)


@csrf_protect
@login_required
@require_POST
def _add(request: UserRequest, activity_id: int) -> HttpResponse:
    activity = get_object_or_404(Activity.objects.visible_to(request.user.profile), pk=activity_id)
    files, too_large = request.FILES.getlist("files"), request.too_large  # type: ignore[attr-defined]
    if not files and not too_large:
        messages.error(request, _("Choose one or several files first."))
        return _back_to(activity)
    outcome = attachments.add(
        activity=activity, files=files, too_large=too_large, by=request.user.profile, now=timezone.now()
    )
    for reason in outcome.refused:
        messages.error(request, reason)
    if count := len(outcome.added):
        messages.success(request, ngettext("%d file added.", "%d files added.", count) % count)
    return _back_to(activity)


@login_required
@require_safe
def download(request: UserRequest, activity_id: int, attachment_id: int) -> FileResponse:
    """Send a file to be saved, never to be shown as a page of ours."""
    attachment = _visible(request, activity_id, attachment_id)
    try:
        file = attachment.file.open()
    except FileNotFoundError as error:
        raise Http404 from error
    return FileResponse(
        file,
        as_attachment=True,
        filename=attachment.name,
        content_type="application/octet-stream",
        headers={"Cache-Control": "private, no-store"},
    )


@login_required
@require_POST
def remove(request: UserRequest, activity_id: int, attachment_id: int) -> HttpResponse:
    attachment = _visible(request, activity_id, attachment_id)
    activity, name = attachment.activity, attachment.name
    try:
        attachments.remove(attachment=attachment, by=request.user.profile, now=timezone.now())
    except attachments.UnableToAttach as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("“%s” was removed.") % name)
    return _back_to(activity)


def _visible(request: UserRequest, activity_id: int, attachment_id: int) -> Attachment:
    visible = Activity.objects.visible_to(request.user.profile)
    found = Attachment.objects.filter(activity__in=visible).select_related("activity")
    return get_object_or_404(found, activity=activity_id, pk=attachment_id)


def _back_to(activity: Activity) -> HttpResponse:
    return redirect(f"{reverse('activities:detail', args=[activity.pk])}#attachments")


def limits() -> dict[str, str]:
    """Return what the page says about files before somebody chooses one."""
    return {
        "each": filesizeformat(settings.ATTACHMENT_MAX_BYTES),
        "together": filesizeformat(settings.ATTACHMENTS_MAX_BYTES),
        "accept": attachments.endings(),
    }
