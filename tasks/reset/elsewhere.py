"""What a reset would remove at its participants: their own counts, beside the preview of ours."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.languages.stored import stored
from models.participant_asks import participants_of
from models.participants import Participant
from models.people import Organization, User
from models.session import in_words, transaction
from models.training import Course, Enrolment
from tasks.outbox.total_time import TookTooLongError, within
from tasks.participants.protocol import Course as CourseAsked
from tasks.participants.protocol import Learner, NotNowError, Question
from tasks.reset.exclusions import to_be_reset
from tasks.reset.impact import in_sample_of, one_in
from tasks.reset.plan import Plan

SECONDS = 6.0  # for a question
MOST_LEARNERS = 1000  # in a question
COUNTS_NOTHING = stored("does not count: it is asked by message")


@dataclass(frozen=True)
class Elsewhere:
    """What a participant says that it would remove."""

    participant: str  # its code
    records: Mapping[str, int] | None  # by its own kinds; none: it did not say, and `why`
    why: str = ""


@dataclass(frozen=True)
class Elsewheres:
    """What all participants say."""

    each: list[Elsewhere]
    about: bool  # whether the figures are estimates, from a sample of the learners


def names_elsewhere(session: Session, plan: Plan) -> list[str]:
    """Returns the codes of the participants that the reset would ask."""
    ids = participants_of(session, plan.organization_id, plan.course_id)
    return list(session.scalars(select(Participant.code).where(Participant.id.in_(ids)).order_by(Participant.code)))


def impact_elsewhere(plan: Plan, *, about: bool = False) -> Elsewheres:
    """Ask the plan's participants, all at once, what they would remove. Changes nothing.

    With `about`, a large audience is estimated from a sample. Call it outside of a transaction: it waits for others.
    """
    with transaction() as session:
        participants = list(
            session.scalars(
                select(Participant)
                .where(Participant.id.in_(participants_of(session, plan.organization_id, plan.course_id)))
                .order_by(Participant.code)
            )
        )
        if not participants:
            return Elsewheres([], about=False)
        learners = session.scalars(select(func.count()).select_from(Enrolment).where(to_be_reset(plan))).one()
        session.expunge_all()
    sampled = one_in(learners) if about else 1
    totals: dict[str, dict[str, int]] = {one.code: {} for one in participants}
    failed: dict[str, str] = {}
    looked_at = 0
    with ThreadPoolExecutor(max_workers=len(participants)) as pool:
        for question in _questions(plan, sampled):
            looked_at += len(question.learners)
            left = [one for one in participants if one.code not in failed]
            for one, said in zip(left, pool.map(lambda one: _ask(one, question), left), strict=True):  # noqa: B023 - used at once
                if isinstance(said, str):
                    failed[one.code] = said
                else:
                    _add(totals[one.code], said)
    scale = learners / looked_at if sampled > 1 and looked_at else 1.0
    each = [
        Elsewhere(code, None, failed[code])
        if code in failed
        else Elsewhere(code, {kind: round(count * scale) for kind, count in sorted(records.items())})
        for code, records in totals.items()
    ]
    return Elsewheres(each, about=sampled > 1)


def _ask(participant: Participant, question: Question) -> Mapping[str, int] | str:
    """Returns the participant's counts, or why there are none."""
    from tasks.participants.ask import CALLERS  # loads Celery and httpx, which most previews do without

    try:
        said = within(SECONDS, lambda: CALLERS[participant.kind].preview(participant, question), "preview elsewhere")
    except (NotNowError, TookTooLongError) as error:
        return str(error)
    except Exception as error:  # of a plug-in
        return in_words(error)
    return COUNTS_NOTHING if said is None else said


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for kind, count in more.items():
        total[kind] = total.get(kind, 0) + count


def _questions(plan: Plan, sampled: int) -> Iterator[Question]:
    """The learners of the plan, some at a time, each read in a transaction of its own."""
    after = 0
    while True:
        with transaction() as session:
            course = session.get_one(Course, plan.course_id)
            organization = session.get_one(Organization, plan.organization_id).slug
            query = (
                select(User.id, User.external_id, User.email, Enrolment.id, Enrolment.registration)
                .join(User, User.id == Enrolment.user_id)
                .where(to_be_reset(plan), Enrolment.id > after)
                .order_by(Enrolment.id)
                .limit(MOST_LEARNERS)
            )
            if sampled > 1:  # the learners that our own preview looks at
                query = query.where(in_sample_of(sampled))
            learners = [Learner(*row) for row in session.execute(query)]
            about = CourseAsked(course.code, course.title, course.external_id)
        if learners:
            after = learners[-1].enrolment
            yield Question(organization, about, learners)
        if len(learners) < MOST_LEARNERS:
            return
