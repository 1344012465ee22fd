"""xAPI statements: who completed, passed, progressed in or began a course."""

import io
import json
import tracemalloc
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import httpx
import pytest

from models.access import console_operator
from models.refusals.imports import ImportInvalid
from models.session import transaction
from tasks.imports import Imported, import_xapi
from tests.post import Post
from tests.scenes import COURSE, OTHER_COURSE, Scene, ask, make_scene, rows, run
from tests.web import client_of, token_for

NDJSON, JSON = "application/x-ndjson", "application/json"
PLACE = "https://lms.example/courses/fire"
VERBS = "http://adlnet.gov/expapi/verbs/"
CMI5 = "https://w3id.org/xapi/cmi5/result/extensions/progress"


@pytest.fixture
def scene(database: str) -> Scene:
    scene = make_scene(learners=5, completed=0, begun=0)
    run("UPDATE course SET external_id = :id WHERE code = :code", id=PLACE, code=COURSE)
    run("UPDATE \"user\" SET external_id = 'p-2' WHERE email = 'learner-2@acme.example'")
    return scene


@pytest.fixture
def api(scene: Scene, served: str) -> Iterator[httpx.Client]:
    with client_of(served, token_for(scene.admin.user_id or 0)) as client:
        yield client


def said(verb: str, at: str = "2026-01-10T09:00:00Z", who: Any = 1, what: str = PLACE, **more: Any) -> dict[str, Any]:
    actor = {"mbox": f"mailto:learner-{who}@acme.example"} if isinstance(who, int) else who
    return {"actor": actor, "verb": {"id": VERBS + verb}, "object": {"id": what}, "timestamp": at, **more}


def lines(*statements: Mapping[str, Any]) -> bytes:
    return "".join(f"{json.dumps(statement)}\n" for statement in statements).encode()


def imported(scene: Scene, content: bytes, courses: Mapping[str, str] | None = None) -> Imported:
    with transaction() as session:
        return import_xapi(session, console_operator(scene.organization), io.BytesIO(content), courses)


def errors(scene: Scene, content: bytes) -> list[tuple[int, str]]:
    with pytest.raises(ImportInvalid) as refused:
        imported(scene, content)
    return [(one.line, one.detail) for one in refused.value.errors]


def stored() -> dict[str, tuple[str, int, str | None, float | None]]:
    found = rows(
        "SELECT split_part(u.email, '@', 1), e.state, e.progress, e.completed_at AT TIME ZONE 'UTC', c.score::float8 "
        'FROM enrolment e JOIN "user" u ON u.id = e.user_id LEFT JOIN completion c USING (registration) '
        "JOIN course k ON k.id = e.course_id WHERE k.code = :code AND e.state <> 'assigned'",
        code=COURSE,
    )
    return {who: (state, progress, str(at) if at else None, score) for who, state, progress, at, score in found}


STATEMENTS = [
    said("completed", "2026-01-10T09:00:00Z", result={"score": {"scaled": 0.8}}),
    said("passed", "2026-02-10T09:00:00+01:00", result={"score": {"scaled": 0.925}}, context={"registration": "x"}),
    said("progressed", who={"account": {"homePage": "https://lms.example", "name": "p-2"}}, result={
        "extensions": {CMI5: 30}
    }),
    said("progressed", "2026-01-11T09:00:00Z", 2, result={"extensions": {CMI5: 45}}),
    said("initialized", "2026-01-12T09:00:00Z", {"account": {"name": "p-2"}}),
    said("initialized", who={"account": {"name": "learner-3@acme.example"}}),
    said("answered", who={"mbox_sha1sum": "00"}),
    said("completed", who=4, what="https://lms.example/lessons/7"),
    said("completed", who=4, id="A1B2"),
    said("voided", who=4, what="a1b2"),
]  # fmt: skip
OUTCOME = {
    "learner-1": ("completed", 100, "2026-02-10 08:00:00", 92.5),
    "learner-2": ("in_progress", 45, None, None),
    "learner-3": ("in_progress", 0, None, None),
}


@pytest.mark.parametrize("kind", [NDJSON, JSON])
def test_statements_become_history(api: httpx.Client, scene: Scene, kind: str) -> None:
    content = lines(*STATEMENTS) if kind == NDJSON else json.dumps(STATEMENTS, indent=1).encode()

    answer = api.post("/v1/imports/xapi", content=content, headers={"Content-Type": kind})

    assert answer.status_code == 200, answer.text
    assert answer.json()["lines"] == 10
    assert answer.json()["ignored"] == {"other_verbs": 1, "other_objects": 1}
    assert answer.json()["counts"]["completions"]["new"] == 1
    assert stored() == OUTCOME
    before = rows("SELECT ctid::text, xmin::text FROM enrolment")
    again = imported(scene, content)
    assert again.counts["enrolments"].unchanged == 3
    assert rows("SELECT ctid::text, xmin::text FROM enrolment") == before


