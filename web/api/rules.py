"""Retraining rules: propose one, make it, look at what lies ahead and what became of it, pause, resume, remove."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from models.access import Actor, Permission
from models.directory import course_of
from models.retraining import Rule
from models.session import Session
from models.tokens import Scope
from tasks.rules.dry_run import dry_run
from tasks.rules.history import history_of, rules_seen_by
from tasks.rules.proposals import (
    confirm_again,
    make_rule,
    opened_proposal_of,
    pause,
    propose_again,
    propose_rule,
    rule_of,
)
from tasks.rules.proposals import remove as remove_for_good
from tasks.rules.proposals import resume as resume_rule
from tasks.rules.terms import Terms, terms_of
from web.access import program_with
from web.api.body import JsonRoute
from web.api.document import problems
from web.api.fields import LISTED, After, IdempotencyKey, Limit
from web.api.once import once
from web.api.paging import Page
from web.api.rule_answer import (
    AheadAnswer,
    AheadList,
    Caps,
    Confirmation,
    OccurrenceAnswer,
    Occurrences,
    ProposalAnswer,
    RuleAnswer,
    Rules,
    RuleTerms,
    proposed,
    rule_answer,
)
from web.database import Database

router = APIRouter(tags=["rules"], route_class=JsonRoute)

Reader = Annotated[Actor, Depends(program_with(Scope.RULES_READ))]
Writer = Annotated[Actor, Depends(program_with(Scope.RULES_WRITE))]

REMOVED: dict[int | str, dict[str, Any]] = {204: {"description": "It never fires again; its history stays"}}
TERMS_PROBLEMS = (
    "rule-invalid",
    "recurrence-invalid",
    "time-zone-unknown",
    "group-unknown",
    "due-in-days-invalid",
    "audience-invalid",
    "reason-missing",
)
MADE: dict[int | str, dict[str, Any]] = {
    201: {"model": RuleAnswer, "description": "The rule is there, and resets by itself"}
}


@router.post(
    "/rule-proposals",
    operation_id="proposeRule",
    status_code=201,
    response_model=ProposalAnswer,
    responses=problems("course-unknown", "forbidden", *TERMS_PROBLEMS, "body-too-large"),
)
def propose(body: RuleTerms, actor: Writer, session: Database) -> ProposalAnswer:
    """Say what such a rule would do. Changes nothing."""
    actor.must_have(Permission.COURSES)
    course_of(session, actor.organization_id, body.course)
    return proposed(session, actor, propose_rule(session, actor, Terms.model_validate(body.model_dump())))


@router.post(
    "/rules",
    operation_id="makeRule",
    status_code=201,
    response_model=None,
    responses=MADE
    | problems(
        "forbidden",
        "plan-invalid",
        "plan-expired",
        "confirm-mismatch",
        "idempotency-key-missing",
        "idempotency-in-progress",
        "idempotency-mismatch",
        *TERMS_PROBLEMS,
        "body-too-large",
    ),
)
def make(
    request: Request, body: Confirmation, actor: Writer, session: Database, key: IdempotencyKey = None
) -> JSONResponse:
    """Make the rule that was proposed. **Its resets cannot be undone, and come without asking again.**"""
    actor.must_have(Permission.COURSES)

    def do() -> tuple[int, Mapping[str, str], BaseModel]:
        rule = make_rule(session, actor, proposal=body.proposal, confirm=body.confirm)
        session.flush()
        return 201, {"Location": f"/v1/rules/{rule.id}"}, rule_answer(session, rule)

    return once(session, actor, request, key, body, do)


@router.get("/rules", operation_id="listRules", response_model=Rules, responses=problems("forbidden"))
def list_rules(actor: Reader, session: Database) -> Rules:
    """All rules but the removed ones, those that wait for somebody first."""
    return Rules(items=[rule_answer(session, rule) for rule, _ in rules_seen_by(session, actor)])


@router.get(
    "/rules/{rule_id:uuid}",
    operation_id="getRule",
    response_model=RuleAnswer,
    responses=problems("rule-unknown", "forbidden"),
)
def get_rule(rule_id: UUID, actor: Reader, session: Database) -> RuleAnswer:
    """One rule."""
    return rule_answer(session, _seen(session, actor, rule_id))


@router.get(
    "/rules/{rule_id:uuid}/dry-run",
    operation_id="dryRunRule",
    response_model=AheadList,
    responses=problems("rule-unknown", "forbidden"),
)
def dry_run_rule(rule_id: UUID, actor: Reader, session: Database) -> AheadList:
    """The next 12 occurrences, and whom each would reset as things are now. Changes nothing."""
    rule = _seen(session, actor, rule_id)
    ahead = dry_run(session, rule.organization_id, terms_of(session, rule))
    return AheadList(items=[AheadAnswer.model_validate(one) for one in ahead])


@router.get(
    "/rules/{rule_id:uuid}/occurrences",
    operation_id="listOccurrences",
    response_model=Occurrences,
    responses=LISTED | problems("rule-unknown", "forbidden"),
)
def list_occurrences(
    request: Request,
    answer: Response,
    rule_id: UUID,
    actor: Reader,
    session: Database,
    after: After = "",
    limit: Limit = 50,
) -> Occurrences:
    """What became of the rule's occurrences, latest first."""
    rule = _seen(session, actor, rule_id)
    page = Page(request, answer, after, limit, (datetime, UUID, str, str))
    found = history_of(session, rule, after=page.after, limit=page.limit)
    lines = page.cut(found, lambda one: one.place)
    return Occurrences(items=[OccurrenceAnswer.model_validate(one) for one in lines])


