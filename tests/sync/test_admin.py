"""Administration of the synchronization: what it shows, what it keeps from administrators, what it sets going."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ExternalAccount, Profile, User
from activities.models import Activity
from sync import tasks
from sync.models import ActivityMark, EventLink, Meeting, SyncedCalendar, SyncOutcome, SyncSession, SyncSettings
from tests.factories import make_activity, make_tag, make_user
from tests.sync.pages import make_calendar, make_outcome, make_session

pytestmark = pytest.mark.django_db

MODELS = ["syncsettings", "syncedcalendar", "eventlink", "meeting", "activitymark", "syncsession", "syncoutcome"]


@pytest.fixture(autouse=True)
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sessions for which a worker was woken up."""
    woken: list[int] = []
    monkeypatch.setattr(tasks.run_session, "delay_on_commit", lambda *, session_id: woken.append(session_id))
    return woken


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", "root@northfold.example", "x")


@pytest.fixture
def browser(client: Client, root: User) -> Client:
    client.force_login(root)
    return client


@pytest.fixture
def boris() -> Profile:
    return make_user("boris").profile


@pytest.fixture
def calendar(boris: Profile) -> SyncedCalendar:
    made = make_calendar(boris)
    SyncedCalendar.objects.filter(pk=made.pk).update(sync_token="secret-token", page_token="secret-page")
    return made


@pytest.fixture
def private_one(boris: Profile, calendar: SyncedCalendar) -> Activity:
    """Boris' private activity, with a row of every sort that is about it; its mark was made with it."""
    activity = make_activity(by=boris, subject="Job interview", is_private=True)
    link = EventLink.objects.create(
        calendar=calendar,
        event_id="e1",
        activity=activity,
        state=EventLink.State.LINKED,
        event={"summary": "Job interview", "description": "at the competitor's"},
        base_here={"snapshot": {"subject": "Job interview"}},
        reason="“Job interview” was changed on both sides.",
        retry_at=timezone.now() + timedelta(hours=1),
        attempts=4,
    )
    Meeting.objects.create(key="k", activity=activity)
    session = make_session(calendar)
    reason = "Carries the tag “Leaving Northfold” and “Job interview”."
    make_outcome(session, item="Job interview", activity=activity, link=link, reason=reason, here="Job interview")
    make_outcome(session, item="Job interview, not here yet", reason="Google refuses it.", error="“Job interview”")
    return activity


def pages(browser: Client) -> dict[str, str]:
    """Return every list of this part of the administration, and every page of one row."""
    shown = {model: browser.get(f"/admin/sync/{model}/") for model in MODELS}
    rows = [SyncSettings, SyncedCalendar, EventLink, Meeting, ActivityMark, SyncSession, SyncOutcome]
    for model, row in zip(MODELS, rows, strict=True):
        for pk in row.objects.values_list("pk", flat=True):
            shown[f"{model} {pk}"] = browser.get(f"/admin/sync/{model}/{pk}/change/")
    assert {response.status_code for response in shown.values()} == {200}
    return {name: response.content.decode() for name, response in shown.items()}


@pytest.mark.rule("R8")
def test_other_peoples_private_things_stay_masked(browser, private_one):
    shown = pages(browser)

    leaks = [name for name, page in shown.items() if "Job interview" in page or "Leaving" in page or "compet" in page]
    assert leaks == []
    for model in ("eventlink", "meeting", "activitymark", "syncoutcome"):
        assert "Private" in shown[model]


def test_the_tokens_of_the_reading_are_not_shown(browser, private_one):
    assert [name for name, page in pages(browser).items() if "secret" in page] == []


def test_what_colleagues_may_open_and_ones_own_is_shown(browser, root, calendar, boris):
    open_one = make_activity(by=boris, subject="Site visit")
    reason = "Carries your private tag “Leaving Northfold”."
    make_outcome(make_session(calendar), item="Site visit", activity=open_one, reason=reason)
    own = make_session(make_calendar(root.profile))
    make_outcome(own, item="My own event", reason="Carries “Key account”.")

    shown = browser.get("/admin/sync/syncoutcome/").content.decode()

    assert "Site visit" in shown
    assert "Leaving" not in shown  # The activity is open to colleagues, the private tag on it is not (R1).
    assert "My own event" in shown
    assert "Carries “Key account”." in shown


