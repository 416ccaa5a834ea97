"""Deleting and canceling on either side, and the guard, end to end (R14)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from activities import series, services
from activities.models import Activity, FieldChange
from sync.models import EventLink, SyncedCalendar
from tests.factories import make_user
from tests.google import connect, sync_tag, synchronize
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


@pytest.mark.rule("R14")
def test_an_event_deleted_in_google_cancels_the_activity_and_a_return_brings_it_back(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    google.person("anna@northfold.example").delete(event["id"])

    session = synchronize(annas)

    assert counts(session) == {"removed_here": 1}
    assert fresh(activity).status == "canceled"
    assert EventLink.objects.get().state == "detached"
    assert_quiet(google, annas)

    google.person("anna@northfold.example").restore(event["id"])
    synchronize(annas)
    assert fresh(activity).status == "not_started"
    assert EventLink.objects.get().state == "linked"
    assert_quiet(google, annas)


@pytest.mark.rule("R14")
def test_a_completed_activity_stays_completed(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    services.set_status(activity=activity, by=anna, status="completed", now=timezone.now(), result="Signed")
    [event] = google.person("anna@northfold.example").events()
    google.person("anna@northfold.example").delete(event["id"])

    assert counts(synchronize(annas)) == {}
    assert (fresh(activity).status, fresh(activity).result) == ("completed", "Signed")
    assert_quiet(google, annas)


@pytest.mark.rule("R13", "R14", "R10")
def test_canceling_here_deletes_the_event_and_setting_it_back_returns_it_once(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    assert counts(synchronize(annas)) == {"removed_in_google": 1}
    assert google.person("anna@northfold.example").events() == []
    assert_quiet(google, annas)

    services.set_status(activity=activity, by=anna, status="not_started", now=timezone.now())
    assert counts(synchronize(annas)) == {"added_in_google": 1}
    assert len(google.person("anna@northfold.example").events()) == 1
    assert fresh(activity).status == "not_started"
    assert_quiet(google, annas)


@pytest.mark.rule("R14")
def test_deleting_here_deletes_the_event(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    services.delete(activity=activity, by=anna, now=timezone.now())

    assert counts(synchronize(annas)) == {"removed_in_google": 1}
    assert google.person("anna@northfold.example").events() == []
    assert not Activity.objects.present().exists()
    assert_quiet(google, annas)


@pytest.mark.rule("R14")
@pytest.mark.parametrize("deleted", ["here", "in Google"])
def test_a_change_outlives_a_deletion_on_the_other_side(google, anna, annas, deleted):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    if deleted == "here":
        services.delete(activity=activity, by=anna, now=timezone.now())
        google.person("anna@northfold.example").edit(event["id"], {"summary": "Changed"})
    else:
        change(activity, anna, subject="Changed")
        google.person("anna@northfold.example").delete(event["id"])

    session = synchronize(annas)

    assert fresh(activity).deleted_at is None
    assert (fresh(activity).subject, fresh(activity).status) == ("Changed", "not_started")
    assert [event["summary"] for event in google.person("anna@northfold.example").events()] == ["Changed"]
    assert session.outcomes.filter(action="replaced", rule="R14").count() == 1
    assert_quiet(google, annas)


@pytest.mark.rule("R14")
def test_a_guest_who_removes_their_copy_has_declined_and_nothing_else(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    google.person("boris@northfold.example").delete(event["id"])

    synchronize(boriss)
    synchronize(annas)

    activity = only_activity()
    assert activity.status == "not_started"
    assert activity.participants.get(profile=boris).response == "declined"
    assert_quiet(google, boriss)


@pytest.mark.rule("R11", "R14")
def test_who_answers_here_and_then_deletes_their_copy_finds_the_answer_in_the_journal(
    google, anna, annas, boris, boriss
):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    services.respond(activity=only_activity(), profile=boris, response="accepted", now=timezone.now())
    google.person("boris@northfold.example").delete(event["id"])

    session = synchronize(boriss)

    assert only_activity().participants.get(profile=boris).response == "declined"
    lost = session.outcomes.get(action="replaced")
    assert (lost.field, lost.here, lost.google, lost.kept) == ("response", "accepted", "declined", "google")
    assert (lost.rule, lost.is_resolved) == ("R11", False)
    assert_quiet(google, boriss)


@pytest.mark.rule("R11", "R14")
def test_what_was_no_deletion_of_theirs_leaves_no_question_about_their_answer(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    services.respond(activity=only_activity(), profile=boris, response="accepted", now=timezone.now())
    google.person("anna@northfold.example").delete(event["id"])

    heard_first = synchronize(boriss)
    synchronize(annas)

    assert only_activity().participants.get(profile=boris).response == "accepted"
    assert heard_first.outcomes.get(action="replaced").is_resolved


@pytest.mark.rule("R14", "R20")
def test_absence_from_a_complete_read_is_confirmed_before_anything_is_removed(google, anna, annas):
    kept, gone = tagged(anna, "Kept"), tagged(anna, "Gone")
    synchronize(annas)
    events = {event["summary"]: event["id"] for event in google.person("anna@northfold.example").events()}
    google.person("anna@northfold.example").delete(events["Gone"])
    google.expire_sync_tokens()

    session = synchronize(annas)

    assert session.status == "succeeded"
    assert (fresh(kept).status, fresh(gone).status) == ("not_started", "canceled")


@pytest.mark.rule("R14")
def test_the_guard_stops_a_session_that_would_remove_everything(google, anna, annas):
    activities = [tagged(anna, f"Visit {number}") for number in range(6)]
    synchronize(annas)
    for event in google.person("anna@northfold.example").events():
        google.person("anna@northfold.example").delete(event["id"])

    session = synchronize(annas)

    assert session.status == "needs_confirmation"
    assert {fresh(activity).status for activity in activities} == {"not_started"}

    from sync import sessions

    confirmed = sessions.confirm_removals(session=session, now=timezone.now())
    from sync import tasks

    tasks.run_session(session_id=confirmed.pk)
    confirmed.refresh_from_db()
    assert confirmed.status == "succeeded"
    assert {fresh(activity).status for activity in activities} == {"canceled"}


@pytest.mark.rule("R9", "R14")
def test_guests_join_a_meeting_that_was_canceled_and_set_back(google, anna, annas, boris, boriss):
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    synchronize(boriss)
    services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    synchronize(annas)
    synchronize(boriss)
    services.set_status(activity=activity, by=anna, status="not_started", now=timezone.now())
    synchronize(annas)
    synchronize(boriss)

    assert Activity.objects.count() == 1
    assert {link.state for link in EventLink.objects.all()} == {"linked"}
    assert EventLink.objects.values("event_id").distinct().count() == 1
    assert activity.participants.get(profile=boris).response == "needs_action"
    assert_quiet(google, boriss)


@pytest.mark.rule("R14")
def test_a_meeting_its_organizer_cancels_leaves_the_guests_answers_alone(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    services.respond(activity=activity, profile=boris, response="accepted", now=timezone.now())
    synchronize(boriss)
    google.person("anna@northfold.example").delete(event["id"])

    synchronize(boriss)  # Before Anna's session: her copy is not known to be gone.
    synchronize(annas)

    assert fresh(activity).status == "canceled"
    assert activity.participants.get(profile=boris).response == "accepted"
    google.person("anna@northfold.example").restore(event["id"])
    synchronize(annas)
    synchronize(boriss)
    shown = google.person("anna@northfold.example").event(event["id"])
    assert "declined" not in [guest["responseStatus"] for guest in shown["attendees"]]


@pytest.mark.rule("R6", "R14")
def test_a_meeting_its_organizer_in_google_has_canceled_cannot_be_set_back(google, anna, annas):
    google.add_account("maria@partner.example", name="Maria")
    maria = google.person("maria@partner.example")
    event = maria.create_event({"summary": "Review", "attendees": [{"email": "anna@northfold.example"}], **TEN})
    synchronize(annas)
    maria.delete(event["id"])
    synchronize(annas)
    activity = only_activity()
    assert (activity.status, activity.organizer) == ("canceled", anna)

    with pytest.raises(services.UnableToChange, match="organizer of this event in Google"):
        services.set_status(activity=activity, by=anna, status="not_started", now=timezone.now())

    assert fresh(activity).status == "canceled"


@pytest.mark.rule("R5", "R14")
def test_a_copy_of_a_disconnected_account_proves_nothing(google, anna, annas, boris, boriss):
    from sync import connections

    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    connections.disconnect(account=annas.account)
    google.person("anna@northfold.example").delete(event["id"])

    synchronize(boriss)

    assert only_activity().status == "canceled"


@pytest.mark.rule("R14")
def test_only_what_was_confirmed_is_removed(google, anna, annas):
    from sync import sessions, tasks

    for number in range(12):
        tagged(anna, f"Visit {number}")
    synchronize(annas)
    person = google.person("anna@northfold.example")
    ids = [event["id"] for event in person.events()]
    for event_id in ids:
        person.delete(event_id)
    stopped = synchronize(annas)
    assert len(stopped.stopped_before) == 12
    more = [tagged(anna, f"Later {number}") for number in range(6)]
    EventLink.objects.filter(pk__in=stopped.stopped_before[6:]).update(is_marked=False)

    session = sessions.confirm_removals(session=stopped, now=timezone.now())
    tasks.run_session(session_id=session.pk)

    assert Activity.objects.filter(status="canceled").count() == 6
    assert {fresh(activity).status for activity in more} == {"not_started"}
    assert SyncedCalendar.objects.get().confirmed_removals == []


@pytest.mark.rule("R14")
def test_keeping_what_was_canceled_here_asks_no_more(google, anna, annas):
    from sync import sessions

    activities = [tagged(anna, f"Visit {number}") for number in range(6)]
    synchronize(annas)
    for activity in activities:
        services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    FieldChange.objects.update(at=timezone.now() - timedelta(days=2))
    stopped = synchronize(annas)
    assert stopped.status == "needs_confirmation"

    assert sessions.keep(session=stopped) == 6
    session = synchronize(annas)

    assert (session.status, counts(session)) == ("succeeded", {})
    assert len(google.person("anna@northfold.example").events()) == 6


@pytest.mark.rule("R14", "R5")
def test_what_its_organizer_keeps_is_kept_in_the_sessions_of_guests_too(google, anna, annas, boris, boriss):
    from sync import sessions

    ids = [invite_both(google, f"Meeting {number}")["id"] for number in range(6)]
    synchronize(annas)
    synchronize(boriss)
    for event_id in ids:
        google.person("anna@northfold.example").delete(event_id)
    stopped = synchronize(annas)
    assert stopped.status == "needs_confirmation"
    assert sessions.keep(session=stopped) == 6

    session = synchronize(boriss)

    assert (session.status, counts(session)) == ("succeeded", {})
    assert {activity.status for activity in Activity.objects.all()} == {"not_started"}
    assert set(boris.participations.values_list("response", flat=True)) == {"needs_action"}
    assert {link.state for link in EventLink.objects.all()} == {"detached"}
    assert_quiet(google, annas)
    assert_quiet(google, boriss)


@pytest.mark.rule("R14", "R5")
@pytest.mark.parametrize("deleted", ["in Google", "here"])
def test_what_its_organizer_set_back_is_not_canceled_by_a_guest_who_hears_late(
    google, anna, annas, boris, boriss, deleted
):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    _accept(google, boris, boriss, annas)
    if deleted == "in Google":
        google.person("anna@northfold.example").delete(event["id"])
    else:
        services.set_status(activity=only_activity(), by=anna, status="canceled", now=timezone.now())
    synchronize(annas)
    services.set_status(activity=only_activity(), by=anna, status="not_started", now=timezone.now())

    synchronize(boriss)  # Only now he hears of the cancellation.

    assert only_activity().status == "not_started"
    assert only_activity().participants.get(profile=boris).response == "accepted"
    synchronize(annas)
    synchronize(boriss)
    assert only_activity().status == "not_started"
    assert len(google.person("anna@northfold.example").events()) == 1
    assert len(google.person("boris@northfold.example").events()) == 1
    assert {link.state for link in EventLink.objects.all()} == {"linked"}
    assert_quiet(google, annas)
    assert_quiet(google, boriss)


@pytest.mark.rule("R14")
@pytest.mark.parametrize("outlives", ["completed", "canceled here as well"])
def test_a_guest_who_hears_first_that_a_meeting_is_canceled_has_not_declined(
    google, anna, annas, boris, boriss, outlives
):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    _accept(google, boris, boriss, annas)
    google.person("anna@northfold.example").delete(event["id"])
    synchronize(boriss)  # Before Anna's session: her copy is not known to be gone.
    status = "completed" if outlives == "completed" else "canceled"
    services.set_status(activity=only_activity(), by=anna, status=status, result="Signed", now=timezone.now())

    synchronize(annas)

    assert only_activity().status == status
    assert only_activity().participants.get(profile=boris).response == "accepted"
    assert_quiet(google, annas)
    assert_quiet(google, boriss)


@pytest.mark.rule("R14")
@pytest.mark.parametrize("is_known", [True, False])
def test_a_guest_who_had_declined_has_declined_whatever_becomes_of_the_meeting(
    google, anna, annas, boris, boriss, is_known
):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    _accept(google, boris, boriss, annas)
    google.person("boris@northfold.example").delete(event["id"])
    synchronize(boriss)
    if is_known:
        synchronize(annas)
    services.set_status(activity=only_activity(), by=anna, status="completed", result="Signed", now=timezone.now())
    google.person("anna@northfold.example").delete(event["id"])

    synchronize(annas)

    assert only_activity().participants.get(profile=boris).response == "declined"
    assert_quiet(google, annas)
    assert_quiet(google, boriss)


@pytest.mark.rule("R14", "R5")
def test_a_guest_who_hears_first_of_what_its_organizer_keeps_has_not_declined(google, anna, annas, boris, boriss):
    from sync import sessions

    ids = [invite_both(google, f"Meeting {number}")["id"] for number in range(6)]
    synchronize(annas)
    synchronize(boriss)
    for activity in Activity.objects.all():
        services.respond(activity=activity, profile=boris, response="accepted", now=timezone.now())
    synchronize(boriss)
    synchronize(annas)
    for event_id in ids:
        google.person("anna@northfold.example").delete(event_id)
    synchronize(boriss)
    assert set(boris.participations.values_list("response", flat=True)) == {"declined"}

    assert sessions.keep(session=synchronize(annas)) == 6

    assert set(boris.participations.values_list("response", flat=True)) == {"accepted"}
    synchronize(annas)
    synchronize(boriss)
    assert set(boris.participations.values_list("response", flat=True)) == {"accepted"}
    assert {activity.status for activity in Activity.objects.all()} == {"not_started"}


def _accept(google, boris, boriss, annas):
    services.respond(activity=only_activity(), profile=boris, response="accepted", now=timezone.now())
    synchronize(boriss)
    synchronize(annas)


@pytest.mark.rule("R14", "R5")
def test_who_only_deleted_their_own_copy_has_kept_nothing(google, anna, annas, boris, boriss):
    maria = google.add_account("maria@partner.example", name="Maria")
    guests = [{"email": "anna@northfold.example"}, {"email": "boris@northfold.example"}]
    event = google.person(maria.email).create_event({"summary": "Of Maria", "attendees": guests, **TEN})
    synchronize(annas)
    synchronize(boriss)
    assert only_activity().organizer == anna
    google.person("anna@northfold.example").delete(event["id"])
    synchronize(annas)
    google.person(maria.email).delete(event["id"])

    synchronize(boriss)

    assert only_activity().status == "canceled"


@pytest.mark.rule("R14", "R15")
def test_a_series_that_is_kept_keeps_no_occurrence_in_google(google, anna, annas):
    from sync import explain, sessions

    person = google.person("anna@northfold.example")
    for number in range(5):
        tagged(anna, f"Visit {number}")
    master = person.create_event({"summary": "Weekly", "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"], **TEN})
    synchronize(annas)
    second = sorted(event["id"] for event in person.events(expand=True) if event.get("recurringEventId"))[1]
    person.edit(second, {"location": "Garden"})
    synchronize(annas)
    for event in person.events():
        if event["id"] == master["id"] or "recurringEventId" not in event:
            person.delete(event["id"])
    stopped = synchronize(annas)
    assert stopped.status == "needs_confirmation"

    sessions.keep(session=stopped)

    for occurrence in Activity.objects.filter(subject="Weekly"):
        assert explain.explain(activity=occurrence, profile=anna, now=timezone.now()).state != "in_google"
    assert_quiet(google, annas)


@pytest.mark.rule("R10", "R14")
def test_who_has_deleted_an_invitation_in_google_cannot_answer_it_here(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    google.person("boris@northfold.example").delete(event["id"])
    synchronize(boriss)
    assert only_activity().participants.get(profile=boris).response == "declined"

    with pytest.raises(services.UnableToChange, match="bring it back there"):
        services.respond(activity=only_activity(), profile=boris, response="accepted", now=timezone.now())

    google.person("boris@northfold.example").restore(event["id"])
    synchronize(boriss)
    services.respond(activity=only_activity(), profile=boris, response="accepted", now=timezone.now())
    synchronize(boriss)
    [there] = google.person("anna@northfold.example").events()
    answers = {guest["email"]: guest["responseStatus"] for guest in there["attendees"]}
    assert answers["boris@northfold.example"] == "accepted"


@pytest.mark.rule("R14")
def test_what_was_deleted_here_and_kept_in_google_is_erased_after_30_days(google, anna, annas):
    from sync import marks, retention, sessions

    activities = [tagged(anna, f"Visit {number}") for number in range(5)]
    head = series.create(
        by=anna, subject="Weekly", start=START, due=DUE, lines=["RRULE:FREQ=WEEKLY;COUNT=2"],
        show_in_calendar=True, now=timezone.now(),
    )  # fmt: skip
    services.add_tag(activity=head, tag=sync_tag(anna), by=anna)
    synchronize(annas)
    for activity in activities:
        services.delete(activity=activity, by=anna, now=timezone.now())
    occurrence = Activity.objects.filter(series=head.series).earliest("start")
    series.delete(activity=occurrence, scope=series.ALL, by=anna, now=timezone.now())
    FieldChange.objects.update(at=timezone.now() - timedelta(days=2))
    stopped = synchronize(annas)
    later = timezone.now() + timedelta(days=31)
    retention.erase_deleted(now=later)
    assert Activity.every.count() == 6  # Nobody has said yet what is to become of their events.

    assert sessions.keep(session=stopped) == 6

    assert retention.erase_deleted(now=later) == 6
    assert not Activity.every.exists()
    assert len(google.person("anna@northfold.example").events()) == 6
    marks.mark_everything(calendar=annas)
    assert counts(synchronize(annas)) == {}


@pytest.mark.rule("R14", "R20")
@pytest.mark.parametrize("is_calendar_there", [True, False])
def test_an_event_unknown_at_the_write_is_gone_only_while_its_calendar_is_there(google, anna, annas, is_calendar_there):
    activity = tagged(anna)
    synchronize(annas)
    change(activity, anna, location="Room 9")
    google.fail(status=404, reason="notFound", method="PATCH", path="/events/")
    google.fail(status=404, reason="notFound", method="GET", path=r"/events/\w", times=2)
    if not is_calendar_there:
        google.fail(status=404, reason="notFound", method="GET", path=r"/events$", skip=1)

    session = synchronize(annas)

    if is_calendar_there:  # The change outlives the deletion: the event returns as its next incarnation.
        assert (session.status, fresh(activity).status) == ("succeeded", "not_started")
        assert EventLink.objects.get().incarnation == 1
    else:
        assert (session.status, fresh(activity).status) == ("failed", "not_started")
        assert "Choose another calendar" in session.error
        assert EventLink.objects.get().event["status"] == "confirmed"


@pytest.mark.rule("R14")
def test_a_restored_activity_returns_to_google_once(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    services.delete(activity=activity, by=anna, now=timezone.now())
    synchronize(annas)
    services.restore(activity=fresh(activity), by=anna, now=timezone.now())

    assert counts(synchronize(annas)) == {"added_in_google": 1}
    assert [event["summary"] for event in google.person("anna@northfold.example").events()] == ["Renewal call"]
    assert_quiet(google, annas)


@pytest.mark.rule("R14", "R9", "R13")
def test_a_guest_joins_what_is_made_anew_before_its_organizer_has_heard_of_it(google, anna, annas, boris, boriss):
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    change(only_activity(), anna, location="Room 9")
    google.person("anna@northfold.example").delete(event["id"])
    google.fail(status=503, reason="backendError", when="after", times=9, method="POST", path="/events")
    google.fail(status=503, reason="backendError", times=9, method="GET", path="/events", skip=2)
    synchronize(annas)  # The event is there again, and nobody here has heard of it.
    assert EventLink.objects.get(calendar=annas).state == "inserting"
    google.faults.clear()
    EventLink.objects.exclude(retry_at=None).update(retry_at=timezone.now())

    assert counts(synchronize(boriss)) == {"added_here": 1}
    synchronize(annas)
    synchronize(boriss)

    assert only_activity().status == "not_started"
    assert only_activity().participants.get(profile=boris).response == "needs_action"
    assert_quiet(google, annas)
    assert_quiet(google, boriss)


@pytest.mark.rule("R14")
def test_what_was_deleted_long_ago_is_erased_once_it_is_out_of_google(google, anna, annas):
    from sync import retention

    activity = tagged(anna)
    synchronize(annas)
    services.delete(activity=activity, by=anna, now=timezone.now())
    later = timezone.now() + timedelta(days=31)

    assert retention.erase_deleted(now=later) == 0  # Google still has its event.
    synchronize(annas)
    assert retention.erase_deleted(now=timezone.now() + timedelta(days=29)) == 0
    assert retention.erase_deleted(now=later) == 1
    assert not Activity.objects.exists()
    assert_quiet(google, annas)


@pytest.mark.rule("R14")
def test_the_guard_does_not_ask_about_what_a_person_has_just_canceled(google, anna, annas):
    activities = [tagged(anna, f"Visit {number}") for number in range(6)]
    synchronize(annas)
    for activity in activities:
        services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())

    session = synchronize(annas)

    assert (session.status, counts(session)) == ("succeeded", {"removed_in_google": 6})
    assert google.person("anna@northfold.example").events() == []


@pytest.mark.rule("R14", "R9")
def test_nor_do_two_guests_hold_each_other_to_the_event_that_was_made_anew(google, anna, annas, boris, boriss):
    claras = connect(google, make_user("clara"))
    annas_page = google.person("anna@northfold.example")
    guests = [{"email": "boris@northfold.example"}, {"email": "clara@northfold.example"}]
    event = annas_page.create_event({"summary": "Review", "attendees": guests, **TEN})
    for calendar in (annas, boriss, claras):
        synchronize(calendar)
    change(only_activity(), anna, subject="Review of the quarter")
    annas_page.delete(event["id"])
    synchronize(annas)
    annas_page.restore(event["id"])

    for calendar in (boriss, claras, annas, boriss, claras):
        assert synchronize(calendar).status == "succeeded"

    assert sorted(Activity.objects.values_list("subject", flat=True)) == ["Review", "Review of the quarter"]
    for link in EventLink.objects.exclude(activity=None).select_related("activity"):
        assert link.event["summary"] == link.activity.subject
    assert EventLink.objects.exclude(activity=None).count() == 6
    for calendar in (annas, boriss, claras):
        assert_quiet(google, calendar)


@pytest.mark.rule("R14", "R9")
def test_an_event_taken_out_of_the_bin_after_it_was_made_anew_is_another_activity_for_everybody(
    google, anna, annas, boris, boriss
):
    annas_page = google.person("anna@northfold.example")
    event = invite_both(google)
    synchronize(annas)
    synchronize(boriss)
    activity = only_activity()
    change(activity, anna, subject="Review of the quarter")
    annas_page.delete(event["id"])
    synchronize(annas)
    annas_page.restore(event["id"])
    annas_page.edit(event["id"], {"summary": "The former one"})

    for calendar in (boriss, annas, boriss, annas):
        assert synchronize(calendar).status == "succeeded"

    assert fresh(activity).subject == "Review of the quarter"
    assert sorted(Activity.objects.values_list("subject", flat=True)) == ["Review of the quarter", "The former one"]
    assert sorted(one["summary"] for one in annas_page.events()) == ["Review of the quarter", "The former one"]
    for link in EventLink.objects.exclude(activity=None).select_related("activity"):
        assert link.event["summary"] == link.activity.subject
    assert EventLink.objects.exclude(activity=None).count() == 4
    assert_quiet(google, annas)
    assert_quiet(google, boriss)


@pytest.mark.rule("R14", "R4")
@pytest.mark.parametrize("repeats", [False, True], ids=["one", "series"])
def test_a_guest_without_the_tag_tells_of_a_meeting_that_is_gone_from_every_calendar(
    google, anna, annas, boris, boriss, repeats
):
    """Anna's session, the first to hear, could not know that it was gone from Boris's calendar as well."""
    google.add_account("maria@partner.example", name="Maria")
    rule = {"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=3"]} if repeats else {}
    guests = {"attendees": [{"email": f"{name}@northfold.example"} for name in ("anna", "boris")]}
    event = google.person("maria@partner.example").create_event({"summary": "Review", **guests, **TEN, **rule})
    synchronize(annas)
    synchronize(boriss)
    activity = Activity.every.get(original_start=None)
    assert activity.organizer == anna
    services.remove_tag(activity=activity, tag=activity.tags.get(owner=boris), by=boris)
    google.person("maria@partner.example").delete(event["id"])

    synchronize(annas)
    assert fresh_status(activity) == Activity.Status.NOT_STARTED  # As far as anybody knows, Boris goes there.
    synchronize(boriss)

    assert fresh_status(activity) == Activity.Status.CANCELED
    for calendar in (annas, boriss):
        assert_quiet(google, calendar)


def fresh_status(activity: Activity) -> str:
    return str(Activity.every.get(pk=activity.pk).status)
