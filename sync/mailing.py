"""Whether Google mails the guests about a write of a session: what R17 asks, gathered from our rows."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Q

from activities.models import Activity, FieldChange
from sync import store
from sync.core import mail
from sync.core.decide import CONTENT
from sync.core.mail import Write
from sync.core.reasons import Reason
from sync.core.snapshot import PER_COPY_FIELDS
from sync.models import EventLink
from sync.run import Run

_TEXTS = ("subject", "location", "notes")
_FIELDS_OF_A_REMOVAL = ("status", "deleted")
_FIELDS_OF_AN_INSERT = {
    "created", "restored", "deleted", "status", "tags", "show_in_calendar", "kind", "organizer", "owner", *CONTENT,
    "people",
}  # fmt: skip


def send_updates(
    run: Run,
    link: EventLink,
    activity: Activity,
    write: Write,
    *,
    has_other_guests: bool,
    fields: Iterable[str] = (),
    sent: Mapping[str, Any] | None = None,
) -> str:
    """
    Return `sendUpdates` for a write, and keep it with the link until the write is settled, beside what is sent (R17).

    `fields` are those that an update changes, `sent` those of them that are agreed on once Google has them.
    """
    names = frozenset(fields)
    occasion = mail.Occasion(
        write=write,
        now=run.now,
        ends_at=store.ends(activity),
        changed_at=_changed_at(activity, write, names),
        has_other_guests=has_other_guests,
        tells_guests=run.settings.tell_guests,
        fields=names,
        is_first_session=run.calendar.synchronized_at is None,
        is_back_fill=write is Write.INSERT and link.is_back_fill,
    )
    decided = mail.send_updates(occasion, decided=_decided(link))
    link.send_updates, link.mail_about = decided.send_updates, decided.changed_at
    if write is Write.UPDATE:
        link.base_here = store.with_sent(link, values=sent)
    elif write is Write.REMOVE:
        link.base_here = store.with_sent(link, presence=store.presence_here(activity))
    kept = {"send_updates": link.send_updates, "mail_about": link.mail_about, "base_here": link.base_here}
    EventLink.objects.filter(pk=link.pk).update(**kept)
    return decided.send_updates


def _decided(link: EventLink) -> mail.Decided | None:
    if not link.send_updates:
        return None
    return mail.Decided(link.send_updates, Reason(True, "It was decided before.", "R17"), link.mail_about)


def _changed_at(activity: Activity, write: Write, names: frozenset[str]) -> datetime | None:
    """Return when a person last changed here what is to be written, None if nobody did."""
    changes = FieldChange.objects.filter(activity=activity, origin=FieldChange.Origin.PERSON)
    if write is Write.REMOVE:
        changes = changes.filter(field__in=_FIELDS_OF_A_REMOVAL)
    elif write is Write.INSERT:  # Made anew for an old change, it is not news because of something that never leaves.
        changes = changes.filter(field__in=_FIELDS_OF_AN_INSERT)
    elif write is Write.UPDATE:
        changes = changes.filter(field__in=names - PER_COPY_FIELDS)  # What is one's own is no news to anybody.
        gone = [Q(field=name) & ~Q(after=getattr(activity, name)) for name in _TEXTS]
        changes = changes.exclude(functools.reduce(operator.or_, gone))  # An import has put something else there.
    return changes.order_by("-at").values_list("at", flat=True).first()
