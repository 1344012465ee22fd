"""Organizations with courses and learners, and queries about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from models.access import Actor, acting_user, acting_user_by_id
from models.files.files import attach
from models.files.uploads import receive
from models.learning import complete, post, record_progress, submit
from models.people import Organization, User
from models.records import record_kinds
from models.resets import Reset
from models.session import transaction
from models.training import Activity, ActivityKind, Course, Enrolment
from tasks.app import app
from tasks.report import report
from tasks.reset.cancel import cancel
from tasks.reset.impact import Preview, preview
from tasks.reset.request import request_reset
from tasks.reset.retry_failed import retry_failed
from tasks.sample import enrol_everyone, hand_in_files, make_courses, make_learners, make_organization
from tests.workers import until

COURSE = "FIRE-101"
OTHER_COURSE = "DATA-202"
REASON = "yearly recertification"


@dataclass(frozen=True)
class Scene:
    """An organization with an admin and two courses to which all its learners are assigned."""

    organization: Organization
    admin: Actor
    course: Course
    other_course: Course

    def preview(self, **options: Any) -> Preview:
        with transaction() as session:
            return preview(session, self.admin, options.pop("course", COURSE), **options)

    def request(self, plan: Preview | None = None, **options: Any) -> UUID:
        """Preview and confirm a reset of the course; its first message then waits in the broker."""
        keep = {name: options.pop(name) for name in ("idempotency_key", "reason", "confirm") if name in options}
        planned = plan or self.preview(**options)
        with transaction() as session:
            return request_reset(
                session,
                self.admin,
                **{"plan": planned.token, "confirm": planned.plan.course_code, "reason": REASON} | keep,
            ).id

    def name_externally(self, *, course: str, first_learner: str) -> None:
        """Give external ids to the course and to its first learner."""
        learner = self.enrolments()[0].user_id
        with transaction() as session:
            session.get_one(Course, self.course.id).external_id = course
            session.get_one(User, learner).external_id = first_learner

    def cancel(self, reset_id: UUID) -> None:
        with transaction() as session:
            cancel(session, self.admin, session.get_one(Reset, reset_id))

    def retry_failed(self, reset_id: UUID) -> UUID:
        """Retry, and return the new run's task id."""
        with transaction() as session:
            reset = session.get_one(Reset, reset_id)
            retry_failed(session, self.admin, reset)
            return reset.task_id

    def enrolments(self, course: Course | None = None) -> list[Enrolment]:
        with transaction() as session:
            return list(
                session.scalars(
                    select(Enrolment).where(Enrolment.course_id == (course or self.course).id).order_by(Enrolment.id)
                )
            )

    def users(self) -> list[User]:
        """Return the learners."""
        with transaction() as session:
            return list(
                session.scalars(
                    select(User)
                    .where(User.organization_id == self.organization.id, User.email.like("learner-%"))
                    .order_by(User.id)
                )
            )


def make_scene(
    slug: str = "acme",
    learners: int = 12,
    *,
    completed: int = 6,
    begun: int = 10,
    certificates: bool = True,
    files: bool = False,
) -> Scene:
    """Create an organization with learners. Of the first 100 users of a database, those with an id below `completed`
    have completed the courses, and those below `begun` have begun them. Every tenth learner has notifications off.
    `files` puts real files into the storage."""
    with transaction() as session:
        organization = make_organization(session, slug, slug.title())
        make_learners(session, organization, learners)
        courses = make_courses(
            session,
            organization,
            {COURSE: "Fire safety", OTHER_COURSE: "Data protection"},
            lessons=2,
            assessments=1,
            certificates=certificates,
        )
        enrol_everyone(session, organization, courses, completed=completed, begun=begun)
        if files:
            hand_in_files(session, courses)
        admin = acting_user(session, organization, f"admin@{slug}.example")
    return Scene(organization, admin, *courses)


def as_actor(scene: Scene, user_id: int) -> Actor:
    """Return this user of the organization as an actor."""
    with transaction() as session:
        return acting_user_by_id(session, scene.organization, user_id)


def do_everything(enrolment: Enrolment) -> None:
    """Create a record of each kind for the learner."""
    upload = receive(enrolment.organization_id, "notes.txt", [b"What I did."])
    with transaction() as session:
        for activity in session.scalars(select(Activity).where(Activity.course_id == enrolment.course_id)):
            match activity.kind:
                case ActivityKind.LESSON:
                    record_progress(session, enrolment.registration, activity.id, 100)
                case ActivityKind.DISCUSSION:
                    post(session, enrolment.registration, activity.id, "What I took from it.")
                case ActivityKind.ASSIGNMENT:
                    attach(session, submit(session, enrolment.registration, activity.id, score=80), upload)
                case ActivityKind.PRACTICAL_ASSESSMENT:
                    submit(session, enrolment.registration, activity.id, score=80)
        complete(session, enrolment.registration)


def recover() -> None:
    """Run the task that beat sends every few seconds."""
    app.tasks["recourse.recover"]()


def run(statement: str, **values: object) -> None:
    """Run SQL, and commit."""
    with transaction() as session:
        session.execute(text(statement), values)


def ask(query: str, **values: object) -> Any:
    """One value of the database."""
    with transaction() as session:
        return session.scalar(text(query), values)


def rows(query: str, **values: object) -> Sequence[Any]:
    """Rows of the database, as tuples."""
    with transaction() as session:
        return [tuple(row) for row in session.execute(text(query), values)]


