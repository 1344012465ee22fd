"""Every page, checked with axe-core, on wide and narrow screens, light and dark, enlarged, and against the browser's
console; and without motion for who wants none."""

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from playwright.sync_api import Page

from config.links import unsubscribe_link
from models.access import MANAGEMENT
from models.events import EventKind
from models.participants import ParticipantKind, ParticipantRequest
from models.session import transaction
from models.training import Enrolment
from models.webhook_messages import tell
from models.webhooks import WebhookEvent, open_endpoint
from tasks.participants.commands import Terms, add_participant
from tasks.people.password_links import make_password_link
from tasks.rules.events import report_event
from tests.browser.looks import NARROW, Axe, wrong_in_all_looks
from tests.lists import make_list
from tests.post import Post
from tests.rules import CALENDAR, group, make
from tests.scenes import COURSE, Scene, do_everything, fail_for, make_scene, rows, run
from tests.web import make_user, page_routes

SignIn = Callable[..., Page]

LINES = "email\nlearner-2@acme.example\nlearner-2@acme.example\nnobody@acme.example\n"


def a_webhook(scene: Scene) -> int:
    """Add a webhook with a delivery that waits for its next attempt. Returns its id."""
    with transaction() as session:
        endpoint = open_endpoint(session, scene.organization.id, "https://example.org/hook", list(WebhookEvent))
        for (reset,) in rows("SELECT id FROM reset LIMIT 1"):
            tell(session, scene.organization.id, WebhookEvent.RESET_STARTED, reset, {"reset": str(reset)})
    run("UPDATE webhook_delivery SET attempts = 1, tried_at = now(), outcome = 'answered 503'")
    return endpoint.id


def a_participant(scene: Scene) -> str:
    """Add a participant with a request that waits for its next attempt. Returns its name."""
    with transaction() as session:
        terms = Terms(ParticipantKind.HTTP, "https://lms.example.org/recourse", courses=[COURSE])
        participant = add_participant(session, scene.admin, "lms", terms)
        for (reset,) in rows("SELECT id FROM reset LIMIT 1"):
            session.add(
                ParticipantRequest(
                    participant_id=participant.id,
                    organization_id=participant.organization_id,
                    reset_id=reset,
                    learners=20,
                    attempts=2,
                    outcome="answered 503",
                )
            )
    run("UPDATE participant_request SET tried_at = now()")
    return "lms"


def a_password_link(scene: Scene) -> str:
    with transaction() as session:
        return urlsplit(make_password_link(session, scene.admin, scene.users()[-1]).link).path


def an_incident(scene: Scene) -> int:
    with transaction() as session:
        told = {"kind": EventKind.INCIDENT, "course": COURSE, "reason": "press 4, hand injury"}
        return report_event(session, scene.admin, **told, key="7731").id


def scene_of_every_page(post: Post) -> tuple[Scene, Enrolment, UUID, UUID]:
    """Make something for each page to show. Returns the scene, the enrolment of a learner who could not be reset, the
    reset of everyone, and a rule."""
    scene = make_scene(learners=24, completed=70, begun=90)
    mine = scene.enrolments()[0]
    do_everything(mine)
    fail_for(mine)
    reset = scene.request()
    post.drain()
    scene.request(course="DATA-202")  # and one that is running
    post.take()
    rule = make(scene, datetime.now(UTC), **CALENDAR, starts="2031-03-01T06:00", time_zone="Europe/Zurich")
    group(scene, "bern-2", [user.email for user in scene.users()[:2]])
    return scene, mine, reset, rule


