"""`manage.py seed`: example people and activities."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import CommunicationOption, Profile, User
from activities.models import Activity, Tag

pytestmark = pytest.mark.django_db


def seed(*arguments: str) -> str:
    out = StringIO()
    call_command("seed", *arguments, stdout=out)
    return out.getvalue()


def test_the_example_people_can_sign_in_and_are_found_by_their_addresses():
    seed()

    for name in ("anna", "boris", "clara", "admin"):
        user = authenticate(username=name, password="demo")
        assert user is not None
        assert user.profile.communication_options.filter(kind="email", value=f"{name}@northfold.example").exists()
    assert User.objects.get(username="anna").profile.full_name == "Anna Berg"
    assert User.objects.get(username="anna").profile.time_zone == "Europe/Berlin"
    assert list(User.objects.filter(is_superuser=True).values_list("username", flat=True)) == ["admin"]


def test_there_is_something_of_every_sort_around_this_week():
    seed()

    anna = Profile.objects.get(user__username="anna")
    now = timezone.now()
    around = Activity.objects.overlapping(start=now - timedelta(days=14), end=now + timedelta(days=14))
    assert around.count() == Activity.objects.count() >= 24
    assert any(activity.is_overdue(now=now) for activity in around)
    assert around.filter(all_day=True).exists()
    assert around.filter(is_private=True).exists()
    assert {"completed", "canceled"} <= set(around.values_list("status", flat=True))
    assert set(around.values_list("kind", flat=True)) == {"task", "call"}
    assert set(around.values_list("category", flat=True)) == set(Activity.Category.values)
    assert around.values("owner").distinct().count() == 3
    assert set(Tag.objects.filter(owner=anna).values_list("name", flat=True)) == {
        "Google synchronization",
        "Key account",
    }
    assert set(Tag.objects.values_list("kind", flat=True)) == set(Tag.Kind.values)


def test_nobody_is_connected_to_google():
    seed()

    assert not any(profile.google_account for profile in Profile.objects.all())


def test_repeating_it_changes_nothing_that_people_changed():
    seed()
    anna = User.objects.get(username="anna")
    anna.set_password("my own secret")
    anna.save()
    anna.profile.communication_options.all().delete()
    Profile.objects.filter(user=anna).update(full_name="Anna Berg-Novak")
    moved = Activity.objects.get(subject="Plan the week")
    Activity.objects.filter(pk=moved.pk).update(subject="Plan the month", deleted_at=timezone.now())
    count = Activity.objects.count()

    assert "0 activities made" in seed()

    anna.refresh_from_db()
    assert anna.check_password("my own secret")
    assert Profile.objects.get(user=anna).full_name == "Anna Berg-Novak"
    assert not anna.profile.communication_options.exists()
    moved.refresh_from_db()
    assert moved.subject == "Plan the month"
    assert Activity.objects.count() == count


def test_it_lives_with_users_and_addresses_that_were_there_before():
    admin = User.objects.create_superuser(username="admin", password="long ago")
    someone, _made = Profile.objects.get_or_create(user=User.objects.create_user(username="someone"))
    CommunicationOption.objects.create(profile=someone, kind="email", value="Anna@Northfold.example")

    seed()

    admin.refresh_from_db()
    assert admin.check_password("long ago")
    assert Profile.objects.filter(user=admin).exists()
    assert CommunicationOption.objects.get(value__iexact="anna@northfold.example").profile == someone


def test_a_server_that_others_reach_is_refused_unless_told_to(settings: Any):
    settings.PUBLIC_BASE_URL = "https://crm.example.com"

    with pytest.raises(CommandError, match="--demo"):
        seed()
    assert not User.objects.exists()

    seed("--demo")
    assert User.objects.filter(username="anna").exists()
