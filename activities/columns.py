"""The columns of the list and its order: which there are, what is usual, and what somebody has chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.models import Profile
from activities import selectors
from activities.models import ListLayout

# By name, in the order of the list. The subject comes before them and is always shown.
COLUMNS = {
    "status": _("Status"),
    "start": _("Start"),
    "due": _("Due"),
    "category": _("Category"),
    "priority": _("Priority"),
    "owner": _("Owner"),
    "location": _("Location"),
    "tags": _("Tags"),
    "google": _("Google"),
}
USUAL = ("status", "start", "due", "category", "owner", "tags", "google")
USUAL_ORDER = "start"


@dataclass(frozen=True, slots=True)
class Layout:
    """How somebody's list looks: the columns beside the subject, and the one it is sorted by, "-" before it: down."""

    columns: tuple[str, ...] = USUAL
    order: str = USUAL_ORDER


def of(profile: Profile) -> Layout:
    """Return how this person's list looks."""
    kept = ListLayout.objects.filter(profile=profile).first()
    if kept is None:
        return Layout()
    return Layout(USUAL if kept.columns is None else _known(kept.columns), kept.order or USUAL_ORDER)


def choose(names: Iterable[str], *, profile: Profile) -> None:
    """Keep which columns this person sees; names of no column are ignored."""
    _keep(profile, columns=list(_known(names)))


def forget(profile: Profile) -> None:
    """Show this person the usual columns again."""
    _keep(profile, columns=None)


def keep_order(order: str, *, profile: Profile) -> None:
    """Keep how this person sorts the list; what is no column leaves it as it was."""
    if order.removeprefix("-") in selectors.SORTABLE:
        _keep(profile, order=order)


def _keep(profile: Profile, **values: Any) -> None:
    ListLayout.objects.update_or_create(profile=profile, defaults=values)


def _known(names: Iterable[str]) -> tuple[str, ...]:
    chosen = set(names)
    return tuple(name for name in COLUMNS if name in chosen)
