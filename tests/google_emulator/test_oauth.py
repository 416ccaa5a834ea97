"""The consent page and the tokens, walked with google-auth-oauthlib."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request
from google.oauth2.credentials import Credentials
from google_auth_oauthlib.flow import Flow
from oauthlib.oauth2 import InvalidClientError, InvalidGrantError

from .conftest import ANNA, BORIS, SCOPE
from .helpers import page, refused

CALLBACK = "http://localhost:9/callback"
EVENTS, LIST = f"{SCOPE}calendar.events", f"{SCOPE}calendar.calendarlist.readonly"
WANTED = ["openid", f"{SCOPE}userinfo.email", EVENTS, LIST]


@pytest.fixture(autouse=True)
def _plain_http(monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    monkeypatch.setenv("OAUTHLIB_RELAX_TOKEN_SCOPE", "1")


def make_flow(google, *, secret="local-secret", scopes=None, redirect_uri=CALLBACK, **more) -> Flow:
    config = {
        "client_id": "local-client",
        "client_secret": secret,
        "auth_uri": f"{google.url}/o/oauth2/v2/auth",
        "token_uri": f"{google.url}/token",
    }
    return Flow.from_client_config({"web": config}, scopes=scopes or WANTED, redirect_uri=redirect_uri, **more)


def agree(url: str, *, email: str = ANNA, scopes: list[str] | None = None, decision: str = "allow") -> str:
    """Go through the consent page as a browser without scripts would. Return where it leads."""
    answer = requests.get(url, params={"account": email}, timeout=5, allow_redirects=False)
    if answer.is_redirect:
        return answer.headers["Location"]
    boxes = re.findall(r'name="scope" value="([^"]+)"', answer.text)
    form = {
        "request": re.search(r'name="request" value="([^"]+)"', answer.text)[1].replace("&amp;", "&"),
        "account": email,
        "scope": boxes if scopes is None else [box for box in boxes if box in scopes],
        "decision": decision,
    }
    answer = requests.post(url.partition("?")[0], data=form, timeout=5, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def connect(google, *, email: str = ANNA, scopes: list[str] | None = None, **options: Any) -> Flow:
    flow = make_flow(google)
    url, _state = flow.authorization_url(**{"access_type": "offline", "prompt": "consent", **options})
    flow.fetch_token(code=query_of(agree(url, email=email, scopes=scopes))["code"])
    return flow


def token_request(google, **form: str) -> requests.Response:
    return requests.post(f"{google.url}/token", data=form, timeout=5)


# Consent


@pytest.mark.checklist(26)
def test_the_whole_way(google, client):
    flow = make_flow(google)
    url, state = flow.authorization_url(access_type="offline", prompt="consent", login_hint=ANNA)

    back = agree(url)

    assert back.startswith(f"{CALLBACK}?")
    assert query_of(back)["state"] == state
    assert set(query_of(back)["scope"].split()) == set(WANTED)
    token = flow.fetch_token(code=query_of(back)["code"])
    assert token["token_type"] == "Bearer"
    assert token["expires_in"] == 3599
    assert set(flow.credentials.granted_scopes) == set(WANTED)
    assert page(client(tokens=dict(token)).events())["summary"] == ANNA


def test_the_hint_preselects_an_account_and_without_one_there_is_a_choice(google):
    flow = make_flow(google)
    chosen = requests.get(flow.authorization_url(login_hint=BORIS)[0], timeout=5).text
    assert 'name="account" value="boris@northfold.example"' in chosen
    assert "https://www.googleapis.com/auth/calendar.events" in chosen
    assert 'value="openid"' not in chosen, "sign-in scopes have no box"
    for url in (
        flow.authorization_url()[0],
        flow.authorization_url(login_hint="unknown@x.example")[0],
        flow.authorization_url(login_hint=BORIS, prompt="select_account")[0],
        flow.authorization_url(login_hint=BORIS)[0] + "&choose=1",
    ):
        listed = requests.get(url, timeout=5).text
        assert "Choose an account" in listed
        assert 'data-account="anna@northfold.example"' in listed


def test_choosing_another_account_forgets_nothing_of_the_request(google):
    url, _ = make_flow(google).authorization_url(access_type="offline", prompt="consent", login_hint=BORIS)
    consent = requests.get(url, timeout=5).text
    again = re.search(r'href="(\?[^"]+choose=1)"', consent)[1].replace("&amp;", "&")
    listed = requests.get(url.partition("?")[0] + again, timeout=5).text
    link = re.search(r'href="(\?[^"]+)" data-account="anna', listed)[1].replace("&amp;", "&")
    asked = requests.get(url.partition("?")[0] + link, timeout=5).text
    request = re.search(r'name="request" value="([^"]+)"', asked)[1].replace("&amp;", "&")
    assert parse_qs(request) == parse_qs(urlsplit(url).query)


def test_cancelling_leads_back_with_access_denied(google):
    url, state = make_flow(google).authorization_url()
    assert query_of(agree(url, decision="cancel")) == {"error": "access_denied", "state": state}


@pytest.mark.checklist(26)
def test_unticked_scopes_are_not_granted(google, client):
    flow = connect(google, scopes=[LIST])
    assert set(flow.credentials.granted_scopes) == set(WANTED) - {EVENTS}
    token = {"access_token": flow.credentials.token}
    with refused(403, "insufficientPermissions") as refusal:
        page(client(tokens=token).events())
    assert refusal.message == "Request had insufficient authentication scopes."


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"redirect_uri": "https://evil.example/callback"}, 400, "redirect_uri_mismatch"),
        ({"redirect_uri": "http://localhost.evil.example/"}, 400, "redirect_uri_mismatch"),
        ({"redirect_uri": ""}, 400, "redirect_uri_mismatch"),
        ({"response_type": "token"}, 400, "unsupported_response_type"),
        ({"scope": ""}, 400, "invalid_request"),
        ({"scope": "openid everything"}, 400, "invalid_scope"),
    ],
    ids=str,
)
def test_a_wrong_request_is_told_on_the_page_and_leads_nowhere(google, change, status, error):
    args = {"client_id": "local-client", "redirect_uri": CALLBACK, "response_type": "code", "scope": EVENTS}
    url = f"{google.url}/o/oauth2/v2/auth"
    answer = requests.get(url, params=args | change, timeout=5, allow_redirects=False)
    assert answer.status_code == status
    assert error in answer.text


def test_a_registered_address_is_allowed(google):
    google.client.redirect_uris.append("https://crm.example/callback")
    url, _ = make_flow(google, redirect_uri="https://crm.example/callback").authorization_url()
    assert agree(url).startswith("https://crm.example/callback?")
    google.client.redirect_uris.clear()


def test_who_agreed_before_is_not_asked_again(google):
    connect(google)
    url, _ = make_flow(google).authorization_url(access_type="offline", login_hint=ANNA)
    answer = requests.get(url, timeout=5, allow_redirects=False)
    assert answer.status_code == 302
    assert "code" in query_of(answer.headers["Location"])


def test_include_granted_scopes_brings_the_earlier_ones(google):
    connect(google, scopes=[EVENTS])
    flow = make_flow(google, scopes=["openid", LIST])
    url, _ = flow.authorization_url(include_granted_scopes="true", prompt="consent")
    token = flow.fetch_token(code=query_of(agree(url))["code"])
    assert {EVENTS, LIST} <= set(token["scope"])


# Codes and tokens


@pytest.mark.checklist(26)
def test_a_refresh_token_comes_at_the_first_consent_or_when_asked_to_consent(google):
    assert connect(google, prompt="select_account").credentials.refresh_token
    assert connect(google, prompt="select_account").credentials.refresh_token is None
    assert connect(google, prompt="consent").credentials.refresh_token
    assert connect(google, prompt="consent", access_type="online").credentials.refresh_token is None


@pytest.mark.checklist(26)
def test_credentials_may_come_in_the_body(google):
    flow = make_flow(google)
    url, _ = flow.authorization_url()
    code = query_of(agree(url))["code"]
    assert flow.fetch_token(code=code, include_client_id=True)["access_token"]


@pytest.mark.checklist(26)
def test_a_code_works_once(google):
    flow = make_flow(google)
    url, _ = flow.authorization_url()
    code = query_of(agree(url))["code"]
    flow.fetch_token(code=code)
    with pytest.raises(InvalidGrantError):
        flow.fetch_token(code=code)


def test_a_code_lasts_minutes(google):
    flow = make_flow(google)
    url, _ = flow.authorization_url()
    code = query_of(agree(url))["code"]
    google.clock.advance(minutes=11)
    with pytest.raises(InvalidGrantError):
        flow.fetch_token(code=code)


@pytest.mark.checklist(26)
@pytest.mark.parametrize("verifier", ["", "x" * 60])
def test_the_verifier_is_checked(google, verifier):
    flow = make_flow(google)
    url, _ = flow.authorization_url()
    flow.code_verifier = verifier
    with pytest.raises(InvalidGrantError):
        flow.fetch_token(code=query_of(agree(url))["code"])


@pytest.mark.checklist(26)
def test_a_wrong_secret_is_refused(google):
    url, _ = make_flow(google).authorization_url()
    flow = make_flow(google, secret="wrong")
    with pytest.raises(InvalidClientError):
        flow.fetch_token(code=query_of(agree(url))["code"])


def test_another_redirect_uri_at_the_exchange_is_refused(google):
    flow = make_flow(google)
    url, _ = flow.authorization_url()
    answer = token_request(
        google,
        grant_type="authorization_code",
        client_id="local-client",
        client_secret="local-secret",
        code=query_of(agree(url))["code"],
        redirect_uri="http://localhost:9/other",
        code_verifier=flow.code_verifier,
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "redirect_uri_mismatch")


def credentials_of(google, tokens) -> Credentials:
    return Credentials(
        tokens["access_token"],
        refresh_token=tokens["refresh_token"],
        token_uri=f"{google.url}/token",
        client_id="local-client",
        client_secret="local-secret",
        scopes=WANTED,
    )


def test_refreshing_gives_a_new_access_token_and_no_new_refresh_token(google):
    tokens = google.grant(ANNA, WANTED)
    credentials = credentials_of(google, tokens)
    credentials.refresh(Request())
    assert credentials.token != tokens["access_token"]
    assert credentials.refresh_token == tokens["refresh_token"]
    assert set(credentials.granted_scopes) == set(WANTED)


def test_an_access_token_expires_by_the_emulators_clock(google, client):
    events = client(ANNA).events()
    google.clock.advance(hours=1)
    google.requests.clear()

    assert page(events)["items"] == []

    asked = [(request.method, request.path, request.status) for request in google.requests]
    path = "/calendar/v3/calendars/primary/events"
    assert asked == [("GET", path, 401), ("POST", "/token", 200), ("GET", path, 200)]


def test_access_tokens_can_be_expired_on_demand(google, client):
    events = client(tokens={"access_token": google.grant(ANNA, WANTED)["access_token"]}).events()
    google.expire_access_tokens(BORIS)
    assert page(events)
    google.expire_access_tokens(ANNA)
    with pytest.raises(RefreshError):
        page(events)


@pytest.mark.checklist(26)
@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_revoking_one_token_ends_every_grant_of_the_person_to_the_client(google, kind):
    first, second, boris = google.grant(ANNA, WANTED), google.grant(ANNA, WANTED), google.grant(BORIS, WANTED)

    answer = requests.post(f"{google.url}/revoke", data={"token": first[kind]}, timeout=5)

    assert (answer.status_code, answer.json()) == (200, {})
    for tokens in (first, second):
        with pytest.raises(RefreshError) as caught:
            credentials_of(google, tokens).refresh(Request())
        assert caught.value.args[1] == {
            "error": "invalid_grant",
            "error_description": "Token has been expired or revoked.",
        }
        assert caught.value.retryable is False
        userinfo = requests.get(f"{google.url}/v1/userinfo", headers=bearer(tokens), timeout=5)
        assert userinfo.status_code == 401
    credentials_of(google, boris).refresh(Request())
    again = requests.post(f"{google.url}/revoke", data={"token": first[kind]}, timeout=5)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_token")


def test_a_person_can_take_a_grant_back(google):
    tokens = google.grant(ANNA, WANTED)
    google.revoke_grants(ANNA)
    with pytest.raises(RefreshError):
        credentials_of(google, tokens).refresh(Request())
    assert google.oauth.grants() == []


def test_after_a_revocation_consent_is_first_again(google):
    connect(google, prompt="select_account")
    google.revoke_grants(ANNA)
    assert connect(google, prompt="select_account").credentials.refresh_token


def test_of_more_than_a_hundred_refresh_tokens_the_oldest_dies(google):
    tokens = [google.grant(ANNA, WANTED) for _ in range(101)]
    with pytest.raises(RefreshError):
        credentials_of(google, tokens[0]).refresh(Request())
    credentials_of(google, tokens[1]).refresh(Request())


def test_an_unknown_grant_type_and_a_get_are_refused(google):
    client = {"client_id": "local-client", "client_secret": "local-secret"}
    assert token_request(google, grant_type="password", **client).json()["error"] == "unsupported_grant_type"
    assert token_request(google, grant_type="refresh_token", refresh_token="x", **client).status_code == 400
    assert requests.get(f"{google.url}/token", timeout=5).status_code == 405


# Who it is


def bearer(tokens) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


@pytest.mark.parametrize("path", ["/v1/userinfo", "/oauth2/v3/userinfo"])
def test_userinfo_tells_what_the_scopes_allow(google, path):
    account = google.directory.accounts[ANNA]
    tokens = google.grant(ANNA, ["openid", "email"])
    assert requests.get(google.url + path, headers=bearer(tokens), timeout=5).json() == {
        "sub": account.sub,
        "email": ANNA,
        "email_verified": True,
        "hd": "northfold.example",
    }
    tokens = google.grant(ANNA, ["openid", "profile"])
    assert requests.get(google.url + path, headers=bearer(tokens), timeout=5).json() == {
        "sub": account.sub,
        "name": "Anna Berg",
        "given_name": "Anna",
        "family_name": "Berg",
    }
    tokens = google.grant(ANNA, [EVENTS])
    assert requests.get(google.url + path, headers=bearer(tokens), timeout=5).status_code == 403
    assert requests.get(google.url + path, timeout=5).status_code == 401


def test_a_subject_stays_the_same(google):
    sub = google.directory.accounts[ANNA].sub
    google.reset()
    assert google.add_account(ANNA).sub == sub
    assert google.grant(ANNA, WANTED)["sub"] == sub
