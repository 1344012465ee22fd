"""What several endpoints take: ids and codes in addresses, cursors, words and numbers in bodies."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Header, Path, Query
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from web.numbers import BIGGEST

NO_NUL = r"^[^\x00]*$"  # PostgreSQL's text takes any character but this
MOST_ITEMS = 200

CourseCode = Annotated[
    str, Path(min_length=1, max_length=200, pattern=NO_NUL, description="The course code", examples=["SAFETY-101"])
]
UserId = Annotated[int, Path(ge=1, le=BIGGEST, description="The user's id", examples=[42])]
After = Annotated[str, Query(max_length=2000, pattern=NO_NUL, description="From the `Link` header of the page before")]
Limit = Annotated[int, Query(ge=1, le=MOST_ITEMS, description="Items on a page")]

Id = Annotated[int, Field(strict=True, ge=1, le=BIGGEST)]
Flag = Annotated[bool, Field(strict=True)]
Percent = Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)]
Words = Annotated[str, Field(min_length=1, max_length=20_000, pattern=NO_NUL)]


def _text(value: Any) -> Any:
    if value is not None and not isinstance(value, (str, datetime)):
        raise ValueError("must be text such as 2027-01-31T06:00:00Z")  # Pydantic would take a number of seconds too
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_text)]


class Body(BaseModel):
    """The base of what is sent to us: what we do not know is refused, and not passed over."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Answer(BaseModel):
    """The base of what we send."""

    model_config = ConfigDict(from_attributes=True)


LISTED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "Link": {
                "description": 'The next page, `<…>; rel="next"`, if there is one.',
                "schema": {"type": "string"},
            }
        }
    }
}
KEY_LENGTH = 255
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Chosen by you, such as a UUID: the same request with the same key is done once and answered "
        "alike, for a day. Without it the answer is 400.",
        examples=["incident-7731"],
    ),
]
