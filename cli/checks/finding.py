"""What a check looks at, and what it finds."""

from dataclasses import dataclass, replace

from cli.up.addresses import Addresses
from tasks.trouble_words import words_of
from tasks.troubles import Trouble

PATIENCE = 3.0  # seconds that a part may take to answer
NOT_UP = ("it is not running", "Start everything with `recourse up`.")


class FaultyError(Exception):
    """The part does not work. Arguments: what was found, and what to do."""


class AwayError(FaultyError):
    """The part does not run, or does not answer."""


@dataclass(frozen=True)
class Finding:
    """The result of one check. `ok` is `None` if the part could not be checked."""

    part: str
    ok: bool | None
    says: str
    remedy: str | None = None


@dataclass(frozen=True)
class Places:
    """Where the web app and Flower answer, `None` if only `recourse up` would run them and it does not."""

    web: str | None
    flower: str | None
    ours: frozenset[str] = frozenset()  # the parts that `recourse up` runs or would run, by its names
    up: Addresses | None = None  # of the running `recourse up`


def start_or_check(what: str, setting: str) -> str:
    """Returns what to do about a server that does not answer."""
    return f"Start {what}, or check RECOURSE_{setting.upper()}. Without that setting, `recourse up` starts its own."


def found_and_remedy(trouble: Trouble) -> tuple[str, str]:
    """Returns the arguments of a `FaultyError` for a trouble."""
    words = words_of(trouble)
    return words.wrong.rstrip("."), f"{words.follows} {words.advice} `{words.command}`"


def with_remedy_of_up(finding: Finding, name: str, up: Addresses | None) -> Finding:
    """Returns the finding with what to do about a part that `recourse up` runs, or would run, under this name."""
    if up is None:
        return replace(finding, remedy=NOT_UP[1])
    if name in up.given_up:
        again = f"Stop `recourse up` (process {up.pid}) and start it again. Its output says why it gave this part up."
        return replace(finding, says=f"{finding.says}; `recourse up` has given up on it", remedy=again)
    soon = f"`recourse up` (process {up.pid}) restarts parts that end. Read its output, and check again in a moment."
    return replace(finding, remedy=soon)
