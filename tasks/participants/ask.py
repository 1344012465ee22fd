"""The outbox of requests to participants: participants in parallel, the requests of one in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from config.languages.stored import stored
from config.settings import settings
from models.outbox import Item, is_this_try
from models.participants import (
    REQUESTS,
    Participant,
    ParticipantItem,
    ParticipantKind,
    ParticipantRequest,
)
from models.people import Organization, User
from models.resets import Reset
from models.session import transaction
from models.training import Course, Enrolment
from tasks.outbox.answers import Answer, Never, NotNow, Taken, Unwanted
from tasks.outbox.handler import Handler
from tasks.participants import celery_task, http, plugin
from tasks.participants.callers import Caller, Silent
from tasks.participants.protocol import Course as CourseAsked
from tasks.participants.protocol import Learner, NotNowError, Outcome, Request
from tasks.participants.settle import give_up, not_answered, settle

CALLERS: Mapping[ParticipantKind, Caller] = {
    ParticipantKind.HTTP: http.HttpCaller(),
    ParticipantKind.CELERY: celery_task.CeleryCaller(),
    ParticipantKind.PLUGIN: plugin.PluginCaller(),
}
SECONDS = 60.0  # for a request
WAITS = (2, 5, 10, 20, 40, *(60,) * 5, *(300,) * 6, *(1800,) * 4, *(3600,) * 6, *(7200,) * 8)  # a day
DISABLED = stored("it is disabled: {why}")
REMOVED = stored("the participant was removed")


@dataclass(frozen=True)
class Answered(Taken):
    """The participant answered about its learners."""

    outcomes: Sequence[Outcome]


@dataclass(frozen=True)
class Sent(Taken):
    """The request is on its way; the answer comes as a report, or it is sent again."""

    words: str


class Participants(Handler):
    """The outbox of requests to participants."""

    name = "participant"
    outbox = REQUESTS
    waits = WAITS
    rest_seconds = 5.0
    worn_out = stored("no answer, however often it was asked")

    @classmethod
    def at_once(cls) -> int:
        return settings().participants_at_once

    @classmethod
    def at_once_each(cls) -> int:
        return settings().participants_at_once_each

    @classmethod
    def seconds(cls) -> float:
        return SECONDS + 2

    def attempt(self, item: Item) -> Answer:
        with transaction() as session:
            request = session.get(ParticipantRequest, item.key[0])
            if request is None:
                return Unwanted("the reset was deleted")
            participant = session.get_one(Participant, request.participant_id)
            if participant.removed_at is not None:
                return Never(REMOVED)
            if participant.disabled_at is not None:
                return Never(DISABLED.format(why=participant.disabled_why))
            asked = _asked(session, request)
            session.expunge(participant)
        rest = 1 / float(participant.per_second) if participant.per_second else 0.0
        try:
            answer = CALLERS[participant.kind].clear(participant, asked)
        except NotNowError as error:
            return NotNow(str(error), unsure=error.unsure)
        return Sent(answer.words, rest=rest) if isinstance(answer, Silent) else Answered(answer, rest=rest)

    def settle(self, session: Session, item: Item, answer: Answer) -> None:
        request = session.scalar(select(ParticipantRequest).where(is_this_try(REQUESTS, item)).with_for_update())
        if request is None:
            return
        match answer:
            case Answered(outcomes=outcomes):
                request.outcome = stored("answered")
                settle(session, request, outcomes, whole=True)
            case Sent(words=words):
                not_answered(session, request, words, unsure=True)
            case Never(why):
                give_up(session, request, why)
            case NotNow(why, unsure):
                not_answered(session, request, why, unsure=unsure)


def _asked(session: Session, request: ParticipantRequest) -> Request:
    """Returns the request with all of its learners, also those who have an end: a repeat says the same."""
    reset = session.get_one(Reset, request.reset_id)
    course = session.get_one(Course, reset.course_id)
    item = ParticipantItem
    learners = session.execute(
        select(User.id, User.external_id, User.email, item.enrolment_id, item.old_registration, item.new_registration)
        .join(Enrolment, Enrolment.id == item.enrolment_id)
        .join(User, User.id == Enrolment.user_id)
        .where(item.request_id == request.id)
        .order_by(item.enrolment_id)
    )
    return Request(
        idempotency_key=request.id,
        reset=reset.id,
        organization=session.get_one(Organization, reset.organization_id).slug,
        course=CourseAsked(course.code, course.title, course.external_id),
        learners=[Learner(*row) for row in learners],
    )
