"""OneRoster 1.2 in CSV: an archive into users, courses, enrolments and history."""

import io
import tracemalloc
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from models.access import console_operator
from models.refusals.imports import ImportInvalid, ImportRemovesTooMuch
from models.session import transaction
from tasks.imports import Each, Full, Imported, import_oneroster
from tests.scenes import Scene, ask, make_scene, rows, run
from tests.web import client_of, token_for

MANIFEST = """propertyName,value
manifest.version,1.0
oneroster.version,1.2
file.academicSessions,absent
file.users,bulk
file.courses,bulk
file.classes,bulk
file.enrollments,bulk
file.lineItems,bulk
file.results,bulk
"""
FILES = {
    "manifest.csv": MANIFEST,
    "users.csv": "sourcedId,status,dateLastModified,enabledUser,username,givenName,familyName,email,metadata.site\n"
    "u-1,,,true,ada,Ada,Abebe,ada@acme.example,Bern\n"
    "u-2,,,true,ben@acme.example,Ben,Bo,,Bern\n"
    "u-3,,,false,cem,Cem,,cem@acme.example,\n"
    "u-4,tobedeleted,,true,dee,Dee,D,dee@acme.example,\n",
    "courses.csv": "sourcedId,status,title,courseCode\nk-1,,Safety,SAFE\nk-2,,Data,\n",
    "classes.csv": "sourcedId,status,title,courseSourcedId,classCode\n"
    "c-1,,Safety 2026,k-1,SAFE-26\n"
    "c-2,,Safety 2027,k-1,\n"
    "c 3,,Data,k-2,two words\n",
    "enrollments.csv": "sourcedId,status,classSourcedId,userSourcedId,role,primary\n"
    "e-1,,c-1,u-1,student,\n"
    "e-2,,c-1,u-2,student,\n"
    "e-3,,c 3,u-1,student,\n"
    "e-4,,c-1,u-3,teacher,\n"
    "e-5,tobedeleted,c-2,u-1,student,\n"
    "e-6,tobedeleted,c-2,u-4,student,\n",
    "lineItems.csv": "sourcedId,status,title,classSourcedId,resultValueMin,resultValueMax\n"
    "i-1,,One,c-1,0,10\n"
    "i-2,,Two,c-1,0,50\n",
    "results.csv": "sourcedId,status,lineItemSourcedId,studentSourcedId,scoreStatus,score,scoreDate\n"
    "r-1,,i-1,u-1,fully graded,9,2026-01-09\n"
    "r-2,,i-2,u-1,fully graded,40,2026-01-10\n"
    "r-3,,i-1,u-2,fully graded,5,2026-01-09\n"
    "r-4,,i-2,u-2,submitted,,2026-01-11\n",
}


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene(learners=1, completed=0, begun=0)


@pytest.fixture
def api(scene: Scene, served: str) -> Iterator[httpx.Client]:
    with client_of(served, token_for(scene.admin.user_id or 0)) as client:
        yield client


