"""Where the command line writes: the answer to stdout, everything else to stderr."""

import json
import sys
from typing import Any

from rich.console import Console

WIDTH_OF_A_FILE = 160  # where the answer goes to a file or a pipe, nothing need be squeezed into a terminal

console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
notes = Console(stderr=True)  # what is not the answer


def print_json(value: Any) -> None:
    """Print the answer as JSON. Not through Rich, which folds long lines."""
    print(json.dumps(value, indent=2, default=str))  # noqa: T201
