"""The controls over HTTP, for tests in another process: JSON in, JSON out, below `/_control/`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, request
from werkzeug.wrappers import Response

from google_emulator import seed
from google_emulator.errors import ApiError

if TYPE_CHECKING:
    from google_emulator.emulator import Emulator

Reply = Response | tuple[Response, int]


def blueprint(emulator: Emulator) -> Blueprint:
    control = Blueprint("control", __name__, url_prefix="/_control")
    _add_error_handlers(control)
    _add_world(control, emulator)
    _add_access(control, emulator)
    _add_failures(control, emulator)
    _add_people(control, emulator)
    return control


def _sent() -> dict[str, Any]:
    content = request.get_json(force=True, silent=True) if request.get_data() else {}
    if not isinstance(content, dict):
        raise ValueError("The body has to be a JSON object.")
    return content


def _scope() -> str:
    """Which occurrences of a series are meant."""
    return request.args.get("scope", "this")


def _done(**content: Any) -> Response:
    return jsonify({"done": True, **content})


def _add_error_handlers(control: Blueprint) -> None:
    @control.errorhandler(ApiError)
    def refused(error: ApiError) -> Reply:
        return jsonify(error.body), error.status

    @control.errorhandler(ValueError)
    @control.errorhandler(TypeError)
    @control.errorhandler(KeyError)
    def wrong(error: Exception) -> Reply:
        return jsonify({"error": str(error)}), 400


def _add_world(control: Blueprint, emulator: Emulator) -> None:
    @control.post("/reset")
    def reset() -> Reply:
        emulator.reset()
        if _sent().get("seed") == "demo":
            seed.demo(emulator)
        return _done()

    @control.get("/clock")
    def tell_time() -> Reply:
        return jsonify({"now": emulator.clock.now().isoformat()})

    @control.post("/clock")
    def set_clock() -> Reply:
        sent = _sent()
        if "set" in sent:
            emulator.clock.set(datetime.fromisoformat(sent["set"]))
        if "advance_seconds" in sent:
            emulator.clock.advance(seconds=float(sent["advance_seconds"]))
        if sent.get("reset"):
            emulator.clock.reset()
        emulator.save()
        return tell_time()

    @control.get("/behavior")
    def tell_behavior() -> Reply:
        return jsonify(asdict(emulator.behavior))

    @control.post("/behavior")
    def set_behavior() -> Reply:
        emulator.behavior.change(**_sent())
        return tell_behavior()

    @control.get("/mail")
    def list_mail() -> Reply:
        return jsonify({"mail": emulator.mail.dump()})

    @control.delete("/mail")
    def clear_mail() -> Reply:
        emulator.mail.clear()
        return _done()

    @control.get("/channels")
    def list_channels() -> Reply:
        attempts = [
            {"address": each.message.address, "headers": dict(each.message.headers), "status": each.status}
            for each in emulator.postman.deliveries
        ]
        return jsonify({"channels": [asdict(channel) for channel in emulator.channels.all()], "messages": attempts})

    @control.get("/requests")
    def list_requests() -> Reply:
        filters: dict[str, Any] = {name: request.args[name] for name in ("method", "path") if name in request.args}
        if "status" in request.args:
            filters["status"] = int(request.args["status"])
        calls = emulator.requests.calls(**filters)
        return jsonify(
            {
                "http_requests": len(emulator.requests),
                "calls": len(calls),
                "writes": sum(call.is_write for call in calls),
                "requests": [asdict(call) for call in calls],
            }
        )

    @control.delete("/requests")
    def clear_requests() -> Reply:
        emulator.requests.clear()
        return _done()


def _add_access(control: Blueprint, emulator: Emulator) -> None:
    @control.post("/accounts")
    def add_account() -> Reply:
        return jsonify(asdict(emulator.add_account(**_sent())))

    @control.get("/accounts")
    def list_accounts() -> Reply:
        return jsonify({"accounts": [asdict(account) for account in emulator.accounts]})

    @control.post("/rooms")
    def add_room() -> Reply:
        return jsonify(asdict(emulator.add_room(**_sent())))

    @control.post("/groups")
    def add_group() -> Reply:
        emulator.add_group(**_sent())
        return _done()

    @control.post("/calendars")
    def add_calendar() -> Reply:
        return jsonify(asdict(emulator.add_calendar(**_sent())))

    @control.post("/calendars/<calendar_id>/share")
    def share(calendar_id: str) -> Reply:
        emulator.share_calendar(calendar_id, **_sent())
        return _done()

    @control.post("/grants")
    def grant() -> Reply:
        return jsonify(emulator.grant(**_sent()))

    @control.get("/grants")
    def list_grants() -> Reply:
        return jsonify({"grants": emulator.oauth.grants()})

    @control.post("/grants/revoke")
    def revoke() -> Reply:
        emulator.revoke_grants(_sent().get("email"))
        return _done()

    @control.post("/access-tokens/expire")
    def expire_access_tokens() -> Reply:
        emulator.expire_access_tokens(_sent().get("email"))
        return _done()

    @control.post("/sync-tokens/expire")
    def expire_sync_tokens() -> Reply:
        emulator.expire_sync_tokens(_sent().get("calendar_id"))
        return _done()


def _add_failures(control: Blueprint, emulator: Emulator) -> None:
    @control.post("/faults")
    def fail() -> Reply:
        sent = _sent()
        if "action" in sent or sent.get("kind") == "call":
            raise ValueError("Actions can be ordered only within the process.")
        emulator.fail(**sent)
        return list_faults()

    @control.get("/faults")
    def list_faults() -> Reply:
        return jsonify({"faults": emulator.faults.waiting})

    @control.delete("/faults")
    def clear_faults() -> Reply:
        emulator.faults.clear()
        return _done()


def _add_people(control: Blueprint, emulator: Emulator) -> None:
    people = "/people/<email>/events"

    @control.get(people)
    def list_events(email: str) -> Reply:
        expand = request.args.get("expand") == "true"
        return jsonify({"events": emulator.person(email).events(expand=expand)})

    @control.post(people)
    def create_event(email: str) -> Reply:
        return jsonify(emulator.person(email).create_event(_sent()))

    @control.post("/people/<email>/fill")
    def fill(email: str) -> Reply:
        emulator.fill(email, _sent()["events"])
        return _done()

    @control.get(f"{people}/<event_id>")
    def get_event(email: str, event_id: str) -> Reply:
        return jsonify(emulator.person(email).event(event_id))

    @control.patch(f"{people}/<event_id>")
    def edit_event(email: str, event_id: str) -> Reply:
        return jsonify(emulator.person(email).edit(event_id, _sent(), scope=_scope()))

    @control.delete(f"{people}/<event_id>")
    def delete_event(email: str, event_id: str) -> Reply:
        emulator.person(email).delete(event_id, scope=_scope())
        return _done()

    @control.post(f"{people}/<event_id>/respond")
    def respond(email: str, event_id: str) -> Reply:
        return jsonify(emulator.person(email).respond(event_id, **_sent(), scope=_scope()))

    @control.post(f"{people}/<event_id>/split")
    def split(email: str, event_id: str) -> Reply:
        return jsonify(emulator.person(email).split_series(event_id, **_sent()))

    @control.post(f"{people}/<event_id>/restore")
    def restore(email: str, event_id: str) -> Reply:
        return jsonify(emulator.person(email).restore(event_id))
