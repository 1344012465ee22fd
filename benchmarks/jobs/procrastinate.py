"""A task of Procrastinate, whose queue is a table of the same database."""

from typing import Any

from procrastinate import App, PsycopgConnector
from psycopg_pool import AsyncConnectionPool

from benchmarks.jobs.learner import clear_learner_async

app = App(connector=PsycopgConnector())  # the database is that of libpq's variables
_pools: list[AsyncConnectionPool[Any]] = []


@app.task(name="clear_user")
async def clear_user(reset_id: str, course_id: int, user_id: int) -> None:
    """Reset one user."""
    if not _pools:
        _pools.append(AsyncConnectionPool(kwargs={"autocommit": True}, max_size=10, open=False))
        await _pools[0].open()
    async with _pools[0].connection() as connection:
        await clear_learner_async(connection, reset_id, course_id, user_id)
