"""The commands that run things: demo and up."""

import signal
import time

import typer
from sqlalchemy import make_url

from cli.demo import demo
from cli.surroundings import console, notes, surroundings
from config.settings import required, settings

app = typer.Typer()


@app.command("demo")
def demo_command() -> None:
    """Reset a made-up course of 500 learners before your eyes, on servers and data of its own."""
    if not demo():
        raise typer.Exit(1)


@app.command("up")
def up_command() -> None:
    """Start everything and keep it running until Ctrl-C: servers, and a worker with its clock."""
    with surroundings() as workers:
        own = workers.ensure()
        console.print(f"Recourse is up, with its data in {settings().home.absolute()}.")
        for name, url in (("database", required("database_url")), ("broker  ", required("broker_url"))):
            console.print(f"  {name}  {make_url(url).render_as_string(hide_password=True)}", soft_wrap=True)
        console.print(f"  worker    {workers.log if own else 'another one answers already'}")
        console.print("In another terminal: recourse --help. Ctrl-C ends it.")
        try:
            while True:
                time.sleep(1)
                if own:
                    workers.ensure()  # raises if it has ended by itself
        except KeyboardInterrupt:
            pass
        finally:
            for signal_ in (signal.SIGINT, signal.SIGTERM):
                signal.signal(signal_, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
            notes.print("Stopping: what is under way may finish.")
