"""The import of the OULAD: from hand-made files of a dozen rows, and from a real module in `tests/oulad`.

`RECOURSE_OULAD` may name a folder with the whole data set, which is then used in place of the module.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from models import metadata
from models.session import transaction
from tasks.imports.oulad import Count, ImportReport, MalformedFile, import_oulad, read
from tasks.imports.oulad.files import FILES
from tasks.imports.oulad.read import BLOCK
from tests.conftest import PROJECT

pytestmark = pytest.mark.usefixtures("database")

REAL = Path(os.environ.get("RECOURSE_OULAD", PROJECT / "tests" / "oulad"))

# Quoted and bare values, as published: each file quotes differently.
FOLDER = {
    "courses.csv": """\
"code_module","code_presentation","module_presentation_length"
"AAA","2013J","268"
"BBB","2014B","240"
""",
    "assessments.csv": """\
"code_module","code_presentation","id_assessment","assessment_type","date","weight"
"AAA","2013J","1","TMA","19","10"
"AAA","2013J","2","CMA","54","0"
"AAA","2013J","3","Exam","?","100"
"BBB","2014B","4","TMA","20","50"
"BBB","2014B","5","CMA","?","50"
""",
    "vle.csv": """\
"id_site","code_module","code_presentation","activity_type","week_from","week_to"
"11","AAA","2013J","forumng","?","?"
"12","AAA","2013J","resource","1","2"
"13","AAA","2013J","quiz","?","?"
"14","BBB","2014B","oucontent","?","?"
"15","BBB","2014B","forumng","?","?"
""",
    "studentInfo.csv": """\
"code_module","code_presentation","id_student","gender","region","highest_education","imd_band","age_band",\
"num_of_prev_attempts","studied_credits","disability","final_result"
"AAA","2013J","101","M","East Anglian Region","HE Qualification","90-100%","55<=","0","240","N","Pass"
"AAA","2013J","102","F","Scotland","A Level, or Equivalent","?","35-55","0","60","N","Distinction"
"AAA","2013J","103","F","Wales","HE Qualification","?","0-35","1","60","Y","Fail"
"AAA","2013J","104","M","Ireland","HE Qualification","10-20","0-35","0","60","N","Fail"
"AAA","2013J","105","F","Scotland","HE Qualification","20-30%","35-55","0","60","N","Withdrawn"
"AAA","2013J","106","F","Scotland","HE Qualification","20-30%","35-55","0","60","N","Withdrawn"
"BBB","2014B","101","M","East Anglian Region","HE Qualification","90-100%","55<=","0","240","N","Fail"
"BBB","2014B","107","M","Wales","HE Qualification","?","0-35","0","30","N","Pass"
""",
    "studentRegistration.csv": """\
"code_module","code_presentation","id_student","date_registration","date_unregistration"
"AAA","2013J","101","-159","?"
"AAA","2013J","102","-53","?"
"AAA","2013J","103","-92","?"
"AAA","2013J","104","3","50"
"AAA","2013J","105","-92","12"
"AAA","2013J","106","-1","?"
"BBB","2014B","101","-10","?"
"BBB","2014B","107","?","?"
""",
    "studentAssessment.csv": """\
