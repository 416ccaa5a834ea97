"""The layout of a calendar week: columns, lanes, the strip, midnight and the days the clocks change."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from activities.week import SHORTEST, Block, Entry, days_from, first_day_of_week, lay_out, spread_over_lanes

MONDAY = date(2026, 3, 9)
WEEK = days_from(MONDAY)
STOCKHOLM = ZoneInfo("Europe/Stockholm")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def entry(start: datetime, due: datetime, *, name: str = "", days: tuple[date, date] | None = None) -> Entry:
    return Entry(start, due, days, payload=name)


def block(start: int, length: int, name: str = "") -> Block:
    return Block(Entry(at(9, 0), at(9, 1), payload=name), start, length)


def lanes(blocks: list[Block]) -> dict[str, tuple[int, int]]:
    return {block.entry.payload: (block.lane, block.lanes) for block in spread_over_lanes(blocks)}


def test_a_week_starts_on_monday():
    assert [first_day_of_week(day) for day in (MONDAY, date(2026, 3, 15), date(2026, 3, 16))] == [
        MONDAY,
        MONDAY,
        date(2026, 3, 16),
    ]


def test_a_block_stands_where_the_wall_clock_of_the_reader_says():
    week = lay_out([entry(at(11, 12, 30), at(11, 13, 30))], days=WEEK, zone=STOCKHOLM)

    (placed,) = week.days[2].blocks
    assert (placed.start, placed.length, placed.lane, placed.lanes) == (13 * 60 + 30, 60, 0, 1)


def test_the_zone_decides_on_which_day_it_is():
    late = entry(at(9, 23, 30), at(10, 0))
    assert lay_out([late], days=WEEK, zone=ZoneInfo("UTC")).days[0].blocks
    assert lay_out([late], days=WEEK, zone=STOCKHOLM).days[1].blocks


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        pytest.param(
            [block(540, 30, "a"), block(570, 30, "b")], {"a": (0, 1), "b": (0, 1)}, id="touching-is-no-overlap"
        ),
        pytest.param([block(570, 90, "a"), block(600, 90, "b")], {"a": (0, 2), "b": (1, 2)}, id="two-overlap"),
        pytest.param(
            [block(540, 120, "a"), block(540, 30, "b"), block(580, 30, "c")],
            {"a": (0, 2), "b": (1, 2), "c": (1, 2)},
            id="a-lane-is-used-again",
        ),
        pytest.param(
            [block(540, 60, "a"), block(570, 60, "b"), block(610, 60, "c"), block(700, 30, "d")],
            {"a": (0, 2), "b": (1, 2), "c": (0, 2), "d": (0, 1)},
            id="a-chain-is-one-group-and-the-next-stands-alone",
        ),
        pytest.param(
            [block(540, 60, "a"), block(540, 60, "b"), block(540, 60, "c")],
            {"a": (0, 3), "b": (1, 3), "c": (2, 3)},
            id="three-at-once",
        ),
        pytest.param([], {}, id="nothing"),
    ],
)
def test_overlapping_blocks_share_the_width(blocks, expected):
    assert lanes(blocks) == expected


def test_a_block_is_as_wide_as_there_is_room():
    blocks = [block(540, 90, "a"), block(600, 90, "b"), block(660, 60, "c"), block(670, 30, "d")]
    wide = {one.entry.payload: (one.lane, one.wide, one.lanes) for one in spread_over_lanes(blocks)}
    assert wide == {"a": (0, 1, 3), "b": (1, 1, 3), "c": (0, 1, 3), "d": (2, 1, 3)}

    early = spread_over_lanes([block(540, 60, "a"), block(590, 60, "b"), block(630, 60, "c"), block(640, 60, "d")])
    assert {one.entry.payload: (one.lane, one.wide) for one in early} == {
        "a": (0, 1),
        "b": (1, 1),
        "c": (0, 1),
        "d": (2, 1),
    }
    alone_at_first = spread_over_lanes(
        [block(540, 120, "a"), block(600, 30, "b"), block(640, 60, "c"), block(650, 60, "d")]
    )
    assert {one.entry.payload: (one.lane, one.wide) for one in alone_at_first}["b"] == (1, 2)


def test_no_block_ever_covers_another():
    rng = random.Random(20260309)
    for _round in range(200):
        blocks = [block(rng.randrange(0, 1380, 5), rng.randrange(30, 240, 5), str(i)) for i in range(rng.randrange(12))]
        placed = spread_over_lanes(blocks)

        assert len(placed) == len(blocks)
        for one in placed:
            assert 0 <= one.lane < one.lane + one.wide <= one.lanes
            for other in placed:
                overlap = one.start < other.start + other.length and other.start < one.start + one.length
                if one.entry.payload != other.entry.payload and overlap:
                    assert one.lane + one.wide <= other.lane or other.lane + other.wide <= one.lane
                    assert one.lanes == other.lanes


def test_an_activity_over_midnight_has_a_part_in_both_days():
    week = lay_out([entry(at(9, 22), at(10, 1, 30))], days=WEEK, zone=ZoneInfo("UTC"))

    assert [(part.start, part.length) for part in week.days[0].blocks] == [(22 * 60, 120)]
    assert [(part.start, part.length) for part in week.days[1].blocks] == [(0, 90)]


def test_what_ends_at_midnight_leaves_the_next_day_alone():
    week = lay_out([entry(at(9, 22), at(10, 0))], days=WEEK, zone=ZoneInfo("UTC"))

    assert week.days[0].blocks[0].length == 120
    assert week.days[1].blocks == []


def test_what_came_from_the_week_before_starts_at_midnight():
    week = lay_out([entry(at(8, 23), at(9, 2))], days=WEEK, zone=ZoneInfo("UTC"))

    assert [(part.start, part.length) for part in week.days[0].blocks] == [(0, 120)]


@pytest.mark.parametrize(
    ("start", "due", "expected"),
    [
        pytest.param(at(9, 9), at(9, 9), (540, SHORTEST), id="no-length"),
        pytest.param(at(9, 9), at(9, 9, 10), (540, SHORTEST), id="ten-minutes"),
        pytest.param(at(9, 23, 55), at(9, 23, 59), (24 * 60 - SHORTEST, SHORTEST), id="just-before-midnight"),
    ],
)
def test_a_short_activity_has_room_for_its_subject(start, due, expected):
    (placed,) = lay_out([entry(start, due)], days=WEEK, zone=ZoneInfo("UTC")).days[0].blocks
    assert (placed.start, placed.length) == expected


def test_when_the_clocks_go_back_a_block_still_has_a_length():
    sunday = date(2026, 10, 25)
    start = datetime(2026, 10, 25, 0, 45, tzinfo=UTC)  # 02:45 in summer time, half an hour before 02:15 in winter time.
    week = lay_out([entry(start, start + timedelta(minutes=30))], days=days_from(sunday, count=1), zone=STOCKHOLM)

    (placed,) = week.days[0].blocks
    assert (placed.start, placed.length) == (165, SHORTEST)


def test_all_day_and_multi_day_activities_stand_on_the_strip():
    fair = entry(at(10, 0), at(13, 0), name="fair", days=(date(2026, 3, 10), date(2026, 3, 12)))
    news = entry(at(10, 0), at(11, 0), name="news", days=(date(2026, 3, 10), date(2026, 3, 10)))
    trip = entry(at(12, 8), at(14, 18), name="trip")
    week = lay_out([news, trip, fair], days=WEEK, zone=ZoneInfo("UTC"))

    assert [(bar.entry.payload, bar.first, bar.span, bar.row) for bar in week.bars] == [
        ("fair", 2, 3, 1),
        ("news", 2, 1, 2),
        ("trip", 4, 3, 2),
    ]
    assert not any(day.blocks for day in week.days)


def test_a_bar_is_cut_at_the_ends_of_the_week_and_left_out_beyond_them():
    long = entry(at(1, 0), at(30, 0), days=(date(2026, 3, 1), date(2026, 3, 29)))
    sunday_before = entry(at(8, 0), at(9, 8), days=(date(2026, 3, 8), date(2026, 3, 8)))
    week = lay_out([long, sunday_before], days=WEEK, zone=STOCKHOLM)

    assert [(bar.first, bar.span) for bar in week.bars] == [(1, 7)]


@pytest.mark.rule("R16")
def test_all_day_dates_are_the_same_in_every_zone():
    monday_in_tokyo = entry(at(8, 15), at(9, 15), days=(MONDAY, MONDAY))
    for zone in ("America/Los_Angeles", "Asia/Tokyo", "Pacific/Kiritimati"):
        (bar,) = lay_out([monday_in_tokyo], days=WEEK, zone=ZoneInfo(zone)).bars
        assert (bar.first, bar.span) == (1, 1)


def test_the_grid_shows_the_usual_hours_and_more_where_needed():
    usual = lay_out([], days=WEEK, zone=ZoneInfo("UTC"))
    wide = lay_out([entry(at(9, 6, 30), at(9, 7)), entry(at(10, 20), at(10, 21, 15))], days=WEEK, zone=ZoneInfo("UTC"))

    assert (usual.first_hour, usual.hours, usual.last_hour) == (8, 11, 19)
    assert (wide.first_hour, wide.hours, wide.last_hour) == (6, 16, 22)
