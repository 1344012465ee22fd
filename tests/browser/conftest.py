"""A real Chromium, and users who sign in with it."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from models.heartbeat import BEAT, leave_heartbeat
from models.people import User
from models.session import transaction
from models.sign_in import set_password
from tests.scenes import run

PASSWORD = "correct horse battery staple"
SignIn = Callable[..., Page]
RUN = """async ({within, options}) =>
  typeof axe === "undefined" ? null : (await axe.run(within ?? document, options)).violations"""


@pytest.fixture
def open_page(chromium: Browser, served: str, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open a page with nobody signed in. The test fails if a script or the content security policy complains."""
    complaints: list[str] = []
    contexts = []

    def open_(path: str = "/", *, width: int = 1280, scripts: bool = True, light: str = "light") -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, base_url=served, java_script_enabled=scripts, color_scheme=light
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda it: complaints.append(it.text) if it.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield open_
    for number, context in enumerate(contexts):
        for page in context.pages:
            page.screenshot(path=tmp_path / f"{number}.png", full_page=True)  # pytest keeps the last folders
        context.close()
    # The browser and htmx report error responses here; those are not faults of the page.
    errors = ("the server responded with a status of 4", "responded with a status of 503", "Response Status Error Code")
    assert [text for text in complaints if not any(error in text for error in errors)] == []


@pytest.fixture
def sign_in(open_page: Callable[..., Page]) -> SignIn:
    """Sign in with this e-mail address through the form, and wait for the first page."""

    def as_(email: str, **options: object) -> Page:
        with transaction() as session:
            for user in session.scalars(select(User).where(User.email == email)):
                set_password(session, user, PASSWORD)
            leave_heartbeat(session, BEAT)
        run("UPDATE heartbeat SET at = at + interval '1 h'")  # no banner, however long the test takes
        page = open_page("/sign-in", **options)
        if page.get_by_label("Organization").count():
            page.get_by_label("Organization").fill(email.partition("@")[2].removesuffix(".example"))
        page.get_by_label("E-mail address").fill(email)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(re.compile(r"/(my/training|training/content/courses|users)$"))
        return page

    return as_


@pytest.fixture
def axe() -> Callable[..., list[str]]:
    """Return axe-core's violations on a page, of all rules or of those named: the rule, then the element."""
    source = (Path(__file__).parent / "axe-4.14.1.min.js").read_text()

    def look(page: Page, *rules: str, within: str | None = None) -> list[str]:
        asked = {"within": within, "options": {"resultTypes": ["violations"]}}
        if rules:
            asked["options"] |= {"runOnly": list(rules)}
        found = page.evaluate(RUN, asked)
        if found is None:
            page.evaluate(source)  # not as a script element: the page's policy forbids that
            page.context.add_init_script(source)  # for the next pages
            found = page.evaluate(RUN, asked)
        return [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]

    return look
