"""Permissions in the HTTP API: every route for every role, and organizations kept apart."""

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from models.access import Permission
from models.participants import ParticipantKind
from models.people import User
from models.retraining import RuleKind
from models.session import transaction
from models.tokens import Scope
from models.webhook_messages import tell
from models.webhooks import WebhookEvent, open_endpoint
from tasks.participants.commands import Terms as ParticipantTerms
from tasks.participants.commands import add_participant
from tasks.people.groups import create_group
from tasks.rules.event_sources import open_source
from tasks.rules.lifecycle import make_rule
from tasks.rules.proposals import propose_again, propose_rule
from tasks.rules.terms import Terms
from tests.lists import make_list
from tests.post import Post
from tests.scenes import COURSE, REASON, Scene, ask, do_everything, make_scene, run
from tests.web import client_of, make_user, token_for

ZIPPED = io.BytesIO()
with zipfile.ZipFile(ZIPPED, "w") as archive:
    archive.writestr("manifest.csv", "propertyName,value\noneroster.version,1.2\nfile.users,bulk\n")
    archive.writestr("users.csv", "sourcedId,givenName,email\nu-1,New,new@acme.example\n")
STATEMENT = {
    "actor": {"mbox": "mailto:learner-1@acme.example"},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/initialized"},
    "object": {"id": "https://lms.example/of-nobody"},
    "timestamp": "2026-01-01T00:00:00Z",
}
ROLES = ("nobody", "no scope", "stranger", "learner", "people", "manager", "admin")


@dataclass(frozen=True)
class Route:
    """A route, a request to it, and the statuses by role."""

    scope: Scope | None
    expected: dict[str, int]
    json: Any = None
    content: str | bytes | None = None
    kind: str = "text/csv"


def by_role(
    stranger: int, learner: int, people: int, manager: int, admin: int, *, no_scope: int = 403
) -> dict[str, int]:
    """`stranger` is the admin of another organization, who uses ids of this one; `people` has the permission
    *Platform management: Users* alone, `manager` *Training: Manage courses* alone."""
    return dict(zip(ROLES, (401, no_scope, stranger, learner, people, manager, admin), strict=True))


R, W = Scope.RESETS_READ, Scope.RESETS_WRITE
LEARN, PEOPLE, ANALYTICS = Scope.LEARNING_WRITE, Scope.PEOPLE_WRITE, Scope.ANALYTICS_READ
RULES, PARTICIPANTS = Scope.RULES_WRITE, Scope.PARTICIPANTS_WRITE
EVIDENCE, ACCESS = Scope.EVIDENCE_WRITE, Scope.ACCESS_WRITE
WEBHOOKS, TOKENS = Scope.WEBHOOKS_WRITE, Scope.TOKENS_WRITE
MEMBERS = ["learner-1@acme.example"]
UNDER = "/v1/registrations/{registration}"

