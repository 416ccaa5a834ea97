"""Selection: may this activity go out (R1), may this event come in (R2), and if not, the reason to show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sync.core.mapping import READABLE_TYPES, EventFacts
from sync.core.reasons import Reason, _
from sync.core.snapshot import Days, OneTime

_THEIR_TAGS = {
    "public": _("It carries the public tag “%(tag)s”."),
    "corporate": _("It carries the corporate tag “%(tag)s”."),
}


@dataclass(frozen=True, slots=True)
class Window:
    """What takes part in time: everything that ends after the start of a day in the user's zone (R1f, R2)."""

    sync_from: date
    time_zone: str

    @property
    def start(self) -> datetime:
        """The start of the Synchronize from day, UTC."""
        return datetime.combine(self.sync_from, time.min, tzinfo=ZoneInfo(self.time_zone)).astimezone(UTC)

    def holds(self, when: OneTime) -> bool:
        """Whether a "when" ends after the start of the window. A day ends at midnight in the user's zone."""
        if isinstance(when, Days):
            return when.last >= self.sync_from
        return when.due > self.start


@dataclass(frozen=True, slots=True)
class Selected:
    """What R1 asks of an activity, beside its Organizer, from the point of view of one user."""

    when: OneTime
    show_in_calendar: bool
    is_email: bool
    private_tags: tuple[str, ...]  # Names of the user's own private tags on it that count.
    wanted_tag: str  # The one tag named on the set-up page; empty: any private tag.
    public_tags: tuple[tuple[str, str], ...]  # Kind and name of each corporate and public tag on it.
    is_in_other_calendar: bool = False  # Linked to an event of a calendar that is not synchronized any more.


def reasons_to_send(selected: Selected, *, window: Window) -> list[Reason]:
    """Return R1's conditions (a) to (d) and (f), each with whether it holds; (e) is the Organizer's (R5)."""
    from_day = f"{window.sync_from.day} {window.sync_from:%B %Y}"
    reasons = [
        Reason(True, _("Show in calendar is on."), "R1a")
        if selected.show_in_calendar
        else Reason(False, _("Show in calendar is off."), "R1a", _("Tick Show in calendar.")),
    ]
    if selected.is_email:
        reasons.append(Reason(False, _("E-mails are never synchronized."), "R1b"))
    reasons += [_about_private_tags(selected), *_about_public_tags(selected)]
    reasons.append(
        Reason(True, _("It ends after the start of %(day)s.") % {"day": from_day}, "R1f")
        if window.holds(selected.when)
        else Reason(
            False,
            _("It ended before %(day)s, the day from which you synchronize.") % {"day": from_day},
            "R1f",
            _("Choose an earlier Synchronize from on the set-up page."),
        )
    )
    if selected.is_in_other_calendar:
        text = _("Its event is in a Google calendar that is not synchronized any more.")
        reasons.append(Reason(False, text, "R2", _("Choose that calendar again on the set-up page.")))
    return reasons


def first_unmet(reasons: list[Reason]) -> Reason | None:
    """Return the first condition that does not hold, None if all do."""
    return next((reason for reason in reasons if not reason.met), None)


def why_not_imported(
    facts: EventFacts, when: OneTime | None, *, window: Window, is_shown: bool = False
) -> Reason | None:
    """
    Return why an event that is not linked yet does not come in, None if it may (R2).

    What this user takes part in and sees here already (`is_shown`) is met though they have declined it: their answer
    flows (R10).

    A series has no one "when"; Google lists it if an occurrence ends in the window.
    """
    if facts.is_cancelled:
        return Reason(False, _("It was deleted in Google before it came here."), "R2")
    if facts.event_type not in READABLE_TYPES:
        return Reason(False, _("Events of this type are not imported."), "R2")
    if facts.own_answer == "declined" and not is_shown:
        return Reason(False, _("You have declined it in Google."), "R2")
    if when is not None and not window.holds(when):
        return Reason(False, _("It ended before the day from which you synchronize."), "R2")
    return None


def window_start_for_google(window: Window) -> datetime:
    """
    Return the lower bound for `events.list`, half a day early.

    Google compares an all-day event by the calendar's zone, which need not be the user's.
    """
    return window.start - timedelta(hours=14)


def _about_private_tags(selected: Selected) -> Reason:
    if selected.private_tags:
        return Reason(True, _("It carries your private tag “%(tag)s”.") % {"tag": selected.private_tags[0]}, "R1c")
    if selected.wanted_tag:
        wanted = selected.wanted_tag
        step = _("Put the tag “%(tag)s” on it.") % {"tag": wanted}
        return Reason(False, _("It does not carry your tag “%(tag)s”.") % {"tag": wanted}, "R1c", step)
    return Reason(False, _("It carries no private tag of yours."), "R1c", _("Put one of your private tags on it."))


def _about_public_tags(selected: Selected) -> list[Reason]:
    if not selected.public_tags:
        return [Reason(True, _("It carries no corporate and no public tag."), "R1d")]
    return [
        Reason(
            False,
            _THEIR_TAGS[kind] % {"tag": name},
            "R1d",
            _("Take the tag “%(tag)s” off to resume.") % {"tag": name},
        )
        for kind, name in selected.public_tags
    ]
