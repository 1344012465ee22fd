"""An OpenID Connect provider on loopback: Authlib's server, with sign-in, sign-out and back-channel logout.

It is on `localhost`, and the web app on `127.0.0.1`: to a browser, these are two sites.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

import httpx
from flask import Flask, Response, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from werkzeug.serving import make_server

os.environ.setdefault("AUTHLIB_INSECURE_TRANSPORT", "1")  # for its server; the client has rules of its own

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from authlib.oidc.core.util import create_half_hash

CLIENT, SECRET = "recourse", "the secret of the client: ä+%&="
LOGOUT = "http://schemas.openid.net/event/backchannel-logout"
FORM = (
    "<!doctype html><title>The provider</title><h1>Sign in at the provider</h1>"
    '<form method="post"><label>Who are you? <input name="who"></label><button>Sign in there</button></form>'
)


@dataclass
class Account:
    """Someone whom the provider knows."""

    name: str
    claims: dict[str, Any]
    disabled: bool = False


@dataclass
class Client(ClientMixin):
    """A registered client."""

    id: str
    secret: str
    redirect_uris: set[str] = field(default_factory=set)
    back_channel: str | None = None

    def get_client_id(self) -> str:
        return self.id

    def get_default_redirect_uri(self) -> str | None:
        return None

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == self.secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_post", "client_secret_basic")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


@dataclass
class Code:
    """A code that was issued."""

    code: str
    client: Client
    who: Account
    sid: str
    redirect_uri: str
    scope: str
    nonce: str | None
    code_challenge: str | None
    code_challenge_method: str | None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


@dataclass
class Issued:
    """The tokens of a sign-in."""

    client: Client
    who: Account
    sid: str
    scope: str
    refresh: str | None = None
    used: bool = False

    def check_client(self, client: Client) -> bool:
        return client is self.client

    def get_scope(self) -> str:
        return self.scope


class Provider:
    """A context manager. Its accounts, and whatever it does wrong, are the test's."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.clients = {CLIENT: Client(CLIENT, SECRET)}
        self.keys = [RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})]
        self.signing_key = self.keys[0]
        self.requests: list[str] = []
        self.before: Callable[[str], Response | None] = lambda _: None  # it may sleep, or answer
        self.spoil: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims  # of ID tokens
        self.document: dict[str, Any] = {}  # what differs in its document
        self.lasts = 3600  # seconds, of access tokens
        self.gives_refresh_tokens = True
        self._codes: dict[str, Code] = {}
        self._access: dict[str, tuple[Issued, float]] = {}
        self._refresh: dict[str, Issued] = {}
        self._browsers: dict[str, tuple[str, Account]] = {}  # sid and account by cookie
        where = socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)[0][4][0]
        self._server = make_server(str(where), 0, self._app(), threaded=True)
        self._server.daemon_threads = True
        self.issuer = f"http://localhost:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def knows(self, name: str, **claims: Any) -> Account:
        """Add an account with a verified address, or change its claims."""
        account = self.accounts.setdefault(name, Account(name, {"sub": f"id-of-{name}"}))
        account.claims |= {"email": f"{name}@acme.example", "email_verified": True, "name": name.title()} | claims
        return account

    def serves(self, base: str, slug: str = "acme", client: str = CLIENT) -> None:
        """Register the addresses of the web app at `base`."""
        self.clients[client].redirect_uris.add(f"{base}/sign-on/{slug}/callback")
        self.clients[client].back_channel = f"{base}/sign-on/{slug}/logout"

    def rotate_keys(self) -> None:
        """Sign with a new key; the old one is gone."""
        self.keys = [RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})]
        self.signing_key = self.keys[0]

    def end_sessions_of(self, name: str, *, tell: bool = True) -> list[int]:
        """End the account's sessions. Returns what the clients answered."""
        who = self.accounts[name]
        gone = {issued.sid: issued.client for issued in self._refresh.values() if issued.who is who}
        gone |= {issued.sid: issued.client for issued, _ in self._access.values() if issued.who is who}
        self._browsers = {key: one for key, one in self._browsers.items() if one[1] is not who}
        self._refresh = {key: one for key, one in self._refresh.items() if one.who is not who}
        self._access = {key: one for key, one in self._access.items() if one[0].who is not who}
        return [self._tell(client, self.logout_token(client, who, sid)) for sid, client in gone.items() if tell]

    def logout_token(self, client: Client, who: Account, sid: str | None, **other: Any) -> str:
        """Returns a logout token."""
        claims = {"iss": self.issuer, "aud": client.id, "iat": int(time.time()), "exp": int(time.time()) + 120}
        claims |= {"jti": secrets.token_hex(8), "sub": who.claims["sub"], "events": {LOGOUT: {}}}
        claims |= ({"sid": sid} if sid else {}) | other
        return self.signed({key: value for key, value in claims.items() if value is not None}, typ="logout+jwt")

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        """Returns a token with these claims."""
        key = self.signing_key
        return jwt.encode({"alg": "RS256", "kid": key.kid, **header}, claims, key)

    def _tell(self, client: Client, token: str) -> int:
        if client.back_channel is None:
            return 0
        return httpx.post(client.back_channel, data={"logout_token": token}, timeout=20).status_code

    def _app(self) -> Flask:
        app = Flask(__name__)
        app.config["OAUTH2_REFRESH_TOKEN_GENERATOR"] = True
        server = AuthorizationServer(app, query_client=self.clients.get, save_token=lambda token, of: None)
        server.register_grant(_code_grant(self), [CodeChallenge(required=True), _IdTokens(self)])
        server.register_grant(_refresh_grant(self), [_IdTokens(self)])

        @app.before_request
        def note() -> Response | None:
            self.requests.append(request.path)
            return self.before(request.path)

        @app.get("/.well-known/openid-configuration")
        def document() -> Response:
            paths = {"authorization": "authorize", "token": "token", "userinfo": "userinfo", "end_session": "logout"}
            found: dict[str, Any] = {f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in paths.items()}
            found |= {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", "backchannel_logout_supported": True}
            found |= {"token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"]}
            return jsonify({name: value for name, value in (found | self.document).items() if value is not None})

        @app.get("/keys")
        def keys() -> Response:
            return jsonify(KeySet(list(self.keys)).as_dict(private=False))

        @app.route("/authorize", methods=["GET", "POST"])
        def authorize() -> Any:
            assert request.args["code_challenge_method"] == "S256"
            browser = request.cookies.get("the-provider", "")
            if request.method == "POST":
                browser = secrets.token_hex(16)
                self._browsers[browser] = (secrets.token_hex(8), self.accounts[request.form["who"]])
            if browser not in self._browsers:
                return FORM
            sid, who = self._browsers[browser]
            try:
                grant = server.get_consent_grant(end_user=who)
                grant.request.sid = sid
            except OAuth2Error as error:
                return server.handle_error_response(None, error)
            answer = server.create_authorization_response(grant.request, grant_user=who, grant=grant)
            answer.set_cookie("the-provider", browser, httponly=True)
            return answer

        @app.post("/token")
        def token() -> Any:
            return server.create_token_response()

        @app.get("/userinfo")
        def userinfo() -> Any:
            issued, until = self._access.get(request.headers.get("Authorization", "")[7:], (None, 0.0))
            if issued is None or until < time.time() or issued.who.disabled:
                return jsonify(error="invalid_token"), 401
            return jsonify(issued.who.claims)

        @app.get("/logout")
        def logout() -> Any:
            browser = request.cookies.get("the-provider", "")
            sid, who = self._browsers.pop(browser, (None, None))
            if who is not None:
                hint = jwt.decode(request.args["id_token_hint"], KeySet(list(self.keys)))
                assert hint.claims["sub"] == who.claims["sub"]
                for client in self.clients.values():
                    self._tell(client, self.logout_token(client, who, sid))
            answer = redirect(request.args["post_logout_redirect_uri"])
            answer.delete_cookie("the-provider")
            return answer

        return app

    def keep(self, token: dict[str, Any], issued: Issued) -> None:
        """Remember the tokens of an answer."""
        token["expires_in"] = self.lasts
        self._access[token["access_token"]] = (issued, time.time() + self.lasts)
        if not self.gives_refresh_tokens:
            token.pop("refresh_token", None)
        if refresh := token.get("refresh_token"):
            self._refresh[refresh] = issued


