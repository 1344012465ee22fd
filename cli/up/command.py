"""The command up."""

import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import typer

from cli.local import make_home
from cli.local.errors import plain_errors
from cli.local.leftovers import end_leftovers
from cli.servers_and_database import servers_and_database
from cli.sign_ins import sign_in_lines
from cli.terminal import console, dim_note, notes
from cli.up.addresses import Addresses, only_up
from cli.up.installation import Installation
from cli.up.supervisor import Supervisor
from cli.workers import Workers
from config.brokers import broker_for_people
from config.database import without_password
from config.settings import required, settings

LOOK_EVERY = 1.0  # seconds

app = typer.Typer()


@app.command("up")
def up_command() -> None:
    """Start everything and keep it running until Ctrl-C: servers, worker, beat, web app and Flower.

    A part that ends is restarted. An empty installation first gets a demo organization to try things with.
    """
    home = settings().home.absolute()
    with plain_errors(home):
        make_home(home)
    with only_up(home) as other:
        if other is not None:
            _print_running(home, other)
            return
        if left := end_leftovers(home):
            processes = "1 process" if left == 1 else f"{left} processes"
            dim_note(f"Ended {processes} that an earlier `recourse up` left behind.")
        own_database = settings().database_url is None
        with servers_and_database(whose="") as workers:
            _run(home, workers, own_database=own_database)


def _run(home: Path, workers: Workers, *, own_database: bool) -> None:
    sign_ins = sign_in_lines(home, may_fill=own_database)
    installation = Installation(home, workers)
    supervisor = Supervisor(installation.parts, _print_event)
    try:
        supervisor.start()
        addresses = Addresses(
            os.getpid(),
            datetime.now(UTC),
            web=installation.web.here,
            flower=installation.flower.url,
            parts=[part.name for part in installation.parts],
        )
        addresses.publish(home)
        _print_started(home, installation, sign_ins)
        while True:
            time.sleep(LOOK_EVERY)
            supervisor.look()
            if addresses.given_up != supervisor.given_up:
                addresses.given_up = supervisor.given_up
                with suppress(OSError):  # a full disk must not end the other parts
                    addresses.publish(home)
    except KeyboardInterrupt:
        pass
    finally:
        for signal_ in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_, signal.SIG_IGN)  # a second Ctrl-C must not leave some parts running
        notes.print("Stopping. Running tasks may finish.")
        supervisor.stop()


def _print_started(home: Path, installation: Installation, sign_ins: list[str]) -> None:
    lines = {
        "web app": installation.web.url,
        "database": without_password(required("database_url")),
        "broker": broker_for_people(),
        "worker": str(home / "worker.log") if installation.has_workers else "another one is already running",
        "Flower": f"{installation.flower.url}  sign-in: {installation.flower.sign_in}",
    }
    console.print(f"Recourse is up. Its data is in {home}.", soft_wrap=True)
    for name, value in lines.items():
        console.print(f"  {name:<9} {value}", soft_wrap=True, highlight=False)
    for line in sign_ins:
        console.print(line, soft_wrap=True, highlight=False)
    console.print("In another terminal: recourse --help. Ctrl-C ends it.")


def _print_running(home: Path, other: Addresses) -> None:
    since = f"{other.since.astimezone():%Y-%m-%d %H:%M}"
    lines = [
        f"Recourse is already up in {home}, since {since}, as process {other.pid}. Nothing was started.",
        f"  {'web app':<9} {other.web}",
        f"  {'Flower':<9} {other.flower}",
        *([f"  given up  {', '.join(other.given_up)}"] if other.given_up else []),
        f"To restart it, first end that one: press Ctrl-C in its terminal, or run kill {other.pid}.",
    ]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)


def _print_event(line: str) -> None:
    notes.print(line, markup=False, highlight=False, soft_wrap=True)
