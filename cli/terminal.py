"""Where the command line writes: the answer to stdout, everything else to stderr."""

import json
import sys
from typing import Any

from rich.console import Console

WIDTH_OF_A_FILE = 160  # columns when stdout is a file or a pipe

console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
notes = Console(stderr=True)


def print_json(value: Any) -> None:
    """Print the answer as JSON. Not with Rich, which folds long lines."""
    print(json.dumps(value, indent=2, default=str))  # noqa: T201


def dim_note(sentence: str) -> None:
    """Print a sentence about what is going on, on stderr."""
    notes.print(sentence, style="dim", soft_wrap=True, highlight=False)
