"""The commands that run things: demo and up."""

import signal
import time

import typer
from sqlalchemy import make_url

from cli.child import Child
from cli.demo import demo
from cli.flower import Flower
from cli.surroundings import surroundings
from cli.terminal import console, notes
from cli.web import Web
from cli.welcome import demo_sign_ins
from cli.whereabouts import tell
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
    """Start everything and keep it running until Ctrl-C: servers, a worker with its clock, the web app and Flower.

    In an installation without any data it first makes an organization to try things with.
    """
    own_database = settings().database_url is None
    with surroundings() as workers:
        home = settings().home.absolute()
        sign_ins = demo_sign_ins(home) if own_database else []
        children: list[Child] = []
        try:
            flower = Flower(home)
            children.append(flower.child)
            web = Web(home)
            children.append(web.child)
            own = workers.ensure()  # after these, whose addresses it puts into what it sends
            _say_what_runs(workers, web, flower, sign_ins, own=own)
            with tell(home, web=web.here, flower=flower.url):
                while True:
                    time.sleep(1)
                    for child in children:
                        child.check()
                    if own:
                        workers.ensure()
        except KeyboardInterrupt:
            pass
        finally:
            for signal_ in (signal.SIGINT, signal.SIGTERM):
                signal.signal(signal_, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
            notes.print("Stopping: what is under way may finish.")
            for child in children:
                child.ask_to_stop()
            for child in children:
                child.stop()


def _say_what_runs(workers: Workers, web: Web, flower: Flower, sign_ins: list[str], *, own: bool) -> None:
    lines = {
        "web app": web.url,
        "database": make_url(required("database_url")).render_as_string(hide_password=True),
        "broker": make_url(required("broker_url")).render_as_string(hide_password=True),
        "worker": str(workers.log) if own else "another one answers already",
        "Flower": f"{flower.url}  sign-in: {flower.sign_in}",
    }
    console.print(f"Recourse is up, with its data in {settings().home.absolute()}.", soft_wrap=True)
    for name, value in lines.items():
        console.print(f"  {name:<9} {value}", soft_wrap=True, highlight=False)
    if sign_ins:
        console.print("To try it, sign in to the web app as one of these:")
        for one in sign_ins:
            console.print(f"  {one}", soft_wrap=True, highlight=False)
    console.print("In another terminal: recourse --help. Ctrl-C ends it.")
