"""The commands that pause and resume a reset, an organization, or everything."""

from typing import Annotated

import typer

from cli.acting_as import actor, one_organization, reset_and_actor
from cli.options import As, OnlyOrganization
from cli.servers_and_database import servers_and_database
from cli.terminal import console
from models.access import console_account
from models.session import Session, transaction
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
) -> None:
    """Pause a reset, an organization or everything. What is being cleared ends, and nothing further begins.

    Example: `recourse pause --organization acme --reason "wrong figures"`
    """
    _check(reset, organization, as_, everything=everything)
    with servers_and_database(), transaction() as session:
        if everything:
            pause_everything(session, console_account(), reason)
            _say("Everything is paused. `recourse resume --everything` continues.")
        elif reset is not None:
            found, who = reset_and_actor(session, reset, as_)
            pause_reset(session, who, found, reason)
            _say(f"Reset {found.id} is paused. `recourse resume {found.id}` continues it.")
        else:
            slug = _organization(session, organization, as_, reason)
            _say(f"Organization {slug} is paused. `recourse resume --organization {slug}` continues.")


@app.command("resume")
def resume_command(
    reset: OneReset = None,
    organization: OnlyOrganization = None,
    everything: Everything = False,
    as_: As = None,
) -> None:
    """Resume a reset, an organization or everything. What is paused by itself stays paused."""
    _check(reset, organization, as_, everything=everything)
    with servers_and_database() as workers:
        with transaction() as session:
            if everything:
                resumed = resume_everything(session, console_account())
                _say("Everything continues." if resumed else "The installation was not paused as a whole.")
            elif reset is not None:
                found, who = reset_and_actor(session, reset, as_)
                resume_reset(session, who, found)
                _say(f"Reset {found.id} continues. `recourse show {found.id} --watch` follows it.")
            else:
                _say(f"Organization {_organization(session, organization, as_, None)} continues.")
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


def _say(words: str) -> None:
    console.print(words, highlight=False, soft_wrap=True)
