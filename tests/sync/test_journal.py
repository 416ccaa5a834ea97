"""The journal over its pages: *Use the other value*, *Dismiss* and *Retry*, and what the next session makes of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Profile
from activities import series, services
from activities.models import Activity, FieldChange, Participant
from google_emulator import Emulator
from sync import connections, sessions, tasks
from sync.models import EventLink, SyncOutcome, SyncSession
from tests.factories import make_user
from tests.google import connect, sync_tag, synchronize, timed
from tests.sync.helpers import (
    DUE,
    START,
    TEN,
    assert_quiet,
    change,
    counts,
    fresh,
    invite_both,
    only_activity,
    tagged,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]

LATER = timed("2027-03-08T14:00:00", "2027-03-08T15:00:00")


def signed_in(profile: Profile) -> Client:
    client = Client()
    client.force_login(profile.user)
    return client


@pytest.fixture
def page(anna: Profile) -> Client:
    return signed_in(anna)


@pytest.fixture(autouse=True)
def _nobody_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions that a page asks for wait: the tests run them."""
    monkeypatch.setattr(sessions, "wake_worker", lambda _session: None)


def text(response: Any) -> str:
    assert response.status_code == 200
    return response.content.decode()


def conflict() -> SyncOutcome:
    return SyncOutcome.objects.get(action="replaced", is_resolved=False)


def use_other_value(page: Client, outcome: SyncOutcome, **values: Any) -> str:
    data = {"from": "activity", **values}
    return text(page.post(f"/activities/synchronization/conflicts/{outcome.pk}/use-other/", data, follow=True))


def shown(google: Emulator) -> dict[str, Any]:
    [event] = google.person("anna@northfold.example").events()
    return event


def edited(google: Emulator, **body: Any) -> None:
    google.person("anna@northfold.example").edit(shown(google)["id"], body)


def earlier() -> None:
    """Let what was changed here be older than what was changed in Google."""
    FieldChange.objects.filter(origin="person").update(at=timezone.now() - timedelta(hours=2))


def pop_up(minutes: int) -> dict[str, Any]:
    return {"useDefault": False, "overrides": [{"method": "popup", "minutes": minutes}]}


def remind(activity: Activity, minutes: int) -> None:
    Participant.objects.filter(activity=activity).update(reminder_minutes=minutes)
    Activity.objects.filter(pk=activity.pk).update(modified_at=timezone.now() - timedelta(hours=2))
    services.announce(activity, by=activity.organizer)


FIELDS: dict[str, tuple[dict[str, Any], Callable[[Activity, Profile], None], dict[str, Any]]] = {
    # What Google's page sets, what is set here, and what Google shows once our value is used.
    "subject": ({"summary": "Theirs"}, lambda a, p: change(a, p, subject="Ours"), {"summary": "Ours"}),
    "location": ({"location": "Theirs"}, lambda a, p: change(a, p, location="Ours"), {"location": "Ours"}),
    "notes": ({"description": "Theirs"}, lambda a, p: change(a, p, notes="Ours"), {"description": "Ours"}),
    "when": (
        LATER,
        lambda a, p: change(a, p, days=(date(2027, 3, 9), date(2027, 3, 9))),
        {"start": {"date": "2027-03-09"}, "end": {"date": "2027-03-10"}},
    ),
    "reminder": ({"reminders": pop_up(5)}, lambda a, _p: remind(a, 45), {"reminders": pop_up(45)}),
}


@pytest.mark.rule("R11")
@pytest.mark.parametrize("field", FIELDS)
def test_our_value_that_gave_way_is_used_after_all_and_travels(google, anna, annas, page, field):
    theirs, ours, expected = FIELDS[field]
    activity = tagged(anna)
    Participant.objects.filter(activity=activity).update(reminder_minutes=15)
    synchronize(annas)
    ours(activity, anna)
    earlier()
    edited(google, **theirs)
    assert counts(synchronize(annas)) == {"updated_here": 1}
    assert (conflict().field, conflict().kept) == (field, "google")
    assert "Use the other value" in text(page.get(f"/activities/{activity.pk}/"))

    assert "The other value is used" in use_other_value(page, conflict())

    assert counts(synchronize(annas)) == {"updated_in_google": 1}
    assert {name: shown(google).get(name) for name in expected} == expected
    assert not SyncOutcome.objects.filter(action="replaced", is_resolved=False).exists()
    assert "Use the other value" not in text(page.get(f"/activities/{activity.pk}/"))
    assert_quiet(google, annas)


