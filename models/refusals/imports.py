"""Imports."""

from typing import NamedTuple

from config.languages import gettext
from models.refusals.base import Refused


class LineError(NamedTuple):
    """What is wrong in a line of a file; `file` is its name within an archive."""

    line: int
    detail: str
    file: str = ""

    def __str__(self) -> str:
        line = gettext("line {line}: {detail}", line=self.line, detail=self.detail)
        return f"{self.file}, {line}" if self.file else line


class ImportInvalid(Refused):
    code = "import-invalid"

    def __init__(self, errors: list[LineError], more: int) -> None:
        """`errors` are the first ones; `more` is the number of further ones."""
        first = "; ".join(map(str, errors[:3]))
        further = len(errors[3:]) + more
        lines = gettext("{first}; and {further:,} more", first=first, further=further) if further else first
        super().__init__("Nothing was imported. Correct this and send the file again: {lines}.", lines=lines)
        self.errors, self.more = errors, more


class ImportRemovesTooMuch(Refused):
    code = "import-removes-too-much"
    status = 409

    def __init__(self, what: str, removed_rows: int, of: int, most: float) -> None:
        """`what` are the objects in words, of which there are `of`; at most the share `most` may be removed."""
        super().__init__(
            "This file leaves out {removed_rows:,} of {of:,} {what}, "
            "more than the {most:g}% that one file may remove. Nothing was imported. Check that the file is "
            "complete; if it is, ask an operator to import it with a higher limit.",
            removed_rows=removed_rows,
            of=of,
            what=what,
            most=most * 100,
        )


class ImportCrossed(Refused):
    code = "import-crossed"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "Someone else added or changed the same users, courses or groups meanwhile. Nothing was imported. "
            "Send the file again."
        )
