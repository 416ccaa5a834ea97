"""What was divided off a series here, or moved, takes part in what Google did to it meanwhile (R15)."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils import timezone

from activities.models import Activity, FieldChange
from sync import marks, repeating, splitting, store
from sync.core import snapshot as snapshots
from sync.core.decide import (
    Action,
    AnswerHere,
    BringBackHere,
    CancelHere,
    GaveWay,
    Presence,
    Reread,
    UpdateHere,
    decide,
)
from sync.core.reasons import _
from sync.core.snapshot import Repeating
from sync.models import EventLink, SyncOutcome
from sync.run import Run
from sync.store import Pair
from sync.writing.content import (
    guests_of,
    invitable,
    patched,
    put_content,
    write_content,
    write_others_answers,
    write_response,
    write_status,
)
from sync.writing.settling import unmark


def take_along(run: Run, *, activity_id: int) -> None:
    """
    Let what was split off here take part in what Google did meanwhile to the whole: it moves along (R15).

    What was changed in Google about one of its occurrences is changed here, so that it goes out with the new part.
    """
    with run.transaction():
        activity = store.load_activity(activity_id, lock=True)
        whole = splitting.link_before_the_split(run, activity)
        parts = splitting.parts_along(run, activity, whole) if whole else []
        for part in parts:
            assert whole is not None
            for pair in splitting.pairs_along(run, part, whole):
                _take_exception_along(run, pair)
    for part in parts:
        assert whole is not None
        _move_along(run, part.head.pk, whole)
        _change_along(run, part, whole)


def take_along_what_moves(run: Run, whole: EventLink, head: Activity, *, google: Repeating, sent: Repeating) -> None:
    """
    Let occurrences be what somebody made of them in Google, before we move their series there: Google forgets it then.

    In Google they get it anew: each is looked at once the series is there.
    """
    with run.transaction():
        for pair in splitting.pairs_that_move(run, head, whole, google=google, sent=sent):
            _take_exception_along(run, pair)
            if EventLink.objects.filter(pk=pair.link.pk, state=EventLink.State.SEEN).exists():
                marks.mark_activities(calendar=run.calendar, activities=[pair.activity.pk])
            else:
                marks.mark_links(EventLink.objects.filter(pk=pair.link.pk))


def take_along_what_is_made_anew(run: Run, whole: EventLink, head: Activity, *, google: Repeating) -> None:
    """
    Let occurrences be what somebody made of them in Google, before their series, deleted there since, is made anew.

    The new event gets it anew from here: nothing of the former one is shown any more.
    """
    with run.transaction():
        for pair in splitting.pairs_that_move(run, head, whole, google=google, sent=None):
            _take_exception_along(run, pair)
        repeating.forget_what_was_shown(run, whole, head)


def _move_along(run: Run, activity_id: int, whole: EventLink) -> None:
    with run.transaction(), repeating.followed(run, activity_id):
        activity = store.load_activity(activity_id, lock=True)
        when = splitting.moved_with_the_whole(run, activity, whole)
        if when is None:
            return
        before = store.when_here(activity)
        put_content(activity, {"when": when})
        activity.save()
        values = {"before": snapshots.dump_when(before), "after": snapshots.dump_when(when)}
        FieldChange.objects.create(activity=activity, field="when", origin="google", at=timezone.now(), **values)
        run.count("updated", SyncOutcome.Direction.HERE)
        run.note(
            SyncOutcome.Action.UPDATED,
            rule="R15",
            reason=_("Time changed in Google, for the whole series from which this part was divided here."),
            item=activity.subject,
            activity_id=activity.pk,
            field="when",
            here={"when": values["before"]},
            google={"when": values["after"]},
        )


def _change_along(run: Run, part: splitting.Part, whole: EventLink) -> None:
    """Let a part have what Google changed about the whole from which it was split off here, field by field (R11)."""
    with run.transaction(), repeating.followed(run, part.head.pk):
        pair = splitting.beside_the_whole(run, part, whole)
        changed = {name for name in snapshots.FIELDS if name != "when" and pair.google.has_edited(name)}
        activity = store.load_activity(part.head.pk, lock=True)
        for action in decide(pair.here, pair.google, pair.standing) if changed else []:
            match action:
                case UpdateHere():
                    if patch := {name: value for name, value in action.patch.items() if name in changed}:
                        write_content(run, activity, patch, pair)
                        activity.save()
                case GaveWay() if action.name in changed:
                    _journal_once(run, activity, action)


def _journal_once(run: Run, activity: Activity, action: GaveWay) -> None:
    """Keep what gave way, but for what an earlier try to send this part has kept (R11)."""
    values = {
        "field": action.name,
        "here": snapshots.dump_value(action.here),
        "google": snapshots.dump_value(action.google),
    }
    known = SyncOutcome.objects.filter(activity=activity, action=SyncOutcome.Action.REPLACED)
    if (action.name, values["here"], values["google"]) not in known.values_list("field", "here", "google"):
        run.note(
            SyncOutcome.Action.REPLACED,
            rule=action.rule,
            reason=action.reason,
            item=activity.subject,
            activity_id=activity.pk,
            kept=action.kept.value,
            is_resolved=True,
            **values,
        )


def _take_exception_along(run: Run, pair: Pair) -> None:
    """Apply what Google's version of an occurrence says; what gives way is in the journal (R11)."""
    actions = decide(pair.here, pair.google, pair.standing)
    _apply_along(run, pair, actions)
    if any(isinstance(action, (BringBackHere, Reread)) for action in actions):  # It is on both sides again.
        pair.link.state = EventLink.State.LINKED
        pair.link.base_here = {**(pair.link.base_here or {}), "presence": Presence.PRESENT.value}
        pair = store.load_pair(run, pair.link)
        _apply_along(run, pair, decide(pair.here, pair.google, pair.standing))
    if not pair.facts.is_cancelled:  # Who answered there to this one alone has answered to it here (R10).
        write_others_answers(run, store.load_activity(pair.activity.pk), pair.facts, pair.profiles, pair)
    _keep_taken_along(run, pair)


