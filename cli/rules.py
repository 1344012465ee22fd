"""The commands about retraining rules."""

from datetime import datetime
from typing import Annotated, Any

import typer

from cli.acting_as import organizations, rule_and_actor
from cli.options import As, AsJson, OnlyOrganization, local_moment
from cli.rule_new import Confirm, MostADay, MostLearners, add_command, confirmation_of, show_proposal
from cli.rule_tables import ahead_table, history_table, print_rule, rule_as_json, rules_table
from cli.servers_and_database import servers_and_database
from cli.terminal import answer, console, print_json, print_table
from models.session import transaction
from tasks.rules.dry_run import dry_run
from tasks.rules.history import history_of, rules_of
from tasks.rules.lifecycle import confirm_again, pause, remove, resume
from tasks.rules.proposals import propose_again, propose_with
from tasks.rules.terms import terms_of

app = typer.Typer()
rules = typer.Typer(
    help="Reset courses by rule: every year, some months after completion, after an event.", no_args_is_help=True
)
app.add_typer(rules, name="rules")
rules.command("add")(add_command)

RuleId = Annotated[
    str, typer.Argument(metavar="RULE", help="The rule's id, or a part of it, from `recourse rules list`.")
]


@rules.command("list")
def list_command(organization: OnlyOrganization = None, as_json: AsJson = False) -> None:
    """List the rules. Those on hold come first."""
    with servers_and_database(), transaction() as session:
        found = rules_of(session, [one.id for one in organizations(session, organization)])
        if as_json:
            print_json([rule_as_json(session, rule) for rule, _ in found])
        elif found:
            print_table(rules_table(session, found))
        else:
            console.print("There are no rules yet. `recourse rules add COURSE` adds one.")


@rules.command("show")
def show_command(rule: RuleId, as_json: AsJson = False) -> None:
    """Show a rule: what it does, who confirmed it, and the preview they saw."""
    with servers_and_database(), transaction() as session:
        found, _ = rule_and_actor(session, rule, None)
        print_rule(session, found, as_json=as_json)


@rules.command("dry-run")
def dry_run_command(rule: RuleId, as_json: AsJson = False) -> None:
    """Show the next 12 due times, and who would be reset as of now. Changes nothing."""
    with servers_and_database(), transaction() as session:
        found, who = rule_and_actor(session, rule, None)
        ahead = dry_run(session, who.organization_id, terms_of(session, found))
    if as_json:
        print_json([vars(one) for one in ahead])
    elif ahead:
        print_table(ahead_table(ahead, found.time_zone))
    else:
        console.print("It has no upcoming due times.")


