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

    model_config = example(
        {
            "lines": 3,
            "counts": {"users": {"in_file": 3, "new": 1, "changed": 1, "unchanged": 1}},
            "removed": {"users": 2, "enrolments": 5},
            "ignored": {},
        }
    )

    lines: int
    counts: dict[str, ImportCounts] = Field(description="By kind of object, such as `users` or `activities`")
    removed: dict[str, int] = Field(description="What a full import removed, by kind of object")
    ignored: dict[str, int] = Field(description="What was left as it is, by reason, such as `completions_before_reset`")
