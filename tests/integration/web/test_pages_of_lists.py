"""Lists that are searched, filtered, sorted and saved: all of them in the same way."""

import base64
import csv
import html
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import httpx
import pytest

from models.access import Permission
from tests.post import Post
from tests.rules import CALENDAR, make
from tests.scenes import COURSE, OTHER_COURSE, Scene, ask, fail_for, let_all_pass, make_scene, rows, run
from tests.web import make_user, visitor

LEARNERS = 23
ON_A_PAGE = 9


@dataclass(frozen=True)
class List:
    path: str
    file: str  # the address of its CSV
    key: str  # the column of the CSV that names a row
    named: str  # what names it on the page
    columns: dict[str, str]  # those that it can be sorted by, with those of the CSV that show it; empty if none does
    table: str  # what counts its rows, in SQL


USER = r'<th scope="row"><a [^>]*href="/users/(\d+)/'
CODE = r'<td class="tight"><code>([^<]+)</code>'
FIGURES = {"assigned": "assigned", "not_started": "not_started", "in_progress": "in_progress", "completed": "completed"}
OF_COURSES = {"code": "code", "title": "title", **FIGURES, "completion": "rate"}
LISTS = {
    "users": List(
        "/users", "/users.csv", "id", USER, {"name": "name", "email": "email", "added": "added"}, '"user"'
    ),
    "courses": List(
        "/training/content/courses", "/training/content/courses.csv", "code", CODE, OF_COURSES, "course"
    ),
    "analytics": List("/training/analytics", "/training/analytics.csv", "code", CODE, OF_COURSES, "course"),
    "analytics of a course": List(
        f"/training/analytics/{COURSE}",
        f"/training/analytics/{COURSE}/users.csv",
        "email",
        r"<td>([^<]+@[^<]+)</td>",
        {"name": "name", "email": "email", "state": "", "progress": "progress_percent"}
        | {"completed": "completed_at", "due": "due_at"},
        "enrolment WHERE course_id = (SELECT min(id) FROM course)",
    ),
    "resets": List(
        "/resets",
        "/resets.csv",
        "id",
        r'<th scope="row"><a href="/resets/([^"]+)"',
        {"requested": "requested_at", "course": "title", "state": "", "learners": "", "requester": "requested_by"},
        "reset",
    ),
    "learners of a reset": List(
        "/resets/{reset}",
        "/resets/{reset}/learners.csv",
        "user_id",
        USER,
        {"number": "", "name": "name", "email": "email"},
        "reset_item WHERE reset_id = '{reset}'",
    ),
    "learners of a running reset": List(
        "/resets/{running}",
        "/resets/{running}/learners.csv",
        "user_id",
        USER,
        {"number": "", "name": "name", "email": "email"},
        "enrolment WHERE course_id = (SELECT min(id) + 1 FROM course)",
    ),
    "rules": List(
        "/rules",
        "/rules.csv",
        "id",
        r'<a href="/rules/([0-9a-f-]{36})"',
        {"course": "course", "name": "name", "state": "", "created": ""},
        "retraining_rule WHERE state <> 'removed'",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Lists:
    browser: httpx.Client
    scene: Scene
    resets: dict[str, str]  # their ids


def copies(table: str, changes: str, many: int = 21) -> None:
    """Copy the only row of the table; `changes` are its different values, as JSON in SQL, where n counts."""
    run(
        f"INSERT INTO {table} SELECT (jsonb_populate_record(one, {changes})).* "
        f"FROM {table} one, generate_series(1, {many}) n WHERE one.id = (SELECT id FROM {table} LIMIT 1)"
    )


@pytest.fixture
def lists(served: str, post: Post, one_by_one: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lists]:
    """An organization with several pages of everything, with equal and missing values; another with some of all."""
    monkeypatch.setattr("web.shown.LINES", ON_A_PAGE)
    scene = make_scene(learners=LEARNERS, completed=12, begun=20)
    run("UPDATE \"user\" SET name = 'n' || id % 5, created_at = timestamptz '2026-01-01' + id % 3 * interval '1 day'")
    run("UPDATE \"user\" SET active = false WHERE id % 11 = 0 AND email LIKE 'learner-%'")
    run("UPDATE enrolment SET due_at = now() + interval '30 days' + id % 4 * interval '1 day' WHERE id % 3 > 0")
    run(
        """INSERT INTO course (organization_id, code, title)
           SELECT :organization, 'C-' || n, 'T' || n % 3 FROM generate_series(1, 20) n""",
        organization=scene.organization.id,
    )
    run(
        """INSERT INTO enrolment (organization_id, user_id, course_id)
           SELECT u.organization_id, u.id, c.id FROM "user" u JOIN course c USING (organization_id)
           WHERE c.code LIKE 'C-%' AND u.id % 7 < c.id % 4"""
    )
    fail_for(scene.enrolments()[0])
    reset = scene.request()
    post.drain()
    let_all_pass()
    run("UPDATE enrolment SET due_at = now() - id % 4 * interval '1 day' - interval '1 hour' WHERE id % 5 = 0")
    copies(
        "reset",
        """jsonb_build_object('id', gen_random_uuid(), 'task_id', gen_random_uuid(), 'counted', true,
           'requested_at', timestamptz '2026-02-01' + n % 4 * interval '1 day', 'reason', 'copy ' || n,
           'learners', nullif(n % 5, 0), 'state', (ARRAY['failed', 'succeeded', 'cancelled'])[1 + n % 3],
           'requested_by', nullif(n % 2, 0) * requested_by)""",
    )
    make(scene, datetime.now(UTC), **CALENDAR, starts="2031-03-01T06:00")
    copies(
        "retraining_rule",
        """jsonb_build_object('id', gen_random_uuid(), 'name', CASE WHEN n % 3 > 0 THEN 'rule ' || n % 4 END,
           'course_id', course_id + n % 2, 'state', (ARRAY['active', 'paused', 'ended', 'removed'])[1 + n % 4])""",
    )
    running = scene.request(course=OTHER_COURSE)
    post.deliver(post.take()[0])
    for letter in post.take()[:8]:
        post.deliver(letter)
    other = make_scene("globex", learners=2)
    other.request()
    make(other, datetime.now(UTC), **CALENDAR, starts="2031-03-01T06:00")
    with visitor(served, scene.admin.user_id) as browser:
        yield Lists(browser, scene, {"reset": str(reset), "running": str(running)})


def walk(browser: httpx.Client, path: str, one: List) -> list[str]:
    """Return what names the rows of all pages."""
    found: list[str] = []
    while path:
        page = browser.get(path)
        assert page.status_code == 200, page.text
        here = re.findall(one.named, page.text.partition("<tbody>")[2])
        assert 0 < len(here) <= ON_A_PAGE
        found += here
        following = re.search(r'href="([^"]+)" rel="next"', page.text)
        path = html.unescape(following[1]) if following else ""
    return found


def table(browser: httpx.Client, path: str) -> list[dict[str, str]]:
    answer = browser.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


def as_value(text: str) -> object:
    return float(text) if re.fullmatch(r"[0-9.]+", text) else text


def test_every_order_has_each_row_once_and_the_file_has_them_all(
    lists: Lists, monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    for setting in ("LINES_AT_ONCE", "SORTED_AT_ONCE"):
        monkeypatch.setattr(f"web.csv_lines.{setting}", 7)
    for name, one in LISTS.items():
        path, file, of = (text.format(**lists.resets) for text in (one.path, one.file, one.table))
        mine = f"{'AND' if 'WHERE' in of else 'WHERE'} organization_id = {lists.scene.organization.id}"
        expected = ask(f"SELECT count(*) FROM {of} {mine if 'reset_id' not in of else ''}")
        assert expected > ON_A_PAGE
        for sort in (way + column for column in one.columns for way in ("", "-")):
            with subtests.test(list=name, sort=sort):
                found = walk(lists.browser, f"{path}?sort={sort}", one)
                assert len(found) == len(set(found)) == expected
                lines = table(lists.browser, f"{file}?sort={sort}")
                assert [line[one.key] for line in lines] == found
                if shows := one.columns[sort.removeprefix("-")]:
                    values = [as_value(line[shows]) for line in lines if line[shows]]
                    assert values == sorted(values, reverse=sort.startswith("-"))  # type: ignore[type-var]
                    assert [line for line in lines if line[shows]] == lines[: len(values)], "nothing comes last"


def test_who_is_open_in_a_running_reset_is_found_in_either_way(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"/resets/{lists.resets['running']}/learners.csv"
    several = [table(lists.browser, f"{address}?{query}") for query in ("sort=name", "sort=name&show=pending", "q=n1")]
    assert [len(lines) for lines in several[:2]] == [LEARNERS, LEARNERS - 8]
    assert {line["name"] for line in several[2]} == {"n1"}
    monkeypatch.setattr("tasks.reset.learner_list.FEW_OPEN", 0)
    assert [
        table(lists.browser, f"{address}?{query}") for query in ("sort=name", "sort=name&show=pending", "q=n1")
    ] == several


def test_a_search_in_a_running_reset_is_repeated_once_it_is_settled(lists: Lists, post: Post) -> None:
    running = lists.resets["running"]

    def has_the_list(query: str) -> bool:
        return 'id="list"' in lists.browser.get(f"/resets/{running}/live?was=before&{query}").text

    assert [has_the_list(query) for query in ("", "sort=name", "q=n1")] == [True, True, False]
    lists.scene.cancel(UUID(running))
    post.drain()
    assert has_the_list("q=n1")


FILTERED = {
    "/users?q=N1": "name = 'n1'",
    "/users?q=%25": "false",
    "/users?state=deactivated&sort=-email": "NOT active",
    f"/training/analytics/{COURSE}?state=overdue": """id IN (SELECT user_id FROM enrolment
        WHERE due_at < now() AND completed_at IS NULL AND course_id = (SELECT min(id) FROM course))""",
    f"/training/analytics/{COURSE}?state=completed&q=n&sort=due": """id IN (SELECT user_id FROM enrolment
        WHERE completed_at IS NOT NULL AND course_id = (SELECT min(id) FROM course))""",
    "/resets/{reset}?show=failed&sort=name": """id IN (SELECT user_id FROM enrolment JOIN reset_item i
        ON i.enrolment_id = enrolment.id WHERE i.state = 'failed')""",
}


def test_a_filter_is_kept_in_every_address_and_leaves_what_matches(lists: Lists, subtests: pytest.Subtests) -> None:
    for address, left in FILTERED.items():
        with subtests.test(address=address):
            path, _, asked = address.format(**lists.resets).partition("?")
            file = "/users.csv" if path == "/users" else f"{path}/{'users' if 'analytics' in path else 'learners'}.csv"
            mine = f"organization_id = {lists.scene.organization.id}"
            expected = {email for (email,) in rows(f'SELECT email FROM "user" WHERE {mine} AND {left}')}
            assert expected or left == "false"
            assert {line["email"] for line in table(lists.browser, f"{file}?{asked}")} == expected
            page = lists.browser.get(f"{path}?{asked}").text
            if expected:
                assert re.search(rf"<p>{len(expected)} (user|learner)s?</p>", page)
                links = [urlsplit(html.unescape(link)) for link in re.findall(r'href="([^"]+)"', page)]
                assert parse_qs(asked) in [parse_qs(link.query) for link in links if link.path == file]
                heads = [html.unescape(link) for link in re.findall(r'class="sort" href="([^"]+)"', page)]
                kept = {name: value for name, value in parse_qs(asked).items() if name != "sort"}
                for head in heads:
                    assert parse_qs(urlsplit(head).query).items() >= kept.items()
                fields = dict(re.findall(r'<input type="hidden" name="(sort|show)" value="([^"]+)"', page))
                assert fields.items() >= {n: v for n, (v,) in parse_qs(asked).items() if n in ("sort", "show")}.items()


def test_a_long_list_is_not_counted_to_its_end(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"<p>{LEARNERS + 1} users, 2 deactivated</p>" in lists.browser.get("/users").text
    monkeypatch.setattr("models.listing.MOST_COUNTED", 20)
    page = lists.browser.get("/users?sort=email").text
    assert "<p>more than 20 users, 2 deactivated</p>" in page
    assert "All users that match, more than 20" in page
    assert "<p>more than 20 resets, " in lists.browser.get("/resets").text
    assert "<p>more than 20 users</p>" in lists.browser.get("/users?q=learner").text
    # And those that match are still found, in order
    found = walk(lists.browser, "/users?q=LEARNER", LISTS["users"])
    assert len(found) == len(set(found)) == LEARNERS


def cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


def test_what_nobody_can_mean_shows_the_list_as_it_usually_is(lists: Lists) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 3000).decode()
    cursors = [cursor(None), cursor("x", 2**63), cursor("\0", 1), cursor([], {}), "%$", "a" * 9000, deep]
    cursors += [cursor(True), cursor("x", True)]
    nonsense: list[dict[str, str]] = [{"sort": sort} for sort in ("-", "--name", "\0", "x" * 900)]
    nonsense += [{name: value} for name in ("state", "kind", "show") for value in ("x", "\0")]
    nonsense += [{"after": after} for after in cursors]
    nonsense += [{"after": cursor(value, "x"), "sort": "completion"} for value in (10**400, float("nan"))]
    nonsense += [{"group": "gone", "course": "gone\0", "q": "\0%_\\'"}]
    for one in LISTS.values():
        path, file = (text.format(**lists.resets) for text in (one.path, one.file))
        usual = re.findall(one.named, lists.browser.get(path).text.partition("<tbody>")[2])
        for query in nonsense:
            answer = lists.browser.get(f"{path}?{urlencode(query)}")
            assert answer.status_code == 200, (path, query)
            if "q" not in query:
                assert re.findall(one.named, answer.text.partition("<tbody>")[2]) == usual, (path, query)
        assert lists.browser.get(f"{file}?{urlencode(nonsense[-1])}").status_code == 200


def test_a_file_is_in_one_language_whoever_asks(lists: Lists) -> None:
    before = table(lists.browser, "/rules.csv")
    run("UPDATE \"user\" SET locale = 'de'")
    assert "Regeln" in lists.browser.get("/rules").text
    assert table(lists.browser, "/rules.csv") == before


def test_a_file_is_for_those_who_may_see_the_list_and_runs_no_formula(lists: Lists, served: str) -> None:
    run("UPDATE \"user\" SET name = '=1+1' WHERE email LIKE 'learner-1@%'")
    assert {line["name"] for line in table(lists.browser, "/users.csv?q=learner-1@acme")} == {"'=1+1"}
    manager = make_user(lists.scene.organization.id, "kim@acme.example", Permission.COURSES)
    with visitor(served, manager.id) as browser:
        run("UPDATE reset SET audience = 'users', user_ids = '{1}' WHERE reason = 'copy 1'")
        assert browser.get("/users.csv").status_code == 403
        assert "copy 1" not in {line["reason"] for line in table(browser, "/resets.csv")}
