"""The commands about single sign-on."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.acting_as import actor, one_organization, organization_of_user
from cli.options import As, AsJson, Organization
from cli.passwords import asked_password
from cli.servers_and_database import servers_and_database
from cli.terminal import answer, console, notes, print_json, print_table
from cli.users import Email, PermissionName
from models.access import Actor, Permission
from models.directory import user_by_address
from models.session import Session, transaction
from models.sign_on import ClaimsFrom, IdentityProvider, facts_of
from tasks.sign_on.commands import (
    Terms,
    checked,
    provider_seen_by,
    release,
    remove_provider,
    set_provider,
    turn_passwords_off,
    turn_passwords_on,
)

app = typer.Typer()
sign_on = typer.Typer(
    help="Manage single sign-on: the OpenID Connect provider that an organization signs in with.", no_args_is_help=True
)
app.add_typer(sign_on, name="sign-on")


class Source(StrEnum):
    """Where claims come from, as the command line calls it."""

    USERINFO = "userinfo"
    ID_TOKEN = "id-token"  # noqa: S105 - a word


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


@sign_on.command("set")
def set_command(
    issuer: Annotated[
        str,
        typer.Option(metavar="URL", help="The provider's issuer, exactly as its discovery document says it."),
    ],
    client_id: Annotated[str, typer.Option(metavar="ID", help="The client that you registered there for Recourse.")],
    client_secret_stdin: Annotated[
        bool, typer.Option("--client-secret-stdin", help="Read the client's secret from standard input.")
    ] = False,
    name: Annotated[
        str, typer.Option(help="What people call the provider, for the button “Sign in with …”.")
    ] = "single sign-on",
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="SCOPE", help="A scope to ask for besides openid, email and profile. Repeat it for more."),
    ] = None,
    claims_from: Annotated[
        Source, typer.Option(help="Where roles and addresses are read: id-token for Microsoft Entra, else userinfo.")
    ] = Source.USERINFO,
    external_id_claim: Annotated[
        str | None, typer.Option(metavar="CLAIM", help="A claim that equals a user's external id here.")
    ] = None,
    by_address: Annotated[
        bool, typer.Option("--by-address/--no-address", help="Find users by their verified e-mail address.")
    ] = True,
    trust_addresses: Annotated[
        bool,
        typer.Option("--trust-addresses", help="Also by an address that the provider does not call verified."),
    ] = False,
    roles_claim: Annotated[
        str | None,
        typer.Option(metavar="CLAIM", help="The claim that decides permissions, such as groups or realm_access.roles."),
    ] = None,
    role: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VALUE=PERMISSION", help="A value of that claim and its permission, users or courses. Repeat it."
        ),
    ] = None,
    add_users: Annotated[bool, typer.Option("--add-users", help="Add users who are unknown here.")] = False,
    check_seconds: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Seconds between two checks of someone with permissions. Default: 0, which is at each request, with "
            "userinfo; 60 with id-token.",
        ),
    ] = None,
    away_seconds: Annotated[
        int, typer.Option(metavar="N", help="How long permissions hold while the provider is down.")
    ] = 300,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Set the provider that the organization signs in with, in place of what was set before.

    An option that you leave out gets its default. The client's secret stays unless you give a new one, or change the
    issuer or the client. The command first asks the provider for its endpoints and keys.

    Example: `recourse sign-on set --issuer https://login.example.org/realms/acme --client-id recourse --name Keycloak
    --roles-claim realm_access.roles --role training-admin=courses --role hr=users`
    """
    secret = asked_password("Client secret (empty for none, or to keep it)", from_stdin=client_secret_stdin)
    terms = Terms(
        issuer=issuer,
        client_id=client_id,
        name=name,
        scopes=("openid", "email", "profile", *(scope or ())),
        claims_from=ClaimsFrom(claims_from.replace("-", "_")),
        by_address=by_address,
        trusts_addresses=trust_addresses,
        external_id_claim=external_id_claim,
        roles_claim=roles_claim,
        roles=_roles(role or ()),
        adds_users=add_users,
        check_seconds=check_seconds,
        away_seconds=away_seconds,
    )
    with servers_and_database():
        endpoints = checked(terms)
        with transaction() as session:
            owner = one_organization(session, organization)
            who = actor(session, owner, as_)
            before = session.get(IdentityProvider, owner.id)
            same = before is not None and (before.issuer, before.client_id) == (issuer, client_id)
            set_provider(session, who, terms, secret, keeps_secret=same and not secret)
            facts, slug = _facts(session, who, owner.slug), owner.slug
    answer(facts, f"{slug} signs in with {name}.", as_json=as_json)
    to = notes if as_json else console
    if endpoints.end_session is None:
        to.print(f"{name} has no page to sign out at: signing out here leaves people signed in there.")
    if not endpoints.tells_of_sign_outs:
        to.print(f"{name} does not say that it tells of sign-outs there. Recourse notices them at its next check.")
    if not as_json:
        _print_addresses(slug)


