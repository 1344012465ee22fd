"""The commands that run things: demo and up."""

import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import typer
from sqlalchemy import make_url

from cli.demo import demo
from cli.leftovers import end_leftovers
from cli.local import make_home
from cli.local.errors import plain_errors
from cli.servers_and_database import surroundings
from cli.terminal import console, notes
from cli.up.installation import Installation
from cli.up.supervisor import Supervisor
from cli.up_addresses import Whereabouts, the_only_one
from cli.welcome import how_to_sign_in
from cli.workers import Workers
from config.settings import required, settings

LOOK_EVERY = 1.0  # seconds

app = typer.Typer()


@app.command("demo")
def demo_command() -> None:
    """Reset a made-up course of 500 learners before your eyes, on servers and data of its own."""
    if not demo():
        raise typer.Exit(1)


@app.command("up")
def up_command() -> None:
    """Start everything and keep it running until Ctrl-C: servers, a worker, its clock, the web app and Flower.

    What ends is started again. In an installation without any data it first makes an organization to try things with.
    """
    home = settings().home.absolute()
    with plain_errors(home):
        make_home(home)
    with the_only_one(home) as other:
        if other is not None:
            _say_what_is_up_already(home, other)
            return
        if left := end_leftovers(home):
            notes.print(f"Ended {left} processes that an earlier `recourse up` had left behind.", style="dim")
        own_database = settings().database_url is None
        with surroundings() as workers:
            _run(home, workers, own_database=own_database)


def _run(home: Path, workers: Workers, *, own_database: bool) -> None:
    sign_ins = how_to_sign_in(home, may_fill=own_database)
    installation = Installation(home, workers)
    supervisor = Supervisor(installation.parts, _tell)
    try:
        supervisor.start()
        web, flower = installation.web.here, installation.flower.url
        parts = [part.name for part in installation.parts]
        told = Whereabouts(os.getpid(), datetime.now(UTC), web=web, flower=flower, parts=parts)
        told.tell(home)
        _say_what_runs(home, installation, sign_ins)
        while True:
            time.sleep(LOOK_EVERY)
            supervisor.look()
            if told.given_up != supervisor.given_up:
                told.given_up = supervisor.given_up
                with suppress(OSError):  # a full disk must not end what goes on without it
                    told.tell(home)
    except KeyboardInterrupt:
        pass
    finally:
        for signal_ in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
        notes.print("Stopping: what is under way may finish.")
        supervisor.stop()


def _say_what_runs(home: Path, installation: Installation, sign_ins: list[str]) -> None:
    lines = {
        "web app": installation.web.url,
        "database": make_url(required("database_url")).render_as_string(hide_password=True),
        "broker": make_url(required("broker_url")).render_as_string(hide_password=True),
        "worker": str(home / "worker.log") if installation.has_workers else "another one answers already",
        "Flower": f"{installation.flower.url}  sign-in: {installation.flower.sign_in}",
    }
    console.print(f"Recourse is up, with its data in {home}.", soft_wrap=True)
    for name, value in lines.items():
        console.print(f"  {name:<9} {value}", soft_wrap=True, highlight=False)
    for line in sign_ins:
        console.print(line, soft_wrap=True, highlight=False)
    console.print("In another terminal: recourse --help. Ctrl-C ends it.")


def _say_what_is_up_already(home: Path, other: Whereabouts) -> None:
    since = f"{other.since.astimezone():%Y-%m-%d %H:%M}"
    lines = [
        f"Recourse is up already in {home}, since {since} as process {other.pid}. Nothing was started.",
        f"  {'web app':<9} {other.web}",
        f"  {'Flower':<9} {other.flower}",
        *([f"  given up  {', '.join(other.given_up)}"] if other.given_up else []),
        f"To start anew, end that one first: Ctrl-C in its terminal, or kill {other.pid}.",
    ]
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False)


def _tell(line: str) -> None:
    notes.print(line, markup=False, highlight=False, soft_wrap=True)
