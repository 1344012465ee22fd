"""A Celery chord: one task a user, and a callback when all have ended."""

from celery import Celery

from benchmarks.jobs.learner import clear_learner, own_connection
from config.settings import settings

app = Celery("chord", set_as_current=False)
# Its tasks are not shared: otherwise, they would also become tasks of Recourse, in a process that has both.
app.add_defaults(lambda: {"broker_url": settings().broker_url, "result_backend": settings().broker_url})


@app.task(name="chord.clear_user", shared=False)
def clear_user(reset_id: str, course_id: int, user_id: int) -> None:
    """Reset one user."""
    clear_learner(own_connection(), reset_id, course_id, user_id)


@app.task(name="chord.finish", shared=False)
def finish(_results: list[None], reset_id: str) -> None:
    """Settle the reset: all users are reset."""
    settle = "UPDATE reset SET state = 'succeeded', finished_at = clock_timestamp() WHERE id = %s"
    own_connection().execute(settle, [reset_id])