TABLE: dict[tuple[str, str], Route] = {
    ("POST", "/v1/courses/{code}/reset-plans"): Route(W, by_role(404, 403, 403, 201, 201), json={"reason": REASON}),
    ("POST", "/v1/courses/{code}/reset-plans:from-list"): Route(
        W, by_role(404, 403, 201, 403, 201), content="email\nlearner-1@acme.example\n"
    ),
    ("GET", "/v1/audience-lists/{list_id}/lines"): Route(W, by_role(404, 403, 404, 403, 200)),  # the admin's own
    ("GET", "/v1/courses/{code}/exemptions"): Route(R, by_role(404, 403, 200, 200, 200)),
    ("POST", "/v1/courses/{code}/exemptions"): Route(
        W, by_role(404, 403, 201, 201, 201), json={"user": "{exempt_user}", "reason": "on leave"}
    ),
    ("DELETE", "/v1/courses/{code}/exemptions/{exempt}"): Route(W, by_role(404, 403, 204, 404, 404)),
    ("POST", "/v1/users/{user_id}/courses/{code}/reset-plans"): Route(W, by_role(404, 403, 201, 403, 201), json={}),
    ("POST", "/v1/courses/{code}/resets"): Route(
        W, by_role(404, 403, 403, 202, 202), json={"plan": "{plan}", "confirm": COURSE, "reason": REASON}
    ),
    ("POST", "/v1/users/{user_id}/courses/{code}/resets"): Route(
        W, by_role(404, 403, 202, 403, 202), json={"plan": "{user_plan}", "confirm": COURSE, "reason": REASON}
    ),
    ("GET", "/v1/resets"): Route(R, by_role(200, 403, 200, 200, 200)),
    ("GET", "/v1/resets/{reset_id}"): Route(R, by_role(404, 403, 403, 200, 200)),
    ("GET", "/v1/resets/{reset_id}/items"): Route(R, by_role(404, 403, 403, 200, 200)),
    ("GET", "/v1/resets/{reset_id}/learners.csv"): Route(R, by_role(404, 403, 403, 200, 200)),
    ("GET", "/v1/resets/{reset_id}/report.pdf"): Route(R, by_role(404, 403, 403, 200, 200)),
    ("GET", "/v1/resets/{reset_id}/evidence.zip"): Route(R, by_role(404, 403, 403, 200, 200)),
    ("GET", "/v1/evidence-store"): Route(EVIDENCE, by_role(404, 403, 403, 404, 404)),  # it is off
    ("PUT", "/v1/evidence-store"): Route(  # no bucket
        EVIDENCE, by_role(422, 403, 403, 403, 422), json={"url": "https://acme.example"}
    ),
    ("POST", "/v1/evidence-store:write-now"): Route(EVIDENCE, by_role(404, 403, 403, 404, 404)),
    ("DELETE", "/v1/evidence-store"): Route(EVIDENCE, by_role(404, 403, 403, 403, 404)),
    ("GET", "/v1/resets/{reset_id}/events"): Route(R, by_role(404, 403, 403, 200, 200)),
    ("POST", "/v1/resets/{reset_id}:cancel"): Route(W, by_role(404, 403, 403, 409, 409)),  # it has ended
    ("POST", "/v1/resets/{reset_id}:move"): Route(W, by_role(404, 403, 403, 409, 409), json={"reason": "later"}),
    ("POST", "/v1/resets/{reset_id}:retry-failed"): Route(W, by_role(404, 403, 403, 409, 409)),
    ("POST", "/v1/resets/{reset_id}:pause"): Route(W, by_role(404, 403, 403, 409, 409), json={"reason": REASON}),
    ("POST", "/v1/resets/{reset_id}:resume"): Route(W, by_role(404, 403, 403, 202, 202)),
    ("GET", "/v1/organization"): Route(R, by_role(200, 403, 200, 200, 200)),
    # It takes both permissions. A stranger pauses their own organization.
    ("POST", "/v1/organization:pause"): Route(W, by_role(200, 403, 403, 403, 200), json={"reason": REASON}),
    ("POST", "/v1/organization:resume"): Route(W, by_role(200, 403, 403, 403, 200)),
    # For operators alone: see test_operators.py.
    ("GET", "/v1/installation"): Route(Scope.OPERATE, by_role(403, 403, 403, 403, 403)),
    ("POST", "/v1/installation:pause"): Route(Scope.OPERATE, by_role(403, 403, 403, 403, 403), json={"reason": REASON}),
    ("POST", "/v1/installation:resume"): Route(Scope.OPERATE, by_role(403, 403, 403, 403, 403)),
    ("POST", "/v1/users/{user_id}/erase"): Route(  # with another address
        PEOPLE, by_role(404, 403, 422, 403, 422), json={"confirm": "somebody@else.example"}
    ),
    ("GET", "/v1/users/{user_id}/courses"): Route(LEARN, by_role(404, 200, 200, 200, 200)),
    ("GET", "/v1/users/{user_id}/courses/{code}"): Route(LEARN, by_role(404, 200, 200, 200, 200)),
    ("PUT", UNDER + "/activities/{lesson}/progress"): Route(
        LEARN, by_role(409, 200, 409, 200, 200), json={"percent": 50}
    ),
    ("POST", UNDER + "/activities/{assignment}/submissions"): Route(
        LEARN, by_role(409, 201, 409, 201, 201), json={"body": "My answer."}
    ),
    ("POST", UNDER + "/activities/{discussion}/posts"): Route(
        LEARN, by_role(409, 201, 409, 201, 201), json={"body": "What I took from it."}
    ),
    ("PUT", UNDER + "/completion"): Route(LEARN, by_role(409, 422, 409, 200, 200)),  # not finished yet
    ("POST", "/v1/imports/users"): Route(
        PEOPLE, by_role(200, 403, 200, 403, 200), content="email,name\nnew@acme.example,New\n"
    ),
    ("POST", "/v1/imports/courses"): Route(PEOPLE, by_role(200, 403, 403, 200, 200), content="code,title\nNEW-1,New\n"),
    ("POST", "/v1/imports/enrolments"): Route(
        PEOPLE, by_role(422, 403, 403, 200, 200), content=f"course,email\n{COURSE},learner-1@acme.example\n"
    ),
    ("POST", "/v1/imports/groups"): Route(PEOPLE, by_role(200, 403, 200, 403, 200), content="group,name\nnew-1,New\n"),
    ("POST", "/v1/imports/oneroster"): Route(
        PEOPLE, by_role(200, 403, 403, 403, 200), content=ZIPPED.getvalue(), kind="application/zip"
    ),
    ("POST", "/v1/imports/xapi"): Route(
        PEOPLE, by_role(200, 403, 403, 200, 200), content=json.dumps(STATEMENT), kind="application/json"
    ),
    ("GET", "/v1/analytics/courses"): Route(ANALYTICS, by_role(200, 403, 403, 200, 200)),
    ("GET", "/v1/analytics/courses/{code}/completion-over-time"): Route(ANALYTICS, by_role(404, 403, 403, 200, 200)),
    ("GET", "/v1/analytics/courses/{code}/users"): Route(ANALYTICS, by_role(404, 403, 403, 200, 200)),
    ("POST", "/v1/rule-proposals"): Route(
        RULES, by_role(404, 403, 403, 201, 201), json={"course": "{code}", "kind": "event", "reason": REASON}
    ),
    ("POST", "/v1/rules"): Route(
        RULES, by_role(422, 403, 403, 201, 201), json={"proposal": "{proposal}", "confirm": COURSE}
    ),
    ("GET", "/v1/rules"): Route(Scope.RULES_READ, by_role(200, 403, 403, 200, 200)),
    ("GET", "/v1/rules/{rule_id}"): Route(Scope.RULES_READ, by_role(404, 403, 403, 200, 200)),
    ("GET", "/v1/rules/{rule_id}/dry-run"): Route(Scope.RULES_READ, by_role(404, 403, 403, 200, 200)),
    ("GET", "/v1/rules/{rule_id}/occurrences"): Route(Scope.RULES_READ, by_role(404, 403, 403, 200, 200)),
    ("POST", "/v1/rules/{rule_id}/proposals"): Route(RULES, by_role(404, 403, 403, 201, 201), json={"most_a_day": 100}),
    ("POST", "/v1/rules/{rule_id}:confirm"): Route(
        RULES, by_role(404, 403, 403, 200, 200), json={"proposal": "{again}", "confirm": COURSE}
    ),
    ("POST", "/v1/rules/{rule_id}:pause"): Route(RULES, by_role(404, 403, 403, 200, 200)),
    ("POST", "/v1/rules/{rule_id}:resume"): Route(RULES, by_role(404, 403, 403, 200, 200)),
    ("POST", "/v1/events:preview"): Route(
        Scope.EVENTS_WRITE,
        by_role(404, 403, 403, 200, 200),
        json={"course": "{code}", "kind": "incident", "reason": "press 4"},
    ),
    ("POST", "/v1/events"): Route(
        Scope.EVENTS_WRITE,
        by_role(404, 403, 403, 202, 202),
        json={"course": "{code}", "kind": "incident", "reason": "press 4"},
    ),
    ("POST", "/v1/hooks/{source}"): Route(None, dict.fromkeys(ROLES, 401), json={"kind": "incident"}),  # unsigned
    ("GET", "/v1/groups"): Route(PEOPLE, by_role(200, 403, 200, 200, 200)),
    ("PUT", "/v1/groups/{group}"): Route(PEOPLE, by_role(200, 403, 200, 403, 200), json={"name": "Bern, shift 2"}),
    ("POST", "/v1/groups/{group}/members"): Route(PEOPLE, by_role(404, 403, 200, 403, 200), json={"join": MEMBERS}),
    ("DELETE", "/v1/rules/{rule_id}"): Route(RULES, by_role(404, 403, 403, 204, 204)),
    ("GET", "/v1/participants"): Route(PARTICIPANTS, by_role(200, 403, 403, 200, 200)),
    ("POST", "/v1/participants"): Route(  # a URL without encryption
        PARTICIPANTS, by_role(422, 403, 403, 422, 422), json={"name": "crm", "url": "http://example.org/recourse"}
    ),
    ("POST", "/v1/participants/{participant}:renew-secret"): Route(PARTICIPANTS, by_role(404, 403, 403, 200, 200)),
    ("POST", "/v1/participants/{participant}:ask-now"): Route(PARTICIPANTS, by_role(404, 403, 403, 200, 200)),
    ("POST", "/v1/participants/{participant}:disable"): Route(PARTICIPANTS, by_role(404, 403, 403, 200, 200)),
    ("POST", "/v1/participants/{participant}:enable"): Route(PARTICIPANTS, by_role(404, 403, 403, 200, 200)),
    ("DELETE", "/v1/participants/{participant}"): Route(PARTICIPANTS, by_role(404, 403, 403, 204, 404)),
    ("POST", "/v1/participant-requests/{key}/report"): Route(  # unsigned
        None, dict.fromkeys(ROLES, 404), json={"learners": []}
    ),
    ("POST", "/v1/reset-plans:count-elsewhere"): Route(W, by_role(422, 403, 403, 200, 200), json={"plan": "{plan}"}),
    ("GET", "/v1/users"): Route(PEOPLE, by_role(200, 403, 200, 403, 200)),
    ("POST", "/v1/users"): Route(  # the second time, the address is taken
        PEOPLE, by_role(201, 403, 201, 403, 409), json={"email": "added@acme.example", "name": "Added"}
    ),
    ("PUT", "/v1/users/{user_id}/permissions"): Route(
        ACCESS, by_role(404, 403, 200, 403, 200), json={"permissions": []}
    ),
    ("POST", "/v1/users/{user_id}/password-links"): Route(ACCESS, by_role(404, 403, 201, 403, 201)),
    ("GET", "/v1/users/{user_id}/sessions"): Route(ACCESS, by_role(404, 403, 200, 403, 200)),
    ("DELETE", "/v1/users/{user_id}/sessions"): Route(ACCESS, by_role(404, 403, 204, 403, 204)),
    ("DELETE", "/v1/users/{user_id}/sessions/{key}"): Route(ACCESS, by_role(404, 403, 404, 403, 404)),  # none of theirs
    ("GET", "/v1/users/{user_id}"): Route(PEOPLE, by_role(404, 403, 200, 403, 200)),
    ("PATCH", "/v1/users/{user_id}"): Route(PEOPLE, by_role(404, 403, 200, 403, 200), json={"time_zone": "UTC"}),
    ("DELETE", "/v1/users/{leaver}/courses/{code}"): Route(PEOPLE, by_role(404, 403, 403, 204, 404)),
    ("DELETE", "/v1/users/{leaver}"): Route(PEOPLE, by_role(404, 403, 204, 403, 204)),
    ("PATCH", "/v1/groups/{gone}"): Route(PEOPLE, by_role(404, 403, 200, 403, 200), json={"name": "Zug"}),
    ("DELETE", "/v1/groups/{gone}"): Route(PEOPLE, by_role(404, 403, 204, 403, 404)),
    ("GET", "/v1/webhook-endpoints"): Route(WEBHOOKS, by_role(200, 403, 403, 200, 200)),
    ("POST", "/v1/webhook-endpoints"): Route(  # a URL without encryption
        WEBHOOKS, by_role(422, 403, 403, 422, 422), json={"url": "http://example.org/hook", "events": ["reset.started"]}
    ),
    ("GET", "/v1/webhook-endpoints/{endpoint}/deliveries"): Route(WEBHOOKS, by_role(404, 403, 403, 200, 200)),
    ("POST", "/v1/webhook-endpoints/{endpoint}/deliveries/{message}:send-again"): Route(
        WEBHOOKS, by_role(404, 403, 403, 204, 204)
    ),
    ("POST", "/v1/webhook-endpoints/{endpoint}:renew-secret"): Route(WEBHOOKS, by_role(404, 403, 403, 200, 200)),
    ("POST", "/v1/webhook-endpoints/{endpoint}:disable"): Route(WEBHOOKS, by_role(404, 403, 403, 200, 200)),
    ("POST", "/v1/webhook-endpoints/{endpoint}:enable"): Route(WEBHOOKS, by_role(404, 403, 403, 200, 200)),
    ("PATCH", "/v1/webhook-endpoints/{endpoint}"): Route(
        WEBHOOKS, by_role(404, 403, 403, 200, 200), json={"events": ["reset.failed"]}
    ),
    ("POST", "/v1/webhook-endpoints/{endpoint}:send-failed-again"): Route(
        WEBHOOKS, by_role(404, 403, 403, 200, 200), json={"since": "2026-01-01T00:00:00Z"}
    ),
    ("DELETE", "/v1/webhook-endpoints/{endpoint}"): Route(WEBHOOKS, by_role(404, 403, 403, 204, 404)),
    ("POST", "/v1/webhook-endpoints/{endpoint}:test"): Route(  # after its end, so nothing is sent
        WEBHOOKS, by_role(404, 403, 403, 404, 404)
    ),
    ("GET", "/v1/tokens"): Route(TOKENS, by_role(200, 403, 200, 403, 200)),
    ("POST", "/v1/tokens"): Route(
        TOKENS, by_role(201, 403, 201, 403, 201), json={"name": "made", "scopes": ["resets:read"]}
    ),
    ("DELETE", "/v1/tokens/{token}"): Route(TOKENS, by_role(404, 403, 204, 403, 204)),
    ("GET", "/v1/me"): Route(None, by_role(200, 200, 200, 200, 200, no_scope=200)),
}


