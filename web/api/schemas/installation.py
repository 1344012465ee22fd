"""The installation: all organizations."""

from pydantic import Field

from models.pauses import Paused
from web.api.schemas.base import Answer, example
from web.api.schemas.resets import Pause


class InstallationStanding(Answer):
    """Whether the whole installation is paused."""

    model_config = example(
        {
            "paused": {
                "scope": "everything",
                "reason": "the database moves",
                "by": "Platform operations",
                "at": "2027-01-31T12:00:00Z",
            }
        }
    )

    paused: Pause | None = Field(description="Null unless everything is paused")


def installation_of(paused: Paused | None) -> InstallationStanding:
    """Returns the pause of everything as an answer."""
    return InstallationStanding(paused=None if paused is None else Pause.model_validate(paused))
