"""Tell the channels of the settings (Slack, Teams and a hundred others) what came of a reset."""

import time
from functools import partial
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy.orm import Session

from config.links import reset_link
from models.announcements import ANNOUNCEMENTS, Announcement, channels
from models.outbox import Item, is_this_try
from models.resets import Reset
from models.session import transaction
from models.training import Course
from tasks.outbox.answers import Answer, Never, NotNow, Taken, Unwanted
from tasks.outbox.hands import Hands
from tasks.outbox.total_time import TookTooLongError, within
from tasks.outbox.waits import OVER_A_DAY
from tasks.report import progress_of

SECONDS = 20.0
LEFT_ALONE = 60.0  # seconds that a channel is not asked after it did not answer: the others need not wait for it

_hung_at: dict[str, float] = {}


class Announcements(Hands):
    """The outbox of announcements. A channel that does not take one is tried again for a day."""

    name = "announcement"
    outbox = ANNOUNCEMENTS
    waits = OVER_A_DAY

    @classmethod
    def seconds(cls) -> float:
        return SECONDS + 5

    def attempt(self, item: Item) -> Answer:
        reset_id, channel = item.key
        address = channels().get(channel)
        if address is None:
            return Unwanted("the settings do not name this channel any more")
        if time.monotonic() - _hung_at.get(channel, -LEFT_ALONE) < LEFT_ALONE:
            return NotNow("the channel did not answer a minute ago")
        with transaction() as session:
            title, body = _words(session, reset_id)
        try:
            taken = within(SECONDS, partial(tell, address, title, body), "channel")
        except TookTooLongError as error:
            _hung_at[channel] = time.monotonic()
            return NotNow(f"no answer: {error}", unsure=True)
        return Taken() if taken else NotNow("the channel did not take it")

    def settle(self, session: Session, item: Item, answer: Answer) -> None:
        mine = is_this_try(ANNOUNCEMENTS, item)
        unset = {"synchronize_session": False}
        match answer:
            case Taken() | Unwanted():
                session.execute(delete(Announcement).where(mine), execution_options=unset)
            case Never(why):
                given_up = {"given_up_at": func.now(), "error": why}
                session.execute(update(Announcement).where(mine).values(given_up), execution_options=unset)
            case NotNow(why):
                session.execute(update(Announcement).where(mine).values(error=why), execution_options=unset)


def tell(address: str, title: str, body: str) -> bool:
    """Send it to the channel. Gives whether it was taken."""
    import apprise  # takes a third of a second, which no other task has use for

    target = apprise.Apprise()
    return bool(target.add(address)) and bool(target.notify(title=title, body=body))


def _words(session: Session, reset_id: UUID) -> tuple[str, str]:
    """What came of the reset, and nothing of any one learner."""
    reset = session.get_one(Reset, reset_id)
    course = session.get_one(Course, reset.course_id)
    state = reset.state.value.replace("_", " ")
    body = f"{progress_of(session, reset_id).outcome}.\nReason: {reset.reason}\n{reset_link(reset_id)}"
    return f"Reset of {course.title} ({course.code}): {state}", body
