"""
Start and supervise the whole product on one machine: web, worker with scheduler, and the local Google.

Called by manage.py before there are settings: it makes the environment file that they read.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .environment import read_environment_file
from .processes import die_with_parent

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_DATA = ROOT / ".demo"
HOST = "127.0.0.1"
SECONDS_TO_START = 60
SECONDS_TO_STOP = 15
PEOPLE = {"anna": "Anna Berg", "boris": "Boris Novak", "clara": "Clara Weiss", "admin": "administrator, also /admin/"}


class UnableToStart(Exception):
    """The demo cannot start. The message is written for the user."""


@dataclass(frozen=True)
class Running:
    """Where the parts that were started for a task answer."""

    product: str
    google: str


Task = Callable[[Running], int]  # Returns the exit code.


def main(arguments: list[str], *, task: Task | None = None) -> int:
    """
    Run until Ctrl-C (exit code 0) or until a part ends by itself (1).

    With a `task`, the parts run for it alone, on data that is thrown away, and its exit code is returned.
    """
    options = _parser().parse_args(arguments)
    options.task = task or (_smoke if options.smoke else None)
    os.umask(0o077)  # Whatever the folder chosen, what is made in it is for its owner only.
    if options.task and os.environ.get("GOOGLE_CLIENT_ID"):
        print("This needs the local Google: leave GOOGLE_CLIENT_ID unset.", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # SIGINT too: a shell's background jobs ignore it.
    try:
        with _data_folder(options), _locked(options.data):
            return _run(options)
    except UnableToStart as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def emulator_environment(root: str) -> dict[str, str]:
    """Return the GOOGLE_* variables that take an emulator at this address for Google."""
    return {
        "GOOGLE_CLIENT_ID": "local-client",
        "GOOGLE_CLIENT_SECRET": "local-secret",
        "GOOGLE_AUTH_URI": f"{root}/o/oauth2/v2/auth",
        "GOOGLE_TOKEN_URI": f"{root}/token",
        "GOOGLE_REVOKE_URI": f"{root}/revoke",
        "GOOGLE_USERINFO_URI": f"{root}/v1/userinfo",
        "GOOGLE_CALENDAR_API_ROOT": f"{root}/",
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 manage.py demo", description="Run everything on this machine.")
    parser.add_argument("--port", type=_port, default=8000, help="of the product (default 8000)")
    parser.add_argument("--google-port", type=_port, default=8001, help="of the local Google (default 8001)")
    parser.add_argument(
        "--smoke", action="store_true",
        help="make one synchronization both ways through the running parts, stop, and exit with 0 if it worked; "
        "on data that is thrown away, unless --data names a folder",
    )  # fmt: skip
    parser.add_argument(
        "--data", type=lambda text: Path(text).expanduser().resolve(), metavar="DIR",
        help="where the database, the keys and the local Google's events are kept (default .demo)",
    )  # fmt: skip
    parser.set_defaults(task=None)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; expected a number from 1 to 65535")
    return int(text)


@contextlib.contextmanager
def _data_folder(options: argparse.Namespace) -> Iterator[None]:
    """Choose the folder when none was named; a smoke test leaves what people have entered alone."""
    if options.data is None and options.task:
        with tempfile.TemporaryDirectory(prefix="creatio-sync-") as folder:
            options.data = Path(folder)
            yield
    else:
        options.data = options.data or DEFAULT_DATA
        yield


@contextlib.contextmanager
def _locked(data: Path) -> Iterator[None]:
    """:raises UnableToStart: if another demo works on this data, or the folder cannot be used."""
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open(data / "lock", "w")  # noqa: SIM115 - the context below closes it
    except OSError as error:
        raise UnableToStart(f"{data} cannot be used: {error.strerror}. Choose another folder: --data DIR") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UnableToStart(
                f"A demo is already running on the data in {data}. Stop it first, or give this one its own: --data DIR"
            ) from error
        yield


def _run(options: argparse.Namespace) -> int:
    # With an own client id the real Google is meant, and nothing stands in for it.
    with_emulator = not os.environ.get("GOOGLE_CLIENT_ID")
    _check_ports({"--port": options.port} | ({"--google-port": options.google_port} if with_emulator else {}))
    values = make_environment(options, with_emulator=with_emulator)
    file = options.data / "env"
    write_environment(file, values)
    env = {
        "LOG_LEVEL": "WARNING",
        **os.environ,
        "CREATIO_SYNC_ENV": str(file),
        "CREATIO_SYNC_ALLOW_ROOT": "1",
        "DJANGO_SETTINGS_MODULE": "creatio_sync.settings",
        "PYTHONUNBUFFERED": "1",
    }
    print("Preparing the database ...", flush=True)
    prepare = [sys.executable, str(ROOT / "manage.py"), "prepare_demo"]
    if subprocess.call(prepare, cwd=ROOT, env=env, stdin=subprocess.DEVNULL):
        raise UnableToStart("The database could not be prepared; the lines above say why.")
    parts = Parts(env=env)
    try:
        if with_emulator:
            parts.start("google", _google(options))
        parts.start("web", _web(options))
        parts.start("worker", _worker())
        print("Starting the parts ...", flush=True)
        parts.wait_for("web", f"http://{HOST}:{options.port}/healthz")
        if with_emulator:
            parts.wait_for("google", f"http://{HOST}:{options.google_port}/")
        if options.task:
            return int(options.task(Running(values["PUBLIC_BASE_URL"], f"http://{HOST}:{options.google_port}")))
        say(_banner(options, values, with_emulator=with_emulator))
        return parts.watch()
    except KeyboardInterrupt:
        say("\nStopping ...")
        return 0
    except UnableToStart as error:
        say(f"\n{error} Stopping the rest ...")
        return 1
    finally:
        parts.stop()
        if not options.task:
            say(f"Stopped. The data is kept in {options.data}; the same command starts it again.")


def _smoke(running: Running) -> int:
    from . import smoke

    try:
        smoke.run(product=running.product, google=running.google, say=say)
    except (smoke.NotAsExpected, OSError) as error:
        say(f"Smoke test failed: {error}")
        return 1
    say("Smoke test passed.")
    return 0


def _check_ports(wanted: dict[str, int]) -> None:
    """:raises UnableToStart: if one is taken, naming a free one and the option that chooses it."""
    if len(set(wanted.values())) < len(wanted):
        raise UnableToStart("--port and --google-port must differ.")
    troubles, advice = [], []
    for option, port in wanted.items():
        if not _is_free(port):
            free = next(
                number for number in range(port + 1, 65536) if number not in wanted.values() and _is_free(number)
            )
            wanted = {**wanted, option: free}
            troubles.append(f"Port {port} is used by another program on this machine.")
            advice.append(f"{option} {free}")
    if troubles:
        raise UnableToStart("\n".join([*troubles, f"Choose another: python3 manage.py demo {' '.join(advice)}"]))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def make_environment(options: argparse.Namespace, *, with_emulator: bool) -> dict[str, str]:
    """
    Return what the environment file is to hold.

    Keys are kept from start to start, or nothing encrypted could be read again. What the real environment says wins.
    """
    data = options.data
    kept = read_environment_file(data / "env") if (data / "env").exists() else {}
    values = {
        "CREATIO_SYNC_DATA": str(data),
        "DATABASE_URL": f"sqlite:///{data / 'database.sqlite3'}",
        "CELERY_BROKER_URL": f"file://{data / 'broker'}",
        "DJANGO_SECRET_KEY": kept.get("DJANGO_SECRET_KEY") or secrets.token_urlsafe(50),
        "TOKEN_ENCRYPTION_KEYS": kept.get("TOKEN_ENCRYPTION_KEYS") or _fernet_key(),
        # A slim machine may be unable to resolve localhost; a browser always can.
        "PUBLIC_BASE_URL": f"http://{HOST if options.task else 'localhost'}:{options.port}",
        "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
    }
    if with_emulator:
        values |= emulator_environment(f"http://{HOST}:{options.google_port}")
    return {name: os.environ.get(name) or value for name, value in values.items()}


def _fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def write_environment(file: Path, values: dict[str, str]) -> None:
    """Write the file in one step and for its owner only: it holds keys."""
    lines = [
        "# Written by `python3 manage.py demo` at each start; the keys are kept. Other commands read it, so that they",
        "# work on the same data. Variables of the real environment win.",
        *(f"{name}={value}" for name, value in values.items()),
    ]
    draft = file.with_name("env.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as stream:
        stream.write("\n".join(lines) + "\n")
    draft.replace(file)


def _web(options: argparse.Namespace) -> list[str]:
    return [
        *("gunicorn", "creatio_sync.wsgi", "--workers", "1", "--threads", "8"),
        *("--bind", f"{HOST}:{options.port}", "--log-level", "warning"),
    ]


def _worker() -> list[str]:
    return [
        *("celery", "--quiet", "-A", "creatio_sync", "worker", "--loglevel", "warning"),
        # Beat inside, with its times in memory: a shelve file could be damaged by a crash, and due times are rows.
        *("-B", "--scheduler", "celery.beat:Scheduler"),
        # Threads: the work is waiting for Google. They also end cleanly on the file broker, where processes may hang.
        *("-P", "threads", "-c", "4"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]


def _google(options: argparse.Namespace) -> list[str]:
    state = options.data / "google.json"
    return ["google_emulator", "--port", str(options.google_port), "--seed", "demo", "--state", str(state)]


class Parts:
    """The running parts: each a child process whose lines are shown with its name before them."""

    def __init__(self, *, env: dict[str, str]) -> None:
        self._env = env
        self._children: dict[str, subprocess.Popen[str]] = {}

    def start(self, name: str, module_and_arguments: list[str]) -> None:
        child = subprocess.Popen(
            [sys.executable, "-m", *module_and_arguments],
            cwd=ROOT,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C comes to us alone, and we stop them in order.
            preexec_fn=die_with_parent(),
        )
        assert child.stdout
        threading.Thread(target=_pass_on, args=(name, child.stdout), daemon=True).start()
        self._children[name] = child

    def wait_for(self, name: str, address: str) -> None:
        """:raises UnableToStart: if a part ends or the address does not answer in time."""
        end = time.monotonic() + SECONDS_TO_START
        while not _answers(address):
            if ended := self._ended():
                raise UnableToStart(self._told(ended))
            if time.monotonic() > end:
                raise UnableToStart(f"{name} does not answer at {address} after {SECONDS_TO_START} seconds.")
            time.sleep(0.1)

    def watch(self) -> int:
        """Return 1 once a part has ended by itself."""
        while not (ended := self._ended()):
            time.sleep(0.3)
        say(f"\n{self._told(ended)} Stopping the rest ...")
        return 1

    def stop(self) -> None:
        """Ask each part to finish, and end those that do not in time. Another Ctrl-C does not cut this short."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for child in self._children.values():
            if child.poll() is None:
                child.terminate()  # The child, not its group: it stops its own.
        end = time.monotonic() + SECONDS_TO_STOP
        for child in self._children.values():
            try:
                child.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            with contextlib.suppress(ProcessLookupError):
                # A worker that was killed leaves its scheduler behind, which would go on sending messages to nobody.
                os.killpg(child.pid, signal.SIGKILL)

    def _ended(self) -> str | None:
        return next((name for name, child in self._children.items() if child.poll() is not None), None)

    def _told(self, name: str) -> str:
        time.sleep(0.2)  # Its last lines are on their way.
        code = self._children[name].returncode
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        return f"The part “{name}” has ended by itself ({how}); its last lines stand above."


