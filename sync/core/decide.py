"""What to do about one pair of activity and event, and what both agree on afterwards (R4, R6, R10 to R12, R14)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sync.core.reasons import Reason, _
from sync.core.snapshot import FIELDS, PER_COPY_FIELDS, Snapshot, When

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
MERGED = tuple(name for name in FIELDS if name != "people")
CONTENT = tuple(name for name in FIELDS if name not in PER_COPY_FIELDS)  # What all copies of an event have in common.


class Side(StrEnum):
    HERE = "here"
    GOOGLE = "google"


class Presence(StrEnum):
    """Whether one side still holds the item."""

    PRESENT = "present"
    CANCELED = "canceled"  # Activity of status Canceled; event of status cancelled.
    DELETED = "deleted"  # Activity put out of sight.


@dataclass(frozen=True, slots=True)
class Half:
    """What one side holds now, and what it held when both last agreed; base None: they never agreed."""

    now: Snapshot
    base: Snapshot | None = None
    presence: Presence = Presence.PRESENT
    changed_at: Mapping[str, datetime] = field(default_factory=dict)  # Per field, when its value came to be.

    def has_edited(self, name: str) -> bool:
        return self.base is None or getattr(self.now, name) != getattr(self.base, name)

    def changed(self, name: str) -> datetime:
        return self.changed_at.get(name, LONG_AGO)


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's own response on one side, now and when both last agreed; None: that side has none to show."""

    here: str | None = None
    google: str | None = None
    base: str | None = None
    here_at: datetime = LONG_AGO
    google_at: datetime = LONG_AGO


@dataclass(frozen=True, slots=True)
class Standing:
    """How the pair stands in this user's session."""

    is_organizer: bool  # Content flows in this session (R5).
    unmet: Reason | None = None  # The condition of R1 that does not hold (R4).
    is_frozen: bool = False
    is_detached: bool = False  # Both sides agreed that it is gone.
    agreed_presence: Presence = Presence.PRESENT  # What the activity was when both last agreed.
    why_read_only: str = ""  # Why Google lets this account not change the content (R6).
    # Fields changed here by somebody who is not the Organizer; "status": canceled, deleted, or set back (R6).
    foreign: frozenset[str] = frozenset()
    are_guests_cut: bool = False  # Google shows only part of the list (R12).
    is_own_copy: bool = False  # The copy of Google's organizer (R14).
    other_copies_live: bool = False  # Somebody else's copy of the event is known to be there (R14).
    is_kept: bool = False  # The Organizer's event is gone, and they kept the activity all the same (R14).
    is_completed: bool = False
    when_of_both: When | None = None  # Of a series that one side cut short and the other moved: both together (R15).
    is_when_cut: bool = False  # Of these, the change of how all of it repeats holds for the part before only (R15).
    is_when_held: bool = False  # The time waits: what was split off here is not in Google yet (R15).
    owed_when: When | None = None  # Of a series whose times may not be sent: up to the part that went out (R15).
    answer: Answer = field(default_factory=Answer)

    @property
    def is_gone_for_all(self) -> bool:
        """Whether a cancellation means the meeting, and not one guest's copy of it (R14)."""
        return self.is_own_copy or not self.other_copies_live


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do, with its rule and a sentence for the user."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class UpdateHere(Action):
    patch: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UpdateInGoogle(Action):
    patch: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AnswerHere(Action):
    response: str


@dataclass(frozen=True, slots=True)
class AnswerInGoogle(Action):
    response: str


@dataclass(frozen=True, slots=True)
class CancelHere(Action):
    """Set the activity's status to Canceled."""


@dataclass(frozen=True, slots=True)
class BringBackHere(Action):
    """Take Canceled or the deletion back."""


@dataclass(frozen=True, slots=True)
class RemoveInGoogle(Action):
    """Delete the event."""


@dataclass(frozen=True, slots=True)
class BringBackInGoogle(Action):
    """Make the event again, as its next incarnation (R13)."""


@dataclass(frozen=True, slots=True)
class Freeze(Action):
    """Let nothing flow until the activity qualifies again (R4)."""


@dataclass(frozen=True, slots=True)
class Reread(Action):
    """Ask Google for the event afresh, then decide again (R4)."""


@dataclass(frozen=True, slots=True)
class Detach(Action):
    """Keep the link, so that a return in Google finds its activity (R14)."""


@dataclass(frozen=True, slots=True)
class GaveWay(Action):
    """A value that lost; it is kept in the journal (R6, R11)."""

    name: str
    here: Any
    google: Any
    kept: Side


