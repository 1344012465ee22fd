"""The commands that pause and resume a reset, an organization, or everything."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.acting_as import actor, one_organization, reset_and_actor
from cli.options import As, AsJson, OnlyOrganization
from cli.servers_and_database import servers_and_database
from cli.terminal import answer
from models.access import console_account
from models.resets import Reset
from models.session import Session, transaction
from tasks.people.organizations import organizations
from tasks.reset.lookup import facts_of, line_of
from tasks.reset.pause import (
    pause_everything,
    pause_organization,
    pause_reset,
    resume_everything,
    resume_organization,
    resume_reset,
)

app = typer.Typer()

OneReset = Annotated[
    str | None, typer.Argument(metavar="[RESET]", help="The reset's id; or name an organization, or everything.")
]
Everything = Annotated[bool, typer.Option("--everything", help="All organizations of the installation.")]


@app.command("pause")
def pause_command(
    reason: Annotated[str, typer.Option(help="Why, for everyone who waits for it.")],
    reset: OneReset = None,
    organization: OnlyOrganization = None,
    everything: Everything = False,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Pause a reset, an organization or everything. Learners who are being reset are finished; no others begin.

    Example: `recourse pause --organization acme --reason "wrong figures"`
    """
    _check(reset, organization, as_, everything=everything)
    with servers_and_database(), transaction() as session:
        if everything:
            pause_everything(session, console_account(), reason)
            words = "Everything is paused. `recourse resume --everything` continues."
            answer(_facts(session, None, as_json=as_json), words, as_json=as_json)
        elif reset is not None:
            found, who = reset_and_actor(session, reset, as_)
            pause_reset(session, who, found, reason)
            words = f"Reset {found.id} is paused. `recourse resume {found.id}` continues it."
            answer(_facts(session, found, as_json=as_json), words, as_json=as_json)
        else:
            slug = _organization(session, organization, as_, reason)
            words = f"Organization {slug} is paused. `recourse resume --organization {slug}` continues."
            answer(_facts(session, slug, as_json=as_json), words, as_json=as_json)


@app.command("resume")
def resume_command(
    reset: OneReset = None,
    organization: OnlyOrganization = None,
    everything: Everything = False,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Resume a reset, an organization or everything. What is paused by itself stays paused."""
    _check(reset, organization, as_, everything=everything)
    with servers_and_database() as workers:
        with transaction() as session:
            if everything:
                resumed = resume_everything(session, console_account())
                words = "Everything continues." if resumed else "The installation was not paused as a whole."
                answer(_facts(session, None, as_json=as_json), words, as_json=as_json)
            elif reset is not None:
                found, who = reset_and_actor(session, reset, as_)
                resume_reset(session, who, found)
                words = f"Reset {found.id} continues. `recourse show {found.id} --watch` follows it."
                answer(_facts(session, found, as_json=as_json), words, as_json=as_json)
            else:
                slug = _organization(session, organization, as_, None)
                answer(_facts(session, slug, as_json=as_json), f"Organization {slug} continues.", as_json=as_json)
        if reset is not None:
            workers.ensure()


def _organization(session: Session, slug: str | None, email: str | None, reason: str | None) -> str:
    """Pause the organization, or resume it without a reason. Returns its short name."""
    found = one_organization(session, slug)
    who = actor(session, found, email)
    if reason is None:
        resume_organization(session, who)
    else:
        pause_organization(session, who, reason)
    return found.slug


def _check(reset: str | None, organization: str | None, email: str | None, *, everything: bool) -> None:
    named = sum((reset is not None, organization is not None, everything))
    if named != 1:
        raise typer.BadParameter("Name one of: a reset, --organization SLUG, --everything.")
    if everything and email is not None:
        raise typer.BadParameter("Only an operator can do this to everything. Leave out --as.")


def _facts(session: Session, what: Reset | str | None, *, as_json: bool) -> Any:
    """Returns the reset, the organization with this short name, or all organizations; only for JSON: it takes time."""
    if not as_json:
        return None
    if isinstance(what, Reset):
        return facts_of(session, line_of(session, what))
    lines = [asdict(line) for line in organizations(session, [] if what is None else [what])]
    return lines if what is None else lines[0]
