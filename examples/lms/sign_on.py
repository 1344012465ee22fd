"""Signing in to the LMS at the provider that Recourse uses too: whoever is signed in to one is not asked again."""

import secrets

import settings
from authlib.integrations.flask_client import OAuth
from flask import Blueprint, Flask, Response, redirect, session, url_for

pages = Blueprint("sign_on", __name__)
oauth = OAuth()


def add_to(app: Flask) -> None:
    """Add the pages to the LMS, if it has a provider."""
    if not settings.ISSUER:
        return
    app.secret_key = settings.SESSION_KEY or secrets.token_bytes(32)
    app.config["SESSION_COOKIE_NAME"] = "lms"
    oauth.init_app(app)
    oauth.register(
        "provider",
        server_metadata_url=f"{settings.ISSUER.rstrip('/')}/.well-known/openid-configuration",
        client_id=settings.CLIENT_ID,
        client_secret=settings.CLIENT_SECRET,
        client_kwargs={"scope": "openid email profile", "code_challenge_method": "S256"},
    )
    app.register_blueprint(pages)


@pages.get("/me")
def me() -> str:
    """Who is signed in, with a way to their training in Recourse."""
    if "name" not in session:
        return f"<p><a href={url_for('sign_on.begin')!r}>Sign in</a></p>"
    training = f"{settings.RECOURSE}/sign-on/{settings.ORGANIZATION}"
    return f"<p>You are {session['name']}. <a href={training!r}>My training in Recourse</a></p>"


@pages.get("/sign-in")
def begin() -> Response:
    """Go to the provider."""
    answer: Response = oauth.provider.authorize_redirect(url_for("sign_on.finish", _external=True))
    return answer


@pages.get("/signed-in")
def finish() -> Response:
    """Come back from the provider. Authlib checks the state, the nonce and the ID token."""
    token = oauth.provider.authorize_access_token()
    session["name"] = token["userinfo"]["name"]
    return redirect(url_for("sign_on.me"))  # type: ignore[return-value]
