"""
Series and their occurrences in a session (R15).

The head of a series is linked to Google's event of the whole series and takes part as any activity does. What the head
takes on, its occurrences follow (`following`). An occurrence is linked by itself only where it is an exception
(`exceptions`). `coming_in` makes the occurrences of what Google shows, `in_google` tells whose later part an event is,
and `belonging` to which series an occurrence belongs.
"""

from sync.repeating.belonging import (
    candidates,
    forget,
    has_left_its_series,
    is_stale,
    let_go,
    link_of_head,
    link_of_series,
    waits_for_its_series,
    was_deleted_by_itself,
)
from sync.repeating.coming_in import lay_out_imported, lay_out_joined, put_rule, renew
from sync.repeating.exceptions import (
    as_exception,
    cancel_left_out,
    deviates,
    event_id_of,
    exceptions_of,
    extend_horizon,
    forget_exceptions,
    forget_what_was_shown,
    goes_with_its_series,
    is_none_in_google,
    is_time_on_its_way,
    journal_before_they_go,
    link_exception,
    look_at_exceptions,
    mark_all_that_deviates,
    mark_what_deviates,
    occurrence_at,
    place_exception,
    return_to_series,
)
from sync.repeating.following import change_kind, followed, is_of_another_kind, leave
from sync.repeating.in_google import (
    begin_in,
    cut_in_the_same_moment,
    cut_of,
    has_same_organizer,
    parts_in_google,
    root_of,
    split_from,
)

__all__ = [
    "as_exception",
    "begin_in",
    "cancel_left_out",
    "candidates",
    "change_kind",
    "cut_in_the_same_moment",
    "cut_of",
    "deviates",
    "event_id_of",
    "exceptions_of",
    "extend_horizon",
    "followed",
    "forget",
    "forget_exceptions",
    "forget_what_was_shown",
    "goes_with_its_series",
    "has_left_its_series",
    "has_same_organizer",
    "is_none_in_google",
    "is_of_another_kind",
    "is_stale",
    "is_time_on_its_way",
    "journal_before_they_go",
    "lay_out_imported",
    "lay_out_joined",
    "leave",
    "let_go",
    "link_exception",
    "link_of_head",
    "link_of_series",
    "look_at_exceptions",
    "mark_all_that_deviates",
    "mark_what_deviates",
    "occurrence_at",
    "parts_in_google",
    "place_exception",
    "put_rule",
    "renew",
    "return_to_series",
    "root_of",
    "split_from",
    "waits_for_its_series",
    "was_deleted_by_itself",
]
