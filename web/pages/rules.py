"""Retraining rules: the list, and the page of a rule with its upcoming times and its history."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from config.languages import gettext, translatable
from models.retraining import RuleState, rule_of
from tasks.rules.dry_run import dry_run
from tasks.rules.history import history_of, owner_of, rules_seen_by
from tasks.rules.lifecycle import pause, remove, resume
from tasks.rules.next_due import next_due_of
from tasks.rules.terms import in_sentences, terms_of, when_in_words, whom_in_words
from web.access import CoursesAdmin
from web.database import Database
from web.pager import Pager
from web.templating import page

router = APIRouter(prefix="/rules")

DONE = {
    "made": translatable("Rule created. It starts resets automatically from now on."),
    "confirmed": translatable("Rule confirmed for its current audience. Waiting resets continue."),
    "paused": translatable("Rule paused. Due times are skipped until you resume it."),
    "resumed": translatable("Rule resumed."),
    "changed": translatable("Rule changed."),
    "removed": translatable("Rule removed. Its history is kept."),
}


@router.get("")
def rules(request: Request, person: CoursesAdmin, session: Database) -> Response:
    """List all rules, those waiting for confirmation first."""
    lines = []
    for rule, code in rules_seen_by(session, person.actor):
        terms = terms_of(session, rule)
        summary = gettext("For {whom}: {when}.", whom=whom_in_words(terms), when=when_in_words(terms))
        lines.append((rule, code, summary, next_due_of(session, rule)))
    return page(request, "rules.html", lines=lines)


@router.get("/{rule_id}")
def rule_page(
    request: Request,
    rule_id: str,
    person: CoursesAdmin,
    session: Database,
    after: Annotated[str, Query(max_length=5000)] = "",
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show a rule, its upcoming times and its history."""
    rule = rule_of(session, person.actor.organization_id, rule_id)
    terms = terms_of(session, rule)
    pager = Pager(request, after, (datetime, UUID, str, str))
    history = pager.cut(history_of(session, rule, after=pager.after, limit=pager.limit), lambda one: one.place)
    live = rule.state in (RuleState.ACTIVE, RuleState.PAUSED, RuleState.WAITING)
    return page(
        request,
        "rule.html",
        rule=rule,
        owner=owner_of(session, rule),
        terms=terms,
        when=when_in_words(terms),
        sentences=in_sentences(terms),
        ahead=dry_run(session, rule.organization_id, terms) if live else [],
        history=history,
        pager=pager,
        live=live,
        done=DONE.get(done, ""),
    )


@router.post("/{rule_id}/pause")
def pause_rule(rule_id: str, person: CoursesAdmin, session: Database) -> Response:
    """Pause a rule."""
    pause(session, person.actor, rule_of(session, person.actor.organization_id, rule_id))
    return RedirectResponse(f"/rules/{rule_id}?done=paused", 303)


@router.post("/{rule_id}/resume")
def resume_rule(rule_id: str, person: CoursesAdmin, session: Database) -> Response:
    """Resume a rule."""
    resume(session, person.actor, rule_of(session, person.actor.organization_id, rule_id))
    return RedirectResponse(f"/rules/{rule_id}?done=resumed", 303)


@router.post("/{rule_id}/remove")
def remove_rule(rule_id: str, person: CoursesAdmin, session: Database) -> Response:
    """Remove a rule."""
    remove(session, person.actor, rule_of(session, person.actor.organization_id, rule_id))
    return RedirectResponse(f"/rules/{rule_id}?done=removed", 303)
