"""A role taken away at the provider is gone here at the next request."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Response

from models.access import Permission
from models.people import User
from models.session import transaction
from tasks.people.users import change_user
from tests.integration.sign_on.test_signing_in import GARBAGE
from tests.provider import Provider
from tests.rules import CALENDAR, make, tick
from tests.scenes import Scene, as_actor, ask, make_scene, rows, run
from tests.signing_on import audit_of, is_signed_in, permissions_of, signed_on, use, use_roles, user_here
from tests.web import client_of, token_for, visitor
from tests.workers import until

COURSES = "/training/content/courses"


@pytest.mark.parametrize("claims_from", ["userinfo", "id_token"])
def test_a_role_taken_away_there_is_gone_here_at_the_next_request(
    base: str, scene: Scene, provider: Provider, claims_from: str
) -> None:
    use_roles(scene, provider, claims_from=claims_from, check_seconds=0)
    kim = user_here(scene, "kim")
    browser = signed_on(base, provider, "kim")
    with client_of(base, token_for(kim.id)) as program:
        assert browser.get(COURSES).status_code == 200
        assert program.get("/v1/resets").status_code == 200
        provider.knows("kim", groups=["runners"])
        assert browser.get(COURSES).status_code == 403
        assert permissions_of(kim) == []
        assert program.get("/v1/resets").status_code == 403
        last = audit_of("user.permissions_changed")[-1][2]
        assert last == {"before": ["Training: Manage courses"], "after": []}
        # The person stays signed in as a learner; a role that is given arrives with a later check
        assert is_signed_in(browser)
        provider.knows("kim", groups=["hr"])
        run("UPDATE provider_session SET checked_at = checked_at - interval '6 minutes'")
        assert browser.get("/users").status_code == 200


def test_programs_and_rules_act_as_last_seen_until_their_user_comes_again_or_is_deactivated(
    base: str, scene: Scene, provider: Provider
) -> None:
    use_roles(scene, provider)
    provider.knows("lee", groups=["training-admins"])
    users = [user_here(scene, name) for name in ("kim", "lee")]
    browsers = [signed_on(base, provider, name) for name in ("kim", "lee")]
    for user in users:
        make(scene, datetime.now(UTC), as_actor(scene, user.id), **CALENDAR, starts=datetime(2030, 1, 1, 6))
    with client_of(base, token_for(users[0].id)) as kims, client_of(base, token_for(users[1].id)) as lees:
        for name in ("kim", "lee"):
            provider.knows(name, groups=[])
        assert [program.get("/v1/resets").status_code for program in (kims, lees)] == [200, 200]
        # Kim comes again; Lee does not, and is deactivated here, as SCIM would do
        assert browsers[0].get(COURSES).status_code == 403
        with transaction() as session:
            change_user(session, scene.admin, session.get_one(User, users[1].id), {"active": False})
        assert [program.get("/v1/resets").status_code for program in (kims, lees)] == [403, 401]
    tick(datetime(2030, 1, 1, 6, 1, tzinfo=UTC))
    assert rows("SELECT DISTINCT state FROM retraining_rule") == [("waiting",)]
    assert ask("SELECT count(*) FROM reset") == 0


def test_a_form_is_refused_too_and_its_sender_checked_once(base: str, scene: Scene, provider: Provider) -> None:
    use_roles(scene, provider)
    user_here(scene, "kim")
    browser = signed_on(base, provider, "kim")
    from tests.web import form_token

    token = form_token(browser.get("/webhooks"))
    before = provider.requests.count("/userinfo")
    form = {"csrf": token, "url": "", "events": "reset.started"}
    assert browser.post("/webhooks", data=form).status_code == 422
    assert provider.requests.count("/userinfo") == before + 1
    provider.knows("kim", groups=[])
    assert browser.post("/webhooks", data=form).status_code == 403


def test_who_is_disabled_there_is_signed_out_here(base: str, scene: Scene, provider: Provider) -> None:
    use_roles(scene, provider)
    kim = user_here(scene, "kim")
    browser = signed_on(base, provider, "kim")
    provider.accounts["kim"].disabled = True
    assert browser.get(COURSES).headers["location"] == f"/sign-in?next={COURSES}"
    assert ask("SELECT count(*) FROM web_session") == 0
    assert audit_of("user.signed_out_by_provider") == [("task:sign-on", str(kim.id), {"sessions": 1})]


def test_between_two_checks_nobody_is_asked(base: str, scene: Scene, provider: Provider) -> None:
    use_roles(scene, provider, check_seconds=60)
    user_here(scene, "kim")
    browser = signed_on(base, provider, "kim")
    before = len(provider.requests)
    provider.knows("kim", groups=[])
    assert [browser.get(COURSES).status_code for _ in range(5)] == [200] * 5
    assert len(provider.requests) == before
    run("UPDATE provider_session SET checked_at = checked_at - interval '61 seconds'")
    assert browser.get(COURSES).status_code == 403


def test_learners_are_checked_rarely_and_signed_out_when_they_are_gone_there(
    base: str, scene: Scene, provider: Provider
) -> None:
    use_roles(scene, provider)
    provider.knows("lee")
    user_here(scene, "lee")
    browser = signed_on(base, provider, "lee")
    before = len(provider.requests)
    assert is_signed_in(browser)
    assert len(provider.requests) == before
    run("UPDATE provider_session SET checked_at = checked_at - interval '301 seconds'")
    assert is_signed_in(browser)
    assert len(provider.requests) == before + 1
    provider.accounts["lee"].disabled = True
    run("UPDATE provider_session SET checked_at = checked_at - interval '301 seconds'")
    assert not is_signed_in(browser)


def test_while_the_provider_is_down_permissions_hold_for_a_while_and_then_wait(
    base: str, scene: Scene, provider: Provider
) -> None:
    use_roles(scene, provider, away_seconds=60)
    kim = user_here(scene, "kim")
    browser = signed_on(base, provider, "kim")
    provider.before = lambda _: Response("down", 503)
    before = len(provider.requests)
    assert [browser.get(COURSES).status_code for _ in range(5)] == [200] * 5
    assert len(provider.requests) == before + 1, "it is left in peace for some seconds"
    run("UPDATE provider_session SET checked_at = checked_at - interval '61 seconds'")
    answer = browser.get(COURSES)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "cannot be checked" in answer.text
    assert is_signed_in(browser), "what needs no permission works"
    assert permissions_of(kim) == ["Training: Manage courses"], "it is not known to be gone"
    # When it is back, so are they
    provider.before = lambda _: None
    run("UPDATE provider_session SET failed_at = failed_at - interval '11 seconds'")
    assert browser.get(COURSES).status_code == 200


@pytest.mark.parametrize("claims_from", ["userinfo", "id_token"])
def test_garbage_in_answer_to_a_refresh_takes_nothing_away(
    base: str, scene: Scene, provider: Provider, claims_from: str
) -> None:
    use_roles(scene, provider, claims_from=claims_from, check_seconds=0)
    kim = user_here(scene, "kim")
    browser = signed_on(base, provider, "kim")
    endless = {"an endless life": lambda _: Response('{"access_token": "x", "expires_in": 1e400}')}
    for which, garbage in (GARBAGE | endless).items():
        provider.before = lambda path, answer=garbage: answer(path) if path == "/token" else None  # type: ignore[misc]
        provider._access.clear()  # as if they had ended
        run("UPDATE provider_session SET failed_at = NULL")
        assert browser.get(COURSES).status_code == 200, which
        assert ask("SELECT failed_at FROM provider_session") is not None, which
        assert permissions_of(kim) == ["Training: Manage courses"], which
    provider.before = lambda _: None
    run("UPDATE provider_session SET failed_at = NULL")
    assert browser.get(COURSES).status_code == 200
    assert ask("SELECT failed_at FROM provider_session") is None, "the refresh token is still good"


def test_a_provider_that_gives_no_refresh_tokens(base: str, scene: Scene, provider: Provider) -> None:
    """Whoever has permissions has to sign in again once it can no longer be asked; learners stay."""
    use_roles(scene, provider)
    provider.gives_refresh_tokens = False
    provider.knows("lee")
    user_here(scene, "kim")
    user_here(scene, "lee")
    admin, learner = signed_on(base, provider, "kim"), signed_on(base, provider, "lee")
    assert admin.get(COURSES).status_code == 200
    provider._access.clear()
    run("UPDATE provider_session SET checked_at = checked_at - interval '301 seconds'")
    assert admin.get(COURSES).status_code == 303
    assert is_signed_in(learner)


@pytest.mark.parametrize("claims_from", ["userinfo", "id_token"])
def test_many_requests_at_once_use_each_refresh_token_once(
    base: str, scene: Scene, provider: Provider, claims_from: str
) -> None:
    use_roles(scene, provider, claims_from=claims_from, check_seconds=0)
    user_here(scene, "kim")
    cookie = {"recourse": signed_on(base, provider, "kim").cookies["recourse"]}

    def look(_: int) -> int:
        with visitor(base) as browser:
            browser.cookies.update(cookie)
            return browser.get(COURSES).status_code

    provider._access.clear()  # as if they had ended
    with ThreadPoolExecutor(8) as people:
        assert list(people.map(look, range(24))) == [200] * 24
    assert len(provider._refresh) == 1


def test_a_check_is_for_requests_that_came_before_it_began(base: str, scene: Scene, provider: Provider) -> None:
    """A request that arrives while another one's check runs is not answered by that check."""
    use_roles(scene, provider)
    user_here(scene, "kim")
    browser = signed_on(base, provider, "kim")
    cookie = dict(browser.cookies)
    begun, go_on, answers = threading.Event(), threading.Event(), []

    def hold(path: str) -> None:
        if path == "/userinfo" and not begun.is_set():
            begun.set()
            go_on.wait(20)

    def look() -> None:
        with visitor(base) as other:
            other.cookies.update(cookie)
            answers.append(other.get(COURSES).status_code)

    provider.before = hold  # type: ignore[assignment]
    first, second = (threading.Thread(target=look) for _ in range(2))
    first.start()
    assert begun.wait(20)
    provider.before = lambda _: None
    second.start()
    time.sleep(0.3)
    assert answers == []
    provider.knows("kim", groups=[])
    go_on.set()
    first.join(20)
    second.join(20)
    assert answers == [403, 403]


