"""
What was sent to Google and is not settled yet (R13, R18).

A session may die between Google's answer and the transaction that keeps it. What Google shows then is our own write:
counted as an edit of Google's, it would take back what a person changes here next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.core import snapshot as snapshots
from sync.core.decide import Presence
from sync.core.mapping import EventFacts
from sync.core.snapshot import Snapshot
from sync.models import EventLink

_SENT = "sent"


def with_sent(
    link: EventLink, *, values: Mapping[str, Any] | None = None, presence: Presence | None = None, answer: str = ""
) -> dict[str, Any]:
    """
    Return `base_here` of a link with what is about to be sent.

    `values` are fields of a snapshot, `presence` is what the activity is where its event is deleted, `answer` is one's
    own response.
    """
    base = link.base_here or {}
    # Another write of the same look may have kept something already.
    sent = base.get(_SENT, {"values": {}, "presence": "", "answer": ""})
    dumped = {name: snapshots.dump_value(value) for name, value in (values or {}).items()}
    return {
        **base,
        _SENT: {
            "values": sent["values"] | dumped,
            "presence": presence or sent["presence"],
            "answer": answer or sent["answer"],
        },
    }


def take_in_what_arrived(
    link: EventLink, *, google: Snapshot, facts: EventFacts, presence: Presence, profile_id: int
) -> bool:
    """
    Let a link, not saved, agree on what was sent and is in Google now. Returns whether anything had been sent.

    `presence` is what the activity is here, `profile_id` whose calendar it is. Of a field that Google shows otherwise
    the bases stay: it did not get there, or has been changed again.
    """
    sent = (link.base_here or {}).get(_SENT)
    if not sent:
        return False
    here = {name: value for name, value in (link.base_here or {}).items() if name != _SENT}
    theirs = dict(link.base_google or {})
    if facts.is_cancelled:
        if sent["presence"] and presence is Presence.PRESENT:  # Our deletion arrived, and was taken back here since.
            link.state, here["presence"] = EventLink.State.DETACHED, sent["presence"]
    else:
        before = theirs.get("snapshot") or {}
        shown = {name: snapshots.dump_value(getattr(google, name)) for name in sent["values"]}
        arrived = {name: value for name, value in sent["values"].items() if shown[name] == value != before.get(name)}
        for base in (here, theirs):
            if base.get("snapshot"):
                base["snapshot"] = base["snapshot"] | arrived
        if sent["answer"] and sent["answer"] == facts.own_answer and theirs:
            theirs["answers"] = theirs.get("answers", {}) | {str(profile_id): sent["answer"]}
    link.base_here, link.base_google = here, theirs or link.base_google
    return True


def forget_what_was_sent(link: EventLink) -> None:
    """Google has refused it."""
    base = EventLink.objects.values_list("base_here", flat=True).filter(pk=link.pk).first()
    if base and _SENT in base:
        kept = {name: value for name, value in base.items() if name != _SENT}
        EventLink.objects.filter(pk=link.pk).update(base_here=kept)
