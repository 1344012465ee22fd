"""Announce the result of a reset in the channels of the settings (Slack, Teams and a hundred others)."""

import time
from functools import partial
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy.orm import Session

from config.languages import SOURCE, gettext, speaking
from config.links import managed_course_link, reset_link
from models.announcements import ANNOUNCEMENTS, Announcement, channels
from models.outbox import Item, is_this_try
from models.people import User
from models.resets import Reset
from models.session import transaction
from models.training import Course
from tasks.event_reasons import reason_told
from tasks.outbox.answers import Answer, Never, NotNow, Taken, Unwanted
from tasks.outbox.handler import Handler
from tasks.outbox.total_time import TookTooLongError, within
from tasks.outbox.waits import OVER_A_DAY
from tasks.report import progress_of

SECONDS = 20.0
REST_SECONDS = 60.0  # after a time-out, a channel rests, so that the other channels need not wait for it

_timed_out_at: dict[str, float] = {}


class Announcements(Handler):
    """The outbox of announcements. If a channel does not take one, attempts continue for a day."""

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
            return Unwanted("the settings no longer name this channel")
        if time.monotonic() - _timed_out_at.get(channel, -REST_SECONDS) < REST_SECONDS:
            return NotNow("the channel timed out within the last minute")
        with transaction() as session:
            title, body = _words(session, reset_id)
        try:
            taken = within(SECONDS, partial(_send, address, title, body), "channel")
        except TookTooLongError as error:
            _timed_out_at[channel] = time.monotonic()
            return NotNow(str(error), unsure=True)
        return Taken() if taken else NotNow("the channel did not accept it")

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


def _send(address: str, title: str, body: str) -> bool:
    """Send it to the channel. Returns whether the channel accepted it."""
    import apprise  # takes a third of a second, so only where it is needed

    target = apprise.Apprise()
    return bool(target.add(address)) and bool(target.notify(title=title, body=body))


def _words(session: Session, reset_id: UUID) -> tuple[str, str]:
    """Returns the title and text, in the language of who asked for the reset: totals only, nothing about a single
    learner."""
    reset = session.get_one(Reset, reset_id)
    asker = session.get(User, reset.requested_by) if reset.requested_by else None
    with speaking(asker.locale if asker else SOURCE):
        return _words_about(session, reset, session.get_one(Course, reset.course_id))


def _words_about(session: Session, reset: Reset, course: Course) -> tuple[str, str]:
    state = gettext(reset.state.value.replace("_", " "))
    lines = [
        f"{progress_of(session, reset.id).outcome}.",
        gettext("Reason: {reason}", reason=reason_told(reset.reason)),
        gettext("Reset: {link}", link=reset_link(reset.id)),
        gettext("Course: {link}", link=managed_course_link(course.code, course.external_id)),
    ]
    title = gettext("Reset of {course}: {state}", course=f"{course.title} ({course.code})", state=state)
    return title, "\n".join(lines)
