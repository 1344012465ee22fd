"""Rules as tables and as JSON."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table

from cli.terminal import print_json, print_table, whole
from models.retraining import Rule, RuleState
from models.session import Session
from models.short_ids import short
from tasks.rules.dry_run import Ahead
from tasks.rules.history import Became, open_occurrences_of, owner_of
from tasks.rules.terms import in_sentences, terms_of, terms_of_each, when_in_words


def rules_table(session: Session, found: list[tuple[Rule, str]]) -> Table:
    """Returns one row per rule, with the end of its id, from rules with their course codes."""
    table = whole(Table("Rule", "Course", "When", "State", "Next check", "On hold because"), "Rule", "Course")
    ids = short([rule.id for rule, _ in found])
    each = terms_of_each(session, [rule for rule, _ in found])
    for (rule, code), terms in zip(found, each, strict=True):
        next_check = f"{_local(rule.look_at, rule.time_zone)} {rule.time_zone}" if rule.look_at else ""
        when = when_in_words(terms)
        table.add_row(ids[rule.id], code, when, state_in_words(rule.state), next_check, rule.waits_for or "")
    return table


def ahead_table(ahead: list[Ahead], time_zone: str) -> Table:
    """Returns upcoming due times in this time zone, and who would be reset."""
    table = Table(f"Due ({time_zone})", "Learners as of now", "For example")
    for one in ahead:
        when = _local(one.due_at, time_zone) or "when an event is reported"
        more = ", …" if one.learners > len(one.names) else ""
        table.add_row(when, f"{one.learners:,}", ", ".join(one.names) + more)
    return table


def history_table(history: list[Became], time_zone: str) -> Table:
    """Returns past due times in this time zone, and their results."""
    table = whole(Table(f"Due ({time_zone})", "State", "Occurrences", "Reset", "Reason"), "Reset")
    ids = short([one.reset_id for one in history if one.reset_id])
    for one in history:
        due = _local(one.due_at, time_zone)
        reset = ids[one.reset_id] if one.reset_id else ""
        table.add_row(due, one.state.value, f"{one.occurrences:,}", reset, one.reason or "")
    return table


def rule_as_json(session: Session, rule: Rule) -> dict[str, Any]:
    """Returns the rule for programs."""
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
    """Print what the rule does, and what was confirmed."""
    if as_json:
        print_json(rule_as_json(session, rule))
        return
    table = Table(title=f"Rule {rule.id}", title_justify="left", show_header=False)
    table.add_row("State", state_in_words(rule.state) + (f": {rule.waits_for}" if rule.waits_for else ""))
    table.add_row("Effect", "\n".join(in_sentences(terms_of(session, rule))))
    table.add_row("Reason", rule.reason)
    table.add_row("Confirmed", f"{rule.confirmed_at:%Y-%m-%d %H:%M %Z} by {owner_of(session, rule)}")
    seen = rule.confirmed_preview
    table.add_row("Preview then", f"learners: {seen['learners']:,} of {seen['reach']:,}, alerts: {seen['alerts']:,}")
    print_table(table)


def state_in_words(state: RuleState) -> str:
    """Returns the state of a rule, as the documentation calls it."""
    return "on hold" if state == RuleState.WAITING else state.value


def _local(moment: datetime | None, time_zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(time_zone)):%Y-%m-%d %H:%M}" if moment else ""
