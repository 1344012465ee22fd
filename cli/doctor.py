"""The command doctor."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import structlog
import typer

from cli.local import where
from cli.servers_and_database import kept_secret, read_settings_again
from cli.terminal import console, print_json
from cli.up_addresses import whereabouts
from config.settings import settings

app = typer.Typer()

MARKS = {True: "[green]ok[/]     ", False: "[red]failed[/] ", None: "[dim]?[/]      "}


@app.command("doctor")
def doctor_command(
    web: Annotated[str | None, typer.Option(metavar="URL", help="Where the web app is reached from here.")] = None,
    flower: Annotated[str | None, typer.Option(metavar="URL", help="Where Flower is reached from here.")] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(metavar="PART", help="Only this part, and those it needs: database, workers, beat, mail, …"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at each part of the installation, and say of each that does not do its work what to do.

    Starts and changes nothing. Exit status: 0 all is well · 1 something is not.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # each finding is said below
    home = settings().home.absolute()
    own = settings().database_url is None
    ours = _parts_of_up(own_database=own, own_broker=settings().broker_url is None)
    _use_what_is_there(home)
    from cli.checks import PARTS, Places, examine  # needs the broker's address, which is settled only now

    # Of an installation with servers of its own, nobody but `recourse up` serves the pages: what else answers at
    # their usual addresses is somebody else's.
    usual = {} if own else {"web": settings().public_url, "flower": _usual_flower()}
    up = whereabouts(home)
    ours = frozenset(up.parts) if up else ours
    found = usual | ({"web": up.web, "flower": up.flower} if up else {})
    found = {name: url.rstrip("/") for name, url in found.items()}
    places = Places(web=web or found.get("web"), flower=flower or found.get("flower"), ours=ours, up=up)
    if unknown := sorted(set(part or ()) - set(PARTS)):
        raise typer.BadParameter(f"There is no part {unknown[0]!r}. There are: {', '.join(PARTS)}.")
    findings = []
    for finding in examine(places, part):
        findings.append(finding)
        if not as_json:
            console.print(f"{MARKS[finding.ok]} {finding.part:<10} {finding.says}", soft_wrap=True, highlight=False)
            if finding.remedy:
                console.print(f"{'':18} {finding.remedy}", soft_wrap=True, highlight=False)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _parts_of_up(*, own_database: bool, own_broker: bool) -> frozenset[str]:
    """What nobody but `recourse up` would run here."""
    servers = ({"PostgreSQL"} if own_database else set()) | ({"Redis"} if own_broker else set())
    return frozenset(servers | ({"worker", "beat", "web app", "Flower"} if own_database else set()))


def _usual_flower() -> str:
    return settings().flower_url or f"http://{settings().flower_address}:{settings().flower_port}"


def _use_what_is_there(home: Path) -> None:
    """Point the settings at the installation's own servers, whether they run or not."""
    urls = where(home)
    if settings().database_url is None:
        os.environ["RECOURSE_DATABASE_URL"] = urls.database
    if settings().broker_url is None:
        os.environ["RECOURSE_BROKER_URL"] = urls.broker
    if settings().flower_password is None and (home / "flower_password").exists():
        os.environ["RECOURSE_FLOWER_PASSWORD"] = kept_secret(home, "flower_password")
    read_settings_again()
