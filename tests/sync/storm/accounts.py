"""What happens to accounts and people, and to time: access lost and found, clocks that jump."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from accounts.models import ExternalAccount
from sync import connections, tasks
from sync.models import SyncSettings
from tests.google import connect
from tests.sync.storm.dice import Dice
from tests.sync.storm.world import World


def disconnect(world: World, name: str, dice: Dice) -> None:
    if world.account(name).status != ExternalAccount.Status.DISCONNECTED:
        connections.disconnect(account=world.account(name))
        world.say(f"{name} disconnects")


def reconnect(world: World, name: str, dice: Dice) -> None:
    connect(world.google, world.profile(name).user)
    world.say(f"{name} connects")


def revoke(world: World, name: str, dice: Dice) -> None:
    world.google.revoke_grants(world.email(name))
    world.say(f"{name} takes the consent back in Google")


def pause(world: World, name: str, dice: Dice) -> None:
    """An administrator pauses the account, or resumes it."""
    account = world.account(name)
    ExternalAccount.objects.filter(pk=account.pk).update(paused=not account.paused)
    world.say(f"{name}: paused {not account.paused}")


def let_in(world: World, name: str, dice: Dice) -> None:
    """An administrator lets somebody not sign in any more, or again."""
    user = world.profile(name).user
    user.is_active = not user.is_active
    user.save()
    world.say(f"{name}: may sign in {user.is_active}")


def switch_mail(world: World, name: str, dice: Dice) -> None:
    """Somebody wants their guests told about changes no more, or again (R17)."""
    settings = SyncSettings.objects.get(profile=world.profiles[name])
    settings.tell_guests = not settings.tell_guests
    settings.save()
    world.say(f"{name} tells guests about changes: {settings.tell_guests}")


def expire_tokens(world: World, name: str, dice: Dice) -> None:
    if dice.one_in(2):
        world.google.expire_sync_tokens(world.email(name))
        world.say(f"the sync token of {name} expires")
    else:
        world.google.expire_access_tokens(world.email(name))
        world.say(f"the access token of {name} expires")


def step_clock(world: World, name: str, dice: Dice) -> None:
    step = dice.of([timedelta(minutes=4), timedelta(minutes=20), timedelta(hours=2), timedelta(hours=30)])
    world.clock.advance(step)
    world.say(f"{step} pass")


def skew_clock(world: World, name: str, dice: Dice) -> None:
    ahead = timedelta(seconds=dice.of([0, 1, -1, 40, -40]))
    world.clock.let_google_be_ahead(ahead)
    world.say(f"Google's clock is ahead by {ahead.total_seconds()} s")


def dispatch(world: World, name: str, dice: Dice) -> None:
    """The dispatcher looks after what died and what waits; its messages reach the worker."""
    world.ledger.accept()
    tasks.dispatch()
    world.work()
    world.ledger.judge()
    world.say("dispatched")


def lose_a_message(world: World, name: str, dice: Dice) -> None:
    world.ask(name)
    world.messages.clear()
    world.say(f"{name} asks for a session, and the message is lost")


ACTS: tuple[Callable[[World, str, Dice], None], ...] = (
    disconnect, reconnect, reconnect, revoke, pause, let_in, switch_mail, switch_mail, expire_tokens, step_clock,
    skew_clock, dispatch, lose_a_message,
)  # fmt: skip


def trouble(world: World, name: str, dice: Dice) -> None:
    """Let Google, or the way to it, do something wrong with one of the next requests."""
    method = dice.of(["POST", "PATCH", "DELETE", "GET"])
    fault = dice.of(ANYWHERE if method == "GET" else (*ANYWHERE, *OF_A_WRITE))
    world.google.fail(**{"method": method, "path": "/events|/batch", "skip": dice.of([0, 1, 2]), **fault})
    world.say(f"planted: {method} {fault}")


ANYWHERE: tuple[dict[str, Any], ...] = (
    {"kind": "reset", "when": "after"},  # Once: httplib2 repeats the request by itself.
    {"kind": "reset", "when": "after", "times": 5},
    {"kind": "reset", "when": "before", "times": 5},
    {"kind": "truncate"},
    {"kind": "cut"},
    {"status": 500, "reason": "backendError", "when": "after"},
    {"status": 503, "reason": "backendError", "times": 6},
    {"status": 403, "reason": "rateLimitExceeded"},
    {"status": 403, "reason": "userRateLimitExceeded", "times": 6},
    {"status": 429, "reason": "rateLimitExceeded", "retry_after": 3},
    {"status": 429, "reason": "rateLimitExceeded", "times": 6},
    {"status": 502, "kind": "html"},
)
OF_A_WRITE: tuple[dict[str, Any], ...] = (
    {"status": 412, "reason": "conditionNotMet"},
    {"status": 403, "reason": "forbidden"},
)
