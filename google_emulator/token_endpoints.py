"""The addresses of OAuth that programs call: token, revoke, userinfo."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote_plus

from google_emulator.messages import Answer, Call, json_answer
from google_emulator.oauth import Refused

if TYPE_CHECKING:
    from google_emulator.emulator import Emulator

TOKEN, REVOKE = "/token", "/revoke"
USERINFO = ("/v1/userinfo", "/oauth2/v3/userinfo")
PATHS = (TOKEN, REVOKE, *USERINFO)


def server_of(path: str, *, emulator: Emulator) -> Callable[[Call], Answer] | None:
    """Return who answers an address, or None if it is none of these."""
    serve = {TOKEN: _token, REVOKE: _revoke, USERINFO[0]: _userinfo, USERINFO[1]: _userinfo}.get(path)
    if serve is None:
        return None
    return lambda call: _refusable(serve, call, emulator)


def _refusable(serve: Callable[[Call, Emulator], Answer], call: Call, emulator: Emulator) -> Answer:
    if call.method != "POST" and call.path not in USERINFO:
        return json_answer({"error": "invalid_request", "error_description": "Only POST is allowed."}, status=405)
    try:
        return serve(call, emulator)
    except Refused as refusal:
        return json_answer(refusal.body, status=refusal.status)


def _token(call: Call, emulator: Emulator) -> Answer:
    form = _form(call)
    client_id, secret = _client_credentials(call, form)
    client = emulator.oauth.check_client(client_id=client_id, client_secret=secret)
    grant_type = form.get("grant_type")
    if grant_type == "authorization_code":
        answer = emulator.oauth.exchange_code(
            client=client,
            code=form.get("code", ""),
            redirect_uri=form.get("redirect_uri", ""),
            code_verifier=form.get("code_verifier", ""),
        )
    elif grant_type == "refresh_token":
        answer = emulator.oauth.refresh(client=client, refresh_token=form.get("refresh_token", ""))
    else:
        raise Refused("unsupported_grant_type", f"Invalid grant_type: {grant_type or ''}")
    emulator.save()
    return json_answer(answer)


def _revoke(call: Call, emulator: Emulator) -> Answer:
    emulator.oauth.revoke(_form(call).get("token") or call.query.get("token", ""))
    emulator.save()
    return json_answer({})


def _userinfo(call: Call, emulator: Emulator) -> Answer:
    token = emulator.oauth.live_token(call.bearer or "")
    if token is None or emulator.directory.find(token.email) is None:
        body = {"error": "invalid_request", "error_description": "Invalid Credentials"}
        return json_answer(body, status=401, headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
    info = emulator.oauth.userinfo(token)
    if len(info) == 1 and "openid" not in token.scopes:
        return json_answer({"error": "insufficient_scope"}, status=403)
    return json_answer(info)


def _client_credentials(call: Call, form: dict[str, str]) -> tuple[str, str]:
    """Return id and secret, from the Authorization header or from the body."""
    kind, _, encoded = call.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(encoded).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise Refused("invalid_client", "Unauthorized", status=401) from error
        return unquote_plus(client_id), unquote_plus(secret)
    return form.get("client_id", ""), form.get("client_secret", "")


def _form(call: Call) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
