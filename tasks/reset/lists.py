"""Make an audience list: from a file with a line for each learner, or from users selected on a page.

Lines that name no learner are kept beside the list, to be shown before anything is confirmed. A list belongs to who
made it, and one reset at most comes of it. Memory use does not depend on the file's size.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, String, any_, exists, func, insert, literal, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from config.languages import gettext, translatable
from models.access import Actor, Permission
from models.audience_lists import LIST_LIFE, AudienceList, AudienceListLearner, AudienceListLine, LineProblem
from models.directory import UserFilter, course_of
from models.people import User, zone_of
from models.refusals.audience_lists import AudienceFileInvalid, AudienceTooLarge, ListUnknown, ListUsed, NobodySelected
from models.session import changed_rows
from models.training import Enrolment
from tasks.days import end_of_day
from tasks.imports.lines import Errors, Form, read
from tasks.imports.stage import copy_rows, make_table
from tasks.imports.values import Column, WrongError, email, external_id, moment

MOST_LINES = 100_000
LONGEST_DUE = timedelta(days=3650)
FEW = 1000  # lines

STAGED = {"email": "text", "external_id": "text", "due_at": "timestamptz"}
FOUND = text("""
CREATE TEMPORARY TABLE list_found ON COMMIT DROP AS
SELECT l.line, coalesce(l.email, 'external:' || l.external_id) AS name, l.due_at, e.id AS enrolment_id,
       coalesce(u.id, x.id) AS user_id, min(l.line) OVER (PARTITION BY coalesce(u.id, x.id)) AS first
FROM list_line l
LEFT JOIN "user" u ON u.organization_id = :organization AND lower(u.email) = lower(l.email)
                  AND u.removed_at IS NULL AND u.erased_at IS NULL
LEFT JOIN "user" x ON x.organization_id = :organization AND x.external_id = l.external_id
                  AND x.removed_at IS NULL AND x.erased_at IS NULL
LEFT JOIN enrolment e ON e.user_id = coalesce(u.id, x.id) AND e.organization_id = :organization
                     AND e.course_id = :course AND e.unassigned_at IS NULL
""")
LEARNERS = text("""
INSERT INTO audience_list_learner (list_id, enrolment_id, due_at)
SELECT CAST(:list AS uuid), enrolment_id, due_at FROM list_found
WHERE enrolment_id IS NOT NULL AND line = first ORDER BY enrolment_id
""")
LINES = text("""
INSERT INTO audience_list_line (list_id, line, name, problem, first)
SELECT CAST(:list AS uuid), line, name,
       CASE WHEN user_id IS NULL THEN 'unknown' WHEN line > first THEN 'doubled' ELSE 'unassigned' END,
       CASE WHEN user_id IS NOT NULL AND line > first THEN first END
