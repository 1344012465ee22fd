"""Users, erased users, and the user of a token."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from web.api.schemas.base import NO_NUL, Answer, Body, Email, ExternalId, Flag, example

USER: dict[str, Any] = {
    "user_id": 42,
    "external_id": "hr-1042",
    "email": "kim@acme.example",
    "name": "Kim Khan",
    "active": True,
    "notifications_on": True,
    "locale": "de-CH",
    "time_zone": "Europe/Zurich",
    "permissions": [],
    "created_at": "2027-01-02T08:00:00Z",
    "removed_at": None,
    "erased_at": None,
}
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
Address = Annotated[Email, Field(description="Their e-mail address", examples=["kim@acme.example"])]
Locale = Annotated[
    str, Field(min_length=1, max_length=35, pattern=NO_NUL, description="A language tag", examples=["de-CH"])
]
TimeZone = Annotated[
    str, Field(min_length=1, max_length=100, pattern=NO_NUL, description="An IANA name", examples=["Europe/Zurich"])
]


class UserRequest(Body):
    """A user to add."""

    model_config = example({"email": "kim@acme.example", "name": "Kim Khan", "external_id": "hr-1042"})

    email: Address
    name: Name
    external_id: ExternalId | None = None
    active: Flag = Field(True, description="Whether they can sign in and get alerts")
    notifications_on: Flag = Field(True, description="Whether they get alerts")
    locale: Locale = "en"
    time_zone: TimeZone = "UTC"


class UserUpdate(Body):
    """What to change of a user. Fields that are left out stay as they are."""

    model_config = example({"email": "kim.khan@acme.example"})

    email: Address = ""
    name: Name = ""
    external_id: ExternalId | None = Field(None, description="null clears it")
    active: Flag = Field(True, description="false ends their sessions; true brings a removed user back")
    notifications_on: Flag = True
    locale: Locale = ""
    time_zone: TimeZone = ""


class UserDetails(Answer):
    """A user."""

    model_config = example(USER)

    user_id: int = Field(validation_alias="id")
    external_id: str | None = Field(description="The platform's own id")
    email: str
    name: str
    active: bool = Field(description="Whether they can sign in and get alerts")
    notifications_on: bool
    locale: str
    time_zone: str
    permissions: list[str]
    created_at: datetime
    removed_at: datetime | None
    erased_at: datetime | None


class UserList(Answer):
    """Users, by name."""

    model_config = example({"items": [USER]})

    items: list[UserDetails]


class ErasureConfirmation(Body):
    """The confirmation of an erasure."""

    model_config = example({"confirm": "kim@acme.example"})

    confirm: str = Field(max_length=400, pattern=NO_NUL, description="The user's e-mail address, typed to confirm")


class ErasedUser(Answer):
    """An erased user, and what was deleted."""

    model_config = example(
        {"user_id": 42, "erased_at": "2027-01-31T12:00:00Z", "enrolments": 3, "records": 58, "files": 2}
    )

    user_id: int
    erased_at: datetime
    enrolments: int
    records: int = Field(description="Records of all kinds")
    files: int = Field(description="Files of these records; the storage deletes them shortly afterwards")


class TokenUser(Answer):
    """The user in whose name a token acts."""

    model_config = example(
        {
            "user_id": 1,
            "name": "Alex Admin",
            "email": "admin@acme.example",
            "organization": "acme",
            "permissions": ["Platform management: Users", "Training: Manage courses"],
        }
    )

    user_id: int
    name: str
    email: str
    organization: str
    permissions: list[str]
