"""What the command line shows of retraining rules."""

from typing import Any

from rich.table import Table
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cli.terminal import console, print_json
from models.retraining import Occurrence, OccurrenceState, Rule
from tasks.dry_run import Ahead
from tasks.rule_terms import in_sentences, terms_of


def ahead_table(ahead: list[Ahead]) -> Table:
    """What lies ahead of a rule, and whom it would reset."""
    table = Table("Due (UTC)", "Learners, as things are now", "Among them")
    for one in ahead:
        when = f"{one.due_at:%Y-%m-%d %H:%M}" if one.due_at else "when it is reported"
        more = ", …" if one.learners > len(one.names) else ""
        table.add_row(when, f"{one.learners:,}", ", ".join(one.names) + more)
    return table


def rule_as_json(session: Session, rule: Rule) -> dict[str, Any]:
    """A rule for programs."""
    terms = terms_of(session, rule)
    return {
        "id": str(rule.id),
        "state": rule.state.value,
        "waits_for": rule.waits_for,
        "terms": terms.model_dump(mode="json"),
        "in_words": in_sentences(terms),
        "owner": rule.owner,
        "confirmed_at": rule.confirmed_at,
        "confirmed_preview": rule.confirmed_preview,
        "open_occurrences": session.scalars(
            select(func.count()).where(
                Occurrence.rule_id == rule.id,
                Occurrence.state.in_((OccurrenceState.PLANNED, OccurrenceState.WAITING, OccurrenceState.REQUESTED)),
            )
        ).one(),
    }


def print_rule(session: Session, rule: Rule, *, as_json: bool) -> None:
    """Print a rule: what it does, and what was confirmed."""
    if as_json:
        print_json(rule_as_json(session, rule))
        return
    table = Table(title=f"Rule {rule.id}", title_justify="left", show_header=False)
    table.add_row("State", rule.state.value + (f": {rule.waits_for}" if rule.waits_for else ""))
    table.add_row("What", "\n".join(in_sentences(terms_of(session, rule))))
    table.add_row("Why", rule.reason)
    table.add_row("Confirmed", f"{rule.confirmed_at:%Y-%m-%d %H:%M %Z} by {rule.owner}")
    shown = rule.confirmed_preview
    table.add_row("Shown then", f"{shown['learners']:,} learners of {shown['reach']:,}, {shown['alerts']:,} alerts")
    console.print(table)
