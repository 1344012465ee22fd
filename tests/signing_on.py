"""Helpers for tests of single sign-on: an organization that signs in at a provider, and its users."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from models.access import Permission, console_operator
from models.people import User
from models.session import transaction
from tasks.sign_on.commands import Terms, checked, set_provider
from tests.provider import CLIENT, SECRET, Provider, sign_in_at
from tests.scenes import Scene, rows
from tests.web import make_user, visitor

ROLES = {"training-admins": [Permission.COURSES], "hr": [Permission.USERS]}


def use(scene: Scene, provider: Provider, **terms: Any) -> None:
    """Have the organization sign in at the provider."""
    chosen = Terms(provider.issuer, CLIENT, terms.pop("name", "Keycloak"), **terms)
    with ThreadPoolExecutor(1) as thread:  # Playwright runs an event loop in this one
        thread.submit(checked, chosen).result()
    with transaction() as session:
        set_provider(session, console_operator(scene.organization), chosen, SECRET)


def use_roles(scene: Scene, provider: Provider, **terms: Any) -> None:
    """Have the provider's groups decide permissions."""
    use(scene, provider, roles_claim="groups", roles=ROLES, **terms)


def user_here(scene: Scene, name: str, *permissions: Permission) -> User:
    """Add a user whom the provider knows as `name`."""
    return make_user(scene.organization.id, f"{name}@acme.example", *permissions, name=name.title())


def signed_on(base: str, provider: Provider, who: str, slug: str = "acme") -> httpx.Client:
    """Return a browser that has signed in at the provider."""
    browser = visitor(base)
    answer = sign_in_at(provider, browser, f"/sign-on/{slug}", who)
    assert answer.status_code == 303, answer.text
    return browser


def is_signed_in(browser: httpx.Client) -> bool:
    return browser.get("/my/training").status_code == 200


def permissions_of(user: User) -> list[str]:
    return list(rows('SELECT permissions FROM "user" WHERE id = :id', id=user.id)[0][0])


def audit_of(action: str) -> list[Any]:
    return list(rows("SELECT actor, subject, details FROM audit WHERE action = :action ORDER BY id", action=action))
