"""The web app's health, for whoever starts and balances it."""

import httpx

from tests.scenes import run


def test_it_says_that_it_is_alive_and_ready(served: str) -> None:
    assert httpx.get(f"{served}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{served}/readyz").json() == {"status": "ok", "database": "ok"}


def test_it_is_alive_but_not_ready_while_the_tables_are_not_there(served: str) -> None:
    run("ALTER TABLE reset RENAME TO reset_gone")

    answer = httpx.get(f"{served}/readyz")

    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"
    assert httpx.get(f"{served}/healthz").status_code == 200
