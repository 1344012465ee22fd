"""Permissions, password links and sessions of a user."""

from datetime import datetime

from pydantic import Field

from models.access import Permission
from web.api.schemas.base import Answer, Body, example


class PermissionsUpdate(Body):
    """All permissions of a user."""

    model_config = example({"permissions": ["Training: Manage courses"]})

    permissions: list[Permission] = Field(max_length=20, description="All that they have from now on; may be empty")


class PasswordLink(Answer):
    """A link with which a user chooses a password."""

    model_config = example(
        {"link": "https://training.example.org/set-password/…", "expires_at": "2027-01-03T08:00:00Z"}
    )

    link: str
    expires_at: datetime


class UserSession(Answer):
    """A browser in which a user is signed in."""

    key: str = Field(description="Identifies the session. It does not sign anyone in.")
    device: str
    began_at: datetime
    seen_at: datetime = Field(description="When it was last used, to the minute")


class UserSessionList(Answer):
    """Sessions, most recently used first."""

    model_config = example(
        {
            "items": [
                {
                    "key": "9f3a61c2b7d8e4f05a1b",
                    "device": "Firefox on Windows",
                    "began_at": "2027-01-02T08:00:00Z",
                    "seen_at": "2027-01-02T09:30:00Z",
                }
            ]
        }
    )

    items: list[UserSession]
