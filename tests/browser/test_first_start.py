"""Set up an empty installation, in a real Chromium and by command."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page

from tests.conftest import PROJECT
from tests.scenes import ask, make_scene, rows, run
from tests.web_apps import WebApp
from tests.workers import until

PASSWORD = "correct horse battery staple"


def way_in(app: WebApp) -> str:
    """Return the path and query of the set-up address in the app's log."""
    until(lambda: b"first_start" in app.log.read_bytes(), 15)
    (line,) = [line for line in app.log.read_text().splitlines() if '"first_start"' in line]
    return str(json.loads(line)["address"]).split("8000", 1)[1]


def form_of(app: WebApp, path: str) -> dict[str, str]:
    page = app.get(path)
    assert page.status_code == 200, page.text
    fields = dict(re.findall(r'name="(csrf|token)" value="([^"]*)"', page.text))
    return fields | {
        "name": "Acme Ltd", "slug": "acme", "admin_name": "Kim Khan", "email": "kim@acme.example", "password": PASSWORD,
    }  # fmt: skip


@pytest.mark.usefixtures("database")
def test_the_address_in_the_log_creates_the_first_organization_and_signs_in(
    open_page: Callable[..., Page], axe: Callable[[Page], list[str]], tmp_path: Path
) -> None:
    app = WebApp(PROJECT, tmp_path)
    try:
        page = open_page(f"{app.url}/sign-in")
        page.get_by_role("heading", name="Recourse is not set up yet").wait_for()
        assert axe(page) == []
        page.goto(app.url + way_in(app))
        assert axe(page) == []
        page.get_by_label("Organization name").fill("Acme Ltd")
        page.get_by_label("Short name").fill("acme")
        page.get_by_label("Your name").fill("  ")
        page.get_by_label("Your e-mail address").fill("kim@acme.example")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Create organization").click()
        # The refusal is shown, and the fields keep their values
        page.get_by_role("alert").filter(has_text="A name is missing").wait_for()
        assert page.get_by_label("Short name").input_value() == "acme"
        assert axe(page) == []
        page.get_by_label("Your name").fill("Kim Khan")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Create organization").click()
        page.wait_for_url("**/users")
        page.get_by_role("link", name="Kim Khan").wait_for()
        assert rows("SELECT slug, name FROM organization") == [("acme", "Acme Ltd")]
        assert rows("SELECT actor, action FROM audit ORDER BY id") == [("first start", "organization.added")]
        # The address no longer works, and its token is deleted
        assert app.get(way_in(app)).status_code == 404
        assert ask("SELECT count(*) FROM first_start_token") == 0
    finally:
        app.stop()


@pytest.mark.usefixtures("database")
def test_of_two_simultaneous_requests_one_creates_an_organization(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    apps = [WebApp(PROJECT, folder) for folder in folders]
    try:
        ways = [way_in(app) for app in apps]
        assert ways[0] != ways[1], "each has a token of its own"
        assert ask("SELECT count(*) FROM first_start_token WHERE encode(token_hash, 'escape') LIKE '%token%'") == 0
        # Each process accepts either token
        forms = [form_of(apps[1], ways[0]), form_of(apps[0], ways[1]) | {"slug": "globex"}]
        begin = threading.Barrier(2)

        def send(app: WebApp, form: dict[str, str]) -> int:
            begin.wait()
            return httpx.post(f"{app.url}/first-start", data=form, timeout=20).status_code

        with ThreadPoolExecutor() as pool:
            assert sorted(pool.map(send, reversed(apps), forms)) == [303, 404]
        assert ask("SELECT count(*) FROM organization") == 1
        assert ask('SELECT count(*) FROM "user"') == 1
    finally:
        for app in apps:
            app.stop()


@pytest.mark.usefixtures("database")
def test_a_token_ends_with_the_first_organization_or_after_a_day(tmp_path: Path, subtests: pytest.Subtests) -> None:
    app = WebApp(PROJECT, tmp_path)
    try:
        path = way_in(app)
        with subtests.test("after a day it is void"):
            run("UPDATE first_start_token SET created_at = now() - interval '25 hours'")
            assert app.get(path).status_code == 404
            run("UPDATE first_start_token SET created_at = now()")
            assert app.get(path).status_code == 200
        with subtests.test("a guess is void"):
            assert app.get("/first-start?token=guess").status_code == 404
            assert app.get("/first-start").status_code == 404
        with subtests.test("once an organization exists, however it was created"):
            form = form_of(app, path)
            make_scene(learners=1)
            assert app.get(path).status_code == 404
            assert httpx.post(f"{app.url}/first-start", data=form).status_code == 404
            assert ask("SELECT count(*) FROM organization") == 1
            assert "not set up yet" not in app.get("/sign-in").text
    finally:
        app.stop()
    with subtests.test("and no address is logged any more"):
        (tmp_path / "later").mkdir()
        later = WebApp(PROJECT, tmp_path / "later")
        later.get("/sign-in")
        later.stop()
        assert "first_start" not in later.log.read_text()


def recourse(*words: str, said: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words], cwd=PROJECT, input=said, capture_output=True, text=True, check=False
    )


