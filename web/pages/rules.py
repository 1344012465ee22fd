"""Retraining rules: the list, making one in two steps, and the page of one with what lies ahead and what became."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy.orm import Session

from models.access import Permission
from models.analytics import completion_by_course
from models.groups import groups_with_size
from models.people import User
from models.refusals import ConfirmMismatch, Refused, RuleInvalid
from models.resets import Audience
from models.retraining import CatchUp, RuleKind, RuleState
from tasks.dry_run import dry_run
from tasks.rule_history import history_of, rules_seen_by
from tasks.rule_terms import EVENTS, Terms, in_sentences, terms_of, when_in_words
from tasks.rules import (
    Proposal,
    confirm_again,
    make_rule,
    opened_proposal,
    pause,
    propose_again,
    propose_rule,
    remove,
    resume,
    rule_of,
)
from web.access import CoursesAdmin, SignedIn
from web.database import Database
from web.pages.my_settings import ZONES
from web.problems import status_of
from web.templating import page

router = APIRouter(prefix="/rules")

KINDS = {
    RuleKind.CALENDAR: "By the calendar",
    RuleKind.ROLLING: "After each completion",
    RuleKind.EVENT: "After an event",
    RuleKind.ONCE: "Once",
}
EVERY = {"FREQ=YEARLY": "year", "FREQ=MONTHLY;INTERVAL=6": "six months", "FREQ=MONTHLY": "month", "FREQ=WEEKLY": "week"}
DONE = {
    "made": "The rule is made. It resets by itself from now on.",
    "confirmed": "The rule is confirmed for its audience as it is now. What waited goes on.",
    "paused": "The rule is paused. What comes due meanwhile is skipped.",
    "resumed": "The rule is active again, from now on.",
    "removed": "The rule is removed. Its history stays.",
}


class Asked(BaseModel):
    """What the form holds, as it was typed."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True, str_max_length=2000)

    kind: str = RuleKind.CALENDAR.value
    course: str = ""
    reason: str = ""
    whom: str = Audience.ASSIGNED.value  # or `group:` and its code
    every: str = "FREQ=YEARLY"
    recurrence: str = ""
    starts: str = ""
    months: str = "12"
    at_time: str = "06:00"
    event_kind: str = ""
    time_zone: str = "UTC"
    warn_days: str = "0"
    due_in_days: str = ""
    quiet: bool = False
    catch_up: str = CatchUp.RUN_ONCE.value
    most_learners: str = ""
    most_a_day: str = ""


Short = Annotated[str, Form(max_length=200)]


@router.get("")
def rules(request: Request, person: CoursesAdmin, session: Database) -> Response:
    """All rules, those that wait for somebody first."""
    lines = [
        (rule, code, when_in_words(terms_of(session, rule))) for rule, code in rules_seen_by(session, person.actor)
    ]
    return page(request, "rules.html", lines=lines)


