"""
Repeating activities (R15): `occurrences` keeps them in step with their series, the other modules are what people do.

`changes` edits, deletes and restores, `people` is about participants, `turning` about what repeats from now on or no
more. They rest on `scopes` (what a change is of), `when` (its times and rule) and `heads`.
"""

from activities.series.changes import create, delete, edit, restore, set_status
from activities.series.heads import copy_changes
from activities.series.occurrences import (
    FOLLOWED,
    FROM_THE_FIRST,
    HORIZON_MONTHS,
    MOST,
    begin_of_day,
    erase,
    extend_horizon,
    follow,
    follow_participant,
    follow_people,
    follow_response,
    has_local_work,
    horizon,
    lay_out,
    lay_out_these,
    length_of,
    move_occurrences,
    occurrence_to_show,
    occurrences_of,
    original_of,
    pattern_of,
    put_back,
    put_tags,
    re_place,
    same_person,
    skip,
    when_columns,
)
from activities.series.people import add_participant, remove_participant, respond, set_reminder
from activities.series.scopes import ALL, FOLLOWING, SCOPES, THIS
from activities.series.turning import repeat, stop_repeating, turn_into_series, turn_into_single

__all__ = [
    "ALL",
    "FOLLOWED",
    "FOLLOWING",
    "FROM_THE_FIRST",
    "HORIZON_MONTHS",
    "MOST",
    "SCOPES",
    "THIS",
    "add_participant",
    "begin_of_day",
    "copy_changes",
    "create",
    "delete",
    "edit",
    "erase",
    "extend_horizon",
    "follow",
    "follow_participant",
    "follow_people",
    "follow_response",
    "has_local_work",
    "horizon",
    "lay_out",
    "lay_out_these",
    "length_of",
    "move_occurrences",
    "occurrence_to_show",
    "occurrences_of",
    "original_of",
    "pattern_of",
    "put_back",
    "put_tags",
    "re_place",
    "remove_participant",
    "repeat",
    "respond",
    "restore",
    "same_person",
    "set_reminder",
    "set_status",
    "skip",
    "stop_repeating",
    "turn_into_series",
    "turn_into_single",
    "when_columns",
]
