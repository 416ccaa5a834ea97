"""Who may open an activity, and of whose they see only “Busy” (R8)."""

from __future__ import annotations

import pytest
from django.utils import timezone

from activities.models import Activity, Participant, Tag
from tests.factories import make_activity, make_tag, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.rule("R8")]

OPENS, BUSY, NOTHING = "opens", "busy", "nothing"


@pytest.mark.parametrize("made_in_google", [False, True], ids=["creatio", "google"])
@pytest.mark.parametrize("is_private", [False, True], ids=["open", "private"])
@pytest.mark.parametrize("takes_part", ["displayed", "not displayed", "not at all"])
def test_what_a_colleague_sees(takes_part, is_private, made_in_google):
    anna, boris = make_user("anna").profile, make_user("boris").profile
    activity = make_activity(by=boris, is_private=is_private, made_in_google=made_in_google)
    if takes_part != "not at all":
        Participant.objects.create(activity=activity, profile=anna, displayed=takes_part == "displayed")

    is_for_everybody = not is_private and not made_in_google
    if takes_part == "displayed" or is_for_everybody:
        expected = OPENS
    elif takes_part == "not displayed":
        expected = NOTHING  # Not even that there is something: it comes with a synchronization of their own.
    else:
        expected = BUSY

    opens = Activity.objects.visible_to(anna).filter(pk=activity.pk).exists()
    busy = Activity.objects.busy_for(anna).filter(pk=activity.pk).exists()
    assert (OPENS if opens else BUSY if busy else NOTHING) == expected
    assert not (opens and busy)


def test_a_deleted_activity_is_seen_by_nobody():
    boris = make_user("boris").profile
    activity = make_activity(by=boris, deleted_at=timezone.now())

    assert not Activity.objects.visible_to(boris).exists()
    assert not Activity.objects.busy_for(make_user("anna").profile).exists()
    assert Activity.objects.filter(pk=activity.pk).exists()


def test_nobody_is_found_twice():
    anna, boris = make_user("anna").profile, make_user("boris").profile
    make_activity(by=boris, participants=[anna])

    assert Activity.objects.visible_to(anna).count() == 1


@pytest.mark.rule("R1")
def test_private_tags_are_seen_by_their_owner_alone():
    anna, boris = make_user("anna").profile, make_user("boris", is_superuser=True, is_staff=True).profile
    private = make_tag("Mine", owner=anna)
    corporate = make_tag("Q4", kind=Tag.Kind.CORPORATE)
    public = make_tag("Website", kind=Tag.Kind.PUBLIC)

    assert set(Tag.objects.visible_to(anna)) == {private, corporate, public}
    assert set(Tag.objects.visible_to(boris)) == {corporate, public}
