"""Tidy: delete what has served its time: sessions that are over, failed sign-ins, answers kept for a
repeat, webhook messages."""

from models.idempotency import forget_old_answers
from models.session import transaction
from models.sign_in import forget_what_is_over
from models.webhooks import forget_old_messages
from tasks.app import app


@app.task(name="recourse.tidy", send_events=False)
def tidy() -> None:
    """Delete it. Runs every hour by beat; nothing that is read depends on it."""
    with transaction() as session:
        forget_what_is_over(session)
        forget_old_answers(session)
        forget_old_messages(session)