@dataclass(frozen=True)
class Setting:
    """Two organizations, and someone of each role."""

    scene: Scene
    base: str
    users: dict[str, int]
    known: dict[str, Any]
    unknown: dict[str, Any]

    def ask(self, role: str, method: str, path: str, route: Route, names: dict[str, Any]) -> httpx.Response:
        scopes = [scope for scope in Scope if scope != route.scope] if role == "no scope" else list(Scope)
        token = None if role == "nobody" else token_for(self.users[role], *scopes)
        headers = {"Idempotency-Key": f"{role}-{uuid4()}"} | ({"Content-Type": route.kind} if route.content else {})
        body = route.json and {
            name: value.format(**names) if isinstance(value, str) else value for name, value in route.json.items()
        }
        with client_of(self.base, token) as client:
            return client.request(method, path.format(**names), headers=headers, json=body, content=route.content)


@pytest.fixture
def setting(served: str, post: Post) -> Setting:
    scene, other = make_scene(), make_scene("globex")
    run("UPDATE course SET code = 'OTHER-' || id WHERE organization_id = :id", id=other.organization.id)
    learner = scene.enrolments()[-1]  # nothing done yet
    over = scene.request(audience="completed")
    post.drain()
    organization = scene.organization.id
    assert scene.admin.user_id is not None
    assert other.admin.user_id is not None
    with transaction() as session:
        terms = Terms(course=COURSE, kind=RuleKind.EVENT, reason=REASON)
        proposal = propose_rule(session, scene.admin, terms).token
        made = make_rule(session, scene.admin, proposal=propose_rule(session, scene.admin, terms).token, confirm=COURSE)
        session.flush()
        rule, again = made.id, propose_again(session, scene.admin, made).token
        source = open_source(session, scene.admin, session.get_one(User, scene.admin.user_id), "incidents").id
        create_group(session, scene.admin, "bern-2", "Bern")
        there = ParticipantTerms(ParticipantKind.HTTP, "https://example.org/recourse")
        add_participant(session, scene.admin, "lms", there)
        create_group(session, scene.admin, "zug-1", "Zug")
        endpoint = open_endpoint(session, organization, "https://example.org/hook", [WebhookEvent.RESET_STARTED]).id
        tell(session, organization, WebhookEvent.RESET_STARTED, over, {})
    token_for(learner.user_id)
    activity = "SELECT min(id) FROM activity WHERE course_id = :course AND kind = :kind"
    return Setting(
        scene,
        served,
        users={
            "admin": scene.admin.user_id,
            "no scope": scene.admin.user_id,
            "manager": make_user(organization, "manager@acme.example", Permission.COURSES).id,
            "people": make_user(organization, "people@acme.example", Permission.USERS).id,
            "learner": learner.user_id,
            "stranger": other.admin.user_id,
        },
        known={
            "code": COURSE,
            "user_id": learner.user_id,
            "reset_id": over,
            "registration": ask("SELECT registration FROM enrolment WHERE id = :id", id=learner.id),
            "list_id": make_list(scene, "email\nnobody@acme.example\n").id,
            "exempt": scene.users()[0].id,
            "exempt_user": scene.users()[0].email,
            "plan": scene.preview().token,
            "user_plan": scene.preview(audience="users", users=[learner.user_id]).token,
            "rule_id": rule,
            "proposal": proposal,
            "again": again,
            "source": source,
            "group": "bern-2",
            "participant": "lms",
            "key": uuid4(),
            "leaver": scene.enrolments()[-2].user_id,
            "gone": "zug-1",
            "endpoint": endpoint,
            "message": ask("SELECT id FROM webhook_message"),
            "token": ask("SELECT max(id) FROM api_token"),
            **{
                kind: ask(activity, course=scene.course.id, kind=kind)
                for kind in ("lesson", "assignment", "discussion")
            },
        },
        unknown={
            "code": "NONE",
            "user_id": 10**9,
            "reset_id": uuid4(),
            "registration": uuid4(),
            "list_id": uuid4(),
            "exempt": 10**9,
            "exempt_user": "nobody@nowhere.example",
            "plan": "x",
            "user_plan": "x",
            "rule_id": uuid4(),
            "proposal": "x",
            "again": "x",
            "source": uuid4(),
            "group": "nowhere",
            "participant": "nobody",
            "key": uuid4(),
            "leaver": 10**9,
            "gone": "nowhere-either",
            "endpoint": 10**9,
            "message": uuid4(),
            "token": 10**9,
            "lesson": 10**9,
            "assignment": 10**9,
            "discussion": 10**9,
        },
    )


