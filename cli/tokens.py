"""The commands about the tokens that programs use the HTTP API and the broker with."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.table import Table

from cli.acting_as import one_organization, organization_of_user, organizations
from cli.options import AsJson, OnlyOrganization, Organization
from cli.servers_and_database import servers_and_database
from cli.terminal import answer, console, notes, print_json, print_table
from models.access import console_operator
from models.directory import user_by_address
from models.session import transaction
from models.tokens import ApiToken, Scope, state_of, token_with, tokens_of
from tasks.people.tokens import create_token, revoke_token, show_message_secret

app = typer.Typer()
tokens = typer.Typer(help="Manage the tokens that programs use the HTTP API and the broker with.", no_args_is_help=True)
app.add_typer(tokens, name="token")

TokenId = Annotated[int, typer.Argument(metavar="ID", help="The token's id, from `recourse token list`.")]


@tokens.command("create")
def create_command(
    email: Annotated[
        str, typer.Argument(metavar="EMAIL", help="The user whom the token acts as, with their permissions.")
    ],
    name: Annotated[str, typer.Option(help="What the token is for, such as “incident system”.")],
    scope: Annotated[list[Scope], typer.Option(help="What the token may be used for. Repeat it for several scopes.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days until it expires.")] = 365,
    organization: Organization = None,
    as_json: AsJson = False,
) -> None:
    """Create a token and print it. Only its hash is kept, so it cannot be shown again.

    Example: `recourse token create kim@acme.example --name "incident system" --scope resets:read --scope resets:write`
    """
    with servers_and_database(), transaction() as session:
        owner = organization_of_user(session, email, organization)
        until = datetime.now(UTC) + timedelta(days=days)
        user = user_by_address(session, owner.id, email)
        text = create_token(session, console_operator(owner), user, name, scope, until)
        facts = _facts(token_with(session, text), user.email)
    notes.print(f"Store it safely: it is not shown again. It expires on {until:%Y-%m-%d}.", style="dim")
    answer(facts | {"token": text}, text, as_json=as_json)


@tokens.command("list")
def list_command(organization: OnlyOrganization = None, as_json: AsJson = False) -> None:
    """List the tokens, their users, and when they were last used."""
    with servers_and_database(), transaction() as session:
        found = tokens_of(session, [owner.id for owner in organizations(session, organization)])
    if as_json:
        print_json([_facts(token, email) for token, email in found])
    elif found:
        table = Table("Id", "User", "For", "Scopes", "State", "Expires", "Last used")
        for token, email in found:
            when = (f"{moment:%Y-%m-%d}" if moment else "never" for moment in (token.expires_at, token.used_at))
            table.add_row(str(token.id), email, token.name, " ".join(token.scopes), state_of(token), *when)
        print_table(table)
    else:
        console.print("There are no tokens yet. `recourse token create EMAIL` creates one.")


@tokens.command("message-secret")
def message_secret_command(token: TokenId, organization: Organization = None, as_json: AsJson = False) -> None:
    """Print the secret with which an application signs its messages through the broker.

    The token's id says who signs. The secret is valid as long as the token, and for the token's scopes.
    """
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        secret = show_message_secret(session, console_operator(owner), owner.id, token)
    notes.print("Store it safely. The application sends the token's id with each message.", style="dim")
    answer({"secret": secret}, secret, as_json=as_json)


@tokens.command("revoke")
def revoke_command(token: TokenId, organization: Organization = None, as_json: AsJson = False) -> None:
    """Revoke a token. It is refused from now on."""
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        revoke_token(session, console_operator(owner), token)
        [(revoked, email)] = tokens_of(session, [owner.id], after=token - 1, limit=1)
    answer(_facts(revoked, email), "The token is revoked.", as_json=as_json)


def _facts(token: ApiToken, email: str) -> dict[str, Any]:
    return {
        "id": token.id,
        "user_id": token.user_id,
        "email": email,
        "name": token.name,
        "scopes": token.scopes,
        "permissions": token.permissions,
        "state": state_of(token),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "used_at": token.used_at,
    }
