"""The demo: its environment file and its ports, then the whole thing as processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from activities.management.commands import seed
from creatio_sync import demo
from creatio_sync.environment import read_environment_file
from creatio_sync.processes import die_with_parent
from google_emulator import emulator
from tests.worker import wait_until


def options(data: Path, *more: str):
    return demo._parser().parse_args(["--data", str(data), *more])


@pytest.fixture
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what the test run itself sets."""
    for name in list(os.environ):
        if name.startswith(("GOOGLE_", "DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SECRET", "TOKEN_ENCRYPTION")):
            monkeypatch.delenv(name)


@pytest.mark.usefixtures("bare_environment")
def test_the_keys_are_kept_from_start_to_start_and_the_ports_are_not(tmp_path: Path):
    first = demo.make_environment(options(tmp_path), with_emulator=True)
    demo.write_environment(tmp_path / "env", first)
    again = demo.make_environment(options(tmp_path, "--port", "9000", "--google-port", "9001"), with_emulator=True)

    assert again["DJANGO_SECRET_KEY"] == first["DJANGO_SECRET_KEY"]
    assert again["TOKEN_ENCRYPTION_KEYS"] == first["TOKEN_ENCRYPTION_KEYS"]
    assert again["PUBLIC_BASE_URL"] == "http://localhost:9000"
    assert again["GOOGLE_CALENDAR_API_ROOT"] == "http://127.0.0.1:9001/"


@pytest.mark.usefixtures("bare_environment")
def test_a_database_and_a_broker_of_the_environment_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://u@db/crm")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://redis:6379/0")

    values = demo.make_environment(options(tmp_path), with_emulator=True)

    assert values["DATABASE_URL"] == "postgres://u@db/crm"
    assert values["CELERY_BROKER_URL"] == "redis://redis:6379/0"


@pytest.mark.usefixtures("bare_environment")
def test_with_a_client_of_ones_own_the_addresses_are_googles(tmp_path: Path):
    values = demo.make_environment(options(tmp_path), with_emulator=False)

    assert not [name for name in values if name.startswith("GOOGLE_")]


def test_the_environment_file_is_for_its_owner_only(tmp_path: Path):
    demo.write_environment(tmp_path / "env", {"DJANGO_SECRET_KEY": "old"})
    demo.write_environment(tmp_path / "env", {"DJANGO_SECRET_KEY": "new"})

    assert (tmp_path / "env").stat().st_mode & 0o777 == 0o600
    assert read_environment_file(tmp_path / "env") == {"DJANGO_SECRET_KEY": "new"}


