"""Every user has a profile; times are read and written in its zone."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from accounts import services
from accounts.middleware import TimeZoneMiddleware
from accounts.models import Profile, User
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_a_user_made_by_a_command_has_a_profile():
    call_command("createsuperuser", username="root", email="root@northfold.example", interactive=False)

    assert User.objects.get(username="root").profile.full_name == "root"


def test_a_profile_is_named_as_the_user_is():
    user = User.objects.create_user("maja", first_name="Maja", last_name="Lindqvist")

    assert (user.profile.full_name, user.profile.initials) == ("Maja Lindqvist", "ML")


def test_saving_a_user_again_makes_no_second_profile():
    user = make_user("anna")
    user.save()

    assert Profile.objects.filter(user=user).count() == 1


def test_a_user_who_came_in_past_the_signals_gets_a_profile_with_the_first_page(client):
    User.objects.bulk_create([User(username="imported")])
    client.force_login(User.objects.get(username="imported"))

    assert client.get("/profile/settings/").status_code == 200
    assert Profile.objects.get(user__username="imported").full_name == "imported"


def test_a_page_speaks_the_zone_of_whoever_asks_and_the_next_one_does_not():
    request = RequestFactory().get("/")
    request.user = make_user("kenji", time_zone="Asia/Tokyo")
    noon = datetime(2026, 3, 9, 12, tzinfo=UTC)

    middleware = TimeZoneMiddleware(lambda _request: HttpResponse(timezone.localtime(noon).isoformat()))

    assert middleware(request).content == b"2026-03-09T21:00:00+09:00"
    assert timezone.get_current_timezone_name() == "UTC"


def test_the_profile_of_a_user_is_asked_for_once():
    user = User.objects.get(pk=make_user("anna").pk)

    assert services.profile_of(user) is services.profile_of(user)