@dataclass(frozen=True, slots=True)
class Hold(Action):
    """A change that cannot be sent; it stays here and is shown as a problem."""


REMOVALS = (CancelHere, RemoveInGoogle)  # What the guard counts (R14).
ITS_ORGANIZER_CANCELS = _("Only its organizer in Google cancels or deletes it. Decline it instead.")


def why_not_to_cancel(*, why_read_only: str, is_own_copy: bool) -> str:
    """
    Return why this account may not delete an event, as a sentence for the user; empty when it may (R6, R14).

    Whoever deletes a guest's copy, though guests may modify the event, has declined it, and no more.
    """
    return why_read_only or ("" if is_own_copy else ITS_ORGANIZER_CANCELS)


def decide(here: Half, google: Half, standing: Standing) -> list[Action]:
    """
    Return what brings activity and event together in this session; an empty list if nothing is to be done.

    Whoever applies it settles the pair afterwards: what both sides then hold becomes the base.
    """
    if standing.are_guests_cut:
        google = _with_hidden_guests(google)
    answers = [] if google.presence is not Presence.PRESENT else _decide_answer(standing)
    if standing.is_detached:
        decided = _decide_detached(here, google, standing)
        is_read_afresh = any(isinstance(action, Reread) for action in decided)
        return decided if is_read_afresh else [*answers, *decided]
    if google.presence is not Presence.PRESENT:
        return _decide_cancelled_in_google(here, google, standing)
    if not standing.is_organizer:
        if standing.is_frozen and standing.unmet is None:  # It froze while it was this person's to organize.
            return [Reread("R4", _("It qualifies again, so the event is read afresh."))]
        return answers
    if standing.unmet:
        return [*answers, *_end_before_its_part(google, standing), *_freeze(standing)]
    if standing.is_frozen:
        return [Reread("R4", _("It qualifies again, so the event is read afresh."))]
    if here.presence is not Presence.PRESENT:
        decided = _decide_gone_here(here, google, standing)
        is_removed = any(isinstance(action, RemoveInGoogle) for action in decided)
        is_sent = any(isinstance(action, AnswerInGoogle) for action in answers)
        return decided if is_removed and is_sent else [*answers, *decided]
    return [*answers, *_merge(here, google, standing)]


def agreed_after(
    here: Half, google: Half, *, is_organizer: bool, are_guests_cut: bool = False, is_when_held: bool = False
) -> tuple[Snapshot, Snapshot]:
    """
    Return the bases once everything decided was done: `now` of both halves is what they hold then.

    Where content flowed, in the Organizer's session and with both sides there, they agree on all they hold. Anywhere
    else a field counts as agreed only where both hold the same; the rest keeps its base for whoever organizes later
    (R5), or for the day the activity is set back (R14). Without a base it is Google's that came later (R9). Of a list
    of guests that Google cut, each person is judged alike (R12). A time that is held keeps its base (R15).
    """
    if are_guests_cut:
        google = _with_hidden_guests(google)
    flowed = is_organizer and here.presence is google.presence is Presence.PRESENT
    base_here, base_google = here.base or here.now, google.base or (google.now if flowed else here.now)
    if not flowed:
        same = [name for name in FIELDS if getattr(here.now, name) == getattr(google.now, name)]
        agreed_here, agreed_google = _with(base_here, here.now, same), _with(base_google, google.now, same)
    else:
        agreed_here, agreed_google = here.now, google.now
    if is_when_held:
        agreed_here = replace(agreed_here, when=base_here.when)
        agreed_google = replace(agreed_google, when=base_google.when)
    if flowed and not are_guests_cut:
        return agreed_here, agreed_google
    both, one = here.now.people & google.now.people, here.now.people ^ google.now.people
    return (
        replace(agreed_here, people=both | (one & base_here.people)),
        replace(agreed_google, people=both | (one & base_google.people)),
    )


def agreed_presence_after(here: Half, google: Half, standing: Standing) -> Presence:
    """
    Return what the activity counts as agreed to be after a session that neither froze nor canceled nor revived it.

    That the Organizer canceled or deleted it does not become agreed in the session of somebody else, who may not say so
    in Google (R5, R6).
    """
    is_under_way = not standing.is_organizer and google.presence is Presence.PRESENT
    return standing.agreed_presence if is_under_way and here.presence is not Presence.PRESENT else here.presence


def _with(base: Snapshot, now: Snapshot, names: list[str]) -> Snapshot:
    return Snapshot(**{name: getattr(now if name in names else base, name) for name in FIELDS})


def _with_hidden_guests(google: Half) -> Half:
    """A list that Google cut proves nobody's absence: whoever was on it counts as being on it (R12)."""
    hidden = google.base.people if google.base else frozenset()
    return replace(google, now=replace(google.now, people=google.now.people | hidden))