@pytest.mark.rule("R11")
@pytest.mark.parametrize(
    ("field", "before", "google_name", "google_after"),
    [("is_private", True, "visibility", "private"), ("show_as_free", True, "transparency", "transparent")],
)
def test_private_and_free_are_used_after_all(google, anna, annas, page, field, before, google_name, google_after):
    activity = tagged(anna, **{field: before})
    synchronize(annas)
    # Of a field with two values both sides cannot differ from what was agreed and from each other; journals can.
    change(activity, anna, **{field: not before})
    synchronize(annas)
    outcome = SyncOutcome.objects.create(
        session=SyncSession.objects.first(),
        activity=activity,
        action="replaced",
        rule="R6",
        field=field,
        here=before,
        google=not before,
        kept="google",
        at=timezone.now(),
    )

    use_other_value(page, outcome)

    synchronize(annas)
    assert getattr(fresh(activity), field) is before
    assert shown(google)[google_name] == google_after


@pytest.mark.rule("R11")
def test_googles_value_that_gave_way_is_used_after_all(google, anna, annas, page):
    activity = tagged(anna)
    synchronize(annas)
    edited(google, summary="Theirs")
    services.edit(activity=activity, by=anna, now=timezone.now() + timedelta(minutes=1), subject="Ours")
    synchronize(annas)
    assert (shown(google)["summary"], conflict().kept) == ("Ours", "here")

    use_other_value(page, conflict())

    synchronize(annas)
    assert (fresh(activity).subject, shown(google)["summary"]) == ("Theirs", "Theirs")
    assert_quiet(google, annas)


@pytest.mark.rule("R6")
def test_what_a_foreign_change_lost_is_used_after_all_by_the_organizer(google, anna, annas, boris, boriss, page):
    invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    Activity.objects.filter(pk=activity.pk).update(subject="By an import")
    services.announce(activity, by=None)
    synchronize(annas)
    assert fresh(activity).subject == "Quarterly review"

    outcome = conflict()
    assert outcome.rule == "R6"
    for_boris = signed_in(boris).post(f"/activities/synchronization/conflicts/{outcome.pk}/use-other/")
    assert for_boris.status_code == 404  # It is the Organizer's to settle.
    use_other_value(page, outcome)

    synchronize(annas)
    assert shown(google)["summary"] == "By an import"
    assert_quiet(google, annas)


@pytest.mark.rule("R5")
def test_what_a_replaced_organizer_had_changed_is_used_after_all(google, anna, annas, boris, boriss):
    event = google.person("anna@northfold.example").create_event(
        {"summary": "Review", "guestsCanModify": True, "attendees": [{"email": "boris@northfold.example"}], **TEN}
    )
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    change(activity, anna, subject="Not sent yet")
    connections.disconnect(account=annas.account)
    synchronize(boriss)
    assert (fresh(activity).organizer, fresh(activity).subject) == (boris, "Review")

    page = signed_in(boris)
    assert "Not sent yet" in text(page.get(f"/activities/{activity.pk}/"))
    use_other_value(page, conflict())

    synchronize(boriss)
    assert google.person("anna@northfold.example").event(event["id"])["summary"] == "Not sent yet"
    assert_quiet(google, boriss)