def _apply_along(run: Run, pair: Pair, actions: Iterable[Action]) -> None:
    occurrence = store.load_activity(pair.activity.pk, lock=True)
    for action in actions:
        match action:
            case UpdateHere():
                write_content(run, occurrence, action.patch, pair)
            case AnswerHere():
                write_response(run, occurrence, action.response)
                run.count("updated", SyncOutcome.Direction.HERE)
                run.note(
                    SyncOutcome.Action.ANSWERED,
                    rule=action.rule,
                    reason=action.reason,
                    item=occurrence.subject,
                    activity_id=occurrence.pk,
                    field="response",
                    here=pair.standing.answer.here,
                    google=action.response,
                )
            case CancelHere():
                write_status(run, occurrence, Activity.Status.CANCELED, revive=False)
                run.count("removed", SyncOutcome.Direction.HERE)
                run.note(
                    SyncOutcome.Action.REMOVED,
                    rule=action.rule,
                    reason=action.reason,
                    item=occurrence.subject,
                    activity_id=occurrence.pk,
                )
            case BringBackHere():
                write_status(run, occurrence, "", revive=True)
            case GaveWay():
                run.note(
                    SyncOutcome.Action.REPLACED,
                    rule=action.rule,
                    reason=action.reason,
                    item=pair.activity.subject,
                    activity_id=occurrence.pk,
                    field=action.name,
                    here=snapshots.dump_value(action.here),
                    google=snapshots.dump_value(action.google),
                    kept=action.kept.value,
                    is_resolved=True,
                )
    occurrence.save()


def _keep_taken_along(run: Run, pair: Pair) -> None:
    """
    Keep up to which version of Google's an occurrence was taken along: none is taken twice, or counts as dropped.

    What was changed here about it still has to be sent, with the new part.
    """
    occurrence = store.load_activity(pair.activity.pk)
    here = store.snapshot_here(occurrence, addresses=invitable(occurrence), organizer=pair.organized.organizer)
    base, google = pair.here.base or here, pair.google.now
    same = [name for name in snapshots.FIELDS if getattr(here, name) == getattr(google, name)]
    guests = {} if pair.facts.is_cancelled else guests_of(occurrence.pk, pair.facts, pair.profiles)
    answers = {str(person): guest.response for person, guest in guests.items()}
    is_gone = pair.facts.is_cancelled and store.presence_here(occurrence) is not Presence.PRESENT
    presence = store.presence_here(occurrence) if is_gone else pair.standing.agreed_presence
    unmark(
        pair.link,
        pair.link_mark,
        base_here={
            "snapshot": snapshots.dump(patched(base, {name: getattr(here, name) for name in same})),
            "presence": presence.value,
        },
        base_google={
            "snapshot": snapshots.dump(google),
            "answers": answers or (pair.link.base_google or {}).get("answers", {}),
        },
        settled_at=timezone.now() if len(same) == len(snapshots.FIELDS) else pair.link.settled_at,
    )
