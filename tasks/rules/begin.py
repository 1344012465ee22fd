"""Begin an occurrence of a retraining rule: make a plan now, and request a reset as anyone does."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from config.languages.stored import stored
from config.log import logger
from models.events import Event
from models.exemptions import exempt_at
from models.groups import Group
from models.refusals.resets import AlreadyResetting
from models.resets import Audience
from models.retraining import Occurrence, OccurrenceState, Rule
from models.training import Course, Enrolment
from tasks import event_reasons
from tasks.reset.exclusions import EXEMPT, to_be_reset
from tasks.reset.plan import MOST_NAMED_USERS, Options, Plan, make_plan, signed
from tasks.reset.request import request_reset
from tasks.rules.brakes import acting_owner, check_caps, check_growth, room_today, tomorrow
from tasks.rules.occurrences import aim_of, event_of, skip, still_due

NOBODY = stored("the audience was empty, or all of it exempt")
NO_LONGER_DUE = stored("the course was reset, completed again or unassigned in the meantime")
ELSEWHERE = stored("postponed for a minute: another reset is running for all of these learners")
A_MINUTE = timedelta(minutes=1)
EXEMPT_FOR_NOW = stored("postponed to the next day: the learner is exempt from resets of this course until a date")
DAY_IS_FULL = stored("postponed to the next day: the rule's daily limit was reached")

log = logger(__name__)


def ready(rule: Rule, now: datetime) -> ColumnElement[bool]:
    """The condition that an occurrence of the rule is due to begin."""
    return and_(
        Occurrence.rule_id == rule.id,
        Occurrence.state == OccurrenceState.PLANNED,
        Occurrence.due_at <= now,
        or_(Occurrence.released_at.is_(None), Occurrence.released_at <= now),
    )


def begin_one(session: Session, rule: Rule, occurrence: Occurrence, now: datetime) -> None:
    """Begin an occurrence for a whole audience. Raises `Refused` if a brake holds or the owner lacks a permission."""
    event = event_of(session, occurrence)
    aim = aim_of(session, rule, event)
    check_growth(session, rule)
    this = Occurrence.id == occurrence.id
    if aim.user_ids == []:
        skip(session, rule, NOBODY, this)
        return
    group = session.get_one(Group, aim.group_id).code if aim.group_id is not None else None
    plan = _plan(session, rule, Options(audience=aim.audience, group=group, users=aim.user_ids))
    learners = session.scalars(select(func.count()).select_from(Enrolment).where(to_be_reset(plan))).one()
    check_caps(learners, rule.most_learners, rule.most_a_day)
    if not learners:
        skip(session, rule, NOBODY, this)
        return
    room = room_today(session, rule, now)
    if room is not None and learners > room:
        postpone(session, this, DAY_IS_FULL, tomorrow(rule, now))
        return
    _request(session, rule, plan, reason_of(rule, event), this, learners, now)


def begin_learners(session: Session, rule: Rule, now: datetime) -> None:
    """Begin the due occurrences of a rolling rule, in resets of as many named learners as a plan can hold.

    Raises `Refused` if a brake holds or the owner lacks a permission.
    """
    due_times = session.scalars(select(Occurrence.due_at).where(ready(rule, now)).distinct()).all()
    for due_at in due_times:
        these = and_(ready(rule, now), Occurrence.due_at == due_at)
        gone = ~select(Enrolment).where(Enrolment.id == Occurrence.enrolment_id, still_due(rule, due_at, now)).exists()
        skip(session, rule, NO_LONGER_DUE, these, gone)
        _leave_out_exempt(session, rule, these, now)
        check_caps(session.scalars(select(func.count()).where(these)).one(), rule.most_learners, None)
    if not due_times:
        return
    check_growth(session, rule)
    room = room_today(session, rule, now)
    while room is None or room > 0:
        batch = session.execute(
            select(Occurrence.id, Enrolment.user_id)
            .join(Enrolment, Enrolment.id == Occurrence.enrolment_id)
            .where(ready(rule, now))
            .order_by(Occurrence.due_at, Occurrence.id)
            .limit(MOST_NAMED_USERS if room is None else min(room, MOST_NAMED_USERS))
        ).all()
        if not batch:
            break
        plan = _plan(session, rule, Options(audience=Audience.USERS, users=sorted({user for _, user in batch})))
        _request(session, rule, plan, rule.reason, Occurrence.id.in_([one for one, _ in batch]), 1, now)
        room = None if room is None else room - len(batch)
    postpone(session, ready(rule, now), DAY_IS_FULL, tomorrow(rule, now))


def _leave_out_exempt(session: Session, rule: Rule, which: ColumnElement[bool], now: datetime) -> None:
    """Skip due learners who are exempt for good. Ask again every day for those who are exempt until a date."""

    def theirs(*, dated: bool) -> ColumnElement[bool]:
        return select(Enrolment).where(Enrolment.id == Occurrence.enrolment_id, exempt_at(now, dated=dated)).exists()

    skip(session, rule, EXEMPT, which, theirs(dated=False))
    postpone(session, which & theirs(dated=True), EXEMPT_FOR_NOW, tomorrow(rule, now))


def reason_of(rule: Rule, event: Event | None) -> str:
    """Returns the reason of the reset, for the audit. For an event, it says what happened."""
    return rule.reason if event is None else event_reasons.reason_of(event.kind, event.reason)


def _plan(session: Session, rule: Rule, options: Options) -> Plan:
    """Returns a plan made now by the rule's owner."""
    code = session.get_one(Course, rule.course_id).code
    options |= Options(due_in_days=rule.due_in_days, notify=rule.notify)
    return make_plan(session, acting_owner(session, rule), code, **options)


def _request(
    session: Session,
    rule: Rule,
    plan: Plan,
    reason: str,
    which: ColumnElement[bool],
    learners: int,
    now: datetime,
) -> None:
    """Request a reset for these occurrences, and record it on them. `learners` is the number for each occurrence."""
    actor = acting_owner(session, rule)
    try:
        reset = request_reset(session, actor, plan=signed(plan), confirm=plan.course_code, reason=reason)
    except AlreadyResetting:  # resolves itself, so the rule does not wait to be confirmed
        postpone(session, which, ELSEWHERE, now + A_MINUTE)
        return
    session.execute(
        update(Occurrence)
        .where(which)
        .values(state=OccurrenceState.REQUESTED, reset_id=reset.id, learners=learners, begun_at=now, reason=None)
        .execution_options(synchronize_session=False)
    )
    log.info("occurrence_begun", rule=str(rule.id), reset=str(reset.id))


def postpone(session: Session, which: ColumnElement[bool], reason: str, until: datetime) -> None:
    """Have the occurrences wait until then, with the reason."""
    session.execute(
        update(Occurrence)
        .where(which)
        .values(reason=reason, released_at=until)
        .execution_options(synchronize_session=False)
    )
