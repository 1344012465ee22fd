"""Signing out there and here."""

import time
from typing import Any

import httpx
import pytest

from tests.provider import CLIENT, LOGOUT, Provider
from tests.scenes import Scene, ask, run
from tests.signing_on import audit_of, is_signed_in, signed_on, use, user_here
from tests.web import form_token


@pytest.fixture
def kim(base: str, scene: Scene, provider: Provider) -> httpx.Client:
    use(scene, provider)
    user_here(scene, "kim")
    return signed_on(base, provider, "kim")


def sign_out(browser: httpx.Client) -> httpx.Response:
    return browser.post("/sign-out", data={"csrf": form_token(browser.get("/my/settings"))})


def test_signing_out_leads_to_the_providers_page_with_a_hint(base: str, kim: httpx.Client, provider: Provider) -> None:
    answer = sign_out(kim)
    assert answer.status_code == 200
    address = httpx.URL(answer.text.split('content="0;url=')[1].split('"')[0].replace("&amp;", "&"))
    assert str(address).startswith(f"{provider.issuer}/logout?")
    assert address.params["post_logout_redirect_uri"] == f"{base}/sign-in"
    assert address.params["client_id"] == CLIENT
    assert address.params["id_token_hint"].count(".") == 2
    assert not is_signed_in(kim)
    assert ask("SELECT count(*) FROM provider_session") == 0


@pytest.mark.parametrize("why", ["it has no such page", "it is down"])
def test_signing_out_here_works_without_the_provider(
    base: str, scene: Scene, kim: httpx.Client, provider: Provider, why: str
) -> None:
    from tasks.sign_on.endpoints import forget

    forget(provider.issuer)
    if why == "it is down":
        provider.__exit__()
    else:
        provider.document = {"end_session_endpoint": None}
    answer = sign_out(kim)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert not is_signed_in(kim)


def test_a_session_that_ends_there_ends_here(base: str, kim: httpx.Client, provider: Provider) -> None:
    assert is_signed_in(kim)
    assert provider.end_sessions_of("kim") == [200]
    assert not is_signed_in(kim)
    [(actor, _, details)] = audit_of("user.signed_out_by_provider")
    assert (actor, details) == ("task:sign-on", {"sessions": 1})


def test_a_logout_token_ends_the_session_that_it_names_and_no_other(
    base: str, scene: Scene, kim: httpx.Client, provider: Provider
) -> None:
    provider.knows("lee")
    user_here(scene, "lee")
    again, other = signed_on(base, provider, "kim"), signed_on(base, provider, "lee")
    client, who = provider.clients[CLIENT], provider.accounts["kim"]
    sid = ask("SELECT sid FROM provider_session ORDER BY checked_at LIMIT 1")
    assert provider._tell(client, provider.logout_token(client, who, sid)) == 200
    assert [is_signed_in(one) for one in (kim, again, other)] == [False, True, True]
    assert provider._tell(client, provider.logout_token(client, who, None)) == 200
    assert [is_signed_in(one) for one in (again, other)] == [False, True]


WRONG: dict[str, dict[str, Any]] = {
    "of an ID token": {"events": None, "nonce": "n"},
    "with a nonce": {"nonce": "n"},
    "without the event": {"events": {"something-else": {}}},
    "with an event that is no object": {"events": {LOGOUT: 7}},
    "for another client": {"aud": "another"},
    "of another issuer": {"iss": "https://elsewhere.example"},
    "too old": {"iat": int(time.time()) - 700},
    "expired": {"exp": int(time.time()) - 130},
    "without an end": {"exp": None},
    "without an id": {"jti": None},
    "of nobody": {"sub": None},
    "of a number": {"sub": 7},
}


@pytest.mark.parametrize("which", WRONG)
def test_a_logout_token_that_is_wrong_ends_nothing(kim: httpx.Client, provider: Provider, which: str) -> None:
    client, who = provider.clients[CLIENT], provider.accounts["kim"]
    assert provider._tell(client, provider.logout_token(client, who, None, **WRONG[which])) == 400
    assert is_signed_in(kim)


def test_garbage_and_tokens_of_others_end_nothing(base: str, kim: httpx.Client, provider: Provider) -> None:
    address = f"{base}/sign-on/acme/logout"
    client, who = provider.clients[CLIENT], provider.accounts["kim"]
    token = provider.logout_token(client, who, None)
    provider.rotate_keys()
    forged = provider.logout_token(client, who, None)
    provider.keys = []
    for sent in ({}, {"logout_token": ""}, {"logout_token": "x.y.z"}, {"logout_token": forged}):
        answer = httpx.post(address, data=sent)
        assert answer.status_code in (400, 503), answer.text
        assert answer.headers["cache-control"] == "no-store"
    assert httpx.post(f"{base}/sign-on/nobody/logout", data={"logout_token": token}).status_code == 404
    assert httpx.post(address, data={"logout_token": "x" * 33_000}).status_code == 413
    assert is_signed_in(kim)


def test_a_copy_of_a_logout_token_ends_no_later_session(base: str, kim: httpx.Client, provider: Provider) -> None:
    client, who = provider.clients[CLIENT], provider.accounts["kim"]
    token = provider.logout_token(client, who, None, iat=int(time.time()) - 130, exp=int(time.time()) + 60)
    assert provider._tell(client, token) == 200
    assert is_signed_in(kim), "it began after the token was issued"
    run("UPDATE web_session SET began_at = began_at - interval '1 minute'")
    assert provider._tell(client, token) == 200
    assert not is_signed_in(kim)


def test_made_up_key_ids_do_not_make_us_ask_for_keys_each_time(kim: httpx.Client, provider: Provider) -> None:
    client, who = provider.clients[CLIENT], provider.accounts["kim"]
    provider.keys, known = [*provider.keys], provider.signing_key
    before = provider.requests.count("/keys")
    for number in range(10):
        provider.signing_key = type(known).generate_key(2048, {"kid": f"made up {number}"})
        assert provider._tell(client, provider.logout_token(client, who, None)) == 400
    assert provider.requests.count("/keys") - before <= 1