@router.post(
    "/rules/{rule_id:uuid}/proposals",
    operation_id="proposeRuleAgain",
    status_code=201,
    response_model=ProposalAnswer,
    responses=problems("rule-unknown", "forbidden", "rule-not-so", "body-too-large"),
)
def propose_rule_again(rule_id: UUID, body: Caps, actor: Writer, session: Database) -> ProposalAnswer:
    """Say what the rule does and would do now, to be confirmed again."""
    rule = _seen(session, actor, rule_id)
    return proposed(session, actor, propose_again(session, actor, rule, **body.model_dump()))


@router.post(
    "/rules/{rule_id:uuid}:confirm",
    operation_id="confirmRule",
    response_model=RuleAnswer,
    responses=problems(
        "rule-unknown",
        "forbidden",
        "rule-not-so",
        "brake-holds",
        "plan-invalid",
        "plan-expired",
        "confirm-mismatch",
        "body-too-large",
    ),
)
def confirm_rule(rule_id: UUID, body: Confirmation, actor: Writer, session: Database) -> RuleAnswer:
    """Confirm it for its audience as it is now. What waited goes on; whoever confirms it owns it."""
    rule = _seen(session, actor, rule_id)
    opened_proposal_of(rule, body.proposal)  # the address is part of the confirmation
    return rule_answer(session, confirm_again(session, actor, proposal=body.proposal, confirm=body.confirm))


@router.post(
    "/rules/{rule_id:uuid}:pause",
    operation_id="pauseRule",
    response_model=RuleAnswer,
    responses=problems("rule-unknown", "forbidden", "rule-not-so", "body-too-large"),
)
def pause_rule(rule_id: UUID, actor: Writer, session: Database) -> RuleAnswer:
    """Keep it from firing; what comes due meanwhile is skipped. Twice is the same as once."""
    rule = _seen(session, actor, rule_id)
    pause(session, actor, rule)
    return rule_answer(session, rule)


@router.post(
    "/rules/{rule_id:uuid}:resume",
    operation_id="resumeRule",
    response_model=RuleAnswer,
    responses=problems("rule-unknown", "forbidden", "rule-not-so", "body-too-large"),
)
def resume(rule_id: UUID, actor: Writer, session: Database) -> RuleAnswer:
    """Have it fire again, from now on."""
    rule = _seen(session, actor, rule_id)
    resume_rule(session, actor, rule)
    return rule_answer(session, rule)


@router.delete(
    "/rules/{rule_id:uuid}",
    operation_id="removeRule",
    status_code=204,
    responses=REMOVED | problems("rule-unknown", "forbidden", "body-too-large"),
)
def remove(rule_id: UUID, actor: Writer, session: Database) -> Response:
    """Take it away for good. Twice is the same as once."""
    remove_for_good(session, actor, _seen(session, actor, rule_id))
    return Response(status_code=204)


def _seen(session: Session, actor: Actor, rule_id: UUID) -> Rule:
    actor.must_have(Permission.COURSES)
    return rule_of(session, actor.organization_id, rule_id)
