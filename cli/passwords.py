"""Ask for a password."""

import sys

from rich.prompt import Prompt

from cli.terminal import notes


def asked_password(question: str, *, from_stdin: bool) -> str | None:
    """Returns the password from standard input or a prompt, `None` if it is empty or there is no terminal."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        return None
    return Prompt.ask(question, password=True, console=notes) or None
