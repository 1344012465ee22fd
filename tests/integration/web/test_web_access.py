"""Permissions of pages: every page for every kind of visitor; sessions and forms."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from models.access import Permission
from models.participants import ParticipantKind
from models.people import User
from models.session import transaction
from models.sign_in import set_password
from models.webhooks import WebhookEvent, open_endpoint
from tasks.participants.commands import Terms, add_participant
from tests.lists import make_list
from tests.post import Post
from tests.rules import group, make
from tests.scenes import COURSE, Scene, ask, make_scene, rows, run
from tests.web import make_user, page_routes, visitor

PASSWORD = "correct horse battery staple"
VISITORS = ("nobody", "learner", "manager", "admin", "foreign admin")


@pytest.fixture
def scene(served: str) -> Scene:
    return make_scene()


def sign_in(base: str, user: User, password: str = PASSWORD, slug: str = "acme") -> httpx.Client:
    """Returns a browser without scripts that has tried to sign in; without a cookie, it was refused."""
    client = httpx.Client(base_url=base, follow_redirects=False, timeout=30)
    token = csrf_of(client.get("/sign-in").text)
    form = {"csrf": token, "organization": slug, "email": user.email, "password": password}
    client.last = client.post("/sign-in", data=form)  # type: ignore[attr-defined]
    return client


def csrf_of(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found, page
    return found[1]


def give_password(user: User) -> User:
    with transaction() as session:
        set_password(session, session.get_one(User, user.id), PASSWORD)
    return user


@dataclass(frozen=True)
class Visitors:
    clients: dict[str, httpx.Client]
    scene: Scene
    reset: str
    user: int


@pytest.fixture
def visitors(served: str, scene: Scene, post: Post) -> Iterator[Visitors]:
    reset = scene.request()
    post.drain()
    other = make_scene("globex", learners=1)
    with transaction() as session:
        admin, foreign = (session.get_one(User, one.admin.user_id) for one in (scene, other))
    manager = make_user(scene.organization.id, "manager@acme.example", Permission.COURSES)
    people = {"learner": scene.users()[0], "manager": manager, "admin": admin}
    clients = {name: sign_in(served, give_password(user)) for name, user in people.items()}
    clients["nobody"] = httpx.Client(base_url=served, timeout=30)
    clients["foreign admin"] = sign_in(served, give_password(foreign), slug="globex")
    yield Visitors(clients, scene, str(reset), scene.users()[0].id)
    for client in clients.values():
        client.close()


ROUTES: dict[tuple[str, str], tuple[int, int, int, int, int]] = {
    # 303 leads to the sign-in page. Objects of another organization do not exist.
    ("GET", "/"): (303, 303, 303, 303, 303),
    ("GET", "/first-start"): (404, 404, 404, 404, 404),  # there is an organization
    ("POST", "/first-start"): (404, 404, 404, 404, 404),
    ("GET", "/set-password/{token}"): (404, 404, 404, 404, 404),
    ("POST", "/set-password/{token}"): (404, 404, 404, 404, 404),
    ("GET", "/sign-in"): (200, 200, 200, 200, 200),
    ("GET", "/sign-on/{slug}"): (404, 404, 404, 404, 404),  # this organization has none
    ("GET", "/sign-on/{slug}/callback"): (403, 403, 403, 403, 403),  # none of them has begun a sign-in
    ("POST", "/sign-on/{slug}/logout"): (404, 404, 404, 404, 404),
    ("POST", "/sign-out"): (303, 303, 303, 303, 303),
    ("GET", "/my/training"): (303, 200, 200, 200, 200),
    ("GET", "/my/inbox"): (303, 200, 200, 200, 200),
    ("POST", "/my/inbox/read"): (303, 303, 303, 303, 303),
    ("GET", "/my/settings"): (303, 200, 200, 200, 200),
    ("POST", "/my/settings"): (303, 303, 303, 303, 303),
    ("POST", "/my/settings/password"): (303, 401, 401, 401, 401),
    ("GET", "/my/courses/{code}"): (303, 200, 404, 404, 404),
    ("POST", "/my/courses/{code}/lessons/{activity_id}"): (303, 409, 404, 404, 404),
    ("POST", "/my/courses/{code}/attempts/{activity_id}"): (303, 409, 404, 404, 404),
    ("POST", "/my/courses/{code}/posts/{activity_id}"): (303, 409, 404, 404, 404),
    ("POST", "/my/courses/{code}/completion"): (303, 409, 404, 404, 404),
    ("GET", "/my/courses/{code}/lessons/{activity_id}"): (303, 303, 303, 303, 303),  # the course page says what exists
    ("GET", "/my/courses/{code}/attempts/{activity_id}"): (303, 303, 303, 303, 303),
    ("GET", "/my/courses/{code}/posts/{activity_id}"): (303, 303, 303, 303, 303),
    ("GET", "/my/courses/{code}/completion"): (303, 303, 303, 303, 303),
    ("GET", "/my/courses/{code}/certificate"): (303, 404, 404, 404, 404),
    ("GET", "/my/files/{file_id}"): (303, 404, 404, 404, 404),
    ("POST", "/users/selection"): (303, 403, 403, 404, 404),  # without a course
    ("GET", "/users"): (303, 403, 403, 200, 200),
    ("GET", "/users.csv"): (303, 403, 403, 200, 200),
    ("GET", "/users/new"): (303, 403, 403, 200, 200),
    ("POST", "/users/new"): (303, 403, 403, 422, 422),  # an empty form
    ("GET", "/users/{colleague}/edit"): (303, 403, 403, 200, 404),
    ("POST", "/users/{colleague}/edit"): (303, 403, 403, 422, 404),
    ("POST", "/users/{colleague}/password-link"): (303, 403, 403, 200, 404),
    ("POST", "/users/{colleague}/deactivate"): (303, 403, 403, 303, 404),
    ("POST", "/users/{colleague}/activate"): (303, 403, 403, 303, 404),
    ("POST", "/users/{colleague}/remove"): (303, 403, 403, 303, 404),
    ("GET", "/my/sessions"): (303, 200, 200, 200, 200),
    ("POST", "/my/sessions/others"): (303, 303, 303, 303, 303),
    ("POST", "/my/sessions/{key}/end"): (303, 303, 303, 303, 303),
    ("GET", "/tokens"): (303, 403, 403, 200, 200),
    ("POST", "/tokens"): (303, 403, 403, 404, 404),  # for nobody
    ("POST", "/tokens/{token_id}/revoke"): (303, 403, 403, 404, 404),
    ("GET", "/users/{user_id}"): (303, 403, 403, 200, 404),
    ("POST", "/users/{user_id}/erase"): (303, 403, 403, 422, 404),
    ("GET", "/users/{user_id}/qualifications"): (303, 403, 403, 303, 303),  # whose target does not exist
    ("GET", "/users/{user_id}/qualifications/training"): (303, 403, 403, 200, 404),
    ("GET", "/users/{user_id}/courses/{code}/reset"): (303, 403, 403, 200, 404),
    ("POST", "/users/{user_id}/courses/{code}/reset"): (303, 403, 403, 422, 404),
    ("GET", "/training"): (303, 403, 303, 303, 303),
    ("GET", "/training/content"): (303, 403, 303, 303, 303),
    ("GET", "/training/content/courses"): (303, 403, 200, 200, 200),
    ("GET", "/training/content/courses.csv"): (303, 403, 200, 200, 200),
    ("GET", "/training/content/courses/{code}"): (303, 403, 200, 200, 404),
    ("GET", "/training/content/courses/{code}/reset"): (303, 403, 200, 200, 404),
    ("POST", "/training/content/courses/{code}/reset"): (303, 403, 422, 422, 404),
    ("POST", "/training/content/courses/{code}/reset/list"): (303, 403, 403, 422, 404),  # without a file
    ("GET", "/audience-lists/{list_id}"): (303, 403, 403, 200, 404),
    ("POST", "/audience-lists/{list_id}"): (303, 403, 403, 422, 404),  # without a plan
    ("GET", "/audience-lists/{list_id}/lines.csv"): (303, 403, 403, 200, 404),
    ("GET", "/training/content/courses/{code}/exemptions"): (303, 403, 200, 200, 404),
    ("POST", "/training/content/courses/{code}/exemptions"): (303, 403, 404, 404, 404),  # of nobody
    ("POST", "/training/content/courses/{code}/exemptions/{user_id}/end"): (303, 403, 404, 404, 404),  # of nobody
    ("GET", "/training/analytics"): (303, 403, 200, 200, 200),
    ("GET", "/training/analytics.csv"): (303, 403, 200, 200, 200),
    ("GET", "/training/analytics/{code}"): (303, 403, 200, 200, 404),
    ("GET", "/training/analytics/{code}/users.csv"): (303, 403, 200, 200, 404),
    ("GET", "/resets"): (303, 403, 200, 200, 200),
    ("GET", "/resets.csv"): (303, 403, 200, 200, 200),
    ("GET", "/resets/{reset_id}"): (303, 403, 200, 200, 404),
    ("GET", "/resets/{reset_id}/live"): (303, 403, 200, 200, 404),
    ("POST", "/resets/{reset_id}/cancel"): (303, 403, 409, 409, 404),
    ("POST", "/resets/{reset_id}/pause"): (303, 403, 409, 409, 404),  # it has ended
    ("POST", "/resets/{reset_id}/resume"): (303, 403, 303, 303, 404),
    ("POST", "/resets/pause-all"): (303, 403, 403, 303, 303),
    ("POST", "/resets/resume-all"): (303, 403, 403, 303, 303),
    ("POST", "/resets/pause-everything"): (303, 403, 403, 403, 403),  # for operators alone: see test_operators.py
    ("POST", "/resets/resume-everything"): (303, 403, 403, 403, 403),
    ("POST", "/resets/{reset_id}/move"): (303, 403, 409, 409, 404),
    ("POST", "/resets/{reset_id}/retry-failed"): (303, 403, 409, 409, 404),
    ("GET", "/my/alerts"): (303, 200, 200, 200, 200),
    ("POST", "/my/alerts"): (303, 303, 303, 303, 303),
    ("GET", "/webhooks"): (303, 403, 200, 200, 200),
    ("POST", "/webhooks"): (303, 403, 422, 422, 422),
    ("GET", "/webhooks/{endpoint_id}"): (303, 403, 200, 200, 404),
    ("POST", "/webhooks/{endpoint_id}/messages/{message_id}"): (303, 403, 404, 404, 404),
    ("POST", "/webhooks/{endpoint_id}/enable"): (303, 403, 303, 303, 404),
    ("POST", "/webhooks/{endpoint_id}/secret"): (303, 403, 303, 303, 404),
    ("POST", "/webhooks/{endpoint_id}/disable"): (303, 403, 303, 303, 404),
    ("POST", "/webhooks/{endpoint_id}/edit"): (303, 403, 422, 422, 404),
    ("POST", "/webhooks/{endpoint_id}/failed"): (303, 403, 422, 422, 404),
    ("POST", "/webhooks/{endpoint_id}/delete"): (303, 403, 303, 404, 404),  # the manager has deleted it
    ("POST", "/webhooks/{endpoint_id}/test"): (303, 403, 404, 404, 404),  # so nothing is sent
    ("GET", "/participants"): (303, 403, 200, 200, 200),
    ("POST", "/participants"): (303, 403, 422, 422, 422),  # an empty form
    ("GET", "/participants/{participant}"): (303, 403, 200, 200, 404),
    ("POST", "/participants/{participant}/secret"): (303, 403, 303, 303, 404),
    ("POST", "/participants/{participant}/ask-now"): (303, 403, 303, 303, 404),
    ("POST", "/participants/{participant}/disable"): (303, 403, 303, 303, 404),
    ("POST", "/participants/{participant}/enable"): (303, 403, 303, 303, 404),
    ("POST", "/participants/{participant}/remove"): (303, 403, 303, 404, 404),  # the manager has removed it
    ("GET", "/resets/{reset_id}/learners.csv"): (303, 403, 200, 200, 404),
    ("GET", "/resets/{reset_id}/report.pdf"): (303, 403, 200, 200, 404),
    ("GET", "/resets/{reset_id}/evidence.zip"): (303, 403, 200, 200, 404),
    ("GET", "/evidence"): (303, 403, 200, 200, 200),
    ("POST", "/evidence"): (303, 403, 403, 422, 422),  # an empty form; it takes both permissions
    ("POST", "/evidence/turn-off"): (303, 403, 403, 404, 404),  # there is no store
    ("POST", "/evidence/write-now"): (303, 403, 404, 404, 404),  # there is no store
    ("GET", "/.well-known/recourse-evidence.pem"): (200, 200, 200, 200, 200),
    ("GET", "/.well-known/recourse-evidence/{key_id}.pem"): (404, 404, 404, 404, 404),  # no such key
    ("POST", "/reset-plans/elsewhere"): (303, 403, 422, 422, 422),  # no plan
    ("GET", "/unsubscribe/{token}"): (404, 404, 404, 404, 404),
    ("POST", "/unsubscribe/{token}"): (404, 404, 404, 404, 404),
    ("GET", "/rules"): (303, 403, 200, 200, 200),
    ("GET", "/rules.csv"): (303, 403, 200, 200, 200),
    ("GET", "/rules/new"): (303, 403, 200, 200, 200),
    ("POST", "/rules/new"): (303, 403, 422, 422, 422),  # an empty form
    ("POST", "/rules"): (303, 403, 422, 422, 422),
    ("GET", "/rules/{rule_id}"): (303, 403, 200, 200, 404),
    ("GET", "/rules/{rule_id}/confirm"): (303, 403, 200, 200, 404),
    ("POST", "/rules/{rule_id}/confirm"): (303, 403, 422, 422, 404),
    ("GET", "/rules/{rule_id}/edit"): (303, 403, 200, 200, 404),
    ("POST", "/rules/{rule_id}/edit"): (303, 403, 422, 422, 404),
    ("POST", "/rules/{rule_id}/pause"): (303, 403, 303, 303, 404),
    ("POST", "/rules/{rule_id}/resume"): (303, 403, 303, 303, 404),
    ("POST", "/rules/{rule_id}/remove"): (303, 403, 303, 303, 404),
    ("GET", "/groups"): (303, 403, 200, 200, 200),
    ("POST", "/groups"): (303, 403, 403, 422, 422),
    ("GET", "/groups/{group}"): (303, 403, 200, 200, 404),
    ("GET", "/groups/{group}/members"): (303, 403, 403, 200, 404),
    ("POST", "/groups/{group}/members"): (303, 403, 403, 200, 404),
    ("POST", "/groups/{group}/edit"): (303, 403, 403, 422, 404),
    ("POST", "/groups/{group}/delete"): (303, 403, 403, 422, 404),  # without the code
    ("POST", "/groups/{group}/leave"): (303, 403, 403, 404, 404),
    ("GET", "/incidents"): (303, 403, 200, 200, 200),
    ("GET", "/incidents/new"): (303, 403, 200, 200, 200),
    ("POST", "/incidents/new"): (303, 403, 404, 404, 404),  # no course
    ("POST", "/incidents"): (303, 403, 404, 404, 404),
    ("GET", "/incidents/{event_id}"): (303, 403, 404, 404, 404),
    ("GET", "/problems/{code}"): (200, 200, 200, 200, 200),
    ("GET", "/verify"): (200, 200, 200, 200, 200),
    ("GET", "/verify/{serial}"): (404, 404, 404, 404, 404),
    ("GET", "/healthz"): (200, 200, 200, 200, 200),
    ("GET", "/readyz"): (200, 200, 200, 200, 200),
    ("GET", "/metrics"): (200, 200, 200, 200, 200),  # from this machine
}
ELSEWHERE = {("POST", "/sign-in")}  # tested below
ONLY_OURS = "FIRE-ONLY-HERE"


def a_webhook(scene: Scene) -> int:
    with transaction() as session:
        return open_endpoint(session, scene.organization.id, "https://example.org/", list(WebhookEvent)).id


def a_participant(scene: Scene) -> str:
    terms = Terms(ParticipantKind.HTTP, "https://example.org/recourse")
    with transaction() as session:
        return add_participant(session, scene.admin, "lms", terms).code


def test_every_page_is_in_the_table() -> None:
    ours = {(method, path.replace("{group}", "{code}").replace("{colleague}", "{user_id}")) for method, path in ROUTES}
    table = {(method, path.replace("{participant}", "{name}")) for method, path in ours}
    assert page_routes() == table | ELSEWHERE


def test_everyone_lands_where_their_work_is_and_overdue_courses_are_marked(served: str, scene: Scene) -> None:
    admin, (late, *_) = scene.admin.user_id, scene.users()
    run(
        "UPDATE enrolment SET state = 'in_progress', progress = 40, completed_at = NULL, due_at = '2020-03-01' "
        "WHERE user_id = :id",
        id=late.id,
    )
    landings = {}
    for permissions in ("{}", "{Platform management: Users}", "{Platform management: Users,Training: Manage courses}"):
        run('UPDATE "user" SET permissions = :permissions WHERE id = :id', permissions=permissions, id=admin)
        landings[permissions.count(":")] = visitor(served, admin).get("/").headers["location"]
    assert landings == {0: "/my/training", 1: "/users", 2: "/training/content/courses"}
    browser = visitor(served, late.id)
    for page in ("/my/training", f"/my/courses/{COURSE}"):
        assert re.search(r">overdue<.*was due <time[^>]*>1 Mar 2020", browser.get(page).text, re.DOTALL)
    listed = visitor(served, admin).get(f"/training/analytics/{COURSE}").text
    overdue = rows(
        """SELECT email FROM "user" JOIN enrolment ON user_id = "user".id
           WHERE course_id = :course AND due_at < now() AND state <> 'completed' ORDER BY "user".name, "user".id""",
        course=scene.course.id,
    )
    assert re.findall(r">(\S+@\S+)</td>\s*<td>[^\n]*>overdue<", listed) == [email for (email,) in overdue]
    assert late.email in listed


def test_every_page_answers_every_kind_of_visitor_as_the_table_says(
    visitors: Visitors, subtests: pytest.Subtests
) -> None:
    run("UPDATE course SET code = :code WHERE id = :id", code=ONLY_OURS, id=visitors.scene.course.id)
    group(visitors.scene, "bern-2", [])
    values = {
        "user_id": visitors.user,
        "list_id": make_list(visitors.scene, "email\nlearner-1@acme.example\n", ONLY_OURS).id,
        "code": ONLY_OURS,
        "reset_id": visitors.reset,
        "activity_id": ask("SELECT min(id) FROM activity"),
        "file_id": 1,
        "rule_id": make(visitors.scene, datetime.now(UTC), kind="event", course=ONLY_OURS),
        "group": "bern-2",
        "serial": "AAAAA-BBBBB-CCCCC-DDDDD",
        "endpoint_id": a_webhook(visitors.scene),
        "message_id": uuid4(),
        "participant": a_participant(visitors.scene),
        "token": "none-of-ours",
        "key_id": "none-of-ours",
        "token_id": 10**9,
        "event_id": 10**9,
        "key": "none-of-ours",
        "colleague": visitors.scene.users()[1].id,
        "slug": "acme",
    }
    tokens = {name: csrf_of(visitors.clients[name].get("/my/settings").text) for name in VISITORS[1:]}
    tokens["nobody"] = csrf_of(visitors.clients["nobody"].get("/sign-in").text)
    # Signing out comes last.
    for (method, path), expected in sorted(ROUTES.items(), key=lambda route: route[0][1] == "/sign-out"):
        address = path.format(**values | ({"code": "forbidden"} if path.startswith("/problems") else {}))
        for name, status in zip(VISITORS, expected, strict=True):
            with subtests.test(method=method, path=path, visitor=name):
                form = {
                    "csrf": tokens[name],
                    "registration": str(uuid4()),
                    "time_zone": "UTC",
                    "body": "x",
                    "reason": "x",
                }
                client = visitors.clients[name]
                answer = client.request(method, address, data=form if method == "POST" else None)
                assert answer.status_code == status, answer.text
                if name == "nobody" and status == 303:
                    assert answer.headers["location"].startswith("/sign-in")


def test_objects_of_another_organization_look_as_if_they_did_not_exist(visitors: Visitors) -> None:
    client = visitors.clients["foreign admin"]
    for theirs, nobodys in (
        (f"/resets/{visitors.reset}", f"/resets/{uuid4()}"),
        (f"/users/{visitors.user}", "/users/99999999"),
    ):
        answers = [re.sub(r"[0-9a-f-]{8,}|\d+", "…", client.get(path).text) for path in (theirs, nobodys)]
        assert answers[0] == answers[1]


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(
    served: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = give_password(scene.users()[0])
    plain = sign_in(served, user).last.headers["set-cookie"]  # type: ignore[attr-defined]
    assert "HttpOnly" in plain
    assert "SameSite=lax" in plain
    token = re.search("recourse=([^;]+)", plain)
    assert token
    assert len(token[1]) >= 43
    assert token[1] not in str(rows("SELECT * FROM web_session"))

    monkeypatch.setenv("RECOURSE_PUBLIC_URL", "https://training.example")
    from config.settings import settings

    settings.cache_clear()
    safe = sign_in(served, user).last  # type: ignore[attr-defined]
    assert safe.headers["set-cookie"].startswith("__Host-recourse=")
    assert "Secure" in safe.headers["set-cookie"]
    assert "max-age" in safe.headers["strict-transport-security"]


def test_signing_in_gives_a_new_session_and_ends_the_old(served: str, scene: Scene) -> None:
    user = give_password(scene.users()[0])
    client = sign_in(served, user)
    old = client.cookies["recourse"]
    token = csrf_of(client.get("/my/settings").text)
    client.post("/sign-in", data={"csrf": token, "organization": "acme", "email": user.email, "password": PASSWORD})
    assert client.cookies["recourse"] != old
    assert ask("SELECT count(*) FROM web_session") == 1


def test_failed_sign_ins_all_look_alike_and_are_throttled(served: str, scene: Scene) -> None:
    user = give_password(scene.users()[0])
    wrong = sign_in(served, user, "not the password").last  # type: ignore[attr-defined]
    unknown = sign_in(served, User(email="who@acme.example")).last  # type: ignore[attr-defined]
    assert wrong.status_code == unknown.status_code == 401
    assert re.sub("value=.*?>", "", wrong.text) == re.sub("value=.*?>", "", unknown.text)
    for _ in range(7):
        sign_in(served, user, "not the password")
    throttled = sign_in(served, user)
    assert throttled.last.status_code == 429  # type: ignore[attr-defined]
    assert "15 minutes" in throttled.last.text  # type: ignore[attr-defined]
    assert "recourse" not in throttled.cookies
    # Another account is not throttled, and the throttle ends.
    assert "recourse" in sign_in(served, give_password(scene.users()[1])).cookies
    run("UPDATE sign_in_failure SET at = at - interval '16 minutes'")
    assert "recourse" in sign_in(served, user).cookies


def test_a_deactivated_user_is_signed_out_at_once(served: str, scene: Scene) -> None:
    user = give_password(scene.users()[0])
    client = sign_in(served, user)
    run('UPDATE "user" SET active = false WHERE id = :id', id=user.id)
    assert client.get("/my/training").status_code == 303
    assert "recourse" not in sign_in(served, user).cookies


def test_a_session_ends_when_idle_or_a_week_old(served: str, scene: Scene) -> None:
    client = sign_in(served, give_password(scene.users()[0]))
    assert client.get("/my/training").status_code == 200
    run("UPDATE web_session SET seen_at = now() - interval '9 hours'")
    assert client.get("/my/training").status_code == 303
    run("UPDATE web_session SET seen_at = now(), began_at = now() - interval '8 days'")
    assert client.get("/my/training").status_code == 303


def test_many_requests_at_once_are_all_answered(served: str, scene: Scene) -> None:
    client = sign_in(served, give_password(scene.users()[0]))
    cookie = {"recourse": client.cookies["recourse"]}

    def ask_for(path: str) -> int:
        return httpx.get(served + path, cookies=cookie, timeout=60).status_code

    with ThreadPoolExecutor(100) as people:
        assert set(people.map(ask_for, ["/my/training"] * 95 + ["/healthz"] * 5)) == {200}


def test_simultaneous_guesses_are_all_counted(served: str, scene: Scene) -> None:
    user = give_password(scene.users()[0])
    with ThreadPoolExecutor(20) as guessers:
        answers = list(guessers.map(lambda _: sign_in(served, user, "not it").last.status_code, range(20)))  # type: ignore[attr-defined]
    assert answers.count(401) == 8
    assert answers.count(429) == 12


def test_an_unknown_time_zone_counts_as_utc(served: str, scene: Scene) -> None:
    client = sign_in(served, give_password(scene.users()[0]))
    run("UPDATE \"user\" SET time_zone = 'Mars/Base'")
    for path in ("/my/training", "/my/inbox", "/my/settings"):
        assert client.get(path).status_code == 200


def test_an_expired_session_leads_back_to_the_same_page(served: str, scene: Scene) -> None:
    client = httpx.Client(base_url=served)
    assert client.get("/my/inbox?after=x").headers["location"] == "/sign-in?next=/my/inbox%3Fafter%3Dx"
    posted = client.post(
        "/my/inbox/read", headers={"Referer": f"{served}/my/inbox"}, data={"csrf": csrf_of(client.get("/sign-in").text)}
    )
    assert posted.headers["location"] == "/sign-in?next=/my/inbox"
    part = client.get("/resets/x/live", headers={"HX-Request": "true", "HX-Current-URL": f"{served}/resets/x"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/sign-in?next=/resets/x")


def test_an_unexpected_error_has_security_headers_and_no_personal_data(
    served: str, scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    client = sign_in(served, give_password(scene.users()[0]))
    run("ALTER TABLE enrolment RENAME COLUMN progress TO away")
    answer = client.get("/my/training")
    assert answer.status_code == 500
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "enrolment" not in answer.text
    assert client.get("/my/inbox").status_code == 200


def test_signing_out_everywhere_ends_all_sessions_and_so_does_a_new_password(served: str, scene: Scene) -> None:
    user = give_password(scene.users()[0])
    here, there = sign_in(served, user), sign_in(served, user)
    token = csrf_of(here.get("/my/settings").text)
    here.post("/sign-out", data={"csrf": token, "everywhere": "true"})
    assert there.get("/my/training").status_code == 303

    here, there = sign_in(served, user), sign_in(served, user)
    token = csrf_of(here.get("/my/settings").text)
    short = here.post("/my/settings/password", data={"csrf": token, "current": PASSWORD, "new": "short"})
    assert short.status_code == 422
    run("UPDATE web_session SET seen_at = now() - interval '2 minutes'")  # as for people, who take their time
    changed = here.post(
        "/my/settings/password", data={"csrf": token, "current": PASSWORD, "new": "a brand new password"}
    )
    assert changed.status_code == 303
    assert here.get("/my/training").status_code == 200
    assert there.get("/my/training").status_code == 303
    assert "recourse" not in sign_in(served, user).cookies
    assert "recourse" in sign_in(served, user, "a brand new password").cookies


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
)
def test_a_form_from_another_site_is_refused_even_with_a_valid_token(
    served: str, scene: Scene, headers: dict[str, str]
) -> None:
    client = sign_in(served, give_password(scene.users()[0]))
    form = {"csrf": csrf_of(client.get("/my/settings").text), "time_zone": "Asia/Tokyo"}
    assert client.post("/my/settings", data=form, headers=headers).status_code == 403
    assert ask("SELECT count(*) FROM \"user\" WHERE time_zone <> 'UTC'") == 0


def test_a_form_without_the_sessions_own_token_is_refused(served: str, scene: Scene) -> None:
    mine, theirs = (sign_in(served, give_password(user)) for user in scene.users()[:2])
    for token in ("", "made-up", csrf_of(theirs.get("/my/settings").text)):
        answer = mine.post("/my/settings", data={"csrf": token, "time_zone": "Asia/Tokyo"})
        assert answer.status_code == 403
        assert "This page has expired" in answer.text
    assert mine.post("/my/settings", content=b"").status_code == 403


def test_signing_in_never_redirects_to_another_site(served: str, scene: Scene) -> None:
    user = give_password(scene.users()[0])
    for where in ("https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "javascript:alert(1)"):
        client = httpx.Client(base_url=served)
        form = {"csrf": csrf_of(client.get("/sign-in").text), "organization": "acme", "email": user.email}
        answer = client.post("/sign-in", data=form | {"password": PASSWORD, "next": where})
        assert answer.headers["location"] == "/"


def test_every_answer_has_security_headers(served: str, scene: Scene, subtests: pytest.Subtests) -> None:
    client = sign_in(served, give_password(scene.users()[0]))
    for path in ("/my/training", "/sign-in", "/no-such-page", "/static/recourse.css", "/healthz"):
        with subtests.test(path=path):
            headers = client.get(path).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
            assert "cache-control" in headers
    assert client.get("/my/training").headers["cache-control"] == "no-store"


def test_a_form_that_is_too_large_is_refused(served: str, scene: Scene, set_up: Callable[..., None]) -> None:
    set_up(file_limit_mb=1)
    client = sign_in(served, give_password(scene.users()[0]))
    form = {"csrf": csrf_of(client.get("/my/settings").text), "time_zone": "x" * 2_100_000}
    attempt, file = f"/my/courses/{COURSE}/attempts/1", {"file": ("a.txt", b"x" * 2_100_000)}
    for path, sent, limit in (
        ("/my/settings", {"data": form}, "1 MB"),
        ("/sign-in", {"data": form}, "32 KB"),  # open to everyone
        (attempt, {"data": form}, "1 MB"),  # held in memory
        (attempt, {"files": file, "data": {"csrf": form["csrf"], "registration": str(uuid4())}}, "1 MB"),
    ):
        answer = client.post(path, **sent)
        assert answer.status_code == 413, answer.text
        assert re.search(f"larger than (the )?{limit}", answer.text), answer.text


def test_malformed_input_is_no_server_error(visitors: Visitors, subtests: pytest.Subtests) -> None:
    admin = visitors.clients["admin"]
    for path in (
        "/users/99999999999999999999999",
        "/users/-1",
        "/users/x",
        "/users?after=%00",
        "/users?after=WzFd",
        "/users?after=WyJcdWQ4MDAiLDFd",
        "/resets?after=WyIyMDI0LTAxLTAxVDAwOjAwOjAwKzAwOjAwIiw1XQ",
        "/users?q=%25%27%22%00",
        "/resets/not-a-uuid",
        "/resets?state=odd&course=%00",
        "/resets?after=WyJ4IiwgIjEiXQ",
        f"/resets/{visitors.reset}?show=odd&after=WyJ4Il0",
        "/training/content/courses/%00",
        "/training/content/courses/NO-SUCH",
        f"/training/content/courses/{COURSE}/reset?audience=everyone",
        "/my/files/99999999999999999999",
        "/problems/no-such-problem",
    ):
        with subtests.test(path=path):
            assert admin.get(path).status_code in (200, 404, 422)
