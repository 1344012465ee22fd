"""Tell the channels of the settings (Slack, Teams and a hundred others) what came of a reset."""

from uuid import UUID

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from models.announcements import Announcement, channels
from models.resets import Reset
from models.session import transaction
from models.training import Course
from tasks.app import app
from tasks.links import reset_link
from tasks.messages import ANNOUNCE
from tasks.report import progress_of
from tasks.waits import OVER_A_DAY, next_try

log = structlog.get_logger(__name__)


@app.task(name=ANNOUNCE)
def announce() -> None:
    """Send the announcements that are due. A channel that does not take one is tried again for a day."""
    while taken := take_next():
        reset_id, channel, attempt, words = taken
        if words is None or tell(channel, *words):
            _forget(reset_id, channel)
        elif attempt > len(OVER_A_DAY):
            log.error("announcement_given_up", reset=str(reset_id), channel=channel, attempts=attempt)
            _forget(reset_id, channel)
        else:
            log.warning("announcement_refused", reset=str(reset_id), channel=channel, attempt=attempt)


def take_next() -> tuple[UUID, str, int, tuple[str, str] | None] | None:
    """The next that is due: reset, channel, the number of the try, and title and text; no text if the channel is not in
    the settings any more. None if nothing is due."""
    with transaction() as session:
        due = session.scalar(
            select(Announcement)
            .where(Announcement.next_try_at <= func.now())
            .order_by(Announcement.next_try_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if due is None:
            return None
        attempt = due.attempts + 1
        mine = (Announcement.reset_id == due.reset_id) & (Announcement.channel == due.channel)
        again = {"attempts": attempt, "next_try_at": next_try(OVER_A_DAY, attempt)}
        session.execute(update(Announcement).where(mine).values(**again).execution_options(synchronize_session=False))
        words = _words(session, due.reset_id) if due.channel in channels() else None
        return due.reset_id, due.channel, attempt, words


def tell(channel: str, title: str, body: str) -> bool:
    """Send it there. Gives whether it was taken."""
    import apprise  # takes a third of a second, which no other task has use for

    target = apprise.Apprise()
    return bool(target.add(channels()[channel])) and bool(target.notify(title=title, body=body))


def _words(session: Session, reset_id: UUID) -> tuple[str, str]:
    """What came of the reset, and nothing of any one learner."""
    reset = session.get_one(Reset, reset_id)
    course = session.get_one(Course, reset.course_id)
    state = reset.state.value.replace("_", " ")
    body = f"{progress_of(session, reset_id).outcome}.\nReason: {reset.reason}\n{reset_link(reset_id)}"
    return f"Reset of {course.title} ({course.code}): {state}", body


def _forget(reset_id: UUID, channel: str) -> None:
    with transaction() as session:
        mine = (Announcement.reset_id == reset_id) & (Announcement.channel == channel)
        session.execute(delete(Announcement).where(mine))