id_assessment,id_student,date_submitted,is_banked,score
1,101,18,0,78
2,101,53,0,
3,101,230,0,"?"
1,102,17,0,100
3,102,231,0,91.5
1,103,-11,1,40
1,105,10,0,66
2,105,11,0,?
4,101,19,0,0
5,101,25,0,"55"
""",
}

AUTUMN_2013 = datetime(2013, 10, 1, tzinfo=UTC)
SPRING_2014 = datetime(2014, 2, 1, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FOLDER.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def imported(folder: Path, slug: str = "oulad") -> ImportReport:
    with transaction() as session:
        return import_oulad(session, folder, slug)


def rows(query: str, **values: Any) -> list[Any]:
    with transaction() as session:
        return [tuple(row) for row in session.execute(text(query), values)]


def execute(statement: str, **values: Any) -> None:
    with transaction() as session:
        session.execute(text(statement), values)


def everything() -> dict[str, tuple[int, int]]:
    """Returns the number of rows and a checksum of the content of every table."""
    query = 'SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM "{}" t'
    return {table: rows(query.format(table))[0] for table in metadata.tables}


def replace_line(path: Path, number: int, line: str) -> None:
    """Replace line `number` by `line`, or append it after the last one."""
    lines = path.read_text().splitlines()
    lines[number - 1 : number] = [line]
    path.write_text("\n".join(lines) + "\n")


def enrolment(course: str, student: int) -> Any:
    (row,) = rows(
        """SELECT e.state, e.progress, e.assigned_at, e.unassigned_at, e.completed_at, e.due_at
           FROM enrolment e JOIN course c ON c.id = e.course_id JOIN "user" u ON u.id = e.user_id
           WHERE c.code = :course AND u.email = :email""",
        course=course,
        email=f"student-{student}@oulad.example",
    )
    return row


def test_the_report_counts_what_the_files_hold_and_what_is_new(folder: Path) -> None:
    assert imported(folder) == ImportReport(
        courses=Count(2, 2),
        users=Count(7, 7),
        activities=Count(10, 10),
        enrolments=Count(8, 8),
        records={
            "assignment_submission": Count(5, 4),
            "practical_assessment": Count(5, 4),
            "completion": Count(3, 3),
            "certificate": Count(3, 3),
        },
        left_out={"the student withdrew": 2},
    )


def test_every_assessment_and_all_course_material_becomes_an_activity(folder: Path) -> None:
    imported(folder)

    assert rows("SELECT code, title, certificates_on FROM course ORDER BY code") == [
        ("AAA-2013J", "AAA, presentation 2013J", True),
        ("BBB-2014B", "BBB, presentation 2014B", True),
    ]
    assert rows(
        "SELECT c.code, a.kind, a.reference, a.title FROM activity a JOIN course c ON c.id = course_id ORDER BY a.id"
    ) == [
        ("AAA-2013J", "assignment", "assessment-1", "TMA 1"),
        ("AAA-2013J", "practical_assessment", "assessment-2", "CMA 2"),
        ("AAA-2013J", "practical_assessment", "assessment-3", "Exam 3"),
        ("AAA-2013J", "discussion", "site-11", "forumng 11"),
        ("AAA-2013J", "lesson", "site-12", "resource 12"),
        ("AAA-2013J", "lesson", "site-13", "quiz 13"),
        ("BBB-2014B", "assignment", "assessment-4", "TMA 4"),
        ("BBB-2014B", "practical_assessment", "assessment-5", "CMA 5"),
        ("BBB-2014B", "lesson", "site-14", "oucontent 14"),
        ("BBB-2014B", "discussion", "site-15", "forumng 15"),
    ]


def test_students_become_users_of_an_organization_with_an_admin(folder: Path) -> None:
    imported(folder)

    users = rows(
        'SELECT o.slug, u.email, u.name FROM "user" u JOIN organization o ON o.id = organization_id ORDER BY u.id'
    )
    assert users == [
        ("oulad", "admin@oulad.example", "Alex Admin"),
        *(("oulad", f"student-{number}@oulad.example", f"Student {number}") for number in range(101, 108)),
    ]


def test_the_final_result_decides_state_and_progress(folder: Path) -> None:
    imported(folder)

    def day(number: int) -> datetime:
        return AUTUMN_2013 + timedelta(days=number)

    assert enrolment("AAA-2013J", 101) == ("completed", 100, day(-159), None, day(268), None)  # Pass
    assert enrolment("AAA-2013J", 102) == ("completed", 100, day(-53), None, day(268), None)  # Distinction
    assert enrolment("AAA-2013J", 103) == ("in_progress", 16, day(-92), None, None, None)  # Fail, 1 activity of 6
    assert enrolment("AAA-2013J", 104) == ("assigned", 0, day(3), None, None, None)  # Fail, nothing handed in
    assert enrolment("AAA-2013J", 105) == ("assigned", 0, day(-92), day(12), None, None)  # Withdrawn
    assert enrolment("AAA-2013J", 106) == ("assigned", 0, day(-1), day(268), None, None)  # Withdrawn, on an unknown day
    assert enrolment("BBB-2014B", 101) == (  # the same student in another course
        "in_progress", 50, SPRING_2014 - timedelta(days=10), None, None, None,
    )  # fmt: skip
    assert enrolment("BBB-2014B", 107)[2] == SPRING_2014  # unknown day of registration


def test_a_failed_student_who_handed_in_everything_has_not_completed(folder: Path) -> None:
    (folder / "vle.csv").write_text("\n".join(FOLDER["vle.csv"].splitlines()[:4]))  # BBB has only assessments
    imported(folder)
    assert enrolment("BBB-2014B", 101)[:2] == ("in_progress", 99)


def test_submissions_become_records_with_score_and_day(folder: Path) -> None:
    imported(folder)

    records = """
        SELECT u.name, a.title, r.score, extract(epoch FROM r.{at} - :start)::integer / 86400, r.attempt
        FROM {table} r JOIN enrolment e USING (registration) JOIN "user" u ON u.id = e.user_id
        JOIN activity a ON a.id = r.activity_id JOIN course c ON c.id = a.course_id
        WHERE c.code = 'AAA-2013J' ORDER BY u.name, a.title
    """
    assert rows(records.format(table="assignment_submission", at="submitted_at"), start=AUTUMN_2013) == [
        ("Student 101", "TMA 1", 78, 18, 1),
        ("Student 102", "TMA 1", 100, 17, 1),
        ("Student 103", "TMA 1", 40, -11, 1),  # banked: carried over from an earlier presentation
    ]
    assert rows(records.format(table="practical_assessment", at="assessed_at"), start=AUTUMN_2013) == [
        ("Student 101", "CMA 2", None, 53, 1),
        ("Student 101", "Exam 3", None, 230, 1),
        ("Student 102", "Exam 3", 91.5, 231, 1),
    ]


def test_a_completion_and_its_certificate_date_from_the_end_of_the_presentation(folder: Path) -> None:
    imported(folder)

    found = rows(
        """SELECT u.name, completed_at, issued_at, length(serial) FROM completion
           JOIN certificate USING (registration) JOIN enrolment e USING (registration, completed_at)
           JOIN "user" u ON u.id = e.user_id ORDER BY u.id"""
    )
    autumn, spring = AUTUMN_2013 + timedelta(days=268), SPRING_2014 + timedelta(days=240)
    assert found == [
        ("Student 101", autumn, autumn, 32),
        ("Student 102", autumn, autumn, 32),
        ("Student 107", spring, spring, 32),
    ]


def test_days_do_not_depend_on_the_time_zone_of_the_database(folder: Path) -> None:
    with transaction() as session:
        session.execute(text("SET LOCAL timezone = 'America/New_York'"))  # daylight saving changes within both courses
        import_oulad(session, folder)

    days = rows(
        """SELECT at AT TIME ZONE 'UTC' FROM (
             SELECT assigned_at FROM enrolment UNION SELECT completed_at FROM completion
             UNION SELECT submitted_at FROM assignment_submission) AS moments (at)"""
    )
    assert {(day.hour, day.minute) for (day,) in days} == {(0, 0)}


def test_importing_again_changes_not_one_row(folder: Path) -> None:
    imported(folder)
    before = everything()

    # Often enough for the driver to prepare its statements.
    reports = [imported(folder) for _ in range(7)]

    assert everything() == before
    assert {count.new for report in reports for count in counts(report)} == {0}
    assert reports[-1].left_out == {"the student withdrew": 2, "the enrolment existed before": 14}


def counts(report: ImportReport) -> Iterator[Count]:
    yield from (report.courses, report.users, report.activities, report.enrolments, *report.records.values())


def test_two_imports_fit_in_one_transaction(folder: Path) -> None:
    with transaction() as session:
        first, second = import_oulad(session, folder), import_oulad(session, folder)
    assert (first.enrolments.new, second.enrolments.new) == (8, 0)


def test_importing_again_does_not_bring_back_what_a_reset_removed(folder: Path) -> None:
    # Given a learner who has completed, and whose progress was reset
    imported(folder)
    learner = """(SELECT registration FROM enrolment e JOIN "user" u ON u.id = e.user_id
                  JOIN course c ON c.id = e.course_id WHERE u.name = 'Student 101' AND c.code = 'AAA-2013J')"""
    for kind in ("certificate", "completion", "practical_assessment", "assignment_submission"):
        execute(f"DELETE FROM {kind} WHERE registration = {learner}")
    execute(
        f"""UPDATE enrolment SET registration = uuidv7(), state = 'assigned', progress = 0, completed_at = NULL
            WHERE registration = {learner}"""
    )
    before = everything()

    # When the same files are imported again
    imported(folder)

    # Then nothing comes back
    assert everything() == before


def test_importing_again_keeps_later_changes(folder: Path) -> None:
    imported(folder)
    execute("UPDATE course SET title = 'Renamed', certificates_on = false")
    execute("UPDATE enrolment SET unassigned_at = now() WHERE state = 'in_progress'")
    execute("UPDATE enrolment SET unassigned_at = NULL, due_at = now() WHERE state = 'assigned'")
    execute("""UPDATE "user" SET name = 'Jo', active = false WHERE email = 'student-101@oulad.example'""")
    before = everything()

    imported(folder)

    assert everything() == before


def test_importing_again_adds_only_what_is_new(folder: Path) -> None:
    imported(folder)
    before = set(rows("SELECT registration, state FROM enrolment"))

    # When a new student has passed, and an earlier one has handed in more
    with (folder / "studentInfo.csv").open("a") as file:
        file.write("BBB,2014B,108,M,Wales,?,?,0-35,0,30,N,Pass\n")
    with (folder / "studentRegistration.csv").open("a") as file:
        file.write("BBB,2014B,108,-5,?\n")
    with (folder / "studentAssessment.csv").open("a") as file:
        file.write("4,108,20,0,70\n4,107,20,0,70\n")
    report = imported(folder)

    # Then the new student is added with all records, and the other is unchanged
    assert [count.new for count in counts(report)] == [0, 1, 0, 1, 1, 0, 1, 1]
    assert len(set(rows("SELECT registration, state FROM enrolment")) - before) == 1
    assert report.left_out == {"the student withdrew": 2, "the enrolment existed before": 15}


def test_a_course_with_certificates_off_issues_none(folder: Path) -> None:
    imported(folder)
    execute("UPDATE course SET certificates_on = false WHERE code = 'BBB-2014B'")
    with (folder / "studentInfo.csv").open("a") as file:
        file.write("BBB,2014B,108,M,Wales,?,?,0-35,0,30,N,Pass\n")
    with (folder / "studentRegistration.csv").open("a") as file:
        file.write("BBB,2014B,108,-5,?\n")

    report = imported(folder)

    assert report.records["completion"].new == 1
    assert report.records["certificate"].new == 0
    assert report.left_out["the course has certificates off"] == 1


def test_every_record_in_the_files_is_new_or_left_out_for_a_reason(folder: Path) -> None:
    for report in (imported(folder), imported(folder)):
        records = report.records.values()
        left_out = sum(report.left_out.values())
        assert sum(count.in_files for count in records) == sum(count.new for count in records) + left_out


def test_another_organization_with_the_same_courses_and_users_is_unchanged(folder: Path) -> None:
    imported(folder, "other")
    before = {table: set(rows(f'SELECT t::text FROM "{table}" t')) for table in metadata.tables}

    report = imported(folder)

    assert report.enrolments == Count(8, 8)
    for table, were in before.items():
        assert were <= set(rows(f'SELECT t::text FROM "{table}" t')), table
    per_organization = "SELECT count(*) FROM enrolment GROUP BY organization_id"
    assert rows(per_organization) == [(8,), (8,)]
    assert not rows(
        "SELECT FROM enrolment e JOIN course c ON c.id = course_id AND c.organization_id <> e.organization_id"
    )


def test_files_from_a_spreadsheet_are_imported(folder: Path) -> None:
    """They begin with a byte order mark and have Windows line endings."""
    for name, content in FOLDER.items():
        (folder / name).write_bytes(b"\xef\xbb\xbf" + content.replace("\n", "\r\n").encode())
    assert imported(folder).enrolments == Count(8, 8)


def test_a_failure_while_writing_changes_nothing(folder: Path) -> None:
    before = everything()

    def fail(step: str) -> None:
        if step == "Writing records":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), transaction() as session:
        import_oulad(session, folder, progress=fail)
    assert everything() == before


def test_the_session_stays_usable_after_a_malformed_file(folder: Path) -> None:
    replace_line(folder / "studentAssessment.csv", 4, "1,101,18,0,abc")

    with transaction() as session:
        with pytest.raises(MalformedFile):
            import_oulad(session, folder)
        session.execute(text("INSERT INTO organization (slug, name) VALUES ('own', 'Own work')"))

    assert rows("SELECT slug FROM organization") == [("own",)]
    # And the connection can import again.
    replace_line(folder / "studentAssessment.csv", 4, "3,101,230,0,?")
    assert imported(folder).enrolments.new == 8


SUBMISSIONS = "studentAssessment.csv"
STUDENTS = "studentInfo.csv"
REGISTRATIONS = "studentRegistration.csv"
STUDENT_206 = "AAA,2013J,206,F,Wales,?,?,0-35,0,60,N,"

MALFORMED = [
    # Errors within a file: file, replaced line, its new text; then line, column and problem in the message.
    ("courses.csv", 2, "AAA,2013X,268", 2, "code_presentation", '"2013X" is not a year from 2000 to 2099 with B or J'),
    ("courses.csv", 2, "A A,2013J,268", 2, "code_module", '"A A" is not a module code'),
    ("courses.csv", 3, "BBB,2014B,0", 3, "module_presentation_length", '"0" is not a number of days from 1 to 1000'),
    ("courses.csv", 3, "AAA,2013J,268", 3, "code_presentation", "an earlier line has the same code_module and"),
    ("assessments.csv", 4, "AAA,2013J,3,Oral,?,100", 4, "assessment_type", '"Oral" is not TMA, CMA or Exam'),
    ("assessments.csv", 4, "AAA,2013J,2,Exam,?,100", 4, "id_assessment", "an earlier line has the same id_assessment"),
    ("vle.csv", 3, "1e2,AAA,2013J,resource,?,?", 3, "id_site", '"1e2" is not a whole number'),
    ("vle.csv", 3, "?,AAA,2013J,resource,?,?", 3, "id_site", '"?" is not a whole number'),
    ("vle.csv", 3, "-12,AAA,2013J,resource,?,?", 3, "id_site", '"-12" is not a whole number'),
    ("vle.csv", 3, "99999999999999999999,AAA,2013J,resource,?,?", 3, "id_site", '99999" is not a whole number'),
    ("vle.csv", 3, '12,AAA,2013J,"",?,?', 3, "activity_type", '"" is not a type'),
    (STUDENTS, 10, STUDENT_206 + "Passed", 10, "final_result", '"Passed" is not Pass, Distinction, Fail or Withdrawn'),
    (STUDENTS, 10, STUDENT_206 + "?", 10, "final_result", '"?" is not Pass, Distinction, Fail or Withdrawn'),
    (
        STUDENTS,
        10,
        'AAA,2013J,206,F,"two\nlines",?,?,?,?,?,?,Pass',
        11,
        "region",
        r'"two\nlines" is not text within one',
    ),
    (REGISTRATIONS, 4, "AAA,2013J,103,soon,?", 4, "date_registration", '"soon" is not a day from -9999 to 9999, or ?'),
    (REGISTRATIONS, 4, "AAA,2013J,103,0,1.5", 4, "date_unregistration", '"1.5" is not a day'),
    (REGISTRATIONS, 4, "AAA,2013J,101,0,?", 4, "id_student", "an earlier line has the same"),
    (SUBMISSIONS, 5, "1,102,17,0,abc", 5, "score", '"abc" is not a number from 0 to 100'),
    (SUBMISSIONS, 5, "1,102,17,0,100.5", 5, "score", '"100.5" is not a number from 0 to 100'),
    (SUBMISSIONS, 5, "1,102,17,0,-1", 5, "score", '"-1" is not a number from 0 to 100'),
    (SUBMISSIONS, 5, "1,102,17,0,NaN", 5, "score", '"NaN" is not a number from 0 to 100'),
    (SUBMISSIONS, 5, "1,102,?,0,50", 5, "date_submitted", '"?" is not a day from -9999 to 9999'),
    (SUBMISSIONS, 5, "1,102,99999,0,50", 5, "date_submitted", '"99999" is not a day'),
    (SUBMISSIONS, 5, "1,102,17,2,50", 5, "is_banked", '"2" is not 0 or 1'),
    (SUBMISSIONS, 5, "1,101,17,0,50", 5, "id_student", "an earlier line has the same id_assessment and id_student"),
    # Wrong numbers of columns, and other kinds of lines.
    (SUBMISSIONS, 5, "1,102,17,0", 5, "score", "the line ends before this column"),
    (SUBMISSIONS, 5, "1,102,17,0,50,1", 5, None, "the line has more than 5 columns"),
    (SUBMISSIONS, 5, "", 5, "id_assessment", '"" is not a whole number'),
    (SUBMISSIONS, 5, "\\.", 5, "id_assessment", r'"\\." is not a whole number'),
    (SUBMISSIONS, 5, '1,102,17,0,"50', 12, None, "the file ends within a quoted value"),
    (SUBMISSIONS, 5, "1,102,17,0,50\r", 5, None, "carriage return"),
    (SUBMISSIONS, 1, "id_assessment,id_student,date,is_banked,score", 1, None, "the header is not id_assessment,id_st"),
    (SUBMISSIONS, 1, "id_assessment,id_student,date_submitted,score", 1, None, "the header is not id_assessment,id_st"),
    (SUBMISSIONS, 1, "1,101,18,0,78", 1, None, "the header is not id_assessment,id_student,date_submitted,is_banked"),
    # Errors between two files.
    ("assessments.csv", 4, "AAA,2014J,3,Exam,?,100", 4, "code_presentation", "AAA-2014J is not in courses.csv"),
    ("vle.csv", 3, "12,CCC,2013J,resource,?,?", 3, "code_presentation", "CCC-2013J is not in courses.csv"),
    (STUDENTS, 10, "AAA,2014B,206,?,?,?,?,?,?,?,?,Pass", 10, "code_presentation", "AAA-2014B is not in courses.csv"),
    (STUDENTS, 10, STUDENT_206 + "Pass", 10, "id_student", "AAA-2013J-206 is not in studentRegistration.csv"),
    (REGISTRATIONS, 10, "AAA,2013J,206,0,?", 10, "id_student", "AAA-2013J-206 is not in studentInfo.csv"),
    (SUBMISSIONS, 7, "9,103,17,0,50", 7, "id_assessment", "9 is not in assessments.csv"),
    (SUBMISSIONS, 7, "1,107,17,0,50", 7, "id_student", "107 is not a student of AAA-2013J, to which assessment 1 bel"),
]


@pytest.mark.parametrize(
    ("file", "replaced", "line", "wrong_line", "wrong_column", "problem"),
    MALFORMED,
    ids=[f"{file} {line!r}" for file, _, line, *_ in MALFORMED],
)
def test_the_error_names_file_line_and_column_and_nothing_is_imported(
    folder: Path, file: str, replaced: int, line: str, wrong_line: int, wrong_column: str | None, problem: str
) -> None:
    before = everything()
    replace_line(folder / file, replaced, line)

    with pytest.raises(MalformedFile) as caught:
        imported(folder)

    place = f"{file}, line {wrong_line}" + (f", column {wrong_column}" if wrong_column else "")
    assert str(caught.value).startswith(f"{place}: ")
    assert problem in str(caught.value)
    assert str(caught.value).endswith(". Nothing was imported. Correct the files and import them again.")
    assert (caught.value.file, caught.value.line, caught.value.column) == (file, wrong_line, wrong_column)
    assert everything() == before


@pytest.mark.parametrize("size", range(1, 9))
def test_an_end_mark_is_found_wherever_a_block_ends(folder: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    [file] = [file for file in FILES if file.name == SUBMISSIONS]
    path = folder / SUBMISSIONS
    good = path.read_bytes()
    monkeypatch.setattr(read, "BLOCK", size)
    path.write_bytes(good.replace(b"\n", b"\n\\.x\n", 1))
    assert b"".join(read._without_end_mark(file, read._blocks(path))) == path.read_bytes()
    for mark in (b"\\.\n", b"\\.\r\n", b"\\."):
        path.write_bytes(good + mark)
        with pytest.raises(MalformedFile) as caught:
            list(read._without_end_mark(file, read._blocks(path)))
        assert caught.value.line == good.count(b"\n") + 1


def test_nonsense_in_any_column_that_is_read_is_refused(folder: Path) -> None:
    """Covers columns that the importer reads in the future."""
    before = everything()
    places = [
        (file.name, place, column)
        for file in FILES
        for place, (column, domain) in enumerate(file.columns.items())
        if domain != "oulad_unread"
    ]
    for name, place, column in places:
        values = FOLDER[name].splitlines()[1].split(",")
        values[place] = "no¿sense"
        replace_line(folder / name, 2, ",".join(values))

        with pytest.raises(MalformedFile) as caught:
            imported(folder)

        assert str(caught.value).startswith(f'{name}, line 2, column {column}: "no¿sense" is not '), (name, column)
        (folder / name).write_text(FOLDER[name])
    assert everything() == before


@pytest.mark.parametrize("file", FOLDER)
def test_a_missing_empty_or_unreadable_file_is_refused(folder: Path, file: str) -> None:
    before = everything()

    (folder / file).unlink()
    with pytest.raises(MalformedFile, match=f"^{file}: there is no such file in .*Nothing was imported"):
        imported(folder)

    (folder / file).write_bytes(b"")
    with pytest.raises(MalformedFile, match=f"^{file}: the file is empty. Nothing was imported"):
        imported(folder)

    (folder / file).unlink()
    (folder / file).mkdir()
    with pytest.raises(MalformedFile, match=f"^{file}: the file cannot be read .*Nothing was imported"):
        imported(folder)

    assert everything() == before


@pytest.mark.parametrize("file", FOLDER)
def test_text_that_is_not_utf_8_is_refused_with_its_line(folder: Path, file: str) -> None:
    content = (folder / file).read_bytes().splitlines(keepends=True)
    content[2] = content[2].replace(b",", b"\xe9,", 1)  # é in Latin 1
    (folder / file).write_bytes(b"".join(content))

    with pytest.raises(MalformedFile, match=f"^{file}, line 3: the text is not UTF-8. Nothing was imported"):
        imported(folder)


def test_the_line_number_is_right_far_into_a_large_file(folder: Path) -> None:
    count = 3 * BLOCK // len("20000,AAA,2013J,page,,\n")
    lines = [f"{20000 + number},AAA,2013J,page,," for number in range(count)]
    (folder / "vle.csv").write_text("\n".join([*FOLDER["vle.csv"].splitlines(), *lines, "x,AAA,2013J,page,,", *lines]))

    with pytest.raises(MalformedFile, match=f'^vle.csv, line {6 + count + 1}, column id_site: "x" is not a whole'):
        imported(folder)


REPORTS = {
    # Module AAA, which comes with the tests: all its submissions are of assignments.
    2: ImportReport(
        courses=Count(2, 2),
        users=Count(712, 712),
        activities=Count(12 + 413, 12 + 413),
        enrolments=Count(748, 748),
        records={
            "assignment_submission": Count(3_149, 2_929),
            "practical_assessment": Count(0, 0),
            "completion": Count(487 + 44, 487 + 44),
            "certificate": Count(487 + 44, 487 + 44),
        },
        left_out={"the student withdrew": 220},
    ),
    # The whole data set, where `RECOURSE_OULAD` names its folder.
    22: ImportReport(
        courses=Count(22, 22),
        users=Count(28_785, 28_785),
        activities=Count(206 + 6_364, 206 + 6_364),
        enrolments=Count(32_593, 32_593),
        records={
            "assignment_submission": Count(98_426, 89_609),
            "practical_assessment": Count(75_486, 71_208),
            "completion": Count(12_361 + 3_024, 12_361 + 3_024),
            "certificate": Count(12_361 + 3_024, 12_361 + 3_024),
        },
        left_out={"the student withdrew": 173_912 - 89_609 - 71_208},
    ),
}
WITHDRAWN = {2: 126, 22: 10_156}
LARGEST = {
    2: [("AAA-2013J", 383), ("AAA-2014J", 365)],
    22: [("CCC-2014J", 2_498), ("FFF-2014J", 2_365), ("BBB-2014J", 2_292)],
}


def test_real_data_is_imported_completely() -> None:
    report = imported(REAL)
    courses = report.courses.in_files

    assert report == REPORTS[courses]
    assert rows("SELECT count(*) FROM enrolment WHERE unassigned_at IS NOT NULL") == [(WITHDRAWN[courses],)]
    assert (
        rows(
            """SELECT c.code, count(*) FROM enrolment e JOIN course c ON c.id = e.course_id
               GROUP BY c.code ORDER BY count(*) DESC LIMIT 3"""
        )
        == LARGEST[courses]
    )

    before = everything()
    imported(REAL)
    assert everything() == before
