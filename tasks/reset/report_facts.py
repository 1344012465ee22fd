"""What the report of a reset says."""

from dataclasses import dataclass

from models.resets import Reset


@dataclass(frozen=True)
class Facts:
    """What the report says."""

    reset: Reset
    organization: str
    course: str
    requester: str
    audience: str
    state: str
    result: str
    learners: int
    outcomes: dict[str, int]
    removed: dict[str, int]
    shown: dict[str, int]  # records that the preview showed
    causes: list[tuple[str, int]]
