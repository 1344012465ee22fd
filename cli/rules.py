"""The commands about retraining rules."""

import sys
from datetime import datetime, time
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.prompt import Prompt
from rich.table import Table

from cli.acting_as import As, OrganizationOption, actor, organization_of_course, organizations
from cli.rule_tables import ahead_table, on_its_clock, print_rule, rule_as_json
from cli.servers_and_database import surroundings
from cli.terminal import console, notes, print_json
from models.access import Actor
from models.events import EventKind
from models.people import Organization
from models.refusals.rules import RuleInvalid, RuleUnknown
from models.resets import Audience
from models.retraining import CatchUp, Rule, RuleKind, rule_of
from models.session import Session, transaction
from tasks.rules.dry_run import Ahead, dry_run
from tasks.rules.history import history_of, rules_of
from tasks.rules.lifecycle import confirm_again, make_rule, pause, remove, resume
from tasks.rules.proposals import Proposal, propose_again, propose_rule
from tasks.rules.terms import Terms, terms_of, when_in_words

app = typer.Typer()
rules = typer.Typer(
    help="Reset courses by rule: each year, so long after completion, after an event.", no_args_is_help=True
)
app.add_typer(rules, name="rules")

RuleId = Annotated[str, typer.Argument(metavar="RULE", help="The rule's id, as `recourse rules list` says it.")]
Confirm = Annotated[
    str | None, typer.Option(metavar="COURSE", help="The course code once more: the rule resets without asking again.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
MostLearners = Annotated[
    int | None, typer.Option(min=1, help="With more learners than that at one time, it waits for a new confirmation.")
]
MostADay = Annotated[int | None, typer.Option(min=1, help="Resets at most so many learners a day.")]
SomeOrganization = Annotated[
    str | None, typer.Option("--organization", metavar="SLUG", help="Needed only where there are several.")
]


@rules.command("add")
def add_command(
    course: Annotated[str, typer.Argument(metavar="COURSE", help="The course code.")],
    reason: Annotated[str, typer.Option(help="Why its resets are made; kept in the audit.")],
    every: Annotated[
        str | None, typer.Option(metavar="RRULE", help="By the calendar, as RFC 5545 has it: FREQ=YEARLY.")
    ] = None,
    starts: Annotated[
        str | None, typer.Option(metavar="WHEN", help="The first time, such as 2027-03-01T06:00, on the rule's clock.")
    ] = None,
    once: Annotated[str | None, typer.Option(metavar="WHEN", help="Once, at this moment on the rule's clock.")] = None,
    months: Annotated[int | None, typer.Option(min=1, help="So many months after each user's completion.")] = None,
    at: Annotated[str | None, typer.Option(metavar="HH:MM", help="With --months: the time of day.")] = None,
    on_event: Annotated[bool, typer.Option("--on-event", help="When an event is reported.")] = False,
    event: Annotated[EventKind | None, typer.Option(help="With --on-event: only for events of this kind.")] = None,
    time_zone: Annotated[str, typer.Option(metavar="ZONE", help="Its clock, such as Europe/Zurich.")] = "UTC",
    completed: Annotated[bool, typer.Option("--completed", help="Only those who have completed the course.")] = False,
    group: Annotated[str | None, typer.Option(metavar="GROUP", help="Only the members of this group.")] = None,
    warn_days: Annotated[int, typer.Option(min=0, help="Warn learners so many days before.")] = 0,
    due_in_days: Annotated[int | None, typer.Option(min=1, help="New due date: so many days after.")] = None,
    no_notify: Annotated[bool, typer.Option("--no-notify", help="Send no “course assigned” alerts.")] = False,
    catch_up: Annotated[
        CatchUp, typer.Option(help="What becomes of what came due while nothing ran.")
    ] = CatchUp.RUN_ONCE,
    most_learners: MostLearners = None,
    most_a_day: MostADay = None,
    confirm: Confirm = None,
    organization: OrganizationOption = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Make a rule: it says what it will do, and asks for the course code. **Its resets cannot be undone.**

    Examples: `recourse rules add SAFETY-101 --reason "each year" --every FREQ=YEARLY --starts 2027-03-01T06:00
    --time-zone Europe/Zurich` · `recourse rules add FIRE-201 --reason "every 12 months" --months 12 --warn-days 14` ·
    `recourse rules add FIRE-201 --reason incident --on-event --event incident`
    """
    if sum(bool(way) for way in (every, once, months, on_event)) != 1:
        raise RuleInvalid("Say when, in one way: --every with --starts, --once, --months, or --on-event.")
    kind = RuleKind.CALENDAR if every else RuleKind.ONCE if once else RuleKind.ROLLING if months else RuleKind.EVENT
    terms = _terms(
        course=course,
        kind=kind,
        reason=reason,
        audience=Audience.GROUP if group else Audience.COMPLETED if completed else Audience.ASSIGNED,
        group=group,
        time_zone=time_zone,
        starts=_moment(once or starts),
        recurrence=every,
        months=months,
        at_time=_time(at),
        event_kind=event,
        warn_days=warn_days,
        due_in_days=due_in_days,
        notify=not no_notify,
        catch_up=catch_up,
        most_learners=most_learners,
        most_a_day=most_a_day,
    )
    with surroundings():
        with transaction() as session:
            who = actor(session, organization_of_course(session, course, organization), as_)
            proposal = propose_rule(session, who, terms)
            ahead = dry_run(session, who.organization_id, proposal.terms)
        code = _asked(proposal, ahead, confirm)
        with transaction() as session:
            rule = make_rule(session, who, proposal=proposal.token, confirm=code)
            print_rule(session, rule, as_json=as_json)


@rules.command("list")
def list_command(organization: SomeOrganization = None, as_json: AsJson = False) -> None:
    """List the rules, those that wait for somebody first."""
    with surroundings(), transaction() as session:
        owners = [one.id for one in organizations(session, organization)]
        found = rules_of(session, owners)
        if as_json:
            print_json([rule_as_json(session, rule) for rule, _ in found])
            return
        if not found:
            console.print("There are no rules yet. `recourse rules add COURSE` makes one.")
            return
        table = Table("Rule", "Course", "When", "State", "Next look", "Waits for")
        table.columns[0].no_wrap, table.columns[0].overflow = True, "fold"
        for rule, code in found:
            table.add_row(
                str(rule.id),
                code,
                when_in_words(terms_of(session, rule)),
                rule.state.value,
                f"{on_its_clock(rule.look_at, rule.time_zone)} {rule.time_zone}" if rule.look_at else "",
                rule.waits_for or "",
            )
        console.print(table)


@rules.command("show")
def show_command(rule: RuleId, as_json: AsJson = False) -> None:
    """Show a rule in plain words: what it does, who confirmed it, and over what preview."""
    with surroundings(), transaction() as session:
        print_rule(session, _rule(session, rule), as_json=as_json)


@rules.command("dry-run")
def dry_run_command(rule: RuleId, as_json: AsJson = False) -> None:
    """Show the next 12 occurrences and who would be reset, as things are now. Changes nothing."""
    with surroundings(), transaction() as session:
        found = _rule(session, rule)
        ahead, time_zone = dry_run(session, found.organization_id, terms_of(session, found)), found.time_zone
    if as_json:
        print_json([vars(one) for one in ahead])
    else:
        console.print(ahead_table(ahead, time_zone) if ahead else "Nothing lies ahead of it.")


@rules.command("history")
def history_command(
    rule: RuleId, limit: Annotated[int, typer.Option(min=1, max=1000)] = 50, as_json: AsJson = False
) -> None:
    """Show what became of a rule's occurrences, latest first; learners who came due together are one line."""
    with surroundings(), transaction() as session:
        found = _rule(session, rule)
        became = history_of(session, found, limit=limit)
        time_zone = found.time_zone
    if as_json:
        names = {"due_at": "due_at", "state": "state", "reset": "reset_id", "reason": "reason"}
        names |= {"occurrences": "occurrences"}
        print_json([{key: getattr(one, name) for key, name in names.items()} for one in became])
        return
    table = Table(f"Due ({time_zone})", "State", "Occurrences", "Reset", "Why")
    for one in became:
        due = on_its_clock(one.due_at, time_zone)
        table.add_row(due, one.state.value, f"{one.occurrences:,}", str(one.reset_id or ""), one.reason or "")
    console.print(table if became else "It was never due yet.")


@rules.command("pause")
def pause_command(rule: RuleId, as_: As = None) -> None:
    """Keep a rule from firing; what comes due meanwhile is skipped."""
    with surroundings(), transaction() as session:
        found = _rule(session, rule)
        pause(session, _actor_for(session, found, as_), found)
    console.print("The rule is paused.")


@rules.command("resume")
def resume_command(rule: RuleId, as_: As = None) -> None:
    """Have a paused rule fire again, from now on."""
    with surroundings(), transaction() as session:
        found = _rule(session, rule)
        resume(session, _actor_for(session, found, as_), found)
    console.print("The rule is active again. What came due in the pause is skipped.")


@rules.command("remove")
def remove_command(rule: RuleId, as_: As = None) -> None:
    """Take a rule away for good; its history stays, and resets under way go on."""
    with surroundings(), transaction() as session:
        found = _rule(session, rule)
        remove(session, _actor_for(session, found, as_), found)
    console.print("The rule is removed.")


@rules.command("confirm")
def confirm_command(
    rule: RuleId,
    confirm: Confirm = None,
    most_learners: MostLearners = None,
    most_a_day: MostADay = None,
    as_: As = None,
) -> None:
    """Confirm a rule anew, for its audience as it is now. What waited goes on; whoever confirms it owns it."""
    with surroundings():
        with transaction() as session:
            found = _rule(session, rule)
            who = _actor_for(session, found, as_)
            proposal = propose_again(session, who, found, most_learners=most_learners, most_a_day=most_a_day)
            ahead = dry_run(session, who.organization_id, proposal.terms)
        code = _asked(proposal, ahead, confirm)
        with transaction() as session:
            print_rule(session, confirm_again(session, who, proposal=proposal.token, confirm=code), as_json=False)


def _terms(**terms: Any) -> Terms:
    try:
        return Terms(**terms)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise RuleInvalid(f"Check what was given: {wrong}.") from None


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise RuleInvalid("Check the time: write it like 2027-03-01T06:00.") from None
    if moment.tzinfo is not None:
        raise RuleInvalid("Check the time: it is on the clock of --time-zone, so it has no offset of its own.")
    return moment


def _time(text: str | None) -> time | None:
    try:
        return None if text is None else time.fromisoformat(text)
    except ValueError:
        raise RuleInvalid("Check the time of day: write it like 06:00.") from None


def _rule(session: Session, rule_id: str) -> Rule:
    for organization in organizations(session, None):
        try:
            return rule_of(session, organization.id, rule_id)
        except RuleUnknown:
            continue
    raise RuleUnknown(rule_id)


def _actor_for(session: Session, rule: Rule, email: str | None) -> Actor:
    return actor(session, session.get_one(Organization, rule.organization_id), email)


def _asked(proposal: Proposal, ahead: list[Ahead], confirm: str | None) -> str:
    """The course code that confirms, after saying what would be confirmed."""
    for sentence in proposal.sentences:
        notes.print(sentence, highlight=False)
    figures = proposal.figures
    notes.print(f"Now that would be {figures.learners:,} learners and {sum(figures.removed.values()):,} records.")
    if ahead:
        notes.print(ahead_table(ahead, proposal.terms.time_zone))
    if confirm is None and sys.stdin.isatty():
        course = proposal.terms.course
        return Prompt.ask(f"Its resets cannot be undone. Type {course} to confirm", console=notes)
    return confirm or ""