def admin_pages(scene: Scene, reset: object, rule: object) -> dict[str, str]:
    """Return the path of every page of an admin, by route. A test below fails for missing routes."""
    user = scene.users()[0].id
    course = f"/training/content/courses/{COURSE}"
    return {
        "/my/training": "/my/training",
        "/my/inbox": "/my/inbox",
        "/my/settings": "/my/settings",
        "/my/alerts": "/my/alerts",
        "/my/sessions": "/my/sessions",
        "/tokens": "/tokens",
        "/webhooks": "/webhooks",
        "/webhooks/{endpoint_id}": f"/webhooks/{a_webhook(scene)}",
        "/participants": "/participants",
        "/evidence": "/evidence",
        "/participants/{name}": f"/participants/{a_participant(scene)}",
        "/unsubscribe/{token}": urlsplit(unsubscribe_link(scene.users()[0].id)).path,
        "/users": "/users",
        "/users/new": "/users/new",
        "/users/{user_id}": f"/users/{user}",
        "/users/{user_id}/edit": f"/users/{user}/edit",
        "/set-password/{token}": a_password_link(scene),
        "/users/{user_id}/qualifications/training": f"/users/{user}/qualifications/training",
        "/users/{user_id}/courses/{code}/reset": f"/users/{user}/courses/{COURSE}/reset",
        "/training/content/courses": "/training/content/courses",
        "/training/content/courses/{code}": course,
        "/training/content/courses/{code}/reset": f"{course}/reset",
        "/training/content/courses/{code}/exemptions": f"{course}/exemptions?user=lee@acme.example",
        "/audience-lists/{list_id}": f"/audience-lists/{make_list(scene, LINES).id}",
        "/training/analytics": "/training/analytics",
        "/training/analytics/{code}": f"/training/analytics/{COURSE}",
        "/resets": "/resets",
        "/resets/{reset_id}": f"/resets/{reset}",
        "/rules": "/rules",
        "/rules/new": "/rules/new",
        "/rules/{rule_id}": f"/rules/{rule}",
        "/rules/{rule_id}/edit": f"/rules/{rule}/edit",
        "/rules/{rule_id}/confirm": f"/rules/{rule}/confirm",
        "/groups": "/groups",
        "/groups/{code}": "/groups/bern-2",
        "/groups/{code}/members": "/groups/bern-2/members",
        "/incidents": "/incidents",
        "/incidents/new": "/incidents/new",
        "/incidents/{event_id}": f"/incidents/{an_incident(scene)}",
        "/problems/{code}": "/problems/plan-expired",
        "/verify": "/verify",
        "/verify/{serial}": "/verify/AAAAA-BBBBB-CCCCC-DDDDD",
    }


NO_PAGES_OF_AN_ADMIN = {
    "/",  # redirects
    "/training",
    "/training/content",
    "/users/{user_id}/qualifications",
    "/sign-in",  # checked below
    "/sign-on/{slug}",  # in test_sign_on_by_hand
    "/sign-on/{slug}/callback",
    "/first-start",  # in test_first_start
    "/my/courses/{code}",
    "/my/courses/{code}/lessons/{activity_id}",
    "/my/courses/{code}/attempts/{activity_id}",
    "/my/courses/{code}/posts/{activity_id}",
    "/my/courses/{code}/completion",
    "/resets/{reset_id}/live",  # part of a page
    "/my/files/{file_id}",  # files
    "/my/courses/{code}/certificate",
    "/training/analytics/{code}/users.csv",
    "/training/analytics.csv",
    "/training/content/courses.csv",
    "/users.csv",
    "/resets.csv",
    "/rules.csv",
    "/resets/{reset_id}/learners.csv",
    "/resets/{reset_id}/report.pdf",
    "/resets/{reset_id}/evidence.zip",
    "/.well-known/recourse-evidence.pem",
    "/.well-known/recourse-evidence/{key_id}.pem",
    "/audience-lists/{list_id}/lines.csv",
    "/healthz",  # for programs
    "/readyz",
    "/metrics",
}


def test_every_page_is_in_this_test(database: str) -> None:
    routes = {path for method, path in page_routes() if method == "GET"}
    known = admin_pages(make_scene(learners=1), "…", "…").keys() | NO_PAGES_OF_AN_ADMIN
    assert routes - known == set()
    assert known - routes == set()