@rules.command("history")
def history_command(
    rule: RuleId,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Show at most this many rows.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Show the results of a rule's past due times, latest first. Learners who were due together share a row."""
    with servers_and_database(), transaction() as session:
        found, _ = rule_and_actor(session, rule, None)
        history = history_of(session, found, limit=limit)
    if as_json:
        print_json(
            [
                {
                    "due_at": one.due_at,
                    "state": one.state,
                    "reset_id": one.reset_id,
                    "reason": one.reason,
                    "occurrences": one.occurrences,
                    "learners": one.learners,
                }
                for one in history
            ]
        )
    elif history:
        print_table(history_table(history, found.time_zone))
    else:
        console.print("Not due yet.")


@rules.command("pause")
def pause_command(rule: RuleId, as_: As = None, as_json: AsJson = False) -> None:
    """Pause a rule. Due times during the pause are skipped."""
    with servers_and_database(), transaction() as session:
        found, who = rule_and_actor(session, rule, as_)
        pause(session, who, found)
        facts = rule_as_json(session, found)
    answer(facts, "The rule is paused. `recourse rules resume RULE` resumes it.", as_json=as_json)


@rules.command("resume")
def resume_command(rule: RuleId, as_: As = None, as_json: AsJson = False) -> None:
    """Resume a paused rule."""
    with servers_and_database(), transaction() as session:
        found, who = rule_and_actor(session, rule, as_)
        resume(session, who, found)
        facts = rule_as_json(session, found)
    answer(facts, "The rule is active again. Due times during the pause are skipped.", as_json=as_json)


@rules.command("remove")
def remove_command(rule: RuleId, as_: As = None, as_json: AsJson = False) -> None:
    """Remove a rule for good. Its history stays, and running resets continue."""
    with servers_and_database(), transaction() as session:
        found, who = rule_and_actor(session, rule, as_)
        remove(session, who, found)
        facts = rule_as_json(session, found)
    answer(facts, "The rule is removed.", as_json=as_json)


@rules.command("edit")
def edit_command(
    rule: RuleId,
    name: Annotated[str | None, typer.Option(help="A name for people to read; empty for none.")] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="The new reason.")] = None,
    every: Annotated[str | None, typer.Option(metavar="RRULE", help="The new recurrence, such as FREQ=YEARLY.")] = None,
    starts: Annotated[
        datetime | None, typer.Option(metavar="WHEN", parser=local_moment, help="The new first, or only, time.")
    ] = None,
    months: Annotated[int | None, typer.Option(min=1, metavar="MONTHS", help="Months after completion.")] = None,
    time_zone: Annotated[str | None, typer.Option(metavar="ZONE", help="The time zone of these times.")] = None,
    warn_days: Annotated[int | None, typer.Option(min=0, metavar="DAYS", help="Warn this many days before.")] = None,
    due_in_days: Annotated[
        int | None, typer.Option(min=0, metavar="DAYS", help="New due date, days after the reset; 0 for none.")
    ] = None,
    most_learners: Annotated[int | None, typer.Option(min=0, metavar="NUMBER", help="At once; 0: no limit.")] = None,
    most_a_day: Annotated[int | None, typer.Option(min=0, metavar="NUMBER", help="In a day; 0: no limit.")] = None,
    confirm: Confirm = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Change a rule. It shows what the rule would then do, and asks for the course code; you become its owner.

    Example: `recourse rules edit RULE --every "FREQ=MONTHLY;INTERVAL=6" --warn-days 14`
    """
    given: dict[str, Any] = {
        "name": name,
        "reason": reason,
        "recurrence": every,
        "starts": starts,
        "months": months,
        "time_zone": time_zone,
        "warn_days": warn_days,
        "due_in_days": due_in_days,
        "most_learners": most_learners,
        "most_a_day": most_a_day,
    }
    changes = {term: value for term, value in given.items() if value is not None}
    if not changes:
        raise typer.BadParameter("Say what to change, for example with --every or --warn-days.")
    for term in ("name", "due_in_days", "most_learners", "most_a_day"):
        if term in changes:
            changes[term] = changes[term] or None
    with servers_and_database():
        with transaction() as session:
            found, who = rule_and_actor(session, rule, as_)
            proposal = propose_with(session, who, found, changes)
            show_proposal(session, who, proposal)
        code = confirmation_of(proposal, confirm)
        with transaction() as session:
            print_rule(session, confirm_again(session, who, proposal=proposal.token, confirm=code), as_json=as_json)


@rules.command("confirm")
def confirm_command(
    rule: RuleId,
    confirm: Confirm = None,
    most_learners: MostLearners = None,
    most_a_day: MostADay = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Confirm a rule again, for its audience as of now. You become its owner, and a rule on hold continues."""
    with servers_and_database():
        with transaction() as session:
            found, who = rule_and_actor(session, rule, as_)
            proposal = propose_again(session, who, found, most_learners=most_learners, most_a_day=most_a_day)
            show_proposal(session, who, proposal)
        code = confirmation_of(proposal, confirm)
        with transaction() as session:
            print_rule(session, confirm_again(session, who, proposal=proposal.token, confirm=code), as_json=as_json)
