"""The activity page: saving, people, tags, copying, deleting, and who gets a 404."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from activities import services
from activities.models import Activity, FieldChange, Participant, Tag
from tests.factories import MONDAY_NINE, make_activity, make_tag, make_user

from .test_form import opened

pytestmark = pytest.mark.django_db


def address(activity: Activity, part: str = "") -> str:
    return f"/activities/{activity.pk}/{part}"


def html_of(client: Client, activity: Activity, query: str = "") -> str:
    response = client.get(address(activity) + query)
    assert response.status_code == 200
    return response.content.decode()


# --- Making and saving ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "title", "kind", "category", "shown"),
    [
        ("?kind=task", "New task", "task", "to_do", False),
        ("?kind=call", "New call", "call", "call", False),
        ("?kind=task&category=meeting", "New meeting", "task", "meeting", True),
        ("?kind=email", "New task", "task", "to_do", False),
    ],
)
def test_new_task_call_and_meeting(anna, client_of_anna, query, title, kind, category, shown):
    html = client_of_anna.get(f"/activities/new/{query}").content.decode()
    assert f"<h1>{title}</h1>" in html

    values = {
        "subject": "Redlines", "start": "2026-03-11T13:30", "due": "", "time_zone": "UTC", "category": category,
        "status": "not_started", "priority": "medium", "owner": anna.pk, "reporter": anna.pk,
        **({"show_in_calendar": "on"} if shown else {}),
    }  # fmt: skip
    response = client_of_anna.post(f"/activities/new/{query}", values)

    activity = Activity.objects.get()
    assert response["Location"] == address(activity)
    assert (activity.kind, activity.category, activity.show_in_calendar) == (kind, category, shown)
    assert activity.due - activity.start == timedelta(minutes=30)
    assert (activity.owner, activity.reporter, activity.organizer) == (anna, anna, anna)


def test_a_refused_form_loses_nothing(anna, client_of_anna):
    activity = make_activity(by=anna)
    values = {**opened(activity), "subject": "Typed", "due": "2026-03-09T08:00", "notes": "Long thoughts"}

    response = client_of_anna.post(address(activity), values)

    html = response.content.decode()
    assert response.status_code == 422
    assert "The due time cannot be earlier than the start." in html
    assert 'value="Typed"' in html
    assert "Long thoughts" in html
    activity.refresh_from_db()
    assert activity.subject == "Quarterly review"


def test_saving_sends_on_what_was_changed(anna, client_of_anna):
    activity = make_activity(by=anna)
    response = client_of_anna.post(address(activity), {**opened(activity), "status": "completed", "result": "Agreed"})

    assert response["Location"] == address(activity)
    activity.refresh_from_db()
    assert (activity.status, activity.result) == ("completed", "Agreed")
    assert set(activity.changes.values_list("field", flat=True)) == {"created", "status", "result"}


def test_who_makes_it_private_without_taking_part_goes_back_to_the_section(anna, boris, client_of_anna):
    activity = make_activity(by=boris)
    response = client_of_anna.post(address(activity), {**opened(activity), "is_private": "on"})
    assert response["Location"] == "/activities/"


@pytest.mark.rule("R6")
def test_a_closed_activity_gives_the_reason_and_no_open_field(anna, boris, client_of_anna, closed_to_anna):
    activity = make_activity(by=boris, participants=[anna])
    html = html_of(client_of_anna, activity)

    assert closed_to_anna in html
    assert 'name="initial-subject"' in html  # Disabled as well, so no browser sends it.
    for name in ("subject", "start", "due", "location", "time_zone", "is_private", "show_as_free"):
        control = html.split(f'id="id_{name}"')[0].rsplit("<", 1)[1] + html.split(f'id="id_{name}"')[1].split(">")[0]
        assert "disabled" in control, name
        assert "read-only-why" in control, name
    assert "Add participant" not in html
    assert 'aria-label="Remove' not in html
    assert ">Accept<" in html


@pytest.mark.rule("R6")
def test_a_closed_activity_is_closed_to_hand_made_requests(anna, boris, client_of_anna, closed_to_anna):
    activity = make_activity(by=boris, participants=[anna])
    values = {**opened(activity), "subject": "Mine"}

    response = client_of_anna.post(address(activity), values)

    assert response.status_code == 422
    assert closed_to_anna in response.content.decode()
    assert 'value="Mine"' in response.content.decode()
    activity.refresh_from_db()
    assert activity.subject == "Quarterly review"


def test_times_elsewhere_are_told_in_ones_own_zone(client):
    maja = make_user("maja", time_zone="Europe/Stockholm")
    client.force_login(maja)
    html = html_of(client, make_activity(by=maja.profile, time_zone="America/New_York"))

    assert 'value="2026-03-09T05:00"' in html
    assert "In your own time zone: Mon 9 Mar 2026, 10:00" in html


def test_notes_from_google_are_shown_clean(anna, client_of_anna):
    activity = make_activity(by=anna, notes='<b>Agenda</b><script>alert(1)</script><img src="https://x.example/p.png">')
    html = html_of(client_of_anna, activity)
    assert '<div class="prose"><b>Agenda</b></div>' in html
    assert "alert(1)" not in html
    assert "x.example" not in html


@pytest.mark.parametrize(("link", "is_shown"), [("https://meet.example/x", True), ("javascript:alert(1)", False)])
def test_the_join_link(anna, client_of_anna, link, is_shown):
    html = html_of(client_of_anna, make_activity(by=anna, join_link=link))
    assert (f'href="{link}"' in html) is is_shown


def test_nothing_is_written_inline(anna, client_of_anna):
    html = html_of(client_of_anna, make_activity(by=anna))
    assert "style=" not in html
    assert "<script>" not in html
    assert "onclick" not in html


# --- Who may see it -------------------------------------------------------------------------------------------------

ACTIONS = [
    "copy/",
    "delete/",
    "answer/",
    "participants/add/",
    "participants/{by}/remove/",
    "tags/add/",
    "tags/1/remove/",
]


@pytest.mark.rule("R8")
@pytest.mark.parametrize("part", ["", *ACTIONS])
@pytest.mark.parametrize("secret", [{"is_private": True}, {"made_in_google": True}], ids=["private", "google"])
def test_what_one_may_not_see_is_not_there(boris, client_of_anna, part, secret):
    activity = make_activity(by=boris, **secret)
    path = address(activity, part.format(by=boris.pk))

    assert client_of_anna.post(path, {"subject": "x", "response": "accepted"}).status_code == 404
    if not part or part == "delete/":
        assert client_of_anna.get(path).status_code == 404
    assert Activity.objects.count() == 1


@pytest.mark.parametrize("part", [part for part in ACTIONS if part != "delete/"])
def test_what_changes_something_is_no_link(anna, client_of_anna, part):
    activity = make_activity(by=anna)
    assert client_of_anna.get(address(activity, part.format(by=anna.pk))).status_code == 405


# --- Participants ---------------------------------------------------------------------------------------------------


def test_participants_are_added_and_removed(anna, boris, client_of_anna):
    activity = make_activity(by=anna)

    response = client_of_anna.post(address(activity, "participants/add/"), {"profile": boris.pk})
    assert response["Location"] == f"{address(activity)}#participants"
    html = html_of(client_of_anna, activity)
    assert 'aria-label="Remove Boris"' in html
    assert 'aria-label="Remove Anna"' not in html  # The Organizer stays.

    client_of_anna.post(address(activity, f"participants/{boris.pk}/remove/"))
    assert not activity.participants.filter(profile=boris).exists()


@pytest.mark.parametrize("value", ["", "nobody", "999999"])
def test_nobody_is_no_participant(anna, client_of_anna, value):
    activity = make_activity(by=anna)
    response = client_of_anna.post(address(activity, "participants/add/"), {"profile": value}, follow=True)
    assert "Choose a person to add." in response.content.decode()
    assert activity.participants.count() == 1


@pytest.mark.rule("R6")
def test_participants_of_a_closed_activity_stay(anna, boris, client_of_anna, closed_to_anna):
    clara = make_user("clara").profile
    activity = make_activity(by=boris, participants=[anna, clara])

    for part in ("participants/add/", f"participants/{clara.pk}/remove/"):
        response = client_of_anna.post(address(activity, part), {"profile": make_user().profile.pk}, follow=True)
        assert closed_to_anna in response.content.decode()
    assert activity.participants.count() == 3


@pytest.mark.rule("R8")
def test_who_has_not_synchronized_yet_is_marked(anna, boris, client_of_anna):
    activity = make_activity(by=anna, participants=[boris])
    assert "Not synchronized yet" not in html_of(client_of_anna, activity)

    Participant.objects.filter(activity=activity, profile=boris).update(displayed=False)
    html = html_of(client_of_anna, activity)
    assert "Not synchronized yet" in html
    assert "Boris will see this activity after a synchronization of their own." in html


@pytest.mark.rule("R7")
def test_whom_google_cannot_invite_is_marked(anna, client_of_anna):
    activity = make_activity(by=anna, participants=[make_user("clara", email="").profile])
    assert html_of(client_of_anna, activity).count("No e-mail address") == 1


@pytest.mark.rule("R7")
def test_other_guests_are_shown_and_nothing_more(anna, client_of_anna):
    guests = [
        {"name": "Ingrid Sommer", "email": "ingrid@x.example", "response": "accepted"},
        {"email": "room@x.example", "response": "something new"},
    ]
    html = html_of(client_of_anna, make_activity(by=anna, other_guests=guests))
    assert "Ingrid Sommer" in html
    assert "room@x.example" in html
    assert "Known to Google only" in html


@pytest.mark.parametrize("response", ["accepted", "tentative", "declined"])
def test_ones_own_answer(anna, boris, client_of_anna, response):
    activity = make_activity(by=boris, participants=[anna])
    client_of_anna.post(address(activity, "answer/"), {"response": response})
    assert activity.participants.get(profile=anna).response == response
    assert activity.participants.get(profile=boris).response == "accepted"


def test_an_answer_that_is_none(anna, boris, client_of_anna):
    activity = make_activity(by=boris, participants=[anna])
    page = client_of_anna.post(address(activity, "answer/"), {"response": "perhaps"}, follow=True)
    assert "Choose Accept, Maybe or Decline." in page.content.decode()
    assert activity.participants.get(profile=anna).response == "needs_action"


def test_who_takes_no_part_is_not_asked(boris, client_of_anna):
    activity = make_activity(by=boris)
    assert ">Accept<" not in html_of(client_of_anna, activity)
    page = client_of_anna.post(address(activity, "answer/"), {"response": "accepted"}, follow=True)
    assert "You take no part in this activity." in page.content.decode()


# --- Tags -----------------------------------------------------------------------------------------------------------


def test_a_private_tag_is_found_or_made(anna, client_of_anna):
    activity = make_activity(by=anna)
    for _again in range(2):
        response = client_of_anna.post(address(activity, "tags/add/"), {"name": "Key account", "kind": "private"})
    assert response["Location"] == f"{address(activity)}?tags=1#tags"
    tag = activity.tags.get()
    assert (tag.name, tag.kind, tag.owner) == ("Key account", "private", anna)

    client_of_anna.post(address(activity, f"tags/{tag.pk}/remove/"))
    assert not activity.tags.exists()


@pytest.mark.rule("R1")
def test_other_peoples_private_tags_are_not_there(anna, boris, client_of_anna):
    foreign = make_tag("Secret plan", owner=boris)
    activity = make_activity(by=boris, participants=[anna], tags=[foreign])

    assert "Secret plan" not in html_of(client_of_anna, activity, "?tags=1")
    assert client_of_anna.post(address(activity, "tags/add/"), {"tag": foreign.pk}).status_code == 404
    assert client_of_anna.post(address(activity, f"tags/{foreign.pk}/remove/")).status_code == 404
    assert activity.tags.get() == foreign


def test_existing_shared_tags_are_everybodys_and_new_ones_need_a_permission(anna, client_of_anna):
    activity = make_activity(by=anna)
    corporate = make_tag("Q4", kind=Tag.Kind.CORPORATE)
    html = html_of(client_of_anna, activity, "?tags=1")
    assert "New private tag" in html
    assert "New corporate tag" not in html

    client_of_anna.post(address(activity, "tags/add/"), {"tag": corporate.pk})
    assert activity.tags.get() == corporate
    page = client_of_anna.post(address(activity, "tags/add/"), {"name": "Web", "kind": "public"}, follow=True)
    assert "Ask an administrator for the permission." in page.content.decode()
    assert not Tag.objects.filter(name="Web").exists()


def test_with_the_permission_shared_tags_are_made(anna, client_of_anna):
    anna.user.user_permissions.add(Permission.objects.get(codename="add_public_tag"))
    activity = make_activity(by=anna)
    html = html_of(client_of_anna, activity, "?tags=1")
    assert "New public tag" in html
    assert "New corporate tag" not in html

    client_of_anna.post(address(activity, "tags/add/"), {"name": "Web", "kind": "public"})
    assert activity.tags.get().kind == "public"


def test_a_tag_without_a_name_is_refused_with_words(anna, client_of_anna):
    page = client_of_anna.post(address(make_activity(by=anna), "tags/add/"), {"name": " "}, follow=True)
    assert "Give the tag a name." in page.content.decode()


# --- Copying, deleting, the Feed ------------------------------------------------------------------------------------


def test_what_acts_at_once_says_that_it_was_done(anna, boris, client_of_anna):
    activity = make_activity(by=anna, participants=[boris])
    nils = make_user("nils").profile
    tag = make_tag("Q4", owner=anna)

    def said(part: str, **values: object) -> str:
        return client_of_anna.post(address(activity, part), values, follow=True).content.decode()

    assert "Nils takes part now." in said("participants/add/", profile=nils.pk)
    assert "Nils takes part no more." in said(f"participants/{nils.pk}/remove/")
    assert "Put the tag “Q4” on." in said("tags/add/", tag=tag.pk)
    assert "Took the tag “Q4” off." in said(f"tags/{tag.pk}/remove/")
    assert "Your answer has been saved: Maybe." in said("answer/", response="tentative")


def test_copy_opens_the_copy(anna, boris, client_of_anna):
    activity = make_activity(by=boris, participants=[anna])
    response = client_of_anna.post(address(activity, "copy/"))
    made = Activity.objects.exclude(pk=activity.pk).get()
    assert response["Location"] == address(made)
    assert made.organizer == anna


@pytest.mark.rule("R14")
def test_delete_asks_first(anna, client_of_anna):
    activity = make_activity(by=anna)
    assert "Delete this activity?" in client_of_anna.get(address(activity, "delete/")).content.decode()
    assert Activity.objects.visible_to(anna).exists()

    response = client_of_anna.post(address(activity, "delete/"))
    assert response["Location"] == "/activities/"
    assert client_of_anna.get(address(activity)).status_code == 404


@pytest.mark.rule("R14")
def test_others_are_told_why_they_cannot_delete(anna, boris, client_of_anna):
    activity = make_activity(by=boris, participants=[anna])
    for response in (
        client_of_anna.get(address(activity, "delete/")),
        client_of_anna.post(address(activity, "delete/"), follow=True),
    ):
        assert "Only the Organizer can delete this activity." in response.content.decode()
    assert Activity.objects.visible_to(anna).exists()


def test_the_feed_tells_in_words(anna, boris, client_of_anna):
    activity = make_activity(by=anna, participants=[boris])
    later = MONDAY_NINE + timedelta(hours=1)
    services.edit(
        activity=activity, by=anna, now=later, subject="Redlines", owner=boris, is_private=True, start=later,
        location="Room 4", notes="<p>Long</p>",
    )  # fmt: skip
    services.respond(activity=activity, profile=boris, response="tentative", now=later)
    services.add_tag(activity=activity, tag=make_tag("Q4", kind=Tag.Kind.CORPORATE), by=anna, now=later)
    FieldChange.objects.create(
        activity=activity, field="location", before="Room 4", after="", origin=FieldChange.Origin.GOOGLE, at=later
    )
    FieldChange.objects.create(activity=activity, field="when", before=None, after={"start": "?"}, at=later)

    html = html_of(client_of_anna, activity)
    for words in (
        "made this activity",
        "changed Subject from “Quarterly review” to “Redlines”",
        "changed Owner from Anna to Boris",
        "switched Private on",
        "changed the time from Mon 9 Mar 2026, 09:00 – 10:00 to Mon 9 Mar 2026, 10:00 – 11:00",
        "set Location to “Room 4”",
        "changed Notes",
        "answered: Maybe",
        "put the tag “Q4” on",
        "<strong>Google Calendar</strong> emptied Location, which was “Room 4”",
        "set the time to another time",
    ):
        assert words in html


@pytest.mark.rule("R1")
def test_the_feed_keeps_what_is_somebodys_own(anna, boris, client_of_anna):
    activity = make_activity(by=boris, participants=[anna])
    services.add_tag(activity=activity, tag=make_tag("Secret plan", owner=boris), by=boris, now=MONDAY_NINE)
    FieldChange.objects.create(activity=activity, field="reminder_minutes", after=4711, by=boris, at=MONDAY_NINE)

    html = html_of(client_of_anna, activity)
    assert "Secret plan" not in html
    assert "4711" not in html


def test_a_full_page_needs_few_queries(anna, boris, client_of_anna, django_assert_max_num_queries):
    people = [make_user().profile for _number in range(20)]
    activity = make_activity(by=anna, participants=[boris, *people], tags=[make_tag(owner=anna) for _ in range(10)])
    for number in range(30):
        services.edit(
            activity=activity, by=anna, now=MONDAY_NINE, subject=f"Version {number}", owner=people[number % 20]
        )

    # The Google panel asks on its own; that it does not grow is what counts here.
    with django_assert_max_num_queries(26):
        html_of(client_of_anna, activity)
