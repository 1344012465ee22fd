"""The check, at confirmation, that the preview still holds: no one confirms what they have not seen."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.languages import SOURCE, gettext, language_spoken, translatable
from models.records import Certificate, Completion, kind_labels
from models.refusals.resets import PlanOutdated
from models.training import Enrolment, EnrolmentState
from tasks.reset.audience import completion_seen_by, seen_by
from tasks.reset.exclusions import to_be_reset
from tasks.reset.impact import figures, told
from tasks.reset.plan import Plan, Shown

GROWTH = 1.1  # what has grown by no more is still what was shown
FINAL = (Completion.kind(), Certificate.kind())  # of what a learner has finished, not one more


def check_as_shown(session: Session, plan: Plan) -> None:
    """Raise `PlanOutdated` if the plan would now do more than its preview showed, or if its learners were reset since.

    A plan of which nobody was shown anything is held to nothing.
    """
    if plan.shown is None:
        return
    now = figures(session, plan, sampled=plan.shown.sampled)  # the same learners of a large course are looked at
    if changes := list(_changes(session, plan, plan.shown, now)):
        raise PlanOutdated(changes, learners=now.learners, removed=told(now), alerts=now.alerts, about=now.sampled > 1)


def _changes(session: Session, plan: Plan, before: Shown, now: Shown) -> Iterator[str]:
    if _reset_since(session, plan):
        yield gettext("another reset of these learners ran")
    if now.to_reset > before.to_reset * GROWTH:
        yield gettext("learners: {now:,} instead of {before:,}", now=now.to_reset, before=before.to_reset)
    shown, labels = told(before), kind_labels()
    for kind, count in told(now).items():
        most = 0 if kind in FINAL else before.removed[kind] * GROWTH
        if now.removed[kind] > max(most, before.removed[kind]):
            what = gettext(labels[kind])
            what = what.lower() if language_spoken() == SOURCE else what
            instead = shown[kind] or translatable("none")
            yield gettext("{what}: {now:,} instead of {before}", what=what, now=count, before=instead)
    grown = now.removed[Completion.kind()] > before.removed[Completion.kind()]
    if not grown and (came := _completed_since(session, plan)):  # beside the sample, or in place of one that went
        yield gettext("completions that were not shown: {count:,}", count=came)
    if now.alerts and not before.alerts:
        yield gettext("alerts: {now:,} instead of none", now=now.alerts)


def _completed_since(session: Session, plan: Plan) -> int:
    """Count the learners who completed the course after the plan, even if the course is too large to count all."""
    since = to_be_reset(plan) & (Enrolment.state == EnrolmentState.COMPLETED) & ~completion_seen_by(plan)
    return session.scalars(select(func.count()).select_from(Enrolment).where(since)).one()


def _reset_since(session: Session, plan: Plan) -> bool:
    """Returns whether a learner of the audience got a new registration after the plan."""
    renewed = select(Enrolment).where(to_be_reset(plan), ~seen_by(plan.snapshot, Enrolment.registered_xid))
    return session.scalars(select(renewed.exists())).one()
