"""The commands about webhooks: addresses that are notified of resets."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from cli.acting_as import actor, one_organization
from cli.options import As, AsJson, Organization, moment
from cli.servers_and_database import servers_and_database
from cli.terminal import answer, console, print_json, print_table, whole
from models.access import Actor
from models.session import Session, transaction
from models.webhooks import WebhookEvent
from tasks import webhooks as commands

app = typer.Typer()
webhooks = typer.Typer(help="Manage the addresses that are notified of resets.", no_args_is_help=True)
app.add_typer(webhooks, name="webhook")

Id = Annotated[int, typer.Argument(metavar="ID", help="The webhook's id, from `recourse webhook list`.")]


@webhooks.command("add")
def add_command(
    url: Annotated[str, typer.Argument(metavar="URL", help="A public https address.")],
    event: Annotated[
        list[WebhookEvent] | None, typer.Option(help="What it is notified of. Repeat it for more; default: everything.")
    ] = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Add a webhook, and print the secret that its messages are signed with.

    Example: `recourse webhook add https://example.org/hook --event learner.reset`
    """
    with servers_and_database():
        address = commands.checked_address(url)
        with transaction() as session:
            who = actor(session, one_organization(session, organization), as_)
            endpoint = commands.open_endpoint(session, who, address, event or list(WebhookEvent))
            secret = endpoint.secret()
            sentence = f"Webhook {endpoint.id} is notified from now on.\nSecret   {secret}"
            answer(commands.facts_of(endpoint, 0) | {"secret": secret}, sentence, as_json=as_json)


