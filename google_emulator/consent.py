"""Google's pages on which a person chooses an account and agrees to what an application asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from google_emulator.accounts import Account
from google_emulator.oauth import (
    SIGN_IN_SCOPES,
    AuthorizationRefused,
    AuthorizationRequest,
    words_for,
)

if TYPE_CHECKING:
    from google_emulator.emulator import Emulator

PATH = "/o/oauth2/v2/auth"
Reply = str | Response | tuple[str, int]


def blueprint(emulator: Emulator) -> Blueprint:
    pages = Blueprint("consent", __name__)

    @pages.get(PATH)
    def ask() -> Reply:
        return _ask(
            emulator,
            request.query_string.decode(),
            chosen=request.args.get("account", ""),
            choose_again="choose" in request.args,
        )

    @pages.post(PATH)
    def decide() -> Reply:
        return _decide(emulator, request.form.get("request", ""))

    return pages


def _ask(emulator: Emulator, query: str, *, chosen: str, choose_again: bool) -> Reply:
    try:
        wanted = emulator.oauth.read_request(dict(parse_qsl(query)))
    except AuthorizationRefused as refusal:
        return render_template("refused.html", refusal=refusal), refusal.status
    query = _as_asked(query)
    account = emulator.directory.find(chosen)
    if account is None and not choose_again and "select_account" not in wanted.prompt:
        account = emulator.directory.find(wanted.login_hint)
    if account is None:
        return render_template(
            "choose.html",
            accounts=[each for each in emulator.accounts if not each.is_room],
            query=query,
            app=_app_name(wanted),
        )
    agreed = emulator.oauth.agreed_scopes(client_id=wanted.client_id, email=account.email)
    if agreed and "consent" not in wanted.prompt and set(wanted.scopes) <= set(agreed):
        return _back_with_code(emulator, wanted, account, list(wanted.scopes))
    boxes = [(scope, words_for(scope)) for scope in wanted.scopes if scope not in SIGN_IN_SCOPES]
    return render_template("consent.html", account=account, boxes=boxes, query=query, app=_app_name(wanted))


def _decide(emulator: Emulator, query: str) -> Reply:
    try:
        wanted = emulator.oauth.read_request(dict(parse_qsl(query)))
    except AuthorizationRefused as refusal:
        return render_template("refused.html", refusal=refusal), refusal.status
    account = emulator.directory.find(request.form.get("account", ""))
    if account is None or request.form.get("decision") != "allow":
        return _back(wanted, {"error": "access_denied"})
    return _back_with_code(emulator, wanted, account, request.form.getlist("scope"))


def _back_with_code(emulator: Emulator, wanted: AuthorizationRequest, account: Account, scopes: list[str]) -> Response:
    code, granted = emulator.oauth.consent(wanted, email=account.email, scopes=scopes)
    emulator.save()
    extra = {"code": code, "scope": " ".join(granted), "authuser": "0", "prompt": " ".join(wanted.prompt) or "none"}
    return _back(wanted, extra)


def _back(wanted: AuthorizationRequest, answer: dict[str, str]) -> Response:
    state = {"state": wanted.state} if wanted.state else {}
    separator = "&" if urlsplit(wanted.redirect_uri).query else "?"
    return redirect(wanted.redirect_uri + separator + urlencode({**state, **answer}))


def _as_asked(query: str) -> str:
    """Return what the client asked for, without what the pages themselves added."""
    return urlencode([(name, value) for name, value in parse_qsl(query) if name not in ("account", "choose")])


def _app_name(wanted: AuthorizationRequest) -> str:
    return urlsplit(wanted.redirect_uri).netloc