def _decide_answer(standing: Standing) -> list[Action]:
    """A person's own response flows both ways, in their own session (R10)."""
    answer = standing.answer
    if answer.here is None or answer.google is None or answer.here == answer.google:
        return []
    if answer.base is None:  # First met: whoever has answered at all is right, Google if both have.
        changed_in_google = answer.google != "needs_action"
        changed_here = not changed_in_google
    else:
        changed_here, changed_in_google = answer.here != answer.base, answer.google != answer.base
    if not (changed_here or changed_in_google):
        return []
    wins = Side.HERE if not changed_in_google or (changed_here and answer.here_at > answer.google_at) else Side.GOOGLE
    lost: list[Action] = []
    if changed_in_google and _is_answer_of_a_person_here(answer):
        reason = _("You answered on both sides; the later answer was kept.")
        lost = [GaveWay("R11", reason, "response", answer.here, answer.google, wins)]
    if wins is Side.HERE:
        return [*lost, AnswerInGoogle("R10", _("You answered here."), answer.here)]
    return [*lost, AnswerHere("R10", _("You answered in Google."), answer.google)]


def _is_answer_of_a_person_here(answer: Answer) -> bool:
    """Whether they gave it here since both sides last agreed, so that it must not go without a word (R11)."""
    return answer.here_at > LONG_AGO and answer.here != (answer.base or "needs_action")


def _decide_declined_by_deleting(answer: Answer) -> list[Action]:
    """R14: a guest deleted their own copy alone, which says No; what they answered here meanwhile is in the journal."""
    if answer.here in (None, "declined"):
        return []
    declined = AnswerHere("R14", _("The event is gone from your calendar only, so your answer is No."), "declined")
    if not _is_answer_of_a_person_here(answer):
        return [declined]
    reason = _("You answered here, and deleted the event from your own calendar in Google: your answer is No.")
    return [GaveWay("R11", reason, "response", answer.here, "declined", Side.GOOGLE), declined]


def _decide_cancelled_in_google(here: Half, google: Half, standing: Standing) -> list[Action]:
    """R14: an explicit cancellation, told apart by whose copy it is."""
    if here.presence is not Presence.PRESENT:
        return [Detach("R14", _("It is gone on both sides."))]
    if standing.is_kept and not standing.is_organizer:
        return [Detach("R14", _("Canceled in Google; its Organizer kept the activity."))]
    if not standing.is_gone_for_all:
        declined = _decide_declined_by_deleting(standing.answer)
        return [*declined, Detach("R14", _("The event is gone from your calendar."))]
    if standing.unmet:  # Nothing flows; when it qualifies again, this is decided (R4).
        return _freeze(standing) if standing.is_organizer else []
    if standing.is_frozen:
        return [Reread("R4", _("It qualifies again, so the event is read afresh."))]
    if standing.is_completed:
        return [Detach("R14", _("Canceled in Google after it was completed here; it stays Completed."))]
    if _has_content_to_send(here, standing) and standing.is_own_copy:
        reason = _("Deleted in Google, but changed here since: the change wins.")
        return [
            GaveWay("R14", reason, "status", "confirmed", "cancelled", Side.HERE),
            BringBackInGoogle("R14", _("It was changed here after both sides last agreed, so it returns.")),
        ]
    return [
        CancelHere("R14", _("Canceled in Google.")),
        Detach("R14", _("The link stays, so that a return in Google finds its activity.")),
    ]


def _freeze(standing: Standing) -> list[Action]:
    """R4: once, with the condition of R1 that does not hold."""
    if standing.unmet is None or standing.is_frozen:
        return []
    return [Freeze(standing.unmet.rule, standing.unmet.text)]


def _end_before_its_part(google: Half, standing: Standing) -> list[Action]:
    """R15: what a later part has as an event of its own, the earlier one lacks, whatever else waits (R4)."""
    if standing.owed_when in (None, google.now.when) or standing.why_read_only:
        return []
    reason = _("Its later part is an event of its own by now, so this one ends before it.")
    return [UpdateInGoogle("R15", reason, {"when": standing.owed_when})]


def _has_content_to_send(here: Half, standing: Standing) -> bool:
    """Whether content was changed here that outlives a deletion in Google; how one's own copy is shown does not."""
    if here.base is None:
        return False
    return any(here.has_edited(name) and _may_send(name, standing) for name in CONTENT)


