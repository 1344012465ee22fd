"""Retraining rules: the list, and the page of a rule with its upcoming times and its history."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from config.languages import SOURCE, gettext, speaking, translatable
from models.listing import Listed
from models.retraining import Rule, RuleKind, RuleState, rule_of
from models.session import Session
from tasks.rules.dry_run import dry_run
from tasks.rules.history import RULE_ORDERS, RuleFilter, count_rules, history_of, owner_of, rules_listed
from tasks.rules.lifecycle import pause, remove, resume
from tasks.rules.next_due import next_due_of
from tasks.rules.terms import in_sentences, terms_of, terms_of_each, when_in_words, whom_in_words
from web.access import CoursesAdmin, SignedIn
from web.database import Database
from web.pager import Pager
from web.shown import Shown
from web.templating import page

router = APIRouter(prefix="/rules")

STATES = [state for state in RuleState if state != RuleState.REMOVED]
HEAD = ("id", "course", "name", "rule", "state", "next_due_at", "reason")
DONE = {
    "made": translatable("Rule created. It starts resets automatically from now on."),
    "confirmed": translatable("Rule confirmed for its current audience. Waiting resets continue."),
    "paused": translatable("Rule paused. Due times are skipped until you resume it."),
    "resumed": translatable("Rule resumed."),
    "changed": translatable("Rule changed."),
    "removed": translatable("Rule removed. Its history is kept."),
}


@dataclass(frozen=True)
class RuleLine:
    """A rule in the list."""

    rule: Rule
    course: str  # its code
    summary: str
    next: datetime | None


@router.get("")
def rules(request: Request, person: CoursesAdmin, session: Database) -> Response:
    """List the rules that match, usually those waiting for confirmation first."""
    shown = _shown(request)
    which = _which(shown)
    waiting = RuleFilter(state=RuleState.WAITING)
    return page(
        request,
        "rules.html",
        lines=shown.cut(_read(session, person, shown, shown.pager.after, shown.pager.limit)),
        count=count_rules(session, person.actor, which),
        waiting=None if shown.is_narrowed else count_rules(session, person.actor, waiting),
        states=STATES,
        kinds=list(RuleKind),
        shown=shown,
    )


@router.get(".csv")
def rules_file(request: Request, person: CoursesAdmin) -> Response:
    """Download the rules that the list shows."""
    shown = _shown(request)

    def read(own: Session, after: Any, limit: int) -> list[Listed[RuleLine]]:
        with speaking(SOURCE):  # as the head and the states do, whoever asks
            return _read(own, person, shown, after, limit)

    return shown.as_csv(
        "rules.csv",
        HEAD,
        read,
        lambda one: (
            one.rule.id,
            one.course,
            one.rule.name,
            one.summary,
            one.rule.state.value,
            one.next,
            one.rule.reason,
        ),
    )


def _shown(request: Request) -> Shown:
    return Shown(request, RULE_ORDERS, {"state": STATES, "kind": list(RuleKind)})


def _which(shown: Shown) -> RuleFilter:
    state = RuleState(shown["state"]) if shown["state"] else None
    return RuleFilter(shown.q, state, RuleKind(shown["kind"]) if shown["kind"] else None)


def _read(session: Session, person: SignedIn, shown: Shown, after: Any, limit: int) -> list[Listed[RuleLine]]:
    lines = []
    found = rules_listed(session, person.actor, _which(shown), sort=shown.sort, after=after, limit=limit)
    each = terms_of_each(session, [rule for (rule, _), _ in found])
    for ((rule, code), place), terms in zip(found, each, strict=True):
        summary = gettext("For {whom}: {when}.", whom=whom_in_words(terms), when=when_in_words(terms))
        lines.append((RuleLine(rule, code, summary, next_due_of(session, rule, terms)), place))
    return lines


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
