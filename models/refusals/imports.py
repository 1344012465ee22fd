"""Imports."""

from models.refusals.base import Refused


class ImportInvalid(Refused):
    code = "import-invalid"

    def __init__(self, errors: list[tuple[int, str]], more: int) -> None:
        """`errors` are line numbers, each with what is wrong; `more` is the number of further errors."""
        first = "; ".join(f"line {line}: {detail}" for line, detail in errors[:3])
        further = len(errors[3:]) + more
        super().__init__(
            f"Nothing was imported. Correct this and send the file again: {first}"
            + (f"; and {further:,} more." if further else ".")
        )
        self.errors, self.more = errors, more