class _IdTokens(OpenIDCode):
    def __init__(self, provider: Provider) -> None:
        super().__init__(require_nonce=True)
        self._provider = provider

    def exists_nonce(self, nonce: str, request: Any) -> bool:
        return False

    def process_token(self, grant: Any, response: Any) -> Any:
        token, issued, code = response[1], grant.issued, getattr(grant.request, "authorization_code", None)
        self._provider.keep(token, issued)
        now = int(time.time())
        claims = {
            "iss": self._provider.issuer,
            "aud": issued.client.id,
            "iat": now,
            "exp": now + 300,
            "sid": issued.sid,
            "at_hash": create_half_hash(token["access_token"], "RS256").decode(),
        }
        claims |= issued.who.claims | ({"nonce": code.nonce} if code else {})
        token["id_token"] = self._provider.signed(self._provider.spoil(claims))
        return token


def _code_grant(provider: Provider) -> type[AuthorizationCodeGrant]:
    class Grant(AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post", "client_secret_basic")

        def save_authorization_code(self, code: str, request: Any) -> None:
            sent = request.payload.data
            provider._codes[code] = Code(
                code,
                request.client,
                request.user,
                request.sid,
                sent["redirect_uri"],
                sent["scope"],
                sent.get("nonce"),
                sent.get("code_challenge"),
                sent.get("code_challenge_method"),
            )

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            found = provider._codes.get(code)
            return found if found and found.client is client else None

        def delete_authorization_code(self, authorization_code: Code) -> None:
            provider._codes.pop(authorization_code.code, None)

        def authenticate_user(self, authorization_code: Code) -> Account | None:
            one = authorization_code
            self.issued = Issued(one.client, one.who, one.sid, one.scope)
            return None if one.who.disabled else one.who

    return Grant


def _refresh_grant(provider: Provider) -> type[RefreshTokenGrant]:
    class Grant(RefreshTokenGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_post", "client_secret_basic")
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token: str) -> Issued | None:
            self.issued = provider._refresh.pop(refresh_token, None)  # each can be used once
            return None if self.issued is None or self.issued.who.disabled else self.issued

        def authenticate_user(self, refresh_token: Issued) -> Account:
            return refresh_token.who

        def revoke_old_credential(self, refresh_token: Issued) -> None:
            pass

    return Grant


def sign_in_at(provider: Provider, browser: httpx.Client, start: str, who: str) -> httpx.Response:
    """Follow the sign-in from the web app's page `start` as this account. Returns the answer to the callback."""
    begun = browser.get(start, follow_redirects=False)
    assert begun.status_code == 303, begun.text
    return browser.get(answer_of(provider, begun.headers["location"], who), follow_redirects=False)


def answer_of(provider: Provider, url: str, who: str) -> str:
    """Returns where the provider sends a browser that signs in there as this account."""
    answer = httpx.post(url, data={"who": who}, follow_redirects=False, timeout=20)
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


def address(base: str, **values: str) -> str:
    """Returns the address with this query."""
    return f"{base}?{urlencode(values)}"
