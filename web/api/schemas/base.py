"""The base of every schema, and the types of their fields."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from models.external_ids import LONGEST, LONGEST_NAME
from web.numbers import BIGGEST

NO_NUL = r"^[^\x00]*$"  # the one character that PostgreSQL's text cannot hold


class Body(BaseModel):
    """The base of request bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Answer(BaseModel):
    """The base of answers."""

    model_config = ConfigDict(from_attributes=True)


def example(value: dict[str, Any]) -> ConfigDict:
    """Returns the configuration of a schema with this example."""
    return ConfigDict(json_schema_extra={"examples": [value]})


def _text(value: Any) -> Any:
    if value is not None and not isinstance(value, (str, datetime)):
        raise ValueError("must be text such as 2027-01-31T06:00:00Z")  # Pydantic would also accept seconds as a number
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_text)]
Id = Annotated[int, Field(strict=True, ge=1, le=BIGGEST)]
Flag = Annotated[bool, Field(strict=True)]
Percent = Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)]

Course = Annotated[str, Field(description="The course code", examples=["SAFETY-101"])]
ConfirmCourse = Annotated[
    str,
    Field(max_length=200, pattern=NO_NUL, description="The course code, to confirm: a reset cannot be undone"),
]
Token = Annotated[str, Field(max_length=100_000, pattern=NO_NUL)]
Email = Annotated[str, Field(min_length=1, max_length=320, pattern=NO_NUL)]
ExternalId = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST, pattern=NO_NUL, description="The platform's own id", examples=["hr-1042"]),
]
Code = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=NO_NUL)]  # or `external:` and an external id
UserName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, pattern=NO_NUL)]  # an address, or the same
EventReason = Annotated[str, Field(min_length=1, max_length=2000, pattern=NO_NUL)]
Text = Annotated[str, Field(max_length=20_000, pattern=NO_NUL)]
