"""Things tests start from: valid by default, so that a test names only what it is about."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.models import CommunicationOption, Profile, User
from activities import services
from activities.models import Activity, Tag

PASSWORD = "let-me-in-9"  # Of everybody `make_user` makes.
MONDAY_NINE = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)

_numbers = itertools.count(1)


def make_user(username: str = "", *, email: str | None = None, time_zone: str = "UTC", **values: Any) -> User:
    """
    Make somebody who can sign in with PASSWORD, with a profile and an e-mail address on Communication options.

    The address is username@northfold.example unless given; an empty one leaves the Communication options empty.
    """
    username = username or f"person{next(_numbers)}"
    email = f"{username}@northfold.example" if email is None else email
    user = User.objects.create_user(username, email, PASSWORD, **values)
    profile = user.profile  # Made with the user.
    profile.full_name, profile.time_zone = username.title(), time_zone
    profile.save()
    if email:
        CommunicationOption.objects.create(profile=profile, value=email)
    return user


def make_activity(
    *,
    by: Profile | None = None,
    subject: str = "Quarterly review",
    start: datetime | None = MONDAY_NINE,
    due: datetime | None = None,
    participants: Iterable[Profile] = (),
    tags: Iterable[Tag] = (),
    now: datetime = MONDAY_NINE,
    **values: Any,
) -> Activity:
    """
    Make an activity as its service does: owner, reporter and organizer are `by`, who is made when not given.

    It lasts an hour from MONDAY_NINE; give `days` (first and last) for an all-day one.
    """
    by = by or make_user().profile
    if not values.get("days"):
        values |= {"start": start, "due": due or start + timedelta(hours=1)}
    activity = services.create(by=by, subject=subject, now=now, participants=participants, **values)
    activity.tags.add(*tags)
    return activity


def make_tag(name: str = "", *, owner: Profile | None = None, kind: str = Tag.Kind.PRIVATE) -> Tag:
    """Make a tag: a private one of `owner`, who is made when not given, or one of the kind given, which nobody owns."""
    name = name or f"Tag {next(_numbers)}"
    if kind == Tag.Kind.PRIVATE:
        owner = owner or make_user().profile
    return Tag.objects.create(name=name, kind=kind, owner=owner)
