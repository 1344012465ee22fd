"""The impact of a plan: what the reset would remove, and how many learners it would alert. Changes nothing."""

from dataclasses import dataclass, replace
from typing import Unpack

from sqlalchemy import ColumnElement, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from models.access import Actor
from models.people import User
from models.preferences import wants_alert
from models.records import Completion, LearnerRecord, record_kinds
from models.training import Enrolment, EnrolmentState
from tasks.reset.audience import in_audience
from tasks.reset.exclusions import excluded, leaves_anyone_out, left_out, to_be_reset
from tasks.reset.plan import Options, Plan, Shown, make_plan, signed

COUNTED_EXACTLY = 5_000  # learners; above that, estimates are from a sample of about `SAMPLED`
SAMPLED = 1_000
NAMES_SHOWN = 5


@dataclass(frozen=True)
class Preview:
    """A plan and its impact now."""

    plan: Plan
    learners: int
    removed: dict[str, int]  # rows by record kind
    alerts: int
    excluded: dict[str, int]  # learners of the audience who would be left out, by the reason
    sample: list[str]  # names of a few learners
    about: bool  # whether `removed` and `alerts` are estimates

    @property
    def to_reset(self) -> int:
        """How many learners would be reset, including those with nothing to remove."""
        return self.learners - sum(self.excluded.values())

    @property
    def completions(self) -> int:
        """How many completions would be removed."""
        return self.removed[Completion.kind()]

    @property
    def token(self) -> str:
        """The plan and its preview, signed."""
        return signed(self.plan)


def preview(
    session: Session, actor: Actor, course_code: str, *, about: bool = False, **options: Unpack[Options]
) -> Preview:
    """Plan a reset and count its impact. Changes nothing.

    It counts every record of the audience, which takes seconds for a million learners. With `about`, records and alerts
    of a large audience are estimated from a sample of it instead. Who has no use for the figures calls `make_plan`,
    which takes the same arguments and raises the same.
    """
    return impact(session, make_plan(session, actor, course_code, **options), about=about)


def impact(session: Session, plan: Plan, *, about: bool = False) -> Preview:
    """Returns the preview of the plan; see `preview`."""
    shown = figures(session, plan, about=about)
    return Preview(
        replace(plan, shown=shown),
        learners=shown.learners,
        removed=told(shown),
        alerts=shown.alerts if shown.sampled == 1 else _rounded(shown.alerts),
        excluded=excluded(session, plan),
        sample=_some_names(session, plan),
        about=shown.sampled > 1,
    )


def figures(session: Session, plan: Plan, *, about: bool = False, sampled: int | None = None) -> Shown:
    """Count the plan's impact now; with `sampled`, from one in that many learners."""
    learners = _count(session, in_audience(plan))
    skipped = _count(session, left_out(plan)) if leaves_anyone_out(session, plan) else 0
    if sampled is None:
        sampled = one_in(learners - skipped) if about else 1
    concerned = to_be_reset(plan)
    counted = concerned & in_sample_of(sampled) if sampled > 1 else concerned
    looked_at = select(Enrolment.id, Enrolment.registration, Enrolment.state, Enrolment.user_id).where(counted)
    # Sampled once. But of all learners, each count reads for itself: so PostgreSQL counts with all of its cores.
    in_sample = looked_at.cte("in_sample") if sampled > 1 else looked_at.subquery("in_sample")
    kinds = record_kinds()
    records = {
        kind.kind(): select(func.count())
        .select_from(kind)
        .join(in_sample, in_sample.c.registration == kind.registration)
        .scalar_subquery()
        for kind in kinds
    }
    alerts = (
        select(func.count())
        .select_from(in_sample)
        .join(User, User.id == in_sample.c.user_id)
        .where(wants_alert(literal(plan.course_id)))
    )
    # In two parts, since PostgreSQL would look up the records of all learners one by one, on one core.
    has_begun = in_sample.c.state != EnrolmentState.ASSIGNED
    has_records = or_(*(exists().where(kind.registration == in_sample.c.registration) for kind in kinds))
    alerted = alerts.where(has_begun).scalar_subquery() + alerts.where(~has_begun, has_records).scalar_subquery()
    size = select(func.count()).select_from(in_sample).scalar_subquery()
    sample_size, alerts_counted, *rows = session.execute(select(size, alerted, *records.values())).one()
    scale = (learners - skipped) / sample_size if sampled > 1 and sample_size else 1
    removed = {kind: round(count * scale) for kind, count in zip(records, rows, strict=True)}
    if sampled > 1:  # a sample that holds none of a kind does not tell that there are none
        removed |= _few(session, plan, [kind for kind in kinds if not removed[kind.kind()]])
    return Shown(learners, removed, round(alerts_counted * scale) if plan.notify else 0, sampled, skipped)


def _count(session: Session, which: ColumnElement[bool]) -> int:
    return session.scalars(select(func.count()).select_from(Enrolment).where(which)).one()


def one_in(learners: int) -> int:
    """Returns in how many learners of an audience one is looked at for an estimate; 1: all of them."""
    return max(1, learners // SAMPLED) if learners > COUNTED_EXACTLY else 1


def in_sample_of(sampled: int) -> ColumnElement[bool]:
    """Returns the condition that an enrolment is the one in `sampled` that is looked at.

    By a hash of the id, since the ids of a course may follow a pattern.
    """
    return func.abs(func.hashint8(Enrolment.id)) % sampled == 0


def _few(session: Session, plan: Plan, kinds: list[type[LearnerRecord]]) -> dict[str, int]:
    """Count the records of these kinds exactly."""
    few = {
        kind.kind(): select(func.count())
        .select_from(kind)
        .join(Enrolment, Enrolment.registration == kind.registration)
        .where(to_be_reset(plan))
        .scalar_subquery()
        for kind in kinds
    }
    return dict(zip(few, session.execute(select(*few.values())).one(), strict=True)) if few else {}


def told(shown: Shown) -> dict[str, int]:
    """Returns the rows of each record kind, rounded if they are estimates."""
    return {kind: count if shown.sampled == 1 else _rounded(count) for kind, count in shown.removed.items()}


def _rounded(estimate: int) -> int:
    """Round to two digits: a sample does not justify more."""
    return round(estimate, 2 - len(str(estimate)))


def _some_names(session: Session, plan: Plan) -> list[str]:
    """Returns a few names, by which people recognize the right course."""
    first = select(Enrolment.user_id).where(to_be_reset(plan)).limit(NAMES_SHOWN).subquery()
    return list(session.scalars(select(User.name).join(first, first.c.user_id == User.id).order_by(User.name)))
