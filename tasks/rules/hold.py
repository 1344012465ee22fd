"""Put a rule on hold."""

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.log import logger
from models import audit
from models.notifications import Notification, NotificationKind
from models.retraining import Occurrence, OccurrenceState, Rule, RuleState
from tasks.rules.begin import ready

log = logger(__name__)


def wait(session: Session, rule: Rule, why: str, now: datetime) -> None:
    """Have the rule and its due occurrences wait until it is confirmed again, and alert its owner."""
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
