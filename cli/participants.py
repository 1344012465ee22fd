"""The commands about participants: systems that clear records of their own."""

from decimal import Decimal
from typing import Annotated

import typer
from rich.table import Table

from cli.acting_as import actor, one_organization
from cli.options import As, AsJson, Organization
from cli.servers_and_database import servers_and_database
from cli.terminal import answer, console, print_json, print_table, whole
from models.participants import ParticipantKind
from models.session import transaction
from tasks.participants.commands import (
    Terms,
    add_participant,
    ask_now,
    disable_participant,
    enable_participant,
    remove_participant,
    renew_participant_secret,
    show_participant_secret,
)
from tasks.participants.lookup import facts_of, participant_line, participants_seen_by
from tasks.webhooks import checked_address

app = typer.Typer()
participants = typer.Typer(
    help="Manage the systems that clear records of their own with each reset, such as an LMS.", no_args_is_help=True
)
app.add_typer(participants, name="participants")

Code = Annotated[str, typer.Argument(metavar="NAME", help="The participant's name, such as “scorm”.")]


@participants.command("add")
def add_command(
    code: Code,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Its HTTP endpoint, which gets signed requests.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="TASK", help="The name of a Celery task of your own, on the same broker.")
    ] = None,
    queue: Annotated[str | None, typer.Option(metavar="QUEUE", help="The queue of --task.")] = None,
    plugin: Annotated[
        str | None, typer.Option(metavar="PLUGIN", help="A plug-in, by the name that its package registers.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="An option of --plugin, such as a URL or a key. Repeat it for more."),
    ] = None,
    course: Annotated[
        list[str] | None,
        typer.Option(metavar="COURSE", help="Only for this course; repeat it for more. Default: all courses."),
    ] = None,
    learners_at_once: Annotated[int, typer.Option(metavar="N", help="The most learners in one request.")] = 100,
    per_second: Annotated[
        float | None, typer.Option(metavar="N", help="The most requests per second. Default: no limit.")
    ] = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Add a participant. From the next reset on, it is asked about every learner who is reset.

    Example: `recourse participants add lms --url https://lms.example.org/recourse`
    """
    kind, target = _how(url, task, queue, plugin)
    options = dict(_pair(one) for one in option or ())
    with servers_and_database():
        if kind == ParticipantKind.HTTP:
            target = str(checked_address(target).url)
        rate = Decimal(str(per_second)) if per_second is not None else None
        terms = Terms(kind, target, queue, options, tuple(course or ()), learners_at_once, rate)
        with transaction() as session:
            who = actor(session, one_organization(session, organization), as_)
            added = add_participant(session, who, code, terms)
            secret = None if kind == ParticipantKind.PLUGIN else added.secret()
            facts = facts_of(participant_line(session, who, code)) | {"secret": secret}
    sentence = f"{code} takes part from the next reset on." + (f"\nSecret   {secret}" if secret else "")
    answer(facts, sentence, as_json=as_json)


def _how(url: str | None, task: str | None, queue: str | None, plugin: str | None) -> tuple[ParticipantKind, str]:
    given = {ParticipantKind.HTTP: url, ParticipantKind.CELERY: task, ParticipantKind.PLUGIN: plugin}
    named = [(kind, target) for kind, target in given.items() if target is not None]
    if len(named) != 1:
        raise typer.BadParameter("Say how it is asked with one of --url, --task and --plugin.")
    if (queue is not None) != (task is not None):
        raise typer.BadParameter("--task and --queue belong together.")
    return named[0]


def _pair(text: str) -> tuple[str, str]:
    name, is_pair, value = text.partition("=")
    if not is_pair:
        raise typer.BadParameter(f"Write an option like NAME=VALUE, not {text}.")
    return name, value


@participants.command("list")
def list_command(organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """List the participants, with the requests that wait for each."""
    with servers_and_database(), transaction() as session:
        lines = participants_seen_by(session, actor(session, one_organization(session, organization), as_))
        session.expunge_all()
    if as_json:
        print_json([facts_of(line) for line in lines])
        return
    if not lines:
        console.print("There are no participants yet. `recourse participants add NAME --url URL` adds one.")
        return
    table = whole(Table("Name", "Asked by", "Courses", "State", "Waiting", "Given up"), "Name")
    for line in lines:
        table.add_row(
            line.participant.code,
            line.participant.asked_at,
            ", ".join(line.courses) or "all",
            "disabled" if line.participant.disabled_at else "enabled",
            f"{line.waiting:,}",
            f"{line.given_up:,}",
        )
    print_table(table)


@participants.command("disable")
def disable_command(code: Code, organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Stop asking a participant. Learners who wait for it fail, and can be retried once it is enabled."""
    with servers_and_database(), transaction() as session:
        who = actor(session, one_organization(session, organization), as_)
        disable_participant(session, who, code)
        facts = facts_of(participant_line(session, who, code))
    answer(facts, f"{code} is disabled.", as_json=as_json)


@participants.command("enable")
def enable_command(code: Code, organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Ask a participant again, from the next reset on."""
    with servers_and_database(), transaction() as session:
        who = actor(session, one_organization(session, organization), as_)
        enable_participant(session, who, code)
        facts = facts_of(participant_line(session, who, code))
    answer(facts, f"{code} is enabled.", as_json=as_json)


@participants.command("ask-now")
def ask_now_command(code: Code, organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Ask a participant that is back at once, and not at the next time that is due."""
    with servers_and_database(), transaction() as session:
        who = actor(session, one_organization(session, organization), as_)
        waiting = ask_now(session, who, code)
        facts = facts_of(participant_line(session, who, code))
    sentence = f"{code} is asked again: {waiting:,} {'request' if waiting == 1 else 'requests'}."
    answer(facts, sentence, as_json=as_json)


@participants.command("secret")
def secret_command(
    code: Code,
    new: Annotated[bool, typer.Option("--new", help="Create a new secret. The old one stays valid for a day.")] = False,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Print the secret that requests and reports are signed with."""
    with servers_and_database(), transaction() as session:
        who = actor(session, one_organization(session, organization), as_)
        secret = (renew_participant_secret if new else show_participant_secret)(session, who, code)
    answer({"secret": secret}, secret, as_json=as_json)


@participants.command("remove")
def remove_command(code: Code, organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Remove a participant. Learners who wait for it fail."""
    with servers_and_database(), transaction() as session:
        remove_participant(session, actor(session, one_organization(session, organization), as_), code)
    answer({"id": code, "outcome": "removed"}, f"{code} is removed.", as_json=as_json)
