"""Erasing a person: afterwards, nothing identifies them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from sqlalchemy import Text, text
from sqlalchemy.dialects.postgresql import JSONB
from typer.testing import CliRunner

from cli.main import app as commands
from models import metadata
from models.access import MANAGEMENT, Permission
from models.files import storage
from models.files.files import attach
from models.files.uploads import receive
from models.learning import complete, post, record_progress, submit
from models.people import User
from models.personal import OF_NOBODY, SEARCHED, THEIR_OWN, pseudonym_of
from models.preferences import AlertLevel
from models.refusals.access import Forbidden
from models.refusals.people import EraseMismatch, NotOneself
from models.session import transaction
from models.sign_in import set_password
from models.sign_in_failures import Source, begin_attempt
from models.training import Activity, ActivityKind, Enrolment
from models.web_sessions import begin_session
from models.webhook_messages import tell
from models.webhooks import WebhookEvent, open_endpoint
from tasks.people.erase import erase
from tasks.people.preferences import set_level
from tasks.rules.event_sources import open_source
from tasks.rules.events import report_event
from tests.post import Post
from tests.rules import CALENDAR, EVENT, group, make
from tests.scenes import (
    COURSE,
    OTHER_COURSE,
    Scene,
    as_actor,
    ask,
    make_scene,
    recover,
    report_of,
    rows,
    run,
    state_of,
)
from tests.web import client_of, make_user, token_for, visitor

NAME = "Zora Quandt-Ørsted"
ADDRESS = "zora.quandt@acme.example"
WROTE = "qzxjk-written-by-her"  # in whatever is hers alone
ORGANIZATIONS_WORDS = "qzxjk-of-the-organization"  # in what is the organization's: it stays, without her


@dataclass
class Person:
    scene: Scene
    id: int
    reset: object
    rule: object
    open_reset: object


def everything_typed_about(words: str) -> list[str]:
    """Returns every column and every object in the storage that contains one of these words."""
    found = []
    columns = rows(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND data_type NOT IN ('bigint', 'integer', 'boolean', 'uuid')"
    )
    with transaction() as session:
        for table, column, kind in columns:
            where = (
                f"position(convert_to(:words, 'UTF8') in \"{column}\") > 0"
                if kind == "bytea"
                else f'position(lower(:words) in lower("{column}"::text)) > 0'
            )
            if session.scalar(text(f'SELECT count(*) FROM "{table}" WHERE {where}'), {"words": words}):
                found.append(f"{table}.{column}")
    for some in storage.everything():
        found += [f"object {one.key}" for one in some if words.encode() in b"".join(storage.read(one.key) or ())]
    return found


@pytest.fixture
def person(served: str, post: Post, set_up: Callable[..., None]) -> Person:
    """A person who is both administrator and learner, with data in every table."""
    set_up(smtp_host="127.0.0.1", smtp_port=9, smtp_security="none", mail_from="training@example.org")
    scene = make_scene(learners=4, completed=100, files=True)
    post.drain()
    user = make_user(scene.organization.id, ADDRESS, *MANAGEMENT, name=NAME)
    run(
        "INSERT INTO enrolment (organization_id, user_id, course_id) "
        f"SELECT organization_id, {user.id}, id FROM course WHERE organization_id = {scene.organization.id}"
    )
    for (registration,) in rows(f"SELECT registration FROM enrolment WHERE user_id = {user.id}"):
        learn(registration)
    post.drain()
    actor = as_actor(scene, user.id)
    with transaction() as session:
        mine = session.get_one(User, user.id)
        set_password(session, mine, f"{WROTE} is a password")
        begin_session(session, mine, f"a browser {WROTE}")
        set_level(session, user.id, scene.course.id, AlertLevel.INBOX)
        begin_attempt(session, "acme", ADDRESS, Source(f"198.51.100.7 {WROTE}"))
        open_source(session, actor, mine, f"{NAME}'s incident system {ORGANIZATIONS_WORDS}")
        open_endpoint(session, scene.organization.id, "https://example.org/hook", list(WebhookEvent))
    group(scene, "bern", [ADDRESS])
    run("UPDATE user_group SET name = :name", name=f"{NAME}'s crew")
    # She resets a course through the API, and has rules and events
    token = token_for(user.id)
    with client_of(served, token) as client:
        plan = client.post(f"/v1/courses/{OTHER_COURSE}/reset-plans", json={}).json()["plan"]
        asked = client.post(
            f"/v1/courses/{OTHER_COURSE}/resets",
            headers={"Idempotency-Key": f"for-{ADDRESS}"},
            json={
                "plan": plan,
                "confirm": OTHER_COURSE,
                "reason": f"{NAME} ({ADDRESS.upper()}) wants it;\n{NAME}\t{ORGANIZATIONS_WORDS}",
            },
        )
        assert asked.status_code == 202, asked.text
    reset = asked.json()["id"]
    post.drain()
    said = f"550 <{ADDRESS}>: no such user"
    run("UPDATE mail SET state = 'failed', reason = :said, error = :said WHERE user_id = :id", said=said, id=user.id)
    rule = make(scene, datetime.now(UTC), actor, **CALENDAR, starts=datetime(2030, 1, 1, 6), reason=f"says {NAME}")
    make(scene, datetime.now(UTC), actor, **EVENT, reason=f"as {ADDRESS} asked")
    with transaction() as session:
        report_event(session, actor, kind="incident", course=COURSE, reason=f"{NAME} slipped", key=f"case-{ADDRESS}")
        tell(session, scene.organization.id, WebhookEvent.RESET_STARTED, reset, {"reason": f"{NAME} wants it"})
    # And she is in a running reset
    open_reset = scene.request(idempotency_key=f"open-{ADDRESS}")
    post.deliver(post.take()[0])
    return Person(scene, user.id, reset, rule, open_reset)


def learn(registration: object) -> None:
    with transaction() as session:
        enrolment = session.query(Enrolment).filter_by(registration=registration).one()
        activities = session.query(Activity).filter_by(course_id=enrolment.course_id).all()
    upload = receive(enrolment.organization_id, f"{NAME} {WROTE}.txt", [f"by {NAME}, {WROTE}".encode()])
    with transaction() as session:
        for activity in activities:
            match activity.kind:
                case ActivityKind.LESSON:
                    record_progress(session, registration, activity.id, 100)
                case ActivityKind.DISCUSSION:
                    post(session, registration, activity.id, f"I, {NAME}, {WROTE}")
                case ActivityKind.ASSIGNMENT:
                    attach(session, submit(session, registration, activity.id, body=WROTE), upload)
                case ActivityKind.PRACTICAL_ASSESSMENT:
                    submit(session, registration, activity.id, score=80)
        complete(session, registration)


def test_nothing_identifies_an_erased_person(person: Person, post: Post, served: str) -> None:
    # Given a person of the same name in another organization
    other = make_scene("globex", learners=1)
    namesake = make_user(other.organization.id, "zq@globex.example", name=NAME)
    run("UPDATE course SET title = :title WHERE organization_id = :o", title=f"About {NAME}", o=other.organization.id)
    other.request(reason=f"{NAME} wants it")
    planted = everything_typed_about(ADDRESS) + everything_typed_about(WROTE)
    assert len(planted) > 15, planted
    serials = rows(
        "SELECT serial, pdf_key FROM certificate JOIN enrolment USING (registration) WHERE user_id = :id", id=person.id
    )
    audit_before = ask("SELECT count(*) FROM audit")
    # When she is erased through the API
    admin = make_user(person.scene.organization.id, "dpo@acme.example", *MANAGEMENT, name="Dana Officer")
    with client_of(served, token_for(admin.id)) as client:
        erased = client.post(f"/v1/users/{person.id}/erase", json={"confirm": ADDRESS.upper()})
        assert erased.status_code == 200, erased.text
        assert erased.json()["files"] == 1
        assert erased.json()["records"] > 5
        again = client.post(f"/v1/users/{person.id}/erase", json={"confirm": "whatever"})
        assert (again.status_code, again.json()["records"]) == (200, 0)
    post.drain()
    # Then neither she nor her texts are anywhere
    assert everything_typed_about(ADDRESS) == []
    assert everything_typed_about(WROTE) == []
    of_namesake = {"user.name", "course.title", "reset.reason", "audit.details"}
    assert set(everything_typed_about(NAME)) == of_namesake
    assert ask('SELECT count(*) FROM "user" WHERE name = :name', name=NAME) == 1
    assert ask('SELECT name FROM "user" WHERE id = :id', id=namesake.id) == NAME
    assert not [one.key for some in storage.everything() for one in some if one.key in {key for _, key in serials}]
    # And the audit has every entry, without her name
    assert ask("SELECT count(*) FROM audit") > audit_before
    details = ask("SELECT details::text FROM audit WHERE action = 'reset.requested' AND subject = :id", id=person.reset)
    them = pseudonym_of(person.id)
    assert json.loads(details)["reason"] == f"{them} ({them}) wants it;\n{them}\t{ORGANIZATIONS_WORDS}"
    assert ask("SELECT actor FROM audit WHERE action = 'reset.requested' AND subject = :id", id=person.reset) == (
        f"user:{person.id}"
    )
    entry = ask("SELECT details::text FROM audit WHERE action = 'user.erased'")
    assert "zora" not in entry.lower()
    # And her printed certificate is shown as no longer valid
    serial = next(serial for serial, key in serials if key)
    assert "superseded" in visitor(served).get(f"/verify/{serial}").text


def test_open_work_continues_and_their_rules_wait_for_a_new_owner(person: Person, post: Post, served: str) -> None:
    token, browser = token_for(person.id), visitor(served, person.id)
    with transaction() as session:
        erase(session, person.scene.admin, session.get_one(User, person.id), confirm=ADDRESS)
    # Neither her browser nor her programs have access
    assert browser.get("/my/training").status_code == 303
    with client_of(served, token) as client:
        assert client.get("/v1/me").status_code == 401
    # The running reset skips her
    run("UPDATE reset_slice SET published_at = now() - interval '1 hour' WHERE settled_at IS NULL")
    recover()
    post.drain()
    assert state_of(person.open_reset) == "succeeded"
    progress = report_of(person.open_reset)["progress"]
    assert (progress["total"], progress["skipped"], progress["cleared"]) == (5, 1, 4)
    # Her rules wait, and say why
    admin = visitor(served, person.scene.admin.user_id)
    assert "its owner was erased" in admin.get(f"/rules/{person.rule}").text
    assert rows("SELECT DISTINCT state FROM retraining_rule") == [("waiting",)]
    assert ask("SELECT closed_at IS NOT NULL FROM event_source")
    # And pages that named her still work
    for page in (f"/resets/{person.reset}", f"/resets/{person.open_reset}", f"/users/{person.id}", "/resets", "/rules"):
        answer = admin.get(page)
        assert answer.status_code == 200
        assert NAME not in answer.text


def test_erasing_needs_the_permission_and_the_exact_address(person: Person) -> None:
    learner = as_actor(person.scene, person.scene.users()[0].id)
    weaker = as_actor(person.scene, make_user(person.scene.organization.id, "hr@acme.example", Permission.USERS).id)
    for actor, confirm, refused in (
        (learner, ADDRESS, Forbidden),
        (weaker, ADDRESS, Forbidden),
        (person.scene.admin, "zora.quandt", EraseMismatch),
        (as_actor(person.scene, person.id), ADDRESS, NotOneself),
    ):
        with pytest.raises(refused), transaction() as session:
            erase(session, actor, session.get_one(User, person.id), confirm=confirm)
    assert ask('SELECT name FROM "user" WHERE id = :id', id=person.id) == NAME
    assert ask("SELECT count(*) FROM audit WHERE action = 'user.erased'") == 0


def test_the_page_asks_for_the_address(person: Person, served: str) -> None:
    browser = visitor(served, person.scene.admin.user_id)
    page = browser.get(f"/users/{person.id}")
    form = {"csrf": page.text.split('name="csrf" value="')[1].split('"')[0]}
    wrong = browser.post(f"/users/{person.id}/erase", data=form | {"confirm": "zora"})
    assert wrong.status_code == 422
    assert 'role="alert"' in wrong.text
    assert 'value="zora"' in wrong.text
    assert browser.post(f"/users/{person.id}/erase", data=form | {"confirm": ADDRESS}).status_code == 303
    after = browser.get(f"/users/{person.id}").text
    assert "was erased on" in after
    assert NAME not in after


def test_the_command_asks_for_the_address_twice(database: str) -> None:
    scene = make_scene(learners=1)
    asked = ["user", "erase", "learner-1@acme.example"]
    with pytest.raises(EraseMismatch):
        CliRunner().invoke(commands, [*asked, "--confirm", "learner-2@acme.example"], catch_exceptions=False)
    done = CliRunner().invoke(commands, [*asked, "--confirm", "learner-1@acme.example"], catch_exceptions=False)
    assert "is erased, with 2 enrolments" in done.output
    assert rows("SELECT count(*) FROM enrolment WHERE unassigned_at IS NULL") == [(0,)]
    assert ask("SELECT actor FROM audit WHERE action = 'user.erased'").startswith("console:")
    assert scene.users() == []


def test_a_name_is_replaced_only_as_a_whole_word(database: str) -> None:
    scene = make_scene(learners=1)
    user = make_user(scene.organization.id, "al@acme.example", name="Al")
    run(
        "INSERT INTO user_group (organization_id, code, name) SELECT :o, n, n FROM unnest(CAST(:names AS text[])) n",
        o=scene.organization.id,
        names=[
            "Al",
            "Alps",
            "real",
            "AL's",
            "sal@acme.example",
            "al@acme.example.org",
            "al@acme.example.",
            "for-al@acme.example-1",
        ],
    )
    with transaction() as session:
        erase(session, scene.admin, session.get_one(User, user.id), confirm="al@acme.example")
    them = pseudonym_of(user.id)
    assert [name for (name,) in rows("SELECT name FROM user_group ORDER BY id")] == [
        them,
        "Alps",
        "real",
        f"{them}'s",
        "sal@acme.example",
        "al@acme.example.org",
        f"{them}.",
        f"for-{them}-1",
    ]


def test_every_text_column_says_what_an_erasure_does_with_it() -> None:
    """A new column may contain a name: add it to a list in models/personal.py."""
    listed = {f"{place.class_.__tablename__}.{place.key}" for place in SEARCHED}
    for columns in (THEIR_OWN, OF_NOBODY):
        listed |= {f"{table}.{column}" for table, names in columns.items() for column in names}
    there = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if type(column.type) in (Text, JSONB)
    }
    assert listed == there
