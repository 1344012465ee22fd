"""The commands about evidence: files of a reset, the store of evidence before deletion, the key, and checking."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from cli.acting_as import actor, one_organization, reset_and_actor
from cli.options import As, AsJson, Organization, ResetId
from cli.passwords import asked_password
from cli.servers_and_database import servers_and_database
from cli.terminal import answer, console, notes, print_json
from models.access import Actor
from models.evidence import EvidenceKey
from models.session import Session, transaction
from tasks.evidence.commands import Terms, set_store, try_store, turn_off, write_now
from tasks.evidence.keys import public_keys, renew_key
from tasks.evidence.lookup import facts_of, standing_of_all, store_seen_by
from tasks.evidence.verify import NotGenuineError, keys_in, verify
from tasks.reset.lookup import reset_seen_by
from tasks.reset.outcome_files import learners_as_csv, report_as_pdf, signed_bundle

app = typer.Typer()
evidence = typer.Typer(
    help="Keep signed evidence of what resets delete, save it as files, and check it.", no_args_is_help=True
)
store = typer.Typer(
    help="Manage where evidence is written before a reset deletes anything. Off until you set it.",
    no_args_is_help=True,
)
key = typer.Typer(help="Show or renew the key that signs evidence.", no_args_is_help=True)
evidence.add_typer(store, name="store")
evidence.add_typer(key, name="key")
app.add_typer(evidence, name="evidence")

MAKERS: dict[str, Callable[[UUID], Iterator[bytes]]] = {
    ".csv": learners_as_csv,
    ".pdf": lambda reset_id: iter([report_as_pdf(reset_id)]),
    ".zip": signed_bundle,
}


@evidence.command("save")
def save_command(
    reset: ResetId,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Where to save: NAME.csv for each learner's outcome, NAME.pdf for a report of one page, NAME.zip for "
            "both with a signature.",
        ),
    ],
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Save a reset's outcome as a file.

    Example: `recourse evidence save RESET reset.zip`
    """
    make = MAKERS.get(file.suffix.lower())
    if make is None:
        raise typer.BadParameter("Choose a name that ends in .csv, .pdf or .zip.", param_hint="FILE")
    with servers_and_database():
        with transaction() as session:
            found, who = reset_and_actor(session, reset, as_)
            reset_seen_by(session, who, found.id)
        pieces = make(found.id)
        first = next(pieces)  # before the file is touched, since it may be refused
        with file.open("wb") as target:
            target.write(first)
            target.writelines(pieces)
    answer({"file": str(file), "bytes": file.stat().st_size}, f"Saved {file}.", as_json=as_json)


@evidence.command("verify")
def verify_command(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="A bundle. With a summary, the parts beside it are checked too."),
    ],
    key_file: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="The public key, or several, as `recourse evidence key show`.")
    ],
    as_json: AsJson = False,
) -> None:
    """Check that bundles are genuine and complete. Needs no database and no settings.

    Exit status: 0 genuine · 1 not genuine.

    Example: `recourse evidence verify reset.zip --key recourse-evidence.pem`
    """
    try:
        found = verify(files, keys_in(key_file.read_text()))
    except NotGenuineError as error:
        notes.print(str(error), style="red", soft_wrap=True, highlight=False)
        raise typer.Exit(1) from None
    except FileNotFoundError as error:
        raise typer.BadParameter(f"There is no file {error.filename}.") from None
    if as_json:
        print_json({name: sorted(value) if isinstance(value, set) else value for name, value in asdict(found).items()})
        return
    console.print(
        f"Genuine: {_counted(found.bundles, 'bundle')} with {_counted(found.files, 'file')}, "
        f"{_counted(found.learners, 'learner')} and {_counted(found.certificates, 'certificate')}, of "
        f"{_counted(len(found.resets), 'reset')}; signed with {', '.join(found.keys)}.",
        soft_wrap=True,
        highlight=False,
    )


def _counted(count: int, one: str) -> str:
    return f"{count:,} {one if count == 1 else one + 's'}"


@store.command("set")
def set_command(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="s3://bucket/prefix, or file:///folder on the servers themselves.")
    ],
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="The address of an S3 server other than Amazon's.")
    ] = None,
    region: Annotated[str, typer.Option(metavar="REGION", help="The bucket's region.")] = "us-east-1",
    access_key_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The access key. It needs the right to put objects, and no other."),
    ] = None,
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read the access key's secret from standard input.")
    ] = False,
    lock_days: Annotated[
        int | None,
        typer.Option(metavar="N", help="Lock each object for N days. The bucket needs object lock for it."),
    ] = None,
    organization: Organization = None,
    as_: As = None,
    as_json: AsJson = False,
) -> None:
    """Write evidence to this store before anything is deleted, from the next reset on.

    The command first leaves an object there, to try it.

    Example: `recourse evidence store set s3://acme-evidence --region eu-central-1 --access-key-id writer`
    """
    secret = None
    if access_key_id is not None:
        secret = asked_password("Secret of the access key", from_stdin=secret_stdin)
    with servers_and_database():
        with transaction() as session:
            who = actor(session, one_organization(session, organization), as_)
        terms = Terms(url, endpoint, region, access_key_id, secret, lock_days)
        try_store(who, terms)
        with transaction() as session:
            set_store(session, who, terms)
            facts = _facts(session, who)
    answer(facts, "Evidence is kept from the next reset on.", as_json=as_json)


@store.command("show")
def show_command(organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Show the store, and what waits for it."""
    with servers_and_database(), transaction() as session:
        values = _facts(session, actor(session, one_organization(session, organization), as_))
    if as_json:
        print_json(values)
        return
    for name, value in values.items():
        if value is not None:
            console.print(f"{name.replace('_', ' '):<14} {value}", soft_wrap=True, highlight=False)


@store.command("off")
def off_command(organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Keep no evidence before deletion from the next reset on."""
    with servers_and_database(), transaction() as session:
        owner = one_organization(session, organization)
        turn_off(session, actor(session, owner, as_))
    answer({"id": owner.slug, "outcome": "turned off"}, "Evidence before deletion is off.", as_json=as_json)


@store.command("write-now")
def write_now_command(organization: Organization = None, as_: As = None, as_json: AsJson = False) -> None:
    """Try a store that is back at once, and not at the next time that is due."""
    with servers_and_database(), transaction() as session:
        who = actor(session, one_organization(session, organization), as_)
        waiting = write_now(session, who)
        facts = _facts(session, who)
    sentence = f"The store is tried again: {waiting:,} {'part waits' if waiting == 1 else 'parts wait'}."
    answer(facts, sentence, as_json=as_json)


def _facts(session: Session, who: Actor) -> dict[str, Any]:
    return facts_of(store_seen_by(session, who), standing_of_all(session, who))


@key.command("show")
def show_key_command(as_json: AsJson = False) -> None:
    """Print all public keys there ever were, newest first."""
    with servers_and_database(), transaction() as session:
        keys = public_keys(session)
    answer([_key_facts(one) for one in keys], "".join(one.public_key for one in keys).rstrip(), as_json=as_json)


@key.command("renew")
def renew_key_command(as_json: AsJson = False) -> None:
    """Sign with a new key from now on. The private part of the one before is deleted, its public part stays."""
    with servers_and_database(), transaction() as session:
        renew_key(session)
        [new] = [one for one in public_keys(session) if one.retired_at is None]
    answer(_key_facts(new), f"Evidence is signed with the key {new.id} from now on.", as_json=as_json)


def _key_facts(key: EvidenceKey) -> dict[str, Any]:
    return {name: getattr(key, name) for name in ("id", "public_key", "created_at", "retired_at")}