def test_objects_are_mapped_to_course_codes(api: httpx.Client, scene: Scene) -> None:
    content = lines(said("completed", what="https://other.example/x?a=b"))
    given = {"map": f"https://other.example/x?a=b={OTHER_COURSE}"}
    answer = api.post("/v1/imports/xapi", params=given, content=content, headers={"Content-Type": NDJSON})
    assert answer.json()["counts"]["completions"]["new"] == 1
    for wrong in ("x", "=A", "x="):
        refused = api.post("/v1/imports/xapi", params={"map": wrong}, content=content, headers={"Content-Type": NDJSON})
        assert refused.json()["errors"] == [{"at": "query.map", "detail": "must be ID=CODE"}]
    with pytest.raises(ImportInvalid, match="mapped to NONE-1, but there is no such course"):
        imported(scene, content, {"https://other.example/x?a=b": "NONE-1"})


def test_a_reset_stays(scene: Scene, post: Post) -> None:
    imported(scene, lines(*STATEMENTS))
    scene.request()
    post.drain()
    at = ask("SELECT max(reset_at) FROM enrolment")
    assert isinstance(at, datetime)
    again = imported(scene, lines(*STATEMENTS))
    assert again.ignored["completions_before_reset"] == 1
    assert again.ignored["progress_before_reset"] == 1
    assert stored() == {}


def test_errors_are_reported_by_line(scene: Scene) -> None:
    wrong = lines(
        said("completed", who=9),
        said("completed", who={"account": {"name": "p-9"}}),
        said("completed", who={"objectType": "Group"}),
        said("completed", who={"mbox": "mailto:nobody"}),
        said("completed", at="2026-01-10"),
        said("completed", result={"score": {"scaled": 92}}),
        said("progressed", result={"extensions": {CMI5: "half"}}),
        {"verb": "completed"},
        {"verb": {"id": VERBS + "completed"}, "actor": {"mbox": "mailto:a@b.example"}},
    )
    assert errors(scene, wrong) == [
        (1, "actor: there is no user learner-9@acme.example"),
        (2, "actor: there is no user with the external_id p-9"),
        (3, "actor: must have an mbox, or an account with a name"),
        (4, "actor.mbox: must be an e-mail address"),
        (5, "timestamp: must be a date and time with a time zone, such as 2027-01-31T12:00:00Z"),
        (6, "result.score.scaled: must be a number from -1 to 1"),
        (7, "result.extensions: the progress must be a number from 0 to 100"),
        (8, "verb: must be an object with an id"),
        (9, "object: must be an object with an id"),
    ]
    assert errors(scene, lines(said("completed", "2126-01-10T09:00:00Z"))) == [
        (1, "completed_at: must not be in the future")
    ]
    assert stored() == {}


GOOD = json.dumps(said("completed"))


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("", 1, "the file is empty"),
        (" \n ", 1, "the file is empty"),
        (f"{GOOD}\n{{", 2, "not JSON"),
        (f"{GOOD}\n[1]", 2, "not a JSON object"),
        (f"[{GOOD},\n 5]", 2, "not a JSON object"),
        (f"[{GOOD}\n{GOOD}]", 2, "not JSON"),
        (f"[{GOOD},\n]", 2, "not JSON"),
        (f"[{GOOD}", 1, "not JSON"),
        (f"[{GOOD}] {GOOD}", 1, "not JSON"),
        ("[" * 100_000, 1, "not JSON"),
        (b'{"actor": "\xff"}', 1, "not UTF-8"),
        ('{"id": "' + "x" * 1_200_000, 1, "not JSON"),
    ],
)
def test_malformed_files_are_refused_by_line(scene: Scene, content: str | bytes, line: int, words: str) -> None:
    found = errors(scene, content.encode() if isinstance(content, str) else content)
    assert found[0][0] == line
    assert words in found[0][1]


def test_an_empty_array_is_no_statement(scene: Scene) -> None:
    assert imported(scene, b"[ ]").lines == 0


def test_memory_does_not_grow_with_the_statements(scene: Scene) -> None:
    class Endless(io.RawIOBase):
        """An array of this many statements, made as it is read."""

        def __init__(self, statements: int) -> None:
            self.left, self.rest = statements, b"["

        def read(self, size: int = -1) -> bytes:  # type: ignore[override]
            while self.left and len(self.rest) < size:
                self.left -= 1
                self.rest += GOOD.encode() + (b",\n" if self.left else b"]")
            found, self.rest = self.rest[:size], self.rest[size:]
            return found

    def most_memory(statements: int) -> int:
        tracemalloc.start()
        with transaction() as session:
            done = import_xapi(session, console_operator(scene.organization), Endless(statements))  # type: ignore[arg-type]
            session.rollback()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert done.lines == statements
        return peak

    most_memory(10)
    assert most_memory(30_000) < most_memory(2_000) + 2_000_000
