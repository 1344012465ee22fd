"""Where a running `recourse up` serves its pages, for the other commands: its ports may not be the usual ones."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "up.json"


@contextmanager
def tell(home: Path, **urls: str) -> Iterator[None]:
    """In the scope, other commands with the same folder find these addresses."""
    path = home / FILE
    path.write_text(json.dumps(urls))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def told(home: Path) -> dict[str, str]:
    """The addresses by name; empty where nothing is up. They may be those of one that was killed."""
    try:
        found: dict[str, str] = json.loads((home / FILE).read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return found