@webhooks.command("list")
def list_command(organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """List the webhooks, with the messages that wait for each."""
    with servers_and_database(), transaction() as session:
        found = commands.endpoints(session, actor(session, one_organization(session, organization), as_))
        lines = [commands.facts_of(row.WebhookEndpoint, row.waiting) for row in found]
    if as_json:
        print_json(lines)
    elif lines:
        table = Table("Id", "Address", "Events", "State", "Waiting")
        for line in lines:
            state = "enabled" if line["enabled"] else ": ".join(filter(None, ("disabled", line["disabled_why"])))
            table.add_row(str(line["id"]), line["url"], " ".join(line["events"]), state, f"{line['waiting']:,}")
        print_table(table)
    else:
        console.print("There are no webhooks yet. `recourse webhook add URL` adds one.")


@webhooks.command("edit")
def edit_command(
    webhook: Id,
    url: Annotated[str | None, typer.Option(metavar="URL", help="The new address, a public https one.")] = None,
    event: Annotated[
        list[WebhookEvent] | None, typer.Option(help="What it is notified of from now on. Repeat it for more.")
    ] = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Change a webhook's address or events. Messages that wait go to the new address."""
    if url is None and not event:
        raise typer.BadParameter("Say what to change with --url or --event.")
    with servers_and_database():
        address = None if url is None else commands.checked_address(url)
        with transaction() as session:
            who = actor(session, one_organization(session, organization), as_)
            commands.change_endpoint(session, who, webhook, address=address, events=event or None)
            facts = _facts_of(session, who, webhook)
    answer(facts, f"Webhook {webhook} is changed.", as_json=as_json)


@webhooks.command("test")
def ping_command(webhook: Id, organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Send a signed ping to a webhook, and print what it answers."""
    with servers_and_database():
        with transaction() as session:
            who = actor(session, one_organization(session, organization), as_)
        pinged = commands.ping_endpoint(who, webhook)
    if as_json:
        print_json(asdict(pinged))
    else:
        console.print(f"{'It arrived' if pinged.taken else 'It did not arrive'}: {pinged.words}.", soft_wrap=True)
    if not pinged.taken:
        raise typer.Exit(1)


@webhooks.command("disable")
def disable_command(webhook: Id, organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Stop sending to a webhook. Messages that wait for it fail, and can be sent again."""
    with servers_and_database(), transaction() as session:
        who = actor(session, one_organization(session, organization), as_)
        commands.disable(session, who, webhook)
        facts = _facts_of(session, who, webhook)
    answer(facts, f"Webhook {webhook} is disabled.", as_json=as_json)


@webhooks.command("enable")
def enable_command(webhook: Id, organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Send to a webhook again, from now on."""
    with servers_and_database(), transaction() as session:
        who = actor(session, one_organization(session, organization), as_)
        commands.enable(session, who, webhook)
        facts = _facts_of(session, who, webhook)
    answer(facts, f"Webhook {webhook} is enabled.", as_json=as_json)


@webhooks.command("secret")
def secret_command(
    webhook: Id,
    new: Annotated[bool, typer.Option("--new", help="Create a new secret. The old one stays valid for a day.")] = False,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Print the secret that a webhook's messages are signed with."""
    with servers_and_database(), transaction() as session:
        who = actor(session, one_organization(session, organization), as_)
        secret = (commands.renew_endpoint_secret if new else commands.show_endpoint_secret)(session, who, webhook)
    answer({"secret": secret}, secret, as_json=as_json)


@webhooks.command("deliveries")
def deliveries_command(
    webhook: Id,
    most: Annotated[int, typer.Option(min=1, max=1000, help="The most deliveries to list.")] = 20,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """List what was sent to a webhook, newest first."""
    with servers_and_database(), transaction() as session:
        who = actor(session, one_organization(session, organization), as_)
        found = commands.deliveries(session, commands.find_endpoint(session, who, webhook), None, most)
        lines: list[dict[str, Any]] = [
            {
                "message_id": str(message.id),
                "event": message.event.value,
                "reset_id": str(message.reset_id),
                "created_at": message.created_at,
                "state": delivery.state.value,
                "attempts": delivery.attempts,
                "outcome": delivery.outcome,
                "tried_at": delivery.tried_at,
                "delivered_at": delivery.delivered_at,
            }
            for delivery, message in found
        ]
    if as_json:
        print_json(lines)
    elif lines:
        table = whole(Table("Message", "Event", "Created", "State", "Attempts", "Outcome"), "Message")
        for line in lines:
            when = f"{line['created_at']:%Y-%m-%d %H:%M}"
            attempts = str(line["attempts"])
            table.add_row(line["message_id"], line["event"], when, line["state"], attempts, line["outcome"] or "")
        print_table(table)
    else:
        console.print("Nothing was sent to this webhook yet.")


@webhooks.command("send-again")
def send_again_command(
    webhook: Id,
    message: Annotated[
        UUID, typer.Argument(metavar="MESSAGE", help="The message's id, from `recourse webhook deliveries`.")
    ],
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Send a message to a webhook again, with its original id."""
    with servers_and_database(), transaction() as session:
        who = actor(session, one_organization(session, organization), as_)
        commands.send_again(session, who, webhook, message)
    answer({"messages": 1}, "The message is sent again.", as_json=as_json)


@webhooks.command("send-failed-again")
def send_failed_again_command(
    webhook: Id,
    since: Annotated[
        datetime,
        typer.Option(parser=moment, metavar="TIME", help="Messages created since then; UTC without an offset."),
    ],
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Send every failed message to a webhook again that was created since a time.

    Example: `recourse webhook send-failed-again 7 --since 2027-01-31T12:00`
    """
    with servers_and_database(), transaction() as session:
        who = actor(session, one_organization(session, organization), as_)
        sent = commands.send_failed_again(session, who, webhook, since)
    sentence = f"{sent:,} {'message is' if sent == 1 else 'messages are'} sent again."
    answer({"messages": sent}, sentence, as_json=as_json)


@webhooks.command("remove")
def remove_command(webhook: Id, organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Remove a webhook and the log of its deliveries."""
    with servers_and_database(), transaction() as session:
        commands.delete_endpoint(session, actor(session, one_organization(session, organization), as_), webhook)
    answer({"id": webhook, "outcome": "removed"}, f"Webhook {webhook} is removed.", as_json=as_json)


def _facts_of(session: Session, who: Actor, webhook: int) -> dict[str, Any]:
    endpoint = commands.find_endpoint(session, who, webhook)
    return commands.facts_of(endpoint, commands.waiting_for(session, endpoint))
