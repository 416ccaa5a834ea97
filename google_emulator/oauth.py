"""Clients, consents and tokens of Google's OAuth 2.0; no HTTP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from google_emulator.accounts import Account, Directory
from google_emulator.clock import Clock

SCOPE_ROOT = "https://www.googleapis.com/auth/"
_ALIASES = {"email": SCOPE_ROOT + "userinfo.email", "profile": SCOPE_ROOT + "userinfo.profile"}
SIGN_IN_SCOPES = ("openid", *_ALIASES.values())
# What the consent page says about a scope.
SCOPE_WORDS = {
    "calendar": "See, edit, share, and permanently delete all the calendars you can access using Google Calendar",
    "calendar.readonly": "See and download any calendar you can access using your Google Calendar",
    "calendar.events": "View and edit events on all your calendars",
    "calendar.events.readonly": "View events on all your calendars",
    "calendar.events.owned": "See, create, change, and delete events on Google calendars you own",
    "calendar.events.owned.readonly": "See the events on Google calendars you own",
    "calendar.events.public.readonly": "See the events on public calendars",
    "calendar.events.freebusy": "See the availability on Google calendars you have access to",
    "calendar.freebusy": "View your availability in your calendars",
    "calendar.app.created": "Make secondary Google calendars, and see, create, change, and delete events on them",
    "calendar.calendarlist": "See, add, and remove Google calendars you are subscribed to",
    "calendar.calendarlist.readonly": "See the list of Google calendars you are subscribed to",
    "calendar.calendars": "See and change the properties of Google calendars you have access to",
    "calendar.calendars.readonly": "See the title, description, and time zone of Google calendars you have access to",
    "calendar.acls": "See and change the sharing permissions of Google calendars you own",
    "calendar.acls.readonly": "See the sharing permissions of Google calendars you own",
    "calendar.settings.readonly": "View your Calendar settings",
}
CODE_SECONDS = 600
ACCESS_TOKEN_SECONDS = 3599
REFRESH_TOKENS_KEPT = 100


class Refused(Exception):
    """A token request that ends in an error body."""

    def __init__(self, error: str, description: str = "", *, status: int = 400) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error} | ({"error_description": description} if description else {})


class AuthorizationRefused(Exception):
    """A request to authorize that Google's own page refuses, without going back to the client."""

    def __init__(self, error: str, explanation: str, *, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.explanation, self.status = error, explanation, status


@dataclass(slots=True)
class Client:
    """An application known to Google."""

    id: str
    secret: str
    # Besides these, any http address on this machine, unless switched off.
    redirect_uris: list[str] = field(default_factory=list)
    any_loopback: bool = True

    def allows(self, redirect_uri: str) -> bool:
        if redirect_uri in self.redirect_uris:
            return True
        parts = urlsplit(redirect_uri)
        return self.any_loopback and parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a client asks of a person."""

    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str
    access_type: str
    prompt: tuple[str, ...]
    include_granted_scopes: bool
    login_hint: str
    code_challenge: str
    code_challenge_method: str


@dataclass(slots=True)
class Code:
    """A consent on its way to the client: good for one exchange."""

    client_id: str
    email: str
    redirect_uri: str
    scopes: list[str]
    challenge: str
    challenge_method: str
    with_refresh_token: bool
    expires_at: float
    used: bool = False


@dataclass(slots=True)
class AccessToken:
    """A bearer token. Times are seconds since 1970."""

    client_id: str
    email: str
    scopes: list[str]
    expires_at: float

    def allows(self, wanted: Iterable[str]) -> bool:
        return any(SCOPE_ROOT + name in self.scopes for name in wanted)


@dataclass(slots=True)
class RefreshToken:
    """What new access tokens are made of until the person or the application takes the consent back."""

    client_id: str
    email: str
    scopes: list[str]


class AuthorizationServer:
    """Google's side of OAuth 2.0, with its memory of who agreed to what."""

    def __init__(self, *, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._lock = threading.RLock()
        self.clients: dict[str, Client] = {}
        self._codes: dict[str, Code] = {}
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, RefreshToken] = {}
        # (client, address) -> scopes agreed to so far.
        self._consents: dict[tuple[str, str], list[str]] = {}

    def add_client(self, client: Client) -> Client:
        self.clients[client.id] = client
        return client

    # Authorizing

    def read_request(self, args: dict[str, str]) -> AuthorizationRequest:
        """:raises AuthorizationRefused: for what Google shows on its own page."""
        client = self.clients.get(args.get("client_id", ""))
        if client is None:
            raise AuthorizationRefused("invalid_client", "The OAuth client was not found.", status=401)
        redirect_uri = args.get("redirect_uri", "")
        if not client.allows(redirect_uri):
            words = f"The redirect URI in the request, {redirect_uri or '(none)'}, does not match the ones authorized."
            raise AuthorizationRefused("redirect_uri_mismatch", words)
        if args.get("response_type") != "code":
            raise AuthorizationRefused("unsupported_response_type", "Only response_type=code is served here.")
        scopes = tuple(dict.fromkeys(_ALIASES.get(scope, scope) for scope in args.get("scope", "").split()))
        if not scopes:
            raise AuthorizationRefused("invalid_request", "Missing required parameter: scope")
        unknown = [scope for scope in scopes if not _is_known(scope)]
        if unknown:
            raise AuthorizationRefused("invalid_scope", f"Some requested scopes were invalid: {' '.join(unknown)}")
        method = args.get("code_challenge_method", "plain")
        if method not in ("plain", "S256"):
            raise AuthorizationRefused("invalid_request", "Invalid code_challenge_method.")
        return AuthorizationRequest(
            client_id=client.id,
            redirect_uri=redirect_uri,
            scopes=scopes,
            state=args.get("state", ""),
            access_type=args.get("access_type", "online"),
            prompt=tuple(args.get("prompt", "").split()),
            include_granted_scopes=args.get("include_granted_scopes") == "true",
            login_hint=args.get("login_hint", ""),
            code_challenge=args.get("code_challenge", ""),
            code_challenge_method=method,
        )

    def agreed_scopes(self, *, client_id: str, email: str) -> list[str]:
        with self._lock:
            return list(self._consents.get((client_id, email), []))

    def consent(self, request: AuthorizationRequest, *, email: str, scopes: Iterable[str]) -> tuple[str, list[str]]:
        """Note what a person agreed to. Return the code for the client, and the scopes it stands for."""
        with self._lock:
            key = (request.client_id, email)
            before = self._consents.get(key, [])
            asked = [scope for scope in request.scopes if scope in set(scopes) or scope in SIGN_IN_SCOPES]
            granted = list(dict.fromkeys([*asked, *(before if request.include_granted_scopes else [])]))
            self._consents[key] = list(dict.fromkeys([*before, *asked]))
            first = not before
            code = "4/0A" + secrets.token_urlsafe(48)
            self._codes[code] = Code(
                client_id=request.client_id,
                email=email,
                redirect_uri=request.redirect_uri,
                scopes=granted,
                challenge=request.code_challenge,
                challenge_method=request.code_challenge_method,
                with_refresh_token=request.access_type == "offline" and (first or "consent" in request.prompt),
                expires_at=self._now() + CODE_SECONDS,
            )
            return code, granted

    # Tokens

    def check_client(self, *, client_id: str, client_secret: str) -> Client:
        """:raises Refused: 401 invalid_client."""
        client = self.clients.get(client_id)
        if client is None:
            raise Refused("invalid_client", "The OAuth client was not found.", status=401)
        if not hmac.compare_digest(client.secret.encode(), client_secret.encode()):
            raise Refused("invalid_client", "Unauthorized", status=401)
        return client

    def exchange_code(self, *, client: Client, code: str, redirect_uri: str, code_verifier: str) -> dict[str, Any]:
        """:raises Refused: 400 invalid_grant, redirect_uri_mismatch."""
        with self._lock:
            known = self._codes.get(code)
            if known is None or known.client_id != client.id:
                raise Refused("invalid_grant", "Malformed auth code.")
            if known.used or known.expires_at <= self._now():
                raise Refused("invalid_grant", "Bad Request")
            if known.redirect_uri != redirect_uri:
                raise Refused("redirect_uri_mismatch", "Bad Request")
            if known.challenge and not _proves(code_verifier, known.challenge, known.challenge_method):
                words = "Invalid code verifier." if code_verifier else "Missing code verifier."
                raise Refused("invalid_grant", words)
            known.used = True
            answer = self._access_token(client_id=client.id, email=known.email, scopes=known.scopes)
            if known.with_refresh_token:
                answer["refresh_token"] = self._refresh_token(
                    client_id=client.id, email=known.email, scopes=known.scopes
                )
            return answer

    def refresh(self, *, client: Client, refresh_token: str) -> dict[str, Any]:
        """:raises Refused: 400 invalid_grant."""
        with self._lock:
            known = self._refresh.get(refresh_token)
            if known is None or known.client_id != client.id:
                raise Refused("invalid_grant", "Token has been expired or revoked.")
            return self._access_token(client_id=client.id, email=known.email, scopes=known.scopes)

    def revoke(self, token: str) -> None:
        """
        Take back everything the token's person agreed to with its client.

        :raises Refused: 400 invalid_token.
        """
        with self._lock:
            known = self._access.get(token) or self._refresh.get(token)
            if known is None:
                raise Refused("invalid_token", "Token expired or revoked")
            self.forget(email=known.email, client_id=known.client_id)

    def forget(self, *, email: str | None = None, client_id: str | None = None) -> None:
        """End the grants of a person, of a client, of both, or all."""
        with self._lock:

            def ends(entry_client: str, entry_email: str) -> bool:
                return email in (None, entry_email) and client_id in (None, entry_client)

            self._access = {key: row for key, row in self._access.items() if not ends(row.client_id, row.email)}
            self._refresh = {key: row for key, row in self._refresh.items() if not ends(row.client_id, row.email)}
            self._consents = {key: scopes for key, scopes in self._consents.items() if not ends(*key)}

    def expire_access_tokens(self, *, email: str | None = None) -> None:
        with self._lock:
            for token in self._access.values():
                if email in (None, token.email):
                    token.expires_at = 0

    def grant(self, *, client_id: str, account: Account, scopes: Iterable[str]) -> dict[str, Any]:
        """Return tokens as if the person had just agreed to the scopes on the consent page."""
        with self._lock:
            wanted = list(dict.fromkeys(_ALIASES.get(scope, scope) for scope in scopes))
            before = self._consents.get((client_id, account.email), [])
            self._consents[client_id, account.email] = list(dict.fromkeys([*before, *wanted]))
            answer = self._access_token(client_id=client_id, email=account.email, scopes=wanted)
            refresh_token = self._refresh_token(client_id=client_id, email=account.email, scopes=wanted)
            return answer | {"refresh_token": refresh_token, "sub": account.sub}

    def live_token(self, token: str) -> AccessToken | None:
        """Return an access token that still works."""
        with self._lock:
            known = self._access.get(token)
            return known if known is not None and known.expires_at > self._now() else None

    def userinfo(self, token: AccessToken) -> dict[str, Any]:
        account = self._directory.accounts[token.email]
        info: dict[str, Any] = {"sub": account.sub}
        if SCOPE_ROOT + "userinfo.profile" in token.scopes:
            given, _, family = account.name.partition(" ")
            info |= {"name": account.name, "given_name": given} | ({"family_name": family} if family else {})
        if SCOPE_ROOT + "userinfo.email" in token.scopes:
            info |= {"email": account.email, "email_verified": True}
            if not account.domain.endswith(("gmail.com", "googlemail.com")):
                info["hd"] = account.domain
        return info

    def grants(self) -> list[dict[str, Any]]:
        """Return who has agreed to what, for a look from outside; no tokens."""
        with self._lock:
            return [
                {"client_id": client_id, "email": email, "scopes": scopes}
                for (client_id, email), scopes in self._consents.items()
            ]

    # The life of the server

    def clear(self) -> None:
        with self._lock:
            for memory in (self._codes, self._access, self._refresh, self._consents):
                memory.clear()

    def dump(self) -> dict[str, Any]:
        with self._lock:
            return {
                "access": {key: asdict(row) for key, row in self._access.items()},
                "refresh": {key: asdict(row) for key, row in self._refresh.items()},
                "consents": [[*key, scopes] for key, scopes in self._consents.items()],
            }

    def load(self, state: dict[str, Any]) -> None:
        with self._lock:
            self._access = {key: AccessToken(**row) for key, row in state["access"].items()}
            self._refresh = {key: RefreshToken(**row) for key, row in state["refresh"].items()}
            self._consents = {(client_id, email): scopes for client_id, email, scopes in state["consents"]}

    def _access_token(self, *, client_id: str, email: str, scopes: list[str]) -> dict[str, Any]:
        token = "ya29.a0" + secrets.token_urlsafe(60)
        self._access[token] = AccessToken(
            client_id=client_id, email=email, scopes=list(scopes), expires_at=self._now() + ACCESS_TOKEN_SECONDS
        )
        return {
            "access_token": token,
            "expires_in": ACCESS_TOKEN_SECONDS,
            "scope": " ".join(sorted(scopes)),
            "token_type": "Bearer",
        }

    def _refresh_token(self, *, client_id: str, email: str, scopes: list[str]) -> str:
        token = "1//0" + secrets.token_urlsafe(60)
        self._refresh[token] = RefreshToken(client_id=client_id, email=email, scopes=list(scopes))
        mine = [key for key, row in self._refresh.items() if (row.client_id, row.email) == (client_id, email)]
        for old in mine[:-REFRESH_TOKENS_KEPT]:
            del self._refresh[old]
        return token

    def _now(self) -> float:
        return self._clock.now().timestamp()


def words_for(scope: str) -> str:
    return SCOPE_WORDS.get(scope.removeprefix(SCOPE_ROOT), scope)


def _is_known(scope: str) -> bool:
    return scope in SIGN_IN_SCOPES or (scope.startswith(SCOPE_ROOT) and len(scope) > len(SCOPE_ROOT))


def _proves(verifier: str, challenge: str, method: str) -> bool:
    if method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        verifier = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return hmac.compare_digest(verifier.encode(), challenge.encode())
