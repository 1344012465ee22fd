"""The organization of whoever asks."""

from pydantic import Field

from tasks.people.organizations import Standing
from web.api.schemas.base import Answer, example
from web.api.schemas.resets import Pause


class OrganizationStanding(Answer):
    """An organization: its share of the workers, and what its resets are doing."""

    model_config = example(
        {
            "slug": "acme",
            "name": "Acme Ltd",
            "weight": 1,
            "paused": None,
            "running": 10,
            "most_running": 10,
            "queued": 2,
        }
    )

    slug: str
    name: str
    weight: int = Field(description="Its share of workers, mail, webhooks and imports, against that of others")
    paused: Pause | None = Field(description="Null unless all its resets are paused")
    running: int = Field(description="Resets that run, without those of a few named users and paused ones")
    most_running: int = Field(description="At most so many of them run at a time")
    queued: int = Field(description="Resets that wait for one of these to end")


def standing_of(standing: Standing) -> OrganizationStanding:
    """Returns the standing as an answer."""
    return OrganizationStanding.model_validate(standing)