def ledger(reset_id: UUID) -> dict[int, tuple[str, str | None]]:
    """State and reason by enrolment; those who are open are pending."""
    found = rows(
        """SELECT enrolment_id, state, reason FROM reset_item WHERE reset_id = :id
           UNION ALL
           SELECT member, 'pending', NULL FROM reset_slice, unnest(members) member
           WHERE reset_id = :id AND settled_at IS NULL
             AND NOT EXISTS (SELECT FROM reset_item i WHERE i.reset_id = :id AND enrolment_id = member)
           ORDER BY 1""",
        id=reset_id,
    )
    return {enrolment: (state, reason) for enrolment, state, reason in found}


def alerts(reset_id: UUID) -> dict[int, tuple[str, str | None]]:
    """Return state and reason of the learners' alerts by user."""
    found = rows(
        "SELECT user_id, state, reason FROM notification WHERE reset_id = :id AND kind = 'course_assigned'", id=reset_id
    )
    return {user: (state, reason) for user, state, reason in found}


def report_of(reset_id: UUID) -> dict[str, Any]:
    with transaction() as session:
        return report(session, session.get_one(Reset, reset_id))


def state_of(reset_id: UUID) -> str:
    return str(ask("SELECT state FROM reset WHERE id = :id", id=reset_id))


def settled(reset_id: UUID) -> int:
    """How many learners were cleared or failed."""
    progress = report_of(reset_id)["progress"]
    return int(progress["cleared"] + progress["failed"])


def assert_done_once(scene: Scene, reset_id: UUID) -> None:
    """Each learner was cleared once and alerted once, and the job has its result. Needs `count_new_registrations`."""
    learners = len(scene.enrolments())
    result = app.AsyncResult(str(reset_id)).get(timeout=60)
    until(lambda: report_of(reset_id)["done"])
    assert rows("SELECT count(*), count(DISTINCT enrolment_id) FROM new_registration") == [(learners, learners)]
    assert report_of(reset_id)["progress"] == {
        "total": learners, "cleared": learners, "unchanged": 0, "skipped": 0, "failed": 0, "waiting": 0,
    }  # fmt: skip
    assert result["progress"] == report_of(reset_id)["progress"]
    assert set(records_of(scene.course).values()) == {0}
    wanted = {user.id for user in scene.users() if user.notifications_on}
    assert alerts(reset_id) == dict.fromkeys(wanted, ("sent", None))
    assert report_of(reset_id)["removed"]["completion"] == learners
    assert ask("SELECT count(*) FROM audit WHERE action = 'reset.succeeded'") == 1


def records_of(course: Course) -> dict[str, int]:
    """Return the number of rows by record kind."""
    return {
        kind.kind(): ask(
            f"SELECT count(*) FROM {kind.__tablename__} JOIN enrolment USING (registration) WHERE course_id = :course",
            course=course.id,
        )
        for kind in record_kinds()
    }


def fingerprint(courses: Sequence[Course]) -> dict[str, str]:
    """Return checksums of all rows about these courses and about people."""
    of_course = {kind.__tablename__: "registration IN (SELECT registration FROM mine)" for kind in record_kinds()}
    of_course |= {"enrolment": "id IN (SELECT id FROM mine)"}
    whole = dict.fromkeys(("organization", '"user"', "course", "activity"), "true")
    with transaction() as session:
        return {
            table: session.scalar(
                text(
                    "WITH mine AS (SELECT id, registration FROM enrolment WHERE course_id = ANY(:courses)) "
                    f"SELECT count(*) || ' rows, ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') "
                    f"FROM {table} t WHERE {condition}"
                ),
                {"courses": [course.id for course in courses]},
            )
            for table, condition in (of_course | whole).items()
        }


def fail_for(enrolment: Enrolment) -> None:
    """Make the database refuse a new registration for this enrolment, until `let_all_pass`."""
    run(
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'this learner cannot be reset'; END $$"
    )
    run(
        f"CREATE TRIGGER refuse_{enrolment.id} BEFORE UPDATE ON enrolment FOR EACH ROW "
        f"WHEN (old.id = {enrolment.id}) EXECUTE FUNCTION refuse()"
    )


def let_all_pass() -> None:
    run("DROP FUNCTION refuse CASCADE")


def count_new_registrations() -> None:
    """From now on, record each change of a registration by a trigger."""
    run("CREATE TABLE IF NOT EXISTS new_registration (enrolment_id bigint, at timestamptz DEFAULT clock_timestamp())")
    run(
        "CREATE OR REPLACE FUNCTION note_registration() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO new_registration (enrolment_id) VALUES (new.id); RETURN new; END $$"
    )
    run(
        "CREATE OR REPLACE TRIGGER note_registration AFTER UPDATE ON enrolment FOR EACH ROW "
        "WHEN (old.registration <> new.registration) EXECUTE FUNCTION note_registration()"
    )


def slow_down_each(seconds: float) -> None:
    """Make each learner take that much longer, so that a test can interfere for long.

    With `slow_down`, a reset that adapts to the pace of the database would take ever more and smaller transactions.
    """
    run(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM pg_sleep({seconds}); RETURN new; END $$"
    )
    run(
        "CREATE TRIGGER dawdle BEFORE UPDATE ON enrolment FOR EACH ROW "
        "WHEN (old.registration <> new.registration) EXECUTE FUNCTION dawdle()"
    )


def slow_down(seconds: float) -> None:
    """Make each transaction that clears learners take that long, so that a test can interfere."""
    run(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END $$"
    )
    run("CREATE TRIGGER dawdle BEFORE UPDATE ON enrolment FOR EACH STATEMENT EXECUTE FUNCTION dawdle()")
