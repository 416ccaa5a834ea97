"""`manage.py synchronize`: the JSON that scripts rely on, exit codes, and what it says when it cannot."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from activities.models import Activity
from google_emulator import Emulator
from sync.models import SyncSession, SyncSettings
from tests.factories import make_activity, make_user
from tests.google import connect, sync_tag, timed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.embedded]

NOTHING = {"creatio": 0, "google": 0}


def run(*arguments: str) -> tuple[dict[str, Any], int]:
    """Return what the command printed as JSON, and its exit code."""
    out, code = StringIO(), 0
    try:
        call_command("synchronize", "anna", "--json", *arguments, stdout=out)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return json.loads(out.getvalue()), code


@pytest.fixture
def anna(google: Emulator) -> Any:
    anna = make_user("anna").profile
    connect(google, anna.user)
    return anna


@pytest.mark.rule("R18")
def test_it_prints_one_object_and_a_second_run_asks_google_once(google, anna):
    make_activity(by=anna, show_in_calendar=True, tags=[sync_tag(anna)], start=timezone.now())
    google.person("anna@northfold.example").create_event(
        {"summary": "Dentist", **timed("2027-03-08T10:00:00", "2027-03-08T11:00:00")}
    )

    first, code = run()

    assert code == 0
    assert set(first) == {"status", "added", "updated", "removed", "google_requests", "seconds", "problems"}
    assert (first["status"], first["added"], first["problems"]) == ("succeeded", {"creatio": 1, "google": 1}, [])
    second, code = run()
    assert (code, second["google_requests"]) == (0, 1)
    assert (second["added"], second["updated"], second["removed"]) == (NOTHING, NOTHING, NOTHING)
    google.requests.clear()
    run()
    assert [request.method for request in google.requests.calls(path="/calendar/")] == ["GET"]


@pytest.mark.rule("R21")
def test_a_preview_lists_actions_and_changes_nothing(google, anna):
    google.person("anna@northfold.example").create_event(
        {"summary": "Dentist", **timed("2027-03-08T10:00:00", "2027-03-08T11:00:00")}
    )

    report, code = run("--preview")

    assert code == 0
    [action] = report["actions"]
    assert (action["action"], action["direction"], action["item"], action["rule"]) == ("added", "here", "Dentist", "R3")
    assert not Activity.objects.exists()
    assert not SyncSession.objects.exists()


@pytest.mark.rule("R15", "R19")
def test_problems_are_listed_and_the_exit_code_says_so(google, anna):
    google.person("anna@northfold.example").create_event(
        {
            "summary": "Stand-up",
            "recurrence": ["RRULE:FREQ=HOURLY;COUNT=3"],
            **timed("2027-03-08T10:00:00", "2027-03-08T11:00:00"),
        }
    )

    report, code = run()

    assert (code, report["status"]) == (1, "with_problems")
    [problem] = report["problems"]
    assert (problem["item"], problem["rule"]) == ("Stand-up", "R15")
    assert "more often than daily" in problem["reason"]


@pytest.mark.rule("R20")
def test_google_out_of_reach_fails_with_words(google, anna):
    google.fail(status=403, reason="accessNotConfigured", path="/events", times=1)

    report, code = run()

    assert (code, report["status"]) == (1, "failed")
    assert "Google Cloud console" in report["problems"][0]["reason"]


@pytest.mark.rule("R18")
def test_it_tells_in_words_what_it_did(google, anna):
    run()
    out = StringIO()
    call_command("synchronize", "anna", stdout=out)
    assert "Added: 0 here, 0 in Google" in out.getvalue()
    assert "succeeded: 1 request to Google in " in out.getvalue()


def test_without_an_account_or_settings_it_says_what_to_do(google, anna):
    with pytest.raises(CommandError, match="no user “nobody”"):
        call_command("synchronize", "nobody")
    make_user("boris")
    with pytest.raises(CommandError, match="external resources"):
        call_command("synchronize", "boris")
    SyncSettings.objects.all().delete()
    with pytest.raises(CommandError, match="Set up"):
        call_command("synchronize", "anna")