def _pass_on(name: str, stream: IO[str]) -> None:
    for line in stream:
        if line.strip():
            say(f"{name:>6} | {line.rstrip()}")


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - an address made here
            return True
    except (OSError, urllib.error.URLError):
        return False


def say(text: str) -> None:
    """Print a line, unless whoever read it has gone: a closed terminal must not keep the parts from being stopped."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def _banner(options: argparse.Namespace, values: dict[str, str], *, with_emulator: bool) -> str:
    google = f"http://localhost:{options.google_port}/" if with_emulator else "the real one, with your GOOGLE_CLIENT_ID"
    people = [f"                  {name:<7}password demo   {who}" for name, who in PEOPLE.items()]
    elsewhere = "" if options.data == DEFAULT_DATA else f"CREATIO_SYNC_ENV={shlex.quote(str(options.data / 'env'))} "
    python = os.path.relpath(sys.executable) if Path(sys.prefix).is_relative_to(ROOT) else sys.executable
    lines = [
        f"Ready             {values['PUBLIC_BASE_URL']}/",
        "Sign in as        " + people[0].strip(),
        *people[1:],
        f"Google            {google}",
        f"Data              {options.data}",
        f"Other commands    {elsewhere}{python} manage.py synchronize anna",
        "Stop              Ctrl-C",
    ]
    rule = "─" * max(map(len, lines))
    return "\n".join(["", rule, *lines, rule])