def routes() -> set[tuple[str, str]]:
    """Returns every method and path of the API."""
    from web import api

    return {
        (method, f"/v1{route.path_format}")
        for router in api.ROUTERS
        for route in router.routes
        for method in route.methods
    }


def test_every_route_is_in_the_table(database: str) -> None:
    names = dict.fromkeys(("{lesson}", "{assignment}", "{discussion}"), "{activity_id}")
    names |= {
        "{group}": "{code}",
        "{gone}": "{code}",
        "{participant}": "{name}",
        "{leaver}": "{user_id}",
        "{exempt}": "{user_id}",
    }
    names |= {"{endpoint}": "{endpoint_id}", "{message}": "{message_id}", "{token}": "{token_id}"}
    table = {(method, path) for method, path in TABLE}
    for ours, name in names.items():
        table = {(method, path.replace(ours, name)) for method, path in table}

    assert table == routes()


def test_every_route_answers_every_role_as_the_table_says(setting: Setting) -> None:
    found = {
        (method, path, role): setting.ask(role, method, path, route, setting.known).status_code
        for (method, path), route in TABLE.items()
        for role in ROLES
    }

    assert found == {
        (method, path, role): route.expected[role] for (method, path), route in TABLE.items() for role in ROLES
    }


def test_objects_of_another_organization_are_answered_as_if_they_did_not_exist(setting: Setting) -> None:
    for (method, path), route in TABLE.items():
        if "{" not in path:
            continue
        theirs, nobodys = (
            setting.ask("stranger", method, path, route, names) for names in (setting.known, setting.unknown)
        )
        assert theirs.status_code == nobodys.status_code, (method, path)
        if (method, path) != ("PUT", "/v1/groups/{group}"):  # creates a group of their own
            same = ("type", "title", "status")
            assert [theirs.json()[name] for name in same] == [nobodys.json()[name] for name in same], (method, path)


