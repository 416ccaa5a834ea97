"""Details of series, and of single events, where one step follows another (R9, R13, R15, R17)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from activities import series, services
from activities.models import Activity
from sync import removal, writing
from sync.explain import explain
from sync.google.errors import GoogleUnavailable, error_for
from sync.models import EventLink, SyncedCalendar, SyncOutcome, SyncSettings
from sync.preview import preview
from tests.google import sync_tag, synchronize, timed
from tests.sync.helpers import assert_quiet, tagged
from tests.sync.test_repeating import ANNA, BORIS, MONDAY, at, instance, make_here, make_there, occurrence, there
from tests.sync.test_split_series import THIRD, settle, split_here, split_there
from tests.sync.wire import google_sets, sent

pytestmark = pytest.mark.django_db(transaction=True)


def moved_to_another_calendar(google: Any, event_id: str) -> str:
    """Move an event of Anna's to another calendar of hers, as a person does in Google. Returns that calendar's id."""
    other: str = google.add_calendar(ANNA, summary="Other").id
    google.person(ANNA).move(event_id, to=other)
    return other


def choose(profile: Any, calendar_id: str) -> None:
    SyncSettings.objects.filter(profile=profile).update(calendar_id=calendar_id)


def killed_in(monkeypatch: pytest.MonkeyPatch, calendar: SyncedCalendar, step: str, *, of: Any = writing) -> None:
    """Let a session die just before this step, by default one of `writing`, and its lease run out."""

    def die(*_args: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(of, step, die)
        with pytest.raises(KeyboardInterrupt):
            synchronize(calendar)
    SyncedCalendar.objects.update(lease_by="", lease_until=None)


def replaced() -> list[tuple[str, str, Any, Any]]:
    """Return rule, field and both values of each entry of the journal."""
    return list(SyncOutcome.objects.filter(action="replaced").values_list("rule", "field", "here", "google"))


# --- Moved to another calendar -----------------------------------------------------------------------------------


@pytest.mark.rule("R9")
def test_an_event_moved_to_the_calendar_that_is_chosen_next_keeps_its_activity(google, anna, annas):
    event = google.person(ANNA).create_event({"summary": "Review", **MONDAY})
    synchronize(annas)
    activity = Activity.objects.get()
    services.edit(activity=activity, by=anna, now=timezone.now(), location="Garden")
    other = moved_to_another_calendar(google, event["id"])
    choose(anna, other)
    synchronize(annas)
    assert (Activity.objects.get().pk, EventLink.objects.get().state) == (activity.pk, EventLink.State.LINKED)
    assert google.person(ANNA, calendar_id=other).event(event["id"])["location"] == "Garden"
    assert_quiet(google, annas)


@pytest.mark.rule("R9", "R14")
def test_an_event_whose_move_looked_like_a_deletion_returns_with_its_activity(google, anna, annas):
    event = google.person(ANNA).create_event({"summary": "Review", **MONDAY})
    synchronize(annas)
    other = moved_to_another_calendar(google, event["id"])
    synchronize(annas)
    assert Activity.objects.get().status == "canceled"
    choose(anna, other)
    synchronize(annas)
    assert (Activity.objects.get().status, EventLink.objects.get().state) == ("not_started", EventLink.State.LINKED)
    assert_quiet(google, annas)


@pytest.mark.rule("R9", "R15")
@pytest.mark.parametrize("is_seen_between", [False, True])
def test_a_series_moved_to_the_calendar_that_is_chosen_next_keeps_its_occurrences(
    google, anna, annas, boris, boriss, is_seen_between
):
    master = make_there(google, attendees=[{"email": BORIS}])
    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"location": "Garden"})
    google.person(ANNA).delete(instance(google, "2027-03-29")["id"])
    for calendar in (annas, boriss):
        synchronize(calendar)
    before = sorted(Activity.objects.values_list("pk", "start", "location"))
    other = moved_to_another_calendar(google, master["id"])
    if is_seen_between:
        synchronize(annas)
    choose(anna, other)
    for calendar in (annas, boriss, annas):
        synchronize(calendar)
    assert sorted(Activity.objects.values_list("pk", "start", "location")) == before
    assert set(Activity.objects.values_list("status", flat=True)) == {"not_started"}
    assert {link.google_calendar_id for link in EventLink.objects.filter(calendar=annas)} == {other}
    assert_quiet(google, annas)


@pytest.mark.rule("R9")
def test_an_invitation_under_the_id_of_an_event_of_ours_is_not_ours(google, anna, annas):
    event = google.person(ANNA).create_event({"summary": "Review", **MONDAY})
    synchronize(annas)
    other = google.add_calendar(ANNA, summary="Other").id
    google.person(ANNA, calendar_id=other).create_event({"summary": "Forged", "id": event["id"], **MONDAY})
    google_sets(google, ANNA, event["id"], calendar_id=other, organizer={"email": "mallory@elsewhere.example"})
    choose(anna, other)
    synchronize(annas)
    assert Activity.objects.get(subject="Forged").links.get().google_calendar_id == other
    assert Activity.objects.get(subject="Review").links.get().google_calendar_id != other


# --- Set back ----------------------------------------------------------------------------------------------------


@pytest.mark.rule("R17", "R14")
@pytest.mark.parametrize("scope", ["this", "all"])
def test_guests_are_told_about_what_a_person_sets_back(google, anna, annas, boris, boriss, scope):
    make_there(google, attendees=[{"email": BORIS}])
    for calendar in (annas, boriss):
        synchronize(calendar)
    series.set_status(activity=occurrence("2027-03-22"), scope=scope, by=anna, now=timezone.now(), status="canceled")
    google.requests.clear()
    synchronize(annas)
    series.set_status(activity=occurrence("2027-03-22"), scope=scope, by=anna, now=timezone.now(), status="not_started")
    synchronize(annas)
    assert [write.send_updates for write in sent(google)] == ["all", "all"]
    assert len(there(google, BORIS)) == 5
    assert_quiet(google, annas)


@pytest.mark.rule("R17", "R14")
def test_who_is_taken_off_what_returns_to_google_is_not_invited_first(google, anna, annas, boris, boriss):
    make_there(google, attendees=[{"email": BORIS}])
    for calendar in (annas, boriss):
        synchronize(calendar)
    google.person(ANNA).delete(instance(google, "2027-03-22")["id"])
    services.remove_participant(activity=occurrence("2027-03-22"), profile=boris, by=anna, now=timezone.now())
    google.mail.clear()

    synchronize(annas)

    assert [mail.kind for mail in google.mail.all(to=BORIS)] == ["cancellation"]
    assert len(there(google)) == 5
    assert len(there(google, BORIS)) == 4
    assert_quiet(google, annas)


@pytest.mark.rule("R17", "R14")
def test_nobody_is_told_again_when_telling_guests_is_off(google, anna, annas, boris, boriss):
    make_there(google, attendees=[{"email": BORIS}])
    for calendar in (annas, boriss):
        synchronize(calendar)
    SyncSettings.objects.filter(profile=anna).update(tell_guests=False)
    for status in ("canceled", "not_started"):
        services.set_status(activity=occurrence("2027-03-22"), by=anna, now=timezone.now(), status=status)
        synchronize(annas)
    assert {write.send_updates for write in sent(google)} == {"none"}


# --- Made anew ---------------------------------------------------------------------------------------------------


def with_a_video_call(google: Any, event_id: str) -> str:
    conference = {
        "createRequest": {"requestId": "first", "status": {"statusCode": "success"}},
        "conferenceSolution": {"key": {"type": "hangoutsMeet"}},
        "conferenceId": "abc-defg-hij",
        "entryPoints": [{"entryPointType": "video", "uri": "https://meet.google.com/abc-defg-hij"}],
        "signature": "signed",
    }
    link: str = conference["entryPoints"][0]["uri"]
    google_sets(google, ANNA, event_id, conferenceData=conference, hangoutLink=link)
    return link


@pytest.mark.rule("R15", "R12")
def test_the_video_call_comes_along_when_we_split(google, anna, annas):
    link = with_a_video_call(google, make_there(google)["id"])
    synchronize(annas)
    series.edit(activity=occurrence("2027-03-22"), scope="following", by=anna, now=timezone.now(), subject="Retro")
    synchronize(annas)
    assert {event["summary"] for event in there(google)} == {"Stand-up", "Retro"}
    assert {event["hangoutLink"] for event in there(google)} == {link}
    assert set(Activity.objects.values_list("join_link", flat=True)) == {link}
    assert_quiet(google, annas)


@pytest.mark.rule("R13", "R14")
def test_color_and_video_call_come_along_when_an_event_returns(google, anna, annas):
    event = google.person(ANNA).create_event({"summary": "Review", "colorId": "5", **MONDAY})
    link = with_a_video_call(google, event["id"])
    synchronize(annas)
    for status in ("canceled", "not_started"):
        services.set_status(activity=Activity.objects.get(), by=anna, now=timezone.now(), status=status)
        synchronize(annas)
    [returned] = google.person(ANNA).events()
    assert returned["id"] != event["id"]
    assert (returned["colorId"], returned["hangoutLink"]) == ("5", link)
    assert_quiet(google, annas)


@pytest.mark.rule("R13", "R14")
def test_an_event_returns_without_its_video_call_where_google_does_not_take_that(google, anna, annas):
    with_a_video_call(google, google.person(ANNA).create_event({"summary": "Review", **MONDAY})["id"])
    synchronize(annas)
    services.set_status(activity=Activity.objects.get(), by=anna, now=timezone.now(), status="canceled")
    synchronize(annas)
    services.set_status(activity=Activity.objects.get(), by=anna, now=timezone.now(), status="not_started")
    google.fail(status=400, reason="invalid", method="POST", path="/events", times=1)
    assert synchronize(annas).status == "succeeded"
    [returned] = google.person(ANNA).events()
    assert "hangoutLink" not in returned
    assert_quiet(google, annas)


# --- What Google says --------------------------------------------------------------------------------------------


@pytest.mark.rule("R20")
@pytest.mark.parametrize(
    ("words", "least", "most"),
    [
        ("17", 17, 17),
        (format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True), 80_000, 86_400),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
    ],
    ids=["seconds", "tomorrow", "long ago"],
)
def test_google_names_seconds_or_a_date_to_wait_for(words, least, most):
    error = error_for(status=503, content=b"", retry_after=words)
    assert isinstance(error, GoogleUnavailable)
    assert error.retry_after is not None
    assert least <= error.retry_after <= most


@pytest.mark.rule("R20")
@pytest.mark.parametrize("words", ["soon", "", "-5", "inf"])
def test_what_is_neither_is_no_time_to_wait(words):
    error = error_for(status=503, content=b"", retry_after=words)
    assert isinstance(error, GoogleUnavailable)
    assert error.retry_after is None


@pytest.mark.rule("R19", "R20")
def test_a_refusal_is_a_sentence_with_a_next_step():
    content = b'{"error": {"errors": [{"reason": "forbidden"}], "message": "Forbidden"}}'
    step = "Look in Google Calendar whether your account may change this event."
    assert str(error_for(status=403, content=content)) == f"Google refuses the change: Forbidden. {step}"


# --- One occurrence of a colleague's series -----------------------------------------------------------------------


@pytest.mark.rule("R15", "R21")
def test_who_is_invited_to_one_occurrence_is_told_about_that_one(google, anna, annas, boris, boriss):
    make_there(google)
    synchronize(annas)
    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"attendees": [{"email": BORIS}]})
    for calendar in (annas, boriss):
        synchronize(calendar)
    one = occurrence("2027-03-22")
    found = explain(activity=one, profile=boris, now=timezone.now())
    assert one.tags.filter(owner=boris).exists()
    assert (found.state, found.title) == ("in_google", "In Google")
    assert not any(reason.rule == "R15" for reason in found.reasons)
    whole = explain(activity=one, profile=anna, now=timezone.now())
    assert whole.state == "in_google"
    assert any(reason.rule == "R15" for reason in whole.reasons)
    services.remove_tag(activity=one, tag=one.tags.get(owner=boris), by=boris)
    found = explain(activity=occurrence("2027-03-22"), profile=boris, now=timezone.now())
    assert [reason.rule for reason in found.reasons if not reason.met] == ["R1c"]


# --- All, with an exception ---------------------------------------------------------------------------------------


@pytest.mark.rule("R15", "R12")
def test_what_an_exception_has_from_its_series_is_not_written_a_second_time(google, anna, annas):
    make_there(google)
    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"location": "Garden"})
    synchronize(annas)
    series.edit(activity=occurrence("2027-03-08"), scope="all", by=anna, now=timezone.now(), subject="Retro")
    planned = [(action.item, action.direction) for action in preview(calendar=annas, now=timezone.now()).actions]
    google.requests.clear()
    session = synchronize(annas)
    assert [(write.method, write.body, write.status) for write in sent(google)] == [
        ("PATCH", {"summary": "Retro"}, 200)
    ]
    assert session.requests_made == 1 + 1 + 1  # The list, the series, and the exception read afresh.
    assert planned == [("Retro", "google")]
    assert {event["summary"] for event in there(google)} == {"Retro"}
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R12")
def test_what_an_exception_overrides_in_google_is_written(google, anna, annas):
    """A change here is of all; the exception had followed it here, but not in Google."""
    make_there(google)
    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"location": "Garden"})
    synchronize(annas)
    now = timezone.now()
    series.edit(activity=occurrence("2027-03-08"), scope="all", by=anna, now=now, location="Hall")
    services.edit(activity=occurrence("2027-03-22"), by=anna, now=now, location="Hall")
    synchronize(annas)
    assert {event["location"] for event in there(google)} == {"Hall"}
    assert_quiet(google, annas)


# --- A removal without an answer ----------------------------------------------------------------------------------


@pytest.mark.rule("R13", "R9", "R4")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("comes_from", ["here", "google"])
@pytest.mark.parametrize("repeats", [False, True])
def test_what_a_removal_without_an_answer_left_in_google_is_not_added_again(
    google, anna, annas, monkeypatch, when, comes_from, repeats
):
    monkeypatch.setattr(removal, "SHORT_PATIENCE", 0.0)  # Seconds.
    if repeats:
        make_here(anna) if comes_from == "here" else make_there(google)
    elif comes_from == "here":
        tagged(anna, "Review")
    else:
        google.person(ANNA).create_event({"summary": "Review", **MONDAY})
    synchronize(annas)
    rows, events = set(Activity.objects.values_list("pk", flat=True)), len(there(google))
    one = Activity.objects.earliest("start")
    services.remove_tag(activity=one, tag=one.tags.get(), by=anna)
    synchronize(annas)
    google.fail(kind="timeout", when=when, seconds=0, times=20, method="DELETE")
    with pytest.raises(removal.UnableToRemove):
        removal.remove_from_google(activity=one, profile=anna, now=timezone.now())
    google.faults.clear()
    services.add_tag(activity=one, tag=sync_tag(anna), by=anna)
    for _ in range(2):
        synchronize(annas)
    assert set(Activity.objects.values_list("pk", flat=True)) == rows
    assert len(there(google)) == events
    assert_quiet(google, annas)


# --- Killed over a removal ----------------------------------------------------------------------------------------


@pytest.mark.rule("R14", "R11")
def test_what_goes_with_a_removal_is_in_the_journal_though_the_session_is_killed_over_it(
    google, anna, annas, monkeypatch
):
    activity = tagged(anna)
    synchronize(annas)
    [event] = google.person(ANNA).events()
    google.person(ANNA).edit(event["id"], {"visibility": "private"})
    services.delete(activity=activity, by=anna, now=timezone.now())
    killed_in(monkeypatch, annas, "settle_pair")
    settle(annas)
    assert google.person(ANNA).events() == []
    assert replaced() == [("R14", "is_private", False, True)]


# --- Divided here, while Google changed something -----------------------------------------------------------------


@pytest.mark.rule("R15")
def test_who_divides_on_both_sides_has_moved_nothing(google, anna, annas):
    make_there(google)
    synchronize(annas)
    split_here(anna, location="Hall")
    split_there(google)
    settle(annas)
    assert [event.get("location") for event in there(google)] == [None, None, "Hall", "Hall", "Hall"]
    assert replaced() == []
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
def test_where_google_divides_too_the_part_takes_place_at_the_time_chosen_here(google, anna, annas):
    make_there(google)
    synchronize(annas)
    split_here(anna, start=at(THIRD, "12:00"), due=at(THIRD, "13:00"))
    split_there(google)
    settle(annas)
    found = [(event["summary"], datetime.fromisoformat(event["start"]["dateTime"])) for event in there(google)]
    assert found == [
        ("Stand-up", at("2027-03-08")),
        ("Stand-up", at("2027-03-15")),
        *(("Retro", at(day, "12:00")) for day in (THIRD, "2027-03-29", "2027-04-05")),
    ]
    assert replaced() == []
    assert_quiet(google, annas)


FOURTH = "2027-03-29"


def edit_there(google: Any, **values: Any) -> None:
    """Change the fourth occurrence alone on Google's own page."""
    google.person(ANNA).edit(instance(google, FOURTH)["id"], values)


