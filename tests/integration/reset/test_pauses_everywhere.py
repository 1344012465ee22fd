"""Pauses from the command line and by the API, with real workers."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import pytest

from models.access import Permission
from tests.databases import recourse_on
from tests.scenes import OTHER_COURSE, ask, make_scene, rows, state_of
from tests.web import client_of, make_user, token_for
from tests.workers import Worker, until

WHY = "the figures look wrong"
SCOPES = ("everything", "organization", "reset")
Way = Callable[[str, str, UUID], None]


@pytest.fixture
def by_command(database: str) -> Way:
    def do(deed: str, scope: str, reset: UUID) -> None:
        what = {"reset": [str(reset)], "organization": ["--organization", "acme"], "everything": ["--everything"]}
        done = recourse_on(database, deed, *what[scope], *(["--reason", WHY] if deed == "pause" else []))
        assert done.returncode == 0, done.stderr

    return do


@pytest.fixture
def by_api(served: str) -> Way:
    def do(deed: str, scope: str, reset: UUID) -> None:
        operator = ask("SELECT id FROM \"user\" WHERE email = 'olga@acme.example'")
        at = {"reset": f"/v1/resets/{reset}", "organization": "/v1/organization", "everything": "/v1/installation"}
        with client_of(served, token_for(operator)) as api:
            done = api.post(f"{at[scope]}:{deed}", json={"reason": WHY} if deed == "pause" else None)
            assert done.is_success, done.text

    return do


def ticks(count: int) -> None:
    """Wait until the workers have looked for what is due so many times."""

    def last() -> datetime | None:
        found: datetime | None = ask("SELECT max(at) FROM heartbeat WHERE part = 'recover'")
        return found

    for _ in range(count):
        before = last()
        until(lambda before=before: last() != before)  # type: ignore[misc]


def test_each_kind_of_pause_by_command_and_api_holds_through_a_restart(
    by_command: Way, by_api: Way, start_worker: Callable[..., Worker]
) -> None:
    # Given two organizations, and someone who may run the installation
    acme, globex = make_scene(learners=3), make_scene("globex", learners=3)
    make_user(acme.organization.id, "olga@acme.example", *Permission)
    worker = None
    for pauses, resumes in ((by_command, by_api), (by_api, by_command)):
        # When everything, an organization and one of its resets are paused, and a worker starts, or again after a crash
        pauses("pause", "everything", UUID(int=0))
        one, another, elsewhere = acme.request(), acme.request(course=OTHER_COURSE), globex.request()
        pauses("pause", "organization", one)
        pauses("pause", "reset", one)
        assert [len(row) for row in rows("SELECT id FROM pause")] == [1, 1, 1]
        if worker is not None:
            worker.kill()
        worker = start_worker()
        # Then no reset begins, and each begins when what holds it is resumed
        held = [elsewhere, another, one]
        ticks(3)
        for free, scope in enumerate(SCOPES):
            assert [state_of(reset) for reset in held[free:]] == ["requested"] * (3 - free)
            resumes("resume", scope, one)
            until(lambda freed=held[free]: state_of(freed) == "succeeded")  # type: ignore[misc]
        assert ask("SELECT count(*) FROM pause") == 0
    said = rows("SELECT action, count(*) FROM audit WHERE action ~ '(paused|resumed)$' GROUP BY action ORDER BY action")
    both = {"installation": 4, "organization": 2, "reset": 2}  # the first is in the audit of each organization
    assert dict(said) == {f"{what}.{deed}": times for what, times in both.items() for deed in ("paused", "resumed")}
