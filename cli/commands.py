"""Which commands there are, and in which module each is. A module is imported when its command is called."""

import gc
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True)
class Entry:
    """A command, or a group of commands."""

    module: str  # whose `app` has it
    summary: str  # the first sentence of its help


COMMANDS = {
    "demo": Entry(
        "cli.demo", "Reset a made-up course of 500 learners while you watch, on servers and data of its own."
    ),
    "up": Entry(
        "cli.up.command",
        "Start everything and keep it running until Ctrl-C: servers, worker, beat, web app and Flower.",
    ),
    "doctor": Entry(
        "cli.doctor", "Check each part of the installation, and say what to do about those that do not work."
    ),
    "preview": Entry("cli.reset_new", "Show what a reset would remove. Changes nothing."),
    "reset": Entry(
        "cli.reset_new",
        "Reset the progress of everyone in a course, or of some users. **It cannot be undone.**",
    ),
    "resets": Entry("cli.resets", "List the resets, latest first."),
    "show": Entry("cli.resets", "Show a reset: its state, what it removed, and why learners were skipped or failed."),
    "cancel": Entry("cli.reset_changes", "Stop a reset. Learners who are already reset stay reset; no others are."),
    "pause": Entry(
        "cli.pauses",
        "Pause a reset, an organization or everything. Learners who are being reset are finished; no others begin.",
    ),
    "resume": Entry(
        "cli.pauses", "Resume a reset, an organization or everything. What is paused by itself stays paused."
    ),
    "move": Entry(
        "cli.reset_changes",
        "Change a planned reset before it begins: start, reason, due date, alerts. `recourse cancel` cancels it.",
    ),
    "retry-failed": Entry("cli.reset_changes", "Retry the failed learners of a reset."),
    "analytics": Entry("cli.analytics", "Show course completion by users, for all courses or for one."),
    "rules": Entry("cli.rules", "Reset courses by rule: every year, some months after completion, after an event."),
    "events": Entry("cli.events", "Report incidents, non-compliance and changed procedures, which make rules due."),
    "exemptions": Entry("cli.exemptions", "Leave learners out of the resets of a course."),
    "participants": Entry(
        "cli.participants", "Manage the systems that clear records of their own with each reset, such as an LMS."
    ),
    "evidence": Entry("cli.evidence", "Keep signed evidence of what resets delete, save it as files, and check it."),
    "import": Entry("cli.imports", "Import users, courses, enrolments, groups and history."),
    "organization": Entry("cli.organizations", "Add, rename, weigh and list organizations."),
    "user": Entry("cli.users", "Add, change, remove and erase users, and set their passwords."),
    "sign-on": Entry(
        "cli.sign_on", "Manage single sign-on: the OpenID Connect provider that an organization signs in with."
    ),
    "groups": Entry("cli.groups", "Manage groups of users. Resets and rules can be for a group."),
    "token": Entry("cli.tokens", "Manage the tokens that programs use the HTTP API and the broker with."),
    "webhook": Entry("cli.webhooks", "Manage the addresses that are notified of resets."),
    "files": Entry("cli.files", "Look after the storage of learners' files."),
    "database": Entry("cli.database", "Migrate and check the database."),
}


class LazyGroup(TyperGroup):
    """All commands. Until its module is imported, a command is its name and its summary, which is all that `--help` and
    the shell's completion of its name need."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name, entry in COMMANDS.items():
            self.commands[name] = TyperCommand(name, help=entry.summary, rich_markup_mode="markdown")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Returns the command that the arguments name, imported."""
        if args and args[0] in COMMANDS:
            self.load(args[0])
        return super().resolve_command(ctx, args)

    def load(self, name: str) -> None:
        """Import the module of a command."""
        gc.disable()  # what is imported stays: looking through it would take a tenth of the time
        try:
            app = import_module(COMMANDS[name].module).app
        finally:
            gc.freeze()
            gc.enable()
        app.rich_markup_mode = "markdown"
        self.commands[name] = typer.main.get_group(app).commands[name]

    def load_all(self) -> None:
        """Import the modules of all commands."""
        for name in COMMANDS:
            self.load(name)
