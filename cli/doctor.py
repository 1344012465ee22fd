"""The command doctor."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import structlog
import typer

from cli.local import where
from cli.local.secrets import kept_secret
from cli.options import AsJson
from cli.servers_and_database import read_settings_again
from cli.terminal import console, print_json
from cli.up.addresses import running_up
from config.settings import settings

app = typer.Typer()

MARKS = {True: "[green]ok[/]     ", False: "[red]failed[/] ", None: "[dim]?[/]      "}


@app.command("doctor")
def doctor_command(
    web: Annotated[str | None, typer.Option(metavar="URL", help="The web app's address as seen from here.")] = None,
    flower: Annotated[str | None, typer.Option(metavar="URL", help="Flower's address as seen from here.")] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="Check only this part and those that it needs, for example database, workers, beat or mail. Repeat it "
            "for several parts.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check each part of the installation, and say what to do about those that do not work.

    Starts and changes nothing. Exit status: 0 everything works · 1 something does not.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))  # findings replace the log
    home = settings().home.absolute()
    local_database = settings().database_url is None
    ours = _parts_of_up(local_database=local_database, local_broker=settings().broker_url is None)
    _use_local_servers(home)
    from cli.checks import PARTS, Places, examine  # needs the broker's URL, which is known only now

    # With a local database only `recourse up` serves the pages. What else answers at the usual addresses is not ours.
    usual = {} if local_database else {"web": settings().public_url, "flower": _usual_flower()}
    up = running_up(home)
    ours = frozenset(up.parts) if up else ours
    found = usual | ({"web": up.web, "flower": up.flower} if up else {})
    found = {name: url.rstrip("/") for name, url in found.items()}
    places = Places(web=web or found.get("web"), flower=flower or found.get("flower"), ours=ours, up=up)
    if unknown := sorted(set(part or ()) - set(PARTS)):
        raise typer.BadParameter(f"There is no part {unknown[0]!r}. Choose from: {', '.join(PARTS)}.")
    findings = []
    for finding in examine(places, part):
        findings.append(finding)
        if not as_json:
            console.print(f"{MARKS[finding.ok]} {finding.part:<12} {finding.says}", soft_wrap=True, highlight=False)
            if finding.remedy:
                console.print(f"{'':20} {finding.remedy}", soft_wrap=True, highlight=False)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _parts_of_up(*, local_database: bool, local_broker: bool) -> frozenset[str]:
    """Returns the parts that only `recourse up` would run here."""
    servers = ({"PostgreSQL"} if local_database else set()) | ({"Redis"} if local_broker else set())
    return frozenset(servers | ({"worker", "beat", "web app", "Flower"} if local_database else set()))


def _usual_flower() -> str:
    return settings().flower_url or f"http://{settings().flower_address}:{settings().flower_port}"


def _use_local_servers(home: Path) -> None:
    """Point the settings at the installation's local servers, running or not."""
    urls = where(home)
    if settings().database_url is None:
        os.environ["RECOURSE_DATABASE_URL"] = urls.database
        if settings().secret_key is None and (home / "secret_key").exists():
            os.environ["RECOURSE_SECRET_KEY"] = kept_secret(home, "secret_key")
    if settings().broker_url is None:
        os.environ["RECOURSE_BROKER_URL"] = urls.broker
    if settings().flower_password is None and (home / "flower_password").exists():
        os.environ["RECOURSE_FLOWER_PASSWORD"] = kept_secret(home, "flower_password")
    read_settings_again()