def _decide_detached(here: Half, google: Half, standing: Standing) -> list[Action]:
    """Both sides agreed that it is gone: a return on one side comes back on the other (R14)."""
    if google.presence is Presence.PRESENT:
        if standing.is_organizer and here.presence is not Presence.PRESENT:
            return [] if standing.unmet else [BringBackHere("R14", _("The event returned in Google."))]
        return [Reread("R14", _("The event is in your Google Calendar again."))]
    was_set_back = here.presence is Presence.PRESENT and standing.agreed_presence is not Presence.PRESENT
    if not (was_set_back and standing.is_organizer and standing.is_own_copy) or standing.unmet:
        return []
    if "status" in standing.foreign:
        reason = _("Set back by somebody who is not the Organizer.")
        return [GaveWay("R6", reason, "status", "confirmed", "cancelled", Side.GOOGLE), CancelHere("R6", reason)]
    if standing.why_read_only:
        return []
    return [BringBackInGoogle("R14", _("The activity was set back, so the event returns."))]


def _decide_gone_here(here: Half, google: Half, standing: Standing) -> list[Action]:
    """The activity is Canceled or deleted, the event is there (R14)."""
    if here.presence is standing.agreed_presence:
        return []  # A person has decided to keep the event all the same.
    not_ours = why_not_to_cancel(why_read_only=standing.why_read_only, is_own_copy=standing.is_own_copy)
    if not_ours or "status" in standing.foreign:
        reason = not_ours or _("Only the Organizer cancels or deletes it.")
        back = GaveWay("R6", reason, "status", here.presence.value, "confirmed", Side.GOOGLE)
        return [back, BringBackHere("R6", reason)]
    if any(_was_changed_in_google(name, here, google) for name in CONTENT):
        reason = _("Deleted here, but changed in Google since: the change wins.")
        if here.presence is Presence.CANCELED:
            reason = _("Canceled here, but changed in Google since: the change wins.")
        lost = GaveWay("R14", reason, "status", here.presence.value, "confirmed", Side.GOOGLE)
        return [lost, BringBackHere("R14", _("It was changed in Google after both sides last agreed, so it returns."))]
    reason = _("Canceled here.") if here.presence is Presence.CANCELED else _("Deleted here.")
    lost_with_it = [
        GaveWay("R14", _("Changed in Google since, but that alone does not outlive what was done here."), name,
                getattr(here.now, name), getattr(google.now, name), Side.HERE)
        for name in MERGED
        if name in PER_COPY_FIELDS and _was_changed_in_google(name, here, google)
    ]  # fmt: skip
    return [
        *lost_with_it,
        RemoveInGoogle("R14", reason),
        Detach("R14", _("The link stays, so that a return finds its activity.")),
    ]


def _was_changed_in_google(name: str, here: Half, google: Half) -> bool:
    """Whether Google holds a change that is not here. Without a base, whatever differs may be one."""
    return google.has_edited(name) and getattr(here.now, name) != getattr(google.now, name)


def _merge(here: Half, google: Half, standing: Standing) -> list[Action]:
    """R11: field by field; guests person by person."""
    to_here: dict[str, Any] = {}
    to_google: dict[str, Any] = {}
    journal: list[Action] = []
    for name in MERGED:
        ours, theirs = getattr(here.now, name), getattr(google.now, name)
        edited_here, edited_in_google = here.has_edited(name), google.has_edited(name)
        if ours == theirs or not (edited_here or edited_in_google) or (name == "when" and standing.is_when_held):
            continue
        if edited_here and not _may_send(name, standing):
            owed = standing.owed_when if name == "when" and not standing.why_read_only else None
            if owed:  # Whoever divided it: what its part has, it cannot have as well (R15).
                _take_both(owed, ours, theirs, to_here, to_google)
            else:
                to_here[name] = theirs
            if not owed or ours != owed:
                reason = standing.why_read_only or _("Changed here by somebody who is not the Organizer.")
                journal.append(GaveWay("R6", reason, name, ours, theirs, Side.GOOGLE))
            continue
        if name == "when" and edited_here and edited_in_google and standing.when_of_both:
            _take_both(standing.when_of_both, ours, theirs, to_here, to_google)
            if standing.is_when_cut:
                journal.append(_cut_short(ours, theirs, standing.when_of_both))
            continue
        wins = Side.HERE if edited_here else Side.GOOGLE
        if edited_here and edited_in_google:
            wins = Side.HERE if here.changed(name) > google.changed(name) else Side.GOOGLE
            journal.append(
                GaveWay("R11", _("Changed on both sides; the later change was kept."), name, ours, theirs, wins)
            )
        if wins is Side.HERE:
            to_google[name] = ours
        else:
            to_here[name] = theirs
    journal += _merge_people(here, google, standing, to_here, to_google)
    updates: list[Action] = []
    if to_google:
        updates.append(UpdateInGoogle("R12", _changed_here(to_google), to_google))
    if to_here:
        rule, reason = said_of_update(to_here, google)
        updates.append(UpdateHere(rule, reason, to_here))
    return [*journal, *updates]


