"""The web app's health, for process managers and load balancers."""

import httpx

from tests.scenes import run


def test_the_web_app_is_alive_and_ready(served: str) -> None:
    assert httpx.get(f"{served}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{served}/readyz").json() == {"status": "ok", "database": "ok"}


def test_without_its_tables_the_web_app_is_alive_but_not_ready(served: str) -> None:
    run("ALTER TABLE reset RENAME TO reset_gone")

    answer = httpx.get(f"{served}/readyz")

    assert answer.status_code == 503
    assert answer.json()["status"] == "unavailable"
    assert httpx.get(f"{served}/healthz").status_code == 200
