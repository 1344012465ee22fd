"""The parameters of several endpoints."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from models.external_ids import LONGEST, LONGEST_NAME
from web.api.schemas.base import NO_NUL
from web.numbers import BIGGEST

CourseCode = Annotated[
    str,
    Path(
        min_length=1,
        max_length=LONGEST_NAME,
        pattern=NO_NUL,
        description="The course code, or `external:` and the external id",
        examples=["SAFETY-101"],
    ),
]
ExternalId = Annotated[str, Query(max_length=LONGEST, pattern=NO_NUL, description="Only the one with this external id")]
ResetId = Annotated[UUID, Path(description="The reset's id")]
RuleId = Annotated[UUID, Path(description="The rule's id")]
UserId = Annotated[int, Path(ge=1, le=BIGGEST, description="The user's id", examples=[42])]