def test_a_list_contains_nothing_of_another_organization(setting: Setting) -> None:
    with client_of(setting.base, token_for(setting.users["stranger"])) as client:
        assert client.get("/v1/resets").json() == {"items": []}
        courses = client.get("/v1/analytics/courses").json()["items"]
        assert all(course["course"].startswith("OTHER-") for course in courses)


def test_a_malformed_expired_or_revoked_token_is_refused(setting: Setting) -> None:
    admin = setting.users["admin"]
    expired, revoked, of_nobody = token_for(admin), token_for(admin), token_for(setting.users["manager"])
    run("UPDATE api_token SET expires_at = now() - interval '1 second' WHERE id = (SELECT max(id) - 2 FROM api_token)")
    run("UPDATE api_token SET revoked_at = now() WHERE id = (SELECT max(id) - 1 FROM api_token)")
    run('UPDATE "user" SET active = false WHERE id = :id', id=setting.users["manager"])

    for token in (expired, revoked, of_nobody, "rcs_none", "\xff", "x" * 5000):
        answer = httpx.get(f"{setting.base}/v1/me", headers={"Authorization": b"Bearer " + token.encode("latin-1")})
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/token-invalid")
        assert answer.headers["www-authenticate"] == 'Bearer realm="recourse"'
    basic = httpx.get(f"{setting.base}/v1/me", headers={"Authorization": "Basic YTpi"})
    assert basic.status_code == 401


