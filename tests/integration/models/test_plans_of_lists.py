"""The lists of users and of a reset's learners read a page, however many there are."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from models.directory import USER_ORDERS, UserFilter, UserState, count_users, matching_users, users_of
from models.resets import Reset
from models.session import transaction
from tasks.reset.learner_list import LearnerFilter, learners_listed, matching_learners
from tests.crowd import Looked, looking, vacuum
from tests.scenes import Scene, make_scene, run

MANY = 30_000  # users
PAGE = 50
MOST_COUNTED = 100


@pytest.fixture
def scene(database: str, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """An organization with many users; in one reset all have an outcome, in the other all are open."""
    monkeypatch.setattr("models.listing.MOST_COUNTED", MOST_COUNTED)
    scene = make_scene(learners=1)
    of = {"organization": scene.organization.id, "course": scene.course.id}
    run(
        """INSERT INTO "user" (organization_id, email, name, created_at, active)
           SELECT :organization, md5(n::text) || '@acme.example', md5('name' || n), now() - n * interval '1 minute',
                  n % 1000 > 0
           FROM generate_series(1, :many) n""",
        organization=scene.organization.id,
        many=MANY,
    )
    run(
        """INSERT INTO enrolment (organization_id, user_id, course_id)
           SELECT organization_id, id, :course FROM "user" WHERE organization_id = :organization
           ON CONFLICT DO NOTHING""",
        **of,
    )
    for number, state, finished_at in ((1, "succeeded", "now()"), (2, "running", "NULL")):
        run(
            f"""INSERT INTO reset (id, organization_id, course_id, audience, planned_at, notify, reason, requester,
                                   state, task_id, finished_at, learners)
                SELECT :id, :organization, :course, 'assigned', now(), false, 'yearly', 'user:1',
                       '{state}', :id, {finished_at}, :many""",
            id=UUID(int=number),
            many=MANY,
            **of,
        )
    run(
        """INSERT INTO reset_item (reset_id, enrolment_id, state)
           SELECT :reset, id, 'cleared' FROM enrolment WHERE course_id = :course""",
        reset=UUID(int=1),
        course=scene.course.id,
    )
    run(
        """INSERT INTO reset_slice (reset_id, number, first, last, learners, position, members)
           SELECT :reset, part, min(id), max(id), count(*), 1, array_agg(id ORDER BY id)
           FROM (SELECT id, ntile(100) OVER (ORDER BY id) part FROM enrolment WHERE course_id = :course) e
           GROUP BY part""",
        reset=UUID(int=2),
        course=scene.course.id,
    )
    vacuum()
    return scene


def everything(scene: Scene) -> Iterator[Looked]:
    """Every statement of two pages in each order, of counts, and of a search that finds few."""
    organization = scene.organization.id
    with looking() as seen, transaction() as session:
        for sort in (way + column for column in USER_ORDERS.columns for way in ("", "-")):
            with seen.at(f"users by {sort}"):
                page = users_of(session, organization, sort=sort, limit=PAGE)
                assert len(users_of(session, organization, sort=sort, after=page[-1][1], limit=PAGE)) == PAGE
        with seen.at("counts"):
            assert count_users(session, organization).more
            assert count_users(session, organization, UserState.DEACTIVATED).number == MANY / 1000
        for reset in (session.get_one(Reset, UUID(int=number)) for number in (1, 2)):
            for sort in (way + column for column in ("name", "email") for way in ("", "-")):
                with seen.at(f"{reset.state} by {sort}"):
                    page_of = learners_listed(session, reset, sort=sort, limit=PAGE)
                    assert len(learners_listed(session, reset, sort=sort, after=page_of[-1][1], limit=PAGE)) == PAGE
            which = LearnerFilter(search="abcd")
            with seen.at(f"{reset.state}, of few"):
                found = matching_learners(session, reset, which.search)
                assert found is not None
                assert 0 < found.count.number < MOST_COUNTED
                assert learners_listed(session, reset, which, found=found, sort="name", limit=PAGE)
        few = UserFilter(search="abcd")
        with seen.at("users, of few"):
            assert users_of(session, organization, few, found=matching_users(session, organization, few), limit=PAGE)
    yield from seen.seen


def test_a_page_in_any_order_reads_little_more_than_its_rows(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.reset.learner_list.FEW_OPEN", MANY // 10)
    seen = list(everything(scene))
    assert {looked.during for looked in seen} >= {"users by -added", "running by -email", "succeeded by name", "counts"}
    searched = [one for one in seen if one.during.endswith("of few")]
    # The first of a search looks at everyone, once and in no order; what follows knows who they are
    knowing = [one for one in searched if "ANY" in one.statement]
    assert len(knowing) == 3
    too_much = [one for one in [*knowing, *(one for one in seen if one not in searched)] if most_rows(one) > 10 * PAGE]
    assert not too_much, "\n" + "\n".join(f"{one} {dict(one.rows)}" for one in too_much)


def most_rows(looked: Looked) -> int:
    """Rows read from one of the tables with a row for each user."""
    return max((looked.rows[table] for table in ("user", "enrolment", "reset_item")), default=0)