@pytest.mark.rule("R5")
def test_what_a_replaced_organizer_had_changed_waits_for_their_return(google, anna, annas, boris, boriss, page):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    change(activity, anna, subject="Not sent yet")
    connections.disconnect(account=annas.account)
    synchronize(boriss)
    [outcome] = SyncOutcome.objects.filter(action="replaced")
    # Google lets Boris not change it, and the page says so instead of offering it.
    shown_to_boris = text(signed_in(boris).get(f"/activities/{activity.pk}/"))
    assert "has not allowed guests to change it" in shown_to_boris
    assert "Use the other value" not in shown_to_boris

    annas = connect(google, anna.user)
    synchronize(annas)
    assert fresh(activity).organizer == anna
    assert "Not sent yet" in text(page.get(f"/activities/{activity.pk}/"))
    use_other_value(page, outcome)

    synchronize(annas)
    assert google.person("anna@northfold.example").event(event["id"])["summary"] == "Not sent yet"


def lost_people(google: Emulator, anna: Profile, boris: Profile, clara: Profile) -> Activity:
    """An import has put Clara on and taken Boris off; the next session takes both back."""
    google.add_account("boris@northfold.example")
    activity = tagged(anna, participants=[boris])
    calendar = connect(google, anna.user)
    synchronize(calendar)
    Participant.objects.create(activity=activity, profile=clara)
    Participant.objects.filter(activity=activity, profile=boris).delete()
    for profile in (clara, boris):
        name = profile.full_name
        FieldChange.objects.create(activity=activity, field="people", after=name, at=timezone.now())
    services.announce(activity, by=None)
    synchronize(calendar)
    assert {person.profile for person in activity.participants.all()} == {anna, boris}
    return activity


@pytest.mark.rule("R7", "R11")
def test_participants_are_taken_back_one_by_one(google, anna, boris, page):
    clara = make_user("clara").profile
    activity = lost_people(google, anna, boris, clara)
    outcome = conflict()
    offered = text(page.get(f"/activities/{activity.pk}/"))
    assert "Let Clara take part" in offered
    assert "Take Boris off" in offered

    use_other_value(page, outcome, person=clara.pk)

    synchronize(anna.google_account.synced_calendar)
    assert {guest["email"] for guest in shown(google)["attendees"]} == {
        "anna@northfold.example", "boris@northfold.example", "clara@northfold.example",
    }  # fmt: skip
    assert conflict() == outcome  # Boris is still to be settled.
    offered = text(page.get(f"/activities/{activity.pk}/"))
    assert "Let Clara take part" not in offered

    use_other_value(page, outcome, person=boris.pk)

    synchronize(anna.google_account.synced_calendar)
    assert {guest["email"] for guest in shown(google)["attendees"]} == {
        "anna@northfold.example", "clara@northfold.example",
    }  # fmt: skip
    outcome.refresh_from_db()
    assert outcome.is_resolved
    assert_quiet(google, anna.google_account.synced_calendar)


@pytest.mark.rule("R7", "R11")
def test_participants_are_taken_back_at_once(google, anna, boris, page):
    clara = make_user("clara").profile
    activity = lost_people(google, anna, boris, clara)

    use_other_value(page, conflict())

    synchronize(anna.google_account.synced_calendar)
    assert {person.profile for person in activity.participants.all()} == {anna, clara}
    assert "boris@northfold.example" not in {guest["email"] for guest in shown(google)["attendees"]}
    assert not SyncOutcome.objects.filter(action="replaced", is_resolved=False).exists()


@pytest.mark.rule("R14")
@pytest.mark.parametrize("kind", ["canceled", "deleted"])
def test_what_a_change_in_google_brought_back_is_canceled_or_deleted_again(google, anna, annas, page, kind):
    activity = tagged(anna)
    synchronize(annas)
    if kind == "canceled":
        services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    else:
        services.delete(activity=activity, by=anna, now=timezone.now())
    edited(google, summary="Changed")
    synchronize(annas)
    assert (fresh(activity).status, fresh(activity).deleted_at) == ("not_started", None)

    use_other_value(page, conflict())

    assert counts(synchronize(annas)) == {"removed_in_google": 1}
    assert google.person("anna@northfold.example").events() == []
    assert (fresh(activity).status == "canceled", fresh(activity).deleted_at is not None) == (
        kind == "canceled", kind == "deleted",
    )  # fmt: skip
    assert_quiet(google, annas)