@pytest.mark.rule("R1")
def test_the_name_of_a_private_tag_is_not_shown(browser, calendar, boris):
    SyncSettings.objects.update(tag=make_tag("Leaving Northfold", owner=boris))

    shown = "".join(pages(browser).values())

    assert "Leaving" not in shown
    assert "one private tag" in shown


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_added_changed_or_deleted_by_hand(browser, private_one, model):
    assert browser.get(f"/admin/sync/{model}/add/").status_code == 403
    pk = browser.get(f"/admin/sync/{model}/").context["cl"].result_list[0].pk
    assert browser.get(f"/admin/sync/{model}/{pk}/delete/").status_code == 403
    assert browser.post(f"/admin/sync/{model}/{pk}/change/", {}).status_code == 403


def act(browser: Client, model: str, action: str, pk: int) -> str:
    data = {"action": action, "_selected_action": [pk]}
    return browser.post(f"/admin/sync/{model}/", data, follow=True).content.decode()


def test_a_session_can_be_asked_for(browser, calendar, queued):
    assert "1 session asked for." in act(browser, "syncedcalendar", "synchronize_now", calendar.pk)
    assert len(queued) == 1


def test_accounts_that_cannot_synchronize_are_left_out_and_named_so(browser, calendar, queued):
    ExternalAccount.objects.update(paused=True)

    assert "1 left out" in act(browser, "syncedcalendar", "synchronize_now", calendar.pk)
    assert queued == []


def test_an_account_can_be_paused_and_resumed(browser, calendar):
    act(browser, "syncedcalendar", "pause", calendar.pk)
    assert ExternalAccount.objects.get().paused

    act(browser, "syncedcalendar", "resume", calendar.pk)
    assert not ExternalAccount.objects.get().paused


def test_the_next_session_can_be_told_to_look_at_everything(browser, calendar):
    SyncedCalendar.objects.update(compare_all=False)

    act(browser, "syncedcalendar", "look_at_everything", calendar.pk)

    assert SyncedCalendar.objects.get().compare_all


@pytest.mark.rule("R19")
def test_a_parked_item_can_be_tried_again(browser, private_one):
    act(browser, "eventlink", "retry", EventLink.objects.get().pk)

    link = EventLink.objects.get()
    assert (link.is_marked, link.retry_at, link.attempts) == (True, None, 0)


def test_staff_without_the_permission_only_look(client, calendar, queued):
    from django.contrib.auth.models import Permission

    staff = make_user("staff", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="view_syncedcalendar"))
    client.force_login(staff)

    assert client.get("/admin/sync/syncedcalendar/").status_code == 200
    assert client.get("/admin/sync/eventlink/").status_code == 403
    act(client, "syncedcalendar", "pause", calendar.pk)
    assert not ExternalAccount.objects.get().paused


# --- Explain ---------------------------------------------------------------------------------------------------------


@pytest.mark.rule("R21")
def test_an_administrator_is_told_why_an_activity_is_not_in_somebodys_google_and_not_what_it_is_about(
    browser, calendar, private_one, boris
):
    private_one.tags.add(make_tag("Career", owner=boris))
    Activity.objects.filter(pk=private_one.pk).update(show_in_calendar=False)
    address = f"/admin/sync/syncedcalendar/{calendar.pk}/"
    assert f'href="{address}explain/"' in browser.get(f"{address}change/").content.decode()

    html = browser.get(f"{address}explain/?activity={private_one.pk}").content.decode()

    assert "Show in calendar is off." in html
    assert "R1a" in html
    assert "Next step" in html
    assert "Job interview" not in html
    assert "Career" not in html


@pytest.mark.parametrize("wanted", ["", "999999", "none", "9" * 40, "-1"])
def test_what_is_no_activity_is_said_so(browser, calendar, wanted):
    answer = browser.get(f"/admin/sync/syncedcalendar/{calendar.pk}/explain/", {"activity": wanted})
    assert answer.status_code == 200
    assert ("There is no activity" in answer.content.decode()) is bool(wanted)


def test_the_explanation_is_for_those_who_may_look(client, calendar):
    assert client.get(f"/admin/sync/syncedcalendar/{calendar.pk}/explain/").status_code == 302
    client.force_login(make_user("dora", is_staff=True))
    assert client.get(f"/admin/sync/syncedcalendar/{calendar.pk}/explain/").status_code == 403
