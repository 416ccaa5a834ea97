"""What a session tells about an item: done, given way, put aside (R11, R19, R21)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from activities.models import Activity
from sync import writing
from sync.core import decide as core
from sync.core.snapshot import dump_value
from sync.models import ActivityMark, EventLink, SyncOutcome
from sync.run import Run
from sync.store import Pair

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(days=1)  # Between two tries of a parked item (R19).


def name_after(pair: Pair, actions: Iterable[core.Action]) -> str:
    """Return the subject that an activity has once this is done: a session tells about it under one name."""
    patches = [action.patch for action in actions if isinstance(action, core.UpdateHere)]
    return next((str(patch["subject"]) for patch in patches if "subject" in patch), pair.activity.subject)


def journal(run: Run, pair: Pair, actions: Iterable[core.Action], *, item: str) -> None:
    """Keep the values that gave way; their owner may want them back (R11)."""
    for action in actions:
        if isinstance(action, core.GaveWay):
            run.note(
                SyncOutcome.Action.REPLACED,
                rule=action.rule,
                reason=action.reason,
                item=item,
                link=pair.link,
                field=action.name,
                here=dump_value(action.here),
                google=dump_value(action.google),
                kept=action.kept.value,
            )
        if isinstance(action, core.Hold):
            run.note(SyncOutcome.Action.PARKED, rule=action.rule, reason=action.reason, item=item, link=pair.link)


def replaced_in_google(actions: Iterable[core.Action]) -> list[core.Action]:
    """Return which values of Google's a write is about to replace with ours, or to remove (R11, R14)."""
    removes = any(isinstance(action, core.RemoveInGoogle) for action in actions)
    sent: set[str] = set()
    for action in actions:
        if isinstance(action, core.UpdateInGoogle):
            sent |= action.patch.keys()
        elif isinstance(action, core.AnswerInGoogle):
            sent.add("response")
    return [
        action
        for action in actions
        if isinstance(action, core.GaveWay) and action.kept is core.Side.HERE and (removes or action.name in sent)
    ]


def journal_ahead(run: Run, pair: Pair, given_way: list[core.Action], *, item: str) -> list[SyncOutcome]:
    """Keep them, but what a session kept already whose write may have come to nothing. Returns the new entries."""
    if not given_way:
        return []
    with run.transaction():
        kept = SyncOutcome.objects.filter(link=pair.link, action=SyncOutcome.Action.REPLACED, is_resolved=False)
        if pair.link.settled_at:  # What is older was settled, so this is about another change.
            kept = kept.filter(at__gt=pair.link.settled_at)
        known = list(kept.values_list("field", "here", "google"))
        noted = len(run.outcomes)
        journal(run, pair, [action for action in given_way if _as_kept(action) not in known], item=item)
        return run.outcomes[noted:]


def _as_kept(action: core.Action) -> tuple[str, Any, Any]:
    assert isinstance(action, core.GaveWay)
    return action.name, dump_value(action.here), dump_value(action.google)


def take_out_of_journal(run: Run, outcomes: list[SyncOutcome]) -> None:
    with run.transaction():
        for outcome in outcomes:
            run.outcomes.remove(outcome)
            outcome.delete()


def note_in_google(
    run: Run, pair: Pair, noted: Iterable[tuple[str, core.Action, dict[str, Any]]], *, item: str
) -> None:
    for verb, action, values in noted:
        run.count("updated" if verb == "answered" else verb, SyncOutcome.Direction.GOOGLE)
        run.note(
            SyncOutcome.Action(verb),
            rule=action.rule,
            reason=action.reason,
            item=item,
            link=pair.link,
            direction=SyncOutcome.Direction.GOOGLE,
            **values,
        )


def note_here(run: Run, pair: Pair, actions: list[core.Action]) -> None:
    """Count and note what changed here beside the content, which `writing` notes itself."""
    item = name_after(pair, actions)
    for action in actions:
        values: dict[str, Any] = {}
        if isinstance(action, core.CancelHere):
            run.count("removed", SyncOutcome.Direction.HERE)
            verb = SyncOutcome.Action.REMOVED
        elif isinstance(action, core.BringBackHere):
            run.count("updated", SyncOutcome.Direction.HERE)
            verb = SyncOutcome.Action.UPDATED
        elif isinstance(action, core.AnswerHere):
            run.count("updated", SyncOutcome.Direction.HERE)
            verb = SyncOutcome.Action.ANSWERED
            values = {"field": "response", "here": pair.standing.answer.here, "google": action.response}
        elif isinstance(action, core.Freeze):
            verb = SyncOutcome.Action.FROZEN
        else:
            continue
        run.note(verb, rule=action.rule, reason=action.reason, item=item, link=pair.link, **values)


def note_resumed(run: Run, pair: Pair, action: core.Action) -> None:
    """Note that what was frozen flows again; what that changes on either side is noted by itself (R4)."""
    run.note(
        SyncOutcome.Action.RESUMED, rule=action.rule, reason=action.reason, item=pair.activity.subject, link=pair.link
    )


def values_of(pair: Pair, patch: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "field": ", ".join(patch),
        "here": {name: dump_value(value) for name, value in patch.items()},
        "google": {name: dump_value(getattr(pair.google.now, name)) for name in patch},
    }


def park(
    run: Run,
    link_id: int | None,
    mark: ActivityMark | None = None,
    *,
    reason: str,
    rule: str,
    error: str = "",
    tries_again: bool = True,
) -> None:
    """
    Put an item aside with its reason; it is tried again, each time later, and at once when it changes (R19).
    """
    link = EventLink.objects.select_related("activity").filter(pk=link_id).first()  # type: ignore[misc] # None finds nothing.
    with run.transaction():
        if link:
            item = link.activity.subject if link.activity else str(link.event.get("summary", ""))
            link.reason, link.rule = reason[:500], rule
            link.retry_at = run.now + _pause(link.attempts) if tries_again else None
            link.attempts = min(link.attempts + 1, 100)
            link.is_marked = False
            link.save(update_fields=["attempts", "reason", "rule", "retry_at", "is_marked"])
        else:
            activity = Activity.every.filter(pk=mark.activity_id).first() if mark else None
            item = activity.subject if activity else ""
            if mark and tries_again:
                writing.postpone_activity(mark, until=run.now + _pause(mark.attempts))
            elif mark:
                writing.unmark_activity(mark)
        activity_id = activity.pk if not link and activity else None
        run.note(
            SyncOutcome.Action.PARKED,
            rule=rule,
            reason=reason,
            item=item,
            link=link,
            activity_id=activity_id,
            error=error,
        )


def _pause(attempts: int) -> timedelta:
    return min(FIRST_PAUSE * 2 ** min(attempts, 12), LONGEST_PAUSE)
