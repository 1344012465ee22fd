"""A course that is not assigned to a user: the refusal says so."""

from models.training import Enrolment
from tests.scenes import COURSE, make_scene, run
from tests.web import client_of, token_for, visitor


def test_an_unassigned_course_and_an_unknown_course_are_refused_differently(served: str) -> None:
    scene = make_scene(learners=2)
    enrolment: Enrolment = scene.enrolments()[0]
    run("UPDATE enrolment SET unassigned_at = now() WHERE id = :id", id=enrolment.id)
    with visitor(served, enrolment.user_id) as learner:
        page = learner.get(f"/my/courses/{COURSE}")
        assert page.status_code == 404
        assert f"The course {COURSE} is not assigned to you. Ask an administrator to assign it." in page.text
        assert "There is no course" not in page.text
        assert "There is no course" in learner.get("/my/courses/NONE-1").text
    assert scene.admin.user_id
    with client_of(served, token_for(scene.admin.user_id)) as api:
        of_user = f"/v1/users/{enrolment.user_id}/courses"
        refused = api.get(f"{of_user}/{COURSE}").json()
        assert refused["type"] == "/problems/course-not-assigned"
        assert (
            refused["detail"] == f"The course {COURSE} is not assigned to this user. Ask an administrator to assign it."
        )
        assert api.get(f"{of_user}/NONE-1").json()["type"] == "/problems/course-unknown"
