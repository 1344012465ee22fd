"""The commands that run things: demo and up."""

import signal
import time

import typer
from sqlalchemy import make_url

from cli.demo import demo
from cli.flower import Flower
from cli.surroundings import surroundings
from cli.terminal import console, notes
from cli.workers import Workers
from config.settings import required, settings

app = typer.Typer()


@app.command("demo")
def demo_command() -> None:
    """Reset a made-up course of 500 learners before your eyes, on servers and data of its own."""
    if not demo():
        raise typer.Exit(1)


@app.command("up")
def up_command() -> None:
    """Start everything and keep it running until Ctrl-C: servers, a worker with its clock, and Flower."""
    with surroundings() as workers:
        own = workers.ensure()
        flower = Flower(settings().home.absolute())
        try:
            _say_what_runs(workers, flower, own=own)
            while True:
                time.sleep(1)
                flower.child.check()
                if own:
                    workers.ensure()
        except KeyboardInterrupt:
            pass
        finally:
            for signal_ in (signal.SIGINT, signal.SIGTERM):
                signal.signal(signal_, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
            notes.print("Stopping: what is under way may finish.")
            flower.child.stop()


def _say_what_runs(workers: Workers, flower: Flower, *, own: bool) -> None:
    lines = {
        "database": make_url(required("database_url")).render_as_string(hide_password=True),
        "broker": make_url(required("broker_url")).render_as_string(hide_password=True),
        "worker": str(workers.log) if own else "another one answers already",
        "Flower": f"{flower.url}  sign-in: {flower.sign_in}",
    }
    console.print(f"Recourse is up, with its data in {settings().home.absolute()}.", soft_wrap=True)
    for name, value in lines.items():
        console.print(f"  {name:<9} {value}", soft_wrap=True, highlight=False)
    console.print("In another terminal: recourse --help. Ctrl-C ends it.")
