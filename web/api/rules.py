"""Retraining rules: list them, read one and its occurrences, pause it, resume it, remove it."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from models.access import Actor, Permission
from models.retraining import Rule, rule_of
from models.session import Session
from models.tokens import Scope
from tasks.rules.history import history_of, rules_seen_by
from tasks.rules.lifecycle import pause, remove, resume
from tasks.rules.terms import terms_of
from web.access import program_with
from web.api.json_route import JsonRoute
from web.api.paging import Page, page_of
from web.api.parameters import RuleId
from web.api.responses import PAGED, Responses, problems
from web.api.schemas.rule_occurrences import (
    RuleOccurrences,
    RuleOccurrencesList,
    UpcomingOccurrenceList,
    upcoming_of,
)
from web.api.schemas.rules import RuleDetails, RuleList, details_of
from web.database import Database

router = APIRouter(tags=["rules"], route_class=JsonRoute)

Reader = Annotated[Actor, Depends(program_with(Scope.RULES_READ, Permission.COURSES))]
Writer = Annotated[Actor, Depends(program_with(Scope.RULES_WRITE, Permission.COURSES))]

FOUND = problems("rule-unknown", "forbidden")
MOVED = problems("rule-unknown", "forbidden", "rule-state-conflict", "body-too-large")
REMOVED: Responses = {204: {"description": "The rule is removed; its history stays"}}


@router.get("/rules", operation_id="listRules", response_model=RuleList, responses=problems("forbidden"))
def list_rules(actor: Reader, session: Database) -> RuleList:
    """List all rules except removed ones, those waiting for a confirmation first."""
    return RuleList(items=[details_of(session, rule) for rule, _ in rules_seen_by(session, actor)])


@router.get("/rules/{rule_id:uuid}", operation_id="getRule", response_model=RuleDetails, responses=FOUND)
def get_rule(rule_id: RuleId, actor: Reader, session: Database) -> RuleDetails:
    """Get a rule."""
    return details_of(session, rule_of(session, actor.organization_id, rule_id))


@router.get(
    "/rules/{rule_id:uuid}/dry-run",
    operation_id="dryRunRule",
    response_model=UpcomingOccurrenceList,
    responses=FOUND,
)
def dry_run_rule(rule_id: RuleId, actor: Reader, session: Database) -> UpcomingOccurrenceList:
    """List the next 12 due times, each with the learners it would reset as of now. Changes nothing."""
    rule = rule_of(session, actor.organization_id, rule_id)
    return UpcomingOccurrenceList(items=upcoming_of(session, rule.organization_id, terms_of(session, rule)))


@router.get(
    "/rules/{rule_id:uuid}/occurrences",
    operation_id="listRuleOccurrences",
    response_model=RuleOccurrencesList,
    responses=PAGED | FOUND,
)
def list_occurrences(
    rule_id: RuleId, actor: Reader, session: Database, page: Annotated[Page, page_of(datetime, UUID, str, str)]
) -> RuleOccurrencesList:
    """List the rule's past and waiting occurrences with their results, latest first."""
    rule = rule_of(session, actor.organization_id, rule_id)
    items = page.cut(history_of(session, rule, after=page.after, limit=page.limit), lambda one: one.place)
    return RuleOccurrencesList(items=[RuleOccurrences.model_validate(one) for one in items])


@router.post("/rules/{rule_id:uuid}:pause", operation_id="pauseRule", response_model=RuleDetails, responses=MOVED)
def pause_rule(rule_id: RuleId, actor: Writer, session: Database) -> RuleDetails:
    """Pause a rule: what comes due meanwhile is skipped. Repeating it changes nothing."""
    return _moved(session, actor, rule_id, pause)


@router.post("/rules/{rule_id:uuid}:resume", operation_id="resumeRule", response_model=RuleDetails, responses=MOVED)
def resume_rule(rule_id: RuleId, actor: Writer, session: Database) -> RuleDetails:
    """Resume a paused rule from now on. Repeating it changes nothing."""
    return _moved(session, actor, rule_id, resume)


@router.delete(
    "/rules/{rule_id:uuid}",
    operation_id="removeRule",
    status_code=204,
    responses=REMOVED | problems("rule-unknown", "forbidden", "body-too-large"),
)
def remove_rule(rule_id: RuleId, actor: Writer, session: Database) -> Response:
    """Remove a rule for good. Repeating it changes nothing."""
    remove(session, actor, rule_of(session, actor.organization_id, rule_id))
    return Response(status_code=204)


def _moved(session: Session, actor: Actor, rule_id: UUID, move: Callable[[Session, Actor, Rule], None]) -> RuleDetails:
    rule = rule_of(session, actor.organization_id, rule_id)
    move(session, actor, rule)
    return details_of(session, rule)
