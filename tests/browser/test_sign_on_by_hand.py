"""Single sign-on as people use it: in, a role taken away, and out."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from models.session import transaction
from tasks.sign_on.commands import turn_passwords_off
from tests.provider import Provider
from tests.scenes import Scene, make_scene
from tests.signing_on import use_roles, user_here

Open = Callable[..., Page]
Axe = Callable[[Page], list[str]]


@pytest.fixture
def provider(served: str, set_up: Callable[..., None]) -> Iterator[Provider]:
    set_up(webhook_allow_private="true", public_url=served)
    with Provider() as one:
        one.serves(served)
        one.knows("kim", groups=["training-admins", "hr"])
        yield one


@pytest.fixture
def scene(provider: Provider) -> Scene:
    scene = make_scene(learners=3)
    use_roles(scene, provider)
    user_here(scene, "kim")
    return scene


def sign_in_there(page: Page, who: str) -> None:
    page.get_by_role("link", name="Sign in with Keycloak").click()
    expect(page.get_by_role("heading", name="Sign in at the provider")).to_be_visible()
    page.get_by_label("Who are you?").fill(who)
    page.get_by_role("button", name="Sign in there").click()


def test_signing_in_at_the_provider_losing_a_role_there_and_signing_out(
    served: str, scene: Scene, provider: Provider, open_page: Open, axe: Axe
) -> None:
    page = open_page("/training/content/courses")
    expect(page).to_have_url(f"{served}/sign-in?next=/training/content/courses")
    assert axe(page) == []
    sign_in_there(page, "kim")
    page.wait_for_url("**/training/content/courses")
    navigation = page.get_by_role("navigation", name="Main")
    expect(navigation.get_by_role("link", name="Users")).to_be_visible()
    # A role taken away there is gone here at the next request
    provider.knows("kim", groups=["training-admins"])
    page.goto("/users")
    expect(page.get_by_text("You need the permission “Platform management: Users”")).to_be_visible()
    page.goto("/training/content/courses")
    expect(navigation.get_by_role("link", name="Training", exact=True)).to_be_visible()
    expect(navigation.get_by_role("link", name="Users")).to_have_count(0)
    # Signing out leads over the provider back to the sign-in page, and there they are signed out too
    page.get_by_text("Kim", exact=True).click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{served}/sign-in")
    page.get_by_role("link", name="Sign in with Keycloak").click()
    expect(page.get_by_role("heading", name="Sign in at the provider")).to_be_visible()


def test_a_session_ended_there_ends_here_and_signing_in_again_asks_nothing_while_one_is_open(
    served: str, scene: Scene, provider: Provider, open_page: Open
) -> None:
    page = open_page("/sign-in")
    sign_in_there(page, "kim")
    page.wait_for_url("**/training/content/courses")
    # The provider still knows the browser, so the second time is one click
    page.context.clear_cookies(name="recourse")
    page.goto("/my/inbox")
    page.get_by_role("link", name="Sign in with Keycloak").click()
    page.wait_for_url("**/my/inbox")
    assert set(provider.end_sessions_of("kim")) == {200}
    page.reload()
    expect(page).to_have_url(f"{served}/sign-in?next=/my/inbox")


def test_whoever_is_unknown_is_told_so_and_passwords_off_leaves_one_way(
    served: str, scene: Scene, provider: Provider, open_page: Open, axe: Axe
) -> None:
    provider.knows("stranger", email="stranger@elsewhere.example")
    page = open_page("/sign-in")
    expect(page.get_by_label("Password")).to_be_visible()
    sign_in_there(page, "stranger")
    expect(page.get_by_role("alert")).to_contain_text("Keycloak knows you as Stranger")
    assert axe(page) == []
    page = open_page("/sign-in")
    sign_in_there(page, "kim")
    page.wait_for_url("**/training/content/courses")
    with transaction() as session:
        turn_passwords_off(session, scene.admin)
    page.goto("/my/settings")
    expect(page.get_by_text("Passwords are turned off. You sign in with Keycloak.")).to_be_visible()
    assert axe(page) == []
    page = open_page("/sign-in", width=390)
    expect(page.get_by_role("link", name="Sign in with Keycloak")).to_be_visible()
    expect(page.get_by_label("Password")).to_have_count(0)
    assert axe(page) == []


def test_someone_of_several_organizations_names_theirs_first(
    served: str, scene: Scene, provider: Provider, open_page: Open, axe: Axe
) -> None:
    make_scene("globex", learners=1)
    page = open_page("/sign-in?next=/my/inbox")
    assert axe(page) == []
    page.get_by_label("Short name").fill("acme")
    page.get_by_role("button", name="Continue").click()
    sign_in_there(page, "kim")
    page.wait_for_url("**/my/inbox")


def test_the_provider_is_down(scene: Scene, provider: Provider, open_page: Open, axe: Axe) -> None:
    page = open_page("/sign-in")
    sign_in_there(page, "kim")
    page.wait_for_url("**/training/content/courses")
    from flask import Response

    from tests.scenes import run

    provider.before = lambda _: Response("down", 503)
    run("UPDATE provider_session SET checked_at = checked_at - interval '10 minutes'")
    page.goto("/training/content/courses")
    expect(page.get_by_text("cannot be checked")).to_be_visible()
    assert axe(page) == []
    page.goto("/my/training")
    expect(page.get_by_role("heading", name="My training")).to_be_visible()
