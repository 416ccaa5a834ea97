"""`manage.py synchronize USERNAME`: one session in the foreground."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.models import ExternalAccount, User
from sync import preview, sessions, tasks
from sync.google.errors import GoogleError
from sync.models import SyncedCalendar, SyncOutcome, SyncSession
from sync.run import NotSetUp

LONGEST_WAIT = 900  # Seconds for a session that runs already, elsewhere.


class Command(BaseCommand):
    help = "Synchronizes one user's activities with their Google Calendar, here and now."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--preview", action="store_true", help="only say what a session would do (R21)")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        calendar = _calendar_of(options["username"])
        report = _preview(calendar) if options["preview"] else _synchronize(calendar)
        if options["json"]:
            self.stdout.write(json.dumps(report, indent=2, ensure_ascii=False))
        else:
            self._tell(report)
        if report["status"] != SyncSession.Status.SUCCEEDED:
            sys.exit(1)

    def _tell(self, report: dict[str, Any]) -> None:
        for action in report.get("actions", []):
            self.stdout.write(_line(action))
        for action in report.get("needs_confirmation", []):
            self.stdout.write(f"Would stop and ask before: {_line(action)}")
        for action in report.get("staying_out", []):
            self.stdout.write(f"Stays out: {action['item']} - {action['reason']} ({action['rule']})")
        for verb in ("added", "updated", "removed"):
            here, google = report[verb]["creatio"], report[verb]["google"]
            self.stdout.write(f"{verb.capitalize()}: {here} here, {google} in Google")
        for problem in report["problems"]:
            self.stdout.write(f"Problem: {problem['item']} - {problem['reason']} ({problem['rule']})")
        asked = report["google_requests"]
        requests = "1 request" if asked == 1 else f"{asked} requests"
        self.stdout.write(f"{report['status']}: {requests} to Google in {report['seconds']} s")


def _line(action: dict[str, Any]) -> str:
    return f"{action['action']} ({action['direction']}): {action['item']} - {action['reason']} ({action['rule']})"


def _calendar_of(username: str) -> SyncedCalendar:
    user = User.objects.filter(username=username).select_related("profile").first()
    if user is None:
        raise CommandError(f"There is no user “{username}”.")
    account = user.profile.google_account
    if account is None or account.status != ExternalAccount.Status.CONNECTED:
        raise CommandError(
            f"{username} has no working Google account. Sign in as {username} and connect it: Your profile → "
            "Additional settings → Accounts in external resources → New → Google."
        )
    if not hasattr(user.profile, "sync_settings"):
        raise CommandError(
            f"{username} has not set up the synchronization yet: Activities → Actions → Synchronize activities → "
            "Set up…, then Save."
        )
    calendar, _made = SyncedCalendar.objects.get_or_create(account=account)
    return calendar


def _synchronize(calendar: SyncedCalendar) -> dict[str, Any]:
    session, _is_new = sessions.open_session(calendar=calendar, trigger=SyncSession.Trigger.MANUAL, now=timezone.now())
    deadline = time.monotonic() + LONGEST_WAIT
    while not session.is_finished:
        if not tasks.run_here(session):  # It runs elsewhere: join it (R18).
            if time.monotonic() > deadline:
                raise CommandError("The session that runs already does not come to an end.")
            time.sleep(0.5)
        session.refresh_from_db()
        if session.status == SyncSession.Status.RUNNING:
            sessions.recover(now=timezone.now())
            session.refresh_from_db()
    return _report(session)


def _report(session: SyncSession) -> dict[str, Any]:
    parked = session.outcomes.filter(action=SyncOutcome.Action.PARKED)
    problems = [{"item": outcome.item, "rule": outcome.rule, "reason": outcome.reason} for outcome in parked]
    if session.error:
        problems.insert(0, {"item": str(session.calendar.account), "rule": session.rule, "reason": session.error})
    return {
        "status": session.status,
        **session.counts(),
        "google_requests": session.requests_made,
        "seconds": round(session.seconds or 0, 3),
        "problems": problems,
    }


def _preview(calendar: SyncedCalendar) -> dict[str, Any]:
    began = time.monotonic()
    nothing = {verb: {"creatio": 0, "google": 0} for verb in ("added", "updated", "removed")}
    report: dict[str, Any] = {"status": SyncSession.Status.SUCCEEDED, **nothing, "google_requests": 0}
    problems: list[dict[str, str]] = []
    planned = preview.Preview([], 0).as_dict()
    try:
        result = preview.preview(calendar=calendar, now=timezone.now())
        report["google_requests"] = result.requests_made
        planned = result.as_dict()
    except (GoogleError, NotSetUp) as error:
        report["status"] = SyncSession.Status.FAILED
        problems = [{"item": str(calendar.account), "rule": "R20", "reason": str(error)}]
    seconds = round(time.monotonic() - began, 3)
    return report | {"seconds": seconds, "problems": problems} | planned
