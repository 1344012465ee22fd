"""A confirmation holds for what its preview showed; a larger reset is shown again first."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from models.learning import complete, record_progress
from models.refusals.resets import PlanOutdated
from models.session import transaction
from models.training import Enrolment
from tasks.reset import impact as module
from tasks.reset.impact import Preview
from tests.conftest import PROJECT
from tests.post import Post
from tests.scenes import COURSE, REASON, Scene, ask, do_everything, make_scene, recover, report_of, rows, run, state_of
from tests.web import client_of, form_token, token_for, visitor
from tests.workers import until


def nothing_done(learners: int = 12, slug: str = "acme") -> Scene:
    return make_scene(slug, learners, completed=0, begun=0)


def finish(enrolment: Enrolment) -> None:
    with transaction() as session:
        complete(session, enrolment.registration)


def study(scene: Scene, enrolments: list[Enrolment]) -> None:
    """Record lesson progress for them."""
    lesson = ask("SELECT min(id) FROM activity WHERE course_id = :id AND kind = 'lesson'", id=scene.course.id)
    for enrolment in enrolments:
        with transaction() as session:
            record_progress(session, enrolment.registration, lesson, 20)


def refused(scene: Scene, seen: Any) -> str:
    """Return why a confirmation of this preview is refused."""
    before = ask("SELECT count(*) FROM reset")
    with pytest.raises(PlanOutdated) as refusal:
        scene.request(seen)
    assert ask("SELECT count(*) FROM reset") == before
    return "; ".join(refusal.value.changes)


def test_a_learner_who_completes_after_the_preview_is_not_reset(post: Post) -> None:
    scene = nothing_done()
    seen = scene.preview()
    assert (sum(seen.removed.values()), seen.alerts) == (0, 0)
    do_everything(scene.enrolments()[0])
    before = rows("SELECT registration FROM completion UNION ALL SELECT registration FROM certificate")
    changes = refused(scene, seen)
    assert "completions: 1 instead of none" in changes
    assert "certificates: 1 instead of none" in changes
    assert "alerts: 1 instead of none" in changes
    post.drain()
    assert rows("SELECT registration FROM completion UNION ALL SELECT registration FROM certificate") == before
    # … and the new preview can be confirmed
    reset = scene.request(scene.preview())
    post.drain()
    assert report_of(reset)["removed"]["completion"] == 1


def test_one_more_completion_among_a_hundred_is_refused(post: Post) -> None:
    scene = make_scene(learners=110, completed=95, begun=95)
    seen = scene.preview()
    finish(next(enrolment for enrolment in scene.enrolments() if enrolment.state != "completed"))
    assert f"completions: {seen.completions + 1} instead of {seen.completions}" in refused(scene, seen)


def test_a_completion_that_replaces_another_counts_as_new(post: Post) -> None:
    scene = make_scene(learners=12, completed=6, begun=12)
    seen = scene.preview()
    run("UPDATE enrolment SET unassigned_at = now() WHERE id = :id", id=scene.enrolments()[0].id)
    finish(scene.enrolments()[-1])
    assert refused(scene, seen) == "completions that were not shown: 1"


def test_records_may_grow_by_a_tenth_and_no_more(post: Post) -> None:
    scene = nothing_done(60)
    enrolments = scene.enrolments()
    study(scene, enrolments[:20])
    seen = scene.preview()
    study(scene, enrolments[20:22])
    scene.request(seen)
    seen = scene.preview()
    study(scene, enrolments[22:25])
    assert refused(scene, seen) == "lesson progress records: 25 instead of 22"


def test_a_smaller_reset_than_previewed_is_not_refused(post: Post) -> None:
    scene = make_scene(completed=6)
    seen = scene.preview()
    run("UPDATE enrolment SET unassigned_at = now() WHERE id = :id", id=scene.enrolments()[0].id)
    reset = scene.request(seen)
    post.drain()
    assert report_of(reset)["progress"]["total"] == 11


def test_a_second_tabs_preview_is_refused_after_the_first_tabs_reset(post: Post) -> None:
    scene = make_scene(completed=100)
    first, second = scene.preview(), scene.preview()
    reset = scene.request(first)
    post.drain()
    assert refused(scene, second) == "another reset of these learners ran"
    # … but the first tab may confirm again
    assert scene.request(first) == reset


def test_resets_of_other_learners_or_courses_do_not_count(post: Post) -> None:
    scene = make_scene(completed=100)
    one, *_, last = (user.id for user in scene.users())
    whole, single = scene.preview(), scene.preview(audience="users", users=[one])
    scene.request(course=scene.other_course.code)
    scene.request(audience="users", users=[last])
    post.drain()
    scene.request(single)
    post.drain()
    assert refused(scene, whole) == "another reset of these learners ran"


def test_a_reset_that_ended_before_the_preview_does_not_count(post: Post) -> None:
    scene = make_scene(completed=100)
    scene.request()
    post.drain()
    scene.request(scene.preview())


def test_a_large_course_is_compared_by_the_same_sample_as_its_preview(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COUNTED_EXACTLY", 1000)
    monkeypatch.setattr(module, "SAMPLED", 100)
    scene = nothing_done(3000)
    [beside] = rows(
        "SELECT id FROM enrolment WHERE course_id = :id AND abs(hashint8(id)) % 30 > 0 ORDER BY id LIMIT 1",
        id=scene.course.id,
    )
    do_everything(next(enrolment for enrolment in scene.enrolments() if enrolment.id == beside[0]))
    seen = scene.preview(about=True)
    assert seen.about
    # Records outside the sample are counted where the sample finds none
    assert (seen.removed["discussion_post"], seen.removed["completion"]) == (1, 1)
    # Only one learner was unassigned, which would change the sample
    run("UPDATE enrolment SET unassigned_at = now() WHERE id = :id", id=scene.enrolments()[-1].id)
    scene.request(seen)
    # And one completion among 3,000 is noticed, wherever it is
    finish(scene.enrolments()[-2])
    assert "completions: 2 instead of 1" in refused(scene, as_not_confirmed_yet(seen))


def as_not_confirmed_yet(seen: Preview) -> Preview:
    return replace(seen, plan=replace(seen.plan, id=ask("SELECT uuidv7()")))


def test_a_later_reset_is_compared_with_its_preview_on_request_and_not_on_start(post: Post) -> None:
    scene = nothing_done()
    later = datetime.now(UTC) + timedelta(days=2)
    seen = scene.preview(start_at=later)
    finish(scene.enrolments()[0])
    assert "completions" in refused(scene, seen)
    reset = scene.request(scene.preview(start_at=later))
    finish(scene.enrolments()[1])
    run("UPDATE reset SET start_at = now(), requested_at = now() - interval '2 days'")
    post.drain()
    recover()
    post.drain()
    assert (state_of(reset), report_of(reset)["removed"]["completion"]) == ("succeeded", 2)


@pytest.fixture
def scene(database: str) -> Scene:
    return nothing_done()


@pytest.fixture
def api(scene: Scene, served: str) -> Iterator[httpx.Client]:
    assert scene.admin.user_id is not None
    with client_of(served, token_for(scene.admin.user_id)) as client:
        yield client


def test_a_program_is_told_what_has_changed_with_the_new_figures(api: httpx.Client, scene: Scene) -> None:
    planned = api.post(f"/v1/courses/{COURSE}/reset-plans", json={"reason": REASON}).json()
    finish(scene.enrolments()[0])

    def confirmed(plan: dict[str, Any]) -> httpx.Response:
        body = {"plan": plan["plan"], "confirm": plan["confirm"]}
        return api.post(f"/v1/courses/{COURSE}/resets", json=body, headers={"Idempotency-Key": "incident-7731"})

    answer = confirmed(planned)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "/problems/plan-outdated"
    assert "completions: 1 instead of none" in problem["changes"]
    assert problem["now"]["learners"] == 12
    assert problem["now"]["removed"]["completion"] == 1
    assert (problem["now"]["alerts"], problem["now"]["about"]) == (1, False)
    # … and succeeds under the same key with a new plan
    again = api.post(f"/v1/courses/{COURSE}/reset-plans", json={"reason": REASON}).json()
    assert again["removed"] == problem["now"]["removed"]
    assert confirmed(again).status_code == 202


def test_the_page_keeps_the_input_and_shows_the_changes(scene: Scene, served: str) -> None:
    address = f"/training/content/courses/{COURSE}/reset"
    with visitor(served, scene.admin.user_id) as person:
        page = person.get(address)
        assert page.status_code == 200

        def confirm(shown: httpx.Response) -> httpx.Response:
            form = {
                "csrf": form_token(shown),
                "plan": shown.text.split('name="plan" value="')[1].split('"')[0],
                "reason": "incident 7731",
                "confirm": COURSE,
                "due_in_days": "30",
            }
            return person.post(address, data=form)

        finish(scene.enrolments()[0])
        back = confirm(page)
        assert back.status_code == 409
        assert "Completions: 1 instead of none" in back.text
        assert 'value="incident 7731"' in back.text
        assert 'value="30"' in back.text
        assert ask("SELECT count(*) FROM reset") == 0
        assert confirm(back).status_code == 303
    assert rows("SELECT reason, due_in_days FROM reset") == [("incident 7731", 30)]


def test_a_page_takes_no_plan_of_another_page(scene: Scene, served: str) -> None:
    # Given plans for one user and for the course
    learner, other = (user.id for user in scene.users()[:2])
    of_user = scene.preview(audience="users", users=[learner]).token
    of_course = scene.preview().token
    course, profile = f"/training/content/courses/{COURSE}/reset", f"/users/{{}}/courses/{COURSE}/reset"
    # When each is confirmed on another page than its own, then nothing is reset
    with visitor(served, scene.admin.user_id) as person:
        token = form_token(person.get("/my/settings"))
        for page, plan in ((course, of_user), (profile.format(learner), of_course), (profile.format(other), of_user)):
            form = {"csrf": token, "plan": plan, "reason": REASON, "confirm": COURSE}
            refused = person.post(page, data=form)
            assert (refused.status_code, "This plan was not issued here" in refused.text) == (422, True), page
    assert ask("SELECT count(*) FROM reset") == 0


def test_at_a_terminal_the_new_preview_is_shown_and_asked_about(scene: Scene, servers: object) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cli.main", "reset", COURSE, "--reason", REASON, "--as", "admin@acme.example"]
    terminal = subprocess.Popen(
        command, cwd=PROJECT, env=os.environ | {"COLUMNS": "200", "TERM": "dumb"}, stdin=theirs, stdout=theirs,
        stderr=theirs, close_fds=True,
    )  # fmt: skip
    os.close(theirs)
    os.set_blocking(ours, False)
    said = ""

    def says(words: str, times: int = 1) -> Callable[[], bool]:
        def look() -> bool:
            nonlocal said
            with suppress(BlockingIOError):
                said += os.read(ours, 100_000).decode()
            return said.count(words) >= times

        return look

    try:
        until(says("to confirm"))
        finish(scene.enrolments()[0])
        os.write(ours, f"{COURSE}\n".encode())
        until(says("to confirm", 2))
        assert "completions: 1 instead of none" in said
        assert ask("SELECT count(*) FROM reset") == 0
        os.write(ours, f"{COURSE}\n".encode())
        until(lambda: ask("SELECT count(*) FROM reset") == 1)
    finally:
        terminal.terminate()
        terminal.wait(20)
        os.close(ours)
