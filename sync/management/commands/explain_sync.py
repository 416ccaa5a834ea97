"""`manage.py explain_sync USERNAME ACTIVITY|EVENT`: why it is, or is not, in Google."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from accounts.models import User
from sync import report


class Command(BaseCommand):
    help = "Explains why an activity or an event is (not) synchronized for a user, from the database alone (R21)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("item", metavar="ACTIVITY_ID|EVENT_ID")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).select_related("profile").first()
        if user is None:
            raise CommandError(f"There is no user “{options['username']}”.")
        try:
            found = report.report(profile=user.profile, wanted=options["item"], now=timezone.now())
        except report.Unknown as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(found, indent=2, ensure_ascii=False, cls=DjangoJSONEncoder))
        else:
            self._tell(found)

    def _tell(self, found: dict[str, Any]) -> None:
        for line in _lines(found):
            self.stdout.write(line)


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [_heading(found), f"{found['title']}."]
    for reason in found["conditions"]:
        mark = "yes" if reason["met"] else "NO "
        lines.append(f"  {mark}  {reason['rule']:4}  {reason['text']}")
    if found["runs_by"]:
        lines.append(f"It runs by {found['runs_by']}.")
    if found["next_step"]:
        lines.append(f"Next step: {found['next_step']}")
    lines += [*_about_link(found["link"]), *_about_fields(found["fields"]), *_about_next(found["next_session"])]
    return [*lines, *_about_outcomes(found["recent_outcomes"])]


def _heading(found: dict[str, Any]) -> str:
    activity, event = found["activity"], found["event"]
    what = f"Activity {activity['id']} “{activity['subject']}”" if activity else f"Event “{event['summary']}”"
    return f"{what}, for {found['user']}"


def _about_link(link: dict[str, Any] | None) -> list[str]:
    if link is None:
        return ["Link: none."]
    at = link["synchronized_at"]
    when = f"last synchronized {at:%Y-%m-%d %H:%M} UTC" if at else "not synchronized yet"
    lines = [f"Link: {link['state']}, event {link['event_id']}, {when}."]
    if link["reason"]:
        lines.append(f"  {link['rule']}: {link['reason']}")
    return lines


def _about_fields(fields: list[dict[str, Any]]) -> list[str]:
    lines = ["Fields (here | Google | agreed here | agreed Google):"] if fields else []
    for one in fields:
        values = [json.dumps(one[side], ensure_ascii=False) for side in ("here", "google", "base_here", "base_google")]
        lines.append(f"  {one['field']}: {' | '.join(values)}")
    return lines


def _about_next(planned: dict[str, Any]) -> list[str]:
    looks = "looks at it" if planned["looks_at_it"] else "does not look at it"
    lines = [f"The next session {looks}: {planned['because']}"]
    if planned["asks_google"]:
        lines.append("  It asks Google for the event first, then decides.")
    for action in planned["actions"]:
        changed = f" [{action['field']}]" if action["field"] else ""
        lines.append(f"  {action['action']} ({action['direction']}){changed}: {action['reason']} ({action['rule']})")
    if not (planned["actions"] or planned["asks_google"]):
        lines.append("  There is nothing to do about it.")
    return lines


def _about_outcomes(outcomes: list[dict[str, Any]]) -> list[str]:
    lines = ["Recent outcomes, the newest first:"] if outcomes else ["No session has done anything about it."]
    for one in outcomes:
        changed = f" [{one['field']}]" if one["field"] else ""
        line = f"{one['action']} ({one['direction']}){changed}: {one['reason']} ({one['rule']})"
        lines.append(f"  {one['at']:%Y-%m-%d %H:%M} session {one['session']}: {line}")
    return lines
