"""Results of imports."""

from pydantic import Field

from web.api.schemas.base import Answer, example


class ImportCounts(Answer):
    """How many objects of a kind the file has, and what the import did with them."""

    in_file: int
    new: int
    changed: int
    unchanged: int


class ImportResult(Answer):
    """What an import did."""

    model_config = example({"lines": 3, "counts": {"users": {"in_file": 3, "new": 1, "changed": 1, "unchanged": 1}}})

    lines: int
    counts: dict[str, ImportCounts] = Field(description="By kind of object, such as `users` or `activities`")
