"""Before another reset of a course is confirmed, what is ahead for it already."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cli.reset_new import ahead_in_words
from models.access import Permission
from models.session import transaction
from tasks.rules.ahead import MOST_SHOWN, Ahead, ahead_of
from tests.post import Post
from tests.rules import CALENDAR, change, make
from tests.scenes import COURSE, OTHER_COURSE, Scene, make_scene
from tests.web import client_of, token_for


def test_open_resets_and_rules_of_a_course_are_ahead(post: Post, served: str) -> None:
    scene = make_scene()
    seen = replace(scene, admin=replace(scene.admin, permissions=frozenset({Permission.USERS})))

    def ahead(of: Scene = scene) -> list[Ahead]:
        with transaction() as session:
            return ahead_of(session, of.admin, scene.course.id, COURSE)

    assert ahead() == []
    # Given a reset that is done, one of another course, one that runs, one that is planned, and two rules
    scene.request(course=OTHER_COURSE)
    scene.request()
    post.drain()
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    planned = scene.request(scene.preview(start_at=later))
    running = scene.request()
    post.deliver(post.take()[0])
    yearly = make(scene, datetime.now(UTC), **CALENDAR, starts="2031-03-01T06:00", time_zone="Europe/Zurich")
    paused = make(scene, datetime.now(UTC), **CALENDAR, starts="2031-04-01T06:00", time_zone="Europe/Zurich")
    change(scene, "pause", paused, datetime.now(UTC))
    # Then what is open comes first, with its time, and the rule with its next one
    found = ahead()
    assert [(one.kind, one.id, one.state) for one in found] == [
        ("reset", running, "running"),
        ("reset", planned, "planned"),
        ("rule", yearly, "active"),
    ]
    assert found[1].at == later
    assert found[2].at == datetime(2031, 3, 1, 5, tzinfo=UTC)
    words = [ahead_in_words(one) for one in found]
    assert words[0].startswith("Reset running, 12 learners: ")
    assert words[1].startswith(f"Reset planned for {later:%Y-%m-%d %H:%M} UTC: ")
    assert words[2].endswith("; next due 2031-03-01 05:00 UTC")
    # … in the API too, and nothing that one may not see
    assert scene.admin.user_id is not None
    with client_of(served, token_for(scene.admin.user_id)) as api:
        answer = api.post(f"/v1/courses/{COURSE}/reset-plans", json={"reason": "incident 7731"}).json()
    assert [(one["kind"], one["id"]) for one in answer["ahead"]] == [(one.kind, str(one.id)) for one in found]
    assert ahead(seen) == []
    # … and of more than are shown, those that begin first
    for days in range(4, 4 + MOST_SHOWN):
        scene.request(scene.preview(start_at=later + timedelta(days=days)))
    assert [one.id for one in ahead()[:2]] == [running, planned]
    assert sum(one.kind == "reset" for one in ahead()) == MOST_SHOWN
