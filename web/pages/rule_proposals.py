"""Create a retraining rule in two steps, form and confirmation; confirm an existing rule again."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from config.languages import translatable
from models.access import Permission
from models.analytics import completion_by_course
from models.groups import groups_with_size
from models.refusals.base import Refused
from models.refusals.resets import ConfirmMismatch, PlanExpired
from models.refusals.rules import BrakeHolds, RuleChanged, RuleStateConflict
from models.retraining import Rule, RuleKind, RuleState, rule_of
from models.session import Session
from tasks.rules.dry_run import dry_run
from tasks.rules.lifecycle import confirm_again, make_rule
from tasks.rules.proposals import (
    Proposal,
    changes_of,
    opened_proposal,
    opened_proposal_of,
    propose_again,
    propose_change,
    propose_rule,
    propose_with,
)
from tasks.rules.terms import EVENTS, terms_of
from web.access import CoursesAdmin, SignedIn
from web.database import Database
from web.numbers import number_in
from web.pages.my_settings import ZONES
from web.pages.rule_form import EVERY, FIELDS, Typed, terms_in, typed_for
from web.templating import page

router = APIRouter(prefix="/rules")

KINDS = {
    RuleKind.CALENDAR: translatable("Calendar"),
    RuleKind.ROLLING: translatable("After completion"),
    RuleKind.EVENT: translatable("After an event"),
    RuleKind.ONCE: translatable("Once"),
}

Token = Annotated[str, Form(max_length=50_000)]
Code = Annotated[str, Form(max_length=200)]
Cap = Annotated[str, Query(max_length=10)]


@router.get("/new")
def new_rule(request: Request, person: CoursesAdmin, session: Database, typed: Annotated[Typed, Query()]) -> Response:
    """Step 1: show the form, filled in from the query."""
    return _form(request, person, session, typed)


@router.post("/new")
def propose(request: Request, person: CoursesAdmin, session: Database, typed: Annotated[Typed, Form()]) -> Response:
    """Step 2: show what the rule would do, to be confirmed."""
    try:
        proposal = propose_rule(session, person.actor, terms_in(typed))
    except Refused as refusal:
        return _form(request, person, session, typed, refusal)
    return _confirm_page(request, session, proposal)


@router.post("")
def make(
    request: Request, person: CoursesAdmin, session: Database, proposal: Token = "", confirm: Code = ""
) -> Response:
    """Create the proposed rule."""
    try:
        rule = make_rule(session, person.actor, proposal=proposal, confirm=confirm.strip())
    except ConfirmMismatch as refusal:
        return _confirm_page(request, session, opened_proposal(proposal), refusal)
    except PlanExpired as refusal:
        now = propose_rule(session, person.actor, opened_proposal(proposal).terms)
        return _confirm_page(request, session, now, refusal)
    return RedirectResponse(f"/rules/{rule.id}?done=made", 303)


@router.get("/{rule_id}/edit")
def edit_form(request: Request, rule_id: str, person: CoursesAdmin, session: Database) -> Response:
    """Step 1 of a change: show the form, filled in with the rule's terms."""
    rule = rule_of(session, person.actor.organization_id, rule_id)
    return _form(request, person, session, Typed(**typed_for(terms_of(session, rule))), rule=rule)


@router.post("/{rule_id}/edit")
def propose_edit(
    request: Request, rule_id: str, person: CoursesAdmin, session: Database, typed: Annotated[Typed, Form()]
) -> Response:
    """Step 2 of a change: show what the rule would then do, to be confirmed."""
    rule = rule_of(session, person.actor.organization_id, rule_id)
    try:
        proposal = propose_change(session, person.actor, rule, terms_in(typed))
    except Refused as refusal:
        return _form(request, person, session, typed, refusal, rule=rule)
    return _confirm_page(request, session, proposal, rule=rule)


@router.get("/{rule_id}/confirm")
def confirm_form(
    request: Request,
    rule_id: str,
    person: CoursesAdmin,
    session: Database,
    most_learners: Cap = "",
    most_a_day: Cap = "",
) -> Response:
    """Show what the rule would do now, with other limits if given, to be confirmed again."""
    rule = rule_of(session, person.actor.organization_id, rule_id)
    caps = {"most_learners": _cap(most_learners), "most_a_day": _cap(most_a_day)}
    return _confirm_page(request, session, propose_again(session, person.actor, rule, **caps), rule=rule)


@router.post("/{rule_id}/confirm")
def confirm_rule(
    request: Request, rule_id: str, person: CoursesAdmin, session: Database, proposal: Token = "", confirm: Code = ""
) -> Response:
    """Confirm a rule again."""
    rule = rule_of(session, person.actor.organization_id, rule_id)
    proposed = opened_proposal_of(rule, proposal)
    edited = rule.state != RuleState.WAITING and changes_of(session, rule, proposed.terms)
    try:
        confirm_again(session, person.actor, proposal=proposal, confirm=confirm.strip())
    except (ConfirmMismatch, BrakeHolds) as refusal:
        return _confirm_page(request, session, proposed, refusal, rule=rule)
    except (RuleChanged, RuleStateConflict) as refusal:
        if not edited:
            raise
        return _form(request, person, session, Typed(**typed_for(proposed.terms)), refusal, rule=rule)
    except PlanExpired as refusal:
        now = propose_with(session, person.actor, rule, proposed.terms.model_dump())
        return _confirm_page(request, session, now, refusal, rule=rule)
    return RedirectResponse(f"/rules/{rule.id}?done={'changed' if edited else 'confirmed'}", 303)


def _form(
    request: Request,
    person: SignedIn,
    session: Session,
    typed: Typed,
    error: Refused | None = None,
    *,
    rule: Rule | None = None,
) -> Response:
    organization = person.actor.organization_id
    defaults = {
        "kind": typed.kind if typed.kind in list(RuleKind) else RuleKind.CALENDAR.value,
        "time_zone": typed.time_zone or person.user.time_zone,
    }
    return page(
        request,
        "rule_form.html",
        status=error.status if error else 200,
        typed=typed.model_copy(update=defaults),
        rule=rule,
        error=error,
        kinds=KINDS,
        every=EVERY,
        events=EVENTS,
        courses=completion_by_course(session, organization),
        groups=groups_with_size(session, organization),
        zones=ZONES,
        may_roll=person.may(Permission.USERS),
    )


def _confirm_page(
    request: Request,
    session: Session,
    proposal: Proposal,
    error: Refused | None = None,
    *,
    rule: Rule | None = None,
) -> Response:
    here = f"/rules/{proposal.id}"
    return page(
        request,
        "rule_proposal.html",
        status=error.status if error else 200,
        proposal=proposal,
        ahead=dry_run(session, proposal.organization_id, proposal.terms),
        here=f"{here}/confirm" if proposal.again else "/rules",
        back=here if proposal.again else "/rules",
        change=None if proposal.again else f"/rules/new?{urlencode(typed_for(proposal.terms))}",
        changes={} if rule is None else changes_of(session, rule, proposal.terms),
        labels=FIELDS,
        error=error,
    )


def _cap(text: str) -> int | None:
    """Return the limit typed, or `None` if it is not a valid number; the page shows the limits in effect."""
    number = number_in(text)
    return number if number is not None and 1 <= number <= 10_000_000 else None
