"""A worker of Oban, whose queue is a table of the same database; and the program that enqueues a reset.

python -m benchmarks.jobs.oban RESET COURSE < users
"""

import asyncio
import sys
from typing import Any

from oban import Oban, worker
from psycopg_pool import AsyncConnectionPool

from benchmarks.jobs.learner import clear_learner_async

_pools: list[AsyncConnectionPool[Any]] = []


@worker(queue="resets")
class ClearUser:
    """Resets one user."""

    async def process(self, job: Any) -> None:
        """Reset the user whom the job names."""
        if not _pools:
            _pools.append(AsyncConnectionPool(kwargs={"autocommit": True}, max_size=10, open=False))
            await _pools[0].open()
        async with _pools[0].connection() as connection:
            await clear_learner_async(connection, **job.args)


async def enqueue(reset_id: str, course_id: int, users: list[int]) -> None:
    """Enqueue one job a user."""
    pool = await Oban.create_pool(dsn="")
    jobs = [ClearUser.new({"reset_id": reset_id, "course_id": course_id, "user_id": user}) for user in users]
    await Oban(pool=pool).enqueue_many(*jobs)
    await pool.close()


if __name__ == "__main__":
    asyncio.run(enqueue(sys.argv[1], int(sys.argv[2]), [int(line) for line in sys.stdin]))
