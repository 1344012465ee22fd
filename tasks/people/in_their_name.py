"""What runs in a user's name, and stops with them."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.languages.stored import stored
from models.access import MANAGEMENT, Actor
from models.events import EventSource
from models.people import User
from models.retraining import Rule, RuleState
from tasks.rules.event_sources import close_source
from tasks.rules.hold import wait

WHY = {
    "erased": stored("its owner was erased; the user who confirms it again becomes its owner"),
    "removed": stored("its owner was removed; the user who confirms it again becomes its owner"),
}


def stop_what_is_in_their_name(session: Session, user: User, verb: str) -> None:
    """Have the user's rules wait until someone confirms them again, and close the user's event sources.

    `verb` says what happened to the user: erased, removed.
    """
    now = session.scalars(select(func.now())).one()
    rules = select(Rule).where(Rule.owner_id == user.id, Rule.state == RuleState.ACTIVE).order_by(Rule.id)
    for rule in session.scalars(rules.with_for_update(key_share=True)).all():
        wait(session, rule, WHY[verb], now)
    sources = select(EventSource.id).where(EventSource.user_id == user.id, EventSource.closed_at.is_(None))
    for source_id in session.scalars(sources).all():
        close_source(session, _nobody(user, verb), source_id)


def _nobody(user: User, verb: str) -> Actor:
    task = {"erased": "task:erase", "removed": "task:remove"}[verb]
    return Actor(user.organization_id, task, None, frozenset(MANAGEMENT))
