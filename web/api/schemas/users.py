"""Erased users, and the user of a token."""

from datetime import datetime

from pydantic import Field

from web.api.schemas.base import NO_NUL, Answer, Body, example


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