def fourth_there(google: Any) -> list[dict[str, Any]]:
    return [event for event in there(google) if event["start"]["dateTime"].startswith(FOURTH)]


@pytest.mark.rule("R15", "R11")
def test_what_the_part_took_along_is_no_conflict(google, anna, annas):
    make_there(google)
    synchronize(annas)
    split_here(anna)
    edit_there(google, location="Garden")
    settle(annas)
    assert [event["location"] for event in fourth_there(google)] == [occurrence(FOURTH).location] == ["Garden"]
    assert replaced() == []
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize("step", ["prepare_insert", "intend", "adopt"])
def test_who_is_killed_while_the_part_goes_out_keeps_its_conflict_once(google, anna, annas, monkeypatch, step):
    make_there(google)
    synchronize(annas)
    split_here(anna)
    edit_there(google, location="Garden")
    services.edit(activity=occurrence(FOURTH), by=anna, now=timezone.now() + timedelta(hours=2), location="Hall")
    killed_in(monkeypatch, annas, step)
    settle(annas)
    assert [event["location"] for event in fourth_there(google)] == ["Hall"]
    assert replaced() == [("R11", "location", "Hall", "Garden")]
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
@pytest.mark.parametrize("place", ["Park", ""])
def test_an_exception_changed_again_in_google_goes_along_without_a_conflict(google, anna, annas, place):
    make_there(google)
    synchronize(annas)
    edit_there(google, location="Garden")
    synchronize(annas)
    split_here(anna)
    edit_there(google, location=place)
    settle(annas)
    assert [event.get("location") or "" for event in fourth_there(google)] == [occurrence(FOURTH).location] == [place]
    assert replaced() == []
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R14")
def test_an_occurrence_that_returns_in_google_returns_in_the_part(google, anna, annas):
    make_there(google)
    synchronize(annas)
    gone = instance(google, FOURTH)["id"]
    google.person(ANNA).delete(gone)
    synchronize(annas)
    split_here(anna)
    google.person(ANNA).edit(gone, {"status": "confirmed"})
    settle(annas)
    assert len(fourth_there(google)) == 1
    assert occurrence(FOURTH).status == Activity.Status.NOT_STARTED
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R10")
def test_an_answer_to_one_occurrence_goes_along(google, anna, annas):
    make_there(google, attendees=[{"email": ANNA, "responseStatus": "accepted"}, {"email": BORIS}])
    synchronize(annas)
    split_here(anna)
    edit_there(google, attendees=[{"email": ANNA, "responseStatus": "declined"}, {"email": BORIS}])
    settle(annas)
    assert occurrence(FOURTH).participants.get(profile=anna).response == "declined"
    assert {one["email"]: one["responseStatus"] for one in instance(google, FOURTH)["attendees"]}[ANNA] == "declined"
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R13", "R19")
@pytest.mark.parametrize("is_due", [False, True])
@pytest.mark.parametrize("what", ["deleted", "changed", "moved with all"])
def test_what_google_does_while_it_refuses_the_part_goes_along(google, anna, annas, is_due, what):
    master = make_there(google)
    synchronize(annas)
    split_here(anna)
    google.fail(status=400, reason="invalid", times=1, method="POST", path=r"/events$")
    synchronize(annas)
    if what == "deleted":
        google.person(ANNA).delete(instance(google, FOURTH)["id"])
    elif what == "changed":
        edit_there(google, location="Garden")
    else:
        times = timed("2027-03-08T14:00:00", "2027-03-08T14:45:00", "Europe/Berlin")
        google.person(ANNA).edit(master["id"], times)
    if not is_due:  # Seen before the part is tried again.
        synchronize(annas)
    EventLink.objects.filter(retry_at__isnull=False).update(retry_at=timezone.now())
    settle(annas)
    begins = [datetime.fromisoformat(event["start"]["dateTime"]) for event in there(google)]
    hour = 14 if what == "moved with all" else 10
    assert {begin.astimezone(ZoneInfo("Europe/Berlin")).hour for begin in begins} == {hour}
    expected = {"deleted": [], "changed": ["Garden"], "moved with all": [""]}
    assert [event.get("location", "") for event in fourth_there(google)] == expected[what]
    assert replaced() == []
    assert_quiet(google, annas)


@pytest.mark.rule("R15", "R11")
def test_what_our_cut_drops_is_in_the_journal_though_the_session_is_killed_over_it(google, anna, annas, monkeypatch):
    make_there(google)
    synchronize(annas)
    series.delete(activity=occurrence("2027-03-15"), scope="following", by=anna, now=timezone.now())
    google.person(ANNA).edit(instance(google, "2027-03-22")["id"], {"summary": "With the board"})
    killed_in(monkeypatch, annas, "settle_pair")
    for _session in range(2):
        synchronize(annas)
    assert [(field, theirs) for _rule, field, _here, theirs in replaced()] == [("subject", "With the board")]
    assert [event["summary"] for event in there(google)] == ["Stand-up"]
    assert_quiet(google, annas)