@pytest.mark.rule("R14")
def test_what_a_change_here_brought_back_in_google_is_canceled_again(google, anna, annas, page):
    activity = tagged(anna)
    synchronize(annas)
    change(activity, anna, subject="Changed")
    google.person("anna@northfold.example").delete(shown(google)["id"])
    synchronize(annas)
    assert shown(google)["summary"] == "Changed"
    assert "Not canceled" in text(page.get(f"/activities/{activity.pk}/"))

    use_other_value(page, conflict())

    assert counts(synchronize(annas)) == {"removed_in_google": 1}
    assert fresh(activity).status == "canceled"
    assert_quiet(google, annas)


@pytest.mark.rule("R6", "R14")
def test_a_foreign_cancellation_is_made_good_by_the_organizer(google, anna, annas, boris, boriss, page):
    invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    Activity.objects.filter(pk=activity.pk).update(status="canceled")
    services.announce(activity, by=None)
    synchronize(annas)
    assert fresh(activity).status == "not_started"

    use_other_value(page, conflict())

    assert counts(synchronize(annas)) == {"removed_in_google": 1}
    assert fresh(activity).status == "canceled"


@pytest.mark.rule("R14")
def test_what_was_canceled_is_brought_back(google, anna, annas, page):
    activity = tagged(anna)
    synchronize(annas)
    services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    session = synchronize(annas)
    outcome = SyncOutcome.objects.create(
        session=session, activity=activity, link=EventLink.objects.get(), action="replaced", rule="R6", field="status",
        here="confirmed", google="cancelled", kept="google", item="Renewal call", at=timezone.now(),
    )  # fmt: skip

    use_other_value(page, outcome)

    assert counts(synchronize(annas)) == {"added_in_google": 1}
    assert fresh(activity).status == "not_started"
    assert shown(google)["summary"] == "Renewal call"


