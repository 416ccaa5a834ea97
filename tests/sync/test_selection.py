"""What takes part, what freezes and what resumes, end to end (R1, R2, R4)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from activities import series, services
from activities.models import Activity, FieldChange
from sync import marks, retention
from sync.models import EventLink, SyncedCalendar
from tests.factories import make_activity, make_tag, make_user
from tests.google import connect, sync_tag, synchronize, timed
from tests.sync.helpers import (
    DUE,
    START,
    TEN,
    assert_quiet,
    change,
    counts,
    fresh,
    only_activity,
    tagged,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]


@pytest.mark.rule("R1")
@pytest.mark.parametrize("lack", ["calendar", "tag", "public-tag", "corporate-tag", "email", "ended", "foreign-tag"])
def test_what_does_not_qualify_stays_here(google, anna, annas, boris, lack):
    activity = tagged(anna)
    if lack == "calendar":
        change(activity, anna, show_in_calendar=False)
    if lack == "tag":
        activity.tags.clear()
    if lack == "public-tag":
        activity.tags.add(make_tag("Website", kind="public"))
    if lack == "corporate-tag":
        activity.tags.add(make_tag("Q1", kind="corporate"))
    if lack == "email":
        change(activity, anna, kind="email")
    if lack == "ended":
        change(activity, anna, start=datetime(2019, 1, 1, tzinfo=UTC))
    if lack == "foreign-tag":
        activity.tags.set([sync_tag(boris)])

    assert counts(synchronize(annas)) == {}
    assert google.person("anna@northfold.example").events() == []


@pytest.mark.rule("R1")
def test_only_the_tag_named_on_the_set_up_page_counts(google, anna, annas):
    other = make_tag("Key account", owner=anna)
    annas.account.profile.sync_settings.tag = other
    annas.account.profile.sync_settings.save()
    make_activity(by=anna, show_in_calendar=True, tags=[make_tag("Another", owner=anna)], start=START)
    make_activity(by=anna, subject="With the tag", show_in_calendar=True, tags=[other], start=START)

    synchronize(annas)

    assert [event["summary"] for event in google.person("anna@northfold.example").events()] == ["With the tag"]


@pytest.mark.rule("R2")
def test_declined_and_old_events_stay_in_google(google, anna, annas):
    google.add_account("maria@partner.example")
    google.person("maria@partner.example").create_event(
        {"summary": "Declined", "attendees": [{"email": "anna@northfold.example"}], **TEN}
    )
    [event] = google.person("anna@northfold.example").events()
    google.person("anna@northfold.example").respond(event["id"], "declined")
    google.person("anna@northfold.example").create_event(
        {"summary": "Old", **timed("2019-03-08T10:00:00", "2019-03-08T11:00:00")}
    )

    assert counts(synchronize(annas)) == {}
    assert not Activity.objects.exists()


@pytest.mark.rule("R4")
def test_what_leaves_the_selection_is_frozen_and_thaws_with_both_sides_edits(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    change(activity, anna, subject="Changed here")
    google.person("anna@northfold.example").edit(event["id"], {"location": "Changed there"})

    session = synchronize(annas)

    assert counts(session) == {}
    assert EventLink.objects.get().state == "frozen"
    assert fresh(activity).location == ""
    assert google.person("anna@northfold.example").event(event["id"])["summary"] == "Renewal call"
    assert [outcome.action for outcome in session.outcomes.all()] == ["frozen"]

    services.add_tag(activity=activity, tag=sync_tag(anna), by=anna)
    thaw = synchronize(annas)

    assert (fresh(activity).subject, fresh(activity).location) == ("Changed here", "Changed there")
    assert [outcome.action for outcome in thaw.outcomes.all()] == ["resumed", "updated", "updated"]
    assert counts(thaw) == {"updated_here": 1, "updated_in_google": 1}
    assert google.person("anna@northfold.example").event(event["id"])["summary"] == "Changed here"
    assert_quiet(google, annas)


@pytest.mark.rule("R4", "R14", "R2")
def test_the_event_of_what_is_deleted_while_frozen_stays_and_the_activity_is_erased(google, anna, annas, client):
    activity = tagged(anna)
    synchronize(annas)
    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    synchronize(annas)
    client.force_login(anna.user)
    pages = [client.get(f"/activities/{activity.pk}/{part}").content.decode() for part in ("", "delete/")]
    services.delete(activity=activity, by=anna, now=timezone.now())
    session = synchronize(annas)

    for page in pages:
        assert "so the event stays in Google Calendar. To delete the event as well, choose Remove from" in page
        assert "the event is deleted there as well" not in page
    assert (session.status, counts(session)) == ("succeeded", {})
    [event] = google.person("anna@northfold.example").events()
    assert retention.erase_deleted(now=timezone.now() + timedelta(days=29)) == 0
    assert retention.erase_deleted(now=timezone.now() + timedelta(days=31)) == 1
    assert not Activity.every.exists()
    marks.mark_everything(calendar=annas)
    assert counts(synchronize(annas)) == {}  # Nobody has asked for it anew.
    assert_quiet(google, annas)

    google.person("anna@northfold.example").edit(event["id"], {"location": "Changed there"})
    assert counts(synchronize(annas)) == {"added_here": 1}
    assert only_activity().location == "Changed there"


@pytest.mark.rule("R4", "R14")
def test_what_was_deleted_while_frozen_and_is_restored_thaws_as_ever(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    services.delete(activity=activity, by=anna, now=timezone.now())
    synchronize(annas)

    services.restore(activity=Activity.every.get(), by=anna, now=timezone.now())
    services.add_tag(activity=activity, tag=sync_tag(anna), by=anna)
    change(activity, anna, subject="Changed here")
    synchronize(annas)

    assert [event["summary"] for event in google.person("anna@northfold.example").events()] == ["Changed here"]
    assert_quiet(google, annas)


@pytest.mark.rule("R4", "R14", "R15")
def test_a_series_deleted_while_frozen_is_erased_as_a_whole_but_one_occurrence_waits_for_the_thaw(google, anna, annas):
    head = series.create(
        by=anna, subject="Weekly", start=START, due=DUE, lines=["RRULE:FREQ=WEEKLY;COUNT=3"],
        show_in_calendar=True, now=timezone.now(),
    )  # fmt: skip
    services.add_tag(activity=head, tag=sync_tag(anna), by=anna)
    synchronize(annas)
    changed, single, _last = Activity.objects.filter(series=head.series).order_by("start")
    change(changed, anna, location="Room 9")
    synchronize(annas)
    services.remove_tag(activity=changed, tag=sync_tag(anna), by=anna)
    synchronize(annas)
    later = timezone.now() + timedelta(days=31)
    series.delete(activity=single, scope=series.THIS, by=anna, now=timezone.now())
    synchronize(annas)
    assert retention.erase_deleted(now=later) == 0  # What is to be said about it is still to be sent.

    series.delete(activity=changed, scope=series.ALL, by=anna, now=timezone.now())
    synchronize(annas)

    assert retention.erase_deleted(now=later) == 4
    assert not Activity.every.exists()
    assert len(google.person("anna@northfold.example").events()) == 2  # The series, and its exception.
    marks.mark_everything(calendar=annas)
    assert counts(synchronize(annas)) == {}


@pytest.mark.rule("R4", "R5")
def test_what_froze_and_was_handed_over_is_frozen_for_nobody_once_it_qualifies(google, anna, annas):
    boris = make_user("boris").profile
    boriss = connect(google, boris.user)
    activity = tagged(anna, participants=[boris])
    for calendar in (annas, boriss):
        synchronize(calendar)
    change(activity, anna, show_in_calendar=False)
    synchronize(annas)
    assert EventLink.objects.get(calendar=annas).state == "frozen"

    Activity.objects.filter(pk=activity.pk).update(organizer=boris, show_in_calendar=True)
    services.announce(Activity.objects.get(), by=None)
    for calendar in (boriss, annas):
        synchronize(calendar)

    assert {link.state for link in EventLink.objects.all()} == {"linked"}
    assert_quiet(google, annas)


@pytest.mark.rule("R2", "R4")
def test_a_later_synchronize_from_freezes_and_an_earlier_one_resumes(google, anna, annas):
    from sync import set_up

    activity = tagged(anna)
    synchronize(annas)
    settings = anna.sync_settings
    settings.sync_from = date(2027, 6, 1)
    set_up.save(settings=settings, account=annas.account, changed=["sync_from"], now=timezone.now())

    session = synchronize(SyncedCalendar.objects.get())

    assert counts(session) == {}
    assert EventLink.objects.get().state == "frozen"
    assert fresh(activity).status == "not_started"
    settings.sync_from = date(2027, 1, 1)
    set_up.save(settings=settings, account=annas.account, changed=["sync_from"], now=timezone.now())
    synchronize(SyncedCalendar.objects.get())
    assert EventLink.objects.get().state == "linked"
    assert_quiet(google, SyncedCalendar.objects.get())


@pytest.mark.rule("R4", "R14")
def test_a_frozen_activity_whose_event_is_deleted_thaws_into_canceled(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    google.person("anna@northfold.example").delete(event["id"])
    assert counts(synchronize(annas)) == {}
    assert fresh(activity).status == "not_started"

    services.add_tag(activity=activity, tag=sync_tag(anna), by=anna)
    synchronize(annas)

    assert fresh(activity).status == "canceled"


@pytest.mark.rule("R6", "R4")
def test_the_organizers_own_edit_of_a_frozen_meeting_is_sent_at_the_thaw_however_late(google, anna, annas, boris):
    google.add_account("boris@northfold.example")
    activity = tagged(anna, participants=[boris])
    synchronize(annas)
    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    synchronize(annas)
    change(activity, anna, subject="Changed while frozen")
    FieldChange.objects.filter(field="subject").update(at=timezone.now() - timedelta(hours=3))
    EventLink.objects.update(settled_at=timezone.now() - timedelta(hours=4))
    synchronize(annas)

    services.add_tag(activity=activity, tag=sync_tag(anna), by=anna)
    synchronize(annas)

    [event] = google.person("anna@northfold.example").events()
    assert event["summary"] == "Changed while frozen"


@pytest.mark.rule("R4", "R9")
def test_joining_does_not_take_a_meeting_back_into_the_selection(google, anna, annas, boriss):
    annas_page = google.person("anna@northfold.example")
    event = annas_page.create_event({"summary": "Planning", **TEN})
    synchronize(annas)
    activity = only_activity()
    change(activity, anna, show_in_calendar=False)
    annas_page.edit(event["id"], {"attendees": [{"email": "boris@northfold.example"}]})

    synchronize(boriss)
    synchronize(annas)

    assert only_activity().show_in_calendar is False
    assert EventLink.objects.get(calendar=annas).state == "frozen"
    change(activity, anna, show_in_calendar=True)
    synchronize(annas)
    synchronize(boriss)
    assert set(EventLink.objects.values_list("state", flat=True)) == {"linked"}


@pytest.mark.rule("R4", "R14")
def test_canceled_a_second_time_after_a_return_that_froze(google, anna, annas):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person("anna@northfold.example").events()
    services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    synchronize(annas)
    google.person("anna@northfold.example").restore(event["id"])
    services.set_status(activity=activity, by=anna, status="not_started", now=timezone.now())
    services.remove_tag(activity=activity, tag=sync_tag(anna), by=anna)
    synchronize(annas)  # Back on both sides, and frozen.
    assert EventLink.objects.get().state == "frozen"

    services.set_status(activity=activity, by=anna, status="canceled", now=timezone.now())
    services.add_tag(activity=activity, tag=sync_tag(anna), by=anna)

    assert counts(synchronize(annas)) == {"removed_in_google": 1}
    assert google.person("anna@northfold.example").events() == []
