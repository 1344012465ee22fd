"""Enqueue a reset in Oban, one job a user: `python -m benchmarks.jobs.oban_enqueue DSN RESET COURSE < users`."""

import asyncio
import sys

from oban import Oban

from benchmarks.jobs.oban import clear_user


async def enqueue(dsn: str, reset_id: str, course_id: int, users: list[int]) -> None:
    """Insert the jobs by one statement."""
    pool = await Oban.create_pool(dsn=dsn)
    await Oban(pool=pool).enqueue_many([clear_user.new(reset_id, course_id, user) for user in users])
    await pool.close()


if __name__ == "__main__":
    asyncio.run(enqueue(sys.argv[1], sys.argv[2], int(sys.argv[3]), [int(line) for line in sys.stdin]))
