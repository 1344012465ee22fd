"""The lines of audience lists that name no learner."""

from pydantic import Field

from models.audience_lists import LineProblem
from web.api.schemas.base import Answer, example


class LeftOutLine(Answer):
    """A line that names no learner."""

    line: int = Field(description="Its number in the file, from 1")
    name: str = Field(description="The address, or `external:` and the external id")
    problem: LineProblem = Field(description="There is no such user, the course is not assigned, or named before")
    first: int | None = Field(description="Of a duplicate: the earlier line")


class LeftOutLineList(Answer):
    """Lines that name no learner, in their order."""

    model_config = example({"items": [{"line": 17, "name": "who@acme.example", "problem": "unknown", "first": None}]})

    items: list[LeftOutLine]
