"""Exemptions from the resets of a course."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from tasks.reset.exemptions import LONGEST_REASON
from web.api.schemas.base import NO_NUL, Answer, Body, Moment, UserName, example


class ExemptionRequest(Body):
    """A learner to leave out."""

    model_config = example({"user": "ada@acme.example", "reason": "on leave", "until": "2027-03-31T22:00:00Z"})

    user: UserName = Field(description="The address, or `external:` and the external id")
    reason: Annotated[str, Field(min_length=1, max_length=LONGEST_REASON, pattern=NO_NUL)]
    until: Moment | None = Field(None, description="For good if null")


EXEMPTION: dict[str, Any] = {
    "user_id": 42,
    "name": "Ada Abebe",
    "email": "ada@acme.example",
    "reason": "on leave",
    "until": "2027-03-31T22:00:00Z",
    "made_by": "Alex Admin",
    "made_at": "2026-11-29T10:00:00Z",
}


class ExemptionDetails(Answer):
    """A learner who is exempt from resets of a course."""

    model_config = example(EXEMPTION)

    user_id: int
    name: str
    email: str
    reason: str
    until: datetime | None = Field(description="For good if null")
    made_by: str = Field(description="The name of the user or program that made it")
    made_at: datetime


class ExemptionList(Answer):
    """Exemptions, by the learner's name."""

    model_config = example({"items": [EXEMPTION]})

    items: list[ExemptionDetails]
