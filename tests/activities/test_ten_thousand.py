"""
The section with 10,000 activities of 50 people: how many statements a page takes, however many there are.

How long each takes is printed: `python3 manage.py test tests/activities/test_ten_thousand.py -s`.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.template import Template
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Profile, User
from activities.models import Activity, Participant, Tag
from tests.factories import make_user
from tests.sync.pages import make_calendar, make_session

pytestmark = [pytest.mark.django_db, pytest.mark.postgres, pytest.mark.timeout(180)]

PEOPLE = 50
ACTIVITIES = 10_000
WEEKS = 26  # Over which they are spread.
MOST_STATEMENTS = 14  # "Under 15".
GOAL = 100  # Milliseconds; printed beside what was measured, since machines differ.
ROUNDS = 7
NOW = datetime(2026, 3, 11, 9, 30, tzinfo=UTC)
WORDS = ("budget", "review", "offer", "contract", "delivery", "visit", "invoice", "training", "interview", "renewal")
NOTES = "<p>What was said and what is to be done, with the numbers of the last quarter.</p>" * 10

PAGES = {
    "calendar, the week of one": "/activities/calendar/entries/?start=2026-03-09&end=2026-03-16",
    "calendar, the week of five": "/activities/calendar/entries/?start=2026-03-09&end=2026-03-16&{five}",
    "calendar, the month of one": "/activities/calendar/entries/?start=2026-02-23&end=2026-04-06",
    "calendar, the page": "/activities/",
    "list, the week of one": "/activities/?view=list",
    "list, everything": "/activities/?view=list&period=any&employee=all",
    "list, everything by owner": "/activities/?view=list&period=any&employee=all&sort=-owner&page=80",
    "list, of a tag": "/activities/?view=list&period=any&employee=all&tag={tag}",
    "search": "/activities/?search=budget",
    "search that finds nothing": "/activities/?search=nowhere%20at%20all",
    "dashboards": "/activities/?view=dashboards",
}


@pytest.fixture
def anna(monkeypatch: pytest.MonkeyPatch) -> Profile:
    """One of fifty, who all have much to do together."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    # What tests of Django's do with each template, to remember its context, is no part of the server's time.
    monkeypatch.setattr(Template, "_render", lambda template, context: template.nodelist.render(context))
    dice = random.Random(17)
    anna = make_user("anna").profile
    User.objects.bulk_create([User(username=f"person{number}", email="") for number in range(PEOPLE - 1)])
    others = User.objects.exclude(pk=anna.user_id)
    Profile.objects.bulk_create([Profile(user=user, full_name=user.username) for user in others if not has_one(user)])
    people = list(Profile.objects.all())
    tags = [
        Tag.objects.create(name="Key accounts", kind="corporate"),
        *(Tag.objects.create(name="Google synchronization", owner=person) for person in people),
    ]
    make_activities(people, tags=tags, dice=dice)
    make_session(make_calendar(anna), at=NOW)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # What the server does by itself before long.
    return anna


def has_one(user: User) -> bool:
    return Profile.objects.filter(user=user).exists()


def make_activities(people: list[Profile], *, tags: list[Tag], dice: random.Random) -> None:
    rows = []
    for number in range(ACTIVITIES):
        owner = people[number % PEOPLE]
        start = NOW + timedelta(days=dice.randrange(-WEEKS * 7 // 2, WEEKS * 7 // 2), minutes=30 * dice.randrange(18))
        rows.append(
            Activity(
                subject=f"{dice.choice(WORDS)} {number}",
                start=start,
                due=start + timedelta(minutes=30 * dice.randint(1, 4)),
                owner=owner,
                reporter=owner,
                organizer=owner,
                show_in_calendar=bool(number % 4),
                is_private=number % 20 == 0,
                made_in_google=number % 3 == 0,
                status=dice.choice(Activity.Status.values),
                notes=NOTES,
                time_zone="UTC",
            )
        )
    made = Activity.objects.bulk_create(rows, batch_size=2_000)
    taking_part = [
        Participant(activity=activity, profile=person, displayed=bool(dice.randrange(10)))
        for activity in made
        for person in {activity.owner, *dice.sample(people, dice.choice([0, 0, 1, 3]))}
    ]
    Participant.objects.bulk_create(taking_part, batch_size=5_000)
    of = {tag.owner_id: tag for tag in tags}
    put_on = Activity.tags.through
    put_on.objects.bulk_create(
        [put_on(activity_id=activity.pk, tag_id=of[activity.owner_id].pk) for activity in made if activity.pk % 2]
        + [put_on(activity_id=activity.pk, tag_id=tags[0].pk) for activity in made if activity.pk % 25 == 0],
        batch_size=5_000,
    )


def test_a_page_takes_few_statements_however_many_activities_there_are(anna):
    client = Client()
    client.force_login(anna.user)
    colleagues = Profile.objects.exclude(pk=anna.pk)[:5]
    five = "&".join(f"employee={person.pk}" for person in colleagues)
    tag = Tag.objects.get(kind="corporate").pk
    measured = {name: measure(client, address.format(five=five, tag=tag)) for name, address in PAGES.items()}

    print(f"\n{ACTIVITIES} activities of {PEOPLE} people; the goal is {GOAL} ms\n{'page':32}statements     ms")
    for name, (statements, milliseconds) in measured.items():
        print(f"{name:32}{statements:10}{milliseconds:7.0f}")
    assert {name: count for name, (count, _ms) in measured.items() if count > MOST_STATEMENTS} == {}


def measure(client: Client, address: str) -> tuple[int, float]:
    """Return how many statements a page takes, and the median of the server's time for it in milliseconds."""
    with CaptureQueriesContext(connection) as statements:
        response = client.get(address)
    assert response.status_code == 200, address
    count = len(statements)  # The next request forgets them.
    times = [elapsed(lambda: client.get(address)) for _round in range(ROUNDS)]
    return count, statistics.median(times)


def elapsed(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1000
