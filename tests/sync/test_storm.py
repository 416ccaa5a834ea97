"""
Random journeys over the whole stack: after the storm both sides agree, nothing is doubled, nothing is lost.

A seed stands for JOURNEYS journeys and repeats them exactly: `python3 manage.py test --storm-seed 17`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from activities.series import occurrences
from google_emulator import Emulator
from sync import tasks
from tests.sync.storm import damage, reproducible
from tests.sync.storm.checkpoints import Checkpoints
from tests.sync.storm.journey import Journey
from tests.sync.storm.world import MONTHS, World

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1200)]

STEPS = 10  # Of one journey.
JOURNEYS = 10  # Of one seed.
EVERY_RUN = 100  # Journeys that every run of the tests makes.
SEEN_EARLY = {  # By which seed.
    damage.forget_what_both_sides_agreed_on: 1008,
    damage.keep_no_journal: 1013,
    damage.send_users_alone_as_guests: 1022,
}
MakeWorld = Callable[[], World]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "storm_seed" in metafunc.fixturenames:
        metafunc.parametrize("storm_seed", _seeds(metafunc.config))


def _seeds(config: pytest.Config) -> list[int]:
    if chosen := config.getoption("storm_seed"):
        return list(chosen)
    if not config.getoption("storm"):
        return list(range(EVERY_RUN // JOURNEYS))
    part, parts = map(int, config.getoption("storm_part").split("/"))
    first = EVERY_RUN // JOURNEYS
    return list(range(first, first + config.getoption("storm_journeys") // JOURNEYS))[part - 1 :: parts]


@pytest.fixture
def make_world(google: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeWorld]:
    clock, ids, checkpoints = reproducible.Clock(google), reproducible.Ids(), Checkpoints()
    with monkeypatch.context() as patch:  # Undone before the database is emptied, which takes real time.
        reproducible.install(patch, clock=clock, ids=ids)
        checkpoints.install(patch)
        patch.setattr(occurrences, "HORIZON_MONTHS", MONTHS)

        def make() -> World:
            world = World(google=google, clock=clock, ids=ids, checkpoints=checkpoints)
            patch.setattr(tasks.run_session, "delay_on_commit", lambda *, session_id: world.send(session_id))
            patch.setattr(
                tasks.run_session,
                "apply_async_on_commit",
                lambda *, kwargs, countdown: world.send(kwargs["session_id"], countdown=countdown),
            )
            return world

        yield make


def travel(make_world: MakeWorld, *, number: int, journeys: int = JOURNEYS) -> None:
    """Make the journeys of a seed."""

    @seed(number)
    class Travel(Journey):
        pass

    Travel.make_world = staticmethod(make_world)
    # Without shrinking: it would take longer than the journeys, and the log of the first failure tells what happened.
    chosen = settings(
        max_examples=journeys,
        stateful_step_count=STEPS,
        phases=[Phase.generate],
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(Travel, settings=chosen)
    except BaseException as error:
        error.add_note(f"To repeat it: python3 manage.py test --storm-seed {number}")
        raise


@pytest.mark.rule("R5", "R7", "R9", "R11", "R12", "R13", "R14", "R17", "R18", "R20")
def test_after_the_storm_both_sides_agree(make_world: MakeWorld, storm_seed: int):
    travel(make_world, number=storm_seed)


def test_a_seed_repeats_its_journeys_exactly_whatever_the_process_has_imported(
    make_world: MakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(tmp_path)
    runs: list[list[list[str]]] = []
    for run in range(2):
        (tmp_path / f"constants_{run}.py").write_text(f"CONSTANTS = {list(range(run, 2000, 2))}")
        importlib.import_module(f"constants_{run}")
        worlds: list[World] = []

        def make(worlds: list[World] = worlds) -> World:
            worlds.append(make_world())
            return worlds[-1]

        travel(make, number=3, journeys=2)
        runs.append([world.log for world in worlds])

    assert runs[0] == runs[1]
    assert len(runs[0]) == 2


@pytest.mark.parametrize("break_it", damage.ALL, ids=lambda break_it: break_it.__name__)
def test_the_storm_finds_what_is_broken_on_purpose(
    make_world: MakeWorld, break_it: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
):
    break_it(monkeypatch)
    number = SEEN_EARLY.get(break_it, 1003)

    with pytest.raises(AssertionError) as found:
        travel(make_world, number=number, journeys=200)  # It ends with the first that fails.

    assert f"--storm-seed {number}" in "".join(found.value.__notes__)
