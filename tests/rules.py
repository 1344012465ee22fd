"""Helpers for retraining rules: make them, and move time on."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import time_machine

from models.access import Actor
from models.events import Event, EventKind
from models.groups import group_by_code
from models.retraining import CatchUp, Rule, RuleKind
from models.session import transaction
from tasks.people.groups import add_members, create_group
from tasks.rules.events import report_event
from tasks.rules.lifecycle import confirm_again, make_rule, pause, remove, resume
from tasks.rules.proposals import propose_again, propose_rule
from tasks.rules.retrain import look
from tasks.rules.terms import Terms
from tests.scenes import COURSE, Scene, rows, run

CALENDAR = {"kind": RuleKind.CALENDAR, "recurrence": "FREQ=YEARLY"}
ROLLING = {"kind": RuleKind.ROLLING, "months": 12}
EVENT = {"kind": RuleKind.EVENT}
ONCE = {"kind": RuleKind.ONCE}
SKIP = {"catch_up": CatchUp.SKIP}


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Set Python's clock to this moment within the scope. The database keeps its own clock."""
    with time_machine.travel(moment, tick=False):
        yield


def tick(moment: datetime) -> None:
    """Run a tick at this moment."""
    with at(moment):
        look(datetime.now(UTC))


def make(scene: Scene, made_at: datetime, actor: Actor | None = None, **terms: Any) -> UUID:
    """Propose a rule and confirm it. Returns its id."""
    proposed = Terms(**{"course": COURSE, "reason": "yearly recertification"} | terms)
    actor = actor or scene.admin
    with at(made_at):
        with transaction() as session:
            token = propose_rule(session, actor, proposed).token
        with transaction() as session:
            return make_rule(session, actor, proposal=token, confirm=proposed.course).id


def confirm(scene: Scene, rule_id: UUID, moment: datetime, actor: Actor | None = None, **caps: int | None) -> None:
    actor = actor or scene.admin
    with at(moment), transaction() as session:
        proposal = propose_again(session, actor, session.get_one(Rule, rule_id), **caps)
        confirm_again(session, actor, proposal=proposal.token, confirm=proposal.terms.course)


def change(scene: Scene, what: str, rule_id: UUID, moment: datetime) -> None:
    """Pause, resume or remove the rule."""
    with at(moment), transaction() as session:
        {"pause": pause, "resume": resume, "remove": remove}[what](session, scene.admin, session.get_one(Rule, rule_id))


def happen(scene: Scene, moment: datetime, key: str, kind: EventKind = EventKind.INCIDENT, **event: Any) -> Event:
    """Report an event."""
    with at(moment), transaction() as session:
        values = {"course": COURSE, "reason": "press 4, hand injury"} | event
        return report_event(session, scene.admin, kind=kind, key=key, **values)


def rule_of(rule_id: UUID) -> Rule:
    with transaction() as session:
        return session.get_one(Rule, rule_id)


def occurrences(rule_id: UUID) -> list[tuple[datetime, str, str | None]]:
    """Returns due time, state and reason of each occurrence, by due time."""
    query = "SELECT due_at, state, reason FROM occurrence WHERE rule_id = :id ORDER BY due_at, id"
    return [(due_at.astimezone(UTC), state, reason) for due_at, state, reason in rows(query, id=rule_id)]


def group(scene: Scene, code: str, emails: list[str]) -> int:
    """Create a group of these users. Returns its id."""
    with transaction() as session:
        create_group(session, scene.admin, code, code.title())
    with transaction() as session:
        found = group_by_code(session, scene.organization.id, code)
        add_members(session, scene.admin, found, emails)
        return found.id


def completed(enrolment_id: int, moment: datetime | None) -> None:
    """Complete the course at this moment, or start it over if `None`."""
    run(
        """UPDATE enrolment SET state = CASE WHEN CAST(:at AS timestamptz) IS NULL THEN 'assigned' ELSE 'completed' END,
           progress = CASE WHEN CAST(:at AS timestamptz) IS NULL THEN 0 ELSE 100 END, completed_at = :at,
           assigned_at = least(assigned_at, :at) WHERE id = :id""",
        at=moment,
        id=enrolment_id,
    )
