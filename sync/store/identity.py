"""Where else something is linked already: in another calendar, by somebody else, as the same meeting (R9)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q

from activities.models import Activity, Participant
from sync.core import mapping
from sync.core.mapping import EventFacts
from sync.models import EventLink
from sync.run import Run


def is_linked_anywhere(activity_id: int) -> bool:
    """Whether any account's link to an activity exists, so that nothing is inserted for it (R5)."""
    return EventLink.objects.filter(activity=activity_id).exclude(state=EventLink.State.FORGOTTEN).exists()


def ignored_copy(activity_id: int, *, profile: int) -> EventLink | None:
    """Return the copy of a meeting that somebody's session has seen, and not taken in: they have declined it (R2)."""
    events = EventLink.objects.filter(activity=activity_id).values("event_id")
    seen = EventLink.objects.filter(calendar__account__profile=profile, state=EventLink.State.SEEN, activity=None)
    return seen.filter(event_id__in=events, event__status="confirmed").exclude(reason="").first()


def links_of_meeting(run: Run, facts: EventFacts) -> list[EventLink]:
    """Return other accounts' links that may be the same meeting: same iCalUID or id, same Google organizer (R9)."""
    same = Q(event_id=facts.event_id)
    if facts.ical_uid:
        same |= Q(ical_uid=facts.ical_uid)
    links = (
        EventLink.objects.filter(same, activity__isnull=False)
        .exclude(calendar=run.calendar)
        .exclude(state=EventLink.State.FORGOTTEN)  # By now the activity is another meeting, or none (R22).
        .exclude(activity__in=_linked_activities(run))
        .select_related("calendar__account", "activity")
        .order_by("id")
    )
    return [
        link
        for link in links
        if _organizer_of(link) == facts.organizer
        and mapping.facts_of(link.event).original_start == facts.original_start
    ]


def link_in_another_calendar(run: Run, link: EventLink) -> EventLink | None:
    """
    Return this account's link to the same event in a calendar that is not synchronized any more, None if it has none.

    An event keeps its id when it is moved, and its organizer becomes the calendar that has it now. An invitation that
    somebody else sends under the id of an event of ours is another event (R9).
    """
    facts = mapping.facts_of(link.event)
    if facts.is_cancelled:
        return None
    others = EventLink.objects.filter(calendar=run.calendar, event_id=link.event_id, activity__isnull=False)
    former = others.exclude(google_calendar_id=link.google_calendar_id).exclude(state=EventLink.State.FORGOTTEN).first()
    if former and (facts.is_own or mapping.facts_of(former.event).organizer == facts.organizer):
        return former
    return None


def _linked_activities(run: Run) -> Any:
    """Return the activities of this account's links. One whose event is gone may return as another event (R14)."""
    links = EventLink.objects.filter(calendar=run.calendar, activity__isnull=False)
    return links.exclude(state=EventLink.State.DETACHED).values("activity")


def _organizer_of(link: EventLink) -> str:
    """Return the Google organizer of a link's event; of one that is being added it is the account itself."""
    return mapping.facts_of(link.event).organizer or link.calendar.account.login.lower()


def unplaced_link(run: Run, activity: Activity) -> EventLink | None:
    """
    Return the link to an event that is an activity's own though nobody has brought them together yet (R9, R13).

    It carries the hidden id, or was let go by a removal to which Google gave no answer.
    """
    mine = Q(**{f"event__extendedProperties__private__{mapping.HIDDEN_ID}": str(activity.uid)})
    mine |= Q(**{f"base_here__{EventLink.RELEASED}": str(activity.uid)})
    seen = EventLink.objects.filter(mine, calendar=run.calendar, google_calendar_id=run.calendar.calendar_id)
    return seen.filter(state=EventLink.State.SEEN, event__recurringEventId__isnull=True).order_by("id").first()


def carried_activity(run: Run, link: EventLink) -> int | None:
    """
    Return the activity whose hidden id an event carries, or that its link was let go from.

    None if it is not this user's, or linked anywhere (R9).
    """
    hidden_id = (link.base_here or {}).get(EventLink.RELEASED) or mapping.facts_of(link.event).hidden_id
    try:
        mine = Activity.every.present().filter(uid=UUID(hidden_id), original_start=None)
    except ValueError:  # None, or text that somebody else put there.
        return None
    takes_part = Q(pk__in=Participant.objects.filter(profile=run.me).values("activity"))
    return mine.filter(takes_part | Q(organizer=run.me), links=None).values_list("pk", flat=True).first()