def said_of_update(names: Iterable[str], google: Half) -> tuple[str, str]:
    """
    Return rule and reason of an update here: what Google has changed comes in (R11).

    What nobody changed there comes back, because a change made here may not be sent (R6).
    """
    changed = tuple(name for name in names if google.has_edited(name))
    back = tuple(name for name in names if name not in changed)
    words = [_("%(fields)s changed in Google.") % {"fields": label_of(changed)}] if changed else []
    words += [_("%(fields)s taken back: Google's value holds.") % {"fields": label_of(back)}] if back else []
    return "R11" if changed else "R6", " ".join(words)


def _take_both(both: When, ours: When, theirs: When, to_here: dict[str, Any], to_google: dict[str, Any]) -> None:
    """R15: cut short on one side, moved on the other, a series is both afterwards; so no occurrence is in two parts."""
    if both != ours:
        to_here["when"] = both
    if both != theirs:
        to_google["when"] = both


def _cut_short(ours: When, theirs: When, both: When) -> GaveWay:
    """R15: what was divided on one side takes no change of the whole from the other, which is kept for the user."""
    reason = _("The series was divided on the other side meanwhile: the change holds for its earlier part alone.")
    return GaveWay("R15", reason, "when", ours, theirs, Side.GOOGLE if both == theirs else Side.HERE)


def _merge_people(
    here: Half, google: Half, standing: Standing, to_here: dict[str, Any], to_google: dict[str, Any]
) -> list[Action]:
    """R7, R11: each person counts for themselves. A list that Google cut is never sent (R12)."""
    ours, theirs = here.now.people, google.now.people
    ours_before = here.base.people if here.base else frozenset()
    theirs_before = google.base.people if google.base else frozenset()
    keep_here, keep_in_google = set(ours), set(theirs)
    unsent: set[int] = set()
    held: set[int] = set()
    in_conflict: set[int] = set()
    for person in ours ^ theirs:
        changed_in_google = (person in theirs) != (person in theirs_before)
        changed_here = (person in ours) != (person in ours_before)
        if changed_in_google or (changed_here and not _may_send("people", standing) and not standing.are_guests_cut):
            _put(keep_here, person, present=person in theirs)
            if changed_here:
                (in_conflict if changed_in_google else unsent).add(person)
        elif changed_here and standing.are_guests_cut:
            held.add(person)
        elif changed_here:
            _put(keep_in_google, person, present=person in ours)
    if keep_here != ours:
        to_here["people"] = frozenset(keep_here)
    if keep_in_google != theirs:
        to_google["people"] = frozenset(keep_in_google)
    journal: list[Action] = []
    if unsent:
        reason = standing.why_read_only or _("Changed here by somebody who is not the Organizer.")
        journal.append(GaveWay("R6", reason, "people", ours, theirs, Side.GOOGLE))
    if in_conflict:
        reason = _("The same person was added on one side and taken off on the other; Google's list was kept.")
        journal.append(GaveWay("R11", reason, "people", ours, theirs, Side.GOOGLE))
    if held:
        reason = _("Google shows only part of the list of guests, so it cannot be changed from here.")
        journal.append(Hold("R12", reason))
    return journal


def _may_send(name: str, standing: Standing) -> bool:
    """Whether a change of this field made here may go to Google (R6); one's own copy is always one's own."""
    if name in standing.foreign:
        return False
    return name in PER_COPY_FIELDS or not standing.why_read_only


def _put(people: set[int], person: int, *, present: bool) -> None:
    if present:
        people.add(person)
    else:
        people.discard(person)


def _changed_here(patch: Mapping[str, Any]) -> str:
    return _("%(fields)s changed here.") % {"fields": label_of(patch)}


_LABELS = {
    "subject": _("Subject"),
    "when": _("Time"),
    "location": _("Location"),
    "notes": _("Notes"),
    "is_private": _("Private"),
    "show_as_free": _("Show as free"),
    "reminder": _("Reminder"),
    "people": _("Participants"),
    "status": _("Status"),
    "response": _("Response"),
}


def label_of(names: Mapping[str, Any] | tuple[str, ...]) -> str:
    """Return the labels of fields, as in “Subject, Time”."""
    return ", ".join(_LABELS.get(name, name) for name in names)
