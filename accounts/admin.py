"""Administration of people and of their accounts in external resources."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import CommunicationOption, ExternalAccount, Profile, User
from accounts.signals import emails_changed


class DiscreetlyDeleted(admin.ModelAdmin):
    """
    Deletes people without listing by name what goes with them.

    Among it are their private tags and what their sessions did, which are nobody else's business (R1, R8).
    """

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list[Any], dict[str, int], set[str], Any]:
        _listed, how_many, missing, protected = super().get_deleted_objects(objs, request)
        return [str(person) for person in objs], how_many, missing, [str(_("Activities"))] if protected else []


@admin.register(User)
class UserAdmin(DiscreetlyDeleted, DjangoUserAdmin):
    list_display = ["username", "email", "full_name", "is_staff", "is_active"]
    list_select_related = ["profile"]

    @admin.display(description=_("full name"), ordering="profile__full_name")
    def full_name(self, user: User) -> str:
        return user.profile.full_name


class CommunicationOptionInline(admin.TabularInline):
    model = CommunicationOption
    extra = 0


@admin.register(Profile)
class ProfileAdmin(DiscreetlyDeleted):
    list_display = ["full_name", "user", "job_title", "time_zone"]
    list_select_related = ["user"]
    search_fields = ["full_name", "user__username", "communication_options__value"]
    readonly_fields = ["user", "photo"]
    inlines = [CommunicationOptionInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # It is made with the user.

    def save_formset(self, request: HttpRequest, form: Any, formset: BaseInlineFormSet, change: bool) -> None:
        """Save the communication options and announce the addresses that came and went (R7)."""
        profile = form.instance
        before = _addresses(profile)
        super().save_formset(request, form, formset, change)
        if changed := before ^ _addresses(profile):
            emails_changed.send(sender=CommunicationOption, addresses=changed)


def _addresses(profile: Profile) -> set[str]:
    options = CommunicationOption.objects.filter(profile=profile, kind=CommunicationOption.Kind.EMAIL)
    return {value.lower() for value in options.values_list("value", flat=True)}


@admin.register(ExternalAccount)
class ExternalAccountAdmin(admin.ModelAdmin):
    """Every account with its state. Connecting and deleting is their owners'; tokens are shown to nobody."""

    list_display = ["login", "profile", "provider", "status", "paused", "connected_at"]
    list_filter = ["status", "paused"]
    list_select_related = ["profile"]
    search_fields = ["login", "profile__full_name"]
    readonly_fields = [
        "login", "profile", "provider", "subject", "status", "status_reason", "granted_scopes", "connected_at",
    ]  # fmt: skip
    fields = [*readonly_fields, "paused"]
    actions = ["pause", "resume"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # Its links and sessions would go with it. Deleting at Your profile keeps them (R22).

    @admin.action(description=_("Pause synchronization"), permissions=["change"])
    def pause(self, request: HttpRequest, accounts: QuerySet[ExternalAccount]) -> None:
        count = accounts.update(paused=True)
        self.message_user(request, ngettext("%d account paused.", "%d accounts paused.", count) % count)

    @admin.action(description=_("Resume synchronization"), permissions=["change"])
    def resume(self, request: HttpRequest, accounts: QuerySet[ExternalAccount]) -> None:
        count = accounts.update(paused=False)
        self.message_user(request, ngettext("%d account resumed.", "%d accounts resumed.", count) % count)