def test_an_organization_is_added_renamed_and_listed_by_command(served: str, subtests: pytest.Subtests) -> None:
    add = ("organization", "add", "acme", "--name", "Acme Ltd", "--admin", "kim@acme.example")
    with subtests.test("without a terminal, a generated password works"):
        done = recourse(*add, "--admin-name", "Kim Khan", "--time-zone", "Europe/Zurich")
        assert done.returncode == 0, done.stderr
        password = done.stdout.split("shown only now: ")[1].strip()
        with httpx.Client(base_url=served, follow_redirects=True) as browser:
            token = re.search(r'name="csrf" value="([^"]+)"', browser.get("/sign-in").text)
            assert token
            form = {"csrf": token[1], "organization": "acme", "email": "kim@acme.example", "password": password}
            assert "My training" in browser.post("/sign-in", data=form).text
        assert rows('SELECT name, time_zone, cardinality(permissions) FROM "user"') == [
            ("Kim Khan", "Europe/Zurich", 2)
        ]
    with subtests.test("a password is read from standard input"):
        done = recourse("organization", "add", "globex", "--name", "Globex", "--admin", "a@globex.example",
                        "--password-stdin", said=f"{PASSWORD}\n")  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert PASSWORD not in done.stdout
    with subtests.test("renamed and listed"):
        assert recourse("organization", "rename", "globex", "--name", "Globex Inc").returncode == 0
        found = json.loads(recourse("organization", "list", "--json").stdout)
        assert [(one["slug"], one["name"], one["users"]) for one in found] == [
            ("acme", "Acme Ltd", 1),
            ("globex", "Globex Inc", 1),
        ]
        assert found[0]["admins"] == [{"email": "kim@acme.example", "can_sign_in": True}]
        actions = [action for (action,) in rows("SELECT action FROM audit ORDER BY id")]
        assert actions == ["organization.added", "organization.added", "organization.renamed"]
    for words, sentence in {
        add: "An organization with the short name 'acme' already exists",
        ("organization", "add", "Acme!", *add[3:]): "lower-case letters, digits and hyphens",
        ("organization", "add", "other", "--name", " ", *add[5:]): "A name is missing",
        ("organization", "add", "other", *add[3:6], "kim"): "is not an e-mail address",
        ("organization", "add", "other", *add[3:], "--time-zone", "Mars"): "There is no time zone 'Mars'",
        ("organization", "rename", "nobody", "--name", "x"): "There is no organization 'nobody'",
    }.items():
        with subtests.test(words=words):
            done = recourse(*words)
            assert done.returncode == 2, done.stdout
            assert sentence in done.stderr
            assert "Traceback" not in done.stderr
    assert ask("SELECT count(*) FROM organization") == 2
    with subtests.test("commands about a user need no organization"):
        done = recourse("token", "create", "a@globex.example", "--name", "x", "--scope", "resets:read")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("rcs_")