@router.get("/new")
def new_rule(
    request: Request,
    person: CoursesAdmin,
    session: Database,
    kind: RuleKind = RuleKind.CALENDAR,
    course: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Step 1: what the rule is to do."""
    asked = Asked(kind=kind.value, course=course, time_zone=person.user.time_zone)
    return _form(request, person, session, asked)


@router.post("/new")
def propose(request: Request, person: CoursesAdmin, session: Database, asked: Annotated[Asked, Form()]) -> Response:
    """Step 2: what it would do, in plain words and figures, to be confirmed."""
    try:
        proposal = propose_rule(session, person.actor, _terms(asked))
    except Refused as refusal:
        return _form(request, person, session, asked, refusal)
    return _confirm_page(request, person, session, proposal, "/rules", "/rules/new")


@router.post("")
def make(
    request: Request,
    person: CoursesAdmin,
    session: Database,
    proposal: Annotated[str, Form(max_length=50_000)] = "",
    confirm: Short = "",
) -> Response:
    """Make the rule that was proposed."""
    try:
        rule = make_rule(session, person.actor, proposal=proposal, confirm=confirm.strip())
    except ConfirmMismatch as refusal:
        return _confirm_page(request, person, session, opened_proposal(proposal), "/rules", "/rules/new", error=refusal)
    return RedirectResponse(f"/rules/{rule.id}?done=made", 303)


@router.get("/{rule_id}")
def rule_page(
    request: Request,
    rule_id: str,
    person: CoursesAdmin,
    session: Database,
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """One rule: what it does, what lies ahead, and what became of its occurrences."""
    rule = rule_of(session, person.actor.organization_id, rule_id)
    terms = terms_of(session, rule)
    live = rule.state in (RuleState.ACTIVE, RuleState.PAUSED, RuleState.WAITING)
    return page(
        request,
        "rule.html",
        rule=rule,
        owner=session.get_one(User, rule.owner_id).name if rule.owner_id else rule.owner,
        terms=terms,
        when=when_in_words(terms),
        sentences=in_sentences(terms),
        ahead=dry_run(session, rule.organization_id, terms) if live else [],
        history=history_of(session, rule),
        live=live,
        done=DONE.get(done, ""),
    )


@router.get("/{rule_id}/confirm")
def confirm_form(request: Request, rule_id: str, person: CoursesAdmin, session: Database) -> Response:
    """What the rule does and would do now, to be confirmed again."""
    rule = rule_of(session, person.actor.organization_id, rule_id)
    proposal = propose_again(session, person.actor, rule)
    return _confirm_page(request, person, session, proposal, f"/rules/{rule.id}/confirm", f"/rules/{rule.id}")


@router.post("/{rule_id}/confirm")
def confirm_rule(
    request: Request,
    rule_id: str,
    person: CoursesAdmin,
    session: Database,
    proposal: Annotated[str, Form(max_length=50_000)] = "",
    confirm: Short = "",
) -> Response:
    """Confirm it again."""
    rule = rule_of(session, person.actor.organization_id, rule_id)
    try:
        confirm_again(session, person.actor, proposal=proposal, confirm=confirm.strip())
    except ConfirmMismatch as refusal:
        here = f"/rules/{rule.id}"
        return _confirm_page(
            request, person, session, opened_proposal(proposal), f"{here}/confirm", here, error=refusal
        )
    return RedirectResponse(f"/rules/{rule.id}?done=confirmed", 303)


@router.post("/{rule_id}/pause")
def pause_rule(rule_id: str, person: CoursesAdmin, session: Database) -> Response:
    """Keep it from firing."""
    pause(session, person.actor, rule_of(session, person.actor.organization_id, rule_id))
    return RedirectResponse(f"/rules/{rule_id}?done=paused", 303)


@router.post("/{rule_id}/resume")
def resume_rule(rule_id: str, person: CoursesAdmin, session: Database) -> Response:
    """Have it fire again."""
    resume(session, person.actor, rule_of(session, person.actor.organization_id, rule_id))
    return RedirectResponse(f"/rules/{rule_id}?done=resumed", 303)


@router.post("/{rule_id}/remove")
def remove_rule(rule_id: str, person: CoursesAdmin, session: Database) -> Response:
    """Take it away."""
    remove(session, person.actor, rule_of(session, person.actor.organization_id, rule_id))
    return RedirectResponse(f"/rules/{rule_id}?done=removed", 303)


def _form(request: Request, person: SignedIn, session: Session, asked: Asked, error: Refused | None = None) -> Response:
    organization = person.actor.organization_id
    return page(
        request,
        "rule_new.html",
        status=status_of(error) if error else 200,
        asked=asked,
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
    person: SignedIn,
    session: Session,
    proposal: Proposal,
    here: str,
    back: str,
    error: Refused | None = None,
) -> Response:
    return page(
        request,
        "rule_confirm.html",
        status=status_of(error) if error else 200,
        proposal=proposal,
        ahead=dry_run(session, person.actor.organization_id, proposal.terms),
        here=here,
        back=back,
        error=error,
    )


def _terms(asked: Asked) -> Terms:
    """The terms in the form: those of its kind. Raises `RuleInvalid`."""
    kind = RuleKind(asked.kind) if asked.kind in list(RuleKind) else RuleKind.CALENDAR
    audience, _, group = asked.whom.partition(":")
    of_kind: dict[RuleKind, dict[str, Any]] = {
        RuleKind.CALENDAR: {"starts": asked.starts, "recurrence": asked.recurrence or asked.every},
        RuleKind.ONCE: {"starts": asked.starts},
        RuleKind.ROLLING: {"months": asked.months, "at_time": asked.at_time},
        RuleKind.EVENT: {"event_kind": asked.event_kind},
    }
    values = of_kind[kind] | {
        "due_in_days": asked.due_in_days,
        "most_learners": asked.most_learners,
        "most_a_day": asked.most_a_day,
        "warn_days": asked.warn_days or "0",
        "group": group,
    }
    try:
        return Terms(
            course=asked.course,
            kind=kind,
            reason=asked.reason,
            audience=Audience(audience),
            time_zone=asked.time_zone,
            notify=not asked.quiet,
            catch_up=CatchUp(asked.catch_up),
            **{name: value for name, value in values.items() if value != ""},
        )
    except (ValidationError, ValueError) as error:
        wrong = error.errors() if isinstance(error, ValidationError) else []
        told = "; ".join(f"{FIELDS.get(str(one['loc'][0]), one['loc'][0])}: {one['msg'].lower()}" for one in wrong)
        raise RuleInvalid(f"Check what was typed: {told or 'one of the choices is none that is offered'}.") from None


FIELDS = {
    "course": "the course",
    "reason": "the reason",
    "starts": "the time",
    "months": "the months",
    "at_time": "the time of day",
    "warn_days": "the days of warning",
    "due_in_days": "the new due date",
    "most_learners": "the cap at one time",
    "most_a_day": "the cap a day",
}
