"""After a restore: undo what an older copy of the database has brought back.

All sessions end, all tokens are revoked, and all rules wait for a new confirmation. Resets, erasures and removals in
the journal are repeated. Every step can run more than once, so that an interrupted run can be started again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

from sqlalchemy import any_, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.types import Uuid

from config.languages.stored import stored
from config.log import logger
from models import audit
from models.access import console_operator
from models.certificates import supersede_again
from models.journal import same_person
from models.people import Organization, User
from models.resets import Reset, ResetState
from models.retraining import Rule, RuleState
from models.session import changed_rows, transaction
from models.tokens import ApiToken
from models.training import Course, Enrolment
from models.web_sessions import WebSession
from tasks.people.erase import erase_now
from tasks.people.users import remove_now
from tasks.reset.end_registrations import end_registrations
from tasks.retention.journal import read_all
from tasks.rules.hold import wait

BATCH = 500
WHY = stored("the database was restored from a backup: check that the rule is still right")

log = logger(__name__)


@dataclass
class Restored:
    """What was undone."""

    counts: dict[str, int] = field(default_factory=dict)  # by a description of what was undone
    journal: int = 0  # entries read
    open_resets: list[tuple[UUID, str, datetime]] = field(default_factory=list)  # with course code and start time


def after_restore() -> Restored:
    """Undo what the backup brought back. Raises `StorageUnavailable` after sessions, tokens and rules are stopped."""
    done = Restored()
    with transaction() as session:
        done.counts["sessions ended"] = changed_rows(session, delete(WebSession))
        done.counts["API tokens revoked"] = _revoke_tokens(session)
        done.counts["rules waiting for a new confirmation"] = _hold_rules(session)
    erased: list[tuple[int, str]] = []
    removed: dict[tuple[int, datetime], tuple[datetime, bool]] = {}  # when, and whether they came back
    for entry in read_all():
        done.journal += 1
        if entry.get("ended"):
            _count(done, "learners reset again", _end_again([UUID(one) for one in entry["ended"]]))
        if entry.get("superseded"):
            with transaction() as session:
                supersede_again(session, [bytes.fromhex(one) for one in entry["superseded"]])
            _count(done, "certificates marked as superseded", len(entry["superseded"]))
        if entry.get("erased"):
            erased.append((entry["erased"][0], entry["erased"][1]))
        for what in ("removed", "returned"):
            if entry.get(what):
                user_id, made_at, at = entry[what]
                last = datetime.fromisoformat(at), what == "returned"
                person = user_id, datetime.fromisoformat(made_at)
                removed[person] = max(last, removed.get(person, last))
    for user_id, made_at in erased:
        _count(done, "people erased again", _erase_again(user_id, made_at))
    for (user_id, made), (_, came_back) in removed.items():
        if not came_back:
            _count(done, "people removed again", _remove_again(user_id, made))
    with transaction() as session:
        done.open_resets = _open_resets(session)
    log.info("restored", journal=done.journal, **{what.replace(" ", "_"): count for what, count in done.counts.items()})
    return done


def _count(done: Restored, what: str, count: int) -> None:
    done.counts[what] = done.counts.get(what, 0) + count


def _revoke_tokens(session: Session) -> int:
    """Revoke all tokens: the database no longer knows which were revoked after the backup."""
    valid = ApiToken.revoked_at.is_(None) & or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > func.now())
    revoked = 0
    for owner in session.scalars(select(Organization).order_by(Organization.id)).all():
        theirs = ApiToken.user_id.in_(select(User.id).where(User.organization_id == owner.id))
        ids = session.scalars(
            update(ApiToken)
            .where(valid, theirs)
            .values(revoked_at=func.now())
            .returning(ApiToken.id)
            .execution_options(synchronize_session=False)
        ).all()
        if ids:
            audit.record(
                session,
                console_operator(owner),
                "tokens.revoked",
                owner.id,
                owner.id,
                tokens=sorted(ids),
                why="restored",
            )
        revoked += len(ids)
    return revoked


def _hold_rules(session: Session) -> int:
    """Make all rules wait: one that was paused or removed after the backup must not delete anything."""
    rules = session.scalars(
        select(Rule).where(Rule.state == RuleState.ACTIVE).order_by(Rule.id).with_for_update()
    ).all()
    for rule in rules:
        wait(session, rule, WHY, datetime.now(UTC))
    return len(rules)


def _end_again(registrations: list[UUID]) -> int:
    """Reset learners whose ended registration has come back. Returns how many."""
    ended = 0
    for some in _batches(registrations):
        with transaction() as session:
            back = session.scalars(
                select(Enrolment.id)
                .where(Enrolment.registration == any_(literal(some, ARRAY(Uuid()))))
                .order_by(Enrolment.id)
                .with_for_update()
            ).all()
            end_registrations(session, back, journalled=False)
            ended += len(back)
    return ended


def _erase_again(user_id: int, made_at: str) -> int:
    with transaction() as session:
        user = session.get(User, user_id, with_for_update=True)
        if user is None or user.erased_at is not None or not same_person(user, made_at):
            return 0
        erase_now(session, "task:restored", user)
        return 1


def _remove_again(user_id: int, made: datetime) -> int:
    with transaction() as session:
        user = session.get(User, user_id, with_for_update={"key_share": True})
        if user is None or user.removed_at is not None or user.erased_at is not None or user.created_at != made:
            return 0
        remove_now(session, "task:restored", user)
        return 1


def _open_resets(session: Session) -> list[tuple[UUID, str, datetime]]:
    open_ones = (
        select(Reset.id, Course.code, Reset.start_at)
        .join(Course, Course.id == Reset.course_id)
        .where(Reset.state.in_((ResetState.REQUESTED, ResetState.RUNNING)))
        .order_by(Reset.start_at)
    )
    return [(row.id, row.code, row.start_at) for row in session.execute(open_ones)]


def _batches(values: Iterable[UUID]) -> Iterator[list[Any]]:
    rest = iter(values)
    while some := list(islice(rest, BATCH)):
        yield some