def test_a_session_cookie_is_not_a_bearer_token(setting: Setting) -> None:
    from models.people import User
    from models.session import transaction
    from models.web_sessions import begin_session

    with transaction() as session:
        token = begin_session(session, session.get_one(User, setting.users["admin"]), "test")

    assert httpx.get(f"{setting.base}/v1/me", cookies={"recourse": token}).status_code == 401


def test_a_token_names_its_user(setting: Setting) -> None:
    with client_of(setting.base, token_for(setting.users["manager"], R)) as client:
        assert client.get("/v1/me").json() == {
            "user_id": setting.users["manager"],
            "name": "Kim Khan",
            "email": "manager@acme.example",
            "organization": "acme",
            "permissions": ["Training: Manage courses"],
        }


def test_a_learner_sees_and_writes_only_their_own(setting: Setting) -> None:
    scene = setting.scene
    other = scene.enrolments()[0]
    with client_of(setting.base, token_for(setting.users["learner"])) as client:
        assert client.get(f"/v1/users/{other.user_id}/courses").json()["type"] == "/problems/forbidden"
        lesson = f"/v1/registrations/{other.registration}/activities/{setting.known['lesson']}/progress"
        answer = client.put(lesson, json={"percent": 100})
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/stale-registration")


def test_a_learner_takes_a_course_through_the_api_and_a_reset_ends_the_registration(
    setting: Setting, post: Post
) -> None:
    user = setting.users["learner"]
    with client_of(setting.base, token_for(user)) as client:
        course = client.get(f"/v1/users/{user}/courses/{COURSE}").json()
        under = f"/v1/registrations/{course['registration']}"
        assert course["state"] == "assigned"
        for activity in course["activities"]:
            at = f"{under}/activities/{activity['id']}"
            match activity["kind"]:
                case "lesson":
                    answer = client.put(f"{at}/progress", json={"percent": 100})
                    assert answer.json()["percent"] == 100
                    lower = client.put(f"{at}/progress", json={"percent": 33.333333})
                    assert lower.json()["percent"] == 100
                case "discussion":
                    assert client.post(f"{at}/posts", json={"body": "Yes."}).status_code == 201
                    assert (
                        client.post(f"{at}/submissions", json={"body": "x"}).json()["type"]
                        == "/problems/activity-unknown"
                    )
                case _:
                    marked = client.post(f"{at}/submissions", json={"score": 100})
                    assert marked.json()["type"] == "/problems/forbidden"  # nobody marks their own work
                    assert client.post(f"{at}/submissions", json={"body": "Mine."}).json()["attempt"] == 1
        done = client.put(f"{under}/completion").json()
        assert done["certificate"]
        assert client.put(f"{under}/completion").json() == done
        assert client.get(f"/v1/users/{user}/courses/{COURSE}").json()["certificate"] == done["certificate"]

        setting.scene.request(audience="users", users=[user])
        post.drain()

        assert client.put(f"{under}/completion").json()["type"] == "/problems/stale-registration"
        fresh = client.get(f"/v1/users/{user}/courses/{COURSE}").json()
        assert (fresh["state"], fresh["progress"], fresh["certificate"]) == ("assigned", 0, None)
        assert fresh["registration"] != course["registration"]