def held_connections() -> int:
    """Returns how many transactions have been idle for a second."""
    return int(
        ask(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in tr%' "
            "AND xact_start < now() - interval '1 second'"
        )
    )


def test_a_provider_that_hangs_holds_up_nobody_else(
    base: str, scene: Scene, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_scene("globex", learners=1)
    use_roles(scene, provider)
    user_here(scene, "kim")
    cookie = dict(signed_on(base, provider, "kim").cookies)
    hangs, asked = threading.Event(), threading.Event()

    def hang(path: str) -> None:
        if not hangs.is_set():
            asked.set()
            hangs.wait(30)

    provider.before = hang  # type: ignore[assignment]
    answers: list[Any] = []

    def look(path: str) -> None:
        with visitor(base) as browser:
            browser.cookies.update(cookie)
            answers.append(browser.get(path).status_code)

    from tasks.sign_on.endpoints import forget

    forget(provider.issuer)
    people = [threading.Thread(target=look, args=[path]) for path in [COURSES, "/sign-on/acme"] * 20]
    for one in people:
        one.start()
    assert asked.wait(20)
    with visitor(base, other.admin.user_id) as browser, visitor(base, scene.users()[0].id) as mine:
        for _ in range(4):
            assert browser.get(COURSES).status_code == 200
            assert mine.get("/my/training").status_code == 200
            assert browser.get("/sign-in").status_code == 200
            assert held_connections() == 0
    assert answers == [], "nobody else waited until the provider's time limit"
    for one in people:
        one.join(60)
    hangs.set()
    assert set(answers) == {200, 503}
    assert answers.count(200) == 20, "permissions hold for a while"


def test_the_session_ends_when_its_tokens_cannot_be_read(
    base: str, scene: Scene, provider: Provider, set_up: Callable[..., None]
) -> None:
    use_roles(scene, provider)
    user_here(scene, "kim")
    browser = signed_on(base, provider, "kim")
    run("UPDATE provider_session SET sealed_tokens = 'of a key that is gone'")
    assert browser.get(COURSES).status_code == 303
    until(lambda: ask("SELECT count(*) FROM web_session") == 0)


def test_a_lost_process_blocks_no_session_for_long(base: str, scene: Scene, provider: Provider) -> None:
    use_roles(scene, provider)
    user_here(scene, "kim")
    browser = signed_on(base, provider, "kim")
    run("UPDATE provider_session SET busy_until = now() + interval '1 second'")
    provider.knows("kim", groups=[])
    assert browser.get(COURSES).status_code == 403


def test_without_a_mapping_an_admin_is_checked_like_a_learner(base: str, scene: Scene, provider: Provider) -> None:
    use(scene, provider)
    user_here(scene, "kim", Permission.COURSES)
    browser = signed_on(base, provider, "kim")
    before = len(provider.requests)
    assert browser.get(COURSES).status_code == 200
    assert len(provider.requests) == before
