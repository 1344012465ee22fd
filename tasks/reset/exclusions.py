"""Who of an audience a reset leaves out: shown before as excluded, and afterwards as skipped, with the reason.

The rule stands here alone, for previews, resets and rules. Nobody who was shown as left out is reset, even if their
exemption ends before the reset begins; and nobody who is exempt when it begins is reset, even if the plan was earlier.
"""

from datetime import timedelta

from sqlalchemy import ColumnElement, String, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session

from config.languages import SOURCE, ngettext, speaking
from config.languages.stored import stored
from models.exemptions import Exemption, exempt_at
from models.open_learners import open_learners_in
from models.training import Enrolment, EnrolmentState
from tasks.reset.audience import ELSEWHERE, Asked, in_audience

EXEMPT = stored("the learner is exempt from resets of this course")


def completed_lately_words(days: int) -> str:
    """Returns the reason for leaving out who completed the course within so many days before the preview, as kept."""
    with speaking(SOURCE):
        return completed_lately_in_words(days)


def completed_lately_in_words(days: int) -> str:
    """Returns the same in the language spoken."""
    return ngettext(
        "completed within {count:,} day before the preview", "completed within {count:,} days before the preview", days
    )


def to_be_reset(asked: Asked) -> ColumnElement[bool]:
    """Returns the condition that an enrolment is in the audience and is not left out."""
    # One by one, each an anti-join of its own: of an OR, PostgreSQL would look at every learner by itself.
    return and_(in_audience(asked), *(~reason for _, reason in _reasons(asked)))


def left_out(asked: Asked) -> ColumnElement[bool]:
    """Returns the condition that an enrolment is in the audience and is left out."""
    return and_(in_audience(asked), or_(*(reason for _, reason in _reasons(asked))))


def why_left_out(asked: Asked) -> ColumnElement[str]:
    """Returns the reason for leaving out an enrolment that `left_out` selects."""
    return case(*((condition, literal(words, String)) for words, condition in _reasons(asked)), else_="")


def leaves_anyone_out(session: Session, asked: Asked) -> bool:
    """Returns whether anyone may be left out; as a rule nobody, and then no learner has to be looked at."""
    if asked.skip_completed_days is not None:
        return True
    return session.scalars(select(select(Exemption).where(Exemption.course_id == asked.course_id).exists())).one()


def excluded(session: Session, asked: Asked) -> dict[str, int]:
    """Count the learners of the audience who would not be reset, by the reason."""
    counts: dict[str, int] = {}
    if leaves_anyone_out(session, asked):
        why = select(why_left_out(asked).label("why")).where(left_out(asked)).subquery()
        rows = session.execute(select(why.c.why, func.count()).group_by(why.c.why).order_by(why.c.why))
        counts = {reason: count for reason, count in rows}  # noqa: C416 - a row
    elsewhere = session.scalars(
        select(func.count())
        .select_from(Enrolment)
        .where(to_be_reset(asked), Enrolment.id.in_(open_learners_in(asked.course_id)))
    ).one()
    return counts | ({ELSEWHERE: elsewhere} if elsewhere else {})


def all_elsewhere(session: Session, asked: Asked) -> bool:
    """Returns whether another running reset has still to reset each learner of a non-empty audience."""
    open_elsewhere = open_learners_in(asked.course_id)
    if not session.scalars(select(open_elsewhere.exists())).one():  # as a rule; then nobody has to be looked at
        return False
    anyone = select(Enrolment.id).where(to_be_reset(asked))
    others = anyone.where(Enrolment.id.not_in(open_elsewhere))
    return session.scalars(select(anyone.exists() & ~others.exists())).one()


def _reasons(asked: Asked) -> list[tuple[str, ColumnElement[bool]]]:
    reasons: list[tuple[str, ColumnElement[bool]]] = [(EXEMPT, exempt_at(asked.planned_at, func.now()))]
    if (days := asked.skip_completed_days) is not None:
        since = asked.planned_at - timedelta(days=days)
        lately = and_(Enrolment.state == EnrolmentState.COMPLETED, Enrolment.completed_at > since)
        reasons.append((completed_lately_words(days), lately))
    return reasons