def packed(changes: Mapping[str, str | None] | None = None) -> bytes:
    """Returns the archive, with these files changed, or left out."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in (FILES | dict(changes or {})).items():
            if text is not None:
                archive.writestr(name, text)
    return content.getvalue()


def delta(*files: str) -> str:
    return "propertyName,value\noneroster.version,1.2\n" + "".join(f"file.{name},delta\n" for name in files)


def imported(scene: Scene, content: bytes, full: Full | None = None, each: Each = Each.CLASS) -> Imported:
    with transaction() as session:
        return import_oneroster(session, console_operator(scene.organization), io.BytesIO(content), full, each)


def courses() -> list[tuple[str, str, str]]:
    return rows("SELECT external_id, code, title FROM course WHERE external_id IS NOT NULL ORDER BY 1")  # type: ignore[return-value]


def enrolments() -> list[tuple[str, str, str, int, bool]]:
    return rows(  # type: ignore[return-value]
        "SELECT c.external_id, u.external_id, e.state, e.progress, e.unassigned_at IS NULL FROM enrolment e "
        'JOIN course c ON c.id = e.course_id JOIN "user" u ON u.id = e.user_id '
        "WHERE c.external_id IS NOT NULL ORDER BY 1, 2"
    )


def test_an_archive_becomes_users_courses_enrolments_and_history(api: httpx.Client, scene: Scene) -> None:
    answer = api.post("/v1/imports/oneroster", content=packed(), headers={"Content-Type": "application/zip"})

    assert answer.status_code == 200, answer.text
    assert {what: tuple(count.values()) for what, count in answer.json()["counts"].items()} == {
        "users": (3, 3, 0, 0),
        "courses": (3, 3, 0, 0),
        "enrolments": (4, 3, 0, 1),
        "completions": (1, 1, 0, 0),
    }
    assert answer.json()["ignored"] == {"other_roles": 1}
    assert rows('SELECT external_id, email, name, active FROM "user" WHERE external_id IS NOT NULL ORDER BY 1') == [
        ("u-1", "ada@acme.example", "Ada Abebe", True),
        ("u-2", "ben@acme.example", "Ben Bo", True),
        ("u-3", "cem@acme.example", "Cem", False),
    ]
    third = ask("SELECT 'oneroster-' || left(md5('c 3'), 20)")
    assert courses() == [
        ("c 3", third, "Data"),
        ("c-1", "SAFE-26", "Safety 2026"),
        ("c-2", "SAFE", "Safety 2027"),
    ]
    assert enrolments() == [
        ("c 3", "u-1", "assigned", 0, True),
        ("c-1", "u-1", "completed", 100, True),
        ("c-1", "u-2", "in_progress", 50, True),
    ]
    assert rows("SELECT completed_at::text, score::float8 FROM completion") == [("2026-01-10 00:00:00+00", 85.0)]
    # A second time it changes nothing
    versions = 'SELECT ctid::text, xmin::text FROM "user" UNION ALL SELECT ctid::text, xmin::text FROM enrolment'
    before = rows(versions)
    assert all(count.unchanged == count.in_file for count in imported(scene, packed()).counts.values())
    assert rows(versions) == before


def test_each_course_has_the_students_of_all_its_classes(scene: Scene) -> None:
    imported(scene, packed(), each=Each.COURSE)
    assert [code for _, code, _ in courses()] == ["SAFE", "k-2"]
    assert enrolments() == [
        ("k-1", "u-1", "completed", 100, True),
        ("k-1", "u-2", "in_progress", 50, True),
        ("k-2", "u-1", "assigned", 0, True),
    ]
    unknown = {"manifest.csv": delta("enrollments"), "enrollments.csv": FILES["enrollments.csv"]}
    with pytest.raises(ImportInvalid, match=r"enrollments\.csv, line 2: classSourcedId: classes\.csv has no class c-1"):
        imported(scene, packed(unknown), each=Each.COURSE)


def test_a_delta_changes_what_it_names(scene: Scene) -> None:
    imported(scene, packed())
    done = imported(
        scene,
        packed({
            "manifest.csv": delta("users", "enrollments", "results"),
            "users.csv": "sourcedId,status,enabledUser,givenName,familyName,email\n"
            "u-1,tobedeleted,,,,\nu-2,active,true,,,new@acme.example\n",
            "enrollments.csv": "sourcedId,status,classSourcedId,userSourcedId,role\n"
            "e-1,tobedeleted,c-1,u-1,student\ne-7,active,c-2,u-2,student\n",
        }),
        full=Full(0),  # which only what is bulk obeys
    )  # fmt: skip
    assert done.ignored == {"results_of_a_delta": 4}
    assert done.removed == {}
    assert rows("SELECT external_id, email, name, active FROM \"user\" WHERE external_id < 'u-3' ORDER BY 1") == [
        ("u-1", "ada@acme.example", "Ada Abebe", False),
        ("u-2", "new@acme.example", "Ben Bo", True),
    ]
    assert enrolments() == [
        ("c 3", "u-1", "assigned", 0, True),
        ("c-1", "u-1", "completed", 100, False),
        ("c-1", "u-2", "in_progress", 50, True),
        ("c-2", "u-2", "assigned", 0, True),
    ]


def test_a_full_import_removes_what_bulk_files_do_not_name(scene: Scene) -> None:
    imported(scene, packed())
    with pytest.raises(ImportRemovesTooMuch):
        imported(scene, packed(), full=Full())
    done = imported(scene, packed(), full=Full(1))
    assert done.removed == {"users": 1, "enrolments": 2}, "the learner who was here before, in two courses"


BROKEN: list[tuple[Mapping[str, str | None], str]] = [
    ({"manifest.csv": None}, "manifest.csv, line 1: the file is missing"),
    ({"manifest.csv": MANIFEST.replace("1.2", "2.0")}, "manifest.csv, line 3: oneroster.version: must be 1.2"),
    (
        {"manifest.csv": MANIFEST.replace("users,bulk", "users,some")},
        "manifest.csv, line 5: file.users: must be one of",
    ),
    ({"users.csv": None}, "manifest.csv, line 5: file.users: the archive has no users.csv"),
    ({"users.csv": "status,email\n,a@b.example\n"}, "users.csv, line 1: the header is wrong: sourcedId is missing"),
    (
        {"users.csv": FILES["users.csv"] + "u-5,,,yes,x,X,X,x@acme.example,\n"},
        "users.csv, line 6: enabledUser: must be",
    ),
    ({"users.csv": FILES["users.csv"] + "u-5,,,true,eve,Eve,E,,\n"}, "users.csv, line 6: email: must not be empty"),
    ({"users.csv": FILES["users.csv"] + "u-1,,,true,x,X,X,x@acme.example,\n"}, "users.csv, line 6: sourcedId: line 2"),
    (
        {"classes.csv": FILES["classes.csv"] + "c-1,,Again,,\n"},
        "classes.csv, line 5: sourcedId: line 2 has the same one",
    ),
    (
        {"enrollments.csv": FILES["enrollments.csv"] + "e-9,,c-9,u-1,student,\n"},
        "enrollments.csv, line 8: course_external_id: there is no course with the id c-9",
    ),
    (
        {"results.csv": FILES["results.csv"] + "r-9,,i-2,u-1,fully graded,x,yesterday\n"},
        "results.csv, line 6: score: must be a number; results.csv, line 6: scoreDate: must be a date",
    ),
]


def test_a_broken_archive_changes_nothing_and_names_file_and_line(api: httpx.Client, scene: Scene) -> None:
    before = rows('SELECT * FROM "user" ORDER BY id'), rows("SELECT * FROM enrolment ORDER BY id")
    for changes, words in BROKEN:
        with pytest.raises(ImportInvalid) as refused:
            imported(scene, packed(changes))
        assert words in str(refused.value), words
    damaged = bytearray(packed())
    with zipfile.ZipFile(io.BytesIO(damaged)) as archive:
        begins = archive.getinfo("users.csv").header_offset + 30 + len("users.csv")
    damaged[begins + 20] ^= 0xFF
    for content in (b"", b"not a zip", packed()[:-40], bytes(damaged)):
        answer = api.post("/v1/imports/oneroster", content=content, headers={"Content-Type": "application/zip"})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/import-invalid"), answer.text
    changes = {"users.csv": FILES["users.csv"] + "u-5,,,true,eve,Eve,E,,\n"}
    answer = api.post("/v1/imports/oneroster", content=packed(changes), headers={"Content-Type": "application/zip"})
    (error,) = answer.json()["errors"]
    assert (error["file"], error["line"]) == ("users.csv", 6)
    assert api.post("/v1/imports/oneroster", content=b"x", headers={"Content-Type": "text/csv"}).status_code == 415
    assert (rows('SELECT * FROM "user" ORDER BY id'), rows("SELECT * FROM enrolment ORDER BY id")) == before


def test_memory_does_not_grow_with_the_archive(scene: Scene, tmp_path: Path) -> None:
    def most_memory(users: int) -> int:
        lines = (f"u-{n},,true,,User,{n},u{n}@acme.example\n" for n in range(users))
        head = "sourcedId,status,enabledUser,username,givenName,familyName,email\n"
        path = tmp_path / f"{users}.zip"
        path.write_bytes(packed({"manifest.csv": delta("users"), "users.csv": head + "".join(lines)}))
        tracemalloc.start()
        with path.open("rb") as file, transaction() as session:
            done = import_oneroster(session, console_operator(scene.organization), file)
            session.rollback()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert done.counts["users"].new == users
        return peak

    most_memory(10)
    assert most_memory(30_000) < most_memory(2_000) + 2_000_000


def test_a_class_without_a_code_of_its_own_and_with_a_taken_one_gets_its_sourced_id(scene: Scene) -> None:
    run("UPDATE course SET external_id = 'other' WHERE code = 'FIRE-101'")
    classes = "sourcedId,title,classCode\nc-1,One,SAME\nc-2,Two,SAME\nc-3,Three,FIRE-101\n"
    imported(scene, packed({"manifest.csv": delta("classes"), "classes.csv": classes}))
    assert [(id_, code) for id_, code, _ in courses() if id_ != "other"] == [
        ("c-1", "c-1"),
        ("c-2", "c-2"),
        ("c-3", "c-3"),
    ]
