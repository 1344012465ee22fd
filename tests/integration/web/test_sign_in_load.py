"""Many sign-ins at once, and many from one address."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from models.people import User
from models.session import transaction
from models.sign_in import set_password
from tests.conftest import PROJECT
from tests.scenes import Scene, ask, make_scene, run
from tests.web import form_token
from tests.web_apps import WebApp
from tests.workers import until

PASSWORD = "correct horse battery staple"
AT_ONCE = 40
MORE_MEMORY = 200  # MB; without a bound, 15 hashes at once took 960


@pytest.fixture
def scene(database: str) -> Scene:
    return make_scene()


@pytest.fixture
def web(scene: Scene, tmp_path: Path) -> Iterator[WebApp]:
    app = WebApp(PROJECT, tmp_path)
    yield app
    app.stop()


def memory(app: WebApp) -> float:
    """Returns the process's resident memory in MB."""
    status = Path(f"/proc/{app.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def give_password(user: User) -> str:
    with transaction() as session:
        set_password(session, session.get_one(User, user.id), PASSWORD)
    return user.email


def attempt(
    base: str, email: str, password: str, address: str = "", client: httpx.Client | None = None
) -> httpx.Response:
    """Try to sign in, in a new browser or this one, through a proxy that names the client's address."""
    headers = {"X-Forwarded-For": address} if address else {}
    with client or httpx.Client() as browser:
        browser.headers = httpx.Headers(headers)
        form = {"csrf": form_token(browser.get(f"{base}/sign-in", timeout=60)), "organization": "acme"}
        return browser.post(f"{base}/sign-in", data=form | {"email": email, "password": password}, timeout=60)


def browser_of(base: str, email: str, address: str = "") -> dict[str, str]:
    """Returns the cookies of a browser in which a user signed in and out again."""
    answer = attempt(base, email, PASSWORD, address)
    assert answer.status_code == 303, answer.text
    return {name: value for name, value in answer.cookies.items() if name != "recourse"}


def test_many_sign_ins_at_once_take_little_memory_and_delay_no_page(web: WebApp, scene: Scene) -> None:
    mine = give_password(scene.users()[0])
    browser_of(web.url, mine)
    web.get("/verify/x")
    before = memory(web)
    peak, slowest = before, 0.0
    with ThreadPoolExecutor(AT_ONCE) as people:
        waiting = [
            people.submit(attempt, web.url, f"nobody-{n}@acme.example", "wrong", f"198.51.100.{n}")
            for n in range(AT_ONCE)
        ]
        while not all(one.done() for one in waiting):
            began = time.monotonic()
            assert web.get("/readyz").status_code == 200
            slowest = max(slowest, time.monotonic() - began)
            peak = max(peak, memory(web))
        statuses = [one.result().status_code for one in waiting]

    print(f"memory {before:.0f} MB, at most {peak:.0f} MB; slowest page {slowest:.2f} s; {sorted(set(statuses))}")  # noqa: T201
    assert set(statuses) <= {401, 503}
    assert statuses.count(401) >= AT_ONCE // 8, "as many as a busy machine can check in time"
    assert peak - before < MORE_MEMORY
    assert slowest < 5


def test_a_sign_in_that_waits_too_long_is_told_when_to_try_again(
    served: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models import passwords

    email = give_password(scene.users()[0])
    monkeypatch.setattr(passwords, "PATIENCE", 0.2)
    turns = [passwords._turns.acquire() for _ in range(passwords.AT_ONCE)]
    try:
        refused = attempt(served, email, PASSWORD)
    finally:
        for _ in turns:
            passwords._turns.release()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert "Too many people are signing in at once" in refused.text
    assert ask("SELECT count(*) FROM sign_in_failure") == 0, "it does not count as a failure"
    assert attempt(served, email, PASSWORD).status_code == 303


def test_hashing_a_password_holds_no_connection(served: str, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from models import passwords

    email = give_password(scene.users()[0])
    monkeypatch.setattr(passwords, "PATIENCE", 30.0)
    turns = [passwords._turns.acquire() for _ in range(passwords.AT_ONCE)]
    in_hand = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
    with ThreadPoolExecutor(20) as people:
        waiting = [people.submit(attempt, served, email, PASSWORD, f"198.51.100.{n}") for n in range(20)]
        try:
            until(lambda: ask("SELECT count(*) FROM sign_in_failure") >= 8)  # these wait for the hashing
            until(lambda: ask(in_hand) == 0, 10)
            page = httpx.get(f"{served}/sign-in", timeout=10).status_code
        finally:
            for _ in turns:
                passwords._turns.release()
        {one.result().status_code for one in waiting}
    assert page == 200


def test_an_account_changed_while_its_password_is_hashed_is_not_signed_in(database: str, scene: Scene) -> None:
    from models.refusals.sign_in import SignInFailed
    from models.sign_in import claim_of, prove, proved_user

    user = scene.users()[0]
    email = give_password(user)
    for change in ('UPDATE "user" SET active = false', "UPDATE credential SET password_hash = 'x'"):
        with transaction() as session:
            claim = claim_of(session, "acme", email)
        assert prove(claim, PASSWORD) is None
        run(change)
        with transaction() as session, pytest.raises(SignInFailed):
            proved_user(session, claim, None)
        run('UPDATE "user" SET active = true')
        give_password(user)


def fail(base: str, times: int, address: str, email: str = "") -> list[int]:
    with ThreadPoolExecutor(8) as guessers:
        return list(
            guessers.map(
                lambda n: attempt(base, email or f"guess-{n}@acme.example", "wrong", address).status_code,
                range(times),
            )
        )


def test_forty_wrong_passwords_from_one_address_lock_out_neither_other_addresses_nor_known_browsers(
    served: str, scene: Scene
) -> None:
    # Given a proxy on this machine, and two people who share an address with an attacker
    known, new = (give_password(user) for user in scene.users()[:2])
    cookies = browser_of(served, known, "203.0.113.7")

    assert fail(served, 45, "203.0.113.7").count(429) >= 1

    assert attempt(served, new, PASSWORD, "203.0.113.7").status_code == 429
    elsewhere = attempt(served, new, PASSWORD, "203.0.113.8")
    assert elsewhere.status_code == 303, "another address"
    here = attempt(served, known, PASSWORD, "203.0.113.7", httpx.Client(cookies=cookies))
    assert here.status_code == 303, "a known browser"
    run("UPDATE sign_in_failure SET at = at - interval '16 minutes'")
    assert attempt(served, new, PASSWORD, "203.0.113.7").status_code == 303


def test_guessing_a_password_does_not_lock_out_the_accounts_owner(served: str, scene: Scene) -> None:
    email = give_password(scene.users()[0])
    cookies = browser_of(served, email, "203.0.113.7")

    assert fail(served, 9, "198.51.100.1", email).count(429) == 1
    assert attempt(served, email, PASSWORD, "203.0.113.7").status_code == 303, "from another address"
    for n in range(2, 6):
        fail(served, 8, f"198.51.100.{n}", email)
    assert attempt(served, email, PASSWORD, "198.51.100.99").status_code == 429, "guesses from many addresses"
    owner = attempt(served, email, PASSWORD, "203.0.113.7", httpx.Client(cookies=cookies))
    assert owner.status_code == 303


def test_a_known_browser_has_no_more_attempts_than_others(served: str, scene: Scene) -> None:
    email, other = (give_password(user) for user in scene.users()[:2])
    cookies = browser_of(served, email)
    statuses = [attempt(served, email, "wrong", client=httpx.Client(cookies=cookies)).status_code for _ in range(9)]
    assert statuses == [401] * 8 + [429]
    fail(served, 8, "", other)
    assert attempt(served, other, PASSWORD, client=httpx.Client(cookies=cookies)).status_code == 429, (
        "the mark is for one account"
    )
    forged = {"recourse-known": cookies["recourse-known"][:-2] + "xx"}
    assert attempt(served, email, "wrong", client=httpx.Client(cookies=forged)).status_code == 401
    assert ask("SELECT count(*) FROM sign_in_failure WHERE address LIKE 'browser %'") == 8


def test_ipv6_addresses_of_one_customer_count_as_one(served: str, scene: Scene) -> None:
    email = give_password(scene.users()[0])
    for n in range(8):
        attempt(served, email, "wrong", f"2001:db8:1:2:{n}::{n}")
    assert attempt(served, email, PASSWORD, "2001:db8:1:2:ffff::1").status_code == 429
    assert attempt(served, email, PASSWORD, "2001:db8:1:3::1").status_code == 303


def what_doctor_says(url: str) -> Any:
    from cli.checks import Places, examine  # imports tasks, which test modules must not

    (found,) = examine(Places(web=url, flower=None), ["web app"])
    return found


def test_an_address_named_by_an_untrusted_proxy_is_ignored_with_a_warning(scene: Scene, tmp_path: Path) -> None:
    email = give_password(scene.users()[0])
    web = WebApp(PROJECT, tmp_path, trusted_proxies="192.0.2.0/24", log_level="WARNING")
    try:
        assert "proxy" not in web.get("/readyz").json()
        statuses = [attempt(web.url, email, "wrong", f"198.51.100.{n}").status_code for n in range(10)]
        ready = web.get("/readyz").json()
        found = what_doctor_says(web.url)
    finally:
        web.stop()
    assert statuses == [401] * 8 + [429] * 2, "each with a forged address"
    assert ready["proxy"] == "not trusted"
    assert found.ok is False
    assert "add it to RECOURSE_TRUSTED_PROXIES" in found.remedy
    assert web.log.read_text().count("forwarded_by_untrusted") == 1
    assert '"peer": "127.0.0.1"' in web.log.read_text()


def test_an_address_that_a_client_names_to_a_trusted_proxy_is_ignored(served: str, scene: Scene) -> None:
    email = give_password(scene.users()[0])
    for n in range(8):
        attempt(served, email, "wrong", f"198.51.100.{n}, 203.0.113.7")  # the proxy adds the last
    assert attempt(served, email, PASSWORD, "198.51.100.77, 203.0.113.7").status_code == 429
    assert ask("SELECT DISTINCT address FROM sign_in_failure") == "203.0.113.7"
