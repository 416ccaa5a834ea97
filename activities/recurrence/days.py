"""Where a day stands in its month and in its year."""

from __future__ import annotations

from datetime import date

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_of_month(day: date) -> int:
    """Return how many days the month of a day has."""
    return 28 + _is_leap(day.year) if day.month == 2 else 30 + (day.month + day.month // 8) % 2


def positions_in_month(day: date) -> tuple[int, int]:
    """Return the number of a day in its month, from the begin (1 …) and from the end (-1 …)."""
    return day.day, day.day - days_of_month(day) - 1


def positions_in_year(day: date) -> tuple[int, int]:
    """Return the number of a day in its year, from the begin (1 …) and from the end (-1 …)."""
    number = day.toordinal() - date(day.year, 1, 1).toordinal() + 1
    return number, number - (365 + _is_leap(day.year)) - 1


def in_sevens(positions: tuple[int, int]) -> tuple[int, int]:
    """Return which seven days hold a day of these positions, and so which of its weekday it is, from both ends."""
    from_begin, from_end = positions
    return (from_begin - 1) // 7 + 1, -((-from_end - 1) // 7 + 1)


def week_numbers(day: date, *, week_start: int) -> tuple[int, int]:
    """Return the number of a day's week, from the begin and from the end of the year that holds four days of it."""
    fourth = date.fromordinal(day.toordinal() - (day.weekday() - week_start) % 7 + 3)
    return in_sevens(positions_in_year(fourth))


def which_of_month(day: date, *, like: int) -> int:
    """Return which of its weekday a day is in its month, from the end if `like` is; a fifth is the last."""
    number, number_from_end = in_sevens(positions_in_month(day))
    if like < 0:
        return number_from_end if number_from_end > -5 else 1
    return number if number < 5 else -1