def test_a_taken_port_is_told_with_a_free_one_and_its_option():
    with socket.create_server((demo.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(demo.UnableToStart, match=rf"Port {port} is used .*\n.* --google-port (\d+)$") as error:
            demo._check_ports({"--port": demo_port(), "--google-port": port})

    free = int(str(error.value).rpartition(" ")[2])
    assert demo._is_free(free)


def test_both_ports_taken_are_told_at_once():
    with socket.create_server((demo.HOST, 0)) as one, socket.create_server((demo.HOST, 0)) as other:
        wanted = {"--port": one.getsockname()[1], "--google-port": other.getsockname()[1]}
        with pytest.raises(demo.UnableToStart, match=r"demo --port \d+ --google-port \d+$"):
            demo._check_ports(wanted)


def test_the_two_ports_must_differ():
    with pytest.raises(demo.UnableToStart, match="must differ"):
        demo._check_ports({"--port": 9000, "--google-port": 9000})


def test_two_demos_do_not_share_their_data(tmp_path: Path):
    with demo._locked(tmp_path), pytest.raises(demo.UnableToStart, match="already running"), demo._locked(tmp_path):
        pass


def test_the_people_of_the_banner_are_those_of_the_seed():
    assert list(demo.PEOPLE) == [person.username for person in seed.PEOPLE]
    assert seed.PASSWORD == "demo"


def test_the_client_is_the_one_the_emulator_knows():
    values = demo.emulator_environment("http://localhost:1")

    assert (values["GOOGLE_CLIENT_ID"], values["GOOGLE_CLIENT_SECRET"]) == (emulator.CLIENT_ID, emulator.CLIENT_SECRET)


def demo_port() -> int:
    with socket.socket() as probe:
        probe.bind((demo.HOST, 0))
        return probe.getsockname()[1]


def environment() -> dict[str, str]:
    """Return the environment of somebody who types the command: without what the test run has set."""
    ours = ("GOOGLE_", "DATABASE_URL", "CELERY_BROKER_URL", "CREATIO_SYNC_", "DJANGO_", "TOKEN_", "TEST_", "LOG_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return env | {"CREATIO_SYNC_NO_VENV": "1"}


class Running:
    """The demo as a process, on data of its own."""

    def __init__(self, data: Path) -> None:
        self.data, self.port, self.google_port = data, demo_port(), demo_port()
        self._log = data.with_name("demo.log")
        self.env = environment()
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo", "--data", str(data)]
                + ["--port", str(self.port), "--google-port", str(self.google_port)],
                cwd=settings.BASE_DIR,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(),
            )
        wait_until(lambda: "Ready" in self.output() or self.process.poll() is not None, what="the banner", seconds=100)
        assert self.process.poll() is None, self.output()

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def children(self) -> dict[str, int]:
        """Return the process ids of the parts by the module they run."""
        parent = self.process.pid
        ids = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return {Path(f"/proc/{pid}/cmdline").read_text().split("\0")[2]: int(pid) for pid in ids}

    def manage(self, *arguments: str) -> str:
        """Run a command as a second terminal would."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=self.env | {"CREATIO_SYNC_ENV": str(self.data / "env")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def answers(self) -> bool:
        return demo._answers(f"http://{demo.HOST}:{self.port}/healthz")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    running = Running(tmp_path / "data")
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(30)


@pytest.mark.timeout(120)
def test_the_demo_keeps_its_data_stops_cleanly_and_leaves_nothing_running_when_killed(running: Running):
    tags = "from activities.models import Tag; tags = Tag.objects.filter(name='Website')"
    assert running.manage("shell", "-v", "0", "-c", f"{tags}; print(tags.count())").strip() == "1"
    assert set(running.children()) == {"gunicorn", "celery", "google_emulator"}
    with urllib.request.urlopen(f"http://{demo.HOST}:{running.google_port}/", timeout=10) as answer:
        assert answer.status == 200

    running.manage("shell", "-v", "0", "-c", f"{tags}; tags.delete()")
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(30) == 0
    assert "Stopped. The data is kept" in running.output()
    assert "Traceback" not in running.output()
    assert not running.answers()

    again = Running(running.data)
    assert again.manage("shell", "-v", "0", "-c", f"{tags}; print(tags.count())").strip() == "0"
    parts = again.children().values()
    again.process.kill()
    again.process.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in parts), what="the parts' end")


@pytest.mark.timeout(120)
def alive_in_group(group: int) -> list[int]:
    """Return the processes of a group that have not ended; what only waits to be cleaned up has."""
    alive = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, pgid = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # It has ended in this very moment.
            continue
        if int(pgid) == group and state != "Z":
            alive.append(int(stat.parent.name))
    return alive


def test_when_a_part_ends_the_demo_says_which_and_stops_the_rest(running: Running):
    worker = running.children()["celery"]
    wait_until(lambda: len(alive_in_group(worker)) > 1, what="the scheduler, which the worker starts")
    os.kill(worker, signal.SIGKILL)

    assert running.process.wait(30) == 1
    wait_until(lambda: not alive_in_group(worker), what="the end of its scheduler, a process of its own", seconds=5)
    assert "The part “worker” has ended by itself (signal SIGKILL)" in running.output()
    assert not running.answers()


@pytest.mark.timeout(120)
def test_the_smoke_test_takes_both_ways_through_the_running_parts():
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "--smoke", "--port", str(demo_port()), "--google-port", str(demo_port())],
        cwd=settings.BASE_DIR,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "Each is on the other side." in done.stdout


def test_an_impossible_port_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        demo.main(["--port", "80000"])

    assert "'80000' is no port" in capsys.readouterr().err