FROM list_found WHERE user_id IS NULL OR line > first OR enrolment_id IS NULL
""")


def why_left_out(line: AudienceListLine) -> str:
    """Returns in a few words why the line names no learner of the list."""
    match line.problem:
        case LineProblem.UNKNOWN:
            return gettext("there is no such user")
        case LineProblem.UNASSIGNED:
            return gettext("the course is not assigned to them")
        case LineProblem.DOUBLED:
            return gettext("named in line {line:,} too", line=line.first)


def list_from_file(session: Session, actor: Actor, course_code: str, file: BinaryIO, form: Form) -> AudienceList:
    """Make a list of the learners whom a file names, up to 100,000 lines.

    Columns: `email` or `external_id`; optional: `due_at`, the learner's new due date. A date alone is the end of that
    day in the actor's time zone. Raises `Forbidden`, `CourseUnknown`, `AudienceFileInvalid`, `AudienceTooLarge`.
    """
    made = _begin(session, actor, course_code)
    errors = Errors()
    make_table(session, "list_line", STAGED)
    copy_rows(session, "list_line", ["line", *STAGED], _rows(file, form, _columns(session, actor), errors))
    if errors.count:
        raise AudienceFileInvalid(errors.first, errors.count - len(errors.first))
    made.lines = session.scalars(text("SELECT count(*) FROM list_line")).one()
    values = {"organization": made.organization_id, "course": made.course_id, "list": str(made.id)}
    session.execute(text("DROP TABLE IF EXISTS pg_temp.list_found"))
    if made.lines > FEW:
        # Without statistics of an organization that was just imported, PostgreSQL would take it for empty, and compare
        # each line with each user. To read all users once is quick however many there are.
        session.execute(text("SET LOCAL enable_nestloop TO off"))
    session.execute(FOUND, values)
    session.execute(text("SET LOCAL enable_nestloop TO on"))
    made.learners = _written(session, LEARNERS, values)
    _written(session, LINES, values)
    return _counted(session, made)


def list_of_users(
    session: Session, actor: Actor, course_code: str, *, users: Sequence[int] = (), matching: UserFilter | None = None
) -> AudienceList:
    """Make a list of these users, or of all that match.

    Raises `Forbidden`, `CourseUnknown`, `NobodySelected`, `AudienceTooLarge`.
    """
    made = _begin(session, actor, course_code)
    chosen = matching.conditions() if matching else [User.id == any_(literal([*users], ARRAY(BigInteger)))]
    chosen = [User.organization_id == actor.organization_id, *chosen]
    most = select(User.id).where(*chosen).limit(MOST_LINES + 1).subquery()
    made.lines = session.scalars(select(func.count()).select_from(most)).one()
    if not made.lines:
        raise NobodySelected
    if made.lines > MOST_LINES:
        raise AudienceTooLarge(MOST_LINES)
    theirs = (Enrolment.user_id == User.id) & (Enrolment.course_id == made.course_id)
    assigned = theirs & Enrolment.unassigned_at.is_(None)
    columns = [AudienceListLearner.list_id, AudienceListLearner.enrolment_id]
    learners = select(literal(made.id), Enrolment.id).join(User, assigned).where(*chosen).order_by(Enrolment.id)
    made.learners = changed_rows(session, insert(AudienceListLearner).from_select(columns, learners))
    _write_unassigned(session, made, [*chosen, ~exists().where(assigned)])
    return _counted(session, made)


def _write_unassigned(session: Session, made: AudienceList, who: list[ColumnElement[bool]]) -> None:
    columns = [AudienceListLine.list_id, AudienceListLine.line, AudienceListLine.name, AudienceListLine.problem]
    line = func.row_number().over(order_by=(User.name, User.id))
    problem = literal(LineProblem.UNASSIGNED.value, String)
    rows = select(literal(made.id), line, User.email, problem).where(*who)
    changed_rows(session, insert(AudienceListLine).from_select(columns, rows))


def list_of(
    session: Session, actor: Actor, list_id: UUID, course_id: int | None = None, *, lock: bool = False
) -> AudienceList:
    """Returns a list of the actor's to plan with, for this course if it is given. `lock` keeps others from using it.

    Raises `Forbidden`; `ListUnknown`, also for a list that is too old; `ListUsed`.
    """
    found = seen_list(session, actor, list_id, lock=lock)
    if course_id not in (None, found.course_id) or found.created_at + LIST_LIFE < datetime.now(UTC):
        raise ListUnknown
    if found.confirmed_at is not None:
        raise ListUsed
    return found


def seen_list(session: Session, actor: Actor, list_id: UUID, *, lock: bool = False) -> AudienceList:
    """Returns a list of the actor's, also one that was used. Raises `Forbidden`, `ListUnknown`."""
    actor.must_have(Permission.USERS)
    query = select(AudienceList).where(AudienceList.id == list_id).execution_options(populate_existing=True)
    found = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if found is None or found.organization_id != actor.organization_id or found.made_by != actor.user_id:
        raise ListUnknown
    return found


def use_list(session: Session, actor: Actor, list_id: UUID) -> dict[str, int]:
    """Mark the list as confirmed. Returns its figures, for the audit. Raises what `list_of` raises."""
    found = list_of(session, actor, list_id, lock=True)
    found.confirmed_at = session.scalars(select(func.now())).one()
    session.flush()
    return {name: getattr(found, name) for name in ("lines", "learners", "unknown", "unassigned", "doubled")}


def _begin(session: Session, actor: Actor, course_code: str) -> AudienceList:
    actor.must_have(Permission.USERS)
    course = course_of(session, actor.organization_id, course_code)
    made = AudienceList(organization_id=course.organization_id, course_id=course.id, made_by=actor.user_id)
    session.add(made)
    session.flush()
    return made


def _columns(session: Session, actor: Actor) -> dict[str, Column]:
    zone = zone_of(session.get_one(User, actor.user_id)) if actor.user_id is not None else ZoneInfo("UTC")
    now = datetime.now(UTC)

    def due(value: str) -> datetime:
        try:
            found = end_of_day(value, zone)
        except ValueError:
            found = moment(value)
        if not now < found <= now + LONGEST_DUE:
            raise WrongError(translatable("must be in the future, within ten years"))
        return found

    return {"email": Column(email), "external_id": Column(external_id), "due_at": Column(due)}


def _rows(file: BinaryIO, form: Form, columns: dict[str, Column], errors: Errors) -> Iterator[tuple[Any, ...]]:
    found = read(file, form, columns, errors, either=[("email", "external_id")])
    for count, (line, values) in enumerate(found, 1):
        if count > MOST_LINES:
            raise AudienceTooLarge(MOST_LINES)
        if values["email"] is not None and values["external_id"] is not None:
            errors.add(line, gettext("external_id: must be empty if email is given"))
        elif not errors.count:
            yield line, *values.values()


def _written(session: Session, statement: Any, values: dict[str, Any]) -> int:
    result: Any = session.execute(statement, values)
    return int(result.rowcount)


def _counted(session: Session, made: AudienceList) -> AudienceList:
    counts = select(AudienceListLine.problem, func.count()).where(AudienceListLine.list_id == made.id)
    for problem, count in session.execute(counts.group_by(AudienceListLine.problem)):
        setattr(made, problem.value, count)
    session.flush()
    return made
