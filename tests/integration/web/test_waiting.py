"""What waits for somebody keeps no page from anybody else."""

from collections.abc import Callable
from threading import Event

import anyio
import psycopg
import pytest

from models.refusals.requests import TooManyWaiting
from tests.scenes import make_scene
from tests.web import visitor


def test_an_organization_whose_servers_are_slow_leaves_room_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from web import waiting  # imports tasks, which no test module may

    monkeypatch.setattr(waiting, "PATIENCE", 0.1)
    turns = waiting.Turns(at_once=4, each=1)
    answers = Event()

    async def ask(organization: int, work: Callable[[], object]) -> object:
        return await turns.run(organization, work, TooManyWaiting())

    async def everyone() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, 1, lambda: answers.wait(30))
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(TooManyWaiting):
                await ask(1, lambda: None)
            assert await ask(2, lambda: "an answer") == "an answer"
            answers.set()
        assert await ask(1, lambda: "an answer") == "an answer"

    anyio.run(everyone)


def test_a_table_that_only_the_banner_needs_keeps_nobody_from_a_page(database: str, served: str) -> None:
    scene = make_scene(learners=1)
    with psycopg.connect(database) as connection, visitor(served, scene.admin.user_id) as browser:
        connection.execute("LOCK TABLE webhook_delivery IN ACCESS EXCLUSIVE MODE")
        assert browser.get("/training/content/courses").status_code == 200
        connection.rollback()
