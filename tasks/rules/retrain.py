"""Retrain: begin what is due by the retraining rules, each occurrence once.

Runs every few seconds by beat, and holds no state: what is due, and what was done about it, is in the database. A tick
that is lost is made up for by the next one, and a doubled one finds the rule taken or nothing left to do.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.settings import settings
from models import audit
from models.notifications import Notification, NotificationKind
from models.refusals.base import Refused
from models.resets import SETTLED, Reset
from models.retraining import CatchUp, Occurrence, OccurrenceState, Rule, RuleKind, RuleState
from models.session import changed_rows, in_words, savepoint, transaction
from tasks.alerts.notify import send_batch
from tasks.app import app
from tasks.rules.begin import begin_learners, begin_one, ready
from tasks.rules.occurrences import next_look, skip, warn, write_occurrences

MOST_AT_ONCE = 100  # rules a tick; the rest are found by the next
BACK_OFF = timedelta(minutes=5)  # of a rule whose turn failed: it must not keep the others from theirs
MISSED = "it was due while nothing ran, and the rule skips what it missed"

log = structlog.get_logger(__name__)


@app.task(name="recourse.retrain", send_events=False)  # ticks would bury the jobs in Flower
def retrain() -> None:
    """Look at every rule whose time has come."""
    look(datetime.now(UTC))


def look(now: datetime) -> None:
    """The tick, at this moment: each rule in a transaction of its own, so that none stands in another's way."""
    with transaction() as session:
        due = session.scalars(
            select(Rule.id)
            .where(Rule.state == RuleState.ACTIVE, Rule.look_at <= now)
            .order_by(Rule.look_at)
            .limit(MOST_AT_ONCE)
        ).all()
    for rule_id in due:
        try:
            advance(rule_id, now)
        except Exception as error:
            log.exception("rule_failed", rule=str(rule_id), error=in_words(error), remedy="tried again in five minutes")
            with transaction() as session:
                session.execute(
                    update(Rule).where(Rule.id == rule_id, Rule.look_at <= now).values(look_at=now + BACK_OFF)
                )
    settle()
    while send_batch(None):
        pass


def advance(rule_id: UUID, now: datetime) -> None:
    """Write the rule's occurrences, warn of those ahead, begin those that are due, and note when to look again."""
    with transaction() as session:
        rule = session.scalar(
            select(Rule)
            .where(Rule.id == rule_id, Rule.state == RuleState.ACTIVE, Rule.look_at <= now)
            .with_for_update(key_share=True, skip_locked=True)
        )
        if rule is None:  # another tick has it, or had it
            return
        write_occurrences(session, rule, now)
        rule.seen_until = max(rule.seen_until, now)
        warn(session, rule, now)
        _leave_out_missed(session, rule, now)
        _begin(session, rule, now)
        if rule.state == RuleState.ACTIVE:
            rule.look_at = next_look(session, rule, now)
            if rule.look_at is None and rule.kind != RuleKind.EVENT:
                rule.move_to(RuleState.ENDED)


def _leave_out_missed(session: Session, rule: Rule, now: datetime) -> None:
    if rule.catch_up == CatchUp.SKIP:
        since = now - timedelta(seconds=settings().retrain_late_after_seconds)
        # What a brake put off was seen in time.
        missed = Occurrence.released_at.is_(None) & (Occurrence.due_at < since)
        skip(session, rule, MISSED, Occurrence.state == OccurrenceState.PLANNED, missed)


def _begin(session: Session, rule: Rule, now: datetime) -> None:
    """Begin what is due; where a refusal or a brake says no, nothing of it happens and the rule waits."""
    try:
        with savepoint(session):
            if rule.kind == RuleKind.ROLLING:
                begin_learners(session, rule, now)
                return
            due = list(session.scalars(select(Occurrence).where(ready(rule, now)).order_by(Occurrence.due_at)))
            if rule.kind != RuleKind.EVENT and len(due) > 1:
                *earlier, latest = due
                made_up_for = f"made up for by the one due at {latest.due_at:%Y-%m-%d %H:%M} UTC"
                skip(session, rule, made_up_for, Occurrence.id.in_([one.id for one in earlier]))
                due = [latest]
            for occurrence in due:
                begin_one(session, rule, occurrence, now)
    except Refused as refusal:
        wait(session, rule, str(refusal), now)


def wait(session: Session, rule: Rule, why: str, now: datetime) -> None:
    """Have the rule wait for a new confirmation, with what is due, and tell its owner."""
    rule.waits_for = why
    rule.move_to(RuleState.WAITING)
    session.flush()
    first = session.scalar(select(func.min(Occurrence.id)).where(ready(rule, now)))
    session.execute(
        update(Occurrence)
        .where(ready(rule, now))
        .values(state=OccurrenceState.WAITING, reason=why)
        .execution_options(synchronize_session=False)
    )
    if rule.owner_id is not None:
        session.execute(
            insert(Notification)
            .values(
                occurrence_id=first, user_id=rule.owner_id, course_id=rule.course_id, kind=NotificationKind.RULE_WAITS
            )
            .on_conflict_do_nothing()
        )
    audit.record(session, f"rule:{rule.id}", "rule.waits", rule.id, rule.organization_id, why=why)
    log.warning("rule_waits", rule=str(rule.id), why=why)


def settle() -> None:
    """Settle the occurrences whose reset is."""
    with transaction() as session:
        settled = changed_rows(
            session,
            update(Occurrence)
            .where(
                Occurrence.state == OccurrenceState.REQUESTED,
                Occurrence.reset_id == Reset.id,
                Reset.state.in_(SETTLED),
            )
            .values(state=OccurrenceState.SETTLED),
        )
    if settled:
        log.info("occurrences_settled", occurrences=settled)