def _roles(pairs: tuple[str, ...] | list[str]) -> dict[str, list[Permission]]:
    roles: dict[str, list[Permission]] = {}
    for pair in pairs:
        value, _, permission = pair.rpartition("=")
        if not value or permission not in list(PermissionName):
            raise typer.BadParameter(f"Write a role like VALUE=users or VALUE=courses, not {pair}.")
        roles.setdefault(value, []).append(Permission[PermissionName(permission).name])
    return roles


@sign_on.command("show")
def show_command(organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Show the provider, and the addresses to enter there. The client's secret is not shown."""
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        facts, slug = _facts(session, actor(session, owner, as_), owner.slug), owner.slug
    if as_json:
        print_json(facts)
        return
    if (found := facts["provider"]) is None:
        console.print("There is no single sign-on yet. `recourse sign-on set` sets it up.")
    else:
        table = Table(show_header=False)
        for fact, value in found.items():
            table.add_row(fact.replace("_", " "), _in_words(value))
        print_table(table)
    _print_addresses(slug)


def _in_words(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return "\n".join(f"{of}: {', '.join(permissions)}" for of, permissions in value.items()) or "none"
        case None:
            return "none"
    return str(value)


@sign_on.command("remove")
def remove_command(organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Remove the provider, and end the sessions that began there. Users sign in with passwords again."""
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        who = actor(session, owner, as_)
        ended = remove_provider(session, who)
        facts, slug = _facts(session, who, owner.slug), owner.slug
    sentence = f"{slug} has no single sign-on any more. {_sessions(ended)}"
    answer(facts | {"sessions_ended": ended}, sentence, as_json=as_json)


@sign_on.command("passwords")
def passwords_command(
    switch: Annotated[Switch, typer.Argument(metavar="on|off", help="Whether passwords are accepted.")],
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Turn passwords off, so that everyone signs in at the provider, or on again.

    While they are off, nobody can sign in with a password, change it, or be given one. An operator at the console can
    always turn them on again, for example when the provider is down.
    """
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        who = actor(session, owner, as_)
        ended = 0
        if switch == Switch.OFF:
            ended = turn_passwords_off(session, who)
        else:
            turn_passwords_on(session, who)
        facts, slug = _facts(session, who, owner.slug), owner.slug
    sentence = f"Passwords of {slug} are turned {switch}.{f' {_sessions(ended)}' if ended else ''}"
    answer(facts | {"sessions_ended": ended}, sentence, as_json=as_json)


@sign_on.command("release")
def release_command(email: Email, organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Unbind a user from their account at the provider, for example when they got a new one there.

    The sessions that began there end, and the next sign-in binds the user again.
    """
    with servers_and_database(), transaction() as session:
        owner = organization_of_user(session, email, organization)
        who = actor(session, owner, as_)
        user = user_by_address(session, owner.id, email)
        bound = release(session, who, user)
    sentence = f"{email} is bound to no account at the provider{' any more' if bound else ''}."
    answer({"user_id": user.id, "email": user.email, "was_bound": bound}, sentence, as_json=as_json)


def _facts(session: Session, who: Actor, slug: str) -> dict[str, Any]:
    provider = provider_seen_by(session, who)
    return {"provider": facts_of(provider) if provider else None, "addresses": dict(_addresses(slug))}


def _sessions(ended: int) -> str:
    return f"{ended:,} {'session has' if ended == 1 else 'sessions have'} ended."


def _addresses(slug: str) -> list[tuple[str, str]]:
    from tasks.sign_on.client import back_channel_of, callback_of, signed_out_address  # loads Authlib

    return [
        ("redirect_uri", callback_of(slug)),
        ("post_logout_redirect_uri", signed_out_address()),
        ("backchannel_logout_uri", back_channel_of(slug)),
    ]


def _print_addresses(slug: str) -> None:
    console.print("Enter these addresses at the provider:")
    for what, address in _addresses(slug):
        console.print(f"  {what:26}{address}", highlight=False, soft_wrap=True)
