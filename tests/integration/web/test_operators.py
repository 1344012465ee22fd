"""Operators with an account: only the command line makes them, and only they pause everything."""

import pytest

from models.access import Permission, console_operator
from models.people import User
from models.refusals.access import OnlyAtConsole
from models.session import transaction
from models.sign_in import set_password
from models.sign_on import IdentityProvider
from models.tokens import Scope
from tasks.sign_on.commands import Terms, set_provider
from tasks.sign_on.roles import take_over
from tests.databases import recourse_on
from tests.scenes import Scene, ask, make_scene, rows
from tests.web import client_of, form_token, make_user, token_for, visitor

OPERATIONS = Permission.OPERATIONS
REFUSED = "only the command line gives it to a user or takes it"


@pytest.fixture
def scene(served: str) -> Scene:
    return make_scene(learners=1)


@pytest.fixture
def olga(scene: Scene) -> User:
    return make_user(scene.organization.id, "olga@acme.example", *Permission, name="Olga Ode")


def permissions_of(user: User) -> list[str]:
    found: list[str] = ask('SELECT permissions FROM "user" WHERE id = :id', id=user.id)
    return found


def test_nothing_but_the_command_line_gives_and_takes_operations(
    served: str, database: str, scene: Scene, olga: User
) -> None:
    kim = make_user(scene.organization.id, "kim@acme.example")
    otto = make_user(scene.organization.id, "otto@acme.example", OPERATIONS)
    # Neither pages, …
    with visitor(served, olga.id) as browser:
        form = {"csrf": form_token(browser.get("/users/new")), "name": "N", "locale": "en", "time_zone": "UTC"}
        form["with_permissions"] = "true"
        new = browser.post("/users/new", data=form | {"email": "new@acme.example", "permissions": "OPERATIONS"})
        assert (new.status_code, REFUSED in new.text) == (403, True)
        given = browser.post(f"/users/{kim.id}/edit", data=form | {"email": kim.email, "permissions": "OPERATIONS"})
        assert (given.status_code, REFUSED in given.text) == (403, True)
        page = browser.get(f"/users/{otto.id}/edit").text
        assert ("They also have “Platform operations”" in page, 'value="OPERATIONS"' in page) == (True, False)
        kept = browser.post(f"/users/{otto.id}/edit", data=form | {"email": otto.email, "permissions": "COURSES"})
        assert (kept.status_code, permissions_of(otto)) == (303, [Permission.COURSES, OPERATIONS])
    # … nor the API, …
    with client_of(served, token_for(olga.id)) as api:
        refused = api.put(f"/v1/users/{kim.id}/permissions", json={"permissions": [OPERATIONS]})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/only-at-command-line")
        assert api.put(f"/v1/users/{otto.id}/permissions", json={"permissions": []}).status_code == 200
        assert permissions_of(otto) == [OPERATIONS]
    # … nor an administrator of the organization, who cannot become an operator either, …
    with client_of(served, token_for(scene.admin.user_id or 0)) as api:
        for path in ("password-links", "erase"):
            at = f"/v1/users/{otto.id}/{path}"
            assert api.post(at, json={"confirm": otto.email} if path == "erase" else None).status_code == 403
    # … nor a sign-in provider
    with transaction() as session:
        terms = Terms("https://id.example", "recourse", "Keycloak", roles_claim="groups", roles={"ops": [OPERATIONS]})
        with pytest.raises(OnlyAtConsole):
            set_provider(session, console_operator(scene.organization), terms, None)
        roles = {"hr": [Permission.USERS.value], "ops": [OPERATIONS.value]}
        provider = IdentityProvider(roles_claim="groups", roles=roles)
        assert take_over(session, provider, session.get_one(User, otto.id), {"groups": ["hr"]})
        assert take_over(session, provider, session.get_one(User, kim.id), {"groups": ["hr", "ops"]})
    assert permissions_of(otto) == [Permission.USERS, OPERATIONS]
    assert permissions_of(kim) == [Permission.USERS]
    # The command line does, unless it acts as a user
    words = ("user", "permissions", "kim@acme.example", "--permission", "operations")
    with transaction() as session:
        set_password(session, session.get_one(User, kim.id), "chosen by an administrator")
    with visitor(served, kim.id) as browser:
        refused_here = recourse_on(database, *words, "--as", "olga@acme.example")
        assert (refused_here.returncode, REFUSED in " ".join(refused_here.stderr.split())) == (2, True)
        assert browser.get("/my/training").status_code == 200
        assert recourse_on(database, *words).returncode == 0
        assert browser.get("/my/training").status_code == 303, "who gets a permission is signed out"
    assert permissions_of(kim) == [OPERATIONS]
    assert ask("SELECT count(*) FROM credential") == 0, "others of the organization may know the password"
    [(details,)] = rows(
        "SELECT details FROM audit WHERE action = 'user.permissions_changed' AND subject = :id "
        "AND actor LIKE 'console:%'",
        id=str(kim.id),
    )
    assert details == {"before": [Permission.USERS], "after": [OPERATIONS]}