def test_no_page_violates_axe_rules_or_scrolls_sideways(
    sign_in: SignIn,
    open_page: Callable[..., Page],
    axe: Axe,
    post: Post,
    subtests: pytest.Subtests,
) -> None:
    scene, mine, reset, rule = scene_of_every_page(post)

    def look(page: Page, name: str, within: str = "") -> None:
        with subtests.test(page=name):
            assert wrong_in_all_looks(page, axe, within=within) == []

    look(open_page("/sign-in"), "/sign-in")
    admin = sign_in("admin@acme.example")
    for name, path in admin_pages(scene, reset, rule).items():
        admin.goto(path)
        look(admin, name)
    admin.goto(f"/training/content/courses/{COURSE}")
    admin.set_viewport_size({"width": NARROW, "height": 844})
    admin.get_by_role("button", name="Menu").click()
    admin.get_by_role("navigation", name="Main").get_by_role("link", name="Users").wait_for()
    look(admin, "the main menu", within="nav")
    admin.keyboard.press("Escape")
    admin.get_by_label("Actions for Fire safety").click()
    look(admin, "a menu", within=".menu[open]")
    admin.get_by_role("link", name="Reset course progress").click()
    admin.get_by_role("dialog").get_by_role("link", name="Cancel").wait_for()
    look(admin, "the dialog", within="dialog")
    admin.goto("/no-such-page")
    look(admin, "an error")
    learner = sign_in(next(user.email for user in scene.users() if user.id == mine.user_id))
    for path in ("/my/training", f"/my/courses/{COURSE}", "/my/inbox"):
        learner.goto(path)
        look(learner, path)


def test_empty_pages_say_so(sign_in: SignIn, axe: Axe, subtests: pytest.Subtests) -> None:
    scene = make_scene(learners=1, completed=0, begun=0)
    make_user(scene.organization.id, "new@acme.example", *MANAGEMENT)
    page = sign_in("new@acme.example")
    for path, words in {
        "/my/training": "No courses are assigned to you",
        "/my/inbox": "No alerts",
        "/resets": "No resets yet",
        "/users?q=nobody-at-all": "No users match",
        f"/training/content/courses/{COURSE}": "No resets yet",
        f"/training/content/courses/{COURSE}/reset?audience=completed": "No one has completed this course",
    }.items():
        with subtests.test(path=path):
            page.goto(path)
            assert page.get_by_text(words).is_visible()
            assert axe(page) == []


MOST_MOTION = """() => {
  const parts = (style) => `${style.transitionDuration}, ${style.animationDuration}`.split(", ").map(parseFloat);
  const times = (one) => ["", "::before", "::after"].flatMap((of) => parts(getComputedStyle(one, of)));
  return Math.max(...[...document.querySelectorAll("*")].flatMap(times));
}"""


@pytest.mark.parametrize(("motion", "moves"), [("reduce", []), ("no-preference", ["width"])])
def test_nothing_moves_for_who_wants_no_motion(sign_in: SignIn, post: Post, motion: str, moves: list[str]) -> None:
    scene = make_scene(learners=3, completed=100)
    reset = scene.request()
    page = sign_in("admin@acme.example")
    page.emulate_media(reduced_motion=motion)  # type: ignore[arg-type]
    moving: list[str] = []
    protocol = page.context.new_cdp_session(page)  # tells also of what moves within the browser's own elements
    protocol.on("Animation.animationStarted", lambda told: moving.append(told["animation"]["name"]))
    protocol.send("Animation.enable")
    page.goto(f"/resets/{reset}")
    post.drain()
    page.locator("#live").get_by_text("3 of 3 learners reset").wait_for()  # as it arrives
    assert page.evaluate(MOST_MOTION) <= 0.01  # seconds
    page.goto(f"/users/{scene.users()[0].id}/qualifications/training")
    page.evaluate("""async () => {
      document.querySelector("progress").value = 60;
      for (let frames = 0; frames < 3; frames++) await new Promise(requestAnimationFrame);
    }""")
    assert moving == moves
