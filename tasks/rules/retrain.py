"""Retrain: begin the due occurrences of retraining rules, each once.

Beat runs it every few seconds. It holds no state: the database has what is due and what was done. The next tick makes
up for a lost one, and a duplicate tick finds the rule locked or nothing left to do.
"""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from config.languages.stored import stored
from config.log import logger
from config.settings import settings
from models.pauses import holds_organization
from models.refusals.base import Refused
from models.resets import SETTLED, Reset
from models.retraining import CatchUp, Occurrence, OccurrenceState, Rule, RuleKind, RuleState
from models.session import changed_rows, in_words, savepoint, transaction
from tasks.alerts.send_pending import send_pending
from tasks.app import app
from tasks.rules.begin import A_MINUTE, begin_learners, begin_one, postpone, ready
from tasks.rules.hold import wait
from tasks.rules.occurrences import next_look, skip, warn, write_occurrences

MOST_AT_ONCE = 100  # rules a tick; the next tick finds the rest
REPLACED = stored("replaced by the later missed run, due {due} UTC")
BACK_OFF = timedelta(minutes=5)  # for a rule that failed, so that it does not hold up the others
PAUSED = stored("postponed: resets are paused")
MISSED = stored("due while no worker was running; this rule skips missed runs")

log = logger(__name__)


@app.task(name="recourse.retrain", send_events=False)  # ticks would bury the resets in Flower
def retrain() -> None:
    """Advance every rule that is due for attention."""
    with transaction() as session:  # whatever the worker's clock says
        now = session.scalars(select(func.clock_timestamp())).one()
    look(now)


def look(now: datetime) -> None:
    """Run one tick. Each rule has its own transaction, so that a failing rule does not stop the others."""
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
            log.exception("rule_failed", rule=str(rule_id), error=in_words(error), remedy="retried in five minutes")
            with transaction() as session:
                session.execute(
                    update(Rule).where(Rule.id == rule_id, Rule.look_at <= now).values(look_at=now + BACK_OFF)
                )
    settle()
    while send_pending(None):
        pass


def advance(rule_id: UUID, now: datetime) -> None:
    """Write the rule's occurrences, warn of upcoming ones, begin due ones, and set when to look at the rule again."""
    with transaction() as session:
        rule = session.scalar(
            select(Rule)
            .where(Rule.id == rule_id, Rule.state == RuleState.ACTIVE, Rule.look_at <= now)
            .with_for_update(key_share=True, skip_locked=True)
        )
        if rule is None:  # another tick holds it, or has advanced it
            return
        write_occurrences(session, rule, now)
        rule.seen_until = max(rule.seen_until, now)
        warn(session, rule, now)
        _skip_missed(session, rule, now)
        _begin(session, rule, now)
        if rule.state == RuleState.ACTIVE:
            rule.look_at = next_look(session, rule, now)
            if rule.look_at is None and rule.kind != RuleKind.EVENT:
                rule.move_to(RuleState.ENDED)


def _skip_missed(session: Session, rule: Rule, now: datetime) -> None:
    if rule.catch_up == CatchUp.SKIP:
        since = now - timedelta(seconds=settings().retrain_late_after_seconds)
        # Occurrences that a brake postponed were not missed.
        missed = Occurrence.released_at.is_(None) & (Occurrence.due_at < since)
        skip(session, rule, MISSED, Occurrence.state == OccurrenceState.PLANNED, missed)


def _begin(session: Session, rule: Rule, now: datetime) -> None:
    """Begin the due occurrences. On a refusal or a brake, begin none and have the rule wait.

    While the organization or everything is paused, they are postponed, minute by minute, and not missed.
    """
    if session.scalars(select(holds_organization(rule.organization_id))).one():
        postpone(session, ready(rule, now), PAUSED, now + A_MINUTE)
        return
    try:
        with savepoint(session):
            if rule.kind == RuleKind.ROLLING:
                begin_learners(session, rule, now)
                return
            due = list(session.scalars(select(Occurrence).where(ready(rule, now)).order_by(Occurrence.due_at)))
            if rule.kind != RuleKind.EVENT and len(due) > 1:
                *earlier, latest = due
                replaced = REPLACED.format(due=f"{latest.due_at:%Y-%m-%d %H:%M}")
                skip(session, rule, replaced, Occurrence.id.in_([one.id for one in earlier]))
                due = [latest]
            for occurrence in due:
                begin_one(session, rule, occurrence, now)
    except Refused as refusal:
        wait(session, rule, str(refusal), now)


def settle() -> None:
    """Settle the occurrences whose reset is settled."""
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