def test_a_grader_gives_scores(setting: Setting) -> None:
    at = f"/v1/registrations/{setting.known['registration']}/activities/{setting.known['assignment']}"
    with client_of(setting.base, token_for(setting.users["manager"])) as client:
        answer = client.post(f"{at}/submissions", json={"score": 82.5})
        assert (answer.status_code, answer.json()["score"]) == (201, 82.5)
        for odd in ("1e-400", "101", "-1", "NaN", "1e999", '"50"', "true"):
            body = '{"score": ' + odd + "}"
            refused = client.post(f"{at}/submissions", content=body, headers={"Content-Type": "application/json"})
            assert refused.status_code == (201 if odd == "1e-400" else 422), odd


def test_analytics_come_in_pages_or_whole_as_csv(setting: Setting) -> None:
    scene = setting.scene
    do_everything(scene.enrolments()[3])
    run('UPDATE "user" SET name = \'=HYPERLINK("x")\' WHERE id = :id', id=scene.enrolments()[3].user_id)
    with client_of(setting.base, token_for(setting.users["manager"])) as client:
        courses = client.get("/v1/analytics/courses").json()["items"]
        assert [course["course"] for course in courses] == ["DATA-202", COURSE]
        first = client.get("/v1/analytics/courses?limit=1")
        assert client.get(first.links["next"]["url"]).json()["items"] == courses[1:]

        names, where = [], f"/v1/analytics/courses/{COURSE}/users?limit=5"
        while where:
            answer = client.get(where)
            names += [user["name"] for user in answer.json()["items"]]
            where = answer.links.get("next", {}).get("url", "")
        assert len(names) == 12
        assert names == sorted(names)

        for csv in (
            client.get(f"/v1/analytics/courses/{COURSE}/users?format=csv"),
            client.get(f"/v1/analytics/courses/{COURSE}/users", headers={"Accept": "text/csv"}),
        ):
            assert csv.headers["content-type"] == "text/csv; charset=utf-8"
            lines = csv.text.splitlines()
            assert lines[0] == "user_id,name,email,state,progress,completed_at,due_at,overdue,external_id"
            assert len(lines) == 13
            assert sum('"\'=HYPERLINK(""x"")"' in line for line in lines) == 1
        assert client.get("/v1/analytics/courses?format=csv").text.splitlines()[0].startswith("course,title,assigned")
