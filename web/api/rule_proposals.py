"""Propose a retraining rule, create it, confirm it again."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from models.access import Actor, Permission
from models.directory import course_of
from models.retraining import rule_of
from models.tokens import Scope
from tasks.rules.lifecycle import confirm_again, make_rule
from tasks.rules.proposals import opened_proposal_of, propose_rule, propose_with
from tasks.rules.terms import Terms
from web.access import program_with
from web.api.idempotency import IdempotencyKey, once
from web.api.json_route import JsonRoute
from web.api.parameters import RuleId
from web.api.responses import ONCE, Responses, problems
from web.api.schemas.rule_proposals import RuleConfirmation, RuleProposal, proposal_of
from web.api.schemas.rule_terms import RuleChanges, RuleTerms
from web.api.schemas.rules import RuleDetails, details_of
from web.database import Database

router = APIRouter(tags=["rules"], route_class=JsonRoute)

Writer = Annotated[Actor, Depends(program_with(Scope.RULES_WRITE, Permission.COURSES))]

TERMS_PROBLEMS = (
    "rule-invalid",
    "recurrence-invalid",
    "time-zone-unknown",
    "group-unknown",
    "due-in-days-invalid",
    "audience-invalid",
    "reason-missing",
)
CONFIRM_PROBLEMS = ("forbidden", "plan-invalid", "plan-expired", "confirm-mismatch", "body-too-large")
CREATED: Responses = {
    201: {"model": RuleDetails, "description": "The rule is in force and resets without asking", "headers": ONCE}
}


@router.post(
    "/rule-proposals",
    operation_id="proposeRule",
    status_code=201,
    response_model=RuleProposal,
    responses=problems("course-unknown", "forbidden", *TERMS_PROBLEMS, "body-too-large"),
)
def propose(body: RuleTerms, actor: Writer, session: Database) -> RuleProposal:
    """Propose a rule: see what it would do. Changes nothing."""
    course_of(session, actor.organization_id, body.course)
    return proposal_of(session, actor, propose_rule(session, actor, Terms.model_validate(body.model_dump())))


@router.post(
    "/rules",
    operation_id="createRule",
    status_code=201,
    response_model=None,
    responses=CREATED
    | problems(
        *CONFIRM_PROBLEMS,
        *TERMS_PROBLEMS,
        "idempotency-key-missing",
        "idempotency-in-progress",
        "idempotency-mismatch",
    ),
)
def create(
    request: Request, body: RuleConfirmation, actor: Writer, session: Database, key: IdempotencyKey
) -> JSONResponse:
    """Create a rule as proposed. **Its resets cannot be undone, and run without further confirmation.**"""

    def do() -> tuple[int, Mapping[str, str], BaseModel]:
        rule = make_rule(session, actor, proposal=body.proposal, confirm=body.confirm)
        session.flush()
        return 201, {"Location": f"/v1/rules/{rule.id}"}, details_of(session, rule)

    return once(session, actor, request, key, body, do)


@router.post(
    "/rules/{rule_id:uuid}/proposals",
    operation_id="proposeRuleAgain",
    status_code=201,
    response_model=RuleProposal,
    responses=problems("rule-unknown", "forbidden", "rule-state-conflict", *TERMS_PROBLEMS, "body-too-large"),
)
def propose_rule_again(rule_id: RuleId, body: RuleChanges, actor: Writer, session: Database) -> RuleProposal:
    """Propose an existing rule again, with other terms if you like: see what it would do then. Changes nothing."""
    rule = rule_of(session, actor.organization_id, rule_id)
    changes = body.model_dump(exclude_unset=True)
    return proposal_of(session, actor, propose_with(session, actor, rule, changes))


@router.post(
    "/rules/{rule_id:uuid}:confirm",
    operation_id="confirmRule",
    response_model=RuleDetails,
    responses=problems("rule-unknown", *CONFIRM_PROBLEMS, "rule-state-conflict", "rule-changed", "brake-holds"),
)
def confirm_rule(rule_id: RuleId, body: RuleConfirmation, actor: Writer, session: Database) -> RuleDetails:
    """Confirm a rule as proposed. You become its owner, and its waiting occurrences continue."""
    rule = rule_of(session, actor.organization_id, rule_id)
    opened_proposal_of(rule, body.proposal)  # the address is part of the confirmation
    return details_of(session, confirm_again(session, actor, proposal=body.proposal, confirm=body.confirm))
