"""Log-in, Your profile and Additional settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import services
from accounts.forms import AppearanceForm, ChangePasswordForm, LogInForm, OptionForm, ProfileForm
from accounts.http import UserRequest
from accounts.models import CommunicationOption, Profile

YEAR = 365 * 24 * 3600  # Seconds.


class LogIn(LoginView):
    template_name = "accounts/login.html"
    authentication_form = LogInForm
    redirect_authenticated_user = True


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: UserRequest) -> HttpResponse:
    """Show Your profile; save its Basic settings."""
    if request.method != "POST":
        return _profile_page(request)
    form = ProfileForm(request.POST, request.FILES, instance=_own_profile(request))
    if not form.is_valid():
        return _profile_page(request, status=422, form=form)
    with transaction.atomic():
        form.save()
    messages.success(request, _("Saved."))
    return redirect("accounts:profile")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def change_password(request: UserRequest) -> HttpResponse:
    """Change the password. Whoever had to sign in over it comes here by GET: the form stands on the profile."""
    if request.method != "POST":
        return redirect("accounts:profile")
    form = ChangePasswordForm(request.user, request.POST)
    if not form.is_valid():
        return _profile_page(request, status=422, password_form=form)
    user = form.save()
    update_session_auth_hash(request, user)  # Whoever changed it stays signed in; their other sessions end.
    messages.success(request, _("Password changed."))
    return redirect("accounts:profile")


@login_required
@require_POST
def remove_photo(request: UserRequest) -> HttpResponse:
    services.remove_photo(profile=request.user.profile)
    messages.success(request, _("Photo removed."))
    return redirect("accounts:profile")


@login_required
@require_safe
def photo(request: UserRequest, profile_id: int) -> FileResponse:
    """Serve a colleague's photo. The address carries its name, so a browser may keep what it got."""
    owner = get_object_or_404(Profile, pk=profile_id)
    if not owner.photo or not Path(owner.photo.path).exists():
        raise Http404
    return FileResponse(
        owner.photo.open(), content_type="image/jpeg", headers={"Cache-Control": f"private, max-age={YEAR}"}
    )


# --- Communication options -----------------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def add_option(request: UserRequest) -> HttpResponse:
    """Add a communication option; without a script, the page with the form to do it."""
    form = OptionForm(request.POST or None, initial={"kind": request.GET.get("kind", CommunicationOption.Kind.EMAIL)})
    if request.method == "POST" and form.is_valid():
        try:
            services.add_option(profile=request.user.profile, **form.cleaned_data)
        except services.UnableToSaveOption as error:
            form.add_error("value", str(error))
        else:
            messages.success(request, _("Added %(value)s.") % form.cleaned_data)
            return redirect("accounts:profile")
    return _option_page(request, form=form, option=None)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def change_option(request: UserRequest, option_id: int) -> HttpResponse:
    option = get_object_or_404(request.user.profile.communication_options, pk=option_id)
    form = OptionForm(request.POST or None, kind=option.kind, initial={"value": option.value})
    if request.method == "POST" and form.is_valid():
        try:
            services.change_option(option=option, value=form.cleaned_data["value"])
        except services.UnableToSaveOption as error:
            form.add_error("value", str(error))
        else:
            messages.success(request, _("Saved."))
            return redirect("accounts:profile")
    return _option_page(request, form=form, option=option)


@login_required
@require_POST
def delete_option(request: UserRequest, option_id: int) -> HttpResponse:
    option = get_object_or_404(request.user.profile.communication_options, pk=option_id)
    try:
        services.delete_option(option=option)
    except services.UnableToSaveOption as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Deleted %(value)s.") % {"value": option.value})
    return redirect("accounts:profile")


# --- Additional settings --------------------------------------------------------------------------------------------


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: UserRequest) -> HttpResponse:
    """Show Additional settings; save how the pages look."""
    own = request.user.profile
    initial = {"theme": request.COOKIES.get("theme", "system"), "time_scale": own.time_scale}
    form = AppearanceForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["time_scale"]:
            services.set_time_scale(profile=own, minutes=form.cleaned_data["time_scale"])
        messages.success(request, _("Saved."))
        response = redirect("accounts:settings")
        response.set_cookie("theme", form.cleaned_data["theme"], max_age=YEAR, samesite="Lax")
        return response
    context = {"form": form, "account": own.google_account}
    return render(request, "accounts/settings.html", context, status=422 if form.errors else 200)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say in the product's own look why a form was refused."""
    return render(request, "403_csrf.html", status=403)


# --- Shared -----------------------------------------------------------------------------------------------------------


def _own_profile(request: UserRequest) -> Profile:
    """Return a fresh copy, so that what is typed wrong does not show in the frame of the page."""
    return Profile.objects.select_related("user").get(user=request.user)


def _profile_page(request: UserRequest, *, status: int = 200, **forms: Any) -> HttpResponse:
    own = _own_profile(request)
    context = {
        "form": ProfileForm(instance=own),
        "password_form": ChangePasswordForm(request.user),
        "options": list(own.communication_options.all()),
        "kinds": CommunicationOption.Kind,
        "connected_login": services.connected_login(own),
        **forms,
    }
    return render(request, "accounts/profile.html", context, status=status)


def _option_page(request: UserRequest, *, form: OptionForm, option: CommunicationOption | None) -> HttpResponse:
    status = 422 if form.errors else 200
    return render(request, "accounts/option.html", {"form": form, "option": option}, status=status)