@pytest.mark.rule("R11")
def test_ones_own_answer_that_gave_way_is_given_after_all(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    google.person("boris@northfold.example").respond(event["id"], "declined")
    session = synchronize(boriss)
    outcome = SyncOutcome.objects.create(
        session=session, activity=activity, action="replaced", rule="R11", field="response", item="Quarterly review",
        here="tentative", google="declined", kept="google", at=timezone.now(),
    )  # fmt: skip
    assert signed_in(anna).post(f"/activities/synchronization/conflicts/{outcome.pk}/use-other/").status_code == 404

    use_other_value(signed_in(boris), outcome)

    synchronize(boriss)
    answers = {guest["email"]: guest["responseStatus"] for guest in shown(google)["attendees"]}
    assert answers["boris@northfold.example"] == "tentative"


@pytest.mark.rule("R11")
def test_the_session_page_settles_conflicts_too(google, anna, annas, page):
    activity = tagged(anna)
    synchronize(annas)
    change(activity, anna, subject="Ours")
    earlier()
    edited(google, summary="Theirs")
    session = synchronize(annas)
    address = f"/activities/synchronization/sessions/{session.pk}/"
    assert "Use the other value" in text(page.get(address))

    response = page.post(f"/activities/synchronization/conflicts/{conflict().pk}/use-other/", {"from": "session"})

    assert response.url == address
    assert f"Settled: the value from here was used, by {anna.full_name}, Today" in text(page.get(address))
    assert fresh(activity).subject == "Ours"


@pytest.mark.rule("R11")
def test_the_session_page_says_how_a_dismissed_conflict_was_settled(google, anna, annas, page):
    activity = tagged(anna)
    synchronize(annas)
    change(activity, anna, subject="Ours")
    earlier()
    edited(google, summary="Theirs")
    session = synchronize(annas)

    page.post(f"/activities/synchronization/conflicts/{conflict().pk}/dismiss/", {"from": "session"})

    shown = text(page.get(f"/activities/synchronization/sessions/{session.pk}/"))
    assert f"Settled: Google&#x27;s value was used, by {anna.full_name}, Today" in shown.replace("'", "&#x27;")
    assert fresh(activity).subject == "Theirs"


@pytest.mark.rule("R11", "R15")
@pytest.mark.parametrize("field", ["subject", "when"])
def test_a_value_of_a_whole_series_is_used_after_all(google, anna, annas, page, field):
    values = {"start": START, "due": DUE, "show_in_calendar": True, "now": timezone.now()}
    head = series.create(by=anna, subject="Stand-up", lines=["RRULE:FREQ=WEEKLY;COUNT=3"], **values)
    services.add_tag(activity=head, tag=sync_tag(anna), by=anna)
    synchronize(annas)
    first = head.series.occurrences.order_by("start").first()
    ours = {"subject": "Ours"} if field == "subject" else {"start": START + timedelta(hours=3)}
    series.edit(activity=first, scope=series.ALL, by=anna, now=timezone.now(), **ours)
    earlier()
    [master] = google.person("anna@northfold.example").events()
    theirs = {"summary": "Theirs"} if field == "subject" else LATER
    google.person("anna@northfold.example").edit(master["id"], theirs)
    synchronize(annas)
    assert (conflict().field, conflict().kept) == (field, "google")
    assert "Use the other value" in text(page.get(f"/activities/{first.pk}/"))

    use_other_value(page, conflict())

    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    assert event["summary"] == ("Ours" if field == "subject" else "Stand-up")
    assert event["start"]["dateTime"][:13] == ("2027-03-08T10" if field == "subject" else "2027-03-08T13")
    assert {row.subject for row in head.series.occurrences.all()} == {event["summary"]}
    assert_quiet(google, annas)


# --- Retry -------------------------------------------------------------------------------------------------------


def run_what_waits() -> SyncSession:
    """Run the session that a page has asked for."""
    session = SyncSession.objects.get(status="queued")
    tasks.run_session(session_id=session.pk)
    return SyncSession.objects.get(pk=session.pk)


@pytest.fixture
def parked(google: Emulator, anna: Profile, annas: Any) -> Activity:
    """An activity whose event Google refuses, several times by now: it would wait for long."""
    activity = tagged(anna)
    google.fail(status=403, reason="forbidden", method="POST", path="/events")
    synchronize(annas)
    EventLink.objects.update(attempts=8, retry_at=timezone.now() + timedelta(hours=20))
    assert counts(synchronize(annas)) == {}
    return activity


@pytest.mark.rule("R19")
def test_retry_on_the_session_page_tries_a_parked_item_at_once(google, anna, annas, page, parked):
    session = SyncSession.objects.filter(status="with_problems").get()
    assert "Retry" in text(page.get(f"/activities/synchronization/sessions/{session.pk}/"))

    page.post(f"/activities/synchronization/problems/{session.outcomes.get().pk}/retry/")

    assert counts(run_what_waits()) == {"added_in_google": 1}
    assert shown(google)["summary"] == "Renewal call"
    assert EventLink.objects.get().attempts == 0


@pytest.mark.rule("R19")
def test_retry_on_the_activitys_page_tries_it_at_once(google, anna, annas, page, parked):
    assert "Retry" in text(page.get(f"/activities/{parked.pk}/"))

    page.post(f"/activities/{parked.pk}/retry/")

    assert counts(run_what_waits()) == {"added_in_google": 1}
    assert shown(google)["summary"] == "Renewal call"
    assert "Retry" not in text(page.get(f"/activities/{parked.pk}/"))


@pytest.mark.rule("R8", "R19")
def test_what_one_may_not_open_one_cannot_retry(google, anna, boris, boriss):
    closed = tagged(anna, is_private=True, start=START, due=DUE)

    assert signed_in(boris).post(f"/activities/{closed.pk}/retry/").status_code == 404
