"""What the command line shows of retraining rules."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table

from cli.terminal import console, print_json
from models.retraining import Rule
from models.session import Session
from tasks.rules.dry_run import Ahead
from tasks.rules.history import open_occurrences_of
from tasks.rules.terms import in_sentences, terms_of


def on_its_clock(moment: datetime | None, time_zone: str) -> str:
    """A moment on the clock of a rule, whose time zone stands above."""
    return f"{moment.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M}" if moment else ""


def ahead_table(ahead: list[Ahead], time_zone: str) -> Table:
    """What lies ahead of a rule in this time zone, and whom it would reset."""
    table = Table(f"Due ({time_zone})", "Learners, as things are now", "Among them")
    for one in ahead:
        when = on_its_clock(one.due_at, time_zone) or "when it is reported"
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
        "open_occurrences": open_occurrences_of(session, rule),
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