def test_only_operators_pause_everything_and_no_organization_learns_their_name(
    served: str, scene: Scene, olga: User
) -> None:
    globex = make_scene("globex", learners=1)
    reason = {"reason": "the database moves"}
    with visitor(served, scene.admin.user_id) as browser:
        page = browser.get("/resets")
        assert ("Pause all resets" in page.text, "Pause everything" in page.text) == (True, False)
        form = reason | {"csrf": form_token(page)}
        for path in ("pause-everything", "resume-everything"):
            assert browser.post(f"/resets/{path}", data=form).status_code == 403
        assert "Pause and resume everything" not in browser.get("/tokens").text
    for user_id, scopes, why in (
        (scene.admin.user_id, [Scope.OPERATE], "forbidden"),
        (olga.id, [Scope.RESETS_WRITE], "scope-missing"),
    ):
        with client_of(served, token_for(user_id or 0, *scopes)) as api:
            for refused in (
                api.get("/v1/installation"),
                api.post("/v1/installation:pause", json=reason),
                api.post("/v1/installation:resume"),
            ):
                assert (refused.status_code, refused.json()["type"]) == (403, f"/problems/{why}")
    assert ask("SELECT count(*) FROM pause") == 0
    # An operator pauses everything on the page, and the others see that and not who it is
    with visitor(served, olga.id) as browser:
        form = reason | {"csrf": form_token(browser.get("/resets"))}
        shown = browser.post("/resets/pause-everything", data=form, follow_redirects=True).text
        for words in ("Everything is paused.", "Resume everything", "Paused by Platform operations"):
            assert words in shown
        assert "An operator must resume it." not in shown
        assert "Pause and resume everything" in browser.get("/tokens").text
    with visitor(served, globex.admin.user_id) as browser:
        seen = browser.get("/resets").text
        assert "the database moves" in seen
        assert "An operator must resume it." in seen
        assert ("Resume everything" in seen, "Olga" in seen) == (False, False)
    # … and resumes it by the API
    with client_of(served, token_for(olga.id, Scope.OPERATE)) as api:
        paused = api.get("/v1/installation").json()["paused"]
        assert (paused["scope"], paused["by"]) == ("everything", "Platform operations")
        assert api.post("/v1/installation:resume").json() == {"paused": None}
        assert (
            api.post("/v1/installation:pause", json={"reason": " "}).json()["type"] == "/problems/pause-reason-missing"
        )
    entries = rows("SELECT action, organization_id, actor FROM audit WHERE action LIKE 'installation.%' ORDER BY id")
    assert entries == [
        (f"installation.{deed}", one.organization.id, f"user:{olga.id}")
        for deed in ("paused", "resumed")
        for one in (scene, globex)
    ]
