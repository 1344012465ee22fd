"""Imports."""

from typing import NamedTuple

from models.refusals.base import Refused


class LineError(NamedTuple):
    """What is wrong in a line of a file; `file` is its name within an archive."""

    line: int
    detail: str
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.detail}" if self.file else f"line {self.line}: {self.detail}"


class ImportInvalid(Refused):
    code = "import-invalid"

    def __init__(self, errors: list[LineError], more: int) -> None:
        """`errors` are the first ones; `more` is the number of further ones."""
        first = "; ".join(map(str, errors[:3]))
        further = len(errors[3:]) + more
        super().__init__(
            f"Nothing was imported. Correct this and send the file again: {first}"
            + (f"; and {further:,} more." if further else ".")
        )
        self.errors, self.more = errors, more


class ImportRemovesTooMuch(Refused):
    code = "import-removes-too-much"
    status = 409

    def __init__(self, what: str, removed_rows: int, of: int, most: float) -> None:
        """`what` are the objects in words, of which there are `of`; at most the share `most` may be removed."""
        super().__init__(
            f"This file leaves out {removed_rows:,} of {of:,} {what}, "
            f"more than the {most * 100:g}% that one file may remove. Nothing was imported. Check that the file is "
            "complete; if it is, ask an operator to import it with a higher limit."
        )


class ImportCrossed(Refused):
    code = "import-crossed"
    status = 409

    def __init__(self) -> None:
        super().__init__(
            "Someone else added or changed the same users, courses or groups meanwhile. Nothing was imported. "
            "Send the file again."
        )
