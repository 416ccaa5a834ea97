"""The columns of the list: which there are, which are shown unless somebody chooses, and what somebody has chosen."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from accounts.models import Profile
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


def of(profile: Profile) -> tuple[str, ...]:
    """Return the names of the columns this person sees beside the subject."""
    layout = ListLayout.objects.filter(profile=profile).first()
    return USUAL if layout is None else _known(layout.columns)


def choose(names: Iterable[str], *, profile: Profile) -> None:
    """Keep which columns this person sees; names of no column are ignored."""
    ListLayout.objects.update_or_create(profile=profile, defaults={"columns": list(_known(names))})


def forget(profile: Profile) -> None:
    """Show this person the usual columns again."""
    ListLayout.objects.filter(profile=profile).delete()


def _known(names: Iterable[str]) -> tuple[str, ...]:
    chosen = set(names)
    return tuple(name for name in COLUMNS if name in chosen)
