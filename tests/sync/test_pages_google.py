"""What pages show of Google, against the emulator: preview, an activity's panel, conflicts, marks and status."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.template import engines
from django.test import Client, RequestFactory
from django.utils import timezone

from accounts.models import ExternalAccount, Profile
from activities import series, services
from activities.models import Activity, Participant, Tag
from google_emulator import Emulator
from sync.models import EventLink, SyncedCalendar, SyncOutcome, SyncSession
from tests.factories import make_activity, make_tag, make_user
from tests.google import connect, sync_tag, synchronize, timed
from tests.sync.pages import make_calendar, make_outcome, make_session

pytestmark = pytest.mark.django_db

START = datetime(2027, 3, 8, 10, tzinfo=UTC)
TEN = timed("2027-03-08T10:00:00", "2027-03-08T11:00:00")


@pytest.fixture
def anna() -> Profile:
    return make_user("anna").profile


@pytest.fixture
def page(anna: Profile) -> Client:
    client = Client()
    client.force_login(anna.user)
    return client


@pytest.fixture
def calendar(google: Emulator, anna: Profile) -> SyncedCalendar:
    return connect(google, anna.user)


def tagged(by: Profile, subject: str = "Renewal call", **values: Any) -> Activity:
    return make_activity(
        by=by, subject=subject, start=START, show_in_calendar=True, tags=[sync_tag(by)], now=timezone.now(), **values
    )


def text(response: Any) -> str:
    return response.content.decode()


def rendered(source: str, profile: Profile, **context: Any) -> str:
    """Render what a page would, in a request of this person."""
    request = RequestFactory().get("/")
    request.user = profile.user
    return engines["django"].from_string("{% load google %}" + source).render(context, request)


# --- Preview -----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R21")
def test_the_preview_lists_what_a_session_would_do_and_changes_nothing(google, anna, page, calendar):
    activity = tagged(anna)
    google.person("anna@northfold.example").create_event({"summary": "Dentist", **TEN})

    shown = text(page.get("/activities/synchronization/preview/", headers={"HX-Request": "true"}))

    assert "Renewal call" in shown
    assert "Add in Google" in shown
    assert "Dentist" in shown
    assert "Add here" in shown
    assert "1 to Google" in shown
    assert "<html" not in shown
    assert list(Activity.objects.all()) == [activity]
    assert len(google.person("anna@northfold.example").events()) == 1
    assert not EventLink.objects.exists()
    assert not SyncSession.objects.exists()


@pytest.mark.rule("R11", "R21")
def test_the_preview_shows_which_value_would_win_and_what_stays_out(google, anna, page, calendar):
    activity = tagged(anna)
    synchronize(calendar)
    person = google.person("anna@northfold.example")
    person.edit(person.events()[0]["id"], {"location": "Room Mälaren"})
    services.edit(activity=activity, by=anna, now=timezone.now() + timedelta(minutes=1), location="Room Vättern")
    tagged(anna, "For everybody").tags.add(make_tag("Website", kind=Tag.Kind.PUBLIC))

    shown = text(page.get("/activities/synchronization/preview/"))

    assert "Location. Changed on both sides; the later change was kept." in shown
    assert "Kept: Room Vättern. Gives way: Room Mälaren." in shown
    assert "1 stays out" in shown
    assert "It carries the public tag “Website”." in shown


@pytest.mark.rule("R14", "R21")
def test_the_preview_says_that_the_session_would_stop_and_ask(google, anna, page, calendar):
    for number in range(5):
        tagged(anna, f"Visit {number}")
    synchronize(calendar)
    person = google.person("anna@northfold.example")
    for event in person.events():
        person.delete(event["id"])

    shown = text(page.get("/activities/synchronization/preview/"))

    assert "The session would stop and ask you." in shown
    assert "It would remove 5 items" in shown
    assert shown.count("Cancel here, once you say so") == 5


def test_a_preview_that_google_does_not_answer_says_so(anna, page, calendar, settings):
    ExternalAccount.objects.update(status=ExternalAccount.Status.RECONNECT_NEEDED)

    response = page.get("/activities/synchronization/preview/")

    assert response.status_code == 200
    assert "is not connected" in text(response)


def test_a_preview_without_the_key_to_the_tokens_says_what_to_do(google, anna, page, calendar, settings):
    settings.TOKEN_ENCRYPTION_KEYS = ["YW5vdGhlci1rZXktYW5vdGhlci1rZXktYW5vdGhlci0="]

    shown = text(page.get("/activities/synchronization/preview/"))

    assert "Connect your Google account again." in shown


def test_a_preview_needs_saved_settings(anna, page):
    make_calendar(anna, is_set_up=False)

    assert "save the settings first" in text(page.get("/activities/synchronization/preview/", follow=True))


# --- The panel of an activity ------------------------------------------------------------------------------------


def panel(page: Client, activity: Activity) -> str:
    """Return what the page of an activity says about Google."""
    return text(page.get(f"/activities/{activity.pk}/")).partition('aria-labelledby="google-title"')[2]


@pytest.mark.rule("R21")
def test_the_panel_says_what_waits_for_the_next_synchronization(google, anna, page, calendar):
    activity = tagged(anna)
    synchronize(calendar)
    google.requests.clear()
    assert "Waits for the next synchronization" not in panel(page, activity)

    services.edit(activity=activity, by=anna, now=timezone.now(), priority="high")  # Of that Google hears nothing.
    assert "Waits for the next synchronization" not in panel(page, activity)
    services.edit(activity=activity, by=anna, now=timezone.now(), location="Room 4", subject="Offer")
    assert "Changed here: Subject, Location. The next synchronization sends it to Google." in panel(page, activity)
    assert len(google.requests) == 0

    synchronize(calendar)
    assert "Waits for the next synchronization" not in panel(page, activity)


@pytest.mark.rule("R21")
def test_the_panel_says_what_was_seen_in_google_and_waits(google, anna, page, calendar, monkeypatch):
    activity = tagged(anna)
    synchronize(calendar)
    person = google.person("anna@northfold.example")
    person.edit(person.events()[0]["id"], {"location": "Room 4"})
    monkeypatch.setattr("sync.items.bring_all_together", lambda _run: "succeeded")  # It ends after it has read.
    synchronize(calendar)

    assert "Changed in Google: Location. The next synchronization brings it here." in panel(page, activity)


@pytest.mark.rule("R21", "R15")
def test_the_panel_of_an_occurrence_says_what_waits_about_it_and_its_series(google, anna, page, calendar):
    head = series.create(
        by=anna, subject="Stand-up", lines=["RRULE:FREQ=WEEKLY;COUNT=3"], start=START, due=START + timedelta(hours=1),
        show_in_calendar=True, now=timezone.now(),
    )  # fmt: skip
    services.add_tag(activity=head, tag=sync_tag(anna), by=anna)
    synchronize(calendar)
    first, second, third = Activity.objects.filter(series=head.series).order_by("start")
    assert not [row for row in (first, second, third) if "Waits for" in panel(page, row)]

    series.edit(activity=second, scope="this", by=anna, now=timezone.now(), location="Room 4")
    assert "Changed here: Location." in panel(page, second)
    assert "Waits for" not in panel(page, third)

    series.edit(activity=first, scope="all", by=anna, now=timezone.now(), subject="Daily")
    assert "Changed here: Subject, Location." in panel(page, second)
    assert "Changed here: Subject." in panel(page, third)


@pytest.mark.rule("R21", "R6")
def test_the_panel_says_what_will_be_taken_back(google, anna, page, calendar):
    boris = make_user("boris").profile
    connect(google, boris.user)
    activity = tagged(anna, participants=[boris])
    synchronize(calendar)
    services.edit(activity=activity, by=anna, now=timezone.now(), subject="Offer")
    Activity.objects.filter(pk=activity.pk).update(location="An import's")
    services.announce(activity, by=None)

    shown = panel(page, activity)
    assert "Changed here: Subject. The next synchronization sends it to Google." in shown
    assert "Changed here by somebody who may not: Location. The next synchronization takes it back" in shown

    [outcome] = synchronize(calendar).outcomes.filter(action="updated", direction="here")
    assert (outcome.rule, outcome.reason) == ("R6", "Location taken back: Google's value holds.")
    assert "Waits for the next synchronization" not in panel(page, activity)


@pytest.mark.rule("R21", "R10")
def test_the_panel_says_whose_synchronization_is_waited_for(google, anna, page, calendar):
    boris = make_user("boris").profile
    boriss = connect(google, boris.user)
    activity = tagged(boris, participants=[anna])
    for one in (boriss, calendar):
        synchronize(one)
    services.edit(activity=activity, by=boris, now=timezone.now(), location="Room 4")
    services.respond(activity=activity, profile=anna, response="accepted", now=timezone.now())

    shown = panel(page, activity)

    expected = f"Changed here: Location. The next synchronization of {boris.full_name} sends it to Google."
    assert expected in shown
    assert "Your answer is not in Google yet. Your next synchronization sends it." in shown
    for one in (calendar, boriss):
        synchronize(one)
    assert "Waits for the next synchronization" not in panel(page, activity)


@pytest.mark.rule("R21")
def test_the_panel_says_that_an_activity_is_in_google_and_where(anna, calendar):
    activity = tagged(anna)
    synchronize(calendar)

    shown = rendered("{% google_panel activity %}", anna, activity=activity)

    assert "Why is this in Google?" in shown
    assert "anna@northfold.example" in shown
    assert "Open in Google" in shown
    assert "R1c" in shown


@pytest.mark.rule("R1", "R21")
def test_the_panel_says_why_an_activity_is_not_in_google_and_what_to_do(anna, calendar):
    activity = make_activity(by=anna, start=START)

    shown = rendered("{% google_panel activity %}", anna, activity=activity)

    assert "Why is this not in Google?" in shown
    assert "Open in Google" not in shown
    assert "R1" in shown


def test_the_panel_offers_to_add_an_account(anna):
    shown = rendered("{% google_panel activity %}", anna, activity=make_activity(by=anna))

    assert "Not connected" in shown
    assert 'href="/profile/external-accounts/"' in shown


def test_a_link_from_google_that_is_no_web_address_is_not_offered(anna, calendar):
    activity = tagged(anna)
    synchronize(calendar)
    link = EventLink.objects.get()
    link.event["htmlLink"] = "javascript:alert(1)"
    link.save()

    assert "javascript:" not in rendered("{% google_panel activity %}", anna, activity=activity)


@pytest.mark.rule("R1", "R4")
def test_the_tags_of_what_is_in_google_say_what_a_public_one_does(anna, page, calendar):
    activity = tagged(anna)
    words = "A corporate or public tag stops synchronization of this activity. The event stays in Google as it is."
    assert words not in text(page.get(f"/activities/{activity.pk}/"))

    synchronize(calendar)

    assert words in text(page.get(f"/activities/{activity.pk}/"))


# --- What a session says -----------------------------------------------------------------------------------------


def weekly(by: Profile, calendar: SyncedCalendar) -> list[Activity]:
    """Return the occurrences of a series that is on both sides."""
    head = series.create(
        by=by, subject="Stand-up", lines=["RRULE:FREQ=WEEKLY;COUNT=3"], start=START, due=START + timedelta(hours=1),
        show_in_calendar=True, now=timezone.now(),
    )  # fmt: skip
    services.add_tag(activity=head, tag=sync_tag(by), by=by)
    synchronize(calendar)
    return list(Activity.objects.filter(series=head.series).order_by("start"))


def said_by(page: Client, session: SyncSession) -> str:
    return text(page.get(f"/activities/synchronization/sessions/{session.pk}/"))


@pytest.mark.rule("R15", "R21")
@pytest.mark.parametrize("side", ["here", "google"])
def test_a_session_says_that_a_series_was_divided(google, anna, page, calendar, side):
    occurrences = weekly(anna, calendar)
    if side == "here":
        values = {"scope": "following", "by": anna, "now": timezone.now()}
        series.edit(activity=occurrences[1], location="Room 4", **values)
    else:
        person = google.person("anna@northfold.example")
        person.edit(person.events(expand=True)[1]["id"], {"location": "Room 4"}, scope="following")

    shown = said_by(page, synchronize(calendar))

    assert f"The series was divided {'here' if side == 'here' else 'in Google'}. This is its later part" in shown
    assert "New in Google" not in shown


@pytest.mark.rule("R14", "R15", "R21")
def test_a_session_says_when_a_deleted_series_was(google, anna, page, calendar):
    occurrences = weekly(anna, calendar)
    series.delete(activity=occurrences[0], scope="all", by=anna, now=timezone.now())

    shown = said_by(page, synchronize(calendar))

    assert "Removed in Google" in shown
    assert "All occurrences, from Mon 8 Mar" in shown
    assert f"/activities/{occurrences[0].series.head.pk}/" not in shown  # Nothing is there to open any more.


@pytest.mark.rule("R11", "R21")
def test_a_session_tells_about_one_item_under_one_name(google, anna, page, calendar):
    activity = tagged(anna)
    synchronize(calendar)
    person = google.person("anna@northfold.example")
    person.edit(person.events()[0]["id"], {"summary": "Renamed in Google"})
    services.edit(activity=activity, by=anna, now=timezone.now(), location="Room 4")

    session = synchronize(calendar)

    outcomes = list(session.outcomes.values_list("action", "direction", "item"))
    assert sorted(outcomes) == [
        ("updated", "google", "Renamed in Google"),
        ("updated", "here", "Renamed in Google"),
    ]


@pytest.mark.rule("R10", "R21")
def test_a_session_says_which_answer_was_given_in_google(google, anna, page, calendar):
    google.add_account("maria@partner.example")
    guests = [{"email": "anna@northfold.example"}]
    event = google.person("maria@partner.example").create_event({"summary": "Board", "attendees": guests, **TEN})
    synchronize(calendar)
    google.person("anna@northfold.example").respond(event["id"], "tentative")

    shown = said_by(page, synchronize(calendar))

    assert "You answered in Google." in shown
    label = Participant.Response.TENTATIVE.label
    assert f"Response: {Participant.Response.NEEDS_ACTION.label} → {label}" in shown


@pytest.mark.rule("R9", "R21")
@pytest.mark.parametrize("made", ["here", "in Google"])
def test_a_session_says_where_a_meeting_that_is_joined_was_made(google, anna, page, calendar, made):
    boris = make_user("boris").profile
    boriss = connect(google, boris.user)
    if made == "here":
        tagged(boris, participants=[anna])
    else:
        guests = [{"email": "anna@northfold.example"}]
        google.person("boris@northfold.example").create_event({"summary": "Board", "attendees": guests, **TEN})
    synchronize(boriss)

    shown = said_by(page, synchronize(calendar))

    assert ("This meeting was made here." in shown) == (made == "here")
    assert ("A colleague&#x27;s synchronization has brought" in shown) == (made == "in Google")


@pytest.mark.rule("R11", "R21")
def test_the_journal_shows_notes_as_text(google, anna, page, calendar):
    activity = tagged(anna)
    synchronize(calendar)
    [event] = google.person("anna@northfold.example").events()
    google.person("anna@northfold.example").edit(event["id"], {"description": "<p>Bring <b>slides</b></p>"})

    shown = said_by(page, synchronize(calendar))

    assert "Notes: none → Bring slides" in shown
    assert Activity.objects.get(pk=activity.pk).notes == "<p>Bring <b>slides</b></p>"


# --- Remove from Google Calendar ---------------------------------------------------------------------------------


@pytest.fixture
def frozen(anna: Profile, calendar: SyncedCalendar) -> Activity:
    """An activity whose event is in Google, frozen by a corporate tag."""
    activity = tagged(anna)
    synchronize(calendar)
    services.add_tag(activity=activity, tag=make_tag("Q4 renewals", kind=Tag.Kind.CORPORATE), by=anna)
    synchronize(calendar)
    assert EventLink.objects.get().state == EventLink.State.FROZEN
    return activity


@pytest.mark.rule("R4")
def test_a_frozen_activity_can_be_removed_from_google_and_stays_here(google, anna, page, calendar, frozen):
    assert "Remove from Google Calendar" in rendered("{% google_panel activity %}", anna, activity=frozen)

    response = page.post(f"/activities/{frozen.pk}/remove-from-google/")

    assert response.url == f"/activities/{frozen.pk}/"
    assert google.person("anna@northfold.example").events() == []
    session = synchronize(calendar)
    assert (session.status, session.removed_here) == ("succeeded", 0)
    assert Activity.objects.get().status == Activity.Status.NOT_STARTED


@pytest.mark.rule("R4", "R17")
@pytest.mark.parametrize(
    ("tells", "sentence"),
    [(True, "Google tells them by mail that it is canceled."), (False, "Google sends them no mail.")],
)
def test_before_an_event_is_removed_a_page_asks_and_says_what_becomes_of_it(
    google, anna, page, calendar, frozen, tells, sentence
):
    link = EventLink.objects.get()
    guests = [{"email": "maria@partner.example", "displayName": "Maria"}]
    link.event = google.person("anna@northfold.example").edit(link.event_id, {"attendees": guests})
    link.save()
    anna.sync_settings.tell_guests = tells
    anna.sync_settings.save()

    shown = text(page.get(f"/activities/{frozen.pk}/remove-from-google/"))

    assert "The event is deleted from the Google Calendar of anna@northfold.example." in shown
    assert "It also disappears from the calendars of its guests: Maria." in shown
    assert sentence in shown
    assert len(google.person("anna@northfold.example").events()) == 1
    assert EventLink.objects.get().state == EventLink.State.FROZEN


@pytest.mark.rule("R4")
def test_the_question_is_not_asked_about_what_cannot_be_removed(page, anna, calendar):
    activity = tagged(anna)
    synchronize(calendar)

    response = page.get(f"/activities/{activity.pk}/remove-from-google/", follow=True)

    assert response.redirect_chain[0][0] == f"/activities/{activity.pk}/"
    assert "Only an activity that is frozen can be removed" in text(response)


@pytest.mark.rule("R4", "R13")
def test_what_was_removed_returns_as_a_new_event_once_it_qualifies_again(google, anna, page, calendar, frozen):
    page.post(f"/activities/{frozen.pk}/remove-from-google/")
    synchronize(calendar)

    services.remove_tag(activity=frozen, tag=Tag.objects.get(kind=Tag.Kind.CORPORATE), by=anna)
    synchronize(calendar)

    [event] = google.person("anna@northfold.example").events()
    assert event["summary"] == "Renewal call"


@pytest.mark.rule("R4")
def test_an_activity_that_flows_is_not_removed_from_google_alone(google, anna, page, calendar):
    activity = tagged(anna)
    synchronize(calendar)

    assert "Remove from Google" not in rendered("{% google_panel activity %}", anna, activity=activity)
    page.post(f"/activities/{activity.pk}/remove-from-google/")

    assert len(google.person("anna@northfold.example").events()) == 1


@pytest.mark.rule("R4", "R12")
def test_an_event_that_changed_meanwhile_is_not_removed_unseen(google, anna, page, calendar, frozen):
    person = google.person("anna@northfold.example")
    person.edit(person.events()[0]["id"], {"location": "Room Mälaren"})

    page.post(f"/activities/{frozen.pk}/remove-from-google/")

    assert len(person.events()) == 1
    assert EventLink.objects.exists()
    assert not SyncedCalendar.objects.exclude(lease_by="").exists()


@pytest.mark.rule("R18", "R4")
def test_nothing_is_removed_while_a_session_runs(google, page, calendar, frozen):
    SyncedCalendar.objects.claim(calendar_id=calendar.pk, now=timezone.now())

    page.post(f"/activities/{frozen.pk}/remove-from-google/")

    assert len(google.person("anna@northfold.example").events()) == 1


def test_what_one_may_not_open_one_cannot_remove(page, anna):
    activity = make_activity(subject="Closed", is_private=True)

    assert page.post(f"/activities/{activity.pk}/remove-from-google/").status_code == 404
    assert page.get(f"/activities/{activity.pk}/remove-from-google/").status_code == 404


# --- Conflicts ---------------------------------------------------------------------------------------------------


def conflict_about(activity: Activity, field: str, *, calendar: SyncedCalendar, **values: Any) -> SyncOutcome:
    session = make_session(calendar)
    return make_outcome(
        session, action=SyncOutcome.Action.REPLACED, activity=activity, rule="R11", field=field, **values
    )


@pytest.mark.rule("R11")
def test_the_other_value_of_a_real_conflict_travels_to_google(google, anna, page, calendar):
    activity = tagged(anna)
    synchronize(calendar)
    person = google.person("anna@northfold.example")
    [event] = person.events()
    person.edit(event["id"], {"location": "Room Mälaren"})
    services.edit(activity=activity, by=anna, now=timezone.now() + timedelta(minutes=1), location="Room Vättern")
    synchronize(calendar)
    conflict = SyncOutcome.objects.get(action="replaced")
    assert "Room Mälaren" in rendered("{% google_panel activity %}", anna, activity=activity)

    page.post(f"/activities/synchronization/conflicts/{conflict.pk}/use-other/", {"from": "activity"})
    synchronize(calendar)

    assert Activity.objects.get().location == "Room Mälaren"
    assert person.event(event["id"])["location"] == "Room Mälaren"
    assert "Changed on both sides" not in rendered("{% google_panel activity %}", anna, activity=activity)


@pytest.mark.rule("R11")
@pytest.mark.parametrize(
    ("field", "google", "read", "expected"),
    [
        ("subject", "Review", lambda activity: activity.subject, "Review"),
        ("is_private", True, lambda activity: activity.is_private, True),
        ("reminder", 15, lambda activity: Participant.objects.get(activity=activity).reminder_minutes, 15),
        (
            "when",
            {"first": "2027-03-08", "last": "2027-03-09"},
            lambda activity: (activity.all_day, str(activity.due_date)),
            (True, "2027-03-09"),
        ),
        (
            "when",
            {"start": "2027-03-08T12:00:00+00:00", "due": "2027-03-08T13:00:00+00:00", "time_zone": "Europe/Berlin"},
            lambda activity: (activity.start.hour, activity.due.hour, activity.time_zone),
            (12, 13, "Europe/Berlin"),
        ),
    ],
)
def test_each_field_can_take_the_other_value(anna, page, field, google, read, expected):
    activity = make_activity(by=anna, start=START)
    conflict = conflict_about(activity, field, calendar=make_calendar(anna), google=google, kept="here")

    page.post(f"/activities/synchronization/conflicts/{conflict.pk}/use-other/")

    assert read(Activity.objects.get()) == expected
    conflict.refresh_from_db()
    assert conflict.is_resolved


@pytest.mark.rule("R11")
def test_dismissing_leaves_the_value_that_was_kept(anna, page):
    activity = make_activity(by=anna, location="Room Vättern")
    conflict = conflict_about(activity, "location", calendar=make_calendar(anna), google="Room Mälaren", kept="here")

    response = page.post(f"/activities/synchronization/conflicts/{conflict.pk}/dismiss/", {"from": "activity"})

    assert response.url == f"/activities/{activity.pk}/"
    conflict.refresh_from_db()
    assert conflict.is_resolved
    assert Activity.objects.get().location == "Room Vättern"


@pytest.mark.rule("R6")
def test_a_value_that_is_somebody_elses_to_change_is_refused_with_the_reason(anna, page):
    boris = make_user("boris").profile
    activity = make_activity(by=boris, participants=[anna], location="Room Vättern")
    calendar = make_calendar(anna)
    EventLink.objects.create(calendar=calendar, activity=activity, event_id="e1", state=EventLink.State.LINKED)
    conflict = conflict_about(activity, "location", calendar=calendar, google="Room Mälaren", kept="here")

    shown = text(page.post(f"/activities/synchronization/conflicts/{conflict.pk}/use-other/", follow=True))

    assert "This meeting runs by the Google Calendar of Boris" in shown
    assert Activity.objects.get().location == "Room Vättern"
    conflict.refresh_from_db()
    assert not conflict.is_resolved


@pytest.mark.rule("R8")
def test_the_other_value_of_an_activity_one_may_not_see_any_more_is_refused(anna, page):
    activity = make_activity(by=make_user("boris").profile, location="Room Vättern", is_private=True)
    conflict = conflict_about(activity, "location", calendar=make_calendar(anna), google="Room Mälaren", kept="here")

    shown = text(page.post(f"/activities/synchronization/conflicts/{conflict.pk}/use-other/", follow=True))

    assert "not yours to see any more" in shown
    assert Activity.objects.get().location == "Room Vättern"


def test_the_other_value_of_a_deleted_activity_is_refused(anna, page):
    activity = make_activity(by=anna)
    conflict = conflict_about(activity, "location", calendar=make_calendar(anna), google="Room Mälaren", kept="here")
    services.delete(activity=activity, by=anna, now=timezone.now())

    shown = text(page.post(f"/activities/synchronization/conflicts/{conflict.pk}/use-other/", follow=True))

    assert "The activity was deleted meanwhile, or is not yours to see any more." in shown


# --- Marks, menu, status -----------------------------------------------------------------------------------------


def test_activities_in_google_are_found_in_one_query(anna, django_assert_num_queries):
    calendar = make_calendar(anna)
    linked, inserting, unlinked = (make_activity(by=anna) for _ in range(3))
    for activity, state in ((linked, EventLink.State.LINKED), (inserting, EventLink.State.INSERTING)):
        EventLink.objects.create(calendar=calendar, activity=activity, event_id=f"e{activity.pk}", state=state)

    with django_assert_num_queries(1):
        shown = rendered(
            "{% activities_in_google activities as ids %}{{ ids }}", anna, activities=[linked, inserting, unlinked]
        )

    assert shown == f"{{{linked.pk}}}"


def test_the_menu_offers_an_account_first(anna):
    without = rendered("{% synchronize_menu %}", anna)
    make_calendar(anna)
    with_account = rendered("{% synchronize_menu %}", anna)

    assert "Add your Google account…" in without
    assert "Synchronize now" not in without
    assert 'action="/activities/synchronize-now/"' in with_account
    assert "csrfmiddlewaretoken" in with_account
    assert "Sessions" in with_account


def test_the_panel_has_no_status_without_an_account(anna):
    assert rendered("{% sync_status %}", anna).strip() == ""


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (SyncSession.Status.RUNNING, "Synchronizing…"),
        (SyncSession.Status.FAILED, "Synchronization: failed"),
        (SyncSession.Status.NEEDS_CONFIRMATION, "Synchronization: needs confirmation"),
        (SyncSession.Status.WITH_PROBLEMS, "Not synchronized yet"),
    ],
)
def test_the_panel_says_how_the_latest_session_ended(anna, status, words):
    make_session(make_calendar(anna), status=status)

    assert words in rendered("{% sync_status %}", anna)


def test_the_panel_says_when_both_sides_met(anna):
    calendar = make_calendar(anna)
    at = timezone.now()
    SyncedCalendar.objects.filter(pk=calendar.pk).update(synchronized_at=at)

    assert f"Synchronized {at:%H:%M}" in rendered("{% sync_status %}", anna)


@pytest.mark.parametrize(
    ("account", "words"),
    [
        ({"status": ExternalAccount.Status.RECONNECT_NEEDED}, "Google needs reconnecting"),
        ({"paused": True}, "Synchronization is paused"),
    ],
)
def test_the_panel_says_what_keeps_an_account_from_synchronizing(anna, account, words):
    make_calendar(anna, **account)

    assert words in rendered("{% sync_status %}", anna)
